"""A version vector as a dict: the oracle of vines._core.vector."""

from __future__ import annotations

from collections.abc import Iterator

from .forms import LAST, write_vector
from .reading import read_vector


class VersionVector:
    """The same observable behaviour as the compiled one, in the plainest Python there is."""

    def __init__(self, key: bytes = bytes(16)) -> None:
        self.counters: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self.counters)

    def __contains__(self, source: object) -> bool:
        return source in self.counters

    def __eq__(self, other: object) -> bool:
        return isinstance(other, VersionVector) and self.counters == other.counters

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.counters)

    def get(self, source: bytes) -> int:
        return self.counters.get(source, 0)

    def raise_to(self, source: bytes, counter: int) -> bool:
        if counter <= self.counters.get(source, -1):
            return False
        self.counters[source] = counter
        return True

    def items(self) -> list[tuple[bytes, int]]:
        return list(self.counters.items())

    def copy(self) -> VersionVector:
        copy = VersionVector()
        copy.counters = dict(self.counters)
        return copy

    def merge(self, other: VersionVector) -> None:
        for source, counter in other.counters.items():
            self.raise_to(source, counter)

    def dominates(self, other: VersionVector) -> bool:
        return all(self.get(source) >= counter for source, counter in other.counters.items())

    def compare(self, other: VersionVector) -> str:
        mine, theirs = self.dominates(other), other.dominates(self)
        return {(1, 1): "equal", (0, 1): "before", (1, 0): "after"}.get(
            (mine, theirs), "concurrent"
        )

    def need(self, other: VersionVector) -> list[tuple[bytes, int, int]]:
        pairs = [(source, self.get(source), theirs) for source, theirs in other.counters.items()]
        return [(source, mine, theirs) for source, mine, theirs in pairs if theirs > mine]

    def have(self, other: VersionVector) -> list[tuple[bytes, int, int]]:
        return [(source, mine, theirs) for source, theirs, mine in other.need(self)]

    def encode(self) -> bytes:
        return bytes(write_vector(self.items()).data)

    def merge_page(self, page: bytes, offset: int = 0) -> bool:
        mark, items = read_vector(page, offset)
        for source, counter in items:
            self.raise_to(source, counter)
        return bool(mark & LAST)
