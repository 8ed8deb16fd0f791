"""Keys with a time to live: what is refused, what is read, and who is told when it is over."""

from __future__ import annotations

import math
import time
from datetime import timedelta
from decimal import Decimal

import pytest

from tests.vine.helpers import ELSEWHERE, Calls, Near
from vines import errors, keyspace
from vines._core.changes import Changes
from vines._core.table import DATA, EXPIRING, LEFT_MAX, TOMBSTONE
from vines.callbacks.backlog import Backlog
from vines.callbacks.listeners import Listener
from vines.events import Gossip, Lapse
from vines.values.codec import pack
from vines.values.ttl import milliseconds
from vines.vine import Vine


@pytest.fixture
def vine():
    with Vine() as one:
        yield one


@pytest.fixture
def later(monkeypatch):
    """Whoever reads does so a minute later."""

    def let_pass() -> None:
        monkeypatch.setattr(keyspace, "monotonic", lambda: time.monotonic() + 60)

    return let_pass


@pytest.mark.parametrize(
    ("ttl", "left"),
    [
        (1, 1000),
        (0.0001, 1),
        (1.0001, 1001),
        (timedelta(milliseconds=5), 5),
        (timedelta(microseconds=1), 1),
        (timedelta(days=3652.5), LEFT_MAX),
        (LEFT_MAX / 1000, LEFT_MAX),
        (None, 0),
    ],
)
def test_a_time_to_live_is_whole_milliseconds_and_never_less(ttl, left):
    assert milliseconds(ttl) == left


@pytest.mark.parametrize(
    "ttl",
    [
        *(0, -1, 0.0, -0.0, math.nan, math.inf, -math.inf, 10**400, LEFT_MAX / 1000 + 1),
        *(timedelta(0), timedelta(days=-1), timedelta(days=3653), timedelta.max),
        *(True, False, "5", [5], 1j, Decimal(5)),
    ],
)
def test_a_time_that_is_none_is_refused_and_nothing_changes(vine, ttl):
    for call in (vine.gossip, lambda key, value, ttl: vine.update({key: value}, ttl=ttl)):
        with pytest.raises(errors.InvalidTtl, match="nothing changed"):
            call("k", 1, ttl=ttl)
        with pytest.raises(ValueError, match="ttl"):
            call("k", 1, ttl=ttl)
    assert "k" not in vine
    assert vine.update({}) is vine


def test_own_writes_are_read_until_their_time_is_over_whether_or_not_the_loop_runs(vine, later):
    assert vine.gossip("k", "v", ttl=30) is vine
    vine.update({"a": 1, "b": [2]}, ttl=timedelta(seconds=30)).gossip("stays", 3, ttl=300)
    assert vine["k"] == "v" and vine["b"] == [2] and len(vine.keys()) == 4
    later()
    assert "k" not in vine
    assert vine.get("k", 5) == 5
    with pytest.raises(errors.MissingKey):
        vine["b"]
    assert vine.keys() == ["stays"]
    assert vine.snapshot() == {"stays": 3}


@pytest.mark.parametrize("how", ["for good", "with a ttl", "deleted"])
def test_writing_again_ends_the_time(vine, later, how):
    vine.gossip("k", 1, ttl=30)
    if how == "deleted":
        vine.delete("k").gossip("k", 2)
    else:
        vine.gossip("k", 2, ttl=None if how == "for good" else 300)
    later()
    assert vine["k"] == 2


def test_a_lapse_is_told_to_who_listens_to_the_key_its_prefix_or_all():
    with Vine() as vine:
        one, prefix, every, other = Calls(), Calls(), Calls(), Calls()
        vine.on("lapse", "a/1", one).on("lapse", "a/*", prefix).on("lapse", every)
        vine.on("lapse", "b/*", other)
        vine.listen().gossip("a/1", "v", ttl=0.02).gossip("a/2", "v")
        for calls in (one, prefix, every):
            calls.wait(1)
            (event,) = calls.seen
            assert type(event) is Lapse and (event.key, event.local) == ("a/1", True)
        assert vine.keys() == ["a/2"] and other.seen == []


def test_a_copy_after_a_fork_goes_on_with_what_is_left(vine, later):
    vine.gossip("k", 1, ttl=30).gossip("longer", 2, ttl=300).gossip("stays", 3)
    vine._engine.forked()
    left = {key: left for _, key, left in vine._engine.table.expiring()}
    assert 0 < left[b"k"] <= 30_000 and 30_000 < left[b"longer"] <= 300_000
    later()
    assert vine.keys() == ["longer", "stays"]


class Here(Near):
    """The other table's values have a time to live."""

    def arrive(self, key: bytes, left: int) -> Changes:
        self.far.table.write(key, EXPIRING, pack(5), self.table.clock, left)
        return self.far.send()

    def lapse(self) -> Changes:
        self.table.tick(1000.0)
        changes = Changes()
        self.table.lapse(100, changes)
        return changes

    @property
    def kinds(self) -> list:
        return [(type(event), event.key) for event in self.told]


def test_a_value_and_its_lapse_are_told_once_each_and_in_order():
    here = Here()
    value, lapse = here.arrive(b"k", 10), here.lapse()
    here.teller.changes(value, here.table.counter)
    here.teller.changes(lapse, here.table.counter)
    assert here.kinds == [(Gossip, "k"), (Lapse, "k")]
    assert here.told[1] == Lapse("k", False, here.told[0].stamp, ELSEWHERE)


def test_a_value_that_lapsed_before_its_turn_is_left_out_and_the_lapse_is_told_once():
    here = Here()
    value, lapse = here.arrive(b"k", 10), here.lapse()
    here.teller.changes(value)
    here.teller.changes(lapse)
    assert here.kinds == [(Lapse, "k")]


def test_a_lapse_that_was_overtaken_by_a_write_is_not_told():
    here = Here()
    here.arrive(b"k", 10)
    lapse = here.lapse()
    here.teller.changes(here.far.write(("k", 6)))
    here.teller.changes(lapse)
    assert here.kinds == [(Gossip, "k")]


def test_a_pile_keeps_that_a_key_lapsed(monkeypatch):
    from vines.callbacks import backlog

    monkeypatch.setattr(backlog, "BYTES_MAX", 0)
    here, pile = Here(), Backlog()
    for changes in (here.arrive(b"k", 10), here.arrive(b"stays", 10**7)):
        pile.add(changes)
    pile.add(here.lapse())
    for batch in pile.take()[0]:
        here.teller.changes(batch.changes, batch.writes)
    assert here.kinds == [(Lapse, "k"), (Gossip, "stays")] or here.kinds == [
        (Gossip, "stays"),
        (Lapse, "k"),
    ]


def test_a_lapse_is_news_to_who_was_told_the_value_in_a_replay():
    here = Here()
    listeners = here.teller.audience.listeners
    for listener in listeners:
        listener.remember()
    value, lapse = here.arrive(b"k", 10), None
    here.teller.changes(value)
    here.teller.changes(value)
    lapse = here.lapse()
    here.teller.changes(lapse)
    here.teller.changes(lapse)
    assert here.kinds == [(Gossip, "k"), (Lapse, "k")]


def test_a_replay_leaves_out_what_is_due():
    here = Here()
    here.arrive(b"k", 10)
    here.arrive(b"l", 10**7)
    here.table.tick(1.0)
    for key in ("k", None):
        listener = Listener("gossip", key, here.told.append)
        assert here.teller.replay(listener, 0) is None
    assert here.kinds == [(Gossip, "l")]


def test_a_node_that_hears_of_a_lapse_alone_tells_it():
    here = Here()
    here.far.table.tick(1.0)
    here.far.table.write(b"k", EXPIRING, pack(5), 1, 10)
    here.far.table.tick(2.0)
    here.teller.changes(here.far.send(), here.table.counter)
    assert here.kinds == [(Lapse, "k")]
    assert here.table.get(DATA, b"k")[2] == EXPIRING | TOMBSTONE
