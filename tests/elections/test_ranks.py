"""Ranks: who decides when those before it are dead, may be, or count by something else; how quickly
that is, in round trips, and what it costs while nothing happens.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import NamedTuple

import pytest

from tests.elections.test_original import call, name, vote
from tests.elections.timeline import Member, Run, quantile
from vines.events import Settled, Suspect
from vines.protocol.elections import value as values
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.decree import Decree
from vines.protocol.elections.election import Election
from vines.protocol.elections.messages import Nack
from vines.protocol.elections.pacing import Pacer
from vines.protocol.elections.phases import HOLDING, IDLE
from vines.simulation import Conditions, Simulation, Spectator
from vines.simulation.host import Host
from vines.simulation.process import Process

YES = 0
RUNS = 200


class Figures(NamedTuple):
    """Of many elections in which these ranks are dead from the start: round trips from the cast of
    the deciding vote to the first who learns, and until all have, and messages.
    """

    size: int
    dead: tuple[int, ...]
    known: bool
    """That they are dead is known, two round trips after they died."""
    first: tuple[float, float]
    """The median, and 99 of 100."""
    closed: float
    messages: float


FIGURES = {
    "all live": Figures(5, (), True, (1.5, 1.7), 2.1, 19),
    "the first is known to be dead": Figures(5, (0,), True, (1.5, 1.75), 2.1, 26),
    "the first is dead, and nobody knows": Figures(5, (0,), False, (8.4, 9.2), 8.9, 38),
    "two are known to be dead": Figures(5, (0, 1), True, (1.55, 1.8), 2.1, 23),
    "two are dead, and nobody knows": Figures(5, (0, 1), False, (17.1, 18.9), 17.7, 46),
    "three of seven are known to be dead": Figures(7, (0, 1, 2), True, (1.55, 1.8), 2.1, 36),
}


@pytest.mark.parametrize("case", FIGURES)
def test_what_dead_ranks_cost(case: str) -> None:
    figures = FIGURES[case]
    first, closed, messages = [], [], []
    for seed in range(RUNS):
        run = Run(figures.size, seed)
        for rank in figures.dead:
            run.kill(rank, 0.0, detected_after=2.0 if figures.known else None)
        live = [rank for rank in range(figures.size) if rank not in figures.dead]
        times = {rank: 20 + run.rng.uniform(0, 20) for rank in live}
        for rank, when in times.items():
            run.cast(rank, YES, when)
        run.go(enough=lambda run=run: run.all_closed)  # type: ignore[misc]
        deciding = sorted(times.values())[run.criteria.least - 1]
        first.append(run.learned_at[0] - deciding)
        closed.append(run.learned_at[-1] - deciding)
        messages.append(run.messages)
        assert len(run.fired) == 1
    assert quantile(first, 0.5) <= figures.first[0]
    assert quantile(first, 0.99) <= figures.first[1]
    assert quantile(closed, 0.5) <= figures.closed
    assert sum(messages) / RUNS <= figures.messages


def held_open(dead: int, votes: Sequence[int] = ()) -> Run:
    """An election that lacks votes for long; who is dead is known early."""
    run = Run(5, 1, deadline=2_000.0)
    for rank in range(dead):
        run.kill(rank, 0.0, detected_after=1.0)
    for rank in votes:
        run.cast(rank, YES, 10.0)
    run.go(until=1_900.0)
    return run


def test_who_was_promised_everything_in_advance_asks_no_more_until_it_can_propose() -> None:
    run = held_open(dead=1)
    assert run.said == {"Prepare": 4, "Promise": 3}
    assert run.members[1].part.phase == HOLDING


def test_a_vote_is_held_by_two_and_then_not_said_again() -> None:
    run = held_open(dead=0, votes=(4,))
    assert run.said == {"Vote": 2, "VoteAck": 2}


def test_who_lives_and_is_silent_is_told_the_vote_ever_more_rarely() -> None:
    run = Run(5, 1, deadline=2_000.0)
    run.kill(0, 0.0)  # nobody knows
    run.cast(4, YES, 1.0)
    run.go(until=400.0)
    assert run.said["Vote"] <= 16


def test_the_vote_of_one_who_was_promised_everything_decides_at_once() -> None:
    for seed in range(20):
        run = Run(3, seed, least=2)
        run.kill(0, 0.0, detected_after=1.0)
        run.cast(2, YES, 5.0)
        run.cast(1, YES, 10.0)
        run.go(enough=lambda run=run: run.all_closed)  # type: ignore[misc]
        assert run.learned_at[0] - 10.0 < 1.3


def test_two_who_each_hold_all_before_them_dead_do_not_outbid_each_other_for_ever() -> None:
    run = Run(5, 1, deadline=2_000.0)
    for member, dead in ((1, 0b1), (2, 0b11)):
        run.members[member].pacer.lost(dead, 0.0, run.members[member])
    run.go(until=1_900.0)
    assert run.said["Prepare"] <= 3 * 4
    for rank in range(5):
        run.cast(rank, YES, 1_900.0)
    run.go(until=1_960.0)
    assert run.all_closed


# Suspects: they may be dead, and they may not.


def decide_with_a_suspect(seed: int, *, dead: bool, suspicious: Sequence[int] = ()) -> float:
    run = Run(5, seed)
    if dead:
        run.kill(0, 0.0)
    run.suspect(0b1, 1.0, *suspicious)
    for rank in range(1, 4):
        run.cast(rank, YES, 10.0)
    run.go(enough=lambda: run.all_closed)
    assert len(run.fired) == 1
    return run.learned_at[0] - 10.0


def test_who_may_be_dead_has_its_place_taken_sooner() -> None:
    delays = [decide_with_a_suspect(seed, dead=True) for seed in range(60)]
    assert quantile(delays, 0.5) <= 5.6
    assert quantile(delays, 0.99) <= 6.2


@pytest.mark.parametrize("suspicious", [(), (1,), (2, 3)], ids=["by all", "by the next", "by some"])
def test_who_lives_and_is_suspected_decides_as_quickly_as_ever(suspicious: Sequence[int]) -> None:
    delays = [decide_with_a_suspect(seed, dead=False, suspicious=suspicious) for seed in range(60)]
    assert quantile(delays, 0.5) <= 1.6
    assert quantile(delays, 0.99) <= 1.8


def test_a_suspicion_that_comes_while_somebody_waits_shortens_that() -> None:
    for seed in range(20):
        run = Run(5, seed)
        run.kill(0, 0.0)
        for rank in range(1, 4):
            run.cast(rank, YES, 10.0)
        run.suspect(0b1, 11.0)
        run.go(enough=lambda run=run: run.all_closed)  # type: ignore[misc]
        assert run.learned_at[0] - 10.0 < 7.0


def test_who_acts_is_no_suspect_if_another_would() -> None:
    run = Run(3, 1)
    one = run.members[0].part
    one.listening = False
    one.willing, one.suspected = 0b110, 0b010
    assert one._owner() == 2
    one.suspected = 0b110
    assert one._owner() == 1


# Callers who count by something else.


def elect_with_criteria(seed: int, least: Sequence[int]) -> Run:
    """All vote yes; each counts as its own caller asked."""
    run = Run(len(least), seed, deadline=60.0)
    for member, number in zip(run.members, least, strict=True):
        member.part._recount(Criteria((), number))
    for rank in range(len(least)):
        run.cast(rank, YES, 1.0)
        run._arm(run.members[rank])
    run.go(until=300.0, enough=lambda: run.all_closed)
    assert run.all_closed
    return run


MOST_ASK_FOR_TWO = ((2, 2, 3), (2, 3, 2), (3, 2, 2), (3, 4, 2, 2, 2), (4, 3, 2, 2, 2))


@pytest.mark.parametrize("least", MOST_ASK_FOR_TWO, ids=str)
def test_what_most_ask_for_counts_whoever_of_them_the_votes_go_to_first(
    least: Sequence[int],
) -> None:
    """Their votes go on to those after one who counts otherwise."""
    for seed in range(40):
        run = elect_with_criteria(seed, least)
        (outcome,) = set(run.outcomes.values())
        assert values.decode(outcome).kind == values.COMMIT
        assert values.decode(outcome).least == 2
        assert run.learned_at[0] < 16.0
        assert len(run.fired) == 1


def test_what_nobodys_majority_asks_for_ends_with_the_time() -> None:
    for seed in range(20):
        run = elect_with_criteria(seed, (1, 2, 3))
        (outcome,) = set(run.outcomes.values())
        assert values.decode(outcome).kind == values.EXPIRED
        assert run.learned_at[0] >= 60.0
        assert run.said["Prepare"] <= 12


def test_who_was_asked_for_something_else_does_not_end_an_attempt_that_others_accept() -> None:
    member = Run(3, 1).members[0]
    member.part._recount(Criteria((), 1))
    member.part.cast(YES)
    member.part._agreeing |= 0b10
    member.part.claim(member)
    assert member.part.phase != IDLE
    member.part.on_nack(2, Nack(0, 0, conflict=True), member)
    assert member.part.phase != IDLE
    member.part.on_nack(2, Nack(0, 1 << 32 | 1), member)
    assert member.part.phase == IDLE


# Bugs that cost no promise, but time: planted, and seen to cost it.


class Stubborn(Pacer):
    """Who counts otherwise is waited for, and told alone."""

    def _lowest(self, count: int) -> list[int]:
        return list(range(len(self.election.electorate)))[:count]

    def _before(self) -> int:
        return (1 << self.election.me) - 1


def test_planted_who_counts_otherwise_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Member, "pacing", Stubborn)
    late = [elect_with_criteria(seed, (3, 4, 2, 2, 2)).learned_at[0] > 16.0 for seed in range(10)]
    assert any(late)


def test_planted_each_outbids_the_other_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class Rash(Pacer):
        def _wants(self) -> bool:
            return self.election.me > 0 and not self._before()

        def _fail(self) -> None:
            pass

    monkeypatch.setattr(Member, "pacing", Rash)
    run = Run(5, 1, deadline=2_000.0)
    for member, dead in ((1, 0b1), (2, 0b11)):
        run.members[member].pacer.lost(dead, 0.0, run.members[member])
    run.go(until=100.0)
    assert run.said["Prepare"] > 100


def test_planted_who_is_promised_everything_does_not_see_its_own_vote(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Blind(Election):
        def proceed(self, out) -> None:  # type: ignore[no-untyped-def]
            if self.phase != HOLDING or self.sequence == 0:
                Decree.proceed(self, out)

    monkeypatch.setattr(Member, "election", Blind)
    run = Run(3, 1, least=2)
    run.kill(0, 0.0, detected_after=1.0)
    run.cast(2, YES, 5.0)
    run.cast(1, YES, 10.0)
    run.go(enough=lambda: run.all_closed)
    assert run.learned_at[0] - 10.0 > 1.3


# Of whole nodes, whose members they hold dead or suspect by themselves.


class Watch(Spectator):
    """When somebody first learned an outcome, and who was suspected."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.learned_at = inf
        self.suspecting: set[str] = set()
        simulation.spectators.append(self)

    def told(self, process: Process, event: object) -> None:
        if isinstance(event, Settled):
            self.learned_at = min(self.learned_at, self.simulation.now)
        elif isinstance(event, Suspect):
            self.suspecting.add(process.name)


def formed(seed: int, size: int = 5) -> tuple[Simulation, list[Host]]:
    """As many nodes have called, their roll stands; hosts by rank. One way takes 10 ms."""
    conditions = Conditions(latency=0.009, jitter=0.002, lag=0.0)
    simulation = Simulation(seed, nodes=size, conditions=conditions, watching=False)
    simulation.settle()
    for host in simulation.nodes:
        call(host, size, size // 2 + 1, seconds=600.0)
    simulation.run(2.0)
    matter = simulation.nodes[0].process.node.elections()._matters["email", 0]
    assert matter.signup.election is not None
    voters = matter.signup.election.electorate.voters
    return simulation, sorted(simulation.nodes, key=lambda host: voters.index(name(host)))


def decide(simulation: Simulation, hosts: Sequence[Host]) -> float:
    """All of these vote at once; seconds until the first has learned the outcome."""
    watch = Watch(simulation)
    begun = simulation.now
    for host in hosts:
        vote(host)
    simulation.run(5.0)
    return watch.learned_at - begun


@pytest.mark.parametrize("killed", [1, 2])
def test_nodes_that_hold_the_first_ranks_dead_decide_in_one_and_a_half_round_trips(
    killed: int,
) -> None:
    for seed in range(6):
        simulation, hosts = formed(seed)
        for host in hosts[:killed]:
            host.crash()
        simulation.run(5.0)
        assert decide(simulation, hosts[killed:]) <= 1.8 * 0.02


def test_a_node_that_calls_for_its_first_election_knows_who_is_suspected() -> None:
    conditions = Conditions(latency=0.009, jitter=0.002, lag=0.0)
    simulation = Simulation(0, nodes=3, conditions=conditions, watching=False)
    simulation.settle()
    first, second, third = simulation.nodes
    watch = Watch(simulation)
    simulation.partition([first], [second, third])
    while second.process.name not in watch.suspecting:
        simulation.run(0.05)
    suspect = name(first)
    call(second, 2, 2)
    assert suspect in second.process.node.elections().suspects


def pull_the_cable(seed: int, *, deaf: bool = False) -> tuple[Simulation, list[Host]]:
    """The first rank is cut off; the others have begun to suspect it. `deaf`: elections do not hear
    of that.
    """
    simulation, hosts = formed(seed)
    for host in hosts if deaf else ():
        host.process.node._parts.linking.members.suspected = lambda _: False
    watch = Watch(simulation)
    simulation.partition(hosts[:1], hosts[1:])
    while len(watch.suspecting) < 4:
        simulation.run(0.05)
    return simulation, hosts


def test_nodes_take_the_place_of_a_suspect_sooner() -> None:
    """After a repeat, 0.2 s, and not after the 0.8 s that a silent rank is waited for."""
    for seed in range(6):
        simulation, hosts = pull_the_cable(seed)
        assert decide(simulation, hosts[1:]) <= 0.22 + 3 * 0.02


def test_planted_elections_hear_of_no_suspicion() -> None:
    simulation, hosts = pull_the_cable(0, deaf=True)
    assert decide(simulation, hosts[1:]) > 0.5
