"""Deadlines of the net layer: few, long, and nearly always cancelled before they are due."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf

_SWEEP_MIN = 64


class Timer:
    """One deadline; `cancel` it when what it guards against can no longer happen."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[float], None]) -> None:
        self.when = when
        self.callback: Callable[[float], None] | None = callback

    def cancel(self) -> None:
        """Never run; harmless when it has run."""
        self.callback = None


class Timers:
    """A heap of timers. Cancelled ones are dropped as they surface, or all at once when they are
    the most.
    """

    def __init__(self) -> None:
        self.first = inf
        """When the first is due, a live one or not: before that there is nothing to do."""
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._sweep_at = _SWEEP_MIN

    def __len__(self) -> int:
        return len(self._heap)

    def at(self, when: float, callback: Callable[[float], None]) -> Timer:
        """Run callback(now) in the first turn that begins at `when` or later."""
        timer = Timer(when, callback)
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, timer))
        if len(self._heap) > self._sweep_at:
            self._sweep()
        self._note()
        return timer

    def next(self) -> float | None:
        """When the first live timer is due."""
        heap = self._heap
        while heap and heap[0][2].callback is None:
            heapq.heappop(heap)
        self._note()
        return heap[0][0] if heap else None

    def run(self, now: float) -> None:
        """Run everything due at `now`; what that schedules waits for the next turn."""
        due: list[Timer] = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        self._note()
        for timer in due:
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback(now)

    def postpone(self, seconds: float) -> None:
        """Give everybody that much longer: this process stood still, its peers did not."""
        for _, _, timer in self._heap:
            timer.when += seconds
        self._heap = [(when + seconds, order, timer) for when, order, timer in self._heap]
        self._note()

    def _note(self) -> None:
        self.first = self._heap[0][0] if self._heap else inf

    def _sweep(self) -> None:
        self._heap = [entry for entry in self._heap if entry[2].callback is not None]
        heapq.heapify(self._heap)
        self._sweep_at = max(_SWEEP_MIN, 2 * len(self._heap))
