"""Many real nodes on loopback, one process each, forked from one interpreter that has imported all.

A node is driven by lines: each names something to do (a method of `Soldier`), each answer is one
line of JSON. Times are of CLOCK_MONOTONIC, which all processes of a machine share.

python -m benchmarks.troop NODES prints what a join through one seed takes, and what a write costs.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import vines.engine.chance  # noqa: F401  # imported before the fork, once for all
from vines import Vine
from vines.events import ALIVE

VALUE = bytes(32)
BARRIER_SECONDS = 0.3


class Soldier:
    """What one process of the troop can be told to do."""

    def __init__(self) -> None:
        self.vine = Vine().listen(0)
        self.complete = threading.Event()
        self.wanted = 0
        self.alive = 1
        self.at = 0.0
        self.heard: dict[str, float] = {}
        self.vine.on("join", self._joined)

    def _joined(self) -> None:
        self.alive += 1
        if self.alive == self.wanted:
            self.at = time.monotonic()
            self.complete.set()

    def port(self) -> int:
        assert self.vine.address is not None
        return self.vine.address[1]

    def join(self, seed: int, members: int, begin: float, limit: float) -> dict[str, Any]:
        """Join at a time; seconds from then until so many members were seen."""
        self.wanted = members
        time.sleep(max(0.0, begin - time.monotonic()))
        if seed != self.port():
            self.vine.join(seed)
        found = self.complete.wait(limit)
        return {"seconds": self.at - begin if found else None, "alive": self.alive}

    def stats(self) -> dict[str, Any]:
        return self.vine.stats()

    def cpu(self) -> float:
        """CPU seconds of this process."""
        return time.process_time()

    def members(self) -> int:
        return sum(each.state == ALIVE for each in self.vine.members())

    def hear(self, key: str) -> None:
        """Note when each value of a key comes."""

        def heard(value: object) -> None:
            self.heard[str(value)] = time.monotonic()

        self.vine.on("gossip", key, heard)

    def heard_at(self, value: str) -> float | None:
        return self.heard.get(value)

    def heard_all(self) -> dict[str, float]:
        return self.heard

    def write(self, key: str, value: str) -> float:
        at = time.monotonic()
        self.vine.gossip(key, value)
        return at

    def paced(self, count: int, interval: float) -> dict[str, float]:
        """Write values 0, 1, 2 ... to one key, evenly; when each was written."""
        began, written = time.monotonic(), {}
        for number in range(count):
            time.sleep(max(0.0, began + number * interval - time.monotonic()))
            written[str(number)] = time.monotonic()
            self.vine.gossip("probe", str(number))
        return written

    def pour(self, count: int, prefix: str) -> float:
        """Write so many distinct keys as fast as one can; when that began."""
        at = time.monotonic()
        gossip, value = self.vine.gossip, VALUE
        for number in range(count):
            gossip(f"{prefix}/{number:07d}", value)
        return at

    def holds(self, records: int, limit: float) -> float | None:
        """When the table held so many records."""
        until = time.monotonic() + limit
        table = self.vine._engine.table
        while len(table) < records:
            if time.monotonic() > until:
                return None
            time.sleep(0.002)
        return time.monotonic()

    def end(self) -> None:
        self.vine.end()


class Troop:
    """So many processes."""

    def __init__(self, count: int) -> None:
        self._pids: list[int] = []
        self._pipes: list[tuple[Any, Any]] = []
        for _ in range(count):
            self._fork()
        self.ports: list[int] = self.all("port")

    def __len__(self) -> int:
        return len(self._pids)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for pid in self._pids:
            os.kill(pid, signal.SIGKILL)
        for pid in self._pids:
            os.waitpid(pid, 0)
        for pipes in self._pipes:
            for pipe in pipes:
                pipe.close()

    def say(self, node: int, what: str, *arguments: Any) -> None:
        """Tell one node to do something."""
        self._pipes[node][0].write(json.dumps([what, *arguments]) + "\n")
        self._pipes[node][0].flush()

    def answer(self, node: int) -> Any:
        """What it says to that."""
        line = self._pipes[node][1].readline()
        if not line:
            raise RuntimeError(f"node {node} of the troop has ended")
        return json.loads(line)

    def ask(self, node: int, what: str, *arguments: Any) -> Any:
        """Tell it, and wait for the answer."""
        self.say(node, what, *arguments)
        return self.answer(node)

    def all(self, what: str, *arguments: Any) -> list[Any]:
        """Tell all at once, and wait for all."""
        for node in range(len(self)):
            self.say(node, what, *arguments)
        return [self.answer(node) for node in range(len(self))]

    def join(self, limit: float = 30.0) -> list[dict[str, Any]]:
        """All join through the first, released together."""
        begin = time.monotonic() + BARRIER_SECONDS + len(self) * 0.002
        return self.all("join", self.ports[0], len(self), begin, limit)

    def _fork(self) -> None:
        down_read, down_write = os.pipe()
        up_read, up_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(down_write)
                os.close(up_read)
                for pipes in self._pipes:
                    for pipe in pipes:
                        os.close(pipe.fileno())
                with os.fdopen(down_read) as orders, os.fdopen(up_write, "w") as answers:
                    obey(orders, answers)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(down_read)
        os.close(up_write)
        self._pids.append(pid)
        self._pipes.append((os.fdopen(down_write, "w"), os.fdopen(up_read)))


def obey(orders: Any, answers: Any) -> None:
    """Do what the lines say."""
    soldier = Soldier()
    for line in orders:
        what, *arguments = json.loads(line)
        method: Callable[..., Any] = getattr(soldier, what)
        answers.write(json.dumps(method(*arguments)) + "\n")
        answers.flush()


def totals(stats: list[dict[str, Any]], column: str) -> dict[str, int]:
    """A column of the counters of all nodes, summed by kind."""
    total: dict[str, int] = {}
    for each in stats:
        for kind, count in each["node"][column].items():
            total[kind] = total.get(kind, 0) + count
    return total


def difference(after: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    return {k: v - before.get(k, 0) for k, v in after.items() if v != before.get(k, 0)}


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


def report_pour(troop: Troop, count: int, number: int) -> None:
    """One node writes as fast as it can; prints the rate until every table held all."""
    records = troop.ask(0, "stats")["data"]["records"] + count
    used = sum(troop.all("cpu"))
    for node in range(1, len(troop)):
        troop.say(node, "holds", records, 60.0)
    began = troop.ask(0, "pour", count, f"pour{number}")
    ends = [troop.answer(node) for node in range(1, len(troop))]
    late = sum(end is None for end in ends)
    rate = count / (max(end or began + 60.0 for end in ends) - began)
    used = sum(troop.all("cpu")) - used
    print(f"pour: {rate:,.0f} a second, {late} late, CPU {used:.1f} s", flush=True)


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
                report_pour(troop, 200_000, number)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
