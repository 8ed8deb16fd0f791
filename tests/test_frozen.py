"""Frozen classes behave like frozen dataclasses of the same fields."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import pytest

from vines._core.slots import Filled, filled, named
from vines.frozen import Frozen


class Point(Frozen):
    kind: ClassVar[int] = 7
    x: int
    y: int = 0


class Named(Frozen, kw_only=True, uncompared=("note",), unhashed=("tags",), hidden=("secret",)):
    name: str
    tags: dict[str, str]
    note: str = ""
    secret: str = "s"

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a name is not empty")


class Above(Point):
    z: int = 1


class Checked(Frozen):
    x: int

    def __post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("below zero")


class Pair(NamedTuple):
    left: object
    right: object


@dataclass(frozen=True, slots=True)
class Twin:
    x: int
    y: int = 0


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ((), {}),
        ((1,), {}),
        ((1, 2), {}),
        ((1, 2, 3), {}),
        ((1,), {"x": 2}),
        ((), {"x": 1, "y": 2}),
        ((1,), {"z": 3}),
    ],
)
def test_it_is_made_from_what_makes_a_dataclass(
    values: tuple[int, ...], named: dict[str, int]
) -> None:
    def make(kind: Any) -> Any:
        try:
            one = kind(*values, **named)
        except TypeError:
            return TypeError
        return one.x, one.y, repr(one).replace("Twin", "Point")

    assert make(Point) == make(Twin)


def test_it_is_equal_to_its_like_and_to_nothing_else() -> None:
    assert Point(1, 2) == Point(1, y=2)
    assert Point(1, 2) != Point(1, 3)
    assert Point(1, 0) != Above(1, 0)
    assert Point(1, 2) != (1, 2)
    assert hash(Point(1, 2)) == hash(Point(1, 2))
    assert len({Point(1), Point(1), Point(2)}) == 2


def test_nothing_of_it_changes() -> None:
    point = Point(1)
    for attempt in (
        lambda: setattr(point, "x", 2),
        lambda: delattr(point, "x"),
        lambda: setattr(point, "z", 2),
    ):
        with pytest.raises(AttributeError):
            attempt()
    assert point == Point(1)
    assert not hasattr(point, "__dict__")


def test_fields_may_be_left_out_of_comparison_hash_and_sight() -> None:
    one, two = Named(name="a", tags={"k": "v"}), Named(name="a", tags={"k": "v"}, note="other")
    assert one == two
    assert hash(one) == hash(two)
    assert one != Named(name="a", tags={})
    assert repr(one) == "Named(name='a', tags={'k': 'v'}, note='')"


def test_fields_by_name_only_and_checked() -> None:
    with pytest.raises(TypeError):
        Named("a", {})  # type: ignore[misc]
    with pytest.raises(ValueError, match="not empty"):
        Named(name="", tags={})
    with pytest.raises(ValueError, match="not empty"):
        Named(name="a", tags={}).replace(name="")


def test_a_copy_with_changes_and_a_copy_without() -> None:
    assert Point(1, 2).replace(y=5) == Point(1, 5)
    with pytest.raises(TypeError):
        Point(1).replace(z=1)
    assert copy.deepcopy(Named(name="a", tags={"k": "v"})) == Named(name="a", tags={"k": "v"})


def test_inherited_fields_come_first() -> None:
    assert Above.fields == ("x", "y", "z")
    assert Above(1, z=3) == Above(1, 0, 3)
    assert Above.kind == 7


def test_it_can_be_matched() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)
        case _:
            raise AssertionError


def test_made_without_a_call_it_is_the_same() -> None:
    for made, called in (
        (filled(Above, (1, 2, 3)), Above(1, 2, 3)),
        (filled(Checked, (4,)), Checked(4)),
    ):
        assert made == called
        assert type(made) is type(called)
        assert hash(made) == hash(called)
    with pytest.raises(AttributeError):
        filled(Point, (1, 2)).x = 3  # type: ignore[misc]
    with pytest.raises(ValueError, match="below zero"):
        filled(Checked, (-1,))


@pytest.mark.parametrize("values", [(), (1,), (1, 2, 3)])
def test_made_without_a_call_it_takes_a_value_for_each_field(values: tuple[int, ...]) -> None:
    with pytest.raises(TypeError):
        filled(Point, values)
    with pytest.raises(TypeError):
        filled(Named, ("a", {}, "", "s"))
    with pytest.raises(TypeError):
        filled(dict, values)  # type: ignore[type-var]
    assert Filled in Point.__mro__


def test_a_named_tuple_is_made_without_a_call() -> None:
    values = ([1], "two")
    made = named(Pair, values)
    assert made == Pair(*values)
    assert type(made) is Pair
    assert made.left is values[0]
    with pytest.raises(TypeError):
        named(list, values)  # type: ignore[type-var]
    with pytest.raises(TypeError):
        named(Pair, [1, 2])  # type: ignore[arg-type]
