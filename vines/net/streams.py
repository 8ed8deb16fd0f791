"""All streams of one node: reading, sending, deadlines, and how each of them ends.

A stream ends in one of three ways. *Lost*: the other end, the network or a deadline. *Rejected*: it
sent what is not a frame of the protocol. *Closed*: the node asked for it. In the last two what was
written before still goes out, then the stream lingers: this side is shut and what comes is thrown
away until the other end closes too or time is up, because a socket closed with unread bytes resets
the stream and may take our last words with it. The node hears `disconnected` at once in every case,
exactly once.
"""

from __future__ import annotations

import socket

from vines.errors import WireError
from vines.hints import TYPE_CHECKING
from vines.log import logger
from vines.net.limits import Limits
from vines.net.reactor import Reactor
from vines.net.sockets import tune
from vines.net.strangers import Strangers
from vines.net.tcp import Stream
from vines.protocol.machine import Link

if TYPE_CHECKING:
    from vines.net.driven import Driven


_DISCARD_BYTES_MAX = 1024 * 1024
"""What a lingering stream may still send before it is closed all the same."""


class Streams:
    """The streams of one node, by link."""

    def __init__(self, reactor: Reactor, node: Driven, limits: Limits) -> None:
        self._reactor = reactor
        self._node = node
        self._limits = limits
        self._config = node.config
        self._streams: dict[Link, Stream] = {}
        self._lingering: set[Stream] = set()
        self._dirty: list[Stream] = []
        """Those that have something to send and are to try it in this turn."""
        self._full: set[Stream] = set()
        """Those of which the kernel did not take all."""
        self.rejected: list[Stream] = []
        """Those to be finished once the node has had its say."""
        self.strangers = Strangers(node.config)
        self._view = memoryview(bytearray(limits.receive_bytes))

    def __len__(self) -> int:
        return len(self._streams)

    @property
    def unsent(self) -> bool:
        """Whether any stream has something left to send."""
        return bool(self._full or self._dirty)

    def open(self, sock: socket.socket, host: str, ticket: int | None, now: float) -> None:
        """Take over a stream that is up: accepted, or dialled with this ticket."""
        tune(sock)
        try:
            stream = Stream(self._reactor, self, sock, inbound=ticket is None, host=host)
        except OSError as error:
            # The selector has a limit of its own.
            self._reactor.count("streams_unwatchable", str(error))
            sock.close()
            if ticket is not None:
                self._node.dial_failed(ticket, False, now)
            return
        self._streams[stream.link] = stream
        if stream.inbound:
            self.strangers.arrive(host)
        stream.handshake_timer = self._reactor.timers.at(
            now + self._config.handshake_timeout,
            lambda now: self._expire(stream, "slow_handshake", now),
        )
        self._node.connected(stream.link, ticket, now)

    def write(self, link: Link, frame: bytes) -> None:
        """Queue a frame for the end of the turn; dropped if the stream is gone."""
        stream = self._streams.get(link)
        if stream is not None:
            if not stream.unsent:
                self._dirty.append(stream)
            stream.write(frame)

    def readable(self, stream: Stream, now: float) -> None:
        """Read once, and hand whole frames to the node."""
        try:
            count = stream.socket.recv_into(self._view)
        except BlockingIOError:
            return
        except OSError as error:
            self._lose(stream, str(error), now)
            return
        if count == 0:
            self._lose(stream, "closed by peer", now)
        elif stream.closing:
            self._discard(stream, count, now)
        else:
            self._reactor.counters["bytes_in"] += count
            self._receive(stream, bytes(self._view[:count]), now)

    def writable(self, stream: Stream) -> None:
        """Go on sending at the end of the turn."""
        self._dirty.append(stream)

    def flush(self, now: float) -> bool:
        """Send what is queued: one call for each stream that has something and can take it.

        Returns whether there was anything, or is something that the kernel did not take.
        """
        dirty = self._dirty
        if not dirty:
            return bool(self._full)
        self._dirty = []
        for stream in dirty:
            if stream.unsent:
                self._send(stream, now)
        return True

    def close(self, link: Link, reason: str, now: float) -> None:
        """Close a stream once what was written to it has left."""
        stream = self._streams.get(link)
        if stream is not None:
            logger.debug("closing link %d: %s", link, reason)
            self._finish(stream, now)

    def finish_rejected(self, now: float) -> None:
        """Close what was rejected in this turn, once the node's answers have been written."""
        rejected, self.rejected = self.rejected, []
        for stream in rejected:
            if stream.link in self._streams:
                self._finish(stream, now)

    def close_all(self) -> None:
        """Close everything, politely where that costs nothing; the node is not told."""
        for stream in [*self._streams.values(), *self._lingering]:
            try:
                stream.shut_down()
                stream.socket.recv_into(self._view)
            except OSError:
                # Gone already, or nothing unread: either way the close below resets nothing of
                # ours.
                pass
            stream.close()
        self._streams.clear()
        self._lingering.clear()
        self._dirty.clear()
        self._full.clear()

    def _receive(self, stream: Stream, data: bytes, now: float) -> None:
        node, link = self._node, stream.link
        try:
            frames = stream.framer.feed(data)
            for frame in frames:
                node.receive(frame, link, now)
                if not stream.established and node.established(link):
                    self._welcome(stream)
        except WireError as error:
            self._reactor.count("streams_rejected", f"{stream.host}: {error}", error.reason)
            self._reject(stream)
        except Exception:
            # A bug of ours that bytes of a peer have found. The peer may be hostile and do it
            # again, so it must cost this stream and no more.
            self._reactor.counters["bugs"] += 1
            logger.exception("a frame from %s met a bug; its stream is closed", stream.host)
            self._reject(stream)
        else:
            if stream.framer.partial or stream.frame_timer is not None:
                self._time_frame(stream, bool(frames), now)

    def _time_frame(self, stream: Stream, completed: bool, now: float) -> None:
        """Run a deadline while a frame is under way; each frame has its own."""
        if completed and stream.frame_timer is not None:
            stream.frame_timer.cancel()
            stream.frame_timer = None
        if stream.frame_timer is None and stream.framer.partial:
            stream.frame_timer = self._reactor.timers.at(
                now + self._config.frame_timeout,
                lambda now: self._expire(stream, "slow_frame", now),
            )

    def _welcome(self, stream: Stream) -> None:
        """The handshake is done: no stranger any more."""
        if stream.handshake_timer is not None:
            stream.handshake_timer.cancel()
        self._depart(stream)
        stream.established = True

    def _depart(self, stream: Stream) -> None:
        """One stranger less, if it was one."""
        if stream.inbound and not stream.established:
            self.strangers.depart(stream.host)

    def _send(self, stream: Stream, now: float) -> None:
        try:
            count = stream.send()
            if stream.closing and not stream.unsent:
                stream.shut_down()
        except OSError as error:
            self._lose(stream, str(error), now)
            return
        if stream.unsent:
            self._full.add(stream)
        elif self._full:
            self._full.discard(stream)
        if count:
            self._reactor.counters["bytes_out"] += count
            if not stream.closing:
                self._node.sent(stream.link, count, now)

    def _reject(self, stream: Stream) -> None:
        """Read nothing more of a stream; it is finished once the node has had its say."""
        stream.closing = True
        self.rejected.append(stream)

    def _finish(self, stream: Stream, now: float) -> None:
        """Part with a stream: at once if nothing was said to it, else when that has arrived."""
        if not stream.sent and not stream.unsent:
            self._lose(stream, "closed", now)
            return
        stream.closing = True
        if stream.handshake_timer is not None:
            stream.handshake_timer.cancel()
        if stream.frame_timer is not None:
            stream.frame_timer.cancel()
        stream.linger_timer = self._reactor.timers.at(
            now + self._limits.linger_seconds, lambda now: self._lose(stream, "lingered", now)
        )
        self._lingering.add(stream)
        del self._streams[stream.link]
        self._node.disconnected(stream.link, now)
        if not stream.unsent:
            try:
                stream.shut_down()
            except OSError as error:
                self._lose(stream, str(error), now)

    def _discard(self, stream: Stream, count: int, now: float) -> None:
        stream.discarded += count
        if stream.discarded > _DISCARD_BYTES_MAX:
            self._lose(stream, "would not stop talking", now)

    def _expire(self, stream: Stream, reason: str, now: float) -> None:
        """A deadline of the protocol has passed."""
        self._reactor.count("streams_rejected", stream.host, reason)
        self._lose(stream, reason, now)

    def _lose(self, stream: Stream, reason: str, now: float) -> None:
        """Let go of a stream, now."""
        logger.debug("link %d is gone: %s", stream.link, reason)
        self._depart(stream)
        stream.close()
        self._full.discard(stream)
        self._lingering.discard(stream)
        if self._streams.pop(stream.link, None) is not None:
            self._node.disconnected(stream.link, now)
