"""Sources of processes that are gone, over whole clusters and under faults."""

from __future__ import annotations

from math import inf

import pytest

from vines._core.changes import Changes
from vines._core.digest import vector_pages
from vines._core.table import MEMBER
from vines.protocol.replicas import retiring
from vines.protocol.replicas.agreement import Agreement
from vines.protocol.replicas.collecting import REPORT
from vines.protocol.replicas.leftovers import Leftovers
from vines.protocol.replicas.retiring import LOOK_SECONDS
from vines.simulation import Host, Simulation, run_seed

SEEDS = range(12)
RESTARTS = 40
IDLE_SECONDS = 120.0
LOOKS = 4 * LOOK_SECONDS


def idle_bytes(simulation: Simulation) -> float:
    """What all processes send while nothing happens."""

    def sent() -> int:
        total = 0
        for process in simulation.processes:
            counts = process.node.stats()["datagram_bytes_out"]
            assert isinstance(counts, dict)
            total += process.stream_bytes + sum(counts.values())
        return total

    before = sent()
    simulation.run(IDLE_SECONDS)
    return sent() - before


def vector_bytes(host: Host) -> list[int]:
    assert host.process is not None
    node = host.process.node
    return [sum(map(len, vector_pages(table, 1 << 16))) for table in (node.control, node.data)]


@pytest.mark.parametrize("overwrites", [25, 50])
def test_who_alone_writes_and_lost_its_links_is_not_taken_for_new(overwrites: int) -> None:
    """Its vector lists nothing but its own, as that of a newcomer does: it is not sent all there
    is, be it that records of its earlier start are left, or that some were deleted for good.
    """
    config = {"dead_retention": 5.0, "collect_interval": 0.3}
    simulation = Simulation(seed=3, nodes=3, config=config)
    writer, *readers = simulation.nodes
    for number in range(50):
        writer.gossip(f"key {number}", "old")
    simulation.settle()
    writer.restart()
    simulation.settle()
    for number in range(overwrites):
        writer.gossip(f"key {number}", "new")
    writer.delete("key 0")
    simulation.run(LOOKS)
    simulation.settle()
    assert writer.process is not None
    statistics = writer.process.node.data.statistics()
    assert statistics["retired"] and statistics["collected"]
    joins = simulation.counts["frame_join"]
    for number in range(4):
        simulation.partition([writer], readers)
        for stream in list(simulation.network.streams.values()):
            simulation.network.cut(stream)
        writer.gossip("again", number)
        simulation.run(0.5)
        simulation.heal()
        simulation.settle()
    assert simulation.counts["frame_join"] == joins
    assert [reader["again"] for reader in readers] == [3, 3]


def test_restarts_cost_an_idle_cluster_nothing() -> None:
    simulation = Simulation(seed=5, nodes=4, config={"dead_retention": 60.0})
    for number, host in enumerate(simulation.nodes):
        host.gossip("by", number)
    simulation.settle()
    simulation.run(LOOKS)
    idle, sizes = idle_bytes(simulation), vector_bytes(simulation.nodes[0])
    last = simulation.nodes[-1]
    for number in range(RESTARTS):
        last.restart()
        simulation.run(3.0)
        last.gossip("by", number)
        simulation.run(0.5)
    assert vector_bytes(simulation.nodes[0])[1] > 5 * sizes[1]
    simulation.run(60.0 + LOOKS)
    simulation.settle()
    for host in simulation.nodes:
        assert vector_bytes(host) == pytest.approx(sizes, rel=0.05)
        assert host["by"] == RESTARTS - 1
    assert idle_bytes(simulation) == pytest.approx(idle, rel=0.05)


@pytest.mark.parametrize("covered", [False, True])
def test_random_clusters_keep_the_invariants_however_soon_sources_are_retired(
    monkeypatch: pytest.MonkeyPatch, covered: bool
) -> None:
    """Also where nobody asks whether all the living hold what was written under a source."""
    written: list[tuple[bytes, retiring.Last]] = []
    say = retiring.Retiring._say

    def counted(self: retiring.Retiring, found: list[tuple[bytes, retiring.Last]]) -> None:
        written.extend(found)
        say(self, found)

    monkeypatch.setattr(retiring, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(retiring.Retiring, "_say", counted)
    if not covered:
        monkeypatch.setattr(Agreement, "since", lambda *_: inf)
        monkeypatch.setattr(retiring.Membership, "sources", lambda self: living(self))
    for seed in SEEDS:
        run_seed(seed)
    assert written


def living(members: retiring.Membership) -> set[bytes]:
    """Who is held dead is not waited for."""
    return {each.profile.source for each in members._members.values() if members.is_alive(each.id)}


def leave_nothing(seed: int = 7) -> None:
    """Processes without a disk end one after the other, some by a word; what they leave goes."""
    simulation = Simulation(seed, nodes=4, config={"dead_retention": 20.0})
    again = simulation.nodes[-1]
    for number in range(8):
        again.gossip("by", number)
        again.delete("by")
        simulation.run(10.0)
        if number % 2:
            again.leave()
            simulation.run(1.0)
        again.restart()
    simulation.run(60.0 + 2 * LOOKS)
    simulation.settle()
    for host in simulation.nodes:
        assert host.process is not None
        control = host.process.node.control
        families = [record[0] for record in control.records()]
        assert families.count(MEMBER) == 4 and families.count(REPORT) <= 4
        assert len(families) <= 4 + 4 + 1 and len(control.counted()) == 4
        assert len(control.gone) == 8


def test_of_restarts_only_the_sources_are_left() -> None:
    leave_nothing()


@pytest.mark.parametrize(
    ("bug", "found"),
    [
        ("what is left goes at once", "dropped .* counts"),
        ("reports of the living go", "holds nothing"),
        ("nothing is dropped", "not everywhere"),
    ],
)
def test_what_goes_too_soon_or_never_is_found(
    bug: str, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if bug == "what is left goes at once":
        monkeypatch.setattr(Leftovers, "looked", gone_at_once)
    elif bug == "reports of the living go":
        monkeypatch.setattr(Leftovers, "learn", reports_of_all)
    else:
        monkeypatch.setattr(Leftovers, "deadline", lambda self: inf)
    with pytest.raises(AssertionError, match=found):
        leave_nothing()


def gone_at_once(self: Leftovers, unowned: set[bytes], whole: bool) -> None:
    """Planted: nobody asks which sources count."""
    del unowned, whole
    self._walk = 0
    while self._walk is not None:
        self._find(0.0)
    self._clear()


def reports_of_all(self: Leftovers, changes: Changes, now: float) -> None:
    """Planted: a report goes, whoever made it."""
    del now
    for change in changes:
        if change[0] == REPORT:
            self._control.collect(REPORT, change[1])
