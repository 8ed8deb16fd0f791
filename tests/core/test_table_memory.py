"""How a table keeps records and logs in memory: what must not show, and what a record may cost."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from .kinds import CORE, NAIVE, SANITIZED, A, B, C, Kind, frame, frames, new, record, span

SIZES = (0, 1, 5, 6, 7, 8, 63, 64, 900, 959, 960, 961, 1024, 1025, 2100, 40_000, 1 << 20)
"""Around each size at which a value is kept in another way."""

GAPS = (1, 1, 2, 1000, 65_534, 65_535, 65_536, 65_537, 1 << 20, 1 << 40)
"""Between neighbours in a log: within the reach of a leaf, at its end and beyond."""

REFERENCES_MAX = 65_535


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(SIZES)), min_size=1, max_size=20))
def test_values_may_change_from_any_size_to_any_other(puts: list[tuple[int, int]]) -> None:
    """Keys of all lengths lie side by side, and none of them is touched by what another becomes."""
    table = new(CORE, A)
    held: dict[bytes, bytes] = {}
    keys = [b"a", b"b" * 7, b"c" * 40, b"d" * 1024]
    for number, (at, size) in enumerate(puts):
        held[keys[at]] = (b"%d/" % number * (size // 2 + 1))[:size]
        table.put(0, keys[at], 0, held[keys[at]], number)
        assert {key: table.value(key) for key in held} == held
    other = new(CORE, B)
    for part in frames(CORE, table, 4096):
        other.apply(part)
    assert other.records() == table.records()


def sparse(kind: Kind, gaps: list[int], slack: int) -> tuple[Any, list[int]]:
    """A table that holds positions of B so far apart, and these positions."""
    table = new(kind, A, log_slack=slack)
    counters = list(itertools.accumulate(gaps))
    for number, counter in enumerate(counters):
        before = counters[number - 1] if number else 0
        written = record(b"%d" % (number % 5), number, B, counter)
        table.apply(frame(span(B, before, counter, (counter, written))))
    return table, counters


@given(st.lists(st.sampled_from(GAPS), min_size=1, max_size=40), st.sampled_from([0, 3, 100]))
def test_positions_may_lie_anywhere(gaps: list[int], slack: int) -> None:
    """And are found, sent and dropped as in the oracle's list of pairs."""
    table, counters = sparse(CORE, gaps, slack)
    naive, _ = sparse(NAIVE, gaps, slack)
    assert (table.entries(B), table.floor(B)) == (naive.entries(B), naive.floor(B))
    for start in {each + more for each in [0, *counters] for more in (-1, 0, 1)}:
        if 0 <= start <= counters[-1]:
            known = (B, start)
            assert frames(CORE, table, 4096, known) == frames(NAIVE, naive, 4096, known)


@pytest.mark.parametrize("slack", [0, 700, 65_536])
def test_a_long_log_is_cut_from_its_beginning(slack: int) -> None:
    """Across leaves of all sizes; what is left is found by every peer that it is enough for."""
    table = new(CORE, A, log_slack=slack)
    for number in range(3000):
        table.put(0, b"%d" % (number % 7), 0, b"v", number)
        if number % 100 == 99:
            table.put(0, b"more%d" % number, 0, b"v", number)
    floor, last = table.floor(A), table.counter
    counters = [entry[0] for entry in table.entries(A)]
    assert counters == list(range(floor + 1, last + 1))
    for start in range(floor, last, 13):
        receiver = new(CORE, B)
        receiver.apply(frame(span(A, 0, start))) if start else None
        for part in frames(CORE, table, 1 << 20, (A, start)):
            assert receiver.apply(part) == []
        assert [entry[0] for entry in receiver.entries(A)] == list(range(start + 1, last + 1))


def test_a_key_may_be_overwritten_more_often_than_its_log_entries_are_counted() -> None:
    table = new(CORE, A, log_slack=2 * REFERENCES_MAX)
    for number in range(REFERENCES_MAX + 100):
        table.put(0, b"hot", 0, b"%d" % number, number)
    assert len(table.entries(A)) == REFERENCES_MAX + 100 and table.floor(A) == 0
    large = bytes(5000)
    for number in range(REFERENCES_MAX + 100, 2 * REFERENCES_MAX + 200):
        table.put(0, b"hot", 0, large, number)
    assert table.floor(A) > 0 and table.value(b"hot") == large


@pytest.mark.planted
@pytest.mark.parametrize("times", [1, REFERENCES_MAX - 1, REFERENCES_MAX, REFERENCES_MAX + 1])
def test_a_record_that_was_collected_is_not_read_again(times: int) -> None:
    """Its memory goes to others with its last log entry, and not before; the sanitizer looks on."""
    table = new(CORE, A, log_slack=times)
    for number in range(times):
        table.put(0, b"gone", 0, bytes(3000), number)
    assert table.collect(0, b"gone") and table.entries(A) == []
    assert frames(CORE, table, 4096) != [] and table.get(0, b"gone") is None
    for number in range(times + 10):
        table.put(0, b"here", 0, b"%d" % number, number)
    assert table.floor(A) > times and table.value(b"here") == b"%d" % (times + 9)


@pytest.mark.planted
def test_memory_of_what_was_collected_is_used_again() -> None:
    table = new(CORE, A, log_slack=0)
    for number in range(20_000):
        table.put(0, b"%05d" % number, 0, b"v", 1)
        table.put(0, b"%05d" % number, 0, b"w", 2)
        if number >= 100:
            assert table.collect(0, b"%05d" % (number - 100))
        if number == 1000:
            memory = table.statistics()["memory"]
    assert len(table) == 100 and table.statistics()["memory"] < 2 * memory
    assert {each[1] for each in table.records()} == {b"%05d" % n for n in range(19_900, 20_000)}


def test_every_key_is_found_however_often_the_index_grew() -> None:
    table = new(CORE, A)
    keys = [b"%d" % number for number in range(20_000)]
    for number, key in enumerate(keys):
        table.put(0, key, 0, key, 1)
        assert table.value(keys[number // 2]) == keys[number // 2]
    assert table.value(b"20000") is None and len(table) == len(keys)
    assert [table.value(key) for key in keys] == keys


@pytest.mark.skipif(SANITIZED, reason="the sanitizers take memory of their own")
@pytest.mark.parametrize("count", [3_000, 5_000, 8_000, 12_000, 20_000])
def test_a_small_record_costs_little_over_its_key_and_value(count: int) -> None:
    """As five members write them that call for elections, wherever the index is in its growth."""
    table = new(CORE, A)
    empty = table.statistics()["memory"]
    size = 0
    for source in (A, B, C, b"\x55" * 16, b"\x66" * 16):
        writer = table if source == A else new(CORE, source)
        for number in range(count // 5):
            key = source + b"%017d" % number
            size += len(key) + 4
            writer.put(5, key, 0, bytes(4), 1)
        for part in frames(CORE, writer, 65_536, *table.vector().items()):
            table.apply(part)
    assert len(table) == count // 5 * 5
    assert table.statistics()["memory"] - empty - size < 80 * count
