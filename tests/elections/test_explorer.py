"""The shipped election code over every schedule of small worlds; and bugs it must find.

Sizes are asserted: a search that visits fewer states than it did has lost a part of its world.
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Callable
from itertools import product

import pytest

from tests.elections import planted
from tests.elections.explorer import Explorer, Violation, World
from tests.elections.worlds import NO, NONE, YES, free, voting
from vines.protocol.elections.criteria import Criteria

TWO_AND_THREE = (Criteria((), 2), Criteria((), 2), Criteria((), 3))

EVERY_TIME: dict[str, tuple[World, int]] = {
    "2 voters, ballots 0-3, 2 crashes": (free((1, 1), ballots=3, crashes=2), 11_490),
    "3 voters, ballots 0-2, 1 crash": (free(), 91_726),
    "accepts of claimants unwritten": (free(unwritten=True), 348_783),
    "3 voters, ballots 0-2, 2 crashes": (free(crashes=2), 169_381),
    "3 voters who may refuse, ballots 0-1": (free(ballots=1, refusals=True), 41_000),
    "3 voters who say no to ballots": (free(ballots=1, nacks=True), 18_596),
    "5 voters, ballots 0-1": (free((1,) * 5, ballots=1, outcomes=2), 485_344),
    "votes yes yes none, ballots 0-1": (voting(ballots=1, changes=0), 57_223),
    "votes no yes yes, ballots 0-1": (
        voting(ballots=1, changes=0, castings=(NO, YES, YES)),
        542_593,
    ),
    "votes under two criteria": (
        voting(ballots=1, changes=0, castings=(YES,) * 3, criteria=TWO_AND_THREE),
        439_608,
    ),
}

ASKED_FOR: dict[str, tuple[World, int]] = {
    "4 voters, ballots 0-2": (free((1, 1, 1, 1)), 6_832_085),
    "weights 2, 1, 1, ballots 0-3": (free((2, 1, 1), ballots=3), 2_616_778),
    "3 voters who may refuse, ballots 0-2": (free(refusals=True), 3_355_134),
    "3 voters who say no, ballots 0-2": (free(crashes=0, nacks=True), 1_884_694),
    "3 claimants, ballots 0-3": (free(claimants=(0, 1, 2), ballots=3), 8_563_321),
    "3 voters, ballots 0-3": (free(ballots=3), 5_160_090),
    "votes yes yes none, ballots 0-2": (voting(ballots=2, changes=0), 2_412_784),
    "votes yes no none, ballots 0-2": (
        voting(ballots=2, changes=0, castings=(YES, NO, NONE)),
        2_134_042,
    ),
    "votes yes yes none, one changed": (voting(ballots=1, changes=1), 3_905_125),
    "votes yes yes none, two changed, ballot 0": (voting(ballots=0, changes=2), 348_532),
    "votes yes yes none, two changed, no crash": (
        voting(ballots=1, changes=2, crashes=0),
        1_596_802,
    ),
    "weights 3, 2, 2, 1, ballots 0-2": (free((3, 2, 2, 1)), 13_821_289),
}

CASTINGS = list(product((YES, NO, NONE), repeat=3))
"""Every way in which three may have voted first."""

MUST_OCCUR = {"began", "recovered", "closed"}
MUST_OCCUR_TO_THREE = {"an expiry recovered", "a late expiry"}


def search(world: World, least: int) -> int:
    states = Explorer(world).run()
    assert states >= least
    return states


@pytest.mark.search
@pytest.mark.parametrize("name", EVERY_TIME)
def test_no_schedule_breaks_a_promise(name: str) -> None:
    world, least = EVERY_TIME[name]
    search(world, least)
    never = {what for what in MUST_OCCUR if not world.seen[what]}
    assert not never
    assert world.seen["refused"] or "refuse" not in name
    assert world.seen["began after a restart"] or not name.startswith("votes ")
    if name.startswith("3 voters, "):
        assert not {what for what in MUST_OCCUR_TO_THREE if not world.seen[what]}
    assert world.seen["outbid"] or "say no" not in name


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_no_schedule_of_larger_worlds_breaks_a_promise(capsys: pytest.CaptureFixture[str]) -> None:
    total = 0
    for name, (world, least) in ASKED_FOR.items():
        total += search(world, least)
        with capsys.disabled():
            sys.stdout.write(f"\n{name}: {world.states:,} states, {world.steps:,} steps")
    for castings in CASTINGS:
        total += search(voting(ballots=1, changes=0, castings=castings), 1)
    with capsys.disabled():
        sys.stdout.write(f"\nwith {len(CASTINGS)} ways to vote first: {total:,} states")
    assert total >= 8_000_000
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    with capsys.disabled():
        sys.stdout.write(f"\n{total:,} states, {used:.2f} GiB\n")
    assert used <= 2


PLANTED: dict[str, tuple[Callable[[], World], str, int]] = {
    "expiry by one's own clock": (
        lambda: voting(kind=planted.OwnClock, crashes=0, changes=0, records=False),
        "two outcomes",
        4,
    ),
    "a lost disk under the same identity": (
        lambda: free(amnesia=True, records=False),
        "two (outcomes|callbacks)",
        12,
    ),
    "that the callback began is not on disk": (
        lambda: free(kind=planted.FiredForgotten),
        "two callbacks",
        6,
    ),
    "the callback begins before that is on disk": (
        lambda: free(kind=planted.FiredBeforehand),
        "two callbacks",
        8,
    ),
    "ballot 0 used again after a restart": (
        lambda: free(kind=planted.FirstUsedAgain, records=False),
        "two outcomes",
        12,
    ),
    "accepts not on disk": (
        lambda: free(kind=planted.AcceptsVolatile, records=False),
        "two outcomes",
        12,
    ),
    "a closed election forgotten": (
        lambda: free(kind=planted.Forgotten, records=False),
        "two (outcomes|callbacks)",
        12,
    ),
    "the outcome only in memory": (
        lambda: free(kind=planted.OutcomeVolatile, records=False),
        "two (outcomes|callbacks)",
        12,
    ),
    "as many decide as votes are needed": (
        lambda: free(voters=planted.votes_needed_for_a_quorum(), records=False),
        "two outcomes",
        7,
    ),
    "a promise ignored": (
        lambda: free(kind=planted.PromiseIgnored, records=False),
        "two outcomes",
        12,
    ),
    "a take-over ignores what was accepted": (
        lambda: free(kind=planted.AcceptedIgnored, records=False),
        "two outcomes",
        12,
    ),
    "promises not on disk": (
        lambda: free(kind=planted.PromisesVolatile, records=False),
        "two outcomes",
        12,
    ),
}


@pytest.mark.search
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str) -> None:
    world, text, most = PLANTED[name]
    with pytest.raises(Violation, match=f"^{text}") as caught:
        Explorer(world(), traced=True).run()
    assert 0 < len(caught.value.trace) <= most
