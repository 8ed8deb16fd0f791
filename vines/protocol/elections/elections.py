"""All elections of one node: matters by topic and round, time for each, and what is kept of them.

What is said goes straight to members; calls and decisions are records of the control table
(callers.py, outcomes.py). What must outlive this process goes to disk, if there is one, and what
rests on it waits until it is there. Of the rounds of a topic that were decided only the last is
remembered; in those before it this node takes no part any more, which is why it may forget them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf
from typing import TYPE_CHECKING, Final

from vines._core.agenda import Agenda
from vines._core.changes import Changes
from vines._core.pieces import begins
from vines._core.slots import filled
from vines._core.table import CALL, DECISION, TOMBSTONE, VOTE, Table
from vines._core.tally import ABSTAIN, REFUSE
from vines.config import Config
from vines.errors import InvalidElection, StorageError, VoteRefused
from vines.events import Conflict, Expired, Outcome, Overdue, Quorum, Settled
from vines.protocol.elections import value as values
from vines.protocol.elections.callers import Callers, Calls, One, total_of
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.decree import NOTHING, Record
from vines.protocol.elections.delivery import Delivery
from vines.protocol.elections.electorate import ID_BYTES, VOTERS_MAX, Electorate
from vines.protocol.elections.matter import Call, Matter, Office
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
    defined,
    gathered,
)
from vines.protocol.elections.outcomes import Decision, Outcomes, decision_of, outcome_of
from vines.protocol.elections.phases import PROPOSING
from vines.protocol.elections.records import (
    WITHDRAWN,
    Key,
    decision_key,
    read_decision,
    read_decision_key,
)
from vines.protocol.elections.shelf import Part, Shelf
from vines.protocol.elections.signup import Enrolment, electorate_of, id_of
from vines.protocol.elections.topic import QUESTIONS
from vines.protocol.elections.voters import Who
from vines.protocol.machine import Memory, Outbox
from vines.protocol.members.membership import Membership
from vines.protocol.wire.ballot import Ballot, pack, unpack
from vines.protocol.wire.definition import NUMBER_MAX

if TYPE_CHECKING:
    import random

COMMIT: Final = values.KINDS[values.COMMIT]
EXPIRED: Final = values.KINDS[values.EXPIRED]
NO_CALL: Final = Call(Criteria((), 1), 0, 0.0)
EARLY_MAX: Final = 65_536
"""Votes kept for calls that have not come."""
SEEN_SECONDS: Final = 1.0
"""How long who decided something has to put it into the table, before others do; and how long what
stands there is left to what this node found out itself, which waits for its disk.
"""
WAITED_FOR: Final = (*QUESTIONS, Signed, Formed, Refusal)
"""What is said by somebody who has yet to hear of an election."""
UNCALLED_MAX: Final = 65_536
"""Matters beyond which none is begun because others say so."""
PASSED_MAX: Final = 1_000
"""Times at which nothing is left to do, beyond as many as there are matters, that are kept."""
_PASSED_MAX: Final = PASSED_MAX


class Elections(Office):
    """The elections that a node called, votes in, or has heard the end of. `memory`: what is on
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
        self._control = control
        self._outbox = outbox
        self._members = members
        self._delivery = Delivery(outbox, send)
        self._alive = members.living() | {me}
        self._who = Who(me, config.name, members, self._clash, durable=memory is not None)
        self._shelf = None if memory is None else Shelf(self.namespace, outbox)
        self._callers = Callers(me, self.boot, control)
        self._outcomes = Outcomes(control)
        self._matters: dict[Key, Matter] = {}
        self._elections: dict[bytes, Matter | Key] = {}
        """Which matter an election id belongs to, of those this node takes part in; of those it was
        released from, which topic and round.
        """
        self._rounds: dict[str, int] = {}
        """The round of each topic that this node takes part in, unless it is the first."""
        self._seen: dict[str, int] = {}
        """The last round of each topic that anybody has called, unless it is the first."""
        self._calls: dict[str, Call] = {}
        """What was called for here in rounds that are over."""
        self._voted: set[Key] = set()
        """Of those: where a vote was asked for here."""
        self._interrupted: list[Outcome] = []
        self._crowded: set[Key] = set()
        """Those of which was told that callers do not agree about the number, or are too many."""
        self._decided: list[Decision] = []
        """Decisions made here, to be put into the table in the next turn."""
        self._unseen: deque[tuple[float, Decision]] = deque()
        """Those made elsewhere, and when to look whether they stand there."""
        self._left: deque[tuple[float, Key]] = deque()
        """What stands there and is known here, but not on disk yet; and when to look again."""
        self._strays: dict[bytes, dict[bytes, tuple[bytes, bytes]]] = {}
        """Votes in the table whose elections are not known here, by election; who wrote them."""
        self._early: dict[str, int] = {}
        """Votes on topics that nobody here has called yet."""
        self.now = now
        self._due = Agenda()
        """When matters are looked at; what a matter is not scheduled for is passed over."""
        if memory is not None:
            assert self._shelf is not None
            for key, part, roll in self._shelf.find(memory.records):
                self._resume(key, part, roll, now)
        for family in (CALL, DECISION, VOTE):
            cursor: int | None = 0
            while cursor is not None:
                held, cursor = control.scan(family, b"", cursor, 1024)
                self.learn(held, now)
        self.suspects_changed(now)

    # What the user does.

    def call(self, topic: str, call: Call, now: float) -> Outcome | None:
        """Call for an election; the outcome, if the topic has one already.

        Raises InvalidElection if this node takes part in one with other voters, StorageError if its
        disk has failed.
        """
        self._require_disk()
        known, number = self._outcomes.last(topic), self._rounds.get(topic, 0)
        if known is not None:
            decided = known.definition.round
            if not self._calls_for((topic, number), later_than=decided):
                self._calls[topic] = call
                return self._outcomes.of(topic)
        if known is None and not self._calls_for((topic, number)):
            number = max(number, self._seen.get(topic, 0))
        self._begin((topic, number), call, now)
        return None

    def rerun(self, topic: str, abandon: bool, now: float) -> None:
        """Call for the next round of a topic, as it was called here before; for the one that others
        have opened meanwhile, if it is undecided.

        Raises InvalidElection if it was never called here, or if no round was decided yet;
        `abandon` opens another one beside the one that is undecided. StorageError as for `call`.
        """
        self._require_disk()
        known = self._outcomes.last(topic)
        decided = -1 if known is None else known.definition.round
        number = max(self._rounds.get(topic, 0), self._seen.get(topic, 0), decided)
        matter = self._matters.get((topic, self._rounds.get(topic, 0)))
        call = None if matter is None else matter.asked
        if call is None:  # not in this round, since this node was started
            call = self._calls.get(topic)
        if call is None:
            raise InvalidElection(f"{topic!r} was never called here; nothing changed: call it")
        if abandon or number == decided:
            number += 1
        elif known is None:
            raise InvalidElection(
                f"{topic!r} is not decided yet; nothing changed: wait for it, or say abandon=True"
                " if both rounds may be acted on"
            )
        if number > NUMBER_MAX:
            raise InvalidElection(f"no round is left of {topic!r}; nothing changed: take another")
        self._begin((topic, number), call, now)

    def _calls_for(self, key: Key, later_than: int = -1) -> bool:
        matter = self._matters.get(key)
        return matter is not None and matter.signup.calling and key[1] > later_than

    def _begin(self, key: Key, call: Call, now: float) -> None:
        definition, deadline = defined(key[0], key[1], call.terms()), now + call.seconds
        matter = self._matters.get(key)
        if matter is None:
            matter = self._open(key, definition, call.total, deadline)
        elif not _same_voters(matter.signup.terms, definition.terms):
            if matter.signup.calling or matter.signup.enrolment.bound:
                raise InvalidElection(
                    f"this node takes part in an election on {key[0]!r} that has other voters;"
                    " nothing changed: all have to name the same"
                )
            declined = matter.signup.enrolment
            matter = self._open(key, definition, call.total, deadline)
            matter.signup.enrolment = declined
        if matter.asked is None or not matter.signup.calling:
            self._keep_choice(matter, matter.signup.terms.choices, definition.terms.choices)
            matter.call(call, deadline)
            if call.roll and matter.signup.me:
                matter.take()
            elif not call.roll:
                self._callers.announce(key, call.total)
        self._set_round(key)
        self._look_at(matter, now)

    def _open(self, key: Key, definition: Definition, total: int, deadline: float) -> Matter:
        """A matter that there was none of; nobody has called for it here yet."""
        me = self._who.here(definition) if definition.terms.roll else self.me
        matter = Matter(self, me, definition, total, deadline, key)
        self._matters[key] = matter
        matter.listening = self.listening
        matter.choice = self._early.pop(key[0], None)
        matter.voted = matter.choice is not None
        self._keep_choice(matter, (), definition.terms.choices)
        return matter

    def _keep_choice(self, matter: Matter, before: tuple[str, ...], now: tuple[str, ...]) -> None:
        """A vote between other choices than there turn out to be is none; say so."""
        if before != now and matter.choice not in (None, ABSTAIN):
            matter.choice = None
            text = f"{matter.definition.topic!r}: the vote from before the call is for no choice"
            self._outbox.emit(Conflict("election", text))

    def _set_round(self, key: Key) -> None:
        if key[1] > self._rounds.get(key[0], 0):
            self._rounds[key[0]] = key[1]

    def _require_disk(self) -> None:
        if self.failure:
            raise StorageError(f"this node takes no part in elections: {self.failure}")

    def vote(self, topic: str, choice: int, now: float) -> bool:
        """Vote; False if it is too late for that. Before the call it is kept for it.

        Raises VoteRefused if this node is none of the voters, StorageError if its disk has failed.
        """
        self._require_disk()
        key = (topic, self._rounds.get(topic, 0))
        matter = self._matters.get(key)
        if matter is None:
            if self._outcomes.covers(key):
                again = key in self._voted
                self._voted.add(key)
                return not again
            if len(self._early) < EARLY_MAX or topic in self._early:
                self._early[topic] = choice
                return True
            return False
        if not matter.signup.me:
            why = self._who.why_not(matter.definition)
            raise VoteRefused(f"{why}; the vote on {topic!r} is not counted")
        taken = matter.vote(choice, now)
        self._schedule(matter)
        return taken

    def listen(self, wanted: bool = True) -> None:
        """Somebody here would act on commits from now on, also on those that have been made; not
        `wanted`: nobody any more.
        """
        if not self.failure:
            self.listening = wanted
            for matter in list(self._matters.values()):
                matter.listen(wanted)

    def finished(self, topic: str, number: int) -> None:
        """The callback that acted on an outcome has returned."""
        matter = self._matters.get((topic, number))
        if matter is not None:
            matter.finish()
            self._close((topic, number))

    def interrupted(self) -> list[Outcome]:
        """Outcomes that this node began to act on in an earlier life, and did not end."""
        return list(self._interrupted)

    def outcomes(self) -> list[Outcome]:
        """What was decided, as far as known here: of each topic the last."""
        return self._outcomes.all()

    def outcome(self, topic: str) -> Outcome | None:
        """The same of one topic."""
        return self._outcomes.of(topic)

    def awaited(self, topic: str) -> Outcome | None:
        """The outcome of the round of a topic that was called last here, if it is known."""
        known = self._outcomes.last(topic)
        if known is None or known.definition.round < self._rounds.get(topic, 0):
            return None
        return self._outcomes.of(topic)

    def code(self, topic: str, choice: bool | str | None) -> int:
        """A vote as a number. ValueError if it is none of the choices called here."""
        matter = self._matters.get((topic, self._rounds.get(topic, 0)))
        if choice is None:
            return ABSTAIN
        if isinstance(choice, bool):
            if matter is not None and matter.definition.terms.choices:
                raise ValueError("there are choices to vote for")
            return 0 if choice else REFUSE
        if matter is None:
            raise ValueError("its choices are not known before the call")
        choices = matter.definition.terms.choices
        if choice not in choices:
            raise ValueError(f"the choices are {', '.join(choices or ('True', 'False')):.200}")
        return choices.index(choice)

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
            if len(self._matters) >= UNCALLED_MAX or not _can_decide(election, definition):
                return None
            matter = self._open(key, definition, 0, now + definition.terms.remaining_ms / 1000)
        elif not _same_voters(matter.signup.terms, definition.terms):
            self._clash(key, "somebody names other voters")
            return None
        if matter.signup.me and not matter.signup.enrolment.bound:
            matter.take()
            self._set_round(key)
        self._look(key, now)
        return matter if matter.signup.enrolment.bound == election else None

    def learn(self, changes: Changes, now: float) -> None:
        """Records of the control table became current."""
        self.now = now
        calls: dict[Key, One | dict[bytes, int]] = {}
        for at in range(len(changes)):
            family, flags = changes.family(at), changes.flags(at)
            if family == CALL:
                self._callers.read(changes.key(at), changes.value(at), flags, calls)
            elif family == DECISION and not flags & TOMBSTONE:
                self._learn_decision(changes.key(at), changes.value(at))
            elif family == VOTE and flags & TOMBSTONE:
                self._forget_stray(changes.key(at))
            elif family == VOTE:
                self._learn_vote(changes.key(at), changes.value(at), changes.origin(at), now)
        for about, members in calls.items():
            self._learn_calls(about, members, now)

    def _learn_calls(self, about: Key, members: One | dict[bytes, int], now: float) -> None:
        """These members call for it, each among so many or (0) no longer."""
        calls = self._callers.note(about, members)
        topic, number = about
        if number and calls and number > self._seen.get(topic, 0):
            self._seen[topic] = number
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
            self._schedule(matter)

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
            self._schedule(matter)

    def advance(self, now: float) -> None:
        """Do what is due."""
        self.now = now
        decided, self._decided = self._decided, []
        for decision in decided:
            self._outcomes.publish(decision)
        while self._unseen and self._unseen[0][0] <= now:
            self._outcomes.publish(self._unseen.popleft()[1])
        while self._left and self._left[0][0] <= now:
            self._look_again(self._left.popleft()[1])
        while entry := self._due.take(now):
            when, key = entry
            matter = self._matters.get(key)
            if matter is None:
                continue
            if when == matter.deadline:
                matter.queued = False
            if matter.scheduled != when:
                continue
            matter.scheduled = inf
            before = matter.told_timeout
            matter.advance(now)
            if matter.told_timeout and not before:
                self._outbox.emit(Overdue(*key))
                if not matter.signup.calling and matter.signup.total:
                    self._callers.announce(key, 0)
            self._note(matter, now)

    def storage_failed(self, text: str) -> None:
        """Nothing can be kept any more: take no part, and act on nothing that was not begun."""
        if self.failure:
            return
        self.failure = text
        self.listening = False
        self._delivery.stop()
        while self._left:
            self._look_again(self._left.popleft()[1])
        for key, matter in list(self._matters.items()):
            matter.stop()
            if not matter.value or self._outcomes.covers(key):
                continue
            part = matter.signup.election
            if part is not None and part.counted:
                # That this node accepted it, which was counted, may not be on disk.
                self._outbox.emit(Overdue(*key))
            else:
                self._settle(matter, matter.value, False, False)

    def leave(self) -> None:
        """This node goes, and takes part in nothing that it can still stay out of."""
        for matter in list(self._matters.values()):
            matter.leave()

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        if self._decided:
            return self.now
        due = self._due.next()
        for waiting in (self._unseen, self._left):
            if waiting:
                first = waiting[0][0]
                due = first if first < due else due
        return due

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
            if len(calls) != len(callers) or len(callers) > signup.total:
                self._count(matter.key, matter, callers)
            if len(callers) < signup.total and signup.roll is None:
                signup.candidates = callers  # nothing can come of it yet
            else:
                matter.consider(callers, self._alive, now)
        self._note(matter, now)

    def _count(self, key: Key, matter: Matter, callers: frozenset[bytes]) -> None:
        """Say so, once, if more call than an electorate takes, or not all among the same number:
        nobody may choose among them.
        """
        total = matter.signup.total
        if matter.signup.enrolment.bound or key in self._crowded or not matter.signup.calling:
            return
        others = self._callers.others(key, total, self._alive)
        if len(callers) > total:
            names = ", ".join(sorted([caller.hex()[:8] for caller in callers]))
            self._clash(key, f"{len(callers)} members call, {total} are wanted: {names}")
        elif others - {self.me}:
            names = ", ".join(sorted([caller.hex()[:8] for caller in others]))
            self._clash(key, f"called among {total} here, among another number by {names}")

    def _clash(self, key: Key, text: str) -> None:
        if key not in self._crowded:
            self._crowded.add(key)
            self._outbox.emit(Conflict("election", f"{key[0]!r}: {text}"))

    def _note(self, matter: Matter, now: float) -> None:
        """Something may have happened in a matter."""
        if self._strays:
            strays = self._strays.pop(matter.signup.enrolment.bound, {})
            for about, (packed, origin) in strays.items():
                self._learn_vote(about, packed, origin, now)
        self._schedule(matter)

    def _schedule(self, matter: Matter) -> None:
        if not matter.value:
            due = matter.due()
            if due < matter.scheduled:
                matter.scheduled = due
                if due == matter.deadline:
                    if matter.queued:
                        return
                    matter.queued = True
                self._due.put(due, matter.key)
                if len(self._due) > 2 * len(self._matters) + _PASSED_MAX:
                    self._drop_passed()

    def _drop_passed(self) -> None:
        """What is scheduled for the far future may be decided long before."""
        for matter in self._matters.values():
            matter.queued = matter.scheduled == matter.deadline
        self._due.keep(
            [
                (matter.scheduled, key)
                for key, matter in self._matters.items()
                if not matter.value and matter.scheduled < inf
            ]
        )

    # Votes in the table.

    def publish(self, voter: bytes, election: bytes, vote: Vote) -> None:
        """Say a vote to everybody: nobody answers to whom it went straight."""
        packed = pack(election, 0, vote)
        self._control.put(VOTE, election + voter, 0, packed, vote.sequence)

    def _learn_vote(self, about: bytes, packed: bytes, origin: bytes, now: float) -> None:
        """Somebody's vote, which did not come straight; of an election that is not known yet it is
        kept for that.
        """
        election, voter = about[:ID_BYTES], about[ID_BYTES:]
        matter = self._of(election)
        if matter is None:
            votes = self._strays.get(election, {})
            if len(votes) < VOTERS_MAX and (votes or len(self._strays) < EARLY_MAX):
                self._strays.setdefault(election, votes)[about] = packed, origin
            return
        try:
            ((same, _slot, said),) = unpack(packed)
        except ValueError:  # WireError is one, too
            return
        writer = self._members.writer(origin)
        if writer is not None and voter not in (writer, self._who.called(writer)):
            return  # it is not this one's to say; of earlier starts nobody knows whose they were
        if same == election and isinstance(said, Vote):
            matter.receive(voter, election, said, now)
            self._note(matter, now)

    def _forget_stray(self, about: bytes) -> None:
        """It was withdrawn: nobody asks for it any more."""
        votes = self._strays.get(about[:ID_BYTES], {})
        votes.pop(about, None)
        if not votes:
            self._strays.pop(about[:ID_BYTES], None)

    def _withdraw_vote(self, matter: Matter) -> None:
        about = matter.signup.enrolment.bound + matter.signup.me
        self._control.put(VOTE, about, TOMBSTONE, b"", WITHDRAWN)

    # Decisions.

    def _learn_decision(self, about: bytes, record: bytes, at_once: bool = False) -> None:
        """A record of the table says what was decided. `at_once`: whatever this node waits for."""
        try:
            key = read_decision_key(about)
            again = self._outcomes.knows(key, record[:ID_BYTES])
            if again and self._outcomes.is_in(key[0], record):
                return
            matter = self._matters.get(key)
            if matter is not None and not at_once and self._waits_for_disk(matter, record):
                self._left.append((self.now + SEEN_SECONDS, key))
                return
            election, definition, value = read_decision(record)
            decision = Decision(election, definition, value)
            if id_of(self.namespace, definition) != election or key != decision.key():
                return
            outcome_of(decision)
        except ValueError:  # WireError is one, too: nobody honest wrote this
            return
        if again:  # closed is closed: what was told first stays
            self._clash(key, "two outcomes were decided")
            return
        if matter is not None and not matter.value:
            matter.conclude(election, value)
            if matter.signup.enrolment.bound != election:
                self._keep_foreign(decision)
                self._tell(decision)
                self._close(key)
        elif not self._outcomes.covers(key):
            if matter is not None and matter.signup.enrolment.bound == election:
                matter.told = True
            self._tell(decision)
        elif self._outcomes.settle(decision):
            self._outbox.emit(Conflict("election", f"two decisions of {definition.topic!r}"))

    def _waits_for_disk(self, matter: Matter, record: bytes) -> bool:
        """Whether a record says what this node found out itself and tells once that is on disk:
        then there is nothing in it to learn. If the disk is slow, or fails, there is.
        """
        value, bound = matter.value, matter.signup.enrolment.bound
        if not value or not bound or matter.told or self.failure:
            return False
        return begins(record, 0, bound) and begins(record, len(record) - len(value), value)

    def _look_again(self, key: Key) -> None:
        """What stands in the table was left to the disk: learn it, unless it was told meanwhile."""
        if not self._outcomes.covers(key):
            record = self._outcomes.record(key)
            if record is not None:
                self._learn_decision(decision_key(key), record, at_once=True)

    def _tell(self, decision: Decision, electorate: Electorate | None = None) -> Outcome | None:
        """A decision is known: tell of it, once; what was told, if it was not known before."""
        before = self._outcomes.last(decision.definition.topic)
        if before is not None and before.election == decision.election:
            return None
        outcome = outcome_of(decision, electorate)
        self._outbox.emit(filled(Settled, (outcome,)))
        if outcome.kind == EXPIRED:
            self._outbox.emit(Expired(outcome))
        if self._outcomes.note(decision) and before is not None:
            self._forget_before(decision, before)
        return outcome

    def _forget_before(self, decision: Decision, before: Decision) -> None:
        """A round was decided: of the decided ones before it nothing is needed but by those who
        have not acted on them.
        """
        topic = decision.definition.topic
        self._interrupted = [each for each in self._interrupted if each.topic != topic]
        if outcome_of(before).kind != COMMIT:
            self._outcomes.withdraw(before.key())
        for number in range(decision.definition.round - 1, -1, -1):
            key = (topic, number)
            matter = self._matters.get(key)
            kept = self._shelf is not None and key in self._shelf
            if matter is None and not kept and key not in self._voted:
                break
            if matter is None:
                self._forget(key)

    def _forget(self, key: Key) -> None:
        """Know nothing of a round any more, and take no part in it: a later one was decided."""
        self._voted.discard(key)
        held = self._outcomes.find(key)
        if held is not None and outcome_of(held).owner in self._who.mine:
            self._outcomes.withdraw(key)
        shelf = None if self.failure else self._shelf
        if shelf is not None and key in shelf and self._keep_last(key[0], shelf):
            shelf.remove(key)

    def _keep_last(self, topic: str, shelf: Shelf) -> bool:
        """Have it on disk that a topic's last round was decided, whoever took part in it: after a
        restart that is all that keeps this node out of those it has forgotten. False if it is not.
        """
        known = self._outcomes.last(topic)
        if known is None:
            return False
        key = known.key()
        held = self._outcomes.find(key)
        if held is not None and held.election == known.election and key not in shelf:
            self._keep_foreign(held)
        return key in shelf

    def _is_owed(self, matter: Matter) -> bool:
        """Whether this node has yet to act on the outcome, or to end that."""
        part = matter.signup.election
        if part is None or not part.closed or not part.is_mine(part.record.outcome):
            return False
        return not (part.record.fired and (matter.finished or self._shelf is None))

    def _close(self, key: Key) -> None:
        """The outcome is known: what only led there goes, unless it is this node's to act on."""
        self._callers.forget(key)
        matter = self._matters.get(key)
        if matter is None or not matter.value or self._is_owed(matter):
            return
        del self._matters[key]
        if matter.published:
            self._withdraw_vote(matter)
        self._elections.pop(matter.signup.enrolment.bound, None)
        self._crowded.discard(key)
        if matter.asked is not None:
            self._calls[key[0]] = matter.asked
        if matter.voted:
            self._voted.add(key)
        known = self._outcomes.last(key[0])
        if known is not None and known.definition.round > key[1]:
            self._forget(key)

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

    def settled(self, matter: Matter, value: bytes, fire: bool, after: int) -> None:
        """The outcome of a matter is known; nobody hears of it before it is on disk."""
        part = matter.signup.election
        here = part is not None and part.phase == PROPOSING
        if after:
            self._outbox.after(after, self._settle, matter, value, fire, here)
        else:
            self._settle(matter, value, fire, here)

    def _settle(self, matter: Matter, value: bytes, fire: bool, decided_here: bool) -> None:
        definition, part = matter.signup.bound(), matter.signup.election
        assert part is not None
        decision = decision_of(matter.signup.enrolment.bound, definition, value)
        # In the next turn, so that who acts need not wait for it; if others decided it, they do.
        if decided_here:
            self._decided.append(decision)
        else:
            self._unseen.append((self.now + SEEN_SECONDS, decision))
        outcome = None
        if not matter.told:
            matter.told = True
            outcome = self._tell(decision, part.electorate)
        if fire:
            self._outbox.emit(Quorum(outcome or outcome_of(decision, part.electorate)))
        self._close(matter.key)

    def suspected(self, matter: Matter, text: str) -> None:
        """Something happened that cannot."""
        self._outbox.emit(Conflict("election", f"{matter.definition.topic!r}: {text}"))

    # On disk.

    def bound(self, matter: Matter, election: bytes) -> None:
        """The matter is decided in this election from now on, unless it is released from it."""
        self._elections[election] = matter

    def released(self, matter: Matter, election: bytes) -> None:
        """It is decided in this one no more."""
        self._elections[election] = matter.key

    def keep(self, matter: Matter, can_wait: bool = False) -> int:
        """Put a matter's part on disk; returns the ticket."""
        if self._shelf is None or self.failure:
            return 0
        signup, election = matter.signup, matter.signup.election
        bound = signup.enrolment.bound
        record = NOTHING if election is None or not bound else election.record
        part = Part(signup.enrolment, record, matter.finished)
        known = not bound or self._shelf.has_roll(matter.key, bound)
        return self._shelf.put(matter.key, part, None if known else signup.bound(), can_wait)

    def _keep_foreign(self, decision: Decision) -> None:
        """It was decided among others: that it is over is kept all the same."""
        if self._shelf is not None and not self.failure:
            enrolment = Enrolment(bound=decision.election, formed=True)
            part = Part(enrolment, Record(outcome=decision.value))
            self._shelf.put(decision.key(), part, decision.definition)

    def _resume(self, key: Key, part: Part, roll: Definition | None, now: float) -> None:
        """Go on with what this node took part in before it was started again."""
        if roll is None:
            self._open(
                key, Definition(*key, NO_CALL.terms()), 0, inf
            ).signup.enrolment = part.enrolment
            return
        if part.record.outcome:
            decision = Decision(part.enrolment.bound, roll, part.record.outcome)
            outcome = outcome_of(decision)
            self._outcomes.publish(decision)
            self._tell(decision)
            if part.record.fired and not part.finished:
                self._interrupted.append(outcome)
            if part.record.fired or outcome.owner not in self._who.mine:
                return
        definition = _blank(roll, b"") if roll.terms.signup else roll
        matter = self._open(key, definition, 0, now + roll.terms.remaining_ms / 1000)
        matter.resume(roll, part, now)
        matter.told = bool(matter.value)
        self._set_round(key)
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


def _same_voters(these: Terms, those: Terms) -> bool:
    if these is those:
        return True
    same = these.council == those.council and these.tiebreak == those.tiebreak
    return same and these.roll == those.roll
