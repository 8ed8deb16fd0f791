"""Node: the whole protocol as one machine; frames in, an outbox out.

It is what a driver and a user hold; it decides nothing itself. Its parts are put together in
machinery.py, and each has a module that says what it decides.
"""

from __future__ import annotations

from math import inf

from vines._core.pieces import begins
from vines.config import Config
from vines.errors import InvalidAddress, InvalidConfig, WireError
from vines.events import Member
from vines.hints import TYPE_CHECKING
from vines.protocol.links.links import Link
from vines.protocol.machine import Address, Clock, Memory, Outbox
from vines.protocol.machinery import Machinery
from vines.protocol.replicas.flushing import Target
from vines.protocol.start import make_tables
from vines.protocol.wire.messages import (
    BALLOT,
    BULK,
    DATA,
    Announce,
    Delta,
    Graft,
    Prune,
    decode,
)
from vines.protocol.wire.probe import StreamAck, StreamProbe
from vines.protocol.wire.talk import Ping, Pong
from vines.spelling import is_address, is_tags

if TYPE_CHECKING:
    import random

    from vines.protocol.elections.elections import Elections


_DATA_DELTA = bytes((Delta.kind, 0, DATA))
_PROBES = frozenset((StreamProbe.kind, StreamAck.kind))
_TIMELESS = frozenset((BALLOT, Ping.kind, Pong.kind, Announce.kind, Graft.kind, Prune.kind))
"""Types of frames that set no timers but those of elections and of the tree, which are looked at in
every turn."""
_UNANSWERED = frozenset((Delta.kind, Announce.kind))
"""Types of frames after which there mostly is nothing to say: whoever has, wakes the link."""
_BALLOTS = bytes((BALLOT, 0))


class Node:
    """One member of a cluster, without a socket, a thread or a clock of its own.

    A driver feeds it (the first group of methods), carries out its outbox after every call or at
    the end of every turn, and calls `advance` at the end of every turn and at `deadline()`. All
    calls come from one thread, except the methods of `data`, which lock for themselves; `advance`
    notices what they wrote. Link numbers are the driver's. A link that the node closes is gone for
    it at once: what the driver still reports of it is ignored. `memory`: what was put on disk for
    this id in its earlier starts; None: there is no disk.
    """

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        clock: Clock,
        *,
        now: float,
        memory: Memory | None = None,
    ) -> None:
        self.config = config
        self.id = config.node_id or rng.randbytes(16)
        self.outbox = Outbox()
        self.control, self.data = make_tables(config, rng, clock(), memory)
        tables = (self.control, self.data)
        for table in tables:
            table.tick(now)
        self._parts = Machinery(config, self.id, rng, clock, tables, self.outbox, now, memory)
        self._links = self._parts.linking.links
        self._numbers = self._links.numbers
        self._due = inf
        self._probes_due = inf
        """The same of probes, which come and go all the time and touch nothing else."""
        self._fullness = 0.0
        """Of the quotas of the data table, when it was looked at."""
        self._stale = True
        """Something happened that may have set a timer earlier than these two."""
        self._probed = False
        """Something happened that may have set one earlier than `_probes_due`."""

    @property
    def source(self) -> bytes:
        """The 16 bytes that number this node's writes since its start."""
        return self.data.source

    @property
    def watching(self) -> bool:
        """Whether KeysChanged is wanted: somebody listens to keys."""
        return self._parts.replication.watching

    @watching.setter
    def watching(self, wanted: bool) -> None:
        self._parts.replication.watching = wanted

    # For the driver.

    def listening(
        self,
        address: Address | None,
        now: float,
        *,
        bound: Address | None = None,
    ) -> None:
        """Others can dial this address from now on (None: none); the members are told. `bound`:
        the one that was bound, if that is another.
        """
        if address is not None and not is_address(address):
            raise InvalidAddress(f"{address!r} cannot be dialled by others")
        self._stale = True
        self._parts.listen(address, now, bound)

    def connected(self, link: int, ticket: int | None, now: float) -> None:
        """A stream is up: `ticket` of the Dial it answers, None if the other side dialled."""
        self._stale = True
        self._parts.linking.connected(link, ticket, now)
        self._parts.patrol.watch(now)

    def dial_failed(self, ticket: int, refused: bool, now: float) -> None:
        """No stream: `refused` if the machine answered and said no, False if nobody answered."""
        self._stale = True
        self._parts.linking.dial_failed(ticket, refused, now)

    def receive(self, frame: bytes, link: int, now: float) -> None:
        """Take one frame (type, flags, payload). WireError, before anything changed: close it."""
        stream = self._numbers.get(link)
        if stream is None:
            return
        parts = self._parts
        try:
            if stream.hello is None:
                parts.linking.greet(stream, frame, now)
            elif begins(frame, 0, _DATA_DELTA) and len(frame) > BULK:
                # Most frames are of these, and what they say needs no message of its own. They set
                # no timers but those of the tree, and mostly there is nothing to say after them:
                # whoever has, wakes the link.
                parts.take(stream, frame, now)
                self._heard(stream, frame, now, not parts.flushes.targets)
                return
            elif begins(frame, 0, _BALLOTS) and parts.elections is not None:
                # They set no timers but those of elections, and nothing of a table follows.
                parts.hear(stream, frame, now)
                self._heard(stream, frame, now, True)
                return
            else:
                parts.dialogue.receive(stream, decode(frame), now)
        except WireError as error:
            parts.traffic.rejected(frame, error.reason)
            raise
        # What comes so often sets no timers, or few: looking at all of them would cost more.
        kind = frame[0]
        if kind in _PROBES:
            self._probed = True
        elif kind not in _TIMELESS and frame[:3] != _DATA_DELTA:
            self._stale = True
        unanswered = kind in _UNANSWERED and not parts.flushes.targets
        self._heard(stream, frame, now, unanswered)

    def _heard(self, stream: Link, frame: bytes, now: float, silent: bool) -> None:
        """A frame was taken; unless it is `silent` something may be owed for it."""
        stream.heard = now
        self._parts.traffic.received(frame)
        if not silent and stream.channels and self._numbers.get(stream.number) is stream:
            self._parts.pusher.wake(stream)

    def datagram(self, data: bytes, source: Address, now: float) -> str:
        """Take one datagram from this address; why it was dropped and counted, or nothing.

        Anybody can send one, so a wrong one is no event: nothing is raised.
        """
        opened = self._parts.post.open(data, source)
        if isinstance(opened, str):
            return opened
        self._probed = True
        self._parts.detector.receive(opened, now)
        return ""

    def disconnected(self, link: int, now: float) -> None:
        """A stream is gone, by whoever."""
        stream = self._numbers.get(link)
        if stream is not None:
            self._stale = True
            self._parts.linking.disconnected(stream, now)

    def sent(self, link: int, count: int, now: float) -> None:  # noqa: ARG002
        """`count` bytes of what was written to this link have been taken by its socket."""
        stream = self._numbers.get(link)
        if stream is not None:
            stream.unsent -= count
            assert stream.unsent >= 0, "a driver sent more than was written"
            self._parts.pusher.sent(stream)

    def advance(self, now: float) -> None:
        """Do what is due, and push what changed to every link that has room."""
        parts = self._parts
        late = now - max(parts.now, min(self._due, self._probes_due))
        if late > 0.0:
            parts.lag.note(late, now)
            if late > self.config.probe_timeout / 2:
                parts.forgive(late, now)
        parts.now = parts.writing.now = now
        lapsed = self.control.tick(now)
        if self.data.tick(now) or lapsed:
            parts.lapse(now)
        fullness = self.data.fullness()
        if fullness != self._fullness:
            self._fullness = fullness
            parts.quotas.look(fullness)
        if self._stale or parts.stirred or now >= self._due:
            parts.run_timers(now)
            parts.run_probes(now)
            self._find_due()
        elif self._probed or now >= self._probes_due:
            if self._probed:
                # What came mostly ended a timer, or set a later one.
                self._probed = False
                self._probes_due = parts.probes_due()
            if now >= self._probes_due:
                parts.run_probes(now)
                self._probes_due = parts.probes_due()
        if parts.elections is not None:
            parts.elect_on(now)
        if now >= parts.collecting.due():
            parts.collecting.advance(now)
        if now >= parts.spreading.due:
            parts.spreading.advance(now, self._links.established())
        if parts.pusher.has_more():
            parts.spread(now)

    def deadline(self) -> float | None:
        """When `advance` is due next; at or before now: there is more to push at once."""
        if self._parts.pusher.has_more():
            return self._parts.now
        parts = self._parts
        if self._stale or self._probed or parts.stirred:
            self._find_due()
        due = min(self._due, self._probes_due, parts.spreading.due)
        due = min(due, self.data.due(), self.control.due(), parts.collecting.due())
        if parts.elections is not None:
            due = min(due, parts.elections.deadline())
        return None if due == inf else due

    def _find_due(self) -> None:
        """The next time any timer is due; kept until something happens that may set one."""
        self._stale = self._probed = self._parts.stirred = False
        self._due = self._parts.due()
        self._probes_due = self._parts.probes_due()

    def persisted(self, ticket: int, now: float) -> None:  # noqa: ARG002
        """All records up to this ticket are on disk: what waited for them happens now."""
        self._stale = True
        self.outbox.persisted(ticket)

    def storage_failed(self, text: str) -> None:
        """No record is put on disk any more: nothing that waits for one happens, and this node
        takes part in no election until it is started again.
        """
        self._stale = True
        self.outbox.give_up()
        self._parts.storage_failed(text)

    def established(self, link: int) -> bool:
        """Whether the handshake of a link is done: it counts as a stranger until then."""
        stream = self._numbers.get(link)
        return stream is not None and stream.hello is not None

    @property
    def drained(self) -> bool:
        """Whether every link was given all it lacks and all of it has left."""
        return all(
            link.unsent == 0 and all(channel.drained for channel in link.channels)
            for link in self._links.established()
        )

    # For the user's side.

    def join(self, addresses: list[Address], now: float) -> None:
        """Dial these seeds, for ever, until linked. InvalidAddress, before anything changed."""
        self._stale = True
        self._parts.linking.dialler.seeds.add(addresses, now)

    def leave(self, now: float) -> None:
        """Say that this node leaves; it dials nobody afterwards. End it once `drained`."""
        self._stale = True
        if self._parts.elections is not None:
            self._parts.elections.leave()
        self._parts.detector.probing.active = False
        self._parts.replication.poll(True, now)
        self._parts.identity.leave()
        self._parts.spreading.open_all(self._links.established())
        self._parts.linking.dialler.stopped = True

    def flush(self, members: int, now: float) -> int:
        """Ask that `members` others, observers not counted, hold all that is written so far.

        Returns the token of the Flushed event that tells; that may be in the outbox already.
        """
        self._stale = True
        target = Target(members, self.source, self.control.counter, self.data.counter)
        links = self._links.established()
        token = self._parts.flushes.begin(target, links)
        self._parts.linking.admission.demand = self._parts.flushes.members
        self._parts.linking.dialler.changed(now)
        for link in links:
            self._parts.pusher.wake(link)
        return token

    def forget(self, token: int) -> None:
        """Nobody waits for this flush any more."""
        self._stale = True
        self._parts.flushes.forget(token)
        self._parts.linking.admission.demand = self._parts.flushes.members

    def tags(self, tags: dict[str, str], now: float) -> None:
        """Replace this node's tags; InvalidConfig, before anything changed, if out of bounds."""
        if not is_tags(tags):
            raise InvalidConfig("tags must be up to 16 short texts by short names, 512 bytes")
        self._stale = True
        self._parts.identity.tag(tags, now)

    def elections(self) -> Elections:
        """What this node calls, votes in and hears of elections. What it is told to do happens at
        the end of the turn.
        """
        return self._parts.elect()

    def awaited(self) -> list[tuple[bytes, bytes]]:
        """The id and source of each other member that has to know of a deletion before it is
        forgotten.
        """
        return self._parts.collecting.waited()

    def members(self) -> list[Member]:
        """Everybody known, this node first, then by name; who failed or left too, for a while."""
        return [self._parts.identity.member(), *self._parts.linking.members.listed()]

    def stats(self) -> dict[str, object]:
        """Counts since the start, by kind of frame where it says frames or bytes."""
        return self._parts.statistics()
