"""How names, topics, tags, ids and addresses may be spelled: a user's and a peer's alike."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from vines.hints import TypeGuard

NAME_BYTES_MAX = 64
TAGS_MAX = 16
TAG_BYTES_MAX = 64
TAGS_BYTES_MAX = 512
TOPIC_BYTES_MAX = 256
HOST_CHARACTERS_MAX = 255
_HOSTS_REMEMBERED = 2048
NODE_ID_BYTES = 16


def is_name(name: object) -> bool:
    """Whether this may be a node's name: 1 to 64 bytes, printable, of the Basic Multilingual Plane,
    so safe in logs and terminals.
    """
    return (
        isinstance(name, str)
        and name != ""
        and is_text(name, NAME_BYTES_MAX)
        and (name.isascii() or max(name) <= "\uffff")
    )


def is_topic(topic: object) -> TypeGuard[str]:
    """Whether this may be the topic of an election: 1 to 256 bytes in UTF-8, and no control
    characters (C0, C1 and delete). Those never change: what is printable differs between versions
    of Unicode, and two nodes must not disagree about an election's name.
    """
    if type(topic) is not str or not 0 < len(topic) <= TOPIC_BYTES_MAX:
        return False
    if topic.isascii() and topic.isprintable():
        return True
    if any(each < " " or "\x7f" <= each < "\xa0" for each in topic):
        return False
    try:
        return len(topic.encode()) <= TOPIC_BYTES_MAX
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def is_tags(tags: object) -> bool:
    """Whether these may be a node's tags."""
    if type(tags) is not dict and not isinstance(tags, Mapping):
        return False
    if len(tags) > TAGS_MAX:
        return False
    total = 0
    for key, value in tags.items():
        if not is_text(key, TAG_BYTES_MAX) or key == "" or not is_text(value, TAGS_BYTES_MAX):
            return False
        total += len(key.encode()) + len(value.encode())
    return total <= TAGS_BYTES_MAX


def is_node_id(value: object) -> TypeGuard[bytes]:
    """Whether this may be the id of a node."""
    return type(value) is bytes and len(value) == NODE_ID_BYTES


def is_text(text: object, bytes_max: int) -> bool:
    """Whether this is text of so many bytes at most in UTF-8, and printable."""
    if type(text) is not str or len(text) > bytes_max or not text.isprintable():
        return False
    return text.isascii() or len(text.encode()) <= bytes_max


def is_here(host: str) -> bool:
    """Whether a host can only be this machine, as far as its spelling says: a name that begins like
    a number may lead anywhere.
    """
    if host.startswith("127."):
        return host.isascii() and host.count(".") == 3 and host.replace(".", "").isdecimal()
    return host in _HERE or host.endswith(".localhost")


_HERE = frozenset({"localhost", "::1"})


def is_address(address: object) -> bool:
    """Whether this (host, port) may be dialled: never port 0, nowhere, everywhere, or long text."""
    if not isinstance(address, (tuple, list)) or len(address) != 2:  # a union takes thrice as long
        return False
    host, port = address
    if type(port) is not int or not 1 <= port <= 65_535:
        return False
    return type(host) is str and len(host) <= HOST_CHARACTERS_MAX and _is_host(host)


@lru_cache(maxsize=_HOSTS_REMEMBERED)
def _is_host(host: str) -> bool:
    """Whether this may be dialled; asked of each host in many records and datagrams."""
    if not is_text(host, HOST_CHARACTERS_MAX) or host == "" or " " in host:
        return False
    return _is_one_machine(host)


def _is_one_machine(host: str) -> bool:
    """Whether this is a name, or a numeric address that one machine may have. Numbers are taken in
    the usual spelling only: resolvers also take `0`, `0x0.0` and `00.0.0.0` for nowhere. What is
    not ASCII is judged as what they make of it: circled digits are digits to them.
    """
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return False
    if ":" in host:
        return _is_one_machine_of_ipv6(host)
    labels = host.removesuffix(".").split(".")
    if not all(label.isdecimal() or label[:2].lower() == "0x" for label in labels):
        return host != "*"
    usual = len(labels) == 4 and all(
        len(label) <= 3 and label == str(int(label)) and int(label) <= 255
        for label in labels
        if label.isdecimal()
    )
    return usual and all(map(str.isdecimal, labels)) and 0 < int(labels[0]) < 224


def _is_one_machine_of_ipv6(host: str) -> bool:
    import ipaddress  # here, not above: it takes long to load, and few need it

    try:
        address = ipaddress.IPv6Address(host)
    except ValueError:
        return False
    if address.ipv4_mapped is not None:
        return _is_one_machine(str(address.ipv4_mapped))
    return not address.is_multicast and not address.is_unspecified
