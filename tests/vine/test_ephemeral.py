"""Keys that live as long as their owner, as a user meets them: what is read, who is told what."""

from __future__ import annotations

import pytest

from tests.vine.helpers import ELSEWHERE, Calls, Near
from vines._core.changes import Changes
from vines._core.table import ENDED, EPHEMERAL, HIDDEN, SHOWN
from vines.callbacks.backlog import Backlog
from vines.callbacks.listeners import Listener
from vines.events import Gossip, Lapse
from vines.values.codec import pack
from vines.vine import Vine


def test_ones_own_are_read_and_written_again_as_any_other():
    with Vine() as vine:
        assert vine.gossip("k", "v", ephemeral=True) is vine
        vine.update({"a": 1, "b": [2]}, ephemeral=True, ttl=30)
        assert vine.snapshot() == {"a": 1, "b": [2], "k": "v"} and "k" in vine
        assert vine.stats()["data"]["ephemeral"] == 3
        vine["k"] = 5
        vine.delete("a")
        assert vine.stats()["data"]["ephemeral"] == 1


def test_two_vines_one_leaves():
    with Vine(name="web", cluster="eph") as web, Vine(name="proxy", cluster="eph") as proxy:
        web.listen()
        proxy.listen().wait_for(2, timeout=20)
        found, lost = Calls(), Calls()
        proxy.on("gossip", "web/*", found).on("lapse", "web/*", lost)
        web.gossip("web/1", "here", ephemeral=True).flush(20)
        (event,) = found.wait(1)
        assert (event.key, event.value, event.local) == ("web/1", "here", False)
        assert proxy["web/1"] == "here"
        web.leave()
        (gone,) = lost.wait(1)
        assert gone == Lapse("web/1", False, event.stamp, event.origin)
        assert proxy.get("web/1", "nothing") == "nothing" and proxy.keys() == []


def test_a_copy_after_a_fork_owns_them():
    with Vine() as vine:
        vine.gossip("k", 1, ephemeral=True)
        vine._engine.forked()
        assert vine["k"] == 1
        assert vine._engine.table.get(0, b"k")[1:3] == (vine._engine.table.source, EPHEMERAL)


class Here(Near):
    """The other table is an owner's."""

    def __init__(self) -> None:
        super().__init__()
        self.turn(SHOWN)

    def arrive(self, key: bytes) -> Changes:
        self.far.table.write(key, EPHEMERAL, pack(5), self.table.clock)
        return self.far.send()

    def turn(self, fate: int) -> Changes:
        changes = Changes()
        self.table.author(ELSEWHERE, fate)
        self.table.lapse(100, changes)
        return changes

    def tell(self, *batches: Changes, writes: int = -1) -> list:
        for changes in batches:
            self.teller.changes(changes, writes)
        kinds = [type(event) for event in self.told]
        self.told.clear()
        return kinds


@pytest.mark.parametrize("writes", [-1, 0])
def test_each_change_is_told_in_order(writes):
    here = Here()
    assert here.tell(here.arrive(b"k"), writes=writes) == [Gossip]
    for fate, kind in [(HIDDEN, Lapse), (SHOWN, Gossip), (HIDDEN, Lapse), (SHOWN, Gossip)]:
        assert here.tell(here.turn(fate), writes=writes) == [kind]
    assert here.tell(here.turn(ENDED), writes=writes) == [Lapse]


def test_what_was_overtaken_is_left_out_and_the_last_word_is_told():
    here = Here()
    batches = [here.arrive(b"k"), here.turn(HIDDEN), here.turn(SHOWN)]
    assert here.tell(*batches)[-1] == Gossip
    assert here.tell(here.turn(HIDDEN), here.turn(SHOWN), here.turn(HIDDEN))[-1] == Lapse


def test_a_listener_that_replays_hears_each_change_once():
    here = Here()
    here.teller.audience.listeners[0].remember()
    arrived = here.arrive(b"k")
    assert here.tell(arrived, arrived) == [Gossip]
    for _ in range(2):
        assert here.tell(here.turn(HIDDEN)) == [Lapse]
        shown = here.turn(SHOWN)
        assert here.tell(shown, shown) == [Gossip]


def test_a_replay_tells_what_is_shown_now():
    here = Here()
    here.arrive(b"k")
    for fate in (HIDDEN, SHOWN):
        here.turn(fate)
        for pattern in ("k", None):
            listener = Listener("gossip", pattern, here.told.append)
            assert here.teller.replay(listener, 0) is None
        assert here.tell() == ([int, Gossip] if fate == SHOWN else [])


@pytest.mark.parametrize(("fates", "last"), [([HIDDEN], Lapse), ([HIDDEN, SHOWN], Gossip)])
def test_a_pile_keeps_the_last_word(monkeypatch, fates, last):
    from vines.callbacks import backlog

    monkeypatch.setattr(backlog, "BYTES_MAX", 0)
    here, pile = Here(), Backlog()
    pile.add(here.arrive(b"k"))
    for fate in fates:
        pile.add(here.turn(fate))
    told = [here.tell(one.changes, writes=one.writes) for one in pile.take()[0]]
    assert told == [[last]]
