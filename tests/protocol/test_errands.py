"""What is said to members that no link leads to: a link comes for it, and goes again."""

from __future__ import annotations

import random

import pytest

from vines.config import Config
from vines.events import Fail
from vines.protocol.links import admission
from vines.protocol.links.dialling import Dialler
from vines.protocol.links.dials import OTHER
from vines.protocol.links.errands import (
    BYTES_MAX,
    FRAMES_MAX,
    HELD_SECONDS,
    IDLE_SECONDS,
    MEMBERS_MAX,
    RETRY_SECONDS,
    Errands,
)
from vines.protocol.members.directory import Directory
from vines.protocol.replicas.replication import AGREED
from vines.protocol.wire.ballot import Ballots
from vines.protocol.wire.framing import LENGTH_BYTES
from vines.protocol.wire.hello import Hello

from .pump import Host, Pump, label
from .test_election_restarts import acted, call, outcomes, vote


def graph(pump: Pump, size: int) -> list[Host]:
    """A cluster in which not everybody is linked to everybody, after it came to rest."""
    hosts = pump.cluster(size)
    pump.run(60.0)
    assert min(len(host.linked()) for host in hosts) < size - 1
    return hosts


def elect(pump: Pump, voters: list[Host], topic: str = "email") -> None:
    before = len(outcomes(*voters))
    for host in voters:
        call(host, total=len(voters), least=len(voters), topic=topic)
        vote(host, topic=topic)
    pump.until(lambda: len(outcomes(*voters)) == before + len(voters), 10.0)


@pytest.mark.parametrize("size", [9, 12, 30])
def test_all_of_a_larger_cluster_elect_one(size: int) -> None:
    pump = Pump()
    hosts = graph(pump, size)
    elect(pump, hosts)
    assert len(acted(*hosts)) == 1


def test_members_that_are_not_linked_elect_one_and_the_others_hear_of_it() -> None:
    pump = Pump()
    hosts = graph(pump, 20)
    first = hosts[10]
    strangers = [host for host in hosts if host is not first and first.route(host) is None]
    elect(pump, [first, *strangers[:2]])
    pump.run(2.0)
    assert len(outcomes(*hosts)) == 20
    assert len(acted(*hosts)) == 1


def test_the_links_go_when_nothing_is_said_any_more() -> None:
    pump = Pump()
    hosts = graph(pump, 20)
    before = sum(len(host.linked()) for host in hosts)
    elect(pump, hosts)
    assert sum(len(host.linked()) for host in hosts) > before
    pump.run(IDLE_SECONDS + 20.0)
    after = sum(len(host.linked()) for host in hosts)
    assert after <= before + 4
    assert not any(host.node._parts.linking.links.errands() for host in hosts)
    assert not any(host.of(Fail) for host in hosts)


def test_an_errand_is_admitted_where_there_is_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "INCOMING_FACTOR", 1)
    pump = Pump()
    hosts = graph(pump, 20)
    elect(pump, hosts)
    assert len(acted(*hosts)) == 1


def test_a_full_node_refuses_errands_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is there: without any room for errands the others find each other as before."""
    monkeypatch.setattr(admission, "ERRANDS_MAX", 0)
    pump = Pump()
    hosts = graph(pump, 12)
    for host in hosts:
        call(host, total=12, least=12)
        vote(host)
    pump.run(20.0)
    assert len(outcomes(*hosts)) == 0


def test_a_hello_says_that_it_is_an_errand_only_then() -> None:
    pump = Pump()
    hosts = graph(pump, 12)
    hellos: list[Hello] = []

    def spy(sender: Host, receiver: Host, stream: int, frame: bytes) -> None:
        if frame[0] == Hello.kind:
            hellos.append(Hello.decode(frame))

    pump.on_frame = spy  # type: ignore[method-assign]
    elect(pump, hosts)
    assert any(hello.errand for hello in hellos)
    errand = next(hello for hello in hellos if hello.errand)
    assert Hello.decode(errand.encode()[LENGTH_BYTES:]) == errand
    assert b"errand" not in errand.replace(errand=False).encode()


def test_in_a_mesh_nobody_runs_errands() -> None:
    pump = Pump()
    hosts = [pump.host(number) for number in range(1, 6)]
    for host in hosts[1:]:
        pump.join(host, hosts[0])
    for host in hosts:
        call(host, total=5, least=5)
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 5, 10.0)
    assert not any(host.node._parts.linking.links.errands() for host in hosts)


class Mesh:
    """A small cluster as a Dialler sees it: one other member, no link to it."""

    address = staticmethod(lambda member: ("127.0.0.1", 9002))
    candidates = staticmethod(lambda: {label(2): ("127.0.0.1", 9002)})
    directory = staticmethod(Directory)
    addresses = staticmethod(list)
    wanted = staticmethod(lambda: None)
    link_count = staticmethod(lambda: 0)
    linked = staticmethod(lambda member: False)
    holder = staticmethod(lambda address: None)


def test_in_a_mesh_whoever_rests_between_dials_is_dialled_when_something_is_to_be_said() -> None:
    dialler = Dialler(Config(), random.Random(1), Mesh(), label(1))
    dialler._others.rest(label(2), 0.0, slow=True)
    dialler.changed(0.0)
    assert dialler.due(1.0).dials == []
    dialler.errands.hold(label(2), b"ballot", 1.0)
    assert dialler.due(1.0).dials == []  # it may be dialled for its link just now
    assert dialler.deadline() <= 1.0 + RETRY_SECONDS
    (attempt,) = dialler.due(1.0 + RETRY_SECONDS).dials
    assert (attempt.member, attempt.purpose) == (label(2), OTHER)


# What waits.


def test_what_waits_is_taken_once() -> None:
    errands = Errands()
    errands.hold(label(1), b"a", 1.0)
    errands.hold(label(1), b"b", 1.0)
    assert errands.due(1.0) == [(label(1), 0)]
    assert errands.due(1.0) == []
    assert errands.due(1.0 + RETRY_SECONDS) == [(label(1), 1)]
    assert errands.take(label(1)) == [b"a", b"b"]
    assert errands.take(label(1)) == []
    assert errands.deadline() == float("inf")


def test_what_waits_too_long_is_dropped() -> None:
    errands = Errands()
    errands.hold(label(1), b"a", 1.0)
    assert errands.due(1.0 + HELD_SECONDS) == []
    assert errands.take(label(1)) == []


def test_what_waits_is_bounded() -> None:
    errands = Errands()
    for number in range(FRAMES_MAX + 2):
        errands.hold(b"m", bytes([number]), 1.0)
    assert errands.take(b"m") == [bytes([number]) for number in range(2, FRAMES_MAX + 2)]
    for number in range(MEMBERS_MAX + 1):
        errands.hold(number.to_bytes(16, "big"), b"x", 1.0)
    assert len(errands.due(1.0)) == MEMBERS_MAX
    errands = Errands()
    for number in range(5):
        errands.hold(bytes([number]), bytes(BYTES_MAX // 4), 1.0)
    assert sum(len(errands.take(bytes([number]))) for number in range(5)) == 4
    errands.hold(b"m", bytes(BYTES_MAX), 1.0)
    assert len(errands.take(b"m")) == 1


def test_ballots_are_the_only_errands() -> None:
    pump = Pump()
    hosts = graph(pump, 12)
    kinds: set[int] = set()
    for host in hosts:
        hold = host.node._parts.linking.dialler.errands.hold

        def spy(member: bytes, frame: bytes, now: float, hold=hold) -> None:  # type: ignore[no-untyped-def]
            kinds.add(frame[LENGTH_BYTES])
            hold(member, frame, now)

        host.node._parts.linking.dialler.errands.hold = spy  # type: ignore[method-assign]
    elect(pump, hosts)
    assert kinds == {Ballots.kind}


def strangers(pump: Pump) -> tuple[Host, Host]:
    """Two members of a larger cluster that have no link."""
    *others, a = pump.cluster(12)
    return a, next(each for each in others if a.route(each) is None)


def test_a_member_that_differs_is_dialled_once_comparing_on_links_found_nothing() -> None:
    pump = Pump()
    a, b = strangers(pump)
    for _ in range(AGREED + 1):
        assert a.node.stats()["visits"] == 0 and a.route(b) is None
        a.node._parts._differs(b.node.id, pump.now)
        a.node._stale = True
        pump.run(a.node.config.sync_interval)
    assert a.node.stats()["visits"] == 1
    link = a.node._parts.linking.links.to(b.node.id)
    assert link is not None and link.errand and link.attempt is not None
    pump.run(IDLE_SECONDS + 1.0)
    assert a.route(b) is None and a.node.stats()["visits"] == 1


def test_while_something_comes_a_difference_is_no_reason_to_dial() -> None:
    pump = Pump()
    a, b = strangers(pump)
    for number in range(3 * AGREED):
        a.node._parts._differs(b.node.id, pump.now)
        a.write("key", bytes([number]))
        pump.run(a.node.config.sync_interval)
    assert a.node.stats()["visits"] == 0
