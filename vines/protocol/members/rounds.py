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
        self._awaited: set[bytes] = set()
        """The same, to look up."""

    def next(self, may: Callable[[bytes], bool]) -> bytes | None:
        """Whom to probe next; None if there is nobody whom one may probe."""
        for _ in range(2):
            while self._left:
                member = self._left.pop()
                self._awaited.discard(member)
                if may(member):
                    return member
            self._left = list(self._everybody())
            self._awaited = set(self._left)
            self._rng.shuffle(self._left)
        return None

    def drop(self, member: bytes) -> None:
        """Somebody went: a round must not grow by all who come and go meanwhile."""
        if member in self._awaited:
            self._awaited.discard(member)
            self._left.remove(member)

    def add(self, member: bytes) -> None:
        """Somebody came: it has its turn in this round."""
        if member not in self._awaited:
            self._awaited.add(member)
            # It changes places with one of them: the order is as random as it was.
            self._left.append(member)
            at = self._rng.randrange(len(self._left))
            self._left[at], self._left[-1] = self._left[-1], self._left[at]
