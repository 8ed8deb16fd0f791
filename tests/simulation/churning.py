"""A small cluster over weeks or months: members come and go, parts of it are away for days, copies
of disks are put back, and all of them write and delete the same few keys.

A virtual day costs a tenth of a second where nothing happens, as all that nodes do by themselves is
a thousand times slower than usual.
"""

from __future__ import annotations

import gc
from collections import Counter
from random import Random
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

from vines._core.digest import vector_pages
from vines.simulation import Host, Simulation

if TYPE_CHECKING:
    from vines._core.table import Table
    from vines.simulation.disk import Backup
    from vines.simulation.process import Process

HOUR = 3600.0
DAY = 24 * HOUR
RETENTION = DAY
SLOW = {
    "probe_interval": 600.0,
    "probe_timeout": 60.0,
    "suspicion_factor": 1.0,
    "sync_interval": 600.0,
    "heal_interval": HOUR,
    "dead_retention": RETENTION,
    "collect_interval": HOUR / 2,
    "seed_delay_max": HOUR,
    "keepalive_interval": HOUR,
    "keepalive_timeout": 2 * HOUR,
    "announce_interval": 60.0,
}
KEYS = 8
"""That all of them write."""
LEASES = 4
"""The same of keys that expire."""
LEASE_SECONDS = (60.0, HOUR, 3 * DAY)
DAYS_EVERY = 4
"""So many storms come to a day on which other things happen, too."""
FROZEN_EVERY = 16
"""After so many storms what there is is no longer looked through for rubbish."""
AHEAD_SECONDS = 3700.0
"""How far a clock may be ahead that was put forward by an hour, and by what was written in one
millisecond."""


class Churn:
    """What happens to one cluster, as a seed wants it; `seen` counts that."""

    def __init__(self, seed: int, nodes: int = 4) -> None:
        self.rng = Random(f"churn {seed}")
        self.simulation = Simulation(seed, nodes=nodes, durable=nodes // 2, config=dict(SLOW))
        for host in self.simulation.nodes:
            host.past_max = 3
        self.seen: Counter[str] = Counter()
        self._backups: dict[int, Backup] = {}
        self._away: list[Host] = []
        self._clocks: dict[str, int] = {}
        self._serial = 0
        self.simulation.run(HOUR)

    @property
    def identities(self) -> int:
        """Processes that ever ran."""
        return sum(host.starts for host in self.simulation.nodes)

    def live(self, days: int) -> None:
        """Some days of it, and then calm until everything that is over has been forgotten."""
        for _ in range(days):
            self._day()
        self.rest()

    def live_until(self, identities: int, storm: int) -> None:
        """Live until so many processes have run, most of them in storms of so many starts."""
        for host in self.simulation.nodes:
            host.past_max = 1
        while self.identities < identities:
            self._storm(min(storm, identities - self.identities))
            self.simulation.run(self.rng.choice((HOUR, DAY / 2)))
            self._heal()
            self.simulation.run(2 * HOUR)
            if self.seen["storm"] % DAYS_EVERY == 0:
                self._day()
            for host in self.simulation.nodes:
                host.events.clear()
            if self.seen["storm"] % FROZEN_EVERY == 0:
                gc.collect()
                gc.freeze()  # What the checks know of all that was ever written stays.
        self.rest()

    def rest(self) -> None:
        """Let calm come, and last until everything that is over has been forgotten."""
        self._heal()
        for host in self.simulation.nodes:
            host.skew = 0.0
            host.resume()
        self.simulation.run(3 * RETENTION + DAY)
        self.simulation.settle(DAY)

    def _day(self) -> None:
        """Some hours or days with a few things in them."""
        for _ in range(self.rng.randint(1, 6)):
            name = self.rng.choice(tuple(SHARES))
            getattr(self, f"_{name}")()
            self.seen[name] += 1
            self.simulation.run(self.rng.choice((10.0, HOUR, 4 * HOUR)))

    def _write(self) -> None:
        for _ in range(self.rng.randint(1, 4)):
            self._write_at(self._running(), self._key())

    def _lease(self) -> None:
        """Keys with a time to live, and keys that live as long as their owner."""
        for _ in range(self.rng.randint(1, 4)):
            host = self._running()
            ttl = self.rng.choice(LEASE_SECONDS)
            self._write_at(host, f"lease/{self.rng.randrange(LEASES)}", ttl=ttl)
            self._write_at(self._running(), f"service/{host.number}", ephemeral=True)

    def _write_at(self, host: Host, key: str, **how: Any) -> None:
        self._serial += 1
        over = _stamp(host, key)
        host.gossip(key, self._serial, **how)
        assert host[key] == self._serial, "K8: what was written is there at once"
        self._stamped(host, key, over)

    def _delete(self) -> None:
        for _ in range(self.rng.randint(1, 4)):
            host, key = self._running(), self._key()
            over = _stamp(host, key)
            host.delete(key)
            assert key not in host, "K8: what was deleted is gone at once"
            self._stamped(host, key, over)

    def _stamped(self, host: Host, key: str, over: int) -> None:
        """K6: the clock of a process rises with each write, whatever became of that of its machine,
        and stamps it, but for a write that wins over what the clock does not believe: that is just
        above it.
        """
        process, stamp = _process(host), _stamp(host, key)
        data = process.node.data
        assert data.clock > self._clocks.get(process.name, 0), "K6: a clock fell"
        assert stamp == max(data.clock, over + 1, data.floor_stamp + 1), "K6: a stamp fell"
        self._clocks[process.name] = data.clock
        ahead = (stamp >> 16) / 1000 - self.simulation.nodes[0].wall_clock() / 1000
        assert ahead < 2 * AHEAD_SECONDS, "K6: a stamp ran away from all clocks"

    def _restart(self) -> None:
        self.rng.choice(self.simulation.nodes).restart()

    def _restarts(self) -> None:
        """A process that ends again and again: each start is another source."""
        host = self.rng.choice(self.simulation.nodes)
        for _ in range(self.rng.randint(2, 12)):
            host.restart()
            self.simulation.run(self.rng.choice((1.0, 60.0)))
            host.gossip(self._key(), self._serial)

    def _storm(self, starts: int) -> None:
        """A process that ends as soon as it has said something, for hours, next to one that has
        nothing to do with all others: these hear of it when that is over.
        """
        self._heal()
        hosts = self.rng.sample(self.simulation.nodes, len(self.simulation.nodes))
        again, witness, *others = hosts
        self.simulation.partition(hosts[:2], others)
        witness.restart()
        for start in range(starts):
            again.restart([witness])
            self.simulation.run(self.rng.choice((1.0, 10.0)))
            match self.rng.randrange(8):
                case 0:
                    self._write_at(again, self._key())
                case 1:
                    self._write_at(again, f"lease/{self.rng.randrange(LEASES)}", ttl=HOUR)
                case 2:
                    again.delete(self._key())
                case _:
                    # Another key each time: the checks remember all that was written to one.
                    key = f"service/{again.number}/{self.seen['storm']}"
                    self._write_at(again, key, ephemeral=True)
            if self.rng.randrange(4):
                again.leave()
            self.simulation.run(self.rng.choice((0.1, 1.0)) if start % 32 else HOUR)
        again.restart()
        self._away = hosts[:2]
        self.seen["storm"] += 1

    def _leave(self) -> None:
        host = self._running()
        host.leave()
        self.simulation.run(60.0)
        host.restart()

    def _absence(self) -> None:
        """Some are cut off, for hours or for days; who is away already comes back."""
        if self._away:
            self._heal()
            return
        hosts = self.rng.sample(self.simulation.nodes, len(self.simulation.nodes))
        count = self.rng.randint(1, len(hosts) // 2)
        self._away = hosts[:count]
        self.simulation.partition(self._away, hosts[count:])

    def _standstill(self) -> None:
        host = self.rng.choice(self.simulation.nodes)
        if host.paused:
            host.resume()
        else:
            host.pause()

    def _backup(self) -> None:
        """Copy a disk, or put an old copy back and start with it: who does that is noticed, or it
        is not.
        """
        host = self.simulation.nodes[self.rng.randrange(len(self.simulation.nodes) // 2)]
        assert host.disk is not None
        backup = self._backups.pop(host.number, None)
        if backup is None:
            self._backups[host.number] = host.disk.backup()
            return
        if host.process is not None:
            host.crash()
        host.disk.restore(backup)
        host.disk.trusted = self.rng.random() < 0.5
        self.seen["backup restored"] += 1
        host.restart()

    def _clock(self) -> None:
        self.rng.choice(self.simulation.nodes).skew = self.rng.choice((-HOUR, -1.0, 0.0, 1.0, HOUR))

    def _heal(self) -> None:
        if self._away:
            self.simulation.heal()
            self._away = []

    def _key(self) -> str:
        return f"k{self.rng.randrange(KEYS)}"

    def _running(self) -> Host:
        return self.rng.choice([host for host in self.simulation.nodes if not host.paused])


SHARES = (
    *("write", "write", "write", "delete", "delete", "lease", "restart", "restarts", "leave"),
    *("absence", "absence", "standstill", "backup", "clock"),
)


def _stamp(host: Host, key: str) -> int:
    """That of what is held under a key; 0 if nothing is."""
    held = _process(host).node.data.get(0, key.encode())
    return 0 if held is None else held[0]


def _process(host: Host) -> Process:
    assert host.process is not None
    return host.process


def tables(host: Host) -> tuple[Table, Table]:
    """The control table and the data table of who runs there."""
    node = _process(host).node
    return node.control, node.data


def entries(host: Host) -> int:
    """Of all containers of Python that can be reached from who runs there."""
    seen: set[int] = set()
    left: list[object] = [_process(host).node]
    found = 0
    while left:
        each = left.pop()
        if id(each) in seen or isinstance(each, type | ModuleType | FunctionType | Host):
            continue
        seen.add(id(each))
        if isinstance(each, dict | list | set | frozenset | tuple):
            found += len(each)
        left.extend(gc.get_referents(each))
    return found


def vector_bytes(host: Host) -> list[int]:
    """What its vectors take with ids."""
    return [sum(map(len, vector_pages(table, 1 << 16))) for table in tables(host)]


def idle_bytes(simulation: Simulation, seconds: float) -> int:
    """What all processes send while nothing happens."""

    def sent() -> int:
        return sum(one.stream_bytes + one.datagram_bytes for one in simulation.processes)

    before = sent()
    simulation.run(seconds)
    return sent() - before
