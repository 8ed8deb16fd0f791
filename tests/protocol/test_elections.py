"""Elections between whole nodes: calls that find each other, one decision, one who acts."""

from __future__ import annotations

import pytest

from tests.elections.defined import defined
from vines._core.table import DECISION, VOTE
from vines.events import Conflict, Outcome, Overdue, Quorum, Settled
from vines.protocol.elections import outcomes as outcomes_module
from vines.protocol.elections import records
from vines.protocol.elections import value as values
from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.messages import Definition
from vines.protocol.elections.outcomes import Decision, Outcomes
from vines.protocol.elections.schedule import PASSED_MAX
from vines.protocol.elections.signup import electorate_of, id_of
from vines.protocol.wire.definition import pack_definition, unpack_definition
from vines.protocol.wire.messages import DATA as DATA_TABLE
from vines.protocol.wire.messages import Delta

from .pump import Host, Pump

YES, NO = 0, 253


def call(
    host: Host, total: int, least: int, *, topic: str = "email", seconds: float = 60.0
) -> None:
    host.node.elections().call(topic, Call(Criteria((), least), total, seconds), host.pump.now)
    host.node.elections().listen()
    host.node.advance(host.pump.now)


def vote(host: Host, choice: int = YES, *, topic: str = "email") -> bool:
    taken = host.node.elections().vote(topic, choice, host.pump.now)
    host.node.advance(host.pump.now)
    return taken


def outcomes(hosts: list[Host]) -> list[Outcome]:
    return [event.outcome for host in hosts for event in host.of(Settled)]


def acted(hosts: list[Host]) -> list[Host]:
    return [host for host in hosts for _ in host.of(Quorum)]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_callers_elect_one_who_acts(size: int) -> None:
    pump = Pump()
    hosts = pump.cluster(size)
    for host in hosts:
        call(host, size, size)
        vote(host)
    pump.until(lambda: len(outcomes(hosts)) == size, 5.0)
    assert len(acted(hosts)) == 1
    (outcome,) = {each.election: each for each in outcomes(hosts)}.values()
    assert outcome.kind == "commit"
    assert outcome.owner == acted(hosts)[0].node.id
    assert set(outcome.votes.values()) == {True}
    assert outcome.choice is True
    pump.run(10.0)
    assert len(outcomes(hosts)) == size
    assert len(acted(hosts)) == 1


def test_callers_minutes_apart_elect_one_too() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    call(hosts[0], 2, 2, seconds=600)
    vote(hosts[0])
    pump.run(120.0)
    assert outcomes(hosts) == []
    call(hosts[1], 2, 2, seconds=600)
    vote(hosts[1])
    pump.until(lambda: len(outcomes(hosts)) == 2, 5.0)
    assert len(acted(hosts)) == 1


def test_who_comes_late_learns_the_outcome_and_calls_to_no_effect() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    for host in hosts:
        call(host, 2, 2)
        vote(host)
    pump.until(lambda: len(outcomes(hosts)) == 2, 5.0)
    late = pump.host(3)
    pump.join(late, hosts[0])
    pump.run(2.0)
    assert [each.kind for each in outcomes([late])] == ["commit"]
    known = late.node.elections().call("email", Call(Criteria((), 2), 2, 60.0), pump.now)
    assert known == outcomes([late])[0]
    assert acted([late]) == []


def test_enough_refusals_end_it_for_all() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    for host, choice in zip(hosts, (YES, NO, NO), strict=True):
        call(host, 3, 2)
        vote(host, choice)
    pump.until(lambda: len(outcomes(hosts)) == 3, 5.0)
    assert {each.kind for each in outcomes(hosts)} == {"abort"}
    assert acted(hosts) == []


def test_time_runs_out_by_agreement_once_there_is_an_electorate() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    for host in hosts:
        call(host, 3, 3, seconds=5.0)
    vote(hosts[0])
    pump.run(20.0)
    assert {each.kind for each in outcomes(hosts)} == {"expired"}
    assert len(outcomes(hosts)) == 3
    assert acted(hosts) == []


def test_too_few_callers_get_a_timeout_and_no_outcome() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    call(hosts[0], 2, 2, seconds=5.0)
    vote(hosts[0])
    pump.run(20.0)
    assert outcomes(hosts) == []
    assert [event.topic for event in hosts[0].of(Overdue)] == ["email"]


def test_a_coordinator_that_dies_after_the_signing_leaves_room_for_another() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    for host in hosts[:2]:
        call(host, 2, 2)
    pump.run(1.0)
    bound = [
        host for host in hosts[:2] if host.node.elections()._matters["email", 0].signup.election
    ]
    assert len(bound) == 2
    pump.kill(hosts[0])
    pump.run(10.0)
    call(hosts[2], 2, 2)
    vote(hosts[1])
    vote(hosts[2])
    pump.until(lambda: len(outcomes(hosts[1:])) == 2, 30.0)
    assert len(acted(hosts[1:])) == 1


def test_many_elections_at_once_have_different_owners() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    topics = [f"topic {number}" for number in range(30)]
    for host in hosts:
        for topic in topics:
            call(host, 3, 2, topic=topic)
            vote(host, topic=topic)
    pump.until(lambda: len(outcomes(hosts)) == 90, 30.0)
    assert len(acted(hosts)) == 30
    assert len(set(acted(hosts))) == 3


def test_a_vote_before_the_call_is_kept_for_it() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    assert vote(hosts[0])
    assert vote(hosts[1])
    for host in hosts:
        call(host, 2, 2)
    pump.until(lambda: len(outcomes(hosts)) == 2, 5.0)
    assert len(acted(hosts)) == 1
    assert not vote(hosts[0])


@pytest.mark.parametrize("early", [YES, NO])
def test_a_vote_before_the_call_is_none_where_there_are_choices(early: int) -> None:
    """True would count for the first of them, which nobody asked for."""
    pump = Pump()
    hosts = pump.cluster(2)
    assert vote(hosts[0], early)
    for host in hosts:
        wanted = Call(Criteria(("red", "green"), 1), 2, 60.0)
        host.node.elections().call("email", wanted, pump.now)
    pump.run(1.0)
    assert outcomes(hosts) == []
    (told,) = hosts[0].of(Conflict)
    assert "from before the call" in told.text
    vote(hosts[1], 1)
    pump.until(lambda: len(outcomes(hosts)) == 2, 5.0)
    assert outcomes(hosts)[0].votes == {hosts[1].node.id: "green"}


def test_a_vote_kept_from_a_call_that_timed_out_is_none_between_other_choices() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    wanted = Call(Criteria(("red", "green", "blue"), 2), 2, 1.0)
    hosts[0].node.elections().call("email", wanted, pump.now)
    vote(hosts[0], 2)
    pump.run(3.0)
    for host in hosts:
        call(host, 2, 2)
    pump.run(1.0)
    assert outcomes(hosts) == []
    for host in hosts:
        vote(host)
    pump.until(lambda: len(outcomes(hosts)) == 2, 5.0)


def test_more_callers_than_wanted_wait_until_it_fits() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    for host in hosts:
        call(host, 2, 2)
        vote(host)
    pump.run(2.0)
    first = outcomes(hosts)
    assert len({each.election for each in first}) <= 1
    assert len(acted(hosts)) <= 1


def test_what_is_told_of_a_callers_deadline_is_scheduled_once() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    for host in hosts:
        call(host, 2, 2, seconds=3600.0)
    pump.run(60.0)
    for host in hosts:
        assert len(host.node.elections()._schedule) < 10


def test_a_side_without_a_majority_decides_nothing_and_learns_later() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    for host in hosts:
        call(host, 3, 2, seconds=20.0)
    pump.run(1.0)
    lonely = hosts[2]
    for other in hosts[:2]:
        pump.cut(lonely.to(other))
    assert lonely.address is not None
    pump.vanished |= {lonely.address, *(other.address for other in hosts[:2])}
    for host in hosts:
        vote(host)
    pump.run(8.0)
    assert outcomes([lonely]) == []
    assert len(outcomes(hosts[:2])) == 2
    pump.vanished.clear()
    pump.until(lambda: len(outcomes([lonely])) == 1, 300.0)
    assert len(acted(hosts)) == 1


def test_more_callers_than_an_electorate_takes_is_told_and_nobody_is_chosen() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    pump.held = True
    for host in hosts:
        call(host, 2, 2)
    pump.held = False
    pump.run(1.0)
    told = [event for host in hosts for event in host.of(Conflict) if event.kind == "election"]
    formed = [host for host in hosts if host.node.elections()._matters["email", 0].signup.roll]
    assert told or len(formed) == 2
    for event in told:
        assert "'email': 3 members call, 2 are wanted" in event.text


def test_who_timed_out_may_call_again() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    call(hosts[0], 2, 2, seconds=1.0)
    vote(hosts[0])
    pump.run(5.0)
    assert len(hosts[0].of(Overdue)) == 1
    call(hosts[1], 2, 2)
    vote(hosts[1])
    pump.run(2.0)
    assert outcomes(hosts) == [], "who has given up is no candidate"
    call(hosts[0], 2, 2)
    vote(hosts[0])
    pump.until(lambda: len(outcomes(hosts)) == 2, 5.0)
    assert len(acted(hosts)) == 1


def test_a_vote_that_was_refused_is_not_counted_in_a_later_call() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    call(hosts[0], 2, 1, seconds=1.0)
    pump.run(5.0)
    assert not vote(hosts[0])
    for host in hosts:
        call(host, 2, 1)
    pump.run(1.0)
    assert outcomes(hosts) == []


def leave(host: Host) -> None:
    host.node.leave(host.pump.now)
    host.node.advance(host.pump.now)
    host.pump.settle()
    host.pump.kill(host)


def test_a_rolling_restart_of_all_blocks_no_topic() -> None:
    pump = Pump()
    old = pump.cluster(3)
    for host in old:
        call(host, 3, 3, seconds=3600.0)
    pump.run(1.0)
    new = []
    for number, host in enumerate(old, 4):
        leave(host)
        fresh = pump.host(number)
        pump.join(fresh, (old + new)[number - 3])
        new.append(fresh)
        pump.run(2.0)
    for host in new:
        call(host, 3, 3, seconds=3600.0)
        vote(host)
    pump.until(lambda: len(outcomes(new)) == 3, 30.0)
    assert len(acted(new)) == 1


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("turns", range(12))
def test_a_peer_that_dies_at_any_step_of_signing_up_blocks_no_topic(
    victim: int, turns: int
) -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    call(hosts[0], 2, 2, seconds=600.0)
    call(hosts[1], 2, 2, seconds=600.0)
    for _ in range(turns):
        pump.step()
    pump.kill(hosts[victim])
    pump.run(20.0)
    others = [host for number, host in enumerate(hosts) if number != victim]
    call(hosts[2], 2, 2, seconds=600.0)
    for host in others:
        vote(host)
    pump.until(lambda: len(outcomes(others)) == 2, 60.0)
    assert len({outcome.election for outcome in outcomes(others)}) == 1
    assert len(acted(hosts)) == 1


@pytest.mark.parametrize("turns", range(14))
def test_a_peer_that_dies_at_any_step_of_deciding_leaves_one_outcome_at_most(turns: int) -> None:
    """Of two, the other may have learned and acted: then nobody else can ever know, nor act."""
    pump = Pump()
    hosts = pump.cluster(3)
    for host in hosts[:2]:
        call(host, 2, 2, seconds=600.0)
        vote(host)
    for _ in range(turns):
        pump.step()
    pump.kill(hosts[0])
    pump.run(20.0)
    call(hosts[2], 2, 2, seconds=30.0)
    vote(hosts[2])
    pump.run(60.0)
    assert len({outcome.election for outcome in outcomes(hosts)}) <= 1
    assert len(acted(hosts)) <= 1
    assert outcomes(hosts[2:]) or hosts[2].of(Overdue)


@pytest.mark.parametrize("value", [b"x", b"\xff" * 64])
def test_a_decision_nobody_honest_wrote_closes_no_topic(value: bytes) -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    definition = defined(
        topic="email",
        round=0,
        roll=tuple(sorted((host.node.id, 1) for host in hosts[1:])),
        signup=b"",
        council=0,
        tiebreak=False,
        choices=(),
        least=2,
        plurality=False,
        remaining_ms=60_000,
    )
    record = pack_definition(definition, value)
    assert unpack_definition(record) == definition
    hosts[2].node.control.put(DECISION, bytes(8) + b"email", 0, record, 1)
    call(hosts[0], 2, 2)
    pump.run(5.0)
    assert outcomes(hosts) == []
    call(hosts[1], 2, 2)
    vote(hosts[0])
    vote(hosts[1])
    pump.until(lambda: len(acted(hosts)) == 1, 10.0)


def test_a_vote_that_nobody_answers_stands_in_the_table_until_it_is_over() -> None:
    """No ballot of one member gets through, but records do: its vote decides all the same."""
    pump = Pump()
    hosts = pump.cluster(3)
    for host in hosts:
        call(host, 3, 3)
    pump.run(1.0)
    part = hosts[0].node.elections()._matters["email", 0].signup.election
    assert part is not None
    last = part.electorate.voters[2]  # the first would have to propose something
    (mute,) = [host for host in hosts if host.node.id == last]
    mute.node.elections()._delivery._send = lambda member, packed: None
    for host in hosts:
        vote(host)
    pump.run(0.7)
    assert not outcomes(hosts)
    pump.until(lambda: len(outcomes(hosts)) == 3, 5.0)
    assert set(outcomes(hosts[:1])[0].votes.values()) == {True}
    pump.run(1.0)
    assert [host.node.control.count(VOTE) for host in hosts] == [0, 0, 0]


def test_a_vote_in_the_table_waits_for_those_who_do_not_know_its_election() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    ids = tuple(sorted((host.node.id, 1) for host in hosts))
    wanted = Call(Criteria((), 2), 0, 60.0, ids)
    called = Definition("email", 0, wanted.terms())
    claimant, voter = electorate_of(id_of(b"test", called), called).voters
    other, mute = sorted(hosts, key=lambda host: host.node.id == voter)
    assert other.node.id == claimant
    mute.node.elections()._delivery._send = lambda member, packed: None
    mute.node.elections().call("email", wanted, pump.now)
    vote(mute)
    pump.run(5.0)
    assert other.node.control.count(VOTE) == 1
    other.node.elections().call("email", wanted, pump.now)
    vote(other)
    del mute.node.elections()._delivery._send
    mute.node.elections()._delivery._send = mute.node._parts._mail.add
    pump.until(lambda: len(outcomes(hosts)) == 2, 5.0)
    assert set(outcomes(hosts)[0].votes.values()) == {True}


@pytest.mark.parametrize("packed", [b"", b"x", bytes(25), bytes(60)])
def test_a_vote_in_the_table_that_is_none_is_passed_over(packed: bytes) -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    for host in hosts:
        call(host, 2, 2)
    pump.run(1.0)
    election = hosts[0].node.elections()._matters["email", 0].signup.enrolment.bound
    hosts[1].node.control.put(VOTE, election + hosts[1].node.id, 0, packed, 1)
    hosts[1].node.control.put(VOTE, b"short", 0, packed, 1)
    pump.run(1.0)
    for host in hosts:
        vote(host)
    pump.until(lambda: len(outcomes(hosts)) == 2, 5.0)


def two_decisions() -> list[Host]:
    """Two halves that each know another decision of one round, which takes twice as many voters as
    an electorate has, and then meet.
    """
    pump = Pump()
    hosts = pump.cluster(4)
    pump.held = True
    for pair in (hosts[:2], hosts[2:]):
        roll = tuple(sorted((host.node.id, 1) for host in pair))
        definition = defined("email", 0, roll, b"", 0, False, (), 2, False, 1000)
        election = id_of(b"test", definition)
        value = values.commit(0, 0, Criteria((), 2), bytes(2), ())
        for host in pair:
            decision = Decision(election, definition, value)
            host.node.elections()._outcomes.publish(decision)
            host.node.elections()._endings.tell(decision)
    pump.held = False
    pump.run(5.0)
    return hosts


def test_of_two_decisions_of_one_round_the_same_stays_everywhere() -> None:
    hosts = two_decisions()
    known = {host.node.elections().outcome("email").election for host in hosts}  # type: ignore[union-attr]
    assert len(known) == 1
    assert [len(host.of(Settled)) for host in hosts] == [1] * 4
    assert all(
        host.of(Conflict) for host in hosts if host.of(Settled)[0].outcome.election not in known
    )


@pytest.mark.planted
def test_planted_a_decision_that_goes_by_its_round_alone_leaves_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(records, "decision_stamp", lambda election: 1)
    monkeypatch.setattr(outcomes_module, "decision_stamp", lambda election: 1)
    monkeypatch.setattr(Outcomes, "settle", lambda self, outcome: True)
    hosts = two_decisions()
    assert len({host.node.elections().outcome("email").election for host in hosts}) == 2  # type: ignore[union-attr]


def test_beside_ballots_data_comes_in_small_portions() -> None:
    """A vote must not wait behind what a link may otherwise hold."""
    pump = Pump()
    hosts = pump.cluster(2)
    sizes: list[int] = []

    def spy(sender: Host, receiver: Host, stream: int, frame: bytes) -> None:
        if frame[0] == Delta.kind and frame[2] == DATA_TABLE:
            sizes.append(len(frame))

    pump.on_frame = spy  # type: ignore[method-assign]
    for number in range(200):
        hosts[0].node.data.write(b"%d" % number, 0, bytes(1000), pump.wall())
    pump.run(1.0)
    assert max(sizes) > 32_000
    sizes.clear()
    for host in hosts:
        call(host, 2, 2)
    pump.run(0.1)
    for number in range(200):
        hosts[0].node.data.write(b"%d" % number, 0, bytes(999), pump.wall())
    pump.run(0.1)
    assert sizes
    assert max(sizes) < 16_000
    sizes.clear()
    pump.run(5.0)
    for number in range(200):
        hosts[0].node.data.write(b"%d" % number, 0, bytes(998), pump.wall())
    pump.run(1.0)
    assert max(sizes) > 32_000


def test_deadlines_far_ahead_of_what_is_decided_do_not_pile_up() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    for batch in range(20):
        for number in range(200):
            for host in hosts:
                call(host, 2, 2, topic=f"{batch}/{number}", seconds=1e8)
                vote(host, topic=f"{batch}/{number}")
        pump.run(1.0)
    for host in hosts:
        elections = host.node.elections()
        assert len(elections.outcomes()) == 4_000
        assert elections._matters == {}
        assert len(elections._schedule) <= PASSED_MAX + 1
