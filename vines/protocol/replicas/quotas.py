"""Quotas: when the data table comes near what this node was told is enough, its user is told.

Writes are refused by the table, here and at once; nothing is refused that others wrote, or members
would differ for ever. It must not know links or what is written.
"""

from __future__ import annotations

from vines._core.table import DATA, Table
from vines.events import Quota
from vines.hints import Final
from vines.protocol.machine import Outbox

NEAR: Final = 0.9
"""The part of a quota from which on it is told: time to do something about it."""
CLEAR: Final = 0.8
"""The part below which it is told that it is over: less would tell of every key that comes and
goes."""


class Quotas:
    """Follows how full one table is."""

    def __init__(self, table: Table, outbox: Outbox) -> None:
        self._table = table
        self._outbox = outbox
        self._level = "below"

    def look(self, fullness: float) -> None:
        """Tell if a bound was passed since the last time."""
        if fullness >= 1.0:
            level = "reached"
        elif fullness >= NEAR or (fullness >= CLEAR and self._level != "below"):
            level = "near"
        else:
            level = "below"
        if level != self._level:
            self._level = level
            table = self._table
            held = table.count(DATA), table.size(DATA)
            self._outbox.emit(Quota(level, *held, table.keys_max, table.bytes_max))
