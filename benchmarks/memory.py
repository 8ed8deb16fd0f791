"""Bytes of memory a record costs over its key and value, at a million records: `python
benchmarks/memory.py`.

A fresh process reads encoded deltas from another one, so that nothing but the table grows in it:
once as the process sees it (resident memory), once as the table counts it. Then every key is
overwritten, which leaves two entries each.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

from vines._core.table import Progress, Table
from vines._core.vector import VersionVector

KEY = b"key/%07d"
KEY_BYTES, VALUE_BYTES = 11, 64
LIMIT, AIM = 120, 100


def table(number: int) -> Table:
    return Table(number.to_bytes(16, "big"), bytes(16), bytes(16))


def give(records: int, out: IO[bytes]) -> None:
    """Write, twice, every record in frames: each with its length before it, and a length of zero
    after the last."""
    writer, value = table(1), bytes(VALUE_BYTES)
    for stamp in (1, 2):
        progress = Progress(writer)
        progress.assume_equal()
        for number in range(records):
            writer.put(0, KEY % number, 0, value, stamp)
        while (part := writer.delta(progress, 64 << 10)) is not None:
            out.write(len(part).to_bytes(4, "little") + part)
        out.write(bytes(4))


def take(source: IO[bytes]) -> Iterator[bytes]:
    """Frames until the length of zero."""
    while size := int.from_bytes(source.read(4), "little"):
        yield source.read(size)


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


def measure(records: int) -> bool:
    command = [sys.executable, __file__, "--give", "--records", str(records)]
    content = records * (KEY_BYTES + VALUE_BYTES)
    met = True
    with subprocess.Popen(command, stdout=subprocess.PIPE) as giver:
        assert giver.stdout is not None
        receiver = table(2)
        before = resident()
        for what in ("inserted", "overwritten"):
            for part in take(giver.stdout):
                refused = receiver.apply(part)
                assert not refused
            seen = (resident() - before - content) / records
            counted = (receiver.statistics()["memory"] - content) / records
            met &= what != "inserted" or seen <= LIMIT
            print(
                f"{records:,} records {what}: over key and value {seen:.1f} B each by resident"
                f" memory, {counted:.1f} B by the table's count (limit {LIMIT}, aim {AIM})"
            )
    assert len(receiver) == records and receiver.delta_for(VersionVector(), 100) is not None
    return met


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--give", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.give:
        give(options.records, sys.stdout.buffer)
        return 0
    return 0 if measure(options.records) else 1


if __name__ == "__main__":
    sys.exit(main())
