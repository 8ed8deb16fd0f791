"""What a peer holds, as a dict: the oracle of the compiled Progress, without an arrival log."""

from __future__ import annotations

from typing import Protocol

from .forms import FIRST, LAST
from .reading import read_vector


class Counters(Protocol):
    """All that is asked of a table here."""

    counters: dict[bytes, int]
    retired: set[bytes]


class Progress:
    """What a peer surely holds, as a dict."""

    def __init__(self, table: Counters) -> None:
        self.table = table
        self.counters: dict[bytes, int] = {}
        self.ready = self.below_floor = self.doubtful = self.lacking = False
        self.barred = False

    def idle(self) -> bool:
        mine = self.table.counters.items()
        return not self.ready or all(
            self.known_of(source) >= counter or source in self.table.retired
            for source, counter in mine
        )

    def known_of(self, source: bytes) -> int:
        return self.counters.get(source, 0)

    def assume_equal(self) -> None:
        self.counters, self.ready, self.barred = dict(self.table.counters), True, False

    def read_page(self, page: bytes, offset: int = 0) -> bool:
        mark, items = read_vector(page, offset)
        if mark & FIRST:
            self.counters, self.ready, self.below_floor = {}, False, False
            self.lacking = False
        for source, counter in items:
            self.note_retired(source, counter)
            self.counters[source] = max(self.known_of(source), counter)
        self.ready |= bool(mark & LAST)
        self.below_floor |= bool(mark & LAST) and self.lacking
        if mark & LAST:
            self.barred = self.lacking
        return bool(mark & LAST)

    def rewind(self, page: bytes, offset: int = 0) -> None:
        _, items = read_vector(page, offset)
        self.lacking = False
        for source, counter in items:
            self.note_retired(source, counter)
            self.counters[source] = min(self.known_of(source), counter)
        self.barred |= self.lacking
        self.below_floor = self.barred

    def note_retired(self, source: bytes, counter: int) -> None:
        """Who holds less of a retired source than there is, of which nothing is sent, joins."""
        if source in self.table.retired:
            self.lacking |= counter < self.table.counters[source]
