"""Shedding: links beyond those that a node keeps, given up by both ends or by neither.

Who joins dials, and is dialled, so nodes of a large cluster come to have more links than they would
keep; each is a socket and some pings. A link goes if both ends have links to spare, nothing travels
on it in either tree, and both say so: one asks (Shed), the other closes with a word (Refuse) or
says that it needs it. A node asks on one link at a time and counts it as gone until it knows, so
nobody falls below what it keeps, whatever crosses on the way. The trees span the graph and lose no
link, and what is left beside them are random links of the number that keeps a graph connected. It
must not know frames, or how a link is closed.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines.config import Config
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.links.links import Link, Links
from vines.protocol.wire.messages import CONTROL, DATA

if TYPE_CHECKING:
    import random

LOOK_SECONDS: Final = 5.0
"""Between two questions; a hundred that join at once have their trees long before."""
LOOK_SECONDS_MAX: Final = 600.0
"""The pause doubles up to this while whoever is asked needs the link: some bytes an hour."""
AGE_SECONDS: Final = 30.0
"""A younger link stays: while members come and go it is not known which are wanted."""


class Shedding:
    """Which links of one node may go; `wanted`: how many it keeps, None: one to everybody."""

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        links: Links,
        wanted: Callable[[], int | None],
    ) -> None:
        self.due = inf
        """When `ask` has something; infinity if never."""
        self.asked: Link | None = None
        """The link of which it is asked whether it may go."""
        self._keeps = not config.observer
        self._rng = rng
        self._links = links
        self._wanted = wanted
        self._pause = LOOK_SECONDS

    def changed(self, now: float) -> None:
        """There is a link more, or members came or went: it is worth looking soon."""
        if self._keeps and self._wanted() is not None:
            self._pause = LOOK_SECONDS
            self.due = min(self.due, now + AGE_SECONDS)

    def gone(self, link: Link) -> None:
        """A link is no more, whatever the reason."""
        if link is self.asked:
            self.asked = None
            self._pause = LOOK_SECONDS

    def needed(self, link: Link) -> bool:
        """The other end needs it; False if it was not asked."""
        if link is not self.asked:
            return False
        self.asked = None
        return True

    def may_go(self, link: Link, now: float) -> bool:
        """Whether this node can do without a link of which the other end asks that; of one of which
        it asks the same it has said so.
        """
        return link is self.asked or (self._is_idle(link, now) and self._spare() > 0)

    def ask(self, now: float) -> Link | None:
        """A link to ask about now, if there is one."""
        self.due = inf
        if self.asked is not None:
            self._look_after(now)
            return None
        if not self._keeps or self._spare() <= 0:
            return None  # The next link or member makes it worth looking again.
        self._pause = min(self._pause * 2.0, LOOK_SECONDS_MAX)
        self._look_after(now)
        idle = [link for link in self._links.established() if self._is_idle(link, now)]
        self.asked = self._rng.choice(idle) if idle else None
        return self.asked

    def _look_after(self, now: float) -> None:
        self.due = min(self.due, now + self._pause * self._rng.uniform(0.75, 1.25))

    def _spare(self) -> int:
        """How many links there are beyond those that are kept, without the one that may be going
        and those to observers, which are no part of the graph.
        """
        wanted = self._wanted()
        return 0 if wanted is None else self._links.kept() - wanted - (self.asked is not None)

    def _is_idle(self, link: Link, now: float) -> bool:
        """Whether a link is one of the graph, but of no tree. Where nothing came since the links
        did, a table has no tree yet and all are eager; then that of the other one spans the graph.
        """
        assert link.hello is not None, "only established links are asked for"
        if link.errand or link.hello.observer or now < link.established + AGE_SECONDS:
            return False
        for channel in link.channels:
            if not channel.settled or channel.owing or channel.page_owed is not None:
                return False
        control, data = (channel.eager for channel in link.channels)
        if control and data:
            return False
        return not (control or data) or not self._has_tree(CONTROL if control else DATA)

    def _has_tree(self, table: int) -> bool:
        """Whether some link of this node is none of a table's tree."""
        return any(
            not link.errand and link.channels and not link.channels[table].eager
            for link in self._links.established()
        )
