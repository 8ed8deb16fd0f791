"""A plain value written in one step is what the two steps write; anything else changes nothing."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest

from .forms import KEY_MAX, VALUE_MAX
from .kinds import CORE, A, new

DATA = 0
NOW = 1_700_000_000_123_456_789


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("k", 7), ("k" * KEY_MAX, "text"), ("\x00", None), ("key/7", bytes(300)), ("k", -2.5)),
        *(("k", True), ("k", bytes(VALUE_MAX - 6))),
    ],
)
def test_plain_write_is_a_write(key: str, value: object) -> None:
    one, other = new(CORE, A), new(CORE, A)
    stamp = one.write_plain(key, value, NOW)
    wall = NOW // 1_000_000 << 16
    assert stamp == other.write(key.encode(), 0, msgpack.packb(value), wall) == wall
    assert one.get(DATA, key.encode()) == other.get(DATA, key.encode())
    assert (one.fingerprint(), one.counter, one.clock) == (other.fingerprint(), 1, wall)
    assert one.write_plain(key, value, 0) == wall + 1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("", 1), ("k" * (KEY_MAX + 1), 1), ("\xe9", 1), (b"k", 1), (None, 1)),
        *(("k", [1]), ("k", {}), ("k", "\xe9"), ("k", 2**64), ("k", float("nan"))),
        *(("k", bytes(VALUE_MAX)), ("k", object())),
    ],
)
def test_what_is_not_plain_is_left_alone(key: Any, value: object) -> None:
    table = new(CORE, A)
    before = table.fingerprint()
    assert table.write_plain(key, value, NOW) == 0
    assert (table.fingerprint(), table.counter, len(table)) == (before, 0, 0)
