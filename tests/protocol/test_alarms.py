"""When accusations in vain are worth a word, and how little is kept of them."""

from __future__ import annotations

import pytest

from vines.protocol.members.alarms import (
    ACCUSERS_MAX,
    ALARM_SECONDS,
    SUBJECTS_MAX,
    SUBJECTS_MIN,
    Alarms,
)

from .pump import label


@pytest.mark.parametrize(
    ("others", "needed"), [(2, SUBJECTS_MIN), (5, 3), (6, 4), (20, 11), (1000, SUBJECTS_MAX)]
)
def test_most_others_or_very_many_are_an_alarm(others: int, needed: int) -> None:
    alarms = Alarms()
    counts = [alarms.count(label(1), label(2 + each), others, 1.0) for each in range(needed)]
    assert counts == [0] * (needed - 1) + [needed]


def test_one_that_is_accused_again_and_again_is_one() -> None:
    alarms = Alarms()
    assert not any(alarms.count(label(1), label(2 + each % 2), 3, 1.0) for each in range(100))


def test_what_was_long_ago_does_not_count() -> None:
    alarms = Alarms()
    for each in range(100):
        assert not alarms.count(label(1), label(each), 3, each * ALARM_SECONDS / 2)


def test_after_an_alarm_there_is_silence_for_a_while() -> None:
    alarms = Alarms()
    for each in range(SUBJECTS_MIN):
        found = alarms.count(label(1), label(2 + each), 3, 1.0)
    assert found
    for each in range(20):
        assert not alarms.count(label(1), label(each), 3, 0.9 + ALARM_SECONDS)
    found = [alarms.count(label(1), label(each), 3, 1.0 + ALARM_SECONDS) for each in range(3)]
    assert found == [0, 0, 3]


def test_of_many_accusers_few_are_remembered() -> None:
    alarms = Alarms()
    for accuser in range(10 * ACCUSERS_MAX):
        for subject in range(3):
            alarms.count(accuser.to_bytes(16, "big"), label(subject), 3, 1.0)
        alarms.count((accuser + 100_000).to_bytes(16, "big"), label(1), 3, 1.0)
    assert len(alarms._accused) <= ACCUSERS_MAX
    assert len(alarms._quiet) <= ACCUSERS_MAX
