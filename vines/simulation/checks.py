"""What must hold after every step of every process, checked at the cost of what changed.

One `Watch` follows one table of one process. It knows what the table held and covered after the
last step, so it only looks at what is new: records that became current must rank above what they
replaced and must be what somebody wrote; positions that became covered must have their write, or
a higher one of that key, in the table. By induction this is the whole invariant of replication
for all positions at all times.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import TYPE_CHECKING

from vines._core.table import EXPIRING, MEMBER, TOMBSTONE
from vines.protocol.members.accusations import ACCUSATION
from vines.protocol.replicas.batches import RETIRED
from vines.protocol.replicas.leftovers import FAMILIES, VOID
from vines.protocol.wire.fields import ID_BYTES
from vines.simulation.oracle import DEAD, Oracle, Violation, Written, lapsed, voids

if TYPE_CHECKING:
    from vines._core.table import Table
    from vines.simulation.frames import Record
    from vines.simulation.oracle import Key, Rank

ENDED = EXPIRING | TOMBSTONE
"""Flags of what is left of a record that lapsed."""
STATE = 24
"""Where in a fingerprint that of the state begins."""

LARGE = 512
"""Records, or sources, of a table from which on it is looked at as a whole only now and then, and
else where it rose: a look at everything costs as much as there is, and starts of nodes that are
gone leave something of each. On the whole a step costs no more than with a table of this size."""


class Watch:
    """The invariants of one table of one process.

    With `writes_itself` the oracle learns of the table's own writes here; else it was told of each,
    but, with `writes_anew`, of what a node writes once more by itself.
    Raises `Violation` from `check` when
    * a record is lost, or replaced by one that ranks lower or equal, that no other in the table
      makes void and no deletion won over that was forgotten, or that nobody else covers and lacks;
    * a deletion is forgotten while somebody who counts does not cover it, or what it deleted comes
      back (K4);
    * a record is not, byte for byte, what somebody wrote under that position and rank (the order is
      total);
    * a position is covered for whose key a lower record, or none, is held (covered means held),
      unless a deletion won over it that was forgotten, and that is covered here or below a floor;
    * a record that ended by itself comes back, or its end changes the fingerprint;
    * a counter or a floor falls, or a position is covered that was never issued.

    Of a table with more than `LARGE` sources or, if it forgets no deletions, records, most steps
    are checked at the positions that came to be covered in them alone; the rest of it, what came
    from elsewhere, went or fell, is found out by the next look at the whole. Sources that are
    retired are looked at with the whole alone.
    """

    def __init__(
        self,
        name: str,
        table: Table,
        oracle: Oracle,
        *,
        writes_itself: bool = False,
        writes_anew: bool = False,
    ) -> None:
        self.name = name
        self.table = table
        self.oracle = oracle
        self._writes_anew = writes_anew
        self._sources = [table.source] if writes_itself or writes_anew else []
        """That of now, and one before it, under which it may have written since the last look."""
        self.held: dict[Key, Written] = {}
        self.covered: dict[bytes, int] = {}
        self.floors: dict[bytes, int] = {}
        self.collected: dict[Key, Rank] = {}
        self.left: dict[bytes, Written] = {}
        """What was left of a member when that was collected last."""
        self._words: dict[bytes, set[bytes]] = {}
        """Under which sources what was held of a member was written that says that it lives."""
        self._unheard: dict[bytes, set[bytes]] = {}
        """Those of which nothing was covered as what was left was collected, and that were not
        retired; of whom nothing but that was ever held, of all its sources.
        """
        self._counters: dict[Key, int] = {}
        """Where in the numbering of their sources what was collected stood."""
        self._deleted: dict[Key, Rank] = {}
        """The highest deletion that was forgotten here, by key."""
        self._records: list[tuple[int, bytes, int, bytes, bytes, int, int, bytes]] = []
        self._asked = inf
        """Of all that was ever forgotten, how much it was when the last join began; infinity: there
        was none.
        """
        self._seen: tuple[bytes, int, int, int, int, int] | None = None
        self._lapsed = False
        """Whether anything has lapsed since the last look at all records."""
        self._recounted = False
        """Whether strays were counted anew since then."""
        self._rose = False
        """Whether anything came to be covered since then, also of sources that count no more."""
        self._passed = False
        """Whether the step before did without a look at all records."""
        self._glances: list[float] = [0, 0]
        """How many steps did without a look at all records, and at all sources."""
        self._looked: bytes | None = None
        """The fingerprint at the last look at all records, if nothing came to be covered since."""

    def check(self) -> bool:
        """Check what changed since the last call; whether anything did."""
        table = self.table
        # What is dropped of members that are gone is in no fingerprint.
        ends = table.lapses, table.collected, table.gone.forgotten
        seen = table.fingerprint(), table.sequence, *ends, len(table)
        if seen == self._seen:
            return False
        before, self._seen = self._seen, seen
        self._lapsed |= before is None or before[2] != seen[2]
        self._rose |= before is None or before[1] != seen[1]
        if self._sources:
            self._sources = [*self._sources[-1:], table.source]
            for source in self._sources:
                self.oracle.observe(table, source, anew=self._writes_anew)
        self._passed = self._glances[0] > 0
        looks = self._takes_turn(0, 0 if self.oracle.collects else len(self.held))
        if looks:
            before_all, self._looked = self._looked, seen[0]
            only_lapses = self._check_records()
            # Strays that were counted anew meanwhile may come to another sum. So may those that
            # came to be covered, as at the end of a join, which changes no record.
            if (
                only_lapses
                and not self._rose
                and not self._recounted
                and before_all is not None
                and before_all[STATE:] != seen[0][STATE:]
            ):
                raise Violation(f"{self.name}: a lapse changed the fingerprint of the state")
            self._lapsed = self._recounted = self._rose = False
        self._recounted |= table.recounting
        counted = table.counted()
        if self._takes_turn(1, len(counted) + len(table.gone)):
            self._check_cover(glances=not looks)
        else:
            self._check_rise(counted, glances=not looks)
        return True

    def _takes_turn(self, which: int, size: int) -> bool:
        """Whether it is this step's turn to look at the whole of something that is so large."""
        self._glances[which] += 1
        if self._glances[which] <= size // LARGE:
            return False
        self._glances[which] = 0
        return True

    def forget(self, key: Key) -> None:
        """A record was collected: its absence is right from now on, its return would not be."""
        went = self.held.pop(key)
        self.collected[key], self._counters[key] = went.rank, went.counter
        if key[0] == MEMBER:
            words = self._words.pop(key[1], None) or self.oracle.sources_of(key[1])
            gone, counts = self.table.gone, self.table.counts_in
            self.left[key[1]] = went
            unheard = {each for each in words if not counts(each) and gone.get(each) is None}
            self._unheard.pop(key[1], None)
            if unheard:
                self._unheard[key[1]] = unheard
        before = self.oracle.dropped.get(key, (-1, b""))
        self.oracle.dropped[key] = max(before, self.collected[key])

    def is_another(self, member: bytes, source: bytes) -> bool:
        """Whether a start of a member began, on an old copy of its disk, after the one of which
        something was left that was collected here: it may say less than that did, and is like one
        that nobody ever heard of. It may have begun before that was collected, where it reached
        nobody; had it counted here, that would have stayed. So is one of which a word came here and
        nothing else, or not even that, out of a part of the cluster that nobody here is of.
        """
        if source in self._unheard.get(member, ()):
            return True
        left = self.left.get(member) if member in self.oracle.recounted else None
        if left is None:
            return False
        sources, subject = self.oracle.sources_of(member), self.oracle.subject_of(left)
        return subject in sources and source in sources[sources.index(subject) + 1 :]

    def excuses(self, source: bytes, counter: int, key: Key, rank: Rank) -> bool:
        """Whether what was written at a position need not be held, nor anything that wins over it:
        a deletion won that is covered here, or will be. If it is that deletion, it was forgotten
        here, or is below a floor that others told of.
        """
        below = self.table.floor(source) >= counter
        covered, deleted_here = self.table.covered, self._deleted.get(key, (-1, b""))
        for deletion in self.oracle.deleted(key, rank):
            same = deletion.rank == rank
            if (
                rank <= deleted_here
                or (below and same)
                or (not same and covered(deletion.source) >= deletion.counter)
                or (not same and self._is_forgotten(key, deletion))
            ):
                return True
        return below and any(
            self._joined_before(source, counter, each) for each in self.oracle.deleted(key, rank)
        )

    def _is_forgotten(self, key: Key, deletion: Written) -> bool:
        """Whether the source of a deletion is out of use for all who run, where such sources are
        forgotten, and nobody holds anything of the key up to that: who joins one that tells of the
        source no more covers what its deletion won over, and nothing of it.
        """
        if not self.table.gone.until:
            return False
        for _, table in self.oracle.running():
            held = table.get(*key)
            if table.counts_in(deletion.source) or (held and held[:2] <= deletion.rank):
                return False
        return True

    def asked(self) -> None:
        """The process asks somebody for all there is: a join begins."""
        self._asked = self.oracle.forgettings

    def reads(self, page: Iterable[Record]) -> None:
        """The process is about to take these records of a join. What is held above one of them is
        remembered now; it may be forgotten before the end of the join, at which that is covered.
        """
        for each in page:
            held = self.table.get(each.family, each.key)
            if held is not None and held[:2] > (each.stamp, each.origin):
                self.oracle.remembered.add(((each.family, each.key), (each.stamp, each.origin)))

    def _joined_before(self, source: bytes, counter: int, deletion: Written) -> bool:
        """Whether a position came to be covered by a join that had begun before a deletion was
        forgotten, or covered by whom a join told of it. That was the giver, while pages were under
        way: neither the deletion nor the record that it won over is on one of them, and the floors,
        which are those of the begin, do not name it. It is below a floor of the giver from then on,
        so a second join follows; who joins this one before has the same. A deletion that the giver
        had forgotten before is covered with what it won over, or floors were not handed on.
        """
        if self.oracle.forgotten[deletion.key_, deletion.rank] > self._asked:
            self.oracle.unnamed.add((source, counter))
        return (source, counter) in self.oracle.unnamed

    def look(self) -> None:
        """Check all records out of turn."""
        self._looked = None
        self._check_records()

    def check_everything(self, *, alone: bool = False) -> None:
        """Check all positions anew, trusting nothing remembered: for the end of a run. `alone`: no
        other process runs.
        """
        self.covered.clear()
        self._records = []
        self._seen = None
        self._glances = [inf, inf]
        self.check()
        if alone:
            # What a range covered that did not bring it is counted anew as tables seem to differ.
            return
        kept = self.table.fingerprint()
        while self.table.recount(1 << 20):
            pass
        if self.table.fingerprint() != kept:
            raise Violation(f"{self.name}: the strays in the fingerprint are not those held")

    def _check_records(self) -> bool:
        """Check those that changed; whether all of them only lapsed, and none went."""
        before, records = self._records, self.table.records()
        self._records = records if len(records) < LARGE else []
        if len(before) == len(records):
            pairs = zip(before, records, strict=True)
            changed = [fields for old, fields in pairs if old != fields]
        else:
            changed = [fields for fields in records if self.held.get(fields[:2]) != fields]
        lapses = [self._check_record(Written(*fields)) for fields in changed]
        went = len(self.held) != len(records)
        if went:
            lost = self.held.keys() - {fields[:2] for fields in records}
            for key in [key for key in lost if self._is_void(self.held[key])]:
                self.forget(key)
                lost.discard(key)
            for key in [key for key in lost if self._may_go(self.held[key])]:
                del self.held[key]
                lost.discard(key)
            if lost:
                said = ", ".join(_say(self.held[key]) for key in lost)
                raise Violation(f"{self.name} lost {said}")
        return bool(lapses) and all(lapses) and not went

    def _is_void(self, written: Written) -> bool:
        """Whether the table holds why it may collect this, or nobody needs what is left of it."""
        if written.family in VOID and self.table.gone.get(written.origin) is not None:
            return True
        if written.family == MEMBER and not written.flags and not written.stamp & 3:
            return self.table.gone.get(written.origin) is not None
        if written.family == RETIRED and written.flags & EXPIRING:
            return written.flags & TOMBSTONE != 0 or self._lapsed
        # Of a large table not each step is looked at: it may have lapsed in one that was not.
        unseen = self._lapsed and self._passed and written.fades
        ended = written.flags & ENDED == ENDED or unseen
        if written.family in FAMILIES and ended:
            sources = self.oracle.sources_of(written.key) if written.family == MEMBER else ()
            # One that is known to be retired may count again, if there is more of it than was said:
            # whoever holds its member alive is told by what is known, all the same.
            gone, counts = self.table.gone, self.table.counts_in
            if counted := [each for each in sources if counts(each) and gone.get(each) is None]:
                raise Violation(
                    f"{self.name} dropped {_say(written)}, but {_short(counted[0])} counts"
                )
            return True
        member = self.held.get((MEMBER, written.key[:ID_BYTES]))
        return written.family == ACCUSATION and voids(member, written.stamp)

    def _was_deleted(self, written: Written) -> bool:
        """Whether a join may have a live record go: a deletion won over it that was forgotten, and
        somebody covers it and does not hold it.
        """
        if (
            written.flags & TOMBSTONE
            or not self.oracle.is_deleted(written.key_, written.rank)
            or not self.oracle.is_missed(written, self.table)
        ):
            return False
        self.oracle.counts["deleted_elsewhere"] += 1
        return True

    def _is_back(self, written: Written) -> bool:
        """K4: whether this was deleted here for good, by somebody who knew of it."""
        collected = self.collected.get(written.key_, (-1, b""))
        if written.rank <= collected:
            # That somebody is dead may be found out once more, or said again, which is another
            # write. And a report or an accusation of an earlier start may come late: no fingerprint
            # has it, and it goes with its own source. So may the first word of a later start, and
            # that of one whose source is retired, of which less is covered here than was said: it
            # is void, goes as well, and its member says something else if it lives.
            later = written.counter > self._counters[written.key_]
            again = written.family == MEMBER and written.stamp & 3 == DEAD
            late = written.family in VOID and written.origin != collected[1]
            if written.family == ACCUSATION:
                late |= later
            elif written.family == MEMBER and written.stamp & 3 != DEAD:
                void = self.table.gone.get(written.origin) is not None
                late = void or self.is_another(written.key, written.origin)
            return not (again or late) or (written.rank == collected and not later)
        deletion = self._deleted.get(written.key_, (-1, b""))
        return written.rank <= deletion and self.oracle.knew(written.key_, deletion, written)

    def _may_go(self, written: Written) -> bool:
        """Whether a record may be gone: deleted elsewhere, as a join told, or the deletion itself,
        once nobody needs it any more.
        """
        if not self.oracle.collects:
            return False
        if self._was_deleted(written):
            return True
        if not written.flags & TOMBSTONE and not (written.fades and self._lapsed):
            return False
        for table in self.oracle.awaited(self.table):
            if table.covered(written.source) < written.counter:
                raise Violation(f"{self.name} collected {_say(written)}, which not all cover")
        self.oracle.collected(written)
        before = self._deleted.get(written.key_, (-1, b""))
        self._deleted[written.key_] = max(written.rank, before)
        return True

    def _check_record(self, written: Written) -> bool:
        """Check what is held now; whether it is what is left of what was held before."""
        key = written[:2]
        old = self.held.get(key)
        lapses = old is not None and old.fades and written == lapsed(old)
        lower = old is not None and old != written and written.rank <= old.rank and not lapses
        if lower and old is not None and not (written.rank < old.rank and self._was_deleted(old)):
            raise Violation(f"K2: {self.name} replaced {_say(old)} by {_say(written)}")
        if self._is_back(written):
            raise Violation(f"K4: {self.name} holds {_say(written)} again, which was collected")
        if old is not None and old.rank < written.rank:
            self.oracle.remembered.add((key, old.rank))
        known = self.oracle.records.get((*key, *written.rank))
        if known != written and not (known and known.fades and lapsed(known) == written):
            was = _say(known) if known else "nobody wrote that"
            raise Violation(f"{self.name} holds {_say(written)}, but {was}")
        if written.family == MEMBER and written.stamp & 3 != DEAD:
            self._words.setdefault(written.key, set()).add(written.origin)
        # The oracle's, where it is the same: one for all who hold it.
        self.held[key] = known if known == written else written
        return lapses

    def _check_cover(self, *, glances: bool) -> None:
        covered = dict(self.table.vector().items())
        self._check_rise(covered.items(), glances=glances)
        gone = [source for source in self.covered if source not in covered]
        for source in gone:
            if self.covered[source] or not self.table.gone.until:
                self._check_forgotten(source)
            del self.covered[source]
            self.floors.pop(source, None)

    def _check_forgotten(self, source: bytes) -> None:
        """A source may be forgotten that was retired, once nobody who runs, cut off or not, could
        come with anything of it: all have left it out, and hold nothing live that it wrote.
        """
        if self.table.gone.get(source) is not None or not self.table.gone.forgotten:
            raise Violation(f"{self.name} forgot {_short(source)}")
        for name, table in self.oracle.running():
            if table.counts_in(source):
                raise Violation(f"{self.name} forgot {_short(source)}, which counts at {name}")
            for written in map(Written._make, table.records()):
                if source in (written.source, written.origin) and not written.flags & TOMBSTONE:
                    raise Violation(
                        f"{self.name} forgot {_short(source)}, but {name} holds {_say(written)}"
                    )

    def _check_rise(self, covered: Iterable[tuple[bytes, int]], *, glances: bool) -> None:
        """Check counters and floors of these sources; with `glances` the records that are held are
        other ones than when all were looked at.
        """
        before, floors, floor_of = self.covered, self.floors, self.table.floor
        for source, upto in covered:
            after = before.get(source, 0)
            if upto != after:
                if upto < after:
                    said = f"{_short(source)} up to {after}, now {upto}"
                    raise Violation(f"{self.name} covered {said}")
                if glances:
                    self._glance(source, after, upto)
                self._check_positions(source, after, upto)
            if upto != after or not upto:
                before[source] = upto
            floor = floor_of(source)
            if floor != floors.get(source, 0):
                if floor < floors.get(source, 0) or floor > upto:
                    raise Violation(f"{self.name}: the floor of {_short(source)} is {floor}")
                floors[source] = floor

    def _glance(self, source: bytes, after: int, upto: int) -> None:
        """Check what is held of the keys that were written at these positions."""
        self._looked = None
        for key in self.oracle.positions.get(source, [])[after:upto]:
            if key is None:
                continue
            now, held = self.table.get(*key), self.held.get(key)
            # What is gone is judged with the whole.
            if now is not None and (held is None or (*held.rank, held.flags, held.value) != now):
                stamp, origin, flags, value = now
                known = self.oracle.records.get((*key, stamp, origin))
                where = (known.source, known.counter) if known is not None else (source, upto)
                self._check_record(Written(*key, stamp, origin, *where, flags, value))

    def _check_positions(self, source: bytes, after: int, upto: int) -> None:
        keys, ranks = self.oracle.positions.get(source, []), self.oracle.ranks.get(source, [])
        if upto > len(keys):
            raise Violation(f"{self.name} covers {_short(source)} up to {upto}, never issued")
        for index in range(after, upto):
            key = keys[index]
            if key is None or key in self.collected:
                continue
            if self.oracle.is_void(key, ranks[index]):
                keys[index] = None  # It stays so, and nobody need look again.
                continue
            holds = self.held.get(key)
            if holds is not None and holds.rank >= ranks[index]:
                if holds.rank > ranks[index]:
                    self.oracle.remembered.add((key, ranks[index]))
                continue
            if self.excuses(source, index + 1, key, ranks[index]):
                self.oracle.passed_over(key, ranks[index])
            elif not self._was_void(key, ranks[index]):
                raise Violation(
                    f"K5: {self.name} covers ({_short(source)}, {index + 1}), a write of {key[1]!r}"
                    f" with stamp {ranks[index][0]}, but holds {_say(holds)}"
                )

    def _was_void(self, key: Key, rank: Rank) -> bool:
        """Whether a record that is not here was dropped by somebody whose table is a large one, and
        was not looked at since: it may have given this one all the rest.
        """
        self.oracle.look()
        return self.oracle.is_void(key, rank)


def _short(source: bytes) -> str:
    return source.hex()[-8:]


def _say(record: Written | None) -> str:
    if record is None:
        return "nothing"
    return (
        f"{record.key!r} (family {record.family}, stamp {record.stamp}, from"
        f" {_short(record.source)} {record.counter}, flags {record.flags},"
        f" {len(record.value)} bytes)"
    )
