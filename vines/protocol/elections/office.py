"""An office: who a matter belongs to, and leaves its effects with.

It says what all matters of a node share, and what each may ask for. It must not know what a matter
is beyond its name, nor who carries out what is asked for (matters.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vines.protocol.elections.messages import Said, Vote
from vines.protocol.elections.pacing import Pace

if TYPE_CHECKING:
    import random

    from vines.protocol.elections.matter import Matter


class Office:
    """Who a matter belongs to. `namespace`: of the ids of elections; `rng`: for jitter; `boot`:
    which start of the node this is; `pace`: how long round trips take, as far as known; `now`: of
    what happens now.
    """

    def __init__(self, namespace: bytes, rng: random.Random, boot: int) -> None:
        self.namespace = namespace
        self.rng = rng
        self.boot = boot
        self.pace = Pace()
        self.now = 0.0
        self.suspects: frozenset[bytes] = frozenset()
        """Voters that may have died, by id and by name."""

    def say(
        self,
        matter: Matter,
        voter: bytes,
        election: bytes,
        said: Said,
        after: int,
    ) -> None:
        """Send to a voter, once what it rests on is on disk."""
        raise NotImplementedError

    def publish(self, voter: bytes, election: bytes, vote: Vote) -> None:
        """Say a vote to everybody, by the table."""
        raise NotImplementedError

    def bound(self, matter: Matter, election: bytes) -> None:
        """The matter is decided in this election from now on, unless it is released from it."""
        raise NotImplementedError

    def released(self, matter: Matter, election: bytes) -> None:
        """It is decided in this one no more."""
        raise NotImplementedError

    def keep(self, matter: Matter, can_wait: bool = False) -> int:
        """Put the matter's part on disk; returns the ticket. `can_wait`: as far as an outbox has
        them wait.
        """
        raise NotImplementedError

    def settled(self, matter: Matter, value: bytes, fire: bool, after: int) -> None:
        """The outcome is known; `fire`: this node acts on it."""
        raise NotImplementedError

    def suspected(self, matter: Matter, text: str) -> None:
        """Something happened that cannot."""
        raise NotImplementedError
