"""Many real nodes on loopback, one process each, forked from one interpreter that has imported all.

A node is driven by lines: each names something to do (a method of `Soldier`), each answer is one
line of JSON. Times are of CLOCK_MONOTONIC, which all processes of a machine share.

python -m tests.vine.troop scenario NODES, or parted NODES, or pour NODES KEYS, says what came of
it, in JSON.
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
from tests.vine.machines import HOSTS, Machines, Unpermitted
from vines import Vine

VALUE = bytes(32)
BARRIER_SECONDS = 0.3
SEES_SECONDS_MAX = 0.25


class Soldier:
    """What one process of the troop can be told to do."""

    def __init__(self, host: str | None = None) -> None:
        self.vine = Vine(insecure=host is not None).listen(0, host)
        self.complete = threading.Event()
        self.wanted = 0
        self.alive = 1
        self.at = 0.0
        self.heard: dict[str, float] = {}
        self.called = 0
        self.expected = -1
        self.all_called = threading.Event()
        self.vine.on("join", self._joined)

    def _joined(self) -> None:
        self.alive += 1
        if self.alive == self.wanted:
            self.at = time.monotonic()
            self.complete.set()

    def address(self) -> str:
        assert self.vine.address is not None
        return "{}:{}".format(*self.vine.address)

    def join(self, seed: str, members: int, begin: float, limit: float) -> dict[str, Any]:
        """Join at a time; seconds from then until so many members were seen."""
        self.wanted = members
        time.sleep(max(0.0, begin - time.monotonic()))
        if seed != self.address():
            self.vine.join(seed)
        found = self.complete.wait(limit)
        return {"seconds": self.at - begin if found else None, "alive": self.alive}

    def stats(self) -> dict[str, Any]:
        return self.vine.stats()

    def cpu(self) -> float:
        """CPU seconds of this process."""
        return time.process_time()

    def sees(self, members: int, limit: float) -> int:
        """How many members are alive, as soon as it is so many, or when time is up."""
        until, pause = time.monotonic() + limit, 0.02
        while (alive := len(self.vine.members())) != members and time.monotonic() < until:
            # A hundred that look all the time would have no time for anything else.
            time.sleep(pause)
            pause = min(1.5 * pause, SEES_SECONDS_MAX)
        return alive

    def gets(self, key: str, limit: float) -> Any:
        """The value of a key, as soon as there is one, or when time is up."""
        until = time.monotonic() + limit
        while (value := self.vine.get(key)) is None and time.monotonic() < until:
            time.sleep(0.01)
        return value

    def leave(self) -> None:
        self.vine.leave()

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

    def listen_to(self, prefix: str) -> None:
        """Count the calls of a callback for the keys under a prefix: there are none yet."""
        self.called, self.expected = 0, -1

        def call(_event: object) -> None:
            self.called += 1
            if self.called == self.expected:
                self.all_called.set()

        self.vine.on("gossip", f"{prefix}/*", call)
        while self.vine.stats()["callbacks"]["replays_waiting"]:
            time.sleep(0.01)

    def called_for(self, count: int, limit: float) -> float | None:
        """When the callback had been called so often."""
        self.all_called.clear()
        self.expected = count
        if self.called < count:
            self.all_called.wait(limit)
        return time.monotonic() if self.called >= count else None

    def end(self) -> None:
        self.vine.end()


class Troop:
    """So many processes."""

    def __init__(self, count: int, machines: Machines | None = None) -> None:
        self._machines = machines
        self._pids: dict[int, int] = {}
        self._pipes: list[tuple[Any, Any]] = []
        for node in range(count):
            self._fork(node)
        self.addresses: list[str] = self.all("address")

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
        for node in list(self._pids):
            self.kill(node)
        for pipes in self._pipes:
            for pipe in pipes:
                pipe.close()

    def kill(self, node: int) -> None:
        """End a process as the kernel does."""
        pid = self._pids.pop(node)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)

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
        for node in self._pids:
            self.say(node, what, *arguments)
        return [self.answer(node) for node in self._pids]

    def join(self, limit: float = 30.0) -> list[dict[str, Any]]:
        """All join through the first, released together."""
        begin = time.monotonic() + BARRIER_SECONDS + len(self) * 0.002
        return self.all("join", self.addresses[0], len(self), begin, limit)

    def _fork(self, node: int) -> None:
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
                host = None
                if self._machines is not None:
                    self._machines.enter(node % 2)
                    host = HOSTS[node % 2]
                with os.fdopen(down_read) as orders, os.fdopen(up_write, "w") as answers:
                    obey(orders, answers, host)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        os.close(down_read)
        os.close(up_write)
        self._pids[node] = pid
        self._pipes.append((os.fdopen(down_write, "w"), os.fdopen(up_read)))


def obey(orders: Any, answers: Any, host: str | None) -> None:
    """Do what the lines say."""
    soldier = Soldier(host)
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


def scenario(nodes: int) -> dict[str, Any]:
    """One seed, all at once; a write, a tenth killed, a write, a leave. What came of it."""
    limit, times, began = 60.0, {}, time.monotonic()

    def lap(what: str) -> None:
        nonlocal began
        times[what], began = round(time.monotonic() - began, 2), time.monotonic()

    with Troop(nodes) as troop:
        lap("begun")
        seen = [each["alive"] for each in troop.join(limit)]
        lap("joined")
        troop.ask(nodes // 2, "write", "key", "value")
        got = troop.all("gets", "key", limit)
        lap("written")
        stats = [each["node"] for each in troop.all("stats")]
        for node in range(1, nodes // 10 + 1):
            troop.kill(node)
        troop.ask(0, "write", "next", "value")
        got_next = troop.all("gets", "next", limit)
        lap("written beside the dead")
        alive = len(troop)
        seen_then = troop.all("sees", alive, limit)
        lap("failures seen by all")
        troop.ask(nodes - 1, "leave")
        troop.kill(nodes - 1)
        seen_last = troop.all("sees", alive - 1, limit)
        lap("leave seen by all")
    return {
        "seen": seen,
        "got": got,
        "got_next": got_next,
        "alive": alive,
        "seen_then": seen_then,
        "seen_last": seen_last,
        "links": [each["links"] for each in stats],
        "times": times,
    }


def parted(nodes: int) -> dict[str, Any]:
    """On two machines: half is cut off from the other half, both go on, and they find each other
    again; one leaves. What came of it.
    """
    limit, times, began = 60.0, {}, time.monotonic()
    os.environ |= {"VINES_NETWORK": "local", "VINES_HEAL_INTERVAL": "2"}

    def lap(what: str) -> None:
        nonlocal began
        times[what], began = round(time.monotonic() - began, 2), time.monotonic()

    try:
        machines = Machines()
    except Unpermitted as reason:
        return {"unpermitted": str(reason)}
    with machines, Troop(nodes, machines) as troop:
        lap("begun")
        seen = [each["alive"] for each in troop.join(limit)]
        lap("joined")
        machines.part()
        seen_apart = troop.all("sees", nodes // 2, limit)
        lap("halves seen as halves")
        for node in (0, 1):
            troop.ask(node, "write", f"half/{node}", "value")
        crossed = [troop.ask(node, "gets", f"half/{1 - node % 2}", 0.0) for node in range(nodes)]
        machines.heal()
        seen_together = troop.all("sees", nodes, limit)
        lap("one cluster again")
        got = [troop.all("gets", f"half/{node}", limit) for node in (0, 1)]
        lap("all have what either half wrote")
        troop.ask(nodes - 1, "leave")
        troop.kill(nodes - 1)
        seen_last = troop.all("sees", nodes - 1, limit)
        lap("leave seen by all")
    return {
        "seen": seen,
        "seen_apart": seen_apart,
        "crossed": crossed,
        "seen_together": seen_together,
        "got": got,
        "seen_last": seen_last,
        "times": times,
    }


def pour(nodes: int, count: int) -> dict[str, Any]:
    """One writes so many keys as fast as it can; how many each holds in the end."""
    with Troop(nodes) as troop:
        troop.join()
        for node in range(1, nodes):
            troop.say(node, "holds", count, 60.0)
        began = troop.ask(0, "pour", count, "key")
        ends = [troop.answer(node) for node in range(1, nodes)]
        held = [each["data"]["records"] for each in troop.all("stats")]
        last = max((end for end in ends if end is not None), default=began)
    return {"held": held, "rate": round(count / max(last - began, 1e-3))}


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    found = {"scenario": scenario, "parted": parted, "pour": pour}[what](*map(int, numbers))
    sys.stdout.write(json.dumps(found) + "\n")
