"""Agendas against a list that is searched, and against objects that do something as they go."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import sys
import weakref
from collections.abc import Callable, Iterator
from math import inf, nan
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vines._core.agenda import Agenda

from . import model_agenda as model

times = st.one_of(
    st.integers(0, 5).map(float),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 5e-324, sys.float_info.max, -sys.float_info.max]),
)
moments = times | st.sampled_from([inf, -inf, nan])
steps = st.one_of(
    st.tuples(st.just("put"), times),
    st.tuples(st.just("put"), times),
    st.tuples(st.just("take"), moments),
    st.tuples(st.just("keep"), st.lists(times, max_size=25)),
    st.tuples(st.just("keep earlier than"), times),
)


def drain(agenda: Agenda) -> list[Any]:
    entries = []
    while entry := agenda.take(inf):
        entries.append(entry)
    assert len(agenda) == 0
    assert agenda.next() == inf
    return entries


def filled(count: int, seed: int = 0) -> tuple[Agenda, list[tuple[float, object]]]:
    choose = random.Random(seed)
    entries: list[tuple[float, object]] = [(choose.uniform(0, 9), at) for at in range(count)]
    agenda = Agenda()
    for entry in entries:
        agenda.put(*entry)
    return agenda, entries


def unchanged_by(action: Callable[[Agenda], object], error: Any) -> None:
    agenda, entries = filled(50)
    with pytest.raises(error):
        action(agenda)
    assert len(agenda) == 50
    assert drain(agenda) == sorted(entries)


# Order.


def test_nothing_is_due_of_nothing() -> None:
    agenda = Agenda()
    assert len(agenda) == 0
    assert agenda.next() == inf
    for now in (-inf, 0.0, inf, nan):
        assert agenda.take(now) is None


def test_the_earliest_comes_first_and_only_when_it_is_due() -> None:
    agenda = Agenda()
    for when in (3.0, 1.0, 2.0):
        agenda.put(when, str(when))
    assert agenda.take(0.999) is None
    assert (len(agenda), agenda.next()) == (3, 1.0)
    assert agenda.take(1.0) == (1.0, "1.0")
    assert agenda.take(1.0) is None
    assert agenda.take(inf) == (2.0, "2.0")
    assert agenda.take(nan) is None
    assert agenda.take(3) == (3.0, "3.0")


@given(st.lists(steps, max_size=80))
@example([("put", 1.0)] * 22 + [("take", 1.0)] * 23)
def test_it_does_what_a_list_does_that_is_searched(calls: list[tuple[str, Any]]) -> None:
    agenda, oracle = Agenda(), model.Agenda()
    for number, (call, value) in enumerate(calls):
        if call == "put":
            agenda.put(value, number)
            oracle.put(value, number)
        elif call == "take":
            assert oracle.may_take(agenda.take(value), value)
        else:
            kept = [(when, (number, at)) for at, when in enumerate(value)] if call == "keep" else []
            if call == "keep earlier than":
                kept = [entry for entry in oracle.entries if entry[0] < value]  # type: ignore[misc]
            agenda.keep(kept)
            oracle.keep(kept)
        assert len(agenda) == len(oracle)
        assert agenda.next() == oracle.next()
    for entry in drain(agenda):
        assert oracle.may_take(entry, inf)
    assert len(oracle) == 0


@pytest.mark.parametrize("count", [*range(70), 341, 342, 10_000])
def test_what_is_put_and_what_is_kept_come_out_in_order(count: int) -> None:
    """Whatever the shape of the lowest level."""
    put, entries = filled(count, seed=count)
    kept = Agenda()
    kept.keep(iter(entries))
    assert len(put) == len(kept) == count
    assert drain(put) == drain(kept) == sorted(entries)


@pytest.mark.parametrize("step", [1, -1])
def test_times_in_order_and_backwards(step: int) -> None:
    entries = [(float(at), at) for at in range(1000)]
    put, kept = Agenda(), Agenda()
    for entry in entries[::step]:
        put.put(*entry)
    kept.keep(entries[::step])
    assert drain(put) == drain(kept) == entries


@given(st.lists(steps, max_size=60))
def test_equal_times_come_in_one_order_whenever_the_same_calls_were_made(
    calls: list[tuple[str, Any]],
) -> None:
    """Whatever is held, even what cannot be compared, and wherever it lies in memory."""

    def run() -> list[Any]:
        agenda, taken = Agenda(), []
        for number, (call, value) in enumerate(calls):
            if call == "put":
                agenda.put(round(value) % 3, {"number": number})
            elif call == "take":
                taken.append(agenda.take(value))
            elif call == "keep":
                agenda.keep((when % 3 // 1, [at]) for at, when in enumerate(value))
        return [*taken, *drain(agenda)]

    assert run() == run()


def test_any_object_is_handed_back_itself() -> None:
    objects = [None, False, nan, object(), [], Agenda, Agenda(), (1, "a"), "a", 10**40]
    agenda = Agenda()
    for at, each in enumerate(objects):
        agenda.put(at, each)
    assert all(got is each for (_, got), each in zip(drain(agenda), objects, strict=True))


# Hostile callers.


@pytest.mark.parametrize("when", [nan, inf, -inf])
def test_a_time_that_is_not_finite_is_refused(when: float) -> None:
    unchanged_by(lambda agenda: agenda.put(when, 0), ValueError)
    unchanged_by(lambda agenda: agenda.keep([(1.0, 0), (when, 0), (2.0, 0)]), ValueError)
    with pytest.raises(ValueError, match="finite"):
        Agenda().put(when, 0)


@pytest.mark.parametrize("wrong", [None, "1", b"1", [1.0], object(), 1j, float], ids=repr)
def test_what_is_no_time_is_refused(wrong: Any) -> None:
    unchanged_by(lambda agenda: agenda.put(wrong, 0), TypeError)
    unchanged_by(lambda agenda: agenda.take(wrong), TypeError)
    unchanged_by(lambda agenda: agenda.keep([(1.0, 0), (wrong, 0)]), TypeError)


@pytest.mark.parametrize("wrong", [None, 1, [1.0], [(1.0,)], [(1.0, 2, 3)], [None], ["a"]])
def test_what_are_no_entries_are_refused(wrong: Any) -> None:
    unchanged_by(lambda agenda: agenda.keep(wrong), (TypeError, ValueError))


def test_entries_that_fail_on_the_way_change_nothing() -> None:
    def entries() -> Iterator[tuple[float, object]]:
        for at in range(100):
            yield at, at
        raise ZeroDivisionError

    unchanged_by(lambda agenda: agenda.keep(entries()), ZeroDivisionError)


def test_it_can_be_neither_made_of_something_nor_pickled_nor_copied_nor_extended() -> None:
    with pytest.raises(TypeError):
        Agenda([])  # type: ignore[call-arg]
    for action in (pickle.dumps, copy.copy, copy.deepcopy):
        unchanged_by(action, TypeError)
    with pytest.raises(TypeError):
        type("Other", (Agenda,), {})
    for name in ("memory", "next", "other"):
        unchanged_by(lambda agenda, each=name: setattr(agenda, each, 1), AttributeError)  # type: ignore[misc]
    agenda, entries = filled(5)
    agenda.__init__()  # type: ignore[misc]
    assert drain(agenda) == sorted(entries)


KEPT: list[tuple[float, object]] = [(float(at), at) for at in range(40)]
CALLS: dict[str, tuple[Callable[[Agenda], object], Callable[[list[Any]], list[Any]]]] = {
    "put": (lambda agenda: agenda.put(4.5, "new"), lambda held: sorted([*held, (4.5, "new")])),
    "take": (lambda agenda: agenda.take(inf), lambda held: held[1:]),
    "keep": (lambda agenda: agenda.keep(KEPT), lambda _: KEPT),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("taken", [0, 48])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 18, 19, 20, 21, 24, 36, 54])
def test_no_memory_changes_nothing(call: str, count: int, taken: int) -> None:
    """Each allocation fails once, also those of growing and shrinking."""
    testing = pytest.importorskip("_testcapi")
    act, meaning = CALLS[call]
    for allocation in range(30):
        agenda, entries = filled(count + taken)
        held: list[Any] = sorted(entries)[taken:]
        for _ in range(taken):
            agenda.take(inf)
        error = None
        testing.set_nomemory(allocation, allocation + 1)
        try:
            act(agenda)
        except MemoryError as caught:
            error = caught
        finally:
            testing.remove_mem_hooks()
        wanted = meaning(held) if error is None else held
        assert len(agenda) == len(wanted)
        assert drain(agenda) == wanted


# References.


class Witness:
    """Does something when the last reference to it is dropped."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def __del__(self) -> None:
        self.action()


def test_references_are_those_it_holds_and_no_others() -> None:
    what = object()
    before = sys.getrefcount(what)
    agenda = Agenda()
    for at in range(100):
        agenda.put(at % 7, what)
    assert sys.getrefcount(what) == before + 100
    for _ in range(30):
        assert agenda.take(inf)
    assert sys.getrefcount(what) == before + 70
    agenda.keep([(1.0, what)] * 5)
    assert sys.getrefcount(what) == before + 5
    for wrong in (nan, None):
        with pytest.raises((ValueError, TypeError)):
            agenda.put(wrong, what)  # type: ignore[arg-type]
        with pytest.raises((ValueError, TypeError)):
            agenda.keep([(1.0, what), (wrong, what)])  # type: ignore[list-item]
    assert sys.getrefcount(what) == before + 5
    assert agenda.take(inf) == (1.0, what)
    assert sys.getrefcount(what) == before + 4
    del agenda
    assert sys.getrefcount(what) == before


def test_a_time_that_is_handed_back_is_dropped_with_its_entry() -> None:
    agenda = Agenda()
    agenda.put(0.1, 0)
    entry = agenda.take(1.0)
    assert entry is not None
    when = entry[0]
    before = sys.getrefcount(when)
    del entry
    assert sys.getrefcount(when) == before - 1


def test_what_is_dropped_may_put_and_take_and_keep() -> None:
    """Every reference that goes finds all entries in their places."""
    seen: list[list[float]] = []

    def look() -> None:
        taken = drain(agenda)
        seen.append([when for when, _ in taken])
        agenda.keep(taken)
        for at in range(20):
            agenda.put(100.0 + at, None)
        agenda.take(inf)

    agenda = Agenda()
    agenda.put(5.0, Witness(look))
    for at in range(20):
        agenda.put(at, None)
    agenda.keep([(float(at), None) for at in range(3)])
    assert seen == [[0.0, 1.0, 2.0]]
    assert len(agenda) == 22
    assert agenda.next() == 1.0

    agenda.put(0.5, Witness(look))
    assert agenda.take(0.5)  # the entry goes, and with it what it was for
    assert seen[1] == sorted(seen[1])
    assert len(seen[1]) == 22
    assert len(agenda) == 41
    assert drain(agenda)[0][0] == 2.0


def test_entries_may_use_what_they_are_kept_by() -> None:
    def entries() -> Iterator[tuple[float, object]]:
        for at in range(50):
            agenda.put(at - 100, "lost")
            agenda.take(inf)
            agenda.put(at, "lost")
            yield 50.0 - at, "kept"

    agenda, _ = filled(30)
    agenda.keep(entries())
    assert drain(agenda) == [(float(at), "kept") for at in range(1, 51)]


class Late:
    """A time that does something while it is read."""

    def __init__(self, action: Callable[[], object]) -> None:
        self.action = action

    def __float__(self) -> float:
        self.action()
        return 4.5


def test_a_time_may_use_what_it_is_given_to() -> None:
    agenda, _ = filled(40)
    agenda.put(Late(lambda: agenda.keep([])), "put")  # type: ignore[arg-type]
    assert len(agenda) == 1
    assert agenda.take(Late(lambda: drain(agenda))) is None  # type: ignore[arg-type]
    agenda.keep([(Late(lambda: agenda.put(0, 0)), "kept")])  # type: ignore[list-item]
    assert drain(agenda) == [(4.5, "kept")]


def test_a_collection_in_the_midst_of_a_call_may_use_it() -> None:
    """What is handed back is made while the entry is still held, and that may collect garbage."""
    before = gc.get_threshold()
    crowd = [(at, at) for at in range(5000)]  # no tuple of this size is left to be used again
    for count in (1, 2, 17, 300):
        agenda, entries = filled(count)
        gone: list[Any] = []
        gc.disable()
        try:
            cycle: list[Any] = [Witness(lambda: gone.extend(drain(agenda)))]  # noqa: B023
            cycle.append(cycle)
            del cycle
            gc.set_threshold(1)
            gc.enable()
            taken = agenda.take(inf)
        finally:
            gc.set_threshold(*before)
            gc.enable()
        gc.collect()
        assert len(agenda) == 0
        assert gone or count == 1
        assert sorted([*gone, taken] if taken else gone) == sorted(entries)
    assert len(crowd) == 5000


def test_a_way_round_through_it_is_collected() -> None:
    class Thing:
        agenda: Agenda | None = None

    kept = []
    for direct in (True, False):
        thing, agenda = Thing(), Agenda()
        thing.agenda = agenda
        for at in range(30):
            agenda.put(at, thing if direct else {"of": [agenda, thing]})
        agenda.put(99, agenda)
        kept.append(weakref.ref(thing))
    del thing, agenda
    assert kept[1]() is not None
    gc.collect()
    assert [reference() for reference in kept] == [None, None]


def test_it_is_used_by_what_goes_with_it() -> None:
    """Before the collector cuts anything."""
    counts: list[tuple[int, int]] = []

    def use(agenda: Agenda) -> None:
        before = len(agenda)
        agenda.put(1.0, None)
        taken = drain(agenda)
        counts.append((before, len(taken)))

    agenda = Agenda()
    agenda.put(0.0, agenda)
    for at in range(40):
        agenda.put(at, Witness(lambda agenda=agenda: use(agenda)))  # type: ignore[misc]
    del agenda
    gc.collect()
    assert counts == [(41, 42)] + [(0, 1)] * 39


def test_it_is_whole_while_the_collector_cuts_it() -> None:
    """Somebody looks for it who is told of the end of an object the collector does not track."""
    found: list[tuple[int, int]] = []

    def look(_: object) -> None:
        for each in gc.get_objects():
            if type(each) is Agenda and each not in known:
                before = len(each)
                each.put(1.0, None)
                found.append((before, len(drain(each))))

    known = [each for each in gc.get_objects() if type(each) is Agenda]
    two = Agenda(), Agenda()
    told = []
    for agenda, other in (two, two[::-1]):
        agenda.put(1.0, other)
        for at in range(10):
            code = compile(str(at), "", "eval")
            told.append(weakref.ref(code, look))
            agenda.put(at, code)
    tracked = gc.is_tracked(code)  # so it is in no version yet
    del agenda, other, two, code
    gc.collect()
    assert [reference() for reference in told] == [None] * 20
    assert found or tracked
    assert all(after == before + 1 for before, after in found)


# Memory.


def test_sixteen_bytes_an_entry_and_some_room() -> None:
    agenda, _ = filled(100_000)
    assert 16 * 100_000 <= agenda.memory <= 1.5 * 16 * 100_000
    agenda.keep([(1.0, None)] * 100_000)
    assert 16 * 100_000 <= agenda.memory <= 1.5 * 16 * 100_000


def test_room_is_given_back() -> None:
    agenda = Agenda()
    empty = agenda.memory
    for at in range(100_000):
        agenda.put(at, None)
    for left in (50_000, 25_000, 10_000, 1_000, 100):
        while len(agenda) > left:
            agenda.take(inf)
        assert agenda.memory <= 16 * 4 * left + empty
    drain(agenda)
    assert agenda.memory <= empty + 8 * 16
    agenda, _ = filled(10_000)
    agenda.keep([])
    assert agenda.memory == empty


def test_room_of_times_grows_by_a_half_and_halves_at_a_quarter() -> None:
    """So that it does not come and go with every entry."""

    def room() -> int:
        (listed,) = gc.get_referents(agenda)[-1:]
        return (agenda.memory - object.__sizeof__(agenda) - listed.__sizeof__()) // 8

    agenda, rooms = Agenda(), [0]
    for at in range(80):
        agenda.put(at, None)
        rooms.append(room())
    assert sorted(set(rooms)) == [0, 16, 24, 36, 54, 81]
    assert [rooms.index(each) for each in (16, 24, 36, 54, 81)] == [1, 17, 25, 37, 55]
    while agenda.take(inf):
        rooms[len(agenda)] = room()
    assert sorted(set(rooms[:80])) == [16, 20, 40, 81]
    assert [rooms.index(each) for each in (20, 40, 81)] == [6, 11, 21]
