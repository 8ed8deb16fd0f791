"""Every type of frame: golden bytes, and what becomes of them when any part of them is wrong."""

from __future__ import annotations

import time

import pytest

from vines.errors import WireError
from vines.protocol.wire import fields
from vines.protocol.wire.framing import frame
from vines.protocol.wire.hello import HINTS_MAX, Hello, Refuse, cluster_id, greeting
from vines.protocol.wire.messages import (
    BEGIN,
    NAMES,
    Detail,
    Digest,
    Floor,
    Join,
    Snapshot,
    Vector,
    decode,
)
from vines.protocol.wire.talk import Flushed, Ping

from .golden import GOLDEN, HELLO

BULK = ("vector", "delta", "pull", "snapshot", "announce", "graft", "detail")
FORCED = (0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 1 << 31, (1 << 32) - 1)

every_frame = pytest.mark.parametrize("name", GOLDEN)


def golden(name: str) -> bytes:
    """A frame as `receive` gets it: without its length."""
    return bytes.fromhex(GOLDEN[name][1])[4:]


def decodes_or_is_refused(data: bytes) -> bool:
    """Whether it decodes; nothing but WireError may come of it if not."""
    try:
        decode(data)
    except WireError:
        return False
    return True


@every_frame
def test_encoding_is_golden(name: str) -> None:
    message, data = GOLDEN[name]
    assert message.encode().hex() == data


@every_frame
def test_decoding_gives_the_message_back(name: str) -> None:
    message, data = GOLDEN[name]
    decoded = decode(golden(name))
    assert type(decoded) is type(message)
    assert decoded.encode().hex() == data


def test_every_type_has_golden_bytes() -> None:
    assert {message.kind for message, _ in GOLDEN.values()} == set(NAMES)


@every_frame
def test_no_prefix_of_a_control_message_decodes(name: str) -> None:
    data = golden(name)
    bulk = NAMES[data[0]] in BULK
    for length in range(len(data)):
        if decodes_or_is_refused(data[:length]):
            assert bulk, f"{length} bytes of {name} decode"


@every_frame
def test_trailing_bytes_are_refused_or_left_to_the_core(name: str) -> None:
    data = golden(name)
    if NAMES[data[0]] not in BULK:
        with pytest.raises(WireError):
            decode(data + b"\x00")


@every_frame
def test_every_bit_flip_is_refused_or_is_another_message(name: str) -> None:
    data = golden(name)
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            decodes_or_is_refused(bytes(flipped))


@every_frame
def test_every_byte_deleted_or_doubled_is_refused_or_is_another_message(name: str) -> None:
    data = golden(name)
    for position in range(len(data)):
        decodes_or_is_refused(data[:position] + data[position + 1 :])
        decodes_or_is_refused(data[: position + 1] + data[position:])


@every_frame
def test_every_length_forced_anywhere_costs_nothing(name: str) -> None:
    data = golden(name)
    started = time.thread_time()
    count = 0
    for position in range(len(data)):
        for value in FORCED:
            for width in (1, 2, 4):
                if value < 1 << 8 * width:
                    for order in ("little", "big"):
                        forced = value.to_bytes(width, order)  # type: ignore[arg-type]
                        decodes_or_is_refused(data[:position] + forced + data[position + width :])
                        count += 1
    assert (time.thread_time() - started) / count < 0.001


@pytest.mark.parametrize("kind", [0, 15, *range(22, 256)])
def test_an_unknown_type_is_refused(kind: int) -> None:
    with pytest.raises(WireError, match="type"):
        decode(bytes((kind, 0)) + bytes(40))


@pytest.mark.parametrize("flags", [1, 0x80, 0xFF])
@every_frame
def test_unknown_flags_are_refused(name: str, flags: int) -> None:
    data = bytearray(golden(name))
    data[1] = flags
    with pytest.raises(WireError):
        decode(bytes(data))


@pytest.mark.parametrize("kind", [3, 4, 5, 6, 7, 8, 9])
def test_a_third_table_is_refused(kind: int) -> None:
    name = next(name for name, (message, _) in GOLDEN.items() if message.kind == kind)
    data = bytearray(golden(name))
    data[2] = 2
    with pytest.raises(WireError, match="table"):
        decode(bytes(data))


def hello_with(**changes: object) -> bytes:
    """A hello whose map has some fields changed (None as a change: left out)."""
    values = fields.unpack(HELLO.encode()[4:], 16)
    for name, value in changes.items():
        if value is None:
            del values[name]
        else:
            values[name] = value
    head = HELLO.encode()[6:20]
    return frame(Hello.kind, head + fields.pack(values))[4:]


WRONG = {
    "id": [1, "i" * 16, b"", bytes(15), bytes(17), True, [], {}],
    "source": [bytes(15), "s", 0],
    "name": ["", "x" * 65, "é" * 33, "a\nb", "\u202ename", "\u200b", b"n", 5, "\x1b[2J"],
    "address": [
        [],
        ["h"],
        ["h", 0],
        ["h", 65536],
        ["h", -1],
        ["h", True],
        ["h", "80"],
        ["", 80],
        ["x" * 256, 80],
        ["a b", 80],
        ["0.0.0.0", 80],
        ["::", 80],
        ["*", 80],
        ["224.0.0.1", 80],
        ["255.255.255.255", 80],
        ["ff02::1", 80],
        ["h\n", 80],
        [b"h", 80],
        "h:80",
        7,
    ],
    "incarnation": [-1, 1 << 61, 1.0, "1", True, b""],
    "observer": [0, 1, "no"],
    "clock": [-1, 1 << 48, 1.5, "now", False],
    "serial": [-1, 1 << 48, "1", True],
    "control": [bytes(31), bytes(33), "c", 0],
    "data": [bytes(31), bytes(33), "c", 0],
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_field_of_a_hello_is_refused(name: str) -> None:
    for value in WRONG[name]:
        with pytest.raises(WireError, match=name):
            decode(hello_with(**{name: value}))


@pytest.mark.parametrize("name", WRONG)
def test_a_missing_field_of_a_hello_is_refused(name: str) -> None:
    if name == "address":
        assert decode(hello_with(address=None)).address is None  # type: ignore[union-attr]
    else:
        with pytest.raises(WireError, match=name):
            decode(hello_with(**{name: None}))


def test_unknown_fields_are_skipped_within_the_budget() -> None:
    assert decode(hello_with(later={"a": [1, 2, b"x"]})) == HELLO
    with pytest.raises(WireError):
        decode(hello_with(**{f"field{index}": index for index in range(10_000)}))


def test_the_head_of_a_hello_of_a_later_version_is_read_and_the_rest_is_not() -> None:
    later = frame(1, b"vine" + bytes((7, 9)) + cluster_id("test") + b"\xc1 not msgpack")[4:]
    assert greeting(later) == (7, 9, cluster_id("test"))
    with pytest.raises(WireError):
        decode(later)


def test_what_is_no_hello_has_no_head() -> None:
    for payload in (b"", b"vine", b"wine\x01\x01" + bytes(8), b"vine\x02\x01" + bytes(8)):
        with pytest.raises(WireError):
            greeting(frame(1, payload)[4:])


def test_a_refusal_is_cut_to_what_the_stranger_sent() -> None:
    refuse = Refuse("full", "some text", (("127.0.0.1", 8000), ("127.0.0.1", 8001)))
    whole = len(refuse.encode())
    for size in range(whole + 1):
        cut = refuse.within(size)
        assert len(cut) <= size
        assert not cut or decode(cut[4:]).reason == "full"  # type: ignore[union-attr]
    assert refuse.within(whole) == refuse.encode()
    assert refuse.within(10) == b""


def test_hints_that_nobody_may_dial_are_dropped_and_too_many_refused() -> None:
    hints = [["127.0.0.1", 8000], ["h", 0], 5, ["", 1], ["::1", 9]]
    data = frame(2, fields.pack({"reason": "full", "hints": hints}))[4:]
    assert decode(data).hints == (("127.0.0.1", 8000), ("::1", 9))  # type: ignore[union-attr]
    many = [["h", 1]] * (HINTS_MAX + 1)
    with pytest.raises(WireError, match="hints"):
        decode(frame(2, fields.pack({"reason": "full", "hints": many}))[4:])


@pytest.mark.parametrize("marks", [4, 0x80, 0xFF])
def test_unknown_marks_are_refused(marks: int) -> None:
    with pytest.raises(WireError):
        decode(Digest(0, bytes(32), marks).encode()[4:])
    with pytest.raises(WireError):
        decode(Vector(0, marks, b"x").encode()[4:])
    with pytest.raises(WireError):
        decode(Snapshot(0, marks, 0, b"x").encode()[4:])


def test_a_snapshot_has_a_cursor_exactly_when_more_follows() -> None:
    for marks, cursor in ((0, 0), (BEGIN, 1), (2, 1), (3, 0)):
        with pytest.raises(WireError):
            decode(Snapshot(0, marks, cursor, b"x").encode()[4:])


@pytest.mark.parametrize("counter", [-1, 1 << 48, 1 << 63])
def test_a_counter_beyond_its_cap_is_refused(counter: int) -> None:
    with pytest.raises(WireError):
        decode(Flushed(1, counter, 0).encode()[4:])


@pytest.mark.parametrize(
    ("form", "cells", "keys"),
    [(5, 0, 0), (5, 257, 0), (5, 1, 3), (5, 1, 1028), (3, 1, 0), (6, 0, 4), (4, 0, 0), (0, 0, 0)],
)
def test_a_question_for_what_there_is_not_is_refused(form: int, cells: int, keys: int) -> None:
    with pytest.raises(WireError):
        decode(Detail(0, form, cells, bytes(keys)).encode()[4:])


def test_fixed_frames_have_one_length() -> None:
    for message in (Floor(0), Join(0), Ping(0), Digest(0, bytes(32))):
        data = message.encode()[4:]
        for wrong in (data[:-1], data + b"\x00"):
            with pytest.raises(WireError):
                decode(wrong)


def test_an_address_of_a_hello_comes_back_as_it_was() -> None:
    for address in (("127.0.0.1", 1), ("::1", 65535), ("a.example", 80), None):
        hello = HELLO.replace(address=address)
        assert decode(hello.encode()[4:]) == hello
