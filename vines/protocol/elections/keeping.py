"""Keeping: what of a node's part in elections is on its disk, if it has one, and for how long.

A part may be forgotten once it is on disk that a later round of its topic was decided: this node
takes no part in earlier ones, whoever asks. It knows what must not be forgotten; not what for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from vines.protocol.elections.decree import NOTHING, Record
from vines.protocol.elections.matter import Matter
from vines.protocol.elections.messages import Definition
from vines.protocol.elections.outcomes import Decision, Outcomes
from vines.protocol.elections.records import Key
from vines.protocol.elections.shelf import Part, Shelf
from vines.protocol.elections.signup import Enrolment


class Keeping:
    """What one node keeps. `shelf`: None if it has no disk."""

    def __init__(self, shelf: Shelf | None, outcomes: Outcomes) -> None:
        self._shelf = shelf
        self._outcomes = outcomes
        self.durable = shelf is not None
        """There is a disk, if perhaps a broken one."""
        self.failed = False
        """It has failed: nothing more is put there, or taken away."""

    def __contains__(self, key: Key) -> bool:
        return self._shelf is not None and key in self._shelf

    def find(self, records: Mapping[bytes, bytes]) -> Iterator[tuple[Key, Part, Definition | None]]:
        """What earlier starts have put there, with the rolls, by topic and round. WireError."""
        return iter(()) if self._shelf is None else self._shelf.find(records)

    def keep(self, matter: Matter, can_wait: bool) -> int:
        """Put a matter's part on disk; returns the ticket."""
        if self._shelf is None or self.failed:
            return 0
        signup, election = matter.signup, matter.signup.election
        bound = signup.enrolment.bound
        record = NOTHING if election is None or not bound else election.record
        part = Part(signup.enrolment, record, matter.finished)
        known = not bound or self._shelf.has_roll(matter.key, bound)
        return self._shelf.put(matter.key, part, None if known else signup.bound(), can_wait)

    def keep_foreign(self, decision: Decision) -> None:
        """It was decided among others: that it is over is kept all the same."""
        if self._shelf is not None and not self.failed:
            enrolment = Enrolment(bound=decision.election, formed=True)
            part = Part(enrolment, Record(outcome=decision.value))
            self._shelf.put(decision.key(), part, decision.definition)

    def forget(self, key: Key) -> None:
        """Keep a part no longer, if that is safe."""
        if key in self and not self.failed and self.keep_last(key[0]):
            assert self._shelf is not None
            self._shelf.remove(key)

    def keep_last(self, topic: str) -> bool:
        """Have it on disk that a topic's last round was decided, whoever took part in it: after a
        restart that is all that keeps this node out of those it has forgotten. False if it is not.
        """
        known = self._outcomes.last(topic)
        if known is None:
            return False
        key = known.key()
        held = self._outcomes.find(key)
        if held is not None and held.election == known.election and key not in self:
            self.keep_foreign(held)
        return key in self
