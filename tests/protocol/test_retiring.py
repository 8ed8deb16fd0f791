"""Sources of processes that are gone leave vectors and digests; what they wrote stays."""

from __future__ import annotations

import pytest

from tests.core.forms import write_floors
from tests.core.kinds import frame, record, span
from vines._core.changes import Changes
from vines._core.digest import vector_pages
from vines._core.retired import RetiredSources, read_batch, write_batch
from vines._core.table import DATA, EXPIRING, LEFT_MAX, TOMBSTONE, Table
from vines._core.vector import VersionVector
from vines.errors import WireError
from vines.events import Conflict
from vines.protocol.members.profile import Profile
from vines.protocol.replicas import retiring
from vines.protocol.replicas.agreement import GONE_MAX
from vines.protocol.replicas.batches import BATCH, OBJECT_SECONDS, RETIRED
from vines.protocol.replicas.joining import Joins
from vines.protocol.replicas.missing import Missing
from vines.protocol.replicas.retiring import AGAIN_SECONDS, LOOK_SECONDS
from vines.protocol.wire import fields
from vines.protocol.wire.messages import CONTROL, END, WANT, Floor, Snapshot

from .pump import Host, Pump
from .test_replication import equal

LOOKS = 3 * LOOK_SECONDS
"""Two looks, and the probes of everybody in between."""


def sources(host: Host) -> set[bytes]:
    """Those that count in either table."""
    node = host.node
    return {source for table in (node.control, node.data) for source, _ in table.counted()}


def own(*hosts: Host) -> set[bytes]:
    return {host.node.source for host in hosts}


def bytes_of(host: Host) -> int:
    return sum(len(page) for page in vector_pages(host.node.data, 1 << 16))


def retire(host: Host, source: bytes, last: tuple[int, int]) -> None:
    """Let a node say that this is all of a source, whether it is or not."""
    host.node._parts.retiring._say([(source, last)])
    host.node._parts.retiring._leave_out(host.pump.now)
    host.node.advance(host.pump.now)


def said(host: Host) -> dict[bytes, tuple[int, int]]:
    """What the records of a node's control table say, all together."""
    found, cursor = host.node.control.scan(RETIRED, b"", 0, 1 << 20)
    assert cursor is None
    return {source: last for change in found for source, last in read_batch(change[3])}


def known(host: Host) -> dict[bytes, tuple[int, int]]:
    return dict(host.node.control.gone.items())


def test_the_source_of_an_earlier_start_goes_and_what_it_wrote_stays() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    for host in (a, b, c):
        host.write(f"by {host.name}")
    pump.run(1.0)
    old, before = c.node.source, bytes_of(a)
    for _ in range(3):
        pump.kill(c)
        c = pump.host(3)
        pump.join(c, a)
        pump.run(2.0)
        c.write("by n3", b"\x02")
        pump.run(1.0)
    assert bytes_of(a) > before
    pump.run(LOOKS)
    for host in (a, b, c):
        assert sources(host) == own(a, b, c)
        assert host.node.data.is_retired(old) and bytes_of(host) == before
        assert host.value("by n3") == b"\x02" and host.value("by n1") == b"\x01"
    assert equal(a, b, c)
    assert [host.node.stats()["retired"] for host in (a, b, c)] == [3, 0, 0]


@pytest.mark.parametrize("leaving", [False, True])
def test_who_is_held_dead_is_waited_for_and_who_left_is_not(leaving: bool) -> None:
    pump = Pump()
    a, b, c = pump.cluster(3, dead_retention=300.0)
    c.write("key")
    pump.run(1.0)
    if leaving:
        c.node.leave(pump.now)
        pump.settle()
    pump.kill(c)
    pump.run(LOOKS + 10.0)
    assert c.node.data.is_retired(c.node.source) is False
    assert [host.node.data.is_retired(c.node.source) for host in (a, b)] == [leaving] * 2
    pump.run(300.0)
    assert sources(a) == sources(b) == own(a, b) and a.value("key") == b"\x01"


def test_not_before_every_living_member_was_seen_to_hold_the_same() -> None:
    pump = Pump()
    a, b, c, d = pump.cluster(4)
    d.write("key")
    pump.run(1.0)
    pump.kill(d)
    d = pump.host(4)
    pump.join(d, a)
    pump.run(2.0)
    a.node._parts.answering._agrees = lambda member, now: None
    pump.run(LOOKS)
    assert not any(host.node.stats()["retired"] for host in (a, b, c, d))
    del c, b


def test_a_look_goes_on_from_turn_to_turn_and_what_is_left_out_goes_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retiring, "LOOKED_AT_ONCE", 3)
    monkeypatch.setattr(retiring, "TRIED_AT_ONCE", 2)
    pump = Pump()
    host = pump.host(1)
    control, data = host.node.control, host.node.data
    names = [bytes([number]) * 16 for number in range(100, 130)]
    for number, name in enumerate(names):
        for table in [control, data] if number % 3 == 0 else [data] if number % 3 else [control]:
            table.apply(frame(span(name, 0, 1, (1, record(b"%d" % number, 1, name, 1, family=9)))))
    left = len(sources(host))
    assert left == 31  # with its own
    part, turns = host.node._parts.retiring, 0
    for _ in range(3):
        pump.now += LOOK_SECONDS
        while part.deadline() <= pump.now:
            part.advance(pump.now)
            turns += 1
            assert left - 4 <= len(sources(host)) <= left
            left = len(sources(host))
    assert left <= 1 and part.count == 30 and turns >= 3 * 30 / 3
    assert all(data.is_retired(name) or control.is_retired(name) for name in names)
    # What said that comes to who holds all of it already: that takes as few of them a turn.
    other, news = pump.host(2), Changes()
    for table, mine in (other.node.control, control), (other.node.data, data):
        page, _ = mine.page(0, 1 << 20)
        table.apply_page(page, 0, 0, news)
        table.finish_join(mine.floor_pages(1 << 16))
    part, left = other.node._parts.retiring, len(sources(other))
    assert left >= 30
    part.learn(news, pump.now)
    for _ in range(40):
        assert left - 2 <= len(sources(other)) <= left
        left = len(sources(other))
        part.advance(pump.now)
    assert sources(other) <= {host.node.source, other.node.source}


def test_who_finds_its_own_source_retired_goes_on_under_a_fresh_one() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    c.write("key")
    pump.run(1.0)
    old = c.node.source
    last = c.node.control.counter, c.node.data.counter
    retire(a, old, last)
    pump.run(1.0)
    assert c.node.source != old
    (told,) = c.of(Conflict)
    assert told.kind == "source" and "retired" in told.text
    c.write("key", b"\x02")
    pump.run(LOOKS)
    assert sources(a) == sources(b) == sources(c) == own(a, b, c)
    assert a.value("key") == b.value("key") == b"\x02" and equal(a, b, c)


FORGOTTEN = {
    "the sender": lambda a, b, c: [a],
    "who reads it": lambda a, b, c: [b],
    "a third": lambda a, b, c: [c],
    "most": lambda a, b, c: [b, c],
    "everybody": lambda a, b, c: [a, b, c],
}


@pytest.mark.parametrize("whom", FORGOTTEN)
def test_whoever_is_said_to_be_gone_stays_a_member_and_keeps_what_it_wrote(whom: str) -> None:
    """No message makes others forget a member; that a source is over is what comes nearest."""
    pump = Pump()
    hosts = pump.cluster(3)
    a = hosts[0]
    for number, host in enumerate(hosts, 1):
        host.write(f"key/{number}")
    pump.run(1.0)
    named = FORGOTTEN[whom](*hosts)
    unknown = (b"\xee" * 16, (5, 5))
    a.node._parts.retiring._say(
        [unknown]
        + [
            (each.node.source, (each.node.control.counter, each.node.data.counter))
            for each in named
        ]
    )
    a.node.advance(pump.now)
    before = own(*named)
    pump.run(LOOKS)
    # Who is named goes on under a fresh source, and is told; nobody else has to do anything.
    assert not own(*hosts) & before
    for number, host in enumerate(hosts, 1):
        assert bool(host.of(Conflict)) == (host in named)
        assert list(host.states().values()) == ["alive", "alive"]
        assert sources(host) == own(*hosts)
        assert all(host.value(f"key/{each}") is not None for each in (1, 2, 3))
        host.write(f"later/{number}")
    pump.run(LOOKS)
    assert equal(*hosts)
    assert all(a.value(f"later/{each}") is not None for each in (1, 2, 3))


def test_what_comes_of_it_after_all_puts_it_back_and_is_not_lost() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    c.write("key")
    pump.run(1.0)
    for host in (a, b):
        pump.walls.add(frozenset({host.address, c.address}))
        pump.lose(c.to(host))
    c.write("late")
    last = c.node.control.counter, c.node.data.counter - 1
    retire(a, c.node.source, last)
    pump.run(1.0)
    assert b.node.data.is_retired(c.node.source)
    pump.walls.clear()
    pump.until(lambda: a.value("late") is not None and b.value("late") is not None)
    pump.run(LOOKS)
    assert sources(a) == sources(b) == sources(c) == own(a, b, c) and equal(a, b, c)


def test_who_joins_later_gets_what_a_retired_source_wrote() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    b.write("key")
    pump.run(1.0)
    pump.kill(b)
    again = pump.host(2)
    pump.join(again, a)
    pump.run(LOOKS)
    assert a.node.data.is_retired(b.node.source)
    late = pump.host(3)
    pump.join(late, a)
    pump.settle()
    assert late.value("key") == b"\x01"
    pump.run(2.0)
    assert equal(a, again, late) and sources(late) == sources(a)


def test_who_joins_later_does_not_wait_for_what_nobody_has_any_more() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    pump.run(1.0)
    gone = bytes(15) + b"\x07"
    retire(a, gone, (3, 1))
    pump.run(1.0)
    assert said(b) == {gone: (3, 1)}
    # It is asked for, but not for ever, nor is anything held up by it for longer.
    assert not b.node._parts.collecting.complete()
    pump.run(LOOKS + LOOK_SECONDS)
    for host in (a, b):
        assert host.node._parts.collecting.complete()
        assert host.node._parts.retiring.deadline() > pump.now + 2 * AGAIN_SECONDS
    # If it comes after all, it is left out as soon as somebody looks.
    late = pump.host(9).node
    for table in (late.control, late.data):
        table.adopt(gone)
    for number in range(3):
        late.control.put(DATA, bytes([number]), 0, b"", 1)
    late.data.put(DATA, b"key", 0, b"\x01", 1)
    for mine, other in ((b.node.control, late.control), (b.node.data, late.data)):
        body = other.delta_for(mine.vector(), 1 << 16)
        assert body is not None and mine.apply(body) == []
    pump.run(LOOKS)
    assert a.value("key") == b.value("key") == b"\x01"
    for host in (a, b):
        assert host.node.control.is_retired(gone) and host.node.data.is_retired(gone)


@pytest.mark.parametrize("value", [bytes(15), bytes(17), b"\x01" * 17, b"\x01" * 18 + b"\x80"])
def test_malformed_records_retire_nothing(value: bytes) -> None:
    with pytest.raises(WireError):
        read_batch(value)
    pump = Pump()
    a, b = pump.cluster(2)
    a.node.control.put(RETIRED, b"any", 0, value, 1)
    a.node.control.put(RETIRED, b"other", 0, b.node.source + b"\x01", 1)
    large = [(number.to_bytes(16, "big"), (1, 1)) for number in range(4096 // 18 + 1)]
    a.node.control.put(RETIRED, b"large", 0, write_batch(large), 1)
    a.node.advance(pump.now)
    pump.run(LOOKS)
    assert sources(a) == sources(b) == own(a, b) and not b.of(Conflict)
    assert known(a) == known(b) == {}


TERM = 600.0


def forgetting(count: int = 3, **changes: float | None) -> tuple[Pump, list[Host]]:
    """So many nodes that were told how long anybody may be away, one source that is gone, and
    nothing of it.
    """
    pump = Pump()
    hosts = pump.cluster(count, **{"forget_after": TERM, **changes})
    pump.run(1.0)
    retire(hosts[0], GONE, (3, 1))
    pump.run(1.0)
    return pump, hosts


GONE = bytes(15) + b"\x07"


def flags_of(host: Host) -> list[int]:
    found, _ = host.node.control.scan(RETIRED, b"", 0, 1 << 20)
    return [change[2] for change in found]


def test_what_nothing_names_is_forgotten_after_that_time() -> None:
    pump, hosts = forgetting()
    assert all(flags_of(host) == [0] for host in hosts)
    pump.run(TERM / 8 + LOOKS)
    assert all(flags_of(host) == [EXPIRING] and known(host) for host in hosts)
    pump.run(TERM - LOOKS)
    assert all(known(host) for host in hosts)
    pump.run(10 * LOOK_SECONDS)
    for host in hosts:
        assert known(host) == said(host) == {} and host.node.stats()["forgotten"] == 1
        assert not any(fields[0] == RETIRED for fields in host.node.control.records())
    assert equal(*hosts)


def test_where_one_was_told_nothing_all_is_kept() -> None:
    pump, hosts = forgetting(forget_after=None)
    other = pump.host(7, forget_after=TERM)
    pump.join(other, hosts[0])
    pump.run(3 * TERM)
    for host in (*hosts, other):
        assert flags_of(host) == [0] and said(host) == known(host) == {GONE: (3, 1)}


@pytest.mark.parametrize("left", [1, 10_000, LEFT_MAX])
def test_a_batch_that_lapses_at_once_or_never_has_nobody_forget_sooner_or_grow(left: int) -> None:
    pump, hosts = forgetting()
    a = hosts[0]
    (change,), _ = a.node.control.scan(RETIRED, b"", 0, 1 << 20)
    a.node.control.put(RETIRED, change[1], EXPIRING, change[3], change[4] + 7, left)
    a.node.advance(pump.now)
    pump.run(TERM - LOOKS)
    assert all(known(host) == {GONE: (3, 1)} for host in hosts)
    pump.run(2 * TERM)
    kept = left == LEFT_MAX
    assert all(known(host) == ({GONE: (3, 1)} if kept else {}) for host in hosts)
    assert all(len(flags_of(host)) <= 1 for host in hosts) and equal(*hosts)


def test_what_another_version_of_a_fading_batch_does_not_say_is_said_anew() -> None:
    """Of two that let it fade apart from each other one may not have heard of all of it."""
    pump, hosts = forgetting()
    other = bytes(15) + b"\x08"
    retire(hosts[0], other, (2, 0))
    pump.run(TERM / 8 + LOOKS)
    assert all(flags_of(host) == [EXPIRING] for host in hosts)
    (change,), _ = hosts[0].node.control.scan(RETIRED, b"", 0, 1 << 20)
    batch, left = write_batch([(other, (2, 0))]), int(TERM * 1000)
    hosts[1].node.control.put(RETIRED, change[1], EXPIRING, batch, change[4] + 1, left)
    hosts[1].node.advance(pump.now)
    pump.run(1.0)
    assert all(said(host) == {GONE: (3, 1), other: (2, 0)} for host in hosts)
    assert all(sorted(flags_of(host)) == [0, EXPIRING] for host in hosts)
    pump.run(3 * TERM)
    assert all(known(host) == said(host) == {} for host in hosts) and equal(*hosts)


def test_who_reads_of_a_fading_batch_and_stands_still_until_it_has_lapsed_tells_nobody_of_it() -> (
    None
):
    """Others know by then that it is to be forgotten, and who joins would give it a place."""
    pump, hosts = forgetting()
    pump.run(TERM / 8 + LOOKS)
    late = pump.host(9, forget_after=TERM)
    pump.join(late, hosts[0])
    pump.run(1.0)
    assert flags_of(late) == [EXPIRING] and known(late) == {GONE: (3, 1)}
    late.node.advance(pump.now + TERM + OBJECT_SECONDS)
    assert not [flags for flags in flags_of(late) if not flags & TOMBSTONE]
    assert known(late) == {GONE: (3, 1)} and late.node.control.gone.unlisted(9) == []
    for table in (late.node.control, late.node.data):
        assert not any(GONE in page for page in table.floor_pages(1 << 16))


@pytest.mark.parametrize("value", [599, 10**9 + 1, -1, 600.0, "600", None, True])
def test_a_member_that_says_an_impossible_time_is_not_believed(value: object) -> None:
    pump, (a, *_) = forgetting()
    assert Profile.decode(a.node._parts.identity.profile.encode()).forget_after == TERM
    values = fields.unpack(a.node._parts.identity.profile.encode())
    assert values["forget_after"] == TERM
    with pytest.raises(WireError, match="forget_after"):
        Profile.decode(fields.pack(values | {"forget_after": value}))
    del pump


def test_of_members_that_are_gone_no_more_is_remembered_than_a_few() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    pump.run(10.0)
    agreement = a.node._parts.agreement
    assert set(agreement._seen) == {b.node.id}
    for number in range(10 * GONE_MAX):
        agreement.saw(number.to_bytes(16, "big"), pump.now)
        assert len(agreement._seen) <= GONE_MAX + 1
    assert b.node.id in agreement._seen


def test_what_overwrote_each_other_in_a_partition_is_written_again() -> None:
    pump = Pump()
    a, b, c, d = pump.cluster(4)
    pump.run(1.0)
    retire(a, bytes([1]) * 16, (1, 1))
    pump.run(1.0)
    assert said(a) == said(d) == {bytes([1]) * 16: (1, 1)}
    for one in (a, b):
        for other in (c, d):
            pump.walls.add(frozenset({one.address, other.address}))
            pump.lose(one.to(other))
    # Both sides go on with the batch that is not full.
    for host, number in ((a, 2), (d, 3), (d, 4)):
        retire(host, bytes([number]) * 16, (number, 0))
    assert known(a) != known(d)
    pump.walls.clear()
    pump.run(20 * LOOK_SECONDS)
    everything = {bytes([1]) * 16: (1, 1)}
    everything |= {bytes([number]) * 16: (number, 0) for number in (2, 3, 4)}
    for host in (a, b, c, d):
        assert said(host) == known(host) == everything
    assert equal(a, b, c, d)


def test_batches_are_filled_one_after_the_other() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    wanted = {number.to_bytes(16, "big"): (number, 2) for number in range(1, 2 * BATCH + 2)}
    for source, last in wanted.items():
        retire(a, source, last)
    pump.run(1.0)
    found, _ = b.node.control.scan(RETIRED, b"", 0, 1 << 20)
    assert sorted(len(read_batch(change[3])) for change in found) == [1, BATCH, BATCH]
    assert said(b) == known(b) == wanted
    # Who is to go on with it takes the one that has room, whoever began it.
    retire(b, bytes([255]) * 16, (1, 1))
    pump.run(1.0)
    found, _ = a.node.control.scan(RETIRED, b"", 0, 1 << 20)
    assert sorted(len(read_batch(change[3])) for change in found) == [2, BATCH, BATCH]


def test_of_a_source_that_is_gone_no_slot_is_left() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    before = [table.statistics()["slots"] for table in (a.node.control, a.node.data)]
    for number in range(12):
        c.write("again", bytes([number]))
        pump.run(1.0)
        pump.kill(c)
        c = pump.host(3)
        pump.join(c, a)
        pump.run(LOOKS + 10.0)
    for host in (a, b, c):
        for table in (host.node.control, host.node.data):
            statistics = table.statistics()
            assert isinstance(statistics["slots"], int)
            assert statistics["slots"] <= max(before) + 3
        assert len(known(host)) == 12 and said(host) == known(host)
    for host in (a, b):
        assert host.node.control.statistics()["retired"] == 12
    assert equal(a, b, c)


def end_below_a_floor(pump: Pump, here: Host, gone: Host) -> tuple[bytes, int]:
    """A member writes and is killed, and all it wrote is below a floor here; its source and its
    last position in the data table.
    """
    here.write("mine")
    gone.write("key")
    pump.run(1.0)
    source = gone.node.source
    covered = here.node.data.covered(source)
    pump.kill(gone)
    here.node.data.finish_join([bytes(write_floors([(source, covered, covered)], stamp=1).data)])
    return source, covered


def test_who_retired_more_than_a_peer_does_not_join_it_again_and_again() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    source, covered = end_below_a_floor(pump, a, c)
    assert b.node.data.retire(source, covered)
    before = b.node.stats()["joins"]
    assert isinstance(before, int)
    b.write("other")
    pump.run(10.0)
    joins = b.node.stats()["joins"]
    assert isinstance(joins, int) and 0 < joins - before <= 20
    retire(a, source, (a.node.control.covered(source), covered))
    pump.run(5.0)
    assert equal(a, b)


def test_who_joins_again_asks_the_other_table_why() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3, sync_interval=3600.0)
    source, covered = end_below_a_floor(pump, a, c)
    for host in (a, b):
        host.node._parts.replication._compared_at = pump.now  # The next is in an hour.
    b.node._parts.retiring._say([(source, (b.node.control.covered(source), covered))])
    link = b.node._parts.linking.links.to(a.node.id)
    assert link is not None
    link.channels[CONTROL].progress.assume_equal()  # B does not tell A of it.
    b.node._parts.retiring._leave_out(pump.now)
    b.node._parts.replication._show(link, 1, WANT, pump.now)
    pump.run(5.0)
    assert source in known(a)
    assert equal(a, b)
    joins = b.node.stats()["joins"]
    assert isinstance(joins, int) and 3 <= joins <= 6


@pytest.mark.parametrize("below", ["nothing", "a floor", "a floor of the data table"])
def test_who_joins_later_gives_no_slot_to_what_it_reads_is_gone(below: str) -> None:
    """Also where it is sent no range before it has joined, of either table: what it reads comes
    with the join of the control table then.
    """
    pump = Pump()
    a, b = pump.cluster(2)
    pump.run(1.0)
    gone = {number.to_bytes(16, "big"): (1, 1) for number in range(1, 301)}
    for source in gone:
        for table in (a.node.control, a.node.data):
            theirs = Table(source, bytes(16), bytes(16))
            theirs.put(DATA, b"key", 0, b"\x01", int.from_bytes(source, "big"))
            assert table.apply(theirs.delta_for(VersionVector(), 1 << 16) or b"") == []
    a.node.advance(pump.now)
    pump.run(1.0)
    a.node._parts.retiring._say(list(gone.items()))
    a.node._parts.retiring._leave_out(pump.now)
    a.node.advance(pump.now)
    pump.run(LOOKS)
    assert equal(a, b)
    for host in (a, b):
        for table in (host.node.control, host.node.data):
            if below == "a floor" or (below != "nothing" and table is host.node.data):
                table.finish_join([bytes(write_floors([], stamp=1).data)])
    late = pump.host(3)
    pump.join(late, a)
    pump.run(10.0)
    assert known(late) == known(a) == gone and equal(a, b, late)
    assert late.node.stats()["joins"] in (2, 3)
    for table in (late.node.control, late.node.data):
        assert all(table.covered(source) == 1 and table.is_retired(source) for source in gone)
        statistics = table.statistics()
        assert statistics["slots"] < 20, statistics


@pytest.mark.parametrize("breaks", [False, True])
def test_the_data_table_joins_once_no_join_of_the_control_table_is_under_way(breaks: bool) -> None:
    """Which sources are gone is read by then, or that join is over for another reason."""
    pump = Pump()
    a, b = pump.cluster(2)
    link = a.node._parts.linking.links.to(b.node.id)
    assert link is not None
    joins = Joins(lambda _: None)
    for table in (CONTROL, 1):
        joins.told(link, Floor(table), 0.0)
    control, data = link.channels
    assert control.floors == [] and data.floors is None
    assert joins.is_busy(CONTROL) and joins.is_busy(1)
    if breaks:
        joins.gone(link, 1.0)
        assert not joins.is_busy(CONTROL) and not joins.is_busy(1)
        return
    control.floors, control.join_asked = [control.table.floor_pages(1 << 16)[0]], True
    page = control.table.page(0, 1 << 16)[0]
    assert joins.receive(link, Snapshot(CONTROL, END, 0, page, 0), 1.0, 0, None) == []
    assert joins.sweeping == [CONTROL] and data.floors is None and joins.count == 0
    assert joins.sweep(CONTROL, 1.0, None) == [link] and joins.count == 1
    assert data.floors == [] and control.floors is None


def test_of_what_has_no_slot_more_may_be_said_and_more_may_come() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    c.write("key")
    pump.run(1.0)
    source, last = c.node.source, (c.node.control.counter, c.node.data.counter)
    old = c.node.data.delta_for(VersionVector(), 1 << 16)
    pump.kill(c)
    a.write("key", b"\x02")
    pump.run(1.0)
    for host in (a, b):
        retire(host, source, last)
    pump.run(2 * LOOK_SECONDS)
    for host in (a, b):
        assert host.node.data.is_retired(source)
        assert host.node.data.statistics()["holes"]
    # It was not all: who says so puts it back, and what there is of it is to come.
    retire(a, source, (last[0], last[1] + 1))
    pump.run(1.0)
    for host in (a, b):
        assert not host.node.data.is_retired(source)
        assert host.node.data.covered(source) == last[1]
    late = c.node.data
    late.write(b"late", 0, b"\x03", pump.wall())
    body = late.delta_for(a.node.data.vector(), 1 << 16)
    assert old is not None and body is not None
    for body_ in (old, body):
        assert a.node.data.apply(body_) == []
    a.node.advance(pump.now)
    pump.run(LOOKS)
    for host in (a, b):
        assert host.value("late") == b"\x03" and host.value("key") == b"\x02"
        assert host.node.data.is_retired(source) and known(host)[source] == (last[0], last[1] + 1)
    assert equal(a, b)


def test_what_the_first_member_never_read_is_written_again_by_who_did() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    pump.run(1.0)
    gone = bytes([9]) * 16
    # A record said so, which was overwritten by one that does not.
    c.node.control.gone.say(gone, 2, 1)
    a.node.control.put(RETIRED, b"any", 0, write_batch([(gone[:-1] + b"\x01", (1, 1))]), 1)
    a.node.advance(pump.now)
    pump.run(LOOK_SECONDS)
    assert gone not in known(a) and gone not in said(c)
    pump.run(3 * LOOK_SECONDS)
    for host in (a, b, c):
        assert known(host)[gone] == said(host)[gone] == (2, 1)


@pytest.mark.parametrize("said", [True, False])
def test_a_record_of_one_that_fell_silent_holds_up_no_deletion_once_that_is_retired(
    said: bool,
) -> None:
    """All that came of it is a record that took the place of another's; if that is all in either
    table, nobody says that it is retired.
    """
    pump = Pump()
    a, b = pump.cluster(2)
    gone, held = bytes(15) + b"\x07", pump.host(99, port=0)
    pump.hosts.pop()
    held.node.data.adopt(gone)
    for key in (b"first", b"second"):
        held.node.data.write(key, 0, b"\x01", pump.wall())
    for host in (a, b):
        host.node.data.apply_page(held.node.data.page(0, 1 << 16)[0])
        assert host.node.data.strayed and host.node.data.covered(gone) == 0
    a.write("key")
    a.node.data.write(b"key", TOMBSTONE, b"", pump.wall())
    a.node.advance(pump.now)
    a.node._parts.retiring._look = b.node._parts.retiring._look = pump.now + 60.0
    pump.run(59.0)
    assert [host.node.data.tombstones for host in (a, b)] == [1, 1]
    if said:
        retire(a, gone, (4, 0))
        pump.run(60.0)
    else:
        pump.run(3 * LOOK_SECONDS)
    assert [host.node.data.tombstones for host in (a, b)] == [0, 0]
    assert equal(a, b) and a.value("second") == b.value("second") == b"\x01"
    # Who comes later meets the record after it has heard that.
    late = pump.host(3)
    pump.join(late, a)
    pump.run(2.0)
    assert late.value("second") == b"\x01"
    pump.until(lambda: not late.node.data.strayed, 3 * LOOK_SECONDS)


def test_what_is_missed_stays_so_whatever_else_is_named() -> None:
    missing = Missing(RetiredSources(), lambda *_: True)
    assert missing.is_complete()
    missing.named((7, 0))
    assert missing.is_complete()
    missing.named((0, 3))
    missing.named((7, 0))
    assert not missing.is_complete()
