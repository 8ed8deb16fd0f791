"""What members say to each other in an election; each is about one instance, named beside it."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from vines.protocol.elections.ballots import NEVER

Testimony: TypeAlias = tuple[tuple[int, int, int], ...]
"""Votes known: (rank, sequence number, choice), ascending."""


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
