"""The faults a swarm injects; each begins at once, ends by itself, and is counted under its name.

Several may be under way together. `Simulation.settle` ends what is left of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vines.simulation.cluster import Simulation
    from vines.simulation.disk import Backup
    from vines.simulation.host import Host
    from vines.simulation.stream import Pipe

DAY = 86_400.0
LONG_SHARE = 0.6
"""Of the time that anybody may be away, for which now and then somebody is."""
DEAD_SECONDS = 20.0
"""Whoever says nothing is held dead by then, however few are there to accuse it."""


class Faults:
    """Injects faults into a simulation, as chance wants it."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self.network = simulation.network
        self.rng = simulation.rng
        self.over = False
        """Set when faults have to stop: nothing begins any more, though some still end."""
        self._backups: dict[int, Backup] = {}
        """A copy of the disk of some hosts, by their numbers."""
        self._back = 0.0
        """When whoever is away for very long has been back for a while."""

    def inject(self, name: str) -> None:
        """Begin a fault, unless there is nothing it could hit now."""
        inject: Callable[[], object] = getattr(self, f"_{name}")
        if inject() is not False:
            self.network.count(f"fault_{name}")
            self.simulation.timeline.record("fault", name)

    # -- partitions

    def _partition_halves(self) -> None:
        hosts = self._shuffled()
        cut = self.rng.randint(1, len(hosts) - 1)
        self._divide(hosts[:cut], hosts[cut:])

    def _partition_isolate(self) -> None:
        hosts = self._shuffled()
        self._divide(hosts[:1], hosts[1:])

    def _partition_one_way(self) -> None:
        hosts = self._shuffled()
        cut = self.rng.randint(1, len(hosts) - 1)
        self._block(hosts[:cut], hosts[cut:])

    def _partition_bridge(self) -> bool:
        """Two halves that only one host reaches."""
        _, *hosts = self._shuffled()
        cut = self.rng.randint(0, len(hosts))
        self._divide(hosts[:cut], hosts[cut:])
        return 0 < cut < len(hosts)

    def _partition_ring(self) -> bool:
        """Each host only reaches its two neighbours: overlapping majorities."""
        hosts = self._shuffled()
        for index, host in enumerate(hosts):
            near = {(index - 1) % len(hosts), index, (index + 1) % len(hosts)}
            self._block([host], [hosts[other] for other in range(len(hosts)) if other not in near])
        return len(hosts) > 3

    def _partition_any(self) -> None:
        """Any set of directions."""
        share = self.rng.choice((0.2, 0.5, 0.8))
        for source in self.simulation.nodes:
            for target in self.simulation.nodes:
                if source is not target and self.rng.random() < share:
                    self._block([source], [target])

    def _swizzle(self) -> None:
        """Cut hosts off one by one and let them back in another order."""
        hosts = self._shuffled()[: self.rng.randint(1, len(self.simulation.nodes))]
        for number, host in enumerate(hosts):
            others = [other for other in self.simulation.nodes if other is not host]
            self._later(0.3 * number, self._divide, [host], others)

    def _divide(self, one: list[Host], other: list[Host]) -> None:
        self._block(one, other)
        self._block(other, one)

    def _block(self, sources: list[Host], targets: list[Host]) -> None:
        if not self.over:
            self.network.block(sources, targets)
            self._later(self._duration(), self.network.open, sources, targets)

    # -- streams

    def _cut(self) -> bool:
        pipe = self._pipe()
        if pipe is None:
            return False
        self.network.cut(pipe.source.stream)
        return True

    def _cut_between_frames(self) -> bool:
        """Let a direction deliver some more frames and lose the ones that follow them."""
        pipe = self._pipe()
        if pipe is None or pipe.severed:
            return False
        pipe.cut_after = self.rng.randint(1, 4)
        return True

    def _delta_lost(self) -> bool:
        """Let a receiver lose whole deltas, which TCP never does: the gap has to be seen,
        refused and pulled.
        """
        pipe = self._pipe()
        if pipe is None:
            return False
        pipe.target.losing = self.rng.randint(1, 3)
        return True

    def _clog(self) -> bool:
        pipe = self._pipe()
        if pipe is None or pipe.clogged:
            return False
        pipe.clogged = True
        self._later(self._duration(), pipe.unclog)
        return True

    def _slow_link(self) -> None:
        source, target = self._shuffled()[:2]
        pair = source.number, target.number
        self.network.slow[pair] = self.rng.choice((0.05, 0.5, 2.0))
        self._later(self._duration(), self.network.slow.pop, pair, None)

    def _packet_loss(self) -> None:
        conditions = self.network.conditions
        before = conditions.loss
        conditions.loss = self.rng.choice((0.1, 0.5))
        self._later(self._duration(), setattr, conditions, "loss", before)

    def _dial_loss(self) -> None:
        conditions = self.network.conditions
        before = conditions.dial_failure
        conditions.dial_failure = self.rng.choice((0.3, 0.9))
        self._later(self._duration(), setattr, conditions, "dial_failure", before)

    def _datagram_chaos(self) -> None:
        """Datagrams come twice, late and out of order."""
        conditions = self.network.conditions
        before = conditions.duplication, conditions.straggling
        conditions.duplication = self.rng.choice((0.1, 0.5))
        conditions.straggling = self.rng.choice((0.1, 0.5))
        self._later(self._duration(), self._set_chaos, *before)

    def _set_chaos(self, duplication: float, straggling: float) -> None:
        self.network.conditions.duplication = duplication
        self.network.conditions.straggling = straggling

    def _datagrams_blocked(self) -> None:
        """A firewall around one host lets streams through, and no datagrams."""
        host = self.rng.choice(self.simulation.nodes)
        host.datagrams_blocked = True
        self._later(self._duration(), setattr, host, "datagrams_blocked", False)

    # -- machines

    def _pause(self) -> bool:
        host = self._running()
        if host is None or host.paused:
            return False
        host.pause()
        self._later(self._duration(), host.resume)
        return True

    def _crash(self, *, power: bool = False) -> bool:
        """End a process; most come back, after a while or at once, with another clock."""
        host = self._running()
        if host is None or len(self.simulation.processes) < 2:
            return False
        host.crash(power=power)
        if self.rng.random() < 0.8:
            self._later(self.rng.choice((0.0, 0.1, 2.0, 8.0)), self._restart, host)
        return True

    def _power_loss(self) -> bool:
        return self._crash(power=True)

    def _restart(self, host: Host) -> None:
        if not self.over and host.process is None:
            self.network.count("fault_restart")
            host.restart()

    def _clock_jump(self) -> None:
        host = self.rng.choice(self.simulation.nodes)
        jump = self.rng.choice((-3600.0, -1.0, 0.5, 30.0, 90.0, 3600.0, 2 * DAY, -2 * DAY))
        host.skew += jump
        self._later(self._duration(), self._set_clock, host, jump)

    def _clock_drift(self) -> None:
        """Step a clock by a little, again and again."""
        host = self.rng.choice(self.simulation.nodes)
        step = self.rng.choice((-0.01, 0.01, 0.05))
        for number in range(20):
            self._later(0.1 * number, self._set_clock, host, -step)

    def _set_clock(self, host: Host, back: float) -> None:
        if not self.over:
            host.skew -= back

    # -- absences

    def _absence(self) -> bool:
        """Cut some hosts off, together, until nobody waits for them any more, and some time on."""
        hosts = self._shuffled()
        most = max(1, len(hosts) // 2)
        away = hosts[: self.rng.randint(1, most)]
        if self.over or any(self.network.blocked(host, hosts[-1]) for host in away):
            return False
        self._cut_off(away, hosts[len(away) :], self._long())
        return True

    def _cut_off(self, away: list[Host], there: list[Host], seconds: float) -> None:
        for sources, targets in ((away, there), (there, away)):
            self.network.block(sources, targets)
            self._later(seconds, self.network.open, sources, targets)

    def _standstill(self) -> bool:
        """Stop a process for as long: to itself no time has passed when it goes on."""
        host = self._running()
        if host is None or host.paused:
            return False
        host.pause()
        self._later(self._long(), host.resume)
        return True

    def _restart_away(self) -> bool:
        """Start a process anew that is cut off from all others but one, which is as well."""
        hosts = self._shuffled()
        if self.over or len(hosts) < 3 or hosts[0].process is None or hosts[1].process is None:
            return False
        self._cut_off(hosts[:2], hosts[2:], self._long())
        hosts[0].restart()
        return True

    def _restored_backup(self) -> bool:
        """Put back a copy that was made of a disk long ago, and start with it; mostly that is
        noticed. At first there is none, and it is made.
        """
        durable = [host for host in self._shuffled() if host.disk is not None]
        if self.over or not durable or len(self.simulation.processes) < 2:
            return False
        host, disk = durable[0], durable[0].disk
        assert disk is not None, "just chosen so"
        backup = self._backups.get(host.number)
        if backup is None:
            self._backups[host.number] = disk.backup()
            return False
        if host.process is not None:
            host.crash()
        disk.restore(backup)
        disk.trusted = self.rng.random() < 0.3
        del self._backups[host.number]
        self._later(self._long() if self.rng.random() < 0.5 else 0.1, self._restart, host)
        return True

    def _long(self) -> float:
        """Longer than any that is dead is waited for."""
        config = self.simulation.nodes[0].config
        # Absences follow each other: what one misses for another reason after that adds up.
        if config.forget_after is not None and self.simulation.now >= self._back:
            seconds = LONG_SHARE * config.forget_after
            self._back = self.simulation.now + config.forget_after
            return seconds
        return DEAD_SECONDS + config.dead_retention + self.rng.choice((1.0, 10.0, 30.0))

    # -- chance

    def _later(self, delay: float, action: Callable[..., object], *arguments: object) -> None:
        self.simulation.timeline.after(delay, lambda: action(*arguments))

    def _duration(self) -> float:
        return self.rng.choice((0.1, 0.5, 2.0, 6.0)) * (0.5 + self.rng.random())

    def _shuffled(self) -> list[Host]:
        return self.rng.sample(self.simulation.nodes, len(self.simulation.nodes))

    def _running(self) -> Host | None:
        hosts = [host for host in self.simulation.nodes if host.process is not None]
        return self.rng.choice(hosts) if hosts else None

    def _pipe(self) -> Pipe | None:
        streams = list(self.network.streams.values())
        return self.rng.choice(self.rng.choice(streams).pipes) if streams else None
