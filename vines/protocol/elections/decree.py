"""A decree: one value on which an electorate agrees, whoever proposes, whoever dies, once for ever.

Single-decree Paxos (Lamport, "The part-time parliament", 1998; "Paxos made simple", 2001), with a
first ballot that is promised from the start. Every member is acceptor and claimant of what is
decided here. No clock, no retries: what may be done is here, when to do it is pacing.py's.

What must survive a restart is one small record. Everything said that rests on it waits for it to
be on disk: effects name the ticket of the record they follow from. A proposal rests on what its
claimant promised, not on its own accept: two commits, one after the other, lead to an outcome, that
of an acceptor and that of the outcome, which comes in the place of the claimant's accept.
"""

from __future__ import annotations

from typing import Final

import cython

from vines.hashes import blake2b
from vines.protocol.elections.ballots import (
    BEYOND_FIRST,
    FIRST,
    NEVER,
    NUMBER_MAX,
    ballot,
    is_ballot,
    number_of,
    rank_of,
)
from vines.protocol.elections.electorate import Electorate, bit
from vines.protocol.elections.facts import Facts
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Decided,
    Nack,
    Prepare,
    Promise,
    Refusal,
    Said,
    Vote,
    accept_of,
    accepted_of,
    decided_of,
)
from vines.protocol.elections.phases import HOLDING, IDLE, PREPARING, PROPOSING
from vines.protocol.elections.remembering import SHORT_BYTES, remembered


class Record(Facts):
    """What a member must not forget of one decree. `accepted`: the ballot of what was accepted
    last. `foreign`: something was accepted at a ballot of somebody else. `refused`: it takes no
    part, for ever. `outcome`: what was decided; nothing else matters then. `fired`: its owner has
    begun to act on it, or may have.
    """

    __slots__ = ("promised", "accepted", "value", "foreign", "refused", "outcome", "fired")

    def __init__(
        self,
        promised: int = FIRST,
        accepted: int = NEVER,
        value: bytes = b"",
        foreign: bool = False,
        refused: bool = False,
        outcome: bytes = b"",
        fired: bool = False,
    ) -> None:
        self.promised = promised
        self.accepted = accepted
        self.value = value
        self.foreign = foreign
        self.refused = refused
        self.outcome = outcome
        self.fired = fired


NOTHING: Final = Record()
"""Of a member that has taken no part yet."""


def _kept(
    promised: int,
    accepted: int,
    value: bytes,
    foreign: bool,
    refused: bool = False,
    outcome: bytes = b"",
    fired: bool = False,
) -> Record:
    """A record, without the price of a call of its class: some are made for every election."""
    made: Record = Record.__new__(Record)
    made.promised, made.accepted, made.value = promised, accepted, value
    made.foreign, made.refused, made.outcome, made.fired = foreign, refused, outcome, fired
    return made


class Effects:
    """Where a decree leaves what it wants done. `after`: the ticket of a record to wait for."""

    __slots__ = ()

    def persist(self, record: Record) -> int:
        """Put the record on disk; returns its ticket."""
        raise NotImplementedError

    def persist_later(self, record: Record) -> int:
        """The same of a record that need not be there unless something waits for it."""
        return self.persist(record)

    def send(self, rank: int, message: Said, after: int) -> None:
        """Say something to a rank."""
        raise NotImplementedError

    def publish(self, vote: Vote) -> None:
        """Say it to everybody, by the table: nobody answers."""
        raise NotImplementedError

    def decided(self, value: bytes, fire: bool, after: int) -> None:
        """Tell this node's user; `fire`: act on it."""
        raise NotImplementedError

    def violated(self, text: str) -> None:
        """What cannot happen did: somebody's disk lies, or there is a bug."""
        raise NotImplementedError


@remembered(SHORT_BYTES, 1024)
def digest_of(value: bytes) -> bytes:
    """Eight bytes that stand for a value in an answer."""
    return blake2b(value, digest_size=8).digest()


@cython.no_gc
@cython.cclass
class Decree:
    """One member's part in one decree. `me`: its rank.

    Subclasses say what may be proposed: `fresh_value`, `objection`, `testimony`, `is_mine`.
    """

    __slots__ = (
        *("ballot", "best", "best_value", "counted", "electorate", "frozen", "listening", "me"),
        *("outbid", "phase", "record", "refusals", "replied", "strength", "ticket"),
    )

    def __init__(self, electorate: Electorate, me: int, record: Record = NOTHING) -> None:
        self._enter(electorate, me, record)

    def _enter(self, electorate: Electorate, me: int, record: Record) -> None:
        self.electorate = electorate
        self.me = me
        self.record = record
        self.ticket = 0
        """Of the last record that was asked to be put on disk, or of what goes with it: that the
        electorate stands, and this member is in it.
        """
        self.listening = False
        """Somebody here would act on a commit."""
        self.frozen = False
        """Something happened that cannot: nothing more is said."""
        self.counted = False
        """The outcome was learned by counting those who accepted, this member among them."""
        self.refusals = bit(me) if record.refused else 0
        """Ranks known to take no part."""
        # As a claimant: the attempt under way.
        self.phase = IDLE
        self.ballot = NEVER
        self.outbid = FIRST
        """The highest ballot somebody else was promised, as far as told."""
        self.replied = 0
        """Ranks that answered this phase."""
        self.strength = 0
        self.best = NEVER
        """The highest ballot at which any of them had accepted, and what."""
        self.best_value = b""

    @property
    def closed(self) -> bool:
        """Whether the outcome is known."""
        return bool(self.record.outcome)

    # What subclasses know.

    def fresh_value(self) -> bytes:
        """What to propose where nobody may have accepted anything; empty: nothing yet."""
        raise NotImplementedError

    def fault(self, value: bytes) -> str:
        """Why no honest claimant proposes this; empty if one may."""
        raise NotImplementedError

    def objects(self, value: bytes) -> bool:
        """Whether a fresh value goes against what was asked for here."""
        raise NotImplementedError

    def promise(self) -> Promise:
        """The promise of the record's ballot, with all that a claimant should know."""
        raise NotImplementedError

    def heard(self, rank: int, promise: Promise) -> None:
        """Note what a promise says beside its ballot."""
        raise NotImplementedError

    def is_mine(self, value: bytes) -> bool:
        """Whether this member is to act on the value."""
        raise NotImplementedError

    # As a claimant.

    @property
    def may_claim(self) -> bool:
        """Whether an attempt of one's own makes sense at all."""
        return not (self.closed or self.record.refused or self.frozen)

    @property
    def may_open(self) -> bool:
        """Whether the first ballot is this member's to use."""
        return self.me == 0 and self.record.promised == self.outbid == FIRST

    def claim(self, out: Effects) -> None:
        """Begin an attempt: at the first ballot if that is free and there is a value, else above
        everything heard of.
        """
        if not self.may_claim:
            return
        if self.may_open:
            value = self.record.value if self.record.accepted == FIRST else self.fresh_value()
            if value:
                self._begin(PROPOSING, FIRST)
                self._propose(value, True, out)
                return
        above = max(number_of(self.record.promised), number_of(self.outbid)) + 1
        if above > NUMBER_MAX:
            return  # somebody has used them all up
        self._keep(self.record.replace(promised=ballot(above, self.me)), out)
        self._begin(PREPARING, self.record.promised)
        self.best, self.best_value = self.record.accepted, self.record.value
        self._say_to_acceptors(Prepare(self.ballot), self.ticket, out)
        self._count(self.me)
        self.proceed(out)

    def proceed(self, out: Effects) -> None:
        """With a quorum of promises: propose what one of them had accepted, else something new."""
        if self.phase not in (PREPARING, HOLDING) or self.record.promised != self.ballot:
            return
        if not self.electorate.is_quorum(self.strength):
            return
        self.phase = HOLDING
        value = self.recovered() or self.fresh_value()
        if value:
            fresh = self.best == NEVER
            self._begin(PROPOSING, self.ballot)
            self._propose(value, fresh, out)

    def recovered(self) -> bytes:
        """What must be proposed, because it may have been chosen: unchanged, its owner included."""
        return self.best_value if self.best != NEVER else b""

    def again(self, out: Effects) -> None:
        """Repeat the question of this phase to those who have not answered."""
        if self.phase == PREPARING or self.phase == HOLDING:
            self._say_to_acceptors(Prepare(self.ballot), self.ticket, out)
        elif self.phase == PROPOSING:
            fresh = self.best == NEVER
            repeated = Accept(self.ballot, self.record.value, fresh)
            self._say_to_acceptors(repeated, self.ticket, out)

    def give_up(self) -> None:
        """End the attempt under way; another may follow."""
        self.phase = IDLE
        self.ballot = self.best = NEVER
        self.best_value = b""
        self.replied = self.strength = 0

    def _begin(self, phase: int, one: int) -> None:
        if phase == PREPARING or one == FIRST:
            self.best, self.best_value = NEVER, b""
        self.phase, self.ballot = phase, one
        self.replied = self.strength = 0

    def _propose(self, value: bytes, fresh: bool, out: Effects) -> None:
        # Others may accept it before one's own accept is on the disk: in no later life anything
        # else is proposed at this ballot. What came before must be there. Nothing rests on that
        # accept but the outcome, which takes its place; it need never be written.
        before, record = self.ticket, self.record
        kept = _kept(record.promised, self.ballot, value, record.foreign, record.refused)
        self.record = kept
        self.ticket = out.persist_later(kept)
        self._say_to_acceptors(accept_of(self.ballot, value, fresh), before, out)
        self._count(self.me)
        if self.electorate.is_quorum(self.strength):
            self._learn(value, out, tell=True)

    def _count(self, rank: int) -> None:
        """Count an answer of a rank once."""
        if not self.replied >> rank & 1:
            self.replied |= bit(rank)
            self.strength += self.electorate.shared.strengths[rank]

    # What others say.

    def on_prepare(self, rank: int, message: Prepare, out: Effects) -> None:
        """Promise the ballot if it is the highest so far."""
        usable = message.ballot > FIRST and is_ballot(message.ballot, rank, self.record.promised)
        if self._answered(rank, out) or not usable:
            return
        if message.ballot < self.record.promised:
            out.send(rank, Nack(message.ballot, self.record.promised), self.ticket)
            return
        if message.ballot > self.record.promised:
            self._bind(message.ballot, out)
            self.give_up()
        if self.record.accepted != message.ballot:  # else it has had this promise
            out.send(rank, self.promise(), self.ticket)

    def _bind(self, one: int, out: Effects) -> None:
        """Accept nothing below this ballot from now on."""
        self._keep(self.record.replace(promised=one), out)

    def on_promise(self, rank: int, message: Promise, out: Effects) -> None:
        """Count a promise; with a quorum of them, propose."""
        if self.record.outcome or self.frozen:
            return
        self.heard(rank, message)
        if self._is_answer(message.ballot, PREPARING):
            if message.accepted > self.best:
                if message.accepted >= message.ballot or self.fault(message.value):
                    out.violated(f"rank {rank} accepted what nobody may propose")
                    return
                self.best, self.best_value = message.accepted, message.value
            self._count(rank)
        self.proceed(out)

    def on_accept(self, rank: int, message: Accept, out: Effects) -> None:
        """Accept the value unless a higher ballot was promised."""
        promised = self.record.promised
        if self._answered(rank, out) or not is_ballot(message.ballot, rank, promised):
            return
        if message.ballot < self.accept_from():
            out.send(rank, Nack(message.ballot, promised), self.ticket)
            return
        wrong = self.fault(message.value)
        if wrong:
            out.violated(f"rank {rank} proposes what nobody may: {wrong}")
            return
        if message.ballot == self.record.accepted:
            if message.value != self.record.value:
                self._freeze(f"rank {rank} proposed two values at one ballot", out)
                return
        elif message.fresh and self.objects(message.value):
            out.send(rank, Nack(message.ballot, promised, conflict=True), self.ticket)
            return
        else:
            if message.ballot != self.ballot:
                self.give_up()
            self._accept(message, rank, out)
        out.send(rank, accepted_of(message.ballot, digest_of(message.value)), self.ticket)

    def accept_from(self) -> int:
        """The lowest ballot at which something may still be accepted."""
        return self.record.promised

    def _accept(self, message: Accept, rank: int, out: Effects) -> None:
        foreign = self.record.foreign or rank != self.me
        self._keep(_kept(message.ballot, message.ballot, message.value, foreign), out)

    def on_accepted(self, rank: int, message: Accepted, out: Effects) -> None:
        """Count an accept; with a quorum of them the value is decided."""
        record = self.record
        if record.outcome or record.refused or not self._is_answer(message.ballot, PROPOSING):
            return
        if message.digest != digest_of(self.record.value):
            return
        self._count(rank)
        if self.electorate.is_quorum(self.strength):
            self._learn(self.record.value, out, tell=True)

    def on_nack(self, rank: int, message: Nack, out: Effects) -> None:  # noqa: ARG002
        """Somebody is ahead: the attempt ends, the next one goes above. Who was only asked for
        something else ends nothing: the others may accept.
        """
        if not message.conflict and self.phase != IDLE and message.ballot == self.ballot:
            if is_ballot(message.promised, rank_of(message.promised), self.record.promised):
                self.outbid = max(self.outbid, message.promised)
            self.give_up()

    def on_refusal(self, rank: int, message: Refusal, out: Effects) -> None:  # noqa: ARG002
        """A rank takes no part, for ever."""
        self.refusals |= bit(rank)

    def on_decided(self, message: Decided, out: Effects) -> None:
        """Somebody learned the outcome: so do we."""
        if not self.fault(message.value):
            self._learn(message.value, out, tell=False)

    # What this member does.

    @property
    def may_refuse(self) -> bool:
        """Whether it may still stay out of it: it has not helped anybody else's value along."""
        return not (self.record.foreign or self.closed)

    def refuse(self, out: Effects) -> bool:
        """Take no part, for ever; False if it is too late for that."""
        if not self.may_refuse:
            return False
        if not self.record.refused:
            self._keep(self.record.replace(refused=True), out)
            self.refusals |= bit(self.me)
            self.give_up()
        for rank in range(len(self.electorate.voters)):
            if rank != self.me:
                out.send(rank, Refusal(), self.ticket)
        return True

    def resume(self) -> None:
        """It was started again. What it had proposed at the first ballot need not be on its disk:
        it proposes nothing there any more, as at any other that it has promised.
        """
        self.outbid = max(self.outbid, BEYOND_FIRST)

    def stop(self) -> None:
        """Its disk has failed: say nothing more, and act on nothing."""
        self.frozen, self.listening = True, False
        self.give_up()

    def listen(self, out: Effects) -> None:
        """Somebody here would act on a commit from now on, also on one that has been made."""
        self.listening = True
        if self.closed and not self.record.fired and self.is_mine(self.record.outcome):
            self._keep(self.record.replace(fired=True), out)
            out.decided(self.record.outcome, True, self.ticket)

    @property
    def hopeless(self) -> bool:
        """Whether so many take no part that nothing can ever be decided."""
        return self.electorate.is_lost_without(self.refusals)

    def _learn(self, value: bytes, out: Effects, tell: bool) -> None:
        if self.record.outcome:
            if value != self.record.outcome:
                self._freeze("two outcomes were decided", out)
            return
        fire = self.listening and self.is_mine(value)
        self.counted = tell
        self._close(value, fire, out)
        self.give_up()
        if tell:
            message = decided_of(value)
            for rank in range(len(self.electorate.voters)):
                if rank != self.me:
                    out.send(rank, message, self.ticket)

    def _close(self, value: bytes, fire: bool, out: Effects) -> None:
        # The outcome takes the place of the acceptor's record in one step.
        self._keep(_kept(FIRST, NEVER, b"", False, False, value, fire), out)
        out.decided(value, fire, self.ticket)

    def _answered(self, rank: int, out: Effects) -> bool:
        """Whether there is but one answer left to give to anything."""
        if self.frozen:
            return True
        if self.record.outcome:
            out.send(rank, Decided(self.record.outcome), self.ticket)
            return True
        if self.record.refused:
            out.send(rank, Refusal(), self.ticket)
            return True
        return False

    def _is_answer(self, one: int, phase: int) -> bool:
        """Whether it is about the attempt under way, which nobody has outbid since."""
        return self.phase == phase and one == self.ballot == self.record.promised

    def _keep(self, record: Record, out: Effects) -> None:
        self.record = record
        self.ticket = out.persist(record)

    def _freeze(self, text: str, out: Effects) -> None:
        self.frozen = True
        self.give_up()
        out.violated(text)

    def _say_to_acceptors(self, message: Said, after: int, out: Effects) -> None:
        for rank in range(self.electorate.shared.acceptors):
            if rank != self.me and not self.replied >> rank & 1:
                out.send(rank, message, after)
