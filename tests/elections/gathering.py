"""Every schedule of signing up and deciding at once: three who pair up, for one topic and round.

Each may at any time believe that any of the others called or not, hold its coordinator dead, and
no longer want to take part; it may crash. Fewer than twice as many as an electorate has can decide
once at most.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

from tests.elections.defined import changed, defined
from tests.elections.explorer import (
    CRASH,
    Explorer,
    Step,
    World,
    clone,
    key_of,
)
from tests.elections.worlds import CRITERIA, YES
from vines.protocol.elections import value as values
from vines.protocol.elections.ballots import number_of
from vines.protocol.elections.decree import NOTHING, Record
from vines.protocol.elections.election import Election
from vines.protocol.elections.electorate import Electorate
from vines.protocol.elections.messages import (
    Accept,
    Decided,
    Definition,
    Introduction,
    Message,
    Nack,
    Vote,
)
from vines.protocol.elections.phases import HOLDING
from vines.protocol.elections.signup import (
    UNBOUND,
    Enrolment,
    SignUp,
    Surroundings,
    electorate_of,
    id_of,
)
from vines.protocol.elections.topic import receive

NAMES = (b"a", b"b", b"c", b"d", b"e")
BLANK = defined("t", 0, (), b"", 0, False, (), 2, False, 0)


class Pair(Election):
    """A claimant that proposes one value of its own."""

    def fresh_value(self) -> bytes:
        votes = b"\x00" * len(self.electorate)
        return values.commit(YES, self.me, CRITERIA, votes, ())


class Disk:
    """What a member finds again: its enrolment, the roll of it, and its record there."""

    def __init__(
        self,
        enrolment: Enrolment = UNBOUND,
        roll: Definition | None = None,
        record: Record = NOTHING,
    ) -> None:
        self.enrolment = enrolment
        self.roll = roll
        self.record = record

    def key(self) -> tuple[Any, ...]:
        return (self.enrolment, self.roll, self.record)


class Effects(Surroundings):
    """What one step did: of one member, all on disk at once."""

    def __init__(self, world: Gathering, me: int, disk: Disk) -> None:
        self.world = world
        self.me = me
        self.disk = Disk(*disk.key())
        self.said: list[tuple[bytes, bytes, Message | Introduction]] = []
        self.outcomes: list[tuple[bytes, bytes]] = []
        self.wrong = ""
        self.election = b""

    def enrol(self, enrolment: Enrolment) -> int:
        self.disk.enrolment = enrolment
        return 0

    def say(
        self, voter: bytes, election: bytes, message: Message | Introduction, after: int
    ) -> None:
        assert after == 0
        self.said.append((voter, election, message))

    def begin(self, election: bytes, definition: Definition) -> Election:
        self.disk.roll, self.disk.record = definition, NOTHING
        return self.world.part(self.me, definition, NOTHING)

    def name_of(self, definition: Definition) -> bytes:
        return id_of(b"", definition)

    def cast(self) -> Vote | None:
        return None

    def stands(self) -> bool:
        return False

    def drop(self, election: bytes) -> None:
        self.disk.roll, self.disk.record = None, NOTHING

    def effects(self, election: bytes) -> Effects:
        self.election = election
        return self

    # As the election's effects.

    def persist(self, record: Record) -> int:
        self.disk.record = record
        return 0

    def send(self, rank: int, message: Message, after: int) -> None:
        assert self.disk.roll is not None
        voters = self.world.voters(self.disk.roll)
        self.say(voters[rank], self.election, message, after)

    def decided(self, value: bytes, fire: bool, after: int) -> None:
        self.outcomes.append((self.election, value))

    def violated(self, text: str) -> None:
        self.wrong = text


class Gathering(World):
    """Who may do what."""

    def __init__(
        self,
        size: int = 3,
        total: int = 2,
        crashes: int = 0,
        attempts: int = 2,
        ballots: int = 1,
        withdrawals: bool = True,
        signup: type[SignUp] = SignUp,
        election: type[Pair] = Pair,
        tiebreak: bool = False,
    ) -> None:
        super().__init__(lambda rank, record, boot: None, size, crashes=crashes)  # type: ignore[arg-type,return-value]
        self.total = total
        self.attempts = attempts
        self.ballots = ballots
        self.withdrawals = withdrawals
        self.signup = signup
        self.election = election
        self.tiebreak = tiebreak
        self._electorates: dict[Definition, Electorate] = {}

    def voters(self, definition: Definition) -> tuple[bytes, ...]:
        return self.electorate(definition).voters

    def electorate(self, definition: Definition) -> Electorate:
        known = self._electorates.get(definition)
        if known is None:
            known = electorate_of(id_of(b"", definition), definition)
            self._electorates[definition] = known
        return known

    def part(self, me: int, definition: Definition, record: Record) -> Pair:
        electorate = self.electorate(definition)
        return self.election(electorate, electorate.rank(NAMES[me]), CRITERIA, record=record)

    def member(self, me: int, disk: Disk) -> SignUp:
        blank = changed(BLANK, tiebreak=self.tiebreak)
        made = self.signup(NAMES[me], blank, self.total, disk.enrolment)
        if disk.roll is not None and disk.enrolment.bound:
            made.resume(disk.roll, self.part(me, disk.roll, disk.record))
        return made


def copy_of(one: SignUp) -> SignUp:
    twin = type(one).__new__(type(one))
    for kind in type(one).__mro__:
        for name in getattr(kind, "__slots__", ()):
            setattr(twin, name, getattr(one, name))
    if one.election is not None:
        twin.election = clone(one.election)
    return twin


class Search(Explorer):
    """One search over sign-ups and what comes of them."""

    def __init__(self, world: Gathering, *, traced: bool = False) -> None:
        super().__init__(world, traced=traced)
        self.world: Gathering = world

    def _start(self, rank: int) -> Step:
        disk = Disk()
        return self._arrived(
            rank, self.world.member(rank, disk), Effects(self.world, rank, disk), "", 0
        )

    def _deliver(self, rank: int, place: int, number: int) -> list[Step]:
        sender, _, (election, message) = self._messages[number]  # type: ignore[misc]

        def act(member: SignUp, out: Effects) -> None:
            receive(member, NAMES[sender], election, message, out)

        return self._do(rank, place, f"got {message} of {sender} on {election.hex()[:4]}", 0, act)

    def _own_steps(self, rank: int, place: int) -> list[Step]:
        member, _ = self._members[rank][place]
        found: list[Step] = []
        for name, act in self._actions(rank, member):  # type: ignore[arg-type]
            steps = self._do(rank, place, name, 0, act)
            found += [step for step in steps if step.place != place or step.bits]
        if self.world.crashes:
            _, disk = self._members[rank][place]
            reborn = self.world.member(rank, disk)  # type: ignore[arg-type]
            out = Effects(self.world, rank, disk)  # type: ignore[arg-type]
            step = self._arrived(rank, reborn, out, "crashed", CRASH)
            found += [step] if step.place != place else []
        return found

    def _actions(self, rank: int, member: SignUp) -> list[tuple[str, Any]]:
        found: list[tuple[str, Any]] = []
        others = [name for index, name in enumerate(NAMES[: self.world.size]) if index != rank]
        if member.calling and member.enrolment.attempt < self.world.attempts:
            for count in range(1, len(others) + 1):
                for some in combinations(others, count):
                    seen = frozenset((NAMES[rank], *some))
                    found.append((f"sees {sorted(seen)}", considering(seen)))
        if member.election is not None and not member.election.closed:
            found.append(("holds its coordinator dead", lambda one, out: one.refuse(out)))
            if self.world.withdrawals:
                found.append(("withdraws", lambda one, out: one.withdraw(out)))
            found += self._claims(member)
        return found

    def _claims(self, member: SignUp) -> list[tuple[str, Any]]:
        part = member.election
        assert part is not None
        if not member.enrolment.formed or not part.may_claim:
            return []
        if part.phase == HOLDING:
            return [("proposes", lambda one, out: part_of(one).proceed(bound_effects(one, out)))]
        first = part.may_open
        number = number_of(part.record.promised) + 1
        if first or (number <= self.world.ballots and number % 2 == part.me % 2):
            return [("claims", lambda one, out: part_of(one).claim(bound_effects(one, out)))]
        return []

    def _do(self, rank: int, place: int, name: str, cost: int, act: Any) -> list[Step]:
        before, disk = self._members[rank][place]
        member = copy_of(before)  # type: ignore[arg-type]
        out = Effects(self.world, rank, disk)  # type: ignore[arg-type]
        act(member, out)
        return [self._arrived(rank, member, out, name, cost)]

    def _arrived(self, rank: int, member: SignUp, out: Effects, name: str, cost: int) -> Step:
        bits = 0
        for voter, election, message in out.said:
            bits |= self._said(rank, NAMES.index(voter), election, message)
        learned = 0
        for election, value in out.outcomes:
            learned = self._value(election + value)
        part = member.election
        if part is not None and part.closed:
            learned = self._value(member.enrolment.bound + part.record.outcome)
        self.world.seen["formed"] = self.world.seen.get("formed", 0) + member.enrolment.formed
        self.world.seen["released"] = self.world.seen.get("released", 0) + (
            member.enrolment.attempt > 0 and not member.enrolment.bound
        )
        self.world.seen["closed"] = self.world.seen.get("closed", 0) + bool(learned)
        key = (
            *(member.enrolment, member.calling, member.candidates, member.roll, member.signed),
            *(member._asked, key_of(part) if part is not None else None, out.disk.key()),
        )
        place = self._places[rank].get(key)
        if place is None:
            place = self._places[rank][key] = len(self._members[rank])
            self._members[rank].append((member, out.disk))  # type: ignore[arg-type]
        return Step(name, cost, place, bits, 0, learned, out.wrong)

    def _said(
        self, sender: int, receiver: int, election: bytes, message: Message | Introduction
    ) -> int:
        if isinstance(message, Nack):
            return 0
        if isinstance(message, Decided):
            sender = receiver  # whoever says it: it is all the same
        known = (sender, receiver, (election, message))
        # Empty messages of two types are equal: they are told apart by their types.
        number = self._numbers.get((*known, type(message)))
        if number is None:
            number = self._numbers[*known, type(message)] = len(self._messages)
            self._messages.append(known)  # type: ignore[arg-type]
            self._inbox[receiver] |= 1 << number
            self._rivals.append(0)
            for other, (_, _, rest) in enumerate(self._messages):
                where, said = rest  # type: ignore[misc]
                if (
                    isinstance(message, Accept)
                    and isinstance(said, Accept)
                    and where == election
                    and said.ballot == message.ballot
                    and said.value != message.value
                ):
                    self._rivals[number] |= 1 << other
                    self._rivals[other] |= 1 << number
        return 1 << number


def part_of(one: SignUp) -> Election:
    assert one.election is not None
    return one.election


def bound_effects(one: SignUp, out: Effects) -> Effects:
    return out.effects(one.enrolment.bound)


def considering(seen: frozenset[bytes]) -> Any:
    def act(member: SignUp, out: Effects) -> None:
        member.consider(seen, out)

    return act
