"""Quotas: what this table's user writes is refused where it would make too much of it, and what a
peer sends never is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.table import DATA, EPHEMERAL, EXPIRING, TOMBSTONE, Table
from vines.errors import LocalError, QuotaExceeded

from .kinds import CORE, A, B, frames, new, state

FREE = 2**62


def limited(keys: int = FREE, size: int = FREE) -> Table:
    table: Table = new(CORE, A)
    table.keys_max, table.bytes_max = keys, size
    return table


def live(table: Table) -> list[tuple[bytes, bytes]]:
    """The keys and values of the live records of users."""
    return [
        (key, value)
        for family, key, *_, flags, value in table.records()
        if family == DATA and not flags & TOMBSTONE
    ]


def test_there_is_none_to_begin_with() -> None:
    table = new(CORE, A)
    assert (table.keys_max, table.bytes_max, table.fullness()) == (FREE, FREE, 0.0)


def test_no_new_key_beyond_the_quota_and_nothing_changed() -> None:
    table = limited(keys=2)
    table.write(b"a", 0, b"v", 1)
    assert table.write_plain("b", 1, 1)
    before = state(table)
    for write in (
        lambda: table.write(b"c", 0, b"v", 1),
        lambda: table.write(b"c", EPHEMERAL, b"v", 1),
        lambda: table.write(b"c", EXPIRING, b"v", 1, 5),
        lambda: table.write_plain("c", 1, 1),
        lambda: table.admit([(b"a", b"v"), (b"c", b"v")]),
    ):
        with pytest.raises(QuotaExceeded, match=r"2 keys, and with 1 more .* nothing changed"):
            write()
    assert state(table) == before and table.refusals == 5
    assert issubclass(QuotaExceeded, LocalError) and issubclass(QuotaExceeded, RuntimeError)


def test_what_makes_nothing_more_is_always_allowed() -> None:
    table = limited(keys=2)
    table.write(b"a", 0, b"v", 1)
    table.write(b"b", 0, b"v", 1)
    table.write(b"a", 0, bytes(1000), 1)
    table.write(b"unknown", TOMBSTONE, b"", 1)
    table.write(b"b", TOMBSTONE, b"", 1)
    table.write(b"c", 0, b"v", 1)
    with pytest.raises(QuotaExceeded):
        table.write(b"b", 0, b"v", 1)


def test_no_more_bytes_than_the_quota() -> None:
    table = limited(size=10)
    table.write(b"k", 0, bytes(9), 1)
    before = state(table)
    for key, size in ((b"k", 10), (b"o", 0)):
        with pytest.raises(QuotaExceeded, match=r"10 bytes, and with 1 more .* nothing changed"):
            table.write(key, 0, bytes(size), 1)
    assert state(table) == before
    table.write(b"k", 0, bytes(9), 1)
    table.write(b"k", 0, bytes(8), 1)
    table.write(b"o", 0, b"", 1)
    table.bytes_max = 5
    table.write(b"k", 0, bytes(8), 1)
    table.write(b"k", 0, bytes(7), 1)
    with pytest.raises(QuotaExceeded):
        table.write(b"k", 0, bytes(8), 1)


def test_a_batch_is_admitted_as_a_whole() -> None:
    table = limited(keys=3, size=30)
    table.write(b"a", 0, bytes(9), 1)
    table.admit([(b"a", bytes(1)), (b"b", bytes(9)), (b"c", bytes(16))])
    table.admit([])
    with pytest.raises(QuotaExceeded, match="10 bytes, and with 21 more"):
        table.admit([(b"a", bytes(1)), (b"b", bytes(9)), (b"c", bytes(18))])
    with pytest.raises(QuotaExceeded, match="1 keys, and with 3 more"):
        table.admit([(b"b", b""), (b"c", b""), (b"d", b"")])
    with pytest.raises(TypeError):
        table.admit([("text", b"")])  # type: ignore[list-item]
    table.keys_max = 1
    table.write(b"z", 0, b"v", 1, admitted=True)
    assert len(live(table)) == 2


def test_what_peers_send_is_taken_whatever_the_quota() -> None:
    author, table = new(CORE, B), limited(keys=1, size=1)
    for number in range(50):
        author.write(b"%d" % number, 0, b"value", 1)
    for part in frames(CORE, author, 4096):
        table.apply(part)
    assert table.records() == author.records()
    assert table.fullness() > 50
    with pytest.raises(QuotaExceeded):
        table.write(b"mine", 0, b"", 1)
    table.write(b"7", 0, b"small", 1)
    table.write(b"7", TOMBSTONE, b"", 1)


def test_other_families_do_not_count() -> None:
    table = limited(keys=1)
    table.put(7, b"k", 0, b"v", 1)
    table.put(1, b"k", 0, b"v", 1)
    assert (table.count(DATA), table.size(DATA), table.size(7)) == (0, 0, 2)
    table.write(b"k", 0, b"v", 1)
    assert table.fullness() == 1.0


writes = st.tuples(
    st.sampled_from([b"a", b"bb", b"ccc", b"dddd"]),
    st.sampled_from([0, 0, TOMBSTONE, EPHEMERAL, EXPIRING]),
    st.integers(0, 12),
)


@given(st.lists(writes, max_size=40), st.integers(1, 4), st.integers(1, 40))
def test_sizes_are_those_of_what_is_live_and_bounds_hold(
    steps: list[tuple[bytes, int, int]], keys: int, size: int
) -> None:
    table = limited(keys, size)
    for number, (key, flags, length) in enumerate(steps):
        held = dict(live(table))
        value = b"" if flags == TOMBSTONE else bytes(length)
        wanted = {**held, key: value}
        total = sum(map(len, wanted)) + sum(map(len, wanted.values()))
        more = (total > table.size(DATA) and total > size) or len(wanted) > max(len(held), keys)
        left = 1 if flags == EXPIRING else 0
        try:
            table.write(key, flags, value, 1, left)
            assert flags == TOMBSTONE or not more
        except QuotaExceeded:
            assert more and dict(live(table)) == held
        if number % 7 == 6:
            table.tick(number)
            table.lapse(100)
        found = live(table)
        assert table.count(DATA) == len(found) <= keys
        assert table.size(DATA) == sum(len(key) + len(value) for key, value in found) <= size
        assert table.fullness() == max(len(found) / keys, table.size(DATA) / size)
