"""The codec of plain values against the msgpack library."""

from __future__ import annotations

import struct
from typing import Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vines._core.plain import pack_plain, unpack_value
from vines._core.scanner import is_value
from vines._core.wire import VALUE_BYTES_MAX
from vines.errors import WireError

EDGES = [0, 31, 32, 33, 127, 128, 255, 256, 65535, 65536, 2**31, 2**32, 2**63, 2**64]
numbers = st.integers(-(2**65), 2**65) | st.sampled_from(
    [sign * edge + step for edge in EDGES for step in (-1, 0, 1) for sign in (1, -1)]
)
plain = (
    st.none()
    | st.booleans()
    | numbers
    | st.floats()
    | st.text()
    | st.text(st.characters(codec="ascii"), max_size=300)
    | st.binary(max_size=300)
)


@given(plain)
@example("a" * 65535)
@example("a" * 65536)
@example(bytes(65535))
@example(bytes(65536))
@example(-0.0)
def test_what_it_packs_the_library_packs_alike(value: Any) -> None:
    packed = pack_plain(value)
    if packed is not None:
        assert packed == msgpack.packb(value)
        assert is_value(packed)
        assert repr(unpack_value(packed, pytest.fail)) == repr(value)


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, -(2**63), 2**63 - 1, 1.5, "", "text", b"", bytes(1000)],
    ids=lambda value: repr(value)[:20],
)
def test_plain_values_are_packed(value: Any) -> None:
    assert pack_plain(value) == msgpack.packb(value)


class Text(str):
    pass


@pytest.mark.parametrize(
    "value",
    [
        *([], {}, (), 2**63, -(2**63) - 1, "\xe9", "\ud800", Text("a"), bytearray(b"a"), object),
        *(float("nan"), float("inf"), -float("inf")),
        *(bytes(VALUE_BYTES_MAX), "a" * VALUE_BYTES_MAX),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_all_else_is_left_to_the_library(value: Any) -> None:
    assert pack_plain(value) is None


@given(st.binary(max_size=12) | st.binary(max_size=1).map(lambda head: head + bytes(3)))
def test_what_is_no_value_is_never_read(data: bytes) -> None:
    asked: list[bytes] = []

    def unpack(packed: bytes) -> object:
        asked.append(packed)
        return msgpack.unpackb(packed, timestamp=3, strict_map_key=False)

    if is_value(data):
        assert repr(unpack_value(data, unpack)) == repr(unpack(data))
    else:
        with pytest.raises(WireError):
            unpack_value(data, unpack)
        assert asked == []


@pytest.mark.parametrize("head", [0xD9, 0xDA, 0xDB, 0xC4, 0xC5, 0xC6])
@pytest.mark.parametrize("length", [0, 1, 255, 65535, 2**31 - 1, 2**31, 2**32 - 1])
def test_a_length_beyond_the_bytes_is_refused(head: int, length: int) -> None:
    for form in (">B", ">H", ">I"):
        if length < 1 << (8 * struct.calcsize(form)):
            data = bytes([head]) + struct.pack(form, length) + b"abc"
            with pytest.raises(WireError):
                unpack_value(data, pytest.fail)
