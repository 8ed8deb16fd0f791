"""Ring: who is whose neighbour, in the order of the node ids.

Everybody knows it without a word. So each member has one who probes it often, whatever the size of
the cluster, where chance alone leaves one in twenty unprobed for three intervals; and some look at
a suspect at once whose number does not depend on chance. Ids are random, so neighbours share no
rack and no switch. Observers are no part of it: what they say of others counts for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable


class Ring:
    """The members around one node."""

    def __init__(self, own: bytes, everybody: Callable[[], Iterable[bytes]]) -> None:
        self._own = own
        self._everybody = everybody
        self._next: bytes | None = None
        self._stale = True

    def changed(self) -> None:
        """Somebody came or went."""
        self._stale = True

    def next(self) -> bytes | None:
        """Who comes after this node; None if there is nobody else."""
        if self._stale:
            self._stale = False
            others = list(self._everybody())
            later = [each for each in others if each > self._own]
            self._next = min(later or others, default=None)
        return self._next

    def is_near(self, member: bytes, count: int) -> bool:
        """Whether this node is one of the `count` on either side of a member."""
        low, high = sorted((self._own, member))
        others = [each for each in self._everybody() if each != member]
        between = sum(low < each < high for each in others)
        return between < count or len(others) - between < count
