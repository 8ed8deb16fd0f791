"""Datagrams: every one is judged, counted and dropped, and none is answered."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterator

import pytest

from tests.net.fakes import Running, running
from tests.net.strangers import linux_only, resident_bytes
from vines.net.limits import Limits
from vines.net.udp import judge
from vines.protocol.wire.datagram import Datagram

GOOD = Datagram(kind=1, cluster=bytes(8), sender=bytes(16), epoch=7, counter=9).encode()


@pytest.fixture
def it() -> Iterator[Running]:
    with running() as it:
        yield it


@pytest.fixture
def sender(it: Running) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(it.address)
        sender.setblocking(False)
        yield sender


REFUSED = {
    b"": "short",
    GOOD[:1]: "short",
    GOOD[:-1]: "short",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + bytes(40): "magic",
    GOOD[:4] + b"\x00" + GOOD[5:]: "version",
    GOOD[:4] + b"\xff" + GOOD[5:]: "version",
    GOOD[:4] + bytes([GOOD[4] + 1]) + GOOD[5:]: "version",
    GOOD[:6] + b"\x01" + GOOD[7:]: "malformed",
    GOOD[:6] + b"\x80" + GOOD[7:]: "malformed",
    GOOD: "no use",
    GOOD + bytes(1200 - len(GOOD)): "no use",
    GOOD + bytes(1201 - len(GOOD)): "oversize",
    bytes(65_507): "oversize",
}


@pytest.mark.parametrize("data", REFUSED)
def test_a_datagram_is_counted_under_its_reason_and_not_answered(
    it: Running, sender: socket.socket, data: bytes
) -> None:
    sender.send(data)
    it.wait_stat(f"datagram rejected: {REFUSED[data]}")
    assert it.stat("datagrams received") == 1
    with pytest.raises(BlockingIOError):
        sender.recv(1)
    assert not it.node.frames


def test_every_prefix_and_every_bit_flip_is_judged() -> None:
    for length in range(len(GOOD)):
        assert judge(GOOD[:length]) == "short"
    for position in range(8 * len(GOOD)):
        flipped = bytearray(GOOD)
        flipped[position // 8] ^= 1 << position % 8
        assert judge(bytes(flipped)) in ("magic", "version", "malformed", "no use")


def test_a_burst_is_read_in_bounded_turns() -> None:
    with running(limits=Limits(datagrams_per_turn=4)) as it:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(it.address)
            turns = it.stat("turns")
            it.run(lambda now: [sender.send(GOOD) for _ in range(40)])
            it.wait_stat("datagrams received", 40)
        assert it.stat("turns") - turns >= 10


def test_errors_are_counted_and_stop_nothing(it: Running, sender: socket.socket) -> None:
    (listening,) = it.loop._driver._listening
    real = listening.datagrams.socket
    errors = [errno.ECONNREFUSED, errno.EPERM, errno.ENETUNREACH, errno.ENOBUFS]

    class Failing:
        def recv(self, size: int) -> bytes:
            if errors:
                raise OSError(errors.pop(), "as it happens")
            return real.recv(size)

    listening.datagrams.socket = Failing()  # type: ignore[assignment]
    try:
        sender.send(GOOD)
        it.wait_stat("datagram rejected: no use")
        assert it.stat("datagram errors") == 4
    finally:
        listening.datagrams.socket = real


@linux_only
def test_random_datagrams_leave_memory_flat(it: Running, sender: socket.socket) -> None:
    noise = random.Random(7)
    block = noise.randbytes(1 << 16)
    sender.setblocking(True)

    def throw(count: int) -> None:
        for _ in range(count):
            start = noise.randrange(1 << 15)
            sender.send(block[start : start + noise.randrange(1300)])

    throw(1000)
    before = resident_bytes()
    throw(20_000)
    it.wait_stat("datagrams received", 1)
    assert resident_bytes() - before < 4 << 20
    sender.send(GOOD)
    it.wait_stat("datagram rejected: no use")


def test_the_receive_buffer_is_asked_for_and_its_size_recorded(it: Running) -> None:
    assert it.stat("datagram_buffer_bytes") > 100_000
