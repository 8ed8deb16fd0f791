"""The head of datagrams, decided before there are any."""

from __future__ import annotations

import pytest

from vines.errors import WireError
from vines.protocol.wire.datagram import DATAGRAM_BYTES_MAX, HEAD_BYTES, Datagram

PLAIN = Datagram(
    kind=7,
    cluster=bytes(range(8)),
    sender=bytes(range(16)),
    epoch=0x0102030405060708,
    counter=9,
    payload=b"payload",
)
GOLDEN = (
    "76696e6501070000"
    "0001020304050607"
    "000102030405060708090a0b0c0d0e0f"
    "0807060504030201"
    "0900000000000000"
    "7061796c6f6164"
)


def test_encoding_is_golden() -> None:
    assert PLAIN.encode().hex() == GOLDEN
    assert Datagram.decode(bytes.fromhex(GOLDEN)) == PLAIN
    assert HEAD_BYTES == 48


def test_a_tag_has_its_place() -> None:
    tagged = Datagram(
        kind=1, cluster=bytes(8), sender=bytes(16), epoch=1, counter=2, key_id=3, tag=b"t" * 16
    )
    assert Datagram.decode(tagged.encode()) == tagged
    assert tagged.encode()[-16:] == b"t" * 16


@pytest.mark.parametrize("length", [0, 1, HEAD_BYTES - 1, DATAGRAM_BYTES_MAX + 1, 65_507])
def test_a_datagram_of_a_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(WireError):
        Datagram.decode((PLAIN.encode() + bytes(70_000))[:length])


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_is_refused_by_name(version: int) -> None:
    data = bytearray(PLAIN.encode())
    data[4] = version
    with pytest.raises(WireError, match="version"):
        Datagram.decode(bytes(data))


def test_every_bit_flip_is_refused_or_is_another_datagram() -> None:
    data = PLAIN.encode()
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            try:
                assert Datagram.decode(bytes(flipped)).encode() == bytes(flipped)
            except WireError:
                assert position < 7


def test_a_flag_for_a_tag_that_is_not_there_is_refused() -> None:
    data = bytearray(PLAIN.encode()[:HEAD_BYTES])
    data[6] = 0x80
    with pytest.raises(WireError, match="tag"):
        Datagram.decode(bytes(data))
