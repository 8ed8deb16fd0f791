"""Elections on virtual time: members with pacers, messages that take a while or get lost.

The unit of time is a round trip; one way takes 0.4 to 0.6 of it.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.decree import Effects, Record
from vines.protocol.elections.election import Election
from vines.protocol.elections.electorate import Electorate
from vines.protocol.elections.messages import Message, Nack, Vote, VoteAck
from vines.protocol.elections.pacing import Pace, Pacer
from vines.protocol.elections.topic import deliver

RTT = 1.0


class Member(Effects):
    """One member: its part, its timers, and where its effects go."""

    election: type[Election] = Election
    pacing: type[Pacer] = Pacer

    def __init__(self, run: Run, rank: int) -> None:
        self.run = run
        self.rank = rank
        self.part = self.election(run.electorate, rank, run.criteria)
        pace = Pace(RTT)
        pace.retry, pace.take = 3 * RTT, 6 * RTT
        self.pacer = self.pacing(self.part, run.deadline, run.rng, pace)
        self.part.listen(self)
        self.up = True
        self.asleep = 0.0
        self.timer = 0

    def persist(self, record: Record) -> int:
        return 0

    def send(self, rank: int, message: Message, after: int) -> None:
        self.run.post(self.rank, rank, message)

    def publish(self, vote: Vote) -> None:
        self.run.published += 1

    def decided(self, value: bytes, fire: bool, after: int) -> None:
        self.run.decided(self.rank, value, fire)

    def violated(self, text: str) -> None:
        raise AssertionError(text)

    def effects(self, election: bytes) -> Member:
        return self

    def hear(self, sender: int, message: Message) -> None:
        if isinstance(message, VoteAck):
            self.pacer.acknowledged(sender, message, self.run.now, self)
            return
        before = self.part.phase
        deliver(self.part, self.run.electorate.voters[sender], b"", message, self)  # type: ignore[arg-type]
        if isinstance(message, Nack) and before and not self.part.phase:
            self.pacer.failed(self.run.now, self)
        self.pacer.look(self.run.now, self)


class Run:
    """One election of `size` voters."""

    def __init__(
        self,
        size: int,
        seed: int,
        *,
        least: int = 0,
        loss: float = 0.0,
        deadline: float = 1000.0,
        reach: Callable[[int, int], bool] = lambda sender, receiver: True,
    ) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        self.loss = loss
        self.published = 0
        self.deadline = deadline
        self.reach = reach
        roll = {self.rng.randbytes(16): 1 for _ in range(size)}
        self.electorate = Electorate(self.rng.randbytes(16), roll)
        self.criteria = Criteria((), least or size // 2 + 1)
        self.members = [Member(self, rank) for rank in range(size)]
        self.messages = 0
        self.said: Counter[str] = Counter()
        """How many messages of each kind."""
        self.outcomes: dict[int, bytes] = {}
        self.fired: list[int] = []
        self.learned_at: list[float] = []
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def at(self, when: float, act: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, act))

    def post(self, sender: int, receiver: int, message: Message) -> None:
        self.messages += 1
        self.said[type(message).__name__] += 1
        if self.rng.random() < self.loss or not self.reach(sender, receiver):
            return
        self.at(
            self.now + self.rng.uniform(0.4, 0.6) * RTT,
            lambda: self._hand(sender, receiver, message),
        )

    def _hand(self, sender: int, receiver: int, message: Message) -> None:
        member = self.members[receiver]
        if member.up:
            member.hear(sender, message)
            self._arm(member)

    def _arm(self, member: Member) -> None:
        due = member.pacer.next()
        member.timer += 1
        stamp = member.timer

        def ring() -> None:
            if member.up and member.timer == stamp:
                member.pacer.advance(self.now, member)
                self._arm(member)

        if due < float("inf"):
            self.at(max(due, self.now), ring)

    def decided(self, rank: int, value: bytes, fire: bool) -> None:
        assert set(self.outcomes.values()) <= {value}, "two outcomes"
        self.outcomes[rank] = value
        self.learned_at.append(self.now)
        if fire:
            self.fired.append(rank)
            assert len(self.fired) == 1, "two callbacks"

    def cast(self, rank: int, choice: int, when: float) -> None:
        def vote() -> None:
            member = self.members[rank]
            if member.up:
                member.pacer.cast(choice, self.now, member)
                self._arm(member)

        self.at(when, vote)

    def kill(self, rank: int, when: float, *, detected_after: float | None = None) -> None:
        def die() -> None:
            self.members[rank].up = False

        def detect() -> None:
            for member in self.members:
                if member.up:
                    member.pacer.lost(member.part.dead | 1 << rank, self.now, member)
                    self._arm(member)

        self.at(when, die)
        if detected_after is not None:
            self.at(when + detected_after, detect)

    def suspect(self, ranks: int, when: float, *suspicious: int) -> None:
        """From then on these members, by default all, suspect these ranks (as bits)."""

        def act() -> None:
            for member in self.members:
                if member.up and (member.rank in suspicious or not suspicious):
                    member.pacer.suspect(ranks & ~(1 << member.rank), self.now, member)
                    self._arm(member)

        self.at(when, act)

    def go(self, until: float = 10_000.0, enough: Callable[[], bool] | None = None) -> None:
        while self._events:
            when, _, act = heapq.heappop(self._events)
            if when > until:
                self.now = until
                return
            self.now = when
            act()
            if enough is not None and enough():
                return

    @property
    def all_closed(self) -> bool:
        return all(member.part.closed for member in self.members if member.up)


def quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def latencies(size: int, runs: int, **options: Any) -> tuple[list[float], list[float]]:
    """From the cast of the deciding vote to the first who learns, and messages a voter."""
    delays, messages = [], []
    for seed in range(runs):
        run = Run(size, seed, **options)
        times = [run.rng.uniform(0, 20) for _ in range(size)]
        for rank, when in enumerate(times):
            run.cast(rank, 0, when)
        run.go(enough=lambda run=run: run.all_closed)  # type: ignore[misc]
        deciding = sorted(times)[run.criteria.least - 1]
        delays.append(run.learned_at[0] - deciding)
        messages.append(run.messages / size)
        assert len(run.fired) == 1
    return delays, messages
