"""Two real processes on loopback, each figure beside its baseline: `./run bench
benchmarks/test_processes.py`.

Times are of CLOCK_MONOTONIC, which all processes of a machine share. What is asserted are the
project's own limits on a quiet machine of two cores; every figure is told at the end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from vines import Vine

PEER = Path(__file__).with_name("peer.py")
VALUE = bytes(64)
PAUSE = 0.001


class Other:
    """The other process."""

    def __init__(self, role: str, port: int, *, module: str = "", **options: Any) -> None:
        words = [f"{name}={json.dumps(value)}" for name, value in options.items()]
        what = ["-m", module] if module else [str(PEER)]
        self.process = subprocess.Popen(
            [sys.executable, *what, role, str(port), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PEER.parent.parent,
        )

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        heard: dict[str, Any] = json.loads(self.process.stdout.readline())
        return heard

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def ask(self) -> dict[str, Any]:
        self.go()
        return self.hear()

    def end(self) -> None:
        self.process.kill()
        self.process.communicate()


@contextmanager
def other(role: str, port: int, **options: Any) -> Iterator[Other]:
    one = Other(role, port, **options)
    try:
        yield one
    finally:
        one.end()


@pytest.fixture
def vine() -> Iterator[Vine]:
    with Vine() as one:
        yield one.listen(0)


def port_of(vine: Vine) -> int:
    assert vine.address is not None
    return vine.address[1]


def write(vine: Vine, count: int, distinct: int) -> None:
    gossip, value = vine.gossip, VALUE
    for number in range(count):
        gossip(f"key/{number % distinct:07d}", value)


def rss() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def probe(vine: Vine, count: int) -> None:
    for _ in range(count):
        vine.gossip("probe", time.monotonic_ns())
        time.sleep(PAUSE)
    time.sleep(0.1)


def bare_socket(count: int) -> dict[str, Any]:
    """The same probes over a blocking socket."""
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        other("socket_latency", server.getsockname()[1]) as peer,
    ):
        stream, _ = server.accept()
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.hear()
        for _ in range(count):
            stream.send(b"%d" % time.monotonic_ns())
            time.sleep(PAUSE)
        stream.close()
        return peer.hear()


def test_latency_idle(benchmark: Any, vine: Vine) -> None:
    with other("latency", port_of(vine)) as peer:
        peer.hear()
        benchmark.pedantic(probe, (vine, 2000), rounds=1)
        found = peer.ask()
    bare = bare_socket(2000)
    benchmark.extra_info.update(found, bare_p50_ms=bare["p50_ms"], bare_p99_ms=bare["p99_ms"])
    assert found["count"] >= 1990
    assert found["p50_ms"] <= 0.4
    assert found["p99_ms"] <= 1.5


def test_latency_under_load(benchmark: Any, vine: Vine) -> None:
    """100,000 updates a second, paced in bursts of 100 a millisecond, with a probe in each."""

    def load() -> float:
        began = time.monotonic()
        for burst in range(3000):
            vine.gossip("probe", time.monotonic_ns())
            vine.update({f"key/{burst % 10:02d}/{n:02d}": VALUE for n in range(100)})
            ahead = began + (burst + 1) * 0.001 - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
        return 303_000 / (time.monotonic() - began)

    with other("latency", port_of(vine)) as peer:
        peer.hear()
        rate = benchmark.pedantic(load, rounds=1)
        time.sleep(0.1)
        found = peer.ask()
    benchmark.extra_info.update(found, updates_per_second=round(rate))
    assert rate >= 95_000
    assert found["p50_ms"] <= 1
    assert found["p99_ms"] <= 10


@pytest.mark.parametrize("where", ["writer", "receiver"])
def test_latency_beside_a_thread_that_computes(benchmark: Any, where: str) -> None:
    """A computing thread in one of the two processes; the writer is one of its own each time."""
    script = (
        "import sys, time; from benchmarks.peer import hog, say; from vines import Vine;"
        "vine = Vine().listen(0); say(port=vine.address[1]); sys.stdin.readline();"
        f"{'hog();' if where == 'writer' else ''}"
        "\nfor _ in range(300):\n"
        " vine.gossip('probe', time.monotonic_ns()); time.sleep(0.02)\n"
        "time.sleep(0.2); say(done=True); sys.stdin.readline(); vine.end()"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=PEER.parent.parent,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    try:
        port = json.loads(writer.stdout.readline())["port"]
        with other("latency", port, hogged=where == "receiver") as peer:
            peer.hear()

            def probes() -> None:
                writer.stdin.write("\n")
                writer.stdin.flush()
                writer.stdout.readline()

            benchmark.pedantic(probes, rounds=1)
            found = peer.ask()
    finally:
        writer.kill()
        writer.communicate()
    benchmark.extra_info.update(found)
    assert found["p50_ms"] <= 12
    assert found["p99_ms"] <= 40


@pytest.mark.parametrize("distinct", [500_000, 1000])
def test_throughput_without_a_listener(benchmark: Any, vine: Vine, distinct: int) -> None:
    """From the first `gossip()` until the other process says that it holds everything."""
    count = 500_000
    with other("hold", port_of(vine)) as peer:
        peer.hear()

        def run() -> None:
            write(vine, count, distinct)
            vine.flush(60)

        benchmark.pedantic(run, rounds=1)
        found = peer.ask()
    rate = count / benchmark.stats.stats.min
    benchmark.extra_info.update(updates_per_second=round(rate), **found)
    assert found["records"] == distinct
    assert rate >= 300_000


def test_throughput_with_a_callback_for_each(benchmark: Any, vine: Vine) -> None:
    count = 300_000
    with other("count", port_of(vine), expected=count) as peer:
        peer.hear()
        began = time.monotonic_ns()
        benchmark.pedantic(write, (vine, count, count), rounds=1)
        found = peer.hear()
    rate = count / ((found["at"] - began) / 1e9)
    benchmark.extra_info.update(
        updates_per_second=round(rate), calls=found["calls"], records=found["records"]
    )
    assert found["calls"] == found["records"] == count
    assert rate >= 200_000


@pytest.mark.parametrize("calls", [False, True])
def test_a_fresh_process_takes_over_100_000_keys(benchmark: Any, vine: Vine, calls: bool) -> None:
    records, payload = 100_000, 11 + 2 + 64
    write(vine, records, records)
    runs: list[dict[str, Any]] = []

    def run() -> None:
        with other("fresh", port_of(vine), records=records, calls=calls) as peer:
            runs.append(peer.hear())

    benchmark.pedantic(run, rounds=5)
    best = sorted(runs, key=lambda each: each["ms"])[len(runs) // 2]
    overhead = best["bytes"] / records - payload
    benchmark.extra_info.update(best, wire_bytes_over_key_and_value=round(overhead, 2))
    assert best["records"] == records
    assert best["ms"] <= (250 if calls else 150)
    assert best["turn_ms"] <= 10
    assert overhead <= 8


def test_a_peer_that_never_reads_costs_no_memory(benchmark: Any, vine: Vine) -> None:
    write(vine, 100_000, 1000)
    with other("deaf", port_of(vine)) as peer:
        peer.hear()
        peer.process.send_signal(signal.SIGSTOP)
        before = rss()
        benchmark.pedantic(write, (vine, 1_000_000, 1000), rounds=1)
        grown = (rss() - before) / 2**20
        peer.process.send_signal(signal.SIGCONT)
        vine["last"] = "word"
        vine.flush(60)
        found = peer.ask()
    benchmark.extra_info.update(grown_mib=round(grown, 2), **found)
    assert found["records"] == 1001
    assert grown <= 8


@pytest.mark.parametrize("records", [10, 10_000])
def test_idle_traffic(benchmark: Any, vine: Vine, records: int) -> None:
    write(vine, records, records)
    with other("idle", port_of(vine), seconds=10) as peer:
        found = benchmark.pedantic(peer.hear, rounds=1)
    benchmark.extra_info.update(found)
    assert found["records"] == records
    assert 0 < found["bytes_per_second"] <= 200  # a node that sends nothing knows of nobody


def test_the_import_and_the_size_of_a_node(benchmark: Any, vine: Vine) -> None:
    """The baseline of both is the interpreter itself."""

    def timed(statement: str) -> float:
        began = time.perf_counter()
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}
        subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
        return time.perf_counter() - began

    timed("import vines")  # once, so that what is measured is not the compiler
    bare = min(timed("pass") for _ in range(5))
    benchmark.pedantic(timed, ("import vines",), rounds=10)
    took = (benchmark.stats.stats.min - bare) * 1e3
    with other("size", port_of(vine)) as peer:
        found = peer.hear()
    benchmark.extra_info.update(import_ms=round(took, 1), bare_ms=round(bare * 1e3, 1), **found)
    assert took <= 60
    assert found["rss_mib"] <= 24
