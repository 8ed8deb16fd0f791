"""Sources of processes that are gone leave vectors and digests; what they wrote stays."""

from __future__ import annotations

import struct

import pytest

from tests.core.forms import write_floors
from tests.core.kinds import frame, record, span
from vines._core.changes import Changes
from vines._core.digest import vector_pages
from vines._core.table import DATA
from vines.events import Conflict
from vines.protocol.replicas import retiring
from vines.protocol.replicas.retiring import (
    AGAIN_SECONDS,
    GONE_MAX,
    LOOK_SECONDS,
    RETIRED,
    read_last,
)

from .pump import Host, Pump
from .test_replication import equal

LOOKS = 3 * LOOK_SECONDS
"""Two looks, and the probes of everybody in between."""


def sources(host: Host) -> set[bytes]:
    """Those that count in either table."""
    node = host.node
    return {source for table in (node.control, node.data) for source, _ in table.counted()}


def own(*hosts: Host) -> set[bytes]:
    return {host.node.source for host in hosts}


def bytes_of(host: Host) -> int:
    return sum(len(page) for page in vector_pages(host.node.data, 1 << 16))


def retire(host: Host, source: bytes, last: tuple[int, int]) -> None:
    """Let a node say that this is all of a source, whether it is or not."""
    host.node._parts.retiring._write(source, last)
    host.node._parts.retiring._leave_out(host.pump.now)
    host.node.advance(host.pump.now)


def test_the_source_of_an_earlier_start_goes_and_what_it_wrote_stays() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    for host in (a, b, c):
        host.write(f"by {host.name}")
    pump.run(1.0)
    old, before = c.node.source, bytes_of(a)
    for _ in range(3):
        pump.kill(c)
        c = pump.host(3)
        pump.join(c, a)
        pump.run(2.0)
        c.write("by n3", b"\x02")
        pump.run(1.0)
    assert bytes_of(a) > before
    pump.run(LOOKS)
    for host in (a, b, c):
        assert sources(host) == own(a, b, c)
        assert host.node.data.is_retired(old) and bytes_of(host) == before
        assert host.value("by n3") == b"\x02" and host.value("by n1") == b"\x01"
    assert equal(a, b, c)
    assert [host.node.stats()["retired"] for host in (a, b, c)] == [3, 0, 0]


@pytest.mark.parametrize("leaving", [False, True])
def test_who_is_held_dead_is_waited_for_and_who_left_is_not(leaving: bool) -> None:
    pump = Pump()
    a, b, c = pump.cluster(3, dead_retention=300.0)
    c.write("key")
    pump.run(1.0)
    if leaving:
        c.node.leave(pump.now)
        pump.settle()
    pump.kill(c)
    pump.run(LOOKS + 10.0)
    assert c.node.data.is_retired(c.node.source) is False
    assert [host.node.data.is_retired(c.node.source) for host in (a, b)] == [leaving] * 2
    pump.run(300.0)
    assert sources(a) == sources(b) == own(a, b) and a.value("key") == b"\x01"


def test_not_before_every_living_member_was_seen_to_hold_the_same() -> None:
    pump = Pump()
    a, b, c, d = pump.cluster(4)
    d.write("key")
    pump.run(1.0)
    pump.kill(d)
    d = pump.host(4)
    pump.join(d, a)
    pump.run(2.0)
    a.node._parts.answering._agrees = lambda member, now: None
    pump.run(LOOKS)
    assert not any(host.node.stats()["retired"] for host in (a, b, c, d))
    del c, b


def test_a_look_goes_on_from_turn_to_turn_and_what_is_left_out_goes_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retiring, "LOOKED_AT_ONCE", 3)
    monkeypatch.setattr(retiring, "TRIED_AT_ONCE", 2)
    pump = Pump()
    host = pump.host(1)
    control, data = host.node.control, host.node.data
    names = [bytes([number]) * 16 for number in range(100, 130)]
    for number, name in enumerate(names):
        for table in [control, data] if number % 3 == 0 else [data] if number % 3 else [control]:
            table.apply(frame(span(name, 0, 1, (1, record(b"%d" % number, 1, name, 1, family=9)))))
    left = len(sources(host))
    assert left == 31  # with its own
    part, turns = host.node._parts.retiring, 0
    for _ in range(3):
        pump.now += LOOK_SECONDS
        while part.deadline() <= pump.now:
            part.advance(pump.now)
            turns += 1
            assert left - 4 <= len(sources(host)) <= left
            left = len(sources(host))
    assert left <= 1 and part.count == 30 and turns >= 3 * 30 / 3
    assert all(data.is_retired(name) or control.is_retired(name) for name in names)
    # What said that comes to who holds all of it already: that takes as few of them a turn.
    other, news = pump.host(2), Changes()
    for table, mine in (other.node.control, control), (other.node.data, data):
        page, _ = mine.page(0, 1 << 20)
        table.apply_page(page, 0, 0, news)
        table.finish_join(mine.floor_pages(1 << 16))
    part, left = other.node._parts.retiring, len(sources(other))
    assert left >= 30
    part.learn(news, pump.now)
    for _ in range(40):
        assert left - 2 <= len(sources(other)) <= left
        left = len(sources(other))
        part.advance(pump.now)
    assert sources(other) <= {host.node.source, other.node.source}


def test_who_finds_its_own_source_retired_goes_on_under_a_fresh_one() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    c.write("key")
    pump.run(1.0)
    old = c.node.source
    last = c.node.control.counter, c.node.data.counter
    retire(a, old, last)
    pump.run(1.0)
    assert c.node.source != old
    (told,) = c.of(Conflict)
    assert told.kind == "source" and "retired" in told.text
    c.write("key", b"\x02")
    pump.run(LOOKS)
    assert sources(a) == sources(b) == sources(c) == own(a, b, c)
    assert a.value("key") == b.value("key") == b"\x02" and equal(a, b, c)


def test_what_comes_of_it_after_all_puts_it_back_and_is_not_lost() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    c.write("key")
    pump.run(1.0)
    for host in (a, b):
        pump.walls.add(frozenset({host.address, c.address}))
        pump.lose(c.to(host))
    c.write("late")
    last = c.node.control.counter, c.node.data.counter - 1
    retire(a, c.node.source, last)
    pump.run(1.0)
    assert b.node.data.is_retired(c.node.source)
    pump.walls.clear()
    pump.until(lambda: a.value("late") is not None and b.value("late") is not None)
    pump.run(LOOKS)
    assert sources(a) == sources(b) == sources(c) == own(a, b, c) and equal(a, b, c)


def test_who_joins_later_gets_what_a_retired_source_wrote() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    b.write("key")
    pump.run(1.0)
    pump.kill(b)
    again = pump.host(2)
    pump.join(again, a)
    pump.run(LOOKS)
    assert a.node.data.is_retired(b.node.source)
    late = pump.host(3)
    pump.join(late, a)
    pump.settle()
    assert late.value("key") == b"\x01"
    pump.run(2.0)
    assert equal(a, again, late) and sources(late) == sources(a)


def test_who_joins_later_does_not_wait_for_what_nobody_has_any_more() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    pump.run(1.0)
    gone = bytes(15) + b"\x07"
    retire(a, gone, (3, 1))
    pump.run(1.0)
    assert b.node.control.get(RETIRED, gone) is not None
    for host in (a, b):
        assert host.node._parts.retiring.deadline() > pump.now + 2 * AGAIN_SECONDS
    # If it comes after all, it is left out as soon as somebody looks.
    late = pump.host(9).node
    for table in (late.control, late.data):
        table.adopt(gone)
    for number in range(3):
        late.control.put(DATA, bytes([number]), 0, b"", 1)
    late.data.put(DATA, b"key", 0, b"\x01", 1)
    for mine, other in ((b.node.control, late.control), (b.node.data, late.data)):
        body = other.delta_for(mine.vector(), 1 << 16)
        assert body is not None and mine.apply(body) == []
    pump.run(LOOKS)
    assert a.value("key") == b.value("key") == b"\x01"
    for host in (a, b):
        assert host.node.control.is_retired(gone) and host.node.data.is_retired(gone)


@pytest.mark.parametrize("value", [b"", bytes(15), bytes(17)])
def test_malformed_records_retire_nothing(value: bytes) -> None:
    assert read_last(value) is None
    pump = Pump()
    a, b = pump.cluster(2)
    a.node.control.put(RETIRED, b.node.source, 0, value, 1)
    a.node.control.put(RETIRED, b"short", 0, bytes(16), 1)
    a.node.advance(pump.now)
    pump.run(1.0)
    assert sources(a) == sources(b) == own(a, b) and not b.of(Conflict)
    assert read_last(struct.pack("<QQ", 3, 4)) == (3, 4)


def test_of_members_that_are_gone_no_more_is_remembered_than_a_few() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    pump.run(10.0)
    agreement = a.node._parts.agreement
    assert set(agreement._seen) == {b.node.id}
    for number in range(10 * GONE_MAX):
        agreement.saw(number.to_bytes(16, "big"), pump.now)
        assert len(agreement._seen) <= GONE_MAX + 1
    assert b.node.id in agreement._seen


GOLDEN = bytes.fromhex("03000000000000000100000000000000")


def test_golden_bytes_and_what_damage_of_them_retires() -> None:
    pump = Pump()
    a = pump.host(1)
    control = pump.host(2).node.control
    for number in range(2):
        control.put(DATA, bytes([number]), 0, b"", 1)
    body = control.delta_for(a.node.control.vector(), 1 << 16)
    assert body is not None and a.node.control.apply(body) == []
    source = control.source
    assert a.node.control.covered(source) == 3
    assert read_last(GOLDEN) == (3, 1)
    for size in range(len(GOLDEN)):
        assert read_last(GOLDEN[:size]) is None
    for at in range(8):
        for bit in range(8):
            flipped = bytearray(GOLDEN)
            flipped[at] ^= 1 << bit
            last = read_last(bytes(flipped))
            assert last is not None and not a.node.control.retire(source, last[0])
    assert not a.node.control.is_retired(source)
    a.node._parts.retiring._write(source, (3, 1))
    held = a.node.control.get(RETIRED, source)
    assert held is not None and (held[0], held[3]) == (4, GOLDEN)


def test_who_retired_more_than_a_peer_does_not_join_it_again_and_again() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    c.write("key")
    pump.run(1.0)
    source, covered = c.node.source, a.node.data.covered(c.node.source)
    pump.kill(c)
    a.node.data.finish_join([bytes(write_floors([(source, covered, covered)], stamp=1).data)])
    assert b.node.data.retire(source, covered)
    before = b.node.stats()["joins"]
    assert isinstance(before, int)
    b.write("other")
    pump.run(10.0)
    joins = b.node.stats()["joins"]
    assert isinstance(joins, int) and 0 < joins - before <= 20
    retire(a, source, (a.node.control.covered(source), covered))
    pump.run(5.0)
    assert equal(a, b)
