from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from tests.vine.helpers import DELETED, PATIENCE, Calls, Far, Gate, table
from vines._core.changes import Changes
from vines.callbacks import backlog, dispatch
from vines.callbacks.dispatch import Dispatcher
from vines.callbacks.listeners import Listener
from vines.callbacks.telling import Teller
from vines.events import Join, KeysChanged, Lagged, Outcome, Quorum, Settled
from vines.values.codec import pack


def ended() -> Outcome:
    return Outcome(
        topic="t",
        round=0,
        election=b"e" * 16,
        kind="commit",
        choice=True,
        owner=b"o" * 16,
        votes={},
    )


class Here:
    def __init__(self, **options) -> None:
        self.table = table()
        self.far = Far(self.table)
        self.dispatcher = Dispatcher(self.table, **options)

    def on(self, event: str, key: str | None, callback) -> Listener:
        listener = Listener(event, key, callback)
        self.dispatcher.add(listener)
        if event == "gossip":
            self.dispatcher.replay(listener)
        return listener

    def arrive(self, *pairs) -> None:
        self.dispatcher.tell([KeysChanged(self.far.write(*pairs))])

    def write(self, key: str, value) -> None:
        stamp = self.table.write(key.encode(), 0, pack(value), 0)
        self.dispatcher.written(key.encode(), stamp)


@pytest.fixture
def make():
    made: list[Here] = []

    def one(**options) -> Here:
        made.append(Here(**options))
        return made[-1]

    yield one
    for here in made:
        here.dispatcher.stop()


@pytest.fixture
def here(make) -> Here:
    return make()


def test_no_thread_until_there_is_something_to_tell(here):
    here.on("gossip", None, print)
    here.dispatcher.remove("gossip", None, None)
    here.on("gossip", "a", print)
    here.arrive(("b", 1))
    here.dispatcher.tell([Join(None)])
    assert here.dispatcher._thread is None


def test_the_end_of_an_election_wakes_nobody_if_nobody_listens(here):
    outcome = ended()
    here.on("expire", None, print)
    here.dispatcher.tell([Settled(outcome)])
    assert here.dispatcher._thread is None
    late = Calls()
    here.dispatcher.catch_up(here.on("closed", None, late), [outcome])
    assert late.wait() == [outcome]


def test_who_is_to_act_is_told_and_that_nobody_was_there_any_more_is_noted(here):
    noted = Calls()
    here.dispatcher.acted = noted
    outcome = ended()
    here.dispatcher.tell([Quorum(outcome)])
    assert noted.wait() == [outcome]


def test_changes_and_own_writes_are_told_in_order(here):
    calls = Calls()
    here.on("gossip", None, calls)
    here.arrive(("a", 1))
    here.write("b", 2)
    here.arrive(("c", 3))
    assert [(event.key, event.local) for event in calls.wait(3)] == [
        ("a", False),
        ("b", True),
        ("c", False),
    ]


def test_a_late_listener_is_told_what_is_there_and_then_what_changes(here):
    here.arrive(("a", 1), ("b", 2))
    calls = Calls()
    here.on("gossip", "a", calls)
    assert calls.wait() == [1]
    here.arrive(("a", 3))
    assert calls.wait(2) == [1, 3]


def test_rare_events_overtake_changes(here):
    calls, gate = Calls(), Gate()
    here.on("gossip", "first", gate)
    here.on("gossip", None, calls)
    here.on("join", None, calls)
    here.write("first", 0)
    assert gate.entered.wait(PATIENCE)
    here.arrive(*[(f"{number:04}", number) for number in range(1000)])
    here.dispatcher.tell([Join(None)])
    gate.open()
    assert calls.wait(1002).index(Join(None)) <= 2


@pytest.mark.parametrize("room", [0, backlog.BYTES_MAX])
def test_a_slow_callback_is_told_the_last_values_and_not_those_between(here, room, monkeypatch):
    monkeypatch.setattr(backlog, "BYTES_MAX", room)
    calls, gate = Calls(), Gate()
    here.on("gossip", "first", gate)
    here.on("gossip", "k*", calls)
    here.write("first", 0)
    assert gate.entered.wait(PATIENCE)
    for number in range(5000):
        here.write(f"k{number % 10}", number)
    assert here.dispatcher.stats()["changes_waiting"] == (5000 if room else 10)
    gate.open()
    seen = calls.until(lambda seen: seen and seen[-1].value == 4999)
    assert [(event.key, event.value) for event in seen] == [
        (f"k{number}", 4990 + number) for number in range(10)
    ]


def test_a_slow_callback_is_not_told_what_others_replaced_meanwhile(here):
    calls, gate = Calls(), Gate()
    here.on("gossip", "first", gate)
    here.on("gossip", "k", calls)
    here.arrive(("first", 0))
    assert gate.entered.wait(PATIENCE)
    for number in range(dispatch.LATE_BATCHES + 1):
        here.arrive(("k", number))
    gate.open()
    assert calls.until(lambda seen: seen[-1:] == [dispatch.LATE_BATCHES]) == [dispatch.LATE_BATCHES]


def test_dropped_changes_are_told_of_and_the_state_makes_up_for_them(make, monkeypatch, caplog):
    monkeypatch.setattr(backlog, "BYTES_MAX", 1000)
    here = make(keys_max=100)
    values, lagged, gate = Calls(), Calls(), Gate()
    here.on("gossip", "first", gate)
    here.on("gossip", None, values)
    here.on("lagged", None, lagged)
    here.write("first", 0)
    assert gate.entered.wait(PATIENCE)
    for number in range(1000):
        here.write(f"{number}", number)
    gate.open()
    (event,) = lagged.wait()
    assert isinstance(event, Lagged)
    assert 900 <= event.count <= 1000
    seen = values.until(lambda seen: len({event.key for event in seen}) == 1001)
    assert {event.key: event.value for event in seen if event.key != "first"} == {
        f"{number}": number for number in range(1000)
    }
    assert here.dispatcher.stats()["changes_dropped"] == event.count
    assert "too slow" in caplog.text


def test_a_lag_during_a_replay_begins_another_one(make, monkeypatch):
    here = make(keys_max=10)
    monkeypatch.setattr("vines.callbacks.telling.PAGE", 16)
    monkeypatch.setattr(backlog, "BYTES_MAX", 1000)
    last = {}
    gate, entered = threading.Event(), threading.Event()

    def slow(event) -> None:
        last[event.key] = event.value
        entered.set()
        assert gate.wait(PATIENCE)

    for number in range(200):
        here.write(f"{number}", 0)
    here.on("gossip", None, slow)
    assert entered.wait(PATIENCE)
    for number in range(200):
        here.write(f"{number}", 1)
    calls = Calls()
    gate.set()
    here.on("gossip", "done", calls)
    while set(last.values()) != {1} or len(last) != 200:
        here.write("done", len(calls.seen))
        calls.until(lambda seen: seen)
        calls.seen.clear()
        last.pop("done", None)


def test_events_beyond_their_bound_are_told_of(make, monkeypatch):
    monkeypatch.setattr(dispatch, "EVENTS_MAX", 4)
    here = make()
    joins, lagged, gate = Calls(), Calls(), Gate()
    here.on("gossip", "first", gate)
    here.on("join", None, joins)
    here.on("lagged", None, lagged)
    here.write("first", 0)
    assert gate.entered.wait(PATIENCE)
    for number in range(10):
        here.dispatcher.tell([Join(number)])
    gate.open()
    assert [event.member for event in joins.wait(4)] == [6, 7, 8, 9]
    assert lagged.wait() == [Lagged(6)]


def test_what_a_replay_remembered_is_forgotten_once_it_has_settled(here, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(dispatch, "time", SimpleNamespace(monotonic=lambda: now[0]))
    here.write("a", 1)
    calls = Calls()
    listener = here.on("gossip", None, calls)
    here.write("b", 2)
    calls.wait(2)
    assert listener.seen
    now[0] = dispatch.SETTLE_SECONDS
    for number in range(2):  # told before it looks whether something has settled, and after
        here.write("c", number)
        calls.until(lambda seen, number=number: (seen[-1].key, seen[-1].value) == ("c", number))
    assert listener.seen is None


def test_a_replay_is_waited_for_until_its_last_page_was_told(here):
    here.write("a", 1)
    waiting: list[int] = []

    def look(_event: object) -> None:
        waiting.append(here.dispatcher.stats()["replays_waiting"])

    calls = Calls(look)
    here.on("gossip", "*", calls)
    here.write("b", 2)
    calls.wait(2)
    assert waiting[:2] == [1, 0]


def test_a_listener_taken_out_during_its_replay_hears_no_more(here):
    for number in range(2000):
        here.write(f"{number}", number)

    def once(event) -> None:
        here.dispatcher.remove("gossip", None, calls)

    calls = Calls(once)
    here.on("gossip", None, calls)
    calls.wait()
    other = Calls()
    here.on("gossip", "5", other)
    assert other.wait() == [5]
    assert len(calls.seen) == 1


def test_stop_waits_for_a_quick_callback_and_not_for_a_slow_one(here, monkeypatch):
    monkeypatch.setattr(dispatch, "STOP_SECONDS", 0.01)
    gate, after = Gate(), Calls()
    here.on("gossip", "a", gate)
    here.on("gossip", None, after)
    here.write("a", 1)
    assert gate.entered.wait(PATIENCE)
    here.dispatcher.stop()
    thread = here.dispatcher._thread
    assert thread.is_alive()
    gate.open()
    thread.join(PATIENCE)
    assert not thread.is_alive()
    assert after.seen == [] or [event.key for event in after.seen] == ["a"]


def test_stop_may_come_from_a_callback(here):
    stopped = threading.Event()

    def stop(value) -> None:
        here.dispatcher.stop()
        stopped.set()

    calls = Calls()
    here.on("gossip", "a", stop)
    here.on("gossip", "b", calls)
    here.write("a", 1)
    assert stopped.wait(PATIENCE)
    here.dispatcher._thread.join(PATIENCE)
    assert not here.dispatcher._thread.is_alive()
    here.write("b", 2)
    assert calls.seen == []


def test_stopped_before_it_started_it_never_starts(here):
    here.on("gossip", None, print)
    here.dispatcher.stop()
    here.write("a", 1)
    assert here.dispatcher._thread is None


def test_who_is_to_act_runs_before_the_loop_goes_on(here, monkeypatch):
    here.on("quorum", None, Calls())
    here.on("closed", None, Calls())
    here.dispatcher.start()
    while not here.dispatcher._asleep:
        pass
    rung, bell = [], here.dispatcher._bell
    spy = SimpleNamespace(
        call=lambda: (rung.append("call"), bell.call()),
        lead=lambda seconds: (rung.append("lead"), bell.lead(seconds)),
        sleep=bell.sleep,
    )
    monkeypatch.setattr(here.dispatcher, "_bell", spy)
    here.dispatcher.tell([Settled(ended()), Quorum(ended())])
    while not here.dispatcher._asleep:
        pass
    here.dispatcher.tell([Settled(ended())])
    assert rung == ["lead", "call"]
    monkeypatch.undo()


def test_nobody_rings_while_it_is_at_work(here, monkeypatch):
    # Each wake-up may cost 5 ms in a busy process.
    gate = Gate()
    here.on("gossip", "a", gate)
    here.write("a", 1)
    assert gate.entered.wait(PATIENCE)
    rung = []
    bell = SimpleNamespace(
        ring=lambda: rung.append(1), call=lambda: rung.append(1), lead=rung.append
    )
    monkeypatch.setattr(here.dispatcher, "_bell", bell)
    for number in range(100):
        here.write("a", number)
        here.arrive((f"{number}", 1))
    assert rung == []
    monkeypatch.undo()
    gate.open()


def test_registered_while_values_arrive_every_key_is_told_exactly_once(here):
    # Distinct keys, written once each, by a thread here and one elsewhere, listeners all the while.
    total, listeners = 3000, []
    enough = threading.Event()

    def here_writes() -> None:
        for number in range(total):
            here.write(f"near/{number}", number)
            if number == total // 3:
                enough.set()

    def far_writes() -> None:
        for number in range(0, total, 10):
            here.arrive(*[(f"far/{number + more}", number + more) for more in range(10)])

    threads = [threading.Thread(target=here_writes), threading.Thread(target=far_writes)]
    for thread in threads:
        thread.start()
    assert enough.wait(PATIENCE)
    for _ in range(10):
        calls = Calls()
        here.on("gossip", None, calls)
        listeners.append(calls)
    for thread in threads:
        thread.join(PATIENCE)
    for calls in listeners:
        seen = calls.wait(2 * total)
        assert len({event.key for event in seen}) == 2 * total
    here.write("end", 1)
    for calls in listeners:
        assert calls.until(lambda seen: seen[-1].key == "end")
        assert len(calls.seen) == 2 * total + 1


def test_registered_while_one_key_changes_the_last_value_is_the_last_told(here):
    total, listeners = 3000, []
    enough = threading.Event()

    def near() -> None:
        for number in range(total):
            here.write("key", number)
            if number == total // 3:
                enough.set()

    def far() -> None:
        for number in range(total):
            here.arrive(("key", -number))

    threads = [threading.Thread(target=near), threading.Thread(target=far)]
    for thread in threads:
        thread.start()
    assert enough.wait(PATIENCE)
    for _ in range(10):
        calls = Calls()
        here.on("gossip", "key", calls)
        listeners.append(calls)
    for thread in threads:
        thread.join(PATIENCE)
    here.write("key", "end")
    for calls in listeners:
        assert calls.until(lambda seen: seen and seen[-1] == "end").count("end") == 1


def test_a_bug_of_ours_is_logged_and_does_not_end_the_callbacks(make, caplog, monkeypatch):
    class Broken(Teller):
        broken = True

        def changes(self, *arguments) -> None:
            if self.broken:
                self.broken = False
                raise MemoryError
            super().changes(*arguments)

    monkeypatch.setattr(dispatch, "Teller", Broken)
    here = make()
    calls = Calls()
    here.on("gossip", None, calls)
    here.write("a", 1)
    while "MemoryError" not in caplog.text:
        here.write("b", 2)
    here.write("c", 3)
    calls.until(lambda seen: seen and seen[-1].key == "c")


def test_deletes_are_told_to_listeners_of_delete(here):
    deletes, values = Calls(), Calls()
    here.on("delete", None, deletes)
    here.on("gossip", None, values)
    here.arrive(("a", 1))
    values.wait()
    here.arrive(("a", DELETED))
    assert deletes.wait()[0].key == "a"
    assert len(values.seen) == 1


def told_after(here: Here, calls: Calls) -> list:
    """All that was told, once everything handed over has been. Writes nothing here."""
    here.arrive(("end", 1))
    return calls.until(lambda seen: seen[-1].key == "end")[:-1]


def test_an_older_value_that_arrives_late_does_not_follow_a_local_write(here):
    calls = Calls()
    here.on("gossip", None, calls)
    here.arrive(("other", 0))
    late = here.far.write(("a", "far"))
    here.write("a", "near")
    calls.wait(2)
    here.dispatcher.tell([KeysChanged(late)])
    assert [event.value for event in told_after(here, calls)] == [0, "near"]


def test_a_local_write_handed_over_first_is_not_followed_by_the_older_value(here):
    calls, gate = Calls(), Gate()
    here.on("gossip", "first", gate)
    here.on("gossip", None, calls)
    here.arrive(("first", 0))
    assert gate.entered.wait(PATIENCE)
    late = here.far.write(("a", "far"))
    here.write("a", "near")
    here.dispatcher.tell([KeysChanged(late)])
    gate.open()
    assert [event.value for event in told_after(here, calls)] == [0, "near"]


def test_what_a_replay_told_is_not_followed_by_an_older_value(here):
    calls, gate = Calls(), Gate()
    here.on("gossip", "first", gate)
    here.arrive(("first", 0))
    assert gate.entered.wait(PATIENCE)
    old = here.far.write(("a", "old"))
    new = here.far.write(("a", "new"))
    here.on("gossip", None, calls)
    gate.open()
    calls.wait(2)
    here.dispatcher.tell([KeysChanged(old)])
    here.dispatcher.tell([KeysChanged(new)])
    assert sorted(str(event.value) for event in told_after(here, calls)) == ["0", "new"]


def test_nor_if_there_was_too_much_to_remember(here, monkeypatch):
    monkeypatch.setattr("vines.callbacks.listeners.SEEN_MAX", 4)
    calls, gate = Calls(), Gate()
    here.on("gossip", "first", gate)
    here.arrive(("first", 0))
    assert gate.entered.wait(PATIENCE)
    here.dispatcher.tell([])
    old = here.far.write(*[(key, "old") for key in "abcdefghi"])
    new = here.far.write(*[(key, "new") for key in "abcdefghi"])
    here.on("gossip", None, calls)
    gate.open()
    calls.wait(10)
    here.dispatcher.tell([KeysChanged(old)])
    here.dispatcher.tell([KeysChanged(new)])
    assert {event.value for event in told_after(here, calls)} == {0, "new"}


def test_changes_are_told_one_by_one_while_callbacks_keep_up(here):
    calls = Calls()
    here.on("gossip", "a", calls)
    first = here.far.write(("a", 1))
    second = here.far.write(("a", 2))
    here.dispatcher.tell([])
    third = here.far.write(("a", 3))
    here.dispatcher.tell([KeysChanged(Changes([*first, *second])), KeysChanged(third)])
    assert calls.until(lambda seen: seen[-1:] == [3]) == [1, 2, 3]
