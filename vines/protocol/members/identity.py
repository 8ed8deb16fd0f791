"""Identity: what this node says about itself, and what it does when a record says otherwise.

A node that reads that it is dead raises its incarnation and says that it is alive. A node that
reads that it is alive or has left in somebody else's words contests that once, for it may be an
earlier life of its own; if the other goes on, two live processes share one identity: both are
told, and the one that started later keeps it. Where starts are counted on disk, a later one shows
at once that this one runs on a copy, and so does an earlier one that knows of this. A node that
listens nowhere can be asked by nobody but those it is linked to: so it says to all, now and then,
that it is there. It must not know other members, links or dialling.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil, inf

from vines._core.table import EXPIRING, MEMBER, Table
from vines.config import Config
from vines.errors import WireError
from vines.events import ALIVE, DEAD, LEFT, Conflict, Member
from vines.hints import Final
from vines.protocol.machine import Address, Outbox
from vines.protocol.members.profile import (
    RANKS,
    Profile,
    Sighting,
    milliseconds_kept,
    stamp_of,
)
from vines.protocol.wire.hello import INCARNATION_MAX, VERSION_HIGH, VERSION_LOW

BOOT_BITS: Final = 24
"""Incarnation = start << 24 | n: a restart outdoes 16 million refutations. The start is its time in
seconds or, where what is on disk counts them, which one it is."""
REFUTE_SECONDS: Final = 1.0
"""Between two refutations, or the probe interval if that is less: a suspect has three times that,
and who keeps accusing must not keep the cluster busy."""
TAGS_SECONDS: Final = 0.1
"""Between two records that say other tags: every member reads each, so of many changes the last is
said."""
SIGN_SECONDS: Final = 100.0
"""How often who does not listen says that it is there, with a record of some hundred bytes."""
UNSEEN_SECONDS: Final = 3.0 * SIGN_SECONDS
"""For how long it must have said nothing to be accused by who is not linked to it."""
RIVALS_MAX: Final = 64


class Identity:
    """The member record of this node."""

    def __init__(
        self,
        config: Config,
        id: bytes,
        control: Table,
        outbox: Outbox,
        wall_ms: int,
        boot: int | None = None,
    ) -> None:
        self.id = id
        self.leaving = False
        self.profile = Profile(
            name=config.name or id.hex()[:8],
            address=None,
            tags=dict(config.tags),
            versions=(VERSION_LOW, VERSION_HIGH),
            observer=config.observer,
            source=control.source,
            forget_after=None if config.forget_after is None else ceil(config.forget_after),
        )
        start = max(wall_ms, 0) // 1000 if boot is None else boot
        self.incarnation = min(start << BOOT_BITS, INCARNATION_MAX - 1)
        self.bound: Address | None = None
        """The address that was bound, if it is told apart from the one that others dial."""
        self.shared: Callable[[], None] = lambda: None
        """Another process that lives uses this id: set by who has to know."""
        self.accused: Callable[[float], None] = lambda _: None
        """Somebody suspects this node: set by who has to know."""
        self._boot = boot
        """Which start this is, by the disk: then the later of two has the higher source, and none
        before this one has heard of it.
        """
        self._control = control
        self._outbox = outbox
        self._announced = False
        self._pause = min(REFUTE_SECONDS, config.probe_interval)
        self._kept = milliseconds_kept(config)
        self._rivals: dict[bytes, bool] = {}
        self._refute = inf
        self._refuted = -inf
        self._retag = inf
        """When to say what the tags are; infinity: it has been said."""
        self._tagged = -inf
        self._sign = inf
        """When to say again that this node is there; infinity: never, or not reckoned yet."""
        self._unreached: Address | None = None
        """The address of which it was said that others may not reach it."""

    def member(self) -> Member:
        """This node as its user sees it."""
        state = LEFT if self.leaving else ALIVE
        return Sighting(self.id, self.incarnation, state, self.profile).member(local=True)

    def announce(self) -> None:
        """Say that this node is there, if it has not been said: before the first contact."""
        if not self._announced:
            self._write(ALIVE)

    def listen(self, address: Address | None) -> None:
        """Say where this node can be dialled; None: nowhere."""
        self._change(self.profile.replace(address=address))

    def tag(self, tags: Mapping[str, str], now: float) -> None:
        """Say what its tags are: in this turn, if nothing was said of them for a moment."""
        self.profile = self.profile.replace(tags=dict(tags))
        self._retag = max(now, self._tagged + TAGS_SECONDS)

    def renew(self, source: bytes) -> None:
        """Say under which source it writes from now on."""
        self._change(self.profile.replace(source=source))

    def leave(self) -> None:
        """Say that this node leaves, and nothing after that."""
        if not self.leaving:
            self.announce()
            self.leaving = True
            self._refute = self._retag = self._sign = inf
            self._write(LEFT)

    def meet(self, stamp: int, origin: bytes, value: bytes, now: float) -> None:
        """A record about this node arrived that beats the one it wrote."""
        if self.leaving:
            return
        dead = RANKS[min(stamp & 3, 2)] == DEAD
        contested = dead or self._contests(origin)
        beside = not dead and self._boot is not None and stamp >> 2 >> BOOT_BITS >= self._boot
        self._look_for_copies(_start_in(value) if dead else origin, beside)
        if dead:
            self._doubt_address()
        elif not contested:
            return
        self.incarnation = max(self.incarnation, stamp >> 2)
        self._refute = min(self._refute, max(now, self._refuted + self._pause))

    def refute(self, incarnation: int, now: float) -> bool:
        """Somebody suspects this node at an incarnation; True if it is contradicted for that."""
        self.accused(now)
        if self.leaving or incarnation != self.incarnation or self._refute < inf:
            return False
        self._refute = max(now, self._refuted + self._pause)
        return True

    def outdo(self, incarnation: int) -> None:
        """A peer knows of this node at an incarnation, and that it is not there any more: what is
        said next is above that. It was not this start that said it, if it is a higher one.
        """
        if incarnation > self.incarnation:
            self._look_for_copies(b"", beside=True)
            self.incarnation = incarnation

    def clash(self, source: bytes) -> bool:
        """Another start shook hands under this node's id; True if this one, the later, stays."""
        self._tell(source)
        self.shared()
        return self.profile.source > source

    def displaced(self) -> None:
        """Others hold another start for this node, and refuse this one."""
        self._tell(self.profile.source)
        self.shared()

    def advance(self, now: float) -> None:
        """Refute what is due, say what the tags are, and let others know that this node is there,
        if they cannot ask.
        """
        if now >= min(self._refute, self._retag, self._sign):
            if now >= self._refute:
                self._refuted = now
            if now >= self._retag:
                self._tagged = now
            self._say_again()
        if self._sign == inf and self._is_hidden():
            self._sign = now + SIGN_SECONDS

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        return min(self._refute, self._retag, self._sign)

    @property
    def refutes(self) -> bool:
        """Whether it is about to contradict what is said of this node."""
        return self._refute < inf

    def _is_hidden(self) -> bool:
        """Whether this node is there, as others know, and listens nowhere."""
        there = self._announced and not self.leaving
        return there and self.profile.address is None and self.incarnation < INCARNATION_MAX

    def _contests(self, origin: bytes) -> bool:
        """Whether to say again what another start, writing in our name, said differently."""
        if origin not in self._rivals:
            if len(self._rivals) < RIVALS_MAX:
                self._rivals[origin] = False
            return True
        self._tell(origin)
        return self.profile.source > origin

    def _look_for_copies(self, source: bytes, beside: bool) -> None:
        """Notice another start of this node, by its source, that knows of this one, or came later
        though this one is not gone: it may have promised what is not on this disk.
        """
        if self._boot is not None and (beside or source > self.profile.source):
            self._tell(source)
            self.shared()

    def _tell(self, source: bytes) -> None:
        if len(self._rivals) < RIVALS_MAX and not self._rivals.get(source):
            self._rivals[source] = True
            text = f"another process uses the id {self.id.hex()}: the one started later keeps it"
            self._outbox.emit(Conflict("identity", text, self.member()))

    def _doubt_address(self) -> None:
        """Others hold this node dead; it is not. Perhaps they dial what leads nowhere: say so once
        of each address that is not the one bound.
        """
        told = self.profile.address
        if told is None or self.bound in (None, told) or not self.is_news(told):
            return
        assert self.bound is not None, "checked above"
        text = (
            "others held this node dead, which it is not: unless it stood still, they cannot reach"
            " {}:{}, which it advertises; it is bound to {}:{}".format(*told, *self.bound)
        )
        self._outbox.emit(Conflict("address", text, self.member()))

    def is_news(self, told: Address) -> bool:
        """Whether nobody has been told yet that others do not reach this address; now it is."""
        unreached, self._unreached = self._unreached, told
        return unreached != told

    def _change(self, profile: Profile) -> None:
        self.profile = profile
        self._say_again()

    def _say_again(self) -> None:
        """Write the profile under a higher incarnation."""
        self._refute = self._retag = self._sign = inf
        if self.leaving:
            return
        if self.incarnation >= INCARNATION_MAX:
            text = f"the id {self.id.hex()} has used up its incarnations: restart as another node"
            self._outbox.emit(Conflict("identity", text, self.member()))
            return
        self.incarnation += self._announced
        self._write(ALIVE)

    def _write(self, state: str) -> None:
        self._announced = True
        value = self.profile.encode()
        flags, left = (0, 0) if state == ALIVE else (EXPIRING, self._kept)
        stamp = stamp_of(self.incarnation, state)
        if self._control.put(MEMBER, self.id, flags, value, stamp, left):
            return
        held = self._control.get(MEMBER, self.id)
        if held is not None and held[0] >> 2 < INCARNATION_MAX:
            self.incarnation = (held[0] >> 2) + 1
            stamp = stamp_of(self.incarnation, state)
            self._control.put(MEMBER, self.id, flags, value, stamp, left)


def _start_in(value: bytes) -> bytes:
    """The start that is said to be dead; nothing if only that is left of the record."""
    try:
        return Profile.decode(value).source
    except WireError:
        return b""
