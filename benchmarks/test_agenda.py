"""Timers put and taken in the order of their times, beside tuples in a `heapq`.

The keys are those of elections: a topic and the number of a round. `turns` is what a node does all
day: of so many timers one is due, and is set again.
"""

from __future__ import annotations

import random
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from vines._core.agenda import Agenda

if TYPE_CHECKING:
    from .conftest import Goals

COUNTS = [1_000, 100_000]
TURNS = 1_000
Entries = list[tuple[float, tuple[str, int]]]


def entries(count: int) -> Entries:
    choose = random.Random(1)
    return [(choose.uniform(0, 100), (f"topic {number}", 0)) for number in range(count)]


class Heap:
    """What one would write."""

    def __init__(self) -> None:
        self.entries: Any = []

    @staticmethod
    def put_and_take(given: Entries) -> None:
        heap: Entries = []
        for when, key in given:
            heappush(heap, (when, key))
        while heap and heap[0][0] <= 100:
            heappop(heap)

    def keep(self, given: Entries) -> None:
        self.entries = [(when, key) for when, key in given]
        heapify(self.entries)

    def turns(self) -> None:
        heap = self.entries
        for _ in range(TURNS):
            when, key = heappop(heap)
            heappush(heap, (when + 50, key))


class Core:
    """The same of the core."""

    def __init__(self) -> None:
        self.agenda = Agenda()
        self.keep = self.agenda.keep

    @staticmethod
    def put_and_take(given: Entries) -> None:
        agenda = Agenda()
        for when, key in given:
            agenda.put(when, key)
        while agenda.take(100):
            pass

    def turns(self) -> None:
        agenda = self.agenda
        for _ in range(TURNS):
            when, key = agenda.take(1e9)  # type: ignore[misc]
            agenda.put(when + 50, key)


KINDS = pytest.mark.parametrize("kind", [Core, Heap], ids=["core", "heapq"])


@KINDS
@pytest.mark.parametrize("count", COUNTS)
def test_put_and_take(benchmark: BenchmarkFixture, goals: Goals, count: int, kind: Any) -> None:
    benchmark.group = f"{count:,} timers put, then taken"
    benchmark(kind.put_and_take, entries(count))
    goals.took(f"put and take {count} {kind.__name__}", benchmark)


@KINDS
@pytest.mark.parametrize("count", COUNTS)
def test_turns(benchmark: BenchmarkFixture, goals: Goals, count: int, kind: Any) -> None:
    benchmark.group = f"{TURNS:,} times the first of {count:,} timers, set again"
    held = kind()
    held.keep(entries(count))
    benchmark(held.turns)
    goals.took(f"turns {count} {kind.__name__}", benchmark)


@KINDS
@pytest.mark.parametrize("count", COUNTS)
def test_keep(benchmark: BenchmarkFixture, goals: Goals, count: int, kind: Any) -> None:
    benchmark.group = f"{count:,} timers kept"
    benchmark(kind().keep, entries(count))
    goals.took(f"keep {count} {kind.__name__}", benchmark)


def test_goals(goals: Goals) -> None:
    for count in COUNTS:
        for what, least in (("put and take", 2), ("turns", 1.2), ("keep", 2)):
            name = f"{what} {count}"
            text = f"{what}, {count:,} timers, beside a heapq of tuples"
            goals.faster(text, f"{name} Core", f"{name} Heap", least)
