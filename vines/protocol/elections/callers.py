"""Callers: who calls for what; among them the voters are found of elections that name none."""

from __future__ import annotations

from typing import Final, TypeAlias

from vines._core.table import CALL, TOMBSTONE, Table
from vines.errors import WireError
from vines.protocol.elections.records import Key, call_key, call_value, read_call
from vines.protocol.elections.remembering import FEW, remembered

Calls: TypeAlias = frozenset[tuple[bytes, int]]
"""Who calls, each among how many. Members call for many elections together, so equal sets are one
object, and what follows from one is remembered.
"""

One: TypeAlias = tuple[bytes, int]
"""A member that calls, and among how many; 0: it no longer does."""
NOBODY: Final[Calls] = frozenset()
NONE: Final[frozenset[bytes]] = frozenset()


class Callers:
    """The calls in the control table. `me`: this node, which says there what it calls itself."""

    def __init__(self, me: bytes, boot: int, control: Table) -> None:
        self._me = me
        self._control = control
        self._calls = boot << 32
        """The stamp of the last call: each start's are higher than those of the one before."""
        self._known: dict[Key, Calls] = {}
        # What was asked last, and found: of many elections the same is asked in turn.
        self._before = self._after = self._calling = NOBODY
        self._member = b""
        self._one: One = (b"", 0)
        self._total = self._among = -1
        self._alive = self._found = NONE

    def announce(self, key: Key, total: int) -> None:
        """Say that this node calls for it; 0: that it no longer does."""
        self._calls += 1
        flags, value = (0, call_value(total)) if total else (TOMBSTONE, b"")
        self._control.put(CALL, call_key(self._me, key), flags, value, self._calls)
        known = self._known.pop(key, NOBODY)  # what is put is under the key that all here has
        self._set(key, self._with_one(known, self._me, total))

    def read(
        self, key: bytes, value: bytes, flags: int, calls: dict[Key, One | dict[bytes, int]]
    ) -> None:
        """A record became current: note in `calls` what it says. It may be none of ours. Who is
        alone there is noted as a pair, for most are, and it is the same pair for many elections.
        """
        try:
            member, about, total = read_call(key, value)
        except WireError:
            return
        said = 0 if flags & TOMBSTONE else total
        one = self._one
        if one[0] != member or one[1] != said:
            self._one = one = (member, said)
        held = calls.setdefault(about, one)
        if held is one:
            return
        if isinstance(held, tuple):
            calls[about] = held = {held[0]: held[1]}
        held[member] = said

    def note(self, key: Key, calls: One | dict[bytes, int]) -> Calls:
        """These members call among so many, or (0) no longer do; who calls then."""
        known = self._known.get(key, NOBODY)
        if isinstance(calls, tuple):
            after = self._with_one(known, calls[0], calls[1])
        else:
            after = _all_noted(known, calls)
        self._set(key, after)
        return after

    def _with_one(self, known: Calls, member: bytes, total: int) -> Calls:
        if known is not self._before or member != self._member or total != self._total:
            self._before, self._member, self._total = known, member, total
            self._after = _noted(known, member, total)
        return self._after

    def _set(self, key: Key, callers: Calls) -> None:
        if callers:
            self._known[key] = callers
        else:
            self._known.pop(key, None)

    def forget(self, key: Key) -> None:
        """It is decided: nobody asks any more who called."""
        self._known.pop(key, None)

    def of(self, key: Key) -> Calls:
        """Who calls for it, alive or not, among whatever number."""
        return self._known.get(key, NOBODY)

    def candidates(self, known: Calls, total: int, alive: frozenset[bytes]) -> frozenset[bytes]:
        """Those of them who call among so many, and live."""
        if known is not self._calling or total != self._among or alive is not self._alive:
            self._calling, self._among, self._alive = known, total, alive
            self._found = _candidates(known, total, alive)
        return self._found

    def others(self, key: Key, total: int, alive: frozenset[bytes]) -> frozenset[bytes]:
        """Those who call for it among another number, and live."""
        return _others(self._known.get(key, NOBODY), total, alive)


def total_of(member: bytes, calls: One | dict[bytes, int]) -> int:
    """Among how many a member calls, by what was noted; 0 if it does not."""
    if isinstance(calls, tuple):
        return calls[1] if calls[0] == member else 0
    return calls.get(member, 0)


@remembered(FEW, 1024)
def _noted(known: Calls, member: bytes, total: int) -> Calls:
    return _all_noted(known, {member: total})


def _all_noted(known: Calls, calls: dict[bytes, int]) -> Calls:
    others = frozenset(each for each in known if each[0] not in calls)
    return others | {call for call in calls.items() if call[1]}


@remembered(FEW, 1024)
def _candidates(known: Calls, total: int, alive: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(member for member, wanted in known if wanted == total and member in alive)


@remembered(FEW, 1024)
def _others(known: Calls, total: int, alive: frozenset[bytes]) -> frozenset[bytes]:
    return frozenset(member for member, wanted in known if wanted != total and member in alive)
