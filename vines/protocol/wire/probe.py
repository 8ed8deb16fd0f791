"""What datagrams say: is anybody there, and the answers.

    1 probe   digest 8 [| accused u64]         are you there? (and suspected at that incarnation)
    2 ack     token u32 | lag u16 | marks u8   I am; marks 1: my digest is another, 2: you are gone
    3 ask     member id 16                     probe this member for me
    4 alive   token u32                        it answered me
    5 nack    token u32                        it has not answered yet, but I am here

A token is the low 32 bits of the counter of the datagram that is answered. No answer is longer than
what it answers, so nobody can be flooded through a node with more than was spent on it. On a stream
a probe and an ack are frames of types 20 and 21; the probe's token stands before its digest.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from vines.errors import UNKNOWN, WireError
from vines.frozen import Frozen
from vines.hints import ClassVar, Final, TypeAlias
from vines.protocol.wire.framing import frame as framed
from vines.protocol.wire.hello import HEAD_BYTES, INCARNATION_MAX

DIGEST_BYTES: Final = 8
TOKEN_MASK: Final = (1 << 32) - 1
LAG_MAX: Final = (1 << 16) - 1
"""Milliseconds: a loop that is later than this is told as this late."""
DIFFERS: Final = 1
GONE: Final = 2

DIGESTS_MAX: Final = 16
"""Probes remembered by what they say: at rest there is one, and soon after a write few."""

_ACK: Final = struct.Struct("<IHB")
_TOKEN: Final = struct.Struct("<I")
_ACCUSED: Final = struct.Struct("<Q")


class Probe(Frozen):
    """Are you there? With the digest of both tables of mine."""

    kind: ClassVar[int] = 1
    digest: bytes
    accused: int | None = None
    """The incarnation at which you are suspected; None: you are not."""

    def encode(self) -> bytes:
        """The payload."""
        return self.digest + (b"" if self.accused is None else _ACCUSED.pack(self.accused))

    @classmethod
    def decode(cls, payload: bytes) -> Probe:
        """The message; WireError if the payload is not one."""
        if len(payload) == DIGEST_BYTES:
            return _quiet(payload)
        _check_length(payload, DIGEST_BYTES + _ACCUSED.size)
        (accused,) = _ACCUSED.unpack_from(payload, DIGEST_BYTES)
        if accused > INCARNATION_MAX:
            raise WireError("a probe that accuses an impossible incarnation")
        return cls(payload[:DIGEST_BYTES], accused)


@lru_cache(maxsize=DIGESTS_MAX)
def _quiet(digest: bytes) -> Probe:
    """A probe that accuses nobody: at rest all that come are equal."""
    return Probe(digest, None)


class Ack(Frozen):
    """I am here; my loop was so late, in milliseconds."""

    kind: ClassVar[int] = 2
    token: int
    lag: int
    differs: bool
    """Whether my tables are not those of the digest I was sent."""
    gone: bool = False
    """Whether you are gone by the record of you that I hold."""

    def encode(self) -> bytes:
        """The payload."""
        marks = (DIFFERS if self.differs else 0) | (GONE if self.gone else 0)
        return _ACK.pack(self.token, self.lag, marks)

    @classmethod
    def decode(cls, payload: bytes) -> Ack:
        """The message; WireError if the payload is not one."""
        _check_length(payload, _ACK.size)
        token, lag, marks = _ACK.unpack(payload)
        if marks & ~(DIFFERS | GONE):
            raise WireError("an ack with unknown marks", UNKNOWN)
        return cls(token, lag, bool(marks & DIFFERS), bool(marks & GONE))


class Ask(Frozen):
    """Probe this member for me: it does not answer me."""

    kind: ClassVar[int] = 3
    member: bytes

    def encode(self) -> bytes:
        """The payload."""
        return self.member

    @classmethod
    def decode(cls, payload: bytes) -> Ask:
        """The message; WireError if the payload is not one."""
        _check_length(payload, 16)
        return cls(payload)


class Alive(Frozen):
    """Whom you asked me to probe has answered me."""

    kind: ClassVar[int] = 4
    token: int

    def encode(self) -> bytes:
        """The payload."""
        return _TOKEN.pack(self.token)

    @classmethod
    def decode(cls, payload: bytes) -> Alive:
        """The message; WireError if the payload is not one."""
        return cls(_token(payload))


class Nack(Frozen):
    """Whom you asked me to probe has not answered me; but I heard you."""

    kind: ClassVar[int] = 5
    token: int

    def encode(self) -> bytes:
        """The payload."""
        return _TOKEN.pack(self.token)

    @classmethod
    def decode(cls, payload: bytes) -> Nack:
        """The message; WireError if the payload is not one."""
        return cls(_token(payload))


Word: TypeAlias = Probe | Ack | Ask | Alive | Nack

_BY_KIND: Final[dict[int, type[Word]]] = {
    each.kind: each for each in (Probe, Ack, Ask, Alive, Nack)
}
WORDS: Final = {kind: each.__name__.lower() for kind, each in _BY_KIND.items()}
"""What each type of datagram is called in counters and traces."""


def decode_word(kind: int, payload: bytes) -> Word:
    """What a datagram of this type says. WireError."""
    word = _BY_KIND.get(kind)
    if word is None:
        raise WireError(f"datagram type {kind} is not of this version", UNKNOWN)
    return word.decode(payload)


class StreamProbe(Frozen):
    """A probe on a stream, for where datagrams do not get through."""

    kind: ClassVar[int] = 20
    token: int
    probe: Probe

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, _TOKEN.pack(self.token) + self.probe.encode())

    @classmethod
    def decode(cls, frame: bytes) -> StreamProbe:
        """The message; WireError if the frame is not one."""
        body = HEAD_BYTES + _TOKEN.size
        return cls(_token(frame[HEAD_BYTES:body]), Probe.decode(frame[body:]))


class StreamAck(Frozen):
    """The answer to a probe on a stream."""

    kind: ClassVar[int] = 21
    ack: Ack

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, self.ack.encode())

    @classmethod
    def decode(cls, frame: bytes) -> StreamAck:
        """The message; WireError if the frame is not one."""
        return cls(Ack.decode(frame[HEAD_BYTES:]))


def _token(payload: bytes) -> int:
    _check_length(payload, _TOKEN.size)
    token: int = _TOKEN.unpack(payload)[0]
    return token


def _check_length(payload: bytes, length: int) -> None:
    if len(payload) != length:
        raise WireError(f"a payload of {len(payload)} bytes where {length} belong")
