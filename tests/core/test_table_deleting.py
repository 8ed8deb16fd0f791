"""Deleting for good: when a tombstone may go, what that leaves behind, and the join that neither
brings back what was deleted nor loses what nobody knew of."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any

import pytest

from vines._core import table as core
from vines._core.changes import Changes
from vines._core.vector import VersionVector
from vines.errors import WireError

from . import model, mutants
from .forms import EPHEMERAL, EXPIRING, SHOWN, STAMP_MAX, TOMBSTONE, write_floors, write_page
from .kinds import CORE, NAIVE, A, B, C, D, Kind, frame, frames, link, new, record, span
from .model_vector import VersionVector as NaiveVector
from .reading import read_delta

CLOCK = 1 << 40


def vector(kind: Kind, **counters: int) -> Any:
    """A vector of the sources A to D."""
    made: Any = NaiveVector() if is_naive(kind) else VersionVector()
    for name, counter in counters.items():
        made.raise_to({"a": A, "b": B, "c": C, "d": D}[name], counter)
    return made


def is_naive(kind: Kind) -> bool:
    return inspect.isclass(kind.table) and issubclass(kind.table, model.Table)


def collect(kind: Kind, table: Any, clock: int = CLOCK, **cut: int) -> None:
    """Collect with a cut that is all that anybody covers."""
    table.collect_stable(vector(kind, **cut), vector(kind, **cut), clock, 0, 1 << 20)
    while table.trim(1):
        pass


def deleted(kind: Kind, source: bytes = A) -> Any:
    """A table that wrote k at 1 and deleted it at 2, stamped 2."""
    table = new(kind, source)
    table.put(0, b"k", 0, b"v", 1)
    table.put(0, b"k", TOMBSTONE, b"", 2)
    return table


def join(giver: Any, joiner: Any, budget: int = 4096) -> list[Any]:
    """A whole join; what it dropped."""
    floors = giver.floor_pages(budget)
    joiner.begin_join(floors)
    cursor: int | None = 0
    while cursor is not None:
        data, cursor = giver.page(cursor, budget)
        joiner.apply_page(data)
    joiner.finish_join(floors)
    changes = Changes()
    cursor = 0
    while cursor is not None:
        cursor = joiner.sweep(cursor, 1, changes)
    return list(changes)


def keys(table: Any) -> list[bytes]:
    return [row[1] for row in table.records()]


# When a tombstone may go.


def test_a_tombstone_at_the_cut_is_dropped_and_its_floor_and_floor_stamp_rise(kind: Kind) -> None:
    table = deleted(kind)
    collect(kind, table, a=2)
    assert table.records() == [] and len(table) == 0 and table.collected == 1
    assert table.floor(A) == 2 and table.floor_stamp == 2 and table.covered(A) == 2
    assert table.entries(A) == []


def test_what_is_above_the_cut_or_the_clock_or_live_stays(kind: Kind) -> None:
    table = deleted(kind)
    table.put(0, b"l", 0, b"live", 3)
    before = table.records()
    collect(kind, table, a=1)
    collect(kind, table, clock=1, a=3)
    collect(kind, table, b=9)
    assert table.records() == before and table.floor(A) == 0 and table.floor_stamp == 0
    collect(kind, table, clock=2, a=3)
    assert keys(table) == [b"l"]


def test_nothing_goes_before_all_is_covered_that_anybody_covered(kind: Kind) -> None:
    table = deleted(kind)
    table.collect_stable(vector(kind, a=2), vector(kind, a=2, b=1), CLOCK, 0, 100)
    assert keys(table) == [b"k"]
    table.apply(frame(span(B, 0, 1, (1, record(b"b", 1, B, 1)))))
    table.collect_stable(vector(kind, a=2), vector(kind, a=2, b=1), CLOCK, 0, 100)
    assert keys(table) == [b"b"]


def test_nothing_goes_while_a_record_lies_above_the_vector(kind: Kind) -> None:
    table = deleted(kind)
    table.apply(frame(span(C, 0, 1, (1, record(b"b", 1, B, 2)))))
    assert table.strayed
    collect(kind, table, a=2)
    assert keys(table) == [b"b", b"k"]
    table.apply(frame(span(B, 0, 2, (1, record(b"c", 1, B, 1)), (2, record(b"b", 1, B, 2)))))
    assert not table.strayed
    collect(kind, table, a=2)
    assert keys(table) == [b"b", b"c"]


def test_a_record_above_the_vector_holds_up_nothing_once_no_more_is_to_come(kind: Kind) -> None:
    """Also where nothing of its source is covered: there is nothing to leave out then."""
    table = new(kind, A)
    table.put(0, b"k", TOMBSTONE, b"", 2)
    assert table.retire(B, 0), "of that nothing came"
    table.apply(frame(span(C, 0, 1, (1, record(b"b", 1, B, 2)))))
    assert table.strayed and not table.retire(B, 2) and table.strayed
    assert table.retire(B, 0) and not table.strayed and not table.is_retired(B)
    collect(kind, table, a=1)
    assert keys(table) == [b"b"]
    # Another comes, and then all of it.
    table.apply(frame(span(C, 1, 2, (2, record(b"d", 1, B, 3)))))
    assert table.strayed and table.retire(B, 0) and not table.strayed
    table.apply(frame(span(B, 0, 1, (1, record(b"c", 1, B, 1)))))
    assert table.strayed and table.retire(B, 0) and table.strayed
    assert table.retire(B, 1) and not table.strayed


def test_sources_are_looked_at_that_count_and_of_which_only_a_record_came() -> None:
    table = new(CORE, A)
    table.put(0, b"k", 0, b"v", 2)
    table.apply(frame(span(C, 0, 1, (1, record(b"b", 1, B, 2)))))
    assert table.counted_from(0, 100) == ([A, C, B], None)
    assert [source for source, _ in table.counted()] == [A, C] and not table.counts_in(B)
    table.put(0, b"b", 0, b"v", 3)
    assert table.counted_from(0, 100) == ([A, C, B], None) and table.strayed
    table.retire(B, 0)
    assert table.counted_from(0, 100) == ([A, C], None)


def test_what_lapsed_is_collected_as_well(kind: Kind) -> None:
    table = new(kind, A)
    table.put(0, b"k", 2, b"v", 1, 5)
    collect(kind, table, a=1)
    assert keys(table) == [b"k"]
    table.tick(1.0)
    table.lapse(10)
    collect(kind, table, a=1)
    assert table.records() == []


def test_collecting_goes_on_from_where_it_was() -> None:
    table = new(CORE, A)
    for number in range(6000):
        table.put(0, b"%d" % number, TOMBSTONE, b"", 1)
    everything = vector(CORE, a=6000)
    cursor: int | None = 0
    while cursor is not None:
        before = table.collected
        cursor = table.collect_stable(everything, everything, CLOCK, cursor, 100)
        assert table.collected - before <= 4096, "a step is a segment, if that is more"
    assert len(table) == 0 and table.collected == 6000


def test_a_tombstone_that_was_collected_does_not_come_back_from_a_stale_frame(kind: Kind) -> None:
    table = deleted(kind, B)
    other = new(kind, A)
    parts = frames(kind, table, 4096)
    for part in parts:
        other.apply(part)
    collect(kind, other, b=2)
    for part in [*parts, frame(span(B, 0, 1, (1, record(b"k", 1, B, 1))))]:
        other.apply(part)
    assert other.records() == []


# What it leaves behind.


def test_a_write_is_stamped_above_what_was_deleted_for_good(kind: Kind) -> None:
    table = new(kind, A)
    table.put(0, b"k", TOMBSTONE, b"", 1000)
    collect(kind, table, a=1)
    assert table.write(b"k", 0, b"v", 5) == 1001
    assert table.write(b"other", 0, b"v", 5) == 1001
    assert table.clock == 6, "the clock itself is not moved by it"
    assert table.write(b"late", 0, b"v", 2000) == 2000


def test_who_lacks_a_deletion_is_sent_nothing_until_it_joins(kind: Kind) -> None:
    """Not even ranges of other sources: they may have entries of what was deleted."""
    table = deleted(kind)
    table.apply(frame(span(B, 0, 1, (1, record(b"k", 0, B, 1)))))
    assert table.entries(B) == [(1, 0, b"k")]
    collect(kind, table, a=2)
    assert table.entries(B) == []
    progress = link(kind, table, (A, 1))
    assert table.delta(progress, 4096) is None and progress.below_floor
    progress = link(kind, table, (A, 2))
    (span_,) = read_delta(table.delta(progress, 4096))
    assert span_.source == B and span_.entries == () and not progress.below_floor


def test_a_running_delta_ends_when_a_floor_rises_above_it(kind: Kind) -> None:
    table = deleted(kind)
    for number in range(5):
        table.put(0, b"n%d" % number, 0, b"v", 1)
    progress = link(kind, table)
    assert table.delta(progress, 1) is not None
    collect(kind, table, a=2)
    assert table.delta(progress, 4096) is None and progress.below_floor
    live = link(kind, table, (A, 3))
    assert table.delta(live, 4096) is not None


# The join.

Side = tuple[bytes, int, int, int]
"""(source, counter, stamp, flags) of the record of k."""


def side(kind: Kind, own: bytes, held: Side | None, **covered: int) -> Any:
    """A table that holds this record of k and covers this."""
    table = new(kind, own)
    rows = [({"a": A, "b": B, "c": C, "d": D}[name], n, 0) for name, n in covered.items()]
    if held is not None:
        source, counter, stamp, flags = held
        table.apply_page(
            bytes(write_page([record(b"k", stamp, source, counter, flags=flags)]).data)
        )
    table.finish_join([bytes(write_floors(rows).data)])
    return table


LIVE, GONE = 0, TOMBSTONE
CASES: list[tuple[str, Side | None, dict[str, int], Side | None, dict[str, int], int | None]] = [
    ("nothing here, and not known: taken", None, {}, (A, 1, 5, LIVE), {"a": 1}, 5),
    ("nothing here, and known: deleted here", None, {"a": 1}, (A, 1, 5, LIVE), {"a": 1}, None),
    ("only here, unknown there: kept", (B, 1, 5, LIVE), {"b": 1}, None, {}, 5),
    ("only here, known there: deleted there", (B, 1, 5, LIVE), {"b": 1}, None, {"b": 1}, None),
    ("only here, above there: kept", (B, 2, 5, LIVE), {"b": 2}, None, {"b": 1}, 5),
    ("a tombstone only here, known there: kept", (B, 1, 5, GONE), {"b": 1}, None, {"b": 1}, 5),
    ("both unknown: the higher", (B, 1, 5, LIVE), {"b": 1}, (A, 1, 7, LIVE), {"a": 1}, 7),
    ("both unknown: the higher is here", (B, 1, 7, LIVE), {"b": 1}, (A, 1, 5, LIVE), {"a": 1}, 7),
    (
        "the higher was deleted there: the lower, which is unknown here",
        *((B, 1, 7, LIVE), {"b": 1}, (A, 1, 5, LIVE), {"a": 1, "b": 1}, 5),
    ),
    (
        "the higher was deleted here: the lower stays",
        *((B, 1, 5, LIVE), {"a": 1, "b": 1}, (A, 1, 7, LIVE), {"a": 1}, 5),
    ),
    (
        "each deleted the other's: neither",
        *((B, 1, 5, LIVE), {"a": 1, "b": 1}, (A, 1, 7, LIVE), {"a": 1, "b": 1}, None),
    ),
    (
        "a tombstone here is above, known there: it stays",
        *((B, 1, 7, GONE), {"b": 1}, (A, 1, 5, LIVE), {"a": 1, "b": 1}, 7),
    ),
    ("the same on both sides stays", (A, 1, 5, LIVE), {"a": 1}, (A, 1, 5, LIVE), {"a": 1}, 5),
    (
        "the same at other positions stays",
        *((A, 1, 5, LIVE), {"a": 1, "b": 1}, (A, 1, 5, LIVE), {"a": 1, "b": 1}, 5),
    ),
]


@pytest.mark.parametrize(
    ("held", "covered", "theirs", "cover", "stamp"),
    [case[1:] for case in CASES],
    ids=[case[0] for case in CASES],
)
def test_both_are_tested_against_what_the_other_covers_then_the_higher_stays(
    kind: Kind,
    held: Side | None,
    covered: dict[str, int],
    theirs: Side | None,
    cover: dict[str, int],
    stamp: int | None,
) -> None:
    joiner, giver = side(kind, D, held, **covered), side(kind, C, theirs, **cover)
    dropped = join(giver, joiner)
    found = joiner.get(0, b"k")
    assert (found and found[0]) == stamp
    assert len(dropped) == (held is not None and stamp is None)
    for change in dropped:
        assert change[:4] == (0, b"k", TOMBSTONE, b"")
    for name, counter in cover.items():
        source = {"a": A, "b": B}[name]
        assert joiner.covered(source) >= counter


def test_a_join_brings_tombstones_floors_and_the_floor_stamp(kind: Kind) -> None:
    giver, joiner = deleted(kind), new(kind, D)
    giver.put(0, b"l", TOMBSTONE, b"", 50)
    giver.put(0, b"m", TOMBSTONE, b"", 60)
    giver.put(0, b"n", 0, b"v", 1)
    collect(kind, giver, clock=55, a=3)
    join(giver, joiner)
    assert joiner.records() == giver.records() and keys(joiner) == [b"m", b"n"]
    assert joiner.floor_stamp == 50 and joiner.floor(A) == 5
    assert joiner.write(b"x", 0, b"v", 1) == 51
    # Who joined asks others to join as well, whatever else it could send them.
    joiner.put(0, b"y", 0, b"v", 1)
    progress = link(kind, joiner, (A, 2))
    assert joiner.delta(progress, 4096) is None and progress.below_floor
    progress = link(kind, joiner, (A, 5))
    assert joiner.delta(progress, 4096) is not None


def test_a_floor_stamp_beyond_the_limit_is_believed_up_to_it(kind: Kind) -> None:
    joiner = new(kind, D)
    joiner.finish_join([bytes(write_floors([(A, 1, 0)], stamp=1 << 60).data)], 100)
    assert joiner.floor_stamp == 100


def test_a_floor_page_without_a_stamp_or_with_one_too_high_is_refused() -> None:
    table = new(CORE, D)
    good = bytes(write_floors([(A, 1, 0)], stamp=5).data)
    for bad in (good[:2], b"\x04\x03" + b"\xff" * 9 + b"\x01"):
        before = table.state_bytes()
        with pytest.raises(WireError):
            table.begin_join([bad])
        with pytest.raises(WireError):
            table.finish_join([good, bad])
        assert table.state_bytes() == before


def test_an_abandoned_join_drops_nothing_and_the_next_one_does(kind: Kind) -> None:
    giver = side(kind, C, None, b=1)
    joiner = side(kind, D, (B, 1, 5, LIVE), b=1)
    joiner.begin_join(giver.floor_pages(4096))
    joiner.abandon_join()
    assert joiner.sweep(0, 1 << 20) is None
    assert keys(joiner) == [b"k"]
    assert len(join(giver, joiner)) == 1 and keys(joiner) == []


def test_what_came_with_an_earlier_join_is_not_what_came_with_this_one(kind: Kind) -> None:
    giver, joiner = new(kind, C), new(kind, D)
    giver.put(0, b"k", 0, b"v", 1)
    join(giver, joiner)
    giver.put(0, b"k", TOMBSTONE, b"", 2)
    collect(kind, giver, c=2)
    join(giver, joiner)
    assert keys(joiner) == []


@pytest.mark.parametrize("count", [3, 6, 12, 24])
def test_what_came_with_a_join_stays_wherever_it_comes_to_lie_as_others_go(
    kind: Kind, count: int
) -> None:
    """Records move as others go, from the begin of the index to its end as well."""
    for number in range(40):
        giver, joiner = new(kind, A), new(kind, D)
        names = [b"%d/%d" % (number, each) for each in range(count)]
        for name in names:
            giver.put(0, name, 0, b"v", 1)
        join(giver, joiner)
        for name in names[::2]:
            giver.put(0, name, TOMBSTONE, b"", 2)
        collect(kind, giver, a=count + len(names[::2]))
        dropped = join(giver, joiner)
        assert sorted(change[1] for change in dropped) == sorted(names[::2])
        assert joiner.records() == giver.records() and keys(joiner) == sorted(names[1::2])


@pytest.mark.parametrize("other", ["collect", "reclaim"])
def test_a_join_takes_nothing_away_for_another_pass_that_joins_segments(other: str) -> None:
    """It goes on where a segment began that is a part of another by now: what was swept before is
    not swept again, as nobody knows any more that it came with the join."""
    options = {"segment_slots": 8, "spare_chunks": 0, "log_slack": 0}
    for seed in range(40):
        choose = random.Random(seed)
        giver, joiner = new(CORE, A), new(CORE, D, **options)
        names = [b"%d/%d" % (seed, each) for each in range(100)]
        for name in names:
            giver.put(0, name, 0, bytes(200), 1)
        for name in choose.sample(names, 85):
            giver.put(0, name, TOMBSTONE, b"", 2)
        for part in frames(CORE, giver, 4096):
            joiner.apply(part)
        floors = giver.floor_pages(4096)
        joiner.begin_join(floors)
        cursor: int | None = 0
        while cursor is not None:
            data, cursor = giver.page(cursor, 4096)
            joiner.apply_page(data)
        joiner.finish_join(floors)
        cut = vector(CORE, a=185)
        cursor, collecting = 0, 0
        if other == "reclaim":
            for name in [row[1] for row in joiner.records() if row[6] & TOMBSTONE]:
                joiner.collect(0, name)
        while cursor is not None:
            cursor = joiner.sweep(cursor, 1)
            for _ in range(choose.randrange(4)):
                if other == "reclaim":
                    joiner.trim(choose.randrange(1, 200))
                elif collecting is not None:
                    collecting = joiner.collect_stable(cut, cut, CLOCK, collecting, 1)
        live = [row for row in giver.records() if not row[6] & TOMBSTONE]
        assert [row for row in joiner.records() if not row[6] & TOMBSTONE] == live


def test_who_was_away_brings_back_nothing_and_keeps_its_own_writes(kind: Kind) -> None:
    one, two, away = new(kind, A), new(kind, B), new(kind, C)
    one.put(0, b"k", 0, b"v", 1)
    for table in (two, away):
        table.apply(frames(kind, one, 4096)[0])
    two.put(0, b"k", TOMBSTONE, b"", 2)
    away.put(0, b"mine", 0, b"v", 1)
    for part in frames(kind, two, 4096, (A, 1)):
        one.apply(part)
    for table in (one, two):
        collect(kind, table, a=1, b=1)
        assert keys(table) == []
    progress = link(kind, one, *away.vector().items())
    assert one.delta(progress, 4096) is None and progress.below_floor
    join(one, away)
    assert keys(away) == [b"mine"]
    for part in frames(kind, away, 4096, *one.vector().items()):
        assert one.apply(part) == []
    assert keys(one) == [b"mine"] and one.fingerprint() == away.fingerprint()


def send(sender: Any, receiver: Any, kind: Kind) -> None:
    """All that the receiver lacks; nothing if it is below a floor."""
    for part in frames(kind, sender, 4096, *receiver.vector().items()):
        assert receiver.apply(part) == []


WAYS = {
    "is sent the deletion": False,
    "joins who took it up": True,
    "joins who forgot the deletion later": False,
    "joins who holds the deletion": False,
}
"""How the author hears of others, and whether its record stays then."""


@pytest.mark.parametrize("flags", [EXPIRING, EPHEMERAL])
@pytest.mark.parametrize("way", WAYS)
def test_of_what_ends_by_itself_its_author_has_the_last_word(
    kind: Kind, flags: int, way: str
) -> None:
    """Others forgot a deletion, one before it heard of an older record, one after that: they hold
    different things, and no fingerprint shows it."""
    other, early, late, author = (new(kind, source) for source in (A, B, C, D))
    author.write(b"k", flags, b"\x01", 1, 1000 if flags == EXPIRING else 0)
    other.write(b"k", 0, b"\x02", 2)
    other.write(b"k", TOMBSTONE, b"", 2)
    for table in (early, late):
        send(other, table, kind)
        table.author(D, SHOWN)
    collect(kind, early, a=2)
    if way == "is sent the deletion":
        first, delayed = frames(kind, author, 4096), frames(kind, late, 4096)
        for table, parts in ((early, first), (author, delayed), (late, first)):
            for part in parts:
                table.apply(part)
    else:
        for table in (early, late):
            send(author, table, kind)
    if way != "joins who holds the deletion":
        collect(kind, late, a=2)
    if way != "is sent the deletion":
        assert (early.value(b"k"), late.value(b"k")) == (b"\x01", None)
        join(early if way == "joins who took it up" else late, author)
    for table in (early, late):
        send(author, table, kind)
    tables = [early, late, author]
    assert [table.value(b"k") for table in tables] == [b"\x01" if WAYS[way] else None] * 3
    assert len({table.fingerprint() for table in tables}) == 1


def test_what_all_have_seen_is_not_said_anew(kind: Kind) -> None:
    author, other = new(kind, A), new(kind, B)
    author.write(b"k", EPHEMERAL, b"v", 1)
    collect(kind, author, a=1)
    send(author, other, kind)
    join(other, author)
    assert author.counter == 1
    other.write(b"k", TOMBSTONE, b"", 9)
    send(other, author, kind)
    assert author.counter == 1 and author.value(b"k") is None


def test_what_cannot_be_stamped_higher_is_not_said_anew(kind: Kind) -> None:
    author = new(kind, A)
    author.write(b"k", EPHEMERAL, b"v", 1)
    highest = record(b"k", STAMP_MAX, B, 1, flags=TOMBSTONE)
    author.apply(frame(span(B, 0, 1, (1, highest))))
    assert author.counter == 1 and author.value(b"k") is None


FOUND: dict[type[Any], Callable[[Kind], None]] = {
    mutants.TakesTheMaximumFirst: lambda kind: (
        test_both_are_tested_against_what_the_other_covers_then_the_higher_stays(
            kind, *CASES[8][1:]
        )
    ),
    mutants.HandsOnNoFloors: test_a_join_brings_tombstones_floors_and_the_floor_stamp,
    mutants.HandsOnNoFloorStamp: test_a_join_brings_tombstones_floors_and_the_floor_stamp,
    mutants.PushesBelowAFloor: test_who_lacks_a_deletion_is_sent_nothing_until_it_joins,
    mutants.CollectsWithARecordAbove: test_nothing_goes_while_a_record_lies_above_the_vector,
}
"""Bugs too rare for random schedules, and which test finds each."""


@pytest.mark.parametrize("mutant", FOUND, ids=lambda mutant: mutant.__name__)
def test_a_rare_planted_bug_is_found(mutant: type[Any]) -> None:
    with pytest.raises(AssertionError):
        FOUND[mutant](Kind(mutant, NAIVE.progress))


PLANTED = {
    "no_floor_stamp": test_a_write_is_stamped_above_what_was_deleted_for_good,
    "push_below_a_floor": test_who_lacks_a_deletion_is_sent_nothing_until_it_joins,
    "join_takes_the_maximum_first": FOUND[mutants.TakesTheMaximumFirst],
    "join_trusts_absence_above_the_vector": lambda kind: (
        test_both_are_tested_against_what_the_other_covers_then_the_higher_stays(
            kind, *CASES[2][1:]
        )
    ),
    "join_without_tombstones": test_a_join_brings_tombstones_floors_and_the_floor_stamp,
    "floors_not_handed_on": test_a_join_brings_tombstones_floors_and_the_floor_stamp,
    "collected_before_the_slowest": test_what_is_above_the_cut_or_the_clock_or_live_stays,
    "collected_with_a_record_above": test_nothing_goes_while_a_record_lies_above_the_vector,
    "collected_before_the_clock": test_what_is_above_the_cut_or_the_clock_or_live_stays,
    "swept_twice_where_segments_join": lambda _: (
        test_a_join_takes_nothing_away_for_another_pass_that_joins_segments("collect")
    ),
    "author_without_the_last_word": lambda kind: (
        test_of_what_ends_by_itself_its_author_has_the_last_word(
            kind, EPHEMERAL, "joins who took it up"
        )
    ),
    "collected_by_an_old_cut": test_nothing_goes_before_all_is_covered_that_anybody_covered,
    "join_by_position": lambda kind: (
        test_both_are_tested_against_what_the_other_covers_then_the_higher_stays(
            kind, *CASES[12][1:]
        )
    ),
    "never_collected": (test_a_tombstone_at_the_cut_is_dropped_and_its_floor_and_floor_stamp_rise),
}
"""Bugs planted in the core, and which test finds each."""


@pytest.mark.planted
@pytest.mark.parametrize("bug", PLANTED)
def test_a_bug_planted_in_the_core_is_found(bug: str) -> None:
    core.plant(core.PLANTED[bug])
    try:
        with pytest.raises(AssertionError):
            PLANTED[bug](CORE)
    finally:
        core.plant(0)
