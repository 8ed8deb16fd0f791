"""Counters, stamps and tokens of peers at their limits: taken like any other, and life goes on."""

from __future__ import annotations

import pytest

from vines._core.table import DATA as USER_DATA
from vines._core.table import MEMBER, Table
from vines._core.vector import VersionVector
from vines._core.wire import COUNTER_MAX, STAMP_MAX
from vines.errors import LocalError, WireError
from vines.events import ClockSuspect, Conflict
from vines.protocol.links.handshake import DRIFT_MS_MAX
from vines.protocol.machine import Emit
from vines.protocol.members.profile import stamp_of
from vines.protocol.wire.hello import INCARNATION_MAX
from vines.protocol.wire.messages import CONTROL, DATA, Delta, Join, Pull, Vector
from vines.protocol.wire.talk import Flush, Flushed, Ping, Pong

from .golden import SOURCE
from .pump import Host, Pump, label
from .test_hostile import Stranger

FAR = b"f" * 16


def met(**changes: object) -> tuple[Host, Stranger]:
    """A node and a stranger that has greeted it."""
    host = Pump().host(1)
    peer = Stranger(host)
    peer.shake_hands(**changes)
    return host, peer


def table(source: bytes = FAR) -> Table:
    return Table(source, b"f" * 16, b"i" * 16)


def all_of(table: Table, number: int = DATA) -> Delta:
    body = table.delta_for(VersionVector(), 1 << 16)
    assert body is not None
    return Delta(number, body)


def covering(source: bytes, begin: int, end: int) -> Delta:
    """A range of positions without a record."""
    return Delta(DATA, b"\x01\x00" + source + varint(begin) + b"\x00" + varint(end - begin))


def varint(value: int) -> bytes:
    coded = bytearray()
    while value > 127:
        coded.append(value & 127 | 128)
        value >>= 7
    return bytes([*coded, value])


def rests(host: Host) -> bool:
    """Whether the node has nothing to do now, after it was let do what was due."""
    for _ in range(20):
        host.node.advance(host.pump.now)
        host.node.outbox.take()
    deadline = host.node.deadline()
    return deadline is None or deadline > host.pump.now


def test_a_hello_with_everything_at_its_limit_is_taken_and_answered() -> None:
    host, peer = met(
        incarnation=INCARNATION_MAX,
        serial=COUNTER_MAX,
        source=b"\xff" * 16,
        name="n" * 64,
        address=("h" * 255, 65_535),
        control=b"\xff" * 32,
        data=b"\xff" * 32,
    )
    assert peer.answers(Ping((1 << 64) - 1)) == [Pong((1 << 64) - 1)]
    # It cannot dial again: no later serial can follow. The link it has stays.
    again = Stranger(host, 2)
    again.say(again.hello(source=b"\xff" * 16, serial=COUNTER_MAX))
    assert host.node.established(peer.link) and not host.node.established(2)
    assert rests(host)


def test_a_source_that_ends_at_the_highest_counter_is_covered_and_questions_are_answered() -> None:
    host, peer = met()
    peer.say(covering(FAR, 0, COUNTER_MAX))
    assert host.node.data.covered(FAR) == COUNTER_MAX
    assert Flushed(COUNTER_MAX, 0, COUNTER_MAX) in peer.answers(Flush(COUNTER_MAX, FAR))
    for body in (b"\x03\x03", b"\x03\x03" + FAR + varint(COUNTER_MAX)):
        peer.say(Vector(DATA, 1, body))
        peer.say(Pull(DATA, body))
    before = host.node.data.state_bytes()
    for bad in (
        covering(FAR, COUNTER_MAX, COUNTER_MAX + 1),
        covering(SOURCE, 0, COUNTER_MAX + 1),
        Pull(DATA, b"\x03\x03" + FAR + varint(COUNTER_MAX + 1)),
        Vector(DATA, 0, b"\x03\x03" + FAR + varint(COUNTER_MAX + 1)),
        Join(DATA, (1 << 64) - 1),
    ):
        with pytest.raises(WireError):
            peer.node.receive(bad.encode()[4:], peer.link, host.pump.now)
    assert host.node.data.state_bytes() == before
    assert rests(host)


def test_ones_own_source_at_the_highest_counter_is_given_up_and_writing_goes_on() -> None:
    host, peer = met()
    host.write("before")
    old = host.node.source
    peer.say(covering(old, 0, COUNTER_MAX))
    assert host.node.source != old
    host.write("after")
    assert host.node.data.counter == 1
    assert host.value("before") == host.value("after") == b"\x01"
    assert rests(host)


def test_the_highest_stamp_freezes_nothing_but_its_own_key_and_moves_no_clock() -> None:
    host, peer = met()
    host.node.watching = True
    host.write("mine")
    clock = host.node.data.clock
    far = table()
    far.put(USER_DATA, b"top", 0, b"\x05", STAMP_MAX)
    far.put(USER_DATA, b"bottom", 0, b"\x06", 0)
    far.put(USER_DATA, b"soon", 0, b"\x06", host.pump.wall() + DRIFT_MS_MAX + 1 << 16)
    peer.say(all_of(far))
    assert host.value("top") == b"\x05"
    assert host.value("bottom") == b"\x06"
    assert host.node.data.clock == clock
    with pytest.raises(LocalError):
        host.write("top")
    assert host.value("top") == b"\x05"
    for key in ("soon", "bottom", "mine", "new"):
        host.write(key, b"\x07")
        assert host.value(key) == b"\x07"
    assert host.node.established(peer.link)
    assert rests(host)


@pytest.mark.parametrize("beyond", [False, True])
def test_of_a_stamp_that_moves_no_clock_its_sender_is_told_of_once(beyond: bool) -> None:
    host, peer = met()
    far, told = table(), []
    for key in (b"a", b"b"):
        stamp = host.pump.wall() + DRIFT_MS_MAX + beyond << 16
        far.put(USER_DATA, key, 0, b"\x01", stamp)
        told += [each.event for each in peer.say(all_of(far)) if type(each) is Emit]
        assert host.value(key.decode()) == b"\x01"
    assert told == ([ClockSuspect(peer.hello().name, None)] if beyond else [])
    assert (host.node.data.clock >= stamp) is not beyond


@pytest.mark.parametrize("rank", ["alive", "dead", "left"])
def test_a_member_at_the_highest_incarnation_is_what_its_record_says(rank: str) -> None:
    host, peer = met()
    far = table()
    profile = Pump().host(9).node._parts.identity.profile.replace(source=FAR, name="far")
    far.put(MEMBER, label(9), 0, profile.encode(), stamp_of(INCARNATION_MAX, rank))
    peer.say(all_of(far, CONTROL))
    (member,) = [each for each in host.node.members() if each.id == label(9)]
    assert (member.state, member.incarnation) == (rank, INCARNATION_MAX)
    assert rests(host)


def test_an_accusation_just_below_the_highest_incarnation_is_refuted() -> None:
    host, peer = met()
    far = table()
    value = host.node._parts.identity.profile.encode()
    far.put(MEMBER, host.node.id, 0, value, stamp_of(INCARNATION_MAX - 1, "dead"))
    peer.say(all_of(far, CONTROL))
    assert rests(host)
    held = host.node.control.get(MEMBER, host.node.id)
    assert held is not None
    assert held[0] == stamp_of(INCARNATION_MAX, "alive")


def test_a_record_about_oneself_at_the_highest_incarnation_does_not_keep_the_node_busy() -> None:
    pump = Pump()
    here, there = pump.cluster(2)
    value = here.node._parts.identity.profile.encode()
    there.node.control.put(MEMBER, here.node.id, 0, value, INCARNATION_MAX << 2 | 1)
    there.node.advance(pump.now)
    while pump.step():
        pass
    pump.now += 5.0
    here.node.advance(pump.now)
    deadline = here.node.deadline()
    assert deadline is not None
    assert deadline > pump.now
    assert "identity" in {event.kind for event in here.of(Conflict)}
