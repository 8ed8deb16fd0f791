"""A small cluster over days and months, and thousands of starts of nodes that keep nothing."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tests.simulation.churning import DAY, Churn, entries, idle_bytes, tables, vector_bytes
from vines.protocol.replicas import batches, collecting, retiring
from vines.simulation import Simulation

HOUR = 3600.0
IDLE_SECONDS = 120.0
LIFE_SECONDS = 7.0
"""Of one start: a probe of everybody, and time to agree on what the one before it wrote. Looks for
what is out of use come at another moment of each: every fifth of six seconds is a look's time, and
for hundreds of starts none would come late enough in one."""
COUNTED_MAX = 128
"""Sources that count while starts follow each other so fast, however many there were: those of the
last minutes, until all the living were seen to hold the same."""
BYTES_EACH = 64
"""Of memory that a process that is gone leaves behind at a node, at most, in both tables."""
LOGGED_BYTES_EACH = 512
"""The same with places for a hundred that are there at one time, and log entries of others."""
SHORT = {"log_slack": 64, "horizon": 64}
"""Log entries and runs that are kept of whatever was written last, or they would be most of it."""
SLACK_BYTES = 192 * 1024
"""Of memory that tables of a few keys may come to be different by: places for those that count at
one time are most of it."""
ENTRIES_MAX = 1500
"""Of containers of Python, by what a node knows of its peers, and of a thousand whom dials did not
find."""


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a node does by itself takes no virtual hour's worth of turns."""
    monkeypatch.setattr(retiring, "LOOK_SECONDS", HOUR)
    monkeypatch.setattr(collecting, "LOOK_SECONDS_MAX", HOUR / 6)
    yield
    gc.unfreeze()


def live(seed: int, days: int) -> Churn:
    """A cluster that lived so long, and is at rest: what was deleted has been forgotten."""
    churn = Churn(seed)
    churn.live(days)
    nodes = len(churn.simulation.nodes)
    for host in churn.simulation.nodes:
        assert tables(host)[1].tombstones == 0
        for table in tables(host):
            assert len(table.counted()) <= 2 * nodes
    return churn


@pytest.mark.usefixtures("slow")
def test_days_of_churn_absence_and_restored_disks() -> None:
    churn = live(0, 14)
    assert churn.simulation.now > 7 * 24 * HOUR
    for what in ("absence", "standstill", "backup restored", "restarts", "leave", "clock"):
        assert churn.seen[what], what


def identified(identities: int, *, seed: int = 0, nodes: int = 5, storm: int = 100) -> Churn:
    """A cluster in which so many processes ran, and of which all that were left are at rest."""
    churn = Churn(seed, nodes)
    hosts = churn.simulation.nodes
    sizes = [vector_bytes(host) for host in hosts]
    kept = [entries(host) for host in hosts]
    memory = [sum(table.statistics()["memory"] for table in tables(host)) for host in hosts]
    began = churn.identities
    churn.live_until(identities, storm)
    for host, size, before, bytes_before in zip(hosts, sizes, kept, memory, strict=True):
        control, data = tables(host)
        assert data.tombstones == 0
        assert len(control.counted()) <= 2 * nodes and len(data.counted()) <= 2 * nodes
        assert sum(vector_bytes(host)) <= 4 * sum(size)
        most = before + min(ENTRIES_MAX, 100 + (churn.identities - began) // 2)
        assert entries(host) <= most, "who is gone left something in Python"
        grown = control.statistics()["memory"] + data.statistics()["memory"] - bytes_before
        assert grown <= SLACK_BYTES + LOGGED_BYTES_EACH * (churn.identities - began)
    return churn


@pytest.mark.usefixtures("slow")
def test_hundreds_of_identities_leave_little_behind() -> None:
    churn = identified(400)
    assert churn.simulation.now > 5 * DAY
    assert churn.seen["storm"]


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.usefixtures("slow")
def test_months_of_churn_of_a_hundred_thousand_identities_leave_little_behind() -> None:
    churn = identified(100_000, storm=200)
    assert churn.simulation.now > 90 * DAY
    for what in ("absence", "standstill", "backup restored", "restarts", "leave", "clock", "lease"):
        assert churn.seen[what], what


def restarted(restarts: int) -> None:
    simulation = Simulation(
        5, nodes=4, config={"dead_retention": 60.0, **SHORT}, watching=False, checking=False
    )
    for number, host in enumerate(simulation.nodes):
        host.past_max = 1
        host.gossip("by", number)
    first, *_, last = simulation.nodes
    simulation.settle()
    simulation.run(IDLE_SECONDS)
    idle, sizes = idle_bytes(simulation, IDLE_SECONDS), vector_bytes(first)
    memory = sum(table.statistics()["memory"] for table in tables(first))
    most = 0
    for number in range(restarts):
        last.restart()
        simulation.run(LIFE_SECONDS / 2)
        last.gossip("by", number)
        simulation.run(LIFE_SECONDS / 2)
        most = max(most, len(tables(first)[1].counted()))
    assert most <= COUNTED_MAX
    simulation.run(60.0 + 6 * retiring.LOOK_SECONDS)
    simulation.settle()
    for host in simulation.nodes:
        assert host["by"] == restarts - 1
        assert vector_bytes(host) == pytest.approx(sizes, rel=0.05)
        control = tables(host)[0].statistics()
        said = 1 + restarts // batches.BATCH
        assert control["records"] <= 2 * len(simulation.nodes) + said
        assert control["tombstones"] == 0
        # Who wrote a batch last may be gone itself: its place stays as long as the batch.
        assert control["slots"] - control["holes"] <= len(simulation.nodes) + said
    assert idle_bytes(simulation, IDLE_SECONDS) == pytest.approx(idle, rel=0.05)
    grown = sum(table.statistics()["memory"] for table in tables(first)) - memory
    assert grown <= SLACK_BYTES + restarts * BYTES_EACH


def test_hundreds_of_restarts_cost_an_idle_cluster_nothing() -> None:
    restarted(150)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_ten_thousand_restarts_cost_an_idle_cluster_nothing() -> None:
    restarted(10_000)
