"""One start of a node on a simulated machine: what the selectors loop is to a real one.

A turn takes what arrived, hands it to the Node frame by frame, lets the Node advance and carries
its outbox out. The Node and its frames are the shipped ones; only the sockets and the time are
not. After every frame and at the end of every turn the invariants are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

from vines.errors import WireError
from vines.protocol.machine import Close, Dial, Emit, Persist, Send, Write
from vines.protocol.members.post import CLUSTER
from vines.protocol.node import Node
from vines.simulation.checks import Watch
from vines.simulation.follow import Follower
from vines.simulation.frames import NAMES, WORDS, frame_type, joined_table, joining
from vines.simulation.oracle import Violation
from vines.simulation.sockets import Sockets
from vines.simulation.swim import by_datagrams_alone, without_lifeguard

if TYPE_CHECKING:
    from vines.config import Config
    from vines.protocol.machine import Address, Memory
    from vines.simulation.disk import Disk
    from vines.simulation.host import Host
    from vines.simulation.stream import End

TURN_SECONDS = 0.00005
"""How long a turn takes that asks for another one at once."""
IDLE_TURNS_MAX = 200
"""Turns in a row that may be asked for at once without anything happening in them: beyond that
the node spins."""
DATAGRAMS_MAX = 4096
"""Datagrams the kernel keeps for a process: some 4 MiB, at what one costs there."""
SENDER = slice(16, 32)
"""Where in a datagram its sender's id stands."""
CONTROL_SLACK = 16 * 1024
"""Bytes a frame may have beyond its budget, or with a budget of next to nothing: a header, and one
record of the control table or one ballot, which go alone."""
_Arrival = tuple[Callable[..., object] | None, tuple[Any, ...]]
_COUNTED = {kind: f"datagram_{word}" for kind, word in WORDS.items()}


class Process:
    """A running node, the ends of its streams, and what has arrived for it since its last turn."""

    def __init__(
        self,
        host: Host,
        start: int,
        config: Config,
        *,
        disk: Disk | None = None,
        memory: Memory | None = None,
    ) -> None:
        simulation = host.simulation
        self.host = host
        self.name = f"{host.name}.{start}"
        self.timeline = simulation.timeline
        self.network = simulation.network
        self.running = True
        rng = Random(f"{simulation.seed}/{self.name}")
        self.rate = host.rate
        self._origin = rng.random() * 1e6
        self.disk = disk
        self.node = Node(config, rng, host.wall_clock, now=self.now, memory=memory)
        if not simulation.lifeguard:
            without_lifeguard(self.node)
        self._hasty = simulation.datagrams_alone
        """Whether timers are looked at before what has arrived, however slow this process reads."""
        self._reads_at = inf
        """When what has arrived is read, if that is not with the next turn."""
        if self._hasty:
            by_datagrams_alone(self.node)
        self.follower = Follower(self.node, watching=simulation.watching)
        self.watches = (
            Watch(
                f"{self.name} control", self.node.control, simulation.control, writes_itself=True
            ),
            Watch(f"{self.name} data", self.node.data, simulation.data, writes_anew=True),
        )
        self.sockets = Sockets(self.network)
        self._inbox: list[_Arrival] = []
        """What to do in the next turn; without anything to call it is a datagram: most are."""
        self._datagrams = 0
        """Those that wait to be read."""
        self.datagram_bytes = 0
        """Bytes of all datagrams this process sent."""
        self.stream_bytes = 0
        """Bytes of all frames it wrote."""
        self.dials = 0
        self._wanted = inf
        """When the next turn is due."""
        self._calls: list[float] = []
        """When the timeline calls, the next one last: never later than that."""
        self._idle_turns = 0
        self._checked: tuple[object, ...] = ()
        """What told of both tables when they were checked."""
        self._control_sequence: object = None
        self._data_sequence: object = None

    @property
    def now(self) -> float:
        """The monotonic clock of the machine: each counts from a moment, and at a rate, of its
        own.
        """
        return self._clock()

    def _clock(self) -> float:
        return self._origin + self.rate * self.timeline.now

    # -- what the network tells

    def connected(self, end: End, ticket: int | None) -> None:
        """A stream is up."""
        if self.running and end.open:
            self.sockets.add(end)
            self.call(self._connected, end, ticket)
            timeout = self.node.config.handshake_timeout
            self.timeline.after(timeout, self.call, self._expect_handshake, end)
        elif end.open:
            self.network.abandon(end)

    def dial_failed(self, ticket: int, refused: bool) -> None:
        """A dial came to nothing."""
        self.call(self._dial_failed, ticket, refused)

    def deliver(self, end: End, data: bytes) -> None:
        """Bytes have arrived in the kernel."""
        self.call(self._receive, end, data)

    def arrived(self, data: bytes, source: Address) -> None:
        """A datagram has arrived in the kernel, which keeps so many for a process."""
        if self._datagrams >= DATAGRAMS_MAX:
            self.network.count("datagram_overflow")
        elif self.running:
            self._datagrams += 1
            self._inbox.append((None, (data, source)))
            self.wake()

    def lost(self, end: End) -> None:
        """A stream is gone."""
        self.call(self._disconnected, end)

    # -- what its disk tells

    def persisted(self, ticket: int, records: Mapping[bytes, bytes | None]) -> None:
        """Everything up to this ticket is there, these records with the last commit."""
        for spectator in self.host.simulation.spectators:
            spectator.synced(self, records)
        self.call(self._persisted, ticket)

    def storage_failed(self, text: str) -> None:
        """Nothing more will be there."""
        self.call(self.node.storage_failed, text)

    # -- what happens to it

    def call(self, function: Callable[..., object], *arguments: Any) -> None:
        """Run something in the next turn."""
        if self.running:
            self._inbox.append((function, arguments))
            self.wake()

    def wake(self) -> None:
        """Have a turn soon: at once if the machine is idle, later if it is busy or paused."""
        most = self.network.conditions.lag + self.host.slowness
        when = self.timeline.now + self.network.rng.random() * most
        if self._hasty:
            self._reads_at = min(self._reads_at, when)
        self._turn_at(when)

    def stop(self, *, power: bool) -> None:
        """The process ends here and now; with `power` lost its machine tells nobody."""
        self.running = False
        self.sockets.abandon(reset=not power)
        if self.disk is not None:
            self.disk.crash()

    # -- turns

    def _turn_at(self, when: float) -> None:
        """Have a turn at a moment, or before. A timer that is put off is not called off: it costs
        one call in vain at most, and mostly it is still the next one.
        """
        if self.host.lateness:
            when += self.host.lateness * self.host.simulation.rng.random()
        if when >= self._wanted or not self.running:
            return
        self._wanted = when = max(when, self.timeline.now)
        if not self._calls or when < self._calls[-1]:
            self._calls.append(when)
            self.timeline.push(when, self._called, ())

    def _called(self) -> None:
        self._calls.pop()
        when, self._wanted = self._wanted, inf
        if when > self.timeline.now:
            self._turn_at(when)
        elif self.running and not self.host.paused:
            self._turn()

    def _turn(self) -> None:
        inbox = self._inbox
        if self._hasty:
            inbox = self._not_read_yet(inbox)
        if inbox:
            self._inbox = []
            for function, arguments in inbox:
                if function is None:
                    self._datagram(arguments[0], arguments[1])
                else:
                    function(*arguments)
        checking = self.host.simulation.checking
        if checking:
            self._count_behind()
        node = self.node
        node.advance(self._clock())
        effects = self._drain() if node.outbox or self.disk is not None else 0
        moved = self.sockets.pump(self._sent) if self.sockets.busy else 0
        self.check()
        if checking and self.sockets.busy:
            self._check_queues()
        for spectator in self.host.simulation.spectators:
            spectator.turned(self)
        deadline = node.deadline()
        if deadline is not None and self.running:
            busy = inbox or effects or moved
            self._idle_turns = 0 if busy or deadline > self._clock() else self._idle_turns + 1
            if self._idle_turns > IDLE_TURNS_MAX:
                raise Violation(
                    f"{self.name} spins: it wants a turn at once and does nothing in it"
                )
            soon = self.timeline.now + TURN_SECONDS
            self._turn_at(max(soon, (deadline - self._origin) / self.rate))

    def _not_read_yet(self, inbox: list[_Arrival]) -> list[_Arrival]:
        """Look at timers first; what of the inbox is read in this turn: all or nothing."""
        self.node.advance(self._clock())
        if self._reads_at > self.timeline.now:
            if self._reads_at < inf:
                self._turn_at(self._reads_at)
            return []
        self._reads_at = inf
        return inbox

    def check(self) -> None:
        """Check what this process knows and holds, if that is another thing than before."""
        simulation = self.host.simulation
        if not simulation.checking:
            return
        control, data = self.node.control, self.node.data
        now = (
            *(control.sequence, data.sequence, control.fingerprint(), data.fingerprint()),
            *(control.lapses, data.lapses, data.turns, data.collected, len(control)),
            control.gone.forgotten,
        )
        if now == self._checked:
            return
        self._checked = now
        simulation.control.writes(self.node.id, control.source, self.name)
        for watch in self.watches:
            watch.check()

    def _count_behind(self) -> None:
        """Count links that the arrival log no longer reaches: no public call of a node tells. They
        fall behind by what is new in a table.
        """
        control, data = self.node.control.sequence, self.node.data.sequence
        if control == self._control_sequence and data == self._data_sequence:
            return
        self._control_sequence, self._data_sequence = control, data
        for link in self.node._links.established():
            if any(channel.progress.behind for channel in link.channels):
                self.network.count("link_behind")

    def _check_queues(self) -> None:
        """Check that no more waits for the kernel than a window, a bulk frame and a frame of the
        control table.

        The last frame of data begins below the window, and is one frame, or one larger record. What
        comes before data (answers, ballots, the control table, of which a join gives whole frames)
        begins below the window and one frame, for room that no backlog of data takes away; its last
        one ends one frame above that. Nothing begins higher.
        """
        waiting = self.sockets.waiting()
        config = self.node.config
        frame = max(config.frame_bytes, self.host.simulation.largest_record)
        if waiting > config.link_window + config.frame_bytes + frame + CONTROL_SLACK:
            raise Violation(f"{self.name} keeps {waiting} bytes waiting on one link")

    def _drain(self) -> int:
        """Carry out the node's effects, in order; how many there were."""
        effects = self.node.outbox.take()
        for effect in effects:
            if isinstance(effect, Send):
                address, data = effect
                self._send(address, data)
            elif isinstance(effect, Write):
                self._write(effect.link, effect.frame)
            elif isinstance(effect, Dial):
                self._record("dial", "{}:{}".format(*effect.address).encode())
                self.dials += 1
                timeout = self.node.config.dial_timeout
                self.network.dial(self, effect.ticket, effect.address, timeout)
            elif isinstance(effect, Close):
                self._close(effect.link, effect.reason)
            elif isinstance(effect, Persist):
                assert self.disk is not None, "a node without a disk keeps nothing"
                self.disk.keep(effect)
            else:
                assert isinstance(effect, Emit), "there are no other effects"
                self._record("event", type(effect.event).__name__.encode())
                self.follower.take(effect.event)
                self.host.happened(self, effect.event)
        if self.disk is not None:
            self.disk.commit()
        return len(effects)

    # -- what a turn takes

    def _connected(self, end: End, ticket: int | None) -> None:
        self._record("connected", str(end.link).encode())
        self.node.connected(end.link, ticket, self._clock())

    def _dial_failed(self, ticket: int, refused: bool) -> None:
        self._record("dial refused" if refused else "dial vanished", str(ticket).encode())
        self.node.dial_failed(ticket, refused, self._clock())

    def _receive(self, end: End, data: bytes) -> None:
        try:
            for frame in self.sockets.read(end, data):
                self._record("receive", frame)
                if self.host.simulation.checking:
                    self.watches[1].reads(joining(frame))
                self.node.receive(frame, end.link, self._clock())
                self.check()
        except WireError as error:
            raise Violation(f"{self.name} refused a frame of a faultless peer: {error}") from error

    def _datagram(self, data: bytes, source: Address) -> None:
        self._datagrams -= 1
        self._record("datagram in", data)
        refusal = self.node.datagram(data, source, self._clock())
        foreign = self.host.simulation.membership.is_foreign(self, data[SENDER])
        if refusal and not (foreign and refusal == CLUSTER):
            raise Violation(f"{self.name} dropped a datagram of a faultless peer: {refusal}")
        if foreign and not refusal:
            raise Violation(f"M8: {self.name} took a datagram of another cluster")

    def _disconnected(self, end: End) -> None:
        if self.sockets.forget(end):
            self._record("disconnected", str(end.link).encode())
            self.node.disconnected(end.link, self._clock())

    def _persisted(self, ticket: int) -> None:
        self._record("persisted", str(ticket).encode())
        self.node.persisted(ticket, self._clock())

    def _sent(self, link: int, count: int) -> None:
        self.node.sent(link, count, self._clock())

    def _expect_handshake(self, end: End) -> None:
        if self.running and end.open and not end.closing and not self.node.established(end.link):
            self.network.count("handshake_timed_out")
            self.network.abandon(end)

    # -- what a turn does

    def _write(self, link: int | None, frame: bytes) -> None:
        if link is None or not self.sockets.write(link, frame):
            self.network.count("sent_to_nobody")
            return
        self._record("send", frame)
        joined = joined_table(frame)
        if joined is not None:
            # What the join before that brought is judged by when that one began.
            self.check()
            self.watches[joined].asked()
        self.stream_bytes += len(frame)
        self.network.count("frame_" + NAMES.get(frame_type(frame), "other"))
        for spectator in self.host.simulation.spectators:
            spectator.sent(self, frame)

    def _send(self, address: Address, data: bytes) -> None:
        self._record("datagram out", data)
        self.network.counts[_COUNTED.get(data[5], "datagram_other")] += 1
        self.datagram_bytes += len(data)
        self.network.post(self.host, address, data)

    def _close(self, link: int, reason: str) -> None:
        end = self.sockets.close(link)
        if end is not None:
            self._record("close", reason.encode())
            self.host.closed(reason)
            self.lost(end)

    def _record(self, what: str, data: bytes) -> None:
        self.timeline.record(what, self.name, data)
