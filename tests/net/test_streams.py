"""Streams of strangers and worse: each costs itself, in bounded time and memory, nobody else."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.net.fakes import HELLO, NOTE, PATIENCE, Running, running
from tests.net.strangers import (
    connect,
    descriptors,
    dribble,
    greeted,
    is_closed,
    linux_only,
    reset,
    resident_bytes,
)
from vines.config import Config
from vines.net.limits import Limits
from vines.protocol.wire.framing import FRAME_BYTES_MAX, HANDSHAKE_BYTES_MAX, frame

FOREIGN = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": bytes.fromhex("16030100fa010000f60303") + bytes(200),
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "memberlist": bytes.fromhex("0086aa") + b"SourceAddr" + bytes(20),
    "redis bus": b"RCmb" + bytes.fromhex("00000800000100") + bytes(2000),
    "zeros": bytes(1000),
}


@pytest.fixture
def it() -> Iterator[Running]:
    with running() as it:
        yield it


@pytest.fixture
def impatient() -> Iterator[Running]:
    """A node that gives streams a fifth of a second."""
    with running(Config(handshake_timeout=0.2, frame_timeout=0.2)) as it:
        yield it


def others_are_unaffected(it: Running) -> None:
    """A well-behaved peer can still come, and be heard."""
    with greeted(it.address) as peer:
        peer.sendall(frame(NOTE, b"well behaved"))
        it.node.wait(lambda: b"well behaved" in it.node.notes())


def held(it: Running) -> threading.Event:
    """Hold the loop still until the event that is returned is set."""
    hold, leave = threading.Event(), threading.Event()

    def call(now: float) -> None:
        hold.set()
        assert leave.wait(PATIENCE)

    it.loop.call(call)
    assert hold.wait(PATIENCE)
    return leave


@pytest.mark.parametrize("length", [0, 1, HANDSHAKE_BYTES_MAX + 1, 1 << 31, (1 << 32) - 1])
def test_a_stranger_with_a_bad_length_is_closed(it: Running, length: int) -> None:
    with connect(it.address, length.to_bytes(4, "little") + b"xx") as peer:
        assert is_closed(peer)
    it.wait_stat("streams_rejected", reason="length")
    others_are_unaffected(it)


@pytest.mark.parametrize("length", [0, 1, FRAME_BYTES_MAX + 1, 1 << 31, (1 << 32) - 1])
def test_a_peer_with_a_bad_length_is_closed(it: Running, length: int) -> None:
    with greeted(it.address) as peer:
        peer.sendall(length.to_bytes(4, "little") + b"xx")
        assert is_closed(peer)
    it.node.wait(lambda: len(it.node.gone) == 1)
    others_are_unaffected(it)


def test_a_stranger_who_dribbles_is_closed_at_the_handshake_deadline(impatient: Running) -> None:
    with connect(impatient.address) as peer:
        began = time.monotonic()
        assert dribble(peer, frame(HELLO, bytes(4000)), 0.01)
        assert 0.15 < time.monotonic() - began < 5
    impatient.wait_stat("streams_rejected", reason="slow_handshake")
    others_are_unaffected(impatient)


@pytest.mark.parametrize("sent", [0, 3], ids=["in the body", "in the header"])
def test_a_peer_who_dribbles_is_closed_at_the_frame_deadline(impatient: Running, sent: int) -> None:
    with greeted(impatient.address) as peer, greeted(impatient.address) as bystander:
        if sent:
            # Three bytes of a length, and silence.
            peer.sendall(b"\x10\x00\x00")
            assert is_closed(peer)
        else:
            assert dribble(peer, frame(NOTE, bytes(4000)), 0.01)
        bystander.sendall(frame(NOTE, b"bystander"))
        impatient.node.wait(lambda: b"bystander" in impatient.node.notes())
    impatient.wait_stat("streams_rejected", reason="slow_frame")


def test_slow_frames_that_arrive_in_time_are_no_offence(impatient: Running) -> None:
    with greeted(impatient.address) as peer:
        # Each frame has a deadline of its own: together these take longer than one.
        for number in range(20):
            note = frame(NOTE, b"%d" % number)
            peer.sendall(note[:3])
            assert not dribble(peer, note[3:], 0.003)
            impatient.node.wait(lambda count=number + 1: len(impatient.node.notes()) == count)
        assert not impatient.node.gone


def test_an_idle_peer_has_no_deadline(impatient: Running) -> None:
    with greeted(impatient.address) as peer:
        with connect(impatient.address) as silent:
            assert is_closed(silent)  # a handshake deadline has passed meanwhile
        peer.sendall(frame(NOTE, b"still here"))
        impatient.node.wait(lambda: impatient.node.notes() == [b"still here"])


def test_a_frame_split_at_every_byte_arrives_once(it: Running) -> None:
    note = frame(NOTE, b"in two pieces")
    with greeted(it.address) as peer:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for offset in range(1, len(note)):
            seen = it.stat("bytes_in")
            peer.sendall(note[:offset])
            it.wait_stat("bytes_in", seen + offset)
            peer.sendall(note[offset:])
            it.node.wait(lambda count=offset: len(it.node.notes()) == count)
    assert set(it.node.notes()) == {b"in two pieces"}


def test_a_frame_byte_by_byte_arrives_once(it: Running) -> None:
    with greeted(it.address) as peer:
        assert not dribble(peer, frame(NOTE, b"in many pieces"), 0.0)
        it.node.wait(lambda: it.node.notes() == [b"in many pieces"])


def test_a_thousand_frames_in_one_segment_arrive_once_each_in_order(it: Running) -> None:
    with greeted(it.address) as peer:
        peer.sendall(b"".join(frame(NOTE, b"%d" % number) for number in range(1000)))
        it.node.wait(lambda: len(it.node.notes()) == 1000)
    assert it.node.notes() == [b"%d" % number for number in range(1000)]


def test_the_greeting_and_all_that_follows_may_come_in_one_segment(it: Running) -> None:
    with connect(it.address, frame(HELLO, b"") + frame(NOTE, bytes(100_000))):
        it.node.wait(lambda: it.node.notes() == [bytes(100_000)])


@pytest.mark.parametrize("protocol", FOREIGN)
def test_foreign_protocols_are_closed(it: Running, protocol: str) -> None:
    with connect(it.address, FOREIGN[protocol]) as peer:
        assert is_closed(peer)
    it.wait_stat("streams_rejected", reason="length")
    others_are_unaffected(it)


@linux_only
def test_streams_that_break_off_leave_nothing_behind(impatient: Running) -> None:
    before = descriptors()
    half = frame(NOTE, bytes(100))[:50]
    for opened in (greeted, connect):
        for ended in (socket.socket.close, reset):
            peer = opened(impatient.address)
            peer.sendall(half)
            ended(peer)
            peer = opened(impatient.address)
            ended(peer)
    with connect(impatient.address) as silent:
        assert is_closed(silent)
    impatient.wait_stat("accepted", 9)
    impatient.node.wait(lambda: not impatient.node.links)
    impatient.run(lambda now: None)
    assert descriptors() == before
    assert impatient.stat("strangers") == 0


@linux_only
def test_random_bytes_leave_memory_flat(it: Running) -> None:
    noise = random.Random(7)
    block = noise.randbytes(1 << 20)

    def throw(count: int) -> None:
        for _ in range(count):
            cut = noise.randrange(1 << 20)
            data = block[cut:] + block[:cut]
            with greeted(it.address) if noise.random() < 0.5 else connect(it.address) as peer:
                try:
                    if noise.random() < 0.5:
                        peer.sendall(FRAME_BYTES_MAX.to_bytes(4, "little"))
                    peer.sendall(data)
                except ConnectionError:
                    continue

    throw(8)
    before = resident_bytes()
    throw(64)
    it.node.wait(lambda: not it.node.links)
    assert resident_bytes() - before < 8 << 20
    others_are_unaffected(it)


def test_strangers_are_capped_and_members_are_not() -> None:
    with running(Config(strangers_max=4)) as it, ExitStack() as stack:
        strangers = [stack.enter_context(connect(it.address)) for _ in range(4)]
        it.wait_stat("strangers", 4)
        assert is_closed(stack.enter_context(connect(it.address)))
        it.wait_stat("streams_rejected", reason="too_many")
        strangers[0].sendall(frame(HELLO, b""))
        for count in range(1, 10):
            it.node.wait(lambda count=count: len(it.node.greeted) == count)
            it.run(lambda now: None)
            stack.enter_context(greeted(it.address))
        it.node.wait(lambda: len(it.node.greeted) == 10)
        it.run(lambda now: None)
        assert it.stat("strangers") == 3
        strangers[1].close()
        it.node.wait(lambda: it.node.gone)
        it.run(lambda now: None)
        assert it.stat("strangers") == 2


def test_strangers_of_one_address_are_capped_the_loopback_is_not() -> None:
    with running(Config(strangers_per_address_max=2)) as it, ExitStack() as stack:
        streams, strangers = it.loop._driver.streams, it.loop._driver.streams.strangers
        for _ in range(2):
            ours, theirs = socket.socketpair()
            stack.enter_context(theirs)
            it.run(lambda now, ours=ours: streams.open(ours, "192.0.2.7", None, now))
        assert not strangers.room("192.0.2.7")
        assert strangers.room("192.0.2.8")
        assert strangers.room("127.0.0.1")
        assert strangers.room("::ffff:127.0.0.1")
        theirs.close()
        it.node.wait(lambda: it.node.gone)
        it.run(lambda now: None)
        assert strangers.room("192.0.2.7")


def test_a_stream_closed_in_a_turn_is_not_read_in_it(it: Running) -> None:
    with greeted(it.address) as one, connect(it.address) as other:
        it.wait_stat("accepted", 2)
        it.node.wait(lambda: it.node.greeted)

        streams = it.loop._driver.streams

        def close_the_other(_: bytes, link: int) -> None:
            (stranger,) = set(it.node.links) - {link}
            streams._lose(streams._streams[stranger], "in the same turn", 0.0)

        it.node.on_frame = close_the_other
        it.run(lambda now: None)
        assert len(streams.strangers) == 1
        leave = held(it)
        one.sendall(frame(NOTE, b"one"))
        other.sendall(frame(HELLO, b"other"))
        leave.set()
        it.node.wait(lambda: it.node.gone)
        it.run(lambda now: None)
        it.run(lambda now: None)
        assert it.node.notes() == [b"one"]
        assert len(it.node.frames) == 2
        assert len(streams.strangers) == 0


def test_busy_streams_take_turns() -> None:
    limits = Limits(receive_bytes=32, turn_seconds=0.0)
    with running(limits=limits) as it, ExitStack() as stack:
        peers = [stack.enter_context(greeted(it.address)) for _ in range(3)]
        it.node.wait(lambda: len(it.node.greeted) == 3)
        order: list[int] = []
        it.node.on_frame = lambda _, link: order.append(link)
        leave = held(it)
        for peer in peers:
            peer.sendall(frame(NOTE, bytes(26)) * 20)
        leave.set()
        it.node.wait(lambda: len(it.node.notes()) == 60)
        for turn in range(0, 60, 3):
            assert len(set(order[turn : turn + 3])) == 3, (
                "somebody was served twice, and another not"
            )


def test_a_peer_that_never_reads_is_not_written_to_in_vain(it: Running) -> None:
    with greeted(it.address), greeted(it.address) as reader:
        it.node.wait(lambda: len(it.node.greeted) == 2)
        stuck = min(it.node.greeted)
        note = frame(NOTE, bytes(1_000_000))
        it.run(lambda now: [it.node.outbox.write(stuck, note) for _ in range(16)])
        turns = it.stat("turns")
        it.run(lambda now: it.node.pending.append(b"for all"))
        assert reader.recv(4, socket.MSG_WAITALL)
        assert it.stat("turns") - turns < 20, "the loop spins on a stream that takes nothing"
