"""Records bound to the life of their author: hidden, shown again and ended here, and sent as they
are, whatever is known here of their author."""

from __future__ import annotations

import random

import pytest

from vines._core.changes import Changes
from vines._core.table import (
    DATA,
    ENDED,
    EPHEMERAL,
    EXPIRING,
    HIDDEN,
    SHOWN,
    TOMBSTONE,
)

from .forms import write_page
from .kinds import CORE, A, B, C, Kind, frame, frames, new, record, span

ENDS = EPHEMERAL | TOMBSTONE
STAMP_MAX = (1 << 63) - 1
GOLDEN = bytes.fromhex(
    "01 00 10000000000000000000000000000001 00"  # a delta of A, from 0
    "01 10 04 0e 01 6b 01 01"  # 1: flags: ephemeral; stamp 7, k, 01
    "00 00"
)
GOLDEN_ENDED = bytes.fromhex(
    "01 00 10000000000000000000000000000001 00"
    "01 10 05 0e 01 6b 00"  # 1: flags: ephemeral and a tombstone; stamp 7, k, nothing
    "00 00"
)


def taken(kind: Kind, fate: int | None = None, **options: int):
    """A table of B that holds an ephemeral record of A, of whom it heard before."""
    table = new(kind, B, **options)
    if fate is not None:
        table.author(A, fate)
    table.apply(GOLDEN)
    return table


def turn(table, limit: int = 100) -> list:
    """What is told when the table does what it was told of authors."""
    changes = Changes()
    table.lapse(limit, changes)
    return list(changes)


def test_the_bytes_are_those_of_the_protocol_whatever_is_known_of_the_author(kind: Kind) -> None:
    author = new(kind, A)
    author.put(0, b"k", EPHEMERAL, b"\x01", 7)
    assert frames(kind, author, 4096) == [GOLDEN]
    for fate in (None, SHOWN, HIDDEN):
        assert frames(kind, taken(kind, fate), 4096) == [GOLDEN]
    ended = taken(kind, SHOWN)
    ended.author(A, ENDED)
    ended.lapse(9)
    assert frames(kind, ended, 4096) == [GOLDEN_ENDED]
    other = new(kind, C)
    other.apply(GOLDEN_ENDED)
    assert other.records() == ended.records()


def test_it_is_shown_while_its_author_is_alive_and_hidden_while_it_is_not(kind: Kind) -> None:
    table = taken(kind)
    gone, back = (0, b"k", ENDS, b"", 7, A), (0, b"k", EPHEMERAL, b"\x01", 7, A)
    assert table.value(b"k") is None and table.scan(0, b"", 0, 9)[0] == []
    for fate, told in [
        (SHOWN, [back]),
        (SHOWN, []),
        (HIDDEN, [gone]),
        (HIDDEN, []),
        (SHOWN, [back]),
    ]:
        table.author(A, fate)
        assert turn(table) == told
        assert turn(table) == []
        assert table.value(b"k") == (b"\x01" if fate == SHOWN else None)
        assert table.scan(0, b"", 0, 9)[0] == ([back] if fate == SHOWN else [])
        assert table.hidden() == ([] if fate == SHOWN else [(0, b"k")])
        assert table.get(0, b"k") == (7, A, EPHEMERAL, b"\x01")


def test_what_ended_does_not_come_back(kind: Kind) -> None:
    for before in (SHOWN, HIDDEN):
        table = taken(kind, before)
        table.author(A, ENDED)
        assert turn(table) == ([(0, b"k", ENDS, b"", 7, A)] if before == SHOWN else [])
        assert table.get(0, b"k") == (7, A, ENDS, b"")
        table.author(A, SHOWN)
        assert turn(table) == []
        again = record(b"k", 7, C, 9, origin=A, flags=EPHEMERAL, value=b"\x01")
        table.apply_page(bytes(write_page([again]).data))
        assert table.value(b"k") is None
        if kind is CORE:
            assert table.statistics()["violations"] == 0


def test_what_comes_after_its_author_ended_ends_at_once(kind: Kind) -> None:
    table = taken(kind, SHOWN)
    table.author(A, ENDED)
    table.lapse(9)
    later = record(b"other", 9, A, 2, flags=EPHEMERAL, value=b"v")
    table.apply(frame(span(A, 1, 2, (2, later))))
    assert table.value(b"other") is None and table.due() == 0
    assert turn(table) == []
    assert table.get(0, b"other") == (9, A, ENDS, b"")


def test_nothing_of_it_is_a_write_or_in_the_fingerprint(kind: Kind) -> None:
    table = new(kind, B)
    table.put(0, b"live", 0, b"v", 1)
    before = table.fingerprint()[24:]
    table.apply(GOLDEN)
    assert table.fingerprint()[24:] == before
    held = table.fingerprint(), table.sequence, table.counter, table.vector().items()
    for fate in (SHOWN, HIDDEN, SHOWN, ENDED):
        table.author(A, fate)
        table.lapse(9)
        assert held == (table.fingerprint(), table.sequence, table.counter, table.vector().items())


def test_ones_own_are_shown_whatever_others_say(kind: Kind) -> None:
    table = new(kind, A)
    for fate in (HIDDEN, ENDED):
        table.author(A, fate)
        table.put(0, b"k", EPHEMERAL, b"v", fate)
        assert turn(table) == [] and table.value(b"k") == b"v"


@pytest.mark.parametrize("flags", [0, TOMBSTONE, EPHEMERAL])
def test_a_later_write_of_another_decides_anew(kind: Kind, flags: int) -> None:
    table = taken(kind, SHOWN)
    value = b"" if flags == TOMBSTONE else b"w"
    table.write(b"k", flags, value, 1)
    table.author(A, HIDDEN)
    assert turn(table) == [] and table.value(b"k") == (value or None)
    table.author(A, ENDED)
    assert turn(table) == [] and table.value(b"k") == (value or None)


def test_of_a_hidden_record_that_comes_it_is_told_only_what_it_replaced(kind: Kind) -> None:
    for seen in (True, False):
        table = new(kind, B)
        if seen:
            table.put(0, b"k", 0, b"old", 1)
        changes = Changes()
        table.apply(GOLDEN, 0, None, 0, changes)
        assert list(changes) == ([(0, b"k", ENDS, b"", 7, A)] if seen else [])
        assert table.value(b"k") is None
        table = new(kind, B)
        if seen:
            table.put(0, b"k", 0, b"old", 1)
        changes = Changes()
        table.apply(GOLDEN_ENDED, 0, None, 0, changes)
        assert list(changes) == ([(0, b"k", ENDS, b"", 7, A)] if seen else [])


def test_it_may_have_a_time_to_live_as_well(kind: Kind) -> None:
    def table_of(fate: int):
        table = new(kind, B)
        table.author(A, fate)
        item = record(b"k", 7, A, 1, flags=EPHEMERAL | EXPIRING, value=b"v", left=100)
        table.apply(frame(span(A, 0, 1, (1, item))))
        return table

    for fate in (SHOWN, HIDDEN):
        table = table_of(fate)
        assert table.expiring() == [(0, b"k", 100)]
        table.tick(0.1)
        told = [(0, b"k", ENDS | EXPIRING, b"", 7, A)]
        assert turn(table) == (told if fate == SHOWN else [])
        assert table.expiring() == [] and table.hidden() == []
        table.author(A, SHOWN)
        assert turn(table) == []
    table = table_of(SHOWN)
    table.author(A, ENDED)
    assert turn(table) == told and table.expiring() == []


def test_a_fresh_source_takes_over_what_the_earlier_one_had(kind: Kind) -> None:
    table = new(kind, A)
    table.tick(1.0)
    table.put(0, b"k", EPHEMERAL, b"v", 7)
    table.put(0, b"timed", EPHEMERAL | EXPIRING, b"v", 8, 500)
    table.put(0, b"plain", 0, b"v", 9)
    table.tick(1.2)
    table.adopt(C)
    table.inherit(A)
    table.inherit(B)
    assert [table.take_over(9), table.take_over(9)] == [2, 0]
    assert table.covered(C) == 2 and table.expiring() == [(0, b"timed", 300)]
    assert {r[1]: r[3] for r in table.records()} == {b"k": C, b"plain": A, b"timed": C}
    other = new(kind, B)
    other.author(C, SHOWN)
    for part in frames(kind, table, 4096):
        other.apply(part)
    assert (other.value(b"k"), other.value(b"timed")) == (b"v", b"v")


@pytest.mark.parametrize("fate", [None, HIDDEN, ENDED])
def test_what_is_inherited_is_written_anew_in_steps_whatever_others_say_of_it(
    fate: int | None,
) -> None:
    table, changes = new(CORE, A), Changes()
    for number in range(5):
        table.write(b"%d" % number, EPHEMERAL, b"v", 1)
    table.write(b"plain", 0, b"v", 1)
    with pytest.raises(ValueError, match="own"):
        table.inherit(A)
    table.adopt(C)
    table.inherit(A)
    table.inherit(A)
    if fate is not None:
        table.author(A, fate)
    for step, left in (2, 3), (2, 1), (2, 0), (2, 0):
        assert table.due() == (0 if len(changes) < 5 else float("inf")) and turn(table) == []
        assert len(table.scan(DATA, b"", 0, 99)[0]) == 6
        table.take_over(step, changes)
        assert sum(record[3] == A for record in table.records()) == left + 1
    held = [record for record in table.records() if record[1] != b"plain"]
    assert sorted(changes) == [(0, key, EPHEMERAL, b"v", s, C) for _, key, s, *_ in held]
    assert sorted(record[5] for record in held) == [1, 2, 3, 4, 5]
    other = new(CORE, B)
    other.author(C, SHOWN)
    for part in frames(CORE, table, 4096):
        other.apply(part)
    assert len(other.scan(DATA, b"", 0, 99)[0]) == 6


def test_a_stamp_from_the_future_does_not_move_the_clock_when_it_is_written_anew() -> None:
    table = new(CORE, A)
    table.write(b"k", EPHEMERAL, b"v", 1)
    table.put(0, b"k", EPHEMERAL, b"v", 1 << 60)
    clock = table.clock
    table.adopt(C)
    table.inherit(A)
    assert table.take_over(1) == 1 and table.due() > 0
    assert table.get(0, b"k")[0] == (1 << 60) + 1 and table.clock == clock + 1


def test_what_no_stamp_is_above_ends_where_it_would_be_written_anew() -> None:
    table, changes = new(CORE, A), Changes()
    table.put(0, b"k", EPHEMERAL, b"v", STAMP_MAX)
    table.put(0, b"l", EPHEMERAL, b"v", STAMP_MAX - 1)
    clock = table.clock
    table.adopt(C)
    table.inherit(A)
    assert table.take_over(9, changes) == 2 and table.due() > 0
    assert sorted(changes) == [
        (0, b"k", ENDS, b"", STAMP_MAX, A),
        (0, b"l", EPHEMERAL, b"v", STAMP_MAX, C),
    ]
    assert table.value(b"k") is None and table.value(b"l") == b"v" and table.clock == clock + 1
    table.write(b"m", 0, b"v", 5)


def test_current_says_what_is_seen_now() -> None:
    table, changes = new(CORE, B), Changes()
    table.author(A, SHOWN)
    table.apply(GOLDEN, 0, None, 0, changes)
    shown = list(changes)
    table.author(A, HIDDEN)
    table.lapse(9, changes)
    hidden = list(changes)[1:]
    assert table.current(changes, 0, 2) == hidden
    table.author(A, SHOWN)
    table.lapse(9, changes)
    assert table.current(changes, 0, 3) == shown + shown
    table.author(A, ENDED)
    table.lapse(9, changes)
    assert table.current(changes, 0, 4) == hidden + hidden


@pytest.mark.parametrize("fate", [0, 4, 255])
def test_an_author_is_one_of_three(fate: int) -> None:
    table = new(CORE, B)
    with pytest.raises(ValueError, match="author"):
        table.author(A, fate)
    with pytest.raises(ValueError, match="16"):
        table.author(b"short", SHOWN)


def test_a_step_is_bounded_and_a_change_of_mind_in_the_middle_is_told_right() -> None:
    author, table = new(CORE, A), new(CORE, B)
    table.author(A, SHOWN)
    for number in range(1000):
        author.write(b"%d" % number, EPHEMERAL, b"v", 1)
    for part in frames(CORE, author, 1 << 16):
        table.apply(part)
    choose, shown = random.Random(3), {b"%d" % number for number in range(1000)}
    for _ in range(60):
        table.author(A, choose.choice([SHOWN, HIDDEN]))
        for _, key, flags, *_ in turn(table, choose.choice([0, 1, 64, 600])):
            assert (key in shown) == bool(flags & TOMBSTONE)
            shown ^= {key}
        assert {key for _, key, *_ in table.scan(DATA, b"", 0, 5000)[0]} == shown
        if choose.random() < 0.3:
            key = b"%d" % choose.randrange(1000)
            table.write(key, choose.choice([0, TOMBSTONE]), b"", 1)
            shown.discard(key)
            table.write(key, EPHEMERAL, b"mine", 1)
            shown.add(key)
    table.author(A, ENDED)
    while table.due() == 0:
        assert 0 < table.lapse(64) <= 64
    assert all(value == b"mine" for *_, value in table.records() if value)


def test_sources_and_places_do_not_mix(kind: Kind) -> None:
    """Records of many authors come, go and are replaced in any order; each follows its own."""
    choose = random.Random(7)
    authors = [bytes([first]) * 16 for first in range(20, 60)]
    table = new(kind, B)
    fates = dict.fromkeys(authors, HIDDEN)
    held: dict[bytes, bytes] = {}
    for stamp in range(1, 1500):
        source = choose.choice(authors)
        if choose.random() < 0.2:
            fates[source] = choose.choice([SHOWN, HIDDEN])
            table.author(source, fates[source])
            table.lapse(1000)
            continue
        key = b"%d" % choose.randrange(90)
        flags = choose.choice([EPHEMERAL, EPHEMERAL, 0, TOMBSTONE])
        counter = table.covered(source) + 1
        item = record(key, stamp, source, counter, flags=flags, value=b"v")
        table.apply(frame(span(source, counter - 1, counter, (counter, item))))
        held.pop(key, None)
        if flags == EPHEMERAL:
            held[key] = source
    expected = [(0, key) for key, source in held.items() if fates[source] == HIDDEN]
    assert table.hidden() == sorted(expected) and len(expected) > 9
    if kind is CORE:
        assert table.statistics()["ephemeral"] == len(held)


def test_only_what_is_ephemeral_pays_for_it_and_the_memory_comes_back() -> None:
    table, other = new(CORE, A), new(CORE, A)
    for number in range(10_000):
        table.write(b"key %d" % number, EPHEMERAL, bytes(8), 1)
        other.write(b"key %d" % number, 0, bytes(8), 1)
    plain: int = other.statistics()["memory"]
    bound: int = table.statistics()["memory"]
    assert 16 * 10_000 <= bound - plain <= 24 * 10_000 + 256
    for number in range(10_000):
        table.write(b"key %d" % number, 0, bytes(8), 1)
    entries = table.statistics()["entries"] - other.statistics()["entries"]
    assert table.statistics()["memory"] <= plain + 20 * entries + 1024


def test_a_peer_that_joins_below_a_floor_gets_them_too(kind: Kind) -> None:
    author = new(kind, A)
    author.put(0, b"k", EPHEMERAL, b"\x01", 7)
    body, cursor = author.page(0, 4096)
    assert cursor is None
    table = new(kind, B)
    table.author(A, SHOWN)
    table.apply_page(body)
    table.finish_join(author.floor_pages(4096))
    assert table.value(b"k") == b"\x01"
    assert table.covered(A) == 1
