"""Ring: who is whose neighbour, in the order of the node ids.

Everybody knows it without a word. So each member has one who probes it often, whatever the size of
the cluster, where chance alone leaves one in twenty unprobed for three intervals; and some look at
a suspect at once whose number does not depend on chance. Ids are random, so neighbours share no
rack and no switch. Observers are no part of it: what they say of others counts for nothing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable


class Ring:
    """The members around one node."""

    def __init__(self, own: bytes, everybody: Callable[[], Iterable[bytes]]) -> None:
        self._own = own
        self._everybody = everybody
        self._others: list[bytes] = []
        """In their order, as they were when that was last asked."""
        self._stale = True

    def changed(self) -> None:
        """Somebody came or went."""
        self._stale = True

    def next(self) -> bytes | None:
        """Who comes after this node; None if there is nobody else."""
        others = self._in_order()
        if not others:
            return None
        return others[bisect_right(others, self._own) % len(others)]

    def is_near(self, member: bytes, count: int) -> bool:
        """Whether this node is one of the `count` on either side of a member."""
        others = self._in_order()
        low, high = sorted((self._own, member))
        first, last = bisect_right(others, low), bisect_left(others, high)
        at = bisect_left(others, member)
        known = at < len(others) and others[at] == member
        between = last - first
        return between < count or len(others) - known - between < count

    def _in_order(self) -> list[bytes]:
        if self._stale:
            self._stale = False
            self._others = sorted(self._everybody())
        return self._others
