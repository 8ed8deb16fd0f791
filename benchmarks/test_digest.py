"""What two replicas of 10,000 sources say to find out where they differ: bytes and time.

Beside the sketch: the plain vector with ids, the counters alone, a diff of Python dicts, and a
rateless table of sets as in the textbook (rateless.py; Python, so compare its bytes, not its time).
"""

from __future__ import annotations

import random
from functools import cache
from typing import TYPE_CHECKING

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from vines._core.digest import aligned_pages, read_aligned, same_vector, vector_pages
from vines._core.sketch import CELLS_MAX, read_sketch, sketch_page
from vines._core.table import Progress, Table

from . import rateless

if TYPE_CHECKING:
    from .conftest import Goals

SOURCES = 10_000
FEW, LARGE = 1_000, 100_000
KEYS = bytes(range(16)), bytes(range(16, 32))
CELL_BYTES, HEAD_BYTES = 12, 11
TRIALS = 1000
LESS_TRIALS = 30
DIFFERING = (1, 2, 3, 5, 8, 10, 20, 30, 50, 75, 100)
WRITES = 1000
BUDGET = 1 << 16
NEVER = 1 << 40

Vector = dict[bytes, int]


@cache
def vector_of(sources: int) -> Vector:
    choose = random.Random(sources)
    return {choose.randbytes(16): choose.randrange(1, 2000) for _ in range(sources)}


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def raise_to(table: Table, vector: Vector) -> None:
    """Cover these counters."""
    rows = [source + varint(counter) * 2 for source, counter in vector.items()]
    table.finish_join([b"\x04\x03\x00" + b"".join(rows)])


def table_of(vector: Vector, own: bytes, above: int = 256) -> Table:
    made = Table(own * 16, *KEYS, sketch_above=above)
    raise_to(made, vector)
    return made


def changed(vector: Vector, count: int, choose: random.Random) -> Vector:
    """Some of its counters, higher."""
    chosen = choose.sample(list(vector), count)
    return {source: vector[source] + choose.randrange(1, 1000) for source in chosen}


def usual(differing: int) -> int:
    """Cells that are sent where so many differ."""
    return 3 * differing // 2 + 20


@cache
def pair(differing: int) -> tuple[Table, Table, Vector]:
    """Two replicas of which the second knows more, and what it knows."""
    vector = vector_of(SOURCES)
    more = {**vector, **changed(vector, differing, random.Random(differing))}
    return table_of(vector, b"a"), table_of(more, b"b"), more


def cells_needed(progress: Progress, ahead: Table, differing: int) -> int:
    """The fewest cells that tell what differs; 0 if none do."""
    low, high = 0, CELLS_MAX
    if read_sketch(progress, sketch_page(ahead, CELLS_MAX) or b"") != differing:
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        told = read_sketch(progress, sketch_page(ahead, middle) or b"") == differing
        low, high = (low, middle) if told else (middle, high)
    return high


def textbook_needed(mine: Vector, theirs: Vector) -> int:
    """The same of the textbook's table; what is equal on both sides leaves no trace in it."""
    items = [[rateless.item_of(*row) for row in side.items()] for side in (mine, theirs)]
    low, high = 0, 8 * len(mine) + 64
    cells = [rateless.cells_of(side, high) for side in items]
    while high - low > 1:
        middle = (low + high) // 2
        told = rateless.peel(cells[0][:middle], cells[1][:middle]) is not None
        low, high = (low, middle) if told else (middle, high)
    return high


def test_bytes(goals: Goals, capsys: pytest.CaptureFixture[str]) -> None:
    behind, ahead, vector = pair(0)
    vector, choose, progress = dict(vector), random.Random(1), Progress(behind)
    plain = sum(map(len, vector_pages(behind, BUDGET)))
    aligned = sum(map(len, aligned_pages(behind, BUDGET)))
    lines = [
        f"bytes to tell which of {SOURCES:,} sources differ"
        f" (with ids {plain:,}, counters alone {aligned:,})",
        f"{'differ':>7} {'needed':>9} {'a source':>9} {'sent':>7} {'enough':>8} {'textbook':>9}",
    ]
    worst, least = 0.0, 1.0
    for differing in DIFFERING:
        needed, textbook = [], []
        for trial in range(TRIALS):
            more = changed(vector, differing, choose)
            raise_to(ahead, more)
            needed.append(cells_needed(progress, ahead, differing) or NEVER)
            if trial < LESS_TRIALS:
                mine = {source: vector[source] for source in more}
                textbook.append(textbook_needed(mine, more))
            vector.update(more)
            raise_to(behind, more)
        told = [cells for cells in needed if cells != NEVER]
        mean = CELL_BYTES * sum(told) / len(told)
        enough = sum(cells <= usual(differing) for cells in needed) / TRIALS
        sent = CELL_BYTES * usual(differing) + HEAD_BYTES
        other = rateless.CELL_BYTES * sum(textbook) / len(textbook)
        lines.append(
            f"{differing:>7} {mean:>9.1f} {mean / differing:>9.1f} {sent:>7} {enough:>8.1%}"
            f" {other:>9.1f}"
        )
        if differing == 1:
            goals.counted("bytes of cells needed where 1 differs", mean, 12, "bytes")
            assert mean <= 12
        else:
            worst = max(worst, mean / differing)
        least = min(least, enough)
        assert sent <= CELL_BYTES * (1.5 * differing + 20) + 16
    goals.counted("the same for each of 2 to 100, the worst of them", worst, 21, "bytes")
    goals.counted("sketches sent in one piece that are enough", 100 * least, -97, "%")
    assert worst <= 21
    assert least >= 0.97
    with capsys.disabled():
        print("\n" + "\n".join(lines))


@pytest.mark.benchmark(group=f"read what differs at 10 of {SOURCES:,} sources")
@pytest.mark.parametrize("differing", [1, 10, 50])
def test_read_a_sketch(benchmark: BenchmarkFixture, goals: Goals, differing: int) -> None:
    behind, ahead, _ = pair(differing)
    page = sketch_page(ahead, usual(differing))
    assert benchmark(read_sketch, Progress(behind), page) == differing
    goals.took(f"sketch {differing}", benchmark)


@pytest.mark.benchmark(group=f"read what differs at 10 of {SOURCES:,} sources")
def test_take_all_for_equal(benchmark: BenchmarkFixture, goals: Goals) -> None:
    """What reading a sketch does beside telling apart: all counters are copied."""
    benchmark(Progress(pair(10)[0]).assume_equal)
    goals.took("assume equal", benchmark)


@pytest.mark.benchmark(group=f"read what differs at 10 of {SOURCES:,} sources")
def test_read_plain_vectors(benchmark: BenchmarkFixture, goals: Goals) -> None:
    behind, ahead, _ = pair(10)
    pages, progress = vector_pages(ahead, BUDGET), Progress(behind)
    assert benchmark(lambda: [progress.read_page(page) for page in pages])[-1]
    goals.took("plain vector", benchmark)


@pytest.mark.benchmark(group=f"read what differs at 10 of {SOURCES:,} sources")
def test_read_aligned_vectors(benchmark: BenchmarkFixture) -> None:
    behind, ahead, _ = pair(10)
    pages, progress = aligned_pages(ahead, BUDGET), Progress(behind)
    assert benchmark(lambda: [read_aligned(progress, page) for page in pages])[-1]


@pytest.mark.benchmark(group=f"read what differs at 10 of {SOURCES:,} sources")
def test_diff_of_dicts(benchmark: BenchmarkFixture, goals: Goals) -> None:
    mine, theirs = vector_of(SOURCES), pair(10)[2]
    differing = benchmark(
        lambda: [source for source, counter in theirs.items() if mine.get(source) != counter]
    )
    assert len(differing) == 10
    goals.took("dicts", benchmark)


@pytest.mark.benchmark(group=f"read what differs at 10 of {SOURCES:,} sources")
def test_peel_the_textbook_in_python(benchmark: BenchmarkFixture) -> None:
    mine, theirs = vector_of(SOURCES), pair(10)[2]
    cells = [
        rateless.cells_of([rateless.item_of(*row) for row in side.items()], 3 * 20 + 20)
        for side in (mine, theirs)
    ]
    assert len(benchmark(rateless.peel, *cells) or ()) == 20


@pytest.mark.benchmark(group="whole exchange without records, 10 of 10,000 sources differ")
def test_exchange_by_sketch(benchmark: BenchmarkFixture, goals: Goals) -> None:
    """Both ways: written and read at either end."""
    behind, ahead, _ = pair(10)
    there, here = Progress(ahead), Progress(behind)

    def exchange() -> int:
        page = sketch_page(behind, usual(10)) or b""
        differing = read_sketch(there, page)
        assert isinstance(differing, int)
        answer = sketch_page(ahead, usual(differing), there.unheard) or b""
        read_sketch(here, answer)
        return len(page) + len(answer)

    size = benchmark(exchange)
    goals.took("exchange by sketch", benchmark)
    plain = sum(len(page) for table in (behind, ahead) for page in vector_pages(table, BUDGET))
    goals.counted("bytes of an exchange by sketch, 10 differ", size, plain // 100, "bytes")
    assert size <= plain / 100


@pytest.mark.benchmark(group="whole exchange without records, 10 of 10,000 sources differ")
def test_exchange_by_vector(benchmark: BenchmarkFixture, goals: Goals) -> None:
    behind, ahead, _ = pair(10)
    there, here = Progress(ahead), Progress(behind)

    def exchange() -> None:
        for page in vector_pages(behind, BUDGET):
            there.read_page(page)
        for page in vector_pages(ahead, BUDGET):
            here.read_page(page)

    benchmark(exchange)
    goals.took("exchange by vector", benchmark)


@pytest.mark.benchmark(group=f"{WRITES:,} local writes, {SOURCES:,} sources")
@pytest.mark.parametrize("kept", ["with a sketch", "without"])
def test_upkeep(benchmark: BenchmarkFixture, goals: Goals, kept: str) -> None:
    table = table_of(vector_of(SOURCES), b"c", 256 if kept == "with a sketch" else NEVER)

    def write() -> None:
        for _ in range(WRITES):
            table.write(b"key", 0, b"value", 0)

    benchmark(write)
    goals.took(f"write {kept}", benchmark)


@pytest.mark.benchmark(group=f"counters of {SOURCES:,} sources rise by one")
@pytest.mark.parametrize("kept", ["with a sketch", "without"])
def test_upkeep_of_all(benchmark: BenchmarkFixture, goals: Goals, kept: str) -> None:
    """Each in another place of the memory, which Python has used for other things meanwhile."""
    vector = vector_of(SOURCES)
    table = table_of(vector, b"c", 256 if kept == "with a sketch" else NEVER)
    risen = [0]

    def rows() -> tuple[tuple[list[bytes]], dict[str, object]]:
        risen[0] += 1
        parts = [source + varint(counter + risen[0]) * 2 for source, counter in vector.items()]
        return ([b"\x04\x03\x00" + b"".join(parts)],), {}

    benchmark.pedantic(table.finish_join, setup=rows, rounds=150, warmup_rounds=5)
    goals.took(f"upkeep {kept}", benchmark)


@pytest.mark.benchmark(group=f"write a sketch of {usual(10)} cells")
@pytest.mark.parametrize("sources", [FEW, LARGE])
def test_write_a_sketch(benchmark: BenchmarkFixture, goals: Goals, sources: int) -> None:
    benchmark(sketch_page, table_of(vector_of(sources), b"d"), usual(10))
    goals.took(f"write {sources}", benchmark)


@pytest.mark.benchmark(group="equal replicas")
@pytest.mark.parametrize("sources", [FEW, LARGE])
def test_equal(benchmark: BenchmarkFixture, goals: Goals, sources: int) -> None:
    tables = [table_of(vector_of(sources), b"e") for _ in range(2)]
    print_ = tables[0].fingerprint()
    assert benchmark(lambda: same_vector(tables[1].fingerprint(), print_))
    goals.took(f"equal {sources}", benchmark)
    size = len(print_)
    goals.counted(f"bytes each way where {sources:,} sources are equal", size, 40, "bytes")
    assert size <= 40


def test_goals(goals: Goals) -> None:
    goals.at_most("read a sketch, a source that differs", "sketch 50", 250, per=50, unit="ns")
    goals.beyond("the same without the copy", "sketch 50", "assume equal", 250, per=50)
    for what, name, count in (
        ("upkeep of the sketch, a local write", "write", WRITES),
        ("the same, counters of all sources in turn", "upkeep", SOURCES),
    ):
        goals.beyond(what, f"{name} with a sketch", f"{name} without", 20, per=count)
    goals.slower("write a sketch, 100 times the sources", f"write {LARGE}", f"write {FEW}", 1.5)
    goals.slower("equal replicas, 100 times the sources", f"equal {LARGE}", f"equal {FEW}", 1.5)
    by = "exchange by sketch", "exchange by vector"
    goals.faster("whole exchange, beside vectors with ids", *by, 5)
    if all(name in goals.times for name in by):
        # What grew with the sources would be a hundred times as much; the best rounds do not lie.
        for what in ("write", "equal"):
            assert goals.times[f"{what} {LARGE}"].best <= 3 * goals.times[f"{what} {FEW}"].best
        assert goals.times[by[0]].best <= goals.times[by[1]].best / 5
        # Sixty times, mostly; and a write costs a tenth more for its ten cells.
        assert goals.times["sketch 50"].best <= goals.times["dicts"].best / 10
        assert goals.times["write with a sketch"].best <= 1.5 * goals.times["write without"].best
