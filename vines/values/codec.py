"""The codec of user values: packed once, at the call; unpacked into new objects when one is read.

Values travel as msgpack. What `pack` made passes the very scanner that each receiver runs on what
arrives, so nothing leaves that a peer would refuse. It knows nothing of keys, tables or peers.

Only a value that was refused is walked in Python (refusal.py), to say what is wrong, where, and
what to do. A packer is never shared: a call takes one from the pool and returns it only when all
went well, so no other thread, no code of the value that packs something itself, and no failure can
spoil its buffer.
"""

from __future__ import annotations

from datetime import datetime

from msgpack import Packer, unpackb

from vines._core.plain import pack_plain, unpack_value
from vines._core.scanner import outgrows, scan_value
from vines._core.wire import VALUE_BYTES_MAX
from vines.values.refusal import refusal

POOLED_BYTES_MAX = 65_536
"""A packer keeps room for the largest value it has seen; one that saw a larger one is let go."""

_packers: list[Packer] = []


def pack(value: object) -> bytes:
    """Copy a value into bytes.

    A value is None, a bool, an int of -2**63 to 2**64 - 1, a finite float, a str, bytes, a datetime
    with a time zone, a list of values, or a dict of them with str or int keys; at most 8 containers
    nested in one another, 65,536 in all, and 1 MiB packed.

    An instance of a subclass travels as the plain type (an IntEnum as int), a tuple as a list, a
    bytearray or a contiguous memoryview as bytes; a datetime keeps its instant, not its time zone.

    Raises UnsupportedValue (a TypeError) for other types, InvalidValue (a ValueError) for what is
    out of bounds; both say where in the value, and what to do.
    """
    plain = pack_plain(value)
    if plain is not None:
        return plain
    if outgrows(value, VALUE_BYTES_MAX):
        raise refusal(value)
    try:
        packer = _packers.pop()
    except IndexError:
        packer = Packer(datetime=True, default=_plain)
    try:
        packed: bytes = packer.pack(value)
        scan_value(packed)
    except MemoryError:
        raise
    except Exception as error:
        raise refusal(value, error) from error
    size = len(packed)
    if size > VALUE_BYTES_MAX:
        raise refusal(value, size=size)
    if size <= POOLED_BYTES_MAX:
        _packers.append(packer)
    return packed


def unpack(data: bytes) -> object:
    """The value in `data`; new objects at each call. Raises WireError if it is none.

    Lists come back as list, bytes as bytes, datetimes in UTC.
    """
    return unpack_value(data, unpack_scanned)


def unpack_scanned(data: bytes) -> object:
    """The same for bytes that have passed the scanner: nothing else may come here."""
    return unpackb(data, timestamp=3, strict_map_key=False)


def _plain(value: object) -> object:
    """The plain datetime for one of a subclass; the packer asks about what it does not know."""
    if isinstance(value, datetime):
        day = (value.year, value.month, value.day)
        time = (value.hour, value.minute, value.second, value.microsecond)
        return datetime(*day, *time, tzinfo=value.tzinfo, fold=value.fold)
    raise TypeError(f"no msgpack type for {type(value).__name__}")
