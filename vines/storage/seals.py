"""What a data directory knows about itself, and the checksums by which it is believed.

All are BLAKE2b salted with the identity, so a part of one directory is never taken for one of
another. A checksum per row finds a row that changed; their exclusive or and their number find one
that is gone; the checksum over both finds a change of these.
"""

from __future__ import annotations

from collections.abc import Sequence

from vines.hashes import blake2b
from vines.hints import NamedTuple

IDENTITY_BYTES = 16
SEAL_BYTES = 16
_UPDATE_BYTES = 2047
"""What is hashed at once: of more than that `hashlib` gives up the GIL, and beside threads that
compute it may take 5 ms to get that back.
"""


class Meta(NamedTuple):
    """The one row of the table of that name."""

    identity: bytes
    boot: int
    name: str
    generation: int
    """Rises by one with every commit; 1 is that of the birth."""
    number: int
    """How many rows of records there are."""
    total: bytes
    """The exclusive or of their seals."""

    def seal(self) -> bytes:
        """The checksum over everything here."""
        numbers = b"".join(
            field.to_bytes(8, "big") for field in (self.boot, self.generation, self.number)
        )
        content = numbers + self.total + self.name.encode()
        return _seal(self.identity, b"vines meta", content)

    def started(self, name: str) -> Meta:
        """After one more start, under this name if it had none."""
        return self._replace(
            boot=self.boot + 1, generation=self.generation + 1, name=self.name or name
        )

    def changed(self, come: Sequence[bytes], gone: Sequence[bytes]) -> Meta:
        """After one more commit, by which rows of these seals came, and others went."""
        total = int.from_bytes(self.total, "big")
        for seal in (*come, *gone):
            total ^= int.from_bytes(seal, "big")
        return self._replace(
            generation=self.generation + 1,
            number=self.number + len(come) - len(gone),
            total=total.to_bytes(SEAL_BYTES, "big"),
        )


def born(identity: bytes, name: str) -> Meta:
    """A new identity at its first start."""
    return Meta(identity, 1, name, 1, 0, bytes(SEAL_BYTES))


def row_seal(identity: bytes, place: int, content: bytes) -> bytes:
    """The checksum of one row of records."""
    state = blake2b(digest_size=SEAL_BYTES, salt=identity, person=b"vines records")
    state.update(place.to_bytes(8, "big", signed=True))  # of a damaged one
    view = memoryview(content)
    for start in range(0, len(content), _UPDATE_BYTES):
        state.update(view[start : start + _UPDATE_BYTES])
    return state.digest()


def mark_seal(identity: bytes, content: bytes) -> bytes:
    """The checksum of a mark."""
    return _seal(identity, b"vines mark", content)


def _seal(identity: bytes, person: bytes, content: bytes) -> bytes:
    return blake2b(content, digest_size=SEAL_BYTES, salt=identity, person=person).digest()
