"""What is left of sources whose processes are gone: bytes of digests, and memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from vines._core.changes import Changes
from vines._core.digest import aligned_pages, vector_pages
from vines._core.retired import RetiredSources
from vines._core.sketch import sketch_page
from vines._core.table import Progress, Table
from vines._core.vector import VersionVector
from vines.protocol.replicas.retiring import LOOK_SECONDS, Retiring

from .test_digest import BUDGET, KEYS

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from vines.protocol.members.identity import Identity
    from vines.protocol.members.membership import Membership

    from .conftest import Goals

LIVING, RESTARTS = 300, 10_000
AT_ONCE = 16
"""Restarts between two looks for sources that are gone."""
BOUNDED = {"horizon": 1024, "log_slack": 1024}
"""Runs and entries kept, of whatever was written: as many as that from the begin on."""


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


class Node:
    """What a node keeps of sources: both tables, and who retires in them."""

    def __init__(self, number: int, living: set[bytes], first: bool) -> None:
        self.source, retired = source_of(number), RetiredSources()
        control, data = (
            Table(self.source, *KEYS, retired=retired, which=which, **BOUNDED) for which in range(2)
        )
        self.tables = control, data
        profile = SimpleNamespace(source=self.source, observer=False)
        living.add(self.source)
        self.retiring = Retiring(
            cast("Identity", SimpleNamespace(id=self.source, leaving=False, profile=profile)),
            cast("Membership", SimpleNamespace(sources=lambda: living, is_first=lambda _id: first)),
            self.tables,
            covers=lambda *_: True,
            renew=lambda _: None,
            now=0.0,
        )

    def hear(self, other: Node, now: float) -> None:
        """All that another node holds, in both tables, and what that changes."""
        for mine, theirs in zip(self.tables, other.tables, strict=True):
            changes = Changes()
            progress = Progress(theirs)
            for page in vector_pages(mine, BUDGET):
                progress.read_page(page)
            while (body := theirs.delta(progress, BUDGET)) is not None:
                mine.apply(body, 0, None, 0, changes)
            if mine is self.tables[0]:
                self.retiring.learn(changes, now)

    def turn(self, now: float) -> None:
        while self.retiring.deadline() <= now:
            self.retiring.advance(now)

    def memory(self) -> tuple[int, int]:
        """Bytes of both tables, with all that is in them, and of a link."""
        statistics = [table.statistics() for table in self.tables]
        held = sum(int(each["memory"]) for each in statistics)
        return held, sum(8 * int(each["slots"]) for each in statistics)


def restart(number: int, node: Node) -> bytes:
    """A process starts anew without anything, says who it is and writes a key; then it is gone."""
    source = source_of(number)
    for table, key in zip(node.tables, (b"member", b"again"), strict=True):
        theirs = Table(source, *KEYS)
        theirs.put(0, key, 0, b"value", number)
        body = theirs.delta_for(VersionVector(), BUDGET)
        assert body is not None
        table.apply(body)
    return source


def test_memory(goals: Goals) -> None:
    """Of a source that is gone, at who says so and at who hears of it: in either table, in the
    records that say so, in what is known of all of them, and in each link.
    """
    living: set[bytes] = set()
    first, other = Node(1, living, True), Node(2, living, False)
    nodes = first, other
    now, number = 0.0, 2
    for _ in range(LIVING):
        number += 1
        living.add(restart(number, first))
    marks = []
    for restarts in (2048, RESTARTS):
        done = number + restarts
        while number < done:
            for _ in range(AT_ONCE):
                number += 1
                restart(number, first)
            now += LOOK_SECONDS
            for node in nodes:
                node.turn(now)
                other.hear(first, now)
        for _ in range(4):
            now += LOOK_SECONDS
            for node in nodes:
                node.turn(now)
                other.hear(first, now)
        marks.append([node.memory() for node in nodes])
    for node, name in zip(nodes, ("who says so", "who hears of it"), strict=True):
        for table in node.tables:
            assert table.statistics()["retired"] == number - 2 - LIVING
        assert len(node.tables[0].gone) == number - 2 - LIVING
        before, after = (each[nodes.index(node)] for each in marks)
        held, link = ((b - a) / RESTARTS for a, b in zip(before, after, strict=True))
        goals.counted(f"a retired source, at {name}", round(held, 1), 64, "bytes")
        goals.counted(f"the same on a link, at {name}", round(link, 2), 1, "bytes")
        assert held + 8 * link <= 64
