from __future__ import annotations

import logging

import pytest

from tests.vine.helpers import DELETED, ELSEWHERE, Far, change, table
from vines._core.changes import Changes
from vines.callbacks import listeners, telling
from vines.callbacks.listeners import Audience, Listener
from vines.callbacks.telling import Teller
from vines.events import Delete, Gossip, Join, Lagged, Settled
from vines.values.codec import pack


class Here:
    """A table, a teller, and what each listener was told."""

    def __init__(self) -> None:
        self.table = table()
        self.far = Far(self.table)
        self.teller = Teller(self.table)

    def on(self, event: str, key: str | None, callback) -> Listener:
        listener = Listener(event, key, callback)
        self.teller.audience = self.teller.audience.with_one(listener)
        return listener

    def hears(self, event: str, key: str | None = None) -> list:
        told: list = []
        self.on(event, key, told.append)
        return told

    def arrive(self, *pairs) -> None:
        self.teller.changes(self.far.write(*pairs))

    def write(self, key: str, value) -> Changes:
        stamp = self.table.write(key.encode(), 0, pack(value), 0)
        return Changes.written(key.encode(), stamp)

    def replay(self, listener: Listener) -> None:
        cursor: int | None = 0
        while cursor is not None:
            cursor = self.teller.replay(listener, cursor)


@pytest.fixture
def here() -> Here:
    return Here()


def test_one_key_gets_its_value_and_many_get_the_event(here):
    value, event, pattern = (
        here.hears("gossip", "a"),
        here.hears("gossip"),
        here.hears("gossip", "a*"),
    )
    here.arrive(("a", 5))
    stamp, origin, _, _ = here.table.get(0, b"a")
    assert value == [5]
    assert event == pattern == [Gossip("a", 5, False, stamp, origin)]
    assert origin == ELSEWHERE


def test_events_are_immutable(here):
    event = here.hears("gossip")
    here.arrive(("a", 5))
    with pytest.raises(AttributeError):
        event[0].value = 6
    with pytest.raises(AttributeError):
        event[0].other = 6


def test_own_writes_are_told_and_say_so(here):
    event = here.hears("gossip")
    here.teller.changes(here.write("a", 5))
    assert [(one.value, one.local) for one in event] == [(5, True)]


def test_own_writes_are_local_also_after_a_new_source_was_taken(here):
    event = here.hears("gossip")
    before = here.write("a", 1)
    here.teller.changes(before)
    here.table.adopt(b"t" * 16)
    here.teller.changes(here.write("b", 2))
    assert [one.local for one in event] == [True, True]


def test_a_delete_is_an_event_of_its_own(here):
    values, deletes, one = here.hears("gossip"), here.hears("delete"), here.hears("delete", "a")
    here.arrive(("a", 5))
    here.arrive(("a", DELETED))
    stamp, origin, _, _ = here.table.get(0, b"a")
    assert deletes == one == [Delete("a", False, stamp, origin)]
    assert [event.value for event in values] == [5]


def test_none_is_a_value(here):
    values = here.hears("gossip", "a")
    here.arrive(("a", None))
    assert values == [None]


def test_what_was_replaced_meanwhile_is_left_out(here):
    values = here.hears("gossip", "a")
    old = here.far.write(("a", 1))
    new = here.far.write(("a", 2))
    here.teller.changes(old)
    assert values == []
    here.teller.changes(new)
    assert values == [2]


def test_the_last_value_is_the_last_told_whatever_order_threads_hand_over_in(here):
    values = here.hears("gossip", "a")
    far = here.far.write(("a", "far"))
    near = here.write("a", "near")
    here.teller.changes(near)
    here.teller.changes(far)
    assert values == ["near"]


def test_listeners_of_other_keys_cost_and_hear_nothing(here):
    values = here.hears("gossip", "b")
    here.arrive(("a", 1))
    assert values == []


def test_each_listener_gets_a_container_of_its_own(here):
    here.on("gossip", None, lambda event: event.value.append("spoiled"))
    values = here.hears("gossip", "a")
    here.arrive(("a", [1]))
    assert values == [[1]]


def test_a_callback_that_raises_is_logged_and_the_others_are_called(here, caplog):
    def broken(event: object) -> None:
        raise ValueError("of the user")

    here.on("gossip", None, broken)
    values = here.hears("gossip", "a")
    here.arrive(("a", 1))
    here.arrive(("a", 2))
    assert values == [1, 2]
    assert here.teller.failed == 2
    assert [record.name for record in caplog.records] == ["vines", "vines"]
    assert "of the user" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_nothing_a_callback_raises_gets_out(here, caplog, error):
    def broken(event: object) -> None:
        raise error

    here.on("gossip", None, broken)
    here.arrive(("a", 1))
    assert here.teller.failed == 1


def test_a_listener_that_was_taken_out_meanwhile_is_not_called(here):
    values: list = []
    second = None

    def take_out(event: object) -> None:
        second.active = False

    here.on("gossip", None, take_out)
    second = here.on("gossip", "a", values.append)
    here.arrive(("a", 1))
    assert values == []


def test_after_stop_nobody_is_called(here):
    values: list = []

    def stop(event: object) -> None:
        values.append(event.key)
        here.teller.stopped = True

    here.on("gossip", None, stop)
    here.arrive(("a", 1), ("b", 2))
    assert values == ["a"]


def test_a_replay_tells_what_is_there_and_no_more(here):
    here.arrive(("a", 1), ("b/1", 2), ("b/2", 3), ("c", 4))
    here.arrive(("c", DELETED))
    for pattern, expected in [
        (None, {"a": 1, "b/1": 2, "b/2": 3}),
        ("b/*", {"b/1": 2, "b/2": 3}),
        ("nobody*", {}),
    ]:
        told: list = []
        here.replay(here.on("gossip", pattern, told.append))
        assert {event.key: event.value for event in told} == expected
        assert len(told) == len(expected)
    for key, expected in [("a", [1]), ("c", []), ("d", [])]:
        told = []
        here.replay(here.on("gossip", key, told.append))
        assert told == expected


def test_a_replay_goes_page_by_page(here, monkeypatch):
    monkeypatch.setattr(telling, "PAGE", 4)
    here.arrive(*[(f"{number}", number) for number in range(100)])
    told: list = []
    listener = here.on("gossip", None, told.append)
    cursor, pages = 0, 0
    while cursor is not None:
        before = len(told)
        cursor = here.teller.replay(listener, cursor)
        pages += 1
        assert len(told) - before < 40
    assert pages > 5
    assert sorted(event.value for event in told) == list(range(100))


def test_nothing_is_told_twice_around_a_replay(here):
    told: list = []
    in_flight = here.far.write(("a", 1), ("b", 2))
    listener = here.on("gossip", None, told.append)
    listener.remember()
    early = here.far.write(("c", 3))
    here.teller.changes(early)
    here.replay(listener)
    here.teller.changes(in_flight)
    here.arrive(("a", 4))
    assert [event.value for event in told] == [3, *sorted(e.value for e in told[1:3]), 4]
    assert len(told) == 4


def test_a_value_nobody_can_read_is_told_to_nobody_and_logged_once(here, caplog):
    events, values = here.hears("gossip"), here.hears("gossip", "a")
    for packed in (b"\xc1", b"", b"\x81", b"\x93\x01", b"\xd4\x05\x00", b"\x01\x01"):
        here.teller.changes(here.far.write_raw(b"a", packed))
        here.replay(here.teller.audience.listeners[0])
    here.teller.changes(here.far.write_raw(b"\xff\xfe", pack(1)))
    here.arrive(("b", 1))
    assert [event.key for event in events] == ["b"]
    assert values == []
    assert here.teller.unreadable > 6
    assert len(caplog.records) == 2


def test_a_peer_cannot_pass_off_what_is_no_value_as_written_here(here, caplog):
    # The author of a record is whatever the peer says it is.
    told = here.hears("gossip")
    here.teller._sources.add(ELSEWHERE)
    here.teller.changes(here.far.write_raw(b"a", b"\xc1"))
    assert told == []
    assert here.teller.unreadable == 1


def test_what_a_peer_named_cannot_forge_a_line_in_the_log(here, caplog):
    here.hears("gossip")
    here.teller.changes(here.far.write_raw(b"a\nCRITICAL \x1b[31mroot %s", b"\xc1"))
    assert len(caplog.text.splitlines()) == 1
    assert "\x1b" not in caplog.text


def test_the_end_of_an_election_is_told_once_and_no_more_are_remembered_than_a_bound(
    here, monkeypatch
):
    class Over:
        def __init__(self, number: int) -> None:
            self.election = number.to_bytes(32, "big")

    monkeypatch.setattr(listeners, "SEEN_MAX", 100)
    told: list[Over] = []
    listener = here.on("closed", None, told.append)
    for number in range(1000):
        for _ in range(2):
            here.teller.tell_one(listener, Settled(Over(number)))
        if number >= 50:
            here.teller.tell_one(listener, Settled(Over(number - 50)))
        assert len(listener.elections) <= 100
    assert [int.from_bytes(each.election, "big") for each in told] == list(range(1000))


def test_rare_events_go_to_those_who_listen(here):
    lagged, joins = here.hears("lagged"), here.hears("join")
    here.teller.event(Lagged(5))
    here.teller.event(Join(None))
    here.teller.event("something of a later version")
    assert lagged == [Lagged(5)]
    assert joins == [Join(None)]


def test_a_change_handed_over_by_hand_that_is_not_in_the_table_is_no_news(here):
    told = here.hears("gossip")
    here.teller.changes(Changes([change("a", 1, 5)]))
    assert told == []
    assert here.teller.superseded == 1


@pytest.fixture(autouse=True)
def _log(caplog):
    caplog.set_level(logging.DEBUG, "vines")


def test_an_audience_may_change_while_it_is_told(here):
    told: list = []

    def replace(event: object) -> None:
        here.teller.audience = Audience()

    here.on("gossip", None, replace)
    here.on("gossip", None, told.append)
    here.arrive(("a", 1), ("b", 2))
    assert [event.key for event in told] == ["a", "b"]
    here.arrive(("c", 3))
    assert len(told) == 2
