"""Small frames of an established link that are about no table's contents: questions and answers.

`encode` includes the frame's length; `decode` takes what the Framer cuts out. docs/wire.md has
every byte. It must not know links, time, or what answers what.
"""

from __future__ import annotations

from vines.errors import WireError
from vines.frozen import Frozen
from vines.hints import ClassVar, TypeVar
from vines.protocol.wire import fields
from vines.protocol.wire.framing import frame as framed
from vines.protocol.wire.hello import HEAD_BYTES


class Flush(Frozen):
    """How much of this source of mine do you hold?"""

    kind: ClassVar[int] = 10
    token: int
    source: bytes

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, fields.pack({"token": self.token, "source": self.source}))

    @classmethod
    def decode(cls, frame: bytes) -> Flush:
        """The message; WireError if the frame is not one."""
        values = fields.unpack(frame, HEAD_BYTES)
        return cls(fields.whole_number(values, "token"), fields.octets(values, "source"))


class Flushed(Frozen):
    """So much of that source of yours, in either table."""

    kind: ClassVar[int] = 11
    token: int
    control: int
    data: int

    def encode(self) -> bytes:
        """The frame."""
        values = {"token": self.token, "control": self.control, "data": self.data}
        return framed(self.kind, fields.pack(values))

    @classmethod
    def decode(cls, frame: bytes) -> Flushed:
        """The message; WireError if the frame is not one."""
        values = fields.unpack(frame, HEAD_BYTES)
        return cls(*(fields.whole_number(values, name) for name in ("token", "control", "data")))


class Echo(Frozen):
    """A token of eight bytes that comes back."""

    kind: ClassVar[int]
    token: int

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, self.token.to_bytes(8, "little"))

    @classmethod
    def decode(cls: type[EchoType], frame: bytes) -> EchoType:
        """The message; WireError if the frame is not one."""
        if len(frame) != HEAD_BYTES + 8:
            raise WireError(f"a frame of type {frame[0]} with {len(frame)} bytes")
        return cls(int.from_bytes(frame[HEAD_BYTES:], "little"))


EchoType = TypeVar("EchoType", bound=Echo)


class Shed(Frozen):
    """I have more links than I keep: may this one go? Or, to that: no, I need it."""

    kind: ClassVar[int] = 15
    needed: bool
    """It is the answer."""

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, bytes((self.needed,)))

    @classmethod
    def decode(cls, frame: bytes) -> Shed:
        """The message; WireError if the frame is not one."""
        if len(frame) != HEAD_BYTES + 1 or frame[HEAD_BYTES] > 1:
            raise WireError(f"a frame of type {frame[0]} that neither asks nor answers")
        return cls(bool(frame[HEAD_BYTES]))


class Ping(Echo):
    """Are you there?"""

    __slots__ = ()
    kind: ClassVar[int] = 12


class Pong(Echo):
    """I am."""

    __slots__ = ()
    kind: ClassVar[int] = 13
