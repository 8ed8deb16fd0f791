"""Missing: what a node lacks of sources that are retired.

Who reads that a source is retired, and holds nothing of it, cannot tell from fingerprints that it
lacks anything: nobody else counts that source any more, and what is left of it may be such that is
in no fingerprint, as keys that expire, or deletions. It asks others for it, and does not agree that
anything be forgotten before it has that, or nobody had it.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines._core.retired import RetiredSources
from vines.hints import Final
from vines.protocol.replicas.batches import Last
from vines.protocol.wire.messages import TABLES

LOOKED_AT: Final = 16384
"""Retired sources looked at in one turn: some hundred microseconds."""
ASKED: Final = 8
"""How often others are asked for such a source, after pauses that double up to the longest: for one
or two minutes. So long who says what nobody ever wrote keeps all from forgetting deletions.
"""
PAUSE_SECONDS_MIN: Final = 1.0
PAUSE_SECONDS_MAX: Final = 30.0


class Missing:
    """Which sources that are retired are missed at one node, and who is asked for them."""

    def __init__(self, retired: RetiredSources, ask: Callable[[int, bytes], bool]) -> None:
        self._retired = retired
        self._ask = ask
        """Ask a peer for what it has of a source in a table; False if that is under way."""
        self._complete = True
        self._asking = 0
        """How often others may be asked still; 0: nothing is missed here, or it is nowhere."""
        self._look = inf
        """When to look for it."""
        self._pause = PAUSE_SECONDS_MIN
        """How long to wait until the next time."""
        self._place: tuple[int, int] | None = None
        """The table and the place where a look under way goes on."""
        self._found = False
        """Something is missed, as far as that has come."""

    def is_complete(self) -> bool:
        """Whether in the data table something is covered here of all sources that are known to be
        retired, but for what nobody has.
        """
        return self._complete

    def named(self, last: Last) -> None:
        """One more source is known to be retired, and how far it had come."""
        self._complete = self._complete and not last[1]

    def begin(self, now: float) -> None:
        """Look in a moment: what else was said of those that were named comes at the same time."""
        self._asking, self._pause = ASKED, PAUSE_SECONDS_MIN
        self._look, self._place = now + PAUSE_SECONDS_MIN, None

    def joined(self, now: float) -> None:
        """A join is over: look at once whether that was it."""
        if self._asking:
            self._look, self._place = now, None

    def advance(self, now: float) -> None:
        """Go on with what is due: a turn's worth."""
        if now >= self._look:
            self._look, self._place, self._found = inf, (0, 0), False
        if self._place is not None:
            self._go_on(*self._place, now)

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        return self._look if self._place is None else 0.0

    def _go_on(self, table: int, place: int, now: float) -> None:
        """Look on, from here. Of the first that is missed in either table somebody is asked; who
        has it has the others too, mostly, and tells this node to join.
        """
        source, following = self._retired.missed(table, place, LOOKED_AT)
        if source is None and following is not None:
            self._place = table, following
            return
        if source is not None:
            self._found = True
            self._asking -= self._ask(table, source)
        if table + 1 < len(TABLES):
            self._place = table + 1, 0
            return
        self._place = None
        if not self._found or self._asking <= 0:
            self._asking, self._complete = 0, True
            return
        self._complete = self._complete or source is None
        self._look = now + self._pause
        self._pause = min(2 * self._pause, PAUSE_SECONDS_MAX)
