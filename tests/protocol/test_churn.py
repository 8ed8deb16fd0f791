"""Ten thousand members come, are accused, and go: nothing that a node keeps grows with them."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType

import pytest

from vines._core.table import MEMBER
from vines.protocol.members.accusations import ACCUSATION, UNANSWERED, Accusation, Accusations
from vines.protocol.members.membership import GONE_MAX
from vines.protocol.members.profile import Profile, stamp_of

from .pump import Host, Pump, label

IDENTITIES = 10_000
TOGETHER = 50


def identity(number: int) -> bytes:
    """The id of one of them."""
    return number.to_bytes(16, "little")


def say(host: Host, number: int, state: str) -> None:
    """Let a node write for a member that does not exist that it is in this state."""
    profile = Profile(
        name=f"m{number}",
        address=(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 7000),
        tags={},
        versions=(1, 1),
        observer=False,
        source=host.node.control.source,
    )
    stamp = stamp_of(1, state)
    assert host.node.control.put(MEMBER, identity(number), 0, profile.encode(), stamp)
    host.node._parts.detector.accusations.settle(identity(number))


def accuse(host: Host, number: int, *, incarnation: int = 1) -> None:
    """Let a node write that one of them does not answer."""
    source = host.node.control.source
    said = Accusation(identity(number), host.node.id, incarnation, UNANSWERED, source)
    assert host.node.control.put(ACCUSATION, said.key, 0, b"", said.stamp)
    host.node._parts.detector.accusations.add(said)


def carry(pump: Pump, *hosts: Host) -> None:
    for host in hosts:
        host.node.advance(pump.now)
    pump.settle()


def largest(host: Host) -> int:
    """Entries of the largest container that can be reached from a node."""
    seen: set[int] = set()
    left: list[object] = [host.node]
    found = 0
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType | Host | Pump):
            continue
        seen.add(id(each))
        if isinstance(each, dict | list | set | frozenset | tuple):
            found = max(found, len(each))
        left.extend(gc.get_referents(each))
    return found


def test_ten_thousand_who_come_and_go_leave_nothing_behind() -> None:
    pump = Pump()
    node, writer = pump.cluster(2, dead_retention=5.0)
    resting = largest(node)
    for first in range(100, 100 + IDENTITIES, TOGETHER):
        numbers = range(first, first + TOGETHER)
        for number in numbers:
            say(writer, number, "alive")
        carry(pump, writer)
        for number in numbers:
            accuse(writer, number)
        carry(pump, writer)
        assert node.node.stats()["suspects"] == node.node.stats()["accusations"] == TOGETHER
        for number in numbers:
            say(writer, number, "dead" if number % 2 else "left")
        carry(pump, writer)
        assert node.node.stats()["suspects"] == node.node.stats()["accusations"] == 0
        assert node.node.control.count(ACCUSATION) == 0
        node.events.clear()
    assert node.node.stats()["members"] == 1
    assert len(node.node.members()) <= GONE_MAX + 2
    assert largest(node) <= GONE_MAX + 2
    pump.run(6.0)
    assert len(node.node.members()) == 2
    assert largest(node) <= 2 * resting
    assert node.node.control.fingerprint() == writer.node.control.fingerprint()


# -- what is void


@pytest.mark.parametrize("order", ["accused first", "answered first"])
@pytest.mark.parametrize(
    ("incarnation", "state", "void"),
    [(1, "alive", False), (1, "dead", True), (1, "left", True), (2, "alive", True)],
)
def test_an_accusation_that_was_answered_is_collected_in_whatever_order_it_comes(
    order: str, incarnation: int, state: str, *, void: bool
) -> None:
    table = Pump().host(1).node.control
    accusations = Accusations(table)
    said = Accusation(label(2), label(3), 1, UNANSWERED, table.source)

    def accused() -> None:
        table.put(ACCUSATION, said.key, 0, b"", said.stamp)
        accusations.add(said)

    def answered() -> None:
        table.put(MEMBER, label(2), 0, b"", stamp_of(incarnation, state))
        accusations.settle(label(2))

    for happens in (accused, answered) if order == "accused first" else (answered, accused):
        happens()
    assert (table.get(ACCUSATION, said.key) is None) == void
    assert len(accusations) == (not void)


def test_an_accusation_of_an_incarnation_to_come_stays_until_it_is_answered() -> None:
    table = Pump().host(1).node.control
    accusations = Accusations(table)
    said = Accusation(label(2), label(3), 7, UNANSWERED, table.source)
    table.put(ACCUSATION, said.key, 0, b"", said.stamp)
    accusations.add(said)
    for incarnation in (1, 7, 8):
        table.put(MEMBER, label(2), 0, b"", stamp_of(incarnation, "alive"))
        accusations.settle(label(2))
        assert (table.get(ACCUSATION, said.key) is None) == (incarnation == 8)


def test_who_is_accused_and_objects_leaves_no_accusation_anywhere() -> None:
    pump = Pump()
    hosts = pump.cluster(4)
    accuser, subject = hosts[:2]
    now = subject.node.members()[0].incarnation
    said = Accusation(subject.node.id, accuser.node.id, now, UNANSWERED, accuser.node.source)
    assert said.origin == accuser.node.control.source
    accuser.node.control.put(ACCUSATION, said.key, 0, b"", said.stamp)
    accuser.node._parts.detector.accusations.add(said)
    carry(pump, accuser)
    pump.run(2.0)
    assert subject.node.members()[0].incarnation == now + 1
    assert [host.node.control.count(ACCUSATION) for host in hosts] == [0, 0, 0, 0]


def test_one_that_its_accuser_did_not_outlive_is_answered_all_the_same() -> None:
    pump = Pump()
    subject, accuser, _ = pump.cluster(3)
    now = subject.node.members()[0].incarnation
    source = accuser.node.control.source
    pump.held = True
    said = Accusation(subject.node.id, accuser.node.id, now, UNANSWERED, source)
    accuser.node.control.put(ACCUSATION, said.key, 0, b"", said.stamp)
    accuser.node.leave(pump.now)
    accuser.node.advance(pump.now)
    pump.held = False
    pump.run(2.0)
    assert subject.node.members()[0].incarnation == now + 1
    assert subject.node.control.count(ACCUSATION) == 0
