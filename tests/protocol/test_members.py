"""Who is alive, dead or gone: joins, failures, refutations, names, and how fast each is known."""

from __future__ import annotations

import random
from math import inf

import pytest

from vines._core.changes import Changes
from vines._core.table import ENDED, EXPIRING, MEMBER, TOMBSTONE
from vines.config import Config
from vines.errors import InvalidConfig
from vines.events import Conflict, Fail, Join, Leave, Refused, Suspect, Update
from vines.protocol.links.knocks import DIALS
from vines.protocol.members.doors import SHARED_SECONDS
from vines.protocol.members.identity import REFUTE_SECONDS, SIGN_SECONDS
from vines.protocol.members.membership import GONE_MAX
from vines.protocol.members.profile import Profile, stamp_of
from vines.protocol.node import Node

from .pump import Host, Pump, label


def record(number: int, **changes: object) -> Profile:
    values: dict = {
        "name": f"m{number}",
        "address": ("127.0.0.1", 20_000 + number),
        "tags": {},
        "versions": (1, 1),
        "observer": False,
        "source": number.to_bytes(16, "little"),
    }
    return Profile(**values | changes)


def learn(
    host: Host, number: int, *, state: str = "alive", incarnation: int = 1, **changes
) -> None:
    """Let a node learn a member record as if a frame had brought it."""
    profile = record(number, **changes)
    control = Pump().host(99, port=0).node.control
    control.adopt(profile.source)
    stamp = stamp_of(incarnation, state)
    control.put(MEMBER, number.to_bytes(16, "big"), 0, profile.encode(), stamp)
    body = control.delta_for(host.node.control.vector(), 1 << 16)
    news = Changes()
    assert body is not None
    host.node.control.apply(body, 0, None, 0, news)
    host.node._parts.linking.learn(news, host.pump.now)
    host.pump.settle()


def names(events: list) -> list[str]:
    return [event.member.name for event in events]


def test_any_number_of_nodes_with_one_seed_form_one_mesh() -> None:
    pump = Pump()
    hosts = pump.cluster(8)
    for host in hosts:
        others = sorted(other.name for other in hosts if other is not host)
        assert sorted(host.linked()) == others
        assert sorted(names(host.of(Join))) == others
        assert not host.of(Fail)


def test_nodes_seeded_in_a_ring_form_one_cluster() -> None:
    pump = Pump()
    hosts = [pump.host(number) for number in range(1, 6)]
    for host, seed in zip(hosts, hosts[1:] + hosts[:1], strict=True):
        pump.join(host, seed)
    pump.run(3.0)
    assert all(len(host.linked()) == 4 for host in hosts)


def test_thirty_nodes_link_by_fan_out_and_all_know_all() -> None:
    pump = Pump()
    hosts = pump.cluster(30)
    pump.run(5.0)
    for host in hosts:
        assert len(host.states()) == 29
        assert 1 <= len(host.linked()) <= 29
    hosts[7].write("key")
    pump.settle()
    assert all(host.value("key") == b"\x01" for host in hosts)
    incoming = [sum(end.number % 2 for end in host.ends.values()) for host in hosts]
    assert max(incoming) <= 16


@pytest.mark.parametrize("seed", range(10))
def test_a_killed_process_is_reported_within_a_second(seed: int) -> None:
    pump = Pump(seed)
    a, b, c = pump.cluster(3)
    pump.kill(c)
    assert pump.until(lambda: bool(a.of(Fail) and b.of(Fail))) <= 0.5
    assert names(a.of(Fail)) == names(b.of(Fail)) == ["n3"]
    assert a.states()["n3"] == "dead"


def test_a_vanished_process_is_reported_after_all_tries() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    assert b.address is not None
    pump.vanished.add(b.address)
    dialled = len(a.dials)
    pump.kill(b)
    pump.run(10.0)
    assert names(a.of(Fail)) == ["n2"]
    tries = a.node.config.reconnect_tries
    assert len(a.dials) - dialled >= tries


def test_a_process_that_comes_back_before_the_last_refusal_is_no_failure() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    assert b.address is not None
    assert a.address is not None
    pump.vanished.add(a.address)
    listener = pump.listeners.pop(b.address)
    pump.cut(a.to(b))
    pump.until(lambda: len(a.dials) >= 2)
    pump.listeners[b.address] = listener
    pump.run(5.0)
    assert not a.of(Fail)
    assert a.linked() == ["n2"]


def test_a_peer_that_cannot_be_dialled_is_reported_when_it_does_not_come_back() -> None:
    pump = Pump()
    a, b = pump.host(1), pump.host(2, port=0)
    pump.join(b, a)
    pump.run(1.0)
    pump.kill(b)
    assert 1.9 <= pump.until(lambda: bool(a.of(Fail))) <= 2.1


def test_who_was_held_dead_and_is_met_again_refutes_and_is_told_as_joined() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    assert a.address is not None
    assert b.address is not None
    pump.vanished |= {a.address, b.address}
    pump.cut(a.to(b))
    pump.run(40.0)
    assert a.states() == {"n2": "dead"}
    assert b.states() == {"n1": "dead"}
    pump.vanished.clear()
    assert pump.until(lambda: bool(a.linked() and b.linked())) <= 6.0
    pump.run(1.0)
    assert a.states() == {"n2": "alive"}
    assert names(a.of(Join)) == ["n2", "n2"]
    assert names(a.of(Fail)) == ["n2"]


def test_a_firewall_between_two_is_no_death_for_anybody() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    pump.walls.add(frozenset((a.address, b.address)))
    pump.cut(a.to(b))
    pump.run(120.0)
    assert not a.of(Fail) + b.of(Fail) + c.of(Fail)
    assert c.states() == {"n1": "alive", "n2": "alive"}
    # Each accuses the other when it is lost and, for lack of any other sign, now and then again.
    assert 1 <= len(a.of(Suspect)) <= 8
    assert a.node.members()[1].suspected is False


def test_what_others_say_of_a_linked_peer_is_believed_when_the_link_breaks() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    incarnation = a.node.members()[1].incarnation
    profile = record(2, name="n2", source=b.node.source, address=b.address)
    change = (MEMBER, b.node.id, 0, profile.encode(), stamp_of(incarnation, "dead"), label(9))
    a.node._parts.linking.learn([change], pump.now)
    pump.settle()
    assert not a.of(Fail)
    pump.kill(b)
    pump.settle()
    assert names(a.of(Fail)) == ["n2"]


def test_leaving_is_told_as_leaving_and_ends_without_dials() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    c.node.leave(pump.now)
    c.node.advance(pump.now)
    assert not c.node.drained
    pump.settle()
    assert c.node.drained
    pump.kill(c)
    dials = len(a.dials)
    pump.run(30.0)
    assert names(a.of(Leave)) == names(b.of(Leave)) == ["n3"]
    assert not a.of(Fail)
    assert len(a.dials) == dials


def test_a_node_that_left_does_not_refute_and_dials_nobody() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    b.node.leave(pump.now)
    pump.settle()
    pump.cut(b.to(a))
    dials = len(b.dials)
    pump.run(20.0)
    assert len(b.dials) == dials
    assert a.states() == {"n2": "left"}
    assert b.node.members()[0].state == "left"


def test_new_tags_and_addresses_are_told_as_updates() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    b.node.tags({"role": "web"}, pump.now)
    pump.settle()
    assert a.of(Update)[-1].member.tags == {"role": "web"}
    b.node.listening(("127.0.0.1", 9999), pump.now)
    pump.settle()
    assert a.of(Update)[-1].member.address == ("127.0.0.1", 9999)
    assert len(a.of(Update)) == 2
    with pytest.raises(InvalidConfig):
        b.node.tags({"role": "x" * 600}, pump.now)
    assert b.node.members()[0].tags == {"role": "web"}


def test_refutations_are_limited_in_time_however_often_one_is_accused() -> None:
    pump = Pump()
    a, _b = pump.cluster(2)
    start = a.node.members()[0].incarnation
    for _ in range(1000):
        mine = a.node.members()[0].incarnation
        change = (MEMBER, a.node.id, 0, b"", stamp_of(mine, "dead"), label(9))
        a.node._parts.linking.learn([change], pump.now)
        pump.run(0.01)
    seconds = 1000 * 0.01
    rises = a.node.members()[0].incarnation - start
    assert seconds / REFUTE_SECONDS - 1 <= rises <= seconds / REFUTE_SECONDS + 1


def test_an_earlier_life_of_ones_own_is_outdone_without_a_conflict() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    b.node.leave(pump.now)
    pump.settle()
    pump.kill(b)
    again = pump.host(2, skew=-3600.0)
    pump.join(again, a)
    pump.run(3.0)
    assert a.states() == {"n2": "alive"}
    assert not again.of(Conflict)
    assert not a.of(Conflict)


@pytest.mark.parametrize("port", [9002, 9022], ids=["same address", "another"])
def test_a_machine_that_is_back_as_the_same_node_takes_over_from_links_that_still_seem_up(
    port: int,
) -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    b.alive = False  # it lost power: nobody was told, and nothing is heard of it
    pump.run(0.5)
    again = pump.host(2, port=port)
    pump.join(again, a)
    pump.run(3.0)
    for host in (a, c):
        assert host.states()["n2"] == "alive"
        assert host.linked() == [each.name for each in (a, again, c) if each is not host]
        assert not host.of(Fail) + host.of(Conflict)
    assert again.linked() == ["n1", "n3"]
    assert not again.of(Conflict)


def test_who_moved_while_the_link_was_down_is_found_where_it_listens_now() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    pump.vanished |= {("127.0.0.1", 9001), ("127.0.0.1", 9002)}
    pump.cut(a.to(b))
    del pump.listeners["127.0.0.1", 9002]
    b.address = ("127.0.0.1", 9999)
    pump.listeners[b.address] = b
    b.node.listening(b.address, pump.now)
    assert pump.until(lambda: a.linked() == ["n2", "n3"]) <= 0.2
    assert ("127.0.0.1", 9999) in a.dials
    assert a.of(Update)[-1].member.address == ("127.0.0.1", 9999)
    assert not [event for host in (a, b, c) for event in host.of(Fail)]


def test_twins_are_told_of_and_the_later_start_stays() -> None:
    pump = Pump()
    a, first = pump.cluster(2)
    pump.run(5.0)
    second = pump.host(2, port=9012, name="twin")
    pump.join(second, a)
    pump.run(120.0)
    assert a.states() == {"twin": "alive"}
    assert second.linked() == ["n1"]
    assert [event.kind for event in a.of(Conflict)] == ["identity"] * len(a.of(Conflict))
    assert 1 <= len(a.of(Conflict)) <= 3
    assert {event.reason for event in first.of(Refused)} == {"identity"}
    for twin in (first, second):
        assert [event.kind for event in twin.of(Conflict)] == ["identity", "storage"]
        assert twin.node.id.hex() in twin.of(Conflict)[0].text
    assert len(first.dials) <= 20


def test_a_shared_name_is_told_of_on_both_sides_if_it_lasts() -> None:
    pump = Pump()
    a = pump.host(1, name="same")
    b = pump.host(2, name="same")
    pump.join(b, a)
    pump.run(2.0)
    assert not a.of(Conflict)
    pump.run(2.0)
    assert [event.kind for event in (*a.of(Conflict), *b.of(Conflict))] == ["name", "name"]
    pump.run(60.0)
    assert len(a.of(Conflict)) == 1


def test_a_restart_under_the_same_name_is_no_conflict() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    pump.kill(b)
    again = pump.host(3, port=9002, name="n2")
    pump.join(again, a)
    pump.run(10.0)
    assert not a.of(Conflict)
    assert a.linked() == ["n2"]


def test_who_died_together_with_all_who_knew_it_does_not_live_for_ever() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    learn(a, 77)
    assert a.states()["m77"] == "alive"
    pump.run(2.0)
    assert not a.of(Fail)
    pump.run(60.0)
    assert names(a.of(Fail)) == ["m77"]
    assert b.states()["m77"] == "dead"


def test_dead_members_are_forgotten_after_their_time() -> None:
    pump = Pump()
    a, b = pump.host(1, dead_retention=30.0), pump.host(2)
    pump.join(b, a)
    pump.run(1.0)
    pump.kill(b)
    pump.run(5.0)
    assert a.states() == {"n2": "dead"}
    pump.run(30.0)
    assert a.states() == {}


def test_who_stood_still_looks_for_those_it_held_dead_before_it_forgets_them() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3, dead_retention=30.0)
    pump.kill(a)  # whom both have as their seed
    pump.walls.add(frozenset((b.address, c.address)))
    pump.lose(b.to(c))
    pump.lose(c.to(b))
    pump.run(15.0)
    assert b.states()["n3"] == c.states()["n2"] == "dead"
    c.deaf, c.alive = True, False
    pump.run(100.0)
    assert b.states() == {}
    pump.walls.clear()
    c.deaf, c.alive = False, True
    pump.run(20.0)
    assert b.states() == {"n3": "alive"}
    assert c.states()["n2"] == "alive"
    pump.run(30.0)
    assert c.states() == {"n2": "alive"}


def test_who_stood_still_reads_what_a_linked_peer_objected_before_it_believes_others() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    incarnation = a.node.members()[1].incarnation
    profile = record(2, name="n2", source=b.node.source, address=b.address)
    change = (MEMBER, b.node.id, 0, profile.encode(), stamp_of(incarnation, "dead"), label(9))
    a.node._parts.linking.learn([change], pump.now)
    pump.now += 60.0
    a.node.advance(pump.now)
    assert a.states() == {"n2": "alive"}
    pump.run(6.0)
    assert a.states() == {"n2": "dead"}


@pytest.mark.parametrize("way", ["dead", "left"])
def test_what_the_table_says_of_the_gone_lapses_everywhere_with_their_time(way: str) -> None:
    pump = Pump()
    a, b, c = pump.cluster(3, dead_retention=30.0)
    if way == "left":
        c.node.leave(pump.now)
        pump.settle()
    pump.kill(c)
    pump.run(5.0)
    assert a.states()["n3"] == b.states()["n3"] == way
    pump.run(30.0)
    late = pump.host(4, dead_retention=30.0)
    pump.join(late, a)
    pump.run(5.0)
    prints = {host.node.control.fingerprint() for host in (a, b, late)}
    assert len(prints) == 1
    for host in (a, b, late):
        record = host.node.control.get(MEMBER, c.node.id)
        assert record is not None
        assert (record[2] & TOMBSTONE, record[3]) == (TOMBSTONE, b"")
        assert "n3" not in host.states()
        assert host.node.stats()["members_ignored"] == 0
        assert not host.of(Conflict)
    again = pump.host(3, dead_retention=30.0)
    pump.join(again, a)
    pump.run(5.0)
    for host in (a, b, late):
        assert host.states()["n3"] == "alive"


@pytest.mark.parametrize(("rank", "word"), [(1, "dead"), (2, "left")])
def test_who_missed_an_end_until_it_had_lapsed_believes_it_all_the_same(
    rank: int, word: str
) -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    learn(a, 77)
    about = MEMBER, (77).to_bytes(16, "big"), EXPIRING | TOMBSTONE, b"", 1 << 2 | rank
    source = (77).to_bytes(16, "little")
    for origin in (b.node.control.source, source) if word == "left" else (b.node.control.source,):
        a.node._parts.linking.learn([(*about, origin)], pump.now)  # type: ignore[arg-type]
    pump.settle()
    assert names(a.of(Leave if word == "left" else Fail)) == ["m77"]
    # Who failed is dialled again now and then; of one that left nothing more is to be known.
    assert a.states().get("m77") == ("dead" if word == "dead" else None)
    assert a.node.stats()["members_ignored"] == (1 if word == "left" else 0)
    late = pump.host(5)
    late.node._parts.linking.learn([(*about, source)], pump.now)  # type: ignore[arg-type]
    assert "m77" not in late.states()
    assert late.node.stats()["members_ignored"] == 0


def test_who_missed_a_start_and_its_end_until_both_had_lapsed_believes_that_it_left() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    learn(a, 77)
    member, past, later = (77).to_bytes(16, "big"), (77).to_bytes(16, "little"), b"later start 16 b"
    fates: list[tuple[bytes, int]] = []
    a.node._parts.linking.members.author = lambda source, fate: fates.append((source, fate))

    def lapsed(incarnation: int, rank: int, origin: bytes) -> None:
        gone = MEMBER, member, EXPIRING | TOMBSTONE, b"", incarnation << 2 | rank, origin
        a.node._parts.linking.learn([gone], pump.now)  # type: ignore[arg-type]

    # Neither at the incarnation that it chose in its start of before, nor in another's words.
    lapsed(1, 2, later)
    lapsed(2, 2, b.node.control.source)
    lapsed(2, 2, a.node.control.source)
    lapsed(2, 0, past)
    assert a.states()["m77"] == "alive"
    assert a.node.stats()["members_ignored"] == 4
    lapsed(2, 2, later)
    pump.settle()
    assert names(a.of(Leave)) == ["m77"]
    assert "m77" not in a.states()
    assert fates == [(past, ENDED), (later, ENDED)]


def test_who_is_remembered_as_dead_is_not_any_more_once_it_is_known_to_have_left_long_ago() -> None:
    pump = Pump()
    a, _ = pump.cluster(2)
    learn(a, 77, state="dead")
    gone = MEMBER, (77).to_bytes(16, "big"), EXPIRING | TOMBSTONE, b""
    for stamp, origin in ((1 << 2 | 1, b"who said it 16 b"), (1 << 2, (77).to_bytes(16, "little"))):
        a.node._parts.linking.learn([(*gone, stamp, origin)], pump.now)  # type: ignore[arg-type]
        assert a.states()["m77"] == "dead"
    origin = b"later start 16 b"
    a.node._parts.linking.learn([(*gone, 2 << 2 | 2, origin)], pump.now)  # type: ignore[arg-type]
    pump.settle()
    assert "m77" not in a.states()
    assert not a.of(Leave)
    assert a.node.stats()["members_ignored"] == 0


def test_the_view_is_bounded_whatever_the_table_holds() -> None:
    pump = Pump()
    a = pump.host(1, members_max=50)
    for number in range(GONE_MAX + 100):
        learn(a, number + 10_000, state="left", name=f"g{number}")
    assert len(a.states()) == GONE_MAX
    assert "g99" not in a.states()
    for number in range(200):
        learn(a, number + 1000, name=f"m{number}")
    assert len(a.states()) == 50 + GONE_MAX
    assert a.node.stats()["members_ignored"] == 150


def test_members_lists_this_node_first_and_the_others_by_name() -> None:
    pump = Pump()
    a, *_ = pump.cluster(4)
    assert [member.name for member in a.node.members()] == ["n1", "n2", "n3", "n4"]
    assert [member.local for member in a.node.members()] == [True, False, False, False]
    lone = Node(Config(name="zed"), random.Random(1), lambda: 1, now=0.0)
    assert [member.name for member in lone.members()] == ["zed"]


def test_a_node_that_never_joined_does_nothing() -> None:
    node = Node(Config(), random.Random(1), lambda: 1_700_000_000_000, now=0.0)
    assert node.deadline() is None or node.deadline() == 0.0
    node.advance(0.0)
    assert node.deadline() is None
    assert node.outbox.take() == []
    assert len(node.control) == 0


def test_in_a_larger_cluster_too_nobody_lives_for_ever_whom_nobody_is_linked_to() -> None:
    pump = Pump()
    hosts = pump.cluster(6, mesh_members=1, fanout_min=1)
    learn(hosts[0], 77)
    learn(hosts[0], 78, observer=True)
    pump.settle()
    assert all(host.states()["m77"] == "alive" for host in hosts)
    pump.run(120.0)
    assert all(host.states()["m77"] == "dead" for host in hosts)
    assert all(host.states()["m78"] == "dead" for host in hosts)


def test_who_can_be_answered_by_datagrams_dials_nobody_to_see_whether_it_is_there() -> None:
    pump = Pump()
    hosts = pump.cluster(6, mesh_members=1, fanout_min=1)
    dials = [len(host.dials) for host in hosts]
    pump.run(60.0)
    assert [len(host.dials) for host in hosts] == dials


def test_a_probe_by_a_dial_leaves_nothing_but_a_closed_stream() -> None:
    pump = Pump()
    hosts = pump.cluster(6, mesh_members=1, fanout_min=1)
    silent = pump.host(7, port=0, mesh_members=1, fanout_min=1)
    pump.join(silent, hosts[0])
    # Long enough for links beyond those that are kept to be gone, and that of a visit.
    pump.run(60.0)
    hosts.append(silent)
    links = [host.linked() for host in hosts]
    dials = len(silent.dials)
    bytes_out = [host.count("bytes_out", "hello") for host in hosts]
    pump.run(40.0)
    assert len(silent.dials) > dials
    assert [host.linked() for host in hosts] == links
    assert [host.count("bytes_out", "hello") for host in hosts] == bytes_out
    # Now and then it says hello, where tables are compared, and that link goes again.
    pump.run(60.0)
    assert silent.count("bytes_out", "hello") > bytes_out[-1]
    pump.run(0.5 * SIGN_SECONDS)
    assert [host.linked() for host in hosts] == links
    assert not [event for host in hosts for event in host.of(Fail)]


def test_whose_address_passed_to_another_does_not_live_for_ever() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    learn(a, 77, address=b.address)
    learn(a, 78, address=a.address)
    pump.run(60.0)
    assert a.states() == {"n2": "alive", "m77": "dead", "m78": "dead"}
    assert len({end.stream for end in a.ends.values()}) == 1


def test_who_does_not_listen_and_says_nothing_is_given_up_after_long() -> None:
    pump = Pump()
    a, _ = pump.cluster(2)
    learn(a, 77, address=None)
    pump.run(200.0)
    assert a.states()["m77"] == "alive"
    pump.run(140.0)
    assert a.states()["m77"] == "dead"


@pytest.mark.parametrize(("members", "observer"), [(2, False), (2, True), (12, False)])
def test_those_that_do_not_listen_do_not_hold_each_other_dead(members: int, observer: bool) -> None:
    pump = Pump()
    hosts = pump.cluster(members)
    for number in (77, 78, 79):
        hosts.append(pump.host(number, port=0, observer=observer))
        pump.join(hosts[-1], hosts[0])
    pump.run(1000.0)
    for host in hosts:
        assert not host.of(Fail) and not host.of(Suspect)
        assert set(host.states().values()) == {"alive"}


def test_who_does_not_listen_and_dies_with_all_that_were_linked_to_it_is_held_dead() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    c, d = pump.host(77, port=0), pump.host(78, port=0)
    pump.join(c, a)
    pump.join(d, a)
    pump.run(250.0)
    for host in (a, b, c):
        pump.kill(host)
    assert pump.until(lambda: d.states()["n77"] == "dead", 340.0) > 180.0
    assert set(d.states().values()) == {"dead"}


def test_a_wall_between_two_is_no_death_of_one_that_does_not_listen() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    d, e = pump.host(77, port=0), pump.host(78, port=0)
    for host in (d, e):
        pump.join(host, a)
    pump.run(5.0)
    pump.walls.add(frozenset((d.address, b.address)))
    pump.cut(d.to(b))
    pump.run(600.0)
    assert names(a.of(Suspect)).count("n77") == 1
    assert not [event for host in (a, b, c, d, e) for event in host.of(Fail)]
    # Once nothing is left of it, that is told at once.
    pump.kill(d)
    pump.run(2.1)
    assert [names(host.of(Fail)) for host in (a, b, c, e)] == [["n77"]] * 4


def test_who_stood_still_has_not_heard_who_was_there_meanwhile() -> None:
    pump = Pump()
    a, _ = pump.cluster(2)
    c, d = pump.host(77, port=0), pump.host(78, port=0)
    for host in (c, d):
        pump.join(host, a)
    pump.run(60.0)
    d.deaf, d.alive = True, False
    for end in list(d.ends.values()):
        pump.lose(end.peer)
    pump.run(500.0)
    d.deaf, d.alive = False, True
    pump.run(60.0)
    assert d.states() == {"n1": "alive", "n2": "alive", "n77": "alive"}
    assert not d.of(Fail)


def test_who_does_not_listen_says_so_seldom_and_not_before_or_after_its_time() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    c = pump.host(77, port=0)
    identity = c.node._parts.identity
    first = identity.incarnation
    assert identity.deadline() == inf
    pump.run(250.0)
    assert identity.incarnation == first
    pump.join(c, a)
    pump.run(250.0)
    assert identity.incarnation == first + 2
    assert a.node.control.counter == b.node.control.counter == 1
    c.node.leave(pump.now)
    pump.run(1.0)
    assert identity.deadline() == inf
    pump.run(250.0)
    assert identity.incarnation == first + 2


def test_an_advertised_address_that_leads_nowhere_is_told_of_with_the_bound_one() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    c = pump.host(3, port=0)
    c.node.listening(("127.0.0.1", 9999), pump.now, bound=("0.0.0.0", 9003))
    pump.join(c, a)
    pump.run(2.0)
    assert c.of(Conflict) == []
    # Its own dials get nowhere for a while, and those of the others are refused.
    assert a.address and b.address
    pump.vanished |= {a.address, b.address}
    for end in list(c.ends.values()):
        pump.cut(end)
    pump.run(5.0)
    assert a.states()["n3"] == "dead"
    pump.vanished.clear()
    pump.run(30.0)
    assert a.states()["n3"] == "alive"
    told = [each for each in c.of(Conflict) if each.kind == "address"]
    assert len(told) == 1
    assert "127.0.0.1:9999" in told[0].text
    assert "0.0.0.0:9003" in told[0].text
    assert not [each for each in [*a.of(Conflict), *b.of(Conflict)] if each.kind == "address"]


def misled(pump: Pump) -> Host:
    """A node that advertises what leads nowhere; it is bound to port 9077."""
    host = pump.host(77, port=0)
    host.node.listening(("127.0.0.1", 9999), pump.now, bound=("0.0.0.0", 9077))
    pump.listeners["127.0.0.1", 9077] = host
    return host


@pytest.mark.parametrize("way", ["it joins", "it is the seed"])
@pytest.mark.parametrize("members", [2, 5, 12])
def test_who_advertises_what_leads_nowhere_finds_out_and_is_as_if_it_did_not_listen(
    members: int, way: str
) -> None:
    pump = Pump()
    c = misled(pump)
    hosts = pump.cluster(members)
    if way == "it joins":
        pump.join(c, hosts[0])
    else:
        for host in hosts:
            host.node.join([("127.0.0.1", 9077)], pump.now)
    assert pump.until(lambda: bool(c.of(Conflict))) < 12.0
    pump.run(1.0)
    suspected = [len(host.of(Suspect)) for host in hosts]
    assert max(suspected) <= (0 if members <= 8 else 10)
    pump.run(600.0)
    (told,) = c.of(Conflict)
    assert told.kind == "address"
    assert "127.0.0.1:9999" in told.text and "0.0.0.0:9077" in told.text
    assert [len(host.of(Suspect)) for host in hosts] == suspected
    for host in (*hosts, c):
        assert not host.of(Fail)
        assert host is c or not host.of(Conflict)
        assert [each.address for each in host.node.members() if each.id == c.node.id] == [None]
        assert set(host.states().values()) == {"alive"}


@pytest.mark.parametrize("datagrams", [True, False])
def test_an_advertised_address_that_leads_here_is_not_suspected(datagrams: bool) -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    c = pump.host(77, port=9999)
    c.node.listening(c.address, pump.now, bound=("0.0.0.0", 9077))
    if not datagrams:
        pump.mute.add(("127.0.0.1", 9999))
    pump.join(c, hosts[0])
    before = [len(host.dials) for host in (c, *hosts)]
    pump.run(300.0)
    assert not [event for host in (c, *hosts) for event in host.of(Conflict)]
    assert c.node.members()[0].address == c.address
    dialled = [len(host.dials) - count for host, count in zip((c, *hosts), before, strict=True)]
    # Streams are dialled to see whether it is reached where datagrams are not, and not for ever.
    assert max(dialled) <= 3 * (DIALS + 1)


def test_who_is_reached_is_not_misled_by_one_that_asks_and_accuses_for_ever() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    c = pump.host(77, port=9999)
    c.node.listening(c.address, pump.now, bound=("0.0.0.0", 9077))
    for host in (a, b):
        pump.join(c, host)
    for _ in range(40):
        pump.run(0.5)
        c.node._parts.linking.knocks.missed(pump.now)
        c.node._parts.identity.accused(pump.now)
    assert not c.of(Conflict)
    # Nor does what came to another address say anything of the one it advertises now.
    pump.listeners.pop(("127.0.0.1", 9999))
    c.node.listening(("127.0.0.1", 9998), pump.now, bound=("0.0.0.0", 9077))
    assert pump.until(lambda: bool(c.of(Conflict))) < 12.0


@pytest.mark.parametrize("second", [0.0, 3.0])
def test_an_address_that_two_advertise_is_told_of_everywhere(second: float) -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    b.node.listening(("127.0.0.1", 9999), pump.now)
    pump.run(second)
    c.node.listening(("127.0.0.1", 9999), pump.now)
    pump.run(SHARED_SECONDS - 5.0)
    assert not [event for host in (a, b, c) for event in host.of(Conflict)]
    pump.run(10.0)
    for host in (a, b, c):
        (told,) = [event for event in host.of(Conflict) if "2 live" in event.text]
        assert told.kind == "address"
        assert "127.0.0.1:9999" in told.text
        assert b.node.id.hex() in told.text
        assert c.node.id.hex() in told.text


def test_of_two_that_advertise_one_address_the_one_it_does_not_lead_to_finds_out() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    shared = ("127.0.0.1", 9999)
    pump.listeners[shared] = b
    for host in (b, c):
        host.node.listening(shared, pump.now, bound=host.address)
    pump.run(60.0)
    assert [len(host.of(Conflict)) for host in (a, b, c)] == [0, 0, 1]
    assert "127.0.0.1:9003" in c.of(Conflict)[0].text
    assert {each.name: each.address for each in a.node.members()[1:]} == {"n2": shared, "n3": None}
    assert not [event for host in (a, b, c) for event in host.of(Fail)]


def test_an_address_that_was_shared_for_a_moment_is_no_conflict() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    for host in (b, c):
        host.node.listening(("127.0.0.1", 9999), pump.now)
    pump.run(5.0)
    c.node.listening(c.address, pump.now)
    b.node.listening(b.address, pump.now)
    pump.run(60.0)
    assert not [event for host in (a, b, c) for event in host.of(Conflict)]


def test_an_address_that_was_bound_is_not_suspected() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    assert a.address is not None
    b.node.listening(b.address, pump.now, bound=b.address)
    b.node._parts.identity.meet(
        b.node._parts.identity.incarnation << 2 | 1, bytes(16), b"", pump.now
    )
    pump.run(5.0)
    assert b.of(Conflict) == []


def test_what_a_user_does_to_the_tags_of_an_event_changes_nobodys_view() -> None:
    pump = Pump()
    one, other = pump.host(1), pump.host(2)
    for host in (one, other):
        learn(host, 7, tags={"role": "web"})
    (join,) = one.of(Join)
    join.member.tags["role"] = "changed"
    late = pump.host(3)
    learn(late, 7, tags={"role": "web"})
    for host in (one, other, late):
        (member,) = (each for each in host.node.members() if each.name == "m7")
        assert member.tags == {"role": "web"}
