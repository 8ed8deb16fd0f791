"""What a node wants done, done: writes, dials, closes, events; and what happens to sockets, told to
the node.

This half of the loop knows effects and sockets. When turns begin, sleep and end is the other half's
business.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from vines.hints import TYPE_CHECKING
from vines.log import logger
from vines.net.dial import Dialler
from vines.net.interfaces import outward
from vines.net.limits import Limits
from vines.net.listener import Listener
from vines.net.reactor import Reactor
from vines.net.resolve import Resolver
from vines.net.sockets import is_wildcard, listening_pair
from vines.net.streams import Streams
from vines.net.udp import Datagrams
from vines.protocol.machine import Address, Close, Dial, Effect, Emit, Persist, Send, Write

if TYPE_CHECKING:
    from vines.net.driven import Disk, Driven


_ROUNDS_MAX = 8
"""Times in one turn that carrying out effects may make more of them: a close tells the node, which
may dial.
"""


class Driver:
    """A node's hands. `post` runs something on the loop's thread; all but `bind` and `stats` run
    there.
    """

    def __init__(
        self,
        node: Driven,
        reactor: Reactor,
        limits: Limits,
        *,
        tell: Callable[[list[object]], None],
        post: Callable[[Callable[[float], None]], bool],
        disk: Disk | None = None,
    ) -> None:
        self._node = node
        self._disk = disk
        self._reactor = reactor
        self._limits = limits
        self._tell = tell
        self.streams = Streams(reactor, node, limits)
        self._resolver = Resolver(post, limits.resolving_max)
        self._dialler = Dialler(
            reactor,
            self._resolver,
            limits,
            timeout=node.config.dial_timeout,
            opened=self._dialled,
            failed=node.dial_failed,
            own=self._is_own,
        )
        self._listening: list[Listening] = []

    def bind(self, host: str, port: int, advertise: Address | None) -> Listening:
        """Bind TCP and UDP of one number; in the caller's thread, so that what fails is raised
        there.
        """
        stream, datagram = listening_pair(host, port)
        listening = Listening(
            self._node,
            Listener(
                self._reactor,
                self._limits,
                stream,
                room=self.streams.strangers.room,
                accepted=self._accepted,
            ),
            Datagrams(
                self._reactor,
                self._limits,
                datagram,
                take=self._node.datagram,
                resolve=self._resolver.resolve,
            ),
            advertise,
        )
        self._listening.append(listening)
        return listening

    def carry_out(self, now: float) -> bool:
        """Empty the outbox, send, tell: in that order, so that peers do not wait for users. Only
        what is urgent is told first.

        Returns whether anything was to be sent, or is still.
        """
        urgent, events = self._empty(now)
        if self._disk is not None:
            self._disk.commit()
        if urgent:
            self._hand_on(events)
        sent = self.streams.flush(now)
        if events and not urgent:
            self._hand_on(events)
        return sent

    def hasten(self, now: float) -> None:
        """Tell what is urgent while the turn goes on; what it has to send waits for its end."""
        self._hand_on(self._empty(now)[1])

    def _empty(self, now: float) -> tuple[bool, list[object]]:
        """Empty the outbox; whether what is to be told is urgent, and what it is."""
        events: list[object] = []
        outbox, write = self._node.outbox, self.streams.write
        urgent = False
        for _ in range(_ROUNDS_MAX):
            urgent = urgent or outbox.urgent
            for effect in outbox.take():
                if type(effect) is Write:
                    write(*effect)
                elif type(effect) is Emit:
                    events.append(effect.event)
                else:
                    self._perform(effect, now)
            if self.streams.rejected:
                self.streams.finish_rejected(now)
            if not outbox:
                break
        return urgent, events

    def _hand_on(self, events: list[object]) -> None:
        try:
            self._tell(events)
        except Exception:
            self._reactor.counters["bugs"] += 1
            logger.exception("events could not be told")

    def stats(self) -> dict[str, int | float]:
        """Gauges."""
        return {
            "streams": len(self.streams),
            "strangers": len(self.streams.strangers),
            "dials": len(self._dialler),
            "datagram_buffer_bytes": max(
                (listening.datagrams.buffer_bytes for listening in self._listening), default=0
            ),
        }

    def close(self) -> None:
        """Close every socket."""
        self._dialler.close()
        self.streams.close_all()
        for listening in self._listening:
            listening.close()

    def abandon(self) -> None:
        """In a forked child: close what the selector may not have known."""
        for listening in self._listening:
            listening.abandon()

    def _perform(self, effect: Effect, now: float) -> None:
        if isinstance(effect, Send):
            if self._listening:
                self._listening[0].datagrams.send(effect.address, effect.data, now)
        elif isinstance(effect, Dial):
            self._dialler.dial(effect.ticket, effect.address, now)
        elif isinstance(effect, Close):
            self.streams.close(effect.link, effect.reason, now)
        else:
            assert isinstance(effect, Persist)
            assert self._disk is not None, "a node without a disk asks for none"
            self._disk.keep(*effect)

    def _accepted(self, sock: socket.socket, host: str, now: float) -> None:
        self.streams.open(sock, host, None, now)

    def _dialled(self, sock: socket.socket, ticket: int, now: float) -> None:
        self.streams.open(sock, "", ticket, now)

    def _is_own(self, sock: socket.socket) -> bool:
        """Whether a stream we dialled ends at a port of this very node."""
        here, there = sock.getsockname()[0], sock.getpeername()
        for listening in self._listening:
            host, port = listening.address
            if port == there[1] and (host == there[0] or (is_wildcard(host) and here == there[0])):
                return True
        return False


class Listening:
    """One number held by a stream listener and a datagram socket, and where the node says it can be
    dialled.
    """

    def __init__(
        self, node: Driven, listener: Listener, datagrams: Datagrams, advertise: Address | None
    ) -> None:
        self.listener = listener
        self.datagrams = datagrams
        self.address = listener.address
        self._node = node
        self._advertise = advertise or self.address
        if advertise is None and is_wildcard(self.address[0]):
            self._advertise = (outward(listener.socket.family), self.address[1])

    def begin(self, now: float) -> None:
        """Watch both sockets and tell the node; nothing if it has all been closed meanwhile."""
        if not self.listener.closed:
            self.listener.watch()
            self.datagrams.watch()
            self._node.listening(self._advertise, now, bound=self.address)

    def close(self) -> None:
        """Free the number."""
        self.listener.close()
        self.datagrams.close()

    def abandon(self) -> None:
        """In a forked child: close without telling the selector."""
        self.listener.abandon()
        self.datagrams.abandon()
