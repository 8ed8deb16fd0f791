"""Changes on their way to listeners, and values that need no packer, beside the plain way in
Python: `./run bench benchmarks/test_changes.py`.

The baselines do the same with tuples and the msgpack library, which is itself compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgpack
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks.conftest import Goals
from vines._core.changes import Change, Changes
from vines._core.plain import pack_plain, unpack_value
from vines._core.scanner import is_value
from vines._core.table import DATA, Table
from vines.events import Delete, Gossip, Lapse
from vines.values.codec import unpack_scanned

COUNT = 1000
ORIGIN = b"o" * 16
PACKED = msgpack.packb(bytes(64))
TUPLES: list[Change] = [
    (DATA, b"key/%07d" % number, 0, PACKED, number + 1, ORIGIN) for number in range(COUNT)
]


def events_of_changes(changes: Changes) -> list[Any]:
    return changes.events(0, COUNT, Gossip, Delete, Lapse, (), unpack_scanned)


def events_of_tuples(changes: list[Change]) -> list[Any]:
    return [
        Gossip(key.decode(), unpack_scanned(packed), False, stamp, origin)
        for _, key, _, packed, stamp, origin in changes
        if is_value(packed)
    ]


@pytest.mark.benchmark(group="events of 1,000 changes")
def test_events(benchmark: BenchmarkFixture, goals: Goals) -> None:
    assert len(benchmark(events_of_changes, Changes(TUPLES))) == COUNT
    goals.took("events", benchmark)


@pytest.mark.benchmark(group="events of 1,000 changes")
def test_events_the_plain_way(benchmark: BenchmarkFixture, goals: Goals) -> None:
    assert benchmark(events_of_tuples, TUPLES) == events_of_changes(Changes(TUPLES))
    goals.took("events the plain way", benchmark)


@pytest.mark.benchmark(group="merging 1,000 records and noting what changed")
@pytest.mark.parametrize("noting", [False, True])
def test_noting(benchmark: BenchmarkFixture, noting: bool) -> None:
    writer = Table(b"w" * 16, bytes(16), bytes(16))
    for _, key, flags, value, stamp, _ in TUPLES:
        writer.put(DATA, key, flags, value, stamp)
    frame = writer.delta_for(Table(b"r" * 16, bytes(16), bytes(16)).vector(), 1 << 20)
    assert frame is not None

    def setup() -> Any:
        return (Table(b"r" * 16, bytes(16), bytes(16)),), {}

    def merge(table: Table) -> None:
        table.apply(frame, 0, None, 0, Changes() if noting else None)

    benchmark.pedantic(merge, setup=setup, rounds=50, warmup_rounds=2)


VALUES: dict[str, Any] = {"64 bytes": bytes(64), "text": "hello, world", "int": 8000, "float": 1.5}
PACKER = msgpack.Packer()


@pytest.mark.parametrize("pack", [pack_plain, PACKER.pack], ids=["plain", "msgpack"])
@pytest.mark.parametrize("name", VALUES)
def test_pack(benchmark: BenchmarkFixture, pack: Callable[[Any], bytes], name: str) -> None:
    benchmark.group = f"pack {name}"
    assert benchmark(pack, VALUES[name]) == msgpack.packb(VALUES[name])


@pytest.mark.parametrize("plain", [True, False], ids=["plain, scanned", "msgpack, not scanned"])
@pytest.mark.parametrize("name", VALUES)
def test_unpack(benchmark: BenchmarkFixture, plain: bool, name: str) -> None:
    benchmark.group = f"unpack {name}"
    data = msgpack.packb(VALUES[name])
    if plain:
        assert benchmark(unpack_value, data, unpack_scanned) == VALUES[name]
    else:
        assert benchmark(msgpack.unpackb, data) == VALUES[name]


def test_goals(goals: Goals) -> None:
    goals.faster("events of changes, beside tuples", "events", "events the plain way", 1.5)
