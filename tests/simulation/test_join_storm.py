"""A join storm: two hundred nodes that start at one moment with one seed."""

from __future__ import annotations

import pytest

from vines.events import ALIVE
from vines.protocol.links.admission import Admission
from vines.simulation import Host, Simulation

Patch = pytest.MonkeyPatch
NODES = 200
STEP_SECONDS = 0.001
JOINED_SECONDS = 0.5
LINKS_MAX = 32
"""Of one node at any time: four times what it wants. How many may be at its door is the driver's to
say, which has a cap on strangers; whoever is turned away is told of others."""


def join(seed: int) -> tuple[float, int]:
    """Let all start at once, until each sees all: seconds, and the most links of one node."""
    simulation = Simulation(seed, nodes=NODES, watching=False, checking=False, start=False)
    for host in simulation.nodes:
        host.start(simulation.nodes[:1])
    most = 0
    while any(_alive(host) < NODES for host in simulation.nodes):
        simulation.run(STEP_SECONDS)
        most = max(most, *map(_links, simulation.nodes))
        assert simulation.now < 60.0
    return simulation.now, most


def _alive(host: Host) -> int:
    return sum(member.state == ALIVE for member in host.members())


def _links(host: Host) -> int:
    assert host.process is not None
    return len(host.process.node._links.established())


@pytest.mark.parametrize("seed", range(2))
def test_two_hundred_nodes_at_once_through_one_seed_are_one_cluster_at_once(seed: int) -> None:
    seconds, most = join(seed)
    assert seconds <= JOINED_SECONDS
    assert most <= LINKS_MAX


def test_without_redirection_they_would_all_stay_at_the_seed(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Admission, "_object_full", lambda *_: None)
    _, most = join(0)
    assert most == NODES - 1
