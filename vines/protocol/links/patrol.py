"""Patrol: which streams stay silent, and which of them have to go.

Anything heard is a sign of life. Silence is answered with a ping first; a link that stays silent
is dropped, as is a stranger who does not say hello in time and a join that does not come forward.
A process that stood still blames itself: what the others said meanwhile has not been read yet.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines.config import Config
from vines.protocol.links.dials import ERRAND
from vines.protocol.links.errands import IDLE_SECONDS
from vines.protocol.links.linking import Linking
from vines.protocol.links.links import Link
from vines.protocol.replicas.joining import Joins
from vines.protocol.wire.hello import Refuse


class Patrol:
    """The timers of all streams, kept as one: silence only ends later than it was thought to."""

    def __init__(
        self, config: Config, linking: Linking, joins: Joins, wake: Callable[[Link], None]
    ) -> None:
        self._config = config
        self._linking = linking
        self._joins = joins
        self._wake = wake
        self._due = inf

    def watch(self, now: float) -> None:
        """There is a new stream."""
        self._due = min(self._due, now + self._config.handshake_timeout)

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        return min(self._due, self._joins.deadline())

    def forgive(self, gap: float, now: float) -> None:
        """This process stood still for so long, until now; nothing was heard later than that."""
        for link in self._linking.links.everything():
            link.heard = min(link.heard + gap, now)
            link.since = min(link.since + gap, now)
            for channel in link.channels:
                channel.heard = min(channel.heard + gap, now)

    def advance(self, now: float) -> None:
        """Look at every stream, if it is time to."""
        if now < self.deadline():
            return
        for link in self._joins.stalled(now):
            self._linking.drop(link, "a join does not come forward", now)
        self._due = inf
        for link in self._linking.links.everything():
            end, reason = self._end(link)
            if end <= now and reason == ERRAND:
                self._linking.drop(link, ERRAND, now, quiet=True, word=Refuse(ERRAND).encode())
                continue
            if end <= now:
                self._linking.drop(link, reason, now)
                continue
            ping = link.heard + self._config.keepalive_interval
            if link.hello is not None and ping > now:
                end = min(end, ping)
            elif link.hello is not None and link.pinged is None:
                link.ping = True
                self._wake(link)
            self._due = min(self._due, end)

    def _end(self, link: Link) -> tuple[float, str]:
        if link.hello is None:
            return link.since + self._config.handshake_timeout, "no hello in time"
        silent = link.heard + self._config.keepalive_timeout
        if link.errand and link.attempt is not None and link.said + IDLE_SECONDS < silent:
            return link.said + IDLE_SECONDS, ERRAND
        return silent, "silent"
