"""One process of a benchmark of elections: joins, does one thing with the others, prints lines of
JSON.

python -m benchmarks.elector ROLE PORT [OPTION=VALUE ...]; port 0: the first, whom others join.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from itertools import count as numbers
from pathlib import Path
from typing import Any

from benchmarks.peer import say
from vines import Outcome, Vine

PATIENCE = 120.0
AT_ONCE = 100
WARM = 5
CALL = {"expire": 600, "total": 3}


class Window:
    """At most so many elections of one vine in flight; counts those that are over."""

    def __init__(self, vine: Vine, size: int) -> None:
        self.vine = vine
        self.over = 0
        self._room = threading.Semaphore(size)
        self._wanted = 0
        self._done = threading.Event()
        vine.on("closed", self._closed)

    def _closed(self) -> None:
        self.over += 1
        self._room.release()
        if self.over == self._wanted:
            self._done.set()

    def enter(self, topic: str) -> None:
        """Call and vote as soon as there is room."""
        if not self._room.acquire(timeout=PATIENCE):
            raise TimeoutError
        self.vine.election(topic=topic, **CALL).vote(topic, True)

    def finish(self, count: int) -> None:
        """Wait until so many are over."""
        self._done.clear()  # it may have been waited before
        self._wanted = count
        if self.over < count and not self._done.wait(PATIENCE):
            raise TimeoutError(f"{self.over} of {count}")


def cluster(count: int, folder: Path | None = None) -> list[Vine]:
    """Vines of this process that know each other; with data directories in a folder."""
    directories = [None if folder is None else folder / str(number) for number in range(count)]
    vines = [Vine(data_dir=each).listen() for each in directories]
    for one in vines[1:]:
        one.join(vines[0].address)
    for one in vines:
        one.wait_for(count, PATIENCE)
    return vines


def member(port: int, total: int) -> Vine:
    """The vine of this process, once the whole cluster is there and was told to begin."""
    vine = Vine().listen()
    assert vine.address is not None
    say(port=vine.address[1])
    if port:
        vine.join(port)
    vine.wait_for(total, PATIENCE)
    say(ready=True)
    sys.stdin.readline()
    return vine


def race(port: int, count: int = 0, in_flight: int = 0) -> None:
    """So many elections, called and voted in as there is room: when they began and ended. The code
    of elections is loaded with those before.
    """
    vine = member(port, 3)
    window = Window(vine, in_flight)
    for number in range(WARM):
        window.enter(f"warm/{number}")
    window.finish(WARM)
    began = time.monotonic_ns()
    for number in range(count):
        window.enter(f"race/{number}")
    window.finish(WARM + count)
    say(began=began, ended=time.monotonic_ns())
    sys.stdin.readline()
    vine.end()


def write(vine: Vine) -> None:
    """Keep the links full: write some megabytes whenever the last ones have arrived."""
    keys = [f"bulk/{each}" for each in range(4_000)]
    for number in numbers():
        vine.update(dict.fromkeys(keys, number.to_bytes(1000, "big")))
        vine.flush(PATIENCE, members=2)


def decide(port: int, place: int = 0, count: int = 0, pause: float = 0.0, bulk: int = 0) -> None:
    """Elections that the vote of the second member decides: when it voted, and when whoever owns
    each was told. `bulk`: the third writes all the time.
    """
    vine = member(port, 3)
    if bulk and place == 2:
        threading.Thread(target=write, args=(vine,), daemon=True).start()
    told: dict[str, int] = {}

    def quorum(outcome: Outcome) -> None:
        told[outcome.topic] = time.monotonic_ns()

    vine.on("quorum", quorum)
    voted: dict[str, int] = {}
    for number in range(count):
        topic = f"decide/{number}"
        vine.election(topic=topic, **CALL)
        sys.stdin.readline()  # all have called, and been heard
        if place == 0:
            vine.vote(topic, True)
        say(called=True)
        sys.stdin.readline()  # the first vote is known
        if place == 1:
            voted[topic] = time.monotonic_ns()
            vine.vote(topic, True)
            time.sleep(0.005)  # to wait takes a turn of the loop, too
        vine.wait(topic, PATIENCE)
        say(closed=True)
    time.sleep(pause)
    say(voted=voted, told=told)
    sys.stdin.readline()
    vine.end()


def resident() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def formed(vine: Vine) -> int:
    """Elections here whose electorate stands."""

    def count(_now: float) -> int:
        matters = vine._engine.node.elections()._matters.values()
        return sum(one.signup.enrolment.formed for one in matters)

    return vine._engine.ask(count)


def hold(port: int, total: int = 0, count: int = 0) -> None:
    """So many open elections, signed up and waiting for votes: bytes of memory of each."""
    vine = member(port, total)
    call = {"expire": 6000, "total": total, "min": total}
    vine.election(topic="first", **call)
    while formed(vine) < 1:
        time.sleep(0.05)
    say(warm=True)
    sys.stdin.readline()
    before = resident()
    for number in range(count):
        vine.election(topic=f"hold/{number}", **call)
        while number % AT_ONCE == 0 and formed(vine) < number:
            time.sleep(0.01)  # what is measured is what stays, not what a crowd leaves behind
    while formed(vine) <= count:
        time.sleep(0.1)
    time.sleep(1)
    say(bytes_each=(resident() - before) / count, formed=formed(vine))
    sys.stdin.readline()
    vine.end()


ROLES: dict[str, Callable[..., None]] = {each.__name__: each for each in (race, decide, hold)}

if __name__ == "__main__":
    role, port, *options = sys.argv[1:]
    given: dict[str, Any] = {
        name: json.loads(value) for name, value in (each.split("=") for each in options)
    }
    ROLES[role](int(port), **given)
