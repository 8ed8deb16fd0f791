"""Directed schedules with whole nodes: what random runs find late, driven straight to the point.

Each says what happens on the wire and asserts both the outcome and that the path was really taken.
"""

from __future__ import annotations

from typing import Any

import pytest

from vines.events import ALIVE, DEAD
from vines.simulation import Conditions, Simulation
from vines.simulation.host import Host
from vines.simulation.stream import Pipe
from vines.simulation.swarm import count_everything

ONE_RECORD: dict[str, Any] = {"frame_bytes": 1, "link_window": 1}


def cluster(nodes: int, *, conditions: Conditions | None = None, **config: Any) -> Simulation:
    simulation = Simulation(1, nodes=nodes, conditions=conditions, config=config)
    simulation.settle()
    return simulation


def pipe(source: Host, target: Host) -> Pipe:
    """The direction of the stream between two hosts that carries from one to the other."""
    for stream in source.simulation.network.streams.values():
        for each in stream.pipes:
            if each.source.process.host is source and each.target.process.host is target:
                return each
    raise AssertionError(f"no stream from {source} to {target}")


@pytest.mark.parametrize("frames", range(1, 8))
def test_a_link_cut_after_any_frame_of_a_push_loses_nothing(frames: int) -> None:
    simulation = cluster(3, **ONE_RECORD)
    first, second, third = simulation.nodes
    second.gossip("k", "old")
    simulation.run(0.5)
    pipe(first, second).cut_after = frames
    for number in range(6):
        first.gossip(f"k{number}", number)
    first.gossip("k", "new")
    simulation.settle()
    assert simulation.counts["link_cut"] == 1
    assert second.keys() == third.keys() == ["k", *(f"k{number}" for number in range(6))]
    assert second["k"] == "new"


def test_frames_that_arrived_before_a_cut_are_sent_again_and_do_no_harm() -> None:
    simulation = cluster(2)
    first, second = simulation.nodes
    direction = pipe(first, second)
    direction.cut_after = 1
    first.gossip("k", 1)
    simulation.run(0.002)
    assert second["k"] == 1
    first.gossip("k", 2)
    simulation.settle()
    assert second["k"] == 2


def test_a_clogged_link_holds_a_bounded_queue_while_the_writer_goes_on() -> None:
    simulation = cluster(2, link_window=4000, frame_bytes=1000)
    first, second = simulation.nodes
    direction = pipe(first, second)
    direction.clogged = True
    for number in range(2000):
        first.gossip(f"k{number % 100}", "x" * 100 + str(number))
        simulation.run(0.001)
    assert direction.source.waiting <= 4000 + 1000 + 2000
    assert second.keys() == []
    direction.unclog()
    simulation.settle()
    assert second["k99"] == first["k99"]


def test_a_link_behind_the_arrival_log_catches_up_from_the_vector() -> None:
    simulation = cluster(3, horizon=1, frame_bytes=200, link_window=200)
    first, second, third = simulation.nodes
    direction = pipe(first, second)
    direction.clogged = True
    pipe(third, second).clogged = True
    for number in range(30):
        first.gossip(f"a{number}", number)
        third.gossip(f"c{number}", number)
        simulation.run(0.01)
    simulation.settle()
    assert len(second.keys()) == 60


def test_who_was_away_for_longer_than_the_log_joins_page_by_page() -> None:
    simulation = cluster(2, log_slack=0, frame_bytes=1, link_window=1)
    first, second = simulation.nodes
    first.gossip("gone", 1)
    simulation.run(0.5)
    simulation.partition([first], [second])
    first.delete("gone")
    second.gossip("mine", 1)
    for number in range(40):
        first.gossip(f"k{number % 4}", number)
    simulation.settle()
    counts = count_everything(simulation)
    assert counts["frame_floor"] >= 1
    assert counts["frame_snapshot"] >= 5
    assert second.keys() == first.keys() == ["k0", "k1", "k2", "k3", "mine"]


@pytest.mark.parametrize("frames", range(1, 5))
def test_a_join_cut_at_any_page_begins_anew(frames: int) -> None:
    simulation = cluster(2, log_slack=0, frame_bytes=1, link_window=1)
    first, second = simulation.nodes
    simulation.partition([first], [second])
    simulation.run(20.0)
    for number in range(40):
        first.gossip(f"k{number % 4}", number)
    simulation.heal()
    while not simulation.counts["frame_snapshot"]:
        simulation.run(0.001)
    pipe(first, second).cut_after = frames
    simulation.settle()
    assert simulation.counts["link_cut"] == 1
    assert second.keys() == first.keys()


def test_two_who_dial_each_other_at_once_keep_one_link() -> None:
    simulation = Simulation(1, nodes=2, start=False)
    first, second = simulation.nodes
    first.start([second])
    second.start([first])
    simulation.settle()
    assert count_everything(simulation)["duplicate_link_closed"] >= 1
    assert len(simulation.network.streams) == 1


def test_who_was_held_dead_unjustly_refutes_it() -> None:
    simulation = cluster(3)
    first, second, third = simulation.nodes
    simulation.partition([third], [first, second])
    simulation.run(60.0)
    state = {member.name: member.state for member in first.members()}
    assert state["node-3"] == DEAD
    simulation.settle()
    assert count_everything(simulation)["refutation"] >= 1
    assert {member.state for member in first.members()} == {ALIVE}
    assert first.members()[2].id == third.members()[0].id


def test_a_machine_that_lost_power_is_noticed_by_silence_alone() -> None:
    simulation = cluster(3, conditions=Conditions(keepalive=False))
    first, second, third = simulation.nodes
    third.crash(power=True)
    simulation.run(60.0)
    for host in (first, second):
        states = {member.name: member.state for member in host.members()}
        assert states == {"node-1": ALIVE, "node-2": ALIVE, "node-3": DEAD}


def test_writes_cross_a_bridge_between_two_halves() -> None:
    simulation = cluster(5)
    one, two, bridge, four, five = simulation.nodes
    simulation.partition([one, two], [four, five])
    simulation.run(30.0)
    one.gossip("k", 1)
    simulation.run(5.0)
    assert bridge["k"] == four["k"] == five["k"] == 1
    simulation.settle()


def test_nobody_flaps_because_two_others_cannot_reach_each_other() -> None:
    simulation = cluster(3)
    first, second, third = simulation.nodes
    simulation.partition([first], [second])
    first.gossip("k", 1)
    simulation.run(60.0)
    assert second["k"] == 1
    states = {member.name: member.state for member in third.members()}
    assert states["node-3"] == ALIVE


def test_a_record_larger_than_frame_buffer_and_window_goes_alone() -> None:
    simulation = cluster(2, conditions=Conditions(buffer=300), **ONE_RECORD)
    first, second = simulation.nodes
    first.gossip("large", "x" * 300_000)
    first.gossip("small", 1)
    simulation.settle()
    assert second["large"] == first["large"]
    assert second["small"] == 1


def test_a_writer_faster_than_its_slowest_reader_holds_nobody_else_back() -> None:
    simulation = cluster(3)
    first, second, third = simulation.nodes
    third.pause()
    for number in range(200):
        first.gossip(f"k{number}", number)
        simulation.run(0.001)
    simulation.run(0.1)
    assert len(second.keys()) == 200
    third.resume()
    simulation.settle()
    assert len(third.keys()) == 200


def test_everybody_restarts_at_once_and_what_one_holds_survives() -> None:
    simulation = cluster(4)
    simulation.nodes[0].gossip("k", 1)
    simulation.run(1.0)
    for host in simulation.nodes[1:]:
        host.crash()
    for host in simulation.nodes[1:]:
        host.start(simulation.nodes)
    simulation.settle()
    assert [host["k"] for host in simulation.nodes] == [1] * 4


def test_many_restarts_of_one_node_leave_the_others_unharmed() -> None:
    simulation = cluster(2)
    first, second = simulation.nodes
    for number in range(60):
        second.restart()
        simulation.run(0.3)
        second.gossip("k", number)
        simulation.run(0.1)
    simulation.settle()
    assert first["k"] == second["k"] == 59
