"""Outcomes: what was decided, as far as known here; of each topic the last round.

A decision is a record of the control table, so that everybody learns it, whoever took part.
"""

from __future__ import annotations

from typing import TypeAlias

from vines._core.table import DECISION, TOMBSTONE, Table
from vines._core.tally import NONE, REFUSE
from vines.events import Outcome
from vines.protocol.elections import value as values
from vines.protocol.elections.electorate import Electorate
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


class Outcomes:
    """The decisions in the control table, and the last one of each topic in a user's words."""

    def __init__(self, control: Table) -> None:
        self._control = control
        self._last: dict[str, Outcome] = {}

    def all(self) -> list[Outcome]:
        """Of each topic the last."""
        return list(self._last.values())

    def of(self, topic: str) -> Outcome | None:
        """The last of one topic."""
        return self._last.get(topic)

    def covers(self, key: Key) -> bool:
        """Whether this round of the topic, or a later one, was decided: nobody who has forgotten
        his part in it may take part again.
        """
        known = self._last.get(key[0])
        return known is not None and known.round >= key[1]

    def knows(self, key: Key, election: bytes) -> bool:
        """Whether it is known that this election decided this round."""
        known = self._last.get(key[0])
        return known is not None and known.round == key[1] and known.election == election

    def settle(self, outcome: Outcome) -> bool:
        """Whether another election decided the same round, which only happens when twice as many
        voters took part as an electorate has; of the two the one with the lower id stays.
        """
        known = self._last.get(outcome.topic)
        if known is None or known.round != outcome.round or known.election == outcome.election:
            return False
        if outcome.election < known.election:
            self._last[outcome.topic] = outcome
        return True

    def note(self, outcome: Outcome) -> bool:
        """Remember it; False if as late a round was known."""
        known = self._last.get(outcome.topic)
        if known is not None and known.round >= outcome.round:
            return False
        self._last[outcome.topic] = outcome
        return True

    def publish(self, election: bytes, definition: Definition, value: bytes) -> None:
        """Have everybody learn it."""
        key = decision_key((definition.topic, definition.round))
        stamp = decision_stamp(election)
        held = self._control.get(DECISION, key)
        if held is None or held[0] < stamp:
            self._control.put(DECISION, key, 0, pack_decision(election, definition, value), stamp)

    def withdraw(self, key: Key) -> None:
        """Nobody needs this one any more."""
        if self._held(key) is not None:
            self._control.put(DECISION, decision_key(key), TOMBSTONE, b"", WITHDRAWN)

    def value(self, key: Key) -> tuple[bytes, Definition, bytes] | None:
        """What was decided in a round, as it is in the table: the election's id, its definition
        and the value. None also if what stands there is no decision.
        """
        held = self._held(key)
        if held is None:
            return None
        try:
            election, definition, value = read_decision(held)
            outcome_of(definition, election, value)
        except ValueError:  # WireError is one, too: nobody honest wrote this
            return None
        return election, definition, value

    def _held(self, key: Key) -> bytes | None:
        """What stands in the table about a round, unless it was withdrawn."""
        held = self._control.get(DECISION, decision_key(key))
        return None if held is None or held[2] & TOMBSTONE else held[3]


def outcome_of(
    definition: Definition, election: bytes, value: bytes, electorate: Electorate | None = None
) -> Outcome:
    """A decision in a user's words. ValueError if nobody honest wrote it."""
    electorate = electorate or electorate_of(election, definition)
    wrong = values.fault(value, electorate)
    if wrong:
        raise ValueError(wrong)
    kind, choice, owner, votes = _words(electorate.voters, value, definition.terms.choices)
    about = definition.topic, definition.round, election
    return Outcome(*about, kind, choice, owner, dict(votes))


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
