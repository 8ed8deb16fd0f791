"""Virtual time runs everything when it is due, and what is due at once in the order of asking."""

from __future__ import annotations

import pytest

from vines.simulation.timeline import Timeline

LINES = 777
"""Of a trace: more than are hashed at once, and than its tail has."""


def test_what_is_due_at_one_moment_runs_in_the_order_of_asking() -> None:
    timeline, ran = Timeline(), list[object]()
    for number in range(50):
        timeline.at(2.0 if number % 3 else 1.0, ran.append, number)
    timeline.run(1.5)
    assert ran == [number for number in range(50) if number % 3 == 0]
    timeline.run(2.0)
    assert ran[17:] == [number for number in range(50) if number % 3]


def test_what_is_asked_for_at_a_moment_runs_behind_all_that_was_due_then() -> None:
    timeline, ran = Timeline(), list[object]()

    def ask() -> None:
        ran.append("first")
        timeline.at(0.0, ran.append, "asked meanwhile, for the past")
        timeline.at(1.0, ran.append, "asked meanwhile")

    timeline.at(1.0, ask)
    for word in ("second", "third"):
        timeline.at(1.0, ran.append, word)
    timeline.run(1.0)
    asked = ["asked meanwhile, for the past", "asked meanwhile"]
    assert ran == ["first", "second", "third", *asked]
    assert timeline.steps == 5
    assert timeline.next() is None


def test_what_was_due_with_one_that_raises_is_still_due() -> None:
    timeline, ran = Timeline(), list[object]()

    def fail() -> None:
        raise ValueError("planted")

    for action, argument in ((ran.append, 1), (fail, None), (ran.append, 2), (ran.append, 3)):
        timeline.at(1.0, action, *([] if argument is None else [argument]))
    timeline.at(4.0, ran.append, 4)
    with pytest.raises(ValueError, match="planted"):
        timeline.run(9.0)
    assert (timeline.now, timeline.next(), ran) == (1.0, 1.0, [1])
    timeline.run(3.0)
    assert (timeline.now, timeline.next(), ran) == (3.0, 4.0, [1, 2, 3])


def test_the_tail_is_the_last_of_what_was_recorded_whenever_it_was_hashed() -> None:
    timeline, other = Timeline(), Timeline()
    for number in range(LINES):
        timeline.record("what", "who", str(number).encode())
        other.record("what", "who", str(number).encode())
        if number % 100 == 0:
            other.trace_hash()
    last = [str(number).encode() for number in range(LINES - len(timeline.tail), LINES)]
    assert 100 < len(last) < LINES
    assert [line.data for line in timeline.tail] == last
    assert timeline.tail == other.tail
    assert timeline.trace_hash() == other.trace_hash()
