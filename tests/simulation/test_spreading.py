"""Larger clusters: one copy of a write in few hops, and a graph that holds together."""

from __future__ import annotations

from math import ceil, log2
from random import Random

import pytest

from vines.simulation import Host, Simulation

from .spreading import measure


@pytest.mark.parametrize("nodes", [10, 30])
def test_a_write_takes_few_hops_and_each_gets_it_about_once(nodes: int) -> None:
    found = measure(nodes)
    assert max(found.hops) <= ceil(log2(nodes)) + 2
    assert found.copies <= 1.2
    assert found.batched <= found.isolated <= 250 * nodes


@pytest.mark.soak
def test_a_hundred_nodes_spend_what_they_may_on_a_write() -> None:
    found = measure(100)
    assert max(found.hops) <= 9
    assert found.copies <= 1.2
    assert found.isolated <= 40_000
    assert found.batched <= 15_000


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_write_of_a_thousand_is_everywhere_in_few_hops() -> None:
    found = measure(1000, checking=False)
    assert max(found.hops) <= ceil(log2(1000)) + 2
    assert found.copies <= 1.2


def part_of(simulation: Simulation) -> tuple[set[str], set[str]]:
    """Everybody who runs, and those whom the first of them reaches over links, by name."""
    running = {each.node.id: each for each in simulation.processes}
    links = {
        member: {link.member for link in each.node._links.established()} & running.keys()
        for member, each in running.items()
    }
    reached, look = set(), [next(iter(running))]
    while look:
        one = look.pop()
        if one not in reached:
            reached.add(one)
            look += links[one]
    names = {member: each.host.name for member, each in running.items()}
    return set(names.values()), {names[each] for each in reached}


@pytest.mark.parametrize("seed", range(3))
def test_the_graph_holds_together_while_members_come_and_go(seed: int) -> None:
    """One of twenty dies, leaves or starts anew every second; who is up for three is part of it."""
    chance = Random(seed)
    simulation = Simulation(seed, nodes=20, watching=False)
    simulation.run(5.0)
    since = {host.name: 0.0 for host in simulation.nodes}
    for turn in range(25):
        up = [host for host in simulation.nodes if host.process]
        down = [host for host in simulation.nodes if not host.process]
        if down and (len(down) > 5 or chance.random() < 0.5):
            host = chance.choice(down)
            host.start(chance.sample(up, 2))
            since[host.name] = simulation.now
        else:
            host = chance.choice(up)
            if chance.random() < 0.3:
                host.leave()
                simulation.run(0.1)
            host.crash(power=chance.random() < 0.2)
        writer = chance.choice([host for host in simulation.nodes if host.process])
        writer.gossip(f"key/{turn}", turn)
        simulation.run(1.0)
        everybody, reached = part_of(simulation)
        settled = {each for each in everybody if simulation.now - since[each] >= 3.0}
        assert settled <= reached, f"{settled - reached} are cut off"
    simulation.settle()
    links = [len(each.node._links) for each in simulation.processes]
    assert max(links) <= 3 * max(8, ceil(log2(20)))


@pytest.mark.parametrize("seed", range(40))
def test_whoever_starts_when_with_the_same_seeds_is_one_cluster(seed: int) -> None:
    """The seeds themselves too, last or first, all at once or over seconds."""
    chance = Random(f"order {seed}")
    count = chance.choice((2, 3, 5, 8, 9, 14))
    simulation = Simulation(seed, nodes=count, start=False, watching=False)
    seeds = chance.sample(simulation.nodes, chance.randint(1, min(3, count)))
    spread = chance.choice((0.0, 0.01, 1.0, 8.0))
    starts = sorted((chance.random() * spread, host.number, host) for host in simulation.nodes)
    for when, _, host in starts:
        simulation.run(max(0.0, when - simulation.now))
        host.start(seeds)
    _run_until_all_see_all(simulation, 12.0)


def test_two_hundred_through_one_seed_at_once_leave_it_few_links() -> None:
    simulation = Simulation(7, nodes=200, start=False, watching=False)
    seed = simulation.nodes[0]
    for host in simulation.nodes:
        host.start([seed])
    most = 0
    while any(len(host.members()) < 200 for host in simulation.nodes):
        assert simulation.now < 6.0
        simulation.run(0.05)
        most = max(most, len(seed.process.node._links))  # type: ignore[union-attr]
    simulation.run(1.0)
    links = [len(each.node._links) for each in simulation.processes]
    assert max(most, *links) <= 24
    assert sum(each.dials for each in simulation.processes) <= 20 * 200
    everybody, reached = part_of(simulation)
    assert everybody == reached


@pytest.mark.parametrize(
    "nodes", [16, 48, *(pytest.param(each, marks=pytest.mark.soak) for each in (128, 512))]
)
def test_sockets_of_a_node_grow_with_the_logarithm_of_the_cluster(nodes: int) -> None:
    """In the end: of the links that a join leaves those go that neither end needs. A seed keeps
    those of who joined while all were linked to all.
    """
    simulation = Simulation(1, nodes=nodes, watching=False, checking=False)
    simulation.run(10.0)
    for host in simulation.nodes[:3]:
        host.gossip(host.name, 1)
        simulation.run(2.0)
    joined = sum(len(each.node._links) for each in simulation.processes)
    simulation.run(100.0)
    wanted = ceil(log2(nodes))
    links = [len(each.node._links) for each in simulation.processes]
    assert min(links) >= wanted
    assert max(links) <= max(16, 3 * wanted)
    assert sum(links) <= (wanted + 1.5) * nodes
    assert sum(links) < joined
    everybody, reached = part_of(simulation)
    assert len(everybody) == nodes
    assert everybody == reached


def _run_until_all_see_all(simulation: Simulation, limit: float) -> None:
    hosts: list[Host] = list(simulation.nodes)
    until = simulation.now + limit
    while any(len(host.members()) < len(hosts) for host in hosts):
        assert simulation.now < until, [len(host.members()) for host in hosts]
        simulation.run(0.25)
