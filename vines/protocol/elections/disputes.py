"""Disputes: callers who do not agree, or are too many, and what else users have to settle.

Nobody may choose among callers, so users are told: once of each topic and round, as long as that
lasts. It must not know what comes of it.
"""

from __future__ import annotations

from vines.events import Conflict
from vines.protocol.elections.callers import Callers
from vines.protocol.elections.records import Key
from vines.protocol.machine import Outbox


class Disputes:
    """Those that one node has seen."""

    def __init__(self, me: bytes, callers: Callers, outbox: Outbox) -> None:
        self._me = me
        self._callers = callers
        self._outbox = outbox
        self._told: set[Key] = set()

    def __contains__(self, key: Key) -> bool:
        return key in self._told

    def tell(self, key: Key, text: str) -> None:
        """Say so, unless something was said of this before."""
        if key not in self._told:
            self._told.add(key)
            self._outbox.emit(Conflict("election", f"{key[0]!r}: {text}"))

    def count(
        self, key: Key, total: int, callers: frozenset[bytes], alive: frozenset[bytes]
    ) -> None:
        """Say so if more call than an electorate takes, or not all among the same number."""
        others = self._callers.others(key, total, alive)
        if len(callers) > total:
            names = ", ".join(sorted([caller.hex()[:8] for caller in callers]))
            self.tell(key, f"{len(callers)} members call, {total} are wanted: {names}")
        elif others - {self._me}:
            names = ", ".join(sorted([caller.hex()[:8] for caller in others]))
            self.tell(key, f"called among {total} here, among another number by {names}")

    def forget(self, key: Key) -> None:
        """It is decided."""
        self._told.discard(key)
