"""Many nodes for long: nobody is held dead who lives, and halves find together again.

What takes hours of virtual time or a thousand nodes runs with --soak; each has a smaller one beside
it that always runs.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator

import pytest

from tests.simulation.stalling import stalling
from vines.events import Fail
from vines.simulation import Simulation

LOSS = 0.1
HEAL_SECONDS = 60.0


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    """What a large cluster froze may go again."""
    yield
    gc.unfreeze()


def grown(nodes: int, seed: int = 1) -> Simulation:
    """A cluster that joined through one seed and is at rest."""
    gc.disable()  # What grows stays: looking for rubbish in it takes a fifth of the time.
    simulation = Simulation(seed, nodes=nodes, watching=False, checking=False)
    simulation.run(10.0)
    gc.enable()
    assert alive(simulation) == {nodes}
    gc.collect()
    gc.freeze()
    return simulation


def alive(simulation: Simulation) -> set[int]:
    """How many members the running nodes hold to be alive, themselves among them."""
    nodes = [process.node for process in simulation.processes]
    return {len(node._parts.linking.members.directory.fellows) + 1 for node in nodes}


def failed(simulation: Simulation) -> set[str]:
    """The names of all who were ever held dead, by anybody."""
    events = (event for host in simulation.nodes for event in host.events)
    return {event.member.name for event in events if isinstance(event, Fail)}


def weather(nodes: int, seconds: float) -> set[str]:
    """A tenth of the datagrams is lost and a tenth of the nodes stands still now and then: who was
    held dead.
    """
    simulation = grown(nodes)
    simulation.network.conditions.loss = LOSS
    stalling(simulation)
    simulation.run(seconds)
    return failed(simulation)


def parted(nodes: int, seconds: float) -> None:
    """Halves that both write, and are apart for so long, are one again soon and hold the same."""
    simulation = grown(nodes)
    half = nodes // 2
    simulation.partition(simulation.nodes[:half], simulation.nodes[half:])
    for number, host in enumerate(simulation.nodes[:: max(1, nodes // 20)]):
        host.gossip(f"key/{number % 5}", number)
    simulation.run(seconds)
    assert alive(simulation) == {half, nodes - half}
    simulation.heal()
    until = simulation.now + HEAL_SECONDS
    while not is_one(simulation):
        assert simulation.now < until, f"still {alive(simulation)} of {nodes}"
        simulation.run(0.5)
    simulation.settle()


def is_one(simulation: Simulation) -> bool:
    """Whether all hold the same and see all."""
    prints = {
        (each.node.control.fingerprint(), each.node.data.fingerprint())
        for each in simulation.processes
    }
    return len(prints) == 1 and alive(simulation) == {len(simulation.nodes)}


def test_loss_and_stalls_kill_nobody() -> None:
    assert weather(20, 60.0) == set()


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_an_hour_of_loss_and_stalls_kills_nobody() -> None:
    assert weather(100, 3600.0) == set()


def test_halves_of_thirty_are_one_again_soon() -> None:
    parted(30, 90.0)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_halves_of_a_thousand_are_one_again_soon_after_an_hour() -> None:
    parted(1000, 3600.0)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("nodes", "seconds", "limit"), [(100, 3600.0, 60.0), (1000, 600.0, 120.0)])
def test_a_large_cluster_is_simulated_faster_than_it_lives(
    nodes: int, seconds: float, limit: float
) -> None:
    """The limits are for a quiet machine: twice that is an error."""
    simulation = grown(nodes)
    began = time.process_time()
    simulation.run(seconds)
    assert time.process_time() - began < 2 * limit
    assert failed(simulation) == set()
