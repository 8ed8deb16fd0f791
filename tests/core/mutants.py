"""Naive tables with one planted bug each: what the tests of this directory must be able to find."""

from __future__ import annotations

from typing import Any

from . import model
from .forms import ENDED, EPHEMERAL, HIDDEN, Expiring, Range, Record, left_of, write_floors
from .model import Table
from .model_progress import Progress
from .reading import read_vector


class PassesTheGap(Table):
    """A delta leaves out entries whose record lives at another source, and still claims their
    range."""

    def gather(self, progress: Progress, budget: int) -> list[Range]:
        return [
            Range(source, start, end, tuple(e for e in entries if e[1].source == source))
            for source, start, end, entries in super().gather(progress, budget)
        ]


class LogsOnlyOwnPositions(Table):
    """An entry is not logged at the position it came for."""

    def log(self, source: bytes, counter: int, record: Record) -> None:
        if source == record.source:
            super().log(source, counter, record)


class SkipsCoveredRanges(Table):
    """A covered range skips a record that lives elsewhere, above the vector."""

    def apply_range(self, span: Range, *rest: Any) -> bool:
        return span.end <= self.covered(span.source) or super().apply_range(span, *rest)


class SendsOncePerLink(Table):
    """A record sent in one delta is left out of the next ones."""

    def gather(self, progress: Progress, budget: int) -> list[Range]:
        sent: set[Record] = progress.__dict__.setdefault("sent", set())
        ranges = [
            Range(source, start, end, tuple(e for e in entries if e[1] not in sent))
            for source, start, end, entries in super().gather(progress, budget)
        ]
        sent.update(record for span in ranges for _, record in span.entries)
        return ranges


class SkipsTheGapCheck(Table):
    """A range that starts above what is held is applied."""

    def apply_range(self, span: Range, *rest: Any) -> bool:
        return super().apply_range(span._replace(start=0), *rest)


class BelievesReceivedVectors(Progress):
    """A received vector is merged into one's own."""

    def read_page(self, page: bytes, offset: int = 0) -> bool:
        for source, counter in read_vector(page, offset)[1]:
            self.table.counters[source] = max(self.table.counters.get(source, 0), counter)
        return super().read_page(page, offset)


class KeepsTies(Table):
    """Equal stamps are not decided by the origin."""

    def wins(self, record: Record) -> bool:
        held = self.held.get((record.family, record.key))
        return held is None or record.stamp > held.stamp


class LastWriterLoses(Table):
    """The conflict order is inverted."""

    def wins(self, record: Record) -> bool:
        held = self.held.get((record.family, record.key))
        return held is None or record.order < held.order


class DropsTombstones(Table):
    """A tombstone is dropped at once, with the record it replaces."""

    def take(self, record: Record, limit: int) -> None:
        super().take(record, limit)
        if record.flags & model.TOMBSTONE:
            del self.held[record.family, record.key]


class CoversBeforeRecords(Table):
    """A delta that was cut claims its whole range."""

    def gather(self, progress: Progress, budget: int) -> list[Range]:
        return [
            Range(source, start, self.covered(source), entries)
            for source, start, _, entries in super().gather(progress, budget)
        ]


class ForgetsFloors(Table):
    """A range is served although part of it was dropped from the log."""

    def floor(self, source: bytes) -> int:
        return 0


class JoinsWithoutFloors(Table):
    """A join raises the vector but not the floor."""

    def finish_join(self, floors: list[bytes], *rest: Any) -> None:
        before = dict(self.floors)
        super().finish_join(floors, *rest)
        self.floors = before


class JoinsTooEarly(Table):
    """A join raises the vector before its last page."""

    def floor_pages(self, budget: int) -> list[bytes]:
        self.begun = super().floor_pages(budget)
        return self.begun

    def apply_page(self, page: bytes, *rest: Any) -> None:
        super().apply_page(page, *rest)
        for record in list(self.held.values()):
            self.cover(record.source, record.counter)


class CompactsSameKey(Table):
    """An entry is dropped because a later one of its source has the same key."""

    def log(self, source: bytes, counter: int, record: Record) -> None:
        log = self.logs.setdefault(source, {})
        for number in [n for n, key in log.items() if key == (record.family, record.key)]:
            del log[number]
        super().log(source, counter, record)


class SendsStaleRecords(Table):
    """A delta sends what the entry's key held when it was logged, not what it holds now."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.once: dict[tuple[int, bytes], Record] = {}

    def current(self, key: model.Key) -> Record:
        return self.once.setdefault(key, super().current(key))


class DropsUnknownFlags(Table):
    """A flag this version does not know is not stored."""

    def take(self, record: Record, limit: int) -> None:
        super().take(record._replace(flags=record.flags & 7), limit)


class CountsTombstonesAsState(Table):
    """The state fingerprint contains tombstones."""

    def fingerprint(self) -> bytes:
        held = self.held
        self.held = {key: record._replace(flags=0) for key, record in held.items()}
        result = super().fingerprint()
        self.held = held
        return result


class OverrunsTheBudget(Table):
    """A delta is larger than it may be."""

    def gather(self, progress: Progress, budget: int) -> list[Range]:
        return super().gather(progress, budget + 600)


class RestartsTheClock(Table):
    """What is sent of a time is as long as it was at first."""

    def hold(self, record: Record, left: int) -> None:
        super().hold(record, left)
        self.first = {**getattr(self, "first", {}), (record.family, record.key): left}

    def current(self, key: model.Key) -> Record:
        record = self.held[key]
        return Expiring.of(record, self.first[key]) if key in self.deadlines else record


class SendsWhatIsDue(Table):
    """A record that is due, and has not lapsed, is sent for a last millisecond."""

    def current(self, key: model.Key) -> Record:
        left = max(1, self.deadlines.get(key, 0) - self.now)
        return Expiring.of(self.held[key], left) if key in self.deadlines else self.held[key]


class KeepsTheLaterEnd(Table):
    """Of two ends of one record the later stays."""

    def merge(self, record: Record, *rest: Any) -> None:
        key = record.family, record.key
        before = self.held.get(key), self.deadlines.get(key, 0)
        super().merge(record, *rest)
        if key in self.deadlines and before == (self.held[key], before[1]):
            self.deadlines[key] = max(before[1], self.now + left_of(record))


class KeepsTheTime(Table):
    """A later write does not end the time of what it replaces."""

    def hold(self, record: Record, left: int) -> None:
        key = record.family, record.key
        deadline = self.deadlines.get(key)
        super().hold(record, left)
        if deadline is not None and not left and record.flags & model.EXPIRING == 0:
            self.deadlines[key] = deadline


class LapsesByWriting(Table):
    """A lapse is numbered, as a write is."""

    def lapse(self, limit: int, changes: list[model.Change] | None = None) -> int:
        count = super().lapse(limit, changes)
        self.sequence += count
        return count


class DropsOnAFalseDeath(Table):
    """What belongs to an author that is held dead is dropped, and not only hidden."""

    def author(self, source: bytes, fate: int) -> None:
        super().author(source, ENDED if fate == HIDDEN else fate)


class CountsEphemeralAsState(Table):
    """The state fingerprint contains ephemeral records."""

    def fingerprint(self) -> bytes:
        held = self.held
        self.held = {key: r._replace(flags=r.flags & ~EPHEMERAL) for key, r in held.items()}
        result = super().fingerprint()
        self.held = held
        return result


class ShowsWhateverComes(Table):
    """A record is shown whose author is held dead, because it came after that was known."""

    def hold(self, record: Record, left: int) -> None:
        super().hold(record, left)
        self.concealed.discard((record.family, record.key))


class DoesNotSendWhatIsHidden(Table):
    """What is hidden here is not passed on as it is."""

    def current(self, key: model.Key) -> Record:
        record = super().current(key)
        return model.lapsed(record) if key in self.concealed else record


class CollectsAtOnce(Table):
    """A tombstone is dropped once its position is covered here."""

    def stable(self, record: Record, cut: dict[bytes, int], clock: int) -> bool:
        return record.counter <= self.covered(record.source)


class NeverCollects(Table):
    """No tombstone is ever dropped."""

    def stable(self, record: Record, cut: dict[bytes, int], clock: int) -> bool:
        return False


class CollectsBeforeTheClock(Table):
    """A tombstone is dropped though clocks are behind its stamp."""

    def stable(self, record: Record, cut: dict[bytes, int], clock: int) -> bool:
        return record.counter <= cut.get(record.source, 0)


class CollectsWithARecordAbove(Table):
    """A tombstone is dropped though a record was merged whose position is not covered."""

    strayed = False


class CollectsByAnOldCut(Table):
    """A tombstone is dropped though this replica does not cover all that made up the cut."""

    def may_collect(self, bound: dict[bytes, int]) -> bool:
        return not self.strayed


class StampsBelowTheFloor(Table):
    """A write of a key that was deleted for good may be stamped below the tombstone."""

    def write(self, key: bytes, flags: int, value: bytes, wall: int, left: int = 0) -> int:
        floor, self.floor_stamp = self.floor_stamp, 0
        stamp = super().write(key, flags, value, wall, left)
        self.floor_stamp = floor
        return stamp


class PushesBelowAFloor(Table):
    """Whoever may hold what was deleted is sent ranges all the same."""

    def is_below(self, progress: Progress) -> bool:
        return False


class RaisesNoFloor(Table):
    """A tombstone that is dropped leaves the floor where it was."""

    def collect(self, key: model.Key, record: Record) -> None:
        self.drop(key)
        self.floor_stamp = max(self.floor_stamp, record.stamp)
        self.collected += 1


class JoinsWithoutTombstones(Table):
    """A join leaves the tombstones out."""

    def page(self, cursor: int, budget: int) -> tuple[bytes, int | None]:
        held = self.held
        self.held = {key: r for key, r in held.items() if not r.flags & model.TOMBSTONE}
        result = super().page(cursor, budget)
        self.held = held
        return result


class TakesTheMaximumFirst(Table):
    """A record that was deleted keeps out a lower one that was not."""

    def merge(self, record: Record, limit: int, changes: Any, deleted: bool = False) -> None:
        super().merge(record, limit, changes)


class TrustsAbsence(Table):
    """What the other side of a join does not hold is dropped, though it never knew of it."""

    def deleted(self, record: Record) -> bool:
        return not record.flags & model.TOMBSTONE


class KeepsWhatWasDeleted(Table):
    """A join only adds."""

    def deleted(self, record: Record) -> bool:
        return False


class DropsTombstonesInAJoin(Table):
    """A tombstone that the other side does not hold, and covers, is dropped."""

    def deleted(self, record: Record) -> bool:
        assert self.joined is not None
        return record.counter <= self.joined.get(record.source, 0)


class HandsOnNoFloors(Table):
    """A join hands on no floors."""

    def floor_pages(self, budget: int) -> list[bytes]:
        items = [(source, counter, 0) for source, counter in self.counters.items()]
        return [bytes(write_floors(items, stamp=self.floor_stamp).data)]


class HandsOnNoFloorStamp(Table):
    """A join hands on no floor stamp."""

    def floor_pages(self, budget: int) -> list[bytes]:
        stamp, self.floor_stamp = self.floor_stamp, 0
        pages = super().floor_pages(budget)
        self.floor_stamp = stamp
        return pages


TABLES: list[type[Table]] = [
    PassesTheGap,
    LogsOnlyOwnPositions,
    SkipsCoveredRanges,
    SendsOncePerLink,
    SkipsTheGapCheck,
    KeepsTies,
    LastWriterLoses,
    DropsTombstones,
    CoversBeforeRecords,
    ForgetsFloors,
    JoinsWithoutFloors,
    JoinsTooEarly,
    CompactsSameKey,
    SendsStaleRecords,
    DropsUnknownFlags,
    CountsTombstonesAsState,
    OverrunsTheBudget,
    RestartsTheClock,
    SendsWhatIsDue,
    KeepsTheLaterEnd,
    KeepsTheTime,
    LapsesByWriting,
    DropsOnAFalseDeath,
    CountsEphemeralAsState,
    ShowsWhateverComes,
    DoesNotSendWhatIsHidden,
    CollectsAtOnce,
    NeverCollects,
    CollectsBeforeTheClock,
    CollectsWithARecordAbove,
    CollectsByAnOldCut,
    StampsBelowTheFloor,
    PushesBelowAFloor,
    RaisesNoFloor,
    JoinsWithoutTombstones,
    TakesTheMaximumFirst,
    TrustsAbsence,
    KeepsWhatWasDeleted,
    DropsTombstonesInAJoin,
    HandsOnNoFloors,
    HandsOnNoFloorStamp,
]
RARE: list[type[Table]] = [
    TakesTheMaximumFirst,
    HandsOnNoFloors,
    HandsOnNoFloorStamp,
    PushesBelowAFloor,
    CollectsWithARecordAbove,
]
"""Those that take more schedules than there are: tests of their own find them."""
PROGRESSES: list[type[Progress]] = [BelievesReceivedVectors]
