"""What members say to each other in an election; each is about one instance, named beside it."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from vines.protocol.elections.ballots import NEVER

Testimony: TypeAlias = tuple[tuple[int, int, int], ...]
"""Votes known: (rank, sequence number, choice), ascending."""


class Definition(NamedTuple):
    """What election this is: everything its id is made of, and what was asked for. `remaining_ms`:
    until its caller's deadline. `signup`: who gathered the roll, and in which attempt; empty for
    a roll that callers gave.
    """

    topic: str
    round: int
    roll: tuple[tuple[bytes, int], ...]
    """(voter, weight), ascending."""
    signup: bytes
    council: int
    tiebreak: bool
    choices: tuple[str, ...]
    least: int
    plurality: bool
    remaining_ms: int


class Sign(NamedTuple):
    """Will you take part in this, and in no other election of its topic and round?"""

    definition: Definition


class Signed(NamedTuple):
    """I do, and it is on disk."""

    willing: bool


class Formed(NamedTuple):
    """All have signed: it may decide."""


class Cancel(NamedTuple):
    """It never will."""


class Unknown(NamedTuple):
    """I have not heard of this election: define it."""


class Vote(NamedTuple):
    """My vote. `digest`: of the criteria its caller asked for, empty if it did not call.
    `willing`: somebody there would act on a commit.
    """

    sequence: int
    choice: int
    digest: bytes
    willing: bool


class VoteAck(NamedTuple):
    """I hold your vote of this number, or a later one."""

    sequence: int


class Prepare(NamedTuple):
    """Promise me this ballot: accept nothing below it."""

    ballot: int


class Promise(NamedTuple):
    """Promised; what I accepted last, the votes I know, what my caller asked for."""

    ballot: int
    accepted: int = NEVER
    value: bytes = b""
    votes: Testimony = ()
    digest: bytes = b""
    willing: bool = False


class Accept(NamedTuple):
    """Accept this value. `fresh`: nobody who promised had accepted any."""

    ballot: int
    value: bytes
    fresh: bool


class Accepted(NamedTuple):
    """Accepted, and on disk; `digest` of the value."""

    ballot: int
    digest: bytes


class Nack(NamedTuple):
    """No: I have promised a higher ballot, or (`conflict`) was asked for something else."""

    ballot: int
    promised: int
    conflict: bool = False


class Refusal(NamedTuple):
    """I take no part in this, for ever."""


class Decided(NamedTuple):
    """This was decided."""

    value: bytes


Message: TypeAlias = (
    Vote | VoteAck | Prepare | Promise | Accept | Accepted | Nack | Refusal | Decided
)
"""About an election whose electorate both sides know."""
Introduction: TypeAlias = Definition | Sign | Signed | Formed | Cancel | Unknown
"""What comes before that."""
