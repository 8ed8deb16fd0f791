"""What members must keep to in elections, seen from outside: their records, and what they say.

A spectator of a simulation. It remembers what was on each disk when its node said something, over
all starts, and raises Violation as soon as a rule is broken that the design of elections numbers
I1 to I4, I9, I10 and I12. Only matters that changed are looked at.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import TypeAlias

from vines.events import Settled
from vines.protocol.elections.ballots import FIRST, NEVER, rank_of
from vines.protocol.elections.decree import NOTHING, Record, digest_of
from vines.protocol.elections.election import tally_of
from vines.protocol.elections.electorate import Electorate
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Cancel,
    Decided,
    Definition,
    Formed,
    Prepare,
    Promise,
    Refusal,
    Sign,
    Signed,
    Testimony,
    Vote,
)
from vines.protocol.elections.shelf import Part, read_part
from vines.protocol.elections.signup import (
    Enrolment,
    attempt_of,
    coordinator_of,
    electorate_of,
)
from vines.protocol.elections.voters import spoken, voter_of
from vines.protocol.wire import fields
from vines.protocol.wire.ballot import Ballots
from vines.protocol.wire.definition import read_definition
from vines.simulation import Spectator, Violation
from vines.simulation.frames import BALLOT, frame_type
from vines.simulation.process import Process

from .history import Rolled

Key: TypeAlias = tuple[str, int]
State: TypeAlias = tuple[Enrolment, Record]
HEAD_BYTES = 4
"""Before a frame on a stream: its length."""


class Promises(Spectator):
    """Watches all nodes of a simulation. `rolled`: where each roll goes that is new."""

    def __init__(self, rolled: list[object], cluster: str = "") -> None:
        self._namespace = cluster.encode()
        self.seen: Counter[str] = Counter()
        self._rolled = rolled
        self._definitions: dict[bytes, Definition] = {}
        self._electorates: dict[bytes, Electorate] = {}
        self._synced: defaultdict[bytes, dict[bytes, Part]] = defaultdict(dict)
        """By node id and key on its disk: what it keeps there, as far as it was told so."""
        self._states: dict[tuple[str, Key], State] = {}
        self._proposed: dict[tuple[bytes, int], bytes] = {}
        self._first: dict[tuple[bytes, bytes], bytes] = {}
        """Who proposed a value first."""
        self._accepted: defaultdict[tuple[bytes, int], set[bytes]] = defaultdict(set)
        self._promised: Counter[bytes] = Counter()
        """The highest ballot of an election that anybody said is promised."""
        self._chosen: dict[bytes, tuple[int, bytes]] = {}
        self._alone: dict[bytes, bytes] = {}
        """Who decided what without anybody: at which ballot it says only then."""
        self._cancelled: set[bytes] = set()
        self._refusing: defaultdict[bytes, set[bytes]] = defaultdict(set)
        """By election, the voters that have said they take no part."""
        self._closed: dict[tuple[bytes, bytes], int] = {}
        """By node id and election: the turn after which it says nothing else any more."""
        self._turns: Counter[bytes] = Counter()
        self._votes: dict[tuple[str, Key], Testimony] = {}
        """By process and matter, the votes that were counted once more."""
        self._locked: dict[tuple[str, bytes], int] = {}
        """By process and election, the number of its last vote when it accepted something."""
        self._held: set[tuple[str, bytes]] = set()
        self._late = False

    # -- what happens

    def started(self, process: Process) -> None:
        """It goes on from what is on its disk, which may be a little more than it was told."""
        self._hold(process)
        if process.disk is not None:
            records = process.disk.records
            self._keep(process, records)
            kept = self._synced[process.node.id]
            for key in [key for key in kept if key not in records]:
                del kept[key]
        for key, matter in self._matters(process):
            self._look(process, key, matter)

    def turned(self, process: Process) -> None:
        """Look at what changed."""
        self._turns[process.node.id] += 1
        for key, matter in self._matters(process):
            self._look(process, key, matter)
            self._recount(process, key, matter)

    def told(self, process: Process, event: object) -> None:
        """Who was in what was decided is in the decision, if that was too quick to be seen."""
        if isinstance(event, Settled):
            outcome = event.outcome
            held = process.node.elections()._outcomes.find((outcome.topic, outcome.round))
            if held is not None and held.election == outcome.election:
                self._define(outcome.election, held.definition)

    def synced(self, process: Process, records: Mapping[bytes, bytes | None]) -> None:
        """Compare what is on disk with what was there."""
        self._keep(process, records)

    def _keep(self, process: Process, records: Mapping[bytes, bytes | None]) -> None:
        node = process.node.id
        for key, value in records.items():
            if key[:4] == b"roll" and value is not None:
                self._define(key[-16:], read_definition(fields.unpack(value)))
        for key, value in records.items():
            if key[:4] != b"part":
                continue
            if value is None:
                self._synced[node].pop(key, None)
                continue
            part = read_part(value)
            before = self._synced[node].get(key)
            if before is not None:
                self._compare(
                    process, (before.enrolment, before.record), (part.enrolment, part.record)
                )
            self._synced[node][key] = part
            if part.record.outcome:
                self._close(node, part.enrolment.bound)
            if part.enrolment.bound in self._definitions:
                same = before is not None and before.enrolment.bound == part.enrolment.bound
                promised = before.record.promised if before is not None and same else FIRST
                self._accept_kept(process, part.enrolment.bound, part.record, promised)

    def sent(self, process: Process, frame: bytes) -> None:
        """Check what is said against what is kept, and against what was said before."""
        if frame_type(frame) != BALLOT:
            return
        self._late = (process.name, frame) in self._held
        for election, _, said in Ballots.decode(frame[HEAD_BYTES:]).ballots:
            self._said(process, election, said)

    def _hold(self, process: Process) -> None:
        """Note what waits for a link: it was true when it was said, as if the network had it."""
        errands = process.node._parts.linking.dialler.errands
        hold = errands.hold

        def held(member: bytes, frame: bytes, now: float) -> None:
            self._held.add((process.name, frame))
            hold(member, frame, now)

        errands.hold = held  # type: ignore[method-assign]

    def _said(self, process: Process, election: bytes, said: object) -> None:
        if isinstance(said, Sign | Definition):
            self._define(election, said.definition if isinstance(said, Sign) else said)
        if election not in self._definitions:
            return
        if process.disk is not None:
            self._check_kept(process, election, said)
        self._check_said(process, election, said)

    # -- what is kept

    def _matters(self, process: Process):  # type: ignore[no-untyped-def]
        elections = process.node._parts.elections
        return [] if elections is None else list(elections._matters.items())

    def _look(self, process: Process, key: Key, matter) -> None:  # type: ignore[no-untyped-def]
        signup = matter.signup
        record = NOTHING if signup.election is None else signup.election.record
        before = self._states.get((process.name, key))
        if before is not None and before[0] is signup.enrolment and before[1] is record:
            return
        state = (signup.enrolment, record)
        self._states[process.name, key] = state
        if signup.roll is not None and signup.enrolment.bound:
            self._define(signup.enrolment.bound, signup.bound())
        if before is None:
            before = self._resumed(process, key)
        if before is not None:
            self._compare(process, before, state)
        if record.accepted != NEVER:
            self._locked.setdefault(
                (process.name, signup.enrolment.bound), signup.election.sequence
            )
        if record.promised < record.accepted:
            raise Violation(f"{process.name} accepted above its promise: {record}")
        if process.disk is None and record.outcome:
            self._close(process.node.id, signup.enrolment.bound)
            same = before is not None and before[0].bound == signup.enrolment.bound
            promised = before[1].promised if before is not None and same else FIRST
            self._decide(process, signup.enrolment.bound, record.outcome, promised)

    def _recount(self, process: Process, key: Key, matter) -> None:  # type: ignore[no-untyped-def]
        """What is counted vote by vote is what a count of all of them gives."""
        part = matter.signup.election
        if part is None or part._tally is None:
            return
        held = part._tally.held()
        if self._votes.get((process.name, key)) == held:
            return
        self._votes[process.name, key] = held
        again = tally_of(part.electorate, part.criteria)
        for vote in reversed(held):
            again.vote(*vote)
        if again.state_bytes() != part._tally.state_bytes():
            raise Violation(f"{process.name} counts {held} otherwise than one by one")
        self.seen["votes counted again"] += 1

    def _resumed(self, process: Process, key: Key) -> State | None:
        """What this identity kept of a matter that its process has not been seen with before."""
        number, topic = key[1].to_bytes(8, "big"), key[0].encode()
        for each, part in self._synced[process.node.id].items():
            if each[12:] == number + topic:
                return part.enrolment, part.record
        return None

    def _compare(self, process: Process, before: State, now: State) -> None:
        """What was promised stays promised, over all starts."""
        (enrolled, record), (enrolment, then) = before, now
        where = f"{process.name}: {before} became {now}"
        passed = dict(enrolment.passed)
        if not then.outcome and any(
            passed.get(who, -1) < attempt for who, attempt in enrolled.passed
        ):
            raise Violation(f"what it will not sign is forgotten at {where}")
        if enrolled.bound and enrolled.bound != enrolment.bound:
            self._check_released(process, enrolled.bound, where)
            return
        if enrolment.bound != enrolled.bound:
            return
        if record.outcome:
            if record.outcome != then.outcome:
                raise Violation(f"an outcome changed at {where}")
            if record.fired and not then.fired:
                raise Violation(f"that it acts is forgotten at {where}")
        elif not then.outcome:
            if then.promised < record.promised or then.accepted < record.accepted:
                raise Violation(f"a promise was taken back at {where}")
            if then.accepted == record.accepted and then.value != record.value:
                raise Violation(f"two values at one ballot at {where}")
            if (record.refused and not then.refused) or (record.foreign and not then.foreign):
                raise Violation(f"a refusal was taken back at {where}")
        if enrolled.formed and not enrolment.formed:
            raise Violation(f"a roll that stood stands no more at {where}")

    def _check_released(self, process: Process, election: bytes, where: str) -> None:
        """A roll that was signed is left by its coordinator's word or when it can never decide; or
        as another outcome of the topic is known.
        """
        definition, electorate = self._definitions[election], self._electorates[election]
        if coordinator_of(definition) == process.node.id or election in self._cancelled:
            return
        known = process.node.elections().outcome(definition.topic)
        if known is not None and known.round >= definition.round:
            return
        if not self._is_hopeless(election, self._voter(process, electorate)):
            raise Violation(f"a roll that could decide was left at {where}")

    def _is_hopeless(self, election: bytes, *more: bytes) -> bool:
        """Whether nothing can be decided without those who have refused, and these."""
        electorate = self._electorates[election]
        refusing = self._refusing[election].union(more)
        ranks = sum(1 << electorate.rank(each) for each in refusing if each in electorate.voters)
        return electorate.is_lost_without(ranks)

    def _close(self, node: bytes, election: bytes) -> None:
        self._closed.setdefault((node, election), self._turns[node] + 1)

    # -- what is said

    def _check_kept(self, process: Process, election: bytes, said: object) -> None:
        """Nothing leaves before the record that it rests on is on disk."""
        definition = self._definitions[election]
        part = self._part(process, definition)
        if part is None:
            self._check_unkept(process, definition, said)
            return
        enrolment, record = part.enrolment, part.record
        bound = enrolment.bound == election
        match said:
            case Sign() | Signed():
                passed = dict(enrolment.passed).get(coordinator_of(definition), -1)
                kept = passed >= attempt_of(definition) or bool(record.outcome)
            case Formed():
                kept = not bound or enrolment.formed
            case Cancel():
                kept = not bound or coordinator_of(definition) != process.node.id
            case Prepare(ballot=one) | Promise(ballot=one):
                promised = enrolment.formed and record.promised >= one
                kept = not bound or promised or bool(record.outcome)
            case Accept(ballot=one):
                promised = enrolment.formed and record.promised >= one
                kept = not bound or promised or bool(record.outcome)
            case Accepted(ballot=one):
                accepted = enrolment.formed and record.accepted >= one
                kept = not bound or accepted or bool(record.outcome)
            case Decided(value=value):
                kept = not bound or record.outcome == value or self._published(process, definition)
            case Refusal():
                kept = not bound or record.refused or self._published(process, definition)
            case _:
                return
        if not kept:
            raise Violation(f"{process.name} says {said} of {election.hex()[:8]}, kept is {part}")
        self.seen["said on record"] += 1

    def _check_unkept(self, process: Process, definition: Definition, said: object) -> None:
        harmless = isinstance(said, Refusal | Decided) or self._published(process, definition)
        rests = isinstance(
            said, Sign | Signed | Formed | Prepare | Promise | Accept | Accepted | Refusal
        )
        if rests and not harmless:
            raise Violation(f"{process.name} says {said} with nothing on disk")

    def _part(self, process: Process, definition: Definition) -> Part | None:
        assert process.disk is not None
        matter = definition.round.to_bytes(8, "big") + definition.topic.encode()
        for key, value in process.disk.records.items():
            if key[12:] == matter and key[:4] == b"part":
                return read_part(value)
        return None

    def _published(self, process: Process, definition: Definition) -> bool:
        """Whether this round or a later one was decided, as far as this node knows."""
        known = process.node.elections().outcome(definition.topic)
        return known is not None and known.round >= definition.round

    def _check_said(self, process: Process, election: bytes, said: object) -> None:
        node, electorate = process.node.id, self._electorates[election]
        voter = self._voter(process, electorate)
        match said:
            case Accept(ballot=one, value=value, fresh=fresh):
                self._propose(process, election, one, value, fresh)
                if process.disk is None:
                    self._accept(election, one, voter)
            case Accepted(ballot=one, digest=digest):
                value = self._proposed[election, one]
                if digest != digest_of(value):
                    raise Violation(f"{process.name} accepted something else than was proposed")
                self._accept(election, one, voter)
            case Promise(ballot=one):
                self._promised[election] = max(self._promised[election], one)
            case Vote(sequence=sequence) | Signed(vote=Vote(sequence=sequence)):
                self._vote(process, election, sequence)
            case Refusal():
                self._refusing[election].add(voter)
            case Cancel():
                # Who has left what can never decide says so of a roll that stands, too.
                mine = coordinator_of(self._definitions[election]) == node
                if mine and not self._is_hopeless(election):
                    self._cancelled.add(election)
            case Formed():
                if election in self._cancelled:
                    raise Violation(f"{process.name} says that a cancelled roll stands")
        if isinstance(said, Promise | Accepted | Signed):
            closed = self._closed.get((node, election))
            if closed is not None and self._turns[node] > closed and not self._late:
                raise Violation(f"{process.name} says {said} of what is closed on its disk")
        helps = isinstance(said, Promise | Accepted | Prepare | Accept) and not self._late
        if helps and voter in self._refusing[election] and not self._left(process, election):
            raise Violation(f"{process.name} refused {election.hex()[:8]} and says {said}")

    def _left(self, process: Process, election: bytes) -> bool:
        """Whether its refusal only said that the topic is decided otherwise."""
        return self._published(process, self._definitions[election])

    def _vote(self, process: Process, election: bytes, sequence: int) -> None:
        """Who has accepted something changes its vote no more."""
        if sequence > self._locked.get((process.name, election), sequence):
            raise Violation(f"{process.name} votes anew after it has accepted")

    def _propose(
        self, process: Process, election: bytes, one: int, value: bytes, fresh: bool
    ) -> None:
        if self._proposed.setdefault((election, one), value) != value:
            raise Violation(f"{process.name} proposes two values at one ballot")
        first = self._first.setdefault((election, value), process.node.id)
        self.seen["recovered from another"] += not fresh and first != process.node.id
        ballot, chosen = self._chosen.get(election, (one, value))
        if value == chosen and self._alone.get(election) == process.node.id:
            # What it promised before may have gone to disk with that, and be said with that.
            self._chosen[election] = max(ballot, one), value
        if one > ballot and value != chosen:
            raise Violation(f"{process.name} proposes another value than was chosen before")

    def _accept(self, election: bytes, one: int, voter: bytes) -> None:
        electorate, acceptors = self._electorates[election], self._accepted[election, one]
        if voter not in acceptors and voter in electorate.voters:
            acceptors.add(voter)
            ranks = sum(1 << electorate.rank(each) for each in acceptors)
            if election not in self._chosen and electorate.is_quorum(electorate.strength(ranks)):
                self._choose(election, one, self._proposed[election, one])

    def _choose(self, election: bytes, one: int, value: bytes) -> None:
        self._chosen[election] = one, value
        for (other, ballot), proposed in self._proposed.items():
            if other == election and ballot > one and proposed != value:
                raise Violation(f"{proposed!r} was proposed above what is chosen now")

    def _accept_kept(
        self, process: Process, election: bytes, record: Record, promised: int
    ) -> None:
        """A claimant accepts when that is on its disk, which may be after it has proposed; the
        outcome may come in its place. `promised`: what was there before.
        """
        if record.outcome:
            self._decide(process, election, record.outcome, promised)
        elif (election, record.accepted) in self._proposed:
            voter = self._voter(process, self._electorates[election])
            self._accept(election, record.accepted, voter)

    def _decide(self, process: Process, election: bytes, value: bytes, promised: int) -> None:
        """A member has an outcome. The first to have it has it in the place of the accept that it
        was counted with: that of its claimant, or of who was the last that it needed. So it was
        chosen at a ballot that is not below what was promised there, by those who said that they
        accepted, this one and the claimant. It need not have been at the first one at which it was
        proposed: too few may have accepted it there, who asked others proposed something else
        above, and it was recovered.
        """
        if election in self._chosen:
            return
        electorate = self._electorates[election]
        rank = electorate.rank(self._voter(process, electorate))
        me = 1 << rank if rank >= 0 else 0
        proposed = sorted(ballot for each, ballot in self._proposed if each == election)
        if any(map(electorate.is_quorum, electorate.shared.strengths)):
            # Who needs nobody says nothing before, and what others propose rests on its promises.
            self._choose(election, max(promised, self._promised[election], *proposed), value)
            self._alone[election] = process.node.id
            return
        for one in proposed:
            ranks = sum(1 << electorate.rank(each) for each in self._accepted[election, one])
            ranks |= me | 1 << rank_of(one)
            counts = one >= promised and self._proposed[election, one] == value
            if counts and electorate.is_quorum(electorate.strength(ranks)):
                self._choose(election, one, value)
                return
        raise Violation(f"{process.name} has an outcome that was not chosen")

    # -- who it is about

    def _voter(self, process: Process, electorate: Electorate) -> bytes:
        node = process.node
        named = voter_of(node.config.name)
        return named if process.disk is not None and electorate.rank(named) >= 0 else node.id

    def _define(self, election: bytes, definition: Definition) -> None:
        if election in self._definitions or not definition.terms.roll:
            return
        self._definitions[election] = definition
        self._electorates[election] = electorate_of(election, definition)
        roll = {spoken(voter): weight for voter, weight in definition.terms.roll}
        where = definition.topic, definition.round
        self._rolled.append(Rolled(election, *where, roll, named=not definition.terms.signup))
