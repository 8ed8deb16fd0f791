"""Calls and votes on their way to the node: in order, together, none lost."""

from __future__ import annotations

from typing import Any

import pytest

from vines import Outcome, Vine
from vines.calls import call_of
from vines.engine.electing import Electing
from vines.errors import Closed, LocalError
from vines.events import Quorum, Settled

CALL = {"total": 2, "expire": 60}


class Node:
    """A node whose elections note what reaches them; it is its own outbox."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.told: list[Any] = []
        self.outbox = self

    def elections(self) -> Node:
        return self

    def emit(self, event: object) -> None:
        self.told.append(event)

    def call(self, topic: str, _call: object, _now: float) -> None:
        if topic == "bug":
            raise RuntimeError
        if topic == "refused":
            raise LocalError("its voters were named")
        self.heard.append(("call", topic))

    def vote(self, topic: str, code: int, _now: float) -> None:
        self.heard.append((code, topic))


def electing() -> tuple[Node, Electing, list[Any]]:
    node = Node()
    posted: list[Any] = []
    return node, Electing(node, None, posted.append), posted  # type: ignore[arg-type]


def run(posted: list[Any]) -> None:
    """One turn of the loop."""
    for each in posted[:]:
        posted.remove(each)
        each(0.0)


def test_what_comes_before_the_next_turn_goes_in_order_and_together() -> None:
    node, one, posted = electing()
    for topic in ("a", "b"):
        one.call(topic, call_of(CALL))
        assert one.vote(topic, True)
    assert len(posted) == 1
    run(posted)
    assert node.heard == [("call", "a"), (0, "a"), ("call", "b"), (0, "b")]
    one.call("c", call_of(CALL))
    assert len(posted) == 1
    run(posted)
    assert node.heard[4:] == [("call", "c")]


def test_who_comes_behind_one_that_meets_a_bug_goes_in_the_next_turn() -> None:
    node, one, posted = electing()
    for topic in ("a", "bug", "b"):
        one.call(topic, call_of(CALL))
    with pytest.raises(RuntimeError):
        run(posted)
    run(posted)
    assert node.heard == [("call", "a"), ("call", "b")]


def test_a_call_that_is_refused_is_told_and_those_behind_it_go_on() -> None:
    node, one, posted = electing()
    for topic in ("refused", "b"):
        one.call(topic, call_of(CALL))
    run(posted)
    assert [event.text for event in node.told] == ["its voters were named"]
    assert node.heard == [("call", "b")]


def test_a_loop_that_has_ended_says_so_each_time() -> None:
    def post(_function: object) -> None:
        raise Closed("ended")

    one = Electing(Node(), None, post)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(Closed):
            one.call("a", call_of(CALL))


def test_equal_options_are_one_call_unless_they_only_look_equal() -> None:
    assert call_of({"total": 2, "expire": 60}) is call_of({"total": 2, "expire": 60})
    assert call_of({"total": 2, "expire": 60}) is not call_of({"total": 3, "expire": 60})
    with pytest.raises(LocalError):
        call_of({"total": 1, "expire": 60, "min": True})
    call_of({"total": 1, "expire": 60, "min": 1})
    with pytest.raises(LocalError):
        call_of({"total": 1, "expire": 60, "min": True})


def engine_told(
    monkeypatch: pytest.MonkeyPatch, events: list[object], awaited: tuple[str, ...]
) -> tuple[list[str], list[str]]:
    """Who hears of these events at once, and who in the next turn; these topics are waited for."""
    told: list[str] = []
    later: list[Any] = []
    with Vine() as vine, monkeypatch.context() as patch:
        engine = vine._engine
        patch.setattr(engine._asker, "_outcomes", {key: [] for key in awaited})
        patch.setattr(engine.dispatcher, "tell", lambda _events: told.append("listeners"))
        patch.setattr(engine._asker, "tell", lambda _events, _kinds: told.append("who waits"))
        patch.setattr(engine.loop, "call", later.append)
        engine._tell(events)
        at_once = told[:]
        run(later)
        return at_once, told[len(at_once) :]


def test_who_is_to_act_is_told_before_those_who_only_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = Outcome("t", 0, bytes(16), "commit", True, bytes(16), {})
    both: list[object] = [Settled(outcome), Quorum(outcome)]
    assert engine_told(monkeypatch, both, ("t",)) == (["listeners"], ["who waits"])
    # Where nobody waits, or nobody is to act, there is no reason for another turn.
    assert engine_told(monkeypatch, both, ()) == (["who waits", "listeners"], [])
    assert engine_told(monkeypatch, both[:1], ("t",)) == (["who waits", "listeners"], [])
