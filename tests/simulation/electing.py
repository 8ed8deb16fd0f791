"""A world of elections: random hosts, some with disks, users who call, vote and act, and every
fault of networks, machines, clocks and disks; its history and its nodes' promises are checked.

`World(seed).run()` goes on with faults to the end. With `lively` they end after a while, but for
machines that never come back, and what can be decided has to be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from vines.errors import InvalidElection, StorageError, VoteRefused
from vines.events import Outcome, Quorum, Settled
from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.decree import Record
from vines.protocol.elections.electorate import Electorate
from vines.protocol.elections.matter import Matter
from vines.protocol.elections.shelf import read_part
from vines.protocol.elections.voters import voter_of
from vines.simulation import Conditions, Simulation, Spectator, Violation
from vines.simulation.disk import Backup
from vines.simulation.faults import Faults
from vines.simulation.host import Host
from vines.simulation.process import Process
from vines.spelling import is_name

from .history import Called, Checker, Finished, Started, Told, Voted, Word
from .promises import Promises

SECONDS = 22.0
"""Virtual time with faults."""
LIVELY_SECONDS = 12.0
CALM_SECONDS = 60.0
"""Virtual time in which everything that can be decided has to be, once there are no faults."""
DEADLINE_SECONDS_MAX = 20.0
NETWORK_FAULTS = (
    *("partition_halves", "partition_isolate", "partition_one_way", "partition_bridge"),
    *("partition_ring", "partition_any", "swizzle", "cut", "clog", "slow_link", "pause"),
    *("clock_jump", "packet_loss", "dial_loss"),
)
FAULTS = ("crash", "crash", "crash_near_sync", "crash_near_sync", "slow_disk", "sync_error")
RARE_FAULTS = ("lost_disk", "old_copy", "disk_absent", "crash_all")
CHOICES = ("red", "green", "blue")
NEAR_SYNC_SECONDS = 0.001


@dataclass
class Topic:
    """What its callers agree on, and the criteria they may not agree on."""

    name: str
    total: int
    roll: tuple[tuple[bytes, int], ...]
    criteria: list[Criteria]
    council: int
    tiebreak: bool

    def call(self, rng: Random, seconds: float) -> Call:
        """What one caller asks for."""
        criteria = self.criteria[0] if rng.random() < 0.85 else rng.choice(self.criteria)
        return Call(criteria, self.total, seconds, self.roll, self.council, self.tiebreak)


class World(Spectator):
    """A simulation and its users. Everything is drawn from the seed."""

    def __init__(self, seed: int, *, lively: bool = False) -> None:
        self.rng = rng = Random(f"elections {seed}")
        self.lively = lively
        self.over = False
        self.history: list[object] = []
        latency = rng.choice((0.0005, 0.0005, 0.005, 0.03))
        conditions = Conditions(
            latency=latency,
            jitter=latency * rng.choice((0.5, 3.0)),
            loss=rng.choice((0.0, 0.0, 0.05)),
            patience=rng.choice((2.0, 8.0)),
            lag=rng.choice((0.0, 0.0002, 0.005)),
        )
        nodes = rng.choice((3, 3, 4, 5, 5, 6, 7))
        self.simulation = Simulation(
            seed,
            nodes=nodes,
            durable=rng.choice((0, nodes // 2, nodes, nodes, nodes)),
            conditions=conditions,
            config={"heal_interval": rng.choice((2.0, 10.0))},
            start=False,
            watching=False,
        )
        self.simulation.replay = f"World({seed}, lively={lively}).run() of tests/simulation"
        self.promises = Promises(self.history)
        self.simulation.spectators += [self.promises, self]
        self.hosts = self.simulation.nodes
        self.faults = Faults(self.simulation)
        self.kinds = [name for name in NETWORK_FAULTS if rng.random() < 0.5]
        self.kinds += [name for name in FAULTS if rng.random() < 0.7]
        self.kinds += [name for name in RARE_FAULTS if rng.random() < 0.25]
        self.fault_interval = rng.choice((0.4, 1.0, 3.0))
        self.durable = [host for host in self.hosts if host.disk is not None]
        self.topics = [self._topic(number) for number in range(rng.randint(2, 5))]
        self.wanted: dict[Host, dict[str, Call]] = {host: {} for host in self.hosts}
        """What each user last called for: known to it after a restart, too."""
        self.shortest: dict[tuple[str, str], float] = {}
        """The least time that a process has called for; which call stands is up to its node."""
        self.unwilling = {host for host in self.hosts if rng.random() < 0.15}
        """Whose users act on nothing."""
        self.backups: dict[Host, Backup] = {}
        self.abandoned: set[tuple[str, int]] = set()
        for host in self.hosts:
            if rng.random() < 0.5:
                host.rate = 2 ** rng.uniform(-1, 1)

    def _topic(self, number: int) -> Topic:
        rng, roll, total = self.rng, (), 0
        names = [host.name for host in self.durable]
        if len(names) > 1 and rng.random() < 0.5:
            voters = rng.sample(names, rng.randint(2, len(names)))
            heavy = rng.random() < 0.3
            weights = [rng.choice((0, 1, 2, 3)) if heavy else 1 for _ in voters]
            weights[0] = max(weights[0], 1)
            roll = tuple(sorted(zip(map(voter_of, voters), weights, strict=True)))
        else:
            total = rng.randint(1, min(4, len(self.hosts)))
        weight = sum(each for _, each in roll) or total
        choices = CHOICES if rng.random() < 0.25 else ()
        leasts = [rng.choice((1, weight // 2 + 1, weight)), rng.randint(1, weight)]
        plurality = bool(choices) and rng.random() < 0.4
        return Topic(
            name=f"topic {number}",
            total=total,
            roll=roll,
            criteria=[Criteria(choices, least, plurality) for least in leasts],
            council=0 if roll or total < 3 or rng.random() < 0.8 else total - 1,
            tiebreak=rng.random() < 0.2,
        )

    # -- the run

    def run(self) -> Counter[str]:
        """Everything, to the end. Raises Violation."""
        for host in self.hosts:
            self.simulation.timeline.after(0.3 * self.rng.random(), self._start, host)
        self._next(self._use, lambda: 0.25)
        self._next(self._fault, lambda: self.fault_interval)
        seconds = LIVELY_SECONDS if self.lively else SECONDS
        self.simulation.run(seconds)
        self.over = self.faults.over = True
        if self.lively:
            self._calm()
        else:
            self.simulation.run(3.0)
        return self.check()

    def check(self) -> Counter[str]:
        """Hold the history against what is promised; returns what was seen."""
        checker = Checker()
        with self.simulation.explaining():
            for entry in self.history:
                checker.take(entry)  # type: ignore[arg-type]
            checker.end()
        for each in self.history:
            if isinstance(each, Told) and isinstance(each.event, Settled):
                outcome = each.event.outcome
                if (outcome.topic, outcome.round) in self.abandoned:
                    checker.seen["abandoned round decided"] += 1
        counts = self.simulation.counts
        return (
            checker.seen
            + self.promises.seen
            + Counter({name: counts[name] for name in counts if not name.startswith("frame_")})
        )

    def _next(self, action: Callable[[], None], interval: Callable[[], float]) -> None:
        def act() -> None:
            if not self.over:
                action()
                self._next(action, interval)

        self.simulation.timeline.after(self.rng.expovariate(1 / interval()), act)

    # -- as a spectator

    def told(self, process: Process, event: object) -> None:
        """Write it down; whoever is to act does, or dies of it."""
        when = self.simulation.now
        self.history.append(Told(process.name, event, when))
        if not isinstance(event, Quorum):
            return
        outcome = event.outcome
        if self.rng.random() < (0.0 if self.over else 0.2):
            self._later(self.rng.choice((0.0, 0.001, 0.2)), self._crash, process.host, process)
        elif self.rng.random() < 0.8:
            delay = self.rng.choice((0.0, 0.01, 0.5))
            self._later(delay, process.call, self._finish, process, outcome)

    def _finish(self, process: Process, outcome: Outcome) -> None:
        process.node.elections().finished(outcome.topic, outcome.round)
        self.history.append(Finished(process.name, outcome.topic, outcome.round))

    # -- users

    def _start(self, host: Host) -> None:
        if host.process is not None:
            return
        if host.disk is not None:
            self._count_kept(host)
        host.start([other for other in self.hosts if other is not host])
        process = host.process
        assert process is not None
        process.call(self._started, process)

    def _count_kept(self, host: Host) -> None:
        assert host.disk is not None
        parts = [read_part(each) for key, each in host.disk.records.items() if key[:4] == b"part"]
        count = self.simulation.network.count
        for part in parts:
            if part.record.refused or (part.enrolment.passed and not part.enrolment.bound):
                count("refusal kept over a restart")
            if part.record.fired and not part.finished:
                count("acted and not finished at a restart")
            if part.record.accepted >= 0:
                count("accepted value kept over a restart")

    def _started(self, process: Process) -> None:
        elections, disk = process.node.elections(), process.disk
        name = process.node.config.name if disk is not None else ""
        interrupted = tuple(elections.interrupted())
        kept = disk is not None
        identity = process.node.id
        known = tuple(elections.outcomes())
        start = Started(process.name, identity, name, process.rate, kept, interrupted, known)
        self.history.append(start)
        host = process.host
        if not self._takes_part(host):
            return
        if host not in self.unwilling:
            elections.listen()
        for topic, call in list(self.wanted[host].items()):
            if self.rng.random() < 0.8:
                self._call(process, topic, call)

    def _takes_part(self, host: Host) -> bool:
        """Whether its user may call: a directory that is not to be trusted forbids it."""
        return host.process is not None and (host.disk is None or host.process.disk is not None)

    def _use(self) -> None:
        hosts = [host for host in self.hosts if self._takes_part(host) and not host.paused]
        if not hosts:
            return
        host, topic = self.rng.choice(hosts), self.rng.choice(self.topics)
        process = host.process
        assert process is not None
        what = self.rng.random()
        if what < 0.55:
            seconds = self.rng.choice(
                (self.rng.uniform(0.2, 3.0), self.rng.uniform(3.0, DEADLINE_SECONDS_MAX))
            )
            process.call(self._call, process, topic.name, topic.call(self.rng, seconds))
        elif what < 0.8:
            process.call(self._vote, process, topic.name)
        elif what < 0.95:
            process.call(self._rerun, process, topic.name, what > 0.91)
        else:
            self.unwilling.discard(host)
            process.call(lambda: process.node.elections().listen())

    def _call(self, process: Process, topic: str, call: Call) -> None:
        if self.rng.random() < 0.15:
            self._vote(process, topic)
        elections = process.node.elections()
        try:
            elections.call(topic, call, process.now)
        except (InvalidElection, StorageError):
            return
        self.wanted[process.host][topic] = call
        shortest = self.shortest.get((process.name, topic), call.seconds)
        self.shortest[process.name, topic] = min(call.seconds, shortest)
        self._called(process, topic, call)
        if self.rng.random() < 0.8:
            self._vote(process, topic)

    def _called(self, process: Process, topic: str, call: Call) -> None:
        number = process.node.elections()._asked.round(topic)
        seconds = self.shortest[process.name, topic]
        when = self.simulation.now
        entry = Called(process.name, topic, number, call.criteria, call.total, seconds, when)
        self.history.append(entry)

    def _rerun(self, process: Process, topic: str, abandon: bool) -> None:
        elections = process.node.elections()
        before = elections._asked.round(topic)
        try:
            elections.rerun(topic, abandon, process.now)
        except (InvalidElection, StorageError):
            return
        self._called(process, topic, self.wanted[process.host][topic])
        known = elections.outcome(topic)
        if abandon and (known is None or known.round < before):
            self.simulation.network.count("round abandoned")
            self.abandoned.add((topic, before))
        if self.rng.random() < 0.8:
            self._vote(process, topic)

    def _vote(self, process: Process, topic: str) -> None:
        elections = process.node.elections()
        matter = elections._matters.get((topic, elections._asked.round(topic)))
        word: Word = self.rng.choice((True, True, True, False, None))
        if matter is not None and matter.definition.terms.choices:
            word = self.rng.choice((*CHOICES, "red", None))
        number = None if matter is None else matter.key[1]
        try:
            code = elections.code(topic, word)
            taken = elections.vote(topic, code, process.now)
        except (VoteRefused, StorageError, ValueError):
            return
        self.history.append(Voted(process.name, topic, number, word, taken))

    # -- faults

    def _later(self, delay: float, action: Callable[..., object], *arguments: object) -> None:
        self.simulation.timeline.after(delay, action, *arguments)

    def _fault(self) -> None:
        if not self.kinds:
            return
        name = self.rng.choice(self.kinds)
        if name in NETWORK_FAULTS:
            if len(self.hosts) > 1:
                self.faults.inject(name)
            return
        host = self.rng.choice(self.hosts)
        getattr(self, f"_fault_{name}")(host)

    def _fault_crash(self, host: Host) -> None:
        self._crash(host, host.process)

    def _fault_crash_all(self, host: Host) -> None:
        self.simulation.network.count("crash_all")
        for each in self.hosts:
            self._crash(each, each.process, forever=False)

    def _fault_crash_near_sync(self, host: Host) -> None:
        """Within a millisecond before or after a sync begins or ends."""
        process, disk = host.process, host.disk
        if process is None or disk is None or process.disk is None:
            return

        def arm(begins: float, ends: float) -> None:
            disk.moved = None
            when = self.rng.choice((begins, ends, ends))
            when += self.rng.uniform(-NEAR_SYNC_SECONDS, NEAR_SYNC_SECONDS)
            self.simulation.timeline.at(when, self._crash, host, process)

        disk.moved = arm

    def _crash(self, host: Host, process: Process | None, *, forever: bool = True) -> None:
        """End a process; most come back."""
        if self.over or process is None or host.process is not process:
            return
        self.simulation.network.count("crash")
        host.crash(power=self.rng.random() < 0.3)
        if not forever or self.rng.random() < 0.9:
            self._later(self.rng.choice((0.0, 0.05, 0.5, 3.0)), self._restart, host)

    def _restart(self, host: Host) -> None:
        if not self.over:
            self._start(host)

    def _fault_slow_disk(self, host: Host) -> None:
        disk = host.disk
        if disk is not None:
            disk.delay = self.rng.choice((0.02, 0.3, 2.0))
            self._later(self.rng.uniform(0.5, 4.0), setattr, disk, "delay", 0.0)

    def _fault_sync_error(self, host: Host) -> None:
        """It lives on without voting until it is started again."""
        if host.disk is not None:
            host.disk.failing = True
            process = host.process
            self._later(self.rng.uniform(0.5, 6.0), self._crash, host, process)

    def _fault_lost_disk(self, host: Host) -> None:
        """The machine comes back with an empty disk, and another name, as its user has to say."""
        if host.disk is not None and host.process is not None:
            self._crash(host, host.process)
            host.disk.lose()
            host.config = host.config.replace(name=f"{host.name}-{host.number + len(host.past)}")
            assert is_name(host.config.name)
            self.simulation.network.count("disk_lost")

    def _fault_old_copy(self, host: Host) -> None:
        """First a copy is made; later it is put back."""
        if host.disk is None or host.process is None:
            return
        if host not in self.backups:
            self.backups[host] = host.disk.backup()
        elif self.rng.random() < 0.5:
            self._crash(host, host.process)
            host.disk.restore(self.backups[host])
            self.simulation.network.count("old_copy")

    def _fault_disk_absent(self, host: Host) -> None:
        """A start without the disk, which is there again at the next."""
        if host.disk is not None and host.process is not None:
            host.disk.absent = True
            self._crash(host, host.process, forever=False)
            self._later(4.0, setattr, host.disk, "absent", False)
            self._later(5.0, lambda: self._crash(host, host.process, forever=False))

    # -- when faults are over

    def _calm(self) -> None:
        """Some machines stay down, the others are well; what can be decided must be."""
        simulation, rng = self.simulation, self.rng
        conditions = simulation.network.conditions
        conditions.loss = conditions.dial_failure = 0.0
        down = set(rng.sample(self.hosts, rng.randint(0, (len(self.hosts) - 1) // 2)))
        for host in self.hosts:
            host.skew = 0.0
            host.resume()
            if host.disk is not None:
                host.disk.delay, host.disk.failing, host.disk.absent = 0.0, False, False
                host.disk.moved = None
            process = host.process
            failed = process is not None and self._has_failed(process)
            absent = process is not None and host.disk is not None and process.disk is None
            if process is not None and (host in down or failed or absent):
                host.crash()
            if host not in down and host.process is None:
                self._start(host)
        simulation.heal()
        simulation.run(5.0)
        up = [host for host in self.hosts if self._takes_part(host)]
        fresh = self._call_fresh(up)
        self._call_again(up)
        simulation.run(2 * DEADLINE_SECONDS_MAX + CALM_SECONDS)
        with simulation.explaining():
            self._require_decided(up)
            self._require_known(fresh)

    def _call_fresh(self, up: list[Host]) -> list[str]:
        """Exactly as many call as are wanted, on topics nobody has called before."""
        topics = []
        for number in range(2):
            if not up:
                break
            callers = self.rng.sample(up, self.rng.randint(1, len(up)))
            topic = f"fresh {number}"
            topics.append(topic)
            for host in callers:
                process = host.process
                assert process is not None
                call = Call(Criteria((), len(callers)), len(callers), 30.0)
                process.call(self._call, process, topic, call)
        return topics

    def _call_again(self, up: list[Host]) -> None:
        for topic in self.topics:
            for host in up:
                process = host.process
                assert process is not None
                if self.rng.random() < (1.0 if topic.roll else 0.5):
                    call = topic.call(self.rng, self.rng.uniform(1.0, 10.0))
                    process.call(self._call, process, topic.name, call)

    def _has_failed(self, process: Process) -> bool:
        elections = process.node._parts.elections
        return elections is not None and bool(elections.failure)

    def _require_decided(self, up: list[Host]) -> None:
        """What a majority of its voters can decide is decided."""
        for host in up:
            process = host.process
            assert process is not None
            elections = process.node.elections()
            for key, matter in elections._matters.items():
                known = elections.outcome(key[0])
                if matter.value or (known is not None and known.round >= key[1]):
                    continue
                if matter.signup.enrolment.formed:
                    self._require_stuck(process, matter, up)
                elif matter.signup.calling and matter.signup.me and not matter.told_timeout:
                    raise Violation(f"{process.name} waits for ever on {key}")

    def _require_stuck(self, process: Process, matter: Matter, up: list[Host]) -> None:
        part = matter.signup.election
        assert part is not None
        able = 0
        for host in up:
            assert host.process is not None
            rank = self._rank(host.process, part.electorate)
            other = host.process.node.elections()._matters.get(matter.key)
            record = Record(refused=not matter.signup.is_named())
            bound = matter.signup.enrolment.bound
            if other is not None and other.signup.enrolment.bound == bound:
                assert other.signup.election is not None
                record = other.signup.election.record
            if rank >= 0 and not record.refused:
                able |= 1 << rank
        if part.electorate.is_quorum(part.electorate.strength(able)):
            raise Violation(
                f"{process.name} has not heard the end of {matter.key}, which ranks {able:b} of"
                f" {len(part.electorate)} can decide: {part.record}"
            )

    def _rank(self, process: Process, electorate: Electorate) -> int:
        rank = electorate.rank(process.node.id)
        named = voter_of(process.node.config.name)
        return electorate.rank(named) if rank < 0 and process.disk is not None else rank

    def _require_known(self, fresh: list[str]) -> None:
        """Everybody knows the same, and what exactly so many called for is decided."""
        views = {}
        for host in self.hosts:
            if host.process is not None:
                elections = host.process.node.elections()
                views[host.name] = {each.topic: each.round for each in elections.outcomes()}
        for name, view in views.items():
            for topic in fresh:
                if topic not in view:
                    raise Violation(f"{name} knows no outcome of {topic!r}, which all called")
            if view != next(iter(views.values())):
                raise Violation(f"nodes know different rounds: {views}")
