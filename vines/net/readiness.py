"""Readiness: which sockets can be read or written, as the system says.

Where there is epoll it is asked directly: a turn of the loop asks once, and `selectors`, which is
for every system, takes as long over the answer as a turn over a small frame does elsewhere. Both
wait on the same sockets, and say the same of them.
"""

from __future__ import annotations

import select
import selectors
import socket
import sys

from vines.hints import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from vines.net.reactor import Source

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE


class Readiness(Protocol):
    """What a reactor needs of either. A socket is forgotten before it is closed."""

    def watch(self, sock: socket.socket, mask: int, source: Source) -> None:
        """Begin to watch a socket. OSError if the system watches no more."""

    def change(self, sock: socket.socket, mask: int, source: Source) -> None:
        """Watch it for something else."""

    def forget(self, sock: socket.socket) -> None:
        """Stop watching; harmless if it was not watched."""

    def wait(self, timeout: float | None) -> list[tuple[Source, int]]:
        """Sleep until a socket is ready or the time is up: whose they are, and for what."""

    def sockets(self) -> list[socket.socket]:
        """Those that are watched."""

    def close(self) -> None:
        """Give back what the system gave; the sockets are left alone."""


class Selector:
    """What every system has."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()

    def watch(self, sock: socket.socket, mask: int, source: Source) -> None:
        """Begin to watch a socket."""
        self.selector.register(sock, mask, source)

    def change(self, sock: socket.socket, mask: int, source: Source) -> None:
        """Watch it for something else."""
        self.selector.modify(sock, mask, source)

    def forget(self, sock: socket.socket) -> None:
        """Stop watching."""
        try:
            self.selector.unregister(sock)
        except (KeyError, ValueError):
            pass

    def wait(self, timeout: float | None) -> list[tuple[Source, int]]:
        """Sleep until a socket is ready or the time is up."""
        return [(key.data, mask) for key, mask in self.selector.select(timeout)]

    def sockets(self) -> list[socket.socket]:
        """Those that are watched."""
        found = [key.fileobj for key in self.selector.get_map().values()]
        return [sock for sock in found if isinstance(sock, socket.socket)]

    def close(self) -> None:
        """Give back what the system gave."""
        self.selector.close()


if sys.platform == "linux":
    _IN, _OUT = select.EPOLLIN, select.EPOLLOUT
    _BITS = {READ: _IN, WRITE: _OUT, READ | WRITE: _IN | _OUT}
    _MASKS = {_IN: READ, _OUT: WRITE, _IN | _OUT: READ | WRITE}
    """Whatever else there is, an error or the end, is found by reading or writing: as is wanted."""

    class Epoll:
        """What Linux has."""

        def __init__(self) -> None:
            self._epoll = select.epoll()
            self._watched: dict[int, tuple[socket.socket, Source, int]] = {}

        def watch(self, sock: socket.socket, mask: int, source: Source) -> None:
            """Begin to watch a socket."""
            number = sock.fileno()
            self._epoll.register(number, _BITS[mask])
            self._watched[number] = (sock, source, mask)

        def change(self, sock: socket.socket, mask: int, source: Source) -> None:
            """Watch it for something else."""
            number = sock.fileno()
            self._epoll.modify(number, _BITS[mask])
            self._watched[number] = (sock, source, mask)

        def forget(self, sock: socket.socket) -> None:
            """Stop watching."""
            number = sock.fileno()
            watched = self._watched.get(number)
            if watched is not None and watched[0] is sock:
                del self._watched[number]
                try:
                    self._epoll.unregister(number)
                except OSError:
                    pass  # it was closed, and is not watched any more

        def wait(self, timeout: float | None) -> list[tuple[Source, int]]:
            """Sleep until a socket is ready or the time is up."""
            watched, ready = self._watched, []
            for number, bits in self._epoll.poll(timeout, len(watched) or 1):
                entry = watched.get(number)
                if entry is not None:
                    _, source, mask = entry
                    ready.append((source, _MASKS.get(bits, READ | WRITE) & mask))
            return ready

        def sockets(self) -> list[socket.socket]:
            """Those that are watched."""
            return [sock for sock, _, _ in self._watched.values()]

        def close(self) -> None:
            """Give back what the system gave."""
            self._epoll.close()
            self._watched.clear()


def readiness() -> Readiness:
    """The cheapest there is."""
    if sys.platform == "linux":
        return Epoll()
    return Selector()
