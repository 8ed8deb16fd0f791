"""Records that expire: what is left travels, each table lets them lapse alone, and that is no
write."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.changes import Changes
from vines._core.table import DATA, EXPIRING, LEFT_MAX, TOMBSTONE
from vines.errors import WireError

from .forms import varint, write_page
from .kinds import CORE, A, B, C, Kind, frame, frames, link, new, record, span, state

LAPSED = EXPIRING | TOMBSTONE
GOLDEN = bytes.fromhex(
    "01"  # a delta
    "00 10000000000000000000000000000001 00"  # of A, from 0
    "01 30 02 f403 0e 01 6b 01 01"  # 1: flags and time left: expiring, 500 ms; stamp 7, k, 01
    "00 00"
)
GOLDEN_LAPSED = bytes.fromhex(
    "01 00 10000000000000000000000000000001 00"
    "01 10 03 0e 01 6b 00"  # 1: flags: expiring and a tombstone; stamp 7, k, nothing
    "00 00"
)


def test_the_bytes_are_those_of_the_protocol(kind: Kind) -> None:
    table = new(kind, A)
    table.tick(10.0)
    table.put(0, b"k", EXPIRING, b"\x01", 7, 500)
    assert frames(kind, table, 4096) == [GOLDEN]
    table.tick(10.5)
    assert frames(kind, table, 4096) == [GOLDEN_LAPSED]
    table.lapse(1)
    assert frames(kind, table, 4096) == [GOLDEN_LAPSED]
    taken = new(kind, B)
    taken.tick(2.0)
    taken.apply(GOLDEN)
    assert taken.expiring() == [(0, b"k", 500)] and taken.due() == 2.5
    other = new(kind, B)
    other.apply(GOLDEN_LAPSED)
    assert other.records() == table.records() and other.due() == math.inf


@pytest.mark.parametrize(
    ("head", "flags", "left"),
    [
        (0x10, 2, b""),  # expires, and no time says when
        (0x20, None, varint(5)),  # a time, and no flag that it expires
        (0x30, 1, varint(5)),  # a tombstone has no time
        (0x30, 3, varint(5)),  # nor has what lapsed
        (0x30, 0x80, varint(5)),
        (0x30, 2, varint(0)),  # lapsed, and not said so
        (0x30, 2, varint(LEFT_MAX + 1)),
        (0x30, 2, varint(2**63 - 1)),
        (0x30, 2, b"\x85\x00"),  # longer than it need be
        (0x70, 2, varint(5)),
        (0x21, None, varint(5)),
    ],
)
def test_a_time_that_makes_no_sense_is_refused(head: int, flags: int | None, left: bytes) -> None:
    table = new(CORE, B)
    before = state(table)
    middle = (b"" if flags is None else bytes([flags])) + left + b"\x0e\x01k\x01\x01"
    with pytest.raises(WireError):
        table.apply(b"\x01\x00" + A + b"\x00\x01" + bytes([head]) + middle + b"\x00\x00")
    with pytest.raises(WireError):
        table.apply_page(b"\x02" + bytes([head]) + b"\x00" + A + b"\x01" + middle)
    assert state(table) == before


def test_the_longest_time_goes_through_and_one_more_does_not(kind: Kind) -> None:
    table, other = new(kind, A), new(kind, B)
    table.put(0, b"k", EXPIRING, b"v", 1, LEFT_MAX)
    other.tick(5.0)
    for part in frames(kind, table, 4096):
        other.apply(part)
    assert other.expiring() == [(0, b"k", LEFT_MAX)]
    assert LEFT_MAX == 10 * 365.25 * 86_400_000


@pytest.mark.parametrize(
    ("flags", "left"),
    [(EXPIRING, 0), (0, 5), (TOMBSTONE, 5), (LAPSED, 5), (0x80, 5), (EXPIRING, LEFT_MAX + 1)],
)
def test_a_local_write_whose_flags_and_time_disagree_is_refused(flags: int, left: int) -> None:
    table = new(CORE, A)
    before = state(table)
    with pytest.raises(ValueError, match="record"):
        table.write(b"k", flags, b"v", 1, left)
    with pytest.raises(ValueError, match="record"):
        table.put(0, b"k", flags, b"v", 1, left)
    assert state(table) == before


def test_a_clock_goes_forward_only_and_within_reason() -> None:
    table = new(CORE, A)
    table.tick(5.0)
    table.write(b"k", EXPIRING, b"v", 1, 100)
    for now in (4.0, 0.0, -1.0, -math.inf):
        table.tick(now)
        assert table.expiring() == [(0, b"k", 100)]
    for now in (1e9, math.inf, math.nan):
        with pytest.raises(ValueError, match="clock"):
            table.tick(now)


@given(st.floats(0, 1e8), st.integers(1, 10**7))
def test_who_waits_until_it_is_due_finds_it_due(now: float, left: int) -> None:
    table = new(CORE, A)
    table.tick(now)
    table.write(b"k", EXPIRING, b"v", 1, left)
    assert abs(table.due() - now - left / 1000) <= 0.002
    table.tick(table.due() - 0.002)
    assert table.value(b"k") == b"v" or left <= 2
    table.tick(table.due())
    assert table.value(b"k") is None and table.lapse(5) == 1


def test_what_is_due_is_not_read_before_it_has_lapsed(kind: Kind) -> None:
    table = new(kind, A)
    table.put(0, b"k", EXPIRING, b"v", 1, 100)
    table.tick(0.099)
    assert table.value(b"k") == b"v" and table.scan(0, b"", 0, 9)[0] != []
    table.tick(0.1)
    assert table.value(b"k") is None and table.scan(0, b"", 0, 9)[0] == []
    assert table.count(0) in (0, 1)
    assert table.lapse(9) == 1
    assert table.count(0) == 0 and table.get(0, b"k") == (1, A, LAPSED, b"")


def test_a_lapse_takes_no_position_and_leaves_the_fingerprint(kind: Kind) -> None:
    table = new(kind, A)
    table.put(0, b"live", 0, b"v", 1)
    table.put(0, b"k", EXPIRING, b"v", 1, 100)
    before = table.fingerprint(), table.sequence, table.counter, table.vector().items()
    table.tick(1.0)
    changes = Changes()
    assert table.lapse(9, changes) == 1 and table.lapses == 1
    assert changes == [(0, b"k", LAPSED, b"", 1, A)]
    assert before == (table.fingerprint(), table.sequence, table.counter, table.vector().items())


@pytest.mark.parametrize("flags", [0, TOMBSTONE, EXPIRING])
def test_a_later_write_ends_the_time_and_an_earlier_one_does_not(kind: Kind, flags: int) -> None:
    for local in (True, False):
        table = new(kind, A)
        table.put(0, b"k", EXPIRING, b"old", 5, 100)
        left = 9000 if flags == EXPIRING else 0
        if local:
            assert not table.put(0, b"k", flags, b"new", 4, left)
            table.put(0, b"k", flags, b"new", 6, left)
        else:
            earlier = record(b"k", 4, B, 1, flags=flags, left=left)
            later = record(b"k", 6, B, 2, flags=flags, value=b"new", left=left)
            table.apply(frame(span(B, 0, 1, (1, earlier))))
            assert table.expiring() == [(0, b"k", 100)]
            table.apply(frame(span(B, 1, 2, (2, later))))
        table.tick(1.0)
        assert table.lapse(9) == 0
        # That its own record is gone for a deletion, its author says once more.
        assert table.get(0, b"k")[3] == (b"new" if local or flags != TOMBSTONE else b"")
        assert table.expiring() == ([(0, b"k", 8000)] if left else [])


def test_what_has_lapsed_stays_so_whoever_sends_it(kind: Kind) -> None:
    held = record(b"k", 5, A, 1, flags=EXPIRING, left=100)
    table = new(kind, C)
    table.apply(frame(span(A, 0, 1, (1, held))))
    table.tick(1.0)
    table.lapse(9)
    before = table.records()
    table.apply_page(bytes(write_page([record(b"k", 5, B, 9, origin=A, flags=2, left=9)]).data))
    assert table.records() == before and table.due() == math.inf
    if kind is CORE:
        assert table.statistics()["violations"] == 0


@pytest.mark.parametrize("where", ["covered", "elsewhere"])
def test_of_two_ends_of_one_record_the_earlier_stays(kind: Kind, where: str) -> None:
    def again(left: int) -> None:
        source, counter = (A, 1) if where == "covered" else (B, 7)
        flags, value = (EXPIRING, b"v") if left else (LAPSED, b"")
        same = record(b"k", 5, source, counter, origin=A, flags=flags, value=value, left=left)
        table.apply_page(bytes(write_page([same]).data))

    table = new(kind, C)
    first = record(b"k", 5, A, 1, flags=EXPIRING, left=100)
    table.apply(frame(span(A, 0, 1, (1, first))))
    again(200)
    assert table.expiring() == [(0, b"k", 100)]
    again(30)
    assert table.expiring() == [(0, b"k", 30)]
    again(0)
    assert table.value(b"k") is None and table.lapse(9) == 1
    if kind is CORE:
        assert table.statistics()["violations"] == 0


def test_other_content_of_one_record_is_a_contradiction_all_the_same() -> None:
    def violations(**second: Any) -> int:
        table = new(CORE, C)
        first = record(b"k", 5, A, 1, flags=EXPIRING, left=100)
        table.apply(frame(span(A, 0, 1, (1, first))))
        other = record(b"k", 5, B, 7, origin=A, **second)
        table.apply_page(bytes(write_page([other]).data))
        count: int = table.statistics()["violations"]
        return count

    assert violations(flags=EXPIRING, left=50) == violations(flags=LAPSED, value=b"") == 0
    assert violations(flags=EXPIRING, left=50, value=b"w") == 1
    assert violations(flags=LAPSED | 4, value=b"") == 1
    assert violations(flags=TOMBSTONE, value=b"") == 1
    assert violations() == 1


def test_a_body_is_shared_only_while_what_it_says_of_time_is_true() -> None:
    table = new(CORE, A)
    links = [link(CORE, table) for _ in range(3)]
    assert all(progress.idle() or table.delta(progress, 4096) is None for progress in links)
    table.write(b"k", EXPIRING, b"v", 1, 100)
    first = table.delta(links[0], 4096)
    assert table.delta(links[1], 4096) is first
    table.tick(0.04)
    later = table.delta(links[2], 4096)
    assert later is not None and later != first
    taken = new(CORE, B)
    taken.apply(later)
    assert taken.expiring() == [(0, b"k", 60)]


def test_a_step_is_bounded_and_the_earliest_go_first() -> None:
    table = new(CORE, A)
    choose = random.Random(5)
    ends = {b"%d" % number: choose.randint(1, 5000) for number in range(3000)}
    for key, left in ends.items():
        table.write(key, EXPIRING, bytes(100), 1, left)
    for key in choose.sample(sorted(ends), 1000):
        ends[key] = choose.randint(1, 5000)
        table.write(key, EXPIRING, b"again", 1, ends[key])
    for key in choose.sample(sorted(ends), 500):
        del ends[key]
        table.write(key, TOMBSTONE, b"", 1)
    table.tick(2.5)
    due, told = sorted(end for end in ends.values() if end <= 2500), []
    while table.due() <= 2.5:
        changes = Changes()
        assert 0 < table.lapse(64, changes) <= 64
        told += [ends[change[1]] for change in changes]
    assert told == due
    assert len(table.expiring()) == len(ends) - len(due)
    table.tick(6.0)
    table.lapse(10_000)
    assert table.due() == math.inf and table.count(DATA) == 0


def test_only_what_expires_pays_for_it_and_the_memory_comes_back() -> None:
    table, other = new(CORE, A), new(CORE, A)
    for number in range(10_000):
        table.write(b"key %d" % number, EXPIRING, bytes(8), 1, 1000)
        other.write(b"key %d" % number, 0, bytes(8), 1)
    plain: int = other.statistics()["memory"]
    with_time: int = table.statistics()["memory"]
    assert 16 * 10_000 <= with_time - plain <= 24 * 10_000 + 256
    table.tick(1.0)
    table.lapse(10_000)
    assert table.statistics()["memory"] <= plain + 256


def test_a_large_value_is_let_go_when_it_lapses() -> None:
    table = new(CORE, A)
    table.write(b"k", EXPIRING, bytes(1 << 20), 1, 10)
    assert table.statistics()["memory"] > 1 << 20
    table.tick(1.0)
    table.lapse(1)
    assert table.statistics()["memory"] < 1 << 16


def test_what_has_lapsed_and_is_covered_is_found_in_steps() -> None:
    table = new(CORE, A, segment_slots=16)
    table.tick(1.0)
    wanted = set()
    for number in range(300):
        key = b"%d" % number
        if number % 3 == 0:
            table.put(number % 5, key, EXPIRING, b"x", 1, 10)
            wanted.add((number % 5, key))
        elif number % 3 == 1:
            table.put(number % 5, key, EXPIRING, b"x", 1, 10_000)
        else:
            table.put(number % 5, key, number % 2, b"", 1)
    # Of what lies above the vector another copy may come.
    table.apply(frame(span(B, 0, 1, (1, record(b"above", 9, C, 7, flags=LAPSED)))))
    table.tick(2.0)
    assert table.lapsed(0, 1 << 20) == ([], None)
    table.lapse(1 << 20)
    found, cursor, steps = [], 0, 0
    while cursor is not None:
        some, cursor = table.lapsed(cursor, 1)
        found += some
        steps += 1
    assert sorted(found) == sorted(wanted) and steps > 4
    assert len(table.records()) == 301
