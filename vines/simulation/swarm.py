"""Random runs: draw a plan from a seed, let faults and operations loose, then settle and check.

`run_seed` is one run. What it returns says how often each fault and each rare path occurred;
`COVERAGE` are those that must not stay at zero over a whole set of runs, because a path that is
never taken is not tested.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vines._core.table import DATA, TOMBSTONE
from vines.simulation.cluster import Simulation
from vines.simulation.faults import Faults
from vines.simulation.operations import Operations
from vines.simulation.oracle import Violation, Written
from vines.simulation.plan import (
    ABSENCES,
    FAULTS,
    OPERATIONS,
    Plan,
    draw,
    draw_absences,
    draw_forgetting,
)
from vines.simulation.rest import check_joiner, check_lapsed, time_left, unforgotten

if TYPE_CHECKING:
    from vines.simulation.host import Host
    from vines.simulation.process import Process

RARE_PATHS = (
    "budget_cut",
    "gap_crossed",
    "range_refused",
    "record_skipped",
    "record_outranked",
    "entries_dropped",
    "stamp_ahead",
    "deletion_collected",
    "link_behind",
    "link_cut_between_frames",
    "link_cut_inside_frame",
    "duplicate_link_closed",
    "refutation",
    "stalled_direction",
    "stream_timed_out",
    "dial_refused",
    "dial_vanished",
    "flushed",
    "left",
    "all_lapsed",
    "turned",
    "owner_stood_still",
    "fault_restart",
    "frame_pull",
    "frame_floor",
    "frame_join",
    "frame_snapshot",
    "frame_refuse",
    "frame_flushed",
)
COVERAGE = (
    *(f"fault_{name}" for name in FAULTS),
    *(f"operation_{name}" for name in OPERATIONS),
    *RARE_PATHS,
)
"""Everything that has to occur at least once in a set of runs."""
COVERAGE_OF_ABSENCES = (
    *(f"fault_{name}" for name in ABSENCES),
    *("deletion_collected", "deleted_elsewhere", "own_write_kept", "frame_floor", "frame_join"),
    "disk_distrusted",
)
"""The same of runs with absences."""
COVERAGE_OF_FORGETTING = (*COVERAGE_OF_ABSENCES, "source_forgotten", "all_forgotten")
"""The same of those in which sources are forgotten."""

LAPSE_SECONDS = 0.1
"""Within that time what is due has lapsed: some turns."""

STILL_SECONDS = 40.0
"""Whoever stands still is held dead by then, however few are there to accuse it."""

FORGET_TERMS = 8
"""In so many times the longest that anybody may be away all is forgotten of which nothing is left:
whoever wrote what let others be forgotten may be gone since, and is forgotten after them."""

HEAL_SECONDS = 1.0
"""After who was dead has been forgotten everywhere."""

CALM_LATENCY = 0.01
"""Seconds at most, once faults are over: rest comes soon, however many round trips it takes."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run came to."""

    plan: Plan
    trace_hash: str
    counts: Counter[str]
    virtual_seconds: float
    steps: int
    seconds: float
    """Real time it took."""


class Swarm:
    """One random run: build it with a plan, then `run`."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.simulation = Simulation(
            plan.seed,
            nodes=plan.nodes,
            conditions=plan.conditions,
            config=plan.config,
            observers=plan.observers,
            durable=plan.durable,
            silent=plan.silent,
            start=False,
            watching=plan.seed % 2 == 0,
        )
        self.simulation.replay = replay_command(plan)
        self.faults = Faults(self.simulation)
        self.operations = Operations(self.simulation, plan)

    def run(self) -> Result:
        """Run the plan to its end. Raises Violation, whose message has the command that replays
        it.
        """
        began = time.perf_counter()
        simulation, plan = self.simulation, self.plan
        for host in simulation.nodes:
            delay = plan.spread * simulation.rng.random()
            simulation.timeline.after(delay, self._start, host, self._seeds(host.number))
        self._next_fault()
        self._next_operation()
        simulation.run(plan.seconds)
        self.faults.over = True
        self.operations.finish()
        self._calm()
        simulation.settle()
        self._stand_still()
        self._lapse()
        self._forget()
        return Result(
            plan,
            simulation.trace_hash(),
            count_everything(simulation),
            simulation.now,
            simulation.timeline.steps,
            time.perf_counter() - began,
        )

    def _seeds(self, number: int) -> list[Host]:
        """Whom the host of this number (from 1) joins at its start."""
        hosts = self.simulation.nodes
        match self.plan.seeds_given:
            case "first":
                return hosts[:1] if number > 1 else []
            case "chain":
                return hosts[number - 2 : number - 1] if number > 1 else []
            case "all":
                return hosts
        return self.simulation.rng.sample(hosts, self.simulation.rng.randint(1, len(hosts)))

    def _start(self, host: Host, seeds: list[Host]) -> None:
        """Its first start, unless a fault had it started before."""
        if not host.starts:
            host.start(seeds)

    def _next_fault(self) -> None:
        if self.plan.faults and not self.faults.over:
            delay = self.simulation.rng.expovariate(1 / self.plan.fault_interval)
            self.simulation.timeline.after(delay, self._fault)

    def _fault(self) -> None:
        if not self.faults.over:
            self.faults.inject(self.simulation.rng.choice(self.plan.faults))
            self._next_fault()

    def _next_operation(self) -> None:
        delay = self.simulation.rng.expovariate(1 / self.plan.operation_interval)
        self.simulation.timeline.after(delay, self._operate)

    def _operate(self) -> None:
        if not self.faults.over:
            self.operations.perform(self.simulation.rng.choice(self.plan.operations))
            if self.plan.forgetting:
                # Nobody may be away for longer than all were told, for whatever reason.
                self._introduce()
            self._next_operation()

    def _stand_still(self) -> None:
        """Where keys have owners, let one of these stand still until it is held dead, and go on."""
        simulation = self.simulation
        owners = [host for host in simulation.nodes if host.process and _owns(host.process)]
        if "write_ephemeral" not in self.plan.operations or not owners:
            return
        simulation.rng.choice(owners).pause()
        simulation.run(STILL_SECONDS)
        simulation.network.count("owner_stood_still")
        simulation.settle()

    def _lapse(self) -> None:
        """Where keys lapse, let one host begin anew, and then time pass until all have lapsed."""
        simulation = self.simulation
        if not any(map(time_left, simulation.processes)):
            return
        if len(simulation.processes) > 1:
            hosts = [host for host in simulation.nodes if host.process]
            joiner = simulation.rng.choice(hosts)
            began = simulation.now
            joiner.restart(hosts)
            simulation.settle()
            others = [one for one in simulation.processes if one is not joiner.process]
            if joiner.process is not None:
                with simulation.explaining():
                    check_joiner(joiner.process, others, simulation.now - began)
        while left := [ms for one in simulation.processes for ms in time_left(one).values()]:
            simulation.run(max(left) / 1000 + LAPSE_SECONDS)
        simulation.network.count("all_lapsed")
        simulation.settle()
        with simulation.explaining():
            check_lapsed(simulation)

    def _forget(self) -> None:
        """Where sources are forgotten, delete all keys, and let time pass until all are of which
        nothing is left.
        """
        simulation, term = self.simulation, self.plan.config.get("forget_after")
        if not term:
            return
        host = next(host for host in simulation.nodes if host.process is not None)
        assert host.process is not None, "just chosen so"
        for written in map(Written._make, host.process.node.data.records()):
            if written.family == DATA and not written.flags & TOMBSTONE:
                host.write(written.key, TOMBSTONE, b"")
        deadline = simulation.now + FORGET_TERMS * term
        while left := unforgotten(simulation):
            with simulation.explaining():
                if simulation.now >= deadline:
                    raise Violation(f"not forgotten in {FORGET_TERMS} terms: {', '.join(left)}")
            simulation.run(term / 8)
        simulation.settle()
        simulation.network.count("all_forgotten")

    def _calm(self) -> None:
        """End the bad weather, and introduce islands to each other that never knew one another."""
        conditions = self.simulation.network.conditions
        conditions.duplication = conditions.straggling = 0.0
        conditions.loss = conditions.dial_failure = conditions.bandwidth = 0.0
        conditions.latency = min(conditions.latency, CALM_LATENCY)
        conditions.jitter = min(conditions.jitter, CALM_LATENCY)
        hosts = [host for host in self.simulation.nodes if host.process is not None]
        if not any(host.listens for host in hosts):
            self.simulation.nodes[0].start(self.simulation.nodes)
            hosts.insert(0, self.simulation.nodes[0])
        islands = _islands(hosts)
        meeting = next(each for island in islands for each in island if each.listens)
        for island in islands:
            if meeting not in island:
                self.simulation.network.count("islands_introduced")
                island[0].join([meeting])
        retention = self.plan.config.get("dead_retention")
        if retention:
            # Until then who is dead may be remembered, and dialled.
            self.simulation.timeline.after(retention + HEAL_SECONDS, self._introduce)

    def _introduce(self) -> None:
        """Tell who knows nobody any more where somebody is, as whoever runs it would: it is away
        for ever otherwise, and all others are from it.
        """
        simulation = self.simulation
        if simulation.network.is_cut:
            return
        hosts = [host for host in simulation.nodes if host.process is not None]
        for host in hosts:
            others = [other for other in hosts if other.listens and other is not host]
            if others and not host.paused and _is_lost(host, others):
                simulation.network.count("lost_introduced")
                host.join(others[:1])


def run_seed(seed: int, nodes: int | None = None) -> Result:
    """Draw the plan of a seed and run it. Raises Violation, whose message has the command that
    replays it.
    """
    return Swarm(draw(seed, nodes)).run()


def run_absences(seed: int, nodes: int | None = None) -> Result:
    """The same of a plan in which members are away for longer than anybody waits for them."""
    return Swarm(draw_absences(seed, nodes)).run()


def run_forgetting(seed: int, nodes: int | None = None) -> Result:
    """The same of one in which nobody is away for longer than all were told, and sources that are
    gone are forgotten.
    """
    return Swarm(draw_forgetting(seed, nodes)).run()


def replay_command(plan: Plan) -> str:
    """The one command that runs a plan again."""
    kind = " --forgetting" if plan.forgetting else " --absences" if plan.absences else ""
    return f"python -m vines.simulation {plan.seed} --nodes {plan.nodes}{kind}"


def count_everything(simulation: Simulation) -> Counter[str]:
    """Faults and rare paths of a run: those the network counted, and those the tables did."""
    counts = Counter(simulation.counts)
    counts.update(simulation.data.counts)
    counts["refutation"] = simulation.control.refutations
    counts["duplicate_link_closed"] = simulation.closed["duplicate"]
    for host in simulation.nodes:
        for process in [*host.past, *([host.process] if host.process else [])]:
            counts["source_forgotten"] += process.node.control.gone.forgotten
            for table in (process.node.control, process.node.data):
                statistics = table.statistics()
                for name, statistic in _STATISTICS.items():
                    counts[name] += statistics[statistic]
    return counts


_STATISTICS = {
    "budget_cut": "budget_cuts",
    "gap_crossed": "gaps_crossed",
    "range_refused": "refused",
    "record_skipped": "skipped",
    "record_outranked": "outranked",
    "entries_dropped": "entries_dropped",
    "deletion_collected": "collected",
    "stamp_ahead": "ahead",
    "turned": "turned",
}


def _owns(process: Process) -> bool:
    """Whether there are keys that live as long as this process."""
    source = process.node.data.source
    return any(
        written.depends and written.origin == source
        for written in map(Written._make, process.node.data.records())
    )


def _islands(hosts: list[Host]) -> list[list[Host]]:
    """Groups of running hosts that know, or were told, an address of one another."""
    groups: list[list[Host]] = []
    for host in hosts:
        near = [group for group in groups if any(_acquainted(host, other) for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([host, *(other for group in near for other in group)])
    return groups


def _is_lost(host: Host, others: list[Host]) -> bool:
    """Whether a host has no link, and could dial none of these."""
    process = host.process
    assert process is not None, "only those that run are asked about"
    known = host.known_addresses()
    return not process.node.stats()["links"] and not any(each.address in known for each in others)


def _acquainted(one: Host, other: Host) -> bool:
    return other.address in one.known_addresses() or one.address in other.known_addresses()
