"""What a member that is gone leaves in the control table goes, at every node by itself."""

from __future__ import annotations

import pytest

from vines._core.changes import Changes
from vines._core.table import EXPIRING, MEMBER, TOMBSTONE
from vines.events import Conflict, Fail, Join, Leave
from vines.protocol.links import lookout
from vines.protocol.members.accusations import ACCUSATION, UNANSWERED, Accusation
from vines.protocol.members.profile import Profile, stamp_of
from vines.protocol.replicas.batches import RETIRED
from vines.protocol.replicas.collecting import REPORT
from vines.protocol.replicas.leftovers import FAMILIES
from vines.protocol.replicas.retiring import LOOK_SECONDS

from .pump import Host, Pump, label
from .test_replication import equal
from .test_retiring import retire, sources

RETENTION = 60.0
LOOKS = 4 * LOOK_SECONDS
"""Until a source is retired, and then what is left of its member goes."""


def families(host: Host) -> dict[int, int]:
    """How many records of each family its control table has, lapsed ones, too."""
    found: dict[int, int] = {}
    for record in host.node.control.records():
        found[record[0]] = found.get(record[0], 0) + 1
    return found


def cluster(pump: Pump, count: int = 2) -> list[Host]:
    return pump.cluster(count, dead_retention=RETENTION)


def live(pump: Pump, number: int, seed: Host, *, leaving: bool) -> Host:
    """A process without a disk comes, writes and deletes, and goes."""
    host = pump.host(number, dead_retention=RETENTION)
    pump.join(host, seed)
    pump.run(2.0)
    host.write("key", bytes([number]))
    host.node.data.write(b"gone", TOMBSTONE, b"", pump.wall())
    host.node.advance(pump.now)
    pump.run(15.0)
    assert seed.node.control.get(REPORT, host.node.id) is not None
    if leaving:
        host.node.leave(pump.now)
        pump.settle()
    pump.kill(host)
    return host


def part(pump: Pump, here: list[Host], there: list[Host]) -> None:
    for one in here:
        for other in there:
            pump.walls.add(frozenset({one.address, other.address}))
            if one.route(other) is not None:
                pump.lose(one.to(other))
            if other.route(one) is not None:
                pump.lose(other.to(one))


@pytest.mark.parametrize("leaving", [False, True])
def test_of_processes_without_a_disk_only_their_sources_are_left(leaving: bool) -> None:
    pump = Pump()
    a, b = cluster(pump)
    for number in range(10, 18):
        live(pump, number, a, leaving=leaving)
    pump.run(RETENTION + LOOKS + LOOK_SECONDS)
    for host in (a, b):
        assert families(host) == {MEMBER: 2, REPORT: 2, RETIRED: 1}
        statistics = host.node.control.statistics()
        assert statistics["retired"] == 8 and statistics["tombstones"] == 0
        assert len(sources(host)) == 2 and host.value("key") == bytes([17])
        assert statistics["slots"] - statistics["holes"] == 2
    assert equal(a, b) and not a.of(Conflict) and not b.of(Conflict)


def test_while_processes_come_and_go_all_the_time_no_more_is_left_of_them_than_of_some() -> None:
    """In each look some source is retired, and a look in which one came proves nothing."""
    pump = Pump()
    a, b = cluster(pump)
    most = [0, 0]
    for number in range(10, 90):
        live(pump, number, a, leaving=number % 2 == 0)
        for place, host in enumerate((a, b)):
            most[place] = max(most[place], host.node.control.tombstones)
    assert min(most) > 0 and max(most) <= 40


@pytest.mark.parametrize("listening", [2, 0])
def test_where_the_first_member_does_not_listen_all_goes_as_well(listening: int) -> None:
    """Probes tell such a one nothing of others, and nobody of it."""
    pump = Pump()
    hosts = [pump.host(number, port=0, dead_retention=RETENTION) for number in (1, 5)]
    seed = pump.host(3, dead_retention=RETENTION)
    others = [pump.host(number, dead_retention=RETENTION) for number in (6, 7)[:listening]]
    for host in [*hosts, *others]:
        pump.join(host, seed)
    pump.run(2.0)
    for number in range(10, 14):
        live(pump, number, seed, leaving=number % 2 == 0)
    pump.run(RETENTION + LOOKS + LOOK_SECONDS)
    here = [seed, *hosts, *others]
    assert [host for host in here if host.node._parts.retiring._is_first()] == [seed]
    for host in here:
        assert families(host) == {MEMBER: len(here), REPORT: len(here), RETIRED: 1}
        assert len(sources(host)) == len(here)
    assert equal(*here)


def test_what_is_left_of_a_member_stays_until_its_source_is_retired() -> None:
    pump = Pump()
    a, b = cluster(pump)
    gone = live(pump, 10, a, leaving=False)
    pump.run(1.0)
    b.node._parts.answering._agrees = lambda member, now: None
    a.node._parts.answering._agrees = lambda member, now: None
    pump.run(RETENTION + LOOKS)
    for host in (a, b):
        held = host.node.control.get(MEMBER, gone.node.id)
        assert held is not None and held[2] == EXPIRING | TOMBSTONE
        assert host.node.control.get(REPORT, gone.node.id) is not None
        host.node._parts.answering._agrees = host.node._parts.agreement.saw
    pump.run(LOOKS)
    for host in (a, b):
        assert families(host) == {MEMBER: 2, REPORT: 2, RETIRED: 1}


def test_what_was_dropped_comes_back_by_no_join_and_from_nobody() -> None:
    pump = Pump()
    a, b, c = cluster(pump, 3)
    gone = live(pump, 10, a, leaving=True)
    pump.run(1.0)
    part(pump, [c], [a, b])
    retiring = c.node._parts.retiring
    # Else it would do the same, alone.
    retiring._is_first = retiring._batches._is_first = lambda: False
    pump.run(2 * RETENTION + LOOKS)
    for host in (a, b):
        assert host.node.control.get(REPORT, gone.node.id) is None
        assert host.node.control.get(MEMBER, gone.node.id) is None
    assert c.node.control.get(REPORT, gone.node.id) is not None
    # One that comes new is told by it first.
    late = pump.host(20, dead_retention=RETENTION)
    pump.walls |= {frozenset({late.address, host.address}) for host in (a, b)}
    pump.join(late, c)
    pump.run(2.0)
    assert late.node.control.get(REPORT, gone.node.id) is not None
    pump.walls.clear()
    pump.run(LOOKS)
    for host in (a, b, c, late):
        assert families(host)[REPORT] == 3 and host.node.control.get(REPORT, gone.node.id) is None
        assert host.node.control.get(MEMBER, gone.node.id) is None
    assert equal(a, b, c, late)
    kinds = {each.kind for host in (a, b, c, late) for each in host.of(Conflict)}
    assert kinds == {"source"}  # of who was away for so long that its source was retired


def announce(
    pump: Pump, host: Host, member: bytes, source: bytes, incarnation: int, later: int = 0
) -> None:
    """A node hears of a member that nobody can ask, and nobody is linked to."""
    profile = Profile(
        name="shy", address=None, tags={}, versions=(1, 1), observer=False, source=source
    )
    table, changes = pump.host(99, port=0).node.control, Changes()
    pump.hosts.pop()
    table.adopt(source)
    table.put(MEMBER, member, 0, profile.encode(), stamp_of(incarnation, "alive"))
    for number in range(later):
        table.put(40, bytes([number]), 0, b"", 1)
    body = table.delta_for(host.node.control.vector(), 1 << 16)
    assert body is not None and host.node.control.apply(body, 0, None, 0, changes) == []
    host.node._parts.linking.learn(changes, pump.now)
    host.node._parts.retiring.learn(changes, pump.now)
    host.node.advance(pump.now)


def test_who_is_held_alive_by_a_retired_source_is_held_dead_and_nothing_is_written() -> None:
    pump = Pump()
    a, b, c = cluster(pump, 3)
    member, source, later = label(77), bytes(15) + b"\x07", bytes(15) + b"\x08"
    announce(pump, c, member, source, 5)
    pump.run(1.0)
    written = [host.node.control.counter for host in (a, b, c)]
    assert all(host.states()["shy"] == "alive" for host in (a, b, c))
    retire(a, source, (1, 0))
    pump.run(0.5)
    assert b.states()["shy"] == c.states()["shy"] == "alive"
    pump.run(1.0)
    assert b.states()["shy"] == c.states()["shy"] == "dead"
    assert len(b.of(Fail)) == len(c.of(Fail)) == 1
    pump.run(LOOK_SECONDS)
    for host in (a, b, c):
        assert host.states()["shy"] == "dead" and host.node.control.get(MEMBER, member) is None
        assert not host.of(Conflict)
    assert [host.node.control.counter for host in (a, b, c)] == [written[0] + 1, *written[1:]]
    assert equal(a, b, c)
    # It comes again from nobody; if it lives after all, it says so under another source.
    announce(pump, b, member, later, 6)
    pump.run(1.0)
    assert all(host.states()["shy"] == "alive" for host in (a, b, c))
    assert equal(a, b, c)


@pytest.mark.parametrize("later", [0, 1])
def test_who_went_on_after_what_was_said_to_be_all_is_held_alive(later: int) -> None:
    pump = Pump()
    a, b, c = cluster(pump, 3)
    source = bytes(15) + b"\x07"
    announce(pump, c, label(77), source, 5, later)
    pump.run(1.0)
    retire(a, source, (1, 0))
    pump.run(LOOK_SECONDS)
    state = "alive" if later else "dead"
    assert [host.states()["shy"] for host in (a, b, c)] == [state] * 3
    assert equal(a, b, c)


def test_who_lives_and_was_retired_says_so_under_a_fresh_source() -> None:
    pump = Pump()
    a, b, c = cluster(pump, 3)
    old = c.node.source
    part(pump, [a], [c])
    pump.run(1.0)
    a.events.clear()
    retire(b, old, (c.node.control.counter, c.node.data.counter))
    pump.run(10.0)
    assert c.node.source != old
    for host in (a, b):
        assert host.states()["n3"] == "alive"
    assert len(a.of(Fail)) == len(a.of(Join)) <= 1 and not a.of(Leave)
    pump.walls.clear()
    pump.run(LOOKS)
    assert equal(a, b, c)


def test_what_is_left_of_accusations_of_nobody_goes() -> None:
    pump = Pump()
    a, b = cluster(pump)
    said = Accusation(label(77), a.node.id, 5, UNANSWERED, a.node.source)
    a.node.control.put(ACCUSATION, said.key, EXPIRING, b"", said.stamp, 1000)
    a.node._parts.detector.accusations.add(said)
    a.node.advance(pump.now)
    pump.run(5.0)
    for host in (a, b):
        held = host.node.control.get(ACCUSATION, said.key)
        assert held is not None and held[2] == EXPIRING | TOMBSTONE
    pump.run(LOOKS)
    for host in (a, b):
        assert host.node.control.get(ACCUSATION, said.key) is None
        accusations = host.node._parts.detector.accusations
        assert not accusations._accusers and not accusations._lapsed


def test_what_lapsed_goes_once_all_have_agreed_since() -> None:
    """Before that the source it is about may have yet to come here."""
    pump = Pump()
    a, b = cluster(pump)
    a.node.control.put(MEMBER, label(77), EXPIRING, b"", stamp_of(1, "dead"), 1000)
    a.node.advance(pump.now)
    pump.run(1.5)
    a.node._parts.answering._agrees = lambda member, now: None
    pump.run(LOOKS)
    held = a.node.control.get(MEMBER, label(77))
    assert held is not None and held[2] == EXPIRING | TOMBSTONE
    assert b.node.control.get(MEMBER, label(77)) is None
    a.node._parts.answering._agrees = a.node._parts.agreement.saw
    pump.run(LOOKS)
    assert a.node.control.get(MEMBER, label(77)) is None


@pytest.mark.parametrize("meanwhile", [False, True])
def test_what_lapsed_stays_while_one_may_be_back_that_it_tells_what_to_object_to(
    meanwhile: bool,
) -> None:
    """As one that was started on an old copy of its disk."""
    pump = Pump()
    a, b = cluster(pump)
    member, source = label(77), bytes(15) + b"\x07"
    a.node.control.put(MEMBER, member, EXPIRING, b"", stamp_of(5, "dead"), 1000)
    a.node.advance(pump.now)
    pump.run(LOOK_SECONDS + 5.0)
    retiring = a.node._parts.retiring
    if meanwhile:
        retiring._begin()
        retiring._go_on(pump.now)  # these are the sources of one table
    announce(pump, a, member, source, 4)
    pump.run(LOOK_SECONDS)
    held = a.node.control.get(MEMBER, member)
    assert held is not None and held[0] == stamp_of(5, "dead")
    assert a.node.control.counts_in(source)
    pump.run(LOOKS)
    for host in (a, b):
        assert not host.node.control.counts_in(source)
        assert host.node.control.get(MEMBER, member) is None


def come_back(pump: Pump, outranking: Host, giver: Host, *, durable: bool) -> Host:
    """Member 77 starts, and joins where nothing is left of it, before it meets the other."""
    wall = frozenset({outranking.address, ("127.0.0.1", 9077)})
    pump.walls.add(wall)
    back = pump.host(77, dead_retention=RETENTION, durable=durable)
    pump.join(back, giver)
    pump.run(2.0)
    held = outranking.node.control.get(MEMBER, back.node.id)
    assert held is not None and held[0] > stamp_of(back.node._parts.identity.incarnation, "alive")
    assert outranking.states().get("n77") != "alive" and giver.states()["n77"] == "alive"
    pump.walls.remove(wall)
    pump.join(back, outranking)
    pump.run(5.0)
    return back


@pytest.mark.parametrize("state", ["dead", "left"])
@pytest.mark.parametrize("starts", [1, 2, None])
def test_who_joined_where_nothing_was_left_of_it_is_told_where_something_is(
    state: str, starts: int | None
) -> None:
    """No table tells it: it covers the position of what is left there. `starts`: by its disk it is
    the first one, and what is left is of that, or of a later one; None: it has no disk.
    """
    pump = Pump()
    a, b = cluster(pump)
    incarnation = (starts or int(pump.wall() / 1000) + 100) << 24
    a.node.control.put(MEMBER, label(77), EXPIRING, b"", stamp_of(incarnation, state), 1000)
    a.node.advance(pump.now)
    pump.run(5.0)
    assert b.node.control.get(MEMBER, label(77)) is not None
    assert b.node.control.collect(MEMBER, label(77), covered=True)
    back = come_back(pump, a, b, durable=starts is not None)
    for host in (a, b, back):
        held = host.node.control.get(MEMBER, back.node.id)
        assert held is not None and held[0] == stamp_of(incarnation + 1, "alive")
    assert a.states()["n77"] == b.states()["n77"] == "alive"
    assert equal(a, b, back) and not a.of(Conflict) and not b.of(Conflict)
    told = {"identity", "storage"} if starts == 2 else set()
    assert {each.kind for each in back.of(Conflict)} == told


@pytest.mark.parametrize("who", ["listens", "listens nowhere", "observes"])
def test_who_has_few_links_finds_the_one_to_which_it_is_gone_and_is_told_there(
    monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    """What that one passes on outranks what the other says of itself, for those who come after it,
    so few would ever know it, and who is linked to it is none of those that could tell it. Who
    listens probes it; who does not says hello to one after the other.
    """
    monkeypatch.setattr(lookout, "SIGN_SECONDS", 5.0)
    pump = Pump(4)
    few = {"dead_retention": RETENTION, "mesh_members": 2, "fanout_min": 2}
    *hosts, one = pump.cluster(12, **few)
    pump.run(15.0)
    incarnation = int(pump.wall() / 1000) + 100 << 24
    one.node.control.put(MEMBER, label(77), EXPIRING, b"", stamp_of(incarnation, "dead"), 1000)
    one.node.advance(pump.now)
    pump.run(5.0)
    for host in hosts:
        assert host.node.control.collect(MEMBER, label(77), covered=True)
    port = 9077 if who == "listens" else 0
    wall = frozenset({one.address, ("127.0.0.1", port) if port else None})
    pump.walls.add(wall)
    back = pump.host(77, port=port, observer=who == "observes", **few)
    pump.join(back, hosts[0])
    pump.run(2.0)
    pump.walls.remove(wall)
    assert back.route(one) is None and one.states().get("n77") is None
    pump.until(lambda: one.states().get("n77") == "alive", 300.0)
    pump.run(5.0)
    assert equal(*hosts, one, back)
    assert {host.states()["n77"] for host in (*hosts, one)} == {"alive"}


def test_who_joined_where_it_was_void_is_told_where_it_is_held_alive_by_a_retired_source() -> None:
    pump = Pump()
    a, b = pump.cluster(2, dead_retention=RETENTION, log_slack=0)
    source, later = bytes(15) + b"\x07", int(pump.wall() / 1000) + 100
    announce(pump, a, label(77), source, later << 24)
    pump.run(1.0)
    a.node._parts.retiring._leftovers._mourn = lambda member, now: None  # as if it were linked
    retire(a, source, (1, 0))
    pump.run(5.0)
    assert b.node.control.get(MEMBER, label(77)) is None
    for stamp in range(1, 50):  # a newcomer joins, and covers the retired source with that
        b.node.control.put(40, b"key", 0, b"", stamp)
    b.node.advance(pump.now)
    pump.settle()
    back = come_back(pump, a, b, durable=False)
    held = [host.node.control.get(MEMBER, label(77)) for host in (a, b, back)]
    assert held[0] is not None and held[0][1] == back.node.source and held == [held[0]] * 3
    assert equal(a, b, back) and not back.of(Conflict)


def test_what_lapsed_is_held_up_by_no_source_of_another_member() -> None:
    pump = Pump()
    a, b = cluster(pump)
    a.node.control.put(MEMBER, label(77), EXPIRING, b"", stamp_of(5, "dead"), 1000)
    a.node.advance(pump.now)
    pump.run(LOOK_SECONDS + 5.0)
    sources = [bytes(15) + bytes([number]) for number in (7, 8, 9)]
    for incarnation, source in enumerate(sources):
        announce(pump, a, label(78), source, incarnation)
    pump.run(LOOK_SECONDS)
    for host in (a, b):
        assert [host.node.control.counts_in(source) for source in sources] == [True] * 3
        assert host.node.control.get(MEMBER, label(77)) is None


def test_a_source_of_which_nobody_has_all_that_was_said_holds_up_nothing() -> None:
    """Who had the rest ended before others had it. So it counts for ever, but is known to be gone
    to whoever may come back.
    """
    pump = Pump()
    a, b = cluster(pump)
    lost = live(pump, 50, a, leaving=True).node.source
    last = a.node.control.covered(lost), a.node.data.covered(lost) + 2
    retire(a, lost, last)
    pump.run(2 * RETENTION + LOOKS)
    for number in range(60, 64):
        live(pump, number, a, leaving=bool(number % 2))
        pump.run(LOOKS)
    pump.run(3 * RETENTION + 2 * LOOKS)
    for host in (a, b):
        assert host.node.data.counts_in(lost) and not host.node.data.is_retired(lost)
        assert families(host) == {MEMBER: 2, REPORT: 2, RETIRED: 1}
    assert equal(a, b)


def test_deletions_and_what_is_no_leftover_stay() -> None:
    pump = Pump()
    a, b = cluster(pump)
    a.node.control.put(40, b"deleted", TOMBSTONE, b"", 1)
    a.node.control.put(40, b"lapsing", EXPIRING, b"x", 1, 1000)
    a.node.control.put(MEMBER, label(78), TOMBSTONE, b"", stamp_of(1, "left"))
    a.node.advance(pump.now)
    pump.run(LOOKS)
    assert 40 not in FAMILIES
    for host in (a, b):
        for family, key in ((40, b"deleted"), (40, b"lapsing"), (MEMBER, label(78))):
            held = host.node.control.get(family, key)
            assert held is not None and held[2] & TOMBSTONE


def test_a_node_whose_source_is_retired_reports_anew_above_what_it_said() -> None:
    pump = Pump()
    a, b, c = cluster(pump, 3)
    b.node.data.write(b"gone", TOMBSTONE, b"", pump.wall())
    b.node.advance(pump.now)
    pump.run(30.0)
    before = a.node.control.get(REPORT, b.node.id)
    assert before is not None
    retire(a, b.node.source, (b.node.control.counter, b.node.data.counter))
    pump.run(5.0)
    b.node._parts.collecting._clock = lambda: 0  # it went back
    c.node.data.write(b"key", TOMBSTONE, b"", pump.wall())
    c.node.advance(pump.now)
    pump.run(60.0)
    for host in (a, c):
        after = host.node.control.get(REPORT, b.node.id)
        assert after is not None and after[0] > before[0] and after[1] == b.node.source
        assert host.node.data.tombstones == 0


def test_an_accusation_goes_with_the_source_of_its_author_though_nobody_knows_its_subject() -> None:
    pump = Pump()
    a, b = cluster(pump)
    accuser = pump.host(10, dead_retention=RETENTION)
    pump.join(accuser, a)
    pump.run(2.0)
    said = Accusation(label(77), accuser.node.id, 5, UNANSWERED, accuser.node.source)
    hour = 3_600_000
    accuser.node.control.put(ACCUSATION, said.key, EXPIRING, b"", said.stamp, hour)
    accuser.node.advance(pump.now)
    pump.run(15.0)
    assert a.node.control.get(ACCUSATION, said.key) is not None
    pump.kill(accuser)
    pump.run(RETENTION + LOOKS)
    for host in (a, b):
        assert families(host) == {MEMBER: 2, RETIRED: 1}
    assert equal(a, b)
