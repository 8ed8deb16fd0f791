"""Whole nodes call for elections: all in one instant, or where most of them cannot be reached."""

from __future__ import annotations

import pytest

from vines.events import Outcome, Overdue, Quorum, Settled
from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import Criteria
from vines.simulation import Conditions, Host, Simulation

YES = 0
EACH = 50
"""Topics of one cluster, one after another."""
SIZES = [(size, loss) for size in (2, 3, 5) for loss in (0.0, 0.1)]
ROUND_TRIPS = 0.02, 0.06
"""Seconds there and back, at the least and at the most."""
DEADLINE = 100 * ROUND_TRIPS[1]
"""A hundred round trips are promised to be enough."""


def cluster(size: int, seed: int, *, loss: float = 0.0) -> Simulation:
    least, most = (each / 2 for each in ROUND_TRIPS)
    conditions = Conditions(latency=least, jitter=most - least)
    simulation = Simulation(seed, nodes=size, conditions=conditions, watching=False)
    simulation.settle()
    simulation.network.conditions.loss = loss
    for host in simulation.nodes:
        host.process.call(lambda host=host: host.process.node.elections().listen())
    return simulation


def call(host: Host, topic: str, total: int, seconds: float) -> None:
    process, wanted = host.process, Call(Criteria((), total // 2 + 1), total, seconds)
    process.call(lambda: process.node.elections().call(topic, wanted, process.now))


def vote(host: Host, topic: str) -> None:
    process = host.process
    process.call(lambda: process.node.elections().vote(topic, YES, process.now))


def told(host: Host, kind: type, topic: str) -> list[Outcome]:
    return [
        event.outcome
        for event in host.events
        if isinstance(event, kind) and event.outcome.topic == topic
    ]


def overdue(host: Host) -> list[str]:
    return [event.topic for event in host.events if isinstance(event, Overdue)]


def all_at_once(size: int, loss: float, seeds: range) -> None:
    """Of each topic that all call in one instant, one is told to act, and all the same."""
    for seed in seeds:
        simulation = cluster(size, seed, loss=loss)
        for number in range(EACH):
            topic, instant = f"topic {number}", simulation.now
            for host in simulation.nodes:
                call(host, topic, size, DEADLINE)
                vote(host, topic)
            while not all(told(host, Settled, topic) for host in simulation.nodes):
                assert simulation.now < instant + 2 * DEADLINE, f"seed {seed}, {topic}"
                simulation.run(ROUND_TRIPS[0])
        simulation.run(DEADLINE)
        for number in range(EACH):
            topic = f"topic {number}"
            outcomes = [told(host, Settled, topic) for host in simulation.nodes]
            assert outcomes == [[outcomes[0][0]]] * size, f"seed {seed}, {topic}"
            assert outcomes[0][0].kind == "commit", f"seed {seed}, {topic}"
            acted = [
                host.process.node.id for host in simulation.nodes for _ in told(host, Quorum, topic)
            ]
            assert acted == [outcomes[0][0].owner], f"seed {seed}, {topic}"
        assert not any(map(overdue, simulation.nodes)), f"seed {seed}"


@pytest.mark.parametrize(("size", "loss"), SIZES)
def test_of_whole_nodes_that_call_at_once_exactly_one_acts(size: int, loss: float) -> None:
    all_at_once(size, loss, range(2))


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize(("size", "loss"), SIZES)
def test_of_whole_nodes_exactly_one_acts_in_each_of_20_000(size: int, loss: float) -> None:
    all_at_once(size, loss, range(2, 3 + 20_000 // (len(SIZES) * EACH)))


@pytest.mark.parametrize("seed", range(10))
def test_a_minority_is_told_that_time_is_up_and_the_outcome_once_it_can_be(seed: int) -> None:
    simulation = cluster(5, seed)
    few, most = simulation.nodes[:2], simulation.nodes[2:]
    for host in simulation.nodes:
        call(host, "email", 5, 10.0)
    simulation.run(3.0)  # so that all are on the roll
    simulation.partition(few, most)
    for host in simulation.nodes:
        vote(host, "email")
    simulation.run(60.0)
    for host in few:
        assert overdue(host) == ["email"]
        assert not told(host, Quorum, "email") and not told(host, Settled, "email")
    outcomes = [told(host, Settled, "email") for host in most]
    assert outcomes == [[outcomes[0][0]]] * len(most) and outcomes[0][0].kind == "commit"
    simulation.heal()
    simulation.run(60.0)
    assert [told(host, Settled, "email") for host in few] == outcomes[:2]
    assert [overdue(host) for host in simulation.nodes] == [["email"]] * 2 + [[]] * 3
    acted = [host.process.node.id for host in simulation.nodes if told(host, Quorum, "email")]
    assert acted == [outcomes[0][0].owner]
