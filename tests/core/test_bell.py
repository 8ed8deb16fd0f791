"""Bell: who sleeps is woken, who is about to sleep does not, and one ring is one waking."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from vines._core.bell import Bell

PATIENCE = 10.0

Way = Callable[[Bell], None]


@pytest.fixture(params=[Bell.ring, Bell.call], ids=["ring", "call"])
def way(request: pytest.FixtureRequest) -> Way:
    """Both ways to wake somebody."""
    found: Way = request.param
    return found


def test_nobody_rings_and_the_time_passes() -> None:
    bell = Bell()
    assert bell.sleep(0.0) is False
    began = time.monotonic()
    assert bell.sleep(0.02) is False
    assert time.monotonic() - began >= 0.02


def test_who_rang_before_is_heard_once(way: Way) -> None:
    bell = Bell()
    for _ in range(3):
        way(bell)
    assert bell.sleep() is True
    assert bell.sleep(0.0) is False
    way(bell)
    assert bell.sleep(0.0) is True


def test_who_sleeps_is_woken_as_often_as_that_happens(way: Way) -> None:
    bell, heard, woken = Bell(), threading.Event(), list[bool]()

    def run() -> None:
        while len(woken) < 100 and bell.sleep(PATIENCE):
            woken.append(True)
            heard.set()

    sleeper = threading.Thread(target=run)
    sleeper.start()
    for _ in range(100):
        way(bell)
        assert heard.wait(PATIENCE)
        heard.clear()
    sleeper.join(PATIENCE)
    assert woken == [True] * 100


def test_many_ring_and_none_is_lost() -> None:
    # What is handed over before a ring is seen by the sleeper after it: nothing waits for ever.
    bell, handed, taken, count = Bell(), list[int](), list[int](), 2_000

    def hand_over(way: Way) -> None:
        for number in range(count):
            handed.append(number)
            way(bell)

    threads = [
        threading.Thread(target=hand_over, args=(way,)) for way in (Bell.ring, Bell.call, Bell.call)
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + PATIENCE
    while len(taken) < 3 * count and time.monotonic() < until:
        assert bell.sleep(PATIENCE), "somebody rang, and nobody woke"
        while handed:
            taken.append(handed.pop())
    for thread in threads:
        thread.join(PATIENCE)
    assert len(taken) == 3 * count


def test_a_bell_goes_rung_or_not() -> None:
    for rung in (False, True):
        bell = Bell()
        if rung:
            bell.ring()
        del bell


def test_times_out_of_bounds_are_bounded() -> None:
    bell = Bell()
    bell.ring()
    assert bell.sleep(float("inf"))
    bell.ring()
    assert bell.sleep(-float("inf"))
    with pytest.raises(ValueError, match="no number"):
        bell.sleep(float("nan"))


def test_who_leads_goes_on_once_the_sleeper_runs() -> None:
    bell, ran, led = Bell(), list[int](), list[bool]()

    def run() -> None:
        for number in range(100):
            assert bell.sleep(PATIENCE)
            ran.append(number)

    sleeper = threading.Thread(target=run)
    sleeper.start()
    for number in range(100):
        led.append(bell.lead(PATIENCE))
        while len(ran) <= number:
            time.sleep(0)
    sleeper.join(PATIENCE)
    assert ran == list(range(100)) and led == [True] * 100


def test_who_leads_nobody_waits_no_longer_than_that() -> None:
    bell = Bell()
    began = time.monotonic()
    assert bell.lead(0.02) is False
    assert 0.02 <= time.monotonic() - began < PATIENCE
    assert bell.lead(PATIENCE) is False  # rung already: no reason to wait
    assert bell.sleep(0.0) is True and bell.sleep(0.0) is False
    assert bell.lead(0.0) is False  # that somebody slept meanwhile is not taken for an answer
    assert bell.sleep(0.0) is True
    with pytest.raises(ValueError, match="no number"):
        bell.lead(float("nan"))


def test_many_lead_and_none_is_lost() -> None:
    bell, count, done = Bell(), 500, list[int]()

    def lead() -> None:
        for _ in range(count):
            bell.lead(0.0001)
        done.append(1)

    leaders = [threading.Thread(target=lead) for _ in range(3)]
    for leader in leaders:
        leader.start()
    until = time.monotonic() + PATIENCE
    while len(done) < 3 and time.monotonic() < until:
        bell.sleep(0.01)
    for leader in leaders:
        leader.join(PATIENCE)
    assert len(done) == 3
    bell.lead(0.0)
    assert bell.sleep(0.0) is True
