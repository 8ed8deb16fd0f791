"""The order of names under a key, beside the same with hashlib."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import pytest

from vines._core.rendezvous import KEY_BYTES, ranked

KEY = bytes(range(KEY_BYTES))


def of_hashlib(key: bytes, names: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """What one would write."""
    return tuple(sorted(names, key=lambda name: blake2b(name, digest_size=8, key=key).digest()))


@pytest.mark.parametrize("order", [ranked, of_hashlib], ids=["core", "hashlib"])
@pytest.mark.parametrize("count", [3, 101, 10_000])
def test_ranked(benchmark: Any, order: Any, count: int) -> None:
    names = tuple(number.to_bytes(16, "little") for number in range(count))
    assert len(benchmark(order, KEY, names)) == count
