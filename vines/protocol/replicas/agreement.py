"""Since when all the living are seen to hold what this node holds."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines.hints import Final
from vines.protocol.members.identity import Identity
from vines.protocol.members.membership import Membership
from vines.protocol.wire.messages import TABLES

GONE_MAX: Final = 64
"""Members remembered beyond those that are alive; of more, all that are gone are forgotten."""


class Agreement:
    """When each member last was seen to hold the same as this node, to the digest: then it covers
    what this node covers.
    """

    def __init__(
        self, identity: Identity, members: Membership, linked: Callable[[bytes], bool]
    ) -> None:
        self._identity = identity
        self._members = members
        self._linked = linked
        self._seen: dict[bytes, float] = {}
        self._tables: tuple[dict[bytes, float], ...] = tuple({} for _ in TABLES)
        """The same of either table alone."""

    def saw(self, member: bytes, now: float) -> None:
        """Its digest was ours."""
        self._seen[member] = now
        self._bound(self._seen)

    def compared(self, member: bytes, table: int, now: float) -> None:
        """Its fingerprint of a table was ours."""
        seen = self._tables[table]
        seen[member] = now
        self._bound(seen)
        both = min(each.get(member, -inf) for each in self._tables)
        if both > self._seen.get(member, -inf):
            self.saw(member, both)

    def since(self) -> float:
        """When the one of the living was seen so whose last time is the longest ago: all cover what
        was held here before. Who cannot be probed does not count: if it lacks something, it will
        join. To who does not listen itself, only those count that it is linked to: nobody else ever
        tells it, and all that comes to it comes from them.
        """
        living = list(self._members.candidates(observers=True))
        if self._identity.profile.address is None:
            living = [member for member in living if self._linked(member)]
        return min((self._seen.get(member, -inf) for member in living), default=inf)

    def _bound(self, seen: dict[bytes, float]) -> None:
        living = self._members.candidates(observers=True)
        if len(seen) > len(living) + GONE_MAX:
            for member in [each for each in seen if each not in living]:
                del seen[member]
