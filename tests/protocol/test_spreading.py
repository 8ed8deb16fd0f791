"""The tree on which records travel: one copy each, whatever breaks, and nothing that is lost."""

from __future__ import annotations

import random
from typing import Any

import pytest

from vines._core.digest import pull_page
from vines.protocol import machinery
from vines.protocol.links.links import Link
from vines.protocol.replicas import replication
from vines.protocol.replicas.channel import Channel
from vines.protocol.replicas.replication import Replication
from vines.protocol.replicas.spreading import GAPS_MAX, Spreading
from vines.protocol.wire.messages import CONTROL, DATA, Announce, Delta, Floor, Graft, Prune
from vines.protocol.writing import Writing

from .golden import SOURCE, VECTOR
from .pump import Host, Pump
from .test_hostile import Stranger

ROUND = 0.5
"""Seconds in which announcements are made, missed and answered, at the default interval."""


def larger(count: int, seed: int = 1, **options: object) -> tuple[Pump, list[Host]]:
    """A cluster in which not all are linked to all, its trees grown."""
    pump = Pump(seed)
    hosts = pump.cluster(count, **options)
    pump.run(3.0)
    for turn in range(3):
        for host in hosts:
            host.write(f"warm/{host.name}/{turn}")
            pump.run(ROUND)
    return pump, hosts


def links_of(host: Host) -> list[Link]:
    return host.node._parts.linking.links.established()


def deltas(hosts: list[Host]) -> int:
    return sum(host.count("frames_in", "delta") for host in hosts)


def holders(hosts: list[Host], key: str) -> int:
    return sum(host.value(key) is not None for host in hosts)


def test_where_all_link_to_all_a_write_takes_one_hop_and_one_copy() -> None:
    pump = Pump()
    hosts = pump.cluster(6)
    for host in hosts:
        host.write(f"warm/{host.name}")
        pump.run(1.0)
    before, start = deltas(hosts), pump.now
    for host in hosts:
        host.write(f"key/{host.name}")
        pump.settle()
        assert holders(hosts, f"key/{host.name}") == 6
    assert pump.now == start
    pump.run(1.0)
    assert deltas(hosts) - before == 6 * 5


@pytest.mark.parametrize("seed", range(3))
def test_in_a_larger_cluster_each_gets_a_write_about_once_without_time_passing(seed: int) -> None:
    pump, hosts = larger(20, seed)
    before, start = deltas(hosts), pump.now
    for host in hosts:
        host.write(f"key/{host.name}")
        pump.settle()
        assert holders(hosts, f"key/{host.name}") == 20
    assert pump.now == start
    pump.run(2.0)
    assert deltas(hosts) - before <= 1.2 * 20 * 19


def test_what_was_pruned_everywhere_is_announced_and_asked_for() -> None:
    pump, hosts = larger(12, sync_interval=1000.0)
    prune_all(hosts)
    hosts[3].write("key")
    pump.settle()
    assert holders(hosts, "key") == 1
    took = pump.until(lambda: holders(hosts, "key") == 12)
    assert took < 12 * ROUND
    hosts[3].write("next")
    pump.settle()
    assert holders(hosts, "next") == 12


def test_whoever_is_woken_by_an_announcement_makes_its_own_at_once() -> None:
    pump, hosts = larger(20)
    hosts[0].write("key")
    pump.settle()
    before = announcements(hosts)
    pump.until(lambda: announcements(hosts) > before)
    pump.settle()
    first = announcements(hosts) - before
    pump.run(ROUND)
    assert first > 0.8 * (announcements(hosts) - before)


def announcements(hosts: list[Host]) -> int:
    return sum(host.count("frames_out", "announce") for host in hosts)


def prune_all(hosts: list[Host]) -> None:
    for host in hosts:
        for link in links_of(host):
            for channel in link.channels:
                channel.thin(told=False)


def test_comparisons_bring_what_announcements_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf(Spreading):
        def announced(self, link: Link, message: Announce, now: float) -> None:
            pass

    monkeypatch.setattr(replication, "Spreading", Deaf)
    pump, hosts = larger(12)
    prune_all(hosts)
    hosts[3].write("key")
    pump.settle()
    assert holders(hosts, "key") == 1
    pump.until(lambda: holders(hosts, "key") == 12)


def test_a_tree_that_is_not_pruned_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Patient(Spreading):
        def took(self, link: Link, channel: Channel) -> None:
            pass

    monkeypatch.setattr(replication, "Spreading", Patient)
    pump, hosts = larger(12)
    before = deltas(hosts)
    hosts[3].write("key")
    pump.run(ROUND)
    assert deltas(hosts) - before > 1.2 * 11


def test_a_break_that_is_not_mended_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Careless(Spreading):
        def _close(self, table: int, source: bytes, *_: Any) -> None:
            self._gaps[table].pop(source)

        def _replace(self, *_: Any, **__: Any) -> None:
            pass

    class Indifferent(Replication):
        def differ(self, *_: Any, **__: Any) -> None:
            pass

    monkeypatch.setattr(replication, "Spreading", Careless)
    monkeypatch.setattr(machinery, "Replication", Indifferent)
    pump, hosts = larger(12, sync_interval=1000.0)
    prune_all(hosts)
    hosts[3].write("key")
    pump.run(10 * ROUND)
    assert holders(hosts, "key") == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_break_in_the_tree_is_mended_within_two_intervals(seed: int) -> None:
    chance = random.Random(seed)
    pump, hosts = larger(16, seed)
    for turn in range(6):
        host = chance.choice(hosts)
        eager = [each for each in links_of(host) if each.channels[DATA].eager]
        pump.cut(host.ends[chance.choice(eager).number])
        writer = chance.choice(hosts)
        writer.write(f"key/{turn}")
        pump.run(2 * ROUND)
        assert holders(hosts, f"key/{turn}") == 16


def test_a_tree_grows_on_when_processes_die() -> None:
    pump, hosts = larger(16)
    for turn in range(5):
        pump.kill(hosts.pop())
        hosts[turn].write(f"key/{turn}")
        pump.run(2 * ROUND)
        assert holders(hosts, f"key/{turn}") == len(hosts)


def test_who_has_no_eager_link_left_makes_one() -> None:
    pump, hosts = larger(12)
    host = hosts[5]
    for link in links_of(host):
        host.node.receive(Prune(DATA).encode()[4:], link.number, pump.now)
    pump.settle()
    assert any(link.channels[DATA].eager for link in links_of(host))
    host.write("key")
    pump.settle()
    assert holders(hosts, "key") == 12


def test_a_reader_without_room_is_no_place_for_a_tree() -> None:
    pump, hosts = larger(12, frame_bytes=1024, link_window=4096)
    host = hosts[0]
    link = next(each for each in links_of(host) if each.channels[DATA].eager)
    end = host.ends[link.number]
    end.peer.reading = False
    for turn in range(40):
        for number in range(10):
            host.write(f"key/{turn}/{number}", bytes(200))
        pump.run(0.1)
    assert not link.channels[DATA].eager
    assert link.unsent <= 4096 + 2 * 1024 + 256
    assert holders([each for each in hosts if each is not end.peer.host], "key/39/9") == 11
    end.peer.reading = True
    pump.run(5.0)
    assert holders(hosts, "key/39/9") == 12


def test_a_flush_need_not_wait_for_announcements() -> None:
    pump, hosts = larger(12)
    host = hosts[2]
    host.write("key")
    others = len(links_of(host))
    assert any(not each.channels[DATA].eager for each in links_of(host))
    token = host.node.flush(others, pump.now)
    took = pump.until(lambda: any(getattr(each, "token", 0) == token for each in host.events))
    assert took <= 0.1


def test_last_words_go_on_every_link() -> None:
    pump, hosts = larger(12)
    host = hosts[4]
    for link in links_of(host):
        for channel in link.channels:
            channel.thin(told=False)
    host.write("last")
    host.node.leave(pump.now)
    pump.settle()
    assert host.node.drained
    pump.kill(host)
    pump.run(ROUND)
    rest = [each for each in hosts if each is not host]
    assert holders(rest, "last") == 11
    assert {each.states()[host.name] for each in rest} == {"left"}


def test_one_who_only_watches_gets_what_others_wrote_at_once() -> None:
    pump = Pump()
    hosts = pump.cluster(5)
    watcher = pump.host(9, observer=True)
    pump.join(watcher, hosts[0])
    pump.run(3.0)
    for turn in range(3):
        for host in hosts:
            host.write(f"key/{host.name}/{turn}")
            pump.run(ROUND)
            assert watcher.value(f"key/{host.name}/{turn}") is not None


def test_a_member_that_cannot_reach_another_hears_of_its_writes_from_others() -> None:
    pump = Pump()
    a, b, *rest = pump.cluster(4)
    assert a.address and b.address
    pump.vanished |= {a.address, b.address}
    pump.cut(a.to(b))
    for turn in range(10):
        b.write(f"key/{turn}")
        pump.run(0.1)
    pump.run(ROUND)
    assert holders([a, *rest], "key/9") == 3


def test_control_is_not_held_up_by_a_reader_without_room_for_data() -> None:
    pump = Pump()
    a, b = pump.cluster(2, frame_bytes=1024, link_window=2048)
    b.to(a).reading = False
    for number in range(100):
        a.write(f"key/{number}", bytes(200))
    pump.settle()
    waiting = b.to(a).waiting
    before = len(waiting)
    a.node.tags({"role": "web"}, pump.now)
    pump.settle()
    assert len(waiting) == before + 1
    assert waiting[-1][6] == CONTROL


# From those who say what they must not.


def peer_of(count: int = 3) -> tuple[Pump, list[Host], Stranger]:
    pump = Pump()
    hosts = pump.cluster(count)
    peer = Stranger(hosts[0])
    peer.shake_hands()
    return pump, hosts, peer


def test_announcements_of_what_nobody_has_cost_a_bounded_memory_and_end() -> None:
    pump, hosts, peer = peer_of()
    for turn in range(40):
        named = [((turn * 1000 + number).to_bytes(16, "big"), 7) for number in range(1000)]
        peer.say(Announce(DATA, pull_page(named)))
    spreading = hosts[0].node._parts.spreading
    assert len(spreading._gaps[DATA]) == GAPS_MAX
    assert len(hosts[0].node.data.vector()) <= 4
    pump.run(5.0)
    assert spreading._gaps[DATA] == {}
    hosts[0].write("key")
    pump.settle()
    assert holders(hosts, "key") == 3


def test_what_was_announced_is_asked_for_once_of_each_that_said_so() -> None:
    pump, _, peer = peer_of()
    peer.say(Announce(DATA, VECTOR))
    said: list[object] = []
    for _ in range(30):
        pump.now += 0.1
        said += peer.answers(Announce(DATA, VECTOR))
    grafts = [each for each in said if isinstance(each, Graft)]
    assert 1 <= len(grafts) <= 15
    assert all(each.body[each.offset :] == pull_page([(SOURCE, 0)]) for each in grafts)


def test_prunes_and_grafts_without_end_change_nothing_for_others() -> None:
    pump, hosts, peer = peer_of()
    for _ in range(200):
        peer.say(Prune(DATA))
        peer.say(Graft(DATA, pull_page([])))
        peer.say(Prune(CONTROL))
    hosts[0].write("key")
    pump.settle()
    assert holders(hosts, "key") == 3
    assert not peer.say(Prune(DATA))


def test_a_graft_below_the_floor_is_answered_by_a_join() -> None:
    host = Pump().host(1, log_slack=0)
    for number in range(50):
        host.write(f"key/{number % 5}")
    peer = Stranger(host)
    peer.shake_hands(data=host.node.data.fingerprint())
    answers = peer.answers(Graft(DATA, pull_page([(host.node.source, 0)])))
    assert Floor(DATA) in answers
    assert not any(isinstance(each, Delta) and each.table == DATA for each in answers)


class AtLength(Writing):
    """Asks for the most urgent frame in any case."""

    def news(self, link: Link) -> bytes | None:
        return None


@pytest.mark.parametrize("count", [5, 14])
def test_what_is_written_the_short_way_is_what_the_long_one_writes(count: int) -> None:
    # Alone on a link or not, of one write or many, in frames of any number: the same frames.
    def counts(*, long: bool) -> tuple[list[object], list[list[object]]]:
        rng, found = random.Random(count), list[object]()
        pump = Pump()
        hosts = pump.cluster(count, frame_bytes=4096, sync_interval=2.0)
        pump.run(3.0)
        if long:
            for host in hosts:
                parts = host.node._parts
                writing = AtLength(
                    *(host.node.config, host.node.outbox, parts.traffic, parts.flushes.targets),
                    pump.now,
                )
                writing.dialogue = parts.dialogue
                parts.writing = parts.pusher._writing = writing
        for turn in range(60):
            host = rng.choice(hosts)
            for number in range(rng.choice((1, 1, 1, 3, 200))):
                value = rng.randbytes(rng.choice((1, 30, 100)))
                host.node.data.write(b"%d/%d" % (turn, number), 0, value, pump.wall())
            host.node.advance(pump.now)
            if rng.random() < 0.2:
                host.node.flush(2, pump.now)
            if rng.random() < 0.2:
                host.node.tags({"turn": str(turn)}, pump.now)
            if rng.random() < 0.1:
                pump.cut(rng.choice(hosts).to(next(one for one in hosts if host.route(one))))
            pump.run(rng.choice((0.0, 0.01, 0.3)))
            stats = [host.node.stats() for host in hosts]
            found += [(turn, each["frames_out"], each["bytes_out"]) for each in stats]
        pump.run(5.0)
        return found, [sorted(host.node.data.records()) for host in hosts]

    sent, tables = counts(long=False)
    assert all(each == tables[0] for each in tables)
    assert sent == counts(long=True)[0]
