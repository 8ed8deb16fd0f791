"""Accepted streams that have not shown who they are: how many there may be, in all and of one
address.

Whoever can reach the port can be a stranger, so this is what an outsider can make a node hold.
Members are not counted: a hundred nodes of one host may be linked, and join at once.
"""

from __future__ import annotations

from collections import Counter

from vines.config import Config
from vines.net.sockets import is_loopback


class Strangers:
    """Counts of strangers. The loopback has no cap of its own: all of one machine share it."""

    def __init__(self, config: Config) -> None:
        self._total_max = config.strangers_max
        self._address_max = config.strangers_per_address_max
        self._total = 0
        self._hosts: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._total

    def room(self, host: str) -> bool:
        """Whether one more from this address is welcome."""
        if self._total >= self._total_max:
            return False
        return is_loopback(host) or self._hosts[host] < self._address_max

    def arrive(self, host: str) -> None:
        """One more."""
        self._total += 1
        self._hosts[host] += 1

    def depart(self, host: str) -> None:
        """One less: it is gone, or no stranger any more."""
        self._total -= 1
        self._hosts[host] -= 1
        assert self._hosts[host] >= 0, "more have gone than came"
        if not self._hosts[host]:
            del self._hosts[host]
