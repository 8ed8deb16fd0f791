"""What one seed does: sizes, network, faults and operations, all drawn before the run.

Swarm testing (Groce and others, ISSTA 2012): each seed leaves out a random part of the faults
and operations and draws extreme sizes, because a run that does everything a little rarely does
one thing enough. Small worlds find most bugs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import Any

from vines.simulation.network import Conditions

FAULTS = (
    "partition_halves",
    "partition_isolate",
    "partition_one_way",
    "partition_bridge",
    "partition_ring",
    "partition_any",
    "swizzle",
    "cut",
    "cut_between_frames",
    "delta_lost",
    "clog",
    "slow_link",
    "pause",
    "crash",
    "power_loss",
    "clock_jump",
    "clock_drift",
    "packet_loss",
    "dial_loss",
    "datagram_chaos",
    "datagrams_blocked",
)
"""Names of the faults, as in vines.simulation.faults."""

ABSENCES = ("absence", "standstill", "restart_away", "restored_backup")
"""The same of those that last for longer than whoever failed is waited for."""

OPERATIONS = (
    "write_shared",
    "write_own",
    "delete",
    "tie",
    "burst",
    "large",
    "foreign",
    "stamped_ahead",
    "flush",
    "tags",
    "leave",
    "join",
    "write_expiring",
    "write_ephemeral",
)
"""Names of the operations, as in vines.simulation.operations."""

EXPIRING_SHARE = 0.3
"""Of the seeds, in which keys are written with a time to live."""
EPHEMERAL_SHARE = 0.25
"""Of the seeds, in which keys are written that live as long as their owner."""

COLLECTING_SHARE = 0.5
"""Of the seeds, in which deletions are forgotten soon, and in some who failed is soon no longer
waited for."""

SILENT_SHARE = 0.15
"""Of the seeds, in which one host or two do not listen."""

FORGET_SECONDS = 600.0
"""The longest that anybody is away, where sources are forgotten: the least that may be said."""

OPERATIONS_MAX = 150
"""Operations in one run: more of them find little more and cost as much as another seed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything drawn for one seed."""

    seed: int
    nodes: int
    seconds: float
    """Virtual time with faults and operations, before the cluster has to settle."""
    config: dict[str, Any]
    conditions: Conditions
    faults: tuple[str, ...]
    fault_interval: float
    operations: tuple[str, ...]
    operation_interval: float
    shared_keys: int
    burst: int
    """Writes in one burst; some are longer than the arrival log."""
    observers: int
    """Nodes that only watch; flush does not count them."""
    seeds_given: str
    """Who joins whom at the start: 'first', 'chain', 'all' or 'random'."""
    spread: float
    """Seconds over which the nodes start."""
    absences: bool = False
    """Whether it is one of `draw_absences`."""
    forgetting: bool = False
    """Whether it is one of `draw_forgetting`, which is one of `draw_absences`, too."""
    durable: int = 0
    """Nodes that have a disk."""
    silent: int = 0
    """Nodes that do not listen; observers are the first to be among them."""

    def describe(self) -> str:
        """The plan in a few lines."""
        sizes = ", ".join(f"{name}={value:g}" for name, value in self.config.items())
        return (
            f"seed {self.seed}: {self.nodes} nodes, {self.seconds:.1f} s, {sizes}\n"
            f"  faults every {self.fault_interval:.2f} s: {' '.join(self.faults) or 'none'}\n"
            f"  operations every {self.operation_interval:.2f} s: {' '.join(self.operations)}\n"
            f"  {self.conditions}"
        )


def draw(seed: int, nodes: int | None = None) -> Plan:
    """The plan of a seed; `nodes` only replaces their number."""
    rng = Random(f"plan {seed}")
    drawn = rng.choice((2, 3, 3, 3, 3, 4, 4, 5, 6, 7))
    seconds = rng.uniform(5.0, 15.0)
    plan = Plan(
        seed=seed,
        nodes=drawn if nodes is None else nodes,
        seconds=seconds,
        config=_draw_config(rng),
        conditions=_draw_conditions(rng),
        faults=_some(rng, FAULTS, fewest=0),
        fault_interval=rng.choice((0.2, 0.5, 1.0, 3.0)),
        operations=_some(rng, OPERATIONS[:-2], fewest=1),
        operation_interval=max(rng.choice((0.02, 0.05, 0.1, 0.5)), seconds / OPERATIONS_MAX),
        shared_keys=rng.choice((1, 2, 5, 20)),
        burst=rng.choice((2, 10, 40)),
        observers=rng.choice((0, 0, 0, 1)),
        seeds_given=rng.choice(("first", "chain", "all", "random")),
        spread=rng.choice((0.0, 0.0, 1.0, 4.0)),
    )
    plan.config["announce_interval"] = rng.choice((0.02, 0.2, 0.2, 1.0))
    plan.config["dead_retention"] = 86_400.0
    plan.config["collect_interval"] = 5.0
    # Drawn last, so that what the other seeds do stays what it was.
    if rng.random() < EXPIRING_SHARE:
        plan = replace(plan, operations=(*plan.operations, "write_expiring"))
    # Drawn by itself: the seeds that are pinned because of what they found stay what they were.
    if Random(f"plan owners {seed}").random() < EPHEMERAL_SHARE:
        plan = replace(plan, operations=(*plan.operations, "write_ephemeral"))
    if Random(f"plan deletions {seed}").random() < COLLECTING_SHARE:
        plan.config["collect_interval"] = rng.choice((0.05, 0.3, 1.0))
        plan.config["dead_retention"] = rng.choice((3.0, 86_400.0))
    rng = Random(f"plan without an address {seed}")
    if rng.random() < SILENT_SHARE:
        plan = replace(plan, silent=rng.choice((1, 2, 2)))
    return plan


def draw_absences(seed: int, nodes: int | None = None) -> Plan:
    """The plan of a seed in which members are away for longer than whoever failed is waited for,
    while others write, delete, and forget what was deleted.
    """
    plan = draw(seed, nodes)
    rng = Random(f"plan absences {seed}")
    seconds = rng.uniform(40.0, 120.0)
    # What partitions end would end absences, too.
    others = tuple(name for name in plan.faults if not name.startswith(("partition", "swizzle")))
    shares = {"write_shared": 3, "delete": 3, "write_own": 1, "tie": 1}
    usual = tuple(name for name, share in shares.items() for _ in range(share))
    left_out = {*shares, "foreign"}
    plan = replace(
        plan,
        nodes=max(plan.nodes, 3) if nodes is None else nodes,
        seconds=seconds,
        faults=(*ABSENCES, *ABSENCES, *rng.sample(others, min(len(others), rng.choice((0, 1, 3))))),
        fault_interval=rng.choice((4.0, 10.0, 20.0)),
        operations=(*usual, *(name for name in plan.operations if name not in left_out)),
        operation_interval=rng.choice((0.3, 1.0)),
        absences=True,
        durable=rng.choice((0, 1, 2)),
    )
    plan.config["dead_retention"] = rng.choice((2.0, 5.0, 10.0))
    plan.config["collect_interval"] = rng.choice((0.05, 0.3, 1.0))
    plan.config["suspicion_factor"] = 1.0
    return plan


def draw_forgetting(seed: int, nodes: int | None = None) -> Plan:
    """The same where nobody is away for longer than all were told, and sources that are gone are
    forgotten after that: processes end and begin all the while.
    """
    plan = draw_absences(seed, nodes)
    rng = Random(f"plan forgetting {seed}")
    seconds = rng.uniform(1500.0, 3000.0)
    plan = replace(
        plan,
        seconds=seconds,
        faults=(*plan.faults, *("crash", "restart_away") * 2),
        fault_interval=rng.choice((20.0, 60.0)),
        operation_interval=seconds / rng.choice((OPERATIONS_MAX, 3 * OPERATIONS_MAX)),
        forgetting=True,
    )
    plan.config["forget_after"] = FORGET_SECONDS
    return plan


def _some(rng: Random, names: tuple[str, ...], *, fewest: int) -> tuple[str, ...]:
    share = rng.choice((0.15, 0.3, 0.6, 1.0))
    chosen = tuple(name for name in names if rng.random() < share)
    return chosen if len(chosen) >= fewest else (rng.choice(names),)


def _draw_config(rng: Random) -> dict[str, Any]:
    """Sizes down to one record a frame, no slack in the logs and one run in the arrival log."""
    frame_bytes = rng.choice((1, 1, 80, 200, 1000, 65536))
    return {
        "frame_bytes": frame_bytes,
        "link_window": max(frame_bytes, rng.choice((1, 500, 4000, 262144))),
        "log_slack": rng.choice((0, 0, 3, 20, 65536)),
        "horizon": rng.choice((1, 2, 8, 64, 65536)),
        "sync_interval": rng.choice((0.2, 1.0, 1.0, 5.0)),
        "heal_interval": rng.choice((2.0, 10.0)),
        "mesh_members": rng.choice((1, 2, 8, 8)),
        "fanout_min": rng.choice((1, 2, 4)),
    }


def _draw_conditions(rng: Random) -> Conditions:
    latency = rng.choice((0.0001, 0.001, 0.01, 0.1))
    return Conditions(
        latency=latency,
        jitter=latency * rng.choice((0.0, 0.5, 3.0)),
        loss=rng.choice((0.0, 0.0, 0.0, 0.02, 0.2)),
        bandwidth=rng.choice((0.0, 0.0, 0.0, 20e3, 1e6)),
        buffer=rng.choice((300, 3000, 65536, 65536)),
        dial_failure=rng.choice((0.0, 0.0, 0.1)),
        patience=rng.choice((2.0, 8.0, 20.0)),
        lag=rng.choice((0.0, 0.0002, 0.02)),
        keepalive=rng.random() < 0.7,
    )
