"""Handshake: what a node says first, and whether it goes on after what the other side said.

The dialling side speaks first; the accepting side answers a good hello with its own, anything
else with one refusal no longer than what it received, and a close. Versions and cluster are
judged before the rest is even parsed, so a foreigner of any later version is told politely. Both
sides tell their users, but of one kind of refusal at most once a minute. It must not know tables
or dialling.
"""

from __future__ import annotations

from collections import Counter

from vines.config import Config
from vines.events import ClockSuspect, Conflict, Refused
from vines.hints import Final
from vines.protocol.machine import Address, Clock, Outbox
from vines.protocol.members.identity import Identity
from vines.protocol.wire.hello import (
    CLOCK,
    CLUSTER,
    DUPLICATE,
    FULL,
    SELF,
    VERSION,
    VERSION_HIGH,
    VERSION_LOW,
    Hello,
    Refuse,
    cluster_id,
    greeting,
)

CLOCK_MS_MAX: Final = 86_400_000
"""A peer whose clock is more than a day away is refused."""
DRIFT_MS_MAX: Final = 60_000
"""How far ahead a stamp may be and still move this node's clock; a peer beyond it is told of."""
TELL_SECONDS: Final = 60.0
TOLD_MAX: Final = 64
ORDINARY: Final = (DUPLICATE, SELF)
"""Refusals that are part of normal life and nobody needs to hear of."""


class Handshake:
    """Makes this node's hellos and judges those of others."""

    def __init__(self, config: Config, identity: Identity, clock: Clock, outbox: Outbox) -> None:
        self.serial = 0
        """Of the last hello made."""
        self.refusals: Counter[str] = Counter()
        """Hellos that this node refused, by reason."""
        self._identity = identity
        self._clock = clock
        self._outbox = outbox
        self._cluster = cluster_id(config.cluster)
        self._told: dict[tuple[Address | None, str, bool], float] = {}

    def hello(self, control: bytes, data: bytes, *, errand: bool = False) -> Hello:
        """The next hello of this node, with the fingerprints of its tables; `errand`: only to tell
        something.
        """
        self.serial += 1
        profile = self._identity.profile
        return Hello(
            cluster=self._cluster,
            id=self._identity.id,
            source=profile.source,
            name=profile.name,
            address=profile.address,
            incarnation=self._identity.incarnation,
            observer=profile.observer,
            clock=max(self._clock(), 0),
            serial=self.serial,
            control=control,
            data=data,
            errand=errand,
        )

    def judge(self, frame: bytes) -> Hello | Refuse:
        """What the other side said, or why to refuse it. WireError if it is no hello at all."""
        low, high, cluster = greeting(frame)
        if low > VERSION_HIGH or high < VERSION_LOW:
            return Refuse(VERSION, f"this node speaks versions {VERSION_LOW} to {VERSION_HIGH}")
        if cluster != self._cluster:
            return Refuse(CLUSTER, "this node belongs to another cluster")
        hello = Hello.decode(frame)
        if abs(hello.clock - self._clock()) > CLOCK_MS_MAX:
            return Refuse(CLOCK, "the two clocks are more than a day apart")
        return hello

    def check_clock(self, hello: Hello, now: float) -> None:
        """Tell of a clock that is further away than stamps may be."""
        skew = hello.clock - self._clock()
        if abs(skew) > DRIFT_MS_MAX:
            self.suspect(hello, now, skew / 1000)

    def suspect(self, hello: Hello, now: float, skew: float | None = None) -> None:
        """A peer's clock, or stamps that came from it, are too far away to be believed."""
        if self._may_tell((hello.address, "suspect", False), now):
            self._outbox.emit(ClockSuspect(hello.name, skew))

    def clash(self, one: Hello, two: Hello, now: float) -> None:
        """Two processes use one node id, and neither is this one."""
        if self._may_tell((None, two.id.hex(), False), now):
            text = f"two processes use the id {two.id.hex()}: {one.name!r} and {two.name!r}"
            self._outbox.emit(Conflict("identity", text))

    def stamp_limit(self) -> int:
        """The highest stamp of data that may move this node's clock."""
        return (max(self._clock(), 0) + DRIFT_MS_MAX << 16) + 0xFFFF

    def tell(
        self,
        address: Address | None,
        refuse: Refuse,
        now: float,
        *,
        outgoing: bool,
        by_us: bool,
    ) -> None:
        """A handshake came to nothing: an event, unless it is ordinary or was told just now."""
        if by_us:
            self.refusals[refuse.reason] += 1
        helped = refuse.reason == FULL and (by_us or refuse.hints)
        if refuse.reason in ORDINARY or helped:
            return
        if self._may_tell((address, refuse.reason, outgoing), now):
            self._outbox.emit(Refused(address, refuse.reason, refuse.text, outgoing, by_us))

    def _may_tell(self, what: tuple[Address | None, str, bool], now: float) -> bool:
        last = self._told.get(what)
        if last is not None and now - last < TELL_SECONDS:
            return False
        if len(self._told) >= TOLD_MAX:
            self._told = {k: at for k, at in self._told.items() if now - at < TELL_SECONDS}
            if len(self._told) >= TOLD_MAX:
                return False
        self._told[what] = now
        return True
