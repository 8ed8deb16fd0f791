"""The simulated disk, and clocks of another rate, used as a user would use them."""

from __future__ import annotations

from random import Random

import pytest

from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import Criteria
from vines.protocol.machine import Persist
from vines.simulation import Simulation
from vines.simulation.disk import Disk
from vines.simulation.host import Host
from vines.simulation.timeline import Timeline


class Writer:
    """What a disk knows of the process that uses it."""

    def __init__(self, disk: Disk) -> None:
        self.persisted_tickets: list[int] = []
        self.failed = ""
        disk.use(self)  # type: ignore[arg-type]

    def persisted(self, ticket: int, records: object) -> None:
        self.persisted_tickets.append(ticket)

    def storage_failed(self, text: str) -> None:
        self.failed = text


def make(seed: int = 1) -> tuple[Timeline, Disk, Writer]:
    timeline = Timeline()
    disk = Disk(timeline, Random(seed), lambda name: None)
    disk.open()
    return timeline, disk, Writer(disk)


def keep(disk: Disk, *tickets: int) -> None:
    for ticket in tickets:
        disk.keep(Persist(ticket, {b"%d" % ticket: b"value"}))
    disk.commit()


def test_what_comes_while_a_commit_is_under_way_goes_into_the_next_together() -> None:
    timeline, disk, writer = make()
    keep(disk, 1)
    keep(disk, 2)
    keep(disk, 3)
    assert (disk.records, writer.persisted_tickets) == ({}, [])
    timeline.run(1.0)
    assert writer.persisted_tickets == [1, 3]
    assert set(disk.records) == {b"1", b"2", b"3"}


def test_a_commit_under_way_at_a_crash_is_there_or_not_and_the_one_after_is_not() -> None:
    seen = set()
    for seed in range(20):
        timeline, disk, writer = make(seed)
        keep(disk, 1, 2)
        keep(disk, 3)
        disk.crash()
        timeline.run(1.0)
        assert writer.persisted_tickets == []
        seen.add(frozenset(disk.records))
    assert seen == {frozenset(), frozenset((b"1", b"2"))}


def test_a_sync_that_fails_is_told_and_nothing_is_kept_afterwards() -> None:
    timeline, disk, writer = make()
    disk.failing = True
    keep(disk, 1)
    keep(disk, 2)
    timeline.run(1.0)
    keep(disk, 3)
    timeline.run(2.0)
    assert writer.failed
    assert writer.persisted_tickets == []
    assert not {b"2", b"3"} & set(disk.records)


def test_a_slow_disk_takes_longer() -> None:
    timeline, disk, writer = make()
    disk.delay = 2.0
    keep(disk, 1)
    timeline.run(1.9)
    assert disk.syncing
    timeline.run(2.1)
    assert writer.persisted_tickets == [1]


def elect(host: Host, topic: str, total: int) -> None:
    process = host.process
    assert process is not None

    def act() -> None:
        elections = process.node.elections()
        elections.listen()
        elections.call(topic, Call(Criteria((), 1), total, 30.0), process.now)
        elections.vote(topic, 0, process.now)

    process.call(act)


def test_a_host_with_a_disk_is_the_same_node_again_and_knows_what_was_decided() -> None:
    simulation = Simulation(seed=3, nodes=2, durable=1)
    durable, other = simulation.nodes
    simulation.settle()
    names = [host.process.node.id for host in simulation.nodes if host.process]
    for host in simulation.nodes:
        elect(host, "email", 2)
    simulation.run(2.0)
    assert durable.process is not None
    outcome = durable.process.node.elections().outcome("email")
    assert outcome is not None
    for host in simulation.nodes:
        host.crash()
    durable.restart([])
    other.restart([])
    simulation.run(0.1)
    assert durable.process is not None
    assert other.process is not None
    assert durable.process.node.id == names[0]
    assert other.process.node.id != names[1]
    assert durable.process.node.elections().outcome("email") == outcome
    assert other.process.node.elections().outcome("email") is None


@pytest.mark.parametrize("what", ["lost", "old", "absent"])
def test_a_disk_that_forgot_is_no_part_of_the_node_that_used_it(what: str) -> None:
    simulation = Simulation(seed=3, nodes=1, durable=1)
    (host,) = simulation.nodes
    simulation.settle()
    assert host.process is not None
    assert host.disk is not None
    before, backup = host.process.node.id, host.disk.backup()
    host.crash()
    if what == "lost":
        host.disk.lose()
    elif what == "old":
        host.disk.restore(backup)
    else:
        host.disk.absent = True
    host.start()
    assert host.process.node.id != before
    assert (host.process.disk is not None) == (what == "lost")


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
def test_a_deadline_passes_by_the_hosts_own_clock(rate: float) -> None:
    simulation = Simulation(seed=3, nodes=1)
    (host,) = simulation.nodes
    host.rate = rate
    host.restart([])
    elect(host, "email", 2)  # a second caller never comes
    simulation.run(30.0 / rate - 0.5)
    assert "Overdue" not in [type(event).__name__ for event in host.events]
    simulation.run(1.0)
    assert "Overdue" in [type(event).__name__ for event in host.events]
