"""Rounds: in what order members are probed.

Everybody once a round, each round in another order, and newcomers somewhere in what is left of it:
so a failed member is probed by every other within two rounds (Das, Gupta, Motivala, SWIM, DSN 2002,
section 4.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from vines.hints import TYPE_CHECKING

if TYPE_CHECKING:
    import random


class Rounds:
    """A shuffled round robin over members that come and go."""

    def __init__(self, rng: random.Random, everybody: Callable[[], Iterable[bytes]]) -> None:
        self._rng = rng
        self._everybody = everybody
        self._left: list[bytes] = []

    def next(self, may: Callable[[bytes], bool]) -> bytes | None:
        """Whom to probe next; None if there is nobody whom one may probe."""
        for _ in range(2):
            while self._left:
                member = self._left.pop()
                if may(member):
                    return member
            self._left = list(self._everybody())
            self._rng.shuffle(self._left)
        return None

    def drop(self, member: bytes) -> None:
        """Somebody went: a round must not grow by all who come and go meanwhile."""
        if member in self._left:
            self._left.remove(member)

    def add(self, member: bytes) -> None:
        """Somebody came: it has its turn in this round."""
        if member not in self._left:
            self._left.insert(self._rng.randint(0, len(self._left)), member)
