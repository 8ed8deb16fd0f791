"""Pieces of bytes are those of Python's slices and `struct`, and never from beyond an end."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.pieces import begins, entry, framed, number4, number8, piece

places = st.one_of(st.integers(-3, 24), st.sampled_from([-(2**63), 2**63 - 1, 2**62]))
texts = st.binary(max_size=20)


def inside(data: bytes, start: int, end: int) -> bool:
    return 0 <= start <= end <= len(data)


@given(texts, places, places)
def test_a_piece_is_a_slice_of_what_is_there(data: bytes, start: int, end: int) -> None:
    if inside(data, start, end):
        assert piece(data, start, end) == data[start:end]
    else:
        with pytest.raises((IndexError, OverflowError)):
            piece(data, start, end)


@given(texts, places, st.binary(max_size=3))
def test_bytes_stand_at_a_place_or_do_not(data: bytes, at: int, wanted: bytes) -> None:
    there = inside(data, at, at + len(wanted)) and data[at : at + len(wanted)] == wanted
    assert begins(data, at, wanted) is there


@given(texts, places)
def test_numbers_are_those_that_struct_reads(data: bytes, at: int) -> None:
    for size, form, read in ((4, "<I", number4), (8, "<Q", number8)):
        if inside(data, at, at + size):
            assert read(data, at) == struct.unpack_from(form, data, at)[0]
        else:
            with pytest.raises(IndexError):
                read(data, at)


@given(st.integers(0, 255), texts, st.integers(0, 2**32 - 1), texts)
def test_an_entry_is_what_struct_packs(word: int, about: bytes, number: int, body: bytes) -> None:
    wanted = struct.pack(f"<IB{len(about)}sI", len(body), word, about, number) + body
    assert entry(word, about, number, body) == wanted


@given(st.integers(0, 255), texts, texts)
def test_what_is_framed_is_what_struct_packs(kind: int, head: bytes, body: bytes) -> None:
    assert framed(kind, head, body) == struct.pack("<IBB", len(head + body) + 2, kind, 0) + (
        head + body
    )


@pytest.mark.parametrize("word", [-1, 256])
def test_a_word_and_a_kind_are_a_byte(word: int) -> None:
    with pytest.raises(OverflowError):
        entry(word, b"", 0, b"")
    with pytest.raises(OverflowError):
        framed(word, b"", b"")


@pytest.mark.parametrize("number", [-1, 2**32])
def test_a_number_has_four_bytes(number: int) -> None:
    with pytest.raises(OverflowError):
        entry(0, b"", number, b"")


def test_what_is_no_bytes_is_refused() -> None:
    for wrong in (None, "text", bytearray(8)):
        for attempt in (
            lambda one: piece(one, 0, 0),
            lambda one: begins(one, 0, b""),
            lambda one: begins(b"", 0, one),
            lambda one: number4(one, 0),
            lambda one: number8(one, 0),
            lambda one: entry(0, one, 0, b""),
            lambda one: entry(0, b"", 0, one),
            lambda one: framed(0, one, b""),
            lambda one: framed(0, b"", one),
        ):
            with pytest.raises(TypeError):
                attempt(wrong)
