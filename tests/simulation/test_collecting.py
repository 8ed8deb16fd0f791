"""Deletions in a simulated cluster: forgotten by all, whoever is away, and never too early."""

from __future__ import annotations

import pytest

from vines.config import Config
from vines.protocol import machinery
from vines.protocol.replicas.collecting import AGAIN_SECONDS, ROUND_SECONDS_EACH, Collecting
from vines.simulation import Simulation, Violation

RETENTION = 20.0
MANY = 60
CONFIG = {"dead_retention": RETENTION, "collect_interval": 1.0}


def filled(nodes: int = 3) -> Simulation:
    """A cluster that holds some keys everywhere."""
    simulation = Simulation(5, nodes=nodes, config=CONFIG)
    simulation.run(3.0)
    for number in range(6):
        simulation.nodes[number % nodes].gossip(f"k{number}", number)
    simulation.run(3.0)
    return simulation


def tombstones(simulation: Simulation) -> list[int]:
    return [process.node.data.tombstones for process in simulation.processes]


def test_deletions_are_forgotten_and_the_cluster_is_quiet_afterwards() -> None:
    simulation = filled()
    for number in range(4):
        simulation.nodes[(number + 1) % 3].delete(f"k{number}")
    simulation.run(10.0)
    assert tombstones(simulation) == [0, 0, 0]
    rounds = [process.node.stats()["rounds"] for process in simulation.processes]
    simulation.run(60.0)
    assert rounds == [process.node.stats()["rounds"] for process in simulation.processes]
    assert all(host.keys() == ["k4", "k5"] for host in simulation.nodes)
    simulation.settle()


def test_many_members_forget_in_a_few_rounds_and_are_quiet_afterwards() -> None:
    simulation = Simulation(3, nodes=MANY, checking=False, watching=False)
    hosts = simulation.nodes
    simulation.run(6.0)
    for number in range(20):
        hosts[number].gossip(f"k{number}", number)
    simulation.run(2.0)
    for number in range(20):
        hosts[-number].delete(f"k{number}")
    pause = Config(name="n").collect_interval + ROUND_SECONDS_EACH * MANY
    simulation.run(5 * pause)
    assert tombstones(simulation) == [0] * MANY
    rounds = [process.node.stats()["rounds"] for process in simulation.processes]
    assert max(rounds) <= 4
    simulation.run(20.0)
    assert rounds == [process.node.stats()["rounds"] for process in simulation.processes]
    assert not any(host.keys() for host in hosts)


@pytest.mark.parametrize("seconds", [8.0, RETENTION * 3])
def test_who_was_away_brings_back_nothing_and_loses_nothing_of_its_own(seconds: float) -> None:
    simulation = filled()
    *there, away = simulation.nodes
    simulation.partition(there, [away])
    simulation.run(1.0)
    there[0].delete("k0")
    there[1].gossip("k1", "newer")
    away.gossip("mine", 1)
    away.gossip("k2", "mine")
    simulation.run(seconds)
    left = [host.process.node.data.tombstones for host in there if host.process is not None]
    assert left == ([1, 1] if seconds < RETENTION else [0, 0])
    simulation.heal()
    simulation.run(40.0)
    simulation.settle()
    for host in simulation.nodes:
        assert host.keys() == ["k1", "k2", "k3", "k4", "k5", "mine"]
        assert (host.get("k1"), host.get("k2")) == ("newer", "mine")
    assert tombstones(simulation) == [0, 0, 0]


@pytest.mark.parametrize("ahead", [30.0, 3600.0, 80_000.0])
def test_a_write_after_a_join_wins_over_a_deletion_forgotten_by_a_clock_that_is_ahead(
    ahead: float,
) -> None:
    """Others still hold it, until their clocks have passed it, too."""
    simulation = filled()
    first, second, third = simulation.nodes
    first.skew = ahead
    simulation.run(1.0)
    first.delete("k0")
    simulation.run(15.0)
    assert tombstones(simulation) == [0, 1, 1]
    simulation.partition([first, third], [second])
    third.restart([first])
    simulation.run(10.0)
    third.gossip("k0", "new")
    simulation.heal()
    simulation.run(30.0)
    assert {host.get("k0") for host in simulation.nodes} == {"new"}
    simulation.settle()


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_a_deletion_is_forgotten_where_who_came_back_said_something_else(seed: int) -> None:
    """It has nothing to forget, and so begins no round; whom it counts has changed since."""
    config = {"dead_retention": 10.0, "collect_interval": 1.0, "suspicion_factor": 1.0}
    simulation = Simulation(seed, nodes=4, config=config)
    away, first, *others = simulation.nodes
    simulation.run(3.0)
    simulation.partition([away], [first, *others])
    away.gossip("mine", 1)
    simulation.run(1.0)
    first.skew = 300.0
    simulation.run(1.0)
    first.delete("k")
    simulation.run(30.0)
    assert tombstones(simulation) == [0, 0, 1, 1]
    simulation.heal()
    away.join([first])
    simulation.run(300.0 + 2 * AGAIN_SECONDS)
    assert tombstones(simulation) == [0, 0, 0, 0]
    rounds = [process.node.stats()["rounds"] for process in simulation.processes]
    simulation.run(4 * AGAIN_SECONDS)
    assert rounds == [process.node.stats()["rounds"] for process in simulation.processes]


def test_nodes_that_do_not_wait_for_who_says_nothing_are_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Impatient(Collecting):
        def _consider(self, members: list[tuple[bytes, bytes]], now: float) -> None:
            super()._consider([one for one in members if self._read(*one) is not None], now)

    monkeypatch.setattr(machinery, "Collecting", Impatient)
    simulation = filled()
    *there, away = simulation.nodes
    simulation.partition(there, [away])
    there[0].delete("k0")
    with pytest.raises(Violation, match="which not all cover"):
        simulation.run(15.0)
