"""Flushes: telling a writer when enough others hold what it wrote.

A flush is a position of this node's own source in each table. Once a link was given everything up
to it, the peer is asked how much it holds; the answer is asked for again, ever more slowly, until
it reaches the position, and on every new link. Only members that are linked now and are no
observers count. It must not know how records travel.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines.errors import UNEXPECTED, WireError
from vines.events import Flushed as FlushedEvent
from vines.frozen import Frozen
from vines.hints import Final
from vines.protocol.links.links import Link
from vines.protocol.machine import Outbox
from vines.protocol.replicas.channel import Channel
from vines.protocol.wire.messages import CONTROL, DATA
from vines.protocol.wire.talk import Flush, Flushed

FLUSHES_MAX: Final = 1024
"""Waiting at once, each a blocked caller; with more, the oldest is never answered."""
ASK_AGAIN_SECONDS: Final = 0.05
"""After an answer that was not enough: a pull and its answer take less."""


class Target(Frozen):
    """What must be held, and by how many."""

    members: int
    source: bytes
    control: int
    data: int


class Flushes:
    """The flushes that somebody waits for."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._token = 0
        self.targets: dict[int, Target] = {}
        """Those that somebody waits for, by token: mostly none, and every turn asks for that."""

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def members(self) -> int:
        """How many links the most demanding flush needs."""
        return max((target.members for target in self.targets.values()), default=0)

    def begin(self, target: Target, links: list[Link]) -> int:
        """Wait for this; returns the token of the event that will tell."""
        self._token += 1
        if _met(target, links):
            self._outbox.emit(FlushedEvent(self._token))
            return self._token
        self.targets[self._token] = target
        if len(self.targets) > FLUSHES_MAX:
            del self.targets[next(iter(self.targets))]
        return self._token

    def forget(self, token: int) -> None:
        """Nobody waits any more."""
        self.targets.pop(token, None)

    def question(self, link: Link, now: float) -> Flush | None:
        """What to ask this peer now, if it is time to ask."""
        if not self.targets or link.asked is not None or now < link.asking_after:
            return None
        target = self._unmet(link)
        if target is None or not _given(link, target):
            return None
        self._token += 1
        link.asked = (self._token, target.source)
        return Flush(self._token, target.source)

    def answered(self, link: Link, message: Flushed, links: list[Link], now: float) -> None:
        """A peer says what it holds. WireError, before anything changed, if it was not asked."""
        if link.asked is None or link.asked[0] != message.token:
            raise WireError("an answer to a flush that nobody asked for", UNEXPECTED)
        source = link.asked[1]
        link.asked = None
        sources = {target.source for target in self.targets.values()}
        link.held = {each: held for each, held in link.held.items() if each in sources}
        link.held[source] = (message.control, message.data)
        if self._unmet(link) is not None:
            link.asking_after = now + ASK_AGAIN_SECONDS
        self.check(links)

    def check(self, links: list[Link]) -> None:
        """Tell of every flush that enough members hold by now."""
        for token, target in list(self.targets.items()):
            if _met(target, links):
                del self.targets[token]
                self._outbox.emit(FlushedEvent(token))

    def advance(self, now: float, links: list[Link], wake: Callable[[Link], None]) -> None:
        """Let the links speak on which it is time to ask."""
        if self.targets:
            for link in links:
                if link.asked is None and link.asking_after <= now:
                    wake(link)

    def deadline(self, links: list[Link], now: float) -> float:
        """When a peer is to be asked again; infinity if never."""
        if not self.targets:
            return inf
        return min((link.asking_after for link in links if link.asking_after > now), default=inf)

    def _unmet(self, link: Link) -> Target | None:
        """The first target that this peer is not known to hold."""
        if link.hello is None or link.hello.observer:
            return None
        return next((each for each in self.targets.values() if not _holds(link, each)), None)


def _given(link: Link, target: Target) -> bool:
    """Whether everything up to the target has been handed to this link, or goes another way."""
    control, data = link.channels[CONTROL], link.channels[DATA]
    return _handed(control, target.source, target.control) and _handed(
        data, target.source, target.data
    )


def _handed(channel: Channel, source: bytes, counter: int) -> bool:
    sent = channel.eager or channel.direct
    return not sent or channel.progress.known_of(source) >= counter


def _met(target: Target, links: list[Link]) -> bool:
    return sum(_holds(link, target) for link in links) >= target.members


def _holds(link: Link, target: Target) -> bool:
    if link.hello is None or link.hello.observer:
        return False
    control, data = link.held.get(target.source, (-1, -1))
    return control >= target.control and data >= target.data
