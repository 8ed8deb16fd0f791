"""The table beside the plainest Python that does the same, warm and cold.

`cold` walks 256 MB between two calls, so that nothing of the table is left in a cache. The scan is
a plain loop over all records against a dict of what the peer holds: one pass, no index, nothing
encoded. Merging is held against a dict of tuples that were decoded already.
"""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from vines._core.changes import Changes
from vines._core.table import EPHEMERAL, EXPIRING, HIDDEN, SHOWN, Progress, Table
from vines._core.vector import VersionVector
from vines.protocol.replicas.replication import LAPSES_PER_TURN

if TYPE_CHECKING:
    from .conftest import Goals

FINGERPRINT_KEY, INDEX_KEY = bytes(range(16)), bytes(range(16, 32))
VALUE = bytes(range(64))
BUDGET = 64 << 10
WHOLE = 1 << 30
SIZES = {100_000: 100, 1_000_000: 1_000}
"""Keys, and the sources that wrote them."""

WALKED = bytearray(256 << 20)


def walk() -> None:
    assert WALKED.count(b"\1") == 0


def table(number: int = 0) -> Table:
    return Table(number.to_bytes(16, "big"), FINGERPRINT_KEY, INDEX_KEY)


def key(number: int) -> bytes:
    return b"key/%07d" % number


def frames(sender: Table, known: VersionVector | None = None) -> list[bytes]:
    """Everything a peer lacks, in frames of 64 KiB."""
    progress = Progress(sender)
    progress.read_page((known or VersionVector()).encode())
    parts = []
    while (part := sender.delta(progress, BUDGET)) is not None:
        parts.append(part)
    return parts


def fill(receiver: Table, parts: list[bytes]) -> None:
    for part in parts:
        receiver.apply(part)


class Shared:
    """Many keys of many sources, and a peer that lacks the last few updates."""

    def __init__(self, keys: int, missing: int) -> None:
        sources = SIZES[keys]
        self.table, self.peer = table(), table(1 << 100)
        writers = [table(1 + number) for number in range(sources)]
        for number in range(keys):
            writers[number % sources].put(0, key(number), 0, VALUE, number)
        for writer in random.Random(1).sample(writers, sources):
            fill(self.table, frames(writer))
        for writer in random.Random(2).sample(writers, sources):
            fill(self.peer, frames(writer))
        for number in range(missing):
            writer = writers[number * sources // missing]
            before = writer.vector()
            writer.put(0, key(number * 997 % keys), 0, VALUE, keys + number)
            fill(self.table, frames(writer, before))
        self.known = VersionVector()
        self.page = self.peer.vector().encode()
        self.known.merge_page(self.page)

    def link(self) -> Progress:
        """What this table knows of that peer: its vector, decoded."""
        progress = Progress(self.table)
        progress.read_page(self.page)
        return progress

    def plain(self) -> tuple[list[tuple[Any, ...]], dict[bytes, int]]:
        """The same for the scan in Python: few objects, in the order of their keys, each id one
        object."""
        names = {source: source for source in self.known}
        records = [(names[r[4]], r[5], r[1], r[7]) for r in self.table.records()]
        return records, dict(self.known.items())


@cache
def shared(keys: int, missing: int) -> Shared:
    return Shared(keys, missing)


def scan(records: list[tuple[Any, ...]], known: dict[bytes, int]) -> list[tuple[Any, ...]]:
    return [record for record in records if record[1] > known[record[0]]]


CASES = [(100_000, 1), (1_000_000, 100)]


@pytest.mark.benchmark(group="delta")
@pytest.mark.parametrize("state", ["warm", "cold"])
@pytest.mark.parametrize(("keys", "missing"), CASES)
def test_delta(
    benchmark: BenchmarkFixture, goals: Goals, keys: int, missing: int, state: str
) -> None:
    case = shared(keys, missing)

    def setup() -> Any:
        progress = case.link()
        if state == "cold":
            walk()
        return (progress, BUDGET), {}

    part = benchmark.pedantic(
        case.table.delta, setup=setup, rounds=25 if state == "cold" else 1000, warmup_rounds=2
    )
    assert len(part) > 64 * missing
    goals.took(f"delta of {missing} {state}", benchmark)


@pytest.mark.benchmark(group="delta")
@pytest.mark.parametrize(("keys", "missing"), CASES)
def test_delta_for_a_vector(
    benchmark: BenchmarkFixture, goals: Goals, keys: int, missing: int
) -> None:
    """Without a link: every id of the vector is looked up first."""
    case = shared(keys, missing)
    part = benchmark(case.table.delta_for, case.known, BUDGET)
    assert len(part) > 64 * missing


@pytest.mark.benchmark(group="delta")
@pytest.mark.parametrize("state", ["warm", "cold"])
@pytest.mark.parametrize(("keys", "missing"), CASES)
def test_delta_by_a_scan(
    benchmark: BenchmarkFixture, goals: Goals, keys: int, missing: int, state: str
) -> None:
    records, known = shared(keys, missing).plain()

    def setup() -> None:
        if state == "cold":
            walk()

    found = benchmark.pedantic(scan, (records, known), setup=setup, rounds=7, warmup_rounds=1)
    assert len(found) == missing
    goals.took(f"scan for {missing} {state}", benchmark)


@cache
def backlog() -> Table:
    """A million records of one source, in the order of their arrival."""
    writer = table(1)
    for number in range(1_000_000):
        writer.put(0, key(number), 0, VALUE, number)
    return writer


@pytest.mark.benchmark(group="first 64 KB of a backlog of 1,000,000")
@pytest.mark.parametrize("state", ["warm", "cold"])
def test_backlog(benchmark: BenchmarkFixture, goals: Goals, state: str) -> None:
    writer, nothing = backlog(), VersionVector()
    if state == "warm":
        part = benchmark(writer.delta_for, nothing, 65_536)
    else:
        part = benchmark.pedantic(
            writer.delta_for, (nothing, 65_536), setup=walk, rounds=25, warmup_rounds=1
        )
    assert 65_000 < len(part) <= 65_536
    goals.took(f"backlog {state}", benchmark)


@pytest.mark.benchmark(group="first 64 KB of a backlog of 1,000,000")
def test_backlog_joined_in_python(benchmark: BenchmarkFixture) -> None:
    """The least Python could do: cut the same number of records, encoded already, out of a list."""
    count = 65_536 // (len(key(0)) + len(VALUE) + 4)
    encoded = [key(number) + VALUE + bytes(4) for number in range(100_000)]
    benchmark(lambda: b"".join(encoded[:count]))


@cache
def applied(keys: int, order: str) -> tuple[list[bytes], list[bytes]]:
    """Frames that bring every key once, and once more, in the same order or another."""
    writer = table(1)
    numbers = random.Random(3).sample(range(keys), keys)
    for number in numbers:
        writer.put(0, key(number), 0, VALUE, 1)
    first, before = frames(writer), writer.vector()
    if order == "shuffled":
        random.Random(4).shuffle(numbers)
    for number in numbers:
        writer.put(0, key(number), 0, VALUE, 2)
    return first, frames(writer, before)


@pytest.mark.benchmark(group="apply, records of 64 B")
@pytest.mark.parametrize("keys", SIZES)
@pytest.mark.parametrize("what", ["inserting", "overwriting", "overwriting shuffled"])
def test_apply(benchmark: BenchmarkFixture, goals: Goals, what: str, keys: int) -> None:
    first, second = applied(keys, "shuffled" if "shuffled" in what else "same")
    parts = first if what == "inserting" else second

    def setup() -> Any:
        receiver = table(2)
        if parts is second:
            fill(receiver, first)
        return (receiver, parts), {}

    benchmark.pedantic(fill, setup=setup, rounds=15 if keys == 100_000 else 5, warmup_rounds=1)
    benchmark.extra_info["records"] = keys
    goals.took(f"{what} {keys}", benchmark)


@pytest.mark.benchmark(group="apply, records of 64 B")
@pytest.mark.parametrize("what", ["inserting", "overwriting"])
def test_apply_to_a_dict(benchmark: BenchmarkFixture, what: str) -> None:
    """100,000 tuples, decoded already, into a dict by the same conflict order."""
    origin = bytes(16)
    records = [(key(n), 1, origin, VALUE) for n in random.Random(3).sample(range(100_000), 100_000)]
    newer = [(record[0], 2, origin, VALUE) for record in records]
    held = {record[0]: record[1:] for record in records}

    def merge(target: dict[bytes, tuple[int, bytes, bytes]], several: list[Any]) -> None:
        for name, stamp, author, value in several:
            known = target.get(name)
            if known is None or (stamp, author) > known[:2]:
                target[name] = (stamp, author, value)

    def setup() -> Any:
        return (({}, records) if what == "inserting" else (dict(held), newer)), {}

    benchmark.pedantic(merge, setup=setup, rounds=10, warmup_rounds=1)


@pytest.mark.benchmark(group="lapse, a million records of 64 B")
def test_lapse(benchmark: BenchmarkFixture, goals: Goals) -> None:
    """What lapses in one turn, of a million records that all lapse within a second."""
    expiring = table(1)
    for number in random.Random(3).sample(range(1_000_000), 1_000_000):
        expiring.put(0, key(number), EXPIRING, VALUE, 1, 1 + number * 7919 % 1000)
    expiring.tick(1.0)

    def turn() -> int:
        return expiring.lapse(LAPSES_PER_TURN, Changes())

    assert benchmark.pedantic(turn, rounds=900) == LAPSES_PER_TURN
    benchmark.extra_info["records"] = LAPSES_PER_TURN
    goals.took("lapse", benchmark)


@pytest.mark.benchmark(group="hide, a million records of 64 B of one owner")
def test_hide(benchmark: BenchmarkFixture, goals: Goals) -> None:
    """What is hidden in one turn, of a million records whose owner is held dead at once."""
    owner, holder = table(1), table(2)
    holder.author(owner.source, SHOWN)
    for number in random.Random(3).sample(range(1_000_000), 1_000_000):
        owner.put(0, key(number), EPHEMERAL, VALUE, 1)
    fill(holder, frames(owner))
    holder.author(owner.source, HIDDEN)

    def turn() -> int:
        return holder.lapse(LAPSES_PER_TURN, Changes())

    assert benchmark.pedantic(turn, rounds=900) == LAPSES_PER_TURN
    benchmark.extra_info["records"] = LAPSES_PER_TURN
    goals.took("hide", benchmark)


def test_goals(goals: Goals) -> None:
    goals.at_most("1,024 of a million records are hidden", "hide", 5_000)
    goals.at_most("1,024 of a million records lapse", "lapse", 5_000)
    goals.at_most("delta of 1 in 100,000 keys of 100 sources", "delta of 1 warm", 20)
    for state, least in (("warm", 10_000), ("cold", 900)):
        what = f"delta of 100 in 1,000,000 keys, {state}, beside a scan"
        goals.faster(what, f"delta of 100 {state}", f"scan for 100 {state}", least)
    for state, most in (("warm", 10), ("cold", 60)):
        goals.at_most(f"first 64 KB of a backlog, {state}", f"backlog {state}", most)
    for keys, over, insert in ((100_000, 3_500_000, 3_000_000), (1_000_000, 2_500_000, 1_200_000)):
        goals.rate(f"apply over {keys:,} keys, overwriting", f"overwriting {keys}", keys, over)
        what = f"apply over {keys:,} keys, overwriting in another order"
        goals.rate(what, f"overwriting shuffled {keys}", keys, over)
        goals.rate(f"apply over {keys:,} keys, inserting", f"inserting {keys}", keys, insert)
