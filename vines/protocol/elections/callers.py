"""Callers: who calls for what; among them the voters are found of elections that name none."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from vines._core.changes import Changes
from vines._core.table import CALL, TOMBSTONE, Table
from vines.errors import WireError
from vines.protocol.elections.records import Key, call_key, call_value, read_call

NOBODY: Final[frozenset[tuple[bytes, int]]] = frozenset()
SHARED_MAX: Final = 64
"""Callers up to which equal sets are one object: larger ones must not outlive their use."""


class Callers:
    """The calls in the control table. `me`: this node, which says there what it calls itself."""

    def __init__(self, me: bytes, boot: int, control: Table) -> None:
        self._me = me
        self._control = control
        self._calls = boot << 32
        """The stamp of the last call: each start's are higher than those of the one before."""
        self._known: dict[Key, frozenset[tuple[bytes, int]]] = {}
        """(member, total) of those who call."""

    def announce(self, key: Key, total: int) -> None:
        """Say that this node calls for it; 0: that it no longer does."""
        self._calls += 1
        flags, value = (0, call_value(total)) if total else (TOMBSTONE, b"")
        self._control.put(CALL, call_key(self._me, key), flags, value, self._calls)
        self._note(key, {self._me: total})

    def learn(self, changes: Changes) -> set[Key]:
        """Records became current; returns what they are about."""
        touched: dict[Key, dict[bytes, int]] = {}
        for family, key, flags, value, _, _ in changes:
            if family != CALL:
                continue
            try:
                member, about, total = read_call(key, value)
            except WireError:
                continue
            touched.setdefault(about, {})[member] = 0 if flags & TOMBSTONE else total
        for about, calls in touched.items():
            self._note(about, calls)
        return set(touched)

    def _note(self, key: Key, calls: dict[bytes, int]) -> None:
        """These members call among so many, or (0) no longer do."""
        known = self._known.get(key, NOBODY)
        others = frozenset(each for each in known if each[0] not in calls)
        callers = others | {call for call in calls.items() if call[1]}
        if callers:
            self._known[key] = _one(callers) if len(callers) <= SHARED_MAX else callers
        else:
            self._known.pop(key, None)

    def forget(self, key: Key) -> None:
        """It is decided: nobody asks any more who called."""
        self._known.pop(key, None)

    def calling(self, key: Key) -> bool:
        """Whether this node calls for it, as others see it: in this life or in one before."""
        return any(member == self._me for member, _ in self._known.get(key, NOBODY))

    def candidates(self, key: Key, total: int, alive: frozenset[bytes]) -> frozenset[bytes]:
        """Those who call for it among so many, and live."""
        known = self._known.get(key, NOBODY)
        choose = _candidates if len(known) <= SHARED_MAX else _candidates.__wrapped__
        return choose(known, total, alive)

    def others(self, key: Key, total: int, alive: frozenset[bytes]) -> frozenset[bytes]:
        """Those who call for it among another number, and live."""
        return frozenset(
            member
            for member, wanted in self._known.get(key, NOBODY)
            if wanted != total and member in alive
        )

    def anybody(self, key: Key) -> bool:
        """Whether anybody calls for it."""
        return key in self._known


@lru_cache(maxsize=1024)
def _one(callers: frozenset[tuple[bytes, int]]) -> frozenset[tuple[bytes, int]]:
    """Equal sets are one object: members call for many elections together."""
    return callers


@lru_cache(maxsize=1024)
def _candidates(
    callers: frozenset[tuple[bytes, int]], total: int, alive: frozenset[bytes]
) -> frozenset[bytes]:
    return frozenset(member for member, wanted in callers if wanted == total and member in alive)
