"""Collecting: when a deletion may be forgotten, agreed on by all members without a coordinator.

A tombstone may go once every member covers its position, and once this node covers whatever any of
them held when it came to cover it: nothing that is older can then come from anybody but one who was
away, and who was away joins. That is found out in rounds, by one small record of each member in the
control table. A member says in round n

* how far its own numbering had come: its *counter* of this round and that of the round before;
* that it covers all counters of round n - 1, and that no record it ever merged lies above its
  vector: it is *sure*;
* a *digest* of whom it counts as members, and of what it covers of all other sources, which nobody
  writes under any more.

It says so once all have said round n - 1, so no two members are ever more than a round apart. When
all are sure in round n, and their digests are this node's own, the counters of round n - 1 are a
lower bound of what anybody covers of the members' sources (the *cut*, stable in the sense of
Mattern, 1989); of the others all cover the same, and who knows that it misses some that is retired
says no round until it has that. What was written by somebody who did not cover the
cut yet has a position up to its counter of round n: a node that covers those, too, collects.

A report is in no fingerprint, as a record that expires, in ten years: once its author's source is
retired nobody believes it, and each node drops it by itself (retiring).

Who counts is everybody alive, or dead for less than `dead_retention`: a member that is away holds
up all others for so long. Rounds go on only while there are tombstones and something has changed;
they are so far apart that their records cost each a few kilobytes a second at any number of
members. It must not know links or how records travel.
"""

from __future__ import annotations

from math import inf
from struct import Struct

from vines._core.table import EXPIRING, LEFT_MAX, TOMBSTONE
from vines._core.vector import VersionVector
from vines.errors import WireError
from vines.hashes import blake2b
from vines.hints import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from vines._core.table import Table
    from vines.config import Config
    from vines.protocol.machine import Clock

REPORT: Final = 9
"""The family of these records; key = node id."""
ROUND_SECONDS_EACH: Final = 0.02
"""Between two rounds, for each member: records of 100 bytes from all to all, 5 KB a second."""
LOOK_SECONDS: Final = 0.1
"""From a report that came to looking at all of them: others come with it."""
LOOK_SECONDS_EACH: Final = 0.0005
"""More of it for each member, as a look goes over all of them."""
AGAIN_SECONDS: Final = 60.0
"""From one pass over the table to the next by the same cut: clocks pass stamps meanwhile; and from
one round to the next of members that do not say the same."""
SLOTS: Final = 8192
"""Of the table's index, looked at in one turn: about a millisecond."""
ENTRIES: Final = 16384
"""Of the logs, dropped in one turn."""
LOOK_SECONDS_MAX: Final = 5.0
"""Where the doubling of it ends, while nothing comes."""
NONE: Final = (1 << 64) - 1
"""Instead of the counter of the round before, where there was none."""
SURE: Final = 1
"""Mark of a report: its author covers all counters of the round before."""

LOGICAL_BITS: Final = 16
"""Of a stamp of data, below its milliseconds."""

_VALUE: Final = Struct("<QQQB16s")
_STAMP_MAX: Final = (1 << 63) - 1
_COUNTER_MAX: Final = (1 << 48) - 1
_ROUND_MAX: Final = 1 << 62
"""The last of a circle: the round after it is 1, so that none stops them, whoever claims it."""


def after(number: int) -> int:
    """The round after this one."""
    return number % _ROUND_MAX + 1


def ahead(one: int, other: int) -> int:
    """How many rounds one is after another; below 0: before it. Members that take part are a round
    apart at most, so the shorter way around the circle is meant.
    """
    half = _ROUND_MAX // 2
    return (one - other + half) % _ROUND_MAX - half


class Report(NamedTuple):
    """What a member says in one round."""

    round: int
    counter: int
    previous: int
    sure: bool
    digest: bytes

    def encode(self) -> bytes:
        """The value of the record."""
        marks = SURE if self.sure else 0
        return _VALUE.pack(self.round, self.counter, self.previous, marks, self.digest)

    @classmethod
    def decode(cls, value: bytes) -> Report:
        """The report in a record's value. WireError: stored, but not believed."""
        if len(value) != _VALUE.size:
            raise WireError("a report of another length")
        number, counter, previous, marks, digest = _VALUE.unpack(value)
        if not 0 < number <= _ROUND_MAX or counter > _COUNTER_MAX or marks & ~SURE:
            raise WireError("a report of an impossible round, counter or mark")
        if previous != NONE and previous > counter:
            raise WireError("a report of a counter that fell")
        return cls(number, counter, previous, bool(marks & SURE), digest)

    def counter_of(self, number: int) -> int | None:
        """The author's counter of this round, if the report says it."""
        if number == self.round:
            return self.counter
        return self.previous if after(number) == self.round and self.previous != NONE else None


class Collecting:
    """One node's part in the rounds, and what it collects by them."""

    def __init__(
        self,
        config: Config,
        id: bytes,
        clock: Clock,
        tables: tuple[Table, Table],
        members: Callable[[], list[tuple[bytes, bytes]]],
        now: float,
    ) -> None:
        self.rounds = 0
        """Reports made."""
        self.complete: Callable[[], bool] = lambda: True
        """Whether nothing is missed here of sources that are retired: set by who knows."""
        self._interval = config.collect_interval
        self._id = id
        self._clock = clock
        self._control, self._data = tables
        self._members = members
        self._source = b""
        """Under which the last report was made."""
        self._stamp = 0
        """Of that one: others may hold it still when it is gone here."""
        self._mine = Report(1, 0, NONE, False, b"")
        self._cut: dict[bytes, int] | None = None
        """The counters of the round before the last report, if it was sure."""
        self._passed = 0
        """The round of the last pass."""
        self._again = 0.0
        """When the next one by the same cut may begin."""
        self._doubt = 0.0
        """When the next round may begin for no reason but that others said something else."""
        self._pass: tuple[VersionVector, VersionVector, int, int | None] | None = None
        """Cut, bound, clock and cursor of the pass under way; no cursor: logs are trimmed."""
        self._waited: list[tuple[bytes, bytes]] = []
        """Who was counted as that began."""
        self._behind = False
        """Others have said a round that this node has not."""
        self._phase = int.from_bytes(id[:2], "big") / 0xFFFF
        """Of this node's timers, 0 to 1: lest all begin a round at once."""
        self._pause = LOOK_SECONDS
        self._begin = now + self._interval * self._phase
        """When this node may begin the next round."""
        self._look = self._begin

    def reported(self, now: float) -> None:
        """A report came: look at all of them soon."""
        self._behind = True
        self._pause = LOOK_SECONDS
        self._look = min(self._look, now + LOOK_SECONDS)

    def due(self) -> float:
        """When `advance` has something; infinity if never. Asked in every turn."""
        if self._pass is not None:
            return 0.0
        return self._look if self._behind or self._data.tombstones else inf

    def advance(self, now: float) -> None:
        """Go on with a pass, or look where the round stands."""
        if self._pass is not None:
            self._step(now)
        elif now >= self._look:
            members = self._members()
            self._pause = min(2 * self._pause, LOOK_SECONDS_MAX)
            self._look = now + self._pause + LOOK_SECONDS_EACH * len(members)
            self._behind = False
            self._consider(members, now)
            if self._pass is not None:
                self._waited = members

    def waited(self) -> list[tuple[bytes, bytes]]:
        """The ids and sources of those who have to know of a deletion before it is forgotten. Who
        comes while some are does not: it has nothing, or joins, as it is below a floor then.
        """
        return self._waited if self._pass is not None else self._members()

    def _consider(self, members: list[tuple[bytes, bytes]], now: float) -> None:
        reports = {source: self._read(member, source) for member, source in members}
        known = [report for report in reports.values() if report is not None]
        held = self._control.get(REPORT, self._id)
        reporting = held is not None and held[1] == self._source == self._data.source
        if held is not None and held[2] & TOMBSTONE:
            reporting = False
        mine = self._mine.round
        latest = max(
            (report.round for report in known), key=lambda each: ahead(each, mine), default=0
        )
        if not reporting or (latest and ahead(latest, mine) > 1):
            # As who has just come, or counted others than they do: nothing is known of before.
            if latest or self._data.tombstones:
                self._say(max(latest, 1), NONE, None, reports, now)
            else:
                # Reports may come before it is known who their authors are, and then no others.
                self._behind = self._control.count(REPORT) > 0
            return
        self._behind = latest != 0 and ahead(latest, mine) > 0
        if len(known) < len(reports) or any(ahead(each.round, mine) < 0 for each in known):
            return
        digest = self._digest(reports)
        if self._may_collect(known, digest, now):
            self._collect(reports, now)
        if self._behind or (
            now >= self._begin
            and self._data.tombstones
            and (self._has_changed(known, digest) or self._is_at_odds(known, digest, now))
        ):
            self._go_on(reports, now)

    def _read(self, member: bytes, source: bytes) -> Report | None:
        """What a member said last, if its start of now said it."""
        held = self._control.get(REPORT, member)
        if held is None or held[1] != source:
            return None
        try:
            return Report.decode(held[3])
        except WireError:
            return None

    def _digest(self, reports: dict[bytes, Report | None]) -> bytes:
        """Of whom this node counts, and of what it covers of all other sources."""
        sources = sorted([self._data.source, *reports])
        digest = blake2b(self._data.rest(sources), digest_size=16, person=b"vines-collect")
        digest.update(b"".join(sources))
        return digest.digest()

    def _has_changed(self, known: list[Report], digest: bytes) -> bool:
        """Whether another round would say anything new."""
        mine = (self._mine.counter, self._mine.digest) == (self._data.counter, digest)
        return not mine or any(
            not each.sure or each.counter != each.previous for each in (self._mine, *known)
        )

    def _is_at_odds(self, known: list[Report], digest: bytes, now: float) -> bool:
        """Whether somebody has said something else for long. It may think as this node by now, and
        say nothing of it: whoever holds no deletions begins no round.
        """
        return now >= self._doubt and any(each.digest != digest for each in known)

    def _go_on(self, reports: dict[bytes, Report | None], now: float) -> None:
        """Say the next round, once all that was said in this one is covered here."""
        counters: dict[bytes, int] = {self._data.source: self._mine.counter}
        sure = True
        for source, report in reports.items():
            counter = report.counter_of(self._mine.round) if report is not None else None
            if counter is None:
                sure = False
            elif self._data.covered(source) < counter:
                return
            else:
                counters[source] = counter
        if not self._data.strayed and self.complete():
            cut = counters if sure else None
            self._say(after(self._mine.round), self._mine.counter, cut, reports, now)

    def _say(
        self,
        number: int,
        previous: int,
        cut: dict[bytes, int] | None,
        reports: dict[bytes, Report | None],
        now: float,
    ) -> None:
        counter = self._data.counter
        report = Report(number, counter, previous, cut is not None, self._digest(reports))
        held = self._control.get(REPORT, self._id)
        stamp = max(self._clock(), self._stamp + 1, held[0] + 1 if held is not None else 0)
        if stamp > _STAMP_MAX:
            return
        self._control.put(REPORT, self._id, EXPIRING, report.encode(), stamp, LEFT_MAX)
        self.rounds += 1
        self._stamp = stamp
        self._mine, self._cut, self._source = report, cut, self._data.source
        self._behind = False
        pause = self._interval + ROUND_SECONDS_EACH * len(reports)
        self._begin = now + pause * (1.0 + self._phase / 2)
        self._pause = LOOK_SECONDS
        self._look = now + LOOK_SECONDS
        self._doubt = now + AGAIN_SECONDS

    def _may_collect(self, known: list[Report], digest: bytes, now: float) -> bool:
        """Whether all have confirmed the cut, and there may be something at or below it."""
        if self._cut is None or not self._data.tombstones:
            return False
        if self._passed == self._mine.round and now < self._again:
            return False
        return all(each.sure and each.digest == digest for each in known)

    def _collect(self, reports: dict[bytes, Report | None], now: float) -> None:
        """Begin a pass, if all is covered here that others held when they covered the cut."""
        assert self._cut is not None, "asked before"
        bound = VersionVector()
        for source, report in reports.items():
            assert report is not None, "asked before"
            bound.raise_to(source, report.counter)
            if self._data.covered(source) < report.counter:
                return
        cut = VersionVector()
        mine = self._data.source
        # Of retired sources it is known that all is covered by who counts; there may be many.
        for source, counter in self._data.counted():
            live = source == mine or source in reports
            cut.raise_to(source, self._cut.get(source, 0) if live else counter)
        self._pass = (cut, bound, self._clock() << LOGICAL_BITS, 0)
        self._passed = self._mine.round
        self._again = now + AGAIN_SECONDS

    def _step(self, now: float) -> None:
        assert self._pass is not None, "asked before"
        cut, bound, clock, cursor = self._pass
        if cursor is not None:
            cursor = self._data.collect_stable(cut, bound, clock, cursor, SLOTS)
            self._pass = (cut, bound, clock, cursor)
        elif not self._data.trim(ENTRIES):
            self._pass = None
            self._look = now + LOOK_SECONDS
