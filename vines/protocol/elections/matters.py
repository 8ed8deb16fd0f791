"""All matters of one node, by topic and round: which of them hears of what happens, and when.

What is said goes straight to members; calls and decisions are records of the control table
(callers.py, outcomes.py). What must outlive this process goes to disk, if there is one, and what
rests on it waits until it is there. It must not know what its user asks for (elections.py).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final

from vines._core.changes import Changes
from vines._core.table import CALL, DECISION, TOMBSTONE, VOTE, Table
from vines._core.tally import ABSTAIN
from vines.config import Config
from vines.events import Conflict, Overdue
from vines.protocol.elections.asked import Asked
from vines.protocol.elections.call import NO_CALL
from vines.protocol.elections.callers import Callers, Calls, One, total_of
from vines.protocol.elections.delivery import Delivery
from vines.protocol.elections.disputes import Disputes
from vines.protocol.elections.electorate import ID_BYTES
from vines.protocol.elections.endings import Endings
from vines.protocol.elections.keeping import Keeping
from vines.protocol.elections.matter import Matter
from vines.protocol.elections.messages import (
    Accepted,
    Decided,
    Definition,
    Formed,
    Refusal,
    Said,
    Sign,
    Signed,
    Terms,
    Unknown,
    Vote,
    gathered,
)
from vines.protocol.elections.office import Office
from vines.protocol.elections.outcomes import Decision, Outcomes
from vines.protocol.elections.published import Published
from vines.protocol.elections.records import Key
from vines.protocol.elections.schedule import Schedule
from vines.protocol.elections.shelf import Part, Shelf
from vines.protocol.elections.signup import electorate_of, id_of
from vines.protocol.elections.topic import QUESTIONS
from vines.protocol.elections.voters import Who
from vines.protocol.machine import Memory, Outbox
from vines.protocol.members.membership import Membership
from vines.protocol.wire.ballot import Ballot

if TYPE_CHECKING:
    import random

WAITED_FOR: Final = (*QUESTIONS, Signed, Formed, Refusal)
"""What is said by somebody who has yet to hear of an election."""
UNCALLED_MAX: Final = 65_536
"""Matters beyond which none is begun because others say so."""
RELEASED_MAX: Final = 65_536
"""Elections that are remembered after this node was released from them; of more the first go, and
are as unknown as after a start."""
HEARD_VOTERS_MAX: Final = 1 << 19
"""Voters, in all, of those begun so: each takes some hundred bytes, and a roll has up to 10,000."""
RECOUNT_SECONDS: Final = 1.0
"""Between two counts of them, if they seem to be too many: some matters are decided by then."""


class Matters(Office):
    """The matters that a node has called, votes in, or has heard the end of. `memory`: what is on
    disk of them; None: there is no disk, and this node is another voter each time it starts.
    """

    def __init__(
        self,
        config: Config,
        me: bytes,
        control: Table,
        outbox: Outbox,
        rng: random.Random,
        *,
        members: Membership,
        send: Callable[[bytes, bytes], None],
        memory: Memory | None,
        now: float,
    ) -> None:
        Office.__init__(self, config.cluster.encode(), rng, 0 if memory is None else memory.boot)
        self.me = me
        self.failure = ""
        """What has happened to the disk; nothing is kept any more, so no part is taken."""
        self.listening = False
        """Somebody here would act on commits."""
        self._outbox = outbox
        self._members = members
        self._delivery = Delivery(outbox, send)
        self._alive = members.living() | {me}
        self._callers = Callers(me, self.boot, control)
        self._disputes = Disputes(me, self._callers, outbox)
        self._who = Who(me, config.name, members, self._disputes, durable=memory is not None)
        self._outcomes = Outcomes(control)
        self._keeping = Keeping(
            None if memory is None else Shelf(self.namespace, outbox), self._outcomes
        )
        self._asked = Asked()
        self._published = Published(control, members, self._who)
        self._matters: dict[Key, Matter] = {}
        self._elections: dict[bytes, Matter | Key] = {}
        """Which matter an election id belongs to, of those this node takes part in; of those it was
        released from, which topic and round.
        """
        self._released: deque[bytes] = deque()
        """The latter, in that order."""
        self._schedule = Schedule(self._matters)
        self._heard = 0
        """Voters of matters that were begun because others said so, at the most."""
        self._counted = -inf
        """When they were counted last."""
        self._endings = Endings(
            *(self, outbox, self._outcomes, self._matters, self._elections),
            who=self._who,
            callers=self._callers,
            asked=self._asked,
            disputes=self._disputes,
            published=self._published,
            keeping=self._keeping,
        )
        self.now = now
        if memory is not None:
            for key, part, roll in self._keeping.find(memory.records):
                self._resume(key, part, roll, now)
        for family in (CALL, DECISION, VOTE):
            cursor: int | None = 0
            while cursor is not None:
                held, cursor = control.scan(family, b"", cursor, 1024)
                self.learn(held, now)
        self.suspects_changed(now)

    # What happens.

    def receive(self, member: bytes, ballots: tuple[Ballot, ...], now: float) -> None:
        """A linked member says something in elections."""
        self.now = now
        for election, _slot, said in ballots:
            if self.failure:
                return  # what was promised may have been forgotten
            self._receive(member, election, said, now)

    def _receive(self, member: bytes, election: bytes, said: Said, now: float) -> None:
        if isinstance(said, Sign | Definition):
            self._receive_defined(member, election, said, now)
            return
        matter = self._of(election)
        bound = matter is not None and matter.signup.enrolment.bound == election
        if matter is None or (isinstance(said, Refusal | Formed) and not bound):
            # Who is bound there is not free before it knows that others do not take part.
            if not isinstance(said, Accepted) and isinstance(said, WAITED_FOR):
                self._say(member, election, Unknown(), 0)
            return
        if isinstance(said, Unknown):
            if bound:
                matter.forgotten(self._who.speaks(matter, member, False), now)
        else:
            matter.receive(self._who.speaks(matter, member), election, said, now)
        self._note(matter, now)

    def _of(self, election: bytes) -> Matter | None:
        """The matter that an election belongs to."""
        held = self._elections.get(election)
        return self._matters.get(held) if isinstance(held, tuple) else held

    def _receive_defined(
        self,
        member: bytes,
        election: bytes,
        said: Sign | Definition,
        now: float,
    ) -> None:
        """The same, where it says which election that is."""
        definition = said.definition if isinstance(said, Sign) else said
        terms = definition.terms
        if not terms.can_win():
            return
        # Who is asked to sign looks at the id itself.
        if isinstance(said, Definition) and id_of(self.namespace, definition) != election:
            return
        key = (definition.topic, definition.round)
        matter = self._matters.get(key)
        if matter is None and self._outcomes.covers(key):
            held = self._outcomes.find(key)
            known = held is not None and held.election == election
            answer = Decided(held.value) if held is not None and known else Refusal()
            self._say(member, election, answer, 0)
            return
        if isinstance(said, Sign):
            if matter is not None:
                matter.receive(member, election, said, now)
        elif terms.signup:
            # Only a roll that is forgotten here is defined to us: we are not bound to it.
            if matter is None and len(self._matters) < UNCALLED_MAX:
                matter = self._open(key, _blank(definition, terms.signup), 0, inf)
            if matter is None:
                return
            matter.signup.decline(member, election, definition, matter)
        else:
            matter = self._join(key, election, definition, now)
            if matter is None and self._who.here(definition):
                self._say(member, election, Refusal(), 0)
        if matter is not None:
            self._note(matter, now)

    def _join(self, key: Key, election: bytes, definition: Definition, now: float) -> Matter | None:
        """Somebody names this node as a voter; None if it takes part in another roll."""
        matter = self._matters.get(key)
        if matter is None:
            voters = len(definition.terms.roll)
            if not (self._has_room(voters, now) and _can_decide(election, definition)):
                return None
            self._heard += voters
            matter = self._open(key, definition, 0, now + definition.terms.remaining_ms / 1000)
        elif not same_voters(matter.signup.terms, definition.terms):
            self._disputes.tell(key, "somebody names other voters")
            return None
        if matter.signup.me and not matter.signup.enrolment.bound:
            matter.take()
            self._asked.enter(key)
        self._look(key, now)
        return matter if matter.signup.enrolment.bound == election else None

    def _has_room(self, voters: int, now: float) -> bool:
        """Whether a matter of so many more may be begun because somebody says so."""
        if self._heard + voters > HEARD_VOTERS_MAX and now >= self._counted + RECOUNT_SECONDS:
            self._counted = now
            heard = [one.signup for one in self._matters.values() if not one.signup.calling]
            self._heard = sum([len(signup.terms.roll) for signup in heard])
        return self._heard + voters <= HEARD_VOTERS_MAX and len(self._matters) < UNCALLED_MAX

    def learn(self, changes: Changes, now: float) -> None:
        """Records of the control table became current."""
        self.now = now
        calls: dict[Key, One | dict[bytes, int]] = {}
        for at in range(len(changes)):
            family, flags = changes.family(at), changes.flags(at)
            if family == CALL:
                self._callers.read(changes.key(at), changes.value(at), flags, calls)
            elif family == DECISION and not flags & TOMBSTONE:
                self._endings.learn(changes.key(at), changes.value(at))
            elif family == VOTE and flags & TOMBSTONE:
                self._published.forget(changes.key(at))
            elif family == VOTE:
                self._learn_vote(changes.key(at), changes.value(at), changes.origin(at), now)
        for about, members in calls.items():
            self._learn_calls(about, members, now)

    def _learn_calls(self, about: Key, members: One | dict[bytes, int], now: float) -> None:
        """These members call for it, each among so many or (0) no longer."""
        calls = self._callers.note(about, members)
        if about[1] and calls:
            self._asked.see(about)
        if self._outcomes.covers(about):
            self._callers.forget(about)
            return
        if total_of(self.me, members):
            matter = self._matters.get(about)
            if matter is None or not matter.signup.calling:
                self._callers.announce(about, 0)  # it was an earlier life that called
                calls = self._callers.of(about)
        self._look(about, now, calls)

    def linked(self, member: bytes, now: float) -> None:
        """There is a new link to a member."""
        for matter in self._matters.values():
            matter.met(member, now)
            self._schedule.put(matter)

    def members_changed(self, now: float) -> None:
        """Somebody came, left or died."""
        self._alive = self._members.living() | {self.me}
        for key, matter in list(self._matters.items()):
            if not matter.value:
                self._look(key, now)
        self.suspects_changed(now)

    def suspects_changed(self, now: float) -> None:
        """Somebody is suspected to have died, or no longer: that matters where votes are told."""
        suspects = [member for member in self._alive if self._members.suspected(member)]
        before = self.suspects
        called = [self._who.called(member) for member in suspects]
        self.suspects = frozenset([*suspects, *called])
        if self.suspects == before or self.failure:
            return
        for matter in list(self._matters.values()):
            matter.suspect(now)
            self._schedule.put(matter)

    def advance(self, now: float) -> None:
        """Do what is due."""
        self.now = now
        self._endings.advance(now)
        while matter := self._schedule.take(now):
            before = matter.told_timeout
            matter.advance(now)
            if matter.told_timeout and not before:
                self._outbox.emit(Overdue(*matter.key))
                if not matter.signup.calling and matter.signup.total:
                    self._callers.announce(matter.key, 0)
            self._note(matter, now)

    def storage_failed(self, text: str) -> None:
        """Nothing can be kept any more: take no part, and act on nothing that was not begun."""
        if self.failure:
            return
        self.failure = text
        self.listening = False
        self._keeping.failed = True
        self._delivery.stop()
        for matter in self._matters.values():
            matter.stop()
        self._endings.storage_failed()

    def leave(self) -> None:
        """This node goes, and takes part in nothing that it can still stay out of."""
        for matter in list(self._matters.values()):
            matter.leave()

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        if self._endings.decided:
            return self.now
        due, ending = self._schedule.next(), self._endings.next()
        return due if due < ending else ending

    def _open(self, key: Key, definition: Definition, total: int, deadline: float) -> Matter:
        """A matter that there was none of; nobody has called for it here yet."""
        me = self._who.here(definition) if definition.terms.roll else self.me
        matter = Matter(self, me, definition, total, deadline, key)
        self._matters[key] = matter
        matter.listening = self.listening
        matter.choice = self._asked.take_vote(key[0])
        matter.voted = matter.choice is not None
        self._keep_choice(matter, (), definition.terms.choices)
        return matter

    def _keep_choice(self, matter: Matter, before: tuple[str, ...], now: tuple[str, ...]) -> None:
        """A vote between other choices than there turn out to be is none; say so."""
        if before != now and matter.choice not in (None, ABSTAIN):
            matter.choice = None
            text = f"{matter.definition.topic!r}: the vote from before the call is for no choice"
            self._outbox.emit(Conflict("election", text))

    def _look(self, key: Key, now: float, calls: Calls | None = None) -> None:
        """See what can come of a matter. `calls`: who calls for it, if that was just looked up."""
        matter = self._matters.get(key)
        if matter is not None:
            self._look_at(matter, now, calls)

    def _look_at(self, matter: Matter, now: float, calls: Calls | None = None) -> None:
        if matter.value or self.failure:
            return
        if matter.signup.terms.roll:
            named = frozenset([self._who.called(member) for member in self._alive])
            matter.consider(frozenset(), self._alive | named, now)
        else:
            signup = matter.signup
            if calls is None:
                calls = self._callers.of(matter.key)
            callers = self._callers.candidates(calls, signup.total, self._alive)
            if (
                (len(calls) != len(callers) or len(callers) > signup.total)
                and not signup.enrolment.bound
                and signup.calling
                and matter.key not in self._disputes
            ):
                self._disputes.count(matter.key, signup.total, callers, self._alive)
            if len(callers) < signup.total and signup.roll is None:
                signup.candidates = callers  # nothing can come of it yet
            else:
                matter.consider(callers, self._alive, now)
        self._note(matter, now)

    def _note(self, matter: Matter, now: float) -> None:
        """Something may have happened in a matter."""
        if self._published.strays:
            strays = self._published.take(matter.signup.enrolment.bound)
            for about, (packed, origin) in strays.items():
                self._learn_vote(about, packed, origin, now)
        self._schedule.put(matter)

    def _learn_vote(self, about: bytes, packed: bytes, origin: bytes, now: float) -> None:
        """Somebody's vote, which did not come straight."""
        election = about[:ID_BYTES]
        matter = self._of(election)
        if matter is None:
            self._published.keep(about, packed, origin)
            return
        vote = self._published.read(about, packed, origin)
        if vote is not None:
            matter.receive(about[ID_BYTES:], election, vote, now)
            self._note(matter, now)

    # As the office of the matters.

    def say(
        self,
        matter: Matter,
        voter: bytes,
        election: bytes,
        said: Said,
        after: int,
    ) -> None:
        """Send to a voter, once what it rests on is on disk."""
        member = self._who.member(matter, voter)
        if member:
            self._say(member, election, said, after)

    def _say(self, member: bytes, election: bytes, said: Said, after: int) -> None:
        if not self.failure:
            self._delivery.say(member, election, said, after)

    def publish(self, voter: bytes, election: bytes, vote: Vote) -> None:
        """Say a vote to everybody: nobody answers to whom it went straight."""
        self._published.publish(voter, election, vote)

    def settled(self, matter: Matter, value: bytes, fire: bool, after: int) -> None:
        """The outcome of a matter is known; nobody hears of it before it is on disk."""
        self._endings.settled(matter, value, fire, after)

    def suspected(self, matter: Matter, text: str) -> None:
        """Something happened that cannot."""
        self._outbox.emit(Conflict("election", f"{matter.definition.topic!r}: {text}"))

    def bound(self, matter: Matter, election: bytes) -> None:
        """The matter is decided in this election from now on, unless it is released from it."""
        self._elections[election] = matter

    def released(self, matter: Matter, election: bytes) -> None:
        """It is decided in this one no more."""
        self._elections[election] = matter.key
        self._released.append(election)
        if len(self._released) > RELEASED_MAX:
            oldest = self._released.popleft()
            if isinstance(self._elections.get(oldest), tuple):
                del self._elections[oldest]

    def keep(self, matter: Matter, can_wait: bool = False) -> int:
        """Put a matter's part on disk; returns the ticket."""
        return self._keeping.keep(matter, can_wait)

    # After a restart.

    def _resume(self, key: Key, part: Part, roll: Definition | None, now: float) -> None:
        """Go on with what this node took part in before it was started again."""
        if roll is None:
            self._open(
                key, Definition(*key, NO_CALL.terms()), 0, inf
            ).signup.enrolment = part.enrolment
            return
        if part.record.outcome:
            decision = Decision(part.enrolment.bound, roll, part.record.outcome)
            outcome = self._endings.resume(decision, part.record.fired, part.finished)
            if part.record.fired or outcome.owner not in self._who.mine:
                return
        definition = _blank(roll, b"") if roll.terms.signup else roll
        matter = self._open(key, definition, 0, now + roll.terms.remaining_ms / 1000)
        matter.resume(roll, part, now)
        matter.told = bool(matter.value)
        self._asked.enter(key)
        self._note(matter, now)


def _can_decide(election: bytes, definition: Definition) -> bool:
    """Whether those who decide weigh anything: a member may name voters of whom they do not."""
    try:
        electorate_of(election, definition)
    except ValueError:
        return False
    return True


def _blank(definition: Definition, signup: bytes) -> Definition:
    """The same without voters."""
    terms = gathered((), signup, definition.terms)
    return Definition(definition.topic, definition.round, terms)


def same_voters(these: Terms, those: Terms) -> bool:
    """Whether both name the same who decide."""
    if these is those:
        return True
    same = these.council == those.council and these.tiebreak == those.tiebreak
    return same and these.roll == those.roll
