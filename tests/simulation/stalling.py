"""Nodes that stand still now and then: the experiment of the Lifeguard paper."""

from __future__ import annotations

from random import Random

from vines.simulation import Host, Simulation

STALL_SECONDS, STALL_EVERY = 5.0, 20.0


def stalling(simulation: Simulation) -> list[Host]:
    """Let one node in ten, which are returned, stand still for 5 s in every 20."""
    chance = Random(simulation.seed)
    slow = chance.sample(simulation.nodes, len(simulation.nodes) // 10)

    def stall(host: Host) -> None:
        host.pause()
        simulation.timeline.after(STALL_SECONDS, host.resume)
        simulation.timeline.after(STALL_EVERY, stall, host)

    for host in slow:
        simulation.timeline.after(chance.uniform(0.0, STALL_EVERY), stall, host)
    return slow
