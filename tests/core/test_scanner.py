"""The scanner against bad input: one group of tests for each row of the list of hostile inputs.

D means refused, as a value and as a message; nothing here measures wall time. What bounds the time
is one pass over the bytes plus `key_work`, which is counted.
"""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Callable

import msgpack
import pytest

from vines._core.scanner import (
    CONTAINERS_MAX,
    DEPTH_MAX,
    MESSAGE_CONTAINERS_MAX,
    MESSAGE_ITEMS_MAX,
    STRING_BYTES_MAX,
    is_value,
    key_work,
    outgrows,
    scan_message,
    scan_value,
)
from vines.errors import WireError

from . import samples


def is_message(data: bytes) -> bool:
    try:
        scan_message(data)
    except WireError:
        return False
    return True


def as_message(field: bytes) -> bytes:
    """A message of one field with this value."""
    return b"\x81\xa1f" + field


def refused(data: bytes) -> bool:
    """Refused wherever it stands: alone, in a list, in a dict, in a message."""
    within = (data, b"\x91" + data, b"\x81\x01" + data, b"\x93\x01" + data + b"\x01")
    return not any(map(is_value, within)) and not is_message(as_message(data))


def accepted(data: bytes) -> bool:
    within = (data, b"\x91" + data, b"\x81\x01" + data)
    return all(map(is_value, within)) and is_message(as_message(data))


def peak_bytes(look: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        look()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@samples.each_value
def test_whatever_the_packer_makes_of_a_carried_value_is_accepted(value: object) -> None:
    scan_value(msgpack.packb(value, datetime=True))


@pytest.mark.parametrize("tag", [0xC6, 0xC9, 0xDB, 0xDD, 0xDF])
@pytest.mark.parametrize("length", [0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x00100000])
def test_b13_a_length_of_4_gib_in_five_bytes_is_refused_without_room_for_it(
    tag: int, length: int
) -> None:
    data = struct.pack(">BI", tag, length)
    assert refused(data)
    assert refused(data + bytes(1_000))
    assert peak_bytes(lambda: is_value(data + bytes(1_000))) < 65_536


@pytest.mark.parametrize("size", [1_400, 72_000])
@pytest.mark.parametrize(("tag", "key"), [(b"\xdc", b""), (b"\xde", b"\x01")])
def test_b14_nested_lengths_just_under_the_input_are_refused_by_what_they_owe_together(
    size: int, tag: bytes, key: bytes
) -> None:
    count = min((size - 100) // (1 + len(key)), 65_535)
    head = tag + struct.pack(">H", count) + key
    data = head * 8 + bytes(size - 8 * len(head))
    where = rf"more is declared than there are bytes left \(at byte {len(head)}\)"
    with pytest.raises(WireError, match=where):
        scan_value(data)
    assert refused(data)
    assert peak_bytes(lambda: is_value(data)) <= 4 * size + 65_536


@pytest.mark.parametrize("head", [b"\x91", b"\x81\x01", b"\x81\xa1k"])
def test_b15_depth_is_bounded_without_recursion(head: bytes) -> None:
    assert is_value(head * DEPTH_MAX + b"\xc0")
    assert is_value(head * (DEPTH_MAX - 1) + b"\x90")
    assert not is_value(head * DEPTH_MAX + b"\x80")
    for depth in (DEPTH_MAX + 1, 512, 1_023, 100_000):
        assert refused(head * depth)
        assert refused(head * depth + b"\xc0")


def test_b15_a_closed_container_does_not_count_for_depth() -> None:
    scan_value(b"\x92" * (DEPTH_MAX - 1) + b"\x91\xc0" + b"\x91\xc0" * (DEPTH_MAX - 1))


@pytest.mark.parametrize("empty", [b"\x80", b"\x90"])
def test_b16_containers_are_counted(empty: bytes) -> None:
    most = CONTAINERS_MAX - 1
    assert is_value(b"\xdc" + struct.pack(">H", most) + empty * most)
    assert not is_value(b"\xdd" + struct.pack(">I", most + 1) + empty * (most + 1))
    megabyte = b"\xdd" + struct.pack(">I", 2**20) + empty * 2**20
    with pytest.raises(WireError, match="too many containers"):
        scan_value(megabyte)
    assert peak_bytes(lambda: is_value(megabyte)) < 65_536


def test_b16_a_datagram_of_empty_maps_is_refused() -> None:
    assert refused(b"\x80" * 1_397)
    list_of = b"\xdc" + struct.pack(">H", 1_394) + b"\x80" * 1_394
    with pytest.raises(WireError, match="too many containers"):
        scan_message(as_message(list_of))
    most = MESSAGE_CONTAINERS_MAX - 2
    scan_message(as_message(b"\xdc" + struct.pack(">H", most) + b"\x80" * most))


@pytest.mark.parametrize("body", [b"", bytes(20), b"\xff" * 20])
def test_b17_the_reserved_byte_is_refused(body: bytes) -> None:
    assert refused(b"\xc1" + body)


def extensions(code: int) -> list[bytes]:
    byte = struct.pack("b", code)
    fixed = [bytes([0xD4 + power]) + byte + bytes(2**power) for power in range(5)]
    return [
        *fixed,
        b"\xc7\x00" + byte,
        b"\xc7\x0c" + byte + bytes(12),
        b"\xc8\x01\x00" + byte + bytes(256),
        b"\xc9\x00\x01\x00\x00" + byte + bytes(65_536),
    ]


@pytest.mark.parametrize("code", [-128, -2, 0, 1, 5, 127])
def test_b17_unknown_extensions_are_refused(code: int) -> None:
    assert all(refused(data) for data in extensions(code))


def test_b17_only_three_forms_are_timestamps() -> None:
    assert [data[:2] for data in extensions(-1) if is_value(data)] == [b"\xd6\xff"]
    assert not any(is_message(as_message(data)) for data in extensions(-1))


def timestamp_64(seconds: int, nanoseconds: int) -> bytes:
    return b"\xd7\xff" + struct.pack(">Q", nanoseconds << 34 | seconds)


def timestamp_96(seconds: int, nanoseconds: int) -> bytes:
    return b"\xc7\x0c\xff" + struct.pack(">Iq", nanoseconds, seconds)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(timestamp_64(5, 10**9), id="a whole second of nanoseconds"),
        pytest.param(timestamp_64(5, 2**30 - 1000), id="all nanosecond bits"),
        pytest.param(timestamp_96(-1, 10**9), id="a whole second before 1970"),
        pytest.param(timestamp_96(-1, 2**32 - 296), id="all nanosecond bits before 1970"),
        pytest.param(timestamp_64(5, 1_001), id="finer than a microsecond"),
        pytest.param(timestamp_96(-5, 999), id="finer than a microsecond before 1970"),
        pytest.param(timestamp_64(2**32 - 1, 0), id="four bytes would do for eight"),
        pytest.param(timestamp_96(5, 0), id="four bytes would do for twelve"),
        pytest.param(timestamp_96(2**34 - 1, 1_000), id="eight bytes would do for twelve"),
        pytest.param(timestamp_96(-62_135_596_801, 0), id="before the year 1"),
        pytest.param(timestamp_96(253_402_300_800, 0), id="after the year 9999"),
        pytest.param(timestamp_96(-(2**63), 0), id="the first second of all"),
        pytest.param(timestamp_96(2**63 - 1, 999_999_000), id="the last second of all"),
    ],
)
def test_b17_timestamps_out_of_bounds_or_form_are_refused(data: bytes) -> None:
    assert refused(data)


ILL_FORMED_TEXT = [
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc1\xbf",
    b"\xc2",
    b"\xc3\x28",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xe2\x28\xa1",
    b"\xe2\x82",
    b"\xe2\x82\x28",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\xbd\xed\xb8\x80",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf0\x9f\x98",
    b"\xf0\x9f\x98\x28",
    b"\xf0\x9f\x28\x80",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff",
]
WELL_FORMED_TEXT = [
    "\0",
    "\x7f",
    "\x80",
    "\u07ff",
    "\u0800",
    "\ud7ff",
    "\ue000",
    "\ufffe",
    "\U00010000",
]
WELL_FORMED_TEXT += ["\U0010ffff", "\u202e", "a\U0001f600b", "\u20ac" * 9]


def text(body: bytes) -> bytes:
    return (bytes([0xA0 | len(body)]) if len(body) < 32 else bytes([0xD9, len(body)])) + body


@pytest.mark.parametrize("body", ILL_FORMED_TEXT, ids=bytes.hex)
def test_b18_ill_formed_text_is_refused_wherever_it_stands_in_a_str(body: bytes) -> None:
    for before in (0, 1, 6, 7, 8, 9, 40):
        for after in (0, 1, 7, 8, 40):
            whole = b"x" * before + body + b"y" * after
            assert refused(text(whole))
            assert not is_value(b"\x81" + text(whole) + b"\xc0")
            assert accepted(b"\xc4" + bytes([len(whole)]) + whole)


@pytest.mark.parametrize("body", WELL_FORMED_TEXT, ids=ascii)
def test_b18_all_of_unicode_is_accepted(body: str) -> None:
    for before in range(10):
        assert accepted(text(b"x" * before + body.encode()))
        assert is_value(b"\x81" + text(b"x" * before + body.encode()) + b"\xc0")


@pytest.mark.parametrize("key", [b"\x05", b"\xcc\x80", b"\xff", b"\xd0\x80", b"\xa0", b"\xa1k"])
@pytest.mark.parametrize("others", [0, 1, 5, 15, 40, 300])
def test_b19_equal_keys_are_refused_however_far_apart(key: bytes, others: int) -> None:
    between = b"".join(b"\xcd" + struct.pack(">H", 65_000 - n * 7) + b"\xc0" for n in range(others))
    head = b"\xde" + struct.pack(">H", others + 2) if others > 13 else bytes([0x82 + others])
    with pytest.raises(WireError, match="two equal keys"):
        scan_value(head + key + b"\xc0" + between + key + b"\xc0")
    assert is_value(head + key + b"\xc0" + between + b"\xa5other" + b"\xc0")


def test_b19_equal_keys_of_different_maps_are_no_duplicates() -> None:
    scan_value(msgpack.packb({"k": {"k": {"k": 1}, "j": 2}, "j": {"k": 1, "a": 2}, "a": 1}))


@pytest.mark.parametrize("other", [b"\xcc\x05", b"\xcd\x00\x05", b"\xd0\x05", b"\xd9\x01k"])
def test_b19_a_key_in_two_encodings_is_refused(other: bytes) -> None:
    assert refused(b"\x82\x05\xc0" + other + b"\xc0")
    assert refused(b"\x82\xa1k\xc0" + other + b"\xc0")


def in_longer_forms(number: int) -> list[bytes]:
    forms = [("B", 0xCC), ("H", 0xCD), ("I", 0xCE), ("Q", 0xCF)]
    forms += [("b", 0xD0), ("h", 0xD1), ("i", 0xD2), ("q", 0xD3)]
    shortest = msgpack.packb(number)
    longer = []
    for form, tag in forms:
        try:
            data = bytes([tag]) + struct.pack(f">{form}", number)
        except struct.error:
            continue
        if data != shortest:
            longer.append(data)
    return longer


@pytest.mark.parametrize("number", samples.EDGES + samples.NEGATIVE)
def test_b20_numbers_are_accepted_in_their_shortest_form_only(number: int) -> None:
    assert is_value(msgpack.packb(number))
    assert is_value(msgpack.packb({number: number}))
    for data in in_longer_forms(number):
        assert refused(data)
        assert refused(b"\x81" + data + b"\xc0")


@pytest.mark.parametrize("tags", [(0xD9, 0xDA, 0xDB, 31), (0xC4, 0xC5, 0xC6, -1)])
def test_b20_lengths_are_accepted_in_their_shortest_form_only(
    tags: tuple[int, int, int, int],
) -> None:
    short, middle, long, fixed = tags
    for length in (0, 1, 31, 32, 255, 256, 65_535, 65_536):
        body = bytes(length)
        if length < 256:
            data = bytes([short, length]) + body
            assert (is_value(data), refused(data)) == (length > fixed, length <= fixed)
        if length < 65_536:
            data = bytes([middle]) + struct.pack(">H", length) + body
            assert (is_value(data), refused(data)) == (length > 255, length <= 255)
        data = bytes([long]) + struct.pack(">I", length) + body
        assert (is_value(data), refused(data)) == (length > 65_535, length <= 65_535)


@pytest.mark.parametrize(("middle", "long"), [(0xDC, 0xDD), (0xDE, 0xDF)])
def test_b20_counts_are_accepted_in_their_shortest_form_only(middle: int, long: int) -> None:
    def body(count: int) -> bytes:
        if middle == 0xDC:
            return b"\x01" * count
        packer = msgpack.Packer()
        return b"".join(packer.pack(key) + b"\xc0" for key in range(count))

    for count in (0, 1, 15, 16, 65_535, 65_536):
        if count < 65_536:
            assert is_value(struct.pack(">BH", middle, count) + body(count)) == (count > 15)
        assert is_value(struct.pack(">BI", long, count) + body(count)) == (count > 65_535)


@pytest.mark.parametrize("number", [2**63, 2**63 + 1, 2**64 - 1])
def test_b20_a_message_holds_no_int_beyond_63_bits(number: int) -> None:
    data = msgpack.packb(number)
    assert is_value(data)
    assert not is_message(as_message(data))
    assert is_message(as_message(msgpack.packb(number - 2**63)))
    assert is_message(as_message(msgpack.packb(2**63 - 1)))


@pytest.mark.parametrize(
    "bits",
    [0x7FF0000000000000, 0xFFF0000000000000, 0x7FF8000000000000, 0x7FF0000000000001, 2**64 - 1],
    ids=hex,
)
def test_b21_floats_that_are_not_finite_are_refused(bits: int) -> None:
    assert refused(b"\xcb" + struct.pack(">Q", bits))


@pytest.mark.parametrize("number", [0.0, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308])
def test_b21_finite_floats_are_accepted_the_negative_zero_and_denormals_too(number: float) -> None:
    assert accepted(b"\xcb" + struct.pack(">d", number))
    assert accepted(b"\xcb" + struct.pack(">d", -number))


@pytest.mark.parametrize("number", [0.0, 1.5, float("inf")])
def test_b21_floats_of_32_bits_are_refused(number: float) -> None:
    assert refused(b"\xca" + struct.pack(">f", number))


ONE_OF_EACH: list[object] = [None, True, 1, -1, 1.5, "s", b"b", [], {}, samples.EPOCH]


@pytest.mark.parametrize("value", ONE_OF_EACH, ids=repr)
def test_b22_every_type_is_a_value_and_only_a_map_is_a_message(value: object) -> None:
    data = msgpack.packb(value, datetime=True)
    assert is_value(data)
    assert is_message(data) == (value == {})
    assert is_message(as_message(data)) == (value is not samples.EPOCH)


@pytest.mark.parametrize("value", ONE_OF_EACH, ids=repr)
def test_b23_keys_are_str_or_int_and_in_a_message_str(value: object) -> None:
    data = b"\x81" + msgpack.packb(value, datetime=True) + b"\xc0"
    assert is_value(data) == (type(value) in (str, int))
    assert is_message(data) == (type(value) is str)
    assert is_message(as_message(data)) == (type(value) is str)


def keys_in_order(order: str) -> list[int]:
    """20,000 keys, all equal in their low 16 bits: one bucket of any table that takes those."""
    count = 20_000
    if order == "descending":
        places = list(range(count, 0, -1))
    elif order == "alternating":
        places = [n if n % 2 else count + n for n in range(count)]
    else:
        places = [n * 7_919 % count for n in range(count)]
    return [place << 16 for place in places]


@pytest.mark.parametrize("order", ["descending", "alternating", "scattered"])
@pytest.mark.parametrize("length", [0, 40])
def test_b23_20_000_colliding_keys_take_bounded_work_and_memory(order: str, length: int) -> None:
    numbers = keys_in_order(order)
    keys = [f"{number:0{length}}" for number in numbers] if length else numbers
    data = msgpack.packb(dict.fromkeys(keys))
    comparisons = len(keys) * len(keys).bit_length()
    assert is_value(data)
    assert len(keys) < key_work(data) <= comparisons * (1 + length // 8 + 1)
    assert peak_bytes(lambda: is_value(data)) <= 4 * len(data) + 65_536


def test_b23_keys_that_ascend_are_compared_once_each() -> None:
    data = msgpack.packb(dict.fromkeys(range(20_000)))
    assert key_work(data) == 20_000 - 1


def test_b23_keys_of_open_maps_are_remembered_within_twice_the_input() -> None:
    inner: object = None
    for level in range(DEPTH_MAX):
        inner = {**dict.fromkeys(range(300 << level)), 2**16: inner}
    data = msgpack.packb(inner)
    assert is_value(data)
    assert peak_bytes(lambda: is_value(data)) <= 2 * len(data) + 1_024


@pytest.mark.parametrize("inner", [0, 31, 40, 1_000])
def test_b23_keys_of_an_outer_map_are_remembered_while_inner_ones_come_and_go(inner: int) -> None:
    between = msgpack.packb(dict.fromkeys(range(inner, 0, -1)))
    for last, passes in ((b"\x09", False), (b"\x01", False), (b"\x03", False), (b"\x04", True)):
        data = b"\x84\x09" + between + b"\x01" + between + b"\x03" + between + last + between
        assert is_value(data) == passes


def test_b23_keys_may_differ_in_their_last_byte_only() -> None:
    for length in (1, 2, 7, 8, 9, 15, 31, 32, 255, 256, 65_535, 65_536):
        keys = ["x" * (length - 1) + last for last in "cab"]
        assert is_value(msgpack.packb(dict.fromkeys(keys)))
    for number in (0, 200, 1_000, 70_000, 2**40, -20, -100, -1_000, -70_000, -(2**40)):
        assert is_value(msgpack.packb(dict.fromkeys((number + 3, number + 1, number + 2))))


def test_b23_nothing_is_kept_after_a_refusal() -> None:
    data = msgpack.packb(dict.fromkeys(range(1000, 0, -1)))
    hostile = [data[:-1], data + b"\xc0", data[:-4] + data[3:7], b"\xde\x01\xf4" + data[3:]]
    assert not any(is_value(each) for each in hostile)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(100):
            for each in hostile:
                is_value(each)
        assert tracemalloc.get_traced_memory()[0] - before < 4_096
    finally:
        tracemalloc.stop()


@samples.each_value
@pytest.mark.parametrize("extra", [b"\xc0", b"\x00", b"\xc1", b"\xff" * 9])
def test_b24_trailing_bytes_are_refused(value: object, extra: bytes) -> None:
    data = msgpack.packb(value, datetime=True) + extra
    with pytest.raises(WireError, match="bytes follow the value") as caught:
        scan_value(data)
    assert str(caught.value).endswith(f"(at byte {len(data) - len(extra)})")
    assert not is_message(as_message(data))


def test_b25_a_few_unknown_fields_pass_and_ten_thousand_do_not() -> None:
    for count, passes in ((1, True), (100, True), (2_048, True), (2_049, False), (10_000, False)):
        message = msgpack.packb({f"unknown_{number}": None for number in range(count)})
        assert is_message(message) == passes
        assert is_value(message)
    assert MESSAGE_ITEMS_MAX == 2 * 2_048


def test_b25_the_items_of_all_containers_count_together() -> None:
    assert is_message(msgpack.packb({"a": [0] * 2_045, "b": [0] * 2_045, "c": 1}))
    assert not is_message(msgpack.packb({"a": [0] * 2_045, "b": [0] * 2_045, "c": [1]}))


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_b26_there_is_no_compression_and_so_no_bomb(level: int) -> None:
    bomb = zlib.compress(bytes(2**20), level)
    assert not is_value(bomb)
    assert refused(bomb)
    for wrapper in (b"\x1f\x8b\x08", b"PK\x03\x04", b"BZh9", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd"):
        assert refused(wrapper + bomb)


def test_strings_of_a_message_are_bounded() -> None:
    most = STRING_BYTES_MAX
    assert is_message(msgpack.packb({"name": "x" * most, "x" * most: 1}))
    assert not is_message(msgpack.packb({"name": "x" * (most + 1)}))
    assert not is_message(msgpack.packb({"x" * (most + 1): 1}))
    assert is_message(msgpack.packb({"body": bytes(most + 1)}))


def test_a_message_may_begin_anywhere_in_a_frame() -> None:
    frame = b"\xc1\xc1\xc1" + msgpack.packb({"id": b"x"})
    scan_message(frame, 3)
    for offset in (0, 1, 2, 4, len(frame)):
        with pytest.raises(WireError, match="not a message"):
            scan_message(frame, offset)
    for offset in (len(frame) + 1, -1, -(2**63), 2**63 - 1):
        with pytest.raises(WireError, match="no message: it would begin at byte"):
            scan_message(frame, offset)


WHAT_AND_WHERE = {
    b"\x92\x01\xcd\x01": r"end inside a value \(at byte 2\)",
    b"\x01\x02": r"bytes follow the value \(at byte 1\)",
    b"\x92\x01": r"more is declared than there are bytes left \(at byte 0\)",
    b"\x91\xc1": r"0xc1 begins nothing \(at byte 1\)",
    b"\x91\xcc\x01": r"not in its shortest form \(at byte 1\)",
    b"\xca" + bytes(4): r"a float of 32 bits \(at byte 0\)",
    b"\x92\xa2ab\xcb\x7f\xf8" + bytes(6): r"a float that is not finite \(at byte 4\)",
    b"\x91\xa1\xff": r"a str that is not UTF-8 \(at byte 1\)",
    b"\x82\x01\x01\xc0\x01": r"a map key of a type that no key may have \(at byte 3\)",
    b"\x82\x01\x01\x01\x01": r"a map with two equal keys \(at byte 4\)",
    b"\x91" * 9 + b"\x01": r"nested deeper than 8 \(at byte 8\)",
    b"\x91\xd4\x05\x01": r"an extension type that is not known here \(at byte 1\)",
    b"\xd7\xff" + bytes(8): r"a timestamp that no datetime holds, .* \(at byte 0\)",
}


@pytest.mark.parametrize(("data", "sentence"), WHAT_AND_WHERE.items(), ids=WHAT_AND_WHERE.values())
def test_a_refusal_says_what_and_where(data: bytes, sentence: str) -> None:
    with pytest.raises(WireError, match=rf"^not a value: .*{sentence}$"):
        scan_value(data)


def test_a_refused_message_says_what_and_where_from_its_offset() -> None:
    with pytest.raises(WireError, match=r"^not a message: .* not a map \(at byte 0\)$"):
        scan_message(b"\x90\x90", 1)
    with pytest.raises(WireError, match=r"^not a message: an int of 2\^63 or more \(at byte 3\)$"):
        scan_message(as_message(b"\xcf\xff" + bytes(7)))
    with pytest.raises(
        WireError, match=r"^not a message: a str of more than 65536 bytes \(at byte"
    ):
        scan_message(msgpack.packb({"f": "x" * 65_537}))


@pytest.mark.parametrize("data", ["text", None, 5, bytearray(b"\xc0"), memoryview(b"\xc0")])
def test_only_bytes_are_scanned(data: object) -> None:
    for look in (scan_value, is_value, scan_message, key_work):
        with pytest.raises(TypeError):
            look(data)  # type: ignore[operator]


def test_nothing_is_no_value() -> None:
    assert not is_value(b"")
    with pytest.raises(WireError, match="end inside"):
        scan_message(b"")


def test_a_value_outgrows_a_limit_by_count_by_length_and_by_depth() -> None:
    assert not outgrows([1, "ab", b"cd"], 8)
    assert outgrows([1, "ab", b"cd"], 7)
    assert not outgrows({"k": None, 5: ()}, 6)
    assert outgrows({"k": None, 5: ()}, 5)
    assert outgrows("x" * 10, 10)
    assert not outgrows([[[[[[[[1]]]]]]]], 9)
    assert outgrows([[[[[[[[[]]]]]]]]], 1_000)


def test_a_value_that_contains_itself_outgrows_every_limit() -> None:
    loop: list[object] = []
    loop.append(loop)
    assert outgrows(loop, 2**62)
    tree: object = "x"
    for _ in range(DEPTH_MAX):
        tree = [tree] * 1_000
    assert outgrows(tree, 10_000)
