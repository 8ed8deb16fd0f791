"""What the scanner must let through, said by the msgpack library: its oracle.

Bytes are canonical if the library reads them and writes the same bytes again; the rest is a plain
recursive look at what it read. It believes lengths and recurses, so it is for small inputs only.
"""

from __future__ import annotations

import math

import msgpack

INT64_MAX = 2**63 - 1


class Pairs(list[tuple[object, object]]):
    """A map as it stood in the bytes, before a dict could hide that two keys are equal."""


def is_value(data: bytes) -> bool:
    return _is_canonical(data) and _is_sound(_read(data), 8) and _containers(_read(data)) <= 65_536


def is_message(data: bytes) -> bool:
    if not _is_canonical(data):
        return False
    message = _read(data)
    return (
        isinstance(message, Pairs)
        and _is_sound(message, 8)
        and _is_plain(message)
        and _containers(message) <= 1_024
        and _items(message) <= 4_096
    )


def _read(data: bytes) -> object:
    return msgpack.unpackb(data, object_pairs_hook=Pairs, strict_map_key=False)


def _is_canonical(data: bytes) -> bool:
    try:
        value = _plain(_read(data))
    except (ValueError, TypeError, OverflowError, msgpack.UnpackException):
        return False
    return msgpack.packb(value) == data


def _plain(value: object) -> object:
    """As the packer takes it; a map that a dict cannot hold whole loses items and so its bytes."""
    if isinstance(value, Pairs):
        return {_plain(key): _plain(item) for key, item in value}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _is_sound(value: object, levels: int) -> bool:
    if isinstance(value, Pairs):
        return (
            levels > 0
            and all(type(key) in (str, int) for key, _ in value)
            and all(_is_sound(item, levels - 1) for _, item in value)
        )
    if isinstance(value, list):
        return levels > 0 and all(_is_sound(item, levels - 1) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, msgpack.Timestamp):
        in_years = -62_135_596_800 <= value.seconds <= 253_402_300_799
        return in_years and value.nanoseconds % 1_000 == 0
    return not isinstance(value, msgpack.ExtType)


def _is_plain(value: object) -> bool:
    if isinstance(value, Pairs):
        return all(
            isinstance(key, str) and _is_plain(key) and _is_plain(item) for key, item in value
        )
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    if isinstance(value, str):
        return len(value.encode()) <= 65_536
    if isinstance(value, int):
        return value <= INT64_MAX
    return not isinstance(value, msgpack.Timestamp)


def _inside(value: object) -> list[object]:
    if isinstance(value, Pairs):
        return [item for pair in value for item in pair]
    return value if isinstance(value, list) else []


def _containers(value: object) -> int:
    return isinstance(value, list) + sum(_containers(item) for item in _inside(value))


def _items(value: object) -> int:
    inside = _inside(value)
    return len(inside) + sum(_items(item) for item in inside)
