"""The caps of the protocol: what is at the limit goes through, one more is refused; and declared
sizes cost nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from vines._core import wire
from vines._core.vector import VersionVector
from vines.errors import LocalError, WireError

from .forms import COUNTER_MAX, KEY_MAX, STAMP_MAX, VALUE_MAX, Record, varint, write_page
from .kinds import CORE, SANITIZED, A, B, C, Kind, frame, frames, new, record, span, state


def test_the_caps_are_those_of_the_protocol() -> None:
    assert (wire.KEY_BYTES_MAX, wire.VALUE_BYTES_MAX) == (KEY_MAX, VALUE_MAX) == (1024, 1 << 20)
    assert (wire.STAMP_MAX, wire.COUNTER_MAX) == (STAMP_MAX, COUNTER_MAX) == (2**63 - 1, 2**48 - 1)


LIMITS: dict[str, tuple[Record, Record]] = {
    "key": (record(b"k" * KEY_MAX, 1, A, 1), record(b"k" * (KEY_MAX + 1), 1, A, 1)),
    "no key": (record(b"k", 1, A, 1), record(b"", 1, A, 1)),
    "value": (
        record(b"k", 1, A, 1, value=bytes(VALUE_MAX)),
        record(b"k", 1, A, 1, value=bytes(VALUE_MAX + 1)),
    ),
    "stamp": (record(b"k", STAMP_MAX, A, 1), record(b"k", STAMP_MAX + 1, A, 1)),
    "stamp below": (record(b"k", 0, A, 1), record(b"k", -1, A, 1)),
    "counter elsewhere": (record(b"k", 1, B, COUNTER_MAX), record(b"k", 1, B, COUNTER_MAX + 1)),
    "counter elsewhere below": (record(b"k", 1, B, 1), record(b"k", 1, B, 0)),
}


@pytest.mark.parametrize("what", LIMITS)
def test_a_record_at_the_limit_is_merged_and_one_beyond_is_refused(kind: Kind, what: str) -> None:
    good, bad = LIMITS[what]
    table, other = new(kind, C), new(kind, C)
    assert table.apply(frame(span(A, 0, 1, (1, good)))) == []
    other.apply_page(bytes(write_page([good]).data))
    assert table.records() == other.records() == [tuple(good)]
    (sent,) = frames(kind, table, 1)
    assert sent == frame(span(A, 0, 1, (1, good)))
    before = state(table)
    with pytest.raises(ValueError):  # noqa: PT011
        table.apply(
            frame(span(A, 1, 2, (2, bad._replace(counter=bad.counter + (bad.source == A)))))
        )
    with pytest.raises(ValueError):  # noqa: PT011
        table.apply_page(bytes(write_page([bad]).data))
    assert state(table) == before


def test_stamps_may_swing_from_one_end_to_the_other(kind: Kind) -> None:
    table, other = new(kind, C), new(kind, B)
    stamps = [STAMP_MAX, 0, STAMP_MAX, 2**62, 0]
    held = [(n, record(b"k%d" % n, stamp, A, n)) for n, stamp in enumerate(stamps, 1)]
    data = frame(span(A, 0, 5, *held))
    assert table.apply(data) == [] and [r[2] for r in table.records()] == stamps
    assert frames(kind, table, 4096) == [data]
    other.apply_page(table.page(0, 4096)[0])
    assert other.records() == table.records()


def test_a_counter_may_reach_the_limit_and_not_pass_it(kind: Kind) -> None:
    table = new(kind, C)
    last = record(b"k", 1, A, COUNTER_MAX)
    assert table.apply(frame(span(A, 0, COUNTER_MAX - 1))) == []
    assert table.apply(frame(span(A, COUNTER_MAX - 1, COUNTER_MAX, (COUNTER_MAX, last)))) == []
    assert table.covered(A) == COUNTER_MAX and table.entries(A) == [(COUNTER_MAX, 0, b"k")]
    for bad in (
        span(B, 0, COUNTER_MAX + 1),
        span(B, COUNTER_MAX, COUNTER_MAX + 1),
        span(A, COUNTER_MAX, COUNTER_MAX + 1, (COUNTER_MAX + 1, last)),
        span(B, COUNTER_MAX + 1, COUNTER_MAX + 2),
    ):
        before = state(table)
        with pytest.raises(ValueError):  # noqa: PT011
            table.apply(frame(bad))
        assert state(table) == before


@pytest.mark.parametrize(
    "arguments",
    [
        (0, b"", 0, b"v", 1),
        (0, b"k" * (KEY_MAX + 1), 0, b"v", 1),
        (0, b"k", 0, bytes(VALUE_MAX + 1), 1),
        (0, b"k", 0, b"v", -1),
        (0, b"k", 0, b"v", STAMP_MAX + 1),
        (0, b"k", 0, b"v", 2**64 + 1),
        (-1, b"k", 0, b"v", 1),
        (256, b"k", 0, b"v", 1),
        (0, b"k", -1, b"v", 1),
        (0, b"k", 256, b"v", 1),
    ],
)
def test_a_local_write_beyond_a_limit_is_refused_at_the_call(arguments: tuple[Any, ...]) -> None:
    table = new(CORE, A)
    before = state(table)
    with pytest.raises((ValueError, OverflowError)):
        table.put(*arguments)
    assert state(table) == before


def test_a_local_write_at_the_limits_goes_through() -> None:
    table = new(CORE, A)
    assert table.put(255, b"k" * KEY_MAX, 255, bytes(VALUE_MAX), STAMP_MAX)
    assert table.records() == [(255, b"k" * KEY_MAX, STAMP_MAX, A, A, 1, 255, bytes(VALUE_MAX))]
    for key, value in ((b"", b"v"), (b"k" * (KEY_MAX + 1), b"v"), (b"k", bytes(VALUE_MAX + 1))):
        with pytest.raises(ValueError):  # noqa: PT011
            table.write(key, 0, value, 1)
    assert table.counter == 1


def test_no_local_write_gets_a_stamp_that_cannot_travel() -> None:
    """Nothing stamps above the highest stamp there is: the call says so, and nothing has
    changed."""
    table = new(CORE, C)
    table.apply(frame(span(A, 0, 1, (1, record(b"k", STAMP_MAX, A, 1)))), 0, None, 0)
    before = state(table)
    with pytest.raises(LocalError):
        table.write(b"k", 0, b"v", 1)
    assert state(table) == before
    assert table.write(b"other", 0, b"v", 1) < STAMP_MAX
    assert table.delta_for(VersionVector(), 1 << 16) is not None


@contextmanager
def little_memory(spare: int) -> Iterator[None]:
    """Refuse this process more than `spare` bytes of new address space."""
    resource = pytest.importorskip("resource")
    with open("/proc/self/statm") as statm:
        size = int(statm.read().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (size + spare, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


HUGE = [2**20, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**48 - 1, 2**62, 2**63 - 1]


def declared(size: int) -> list[tuple[Callable[[Any], Any], bytes]]:
    """A few bytes each that announce very many."""
    number, table = varint(size), A + b"\x01"
    entry = b"\x01\x00" + A + b"\x00\x01\x00\x02"
    return [
        (lambda made: made.apply, entry + number),
        (lambda made: made.apply, entry + b"\x01k" + number),
        (
            lambda made: made.apply,
            b"\x01\x00" + A + b"\x00" + number + b"\x00\x02\x01k\x01v\x00\x00",
        ),
        (lambda made: made.apply, b"\x01\x00" + A + b"\x00\x01\x01" + number + b"\x00\x00"),
        (lambda made: made.apply, b"\x01" + number + A + b"\x00\x00\x01"),
        (lambda made: made.apply_page, b"\x02\x00" + b"\x00" + table + b"\x02" + number),
        (lambda made: made.apply_page, b"\x02\x00" + b"\x00" + table + b"\x02\x01k" + number),
        (lambda made: made.apply_page, b"\x02\x00" + number + table + b"\x02\x01k\x00"),
    ]


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="counts address space as Linux does"
)
@pytest.mark.skipif(SANITIZED, reason="the sanitizers take memory of their own")
def test_declared_sizes_are_not_allocated() -> None:
    table = new(CORE, C)
    with little_memory(8 << 20):
        for size in HUGE:
            for method, data in declared(size):
                try:
                    method(table)(data)
                except WireError:
                    continue
                assert size < 2**48, "an absurd size was accepted"


@pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="counts address space as Linux does"
)
@pytest.mark.skipif(SANITIZED, reason="the sanitizers take memory of their own")
def test_a_huge_counter_costs_no_memory() -> None:
    """What a source claims to have numbered is a number, not an array."""
    table = new(CORE, C)
    with little_memory(8 << 20):
        for number in range(100):
            table.apply(frame(span(bytes([number]) * 16, 0, COUNTER_MAX)))
        progress = CORE.progress(table)
        progress.read_page(b"\x03\x03" + A + varint(COUNTER_MAX))
        assert table.delta(progress, 4096) is not None
