"""Elections through the public face of a Vine, beside the same called one by one: `./run bench
benchmarks/test_elections.py`.

Times are of CLOCK_MONOTONIC, which all processes of a machine share. What is asserted are the
project's own limits on a quiet machine of two cores; every figure is told at the end.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count as numbers
from pathlib import Path
from typing import Any

import pytest

from benchmarks.elector import CALL, PATIENCE, WARM, Window, cluster
from benchmarks.peer import quantiles
from benchmarks.test_processes import Other
from vines import Outcome, Vine

IN_FLIGHT = 500
COUNT = 5_000
ONE_BY_ONE = 200
PROBES = 200


@pytest.fixture
def three() -> Iterator[list[Vine]]:
    vines = cluster(3)
    yield vines
    for one in vines:
        one.end()


@contextmanager
def processes(role: str, members: int, **options: Any) -> Iterator[list[Other]]:
    """So many processes in one cluster, each told to begin."""
    with ExitStack() as ended:
        others: list[Other] = []
        port = 0
        for place in range(members):
            more = {"place": place} if role == "decide" else {}
            one = Other(role, port, module="benchmarks.elector", **options, **more)
            ended.callback(one.end)
            others.append(one)
            said = one.hear()
            port = port or said["port"]
        for one in others:
            one.hear()
        for one in others:
            one.go()
        yield others


def one_by_one(vines: list[Vine], count: int) -> float:
    """Elections a second if each waits for the last."""
    began = time.monotonic()
    for number in range(count):
        for one in vines:
            one.election(topic=f"one/{number}", **CALL).vote(f"one/{number}", True)
        for one in vines:
            one.wait(f"one/{number}", PATIENCE)
    return count / (time.monotonic() - began)


def test_many_in_flight_in_one_process(benchmark: Any, three: list[Vine]) -> None:
    baseline = one_by_one(three, ONE_BY_ONE)
    windows = [Window(one, IN_FLIGHT) for one in three]
    for window in windows:
        window.finish(ONE_BY_ONE)  # told of those before
    rounds = numbers(1)

    def run() -> None:
        number = next(rounds)
        for each in range(COUNT):
            for window in windows:
                window.enter(f"race/{number}/{each}")
        for window in windows:
            window.finish(ONE_BY_ONE + number * COUNT)

    benchmark.pedantic(run, rounds=3)
    rate = COUNT / benchmark.stats.stats.median
    benchmark.extra_info.update(decided_per_second=round(rate), one_by_one=round(baseline))
    assert rate >= 5_000


def test_many_in_flight_in_three_processes(benchmark: Any) -> None:
    rates: list[float] = []

    def run() -> None:
        with processes("race", 3, count=COUNT, in_flight=IN_FLIGHT) as others:
            found = [one.hear() for one in others]
        took = max(each["ended"] for each in found) - min(each["began"] for each in found)
        rates.append(COUNT / took * 1e9)

    benchmark.pedantic(run, rounds=3)
    rate = sorted(rates)[len(rates) // 2]
    benchmark.extra_info.update(decided_per_second=round(rate))
    assert rate >= 8_000


def deciding(vines: list[Vine]) -> dict[str, Any]:
    """From the deciding vote to the callback of whoever is to act: quantiles of PROBES."""
    delays: list[int] = []
    told = threading.Event()
    voted = 0

    def quorum(_outcome: Outcome) -> None:
        delays.append(time.monotonic_ns() - voted)
        told.set()

    for one in vines:
        one.on("quorum", quorum)
    one_by_one(vines, WARM)  # the code of elections is loaded with the first
    time.sleep(0.1)
    delays.clear()
    for number in range(PROBES):
        topic = f"decide/{number}"
        for one in vines:
            one.election(topic=topic, **CALL)
        time.sleep(0.005)  # all have signed
        vines[number % 3].vote(topic, True)
        time.sleep(0.005)
        told.clear()
        voted = time.monotonic_ns()
        vines[(number + 1) % 3].vote(topic, True)
        assert told.wait(PATIENCE)
    found = quantiles(delays)
    assert found["count"] == PROBES
    return found


def deciding_among_processes(**options: Any) -> dict[str, Any]:
    """The same with three processes."""
    with processes("decide", 3, count=PROBES + WARM, pause=0.2, **options) as others:
        for _ in range(PROBES + WARM):
            time.sleep(0.005)
            for one in others:
                one.go()
            for one in others:
                one.hear()
            time.sleep(0.005)
            for one in (others[0], others[2], others[1]):
                time.sleep(0.001)  # who votes does so while the others sleep, waiting for it
                one.go()
            for one in others:
                one.hear()
        found = [one.hear() for one in others]
    told = {topic: at for each in found for topic, at in each["told"].items()}
    delays = [told[topic] - at for topic, at in found[1]["voted"].items()]
    result = quantiles(delays[WARM:])
    assert result["count"] == PROBES
    return result


def test_from_the_deciding_vote_to_the_quorum_in_one_process(
    benchmark: Any, three: list[Vine]
) -> None:
    found = benchmark.pedantic(deciding, args=(three,), rounds=1)
    benchmark.extra_info.update(found)
    assert found["p50_ms"] <= 1
    assert found["p99_ms"] <= 3


def test_from_the_deciding_vote_to_the_quorum_in_three_processes(benchmark: Any) -> None:
    found = benchmark.pedantic(deciding_among_processes, rounds=1)
    benchmark.extra_info.update(found)
    assert found["p50_ms"] <= 1
    assert found["p99_ms"] <= 3


def test_from_the_deciding_vote_to_the_quorum_with_storage(benchmark: Any, tmp_path: Path) -> None:
    """Beside a commit of bare SQLite, synced, on the same disk in the same run."""
    vines = cluster(3, tmp_path)
    bare = bare_commit(tmp_path / "bare.db")
    found = benchmark.pedantic(deciding, args=(vines,), rounds=1)
    for one in vines:
        one.end()
    benchmark.extra_info.update(found, bare_commit_p50_ms=bare)
    assert found["p50_ms"] <= 1.5 + 8 * bare


def bare_commit(path: Path) -> float:
    """Milliseconds of a synced commit of one small row, p50."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA synchronous = full")
    connection.execute("CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID")
    times = []
    for number in range(200):
        began = time.monotonic_ns()
        connection.execute("INSERT INTO rows VALUES (?, ?)", (b"%d" % number, bytes(64)))
        times.append(time.monotonic_ns() - began)
    connection.close()
    return float(quantiles(times)["p50_ms"])


def test_votes_beside_a_bulk_of_data(benchmark: Any) -> None:
    """One of the three processes writes as much data as the links take meanwhile."""
    idle = deciding_among_processes()
    found = benchmark.pedantic(deciding_among_processes, kwargs={"bulk": 1}, rounds=1)
    benchmark.extra_info.update(found, idle_p50_ms=idle["p50_ms"])
    assert found["p50_ms"] <= 3 * idle["p50_ms"]


def test_many_in_flight_with_storage(benchmark: Any, tmp_path: Path) -> None:
    vines = cluster(3, tmp_path)
    windows = [Window(one, IN_FLIGHT) for one in vines]
    rounds = numbers(1)

    def run() -> None:
        number = next(rounds)
        for each in range(COUNT):
            for window in windows:
                window.enter(f"race/{number}/{each}")
        for window in windows:
            window.finish(number * COUNT)

    benchmark.pedantic(run, rounds=3)
    for one in vines:
        one.end()
    rate = COUNT / benchmark.stats.stats.median
    benchmark.extra_info.update(decided_per_second=round(rate))
    assert rate >= 3_000


def test_memory_of_open_elections(benchmark: Any) -> None:
    """Signed up, five voters each, waiting for votes."""
    count = 10_000

    def run() -> list[dict[str, Any]]:
        with processes("hold", 5, total=5, count=count) as others:
            for one in others:
                one.hear()
            for one in others:
                one.go()
            return [one.hear() for one in others]

    found = benchmark.pedantic(run, rounds=1)
    each = sorted(one["bytes_each"] for one in found)
    benchmark.extra_info.update(bytes_each_median=round(each[2]), bytes_each_most=round(each[4]))
    assert all(one["formed"] == count + 1 for one in found)
    assert each[4] <= 1536
