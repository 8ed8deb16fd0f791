"""Memory that goes back to the system once records are deleted for good: nothing of a table may
show it, wherever it was stopped in between."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .forms import EPHEMERAL, EXPIRING, TOMBSTONE
from .kinds import CORE, NAIVE, A, B, C, Kind, frame, frames, new, record, span
from .test_table_deleting import vector

GROUPS, EACH = 8, 60
"""Of keys; a group fills about a chunk, and there is a pass once a quarter of all is unused."""
LARGE = bytes(900)
LEFT = 1_000_000


class Act(NamedTuple):
    """One thing done to a table."""

    what: str
    group: int
    each: int
    """Only each such key of the group."""
    steps: int


acts = st.builds(
    Act,
    st.sampled_from(["write", "delete", "delete", "step", "step", "finish", "expire", "bind"]),
    st.integers(0, GROUPS - 1),
    st.sampled_from([1, 1, 2, 5]),
    st.integers(1, 40),
)


class Pair:
    """The same done to both tables."""

    def __init__(self) -> None:
        self.kinds = (CORE, NAIVE)
        self.tables = [new(kind, A, log_slack=1 << 20) for kind in self.kinds]
        self.stamp = 0

    def do(self, act: Act) -> None:
        if act.what == "step":
            for _ in range(act.steps):
                self.tables[0].trim(25)
            return
        if act.what == "finish":
            while self.tables[0].trim(200):
                pass
            return
        self.stamp += 1
        for kind, table in zip(self.kinds, self.tables, strict=True):
            for number in range(0, EACH, act.each):
                self.put(table, act.what, b"%d/%d" % (act.group, number))
            if act.what == "delete":
                all_of_it = vector(kind, a=table.counter)
                cursor: int | None = 0
                while cursor is not None:
                    cursor = table.collect_stable(all_of_it, all_of_it, 1 << 40, cursor, 1)

    def put(self, table: Any, what: str, key: bytes) -> None:
        if what == "write":
            table.put(0, key, 0, LARGE, self.stamp)
        elif what == "expire":
            table.put(0, key, EXPIRING, LARGE, self.stamp, LEFT)
        elif what == "bind":
            table.put(0, key, EPHEMERAL, LARGE, self.stamp)
        elif table.get(0, key) is not None:
            table.put(0, key, TOMBSTONE, b"", self.stamp)

    def check(self) -> None:
        core, naive = self.tables
        assert core.records() == naive.records()
        assert core.entries(A) == naive.entries(A)
        assert core.fingerprint() == naive.fingerprint()
        assert core.expiring() == naive.expiring() and core.hidden() == naive.hidden()
        floor = core.floor(A)
        for start in {floor, (floor + core.counter) // 2}:
            sent = [
                frames(kind, table, 4096, (A, start))
                for kind, table in zip(self.kinds, self.tables, strict=True)
            ]
            assert sent[0] == sent[1]


@settings(max_examples=15)
@given(st.lists(acts, min_size=5, max_size=30))
def test_a_table_that_gives_memory_back_is_the_naive_one(program: list[Act]) -> None:
    pair = Pair()
    for group in range(GROUPS):
        pair.do(Act("write", group, 1, 0))
    for act in program:
        pair.do(act)
    pair.check()
    for table in pair.tables:
        table.tick(LEFT)
        while table.lapse(50):
            pass
    while pair.tables[0].trim(100):
        pass
    for group in range(GROUPS):
        pair.do(Act("delete", group, 1, 0))
    pair.check()


def emptied(kind: Kind, *, every: int, writes: int = 1, slack: int = 1 << 20) -> Any:
    """A table of 3,000 keys, each written so often, of which all but every so many were deleted."""
    table = new(kind, A, log_slack=slack)
    for turn in range(writes):
        for number in range(3000):
            table.put(0, b"%d" % number, 0, LARGE, turn + 1)
    for number in range(3000):
        if number % every:
            table.put(0, b"%d" % number, TOMBSTONE, b"", writes + 1)
    all_of_it = vector(kind, a=table.counter)
    cursor: int | None = 0
    while cursor is not None:
        cursor = table.collect_stable(all_of_it, all_of_it, 1 << 40, cursor, 64)
    return table


def memory(table: Any) -> int:
    return int(table.statistics()["memory"])


@pytest.mark.parametrize("every", [2, 10, 1000])
def test_what_stays_between_what_was_deleted_holds_up_no_memory(every: int) -> None:
    table = emptied(CORE, every=every)
    full = memory(table)
    while table.trim(500):
        pass
    alone = new(CORE, A)
    for number in range(0, 3000, every):
        alone.put(0, b"%d" % number, 0, LARGE, 1)
    assert len(table) == len(alone) and full > 1.8 * memory(alone)
    assert memory(table) < 1.1 * memory(alone) + 20_000
    held = [(each[1], each[7]) for each in table.records()]
    assert held == [(each[1], each[7]) for each in alone.records()]


def test_records_move_though_many_log_entries_point_at_them() -> None:
    """Peers are sent the same at each moment, and a key may be deleted in between."""
    table = emptied(CORE, every=10)
    for turn in range(3):
        for number in range(0, 3000, 10):
            table.put(0, b"%d" % number, 0, LARGE, 10 + turn)
    held = table.records()
    entries = table.entries(A)
    sent = frames(CORE, table, 4096, (A, table.floor(A)))
    while table.trim(50):
        if memory(table) > 700_000:
            assert frames(CORE, table, 4096, (A, table.floor(A))) == sent
            assert table.entries(A) == entries
        elif table.get(0, b"70")[2] != TOMBSTONE:
            table.put(0, b"70", TOMBSTONE, b"", 20)
    assert memory(table) < 600_000
    left = [each for each in table.records() if each[1] != b"70"]
    assert left == [each for each in held if each[1] != b"70"]
    assert table.entries(A)[: len(entries)] == entries
    receiver = new(CORE, B)
    receiver.apply(frame(span(A, 0, table.floor(A)))) if table.floor(A) else None
    for part in frames(CORE, table, 4096, (A, table.floor(A))):
        assert receiver.apply(part) == []
    assert receiver.records() == table.records()


def test_a_record_goes_once_no_entry_points_at_it_or_where_it_was() -> None:
    """Moved, dropped, and its log cut, in each order; the sanitizer looks on."""
    for order in ("drop first", "move first", "cut first"):
        table = emptied(CORE, every=100)
        for turn in range(3):
            for number in range(0, 3000, 100):
                table.put(0, b"%d" % number, 0, LARGE, 10 + turn)
        if order == "drop first":
            assert table.collect(0, b"100")
        if order == "cut first":
            table.apply(frame(span(C, 0, 1, (1, record(b"c", 1, C, 1)))))
        steps = 0
        while table.trim(30):
            steps += 1
            if order == "move first" and steps % 20 == 0:
                table.collect(0, b"%d" % (steps * 5))
            if order == "cut first" and steps == 60:
                assert table.retire(C, 1)
        assert {each[1] for each in table.records()} >= {b"0", b"200"} - {b"200"}
        assert table.statistics()["tombstones"] == 0


def test_an_index_shrinks_to_what_is_left_and_a_reader_of_pages_misses_nothing() -> None:
    table = new(CORE, A)
    empty = memory(table)
    for number in range(30_000):
        table.put(0, b"%d" % number, 0, b"", 1)
    for number in range(30_000):
        if number % 3000:
            table.put(0, b"%d" % number, TOMBSTONE, b"", 2)
    all_of_it = vector(CORE, a=table.counter)
    stays = {b"%d" % number for number in range(0, 30_000, 3000)}
    seen, reader = set(), 0
    cursor: int | None = 0
    while cursor is not None:
        cursor = table.collect_stable(all_of_it, all_of_it, 1 << 40, cursor, 64)
        found, after = table.scan(0, b"", reader, 1000)
        seen |= {row[1] for row in found}
        reader = reader if after is None else after
    while table.trim(1000):
        pass
    assert {each[1] for each in table.records()} == stays <= seen
    assert memory(table) - empty < 10_000
    for number in range(30_000):
        table.put(0, b"%d" % number, 0, b"again", 3)
    assert len(table.records()) == 30_000 == len(table)


def test_what_is_not_worth_it_stays(kind: Kind) -> None:
    table = new(kind, A)
    table.put(0, b"k", 0, b"v", 1)
    assert not table.trim(1)
