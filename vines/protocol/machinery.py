"""Machinery: the parts of a node, and what each of them has to tell another.

Linking has the streams and who is at their other ends, Replication the tables, Dialogue what is
said on a link, Pusher the order of writing, Flushes those who wait for others, Patrol the silent
ones. None of them knows a part that it does not use; here is the only place that knows all.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines._core.table import Table
from vines.config import Config
from vines.events import Conflict
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.dialogue import Dialogue
from vines.protocol.links.handshake import Handshake
from vines.protocol.links.linking import Linking
from vines.protocol.links.links import Link
from vines.protocol.links.patrol import Patrol
from vines.protocol.machine import Address, Clock, Memory, Outbox
from vines.protocol.members.answering import Answering
from vines.protocol.members.detector import Detector, World
from vines.protocol.members.identity import Identity
from vines.protocol.members.lag import Lag
from vines.protocol.members.post import Post
from vines.protocol.members.profile import Sighting
from vines.protocol.replicas.agreement import Agreement
from vines.protocol.replicas.collecting import Collecting
from vines.protocol.replicas.flushing import Flushes
from vines.protocol.replicas.leftovers import Leftovers
from vines.protocol.replicas.pushing import Pusher
from vines.protocol.replicas.quotas import Quotas
from vines.protocol.replicas.replication import Replication
from vines.protocol.replicas.retiring import Retiring
from vines.protocol.start import fresh_source
from vines.protocol.traffic import Traffic
from vines.protocol.wire.messages import DATA
from vines.protocol.wire.probe import Probe, StreamProbe
from vines.protocol.writing import Writing

if TYPE_CHECKING:
    import random

    from vines.protocol.elections.elections import Elections
    from vines.protocol.links.mail import Mail
    from vines.protocol.wire.ballot import Ballot


SHARED: Final = (
    "another process uses the same id, or did after this data directory was copied, and may have"
    " promised what this one does not know: end both, and start one of them again, but no old copy:"
    " instead of that start under another name"
)
"""Why a node takes no part in elections that had a double."""
OVERTAKEN: Final = "another process wrote under this node's source: it goes on under a fresh one"
"""Somebody knows more of this node's own writes than it does."""


class Machinery:
    """All parts of one node."""

    def __init__(
        self,
        config: Config,
        id: bytes,
        rng: random.Random,
        clock: Clock,
        tables: tuple[Table, Table],
        outbox: Outbox,
        now: float,
        memory: Memory | None,
    ) -> None:
        self.now = now
        """When the node was last advanced."""
        self.stirred = False
        """What probes led to may have set another timer than theirs."""
        self._config = config
        self._rng = rng
        self._clock = clock
        self._tables = tables
        self._control, self._data = tables
        self._outbox = outbox
        self._memory = memory
        self.traffic = Traffic()
        self.flushes = Flushes(outbox)
        self.writing = Writing(config, outbox, self.traffic, self.flushes.targets, now)
        boot = None if memory is None else memory.boot
        self.identity = Identity(config, id, tables[0], outbox, clock(), boot)
        self.identity.shared = self._shared
        self.handshake = Handshake(config, self.identity, clock, outbox)
        self.linking = Linking(config, rng, self.identity, self.handshake, tables, outbox)
        self.pusher = Pusher(config, tables, self.writing)
        self.replication = Replication(
            *(config, rng, tables, outbox, self.pusher.wake, self.linking.links.established),
            visit=self._visit,
            now=now,
        )
        self.spreading = self.replication.spreading
        self.quotas = Quotas(tables[1], outbox)
        self.collecting = Collecting(
            *(config, id, clock, tables, self.linking.members.awaited, now)
        )
        self.lag = Lag(now)
        self.post = Post(config, self.identity, outbox)
        self.agreement = Agreement(self.identity, self.linking.members, self.linking.linked)
        self.answering = Answering(
            *(config, self.identity, tables, self.linking.members, self.post, self.lag),
            differs=self._differs,
            agrees=self.agreement.saw,
        )
        world = World(
            candidates=lambda observers: self.linking.members.candidates(observers=observers),
            dial=self._check,
            heard=self._heard,
            stream=self._probe,
            bury=self._bury,
            differs=self._differs,
            suspected=self._suspected,
        )
        self.detector = Detector(
            *(config, rng, self.identity, self.linking.members, tables[0], outbox),
            *(self.post, self.answering, world, now),
        )
        leftovers = Leftovers(
            *(self.identity, self.linking.members, tables[0], self.agreement.since),
            mourn=self._mourn,
            cleared=self.detector.accusations.cleared,
        )
        self.retiring = Retiring(
            *(self.identity, self.linking.members, tables, self.agreement.since, self._renew),
            *(leftovers, now),
        )
        self.replication.joined = self.retiring.joined
        self.replication.agrees = self.agreement.compared
        self.dialogue = Dialogue(
            *(tables, self.handshake, self.linking, self.replication, self.flushes),
            detector=self.detector,
            retiring=self.retiring,
            renew=self._renew,
            reported=self.collecting.reported,
            elections=self.elect,
        )
        self.elections: Elections | None = None
        """Made with the first call, vote or word about an election."""
        self._mail: Mail | None = None
        self._read_ballots: Callable[[bytes], tuple[Ballot, ...]]
        self.patrol = Patrol(config, self.linking, self.replication.joins, self.pusher.wake)
        self.linking.members.author = tables[1].author
        self.linking.writing = self.writing
        self.writing.dialogue = self.dialogue
        self.linking.begun = self._begun
        self.linking.ended = self._ended
        self.linking.moved = self._moved
        self.linking.knocks.probes = self._probes_in
        self.linking.knocks.hide = self._hide
        self.linking.refused = self.detector.refused
        self.linking.unheard = self.detector.unheard
        self.linking.proves = self.detector.proves
        if memory is not None and memory.records:
            self.elect()

    def forgive(self, gap: float, now: float) -> None:
        """This process stood still for so long, until now: what was said meanwhile may not be read
        yet. What has been read was read now.
        """
        self.patrol.forgive(gap, now)
        self.answering.forgive(gap, now)
        self.linking.members.forgive(gap, now)
        self.detector.forgive(gap, now)

    def lapse(self, now: float) -> None:
        """Let lapse what is due in either table."""
        gone = self.replication.lapse()
        if gone:
            self.detector.learn(gone, now)

    def run_timers(self, now: float) -> None:
        """Let every part of links and tables do what is due: mostly one of them, or none."""
        links = self.linking.links
        if self.patrol.deadline() <= now:
            self.patrol.advance(now)
        if self.linking.deadline() <= now:
            self.linking.advance(now)
        if self.replication.deadline() <= now:
            self.replication.advance(now, links.established())
        if self.retiring.deadline() <= now:
            self.retiring.advance(now)
        if self.flushes.targets:
            self.flushes.advance(now, links.established(), self.pusher.wake)

    def run_probes(self, now: float) -> None:
        """Let every part of failure detection do what is due: all that goes on without end."""
        if self.answering.busy:
            self.answering.advance(now)
        self.identity.advance(now)
        self.detector.advance(now)

    def hear(self, link: Link, frame: bytes, now: float) -> None:
        """Take a frame of ballots. WireError, before anything changed."""
        assert self.elections is not None, "the code of elections is loaded with their first word"
        ballots = self._read_ballots(frame)
        link.said = link.urgent = now
        self.elections.receive(link.member, ballots, now)

    def take(self, link: Link, frame: bytes, now: float) -> None:
        """Take a frame of records of the data table. WireError, before anything changed."""
        self.replication.take(link, frame, now, self.handshake.stamp_limit())
        control, data = self._control, self._data
        if control.overtaken or data.overtaken or data.ahead != self.dialogue.ahead:
            self.dialogue.check_tables(link, now)

    def elect_on(self, now: float) -> None:
        """Let elections do what is due, and write what they said in this turn."""
        if self.elections is not None and self._mail is not None:
            if self.elections.deadline() <= now:
                self.elections.advance(now)
            self._mail.leave()

    def spread(self, now: float) -> None:
        """Push what changed to every link that has room, and announce what is not sent."""
        links = self.linking.links.established()
        changed = self.pusher.push(links)
        self.writing.forget()
        if changed:
            self.spreading.changed(links, now)

    def probes_due(self) -> float:
        """When `run_probes` has something; infinity if never."""
        due = min(self.identity.deadline(), self.detector.deadline())
        return min(due, self.answering.deadline()) if self.answering.busy else due

    def due(self) -> float:
        """When `run_timers` has something; infinity if never."""
        links = self.linking.links.established()
        # The end of a join needs nobody else.
        going_on = links or self.replication.joins.sweeping
        return min(
            self.patrol.deadline(),
            self.linking.deadline(),
            min(self.replication.deadline(), self.retiring.deadline()) if going_on else inf,
            self.flushes.deadline(links, self.now),
        )

    def elect(self) -> Elections:
        """The elections of this node; their code is loaded by who has use for it."""
        if self.elections is None:
            from vines.protocol.elections.elections import Elections
            from vines.protocol.links.mail import Mail
            from vines.protocol.wire.ballot import Ballots

            self._read_ballots = Ballots.read
            self._mail = Mail(self._has_room, self._send)
            self.elections = Elections(
                *(self._config, self.identity.id, self._tables[0], self._outbox, self._rng),
                members=self.linking.members,
                send=self._mail.add,
                memory=self._memory,
                now=self.now,
            )
        return self.elections

    def listen(self, address: Address | None, now: float, bound: Address | None) -> None:
        """Others can dial this address from now on (None: none); `bound`: see Node.listening."""
        seeds = self.linking.dialler.seeds
        old = self.identity.profile.address
        if old is not None:
            seeds.disown(old)
        if address is not None:
            seeds.own(address)
        self.detector.probing.active = address is not None
        self.linking.dialler.lookout.probing = address is None
        self.replication.poll(address is None, now)
        self.identity.bound = bound
        if address != old:
            self.identity.listen(address)
            self.linking.members.listening(address, now)
        self.linking.knocks.listening()

    def storage_failed(self, text: str) -> None:
        """No record is put on disk any more."""
        self.elect().storage_failed(text)
        self._outbox.emit(Conflict("storage", text, self.identity.member()))

    def statistics(self) -> dict[str, object]:
        """Counts since the start, by kind of frame where it says frames or bytes."""
        links = self.linking.links
        return {
            **self.traffic.statistics(),
            **self.post.statistics(),
            **self.detector.statistics(),
            "hellos_refused": dict(sorted(self.handshake.refusals.items())),
            "links": len(links),
            "strangers": len(links.everything()) - len(links),
            "unsent": sum(link.unsent for link in links.everything()),
            "dials": self.linking.dialler.attempts.count,
            "members": self.linking.members.alive,
            "members_ignored": self.linking.members.ignored,
            "pulls": self.replication.pulls,
            "exchanges": self.replication.exchanges,
            "visits": self.replication.visits,
            "joins": self.replication.joins.count,
            "retired": self.retiring.count,
            "forgotten": self._control.gone.forgotten,
            "eager": sum(link.channels[DATA].eager for link in links.established()),
            "grafts": self.spreading.grafts,
            "prunes": self.spreading.prunes,
            "flushes": len(self.flushes),
            "rounds": self.collecting.rounds,
            "collected": self._tables[1].collected,
        }

    def _shared(self) -> None:
        """Two processes live under one id, and neither knows what the other promised: as if what
        this one promised were forgotten.
        """
        if self.elections is None or not self.elections.failure:
            self._outbox.give_up()
            self.storage_failed(SHARED)

    def _has_room(self, member: bytes) -> bool:
        """Whether a frame to a member need not wait for its link."""
        link = self.linking.links.to(member)
        return link is None or self.pusher.takes(link)

    def _send(self, member: bytes, frame: bytes) -> None:
        """To a member; without a link it is dialled. What is lost is said again if it matters."""
        link = self.linking.links.to(member)
        if link is None:
            self.stirred = True
            self.linking.dialler.errands.hold(member, frame, self.now)
        else:
            link.said = link.urgent = self.now
            self.writing.write(link, frame)

    def _differs(self, member: bytes, now: float) -> None:
        """A member holds something else than this node."""
        self.stirred = True
        link = self.linking.links.to(member)
        self.replication.differ(now, link, None if link is not None else member)

    def _visit(self, member: bytes) -> None:
        """Dial a member that holds something else: hellos compare, and the link goes again."""
        self.linking.dialler.errands.visit(member, self.now)

    def _check(self, member: bytes, now: float) -> None:
        """Dial a member to see whether its machine answers."""
        self.stirred = True
        self.linking.check(member, now)

    def _bury(self, member: bytes, now: float) -> None:
        """A member is held dead from now on."""
        self.stirred = True
        self.linking.bury(member, now)

    def _mourn(self, member: bytes, now: float) -> None:
        """The source of a member that is held alive is retired."""
        self.stirred = True
        self.linking.mourn(member, now)

    def _heard(self, member: bytes) -> float:
        """When a member last said anything on its link."""
        link = self.linking.links.to(member)
        return -inf if link is None else link.heard

    def _probe(self, member: bytes, token: int, probe: Probe) -> None:
        """Probe a member over its link, or over a stream that is dialled for it."""
        frame = StreamProbe(token, probe).encode()
        link = self.linking.links.to(member)
        if link is None:
            self.stirred = True
            self.linking.dialler.errands.hold(member, frame, self.now)
        elif self.pusher.takes(link):
            link.said = self.now
            self.writing.write(link, frame)
            if member not in self.detector.reached:
                self.stirred = True
                self.linking.knock(member, self.now)

    def _probes_in(self) -> int:
        """How many datagrams have come that were sent to where this node says that it listens."""
        came = self.post.statistics()["datagrams_in"]
        assert isinstance(came, dict), "counts by name"
        return int(came.get("probe", 0) + came.get("ask", 0))

    def _hide(self, now: float) -> None:
        """Nobody reaches this node where it says that it listens."""
        self.stirred = True
        self.listen(None, now, None)

    def _suspected(self, now: float) -> None:
        """Who is suspected to have died has changed."""
        if self.elections is not None:
            self.elections.suspects_changed(now)

    def _moved(self, news: list[Sighting], now: float) -> None:
        """Members came, left, died, or said something else of themselves."""
        self.detector.changed(news, now)
        mesh = self.linking.wanted() is None
        self.spreading.reshape(self.linking.links.established(), mesh=mesh)
        if self.elections is not None:
            self.elections.members_changed(now)

    def _begun(self, link: Link, now: float) -> None:
        """A link is established."""
        for frame in self.linking.dialler.errands.take(link.member):
            self.writing.write(link, frame)
        if self.elections is not None and not link.errand:
            self.elections.linked(link.member, now)
        self.replication.start(link, now)
        self.pusher.wake(link)

    def _ended(self, link: Link, now: float) -> None:
        """A stream is gone."""
        if link.hello is not None and not link.spare and not self.linking.linked(link.member):
            self.detector.lost(link.member, now)
        self.pusher.remove(link)
        self.replication.stop(link, now)

    def _renew(self, text: str = OVERTAKEN) -> None:
        """Nothing can be written under this node's source any more: write as a fresh one, ephemeral
        keys once more, in turns.
        """
        old = self.identity.profile.source
        source = fresh_source(self._rng, self._clock(), self._memory, old)
        for table in self._tables:
            table.adopt(source)
        self.identity.renew(source)
        self._tables[1].inherit(old)
        self._outbox.emit(Conflict("source", text, self.identity.member()))
