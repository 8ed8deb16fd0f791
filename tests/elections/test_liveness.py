"""Schedules in which a topic was once blocked, or a vote forgotten; no promise was broken."""

from __future__ import annotations

import pytest

from tests.elections.test_original import call, cluster, learned, name, one_acts, vote
from vines.simulation import Conditions, Simulation


@pytest.mark.parametrize("seed", [13, 47, 8, 23, 25, 84, 101, 127])
def test_a_roll_that_was_given_up_is_gathered_again(seed: int) -> None:
    """Two callers of two lose each other. Seeds 13 and 47: both refuse and are free, and have to
    gather again. The others: one refuses without a link to say so, and the other stays bound until
    it asks.
    """
    simulation = cluster(seed, 2)
    for host in simulation.nodes:
        call(host, 2, 2)
    simulation.run(1.0)
    simulation.partition(simulation.nodes[:1], simulation.nodes[1:])
    simulation.run(30.0)
    simulation.settle()
    for host in simulation.nodes:
        vote(host)
    simulation.run(30.0)
    one_acts(simulation.nodes)


def test_a_vote_outlives_the_roll_it_was_cast_in() -> None:
    """One of two dies, and a third takes its place: the survivor need not vote again."""
    simulation = cluster(0, 3)
    first, second, third = simulation.nodes
    call(first, 2, 2)
    call(second, 2, 2)
    simulation.run(1.0)
    vote(second)
    simulation.run(1.0)
    first.crash()
    simulation.run(10.0)
    call(third, 2, 2)
    vote(third)
    simulation.run(30.0)
    one_acts([second, third])


@pytest.mark.parametrize("seed", range(1, 40, 2))
def test_a_caller_that_is_dead_for_all_is_no_candidate(seed: int) -> None:
    """Its death is believed when the link breaks, and elections are told."""
    simulation = cluster(seed, 3)
    first, second, third = simulation.nodes
    for host in (first, second):
        call(host, 3, 2)
        vote(host)
    simulation.run(1.0)
    first.crash(power=True)
    simulation.run(0.3)
    first.start(simulation.nodes)
    simulation.run(0.002 * (seed % 30))
    call(first, 3, 2)
    vote(first)
    simulation.run(20.0)
    call(third, 3, 2)
    vote(third)
    simulation.run(60.0)
    assert learned(simulation.nodes).votes.keys() <= {name(host) for host in simulation.nodes}


@pytest.mark.parametrize("seed", range(5))
def test_far_members_decide_too(seed: int) -> None:
    """A round trip of two seconds is longer than a first attempt waits."""
    far = Conditions(latency=1.0, jitter=0.1)
    simulation = Simulation(seed, nodes=5, conditions=far, config={"network": "wan"})
    simulation.settle()
    for host in simulation.nodes:
        call(host, 5, 3, seconds=3000.0)
        vote(host)
    simulation.run(60.0)
    one_acts(simulation.nodes)
