"""Signing up: how N members who called the same election become its electorate, all or nobody.

Without voters named by hand the electorate is whoever called, once exactly as many have. One of
them, the coordinator, proposes the roll; it stands when all have signed it, each durably and each
only one roll of a topic and round at a time. Whether it was formed or cancelled the coordinator
alone decides, once, on disk: two rolls that stood could otherwise both decide.

A member is released from what it signed by the coordinator's word, or when so many have refused,
for ever, that the roll can never decide anything. That somebody is thought dead releases nobody:
it is the reason to refuse. It must not know clocks or membership; candidates are told to it.
"""

from __future__ import annotations

from typing import Final
from zlib import crc32

import cython

from vines.protocol.elections.decree import Effects
from vines.protocol.elections.election import Election
from vines.protocol.elections.electorate import Electorate, among, equal_roll, id_with
from vines.protocol.elections.facts import Facts
from vines.protocol.elections.messages import (
    Cancel,
    Definition,
    Formed,
    Refusal,
    Said,
    Sign,
    Signed,
    Terms,
    Vote,
    defined,
    gathered,
    sign_of,
    signed_with,
)

COORDINATORS_MAX: Final = 64
"""Coordinators of one topic and round whose attempts are told apart; of more none is signed."""
ATTEMPT_MAX: Final = 2**63 - 1
"""What can be read again from the disk; no member comes to so many."""


@cython.no_gc
@cython.cclass
class Enrolment(Facts):
    """What a member must not forget of the rolls of one topic and round. `bound`: the one roll it
    takes part in, by its election's id; empty: none. `formed`: that roll stands. `attempt`: the
    number of its own last attempt to gather one. `passed`: (coordinator, attempt) up to which it
    signed or declined: it will never sign those (again). Whoever took part in a roll and forgot it
    would forget what it promised there.
    """

    __slots__ = ("bound", "formed", "attempt", "passed")

    def __init__(
        self,
        bound: bytes = b"",
        formed: bool = False,
        attempt: int = 0,
        passed: tuple[tuple[bytes, int], ...] = (),
    ) -> None:
        self.bound = bound
        self.formed = formed
        self.attempt = attempt
        self.passed = passed


UNBOUND: Final = Enrolment()


def _enrolled(
    bound: bytes, formed: bool, attempt: int, passed: tuple[tuple[bytes, int], ...]
) -> Enrolment:
    """One, without the price of a call of its class: some are made for every election."""
    made: Enrolment = Enrolment.__new__(Enrolment)
    made.bound, made.formed, made.attempt, made.passed = bound, formed, attempt, passed
    return made


class Surroundings(Effects):
    """Where a sign-up leaves what it wants done, and what it cannot make itself."""

    __slots__ = ()

    def enrol(self, enrolment: Enrolment) -> int:
        """Put it on disk; returns the ticket."""
        raise NotImplementedError

    def say(self, voter: bytes, election: bytes, message: Said, after: int) -> None:
        """Say something about an election to a member."""
        raise NotImplementedError

    def begin(self, election: bytes, definition: Definition) -> Election:
        """Take part in this from now on."""
        raise NotImplementedError

    def effects(self, election: bytes) -> Effects:
        """Where what its part in an election does is left."""
        raise NotImplementedError

    def name_of(self, definition: Definition) -> bytes:
        """The id of the election that this defines."""
        raise NotImplementedError

    def cast(self) -> Vote | None:
        """The vote that goes with a signature, if one is cast already."""
        raise NotImplementedError

    def stands(self) -> bool:
        """The roll stands, as its coordinator is the first to know: begin to decide. Whether that
        tells all who signed.
        """
        raise NotImplementedError

    def drop(self, election: bytes) -> None:
        """Take no part in it any more: its record is no longer needed."""
        raise NotImplementedError


@cython.no_gc
@cython.cclass
class SignUp:
    """One member's part in gathering the electorate of one topic and round.

    `definition` (its roll empty): what the caller here asked for. `key`: its topic and round, where
    that is an object already.
    """

    __slots__ = (
        *("_asked", "calling", "candidates", "election", "enrolment", "key", "me"),
        *("roll", "signed", "terms", "ticket", "total"),
    )

    def __init__(
        self,
        me: bytes,
        definition: Definition,
        total: int,
        enrolment: Enrolment = UNBOUND,
        key: tuple[str, int] | None = None,
    ) -> None:
        self.me = me
        self.key = (definition.topic, definition.round) if key is None else key
        self.terms = definition.terms
        self.total = total
        self.enrolment = enrolment
        self.calling = True
        """The call here still stands."""
        self.candidates: frozenset[bytes] = frozenset()
        """Members that called this, as far as known, and live."""
        self.election: Election | None = None
        """Its part in the roll it is bound to."""
        self.roll: Terms | None = None
        """That roll."""
        self.signed: frozenset[bytes] = frozenset()
        """As its coordinator: who has signed."""
        self._asked: tuple[bytes, bytes, Definition] | None = None
        """The last roll it was asked to sign and could not yet: coordinator, id, definition."""
        self.ticket = 0
        """Of the last record that was asked to be put on disk: that it is bound to nothing else."""

    @property
    def definition(self) -> Definition:
        """What the caller here asked for, or what it was told of."""
        return self._with(self.terms)

    def resume(self, roll: Definition, election: Election) -> None:
        """After a restart: this is the roll it is bound to, and its part there."""
        self.roll, self.election = roll.terms, election
        election.resume()
        self.signed = frozenset((self.me,))

    def coordinates(self) -> bool:
        """Whether the roll it is bound to is its own attempt."""
        return self.roll is not None and self.roll.coordinator == self.me

    def coordinator(self) -> bytes:
        """Who gathered the roll it is bound to; empty if it is bound to none."""
        return b"" if self.roll is None else self.roll.coordinator

    def is_named(self) -> bool:
        """Whether callers named the voters: nobody has to sign, and nobody can be replaced."""
        roll = self.roll or self.terms
        return bool(roll.roll and not roll.signup)

    # What happens here.

    def take(self, election: bytes, definition: Definition, out: Surroundings) -> None:
        """The voters were named: take part, if not in another roll already."""
        if not self.enrolment.bound:
            self.roll = definition.terms
            self.election = out.begin(election, definition)
            self._keep(self.enrolment.replace(bound=election, formed=True), out)

    def consider(self, candidates: frozenset[bytes], out: Surroundings) -> None:
        """These are known to have called this, and to live."""
        self.candidates = candidates
        bound = self.enrolment.bound
        if bound and self.coordinates() and not self.enrolment.formed:
            assert self.roll is not None
            if self.roll.roll != equal_roll(candidates):
                self.cancel(out)
        if not self.enrolment.bound and self._asked is not None:
            self._sign_asked(out)
        self._gather(out)

    def gathers(self) -> bool:
        """Whether it is up to this member to propose a roll: candidates are as many as wanted."""
        if not self._is_free() or len(self.candidates) != self.total:
            return False
        if self.me not in self.candidates:
            return False
        return self._first() == self.me

    def _is_free(self) -> bool:
        """Whether it would take part in a roll that callers make."""
        return self.calling and not self.enrolment.bound and not self.is_named()

    def _gather(self, out: Surroundings) -> None:
        """Propose the roll of all candidates, if that is up to us."""
        if not self.gathers():
            return
        attempt = self.enrolment.attempt + 1
        roll = equal_roll(self.candidates)
        signup = self.me + attempt.to_bytes(8, "big")
        definition = self._with(gathered(roll, signup, self.terms))
        self._bind(out.name_of(definition), definition, attempt, out)
        self.signed = frozenset((self.me,))
        self._say_to_all(sign_of(definition), out)
        self._form(out)

    def _first(self) -> bytes:
        """The candidate whose turn to coordinate it is: another one for each topic."""
        turn = crc32(self.key[0].encode()) % self.total
        return equal_roll(self.candidates)[turn][0]

    def repeat(self, out: Surroundings) -> None:
        """Say once more what may have been said to somebody who was away. As a coordinator: ask
        those who have not signed. As one who has signed: ask the coordinator what has come of it.
        Of a roll that stands: say so, or that it was refused, to hear who takes part.
        """
        if self.roll is None or self.election is None:
            return
        if self.election.record.refused:
            self._say_to_all(Refusal(), out, self.election.ticket)
        elif self.enrolment.formed:
            self._say_formed(out)
        elif self.coordinates():
            asked = sign_of(self.bound())  # one word for all: it is packed once
            for voter, _ in self.roll.roll:
                if voter not in self.signed:
                    out.say(voter, self.enrolment.bound, asked, self.ticket)
        else:
            self._say_signed(self.coordinator(), out)

    def withdraw(self, out: Surroundings) -> None:
        """The call here stands no longer: take part in nothing that has not gone too far."""
        self.calling = False
        self._asked = None
        if self.coordinates() and not self.enrolment.formed:
            self.cancel(out)
        elif self.election is not None:
            self.refuse(out)

    def cancel(self, out: Surroundings) -> None:
        """As a coordinator: this roll never stands."""
        if self.coordinates() and not self.enrolment.formed:
            self._say_after_release(Cancel(), out)

    def refuse(self, out: Surroundings) -> None:
        """Take no part in the roll signed, for ever, if that is still possible; all are told."""
        unformed = self.coordinates() and not self.enrolment.formed
        if self.election is not None and not unformed and not self.is_named():
            self.election.refuse(out.effects(self.enrolment.bound))
            self._release_if_hopeless(out)

    # What others say.

    def on_sign(self, sender: bytes, election: bytes, message: Sign, out: Surroundings) -> None:
        """Sign the roll if it is the one we would propose, once we would."""
        definition = message.definition
        if self._is_bound(election):
            self._say_signed(sender, out)
        elif coordinator_of(definition) != sender or out.name_of(definition) != election:
            return
        elif not self._is_free() or self._passed(definition):
            self.decline(sender, election, definition, out)
        else:
            self._asked = (sender, election, definition)
            self._sign_asked(out)

    def decline(
        self, sender: bytes, election: bytes, definition: Definition, out: Surroundings
    ) -> None:
        """Take no part in this, for ever, unless bound to it; tell who asked."""
        if self._is_bound(election):
            return
        if definition.terms.signup and not self._passed(definition):
            self._keep(self.enrolment.replace(passed=self._passing(definition)), out)
        out.say(sender, election, Refusal(), self.ticket)
        if coordinator_of(definition) == self.me:  # it was ours, and is no more
            out.say(sender, election, Cancel(), self.ticket)

    def _sign_asked(self, out: Surroundings) -> None:
        if self._asked is None or not self.calling:
            return
        sender, election, definition = self._asked
        asked, own = definition.terms, self.terms
        same = asked.council == own.council and asked.tiebreak == own.tiebreak
        if len(self.candidates) != self.total or not same:
            return
        if asked.roll != equal_roll(self.candidates):
            return
        self._asked = None
        if self._passed(definition):  # it was declined since
            return
        self._bind(election, self._with(asked), self.enrolment.attempt, out)
        out.say(sender, election, signed_with(out.cast()), self.ticket)

    def _with(self, terms: Terms) -> Definition:
        topic, number = self.key
        return defined(topic, number, terms)

    def bound(self) -> Definition:
        """What election it takes part in."""
        assert self.roll is not None
        return self._with(self.roll)

    def _say_signed(self, coordinator: bytes, out: Surroundings) -> None:
        assert self.election is not None
        signed = signed_with(self.election.vote())
        out.say(coordinator, self.enrolment.bound, signed, self.ticket)

    def on_signed(self, sender: bytes, election: bytes, message: Signed, out: Surroundings) -> None:
        """As a coordinator: once all have signed, the roll stands."""
        if not self._is_bound(election) or not self.coordinates():
            out.say(sender, election, Cancel(), self.ticket)
            return
        assert self.election is not None
        rank = self.election.electorate.rank(sender)
        if rank < 0:
            return
        if message.vote is not None:
            self.election.heard_vote(rank, message.vote)
        if self.enrolment.formed:
            out.say(sender, election, self._formed_for(rank), self.ticket)
            return
        self.signed |= {sender}
        self._form(out)

    def _form(self, out: Surroundings) -> None:
        assert self.roll is not None
        if not self.enrolment.formed and len(self.signed) == len(self.roll.roll):
            self._stand(out)
            if not out.stands():
                self._say_formed(out)

    def _say_formed(self, out: Surroundings) -> None:
        assert self.election is not None
        voters = self.election.electorate.voters
        for rank in range(len(voters)):
            if rank != self.election.me:
                out.say(voters[rank], self.enrolment.bound, self._formed_for(rank), self.ticket)

    def _formed_for(self, rank: int) -> Formed:
        assert self.election is not None
        return Formed(self.election.sequence_of(rank))

    def _stand(self, out: Surroundings) -> None:
        kept = self.enrolment
        self.signed = frozenset()
        self._keep(_enrolled(kept.bound, True, kept.attempt, kept.passed), out)

    def on_formed(self, election: bytes, out: Surroundings) -> None:
        """The roll stands."""
        if self._is_bound(election) and not self.enrolment.formed:
            self._stand(out)

    def on_cancel(self, sender: bytes, election: bytes, out: Surroundings) -> None:
        """The roll never stands: free for another."""
        if self._asked is not None and self._asked[1] == election:
            self._asked = None
        if self._is_bound(election):
            assert self.roll is not None
            if sender == self.coordinator() and not self.enrolment.formed:
                self._release(out)

    def on_refusal(self, sender: bytes, election: bytes, out: Surroundings) -> None:
        """One takes no part, for ever: as a coordinator, cancel; else see what that leaves."""
        if not self._is_bound(election) or self.election is None:
            return
        rank = self.election.electorate.rank(sender)
        if rank < 0:
            return
        self.election.on_refusal(rank, Refusal(), out.effects(election))
        if self.coordinates() and not self.enrolment.formed:
            self.cancel(out)
            return
        if self.coordinates():
            out.say(sender, election, self._formed_for(rank), self.ticket)
        self._release_if_hopeless(out)

    # Being bound.

    def _is_bound(self, election: bytes) -> bool:
        return bool(election) and self.enrolment.bound == election

    def _bind(
        self, election: bytes, definition: Definition, attempt: int, out: Surroundings
    ) -> None:
        passed = self._passing(definition)
        self.roll = definition.terms
        self.election = out.begin(election, definition)
        self._keep(_enrolled(election, False, attempt, passed), out)

    def _passed(self, definition: Definition) -> bool:
        """Whether it is too late to sign this."""
        if attempt_of(definition) > ATTEMPT_MAX:
            return True
        if not self.enrolment.passed:
            return False
        known = dict(self.enrolment.passed)
        coordinator = coordinator_of(definition)
        if coordinator not in known:
            return len(known) >= COORDINATORS_MAX
        return attempt_of(definition) <= known[coordinator]

    def _passing(self, definition: Definition) -> tuple[tuple[bytes, int], ...]:
        """What was passed, and that this will not be signed (again)."""
        this = definition.terms.passing
        if not self.enrolment.passed:
            return this
        return tuple(sorted([*dict((*self.enrolment.passed, *this)).items()]))

    def _release_if_hopeless(self, out: Surroundings) -> None:
        if self.is_named():
            return
        if self.election is not None and self.election.hopeless and not self.election.closed:
            self._release(out)

    def _release(self, out: Surroundings) -> bytes:
        """Bound to nothing; the roll is remembered as one never to take part in."""
        election = self.enrolment.bound
        self._keep(self.enrolment.replace(bound=b"", formed=False), out)
        out.drop(election)
        self.election = self.roll = None
        self.signed = frozenset()
        return election

    def _say_after_release(self, message: Said, out: Surroundings) -> None:
        assert self.roll is not None
        voters = [voter for voter, _ in self.roll.roll if voter != self.me]
        election = self._release(out)
        for voter in voters:
            out.say(voter, election, message, self.ticket)

    def _say_to_all(self, message: Said, out: Surroundings, after: int | None = None) -> None:
        assert self.roll is not None
        for voter, _ in self.roll.roll:
            if voter != self.me:
                out.say(voter, self.enrolment.bound, message, after or self.ticket)

    def _keep(self, enrolment: Enrolment, out: Surroundings) -> None:
        self.enrolment = enrolment
        self.ticket = out.enrol(enrolment)
        if self.election is not None:
            self.election.ticket = self.ticket


def id_of(namespace: bytes, definition: Definition) -> bytes:
    """The id of the election that a definition defines."""
    return id_with(namespace, definition.topic, definition.terms.ending(definition.round))


def electorate_of(election: bytes, definition: Definition) -> Electorate:
    """Who votes in the election that a definition defines. ValueError if nobody can.

    Who gathered a roll is the preferred claimant: it knows first that the roll stands, and has the
    votes that were cast by then.
    """
    terms = definition.terms
    return among(election, terms.voters(), terms.coordinator, terms.council, terms.tiebreak)


def coordinator_of(definition: Definition) -> bytes:
    """Who gathered a roll; empty if callers named it."""
    return definition.terms.coordinator


def attempt_of(definition: Definition) -> int:
    """The number of the attempt that gathered a roll."""
    return definition.terms.attempt
