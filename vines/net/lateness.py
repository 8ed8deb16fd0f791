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
        late = 0.0 if timeout is None else max(0.0, now - before - timeout)
        busy = 0.0 if self._began is None else before - self._began
        self._began = now
        self.seconds_max = max(self.seconds_max, late)
        slept = now - before if late > self._stall else 0.0
        return slept + (busy if busy > self._stall else 0.0)
