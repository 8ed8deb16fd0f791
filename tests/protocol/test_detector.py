"""Failure detection: who is probed, accused, heard and held dead, and who cannot be made so."""

from __future__ import annotations

import random
from collections import Counter
from math import log10

import pytest

from vines._core.changes import Changes
from vines._core.table import EXPIRING, MEMBER, TOMBSTONE
from vines.config import Config
from vines.errors import InvalidConfig
from vines.events import Conflict, Fail, Suspect, Update
from vines.protocol.members.accusations import (
    ACCUSATION,
    PROVED,
    SILENT,
    UNANSWERED,
    Accusation,
)
from vines.protocol.members.health import HEALTH_MAX, Health
from vines.protocol.members.lag import WINDOW_SECONDS, Lag
from vines.protocol.members.profile import Profile, stamp_of
from vines.protocol.members.ring import Ring
from vines.protocol.members.rounds import Rounds
from vines.protocol.members.suspicion import time_to_object
from vines.protocol.wire.framing import LENGTH_BYTES
from vines.protocol.wire.probe import Ack, Ask, Probe, StreamProbe

from .pump import Host, Pump, label
from .test_probe import answers, datagram


def accuse(
    host: Host,
    subject: Host,
    accuser: int,
    *,
    evidence: int = UNANSWERED,
    incarnation: int = 0,
    source: bytes | None = None,
    value: bytes = b"",
) -> None:
    """Let a node learn an accusation as if a frame had brought it; incarnation 0: the current."""
    number = incarnation or subject.node.members()[0].incarnation
    written = Pump().host(99, port=0).node.control
    known = host.node._parts.linking.members.get(label(accuser))
    written.adopt(source or (known.profile.source if known else bytes(16)))
    # Its source has numbered other writes before: a far higher position of its own.
    key = subject.node.id + label(accuser)
    change = (ACCUSATION, key, 0, value, number << 2 | evidence, written.source)
    host.node._stale = True
    host.node._parts.detector.learn([change], host.pump.now)  # type: ignore[arg-type]
    host.node.advance(host.pump.now)
    host.pump.settle()


def isolate(pump: Pump, host: Host) -> None:
    """Its machine is gone: nothing is heard of it, and its streams stay as they are."""
    assert host.address is not None
    pump.vanished.add(host.address)
    pump.patience = host.node.config.dial_timeout
    host.alive = False


def stop(host: Host) -> None:
    """Its process stands still, and its machine goes on."""
    assert host.address is not None
    host.pump.mute.add(host.address)
    host.alive = False


def suspected(host: Host) -> list[str]:
    return [member.name for member in host.node.members() if member.suspected]


# -- probes


def test_everybody_is_probed_once_a_round_and_each_round_differs() -> None:
    members = [label(number) for number in range(1, 21)]
    rounds = Rounds(random.Random(1), lambda: members)
    first = [rounds.next(lambda _: True) for _ in members]
    second = [rounds.next(lambda _: True) for _ in members]
    assert sorted(first) == sorted(second) == members  # type: ignore[type-var]
    assert first != second
    assert rounds.next(lambda _: False) is None


def test_a_newcomer_has_its_turn_in_the_round_under_way() -> None:
    members = [label(number) for number in range(1, 21)]
    rounds = Rounds(random.Random(1), lambda: members)
    rounds.next(lambda _: True)
    rounds.add(label(99))
    rounds.add(label(99))
    left = [rounds.next(lambda _: True) for _ in range(20)]
    assert left.count(label(99)) == 1


def test_an_idle_node_sends_a_probe_and_an_ack_an_interval() -> None:
    pump = Pump()
    hosts = pump.cluster(5)
    before = [dict(host.node.stats()["datagrams_out"]) for host in hosts]  # type: ignore[call-overload]
    pump.run(40.0)
    for host, was in zip(hosts, before, strict=True):
        said = Counter(host.node.stats()["datagrams_out"])  # type: ignore[call-overload]
        said.subtract(was)
        assert 39 <= said["probe"] <= 41
        assert +said == Counter(probe=said["probe"], ack=said["ack"])
        assert host.node.stats()["health"] == 0


def test_a_link_that_breaks_after_a_silence_is_followed_by_a_probe_with_all_its_time() -> None:
    pump = Pump()
    a, b, _ = pump.cluster(3)
    pump.run(30.0)
    silence = 1.5 * a.node.config.probe_timeout
    while (a.node.deadline() or 0.0) < pump.now + silence:
        pump.run(0.05)
    asked = a.count("datagrams_out", "ask")
    pump.now += silence
    pump.cut(a.to(b))
    a.node.advance(pump.now)
    assert a.count("datagrams_out", "ask") == asked
    assert a.node.stats()["probes_failed"] == 0


def test_who_does_not_listen_probes_nobody_and_is_probed_by_nobody() -> None:
    pump = Pump()
    a, b = pump.host(1), pump.host(2, port=0)
    pump.join(b, a)
    pump.run(20.0)
    assert a.states() == {"n2": "alive"}
    assert a.node.stats()["datagrams_out"] == b.node.stats()["datagrams_out"] == {}


def test_where_datagrams_are_blocked_a_stream_answers() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    pump.mute |= {host.address for host in hosts if host.address}
    pump.run(60.0)
    for host in hosts:
        assert not host.of(Suspect)
        assert int(str(host.node.stats()["probes_streamed"])) > 10


def test_in_a_larger_cluster_without_datagrams_streams_are_dialled_for_probes() -> None:
    pump = Pump()
    options = {"mesh_members": 2, "fanout_min": 2}
    hosts = pump.cluster(8, **options)
    pump.run(10.0)
    pump.mute |= {host.address for host in hosts if host.address}
    pump.run(60.0)
    assert not [event for host in hosts for event in host.of(Fail)]


def test_others_answer_for_whom_a_wall_hides() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    pump.walls.add(frozenset((a.address, b.address)))
    pump.cut(a.to(b))
    pump.run(60.0)
    assert a.node.stats()["probes_failed"] == b.node.stats()["probes_failed"] == 0
    assert not a.of(Fail) + b.of(Fail) + c.of(Fail)


def test_an_ack_by_another_than_who_was_probed_is_no_answer() -> None:
    pump = Pump()
    a, b, _ = pump.cluster(3)
    probing = a.node._parts.detector.probing
    probing.probe(b.node.id, pump.now)
    ((token, attempt),) = [each for each in probing._tokens.items() if each[1].member == b.node.id]
    a.node.datagram(datagram(Ack(token, 0, differs=False), sender=label(3)), b.address, pump.now)
    assert attempt.member in probing._attempts
    a.node.datagram(datagram(Ack(token, 0, differs=False), sender=label(2)), b.address, pump.now)
    assert attempt.member not in probing._attempts


# -- death


def test_a_vanished_host_is_suspected_and_then_held_dead_by_all() -> None:
    pump = Pump()
    *hosts, gone = pump.cluster(5)
    isolate(pump, gone)
    assert pump.until(lambda: all(host.of(Suspect) for host in hosts)) <= 6.0
    assert pump.until(lambda: all(host.of(Fail) for host in hosts)) <= 5.0
    for host in hosts:
        assert [event.member.name for event in host.of(Fail)] == ["n5"]


def test_a_killed_process_is_held_dead_long_before_its_time_to_object_is_over() -> None:
    pump = Pump()
    *hosts, gone = pump.cluster(5)
    pump.kill(gone)
    assert pump.until(lambda: all(host.of(Fail) for host in hosts)) <= 0.6


def test_all_but_one_killed_at_once_are_held_dead_at_once() -> None:
    pump = Pump()
    last, *hosts = pump.cluster(6)
    for host in hosts:
        pump.kill(host)
    assert pump.until(lambda: len(last.of(Fail)) == 5) <= 1.0


def apart(pump: Pump) -> tuple[Host, Host]:
    """Two members on two machines."""
    one, other = (
        pump.host(number, machine=f"192.0.2.{number}", insecure=True) for number in (1, 2)
    )
    pump.join(other, one)
    pump.run(2.0)
    return one, other


def test_of_two_machines_one_that_refuses_dials_has_time_to_object() -> None:
    """As behind a firewall that was put up for a moment; nobody else can look."""
    pump = Pump()
    one, other = apart(pump)
    pump.walls.add(frozenset((one.address, other.address)))
    pump.cut(one.to(other))
    pump.run(2.0)
    assert suspected(one) == ["n2"]
    assert suspected(other) == ["n1"]
    pump.walls.clear()
    pump.run(30.0)
    assert not one.of(Fail) + other.of(Fail)
    assert one.linked() == ["n2"]


def test_of_two_machines_one_that_refuses_dials_for_longer_is_held_dead() -> None:
    pump = Pump()
    one, other = apart(pump)
    pump.kill(other)
    least = time_to_object(one.node.config, 2, 0, gone=True)
    assert least <= pump.until(lambda: bool(one.of(Fail))) <= least + 0.5


def test_refused_dials_of_one_member_alone_leave_time_to_object() -> None:
    pump = Pump()
    a, b, _ = pump.cluster(3)
    pump.held = True
    accuse(a, b, 3, evidence=PROVED)
    assert suspected(a) == ["n2"]
    assert not a.of(Fail)


def test_refused_dials_of_two_members_prove_it() -> None:
    pump = Pump()
    a, b, *_ = pump.cluster(4)
    pump.held = True
    accuse(a, b, 3, evidence=PROVED)
    accuse(a, b, 3, evidence=PROVED)
    assert not a.of(Fail)
    accuse(a, b, 4, evidence=PROVED)
    assert [event.member.name for event in a.of(Fail)] == ["n2"]


# -- suspicion


@pytest.mark.parametrize("members", [4, 10, 30, 100, 1000])
def test_the_time_to_object_shrinks_with_each_independent_accuser(members: int) -> None:
    config = Config()
    least = 3.0 * max(2.0, log10(members)) * 1.0
    times = [time_to_object(config, members, c, gone=False) for c in range(6)]
    assert times[0] == pytest.approx(3 * least)
    assert times == sorted(times, reverse=True)
    enough = min(3, members - 2)
    assert times[enough] == times[-1] == pytest.approx(least)
    assert time_to_object(config, members, 0, gone=True) == pytest.approx(3.0)


@pytest.mark.parametrize("members", [1, 2])
def test_where_nobody_else_could_accuse_the_time_is_the_least(members: int) -> None:
    assert time_to_object(Config(), members, 0, gone=False) == 6.0


@pytest.mark.parametrize(
    ("silent", "others", "dies"), [(2, 0, False), (3, 0, True), (3, 2, True), (3, 3, False)]
)
def test_a_machine_that_most_find_silent_has_the_short_time(
    silent: int, others: int, *, dies: bool
) -> None:
    pump = Pump()
    a, b, *_ = pump.cluster(9)
    pump.held = True
    for number in range(3, 3 + silent):
        accuse(a, b, number, evidence=SILENT)
    for number in range(3 + silent, 3 + silent + others):
        accuse(a, b, number)
    suspicion = a.node._parts.detector.suspicion
    assert suspicion.due(pump.now + 2.99) == []
    assert suspicion.due(pump.now + 3.01) == ([b.node.id] if dies else [])


def test_a_machine_that_answers_for_a_process_that_stands_still_is_not_silent() -> None:
    pump = Pump()
    *hosts, still = pump.cluster(6)
    stop(still)
    pump.run(4.0)
    suspicion = hosts[0].node._parts.detector.suspicion
    accusers = suspicion._suspects[still.node.id].accusers.values()
    assert len(accusers) >= 4
    assert {each.evidence for each in accusers} == {UNANSWERED}
    pump.run(2.0)
    assert not any(host.of(Fail) for host in hosts)


def test_what_fails_at_once_failed_on_the_own_machine_and_makes_nobody_silent() -> None:
    pump = Pump()
    a, b, _ = pump.cluster(3)
    pump.held = True
    accuse(a, b, 3)
    linking = a.node._parts.linking
    for age, evidence in ((0.1, None), (3.0, SILENT)):
        linking.dialler.attempts._dialling.clear()
        linking.check(b.node.id, pump.now)
        (ticket,) = linking.dialler.attempts._dialling
        linking.dial_failed(ticket, False, pump.now + age)
        own = a.node._parts.detector.suspicion._suspects[b.node.id].accusers.get(a.node.id)
        assert (own and own.evidence) == evidence


# -- neighbours


def test_each_is_the_next_of_one_and_near_to_as_many_as_look() -> None:
    ids = [label(number) for number in range(1, 31)]
    rings = {own: Ring(own, lambda own=own: [each for each in ids if each != own]) for own in ids}
    assert sorted(filter(None, (ring.next() for ring in rings.values()))) == ids
    for member in ids:
        near = [own for own, ring in rings.items() if own != member and ring.is_near(member, 4)]
        assert len(near) == 8
    assert Ring(label(1), list).next() is None


@pytest.mark.parametrize("seed", range(20))
def test_who_is_near_is_what_a_look_at_everybody_would_say(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(100):
        own, member, *ids = map(label, chance.sample(range(1, 30), chance.randrange(2, 20)))
        known = chance.random() < 0.5
        others = [*ids, member] if known else ids
        low, high = sorted((own, member))
        between = sum(low < each < high for each in ids)
        count = chance.randrange(1, 6)
        near = between < count or len(ids) - between < count
        assert Ring(own, lambda others=others: others).is_near(member, count) == near


def test_who_comes_next_is_looked_up_anew_once_somebody_came_or_went() -> None:
    others = [label(3), label(9)]
    ring = Ring(label(5), lambda: others)
    assert ring.next() == label(9)
    others.append(label(7))
    ring.changed()
    assert ring.next() == label(7)
    del others[1:]
    ring.changed()
    assert ring.next() == label(3)


def test_everybody_is_probed_by_its_neighbour_every_interval_and_a_half() -> None:
    pump = Pump()
    hosts = pump.cluster(12)
    pump.run(5.0)
    counts = {host.name: 0 for host in hosts}
    since = {host.name: pump.now for host in hosts}
    longest = 0.0
    for _ in range(300):
        pump.run(0.05)
        for host in hosts:
            probes = host.node.stats()["datagrams_in"]["probe"]  # type: ignore[index]
            if probes != counts[host.name]:
                longest = max(longest, pump.now - since[host.name])
                counts[host.name], since[host.name] = probes, pump.now
    assert longest <= 1.6


def test_one_who_accuses_everybody_kills_nobody_that_objects() -> None:
    pump = Pump()
    hosts = pump.cluster(5)
    for number in range(100):
        for subject in hosts[:4]:
            accuse(hosts[number % 4], subject, 5)
        pump.run(1.0)
    for host in hosts:
        assert not host.of(Fail)


def test_a_suspect_that_objects_is_a_suspect_no_more_and_that_is_told() -> None:
    pump = Pump()
    a, b, _ = pump.cluster(3)
    pump.held = True
    accuse(a, b, 3)
    assert suspected(a) == ["n2"]
    assert [event.member.suspected for event in a.of(Suspect)] == [True]
    before = b.node.members()[0].incarnation
    pump.held = False
    pump.run(4.0)
    assert suspected(a) == []
    assert [event.member.suspected for event in a.of(Update)] == [False]
    assert b.node.members()[0].incarnation == before + 1
    assert not a.of(Fail)


@pytest.mark.parametrize(
    "wrong",
    ["earlier", "later", "unknown accuser", "another's word", "a value", "a short key"],
)
def test_what_is_no_accusation_of_now_suspects_nobody(wrong: str) -> None:
    pump = Pump()
    a, b, _ = pump.cluster(3)
    now = b.node.members()[0].incarnation
    pump.held = True
    match wrong:
        case "earlier":
            accuse(a, b, 3, incarnation=now - 1)
        case "later":
            accuse(a, b, 3, incarnation=now + 1)
        case "unknown accuser":
            accuse(a, b, 9)
        case "another's word":
            accuse(a, b, 3, source=b"s" * 16)
        case "a value":
            accuse(a, b, 3, value=b"x")
        case _:
            change = (ACCUSATION, b.node.id, 0, b"", now << 2, a.node.control.source)
            a.node._parts.detector.learn([change], pump.now)  # type: ignore[arg-type]
    assert suspected(a) == []
    assert not a.of(Suspect)


def test_a_claim_of_a_later_incarnation_does_not_hide_a_suspect() -> None:
    pump = Pump()
    a, b, *_ = pump.cluster(4)
    pump.held = True
    accuse(a, b, 3, incarnation=(1 << 61) - 1)
    assert suspected(a) == []
    accuse(a, b, 4)
    assert suspected(a) == ["n2"]
    accuse(a, b, 3, incarnation=(1 << 61) - 1)
    assert suspected(a) == ["n2"]


@pytest.mark.parametrize("by", ["a record", "a probe"])
@pytest.mark.parametrize(
    ("step", "objects"), [(-1, False), (0, True), (1, False), (1 << 40, False)]
)
def test_a_node_objects_to_what_is_said_of_its_incarnation_now(
    by: str, step: int, *, objects: bool
) -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    before = a.node.members()[0].incarnation
    if by == "a record":
        accuse(a, a, 2, incarnation=before + step)
    else:
        probe = datagram(Probe(bytes(8), before + step), sender=label(2))
        a.node.datagram(probe, b.address, pump.now)
    pump.run(0.1)
    assert a.node.members()[0].incarnation == before + objects
    assert a.node.stats()["health"] == objects


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("step", [-1, 0, 1, 1 << 40])
def test_on_a_link_a_node_objects_to_what_outranks_it_and_whoever_says_it(
    step: int, *, alive: bool
) -> None:
    """Where each is held dead by what the other has, the first word is that of a dead one."""
    pump = Pump()
    a, b = pump.cluster(2)
    before = a.node.members()[0].incarnation
    if not alive:
        assert a.node._parts.linking.members.fail(b.node.id, pump.now) is not None
    said = StreamProbe(7, Probe(bytes(8), before + step)).encode()[LENGTH_BYTES:]
    number = a.route(b)
    assert number is not None
    a.node.receive(said, number, pump.now)
    a.node.advance(pump.now)
    after = before + step + 1 if step >= 0 else before
    assert a.node.members()[0].incarnation == after
    for _ in range(100):
        a.node.receive(said, number, pump.now)
        pump.run(0.01)
    assert a.node.members()[0].incarnation == after and not a.of(Conflict)


def test_accused_again_and_again_a_node_objects_once_an_interval() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    before = a.node.members()[0].incarnation
    for _ in range(500):
        pump.run(0.01)
        now = a.node.members()[0].incarnation
        a.node.datagram(datagram(Probe(bytes(8), now), sender=label(2)), b.address, pump.now)
    assert a.node.members()[0].incarnation - before <= 6
    assert not a.of(Conflict)


def test_a_stranger_makes_nobody_object() -> None:
    pump = Pump()
    a, _ = pump.cluster(2)
    before = a.node.members()[0].incarnation
    a.node.datagram(datagram(Probe(bytes(8), before)), ("192.0.2.7", 4711), pump.now)
    pump.run(0.1)
    assert a.node.members()[0].incarnation == before


def test_accusers_remembered_of_one_suspect_are_bounded() -> None:
    pump = Pump()
    a, b, _ = pump.cluster(3)
    pump.held = True
    accuse(a, b, 3)
    for number in range(100, 200):
        accuse(a, b, number, source=b"s" * 16)
    suspect = a.node._parts.detector.suspicion._suspects[b.node.id]
    assert len(suspect.accusers) <= 16


# -- health, pauses, lag


def test_health_is_bounded_and_slows_a_node_down() -> None:
    health = Health()
    for _ in range(20):
        health.worse(3)
    assert (health.score, health.factor) == (HEALTH_MAX, HEALTH_MAX + 1)
    for _ in range(20):
        health.better()
    assert (health.score, health.factor) == (0, 1)


def test_who_hears_nobody_probes_less_and_blames_itself_first() -> None:
    pump = Pump()
    a, *_ = pump.cluster(4)
    assert a.address is not None
    pump.vanished.add(a.address)
    pump.held = True
    pump.run(20.0)
    assert a.node.stats()["health"] == HEALTH_MAX


@pytest.mark.parametrize("linked", [True, False])
def test_a_node_that_stood_still_reads_before_it_judges(linked: bool) -> None:
    """A probe is under way, and a suspect has objected, when it goes on; neither is read yet."""
    pump = Pump()
    a, b, c = pump.cluster(3)
    pump.run(5.0)
    pump.held = True
    if not linked:
        pump.cut(a.to(b))
    accuse(a, b, 3)
    assert suspected(a) == ["n2"]
    probing = a.node._parts.detector.probing
    for host in (b, c):
        probing.probe(host.node.id, pump.now)
    under_way = set(probing._attempts)
    assert {b.node.id, c.node.id} <= under_way
    pump.now += 60.0
    a.node.advance(pump.now)
    assert a.node.stats()["probes_failed"] == 0
    assert under_way <= set(probing._attempts)
    assert not a.of(Fail)
    # Nor is anything judged in the turns before it has read all, which take their time, too.
    pump.now += 0.4
    a.node.advance(pump.now)
    assert a.node.stats()["probes_failed"] == 0
    assert not a.of(Fail)
    pump.held = False
    pump.run(10.0)
    assert suspected(a) == []
    assert not [event for host in (a, b, c) for event in host.of(Fail)]
    # Its time to object is over at last, if it says nothing.
    pump.held = True
    accuse(a, b, 3)
    pump.now += 60.0
    a.node.advance(pump.now)
    pump.run(30.0)
    assert "n2" in {event.member.name for event in a.of(Fail)}


def stand_still(host: Host, seconds: float) -> None:
    """Let time pass in which this node has no turn, and the others go on."""
    host.alive = False
    host.pump.run(seconds)
    host.alive = True


def test_what_a_node_reads_once_it_stands_no_more_still_has_begun_then() -> None:
    pump = Pump()
    a, b, c, d = pump.cluster(4)
    pump.run(5.0)
    pump.mute |= {b.address, c.address}
    stand_still(a, 60.0)
    known = a.node._parts.linking.members.get(b.node.id)
    assert known is not None
    accused = Accusation(b.node.id, d.node.id, known.incarnation, PROVED, d.node.control.source)
    detector, probing = a.node._parts.detector, a.node._parts.detector.probing
    factor = probing.health.factor
    # All of this is read in the turn in which it goes on, before that says how long it stood still.
    link = a.node._parts.linking.links.to(c.node.id)
    assert link is not None
    link.heard = pump.now
    detector._note(accused, pump.now)
    ask = datagram(Ask(b.node.id), sender=label(4))
    assert not a.node.datagram(ask, d.address, pump.now)
    attempt = probing._attempts[b.node.id]
    a.node.advance(pump.now)
    assert a.node._parts.lag.milliseconds(pump.now) > 50_000
    config = a.node.config
    most = time_to_object(config, 4, 0, gone=True)
    assert detector.suspicion.deadline() == pump.now + most
    assert attempt.asking_at == pump.now + config.probe_timeout * factor
    assert attempt.end == pump.now + config.probe_interval * factor
    assert link.heard == pump.now
    assert a.node._parts.answering.deadline() <= pump.now + config.probe_timeout


def test_lag_is_the_worst_of_lately() -> None:
    lag = Lag(0.0)
    lag.note(0.5, 1.0)
    lag.note(0.1, 2.0)
    assert lag.milliseconds(3.0) == 500
    lag.note(0.2, WINDOW_SECONDS + 1.0)
    assert lag.milliseconds(WINDOW_SECONDS + 2.0) == 500
    lag.note(0.0, 2 * WINDOW_SECONDS + 2.0)
    assert lag.milliseconds(2 * WINDOW_SECONDS + 3.0) == 200
    assert lag.milliseconds(5 * WINDOW_SECONDS) == 0
    lag.note(1e6, 5 * WINDOW_SECONDS)
    assert lag.milliseconds(5 * WINDOW_SECONDS) == 65_535


def test_the_lag_of_a_member_is_known_from_its_acks() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    probing = a.node._parts.detector.probing
    probing.probe(b.node.id, pump.now)
    (token,) = probing._tokens
    a.node.datagram(datagram(Ack(token, 1234, differs=False), sender=label(2)), b.address, pump.now)
    assert a.node.members()[1].lag == 1.234


# -- settings


@pytest.mark.parametrize(
    ("network", "interval", "timeout", "factor"),
    [("local", 0.5, 0.2, 3.0), ("lan", 1.0, 0.5, 3.0), ("wan", 3.0, 1.5, 4.0)],
)
def test_presets(network: str, interval: float, timeout: float, factor: float) -> None:
    config = Config(network=network)
    got = config.probe_interval, config.probe_timeout, config.suspicion_factor
    assert got == (interval, timeout, factor)
    assert Config(network=network, probe_timeout=0.1).probe_timeout == 0.1
    assert config.replace(name="x").probe_interval == interval


@pytest.mark.parametrize(
    "wrong",
    [{"network": "moon"}, {"network": None}, {"probe_timeout": 1.0}, {"probe_interval": -1.0}],
)
def test_settings_that_contradict_are_refused(wrong: dict) -> None:
    with pytest.raises(InvalidConfig):
        Config(**wrong)


def test_the_record_of_a_death_is_at_the_incarnation_of_its_subject() -> None:
    pump = Pump()
    a, b, gone = pump.cluster(3)
    incarnation = gone.node.members()[0].incarnation
    isolate(pump, gone)
    pump.until(lambda: bool(a.of(Fail) and b.of(Fail)))
    held = a.node.control.get(MEMBER, gone.node.id)
    assert held is not None
    assert held[0] == stamp_of(incarnation, "dead")
    assert Profile.decode(held[3]).name == "n3"


def test_changes_of_other_families_are_none_of_its_business() -> None:
    pump = Pump()
    a, _ = pump.cluster(2)
    a.node._parts.detector.learn(Changes(), pump.now)
    assert a.node.stats()["accusations_ignored"] == 0


def test_a_death_that_was_doubted_is_believed_once_it_is_proved() -> None:
    """What others had written about it stands in the table already, so there is no more to write;
    a suspect that stays one for that would be buried again and again, for ever.
    """
    pump = Pump()
    one, other, gone, _ = pump.cluster(4)
    isolate(pump, gone)
    held = other.node.control.get(MEMBER, gone.node.id)
    assert held is not None
    dead = stamp_of(gone.node.members()[0].incarnation, "dead")
    other.node.control.put(MEMBER, gone.node.id, held[2], held[3], dead)
    other.node.advance(pump.now)
    pump.settle()
    assert one.states()["n3"] == "alive"  # its link says otherwise
    for accuser in (2, 4):
        accuse(one, gone, accuser, evidence=PROVED)
    assert one.states()["n3"] == "dead"
    assert suspected(one) == []


def test_an_accusation_of_somebody_nobody_knows_lapses_everywhere() -> None:
    pump = Pump()
    one, two = pump.cluster(2, dead_retention=30.0)
    subject = Accusation(label(77), one.node.id, 5, UNANSWERED, one.node.control.source)
    one.node.control.put(ACCUSATION, subject.key, EXPIRING, b"", subject.stamp, 30_000)
    one.node.advance(pump.now)
    pump.settle()
    pump.run(1.0)
    assert two.node.stats()["accusations"] == 1
    late = pump.host(3)
    pump.run(30.0)
    pump.join(late, one)
    pump.run(5.0)
    for host in (one, two, late):
        assert host.node.stats()["accusations"] == 0
        record = host.node.control.get(ACCUSATION, subject.key)
        assert record is not None
        assert record[2] & TOMBSTONE
    assert len({host.node.control.fingerprint() for host in (one, two, late)}) == 1


def test_an_accusation_is_written_to_lapse() -> None:
    pump = Pump()
    one, two = pump.cluster(2)
    pump.held = True
    one.node._parts.detector._accuse(two.node.id, pump.now, UNANSWERED)
    record = one.node.control.get(ACCUSATION, two.node.id + one.node.id)
    assert record is not None
    assert record[2] == EXPIRING
    (left,) = [left for family, _, left in one.node.control.expiring() if family == ACCUSATION]
    assert left == 86_400_000


def test_who_is_accused_is_told_at_once_by_its_accuser() -> None:
    pump = Pump()
    one, two, _ = pump.cluster(3)
    one.node.outbox.take()
    incarnation = two.node.members()[0].incarnation
    one.node._parts.detector._accuse(two.node.id, pump.now, UNANSWERED)
    told = [(address, Probe.decode(said.payload).accused) for address, said in answers(one)]
    assert (two.address, incarnation) in told


@pytest.mark.parametrize("first", ["lapsed", "answered"])
def test_an_accusation_that_lapsed_is_collected_by_what_answers_it(first: str) -> None:
    """As one is that has not, or tables would differ by which came first."""
    pump = Pump()
    one, two = pump.cluster(2)
    key, incarnation = two.node.id + label(9), two.node.members()[0].incarnation
    parts = one.node._parts

    def lapse() -> None:
        one.node.control.put(ACCUSATION, key, EXPIRING | TOMBSTONE, b"", incarnation << 2)
        change = (ACCUSATION, key, EXPIRING | TOMBSTONE, b"", incarnation << 2, label(8))
        parts.detector.learn([change], pump.now)  # type: ignore[arg-type]

    if first == "lapsed":
        lapse()
        assert one.node.control.get(ACCUSATION, key) is not None
        assert one.node.stats()["accusations"] == 0
    two.node.tags({"a": "b"}, pump.now)
    pump.run(1.0)
    if first == "answered":
        lapse()
    assert one.node.control.get(ACCUSATION, key) is None
    assert one.node.stats()["accusations"] == 0
    assert parts.detector.accusations._lapsed == set()
