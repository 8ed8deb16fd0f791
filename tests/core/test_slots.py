"""Attributes that are set in one step are those that are set one by one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.slots import fill


class Slotted:
    """Has three places, and refuses to be changed."""

    __slots__ = ("one", "three", "two")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("frozen")


class Loose:
    """Has any place."""


names = st.lists(st.sampled_from(["one", "two", "three", "four", ""]), max_size=6)


def by_hand(one: object, these: tuple[str, ...], values: tuple[object, ...]) -> type | None:
    """The same in Python; what it raised."""
    if len(these) != len(values):
        return ValueError
    for name, value in zip(these, values, strict=True):
        try:
            object.__setattr__(one, name, value)
        except AttributeError:
            return AttributeError
    return None


def held(one: object) -> dict[str, object]:
    return {
        name: getattr(one, name)
        for name in ("one", "two", "three", "four", "")
        if hasattr(one, name)
    }


@given(st.sampled_from([Slotted, Loose]), names, st.lists(st.integers(), max_size=6))
def test_it_does_what_python_does_one_by_one(
    kind: type, these: list[str], values: list[int]
) -> None:
    filled, same = kind(), kind()
    wanted = by_hand(same, tuple(these), tuple(values))
    if wanted is None:
        fill(filled, tuple(these), tuple(values))
    else:
        with pytest.raises(wanted):
            fill(filled, tuple(these), tuple(values))
    assert held(filled) == held(same)


def test_each_place_holds_a_reference_of_its_own() -> None:
    one, value = Slotted(), object()
    fill(one, ("one", "two"), (value, value))
    fill(one, ("one",), (None,))
    assert held(one) == {"one": None, "two": value}


def test_what_is_no_name_is_refused() -> None:
    with pytest.raises(TypeError):
        fill(Loose(), (1,), (2,))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        fill(Loose(), ["one"], (2,))  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        fill(Loose(), None, (2,))  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        fill(3, ("one",), (2,))
