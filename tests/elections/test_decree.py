"""Single steps and directed schedules of one decree: what each rule is for."""

from __future__ import annotations

from collections import deque

import pytest

from tests.elections.planted import StaleAccepted
from tests.elections.worlds import CRITERIA, YES, Free, electorate, wishes
from vines.protocol.elections import value as values
from vines.protocol.elections.ballots import JUMP_MAX, ballot, is_ballot, number_of, rank_of
from vines.protocol.elections.decree import NOTHING, Effects, Record, digest_of
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Decided,
    Message,
    Nack,
    Prepare,
    Promise,
    Refusal,
)
from vines.protocol.elections.phases import HOLDING, IDLE, PREPARING, PROPOSING

V = wishes(0)[0][1]
W = wishes(1)[0][1]


class Member(Effects):
    """One member, what it wants on disk and says, and whom it told."""

    def __init__(self, size: int, rank: int, kind: type[Free] = Free, record: Record = NOTHING):
        self.one = kind(electorate((1,) * size), rank, CRITERIA, record=record)
        self.records: list[Record] = []
        self.said: deque[tuple[int, Message]] = deque()
        self.told: list[tuple[bytes, bool]] = []
        self.wrong: list[str] = []

    def persist(self, record: Record) -> int:
        self.records.append(record)
        return len(self.records)

    def send(self, rank: int, message: Message, after: int) -> None:
        # Others are asked to accept while one's own accept is on its way there.
        rests = len(self.records) - (type(message) is Accept)
        assert rests <= after <= len(self.records), "said before its record is on disk"
        self.said.append((rank, message))

    def decided(self, value: bytes, fire: bool, after: int) -> None:
        assert after == len(self.records), "told before its record is on disk"
        self.told.append((value, fire))

    def violated(self, text: str) -> None:
        self.wrong.append(text)

    def claim(self, wish: bytes = b"", above: int = 0) -> None:
        self.one.wish = wish
        self.one.outbid = max(self.one.outbid, ballot(above, 0))
        self.one.claim(self)

    def take(self) -> list[Message]:
        said = [message for _, message in self.said]
        self.said.clear()
        return said


class Cluster:
    """Members who hear of each other what the test lets them hear."""

    def __init__(self, size: int, kind: type[Free] = Free):
        self.members = [Member(size, rank, kind) for rank in range(size)]

    def deliver(self, sender: int, message: Message, *receivers: int) -> None:
        """One message to these, whose answers wait with them."""
        name = "on_" + type(message).__name__.lower()
        for rank in receivers:
            member = self.members[rank]
            arguments = (message,) if isinstance(message, Decided) else (sender, message)
            getattr(member.one, name)(*arguments, member)

    def ask(self, sender: int, message: Message, *receivers: int) -> list[tuple[int, Message]]:
        """Deliver a message, and take the answers to it."""
        self.deliver(sender, message, *receivers)
        answers = []
        for rank in receivers:
            answers += [(rank, said) for _, said in self.members[rank].said]
            self.members[rank].said.clear()
        return answers

    def settle(self) -> None:
        """Deliver everything, in order, until nobody has more to say."""
        while any(member.said for member in self.members):
            for rank, member in enumerate(self.members):
                while member.said:
                    to, message = member.said.popleft()
                    self.deliver(rank, message, to)


def test_a_ballot_is_a_number_and_a_rank() -> None:
    one = ballot(7, 3)
    assert (number_of(one), rank_of(one)) == (7, 3)
    assert ballot(7, 2) < one < ballot(8, 0)


@pytest.mark.parametrize(
    ("one", "rank", "promised", "usable"),
    [
        (0, 0, 0, True),
        (ballot(0, 1), 1, 0, False),
        (ballot(1, 1), 1, 0, True),
        (ballot(1, 1), 2, 0, False),
        (ballot(JUMP_MAX, 1), 1, 0, True),
        (ballot(JUMP_MAX + 1, 1), 1, 0, False),
        (ballot(JUMP_MAX + 1, 1), 1, ballot(1, 0), True),
        (-1, 2**32 - 1, 0, False),
    ],
)
def test_which_ballots_may_be_used(one: int, rank: int, promised: int, usable: bool) -> None:
    assert is_ballot(one, rank, promised) == usable


def test_the_preferred_claimant_needs_one_round_trip() -> None:
    cluster = Cluster(3)
    claimant = cluster.members[0]
    claimant.claim(V)
    assert [type(each) for each in claimant.take()] == [Accept, Accept]
    ((_, answer),) = cluster.ask(0, Accept(0, V, True), 1)
    cluster.deliver(1, answer, 0)
    assert claimant.one.record == Record(outcome=V, fired=False)
    assert claimant.told == [(V, False)]
    assert claimant.take() == [Decided(V), Decided(V)]


def test_a_single_voter_decides_alone() -> None:
    cluster = Cluster(1)
    cluster.members[0].claim(V)
    assert cluster.members[0].told == [(V, False)]


def test_another_rank_asks_for_promises_first() -> None:
    cluster = Cluster(3)
    claimant = cluster.members[1]
    claimant.claim()
    (prepare, _) = claimant.take()
    assert prepare == Prepare(ballot(1, 1))
    ((_, promise),) = cluster.ask(1, prepare, 2)
    cluster.deliver(2, promise, 1)
    assert claimant.one.phase == HOLDING
    claimant.one.wish = W
    claimant.one.proceed(claimant)
    assert claimant.one.phase == PROPOSING
    assert {type(each) for each in claimant.take()} == {Accept}


def test_what_was_accepted_is_taken_over_unchanged() -> None:
    cluster = Cluster(3)
    cluster.members[0].claim(V)
    cluster.ask(0, Accept(0, V, True), 2)
    cluster.members[1].claim(W)
    ((_, promise),) = cluster.ask(1, Prepare(ballot(1, 1)), 2)
    cluster.members[1].take()
    cluster.deliver(2, promise, 1)
    assert set(cluster.members[1].take()) == {Accept(ballot(1, 1), V, False)}


def test_the_accepted_value_of_the_highest_ballot_is_taken_over() -> None:
    member = Member(5, 2)
    member.claim()
    number = member.one.ballot
    for rank, accepted, value in ((0, 0, V), (1, ballot(0, 1) + 1, W)):
        member.one.on_promise(rank, Promise(number, accepted, value), member)
    assert member.one.best_value == W
    assert member.one.phase == PROPOSING
    assert member.one.record.value == W


def test_a_promise_keeps_from_accepting_below_it() -> None:
    cluster = Cluster(3)
    cluster.ask(1, Prepare(ballot(1, 1)), 2)
    assert cluster.ask(0, Accept(0, V, True), 2) == [(2, Nack(0, ballot(1, 1)))]
    assert cluster.ask(0, Prepare(ballot(1, 0)), 2) == [(2, Nack(ballot(1, 0), ballot(1, 1)))]


def test_who_is_outbid_goes_above() -> None:
    member = Member(3, 0)
    member.claim(V)
    member.one.on_nack(1, Nack(0, ballot(4, 1)), member)
    assert member.one.phase == IDLE
    member.claim(V)
    assert number_of(member.one.ballot) == 5


def test_an_answer_counts_once_and_only_if_it_was_asked_for() -> None:
    member = Member(5, 0)
    member.claim(V)
    accepted = Accepted(0, digest_of(V))
    for _ in range(5):
        member.one.on_accepted(1, accepted, member)
    member.one.on_accepted(2, Accepted(0, digest_of(W)), member)
    member.one.on_accepted(3, Accepted(ballot(1, 0), digest_of(V)), member)
    assert not member.one.closed
    member.one.on_accepted(2, accepted, member)
    assert member.one.closed
    before = member.one.record
    member.one.on_accepted(4, accepted, member)
    assert member.one.record == before


def test_what_a_claimant_answers_itself_counts_once() -> None:
    """Nobody has a link to itself; should its own words come back, they are known."""
    member = Member(3, 0)
    member.claim(V)
    member.one.on_accepted(0, Accepted(0, digest_of(V)), member)
    assert not member.one.closed
    member = Member(3, 1)
    member.claim()
    member.one.on_promise(1, Promise(member.one.ballot), member)
    assert member.one.phase == PREPARING


def test_unasked_promises_mean_nothing() -> None:
    member = Member(3, 0)
    member.one.on_promise(1, Promise(ballot(1, 0), 0, W), member)
    assert member.one.phase == IDLE
    assert member.records == []


@pytest.mark.parametrize("one", [ballot(0, 1), ballot(1, 2), ballot(JUMP_MAX + 1, 1), 2**62])
def test_a_ballot_nobody_may_use_is_passed_over(one: int) -> None:
    cluster = Cluster(3)
    assert cluster.ask(1, Prepare(one), 2) == []
    assert cluster.ask(1, Accept(one, V, True), 2) == []
    assert cluster.members[2].records == []


def test_closed_is_closed() -> None:
    cluster = Cluster(3)
    cluster.deliver(0, Decided(V), 2)
    for said in (Prepare(ballot(1, 1)), Accept(ballot(1, 1), W, True)):
        assert cluster.ask(1, said, 2) == [(2, Decided(V))]
    cluster.deliver(0, Decided(V), 2)
    assert cluster.members[2].told == [(V, False)]


def test_two_outcomes_stop_the_member_that_sees_them() -> None:
    cluster = Cluster(3)
    cluster.deliver(0, Decided(V), 2)
    cluster.deliver(0, Decided(W), 2)
    assert cluster.members[2].wrong == ["two outcomes were decided"]
    assert cluster.ask(1, Prepare(ballot(1, 1)), 2) == []
    assert cluster.members[2].told == [(V, False)]


def test_who_acts_is_told_so_once_even_if_it_listens_late_or_restarts() -> None:
    early, late = Member(3, 0), Member(3, 0)
    early.one.listen(early)
    early.one.on_decided(Decided(V), early)
    assert early.told == [(V, True)]
    late.one.on_decided(Decided(V), late)
    assert late.told == [(V, False)]
    late.one.listen(late)
    late.one.listen(late)
    assert late.told == [(V, False), (V, True)]
    for before in (early, late):
        reborn = Member(3, 0, record=before.records[-1])
        reborn.one.listen(reborn)
        assert reborn.told == []


def test_a_refusal_is_for_ever_and_too_late_after_a_foreign_accept() -> None:
    cluster = Cluster(3)
    refused, bound = cluster.members[1], cluster.members[2]
    assert refused.one.refuse(refused)
    refused.take()
    for said in (Prepare(ballot(1, 0)), Accept(0, V, True)):
        assert cluster.ask(0, said, 1) == [(1, Refusal())]
    refused.claim(W)
    assert refused.take() == []
    cluster.ask(0, Accept(0, V, True), 2)
    assert not bound.one.refuse(bound)


def test_accepting_at_ones_own_ballots_does_not_bind() -> None:
    member = Member(3, 0)
    member.claim(V)
    assert member.one.refuse(member)
    member.one.on_accepted(1, Accepted(0, digest_of(V)), member)
    assert not member.one.closed


def test_refusals_of_half_make_it_hopeless() -> None:
    member = Member(4, 0)
    assert not member.one.hopeless
    member.one.on_refusal(1, Refusal(), member)
    assert not member.one.hopeless
    member.one.on_refusal(2, Refusal(), member)
    assert member.one.hopeless


def stale_answers(kind: type[Free]) -> Cluster:
    """Seven voters, three claimants: rank 0 counts answers of its first attempt in its second."""
    cluster = Cluster(7, kind)
    first, second, third = cluster.members[:3]
    first.claim(V)
    first.take()
    late = cluster.ask(0, Accept(0, V, True), 3, 4)
    # Rank 1 finds nobody who has accepted, and two who accept its value have accepted the other.
    second.claim(W)
    second.take()
    for rank, promise in cluster.ask(1, Prepare(ballot(1, 1)), 2, 5, 6):
        cluster.deliver(rank, promise, 1)
    accept = second.take()[0]
    assert accept == Accept(ballot(1, 1), W, True)
    cluster.ask(1, accept, 3, 4)
    # Rank 0 tries again, with its own value; one accepts, and the late answers come.
    first.claim(above=1)
    first.take()
    for rank, promise in cluster.ask(0, Prepare(ballot(2, 0)), 2, 5, 6):
        cluster.deliver(rank, promise, 0)
    again = first.take()[0]
    assert again == Accept(ballot(2, 0), V, False)
    for rank, accepted in [*late, *cluster.ask(0, again, 5)]:
        cluster.deliver(rank, accepted, 0)
    # Rank 2 asks those who know the other value.
    third.claim(above=2)
    third.take()
    for rank, promise in cluster.ask(2, Prepare(ballot(3, 2)), 3, 4, 6):
        cluster.deliver(rank, promise, 2)
    takeover = third.take()[0]
    assert takeover == Accept(ballot(3, 2), W, False)
    for rank, accepted in cluster.ask(2, takeover, 3, 4, 6):
        cluster.deliver(rank, accepted, 2)
    return cluster


def test_answers_to_an_older_attempt_do_not_count() -> None:
    outcomes = {each.one.record.outcome for each in stale_answers(Free).members} - {b""}
    assert outcomes == {W}


def test_planted_stale_answers_decide_twice() -> None:
    outcomes = {each.one.record.outcome for each in stale_answers(StaleAccepted).members} - {b""}
    assert outcomes == {V, W}


def test_values_of_these_tests_are_values() -> None:
    assert values.decode(V).kind == values.COMMIT
    assert values.decode(V).choice == YES
