"""Many real nodes on loopback: what a join through one seed takes, and what a write costs.

python -m benchmarks.troop NODES [ROUNDS]

Where that is permitted the nodes have a loopback of their own, and what the kernel carries on it is
told beside what they give to their sockets: headers, acknowledgements and datagrams are in it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

from tests.vine.machines import NETWORK_NAMESPACE
from tests.vine.troop import Troop, difference, totals

REST_SECONDS = 2.0


def have_own_loopback() -> bool:
    """Go on with a loopback that nobody else uses, as do all processes forked from here; False if
    that is not permitted.
    """
    if ctypes.CDLL(None, use_errno=True).unshare(NETWORK_NAMESPACE):
        print(f"the kernel's bytes are not told: {os.strerror(ctypes.get_errno())}", flush=True)
        return False
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return True


def carried() -> tuple[int, int]:
    """Bytes, all headers included, and packets that loopback has carried."""
    for line in Path("/proc/self/net/dev").read_text().splitlines():
        name, _, counts = line.partition(":")
        if name.strip() == "lo":
            received = counts.split()
            return int(received[0]), int(received[1])
    raise OSError("there is no loopback")


def report_kernel(
    label: str, count: int, seconds: float, before: tuple[int, int], after: tuple[int, int]
) -> None:
    """Print what loopback carried in so many seconds for each of so many writes, and what it
    carries at rest.
    """
    resting = carried()
    time.sleep(REST_SECONDS)
    rest = [(now - then) / REST_SECONDS for now, then in zip(carried(), resting, strict=True)]
    bytes_, packets = (
        (now - then - each * seconds) / count
        for now, then, each in zip(after, before, rest, strict=True)
    )
    print(
        f"{label}: the kernel carries {bytes_:,.0f} bytes in {packets:,.0f} packets a write, beside"
        f" {rest[0]:,.0f} bytes in {rest[1]:,.0f} packets a second at rest",
        flush=True,
    )


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


def report_writes(
    troop: Troop, label: str, count: int, interval: float, *, kernel: bool = False
) -> None:
    """One node writes, evenly; prints when a write was everywhere and what it cost, the `kernel`
    too where the loopback is the troop's own.
    """
    before, used = troop.all("stats"), sum(troop.all("cpu"))
    began, packed = time.monotonic(), carried() if kernel else (0, 0)
    written = troop.ask(0, "paced", count, interval)
    time.sleep(0.5)
    seconds, packed_after = time.monotonic() - began, carried() if kernel else (0, 0)
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
    if kernel:
        report_kernel(label, count, seconds, packed, packed_after)


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
    kernel = have_own_loopback()
    for _ in range(rounds - 1):
        with Troop(nodes) as troop:
            report_join(troop)
    with Troop(nodes) as troop:
        report_join(troop)
        troop.all("hear", "probe")
        time.sleep(3)
        report_writes(troop, "warm", 40, 0.1, kernel=kernel)
        report_writes(troop, "isolated", 20, 0.25, kernel=kernel)
        report_writes(troop, "100/s", 300, 0.01, kernel=kernel)
        if nodes <= 10:
            for number in range(3):
                report_pour(troop, 200_000, f"pour{number}")
            for number in range(3):
                report_pour(troop, 200_000, f"call{number}", called=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
