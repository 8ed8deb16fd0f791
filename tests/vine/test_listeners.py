from __future__ import annotations

import functools

import pytest

from tests.vine.helpers import change
from vines._core.changes import Changes
from vines._core.table import MEMBER
from vines.callbacks import listeners
from vines.callbacks.listeners import EVENTS, Audience, Listener
from vines.errors import InvalidCallback, InvalidKey, UnknownEvent


def nothing(event: object) -> None:
    pass


def audience(*patterns: str | None, event: str = "gossip") -> Audience:
    return Audience(Listener(event, pattern, nothing) for pattern in patterns)


def wanted(hearers: Audience, *keys: str) -> list[str]:
    return [
        found[1].decode() for found in hearers.wanted(Changes([change(key, 1, 1) for key in keys]))
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (None, ["a", "a/b", "ab", "*"]),
        ("*", ["a", "a/b", "ab", "*"]),
        ("a", ["a"]),
        ("a/*", ["a/b"]),
        ("a*", ["a", "a/b", "ab"]),
        ("b", []),
    ],
)
def test_a_pattern_is_a_key_a_prefix_or_everything(pattern, expected):
    hearers = audience(pattern)
    assert wanted(hearers, "a", "a/b", "ab", "*") == expected
    assert [key for key in ("a", "a/b", "ab", "*") if hearers.gossip.of_key(key)] == expected


def test_everyone_who_wants_a_key_is_found():
    hearers = audience("x/1", "x/*", None, "y")
    assert [one.pattern for one in hearers.gossip.of_key("x/1")] == ["x/*", None, "x/1"]
    assert [one.pattern for one in hearers.gossip.of_key("y")] == [None, "y"]
    assert [one.pattern for one in hearers.gossip.of_key("z")] == [None]


def test_only_user_data_is_wanted():
    record = (MEMBER, b"a", 0, b"", 1, b"")
    assert not audience(None).wanted(Changes([record]))
    assert not audience("a").wanted(Changes([record]))


def test_without_listeners_of_keys_nothing_is_wanted():
    hearers = Audience([Listener("join", None, nothing)])
    assert not hearers.wants_keys
    assert wanted(hearers, "a") == []
    assert list(hearers.others) == ["join"]


@pytest.mark.parametrize("event", [*EVENTS])
def test_every_event_can_be_listened_to(event):
    assert Audience([Listener(event, None, nothing)]).listeners


@pytest.mark.parametrize(
    ("event", "key"), [("gosip", None), ("", None), (None, None), ("join", "a")]
)
def test_what_is_never_told_is_refused(event, key):
    with pytest.raises(UnknownEvent, match=r"no event|no keys"):
        Listener(event, key, nothing)


@pytest.mark.parametrize("key", ["", "x" * 1025, "\ud800", 5, b"a"])
def test_what_is_no_key_is_refused(key):
    with pytest.raises(InvalidKey):
        Listener("gossip", key, nothing)


def test_a_callback_may_take_the_event_or_nothing():
    called = []
    listener = Listener("gossip", None, lambda: called.append("bare"))
    listener.tell("event")
    Listener("gossip", None, called.append).tell("event")
    Listener("gossip", None, lambda event=None: called.append(event)).tell("event")
    Listener("gossip", None, lambda *events: called.append(events)).tell("event")
    Listener("gossip", None, functools.partial(called.append, "partial")).tell("event")
    assert called == ["bare", "event", "event", ("event",), "partial"]


def test_a_builtin_without_a_signature_takes_the_event():
    Listener("gossip", None, dict).tell([])


async def coroutine(event: object) -> None:
    pass


@pytest.mark.parametrize("callback", [None, 5, "name", lambda a, b: None, coroutine])
def test_what_cannot_be_called_back_is_refused_at_once(callback):
    with pytest.raises(InvalidCallback):
        Listener("gossip", None, callback)


def test_off_takes_out_exactly_what_it_names():
    def other(event: object) -> None:
        pass

    everybody = [
        Listener("gossip", "a", nothing),
        Listener("gossip", "a", other),
        Listener("gossip", "a*", nothing),
        Listener("gossip", None, nothing),
        Listener("delete", "a", nothing),
    ]

    def left(event, key, callback):
        for one in everybody:
            one.active = True
        kept = Audience(everybody).without(event, key, callback)
        assert [one.active for one in everybody] == [one in kept.listeners for one in everybody]
        return [everybody.index(one) for one in kept.listeners]

    assert left("gossip", None, None) == [4]
    assert left("gossip", "a", None) == [2, 3, 4]
    assert left("gossip", "a*", None) == [0, 1, 3, 4]
    assert left("gossip", "*", None) == [0, 1, 2, 4]
    assert left("gossip", None, other) == [0, 2, 3, 4]
    assert left("gossip", "a", nothing) == [1, 2, 3, 4]
    assert left("join", None, None) == [0, 1, 2, 3, 4]
    with pytest.raises(UnknownEvent):
        left("gosip", None, None)


def test_a_replay_remembers_what_was_told():
    listener = Listener("gossip", None, nothing)
    assert listener.is_news(b"a", (1, b""))
    assert listener.is_news(b"a", (1, b""))
    listener.remember()
    assert listener.is_news(b"a", (2, b"b"))
    assert not listener.is_news(b"a", (2, b"b"))
    assert not listener.is_news(b"a", (2, b"a"))
    assert not listener.is_news(b"a", (1, b"c"))
    assert listener.is_news(b"a", (2, b"c"))
    listener.forget()
    assert listener.is_news(b"a", (2, b"c"))


def test_it_forgets_only_after_the_last_replay():
    listener = Listener("gossip", None, nothing)
    listener.remember()
    listener.remember()
    assert listener.is_news(b"a", (1, b""))
    listener.forget()
    assert not listener.is_news(b"a", (1, b""))


def test_what_a_replay_remembers_is_bounded(monkeypatch):
    monkeypatch.setattr(listeners, "SEEN_MAX", 8)
    listener = Listener("gossip", None, nothing)
    listener.remember()
    for number in range(100):
        assert listener.is_news(b"%d" % number, (1, b""))
        assert len(listener.seen) <= 8
    assert not listener.is_news(b"99", (1, b""))
