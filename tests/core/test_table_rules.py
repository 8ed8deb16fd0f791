"""Rules 1 to 3 of replication, section 1, as transcripts: positions, covered, ranges."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from .kinds import A, B, C, D, Kind, frame, frames, link, new, page, record, span

# Rule 1: positions.


def test_rule_1_a_source_numbers_what_it_carries_one_by_one(kind: Kind) -> None:
    table = new(kind, A)
    for number, key in enumerate([b"k", b"l", b"k"], 1):
        assert table.put(0, key, 0, b"v", number)
        assert table.counter == table.covered(A) == number
    assert table.entries(A) == [(1, 0, b"k"), (2, 0, b"l"), (3, 0, b"k")]
    assert [(r[4], r[5]) for r in table.records()] == [(A, 3), (A, 2)]


def test_rule_1_a_write_that_does_not_win_uses_no_number(kind: Kind) -> None:
    table = new(kind, A)
    assert table.put(0, b"k", 0, b"v", 5)
    before = table.state_bytes()
    assert not table.put(0, b"k", 0, b"w", 5)
    assert not table.put(0, b"k", 0, b"w", 4)
    assert table.state_bytes() == before


def test_rule_1_a_fresh_source_begins_at_one_and_the_old_one_keeps_its_numbers(kind: Kind) -> None:
    table = new(kind, A)
    table.put(0, b"k", 0, b"v", 1)
    table.adopt(B)
    assert (table.source, table.counter, table.covered(A)) == (B, 0, 1)
    table.put(0, b"l", 0, b"v", 2)
    assert (table.covered(A), table.covered(B)) == (1, 1)
    assert [(r[3], r[4], r[5]) for r in table.records()] == [(A, A, 1), (B, B, 1)]


def test_rule_1_origin_and_position_travel_unchanged_through_others(kind: Kind) -> None:
    tables = [new(kind, source) for source in (A, B, C)]
    tables[0].put(0, b"k", 0, b"v", 1)
    for giver, taker in itertools.pairwise(tables):
        for part in frames(kind, giver, 4096):
            assert taker.apply(part) == []
    assert tables[2].records() == [(0, b"k", 1, A, A, 1, 0, b"v")]


# Rule 2: covered.


def trapped(kind: Kind) -> tuple[Any, Any]:
    """k was written at (A, 1) and overwritten at (B, 2); (the table of A, the table of B)."""
    one, two = new(kind, A), new(kind, B)
    one.put(0, b"k", 0, b"old", 1)
    two.apply(frames(kind, one, 4096)[0])
    two.put(0, b"x", 0, b"other", 1)
    two.put(0, b"k", 0, b"new", 2)
    return one, two


def test_rule_2_an_entry_sends_the_current_record_of_its_key_wherever_it_lives(kind: Kind) -> None:
    _, two = trapped(kind)
    newest, other = record(b"k", 2, B, 2, value=b"new"), record(b"x", 1, B, 1, value=b"other")
    assert two.delta_for(new(kind, C).vector(), 4096) in (
        frame(span(A, 0, 1, (1, newest)), span(B, 0, 2, (1, other), (2, newest))),
        frame(span(B, 0, 2, (1, other), (2, newest)), span(A, 0, 1, (1, newest))),
    )


def test_rule_2_the_trap_no_cut_leaves_a_claim_without_the_overwriter(kind: Kind) -> None:
    _, two = trapped(kind)
    for budget in range(1, 200):
        parts = frames(kind, two, budget)
        for cut in range(len(parts) + 1):
            three = new(kind, C)
            for part in parts[:cut]:
                assert three.apply(part) == []
            stamp = (three.get(0, b"k") or (0,))[0]
            assert stamp == 2 or (three.covered(A) == 0 and three.covered(B) < 2)
            assert cut < len(parts) or three.records() == two.records()


def test_rule_2_the_receiver_logs_the_entry_at_the_position_it_came_for(kind: Kind) -> None:
    _, two = trapped(kind)
    three, four = new(kind, C), new(kind, D)
    for part in frames(kind, two, 1):
        three.apply(part)
    assert three.entries(A) == [(1, 0, b"k")]
    assert three.entries(B) == [(1, 0, b"x"), (2, 0, b"k")]
    for part in frames(kind, three, 1):
        assert four.apply(part) == []
    assert four.records() == two.records() and four.fingerprint() == two.fingerprint()


def test_rule_2_a_record_is_whole_once_in_a_delta_and_again_in_the_next(kind: Kind) -> None:
    _, two = trapped(kind)
    (whole,) = frames(kind, two, 4096)
    assert whole.count(b"new") == 1
    parts = frames(kind, two, 1)
    assert [part.count(b"new") for part in parts].count(1) == 2


def test_rule_2_an_overwritten_key_is_still_sent_for_every_entry_of_it(kind: Kind) -> None:
    table = new(kind, A)
    for stamp in range(1, 6):
        table.put(0, b"k", 0, b"v", stamp)
    last = record(b"k", 5, A, 5)
    expected = frame(span(A, 0, 5, *((number, last) for number in range(1, 6))))
    assert frames(kind, table, 4096) == [expected]
    assert expected.count(b"k") == 1


def test_rule_2_the_vector_advances_with_every_frame(kind: Kind) -> None:
    table, other = new(kind, A), new(kind, B)
    for number in range(1, 6):
        table.put(0, b"k%d" % number, 0, b"v", number)
    for number, part in enumerate(frames(kind, table, 1), 1):
        assert other.apply(part) == []
        assert other.covered(A) == number and len(other) == number


# Rule 3: ranges.


def test_rule_3_a_range_above_what_is_held_is_refused_whole_and_says_what_is_held(
    kind: Kind,
) -> None:
    table = new(kind, C)
    table.apply(frame(span(A, 0, 2, (1, record(b"k", 1, A, 1)))))
    before = table.state_bytes()
    elsewhere = record(b"x", 1, B, 1)
    assert table.apply(frame(span(A, 3, 5, (4, record(b"l", 1, A, 4)), (5, elsewhere)))) == [(A, 2)]
    assert table.apply(frame(span(D, 1, 2, (2, record(b"m", 1, D, 2))))) == [(D, 0)]
    assert table.state_bytes() == before and len(table) == 1


def test_rule_3_a_refused_range_does_not_stop_the_others(kind: Kind) -> None:
    table = new(kind, C)
    refused = table.apply(
        frame(span(A, 1, 2, (2, record(b"k", 1, A, 2))), span(B, 0, 1, (1, record(b"l", 1, B, 1))))
    )
    assert refused == [(A, 0)]
    assert (table.covered(A), table.covered(B), len(table)) == (0, 1, 1)


def test_rule_3_a_refused_range_is_pulled_from_its_sender(kind: Kind) -> None:
    one, two = new(kind, A), new(kind, B)
    for number in range(1, 4):
        one.put(0, b"k%d" % number, 0, b"v", number)
    progress = link(kind, one)
    _lost = one.delta(progress, 1)
    refused = two.apply(one.delta(progress, 1))
    assert refused == [(A, 0)] and len(two) == 0
    progress.rewind(page(*refused))
    assert progress.known_of(A) == 0 and not progress.idle()
    assert two.apply(one.delta(progress, 4096)) == []
    assert two.records() == one.records()


def test_rule_3_a_range_that_begins_lower_than_what_is_held_is_merged(kind: Kind) -> None:
    table = new(kind, C)
    first, second = record(b"k", 1, A, 1), record(b"l", 2, A, 2)
    table.apply(frame(span(A, 0, 1, (1, first))))
    assert table.apply(frame(span(A, 0, 2, (1, first), (2, second)))) == []
    assert table.entries(A) == [(1, 0, b"k"), (2, 0, b"l")] and table.covered(A) == 2


def test_rule_3_a_record_at_or_below_the_vector_is_never_merged(kind: Kind) -> None:
    """A stale duplicate must not bring back a key that was collected."""
    table = new(kind, C)
    table.apply(frame(span(A, 0, 5)))
    assert table.covered(A) == 5 and len(table) == 0
    stale = record(b"k", 9, A, 3)
    before = table.state_bytes()
    assert table.apply(frame(span(A, 2, 3, (3, stale)))) == []
    assert table.state_bytes() == before
    assert table.apply(frame(span(B, 0, 1, (1, stale)))) == []
    assert len(table) == 0 and table.covered(B) == 1
    assert table.entries(B) == []


@pytest.mark.parametrize("covered", [A, C], ids=["a source covered already", "its own source"])
def test_rule_3_a_covered_range_never_skips_a_record_that_lives_above_the_vector_elsewhere(
    kind: Kind, covered: bytes
) -> None:
    table = new(kind, C)
    table.put(0, b"own", 0, b"v", 1)
    table.apply(frame(span(A, 0, 1, (1, record(b"k", 1, A, 1)))))
    newer = record(b"k", 2, B, 7)
    assert table.apply(frame(span(covered, 0, 1, (1, newer)))) == []
    assert table.get(0, b"k") == (2, B, 0, b"v")
    assert (table.covered(A), table.covered(B), table.covered(C)) == (1, 0, 1)
    assert table.entries(A) == [(1, 0, b"k")] and table.entries(B) == []


def test_rule_3_two_runs_of_one_source_in_one_delta_are_contiguous(kind: Kind) -> None:
    table = new(kind, C)
    runs = [
        span(A, 0, 1, (1, record(b"k", 1, A, 1))),
        span(B, 0, 1, (1, record(b"l", 1, B, 1))),
        span(A, 1, 2, (2, record(b"m", 1, A, 2))),
    ]
    assert table.apply(frame(*runs)) == []
    assert (table.covered(A), table.covered(B), len(table)) == (2, 1, 3)


def test_rule_3_what_repeats_a_record_of_a_refused_range_is_refused_from_there(kind: Kind) -> None:
    table = new(kind, C)
    lost, fine = record(b"k", 2, A, 9), record(b"l", 1, B, 1)
    refused = table.apply(
        frame(span(A, 8, 9, (9, lost)), span(B, 0, 3, (1, fine), (2, lost), (3, fine)))
    )
    assert refused == [(A, 0), (B, 1)]
    assert (table.covered(A), table.covered(B)) == (0, 1)
    assert table.records() == [(0, b"l", 1, B, B, 1, 0, b"v")]
    assert table.entries(B) == [(1, 0, b"l")]
