"""What is left of a million keys that were written and deleted: `python benchmarks/deleting.py`.

A table of keys that stay is filled with others, which are deleted, and then collects: memory before
and after, as the table counts it and as the process sees it, and the longest step of collecting in
processor time of its thread.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time

from vines._core.table import TOMBSTONE, Table
from vines.protocol.replicas.collecting import ENTRIES, SLOTS

STEP_LIMIT = 0.010
"""Seconds of one step: a turn of the loop has no more."""
MEMORY_LIMIT = 1.1
"""Of what the table counted before all that was deleted."""
RESIDENT_LIMIT = 64 << 20
"""Bytes more in memory than before."""


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def say(what: str, table: Table) -> tuple[int, int]:
    """Print what is held, and what that takes; both figures."""
    counts = table.statistics()
    held, seen = counts["memory"], resident()
    print(
        f"{what}: {counts['records']:,} records, {counts['tombstones']:,} of them tombstones,"
        f" {counts['entries']:,} entries; {held / 2**20:.1f} MiB by the table's count,"
        f" {seen / 2**20:.1f} MiB resident"
    )
    return held, seen


def collect(table: Table) -> list[float]:
    """Collect all that can be; the seconds of each step."""
    steps = []
    everything = table.vector()
    cursor: int | None = 0
    more = True
    while more:
        began = time.thread_time()
        if cursor is not None:
            cursor = table.collect_stable(everything, everything, table.clock, cursor, SLOTS)
        else:
            more = table.trim(ENTRIES)
        steps.append(time.thread_time() - began)
    return steps


def main() -> int:
    """Run it; 0 if no tombstone is left, no step took too long and memory is as it was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=int, default=100_000)
    parser.add_argument("--deleted", type=int, default=1_000_000)
    parser.add_argument(
        "--mixed", action="store_true", help="keys that stay are written again among the others"
    )
    options = parser.parse_args()
    table = Table(bytes(16), bytes(16), bytes(16))
    for number in range(options.kept):
        table.write(b"kept/%07d" % number, 0, bytes(64), 0)
    before, seen_before = say("before", table)
    every = options.deleted // max(options.kept, 1) if options.mixed else 0
    if every:
        for number in range(options.kept):
            table.collect(0, b"kept/%07d" % number)
    for number in range(options.deleted):
        table.write(b"key/%07d" % number, 0, bytes(64), 0)
        if every and number % every == 0:
            table.write(b"kept/%07d" % (number // every % options.kept), 0, bytes(64), 0)
    say("written", table)
    for number in range(options.deleted):
        table.write(b"key/%07d" % number, TOMBSTONE, b"", 0)
    say("deleted", table)
    steps = collect(table)
    after, seen_after = say("collected", table)
    print(
        f"{len(steps)} steps, {sum(steps) * 1e3:.0f} ms of processor time, the longest"
        f" {max(steps) * 1e3:.2f} ms (limit {STEP_LIMIT * 1e3:.0f})"
    )
    memory = after <= MEMORY_LIMIT * before and seen_after - seen_before <= RESIDENT_LIMIT
    return 0 if table.tombstones == 0 and max(steps) <= STEP_LIMIT and memory else 1


if __name__ == "__main__":
    sys.exit(main())
