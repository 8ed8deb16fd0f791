"""What each form of a digest takes as more differs: figure and table of docs/replication.md.

    python -m benchmarks.digests    a minute or two; writes docs/digests.svg and the table anew

Two replicas of 10,000 sources, of which some have other counters, at random and from fixed seeds:
nothing here depends on the speed of the machine. Beside our forms stands the rateless table of sets
of the textbook (rateless.py).
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import NamedTuple

from benchmarks import rateless
from benchmarks.figure import Axis, Line, chart
from benchmarks.test_digest import (
    BUDGET,
    CELL_BYTES,
    HEAD_BYTES,
    SOURCES,
    Vector,
    cells_needed,
    changed,
    raise_to,
    table_of,
    textbook_needed,
    usual,
    vector_of,
)
from vines._core.digest import aligned_pages, vector_pages
from vines._core.sketch import CELLS_MAX
from vines._core.table import Progress, Table

DOCS = Path(__file__).parents[1] / "docs"
FIGURE, PAGE = DOCS / "digests.svg", DOCS / "replication.md"
BEGIN, END = "<!-- measured -->\n", "<!-- end -->\n"
DIFFERING = (1, 2, 3, 5, 10, 20, 30, 50, 100, 150, 300, 1000)
TRIALS = 200
LESS_TRIALS = 200
"""Over so many differences the textbook's table is tried, in Python."""
BLUE, LIGHT, GREEN, GREY, RED = "#1f5fbf", "#7aa7e8", "#2a8a4a", "#666", "#c0392b"


class Row(NamedTuple):
    """Bytes that tell which of the sources differ; None where a form does not reach."""

    differing: int
    needed: float | None
    sent: int | None
    aligned: int
    full: int
    textbook: float


def measure() -> list[Row]:
    """One row for each number of differences."""
    vector = dict(vector_of(SOURCES))
    behind, ahead = table_of(vector, b"a"), table_of(vector, b"b")
    return [_row(differing, vector, behind, ahead) for differing in DIFFERING]


def _row(differing: int, vector: Vector, behind: Table, ahead: Table) -> Row:
    choose, progress = random.Random(differing), Progress(behind)
    needed: list[int] = []
    textbook: list[int] = []
    for _ in range(TRIALS if usual(differing) <= CELLS_MAX else 1 + LESS_TRIALS // differing):
        more = changed(vector, differing, choose)
        raise_to(ahead, more)
        needed.append(cells_needed(progress, ahead, differing))
        if len(textbook) * differing < LESS_TRIALS or not textbook:
            textbook.append(textbook_needed({source: vector[source] for source in more}, more))
        vector.update(more)
        raise_to(behind, more)
    told = [cells for cells in needed if cells]
    within = usual(differing) <= CELLS_MAX
    return Row(
        differing,
        HEAD_BYTES + CELL_BYTES * sum(told) / len(told) if within else None,
        HEAD_BYTES + CELL_BYTES * usual(differing) if within else None,
        sum(map(len, aligned_pages(ahead, BUDGET))),
        sum(map(len, vector_pages(ahead, BUDGET))),
        rateless.CELL_BYTES * sum(textbook) / len(textbook),
    )


def figure(rows: list[Row]) -> str:
    """The chart."""

    def points(name: str) -> list[tuple[float, float]]:
        found = ((row.differing, getattr(row, name)) for row in rows)
        return [(differing, value) for differing, value in found if value is not None]

    return chart(
        f"Bytes to tell which of {SOURCES:,} sources differ",
        Axis("sources that differ", 1, 1000, [(n, f"{n:,}") for n in (1, 10, 100, 1000)]),
        Axis(
            "bytes, one way",
            10,
            400_000,
            [(10, "10"), (100, "100"), (1000, "1 K"), (10_000, "10 K"), (100_000, "100 K")],
        ),
        [
            Line("vector with ids", GREY, points("full")),
            Line("counters of a shared roster", GREEN, points("aligned")),
            Line("textbook rateless table", RED, points("textbook"), dashed=True),
            Line("sketch, as it is sent", BLUE, points("sent")),
            Line("sketch, cells needed", LIGHT, points("needed")),
        ],
    )


def table(rows: list[Row]) -> str:
    """The same in figures."""
    lines = [
        "| differ | sketch, needed | sketch, sent | counters alone | with ids | textbook |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        needed = "" if row.needed is None else f"{row.needed:,.0f}"
        sent = "" if row.sent is None else f"{row.sent:,}"
        lines.append(
            f"| {row.differing:,} | {needed} | {sent} | {row.aligned:,} | {row.full:,} |"
            f" {row.textbook:,.0f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, and write both anew."""
    rows = measure()
    FIGURE.write_text(figure(rows), encoding="utf-8")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    PAGE.write_text(before + BEGIN + table(rows) + END + after, encoding="utf-8")
    print(table(rows), end="")


if __name__ == "__main__":
    main()
