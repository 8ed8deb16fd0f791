"""Reactor: which sockets are watched for what, the timers, and what is counted and logged on the
way.

Whatever watches a socket is a Source. A source that was closed in a turn is passed over for the
rest of it: its descriptor may have been closed, and even be another socket by now.
"""

from __future__ import annotations

import selectors
import socket
from collections import Counter
from collections.abc import Callable

from vines.hints import Protocol
from vines.log import logger
from vines.net.readiness import READ, WRITE, Readiness, Selector, readiness
from vines.net.timers import Timers

__all__ = ["BY_REASON", "COUNTERS", "READ", "WRITE", "Reactor", "Source"]

COUNTERS = (
    *("accepted", "bugs", "bytes_in", "bytes_out", "callers_lost", "datagrams_in"),
    *("datagrams_out", "datagrams_unaddressed", "descriptors_exhausted", "stalls"),
    "streams_unwatchable",
)
"""Everything that is counted."""
BY_REASON = (
    *("datagram_errors_in", "datagram_errors_out", "datagrams_rejected", "dials_failed"),
    "streams_rejected",
)
"""What is counted by why it was so."""

_LOG_INTERVAL = 10.0
"""Seconds between two log lines for the same reason: a stranger must not be able to fill a disk."""

_never_closed: list[selectors.BaseSelector] = []
"""What must not even be collected, since that would close it."""


class Source(Protocol):
    """Something with a socket that the selector watches."""

    closed: bool
    served: int
    """The last turn in which it was ready: whoever waited longest comes first."""

    def ready(self, mask: int, now: float, /) -> None:
        """The socket can be read or written."""


class Reactor:
    """What is ready, timers and counters; one thread uses it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.timers = Timers()
        self.counters: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self._reasons: dict[str, Counter[str]] = {name: Counter() for name in BY_REASON}
        self._readiness: Readiness | None = None
        self._logged: dict[str, float] = {}

    def open(self) -> None:
        """Ask the system for readiness; nothing can be watched before."""
        self._readiness = readiness()

    def watch(self, sock: socket.socket, mask: int, source: Source) -> None:
        """Begin to watch a socket."""
        assert self._readiness is not None
        self._readiness.watch(sock, mask, source)

    def change(self, sock: socket.socket, mask: int, source: Source) -> None:
        """Watch a socket for something else: a system call, so not on the path of every frame."""
        assert self._readiness is not None
        self._readiness.change(sock, mask, source)

    def forget(self, sock: socket.socket) -> None:
        """Stop watching; before the socket is closed. Harmless if it was not watched."""
        if self._readiness is not None:
            self._readiness.forget(sock)

    def wait(self, timeout: float | None) -> list[tuple[Source, int]]:
        """Sleep until a socket is ready or the time is up; the sources, and for what."""
        assert self._readiness is not None
        return self._readiness.wait(timeout)

    def count(self, name: str, detail: str = "", reason: str = "") -> None:
        """Count something that was refused, lost or dropped, by a reason if it has several, and log
        it now and then.
        """
        counter = self._reasons[name] if reason else self.counters
        counter[reason or name] += 1
        what = f"{name}: {reason}" if reason else name
        now = self.clock()
        if now - self._logged.get(what, -_LOG_INTERVAL) >= _LOG_INTERVAL:
            self._logged[what] = now
            logger.info("%s (%d so far): %s", what, counter[reason or name], detail)

    def stats(self) -> dict[str, int | dict[str, int]]:
        """All counters, those with reasons by reason."""
        # Copied at once: the loop goes on counting.
        reasons = {name: dict(counter) for name, counter in self._reasons.items()}
        return {**self.counters, **reasons}

    def close(self) -> None:
        """Give back what the system gave; the sockets are their sources' to close."""
        if self._readiness is not None:
            self._readiness.close()
            self._readiness = None

    def abandon(self) -> None:
        """In a forked child: close every descriptor and touch nothing that is shared with the
        parent.

        Closing is safe, telling the selector is not: an epoll instance is shared, and forgetting a
        socket in it would deafen the parent. A kqueue was not inherited at all; its number may be
        another file's by now.
        """
        ready, self._readiness = self._readiness, None
        if ready is None:
            return
        for sock in ready.sockets():
            sock.close()
        kqueue = getattr(selectors, "KqueueSelector", ())
        if isinstance(ready, Selector) and isinstance(ready.selector, kqueue):
            _never_closed.append(ready.selector)
        else:
            ready.close()
