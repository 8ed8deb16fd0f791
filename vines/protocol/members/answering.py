"""Answering: what a node does when others probe, or ask it to probe somebody for them.

A probe is answered with less than it took, and to the address it came from, whoever sent it: a
newcomer is not known everywhere at once. Only a member that is believed alive can have others
probed, and only members at the addresses this node knows of them: no datagram names an address.
Ids are no secret, so who asks from elsewhere than where that member listens gets no more bytes, in
all, than it sent. An answer says how late the loop was, so that others see a process that is there
and gets nothing done.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines._core.table import Table
from vines.config import Config
from vines.events import ALIVE
from vines.hashes import blake2b
from vines.hints import Final
from vines.protocol.machine import Address
from vines.protocol.members.identity import Identity
from vines.protocol.members.lag import Lag
from vines.protocol.members.membership import Membership
from vines.protocol.members.post import Letter, Post
from vines.protocol.wire.probe import DIGEST_BYTES, Ack, Alive, Ask, Nack, Probe

RELAYS_MAX: Final = 64
"""Probes for others under way at once: a thousand members ask one for far fewer in a second."""
NACK_SHARE: Final = 0.8
"""Part of the probe timeout after which one who asked is told that there is no answer yet: what is
left of the time is for that to get there (Lifeguard, section IV-A)."""


class Relay:
    """A probe for somebody else."""

    __slots__ = ("asker", "due", "known", "member", "nacked", "token")

    def __init__(
        self, asker: Address, token: int, member: bytes, due: float, *, known: bool
    ) -> None:
        self.asker = asker
        self.known = known
        """Whether the member that asked listens there. Another gets one answer, and no second that
        is late: both together have more bytes than it sent.
        """
        self.token = token
        self.member = member
        self.due = due
        self.nacked = False


class Answering:
    """The helpful half of failure detection."""

    def __init__(
        self,
        config: Config,
        identity: Identity,
        tables: tuple[Table, Table],
        members: Membership,
        post: Post,
        lag: Lag,
        differs: Callable[[bytes, float], None],
        agrees: Callable[[bytes, float], None],
    ) -> None:
        self._timeout = config.probe_timeout
        self._reaches = config.reaches
        self._identity = identity
        self._tables = tables
        self._members = members
        self._post = post
        self._lag = lag
        self._differs = differs
        self._agrees = agrees
        self._relays: dict[int, Relay] = {}
        self._prints = b""
        self._digest = b""

    def digest(self) -> bytes:
        """Eight bytes that are equal where both tables are."""
        control, data = self._tables
        prints = control.fingerprint() + data.fingerprint()
        if prints != self._prints:
            self._prints = prints
            self._digest = blake2b(prints, digest_size=DIGEST_BYTES).digest()
        return self._digest

    def probed(self, sender: bytes, token: int, probe: Probe, now: float) -> Ack:
        """The answer to a probe; a member that holds something else is compared with."""
        differs, gone = probe.digest != self.digest(), False
        if self._members.is_alive(sender):
            (self._differs if differs else self._agrees)(sender, now)
        else:
            gone = self._members.gone_at(sender) is not None
        return Ack(token, self._lag.milliseconds(now), differs, gone)

    def asked(self, letter: Letter, ask: Ask, now: float) -> None:
        """A member wants another one probed."""
        if len(self._relays) >= RELAYS_MAX or not self._members.is_alive(letter.sender):
            return
        target = self._members.get(ask.member)
        if target is None or target.state != ALIVE:
            return
        address = target.profile.address
        if address is None or address == self._identity.profile.address:
            return
        if not self._reaches(address):
            return
        asker = self._members.get(letter.sender)
        known = asker is not None and asker.profile.address == letter.source
        token = self._post.send(address, Probe(self.digest(), None))
        due = now + self._timeout * NACK_SHARE
        self._relays[token] = Relay(letter.source, letter.token, ask.member, due, known=known)

    def answered(self, sender: bytes, token: int) -> bool:
        """Whether an ack was for a probe in somebody's name: they are told."""
        relay = self._relays.get(token)
        if relay is None or relay.member != sender:
            return False
        del self._relays[token]
        self._post.send(relay.asker, Alive(relay.token))
        return True

    def forgive(self, gap: float, now: float) -> None:
        """This process stood still for so long, until now; some it was asked for since then."""
        for relay in self._relays.values():
            relay.due = min(relay.due + gap, now + self._timeout)

    @property
    def busy(self) -> bool:
        """Whether it probes for anybody now."""
        return bool(self._relays)

    def advance(self, now: float) -> None:
        """Tell who asked that there is no answer yet; later, forget it."""
        for token, relay in list(self._relays.items()):
            if relay.due > now:
                continue
            if relay.nacked or not relay.known:
                del self._relays[token]
            if not relay.nacked:
                relay.nacked = True
                relay.due = now + self._timeout
                self._post.send(relay.asker, Nack(relay.token))

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        if not self._relays:
            return inf
        return min((relay.due for relay in self._relays.values()), default=inf)
