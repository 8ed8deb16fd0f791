"""Each check on histories, on a history that keeps every promise and on one that breaks just it."""

from __future__ import annotations

from typing import Any

import pytest

from vines.events import Conflict, Expired, Outcome, Quorum, Settled
from vines.protocol.elections.criteria import Criteria
from vines.simulation import Violation

from .history import Called, Entry, Finished, Rolled, Started, Told, Voted, check

NAMES = ("a", "b", "c")
ELECTION = b"one election".ljust(16)
CRITERIA = Criteria((), 2)


def outcome(**changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "topic": "t", "round": 0, "election": ELECTION, "kind": "commit", "choice": True,
        "owner": "a", "votes": {"a": True, "b": True},
    }  # fmt: skip
    return Outcome(**fields | changes)


def start(name: str, number: int = 0, *interrupted: Outcome, rate: float = 1.0) -> Started:
    identity = name.encode() * 16
    return Started(f"{name}.{number}", identity, name, rate, number > 0, interrupted)


def beginning(*, seconds: float = 10.0, rate: float = 1.0, named: bool = True) -> list[Entry]:
    """Three voters have called; two have said yes and one no."""
    votes = {"a": True, "b": True, "c": False}
    voters = {name if named else name.encode() * 16: 1 for name in NAMES}
    return [
        *(start(name, rate=rate) for name in NAMES),
        *(Called(f"{name}.0", "t", 0, CRITERIA, 3, seconds, 1.0) for name in NAMES),
        Rolled(ELECTION, "t", 0, voters, named),
        *(Voted(f"{name}.0", "t", 0, word, taken=True) for name, word in votes.items()),
    ]


def told(process: str, event: object, when: float = 2.0) -> Told:
    return Told(process, event, when)


def settled(process: str, **changes: Any) -> Told:
    return told(process, Settled(outcome(**changes)))


GOOD = outcome()
OVER = {"kind": "expired", "choice": None, "owner": None}
ACTED = [settled("a.0"), told("a.0", Quorum(GOOD))]


def test_a_history_that_keeps_all_promises_is_accepted() -> None:
    seen = check(
        [
            *beginning(),
            *ACTED,
            settled("b.0"),
            Finished("a.0", "t", 0),
            start("a", 1),
            settled("a.1"),
        ]
    )
    assert (seen["commit"], seen["acted"]) == (1, 1)


def test_an_owner_that_died_while_it_acted_says_so() -> None:
    assert check([*beginning(), *ACTED, start("a", 1, GOOD)])["interrupted"] == 1


def test_time_is_up_after_the_deadline_of_a_fast_clock() -> None:
    over = outcome(**OVER)
    late = [Told("a.0", Settled(over), 6.5), Told("a.0", Expired(over), 6.5)]
    assert check([*beginning(rate=2.0), *late])["expired"] == 1
    with pytest.raises(Violation, match="nobody's time"):
        check([*beginning(), *late])


@pytest.mark.parametrize(
    ("events", "says"),
    [
        ([settled("a.0"), settled("b.0", votes={"a": True, "c": False})], "another outcome"),
        ([settled("a.0"), settled("a.0")], "told twice"),
        ([told("a.0", Quorum(GOOD))], "unsettled"),
        ([*ACTED, told("a.0", Quorum(GOOD))], "as a.0 did"),
        ([settled("b.0"), told("b.0", Quorum(GOOD))], "not the owner"),
        ([*ACTED, start("a", 1), settled("a.1"), told("a.1", Quorum(GOOD))], "does not know"),
        ([*ACTED, start("a", 1, outcome(owner="b"))], "another's"),
        ([settled("a.0", votes={"a": True, "b": True, "c": True})], "never voted True"),
        ([settled("a.0", votes={"a": True, "b": True, "d": True})], "no voter"),
        ([settled("a.0", votes={"a": True})], "nobody's criteria is this won"),
        ([settled("a.0", choice="red")], "nobody's criteria is this won"),
        ([settled("a.0", kind="abort", choice=None, owner=None)], "criteria is this lost"),
        ([told("a.0", Settled(outcome(**OVER)), 20.0)], "was not told"),
        ([told("a.0", Expired(outcome(**OVER)), 20.0)], "told too early"),
        ([settled("a.0"), told("a.0", Expired(GOOD))], "the end of time"),
        ([told("a.0", Conflict("election", "two outcomes were decided"))], "what cannot be"),
    ],
)
def test_a_broken_promise_is_found(events: list[Entry], says: str) -> None:
    with pytest.raises(Violation, match=says):
        check([*beginning(), *events])


def test_a_vote_that_was_refused_or_cast_later_is_not_counted() -> None:
    history = [entry for entry in beginning() if not isinstance(entry, Voted)]
    history += [Voted("a.0", "t", 0, True, taken=True), Voted("b.0", "t", 0, True, taken=False)]
    with pytest.raises(Violation, match="'b' never voted"):
        check([*history, settled("a.0"), Voted("b.0", "t", 0, True, taken=True)])


def test_named_voters_decide_a_round_once() -> None:
    other = Rolled(b"another", "t", 0, {"a": 1, "d": 1}, named=True)
    second = settled("a.0", election=b"another", kind="commit", votes={"a": True})
    with pytest.raises(Violation, match="two decided rolls"):
        check([*beginning(), other, settled("a.0"), second])
    apart = Rolled(b"another", "t", 0, {"d": 1, "e": 1}, named=True)
    more = [start("d"), start("e"), *(Voted(f"{each}.0", "t", 0, True, True) for each in "de")]
    votes = {"d": True, "e": True}
    second = settled("a.0", election=b"another", owner="d", votes=votes)
    with pytest.raises(Violation, match="is decided twice"):
        check([*beginning(), apart, *more, settled("a.0"), second])


def test_fewer_than_twice_as_many_callers_decide_a_round_once() -> None:
    ids = {name: name.encode() * 16 for name in "abcdef"}
    votes = {ids["a"]: True, ids["b"]: True}
    first = settled("a.0", owner=ids["a"], votes=votes)
    others: dict[Any, int] = {ids[name]: 1 for name in "def"}
    votes = {ids["d"]: True, ids["e"]: True}
    second = settled("a.0", election=b"another", owner=ids["d"], votes=votes)
    rest: list[Entry] = [
        *(start(name) for name in "def"),
        *(Called(f"{name}.0", "t", 0, CRITERIA, 3, 10.0, 1.0) for name in "de"),
        *(Voted(f"{name}.0", "t", 0, True, taken=True) for name in "de"),
        Rolled(b"another", "t", 0, others, named=False),
    ]
    called = Called("f.0", "t", 0, CRITERIA, 3, 10.0, 1.0)
    check([*beginning(named=False), *rest, called, first, second])
    with pytest.raises(Violation, match="2 outcomes among 5"):
        check([*beginning(named=False), *rest, first, second])
