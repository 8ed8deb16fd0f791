"""Version vectors of 10,000 sources beside what Python and the memory bus can do with the same
counters.

`memcpy` copies the counters alone, 80 kB; merging reads twice as much and looks at who they belong
to as well. Each round of a merge starts from a fresh copy in which half of the counters are behind.
"""

from __future__ import annotations

import ctypes
import random
from typing import TYPE_CHECKING

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from vines._core.vector import VersionVector, kernel

if TYPE_CHECKING:
    from .conftest import Goals

SOURCES = 10_000
CHOOSE = random.Random(1)
IDS = [CHOOSE.randbytes(16) for _ in range(SOURCES)]
MINE = {source: CHOOSE.randrange(1, 1 << 20) for source in IDS}
THEIRS = {source: MINE[source] + CHOOSE.randrange(2) for source in IDS}
SHUFFLED = dict(CHOOSE.sample(list(THEIRS.items()), SOURCES))
ROUNDS = {"rounds": 2000, "iterations": 1, "warmup_rounds": 100}


def vector(counters: dict[bytes, int]) -> VersionVector:
    made = VersionVector(b"0123456789abcdef")
    for source, counter in counters.items():
        made.raise_to(source, counter)
    return made


def merge_dicts(mine: dict[bytes, int], theirs: dict[bytes, int]) -> None:
    for source, counter in theirs.items():
        if counter > mine.get(source, 0):
            mine[source] = counter


@pytest.mark.benchmark(group=f"merge of {SOURCES:,} sources")
@pytest.mark.parametrize("order", ["aligned", "shuffled"])
def test_merge(benchmark: BenchmarkFixture, goals: Goals, order: str) -> None:
    mine, theirs = vector(MINE), vector(THEIRS if order == "aligned" else SHUFFLED)
    benchmark.extra_info["kernel"] = kernel()
    benchmark.pedantic(
        lambda made, other: made.merge(other), setup=lambda: ((mine.copy(), theirs), {}), **ROUNDS
    )
    goals.took(f"merge {order}", benchmark)


@pytest.mark.benchmark(group=f"merge of {SOURCES:,} sources")
def test_merge_of_dicts(benchmark: BenchmarkFixture, goals: Goals) -> None:
    rounds = {"rounds": 100, "iterations": 1, "warmup_rounds": 5}
    benchmark.pedantic(merge_dicts, setup=lambda: ((dict(MINE), THEIRS), {}), **rounds)
    goals.took("merge of dicts", benchmark)


@pytest.mark.benchmark(group=f"merge of {SOURCES:,} sources")
def test_memcpy_of_the_counters(benchmark: BenchmarkFixture, goals: Goals) -> None:
    size = 8 * SOURCES
    target, source = (ctypes.create_string_buffer(CHOOSE.randbytes(size), size) for _ in range(2))
    benchmark.pedantic(
        lambda to, of: ctypes.memmove(to, of, size), setup=lambda: ((target, source), {}), **ROUNDS
    )
    goals.took("memcpy", benchmark)


@pytest.mark.benchmark(group=f"difference of {SOURCES:,} sources")
@pytest.mark.parametrize("behind", [0, 100])
def test_need(benchmark: BenchmarkFixture, goals: Goals, behind: int) -> None:
    theirs = MINE | {source: MINE[source] + 1 for source in IDS[:: SOURCES // 100][:behind]}
    mine, other = vector(MINE), vector(theirs)
    assert len(benchmark(mine.need, other)) == behind
    goals.took(f"need {behind}", benchmark)


@pytest.mark.benchmark(group=f"decode a page of {SOURCES:,} sources")
@pytest.mark.parametrize("order", ["aligned", "shuffled"])
def test_decode(benchmark: BenchmarkFixture, goals: Goals, order: str) -> None:
    mine = vector(MINE)
    benchmark(mine.merge_page, vector(SHUFFLED if order == "shuffled" else THEIRS).encode())
    goals.took(f"decode {order}", benchmark)


@pytest.mark.benchmark(group=f"decode a page of {SOURCES:,} sources")
@pytest.mark.parametrize("order", ["half behind", "all new"])
def test_decode_into_a_fresh_copy(benchmark: BenchmarkFixture, order: str) -> None:
    mine, page = vector({} if order == "all new" else MINE), vector(THEIRS).encode()
    benchmark.pedantic(
        lambda made: made.merge_page(page), setup=lambda: ((mine.copy(),), {}), **ROUNDS
    )


@pytest.mark.benchmark(group=f"decode a page of {SOURCES:,} sources")
def test_decode_with_a_dict_and_the_ids_sliced(benchmark: BenchmarkFixture) -> None:
    """The least Python could do with fixed-width counters: 24 bytes a source, no varints."""
    page = b"".join(source + counter.to_bytes(8, "little") for source, counter in THEIRS.items())

    def decode(mine: dict[bytes, int]) -> None:
        for at in range(0, len(page), 24):
            source = page[at : at + 16]
            counter = int.from_bytes(page[at + 16 : at + 24], "little")
            if counter > mine.get(source, 0):
                mine[source] = counter

    benchmark.pedantic(decode, setup=lambda: ((dict(MINE),), {}), rounds=50, warmup_rounds=3)


def test_goals(goals: Goals) -> None:
    goals.faster("merge, aligned, beside dicts", "merge aligned", "merge of dicts", 100)
    goals.slower("merge, aligned, beside memcpy of the counters", "merge aligned", "memcpy", 2.2)
    goals.at_most("difference, nothing missing, per source", "need 0", 0.5, per=SOURCES, unit="ns")
    for order in ("aligned", "shuffled"):
        goals.at_most(
            f"decode with keyed look-up, {order}, per source",
            f"decode {order}",
            7,
            per=SOURCES,
            unit="ns",
        )
