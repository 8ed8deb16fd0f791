"""The reconnection rule, seeds, fan-out and healing, as far as dials show them."""

from __future__ import annotations

import itertools
import random

import pytest

from vines.config import Config
from vines.errors import InvalidAddress
from vines.events import Fail
from vines.protocol.links.dialling import CALM_SECONDS, CALM_SECONDS_MAX, SHARE_SECONDS
from vines.protocol.links.dials import DIALS_MAX
from vines.protocol.links.losses import LOST_MAX, STABLE_SECONDS, Losses, pause
from vines.protocol.links.others import UNREACHED_SECONDS, UNREACHED_TRIES, Others
from vines.protocol.links.seeds import SEEDS_MAX, Seeds

from .pump import Host, Pump, label

ADDRESS = ("127.0.0.1", 9002)
PEER = label(2)


def losses(**options: object) -> Losses:
    return Losses(Config(**options), random.Random(1))


def test_pauses_double_and_are_drawn_evenly_from_nothing_to_their_bound() -> None:
    rng = random.Random(1)
    for tries, bound in enumerate((0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0)):
        drawn = [pause(rng, 0.05, 2.0, tries) for _ in range(500)]
        assert 0.9 * bound <= max(drawn) <= bound
        assert min(drawn) <= 0.1 * bound
    assert pause(rng, 0.05, 2.0, 10_000) <= 2.0


def fail_until_it_ends(lost: Losses, *, refused: bool) -> tuple[int, bool, float]:
    """Dial a lost peer until the rule gives it up: dials, whether it is proved gone, time."""
    now, dials = 0.0, 0
    while True:
        now = lost.deadline()
        [(member, _)] = lost.due(now)
        lost.dialled(member)
        dials += 1
        gone = lost.fail(member, refused=refused, now=now)
        if member not in lost:
            return dials, gone, now


def test_three_refusals_prove_a_peer_gone_in_well_under_a_second() -> None:
    for seed in range(200):
        lost = Losses(Config(), random.Random(seed))
        lost.lose(PEER, ADDRESS, 0.0, lived=60.0)
        dials, gone, seconds = fail_until_it_ends(lost, refused=True)
        assert (dials, gone) == (3, True)
        assert seconds <= 0.35


def test_six_dials_without_an_answer_prove_a_peer_gone() -> None:
    lost = losses()
    lost.lose(PEER, ADDRESS, 0.0, lived=60.0)
    dials, gone, _ = fail_until_it_ends(lost, refused=False)
    assert (dials, gone) == (6, True)


def test_a_peer_found_again_is_not_accused_for_what_failed_before() -> None:
    lost = losses()
    lost.lose(PEER, ADDRESS, 0.0, lived=60.0)
    for _ in range(2):
        lost.dialled(PEER)
        assert not lost.fail(PEER, refused=True, now=1.0)
    lost.find(PEER)
    lost.lose(PEER, ADDRESS, 2.0, lived=STABLE_SECONDS + 1)
    dials, gone, _ = fail_until_it_ends(lost, refused=True)
    assert (dials, gone) == (3, True)


def test_a_flapping_peer_slows_down_and_is_left_to_others_without_an_accusation() -> None:
    lost = losses()
    pauses = []
    for turn in range(6):
        lost.lose(PEER, ADDRESS, 0.0, lived=0.1)
        pauses.append(lost.deadline())
        lost.dialled(PEER)
        lost.find(PEER)
        assert turn < 6
    lost.lose(PEER, ADDRESS, 0.0, lived=0.1)
    lost.dialled(PEER)
    assert not lost.fail(PEER, refused=False, now=0.0)
    assert PEER not in lost


def test_lost_peers_are_bounded() -> None:
    lost = losses()
    for number in range(LOST_MAX + 100):
        lost.lose(number.to_bytes(16, "big"), ADDRESS, 0.0, lived=1.0)
    assert len(lost) == LOST_MAX


def test_seeds_are_validated_before_anything_changes() -> None:
    seeds = Seeds(Config(), random.Random(1))
    for wrong in (("h", 0), ("", 1), ("h" * 256, 1), ("0.0.0.0", 1), ("h", 65536)):
        with pytest.raises(InvalidAddress):
            seeds.add([("127.0.0.1", 1), wrong], 0.0)
    with pytest.raises(InvalidAddress, match="at most"):
        seeds.add([("127.0.0.1", port) for port in range(1, SEEDS_MAX + 2)], 0.0)
    assert seeds.deadline() == float("inf")


def test_a_seed_that_is_down_is_dialled_for_ever_ever_more_slowly() -> None:
    seeds = Seeds(Config(), random.Random(1))
    seeds.add([ADDRESS, ADDRESS], 0.0)
    times = []
    for _ in range(200):
        now = seeds.deadline()
        assert seeds.due(now, lambda *_: False) == [ADDRESS]
        seeds.dialled(ADDRESS)
        seeds.failed(ADDRESS, slow=False, now=now)
        times.append(now)
    pauses = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert pauses[0] <= 0.2
    assert all(2.5 <= each <= 5.0 for each in pauses[10:])


def test_one_who_was_not_lost_is_accused_after_long_and_then_ever_more_rarely() -> None:
    others = Others(Config(), random.Random(1), label(1))
    accusations = []
    now = 0.0
    while now < 2000.0:
        if others.failed(PEER, now, slow=False):
            accusations.append(now)
        now = max(now + 0.5, min(others.review, now + 20.0))
        others.review = float("inf")
    assert accusations[0] >= UNREACHED_SECONDS
    assert UNREACHED_TRIES >= 3
    gaps = [later - sooner for sooner, later in itertools.pairwise(accusations)]
    assert all(later > 1.5 * sooner for sooner, later in itertools.pairwise(gaps))
    assert len(accusations) <= 7


def test_dials_under_way_are_bounded_whatever_is_given() -> None:
    pump = Pump()
    a = pump.host(1)
    a.node.join([("127.0.0.1", port) for port in range(1, SEEDS_MAX + 1)], pump.now)
    a.node.advance(pump.now)
    assert len(a.node.outbox.take()) == DIALS_MAX


def test_a_dial_the_driver_forgot_is_given_up() -> None:
    pump = Pump()
    a = pump.host(1)
    a.node.join([ADDRESS], pump.now)
    a.node.advance(pump.now)
    [first] = a.node.outbox.take()
    pump.now += 2 * a.node.config.dial_timeout + 0.1
    a.node.advance(pump.now)
    pump.now += 1.0
    a.node.advance(pump.now)
    [second] = a.node.outbox.take()
    a.node.connected(5, first.ticket, pump.now)
    assert [type(effect).__name__ for effect in a.node.outbox.take()] == ["Close"]
    a.node.connected(6, second.ticket, pump.now)
    assert [type(effect).__name__ for effect in a.node.outbox.take()] == ["Write"]


def test_the_same_peer_is_dialled_first_and_others_only_after_it() -> None:
    pump = Pump()
    hosts = pump.cluster(12, mesh_members=1, fanout_min=4, heal_interval=1000.0)
    a = next(host for host in hosts if len(host.linked()) == 4)
    lost = next(host for host in hosts if host.name == a.linked()[0])
    assert lost.address is not None
    pump.vanished.add(lost.address)
    dialled = len(a.dials)
    pump.kill(lost)
    while a.states()[lost.name] == "alive":
        assert set(a.dials[dialled:]) <= {lost.address}
        assert len(a.linked()) == 3
        pump.run(0.01)
    assert len(a.dials) - dialled >= 3
    pump.run(5.0)
    assert len(a.linked()) in (4, 5)  # one of the others may have lost a link, too, and dialled
    assert set(a.dials[dialled:]) != {lost.address}


def large(pump: Pump, count: int) -> list[Host]:
    """A cluster in which each keeps four links, all of them made; who has fewest stands first."""
    hosts = pump.cluster(count, mesh_members=1, fanout_min=4, heal_interval=1000.0)
    pump.run(5.0)
    return sorted(hosts, key=lambda host: len(host.linked()))


def test_who_joins_takes_over_who_is_there_before_it_dials_others() -> None:
    pump = Pump()
    hosts = large(pump, 12)
    late = pump.host(13, mesh_members=1, fanout_min=4)
    pump.join(late, hosts[0])
    pump.run(CALM_SECONDS - 0.01)
    assert len(late.states()) == 12
    assert late.dials == [hosts[0].address]
    pump.run(0.02)
    assert len(late.dials) > 1


def test_while_members_keep_coming_others_are_dialled_after_a_second_all_the_same() -> None:
    pump = Pump()
    hosts = large(pump, 12)
    late = pump.host(13, mesh_members=1, fanout_min=4)
    pump.join(late, hosts[0])
    for number in range(14, 14 + 9):
        pump.run(CALM_SECONDS_MAX / 10)
        pump.join(pump.host(number, mesh_members=1, fanout_min=4), hosts[1])
        assert late.dials == [hosts[0].address]
    pump.run(CALM_SECONDS_MAX / 10 + 0.01)
    assert len(late.dials) > 1


def test_half_of_the_missing_links_are_left_to_others_for_a_moment() -> None:
    pump = Pump()
    hosts = large(pump, 12)
    late = pump.host(13, mesh_members=1, fanout_min=4)
    pump.join(late, hosts[0])
    pump.run(CALM_SECONDS + 0.01)
    assert len(late.linked()) == 2
    pump.run(SHARE_SECONDS)
    assert len(late.linked()) == 4


def test_a_stranger_who_says_nothing_is_let_go() -> None:
    pump = Pump()
    a = pump.host(1)
    a.node.connected(7, None, pump.now)
    pump.run(a.node.config.handshake_timeout - 0.1)
    assert a.node.stats()["strangers"] == 1
    pump.run(0.2)
    assert a.node.stats()["strangers"] == 0


def test_a_silent_link_is_pinged_and_then_dropped() -> None:
    pump = Pump()
    a, b = pump.cluster(2, keepalive_interval=5.0, keepalive_timeout=15.0)
    end = a.to(b)
    end.reading = end.peer.reading = False
    assert a.address is not None
    assert b.address is not None
    pump.vanished |= {a.address, b.address}
    pump.run(6.0)
    assert a.count("frames_out", "ping") == 1
    assert a.linked() == ["n2"]
    pump.run(10.0)
    assert a.linked() == []


def test_a_process_that_stood_still_does_not_blame_the_others() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    assert a.linked() == ["n2"]
    pump.now += 300.0
    a.node.advance(pump.now)
    assert a.linked() == ["n2"]
    pump.run(5.0)
    assert a.linked() == ["n2"]
    assert not a.of(Fail)
    assert not b.of(Fail)


def test_one_that_is_full_hints_at_others() -> None:
    pump = Pump()
    hosts = pump.cluster(12, mesh_members=1, fanout_min=1)
    seed = hosts[0]
    late = [pump.host(number, mesh_members=1, fanout_min=1) for number in range(20, 40)]
    for host in late:
        pump.join(host, seed)
    pump.run(20.0)
    assert all(host.linked() for host in late)
    assert all(len(host.states()) == 31 for host in late)
    assert seed.count("frames_out", "refuse")
    incoming = sum(end.number % 2 for end in seed.ends.values())
    assert incoming <= 2 * 5


def test_an_observer_keeps_two_links_and_is_part_of_a_mesh_only_if_it_listens() -> None:
    pump = Pump()
    hosts = pump.cluster(4)
    quiet = pump.host(8, port=0, observer=True)
    watcher = pump.host(9, observer=True)
    pump.join(quiet, hosts[0])
    pump.join(watcher, hosts[0])
    pump.run(5.0)
    assert len(quiet.linked()) == 2
    assert len(watcher.linked()) == 4
    hosts[3].write("key")
    pump.settle()
    assert quiet.value("key") == watcher.value("key") == b"\x01"


@pytest.mark.parametrize("size", [2, 5])
def test_an_observer_that_lost_all_it_knew_is_found_by_the_others(size: int) -> None:
    pump = Pump()
    hosts = pump.cluster(size, mesh_members=3)
    watcher = pump.host(9, observer=True)
    pump.join(watcher, hosts[0])
    pump.run(1.0)
    assert watcher.address is not None
    for host in hosts:
        assert host.address is not None
        pump.vanished.add(host.address)
    pump.vanished.add(watcher.address)
    for end in list(watcher.ends.values()):
        pump.cut(end)
    pump.run(1.0)
    pump.vanished.remove(watcher.address)
    pump.run(60.0)
    assert watcher.linked()


def test_a_dead_member_whose_address_another_holds_is_not_dialled_for_healing() -> None:
    """A dial would reach the successor, and its second stream would replace the first."""
    pump = Pump()
    a, b = pump.cluster(2)
    pump.kill(b)
    again = pump.host(3, port=9002)
    pump.join(again, a)
    pump.run(3.0)
    assert a.states() == {"n2": "dead", "n3": "alive"}
    streams = {end.stream for end in a.ends.values()}
    pump.run(120.0)
    assert {end.stream for end in a.ends.values()} == streams


def test_ones_own_address_as_a_seed_makes_no_link_and_is_soon_left_alone() -> None:
    pump = Pump()
    a, b = pump.host(1), pump.host(2)
    pump.join(a, a)
    pump.run(60.0)
    tried = len(a.dials)
    assert tried <= 3
    assert a.linked() == []
    assert [member.name for member in a.node.members()] == ["n1"]
    assert a.errors == a.of(Fail) == []
    pump.run(600.0)
    assert len(a.dials) == tried
    pump.join(b, a)
    pump.run(2.0)
    assert a.linked() == ["n2"]


def test_among_oneself_the_dead_and_the_same_again_the_one_that_is_there_is_found() -> None:
    pump = Pump()
    a, b = pump.host(1), pump.host(2)
    silent = [("127.0.0.1", 9100 + number) for number in range(30)]
    pump.vanished |= set(silent)
    refusing = [("127.0.0.1", 9200 + number) for number in range(30)]
    assert a.address
    assert b.address
    b.node.join([b.address, *silent, b.address, *refusing, a.address, a.address], pump.now)
    assert pump.until(lambda: b.linked() == ["n1"]) <= 2.0
    pump.run(60.0)
    assert b.dials.count(a.address) == 1
    assert a.linked() == ["n2"]
    assert len(a.ends) == 1


def test_ones_own_address_under_another_name_is_recognised_by_its_hello() -> None:
    pump = Pump()
    a = pump.host(1)
    alias = ("localhost", 9001)
    pump.listeners[alias] = a
    a.node.join([alias], pump.now)
    pump.run(60.0)
    tried = len(a.dials)
    assert 1 <= tried <= 3
    assert a.linked() == []
    assert [member.name for member in a.node.members()] == ["n1"]
    pump.run(600.0)
    assert len(a.dials) == tried
