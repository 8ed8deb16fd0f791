"""A simulated disk: what a node promised in elections, and how much of it outlives a crash.

It does what the data directory of a real node does. The records of a turn are one commit; what
comes while a commit is under way goes into the next one. A commit is wholly there or not at all: if
the process ends while one is under way, chance says which. What may have forgotten something is not
used any more, and a lost disk is another node's.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from vines.protocol.machine import Memory

if TYPE_CHECKING:
    from vines.protocol.machine import Persist
    from vines.simulation.process import Process
    from vines.simulation.timeline import Timeline

SYNC_SECONDS = 0.0005
"""What a sync takes, more or less: an ordinary solid-state disk."""


class Backup(NamedTuple):
    """A copy of a disk, made at some time."""

    boot: int
    records: dict[bytes, bytes]


class Commit(NamedTuple):
    """Records on their way to the disk; `ticket` is of the last of them."""

    ticket: int
    records: dict[bytes, bytes | None]


class Disk:
    """What one machine keeps. `records` are those on it; `identity` is that of its node, and `boot`
    says how often that was started. `delay` is what a sync takes longer than usual, in seconds;
    with `failing` the next one ends in an error.
    """

    def __init__(self, timeline: Timeline, rng: Random, count: Callable[[str], None]) -> None:
        self.delay = 0.0
        self.failing = False
        self.absent = False
        """A node that starts now does not find it."""
        self.trusted = True
        """Whether it holds all that was ever put on it, as far as it can tell."""
        self.put_back = False
        """Whether an old copy ever took its place: which start it is, it has counted anew."""
        self.identity = rng.randbytes(16)
        self.boot = 0
        self.records: dict[bytes, bytes] = {}
        self.moved: Callable[[float, float], None] | None = None
        """Told of each sync: when it begins, which is now, and when it will end."""
        self._timeline = timeline
        self._rng = rng
        self._count = count
        self._process: Process | None = None
        self._ticket = 0
        self._waiting: dict[bytes, bytes | None] = {}
        self._commit: Commit | None = None

    @property
    def syncing(self) -> bool:
        """Whether a commit is under way."""
        return self._commit is not None

    def open(self) -> Memory | None:
        """What a node finds at its start; None if it may not use this disk."""
        if self.absent or not self.trusted:
            self._count("disk_absent" if self.absent else "disk_distrusted")
            return None
        self.boot += 1
        if self.boot > 1 and self.records:
            self._count("restart_with_records")
        return Memory(dict(self.records), self.boot)

    def use(self, process: Process) -> None:
        """This process writes to it from now on."""
        self._process = process

    def keep(self, effect: Persist) -> None:
        """Put these there with the next commit."""
        self._waiting.update(effect.records)
        self._ticket = effect.ticket

    def commit(self) -> None:
        """A turn is over: have what was kept in it put there."""
        if self._process is None or self._commit is not None or not self._waiting:
            return
        self._commit = Commit(self._ticket, self._waiting)
        self._waiting = {}
        seconds = SYNC_SECONDS * self._rng.choice((0.2, 1.0, 1.0, 4.0)) + self.delay
        self._count("sync_slow" if self.delay else "sync")
        self._timeline.after(seconds, self._end, self._commit)
        if self.moved is not None:
            self.moved(self._timeline.now, self._timeline.now + seconds)

    def crash(self) -> None:
        """The process is gone: what it had not put there is lost."""
        commit, self._commit = self._commit, None
        if commit is not None:
            there = self._rng.random() < 0.5
            self._count("crash_in_sync_kept" if there else "crash_in_sync_lost")
            if there:
                self._write(commit)
        self._process = None
        self._waiting = {}

    def backup(self) -> Backup:
        """A copy of what is there now."""
        return Backup(self.boot, dict(self.records))

    def restore(self, backup: Backup) -> None:
        """Somebody puts an old copy back while no node runs: that is noticed."""
        assert self._process is None, "a disk in use is not replaced"
        self.boot, self.records = backup.boot, dict(backup.records)
        self.trusted, self.put_back = False, True

    def lose(self) -> None:
        """An empty disk takes its place while no node runs: that of another node."""
        assert self._process is None, "a disk in use is not replaced"
        self.identity = self._rng.randbytes(16)
        self.boot, self.records, self.trusted = 0, {}, True

    def _end(self, commit: Commit) -> None:
        process = self._process
        if self._commit is not commit or process is None:
            return
        self._commit = None
        if self.failing:
            self._fail(process, commit)
            return
        self._write(commit)
        process.persisted(commit.ticket, commit.records)
        self.commit()

    def _fail(self, process: Process, commit: Commit) -> None:
        self.failing = False
        self._count("sync_error")
        if self._rng.random() < 0.5:
            self._write(commit)
        self._process = None
        self._waiting = {}
        process.storage_failed("a sync failed")

    def _write(self, commit: Commit) -> None:
        for key, value in commit.records.items():
            if value is None:
                self.records.pop(key, None)
            else:
                self.records[key] = value
