"""Datagrams: read a bounded number a turn, hand each to the node; send, and never wait for it.

A datagram may be lost, so whatever the kernel says about one is no failure of anything: a peer that
is unreachable, a firewall that forbids (EPERM), a network that is gone (ENETUNREACH), a full queue
(ENOBUFS, or that it would block), a path that takes less (EMSGSIZE). An ICMP error that came back
for an earlier one shows as ECONNREFUSED of a later call. All of them are counted under their names.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from functools import partial

from vines.hints import Any, Final
from vines.log import logger
from vines.net.limits import Limits
from vines.net.reactor import READ, Reactor
from vines.net.resolve import Answer, Target, numeric
from vines.net.sockets import presentable
from vines.protocol.machine import Address
from vines.protocol.wire.datagram import DATAGRAM_BYTES_MAX

NAMES_MAX: Final = 1024
"""Where addresses lead that are remembered at once; of more the oldest is found out anew."""
NAME_SECONDS: Final = 60.0
"""How long it is remembered where a name leads: the time of most records of the DNS."""
LOST_SECONDS: Final = 2.0
"""How long it is remembered that a name leads nowhere: whoever is called so must not be silent, and
so suspected, for longer than it has to object.
"""

Ask = Callable[[Address, Answer], None]
"""Looks a name up, and answers later."""


class Datagrams:
    """A bound UDP socket; `take` gets what arrives, `resolve` looks names up."""

    def __init__(
        self,
        reactor: Reactor,
        limits: Limits,
        sock: socket.socket,
        *,
        take: Callable[[bytes, Address, float], object],
        resolve: Ask,
    ) -> None:
        self.socket = sock
        self.closed = False
        self.served = 0
        self.buffer_bytes = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        self._family = sock.family
        self._reactor = reactor
        self._limits = limits
        self._take = take
        self._resolve = resolve
        self._targets: dict[Address, tuple[Any, ...] | None] = {}
        self._until: dict[Address, float] = {}
        logger.info("datagram receive buffer: %d bytes granted", self.buffer_bytes)

    def watch(self) -> None:
        """Begin to read."""
        if not self.closed:
            self._reactor.watch(self.socket, READ, self)

    def ready(self, _mask: int, now: float) -> None:
        """Read what has come, but leave something for the next turn."""
        for _ in range(self._limits.datagrams_per_turn):
            try:
                data, sockaddr = self.socket.recvfrom(DATAGRAM_BYTES_MAX + 1)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno == errno.EMSGSIZE:
                    # How Windows says that the rest was cut off.
                    self._reactor.count("datagrams_rejected", reason="oversize")
                    continue
                self._fail("in", error)
                continue
            self._reactor.counters["datagrams_in"] += 1
            if len(data) > DATAGRAM_BYTES_MAX:
                # One byte more than the maximum was asked for: the rest is cut off, unseen.
                self._reactor.count("datagrams_rejected", reason="oversize")
            else:
                self._take(data, _source(sockaddr), now)

    def send(self, address: Address, data: bytes, now: float) -> None:
        """Send a datagram, or count why it was not. One for a name that has to be looked up is
        lost, like any; the next one finds its way.
        """
        target = self._target(address, now)
        if target is None or self.closed:
            return
        try:
            self.socket.sendto(data, target)
        except (BlockingIOError, OSError, OverflowError) as error:
            self._fail("out", error)
        else:
            self._reactor.counters["datagrams_out"] += 1

    def close(self) -> None:
        """Stop reading; the port is free."""
        self.closed = True
        self._reactor.forget(self.socket)
        self.socket.close()

    def abandon(self) -> None:
        """In a forked child: close without telling the selector, which is shared."""
        self.closed = True
        self.socket.close()

    def _target(self, address: Address, now: float) -> tuple[Any, ...] | None:
        """Where an address leads on a socket of this family; None if that is not known (yet)."""
        if self._until.get(address, now) <= now:
            if len(self._targets) >= NAMES_MAX:
                self._forget(next(iter(self._targets)))
            found = numeric(address)
            self._until[address] = now + NAME_SECONDS
            if found:
                self._targets[address] = self._choose(found)
            else:
                # What was known still holds until there is an answer.
                self._targets.setdefault(address, None)
                self._resolve(address, partial(self._resolved, address))
        target = self._targets[address]
        if target is None:
            self._reactor.count("datagrams_unaddressed", f"{address[0]}:{address[1]}")
        return target

    def _resolved(self, address: Address, found: list[Target], now: float) -> None:
        if address not in self._targets:
            return
        target = self._choose(found)
        if target is not None:
            self._targets[address] = target
        else:
            self._until[address] = min(self._until[address], now + LOST_SECONDS)

    def _choose(self, found: list[Target]) -> tuple[Any, ...] | None:
        """The first target that this socket can send to."""
        for family, sockaddr in found:
            if family == self._family:
                return sockaddr
            if family == socket.AF_INET and self._family == socket.AF_INET6:
                return f"::ffff:{sockaddr[0]}", sockaddr[1], 0, 0
        return None

    def _forget(self, address: Address) -> None:
        del self._targets[address]
        self._until.pop(address, None)

    def _fail(self, way: str, error: Exception) -> None:
        number = error.errno if isinstance(error, OSError) else None
        name = errno.errorcode.get(number, "other") if number is not None else "other"
        self._reactor.count(f"datagram_errors_{way}", str(error), name)


def _source(sockaddr: tuple[Any, ...]) -> Address:
    """Where a datagram came from; IPv4 as such, also on a socket for both families."""
    host, port = presentable(sockaddr)
    return host.removeprefix("::ffff:") if "." in host else host, port
