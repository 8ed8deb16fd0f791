"""Rendezvous beside its definition: names sorted by a keyed hash, whatever is handed in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.rendezvous import KEY_BYTES, ranked

from .siphash import siphash13

keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES)
some_names = st.lists(st.binary(max_size=40), max_size=40).map(tuple)


def model(key: bytes, names: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return tuple(sorted(names, key=lambda name: siphash13(key, name)))


@given(keys, some_names)
def test_names_come_in_the_order_of_their_hashes(key: bytes, names: tuple[bytes, ...]) -> None:
    assert ranked(key, names) == model(key, names)


@given(keys, st.lists(st.binary(max_size=20), min_size=1, unique=True), st.data())
def test_who_is_taken_away_leaves_the_others_in_their_order(
    key: bytes, names: list[bytes], data: st.DataObject
) -> None:
    gone = data.draw(st.sampled_from(names))
    left = tuple(name for name in names if name != gone)
    assert ranked(key, left) == tuple(name for name in ranked(key, tuple(names)) if name != gone)


@given(keys, st.permutations([bytes([number]) * 16 for number in range(20)]))
def test_all_find_the_same_order_whatever_order_they_are_given(
    key: bytes, names: list[bytes]
) -> None:
    assert ranked(key, tuple(names)) == ranked(key, tuple(sorted(names)))


def test_each_is_first_under_about_as_many_keys() -> None:
    names = tuple(bytes([number]) * 16 for number in range(5))
    first = [ranked(number.to_bytes(KEY_BYTES, "big"), names)[0] for number in range(5_000)]
    assert all(850 < first.count(name) < 1_150 for name in names)


def test_thousands_of_names() -> None:
    names = tuple(number.to_bytes(16, "big") for number in range(10_000))
    key = bytes(range(KEY_BYTES))
    assert ranked(key, names) == model(key, names)


@pytest.mark.parametrize("size", [0, KEY_BYTES - 1, KEY_BYTES + 1])
def test_a_key_of_another_length(size: int) -> None:
    with pytest.raises(ValueError, match="a key is 16 bytes"):
        ranked(bytes(size), (b"a",))


@pytest.mark.parametrize("name", [None, "a", 1, bytearray(b"a")])
def test_a_name_that_is_no_bytes(name: object) -> None:
    with pytest.raises(TypeError, match="a name is bytes"):
        ranked(bytes(KEY_BYTES), (b"a", name))  # type: ignore[arg-type]


@pytest.mark.parametrize("names", [None, [b"a"], b"a"])
def test_names_that_are_no_tuple(names: object) -> None:
    with pytest.raises(TypeError):
        ranked(bytes(KEY_BYTES), names)  # type: ignore[arg-type]
