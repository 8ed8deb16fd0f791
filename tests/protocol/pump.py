"""A network in memory for a few Nodes: streams without delay, listeners, virtual time.

Every frame is encoded by the sending Node and cut out by a Framer at the other end, as on a socket.
Time only moves when a test says so, from deadline to deadline. A stream is named by the number of
its accepting end; `held` stops all reading until single frames are let through.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf

from vines.config import Config
from vines.errors import WireError
from vines.events import KeysChanged
from vines.protocol.elections.messages import Said
from vines.protocol.machine import Address, Close, Dial, Emit, Memory, Persist, Send, Write
from vines.protocol.node import Node
from vines.protocol.wire.ballot import Ballots
from vines.protocol.wire.framing import LENGTH_BYTES, Framer

WALL = 1_700_000_000_000


def label(number: int) -> bytes:
    """The id of a test's node."""
    return bytes([number]) * 16


@dataclass(eq=False)
class End:
    """One end of a stream: what its peer wrote and it has not read."""

    host: Host
    number: int
    stream: int
    framer: Framer = field(default_factory=Framer)
    waiting: deque[bytes] = field(default_factory=deque)
    peer: End = None  # type: ignore[assignment]
    reading: bool = True
    closing: bool = False
    open: bool = True


class Host:
    """A Node and what a driver would keep for it."""

    def __init__(self, pump: Pump, node: Node, name: str, address: Address | None) -> None:
        self.pump = pump
        self.node = node
        self.name = name
        self.address = address
        self.events: list[object] = []
        self.ends: dict[int, End] = {}
        self.dials: list[Address] = []
        self.errors: list[str] = []
        self.alive = True
        self.deaf = False
        """Nothing reaches it any more, though what it says is heard."""
        self.disk: dict[bytes, bytes] | None = None
        """What is kept for the next start of this node; None: it has no disk."""
        self.starts = 1
        self.syncing = True
        """Records are on disk as soon as they are asked for."""
        self.unsynced: list[Persist] = []

    def write(self, key: str, value: bytes = b"\x01") -> None:
        """A local write, and the turn of the loop that follows it."""
        self.node.data.write(key.encode(), 0, value, self.pump.wall())
        self.node.advance(self.pump.now)

    def value(self, key: str) -> bytes | None:
        return self.node.data.value(key.encode())

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def changed(self) -> list[bytes]:
        return [change[1] for event in self.of(KeysChanged) for change in event.changes]

    def linked(self) -> list[str]:
        return [member.name for member in self.node.members() if member.linked]

    def states(self) -> dict[str, str]:
        return {member.name: member.state for member in self.node.members()[1:]}

    def to(self, other: Host) -> End:
        """This host's end of the link to another."""
        number = self.route(other)
        assert number is not None, f"{self.name} has no link to {other.name}"
        return self.ends[number]

    def route(self, other: Host) -> int | None:
        """The number of this host's link to another."""
        link = self.node._parts.linking.links.to(other.node.id)
        return None if link is None else link.number

    def count(self, table: str, name: str) -> int:
        counts = self.node.stats()[table]
        assert isinstance(counts, dict)
        return counts.get(name, 0)


class Pump:
    """Hosts, the streams between them, and the time."""

    def __init__(self, seed: int = 1) -> None:
        self.now = 100.0
        self.seed = seed
        self.hosts: list[Host] = []
        self.listeners: dict[Address, Host] = {}
        self.vanished: set[Address] = set()
        self.patience = 0.0
        """Seconds until a dial to one that vanished comes to nothing."""
        self.walls: set[frozenset[Address | None]] = set()
        """Pairs of addresses between which dials are refused, and datagrams lost."""
        self.mute: set[Address] = set()
        """Hosts behind a firewall that lets no datagrams through."""
        self.targets: set[Address] = set()
        """Where datagrams were sent."""
        self.held = False
        self.lost: Callable[[Host, Said], bool] | None = None
        """What is said of elections and gets lost on its way to a host."""
        self.tell: Callable[[str], None] = lambda line: None
        self._numbers = 0
        self._datagrams: deque[tuple[Address, Address, bytes]] = deque()
        self._late: list[tuple[float, Host, int]] = []
        self._failures: deque[tuple[Host, int, bool]] = deque()

    def wall(self, skew: float = 0.0) -> int:
        return WALL + int((self.now + skew) * 1000)

    def host(
        self,
        number: int,
        *,
        port: int | None = None,
        machine: str = "127.0.0.1",
        skew: float = 0.0,
        durable: bool = False,
        past: Host | None = None,
        **options: object,
    ) -> Host:
        """A new node n<number> of id `number`, at port 9000 + number; port 0: not listening.

        `durable`: it has a disk; that of `past`, if it is another start of that node.
        """
        port = 9000 + number if port is None else port
        settings: dict = {"name": f"n{number}", "node_id": label(number), "cluster": "test"}
        rng = random.Random(self.seed * 1000 + number + 100 * len(self.hosts))
        disk = past.disk if past is not None else {}
        starts = 1 if past is None else past.starts + 1
        memory = Memory(dict(disk or {}), starts) if durable else None
        config = Config(**settings | options)
        node = Node(config, rng, lambda: self.wall(skew), now=self.now, memory=memory)
        host = Host(self, node, f"n{number}", (machine, port) if port else None)
        host.disk, host.starts = (disk, starts) if durable else (None, 1)
        self.hosts.append(host)
        if host.address is not None:
            self.listeners[host.address] = host
            node.listening(host.address, self.now)
        return host

    def restart(self, host: Host, *, skew: float = 0.0) -> Host:
        """Kill a node that has a disk, if it runs, and start it again; what was not synced is lost.
        The test's list of hosts is its own to change.
        """
        if host.alive:
            self.kill(host)
        number = host.node.id[0]
        again = self.host(number, skew=skew, durable=True, past=host)
        for other in self.hosts:
            if other.alive and other is not again:
                self.join(again, other)
        return again

    def sync(self, host: Host) -> None:
        """Put on disk what waits for it."""
        for effect in host.unsynced:
            self._persist(host, effect)
        host.unsynced.clear()

    def _persist(self, host: Host, effect: Persist) -> None:
        assert host.disk is not None, "a node without a disk asks for none"
        for key, value in effect.records.items():
            if value is None:
                host.disk.pop(key, None)
            else:
                host.disk[key] = value
        host.node.persisted(effect.ticket, self.now)

    def cluster(self, count: int, **options: object) -> list[Host]:
        """So many nodes, joined through the first and at rest."""
        hosts = [self.host(number, **options) for number in range(1, count + 1)]
        for host in hosts[1:]:
            self.join(host, hosts[0])
        self.run(2.0)
        return hosts

    def join(self, host: Host, seed: Host) -> None:
        assert seed.address is not None
        host.node.join([seed.address], self.now)

    def kill(self, host: Host) -> None:
        """The process is gone: its streams break, its port refuses."""
        host.alive = False
        if host.address is not None and self.listeners.get(host.address) is host:
            del self.listeners[host.address]
        for end in list(host.ends.values()):
            self.cut(end)

    def cut(self, end: End) -> None:
        """A stream breaks, whatever was under way on it."""
        for each in (end, end.peer):
            if each.open:
                each.open = False
                each.host.ends.pop(each.number, None)
                if each.host.alive:
                    each.host.node.disconnected(each.number, self.now)

    def lose(self, end: End) -> None:
        """A stream breaks for one end only: the other has not noticed yet."""
        end.open = False
        del end.host.ends[end.number]
        end.host.node.disconnected(end.number, self.now)

    def settle(self) -> None:
        """Carry everything out that needs no time to pass."""
        for _ in range(100_000):
            if not self.step():
                return
        raise AssertionError("the nodes never come to rest")

    def run(self, seconds: float) -> None:
        """Let time pass, from deadline to deadline."""
        end = self.now + seconds
        self.settle()
        while True:
            due = [host.node.deadline() for host in self.hosts if host.alive]
            late = min((when for when, _, _ in self._late), default=inf)
            soonest = min((each for each in due if each is not None), default=late)
            soonest = min(soonest, late)
            if soonest > end:
                break
            self.now = max(self.now, soonest)
            over = [each for each in self._late if each[0] <= self.now]
            self._late = [each for each in self._late if each[0] > self.now]
            self._failures.extend((host, ticket, False) for _, host, ticket in over)
            for host in self.hosts:
                if host.alive:
                    host.node.advance(self.now)
            self.settle()
        self.now = end
        self.settle()

    def until(self, holds: Callable[[], bool], seconds: float = 60.0) -> float:
        """Let time pass until something holds; returns how long that took."""
        start = self.now
        self.settle()
        while not holds():
            assert self.now - start < seconds, "it never comes to hold"
            self.run(0.01)
        return self.now - start

    def step(self) -> bool:
        """One turn of every driver; False if there was nothing to do."""
        busy = False
        for host in self.hosts:
            for end in list(host.ends.values()):
                if end.reading and not host.deaf and not self.held:
                    busy |= self.read(end)
        while self._failures:
            host, ticket, refused = self._failures.popleft()
            host.node.dial_failed(ticket, refused, self.now)
            busy = True
        while self._datagrams and not self.held:
            source, target, data = self._datagrams.popleft()
            receiver = self.listeners.get(target)
            ends = {source, target}
            lost = ends & (self.vanished | self.mute) or frozenset(ends) in self.walls
            if receiver is not None and not receiver.deaf and not lost:
                refusal = receiver.node.datagram(data, source, self.now)
                assert not refusal, refusal
                busy = True
        for host in self.hosts:
            if host.alive:
                deadline = host.node.deadline()
                if busy or (deadline is not None and deadline <= self.now):
                    host.node.advance(self.now)
                busy |= self._carry_out(host)
        return busy

    def read(self, end: End) -> bool:
        """Let one piece of a stream through to its end."""
        if not end.waiting or not end.open:
            return False
        data = end.waiting.popleft()
        sender, receiver = end.peer.host, end.host
        if end.peer.open and sender.alive:
            sender.node.sent(end.peer.number, len(data), self.now)
        try:
            for frame in end.framer.feed(data):
                self.on_frame(sender, receiver, end.stream, frame)
                heard = self._heard(receiver, frame)
                if heard:
                    receiver.node.receive(heard, end.number, self.now)
        except WireError as error:
            receiver.errors.append(str(error))
            self.tell(f"{receiver.name} refuses #{end.stream}: {error}")
            self.cut(end)
        if end.open and end.peer.closing and not end.waiting:
            self.cut(end)
        return True

    def _heard(self, receiver: Host, frame: bytes) -> bytes:
        """What is left of a frame without what gets lost."""
        if self.lost is None or frame[0] != Ballots.kind:
            return frame
        ballots = Ballots.decode(frame).ballots
        left = tuple(each for each in ballots if not self.lost(receiver, each[2]))
        return Ballots(left).encode()[LENGTH_BYTES:] if left else b""

    def on_frame(self, sender: Host, receiver: Host, stream: int, frame: bytes) -> None:
        """A frame arrives; for transcripts."""

    def _carry_out(self, host: Host) -> bool:
        effects = host.node.outbox.take()
        for effect in effects:
            match effect:
                case Write(link, frame):
                    end = host.ends.get(link)
                    if end is not None and not end.closing:
                        end.peer.waiting.append(frame)
                case Send(address, data):
                    self.targets.add(address)
                    if host.address is not None:
                        self._datagrams.append((host.address, address, data))
                case Dial(ticket, address):
                    host.dials.append(address)
                    self._dial(host, ticket, address)
                case Close(link, reason):
                    self._close(host, link, reason)
                case Persist():
                    if host.syncing:
                        self._persist(host, effect)
                    else:
                        host.unsynced.append(effect)
                case Emit(event):
                    host.events.append(event)
                    self.on_event(host, event)
        return bool(effects)

    def on_event(self, host: Host, event: object) -> None:
        """A node tells its user something; for transcripts."""

    def _dial(self, host: Host, ticket: int, address: Address) -> None:
        target = self.listeners.get(address)
        wall = frozenset((host.address, address)) in self.walls
        if address in self.vanished or host.deaf or target is None or wall:
            refused = address not in self.vanished and not host.deaf
            self.tell(f"{host.name} dials {address[1]}: {'refused' if refused else 'no answer'}")
            if not refused and self.patience:
                self._late.append((self.now + self.patience, host, ticket))
                return
            self._failures.append((host, ticket, refused))
            return
        self._numbers += 1
        stream = self._numbers
        near, far = End(host, 2 * stream, stream), End(target, 2 * stream + 1, stream)
        near.peer, far.peer = far, near
        self.tell(f"{host.name} dials {address[1]}: #{stream}")
        host.ends[near.number], target.ends[far.number] = near, far
        target.node.connected(far.number, None, self.now)
        host.node.connected(near.number, ticket, self.now)

    def _close(self, host: Host, link: int, reason: str) -> None:
        end = host.ends.get(link)
        if end is None:
            return
        self.tell(f"{host.name} closes #{end.stream}: {reason}")
        end.closing = True
        if not end.peer.waiting or not end.peer.open:
            self.cut(end)
