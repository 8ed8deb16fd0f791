"""Datagrams: read a bounded number a turn, judge each, count it.

No datagram has a use yet, so each one is dropped, under the reason for which it would have been.
Errors are normal on UDP (an unreachable peer is reported on a later receive, a firewall as a
permission): they are counted, never raised.
"""

from __future__ import annotations

import errno
import socket

from vines.errors import WireError
from vines.log import logger
from vines.net.limits import Limits
from vines.net.reactor import READ, Reactor
from vines.protocol.wire.datagram import DATAGRAM_BYTES_MAX, HEAD_BYTES, Datagram
from vines.protocol.wire.hello import MAGIC, VERSION_HIGH, VERSION_LOW


class Datagrams:
    """A bound UDP socket."""

    def __init__(self, reactor: Reactor, limits: Limits, sock: socket.socket) -> None:
        self.socket = sock
        self.closed = False
        self.served = 0
        self.buffer_bytes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self._reactor = reactor
        self._limits = limits
        logger.info("datagram receive buffer: %d bytes granted", self.buffer_bytes)

    def watch(self) -> None:
        """Begin to read."""
        if not self.closed:
            self._reactor.watch(self.socket, READ, self)

    def ready(self, _mask: int, _now: float) -> None:
        """Read what has come, but leave something for the next turn."""
        for _ in range(self._limits.datagrams_per_turn):
            try:
                data = self.socket.recv(DATAGRAM_BYTES_MAX + 1)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    # How Windows says that the rest was cut off.
                    self._drop("oversize")
                    continue
                self._reactor.count("datagram errors", str(error))
                continue
            self._reactor.counters["datagrams received"] += 1
            if len(data) > DATAGRAM_BYTES_MAX:
                # One byte more than the maximum was asked for: the rest is cut off, unseen.
                self._drop("oversize")
            else:
                self._drop(judge(data))

    def close(self) -> None:
        """Stop reading; the port is free."""
        self.closed = True
        self._reactor.forget(self.socket)
        self.socket.close()

    def abandon(self) -> None:
        """In a forked child: close without telling the selector, which is shared."""
        self.closed = True
        self.socket.close()

    def _drop(self, reason: str) -> None:
        self._reactor.count(f"datagram rejected: {reason}")


def judge(data: bytes) -> str:
    """Why to drop a datagram; cheap for what is plainly not ours."""
    if len(data) < HEAD_BYTES:
        return "short"
    if not data.startswith(MAGIC):
        return "magic"
    if not VERSION_LOW <= data[len(MAGIC)] <= VERSION_HIGH:
        return "version"
    try:
        Datagram.decode(data)
    except WireError:
        return "malformed"
    return "no use"
