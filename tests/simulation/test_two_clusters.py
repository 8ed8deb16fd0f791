"""Two clusters on one network: seeds that name hosts of the other, names and addresses of both."""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

import pytest

from vines.config import Config
from vines.protocol.links import handshake
from vines.protocol.members import post
from vines.simulation import Host, Simulation, Violation
from vines.simulation.rest import unrest

FRUIT, STONE = "fruit", "stone"
EACH = 3
REST_SECONDS = 120.0


def config(cluster: str, number: int) -> Config:
    """Hosts of both clusters go by the same names."""
    return Config(name=f"node-{number}", insecure=True, cluster=cluster)


def worlds(seed: int) -> tuple[Simulation, list[Host], list[Host]]:
    """Two clusters that nobody keeps apart but their labels: whoever starts is given hosts of both
    as seeds, those of the other first.
    """
    simulation = Simulation(seed, nodes=2 * EACH, start=False)
    hosts = simulation.nodes
    fruit, stone = hosts[:EACH], hosts[EACH:]
    for group, cluster, others in ((fruit, FRUIT, stone), (stone, STONE, fruit)):
        for number, host in enumerate(group, 1):
            host.config = config(cluster, number)
            host.start([*others, *group])
    return simulation, fruit, stone


def rest(simulation: Simulation, *groups: Iterable[Host]) -> None:
    """Let time pass until each of these groups is one cluster, and sees nobody else."""
    processes = [[each.process for each in group if each.process] for group in groups]
    until = simulation.now + REST_SECONDS
    while why := next(filter(None, map(unrest, processes)), None):
        assert simulation.now < until, why
        simulation.run(0.5)
    for process in (each for group in processes for each in group):
        process.follower.verify()
        for watch in process.watches:
            watch.check_everything()


def written(*groups: list[Host]) -> None:
    """Each of them writes the same keys."""
    for group in groups:
        for host in group:
            host.gossip("whose", host.config.cluster)
            host.gossip(f"from/{host.config.name}", host.config.cluster)


def kept_apart(*groups: list[Host]) -> None:
    """What one reads was written in its own cluster."""
    for group in groups:
        for host in group:
            assert host["whose"] == host.config.cluster
            for other in group:
                assert host[f"from/{other.config.name}"] == host.config.cluster


@pytest.mark.parametrize("seed", range(5))
def test_m8_clusters_with_each_others_seeds_and_names_do_not_mix(seed: int) -> None:
    simulation, fruit, stone = worlds(seed)
    written(fruit, stone)
    rest(simulation, fruit, stone)
    kept_apart(fruit, stone)
    reasons = simulation.closed
    assert any("cluster" in str(reason) for reason in reasons), reasons


@pytest.mark.parametrize("seed", range(5))
def test_m8_a_host_that_goes_over_to_the_other_cluster_is_nobody_there_and_nobody_here(
    seed: int,
) -> None:
    """Its address is known to those it leaves, who go on dialling and probing it."""
    simulation, fruit, stone = worlds(seed)
    written(fruit, stone)
    rest(simulation, fruit, stone)
    turncoat = fruit.pop()
    turncoat.crash()
    turncoat.config = config(STONE, EACH + 1)
    turncoat.start([*fruit, *stone])
    stone.append(turncoat)
    written(stone)
    rest(simulation, fruit, stone)
    kept_apart(fruit, stone)


@pytest.mark.parametrize("seed", range(5))
def test_m8_an_outage_after_which_all_dial_all_mixes_nobody(seed: int) -> None:
    """Who is held dead is dialled where it was: meanwhile each cluster has taken a host of the
    other."""
    simulation, fruit, stone = worlds(seed)
    written(fruit, stone)
    rest(simulation, fruit, stone)
    one, two = fruit.pop(), stone.pop()
    for host, into, cluster in ((one, stone, STONE), (two, fruit, FRUIT)):
        simulation.partition([host], [each for each in simulation.nodes if each is not host])
        host.crash(power=True)
        host.config = config(cluster, EACH + 1)
        into.append(host)
    simulation.run(20.0)
    for host in (one, two):
        host.start([each for each in simulation.nodes if each is not host])
    written(fruit, stone)
    simulation.run(5.0)
    simulation.heal()
    rest(simulation, fruit, stone)
    kept_apart(fruit, stone)


def go_over() -> None:
    """One host of two clusters goes over to the other one."""
    simulation, fruit, stone = worlds(0)
    rest(simulation, fruit, stone)
    turncoat = fruit.pop()
    turncoat.crash()
    turncoat.config = config(STONE, EACH + 1)
    turncoat.start([*fruit, *stone])
    simulation.run(30.0)


@pytest.mark.parametrize("door", [handshake, post])
def test_m8_a_door_at_which_no_label_is_asked_for_is_noticed(
    door: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams and datagrams are told apart each by itself."""
    go_over()
    monkeypatch.setattr(door, "cluster_id", lambda _: bytes(8))
    with pytest.raises(Violation, match="M8: "):
        go_over()
