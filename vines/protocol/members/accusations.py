"""Accusations: records of the control table that say who holds whom for failed.

    family 2, key = subject 16 | accuser 16, stamp = incarnation << 1 | proved, no value

Each accuser has a record of its own, so that independent ones count in whatever order they come,
and one that says it twice counts once. `proved`: dials to it were refused, or all came to nothing;
else it only does not answer. What is said of an incarnation is void with the next one. An
accusation is its accuser's to make: written by another it is stored, and not believed.
"""

from __future__ import annotations

from vines._core.changes import Change
from vines.errors import WireError
from vines.hints import Final, NamedTuple
from vines.protocol.wire.fields import ID_BYTES
from vines.protocol.wire.hello import INCARNATION_MAX

ACCUSATION: Final = 2
"""The family of these records."""


class Accusation(NamedTuple):
    """One member's word about another."""

    subject: bytes
    accuser: bytes
    incarnation: int
    proved: bool
    origin: bytes
    """The start that wrote it."""

    @property
    def key(self) -> bytes:
        """The key of the record."""
        return self.subject + self.accuser

    @property
    def stamp(self) -> int:
        """The stamp of the record."""
        return self.incarnation << 1 | self.proved


def read_accusation(change: Change) -> Accusation:
    """What a record of the family says. WireError: stored, but not believed."""
    _, key, _, value, stamp, origin = change
    if len(key) != 2 * ID_BYTES or value or stamp >> 1 > INCARNATION_MAX:
        raise WireError("an accusation with an impossible key, value or stamp")
    subject, accuser = key[:ID_BYTES], key[ID_BYTES:]
    return Accusation(subject, accuser, stamp >> 1, bool(stamp & 1), origin)
