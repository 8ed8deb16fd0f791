"""Elections as a user meets them: real vines, real sockets."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.vine.helpers import PATIENCE, Calls
from vines import Closed, InvalidElection, Outcome, StorageError, TimedOut, Vine, VoteRefused

Make = Callable[..., list[Vine]]


@pytest.fixture
def vines() -> Iterator[Make]:
    made: list[Vine] = []

    def make(count: int) -> list[Vine]:
        made.extend(Vine().listen() for _ in range(count))
        for one in made[1:]:
            one.join(made[0].address)
        for one in made:
            one.wait_for(count, PATIENCE)
        return made

    yield make
    for one in made:
        one.end()


def elect(one: Vine, topic: str = "email", **more: Any) -> Vine:
    return one.election({"topic": topic, "expire": 60, "min": 2, "total": 2, **more})


def test_exactly_one_is_told_to_act_and_all_that_it_is_over(vines: Make) -> None:
    both = vines(2)
    quorum, closed = [Calls(), Calls()], [Calls(), Calls()]
    for one, act, over in zip(both, quorum, closed, strict=True):
        one.on("quorum", act).on("closed", over)
        elect(one).vote("email", True)
    outcomes = [over.wait(1)[0] for over in closed]
    assert outcomes[0] == outcomes[1]
    owner = [one.id for one in both].index(outcomes[0].owner)
    assert quorum[owner].wait(1) == [outcomes[0]]
    assert both[0].wait("email", PATIENCE) == both[1].outcome("email") == outcomes[0]
    assert both[1].elections() == [outcomes[0]]
    assert (outcomes[0].kind, outcomes[0].choice) == ("commit", True)
    assert outcomes[0].votes == {one.id: True for one in both}
    assert [len(calls.seen) for calls in closed] == [1, 1]
    assert sum(len(calls.seen) for calls in quorum) == 1


def test_called_in_the_same_instant_exactly_one_acts_each_time(vines: Make) -> None:
    both = vines(2)
    quorum = Calls()
    for one in both:
        one.on("quorum", quorum)
    topics = [f"run/{number}" for number in range(100)]
    barrier = threading.Barrier(2)

    def run(one: Vine) -> None:
        for topic in topics:
            barrier.wait(PATIENCE)
            elect(one, topic).vote(topic, True)

    threads = [threading.Thread(target=run, args=(one,)) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    for topic in topics:
        assert both[0].wait(topic, PATIENCE) == both[1].wait(topic, PATIENCE)
    quorum.wait(len(topics))
    assert sorted(outcome.topic for outcome in quorum.seen) == sorted(topics)


def test_who_listens_late_is_told(vines: Make) -> None:
    both = vines(2)
    for one in both:
        elect(one).vote("email", True)
    outcome = both[0].wait("email", PATIENCE)
    acts, over = [Calls(), Calls()], Calls()
    for one, act in zip(both, acts, strict=True):
        one.on("quorum", act)
    owner = [one.id for one in both].index(outcome.owner)
    assert acts[owner].wait(1) == [outcome]
    both[0].on("closed", over)
    assert over.wait(1) == [outcome]
    assert acts[1 - owner].seen == []


def test_who_listens_no_more_leaves_the_outcome_to_the_next_listener(vines: Make) -> None:
    (one,) = vines(1)
    before, after = Calls(), Calls()
    one.on("quorum", before).off("quorum", before)
    one.election(topic="t", expire=60, total=1).vote("t", True)
    outcome = one.wait("t", PATIENCE)
    one.on("quorum", after)
    assert after.wait(1) == [outcome]
    one.on("quorum", before).off("quorum", after)
    one.election(topic="u", expire=60, total=1).vote("u", True)
    assert before.wait(1) == [one.wait("u", PATIENCE)]
    assert len(after.seen) == 1


def test_a_refused_vote_ends_it_with_no_one_to_act(vines: Make) -> None:
    both = vines(2)
    for one, choice in zip(both, (True, False), strict=True):
        elect(one).vote("email", choice)
    outcome = both[0].wait("email", PATIENCE)
    assert (outcome.kind, outcome.choice, outcome.owner) == ("abort", None, None)
    # The vote against ends it, whether or not the other one was there by then.
    assert {False} <= set(outcome.votes.values()) <= {False, True}


def test_choices_are_voted_for_by_name(vines: Make) -> None:
    three = vines(3)
    for one, choice in zip(three, ("red", "green", "green"), strict=True):
        one.election(topic="colour", expire=60, total=3, choices=["red", "green"])
        with pytest.raises(InvalidElection, match="cannot be voted for"):
            one.vote("colour", "blue")
        one.vote("colour", choice)
    assert {one.wait("colour", PATIENCE).choice for one in three} == {"green"}


def test_calls_and_first_votes_do_not_wait_for_the_loop(vines: Make) -> None:
    """A loop that is busy holds up nobody who cannot be refused, and keeps the order."""
    both = vines(2)
    busy, go_on = threading.Event(), threading.Event()

    def occupy(_now: float) -> None:
        busy.set()
        go_on.wait(PATIENCE)

    both[0]._engine.loop.call(occupy)
    busy.wait(PATIENCE)
    try:
        for number in range(100):
            elect(both[0], f"t/{number}").vote(f"t/{number}", True)
    finally:
        go_on.set()
    for number in range(100):
        elect(both[1], f"t/{number}").vote(f"t/{number}", True)
    for number in range(100):
        assert both[0].wait(f"t/{number}", PATIENCE).kind == "commit"


def test_a_vote_that_may_be_refused_is_asked(vines: Make) -> None:
    (one,) = vines(1)
    asked: list[str] = []
    electing = one._engine.electing
    ask = electing._ask

    def note(topic: str, choice: bool | str | None) -> bool:
        asked.append(topic)
        return ask(topic, choice)

    electing._ask = note  # type: ignore[method-assign]
    one.vote("early", True)
    elect(one, "changed").vote("changed", True).vote("changed", False)
    elect(one, "early").vote("early", False)
    elect(one, "short", expire=0.9).vote("short", True)
    elect(one, "again").vote("again", True)
    elect(one, "again").vote("again", False)
    for choice in ("green", True):
        with pytest.raises(InvalidElection, match="cannot be voted for"):
            elect(one, f"of/{choice}", choices=["red", "blue"]).vote(f"of/{choice}", choice)
    elect(one, "named", choices=["red", "blue"]).vote("named", "blue")
    elect(one, "none", choices=["red", "blue"]).vote("none", None)
    assert asked == ["early", "changed", "early", "short", "again", "of/green", "of/True"]


def test_after_the_end_calls_and_votes_raise(vines: Make) -> None:
    (one,) = vines(1)
    elect(one)
    one.end()
    with pytest.raises(Closed):
        elect(one, "other")
    with pytest.raises(Closed):
        one.vote("email", True)


def test_time_runs_out_for_all_who_took_part(vines: Make) -> None:
    both = vines(2)
    expired = [Calls(), Calls()]
    for one, calls in zip(both, expired, strict=True):
        one.on("expire", calls)
        elect(one, expire=0.5)
    assert {calls.wait(1)[0].kind for calls in expired} == {"expired"}
    both[0].vote("email", True)
    with pytest.raises(VoteRefused):
        both[0].vote("email", False)
    assert {one.wait("email", PATIENCE).votes == {} for one in both} == {True}


def test_who_votes_after_the_others_have_decided_is_not_told_off(vines: Make) -> None:
    three = vines(3)
    for one in three:
        one.election(topic="t", expire=60, total=3)
    for one in three[:2]:
        one.vote("t", True)
    outcome = three[2].wait("t", PATIENCE)
    assert three[2].vote("t", False).outcome("t") == outcome
    with pytest.raises(VoteRefused):
        three[2].vote("t", True)


def test_who_is_alone_gets_a_timeout(vines: Make) -> None:
    (one,) = vines(1)
    calls = Calls()
    one.on("timeout", calls)
    elect(one, expire=0.1)
    assert calls.wait(1)[0].topic == "email"
    assert one.outcome("email") is None
    with pytest.raises(TimedOut):
        one.wait("email", 0)


def test_a_vote_past_the_deadline_is_refused_and_not_kept_for_a_later_call(vines: Make) -> None:
    both = vines(2)
    late = Calls()
    both[0].on("timeout", late)
    elect(both[0], expire=0.1)
    late.wait(1)
    with pytest.raises(VoteRefused, match="too late"):
        both[0].vote("email", True)
    for one in both:
        elect(one)
    both[1].vote("email", False)
    outcome = both[1].wait("email", PATIENCE)
    assert outcome.votes == {both[1].id: False}


def test_callers_among_different_numbers_are_told_of_each_other(vines: Make) -> None:
    both = vines(2)
    told = [Calls(), Calls()]
    for one, calls, total in zip(both, told, (2, 3), strict=True):
        one.on("conflict", calls)
        elect(one, total=total).vote("email", True)
    for one, other, calls in zip(both, reversed(both), told, strict=True):
        text = calls.wait(1)[0].text
        assert text.startswith("'email': called among ")
        assert text.endswith(f"here, among another number by {other.id.hex()[:8]}")
        assert one.outcome("email") is None


def test_calling_again_what_is_decided_changes_nothing(vines: Make) -> None:
    both = vines(2)
    quorum = Calls()
    for one in both:
        one.on("quorum", quorum)
        elect(one).vote("email", True)
    outcome = both[0].wait("email", PATIENCE)
    both[1].wait("email", PATIENCE)
    for one in both:
        elect(one)
        with pytest.raises(VoteRefused):
            one.vote("email", True)
    assert both[0].outcome("email") == outcome
    assert len(quorum.wait(1)) == 1


@pytest.mark.parametrize(
    "expire",
    [
        60,
        60.5,
        timedelta(minutes=1),
        datetime.now(UTC) + timedelta(hours=1),
        (datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    ],
    ids=lambda expire: type(expire).__name__,
)
def test_when_it_expires_may_be_said_in_several_ways(vines: Make, expire: Any) -> None:
    (one,) = vines(1)
    one.election(topic="t", expire=expire, total=1).vote("t", True)
    assert one.wait("t", PATIENCE).kind == "commit"


GOOD = {"topic": "t", "expire": 60, "total": 3, "min": 2}


@pytest.mark.parametrize(
    "wrong",
    [
        {"topic": ""},
        {"topic": None},
        {"topic": "a\x00b"},
        {"topic": "a\nb"},
        {"topic": "t" * 257},
        {"topic": "t" * 65_536},
        {"total": 0},
        {"total": -1},
        {"total": 2.0},
        {"total": True},
        {"total": None},
        {"total": 10_001},
        {"min": 0},
        {"min": 4},
        {"min": 1.5},
        {"expire": None},
        {"expire": 0},
        {"expire": -1},
        {"expire": float("nan")},
        {"expire": timedelta(days=365_000)},
        {"expire": "tomorrow"},
        {"expire": "2020-01-01T00:00:00Z"},
        {"expire": datetime(2100, 1, 1)},
        {"choices": "ab"},
        {"choices": ["a"]},
        {"choices": ["a", "a"]},
        {"choices": ["a", ""]},
        {"choices": ["a", 1]},
        {"choices": [["a"], ["b"]]},
        {"council": 1.0},
        {"choices": [str(number) for number in range(254)]},
        {"plurality": 1},
        {"voters": ["a"]},
    ],
    ids=lambda wrong: f"{wrong}"[:30] + str(len(f"{wrong}")),
)
def test_what_makes_no_sense_is_refused_before_anything_changes(
    vines: Make, wrong: dict[str, Any]
) -> None:
    (one,) = vines(1)
    with pytest.raises(InvalidElection):
        one.election(GOOD | wrong)
    assert one._engine.node.elections()._matters == {}


def test_what_is_refused_is_named_in_a_user_s_words(vines: Make) -> None:
    (one,) = vines(1)
    sayings: list[tuple[dict[Any, Any], str]] = [
        (
            {1: 2, "totals": 3},
            "an election has no option 'totals', 1: it has choices, council, expire, min,"
            " plurality, tiebreak, topic, total, voters; nothing changed",
        ),
        ({"min": 4}, "min is a whole number from 1 to 3; nothing changed"),
        ({"expire": -1}, "expire is a time from now on, within ten years; nothing changed"),
        ({"plurality": None}, "plurality is True or False; nothing changed"),
        ({"voters": []}, "voters are one or more, none named twice; nothing changed"),
        ({"voters": [["a"]]}, "['a'] is neither a name nor an id; nothing changed"),
        ({"choices": [["a"], 1]}, "choices are a list of texts; nothing changed"),
        ({"expire": "x" * 999}, f"'{'x' * 76}... is no time in ISO form; nothing changed"),
    ]
    for wrong, words in sayings:
        with pytest.raises(InvalidElection, match=f"^{re.escape(words)}$"):
            one.election(GOOD | wrong)
    for options in ("t", 5, ["t"]):
        with pytest.raises(InvalidElection, match=r"^election\(topic=\.\.\., \.\.\.\) takes key"):
            one.election(options)  # type: ignore[arg-type]
    one.election(topic="colour", expire=60, total=2, choices=["red", "green"])
    one.election(GOOD)
    words = "'blue' cannot be voted for on 'colour': the choices are red, green; nothing changed"
    with pytest.raises(InvalidElection, match=f"^{words}$"):
        one.vote("colour", "blue")
    words = "'yes' cannot be voted for on 't': the choices are True, False; nothing changed"
    with pytest.raises(InvalidElection, match=f"^{words}$"):
        one.vote("t", "yes")


def test_who_observes_is_none_of_a_total_and_may_call_among_names(vines: Make) -> None:
    (one,) = vines(1)
    with Vine(cluster=one._engine.config.cluster, observer=True) as watcher:
        watcher.listen(0, "127.0.0.1").join(one.address)
        words = "an observer is none of those who call among a total; nothing changed"
        with pytest.raises(InvalidElection, match=words):
            watcher.election(topic="alone", total=1, expire=60)
        watcher.election(topic="named", voters=[one.id], expire=60)
        one.election(topic="named", voters=[one.id], expire=60).vote("named", True)
        assert watcher.wait("named", 10).owner == one.id


def test_a_wait_may_be_as_long_as_one_likes(vines: Make) -> None:
    (one,) = vines(1)
    elect(one, total=1, min=1).vote("email", True)
    for timeout in (float("inf"), 10**400):
        assert one.wait("email", timeout).kind == "commit"


@pytest.mark.parametrize("abandon", ["no", 1, None])
def test_whether_to_abandon_is_said_in_so_many_words(vines: Make, abandon: Any) -> None:
    (one,) = vines(1)
    elect(one, total=1, min=1)
    with pytest.raises(InvalidElection, match=r"^abandon is True or False; nothing changed$"):
        one.rerun("email", abandon)


@pytest.mark.parametrize("choice", [1, 1.5, b"yes", ["a"], object()], ids=str)
def test_what_is_nothing_to_vote_for_is_refused(vines: Make, choice: Any) -> None:
    (one,) = vines(1)
    with pytest.raises(InvalidElection):
        one.vote("t", choice)


def test_an_outcome_is_equal_and_hashable_everywhere(vines: Make) -> None:
    both = vines(2)
    for one in both:
        elect(one).vote("email", True)
    outcomes: set[Outcome] = {one.wait("email", PATIENCE) for one in both}
    assert len(outcomes) == 1


def test_two_vines_of_one_id_take_part_in_nothing_once_they_have_met() -> None:
    with (
        Vine().listen() as one,
        Vine(node_id=b"i" * 16) as first,
        Vine(node_id=b"i" * 16) as second,
    ):
        twins = {first: Calls(), second: Calls()}
        for twin, conflicts in twins.items():
            twin.on("conflict", conflicts).listen().join(one.address)
        for twin, conflicts in twins.items():
            told = conflicts.until(lambda seen: {"identity", "storage"} <= {e.kind for e in seen})
            assert "the same id" in next(event.text for event in told if event.kind == "storage")
            with pytest.raises(StorageError, match="the same id"):
                elect(twin)
            with pytest.raises(StorageError, match="the same id"):
                twin.vote("email", True)
            assert twin.elections() == []
