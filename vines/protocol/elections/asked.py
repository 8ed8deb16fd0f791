"""What was asked for here, beside what matters hold: before the call, in which round, and in rounds
that are over.

It knows topics, rounds and numbers; not what has become of any of them.
"""

from __future__ import annotations

from typing import Final

from vines.protocol.elections.call import Call
from vines.protocol.elections.records import Key

EARLY_MAX: Final = 65_536
"""Votes kept for calls that have not come."""


class Asked:
    """What the user of one node asked for."""

    def __init__(self) -> None:
        self._rounds: dict[str, int] = {}
        """The round of each topic that this node takes part in, unless it is the first."""
        self._seen: dict[str, int] = {}
        """The last round of each topic that anybody has called, unless it is the first."""
        self._calls: dict[str, Call] = {}
        """What was called for in rounds that are over."""
        self._voted: set[Key] = set()
        """Of those: where a vote was asked for."""
        self._early: dict[str, int] = {}
        """Votes on topics that nobody here has called yet."""

    def round(self, topic: str) -> int:
        """The round of a topic that this node takes part in."""
        return self._rounds.get(topic, 0)

    def enter(self, key: Key) -> None:
        """It takes part in this one from now on, unless in a later one."""
        if key[1] > self._rounds.get(key[0], 0):
            self._rounds[key[0]] = key[1]

    def seen(self, topic: str) -> int:
        """The last round of a topic that anybody has called."""
        return self._seen.get(topic, 0)

    def see(self, key: Key) -> None:
        """Somebody calls for this one."""
        if key[1] > self._seen.get(key[0], 0):
            self._seen[key[0]] = key[1]

    def call(self, topic: str) -> Call | None:
        """What was called for in a round that is over."""
        return self._calls.get(topic)

    def called(self, topic: str, call: Call) -> None:
        """That was called for."""
        self._calls[topic] = call

    def vote_early(self, topic: str, choice: int) -> bool:
        """Keep a vote for a call; False if there are too many."""
        if len(self._early) < EARLY_MAX or topic in self._early:
            self._early[topic] = choice
            return True
        return False

    def take_vote(self, topic: str) -> int | None:
        """The vote from before the call."""
        return self._early.pop(topic, None)

    def vote_late(self, key: Key) -> bool:
        """A vote in a round that is over: the first lost a race, another is a mistake (False)."""
        again = key in self._voted
        self._voted.add(key)
        return not again

    def voted(self, key: Key) -> None:
        """A vote was asked for in a round that is over now."""
        self._voted.add(key)

    def has_voted(self, key: Key) -> bool:
        """Whether that is known of it."""
        return key in self._voted

    def forget(self, key: Key) -> None:
        """A later round was decided."""
        self._voted.discard(key)
