"""Others: the second half of the reconnection rule, links to members that were not lost.

In a small cluster everybody is linked to everybody; above that, links that are missing go to
members chosen at random. A member that could not be reached rests for a doubling while. Addresses
hinted at by a peer that had no room are tried once each, while there is no link at all. It must
not know frames, tables or sockets.
"""

from __future__ import annotations

from math import inf

from vines.config import Config
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.links.losses import pause
from vines.protocol.links.seeds import SLOW_SECONDS
from vines.protocol.machine import Address

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

HINTS_MAX: Final = 16
FAILURES_FREE: Final = 16
"""Dials that may come to nothing at once: as many as are under way."""
FAILURES_RATE: Final = 4.0
"""Such dials a second after that, about as many as where nobody answers at all: whoever names
thousands of members must not have this node knock at thousands of doors."""
UNREACHED_TRIES: Final = 4
UNREACHED_SECONDS: Final = 20.0
"""How long somebody must be out of reach to be accused for the first time."""
ACCUSED_MAX: Final = 1000
YIELD_SECONDS: Final = 0.25
"""How long the higher node id waits before a first dial, so that two seldom dial each other."""


class Rest:
    """A member that is not dialled before a time."""

    __slots__ = ("due", "since", "tries")

    def __init__(self, due: float, tries: int = 0, since: float = inf) -> None:
        self.due = due
        self.tries = tries
        self.since = since
        """When it could not be reached for the first time."""


class Others:
    """Who may be dialled next, and when it is worth looking."""

    def __init__(self, config: Config, rng: random.Random, own: bytes) -> None:
        self._config = config
        self._rng = rng
        self._own = own
        self._rests: dict[bytes, Rest] = {}
        self._patience: dict[bytes, float] = {}
        self._hints: dict[Address, None] = {}
        self._failures = 0.0
        self._failed = 0.0
        """When a dial last came to nothing, and how many had then that were not made up for."""
        self.review = inf
        """When `choose` is worth calling."""

    def changed(self, now: float) -> None:
        """Members or links changed."""
        self.review = min(self.review, now)

    def hint(self, addresses: tuple[Address, ...]) -> None:
        """A peer that has no room for us names others."""
        for address in addresses:
            if len(self._hints) < HINTS_MAX:
                self._hints[address] = None

    def take_hint(self) -> Address | None:
        """One of the addresses hinted at; it is not given out again."""
        if not self._hints:
            return None
        address = self._rng.choice(list(self._hints))
        del self._hints[address]
        return address

    def linked(self, member: bytes) -> None:
        """A link to this member is up; a later dial is a first one."""
        self._rests.pop(member, None)
        self._patience.pop(member, None)

    def forget(self, member: bytes) -> None:
        """It is dead or gone: nobody dials it for a link."""
        self._rests.pop(member, None)

    def rest(self, member: bytes, now: float, *, slow: bool) -> Rest:
        """Do not dial it for a while; `slow` if the reason will not pass at once."""
        rest = self._rests.setdefault(member, Rest(now))
        first = self._config.reconnect_delay_max
        rest.due = now + first / 2 + pause(self._rng, first, first * 8, rest.tries)
        if slow:
            rest.due = now + SLOW_SECONDS
        rest.tries += 1
        self.review = min(self.review, rest.due)
        return rest

    def failed(self, member: bytes, now: float, *, slow: bool) -> bool:
        """A dial to this member came to nothing; True if it is to be held dead for that."""
        self._failures, self._failed = self._owed(now) + 1.0, now
        rest = self.rest(member, now, slow=slow)
        rest.since = min(rest.since, now)
        if rest.tries < UNREACHED_TRIES or not self.outlasts(member, rest.since, now):
            return False
        del self._rests[member]
        return True

    def alive(self, member: bytes) -> None:
        """Somebody answered where it listens: what failed before was no sign."""
        self._rests.pop(member, None)

    def suspects(self, now: float) -> list[bytes]:
        """Who could not be reached before and may be dialled again."""
        rests = self._rests.items()
        return [member for member, rest in rests if rest.since < inf and rest.due <= now]

    def outlasts(self, member: bytes, since: float, now: float) -> bool:
        """Whether it was out of reach for as long as it takes; next time it takes twice that."""
        patience = self._patience.get(member, UNREACHED_SECONDS)
        if now - since < patience:
            return False
        self._patience.pop(member, None)
        self._patience[member] = max(patience, now - since) * 2.0
        if len(self._patience) > ACCUSED_MAX:
            del self._patience[next(iter(self._patience))]
        return True

    def choose(
        self, unlinked: Mapping[bytes, Address], count: int, now: float, *, mesh: bool
    ) -> list[bytes]:
        """Up to `count` members to dial, at random; in a mesh the lower id of two dials first."""
        room = FAILURES_FREE - self._owed(now)
        if room < 1.0:
            self.review = now + (1.0 - room) / FAILURES_RATE
            return []
        count = min(count, int(room))
        if mesh:
            for member in unlinked:
                first = now + YIELD_SECONDS if self._own > member else now
                self._rests.setdefault(member, Rest(first))
        rests = self._rests
        waiting = [
            rest.due for member, rest in rests.items() if rest.due > now and member in unlinked
        ]
        self.review = min(waiting, default=inf)
        ready = list(unlinked)
        if waiting:
            ready = [each for each in ready if each not in rests or rests[each].due <= now]
        return self._rng.sample(ready, max(0, min(count, len(ready))))

    def _owed(self, now: float) -> float:
        """Dials that came to nothing and are not made up for by time."""
        return max(0.0, self._failures - (now - self._failed) * FAILURES_RATE)
