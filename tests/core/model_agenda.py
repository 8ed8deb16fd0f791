"""A list of entries that is searched whenever it is asked: the oracle of vines._core.agenda."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

Entry = tuple[float, object]


class Agenda:
    """What is to be done. Of entries with one time any may be the next: the caller says which."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def __len__(self) -> int:
        return len(self.entries)

    def put(self, when: float, what: object) -> None:
        self.entries.append((when, what))

    def next(self) -> float:
        return min((when for when, _ in self.entries), default=inf)

    def may_take(self, taken: Entry | None, now: float) -> bool:
        """Whether that is what comes next at `now`; if so it is held no longer."""
        if taken is None:
            return not self.next() <= now or not self.entries
        if taken not in self.entries or taken[0] != self.next() or not taken[0] <= now:
            return False
        self.entries.remove(taken)
        return True

    def keep(self, entries: Iterable[Entry]) -> None:
        self.entries = list(entries)
