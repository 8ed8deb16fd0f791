"""The other process of a benchmark: joins, does one thing, prints one line of JSON, waits for the
end of its input.

python benchmarks/peer.py ROLE PORT [OPTION=VALUE ...]
"""

from __future__ import annotations

import json
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vines import Vine


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def compute() -> None:
    """A thread that never gives up the interpreter's lock by itself."""
    number = 0
    while True:
        number = (number * 1103515245 + 12345) & 0x7FFFFFFF


def hog() -> None:
    threading.Thread(target=compute, daemon=True).start()


def longest_turn(vine: Vine) -> Callable[[], float]:
    """Watch the loop; returns what tells the CPU seconds of its longest turn, without its sleep."""
    loop = vine._engine.loop
    turn, longest = loop._turn, [0.0]

    def timed() -> None:
        before = time.thread_time()
        turn()
        longest[0] = max(longest[0], time.thread_time() - before)

    loop._turn = timed  # type: ignore[method-assign]
    return lambda: longest[0]


def quantiles(delays: list[int]) -> dict[str, float]:
    delays = sorted(delays)
    at = [delays[min(int(len(delays) * part), len(delays) - 1)] / 1e6 for part in (0.5, 0.99)]
    return {"p50_ms": at[0], "p99_ms": at[1], "count": len(delays)}


def joined(port: int, prepare: Callable[[Vine], Any] = lambda vine: None) -> Vine:
    vine = Vine()
    prepare(vine)
    vine.listen(0).join(port).wait_for(2, 10)
    return vine


def latency(port: int, hogged: bool = False) -> None:
    """The time from `gossip()` to the callback, of values that say when they were written."""
    delays: list[int] = []

    def heard(sent: int) -> None:
        delays.append(time.monotonic_ns() - sent)

    vine = joined(port, lambda vine: vine.on("gossip", "probe", heard))
    if hogged:
        hog()
    say(ready=True)
    sys.stdin.readline()
    say(**quantiles(delays))
    vine.end()


def hold(port: int) -> None:
    """Take everything without listening, and say how much there is."""
    vine = joined(port)
    say(ready=True)
    sys.stdin.readline()
    say(records=vine.stats()["data"]["records"])
    vine.end()


def count(port: int, expected: int = 0) -> None:
    """A callback for every change; says when the last of so many came."""
    done = threading.Event()
    calls = 0

    def heard(event: object) -> None:
        nonlocal calls
        calls += 1
        if calls == expected:
            done.set()

    vine = joined(port, lambda vine: vine.on("gossip", heard))
    say(ready=True)
    done.wait(60)
    say(at=time.monotonic_ns(), calls=calls, records=vine.stats()["data"]["records"])
    sys.stdin.readline()
    vine.end()


def fresh(port: int, records: int = 0, calls: bool = False) -> None:
    """Join and take over what is there: milliseconds from `join()` on."""
    done = threading.Event()
    heard = 0

    def each(event: object) -> None:
        nonlocal heard
        heard += 1
        if heard == records:
            done.set()

    vine = Vine().listen(0)
    turn = longest_turn(vine)
    if calls:
        vine.on("gossip", each)
    else:
        vine.on("synced", done.set)
    began = time.monotonic_ns()
    vine.join(port)
    done.wait(60)
    took = time.monotonic_ns() - began
    node = vine.stats()
    say(
        ms=took / 1e6,
        records=node["data"]["records"],
        turn_ms=turn() * 1e3,
        bytes=sum(node["node"]["bytes_in"].values()),
    )
    sys.stdin.readline()
    vine.end()


def deaf(port: int) -> None:
    """Shake hands, then read nothing until told to: stopped by a signal from outside."""
    vine = joined(port)
    say(ready=True)
    sys.stdin.readline()
    say(records=vine.stats()["data"]["records"])
    sys.stdin.readline()
    vine.end()


def idle(port: int, seconds: float = 0.0) -> None:
    """Bytes this node passes to its sockets in so many quiet seconds, streams and datagrams."""
    vine = joined(port)
    time.sleep(2)

    def sent() -> int:
        node = vine.stats()["node"]
        return sum(node["bytes_out"].values()) + sum(node["datagram_bytes_out"].values())

    before = sent()
    time.sleep(seconds)
    say(bytes_per_second=(sent() - before) / seconds, records=vine.stats()["data"]["records"])
    sys.stdin.readline()
    vine.end()


def size(port: int) -> None:
    """What a node costs: resident memory, and the time of the import."""
    vine = joined(port)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    say(rss_mib=pages * resource.getpagesize() / 2**20)
    sys.stdin.readline()
    vine.end()


def socket_latency(port: int) -> None:
    """The baseline: the same delays over a bare socket that blocks."""
    stream = socket.create_connection(("127.0.0.1", port))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    say(ready=True)
    delays = []
    while data := stream.recv(4096):
        delays.append(time.monotonic_ns() - int(data))
    say(**quantiles(delays))


def socket_sink(port: int) -> None:
    """The baseline: take bytes as fast as one can, and say when the last came."""
    stream = socket.create_connection(("127.0.0.1", port))
    say(ready=True)
    taken = 0
    while data := stream.recv(1 << 18):
        taken += len(data)
    say(at=time.monotonic_ns(), taken=taken)


ROLES: dict[str, Callable[..., None]] = {
    each.__name__: each
    for each in (latency, hold, count, fresh, deaf, idle, size, socket_latency, socket_sink)
}

if __name__ == "__main__":
    role, port, *options = sys.argv[1:]
    given = {name: json.loads(value) for name, value in (each.split("=") for each in options)}
    ROLES[role](int(port), **given)
