"""The four wire forms of the core, read the slow and obvious way: an oracle, like forms.py.

Every `read_*` raises `Malformed` for whatever the forms do not allow, before it returns anything.
"""

from __future__ import annotations

from .forms import (
    COUNTER_MAX,
    ELSEWHERE,
    FADING,
    FAMILY,
    FIRST,
    FLAGS,
    KEY_MAX,
    LAST,
    LEFT,
    LEFT_MAX,
    ORIGIN,
    REPEAT,
    STAMP_MAX,
    VALUE_MAX,
    Expiring,
    Range,
    Record,
    expires,
)


class Malformed(ValueError):
    """Bytes that are not one of the four forms."""


class Reading:
    """A bounded cursor, and the ids named so far."""

    def __init__(self, data: bytes, offset: int, form: int) -> None:
        self.data, self.at = data, offset
        self.named: list[bytes] = []
        if self.u8() != form:
            raise Malformed("another form")

    def more(self) -> bool:
        return self.at < len(self.data)

    def raw(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise Malformed(f"{count} bytes wanted at {self.at}, {len(self.data) - self.at} left")
        self.at += count
        return self.data[self.at - count : self.at]

    def u8(self, low: int = 0) -> int:
        value = self.raw(1)[0]
        if value < low:
            raise Malformed("a zero that should have been left out")
        return value

    def varint(self, bits: int = 63) -> int:
        value = shift = 0
        while True:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if value >> bits:
                raise Malformed(f"varint of more than {bits} bits")
            if byte < 0x80:
                if byte == 0 and shift:
                    raise Malformed("varint longer than it need be")
                return value
            shift += 7

    def bounded(self, low: int, high: int) -> int:
        value = self.varint()
        if not low <= value <= high:
            raise Malformed(f"{value} is not in {low}..{high}")
        return value

    def source(self) -> bytes:
        number = self.bounded(0, len(self.named))
        if number == 0:
            self.named.append(self.raw(16))
        return self.named[number - 1]

    def stamp(self, previous: int) -> int:
        coded = self.varint(64)
        value = previous + (coded >> 1 if not coded & 1 else -((coded + 1) >> 1))
        if not 0 <= value <= STAMP_MAX:
            raise Malformed(f"stamp {value}")
        return value

    def mark(self, known: int = FIRST | LAST) -> int:
        mark = self.u8()
        if mark & ~known:
            raise Malformed(f"mark {mark}")
        return mark


def read_delta(data: bytes, offset: int = 0) -> list[Range]:
    """The ranges; a repeated record is the same object again."""
    reading = Reading(data, offset, 1)
    records: list[Record] = []
    ranges = []
    while reading.more():
        ranges.append(_read_range(reading, records))
    return ranges


def fits(delta: bytes, budget: int) -> bool:
    """Whether a delta keeps to its budget: only one record that stands alone may exceed it."""
    whole = {record for span in read_delta(delta) for _, record in span.entries}
    alone = sum(100 + len(record.key) + len(record.value) for record in whole) or 100
    return len(delta) <= budget + (alone if len(whole) <= 1 else 0)


def _read_range(reading: Reading, records: list[Record]) -> Range:
    source = reading.source()
    start = counter = reading.bounded(0, COUNTER_MAX)
    entries = []
    while step := reading.bounded(0, COUNTER_MAX - counter):
        counter += step
        entries.append((counter, _read_entry(reading, records, source, counter)))
    end = counter + reading.bounded(0, COUNTER_MAX - counter)
    if end == start:
        raise Malformed("an empty range")
    return Range(source, start, end, tuple(entries))


def _read_entry(reading: Reading, records: list[Record], source: bytes, counter: int) -> Record:
    head = reading.u8()
    if head & ~0x3F or (head & REPEAT and head != REPEAT):
        raise Malformed(f"head {head:#x}")
    if head & REPEAT:
        return records[-reading.bounded(1, len(records))]
    if head & ELSEWHERE:
        source, counter = reading.source(), reading.bounded(1, COUNTER_MAX)
    previous = records[-1].stamp if records else 0
    records.append(_read_record(reading, head, source, counter, previous))
    return records[-1]


def _read_record(reading: Reading, head: int, source: bytes, counter: int, previous: int) -> Record:
    origin = reading.source() if head & ORIGIN else source
    family = reading.u8(1) if head & FAMILY else 0
    flags = reading.u8(1) if head & FLAGS else 0
    if expires(flags) != bool(head & LEFT):
        raise Malformed("a time left of what does not expire, or none")
    left = reading.bounded(1, LEFT_MAX) if head & LEFT else 0
    stamp = reading.stamp(previous)
    key = reading.raw(reading.bounded(1, KEY_MAX))
    value = reading.raw(reading.bounded(0, VALUE_MAX))
    record = Record(family, key, stamp, origin, source, counter, flags, value)
    return Expiring.of(record, left) if left else record


def read_page(data: bytes, offset: int = 0) -> list[Record]:
    """The records."""
    reading = Reading(data, offset, 2)
    records: list[Record] = []
    while reading.more():
        head = reading.u8()
        if head & ~(ORIGIN | FAMILY | FLAGS | LEFT):
            raise Malformed(f"head {head:#x}")
        source, counter = reading.source(), reading.bounded(1, COUNTER_MAX)
        previous = records[-1].stamp if records else 0
        records.append(_read_record(reading, head, source, counter, previous))
    return records


def read_vector(data: bytes, offset: int = 0) -> tuple[int, list[tuple[bytes, int]]]:
    """(mark, [(source, counter)])."""
    reading = Reading(data, offset, 3)
    mark = reading.mark()
    items = []
    while reading.more():
        items.append((reading.raw(16), reading.bounded(0, COUNTER_MAX)))
    return mark, items


def read_floors(data: bytes, offset: int = 0) -> tuple[int, list[tuple[bytes, int, int]]]:
    """(mark, [(source, counter, floor)])."""
    return read_floors_and_stamp(data, offset)[:2]


def read_floors_and_stamp(
    data: bytes, offset: int = 0
) -> tuple[int, list[tuple[bytes, int, int]], int]:
    """(mark, [(source, counter, floor)], the floor stamp)."""
    reading = Reading(data, offset, 4)
    mark, stamp = reading.mark(FIRST | LAST | FADING), reading.bounded(0, STAMP_MAX)
    items = []
    while reading.more():
        source, counter = reading.raw(16), reading.bounded(0, COUNTER_MAX)
        items.append((source, counter, reading.bounded(0, counter)))
    return mark, items, stamp
