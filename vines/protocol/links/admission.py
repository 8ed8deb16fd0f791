"""Admission: how many links this node keeps, and which hellos of its own cluster it still refuses.

Everybody is linked to everybody in a small cluster. Above that a node keeps max(fanout_min,
ceil(log2 N)) links, which keeps a random graph connected (Erdos and Renyi, 1960), and takes twice
as many from others, so that sockets per node grow with the logarithm. Observers are counted
apart: many who watch must not keep members out. It must not know what is said over a link, or
dialling.
"""

from __future__ import annotations

from math import ceil, log2

from vines.config import Config
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.links.handshake import Handshake
from vines.protocol.links.links import Link, Links
from vines.protocol.links.seeds import Seeds
from vines.protocol.machine import Address
from vines.protocol.members.identity import Identity
from vines.protocol.members.membership import Membership
from vines.protocol.wire.hello import DUPLICATE, FULL, HINTS_MAX, IDENTITY, SELF, Hello, Refuse

if TYPE_CHECKING:
    import random

OBSERVER_LINKS: Final = 2
"""Links of an observer: one is enough to see everything, the second for while that is replaced."""
INCOMING_FACTOR: Final = 2
"""Incoming links accepted for each that this node would keep itself."""
ERRANDS_MAX: Final = 1024
"""Links for errands that others may have with this node: one for each voter of a large electorate.
"""


class Admission:
    """Who may be linked to this node."""

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        identity: Identity,
        handshake: Handshake,
        links: Links,
        members: Membership,
        seeds: Seeds,
    ) -> None:
        self.demand = 0
        """Links that somebody waits for, beyond those this node would keep."""
        self._config = config
        self._rng = rng
        self._identity = identity
        self._handshake = handshake
        self._links = links
        self._members = members
        self._seeds = seeds

    def wanted(self) -> int | None:
        """How many links this node should have; None: one to everybody."""
        if self._config.observer:
            return max(OBSERVER_LINKS, self.demand)
        keep = self._keep()
        return None if keep is None else max(keep, self.demand)

    def objection(self, link: Link, hello: Hello, now: float) -> Refuse | None:
        """Why a well-formed hello of this cluster is refused all the same; None: it is not."""
        if hello.source == self._identity.profile.source:
            self._recognise(hello.serial)
            return Refuse(SELF, "this is the node that dialled")
        if hello.id == self._identity.id:
            self._identity.clash(hello.source)
            return Refuse(IDENTITY, "another process uses the same node id")
        old = self._links.to(hello.id)
        if old is None or old.hello is None:
            return self._object_full(link, hello)
        if old.hello.source != hello.source:
            return self._object_start(old.hello, hello, now)
        serial = link.serial or self._handshake.serial + 1
        if self._links.newer_wins(old, link, serial, hello):
            return None
        return Refuse(DUPLICATE)

    def _recognise(self, serial: int) -> None:
        """Our own hello came in: the address it went to is ours."""
        mine = self._links.sent_hello(serial)
        if mine is not None and mine.attempt is not None:
            self._seeds.own(mine.attempt.address)

    def _object_start(self, old: Hello, new: Hello, now: float) -> Refuse | None:
        """Two starts under one id: the later one stays, as the earlier is most likely gone. If it
        is not, it is told where to find the later one, which knows nothing of it.
        """
        if new.source > old.source:
            return None
        self._handshake.clash(old, new, now)
        there = () if old.address in (None, new.address) else (old.address,)
        return Refuse(IDENTITY, "a later start uses the same node id", there)

    def _object_full(self, link: Link, hello: Hello) -> Refuse | None:
        """No room for one more who dialled us: name others who may have some."""
        if link.attempt is not None:
            return None
        if hello.errand:
            full = self._links.errands() >= ERRANDS_MAX
            return Refuse(FULL, "", self._hints(hello.address)) if full else None
        room = INCOMING_FACTOR * (self._keep() or self._config.mesh_members)
        if self._links.incoming(observers=hello.observer) < room:
            return None
        return Refuse(FULL, "", self._hints(hello.address))

    def _hints(self, excluded: Address | None) -> tuple[Address, ...]:
        """Some addresses of linked peers and other members, at random."""
        said = [link.hello.address for link in self._links.established() if link.hello is not None]
        known = dict.fromkeys([*said, *self._members.candidates(observers=False).values()])
        addresses = [each for each in known if each is not None and each != excluded]
        return tuple(self._rng.sample(addresses, min(HINTS_MAX, len(addresses))))

    def _keep(self) -> int | None:
        """Links a member keeps in a cluster of this size; None: one to everybody."""
        members = self._members.alive + 1
        if members <= self._config.mesh_members:
            return None
        return max(self._config.fanout_min, ceil(log2(members)))
