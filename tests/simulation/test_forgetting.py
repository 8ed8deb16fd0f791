"""Sources that are gone are forgotten where nobody is away for longer than all were told: nothing
comes back, nothing is lost, and nothing is left.

The checks of every step are those of all random clusters, and one more: what a process forgets
counts nowhere, and nobody who runs, cut off or not, holds anything live of it.
"""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import replace

import pytest

from vines._core.retired import write_batch
from vines.protocol.replicas.batches import Batches
from vines.protocol.replicas.leftovers import RETIRED
from vines.protocol.replicas.retiring import LOOK_SECONDS
from vines.simulation import Simulation, Violation, run_forgetting
from vines.simulation.__main__ import coverage_report
from vines.simulation.plan import draw_forgetting
from vines.simulation.swarm import COVERAGE_OF_FORGETTING, Swarm

SEEDS = range(1, 9)
SOAK_SEEDS = range(500)
TERM = 600.0
SETTINGS = {"dead_retention": 20.0, "forget_after": TERM}


def run(seed: int) -> Counter[str]:
    """Without disks: who puts back an old copy of one may be away for as long as it likes."""
    return Swarm(replace(draw_forgetting(seed), durable=0)).run().counts


def clusters(seeds: range) -> Counter[str]:
    totals: Counter[str] = Counter()
    for seed in seeds:
        totals += run(seed)
    return totals


@pytest.mark.search
@pytest.mark.timeout(300)
def test_who_is_gone_is_forgotten_and_nothing_comes_back() -> None:
    totals = clusters(SEEDS)
    assert totals["source_forgotten"] and totals["all_forgotten"] and totals["deletion_collected"]


@pytest.mark.parametrize(
    "seed",
    [
        64,  # a batch lapsed, and went in the same turn
        68,  # who joined was told of no source that had deleted what it then covered
        126,  # an accusation was answered as it came, by what is forgotten elsewhere
        135,  # who joined stood still until the batch that it had read had lapsed
        396,  # somebody came to be known while deletions were being forgotten
        486,  # a word of a member came out of another part of the cluster, and twice
        560,  # one that nobody could dial knew nobody any more who could be
        780,  # a word of a member came of which nothing was known but that it was gone
    ],
)
def test_pinned_seed(seed: int) -> None:
    run(seed)


@pytest.mark.parametrize(
    "seed",
    [
        4,
        11,  # two let a batch fade apart from each other, and one had not heard of all of it
        111,  # who held the owner of an ephemeral key for gone had told nobody, and ended
    ],
)
def test_restarts_with_disks(seed: int) -> None:
    assert run_forgetting(seed).counts["source_forgotten"]


def churn(simulation: Simulation, starts: int = 6) -> None:
    """Processes without a disk end one after the other; nothing of theirs is left in the data."""
    last = simulation.nodes[-1]
    for number in range(starts):
        last.gossip("by", number)
        simulation.run(5.0)
        last.restart()
    simulation.nodes[0].gossip("by", "me")
    simulation.run(30.0)


def remembered(simulation: Simulation) -> list[int]:
    """Sources that are gone, and records that say so, at each node."""
    found = []
    for process in simulation.processes:
        control = process.node.control
        found.append(len(control.gone))
        found.append(sum(fields[0] == RETIRED for fields in control.records()))
    return found


def test_nothing_is_left_after_that_time_and_all_is_before() -> None:
    simulation = Simulation(3, nodes=4, config=SETTINGS)
    churn(simulation)
    simulation.run(4 * LOOK_SECONDS)
    assert remembered(simulation) == [6, 1] * 4
    simulation.run(TERM - 4 * LOOK_SECONDS)
    assert remembered(simulation) == [6, 1] * 4
    simulation.run(TERM)
    assert remembered(simulation) == [0, 0] * 4
    simulation.settle()
    assert {process.node.stats()["forgotten"] for process in simulation.processes} == {6}


@pytest.mark.parametrize("told", [None, 10 * TERM])
def test_the_longest_that_anybody_was_told_holds(told: float | None) -> None:
    simulation = Simulation(3, nodes=3, config=SETTINGS, start=False)
    first, *others = simulation.nodes
    others[0].config = others[0].config.replace(forget_after=told)
    first.start()
    for host in others:
        host.start([first])
    churn(simulation)
    simulation.run(4 * TERM)
    assert remembered(simulation)[::2] == [6] * 3
    others[0].config = others[0].config.replace(forget_after=TERM)
    others[0].restart([first])
    # What is said already may lapse as late as was told before.
    simulation.run(5 * TERM + (told or 0.0) + TERM)
    assert remembered(simulation) == [0, 0] * 3


def test_who_joins_as_records_lapse_does_not_bring_it_back() -> None:
    """At every moment around that: it counts nowhere again, and all of it goes."""
    for late in range(0, 200, 20):
        simulation = Simulation(5, nodes=4, config=SETTINGS)
        churn(simulation, 3)
        simulation.run(TERM + 7 * LOOK_SECONDS + late)
        simulation.nodes[2].restart()
        simulation.settle()
        counted = {len(process.node.data.counted()) for process in simulation.processes}
        assert counted <= {1, 2, 3, 4}
        simulation.run(3 * TERM)
        assert remembered(simulation) == [0, 0] * 4


def test_who_was_away_for_less_brings_nothing_back() -> None:
    simulation = Simulation(6, nodes=4, config=SETTINGS)
    away, *others = simulation.nodes
    writer = others[-1]
    writer.gossip("deleted", "long ago")
    simulation.settle()
    simulation.partition([away], others)
    simulation.run(60.0)
    writer.restart()
    simulation.run(60.0)
    others[0].delete("deleted")
    away.gossip("seen by nobody", 1)
    simulation.run(TERM - 200.0)
    simulation.heal()
    simulation.settle()
    assert all("deleted" not in host and host["seen by nobody"] == 1 for host in simulation.nodes)
    # What is still there names its source.
    others[0].delete("seen by nobody")
    simulation.run(6 * TERM)
    assert remembered(simulation) == [0, 0] * 4


BUGS = ("at once", "though it is named", "by its own clock alone", "never")


@pytest.mark.parametrize("bug", BUGS)
def test_who_forgets_too_early_or_never_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once: as soon as it is retired, and nothing here names it. By its own clock alone: though
    records say it. Named: others hold what it wrote, and nobody asks this node whether it does."""

    def age(self: Batches, now: float) -> None:
        retired = self._retired
        over = now >= self._began + 2 * TERM or bug == "at once"
        if bug == "never" or self._term is None or not over:
            retired.age(0, 1 << 20)
            return
        for source, last in retired.items():
            retired.unlist()
            retired.list_batch(write_batch([(source, last)]), 0)
            retired.age(0, 1)
        retired.unlist()
        retired.age(1, 1)

    if bug == "though it is named":
        monkeypatch.setattr(Batches, "_waits", lambda self, term: 1.0)
    else:
        monkeypatch.setattr(Batches, "_age", age)
    with pytest.raises(Violation):
        clusters(range(1, 9))


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_no_resurrection_and_no_lost_write_in_500_seeds_that_forget(
    capsys: pytest.CaptureFixture[str],
) -> None:
    totals = clusters(SOAK_SEEDS)
    with capsys.disabled():
        report = coverage_report(totals, COVERAGE_OF_FORGETTING)
        sys.stdout.write(f"\n{len(SOAK_SEEDS)} clusters that forget:\n{report}\n")
