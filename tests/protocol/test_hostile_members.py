"""Members, and who says it is one, that lie about others, about this node and about themselves."""

from __future__ import annotations

from collections import Counter

import pytest

from vines._core.table import MEMBER
from vines.events import ALIVE, DEAD, LEFT, Conflict, Fail, Join, Leave, Suspect, Update
from vines.protocol.links.others import FAILURES_FREE, FAILURES_RATE
from vines.protocol.machine import Send, Write
from vines.protocol.members.accusations import ACCUSATION, UNANSWERED, Accusation
from vines.protocol.members.health import HEALTH_MAX
from vines.protocol.members.identity import TAGS_SECONDS
from vines.protocol.members.membership import GONE_MAX
from vines.protocol.members.profile import stamp_of
from vines.protocol.wire import fields
from vines.protocol.wire.datagram import Datagram
from vines.protocol.wire.messages import CONTROL, DATA, Delta, Vector, decode
from vines.protocol.wire.probe import Ack, Alive, Ask, Nack, Probe, Word
from vines.protocol.wire.talk import Ping

from .pump import Host, Pump, label
from .test_hostile import Stranger
from .test_limits import varint
from .test_members import record
from .test_probe import answers, datagram

STRANGER = ("192.0.2.7", 4711)


def claim(liar: Host, subject: Host, state: str, incarnation: int) -> None:
    """Let a member write what another is, in its own name, and let it spread."""
    source = liar.node.control.source
    said = record(subject.node.id[0], name="forged", address=subject.address, source=source)
    stamp = stamp_of(incarnation, state)
    liar.node.control.put(MEMBER, subject.node.id, 0, said.encode(), stamp)
    liar.node.advance(liar.pump.now)
    liar.pump.settle()


def incarnation(host: Host) -> int:
    return host.node.members()[0].incarnation


def all_see_all(hosts: list[Host]) -> bool:
    names = {host.name: ALIVE for host in hosts}
    return all({**host.states(), host.name: ALIVE} == names for host in hosts)


# -- datagrams

WORDS: dict[str, Word] = {
    "probe": Probe(bytes(8)),
    "probe of a suspect": Probe(bytes(8), 5),
    "ack": Ack(7, 3, differs=True),
    "ask": Ask(label(3)),
    "alive": Alive(7),
    "nack": Nack(7),
}


@pytest.mark.parametrize("sender", [77, 2], ids=["stranger", "member"])
@pytest.mark.parametrize("name", WORDS)
def test_a_datagram_again_and_again_gets_no_more_bytes_than_it_sent_and_changes_nothing(
    name: str, sender: int
) -> None:
    """From an address that is no member's, and under a member's id, which everybody can read."""
    pump = Pump()
    one, _two, three = pump.cluster(3)
    data = datagram(WORDS[name], sender=label(sender))
    before = one.node.members(), one.node.stats()["health"], len(one.node.control)
    for _ in range(200):
        one.node.datagram(data, STRANGER, pump.now)
        sent = one.node.outbox.take()
        assert all(isinstance(each, Send) for each in sent)
        assert sum(len(each.data) for each in sent if isinstance(each, Send)) <= len(data)
        assert {each.address for each in sent if isinstance(each, Send)} <= {
            STRANGER,
            three.address,
        }
    one.node.advance(pump.now)
    assert (one.node.members(), one.node.stats()["health"], len(one.node.control)) == before
    pump.run(10.0)
    assert not one.of(Fail) + one.of(Conflict)


@pytest.mark.parametrize("name", WORDS)
def test_nobody_gets_more_bytes_in_all_than_it_sent_however_late_answers_come(name: str) -> None:
    """Under a member's id, which everybody can read, but not from where that one listens."""
    pump = Pump()
    one, two, three = pump.cluster(3)
    assert two.address is not None and three.address is not None
    data = datagram(WORDS[name], sender=label(2))
    got = {STRANGER: 0, two.address: 0, three.address: 0}

    def count() -> list[Datagram]:
        sent = [each for each in one.node.outbox.take() if isinstance(each, Send)]
        for each in sent:
            got[each.address] += len(each.data)
        return [Datagram.decode(each.data) for each in sent if each.address == three.address]

    one.node.datagram(data, STRANGER, pump.now)
    asked = [each for each in count() if each.kind == Probe.kind]
    one.node.advance(pump.now + 0.45)  # who asked is told that there is no answer yet
    count()
    for each in asked:
        ack = datagram(Ack(each.counter & 0xFFFFFFFF, 0, differs=False), sender=label(3))
        one.node.datagram(ack, three.address, pump.now + 0.46)
    count()
    assert got[STRANGER] <= len(data)
    assert bool(asked) == (name == "ask")


def test_who_asks_from_where_it_listens_hears_of_a_late_answer_too() -> None:
    pump = Pump()
    one, two, three = pump.cluster(3)
    assert two.address is not None and three.address is not None
    one.node.datagram(datagram(Ask(label(3)), sender=label(2)), two.address, pump.now)
    ((_, probe),) = answers(one)
    one.node.advance(pump.now + 0.45)
    told = [said.kind for address, said in answers(one) if address == two.address]
    assert Nack.kind in told
    ack = datagram(Ack(probe.counter & 0xFFFFFFFF, 0, differs=False), sender=label(3))
    one.node.datagram(ack, three.address, pump.now + 0.46)
    assert [said.kind for _, said in answers(one)] == [Alive.kind]


def test_a_probe_in_the_name_and_from_the_address_of_another_member_harms_neither() -> None:
    """It is answered there with less, which means nothing there."""
    pump = Pump()
    one, two, three = pump.cluster(3)
    assert two.address is not None
    before = two.node.members(), two.node.stats()["health"]
    probe = datagram(Probe(bytes(8)), sender=label(3))
    for _ in range(100):
        one.node.datagram(probe, two.address, pump.now)
    pump.settle()
    assert (two.node.members(), two.node.stats()["health"]) == before
    pump.run(5.0)
    assert not [event for host in (one, two, three) for event in host.of(Fail)]


# -- claims about others


@pytest.mark.parametrize("step", [-(1 << 16), -1, 0, 1, 1 << 16, 1 << 40])
@pytest.mark.parametrize("state", [ALIVE, DEAD, LEFT])
def test_whatever_one_member_says_of_another_it_is_alive_in_its_own_words(
    state: str, step: int
) -> None:
    pump = Pump()
    liar, victim, *others = pump.cluster(4)
    was = incarnation(victim)
    claim(liar, victim, state, was + step)
    pump.run(3.0)
    for host in (liar, *others):
        assert host.states() == {
            each.name: ALIVE for each in (liar, victim, *others) if each is not host
        }
        assert not host.of(Fail) + host.of(Leave)
    assert max(was, was + step) <= incarnation(victim) <= max(was, was + step) + 1


@pytest.mark.parametrize("step", [0, 1, 1 << 16])
def test_who_is_buried_again_and_again_contradicts_once_an_interval(step: int) -> None:
    pump = Pump()
    liar, victim, other = pump.cluster(3)
    wrote = victim.node.control.counter
    for _ in range(300):
        claim(liar, victim, DEAD, incarnation(victim) + step)
        pump.run(0.01)
    pump.run(1.0)
    assert victim.node.control.counter - wrote <= 5
    assert all_see_all([liar, victim, other])
    assert not other.of(Fail)


def test_who_goes_on_to_speak_for_another_is_told_of_and_makes_no_storm() -> None:
    pump = Pump()
    liar, victim, other = pump.cluster(3)
    wrote = victim.node.control.counter
    for _ in range(300):
        claim(liar, victim, ALIVE, incarnation(victim) + 1)
        pump.run(0.01)
    pump.run(1.0)
    assert victim.node.control.counter - wrote <= 5
    assert [event.kind for event in victim.of(Conflict)] == ["identity"]
    assert not other.of(Fail) + other.of(Leave)


def test_who_buries_everybody_is_contradicted_by_everybody_within_a_second() -> None:
    """Also where most are not linked to each other, and so believe it."""
    pump = Pump()
    hosts = pump.cluster(20)
    pump.run(5.0)
    liar = hosts[7]
    links = [host.linked() for host in hosts]
    for host in hosts[:7] + hosts[8:]:
        claim(liar, host, DEAD, incarnation(host))
    assert any(host.of(Fail) for host in hosts)
    pump.run(1.0)
    assert all_see_all(hosts)
    assert [host.linked() for host in hosts] == links
    pump.run(20.0)
    assert all_see_all(hosts)
    for host in hosts:
        comings = Counter(event.member.id for event in host.of(Join))
        goings = Counter(event.member.id for event in host.of(Fail))
        assert all(comings[each] == goings[each] + 1 for each in comings)


def test_who_hears_nobody_and_accuses_all_buries_nobody() -> None:
    """Its accusations go out; no answer and no objection comes in."""
    pump = Pump()
    sick, *others = pump.cluster(6)
    assert sick.address is not None
    sick.deaf = True
    pump.run(60.0)
    for host in others:
        assert {event.member.name for event in host.of(Fail)} == {"n1"}
        assert [event.member.name for event in host.of(Suspect)].count("n1") >= 1
    assert sick.node.stats()["health"] == HEALTH_MAX


def alarms(host: Host) -> list[str]:
    return [event.text for event in host.of(Conflict) if event.kind == "suspicion"]


@pytest.mark.parametrize("count", [4, 6])
def test_who_hears_nobody_and_accuses_all_is_told_of(count: int) -> None:
    pump = Pump()
    sick, *others = pump.cluster(count)
    sick.deaf = True
    pump.run(60.0)
    for host in others:
        assert len(alarms(host)) == 1
        assert "'n1' alone held" in alarms(host)[0]


def test_who_accuses_everybody_without_a_reason_is_told_of_once_a_minute_at_most() -> None:
    pump = Pump()
    liar, *others = hosts = pump.cluster(6)
    for _ in range(30):
        for host in others:
            liar.node._parts.detector._accuse(host.node.id, pump.now, UNANSWERED)
            liar.node.advance(pump.now)
        pump.run(3.0)
    for host in hosts:
        assert 1 <= len(alarms(host)) <= 2
        assert not host.of(Fail)
    assert all_see_all(hosts)
    for other in others:
        (conflict, *_) = [each for each in other.of(Conflict) if each.kind == "suspicion"]
        assert conflict.member is not None
        assert conflict.member.id == liar.node.id


def test_nobody_is_told_of_whose_accusations_are_in_anothers_words() -> None:
    pump = Pump()
    liar, victim, *others = pump.cluster(6)
    for host in others:
        said = Accusation(host.node.id, victim.node.id, incarnation(host), UNANSWERED, b"")
        liar.node.control.put(ACCUSATION, said.key, 0, b"", said.stamp)
        host.node.tags({"a": "b"}, pump.now)
    for host in pump.hosts:
        host.node.advance(pump.now)
    pump.run(10.0)
    assert not [text for host in pump.hosts for text in alarms(host)]
    assert all(host.node.stats()["accusations"] == 0 for host in pump.hosts)


def test_several_who_accuse_the_same_members_are_no_alarm() -> None:
    """As when a cluster was in two parts for a moment."""
    pump = Pump()
    hosts = pump.cluster(8)
    pump.held = True
    for accuser in hosts[:3]:
        for subject in hosts[3:]:
            accuser.node._parts.detector._accuse(subject.node.id, pump.now, UNANSWERED)
    pump.held = False
    pump.run(10.0)
    assert all(len(host.of(Suspect)) == 5 for host in hosts[:3])
    assert all_see_all(hosts)
    assert not [text for host in hosts for text in alarms(host)]


def test_deaths_and_leaves_of_the_unknown_are_no_news_and_cost_no_dials() -> None:
    pump = Pump()
    liar, *others = pump.cluster(3)
    before = [list(host.events) for host in others]
    dials = [len(host.dials) for host in others]
    for number in range(2 * GONE_MAX):
        profile = record(number, source=liar.node.control.source)
        key, state = number.to_bytes(16, "big"), (DEAD, LEFT)[number % 2]
        liar.node.control.put(MEMBER, key, 0, profile.encode(), stamp_of(5, state))
    liar.node.advance(pump.now)
    pump.settle()
    pump.run(60.0)
    for host, was, dialled in zip(others, before, dials, strict=True):
        assert host.events == was
        assert GONE_MAX <= len(host.states()) <= GONE_MAX + 2
        assert len(host.dials) - dialled <= 10


def test_a_flood_of_members_that_are_not_there_displaces_nobody() -> None:
    pump = Pump()
    liar, *others = pump.cluster(3, insecure=True)
    dials = [len(host.dials) for host in others]
    for number in range(1000, 4000):
        profile = record(number, source=liar.node.control.source, address=("192.0.2.1", number))
        key = number.to_bytes(16, "big")
        liar.node.control.put(MEMBER, key, 0, profile.encode(), stamp_of(5, ALIVE))
    pump.vanished |= {("192.0.2.1", number) for number in range(1000, 4000)}
    liar.node.advance(pump.now)
    pump.run(5.0)
    for host, dialled in zip(others, dials, strict=True):
        assert len(host.states()) == 3002
        assert len(host.linked()) == 2
        assert len(host.dials) - dialled <= FAILURES_FREE + 5 * (FAILURES_RATE + 2)
    pump.kill(liar)
    dead = {"n1": DEAD}
    assert pump.until(lambda: all(dead.items() <= host.states().items() for host in others)) <= 1.0
    assert all(
        host.states()[each.name] == ALIVE for host in others for each in others if each is not host
    )


TRICKS = [
    *("0.0.0.0", "0", "0x0", "00.0.0.0", "0.1.2.3", "::", "::0", "0:0:0:0:0:0:0:0", "*", ""),
    *("224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1", "::ffff:224.0.0.1"),
    *("127.1", "2130706433", "0x7f000001", "127.0.0.01", "256.1.1.1", "::ffff:0.0.0.0"),
    *("a b", "a\nb", "x" * 256, "\u202e1.0.0.721", "a:b", "[::]", "[::1]", "fe80::zz", "0.0.0.0."),
    *("::%1", "0:0::%0", "::ffff:0:0", "::ffff:0:0%1", "0:0:0:0:0:ffff:0:0", "FF02::1%1"),
    *("::ffff:e000:1", "::FFFF:EFFF:FFFA", "::ffff:ffff:ffff", "2130706433.", "127.1."),
    *("0\u30020\u30020\u30020", "224\uff0e0\uff610.1", "\u24ea.0.0.0", "\uff10\uff58\uff10"),
    "\uff46f02::1",
]
"""Beside the plain ones: what a resolver takes for them, which maps characters before it looks."""


def test_a_member_with_an_address_that_is_none_is_not_believed_and_the_rest_are() -> None:
    pump = Pump()
    liar, *others = pump.cluster(3)
    addresses: list = [[host, 8000] for host in TRICKS]
    addresses += [["127.0.0.1", port] for port in (0, -1, 65_536, "80", None)]
    addresses += [[], ["127.0.0.1"], "127.0.0.1:80", ["127.0.0.1", 80, 0], 5]
    addresses.append(["127.0.0.1", 8000])
    for number, address in enumerate(addresses, 1):
        said = fields.unpack(record(number).encode())
        said |= {"address": address, "source": liar.node.control.source}
        said["versions"] = [1, 1]
        key = number.to_bytes(16, "big")
        liar.node.control.put(MEMBER, key, 0, fields.pack(said), stamp_of(5, ALIVE))
    liar.node.advance(pump.now)
    pump.settle()
    for host in others:
        assert host.states().keys() == {f"m{len(addresses)}", "n1", "n2", "n3"} - {host.name}
        assert host.node.stats()["members_ignored"] == len(addresses) - 1


ELSEWHERE = ["127.example.com", "127.0.0.1.example.com", "localhost.example.com", "example.com"]
"""Names may lead anywhere, whatever they begin with."""


def test_who_may_not_reach_beyond_its_machine_sends_nothing_there_whoever_says_so() -> None:
    pump = Pump()
    liar, one, other = pump.cluster(3)
    hosts = [*ELSEWHERE, *(f"192.0.2.{number}" for number in range(30))]
    for number, host in enumerate(hosts):
        profile = record(number, source=liar.node.control.source, address=(host, 8000))
        key = number.to_bytes(16, "big")
        state = DEAD if number % 3 == 0 else ALIVE
        liar.node.control.put(MEMBER, key, 0, profile.encode(), stamp_of(5, state))
    liar.node.advance(pump.now)
    pump.run(60.0)
    peer = Stranger(one)
    peer.shake_hands(address=("192.0.2.9", 8000))
    peer.node.disconnected(peer.link, pump.now)
    one.node._parts._send((1).to_bytes(16, "big"), Ping(1).encode())
    pump.run(5.0)
    one.node._parts.linking.dialler.hint((("192.0.2.1", 8000),), pump.now)
    for end in list(one.ends.values()):
        pump.cut(end)
    one.node.datagram(datagram(Ask((1).to_bytes(16, "big")), sender=label(3)), STRANGER, pump.now)
    pump.run(60.0)
    for host in (one, other):
        assert {address[0] for address in host.dials} <= {"127.0.0.1"}
        assert host.states()["m1"] == host.states()["m2"] == ALIVE
    assert {host for host, _ in pump.targets} == {"127.0.0.1"}


@pytest.mark.parametrize("every", [0.0, 0.001])
def test_the_last_of_a_thousand_tags_is_what_others_see(every: float) -> None:
    """In one turn, or in a turn each for a second: no member reads a thousand records."""
    pump = Pump()
    one, other = pump.cluster(2)
    before = len(other.of(Update))
    for number in range(1000):
        one.node.tags({"turn": str(number)}, pump.now)
        assert one.node.members()[0].tags == {"turn": str(number)}
        if every:
            one.node.advance(pump.now)
            pump.run(every)
    one.node.advance(pump.now)
    pump.run(2 * TAGS_SECONDS)
    assert other.of(Update)[-1].member.tags == {"turn": "999"}
    assert len(other.of(Update)) - before <= 2 + every * 1000 / TAGS_SECONDS
    one.node.tags({"turn": "the next"}, pump.now)
    one.node.advance(pump.now)
    pump.settle()
    assert other.of(Update)[-1].member.tags == {"turn": "the next"}


# -- digests


def ranges(count: int, to: int) -> bytes:
    """So many sources of which nothing is left, as a delta."""
    each = b"\x00" + varint(to)
    names = (number.to_bytes(16, "big") for number in range(1, count + 1))
    return b"\x01" + b"".join(b"\x00" + name + b"\x00" + each for name in names)


@pytest.mark.parametrize("number", [CONTROL, DATA])
def test_a_digest_of_100_000_names_is_taken_and_one_is_told_in_pages(number: int) -> None:
    pump = Pump()
    host = pump.host(1)
    peer = Stranger(host)
    peer.shake_hands()
    body = b"\x03\x03" + b"".join(name.to_bytes(16, "big") + b"\x05" for name in range(1, 100_001))
    peer.say(Vector(number, 1, body))
    assert host.node.established(peer.link)
    peer.say(Delta(number, ranges(100_000, 5)))
    host.node.disconnected(peer.link, pump.now)
    other = Stranger(host, 78)
    frames = written(other.say(other.hello(id=label(9), source=bytes(16), serial=1)), other)
    names: set[bytes] = set()
    while frames:
        for frame in frames:
            message = decode(frame[4:])
            if isinstance(message, Vector) and message.table == number:
                assert len(frame) <= host.node.config.frame_bytes + 64
                names |= listed(message.body[message.offset :])
        host.node.advance(pump.now)
        frames = written(host.node.outbox.take(), other)
    assert {name.to_bytes(16, "big") for name in range(1, 100_001)} <= names


def written(effects: list[object], peer: Stranger) -> list[bytes]:
    """What was written to a peer, and is taken by its socket at once."""
    frames = [each.frame for each in effects if isinstance(each, Write) and each.link == peer.link]
    for frame in frames:
        peer.node.sent(peer.link, len(frame), peer.host.pump.now)
    return frames


def listed(page: bytes) -> set[bytes]:
    """The names on a page of a vector with counters below 128."""
    return {page[at : at + 16] for at in range(2, len(page), 17)}
