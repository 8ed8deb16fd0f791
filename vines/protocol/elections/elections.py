"""All elections of one node: calls and decisions as records, matters by topic, time for each.

A call is a record of the control table, so that callers find each other without a meeting point; a
decision is one too, so that everybody learns it, whoever took part. What is said in between goes
straight to members. Of two decisions of one topic the one of the higher round counts.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Final

from vines._core.changes import Changes
from vines._core.table import TOMBSTONE, Table
from vines._core.tally import ABSTAIN, NONE, REFUSE
from vines.errors import WireError
from vines.events import Conflict, Expired, Outcome, Overdue, Quorum, Settled
from vines.protocol.elections import value as values
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.electorate import ID_BYTES, Electorate
from vines.protocol.elections.matter import Matter
from vines.protocol.elections.messages import Decided, Definition, Introduction, Message, Sign
from vines.protocol.elections.signup import id_of
from vines.protocol.machine import Outbox
from vines.protocol.wire import fields
from vines.protocol.wire.ballot import Ballot, pack
from vines.protocol.wire.definition import fields_of_definition, read_definition

if TYPE_CHECKING:
    import random

CALL: Final = 5
"""Family of records: a member has called for an election. Key: member id, round, topic."""
DECISION: Final = 4
"""Family of records: what was decided. Key: topic; stamp: the round and one."""

EARLY_MAX: Final = 65_536
"""Votes kept for calls that have not come."""

Key = tuple[str, int]
"""A topic and a round."""


NOBODY: Final[frozenset[bytes]] = frozenset()


@lru_cache(maxsize=1024)
def one_of(members: frozenset[bytes]) -> frozenset[bytes]:
    """Equal sets of members are one object: they call for many elections together."""
    return members


class Elections:
    """The elections that a node called, votes in, or has heard the end of."""

    def __init__(
        self,
        me: bytes,
        namespace: bytes,
        control: Table,
        outbox: Outbox,
        rng: random.Random,
        alive: Callable[[], frozenset[bytes]],
        send: Callable[[bytes, bytes], None],
    ) -> None:
        self.me = me
        self._namespace = namespace
        self._control = control
        self._outbox = outbox
        self._rng = rng
        self._alive = alive
        self._send = send
        self._matters: dict[Key, Matter] = {}
        self._elections: dict[bytes, Key] = {}
        """Which matter an election id belongs to, of those this node takes part in."""
        self._callers: dict[Key, frozenset[bytes]] = {}
        self._outcomes: dict[str, Outcome] = {}
        """The decision of the highest round of each topic."""
        self._crowded: set[Key] = set()
        """Those of which was told that too many call."""
        self.listening = False
        """Somebody here would act on commits."""
        self._early: dict[str, int] = {}
        """Votes on topics that nobody here has called yet."""
        self._due: list[tuple[float, Key]] = []
        self._scheduled: dict[Key, float] = {}
        """When each matter is looked at next; what else waits in `_due` is passed over."""
        self._looked = -inf
        self._living = NOBODY
        """Who lived when that was last asked: once a turn is often enough."""
        self._calls = 0
        self._about = self._packed = b""
        self._said: Message | Introduction | None = None
        """What was packed last: much is said to several."""
        for family in (CALL, DECISION):
            cursor: int | None = 0
            while cursor is not None:
                held, cursor = control.scan(family, b"", cursor, 1024)
                self.learn(held, 0.0)

    # What the user does.

    def call(
        self, topic: str, criteria: Criteria, total: int, seconds: float, now: float
    ) -> Outcome | None:
        """Call for an election among `total` callers; the outcome, if the topic has one already."""
        known = self._outcomes.get(topic)
        if known is not None:
            return known
        key = (topic, 0)
        matter = self._matters.get(key)
        definition = Definition(
            *(topic, 0, (), b"", 0, False),
            *(criteria.choices, criteria.least, criteria.plurality, int(seconds * 1000)),
        )
        deadline = now + seconds
        if matter is None:
            matter = Matter(self, self.me, self._namespace, definition, total, deadline, self._rng)
            self._matters[key] = matter
            self._callers[key] = self._callers.pop(key, NOBODY)  # one key for both
            matter.listening = self.listening
            matter.early = self._early.pop(topic, None)
            matter.voted = matter.early is not None
            self._announce(key, calling=True)
        elif not matter.signup.calling:
            matter.renew(definition, total, deadline)
            self._announce(key, calling=True)
        self._look(key, now)
        return None

    def vote(self, topic: str, choice: int, now: float) -> bool:
        """Vote; False if it is too late for that. Before the call it is kept for it."""
        matter = self._matters.get((topic, 0))
        if matter is None:
            if topic in self._outcomes:
                return True
            if len(self._early) < EARLY_MAX or topic in self._early:
                self._early[topic] = choice
                return True
            return False
        taken = matter.vote(choice, now)
        self._schedule((topic, 0))
        return taken

    def listen(self) -> None:
        """Somebody here would act on commits from now on, also on those that have been made."""
        self.listening = True
        for matter in list(self._matters.values()):
            matter.listen()

    def outcomes(self) -> list[Outcome]:
        """What was decided, as far as known here: of each topic the last."""
        return list(self._outcomes.values())

    def outcome(self, topic: str) -> Outcome | None:
        """The same of one topic."""
        return self._outcomes.get(topic)

    def code(self, topic: str, choice: bool | str | None) -> int:
        """A vote as a number. ValueError if it is none of the choices called here."""
        matter = self._matters.get((topic, 0))
        if choice is None:
            return ABSTAIN
        if isinstance(choice, bool):
            if matter is not None and matter.definition.choices:
                raise ValueError("there are choices to vote for")
            return 0 if choice else REFUSE
        if matter is None:
            raise ValueError("its choices are not known before the call")
        return matter.definition.choices.index(choice)

    # What happens.

    def receive(self, member: bytes, ballots: tuple[Ballot, ...], now: float) -> None:
        """A linked member says something in elections."""
        for election, _slot, said in ballots:
            if isinstance(said, Sign):
                key = (said.definition.topic, said.definition.round)
            else:
                key = self._elections.get(election, ("", 0))
            matter = self._matters.get(key)
            if matter is not None:
                matter.receive(member, election, said, now)
                self._note(key, matter)

    def learn(self, changes: Changes, now: float) -> None:
        """Records of the control table became current."""
        touched = set()
        for family, key, flags, value, _, _ in changes:
            if family == CALL and len(key) > 24:
                try:
                    about = (key[24:].decode(), int.from_bytes(key[16:24], "big"))
                except UnicodeDecodeError:
                    continue
                callers = self._callers.get(about, NOBODY)
                member = frozenset((key[:16],))
                callers = callers - member if flags & TOMBSTONE else callers | member
                self._callers[about] = one_of(callers)
                touched.add(about)
            elif family == DECISION:
                self._learn_decision(key, value)
        for about in touched:
            self._look(about, now)

    def members_changed(self, now: float) -> None:
        """Somebody came, left or died."""
        self._looked = -inf
        for key in self._matters:
            self._look(key, now)

    def advance(self, now: float) -> None:
        """Do what is due."""
        while self._due and self._due[0][0] <= now:
            when, key = heapq.heappop(self._due)
            if self._scheduled.get(key) != when:
                continue
            del self._scheduled[key]
            matter = self._matters[key]
            before = matter.told_timeout
            matter.advance(now)
            if matter.told_timeout and not before:
                self._outbox.emit(Overdue(*key))
                if not matter.signup.calling:
                    self._announce(key, calling=False)
            self._note(key, matter)

    def leave(self) -> None:
        """This node goes, and takes part in nothing that it can still stay out of."""
        for matter in list(self._matters.values()):
            matter.leave()

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        return self._due[0][0] if self._due else inf

    def _look(self, key: Key, now: float) -> None:
        matter = self._matters.get(key)
        if matter is None or matter.value:
            return
        if now != self._looked:
            self._looked, self._living = now, self._alive()
        alive = self._living
        callers = self._callers.get(key, NOBODY) & alive
        if matter.signup.calling and self.me not in callers:
            callers |= {self.me}
        callers = one_of(callers)
        self._count(key, matter, callers)
        matter.consider(callers, alive, now)
        self._note(key, matter)

    def _count(self, key: Key, matter: Matter, callers: frozenset[bytes]) -> None:
        """Say so, once, if more call than an electorate takes: nobody may choose among them."""
        total = matter.signup.total
        if len(callers) <= total or matter.signup.enrolment.bound or key in self._crowded:
            return
        self._crowded.add(key)
        names = ", ".join(sorted(caller.hex()[:8] for caller in callers))
        text = f"{len(callers)} members call for {key[0]!r}, which takes {total}: {names}"
        self._outbox.emit(Conflict("election", text))

    def _note(self, key: Key, matter: Matter) -> None:
        bound = matter.signup.enrolment.bound
        if bound:
            self._elections[bound] = key
        self._schedule(key)

    def _schedule(self, key: Key) -> None:
        matter = self._matters[key]
        if matter.value:
            return
        due = matter.due()
        if due < self._scheduled.get(key, inf):
            self._scheduled[key] = due
            heapq.heappush(self._due, (due, key))

    # Records.

    def _announce(self, key: Key, *, calling: bool) -> None:
        """Say in the table that this node calls, or no longer does."""
        self._calls += 1
        name, number = key
        where = self.me + number.to_bytes(8, "big") + name.encode()
        flags = 0 if calling else TOMBSTONE
        self._control.put(CALL, where, flags, b"", self._calls)

    def _learn_decision(self, key: bytes, record: bytes) -> None:
        known = self._outcomes.get(key.decode(errors="replace"))
        if known is not None and known.election == record[:ID_BYTES]:
            return
        try:
            read = fields.unpack(record, ID_BYTES)
            definition = read_definition(read)
            value = fields.blob(read, "value", 1 << 18, least=1)
        except WireError:
            return
        election = id_of(self._namespace, definition)
        if election != record[:ID_BYTES] or not self._conclude(definition, election, value):
            return
        matter = self._matters.get((definition.topic, definition.round))
        if matter is None or matter.value:
            return
        part = matter.signup.election
        if part is not None and matter.signup.enrolment.bound == election:
            part.on_decided(Decided(value), matter)
        else:
            matter.value = value

    def _conclude(
        self,
        definition: Definition,
        election: bytes,
        value: bytes,
        electorate: Electorate | None = None,
    ) -> bool:
        """A decision is known; tell of it once. False if it is none, and nothing changed."""
        known = self._outcomes.get(definition.topic)
        if known is not None and known.round >= definition.round:
            if known.round == definition.round and known.election != election:
                self._outbox.emit(Conflict("election", f"two decisions of {definition.topic!r}"))
            return True
        try:
            electorate = electorate or Electorate(
                election,
                definition.roll,
                council=definition.council,
                tiebreak=definition.tiebreak,
            )
            read = values.decode(value)
        except ValueError:  # WireError is one, too: nobody honest wrote this
            return False
        if values.fault(read, electorate):
            return False
        outcome = _outcome(definition, election, electorate, read)
        self._outcomes[definition.topic] = outcome
        self._outbox.emit(Settled(outcome))
        if read.kind == values.EXPIRED:
            self._outbox.emit(Expired(outcome))
        return True

    # As the office of the matters.

    def say(self, member: bytes, election: bytes, said: Message | Introduction) -> None:
        """Send to a member."""
        if said is not self._said or election != self._about:
            self._said, self._about = said, election
            self._packed = pack(election, 0, said)
        self._send(member, self._packed)

    def settled(self, matter: Matter, value: bytes, fire: bool) -> None:
        """The outcome of a matter is known."""
        definition, part = matter.signup.roll, matter.signup.election
        assert definition is not None
        assert part is not None
        election = matter.signup.enrolment.bound
        self._conclude(definition, election, value, part.electorate)
        topic = definition.topic.encode()
        held = self._control.get(DECISION, topic)
        if held is None or held[0] < definition.round + 1:
            record = fields.pack({**fields_of_definition(definition), "value": value})
            self._control.put(DECISION, topic, 0, election + record, definition.round + 1)
        outcome = self._outcomes.get(definition.topic)
        if fire and outcome is not None:
            self._outbox.emit(Quorum(outcome))

    def suspected(self, matter: Matter, text: str) -> None:
        """Something happened that cannot."""
        self._outbox.emit(Conflict("election", f"{matter.definition.topic!r}: {text}"))


def _outcome(
    definition: Definition, election: bytes, electorate: Electorate, read: values.Value
) -> Outcome:
    """A decision in the words of a user."""

    def word(code: int) -> bool | str | None:
        if code < read.winnable:
            named = definition.choices
            return (named[code] if code < len(named) else "") if named else True
        return False if code == REFUSE else None

    won = read.kind == values.COMMIT
    return Outcome(
        topic=definition.topic,
        round=definition.round,
        election=election,
        kind=values.KINDS[read.kind],
        choice=(read.label or True) if won else None,
        owner=electorate.voters[read.owner] if won else None,
        votes={
            voter: word(code)
            for voter, code in zip(electorate.voters, read.votes, strict=True)
            if code != NONE
        },
    )
