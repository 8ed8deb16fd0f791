"""The four wire forms of the core, written the slow and obvious way.

An oracle: it follows docs/wire.md and nothing else. `Written` remembers where every number went, so
that the hostile tests can hit each of them. reading.py is the other direction.
"""

from __future__ import annotations

from typing import NamedTuple

REPEAT, ELSEWHERE, ORIGIN, FAMILY, FLAGS, LEFT = 1, 2, 4, 8, 16, 32
TOMBSTONE, EXPIRING, EPHEMERAL = 1, 2, 4
HIDDEN, SHOWN, ENDED = 1, 2, 3
LEFT_MAX = 10 * 365 * 86_400_000 + 5 * 43_200_000
KEY_MAX, VALUE_MAX = 1024, 1 << 20
STAMP_MAX, COUNTER_MAX = (1 << 63) - 1, (1 << 48) - 1
FIRST, LAST = 1, 2
FADING = 4
"""Mark of a floor page: its sources are about to be forgotten."""


class Record(NamedTuple):
    """One record with its own delivery position."""

    family: int
    key: bytes
    stamp: int
    origin: bytes
    source: bytes
    counter: int
    flags: int
    value: bytes

    @property
    def order(self) -> tuple[int, bytes]:
        """The conflict order: the higher pair wins."""
        return self.stamp, self.origin


class Expiring(Record):
    """A record with the ms it has left beside it; equal whatever that is."""

    left: int

    @classmethod
    def of(cls, record: Record, left: int) -> Expiring:
        made = cls(*record)
        made.left = left
        return made


def left_of(record: Record) -> int:
    """The ms a record has left; 0: it does not lapse, or has."""
    return getattr(record, "left", 0)


def expires(flags: int) -> bool:
    """Whether a record of these flags has a time left."""
    return flags & (EXPIRING | TOMBSTONE) == EXPIRING


def depends(flags: int) -> bool:
    """Whether a record of these flags lives as long as its author."""
    return flags & (EPHEMERAL | TOMBSTONE) == EPHEMERAL


def fades(flags: int) -> bool:
    """Whether a record of these flags ends by itself, or has."""
    return flags & (EXPIRING | EPHEMERAL) > 0


class Range(NamedTuple):
    """What one source numbered above `start` up to `end`: (counter, the current record of its
    key)."""

    source: bytes
    start: int
    end: int
    entries: tuple[tuple[int, Record], ...]


class Written:
    """Bytes under construction, the ids named so far and, for each number, its name and place."""

    def __init__(self, form: int) -> None:
        self.data = bytearray([form])
        self.named: list[bytes] = []
        self.fields: list[tuple[str, int, int]] = []

    def u8(self, value: int) -> None:
        self.data.append(value)

    def varint(self, name: str, value: int) -> None:
        begin = len(self.data)
        self.data += varint(value)
        self.fields.append((name, begin, len(self.data)))

    def blob(self, name: str, value: bytes) -> None:
        self.varint(name, len(value))
        self.data += value

    def source(self, name: str, source: bytes) -> None:
        if source in self.named:
            self.varint(name, self.named.index(source) + 1)
        else:
            self.varint(name, 0)
            self.data += source
            self.named.append(source)


def varint(value: int) -> bytes:
    """Unsigned LEB128, as short as it can be."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def zigzag(value: int) -> int:
    """Small numbers of either sign as small unsigned ones: 0, -1, 1, -2 ... become 0, 1, 2, 3
    ..."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def write_delta(ranges: list[Range]) -> Written:
    """A delta with the shortest heads, each record in full where it first stands."""
    out = Written(1)
    sent: dict[Record, int] = {}
    stamp = 0
    for source, start, end, entries in ranges:
        out.source("range_source", source)
        out.varint("from", start)
        previous = start
        for counter, record in entries:
            out.varint("step", counter - previous)
            previous = counter
            if record in sent:
                out.u8(REPEAT)
                out.varint("back", len(sent) - sent[record])
                continue
            sent[record] = len(sent)
            here = (record.source, record.counter) == (source, counter)
            _write_record(out, record, stamp, 0 if here else ELSEWHERE, position=not here)
            stamp = record.stamp
        out.u8(0)
        out.varint("tail", end - previous)
    return out


def _write_record(
    out: Written, record: Record, stamp: int, elsewhere: int, *, position: bool
) -> None:
    foreign = record.origin != record.source
    head = elsewhere
    head |= ORIGIN if foreign else 0
    head |= FAMILY if record.family else 0
    head |= FLAGS if record.flags else 0
    head |= LEFT if left_of(record) else 0
    out.u8(head)
    if position:
        out.source("source", record.source)
        out.varint("counter", record.counter)
    if foreign:
        out.source("origin", record.origin)
    if record.family:
        out.u8(record.family)
    if record.flags:
        out.u8(record.flags)
    if left_of(record):
        out.varint("left", left_of(record))
    out.varint("stamp", zigzag(record.stamp - stamp))
    out.blob("key_length", record.key)
    out.blob("value_length", record.value)


def write_page(records: list[Record]) -> Written:
    """A page of records with their own positions."""
    out = Written(2)
    stamp = 0
    for record in records:
        _write_record(out, record, stamp, 0, position=True)
        stamp = record.stamp
    return out


def write_vector(items: list[tuple[bytes, int]], mark: int = FIRST | LAST) -> Written:
    """A vector page."""
    out = Written(3)
    out.u8(mark)
    for source, counter in items:
        out.data += source
        out.varint("counter", counter)
    return out


def write_floors(
    items: list[tuple[bytes, int, int]], mark: int = FIRST | LAST, stamp: int = 0
) -> Written:
    """A floor page: the floor stamp, and (source, counter, floor)."""
    out = Written(4)
    out.u8(mark)
    out.varint("floor_stamp", stamp)
    for source, counter, floor in items:
        out.data += source
        out.varint("counter", counter)
        out.varint("floor", floor)
    return out
