"""What the options of an election are understood as."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vines import InvalidElection, calls
from vines.calls import call_of

GOOD: dict[str, Any] = {"expire": 60, "total": 1, "min": 1, "choices": ("a", "b")}


def test_equal_calls_are_one_object() -> None:
    call = call_of(GOOD)
    assert call_of({**GOOD, "expire": 60.0, "choices": ["a", "b"], "council": 0}) is call
    assert call_of({**GOOD, "expire": timedelta(minutes=1)}) is call
    assert type(call.seconds) is float


@pytest.mark.parametrize(
    "wrong",
    [
        {"total": True},
        {"total": 1.0},
        {"min": True},
        {"min": 1.0},
        {"expire": True},
        {"plurality": 0},
        {"plurality": 0.0},
        {"tiebreak": 0},
        {"council": True},
        {"choices": ("a", 1)},
        {"choices": ["a", ["b"]]},
        {"choices": {"a": 1, "b": 2}},
    ],
    ids=str,
)
def test_what_is_equal_to_something_understood_is_checked_all_the_same(wrong: Any) -> None:
    for _ in range(2):
        call_of({**GOOD, "plurality": False, "tiebreak": False, "council": 1})
        with pytest.raises(InvalidElection):
            call_of({**GOOD, **wrong})


def test_no_council_is_none_however_it_is_said() -> None:
    for nothing in (0, False, 0.0):
        assert type(call_of({**GOOD, "council": nothing}).council) is int


def test_what_was_given_may_change_afterwards() -> None:
    options = {**GOOD, "choices": ["a", "b"]}
    before = call_of(options)
    options["choices"].append("c")
    assert call_of(options).criteria.choices == ("a", "b", "c")
    voters = {"one": 1, "other": 2}
    named = call_of({"expire": 60, "voters": voters})
    voters["one"] = 3
    assert call_of({"expire": 60, "voters": voters}).roll != named.roll
    assert before.criteria.choices == ("a", "b")


@pytest.mark.parametrize("form", [lambda end: end, datetime.isoformat], ids=["datetime", "text"])
def test_a_time_is_as_far_away_as_it_is_now(monkeypatch: Any, form: Any) -> None:
    now = datetime(2030, 1, 1, tzinfo=UTC)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return now

    monkeypatch.setattr(calls, "datetime", Clock)
    options = {**GOOD, "expire": form(Clock(2030, 1, 1, 0, 1, tzinfo=UTC))}
    assert call_of(options).seconds == 60
    now += timedelta(seconds=20)
    assert call_of(options).seconds == 40
    now += timedelta(seconds=40)
    with pytest.raises(InvalidElection, match="from now on"):
        call_of(options)


def test_what_was_asked_last_is_known_again_by_names_values_and_types_in_order() -> None:
    call = call_of({"total": 3, "expire": 60})
    assert call_of({"total": 3, "expire": 60}) is call
    assert call_of({"expire": 60, "total": 3}) is call
    assert call_of({"total": 3, "expire": 60.0}) is call
    for wrong in ({"total": 3.0, "expire": 60}, {"expire": 60, "total": 3.0}, {}):
        with pytest.raises(InvalidElection):
            call_of(wrong)
    assert call_of({"total": 3, "expire": 61}).seconds == 61.0
    assert call_of({"total": 3, "expire": 60}) is call
