"""What a peer holds, as a dict: the oracle of the compiled Progress, without an arrival log."""

from __future__ import annotations

from typing import Protocol

from .forms import FIRST, LAST
from .reading import read_vector


class Counters(Protocol):
    """All that is asked of a table here."""

    counters: dict[bytes, int]


class Progress:
    """What a peer surely holds, as a dict."""

    def __init__(self, table: Counters) -> None:
        self.table = table
        self.counters: dict[bytes, int] = {}
        self.ready = self.below_floor = self.doubtful = False

    @property
    def idle(self) -> bool:
        mine = self.table.counters.items()
        return not self.ready or all(self.known_of(source) >= counter for source, counter in mine)

    def known_of(self, source: bytes) -> int:
        return self.counters.get(source, 0)

    def assume_equal(self) -> None:
        self.counters, self.ready = dict(self.table.counters), True

    def read_page(self, page: bytes, offset: int = 0) -> bool:
        mark, items = read_vector(page, offset)
        if mark & FIRST:
            self.counters, self.ready, self.below_floor = {}, False, False
        for source, counter in items:
            self.counters[source] = max(self.known_of(source), counter)
        self.ready |= bool(mark & LAST)
        return bool(mark & LAST)

    def rewind(self, page: bytes, offset: int = 0) -> None:
        _, items = read_vector(page, offset)
        for source, counter in items:
            self.counters[source] = min(self.known_of(source), counter)
