"""Voters: how a roll names them, and which members they are.

Callers make an electorate by their ids. Voters that are named by hand are known before any of them
has started, so by the names that people gave them; a name stands for the one data directory that
was opened with it, for what a voter promised must outlive its process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vines.protocol.elections.disputes import Disputes
from vines.protocol.elections.messages import Definition
from vines.protocol.members.membership import Membership

if TYPE_CHECKING:
    from vines.protocol.elections.matter import Matter

NAMED: Final = b"\x00a name\x00"
"""Before a name. That an id is drawn that begins so will not happen: 1 in 2**64."""


def voter_of(voter: bytes | str) -> bytes:
    """How a roll calls a member of this id or name."""
    return voter if isinstance(voter, bytes) else NAMED + voter.encode()


def spoken(voter: bytes) -> bytes | str:
    """The id or the name by which a roll calls a voter."""
    if not is_named(voter):
        return voter
    try:
        return voter[len(NAMED) :].decode()
    except UnicodeDecodeError:
        return voter


def is_named(voter: bytes) -> bool:
    """Whether a voter is called by name, not by id."""
    return voter.startswith(NAMED)


class Who:
    """Which voter a member is, and which member a voter. `name`: that people gave to this node;
    `durable`: it has a disk; `disputes`: two members that vote under one name are one.
    """

    def __init__(
        self,
        me: bytes,
        name: str,
        members: Membership,
        disputes: Disputes,
        *,
        durable: bool,
    ) -> None:
        self._me = me
        self._name = name
        self._members = members
        self._disputes = disputes
        self._durable = durable
        self._voice = voter_of(name) if name and durable else me
        """Which voter this node is where voters are named."""
        self.mine = (me, spoken(self._voice))
        """How an outcome calls this node."""

    def here(self, definition: Definition) -> bytes:
        """Which of its voters this node is; nothing if none."""
        voters = {voter for voter, _ in definition.terms.roll}
        if not voters or self._me in voters:
            return self._me
        return self._voice if self._voice in voters else b""

    def why_not(self, definition: Definition) -> str:
        """Why this node is none of its voters."""
        named = {spoken(voter) for voter, _ in definition.terms.roll}
        if not self._durable and self._name in named:
            return (
                "a named voter needs a data directory, so that it votes once also if it is started"
                " again: Vine(data_dir=...)"
            )
        return "this node is not in the electorate"

    def speaks(self, matter: Matter, member: bytes, taking_part: bool = True) -> bytes:
        """The voter that a member speaks as; if it is none, its id. Who has not taken part may be
        somebody without the voter's data directory.
        """
        part = matter.signup.election
        named = matter.signup.terms.roll
        if not named or part is None or part.electorate.rank(member) >= 0:
            return member
        voter = self.called(member)
        if part.electorate.rank(voter) < 0:
            return member
        if not taking_part:
            return voter
        matter.members = matter.members or {}
        if matter.members.setdefault(voter, member) != member:
            self._disputes.tell(matter.key, f"two data directories vote as {spoken(voter)!r}")
            return member
        return voter

    def called(self, member: bytes) -> bytes:
        """How a roll calls a member, if it does by name."""
        if member == self._me:
            return self._voice
        sighting = self._members.get(member)
        return member if sighting is None else voter_of(sighting.profile.name)

    def member(self, matter: Matter, voter: bytes) -> bytes:
        """The member that a voter is; nothing if none of this name is known."""
        if not is_named(voter):
            return voter
        known = (matter.members or {}).get(voter)
        return known or self._members.named(str(spoken(voter))) or b""
