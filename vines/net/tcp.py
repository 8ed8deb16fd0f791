"""One stream: a socket, the frames coming in, the bytes going out.

It knows how to read once, how to send once, and how to close after its last words. When to do
which, and what a frame is for, is its owner's business.
"""

from __future__ import annotations

import itertools
import socket

from vines.hints import Protocol
from vines.net.reactor import READ, WRITE, Reactor
from vines.net.timers import Timer
from vines.protocol.wire.framing import Framer

_links = itertools.count(1)
"""Link numbers are never used twice in one process."""


class Owner(Protocol):
    """Who is told that a stream is ready."""

    def readable(self, stream: Stream, now: float) -> None:
        """There is something to read, the end of the stream included."""

    def writable(self, stream: Stream) -> None:
        """The kernel takes bytes again."""


class Stream:
    """A framed TCP stream. `host` is the other end's, if it dialled us; `ticket` of our dial, if we
    did.
    """

    __slots__ = (
        "_queue",
        "_reactor",
        "_rest",
        "closed",
        "closing",
        "discarded",
        "established",
        "frame_timer",
        "framer",
        "handshake_timer",
        "host",
        "inbound",
        "linger_timer",
        "link",
        "owner",
        "sent",
        "served",
        "shut",
        "socket",
        "unsent",
        "writing",
    )

    def __init__(
        self, reactor: Reactor, owner: Owner, sock: socket.socket, *, inbound: bool, host: str
    ) -> None:
        self.link = next(_links)
        self.socket = sock
        self.inbound = inbound
        self.host = host
        self.owner = owner
        self.framer = Framer()
        self.established = False
        self.closed = False
        self.closing = False
        self.shut = False
        self.writing = False
        self.unsent = False
        """Whether anything waits to be sent."""
        self.sent = 0
        self.served = 0
        self.discarded = 0
        self.handshake_timer: Timer | None = None
        self.frame_timer: Timer | None = None
        self.linger_timer: Timer | None = None
        self._reactor = reactor
        self._queue: list[bytes] = []
        self._rest: memoryview | None = None
        reactor.watch(sock, READ, self)

    def ready(self, mask: int, now: float) -> None:
        """What the selector found."""
        if mask & READ:
            self.owner.readable(self, now)
        if mask & WRITE and not self.closed:
            self.owner.writable(self)

    def write(self, frame: bytes) -> None:
        """Queue a frame; the node bounds what it writes, by what it was told has been sent."""
        self._queue.append(frame)
        self.unsent = True

    def send(self) -> int:
        """Hand everything queued to the kernel in one call; how many bytes it took. OSError: the
        stream is lost.
        """
        data: bytes | memoryview
        rest, queue = self._rest, self._queue
        if rest is not None:
            data = rest
        elif len(queue) == 1:
            data = queue.pop()
        else:
            data = b"".join(queue)
            queue.clear()
        try:
            count = self.socket.send(data)
        except BlockingIOError:
            count = 0
        self.sent += count
        if count == len(data):
            self._rest = None
            self.unsent = unsent = bool(queue)
        else:
            self._rest = memoryview(data)[count:]
            unsent = True
        if unsent is not self.writing:
            self.writing = unsent
            self._reactor.change(self.socket, READ | WRITE if unsent else READ, self)
        return count

    def shut_down(self) -> None:
        """Say that nothing more comes from this side. OSError: the stream is lost."""
        if not self.shut:
            self.shut = True
            self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Give the descriptor back; whatever is queued is gone."""
        if not self.closed:
            self.closed = True
            for timer in (self.handshake_timer, self.frame_timer, self.linger_timer):
                if timer is not None:
                    timer.cancel()
            self._reactor.forget(self.socket)
            self.socket.close()
            self._queue.clear()
            self._rest = None
            self.unsent = False
