"""Rules 4 to 8 of replication, section 1, as transcripts: hints, order, verdicts, clocks, one's
own source."""

from __future__ import annotations

import itertools

import pytest

from vines._core.changes import Changes

from .kinds import A, B, C, D, Kind, frame, frames, link, new, page, record, span

# Rule 4: what a peer says it knows is only a hint.


def test_rule_4_a_received_vector_is_never_merged_into_ones_own(kind: Kind) -> None:
    table = new(kind, C)
    table.put(0, b"k", 0, b"v", 1)
    table.apply(frame(span(A, 0, 1)))
    before, vector = table.records(), table.vector().items()
    progress = link(kind, table, (A, 9), (C, 1), (D, 3))
    progress.rewind(page((A, 2)))
    assert table.delta(progress, 4096) is None
    assert table.records() == before and table.vector().items() == vector
    assert progress.known_of(A) == 2


def test_rule_4_a_peer_that_says_it_knows_more_is_sent_nothing_and_believed_nothing(
    kind: Kind,
) -> None:
    one, two = new(kind, A), new(kind, B)
    one.put(0, b"k", 0, b"v", 1)
    assert frames(kind, one, 4096, (A, 100)) == []
    assert one.covered(A) == 1 and two.covered(A) == 0
    assert not one.overtaken


# Rule 5: the conflict order.


def test_rule_5_the_conflict_order_is_total(kind: Kind) -> None:
    """Of any two records of a key one wins, the same whichever comes first, and origin decides
    equal stamps."""
    candidates = [
        record(b"k", stamp, source, 1, value=source[:1])
        for stamp in (0, 1, 2**62)
        for source in (A, B, C)
    ]
    for first, second in itertools.permutations(candidates, 2):
        table = new(kind, D)
        for source in (A, B, C):
            mine = [r for r in (first, second) if r.source == source]
            for number, r in enumerate(mine, 1):
                moved = r._replace(counter=number)
                table.apply(frame(span(source, number - 1, number, (number, moved))))
        winner = max(first, second, key=lambda r: (r.stamp, r.origin))
        assert table.get(0, b"k") == (winner.stamp, winner.origin, 0, winner.value)


def test_rule_5_origin_is_compared_as_unsigned_bytes_to_the_last_one(kind: Kind) -> None:
    low, high = bytes(15) + b"\x7f", bytes(15) + b"\x80"
    for order in ((low, high), (high, low)):
        table = new(kind, D)
        for number, origin in enumerate(order, 1):
            table.apply(
                frame(
                    span(A, number - 1, number, (number, record(b"k", 1, A, number, origin=origin)))
                )
            )
        assert table.get(0, b"k") == (1, high, 0, b"v")


def test_rule_5_an_equal_pair_never_replaces_what_is_held(kind: Kind) -> None:
    table = new(kind, D)
    table.apply(frame(span(A, 0, 1, (1, record(b"k", 1, A, 1, value=b"first")))))
    changes = Changes()
    same = record(b"k", 1, B, 1, origin=A, value=b"second")
    table.apply(frame(span(B, 0, 1, (1, same))), 0, None, 0, changes)
    assert table.value(b"k") == b"first" and changes == []
    assert table.entries(B) == [(1, 0, b"k")]


# Rule 6: a verdict depends only on the two records.


def test_rule_6_a_clock_has_no_say_in_what_wins(kind: Kind) -> None:
    far = record(b"k", 2**63 - 1, A, 1)
    tables = [new(kind, C) for _ in range(3)]
    for table, limit in zip(tables, (0, 5, 2**63 - 1), strict=True):
        table.put(0, b"k", 0, b"mine", 7)
        table.apply(frame(span(A, 0, 1, (1, far))), 0, None, limit)
    assert tables[0].records() == tables[1].records() == tables[2].records()
    assert tables[0].get(0, b"k") == (2**63 - 1, A, 0, b"v")


@pytest.mark.parametrize("family", [2, 0x7F, 0xFF])
@pytest.mark.parametrize("flags", [0x08, 0x80, 0xFF])
def test_rule_6_unknown_families_and_flags_are_stored_and_forwarded(
    kind: Kind, family: int, flags: int
) -> None:
    strange = record(b"k", 1, A, 1, family=family, flags=flags, value=b"\x00\xff")
    one, two = new(kind, B), new(kind, C)
    one.apply(frame(span(A, 0, 1, (1, strange))))
    (sent,) = frames(kind, one, 4096)
    assert sent == frame(span(A, 0, 1, (1, strange)))
    assert two.apply(sent) == []
    assert two.records() == [tuple(strange)] and two.fingerprint() == one.fingerprint()
    assert two.get(0, b"k") is None and two.get(family, b"k") == (1, A, flags, b"\x00\xff")


def test_rule_6_families_are_separate_name_spaces(kind: Kind) -> None:
    table = new(kind, A)
    for family in (0, 1, 255):
        assert table.put(family, b"k", 0, bytes([family]), 1)
    assert [table.get(family, b"k")[3] for family in (0, 1, 255)] == [b"\x00", b"\x01", b"\xff"]
    assert len(table) == 3 and table.count(1) == 1


# Rule 7: clocks.


def test_rule_7_a_local_write_stamps_above_clock_wall_and_what_it_replaces(kind: Kind) -> None:
    table = new(kind, C)
    first = table.write(b"k", 0, b"v", 1_000)
    assert first >= 1_000 and table.clock == first
    assert table.write(b"k", 0, b"v", 0) > first
    held = record(b"k", 2**62, A, 1)
    table.apply(frame(span(A, 0, 1, (1, held))))
    assert table.clock < 2**61
    assert table.write(b"k", 0, b"mine", 1_000) > 2**62
    assert table.value(b"k") == b"mine"


def test_rule_7_a_stamp_advances_the_clock_only_within_the_limit(kind: Kind) -> None:
    table = new(kind, C)
    table.apply(frame(span(A, 0, 1, (1, record(b"k", 50, A, 1)))), 0, None, 50)
    assert (table.clock, table.ahead) == (50, 0)
    table.apply(frame(span(A, 1, 2, (2, record(b"l", 101, A, 2)))), 0, None, 100)
    assert (table.clock, table.ahead) == (50, 1)
    assert table.get(0, b"l") == (101, A, 0, b"v")
    table.apply(frame(span(A, 2, 3, (3, record(b"m", 20, A, 3)))), 0, None, 100)
    assert (table.clock, table.ahead) == (50, 1)


# Rule 8: my own source.


def test_rule_8_a_record_at_ones_own_source_is_never_merged(kind: Kind) -> None:
    table = new(kind, C)
    table.put(0, b"k", 0, b"mine", 1)
    before = table.records()
    assert table.apply(frame(span(C, 0, 1, (1, record(b"k", 9, C, 1))))) == []
    assert table.records() == before and not table.overtaken
    table.apply(frame(span(C, 0, 2, (1, record(b"k", 9, C, 1)), (2, record(b"l", 9, C, 2)))))
    assert table.records() == before
    assert table.overtaken and table.counter == table.covered(C) == 1


def test_rule_8_a_record_at_ones_own_source_in_anothers_range_says_overtaken(kind: Kind) -> None:
    table = new(kind, C)
    table.apply(frame(span(A, 0, 1, (1, record(b"k", 9, C, 5)))))
    assert table.overtaken and len(table) == 0 and table.counter == 0


def test_rule_8_after_a_fresh_source_the_old_one_is_anybodys(kind: Kind) -> None:
    table = new(kind, C)
    table.put(0, b"k", 0, b"mine", 1)
    table.apply(frame(span(C, 1, 2, (2, record(b"l", 9, C, 2)))))
    assert table.overtaken
    table.adopt(D)
    assert not table.overtaken
    assert table.apply(frame(span(C, 1, 2, (2, record(b"l", 9, C, 2))))) == []
    assert table.covered(C) == 2 and table.value(b"l") == b"v"
    assert table.counter == 0 and table.put(0, b"m", 0, b"v", 1) and table.counter == 1
