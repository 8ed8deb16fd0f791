"""Elections of nodes with a disk: named voters, restarts, and what waits for a sync."""

from __future__ import annotations

import pytest

from vines._core.table import DECISION
from vines.errors import StorageError, VoteRefused, WireError
from vines.events import Conflict, Outcome, Overdue, Quorum, Settled
from vines.protocol.elections import value as values
from vines.protocol.elections.ballots import FIRST, NEVER
from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.endings import SEEN_SECONDS
from vines.protocol.elections.messages import Accept, Formed, Refusal, Sign
from vines.protocol.elections.outcomes import Decision
from vines.protocol.elections.records import decision_key
from vines.protocol.elections.shelf import read_part
from vines.protocol.elections.voters import voter_of
from vines.protocol.wire.ballot import Ballots

from .pump import Host, Pump

YES, NO = 0, 253


def roll(*names: str, **weights: int) -> tuple[tuple[bytes, int], ...]:
    return tuple(sorted((voter_of(name), weights.get(name, 1)) for name in names))


def call(
    host: Host,
    voters: tuple[tuple[bytes, int], ...] = (),
    *,
    total: int = 0,
    least: int = 2,
    topic: str = "email",
    listen: bool = True,
    seconds: float = 60.0,
) -> None:
    wanted = Call(Criteria((), least), total, seconds, voters)
    host.node.elections().call(topic, wanted, host.pump.now)
    if listen:
        host.node.elections().listen()
    host.node.advance(host.pump.now)


def vote(host: Host, choice: int = YES, topic: str = "email") -> bool:
    taken = host.node.elections().vote(topic, choice, host.pump.now)
    host.node.advance(host.pump.now)
    return taken


def outcomes(*hosts: Host) -> list[Outcome]:
    return [event.outcome for host in hosts for event in host.of(Settled)]


def acted(*hosts: Host) -> list[str]:
    return [host.name for host in hosts for _ in host.of(Quorum)]


def conflicts(*hosts: Host) -> list[str]:
    return [event.text for host in hosts for event in host.of(Conflict)]


NAMES = ("n1", "n2", "n3")


@pytest.mark.parametrize("callers", [1, 2, 3])
def test_named_voters_decide_whoever_called(callers: int) -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts[:callers]:
        call(host, roll(*NAMES))
    pump.run(0.5)
    for host in hosts:
        host.node.elections().listen()
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 3, 5.0)
    (outcome,) = {each.election: each for each in outcomes(*hosts)}.values()
    assert acted(*hosts) == [outcome.owner]
    assert set(outcome.votes) <= set(NAMES)
    assert not conflicts(*hosts)


def test_weights_count() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES, n1=3), least=4)
    vote(hosts[0])
    pump.run(1.0)
    assert not outcomes(*hosts)
    vote(hosts[1])
    pump.until(lambda: len(outcomes(*hosts)) == 3, 5.0)
    assert outcomes(hosts[0])[0].votes == {"n1": True, "n2": True}


def test_a_voter_of_no_weight_that_decides_alone_decides() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES, n1=3), least=3)
    vote(hosts[0])
    pump.until(lambda: len(outcomes(*hosts)) == 3, 5.0)
    assert acted(*hosts) == ["n1"] or outcomes(hosts[0])[0].owner != "n1"


def test_somebody_who_is_no_voter_hears_the_outcome_and_may_not_vote() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll("n1", "n2"))
    with pytest.raises(VoteRefused, match="not in the electorate"):
        vote(hosts[2])
    for host in hosts[:2]:
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 3, 5.0)


def test_a_named_voter_without_a_disk_only_watches() -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    third = pump.host(3)
    pump.join(third, hosts[0])
    pump.run(1.0)
    hosts.append(third)
    for host in hosts:
        call(host, roll(*NAMES))
    with pytest.raises(VoteRefused, match="data_dir"):
        vote(third)
    for host in hosts[:2]:
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 3, 5.0)
    assert set(outcomes(third)[0].votes) == {"n1", "n2"}


def test_other_voters_on_one_topic_are_told_and_nothing_is_decided_twice() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    call(hosts[0], roll("n1", "n2", "n3"))
    call(hosts[1], roll("n1", "n2", "n3"))
    call(hosts[2], roll("n2", "n3"), least=2)
    pump.run(1.0)
    with pytest.raises(ValueError, match="other voters"):
        call(hosts[0], roll("n1", "n2"))
    for host in hosts:
        vote(host)
    pump.run(5.0)
    assert any("names other voters" in text for text in conflicts(*hosts))
    assert len({each.election for each in outcomes(*hosts)}) == 1


def test_members_named_by_id_need_no_disk() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    voters = tuple(sorted((host.node.id, 1) for host in hosts))
    for host in hosts:
        call(host, voters)
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 3, 5.0)
    assert len(acted(*hosts)) == 1


def test_two_directories_of_one_name_are_not_one_voter() -> None:
    """The second, said to be new, may not decide what the first has promised something in."""
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES), least=3)
        pump.run(0.1)
    vote(hosts[0])
    pump.run(2.0)
    pump.kill(hosts[0])
    pump.run(5.0)
    again = pump.host(9, durable=True, name="n1", port=9001)
    for host in hosts[1:]:
        pump.join(again, host)
    pump.run(2.0)
    call(again, roll(*NAMES), least=3)
    vote(again, NO)
    pump.run(2.0)
    assert any("two data directories" in text for text in conflicts(*hosts[1:]))


# Restarts.


@pytest.mark.parametrize("voters", [(), roll(*NAMES)])
def test_a_rolling_restart_loses_nothing(voters: tuple[tuple[bytes, int], ...]) -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, voters, total=0 if voters else 3, least=3)
    pump.run(1.0)
    for number in range(3):
        hosts[number] = pump.restart(hosts[number])
        pump.run(2.0)
    for host in hosts:
        call(host, voters, total=0 if voters else 3, least=3)
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 3, 10.0)
    assert len({each.election for each in outcomes(*hosts)}) == 1
    assert len(acted(*hosts)) == 1


def test_who_was_away_when_a_roll_was_cancelled_takes_part_in_the_next() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    third = hosts[2]
    pump.lost = lambda host, said: host is third and isinstance(said, Sign)
    number = 0
    while not _coordinates(hosts[0], f"topic {number}"):
        number += 1
        for host in hosts:
            call(host, total=3, topic=f"topic {number}")
        pump.run(0.5)
    pump.lost = None
    pump.kill(hosts[0])
    pump.run(5.0)  # the second, who signed, refuses
    pump.kill(hosts[1])
    hosts[0] = pump.restart(hosts[0])
    call(hosts[0], total=3, topic=f"topic {number}")
    pump.run(5.0)  # and the first cancels, of which the second does not hear
    hosts[1] = pump.restart(hosts[1])
    for host in hosts:
        call(host, total=3, topic=f"topic {number}")
        vote(host, topic=f"topic {number}")
    pump.until(lambda: all(host.node.elections().outcomes() for host in hosts), 10.0)


def test_a_coordinator_whose_roll_the_others_left_while_it_was_dead_gathers_another() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    pump.lost = lambda host, said: isinstance(said, Formed)  # nobody hears that it stands
    for host in hosts:
        call(host, total=3)
    pump.run(0.5)
    (dead,) = [number for number, host in enumerate(hosts) if _coordinates(host, "email")]
    pump.kill(hosts[dead])
    pump.run(5.0)
    pump.lost = None
    hosts[dead] = pump.restart(hosts[dead])
    for host in hosts:
        call(host, total=3)
        vote(host)
    pump.until(lambda: all(host.node.elections().outcomes() for host in hosts), 10.0)


def test_a_round_that_was_not_decided_before_a_restart_is_called_for_again() -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    for host in hosts:
        call(host, total=2)
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 2, 5.0)
    for host in hosts:
        host.node.elections().rerun("email", False, pump.now)
    pump.run(0.5)
    hosts[0] = pump.restart(hosts[0])
    pump.run(2.0)
    call(hosts[0], total=2)
    hosts[0].node.elections().rerun("email", False, pump.now)
    for host in hosts:
        vote(host)
    pump.until(lambda: [o.round for h in hosts for o in h.node.elections().outcomes()] == [1, 1])


def _coordinates(host: Host, topic: str) -> bool:
    matter = host.node.elections()._matters.get((topic, 0))
    return matter is not None and matter.signup.coordinates()


@pytest.mark.parametrize("voters", [(), roll(*NAMES)])
def test_a_whole_cluster_that_is_restarted_knows_what_it_decided(
    voters: tuple[tuple[bytes, int], ...],
) -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, voters, total=0 if voters else 3)
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 3, 10.0)
    (outcome,) = {each.election: each for each in outcomes(*hosts)}.values()
    assert len(acted(*hosts)) == 1
    for host in hosts:
        pump.kill(host)
    hosts = [pump.restart(host) for host in hosts]
    fourth = pump.host(4)
    pump.join(fourth, hosts[0])
    pump.run(3.0)
    for host in hosts:
        host.node.elections().listen()
        assert host.node.elections().outcome("email") == outcome
        wanted = Call(Criteria((), 2), 0 if voters else 3, 60.0, voters)
        assert host.node.elections().call("email", wanted, pump.now) == outcome
    assert outcomes(fourth) == [outcome]
    pump.run(3.0)
    assert acted(*hosts, fourth) == []


def test_an_outcome_whose_owner_did_not_listen_is_acted_on_after_its_restart() -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    for host in hosts:
        call(host, total=2, listen=False)
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 2, 10.0)
    assert acted(*hosts) == []
    hosts = [pump.restart(host) for host in hosts]
    for host in hosts:
        assert host.node.elections().interrupted() == []
        host.node.elections().listen()
    pump.run(1.0)
    assert len(acted(*hosts)) == 1
    hosts = [pump.restart(host) for host in hosts]
    for host in hosts:
        host.node.elections().listen()
    pump.run(1.0)
    assert acted(*hosts) == []


@pytest.mark.parametrize("seconds", [5.0, 60.0])
def test_a_voter_that_was_restarted_goes_on_though_nobody_else_is_there(seconds: float) -> None:
    """It votes, and time runs out, without being called again or met by anybody."""
    pump = Pump()
    (host,) = pump.cluster(1, durable=True)
    call(host, roll("n1"), least=1, seconds=seconds)
    pump.run(1.0)
    host = pump.restart(host)
    if seconds > 10.0:
        vote(host)
    pump.run(10.0)
    assert [each.kind for each in outcomes(host)] == ["expired" if seconds < 10.0 else "commit"]


def test_an_owner_that_died_while_it_acted_is_told_so_and_does_not_act_again() -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    for host in hosts:
        call(host, total=2)
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 2, 10.0)
    (owner,) = [host for host in hosts if acted(host)]
    again = pump.restart(owner)
    again.node.elections().listen()
    pump.run(1.0)
    assert acted(again) == []
    (outcome,) = again.node.elections().interrupted()
    assert outcome == outcomes(owner)[0]


def test_an_owner_that_ended_its_work_is_not_told() -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    for host in hosts:
        call(host, total=2)
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 2, 10.0)
    (owner,) = [host for host in hosts if acted(host)]
    owner.node.elections().finished("email", 0)
    pump.run(0.1)
    again = pump.restart(owner)
    assert again.node.elections().interrupted() == []
    again.node.elections().listen()
    pump.run(1.0)
    assert acted(again) == []


# What waits for the disk.


def test_nothing_that_rests_on_a_record_leaves_before_it_is_on_disk() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        host.syncing = False
        call(host, total=3)
        vote(host)
    pump.run(20.0)
    assert not outcomes(*hosts)
    for _ in range(50):
        for host in hosts:
            before = len(acted(host))
            pump.settle()
            assert len(acted(host)) == before, "told without a sync"
            pump.sync(host)
        pump.run(0.1)
    assert len(outcomes(*hosts)) == 3
    assert len(acted(*hosts)) == 1


def test_a_claimants_own_accept_is_written_when_something_rests_on_it_and_lost_without_harm() -> (
    None
):
    """It said to nobody what was decided, so nobody has counted on it."""
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES))
    pump.run(1.0)
    parts = {host.name: host.node.elections()._matters["email", 0].signup for host in hosts}
    claimant = next(host for host in hosts if parts[host.name].election.me == 0)
    pump.lost = lambda _host, said: isinstance(said, Accept)
    for host in hosts:
        vote(host)
    pump.settle()
    assert parts[claimant.name].election.record.accepted == FIRST
    kept = [read_part(value) for key, value in claimant.disk.items() if key[:4] == b"part"]
    assert [part.record.accepted for part in kept] == [NEVER]
    hosts[hosts.index(claimant)] = pump.restart(claimant)
    pump.lost = None
    pump.run(10.0)
    assert len({outcome.kind for outcome in outcomes(*hosts)}) == 1
    assert len(outcomes(*hosts)) == 3


def test_a_refusal_is_not_repeated_before_it_is_on_disk() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    # So that no roll is formed.
    hosts[2].node.elections()._delivery._send = lambda member, packed: None
    for number, host in enumerate(hosts):
        call(host, total=3, seconds=5.0 if number else 60.0, topic="a")
    pump.run(1.0)
    matter = hosts[1].node.elections()._matters["a", 0]
    assert matter.signup.coordinator() == hosts[0].node.id
    hosts[0].node.elections()._delivery._send = lambda member, packed: None  # nor cancelled
    said: list[type] = []

    def spy(sender: Host, receiver: Host, stream: int, frame: bytes) -> None:
        if sender is hosts[1] and frame[0] == Ballots.kind:
            said.extend(type(one) for _, _, one in Ballots.decode(frame).ballots)

    pump.on_frame = spy  # type: ignore[method-assign]
    hosts[1].syncing = False
    pump.run(20.0)
    assert Refusal not in said
    pump.sync(hosts[1])
    pump.run(1.0)
    assert Refusal in said


def test_a_disk_that_stands_still_holds_up_no_data_and_no_other_member() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    hosts[0].syncing = False
    for host in hosts:
        call(host, roll(*NAMES))
        vote(host)
    pump.until(lambda: len(outcomes(*hosts[1:])) == 2, 10.0)
    hosts[0].write("key")
    pump.until(lambda: hosts[2].value("key") is not None, 1.0)
    pump.run(60.0)
    assert pump.hosts[1].states()["n1"] == "alive"
    assert acted(hosts[0]) == []
    pump.sync(hosts[0])
    pump.run(1.0)
    assert len(outcomes(*hosts)) == 3
    assert len(acted(*hosts)) == 1


def waiting(pump: Pump, *, counted: bool) -> tuple[list[Host], Host]:
    """All but one have heard what was decided; that one knows it, too, and its disk stands still;
    it heard of it as the others did, or has counted those who accepted. The table says it there.
    """
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES))
    pump.run(1.0)
    parts = [host.node.elections()._matters["email", 0].signup.election for host in hosts]
    slow = next(host for host, part in zip(hosts, parts, strict=True) if (part.me == 0) is counted)
    slow.syncing = False
    for host in hosts:
        vote(host)
    others = [host for host in hosts if host is not slow]
    pump.until(lambda: len(outcomes(*others)) == 2, 10.0)
    key = decision_key(("email", 0))
    pump.until(lambda: slow.node.control.get(DECISION, key) is not None, 10.0)
    return hosts, slow


@pytest.mark.parametrize("counted", [False, True])
def test_what_stands_in_the_table_is_left_to_ones_own_disk_and_told_once(counted: bool) -> None:
    pump = Pump()
    hosts, slow = waiting(pump, counted=counted)
    assert outcomes(slow) == []
    pump.sync(slow)
    pump.settle()
    assert len(outcomes(slow)) == 1
    pump.run(5.0)
    assert len(outcomes(*hosts)) == 3
    assert len(set(map(str, outcomes(*hosts)))) == 1
    assert len(acted(*hosts)) == 1


@pytest.mark.parametrize("counted", [False, True])
def test_what_stands_in_the_table_is_told_though_the_disk_stands_still(counted: bool) -> None:
    pump = Pump()
    hosts, slow = waiting(pump, counted=counted)
    assert outcomes(slow) == []
    pump.run(SEEN_SECONDS)
    assert len(outcomes(slow)) == 1
    owner = outcomes(slow)[0].owner
    assert acted(slow) == []
    pump.sync(slow)
    pump.run(5.0)
    assert len(outcomes(*hosts)) == 3
    assert acted(*hosts) == [owner]


@pytest.mark.parametrize("counted", [False, True])
def test_what_stands_in_the_table_is_told_if_the_disk_fails(counted: bool) -> None:
    pump = Pump()
    hosts, slow = waiting(pump, counted=counted)
    assert outcomes(slow) == []
    slow.node.storage_failed("it broke")
    slow.unsynced.clear()
    pump.run(5.0)
    assert len(outcomes(slow)) == 1
    assert slow.of(Overdue) == []
    assert acted(slow) == []
    assert len(set(map(str, outcomes(*hosts)))) == 1


def counted_alone(pump: Pump) -> tuple[list[Host], Host]:
    """One has counted those who accepted, its disk stands still, and nobody else knows."""
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES))
    pump.run(1.0)
    matters = [host.node.elections()._matters["email", 0] for host in hosts]
    first = next(at for at, matter in enumerate(matters) if matter.signup.election.me == 0)
    hosts[first].syncing = False
    for host in hosts:
        vote(host)
    pump.until(lambda: bool(matters[first].value), 0.5)
    assert outcomes(*hosts) == []
    return hosts, hosts[first]


def test_what_comes_into_the_table_after_the_disk_has_failed_is_told_at_once() -> None:
    pump = Pump()
    hosts, first = counted_alone(pump)
    first.node.storage_failed("it broke")
    pump.settle()
    assert len(first.of(Overdue)) == 1, "it has counted what it cannot vouch for"
    others = [host for host in hosts if host is not first]
    pump.until(lambda: len(outcomes(*others)) == 2, 20.0)
    pump.run(SEEN_SECONDS / 2)
    assert len(outcomes(first)) == 1
    assert acted(first) == []


def test_another_value_in_the_table_is_told_at_once_as_it_stands_there() -> None:
    """That cannot be, and what comes of it does not depend on a disk."""
    pump = Pump()
    hosts, first = counted_alone(pump)
    matter = first.node.elections()._matters["email", 0]
    other = values.abort(1, Criteria((), 2), bytes([NO, NO, NO]), ())
    decision = Decision(matter.signup.enrolment.bound, matter.signup.bound(), other)
    writer = next(host for host in hosts if host is not first)
    writer.node.elections()._outcomes.publish(decision)
    writer.node.advance(pump.now)
    pump.settle()
    assert [outcome.kind for outcome in outcomes(first)] == ["abort"]
    pump.sync(first)
    pump.run(5.0)
    assert [outcome.kind for outcome in outcomes(first)] == ["abort"]


def test_a_disk_that_failed_ends_the_voting_and_not_the_node() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES))
    pump.run(1.0)
    hosts[0].syncing = False
    vote(hosts[0])
    hosts[0].node.storage_failed("the disk is full")
    pump.run(1.0)
    (told,) = [event for event in hosts[0].of(Conflict) if event.kind == "storage"]
    assert "the disk is full" in told.text
    for use in (
        lambda: vote(hosts[0]),
        lambda: call(hosts[0], total=2, topic="other"),
        lambda: hosts[0].node.elections().rerun("email", True, pump.now),
    ):
        with pytest.raises(StorageError, match="the disk is full"):
            use()
    for host in hosts[1:]:
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 3, 20.0)
    hosts[0].write("key")
    pump.until(lambda: hosts[1].value("key") is not None, 1.0)
    assert acted(hosts[0]) == []


def test_a_disk_that_fails_before_the_outcome_is_on_it_acts_on_nothing() -> None:
    pump = Pump()
    (host,) = pump.cluster(1, durable=True)
    host.syncing = False
    call(host, total=1, least=1)
    vote(host)
    pump.run(1.0)
    assert outcomes(host) == []
    host.node.storage_failed("it broke")
    pump.run(5.0)
    assert acted(host) == []


def test_a_deadline_passes_with_a_failed_disk_too() -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    call(hosts[0], total=2, seconds=5.0)
    hosts[0].node.storage_failed("it broke")
    pump.run(10.0)
    assert len(hosts[0].of(Overdue)) == 1


def test_records_of_another_cluster_are_left_alone() -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    for host in hosts:
        call(host, total=2)
        vote(host)
    pump.until(lambda: len(outcomes(*hosts)) == 2, 10.0)
    before = dict(hosts[0].disk or {})
    pump.kill(hosts[0])
    other = pump.host(1, durable=True, past=hosts[0], cluster="other", port=9007)
    assert other.node.elections().outcomes() == []
    call(other, total=1, least=1)
    vote(other)
    pump.until(lambda: len(outcomes(other)) == 1, 10.0)
    assert all((other.disk or {})[key] == value for key, value in before.items())


@pytest.mark.parametrize("cut", range(0, 60, 7))
def test_a_record_that_cannot_be_read_is_a_clear_error(cut: int) -> None:
    pump = Pump()
    (host,) = pump.cluster(1, durable=True)
    call(host, total=1, least=1)
    pump.run(0.5)
    assert host.disk
    host.disk = {key: value[:cut] for key, value in host.disk.items()}
    pump.kill(host)
    with pytest.raises(WireError):
        pump.host(1, durable=True, past=host)


@pytest.mark.parametrize(("total", "least"), [(1, 1), (0, 2)])
def test_what_one_voter_decided_alone_is_not_told_if_its_disk_fails_first(
    total: int, least: int
) -> None:
    """In its next life it may have forgotten that, and decide something else."""
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    hosts[0].syncing = False
    voters = () if total else roll("n1", "n2", n1=3)
    call(hosts[0], voters, total=total, least=least)
    vote(hosts[0])
    pump.run(0.5)
    hosts[0].node.storage_failed("it broke")
    pump.run(1.0)
    assert outcomes(*hosts) == []
    assert len(hosts[0].of(Overdue)) == 1
    again = pump.restart(hosts[0])
    pump.run(1.0)
    call(again, voters, total=total, least=least)
    vote(again, NO)
    pump.run(5.0)
    assert len({str(outcome) for outcome in outcomes(again, hosts[1])}) == 1


def test_who_goes_by_a_voters_name_without_its_directory_is_left_in_peace() -> None:
    """It is told what the election is, says nothing, and does not stand in the voter's way."""
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    pump.kill(hosts[2])
    pump.run(3.0)
    stranger = pump.host(9, name="n3", port=9003)
    pump.join(stranger, hosts[0])
    pump.join(stranger, hosts[1])
    pump.run(2.0)
    for host in hosts[:2]:
        call(host, roll(*NAMES), least=3)
        vote(host)
    pump.run(10.0)
    assert stranger.count("frames_in", "ballot") < 2000
    pump.kill(stranger)
    pump.run(3.0)
    again = pump.restart(hosts[2])
    pump.run(1.0)
    call(again, roll(*NAMES), least=3)
    vote(again)
    pump.until(lambda: len(outcomes(*hosts[:2], again)) == 3, 10.0)
    assert outcomes(again)[0].kind == "commit"
    assert conflicts(*hosts[:2], again) == []


def test_a_voter_is_found_by_its_name_though_another_that_had_it_died_after_it_came() -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    stranger = pump.host(9, name="n3", port=9003)
    pump.join(stranger, hosts[0])
    pump.run(1.0)
    third = pump.host(3, durable=True, port=9004)
    pump.join(third, hosts[0])
    pump.run(1.0)
    pump.kill(stranger)
    pump.run(5.0)
    for host in hosts:
        call(host, roll(*NAMES), least=3)
        vote(host)
    pump.run(1.0)
    vote(third)
    pump.until(lambda: len(outcomes(*hosts, third)) == 3, 10.0)


def double(pump: Pump, first: Host) -> Host:
    """Start another process on a copy of what a node has on disk, beside it."""
    assert first.disk is not None
    second = pump.host(first.node.id[0], port=9100, durable=True, past=first)
    second.disk = dict(first.disk)
    return second


@pytest.mark.parametrize("seed", range(5))
def test_of_two_processes_on_copies_of_one_disk_neither_vote_counts_until_one_is_left(
    seed: int,
) -> None:
    pump = Pump(seed)
    one, first, third = hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES))
    pump.run(0.5)
    pump.kill(third)
    second = double(pump, first)
    pump.join(second, one)
    pump.run(5.0)
    for twin in (first, second):
        assert [event.kind for event in twin.of(Conflict)] == ["identity", "storage"]
        with pytest.raises(StorageError, match="the same id"):
            vote(twin)
        with pytest.raises(StorageError, match="the same id"):
            call(twin, roll(*NAMES), topic="other")
    assert "identity" in [event.kind for event in one.of(Conflict)]
    vote(one)
    pump.run(10.0)
    assert not outcomes(one, first, second)
    pump.kill(second)
    again = pump.restart(first)
    pump.run(1.0)
    call(again, roll(*NAMES))
    vote(again)
    pump.until(lambda: len(outcomes(one, again)) == 2, 10.0)
    (outcome,) = {each.election: each for each in outcomes(one, again)}.values()
    assert outcome.votes == {"n1": True, "n2": True}


def test_what_a_double_voted_before_it_was_found_is_counted_once() -> None:
    pump = Pump()
    one, first, third = hosts = pump.cluster(3, durable=True)
    for host in hosts:
        call(host, roll(*NAMES), least=3)
    pump.run(0.5)
    vote(first)
    pump.settle()
    second = double(pump, first)
    pump.join(second, one)
    pump.settle()
    pump.run(5.0)
    vote(one)
    pump.run(5.0)
    assert not outcomes(*hosts, second)
    vote(third)
    pump.until(lambda: bool(outcomes(one, third)), 10.0)
    for outcome in outcomes(one, third):
        assert outcome.votes == {"n1": True, "n2": True, "n3": True}


def told_of(twin: Host) -> list[str]:
    return [event.kind for event in twin.of(Conflict)]


@pytest.mark.parametrize("ahead", [30.0, 86_000.0])
@pytest.mark.parametrize("starts", [1, 3])
def test_a_start_whose_clock_went_back_votes_where_links_to_the_one_before_still_seem_up(
    ahead: float, starts: int
) -> None:
    pump = Pump()
    one, third = pump.host(1, durable=True), pump.host(3, durable=True)
    second = pump.host(2, durable=True, skew=ahead)
    for host in (second, third):
        pump.join(host, one)
    pump.run(2.0)
    for number in range(starts):
        second.alive = False  # it lost power: nobody was told, and nothing is heard of it
        pump.run(0.5)
        second = pump.restart(second, skew=-60.0 * number)
        pump.run(3.0)
    hosts = (one, second, third)
    pump.kill(third)
    for host in hosts[:2]:
        call(host, roll(*NAMES))
        vote(host)
    pump.until(lambda: len(outcomes(one, second)) == 2, 10.0)
    assert not conflicts(*hosts)


def test_an_old_copy_of_a_disk_votes_nowhere_once_it_meets_who_knew_the_later_start() -> None:
    pump = Pump()
    one, second, _ = pump.cluster(3, durable=True)
    copied, starts = dict(second.disk or {}), second.starts
    for _ in range(2):
        second = pump.restart(second)
        pump.run(2.0)
    assert not conflicts(one, second)
    second.alive = False
    second.disk, second.starts = copied, starts
    old = pump.restart(second)
    pump.run(5.0)
    assert told_of(old) == ["identity", "storage"]
    with pytest.raises(StorageError, match="the same id"):
        vote(old)


@pytest.mark.parametrize(("first", "second"), [(4, 4), (7, 4)], ids=["equal counts", "a lower one"])
def test_two_on_copies_of_one_disk_are_found_whichever_was_started_more_often(
    first: int, second: int
) -> None:
    pump = Pump()
    one = pump.host(1, durable=True)
    twins = []
    for count in (first, second):
        disk = pump.host(2, port=9000 + 10 * count, durable=True)
        pump.kill(disk)
        disk.starts = count - 1
        twin = pump.host(2, port=9020 + len(twins), durable=True, past=disk)
        twins.append(twin)
        pump.join(twin, one)
        pump.run(2.0)
    pump.run(5.0)
    for twin in twins:
        assert told_of(twin) == ["identity", "storage"]
        with pytest.raises(StorageError, match="the same id"):
            vote(twin)
