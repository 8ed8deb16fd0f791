"""`python -m vines.simulation SEED`: run a random cluster, or see a failure again.

    python -m vines.simulation 7                    one seed, with what it did
    python -m vines.simulation 7 --nodes 5 --trace  and the last frames and faults, in words
    python -m vines.simulation 0 --runs 200         seeds 0 to 199, and how often each fault and
    rare path occurred
    python -m vines.simulation 0 --absences         members are away for longer than anybody waits
    python -m vines.simulation 0 --forgetting       for long, and who is gone is forgotten then

Exit status: 0 if nothing was violated, 1 if something was, 2 for arguments that make no sense.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from vines._core import table
from vines.simulation.oracle import Violation
from vines.simulation.plan import draw, draw_absences, draw_forgetting
from vines.simulation.swarm import (
    COVERAGE,
    COVERAGE_OF_ABSENCES,
    COVERAGE_OF_FORGETTING,
    Swarm,
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; the exit status."""
    options = _parser().parse_args(arguments)
    if options.plant:
        table.plant(table.PLANTED[options.plant])
    totals: Counter[str] = Counter()
    for seed in range(options.seed, options.seed + options.runs):
        plan = draw_absences if options.absences else draw
        plan = draw_forgetting if options.forgetting else plan
        swarm = Swarm(plan(seed, options.nodes))
        if options.runs == 1:
            _say(swarm.plan.describe())
        try:
            result = swarm.run()
        except Violation as violation:
            if options.trace:
                _say(swarm.simulation.trace(options.trace))
            _say(f"VIOLATION {violation}")
            return 1
        totals += result.counts
        _say(
            f"seed {seed}: {result.virtual_seconds:.1f} virtual seconds, {result.steps} steps,"
            f" {result.seconds:.2f} s, trace {result.trace_hash}"
        )
        if options.trace:
            _say(swarm.simulation.trace(options.trace))
    coverage = COVERAGE_OF_ABSENCES if options.absences else COVERAGE
    _say(coverage_report(totals, COVERAGE_OF_FORGETTING if options.forgetting else coverage))
    return 0


def coverage_report(totals: Counter[str], coverage: tuple[str, ...] = COVERAGE) -> str:
    """How often each fault and rare path occurred, those that never did marked."""
    names = [*coverage, *sorted(name for name in totals if name not in coverage)]
    lines = [f"{totals[name]:9,}  {name}" + ("" if totals[name] else "  NEVER") for name in names]
    return "\n".join(lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vines.simulation", description="Run a random cluster on virtual time."
    )
    parser.add_argument("seed", type=int, help="everything is drawn from it")
    parser.add_argument("--nodes", type=_positive, help="instead of the number drawn")
    parser.add_argument("--runs", type=_positive, default=1, help="this many seeds, one by one")
    parser.add_argument(
        "--absences",
        action="store_true",
        help="members are away for longer than whoever failed is waited for",
    )
    parser.add_argument(
        "--forgetting",
        action="store_true",
        help="the same, for no longer than all were told: who is gone is forgotten",
    )
    parser.add_argument(
        "--trace", type=_positive, nargs="?", const=60, help="show the last frames, in words"
    )
    parser.add_argument(
        "--plant", choices=table.PLANTED, help="with a known bug (needs a core built for it)"
    )
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    sys.exit(main())
