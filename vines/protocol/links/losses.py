"""Losses: the first half of the reconnection rule, for peers whose links broke.

A lost peer is dialled again with a doubling pause drawn evenly from nothing to its bound (full
jitter: Brooker, Exponential Backoff and Jitter, 2015), a bounded number of times; only after that
may another take its place. Dials that were refused are evidence: enough of them, or every try in
vain, and the peer is reported gone. It must not know frames, tables or sockets.
"""

from __future__ import annotations

from math import inf

from vines.config import Config
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.machine import Address

if TYPE_CHECKING:
    import random

LOST_MAX: Final = 1024
"""Peers dialled again at once; more are left to the choice of others."""
STABLE_SECONDS: Final = 5.0
"""A link that broke sooner continues its predecessor's count, so that flapping slows down."""
ABSENT_SECONDS: Final = 2.0
"""How long a peer that nobody can dial has to come back: its first four tries take 0.75 s."""


def pause(rng: random.Random, first: float, most: float, tries: int) -> float:
    """The pause after this many tries: even from 0 to a bound that doubles with each."""
    return rng.uniform(0.0, min(most, first * 2.0 ** min(tries, 32)))


class Loss:
    """A peer that is being dialled again."""

    __slots__ = ("address", "due", "failed", "refused", "tries")

    def __init__(self, address: Address | None, due: float, tries: int) -> None:
        self.address = address
        self.due = due
        self.tries = tries
        """Dials so far, those of a predecessor that did not last included."""
        self.failed = 0
        self.refused = 0


class Losses:
    """The peers whose links broke, until they are found, given up or proved gone."""

    def __init__(self, config: Config, rng: random.Random) -> None:
        self._config = config
        self._rng = rng
        self._losses: dict[bytes, Loss] = {}
        self._tries: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._losses)

    def __contains__(self, member: bytes) -> bool:
        return member in self._losses

    def lose(
        self,
        member: bytes,
        address: Address | None,
        now: float,
        *,
        lived: float,
        grace: float = 0.0,
    ) -> None:
        """A link broke that had been up for `lived` seconds; dial no sooner than after `grace`."""
        tries = self._tries.pop(member, 0)
        if len(self._losses) >= LOST_MAX:
            return
        loss = Loss(address, now + ABSENT_SECONDS, tries if lived < STABLE_SECONDS else 0)
        if address is not None:
            loss.due = now + grace + self._pause(loss.tries)
        self._losses[member] = loss

    def find(self, member: bytes) -> None:
        """A link to it is up again, whoever dialled."""
        loss = self._losses.pop(member, None)
        if loss is not None and loss.tries:
            self._tries[member] = loss.tries

    def forget(self, member: bytes) -> None:
        """It left, or somebody else proved it gone, or it is alive and does not want us."""
        self._losses.pop(member, None)
        self._tries.pop(member, None)

    def move(self, member: bytes, address: Address | None) -> None:
        """It says that it listens elsewhere now."""
        loss = self._losses.get(member)
        if loss is not None and address is not None:
            loss.address = address

    def due(self, now: float) -> list[tuple[bytes, Address | None]]:
        """Who is to be dialled now; without an address, its time to come back is over.

        The caller answers each with `dialled`, `fail` or `forget`.
        """
        losses = self._losses.items()
        return [(member, loss.address) for member, loss in losses if loss.due <= now]

    def dialled(self, member: bytes) -> None:
        """A dial is under way."""
        loss = self._losses[member]
        loss.tries += 1
        loss.due = inf

    def fail(self, member: bytes, *, refused: bool, now: float) -> bool:
        """A dial came to nothing; True if that proves the peer gone (it is forgotten then)."""
        loss = self._losses.get(member)
        if loss is None:
            return False
        loss.failed += 1
        loss.refused += refused
        tries = self._config.reconnect_tries
        proved = loss.refused >= self._config.reconnect_refusals or loss.failed >= tries
        if proved or loss.tries >= tries:
            del self._losses[member]
        else:
            loss.due = now + self._pause(loss.tries)
        return proved

    def postpone(self, member: bytes, now: float) -> None:
        """Somebody there says that a better stream is up: it will show, or it was not them."""
        loss = self._losses.get(member)
        if loss is not None:
            loss.due = now + self._pause(loss.tries)

    def deadline(self) -> float:
        """When `due` has something; infinity if never."""
        if not self._losses:
            return inf
        return min((loss.due for loss in self._losses.values()), default=inf)

    def _pause(self, tries: int) -> float:
        config = self._config
        return pause(self._rng, config.reconnect_delay, config.reconnect_delay_max, tries)
