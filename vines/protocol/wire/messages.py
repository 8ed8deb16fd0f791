"""The frames about tables, and `decode` for frames of all types.

`encode` includes the frame's length; `decode` takes what the Framer cuts out (type, flags,
payload) and parses all of it before anything is believed. Bulk parts (vectors, deltas, snapshots)
stay bytes that only the core reads, and are not copied: a decoded message keeps the frame and
where its body begins. docs/wire.md has every byte. It must not know links, time, or what answers
what.
"""

from __future__ import annotations

from vines._core.pieces import framed as headed
from vines.errors import UNKNOWN, WireError
from vines.frozen import Frozen
from vines.hints import TYPE_CHECKING, ClassVar, Final, TypeAlias, TypeVar
from vines.protocol.wire import fields
from vines.protocol.wire.framing import frame as framed
from vines.protocol.wire.hello import HEAD_BYTES, Hello, Refuse
from vines.protocol.wire.probe import StreamAck, StreamProbe
from vines.protocol.wire.talk import Flush, Flushed, Ping, Pong, Shed

if TYPE_CHECKING:
    from vines.protocol.wire.ballot import Ballots

CONTROL: Final = 0
DATA: Final = 1
TABLES: Final = (CONTROL, DATA)
_OF_DATA: Final = bytes((DATA,))

WANT: Final = 1
"""Of a digest: answer with yours if it differs. Of a vector: with yours in any case."""
COMPLETE: Final = 2
"""Of a digest: all I hold was sent on this link before."""
BEGIN: Final = 1
"""Of a snapshot: the body is a floor page."""
END: Final = 2
"""Of a snapshot: the body is the last page of records."""
FULL: Final = 3
"""First byte of a vector's body: counters with ids."""
SKETCH: Final = 5
"""A sketch of them."""
ALIGNED: Final = 6
"""Counters alone, of a roster that both hold."""
BULK: Final = HEAD_BYTES + 1
"""Where the body of a frame begins that is a table's number and a body of at least a byte."""
CELLS_MAX: Final = 256
KEYS_MAX: Final = 256
KEY_BYTES: Final = 4
"""Keys of sources in a question, and the bytes of each."""


class Digest(Frozen):
    """The fingerprint of a table of mine."""

    kind: ClassVar[int] = 3
    table: int
    fingerprint: bytes
    marks: int = 0

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, bytes((self.table,)) + self.fingerprint + bytes((self.marks,)))

    @classmethod
    def decode(cls, frame: bytes) -> Digest:
        """The message; WireError if the frame is not one."""
        table = _table(frame, 1 + fields.FINGERPRINT_BYTES + 1)
        if frame[-1] & ~(WANT | COMPLETE):
            raise WireError("a digest with unknown marks", UNKNOWN)
        return cls(table, frame[HEAD_BYTES + 1 : -1], frame[-1])


class Vector(Frozen, hidden=("body",)):
    """A page of what I hold: send what I lack (WANT: and tell me what you hold)."""

    kind: ClassVar[int] = 4
    table: int
    marks: int
    body: bytes
    offset: int = 0

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, bytes((self.table, self.marks)) + self.body[self.offset :])

    @classmethod
    def decode(cls, frame: bytes) -> Vector:
        """The message; WireError if the frame is not one. The core judges the body."""
        table = _table(frame, 3, more=True)
        if frame[3] & ~WANT:
            raise WireError("a vector with unknown marks", UNKNOWN)
        return cls(table, frame[3], frame, HEAD_BYTES + 2)


class Bulk(Frozen, hidden=("body",)):
    """A table's number and a body that only the core reads: `body[offset:]`."""

    kind: ClassVar[int]
    table: int
    body: bytes
    offset: int = 0

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, bytes((self.table,)) + self.body[self.offset :])

    @classmethod
    def decode(cls: type[BulkType], frame: bytes) -> BulkType:
        """The message; WireError if the frame is not one. The core judges the body."""
        return cls(_table(frame, 2, more=True), frame, BULK)


BulkType = TypeVar("BulkType", bound=Bulk)


class Delta(Bulk):
    """Ranges of positions and their records."""

    __slots__ = ()
    kind: ClassVar[int] = 5


def delta_of_data(body: bytes) -> bytes:
    """The frame of a delta of data, without a message: it is written all the time."""
    return headed(Delta.kind, _OF_DATA, body)


class Pull(Bulk):
    """Ranges of yours began above what I hold of these sources: go back to that."""

    __slots__ = ()
    kind: ClassVar[int] = 6


class Floor(Frozen):
    """You lack positions that I no longer have one by one: join."""

    kind: ClassVar[int] = 7
    table: int

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, bytes((self.table,)))

    @classmethod
    def decode(cls, frame: bytes) -> Floor:
        """The message; WireError if the frame is not one."""
        return cls(_table(frame, 1))


class Join(Frozen):
    """Send me the page at this cursor of yours; 0: your floors and the first page."""

    kind: ClassVar[int] = 8
    table: int
    cursor: int = 0

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, bytes((self.table,)) + self.cursor.to_bytes(8, "little"))

    @classmethod
    def decode(cls, frame: bytes) -> Join:
        """The message; WireError if the frame is not one."""
        table = _table(frame, 1 + 8)
        return cls(table, int.from_bytes(frame[HEAD_BYTES + 1 :], "little"))


class Snapshot(Frozen, hidden=("body",)):
    """A floor page (BEGIN), or a page of records and the cursor of the next (END: none)."""

    kind: ClassVar[int] = 9
    table: int
    marks: int
    cursor: int
    body: bytes
    offset: int = 0

    def encode(self) -> bytes:
        """The frame."""
        head = bytes((self.table, self.marks)) + self.cursor.to_bytes(8, "little")
        return framed(self.kind, head + self.body[self.offset :])

    @classmethod
    def decode(cls, frame: bytes) -> Snapshot:
        """The message; WireError if the frame is not one. The core judges the body."""
        table = _table(frame, 1 + 1 + 8 + 1, more=True)
        marks, cursor = frame[3], int.from_bytes(frame[4:12], "little")
        if marks not in (0, BEGIN, END) or (cursor == 0) != (marks != 0):
            raise WireError("a snapshot whose marks and cursor do not go together")
        return cls(table, marks, cursor, frame, 12)


class Announce(Bulk):
    """I hold these sources up to these counters, and do not send you what that is."""

    __slots__ = ()
    kind: ClassVar[int] = 16


class Graft(Bulk):
    """Send me at once what comes; of these sources I lack what is above these counters."""

    __slots__ = ()
    kind: ClassVar[int] = 17


class Detail(Frozen):
    """Your vector did not tell: send it in this form, a sketch of so many cells, and name the
    sources with these keys.
    """

    kind: ClassVar[int] = 19
    table: int
    form: int
    cells: int = 0
    keys: bytes = b""

    def encode(self) -> bytes:
        """The frame."""
        head = bytes((self.table, self.form)) + self.cells.to_bytes(2, "little")
        return framed(self.kind, head + self.keys)

    @classmethod
    def decode(cls, frame: bytes) -> Detail:
        """The message; WireError if the frame is not one."""
        table = _table(frame, 1 + 1 + 2, more=True)
        form, cells = frame[3], int.from_bytes(frame[4:6], "little")
        keys = frame[6:]
        if len(keys) % KEY_BYTES or len(keys) > KEYS_MAX * KEY_BYTES:
            raise WireError("a question with malformed keys")
        if form == SKETCH:
            if not 0 < cells <= CELLS_MAX:
                raise WireError(f"a question for {cells} cells")
        elif form not in (FULL, ALIGNED) or cells or keys:
            raise WireError("a question for a form that is not known", UNKNOWN)
        return cls(table, form, cells, keys)


class Prune(Frozen):
    """I get it from elsewhere sooner: announce to me what comes, and do not send it."""

    kind: ClassVar[int] = 18
    table: int

    def encode(self) -> bytes:
        """The frame."""
        return framed(self.kind, bytes((self.table,)))

    @classmethod
    def decode(cls, frame: bytes) -> Prune:
        """The message; WireError if the frame is not one."""
        return cls(_table(frame, 1))


TableMessage: TypeAlias = (
    Digest | Vector | Detail | Delta | Pull | Floor | Join | Snapshot | Announce | Graft | Prune
)
TABLE_MESSAGES: Final = (
    Delta,
    Announce,
    Digest,
    Vector,
    Detail,
    Pull,
    Floor,
    Join,
    Snapshot,
    Graft,
    Prune,
)
Talk: TypeAlias = Flush | Flushed | Ping | Pong | Shed | StreamProbe | StreamAck
Message: TypeAlias = "Hello | Refuse | TableMessage | Talk | Ballots"

_TALK: Final = (Flush, Flushed, Ping, Pong, Shed, StreamProbe, StreamAck)
_CLASSES: Final = (Hello, Refuse, *TABLE_MESSAGES, *_TALK)
_BY_KIND: Final = {each.kind: each for each in _CLASSES}
BALLOT: Final = 14
"""The type of frames of elections, whose code is loaded with the first of them."""
NAMES: Final = {kind: each.__name__.lower() for kind, each in _BY_KIND.items()} | {BALLOT: "ballot"}
"""What each type of frame is called in counters and transcripts."""


def decode(frame: bytes) -> Message:
    """The message in a frame of any type. WireError."""
    if len(frame) < HEAD_BYTES:
        raise WireError("a frame without a head")
    if frame[1] != 0:
        raise WireError(f"frame flags {frame[1]:#04x} are not of this version", UNKNOWN)
    kind = _BY_KIND.get(frame[0])
    if frame[0] == BALLOT:
        from vines.protocol.wire.ballot import Ballots

        return Ballots.decode(frame)
    if kind is None:
        raise WireError(f"frame type {frame[0]} is not of this version", UNKNOWN)
    message: Message = kind.decode(frame)
    return message


def _table(frame: bytes, length: int, *, more: bool = False) -> int:
    """The table's number, once the payload is `length` bytes (or longer, with `more`)."""
    size = len(frame) - HEAD_BYTES
    if size < length or (size > length and not more):
        raise WireError(f"a frame of type {frame[0]} with {len(frame)} bytes")
    if frame[HEAD_BYTES] not in TABLES:
        raise WireError(f"there is no table {frame[HEAD_BYTES]}", UNKNOWN)
    return frame[HEAD_BYTES]
