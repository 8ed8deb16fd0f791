"""A replicated table as dicts: the oracle of vines._core.table.

Written from the rules (replication: sections 1 and 2) and the wire forms, with no thought for speed
and none for the compiled code. It is a whole table, not only a checker: it speaks the same forms,
so a cluster may mix both, and the mutants of it show that the tests of the compiled table are able
to fail.
"""

from __future__ import annotations

from math import inf

from .fingerprint import fingerprint
from .forms import (
    ENDED,
    EPHEMERAL,
    EXPIRING,
    FADING,
    HIDDEN,
    LEFT_MAX,
    SHOWN,
    STAMP_MAX,
    TOMBSTONE,
    Expiring,
    Range,
    Record,
    depends,
    expires,
    fades,
    left_of,
    write_delta,
    write_floors,
    write_page,
)
from .model_progress import Progress
from .model_vector import VersionVector
from .reading import read_delta, read_floors, read_floors_and_stamp, read_page

Key = tuple[int, bytes]
Change = tuple[int, bytes, int, bytes, int, bytes]


class Table:
    """The same observable behaviour as the compiled table, where that is determined."""

    def __init__(
        self,
        source: bytes,
        fingerprint_key: bytes,
        index_key: bytes,
        *,
        log_slack: int = 65536,
        horizon: int = 65536,
        **_: int,
    ) -> None:
        self.source, self.fingerprint_key, self.log_slack = source, fingerprint_key, log_slack
        self.held: dict[Key, Record] = {}
        self.logs: dict[bytes, dict[int, Key]] = {}
        self.floors: dict[bytes, int] = {}
        self.counters: dict[bytes, int] = {}
        self.clock = self.ahead = self.sequence = 0
        self.now = self.lapses = 0
        self.deadlines: dict[Key, int] = {}
        self.fates: dict[bytes, int] = {source: SHOWN}
        self.inherited: list[bytes] = []
        self.recounting = False
        self.concealed: set[Key] = set()
        self.overtaken = False
        self.floor_stamp = self.collected = 0
        self.lacking: dict[bytes, int] = {}
        self.joined: dict[bytes, int] | None = None
        self.met: set[Key] = set()
        self.numbers: dict[Key, int] = {}
        self.highest: dict[bytes, int] = {}
        self.settled = self.swept_own = 0
        self.anew: list[Record] = []
        """What was written anew by itself, in its order."""
        self.retired: set[bytes] = set()
        self.void: set[bytes] = set()
        """Sources of which nothing was covered when nothing more was to come."""

    def __len__(self) -> int:
        return len(self.held)

    @property
    def counter(self) -> int:
        return self.covered(self.source)

    def adopt(self, source: bytes) -> None:
        self.source, self.overtaken = source, False
        self.settled = self.swept_own = 0
        self.fates[source] = SHOWN

    # Local writes.

    def write(self, key: bytes, flags: int, value: bytes, wall: int, left: int = 0) -> int:
        held = self.held.get((0, key))
        clock = max(self.clock + 1, wall)
        stamp = max(clock, held.stamp + 1 if held else 0, self.floor_stamp + 1)
        assert self.put(0, key, flags, value, stamp, left)
        self.clock = clock
        return stamp

    def put(
        self, family: int, key: bytes, flags: int, value: bytes, stamp: int, left: int = 0
    ) -> bool:
        assert expires(flags) == (0 < left <= LEFT_MAX)
        number = self.counter + 1
        record = Record(family, key, stamp, self.source, self.source, number, flags, value)
        if not self.wins(record):
            return False
        self.hold(record, left)
        self.log(self.source, number, record)
        self.counters[self.source] = number
        self.sequence += 1
        self.compact()
        return True

    def wins(self, record: Record) -> bool:
        held = self.held.get((record.family, record.key))
        return held is None or record.order > held.order

    def hold(self, record: Record, left: int) -> None:
        key = record.family, record.key
        self.held[key] = record
        self.numbers.setdefault(key, len(self.numbers) + 1)
        self.met.discard(key)
        self.deadlines.pop(key, None)
        self.concealed.discard(key)
        if left:
            self.deadlines[key] = self.now + left
        if depends(record.flags) and self.fate(record) != SHOWN:
            self.concealed.add(key)

    # Time.

    def tick(self, now: float) -> bool:
        self.now = max(self.now, round(now * 1000))
        return bool(self.misplaced()) or min(self.deadlines.values(), default=inf) <= self.now

    def due(self) -> float:
        return 0 if self.misplaced() else min(self.deadlines.values(), default=inf) / 1000

    def lapse(self, limit: int, changes: list[Change] | None = None) -> int:
        due = sorted((when, key) for key, when in self.deadlines.items() if when <= self.now)
        for _, key in due[:limit]:
            seen = key not in self.concealed
            self.hold(lapsed(self.held[key]), 0)
            if changes is not None and seen:
                changes.append(change(self.held[key]))
        turned = self.misplaced()[: limit - len(due[:limit])]
        for key in turned:
            self.turn(key, changes)
        self.lapses += len(due[:limit])
        return len(due[:limit]) + len(turned)

    # Lives of authors.

    def author(self, source: bytes, fate: int) -> None:
        if source != self.source:
            self.fates[source] = fate

    def fate(self, record: Record) -> int:
        return self.fates.get(record.origin, HIDDEN)

    def misplaced(self) -> list[Key]:
        """The ephemeral records that are not yet as the fate of their author says."""
        return sorted(key for key, record in self.held.items() if self.is_misplaced(key, record))

    def is_misplaced(self, key: Key, record: Record) -> bool:
        fate = self.fate(record)
        wrong = fate == ENDED or (key in self.concealed) != (fate == HIDDEN)
        return depends(record.flags) and wrong

    def turn(self, key: Key, changes: list[Change] | None = None) -> None:
        record, seen = self.held[key], key not in self.concealed
        if self.fate(record) == ENDED:
            self.lapses += 1
            self.hold(lapsed(record), 0)
        else:
            self.concealed ^= {key}
        if changes is not None and (seen or self.fate(record) == SHOWN):
            changes.append(change(lapsed(record) if seen else record))

    def inherit(self, source: bytes) -> None:
        self.inherited.append(source)

    def take_over(self, limit: int) -> int:
        own, every = self.inherited, self.held.values()
        mine = [r for r in every if depends(r.flags) and r.origin in own][:limit]
        for record in mine:
            self.write_anew((record.family, record.key))
        return len(mine)

    def write_anew(
        self, key: Key, *, gone: bool = False, changes: list[Change] | None = None
    ) -> None:
        """Write what a record holds once more, or that it is gone."""
        record = self.held[key]
        gone |= bool(record.flags & TOMBSTONE)
        flags, value = (TOMBSTONE, b"") if gone else (record.flags, record.value)
        left = max(1, self.deadlines[key] - self.now) if expires(flags) else 0
        self.clock += 1
        stamp = max(self.clock, record.stamp + 1, self.floor_stamp + 1)
        assert self.put(*key, flags, value, stamp, left)
        self.anew.append(self.held[key])
        if changes is not None:
            changes.append(change(self.held[key]))

    def unsettled(self, record: Record) -> bool:
        """Whether others may for ever disagree on a record of this table's own that ends by itself:
        some had forgotten a deletion when they heard of it, and some had not."""
        key = record.family, record.key
        due = self.deadlines.get(key, inf) <= self.now
        own = record.source == self.source and record.counter > self.settled
        live = fades(record.flags) and not record.flags & TOMBSTONE
        return own and live and not due and record.family == 0

    def hidden(self) -> list[Key]:
        return sorted(self.concealed)

    def expiring(self) -> list[tuple[int, bytes, int]]:
        return sorted((*key, when - self.now) for key, when in self.deadlines.items())

    def shown(self, record: Record) -> bool:
        key = record.family, record.key
        due = self.deadlines.get(key, inf) <= self.now
        return not record.flags & TOMBSTONE and not due and key not in self.concealed

    def log(self, source: bytes, counter: int, record: Record) -> None:
        self.logs.setdefault(source, {})[counter] = (record.family, record.key)

    def compact(self) -> None:
        while sum(map(len, self.logs.values())) > 2 * len(self.held) + self.log_slack:
            source = max(self.logs, key=lambda source: len(self.logs[source]))
            self.floors[source] = min(self.logs[source])
            del self.logs[source][self.floors[source]]

    # Reading.

    def get(self, family: int, key: bytes) -> tuple[int, bytes, int, bytes] | None:
        held = self.held.get((family, key))
        return held and (held.stamp, held.origin, held.flags, held.value)

    def value(self, key: bytes) -> bytes | None:
        held = self.held.get((0, key))
        return held.value if held is not None and self.shown(held) else None

    def live(self, family: int) -> list[Record]:
        return [r for r in self.held.values() if r.family == family and not r.flags & TOMBSTONE]

    def count(self, family: int) -> int:
        return len(self.live(family))

    def scan(
        self, family: int, prefix: bytes, cursor: int, limit: int
    ) -> tuple[list[Change], int | None]:
        part = list(self.held.values())[cursor : cursor + limit]
        wanted = [r for r in part if r.family == family and self.shown(r)]
        following = cursor + limit if cursor + limit < len(self.held) else None
        return [change(r) for r in wanted if r.key.startswith(prefix)], following

    def records(self) -> list[tuple[int, bytes, int, bytes, bytes, int, int, bytes]]:
        return sorted(self.held.values())

    def entries(self, source: bytes) -> list[tuple[int, int, bytes]]:
        return sorted((counter, *key) for counter, key in self.logs.get(source, {}).items())

    def covered(self, source: bytes) -> int:
        return self.counters.get(source, 0)

    def floor(self, source: bytes) -> int:
        return self.floors.get(source, 0)

    def vector(self) -> VersionVector:
        vector = VersionVector()
        vector.counters = dict(self.counters)
        return vector

    def state_bytes(self) -> bytes:
        logs = [(source, self.entries(source), self.floor(source)) for source in sorted(self.logs)]
        timed = self.now, self.expiring(), self.hidden(), sorted(self.fates.items())
        counters = sorted(self.counters.items())
        return repr((self.source, self.records(), counters, logs, timed)).encode()

    def fingerprint(self) -> bytes:
        return fingerprint(self.fingerprint_key, self.counters, self.held.values(), self.retired)

    # Sources that are gone.

    def retire(self, source: bytes, final: int) -> bool:
        if self.covered(source) < final:
            self.retired.discard(source)
        if self.covered(source) != final or source == self.source:
            return final == 0
        if final:
            self.raise_floor(source, final)
            self.retired.add(source)
        elif source in self.highest:
            self.void.add(source)
        return True

    def is_retired(self, source: bytes) -> bool:
        return source in self.retired

    def release(self, limit: int) -> bool:
        """There is nothing to give back."""
        return False

    # What a peer sent.

    def apply(
        self,
        delta: bytes,
        offset: int = 0,
        progress: Progress | None = None,
        limit: int = 0,
        changes: list[Change] | None = None,
    ) -> list[tuple[bytes, int]]:
        refused: list[tuple[bytes, int]] = []
        lost: set[int] = set()
        merged: dict[int, bool] = {}
        for span in read_delta(delta, offset):
            if progress is not None:
                known = progress.known_of(span.source)
                progress.counters[span.source] = max(known, span.end)
            done = self.apply_range(span, lost, merged, limit, changes)
            lost.update({id(record) for _, record in span.entries} - merged.keys())
            if not done:
                refused.append((span.source, self.covered(span.source)))
        self.compact()
        return refused

    def apply_range(
        self,
        span: Range,
        lost: set[int],
        merged: dict[int, bool],
        limit: int,
        changes: list[Change] | None,
    ) -> bool:
        """Merge one range; False if it was refused, or its end because that repeats a record of a
        refused one. (A repeated record is the same object as the one in full. `lost`: those that
        stood in a refused range; `merged`: whether the key was held once the record had been
        merged.)"""
        source, start, end, entries = span
        held, own = self.covered(source), source == self.source
        if start > held and not own:
            return False
        for counter, record in entries:
            if id(record) in lost:
                self.cover(source, counter - 1)
                return own
            self.merge(record, limit, changes)
            merged.setdefault(id(record), (record.family, record.key) in self.held)
            if merged[id(record)] and counter > held and not own:
                self.log(source, counter, record)
        self.cover(source, end)
        return True

    def cover(self, source: bytes, counter: int) -> None:
        if source == self.source:
            self.overtaken |= counter > self.counter
        elif counter > self.covered(source):
            self.counters[source] = counter
            self.retired.discard(source)
            self.sequence += 1

    def merge(
        self,
        record: Record,
        limit: int,
        changes: list[Change] | None,
        deleted: bool = False,
    ) -> None:
        if record.source == self.source:
            self.overtaken |= record.counter > self.counter
            return
        key = record.family, record.key
        timed = key in self.deadlines and record.flags & EXPIRING
        if timed and self.held[key].order == record.order:
            self.deadlines[key] = min(self.deadlines[key], self.now + left_of(record))
        if record.counter > self.covered(record.source) and (deleted or self.wins(record)):
            old = self.held.get(key)
            seen = old and not old.flags & TOMBSTONE and key not in self.concealed
            last = record.stamp == STAMP_MAX
            disputed = old and record.flags & TOMBSTONE and self.unsettled(old) and not last
            self.take(record, limit)
            told = not record.flags & EPHEMERAL or depends(record.flags)
            if changes is not None and (seen or (told and key not in self.concealed)):
                gone = key in self.concealed
                changes.append(change(lapsed(record) if gone else record))
            if disputed:
                self.write_anew(key, gone=True, changes=changes)

    def take(self, record: Record, limit: int) -> None:
        self.void.discard(record.source)
        self.highest[record.source] = max(record.counter, self.highest.get(record.source, 0))
        self.hold(Record(*record), left_of(record))
        if record.stamp <= limit:
            self.clock = max(self.clock, record.stamp)
        else:
            self.ahead += 1

    # What a peer lacks.

    def delta(self, progress: Progress, budget: int) -> bytes | None:
        if not progress.ready or self.is_below(progress):
            return None
        ranges = self.gather(progress, budget)
        for span in ranges:
            progress.counters[span.source] = span.end
        return bytes(write_delta(ranges).data) if ranges else None

    def delta_for(self, vector: VersionVector, budget: int) -> bytes | None:
        progress = Progress(self)
        progress.counters, progress.ready = dict(vector.items()), True
        return self.delta(progress, budget)

    def is_below(self, progress: Progress) -> bool:
        """Whether the peer may hold what was deleted, and lack what says so."""
        counted = [(s, n) for s, n in self.lacking.items() if s not in self.retired]
        below = any(progress.known_of(source) < n for source, n in counted)
        below |= progress.barred and self.floor_stamp > 0
        progress.below_floor |= below
        return below

    def gather(self, progress: Progress, budget: int) -> list[Range]:
        """The ranges of one delta; sizes are estimated from above, so that a cut is never too
        late."""
        ranges: list[Range] = []
        size, full = 32, False
        for source, counter in self.counters.items():
            start = progress.known_of(source)
            if start >= counter or full or source in self.retired:
                continue
            if start < self.floor(source):
                progress.below_floor = True
                continue
            entries: list[tuple[int, Record]] = []
            size += 32
            for number, key in sorted(self.logs.get(source, {}).items()):
                if number <= start:
                    continue
                record = self.current(key)
                size += 72 + len(record.key) + len(record.value)
                full = size > budget and bool(entries or ranges)
                if full:
                    break
                entries.append((number, record))
            if entries or not full:
                end = entries[-1][0] if full else counter
                ranges.append(Range(source, start, end, tuple(entries)))
        return ranges

    def current(self, key: Key) -> Record:
        """The record of a key as it is sent now."""
        record = self.held[key]
        if key not in self.deadlines:
            return record
        left = self.deadlines[key] - self.now
        return Expiring.of(record, left) if left > 0 else lapsed(record)

    # Joining below a floor.

    def floor_pages(self, budget: int) -> list[bytes]:
        items = [(source, counter, self.floor(source)) for source, counter in self.counters.items()]
        return [bytes(write_floors(items, stamp=self.floor_stamp).data)]

    def page(self, cursor: int, budget: int) -> tuple[bytes, int | None]:
        chosen: list[Record] = []
        size = 32
        # In an order that does not change with what is dropped between two pages.
        order = sorted((number, key) for key, number in self.numbers.items() if number > cursor)
        for number, key in order:
            if key not in self.held:
                continue
            record = self.current(key)
            size += 72 + len(record.key) + len(record.value)
            if chosen and size > budget:
                return bytes(write_page(chosen).data), number - 1
            chosen.append(record)
        return bytes(write_page(chosen).data), None

    def apply_page(
        self, page: bytes, offset: int = 0, limit: int = 0, changes: list[Change] | None = None
    ) -> None:
        for record in read_page(page, offset):
            self.meet(record, limit, changes)

    def begin_join(self, floors: list[bytes]) -> None:
        items = [item for page in floors for item in read_floors(page)[1]]
        self.joined = {source: counter for source, counter, _ in items}

    def abandon_join(self) -> None:
        self.joined, self.swept_own = {}, 0

    def deleted(self, record: Record) -> bool:
        """Whether the other side of a join covers a live record of this one."""
        assert self.joined is not None
        covered = record.counter <= self.joined.get(record.source, 0)
        return covered and not record.flags & TOMBSTONE

    def meet(self, record: Record, limit: int, changes: list[Change] | None) -> None:
        """A record of a join and the one held: each is tested against what the other side covers,
        then the higher stays."""
        key = record.family, record.key
        held = self.held.get(key)
        gone = False
        if self.joined is not None and held is not None and held.order != record.order:
            gone = self.deleted(held)
        self.merge(record, limit, changes, gone)
        joining = self.joined is not None
        if joining and key in self.held and self.held[key].order == record.order:
            self.met.add(key)

    def sweep(self, cursor: int, limit: int, changes: list[Change] | None = None) -> int | None:
        """All in one step."""
        for key in list(self.disputed()):
            self.decide(key, changes)
        for key in self.swept():
            self.sweep_one(key, changes)
        self.met.clear()
        self.joined = None
        return None

    def swept(self) -> dict[Key, Record]:
        """What the end of a join takes away."""
        return {
            key: record
            for key, record in self.held.items()
            if self.joined is not None and key not in self.met and self.deleted(record)
        }

    def disputed(self) -> dict[Key, Record]:
        """What is said anew at the end of a join."""
        return {
            key: record
            for key, record in self.held.items()
            if record.counter <= self.swept_own
            and record.stamp <= self.floor_stamp
            and self.unsettled(record)
        }

    def ended(self) -> dict[Key, Record]:
        """What is not any more as it was once the end of a join has come."""
        return self.swept() | self.disputed()

    def decide(self, key: Key, changes: list[Change] | None) -> None:
        self.write_anew(key, gone=key in self.swept(), changes=changes)

    def sweep_one(self, key: Key, changes: list[Change] | None = None) -> None:
        # Of what was hidden it was told when it was hidden.
        if changes is not None and key not in self.concealed:
            changes.append(change(lapsed(self.held[key])))
        self.drop(key)

    def drop(self, key: Key) -> None:
        """Forget a record, and every position that led to it."""
        del self.held[key]
        self.deadlines.pop(key, None)
        self.concealed.discard(key)
        for log in self.logs.values():
            for counter in [counter for counter, each in log.items() if each == key]:
                del log[counter]

    def finish_join(self, floors: list[bytes], limit: int = STAMP_MAX) -> None:
        for page in floors:
            mark, items, stamp = read_floors_and_stamp(page)
            self.floor_stamp = max(self.floor_stamp, min(stamp, limit))
            for source, counter, floor in items:
                if mark & FADING and counter and not self.places(source):
                    self.counters[source] = self.floors[source] = counter
                    self.retired.add(source)
                    continue
                own = source == self.source
                raised = counter > self.covered(source) and not own
                floor = min(floor, self.covered(source)) if own else floor
                self.raise_floor(source, counter if raised else floor)
                self.cover(source, counter)
                self.lack(source, floor)
        self.swept_own = self.counter

    def places(self, source: bytes) -> bool:
        """Whether anything here names a source, or has."""
        named = {each for record in self.held.values() for each in (record.source, record.origin)}
        return source == self.source or source in named | self.counters.keys()

    def raise_floor(self, source: bytes, floor: int) -> None:
        if floor > self.floor(source):
            self.floors[source] = floor
            log = self.logs.get(source, {})
            self.logs[source] = {number: key for number, key in log.items() if number > floor}

    def lack(self, source: bytes, counter: int) -> None:
        """What a position up to this one said may be known no longer, though covered."""
        self.lacking[source] = max(counter, self.lacking.get(source, 0))

    # Deleting for good.

    @property
    def strayed(self) -> bool:
        """Whether a record was ever merged that lies above the vector."""
        return any(
            counter > self.covered(source)
            for source, counter in self.highest.items()
            if source not in self.retired and (source not in self.void or self.covered(source))
        )

    def may_collect(self, bound: dict[bytes, int]) -> bool:
        """Whether this replica covers all that made up the cut, and nothing it has lies above."""
        return not self.strayed and all(self.covered(s) >= n for s, n in bound.items())

    def collect_stable(
        self, cut: VersionVector, bound: VersionVector, clock: int, cursor: int, limit: int
    ) -> int | None:
        """All in one step."""
        self.settle(cut)
        if self.may_collect(dict(bound.items())):
            lowest = dict(cut.items())
            for key, record in list(self.held.items()):
                if record.flags & TOMBSTONE and self.stable(record, lowest, clock):
                    self.collect(key, record)
        return None

    def settle(self, cut: VersionVector) -> None:
        self.settled = max(self.settled, dict(cut.items()).get(self.source, 0))

    def trim(self, limit: int) -> bool:
        """All in one step."""
        self.compact()
        return False

    def stable(self, record: Record, cut: dict[bytes, int], clock: int) -> bool:
        """Whether everybody covers this position, and no clock is behind its stamp."""
        retired = record.source in self.retired and record.counter <= self.covered(record.source)
        return (retired or record.counter <= cut.get(record.source, 0)) and record.stamp <= clock

    def collect(self, key: Key, record: Record) -> None:
        """Drop a tombstone for good."""
        self.drop(key)
        self.floor_stamp = max(self.floor_stamp, record.stamp)
        self.raise_floor(record.source, record.counter)
        self.lack(record.source, record.counter)
        self.collected += 1


def lapsed(record: Record) -> Record:
    """What is left of a record that ended by itself."""
    return Record(*record)._replace(flags=record.flags | TOMBSTONE, value=b"")


def change(record: Record) -> Change:
    """A record as listeners are told of it."""
    return record.family, record.key, record.flags, record.value, record.stamp, record.origin
