"""Times to live over whole clusters: everybody lapses alone, nobody starts the time anew, and no
clock but the monotonic one has a part in it."""

from __future__ import annotations

import random

from vines._core.changes import Changes
from vines._core.table import EXPIRING, TOMBSTONE
from vines.config import Config
from vines.events import Conflict, KeysChanged
from vines.protocol.node import Node
from vines.protocol.replicas.replication import LAPSES_PER_TURN
from vines.simulation import Simulation


def lapses(events: list[object]) -> list[bytes]:
    """The keys of which a host was told that they lapsed."""
    return [
        key
        for event in events
        if isinstance(event, KeysChanged)
        for _, key, flags, *_ in event.changes
        if flags & EXPIRING and flags & TOMBSTONE
    ]


def test_a_key_lapses_everywhere_and_everybody_is_told_once() -> None:
    simulation = Simulation(seed=3, nodes=4)
    simulation.settle()
    simulation.nodes[0].gossip("k", 1, ttl=20)
    simulation.run(5)
    assert all("k" in host for host in simulation.nodes)
    simulation.run(14.9)
    assert all("k" in host for host in simulation.nodes)
    simulation.run(0.5)
    for host in simulation.nodes:
        assert "k" not in host and host.keys() == []
        assert lapses(host.events) == [b"k"]
    simulation.settle()


def test_nothing_is_sent_because_a_key_lapsed() -> None:
    # What is left of it is forgotten after rounds of reports, later than this test looks.
    simulation = Simulation(seed=3, nodes=3, config={"collect_interval": 3600.0})
    simulation.settle()
    simulation.nodes[0].gossip("k", 1, ttl=20)
    simulation.run(10)
    before = dict(simulation.counts)
    simulation.run(20)
    for kind in ("digest", "vector", "delta", "join", "pull", "announce"):
        name = f"frame_{kind}"
        assert simulation.counts[name] == before.get(name, 0)


def test_who_joins_late_does_not_restart_the_clock() -> None:
    simulation = Simulation(seed=3, nodes=3, start=False)
    first, second, third = simulation.nodes
    first.start()
    second.start([first])
    simulation.settle()
    first.gossip("k", 1, ttl=20)
    simulation.run(15)
    third.start([second])
    simulation.run(4)
    assert "k" in third
    simulation.run(1.5)
    assert "k" not in third
    second.restart([third])
    simulation.run(3)
    assert "k" not in second and lapses(second.events)[-1:] == [b"k"]


def test_a_process_that_stood_still_lets_lapse_what_was_due_when_it_wakes() -> None:
    simulation = Simulation(seed=3, nodes=3)
    simulation.settle()
    first, second, _ = simulation.nodes
    first.gossip("k", 1, ttl=5)
    simulation.run(1)
    second.pause()
    simulation.run(30)
    assert "k" not in second, "a read is a call, and asks the clock"
    assert lapses(second.events) == []
    second.resume()
    simulation.run(0.1)
    assert lapses(second.events) == [b"k"]
    simulation.settle()
    for host in simulation.nodes:
        assert not any(isinstance(event, Conflict) for event in host.events)


def test_jumps_of_the_wall_clock_change_nothing() -> None:
    simulation = Simulation(seed=3, nodes=2)
    simulation.settle()
    first, second = simulation.nodes
    first.gossip("k", 1, ttl=20)
    simulation.run(2)
    first.skew, second.skew = 50.0, -50.0
    simulation.run(17)
    assert "k" in first and "k" in second
    simulation.run(1.5)
    assert "k" not in first and "k" not in second


def test_a_write_elsewhere_renews_a_key_and_a_partition_does_not() -> None:
    simulation = Simulation(seed=3, nodes=3)
    simulation.settle()
    first, second, third = simulation.nodes
    first.gossip("k", 1, ttl=10)
    simulation.run(1)
    simulation.partition([first, second], [third])
    second.gossip("k", 2, ttl=30)
    simulation.run(15)
    assert (first["k"], second["k"]) == (2, 2)
    assert "k" not in third
    simulation.heal()
    simulation.run(10)
    assert third["k"] == 2
    simulation.run(15)
    assert all("k" not in host for host in simulation.nodes)


def test_a_turn_lets_a_bounded_number_lapse_and_asks_for_the_next_at_once() -> None:
    node = Node(Config(name="n"), random.Random(1), lambda: 1, now=100.0)
    node.watching = True
    node.data.tick(100.0)
    count = 3 * LAPSES_PER_TURN + 5
    for number in range(count):
        node.data.write(b"%d" % number, EXPIRING, b"\x01", 1, 5000)
    node.advance(100.0)
    assert node.outbox.take() == []
    turns: list[Changes] = []
    now = 105.0
    while (due := node.deadline()) is not None and due <= now:
        node.advance(now)
        turns += [
            effect.event.changes
            for effect in node.outbox.take()
            if isinstance(getattr(effect, "event", None), KeysChanged)
        ]
    assert [len(changes) for changes in turns] == [LAPSES_PER_TURN] * 3 + [5]
    assert node.data.due() > now and node.data.count(0) == 0
