"""Agenda: what is to be done, the earliest first, without an object for each entry."""

from collections.abc import Iterable
from typing import Any, final

@final
class Agenda:
    """A heap of (when, what): a time in seconds of any clock, and any object, 16 bytes an entry.

    What has the same time comes in any order, but in the same one whenever the same calls were
    made. Methods that raise change nothing."""

    def __init__(self) -> None: ...
    def __len__(self) -> int: ...
    def put(self, when: float, what: object) -> None:
        """Add an entry. ValueError for a time that is not finite: nothing is ever due then.
        O(log n)."""
    def next(self) -> float:
        """The earliest time; infinity if there is none. O(1)."""
    def take(self, now: float) -> tuple[float, Any] | None:
        """Remove the earliest entry and return it, if its time is not after `now`; else None.
        O(log n)."""
    def keep(self, entries: Iterable[tuple[float, object]]) -> None:
        """Hold these entries and no others: no more those of before, nor what was put while
        `entries` was read. ValueError as for `put`. O(n)."""
    @property
    def memory(self) -> int:
        """Bytes of this object and of what it allocated, without what is put. Room grows by a half
        at most, and is given back once a quarter is in use."""
