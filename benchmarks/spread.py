"""What a write costs until it is everywhere, on virtual time, against the number of nodes.

python -m benchmarks.spread [NODES ...] prints a table; without sizes 10, 30 and 100, half a minute.
"""

from __future__ import annotations

import sys
import time

from tests.simulation.spreading import measure

COLUMNS = ("nodes", "links", "hops p50", "most", "log2 N + 2", "copies", "bytes, alone", "at 100/s")


def main(sizes: list[int]) -> None:
    print("|", " | ".join(COLUMNS), "|")
    print("| --- " * len(COLUMNS) + "|")
    for nodes in sizes:
        began = time.monotonic()
        row = measure(nodes).row()
        print(row, flush=True)
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or [10, 30, 100])
