"""Votes that are published: records of the control table, where nobody answers to whom they went.

It knows those of elections that this node does not know yet, and who may say what about whom. It
must not know matters.
"""

from __future__ import annotations

from typing import Final

from vines._core.table import TOMBSTONE, VOTE, Table
from vines.protocol.elections.electorate import ID_BYTES, VOTERS_MAX
from vines.protocol.elections.messages import Vote
from vines.protocol.elections.records import WITHDRAWN
from vines.protocol.elections.voters import Who
from vines.protocol.members.membership import Membership
from vines.protocol.wire.ballot import pack, unpack

STRAYS_MAX: Final = 65_536
"""Elections that nobody here knows of which votes are kept."""


class Published:
    """The votes in one control table."""

    def __init__(self, control: Table, members: Membership, who: Who) -> None:
        self._control = control
        self._members = members
        self._who = who
        self.strays: dict[bytes, dict[bytes, tuple[bytes, bytes]]] = {}
        """Votes whose elections are not known here, by election; who wrote them."""

    def publish(self, voter: bytes, election: bytes, vote: Vote) -> None:
        """Say a vote to everybody."""
        packed = pack(election, 0, vote)
        self._control.put(VOTE, election + voter, 0, packed, vote.sequence)

    def withdraw(self, voter: bytes, election: bytes) -> None:
        """Nobody asks for it any more."""
        self._control.put(VOTE, election + voter, TOMBSTONE, b"", WITHDRAWN)

    def read(self, about: bytes, packed: bytes, origin: bytes) -> Vote | None:
        """Whose vote in what, and the record of it, by this author: the vote, if it is one."""
        election, voter = about[:ID_BYTES], about[ID_BYTES:]
        try:
            ((same, _slot, said),) = unpack(packed)
        except ValueError:  # WireError is one, too
            return None
        writer = self._members.writer(origin)
        if writer is not None and voter not in (writer, self._who.called(writer)):
            return None  # it is not this one's to say; nobody knows whose earlier starts were
        return said if same == election and isinstance(said, Vote) else None

    def keep(self, about: bytes, packed: bytes, origin: bytes) -> None:
        """One of an election that is not known yet: for when it is."""
        election = about[:ID_BYTES]
        votes = self.strays.get(election, {})
        if len(votes) < VOTERS_MAX and (votes or len(self.strays) < STRAYS_MAX):
            self.strays.setdefault(election, votes)[about] = packed, origin

    def take(self, election: bytes) -> dict[bytes, tuple[bytes, bytes]]:
        """What was kept of an election."""
        return self.strays.pop(election, {})

    def forget(self, about: bytes) -> None:
        """It was withdrawn."""
        votes = self.strays.get(about[:ID_BYTES], {})
        votes.pop(about, None)
        if not votes:
            self.strays.pop(about[:ID_BYTES], None)
