"""Signing up: searches over every schedule, and directed ones for what those are too small for."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.elections import planted
from tests.elections.defined import changed
from tests.elections.explorer import Violation
from tests.elections.gathering import BLANK, NAMES, Disk, Effects, Gathering, Pair, Search
from tests.elections.worlds import CRITERIA, YES
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Cancel,
    Definition,
    Introduction,
    Message,
    Prepare,
    Promise,
    Refusal,
    Sign,
    Signed,
    Unknown,
    Vote,
)
from vines.protocol.elections.signup import COORDINATORS_MAX, SignUp, attempt_of, coordinator_of
from vines.protocol.elections.topic import receive

EVERY_TIME: dict[str, tuple[Gathering, int]] = {
    "2 of 2, 2 attempts": (Gathering(2, 2), 29_697),
    "2 of 3": (Gathering(attempts=1), 442_689),
    "2 of 3 with a tiebreak, first ballots": (
        Gathering(attempts=1, ballots=0, tiebreak=True),
        14_570,
    ),
}
ASKED_FOR: dict[str, tuple[Gathering, int]] = {
    "3 of 3": (Gathering(3, 3, attempts=1), 470_813),
    "2 of 3, 1 crash": (Gathering(attempts=1, crashes=1), 2_537_564),
}


@pytest.mark.search
@pytest.mark.parametrize("name", EVERY_TIME)
def test_no_schedule_decides_twice(name: str) -> None:
    world, least = EVERY_TIME[name]
    assert Search(world).run() >= least
    assert all(world.seen[what] for what in ("formed", "released", "closed"))


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", ASKED_FOR)
def test_no_schedule_of_larger_worlds_decides_twice(name: str) -> None:
    world, least = ASKED_FOR[name]
    assert Search(world).run() >= least


PLANTED: dict[str, Callable[[], Gathering]] = {
    "one's own refusal releases": lambda: Gathering(
        attempts=1, tiebreak=True, signup=planted.OwnRefusalReleases
    ),
    "refusing after a foreign accept": lambda: Gathering(
        attempts=1, election=planted.RefusedAfterForeignAccept
    ),
    "hopeless without the tiebreak": lambda: Gathering(
        attempts=1, tiebreak=True, election=planted.HopelessWithoutTiebreak
    ),
}


@pytest.mark.search
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name: str) -> None:
    with pytest.raises(Violation, match=r"^two outcomes") as caught:
        Search(PLANTED[name](), traced=True).run()
    assert 0 < len(caught.value.trace) <= 20


class Cluster:
    """Members of one topic and what they said, delivered as a test wants it."""

    def __init__(self, size: int, total: int, election: type[Pair] = Pair) -> None:
        self.world = Gathering(size, total, election=election)
        self.disks = [Disk() for _ in range(size)]
        self.members = [self.world.member(rank, self.disks[rank]) for rank in range(size)]
        self.post: list[tuple[int, int, bytes, Message | Introduction]] = []
        self.outcomes: set[tuple[bytes, bytes]] = set()

    def do(self, rank: int, act: Callable[[SignUp, Effects], object]) -> None:
        """Let a member do something; what it says waits."""
        out = Effects(self.world, rank, self.disks[rank])
        act(self.members[rank], out)
        self.disks[rank] = out.disk
        self.outcomes |= set(out.outcomes)
        self.post += [
            (rank, NAMES.index(voter), election, message) for voter, election, message in out.said
        ]

    def see(self, *ranks: int) -> None:
        """These see each other, and nobody else."""
        seen = frozenset(NAMES[rank] for rank in ranks)
        for rank in ranks:
            self.do(rank, lambda member, out: member.consider(seen, out))

    def let(self, kind: type, *receivers: int, sender: int | None = None) -> None:
        """Deliver the messages of one kind that wait for these."""
        now = [
            each
            for each in self.post
            if type(each[3]) is kind and each[1] in receivers and sender in (None, each[0])
        ]
        self.post = [each for each in self.post if each not in now or type(each[3]) is not kind]
        for source, rank, election, message in now:
            self.hand(source, rank, election, message)

    def hand(
        self, source: int, rank: int, election: bytes, message: Message | Introduction
    ) -> None:
        """Deliver one message."""
        self.do(rank, lambda one, out: receive(one, NAMES[source], election, message, out))

    def settle(self) -> None:
        """Deliver everything until nobody has more to say."""
        while self.post:
            source, rank, election, message = self.post.pop(0)
            self.hand(source, rank, election, message)

    def claim(self, rank: int) -> None:
        def act(member: SignUp, out: Effects) -> None:
            assert member.election is not None
            member.election.claim(out.effects(member.enrolment.bound))

        self.do(rank, act)

    def refuse(self, *ranks: int) -> None:
        for rank in ranks:
            self.do(rank, lambda member, out: member.refuse(out))

    def crash(self, *ranks: int) -> None:
        for rank in ranks:
            self.members[rank] = self.world.member(rank, self.disks[rank])

    def rank_in_roll(self, rank: int) -> int:
        part = self.members[rank].election
        assert part is not None
        return part.me

    def first(self, *ranks: int) -> int:
        """The one of them that owns the first ballot."""
        return next(rank for rank in ranks if self.rank_in_roll(rank) == 0)

    @property
    def bound(self) -> list[bool]:
        return [bool(member.enrolment.bound) for member in self.members]

    @property
    def formed(self) -> list[bool]:
        return [member.enrolment.formed for member in self.members]


def gathered(size: int, total: int, election: type[Pair] = Pair) -> Cluster:
    """A cluster whose first members have formed a roll."""
    cluster = Cluster(size, total, election)
    cluster.see(*range(total))
    cluster.settle()
    assert cluster.formed[:total] == [True] * total
    return cluster


@pytest.mark.parametrize("total", [1, 2, 3, 4])
def test_as_many_as_wanted_form_a_roll(total: int) -> None:
    cluster = gathered(4, total)
    rolls = {member.enrolment.bound for member in cluster.members[:total]}
    assert len(rolls) == 1
    assert cluster.bound == [rank < total for rank in range(4)]


def test_fewer_or_more_than_wanted_form_none() -> None:
    cluster = Cluster(4, 3)
    cluster.see(0, 1)
    cluster.see(0, 1, 2, 3)
    assert cluster.post == []
    assert not any(cluster.bound)


def test_a_roll_is_signed_only_by_those_who_see_the_same() -> None:
    cluster = Cluster(3, 2)
    cluster.see(0, 1)
    cluster.members[0].candidates = cluster.members[1].candidates = frozenset()
    cluster.let(Sign, 0, 1)
    assert sum(cluster.bound) == 1, "only who proposed it is bound to it"
    cluster.see(0, 1)
    cluster.settle()
    assert cluster.formed == [True, True, False]


def test_a_coordinator_cancels_when_it_sees_others_and_tries_again() -> None:
    cluster = Cluster(3, 2)
    cluster.see(0, 1)
    coordinator = next(rank for rank in (0, 1) if cluster.bound[rank])
    cluster.see(coordinator, 2)
    assert Cancel() in [message for *_, message in cluster.post if isinstance(message, Cancel)]
    cluster.settle()
    assert cluster.formed[2]
    assert cluster.formed[coordinator]
    assert not cluster.bound[1 - coordinator]


def test_what_was_signed_is_not_left_for_another_roll() -> None:
    cluster = gathered(3, 2)
    bound = cluster.members[0].enrolment.bound
    cluster.see(0, 2)
    cluster.see(1, 2)
    cluster.settle()
    assert cluster.members[0].enrolment.bound == bound
    assert not cluster.bound[2], "declined by who is bound, and cancelled"


def test_who_withdraws_leaves_the_others_free() -> None:
    cluster = gathered(3, 2)
    other = 1
    cluster.do(0, lambda member, out: member.withdraw(out))
    cluster.settle()
    assert cluster.bound == [False, False, False]
    cluster.see(other, 2)
    cluster.settle()
    assert cluster.formed == [False, True, True]


def test_a_dead_coordinator_leaves_a_survivor_free_for_a_newcomer() -> None:
    cluster = Cluster(3, 2)
    cluster.see(0, 1)
    coordinator = next(rank for rank in (0, 1) if cluster.bound[rank])
    survivor = 1 - coordinator
    cluster.let(Sign, survivor)
    assert cluster.bound[survivor]
    cluster.refuse(survivor)
    cluster.post.clear()
    cluster.see(survivor, 2)
    cluster.settle()
    assert cluster.formed[survivor]
    assert cluster.formed[2]


def test_one_refusal_of_three_releases_nobody() -> None:
    cluster = gathered(3, 3)
    cluster.refuse(1)
    cluster.settle()
    assert cluster.bound == [True, True, True]
    cluster.refuse(2)
    cluster.settle()
    assert cluster.bound == [False, False, False]


def test_an_old_sign_is_never_signed_again() -> None:
    cluster = Cluster(3, 2)
    cluster.see(0, 1)
    signs = [each for each in cluster.post if isinstance(each[3], Sign)]
    cluster.settle()
    cluster.do(0, lambda member, out: member.withdraw(out))
    cluster.settle()
    assert cluster.bound == [False, False, False]
    for rank in (0, 1):
        cluster.members[rank].calling = True
    cluster.post += signs
    cluster.let(Sign, 0, 1)
    assert cluster.bound == [False, False, False]
    assert {type(each[3]) for each in cluster.post} == {Refusal}


def asked_before_it_saw_who_called() -> tuple[Cluster, int, Sign]:
    """A pair, one of which has been asked to sign and does not yet see that both called."""
    cluster = Cluster(2, 2)
    cluster.see(0, 1)
    ((_, asked, _, sign),) = cluster.post
    assert isinstance(sign, Sign)
    cluster.members[asked].candidates = frozenset()
    cluster.let(Sign, asked)
    assert cluster.post == []
    return cluster, asked, sign


def test_what_was_declined_while_it_could_not_be_signed_is_not_signed_later() -> None:
    cluster, asked, sign = asked_before_it_saw_who_called()
    bound, roll = cluster.members[1 - asked].enrolment.bound, sign.definition
    cluster.do(asked, lambda one, out: one.decline(NAMES[1 - asked], bound, roll, out))
    assert [type(message) for *_, message in cluster.post] == [Refusal]
    cluster.see(0, 1)
    assert not cluster.bound[asked]


def test_who_may_yet_sign_refuses_nothing_when_somebody_asks_about_the_roll() -> None:
    cluster, asked, _ = asked_before_it_saw_who_called()
    vote = Vote(1, YES, CRITERIA.digest(), True)
    cluster.hand(1 - asked, asked, cluster.members[1 - asked].enrolment.bound, vote)
    assert [type(message) for *_, message in cluster.post] == [Unknown]
    cluster.post.clear()
    cluster.see(0, 1)
    cluster.settle()
    assert cluster.formed == [True, True]


def test_attempts_of_too_many_coordinators_are_declined() -> None:
    cluster = Cluster(2, 2)
    cluster.see(0, 1)
    (asked,) = (rank for rank in (0, 1) if not cluster.bound[rank])
    member = cluster.members[asked]
    passed = tuple((b"%02d" % number, 1) for number in range(COORDINATORS_MAX))
    member.enrolment = member.enrolment.replace(passed=passed)
    cluster.settle()
    assert not cluster.bound[asked]


def test_a_definition_says_who_gathered_it() -> None:
    definition: Definition = changed(BLANK, signup=b"a" * 16 + (5).to_bytes(8, "big"))
    assert (coordinator_of(definition), attempt_of(definition)) == (b"a" * 16, 5)
    assert (coordinator_of(BLANK), attempt_of(BLANK)) == (b"", 0)


def test_a_coordinator_that_crashed_asks_again() -> None:
    cluster = Cluster(2, 2)
    cluster.see(0, 1)
    coordinator = next(rank for rank in (0, 1) if cluster.bound[rank])
    cluster.post.clear()
    cluster.crash(coordinator)
    cluster.do(coordinator, lambda member, out: member.repeat(out))
    cluster.settle()
    assert cluster.formed == [True, True]


@pytest.mark.parametrize("crashed", [False, True])
def test_who_missed_that_a_roll_was_cancelled_asks_until_it_knows(crashed: bool) -> None:
    cluster = Cluster(3, 3)
    cluster.see(0, 1, 2)
    coordinator = next(rank for rank in range(3) if cluster.bound[rank])
    signer = next(rank for rank in range(3) if rank != coordinator)
    cluster.let(Sign, signer)
    cluster.let(Signed, coordinator)
    cluster.do(coordinator, lambda member, out: member.cancel(out))
    cluster.post.clear()
    if crashed:
        cluster.crash(coordinator, signer)
    assert cluster.bound[signer]
    cluster.do(signer, lambda member, out: member.repeat(out))
    cluster.settle()
    assert not any(cluster.bound)
    cluster.see(0, 1, 2)
    cluster.settle()
    assert cluster.formed == [True, True, True]


@pytest.mark.parametrize("refused", [False, True])
def test_who_missed_that_a_roll_stands_asks_until_it_knows(refused: bool) -> None:
    cluster = Cluster(3, 3)
    cluster.see(0, 1, 2)
    coordinator = next(rank for rank in range(3) if cluster.bound[rank])
    signer = next(rank for rank in range(3) if rank != coordinator)
    for kind in (Sign, Signed):
        cluster.let(kind, 0, 1, 2)
    cluster.post.clear()
    assert cluster.formed == [rank == coordinator for rank in range(3)]
    if refused:
        cluster.refuse(signer)
    cluster.do(signer, lambda member, out: member.repeat(out))
    cluster.settle()
    assert cluster.formed[signer]


def decides_after_a_latest_accept(election: type[Pair]) -> Cluster:
    """One helps the first value along, repeats it at a ballot of its own, and then would refuse."""
    cluster = gathered(4, 3, election)
    first = cluster.first(0, 1, 2)
    taker, third = sorted({0, 1, 2} - {first}, key=cluster.rank_in_roll)
    cluster.claim(first)
    cluster.let(Accept, taker)
    cluster.claim(taker)
    cluster.let(Prepare, third)
    cluster.let(Promise, taker)
    cluster.refuse(taker, third)
    cluster.let(Refusal, taker, third)
    cluster.let(Accepted, first)
    assert len(cluster.outcomes) == 1
    if not cluster.bound[taker] and not cluster.bound[third]:
        cluster.post.clear()
        cluster.see(taker, third, 3)
        cluster.settle()
        cluster.claim(cluster.first(taker, third, 3))
        cluster.settle()
    return cluster


def test_who_has_helped_another_value_along_cannot_refuse() -> None:
    assert len(decides_after_a_latest_accept(Pair).outcomes) == 1


def test_planted_latest_accept_decides_twice() -> None:
    assert len(decides_after_a_latest_accept(planted.LatestAcceptOnly).outcomes) == 2


def decides_after_a_forgotten_refusal(election: type[Pair]) -> Cluster:
    """Two of three refuse, the third is released and decides with others; the two crash."""
    cluster = gathered(5, 3, election)
    first = cluster.first(0, 1, 2)
    others = sorted({0, 1, 2} - {first}, key=cluster.rank_in_roll)
    cluster.refuse(*others)
    cluster.let(Refusal, first)
    assert not cluster.bound[first]
    cluster.post.clear()
    cluster.crash(*others)
    cluster.see(first, 3, 4)
    cluster.settle()
    cluster.claim(cluster.first(first, 3, 4))
    cluster.settle()
    assert len(cluster.outcomes) == 1
    cluster.claim(others[0])
    cluster.settle()
    return cluster


def test_a_refusal_outlives_a_crash() -> None:
    assert len(decides_after_a_forgotten_refusal(Pair).outcomes) == 1


def test_planted_volatile_refusals_decide_twice() -> None:
    assert len(decides_after_a_forgotten_refusal(planted.RefusalVolatile).outcomes) == 2
