"""Lag: how late the loop was lately.

A loop that comes to its timers late does not come to its frames in time either: the process is up
and what it is for is not done. The worst of the last ten to twenty seconds is what is told.
"""

from __future__ import annotations

from vines.hints import Final
from vines.protocol.wire.probe import LAG_MAX

WINDOW_SECONDS: Final = 10.0


class Lag:
    """The most by which a timer was late, in this window or the one before."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._now = 0.0
        self._before = 0.0

    def note(self, seconds: float, now: float) -> None:
        """A timer was so late."""
        self._turn(now)
        self._now = max(self._now, seconds)

    def milliseconds(self, now: float) -> int:
        """The worst of the two windows, as it is told."""
        self._turn(now)
        return min(int(max(self._now, self._before) * 1000), LAG_MAX)

    def _turn(self, now: float) -> None:
        if now - self._since >= WINDOW_SECONDS:
            recent = now - self._since < 2 * WINDOW_SECONDS
            self._before = self._now if recent else 0.0
            self._now, self._since = 0.0, now
