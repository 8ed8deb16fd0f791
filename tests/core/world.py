"""A handful of replicas and the frames between them, checked against the oracle after every step.

Each replica is a table under test and its twin, a naive one that is told the same. The world alone
knows the whole history of writes, so it can say at any moment whether *covered* means what it must
(replication: section 1, rule 2). Links deliver in any order, twice or never; `heal` then exchanges
until nothing is missing, and everything must agree.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vines._core.changes import Changes
from vines._core.vector import VersionVector

from . import model
from .forms import (
    ENDED,
    EPHEMERAL,
    EXPIRING,
    FIRST,
    HIDDEN,
    LAST,
    LEFT_MAX,
    SHOWN,
    TOMBSTONE,
    fades,
    left_of,
    write_vector,
)
from .model_progress import Progress
from .model_vector import VersionVector as NaiveVector
from .reading import fits, read_delta, read_page

FINGERPRINT_KEY = bytes(range(16))
INDEX_KEY = bytes(range(16, 32))


class Kind(NamedTuple):
    """An implementation of a table: what makes one, and what makes a progress of one."""

    table: Callable[..., Any]
    progress: Callable[[Any], Any]


NAIVE = Kind(model.Table, Progress)


class Write(NamedTuple):
    """What the world remembers of a write, by (source, counter)."""

    family: int
    key: bytes
    order: tuple[int, bytes]
    over: dict[bytes, int]
    """What its author covered."""


class Cut(NamedTuple):
    """What all replicas that count covered at one time: the least, and the most."""

    least: NaiveVector
    most: NaiveVector
    replicas: list[Replica]


def same(one: Any, other: Any) -> bool:
    """Whether two tables hold the same, but for what was deleted or lapses: tombstones are dropped
    by each in its own time."""
    return live(one) == live(other)


def live(table: Any) -> list[tuple[Any, ...]]:
    """The records of a table that stay."""
    fading = TOMBSTONE | EXPIRING | EPHEMERAL
    return [record for record in table.records() if not record[6] & fading]


def steady(table: Any) -> list[Any]:
    """The records that no author's life ends."""
    return [record for record in table.records() if not record[6] & EPHEMERAL]


@dataclass
class Replica:
    """A table under test, its twin, and what only rises in it."""

    kind: Kind
    table: Any
    twin: model.Table
    floors: dict[bytes, int] = field(default_factory=dict)
    collected: dict[tuple[int, bytes], Write] = field(default_factory=dict)
    """The highest deletion dropped here, by key."""
    collecting: Pass | None = None
    ending: tuple[int, int] | None = None
    """The join whose sweep is under way here, which needs its giver no more."""
    sweep: Sweep = field(default_factory=lambda: Sweep(0, {}))
    loose: bool = False
    """A pass took something away and logs have not been trimmed since."""
    untold: set[tuple[int, bytes]] = field(default_factory=set)
    """Keys whose deletion a giver forgot while this replica joined, or the giver's giver: neither
    the deletion nor a floor above it came with that. So ranges may leave out what it deleted for
    who knows of no deletion either: a fingerprint shows it, and a join takes it away."""


@dataclass
class Link:
    """One direction of a link: what the sender thinks of the receiver, and frames on their way."""

    progress: Any
    frames: list[bytes] = field(default_factory=list)
    most: dict[bytes, int] = field(default_factory=dict)
    """The most that the receiver can be taken to hold, by what it said, sent and was sent."""
    lacks: bool = False
    """It said that it lacks of a retired source what none sends."""

    def note(self, source: bytes, counter: int) -> None:
        self.most[source] = max(counter, self.most.get(source, 0))


@dataclass
class Join:
    """A join by pages in the middle of its course."""

    floors: list[bytes]
    cursor: int = 0
    untold: set[tuple[int, bytes]] = field(default_factory=set)


@dataclass
class Sweep:
    """The end of a join: what of the table is looked at next, and what has to go."""

    cursor: int
    goes: dict[tuple[int, bytes], model.Record]


@dataclass
class Pass:
    """A pass that collects: by what cut, how far it has come, and what has to go."""

    cut: Cut
    clock: int
    cursor: int
    goes: dict[tuple[int, bytes], model.Record]


class World:
    """Replicas 0, 1, 2 ... and everything that can happen between them."""

    def __init__(self, kinds: list[Kind], **options: int) -> None:
        self.options = {"log_slack": 65536, "horizon": 65536, **options}
        self.started = self.now = 0
        self.history: dict[tuple[bytes, int], Write] = {}
        self.replicas = [self._replica(kind) for kind in kinds]
        self.links: dict[tuple[int, int], Link] = {}
        self.joins: dict[tuple[int, int], Join] = {}
        self.strays: list[tuple[int, bytes]] = []
        self.cut_: Cut | None = None
        self.away: set[int] = set()
        self.collected: dict[tuple[int, bytes], tuple[int, bytes]] = {}
        """The highest deletion dropped anywhere, by key."""
        self.retired: dict[bytes, int] = {}
        """Sources nobody writes under any more, and all there was of them when that was said."""
        self.seen: dict[str, int] = {}

    def saw(self, event: str) -> None:
        """Count a rare path, so that a run can show that it went there."""
        self.seen[event] = self.seen.get(event, 0) + 1

    def fresh_source(self) -> bytes:
        """Ids whose byte order is not the order of their making, and disagrees with signed
        comparison."""
        self.started += 1
        return bytes([(self.started * 101) % 256]) + self.started.to_bytes(15, "big")

    def _replica(self, kind: Kind) -> Replica:
        source = self.fresh_source()
        table = kind.table(source, FINGERPRINT_KEY, INDEX_KEY, **self.options)
        replica = Replica(kind, table, model.Table(source, FINGERPRINT_KEY, INDEX_KEY))
        self._tell(replica)
        return replica

    def _tell(self, replica: Replica) -> None:
        due = replica.table.tick(self.now / 1000)
        assert due == replica.twin.tick(self.now / 1000) == (replica.twin.due() * 1000 <= self.now)

    def pass_time(self, milliseconds: int) -> None:
        """It is later, for everybody."""
        self.now += milliseconds
        for at, replica in enumerate(self.replicas):
            self._tell(replica)
            self.check(at)

    def lapse(self, at: int, limit: int) -> None:
        """A replica lets lapse what is due, and does what it heard of authors, or some of it."""
        replica = self.replicas[at]
        changes = Changes()
        sequence, fingerprint = replica.table.sequence, replica.table.fingerprint()
        count = replica.table.lapse(limit, changes)
        self._follow(replica, changes, count, limit)
        assert count == limit or replica.table.due() * 1000 > self.now
        assert (sequence, fingerprint) == (replica.table.sequence, replica.table.fingerprint())
        self.check(at)

    def _follow(self, replica: Replica, changes: Changes, count: int, limit: int) -> None:
        """Let the twin do what was told, and what nobody sees as far as the table did it: of those
        that may be first any is."""
        twin, silent = replica.twin, 0
        flags_of = {record[:2]: record[6] for record in replica.table.records()}
        for key in twin.hidden():
            if flags_of[key] & TOMBSTONE:  # nobody sees that what was hidden ends
                due = twin.deadlines.get(key, self.now + 1) <= self.now
                assert due or twin.fate(twin.held[key]) == ENDED
                twin.hold(model.lapsed(twin.held[key]), 0)
                self.saw("lapse" if due else "ended")
                silent += 1
        for told in changes:
            key = told[:2]
            record = twin.held[key]
            expected: list[model.Change] = []
            if twin.deadlines.get(key, self.now + 1) <= self.now:
                twin.hold(model.lapsed(record), 0)
                expected.append(model.change(twin.held[key]))
                self.saw("lapse")
            else:
                assert key in twin.misplaced()
                fates = {HIDDEN: "hidden", SHOWN: "shown again", ENDED: "ended"}
                self.saw(fates[twin.fate(record)])
                twin.turn(key, expected)
            assert expected == [told]
        assert count == len(changes) + silent <= limit

    def author(self, at: int, source: bytes, fate: int) -> None:
        """A replica learns whether somebody is alive."""
        replica = self.replicas[at]
        if fate == ENDED and not replica.table.covered(source):
            fate = HIDDEN  # of whom nothing is held it may be forgotten
        replica.table.author(source, fate)
        replica.twin.author(source, fate)
        self.check(at)

    # What happens at one replica.

    def put(
        self, at: int, family: int, key: bytes, flags: int, value: bytes, stamp: int, left: int = 0
    ) -> None:
        replica = self.replicas[at]
        won = replica.table.put(family, key, flags, value, stamp, left)
        assert won == replica.twin.put(family, key, flags, value, stamp, left)
        if won:
            self._remember(replica, family, key, stamp)
        self.check(at)

    def write(
        self, at: int, key: bytes, flags: int, value: bytes, wall: int, left: int = 0
    ) -> None:
        replica = self.replicas[at]
        held = replica.table.get(0, key)
        clock, wall = replica.table.clock, max(wall, self.now + at)
        stamp = replica.table.write(key, flags, value, wall, left)
        assert stamp > clock and stamp >= wall and (held is None or stamp > held[0])
        assert stamp > replica.twin.floor_stamp, "below what was deleted for good"
        assert replica.twin.put(0, key, flags, value, stamp, left)
        self._remember(replica, 0, key, stamp)
        self.check(at)

    def _remember(self, replica: Replica, family: int, key: bytes, stamp: int) -> None:
        source, over = replica.table.source, dict(replica.table.vector().items())
        self.history[source, replica.table.counter] = Write(family, key, (stamp, source), over)

    # Deleting for good.

    def leave(self, at: int) -> None:
        """A replica goes away for longer than anybody waits for it: it counts no longer."""
        if len(self.away) + 2 < len(self.replicas):
            self._isolate(at)
            self.away.add(at)

    def come_back(self, at: int) -> None:
        """It counts again, from the next cut on."""
        self.away.discard(at)

    def _isolate(self, at: int) -> None:
        for pair in [pair for pair in self.links if at in pair]:
            self.links.pop(pair)
        self.joins = {pair: join for pair, join in self.joins.items() if at not in pair}

    def freeze(self) -> None:
        """Take the least and the most that those who count cover, if none holds a record above.
        What was on its way from those who are gone is gone by now."""
        self.strays.clear()
        counted = [r for at, r in enumerate(self.replicas) if at not in self.away]
        if any(replica.twin.strayed for replica in counted):
            return
        # Who has left a source out says nothing of it: others may never have heard of that one.
        vectors = [
            {s: c for s, c in r.table.vector().items() if s not in r.twin.retired} for r in counted
        ]
        least, most = NaiveVector(), NaiveVector()
        for source in {source for vector in vectors for source in vector}:
            least.counters[source] = min(vector.get(source, 0) for vector in vectors)
            most.counters[source] = max(vector.get(source, 0) for vector in vectors)
        self.cut_ = Cut(least, most, counted)

    def collect(self, at: int) -> None:
        """A replica that was counted in the last cut drops what it may, all at once."""
        while self.replicas[at].collecting is not None:
            self.collect_some(at)
        while self.collect_some(at):
            pass
        while self.replicas[at].table.trim(1):
            pass
        self.replicas[at].loose = False
        self.check(at)

    def collect_some(self, at: int) -> bool:
        """One step of a pass by the last cut, if the replica was counted in it, or of that under
        way; whether there are more."""
        replica = self.replicas[at]
        table, twin = replica.table, replica.twin
        if replica.collecting is None:
            if self.cut_ is None or replica not in self.cut_.replicas:
                return False
            clock, least = (
                self.now + at,
                dict(self.cut_.least.items()),
            )  # clocks are not quite equal
            goes = {}
            if twin.may_collect(dict(self.cut_.most.items())):
                goes = {
                    key: record
                    for key, record in twin.held.items()
                    if record.flags & TOMBSTONE and twin.stable(record, least, clock)
                }
            replica.collecting = Pass(self.cut_, clock, 0, goes)
        under_way = replica.collecting
        least, most, _ = under_way.cut
        before = table.records()
        cuts: list[Any] = [least, most]
        if not isinstance(table, model.Table):
            cuts = [VersionVector(), VersionVector()]
            for mine, theirs in zip(cuts, (least, most), strict=True):
                for source, counter in theirs.items():
                    mine.raise_to(source, counter)
        cursor = table.collect_stable(*cuts, under_way.clock, under_way.cursor, 1)
        twin.settle(least)
        for gone in set(before) - set(table.records()):
            key, record = gone[:2], model.Record(*gone)
            write = self.history[gone[4], gone[5]]
            assert gone[6] & TOMBSTONE, "dropped what was live"
            assert gone[2] <= under_way.clock, "dropped though clocks are behind it"
            assert twin.may_collect(dict(most.items())), "dropped though not all of it is here"
            assert twin.held[key] == record
            assert twin.stable(record, dict(least.items()), under_way.clock), "dropped too early"
            replica.loose = True
            twin.collect(key, record)
            for (giver, _), join in self.joins.items():
                if giver == at:
                    join.untold.add(key)
            replica.collected[key] = write
            self.collected[key] = max(write.order, self.collected.get(key, write.order))
            self.saw("collected")
        if cursor is None:
            replica.collecting = None
            for key, record in under_way.goes.items():
                assert table.strayed or twin.held.get(key) != record, "not dropped"
        else:
            under_way.cursor = cursor
        self.check(at)
        return cursor is not None

    def trim(self, at: int, limit: int) -> None:
        """A replica gives memory back, bit by bit."""
        replica = self.replicas[at]
        replica.loose = replica.table.trim(limit)
        if replica.loose:
            self.saw("memory given back")
        self.check(at)

    # Sources that are gone.

    def retire(self, source: bytes) -> None:
        """Nobody writes under this source any more, and all that are there cover the same of it: so
        somebody says."""
        there = [r.table for at, r in enumerate(self.replicas) if at not in self.away]
        covered = {table.covered(source) for table in there}
        if len(covered) == 1 and not any(table.source == source for table in there):
            self.retired[source] = max(self.retired.get(source, 0), *covered)

    def leave_out(self, at: int, source: bytes) -> None:
        """A replica has heard of that."""
        replica, final = self.replicas[at], self.retired[source]
        done = replica.table.retire(source, final)
        assert done == replica.twin.retire(source, final)
        if done and final:
            self.saw("retired")
        self.check(at)

    def release(self, at: int, limit: int) -> None:
        """A replica gives back slots of sources; nobody sees that."""
        table = self.replicas[at].table
        if isinstance(table, model.Table):
            return
        before, fingerprint = table.statistics(), table.fingerprint()
        table.release(limit)
        after = table.statistics()
        assert table.fingerprint() == fingerprint
        for each in ("sources", "retired"):
            assert before[each] == after[each]
        if after["slots"] < before["slots"]:
            self.saw("given_up")
        if after["slots"] - after["holes"] < before["slots"] - before["holes"]:
            self.saw("released")
        self.check(at)

    def _retire_all(self) -> None:
        """All hear of all that is retired anywhere, and who writes under such a source goes on
        under a fresh one."""
        for source in sorted({s for r in self.replicas for s in r.twin.retired}):
            for at, replica in enumerate(self.replicas):
                if replica.table.source == source:
                    self.adopt(at)
            self.retired[source] = max(r.table.covered(source) for r in self.replicas)
            for at in range(len(self.replicas)):
                self.leave_out(at, source)

    def adopt(self, at: int, *, take_over: bool = False) -> None:
        replica, source = self.replicas[at], self.fresh_source()
        old = replica.table.source
        replica.table.adopt(source)
        replica.twin.adopt(source)
        if take_over:
            self._take_over(replica, old)
        self.check(at)

    def _take_over(self, replica: Replica, old: bytes) -> None:
        """What it wrote as ephemeral is written anew, in whatever order."""
        table, twin = replica.table, replica.twin
        left = {(family, key): left for family, key, left in table.expiring()}
        mine = {key for key, r in twin.held.items() if model.depends(r.flags) and r.origin == old}
        table.inherit(old)
        step, count = 1 + len(mine) // 2, 0
        while done := table.take_over(step):
            assert done <= step
            count += done
        assert count == len(mine)
        written = [record for record in table.records() if record[:2] in mine]
        for family, key, stamp, source, _, counter, flags, value in sorted(
            written, key=lambda record: record[5]
        ):
            was = twin.held[family, key]
            assert (flags, value, source) == (was.flags, was.value, table.source)
            assert stamp > was.stamp
            remaining = max(1, left[family, key]) if (family, key) in left else 0
            assert twin.put(family, key, flags, value, stamp, remaining)
            over = dict(replica.table.vector().items())
            self.history[source, counter] = Write(family, key, (stamp, source), over)
            self.saw("taken over")

    def restart(self, at: int) -> None:
        for pair in [pair for pair in self.links if at in pair]:
            self.cut(*pair)
        self.joins = {pair: join for pair, join in self.joins.items() if at not in pair}
        self.replicas[at] = self._replica(self.replicas[at].kind)
        self.away.discard(at)

    # What happens between two.

    def connect(self, a: int, b: int, page_items: int = 1000) -> None:
        for sender, receiver in ((a, b), (b, a)):
            replica = self.replicas[sender]
            progress = replica.kind.progress(replica.table)
            self.links[sender, receiver] = Link(progress)
            self.learn(sender, receiver, page_items)

    def learn(self, sender: int, receiver: int, page_items: int = 1000) -> None:
        """The receiver's vector reaches the sender, in pages: at the start of a link, and by
        anti-entropy."""
        progress = self.links[sender, receiver].progress
        items = list(self.replicas[receiver].table.vector().items())
        for source, counter in items:
            self.links[sender, receiver].note(source, counter)
        twin = self.replicas[sender].twin
        lacked = {s for s in twin.retired if dict(items).get(s, 0) < twin.covered(s)}
        parts = [items[i : i + page_items] for i in range(0, len(items), page_items)] or [[]]
        for number, part in enumerate(parts):
            mark = (FIRST if number == 0 else 0) | (LAST if number == len(parts) - 1 else 0)
            assert progress.read_page(bytes(write_vector(part, mark).data)) == bool(mark & LAST)
        assert progress.ready and progress.below_floor <= bool(lacked)
        assert progress.below_floor or lacked.isdisjoint(dict(items)), "lacks what none sends"
        self.links[sender, receiver].lacks = progress.below_floor

    def cut(self, a: int, b: int) -> None:
        for pair in ((a, b), (b, a)):
            link = self.links.pop(pair, None)
            self.strays += [(pair[1], frame) for frame in link.frames] if link else []

    def push(self, sender: int, receiver: int, budget: int) -> bool:
        """One frame leaves, checked; False if there was none."""
        link = self.links[sender, receiver]
        idle = link.progress.idle()
        for source in self.replicas[sender].table.vector():
            # Of what was retired, and is back, a peer holds what there was, or says so.
            assert source in self.retired or (
                link.progress.known_of(source) <= link.most.get(source, 0)
            ), "taken for held, and nobody said so"
        frame = self.delta(sender, link, budget)
        assert not (idle and frame), "idle, and yet there was something to send"
        if frame:
            for source, _, end, _ in read_delta(frame):
                link.note(source, end)
            link.frames.append(frame)
        return frame is not None

    def delta(self, sender: int, link: Link, budget: int) -> bytes | None:
        progress, barred = link.progress, link.lacks and self.replicas[sender].twin.floor_stamp > 0
        assert not link.lacks or progress.below_floor
        table, retired = self.replicas[sender].table, self.replicas[sender].twin.retired
        vector = [(s, counter) for s, counter in table.vector().items() if s not in retired]
        known = {source: progress.known_of(source) for source, _ in vector}
        frame: bytes | None = table.delta(progress, budget)
        if frame is not None:
            assert not barred, "sent to who has to join, though deletions were forgotten"
            self.check_delta(table, frame, known, budget)
            for source, end in known.items():
                assert progress.known_of(source) == end
        else:
            twin = self.replicas[sender].twin
            lacking = [(s, n) for s, n in twin.lacking.items() if s not in retired]
            below = any(known.get(source, 0) < n for source, n in lacking)
            for source, counter in vector:
                joins = progress.below_floor and (
                    below or barred or known[source] < table.floor(source)
                )
                there = known[source] >= counter or joins or progress.doubtful
                assert there, "nothing sent, and something is missing"
        return frame

    def deliver(self, sender: int, receiver: int, index: int = 0, *, keep: bool = False) -> None:
        frames = self.links[sender, receiver].frames
        frame = frames[index % len(frames)]
        if not keep:
            frames.remove(frame)
        back = self.links.get((receiver, sender))
        for source, _, end, _ in read_delta(frame) if back else ():
            back.note(source, end)
        refused = self.apply(receiver, frame, back and back.progress)
        if refused:
            self.saw("refused range pulled")
            link = self.links[sender, receiver]
            link.progress.rewind(bytes(write_vector(refused).data))
            link.lacks |= link.progress.below_floor

    def stray(self, index: int) -> None:
        """A frame of a link that is no more arrives after all."""
        receiver, frame = self.strays[index % len(self.strays)]
        self.apply(receiver, frame, None)

    def apply(self, at: int, frame: bytes, progress: Any = None) -> list[tuple[bytes, int]]:
        replica = self.replicas[at]
        changes = Changes()
        expected: list[model.Change] = []
        replica.twin.clock = replica.table.clock
        refused: list[tuple[bytes, int]] = replica.table.apply(frame, 0, progress, 0, changes)
        assert refused == replica.twin.apply(frame, 0, None, 0, expected)
        assert changes == expected
        self._learn_anew(replica)
        self.check(at)
        return refused

    def _learn_anew(self, replica: Replica) -> None:
        """A replica wrote by itself what has become of something."""
        over = dict(replica.table.vector().items())
        for record in replica.twin.anew:
            write = Write(record.family, record.key, record.order, over)
            self.history[record.source, record.counter] = write
            self.saw("said anew that it is gone" if record.flags & TOMBSTONE else "said anew")
        replica.twin.anew.clear()

    def join(self, giver: int, joiner: int, budget: int) -> bool:
        """One step of a join; True when it is complete."""
        pair = giver, joiner
        giving, joining = self.replicas[giver].table, self.replicas[joiner]
        if joining.ending is not None and joining.ending != pair:
            self.end(joiner)
        if joining.ending is not None:
            return self.sweep(joiner)
        if pair not in self.joins:
            for other in [other for other in self.joins if other[1] == joiner]:
                del self.joins[other]
                for table in (joining.table, joining.twin):
                    table.abandon_join()
                    table.sweep(0, 1 << 30)
            self.joins[pair] = Join(giving.floor_pages(budget))
            for table in (joining.table, joining.twin):
                table.begin_join(self.joins[pair].floors)
        at = self.joins[pair]
        page, cursor = giving.page(at.cursor, budget)
        left = {(family, key): left for family, key, left in giving.expiring()}
        for record in read_page(page):
            assert left_of(record) == max(0, left.get((record.family, record.key), 0))
        changes = Changes()
        expected: list[model.Change] = []
        joining.twin.clock = joining.table.clock
        joining.table.apply_page(page, 0, 0, changes)
        joining.twin.apply_page(page, 0, 0, expected)
        assert changes == expected
        self._learn_anew(joining)
        if cursor is None:
            joining.table.finish_join(at.floors)
            joining.twin.finish_join(at.floors)
            while joining.table.recounting:
                joining.table.recount(1)
            del self.joins[pair]
            joining.untold |= at.untold | self.replicas[giver].untold
            joining.ending, joining.sweep = pair, Sweep(0, joining.twin.ended())
            self.saw("join")
        else:
            at.cursor = cursor
        self.check(joiner)
        return False

    def end(self, joiner: int) -> None:
        """The sweep that is under way comes to its end."""
        while self.replicas[joiner].ending is not None and not self.sweep(joiner):
            pass

    def sweep(self, joiner: int) -> bool:
        """One step of it; True at its end."""
        joining = self.replicas[joiner]
        table, twin, at = joining.table, joining.twin, joining.sweep
        before = {record[:2]: record for record in table.records()}
        changes = Changes()
        expected: list[model.Change] = []
        counter, twin.clock = table.counter, table.clock
        cursor = table.sweep(at.cursor, 1, changes)
        after = {record[:2]: record for record in table.records()}
        mine = [record for record in after.values() if record[4] == table.source]
        for record in sorted(mine, key=lambda record: record[5]):
            if record[5] > counter:
                assert record[:2] in twin.disputed(), "said anew, and it need not"
                twin.decide(record[:2], expected)
        self._learn_anew(joining)
        for key in before.keys() - after.keys():
            assert key in twin.swept(), "it came with the join, or was not known there"
            twin.sweep_one(key, expected)
            joining.loose = True
        assert sorted(changes) == sorted(expected)
        for family, key, flags, value, stamp, origin in changes:
            if (family, key) in after:
                continue
            assert flags & TOMBSTONE and value == b"" and not before[family, key][6] & TOMBSTONE
            assert before[family, key][2:4] == (stamp, origin)
            later = [w for w in self.history.values() if w[:2] == (family, key)]
            lapses = fades(before[family, key][6])
            assert lapses or max(w.order for w in later) > (stamp, origin), "dropped for nothing"
            self.saw("dropped by a join")
        if cursor is None:
            for key, record in at.goes.items():
                assert twin.held.get(key) != record or key not in twin.ended(), "as it was"
            assert not twin.swept()
            assert twin.sweep(0, 1) is None
            joining.ending = None
        else:
            at.cursor = cursor
            self.saw("sweep in steps")
        self.check(joiner)
        return cursor is None

    # What must hold.

    def check(self, at: int) -> None:
        table, twin = self.replicas[at].table, self.replicas[at].twin
        assert table.records() == twin.records()
        assert table.expiring() == twin.expiring() and table.due() == twin.due()
        assert table.hidden() == twin.hidden()
        for family, key, *_ in table.records():
            assert family or table.value(key) == twin.value(key)
        vector = dict(table.vector().items())
        assert {s: c for s, c in vector.items() if c} == {
            s: c for s, c in twin.counters.items() if c
        }
        assert table.fingerprint() == twin.fingerprint()
        assert len(table) == len(twin) and table.counter == twin.counter
        assert table.floor_stamp == twin.floor_stamp and table.collected == twin.collected
        self._check_covered(table, vector)
        self._check_deleted(self.replicas[at])
        self._check_log(self.replicas[at], vector)

    def _check_covered(self, table: Any, vector: dict[bytes, int]) -> None:
        held = {
            (family, key): (stamp, origin) for family, key, stamp, origin, *_ in table.records()
        }
        for (source, counter), write in self.history.items():
            if counter <= vector.get(source, 0):
                key = write.family, write.key
                best = max(held.get(key, (-1,)), self.collected.get(key, (-1,)))
                assert best >= write.order, "covered, not held"

    def _check_deleted(self, replica: Replica) -> None:
        """Nothing is held again that was deleted here for good by somebody who knew of it."""
        for family, key, stamp, origin, source, counter, *_ in replica.table.records():
            deletion = replica.collected.get((family, key))
            if deletion is not None and (stamp, origin) < deletion.order:
                assert counter > deletion.over.get(source, 0), "deleted, and held again"

    def _knew_of_deletion(self, known: dict[bytes, int], write: Write) -> bool:
        """Whether who covers this covers a deletion of a key, or of what is higher."""
        return any(
            later[:2] == write[:2] and later.order >= write.order and known.get(source, 0) >= number
            for (source, number), later in self.history.items()
        )

    def _is_collected(self, source: bytes, number: int) -> bool:
        write = self.history[source, number]
        return self.collected.get((write.family, write.key), (-1,)) >= write.order

    def _check_log(self, replica: Replica, vector: dict[bytes, int]) -> None:
        """Every covered position above the floor can be forwarded, and floors only rise."""
        table, total = replica.table, 0
        for source, counter in vector.items():
            floor = table.floor(source)
            assert replica.floors.get(source, 0) <= floor <= counter
            replica.floors[source] = floor
            entries = table.entries(source)
            found = {entry[0] for entry in entries}
            wanted = [
                (n, *self.history[source, n][:2])
                for n in range(floor + 1, counter + 1)
                if n in found or not self._is_collected(source, n)
            ]
            assert entries == wanted
            total += len(wanted)
        assert replica.loose or total <= 2 * len(table) + self.options["log_slack"]

    def check_delta(self, table: Any, frame: bytes, known: dict[bytes, int], budget: int) -> None:
        """A delta carries every entry of its ranges with the key's current record, whole, and fits
        its budget."""
        held = {record[:2]: record for record in table.records()}
        left = {(family, key): left for family, key, left in table.expiring()}
        for key, remaining in left.items():
            if remaining <= 0:
                held[key] = model.lapsed(model.Record(*held[key]))
                self.saw("sent as lapsed")
        ranges = read_delta(frame)
        known_before = dict(known)
        (untold,) = [each.untold for each in self.replicas if each.table is table]
        assert fits(frame, budget)
        for source, start, end, part in ranges:
            assert start == known[source] < end <= table.covered(source)
            assert table.floor(source) <= start, "a range that starts below the floor"
            known[source] = end
            numbers = [number for number, _ in part]
            left_out = set(range(start + 1, end + 1)) - set(numbers)
            assert numbers == sorted(set(range(start + 1, end + 1)) - left_out)
            for number in left_out:
                assert self._is_collected(source, number)
                write = self.history[source, number]
                assert write[:2] in untold or self._knew_of_deletion(known_before, write)
            for number, record in part:
                write = self.history[source, number]
                assert (record.family, record.key) == (write.family, write.key)
                assert record == held[record.family, record.key], "not the key's current record"
                assert left_of(record) == max(0, left.get((record.family, record.key), 0))
                if (record.source, record.counter) != (source, number):
                    self.saw("record elsewhere")
        if any(end < table.covered(source) for source, end in known.items()):
            self.saw("budget cut")

    # The end.

    def heal(self, budget: int = 4096) -> None:
        """Exchange until nothing is missing: then all replicas must be the same in every way a
        user can see."""
        for pair in list(self.links):
            self.cut(*pair)
        for giver, joiner in list(self.joins):
            while not self.join(giver, joiner, budget):
                pass
        everyone = range(len(self.replicas))
        for at in everyone:
            self.end(at)
        self.away.clear()
        for a, b in [*itertools.permutations(everyone, 2)] * 2:
            self.exchange(a, b, budget)
        self._join_equals()
        self._retire_all()
        for a in everyone:
            self.release(a, 1 << 20)
            assert same(self.replicas[a].table, self.replicas[0].table)
        self._agree()
        self.pass_time(2 * LEFT_MAX)
        for a in everyone:
            self.lapse(a, 1 << 20)
        self._collect_all()
        for a in everyone:
            assert same(self.replicas[a].table, self.replicas[0].table)
            assert self.replicas[a].table.fingerprint() == self.replicas[0].table.fingerprint()
        for a in everyone:
            assert steady(self.replicas[a].table) == steady(self.replicas[0].table)

    def _agree(self) -> None:
        """All come to know who is alive: what had not ended anywhere is shown by all, or by none,
        but for the author's own."""
        alive = [replica.table.source for replica in self.replicas]
        origins = {record[3] for replica in self.replicas for record in replica.table.records()}
        for at, replica in enumerate(self.replicas):
            for source in sorted(origins):
                fate = SHOWN if source in alive else HIDDEN
                self.author(at, source, fate)
            self.lapse(at, 1 << 20)
            assert replica.table.due() > 0
            for family, key, _, origin, _, _, flags, _ in replica.table.records():
                if model.depends(flags):
                    mine = replica.twin.fates.get(origin) == SHOWN
                    assert ((family, key) in replica.table.hidden()) != mine

    def _join_equals(self) -> None:
        """Equal vectors, different records: one replica holds a record that lives above every
        vector, because it came for another position and the only replicas that could number it are
        gone. No counter sees that; a join heals it (replication: section 4)."""
        tables = [replica.table for replica in self.replicas]
        retired = {source for replica in self.replicas for source in replica.twin.retired}
        vectors = [
            {s: c for s, c in table.vector().items() if c and s not in retired} for table in tables
        ]
        assert all(vector == vectors[0] for vector in vectors)
        state = tables[0].fingerprint()[24:]
        if any(not same(each, tables[0]) or each.fingerprint()[24:] != state for each in tables):
            self.saw("equals joined")
            for giver, joiner in itertools.permutations(range(len(tables)), 2):
                while not self.join(giver, joiner, 4096):
                    pass
            # What became of some was said anew at that.
            for giver, joiner in itertools.permutations(range(len(tables)), 2):
                self.exchange(giver, joiner, 4096)

    def exchange(self, sender: int, receiver: int, budget: int) -> None:
        """Everything the sender knows reaches the receiver, by deltas and, below a floor, by a
        join."""
        self.connect(sender, receiver)
        progress = self.links[sender, receiver].progress
        while self.push(sender, receiver, budget):
            self.deliver(sender, receiver)
        assert progress.idle() or progress.below_floor
        if progress.below_floor:
            self.end(receiver)
            if (sender, receiver) in self.joins:  # what was given at its begin is old by now
                while not self.join(sender, receiver, budget):
                    pass
            while not self.join(sender, receiver, budget):
                pass
            self.learn(sender, receiver)
            assert not self.push(sender, receiver, budget)
        mine = self.replicas[receiver].table
        for source, counter in self.replicas[sender].table.vector().items():
            silent = source in self.replicas[sender].twin.retired and not mine.covered(source)
            assert mine.covered(source) >= counter or silent
        self.cut(sender, receiver)

    def _collect_all(self) -> None:
        """Once all are equal, and hold nothing above their vectors, no tombstone is left."""
        self.freeze()
        for at in range(len(self.replicas)):
            self.collect(at)
            if self.cut_ is not None and not any(r.twin.strayed for r in self.replicas):
                for record in self.replicas[at].table.records():
                    assert not record[6] & TOMBSTONE or record[2] > self.now + at
