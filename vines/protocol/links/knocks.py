"""Knocks: whether anybody comes where this node says that it listens.

An advertised address may lead nowhere, or to somebody else: a port that is not forwarded, a name of
another machine. The node itself does not notice, for its own dials link it, and to the others it
would be a suspect again and again. What it can notice: they ask on its links what no datagram has
told them, and accuse it, while nothing comes in that could only have been meant for the advertised
address: no probe, no dial to see whether somebody is there, no errand. (Other dials may have gone
to the bound one, as a seed.) Then it says so, and goes on as one that does not listen. Nobody's
word is believed in that: whoever lies cannot keep others' probes away, and who has anything come in
once is not misled any more. It must not know what a link says.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines.config import Config
from vines.events import Conflict
from vines.hints import Final
from vines.protocol.machine import Address, Outbox
from vines.protocol.members.identity import Identity

MISSED_INTERVALS: Final = 5.0
"""For so many probe intervals others must have missed this node: each is probed every 1.5."""
DIALS: Final = 4
"""How often a member that is linked, and never answered a datagram, is dialled: it notices that."""
DIALLED_MAX: Final = 1024


class Knocks:
    """What comes in at the advertised address of a node, and what does not."""

    def __init__(self, config: Config, identity: Identity, outbox: Outbox) -> None:
        self.probes: Callable[[], int] = lambda: 0
        """How many datagrams have come that were sent to an advertised address."""
        self.hide: Callable[[float], None] = lambda _: None
        """Go on as one that does not listen."""
        self._seconds = MISSED_INTERVALS * config.probe_interval
        self._identity = identity
        self._outbox = outbox
        self._found = True
        """Whether others reach this node, or nobody has to."""
        self._probes = 0
        """Datagrams of that kind that had come before it listened there."""
        self._missed = inf
        """Since when others miss it."""
        self._dialled: dict[bytes, tuple[Address, int]] = {}

    def listening(self) -> None:
        """This node listens, or advertises, something else from now on."""
        identity = self._identity
        self._found = identity.bound in (None, identity.profile.address)
        self._probes = self.probes()
        self._missed = inf

    def came(self) -> None:
        """A dial came in that was meant for the advertised address."""
        self._found = True

    def missed(self, now: float) -> None:
        """Somebody asks on a link whether this node is there, or accuses it."""
        if self._found or self._identity.leaving:
            return
        if self.probes() != self._probes:
            self._found = True
            return
        self._missed = min(self._missed, now)
        if now - self._missed >= self._seconds:
            self._found = True
            self._tell()
            self.hide(now)

    def may_dial(self, member: bytes, address: Address) -> bool:
        """Whether to dial a member that is linked, for it did not answer a datagram."""
        where, dials = self._dialled.pop(member, (address, 0))
        if where != address:
            dials = 0
        self._dialled[member] = address, dials + 1
        if len(self._dialled) > DIALLED_MAX:
            del self._dialled[next(iter(self._dialled))]
        return dials < DIALS

    def _tell(self) -> None:
        told, bound = self._identity.profile.address, self._identity.bound
        if told is None or bound is None or not self._identity.is_news(told):
            return
        text = (
            "no probe and no dial of others gets here by {}:{}, which this node advertises; it is"
            " bound to {}:{}, and goes on as one that does not listen".format(*told, *bound)
        )
        self._outbox.emit(Conflict("address", text, self._identity.member()))
