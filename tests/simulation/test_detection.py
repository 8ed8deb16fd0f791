"""Failure detection over minutes of virtual time: who is held dead, when, and who never is."""

from __future__ import annotations

from random import Random

import pytest

from vines.events import ALIVE, Fail, Suspect
from vines.protocol.members import detector
from vines.protocol.members.identity import Identity
from vines.protocol.members.probing import Attempt, Probing
from vines.protocol.members.suspicion import Suspicion
from vines.simulation import Conditions, Simulation, Violation


def cluster(nodes: int, **conditions: float) -> Simulation:
    simulation = Simulation(3, nodes=nodes, watching=False)
    simulation.run(20.0)
    for name, value in conditions.items():
        setattr(simulation.network.conditions, name, value)
    return simulation


def failed(simulation: Simulation) -> set[str]:
    """The names of all who were ever held dead, by anybody."""
    return {event.member.name for event in told(simulation) if isinstance(event, Fail)}


def told(simulation: Simulation) -> list[object]:
    """Everything that users were told."""
    return [event for host in simulation.nodes for event in host.events]


def views(simulation: Simulation) -> set[int]:
    """How many members the running nodes hold for alive."""
    nodes = [process.node for process in simulation.processes]
    return {sum(member.state == ALIVE for member in node.members()) for node in nodes}


@pytest.mark.parametrize("power", [False, True], ids=["killed", "vanished"])
@pytest.mark.parametrize("nodes", [2, 10, 30])
def test_one_that_is_gone_is_held_dead_by_all_in_time(nodes: int, *, power: bool) -> None:
    simulation = cluster(nodes)
    simulation.nodes[-1].crash(power=power)
    # Of two machines nobody else can say whether a firewall refuses for the other.
    simulation.run(6.0 if power or nodes == 2 else 1.0)
    assert views(simulation) == {nodes - 1}
    assert failed(simulation) == {f"node-{nodes}"}


@pytest.mark.parametrize(
    "conditions",
    [Conditions(loss=0.1), Conditions(duplication=0.5, straggling=0.3)],
    ids=["loss", "copies and stragglers"],
)
def test_bad_weather_kills_nobody(conditions: Conditions) -> None:
    simulation = cluster(
        10,
        loss=conditions.loss,
        duplication=conditions.duplication,
        straggling=conditions.straggling,
    )
    simulation.run(120.0)
    assert not failed(simulation)


def test_a_short_stall_makes_a_suspect_at_most_and_a_long_one_is_outlived() -> None:
    simulation = cluster(10)
    host = simulation.nodes[4]
    for _ in range(5):
        host.pause()
        simulation.run(2.0)
        host.resume()
        simulation.run(10.0)
    assert not failed(simulation)
    host.pause()
    simulation.run(60.0)
    assert failed(simulation) == {"node-5"}
    assert any(isinstance(event, Suspect) for event in simulation.nodes[0].events)
    host.resume()
    simulation.settle()
    assert failed(simulation) == {"node-5"}
    assert views(simulation) == {10}


def test_processes_that_stand_still_for_five_seconds_are_not_held_dead() -> None:
    simulation = cluster(20, loss=0.1)
    for number, host in enumerate(simulation.nodes[:2]):
        for turn in range(6):
            begin = simulation.now + 20.0 * turn + 7.0 * number
            simulation.timeline.at(begin, host.pause)
            simulation.timeline.at(begin + 5.0, host.resume)
    simulation.run(125.0)
    assert not failed(simulation)
    assert any(isinstance(event, Suspect) for event in simulation.nodes[-1].events)


def test_wall_clocks_that_jump_make_no_suspects() -> None:
    """Forward and back, by a little and by years; no timer is theirs."""
    simulation = cluster(10)
    chance = Random(5)
    for _ in range(60):
        host = chance.choice(simulation.nodes)
        host.skew += chance.choice((-3.2e8, -3600.0, -1.0, 0.5, 90.0, 3600.0, 3.2e8))
        simulation.run(2.0)
    assert not [event for event in told(simulation) if isinstance(event, Suspect | Fail)]
    assert views(simulation) == {10}


def test_who_is_killed_beside_clocks_that_jumped_is_found_as_soon() -> None:
    simulation = cluster(10)
    for number, host in enumerate(simulation.nodes):
        host.skew = (-1.0) ** number * 600.0 * number
    simulation.nodes[-1].crash()
    simulation.run(1.0)
    assert views(simulation) == {9}
    assert failed(simulation) == {"node-10"}


@pytest.mark.parametrize("lag", [0.05, 0.25])
def test_a_loop_that_is_late_for_half_a_minute_is_not_held_dead_and_that_it_is_late_is_seen(
    lag: float,
) -> None:
    """As beside a callback that computes: each turn comes late by so much at most."""
    simulation = cluster(10)
    slow, *others = simulation.nodes
    slow.lateness = lag
    simulation.run(30.0)
    assert not failed(simulation)
    lags = [member.lag for host in others for member in host.members() if member.name == slow.name]
    assert max(each for each in lags if each is not None) >= lag / 2


def test_a_firewall_for_datagrams_around_one_host_kills_nobody() -> None:
    simulation = cluster(12)
    simulation.nodes[0].datagrams_blocked = True
    simulation.run(60.0)
    assert not failed(simulation)


def test_halves_that_were_apart_for_long_are_one_again_soon() -> None:
    simulation = cluster(12)
    one, other = simulation.nodes[:6], simulation.nodes[6:]
    simulation.partition(one, other)
    simulation.run(600.0)
    assert views(simulation) == {6}
    simulation.heal()
    simulation.run(60.0)
    assert views(simulation) == {12}
    simulation.settle()


def stall(simulation: Simulation) -> None:
    for _ in range(5):
        simulation.nodes[4].pause()
        simulation.run(2.0)
        simulation.nodes[4].resume()
        simulation.run(20.0)


def test_without_objections_who_only_stalled_would_be_held_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulation = cluster(10)
    monkeypatch.setattr(Identity, "refute", lambda *_: False)
    stall(simulation)
    assert failed(simulation) == {"node-5"}


def test_an_objection_that_ends_no_suspicion_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    simulation = cluster(10)
    monkeypatch.setattr(Suspicion, "changed", lambda *_: (False, False))
    with pytest.raises(Violation, match="is dead now"):
        stall(simulation)


class Blind(Probing):
    """Nothing follows from a probe that failed."""

    def _judge(self, attempt: Attempt, now: float) -> None:
        self._end(attempt)


def test_without_a_search_for_the_vanished_nobody_would_find_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(detector, "Probing", Blind)
    simulation = cluster(10)
    simulation.nodes[-1].crash(power=True)
    simulation.run(8.0)
    assert views(simulation) != {9}
