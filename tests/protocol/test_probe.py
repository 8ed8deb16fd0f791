"""What datagrams say, byte by byte, and what a node does with those it gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest

from vines.errors import WireError
from vines.protocol.machine import Send
from vines.protocol.wire.datagram import DATAGRAM_BYTES_MAX, HEAD_BYTES, Datagram
from vines.protocol.wire.hello import INCARNATION_MAX, cluster_id
from vines.protocol.wire.messages import decode
from vines.protocol.wire.probe import (
    Ack,
    Alive,
    Ask,
    Nack,
    Probe,
    StreamAck,
    StreamProbe,
    Word,
    decode_word,
)

from .pump import Host, Pump, label

DIGEST = bytes(range(1, 9))
GOLDEN: dict[str, tuple[Word, str]] = {
    "probe": (Probe(DIGEST), "0102030405060708"),
    "probe of a suspect": (Probe(DIGEST, 0x0A0B), "01020304050607080b0a000000000000"),
    "ack": (Ack(0x01020304, 0x0506, differs=True), "04030201060501"),
    "ack of one that is gone": (Ack(9, 0, differs=False, gone=True), "09000000000002"),
    "ack of an equal": (Ack(9, 0, differs=False), "09000000000000"),
    "ask": (Ask(bytes(range(16))), "000102030405060708090a0b0c0d0e0f"),
    "alive": (Alive(7), "07000000"),
    "nack": (Nack(0xFFFFFFFF), "ffffffff"),
}
FRAMES = {
    "probe": (StreamProbe(7, Probe(DIGEST)), "0e000000140007000000" + "0102030405060708"),
    "ack": (StreamAck(Ack(7, 2, differs=True)), "0900000015000700000002000" + "1"),
}
STRANGER = bytes([77]) * 16


def datagram(word: Word, *, sender: bytes = STRANGER, cluster: str = "test", **changes) -> bytes:
    values: dict = {
        "kind": word.kind,
        "cluster": cluster_id(cluster),
        "sender": sender,
        "epoch": 1,
        "counter": (5 << 32) + 9,
        "payload": word.encode(),
    }
    return Datagram(**values | changes).encode()


def answers(host: Host) -> list[tuple[object, Datagram]]:
    effects = host.node.outbox.take()
    return [
        (each.address, Datagram.decode(each.data)) for each in effects if isinstance(each, Send)
    ]


@pytest.mark.parametrize("name", GOLDEN)
def test_payloads_are_golden(name: str) -> None:
    word, encoded = GOLDEN[name]
    assert word.encode().hex() == encoded
    assert decode_word(word.kind, bytes.fromhex(encoded)) == word


@pytest.mark.parametrize("name", FRAMES)
def test_frames_are_golden(name: str) -> None:
    message, encoded = FRAMES[name]
    assert message.encode().hex() == encoded
    assert decode(bytes.fromhex(encoded)[4:]) == message


@pytest.mark.parametrize("name", GOLDEN)
def test_every_other_length_of_a_payload_is_refused(name: str) -> None:
    word, _ = GOLDEN[name]
    payload = word.encode()
    allowed = {8, 16} if isinstance(word, Probe) else {len(payload)}
    for length in range(40):
        if length not in allowed:
            with pytest.raises(WireError):
                decode_word(word.kind, (payload + bytes(40))[:length])


@pytest.mark.parametrize("name", FRAMES)
def test_every_prefix_of_a_frame_is_refused(name: str) -> None:
    message, _ = FRAMES[name]
    frame = message.encode()[4:]
    for length in range(len(frame)):
        with pytest.raises(WireError):
            decode(frame[:length])


@pytest.mark.parametrize("name", GOLDEN)
def test_every_bit_flip_of_a_payload_is_refused_or_says_something_else(name: str) -> None:
    word, _ = GOLDEN[name]
    payload = word.encode()
    for position in range(8 * len(payload)):
        flipped = bytearray(payload)
        flipped[position // 8] ^= 1 << position % 8
        try:
            said = decode_word(word.kind, bytes(flipped))
        except WireError:
            assert isinstance(word, Ack | Probe)
        else:
            assert said != word
            assert said.encode() == bytes(flipped)


@pytest.mark.parametrize("name", FRAMES)
def test_every_bit_flip_of_a_frame_is_refused_or_says_something_else(name: str) -> None:
    message, _ = FRAMES[name]
    frame = message.encode()[4:]
    for position in range(8, 8 * len(frame)):
        flipped = bytearray(frame)
        flipped[position // 8] ^= 1 << position % 8
        try:
            assert decode(bytes(flipped)) != message
        except WireError:
            pass


def test_an_accusation_of_an_impossible_incarnation_is_refused() -> None:
    with pytest.raises(WireError):
        decode_word(1, DIGEST + (INCARNATION_MAX + 1).to_bytes(8, "little"))


@pytest.mark.parametrize("kind", [0, 6, 255])
def test_an_unknown_type_is_refused(kind: int) -> None:
    with pytest.raises(WireError):
        decode_word(kind, bytes(8))


def test_a_probe_is_answered_to_its_source_with_no_more_bytes_than_it_took() -> None:
    host = Pump().host(1)
    probe = datagram(Probe(DIGEST))
    assert host.node.datagram(probe, ("192.0.2.7", 4711), 100.0) == ""
    ((address, answer),) = answers(host)
    assert address == ("192.0.2.7", 4711)
    assert Ack.decode(answer.payload) == Ack(9, 0, differs=True)
    assert len(answer.encode()) <= len(probe)


def test_an_ack_says_whether_the_tables_are_equal_and_how_late_the_loop_was() -> None:
    pump = Pump()
    one, two = pump.cluster(2)
    digest = two.node._parts.answering.digest()
    one.node.outbox.take()
    pump.now = max(pump.now, one.node.deadline() or 0.0) + 0.123
    one.node.advance(pump.now)
    one.node.outbox.take()
    one.node.datagram(datagram(Probe(digest), sender=label(2)), two.address, pump.now)
    said = [Ack.decode(answer.payload) for _, answer in answers(one) if answer.kind == Ack.kind]
    assert [(ack.lag, ack.differs) for ack in said] == [(123, False)]


REFUSED: dict[str, tuple[Callable[[], bytes], tuple[str, int], str]] = {
    "nothing": (lambda: b"", ("192.0.2.7", 1), "short"),
    "half a head": (lambda: datagram(Probe(DIGEST))[: HEAD_BYTES - 1], ("192.0.2.7", 1), "short"),
    "another protocol": (lambda: b"GET / HTTP/1.1\r\n" + bytes(60), ("192.0.2.7", 1), "magic"),
    "another version": (lambda: b"vine\x02" + bytes(60), ("192.0.2.7", 1), "version"),
    "another cluster": (
        lambda: datagram(Probe(DIGEST), cluster="other"),
        ("192.0.2.7", 1),
        "cluster",
    ),
    "a tag": (lambda: datagram(Probe(DIGEST), tag=bytes(16)), ("192.0.2.7", 1), "tag"),
    "a key": (lambda: datagram(Probe(DIGEST), key_id=1), ("192.0.2.7", 1), "tag"),
    "an unknown type": (lambda: datagram(Probe(DIGEST), kind=9), ("192.0.2.7", 1), "unknown"),
    "too long": (
        lambda: datagram(Probe(DIGEST)) + bytes(DATAGRAM_BYTES_MAX),
        ("192.0.2.7", 1),
        "malformed",
    ),
    "our own, reflected": (
        lambda: datagram(Probe(DIGEST), sender=label(1)),
        ("192.0.2.7", 1),
        "self",
    ),
    "our own address": (lambda: datagram(Probe(DIGEST)), ("127.0.0.1", 9001), "source"),
    "nowhere": (lambda: datagram(Probe(DIGEST)), ("0.0.0.0", 5), "source"),
    "everybody": (lambda: datagram(Probe(DIGEST)), ("255.255.255.255", 5), "source"),
    "a group": (lambda: datagram(Probe(DIGEST)), ("224.0.0.1", 5), "source"),
    "a group of IPv6": (lambda: datagram(Probe(DIGEST)), ("ff02::1", 5), "source"),
    "port 0": (lambda: datagram(Probe(DIGEST)), ("192.0.2.7", 0), "source"),
}


def test_datagrams_and_their_bytes_are_counted_by_kind() -> None:
    pump = Pump()
    one, _two, three = pump.cluster(3)
    pump.walls.add(frozenset((one.address, three.address)))
    pump.run(30.0)
    sizes = {"probe": HEAD_BYTES + 8, "ack": HEAD_BYTES + 7, "ask": HEAD_BYTES + 16}
    sizes |= {"alive": HEAD_BYTES + 4, "nack": HEAD_BYTES + 4}
    for way in ("in", "out"):
        total: Counter[str] = Counter()
        for host in pump.hosts:
            stats: dict = host.node.stats()
            for kind, count in stats[f"datagrams_{way}"].items():
                assert stats[f"datagram_bytes_{way}"][kind] == count * sizes[kind]
                total[kind] += count
        assert total.keys() >= {"probe", "ack", "ask", "alive"}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_wrong_is_counted_under_its_reason_and_not_answered(name: str) -> None:
    make, source, reason = REFUSED[name]
    host = Pump().host(1)
    assert host.node.datagram(make(), source, 100.0) == reason
    assert answers(host) == []
    assert host.node.stats()["datagrams_rejected"] == {reason: 1}
    assert host.node.stats()["datagrams_in"] == {}


def test_every_bit_flip_of_a_whole_datagram_is_answered_alike_or_not_at_all() -> None:
    host = Pump().host(1)
    probe = datagram(Probe(DIGEST))
    for position in range(8 * len(probe)):
        flipped = bytearray(probe)
        flipped[position // 8] ^= 1 << position % 8
        host.node.datagram(bytes(flipped), ("192.0.2.7", 4711), 100.0)
        for address, answer in answers(host):
            assert address == ("192.0.2.7", 4711)
            assert len(answer.encode()) <= len(probe)


def test_a_stranger_has_nobody_probed() -> None:
    pump = Pump()
    one, _two = pump.cluster(2)
    one.node.outbox.take()
    one.node.datagram(datagram(Ask(label(2))), ("192.0.2.7", 4711), pump.now)
    assert answers(one) == []


def test_a_member_has_only_members_probed_that_are_known_here() -> None:
    pump = Pump()
    one, two, three = pump.cluster(3)
    for unknown in (label(9), label(1), bytes(16)):
        one.node.datagram(datagram(Ask(unknown), sender=label(2)), two.address, pump.now)
        assert answers(one) == []
    ask = datagram(Ask(label(3)), sender=label(2))
    one.node.datagram(ask, two.address, pump.now)
    ((address, probe),) = answers(one)
    assert (address, probe.kind) == (three.address, Probe.kind)
    assert len(probe.encode()) <= len(ask)
    ack = datagram(Ack(probe.counter, 0, differs=False), sender=label(2))
    one.node.datagram(ack, three.address, pump.now)
    assert answers(one) == [], "another one answered than was probed"
    ack = datagram(Ack(probe.counter, 0, differs=False), sender=label(3))
    one.node.datagram(ack, three.address, pump.now)
    ((address, told),) = answers(one)
    assert (address, told.kind, told.payload) == (two.address, Alive.kind, Alive(9).encode())


@pytest.mark.parametrize("way", ["dead", "left"])
def test_who_is_gone_is_probed_for_nobody(way: str) -> None:
    """Another host may have its address by now."""
    pump = Pump()
    one, two, three = pump.cluster(3)
    if way == "left":
        three.node.leave(pump.now)
        pump.settle()
    pump.kill(three)
    pump.until(lambda: one.states()["n3"] == way)
    one.node.outbox.take()
    one.node.datagram(datagram(Ask(label(3)), sender=label(2)), two.address, pump.now)
    assert answers(one) == []


def test_who_asked_is_told_in_time_that_there_is_no_answer() -> None:
    pump = Pump()
    one, two, _three = pump.cluster(3)
    timeout = one.node.config.probe_timeout
    one.node.datagram(datagram(Ask(label(3)), sender=label(2)), two.address, pump.now)
    answers(one)
    one.node.advance(pump.now + timeout * 0.79)
    assert [answer for _, answer in answers(one) if answer.kind == Nack.kind] == []
    one.node.advance(pump.now + timeout * 0.81)
    nacks = [each for each in answers(one) if each[1].kind == Nack.kind]
    assert [(address, nack.payload) for address, nack in nacks] == [(two.address, Nack(9).encode())]


def test_probes_for_others_are_bounded() -> None:
    pump = Pump()
    one, two, _three = pump.cluster(3)
    for _ in range(1000):
        one.node.datagram(datagram(Ask(label(3)), sender=label(2)), two.address, pump.now)
    assert len(answers(one)) == 64
