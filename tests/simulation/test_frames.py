"""The independent reader of the wire reads what the core writes."""

from __future__ import annotations

from vines._core import digest
from vines._core.table import EXPIRING, TOMBSTONE, Table
from vines.protocol.wire.messages import DATA, Delta
from vines.simulation.frames import describe, read_delta, read_page, read_vector


def table(letter: bytes) -> Table:
    return Table(letter * 16, bytes(16), bytes(16))


def two_authors() -> Table:
    """A table with records of two sources, a tombstone, strange families and large numbers."""
    one, two = table(b"a"), table(b"b")
    one.write(b"key", 0, b"\x01", 1 << 50)
    one.put(200, b"strange", 0x7F, b"value" * 1000, 3)
    one.write(b"gone", TOMBSTONE, b"", 1 << 20)
    one.write(b"lease", EXPIRING, b"\x05", 1 << 20, 5000)
    message = one.delta_for(two.vector(), 1 << 20)
    assert message is not None
    two.apply(message, limit=1 << 62)
    two.write(b"key", 0, b"\x02", 0)
    return two


def test_a_delta_is_read_as_it_was_written() -> None:
    full = two_authors()
    message = full.delta_for(table(b"c").vector(), 1 << 20)
    assert message is not None
    ranges = read_delta(message)
    assert {(span.source, span.start, span.end) for span in ranges} == {
        (b"a" * 16, 0, 4),
        (b"b" * 16, 0, 1),
    }
    records = {entry.record for span in ranges for entry in span.entries}
    assert sorted(record[:8] for record in records) == full.records()
    assert sum(record.left for record in records) == 5000


def test_pages_of_a_join_are_read_as_they_were_written() -> None:
    full = two_authors()
    records = []
    cursor: int | None = 0
    while cursor is not None:
        page, cursor = full.page(cursor, 1)
        records += read_page(page)
    assert sorted(record[:8] for record in records) == full.records()
    assert sum(record.left for record in records) == 5000


def test_a_vector_is_read_as_it_was_written() -> None:
    full = two_authors()
    pages = digest.vector_pages(full, 1)
    pairs = [pair for page in pages for pair in read_vector(page)]
    assert dict(pairs) == dict(full.vector().items())


def test_a_frame_is_described_in_words() -> None:
    message = two_authors().delta_for(table(b"c").vector(), 1 << 20)
    assert message is not None
    words = describe(Delta(DATA, message).encode())
    assert words.startswith("delta data")
    assert "0..4 [1:b'key' 2:b'strange' 3:b'gone' 4:b'lease']" in words
