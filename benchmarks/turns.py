"""The longest steps of what goes over much, each beside its goal: `python benchmarks/turns.py`.

A turn of the loop does one of these at most, so none may take longer than a turn may: in processor
time of its thread, at a million records, at a million entries of one log in random order, and at
10,000 sources. The first look at memory that was just filled is part of it.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator

from tests.core.kinds import frame, record, span
from tests.protocol.pump import Pump
from vines._core.table import EPHEMERAL, TOMBSTONE, Progress, Table
from vines.protocol.replicas.collecting import ENTRIES
from vines.protocol.replicas.replication import LAPSES_PER_TURN, RECOUNT_SLOTS
from vines.protocol.replicas.retiring import LOOK_SECONDS

LIMIT = 0.010
"""Seconds of one turn."""
WRITE_LIMIT = 10e-6
"""Seconds of one local write, the median."""
KEY = random.Random(1).randbytes(16)
"""A secret as any node draws one: of zeros the indices of sources would be no hash tables."""


def timed(step: Callable[[], object]) -> float:
    """Processor time of one step."""
    began = time.thread_time()
    step()
    return time.thread_time() - began


def until_done(step: Callable[[], object]) -> float:
    """The longest of steps that are taken while there is more to do."""
    longest, more = 0.0, True
    while more:
        began = time.thread_time()
        more = bool(step())
        longest = max(longest, time.thread_time() - began)
    return longest


def made(own: bytes = b"t" * 16, **options: int) -> Table:
    return Table(own, KEY, KEY, **options)


def source(number: int) -> bytes:
    return b"s%015d" % number


def overwriting(number: int, each: int) -> bytes:
    """What a source sends that wrote the same few keys as all others."""
    name = source(number)
    rows = [record(b"k%d" % (at % 5), number * each + at + 1, name, at + 1) for at in range(each)]
    return frame(span(name, 0, each, *enumerate(rows, 1)))


def overwritten(scale: float) -> Iterator[tuple[str, float, float]]:
    """Many sources, each with a few entries too many, and more than the logs may hold."""
    count = int(10_000 * scale)
    table, longest = made(), 0.0
    for number in range(count):
        data = overwriting(number, 10)
        longest = max(longest, timed(lambda data=data: table.apply(data)))  # type: ignore[misc]
    yield f"taking 10 records, {count:,} sources at the bound of the logs", longest, LIMIT
    times = sorted(timed(lambda: table.write(b"w", 0, b"x", 1 << 62)) for _ in range(501))
    yield "a local write there, the median", times[250], WRITE_LIMIT
    table = made()
    for number in range(60_000):
        table.write(b"own%d" % number, 0, b"", 1)
    for number in range(count):
        table.apply(overwriting(number, 8))
    for number in range(60_000):
        table.write(b"own%d" % number, TOMBSTONE, b"", 2)
    everything, cursor = table.vector(), 0
    while cursor is not None:
        cursor = table.collect_stable(everything, everything, 1 << 62, cursor, 8192)  # type: ignore[assignment]
    yield f"trimming the logs of {count:,} sources", until_done(lambda: table.trim(ENTRIES)), LIMIT


def logged(scale: float) -> Iterator[tuple[str, float, float]]:
    """A million records of another source, written in one order and overwritten in another."""
    count = int(1_000_000 * scale)
    sender = made(b"s" * 16, log_slack=1 << 30)
    table = made(log_slack=1 << 30)
    progress = Progress(sender)
    progress.assume_equal()
    order = list(range(count))
    for turn in range(2):
        for number, key in enumerate(order):
            sender.write(b"key/%07d" % key, 0, bytes(8 + turn), 1 << 20)
            if number % 1000 == 999:
                while (data := sender.delta(progress, 1 << 16)) is not None:
                    table.apply(data)
        random.Random(1).shuffle(order)
    last = sender.counter
    del sender, progress
    stray = record(b"stray", 1 << 21, b"x" * 16, 5, flags=TOMBSTONE, value=b"")
    table.apply(frame(span(b"y" * 16, 0, 1, (1, stray))))
    step = until_done(lambda: table.recount(RECOUNT_SLOTS))
    yield f"counting strays anew among {len(table):,} records", step, LIMIT
    entries = table.statistics()["entries"]
    step = timed(lambda: table.retire(b"s" * 16, last))
    assert table.is_retired(b"s" * 16)
    yield f"retiring a source of {entries:,} log entries", step, LIMIT
    yield "dropping these", until_done(lambda: table.trim(ENTRIES)), LIMIT


def retired(scale: float) -> Iterator[tuple[str, float, float]]:
    """Many sources that nobody writes under, looked at by a node that is to retire them."""
    count = int(10_000 * scale)
    pump = Pump()
    node = pump.host(0).node
    for number in range(count):
        node.data.apply(overwriting(number, 1))
    retiring, longest = node._parts.retiring, 0.0
    for _ in range(3):
        pump.now += LOOK_SECONDS + 1
        while retiring.deadline() <= pump.now:
            longest = max(longest, timed(lambda: retiring.advance(pump.now)))
    assert retiring.count
    yield f"a turn of looking at {count:,} sources nobody writes under", longest, LIMIT


def inherited(scale: float) -> Iterator[tuple[str, float, float]]:
    """Ephemeral keys of a node that has to take another source."""
    count = int(100_000 * scale)
    table = made()
    for number in range(count):
        table.write(b"%d" % number, EPHEMERAL, bytes(8), 1)
    old = table.source
    table.adopt(b"u" * 16)
    table.inherit(old)
    step = until_done(lambda: table.take_over(LAPSES_PER_TURN))
    yield f"a turn of writing {count:,} ephemeral keys anew", step, LIMIT


def main() -> int:
    """Run them; 0 if no step took too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    good = True
    for part in (overwritten, logged, retired, inherited):
        for what, longest, limit in part(options.scale):
            good = good and longest <= limit
            print(f"{what}: {longest * 1e6:,.0f} us (limit {limit * 1e6:,.0f})", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
