"""All elections of one node, as its user sees them: what is called for, voted, waited for.

Of the rounds of a topic that were decided only the last is remembered; in those before it this node
takes no part any more, which is why it may forget them. What follows from a call or a vote is not
known here: matters.py says what happens to it.
"""

from __future__ import annotations

from vines._core.tally import ABSTAIN, REFUSE
from vines.errors import InvalidElection, StorageError, VoteRefused
from vines.events import Outcome
from vines.protocol.elections.call import Call
from vines.protocol.elections.matters import Matters, same_voters
from vines.protocol.elections.messages import defined
from vines.protocol.elections.records import Key
from vines.protocol.wire.definition import NUMBER_MAX


class Elections(Matters):
    """The elections that a node called, votes in, or has heard the end of."""

    def call(self, topic: str, call: Call, now: float) -> Outcome | None:
        """Call for an election; the outcome, if the topic has one already.

        Raises InvalidElection if this node takes part in one with other voters, StorageError if its
        disk has failed.
        """
        self._require_disk()
        known, number = self._outcomes.last(topic), self._asked.round(topic)
        if known is not None:
            decided = known.definition.round
            if not self._calls_for((topic, number), later_than=decided):
                self._asked.called(topic, call)
                return self._outcomes.of(topic)
        if known is None and not self._calls_for((topic, number)):
            number = max(number, self._asked.seen(topic))
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
        number = max(self._asked.round(topic), self._asked.seen(topic), decided)
        matter = self._matters.get((topic, self._asked.round(topic)))
        call = None if matter is None else matter.asked
        if call is None:  # not in this round, since this node was started
            call = self._asked.call(topic)
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
        elif not same_voters(matter.signup.terms, definition.terms):
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
        self._asked.enter(key)
        self._look_at(matter, now)

    def _require_disk(self) -> None:
        if self.failure:
            raise StorageError(f"this node takes no part in elections: {self.failure}")

    def vote(self, topic: str, choice: int, now: float) -> bool:
        """Vote; False if it is too late for that. Before the call it is kept for it.

        Raises VoteRefused if this node is none of the voters, StorageError if its disk has failed.
        """
        self._require_disk()
        key = (topic, self._asked.round(topic))
        matter = self._matters.get(key)
        if matter is None:
            if self._outcomes.covers(key):
                return self._asked.vote_late(key)
            return self._asked.vote_early(topic, choice)
        if not matter.signup.me:
            why = self._who.why_not(matter.definition)
            raise VoteRefused(f"{why}; the vote on {topic!r} is not counted")
        taken = matter.vote(choice, now)
        self._schedule.put(matter)
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
            self._endings.close((topic, number))

    def interrupted(self) -> list[Outcome]:
        """Outcomes that this node began to act on in an earlier life, and did not end."""
        return list(self._endings.interrupted)

    def outcomes(self) -> list[Outcome]:
        """What was decided, as far as known here: of each topic the last."""
        return self._outcomes.all()

    def outcome(self, topic: str) -> Outcome | None:
        """The same of one topic."""
        return self._outcomes.of(topic)

    def awaited(self, topic: str) -> Outcome | None:
        """The outcome of the round of a topic that was called last here, if it is known."""
        known = self._outcomes.last(topic)
        if known is None or known.definition.round < self._asked.round(topic):
            return None
        return self._outcomes.of(topic)

    def code(self, topic: str, choice: bool | str | None) -> int:
        """A vote as a number. ValueError if it is none of the choices called here."""
        matter = self._matters.get((topic, self._asked.round(topic)))
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
