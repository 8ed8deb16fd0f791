"""Outcomes: what was decided, as far as known here; of each topic the last round.

A decision is a record of the control table, so that everybody learns it, whoever took part.
"""

from __future__ import annotations

from typing import TypeAlias

import cython

from vines._core.pieces import begins
from vines._core.slots import filled
from vines._core.table import DECISION, TOMBSTONE, Table
from vines._core.tally import NONE, REFUSE
from vines.events import Outcome
from vines.protocol.elections import value as values
from vines.protocol.elections.electorate import Electorate
from vines.protocol.elections.facts import Facts
from vines.protocol.elections.messages import Definition
from vines.protocol.elections.records import (
    WITHDRAWN,
    Key,
    decision_key,
    decision_stamp,
    pack_decision,
    read_decision,
)
from vines.protocol.elections.remembering import FEW, remembered
from vines.protocol.elections.signup import electorate_of
from vines.protocol.elections.voters import spoken

Votes: TypeAlias = dict[bytes | str, bool | str | None]


@cython.no_gc
@cython.cclass
class Decision(Facts):
    """What was decided in which election: as it is agreed on, and as little as can be kept."""

    __slots__ = ("election", "definition", "value")

    def __init__(self, election: bytes, definition: Definition, value: bytes) -> None:
        self.election = election
        self.definition = definition
        self.value = value

    def key(self) -> Key:
        """Its topic and round."""
        return self.definition.topic, self.definition.round


def decision_of(election: bytes, definition: Definition, value: bytes) -> Decision:
    """One, without the price of a call of its class: one is made for every election."""
    made: Decision = Decision.__new__(Decision)
    made.election, made.definition, made.value = election, definition, value
    return made


class Outcomes:
    """The decisions in the control table, and which was the last of each topic."""

    def __init__(self, control: Table) -> None:
        self._control = control
        self._last: dict[str, Decision] = {}

    def all(self) -> list[Outcome]:
        """Of each topic the last, in a user's words."""
        return [outcome_of(decision) for decision in self._last.values()]

    def of(self, topic: str) -> Outcome | None:
        """The last of one topic, in a user's words."""
        known = self._last.get(topic)
        return None if known is None else outcome_of(known)

    def last(self, topic: str) -> Decision | None:
        """The last of one topic."""
        return self._last.get(topic)

    def covers(self, key: Key) -> bool:
        """Whether this round of the topic, or a later one, was decided: nobody who has forgotten
        his part in it may take part again.
        """
        known = self._last.get(key[0])
        return known is not None and known.definition.round >= key[1]

    def knows(self, key: Key, election: bytes) -> bool:
        """Whether it is known that this election decided this round."""
        known = self._last.get(key[0])
        return known is not None and known.definition.round == key[1] and known.election == election

    def is_in(self, topic: str, record: bytes) -> bool:
        """Whether a record says, somewhere, what was decided last of a topic."""
        known = self._last.get(topic)
        if known is None:
            return False
        value = known.value  # where we write it ourselves it stands at the end
        return begins(record, len(record) - len(value), value) or value in record

    def settle(self, decision: Decision) -> bool:
        """Whether another election decided the same round, which only happens when twice as many
        voters took part as an electorate has; of the two the one with the lower id stays.
        """
        topic, number = decision.key()
        known = self._last.get(topic)
        if known is None or known.definition.round != number:
            return False
        if known.election == decision.election:
            return False
        if decision.election < known.election:
            self._last[topic] = decision
        return True

    def note(self, decision: Decision) -> bool:
        """Remember it; False if as late a round was known."""
        topic, number = decision.key()
        known = self._last.get(topic)
        if known is not None and known.definition.round >= number:
            return False
        self._last[topic] = decision
        return True

    def publish(self, decision: Decision) -> None:
        """Have everybody learn it."""
        key = decision_key(decision.key())
        stamp = decision_stamp(decision.election)
        held = self._control.get(DECISION, key)
        if held is None or held[0] < stamp:
            packed = pack_decision(decision.election, decision.definition, decision.value)
            self._control.put(DECISION, key, 0, packed, stamp)

    def withdraw(self, key: Key) -> None:
        """Nobody needs this one any more."""
        if self.record(key) is not None:
            self._control.put(DECISION, decision_key(key), TOMBSTONE, b"", WITHDRAWN)

    def find(self, key: Key) -> Decision | None:
        """What was decided in a round, as it is in the table. None also if what stands there is no
        decision.
        """
        held = self.record(key)
        if held is None:
            return None
        try:
            decision = Decision(*read_decision(held))
            outcome_of(decision)
        except ValueError:  # WireError is one, too: nobody honest wrote this
            return None
        return decision

    def record(self, key: Key) -> bytes | None:
        """What stands in the table about a round, unless it was withdrawn."""
        held = self._control.get(DECISION, decision_key(key))
        return None if held is None or held[2] & TOMBSTONE else held[3]


def outcome_of(decision: Decision, electorate: Electorate | None = None) -> Outcome:
    """A decision in a user's words. ValueError if nobody honest wrote it. `electorate`: in which it
    was made, as it was seen there that it could be.
    """
    definition = decision.definition
    if electorate is None:
        electorate = electorate_of(decision.election, definition)
        wrong = values.fault(decision.value, electorate)
        if wrong:
            raise ValueError(wrong)
    kind, choice, owner, votes = _words(electorate.voters, decision.value, definition.terms.choices)
    topic, number = definition.topic, definition.round
    return filled(Outcome, (topic, number, decision.election, kind, choice, owner, dict(votes)))


@remembered(FEW)
def _words(
    voters: tuple[bytes, ...], value: bytes, named: tuple[str, ...]
) -> tuple[str, bool | str | None, bytes | str | None, Votes]:
    """The kind of a decision, what won, who owns it, and the votes."""
    read = values.decode(value)
    won = read.kind == values.COMMIT
    return (
        values.KINDS[read.kind],
        (read.label or True) if won else None,
        spoken(voters[read.owner]) if won else None,
        _votes(voters, named, read),
    )


def _votes(voters: tuple[bytes, ...], named: tuple[str, ...], read: values.Value) -> Votes:

    def word(code: int) -> bool | str | None:
        if code < read.winnable:
            return (named[code] if code < len(named) else "") if named else True
        return False if code == REFUSE else None

    return {
        spoken(voter): word(code)
        for voter, code in zip(voters, read.votes, strict=True)
        if code != NONE
    }
