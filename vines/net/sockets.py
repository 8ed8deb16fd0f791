"""Making sockets: options, the pair of one number, and what addresses mean to this machine."""

from __future__ import annotations

import errno
import socket

from vines.addresses import numeric_address
from vines.errors import AddressInUse, InvalidAddress
from vines.hints import Any
from vines.protocol.machine import Address

_BACKLOG = 128
_PAIR_ATTEMPTS = 32
"""Ports the kernel may offer for TCP before one is free for UDP as well."""

_KEEPALIVE_IDLE = 2
_KEEPALIVE_INTERVAL = 1
_KEEPALIVE_COUNT = 3
"""A vanished peer is noticed on an idle link after 2 + 3 * 1 seconds, by the kernel alone."""

_USER_TIMEOUT_MS = 10_000
"""A peer that has acknowledged nothing, or taken nothing, for this long is gone: well above any
pause worth keeping a link for, and its state is not lost, only the link.
"""

_NOTSENT_LOWAT = 128 * 1024
"""Bytes the kernel may hold unsent: two full frames, so that a vote does not wait behind megabytes
of bulk.
"""

DATAGRAM_BUFFER = 4 * 1024 * 1024
"""Receive buffer asked for: the default holds 256 small datagrams, a busy cluster's 100 ms pause
loses the rest.
"""


def tune(sock: socket.socket) -> None:
    """Set a stream's options; what a platform does not have is left out."""
    sock.setblocking(False)
    for level, name, value in (
        (socket.IPPROTO_TCP, "TCP_NODELAY", 1),
        (socket.SOL_SOCKET, "SO_KEEPALIVE", 1),
        (socket.IPPROTO_TCP, "TCP_KEEPIDLE", _KEEPALIVE_IDLE),
        (socket.IPPROTO_TCP, "TCP_KEEPALIVE", _KEEPALIVE_IDLE),
        (socket.IPPROTO_TCP, "TCP_KEEPINTVL", _KEEPALIVE_INTERVAL),
        (socket.IPPROTO_TCP, "TCP_KEEPCNT", _KEEPALIVE_COUNT),
        (socket.IPPROTO_TCP, "TCP_USER_TIMEOUT", _USER_TIMEOUT_MS),
        (socket.IPPROTO_TCP, "TCP_NOTSENT_LOWAT", _NOTSENT_LOWAT),
    ):
        option = getattr(socket, name, None)
        if option is not None:
            try:
                sock.setsockopt(level, option, value)
            except OSError:
                # The peer may be gone already, or the kernel older than the constant; neither is
                # ours to fail on.
                pass


def listening_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """A listening TCP socket and a UDP socket on one number; port 0 takes one that is free for
    both.

    Raises AddressInUse or InvalidAddress, and nothing is left open.
    """
    if not 0 <= port <= 65535:
        raise InvalidAddress(f"port {port} is not between 0 and 65535; nothing was opened")
    family, sockaddr = _resolve(host, port)
    attempts = 1 if port else _PAIR_ATTEMPTS
    for attempt in range(attempts):
        stream = socket.socket(family, socket.SOCK_STREAM)
        datagram: socket.socket | None = None
        try:
            _bind(stream, sockaddr)
            stream.listen(_BACKLOG)
            datagram = socket.socket(family, socket.SOCK_DGRAM)
            _bind(datagram, (sockaddr[0], stream.getsockname()[1], *sockaddr[2:]))
            datagram.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, DATAGRAM_BUFFER)
            stream.setblocking(False)
            datagram.setblocking(False)
            return stream, datagram
        except OSError as error:
            stream.close()
            if datagram is not None:
                datagram.close()
            if error.errno != errno.EADDRINUSE or attempt == attempts - 1:
                raise _explain(error, host, port) from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def presentable(sockaddr: tuple[object, ...]) -> Address:
    """What getsockname or getpeername gave, as a host and a port; a scope is kept (fe80::1%3)."""
    host, port = sockaddr[0], sockaddr[1]
    assert isinstance(host, str)
    assert isinstance(port, int)
    if len(sockaddr) == 4 and sockaddr[3] and "%" not in host:
        host = f"{host}%{sockaddr[3]}"
    return host, port


def is_loopback(host: str) -> bool:
    """Whether a numeric address is this machine's own loopback, also when written as IPv6."""
    address = numeric_address(host)
    return address is not None and address.is_loopback


def is_wildcard(host: str) -> bool:
    """Whether a numeric address means every address of this machine."""
    address = numeric_address(host)
    return address is not None and address.is_unspecified


def is_itself(sock: socket.socket) -> bool:
    """Whether a stream is connected to its own end: dialling a free port of the ephemeral range can
    do that.
    """
    return bool(sock.getsockname() == sock.getpeername())


def _resolve(host: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """The family and address to bind; of a name with several, IPv4 first, since that is what others
    try.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, ValueError) as error:
        raise InvalidAddress(
            f"cannot listen on {host!r}: {error}; give an address of this machine"
        ) from error
    family, _, _, _, sockaddr = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return family, sockaddr


def _bind(sock: socket.socket, sockaddr: tuple[Any, ...]) -> None:
    """Bind alone: no other socket may share the port, but the remains of closed streams do not hold
    it.
    """
    exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
    if exclusive is not None:
        sock.setsockopt(socket.SOL_SOCKET, exclusive, 1)
    elif sock.type == socket.SOCK_STREAM:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        # Only the wildcard is for both families; then IPv4 callers are seen as ::ffff:a.b.c.d.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not is_wildcard(sockaddr[0]))
    sock.bind(sockaddr)


def _explain(error: OSError, host: str, port: int) -> OSError | InvalidAddress:
    if error.errno == errno.EADDRINUSE:
        return AddressInUse(
            error.errno,
            f"port {port} on {host} is held by another socket; nothing was opened: "
            "choose another port, or 0 for any free one",
        )
    if error.errno in (errno.EACCES, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
        return InvalidAddress(
            f"cannot listen on {host} port {port}: {error.strerror}; nothing was opened"
        )
    return error
