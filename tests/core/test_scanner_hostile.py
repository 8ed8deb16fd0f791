"""The scanner against bytes nobody wrote: cut, flipped, stretched; compared with its model.

Whatever passes is canonical: the msgpack library reads it and writes the very same bytes.
"""

from __future__ import annotations

import struct

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.scanner import is_value, scan_message, scan_value
from vines.errors import WireError
from vines.values.codec import pack, unpack

from . import model_scanner, samples

GOLDEN = [
    *(value for value in samples.VALUES if len(msgpack.packb(value, datetime=True)) < 600),
    {"id": b"\x01" * 16, "address": ["::1", 8000], "clock": 2**40, "observer": False},
    [{"name": "h\u00e9", "at": samples.EPOCH}, 1.5, [None, {5: -1, -5: b""}]],
]
LENGTHS = {0xC4: 1, 0xC5: 2, 0xC6: 4, 0xC7: 1, 0xC8: 2, 0xC9: 4, 0xD9: 1, 0xDA: 2, 0xDB: 4}
LENGTHS |= {0xDC: 2, 0xDD: 4, 0xDE: 2, 0xDF: 4}

each_golden = pytest.mark.parametrize(
    "data",
    [msgpack.packb(value, datetime=True) for value in GOLDEN],
    ids=[f"{type(value).__name__}{place}" for place, value in enumerate(GOLDEN)],
)


def is_message(data: bytes) -> bool:
    try:
        scan_message(data)
    except WireError:
        return False
    return True


def agrees(data: bytes) -> bool:
    """Both verdicts are the model's, so what passes is canonical."""
    verdicts = (is_value(data), is_message(data))
    return verdicts == (model_scanner.is_value(data), model_scanner.is_message(data))


@each_golden
def test_every_prefix_is_refused(data: bytes) -> None:
    assert is_value(data)
    assert not any(is_value(data[:end]) for end in range(len(data)))
    assert not any(is_message(b"\x81\xa1f" + data[:end]) for end in range(len(data)))


@each_golden
def test_every_flipped_bit_gets_the_verdict_of_the_model(data: bytes) -> None:
    for place in range(min(len(data), 80)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            assert agrees(bytes(flipped)), flipped.hex()


@each_golden
def test_every_byte_lost_or_doubled_gets_the_verdict_of_the_model(data: bytes) -> None:
    for place in range(min(len(data), 80)):
        assert agrees(data[:place] + data[place + 1 :])
        assert agrees(data[:place] + data[place : place + 1] + data[place:])


@each_golden
def test_every_length_is_forced_to_its_extremes(data: bytes) -> None:
    """Wherever a byte could be the head of something with a length, whether it is one or not."""
    for place, byte in enumerate(data[:80]):
        width = LENGTHS.get(byte)
        if width is None:
            continue
        for length in (0, 1, 2**31 - 1, 2**31, 2**32 - 1):
            field = struct.pack(">I", length)[-width:]
            forced = data[: place + 1] + field + data[place + 1 + width :]
            assert is_value(forced) == model_scanner.is_value(forced), forced.hex()


def test_every_one_and_two_bytes_get_the_verdict_of_the_model() -> None:
    for first in range(256):
        assert is_value(bytes([first])) == model_scanner.is_value(bytes([first]))
        for second in range(256):
            data = bytes([first, second])
            assert is_value(data) == model_scanner.is_value(data), data.hex()


@given(samples.values)
def test_whatever_pack_makes_is_accepted_canonical_and_unpacks_equal(value: object) -> None:
    data = pack(value)
    scan_value(data)
    assert agrees(data)
    assert unpack(data) == value
    assert pack(unpack(data)) == data


pieces = st.sampled_from([bytes([byte]) for byte in range(256)]) | st.binary(max_size=4)
edits = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 8), pieces), max_size=6)


@given(samples.values, edits)
def test_mutated_bytes_get_the_verdict_of_the_model(
    value: object, changes: list[tuple[int, int, bytes]]
) -> None:
    data = pack(value)
    for place, removed, inserted in changes:
        place %= len(data) + 1
        data = data[:place] + inserted + data[place + removed :]
    assert agrees(data)


heads = st.sampled_from([bytes([head]) for head in (*range(0x80, 0xA8), *range(0xC0, 0xE0))])
sizes = st.integers(0, 3).map(lambda size: bytes([size]))
words = st.sampled_from([b"\x00\x00", b"\x00\x10", b"\xff\xff", b"\x80", b"\x7f", b"\xff", b"a"])


@given(st.lists(heads | sizes | words, max_size=40).map(b"".join))
def test_bytes_built_of_heads_get_the_verdict_of_the_model(data: bytes) -> None:
    assert agrees(data)


few_keys = st.integers(-40, 300) | st.text("ab", max_size=5) | samples.keys


@given(st.lists(few_keys, max_size=60))
def test_equal_keys_are_found_wherever_they_are(keys: list[str | int]) -> None:
    packer = msgpack.Packer()
    data = packer.pack_map_header(len(keys)) + b"".join(packer.pack(key) + b"\xc0" for key in keys)
    assert is_value(data) == (len(set(keys)) == len(keys))


@given(st.permutations(range(70)), st.integers(0, 69), st.integers(0, 69))
def test_one_key_written_over_another_is_found_in_any_order(
    order: list[int], source: int, target: int
) -> None:
    keys = [f"key/{number:0{10 + number % 3}}" for number in order]
    keys[target] = keys[source]
    data = b"\xde\x00\x46" + b"".join(msgpack.packb(key) + b"\x01" for key in keys)
    assert is_value(data) == (source == target)
