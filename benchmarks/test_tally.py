"""Votes of 100,000 voters in bulk beside `collections.Counter`, and single ones through Python.

All weights are 1 where a Counter takes part: it counts, and could not weigh. It is given the votes
as the list it likes best, checks none of them and decides nothing. `one choice` is the case in
which every addition goes to the same sum.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from vines._core.tally import ABSTAIN, NONE, PENDING, REFUSE, Roll, Tally, count

if TYPE_CHECKING:
    from .conftest import Goals

VOTERS = 100_000
CHOICES = 3
CHOOSE = random.Random(1)
CODES = [*range(CHOICES), REFUSE, ABSTAIN, NONE]
PACKED = {
    "mixed": bytes(CHOOSE.choice(CODES) for _ in range(VOTERS)),
    "one choice": bytes(VOTERS),
}
WEIGHTS = {
    "unit": [1] * VOTERS,
    "any": [CHOOSE.randrange(1 << 31) for _ in range(VOTERS)],
}
GROUP = f"outcome of {VOTERS:,} votes"


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("votes", PACKED)
@pytest.mark.parametrize("weights", WEIGHTS)
def test_count(benchmark: BenchmarkFixture, goals: Goals, weights: str, votes: str) -> None:
    roll, packed = Roll(WEIGHTS[weights]), PACKED[votes]
    outcome = benchmark(count, roll, packed, CHOICES, roll.total // 4)
    assert outcome == (PENDING if votes == "mixed" else 0)
    goals.took(f"count {votes} {weights}", benchmark)


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("votes", PACKED)
def test_counter(benchmark: BenchmarkFixture, goals: Goals, votes: str) -> None:
    choices = list(PACKED[votes])
    assert sum(benchmark(Counter, choices).values()) == VOTERS
    goals.took(f"Counter {votes}", benchmark)


@pytest.mark.benchmark(group=GROUP)
@pytest.mark.parametrize("votes", PACKED)
def test_counter_of_the_bytes(benchmark: BenchmarkFixture, votes: str) -> None:
    benchmark(Counter, PACKED[votes])


@pytest.mark.benchmark(group="outcome of 5 votes")
def test_count_of_five(benchmark: BenchmarkFixture) -> None:
    assert benchmark(count, Roll([1] * 5), bytes(5), 1, 3) == 0


def vote_all(vote: Callable[[int, int, int], bool], votes: list[tuple[int, int, int]]) -> None:
    for rank, sequence, choice in votes:
        vote(rank, sequence, choice)


@pytest.mark.benchmark(group="10,000 single votes, the loop around them among it")
@pytest.mark.parametrize(("voters", "choices"), [(5, 1), (1_000, 1), (1_000, 5)])
def test_vote(benchmark: BenchmarkFixture, goals: Goals, voters: int, choices: int) -> None:
    """Most of them change one that is held; with some the leader loses weight."""
    choose = random.Random(2)
    codes = [*range(choices), REFUSE]
    votes = [(choose.randrange(voters), at + 1, choose.choice(codes)) for at in range(10_000)]
    roll = Roll([1] * voters)

    def setup() -> Any:
        return (Tally(roll, choices, voters // 2 + 1).vote, votes), {}

    benchmark.pedantic(vote_all, setup=setup, rounds=200, warmup_rounds=10)
    benchmark.extra_info["memory"] = Tally(roll, choices, 1).memory
    goals.took(f"vote {voters} {choices}", benchmark)


@pytest.mark.benchmark(group="10,000 single votes, the loop around them among it")
def test_vote_in_a_dict(benchmark: BenchmarkFixture) -> None:
    """The least Python could do: the vote of the higher sequence number, and no sums."""
    choose = random.Random(2)
    votes = [(choose.randrange(1_000), at + 1, choose.randrange(2)) for at in range(10_000)]

    def cast(held: dict[int, tuple[int, int]]) -> None:
        for rank, sequence, choice in votes:
            if rank not in held or held[rank][0] < sequence:
                held[rank] = (sequence, choice)

    benchmark.pedantic(cast, setup=lambda: (({},), {}), rounds=200, warmup_rounds=10)


def test_goals(goals: Goals) -> None:
    for votes in PACKED:
        for weights in WEIGHTS:
            what = f"votes in bulk, {votes}, {weights} weights, per vote"
            goals.at_most(what, f"count {votes} {weights}", 6, per=VOTERS, unit="ns")
        what = f"votes in bulk, {votes}, beside a Counter of the list"
        goals.faster(what, f"count {votes} unit", f"Counter {votes}", 20)
    for voters, choices in ((5, 1), (1_000, 1), (1_000, 5)):
        what = f"a vote through Python, {voters:,} voters, {choices} choices"
        goals.at_most(what, f"vote {voters} {choices}", 150, per=10_000, unit="ns")
