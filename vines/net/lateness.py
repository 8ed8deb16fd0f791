"""How late the loop is, and when the process stood still.

A turn that comes a second late means that the process was stopped, or that something held the GIL.
Nobody was heard meanwhile, so nobody is to be blamed for it: that time is lost for everybody.
"""

from __future__ import annotations


class Lateness:
    """Compares what turns and sleeps took with what they had to take; `stall` is in seconds."""

    def __init__(self, stall: float) -> None:
        self._stall = stall
        self._began: float | None = None
        self.seconds_max = 0.0
        """The most by which a sleep was ever longer than asked for."""

    def lost(self, before: float, timeout: float | None, now: float) -> float:
        """Seconds lost to a stall since the last turn began: usually none.

        This sleep was asked for at `before`, for `timeout` at most (None: until something comes),
        and ended `now`.
        """
        began, stall, lost = self._began, self._stall, 0.0
        self._began = now
        if timeout is not None:
            late = now - before - timeout
            if late > self.seconds_max:
                self.seconds_max = late
            if late > stall:
                lost = now - before
        if began is not None and before - began > stall:
            lost += before - began
        return lost
