"""What a benchmark must show, said after the table of timings: measured, wanted, met or not.

Before it stands what benchmarks have measured beside their time (`extra_info`), a line each.
Only times of one run are compared with one another. Each goal is held against the median of all
rounds and against the best of them: on a machine that does other things as well the second says
what the work costs, the first what it cost that day. Nothing here fails: a number is for a person.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest


class Time(NamedTuple):
    """Seconds a benchmark took."""

    median: float
    best: float


class Line(NamedTuple):
    """One goal, and what was reached by the median and by the best round."""

    what: str
    wanted: str
    median: float
    best: float
    met: tuple[bool, bool]


class Goals:
    """Times by name, and the goals they were held against."""

    def __init__(self) -> None:
        self.times: dict[str, Time] = {}
        self.lines: list[Line] = []
        self.found: dict[str, dict[str, Any]] = {}
        """What was measured beside its time, of each benchmark that says so."""

    def took(self, name: str, benchmark: object) -> None:
        """Keep the times of a benchmark that has run."""
        stats = getattr(benchmark, "stats", None)
        if stats is not None:  # None with --benchmark-disable
            self.times[name] = Time(stats.stats.median, stats.stats.min)

    def at_most(
        self, what: str, name: str, limit: float, *, per: float = 1, unit: str = "µs"
    ) -> None:
        """`name` took at most `limit` of a unit for each of `per` things."""
        scale = {"ns": 1e9, "µs": 1e6, "ms": 1e3}[unit] / per
        self._hold(what, [name], lambda time: time * scale, f"<= {limit:,} {unit}", -limit)

    def rate(self, what: str, name: str, count: int, least: int) -> None:
        """`name` did `count` things at a rate of at least `least` a second."""
        self._hold(what, [name], lambda time: count / time, f">= {least:,} a second", least)

    def faster(self, what: str, name: str, baseline: str, least: float) -> None:
        """`baseline` took at least so many times as long as `name`."""
        wanted = f">= {least:,} times"
        self._hold(what, [name, baseline], lambda time, base: base / time, wanted, least)

    def slower(self, what: str, name: str, baseline: str, most: float) -> None:
        """`name` took at most so many times as long as `baseline`."""
        wanted = f"<= {most:,} times"
        self._hold(what, [name, baseline], lambda time, base: time / base, wanted, -most)

    def beyond(
        self, what: str, name: str, baseline: str, limit: float, *, per: float, unit: str = "ns"
    ) -> None:
        """`name` took at most `limit` of a unit more than `baseline`, for each of `per` things."""
        scale = {"ns": 1e9, "µs": 1e6, "ms": 1e3}[unit] / per
        wanted = f"<= {limit:,} {unit}"
        names = [name, baseline]
        self._hold(what, names, lambda time, base: (time - base) * scale, wanted, -limit)

    def counted(self, what: str, figure: float, limit: float, unit: str) -> None:
        """A figure that is no time: at most `limit`, or at least, if that is negative."""
        met = figure <= limit if limit > 0 else figure >= -limit
        wanted = f"{'<=' if limit > 0 else '>='} {abs(limit):,} {unit}"
        self.lines.append(Line(what, wanted, figure, figure, (met, met)))

    def _hold(
        self, what: str, names: list[str], measure: Callable[..., float], wanted: str, limit: float
    ) -> None:
        """Compare with a limit from below, or with a negative one from above."""
        if any(name not in self.times for name in names):
            return
        median = measure(*(self.times[name].median for name in names))
        best = measure(*(self.times[name].best for name in names))
        met = [figure >= limit if limit > 0 else figure <= -limit for figure in (median, best)]
        self.lines.append(Line(what, wanted, median, best, (met[0], met[1])))


GOALS = Goals()


@pytest.fixture(scope="session")
def goals() -> Goals:
    """The goals of this run."""
    return GOALS


@pytest.fixture(autouse=True)
def _found(request: pytest.FixtureRequest) -> Iterator[None]:
    """Keep what a benchmark has measured beside its time, be it enough or not."""
    yield
    benchmark = request.node.funcargs.get("benchmark")
    if benchmark is not None and benchmark.extra_info:
        GOALS.found[request.node.name] = dict(benchmark.extra_info)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was measured, and what was reached."""
    if GOALS.found:
        terminalreporter.section("figures")
    for name, figures in GOALS.found.items():
        terminalreporter.line(f"{name}: {_told(figures)}")
    if not GOALS.lines:
        return
    terminalreporter.section("goals")
    terminalreporter.line(f"{'':<64} {'median':>13} {'best':>13}  wanted")
    for what, wanted, median, best, met in GOALS.lines:
        verdict = "met" if all(met) else "met at best" if any(met) else "MISSED"
        terminalreporter.line(f"{what:<64} {median:>13,.2f} {best:>13,.2f}  {wanted:<22} {verdict}")


def _told(figures: dict[str, Any]) -> str:
    """As text; of a fraction four digits, which is more than it is worth."""
    formats = {float: ",.4g", int: ","}
    return ", ".join(
        f"{what} {figure:{formats.get(type(figure), '')}}" for what, figure in figures.items()
    )
