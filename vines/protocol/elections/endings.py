"""Endings: what was decided, here or elsewhere; how that becomes known, and is told once.

A decision made here is put into the control table, from where all learn it, whoever took part. What
this node found out itself it tells once that is on disk. What only led to a decision goes then;
of the rounds of a topic that were decided only the last is remembered. It must not know how
decisions come about.
"""

from __future__ import annotations

from collections import deque
from math import inf
from typing import Final

from vines._core.pieces import begins
from vines._core.slots import filled
from vines.events import Conflict, Expired, Outcome, Overdue, Quorum, Settled
from vines.protocol.elections import value as values
from vines.protocol.elections.asked import Asked
from vines.protocol.elections.callers import Callers
from vines.protocol.elections.disputes import Disputes
from vines.protocol.elections.electorate import ID_BYTES, Electorate
from vines.protocol.elections.keeping import Keeping
from vines.protocol.elections.matter import Matter
from vines.protocol.elections.office import Office
from vines.protocol.elections.outcomes import Decision, Outcomes, decision_of, outcome_of
from vines.protocol.elections.phases import PROPOSING
from vines.protocol.elections.published import Published
from vines.protocol.elections.records import (
    Key,
    decision_key,
    read_decision,
    read_decision_key,
)
from vines.protocol.elections.signup import id_of
from vines.protocol.elections.voters import Who
from vines.protocol.machine import Outbox

COMMIT: Final = values.KINDS[values.COMMIT]
EXPIRED: Final = values.KINDS[values.EXPIRED]
SEEN_SECONDS: Final = 1.0
"""How long who decided something has to put it into the table, before others do; and how long what
stands there is left to what this node found out itself, which waits for its disk.
"""


class Endings:
    """How the elections of one node end. `matters`: those that have not, by topic and round;
    `elections`: which of them an election id belongs to. They are taken out here.
    """

    def __init__(
        self,
        office: Office,
        outbox: Outbox,
        outcomes: Outcomes,
        matters: dict[Key, Matter],
        elections: dict[bytes, Matter | Key],
        *,
        who: Who,
        callers: Callers,
        asked: Asked,
        disputes: Disputes,
        published: Published,
        keeping: Keeping,
    ) -> None:
        self._office = office
        self._outbox = outbox
        self._outcomes = outcomes
        self._matters = matters
        self._elections = elections
        self._who = who
        self._callers = callers
        self._asked = asked
        self._disputes = disputes
        self._published = published
        self._keeping = keeping
        self.interrupted: list[Outcome] = []
        """Those that this node began to act on in an earlier life, and did not end."""
        self.decided: list[Decision] = []
        """Decisions made here, to be put into the table in the next turn."""
        self._unseen: deque[tuple[float, Decision]] = deque()
        """Those made elsewhere, and when to look whether they stand there."""
        self._left: deque[tuple[float, Key]] = deque()
        """What stands there and is known here, but not on disk yet; and when to look again."""

    def learn(self, about: bytes, record: bytes, at_once: bool = False) -> None:
        """A record of the table says what was decided. `at_once`: whatever this node waits for."""
        try:
            key = read_decision_key(about)
            again = self._outcomes.knows(key, record[:ID_BYTES])
            if again and self._outcomes.is_in(key[0], record):
                return
            matter = self._matters.get(key)
            if matter is not None and not at_once and self._waits_for_disk(matter, record):
                self._left.append((self._office.now + SEEN_SECONDS, key))
                return
            election, definition, value = read_decision(record)
            decision = Decision(election, definition, value)
            if id_of(self._office.namespace, definition) != election or key != decision.key():
                return
            outcome_of(decision)
        except ValueError:  # WireError is one, too: nobody honest wrote this
            return
        if again:  # closed is closed: what was told first stays
            self._disputes.tell(key, "two outcomes were decided")
            return
        if matter is not None and not matter.value:
            matter.conclude(election, value)
            if matter.signup.enrolment.bound != election:
                self._keeping.keep_foreign(decision)
                self.tell(decision)
                self.close(key)
        elif not self._outcomes.covers(key):
            if matter is not None and matter.signup.enrolment.bound == election:
                matter.told = True
            self.tell(decision)
        elif self._outcomes.settle(decision):
            self._outbox.emit(Conflict("election", f"two decisions of {definition.topic!r}"))

    def _waits_for_disk(self, matter: Matter, record: bytes) -> bool:
        """Whether a record says what this node found out itself and tells once that is on disk:
        then there is nothing in it to learn. If the disk is slow, or fails, there is.
        """
        value, bound = matter.value, matter.signup.enrolment.bound
        if not value or not bound or matter.told or self._keeping.failed:
            return False
        return begins(record, 0, bound) and begins(record, len(record) - len(value), value)

    def _look_again(self, key: Key) -> None:
        """What stands in the table was left to the disk: learn it, unless it was told meanwhile."""
        if not self._outcomes.covers(key):
            record = self._outcomes.record(key)
            if record is not None:
                self.learn(decision_key(key), record, at_once=True)

    def tell(self, decision: Decision, electorate: Electorate | None = None) -> Outcome | None:
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
        self.interrupted = [each for each in self.interrupted if each.topic != topic]
        if outcome_of(before).kind != COMMIT:
            self._outcomes.withdraw(before.key())
        for number in range(decision.definition.round - 1, -1, -1):
            key = (topic, number)
            matter = self._matters.get(key)
            if matter is None and key not in self._keeping and not self._asked.has_voted(key):
                break
            if matter is None:
                self._forget(key)

    def _forget(self, key: Key) -> None:
        """Know nothing of a round any more, and take no part in it: a later one was decided."""
        self._asked.forget(key)
        held = self._outcomes.find(key)
        if held is not None and outcome_of(held).owner in self._who.mine:
            self._outcomes.withdraw(key)
        self._keeping.forget(key)

    def _is_owed(self, matter: Matter) -> bool:
        """Whether this node has yet to act on the outcome, or to end that."""
        part = matter.signup.election
        if part is None or not part.closed or not part.is_mine(part.record.outcome):
            return False
        return not (part.record.fired and (matter.finished or not self._keeping.durable))

    def close(self, key: Key) -> None:
        """The outcome is known: what only led there goes, unless it is this node's to act on."""
        self._callers.forget(key)
        matter = self._matters.get(key)
        if matter is None or not matter.value or self._is_owed(matter):
            return
        del self._matters[key]
        if matter.published:
            self._published.withdraw(matter.signup.me, matter.signup.enrolment.bound)
        self._elections.pop(matter.signup.enrolment.bound, None)
        self._disputes.forget(key)
        if matter.asked is not None:
            self._asked.called(key[0], matter.asked)
        if matter.voted:
            self._asked.voted(key)
        known = self._outcomes.last(key[0])
        if known is not None and known.definition.round > key[1]:
            self._forget(key)

    def settled(self, matter: Matter, value: bytes, fire: bool, after: int) -> None:
        """The outcome of a matter is known; nobody hears of it before it is on disk."""
        part = matter.signup.election
        here = part is not None and part.phase == PROPOSING
        if after:
            self._outbox.after(after, self.settle, matter, value, fire, here)
        else:
            self.settle(matter, value, fire, here)

    def settle(self, matter: Matter, value: bytes, fire: bool, decided_here: bool) -> None:
        """What waited for the disk: tell of the outcome, once. `decided_here`: nobody else did."""
        definition, part = matter.signup.bound(), matter.signup.election
        assert part is not None
        decision = decision_of(matter.signup.enrolment.bound, definition, value)
        # In the next turn, so that who acts need not wait for it; if others decided it, they do.
        if decided_here:
            self.decided.append(decision)
        else:
            self._unseen.append((self._office.now + SEEN_SECONDS, decision))
        outcome = None
        if not matter.told:
            matter.told = True
            outcome = self.tell(decision, part.electorate)
        if fire:
            self._outbox.act(Quorum(outcome or outcome_of(decision, part.electorate)))
        self.close(matter.key)

    def storage_failed(self) -> None:
        """What waits for the disk will not be on it: it is told all the same, but nobody acts."""
        while self._left:
            self._look_again(self._left.popleft()[1])
        for key, matter in list(self._matters.items()):
            if not matter.value or self._outcomes.covers(key):
                continue
            part = matter.signup.election
            if part is not None and part.counted:
                # That this node accepted it, which was counted, may not be on disk.
                self._outbox.emit(Overdue(*key))
            else:
                self.settle(matter, matter.value, False, False)

    def resume(self, decision: Decision, fired: bool, finished: bool) -> Outcome:
        """After a restart: this was decided, and is on disk; how far this node has acted on it."""
        outcome = outcome_of(decision)
        self._outcomes.publish(decision)
        self.tell(decision)
        if fired and not finished:
            self.interrupted.append(outcome)
        return outcome

    def advance(self, now: float) -> None:
        """Put into the table what is to stand there, and look again at what was left there."""
        decided, self.decided = self.decided, []
        for decision in decided:
            self._outcomes.publish(decision)
        while self._unseen and self._unseen[0][0] <= now:
            self._outcomes.publish(self._unseen.popleft()[1])
        while self._left and self._left[0][0] <= now:
            self._look_again(self._left.popleft()[1])

    def next(self) -> float:
        """When `advance` has something, beside what was decided; infinity if never."""
        due = inf
        for waiting in (self._unseen, self._left):
            if waiting:
                first = waiting[0][0]
                due = first if first < due else due
        return due
