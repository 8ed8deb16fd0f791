"""What members say to each other in an election; each is about one instance, named beside it."""

from __future__ import annotations

from typing import TypeAlias

import cython

from vines.protocol.elections.ballots import NEVER
from vines.protocol.elections.criteria import Criteria, criteria_of
from vines.protocol.elections.electorate import Voters, id_ending, one_id, voters_of
from vines.protocol.elections.facts import Facts, Known
from vines.protocol.elections.remembering import FEW, remembered

Testimony: TypeAlias = tuple[tuple[int, int, int], ...]
"""Votes known: (rank, sequence number, choice), ascending."""


class Said(Facts):
    """Anything that is said."""

    __slots__ = ()


class Followed(Known):
    """The base of those of which what follows is found once, as many elections share them; of
    those that are long it is not kept.
    """

    __slots__ = (
        *("_can_win", "_criteria", "_ending", "_voters", "attempt", "coordinator", "packed"),
        "passing",
    )


@cython.no_gc
@cython.cclass
class Terms(Followed):
    """What is asked for in an election, whatever its topic. `roll`: (voter, weight), ascending.
    `signup`: who gathered the roll, and in which attempt; empty for a roll that callers gave.
    `remaining_ms`: until its caller's deadline.
    """

    __slots__ = (
        *("roll", "signup", "council", "tiebreak", "choices", "least", "plurality"),
        "remaining_ms",
    )

    def __init__(
        self,
        roll: tuple[tuple[bytes, int], ...],
        signup: bytes,
        council: int,
        tiebreak: bool,
        choices: tuple[str, ...],
        least: int,
        plurality: bool,
        remaining_ms: int,
    ) -> None:
        Known.__init__(self)
        self.roll = roll
        self.signup = signup
        self.council = council
        self.tiebreak = tiebreak
        self.choices = choices
        self.least = least
        self.plurality = plurality
        self.remaining_ms = remaining_ms
        self.coordinator = one_id(signup[:-8])
        """Who gathered the roll; empty if callers named it."""
        self.attempt = int.from_bytes(signup[-8:], "big")
        """The number of the attempt that gathered it."""
        self.passing = ((self.coordinator, self.attempt),)
        self.packed = b""
        """As they travel, if somebody has packed them."""
        self._criteria: Criteria | None = None
        self._ending = b""
        self._voters: Voters | None = None
        self._can_win = -1

    def criteria(self) -> Criteria:
        """What of it is the caller's to choose. ValueError."""
        if self._criteria is None:
            self._criteria = criteria_of(self.choices, self.least, self.plurality)
        return self._criteria

    def can_win(self) -> bool:
        """Whether as many votes can be cast as are needed."""
        if self._can_win < 0:
            self._can_win = self.least <= sum([weight for _, weight in self.roll])
        return bool(self._can_win)

    def voters(self) -> Voters:
        """Who votes. ValueError if nobody can."""
        if self._voters is not None:
            return self._voters
        found = voters_of(self.roll, self.council, self.tiebreak)
        if len(self.roll) <= FEW:
            self._voters = found
        return found

    def ending(self, round: int) -> bytes:
        """What follows the topic in the id of an election."""
        if self._ending and not round:
            return self._ending
        ending: bytes = id_ending(self.roll, self.signup, round, self.council, self.tiebreak)
        if not round and len(self.roll) <= FEW:
            self._ending = ending
        return ending


@remembered(FEW)
def gathered(roll: tuple[tuple[bytes, int], ...], signup: bytes, terms: Terms) -> Terms:
    """The same among these voters, whom `signup` gathered. Equal terms of thousands of elections
    are one object.
    """
    return terms.replace(roll=roll, signup=signup)


@cython.no_gc
@cython.cclass
class Definition(Said):
    """What election this is: everything its id is made of, and what was asked for."""

    __slots__ = ("topic", "round", "terms")

    def __init__(self, topic: str, round: int, terms: Terms) -> None:
        self.topic = topic
        self.round = round
        self.terms = terms


@cython.no_gc
@cython.cclass
class Sign(Said):
    """Will you take part in this, and in no other election of its topic and round?"""

    __slots__ = ("definition",)

    def __init__(self, definition: Definition) -> None:
        self.definition = definition


class Cancel(Said):
    """It never will."""

    __slots__ = ()


class Unknown(Said):
    """I take no part in this election so far: define it."""

    __slots__ = ()


class Vote(Said):
    """My vote. `digest`: of the criteria its caller asked for, empty if it did not call.
    `willing`: somebody there would act on a commit.
    """

    __slots__ = ("sequence", "choice", "digest", "willing")

    def __init__(self, sequence: int, choice: int, digest: bytes, willing: bool) -> None:
        self.sequence = sequence
        self.choice = choice
        self.digest = digest
        self.willing = willing


@cython.no_gc
@cython.cclass
class Signed(Said):
    """I do, and it is on disk. `vote`: that I have cast already, if I have."""

    __slots__ = ("vote",)

    def __init__(self, vote: Vote | None = None) -> None:
        self.vote = vote


class Formed(Said):
    """All have signed: it may decide. `sequence`: of the vote of yours that I hold, 0 if none."""

    __slots__ = ("sequence",)

    def __init__(self, sequence: int = 0) -> None:
        self.sequence = sequence


class VoteAck(Said):
    """I hold your vote of this number, or a later one. `digest`: of the criteria I count it by, if
    your caller asked for others; else empty.
    """

    __slots__ = ("sequence", "digest")

    def __init__(self, sequence: int, digest: bytes = b"") -> None:
        self.sequence = sequence
        self.digest = digest


class Prepare(Said):
    """Promise me this ballot: accept nothing below it."""

    __slots__ = ("ballot",)

    def __init__(self, ballot: int) -> None:
        self.ballot = ballot


@cython.no_gc
@cython.cclass
class Promise(Said):
    """Promised; what I accepted last, the votes I know, what my caller asked for."""

    __slots__ = ("ballot", "accepted", "value", "votes", "digest", "willing")

    def __init__(
        self,
        ballot: int,
        accepted: int = NEVER,
        value: bytes = b"",
        votes: Testimony = (),
        digest: bytes = b"",
        willing: bool = False,
    ) -> None:
        self.ballot = ballot
        self.accepted = accepted
        self.value = value
        self.votes = votes
        self.digest = digest
        self.willing = willing


class Accept(Said):
    """Accept this value. `fresh`: nobody who promised had accepted any."""

    __slots__ = ("ballot", "value", "fresh")

    def __init__(self, ballot: int, value: bytes, fresh: bool) -> None:
        self.ballot = ballot
        self.value = value
        self.fresh = fresh


class Accepted(Said):
    """Accepted, and on disk; `digest` of the value."""

    __slots__ = ("ballot", "digest")

    def __init__(self, ballot: int, digest: bytes) -> None:
        self.ballot = ballot
        self.digest = digest


class Nack(Said):
    """No: I have promised a higher ballot, or (`conflict`) was asked for something else."""

    __slots__ = ("ballot", "promised", "conflict")

    def __init__(self, ballot: int, promised: int, conflict: bool = False) -> None:
        self.ballot = ballot
        self.promised = promised
        self.conflict = conflict


class Refusal(Said):
    """I take no part in this, for ever."""

    __slots__ = ()


class Decided(Said):
    """This was decided."""

    __slots__ = ("value",)

    def __init__(self, value: bytes) -> None:
        self.value = value


# What is made for every election, without the price of a call of its class.


def defined(topic: str, round: int, terms: Terms) -> Definition:
    """A definition."""
    made: Definition = Definition.__new__(Definition)
    made.topic, made.round, made.terms = topic, round, terms
    return made


def vote_of(sequence: int, choice: int, digest: bytes, willing: bool) -> Vote:
    """A vote."""
    made: Vote = Vote.__new__(Vote)
    made.sequence, made.choice, made.digest, made.willing = sequence, choice, digest, willing
    return made


def sign_of(definition: Definition) -> Sign:
    """The question for a signature."""
    made: Sign = Sign.__new__(Sign)
    made.definition = definition
    return made


def signed_with(vote: Vote | None) -> Signed:
    """A signature."""
    made: Signed = Signed.__new__(Signed)
    made.vote = vote
    return made


def accept_of(ballot: int, value: bytes, fresh: bool) -> Accept:
    """A proposal."""
    made: Accept = Accept.__new__(Accept)
    made.ballot, made.value, made.fresh = ballot, value, fresh
    return made


def accepted_of(ballot: int, digest: bytes) -> Accepted:
    """The answer to one."""
    made: Accepted = Accepted.__new__(Accepted)
    made.ballot, made.digest = ballot, digest
    return made


def decided_of(value: bytes) -> Decided:
    """The outcome."""
    made: Decided = Decided.__new__(Decided)
    made.value = value
    return made


Message: TypeAlias = (
    Vote | VoteAck | Prepare | Promise | Accept | Accepted | Nack | Refusal | Decided
)
"""About an election whose electorate both sides know."""
Introduction: TypeAlias = Definition | Sign | Signed | Formed | Cancel | Unknown
"""What comes before that."""
