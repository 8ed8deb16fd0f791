"""The handshake's two frames: Hello, which says who one is and what one holds, and Refuse.

The head of a hello (magic, versions, cluster) keeps its place in every version, so that a node
can tell a foreigner politely that it is one; the rest is only read when the head fits.
docs/wire.md has every byte. It must not know links or time.
"""

from __future__ import annotations

from vines.errors import UNEXPECTED, WireError
from vines.frozen import Frozen
from vines.hashes import blake2b
from vines.hints import ClassVar, Final
from vines.protocol.machine import Address
from vines.protocol.wire import fields
from vines.protocol.wire.framing import frame as framed
from vines.spelling import is_address

VERSION_LOW: Final = 1
VERSION_HIGH: Final = 1
MAGIC: Final = b"vine"
CLUSTER_BYTES: Final = 8
HEAD_BYTES: Final = 2
BODY_OFFSET: Final = HEAD_BYTES + len(MAGIC) + 2 + CLUSTER_BYTES
HINTS_MAX: Final = 8
INCARNATION_MAX: Final = (1 << 61) - 1
"""A member's stamp is its incarnation and two bits of rank, and a stamp is below 2^63."""

VERSION: Final = "version"
CLUSTER: Final = "cluster"
CLOCK: Final = "clock"
SELF: Final = "self"
IDENTITY: Final = "identity"
DUPLICATE: Final = "duplicate"
FULL: Final = "full"
SURPLUS: Final = "surplus"


def cluster_id(label: str) -> bytes:
    """The 8 bytes that a cluster's label becomes in every handshake and datagram."""
    return blake2b(label.encode(), digest_size=CLUSTER_BYTES, person=b"vines-cluster").digest()


def greeting(frame: bytes) -> tuple[int, int, bytes]:
    """(lowest version, highest version, cluster id) of a hello of any version. WireError."""
    if len(frame) < BODY_OFFSET or frame[0] != Hello.kind or frame[1] != 0:
        raise WireError("not a hello", UNEXPECTED)
    if frame[2:6] != MAGIC or not frame[6] <= frame[7]:
        raise WireError("a hello without its magic")
    return frame[6], frame[7], frame[8:BODY_OFFSET]


class Hello(Frozen, kw_only=True):
    """Who I am, where I listen and what I hold: the first frame of each side."""

    kind: ClassVar[int] = 1
    cluster: bytes
    id: bytes
    source: bytes
    name: str
    address: Address | None
    incarnation: int
    observer: bool
    clock: int
    """Wall clock, milliseconds since 1970."""
    serial: int
    """Counts the hellos of this start: orders two streams between the same two nodes."""
    control: bytes
    """Fingerprint of the control table."""
    data: bytes
    """Fingerprint of the data table."""
    versions: tuple[int, int] = (VERSION_LOW, VERSION_HIGH)
    errand: bool = False
    """I only have something to tell: count this link to none that you keep."""

    def encode(self) -> bytes:
        """The frame; of an errand is told only if it is one."""
        values = {name: getattr(self, name) for name in _HELLO_FIELDS}
        if self.errand:
            values["errand"] = True
        head = MAGIC + bytes(self.versions) + self.cluster
        return framed(self.kind, head + fields.pack(values))

    @classmethod
    def decode(cls, frame: bytes) -> Hello:
        """The message; WireError if the frame is not one."""
        low, high, cluster = greeting(frame)
        values = fields.unpack(frame, BODY_OFFSET)
        return cls(
            versions=(low, high),
            cluster=cluster,
            id=fields.octets(values, "id"),
            source=fields.octets(values, "source"),
            name=fields.node_name(values, "name"),
            address=fields.maybe_address(values, "address"),
            incarnation=fields.whole_number(values, "incarnation", INCARNATION_MAX),
            observer=fields.truth(values, "observer"),
            clock=fields.whole_number(values, "clock"),
            serial=fields.whole_number(values, "serial"),
            control=fields.octets(values, "control", fields.FINGERPRINT_BYTES),
            data=fields.octets(values, "data", fields.FINGERPRINT_BYTES),
            errand="errand" in values and fields.truth(values, "errand"),
        )


_HELLO_FIELDS = (
    "id",
    "source",
    "name",
    "address",
    "incarnation",
    "observer",
    "clock",
    "serial",
    "control",
    "data",
)


class Refuse(Frozen):
    """Why I close this stream, and who else might take you."""

    kind: ClassVar[int] = 2
    reason: str
    text: str = ""
    hints: tuple[Address, ...] = ()

    def encode(self) -> bytes:
        """The frame; what is empty is left out."""
        values: dict[str, object] = {"reason": self.reason}
        if self.text:
            values["text"] = self.text
        if self.hints:
            values["hints"] = self.hints
        return framed(self.kind, fields.pack(values))

    @classmethod
    def decode(cls, frame: bytes) -> Refuse:
        """The message; WireError if the frame is not one. Hints nobody may dial are dropped."""
        values = fields.unpack(frame, HEAD_BYTES)
        hints = values.get("hints", [])
        if type(hints) is not list or len(hints) > HINTS_MAX:
            raise WireError("field 'hints' is not a short list")
        return cls(
            reason=fields.text(values, "reason"),
            text=fields.text(values, "text") if "text" in values else "",
            hints=tuple((each[0], each[1]) for each in hints if is_address(each)),
        )

    def within(self, size: int) -> bytes:
        """The frame, cut down until it is no longer than `size`; empty if it cannot be."""
        for count in range(len(self.hints), -1, -1):
            for text in (self.text, ""):
                frame = Refuse(self.reason, text, self.hints[:count]).encode()
                if len(frame) <= size:
                    return frame
        return b""
