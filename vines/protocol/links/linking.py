"""Linking: from a dial or a knock to an established link, and from a broken link to what follows.

It puts the parts together that decide about streams: the handshake judges hellos, Links says
which of two streams survives, the Dialler whom to dial, Membership who is held to be what. What
is said over an established link is none of its business; the node is told when one begins and
ends.
"""

from __future__ import annotations

from collections.abc import Callable

from vines._core.changes import Changes
from vines._core.table import Table
from vines.config import Config
from vines.errors import UNEXPECTED, WireError
from vines.events import ALIVE
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.links.admission import Admission
from vines.protocol.links.dialling import Dialler
from vines.protocol.links.dials import CHECK, ERRAND, PROBE, Attempt
from vines.protocol.links.handshake import Handshake
from vines.protocol.links.knocks import Knocks
from vines.protocol.links.links import Link, Links
from vines.protocol.links.shedding import Shedding
from vines.protocol.machine import Address, Outbox
from vines.protocol.members.directory import Directory
from vines.protocol.members.identity import Identity
from vines.protocol.members.membership import Membership
from vines.protocol.members.profile import Sighting
from vines.protocol.wire.hello import (
    CLOCK,
    DUPLICATE,
    FULL,
    IDENTITY,
    SURPLUS,
    Hello,
    Refuse,
)
from vines.protocol.wire.talk import Shed
from vines.protocol.writing import Writing

if TYPE_CHECKING:
    import random

HANDOVER_SECONDS: Final = 1.0
"""How long the better stream may take for which the other side closed this one."""


class Linking:
    """All streams of one node, and who is at their other ends."""

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        identity: Identity,
        handshake: Handshake,
        tables: tuple[Table, Table],
        outbox: Outbox,
    ) -> None:
        self.links = Links(identity.id)
        self.members = Membership(config, identity, tables[0], outbox, self.linked)
        self.dialler = Dialler(config, rng, self, identity.id)
        self.admission = Admission(
            config, rng, identity, handshake, self.links, self.members, self.dialler.seeds
        )
        self.shedding = Shedding(config, rng, self.links, self.wanted)
        self.knocks = Knocks(config, identity, outbox)
        identity.accused = self.knocks.missed
        self.writing: Writing
        self.begun: Callable[[Link, float], None]
        self.ended: Callable[[Link, float], None]
        self.moved: Callable[[list[Sighting], float], None]
        self.refused: Callable[[bytes, float], None]
        self.unheard: Callable[[bytes, float], None]
        self.proves: Callable[[bytes, float], bool]
        self._config = config
        self._identity = identity
        self._handshake = handshake
        self._tables = tables
        self._outbox = outbox

    # What the Dialler asks.

    def linked(self, member: bytes) -> bool:
        """Whether a link to this member is up."""
        return self.links.to(member) is not None

    def link_count(self) -> int:
        """How many links are up, without those for errands."""
        return len(self.links) - self.links.errands()

    def holder(self, address: Address) -> bytes | None:
        """The linked member that says it listens there."""
        return self.links.holder(address)

    def wanted(self) -> int | None:
        """How many links this node should have; None: one to everybody."""
        return self.admission.wanted()

    def address(self, member: bytes) -> Address | None:
        """Where a member that is alive listens, if this node may reach it."""
        known = self.members.get(member)
        address = known.profile.address if known is not None and known.state == ALIVE else None
        return address if address is not None and self._config.reaches(address) else None

    def candidates(self) -> dict[bytes, Address]:
        """The members to choose links from: observers are no part of a graph, only of a mesh."""
        return self.members.candidates(observers=self.wanted() is None)

    def directory(self) -> Directory:
        """Who is alive or held dead, and where."""
        return self.members.directory

    def addresses(self) -> list[Address]:
        """Where the linked members say they listen."""
        hellos = (link.hello for link in self.links.established())
        return [hello.address for hello in hellos if hello is not None and hello.address]

    # Streams.

    def connected(self, number: int, ticket: int | None, now: float) -> None:
        """A stream is up; whoever dialled says hello first."""
        self._identity.announce()
        attempt = self.dialler.take(ticket) if ticket is not None else None
        if ticket is not None and (attempt is None or self._needless(attempt, now)):
            self._outbox.close(number, "no longer needed")
            return
        link = Link(number, attempt, now)
        link.errand = attempt is not None and attempt.purpose == ERRAND
        self.links.add(link)
        if attempt is not None:
            self._say_hello(link)

    def dial_failed(self, ticket: int, refused: bool, now: float) -> None:
        """A dial came to nothing."""
        attempt = self.dialler.take(ticket)
        if attempt is None:
            return
        if self.dialler.failed(attempt, now, refused=refused):
            self.fail(attempt.member, now)
        elif refused and attempt.member is not None:
            self.refused(attempt.member, now)
        elif attempt.member is not None and now - attempt.since >= self._config.dial_timeout / 2:
            # What fails sooner failed on this machine, and tells nothing of another.
            self.unheard(attempt.member, now)

    def check(self, member: bytes, now: float) -> None:
        """Dial a suspect to see whether its machine answers."""
        address = self.address(member)
        if address is not None:
            attempt = self.dialler.check(member, address, now)
            if attempt is not None:
                self._outbox.dial(attempt.ticket, attempt.address)

    def knock(self, member: bytes, now: float) -> None:
        """Dial a member that is linked and never answered a datagram, so that it notices if its
        address leads elsewhere.
        """
        address = self.address(member)
        if address is not None and self.knocks.may_dial(member, address):
            self.check(member, now)

    def disconnected(self, link: Link, now: float) -> None:
        """The other side closed a stream, or it broke."""
        if link.hello is None and link.attempt is None:
            self.knocks.came()
        self.gone(link, now)

    def greet(self, link: Link, frame: bytes, now: float) -> None:
        """Take the first frame of a stranger. WireError if it cannot be one."""
        if frame[:1] == bytes((Refuse.kind,)) and link.attempt is not None:
            self._refused(link, Refuse.decode(frame), now)
            return
        hello = self._handshake.judge(frame)
        objection = (
            hello if isinstance(hello, Refuse) else self.admission.objection(link, hello, now)
        )
        if objection is not None or isinstance(hello, Refuse):
            assert objection is not None, "a hello that was refused has a reason"
            self._refuse(link, objection, len(frame), now)
            return
        old = self.links.to(hello.id)
        if link.attempt is None:
            self._say_hello(link)
            if hello.errand:
                self.knocks.came()
        link.errand = link.errand or hello.errand
        self.links.settle(link, hello)
        if old is not None:
            self._replace(old, hello, now)
        link.established = now
        self.dialler.linked(hello.id, now)
        if link.attempt is not None:
            if self.dialler.reached(link.attempt, hello.id, now):
                self.replaced(link.attempt.member, now)
            elif link.attempt.member != hello.id and hello.address == link.attempt.address:
                # Who listens there now says so: only one of both can.
                self.fail(link.attempt.member, now)
        self._handshake.check_clock(hello, now)
        self.begun(link, now)
        self.shedding.changed(now)

    def dismissed(self, link: Link, message: Refuse, now: float) -> None:
        """The other side of an established link closes it, and not because it broke."""
        link.spare = message.reason == SURPLUS
        if message.reason == IDENTITY:
            self._identity.displaced()
            self._handshake.tell(None, message, now, outgoing=False, by_us=False)
        self.drop(link, message.reason, now, quiet=True)

    def asked_to_shed(self, link: Link, message: Shed, now: float) -> None:
        """The other side of an established link has more of them than it keeps, or needs this one.
        WireError, before anything changed, if it is out of turn.
        """
        if message.needed:
            if not self.shedding.needed(link):
                raise WireError("an answer to a question that nobody asked", UNEXPECTED)
        elif link.need_owed:
            raise WireError("a question before the last one was answered", UNEXPECTED)
        elif self.shedding.may_go(link, now):
            link.spare = True
            self.drop(link, SURPLUS, now, quiet=True, word=Refuse(SURPLUS).encode())
        else:
            link.need_owed = True

    def drop(
        self, link: Link, reason: str, now: float, *, quiet: bool = False, word: bytes = b""
    ) -> None:
        """Close a stream, after a last word; `quiet` if another is expected to take its place."""
        if word:
            self.writing.write(link, word)
        self._outbox.close(link.number, reason)
        self.gone(link, now, quiet=quiet)

    def gone(self, link: Link, now: float, *, quiet: bool = False) -> None:
        """A stream is no longer there."""
        was_the_link = self.links.remove(link)
        self.shedding.gone(link)
        self.ended(link, now)
        if link.hello is None:
            if link.attempt is not None and not quiet and self.dialler.failed(link.attempt, now):
                self.fail(link.attempt.member, now)
        elif was_the_link:
            self._follow(self.members.lost(link.member, now), now)
            if link.errand or link.spare:
                self.dialler.changed(now)
                return
            believed = self.members.get(link.member)
            if believed is not None and believed.state != ALIVE:
                self.dialler.forget(link.member, now)
                return
            address = believed.profile.address if believed else link.hello.address
            grace = HANDOVER_SECONDS if quiet else 0.0
            lived = now - link.established
            self.dialler.lose(link.member, address, now, lived=lived, grace=grace)

    # Members.

    def learn(self, changes: Changes, now: float) -> None:
        """Records of the control table became current."""
        self._follow(self.members.learn(changes, now), now)

    def _follow(self, news: list[Sighting], now: float) -> None:
        """What is newly believed of members matters to whom is dialled."""
        if not news:
            return
        losses = self.dialler.losses
        for sighting in news:
            if sighting.state != ALIVE:
                self.dialler.forget(sighting.id, now)
            elif sighting.id in losses:
                losses.move(sighting.id, self.address(sighting.id))
        if any(sighting.state == ALIVE for sighting in news):
            self.dialler.met(now)
        self.dialler.changed(now)
        self.shedding.changed(now)
        self.moved(news, now)

    def fail(self, member: bytes | None, now: float) -> None:
        """Dials to a member came to nothing, or its links: it is held dead if that proves it."""
        if member is not None and self.proves(member, now):
            self.bury(member, now)

    def replaced(self, member: bytes | None, now: float) -> None:
        """Another answered where a member listened: nobody else has to look for that."""
        if member is not None:
            self.bury(member, now)

    def bury(self, member: bytes, now: float) -> None:
        """A member is held dead from now on."""
        dead = self.members.fail(member, now)
        if dead is not None:
            self.dialler.forget(member, now)
            self.moved([dead], now)

    def mourn(self, member: bytes, now: float) -> None:
        """The source of a member is retired, and it is not linked: it is dead, or will say under
        which source it goes on. Nobody has to be told.
        """
        dead = self.members.retired(member, now) if not self.linked(member) else None
        if dead is not None:
            self.dialler.forget(member, now)
            self.moved([dead], now)

    def advance(self, now: float) -> None:
        """Dial whom it is time to dial."""
        self._follow(self.members.advance(now), now)
        plan = self.dialler.due(now)
        for attempt in plan.dials:
            self._outbox.dial(attempt.ticket, attempt.address)
        for member in plan.gone:
            self.fail(member, now)
        if now >= self.shedding.due:
            link = self.shedding.ask(now)
            if link is not None:
                self.writing.write(link, Shed(False).encode())

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        return min(self.members.deadline(), self.dialler.deadline(), self.shedding.due)

    def _needless(self, attempt: Attempt, now: float) -> bool:
        """Whether nobody needs the stream of a dial any more."""
        linked = attempt.member is not None and self.linked(attempt.member)
        if attempt.purpose in (CHECK, PROBE):
            self.dialler.probed(attempt)
            return True
        if linked or self.dialler.stopped:
            self.dialler.abandon(attempt, now)
            return True
        return False

    def _say_hello(self, link: Link) -> None:
        control, data = self._tables
        prints = control.fingerprint(), data.fingerprint()
        hello = self._handshake.hello(*prints, errand=link.errand)
        link.serial = hello.serial
        self.writing.write(link, hello.encode())

    def _refuse(self, link: Link, refuse: Refuse, size: int, now: float) -> None:
        """Close a stranger's stream, with a reason no longer than what it sent."""
        address = link.attempt.address if link.attempt is not None else None
        outgoing = link.attempt is not None
        self._handshake.tell(address, refuse, now, outgoing=outgoing, by_us=True)
        if link.attempt is not None:
            self._answered_no(link, refuse, now)
        self.drop(link, refuse.reason, now, quiet=True, word=refuse.within(size + 4))

    def _refused(self, link: Link, refuse: Refuse, now: float) -> None:
        """The node we dialled does not want us."""
        assert link.attempt is not None, "only a dialled node refuses"
        self._handshake.tell(link.attempt.address, refuse, now, outgoing=True, by_us=False)
        if refuse.reason in (FULL, IDENTITY):
            self.dialler.hint(refuse.hints, now)
        if refuse.reason == IDENTITY:
            self._identity.displaced()
        self._answered_no(link, refuse, now)
        self.drop(link, refuse.reason, now, quiet=True)

    def _answered_no(self, link: Link, refuse: Refuse, now: float) -> None:
        """Draw the conclusion from a dial that found somebody, but led to no link."""
        attempt = link.attempt
        assert attempt is not None, "only dials lead to conclusions"
        if refuse.reason in (FULL, DUPLICATE, IDENTITY, CLOCK):
            slow = refuse.reason in (IDENTITY, CLOCK)
            self.dialler.answered(attempt, now, slow=slow, better=refuse.reason == DUPLICATE)
        elif self.dialler.failed(attempt, now, refused=True, slow=True):
            self.fail(attempt.member, now)

    def _replace(self, old: Link, hello: Hello, now: float) -> None:
        """Close the stream to a member that a newer one takes over from."""
        assert old.hello is not None, "only established links are replaced"
        reason = DUPLICATE if old.hello.source == hello.source else IDENTITY
        self.drop(old, reason, now, quiet=True, word=Refuse(reason).encode())
