"""Spreading: on which links records are sent, and on which they are only announced.

Plumtree (Leitao, Pereira, Rodrigues, Epidemic Broadcast Trees, SRDS 2007) over the links there are.
A new link is *eager*: what comes is sent on it at once. Who is sent more that it held than that it
lacked says so (Prune), and both ends of that link are *lazy* from then on; what is left is a tree.
Lazy links carry announcements: sources and counters, batched. One that comes when it is nearly time
for a node's own has them made with it, in one turn. Who does not get what was announced
soon makes the link on which it heard of it eager again, and says what it lacks (Graft). Where a
link of the tree breaks, another is made eager without waiting for that.

Where all are linked to all, each sends what it writes itself to all, so that it takes one hop.

Nothing here is knowledge: a range that begins too high is refused and pulled, whoever sent it, and
fingerprints that differ are followed up, whatever was pruned. Each table has a tree of its own. It
must not know frames, or who is linked why.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines._core.table import Table
from vines.config import Config
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.links.links import Link
from vines.protocol.replicas.channel import Channel
from vines.protocol.wire.messages import TABLES, Announce, Graft

if TYPE_CHECKING:
    import random

GAPS_MAX: Final = 1024
"""Sources announced and missing that are watched, of each table; others wait for a comparison."""
ANNOUNCERS_MAX: Final = 4
"""Links remembered for each of them, to be asked in turn."""
SLOW_LOOKS: Final = 5
"""Announcements in a row that find a link without room: its end is no place for a tree."""


class Gap:
    """What was announced of a source and is not here."""

    __slots__ = ("announcers", "counter", "due", "held")

    def __init__(self, held: int, due: float) -> None:
        self.counter = 0
        self.announcers: list[Link] = []
        self.held = held
        self.due = due


class Spreading:
    """The trees of both tables, as far as this node's links go."""

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        tables: tuple[Table, Table],
        wake: Callable[[Link], None],
    ) -> None:
        self.due = inf
        """When `advance` has something."""
        self.grafts = 0
        """Links made eager because something announced did not come, or one of the tree broke."""
        self.prunes = 0
        """Links made lazy because more came on them twice than once."""
        self._interval = config.announce_interval
        self._window = config.link_window
        self._rng = rng
        self._tables = tables
        self._wake = wake
        self._mesh = not config.observer
        self._announcing = inf
        self._announceable = inf
        """From then on it is done in a turn that another's announcement takes anyway."""
        self._gaps: tuple[dict[bytes, Gap], ...] = tuple({} for _ in TABLES)
        self._slow: dict[int, int] = {}

    # Links.

    def start(self, link: Link) -> None:
        """A link has its channels: it is eager, but for one that is up for an errand."""
        assert link.hello is not None, "a stranger has no place in a tree"
        for channel in link.channels:
            channel.progress.belongs(link.hello.source)
            channel.eager = not link.errand
            channel.direct = self._is_direct(link)

    def stop(self, link: Link, links: list[Link]) -> None:
        """A link is gone: where it was eager, another takes its place."""
        self._slow.pop(link.number, None)
        if not self._mesh and not link.errand:
            for channel in link.channels:
                if channel.eager:
                    self._replace(channel.number, links)

    def reshape(self, links: list[Link], *, mesh: bool) -> None:
        """Members came or went: all are linked to all now, or no longer."""
        if mesh != self._mesh:
            self._mesh = mesh
            for link in links:
                for channel in link.channels:
                    channel.direct = self._is_direct(link)
                self._wake(link)

    def open_all(self, links: list[Link]) -> None:
        """This node leaves: whoever can take its last words gets them."""
        for link in links:
            for channel in link.channels:
                channel.thicken()
            self._wake(link)

    # What comes in.

    def took(self, link: Link, channel: Channel) -> None:
        """A delta was taken: was it worth while?"""
        table = channel.table
        if table.repeated > table.fresh and channel.settled and not channel.pruned:
            self.prunes += 1
            channel.thin(told=True)
            self._wake(link)

    def announced(self, link: Link, message: Announce, now: float) -> None:
        """They hold this. WireError, before anything changed, if it is malformed."""
        channel = link.channels[message.table]
        gaps = self._gaps[message.table]
        missing = channel.table.hear(message.body, message.offset, channel.progress)
        if now >= self._announceable:
            self._announcing = self.due = now
        for source, counter in missing:
            gap = gaps.get(source)
            if gap is None:
                if len(gaps) >= GAPS_MAX:
                    return
                gap = gaps[source] = Gap(channel.table.covered(source), now + self._interval)
                self.due = min(self.due, gap.due)
            gap.counter = max(gap.counter, counter)
            if link not in gap.announcers and len(gap.announcers) < ANNOUNCERS_MAX:
                gap.announcers.append(link)

    def grafted(self, link: Link, message: Graft) -> None:
        """They want to be sent what comes. WireError, before anything changed, if malformed."""
        channel = link.channels[message.table]
        channel.progress.rewind(message.body, message.offset)
        channel.thicken()
        channel.served = -1
        channel.pruned = channel.prune_owed = False

    def pruned(self, link: Link, table: int, links: list[Link]) -> None:
        """They get what comes from elsewhere. Somebody has to be sent what is written here."""
        link.channels[table].thin(told=False)
        if not self._mesh and not any(each.channels[table].eager for each in links):
            self._replace(table, links, but=link)

    # Time.

    def changed(self, links: list[Link], now: float) -> None:
        """There is something new in a table: it will be announced where it is not sent."""
        if self._announcing != inf:
            return
        for link in links:
            for channel in link.channels:
                if not channel.eager:
                    # Not all at once: who hears first that the other end holds it need not say so.
                    self._announceable = now + self._interval / 2
                    self._announcing = now + self._interval * (0.5 + 0.5 * self._rng.random())
                    if self._announcing < self.due:
                        self.due = self._announcing
                    return

    def advance(self, now: float, links: list[Link]) -> None:
        """Announce, and ask for what did not come, if it is time to."""
        if now < self.due:
            return
        if now >= self._announcing:
            self._announcing = self._announceable = inf
            for link in links:
                self._announce(link)
        self.due = self._announcing
        for table in TABLES:
            for source, gap in list(self._gaps[table].items()):
                if gap.due <= now:
                    self._close(table, source, gap, links, now)
                self.due = min(self.due, gap.due if source in self._gaps[table] else inf)

    def _announce(self, link: Link) -> None:
        blocked = link.unsent >= self._window
        looks = self._slow[link.number] = self._slow.get(link.number, 0) + 1 if blocked else 0
        lazy = False
        for channel in link.channels:
            if looks >= SLOW_LOOKS and channel.eager and not self._mesh:
                channel.thin(told=True)
            if not channel.eager:
                lazy = channel.announce_owed = True
        if lazy:
            self._wake(link)

    def _close(self, table: int, source: bytes, gap: Gap, links: list[Link], now: float) -> None:
        """Ask for what is missing, unless it is here, or comes."""
        held = self._tables[table].covered(source)
        gap.due = now + self._interval
        if held > gap.held and held < gap.counter:
            gap.held = held
            return
        while held < gap.counter and gap.announcers:
            link = gap.announcers.pop(0)
            if link in links:
                self.grafts += 1
                link.channels[table].ask({source: held})
                self._wake(link)
                return
        del self._gaps[table][source]

    def _replace(self, table: int, links: list[Link], but: Link | None = None) -> None:
        """Make a lazy link eager."""
        # A link that takes the place of another has no channels yet while that one goes.
        lazy = [
            each
            for each in links
            if each is not but
            and not each.errand
            and each.channels
            and not each.channels[table].eager
        ]
        if lazy:
            self.grafts += 1
            link = self._rng.choice(lazy)
            link.channels[table].ask({})
            self._wake(link)

    def _is_direct(self, link: Link) -> bool:
        assert link.hello is not None, "a stranger has no place in a tree"
        return self._mesh and not link.hello.observer
