"""Where a user says other nodes are: parsing seeds and hosts, and which of them lie beyond this
machine.

Nothing here asks a resolver: a name is judged by its spelling, so `localhost` is this machine and
every other name may be anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from vines.errors import Insecure, InvalidAddress, shortened
from vines.hints import TYPE_CHECKING
from vines.protocol.machine import Address

if TYPE_CHECKING:
    import ipaddress

HOST_LENGTH_MAX = 253
"""RFC 1035, 2.3.4: a name of 255 octets on the wire has at most 253 characters in writing."""


def parse_seeds(seeds: Sequence[object]) -> list[Address]:
    """The addresses meant by the arguments of `join`: any number of seeds and lists of seeds, or a
    port and a host.

    A seed is "host:port", "[IPv6]:port", (host, port) or a port of this machine. Raises
    InvalidAddress.
    """
    if len(seeds) == 2 and _is_port_and_host(*seeds):
        return [_address(seeds[1], seeds[0])]
    addresses: list[Address] = []
    for seed in seeds:
        if isinstance(seed, list | tuple) and not _is_pair(seed):
            addresses.extend(parse_seeds(seed))
        else:
            addresses.append(parse_seed(seed))
    return addresses


def parse_seed(seed: object) -> Address:
    """One address from one seed. Raises InvalidAddress."""
    if isinstance(seed, list | tuple) and _is_pair(seed):
        return _address(*seed)
    if isinstance(seed, int):
        return _address("127.0.0.1", seed)
    if not isinstance(seed, str):
        raise InvalidAddress(
            f"{shortened(seed)} is not an address: say 'host:port', (host, port) or a port"
        )
    host, _, port = seed.strip().rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        raise InvalidAddress(
            f"{shortened(seed)} lacks host or port: say 'host:port', IPv6 as '[::1]:port'"
        )
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise InvalidAddress(
            f"{shortened(seed)} is ambiguous: say IPv6 in brackets, as '[::1]:port'"
        )
    return _address(host, int(port[:6]))


def parse_advertised(advertised: object, port: int) -> Address:
    """What others shall dial: "host", "host:port" or (host, port); `port` if there is none of its
    own, which may be 0. Raises InvalidAddress.
    """
    if not isinstance(advertised, str) or not _is_bare(advertised):
        return parse_seed(advertised)
    host, _ = _address(advertised.strip("[]"), port or 1)
    return host, port


def check_port(port: object) -> int:
    """The port, if it is one to bind: 0 is any that is free. Raises InvalidAddress."""
    if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
        raise InvalidAddress(f"{shortened(port)} is not a port: say a number from 0 (any) to 65535")
    return port


def check_host(host: object) -> str:
    """The host, if it is spelled like a name or a numeric address. Raises InvalidAddress."""
    if not isinstance(host, str) or not host:
        raise InvalidAddress(f"{shortened(host)} is not a host: say a name or a numeric address")
    if numeric_address(host) is None and not _is_name(host):
        raise InvalidAddress(f"{shortened(host)} is neither a name nor a numeric address")
    return host


def is_loopback(host: str) -> bool:
    """Whether a host can only be this machine."""
    numeric = numeric_address(host)
    if numeric is None:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")
    return numeric.is_loopback


def require_loopback(host: str, wanted: str) -> None:
    """Refuse a host beyond this machine; `wanted` says what it was meant for. Raises Insecure."""
    if not is_loopback(host):
        raise Insecure(
            f"{wanted} {shortened(host)} reaches beyond this machine, and without a key whoever"
            " reaches the port can read and write everything. If the network is trusted, say"
            " Vine(insecure=True) or set VINES_INSECURE=1; nothing changed"
        )


def _address(host: object, port: object) -> Address:
    name = check_host(host)
    if not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535:
        raise InvalidAddress(f"{shortened(port)} is not a port: say a number from 1 to 65535")
    numeric = numeric_address(name)
    if numeric is not None and (numeric.is_unspecified or numeric.is_multicast):
        raise InvalidAddress(f"{shortened(name)} is not the address of one machine")
    return name, port


def numeric_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address a text spells, None if it is a name; IPv4 mapped into IPv6 counts as IPv4."""
    import ipaddress  # here, not above: it is most of what importing this module would cost

    try:
        numeric = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = numeric.ipv4_mapped if isinstance(numeric, ipaddress.IPv6Address) else None
    return mapped or numeric


def _is_name(host: str) -> bool:
    """Letters, digits, hyphens and underscores between dots, and no misspelled numeric address."""
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return False
    labels = host.removesuffix(".").split(".")
    return (
        len(host) <= HOST_LENGTH_MAX
        and all(label.replace("-", "a").replace("_", "a").isalnum() for label in labels)
        and not labels[-1].isdigit()
    )


def _is_pair(seed: Sequence[object]) -> bool:
    return len(seed) == 2 and isinstance(seed[0], str) and isinstance(seed[1], int)


def _is_port_and_host(port: object, host: object) -> bool:
    """Whether two arguments are a port and its host, and not two seeds."""
    if not isinstance(port, int) or not isinstance(host, str):
        return False
    return _is_bare(host)


def _is_bare(host: str) -> bool:
    """Whether this is a host and no port."""
    return ":" not in host or host.endswith("]") or numeric_address(host) is not None
