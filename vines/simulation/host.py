"""A simulated machine: an address, a clock that may be wrong, and at most one running node.

This is what a test holds in its hands: write and read as with a Vine, and crash, restart, pause
or mislead the machine in between. Time only passes in `Simulation.run` and `settle`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from vines._core.table import DATA, EPHEMERAL, EXPIRING, TOMBSTONE
from vines.errors import Closed, MissingKey
from vines.events import Flushed, Member
from vines.simulation.oracle import Violation, Written
from vines.simulation.process import Process
from vines.values import codec as values
from vines.values.ttl import Ttl, milliseconds

if TYPE_CHECKING:
    from vines._core.table import Table
    from vines.config import Config
    from vines.protocol.machine import Address
    from vines.simulation.cluster import Simulation
    from vines.simulation.disk import Disk

EPOCH_MILLISECONDS = 1_700_000_000_000
"""The wall clock at the start of a simulation, on machines whose clock is right."""


class Host:
    """One machine of a simulation.

    `address` is where its node listens, if it `listens`. `skew` is what its wall clock is ahead by,
    in seconds; `rate`, how many its monotonic clock counts in one, from the next start on;
    `slowness`, how many at most its process comes late to what arrived; `lateness`, to anything.
    `events` is everything its nodes told their users, in order. `disk`: what survives its
    processes; None: each start is another node.
    """

    def __init__(
        self,
        simulation: Simulation,
        number: int,
        config: Config,
        disk: Disk | None = None,
        *,
        listens: bool = True,
    ) -> None:
        self.simulation = simulation
        self.number = number
        self.name = f"node-{number}"
        self.address: Address = (f"10.0.{number >> 8}.{number & 255}", 7000)
        self.config = config
        self.listens = listens
        self.process: Process | None = None
        self.past: list[Process] = []
        """The processes that ran here before; their tables stay as they were when they ended."""
        self.past_max: int | None = None
        """So many of these are kept, the last; None: all, which thousands of starts have no room
        for."""
        self.starts = 0
        """Processes that ever ran here."""
        self.powered = True
        self.paused = False
        self.stood_still = 0.0
        """Seconds for which processes here were paused, up to when they last went on."""
        self.datagrams_blocked = False
        """Whether a firewall lets no UDP in or out."""
        self.skew = 0.0
        self.rate = 1.0
        self.slowness = 0.0
        self.lateness = 0.0
        self.disk = disk
        self.events: list[object] = []
        self.seeds: set[Address] = set()
        """Every address the running node was told to join."""
        self._flushes: dict[tuple[str, int], tuple[int, bytes, int]] = {}
        self._paused_at = 0.0

    def __repr__(self) -> str:
        return f"<Host {self.name} {'up' if self.process else 'down'}>"

    # -- the life of the machine

    def start(self, seeds: Iterable[Host] = ()) -> None:
        """Start a node with empty tables, at the old address, that joins these seeds: a fresh
        identity, or with a disk that of its earlier starts.
        """
        assert self.process is None, "one node at a time"
        self.powered = True
        self.paused = False
        self.seeds = set()
        process = self.process = self._begin()
        for spectator in self.simulation.spectators:
            spectator.started(process)
        if self.listens:
            process.call(lambda: process.node.listening(self.address, process.now))
        self.join(seeds)

    def crash(self, *, power: bool = False) -> None:
        """End the node without a word. Its kernel resets the streams, unless the whole machine
        lost power.
        """
        process = self._up()
        self.process = None
        self.past.append(process)
        if self.past_max is not None:
            del self.past[: -self.past_max]
        self.powered = not power
        process.stop(power=power)
        for spectator in self.simulation.spectators:
            spectator.ended(process)

    def restart(self, seeds: Iterable[Host] | None = None) -> None:
        """Crash if it runs, and start again, with all other hosts as seeds unless given."""
        if self.process is not None:
            self.crash()
        others = [host for host in self.simulation.nodes if host is not self]
        self.start(others if seeds is None else seeds)

    def pause(self) -> None:
        """Stop the process as SIGSTOP does: its kernel goes on taking bytes."""
        if not self.paused:
            self._paused_at = self.simulation.now
        self.paused = True

    def resume(self) -> None:
        """Let a paused process go on."""
        if self.paused:
            self.stood_still += self.simulation.now - self._paused_at
        self.paused = False
        if self.process is not None:
            self.process.wake()

    def wall_clock(self) -> int:
        """Milliseconds since 1970, as this machine sees it."""
        return EPOCH_MILLISECONDS + int((self.simulation.timeline.now + self.skew) * 1000)

    # -- what its user does

    def join(self, seeds: Iterable[Host]) -> None:
        """Tell the node where others are."""
        process = self._up()
        addresses = [host.address for host in seeds if host.listens]
        if addresses:
            self.seeds.update(addresses)
            process.call(lambda: process.node.join(addresses, process.now))

    def leave(self) -> None:
        """Announce the end; the node goes on serving its peers until it is crashed or restarted."""
        process = self._up()
        process.call(lambda: process.node.leave(process.now))

    def tags(self, **tags: str) -> None:
        """Replace the node's tags."""
        process = self._up()
        process.call(lambda: process.node.tags(tags, process.now))

    def gossip(
        self, key: str, value: object, ttl: Ttl | None = None, *, ephemeral: bool = False
    ) -> None:
        """Write a value here; the others have it once time has passed, until it lapses if it has
        a time to live, or if it is ephemeral and this node has not.
        """
        left = milliseconds(ttl)
        flags = (EXPIRING if left else 0) | (EPHEMERAL if ephemeral else 0)
        self.write(key.encode(), flags, values.pack(value), left)

    def delete(self, key: str) -> None:
        """Delete a key; harmless if it is not there."""
        self.write(key.encode(), TOMBSTONE, b"")

    def get(self, key: str, default: object = None) -> Any:
        """The value held here now."""
        data = self._table().value(key.encode())
        return default if data is None else values.unpack(data)

    def __getitem__(self, key: str) -> Any:
        missing = object()
        value = self.get(key, missing)
        if value is missing:
            raise MissingKey(key)
        return value

    def __contains__(self, key: str) -> bool:
        return self._table().value(key.encode()) is not None

    def keys(self) -> list[str]:
        """The live keys held here now, sorted."""
        table = self._table()
        records = table.records()
        return [key.decode() for family, key, *_ in records
                if family == DATA and table.value(key) is not None]  # fmt: skip

    def members(self) -> list[Member]:
        """Everybody this node knows, itself first."""
        return self._up().node.members()

    def known_addresses(self) -> set[Address]:
        """Where the node could dial: its seeds and the members it knows, dead ones too."""
        members = {member.address for member in self.members() if member.address}
        return members | self.seeds

    def flush(self, members: int = 1) -> int:
        """Ask that so many others hold everything written here so far; `Flushed` with this token
        tells.
        """
        process = self._up()
        token = process.node.flush(members, process.now)
        data = process.node.data
        self._flushes[process.name, token] = (members, data.source, data.counter)
        process.wake()
        return token

    def write(self, key: bytes, flags: int, value: bytes, left: int = 0) -> None:
        """A local write of raw bytes, with any flags; `left`: ms until it lapses, if it does."""
        process = self._up()
        stamp = self._table().write(key, flags, value, self.wall_clock() << 16, left)
        self._wrote(process, DATA, key, stamp, flags, value, clocked=True)

    def put(
        self, family: int, key: bytes, flags: int, value: bytes, stamp: int, left: int = 0
    ) -> None:
        """A local write of any family with a given stamp, as a later version of vines might do
        it.
        """
        process = self._up()
        if self._table().put(family, key, flags, value, stamp, left):
            self._wrote(process, family, key, stamp, flags, value, clocked=False)

    # -- what its process tells

    def happened(self, process: Process, event: object) -> None:
        """The node told its user something; a flush is believed only if it is true."""
        self.events.append(event)
        for spectator in self.simulation.spectators:
            spectator.told(process, event)
        if isinstance(event, Flushed):
            members, source, counter = self._flushes.pop((process.name, event.token))
            self.simulation.network.count("flushed")
            holders = self.simulation.holders(process, source, counter)
            if holders < members:
                raise Violation(f"{process.name} was told {members} hold its writes, {holders} do")

    def closed(self, reason: str) -> None:
        """The node closed a link, and said why."""
        self.simulation.closed[reason] += 1

    def _begin(self) -> Process:
        """A process, with what is on disk for it."""
        start, self.starts = self.starts, self.starts + 1
        memory = None if self.disk is None else self.disk.open()
        if self.disk is None or memory is None:
            return Process(self, start, self.config)
        config = self.config.replace(node_id=self.disk.identity)
        process = Process(self, start, config, disk=self.disk, memory=memory)
        self.disk.use(process)
        return process

    def _wrote(
        self,
        process: Process,
        family: int,
        key: bytes,
        stamp: int,
        flags: int,
        value: bytes,
        *,
        clocked: bool,
    ) -> None:
        table = process.node.data
        written = Written(
            family, key, stamp, table.source, table.source, table.counter, flags, value
        )
        self.simulation.largest_record = max(
            self.simulation.largest_record, len(key) + len(value) + 128
        )
        self.simulation.data.wrote(written, table.covered if clocked else None)
        process.follower.wrote((family, key), written.rank, flags)
        process.check()
        process.wake()

    def _table(self) -> Table:
        """The data table, told the time as every user's call does."""
        process = self._up()
        process.node.data.tick(process.now)
        return process.node.data

    def _up(self) -> Process:
        if self.process is None:
            raise Closed(f"{self.name} is down: start or restart it first")
        return self.process
