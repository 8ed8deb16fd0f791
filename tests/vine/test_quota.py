"""Quotas as a user meets them: what is refused, what is told, what counts."""

from __future__ import annotations

import random

import pytest

from tests.vine.helpers import Calls
from vines import errors
from vines.config import Config
from vines.events import Quota
from vines.protocol.machine import Emit
from vines.protocol.node import Node
from vines.vine import Vine


def test_a_write_beyond_the_quota_is_refused_and_nothing_changed():
    with Vine(keys_max=2) as vine:
        vine.gossip("a", 1).gossip("b", [2])
        for write in (
            lambda: vine.gossip("c", 3),
            lambda: vine.gossip("c", [3], ttl=5),
            lambda: vine.update({"a": 5, "c": 3}),
            lambda: vine.__setitem__("c", 3),
        ):
            with pytest.raises(errors.QuotaExceeded, match=r"keys_max of 2 .* nothing changed"):
                write()
        assert vine.snapshot() == {"a": 1, "b": [2]}
        assert vine.update({"a": 5, "b": 6}).delete("a").gossip("c", 3).keys() == ["b", "c"]
        data = vine.stats()["data"]
        assert (data["keys"], data["writes_refused"]) == (2, 4)


def test_bytes_are_counted_as_they_are_packed():
    with Vine(bytes_max=10) as vine:
        vine.gossip("k", "12345678")
        assert vine.stats()["data"]["bytes"] == 1 + 9
        with pytest.raises(errors.QuotaExceeded, match="bytes_max of 10"):
            vine.gossip("k", "123456789")
        vine["k"] = "1234567"


def test_it_is_told_before_the_quota_is_reached():
    calls = Calls()
    with Vine(keys_max=10) as vine:
        vine.on("quota", calls).listen()
        for number in range(9):
            vine.gossip(f"{number}", 1)
        calls.wait(1)
        assert calls.seen == [Quota("near", 9, 18, 10, 4 * 1024**3)]


def test_each_bound_is_told_once_and_small_changes_are_not():
    node = Node(Config(name="n", keys_max=10), random.Random(1), lambda: 1, now=100.0)

    def told_with(keys):
        held = node.data.count(0)
        for number in range(held, keys):
            node.data.write(b"%d" % number, 0, b"v", 1)
        for number in range(keys, held):
            node.data.write(b"%d" % number, 1, b"", 1)
        node.advance(100.0)
        effects = [effect for effect in node.outbox.take() if type(effect) is Emit]
        return [each.event.level for each in effects if type(each.event) is Quota]

    counts = [0, 8, 9, 9, 8, 9, 10, 9, 10, 7, 8, 9, 3]
    levels = [told_with(count) for count in counts]
    assert levels == [
        *([], [], ["near"], [], [], [], ["reached"], ["near"], ["reached"], ["below"]),
        *([], ["near"], ["below"]),
    ]


@pytest.mark.parametrize("name", ["keys_max", "bytes_max"])
def test_a_quota_is_a_number_above_0(name, monkeypatch):
    for wrong in (0, -1, 1.5, "5", True, 1 << 60):
        with pytest.raises(errors.InvalidConfig, match=name):
            Config(**{name: wrong})
    monkeypatch.setenv(f"VINES_{name.upper()}", "5")
    assert getattr(Config.from_environment(), name) == 5
