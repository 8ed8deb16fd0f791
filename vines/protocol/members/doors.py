"""Doors: addresses that several live members say are theirs.

Whoever dials there reaches one of them, and the others cannot be found: a port that is forwarded to
one of several machines, or an advertised address that was copied. All members are told, those
who share it among them. It must not know records, links or dialling.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines.hints import Final
from vines.protocol.machine import Address

SHARED_SECONDS: Final = 20.0
"""After this it is looked whether an address is still shared: who starts where another one vanished
without a word is beside it until that one is found to be dead."""
SHARED_MAX: Final = 64
"""Addresses that are watched at once."""


class Doors:
    """Who shares an address; `sharing` says who listens there, `tell` that it is so."""

    def __init__(
        self,
        sharing: Callable[[Address], list[bytes]],
        tell: Callable[[list[bytes], Address], None],
    ) -> None:
        self._sharing = sharing
        self._tell = tell
        self._due: dict[Address, float] = {}

    def look(self, address: Address, now: float) -> None:
        """Somebody says that it listens there."""
        if len(self._due) < SHARED_MAX and len(self._sharing(address)) > 1:
            self._due.setdefault(address, now + SHARED_SECONDS)

    def advance(self, now: float) -> None:
        """Tell of those that are shared still."""
        for address, due in list(self._due.items()):
            if due <= now:
                del self._due[address]
                members = self._sharing(address)
                if len(members) > 1:
                    self._tell(members, address)

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        return min(self._due.values(), default=inf)
