"""What the matters of a node share, each by itself: what was asked for, when which is looked at,
votes in the table.
"""

from __future__ import annotations

from math import inf
from types import SimpleNamespace
from typing import Any

import pytest

from tests.elections.defined import defined
from vines.protocol.elections import asked as asked_module
from vines.protocol.elections import published as published_module
from vines.protocol.elections.asked import Asked
from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.delivery import Delivery
from vines.protocol.elections.matter import Matter
from vines.protocol.elections.messages import Definition, Vote, VoteAck
from vines.protocol.elections.office import Office
from vines.protocol.elections.published import Published
from vines.protocol.elections.schedule import PASSED_MAX, Schedule
from vines.protocol.elections.voters import Who, voter_of
from vines.protocol.machine import Outbox
from vines.protocol.wire.ballot import pack, unpack

ME, OTHER = bytes(16), b"o" * 16
ELECTION = b"e" * 16
VOTE = Vote(1, 0, b"", True)


# What was asked for.


def test_a_node_takes_part_in_the_highest_round_it_entered() -> None:
    asked = Asked()
    assert asked.round("t") == asked.seen("t") == 0
    for number in (2, 1):
        asked.enter(("t", number))
        asked.see(("t", number + 1))
    assert (asked.round("t"), asked.seen("t")) == (2, 3)
    assert (asked.round("u"), asked.seen("u")) == (0, 0)


def test_the_last_vote_before_a_call_is_taken_once() -> None:
    asked = Asked()
    assert asked.take_vote("t") is None
    assert asked.vote_early("t", 1)
    assert asked.vote_early("t", 2)
    assert asked.take_vote("t") == 2
    assert asked.take_vote("t") is None


def test_votes_before_their_calls_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_module, "EARLY_MAX", 2)
    asked = Asked()
    assert [asked.vote_early(topic, 0) for topic in ("t", "u", "v", "t")] == [
        *(True, True, False, True)
    ]


def test_of_votes_that_come_too_late_the_first_is_no_mistake() -> None:
    asked = Asked()
    assert asked.vote_late(("t", 0))
    assert not asked.vote_late(("t", 0))
    assert asked.vote_late(("t", 1))
    asked.forget(("t", 0))
    assert asked.vote_late(("t", 0))


# When matters are looked at.


def matter(topic: str, deadline: float) -> Matter:
    definition = defined(topic, 0, (), b"", 0, False, (), 2, False, 1000)
    made = Matter(Office(b"test", None, 0), ME, definition, 2, deadline, (topic, 0))  # type: ignore[arg-type]
    made.signup.calling = True  # so that its deadline is all it waits for
    return made


def scheduled(*deadlines: float) -> tuple[Schedule, dict[tuple[str, int], Matter]]:
    made = [matter(f"t{number}", deadline) for number, deadline in enumerate(deadlines)]
    matters = {each.key: each for each in made}
    schedule = Schedule(matters)
    for each in made:
        schedule.put(each)
    return schedule, matters


def test_matters_are_taken_when_they_are_due_and_once() -> None:
    schedule, matters = scheduled(3.0, 1.0, 2.0)
    assert schedule.next() == 1.0
    assert schedule.take(0.5) is None
    assert [schedule.take(2.5), schedule.take(2.5)] == [matters["t1", 0], matters["t2", 0]]
    assert schedule.take(2.5) is None
    assert matters["t1", 0].scheduled == inf
    assert schedule.next() == 3.0


def test_what_was_scheduled_later_before_is_passed_over() -> None:
    schedule, matters = scheduled(9.0)
    one = matters["t0", 0]
    one.call(Call(Criteria((), 2), 2, 1.0), 4.0)
    schedule.put(one)
    assert schedule.take(5.0) is one
    assert schedule.take(9.0) is None


def test_what_was_decided_is_passed_over_and_does_not_pile_up() -> None:
    schedule, matters = scheduled(*[5.0] * (3 * PASSED_MAX))
    for key in list(matters)[10:]:
        del matters[key]
    schedule.put(matters["t0", 0])
    late = matter("late", 6.0)
    matters[late.key] = late
    schedule.put(late)
    assert len(schedule) == 11
    assert len(list(iter(lambda: schedule.take(7.0), None))) == 11


# Votes in the table.


class Control:
    """A table that only takes what is put."""

    def __init__(self) -> None:
        self.put_there: list[tuple[Any, ...]] = []

    def put(self, *record: Any) -> None:
        self.put_there.append(record)


def published() -> tuple[Published, Control]:
    """The author a is that of OTHER, who goes by a name; of the author b nobody knows whose."""
    sighting = SimpleNamespace(profile=SimpleNamespace(name="other"))
    members: Any = SimpleNamespace(writer={b"a": OTHER}.get, get={OTHER: sighting}.get)
    control: Any = Control()
    who = Who(ME, "me", members, None, durable=True)  # type: ignore[arg-type]
    return Published(control, members, who), control


@pytest.mark.parametrize("voter", [OTHER, voter_of("other")])
def test_a_vote_in_the_table_is_its_voters_to_write(voter: bytes) -> None:
    votes, control = published()
    votes.publish(voter, ELECTION, VOTE)
    ((_, about, _, packed, _),) = control.put_there
    assert votes.read(about, packed, b"a") == VOTE
    assert votes.read(about, packed, b"b") == VOTE


@pytest.mark.parametrize(
    ("voter", "election", "said"),
    [(b"x" * 16, ELECTION, VOTE), (OTHER, b"f" * 16, VOTE), (OTHER, ELECTION, VoteAck(1))],
)
def test_what_is_no_vote_of_its_author_is_none(voter: bytes, election: bytes, said: Any) -> None:
    votes, _ = published()
    assert votes.read(ELECTION + voter, pack(election, 0, said), b"a") is None
    assert votes.read(ELECTION + voter, b"no ballot", b"a") is None


def test_votes_of_unknown_elections_are_kept_bounded_and_taken_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(published_module, "STRAYS_MAX", 1)
    monkeypatch.setattr(published_module, "VOTERS_MAX", 2)
    votes, _ = published()
    for voter in (OTHER, ME, b"x" * 16):
        votes.keep(ELECTION + voter, b"packed", b"a")
    votes.keep(b"f" * 16 + OTHER, b"packed", b"a")
    assert list(votes.strays) == [ELECTION]
    votes.forget(ELECTION + ME)
    assert votes.take(ELECTION) == {ELECTION + OTHER: (b"packed", b"a")}
    assert votes.take(ELECTION) == {}


def test_what_was_withdrawn_leaves_nothing() -> None:
    votes, _ = published()
    votes.keep(ELECTION + OTHER, b"packed", b"a")
    votes.forget(ELECTION + OTHER)
    votes.forget(ELECTION + OTHER)
    assert votes.strays == {}


# What is said.


def test_a_definition_is_packed_once_for_all_who_are_told_something_else_too() -> None:
    sent: list[bytes] = []
    delivery = Delivery(Outbox(), lambda _member, packed: sent.append(packed))
    one = defined("email", 0, ((ME, 1), (OTHER, 1)), b"", 0, False, (), 1, False, 1000)
    for member in (ME, OTHER):
        again = Definition(one.topic, one.round, one.terms)  # as each voter is told with its own
        delivery.say(member, ELECTION, again, 0)
        delivery.say(member, ELECTION, VOTE, 0)
    assert sent[0] is sent[2]
    assert sent[1] is sent[3]
    delivery.say(ME, ME, again, 0)
    delivery.say(ME, ME, Definition("email", 0, one.terms.replace(least=2)), 0)
    said = [unpack(each)[0] for each in sent]
    assert said[:4] == [(ELECTION, 0, one), (ELECTION, 0, VOTE)] * 2
    assert said[4] == (ME, 0, one)
    assert said[5][2].terms.least == 2  # type: ignore[union-attr]
