"""Fields of control messages: msgpack maps in and out, and what a field must be to be believed.

The only importer of msgpack in the protocol. The core's scanner sees the bytes first, so the
library never meets a length that lies, a duplicate key or an extension; what it returns is then
checked field by field, types exactly. Fields nobody knows are skipped: that is how later versions
add some.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgpack

from vines._core.scanner import scan_message
from vines._core.wire import COUNTER_MAX
from vines.errors import WireError
from vines.hints import Any, Final
from vines.protocol.machine import Address
from vines.spelling import TOPIC_BYTES_MAX, is_address, is_name, is_topic

ID_BYTES: Final = 16
FINGERPRINT_BYTES: Final = 32
TEXT_CHARACTERS_MAX: Final = 200


def pack(values: Mapping[str, object]) -> bytes:
    """The one encoding of a map of ours."""
    packed: bytes = msgpack.packb(values, use_bin_type=True)
    return packed


def unpack(data: bytes, offset: int = 0) -> dict[str, Any]:
    """The map that `data` holds from `offset` to its end. WireError if it is anything else."""
    scan_message(data, offset)
    values: dict[str, Any] = msgpack.unpackb(memoryview(data)[offset:], raw=False)
    return values


def whole_number(
    values: Mapping[str, Any], name: str, most: int = COUNTER_MAX, least: int = 0
) -> int:
    """The field as an int from `least` to `most`. WireError."""
    value = values.get(name)
    if type(value) is not int or not least <= value <= most:
        raise wrong(name, f"a number from {least} to {most}")
    return value


def truth(values: Mapping[str, Any], name: str) -> bool:
    """The field as a bool. WireError."""
    value = values.get(name)
    if type(value) is not bool:
        raise wrong(name, "true or false")
    return value


def octets(values: Mapping[str, Any], name: str, length: int = ID_BYTES) -> bytes:
    """The field as exactly `length` bytes. WireError."""
    value = values.get(name)
    if type(value) is not bytes or len(value) != length:
        raise wrong(name, f"{length} bytes")
    return value


def blob(values: Mapping[str, Any], name: str, most: int, least: int = 0) -> bytes:
    """The field as `least` to `most` bytes. WireError."""
    value = values.get(name)
    if type(value) is not bytes or not least <= len(value) <= most:
        raise wrong(name, f"{least} to {most} bytes")
    return value


def text(values: Mapping[str, Any], name: str) -> str:
    """The field as printable text of at most 200 characters. WireError."""
    value = values.get(name)
    if type(value) is not str or len(value) > TEXT_CHARACTERS_MAX or not value.isprintable():
        raise wrong(name, f"printable text of at most {TEXT_CHARACTERS_MAX} characters")
    return value


def node_name(values: Mapping[str, Any], name: str) -> str:
    """The field as the name of a node. WireError."""
    value = values.get(name)
    if type(value) is not str or not is_name(value):
        raise wrong(name, "a node's name")
    return value


def topic(values: Mapping[str, Any], name: str) -> str:
    """The field as the topic of an election. WireError."""
    value = values.get(name)
    if type(value) is not str or not is_topic(value):
        raise wrong(name, f"1 to {TOPIC_BYTES_MAX} bytes of text without control characters")
    return value


def maybe_address(values: Mapping[str, Any], name: str) -> Address | None:
    """The field as an address that may be dialled, or None for nil. WireError."""
    value = values.get(name)
    if value is None:
        return None
    if not is_address(value):
        raise wrong(name, "an address or nil")
    host, port = value
    return host, port


def versions(values: Mapping[str, Any], name: str) -> tuple[int, int]:
    """The field as a range of protocol versions. WireError."""
    value = values.get(name)
    if type(value) is list and len(value) == 2:
        low, high = value
        if type(low) is int and type(high) is int and 0 <= low <= high <= 255:
            return low, high
    raise wrong(name, "a range of versions")


def wrong(name: str, wanted: str) -> WireError:
    """What to raise of a field that is not what it must be."""
    return WireError(f"field {name!r} is not {wanted}")
