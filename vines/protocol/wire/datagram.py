"""The head of a datagram. No datagram means anything yet: each one is counted and dropped.

    magic "vine" | version u8 | type u8 | flags u8 | key id u8 | cluster id 8 | sender id 16
    | boot epoch u64 | counter u64 | payload [| tag 16, if flag 0x80]

Decided now because a header cannot be changed later: everything an authentication tag will have to
cover, and what tells a replayed packet from a fresh one, has its place. Integers are little-endian.
1,200 B in all fit every path (RFC 9000 section 14 has the same figure for the same reason).
"""

from __future__ import annotations

import struct

from vines.errors import UNKNOWN, WireError
from vines.frozen import Frozen
from vines.hints import Final
from vines.protocol.wire.hello import MAGIC, VERSION_HIGH, VERSION_LOW

DATAGRAM_BYTES_MAX: Final = 1200
TAGGED: Final = 0x80
TAG_BYTES: Final = 16

_HEAD: Final = struct.Struct("<4sBBBB8s16sQQ")
HEAD_BYTES: Final = _HEAD.size


class Datagram(Frozen):
    """One datagram; `tag` is empty unless it is authenticated."""

    kind: int
    cluster: bytes
    sender: bytes
    epoch: int
    counter: int
    payload: bytes = b""
    key_id: int = 0
    tag: bytes = b""

    def __post_init__(self) -> None:
        assert not self.tag or len(self.tag) == TAG_BYTES, "a tag has 16 bytes"
        length = HEAD_BYTES + len(self.payload) + len(self.tag)
        assert length <= DATAGRAM_BYTES_MAX, "a datagram of ours is too long"

    def encode(self) -> bytes:
        """The bytes on the wire."""
        head = (self.kind, self.cluster, self.sender, self.epoch, self.counter)
        return pack(*head, self.payload, self.key_id, self.tag)

    @classmethod
    def decode(cls, data: bytes) -> Datagram:
        """The datagram; WireError if `data` is not one of this version."""
        return cls(*unpack(data))


def pack(
    kind: int,
    cluster: bytes,
    sender: bytes,
    epoch: int,
    counter: int,
    payload: bytes,
    key_id: int = 0,
    tag: bytes = b"",
) -> bytes:
    """A datagram's bytes, for who has no use for an object of it: there are very many."""
    flags = TAGGED if tag else 0
    head = _HEAD.pack(MAGIC, VERSION_HIGH, kind, flags, key_id, cluster, sender, epoch, counter)
    data = head + payload + tag
    assert len(data) <= DATAGRAM_BYTES_MAX, "a datagram of ours is too long"
    return data


def unpack(data: bytes) -> tuple[int, bytes, bytes, int, int, bytes, int, bytes]:
    """The fields of a datagram, in order; WireError if `data` is not one of this version."""
    if not HEAD_BYTES <= len(data) <= DATAGRAM_BYTES_MAX:
        raise WireError(f"a datagram of {len(data)} bytes")
    head = _HEAD.unpack_from(data)
    magic, version, kind, flags, key_id, cluster, sender, epoch, counter = head
    if magic != MAGIC:
        raise WireError("a datagram without its magic")
    if not VERSION_LOW <= version <= VERSION_HIGH:
        raise WireError(f"a datagram of version {version}")
    if not flags:
        return kind, cluster, sender, epoch, counter, data[HEAD_BYTES:], key_id, b""
    if flags != TAGGED:
        raise WireError(f"datagram flags {flags:#04x} are not of this version", UNKNOWN)
    end = len(data) - TAG_BYTES
    if end < HEAD_BYTES:
        raise WireError("a datagram with no room for its tag")
    return kind, cluster, sender, epoch, counter, data[HEAD_BYTES:end], key_id, data[end:]
