"""A matter: one topic and round at one node, from the first call or vote to the outcome.

It joins the parts: signing up, the election that follows, its timers, and the way to the others.
What the parts say to a voter goes to that member; what they want told to the user, to Elections.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Protocol

from vines.protocol.elections import topic
from vines.protocol.elections.criteria import criteria_of
from vines.protocol.elections.decree import IDLE, Effects, Record
from vines.protocol.elections.election import Election
from vines.protocol.elections.electorate import Electorate
from vines.protocol.elections.messages import (
    Definition,
    Introduction,
    Message,
    Nack,
    VoteAck,
)
from vines.protocol.elections.pacing import RETRY_SECONDS_MIN, Pacer
from vines.protocol.elections.signup import Enrolment, SignUp

if TYPE_CHECKING:
    import random

RTT_SECONDS = 0.001
"""Of a round trip, where nothing is known of it: members of one machine or one room."""

DOUBLINGS_MAX = 5
"""Of the time between two repeats of the question to sign."""


class Office(Protocol):
    """Who a matter belongs to."""

    def say(self, member: bytes, election: bytes, said: Message | Introduction) -> None:
        """Send to a member."""

    def settled(self, matter: Matter, value: bytes, fire: bool) -> None:
        """The outcome is known; `fire`: this node acts on it."""

    def suspected(self, matter: Matter, text: str) -> None:
        """Something happened that cannot."""


class Matter:
    """One topic and round. `total`: how many callers make an electorate."""

    __slots__ = (
        *(
            "_office",
            "_repeat_at",
            "_repeats",
            "_rng",
            "deadline",
            "definition",
            "early",
            "listening",
        ),
        *("pacer", "signup", "told_timeout", "value", "voted"),
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
    ) -> None:
        self.definition = definition
        self.deadline = deadline
        self.signup = SignUp(me, namespace, definition, total)
        self.pacer: Pacer | None = None
        self.early: int | None = None
        """A vote from before there is an electorate."""
        self.listening = False
        """Somebody here would act on a commit."""
        self.value = b""
        """The outcome, once known."""
        self.told_timeout = False
        self.voted = False
        """A vote was asked for here, counted or not."""
        self._office = office
        self._rng = rng
        self._repeat_at = inf
        self._repeats = 0

    # What the user does.

    def renew(self, definition: Definition, total: int, deadline: float) -> None:
        """Call again, after time was up before there was an electorate. What was signed or declined
        before stays so.
        """
        self.definition, self.deadline = definition, deadline
        self.signup.definition, self.signup.total = definition, total
        self.signup.calling = True
        self.told_timeout = False

    def vote(self, choice: int, now: float) -> bool:
        """Vote, now or as soon as there is an electorate; False if it is too late.

        A first vote that comes after the decision lost a race and is no mistake: it is not counted.
        """
        again, self.voted = self.voted, True
        if self.value:
            return not again
        if self.pacer is None or not self.signup.enrolment.formed:
            self.early = choice
            return now < self.deadline
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

    # What happens.

    def consider(self, candidates: frozenset[bytes], alive: frozenset[bytes], now: float) -> None:
        """These called this and live; these live at all."""
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
        gone = election.electorate.strength(dead | election.refusals)
        helpless = not election.electorate.is_quorum(sum(election.electorate.strengths) - gone)
        if dead and not signup.enrolment.formed and not signup.coordinating:
            coordinator = election.electorate.rank(signup.coordinator)
            if dead >> coordinator & 1:
                signup.refuse(self)
        elif dead and helpless and signup.enrolment.formed:
            signup.refuse(self)

    def receive(
        self, sender: bytes, election: bytes, said: Message | Introduction, now: float
    ) -> None:
        """A member says something about an election of this topic and round."""
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
            # Ever rarer: thousands that begin at once must not drown in each other's repeats.
            self._repeats += 1
            self._repeat_at = now + 2 * RETRY_SECONDS_MIN * 2 ** min(self._repeats, DOUBLINGS_MAX)
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
            self._repeat_at, self._repeats = inf, 0
        elif self._repeat_at == inf:
            self._repeat_at = now + 2 * RETRY_SECONDS_MIN
        if signup.enrolment.formed and self.early is not None:
            choice, self.early = self.early, None
            self.pacer.cast(choice, now, self)

    # As the surroundings of the sign-up.

    def enrol(self, enrolment: Enrolment) -> int:  # noqa: ARG002
        """In memory a node's identity ends with its process: there is nothing to find again."""
        return 0

    def say(
        self, voter: bytes, election: bytes, message: Message | Introduction, after: int
    ) -> None:
        """To a member."""
        assert after == 0
        self._office.say(voter, election, message)

    def begin(self, election: bytes, definition: Definition) -> Election:
        """Take part in this."""
        electorate = Electorate(
            election,
            definition.roll,
            council=definition.council,
            tiebreak=definition.tiebreak,
        )
        own = self.definition
        criteria = criteria_of(own.choices, own.least, own.plurality)
        part = Election(electorate, electorate.rank(self.signup.me), criteria)
        part.listening = self.listening
        return part

    def effects(self, election: bytes) -> Effects:  # noqa: ARG002
        """The part in an election leaves its effects here, too."""
        return self

    def drop(self, election: bytes) -> None:
        """Nothing of it was kept."""

    # As the effects of the election.

    def persist(self, record: Record) -> int:  # noqa: ARG002
        """As for `enrol`."""
        return 0

    def send(self, rank: int, message: Message, after: int) -> None:
        """To the voter of a rank."""
        assert after == 0
        part = self.signup.election
        assert part is not None
        self._office.say(part.electorate.voters[rank], part.electorate.iid, message)

    def decided(self, value: bytes, fire: bool, after: int) -> None:  # noqa: ARG002
        """The outcome is known."""
        self.value = value
        self._office.settled(self, value, fire)

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
