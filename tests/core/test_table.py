"""The table against its oracle: what merging does, what a delta says, and what each method
promises."""

from __future__ import annotations

import itertools
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.changes import Changes
from vines._core.vector import VersionVector

from . import strategies
from .forms import Range
from .kinds import CORE, A, B, C, Kind, frame, frames, link, new, record, span
from .model import Table
from .world import FINGERPRINT_KEY, INDEX_KEY

Put = tuple[int, int, bytes, int, bytes, int, int]


def written(puts: list[Put], **options: int) -> list[Any]:
    """Three compiled tables that wrote these, each alone."""
    tables = [new(CORE, source, **options) for source in (A, B, C)]
    for at, *what in puts:
        tables[at].put(*what)
    return tables


def merged(parts: list[bytes]) -> Any:
    """A fresh table that merged these deltas in this order."""
    table = new(CORE, b"\x55" * 16)
    for part in parts:
        table.apply(part)
    return table


def same(left: Any, right: Any) -> bool:
    """Whether two tables are equal in everything that is replicated."""
    vectors = [{s: c for s, c in table.vector().items() if c} for table in (left, right)]
    return (left.records(), vectors[0], left.fingerprint()) == (
        right.records(),
        vectors[1],
        right.fingerprint(),
    )


# Merging.


@given(st.lists(strategies.puts, max_size=12))
def test_merge_is_commutative_associative_and_idempotent(puts: list[Put]) -> None:
    parts = [part for table in written(puts) for part in frames(CORE, table, 1 << 20)]
    results = [merged(list(order)) for order in itertools.permutations(parts)]
    results += [merged(parts + parts), merged([*parts[:1], *parts, *parts[::-1]])]
    assert all(same(result, results[0]) for result in results)


@given(st.lists(strategies.puts, max_size=12), st.integers(1, 300), st.permutations(range(6)))
def test_merge_through_others_and_in_any_cut_is_the_merge_of_all(
    puts: list[Put], budget: int, order: list[int]
) -> None:
    tables = written(puts)
    for table in tables:
        # As if all had seen it: its author says nothing anew then.
        unseen = VersionVector()
        unseen.raise_to(bytes(16), 1)
        table.collect_stable(table.vector(), unseen, 0, 0, 1)
    expected = merged([part for table in tables for part in frames(CORE, table, 1 << 20)])
    pairs = list(itertools.permutations(tables, 2))
    for giver, taker in [pairs[i] for i in order] * 2:
        for part in frames(CORE, giver, budget, *taker.vector().items()):
            assert taker.apply(part) == []
    assert all(same(table, expected) for table in tables)


@given(st.lists(strategies.deltas(), min_size=1, max_size=3), st.integers(0, 2**63 - 1))
def test_any_well_formed_delta_is_merged_as_the_rules_say(
    several: list[list[Range]], limit: int
) -> None:
    own = strategies.SOURCES[4]
    table, oracle = new(CORE, own), Table(own, FINGERPRINT_KEY, INDEX_KEY)
    for each in (table, oracle):
        each.put(0, b"a", 0, b"own", 3)
        each.put(0, b"b", 1, b"", 3)
    for ranges in several:
        data = frame(*ranges)
        changes = Changes()
        expected: list[Any] = []
        assert table.apply(data, 0, None, limit, changes) == oracle.apply(
            data, 0, None, limit, expected
        )
        assert changes == expected
        # Some of these ranges leave out a position that is a record's own.
        table.recount(1 << 20)
        assert same(table, oracle)
        assert (table.overtaken, len(table)) == (oracle.overtaken, len(oracle))
        for source in strategies.SOURCES:
            assert table.entries(source) == oracle.entries(source)


# Reading.


def test_an_empty_table(kind: Kind) -> None:
    table = new(kind, A)
    assert (len(table), table.counter, table.clock, table.ahead, table.overtaken) == (0,) * 4 + (
        False,
    )
    assert table.get(0, b"k") is None and table.value(b"k") is None
    assert table.records() == [] and table.entries(A) == [] and table.count(0) == 0
    assert table.scan(0, b"", 0, 10) == ([], None)
    assert table.fingerprint() == bytes(32)
    assert table.covered(A) == table.covered(B) == table.floor(A) == 0
    assert table.delta_for(new(kind, B).vector(), 100) is None


def test_a_tombstone_is_a_record_without_a_live_value(kind: Kind) -> None:
    table = new(kind, A)
    table.put(0, b"k", 0, b"v", 1)
    table.put(0, b"k", 1, b"", 2)
    assert table.value(b"k") is None and table.get(0, b"k") == (2, A, 1, b"")
    assert len(table) == 1 and table.count(0) == 0
    assert table.scan(0, b"", 0, 10)[0] == []
    table.put(0, b"k", 0, b"again", 3)
    assert table.value(b"k") == b"again" and table.count(0) == 1


@pytest.mark.parametrize("flags", [2, 4, 0x80])
def test_records_that_expire_or_are_strange_are_live(kind: Kind, flags: int) -> None:
    table = new(kind, A)
    table.put(0, b"k", flags, b"v", 1, 1000 if flags == 2 else 0)
    assert table.value(b"k") == b"v" and table.count(0) == 1
    assert table.scan(0, b"", 0, 10) == ([(0, b"k", flags, b"v", 1, A)], None)


@pytest.mark.parametrize(
    ("value", "good"),
    [(b"\xc0", True), (b"\x93\x01\x02\x03", True), (b"\xc1", False), (b"", False)],
)
def test_an_ill_formed_value_is_stored_flagged_and_forwarded(value: bytes, good: bool) -> None:
    """No verdict on a record may depend on what this version thinks of its value: rule 6."""
    table, other = new(CORE, B), new(CORE, C)
    sent = frame(span(A, 0, 1, (1, record(b"k", 1, A, 1, value=value))))
    for each in (table, other):
        assert each.apply(sent) == []
        assert each.well_formed(0, b"k") == good and each.get(0, b"k") == (1, A, 0, value)
        sent = each.delta_for(new(CORE, A).vector(), 4096)
    table.put(0, b"k", 0, value, 2)
    assert table.well_formed(0, b"k")


def test_changes_tell_what_became_current_and_nothing_else(kind: Kind) -> None:
    table = new(kind, C)
    table.put(0, b"k", 0, b"mine", 5)
    changes = Changes()
    table.apply(
        frame(
            span(A, 0, 1, (1, record(b"k", 4, A, 1))),
            span(B, 0, 3, (1, record(b"k", 6, B, 1)), (2, record(b"l", 1, B, 2, flags=1))),
        ),
        0,
        None,
        0,
        changes,
    )
    assert changes == [(0, b"k", 0, b"v", 6, B), (0, b"l", 1, b"v", 1, B)]


def test_an_entry_that_repeats_a_skipped_record_is_logged_only_if_its_key_was_held(
    kind: Kind,
) -> None:
    """What a record came to is settled where it stands whole. Only two records of one key in one
    delta can tell, and no honest table sends those: every entry carries its key's current
    record."""
    table = new(kind, C)
    table.apply(frame(span(A, 0, 1)))
    skipped, merged = record(b"k", 1, A, 1), record(b"k", 2, B, 1)
    table.apply(frame(span(A, 0, 1, (1, skipped)), span(B, 0, 2, (1, merged), (2, skipped))))
    assert table.records() == [tuple(merged)] and table.covered(B) == 2
    assert table.entries(B) == [(1, 0, b"k")]
    table.apply(frame(span(A, 0, 1, (1, skipped)), span(B, 2, 3, (3, skipped))))
    assert table.entries(B) == [(1, 0, b"k"), (3, 0, b"k")]


def scanned(table: Any, prefix: bytes, limit: int, between: Any = lambda: None) -> list[bytes]:
    """The keys of a whole scan, with something happening between its steps."""
    keys: list[bytes] = []
    cursor: int | None = 0
    while cursor is not None:
        changes, cursor = table.scan(0, prefix, cursor, limit)
        keys += [change[1] for change in changes]
        between()
    return keys


@pytest.mark.parametrize("limit", [1, 3, 64, 10_000])
def test_a_scan_is_complete_and_finds_each_key_once(kind: Kind, limit: int) -> None:
    table = new(kind, A)
    wanted = [b"p/%d" % n for n in range(100)]
    for n, key in enumerate(wanted):
        table.put(0, key, 0, b"v", 1)
        table.put(0, b"q/%d" % n, 0, b"v", 1)
        table.put(0, b"p/gone%d" % n, 1, b"", 1)
        table.put(1, b"p/%d" % n, 0, b"member", 1)
    assert sorted(scanned(table, b"p/", limit)) == sorted(wanted)
    assert len(scanned(table, b"", limit)) == 200


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_a_scan_is_complete_while_the_table_grows_and_changes(kind: Kind, limit: int) -> None:
    """What is there all the while appears exactly once, however often the index is rebuilt
    meanwhile."""
    table = new(kind, A)
    untouched = [b"u%d" % n for n in range(150)]
    for key in untouched:
        table.put(0, key, 0, b"v", 1)
        table.put(0, b"t" + key, 0, b"v", 1)
    numbers = iter(range(2, 400))

    def disturb() -> None:
        for number in itertools.islice(numbers, 5):
            table.put(0, b"n%d" % number, 0, b"v", 1)
            table.put(0, b"tu%d" % (number % 150), number % 2, b"w" * number, number)

    keys = scanned(table, b"u", limit, disturb)
    assert sorted(keys) == sorted(untouched)


def test_a_scan_that_finds_nothing_still_comes_up_for_air() -> None:
    """One call holds the interpreter: it must end after some number of records, found or passed."""
    table = new(CORE, A)
    for number in range(30_000):
        table.put(0, b"%d" % number, 0, b"", 1)
    found, cursor = table.scan(0, b"no such prefix", 0, 10)
    assert found == [] and cursor is not None
    assert scanned(table, b"no such prefix", 10) == []


def test_a_scan_passes_quickly_over_what_it_does_not_look_for() -> None:
    """Who listens to a few keys of a large table is not told of them page by empty page."""
    table = new(CORE, A)
    for number in range(30_000):
        table.put(0, b"%d" % number, 0, b"", 1)
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    assert scanned(table, b"no such prefix", 256, step) == []
    assert steps <= 8
    assert scanned(table, b"k" * 2000, 1) == []


@pytest.mark.parametrize("budget", [1, 200, 5000])
def test_pages_are_complete_while_the_table_grows_and_changes(kind: Kind, budget: int) -> None:
    table, other = new(kind, A), new(kind, B)
    for n in range(150):
        table.put(n % 3, b"u%d" % n, n % 2, b"v", 1)
    before = table.records()
    cursor: int | None = 0
    while cursor is not None:
        data, cursor = table.page(cursor, budget)
        assert len(data) <= max(budget, 100)
        other.apply_page(data)
        for _ in range(3 if table.counter < 400 else 0):
            table.put(0, b"n%d" % table.counter, 0, b"v", 1)
    held = other.records()
    assert all(each in held for each in before)
    assert other.covered(A) == 0 and other.entries(A) == []


# Misuse, and what must not depend on order or threads.


@pytest.mark.parametrize("size", [0, 15, 17])
def test_ids_and_keys_have_sixteen_bytes(size: int) -> None:
    good = bytes(16)
    for at in range(3):
        arguments = [bytes(size) if i == at else good for i in range(3)]
        with pytest.raises(ValueError, match="16"):
            CORE.table(*arguments)
    table = new(CORE, A)
    for call in (
        table.adopt,
        table.covered,
        table.floor,
        table.entries,
        CORE.progress(table).known_of,
    ):
        with pytest.raises(ValueError, match="16"):
            call(bytes(size))


@pytest.mark.parametrize("wrong", [None, "text", 5, bytearray(b"\x01"), [b"\x01"]])
def test_bytes_are_wanted_where_bytes_are_meant(wrong: Any) -> None:
    table = new(CORE, A)
    progress = CORE.progress(table)
    calls: list[Any] = [
        table.apply,
        table.apply_page,
        progress.read_page,
        progress.rewind,
        table.value,
    ]
    calls += [lambda x: table.get(0, x), lambda x: table.put(0, x, 0, b"v", 1)]
    calls += [lambda x: table.put(0, b"k", 0, x, 1), lambda x: table.scan(0, x, 0, 1)]
    calls += [lambda x: table.finish_join([x]), lambda x: table.write(b"k", 0, x, 1)]
    for call in calls:
        with pytest.raises(TypeError):
            call(wrong)
    assert len(table) == 0


def test_equal_histories_have_equal_state_bytes(kind: Kind) -> None:
    def play(value: bytes) -> bytes:
        table = new(kind, A)
        table.put(0, b"k", 0, b"v", 1)
        table.apply(frame(span(B, 0, 2, (1, record(b"l", 3, B, 1)), (2, record(b"k", 2, B, 2)))))
        table.put(0, b"l", 0, value, 4)
        state: bytes = table.state_bytes()
        return state

    assert play(b"x") == play(b"x") != play(b"y")


def test_statistics_count_what_is_there() -> None:
    table = new(CORE, A)
    table.put(0, b"k", 0, b"v", 1)
    table.put(0, b"k", 1, b"", 2)
    table.apply(frame(span(B, 0, 1, (1, record(b"l", 1, B, 1)))))
    counts = table.statistics()
    assert (counts["records"], counts["tombstones"], counts["entries"]) == (2, 1, 3)
    assert counts["memory"] > 0


def test_threads_may_write_and_merge_at_once() -> None:
    table, other = new(CORE, A), new(CORE, B)
    for number in range(200):
        other.put(0, b"%d" % number, 0, b"theirs", 1000 + number)
    parts = frames(CORE, other, 200)

    def write(thread: int) -> None:
        for number in range(300):
            table.write(b"%d" % (number % 50), 0, b"%d" % thread, 1)

    def merge() -> None:
        for part in parts:
            table.apply(part)
            table.scan(0, b"", 0, 10)

    threads = [threading.Thread(target=write, args=(n,)) for n in range(3)]
    threads.append(threading.Thread(target=merge))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    copy = merged(frames(CORE, table, 4096))
    assert table.counter == 900 and table.covered(B) == 200
    assert same(copy, table)


def test_a_progress_serves_its_own_table_only() -> None:
    table, other = new(CORE, A), new(CORE, B)
    table.put(0, b"k", 0, b"v", 1)
    strange = link(CORE, other)
    with pytest.raises(ValueError, match="another table"):
        table.delta(strange, 100)
    sent = table.delta_for(other.vector(), 100)
    before = other.records()
    with pytest.raises(ValueError, match="another table"):
        other.apply(sent, 0, link(CORE, table))
    assert other.records() == before == []


def test_a_source_that_has_numbered_something_is_not_taken_again() -> None:
    table = new(CORE, A)
    table.put(0, b"k", 0, b"v", 1)
    table.apply(frame(span(B, 0, 3)))
    for source in (A, B):
        with pytest.raises(ValueError, match="source"):
            table.adopt(source)
    assert table.source == A
    table.adopt(C)
    assert table.source == C and table.counter == 0


def test_what_changes_nothing_costs_no_memory() -> None:
    table = new(CORE, C)
    held = frame(span(A, 0, 2, (1, record(b"k", 1, A, 1)), (2, record(b"l", 1, A, 2))))
    refused = frame(span(A, 9, 10, (10, record(b"m", 1, A, 10))), span(B, 5, 6))
    table.apply(held)
    assert len(table.apply(refused)) == 2
    before = table.statistics()
    for _ in range(1000):
        table.apply(held)
        table.apply(refused)
        table.put(0, b"k", 0, b"loses", 0)
    after = table.statistics()
    for name in ("memory", "records", "entries", "sources", "runs"):
        assert after[name] == before[name], name
