"""What the users of a swarm's nodes do: write, delete, flush, rename, leave; each is counted
under its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vines._core.table import EPHEMERAL, EXPIRING, TOMBSTONE

if TYPE_CHECKING:
    from vines.simulation.cluster import Simulation
    from vines.simulation.host import Host
    from vines.simulation.plan import Plan
    from vines.simulation.process import Process

UNKNOWN_FLAG = 0x40
UNKNOWN_FAMILY = 200
FOREIGN_LEFT = 5000
"""Milliseconds that records of that family live, where they expire."""
TTLS = (20, 1000, 6000, 30_000)
"""Milliseconds: less than a hop, less than some faults last, some of a run, more than all of it."""


class Operations:
    """Does what users do on a random running host."""

    def __init__(self, simulation: Simulation, plan: Plan) -> None:
        self.simulation = simulation
        self.plan = plan
        self.rng = simulation.rng
        self._serial = 0
        self._leaving: list[tuple[Host, Process | None]] = []

    def perform(self, name: str) -> None:
        """Do one thing, unless nobody is there to do it."""
        hosts = [host for host in self.simulation.nodes if host.process and not host.paused]
        if hosts:
            self.simulation.network.count(f"operation_{name}")
            self.simulation.timeline.record("operation", name)
            getattr(self, f"_{name}")(self.rng.choice(hosts))

    def _write_shared(self, host: Host) -> None:
        host.write(self._shared_key(), 0, self._value())

    def _write_own(self, host: Host) -> None:
        key = f"{host.name}/{self.rng.randint(0, 3)}"
        host.write(key.encode(), 0, self._value())

    def _write_expiring(self, host: Host) -> None:
        key = self._shared_key() if self.rng.random() < 0.5 else b"lease/" + self._shared_key()
        host.write(key, EXPIRING, self._value(), self.rng.choice(TTLS))

    def _write_ephemeral(self, host: Host) -> None:
        """A key of a service, one's own or one that others want, too; perhaps with a time."""
        key = self._shared_key() if self.rng.random() < 0.3 else f"service/{host.name}".encode()
        left = self.rng.choice((0, 0, 0, *TTLS[:2]))
        host.write(key, EPHEMERAL | (EXPIRING if left else 0), self._value(), left)

    def _delete(self, host: Host) -> None:
        host.write(self._shared_key(), TOMBSTONE, b"")

    def _tie(self, host: Host) -> None:
        """Everybody writes one key in the same instant."""
        key = self._shared_key()
        for other in self.simulation.nodes:
            if other.process and not other.paused and other is not host:
                other.write(key, 0, self._value())
        host.write(key, 0, self._value())

    def _burst(self, host: Host) -> None:
        for number in range(self.plan.burst):
            key = self._shared_key() if self.rng.random() < 0.5 else f"burst/{number % 7}".encode()
            host.write(key, 0, self._value())

    def _large(self, host: Host) -> None:
        """A record larger than some frames, buffers and windows."""
        size = self.rng.choice((300, 3000, 9000))
        host.write(self._shared_key(), 0, self._value() + self.rng.randbytes(size))

    def _foreign(self, host: Host) -> None:
        """Flags and families of a later version: to be kept and passed on as they are."""
        clock = host.wall_clock() << 16
        host.write(self._shared_key(), UNKNOWN_FLAG, b"\xc1 no value of ours")
        key, flags = self._shared_key(), self.rng.randint(0, 255)
        left = FOREIGN_LEFT if flags & (EXPIRING | TOMBSTONE) == EXPIRING else 0
        host.put(UNKNOWN_FAMILY, key, flags, b"?", clock, left)

    def _stamped_ahead(self, host: Host) -> None:
        """A stamp of a clock far in the future: ordered like any other, and still overwritten."""
        key = self._shared_key()
        host.put(0, key, 0, self._value(), (host.wall_clock() + 10**9) << 16)
        if self.rng.random() < 0.5:
            host.write(key, 0, self._value())

    def _flush(self, host: Host) -> None:
        if self.rng.random() < 0.5:
            host.write(self._shared_key(), 0, self._value())
        host.flush(self.rng.randint(1, max(1, len(self.simulation.nodes) - 1)))

    def _tags(self, host: Host) -> None:
        host.tags(role=self.rng.choice(("web", "db", "spare")))

    def _leave(self, host: Host) -> None:
        """Leave, and end some time later; the machine may come back as somebody new."""
        if self.rng.random() < 0.9 or len(self.simulation.processes) < 2:
            return
        host.leave()
        self.simulation.network.count("left")
        self._leaving.append((host, host.process))
        delay = self.rng.choice((0.01, 1.0))
        self.simulation.timeline.after(delay, self._end, host, host.process)

    def finish(self) -> None:
        """End what has announced that it leaves."""
        for host, process in self._leaving:
            self._end(host, process)

    def _end(self, host: Host, process: Process | None) -> None:
        if host.process is process and process is not None:
            last = len(self.simulation.processes) < 2
            host.crash()
            if last or self.rng.random() < 0.5:
                host.restart()

    def _join(self, host: Host) -> None:
        host.join(self.rng.sample(self.simulation.nodes, 1))

    def _shared_key(self) -> bytes:
        return f"shared/{self.rng.randint(1, self.plan.shared_keys)}".encode()

    def _value(self) -> bytes:
        """A small well-formed value that nobody wrote before."""
        self._serial += 1
        return b"\xce" + (65536 + self._serial).to_bytes(4, "big")
