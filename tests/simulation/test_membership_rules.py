"""The invariants of membership are awake, and known bugs, planted in Python, run into them.

Each bug is found by the first few random runs: hosts that stall, vanish, are killed and leave, in
a network with nothing else wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from vines._core.table import EXPIRING, MEMBER
from vines.events import ALIVE, DEAD, LEFT, Fail, Join, Leave, Member, Update
from vines.protocol import machinery
from vines.protocol.links.linking import Linking
from vines.protocol.links.links import Link
from vines.protocol.links.lookout import Lookout
from vines.protocol.members import detector
from vines.protocol.members.accusations import Accusations
from vines.protocol.members.identity import UNSEEN_SECONDS, Identity
from vines.protocol.members.membership import GONE_MAX, Membership
from vines.protocol.members.probing import Attempt, Probing
from vines.protocol.members.profile import stamp_of
from vines.protocol.members.ring import Ring
from vines.protocol.members.suspicion import Suspicion
from vines.protocol.replicas.replication import Replication
from vines.protocol.replicas.retiring import LOOK_SECONDS
from vines.simulation import Simulation, Violation
from vines.simulation.membership import (
    CALM_SECONDS,
    broken_bound,
    detection_bound,
    rounds_bound,
    unseen_bound,
)
from vines.simulation.rest import check_rest

SEEDS = range(6)

Patch = pytest.MonkeyPatch


def calm(nodes: int = 2, **more: int) -> Simulation:
    """A cluster in which nothing was wrong for long enough to excuse anything."""
    simulation = Simulation(1, nodes=nodes, watching=False, **more)
    simulation.run(CALM_SECONDS + 2.0)
    return simulation


def other(simulation: Simulation) -> Member:
    """The second node as the first sees it."""
    second = simulation.nodes[1].name
    return next(each for each in simulation.nodes[0].members() if each.name == second)


# -- each invariant notices


def test_m1_a_node_that_lets_it_stand_that_it_is_dead_is_noticed(monkeypatch: Patch) -> None:
    simulation = Simulation(1, nodes=2)
    simulation.run(2.0)
    monkeypatch.setattr(Identity, "meet", lambda *_: None)
    first = simulation.processes[0]
    first.call(lambda: first.node._parts.linking.bury(other(simulation).id, first.now))
    with pytest.raises(Violation, match=r"M1: node-2\.0 lets it stand"):
        simulation.run(2.0)


@pytest.mark.parametrize(
    ("told", "back", "name"),
    [
        (Update, {"incarnation": -1}, "M2"),
        (Fail, {"state": ALIVE}, "M7"),
        (Leave, {"state": ALIVE, "incarnation": 1}, "M7"),
        (Join, {"id": b"x" * 16}, "M8"),
    ],
)
def test_what_goes_back_comes_back_or_never_was_is_noticed(
    told: Callable[[Member], object], back: dict[str, Any], name: str
) -> None:
    simulation = Simulation(1, nodes=2)
    simulation.run(2.0)
    process, member = simulation.processes[0], other(simulation)
    state = {Fail: DEAD, Leave: LEFT}.get(told, ALIVE)  # type: ignore[call-overload]
    rules = simulation.membership
    if name != "M8":
        rules.told(process, told(member.replace(state=state)))
    back = dict(back)
    if "incarnation" in back:
        back["incarnation"] += member.incarnation
    with pytest.raises(Violation, match=name):
        rules.told(process, Join(member.replace(**back)))


def test_m4_one_that_all_reach_and_somebody_holds_dead_is_noticed() -> None:
    simulation = calm()
    first = simulation.processes[0]
    first.call(lambda: first.node._parts.linking.bury(other(simulation).id, first.now))
    with pytest.raises(Violation, match=r"M4: .* is held dead, though all reach it"):
        simulation.run(2.0)


def test_m4_one_that_stands_still_is_not_reached_however_long_nobody_looked() -> None:
    simulation = calm(3)
    first, second, third = simulation.nodes
    third.crash()
    second.pause()
    simulation.run(1.0)
    first.pause()
    simulation.run(2 * CALM_SECONDS)
    process = simulation.processes[0]
    process.call(lambda: process.node._parts.linking.bury(other(simulation).id, process.now))
    first.resume()
    simulation.run(0.1)
    assert [event.member.name for event in first.events if isinstance(event, Fail)] == ["node-2"]


class Blind(Probing):
    """Nothing follows from a probe that failed."""

    def _judge(self, attempt: Attempt, now: float) -> None:
        self._end(attempt)


@pytest.mark.parametrize("observers", [0, 1])
def test_m5_one_that_vanished_unseen_is_noticed(observers: int, monkeypatch: Patch) -> None:
    monkeypatch.setattr(detector, "Probing", Blind)
    simulation = calm(6, observers=observers)
    for each in simulation.processes:
        each.node._parts.linking.proves = lambda *_: False
    simulation.nodes[-1].crash(power=True)
    bound = detection_bound(simulation.processes[0])
    if observers:
        bound += rounds_bound(simulation.processes[0], 5)
    simulation.run(bound - 1.0)
    with pytest.raises(Violation, match=r"M5: .* ended .* s ago"):
        simulation.run(2.0)


@pytest.mark.parametrize("witnesses", [0, 1])
def test_m5_one_that_did_not_listen_and_ended_unseen_is_noticed(
    witnesses: int, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(Lookout, "_silent", lambda *_: [])
    simulation = Simulation(1, nodes=4, silent=2, watching=False)
    simulation.run(CALM_SECONDS + 2.0)
    config = simulation.nodes[0].config
    bound = broken_bound(config) if witnesses else unseen_bound(config)
    first, second, third, last = simulation.nodes
    for host in (first, second)[witnesses:]:
        host.crash(power=True)
    last.crash(power=True)
    if witnesses:
        first.process.node._parts.linking.proves = lambda *_: False  # type: ignore[union-attr]
    else:
        first.start([])
        third.join([first])
    simulation.run(bound - 1.0)
    with pytest.raises(Violation, match=r"M5: in the view of .* node-4 .* ended .* s ago"):
        simulation.run(CALM_SECONDS)


def test_m6_tables_that_stay_different_are_noticed(monkeypatch: Patch) -> None:
    class Deaf(Replication):
        deaf = False

        def _compare(self, links: list[Link]) -> None:
            if not self.deaf:
                super()._compare(links)

    monkeypatch.setattr(machinery, "Replication", Deaf)
    simulation = Simulation(1, nodes=2)
    simulation.settle()
    Deaf.deaf = True
    first = simulation.nodes[0]
    (link,) = simulation.processes[0].node._links.established()
    first.gossip("k", 1)
    link.channels[1].progress.assume_equal()
    with pytest.raises(Violation, match=r"M6: no rest after 5 s: the tables .* differ"):
        simulation.settle(limit=5.0)


@pytest.mark.parametrize("twice", [True, False])
def test_m9_an_event_too_much_or_too_few_is_noticed(twice: bool, monkeypatch: Patch) -> None:
    simulation = Simulation(1, nodes=2)
    simulation.run(2.0)
    process, member = simulation.processes[0], other(simulation)
    if twice:
        with pytest.raises(Violation, match=r"M9: an event says node-2 is alive now, before it"):
            process.follower.take(Join(member))
        return
    monkeypatch.setattr(Membership, "_emit", lambda *_: None)
    simulation.nodes[1].tags(colour="red")
    simulation.run(2.0)
    with pytest.raises(Violation, match=r"M9: events say .* are alive, the node"):
        simulation.settle()


def test_m10_gone_ones_without_end_are_noticed(monkeypatch: Patch) -> None:
    simulation = Simulation(1, nodes=2)
    simulation.settle()
    process, member = simulation.processes[0], other(simulation)
    gone = [member.replace(state=DEAD)] * (GONE_MAX + 1)
    monkeypatch.setattr(process.node, "members", lambda: gone)
    with pytest.raises(Violation, match=f"M10: .* remembers {GONE_MAX + 1} that are gone"):
        simulation.membership.rested()


def test_m10_one_remembered_beyond_its_time_is_noticed() -> None:
    simulation = Simulation(1, nodes=3, config={"dead_retention": 10.0}, watching=False)
    simulation.run(5.0)
    simulation.nodes[-1].crash()
    simulation.run(5.0)
    members = simulation.processes[0].node._parts.linking.members
    members.advance = lambda _: []  # type: ignore[method-assign]
    members.deadline = lambda: float("inf")  # type: ignore[method-assign]
    simulation.run(2 * CALM_SECONDS + 10.0)
    with pytest.raises(Violation, match=r"M10: .* is remembered for too long"):
        simulation.membership.rested()


@pytest.mark.parametrize("stands_still", [True, False])
def test_m10_that_time_goes_on_while_the_process_does(stands_still: bool) -> None:
    simulation = Simulation(1, nodes=3, config={"dead_retention": 20.0}, watching=False)
    simulation.run(5.0)
    first, _, third = simulation.nodes
    third.crash()
    simulation.run(10.0)
    seconds = 2 * CALM_SECONDS + 15.0
    members = first.process.node._parts.linking.members  # type: ignore[union-attr]
    if stands_still:
        first.pause()
        simulation.run(seconds)
        first.resume()
    else:
        members._config = first.config.replace(dead_retention=100.0)
        simulation.run(seconds)
    simulation.run(5.0)
    assert [each.state for each in first.members()].count(DEAD) == 1
    if stands_still:
        simulation.membership.rested()
    else:
        with pytest.raises(Violation, match=r"M10: .* is remembered for too long"):
            simulation.membership.rested()


@pytest.mark.parametrize("forgets", [True, False])
def test_m10_one_that_came_back_is_remembered_from_its_last_end_on(forgets: bool) -> None:
    """Not from the first: in between it lived. Its last is noticed late, as all others stood still
    when it came.
    """
    simulation = Simulation(1, nodes=3, config={"dead_retention": 10.0}, watching=False)
    simulation.run(5.0)
    *others, third = simulation.nodes
    simulation.partition(others, [third])
    simulation.run(8.0)
    assert [each.state for each in others[0].members()].count(DEAD) == 1
    simulation.heal()
    simulation.settle()
    assert [each.state for each in others[0].members()].count(ALIVE) == 3
    for host in others:
        host.pause()
    third.crash()
    simulation.run(2 * CALM_SECONDS + 15.0)
    for host in others:
        host.resume()
    simulation.run(8.0)
    assert [each.state for each in others[0].members()].count(DEAD) == 1
    simulation.membership.rested()
    if not forgets:
        members = simulation.processes[0].node._parts.linking.members
        members.advance = lambda _: []  # type: ignore[method-assign]
        members.deadline = lambda: float("inf")  # type: ignore[method-assign]
    simulation.run(2 * CALM_SECONDS + 10.0)
    if forgets:
        simulation.membership.rested()
        return
    with pytest.raises(Violation, match=r"M10: .* is remembered for too long"):
        simulation.membership.rested()


# -- planted bugs


def a_third_party_raises_the_incarnation(monkeypatch: Patch) -> None:
    fail = Membership.fail

    def wrong(self: Membership, member: bytes, now: float) -> Any:
        dead = fail(self, member, now)
        held = self._control.get(MEMBER, member)
        if dead is not None and held is not None:
            higher = stamp_of(dead.incarnation + 1, DEAD)
            self._control.put(MEMBER, member, EXPIRING, held[3], higher, 60_000)
        return dead

    monkeypatch.setattr(Membership, "fail", wrong)


def nobody_objects(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Identity, "meet", lambda *_: None)
    monkeypatch.setattr(Identity, "refute", lambda *_: False)


def an_objection_ends_no_suspicion(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Suspicion, "changed", lambda *_: (False, False))


def the_last_is_never_probed(monkeypatch: Patch) -> None:
    after = Ring.next

    class Unlike(Probing):
        def _may(self, member: bytes) -> bool:
            return member != max(self._everybody(True), default=b"") and super()._may(member)

    def next_but_last(self: Ring) -> bytes | None:
        member = after(self)
        return None if member == max(self._everybody(), default=b"") else member

    monkeypatch.setattr(detector, "Probing", Unlike)
    monkeypatch.setattr(Ring, "next", next_but_last)


def an_event_is_told_without_its_state(monkeypatch: Patch) -> None:
    believe = Membership._believe

    def wrong(self: Membership, new: Any, now: float) -> bool:
        old = self._members.get(new.id)
        if new.state == ALIVE or old is None:
            return believe(self, new, now)
        self._emit(old, new)
        return True

    monkeypatch.setattr(Membership, "_believe", wrong)


def an_accusation_stays_when_it_was_answered(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Accusations, "settle", lambda *_: None)


PLANTED = {
    "a third party raises the incarnation": (a_third_party_raises_the_incarnation, "M3"),
    "nobody objects": (nobody_objects, "M1|M6"),
    "an objection ends no suspicion": (an_objection_ends_no_suspicion, "M9|M4|M6"),
    "the last is never probed": (the_last_is_never_probed, "M5"),
    "an event is told without its state": (an_event_is_told_without_its_state, "M9|M2|M5|M6"),
    "an accusation stays when it was answered": (an_accusation_stays_when_it_was_answered, "M10"),
}
"""Per bug how it is planted, and the invariants that may find it."""


def run(seed: int) -> None:
    """One random run: some hosts stall, one vanishes or is killed, one leaves; then rest."""
    rng = Random(seed)
    simulation = Simulation(seed, nodes=rng.randint(4, 7), watching=False)
    simulation.run(5.0)
    hosts = list(simulation.nodes)
    for host in rng.sample(hosts, 2):
        host.pause()
        simulation.run(rng.uniform(2.0, 4.0))
        host.resume()
        simulation.run(rng.uniform(1.0, 3.0))
    simulation.run(CALM_SECONDS + 1.0)
    last = max(simulation.processes, key=lambda process: process.node.id).host
    gone = last if seed % 2 else rng.choice(hosts)
    gone.crash(power=bool(rng.randint(0, 3)))
    simulation.run(12.0)
    leaver = rng.choice([host for host in hosts if host is not gone])
    leaver.leave()
    simulation.run(1.0)
    leaver.crash()
    simulation.settle()


def who_is_not_seen_is_held_dead(monkeypatch: Patch) -> None:
    fail = Linking.fail

    def wrong(self: Linking, member: bytes | None, now: float) -> None:
        if member in self.directory().hidden:
            self.bury(member, now)
        else:
            fail(self, member, now)

    monkeypatch.setattr(Linking, "fail", wrong)
    monkeypatch.setattr(Identity, "_is_hidden", lambda _: False)


def nobody_takes_silence_for_an_end(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Lookout, "_silent", lambda *_: [])


def run_silent(seed: int) -> None:
    """One random run in which some do not listen: time enough for who is there to say so more than
    once; then some of them end, mostly with all that were linked to them; then rest.
    """
    rng = Random(seed)
    nodes = rng.randint(4, 6)
    watching = rng.randint(0, 2)
    simulation = Simulation(
        seed, nodes=nodes, observers=watching, silent=rng.randint(2, nodes - 1), watching=False
    )
    listening = sum(host.listens for host in simulation.nodes)
    simulation.run(rng.uniform(2.2, 3.5) * UNSEEN_SECONDS)
    left = rng.randint(0, 1)
    for host in [simulation.nodes[-1], *simulation.nodes[left:listening]]:
        host.crash(power=bool(rng.randint(0, 1)))
    if not left:
        simulation.run(rng.uniform(0.0, 60.0))
        simulation.nodes[0].start()
        for host in simulation.nodes[listening:-1]:
            host.join(simulation.nodes[:1])
    simulation.settle()


@pytest.mark.parametrize("seed", SEEDS)
def test_without_a_bug_those_that_do_not_listen_live_until_they_end(seed: int) -> None:
    run_silent(seed)


@pytest.mark.parametrize(
    ("plant", "finders"),
    [
        (who_is_not_seen_is_held_dead, "M4"),
        (nobody_takes_silence_for_an_end, "M5|M6"),
    ],
)
def test_random_runs_with_silent_hosts_find_the_planted_bug(
    plant: Callable[[Patch], None], finders: str, monkeypatch: Patch
) -> None:
    plant(monkeypatch)
    with pytest.raises(Violation, match=finders):
        run_all(run_silent)


def run_all(run: Callable[[int], None]) -> None:
    for seed in SEEDS:
        run(seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_without_a_bug_random_runs_find_none(seed: int) -> None:
    run(seed)


@pytest.mark.parametrize("bug", PLANTED)
def test_random_runs_find_the_planted_bug(bug: str, monkeypatch: Patch) -> None:
    plant, finders = PLANTED[bug]
    plant(monkeypatch)
    with pytest.raises(Violation, match=finders):
        run_all(run)


# -- what is said of the gone lapses


@pytest.mark.parametrize("seed", range(5))
def test_tables_are_equal_whenever_what_they_say_of_the_gone_lapses(
    seed: int, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(detector, "ACCUSED_MILLISECONDS_MIN", 30_000)
    rng = Random(seed)
    retention = rng.choice([0.5, 3.0, 10.0])
    simulation = Simulation(
        seed, nodes=rng.randint(4, 7), watching=False, config={"dead_retention": retention}
    )
    simulation.run(5.0)
    hosts = list(simulation.nodes)
    for _ in range(4):
        host, seconds = rng.choice(hosts), rng.uniform(2.0, 30.0)
        match rng.choice(["crash", "power", "leave", "pause", "part"]):
            case "pause":
                host.pause()
                simulation.run(seconds)
                host.resume()
            case "part":
                simulation.partition(hosts[:2], hosts[2:])
                simulation.run(2 * seconds)
                simulation.heal()
            case ending:
                if ending == "leave":
                    host.leave()
                    simulation.run(1.0)
                host.crash(power=ending == "power")
                simulation.run(seconds)
                host.restart()
        simulation.run(rng.uniform(1.0, 20.0))
    simulation.run(60.0)
    simulation.settle()
    tables = [process.node.control for process in simulation.processes]
    assert {table.statistics()["expiring"] for table in tables} == {0}
    assert {process.node.stats()["accusations"] for process in simulation.processes} == {0}


@pytest.mark.parametrize("put_back", [True, False])
def test_m7_who_left_comes_back_by_another_start_alone(put_back: bool) -> None:
    """That has the number of the one that left, where an old copy of the disk was put back."""
    simulation = Simulation(1, nodes=2, durable=2)
    simulation.run(2.0)
    second = simulation.nodes[1]
    disk = second.disk
    assert disk is not None
    copy = disk.backup()
    second.restart()
    simulation.run(2.0)
    member = other(simulation)
    second.leave()
    simulation.run(2.0)
    second.crash()
    if put_back:
        disk.restore(copy)
    else:
        disk.boot, disk.records = copy.boot, dict(copy.records)
    disk.trusted = True
    second.restart()
    if put_back:
        simulation.run(5.0)
        back = other(simulation)
        assert back.state == ALIVE and back.incarnation > member.incarnation
        second.leave()
        simulation.run(2.0)
        process = second.process
        assert process is not None and other(simulation).state == LEFT
        identity = process.node._parts.identity
        identity.leaving = False
        process.call(identity._say_again)
    with pytest.raises(Violation, match=r"M7: .* left, and came back without a new start"):
        simulation.run(5.0)


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("put_back", [True, False])
def test_of_whom_nothing_was_left_an_old_copy_of_its_disk_may_say_less(
    put_back: bool, apart: bool
) -> None:
    """There is nothing that it could object to. Others say more than what was left of it. `apart`:
    it starts before that went, and nobody hears of it until then.
    """
    simulation = Simulation(1, nodes=3, durable=3, config={"dead_retention": 2.0})
    simulation.run(2.0)
    second = simulation.nodes[1]
    disk = second.disk
    assert disk is not None
    copy = disk.backup()
    for _ in range(2):
        second.restart()
        simulation.run(2.0)
    member = other(simulation)
    second.crash()
    others = [simulation.nodes[0], simulation.nodes[2]]
    tables = [process.node.control for process in simulation.processes]
    simulation.run(5.0 if apart else 5 * LOOK_SECONDS)
    assert all((table.get(MEMBER, member.id) is not None) == apart for table in tables)
    if put_back:
        disk.restore(copy)
    else:
        disk.boot, disk.records = copy.boot, dict(copy.records)
    disk.trusted = True
    if apart:
        simulation.partition([second], others)
    second.restart()
    if apart:
        simulation.run(5 * LOOK_SECONDS)
        assert not any(table.get(MEMBER, member.id) for table in tables)
        simulation.heal()
    if put_back:
        simulation.run(5.0)
        back = other(simulation)
        assert back.state == ALIVE and back.incarnation < member.incarnation
        simulation.settle()
        first = simulation.processes[0]
        sources = simulation.control.sources_of(member.id)
        another = [first.watches[0].is_another(member.id, source) for source in sources]
        assert another == [False, False, False, True]
        with pytest.raises(Violation, match="M2"):
            simulation.membership.told(first, Update(back.replace(incarnation=1)))
        return
    with pytest.raises(Violation, match="again, which was collected"):
        simulation.run(5.0)


@pytest.mark.parametrize("lapsed", [True, False])
def test_what_members_say_of_one_that_is_gone_is_the_same_as_long_as_its_record_says_it(
    lapsed: bool,
) -> None:
    simulation = Simulation(1, nodes=3, config={"dead_retention": 20.0}, watching=False)
    simulation.run(5.0)
    first, second, third = simulation.nodes
    third.crash()
    simulation.run(5.0)
    for host in (first, second):
        host.pause()
    simulation.run(20.0 if lapsed else 1.0)
    for host in (first, second):
        host.resume()
    simulation.run(1.0)
    known = first.process.node._parts.linking.members._members  # type: ignore[union-attr]
    gone = next(each for each in known.values() if each.state == DEAD)
    known[gone.id] = gone.replace(profile=gone.profile.replace(tags={"role": "other"}))
    if lapsed:
        check_rest(simulation)
        known[gone.id] = gone.replace(incarnation=gone.incarnation + 1)
    with pytest.raises(Violation, match=r"node-2\.0 sees .*, node-1\.0 "):
        check_rest(simulation)
