"""Everything that was said, said again: later, from elsewhere, after a restart, in another order.

Without keys a replay is told from what it repeats by nothing; so it must mean nothing, or no more
than what it repeats.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vines.errors import WireError
from vines.events import Conflict, Fail, Leave, Suspect
from vines.protocol.machine import Address, Send
from vines.protocol.wire.probe import Ack, Probe

from .pump import Host, Pump, label
from .test_hostile import Stranger
from .test_probe import answers, datagram

ELSEWHERE = ("192.0.2.7", 4711)
RETIRED_SECONDS = 300.0
"""After this a source that ended with a restart is retired, and a cluster at rest stays so."""


class Recorded:
    """A cluster of three that had trouble, and every datagram that reached anybody."""

    def __init__(self) -> None:
        self.pump = Pump()
        self.datagrams: list[tuple[Host, bytes, Address]] = []
        self.frames: list[tuple[Host, Host, bytes]] = []
        self.pump.on_frame = self._framed  # type: ignore[method-assign]
        self.hosts = self.pump.cluster(3, durable=True)
        for host in self.hosts:
            host.node.datagram = self._recording(host)  # type: ignore[method-assign]
        one, two, three = self.hosts
        self.pump.run(5.0)
        self.pump.walls.add(frozenset((one.address, three.address)))
        self.pump.cut(one.to(three))
        self.pump.run(10.0)
        assert two.address is not None
        self.pump.mute.add(two.address)
        self.pump.run(10.0)
        self.pump.walls.clear()
        self.pump.mute.clear()
        one.write("key")
        self.pump.run(30.0)
        assert {data[5] for _, data, _ in self.datagrams} >= {1, 2, 3, 4}

    def _framed(self, sender: Host, receiver: Host, _stream: int, frame: bytes) -> None:
        self.frames.append((sender, receiver, frame))

    def _recording(self, host: Host) -> Callable[[bytes, Address, float], str]:
        heard = host.node.datagram

        def record(data: bytes, source: Address, now: float) -> str:
            self.datagrams.append((host, data, source))
            return heard(data, source, now)

        return record


def everything(hosts: list[Host]) -> list[object]:
    """What replays must leave alone; times and counts are no part of it."""
    return [
        (host.node.control.fingerprint(), host.node.data.fingerprint(), host.node.members())
        for host in hosts
    ]


def troubles(hosts: list[Host]) -> list[object]:
    kinds = Fail | Suspect | Leave | Conflict
    return [event for host in hosts for event in host.events if isinstance(event, kinds)]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same address", "another"])
@pytest.mark.parametrize("when", ["at once", "later", "receiver restarted", "sender restarted"])
def test_no_datagram_says_anything_new_when_it_comes_again(when: str, elsewhere: bool) -> None:
    recorded = Recorded()
    pump, hosts = recorded.pump, recorded.hosts
    said = list(recorded.datagrams)
    now = {host.node.id: host for host in hosts}
    if when == "later":
        pump.run(60.0)
    elif when != "at once":
        again = pump.restart(hosts[0])
        now[again.node.id] = again
        pump.run(RETIRED_SECONDS)
    hosts = list(now.values())
    before, seen = everything(hosts), troubles(hosts)
    kept = hosts[0] if when == "sender restarted" else None
    for host, data, source in said:
        receiver = now[host.node.id]
        if receiver is kept:
            continue
        receiver.node.datagram(data, ELSEWHERE if elsewhere else source, pump.now)
        sent = [each for each in receiver.node.outbox.take() if isinstance(each, Send)]
        assert sum(len(each.data) for each in sent) <= len(data)
        receiver.node.advance(pump.now)
    pump.settle()
    assert everything(hosts) == before
    pump.run(30.0)
    assert everything(hosts) == before
    assert troubles(hosts) == seen


def test_a_probe_of_any_counter_is_answered_by_it_whatever_came_before() -> None:
    """There is no key, so there is nothing by which an old counter is known to be old."""
    pump = Pump()
    one, two = pump.cluster(2)
    assert two.address is not None
    one.node.outbox.take()
    before = everything([one, two])
    counters = [5, 4, 5, 0, 1 << 32, (1 << 32) + 1, 1 << 63, (1 << 64) - 1, 7, 5 - 5]
    for counter in counters:
        probe = datagram(Probe(bytes(8)), sender=label(2), counter=counter)
        one.node.datagram(probe, two.address, pump.now)
        ((address, answer),) = answers(one)
        assert address == two.address
        assert Ack.decode(answer.payload).token == counter & 0xFFFFFFFF
    assert everything([one, two]) == before


@pytest.mark.parametrize("restarted", [False, True], ids=["as it is", "sender restarted"])
def test_whoever_repeats_all_that_was_said_on_a_link_changes_nothing(restarted: bool) -> None:
    recorded = Recorded()
    pump, hosts = recorded.pump, list(recorded.hosts)
    said = list(recorded.frames)
    speaker = hosts[0]
    if restarted:
        hosts[0] = pump.restart(hosts[0])
        pump.run(RETIRED_SECONDS)
    before = everything(hosts)
    routes = [listener.route(hosts[0]) for listener in hosts[1:]]
    assert None not in routes
    for number, listener in enumerate(hosts[1:]):
        stranger = Stranger(listener, 1000 + number)
        for sender, receiver, frame in said:
            if sender is not speaker or receiver.node.id != listener.node.id:
                continue
            try:
                listener.node.receive(frame, stranger.link, pump.now)
            except WireError:
                listener.node.disconnected(stranger.link, pump.now)
                stranger.link += 100
                listener.node.connected(stranger.link, None, pump.now)
            listener.node.advance(pump.now)
            listener.node.outbox.take()
        listener.node.disconnected(stranger.link, pump.now)
    if restarted:
        # What a start said that is over is refused; of one that lives it may take a link's place.
        assert [listener.route(hosts[0]) for listener in hosts[1:]] == routes
    pump.run(30.0)
    assert None not in [listener.route(hosts[0]) for listener in hosts[1:]]
    assert everything(hosts) == before
    assert not [event for host in hosts for event in host.of(Fail)]


def test_every_frame_twice_on_its_link_is_taken_once_or_costs_the_link() -> None:
    pump = Pump()
    repeats = [True]
    hosts = pump.cluster(2)
    one, two = hosts

    def again(sender: Host, receiver: Host, _stream: int, frame: bytes) -> None:
        """The frame comes a first time before the pump lets it come."""
        if repeats[0] and receiver.route(sender) is not None:
            try:
                receiver.node.receive(frame, receiver.route(sender) or 0, pump.now)
            except WireError as error:
                receiver.errors.append(str(error))

    pump.on_frame = again  # type: ignore[method-assign]
    for number in range(50):
        one.write(f"key{number % 7}", b"\x01")
        two.write(f"key{number % 5}", b"\x02")
        one.node.tags({"turn": str(number)}, pump.now)
        pump.run(0.5)
    repeats[0] = False
    pump.run(60.0)
    assert one.node.data.fingerprint() == two.node.data.fingerprint()
    assert one.node.control.fingerprint() == two.node.control.fingerprint()
    assert one.linked() == ["n2"]
    assert not one.of(Fail) + two.of(Fail) + one.of(Conflict) + two.of(Conflict)
