"""What a write costs until it is everywhere, on virtual time: hops, copies and bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import ceil, log2
from random import Random
from typing import Any

from vines.simulation import Simulation
from vines.simulation.frames import NAMES, frame_type
from vines.simulation.network import Conditions
from vines.simulation.process import Process
from vines.simulation.spectator import Spectator

HOP = 0.001
"""Seconds a byte is on its way; nothing else takes time, so that time counts hops."""
HOPS_MAX = 200
WARM_SECONDS = 5.0
WRITE_SECONDS = 1.0
"""Between two isolated writes: all is announced by then."""


class Meter(Spectator):
    """Counts what nodes send."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()

    def sent(self, process: Process, frame: bytes) -> None:
        name = NAMES[frame_type(frame)]
        self.frames[name] += 1
        self.bytes[name] += len(frame)


@dataclass
class Found:
    """What some writes cost."""

    nodes: int
    hops: list[int]
    """Until everywhere, of each write."""
    copies: float
    """Deltas a node and write."""
    isolated: float
    """Bytes of all nodes for one write, a second apart; without comparisons, which need none."""
    batched: float
    """The same at a hundred writes a second of one node."""
    links: tuple[int, int]

    def row(self) -> str:
        low, high = self.links
        hops = sorted(self.hops)
        return (
            f"| {self.nodes} | {low} to {high} | {hops[len(hops) // 2]} | {hops[-1]} |"
            f" {ceil(log2(self.nodes)) + 2} | {self.copies:.2f} | {self.isolated:,.0f} |"
            f" {self.batched:,.0f} |"
        )


def grown(nodes: int, seed: int = 1, **options: Any) -> Simulation:
    """A cluster joined through one seed, whose trees have seen writes."""
    calm = Conditions(latency=HOP, jitter=0.0, lag=0.0)
    simulation = Simulation(seed, nodes=nodes, conditions=calm, watching=False, **options)
    simulation.run(WARM_SECONDS)
    chance = Random(seed)
    for number in range(10):
        chance.choice(simulation.nodes).gossip(f"warm/{number}", 0)
        simulation.run(0.5)
    return simulation


def measure(nodes: int, seed: int = 1, writes: int = 10, **options: Any) -> Found:
    """Writes of nodes at random, each alone; then a hundred a second of one of them."""
    simulation = grown(nodes, seed, **options)
    chance, meter = Random(seed), Meter()
    simulation.spectators.append(meter)
    hops = [_spread(simulation, f"key/{number}", chance) for number in range(writes)]
    copies = meter.frames["delta"] / writes / (nodes - 1)
    isolated = _bytes(meter) / writes
    meter.bytes.clear()
    writer = chance.choice(simulation.nodes)
    for number in range(100):
        writer.gossip(f"fast/{number}", 0)
        simulation.run(0.01)
    simulation.run(WRITE_SECONDS)
    links = [len(host.process.node._links) for host in simulation.nodes if host.process]
    return Found(nodes, hops, copies, isolated, _bytes(meter) / 100, (min(links), max(links)))


def _bytes(meter: Meter) -> int:
    return sum(
        count for name, count in meter.bytes.items() if name not in ("digest", "ping", "pong")
    )


def _spread(simulation: Simulation, key: str, chance: Random) -> int:
    """Write somewhere; how many hops until it is everywhere."""
    chance.choice(simulation.nodes).gossip(key, 0)
    missing = list(simulation.nodes)
    hops = 0
    while missing:
        assert hops < HOPS_MAX, f"{len(missing)} of {len(simulation.nodes)} never get it"
        simulation.run(HOP)
        hops += 1
        missing = [host for host in missing if key not in host]
    simulation.run(WRITE_SECONDS - hops * HOP)
    return hops
