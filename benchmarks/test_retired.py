"""What is left of sources whose processes are gone: bytes of digests, and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.protocol.pump import Host, Pump
from vines._core.digest import aligned_pages, vector_pages
from vines._core.sketch import sketch_page
from vines._core.table import Table
from vines.protocol.replicas.retiring import LOOK_SECONDS

from .test_digest import BUDGET, KEYS

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from .conftest import Goals

LIVING, RESTARTS = 300, 10_000
LIVES = 128, 1024
"""Processes that end before memory is looked at for the first time, and until the second."""
LIFE_SECONDS = 7.0
"""Of one: time to agree with the others on what the one before it wrote; looks for sources that are
gone come at another moment of each."""
FORGOTTEN = 256, 1024
"""The same of processes that are forgotten before each look."""
FORGET_AFTER = 600.0
NOISE = 8192
"""Bytes of one leaf of the log of who says all that, which fills whatever is said."""
SETTINGS = {"dead_retention": 30.0, "horizon": 64}
"""Runs kept, of whatever was written, are as many as that from the begin on."""


def source_of(number: int) -> bytes:
    return number.to_bytes(16, "big")


def cluster() -> Table:
    """What a member holds of others that each wrote a key."""
    table = Table(b"o" * 16, *KEYS)
    for number in range(LIVING):
        start(table, number, b"living/%d" % number)
    return table


def start(table: Table, number: int, key: bytes) -> None:
    """Another process starts, and writes a key."""
    theirs = Table(source_of(number), *KEYS)
    theirs.write(key, 0, b"value", number << 16)
    body = theirs.delta_for(table.vector(), BUDGET)
    assert body is not None
    table.apply(body)


def sizes(table: Table) -> list[int]:
    """Bytes of all forms."""
    sketch = sketch_page(table, 35)
    assert sketch is not None
    pages = vector_pages(table, BUDGET), aligned_pages(table, BUDGET)
    return [len(sketch), *(sum(map(len, each)) for each in pages)]


def test_restarts(benchmark: BenchmarkFixture, goals: Goals) -> None:
    """Of one node without a disk, which writes one key each time."""
    table = cluster()
    before = sizes(table)
    numbers = range(LIVING, LIVING + RESTARTS)
    for number in numbers:
        start(table, number, b"again")
    assert sizes(table)[1] > 30 * before[1]
    benchmark.pedantic(lambda: [table.retire(source_of(number), 1) for number in numbers], rounds=1)
    goals.took("retire", benchmark)
    goals.at_most("retiring a source", "retire", 2.0, per=RESTARTS)
    after = sizes(table)
    worst = 100 * max(now / then - 1 for now, then in zip(after, before, strict=True))
    goals.counted("digests after 10,000 restarts, larger by", round(worst, 1), 5, "%")
    assert worst <= 5


def live(pump: Pump, number: int, seed: Host) -> None:
    """A process without a disk comes, says who it is, writes a key, and goes, with a word or
    without one.
    """
    # Of the highest id: who is first stays the same.
    host = pump.host(3, node_id=b"\xff" * 8 + number.to_bytes(8, "big"), **SETTINGS)
    pump.join(host, seed)
    pump.run(LIFE_SECONDS / 2)
    host.write("again", number.to_bytes(4, "big"))
    pump.run(LIFE_SECONDS / 2)
    if number % 2:
        host.node.leave(pump.now)
        pump.settle()
    pump.kill(host)
    pump.hosts.remove(host)


def memory(host: Host) -> list[int]:
    """Bytes of both tables, with all that is in them, and of each link."""
    control, data = (table.statistics() for table in (host.node.control, host.node.data))
    held = [int(each["memory"]) for each in (control, data)]
    return [*held, 8 * (int(control["slots"]) + int(data["slots"]))]


@pytest.mark.timeout(0)
def test_memory(goals: Goals) -> None:
    """Of a process that is gone, at two whole nodes: in either table, in the records that say so,
    in what is known of all of them, in whatever else it left, and in each link.
    """
    pump = Pump()
    nodes = pump.cluster(2, **SETTINGS)
    marks, number = [], 1000
    for lives in LIVES:
        for _ in range(lives):
            number += 1
            live(pump, number, nodes[number % 2])
            for host in nodes:
                host.events.clear()
                host.dials.clear()
        pump.run(30.0 + 6 * LOOK_SECONDS)
        marks.append([memory(host) for host in nodes])
    gone = sum(LIVES)
    for host, name in zip(nodes, ("who says so", "who hears of it"), strict=True):
        control, data = host.node.control, host.node.data
        assert control.statistics()["retired"] == len(control.gone) == gone
        records = control.statistics()["records"]
        assert isinstance(records, int) and records <= 4 + gone // 40 + 1
        assert data.statistics()["records"] == 1
        before, after = (each[nodes.index(host)] for each in marks)
        each = [(b - a) / LIVES[1] for a, b in zip(before, after, strict=True)]
        goals.counted(f"a process that is gone, at {name}", round(sum(each[:2]), 1), 64, "bytes")
        goals.counted(f"the same on a link, at {name}", round(each[2], 2), 1, "bytes")
        assert sum(each) <= 64


@pytest.mark.timeout(0)
def test_memory_once_they_are_forgotten(goals: Goals) -> None:
    """The same, and of the tables' records, where nobody is away for longer than all were told."""
    pump = Pump()
    # Logs of what the living wrote are as long as ever: no more than they have to be.
    nodes = pump.cluster(2, **SETTINGS, forget_after=FORGET_AFTER, log_slack=0)
    marks, number = [], 1000
    for lives in FORGOTTEN:
        for _ in range(lives):
            number += 1
            live(pump, number, nodes[number % 2])
            for host in nodes:
                host.events.clear()
                host.dials.clear()
        nodes[0].write("again")  # the last of them is named by its key until then
        pump.run(3 * FORGET_AFTER)
        marks.append([memory(host) for host in nodes])
    for host, name in zip(nodes, ("who says so", "who hears of it"), strict=True):
        control, data = host.node.control, host.node.data
        assert control.gone.forgotten == sum(FORGOTTEN) and len(control.gone) == 0
        records = control.statistics()["records"]
        assert isinstance(records, int) and records <= 4 and data.statistics()["records"] == 1
        before, after = (each[nodes.index(host)] for each in marks)
        each = sum(after) - sum(before)
        goals.counted(
            f"a process that is forgotten, at {name}",
            round(each / FORGOTTEN[1], 2),
            NOISE / FORGOTTEN[1],
            "bytes",
        )
        assert each <= NOISE
