"""What a data directory knows about itself, and the checksums by which it is believed.

All are BLAKE2b salted with the identity, so a part of one directory is never taken for one of
another. A checksum per record finds a record that changed; their exclusive or and their number
find one that is gone; the checksum over both finds a change of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

from vines.hints import NamedTuple, TypeAlias

IDENTITY_BYTES = 16
SEAL_BYTES = 16


Sealed: TypeAlias = tuple[bytes, bytes]
"""What a record holds, and its checksum."""


class Meta(NamedTuple):
    """The one row of the table of that name."""

    identity: bytes
    boot: int
    name: str
    generation: int
    """Rises by one with every commit; 1 is that of the birth."""
    number: int
    """How many records there are."""
    total: bytes
    """The exclusive or of all seals of records."""

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

    def changed(
        self, records: Mapping[bytes, bytes], changes: Mapping[bytes, bytes | None]
    ) -> tuple[Meta, dict[bytes, Sealed | None]]:
        """After one more commit, of these changes to these records; and the changes, sealed."""
        identity, number, total = self.identity, self.number, int.from_bytes(self.total, "big")
        sealed: dict[bytes, Sealed | None] = {}
        for key, value in changes.items():
            before = records.get(key)
            if before is not None:
                number -= 1
                total ^= int.from_bytes(record_seal(identity, key, before), "big")
            if value is None:
                sealed[key] = None
            else:
                seal = record_seal(identity, key, value)
                number += 1
                total ^= int.from_bytes(seal, "big")
                sealed[key] = value, seal
        meta = self._replace(
            generation=self.generation + 1,
            number=number,
            total=total.to_bytes(SEAL_BYTES, "big"),
        )
        return meta, sealed


def born(identity: bytes, name: str) -> Meta:
    """A new identity at its first start."""
    return Meta(identity, 1, name, 1, 0, bytes(SEAL_BYTES))


def record_seal(identity: bytes, key: bytes, value: bytes) -> bytes:
    """The checksum of one record."""
    # Not by way of `_seal`: it is called for every record of every commit.
    state = _begun(identity).copy()
    state.update(len(key).to_bytes(8, "big") + key + value)
    return state.digest()


@lru_cache(maxsize=16)
def _begun(identity: bytes) -> blake2b:
    """The checksum of a record, as far as it is that of all: that takes as long as the rest."""
    return blake2b(digest_size=SEAL_BYTES, salt=identity, person=b"vines record")


def mark_seal(identity: bytes, content: bytes) -> bytes:
    """The checksum of a mark."""
    return _seal(identity, b"vines mark", content)


def _seal(identity: bytes, person: bytes, content: bytes) -> bytes:
    return blake2b(content, digest_size=SEAL_BYTES, salt=identity, person=person).digest()
