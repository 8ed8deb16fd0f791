"""The fingerprint of a table, computed from nothing: the oracle of the one kept incrementally."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from .forms import Record
from .siphash import siphash13

PRIME = (1 << 61) - 1
NOT_IN_STATE = 1 | 2 | 4
"""Tombstones, records that expire, and records bound to their owner's life."""


def fingerprint(
    key: bytes,
    counters: dict[bytes, int],
    records: Iterable[Record],
    retired: Collection[bytes] = (),
) -> bytes:
    """Roster, two lanes of the vector, and state: 32 bytes."""
    counted = [(s, counter) for s, counter in counters.items() if counter and s not in retired]
    roster = sum(siphash13(key, source) for source, _ in counted)
    lanes = [
        sum(counter * (siphash13(key, source + lane) % PRIME) for source, counter in counted)
        for lane in (b"\x01", b"\x02")
    ]
    state = sum(_part(key, counters, record) for record in records)
    words = (roster % 2**64, lanes[0] % PRIME, lanes[1] % PRIME, state % 2**64)
    return b"".join(word.to_bytes(8, "little") for word in words)


def _part(key: bytes, counters: dict[bytes, int], record: Record) -> int:
    """What a record adds to the state: of those that are not in it, strays are counted alone."""
    if not record.flags & NOT_IN_STATE:
        return _hash(key, record)
    if record.counter <= counters.get(record.source, 0):
        return 0
    return record.counter * (siphash13(key, record.source + b"\x01") % PRIME | 1)


def _hash(key: bytes, record: Record) -> int:
    """What one live record adds to the state fingerprint."""
    content = siphash13(key, bytes([record.flags]) + record.value)
    return siphash13(
        key,
        bytes([record.family])
        + len(record.key).to_bytes(2, "little")
        + record.key
        + record.stamp.to_bytes(8, "little")
        + record.origin
        + content.to_bytes(8, "little"),
    )
