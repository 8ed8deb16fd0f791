"""Seeds: the addresses a user gave, dialled for ever until somebody there is linked.

A seed is an address, not a member: who answers there is learned from the handshake and may change
with every restart. An address that turns out to be this node's own is remembered and left alone.
It must not know frames, tables or sockets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from vines.config import Config
from vines.errors import InvalidAddress
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.links.losses import pause
from vines.protocol.machine import Address
from vines.spelling import is_address

if TYPE_CHECKING:
    import random

SEEDS_MAX: Final = 64
"""One is enough, three are safe; each costs a dial every few seconds while it is down."""
OWN_MAX: Final = 16
"""Addresses remembered as this node's own."""
FIRST_PAUSE: Final = 0.1
SLOW_SECONDS: Final = 30.0
"""Before somebody is dialled again who said no for a reason that will not pass at once."""


class Seed:
    """One address given by the user."""

    __slots__ = ("due", "member", "tries")

    def __init__(self, due: float, tries: int = 0, member: bytes | None = None) -> None:
        self.due = due
        self.tries = tries
        self.member = member
        """Who answered there last."""


class Seeds:
    """All of them, and the addresses that are our own."""

    def __init__(self, config: Config, rng: random.Random) -> None:
        self._config = config
        self._rng = rng
        self._seeds: dict[Address, Seed] = {}
        self._own: dict[Address, None] = {}

    def add(self, addresses: list[Address], now: float) -> None:
        """Dial these too. InvalidAddress, before anything changed."""
        for address in addresses:
            if not is_address(address):
                raise InvalidAddress(f"{address!r} cannot be dialled: a host and a port 1-65535")
        fresh = [(host, port) for host, port in addresses if (host, port) not in self._seeds]
        if len(self._seeds) + len(set(fresh)) > SEEDS_MAX:
            raise InvalidAddress(f"at most {SEEDS_MAX} seeds: any one that answers is enough")
        for address in fresh:
            self._seeds[address] = Seed(now)

    def is_own(self, address: Address) -> bool:
        """Whether dialling this address would reach this node."""
        return address in self._own

    def owned(self) -> Iterable[Address]:
        """The addresses of this node."""
        return self._own

    def own(self, address: Address) -> None:
        """This address is ours: a hello of ours came back from it, or we listen there."""
        if len(self._own) < OWN_MAX:
            self._own[address] = None

    def disown(self, address: Address) -> None:
        """This node does not listen there any more."""
        self._own.pop(address, None)

    def due(self, now: float, reached: Callable[[Address, Seed], bool]) -> list[Address]:
        """The seeds to dial now; `reached` tells of one that needs no dial, and is asked again."""
        chosen = []
        for address, seed in self._seeds.items():
            if seed.due > now or address in self._own:
                continue
            if reached(address, seed):
                seed.due = now + self._config.seed_delay_max
                seed.tries = 0
            else:
                chosen.append(address)
        return chosen

    def dialled(self, address: Address) -> None:
        """A dial is under way."""
        self._seeds[address].due = inf

    def answered(self, address: Address, member: bytes, now: float) -> None:
        """The member who answered there is linked."""
        seed = self._seeds.get(address)
        if seed is not None:
            seed.member, seed.tries = member, 0
            seed.due = now + self._config.seed_delay_max

    def failed(self, address: Address, *, slow: bool, now: float) -> None:
        """A dial came to nothing; `slow` if the reason will not pass at once."""
        seed = self._seeds.get(address)
        if seed is None:
            return
        seed.tries += 1
        bound = min(self._config.seed_delay_max, FIRST_PAUSE * 2.0 ** min(seed.tries, 32))
        # Between half the bound and the bound: a seed that is down is not hammered.
        seed.due = now + bound / 2 + pause(self._rng, bound / 2, bound / 2, 0)
        if slow:
            seed.due = now + max(self._config.seed_delay_max, SLOW_SECONDS)

    def retry(self, address: Address, now: float) -> None:
        """A dial was given up before it could tell anything."""
        seed = self._seeds.get(address)
        if seed is not None:
            seed.due = now + self._config.seed_delay_max

    def lost(self, member: bytes, now: float) -> None:
        """The link to this member is gone for good: its seed is looked at again at once."""
        for seed in self._seeds.values():
            if seed.member == member and seed.due != inf:
                seed.due = min(seed.due, now)

    def deadline(self) -> float:
        """When `due` may have something; infinity if never."""
        seeds = self._seeds.items()
        return min((seed.due for each, seed in seeds if each not in self._own), default=inf)
