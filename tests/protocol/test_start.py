"""Starts of one node, in the order of their sources, whatever their clocks say."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines.protocol.machine import Memory
from vines.protocol.start import fresh_source

CLOCKS = st.integers(-(1 << 62), 1 << 62)
"""Milliseconds: clocks may say anything."""
STARTS = st.integers(1, 1 << 31)


def source(wall_ms: int, boot: int | None, after: bytes = bytes(16)) -> bytes:
    memory = None if boot is None else Memory({}, boot)
    return fresh_source(random.Random(1), wall_ms, memory, after)


@given(st.tuples(CLOCKS, CLOCKS), STARTS)
def test_of_two_starts_of_a_directory_the_later_has_the_higher_source(
    clocks: tuple[int, int], start: int
) -> None:
    assert source(clocks[0], start) < source(clocks[1], start + 1)


@given(CLOCKS, CLOCKS, STARTS, st.integers(0, 1000))
def test_a_source_taken_anew_is_higher_and_lower_than_that_of_the_next_start(
    clock: int, later: int, start: int, times: int
) -> None:
    last = source(min(clock, 10**12), start)
    for _ in range(times % 20):
        fresh = source(later, start, last)
        assert fresh[:8] > last[:8]
        last = fresh
    if later < 1 << 41:
        assert last < source(later, start + 1)


def test_copies_of_a_directory_that_count_alike_go_by_the_clock() -> None:
    assert source(1_700_000_000_000, 7) < source(1_700_000_001_000, 7)


def test_without_a_directory_the_clock_says_which_start_is_later() -> None:
    assert source(1_700_000_000_000, None) < source(1_700_000_000_001, None)
    assert source(1, None)[:8] == (1_000_000).to_bytes(8, "big")


@pytest.mark.parametrize("boot", [None, 1, 1 << 40])
def test_a_source_has_16_bytes_whatever_it_is_made_of(boot: int | None) -> None:
    for clock in (-1, 0, 1 << 70):
        assert len(source(clock, boot)) == len(source(clock, boot, b"\xff" * 16)) == 16
