"""Which keys have changed and still have to be told: ordered, bounded, at most one entry a key once
it grows.

Changes come in batches, one per received frame or local write, and leave in batches, in order. A
reader who keeps up gets them as they came. When they pile up the oldest are merged: one entry a
key, the latest, without its value. The table holds the values anyway, and the reader looks there;
that a key was deleted stays said, as the table may forget it meanwhile. So a slow callback costs a
bounded number of bytes and keys, and a key that changes a thousand times meanwhile costs one entry.
Beyond the bound the oldest keys are dropped and counted; the table still has them, a replay brings
them back.

Any thread adds, one thread takes. Adding is an append to a deque, which is atomic, and it waits for
nobody: it may be interrupted by a signal handler that adds as well. Only merging needs the lock,
and an adder who finds it held leaves the merging to its holder. Nobody merges more than a little
above what was added, so no turn of the loop pays for a pile.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from itertools import islice

from vines._core.changes import Change, Changes
from vines._core.table import DATA

KEYS_MAX = 131_072
"""Distinct keys that may wait: about 40 MB of entries with keys of 64 bytes."""

BYTES_MAX = 16 << 20
"""What may wait as it came: 200,000 changes of 64 bytes, received in 256 frames."""

BATCH_BYTES = 256
"""What a batch takes beside its changes."""


class Batch:
    """Changes that were handed over together, oldest first."""

    __slots__ = ("changes", "memory", "writes")

    def __init__(self, changes: Changes, writes: int) -> None:
        self.changes = changes
        self.writes = writes
        """Local writes there had been when none of these changes had been made; -1: not known."""
        self.memory = changes.memory() + BATCH_BYTES
        """Bytes it keeps alive."""


class Backlog:
    """Changes on their way to a reader who may be slow."""

    __slots__ = ("_arrived", "_bytes", "_dropped", "_keys_max", "_lock", "_merged")

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        self._keys_max = keys_max
        self._arrived: deque[Batch] = deque()
        self._bytes = 0  # of `_arrived`, roughly: it only decides when to merge
        self._merged: dict[bytes, tuple[int, bytes, int]] = {}
        self._dropped = 0
        self._lock = threading.Lock()

    def waits(self) -> bool:
        """Whether anything waits."""
        return bool(self._arrived) or bool(self._merged) or self._dropped > 0

    def __len__(self) -> int:
        """Changes waiting, roughly: for statistics."""
        return sum(len(batch.changes) for batch in tuple(self._arrived)) + len(self._merged)

    def add(self, changes: Changes, writes: int = -1) -> None:
        """Note a batch; never waits."""
        batch = Batch(changes, writes)
        self._arrived.append(batch)
        self._bytes += batch.memory  # no call in it: no other thread gets in
        if self._bytes > BYTES_MAX and self._lock.acquire(blocking=False):
            try:
                self._merge()
            finally:
                self._lock.release()

    def take(self) -> tuple[list[Batch], int]:
        """All that waits, in order, and how many keys were dropped before it.

        Values are missing from a batch of which `writes` is not known.
        """
        with self._lock:
            self._bytes = 0
            merged, self._merged = self._merged, {}
            arrived = [self._arrived.popleft() for _ in range(len(self._arrived))]
            dropped, self._dropped = self._dropped, 0
        if merged:
            arrived.insert(0, Batch(Changes(_without_values(merged)), -1))
        return arrived, dropped

    def _merge(self) -> None:
        """Merge the oldest batches until the others are within the bound."""
        merged = self._merged
        while self._arrived and self._bytes > BYTES_MAX:
            batch = self._arrived.popleft()
            memory = batch.memory
            self._bytes -= memory
            for key, mark in batch.changes.marks():
                known = merged.pop(key, mark)
                # Of one record the later word counts: it may have been hidden, or shown again.
                merged[key] = mark if mark[:2] >= known[:2] else known
        if len(merged) > self._keys_max:
            self._drop()

    def _drop(self) -> None:
        """Drop the oldest keys down to three quarters: the cost of a drop is spread over many
        additions.
        """
        excess = len(self._merged) - self._keys_max * 3 // 4
        self._merged = dict(islice(self._merged.items(), excess, None))
        self._dropped += excess


def _without_values(merged: dict[bytes, tuple[int, bytes, int]]) -> Iterator[Change]:
    for key, (stamp, origin, flags) in merged.items():
        yield (DATA, key, flags, b"", stamp, origin)
