"""Fingerprints kept incrementally equal those computed from nothing, and the pages of a vector fit
their budget."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.digest import FINGERPRINT_BYTES, pull_page, same_state, same_vector, vector_pages
from vines.errors import WireError

from . import strategies
from .fingerprint import PRIME
from .forms import EXPIRING, FIRST, LAST, TOMBSTONE, Range, write_floors, write_page, write_vector
from .kinds import CORE, A, B, C, D, frame, new, record, span
from .model import Table
from .reading import read_vector
from .siphash import siphash13
from .world import FINGERPRINT_KEY, INDEX_KEY

STEP = st.one_of(strategies.puts, strategies.deltas())


@given(st.lists(STEP, max_size=8))
def test_fingerprints_are_kept_as_the_oracle_computes_them(steps: list[Any]) -> None:
    table, oracle = new(CORE, A), Table(A, FINGERPRINT_KEY, INDEX_KEY)
    for step in steps:
        for each in (table, oracle):
            if isinstance(step, tuple):
                each.put(*step[1:])
            else:
                each.apply(frame(*step))
        # Some of these ranges leave out a position that is a record's own.
        table.recount(1 << 20)
        assert table.fingerprint() == oracle.fingerprint()


def words(fingerprint: bytes) -> list[int]:
    assert len(fingerprint) == FINGERPRINT_BYTES == 32
    return [int.from_bytes(fingerprint[i : i + 8], "little") for i in range(0, 32, 8)]


def test_the_roster_and_the_lanes_of_one_source() -> None:
    table = new(CORE, C)
    table.apply(frame(span(A, 0, 5)))
    lanes = [siphash13(FINGERPRINT_KEY, A + mark) % PRIME for mark in (b"\x01", b"\x02")]
    expected = [siphash13(FINGERPRINT_KEY, A), *(5 * lane % PRIME for lane in lanes), 0]
    assert words(table.fingerprint()) == expected


def test_lanes_stay_below_the_prime_with_the_highest_counters() -> None:
    table, oracle = new(CORE, C), Table(C, FINGERPRINT_KEY, INDEX_KEY)
    for number in range(64):
        part = frame(span(bytes([number]) * 16, 0, 2**48 - 1))
        table.apply(part)
        oracle.apply(part)
        assert table.fingerprint() == oracle.fingerprint()
        assert all(lane < PRIME for lane in words(table.fingerprint())[1:3])


def test_tombstones_and_what_expires_or_is_owned_are_not_in_the_state() -> None:
    table = new(CORE, A)
    for stamp, flags in enumerate([1, 2, 4, 3, 7, 0x81]):
        table.put(0, b"k", flags, b"v", stamp, 1000 if flags & 3 == 2 else 0)
        assert words(table.fingerprint())[3] == 0
    table.put(0, b"k", 0x80, b"v", 10)
    assert words(table.fingerprint())[3] != 0
    table.put(0, b"k", 1, b"", 11)
    assert words(table.fingerprint())[3] == 0


@pytest.mark.parametrize("flags", [1, 2, 3, 4, 6])
def test_strays_that_the_state_leaves_out_else_are_counted_until_they_are_covered(
    flags: int,
) -> None:
    """A held what B wrote last, as it came in the place of what it overwrote; C did not."""
    table, twin, other = new(CORE, A), new(CORE, A), new(CORE, C)
    left = 1000 if flags & 3 == 2 else 0
    old = record(b"k", 1, B, 1, flags=1)
    last = record(b"k", 2, B, 2, flags=flags, left=left, value=b"" if flags & 1 else b"v")
    ahead, behind = frame(span(B, 0, 1, (1, last))), frame(span(B, 0, 1, (1, old)))
    for each in (table, twin):
        each.apply(ahead)
    other.apply(behind)
    assert same_vector(table.fingerprint(), other.fingerprint())
    assert not same_state(table.fingerprint(), other.fingerprint())
    assert table.fingerprint() == twin.fingerprint()
    state = words(table.fingerprint())[3]
    assert state == 2 * (siphash13(FINGERPRINT_KEY, B + b"\x01") % PRIME | 1) % 2**64
    table.tick(5.0)
    table.lapse(10)
    assert words(table.fingerprint())[3] == state
    table.recount(1 << 20)
    assert words(table.fingerprint())[3] == state
    table.apply(frame(span(B, 1, 2, (2, last))))
    assert words(table.fingerprint())[3] == 0
    twin.finish_join(table.floor_pages(1000))
    assert words(twin.fingerprint())[3] == 0


def test_strays_that_change_while_they_are_counted_anew_are_counted_once() -> None:
    """A pass of many steps comes by the same as was kept step by step, whatever happens in between:
    records that are new, that move, end, go or are covered, before the pass and behind it."""
    choose = random.Random(5)
    table = new(CORE, A)
    stamps = itertools.count(1)

    def write(number: int, own: int | None = None) -> None:
        flags = choose.choice([0, TOMBSTONE, TOMBSTONE, EXPIRING])
        source, left = choose.choice([B, C, D]), 5000 if flags == EXPIRING else 0
        made = record(
            *(b"%05d" % number, next(stamps), source, own or choose.randrange(1, 1 << 20)),
            flags=flags,
            value=b"" if flags == TOMBSTONE else b"v",
            left=left,
        )
        table.apply_page(bytes(write_page([made]).data))

    for number in range(20_000):
        write(number)
    kept, passes = table.fingerprint(), 0
    while passes < 5:
        for _ in range(choose.choice([0, 1, 50, 2000])):
            write(choose.randrange(25_000))
        table.tick(next(stamps) / 5000)
        table.lapse(choose.randrange(100))
        if choose.random() < 0.1:
            for key in range(choose.randrange(25_000), 25_000, 97):
                table.collect(0, b"%05d" % key)
        kept = table.fingerprint()
        passes += not table.recount(1)
        assert table.fingerprint() == kept
    table.finish_join([bytes(write_floors([(B, 1 << 19, 0), (C, 1 << 21, 0)]).data)])
    assert table.recounting
    steps = 1
    while table.recount(1):
        steps += 1
        write(choose.randrange(25_000), choose.randrange(1 << 20, 1 << 21))
    kept = table.fingerprint()
    assert steps > 4
    while table.recount(1 << 30):
        pass
    assert table.fingerprint() == kept


def test_strays_above_a_join_stay_counted() -> None:
    table, server = new(CORE, A), new(CORE, C)
    strays = [record(bytes([at]), at, B, at, flags=1, value=b"") for at in (2, 3)]
    table.apply_page(bytes(write_page(strays).data))
    server.apply(frame(span(B, 0, 2)))
    table.finish_join(server.floor_pages(1000))
    assert table.recounting and not table.recount(1) and not table.recounting
    lane = siphash13(FINGERPRINT_KEY, B + b"\x01") % PRIME | 1
    assert words(table.fingerprint())[3] == 3 * lane % 2**64


def test_the_state_does_not_depend_on_positions() -> None:
    tables = [new(CORE, C) for _ in range(2)]
    written = record(b"k", 1, A, 1)
    tables[0].apply(frame(span(A, 0, 1, (1, written))))
    tables[1].apply(frame(span(B, 0, 9, (9, written._replace(source=B, counter=9)))))
    first, second = (table.fingerprint() for table in tables)
    assert same_state(first, second) and not same_vector(first, second)


@pytest.mark.parametrize(
    "change", ["family", "key", "stamp", "origin", "flags", "value", "key and value swap a byte"]
)
def test_the_state_depends_on_all_of_a_record(change: str) -> None:
    base = record(b"k", 1, A, 1, value=b"v")
    other = {
        "family": base._replace(family=1),
        "key": base._replace(key=b"l"),
        "stamp": base._replace(stamp=2),
        "origin": base._replace(origin=B),
        "flags": base._replace(flags=8),
        "value": base._replace(value=b"w"),
        "key and value swap a byte": base._replace(key=b"kv", value=b""),
    }[change]
    prints = []
    for each in (base, other):
        table = new(CORE, C)
        table.apply(frame(span(A, 0, 1, (1, each))))
        prints.append(table.fingerprint())
    assert same_vector(*prints) and not same_state(*prints)


def test_another_cluster_has_other_fingerprints() -> None:
    prints = []
    for key in (bytes(16), FINGERPRINT_KEY):
        table = CORE.table(A, key, INDEX_KEY)
        table.put(0, b"k", 0, b"v", 1)
        prints.append(table.fingerprint())
    assert not same_vector(*prints) and not same_state(*prints)


def test_the_index_key_changes_nothing_anybody_sees() -> None:
    tables = [CORE.table(A, FINGERPRINT_KEY, key) for key in (bytes(16), INDEX_KEY)]
    for table in tables:
        for number in range(200):
            table.put(0, b"%d" % (number % 70), 0, b"v", number)
    first, second = tables
    assert first.fingerprint() == second.fingerprint() and first.records() == second.records()
    empty = new(CORE, B).vector()
    assert first.delta_for(empty, 1 << 20) == second.delta_for(empty, 1 << 20)


@pytest.mark.parametrize("same", [same_vector, same_state])
def test_fingerprints_are_compared_part_by_part(same: Any) -> None:
    mine = bytes(range(32))
    part = range(24) if same is same_vector else range(24, 32)
    assert same(mine, mine) and same(mine, b"xyz" + mine + b"more", 3)
    for at in range(32):
        theirs = mine[:at] + bytes([mine[at] ^ 0x80]) + mine[at + 1 :]
        assert same(mine, theirs) == (at not in part)
        assert same(mine, b"xyz" + theirs, 3) == (at not in part)


@pytest.mark.parametrize("same", [same_vector, same_state])
def test_a_short_fingerprint_is_refused(same: Any) -> None:
    for size in range(32):
        with pytest.raises(WireError):
            same(bytes(32), bytes(size))
        with pytest.raises(WireError):
            same(bytes(32), bytes(40), 9 + size)
    for offset in (-1, 2**62):
        with pytest.raises((WireError, ValueError, OverflowError)):
            same(bytes(32), bytes(32), offset)


@given(st.lists(strategies.deltas(), max_size=3), st.integers(1, 200))
def test_vector_pages_fit_their_budget_and_make_the_vector(
    several: list[list[Range]], budget: int
) -> None:
    table = new(CORE, B)
    for ranges in several:
        table.apply(frame(*ranges))
    pages = vector_pages(table, budget)
    read = [read_vector(page) for page in pages]
    marks = [mark for mark, _ in read]
    assert len(pages) >= 1
    assert [mark & FIRST for mark in marks] == [FIRST] + [0] * (len(pages) - 1)
    assert [mark & LAST for mark in marks] == [0] * (len(pages) - 1) + [LAST]
    assert all(len(page) <= max(budget, 64) for page in pages)
    items = [item for _, part in read for item in part]
    assert {s: c for s, c in items if c} == {s: c for s, c in table.vector().items() if c}
    assert len(dict(items)) == len(items)
    progress = CORE.progress(table)
    assert [progress.read_page(page) for page in pages] == [False] * (len(pages) - 1) + [True]
    assert all(progress.known_of(source) == counter for source, counter in items)


def test_a_pull_page_lists_what_is_held_of_the_refused() -> None:
    wanted = [(A, 0), (B, 2**48 - 1)]
    assert pull_page(wanted) == bytes(write_vector(wanted).data)
    table = new(CORE, A)
    table.put(0, b"k", 0, b"v", 1)
    progress = CORE.progress(table)
    progress.assume_equal()
    progress.rewind(pull_page([(A, 0)]))
    assert progress.known_of(A) == 0 and table.delta(progress, 100) is not None
