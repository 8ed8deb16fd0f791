"""Why a value cannot be carried: what is wrong, where in it, and what to do instead.

This is the slow second look at a value that the packer or the scanner refused; it decides nothing
that they have not decided already. It looks at no more of a value than could be packed, so one
that contains itself, or repeats a part a million times, is explained as surely as any other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime

from vines._core.scanner import CONTAINERS_MAX, DEPTH_MAX
from vines._core.wire import VALUE_BYTES_MAX
from vines.errors import InvalidValue, UnsupportedValue

Refusal = UnsupportedValue | InvalidValue
Container = list[object] | tuple[object, ...] | dict[object, object]

INT_MIN, INT_MAX = -(2**63), 2**64 - 1
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
CARRIED = "None, bool, int, float, str, bytes, list, dict and aware datetime"
SHOWN_CHARACTERS_MAX = 40

# By the name of a class or of one of its bases, so that none of them has to be imported.
REMEDIES = {
    "Enum": "send its value",
    "set": "send a sorted list",
    "frozenset": "send a sorted list",
    "complex": "send its two parts",
    "Decimal": "send a str of it, or a float if rounding is harmless",
    "Fraction": "send its numerator and denominator, or a float if rounding is harmless",
    "UUID": "send its bytes, or a str of it",
    "date": "send its isoformat()",
    "time": "send its isoformat()",
    "timedelta": "send its total_seconds()",
    "PurePath": "send a str of it",
    "ndarray": "send its tolist()",
    "generic": "send its item()",
    "array": "send its tolist() or tobytes()",
    "mappingproxy": "send a dict of it",
    "deque": "send a list of it",
    "range": "send a list of it",
    "generator": "send a list of it",
}


def refusal(value: object, error: Exception | None = None, *, size: int = 0) -> Refusal:
    """The error to raise for a value refused by `error`, or for the `size` in bytes it packs to."""
    if size:
        return _too_large("value", f"{size:,}")
    try:
        found = _Search().look(value, "value")
    except Exception as failure:  # raised by code of the value: an iteration, a time zone
        error = failure
        found = None
    if found is not None or error is None:
        return found or _too_large("value", f"more than {VALUE_BYTES_MAX:,}")
    return UnsupportedValue(
        f"value does not pack to what its types promise ({type(error).__name__}: {error}): "
        f"build it of plain {CARRIED}; nothing changed"
    )


class _Search:
    """Looks for the first fault, depth first, and keeps count of what all of it would take."""

    def __init__(self) -> None:
        self.weight = 0
        self.containers = 0
        self.open: list[Container] = []

    def look(self, value: object, where: str) -> Refusal | None:
        self.weight += 1
        if isinstance(value, (str, bytes, bytearray)):
            self.weight += len(value)
        elif isinstance(value, memoryview):
            self.weight += value.nbytes
        if self.weight > VALUE_BYTES_MAX:
            return _too_large("value", f"more than {VALUE_BYTES_MAX:,}")
        if isinstance(value, (list, tuple, dict)):
            return self.enter(value, where)
        return _scalar_fault(value, where)

    def enter(self, value: Container, where: str) -> Refusal | None:
        self.containers += 1
        if any(value is parent for parent in self.open):
            return _invalid(where, "is a container that it is itself inside of", "send a copy")
        if len(self.open) == DEPTH_MAX:
            what = f"is nested in {DEPTH_MAX} other containers, the most there may be"
            return _invalid(where, what, "flatten it, or keep parts of it under keys of their own")
        if self.containers > CONTAINERS_MAX:
            what = f"holds more than {CONTAINERS_MAX:,} lists and dicts"
            return _invalid("value", what, "keep parts of it under keys of their own")
        self.open.append(value)
        found = self.look_inside(value, where)
        self.open.pop()
        return found

    def look_inside(self, value: Container, where: str) -> Refusal | None:
        if not isinstance(value, dict):
            for index, item in enumerate(value):
                found = self.look(item, f"{where}[{index}]")
                if found is not None:
                    return found
            return None
        for key, item in value.items():
            found = _key_fault(key, where) or self.look(key, f"the key {_shown(key)} of {where}")
            found = found or self.look(item, f"{where}[{_shown(key)}]")
            if found is not None:
                return found
        return _equal_keys(value, where)


def _key_fault(key: object, where: str) -> Refusal | None:
    if isinstance(key, (str, int)) and not isinstance(key, bool):
        return None
    return UnsupportedValue(
        f"{where} has the key {_shown(key)} of type {type(key).__name__}: "
        "make it a str or an int, or send a list of pairs; nothing changed"
    )


def _equal_keys(value: dict[object, object], where: str) -> Refusal | None:
    """Keys of subclasses may differ in Python and yet be the same text or number once packed."""
    plain = [str.__str__(key) if isinstance(key, str) else key for key in value]
    if len(set(plain)) == len(plain):
        return None
    return _invalid(where, "has keys that are equal once they are plain str", "rename one of them")


def _text_fault(value: str, where: str) -> Refusal | None:
    try:
        str.encode(value)
    except UnicodeEncodeError as error:
        what = f"has a lone surrogate at index {error.start}, which is no text"
        return _invalid(where, what, "send bytes, or encode it with errors='replace' first")
    return None


def _integer_fault(value: int, where: str) -> Refusal | None:
    if INT_MIN <= value <= INT_MAX:
        return None
    return _invalid(where, "is an int outside -2**63 to 2**64 - 1", "send a str or bytes of it")


def _float_fault(value: float, where: str) -> Refusal | None:
    if math.isfinite(value):
        return None
    return _invalid(where, f"is {float(value)}, not a finite number", "send None or a str instead")


def _datetime_fault(value: datetime, where: str) -> Refusal | None:
    if value.utcoffset() is None:
        what = "is a datetime without a time zone, which means another instant on each machine"
        return _invalid(where, what, "use datetime.now(UTC), or its astimezone()")
    if EARLIEST <= value <= LATEST:
        return None
    return _invalid(where, "is outside the years 1 to 9999 in UTC", "send a str of it")


def _view_fault(value: memoryview, where: str) -> Refusal | None:
    if value.c_contiguous:
        return None
    return _invalid(where, "is a memoryview with gaps", "send bytes of it")


# bool is an int; whatever is in none of the rows is not carried.
SCALARS: tuple[tuple[type, Callable[..., Refusal | None]], ...] = (
    (str, _text_fault),
    (int, _integer_fault),
    (float, _float_fault),
    (datetime, _datetime_fault),
    (memoryview, _view_fault),
)


def _scalar_fault(value: object, where: str) -> Refusal | None:
    if value is None or isinstance(value, (bytes, bytearray)):
        return None
    for kind, fault in SCALARS:
        if isinstance(value, kind):
            return fault(value, where)
    remedies = (REMEDIES.get(kind.__name__) for kind in type(value).__mro__)
    remedy = next(filter(None, remedies), f"build it of {CARRIED}")
    return UnsupportedValue(
        f"{where} is of type {type(value).__name__}, not carried: {remedy}; nothing changed"
    )


def _invalid(where: str, what: str, remedy: str) -> InvalidValue:
    return InvalidValue(f"{where} {what}: {remedy}; nothing changed")


def _too_large(where: str, size: str) -> InvalidValue:
    what = f"takes {size} bytes packed, at most {VALUE_BYTES_MAX:,} are carried"
    return _invalid(where, what, "split it over several keys")


def _shown(key: object) -> str:
    try:
        text = repr(key)
    except Exception:  # code of the key; or an int with more digits than Python shows
        text = "..."
    return text if len(text) <= SHOWN_CHARACTERS_MAX else f"{text[:SHOWN_CHARACTERS_MAX]}..."
