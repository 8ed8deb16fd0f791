"""Missing: what a node lacks of sources that are retired.

Who reads that a source is retired, and holds nothing of it, cannot tell from fingerprints that it
lacks anything: nobody else counts that source any more, and what is left of it may be such that is
in no fingerprint, as keys that expire, or deletions. It asks others for it, and does not agree that
anything be forgotten before it has that, or asked for it often enough: whoever had it may be gone.
Of what it asked for in vain it asks now and then, as somebody may come back; that holds up nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines._core.retired import RetiredSources
from vines.hints import Final
from vines.protocol.replicas.batches import Last
from vines.protocol.wire.messages import DATA, TABLES

LOOKED_AT: Final = 16384
"""Retired sources looked at in one turn: some hundred microseconds."""
FOUND_COST: Final = 16
"""One that is missed takes as long as so many that are not."""
MISSED_MAX: Final = 256
"""Of each table so many are asked for, all at once, and remembered, the latest: who has one of them
mostly has the others, and says that this node has to join."""
ASKED: Final = 8
"""How often others are asked for a source, after pauses that double up to the longest: for one or
two minutes. So long who says what nobody ever wrote keeps all from forgetting deletions.
"""
PAUSE_SECONDS_MIN: Final = 1.0
PAUSE_SECONDS_MAX: Final = 30.0
SELDOM_SECONDS: Final = 600.0
"""Between two times that others are asked for what they were asked for in vain."""


class Missing:
    """Which sources that are retired are missed at one node, and who is asked for them."""

    def __init__(self, retired: RetiredSources, ask: Callable[[int, list[bytes]], bool]) -> None:
        self._retired = retired
        self._ask = ask
        """Ask a peer for what it has of sources in a table; False if nobody can be asked, or that
        is under way."""
        self._complete = True
        self._asked: tuple[dict[bytes, int], ...] = tuple({} for _ in TABLES)
        """Of what is missed in each table, how often others were asked for it."""
        self._found: tuple[dict[bytes, int], ...] = tuple({} for _ in TABLES)
        """The same, as far as a look under way has come."""
        self._look = inf
        """When to look for it."""
        self._pause = PAUSE_SECONDS_MIN
        """How long to wait until the next time."""
        self._seldom = 0.0
        """When to ask again for what was asked for in vain."""
        self._place: tuple[int, int] | None = None
        """The table and the place where a look under way goes on."""

    def is_complete(self) -> bool:
        """Whether in the data table something is covered here of all sources that are known to be
        retired, but for what was asked for in vain.
        """
        return self._complete

    def named(self, last: Last) -> None:
        """One more source is known to be retired, and how far it had come."""
        self._complete = self._complete and not last[1]

    def begin(self, now: float) -> None:
        """Look in a moment: what else was said of those that were named comes at the same time."""
        self._pause = PAUSE_SECONDS_MIN
        self._look, self._place = now + PAUSE_SECONDS_MIN, None

    def joined(self, now: float) -> None:
        """A join is over: look at once whether that was it."""
        if any(self._asked):
            self._look, self._place = now, None

    def advance(self, now: float) -> None:
        """Go on with what is due: a turn's worth."""
        if now >= self._look:
            self._look, self._place = inf, (0, 0)
            self._found = tuple({} for _ in TABLES)
        if self._place is not None:
            self._place = self._go_on(*self._place)
            if self._place is None:
                self._asked = self._found
                self._ask_on(now)

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        return self._look if self._place is None else 0.0

    def _go_on(self, table: int, place: int) -> tuple[int, int] | None:
        """Look on, from here; returns where to go on, None at the end."""
        asked, found, left = self._asked[table], self._found[table], LOOKED_AT
        while left > 0:
            source, following = self._retired.missed(table, place, left)
            if following is None:
                return (table + 1, 0) if table + 1 < len(TABLES) else None
            if source is None:
                return table, following
            found[source] = asked.get(source, 0)
            if len(found) > MISSED_MAX:
                del found[next(iter(found))]
            left -= following + 1 - place + FOUND_COST
            place = following + 1
        return table, place

    def _ask_on(self, now: float) -> None:
        """All was looked at: ask for what is missed, and look again later, if there is any."""
        wanted = self._fresh()
        if not any(wanted) and now >= self._seldom:
            wanted = [list(asked) for asked in self._asked]
        for asked, table in zip(self._asked, TABLES, strict=True):
            if wanted[table] and self._ask(table, wanted[table]):
                asked.update({each: asked[each] + 1 for each in wanted[table]})
        fresh = self._fresh()
        self._complete = not fresh[DATA]
        if any(wanted):
            self._seldom = now + SELDOM_SECONDS
        if any(self._asked):
            self._look = now + self._pause if any(fresh) else self._seldom
        self._pause = min(2 * self._pause, PAUSE_SECONDS_MAX)

    def _fresh(self) -> list[list[bytes]]:
        """What is missed in each table, and was not asked for often enough."""
        return [[each for each, count in asked.items() if count < ASKED] for asked in self._asked]
