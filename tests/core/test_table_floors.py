"""Bounded memory for what was overwritten: floors, who is below one, and the join that heals it."""

from __future__ import annotations

from typing import Any

import pytest

from vines._core.changes import Changes
from vines._core.digest import same_state, same_vector

from .forms import write_floors
from .kinds import A, B, C, D, Kind, frame, frames, link, new, record, span
from .reading import read_floors


def overwritten(kind: Kind, times: int, **options: int) -> Any:
    """A table of A that wrote `first` once and then `k` so many times."""
    table = new(kind, A, **options)
    table.put(0, b"first", 0, b"v", 1)
    for number in range(times):
        table.put(0, b"k", 0, b"%d" % number, number + 1)
    return table


def join(giver: Any, joiner: Any, budget: int = 100) -> None:
    """A whole join, page by page."""
    floors = giver.floor_pages(budget)
    cursor: int | None = 0
    while cursor is not None:
        data, cursor = giver.page(cursor, budget)
        joiner.apply_page(data)
    joiner.finish_join(floors)


@pytest.mark.parametrize("slack", [0, 1, 5])
def test_entries_never_exceed_twice_the_records_and_the_slack(kind: Kind, slack: int) -> None:
    table = new(kind, A, log_slack=slack)
    for number in range(50):
        table.put(0, b"%d" % (number % 3), 0, b"v", number)
        entries = table.entries(A)
        assert len(entries) <= 2 * len(table) + slack
        assert [entry[0] for entry in entries] == list(range(table.floor(A) + 1, number + 2))
    assert table.floor(A) >= 50 - 2 * 3 - slack


def test_nothing_is_dropped_within_the_slack(kind: Kind) -> None:
    table = overwritten(kind, 40, log_slack=100)
    assert table.floor(A) == 0 and len(table.entries(A)) == 41


def test_compaction_drops_what_others_wrote_too(kind: Kind) -> None:
    table = new(kind, B, log_slack=0)
    for number in range(1, 30):
        table.apply(frame(span(A, number - 1, number, (number, record(b"k", number, A, number)))))
    assert table.covered(A) == 29 and 27 <= table.floor(A) <= 28
    assert table.get(0, b"k") == (29, A, 0, b"v")


def test_a_peer_below_a_floor_is_told_so_and_gets_no_range_of_that_source(kind: Kind) -> None:
    table = overwritten(kind, 20, log_slack=0)
    table.apply(frame(span(B, 0, 1, (1, record(b"b", 1, B, 1)))))
    assert table.floor(A) > 5
    progress = link(kind, table, (A, 5))
    assert table.delta(progress, 4096) == frame(span(B, 0, 1, (1, record(b"b", 1, B, 1))))
    assert table.delta(progress, 4096) is None
    assert progress.below_floor and progress.known_of(A) == 5


@pytest.mark.parametrize("known", ["at the floor", "above it", "all"])
def test_a_peer_at_or_above_the_floor_needs_no_join(kind: Kind, known: str) -> None:
    table = overwritten(kind, 20, log_slack=0)
    counter = {"at the floor": table.floor(A), "above it": table.floor(A) + 1, "all": 21}[known]
    progress = link(kind, table, (A, counter))
    part = table.delta(progress, 4096)
    assert (part is None) == (known == "all")
    assert not progress.below_floor and progress.known_of(A) == 21


def test_a_floor_that_rises_past_a_running_delta_stops_it(kind: Kind) -> None:
    """The floor test applies to every frame, not only to the first."""
    table = new(kind, A, log_slack=10)
    for number in range(10):
        table.put(0, b"k", 0, b"v", number)
    progress = link(kind, table)
    assert table.delta(progress, 1) is not None and progress.known_of(A) == 1
    for number in range(10, 60):
        table.put(0, b"k", 0, b"v", number)
    assert table.floor(A) > 1
    assert table.delta(progress, 1) is None
    assert progress.below_floor and progress.known_of(A) == 1


def test_a_live_link_stays_live_when_a_floor_rises_below_it(kind: Kind) -> None:
    table, other = new(kind, A, log_slack=0, horizon=4), new(kind, B)
    progress = link(kind, table)
    for number in range(60):
        table.put(0, b"k", 0, b"v", number)
        assert other.apply(table.delta(progress, 4096)) == []
    assert not progress.below_floor and other.records() == table.records()


def test_a_join_carries_everything_and_raises_vector_and_floor_at_its_end(kind: Kind) -> None:
    table, other = overwritten(kind, 20, log_slack=0), new(kind, B)
    table.put(1, b"m", 0, b"member", 1)
    table.put(0, b"gone", 1, b"", 1)
    table.put(7, b"strange", 0x80, b"?", 1)
    other.put(0, b"mine", 0, b"v", 1)
    floors = table.floor_pages(4096)
    cursor: int | None = 0
    while cursor is not None:
        data, cursor = table.page(cursor, 1)
        other.apply_page(data)
        assert other.covered(A) == 0 and other.entries(A) == []
    other.finish_join(floors)
    assert other.covered(A) == other.floor(A) == table.covered(A)
    assert other.entries(A) == []
    assert [r for r in other.records() if r[1] != b"mine"] == table.records()
    for part in frames(kind, other, 4096, *table.vector().items()):
        assert table.apply(part) == []
    assert other.records() == table.records() and other.fingerprint() == table.fingerprint()


def test_increments_go_on_after_a_join(kind: Kind) -> None:
    table, other = overwritten(kind, 20, log_slack=0), new(kind, B)
    join(table, other)
    table.put(0, b"k", 0, b"after", 100)
    for part in frames(kind, table, 4096, *other.vector().items()):
        assert other.apply(part) == []
    assert other.records() == table.records()
    assert other.entries(A) == [(22, 0, b"k")]


def test_who_joined_asks_those_below_it_to_join_too(kind: Kind) -> None:
    table, other = overwritten(kind, 20, log_slack=0), new(kind, B)
    join(table, other)
    progress = link(kind, other)
    assert other.delta(progress, 4096) is None and progress.below_floor
    third = new(kind, C)
    join(other, third)
    assert third.records() == table.records() and third.fingerprint() == table.fingerprint()


def test_what_is_written_during_a_join_is_not_lost(kind: Kind) -> None:
    table, other = overwritten(kind, 20, log_slack=0), new(kind, B)
    floors = table.floor_pages(4096)
    cursor: int | None = 0
    while cursor is not None:
        data, cursor = table.page(cursor, 1)
        other.apply_page(data)
        if table.counter < 26:
            table.put(0, b"k", 0, b"during", 200 + table.counter)
            table.put(0, b"n%d" % table.counter, 0, b"new", 1)
    other.finish_join(floors)
    assert other.covered(A) == 21
    for part in frames(kind, table, 4096, *other.vector().items()):
        assert other.apply(part) == []
    if other.covered(A) < table.covered(A):
        join(table, other)
    assert other.records() == table.records() and other.fingerprint() == table.fingerprint()


def test_a_join_page_skips_what_is_covered_and_keeps_what_is_higher(kind: Kind) -> None:
    giver, joiner = new(kind, A), new(kind, B)
    giver.put(0, b"collected", 0, b"v", 9)
    giver.put(0, b"k", 0, b"low", 1)
    joiner.apply(frame(span(A, 0, 1)))
    joiner.put(0, b"k", 0, b"high", 2)
    changes = Changes()
    joiner.apply_page(giver.page(0, 4096)[0], 0, 0, changes)
    assert changes == []
    assert joiner.get(0, b"collected") is None and joiner.value(b"k") == b"high"


def test_a_join_never_touches_ones_own_source(kind: Kind) -> None:
    giver, joiner = new(kind, A), new(kind, B)
    giver.apply(frame(span(B, 0, 2, (1, record(b"k", 1, B, 1)), (2, record(b"l", 1, B, 2)))))
    joiner.put(0, b"k", 0, b"mine", 1)
    join(giver, joiner)
    assert joiner.counter == joiner.covered(B) == 1 and joiner.overtaken
    assert joiner.records() == [(0, b"k", 1, B, B, 1, 0, b"mine")]


def test_a_join_below_what_is_held_keeps_the_log(kind: Kind) -> None:
    table, other = new(kind, A), new(kind, B)
    table.put(0, b"k", 0, b"v", 1)
    floors, page = table.floor_pages(4096), table.page(0, 4096)[0]
    table.put(0, b"l", 0, b"v", 1)
    for part in frames(kind, table, 4096):
        other.apply(part)
    other.apply_page(page)
    other.finish_join(floors)
    assert other.covered(A) == 2 and other.entries(A)[-1] == (2, 0, b"l")
    assert other.floor(A) <= 1


def test_a_record_above_every_vector_is_seen_by_fingerprints_and_healed_by_a_join(
    kind: Kind,
) -> None:
    """The writer is gone before anybody had the position its last record lives at: no counter can
    ask for it."""
    writer, older, newer = (new(kind, source) for source in (A, B, C))
    writer.put(0, b"k", 0, b"old", 1)
    older.apply(frames(kind, writer, 4096)[0])
    writer.put(0, b"k", 0, b"new", 2)
    newer.apply(frames(kind, writer, 1)[0])
    assert older.covered(A) == newer.covered(A) == 1
    for one, two in ((older, newer), (newer, older)):
        assert frames(kind, one, 4096, *two.vector().items()) == []
    mine, theirs = older.fingerprint(), newer.fingerprint()
    assert same_vector(mine, theirs) and not same_state(mine, theirs)
    join(newer, older)
    join(older, newer)
    assert older.records() == newer.records() == [(0, b"k", 2, A, A, 2, 0, b"new")]
    assert older.fingerprint() == newer.fingerprint()


def test_floor_pages_say_vector_and_floors(kind: Kind) -> None:
    table = overwritten(kind, 20, log_slack=0)
    table.apply(frame(span(B, 0, 3), span(D, 0, 2**48 - 1)))
    for budget in (1, 60, 4096):
        pages = [read_floors(page) for page in table.floor_pages(budget)]
        items = [item for _, part in pages for item in part]
        assert {source: (counter, floor) for source, counter, floor in items} == {
            A: (21, table.floor(A)),
            B: (3, table.floor(B)),
            D: (2**48 - 1, table.floor(D)),
        }
        assert [mark & 1 for mark, _ in pages] == [1] + [0] * (len(pages) - 1)
        assert [mark & 2 for mark, _ in pages] == [0] * (len(pages) - 1) + [2]


def test_a_joined_floor_is_forwarded(kind: Kind) -> None:
    joiner = new(kind, B)
    joiner.finish_join([bytes(write_floors([(A, 9, 4)]).data)])
    assert (joiner.covered(A), joiner.floor(A)) == (9, 9)
    (page,) = joiner.floor_pages(4096)
    assert (A, 9, 9) in read_floors(page)[1]
