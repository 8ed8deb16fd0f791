"""Random clusters under random faults, and that they went where it hurts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest

from vines.simulation import run_seed
from vines.simulation.__main__ import coverage_report
from vines.simulation.plan import draw
from vines.simulation.swarm import COVERAGE

SEEDS = range(250)
SOAK_SEEDS = 2000
SOAK_LARGE_SEEDS = 5


def run_all(seeds: range, nodes: int | None = None) -> Counter[str]:
    """Run seeds one by one; what occurred in all of them together."""
    totals: Counter[str] = Counter()
    for seed in seeds:
        totals += run_seed(seed, nodes).counts
    return totals


@pytest.mark.search
@pytest.mark.timeout(600)
def test_random_clusters_keep_the_invariants_and_take_every_rare_path(
    capsys: pytest.CaptureFixture[str],
) -> None:
    totals = run_all(SEEDS)
    with capsys.disabled():
        sys.stdout.write(f"\n{len(SEEDS)} random clusters:\n{coverage_report(totals)}\n")
    assert [name for name in COVERAGE if not totals[name]] == []


@pytest.mark.parametrize("seed", range(2, 7))
def test_same_seed_same_trace(seed: int) -> None:
    assert run_seed(seed).trace_hash == run_seed(seed).trace_hash


def test_same_seed_same_trace_in_another_process_with_another_hash_seed() -> None:
    here = run_seed(11)
    command = [sys.executable, "-m", "vines.simulation", "11", "--nodes", str(here.plan.nodes)]
    for hash_seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert here.trace_hash in done.stdout


def test_another_seed_is_another_run() -> None:
    assert len({run_seed(seed).trace_hash for seed in range(2, 5)}) == 3
    assert draw(1) != draw(2)


@pytest.mark.parametrize(
    ("seed", "nodes"),
    [
        *((1404, 3), (1473, 6), (1754, 3), (2090, 3), (2199, 3)),
        *((11162, 5), (11245, 3), (11772, 5), (11889, 7)),
        *((10028, 6), (10526, 4), (11191, 4)),
        *((69, 5), (84, 4), (99, 3)),
    ],
)
def test_pinned_seed(seed: int, nodes: int) -> None:
    run_seed(seed, nodes)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_soak(capsys: pytest.CaptureFixture[str]) -> None:
    totals: Counter[str] = Counter()
    for seed in range(10_000, 10_000 + SOAK_SEEDS):
        totals += run_seed(seed, 3 + seed % 5).counts
    for seed in range(SOAK_LARGE_SEEDS):
        totals += run_seed(seed, 50).counts
    with capsys.disabled():
        sys.stdout.write(f"\n{SOAK_SEEDS} + {SOAK_LARGE_SEEDS}:\n{coverage_report(totals)}\n")
    assert [name for name in COVERAGE if not totals[name]] == []
