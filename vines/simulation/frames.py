"""Frames in words: an independent reader of the bulk parts of the wire, for the trace, the counts
and the transcripts.

It is written from docs/wire.md alone and shares no code with the core, so a transcript that
shows what was sent is also a second opinion on the format. It trusts its input: what it reads
was encoded by our own side.
"""

from __future__ import annotations

from typing import NamedTuple

REPEAT, ELSEWHERE, ORIGIN, FAMILY, FLAGS, LEFT = 1, 2, 4, 8, 16, 32

HELLO, REFUSE, DIGEST, VECTOR, DELTA, PULL, FLOOR, JOIN, SNAPSHOT = range(1, 10)
FLUSH, FLUSHED, PING, PONG, BALLOT, SHED = range(10, 16)
ANNOUNCE, GRAFT, PRUNE, DETAIL = range(16, 20)
PROBE, ACK = 20, 21
BEGIN = 1
"""Of a snapshot: it brings floors, no records."""
NAMES = {
    HELLO: "hello",
    REFUSE: "refuse",
    DIGEST: "digest",
    VECTOR: "vector",
    DELTA: "delta",
    PULL: "pull",
    FLOOR: "floor",
    JOIN: "join",
    SNAPSHOT: "snapshot",
    FLUSH: "flush",
    FLUSHED: "flushed",
    PING: "ping",
    PONG: "pong",
    BALLOT: "ballot",
    SHED: "shed",
    ANNOUNCE: "announce",
    GRAFT: "graft",
    PRUNE: "prune",
    DETAIL: "detail",
    PROBE: "probe",
    ACK: "ack",
}
WORDS = {1: "probe", 2: "ack", 3: "ask", 4: "alive", 5: "nack"}
"""Types of datagrams."""


class Record(NamedTuple):
    """A record as it stands in a delta or a page; `source` and `counter` are its own position."""

    family: int
    key: bytes
    stamp: int
    origin: bytes
    source: bytes
    counter: int
    flags: int
    value: bytes
    left: int = 0
    """Milliseconds until it lapses; 0: it does not, or has."""


class Entry(NamedTuple):
    """One position of a range and the record sent for it."""

    counter: int
    head: int
    record: Record


class Range(NamedTuple):
    """The positions of one source from (exclusive) to (inclusive), and the entries among them."""

    source: bytes
    start: int
    end: int
    entries: list[Entry]


class _Reader:
    """Reads varints and strings off the front of a body and numbers the sources it names."""

    def __init__(self, data: bytes, offset: int) -> None:
        self.data = data
        self.offset = offset
        self.stamp = 0
        self._named: list[bytes] = []

    def more(self) -> bool:
        return self.offset < len(self.data)

    def byte(self) -> int:
        self.offset += 1
        return self.data[self.offset - 1]

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def zigzag(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def take(self, length: int) -> bytes:
        self.offset += length
        return self.data[self.offset - length : self.offset]

    def source(self) -> bytes:
        number = self.varint()
        if number:
            return self._named[number - 1]
        self._named.append(self.take(16))
        return self._named[-1]

    def record(self, head: int, source: bytes, counter: int) -> Record:
        """The rest of a record whose own position was read already."""
        origin = self.source() if head & ORIGIN else source
        family = self.byte() if head & FAMILY else 0
        flags = self.byte() if head & FLAGS else 0
        left = self.varint() if head & LEFT else 0
        self.stamp += self.zigzag()
        key = self.take(self.varint())
        value = self.take(self.varint())
        return Record(family, key, self.stamp, origin, source, counter, flags, value, left)


def read_delta(body: bytes, offset: int = 0) -> list[Range]:
    """The ranges of an encoded delta."""
    reader = _Reader(body, offset + 1)
    ranges: list[Range] = []
    written: list[Record] = []
    while reader.more():
        source = reader.source()
        start = counter = reader.varint()
        entries: list[Entry] = []
        while step := reader.varint():
            counter += step
            entries.append(_read_entry(reader, source, counter, written))
        ranges.append(Range(source, start, counter + reader.varint(), entries))
    return ranges


def read_page(body: bytes, offset: int = 0) -> list[Record]:
    """The records of one page of a join."""
    reader = _Reader(body, offset + 1)
    records = []
    while reader.more():
        head = reader.byte()
        records.append(reader.record(head, reader.source(), reader.varint()))
    return records


def read_vector(body: bytes, offset: int = 0) -> list[tuple[bytes, int]]:
    """The (source, counter) pairs of one vector page."""
    reader = _Reader(body, offset + 2)
    pairs = []
    while reader.more():
        pairs.append((reader.take(16), reader.varint()))
    return pairs


def frame_type(frame: bytes) -> int:
    """The type of a frame that still has its length in front."""
    return frame[4]


def joined_table(frame: bytes) -> int | None:
    """Of which table a frame asks for all there is, its length in front; None: it asks for no
    beginning.
    """
    return frame[6] if frame_type(frame) == JOIN and frame[7:] == bytes(8) else None


def joining(frame: bytes) -> list[Record]:
    """The records of data that a frame, without its length, brings to who joins."""
    kind, _, table, marks = frame[:4] if frame[0] == SNAPSHOT else (0, 0, 0, 0)
    return read_page(frame, 12) if kind and table and marks != BEGIN else []


def describe(frame: bytes) -> str:
    """A frame, its length in front, in a few words."""
    kind = frame_type(frame)
    words = NAMES.get(kind, f"type {kind}")
    if kind == DELTA:
        table = ("control", "data")[frame[6]]
        return f"{words} {table} " + "; ".join(map(_describe_range, read_delta(frame, 7)))
    if kind in (DIGEST, VECTOR, PULL, FLOOR, JOIN, SNAPSHOT, ANNOUNCE, GRAFT, PRUNE, DETAIL):
        words += " " + ("control", "data")[frame[6]]
    return f"{words} ({len(frame)} bytes)"


def describe_datagram(data: bytes) -> str:
    """A datagram in a few words: what it is, and by whom."""
    return (
        f"{WORDS.get(data[5], f'type {data[5]}')} from {data[16:32].hex()[:8]} ({len(data)} bytes)"
    )


def _read_entry(reader: _Reader, source: bytes, counter: int, written: list[Record]) -> Entry:
    head = reader.byte()
    if head & REPEAT:
        return Entry(counter, head, written[-reader.varint()])
    if head & ELSEWHERE:
        record = reader.record(head, reader.source(), reader.varint())
    else:
        record = reader.record(head, source, counter)
    written.append(record)
    return Entry(counter, head, record)


def _describe_range(span: Range) -> str:
    entries = " ".join(f"{entry.counter}:{entry.record.key!r}" for entry in span.entries)
    return f"{span.source.hex()[-6:]} {span.start}..{span.end} [{entries}]"
