"""Catching up: from one peer at a time, or everybody would send everything at once.

Who knows our vector sends what we lack. A node that comes new into a mesh would be sent all of the
data by each of its peers, so it shows its vector of the data table to one of them, and to the next
when that one says that all was sent; by then there is little left. Showing it does not ask for
permission to send: what this node writes leaves on every link whose peer has shown its own.
A peer that falls silent, or whose stream of writes never ends, is not waited for for long.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines.hints import Final
from vines.protocol.links.links import Link

IDLE_SECONDS: Final = 2.0
"""A peer that sent nothing for so long is slower than asking the next one."""
WHOLE_SECONDS: Final = 30.0
"""After this long it is no longer catching up, but ordinary writes that never pause."""


class Catching:
    """Whose turn it is to see our vector of the data table."""

    def __init__(self, table: int, wake: Callable[[Link], None]) -> None:
        self._table = table
        self._wake = wake
        self.active: Link | None = None
        """Where our vector was shown last, and not all has come that follows."""
        self._waiting: dict[int, tuple[Link, int]] = {}
        self._heard = 0.0
        self._since = 0.0

    def show(self, link: Link, marks: int, now: float) -> None:
        """Send our vector on this link, now or when it is its turn; `marks` as of a Vector."""
        if self.active is None or self.active is link:
            self._begin(link, marks, now)
        else:
            self._waiting[link.number] = (link, marks)

    def heard(self, link: Link, now: float) -> None:
        """Data came in on this link."""
        if self.active is link:
            self._heard = now

    def done(self, link: Link, now: float) -> None:
        """All that this link's peer held has been sent, or the link is gone."""
        if self.active is link:
            self.active = None
            self._next(now)

    def gone(self, link: Link, now: float) -> None:
        """A link is no longer there."""
        self._waiting.pop(link.number, None)
        self.done(link, now)

    def waits(self, link: Link) -> bool:
        """Whether this link's peer has still to see our vector."""
        return link.number in self._waiting

    def advance(self, now: float) -> None:
        """Do not wait for ever."""
        if now >= self.deadline():
            self.active = None
            self._next(now)

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        if self.active is None or not self._waiting:
            return inf
        return min(self._heard + IDLE_SECONDS, self._since + WHOLE_SECONDS)

    def _next(self, now: float) -> None:
        if self._waiting:
            link, marks = self._waiting.pop(next(iter(self._waiting)))
            self._begin(link, marks, now)

    def _begin(self, link: Link, marks: int, now: float) -> None:
        self.active = link
        self._since = self._heard = now
        link.channels[self._table].tell(marks)
        self._wake(link)
