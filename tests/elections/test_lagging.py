"""A proposal leaves while its claimant's own accept is on its way to the disk: why that may be.

Three rules carry it. What a proposal rests on is on disk: that its claimant takes part, and what it
has promised. Who was started again proposes at no ballot that it may have used: not at the first,
nor at one it has promised. And an outcome that counts an accept which may be lost is told to nobody
before the outcome itself is on disk, which takes that accept's place. Each of them is taken out
once here, and missed; and the schedules that would be dangerous without them are played one by one.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.elections import planted
from tests.elections.explorer import Violation, World
from tests.elections.lagging import Lagging
from tests.elections.test_decree import Cluster, Member, V, W
from tests.elections.worlds import Free, free, voting
from vines.protocol.elections.ballots import FIRST, ballot
from vines.protocol.elections.decree import Effects, Record, digest_of
from vines.protocol.elections.messages import Accept, Accepted, Decided, Message, Prepare, Promise
from vines.protocol.elections.phases import IDLE, PROPOSING

WORLDS: dict[str, tuple[Callable[[], World], int]] = {
    "2 voters, ballots 0-2, 2 crashes": (lambda: free((1, 1), crashes=2), 17_000),
    "3 voters, ballots 0-1, 1 crash": (lambda: free(ballots=1, outcomes=2), 42_000),
    "3 voters, ballots 0-1, 2 crashes": (lambda: free(ballots=1, crashes=2, outcomes=2), 80_000),
    "3 voters who may refuse": (lambda: free(ballots=1, outcomes=1, refusals=True), 20_000),
    "one of 3 decides alone": (lambda: free((3, 1, 1), ballots=1, outcomes=2), 5_000),
    "votes yes yes none": (lambda: voting(ballots=1, changes=0, expiry=False), 10_000),
}
LARGER: dict[str, tuple[Callable[[], World], int]] = {
    "3 voters, ballots 0-2, 1 crash": (lambda: free(outcomes=2), 500_000),
    "3 voters, ballots 0-2, 2 crashes": (lambda: free(crashes=2, outcomes=2), 1_000_000),
    "votes yes yes none, time runs out": (lambda: voting(ballots=1, changes=0), 100_000),
}


@pytest.mark.search
@pytest.mark.parametrize("name", WORLDS)
def test_no_disk_that_lags_breaks_a_promise(name: str) -> None:
    make, least = WORLDS[name]
    world = make()
    assert Lagging(world).run() >= least
    assert all(world.seen[what] for what in ("began", "recovered", "closed"))


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", LARGER)
def test_none_does_in_larger_worlds(name: str) -> None:
    make, least = LARGER[name]
    assert Lagging(make()).run() >= least


class Unenrolled(Free):
    """A proposal waits for nothing, not even that its claimant's part is on disk."""

    def _propose(self, value: bytes, fresh: bool, out: Effects) -> None:
        self.ticket = 0
        super()._propose(value, fresh, out)


class ToldAtOnce(Free):
    """An outcome is told before it is on disk."""

    def _close(self, value: bytes, fire: bool, out: Effects) -> None:
        out.decided(value, False, 0)
        super()._close(value, fire, out)


PLANTED: dict[str, tuple[type[Free], str]] = {
    "ballot 0 used again after a restart": (planted.FirstUsedAgain, "two values at one ballot"),
    "a proposal waits for nothing": (Unenrolled, "two values at one ballot"),
    "an outcome is told before it is on disk": (ToldAtOnce, "two outcomes"),
    "promises not on disk": (planted.PromisesVolatile, "two outcomes|a promise was forgotten"),
    "the callback begins before that is on disk": (planted.FiredBeforehand, "two callbacks"),
}


@pytest.mark.search
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found_where_disks_lag(name: str) -> None:
    kind, text = PLANTED[name]
    with pytest.raises(Violation, match=f"^({text})"):
        Lagging(free(ballots=2, outcomes=2, kind=kind), traced=True).run()


# The schedules one by one.


def started_again(cluster: Cluster, rank: int, disk: Record) -> Member:
    """A member comes back with what is on its disk."""
    size = len(cluster.members)
    cluster.members[rank] = reborn = Member(size, rank, record=disk)
    reborn.one.resume()
    return reborn


def said(messages: list[Message], kind: type[Message]) -> list[Message]:
    return [message for message in messages if isinstance(message, kind)]


def lost_proposal(size: int = 3, accepted_by: tuple[int, ...] = (1,)) -> tuple[Cluster, Member]:
    """Rank 0 proposes V at the first ballot; some accept; it crashes, and has nothing of it on
    disk.
    """
    cluster = Cluster(size)
    cluster.members[0].claim(V)
    cluster.members[0].take()
    for rank in accepted_by:
        cluster.deliver(0, Accept(FIRST, V, True), rank)
        cluster.members[rank].said.clear()
    return cluster, started_again(cluster, 0, Record())


def test_who_was_started_again_proposes_nothing_at_the_first_ballot() -> None:
    cluster, again = lost_proposal(accepted_by=())
    again.claim(W)
    assert again.take() == [Prepare(ballot(1, 0))] * 2
    # And not either when it is started once more with as little on disk.
    twice = started_again(cluster, 0, Record())
    twice.claim(W)
    assert twice.take() == [Prepare(ballot(1, 0))] * 2


def test_what_was_accepted_of_a_lost_proposal_is_found_again() -> None:
    cluster, again = lost_proposal()
    again.claim(W)
    (prepare, _) = again.take()
    for rank, promise in cluster.ask(0, prepare, 1):
        cluster.deliver(rank, promise, 0)
    assert again.take() == [Accept(ballot(1, 0), V, False)] * 2


def test_a_lost_proposal_that_few_accepted_may_give_way_and_its_late_answers_do_not_count() -> None:
    """Of five, one has accepted V; rank 0, started again, does not ask that one."""
    cluster, again = lost_proposal(5, accepted_by=(4,))
    again.claim()
    prepare = again.take()[0]
    for rank, promise in cluster.ask(0, prepare, 1, 2):
        cluster.deliver(rank, promise, 0)
    again.one.wish = W
    again.one.proceed(again)
    assert said(again.take(), Accept)[0] == Accept(ballot(1, 0), W, True)
    for rank in (3, 4):  # answers to the first life
        cluster.deliver(rank, Accepted(FIRST, digest_of(V)), 0)
    assert not again.one.closed
    for rank in (1, 2):
        cluster.deliver(rank, Accepted(ballot(1, 0), digest_of(W)), 0)
    assert again.one.record.outcome == W


def test_a_ballot_that_was_promised_is_not_used_again_after_a_restart() -> None:
    """Its promise is on disk, what it proposed there is not."""
    cluster = Cluster(3)
    first = cluster.members[0]
    first.one.outbid = ballot(1, 1)
    first.claim()
    prepare = first.take()[0]
    for rank, promise in cluster.ask(0, prepare, 2):
        cluster.deliver(rank, promise, 0)
    first.one.wish = V
    first.one.proceed(first)
    first.take()
    again = started_again(cluster, 0, first.records[0])
    again.claim(W)
    assert again.take() == [Prepare(ballot(3, 0))] * 2
    # The promise of the first life does not count in the second.
    cluster.deliver(2, Promise(ballot(2, 0)), 0)
    assert again.one.phase != PROPOSING


def test_an_outcome_that_counts_a_lost_accept_was_told_to_nobody() -> None:
    """Two of three accept V, one of them only in memory: what follows waits for the outcome."""

    class Waiting(Member):
        """It says what rests on what."""

        def send(self, rank: int, message: Message, after: int) -> None:
            if isinstance(message, Decided):
                assert self.records[after - 1] == Record(outcome=V)
            super().send(rank, message, after)

        def decided(self, value: bytes, fire: bool, after: int) -> None:
            assert self.records[after - 1].outcome == value
            super().decided(value, fire, after)

    cluster = Cluster(3)
    cluster.members[0] = claimant = Waiting(3, 0)
    claimant.claim(V)
    claimant.take()
    for rank, answer in cluster.ask(0, Accept(FIRST, V, True), 1):
        cluster.deliver(rank, answer, 0)
    assert claimant.one.closed
    # Neither record got to the disk; another claimant asks the two others, and finds V.
    again = started_again(cluster, 0, Record())
    assert again.told == []
    cluster.members[2].claim(W)
    prepare = cluster.members[2].take()[0]
    for rank, promise in cluster.ask(2, prepare, 1):
        cluster.deliver(rank, promise, 2)
    assert set(cluster.members[2].take()) == {Accept(ballot(1, 2), V, False)}


def test_who_lost_its_accept_may_refuse_and_then_counts_no_answers() -> None:
    """It has helped nobody else's value along, and never claims again."""
    cluster, again = lost_proposal()
    assert again.one.refuse(again)
    again.take()
    cluster.deliver(1, Accepted(FIRST, digest_of(V)), 0)
    again.claim(W)
    assert not again.one.closed
    assert again.one.phase == IDLE
    assert again.take() == []


def test_a_promise_given_while_the_own_accept_is_on_its_way_says_what_was_accepted() -> None:
    """Both are one record: that comes to the disk before the promise leaves."""
    cluster = Cluster(3)
    claimant = cluster.members[0]
    claimant.claim(V)
    claimant.take()
    ((_, promise),) = cluster.ask(1, Prepare(ballot(1, 1)), 0)
    assert isinstance(promise, Promise)
    assert (promise.accepted, promise.value) == (FIRST, V)
    assert claimant.records[-1] == Record(ballot(1, 1), FIRST, V)
