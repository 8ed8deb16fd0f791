"""The public face of the simulator, used as a user would use it."""

from __future__ import annotations

import pytest

from vines.errors import Closed, InvalidValue
from vines.events import ALIVE, DEAD, LEFT, Fail, Flushed, Join, Leave
from vines.simulation import Conditions, Simulation, Violation
from vines.simulation.checks import Watch
from vines.simulation.host import Host


def cluster(nodes: int = 3, seed: int = 1) -> Simulation:
    simulation = Simulation(seed, nodes=nodes)
    simulation.settle()
    return simulation


def states(host: Host) -> dict[str, str]:
    return {member.name: member.state for member in host.members()}


def test_a_cluster_forms_and_a_write_is_everywhere_within_milliseconds() -> None:
    simulation = cluster()
    first, second, third = simulation.nodes
    first.gossip("colour", {"name": "red", "weight": 3})
    assert first["colour"] == {"name": "red", "weight": 3}
    assert "colour" not in second
    simulation.run(0.01)
    assert second["colour"] == third["colour"] == first["colour"]
    assert second.keys() == ["colour"]


def test_a_value_no_peer_would_take_is_refused_at_the_call() -> None:
    host = cluster(1).nodes[0]
    with pytest.raises(InvalidValue):
        host.gossip("k", float("nan"))
    assert host.get("k", "nothing") == "nothing"
    with pytest.raises(KeyError):
        host["k"]


def test_a_delete_is_everywhere_too() -> None:
    simulation = cluster()
    first, second, _ = simulation.nodes
    first.gossip("k", 1)
    simulation.run(1.0)
    second.delete("k")
    simulation.settle()
    assert [host.get("k") for host in simulation.nodes] == [None] * 3
    assert first.keys() == []


def test_a_partition_holds_writes_back_and_healing_brings_them() -> None:
    simulation = cluster()
    first, second, third = simulation.nodes
    simulation.partition([first], [second, third])
    first.gossip("k", "mine")
    second.gossip("k", "yours")
    simulation.run(60.0)
    assert (first["k"], second["k"], third["k"]) == ("mine", "yours", "yours")
    assert states(first) == {"node-1": ALIVE, "node-2": DEAD, "node-3": DEAD}
    simulation.settle()
    assert len({host["k"] for host in simulation.nodes}) == 1
    assert set(states(first).values()) == {ALIVE}


def test_a_one_way_block_is_one_way_until_the_stream_gives_up() -> None:
    simulation = cluster(2)
    first, second = simulation.nodes
    simulation.block([first], [second])
    first.gossip("a", 1)
    second.gossip("b", 2)
    simulation.run(0.5)
    assert first.get("b") == 2
    assert second.get("a") is None
    simulation.settle()
    assert second["a"] == 1


def test_a_crash_is_noticed_and_a_restart_comes_back_empty_as_somebody_new() -> None:
    simulation = cluster()
    first, second, third = simulation.nodes
    third.gossip("k", "kept")
    simulation.run(1.0)
    before = third.members()[0].id
    third.crash()
    with pytest.raises(Closed):
        third.get("k")
    simulation.run(10.0)
    assert states(first)["node-3"] == DEAD
    assert any(isinstance(event, Fail) for event in second.events)
    second.gossip("while away", True)
    third.start([first])
    assert third.keys() == []
    simulation.settle()
    assert third.members()[0].id != before
    assert third.keys() == ["k", "while away"]


def test_a_paused_node_stands_still_and_catches_up() -> None:
    simulation = cluster()
    first, second, _ = simulation.nodes
    second.pause()
    first.gossip("k", 1)
    simulation.run(0.5)
    assert second.get("k") is None
    second.resume()
    simulation.run(0.5)
    assert second["k"] == 1


def test_leaving_is_told_as_leaving() -> None:
    simulation = cluster()
    first, second, third = simulation.nodes
    third.leave()
    simulation.run(0.5)
    third.crash()
    simulation.settle()
    assert states(first)["node-3"] == states(second)["node-3"] == LEFT
    assert any(isinstance(event, Leave) for event in first.events)
    assert not any(isinstance(event, Fail) for event in first.events)


def test_flush_tells_when_others_hold_it_and_not_before() -> None:
    simulation = cluster()
    first, second, third = simulation.nodes
    simulation.partition([first], [second, third])
    first.gossip("k", 1)
    first.flush(members=2)
    simulation.run(5.0)
    assert not any(isinstance(event, Flushed) for event in first.events)
    simulation.heal()
    simulation.run(30.0)
    assert any(isinstance(event, Flushed) for event in first.events)
    assert second["k"] == third["k"] == 1


def test_tags_are_seen_by_all() -> None:
    simulation = cluster()
    simulation.nodes[0].tags(role="web")
    simulation.settle()
    for host in simulation.nodes:
        tags = {member.name: dict(member.tags) for member in host.members()}
        assert tags == {"node-1": {"role": "web"}, "node-2": {}, "node-3": {}}


def test_nodes_can_be_started_one_by_one_through_any_seed() -> None:
    simulation = Simulation(3, nodes=4, start=False)
    for before, host in zip([None, *simulation.nodes], simulation.nodes, strict=False):
        host.start([before] if before else [])
        simulation.run(1.0)
    simulation.settle()
    assert sum(isinstance(event, Join) for event in simulation.nodes[0].events) == 3


def test_a_wrong_clock_does_not_freeze_a_key() -> None:
    simulation = cluster()
    first, second, _ = simulation.nodes
    first.skew = 3600.0
    first.gossip("k", "from the future")
    simulation.run(1.0)
    second.gossip("k", "now")
    simulation.settle()
    assert {host["k"] for host in simulation.nodes} == {"now"}


def test_two_clocks_days_apart_do_not_talk_until_they_are_set_right() -> None:
    simulation = Simulation(1, nodes=2)
    first, second = simulation.nodes
    second.skew = 3 * 86_400.0
    first.gossip("k", 1)
    simulation.run(10.0)
    assert second.get("k") is None
    simulation.settle()
    assert second["k"] == 1


def test_the_network_can_be_slow_lossy_and_narrow() -> None:
    conditions = Conditions(latency=0.2, jitter=0.2, loss=0.3, bandwidth=20_000.0, buffer=500)
    simulation = Simulation(5, nodes=3, conditions=conditions, config={"network": "wan"})
    simulation.nodes[0].gossip("k", "x" * 10_000)
    simulation.settle()
    assert simulation.counts["packet_lost"] > 0
    assert all(host["k"] == "x" * 10_000 for host in simulation.nodes)


def test_a_cluster_that_cannot_come_to_rest_says_why_and_how_to_see_it_again() -> None:
    simulation = Simulation(4, nodes=2, start=False)
    for host in simulation.nodes:
        host.start()
    with pytest.raises(
        Violation, match=r"no rest after 5 s: the tables .* control differ\n.*seed 4\n"
    ):
        simulation.settle(limit=5.0)


def test_an_exception_in_a_node_is_a_violation_with_its_cause() -> None:
    simulation = cluster()
    process = simulation.nodes[0].process
    assert process is not None
    process.call(lambda: 1 // 0)
    with pytest.raises(Violation, match="ZeroDivisionError") as caught:
        simulation.run(1.0)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "node-1" in simulation.trace()


def test_a_record_nobody_wrote_is_found_at_once() -> None:
    simulation = cluster()
    process = simulation.nodes[0].process
    assert process is not None
    process.node.data.write(b"behind the back", 0, b"\xc0", 0)
    process.wake()
    with pytest.raises(Violation, match="behind the back"):
        simulation.run(1.0)


def test_same_seed_and_calls_same_trace() -> None:
    def trace(seed: int) -> str:
        simulation = cluster(seed=seed)
        simulation.nodes[0].gossip("k", 1)
        simulation.run(1.0)
        return simulation.trace_hash()

    assert trace(1) == trace(1)
    assert trace(1) != trace(2)


def test_without_checking_invariants_wait_until_the_cluster_rests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checked: list[str] = []
    check = Watch.check

    def note(watch: Watch) -> bool:
        checked.append(watch.name)
        return check(watch)

    monkeypatch.setattr(Watch, "check", note)
    hashes = []
    for checking in (True, False):
        checked.clear()
        simulation = Simulation(seed=3, nodes=3, checking=checking)
        simulation.nodes[0].gossip("colour", "red")
        simulation.run(5.0)
        assert bool(checked) == checking
        simulation.settle()
        assert {f"node-{number}.0 data" for number in (1, 2, 3)} <= set(checked)
        hashes.append(simulation.trace_hash())
    assert hashes[0] == hashes[1]


def test_without_checking_a_lost_write_is_found_at_rest() -> None:
    simulation = Simulation(seed=3, nodes=3, checking=False)
    simulation.settle()
    simulation.nodes[0].gossip("colour", "red")
    written = simulation.data.highest[0, b"colour"]
    ahead = written._replace(stamp=written.stamp + 1, counter=2)
    simulation.data.wrote(ahead)
    with pytest.raises(Violation, match="lost"):
        simulation.settle()


def test_a_slow_host_comes_late_to_what_arrives() -> None:
    late = []
    for slowness in (0.0, 1.0):
        simulation = Simulation(seed=3, nodes=2)
        simulation.settle()
        first, second = simulation.nodes
        second.slowness = slowness
        began = simulation.now
        first.gossip("colour", "red")
        while "colour" not in second:
            simulation.run(0.01)
        late.append(simulation.now - began)
    assert late[0] < 0.05 < late[1] < 1.1
