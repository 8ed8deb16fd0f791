"""Every schedule of a small world: the shipped election code, run by exhaustive search.

The network is the set of all messages ever sent, so that loss, repetition and every order are
free. A member may try to decide at any time, its time may run out at any time, it may crash and
come back with what is on disk. What one member does depends on its own state and one message
alone, so each such step is run once and remembered, and a state of the world is a few numbers.

A step puts its record on disk and says what rests on it at once, because a crash in between is a
crash before it. What does not wait for the record may leave before it is on disk: such a step may
also end in a crash, with that said and the record lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from vines.protocol.elections import value as values
from vines.protocol.elections.ballots import NEVER, number_of
from vines.protocol.elections.decree import Effects, Record
from vines.protocol.elections.election import Election
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Decided,
    Message,
    Nack,
    Prepare,
    Promise,
    Refusal,
    Vote,
    VoteAck,
)
from vines.protocol.elections.phases import PROPOSING

ON: dict[type, str] = {
    Vote: "on_vote",
    Prepare: "on_prepare",
    Promise: "on_promise",
    Accept: "on_accept",
    Accepted: "on_accepted",
    Nack: "on_nack",
    Refusal: "on_refusal",
}
TO_ALL = (Prepare, Accept, Decided, Refusal)
STATES_MAX = 100_000_000
_EXPIRED = bytes((values.EXPIRED,))


class Recorder(Effects):
    """What one step of one member did."""

    def __init__(self, unwritten: bool = False) -> None:
        self.unwritten = unwritten
        self.tickets = 0
        self.records: list[Record] = []
        self.later: Record | None = None
        """What may be written, or never."""
        self.sent: list[tuple[int, Message, int]] = []
        self.told: list[tuple[bytes, bool, int]] = []
        self.wrong = ""

    def persist(self, record: Record) -> int:
        self.tickets += 1
        self.records.append(record)
        self.later = None
        return self.tickets

    def persist_later(self, record: Record) -> int:
        if not self.unwritten:
            return self.persist(record)
        self.later = record
        return self.tickets

    def send(self, rank: int, message: Message, after: int) -> None:
        self.sent.append((rank, message, after))

    def decided(self, value: bytes, fire: bool, after: int) -> None:
        self.told.append((value, fire, after))

    def violated(self, text: str) -> None:
        self.wrong = text


class Step(NamedTuple):
    """What one member may do next, and all that follows."""

    name: str
    cost: int
    """Of the world's budgets."""
    place: int
    """The member's next state."""
    bits: int
    """Messages sent."""
    fires: int
    """Callbacks of the owner begun."""
    learned: int
    """The number of the outcome learned or told, 0 if none."""
    wrong: str


Action = Callable[[Election, Recorder], None]

CRASH = 1
CHANGE = 1 << 8
SPENT = CHANGE - 1


@dataclass
class World:
    """What may happen in one search."""

    members: Callable[[int, Record, int], Election]
    """Makes a member: its rank, what is on disk, which start it is."""
    size: int = 3
    actions: Callable[[Election], list[tuple[str, int, Action]]] = lambda member: []
    """What a member may do by itself: name, cost, how."""
    begin: Action = lambda member, out: None
    """What each member has done when the search begins."""
    crashes: int = 1
    changes: int = 0
    nacks: bool = False
    """Whether refusals of a ballot arrive: a claimant may give up without one, too."""
    records: bool = True
    """Whether what members notice and keep is judged, and not only what users were promised."""
    unwritten: bool = False
    """A claimant's own accept may stay unwritten, or be written; else it is written at once."""
    amnesia: bool = False
    """A crash takes the disk with it, and not the identity."""
    states: int = field(default=0, init=False)
    steps: int = field(default=0, init=False)
    seen: dict[str, int] = field(default_factory=dict, init=False)
    """How many remembered steps were of a kind that must occur, or the search is vacuous."""


class Violation(AssertionError):
    """A schedule that breaks a promise; `trace` says what happened, if that was asked for."""

    def __init__(self, text: str, trace: Sequence[str]) -> None:
        super().__init__(f"{text}, after {len(trace)} steps:\n  " + "\n  ".join(trace))
        self.text = text
        self.trace = trace


def key_of(one: Election) -> tuple[Any, ...]:
    """All of a member's state that what it does can depend on."""
    if one.closed:
        return (one.record, one.frozen, one.listening)
    return (
        *(one.record, one.phase, one.ballot, one.outbid, one.replied, one.best, one.best_value),
        *(one.frozen, one.refusals, one.listening, one.late, one.called, one.sequence),
        *(one.willing, one.dead, one.suspected, one._agreeing),
        *sorted((one._others or {}).items()),
        *(one.tally.state_bytes(), tuple(sorted(getattr(one, "__dict__", {}).items()))),
    )


class Explorer:
    """One search. `traced`: breadth first, and every state remembers how it was reached."""

    def __init__(self, world: World, *, traced: bool = False) -> None:
        self.world = world
        self.traced = traced
        self._members: list[list[tuple[Election, Record]]] = [[] for _ in range(world.size)]
        """Each with what is on its disk."""
        self._places: list[dict[Any, int]] = [{} for _ in range(world.size)]
        self._messages: list[tuple[int, int, Message]] = []
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._inbox = [0] * world.size
        self._rivals: list[int] = []
        self._given: list[dict[int, list[Step]]] = [{} for _ in range(world.size)]
        self._ignored: list[dict[int, int]] = [{} for _ in range(world.size)]
        self._own: list[dict[int, list[Step]]] = [{} for _ in range(world.size)]
        self._values: dict[bytes, int] = {}

    def run(self, states_max: int = STATES_MAX) -> int:
        """Visit every state; returns how many there are. Raises Violation."""
        world, size, traced = self.world, self.world.size, self.traced
        first = [self._start(rank) for rank in range(size)]
        places, sent = (step.place for step in first), (step.bits for step in first)
        start = (*places, sum(sent), 0, 0, 0)  # ... messages, budget spent, outcome, callbacks
        seen = {hash(start)}
        parents: dict[tuple[int, ...], tuple[tuple[int, ...], str]] = {}
        waiting: deque[tuple[int, ...]] = deque([start])
        take = waiting.popleft if traced else waiting.pop
        rivals, crash_limit, change_limit = self._rivals, world.crashes, world.changes << 8
        steps = 0
        while waiting:
            state = take()
            net, spent, outcome, fired = state[size:]
            for rank in range(size):
                place = state[rank]
                for step in self._steps(rank, place, net):
                    if step.cost:
                        total = spent + step.cost
                        if total & SPENT > crash_limit or total & ~SPENT > change_limit:
                            continue
                    else:
                        total = spent
                    steps += 1
                    sent = net | step.bits
                    learned = step.learned or outcome
                    # Also where that leads to a state that there was another way to.
                    wrong = "two outcomes" if outcome and learned != outcome else step.wrong
                    if wrong:
                        raise Violation(wrong, [*_trace(state, parents), f"{rank}: {step.name}"])
                    following = (
                        *state[:rank],
                        step.place,
                        *state[rank + 1 : size],
                        sent,
                        total,
                        learned,
                        fired + step.fires,
                    )
                    mark = hash(following)
                    if mark in seen:
                        continue
                    seen.add(mark)
                    if traced:
                        parents[following] = (state, f"{rank}: {step.name}")
                    if following[-1] > 1:
                        wrong = "two callbacks"
                    elif (
                        world.records
                        and step.bits
                        and self._at_odds(sent, step.bits & ~net, rivals)
                    ):
                        wrong = "two values at one ballot"
                    if wrong:
                        raise Violation(wrong, _trace(following, parents))
                    waiting.append(following)
            if len(seen) > states_max:
                raise RuntimeError(f"more than {states_max:,} states")
        world.states, world.steps = len(seen), steps
        return len(seen)

    def _steps(self, rank: int, place: int, net: int) -> list[Step]:
        own = self._own[rank].get(place)
        if own is None:
            own = self._own[rank][place] = self._own_steps(rank, place)
        todo = net & self._inbox[rank] & ~self._ignored[rank].get(place, 0)
        if not todo:
            return own
        found = list(own)
        given = self._given[rank]
        while todo:
            low = todo & -todo
            todo ^= low
            memo = place << 24 | low.bit_length()
            steps = given.get(memo)
            if steps is None:
                steps = given[memo] = self._deliver(rank, place, low.bit_length() - 1)
                if all(step.place == place and not step.bits for step in steps):
                    self._ignored[rank][place] = self._ignored[rank].get(place, 0) | low
                    continue
            found += steps
        return found

    def _deliver(self, rank: int, place: int, number: int) -> list[Step]:
        sender, _, message = self._messages[number]

        def act(member: Election, out: Recorder) -> None:
            if isinstance(message, Decided):
                member.on_decided(message, out)
            else:
                getattr(member, ON[type(message)])(sender, message, out)

        return self._run(rank, place, f"got {message} of {sender}", 0, act)

    def _own_steps(self, rank: int, place: int) -> list[Step]:
        member, _ = self._members[rank][place]
        found: list[Step] = []
        for name, cost, act in self.world.actions(member):
            steps = self._run(rank, place, name, cost, act)
            found += [step for step in steps if step.place != place or step.bits]
        if self.world.crashes:
            found += self._restart(rank, place, "crashed")
        return found

    def _restart(
        self,
        rank: int,
        place: int,
        name: str,
        bits: int = 0,
        fires: int = 0,
        left: Record | None = None,
    ) -> list[Step]:
        """The member comes back with what is on disk."""
        before, disk = self._members[rank][place]
        disk = Record() if self.world.amnesia else left or disk
        member, out = self.world.members(rank, disk, (before.sequence >> 32) + 1), Recorder()
        member.listen(out)
        step = self._made(rank, member, out, disk, name, CRASH)
        step = step._replace(bits=step.bits | bits, fires=step.fires + fires)
        return [] if step.place == place and not step.bits else [step]

    def _run(self, rank: int, place: int, name: str, cost: int, act: Action) -> list[Step]:
        """One step, and what it leaves if the member crashes in the middle of it."""
        before, disk = self._members[rank][place]
        member, out = clone(before), Recorder(self.world.unwritten)
        act(member, out)
        self._check(before, member, out)
        found = [self._made(rank, member, out, disk, name, cost)]
        if out.later is not None:
            found.append(self._made(rank, member, out, disk, name, cost, out.later))
        for written in range(out.tickets if self.world.crashes else 0):
            early = [(to, message) for to, message, after in out.sent if after <= written]
            fires = sum(fire for _, fire, after in out.told if after <= written)
            if not (written or early or fires):
                continue  # nobody can tell that it began
            bits = 0
            for to, message in early:
                bits |= self._bit(rank, to, message)
            left = out.records[written - 1] if written else disk
            text = f"{name}, and crashed when {written} of {out.tickets} records were on disk"
            found += self._restart(rank, place, text, bits, fires, left)
        return found

    def _check(self, before: Election, after: Election, out: Recorder) -> None:
        """What must hold of a member's records whatever happens."""
        if not self.world.records:
            return
        for record in (*out.records, *([out.later] if out.later else [])):
            if not (record.outcome or before.record.outcome):
                if record.promised < before.record.promised and not out.wrong:
                    out.wrong = "a promise was forgotten"
                if record.accepted > record.promised and not out.wrong:
                    out.wrong = "accepted above what was promised"
        if before.record.outcome and after.record.outcome != before.record.outcome:
            out.wrong = out.wrong or "an outcome changed"

    def _made(
        self,
        rank: int,
        member: Election,
        out: Recorder,
        disk: Record,
        name: str,
        cost: int,
        later: Record | None = None,
    ) -> Step:
        disk = later or (out.records[-1] if out.records else disk)
        member.ticket = 0
        bits = 0
        learned = self._value(member.record.outcome)
        for to, message, _ in out.sent:
            bits |= self._bit(rank, to, message)
            if isinstance(message, Decided):
                learned = self._value(message.value)
        for value, _, _ in out.told:
            learned = self._value(value)
        fires = sum(fire for _, fire, _ in out.told)
        if any(fire and values.decode(value).owner != rank for value, fire, _ in out.told):
            out.wrong = out.wrong or "somebody acts whom the outcome does not name"
        self._count(member, name, fires)
        place = self._place(rank, member, disk)
        wrong = out.wrong if self.world.records else ""
        return Step(name, cost, place, bits, fires, learned, wrong)

    def _count(self, member: Election, name: str, fires: int) -> None:
        seen = self.world.seen
        proposing = member.phase == PROPOSING
        recovered = proposing and member.best != NEVER
        expiring = proposing and member.record.value[:1] == _EXPIRED
        for what, happened in (
            ("began", fires),
            ("began after a restart", fires and member.sequence >> 32),
            ("recovered", recovered),
            ("an expiry recovered", recovered and expiring),
            ("a late expiry", expiring and not recovered and number_of(member.ballot) > 0),
            ("outbid", name.startswith("got Nack")),
            ("refused", member.record.refused),
            ("closed", member.closed),
        ):
            seen[what] = seen.get(what, 0) + bool(happened)

    def _start(self, rank: int) -> Step:
        member, out = self.world.members(rank, Record(), 0), Recorder()
        member.listen(out)
        self.world.begin(member, out)
        return self._made(rank, member, out, Record(), "began", 0)

    def _place(self, rank: int, member: Election, disk: Record) -> int:
        key = key_of(member) if disk == member.record else (key_of(member), disk)
        place = self._places[rank].get(key)
        if place is None:
            place = self._places[rank][key] = len(self._members[rank])
            self._members[rank].append((member, disk))
        return place

    def _value(self, value: bytes) -> int:
        return self._values.setdefault(value, len(self._values) + 1) if value else 0

    def _bit(self, sender: int, receiver: int, message: Message) -> int:
        if isinstance(message, VoteAck) or (isinstance(message, Nack) and not self.world.nacks):
            return 0
        whom = -1 if isinstance(message, TO_ALL) else receiver
        if isinstance(message, Decided):
            sender = 0  # whoever says it: it is all the same
        known = (sender, whom, message)
        number = self._numbers.get((*known, type(message)))
        if number is None:
            number = self._numbers[*known, type(message)] = len(self._messages)
            self._messages.append(known)
            for rank in range(self.world.size):
                if whom == rank or (whom < 0 and (rank != sender or isinstance(message, Decided))):
                    self._inbox[rank] |= 1 << number
            self._rivals.append(0)
            for other, (_, _, said) in enumerate(self._messages):
                if (
                    isinstance(message, Accept)
                    and isinstance(said, Accept)
                    and said.ballot == message.ballot
                    and said.value != message.value
                ):
                    self._rivals[number] |= 1 << other
                    self._rivals[other] |= 1 << number
        return 1 << number

    def _at_odds(self, net: int, new: int, rivals: list[int]) -> bool:
        while new:
            low = new & -new
            new ^= low
            if rivals[low.bit_length() - 1] & net:
                return True
        return False


def _trace(state: tuple[int, ...], parents: dict[Any, Any]) -> list[str]:
    names = []
    while state in parents:
        state, name = parents[state]
        names.append(name)
    return names[::-1]


def clone(one: Election) -> Election:
    """An independent copy."""
    twin = type(one).__new__(type(one))
    for kind in type(one).__mro__:
        for name in getattr(kind, "__slots__", ()):
            setattr(twin, name, getattr(one, name))
    for name, value in getattr(one, "__dict__", {}).items():
        setattr(twin, name, value)
    twin.tally = one.tally.copy()
    twin._others = None if one._others is None else dict(one._others)
    return twin
