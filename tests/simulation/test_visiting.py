"""A graph of links that fell into two parts, and probes that reach both: tables become equal."""

from __future__ import annotations

from math import inf

import pytest

from vines.protocol.links.linking import Linking
from vines.protocol.links.lookout import Lookout
from vines.protocol.links.seeds import Seeds
from vines.protocol.machine import Address
from vines.simulation import Simulation

NODES = 20


def apart(monkeypatch: pytest.MonkeyPatch) -> tuple[Simulation, dict[bytes, int]]:
    """A cluster of which nobody has a link to the other half, and nobody looks for one."""
    simulation = Simulation(seed=1, nodes=NODES, watching=False, checking=False)
    simulation.run(15.0)
    side = {each.node.id: at % 2 for at, each in enumerate(simulation.processes)}
    candidates = Linking.candidates

    def same_side(self: Linking) -> dict[bytes, Address]:
        mine = side[self._identity.id]
        return {each: at for each, at in candidates(self).items() if side[each] == mine}

    monkeypatch.setattr(Linking, "candidates", same_side)
    monkeypatch.setattr(Seeds, "due", lambda *_: [])
    monkeypatch.setattr(Seeds, "deadline", lambda _: inf)
    monkeypatch.setattr(Lookout, "begin", lambda *_: None)
    for seconds in (5.0, 5.0, 70.0):
        for process in simulation.processes:
            linking = process.node._parts.linking
            linking.dialler.lookout.due = inf
            for link in linking.links.established():
                if side[link.member] != side[process.node.id]:
                    linking.drop(link, "apart", simulation.now, quiet=True)
            for member in side:
                if side[member] != side[process.node.id]:
                    linking.dialler.losses.forget(member)
        simulation.run(seconds)
    return simulation, side


def across(simulation: Simulation, side: dict[bytes, int]) -> list[bool]:
    """The links from one half to the other: whether each is for an errand."""
    return [
        link.errand
        for process in simulation.processes
        for link in process.node._parts.linking.links.established()
        if side[link.member] != side[process.node.id]
    ]


def test_what_one_half_writes_reaches_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation, side = apart(monkeypatch)
    assert not across(simulation, side)
    simulation.nodes[0].gossip("colour", "red")
    simulation.run(0.5)
    assert sum("colour" in host for host in simulation.nodes) == NODES // 2
    simulation.run(15.0)
    assert all("colour" in host for host in simulation.nodes)
    errands = across(simulation, side)
    assert errands and all(errands)
    simulation.run(60.0)
    assert not across(simulation, side)
