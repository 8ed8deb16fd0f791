"""Keys that live as long as their owner, over whole clusters: everybody shows just those whose
owner it holds alive, and is told of each change of that once."""

from __future__ import annotations

import random
from typing import Any

import pytest

from vines._core.table import EPHEMERAL, TOMBSTONE, Table
from vines.config import Config
from vines.events import Fail, KeysChanged
from vines.protocol.members.membership import Membership
from vines.protocol.node import Node
from vines.protocol.replicas.replication import LAPSES_PER_TURN
from vines.simulation import Simulation, Violation
from vines.simulation.host import Host


def told(host: Host, key: str) -> list[bool]:
    """Whether a host was told that a key is there, or is not, in order."""
    return [
        not flags & TOMBSTONE
        for event in host.events
        if isinstance(event, KeysChanged)
        for _, name, flags, *_ in event.changes
        if name == key.encode()
    ]


def cluster(nodes: int = 3, **options: Any) -> tuple[Simulation, list[Host]]:
    """A cluster at rest whose first node has an ephemeral key."""
    simulation = Simulation(seed=3, nodes=nodes, **options)
    simulation.settle()
    simulation.nodes[0].gossip("service", "first", ephemeral=True)
    simulation.run(2)
    assert all(host["service"] == "first" for host in simulation.nodes)
    return simulation, simulation.nodes


@pytest.mark.parametrize("power", [False, True])
def test_a_killed_owner_takes_its_keys_with_it(power: bool) -> None:
    simulation, (owner, *others) = cluster()
    owner.crash(power=power)
    simulation.run(30)
    for host in others:
        assert "service" not in host and host.keys() == []
        assert told(host, "service") == [True, False]
    owner.restart()
    simulation.settle()
    for host in [owner, *others]:
        assert "service" not in host
    owner.gossip("service", "again", ephemeral=True)
    simulation.run(2)
    assert [told(host, "service") for host in others] == [[True, False, True]] * 2


def test_an_owner_that_leaves_takes_its_keys_with_it() -> None:
    simulation, (owner, *others) = cluster()
    owner.leave()
    simulation.run(2)
    owner.crash()
    simulation.run(2)
    for host in others:
        assert told(host, "service") == [True, False]
        assert host.process is not None
        assert [record[6:] for record in host.process.node.data.records()] == [
            (EPHEMERAL | TOMBSTONE, b"")
        ]
    simulation.settle()


def test_a_start_anew_with_the_same_identity_ends_the_keys_of_the_one_before() -> None:
    simulation, (owner, *others) = cluster(durable=1)
    owner.restart()
    simulation.run(5)
    for host in others:
        assert told(host, "service") == [True, False]
        assert host.process is not None and host.process.node.data.hidden() == []
    assert "service" not in owner
    simulation.settle()


def test_whoever_stood_still_is_back_with_its_keys_and_without_a_write() -> None:
    simulation, (owner, *others) = cluster()
    owner.pause()
    simulation.run(60)
    for host in others:
        assert any(isinstance(event, Fail) for event in host.events)
        assert "service" not in host
    assert owner["service"] == "first"
    owner.resume()
    simulation.run(20)
    for host in others:
        assert host["service"] == "first"
        assert told(host, "service") == [True, False, True]
    assert owner.process is not None and owner.process.node.data.counter == 1
    assert told(owner, "service") == []
    simulation.settle()


@pytest.mark.parametrize("why", ["stood still", "cut off"])
def test_who_was_held_dead_for_too_long_writes_its_keys_anew(why: str) -> None:
    simulation, (owner, *others) = cluster(config={"dead_retention": 20.0})
    before = owner.process and owner.process.node.data.get(0, b"service")
    if why == "stood still":
        owner.pause()
    else:
        simulation.partition([owner], others)
    simulation.run(90)
    for host in others:
        assert host.process is not None
        assert host.process.node.data.statistics()["ephemeral"] == 0
        assert told(host, "service") == [True, False]
    owner.resume()
    simulation.heal()
    simulation.run(60)
    now = owner.process and owner.process.node.data.get(0, b"service")
    assert before and now and now[0] > before[0]
    for host in [owner, *others]:
        assert host["service"] == "first"
    assert [told(host, "service") for host in others] == [[True, False, True]] * 2
    simulation.settle()


@pytest.mark.parametrize("seconds", [30.0, 50.0, 120.0])
def test_who_was_cut_off_from_an_owner_for_too_long_has_its_keys_again(seconds: float) -> None:
    """Also where the owner spoke meanwhile, so that nobody can tell it what the other thought."""
    simulation, (owner, _, away) = cluster(config={"dead_retention": 20.0})
    simulation.partition([owner, simulation.nodes[1]], [away])
    simulation.run(seconds / 2)
    owner.tags(role="busy")
    simulation.run(seconds / 2)
    assert "service" not in away and owner["service"] == "first"
    simulation.heal()
    simulation.run(60)
    for host in simulation.nodes:
        assert host["service"] == "first"
    simulation.settle()


def test_each_side_of_a_partition_hides_what_the_other_owns() -> None:
    simulation, (one, two, three, four) = cluster(nodes=4)
    four.gossip("other", "fourth", ephemeral=True)
    simulation.run(2)
    simulation.partition([one, two], [three, four])
    simulation.run(60)
    assert [host.keys() for host in (one, two)] == [["service"]] * 2
    assert [host.keys() for host in (three, four)] == [["other"]] * 2
    simulation.heal()
    simulation.settle()
    for host in (one, two, three, four):
        assert host.keys() == ["other", "service"]
    assert told(two, "other") == told(three, "service") == [True, False, True]


def test_who_joins_while_the_owner_is_held_dead_sees_its_keys_once_it_is_back() -> None:
    simulation = Simulation(seed=3, nodes=4, start=False)
    owner, second, third, late = simulation.nodes
    owner.start()
    second.start([owner])
    third.start([owner])
    simulation.settle()
    owner.gossip("service", "first", ephemeral=True)
    simulation.run(2)
    simulation.partition([owner], [second, third, late])
    simulation.run(60)
    late.start([second])
    simulation.run(10)
    assert late.keys() == [] and told(late, "service") == []
    simulation.heal()
    simulation.settle()
    assert late["service"] == "first" and told(late, "service") == [True]


def test_another_member_that_writes_the_key_has_it() -> None:
    simulation, (owner, second, third) = cluster()
    second.gossip("service", "second")
    simulation.run(1)
    owner.crash()
    simulation.run(30)
    assert (second["service"], third["service"]) == ("second", "second")
    third.gossip("service", "third", ephemeral=True)
    simulation.run(1)
    third.crash()
    simulation.run(30)
    assert second.keys() == []


def test_nothing_is_sent_because_keys_are_hidden() -> None:
    simulation, (owner, *_) = cluster()
    owner.crash()
    simulation.run(30)
    before = dict(simulation.counts)
    simulation.run(20)
    for kind in ("vector", "delta", "join", "pull", "announce"):
        assert simulation.counts[f"frame_{kind}"] == before.get(f"frame_{kind}", 0)


def test_a_turn_hides_a_bounded_number_and_asks_for_the_next_at_once() -> None:
    node = Node(Config(name="n"), random.Random(1), lambda: 1, now=100.0)
    other = Table(bytes(range(16)), bytes(16), bytes(16))
    node.watching = True
    node.data.author(other.source, 2)
    count = 3 * LAPSES_PER_TURN + 5
    for number in range(count):
        other.write(b"%d" % number, EPHEMERAL, b"\x01", 1)
    delta = other.delta_for(node.data.vector(), 1 << 20)
    assert delta is not None
    node.data.apply(delta)
    node.advance(100.0)
    node.outbox.take()
    assert node.data.count(0) == count
    node.data.author(other.source, 1)
    turns: list[int] = []
    while (due := node.deadline()) is not None and due <= 100.0:
        node.advance(100.0)
        turns += [
            len(effect.event.changes)
            for effect in node.outbox.take()
            if isinstance(getattr(effect, "event", None), KeysChanged)
        ]
    assert turns == [LAPSES_PER_TURN] * 3 + [5]


@pytest.mark.parametrize("bug", ["dropped", "kept"])
def test_a_wrong_word_of_owners_is_found(monkeypatch: pytest.MonkeyPatch, bug: str) -> None:
    """Who drops keys on a false death, or goes on showing those of a dead member."""
    right = Membership._tell_author

    def wrong(self: Membership, old: object, new: object) -> None:
        author = self.author
        if bug == "dropped":
            self.author = lambda source, fate: author(source, 3 if fate == 1 else fate)
        else:
            self.author = lambda source, fate: author(source, 2)
        right(self, old, new)  # type: ignore[arg-type]
        self.author = author

    monkeypatch.setattr(Membership, "_tell_author", wrong)
    simulation, (owner, *_) = cluster()
    if bug == "dropped":
        owner.pause()
        simulation.run(60)
    else:
        owner.crash()
        simulation.run(30)
    with pytest.raises(Violation, match=r"service|hold different things"):
        simulation.settle()
