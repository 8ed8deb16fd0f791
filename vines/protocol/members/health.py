"""Health: how far this node trusts itself.

Who misses answers that others get, or has to object to being suspected, is probably slow itself. It
probes less often and waits longer, so that it accuses nobody for its own fault (Dadgar, Phillips,
Currey, Lifeguard, DSN-W 2018, section IV-A, local health multiplier).
"""

from __future__ import annotations

from vines.hints import Final

HEALTH_MAX: Final = 8
"""The worst score: nine times the interval and the timeout."""


class Health:
    """A score from 0, well, to 8."""

    __slots__ = ("score",)

    def __init__(self) -> None:
        self.score = 0

    @property
    def factor(self) -> int:
        """By what intervals and timeouts are multiplied."""
        return self.score + 1

    def better(self) -> None:
        """A probe was answered."""
        self.score = max(0, self.score - 1)

    def worse(self, amount: int = 1) -> None:
        """An answer or some nacks were missing, or this node was suspected."""
        self.score = min(HEALTH_MAX, self.score + amount)
