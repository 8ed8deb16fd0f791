"""Everything anybody ever wrote, known to nobody but the checks.

The oracle sees each local write of each process at the moment it happens: which position it
took, for which key, with which stamp. A replica can then be asked whether what it claims to know
is true, and whether what it holds was written by anyone at all.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from vines._core.table import EPHEMERAL, EXPIRING, MEMBER, TOMBSTONE
from vines.errors import VinesError
from vines.protocol.members.accusations import ACCUSATION
from vines.protocol.wire.fields import ID_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

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
        self.awaited: Callable[[Table], list[Table]] = lambda _table: []
        """The tables of running processes that the process of a table waits for."""
        self.tables: Callable[[], list[Table]] = list
        """All there ever were of this kind."""
        self.counts: Counter[str] = Counter()
        """How often deletions had what consequences."""
        self._over: dict[tuple[Key, Rank], dict[bytes, int]] = {}

    def collected(self, written: Written) -> None:
        """A deletion was forgotten somewhere."""
        self.deletions.setdefault(written.key_, {})[written.rank] = written

    def deleted(self, key: Key, rank: Rank) -> list[Written]:
        """The deletions that somebody forgot and that win over a record of this rank."""
        found = self.deletions.get(key)
        return [each for each in found.values() if rank <= each.rank] if found else []

    def knew(self, key: Key, deletion: Rank, written: Written) -> bool:
        """Whether the author of a deletion covered this record when it wrote that."""
        over = self._over.get((key, deletion), {})
        return written.counter <= over.get(written.source, 0)

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

    def wrote(self, written: Written, over: dict[bytes, int] | None = None) -> None:
        """Learn of a local write right after it happened; `over`: what its author covered, of one
        that is a deletion or may become one.
        """
        if over is not None:
            self._over[written.key_, written.rank] = over
        keys = self.positions.setdefault(written.source, [])
        ranks = self.ranks.setdefault(written.source, [])
        assert written.counter == len(keys) + 1, "a position was issued twice or never"
        keys.append((written.family, written.key))
        ranks.append(written.rank)
        self.records[written.family, written.key, *written.rank] = written
        self.inspect(written, self.highest.get((written.family, written.key)))
        best = self.highest.get((written.family, written.key))
        if best is None or best.rank < written.rank:
            self.highest[written.family, written.key] = written

    def is_void(self, key: Key, stamp: int) -> bool:  # noqa: ARG002
        """A hook: whether a record may have been collected by those who know why."""
        return False

    def inspect(self, written: Written, highest: Written | None) -> None:
        """A hook: judge a write by what it was written over, anywhere."""

    def observe(self, table: Table, source: bytes, *, anew: bool = False) -> None:
        """Learn of writes a node made on its own: those of this source of its that the oracle has
        not seen yet. Of several writes of one key between two looks only the last can be seen; for
        the others the last stands in. With `anew` only ephemeral records written once more are
        believed to be a node's own doing.
        """
        known, count = len(self.positions.get(source, ())), table.covered(source)
        if count == known:
            return
        fresh: dict[int, Written] = {}
        current: dict[Key, Written] = {}
        for fields in table.records():
            written = Written(*fields)
            if written.source == source and written.counter > known:
                current[written.family, written.key] = fresh[written.counter] = written
        if anew and not all(map(self._is_known, current.values())):
            return
        for counter, family, key in table.entries(source):
            if counter > known and (family, key) in current:
                fresh.setdefault(counter, current[family, key]._replace(counter=counter))
        for counter in range(known + 1, count + 1):
            if counter in fresh:
                self.wrote(fresh[counter])
            else:
                self._skip(source)
        for written in current.values():
            self.records[written.family, written.key, *written.rank] = written

    def _is_known(self, written: Written) -> bool:
        """Whether somebody wrote the same before, with an owner; it may have ended since."""
        same = written.family, written.key, written.flags, written.value
        return any(
            (each.family, each.key, each.flags, each.value) == same
            for known in self.records.values()
            if known.depends
            for each in (known, lapsed(known))
        )

    def _skip(self, source: bytes) -> None:
        self.positions.setdefault(source, []).append(None)
        self.ranks.setdefault(source, []).append((0, b""))


class ControlOracle(Oracle):
    """The writes of all control tables; it also knows who may write what about whom.

    `authors` maps a source to the node id of its process. Only the subject of a member record
    says that it is alive or has left and raises its incarnation; anybody may say it is dead, at
    the incarnation the subject chose.
    """

    def __init__(self) -> None:
        super().__init__()
        self.authors: dict[bytes, bytes] = {}
        self.refutations = 0

    def is_void(self, key: Key, stamp: int) -> bool:
        """Whether an accusation was answered by whatever anybody wrote of its subject."""
        return key[0] == ACCUSATION and voids(self.highest.get((MEMBER, key[1][:ID_BYTES])), stamp)

    def inspect(self, written: Written, highest: Written | None) -> None:
        """M3: only the subject of a member record raises its incarnation. Raise Violation if a
        record is not its author's to write; count refutations.
        """
        if written.family != MEMBER:
            return
        author, state = self.authors[written.source], written.stamp & 3
        if state != DEAD and written.key != author:
            raise Violation(f"M3: {author.hex()} wrote state {state} of {written.key.hex()}")
        if state == DEAD and (highest is None or highest.stamp >> 2 < written.stamp >> 2):
            raise Violation(f"M3: {author.hex()} raised the incarnation of {written.key.hex()}")
        if highest is not None and state != DEAD and highest.stamp & 3 == DEAD:
            self.refutations += 1
