"""A history of elections, and whether it keeps what is promised: one write-once register for each
election, one register for each voter's votes.

It knows nothing of nodes: entries are what users did and were told, in order, and what the rolls
were. Each is looked at once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from vines.events import Conflict, Expired, Outcome, Quorum, Settled
from vines.protocol.elections.criteria import Criteria
from vines.simulation import Violation

Voter: TypeAlias = bytes | str
Word: TypeAlias = bool | str | None
"""What was voted: True, False, a choice, or None for an abstention."""


class Started(NamedTuple):
    """A process begins. `name`: the voter it is where voters are named; empty if none. `rate`: of
    its clock. `kept`: it found what its identity had put on disk; `interrupted`
    and `known`: what it says of that.
    """

    process: str
    identity: bytes
    name: str
    rate: float
    kept: bool = False
    interrupted: tuple[Outcome, ...] = ()
    known: tuple[Outcome, ...] = ()


class Called(NamedTuple):
    """Somebody called for an election, or for another round of it."""

    process: str
    topic: str
    round: int
    criteria: Criteria
    total: int
    seconds: float
    when: float


class Voted(NamedTuple):
    """Somebody voted. `round`: None if it was before the call; `taken`: what the vote returned."""

    process: str
    topic: str
    round: int | None
    word: Word
    taken: bool


class Rolled(NamedTuple):
    """The voters of an election, and their weights. `named`: callers named them."""

    election: bytes
    topic: str
    round: int
    roll: dict[Voter, int]
    named: bool


class Told(NamedTuple):
    """A node told its user something."""

    process: str
    event: object
    when: float


class Finished(NamedTuple):
    """The callback that acted on an outcome has returned."""

    process: str
    topic: str
    round: int


Entry: TypeAlias = Started | Called | Voted | Rolled | Told | Finished
Matter: TypeAlias = tuple[str, int]


def check(history: Iterable[Entry]) -> Counter[str]:
    """Raises Violation if a history breaks a promise; else how often each thing occurred."""
    checker = Checker()
    for entry in history:
        checker.take(entry)
    checker.end()
    return checker.seen


class Checker:
    """What is known after some entries of a history."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self._starts: dict[str, Started] = {}
        self._calls: defaultdict[Matter, list[Called]] = defaultdict(list)
        self._criteria: defaultdict[str, set[Criteria]] = defaultdict(set)
        self._cast: set[tuple[str, int | None, Voter, Word]] = set()
        self._rolls: dict[bytes, Rolled] = {}
        self._outcomes: dict[bytes, Outcome] = {}
        self._decided: defaultdict[Matter, list[Outcome]] = defaultdict(list)
        self._bound: dict[tuple[str, int, Voter], bytes] = {}
        self._settled: set[tuple[str, bytes]] = set()
        self._expired: set[tuple[str, bytes]] = set()
        self._acted: dict[bytes, str] = {}
        self._acting: defaultdict[bytes, dict[Matter, Outcome]] = defaultdict(dict)
        self._last: dict[str, int] = {}

    def take(self, entry: Entry) -> None:
        """One more entry. Raises Violation."""
        match entry:
            case Started():
                self._start(entry)
            case Called():
                self._calls[entry.topic, entry.round].append(entry)
                self._criteria[entry.topic].add(entry.criteria)
            case Voted():
                if entry.taken:
                    start = self._starts[entry.process]
                    for voter in (start.identity, start.name):
                        self._cast.add((entry.topic, entry.round, voter, entry.word))
            case Rolled():
                self._rolls[entry.election] = entry
            case Finished():
                identity = self._starts[entry.process].identity
                self._acting[identity].pop((entry.topic, entry.round), None)
            case Told(process, Settled(outcome), when):
                self._settle(process, outcome, when)
            case Told(process, Expired(outcome)):
                self._expire(process, outcome)
            case Told(process, Quorum(outcome)):
                self._act(process, outcome)
            case Told(process, Conflict(kind, text)):
                self._conflict(process, kind, text)

    # What a node says at its start.

    def _start(self, start: Started) -> None:
        self._starts[start.process] = start
        acting = self._acting[start.identity]
        named = {(each.topic, each.round) for each in start.interrupted}
        for outcome in start.interrupted:
            _require(outcome.kind == "commit", start.process, "was interrupted in", outcome)
            _require(_owns(start, outcome), start.process, "was interrupted in another's", outcome)
            self.seen["interrupted"] += 1
        if start.kept:
            last = {each.topic: each.round for each in start.known}
            for matter, outcome in acting.items():
                known = matter in named or last.get(matter[0], -1) > matter[1]
                _require(known, start.process, "does not know that it acted on", outcome)

    # What it is told.

    def _settle(self, process: str, outcome: Outcome, when: float) -> None:
        _require(
            (process, outcome.election) not in self._settled, process, "is told twice", outcome
        )
        self._settled.add((process, outcome.election))
        known = self._outcomes.get(outcome.election)
        if known is None:
            self._outcomes[outcome.election] = outcome
            self._decide(outcome, when)
            self.seen[outcome.kind] += 1
        else:
            _require(known == outcome, process, f"learns another outcome than {known},", outcome)

    def _expire(self, process: str, outcome: Outcome) -> None:
        key = process, outcome.election
        _require(outcome.kind == "expired", process, "is told of the end of time in", outcome)
        _require(key in self._settled, process, "is told too early", outcome)
        _require(key not in self._expired, process, "is told twice that time is up", outcome)
        self._expired.add(key)

    def _act(self, process: str, outcome: Outcome) -> None:
        start = self._starts[process]
        _require(outcome.kind == "commit", process, "acts on", outcome)
        _require((process, outcome.election) in self._settled, process, "acts unsettled", outcome)
        _require(self._outcomes[outcome.election] == outcome, process, "acts on another", outcome)
        before = self._acted.get(outcome.election)
        _require(before is None, process, f"acts, as {before} did, on", outcome)
        _require(_owns(start, outcome), process, "is not the owner and acts on", outcome)
        self._acted[outcome.election] = process
        self._acting[start.identity][outcome.topic, outcome.round] = outcome
        self.seen["acted"] += 1

    def _conflict(self, process: str, kind: str, text: str) -> None:
        if kind != "election":
            return
        allowed = (
            *("members call", "called among", "two decisions", "two data directories"),
            "from before the call",
        )
        for words in allowed:
            if words in text:
                self.seen[words] += 1
                return
        raise Violation(f"{process} tells of what cannot be: {text}")

    # What was decided.

    def _decide(self, outcome: Outcome, when: float) -> None:
        matter = outcome.topic, outcome.round
        rolled = self._rolls.get(outcome.election)
        if rolled is None:  # decided, and withdrawn for a later round, within one turn
            self.seen["too quick to be seen"] += 1
            return
        self._last[outcome.topic] = max(self._last.get(outcome.topic, -1), outcome.round)
        self._decided[matter].append(outcome)
        self._check_number(rolled, matter, outcome)
        self._check_votes(rolled, outcome)
        criteria = self._criteria[outcome.topic]
        if outcome.kind == "commit":
            wins = any(_wins(each, rolled.roll, outcome) for each in criteria)
            _require(wins, "by nobody's criteria", "is this won:", outcome)
        elif outcome.kind == "abort":
            lost = any(_is_lost(each, rolled.roll, outcome.votes) for each in criteria)
            _require(lost, "by nobody's criteria", "is this lost:", outcome)
        else:
            _require(self._is_late(matter, when), "nobody's time was up", f"at {when}:", outcome)

    def _check_number(self, rolled: Rolled, matter: Matter, outcome: Outcome) -> None:
        """Each voter is in one decided roll; so there are as many as voters allow."""
        for voter in rolled.roll:
            before = self._bound.setdefault((*matter, voter), outcome.election)
            if before != outcome.election:
                raise Violation(f"{voter!r} is in two decided rolls of {matter}: {outcome}")
        if rolled.named:
            return
        callers = {self._starts[each.process].identity for each in self._calls[matter]}
        among = len(self._decided[matter])
        enough = sum(len(self._rolls[each.election].roll) for each in self._decided[matter])
        _require(len(callers) >= enough, f"{among} outcomes among", f"{len(callers)}:", outcome)
        self.seen["decided twice"] += among > 1

    def _check_votes(self, rolled: Rolled, outcome: Outcome) -> None:
        for voter, word in outcome.votes.items():
            _require(voter in rolled.roll, repr(voter), "is no voter in", outcome)
            cast = any((outcome.topic, each, voter, word) in self._cast
                       for each in (outcome.round, None))  # fmt: skip
            _require(cast, repr(voter), f"never voted {word!r} as is counted in", outcome)

    def _is_late(self, matter: Matter, when: float) -> bool:
        """Whether somebody's deadline has passed. Who was named counts from when he heard, by his
        own clock, which may be the fastest.
        """
        fastest = max(start.rate for start in self._starts.values())
        return any(each.when + each.seconds / fastest <= when + 0.002
                   for each in self._calls[matter])  # fmt: skip

    def end(self) -> None:
        """Nothing more happens. Raises Violation."""
        for process, election in self._settled:
            if self._outcomes[election].kind == "expired":
                told = (process, election) in self._expired
                _require(told, process, "was not told of", self._outcomes[election])
        for matter, outcomes in self._decided.items():
            self.seen["rounds beyond the first"] += matter[1] > 0
            named = [each for each in outcomes if self._rolls[each.election].named]
            if len(named) > 1:
                raise Violation(f"{matter} of named voters is decided twice: {named}")


def _owns(start: Started, outcome: Outcome) -> bool:
    return outcome.owner in (start.identity, start.name or start.identity)


def _weights(criteria: Criteria, roll: dict[Voter, int], votes: dict[Voter, Word]) -> list[int]:
    """The weight of each choice that can win, in their order."""
    choices: tuple[Word, ...] = criteria.choices or (True,)
    return [
        sum(roll[voter] for voter, word in votes.items() if word == choice and word is not None)
        for choice in choices
    ]


def _wins(criteria: Criteria, roll: dict[Voter, int], outcome: Outcome) -> bool:
    choices: tuple[Word, ...] = criteria.choices or (True,)
    if outcome.choice not in choices:
        return False
    weights = _weights(criteria, roll, dict(outcome.votes))
    weight = weights[choices.index(outcome.choice)]
    alone = not criteria.plurality or weights.count(weight) == 1
    return weight == max(weights) and alone and weight >= min(criteria.least, sum(roll.values()))


def _is_lost(criteria: Criteria, roll: dict[Voter, int], votes: object) -> bool:
    assert isinstance(votes, dict)
    weights = _weights(criteria, roll, votes)
    uncast = sum(weight for voter, weight in roll.items() if voter not in votes)
    top = max(weights)
    tied = criteria.plurality and top > 0 and weights.count(top) > 1
    return tied or top + uncast < min(criteria.least, sum(roll.values()))


def _require(holds: bool, who: str, what: str, outcome: Outcome) -> None:
    if not holds:
        raise Violation(f"{who} {what} {outcome}")
