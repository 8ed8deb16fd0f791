"""Which of this machine's addresses others can reach, for a node that listens on all of them."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

from vines.net.sockets import is_loopback, is_wildcard

_SIOCGIFADDR = 0x8915
"""Linux: the IPv4 address of an interface (netdevice(7))."""

_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses of documentation (RFC 5737, RFC 3849): connecting a datagram socket to one sends
nothing.
"""


def outward(family: socket.AddressFamily) -> str:
    """The address this machine would be seen by, the loopback if it is on no network."""
    families = [family] if family == socket.AF_INET else [family, socket.AF_INET]
    for choice in families:
        host = _towards(choice, _ELSEWHERE[choice])
        if host is not None:
            return host
    return _first_interface() or "127.0.0.1"


def _towards(family: socket.AddressFamily, target: str) -> str | None:
    """The source address the routing table chooses; None without a route."""
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            host = probe.getsockname()[0]
    except OSError:
        return None
    assert isinstance(host, str)
    return None if is_loopback(host) or is_wildcard(host) else host


def _first_interface() -> str | None:
    """The first interface with an IPv4 address: a network without a default route is still a
    network.
    """
    try:
        import fcntl
    except ImportError:
        return None
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            names = [name.encode()[:15] for _, name in socket.if_nameindex()]
            hosts = [_address_of(probe, name, fcntl.ioctl) for name in names]
    except OSError:
        return None
    return next((host for host in hosts if host is not None and not is_loopback(host)), None)


def _address_of(
    probe: socket.socket, name: bytes, ioctl: Callable[[int, int, bytes], bytes]
) -> str | None:
    try:
        answer = ioctl(probe.fileno(), _SIOCGIFADDR, struct.pack("256s", name))
    except OSError:
        return None
    return socket.inet_ntoa(answer[20:24])
