"""Detector: from probes and dials that came to nothing to a member that is held dead.

SWIM (Das, Gupta, Motivala, DSN 2002) with Lifeguard (Dadgar, Phillips, Currey, DSN-W 2018), where
what is said of a suspect are records: a failed probe accuses, who is accused is told at once and
objects by a higher incarnation, and whose time to object is over is held dead. Dials that were
refused prove more, but one firewall between two nodes does so, too: a second member's are needed,
unless there is nobody to ask. A suspect's neighbours look for themselves as soon as it is accused,
so a verdict does not wait for everybody's round; a dial tells them whether its machine answers,
even if its process stands still. It must not know links, streams or sockets.
"""

from __future__ import annotations

from collections.abc import Callable

from vines._core.changes import Changes
from vines._core.table import EXPIRING, TOMBSTONE, Table
from vines.config import Config
from vines.errors import WireError
from vines.events import ALIVE, Conflict, Suspect, Update
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.machine import Address, Outbox
from vines.protocol.members.accusations import (
    ACCUSATION,
    PROVED,
    SILENT,
    UNANSWERED,
    Accusation,
    Accusations,
    read_accusation,
)
from vines.protocol.members.alarms import Alarms
from vines.protocol.members.answering import Answering
from vines.protocol.members.identity import Identity
from vines.protocol.members.membership import Membership
from vines.protocol.members.post import Letter, Post
from vines.protocol.members.probing import Probing
from vines.protocol.members.profile import Sighting, milliseconds_kept
from vines.protocol.members.suspicion import Suspicion
from vines.protocol.wire.probe import Ack, Alive, Ask, Nack, Probe

if TYPE_CHECKING:
    import random

ACCUSED_MILLISECONDS_MIN: Final = 3_600_000
"""An accusation stands for longer than the slowest cluster takes to answer it, however soon the
dead are forgotten: it cannot be made again."""
LOOKING: Final = 4
"""Members on either side of a new suspect that look for themselves: with half of them gone as well,
or slow, there are still as many as can shorten its time."""


class World:
    """What the detector asks of the rest of the node."""

    __slots__ = ("bury", "candidates", "dial", "differs", "heard", "meet", "stream", "suspected")

    def __init__(
        self,
        *,
        candidates: Callable[[bool], dict[bytes, Address]],
        dial: Callable[[bytes, float], None],
        heard: Callable[[bytes], float],
        stream: Callable[[bytes, int, Probe], None],
        bury: Callable[[bytes, float], None],
        differs: Callable[[bytes, float], None],
        meet: Callable[[bytes], None],
        suspected: Callable[[float], None],
    ) -> None:
        self.candidates = candidates
        """Who can be probed, and where; observers too, or not."""
        self.dial = dial
        """Dial a member to see whether its machine answers."""
        self.heard = heard
        """When a member last said anything on its link; minus infinity if it is not linked."""
        self.stream = stream
        """Probe a member over a stream."""
        self.bury = bury
        """A member is held dead from now on."""
        self.differs = differs
        """A member holds something else than this node."""
        self.meet = meet
        """Have a link to a member, for which this node is gone: there it tells why."""
        self.suspected = suspected
        """Who is a suspect has changed."""


class Detector:
    """Failure detection of one node."""

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        identity: Identity,
        members: Membership,
        control: Table,
        outbox: Outbox,
        post: Post,
        answering: Answering,
        world: World,
        now: float,
    ) -> None:
        self.suspicion = Suspicion(config, identity, members)
        self.accusations = Accusations(control)
        self.probing = Probing(
            *(config, rng, identity.id, post, world.candidates, self._address, self._word),
            stream=world.stream,
            failed=self._unanswered,
            now=now,
        )
        self.ignored = 0
        """Accusations that were malformed."""
        self.reached: set[bytes] = set()
        """Who has answered a datagram sent to where it says that it listens."""
        self._alarms = Alarms()
        self._identity = identity
        self._members = members
        self._control = control
        self._outbox = outbox
        self._post = post
        self._answering = answering
        self._world = world
        self._reaches = config.reaches
        self._kept = max(milliseconds_kept(config), ACCUSED_MILLISECONDS_MIN)
        self._lags: dict[bytes, int] = {}
        members.suspected = self.suspicion.__contains__
        members.lag = self._lag

    def receive(self, letter: Letter, now: float) -> None:
        """A datagram of this cluster."""
        sender, word = letter.sender, letter.word
        match word:
            case Probe():
                self._post.send(letter.source, self.probed(sender, letter.token, word, now))
            case Ack():
                if not self._answering.answered(sender, word.token):
                    self.acked(sender, word, now, stream=False)
            case Ask():
                self._answering.asked(letter, word, now)
            case Alive():
                self.probing.acked(sender, word.token)
            case Nack():
                self.probing.nacked(sender, word.token)

    def probed(
        self, sender: bytes, token: int, probe: Probe, now: float, *, stream: bool = False
    ) -> Ack:
        """A probe, whichever way it came; returns the answer. On its link a peer may also know of
        what this node said in an earlier life: nobody else could say that in its name.
        """
        if probe.accused is not None and (stream or self._members.is_alive(sender)):
            if stream:
                self._identity.outdo(probe.accused)
            self._object(probe.accused, now)
        return self._answering.probed(sender, token, probe, now)

    def acked(self, sender: bytes, ack: Ack, now: float, *, stream: bool) -> None:
        """An answer to a probe."""
        if not self.probing.acked(sender, ack.token, stream=stream):
            return
        if self._members.is_alive(sender):
            if not stream:
                self.reached.add(sender)
            self._lags[sender] = ack.lag
            if ack.differs:
                self._world.differs(sender, now)
            if ack.gone and not self._identity.leaving:
                self._world.meet(sender)

    def learn(self, changes: Changes, now: float) -> None:
        """Records of the control table became current."""
        self.accusations.learn(changes)
        for change in changes:
            if change[0] != ACCUSATION:
                continue
            if change[2] & TOMBSTONE:
                self.accusations.lapsed(change[1])
                continue
            try:
                accusation = read_accusation(change)
            except WireError:
                self.ignored += 1
                continue
            self.accusations.add(accusation)
            if accusation.subject != self._identity.id:
                self._note(accusation, now)
            elif self._is_writer(accusation.accuser, accusation.origin):
                self._object(accusation.incarnation, now)
        self._alarm(now)

    def changed(self, news: list[Sighting], now: float) -> None:
        """What is believed of these members changed."""
        self.probing.ring.changed()
        for sighting in news:
            member = sighting.id
            self.reached.discard(member)
            self.accusations.settle(member)
            was = is_now = False
            if self.suspicion.any:
                was, is_now = self.suspicion.changed(member, now)
            if sighting.state != ALIVE:
                self.probing.gone(member)
                self._lags.pop(member, None)
                continue
            self.probing.rounds.add(member)
            if is_now and not was:
                self._suspect(member, now)
            elif was and not is_now:
                self._outbox.emit(Update(self._members.member(member)))
        self._alarm(now)

    def unlike(self, member: bytes) -> None:
        """A peer has read all that this node has, and holds something else. If by the record that
        is held here it is gone, no table tells it so: where it joined nothing was left of that any
        more. It is to object, or what is left here stays, and outranks what it says of itself.
        """
        incarnation = self._members.gone_at(member)
        if incarnation is not None:
            word = Probe(self._answering.digest(), incarnation)
            self._world.stream(member, self._post.token(), word)

    def lost(self, member: bytes, now: float) -> None:
        """The link to a member broke: look at it out of turn."""
        if self._members.is_alive(member):
            self.probing.probe(member, now)

    def refused(self, member: bytes, now: float) -> None:
        """A dial to a member was refused: that is proof, if others have proof already."""
        if self.suspicion.proved_by(member):
            self._accuse(member, now, PROVED)

    def unheard(self, member: bytes, now: float) -> None:
        """A dial to a member was not answered by its machine: that matters of a suspect."""
        if member in self.suspicion:
            self._accuse(member, now, SILENT)

    def proves(self, member: bytes, now: float) -> bool:
        """Dials to a member came to nothing, as often as that is evidence: whether it is dead now.

        If not, it is a suspect, and has the least time to object. So does one that nobody can dial,
        and that does not come back: others may be linked to it.
        """
        known = self._members.get(member)
        if known is None or known.state != ALIVE:
            return False
        self._accuse(member, now, PROVED)
        return self.suspicion.is_proved(member)

    def forgive(self, gap: float, now: float) -> None:
        """This process stood still for so long, until now."""
        self.probing.forgive(gap, now)
        self.suspicion.forgive(gap, now)

    def advance(self, now: float) -> None:
        """Probe, judge, and bury whose time to object is over."""
        self.accusations.settle(self._identity.id)
        self._alarm(now)
        self.probing.advance(now)
        if not self.suspicion.busy:
            return
        for member in self.suspicion.due(now):
            # Who goes on talking on its link has not read yet that it is suspected.
            if not self.suspicion.heard(member, self._world.heard(member)):
                self._bury(member, now)
        while proved := next(filter(self.suspicion.is_proved, self.suspicion.tried()), None):
            # With each one that is dead there is one less who could say otherwise of the others.
            self._bury(proved, now)

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        due = self.probing.deadline()
        return min(due, self.suspicion.deadline()) if self.suspicion.busy else due

    def statistics(self) -> dict[str, object]:
        """Counts since the start, and what is so now."""
        return {
            "health": self.probing.health.score,
            "suspects": len(self.suspicion),
            "probes_failed": self.probing.failures,
            "probes_streamed": self.probing.streamed,
            "accusations": len(self.accusations),
            "accusations_ignored": self.ignored,
        }

    def _bury(self, member: bytes, now: float) -> None:
        """A suspect is held dead from now on; if that cannot be said, it is no suspect any more."""
        self._world.bury(member, now)
        if member in self.suspicion:
            self.suspicion.drop(member)
            self._outbox.emit(Update(self._members.member(member)))
            self._world.suspected(now)

    def _unanswered(self, member: bytes, now: float) -> None:
        """A probe of this node failed; that says nothing of one that does not listen any more."""
        if self._address(member) is None:
            return
        self._accuse(member, now, UNANSWERED)
        if member in self.suspicion:
            self._world.dial(member, now)

    def _accuse(self, member: bytes, now: float, evidence: int) -> None:
        """Say that a member failed, if that is news to anybody; and say it to that member first."""
        known = self._members.get(member)
        if known is None or known.state != ALIVE:
            return
        if not self.suspicion.needs(member, evidence):
            return
        own, source = self._identity.id, self._control.source
        accusation = Accusation(member, own, known.incarnation, evidence, source)
        # A clock that ran ahead in an earlier life may have left a higher stamp: then that stands.
        left = self._kept
        self._control.put(ACCUSATION, accusation.key, EXPIRING, b"", accusation.stamp, left)
        self.accusations.add(accusation)
        self._note(accusation, now)
        address = self._address(member)
        if self.probing.active and address is not None:
            self._post.send(address, self._word(member))

    def _note(self, accusation: Accusation, now: float) -> None:
        """Somebody is accused, by this node or another."""
        member = accusation.subject
        if self.suspicion.note(accusation, now):
            self._suspect(member, now)
        elif accusation.evidence == PROVED and accusation.accuser != self._identity.id:
            self._look(member, now, at_once=True)

    def _suspect(self, member: bytes, now: float) -> None:
        """A member has become a suspect."""
        self._outbox.emit(Suspect(self._members.member(member)))
        self._world.suspected(now)
        own = self.suspicion.proved_by(member)
        if self.suspicion.needs(member, PROVED):
            self._look(member, now, at_once=bool(own))

    def _look(self, member: bytes, now: float, *, at_once: bool) -> None:
        """Probe a suspect out of turn, if this node is one of its neighbours."""
        if self.probing.ring.is_near(member, LOOKING):
            self.probing.probe(member, now, at_once=at_once)
            self._world.dial(member, now)

    def _object(self, incarnation: int, now: float) -> None:
        """Somebody suspects this node."""
        if self._identity.refute(incarnation, now):
            self.probing.health.worse()

    def _is_writer(self, accuser: bytes, origin: bytes) -> bool:
        """Whether its accuser, a member, wrote an accusation. One that died since may have been
        believed while it lived, and what is never answered would stand in the tables for ever.
        """
        known = self._members.get(accuser)
        return known is not None and known.profile.source == origin

    def _alarm(self, now: float) -> None:
        """Tell of a member, or of this node, that alone accuses most others."""
        while self.accusations.vain:
            accuser, subject, origin = self.accusations.vain.pop()
            mine = accuser == self._identity.id
            source = self._identity.profile.source
            if not (origin == source if mine else self._is_writer(accuser, origin)):
                continue
            count = self._alarms.count(accuser, subject, self._members.alive, now)
            if count:
                member = self._identity.member() if mine else self._members.member(accuser)
                text = f"{member.name!r} alone held {count} live members for failed: it may hear"
                text += " nobody, or stand still now and then"
                self._outbox.emit(Conflict("suspicion", text, member))

    def _address(self, member: bytes) -> Address | None:
        """Where a member that is alive can be asked; None where only this node would hear it."""
        known = self._members.get(member)
        if known is None or known.state != ALIVE:
            return None
        address = known.profile.address
        if address is None or not self._reaches(address):
            return None
        return None if address == self._identity.profile.address else address

    def _word(self, member: bytes) -> Probe:
        """What to say to a member in a probe: who probes a suspect tells it so."""
        return Probe(self._answering.digest(), self.suspicion.incarnation(member))

    def _lag(self, member: bytes) -> float | None:
        lag = self._lags.get(member)
        return None if lag is None else lag / 1000
