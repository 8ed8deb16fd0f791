"""Accusations: records of the control table that say who holds whom for failed.

    family 2, key = subject 16 | accuser 16, stamp = incarnation << 2 | evidence, no value, expiring
    evidence    unanswered 0 < silent 1 < proved 2

Each accuser has a record of its own, so that independent ones count in whatever order they come,
and one that says it twice counts once. *Unanswered*: the process does not answer, though its
machine may. *Silent*: a dial was not even answered by its machine, which does that for a process
that stands still. *Proved*: dials were refused, or all came to nothing. What is said of an
incarnation is void with the next one. An accusation is its accuser's to make: written by another it
is stored, and not believed.

One that is void, because a member record says a higher incarnation, dead or left, is collected by
every node that holds both. What decides are the two records alone, so all tables come to be equal
in whatever order they arrive, and hold no accusation once nobody is suspected. One whose subject is
known to nobody any more lapses, after as long as a record of somebody dead, an hour at least.
"""

from __future__ import annotations

from vines._core.changes import Change, Changes
from vines._core.table import MEMBER, Table
from vines.errors import WireError
from vines.events import ALIVE
from vines.hints import Final, NamedTuple
from vines.protocol.members.profile import RANKS, stamp_of
from vines.protocol.wire.fields import ID_BYTES
from vines.protocol.wire.hello import INCARNATION_MAX

ACCUSATION: Final = 2
"""The family of these records."""
UNANSWERED: Final = 0
SILENT: Final = 1
PROVED: Final = 2


class Accusation(NamedTuple):
    """One member's word about another."""

    subject: bytes
    accuser: bytes
    incarnation: int
    evidence: int
    origin: bytes
    """The start that wrote it."""

    @property
    def key(self) -> bytes:
        """The key of the record."""
        return self.subject + self.accuser

    @property
    def stamp(self) -> int:
        """The stamp of the record."""
        return self.incarnation << 2 | self.evidence


def read_accusation(change: Change) -> Accusation:
    """What a record of the family says. WireError: stored, but not believed."""
    _, key, _, value, stamp, origin = change
    if len(key) != 2 * ID_BYTES or value or stamp >> 2 > INCARNATION_MAX or stamp & 3 > PROVED:
        raise WireError("an accusation with an impossible key, value or stamp")
    subject, accuser = key[:ID_BYTES], key[ID_BYTES:]
    return Accusation(subject, accuser, stamp >> 2, stamp & 3, origin)


class Accusations:
    """The accusations in a control table, by subject, so that void ones are found without a scan.

    Malformed ones are not among them: nobody knows whom they are about.
    """

    def __init__(self, control: Table) -> None:
        self.vain: list[tuple[bytes, bytes, bytes]] = []
        """Accusers, subjects that objected, and who wrote it; of those nobody else accused. For
        who wants to know of them: it empties the list.
        """
        self._control = control
        self._accusers: dict[bytes, set[bytes]] = {}
        self._lapsed: set[bytes] = set()
        """Keys of those of these that are none any more: what answers them collects them, too."""

    def __len__(self) -> int:
        return sum(map(len, self._accusers.values())) - len(self._lapsed)

    def add(self, accusation: Accusation) -> None:
        """It stands in the table."""
        self._lapsed.discard(accusation.key)
        self._accusers.setdefault(accusation.subject, set()).add(accusation.accuser)
        self.settle(accusation.subject)

    def learn(self, changes: Changes) -> None:
        """Member records became current."""
        for change in changes:
            if change[0] == MEMBER and change[1] in self._accusers:
                self.settle(change[1])

    def lapsed(self, key: bytes) -> None:
        """What stands in the table was not answered for so long that it is none any more."""
        if len(key) == 2 * ID_BYTES:
            self._lapsed.add(key)
            self._accusers.setdefault(key[:ID_BYTES], set()).add(key[ID_BYTES:])
            self.settle(key[:ID_BYTES])

    def cleared(self, key: bytes) -> None:
        """What was left of one that lapsed is in the table no more."""
        self._lapsed.discard(key)
        accusers = self._accusers.get(key[:ID_BYTES])
        if accusers is not None:
            accusers.discard(key[ID_BYTES:])
            if not accusers:
                del self._accusers[key[:ID_BYTES]]

    def settle(self, subject: bytes) -> None:
        """Collect what is void of what is said of a member."""
        accusers = self._accusers.get(subject)
        record = self._control.get(MEMBER, subject) if accusers else None
        if accusers is None or record is None:
            return
        alone = len(accusers) == 1 and record[0] & 3 == RANKS.index(ALIVE)
        for accuser in sorted(accusers):
            held = self._control.get(ACCUSATION, subject + accuser)
            if held is not None and record[0] <= stamp_of(held[0] >> 2, ALIVE):
                continue
            if held is not None and alone:
                self.vain.append((accuser, subject, held[1]))
            self._control.collect(ACCUSATION, subject + accuser)
            self._lapsed.discard(subject + accuser)
            accusers.discard(accuser)
        if not accusers:
            del self._accusers[subject]
