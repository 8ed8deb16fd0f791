"""Streams cut into frames: whole, exactly once, and never an allocation because a peer said so."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from vines.errors import WireError
from vines.protocol.wire.framing import FRAME_BYTES_MAX, HANDSHAKE_BYTES_MAX, Framer, frame

FIRST = frame(1, b"hello")
SECOND = frame(5, bytes(70_000))
THIRD = frame(12, b"")
STREAM = FIRST + SECOND + THIRD
FRAMES = [FIRST[4:], SECOND[4:], THIRD[4:]]


def fed(*pieces: bytes) -> list[bytes]:
    framer = Framer()
    return [whole for piece in pieces for whole in framer.feed(piece)]


def test_frames_of_one_read_come_out_in_order() -> None:
    assert fed(STREAM) == FRAMES


def test_a_stream_split_at_every_byte_of_a_frame_gives_it_once() -> None:
    stream = FIRST + THIRD
    for cut in range(len(stream) + 1):
        assert fed(stream[:cut], stream[cut:]) == [FIRST[4:], THIRD[4:]]


def test_a_stream_in_single_bytes_gives_the_same_frames() -> None:
    stream = FIRST + frame(3, bytes(300)) + THIRD
    assert fed(*(bytes([byte]) for byte in stream)) == [
        FIRST[4:],
        frame(3, bytes(300))[4:],
        THIRD[4:],
    ]


@pytest.mark.parametrize("seed", range(5))
def test_a_stream_in_random_pieces_gives_the_same_frames(seed: int) -> None:
    rng = random.Random(seed)
    cuts = sorted(rng.randrange(len(STREAM)) for _ in range(20))
    pieces = [STREAM[a:b] for a, b in zip([0, *cuts], [*cuts, len(STREAM)], strict=True)]
    assert fed(*pieces) == FRAMES


def test_a_thousand_frames_of_one_read_come_out() -> None:
    assert len(fed(FIRST + THIRD * 1000)) == 1001


@pytest.mark.parametrize("length", [0, 1, HANDSHAKE_BYTES_MAX + 1, 2**31, 2**32 - 1])
def test_a_bad_first_length_is_refused(length: int) -> None:
    with pytest.raises(WireError, match="frame length"):
        Framer().feed(length.to_bytes(4, "little"))


@pytest.mark.parametrize("length", [0, 1, FRAME_BYTES_MAX + 1, 2**31, 2**32 - 1])
def test_a_bad_later_length_is_refused(length: int) -> None:
    framer = Framer()
    framer.feed(FIRST)
    with pytest.raises(WireError, match="frame length"):
        framer.feed(length.to_bytes(4, "little"))


def test_the_longest_frames_are_taken() -> None:
    longest = frame(5, bytes(FRAME_BYTES_MAX - 2))
    assert fed(frame(1, bytes(HANDSHAKE_BYTES_MAX - 2)), longest)[1] == longest[4:]


def test_memory_grows_with_what_came_and_not_with_what_was_announced() -> None:
    framer = Framer()
    framer.feed(FIRST)
    tracemalloc.start()
    framer.feed(FRAME_BYTES_MAX.to_bytes(4, "little") + b"x" * 1000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 1024
    assert framer.partial


def test_partial_tells_whether_a_frame_has_begun() -> None:
    framer = Framer()
    assert not framer.partial
    framer.feed(FIRST[:1])
    assert framer.partial
    framer.feed(FIRST[1:])
    assert not framer.partial


FOREIGN = {
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500),
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "redis": b"*1\r\n$4\r\nPING\r\n",
    "zeros": bytes(64),
    "ones": b"\xff" * 64,
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_protocol_is_refused_at_its_first_bytes(name: str) -> None:
    with pytest.raises(WireError):
        Framer().feed(FOREIGN[name])


def test_a_byte_more_of_a_long_frame_copies_nothing_of_it() -> None:
    framer = Framer()
    framer.feed(frame(1, b"hello"))
    framer.feed(FRAME_BYTES_MAX.to_bytes(4, "little") + bytes(FRAME_BYTES_MAX - 100))
    framer.feed(b"x")  # the buffer makes itself some room
    tracemalloc.start()
    try:
        for _ in range(98):
            assert framer.feed(b"x") == []
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10_000
    assert len(framer.feed(b"x")) == 1
