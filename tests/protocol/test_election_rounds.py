"""Rounds of a topic: each is decided once, the next is asked for, and older ones are forgotten."""

from __future__ import annotations

import pytest

from vines.errors import InvalidElection
from vines.events import Quorum, Settled
from vines.protocol.elections.messages import Definition, Prepare, Refusal, Unknown
from vines.protocol.elections.outcomes import Outcomes
from vines.protocol.wire.ballot import Ballots

from .pump import Host, Pump
from .test_election_restarts import NAMES, acted, call, outcomes, roll, vote

VOTERS = [(), roll(*NAMES)]


def elect(pump: Pump, hosts: list[Host], number: int, voters: tuple = ()) -> str:
    """Decide a round that all have called; returns who acted."""
    before = len(acted(*hosts))
    for host in hosts:
        assert vote(host)
    pump.until(lambda: all(rounds(host)[-1:] == [number] for host in hosts), 10.0)
    pump.until(lambda: len(acted(*hosts)) == before + 1, 1.0)
    return acted(*hosts)[before]


def rounds(host: Host) -> list[int]:
    return [outcome.round for outcome in outcomes(host)]


def rerun(host: Host, abandon: bool = False) -> None:
    host.node.elections().rerun("email", abandon, host.pump.now)
    host.node.advance(host.pump.now)


@pytest.mark.parametrize("voters", VOTERS)
@pytest.mark.parametrize("durable", [False, True])
def test_rounds_are_decided_one_after_the_other(durable: bool, voters: tuple) -> None:
    if voters and not durable:
        pytest.skip("named voters have disks")
    pump = Pump()
    hosts = pump.cluster(3, durable=durable)
    for host in hosts:
        call(host, voters, total=0 if voters else 3, least=3)
    elect(pump, hosts, 0)
    for number in (1, 2, 3):
        for host in hosts:
            rerun(host)
        elect(pump, hosts, number)
    for host in hosts:
        assert rounds(host) == [0, 1, 2, 3]
        assert host.node.elections().outcome("email").round == 3
    assert len({each.election for each in outcomes(*hosts)}) == 4
    assert len(acted(*hosts)) == 4


def test_reruns_at_once_meet_and_one_who_comes_late_joins() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    for host in hosts:
        call(host, total=3, least=3)
    elect(pump, hosts, 0)
    for host in hosts[:2]:
        rerun(host)
    pump.run(5.0)
    rerun(hosts[2])
    elect(pump, hosts, 1)
    assert {each.round for each in outcomes(*hosts)} == {0, 1}


def test_asking_twice_for_a_rerun_opens_one() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    for host in hosts:
        call(host, total=2)
    elect(pump, hosts, 0)
    for _ in range(3):
        for host in hosts:
            rerun(host)
    elect(pump, hosts, 1)
    pump.run(5.0)
    assert rounds(hosts[0]) == [0, 1]


def test_calling_again_is_no_rerun() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    for host in hosts:
        call(host, total=2)
    elect(pump, hosts, 0)
    for host in hosts:
        call(host, total=2)
        assert not vote(host)
    pump.run(5.0)
    assert rounds(hosts[0]) == [0]


def test_what_was_not_called_or_not_decided_has_no_next_round() -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    with pytest.raises(InvalidElection, match="never called here"):
        rerun(hosts[0])
    for host in hosts:
        call(host, total=2)
    pump.run(1.0)
    with pytest.raises(InvalidElection, match="abandon"):
        rerun(hosts[0])


def test_a_round_whose_voters_are_gone_can_be_abandoned() -> None:
    """With two of three voters killed nothing is ever decided: others take the topic on."""
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES))
    pump.run(1.0)
    for host in hosts[1:]:
        pump.kill(host)
    vote(hosts[0])
    pump.run(5.0)
    assert not outcomes(hosts[0])
    again = [hosts[0], *(pump.restart(host) for host in hosts[1:])]
    for host in again:
        if host is not hosts[0]:
            call(host, roll(*NAMES))
        rerun(host, abandon=True)
    elect(pump, again, 1)
    pump.run(120.0)
    assert {each.round for each in outcomes(*again)} <= {0, 1}
    assert len([1 for host in again for event in host.of(Quorum) if event.outcome.round == 1]) == 1


def test_a_slow_owner_acts_on_its_round_though_a_later_one_is_decided() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    for host in hosts:
        call(host, total=3, listen=False)
    for host in hosts:
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 3, 10.0)
    (owner,) = [host for host in hosts if host.node.id == outcomes(host)[0].owner]
    for number in (1, 2):
        for host in hosts:
            rerun(host)
            vote(host)
        pump.until(lambda number=number: all(rounds(h)[-1] == number for h in hosts), 10.0)  # type: ignore[misc]
    owner.node.elections().listen()
    pump.run(1.0)
    assert 0 in [event.outcome.round for event in owner.of(Quorum)]
    for host in hosts:
        host.node.elections().listen()
    pump.run(1.0)
    told = [event.outcome.round for host in hosts for event in host.of(Quorum)]
    assert sorted(told) == [0, 1, 2]
    for host in hosts:
        assert rounds(host) == [0, 1, 2]


def test_a_node_that_missed_two_rounds_learns_the_last_and_is_told_once() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES), least=2)
    pump.run(1.0)
    pump.kill(hosts[2])
    for host in hosts[:2]:
        vote(host)
    pump.until(lambda: len(outcomes(*hosts[:2])) == 2, 10.0)
    for host in hosts[:2]:
        rerun(host)
        vote(host)
    pump.until(lambda: all(rounds(host) == [0, 1] for host in hosts[:2]), 10.0)
    finish(hosts[:2])
    pump.run(0.5)
    again = pump.restart(hosts[2])
    pump.run(5.0)
    assert again.node.elections().outcome("email").round == 1
    assert 1 in rounds(again)
    assert len(set(rounds(again))) == len(rounds(again))


# Forgetting.


def test_of_many_rounds_one_is_on_disk() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES), least=3)
    elect(pump, hosts, 0)
    finish(hosts)
    sizes = [len(host.disk or {}) for host in hosts]
    for number in range(1, 6):
        for host in hosts:
            rerun(host)
        elect(pump, hosts, number)
        finish(hosts)
        pump.run(1.0)
    assert [len(host.disk or {}) for host in hosts] == sizes
    for host in hosts:
        elections = host.node.elections()
        assert not elections._matters
        assert not elections._elections
        live = sum(
            host.node.control.get(4, number.to_bytes(8, "big") + b"email")[2] & 1 == 0
            for number in range(6)
        )
        assert live == 1


def finish(hosts: list[Host]) -> None:
    """All callbacks return."""
    for host in hosts:
        for event in host.of(Quorum):
            host.node.elections().finished("email", event.outcome.round)
        host.node.advance(host.pump.now)


def ask(pump: Pump, who: Host, about: Definition, election: bytes, asking: Host) -> list:
    """What a node answers to a ballot of a round that is over, once told what it is about."""
    answers = []

    def spy(sender: Host, receiver: Host, stream: int, frame: bytes) -> None:
        if frame[0] == Ballots.kind and sender is who and receiver is asking:
            answers.extend(said for _, _, said in Ballots.decode(frame).ballots)

    pump.on_frame = spy  # type: ignore[method-assign]
    for said in (about, Prepare(ballot=(9 << 32) + 1)):
        asking.node._parts._send(who.node.id, Ballots(((election, 0, said),)).encode())
    pump.run(1.0)
    return answers


@pytest.mark.parametrize("restarted", [False, True])
def test_who_has_forgotten_a_round_takes_no_part_in_it(restarted: bool) -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES), least=3)
    pump.run(0.5)
    old = hosts[0].node.elections()._matters["email", 0].signup
    about, election = old.bound(), old.enrolment.bound
    elect(pump, hosts, 0)
    for host in hosts:
        rerun(host)
    elect(pump, hosts, 1)
    finish(hosts)
    pump.run(0.5)
    if restarted:
        hosts[1] = pump.restart(hosts[1])
        pump.run(1.0)
    answers = ask(pump, hosts[1], about, election, hosts[0])
    assert [type(each) for each in answers] == [Refusal, Unknown]


@pytest.mark.planted
def test_planted_forgetting_without_a_watermark_takes_part_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bug that the rule is there for: it shows, so the test above would see it."""
    monkeypatch.setattr(Outcomes, "covers", lambda self, key: False)
    with pytest.raises(AssertionError):
        test_who_has_forgotten_a_round_takes_no_part_in_it(False)


def test_a_decided_round_is_told_of_once_in_a_life() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    for host in hosts:
        call(host, total=3, least=3)
    elect(pump, hosts, 0)
    for host in hosts:
        rerun(host)
    elect(pump, hosts, 1)
    pump.run(30.0)
    for host in hosts:
        assert [event.outcome.round for event in host.of(Settled)] == [0, 1]


def test_who_forgot_a_round_for_one_decided_by_others_stays_out_of_it_after_a_restart() -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    for host in hosts:
        call(host, total=1, least=1)
        vote(host)
        pump.run(0.5)
    (outcome,) = outcomes(hosts[0])
    assert acted(*hosts) == ["n1"]
    hosts[0].node.elections().finished("email", 0)
    rerun(hosts[1])
    vote(hosts[1])
    pump.run(0.5)
    assert rounds(hosts[0]) == [0, 1]
    pump.kill(hosts[1])
    again = pump.restart(hosts[0])
    assert again.node.elections().outcome("email") == outcomes(hosts[0])[1]
    call(again, total=1, least=1)
    vote(again)
    pump.run(2.0)
    assert outcome.election not in {each.election for each in outcomes(again)}
    assert acted(again) == []


def test_rounds_whose_voters_weigh_differently_are_forgotten_by_their_owners() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES, n1=3), least=3)
    for number in range(6):
        vote(hosts[0])
        pump.until(lambda number=number: all(rounds(h)[-1:] == [number] for h in hosts), 10.0)  # type: ignore[misc]
        finish(hosts)
        pump.run(0.5)
        for host in hosts:
            rerun(host)
    for number in range(6):
        key = number.to_bytes(8, "big") + b"email"
        held = hosts[0].node.control.get(4, key)
        assert held is not None
        assert (held[2] & 1 == 0) == (number == 5), f"round {number}"
