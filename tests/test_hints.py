"""What stands for names of `typing` behaves like them as far as it is used."""

from __future__ import annotations

import ast
import copy
import pickle
import typing
from pathlib import Path
from typing import Any

import pytest

import vines
from vines import hints


class Range(hints.NamedTuple):
    """From one number to another."""

    low: int
    high: int = 9

    @property
    def length(self) -> int:
        """How many there are."""
        return self.high - self.low


class Twin(typing.NamedTuple):
    low: int
    high: int = 9


def test_names_are_names_of_typing() -> None:
    tree = ast.parse(Path(hints.__file__).read_text(encoding="utf-8"))
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "typing"
        for alias in node.names
    }
    assert names == {name for name in vars(hints) if name[0] != "_"} - {
        *("annotations", "namedtuple", "TYPE_CHECKING")
    }
    assert all(hasattr(typing, name) for name in names)


@pytest.mark.parametrize(
    ("values", "named"),
    [((), {}), ((1,), {}), ((1, 2), {}), ((1, 2, 3), {}), ((1,), {"low": 2}), ((), {"low": 1})],
)
def test_named_tuple_takes_what_that_of_typing_takes(
    values: tuple[int, ...], named: dict[str, Any]
) -> None:
    try:
        expected: tuple[int, ...] | None = Twin(*values, **named)
    except TypeError:
        expected = None
    try:
        made: tuple[int, ...] | None = Range(*values, **named)
    except TypeError:
        made = None
    assert made == expected


def test_named_tuple_keeps_what_stands_in_its_body() -> None:
    made = Range(3)
    assert isinstance(made, tuple) and made == (3, 9)
    assert made.length == 6
    assert repr(made) == "Range(low=3, high=9)"
    assert made._replace(low=4) == Range(4) and made._asdict() == {"low": 3, "high": 9}
    assert (Range.__doc__, Range.__module__) == ("From one number to another.", __name__)
    assert copy.copy(made) == made and type(copy.deepcopy(made)) is Range
    assert type(pickle.loads(pickle.dumps(made))) is Range  # noqa: S301
    with pytest.raises(AttributeError):
        made.low = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        made.middle = 1  # type: ignore[attr-defined]
    match made:
        case Range(low, high):
            assert (low, high) == made


@pytest.mark.parametrize("kind", [vines.Gossip, vines.Member, vines.Outcome, vines.Vine])
def test_hints_of_what_users_hold_can_be_asked_for(kind: type) -> None:
    typing.get_type_hints(kind)


def test_type_parameters_leave_a_class_as_it_is() -> None:
    item = hints.TypeVar("item", bound=int)

    class Box(hints.Generic[item]):  # type: ignore[valid-type,misc]
        pass

    assert Box[int] is Box and Box().__class__ is Box
    assert hints.cast("int", made := object()) is made
