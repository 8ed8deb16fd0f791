"""Every schedule of small worlds whose disks lag behind: a record that was asked for gets to the
disk later, in a step of its own, and what rests on it leaves only then.

In between a member goes on: it hears answers, accepts, is outbid, proposes; and a crash leaves what
has got there, which may be nothing, not even that it takes part. Who finds nothing on its disk was
never here, as far as it knows; who finds that it takes part was started again.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from tests.elections.explorer import CRASH, Action, Explorer, Recorder, Step, clone, key_of
from vines.protocol.elections.decree import NOTHING, Record
from vines.protocol.elections.election import Election


class Pending(NamedTuple):
    """A record on its way to the disk, and what rests on it: messages, callbacks, what is told."""

    record: Record
    bits: int = 0
    fires: int = 0
    learned: int = 0


Store: TypeAlias = tuple[Record | None, tuple[Pending, ...]]
"""What is on disk, None: nothing; and what is on its way, in order."""

ENROLLING: Store = (None, (Pending(NOTHING),))
"""As it is when a member takes part: the first record says that it does."""


class Lagged(Recorder):
    """What one step did, after what is on its way; the same asked for twice is one record."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        disk, pending = store
        self.tickets = len(pending)
        self.last = pending[-1].record if pending else disk

    def persist(self, record: Record) -> int:
        if record != self.last:
            self.last = record
            super().persist(record)
        return self.tickets


class Lagging(Explorer):
    """One search."""

    def _start(self, rank: int) -> Step:
        member = self.world.members(rank, NOTHING, 0)
        return self._done(
            rank, member, Lagged(ENROLLING), ENROLLING, "began", 0, begun=self.world.begin
        )

    def _own_steps(self, rank: int, place: int) -> list[Step]:
        member, store = self._members[rank][place]
        disk, pending = self._store(store)
        found: list[Step] = []
        for name, cost, act in self.world.actions(member):
            steps = self._run(rank, place, name, cost, act)
            found += [step for step in steps if step.place != place or step.bits]
        if pending:
            found.append(self._synced(rank, member, pending))
        if self.world.crashes:
            boot = (member.sequence >> 32) + 1
            if disk is None:
                reborn, left = self.world.members(rank, NOTHING, 0), ENROLLING
            else:
                reborn, left = self.world.members(rank, disk, boot), (disk, ())
            step = self._done(rank, reborn, Lagged(left), left, "crashed", CRASH)
            found += [step] if step.place != place else []
        return found

    def _store(self, store: Any) -> Store:
        disk, pending = store
        return disk, pending

    def _synced(self, rank: int, member: Election, pending: tuple[Pending, ...]) -> Step:
        """The next record is on disk."""
        first, *rest = pending
        place = self._place(rank, member, (first.record, tuple(rest)))  # type: ignore[arg-type]
        text = f"has {first.record} on disk"
        return Step(text, 0, place, first.bits, first.fires, first.learned, "")

    def _run(self, rank: int, place: int, name: str, cost: int, act: Action) -> list[Step]:
        before, store = self._members[rank][place]
        disk, pending = self._store(store)
        member, out = clone(before), Lagged((disk, pending))
        member.ticket = out.tickets
        act(member, out)
        self._check(before, member, out)
        return [self._done(rank, member, out, (disk, pending), name, cost)]

    def _done(
        self,
        rank: int,
        member: Election,
        out: Lagged,
        store: Store,
        name: str,
        cost: int,
        begun: Action | None = None,
    ) -> Step:
        """What a step has left: what it asked for waits, and what rests on that."""
        disk, before = store
        if cost == CRASH or begun is not None:
            member.ticket = out.tickets
            member.listen(out)
        if begun is not None:
            begun(member, out)
        waiting = [*before, *(Pending(record) for record in out.records)]
        at_once = Pending(NOTHING)

        def add(after: int, **more: int) -> None:
            nonlocal at_once
            one = waiting[after - 1] if after else at_once
            bits, fires = one.bits | more.get("bits", 0), one.fires + more.get("fires", 0)
            made = Pending(one.record, bits, fires, more.get("learned", one.learned))
            if after:
                waiting[after - 1] = made
            else:
                at_once = made

        for to, message, after in out.sent:
            add(after, bits=self._bit(rank, to, message))
        for value, fire, after in out.told:
            add(after, fires=int(fire), learned=self._value(value))
        self._count(member, name, sum(each.fires for each in waiting))
        place = self._place(rank, member, (disk, tuple(waiting)))  # type: ignore[arg-type]
        wrong = out.wrong if self.world.records else ""
        return Step(name, cost, place, at_once.bits, at_once.fires, at_once.learned, wrong)

    def _place(self, rank: int, member: Election, disk: Any) -> int:
        key = (key_of(member), disk)
        place = self._places[rank].get(key)
        if place is None:
            place = self._places[rank][key] = len(self._members[rank])
            self._members[rank].append((member, disk))
        return place
