"""Timers: due when due, never when cancelled, and no heap of dead ones."""

from __future__ import annotations

from math import inf

from vines.net.timers import Timers


def test_timers_run_in_order_when_due() -> None:
    timers, ran = Timers(), list[str]()
    timers.at(2.0, lambda now: ran.append("second"))
    timers.at(1.0, lambda now: ran.append("first"))
    timers.at(2.0, lambda now: ran.append("third"))
    timers.at(9.0, lambda now: ran.append("never"))
    assert timers.next() == 1.0
    timers.run(0.5)
    assert ran == []
    timers.run(2.0)
    assert ran == ["first", "second", "third"]
    assert timers.next() == 9.0


def test_a_cancelled_timer_never_runs_and_is_nobodys_deadline() -> None:
    timers, ran = Timers(), list[float]()
    first = timers.at(1.0, ran.append)
    first.cancel()
    first.cancel()
    assert timers.next() is None
    second = timers.at(1.0, lambda now: third.cancel())
    third = timers.at(1.0, ran.append)
    timers.run(1.0)
    assert ran == []
    second.cancel()


def test_what_a_timer_schedules_waits_for_the_next_turn() -> None:
    timers, ran = Timers(), list[float]()

    def again(now: float) -> None:
        ran.append(now)
        timers.at(now, again)

    timers.at(1.0, again)
    timers.run(1.0)
    assert ran == [1.0]
    timers.run(1.5)
    assert ran == [1.0, 1.5]


def test_postponing_gives_everybody_more_time() -> None:
    timers, ran = Timers(), list[float]()
    timers.at(1.0, ran.append)
    timers.postpone(10.0)
    timers.run(5.0)
    assert ran == []
    assert timers.next() == 11.0
    timers.run(11.0)
    assert ran == [11.0]


def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers()
    kept = [timers.at(float(number), lambda now: None) for number in range(10)]
    for number in range(10_000):
        timers.at(1000.0 + number, lambda now: None).cancel()
        assert len(timers) < 200
    assert len(kept) == 10
    assert timers.next() == 0.0


def test_nothing_is_due_before_the_first() -> None:
    timers, ran = Timers(), list[float]()
    assert timers.first == inf
    later = timers.at(5.0, ran.append)
    assert timers.first == 5.0
    sooner = timers.at(3.0, ran.append)
    assert timers.first == 3.0
    sooner.cancel()
    assert timers.first <= 5.0
    assert timers.next() == timers.first == 5.0
    timers.postpone(2.0)
    assert timers.first == 7.0
    timers.run(7.0)
    assert (ran, timers.first) == ([7.0], inf)
    later.cancel()
