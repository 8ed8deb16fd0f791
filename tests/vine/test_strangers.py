"""What outsiders send to the port of a real vine: it costs them their stream, and nobody else
anything.
"""

from __future__ import annotations

import itertools
import random
import socket
import time
from collections.abc import Iterator

import pytest

from tests.net.strangers import connect, is_closed, linux_only, reset, resident_bytes
from tests.protocol.golden import DELTA, GOLDEN, HELLO
from tests.protocol.test_hostile_fields import MALFORMED
from tests.vine.helpers import PATIENCE, Calls
from vines.protocol.wire.datagram import Datagram
from vines.protocol.wire.framing import FRAME_BYTES_MAX, HANDSHAKE_BYTES_MAX, frame
from vines.protocol.wire.hello import Hello, Refuse, cluster_id
from vines.protocol.wire.messages import Delta, Digest, decode
from vines.protocol.wire.talk import Flush
from vines.vine import Vine

serials = itertools.count(1)


class Cluster:
    """Two members, and what they hold; a test does to the first what it wants."""

    def __init__(self) -> None:
        self.first, self.second = Vine(name="first").listen(), Vine(name="second").listen()
        self.heard = Calls()
        self.second.join(self.first.address).wait_for(2, PATIENCE)
        self.first.wait_for(2, PATIENCE)
        self.first.gossip("mine", [1, {"a": b"b"}]).flush(PATIENCE)
        self.second.on("gossip", "after", self.heard)
        assert self.first.address is not None
        self.address = self.first.address

    def hello(self, cluster: str = "", versions: tuple[int, int] = (1, 1)) -> bytes:
        now = time.time_ns() // 1_000_000
        return HELLO.replace(
            cluster=cluster_id(cluster),
            versions=versions,
            address=None,
            clock=now,
            serial=next(serials),
            control=bytes(32),
            data=bytes(32),
        ).encode()

    def greeted(self) -> socket.socket:
        """A stranger that is past its greetings."""
        sock = connect(self.address, self.hello())
        length = int.from_bytes(sock.recv(4, socket.MSG_WAITALL), "little")
        assert isinstance(decode(sock.recv(length, socket.MSG_WAITALL)), Hello)
        return sock

    def is_unharmed(self) -> None:
        """Nothing has changed, no bug was met, and what is written now arrives."""
        count = len(self.heard.seen) + 1
        self.first.gossip("after", count)
        assert self.heard.wait(count)[-1] == count
        for vine in (self.first, self.second):
            assert vine["mine"] == [1, {"a": b"b"}]
            assert vine.keys() == ["after", "mine"]
            assert vine.members()[0].name == vine.name
            assert {member.name for member in vine.members()} == {"first", "second"}
            assert vine.stats()["loop"]["bugs"] == 0


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()
    yield cluster
    cluster.first.end()
    cluster.second.end()


FOREIGN = {
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": bytes.fromhex("16030100fa010000f60303") + bytes(200),
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "memberlist": bytes.fromhex("0086aa") + b"SourceAddr" + bytes(20),
    "redis bus": b"RCmb" + bytes.fromhex("00000800000100") + bytes(2000),
    "our datagram": Datagram(
        kind=1, cluster=bytes(8), sender=bytes(16), epoch=7, counter=9
    ).encode(),
    "a frame without its length": Delta(1, DELTA).encode()[4:],
    "zeros": bytes(1000),
}


def answer(sock: socket.socket) -> bytes:
    """All that the other end says until it closes."""
    sock.settimeout(PATIENCE)
    said = b""
    while data := sock.recv(1 << 16):
        said += data
    return said


@pytest.mark.parametrize("protocol", FOREIGN)
def test_a_foreign_protocol_gets_no_word_and_harms_nobody(cluster: Cluster, protocol: str) -> None:
    with connect(cluster.address, FOREIGN[protocol]) as peer:
        try:
            assert answer(peer) == b""
        except ConnectionResetError:
            pass  # it may have sent more than was read
    cluster.is_unharmed()


@pytest.mark.parametrize(
    ("label", "versions", "reason"),
    [
        ("another", (1, 1), "cluster"),
        ("", (0, 0), "version"),
        ("", (2, 2), "version"),
        ("", (255, 255), "version"),
        ("another", (2, 255), "version"),
    ],
)
def test_a_foreigner_is_told_why_in_no_more_bytes_than_it_sent(
    cluster: Cluster, label: str, versions: tuple[int, int], reason: str
) -> None:
    hello = cluster.hello(label, versions)
    for size in (len(hello) - 4, 40, 24, 18, 15, 14):
        sent = size.to_bytes(4, "little") + hello[4 : 4 + size]
        with connect(cluster.address, sent) as peer:
            said = answer(peer)
        assert len(said) <= len(sent)
        if size > 20:
            refusal = decode(said[4:])
            assert isinstance(refusal, Refuse)
            assert refusal.reason == reason
            assert size < 100 or refusal.text
    cluster.is_unharmed()


def test_one_connection_can_send_one_bad_frame_and_no_more(cluster: Cluster) -> None:
    bad = [
        *(frame(kind, value) for value in MALFORMED.values() for kind in (1, 2, 10, 11)),
        *(length.to_bytes(4, "little") + b"xx" for length in (0, 1, 1 << 31, (1 << 32) - 1)),
        (FRAME_BYTES_MAX + 1).to_bytes(4, "little"),
        *(frame(kind, bytes(40)) for kind in (0, *range(14, 256, 30), 255)),
    ]
    for data in bad:
        with cluster.greeted() as peer:
            try:
                # What follows a bad frame is not read: it would be a delta like any other.
                peer.sendall(data + Delta(1, DELTA).encode())
            except ConnectionError:
                continue
            assert is_closed(peer), data[:40].hex()
    cluster.is_unharmed()


@pytest.mark.parametrize("length", [0, 1, HANDSHAKE_BYTES_MAX + 1, 1 << 31, (1 << 32) - 1])
def test_a_first_frame_of_a_bad_length_gets_no_word(cluster: Cluster, length: int) -> None:
    with connect(cluster.address, length.to_bytes(4, "little") + b"\x01\x00") as peer:
        try:
            assert answer(peer) == b""
        except ConnectionResetError:
            pass
    cluster.is_unharmed()


@pytest.mark.parametrize("name", [name for name in GOLDEN if "delta" not in name])
def test_a_frame_that_breaks_off_anywhere_is_nothing(cluster: Cluster, name: str) -> None:
    data = bytes.fromhex(GOLDEN[name][1])
    for end in range(0, len(data), 3):
        for ended in (socket.socket.close, reset):
            peer = cluster.greeted()
            peer.sendall(data[:end])
            ended(peer)
        with connect(cluster.address, data[:end]):
            pass
    cluster.is_unharmed()


@linux_only
def test_random_bytes_in_frames_of_every_type_leave_memory_flat(cluster: Cluster) -> None:
    noise = random.Random(7)
    block = noise.randbytes(FRAME_BYTES_MAX)

    def throw(count: int) -> None:
        for _ in range(count):
            cut = noise.randrange(len(block))
            head = FRAME_BYTES_MAX.to_bytes(4, "little") + bytes((noise.randrange(2, 12), 0, 1))
            with cluster.greeted() as peer:
                try:
                    peer.sendall(head + block[cut + 3 :] + block[:cut])
                except ConnectionError:
                    continue
                assert is_closed(peer)

    throw(8)
    before = resident_bytes()
    throw(32)
    assert resident_bytes() - before < 4 << 20
    cluster.is_unharmed()


def test_our_own_frames_mean_nothing_in_a_datagram(cluster: Cluster) -> None:
    before = cluster.first.stats()["loop"]["datagrams_in"]
    sent = [bytes.fromhex(data) for _, data in GOLDEN.values()]
    sent += [data[4:] for data in sent]
    head = Datagram(kind=1, cluster=cluster_id(""), sender=bytes(16), epoch=1, counter=1).encode()
    sent += [head + data for data in sent]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(cluster.address)
        for data in sent:
            sender.send(data)
        end = time.monotonic() + PATIENCE
        while cluster.first.stats()["loop"]["datagrams_in"] - before < len(sent):
            assert time.monotonic() < end
        sender.setblocking(False)
        with pytest.raises(BlockingIOError):
            sender.recv(1)
    cluster.is_unharmed()


def test_what_is_well_formed_is_taken_from_the_same_stranger(cluster: Cluster) -> None:
    """So the tests above refuse for the reason they give."""
    with cluster.greeted() as peer:
        peer.sendall(Digest(1, bytes(32), 0).encode() + Flush(1, bytes(16)).encode())
        peer.sendall(Delta(1, DELTA).encode())
        assert peer.recv(4, socket.MSG_WAITALL)
        calls = Calls()
        cluster.first.on("gossip", "bar", calls)
        assert calls.wait() == ["abc"]
