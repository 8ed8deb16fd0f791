"""A matter: one topic and round at one node, from the first call or vote to the outcome.

It joins the parts: how the electorate comes about, the election that follows, its timers, and the
way to the others. What the parts say to a voter goes to that member; what they want told to the
user or kept on disk, to Elections.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, NamedTuple, Protocol

from vines.protocol.elections import topic
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.decree import IDLE, Effects, Record
from vines.protocol.elections.election import Election
from vines.protocol.elections.messages import (
    Decided,
    Definition,
    Introduction,
    Message,
    Nack,
    VoteAck,
)
from vines.protocol.elections.pacing import RETRY_SECONDS_MIN, Pacer
from vines.protocol.elections.records import Key
from vines.protocol.elections.shelf import Part
from vines.protocol.elections.signup import Enrolment, SignUp, electorate_of, id_of

if TYPE_CHECKING:
    import random

RTT_SECONDS = 0.001
"""Of a round trip, where nothing is known of it: members of one machine or one room."""


class Call(NamedTuple):
    """What a caller asks for, whatever the topic."""

    criteria: Criteria
    total: int
    """So many callers make an electorate; 0: the voters are named."""
    seconds: float
    """Until its deadline."""
    roll: tuple[tuple[bytes, int], ...] = ()
    """The voters, if they are named, and their weights."""
    council: int = 0
    tiebreak: bool = False

    def definition(self, key: Key) -> Definition:
        """The election that is asked for on a topic and round, as far as the caller knows."""
        return Definition(
            *(*key, self.roll, b"", self.council, self.tiebreak),
            *(self.criteria.choices, self.criteria.least, self.criteria.plurality),
            int(self.seconds * 1000),
        )


class Office(Protocol):
    """Who a matter belongs to."""

    def say(
        self,
        matter: Matter,
        voter: bytes,
        election: bytes,
        said: Message | Introduction,
        after: int,
    ) -> None:
        """Send to a voter, once what it rests on is on disk."""

    def keep(self, matter: Matter) -> int:
        """Put the matter's part on disk; returns the ticket."""

    def settled(self, matter: Matter, value: bytes, fire: bool, after: int) -> None:
        """The outcome is known; `fire`: this node acts on it."""

    def suspected(self, matter: Matter, text: str) -> None:
        """Something happened that cannot."""


class Matter:
    """One topic and round. `me`: which voter this node is; `boot`: which start of it this is.

    `definition`: what was called for here, or what it was told of; `total` as for a call.
    """

    __slots__ = (
        *(
            "_boot",
            "_defined",
            "_office",
            "_repeat_at",
            "_rng",
            "_told",
            "asked",
            "deadline",
            "definition",
        ),
        "early",
        *("finished", "listening", "members", "pacer", "signup", "told", "told_timeout", "value"),
        "voted",
    )

    def __init__(
        self,
        office: Office,
        me: bytes,
        namespace: bytes,
        definition: Definition,
        total: int,
        deadline: float,
        rng: random.Random,
        boot: int = 0,
    ) -> None:
        self.asked: Call | None = None
        """What was called for here."""
        self.definition = definition
        self.deadline = deadline
        self.signup = SignUp(me, namespace, definition, total)
        self.signup.calling = False
        self.pacer: Pacer | None = None
        self.early: int | None = None
        """A vote from before there is an electorate."""
        self.listening = False
        """Somebody here would act on a commit."""
        self.value = b""
        """The outcome, once known."""
        self.told = False
        """The user has been told of the outcome."""
        self.told_timeout = False
        self.voted = False
        """A vote was asked for here, counted or not."""
        self.finished = False
        """The callback has returned that acted on the outcome."""
        self.members: dict[bytes, bytes] | None = None
        """Which members the named voters are, once heard of: a voter is one directory for ever."""
        self._told: frozenset[bytes] = frozenset()
        """The voters that were told what the voters are."""
        self._defined: dict[bytes, float] = {}
        """When they were last told because they did not know it."""
        self._office = office
        self._rng = rng
        self._boot = boot
        self._repeat_at = inf

    @property
    def key(self) -> Key:
        """Its topic and round."""
        return self.definition.topic, self.definition.round

    @property
    def part(self) -> Part:
        """What of it must not be forgotten."""
        enrolment, election = self.signup.enrolment, self.signup.election
        if election is None or not enrolment.bound:
            return Part(enrolment, finished=self.finished)
        return Part(enrolment, election.record, self.finished)

    @property
    def fired(self) -> bool:
        """Whether the outcome is this node's to act on, and it has begun to."""
        return self.signup.election is not None and self.signup.election.record.fired

    @property
    def decides_alone(self) -> bool:
        """Whether this node needs nobody else's word for an outcome."""
        part = self.signup.election
        return part is not None and part.electorate.is_quorum(part.electorate.strengths[part.me])

    # What the user does.

    def call(self, call: Call, deadline: float) -> None:
        """It is called for here, for the first time or again. What was signed or declined before
        stays so.
        """
        signup = self.signup
        self.asked, self.deadline = call, deadline
        self.definition = call.definition(self.key)
        signup.definition, signup.total = self.definition, call.total
        signup.calling = True
        self.told_timeout = False
        if signup.election is not None:
            signup.election.call(call.criteria)
            if self.pacer is not None:
                self.pacer.deadline = deadline

    def take(self) -> None:
        """The voters were named, and this node is one: take part."""
        self.signup.take(id_of(self.signup.namespace, self.definition), self.definition, self)

    def vote(self, choice: int, now: float) -> bool:
        """Vote, now or as soon as there is an electorate; False if it is too late.

        A first vote that comes after the decision lost a race and is no mistake: it is not counted.
        """
        again, self.voted = self.voted, True
        if self.value:
            return not again
        if self.pacer is None or not self.signup.enrolment.formed:
            if now >= self.deadline:
                return False
            self.early = choice
            return True
        locked = self.pacer.election.locked
        return self.pacer.cast(choice, now, self) or (locked and not again)

    def leave(self) -> None:
        """This node goes: stay out of whatever can still be stayed out of, so that nobody waits."""
        if not self.value:
            self.signup.withdraw(self)

    def listen(self) -> None:
        """Somebody here would act on a commit from now on."""
        self.listening = True
        if self.signup.election is not None:
            self.signup.election.listen(self)

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
        signup.consider(candidates, self)
        if signup.election is not None:
            self._leave_what_is_dead(signup.election, _dead(signup.election, alive))
        self._go_on(now)
        if self.pacer is not None and signup.election is not None and signup.enrolment.formed:
            self.pacer.lost(_dead(signup.election, alive), now, self)

    def _leave_what_is_dead(self, election: Election, dead: int) -> None:
        """Refuse where nobody could form the roll, or decide in it, any more."""
        signup = self.signup
        if not dead:
            return
        if not signup.enrolment.formed and not signup.coordinating:
            coordinator = election.electorate.rank(signup.coordinator)
            if dead >> coordinator & 1:
                signup.refuse(self)
        elif signup.enrolment.formed and election.electorate.is_lost_without(
            dead | election.refusals
        ):
            signup.refuse(self)

    def receive(
        self, sender: bytes, election: bytes, said: Message | Introduction, now: float
    ) -> None:
        """A voter says something about an election of this topic and round."""
        part = self.signup.election
        phase = IDLE if part is None else part.phase
        if isinstance(said, VoteAck):
            if part is not None and self.pacer is not None:
                self.pacer.acknowledged(part.electorate.rank(sender), said.sequence)
            return
        topic.receive(self.signup, sender, election, said, self)
        self._go_on(now)
        part = self.signup.election
        if self.pacer is not None and part is not None:
            if isinstance(said, Nack) and phase != IDLE and part.phase == IDLE:
                self.pacer.failed(now, self)
            self.pacer.look(now, self)

    def forgotten(self, voter: bytes, now: float) -> None:
        """A voter does not know the roll this node is bound to: tell it, and what it missed."""
        if self.signup.roll is None or self.signup.election is None:
            return
        if now < self._defined.get(voter, -inf) + RETRY_SECONDS_MIN:
            return  # it is no voter, or has yet to read what it was told
        self._defined[voter] = now
        self._told |= {voter}
        self._office.say(self, voter, self.signup.enrolment.bound, self.signup.roll, 0)
        rank = self.signup.election.electorate.rank(voter)
        if self.signup.named and self.pacer is not None and rank >= 0:
            self.pacer.say_again(rank, now, self)

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
            self.signup.repeat(self)
            self._repeat_at = now + 2 * RETRY_SECONDS_MIN
        if self.pacer is not None and formed:
            self.pacer.advance(now, self)
            self.told_timeout = self.told_timeout or self.pacer.timed_out
        self._go_on(now)

    def due(self) -> float:
        """When `advance` has something; infinity if never."""
        if self.value:
            return inf
        if self.signup.enrolment.formed:
            return inf if self.pacer is None else self.pacer.next()
        return min(self._repeat_at, self.deadline if self.signup.calling else inf)

    def stop(self) -> None:
        """Nothing can be kept any more: take no part."""
        self.listening = False
        if self.signup.election is not None:
            self.signup.election.stop()

    def resume(self, roll: Definition, part: Part) -> None:
        """After a restart: this is the roll it was bound to, and its part there."""
        self.signup.enrolment, self.signup.roll = part.enrolment, roll
        election = self.begin(self.signup.enrolment.bound, roll, part.record)
        self.signup.resume(roll, election)
        self.finished = part.finished
        self.value = part.record.outcome

    def _go_on(self, now: float) -> None:
        """After anything: begin what has become possible, repeat what was not answered."""
        signup = self.signup
        if signup.election is None or self.value:
            self.pacer, self._repeat_at = None, inf
            return
        if self.pacer is None or self.pacer.election is not signup.election:
            self.pacer = Pacer(signup.election, self.deadline, self._rng, RTT_SECONDS)
        unsigned = signup.coordinating and not signup.enrolment.formed
        if not unsigned:
            self._repeat_at = inf
        elif self._repeat_at == inf:
            self._repeat_at = now + 2 * RETRY_SECONDS_MIN
        if signup.enrolment.formed and self.early is not None:
            choice, self.early = self.early, None
            self.pacer.cast(choice, now, self)

    # As the surroundings of the sign-up.

    def enrol(self, enrolment: Enrolment) -> int:  # noqa: ARG002
        """It is part of what is kept."""
        return self._office.keep(self)

    def say(
        self, voter: bytes, election: bytes, message: Message | Introduction, after: int
    ) -> None:
        """To a voter; where voters were named, it is told first who they are."""
        roll = self.signup.roll
        if roll is not None and roll.roll and not roll.signup and voter not in self._told:
            self._told |= {voter}
            self._office.say(self, voter, election, roll, after)
        self._office.say(self, voter, election, message, after)

    def begin(
        self, election: bytes, definition: Definition, record: Record | None = None
    ) -> Election:
        """Take part in this."""
        electorate = electorate_of(election, definition)
        own = self.definition
        part = Election(
            electorate,
            electorate.rank(self.signup.me),
            Criteria(own.choices, own.least, own.plurality),
            called=self.signup.calling,
            boot=self._boot,
            **({} if record is None else {"record": record}),
        )
        part.listening = self.listening
        return part

    def effects(self, election: bytes) -> Effects:  # noqa: ARG002
        """The part in an election leaves its effects here, too."""
        return self

    def drop(self, election: bytes) -> None:
        """Its record goes with the enrolment."""

    # As the effects of the election.

    def persist(self, record: Record) -> int:  # noqa: ARG002
        """It is part of what is kept."""
        return self._office.keep(self)

    def send(self, rank: int, message: Message, after: int) -> None:
        """To the voter of a rank."""
        part = self.signup.election
        assert part is not None
        self.say(part.electorate.voters[rank], part.electorate.iid, message, after)

    def decided(self, value: bytes, fire: bool, after: int) -> None:
        """The outcome is known."""
        self.value = value
        self._office.settled(self, value, fire, after)

    def violated(self, text: str) -> None:
        """Something happened that cannot."""
        self._office.suspected(self, text)


def _dead(election: Election, alive: frozenset[bytes]) -> int:
    """The ranks, as bits, of voters who are not alive."""
    return sum(
        1 << rank
        for rank, voter in enumerate(election.electorate.voters)
        if voter not in alive and rank != election.me
    )
