"""A matter: one topic and round at one node, from the first call or vote to the outcome.

It joins the parts: how the electorate comes about, the election that follows, its timers, and the
way to the others. What the parts say to a voter goes to that member; what they want told to the
user or kept on disk, to the office. It must not know other matters.
"""

from __future__ import annotations

from collections.abc import Collection
from math import inf

from vines.protocol.elections.ballots import NEVER
from vines.protocol.elections.call import Call
from vines.protocol.elections.decree import NOTHING, Effects, Record
from vines.protocol.elections.election import Election
from vines.protocol.elections.electorate import bit
from vines.protocol.elections.messages import (
    Accepted,
    Decided,
    Definition,
    Formed,
    Nack,
    Promise,
    Said,
    Vote,
    VoteAck,
)
from vines.protocol.elections.office import Office
from vines.protocol.elections.pacing import RETRY_SECONDS_MIN, Pacer
from vines.protocol.elections.phases import IDLE, PROPOSING
from vines.protocol.elections.records import Key
from vines.protocol.elections.shelf import Part
from vines.protocol.elections.signup import (
    UNBOUND,
    Enrolment,
    SignUp,
    Surroundings,
    electorate_of,
    id_of,
)
from vines.protocol.elections.topic import receive as hear

REPEAT_SECONDS = 2 * RETRY_SECONDS_MIN
"""After which a coordinator asks again who has not signed."""

ASK_SECONDS = 1.0
"""After which a member that signed asks what has come of the roll: a word is lost but rarely. And
after which a roll is proposed anew that somebody declined, for every attempt so much later.
"""

ASKS = 3
"""How often members of a roll that stands ask the others whether they take part, after some came
to life: who held them dead may have left it.
"""

ATTEMPTS_COUNTED = 30
"""Attempts after which the pause between them grows no more."""

DOUBLINGS_MAX = 5
"""Of the pause between repeats: thousands that begin at once must not drown in each other's."""


class Matter(Surroundings):
    """One topic and round. `me`: which voter this node is.

    `definition`: what was called for here, or what it was told of; `total` as for a call.
    """

    __slots__ = (
        *("_alive", "_asks", "_defined", "_office", "_paused", "_repeat_at", "_repeats"),
        *("_told", "asked", "choice", "deadline", "finished", "key"),
        *("listening", "members", "pacer", "published", "queued", "scheduled", "signup", "told"),
        *("told_timeout", "value", "voted"),
    )

    def __init__(
        self,
        office: Office,
        me: bytes,
        definition: Definition,
        total: int,
        deadline: float,
        key: Key,
    ) -> None:
        self.key = key
        """Its topic and round."""
        self.asked: Call | None = None
        """What was called for here."""
        self.deadline = deadline
        self.signup = SignUp(me, definition, total, UNBOUND, key)
        self.signup.calling = False
        self.pacer: Pacer | None = None
        self.choice: int | None = None
        """The last vote asked for here, cast in every electorate that comes about."""
        self.listening = False
        """Somebody here would act on a commit."""
        self.value = b""
        """The outcome, once known."""
        self.scheduled = inf
        """When it is looked at next."""
        self.queued = False
        """Its deadline is among the times at which matters are looked at."""
        self.told = False
        """The user has been told of the outcome."""
        self.told_timeout = False
        self.voted = False
        """A vote was asked for here, counted or not."""
        self.finished = False
        """The callback has returned that acted on the outcome."""
        self.published = False
        """Its vote stands in the table."""
        self.members: dict[bytes, bytes] | None = None
        """Which members the named voters are, once heard of: a voter is one directory for ever."""
        self._told: set[bytes] | None = None
        """The voters that were told what the voters are."""
        self._defined: dict[bytes, float] | None = None
        """When they were last told because they did not know it."""
        self._office = office
        self._repeat_at = inf
        self._repeats = 0
        self._paused = inf
        self._asks = 0
        """How often it is yet to be asked whether others take part in a roll that stands."""
        self._alive: frozenset[bytes] = frozenset()

    @property
    def definition(self) -> Definition:
        """What was called for here, or what it was told of."""
        return self.signup.definition

    # What the user does.

    def call(self, call: Call, deadline: float) -> None:
        """It is called for here, for the first time or again. What was signed or declined before
        stays so.
        """
        signup = self.signup
        self.asked, self.deadline, self.queued = call, deadline, False
        signup.terms, signup.total = call.terms(), call.total
        signup.calling = True
        self.told_timeout = False
        if signup.election is not None:
            signup.election.call(call.criteria)
            if self.pacer is not None:
                self.pacer.deadline = deadline

    def take(self) -> None:
        """The voters were named, and this node is one: take part."""
        self.signup.take(self.name_of(self.definition), self.definition, self)
        self._asks = 1  # who has not called may wait for somebody else's call with its vote

    def vote(self, choice: int, now: float) -> bool:
        """Vote, now or as soon as there is an electorate; False if it is too late.

        A first vote that comes after the decision lost a race and is no mistake: it is not counted.
        """
        again, self.voted = self.voted, True
        if self.value:
            return not again
        part, pacer = self.signup.election, self.pacer
        early = part is None or not self.signup.enrolment.formed
        if part is None or (early and (pacer is None or not pacer.voted)):
            if now >= self.deadline:
                return False
            self.choice = choice
            return True
        locked = part.record.accepted != NEVER
        if not self._pacer_of(part, now).cast(choice, now, self):
            return locked and not again
        self.choice = choice
        return True

    def leave(self) -> None:
        """This node goes: stay out of whatever can still be stayed out of, so that nobody waits."""
        if not self.value:
            self.signup.withdraw(self)

    def listen(self, wanted: bool) -> None:
        """Somebody here would act on a commit from now on, or nobody any more."""
        self.listening = wanted
        part = self.signup.election
        if part is not None and wanted:
            part.listen(self)
        elif part is not None:
            part.listening = False

    def finish(self) -> None:
        """The callback has returned that acted on the outcome."""
        if not self.finished:
            self.finished = True
            self._office.keep(self)

    # What happens.

    def consider(self, candidates: frozenset[bytes], alive: frozenset[bytes], now: float) -> None:
        """These called this and live; these live at all, voters by the name they have here."""
        if self.value:
            return
        signup = self.signup
        known = signup.roll is None or alive is self._alive
        if not known and self._is_among(alive - self._alive):
            self._asks = ASKS  # it may have missed what was said, and others what it said
        self._alive = alive
        self._office.now = now
        signup.consider(candidates, self)
        if signup.election is not None:
            self._leave_what_is_dead(signup.election, _dead(signup.election, alive))
        self._go_on(now)
        election = signup.election
        if election is not None and signup.enrolment.formed:
            dead = _dead(election, alive)
            if dead or self.pacer is not None:
                self._pacer_of(election, now).lost(dead, now, self)

    def suspect(self, now: float) -> None:
        """Who is suspected to have died has changed."""
        pacer = self.pacer
        if pacer is not None and pacer.standing and not self.value:
            self._office.now = now
            pacer.suspect(_among(pacer.election, self._office.suspects), now, self)

    def met(self, member: bytes, now: float) -> None:
        """There is a new link to a member, who may have left the roll while there was none."""
        if not self.value and self._is_among((member,)):
            self._asks = max(self._asks, 1)
            self._go_on(now)

    def _is_among(self, members: Collection[bytes]) -> bool:
        """Whether any of these is in the roll this node is bound to."""
        roll = self.signup.roll
        if roll is not None:
            for voter, _ in roll.roll:
                if voter in members:
                    return True
        return False

    def _leave_what_is_dead(self, election: Election, dead: int) -> None:
        """Refuse where nobody could form the roll, or decide in it, any more."""
        signup = self.signup
        if not dead:
            return
        if not signup.enrolment.formed and not signup.coordinates():
            coordinator = election.electorate.rank(signup.coordinator())
            if dead >> coordinator & 1:
                signup.refuse(self)
        elif signup.enrolment.formed and election.electorate.is_lost_without(
            dead | election.refusals
        ):
            signup.refuse(self)

    def receive(self, sender: bytes, election: bytes, said: Said, now: float) -> None:
        """A voter says something about an election of this topic and round."""
        part = self.signup.election
        phase = IDLE if part is None else part.phase
        if isinstance(said, VoteAck):
            rank = -1 if part is None else part.electorate.rank(sender)
            if self.pacer is not None and rank >= 0 and self.signup.enrolment.bound == election:
                self.pacer.acknowledged(rank, said, now, self)
            return
        self._office.now = now
        hear(self.signup, sender, election, said, self)
        self._go_on(now)
        part = self.signup.election
        if part is None or self.value:
            return
        if self.pacer is not None or not self._waits(part):
            pacer = self._pacer_of(part, now)
            if isinstance(said, Nack) and phase != IDLE and part.phase == IDLE:
                pacer.failed(now, self)
            elif isinstance(said, Promise | Accepted) and phase == IDLE:
                pacer.answered_late(said.ballot)
            elif isinstance(said, Formed):
                rank = part.electorate.rank(sender)
                if said.sequence and rank >= 0:
                    pacer.held(rank, said.sequence)
            pacer.look(now, self)

    def forgotten(self, voter: bytes, now: float) -> None:
        """A voter does not know the roll this node is bound to: tell it, and what it missed."""
        election = self.signup.election
        if self.signup.roll is None or election is None or election.electorate.rank(voter) < 0:
            return
        self._defined = self._defined or {}
        if now < self._defined.get(voter, -inf) + RETRY_SECONDS_MIN:
            return  # it is no voter, or has yet to read what it was told
        self._defined[voter] = now
        self._tell(voter)
        self._office.say(self, voter, self.signup.enrolment.bound, self.signup.bound(), 0)
        if self.signup.is_named() and self.pacer is not None:
            self.pacer.say_again(election.electorate.rank(voter), now, self)

    def conclude(self, election: bytes, value: bytes) -> None:
        """Somebody learned the outcome of this topic and round."""
        part = self.signup.election
        if self.value:
            return
        if part is not None and self.signup.enrolment.bound == election:
            part.on_decided(Decided(value), self)
        else:
            # Of another roll: in whatever this one is bound to it takes no part any more.
            self.signup.withdraw(self)
            self.value = value

    def advance(self, now: float) -> None:
        """Do what is due."""
        if self.value:
            return
        formed = self.signup.enrolment.formed
        if now >= self.deadline and not formed and self.signup.calling:
            self.told_timeout = True
            self.signup.withdraw(self)
        if now >= self._repeat_at:
            self._repeat_at = inf
            self._asks -= bool(self._asks)
            self._office.now = now
            self.signup.repeat(self)
            self._repeats += 1
            self.signup.consider(self.signup.candidates, self)
        election = self.signup.election
        if election is not None and formed and (self.pacer is not None or now >= self.deadline):
            pacer = self._pacer_of(election, now)
            pacer.advance(now, self)
            self.told_timeout = self.told_timeout or pacer.timed_out
        self._go_on(now)

    def due(self) -> float:
        """When `advance` has something; infinity if never."""
        if self.value:
            return inf
        if self.signup.enrolment.formed:
            return min(self._repeat_at, self.deadline if self.pacer is None else self.pacer.next())
        return min(self._repeat_at, self.deadline if self.signup.calling else inf)

    def stop(self) -> None:
        """Nothing can be kept any more: take no part."""
        self.listening = False
        if self.signup.election is not None:
            self.signup.election.stop()

    def resume(self, roll: Definition, part: Part, now: float) -> None:
        """After a restart: this is the roll it was bound to, and its part there."""
        self.signup.enrolment, self.signup.roll = part.enrolment, roll.terms
        election = self.begin(self.signup.enrolment.bound, roll, part.record)
        self.signup.resume(roll, election)
        self.finished = part.finished
        self.value = part.record.outcome
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        """After anything: begin what has become possible, repeat what was not answered."""
        signup, pacer = self.signup, self.pacer
        if (
            pacer is not None
            and pacer.election is signup.election
            and pacer.standing
            and (self.choice is None or pacer._vote is not None)
            and not (self._asks or self.value or pacer.election.record.refused)
            and self._paused == inf
        ):
            return  # most of what happens changes nothing here
        pause = inf if self.value else self._pause()
        if pause != self._paused:
            self._paused, self._repeats, self._repeat_at = pause, 0, now + pause
        elif self._repeat_at == inf:
            self._repeat_at = now + pause * 2 ** min(self._repeats, DOUBLINGS_MAX)
        part = signup.election
        if part is None or self.value:
            self.pacer = None
            return
        if pacer is not None or not self._waits(part):
            pacer = self._pacer_of(part, now)
            if pacer.standing and self.choice is not None and not pacer.voted:
                pacer.cast(self.choice, now, self)

    def _waits(self, part: Election) -> bool:
        """Whether there is nothing to do in an election but to wait for votes or its deadline; most
        that are open do that, and need no timers of their own.
        """
        begun = part.phase != IDLE or part.record.accepted != NEVER or part.late
        return not (begun or part.dead or part.has_votes()) and self.choice is None

    def _pacer_of(self, part: Election, now: float) -> Pacer:
        """The timers of an election, from when they are needed."""
        pacer = self.pacer
        if pacer is None or pacer.election is not part:
            pacer = Pacer(part, self.deadline, self._office.rng, self._office.pace)
            pacer.standing = False
            self.pacer = pacer
        if not pacer.standing and self.signup.enrolment.formed:
            part.suspected = _among(part, self._office.suspects)
            pacer.stand(now)
        return pacer

    def _pause(self) -> float:
        """Until more is done for a roll, if nothing happens before; infinity: there is nothing."""
        signup, enrolment, election = self.signup, self.signup.enrolment, self.signup.election
        if election is not None and election.record.refused:
            return ASK_SECONDS
        if enrolment.formed:
            asking = not signup.is_named() or (election is not None and election.me == 0)
            return ASK_SECONDS if self._asks and asking else inf
        if signup.coordinates():
            return REPEAT_SECONDS
        if enrolment.bound:
            return ASK_SECONDS if signup.coordinator() in self._alive else inf
        return ASK_SECONDS * min(enrolment.attempt, ATTEMPTS_COUNTED) if signup.gathers() else inf

    # As the surroundings of the sign-up.

    def enrol(self, enrolment: Enrolment) -> int:  # noqa: ARG002
        """It is part of what is kept."""
        return self._office.keep(self)

    def say(self, voter: bytes, election: bytes, message: Said, after: int) -> None:
        """To a voter; where voters were named, it is told first who they are."""
        roll = self.signup.roll
        if roll is not None and not roll.signup and roll.roll and self._tell(voter):
            self._office.say(self, voter, election, self.signup.bound(), after)
        self._office.say(self, voter, election, message, after)

    def _tell(self, voter: bytes) -> bool:
        """A voter is told what the voters are; False if it has been before."""
        if self._told is None:
            self._told = set()
        elif voter in self._told:
            return False
        self._told.add(voter)
        return True

    def begin(self, election: bytes, definition: Definition, record: Record = NOTHING) -> Election:
        """Take part in this."""
        electorate = electorate_of(election, definition)
        signup = self.signup
        me, criteria = electorate.rank(signup.me), signup.terms.criteria()
        part = Election(electorate, me, criteria, signup.calling, self._office.boot, record)
        part.listening = self.listening
        asked = definition.terms
        if asked.signup and part.me:  # who gathered the roll said what it counts by
            part.heard_criteria(0, asked.criteria().digest())
        self._office.bound(self, election)
        return part

    def effects(self, election: bytes) -> Effects:  # noqa: ARG002
        """The part in an election leaves its effects here, too."""
        return self

    def name_of(self, definition: Definition) -> bytes:
        """The id of the election that this defines."""
        return id_of(self._office.namespace, definition)

    def cast(self) -> Vote | None:
        """The vote that waits for an electorate goes with the signature."""
        part = self.signup.election
        if part is None or self.choice is None:
            return None
        return self._pacer_of(part, self._office.now).cast_early(self.choice)

    def stands(self) -> bool:
        """Decide at once, if the votes that came with the signatures do."""
        self._go_on(self._office.now)
        part = self.signup.election
        if self.pacer is None or part is None:
            return False
        self.pacer.look(self._office.now, self)
        everybody = part.electorate.shared.acceptors == len(part.electorate.voters)
        return everybody and (part.phase == PROPOSING or part.closed)

    def drop(self, election: bytes) -> None:
        """Its record goes with the enrolment."""
        self._office.released(self, election)

    # As the effects of the election.

    def persist(self, record: Record) -> int:  # noqa: ARG002
        """It is part of what is kept."""
        return self._office.keep(self)

    def persist_later(self, record: Record) -> int:  # noqa: ARG002
        """It is part of what is kept, as soon as something is."""
        return self._office.keep(self, can_wait=True)

    def send(self, rank: int, message: Said, after: int) -> None:
        """To the voter of a rank."""
        part = self.signup.election
        assert part is not None
        self.say(part.electorate.voters[rank], self.signup.enrolment.bound, message, after)

    def publish(self, vote: Vote) -> None:
        """To everybody."""
        self.published = True
        self._office.publish(self.signup.me, self.signup.enrolment.bound, vote)

    def decided(self, value: bytes, fire: bool, after: int) -> None:
        """The outcome is known."""
        self.value = value
        self._office.settled(self, value, fire, after)

    def violated(self, text: str) -> None:
        """Something happened that cannot."""
        self._office.suspected(self, text)


def _among(election: Election, members: frozenset[bytes]) -> int:
    """The ranks, as bits, of those of these members who are other voters."""
    ranks = 0
    for member in members:
        rank = election.electorate.rank(member)
        if rank >= 0 and rank != election.me:
            ranks |= bit(rank)
    return ranks


def _dead(election: Election, alive: frozenset[bytes]) -> int:
    """The ranks, as bits, of voters who are not alive."""
    dead = 0
    voters = election.electorate.voters
    for rank in range(len(voters)):
        if voters[rank] not in alive and rank != election.me:
            dead |= bit(rank)
    return dead
