"""Hypothesis strategies for what travels: ids, records, vectors, and any well-formed delta, honest
or not."""

from __future__ import annotations

from hypothesis import strategies as st

from .forms import COUNTER_MAX, LEFT_MAX, STAMP_MAX, Expiring, Range, Record, expires

SOURCES = [
    bytes([first]) + bytes(14) + bytes([last])
    for first, last in ((0x7F, 1), (0x80, 1), (0xFF, 2), (0x00, 3), (0x00, 4))
]
"""Ids whose order differs between signed and unsigned comparison, and at the last byte only."""

sources = st.sampled_from(SOURCES)
small = st.integers(1, 6)
counters = st.one_of(small, small, st.integers(0, COUNTER_MAX))
stamps = st.one_of(small, small, st.integers(0, STAMP_MAX))
keys = st.one_of(st.sampled_from([b"a", b"b", b"c"]), st.binary(min_size=1, max_size=20))
families = st.sampled_from([0, 0, 0, 1, 7, 255])
flags = st.sampled_from([0, 0, 0, 1, 2, 4, 5, 6, 0x80, 0xFF])
values = st.binary(max_size=12)
lefts = st.sampled_from([1, 1, 2, 5, 1000, LEFT_MAX])
"""The ms that a record has left, if its flags say that it expires."""

vectors = st.dictionaries(st.one_of(sources, st.binary(min_size=16, max_size=16)), counters)
puts = st.tuples(
    st.integers(0, 2), families, st.sampled_from([b"a", b"b", b"c"]), flags, values, small, lefts
).map(lambda put: put if expires(put[3]) else (*put[:6], 0))
"""(replica, family, key, flags, value, stamp, left): stamps collide, so that the origin must
decide."""


contents = st.tuples(families, keys, stamps, flags, values, lefts)
positions = st.tuples(sources, st.one_of(small, st.integers(1, COUNTER_MAX)))


def _record(
    content: tuple[int, bytes, int, int, bytes, int],
    origin: bytes | None,
    position: tuple[bytes, int],
) -> Record:
    family, key, stamp, flags_, value, left = content
    record = Record(family, key, stamp, origin or position[0], *position, flags_, value)
    return Expiring.of(record, left) if expires(flags_) else record


origins = st.one_of(st.none(), sources)
elsewhere = st.builds(_record, contents, origins, positions)
"""Records at any position."""

kinds = st.sampled_from(["here", "here", "elsewhere", "repeat"])
spans = st.tuples(sources, st.sampled_from([0, 0, 1, 2, 4]), st.integers(1, 5), st.integers(0, 31))
"""(source, start, length, which of the counters have entries, as bits)."""


@st.composite
def deltas(draw: st.DrawFn) -> list[Range]:
    """Any well-formed delta: with gaps, of any source in any order, with records that repeat
    across ranges."""
    before: list[Record] = []
    ranges = []
    for source, start, length, bits in draw(st.lists(spans, min_size=1, max_size=4)):
        entries = []
        for number in range(start + 1, start + length + 1):
            if bits >> (number - start - 1) & 1:
                record = _draw_record(draw, before, source, number)
                entries.append((number, record))
        ranges.append(Range(source, start, start + length, tuple(entries)))
    return ranges


def _draw_record(draw: st.DrawFn, before: list[Record], source: bytes, number: int) -> Record:
    kind = draw(kinds)
    if kind == "repeat" and before:
        return draw(st.sampled_from(before))
    if kind == "elsewhere":
        record = draw(elsewhere)
    else:
        record = _record(draw(contents), draw(origins), (source, number))
    before.append(record)
    return record
