"""Simulation: a whole cluster of real nodes on virtual time, from one seed.

It owns the timeline, the network, the hosts and the oracles, and it knows when a cluster has
come to rest. What goes wrong is up to whoever holds it: a test that calls `partition` and
`crash`, or the swarm that draws faults at random.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING, Any

from vines.config import Config
from vines.simulation.disk import Disk
from vines.simulation.frames import describe, describe_datagram
from vines.simulation.host import Host
from vines.simulation.membership import MembershipRules, unseen_bound
from vines.simulation.network import Conditions, Network
from vines.simulation.oracle import ControlOracle, Oracle, Violation
from vines.simulation.rest import check_rest, wait_for_rest
from vines.simulation.spectator import Spectator
from vines.simulation.timeline import Timeline

if TYPE_CHECKING:
    from vines._core.table import Table
    from vines.simulation.process import Process
    from vines.simulation.timeline import Line

SETTLE_SECONDS = 120.0
"""Virtual time a cluster has, once every fault is over, to become the same everywhere: several
heal intervals."""


class Simulation:
    """A cluster of `nodes` hosts in one process, on virtual time; equal seeds give equal runs.

        simulation = Simulation(seed=7, nodes=3)
        first, second, third = simulation.nodes
        simulation.settle()
        simulation.partition([first], [second, third])
        first.gossip("colour", "red")
        simulation.run(5.0)
        assert "colour" not in second
        simulation.settle()
        assert second["colour"] == "red"

    `conditions` is what the network is like when nothing in particular is wrong; `config` are
    fields of vines.Config for every node; the first `durable` of them have a disk, the last
    `observers` only watch, and the last `silent` do not listen. With `start=False` no node runs
    until its host is started. Every step checks the invariants of replication and membership; a
    broken one raises `Violation`, whose message says how to see it again. `spectators` may check
    more. With `checking=False`, for
    hundreds of nodes, none is until the cluster rests (`settle`): then all tables and views must be
    equal, and every write of data held. `lifeguard=False` detects failures by SWIM alone;
    `datagrams_alone=True`, without what makes up for what Lifeguard is for (see `swim`).
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        nodes: int = 3,
        conditions: Conditions | None = None,
        config: dict[str, Any] | None = None,
        observers: int = 0,
        silent: int = 0,
        durable: int = 0,
        start: bool = True,
        watching: bool = True,
        checking: bool = True,
        lifeguard: bool = True,
        datagrams_alone: bool = False,
    ) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.watching = watching
        self.checking = checking
        self.lifeguard = lifeguard
        self.datagrams_alone = datagrams_alone
        self.timeline = Timeline()
        self.counts: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        """Links closed by nodes, by reason."""
        self.network = Network(self.timeline, self.rng, self.counts, conditions or Conditions())
        self.control = ControlOracle()
        self.data = Oracle()
        self.data.collects = True
        self.data.awaited = self._awaited
        self.data.tables = self._tables
        self.control.look = self._look
        self.control.running = lambda: [
            (each.watches[0].name, each.node.control) for each in self.processes
        ]
        self.data.running = lambda: [
            (each.watches[1].name, each.node.data) for each in self.processes
        ]
        self.largest_record = 0
        self.replay = f"Simulation(seed={seed}, nodes={nodes}) and the same calls"
        """What a Violation tells to do to see it again."""
        self.membership = MembershipRules(self)
        self.spectators: list[Spectator] = [self.membership] if checking else []
        """Who else is told of what processes do."""
        self.nodes: list[Host] = []
        for number in range(1, nodes + 1):
            given: dict[str, Any] = {"name": f"node-{number}", "insecure": True}
            given["observer"] = number > nodes - observers
            disk = self._disk(number) if number <= durable else None
            listens = number <= max(nodes - silent, 1)
            host = Host(self, number, Config(**given, **(config or {})), disk, listens=listens)
            self.nodes.append(host)
            self.network.hosts[host.address] = host
        if start:
            for host in self.nodes:
                host.start(() if host is self.nodes[0] else self.nodes[:1])

    @property
    def now(self) -> float:
        """Seconds of virtual time since the start."""
        return self.timeline.now

    @property
    def processes(self) -> list[Process]:
        """Everything that runs now."""
        return [host.process for host in self.nodes if host.process is not None]

    def _awaited(self, table: Table) -> list[Table]:
        """The data tables of those whom the process of this one waits for before it forgets a
        deletion: the starts that it holds alive or dead, but not for long.
        """
        processes = self.processes
        process = next(each for each in processes if each.node.data is table)
        awaited = set(process.node.awaited())
        return [each.node.data for each in processes if (each.node.id, each.node.source) in awaited]

    def _tables(self) -> list[Table]:
        """The data tables of all that ever ran."""
        return [
            process.node.data
            for host in self.nodes
            for process in [*host.past, *([host.process] if host.process else [])]
        ]

    def _look(self) -> None:
        """Look at the whole of all control tables."""
        for process in self.processes:
            process.watches[0].look()

    def run(self, seconds: float) -> None:
        """Let time pass. Raises Violation as soon as anything is wrong; the time stands still
        there.
        """
        with self.explaining():
            self.timeline.run(self.timeline.now + seconds)

    def partition(self, *groups: Iterable[Host]) -> None:
        """Cut these groups of hosts off from each other, both ways; hosts in no group reach all
        of them.
        """
        sides = [list(group) for group in groups]
        for one in sides:
            for other in sides:
                if one is not other:
                    self.network.block(one, other)

    def block(self, sources: Iterable[Host], targets: Iterable[Host]) -> None:
        """Let nothing through from `sources` to `targets`; the other way stays as it is."""
        self.network.block(sources, targets)

    def heal(self) -> None:
        """End everything that is wrong with the network: partitions, clogged and slow links."""
        self.network.slow.clear()
        for stream in list(self.network.streams.values()):
            for pipe in stream.pipes:
                pipe.unclog()
        self.network.open(self.nodes, self.nodes)

    def settle(self, limit: float | None = None) -> None:
        """Heal the network, wake whoever is paused, set the clocks right, and run until the
        cluster rests: equal tables and equal views on all running nodes, for a while. Raises
        Violation if it does not within `limit`: two minutes, and more where one has ended that did
        not listen, for it may have with all that knew of it.
        """
        if limit is None:
            limit = SETTLE_SECONDS
            if any(host.starts and not host.listens for host in self.nodes):
                limit += unseen_bound(self.nodes[0].config)
        self.heal()
        for host in self.nodes:
            host.skew = 0.0
            host.datagrams_blocked = False
            host.resume()
        with self.explaining():
            wait_for_rest(self, limit)
            check_rest(self)

    def trace_hash(self) -> str:
        """The fingerprint of all frames, events and times so far."""
        return self.timeline.trace_hash()

    def trace(self, lines: int = 40) -> str:
        """The last things that happened, in words."""
        return "\n".join(_describe(line) for line in self.timeline.tail[-lines:])

    def holders(self, process: Process, source: bytes, counter: int) -> int:
        """How many others hold the data writes of a process under a source up to a counter: all
        that ever ran, but observers.
        """
        return sum(
            other.node.data.covered(source) >= counter
            for host in self.nodes
            for other in [*host.past, *([host.process] if host.process else [])]
            if other is not process and not other.node.config.observer
        )

    def _disk(self, number: int) -> Disk:
        rng = Random(f"{self.seed}/disk {number}")
        return Disk(self.timeline, rng, self.network.count)

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Give whatever goes wrong the time, the seed and the way to see it again."""
        try:
            yield
        except Exception as error:
            kind = "" if isinstance(error, Violation) else f"{type(error).__name__}: "
            raise Violation(
                f"{kind}{error}\n  at {self.now:.6f} s of seed {self.seed}\n  replay: {self.replay}"
            ) from error


def _describe(line: Line) -> str:
    if line.what == "send":
        words = describe(line.data)
    elif line.what in ("receive", "lose"):
        words = describe(bytes(4) + line.data)
    elif line.what in ("datagram in", "datagram out"):
        words = describe_datagram(line.data)
    else:
        words = line.data.decode(errors="replace")
    return f"{line.when:12.6f} {line.who:>10} {line.what} {words}"
