"""Dials: what one is for, what the rule of dialling wants done, and what it asks of the world."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from math import inf

from vines.frozen import Frozen
from vines.hints import Final, Protocol
from vines.protocol.machine import Address
from vines.protocol.members.directory import Directory

SEED: Final = "seed"
"""To an address the user gave."""
SAME: Final = "same"
"""To a peer whose link broke."""
OTHER: Final = "other"
"""To a member to be linked to."""
HINT: Final = "hint"
"""To somebody who may have room."""
HEAL: Final = "heal"
"""To somebody held dead."""
ERRAND: Final = "errand"
"""To a member that is not linked, to tell it something."""
PROBE: Final = "probe"
"""To a member that is not linked, to see whether anybody answers; the stream is closed at once."""
CHECK: Final = "check"
"""To a suspect, linked or not, to see whether its machine answers; closed at once, too."""


DIALS_MAX: Final = 16
"""Dials under way beside those to lost peers: bounds what a list of dead addresses can cost."""


class Attempt(Frozen):
    """One dial under way; `member` is who is expected there, None for whoever answers."""

    ticket: int
    address: Address
    member: bytes | None
    purpose: str
    since: float


class Plan:
    """What `due` wants done."""

    __slots__ = ("dials", "gone")

    def __init__(self) -> None:
        self.dials: list[Attempt] = []
        self.gone: list[bytes] = []


class Attempts:
    """The dials under way: those without a stream yet, and those that are shaking hands."""

    def __init__(self) -> None:
        self.count = 0
        """Dials asked for so far: the last one's ticket."""
        self._dialling: dict[int, Attempt] = {}
        self._greeting: dict[int, Attempt] = {}

    def __iter__(self) -> Iterator[Attempt]:
        return chain(self._dialling.values(), self._greeting.values())

    def begin(self, address: Address, member: bytes | None, purpose: str, now: float) -> Attempt:
        """A new dial."""
        self.count += 1
        attempt = Attempt(self.count, address, member, purpose, now)
        self._dialling[attempt.ticket] = attempt
        return attempt

    def take(self, ticket: int) -> Attempt | None:
        """The attempt of a ticket, once: its stream is up, or there is none."""
        attempt = self._dialling.pop(ticket, None)
        if attempt is not None:
            self._greeting[ticket] = attempt
        return attempt

    def end(self, attempt: Attempt) -> None:
        """It is known what came of it."""
        self._dialling.pop(attempt.ticket, None)
        self._greeting.pop(attempt.ticket, None)

    def late(self, since: float) -> list[Attempt]:
        """Those that still have no stream and began at or before a time."""
        if self.oldest() > since:
            return []
        return [attempt for attempt in self._dialling.values() if attempt.since <= since]

    def oldest(self) -> float:
        """When the first of those that have no stream began; infinity if there is none."""
        for attempt in self._dialling.values():
            return attempt.since  # they stand in the order of their beginning
        return inf

    def to(self, address: Address) -> bool:
        """Whether this address is being dialled."""
        if not (self._dialling or self._greeting):
            return False
        return any(attempt.address == address for attempt in self)

    def room(self) -> int:
        """How many more there may be beside those to lost peers."""
        if not (self._dialling or self._greeting):
            return DIALS_MAX
        return DIALS_MAX - sum(attempt.purpose != SAME for attempt in self)


class View(Protocol):
    """What the rule needs to know of the world, asked when it matters."""

    def linked(self, member: bytes) -> bool:
        """Whether a link to this member is up."""

    def link_count(self) -> int:
        """How many links are up."""

    def holder(self, address: Address) -> bytes | None:
        """The linked member that says it listens there."""

    def wanted(self) -> int | None:
        """How many links this node should have; None: one to everybody."""

    def address(self, member: bytes) -> Address | None:
        """Where a member that is alive listens."""

    def candidates(self) -> dict[bytes, Address]:
        """The members to choose links from, in a fixed order; it changes with the members."""

    def directory(self) -> Directory:
        """Who is alive or held dead, and where."""

    def addresses(self) -> list[Address]:
        """Where the linked members say they listen."""
