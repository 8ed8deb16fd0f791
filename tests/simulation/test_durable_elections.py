"""Elections of whole nodes with disks under every fault: their histories keep what is promised,
what can be decided is, and each check finds the bug that it is there for.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from vines.events import Settled
from vines.protocol.elections import shelf
from vines.protocol.elections.ballots import FIRST
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.decree import Decree, Effects
from vines.protocol.elections.election import Election
from vines.protocol.elections.electorate import Electorate
from vines.protocol.elections.endings import Endings
from vines.protocol.elections.keeping import Keeping
from vines.protocol.elections.matter import Matter
from vines.protocol.elections.outcomes import Decision, Outcomes, outcome_of
from vines.protocol.elections.pacing import Pacer
from vines.protocol.elections.records import read_decision
from vines.protocol.elections.shelf import Part
from vines.protocol.elections.signup import Enrolment, SignUp, Surroundings
from vines.protocol.machine import Memory
from vines.simulation import Disk, Violation

from .electing import World

SAFE_SEEDS = range(56)
LIVELY_SEEDS = range(1_000, 1_020)
SOAK_SEEDS = range(100_000, 105_000)
YES, NO = 0, 253
PLANTED_SEEDS_MAX = 30
"""Random runs that may pass before one finds a planted bug."""

MUST_OCCUR = (
    *("commit", "abort", "expired", "acted", "interrupted", "decided twice", "said on record"),
    "votes counted again",
    *("crash", "crash_all", "crash_in_sync_kept", "crash_in_sync_lost", "restart_with_records"),
    *("sync_error", "sync_slow", "disk_lost", "old_copy", "disk_absent", "disk_distrusted"),
    *("acted and not finished at a restart", "refusal kept over a restart"),
    *("accepted value kept over a restart", "recovered from another", "round abandoned"),
    *("abandoned round decided", "rounds beyond the first", "members call", "two decisions"),
)


def run(seeds: range, *, lively: bool = False) -> Counter[str]:
    seen: Counter[str] = Counter()
    for seed in seeds:
        seen += World(seed, lively=lively).run()
    return seen


@pytest.mark.search
@pytest.mark.timeout(600)
def test_no_fault_breaks_a_promise_and_every_rare_path_is_taken(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = run(SAFE_SEEDS)
    with capsys.disabled():
        sys.stdout.write(f"\n{len(SAFE_SEEDS)} worlds of elections: {dict(sorted(seen.items()))}\n")
    assert [what for what in MUST_OCCUR if not seen[what]] == []


@pytest.mark.search
@pytest.mark.timeout(600)
def test_what_can_be_decided_is_decided_once_faults_are_over() -> None:
    seen = run(LIVELY_SEEDS, lively=True)
    assert seen["commit"] > len(LIVELY_SEEDS)


@pytest.mark.parametrize(
    "seed",
    [
        100_035,  # a clock two days behind at a restart, where a link to the start before was left
        100_434,  # a clock that was half a minute ahead, and set right before the next start
        103_536,  # of three processes of one name the last lived, and votes went to the first
    ],
)
def test_worlds_in_which_what_could_be_decided_once_was_not(seed: int) -> None:
    World(seed, lively=True).run()


@pytest.mark.parametrize(
    "seed",
    [
        100_070,  # declined while a disk lagged, and signed before that was said
        100_284,  # proposed, then something else above it that too few accepted, then recovered
        101_385,  # one that needs nobody decides, where another has proposed in vain
        200_908,  # who needs nobody put promises to disk, and what it decided after them, at once
    ],
)
def test_worlds_in_which_a_promise_once_seemed_to_be_broken(seed: int) -> None:
    World(seed).run()


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_it_is_so_in_many_worlds() -> None:
    run(SOAK_SEEDS)
    run(SOAK_SEEDS, lively=True)


@pytest.mark.parametrize("lively", [False, True])
def test_a_seed_runs_the_same_way_twice(lively: bool) -> None:
    one, other = World(3, lively=lively), World(3, lively=lively)
    assert one.run() == other.run()
    assert one.simulation.trace_hash() == other.simulation.trace_hash()
    assert one.history == other.history


# Planted bugs.

Plant = Callable[[pytest.MonkeyPatch], None]


def replace(owner: Any, name: str, function: Any) -> Plant:
    return lambda patch: patch.setattr(owner, name, function)


def forgetting(forget: Callable[[Part], Part]) -> Plant:
    """Of each part something is not put on disk."""
    pack = shelf.pack_part
    return replace(shelf, "pack_part", lambda part: pack(forget(part)))


def forget_in_record(**fields: Any) -> Plant:
    return forgetting(lambda part: part.replace(record=part.record.replace(**fields)))


def persisted_at_once(patch: pytest.MonkeyPatch) -> None:
    commit = Disk.commit

    def early(disk: Disk) -> None:
        process, ticket = disk._process, disk._ticket if disk._waiting else 0
        commit(disk)
        if process is not None and ticket:
            process.call(process._persisted, ticket)

    patch.setattr(Disk, "commit", early)


def records_dropped(disk: Disk) -> Memory | None:
    disk.boot += 1
    return Memory({}, disk.boot) if disk.trusted and not disk.absent else None


def votes_turned_round(patch: pytest.MonkeyPatch) -> None:
    cast = Election.cast
    patch.setattr(
        Election, "cast", lambda self, choice: cast(self, YES if choice == NO else choice)
    )


def never(*_: Any) -> bool:
    return False


def always(*_: Any) -> bool:
    return True


def told_again(patch: pytest.MonkeyPatch) -> None:
    """Whether it was told is not remembered, but of the round that was told last."""
    patch.setattr(Matter, "told", property(lambda self: False, lambda self, told: None))
    learn = Endings.learn

    def often(self: Endings, about: bytes, record: bytes, at_once: bool = False) -> None:
        learn(self, about, record, at_once)
        outcome = outcome_of(Decision(*read_decision(record)))
        if self._outcomes.of(outcome.topic) != outcome:
            self._outbox.emit(Settled(outcome))

    patch.setattr(Endings, "learn", often)


def early_end(patch: pytest.MonkeyPatch) -> None:
    begin = Pacer.__init__

    def half(self: Pacer, election: Any, deadline: float, *rest: Any) -> None:
        begin(self, election, deadline, *rest)
        election.late = True

    patch.setattr(Pacer, "__init__", half)


def standing_at_once(patch: pytest.MonkeyPatch) -> None:
    pacer_of = Matter._pacer_of

    def early(self: Matter, election: Election, now: float) -> Pacer:
        pacer = pacer_of(self, election, now)
        pacer.standing = True
        return pacer

    patch.setattr(Matter, "_pacer_of", early)


def enrolled_unnoted(self: SignUp, enrolment: Enrolment, out: Surroundings) -> None:
    self.enrolment = enrolment
    self.ticket = out.enrol(enrolment)


def only_the_first_claims(self: Pacer) -> float:
    return 0.0 if self.election.me == 0 else 1e9


def cast_anyway(self: Pacer, choice: int, now: float, out: Effects) -> bool:
    one = self.election
    if one.record.outcome or one.late or one.record.refused:
        return False
    one.sequence += 1
    one.tally.vote(one.me, one.sequence, choice)
    self._vote = vote = one.vote()
    assert vote is not None
    for rank in range(len(one.electorate)):
        if rank != one.me:
            out.send(rank, vote, one.ticket)
    return True


def called_without_a_recount(self: Election, criteria: Criteria) -> None:
    self.criteria, self.called = criteria, True


class Planted(NamedTuple):
    """A bug, what is said of it, and a seed from which it is looked for."""

    plant: Plant
    says: str
    first: int = 0
    lively: bool = False


PLANTED = {
    "persisted before the sync": Planted(persisted_at_once, "kept is|nothing on disk"),
    "records dropped at restart": Planted(replace(Disk, "open", records_dropped), "became"),
    "fired not kept": Planted(forget_in_record(fired=False), "acted on"),
    "refusal not kept": Planted(forget_in_record(refused=False), "Refusal|refused", 5),
    "attempts not kept": Planted(
        forgetting(lambda part: part.replace(enrolment=part.enrolment.replace(passed=()))),
        "kept is|will not sign",
        4,
    ),
    "promise not kept": Planted(forget_in_record(promised=FIRST), "kept is|taken back"),
    "decided rounds not covered": Planted(replace(Outcomes, "covers", never), "closed|changed"),
    "forgotten without a trace": Planted(
        replace(Keeping, "keep_last", always), "acts, as|not know that|another outcome", 3
    ),
    "everybody acts": Planted(replace(Election, "is_mine", always), "acts on|not the owner"),
    "any quorum": Planted(
        replace(Electorate, "is_quorum", lambda self, strength: strength > 0), "chosen|another", 5
    ),
    "own refusal releases": Planted(
        replace(Election, "hopeless", property(lambda self: self.record.refused)),
        "was left|stands",
        7,
    ),
    "recovered value ignored": Planted(
        replace(Decree, "recovered", lambda self: b""), "another value", 33
    ),
    "votes turned round": Planted(votes_turned_round, "never voted"),
    "votes change to the end": Planted(replace(Pacer, "cast", cast_anyway), "votes anew", 25),
    "votes not counted again": Planted(
        replace(Election, "call", called_without_a_recount), "otherwise than one by one", 180
    ),
    "decided before it stands": Planted(standing_at_once, "kept is"),
    "proposed before it stands": Planted(
        replace(SignUp, "_keep", enrolled_unnoted), "says Accept.*(kept is|nothing on disk)"
    ),
    "told again": Planted(told_again, "told twice"),
    "time up too early": Planted(early_end, "nobody's time", 3),
    "only the first claims": Planted(
        replace(Pacer, "_wait", only_the_first_claims), "not heard the end", lively=True
    ),
}


@pytest.mark.planted
@pytest.mark.parametrize("bug", PLANTED)
def test_planted_bugs_are_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = PLANTED[bug]
    planted.plant(monkeypatch)
    seeds = range(planted.first, planted.first + PLANTED_SEEDS_MAX)
    with pytest.raises(Violation, match=planted.says):
        run(seeds, lively=planted.lively)
