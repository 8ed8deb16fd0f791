"""Random schedules over a world, each from one seed: what a search finds, one number replays."""

from __future__ import annotations

import itertools
import random

from .forms import ENDED, HIDDEN, SHOWN, TOMBSTONE, depends, expires
from .world import Kind, World

KEYS = [b"a", b"b", b"c", b"d" * 40, b"e"]
MANY = [b"%d" % number for number in range(40)]
BUDGETS = [1, 70, 110, 200, 500, 4096]
STEPS = {
    "put": 8,
    "write": 3,
    "connect": 3,
    "learn": 1,
    "push": 14,
    "deliver": 12,
    "duplicate": 3,
    "drop": 2,
    "cut": 1,
    "stray": 1,
    "join": 3,
    "sweep": 6,
    "author": 14,
    "adopt": 1,
    "restart": 0.2,
    "pass_time": 2,
    "freeze": 2,
    "collect": 6,
    "trim": 2,
    "clear": 0.7,
    "cross": 0.5,
    "leave": 0.5,
    "come_back": 0.7,
    "settle": 0.7,
    "lapse": 2,
    "retire": 3,
    "leave_out": 6,
    "release": 5,
}


class Schedule:
    """One seed's world and choices."""

    def __init__(self, seed: int, kinds: list[Kind]) -> None:
        self.choose = random.Random(seed)
        count = self.choose.choice([3, 3, 4, 5])
        self.crowded = self.choose.random() < 0.15
        """Indexes have many segments."""
        self.world = World(
            [self.choose.choice(kinds) for _ in range(count)],
            log_slack=self.choose.choice([0, 1, 3, 65536]),
            horizon=self.choose.choice([1, 2, 4, 65536]),
            segment_slots=8,
            spare_chunks=0,
            slots_kept=1,
        )
        self.keys = MANY if self.crowded else KEYS[: self.choose.randint(1, len(KEYS))]
        self.flags = self.choose.choice([[0], [0, 0, 1], [0, 1, 2, 2, 4, 0x80], [0, 1, 4, 4, 4, 6]])
        self.families = self.choose.choice([[0], [0], [0, 1, 200]])

    def run(self, steps: int) -> World:
        names = self.choose.choices(list(STEPS), list(STEPS.values()), k=steps)
        for name in names:
            getattr(self, name)()
        self.world.heal(self.choose.choice(BUDGETS))
        return self.world

    def churn(self, rounds: int) -> World:
        """Replicas start anew, again and again, while the others keep their links; what was written
        before is overwritten, retired, and its slots serve others."""
        self.flags, self.keys = [0], self.keys[:1]
        everyone = range(len(self.world.replicas))
        for _ in range(rounds):
            for a, b in itertools.combinations(everyone, 2):
                if (a, b) not in self.world.links and self.choose.random() < 0.9:
                    self.world.connect(a, b)
            for at in everyone:
                if self.choose.random() < 0.7:
                    self.write(at)
            for _ in range(2):
                self.flow()
            mine = {replica.table.source for replica in self.world.replicas}
            for source in sorted({source for source, _ in self.world.history} - mine):
                self.world.retire(source)
                for at in everyone:
                    if source in self.world.retired and self.choose.random() < 0.8:
                        self.world.leave_out(at, source)
            for at in everyone:
                self.world.release(at, 100)
            if self.choose.random() < 0.8:
                self.restart()
        self.world.heal(self.choose.choice(BUDGETS))
        return self.world

    def _at(self) -> int:
        return self.choose.randrange(len(self.world.replicas))

    def _two(self) -> tuple[int, int]:
        there = [at for at in range(len(self.world.replicas)) if at not in self.world.away]
        a, b = self.choose.sample(there, 2)
        return a, b

    def _link(self, busy: bool = False) -> tuple[int, int] | None:
        pairs = [pair for pair, link in self.world.links.items() if link.frames or not busy]
        return self.choose.choice(pairs) if pairs else None

    def _record(self) -> tuple[bytes, int, bytes]:
        value = self.choose.randbytes(self.choose.choice([0, 1, 8, 150]))
        return self.choose.choice(self.keys), self.choose.choice(self.flags), value

    def _left(self, flags: int) -> int:
        """The ms a record has, if its flags say that it expires."""
        return self.choose.choice([1, 2, 10, 200]) if expires(flags) else 0

    def clear(self) -> None:
        """Most keys are written, if there are many, and most of those deleted again."""
        self._clear(self._at())

    def _clear(self, at: int) -> None:
        for flags, share in ((0, 0.8), (TOMBSTONE, 0.7)):
            for key in self.keys if self.crowded else ():
                if self.choose.random() < share:
                    self.world.write(at, key, flags, b"v", 0)

    def put(self) -> None:
        family, stamp = self.choose.choice(self.families), self.choose.randrange(12)
        record = self._record()
        self.world.put(self._at(), family, *record, stamp, self._left(record[1]))

    def write(self, at: int | None = None) -> None:
        record = self._record()
        self.world.write(self._at() if at is None else at, *record, 0, self._left(record[1]))

    def pass_time(self) -> None:
        self.world.pass_time(self.choose.choice([1, 2, 10, 100]))

    def lapse(self) -> None:
        self.world.lapse(self._at(), self.choose.choice([1, 100]))

    def connect(self) -> None:
        self.world.connect(*self._two(), self.choose.choice([1, 2, 1000]))

    def learn(self) -> None:
        if pair := self._link():
            self.world.learn(*pair, self.choose.choice([1, 2, 1000]))

    def push(self) -> None:
        if pair := self._link():
            self.world.push(*pair, self.choose.choice(BUDGETS))

    def deliver(self, *, keep: bool = False) -> None:
        if pair := self._link(busy=True):
            index = self.choose.choice([0, 0, 0, self.choose.randrange(8)])
            self.world.deliver(*pair, index, keep=keep)

    def duplicate(self) -> None:
        self.deliver(keep=True)

    def drop(self) -> None:
        if pair := self._link(busy=True):
            self.world.links[pair].frames.pop(0)

    def cut(self) -> None:
        if pair := self._link():
            self.world.cut(*pair)

    def stray(self) -> None:
        if self.world.strays:
            self.world.stray(self.choose.randrange(1 << 16))

    def join(self) -> None:
        joins = list(self.world.joins)
        pair = self.choose.choice(joins) if joins and self.choose.random() < 0.8 else self._two()
        self.world.join(*pair, self.choose.choice(BUDGETS))

    def author(self) -> None:
        """A replica hears of somebody, mostly of one whose life matters to what it holds."""
        at, tables = self._at(), [replica.table for replica in self.world.replicas]
        sources = [table.source for table in tables]
        sources += [source for source, _ in tables[at].vector().items()]
        bound = [record[3] for record in tables[at].records() if depends(record[6])]
        if bound and self.choose.random() < 0.8:
            sources = bound
        fate = self.choose.choice([SHOWN, SHOWN, SHOWN, HIDDEN, HIDDEN, ENDED])
        self.world.author(at, self.choose.choice(sources), fate)
        if self.choose.random() < 0.8:
            self.world.lapse(at, self.choose.choice([1, 100]))

    def freeze(self) -> None:
        self.world.freeze()

    def collect(self) -> None:
        self.world.collect_some(self._at())

    def trim(self) -> None:
        self.world.trim(self._at(), self.choose.choice([1, 30, 1000]))

    def sweep(self) -> None:
        ending = [at for at, each in enumerate(self.world.replicas) if each.ending is not None]
        if ending:
            self.world.sweep(self.choose.choice(ending))

    def settle(self) -> None:
        """All that are there hear of everything, and delete for good."""
        there = self._tell_all()
        self.world.freeze()
        for at in there:
            self.world.collect(at)

    def _tell_all(self) -> list[int]:
        there = [at for at in range(len(self.world.replicas)) if at not in self.world.away]
        for a, b in [*itertools.permutations(there, 2)] * 2:
            self.world.exchange(a, b, 4096)
        return there

    def cross(self) -> None:
        """Where there are many keys: a join ends while deletions are forgotten where it does."""
        if not self.crowded:
            return
        giver, joiner = self._two()
        self._clear(giver)
        self._tell_all()
        self.world.pass_time(200)  # stamps of so many writes are ahead of the clock
        self.world.freeze()
        self.world.end(joiner)
        replica = self.world.replicas[joiner]
        while replica.ending is None:
            self.world.join(giver, joiner, 4096)
        while replica.ending is not None:
            self.choose.choice([self.world.sweep, self.world.collect_some])(joiner)

    def leave(self) -> None:
        self.world.leave(self._at())

    def come_back(self) -> None:
        if self.world.away:
            self.world.come_back(self.choose.choice(sorted(self.world.away)))

    def adopt(self) -> None:
        self.world.adopt(self._at(), take_over=self.choose.random() < 0.5)

    def retire(self) -> None:
        mine = {replica.table.source for replica in self.world.replicas}
        if gone := sorted({source for source, _ in self.world.history} - mine):
            self.world.retire(self.choose.choice(gone))

    def leave_out(self) -> None:
        if self.world.retired:
            self.world.leave_out(self._at(), self.choose.choice(sorted(self.world.retired)))

    def flow(self) -> None:
        """All that is to be sent on the links there are is sent, and comes; who is below a floor
        joins."""
        for pair in list(self.world.links):
            while self.world.push(*pair, 4096):
                pass
            while self.world.links[pair].frames:
                self.world.deliver(*pair)
            if self.world.links[pair].progress.below_floor:
                while not self.world.join(*pair, 4096):
                    pass
                self.world.learn(*pair)

    def release(self) -> None:
        self.world.release(self._at(), self.choose.choice([1, 2, 100]))

    def restart(self) -> None:
        self.world.restart(self._at())
