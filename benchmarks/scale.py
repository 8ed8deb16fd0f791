"""How a cluster behaves as it grows, on virtual time: what docs/scale.md says, and its raw data.

    python -m benchmarks.scale                            everything: two to three hours
    python -m benchmarks.scale --only idle --nodes 10 30  one experiment, at these sizes

Each experiment runs real nodes in a simulation, from seeds that stand in the data, and gives one
row per size. The page is written anew after every row; rows that are not measured now stay as they
were, so that it can be made in parts.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
import tracemalloc
from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.scale_page import load, save
from tests.simulation.spreading import measure
from tests.simulation.stalling import stalling
from vines._core.changes import Changes
from vines._core.table import MEMBER, Table
from vines.config import Config
from vines.events import Fail, Suspect
from vines.protocol.members.profile import Profile
from vines.protocol.node import Node
from vines.simulation import Host, Simulation, Spectator
from vines.simulation.process import Process

Row = dict[str, Any]

SEED = 1
CALM_SECONDS = 5.0
"""From the last of the joins until a cluster is held to be at rest."""
KILLS = 5
IDLE_SECONDS = 120.0
BAD_SECONDS = 600.0
"""Of loss, or of nodes that stand still or are slow."""
BAD_SECONDS_OF_MANY = 120.0
"""The same of `MANY` nodes or more."""
MANY = 100
SHARES = (0.0, 0.1, 0.2, 0.3, 0.4)
"""Of datagrams that are lost."""
SLOW_SECONDS = 2.0
VERY_SLOW_SECONDS = 8.0
ALONE_SECONDS = 60.0
ALONE_LOSS = 0.2
APART_SECONDS = 300.0


class Deaths(Spectator):
    """When who was told that which member failed, and who was suspected at which incarnation."""

    def __init__(self) -> None:
        self.told_at: list[tuple[float, bytes, bytes]] = []
        """(when, who, of whom)."""
        self.suspected: set[tuple[bytes, int]] = set()

    def told(self, process: Process, event: object) -> None:
        if isinstance(event, Fail):
            self.told_at.append((process.timeline.now, process.node.id, event.member.id))
        elif isinstance(event, Suspect):
            self.suspected.add((event.member.id, event.member.incarnation))


def grown(nodes: int, seed: int = SEED, **options: Any) -> Simulation:
    """A cluster that joined through one seed and is at rest."""
    gc.disable()
    simulation = Simulation(seed, nodes=nodes, watching=False, checking=False, **options)
    _until_all_see(simulation, nodes, 60.0)
    simulation.run(CALM_SECONDS)
    gc.enable()
    for host in simulation.nodes:
        host.events.clear()
    gc.collect()
    gc.freeze()  # What has grown stays: looking for rubbish in it takes a third of the time.
    return simulation


def join(nodes: int) -> Row:
    """All start in the same instant, through the first as their seed."""
    gc.disable()
    simulation = Simulation(SEED, nodes=nodes, watching=False, checking=False)
    seconds = _until_all_see(simulation, nodes, 60.0, step=0.01)
    sent = sum(each.stream_bytes for each in simulation.processes)
    simulation.run(CALM_SECONDS)
    gc.enable()
    links = [len(each.node._links) for each in simulation.processes]
    return {
        "seconds": round(seconds, 2),
        "kilobytes_per_node": round(sent / nodes / 1000, 1),
        "links_most": max(links),
    }


def idle(nodes: int) -> Row:
    """Bytes of payload that a node gives to its sockets, a second, when nothing happens."""
    simulation = grown(nodes)
    simulation.nodes[0].gossip("colour", "red")
    simulation.run(30.0)
    before = _bytes(simulation)
    counts = dict(simulation.counts)
    simulation.run(IDLE_SECONDS)
    after = _bytes(simulation)
    node_seconds = nodes * IDLE_SECONDS
    datagrams, streams = (
        (now - then) / node_seconds for now, then in zip(after, before, strict=True)
    )
    kinds = {
        name: round((count - counts.get(name, 0)) / node_seconds, 3)
        for name, count in simulation.counts.items()
        if count > counts.get(name, 0) and name.startswith(("frame_", "datagram_"))
    }
    return {
        "bytes": round(datagrams + streams, 1),
        "in_datagrams": round(datagrams, 1),
        "on_streams": round(streams, 1),
        "messages": kinds,
    }


def detection(nodes: int) -> Row:
    """From the end of a process, or of its machine, until each of the others holds it dead."""
    row: Row = {}
    for cause, power in (("killed", False), ("vanished", True)):
        seconds: list[float] = []
        for seed in range(SEED, SEED + max(1, 30 // nodes)):
            seconds += _kills(nodes, seed, power=power)
        row[f"{cause}_p50"] = _share(seconds, 0.5)
        row[f"{cause}_p99"] = _share(seconds, 0.99)
        row[f"{cause}_most"] = _share(seconds, 1.0)
    return row


def _kills(nodes: int, seed: int, *, power: bool) -> list[float]:
    simulation, chance, deaths = grown(nodes, seed), Random(seed), Deaths()
    simulation.spectators.append(deaths)
    seconds: list[float] = []
    for host in chance.sample(simulation.nodes[1:], min(KILLS, nodes // 3)):
        assert host.process is not None
        member, began = host.process.node.id, simulation.now
        host.crash(power=power)
        others = nodes - 1 - sum(each.process is None for each in simulation.nodes if each != host)
        deaths.told_at.clear()
        while sum(of == member for _, _, of in deaths.told_at) < others:
            simulation.run(0.1)
            assert simulation.now < began + 120.0, "a death that not everybody hears of"
        seconds += [when - began for when, _, of in deaths.told_at if of == member]
        simulation.run(3.0)
    return seconds


def loss(nodes: int) -> Row:
    """Deaths told of nodes that are well, while a share of the datagrams is lost."""
    row: Row = {}
    for lifeguard in (True, False):
        for share in SHARES:
            simulation, deaths = grown(nodes, lifeguard=lifeguard), Deaths()
            simulation.spectators.append(deaths)
            simulation.network.conditions.loss = share
            simulation.run(_bad_seconds(nodes))
            row[f"{_on(lifeguard)}_{share:.0%}"] = len({of for _, _, of in deaths.told_at})
            row[f"{_on(lifeguard)}_{share:.0%}_suspected"] = len(deaths.suspected)
    return row


def stalls(nodes: int) -> Row:
    """One node in ten stands still for 5 s in every 20, each in its own time."""
    return _ill(nodes, stalling)


def slow(nodes: int) -> Row:
    """One node in ten comes late to everything that arrives, by 0 to 2 s each time."""
    return _ill(nodes, slowing)


def _ill(nodes: int, fall_ill: Callable[[Simulation], list[Host]]) -> Row:
    """Deaths told of nodes that are well, and of those that are not."""
    row: Row = {}
    for lifeguard in (True, False):
        simulation, deaths = grown(nodes, lifeguard=lifeguard), Deaths()
        simulation.spectators.append(deaths)
        ill = fall_ill(simulation)
        simulation.run(_bad_seconds(nodes))
        well = {each.node.id for each in simulation.processes if each.host not in ill}
        told = [(who, of) for _, who, of in deaths.told_at]
        row[f"{_on(lifeguard)}_false"] = len({of for _, of in told if of in well})
        row[f"{_on(lifeguard)}_false_at_well"] = len(
            {of for who, of in told if of in well and who in well}
        )
        row[f"{_on(lifeguard)}_suspected"] = sum(of in well for of, _ in deaths.suspected)
        row[f"{_on(lifeguard)}_ill"] = len({of for _, of in told if of not in well})
    return row


def alone(nodes: int) -> Row:
    """Suspects and deaths among those that are well, by nodes that rely on datagrams alone: while
    one in ten is very slow, and while a share of the datagrams is lost.
    """
    row: Row = {}
    for lifeguard in (True, False):
        for bad in ("slow", "loss"):
            simulation = grown(nodes, lifeguard=lifeguard, datagrams_alone=True)
            deaths, ill = Deaths(), list[Host]()
            simulation.spectators.append(deaths)
            if bad == "slow":
                ill = slowing(simulation, VERY_SLOW_SECONDS)
            else:
                simulation.network.conditions.loss = ALONE_LOSS
            simulation.run(ALONE_SECONDS)
            well = {each.node.id for each in simulation.processes if each.host not in ill}
            told = {of for _, _, of in deaths.told_at}
            row[f"{_on(lifeguard)}_{bad}_suspected"] = sum(of in well for of, _ in deaths.suspected)
            row[f"{_on(lifeguard)}_{bad}_false"] = len(told & well)
    return row


def slowing(simulation: Simulation, seconds: float = SLOW_SECONDS) -> list[Host]:
    """Make one node in ten slow."""
    slow = Random(simulation.seed).sample(simulation.nodes, len(simulation.nodes) // 10)
    for host in slow:
        host.slowness = seconds
    return slow


def write(nodes: int) -> Row:
    """A small write of some node, until everybody has it."""
    found = measure(nodes, checking=False)
    hops = sorted(found.hops)
    return {
        "links": list(found.links),
        "hops_p50": hops[len(hops) // 2],
        "hops_most": hops[-1],
        "copies": round(found.copies, 2),
        "bytes_alone": round(found.isolated),
        "bytes_at_100_a_second": round(found.batched),
    }


def heal(nodes: int) -> Row:
    """Two halves that were apart for five minutes, until all tables and views are equal again."""
    simulation = grown(nodes)
    half = nodes // 2
    simulation.partition(simulation.nodes[:half], simulation.nodes[half:])
    simulation.run(APART_SECONDS)
    alone = max(_alive(each) for each in simulation.processes)
    for number, host in enumerate(simulation.nodes):
        host.gossip(f"key/{number % 10}", number)
    simulation.run(5.0)
    simulation.heal()
    began = simulation.now
    while not _is_one(simulation, nodes):
        simulation.run(0.25)
        assert simulation.now < began + 600.0, "halves that stay apart"
    return {"seconds": round(simulation.now - began, 2), "members_seen_apart": alone}


def memory(nodes: int) -> Row:
    """Bytes a node takes for each other member that it knows, as Python counts them, and what it
    takes with none.
    """
    simulation = grown(10)
    process = simulation.processes[0]
    records = process.node.control.records()
    _, _, stamp, _, _, _, _, value = records[0]
    gc.collect()
    tracemalloc.start()
    alone = tracemalloc.get_traced_memory()[0]
    node = Node(Config(insecure=True), Random(1), lambda: 1_700_000_000_000, now=0.0)
    gc.collect()
    empty = tracemalloc.get_traced_memory()[0]
    held_before = node.control.statistics()["memory"]
    _learn(node, nodes, stamp, value)
    gc.collect()
    full = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    table = node.control.statistics()["memory"] - held_before
    return {
        "objects_per_member": round((full - empty) / nodes),
        "record_per_member": round(table / nodes),
        "kilobytes_alone": round((empty - alone) / 1000),
    }


def _learn(node: Node, nodes: int, stamp: int, value: bytes) -> None:
    """Let a node hear of so many others, each in a record of its own source."""
    for number in range(nodes):
        source = (number + 1).to_bytes(16, "big")
        profile = Profile.decode(value).replace(
            name=f"node-{number}",
            address=(f"10.1.{number >> 8}.{number & 255}", 7000),
            source=source,
        )
        other = Table(source, bytes(16), bytes(16))
        other.put(MEMBER, source, 0, profile.encode(), stamp)
        body = other.delta_for(node.control.vector(), 4096)
        assert body is not None
        changes = Changes()
        node.control.apply(body, 0, None, 0, changes)
        node._parts.linking.learn(changes, 0.0)
    node.outbox.take()


EXPERIMENTS: dict[str, tuple[Callable[[int], Row], tuple[int, ...]]] = {
    "join": (join, (10, 30, 100, 300, 1000)),
    "idle": (idle, (10, 30, 100, 300, 1000)),
    "detection": (detection, (10, 30, 100, 300, 1000)),
    "loss": (loss, (10, 30, 100)),
    "stalls": (stalls, (10, 30, 100)),
    "slow": (slow, (10, 30, 100)),
    "alone": (alone, (10, 30, 100)),
    "write": (write, (10, 30, 100, 300, 1000)),
    "heal": (heal, (10, 30, 100, 300, 1000)),
    "memory": (memory, (10, 30, 100, 300, 1000)),
}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=EXPERIMENTS, default=list(EXPERIMENTS))
    parser.add_argument("--nodes", nargs="+", type=int, help="sizes instead of the usual ones")
    options = parser.parse_args(arguments)
    for name in options.only:
        experiment, sizes = EXPERIMENTS[name]
        for nodes in options.nodes or sizes:
            began = time.process_time()
            gc.unfreeze()
            gc.collect()
            row = experiment(nodes)
            spent = time.process_time() - began
            print(f"{name} of {nodes}: {row}, {spent:.0f} s", file=sys.stderr, flush=True)
            data = load()
            data.setdefault(name, {})[nodes] = row
            save(data)


def _until_all_see(simulation: Simulation, nodes: int, limit: float, step: float = 0.25) -> float:
    """Let time pass until every node sees all; how long that was."""
    began, missing = simulation.now, list(simulation.processes)
    while missing := [each for each in missing if _alive(each) < nodes]:
        assert simulation.now < began + limit, f"{len(missing)} do not see all"
        simulation.run(step)
    return simulation.now - began


def _alive(process: Process) -> int:
    """How many members a node holds to be alive, itself among them."""
    return len(process.node._parts.linking.members.directory.fellows) + 1


def _is_one(simulation: Simulation, nodes: int) -> bool:
    prints = {
        (each.node.control.fingerprint(), each.node.data.fingerprint())
        for each in simulation.processes
    }
    return len(prints) == 1 and all(_alive(each) == nodes for each in simulation.processes)


def _bytes(simulation: Simulation) -> tuple[int, int]:
    processes = simulation.processes
    return sum(each.datagram_bytes for each in processes), sum(
        each.stream_bytes for each in processes
    )


def _share(seconds: list[float], share: float) -> float:
    ordered = sorted(seconds)
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)


def _bad_seconds(nodes: int) -> float:
    return BAD_SECONDS if nodes < MANY else BAD_SECONDS_OF_MANY


def _on(lifeguard: bool) -> str:
    return "lifeguard" if lifeguard else "swim"


if __name__ == "__main__":
    main()
