"""An election at one member: its own vote, the votes it knows, and what it proposes of them.

A vote counts in the version that is the newest known, until the member that holds it has accepted
an outcome or its deadline has passed. The deadline is each member's own; it freezes what that
member counts, and lets it propose that time ran out. Whether it did is decided like the rest.
"""

from __future__ import annotations

import cython

from vines._core.tally import ABSTAIN, LOST, NONE, PENDING, REFUSE, Tally
from vines.protocol.elections import value as values
from vines.protocol.elections.ballots import NEVER
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.decree import NOTHING, Decree, Effects, Record
from vines.protocol.elections.electorate import Electorate, bit
from vines.protocol.elections.messages import Decided, Promise, Vote, VoteAck, vote_of
from vines.protocol.elections.phases import PROPOSING

FIRST_SEQUENCE_MASK = 0xFFFFFFFF
"""A vote's number is boot << 32 | count: the count of a voter's first is 1."""


@cython.no_gc
@cython.cclass
class Election(Decree):
    """One member's part in one election. `me`: its rank; `boot`: which start of it this is.

    `criteria` are those of its own caller, or, as long as there is none (`called` is False), those
    it was told of.
    """

    __slots__ = (
        *("_agreeing", "_others", "_tally", "called", "criteria", "dead", "late", "sequence"),
        *("suspected", "willing"),
    )

    def __init__(
        self,
        electorate: Electorate,
        me: int,
        criteria: Criteria,
        called: bool = True,
        boot: int = 0,
        record: Record = NOTHING,
    ) -> None:
        self._enter(electorate, me, record)
        self.criteria = criteria
        self.called = called
        self._tally: Tally | None = None
        """The votes known, once there are any: most elections wait a while for the first."""
        self.sequence = boot << 32
        self.late = False
        """This member's own deadline has passed."""
        self.willing = 0
        """Ranks where somebody would act on a commit."""
        self.dead = 0
        """Ranks that are known to be dead: who acts is never chosen among them."""
        self.suspected = 0
        """Ranks that may be: others are preferred to them."""
        self._agreeing = bit(me)
        """Ranks known to want these criteria, or none."""
        self._others: dict[int, bytes] | None = None
        """What ranks that want others want, by its digest."""

    # The voter.

    @property
    def tally(self) -> Tally:
        """The votes known."""
        return self._votes()

    @tally.setter
    def tally(self, tally: Tally) -> None:
        self._tally = tally

    def _votes(self) -> Tally:
        if self._tally is None:
            self._tally = tally_of(self.electorate, self.criteria)
        return self._tally

    def has_votes(self) -> bool:
        """Whether any vote is known."""
        return self._tally is not None and self._tally.voted > 0

    def sequence_of(self, rank: int) -> int:
        """The number of the vote known of a rank; 0: none."""
        return 0 if self._tally is None else self._tally.sequence_of(rank)

    @property
    def locked(self) -> bool:
        """Whether an outcome was accepted here: votes change no more."""
        return self.record.accepted != NEVER

    def cast(self, choice: int) -> Vote | None:
        """This member's vote; None if it is too late for one."""
        record = self.record
        if record.outcome or record.accepted != NEVER or self.late or record.refused:
            return None
        self.sequence += 1
        self._votes().vote(self.me, self.sequence, choice)
        return self.vote()

    def vote(self) -> Vote | None:
        """What to tell others of this member's vote; None if it has not voted."""
        choice = NONE if self._tally is None else self._tally.choice_of(self.me)
        if choice == NONE:
            return None
        return vote_of(self.sequence_of(self.me), choice, self._digest(), self.listening)

    def heard_vote(self, rank: int, message: Vote) -> bool:
        """Count a vote, unless it is too late here; whether it, or a later one, is held."""
        self._note(rank, message.digest, message.willing)
        if self.late or self.record.accepted != NEVER or self.record.outcome:
            return True
        if self._counts(message.choice):
            self._votes().vote(rank, message.sequence, message.choice)
        return self.sequence_of(rank) >= message.sequence

    def on_vote(self, rank: int, message: Vote, out: Effects) -> None:
        """Count a vote, unless it is too late here."""
        if self._answered(rank, out):
            return
        held = self.heard_vote(rank, message)
        if self.differs(rank):
            # Who asked for something else tells those after us, too: this one may not decide.
            out.send(rank, VoteAck(message.sequence, self.criteria.digest()), self.ticket)
        elif held and not self._proposes():
            out.send(rank, VoteAck(message.sequence), self.ticket)
        self.proceed(out)

    def _proposes(self) -> bool:
        """Whether the preferred claimant has something to propose, which will tell voters as well
        as an answer would.
        """
        return self.me == 0 and (self.phase == PROPOSING or self.decided_by_votes())

    def pass_deadline(self, out: Effects) -> None:
        """This member's own deadline is over: what it counts is what it has."""
        if not self.late:
            self.late = True
            self.proceed(out)

    def call(self, criteria: Criteria) -> None:
        """This node's own application wants this election, with these criteria."""
        if not self.called and criteria != self.criteria:
            self._recount(criteria)
        self.called = True

    def _recount(self, criteria: Criteria) -> None:
        """Count the votes known by other criteria."""
        old, self._tally, self.criteria = self._tally, None, criteria
        for rank, sequence, choice in () if old is None else old.held():
            if self._counts(choice):
                self._votes().vote(rank, sequence, choice)
        others, self._others, self._agreeing = self._others, None, bit(self.me)
        for rank, other in (others or {}).items():
            self._agree(rank, other, self.criteria.digest())

    # What may be proposed.

    def decided_by_votes(self) -> bool:
        """Whether the votes known here decide, or the deadline has passed: something to propose."""
        return self.late or (self._tally is not None and self._tally.outcome != PENDING)

    def fresh_value(self) -> bytes:
        """A result, if the votes known decide and a quorum is known to have asked for nothing
        else; that time ran out, once it did here; else nothing.
        """
        tally, criteria = self._votes(), self.criteria
        outcome = tally.closing() if self.late else tally.outcome
        votes = tally.packed()
        versions = tuple(
            [
                (rank, sequence)
                for rank, sequence, _ in tally.held()
                if sequence & FIRST_SEQUENCE_MASK != 1
            ]
        )
        if outcome != PENDING and self.is_agreed():
            if outcome == LOST:
                return values.abort(self.me, criteria, votes, versions)
            return values.commit(outcome, self._owner(), criteria, votes, versions)
        return values.expired(self.me, criteria, votes, versions) if self.late else b""

    def is_agreed(self) -> bool:
        """Whether members with more than half of the strength want these criteria, or none."""
        return self.electorate.is_quorum(self.electorate.strength(self._agreeing))

    def may_be_agreed(self) -> bool:
        """Whether they are, or may turn out to: not so many are known to want others."""
        return not self._others or not self.electorate.is_lost_without(self.differing())

    def differs(self, rank: int) -> bool:
        """Whether a rank is known to count by other criteria, or to want them."""
        return self._others is not None and rank in self._others

    def differing(self) -> int:
        """All such ranks."""
        ranks = 0
        for rank in self._others or ():
            ranks |= bit(rank)
        return ranks

    def heard_criteria(self, rank: int, digest: bytes) -> None:
        """A rank counts by these criteria."""
        self._agree(rank, digest, self.criteria.digest())

    def _owner(self) -> int:
        """Who acts: this claimant if it would, else the lowest rank that would and is not known
        dead, nor a suspect if another would, too; nobody would: this claimant, who keeps the
        outcome for whoever comes.
        """
        if self.listening:
            return self.me
        able = self.willing & ~self.dead & ~bit(self.me)
        able = able & ~self.suspected or able
        return (able & -able).bit_length() - 1 if able else self.me

    def fault(self, value: bytes) -> str:
        """Why no honest claimant proposes this; empty if one may."""
        if value == self.record.value:
            return ""  # accepted, so it was looked at
        return values.fault(value, self.electorate)

    def objects(self, value: bytes) -> bool:
        """A result counted by criteria that this node's own caller did not ask for."""
        read = values.decode(value)
        wanted = not self.called or read.digest == self.criteria.digest()
        return not wanted and read.kind != values.EXPIRED

    def is_mine(self, value: bytes) -> bool:
        """Whether it is a commit that this member acts on."""
        return values.names(value, self.me)

    # What promises carry.

    def promise(self) -> Promise:
        """The promise of the record's ballot, with all that a claimant should know."""
        record = self.record
        votes = () if self._tally is None else self._tally.held()
        accepted = record.accepted, record.value
        return Promise(record.promised, *accepted, votes, self._digest(), self.listening)

    def heard(self, rank: int, promise: Promise) -> None:
        """Votes cast before this member's deadline count, whenever they become known."""
        self._note(rank, promise.digest, promise.willing)
        if self.record.accepted != NEVER:
            return
        for voter, sequence, choice in promise.votes:
            if voter < len(self.electorate.voters) and self._counts(choice):
                self._votes().vote(voter, sequence, choice)

    def _digest(self) -> bytes:
        return self.criteria.digest() if self.called else b""

    def _note(self, rank: int, digest: bytes, willing: bool) -> None:
        if willing:
            self.willing |= bit(rank)
        else:
            self.willing &= ~bit(rank)
        self._agree(rank, digest, self.criteria.digest())

    def _agree(self, rank: int, theirs: bytes, mine: bytes) -> None:
        if theirs in (b"", mine):
            self._agreeing |= bit(rank)
            if self._others:
                self._others.pop(rank, None)
        else:
            self._agreeing &= ~bit(rank)
            if self._others is None:
                self._others = {}
            self._others[rank] = theirs

    def _counts(self, choice: int) -> bool:
        """Whether a choice exists by these criteria."""
        return choice < self.criteria.winnable() or choice in (REFUSE, ABSTAIN)

    def on_decided(self, message: Decided, out: Effects) -> None:
        """Somebody learned the outcome: so do we, and drop what only led there."""
        Decree.on_decided(self, message, out)
        if self.record.outcome:
            self._tally = None


def tally_of(electorate: Electorate, criteria: Criteria) -> Tally:
    """A tally without votes, of these voters and by these criteria."""
    least = min(criteria.least, electorate.shared.roll.total)
    return Tally(electorate.shared.roll, criteria.winnable(), least, plurality=criteria.plurality)
