"""Peers made of plain sockets, and what a process holds: for tests of what strangers can do."""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from tests.net.fakes import HELLO, PATIENCE
from vines.protocol.machine import Address
from vines.protocol.wire.framing import frame

ROOT = Path(__file__).parents[2]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
posix_only = pytest.mark.skipif(os.name != "posix", reason="forks, signals, owners of files")


def has_ipv6() -> bool:
    """Whether this machine can be reached over IPv6 by itself."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def connect(address: Address, data: bytes = b"") -> socket.socket:
    """A plain socket that has connected and said something."""
    sock = socket.create_connection(address, PATIENCE)
    if data:
        sock.sendall(data)
    return sock


def greeted(address: Address) -> socket.socket:
    """A plain socket that has greeted and read the greeting it got."""
    sock = connect(address, frame(HELLO, b"greetings"))
    length = int.from_bytes(sock.recv(4, socket.MSG_WAITALL), "little")
    assert len(sock.recv(length, socket.MSG_WAITALL)) == length
    return sock


def reset(sock: socket.socket) -> None:
    """End a stream by a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def is_closed(sock: socket.socket) -> bool:
    """Whether the other end closes this stream, in good time; whatever it says before is read."""
    sock.settimeout(PATIENCE)
    try:
        while sock.recv(1 << 16):
            pass
    except ConnectionError:
        pass
    except TimeoutError:
        return False
    return True


def dribble(sock: socket.socket, data: bytes, interval: float) -> bool:
    """Send byte by byte until the other end closes (True) or all is sent (False)."""
    for index in range(len(data)):
        try:
            sock.send(data[index : index + 1])
        except ConnectionError:
            return True
        if select.select([sock], [], [], interval)[0]:
            try:
                if not sock.recv(1 << 16):
                    return True
            except ConnectionError:
                return True
    return False


def descriptors() -> int:
    """Open descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))


def resident_bytes() -> int:
    """Memory of this process."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def run_script(script: str, timeout: float = 20.0) -> subprocess.CompletedProcess[str]:
    """Run a script in a fresh interpreter that can import vines and these tests."""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def full_listener() -> tuple[socket.socket, list[socket.socket]]:
    """A listener that answers nobody any more: its backlog is full. Keep what is returned."""
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    callers: list[socket.socket] = []
    for _ in range(16):
        caller = socket.socket()
        caller.setblocking(False)
        caller.connect_ex(server.getsockname())
        callers.append(caller)
        if not select.select([], [caller], [], 0.05)[1]:
            return server, callers
    pytest.skip("this kernel accepts without end")


def in_threads(count: int, function: object) -> None:
    """Run function(index) in so many threads at once and wait for them."""
    assert callable(function)
    threads = [threading.Thread(target=function, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
