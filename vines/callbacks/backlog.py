"""Which keys have changed and still have to be told: ordered, bounded, at most one entry a key once
it grows.

Changes come as lists, one per received frame or local write, and leave as lists, in order. A reader
who keeps up gets them as they came. When they pile up they are merged: one entry a key, the latest,
without its value. The table holds the values anyway, and the reader looks there. So a slow callback
costs a bounded number of keys however large their values are, and a key that changes a thousand
times meanwhile costs one entry. Beyond the bound the oldest keys are dropped and counted; the table
still has them, a replay brings them back.

Any thread adds, one thread takes. Adding is an append to a deque, which is atomic, and it waits for
nobody: it may be interrupted by a signal handler that adds as well. Only merging needs the lock,
and an adder who finds it held leaves the merging to its holder.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from vines._core.table import Change

KEYS_MAX = 131_072
"""Distinct keys that may wait: about 40 MB of entries with keys of 64 bytes."""

LISTS_MAX = 64
"""Lists that may wait as they came: each holds the values of one frame, 64 KiB or one larger
record.
"""

CHANGES_MAX = 8_192
"""Changes that may wait as they came: merging them takes a few milliseconds, and the loop may have
to do it.
"""


class Batch(NamedTuple):
    """Changes that were handed over together, oldest first."""

    changes: Sequence[Change]
    writes: int
    """Local writes there had been when none of these changes had been made; -1: not known."""


class Backlog:
    """Changes on their way to a reader who may be slow."""

    __slots__ = ("_added", "_arrived", "_dropped", "_keys_max", "_lock", "_merged")

    def __init__(self, keys_max: int = KEYS_MAX) -> None:
        self._keys_max = keys_max
        self._arrived: deque[Batch] = deque()
        self._added = 0  # changes in `_arrived`, roughly: it only decides when to merge
        self._merged: dict[bytes, Change] = {}
        self._dropped = 0
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._arrived or self._merged or self._dropped)

    def __len__(self) -> int:
        """Entries waiting, roughly: for statistics."""
        return self._added + len(self._merged)

    def add(self, changes: Sequence[Change], writes: int = -1) -> None:
        """Note a batch; never waits."""
        self._arrived.append(Batch(changes, writes))
        self._added += len(changes)
        late = self._added > CHANGES_MAX or len(self._arrived) > LISTS_MAX
        if late and self._lock.acquire(blocking=False):
            try:
                self._merge()
            finally:
                self._lock.release()

    def take(self) -> tuple[list[Batch], int]:
        """All that waits, in order, and how many keys were dropped before it.

        Values are missing from a batch of which `writes` is not known.
        """
        with self._lock:
            self._added = 0
            merged, self._merged = self._merged, {}
            arrived = [self._arrived.popleft() for _ in range(len(self._arrived))]
            dropped, self._dropped = self._dropped, 0
        if merged:
            arrived.insert(0, Batch(list(merged.values()), -1))
        return arrived, dropped

    def _merge(self) -> None:
        self._added = 0
        merged = self._merged
        for _ in range(len(self._arrived)):
            for family, key, flags, _value, stamp, origin in self._arrived.popleft().changes:
                known = merged.pop(key, None)
                if known is None or known[4:] < (stamp, origin):
                    known = (family, key, flags, b"", stamp, origin)
                merged[key] = known
        if len(merged) > self._keys_max:
            self._drop()

    def _drop(self) -> None:
        """Drop the oldest keys down to three quarters: the cost of a drop is spread over many
        additions.
        """
        excess = len(self._merged) - self._keys_max * 3 // 4
        self._merged = dict(islice(self._merged.items(), excess, None))
        self._dropped += excess
