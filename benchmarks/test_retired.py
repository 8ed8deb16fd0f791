"""What is left of sources whose processes are gone: bytes of digests, and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vines._core.digest import aligned_pages, vector_pages
from vines._core.sketch import sketch_page
from vines._core.table import Table

from .test_digest import BUDGET, KEYS

if TYPE_CHECKING:
    from pytest_benchmark.fixture import BenchmarkFixture

    from .conftest import Goals

LIVING, RESTARTS = 300, 10_000


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
    before, memory = sizes(table), table.statistics()["memory"]
    numbers = range(LIVING, LIVING + RESTARTS)
    for number in numbers:
        start(table, number, b"again")
    grown = table.statistics()["memory"] - memory
    assert sizes(table)[1] > 30 * before[1]
    benchmark.pedantic(lambda: [table.retire(source_of(number), 1) for number in numbers], rounds=1)
    goals.took("retire", benchmark)
    goals.at_most("retiring a source", "retire", 2.0, per=RESTARTS)
    after = sizes(table)
    left = table.statistics()["memory"] - memory
    worst = 100 * max(now / then - 1 for now, then in zip(after, before, strict=True))
    goals.counted("digests after 10,000 restarts, larger by", round(worst, 1), 5, "%")
    goals.counted("memory of a source in a table", grown / RESTARTS, 400, "bytes")
    goals.counted("the same once it is retired", left / RESTARTS, 64, "bytes")
    assert worst <= 5
