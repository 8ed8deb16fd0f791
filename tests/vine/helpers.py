from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from vines._core.changes import Change, Changes
from vines._core.table import DATA, TOMBSTONE, Table
from vines.callbacks.listeners import Listener
from vines.callbacks.telling import Teller
from vines.values.codec import pack

PATIENCE = 20.0
"""Seconds after which a test that waits has failed; nothing here takes a tenth of it."""

ELSEWHERE = b"e" * 16


def table(source: bytes = b"s" * 16) -> Table:
    return Table(source, b"f" * 16, b"i" * 16)


def change(key: str, value: Any, stamp: int, origin: bytes = ELSEWHERE) -> Change:
    """What a node would hand over for this record."""
    if value is DELETED:
        return (DATA, key.encode(), TOMBSTONE, b"", stamp, origin)
    return (DATA, key.encode(), 0, pack(value), stamp, origin)


class Deleted:
    """Stands for no value."""


DELETED = Deleted()


class Far:
    """Another node's table, to write to, whose changes a table here can be given."""

    def __init__(self, near: Table, source: bytes = ELSEWHERE) -> None:
        self.near = near
        self.table = table(source)
        self._sent = self.near.vector()

    def write(self, *pairs: tuple[str, Any]) -> Changes:
        """Write there, apply here; what a node would hand over."""
        for key, value in pairs:
            flags, packed = (TOMBSTONE, b"") if value is DELETED else (0, pack(value))
            self.table.write(key.encode(), flags, packed, self.near.clock)
        return self.send()

    def write_raw(self, key: bytes, packed: bytes) -> Changes:
        self.table.write(key, 0, packed, self.near.clock)
        return self.send()

    def send(self) -> Changes:
        changes = Changes()
        while True:
            delta = self.table.delta_for(self._sent, 1 << 20)
            if delta is None:
                return changes
            assert self.near.apply(delta, 0, None, 0, changes) == []
            self._sent = self.near.vector()


class Near:
    """A table and another node's, a teller, and what it tells of values and their lapses."""

    def __init__(self) -> None:
        self.table = table()
        self.far = Far(self.table)
        self.teller = Teller(self.table)
        self.told: list[Any] = []
        for event in ("gossip", "lapse"):
            listener = Listener(event, None, self.told.append)
            self.teller.audience = self.teller.audience.with_one(listener)


class Calls:
    """A callback that notes what it was called with, and lets a test wait for it."""

    def __init__(self, then: Callable[[Any], object] | None = None) -> None:
        self.seen: list[Any] = []
        self._then = then
        self._changed = threading.Condition()

    def __call__(self, argument: Any) -> None:
        with self._changed:
            self.seen.append(argument)
            self._changed.notify_all()
        if self._then is not None:
            self._then(argument)

    def wait(self, count: int = 1) -> list[Any]:
        """The first so many arguments."""
        self.until(lambda seen: len(seen) >= count)
        return self.seen[:count]

    def until(self, enough: Callable[[list[Any]], object]) -> list[Any]:
        with self._changed:
            assert self._changed.wait_for(lambda: enough(self.seen), PATIENCE), self.seen[-10:]
            return list(self.seen)


class Gate:
    """A callback that stays inside until it is let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self._open = threading.Event()

    def __call__(self, _argument: Any) -> None:
        self.entered.set()
        assert self._open.wait(PATIENCE)

    def open(self) -> None:
        self._open.set()
