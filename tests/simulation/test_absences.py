"""Members that are away for longer than anybody waits for them, while others write, delete and
forget: nothing comes back, and nothing that was not deleted is lost.

The checks of every step and of rest are those of all random clusters; here they meet joins that
take away, floors, retired sources and copies of disks that were put back.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest

from vines.simulation import cluster, run_absences
from vines.simulation.__main__ import coverage_report
from vines.simulation.oracle import Oracle, Violation, Written
from vines.simulation.swarm import COVERAGE_OF_ABSENCES

SEEDS = range(61, 65)
SOAK_SEEDS = range(2000)
FORGETTING_SEEDS = (7, 17)
"""In which writes of members that were away go because some others remember; of all seeds that is
one in eight, and which one changes with whatever is said."""


def run_all(seeds: range) -> Counter[str]:
    """Run seeds one by one; what occurred in all of them together."""
    totals: Counter[str] = Counter()
    for seed in seeds:
        totals += run_absences(seed).counts
    return totals


@pytest.mark.search
@pytest.mark.timeout(300)
def test_who_was_away_brings_back_nothing_and_loses_nothing() -> None:
    totals = run_all(SEEDS)
    assert totals["deletion_collected"] and totals["frame_join"] and totals["own_write_kept"]


@pytest.mark.parametrize(
    ("seed", "nodes"),
    [
        (0, 5),  # a join lost what had come with it
        (6, 5),  # a source was retired by some only, as more of it was elsewhere for a while
        (110, 3),  # the same in the data table
        (151, 7),  # what was only announced to a member below a floor was taken for held by it
        (967, 4),  # who gave a join was told of a deletion while that was under way
        (1102, 4),  # who left by a later start, long ago, lived on where that start was not known
        (1184, 5),  # of the same some said that it had left, some that it was dead
        (1692, 3),  # all but one stood still, and that one held another dead as it went on
        (1453, 3),  # held dead, back, and gone again, which in silence is noticed minutes later
        (795, 3),  # a newcomer covered what a source had deleted that all had left out since
        (1123, 3),  # met a deletion in the middle of a join, which was forgotten before its end
        (1363, 6),  # an accusation by who is gone of who is gone, which some knew was answered
        (2057, 3),  # what was left of a member went before its last source had come
        (2277, 3),  # forgot whom it held dead as it woke, and nobody else could lead it there
        (3310, 4),  # what was left of a member went as that came back on an old copy of its disk
        (2559, 6),  # who left came back on an old copy of its disk, as a start of an earlier number
        (3786, 4),  # back on an old copy of its disk, joined where nothing was left of it any more
        (3333, 4),  # nobody could dial it, and it forgot whom it knew just as faults were over
        (4747, 4),  # a copy of a disk was put back before the first start of its host was due
        (4823, 6),  # who is gone was remembered while a process stood still, as it is to be
        (5127, 3),  # remembered one that is gone by what it knew of it before it was away
        (6800, 5),  # took an accusation of one nobody knew any more, which others knew was answered
        (82, 7),  # was taken for gone by who knew more of it than was said to be all
        (940, 4),  # hidden at one, ended with its owner and forgotten at the others
    ],
)
def test_pinned_seed(seed: int, nodes: int) -> None:
    run_absences(seed, nodes)


def test_a_write_that_goes_and_nobody_remembered_why_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Oblivious(Oracle):
        def may_miss(self, written: Written) -> bool:
            self.remembered.clear()
            return super().may_miss(written)

    def found(seed: int) -> bool:
        try:
            run_absences(seed)
        except Violation as violation:
            return "nobody remembered" in str(violation)
        return False

    for seed in FORGETTING_SEEDS:
        run_absences(seed)
    monkeypatch.setattr(cluster, "Oracle", Oblivious)
    assert any(map(found, FORGETTING_SEEDS))


def test_the_command_line_runs_the_same() -> None:
    command = [sys.executable, "-m", "vines.simulation", "1", "--absences"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run_absences(1).trace_hash in done.stdout


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_no_resurrection_and_no_lost_write_in_2000_seeds_with_absences_beyond_retention(
    capsys: pytest.CaptureFixture[str],
) -> None:
    totals = run_all(SOAK_SEEDS)
    with capsys.disabled():
        report = coverage_report(totals, COVERAGE_OF_ABSENCES)
        sys.stdout.write(f"\n{len(SOAK_SEEDS)} clusters with absences:\n{report}\n")
    assert [name for name in COVERAGE_OF_ABSENCES if not totals[name]] == []
