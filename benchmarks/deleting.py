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


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def say(what: str, table: Table) -> None:
    """Print what is held, and what that takes."""
    counts = table.statistics()
    print(
        f"{what}: {counts['records']:,} records, {counts['tombstones']:,} of them tombstones,"
        f" {counts['entries']:,} entries; {counts['memory'] / 2**20:.1f} MiB by the table's count,"
        f" {resident() / 2**20:.1f} MiB resident"
    )


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
    """Run it; 0 if no tombstone is left and no step took too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=int, default=100_000)
    parser.add_argument("--deleted", type=int, default=1_000_000)
    options = parser.parse_args()
    table = Table(bytes(16), bytes(16), bytes(16))
    for number in range(options.kept):
        table.write(b"kept/%07d" % number, 0, bytes(64), 0)
    say("before", table)
    for number in range(options.deleted):
        table.write(b"key/%07d" % number, 0, bytes(64), 0)
    say("written", table)
    for number in range(options.deleted):
        table.write(b"key/%07d" % number, TOMBSTONE, b"", 0)
    say("deleted", table)
    steps = collect(table)
    say("collected", table)
    print(
        f"{len(steps)} steps, {sum(steps) * 1e3:.0f} ms of processor time, the longest"
        f" {max(steps) * 1e3:.2f} ms (limit {STEP_LIMIT * 1e3:.0f})"
    )
    return 0 if table.tombstones == 0 and max(steps) <= STEP_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
