"""Many real nodes on loopback: what a join through one seed takes, and what a write costs.

python -m benchmarks.troop NODES [ROUNDS]
"""

from __future__ import annotations

import sys
import time

from tests.vine.troop import Troop, difference, totals


def report_join(troop: Troop) -> None:
    """All join through the first; prints when all saw all."""
    found = troop.join()
    times = sorted(each["seconds"] or 99.0 for each in found)
    stats = troop.all("stats")
    links = sorted(each["node"]["links"] for each in stats)
    sent = totals(stats, "bytes_out")
    print(
        f"join: last {times[-1]:.2f} s, median {times[len(times) // 2]:.2f} s,"
        f" links {links[0]}..{links[-1]}, of the seed {stats[0]['node']['links']},"
        f" CPU {sum(troop.all('cpu')):.1f} s, bytes {sum(sent.values()):,} {sent}",
        flush=True,
    )


def report_writes(troop: Troop, label: str, count: int, interval: float) -> None:
    """One node writes, evenly; prints when a write was everywhere and what it cost."""
    before, used = troop.all("stats"), sum(troop.all("cpu"))
    written = troop.ask(0, "paced", count, interval)
    time.sleep(0.5)
    after, used = troop.all("stats"), sum(troop.all("cpu")) - used
    heard = troop.all("heard_all")
    everywhere = sorted(
        max(node[value] for node in heard) - at
        for value, at in written.items()
        if all(value in node for node in heard)
    )
    sent = difference(totals(after, "bytes_out"), totals(before, "bytes_out"))
    taken = difference(totals(after, "frames_in"), totals(before, "frames_in"))
    print(
        f"{label}: everywhere p50 {everywhere[len(everywhere) // 2] * 1e3:.1f} ms,"
        f" p99 {everywhere[int(len(everywhere) * 0.99)] * 1e3:.1f};"
        f" CPU a write {used / count * 1e3:.1f} ms; bytes {sum(sent.values()) / count:,.0f}"
        f" { ({k: round(v / count) for k, v in sent.items()}) };"
        f" copies {taken.get('delta', 0) / count / (len(troop) - 1):.2f}",
        flush=True,
    )


def report_pour(troop: Troop, count: int, prefix: str, *, called: bool = False) -> None:
    """One node writes as fast as it can; prints the rate until every table held all, or until a
    callback was called for each on every other node.
    """
    records = troop.ask(0, "stats")["data"]["records"] + count
    used = sum(troop.all("cpu"))
    for node in range(1, len(troop)):
        if called:
            troop.ask(node, "listen_to", prefix)
            troop.say(node, "called_for", count, 60.0)
        else:
            troop.say(node, "holds", records, 60.0)
    began = troop.ask(0, "pour", count, prefix)
    ends = [troop.answer(node) for node in range(1, len(troop))]
    late = sum(end is None for end in ends)
    rate = count / (max(end or began + 60.0 for end in ends) - began)
    used = sum(troop.all("cpu")) - used
    until = "callback for each" if called else "in every table"
    print(f"pour, {until}: {rate:,.0f} a second, {late} late, CPU {used:.1f} s", flush=True)


def main(nodes: int, rounds: int = 1) -> None:
    """Everything, for so many nodes."""
    for _ in range(rounds - 1):
        with Troop(nodes) as troop:
            report_join(troop)
    with Troop(nodes) as troop:
        report_join(troop)
        troop.all("hear", "probe")
        time.sleep(3)
        report_writes(troop, "warm", 40, 0.1)
        report_writes(troop, "isolated", 20, 0.25)
        report_writes(troop, "100/s", 300, 0.01)
        if nodes <= 10:
            for number in range(3):
                report_pour(troop, 200_000, f"pour{number}")
            for number in range(3):
                report_pour(troop, 200_000, f"call{number}", called=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
