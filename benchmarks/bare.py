"""What no node can be below: bare processes of Python that pass a small message on along a tree and
tell it to a thread of their own, with no protocol and no table.

python -m benchmarks.bare NODES [CHILDREN [ROUNDS]]

Each has one stream from its parent and some to its children. What is told is the time from the
first send until the last thread has it, as of a write in `benchmarks.troop`.
"""

from __future__ import annotations

import os
import queue
import select
import socket
import struct
import sys
import threading
import time

MESSAGE = bytes(64)
PAUSE_SECONDS = 0.3
"""So long nothing happens before each message: all processes sleep."""


def stream() -> tuple[socket.socket, socket.socket]:
    """Two ends of a stream over loopback, as nodes have them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    for end in (near, far):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


def pass_on(parent: socket.socket, children: list[socket.socket], rounds: int, report: int) -> None:
    """Be one of the processes: pass each message on, and then tell it to the other thread."""
    heard: queue.SimpleQueue[bool] = queue.SimpleQueue()
    times: list[int] = []

    def listen() -> None:
        while heard.get():
            times.append(time.monotonic_ns())

    listener = threading.Thread(target=listen)
    listener.start()
    poll = select.epoll()
    poll.register(parent, select.EPOLLIN)
    for _ in range(rounds):
        poll.poll()
        data = parent.recv(len(MESSAGE), socket.MSG_WAITALL)
        for child in children:
            child.send(data)
        heard.put(True)
    heard.put(False)
    listener.join()
    os.write(report, struct.pack(f"{rounds}q", *times))


def measure(nodes: int, children: int, rounds: int) -> list[float]:
    """Milliseconds until the last process had each message, in order."""
    parents: list[socket.socket] = []
    below: list[list[socket.socket]] = [[] for _ in range(nodes)]
    for number in range(1, nodes):
        near, far = stream()
        below[(number - 1) // children].append(near)
        parents.append(far)
    told, report = os.pipe()
    for number in range(1, nodes):
        if os.fork() == 0:
            pass_on(parents[number - 1], below[number], rounds, report)
            os._exit(0)
    sent = []
    for _ in range(rounds):
        time.sleep(PAUSE_SECONDS)
        sent.append(time.monotonic_ns())
        for child in below[0]:
            child.send(MESSAGE)
    with open(told, "rb") as reports:
        each = [struct.unpack(f"{rounds}q", reports.read(8 * rounds)) for _ in parents]
    last = map(max, zip(*each, strict=True))
    return sorted((end - begin) / 1e6 for begin, end in zip(sent, last, strict=True))


if __name__ == "__main__":
    given = dict(enumerate(map(int, sys.argv[1:])))
    nodes, children, rounds = given.get(0, 10), given.get(1, 3), given.get(2, 20)
    found = measure(nodes, children, rounds)
    print(
        f"{nodes} bare processes, {children} children each: everywhere p50"
        f" {found[len(found) // 2]:.2f} ms, {found[0]:.2f} to {found[-1]:.2f}"
    )
