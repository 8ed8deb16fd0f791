"""Profile: the value of a member record, what a node says about itself.

    stamp = incarnation << 2 | rank      alive 0 < dead 1 < left 2

A higher incarnation wins over everything; within one, dead wins over alive and left over both:
SWIM's precedence (Das, Gupta, Motivala, DSN 2002, section 4.2) as the conflict order every record
has.
"""

from __future__ import annotations

from functools import lru_cache

from vines._core.changes import Change
from vines._core.table import LEFT_MAX
from vines.config import FORGET_AFTER_RANGE, Config
from vines.errors import WireError
from vines.events import ALIVE, DEAD, LEFT, Member
from vines.frozen import Frozen
from vines.hints import Any, Final
from vines.protocol.machine import Address
from vines.protocol.wire import fields
from vines.spelling import is_tags

PROFILES_MAX: Final = 2048
"""Profiles remembered with the values they were read from, mostly of some hundred bytes: those of a
large cluster, which holds them anyway."""
RANKS: Final = (ALIVE, DEAD, LEFT)


class Profile(Frozen, kw_only=True):
    """What a member record says beside who is meant and in what state."""

    name: str
    address: Address | None
    tags: dict[str, str]
    versions: tuple[int, int]
    observer: bool
    source: bytes
    """The start that wrote it."""
    forget_after: int | None = None
    """Seconds that anybody may be away, as it was told; None: it was told nothing."""

    def encode(self) -> bytes:
        """The value of the record."""
        values = {name: getattr(self, name) for name in _FIELDS}
        if self.forget_after is not None:
            values["forget_after"] = self.forget_after
        return fields.pack(values)

    @classmethod
    def decode(cls, value: bytes) -> Profile:
        """The profile in a record's value. WireError if it is none."""
        values = fields.unpack(value)
        return cls(
            name=fields.node_name(values, "name"),
            address=fields.maybe_address(values, "address"),
            tags=_tags(values),
            versions=fields.versions(values, "versions"),
            observer=fields.truth(values, "observer"),
            source=fields.octets(values, "source"),
            forget_after=_term(values),
        )


_FIELDS = ("name", "address", "tags", "versions", "observer", "source")


class Sighting(Frozen):
    """A member record that is believed."""

    id: bytes
    incarnation: int
    state: str
    profile: Profile

    def member(
        self,
        *,
        linked: bool = False,
        local: bool = False,
        suspected: bool = False,
        lag: float | None = None,
    ) -> Member:
        """What the user is told of it."""
        return Member(
            id=self.id,
            name=self.profile.name,
            address=self.profile.address,
            tags=dict(self.profile.tags),  # the user's to change; the profile is shared
            observer=self.profile.observer,
            state=self.state,
            incarnation=self.incarnation,
            linked=linked,
            local=local,
            suspected=suspected,
            lag=lag,
        )


def stamp_of(incarnation: int, state: str) -> int:
    """The stamp of a member record."""
    return incarnation << 2 | RANKS.index(state)


def milliseconds_kept(config: Config) -> int:
    """How long records of those that are gone are kept in the tables; then they lapse, as keys do
    whose time is over.
    """
    return min(max(1, int(config.dead_retention * 1000)), LEFT_MAX)


def read(change: Change, profile: Profile | None = None) -> Sighting:
    """What a member record of the control table says; `profile`: instead of a value that has
    lapsed. WireError: stored, but not believed.

    Only the subject writes that it is alive or has left; that it is dead is written by others.
    """
    _, key, _, value, stamp, origin = change
    rank = stamp & 3
    if len(key) != fields.ID_BYTES or rank >= len(RANKS):
        raise WireError("a member record with an impossible key or stamp")
    profile = profile or _profile(value)
    if RANKS[rank] != DEAD and origin != profile.source:
        raise WireError("a member record that its subject did not write")
    return Sighting(key, stamp >> 2, RANKS[rank], profile)


@lru_cache(maxsize=PROFILES_MAX)
def _profile(value: bytes) -> Profile:
    """The profile in a record's value, read once: a death and what contradicts it repeat it."""
    return Profile.decode(value)


def _term(values: dict[str, Any]) -> int | None:
    if "forget_after" not in values:
        return None
    low, high = FORGET_AFTER_RANGE
    return fields.whole_number(values, "forget_after", int(high), int(low))


def _tags(values: dict[str, Any]) -> dict[str, str]:
    tags = values.get("tags")
    if type(tags) is not dict or (tags and not is_tags(tags)):
        raise WireError("field 'tags' is not a node's tags")
    return tags
