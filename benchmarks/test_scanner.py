"""The scanner beside msgpack.unpackb of the same bytes, and the codec beside packb and unpackb.

What a value costs on arrival is the first group, less the call from Python; what it costs a caller
of gossip() is the third. The scan pays for itself if it is a fraction of the decoding it precedes.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime

import msgpack
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from vines._core.scanner import outgrows, scan_message, scan_value
from vines._core.wire import VALUE_BYTES_MAX
from vines.values.codec import pack, unpack

CHANCE = random.Random(1)
SMALL: dict[str, object] = {
    "int": 1_000,
    "str of 5": "hello",
    "str of 64": "x" * 64,
    "str of 64, not ascii": "\u00e9" * 32,
    "bytes of 64": b"x" * 64,
    "datetime": datetime(2024, 2, 29, tzinfo=UTC),
    "dict of 3": {"name": "worker-1", "port": 8000, "tags": ["a", "b"]},
    "dict of 20": {f"field_{CHANCE.randrange(1000)}": number for number in range(20)},
}
LARGE: dict[str, object] = {
    "1,000 ints": list(range(1_000)),
    "1,000 strs": [f"item {number}" for number in range(1_000)],
    "1,000 keys": {f"key/{CHANCE.random()}": number for number in range(1_000)},
    "1 MiB of bytes": bytes(VALUE_BYTES_MAX - 5),
    "1 MiB of text": "x" * (VALUE_BYTES_MAX - 5),
    "170,000 keys in no order": dict.fromkeys(CHANCE.sample(range(2**31, 2**32), 170_000)),
}
VALUES = SMALL | LARGE
MESSAGE = msgpack.packb(
    {
        "id": bytes(16),
        "source": bytes(16),
        "name": "worker-1",
        "address": ["192.168.0.2", 8000],
        "incarnation": 2**50,
        "observer": False,
        "clock": 2**41,
        "control": bytes(32),
        "data": bytes(32),
    }
)


def decode(data: bytes) -> object:
    return msgpack.unpackb(data, timestamp=3, strict_map_key=False)


def encode(value: object) -> bytes:
    return msgpack.packb(value, datetime=True)


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("look", [scan_value, decode], ids=["scan_value", "msgpack.unpackb"])
def test_scan(benchmark: BenchmarkFixture, look: Callable[[bytes], object], name: str) -> None:
    benchmark.group = f"scan: {name}"
    benchmark(look, encode(VALUES[name]))


@pytest.mark.parametrize("look", [scan_message, decode], ids=["scan_message", "msgpack.unpackb"])
def test_scan_hello(benchmark: BenchmarkFixture, look: Callable[[bytes], object]) -> None:
    benchmark.group = "scan: hello"
    benchmark(look, MESSAGE)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("make", [pack, encode], ids=["pack", "msgpack.packb"])
def test_pack(benchmark: BenchmarkFixture, make: Callable[[object], bytes], name: str) -> None:
    benchmark.group = f"pack: {name}"
    benchmark(make, SMALL[name])


@pytest.mark.parametrize("read", [unpack, decode], ids=["unpack", "msgpack.unpackb"])
@pytest.mark.parametrize("name", SMALL)
def test_unpack(benchmark: BenchmarkFixture, read: Callable[[bytes], object], name: str) -> None:
    benchmark.group = f"unpack: {name}"
    benchmark(read, encode(SMALL[name]))


def weigh_in_python(value: object, limit: int) -> bool:
    """What `outgrows` answers, by the plainest loop: why that one is compiled."""
    unseen, weight = [value], 0
    while unseen and weight <= limit:
        value = unseen.pop()
        weight += 1
        if isinstance(value, (str, bytes)):
            weight += len(value)
        elif isinstance(value, (list, tuple)):
            unseen.extend(value)
        elif isinstance(value, dict):
            unseen.extend(value)
            unseen.extend(value.values())
    return weight > limit


@pytest.mark.parametrize("name", ["str of 5", "dict of 3", "1,000 strs"])
@pytest.mark.parametrize("weigh", [outgrows, weigh_in_python], ids=["outgrows", "in Python"])
def test_outgrows(
    benchmark: BenchmarkFixture, weigh: Callable[[object, int], bool], name: str
) -> None:
    benchmark.group = f"outgrows: {name}"
    assert benchmark(weigh, VALUES[name], VALUE_BYTES_MAX) is False
