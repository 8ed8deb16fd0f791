"""What is known of retired sources, against a dict; and the batches in which it is handed on."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.retired import RetiredSources, read_batch, write_batch
from vines._core.table import Table
from vines.errors import WireError

from . import strategies
from .forms import COUNTER_MAX, varint, write_floors, write_page
from .kinds import A, B, C, D, frame, record, span
from .world import FINGERPRINT_KEY, INDEX_KEY

Last = tuple[int, int]
positions = st.one_of(st.integers(0, 3), st.integers(0, COUNTER_MAX))
lasts = st.tuples(positions, positions).filter(any)
said = st.lists(
    st.tuples(st.one_of(strategies.sources, st.binary(min_size=16, max_size=16)), lasts)
)


@given(said)
def test_it_is_a_map_whose_positions_only_rise(entries: list[tuple[bytes, Last]]) -> None:
    retired, oracle = RetiredSources(), dict[bytes, Last]()
    for source, last in entries:
        before = oracle.get(source, (0, 0))
        merged = max(before[0], last[0]), max(before[1], last[1])
        assert retired.say(source, *last) == (merged != before)
        oracle[source] = merged
        assert retired.get(source) == merged
    assert retired.items() == sorted(oracle.items()) and len(retired) == len(oracle)
    assert retired.get(b"\xee" * 16) == oracle.get(b"\xee" * 16)


def test_so_are_many_more_than_come_at_once() -> None:
    """Those that came lately are merged with the others, some hundred at a time."""
    choose, oracle, retired = random.Random(1), dict[bytes, Last](), RetiredSources()
    for number in range(5000):
        source = choose.choice([choose.randbytes(16), number.to_bytes(16, "big"), bytes(16)])
        retired.say(source, number + 1, 0)
        oracle[source] = number + 1, 0
    assert retired.items() == sorted(oracle.items())
    assert all(retired.get(source) == last for source, last in oracle.items())


@given(st.dictionaries(st.binary(min_size=16, max_size=16), lasts, max_size=9), st.data())
def test_what_is_in_no_batch_is_found(entries: dict[bytes, Last], data: st.DataObject) -> None:
    retired = RetiredSources()
    for source, last in entries.items():
        retired.say(source, *last)
    listed = data.draw(st.lists(st.sampled_from(sorted(entries)))) if entries else []
    retired.unlist()
    wrong = {source: entries[source] for source in listed[:1]}
    for source in set(listed):
        control, other = entries[source]
        last = (
            (control + 1, other) if source in wrong and control < COUNTER_MAX else (control, other)
        )
        retired.list_batch(write_batch([(source, last)]))
        if last != entries[source]:
            listed = [each for each in listed if each != source]
    missing = sorted((s, last) for s, last in entries.items() if s not in listed)
    assert sorted(retired.unlisted(100)) == missing
    assert len(retired.unlisted(2)) == min(2, len(missing))
    for source, (control, other) in entries.items():
        if control < COUNTER_MAX:
            retired.say(source, control + 1, other)
            assert (source, (control + 1, other)) in retired.unlisted(100)


@given(st.dictionaries(st.binary(min_size=16, max_size=16), lasts, max_size=9), st.data())
def test_what_a_table_covers_nothing_of_is_found(
    entries: dict[bytes, Last], data: st.DataObject
) -> None:
    """Whether it has a place there or not, however few are looked at in one step."""
    entries.pop(B, None)
    which, retired = data.draw(st.integers(0, 1)), RetiredSources()
    table = Table(B, FINGERPRINT_KEY, INDEX_KEY, retired=retired, which=which)
    for source, last in entries.items():
        retired.say(source, *last)
    missed = []
    for number, source in enumerate(sorted(entries)):
        last = entries[source][which]
        how = data.draw(st.sampled_from(["nothing", "named", "some", "all"])) if last else "none"
        if how == "named":
            made = record(bytes([number]), 9, source, last)
            table.apply_page(bytes(write_page([made]).data))
        elif how in ("some", "all"):
            row = (source, last if how == "all" else 1, 0)
            table.finish_join([bytes(write_floors([row]).data)])
        if how in ("nothing", "named"):
            missed.append(source)
    found: list[bytes] = []
    limit, place = data.draw(st.integers(1, 4)), 0
    while place < len(entries):
        source, following = retired.missed(which, place, limit)
        if source is not None:
            found.append(source)
            assert following is not None and following >= place
            following += 1
        place = len(entries) if following is None else following
    assert found == missed
    assert retired.missed(which, 1 << 60, 1 << 60) == (None, None)
    with pytest.raises(ValueError, match="two tables"):
        retired.missed(2, 0, 1)


LAST_TIME = (1 << 24) - 1


class Model:
    """What is known of retired sources, and when it is forgotten, the slow and obvious way; no
    table names any of them but those in `named`."""

    def __init__(self) -> None:
        self.last: dict[bytes, Last] = {}
        self.times: dict[bytes, int] = {}
        self.listed: set[bytes] = set()
        self.kept: set[bytes] = set()
        self.named: set[bytes] = set()
        self.until = 0

    def say(self, source: bytes, control: int, data: int) -> None:
        before = self.last.get(source, (0, 0))
        self.last[source] = merged = max(before[0], control), max(before[1], data)
        if merged != before:
            self.times.pop(source, None)
            self.listed.discard(source)
            self.kept.discard(source)

    def list_batch(self, entries: list[tuple[bytes, Last]], until: int | None) -> None:
        same = {source for source, last in entries if self.last.get(source) == last}
        self.listed |= same
        self.kept |= same if until is None else set()
        if until and self.until:
            for source in same - self.kept - self.named:
                self.times.setdefault(source, min(until, LAST_TIME))

    def age(self, clock: int, until: int) -> int:
        over = set()
        self.until = until = min(until, LAST_TIME)
        for source in self.last:
            time = self.times.pop(source, None)
            if not until or source in self.kept | self.named:
                continue
            if source in self.listed:
                self.times[source] = until if time is None else time
            elif time is not None and time <= clock:
                over.add(source)
            elif time is not None:
                self.times[source] = time
        for source in over:
            del self.last[source]
        return len(over)

    def unlisted(self) -> list[tuple[bytes, Last]]:
        missing = self.last.keys() - self.kept
        quiet = (self.listed | self.times.keys()) - self.named
        return sorted((source, self.last[source]) for source in missing - quiet)


names = st.sampled_from([bytes([number]) * 16 for number in range(8)])
batches = st.dictionaries(names, st.tuples(st.integers(1, 2), st.integers(0, 2)), max_size=8)
clocks = st.one_of(st.integers(0, 9), st.integers(0, 1 << 64 - 1))
steps = st.one_of(
    st.tuples(st.just("say"), names, st.integers(0, 2), st.integers(1, 2)),
    st.tuples(st.just("list"), batches, st.one_of(st.none(), st.just(0), clocks)),
    st.tuples(st.just("unlist")),
    st.tuples(st.just("age"), clocks, st.one_of(st.just(0), clocks)),
    st.tuples(st.just("name"), names),
)


@given(st.lists(steps, max_size=30))
def test_it_forgets_what_nothing_says_any_more_once_its_time_is_over(steps: list[Any]) -> None:
    retired, model = RetiredSources(), Model()
    table = Table(D, FINGERPRINT_KEY, INDEX_KEY, retired=retired, which=1)
    for step, *values in steps:
        if step == "say":
            retired.say(*values)
            model.say(*values)
        elif step == "list":
            entries = sorted(values[0].items())
            retired.list_batch(write_batch(entries), values[1])
            model.list_batch(entries, values[1])
        elif step == "unlist":
            retired.unlist()
            model.listed.clear()
            model.kept.clear()
        elif step == "name":
            # A record of it comes, far above anything that is covered.
            body = frame(span(values[0], 0, 9, (9, record(b"key" + values[0], 1, values[0], 9))))
            assert table.apply(body) == []
            model.named.add(values[0])
        else:
            assert retired.age(*values) == model.age(*values)
            assert retired.until == model.until
        assert retired.items() == sorted(model.last.items()) and len(retired) == len(model.last)
        assert sorted(retired.unlisted(99)) == model.unlisted()
        entries = sorted((source, (9, 9)) for source in model.named | model.last.keys() | {A})
        idle, named = retired.divide(write_batch(entries))
        current = {source: model.last.get(source, (9, 9)) for source, _ in entries}
        assert dict(named).keys() == model.named & model.last.keys()
        assert dict(idle + named) == current and len(idle + named) == len(entries)


def test_what_is_forgotten_takes_no_memory() -> None:
    retired = RetiredSources()
    table = Table(A, FINGERPRINT_KEY, INDEX_KEY, retired=retired)
    empty = table.statistics()["memory"]
    gone = [(number.to_bytes(16, "big"), (1, 1)) for number in range(1, 5001)]
    for source, last in gone:
        retired.say(source, *last)
    assert table.statistics()["memory"] > empty + 32 * 4000
    for at in range(0, len(gone), 40):
        retired.list_batch(write_batch(gone[at : at + 40]), 0)
    assert retired.age(1, 8) == 0 and retired.age(9, 8) == 0
    retired.unlist()
    assert retired.age(7, 8) == 0 and retired.age(8, 16) == 5000 == retired.forgotten
    assert len(retired) == 0 and retired.items() == []
    assert table.statistics()["memory"] == empty


def test_positions_that_are_none_are_refused() -> None:
    retired = RetiredSources()
    for last in ((COUNTER_MAX + 1, 0), (0, COUNTER_MAX + 1)):
        with pytest.raises(ValueError, match="below"):
            retired.say(A, *last)
        with pytest.raises(ValueError, match="below"):
            write_batch([(A, last)])
    for wrong in (b"short", bytes(17)):
        with pytest.raises(ValueError, match="16 bytes"):
            retired.say(wrong, 1, 1)
    assert len(retired) == 0


GOLDEN = A + b"\x03\x01" + B + b"\x00\xac\x02" + C + b"\xff\xff\xff\xff\xff\xff\x3f\x00"


def test_golden_bytes() -> None:
    entries = [(A, (3, 1)), (B, (0, 300)), (C, (COUNTER_MAX, 0))]
    assert write_batch(entries) == GOLDEN and read_batch(GOLDEN) == entries
    assert read_batch(b"") == [] and write_batch([]) == b""


@given(st.dictionaries(st.binary(min_size=16, max_size=16), lasts, max_size=9))
def test_a_batch_is_read_as_it_was_written(entries: dict[bytes, Last]) -> None:
    batch = write_batch(sorted(entries.items()))
    assert read_batch(batch) == sorted(entries.items())
    assert batch == b"".join(
        source + varint(control) + varint(other)
        for source, (control, other) in sorted(entries.items())
    )


def refused(batch: bytes) -> bool:
    retired = RetiredSources()
    retired.say(A, 3, 1)
    retired.unlist()
    try:
        read_batch(batch)
    except WireError:
        with pytest.raises(WireError):
            retired.list_batch(batch)
        assert retired.items() == [(A, (3, 1))] == retired.unlisted(9)
        return True
    retired.list_batch(batch)
    return False


def test_damage_is_refused_whole() -> None:
    whole = {0, 18, 37, len(GOLDEN)}
    for size in range(len(GOLDEN)):
        assert refused(GOLDEN[:size]) == (size not in whole)
    assert refused(B + b"\x01\x01" + A + b"\x01\x01"), "out of order"
    assert refused(A + b"\x01\x01" + A + b"\x01\x01"), "twice"
    assert refused(A + b"\x00\x00"), "of which there is nothing"
    assert refused(A + b"\x81\x00\x01"), "not the shortest form"
    assert refused(A + b"\x80\x80\x80\x80\x80\x80\x40\x01"), "2**48"


@given(st.integers(0, 8 * len(GOLDEN) - 1), st.integers(0, 8 * len(GOLDEN) - 1))
def test_flipped_bits_are_refused_or_read(one: int, other: int) -> None:
    damaged = bytearray(GOLDEN)
    for bit in (one, other):
        damaged[bit // 8] ^= 1 << bit % 8
    if not refused(bytes(damaged)):
        assert write_batch(read_batch(bytes(damaged))) == damaged


def test_what_is_left_out_with_less_is_not_raised_behind_the_back_of_a_table() -> None:
    retired = RetiredSources()
    made, theirs = (
        Table(source, FINGERPRINT_KEY, INDEX_KEY, retired=shared, which=1)
        for source, shared in ((B, retired), (A, None))
    )
    theirs.write(b"key", 0, b"\x01", 0)
    made.apply(theirs.delta_for(made.vector(), 1 << 16) or b"")
    retired.say(A, 7, 1)
    made.write(b"key", 0, b"\x02", 0)
    assert made.retire(A, 1) and not made.release(100) and made.statistics()["holes"] == 1
    with pytest.raises(ValueError, match="left out with less"):
        retired.say(A, 7, 2)
    assert retired.say(A, 8, 1) and retired.get(A) == (8, 1)
    assert not made.retire(A, 2) and retired.say(A, 0, 2) and not made.is_retired(A)
    with pytest.raises(ValueError, match="two tables"):
        Table(B, FINGERPRINT_KEY, INDEX_KEY, which=2)
