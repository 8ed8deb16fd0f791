"""Everything anybody ever wrote, known to nobody but the checks.

The oracle sees each local write of each process at the moment it happens: which position it
took, for which key, with which stamp. A replica can then be asked whether what it claims to know
is true, and whether what it holds was written by anyone at all.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from math import inf
from typing import TYPE_CHECKING, NamedTuple

from vines._core.retired import read_batch
from vines._core.table import EPHEMERAL, EXPIRING, MEMBER, TOMBSTONE
from vines.errors import VinesError
from vines.protocol.members.accusations import ACCUSATION
from vines.protocol.replicas.batches import RETIRED
from vines.protocol.replicas.leftovers import VOID
from vines.protocol.wire.fields import ID_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from vines._core.table import Table

DEAD = 1
"""The rank of a dead member: the two low bits of the stamp of a member record are alive 0, dead
1, left 2."""

Key = tuple[int, bytes]
"""(family, key)."""

Content = tuple[int, bytes, int, bytes, int, bytes]
"""All of a record but its position."""

Rank = tuple[int, bytes]
"""(stamp, origin): the conflict order."""


class Written(NamedTuple):
    """One local write, in the order of fields of `Table.records`."""

    family: int
    key: bytes
    stamp: int
    origin: bytes
    source: bytes
    counter: int
    flags: int
    value: bytes

    @property
    def key_(self) -> Key:
        """Its family and key."""
        return self.family, self.key

    @property
    def rank(self) -> Rank:
        """Its place in the conflict order."""
        return self.stamp, self.origin

    @property
    def expires(self) -> bool:
        """Whether it is a live record with a time to live."""
        return self.flags & (EXPIRING | TOMBSTONE) == EXPIRING

    @property
    def depends(self) -> bool:
        """Whether it is a live record that lives as long as its author."""
        return self.flags & (EPHEMERAL | TOMBSTONE) == EPHEMERAL

    @property
    def fades(self) -> bool:
        """Whether it is a live record that ends by itself."""
        return self.expires or self.depends

    @property
    def content(self) -> tuple[int, bytes, int, bytes, int, bytes]:
        """What must be equal everywhere: everything but the position."""
        return self.family, self.key, self.stamp, self.origin, self.flags, self.value


def lapsed(written: Written) -> Written:
    """What is left of a record that expires or is ephemeral, once it has ended."""
    return written._replace(flags=written.flags | TOMBSTONE, value=b"")


def may_delete(flags: int) -> bool:
    """Whether a record of these flags is a deletion, or may become one by itself."""
    return flags & (TOMBSTONE | EXPIRING | EPHEMERAL) != 0


def voids(member: Written | None, accusation: int) -> bool:
    """Whether a member record, if any, says more than an accusation of this stamp knew of."""
    return member is not None and member.stamp > accusation >> 2 << 2


class Violation(VinesError, AssertionError):
    """A simulated cluster did what it must never do; the message says what, and how to see it
    again.
    """


class Oracle:
    """The writes of one kind of table ('control' or 'data') in a whole simulation, by position
    and by rank.
    """

    def __init__(self) -> None:
        self.positions: dict[bytes, list[Key | None]] = {}
        """Per source the key written at 1, 2, 3 ..."""
        self.ranks: dict[bytes, list[Rank]] = {}
        """Per source the rank written at 1, 2, 3 ..."""
        self.records: dict[tuple[int, bytes, int, bytes], Written] = {}
        """By (family, key, stamp, origin)."""
        self.highest: dict[Key, Written] = {}
        self.collects = False
        """Whether deletions are forgotten in these tables."""
        self.deletions: dict[Key, dict[Rank, Written]] = {}
        """Deletions that somebody forgot, by key and rank."""
        self.forgettings = 0
        """How often somebody forgot one, or came to cover one that others had forgotten."""
        self.forgotten: dict[tuple[Key, Rank], int] = {}
        """The number of the last of these, by deletion."""
        self.dropped: dict[Key, Rank] = {}
        """The highest record of a key that somebody dropped, for what that one's table says."""
        self.unnamed: set[tuple[bytes, int]] = set()
        """Positions of records that a join came to cover without the deletion that won over them:
        it was forgotten meanwhile."""
        self.awaited: Callable[[Table], list[Table]] = lambda _table: []
        """The tables of running processes that the process of a table waits for."""
        self.running: Callable[[], list[tuple[str, Table]]] = list
        """The tables of running processes of this kind, and their names."""
        self.tables: Callable[[], list[Table]] = list
        """All there ever were of this kind."""
        self.look: Callable[[], None] = lambda: None
        """Look at the whole of every such table that runs: what went there may not be known yet."""
        self.remembered: set[tuple[Key, Rank]] = set()
        """Records that met one which won over them, where that was not forgotten."""
        self.recounted: set[bytes] = set()
        """Members of whose disks an old copy was put back: their starts do not have the numbers of
        their order."""
        self.counts: Counter[str] = Counter()
        """How often deletions had what consequences."""
        self._of: dict[Key, list[Written]] = {}
        """Per key all that was ever written, in order of time."""
        self._ranked: dict[Key, list[tuple[Rank, int]]] = {}
        """The ranks of these in their order, each with its place there."""
        self._over: dict[tuple[Key, Rank], tuple[int, bool, frozenset[Rank]]] = {}
        """Of a deletion, or what may become one: how many of these there were; and those of them
        that its author covered, or those that it did not, whichever are fewer."""
        self._deletions: dict[Key, list[Rank]] = {}
        """The ranks of deletions that somebody forgot, by key, in their order."""
        self._fading: set[tuple[int, bytes, int, bytes]] = set()
        """(family, key, flags, value) of all that ends by itself, and of what is left of it."""

    def collected(self, written: Written) -> None:
        """A deletion was forgotten somewhere."""
        deletions = self.deletions.setdefault(written.key_, {})
        if written.rank not in deletions:
            insort(self._deletions.setdefault(written.key_, []), written.rank)
        deletions[written.rank] = written
        self.passed_over(written.key_, written.rank)

    def passed_over(self, key: Key, rank: Rank) -> None:
        """A position is covered somewhere, and what was written there not held: if it was a
        deletion, it was forgotten.
        """
        if rank in self.deletions.get(key, {}):
            self.forgettings += 1
            self.forgotten[key, rank] = self.forgettings

    def is_deleted(self, key: Key, rank: Rank) -> bool:
        """Whether somebody forgot a deletion that wins over a record of this rank."""
        ranks = self._deletions.get(key)
        return ranks is not None and rank <= ranks[-1]

    def deleted(self, key: Key, rank: Rank) -> Iterator[Written]:
        """The deletions that somebody forgot and that win over a record of this rank, the highest
        first.
        """
        found = self.deletions.get(key, {})
        for each in reversed(self._deletions.get(key, ())):
            if each < rank:
                return
            yield found[each]

    def knew(self, key: Key, deletion: Rank, written: Written) -> bool:
        """Whether the author of a deletion covered this record when it wrote that."""
        if (key, deletion) not in self._over:
            return False
        count, covered, some = self._over[key, deletion]
        if written.rank == deletion:
            return True
        return self._came(key, written.rank) < count and (written.rank in some) == covered

    def _came(self, key: Key, rank: Rank) -> float:
        """The place in the order of time of what was first written with this rank; infinity:
        nothing was.
        """
        ranked = self._ranked.get(key, [])
        place = bisect_left(ranked, (rank, 0))
        return ranked[place][1] if place < len(ranked) and ranked[place][0] == rank else inf

    def may_miss(self, written: Written) -> bool:
        """Whether a live record may be nowhere for a deletion that was forgotten: the author of one
        that won over it knew of the record, or somebody remembered one, or a later value, when the
        record came.
        """
        met = (written.key_, written.rank) in self.remembered
        return met or any(
            deletion.rank == written.rank or self.knew(written.key_, deletion.rank, written)
            for deletion in self.deleted(written.key_, written.rank)
        )

    def is_missed(self, written: Written, table: Table) -> bool:
        """Whether anybody but this table covers a record and does not hold it: what a join needs to
        have it go.
        """
        return any(
            other.covered(written.source) >= written.counter
            and (held := other.get(*written.key_)) != (*written.rank, written.flags, written.value)
            and (held is None or held[:2] != written.rank or not held[2] & TOMBSTONE)
            for other in self.tables()
            if other is not table
        )

    def wrote(self, written: Written, over: Callable[[bytes], int] | None = None) -> None:
        """Learn of a local write right after it happened; `over`: what its author covers of a
        source, of one that has its stamp from a clock. Raise Violation if it is not above all that
        its author covers of the key: whatever was forgotten, or is still held elsewhere, would win
        over it.
        """
        earlier = self._of.setdefault(written.key_, [])
        ranked = self._ranked.setdefault(written.key_, [])
        if over is not None:
            above = (
                earlier[place] for _, place in ranked[bisect_left(ranked, (written.rank, 0)) :]
            )
            if known := [each for each in above if each.counter <= over(each.source)]:
                raise Violation(f"K3: {written} is not above {known[0]}, which its author covers")
        if over is not None and may_delete(written.flags):
            lacked = frozenset(each.rank for each in earlier if over(each.source) < each.counter)
            most = 2 * len(lacked) > len(earlier)
            some = frozenset(each.rank for each in earlier) - lacked if most else lacked
            self._over[written.key_, written.rank] = len(earlier), most, some
        insort(ranked, (written.rank, len(earlier)))
        earlier.append(written)
        keys = self.positions.setdefault(written.source, [])
        ranks = self.ranks.setdefault(written.source, [])
        assert written.counter == len(keys) + 1, "a position was issued twice or never"
        keys.append((written.family, written.key))
        ranks.append(written.rank)
        self._keep(written)
        self.inspect(written, self.highest.get((written.family, written.key)))
        best = self.highest.get((written.family, written.key))
        if best is None or best.rank < written.rank:
            self.highest[written.family, written.key] = written

    def is_void(self, key: Key, rank: Rank) -> bool:
        """A hook: whether a record, or what won over it, may have been collected by those who know
        why.
        """
        return self.is_dropped(key, rank)

    def is_dropped(self, key: Key, rank: Rank) -> bool:
        """Whether a record, or what won over it, was dropped by anybody."""
        return rank <= self.dropped.get(key, (-1, b""))

    def sources_of(self, member: bytes) -> list[bytes]:  # noqa: ARG002
        """A hook: under which sources a member wrote."""
        return []

    def inspect(self, written: Written, highest: Written | None) -> None:
        """A hook: judge a write by what it was written over, anywhere."""

    def observe(self, table: Table, source: bytes, *, anew: bool = False) -> None:
        """Learn of writes a node made on its own: those of this source of its that the oracle has
        not seen yet. Of several writes of one key between two looks only the last can be seen; for
        the others the last stands in. With `anew` only what ends by itself is believed to be
        a node's own doing, when it is written once more, and that it is gone.
        """
        known, count = len(self.positions.get(source, ())), table.covered(source)
        if count == known:
            return
        fresh: dict[int, Written] = {}
        current: dict[Key, Written] = {}
        # The last entry of a key in the log of its record's own source is where that record is.
        for counter, family, key in reversed(table.entries(source)):
            if counter <= known:
                break
            if (family, key) in current:
                fresh[counter] = current[family, key]._replace(counter=counter)
                continue
            held = table.get(family, key)
            if held is not None and held[1] == source:
                written = Written(family, key, held[0], source, source, counter, held[2], held[3])
                current[family, key] = fresh[counter] = written
        if len(fresh) < count - known:
            # Entries were dropped, or what they led to was overwritten.
            for written in map(Written._make, table.records()):
                if written.source == source and written.counter > known:
                    current[written.key_] = fresh[written.counter] = written
        if anew and not all(map(self._is_known, current.values())):
            return
        for counter in range(known + 1, count + 1):
            if counter in fresh:
                self.wrote(fresh[counter])
            else:
                self._skip(source)
        for written in current.values():
            self._keep(written)

    def _is_known(self, written: Written) -> bool:
        """Whether somebody wrote the same before, with an owner or a time to live; it may
        have ended since, or its author says that it is gone.
        """
        return (written.family, written.key, written.flags, written.value) in self._fading

    def _keep(self, written: Written) -> None:
        self.records[written.family, written.key, *written.rank] = written
        if written.fades:
            for each in (written, lapsed(written), written._replace(flags=TOMBSTONE, value=b"")):
                self._fading.add((each.family, each.key, each.flags, each.value))

    def _skip(self, source: bytes) -> None:
        self.positions.setdefault(source, []).append(None)
        self.ranks.setdefault(source, []).append((0, b""))


class ControlOracle(Oracle):
    """The writes of all control tables; it also knows who may write what about whom.

    `authors` maps a source to the node id of its process, as `writes` told. Only the subject of a
    member record says that it is alive or has left and raises its incarnation; anybody may say it
    is dead, at the incarnation the subject chose.
    """

    def __init__(self) -> None:
        super().__init__()
        self.authors: dict[bytes, bytes] = {}
        self._sources: dict[bytes, list[bytes]] = {}
        """Under which sources a member wrote."""
        self._starts: dict[bytes, str] = {}
        """Which start wrote under a source."""
        self.refutations = 0
        self.retired: set[bytes] = set()
        """The sources of which anybody said that they are."""

    def is_void(self, key: Key, rank: Rank) -> bool:
        """Whether an accusation was answered by whatever anybody wrote of its subject; whether the
        author of one, or of a report, is known to be retired, by anybody; or somebody has dropped
        it, or what won over it, rightly.
        """
        if key[0] == ACCUSATION and voids(self.highest.get((MEMBER, key[1][:ID_BYTES])), rank[0]):
            return True
        if key[0] in VOID and rank[1] in self.retired:
            return True
        return super().is_void(key, rank)

    def writes(self, member: bytes, source: bytes, start: str = "") -> None:
        """Learn under which source a member writes, and which start of it does."""
        if source not in self.authors:
            self.authors[source] = member
            self._starts[source] = start
            self._sources.setdefault(member, []).append(source)

    def sources_of(self, member: bytes) -> list[bytes]:
        """Under which sources a member wrote."""
        return self._sources.get(member, [])

    def starts_saying(self, member: bytes, stamp: int) -> set[str]:
        """Which starts of a member wrote this of it."""
        said = self._of.get((MEMBER, member), ())
        own = (each.origin for each in said if each.stamp == stamp)
        return {self._starts[source] for source in own if self.authors[source] == member}

    def inspect(self, written: Written, highest: Written | None) -> None:
        """M3: only the subject of a member record raises its incarnation. Raise Violation if a
        record is not its author's to write; count refutations.
        """
        if written.family == RETIRED and not written.flags & TOMBSTONE:
            self.retired.update(source for source, _ in read_batch(written.value))
        if written.family != MEMBER:
            return
        author, state = self.authors[written.source], written.stamp & 3
        if state != DEAD and written.key != author:
            raise Violation(f"M3: {author.hex()} wrote state {state} of {written.key.hex()}")
        if state == DEAD and (highest is None or highest.stamp >> 2 < written.stamp >> 2):
            raise Violation(f"M3: {author.hex()} raised the incarnation of {written.key.hex()}")
        if highest is not None and state != DEAD and highest.stamp & 3 == DEAD:
            self.refutations += 1
