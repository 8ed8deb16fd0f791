"""Both tables on whole links: pushing, catching up, joining, and what each of them costs."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from vines._core.table import TOMBSTONE, Table
from vines._core.vector import VersionVector
from vines.events import KeysChanged, Synced
from vines.protocol import machinery
from vines.protocol.links.links import Link
from vines.protocol.machine import Write
from vines.protocol.replicas import joining, replication
from vines.protocol.wire.messages import Floor
from vines.protocol.wire.probe import Probe

from .pump import Host, Pump
from .test_probe import datagram


def equal(*hosts: Host) -> bool:
    prints = {(host.node.control.fingerprint(), host.node.data.fingerprint()) for host in hosts}
    return len(prints) == 1


def test_what_was_written_before_and_after_arrives_on_both_sides() -> None:
    pump = Pump()
    a, b = pump.host(1), pump.host(2)
    a.write("before", b"\x01")
    b.write("too", b"\x02")
    pump.join(b, a)
    pump.settle()
    a.write("after", b"\x03")
    pump.settle()
    assert (b.value("before"), a.value("too"), b.value("after")) == (b"\x01", b"\x02", b"\x03")
    assert equal(a, b)


def test_a_write_leaves_on_the_next_turn_without_time_passing() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    start = pump.now
    a.write("key")
    pump.settle()
    assert (b.value("key"), pump.now) == (b"\x01", start)


def test_changes_are_told_once_per_frame_while_somebody_watches() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    a.write("unwatched")
    pump.settle()
    b.node.watching = True
    for index in range(100):
        a.node.data.write(b"key%d" % index, 0, b"\x01", pump.wall())
    a.node.advance(pump.now)
    pump.settle()
    assert [len(event.changes) for event in b.of(KeysChanged)] == [100]
    assert b.changed() == [b"key%d" % index for index in range(100)]
    assert a.of(KeysChanged) == []


def test_synced_is_told_once_when_everything_of_some_peer_is_here() -> None:
    pump = Pump()
    a, b = pump.host(1), pump.host(2, frame_bytes=512, link_window=512)
    for index in range(200):
        a.write(f"key{index}")
    pump.join(b, a)
    pump.settle()
    assert len(b.of(Synced)) == len(a.of(Synced)) == 1
    assert len(b.node.data) == 200
    c = pump.host(3)
    pump.join(c, b)
    pump.run(5.0)
    assert len(b.of(Synced)) == 1


@pytest.mark.parametrize(("sources", "keys"), [(2, 300), (600, 5)])
def test_equal_tables_exchange_digests_only(sources: int, keys: int) -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    for number in range(2, sources):
        other = Table(number.to_bytes(16, "big"), bytes(16), bytes(16))
        other.write(b"by%d" % number, 0, b"\x01", pump.wall())
        body = other.delta_for(VersionVector(), 1 << 16)
        assert body is not None
        a.node.data.apply(body)
    for index in range(keys):
        a.write(f"key{index}")
    pump.settle()
    assert equal(a, b) and len(b.node.data) == sources - 2 + keys
    pump.run(15.0)
    quiet = a.node.stats()["frames_out"]
    pump.cut(a.to(b))
    pump.run(0.5)
    assert a.linked() == ["n2"]
    assert said_since(a, quiet).keys() == {"hello"}  # the fingerprints are in it
    # Somebody says all the while that b holds something else.
    before = [
        (host.node.stats()["frames_out"], host.count("bytes_out", "digest")) for host in (a, b)
    ]
    for number in range(100):
        lie = datagram(Probe(number.to_bytes(8, "big")), sender=b.node.id)
        a.node.datagram(lie, b.address, pump.now)
        pump.run(0.05)
    for host, (frames, size) in zip((a, b), before, strict=True):
        said = said_since(host, frames)
        assert said.keys() <= {"digest"} and bool(said) is (host is a)
        assert host.count("bytes_out", "digest") - size <= said["digest"] * 40


def said_since(host: Host, before: object) -> Counter[str]:
    """Frames by their kind."""
    now: Any = host.node.stats()["frames_out"]
    return Counter(now) - Counter(before)


def spent(host: Host) -> int:
    """Bytes that a node gave to its sockets."""
    stats: dict = host.node.stats()
    return sum(stats["bytes_out"].values()) + sum(stats["datagram_bytes_out"].values())


@pytest.mark.parametrize("keys", [10, 10_000])
def test_an_idle_node_sends_at_most_200_bytes_a_second_whatever_it_holds(keys: int) -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    for index in range(keys):
        a.node.data.write(b"key%d" % index, 0, b"\x01", pump.wall())
    a.node.advance(pump.now)
    pump.run(2.0)
    assert equal(a, b)
    sent = [spent(host) for host in (a, b)]
    pump.run(60.0)
    for host, before in zip((a, b), sent, strict=True):
        assert 60 * 100 < spent(host) - before < 60 * 115


def test_a_peer_that_does_not_read_costs_a_window_and_gets_everything_later() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    b.to(a).reading = False
    for turn in range(200):
        for index in range(100):
            a.node.data.write(b"key%d" % index, 0, b"%04d" % turn * 100, pump.wall())
        a.node.advance(pump.now)
        pump.settle()
        assert a.node.stats()["unsent"] <= 256 * 1024 + 2 * 64 * 1024
    b.to(a).reading = True
    pump.settle()
    assert equal(a, b)
    assert b.value("key7") == b"0199" * 100


def test_control_goes_on_while_data_fills_the_window() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    end = b.to(a)
    end.reading = False
    for index in range(3000):
        a.node.data.write(b"key%d" % index, 0, b"x" * 400, pump.wall())
    a.node.advance(pump.now)
    pump.settle()
    a.node.tags({"role": "web"}, pump.now)
    a.node.advance(pump.now)
    frames = [effect.frame for effect in a.node.outbox.take() if isinstance(effect, Write)]
    assert [(frame[4], frame[6]) for frame in frames] == [(5, 0)]


def test_no_link_waits_for_the_backlog_of_another() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    for index in range(20_000):
        a.node.data.write(b"key%d" % index, 0, b"x" * 100, pump.wall())
    a.node.advance(pump.now)
    links = [effect.link for effect in a.node.outbox.take() if isinstance(effect, Write)]
    first, second = a.route(b), a.route(c)
    assert links[:6] == [first, second] * 3 or links[:6] == [second, first] * 3


def test_a_turn_writes_a_bounded_number_of_frames_and_goes_on_at_once() -> None:
    pump = Pump()
    a, _ = pump.cluster(2, link_window=1 << 20, frame_bytes=4096)
    for index in range(10_000):
        a.node.data.write(b"key%d" % index, 0, b"x" * 100, pump.wall())
    a.node.advance(pump.now)
    assert len(a.node.outbox.take()) == 32
    deadline = a.node.deadline()
    assert deadline is not None
    assert deadline <= pump.now


def test_one_record_larger_than_a_frame_goes_alone() -> None:
    pump = Pump()
    a, b = pump.cluster(2, frame_bytes=1024, link_window=1024)
    for key in ("one", "two", "three"):
        a.write(key, b"x" * 100_000)
    pump.settle()
    assert equal(a, b)


def test_a_writer_that_outruns_the_arrival_log_is_caught_up_with() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3, horizon=2, frame_bytes=512, link_window=512)
    for turn in range(50):
        for host in (a, b, c):
            host.write(f"key{turn % 7}", b"%d" % turn)
            host.write(f"{host.name}/{turn}")
        if turn % 5 == 0:
            pump.settle()
    pump.settle()
    assert equal(a, b, c)


def test_a_cut_at_any_frame_loses_nothing() -> None:
    for cut in range(1, 25):
        pump = Pump()
        a, b = pump.host(1, frame_bytes=256), pump.host(2, frame_bytes=256)
        for index in range(60):
            a.write(f"key{index % 25}")
            b.write(f"other{index % 25}")
        pump.join(b, a)
        pump.held = True
        pump.settle()
        for step in range(cut):
            ends = [end for host in (a, b) for end in host.ends.values()]
            pump.read(ends[step % 2])
            pump.settle()
        pump.cut(next(iter(a.ends.values())))
        pump.held = False
        pump.run(0.5)
        pump.settle()
        assert equal(a, b)


def test_tables_that_differ_for_no_known_reason_are_compared_and_made_equal() -> None:
    """A node believes that its peer holds what it never got: comparing finds it out."""
    pump = Pump()
    a, b = pump.cluster(2)
    for channel in a.node._links.established()[0].channels:
        channel.table.write(b"lost", 0, b"\x01", pump.wall())
        channel.progress.assume_equal()
    a.node.advance(pump.now)
    pump.settle()
    assert b.value("lost") is None
    assert pump.until(lambda: equal(a, b), seconds=10.0) <= 4.0
    assert b.value("lost") == b"\x01"


def test_comparisons_do_not_disturb_tables_that_differ_by_what_is_on_its_way() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    vectors = a.count("frames_out", "vector")
    for turn in range(40):
        a.write(f"key{turn}")
        pump.run(0.1)
    assert a.count("frames_out", "vector") == vectors
    assert b.value("key39") == b"\x01"


def test_a_join_brings_what_increments_no_longer_can() -> None:
    pump = Pump()
    a = pump.host(1, log_slack=0, frame_bytes=512)
    for turn in range(400):
        a.write(f"key{turn % 50}", b"%d" % turn)
    b = pump.host(2, frame_bytes=512)
    b.node.watching = True
    pump.join(b, a)
    pump.settle()
    assert equal(a, b)
    assert b.node.stats()["joins"] == 1
    assert sorted(set(b.changed())) == sorted(b"key%d" % index for index in range(50))
    a.write("more")
    b.write("back")
    pump.settle()
    assert equal(a, b)
    assert b.node.stats()["joins"] == 1


def test_a_join_of_many_pages_takes_no_time_but_theirs() -> None:
    """The floors of forty sources do not fit one frame, and no other frame drives them out."""
    pump = Pump()
    a, b = pump.cluster(2, frame_bytes=64)
    for number in range(3, 43):
        other = pump.host(number)
        other.write(f"key{number}")
        a.node.data.apply(other.node.data.delta_for(a.node.data.vector(), 4096))
    pump.run(5.0)
    assert equal(a, b)
    before, start = a.count("frames_out", "snapshot"), pump.now
    link = a.node._links.established()[0]
    link.channels[1].floor_owed = True
    a.node._parts.pusher.wake(link)
    pump.settle()
    assert (b.node.stats()["joins"], pump.now) == (1, start)
    assert a.count("frames_out", "snapshot") - before > 40


def test_who_joined_twice_in_a_moment_says_that_it_holds_everything() -> None:
    """The second time it is not asked at once for what else there is, but it is asked."""
    pump = Pump()
    a, b = pump.host(1, log_slack=0), pump.host(2)
    pump.join(b, a)
    pump.settle()
    for _ in range(2):
        before = b.node._parts.replication.joins.count
        for turn in range(2_000):
            a.node.data.write(b"key%d" % (turn % 10), 0, b"\x01", turn << 16)
        pump.settle()
        assert b.node._parts.replication.joins.count > before
    pump.run(2.0)
    (link,) = a.node._parts.linking.links.established()
    assert all(channel.drained for channel in link.channels)
    assert equal(a, b)


def test_a_deletion_that_came_and_went_while_a_join_was_under_way_is_covered_by_a_second() -> None:
    """Neither it nor what it deleted is on a page of the first, whose floors do not name it."""
    pump = Pump()
    a, b = (pump.host(number, log_slack=0, frame_bytes=512) for number in (1, 2))
    for turn in range(400):
        a.write(f"key{turn % 50}", b"%d" % turn)
    pump.join(b, a)
    while not len(b.node.data):
        assert pump.step()
    held, had = ({record[1] for record in host.node.data.records()} for host in (a, b))
    missed = held - had
    assert missed
    for key in missed:
        a.node.data.write(key, TOMBSTONE, b"", pump.wall() << 16)
    everything = a.node.data.vector()
    a.node.data.collect_stable(everything, everything, pump.wall() + 1 << 16, 0, 1 << 20)
    assert not a.node.data.tombstones
    joined: list[int] = []
    while pump.step():
        if b.node.stats()["joins"] == len(joined) + 1:
            joined.append(b.node.data.covered(a.node.data.source))
    # First it covers all that was deleted, and not the deletions: it is below a floor of them.
    assert joined == [400, 400 + len(missed)]
    assert equal(a, b)
    assert {record[1] for record in b.node.data.records()}.isdisjoint(missed)


def test_that_floors_rose_is_told_when_they_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of a join of a large table takes more than one turn."""
    monkeypatch.setattr(joining, "SWEEP_SLOTS", 1)
    pump = Pump()
    a, b = pump.host(1, log_slack=0), pump.host(2)
    for turn in range(15_000):
        a.node.data.write(b"key%d" % (turn % 5_000), 0, b"\x01", turn << 16)
    at, turns = [], []
    replication, sweep = b.node._parts.replication, joining.Joins.sweep
    replication.joined = lambda _: at.append(b.node.data.covered(a.node.data.source))

    def counted(*arguments: Any) -> Any:
        turns.append(arguments[0] is replication.joins)
        return sweep(*arguments)

    monkeypatch.setattr(joining.Joins, "sweep", counted)
    pump.join(b, a)
    pump.settle()
    assert sum(turns) > 1 and at == [15_000]
    assert equal(a, b)


def test_a_join_goes_on_while_the_table_changes() -> None:
    pump = Pump()
    a = pump.host(1, log_slack=0, frame_bytes=256)
    for turn in range(400):
        a.write(f"key{turn % 50}", b"%d" % turn)
    b = pump.host(2, frame_bytes=256)
    pump.join(b, a)
    for turn in range(200):
        pump.step()
        a.write(f"key{turn % 60}", b"later %d" % turn)
        b.write(f"key{turn % 70}", b"b %d" % turn)
    pump.settle()
    assert equal(a, b)


def test_a_join_cut_anywhere_begins_anew() -> None:
    for cut in range(10, 60, 3):
        pump = Pump()
        a = pump.host(1, log_slack=0, frame_bytes=256)
        for turn in range(400):
            a.write(f"key{turn % 50}", b"%d" % turn)
        b = pump.host(2, frame_bytes=256)
        pump.join(b, a)
        for _ in range(cut):
            pump.step()
        if b.ends:
            pump.cut(next(iter(b.ends.values())))
        pump.run(6.0)
        assert equal(a, b)


def test_a_join_that_does_not_come_forward_ends_the_link() -> None:
    pump = Pump()
    a = pump.host(1, log_slack=0, frame_bytes=256)
    for turn in range(400):
        a.write(f"key{turn % 50}", b"%d" % turn)
    b = pump.host(2)
    pump.join(b, a)
    while a.count("frames_out", "snapshot") == 0:
        pump.step()
    served = a.node._links.established()[0].channels[1]
    served.page_owed = None
    served.joinable = False
    served.floors_owed.clear()
    for end in (*a.ends.values(), *b.ends.values()):
        end.waiting = type(end.waiting)(data for data in end.waiting if data[4] not in (8, 9))
    pump.run(29.0)
    assert not equal(a, b)
    pump.run(10.0)
    assert equal(a, b)


def test_a_node_under_a_foreign_source_takes_a_fresh_one_and_says_so() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    a.write("mine")
    pump.settle()
    old = a.node.source
    vector = b.node.data.vector()
    vector.raise_to(old, 1)
    b.node.data.adopt(b"x" * 16)
    for index in range(3):
        b.write(f"forged{index}")
    body = b.node.data.delta_for(vector, 1 << 16)
    assert body is not None
    forged = body.replace(b"x" * 16, old)
    a.node.receive(b"\x05\x00\x01" + forged, a.to(b).number, pump.now)
    assert a.node.source != old
    assert a.node.source[:8] > old[:8]
    pump.settle()
    a.write("again")
    pump.settle()
    assert b.value("again") == b"\x01"
    assert [event.kind for event in a.events if type(event).__name__ == "Conflict"] == ["source"]
    assert b.states() == {"n1": "alive"}


def test_a_link_on_which_both_tables_join_in_vain_ends_once() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    link = b.node._links.established()[0]
    for channel in link.channels:
        b.node._parts.replication.joins.told(link, Floor(channel.number), pump.now)
        channel.join_owed = None
    pump.run(40.0)
    assert b.node._links.established()[0] is not link
    assert a.linked() == ["n2"] and equal(a, b)


def half_a_join(pump: Pump, b: Host, keys: int) -> None:
    """Leave records with a node that no vector covers, as a join does that was cut."""
    lost = pump.host(9)
    for index in range(keys):
        lost.write(f"half{index}")
    page, _ = lost.node.data.page(0, 1 << 16)
    b.node.data.apply_page(page, 0, 0, None)
    pump.kill(lost)


def test_what_no_counter_can_see_is_healed_by_a_join() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    half_a_join(pump, b, 5)
    assert not equal(a, b)
    assert pump.until(lambda: equal(a, b), seconds=10.0) <= 5.0
    assert a.value("half4") == b"\x01"
    assert not [event for event in a.events if type(event).__name__ == "Conflict"]


def test_it_is_healed_also_where_strays_are_counted_anew_for_many_turns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turns = []

    class Counted(replication.Replication):
        def advance(self, now: float, links: list[Link]) -> None:
            turns.extend(table for table in self._tables if table.recounting)
            super().advance(now, links)

    monkeypatch.setattr(machinery, "Replication", Counted)
    monkeypatch.setattr(replication, "RECOUNT_SLOTS", 1)
    pump = Pump()
    a, b = pump.cluster(2)
    lost = pump.host(9)
    for index in range(10_000):
        lost.node.data.write(b"half%d" % index, 0, b"\x01", pump.wall())
    cursor: int | None = 0
    while cursor is not None:
        page, cursor = lost.node.data.page(cursor, 1 << 16)
        b.node.data.apply_page(page, 0, 0, None)
    pump.kill(lost)
    assert not equal(a, b)
    assert pump.until(lambda: equal(a, b), seconds=20.0) <= 8.0
    assert len(turns) >= 2 and a.node.data.recounting is b.node.data.recounting is False
    assert a.value("half9999") == b"\x01"
    assert not [event for event in a.events if type(event).__name__ == "Conflict"]


def test_tables_that_a_join_cannot_make_equal_are_told_of_and_left_alone() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    a.write("key")
    pump.settle()
    # The same (stamp, origin) with other bytes: what must never be.
    for host, value in ((a, b"\x01"), (b, b"\x02")):
        host.node.data.put(7, b"twice", 0, value, 5)
    pump.settle()
    source = b.node.data.source
    for host, value in ((a, b"\x01"), (b, b"\x02")):
        other = Pump().host(8).node.data
        other.adopt(b"z" * 16)
        other.put(7, b"equal", 0, value, 9)
        page, _ = other.page(0, 1 << 16)
        host.node.data.apply_page(page, 0, 0, None)
    assert source == b.node.data.source
    pump.run(60.0)
    joins = a.node.stats()["joins"]
    assert [event.kind for event in a.events if type(event).__name__ == "Conflict"] == ["state"]
    pump.run(600.0)
    assert a.node.stats()["joins"] == joins


def test_a_newcomer_is_sent_the_data_by_one_peer_and_not_by_all() -> None:
    pump = Pump()
    hosts = pump.cluster(6)
    for index in range(3000):
        hosts[0].node.data.write(b"key%d" % index, 0, b"x" * 64, pump.wall())
    hosts[0].node.advance(pump.now)
    pump.run(2.0)
    late = pump.host(7)
    for host in hosts:
        pump.join(late, host)
    pump.run(5.0)
    assert equal(late, *hosts)
    bytes_in = late.node.stats()["bytes_in"]
    assert bytes_in["delta"] < 1.5 * 3000 * 85  # type: ignore[index]


def test_a_newcomer_asks_the_next_peer_when_the_first_falls_silent() -> None:
    pump = Pump()
    hosts = pump.cluster(3, frame_bytes=512, link_window=512)
    for index in range(100):
        hosts[0].write(f"key{index}", b"x" * 64)
    pump.settle()
    late = pump.host(7, frame_bytes=512, link_window=512)
    for host in hosts:
        pump.join(late, host)
    while late.count("frames_in", "delta") < 8:
        pump.step()
    active = late.node._parts.replication.catching.active
    assert active is not None
    late.ends[active.number].reading = False
    pump.run(4.0)
    assert equal(late, *hosts)


@pytest.mark.parametrize("network", ["lan", "local"])
@pytest.mark.parametrize("nodes", [2, 12])
@pytest.mark.parametrize("seed", range(5))
def test_a_write_that_was_missed_is_there_after_two_seconds(
    seed: int, nodes: int, network: str
) -> None:
    pump = Pump(seed)
    *hosts, last = pump.cluster(nodes, network=network)
    pump.run(10.0 + seed / 7)
    hosts[0].node.data.write(b"missed", 0, b"\x01", pump.wall())
    delta = hosts[0].node.data.delta_for(last.node.data.vector(), 4096)
    assert delta is not None
    for host in hosts:
        host.node.data.apply(delta)
        for link in host.node._links.established():
            link.channels[1].progress.assume_equal()
    assert last.value("missed") is None
    assert pump.until(lambda: last.value("missed") is not None) <= 2.0
    pump.run(3.0)
    assert equal(last, *hosts)


def test_a_write_that_was_missed_by_one_who_does_not_listen_is_seen_and_repaired() -> None:
    pump = Pump()
    a, b = pump.host(1), pump.host(2, port=0)
    pump.join(b, a)
    pump.run(5.0)
    a.node.data.write(b"missed", 0, b"\x01", pump.wall())
    a.node._links.established()[0].channels[1].progress.assume_equal()
    assert pump.until(lambda: b.value("missed") is not None) <= 3.5


def test_where_all_is_equal_nothing_is_compared() -> None:
    pump = Pump()
    hosts = pump.cluster(4)
    pump.run(15.0)
    before = [host.count("frames_out", "digest") for host in hosts]
    pump.run(60.0)
    assert [host.count("frames_out", "digest") for host in hosts] == before


def test_digests_that_lie_cost_a_comparison_a_second_for_a_while() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    pump.run(15.0)
    before = a.count("frames_out", "digest")
    for number in range(500):
        lie = datagram(Probe(number.to_bytes(8, "big")), sender=b.node.id)
        a.node.datagram(lie, b.address, pump.now)
        pump.run(0.01)
    pump.run(60.0)
    assert a.count("frames_out", "digest") - before <= 2 * 15


def test_what_a_join_takes_away_it_takes_whole_though_its_giver_goes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All its pages are here by then; and nobody else need be there."""
    monkeypatch.setattr(joining, "SWEEP_SLOTS", 1)
    pump = Pump()
    a, b = pump.cluster(2)
    for number in range(9_000):
        a.node.data.write(b"key%d" % number, 0, b"\x01", pump.wall() << 16)
    a.node.advance(pump.now)
    pump.settle()
    assert b.node.data.count(0) == 9_000
    for number in range(8_000):
        a.node.data.collect(0, b"key%d" % number)
    (link,) = a.node._parts.linking.links.established()
    link.channels[1].floor_owed = True
    a.node._parts.pusher.wake(link)
    while b.node.data.count(0) == 9_000:
        a.node.advance(pump.now)
        assert pump.step()
    assert b.node.data.count(0) > 1_000, "the sweep is under way"
    pump.kill(a)
    pump.settle()
    assert b.node.data.count(0) == 1_000
    assert b.node.data.floor(a.node.data.source) == a.node.data.floor(a.node.data.source)


def test_many_keys_that_were_written_and_deleted_leave_memory_as_it_was() -> None:
    pump = Pump()
    hosts = pump.cluster(2)

    def carry() -> None:
        for host in hosts:
            host.node.advance(pump.now)
        pump.settle()
        pump.run(0.1)

    def memory() -> list[int]:
        return [host.node.data.statistics()["memory"] for host in hosts]

    for number in range(10_000):
        hosts[0].node.data.write(b"kept/%07d" % number, 0, bytes(64), pump.wall())
    carry()
    before = memory()
    for number in range(30_000):
        hosts[0].node.data.write(b"key/%07d" % number, 0, bytes(64), pump.wall())
    carry()
    assert min(memory()) > 3 * max(before)
    for number in range(30_000):
        hosts[number % 2].node.data.write(b"key/%07d" % number, TOMBSTONE, b"", pump.wall())
    carry()
    assert [host.node.data.tombstones for host in hosts] == [30_000, 30_000]
    pump.run(40.0)
    assert [host.node.data.tombstones for host in hosts] == [0, 0]
    assert [len(host.node.data) for host in hosts] == [10_000, 10_000]
    assert all(now <= 1.1 * then for now, then in zip(memory(), before, strict=True))
