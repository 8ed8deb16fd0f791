"""The simulated network keeps TCP's promises and no others; without any node."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from vines.simulation.network import Conditions, Network
from vines.simulation.stream import End
from vines.simulation.timeline import Timeline


class Machine:
    """A host and its process in one, that writes down what it is told."""

    def __init__(self, network: Network, number: int) -> None:
        self.number = number
        self.network = network
        self.powered = self.listens = True
        self.running = True
        self.host = self.process = self.sockets = self
        self.links = 0
        self.ends: list[End] = []
        self.told: list[Any] = []
        self.read = b""
        network.hosts[f"10.0.0.{number}", 7000] = self  # type: ignore[assignment]

    def new_link(self) -> int:
        self.links += 1
        return self.links

    def connected(self, end: End, ticket: int | None) -> None:
        self.ends.append(end)
        self.told.append(("connected", ticket))

    def dial_failed(self, ticket: int, refused: bool) -> None:
        self.told.append(("refused" if refused else "vanished", ticket))

    def deliver(self, end: End, data: bytes) -> None:
        end.incoming.acknowledge(len(data))
        self.read += data

    def lost(self, end: End) -> None:
        self.told.append("lost")

    def wake(self) -> None:
        for end in self.ends:
            end.outgoing.pump()

    def send(self, *frames: bytes) -> None:
        for frame in frames:
            self.ends[-1].write(frame)
        self.ends[-1].outgoing.pump()


class World:
    """Two machines, one and two, and a stream that one dialled."""

    def __init__(self, *, seed: int = 1, **conditions: Any) -> None:
        self.timeline = Timeline()
        self.counts: Counter[str] = Counter()
        self.network = Network(self.timeline, Random(seed), self.counts, Conditions(**conditions))
        self.one, self.two = Machine(self.network, 1), Machine(self.network, 2)

    def dial(self) -> None:
        self.network.dial(self.one, 5, ("10.0.0.2", 7000), 8.0)  # type: ignore[arg-type]

    def connect(self) -> World:
        self.dial()
        self.run(1.0)
        return self

    def run(self, seconds: float) -> None:
        self.timeline.run(self.timeline.now + seconds)

    def block(self, source: Machine, target: Machine) -> None:
        self.network.block([source], [target])  # type: ignore[list-item]

    def open(self, source: Machine, target: Machine) -> None:
        self.network.open([source], [target])  # type: ignore[list-item]


@pytest.fixture
def world() -> World:
    return World().connect()


def test_both_ends_hear_of_a_stream(world: World) -> None:
    assert world.one.told == [("connected", 5)]
    assert world.two.told == [("connected", None)]


def test_bytes_arrive_whole_in_order_and_late(world: World) -> None:
    frames = [bytes([number]) * 100 for number in range(50)]
    for frame in frames:
        world.one.send(frame)
    assert world.two.read == b""
    world.run(0.1)
    assert world.two.read == b"".join(frames)


def test_a_full_buffer_holds_the_writer_back_and_loses_nothing() -> None:
    world = World(buffer=1000).connect()
    world.one.send(bytes(5000))
    assert world.one.ends[0].waiting == 4000
    world.run(1.0)
    assert world.one.ends[0].waiting == 0
    assert world.two.read == bytes(5000)


def test_a_clogged_direction_takes_nothing_until_it_is_unclogged(world: World) -> None:
    world.one.ends[0].outgoing.clogged = True
    world.one.send(b"frame")
    world.run(5.0)
    assert world.one.ends[0].waiting == 5
    world.one.ends[0].outgoing.unclog()
    world.run(1.0)
    assert world.two.read == b"frame"


def test_a_slow_wire_takes_its_time() -> None:
    world = World(bandwidth=1000.0).connect()
    world.one.send(bytes(3000))
    world.run(2.9)
    assert world.two.read == b""
    world.run(0.2)
    assert len(world.two.read) == 3000


def test_a_blocked_direction_delivers_once_it_opens(world: World) -> None:
    world.block(world.one, world.two)
    world.one.send(b"late")
    world.two.send(b"answer")
    world.run(1.0)
    assert (world.one.read, world.two.read) == (b"answer", b"")
    world.open(world.one, world.two)
    world.run(1.0)
    assert world.two.read == b"late"


def test_acknowledgements_need_the_way_back() -> None:
    world = World(buffer=10).connect()
    world.block(world.two, world.one)
    world.one.send(bytes(30))
    world.run(1.0)
    assert len(world.two.read) == 10
    world.open(world.two, world.one)
    world.run(1.0)
    assert len(world.two.read) == 30


def test_both_ends_give_up_on_a_direction_blocked_for_too_long(world: World) -> None:
    world.block(world.one, world.two)
    world.run(30.0)
    assert world.one.told[-1] == world.two.told[-1] == "lost"
    assert not world.network.streams


def test_without_keepalive_only_who_waits_for_an_acknowledgement_gives_up() -> None:
    world = World(keepalive=False).connect()
    world.block(world.one, world.two)
    world.run(60.0)
    assert "lost" not in world.one.told
    world.one.send(b"x")
    world.run(60.0)
    assert world.one.told[-1] == "lost"


def test_a_cut_stream_delivers_a_prefix_and_both_ends_notice_later() -> None:
    frames = [bytes([number]) * 10 for number in range(20)]
    everything = b"".join(frames)
    delivered = set()
    for number in range(20):
        world = World(seed=number).connect()
        world.one.send(*frames)
        world.network.cut(world.one.ends[0].stream)
        world.network.cut(world.one.ends[0].stream)
        world.one.send(b"never arrives")
        world.run(5.0)
        assert everything.startswith(world.two.read)
        assert len(world.two.read) % 10 == 0
        assert world.one.told[-1] == world.two.told[-1] == "lost"
        assert world.counts["link_cut"] == 1
        delivered.add(len(world.two.read))
    assert len(delivered) > 5


def test_a_stream_can_be_cut_after_a_given_frame(world: World) -> None:
    world.one.ends[0].outgoing.cut_after = 2
    world.one.send(b"first", b"second", b"third")
    world.run(5.0)
    assert world.two.read == b"firstsecond"
    assert world.counts["link_cut_between_frames"] == 1
    assert world.one.told[-1] == world.two.told[-1] == "lost"


def test_a_small_buffer_lets_a_cut_fall_inside_a_frame() -> None:
    world = World(buffer=10).connect()
    world.one.send(bytes(100))
    world.run(0.0015)
    world.network.cut(world.one.ends[0].stream)
    world.run(5.0)
    assert 0 < len(world.two.read) < 100
    assert world.counts["link_cut_inside_frame"] == 1


def test_closing_delivers_everything_written_before(world: World) -> None:
    world.one.send(b"goodbye")
    world.two.send(b"too late")
    world.network.close(world.one.ends[0])
    world.run(1.0)
    assert world.two.read == b"goodbye"
    assert world.two.told[-1] == "lost"
    assert world.one.read == b""


@pytest.mark.parametrize("why", ["nobody is there", "who is there does not listen"])
def test_a_dial_is_refused_where_nobody_listens(world: World, why: str) -> None:
    if why == "nobody is there":
        world.two.process = None  # type: ignore[assignment]
    world.two.listens = why == "nobody is there"
    world.dial()
    world.run(1.0)
    assert world.one.told[-1] == ("refused", 5)


@pytest.mark.parametrize("why", ["off", "blocked", "unknown"])
def test_a_dial_vanishes_where_no_machine_answers(world: World, why: str) -> None:
    if why == "off":
        world.two.powered = False
    elif why == "blocked":
        world.block(world.two, world.one)
    else:
        world.network.hosts.clear()
    world.dial()
    world.run(2.0)
    assert len(world.one.told) == 1
    world.run(20.0)
    assert world.one.told[-1] == ("vanished", 5)


def test_equal_calls_make_equal_traces_and_others_do_not() -> None:
    def trace(*frames: bytes) -> str:
        world = World().connect()
        for frame in frames:
            world.timeline.record("send", "one", frame)
        return world.timeline.trace_hash()

    assert trace(b"a", b"b") == trace(b"a", b"b")
    assert len({trace(b"a", b"b"), trace(b"b", b"a"), trace(b"ab"), trace()}) == 4


class Letterbox(Machine):
    """A machine that also gets datagrams."""

    def __init__(self, network: Network, number: int) -> None:
        super().__init__(network, number)
        self.address = (f"10.0.0.{number}", 7000)
        self.datagrams_blocked = False
        self.letters: list[tuple[float, bytes]] = []

    def arrived(self, data: bytes, source: tuple[str, int]) -> None:
        assert source == ("10.0.0.1", 7000)
        self.letters.append((self.network.timeline.now, data))


def post(count: int, *, listens: bool = True, **conditions: Any) -> tuple[Network, Letterbox]:
    """Send so many datagrams, one every 10 ms, from one machine to another; wait for them."""
    network = Network(Timeline(), Random(1), Counter(), Conditions(**conditions))
    one, other = Letterbox(network, 1), Letterbox(network, 2)
    other.listens = listens
    for number in range(count):
        network.timeline.at(
            0.01 * number, network.post, one, other.address, number.to_bytes(2, "big")
        )
    network.timeline.run(100.0)
    return network, other


def test_datagrams_arrive_in_order_where_nothing_is_wrong() -> None:
    _, other = post(100, latency=0.001, jitter=0.0)
    assert [data for _, data in other.letters] == [n.to_bytes(2, "big") for n in range(100)]
    assert other.letters[3][0] == pytest.approx(0.031)
    _, silent = post(3, listens=False)
    assert not silent.letters


def test_a_share_of_datagrams_is_lost_for_good() -> None:
    network, other = post(1000, loss=0.2)
    assert network.counts["datagram_lost"] == 1000 - len(other.letters)
    assert 750 < len(other.letters) < 850


def test_a_share_of_datagrams_comes_twice() -> None:
    network, other = post(1000, duplication=0.2)
    assert network.counts["datagram_duplicated"] == len(other.letters) - 1000
    assert 1150 < len(other.letters) < 1250


def test_a_share_of_datagrams_comes_late_and_behind_others() -> None:
    network, other = post(1000, straggling=0.2)
    assert 150 < network.counts["datagram_late"] < 250
    order = [data for _, data in other.letters]
    assert order != sorted(order)
    assert sorted(order) == [n.to_bytes(2, "big") for n in range(1000)]


@pytest.mark.parametrize("how", ["direction", "firewall here", "firewall there"])
def test_blocked_datagrams_are_lost_at_once(how: str) -> None:
    network = Network(Timeline(), Random(1), Counter(), Conditions())
    one, other = Letterbox(network, 1), Letterbox(network, 2)
    if how == "direction":
        network.block([one], [other])  # type: ignore[list-item]
    else:
        (one if how == "firewall here" else other).datagrams_blocked = True
    network.post(one, other.address, b"lost")  # type: ignore[arg-type]
    network.open([one], [other])  # type: ignore[list-item]
    one.datagrams_blocked = other.datagrams_blocked = False
    network.timeline.run(10.0)
    assert not other.letters
