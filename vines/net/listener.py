"""Accepting streams: a few in a turn, strangers within their caps, and running out of descriptors
without spinning.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from vines.net.limits import Limits
from vines.net.reactor import READ, Reactor
from vines.net.sockets import presentable
from vines.net.timers import Timer
from vines.protocol.machine import Address

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Listener:
    """A listening socket and a descriptor in reserve.

    A listener without a free descriptor is ready for ever and can accept nothing. The reserve is
    given up for as long as it takes to accept and close one caller, who then knows; after that the
    listener is left alone for a moment.
    """

    def __init__(
        self,
        reactor: Reactor,
        limits: Limits,
        sock: socket.socket,
        *,
        room: Callable[[str], bool],
        accepted: Callable[[socket.socket, str, float], None],
    ) -> None:
        self.socket = sock
        self.address: Address = presentable(sock.getsockname())
        self.closed = False
        self.served = 0
        self._reactor = reactor
        self._limits = limits
        self._room = room
        self._accepted = accepted
        self._reserve: int | None = None
        self._pause: Timer | None = None
        self._keep_reserve()

    def watch(self) -> None:
        """Begin to accept."""
        if not self.closed:
            self._reactor.watch(self.socket, READ, self)

    def ready(self, _mask: int, now: float) -> None:
        """Accept what has come, but leave something for the next turn."""
        for _ in range(self._limits.accepts_per_turn):
            try:
                sock, sockaddr = self.socket.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._shed(error, now)
                    return
                # The caller hung up before it was accepted, or its network failed: next, please.
                self._reactor.count("callers_lost", str(error))
                continue
            host = presentable(sockaddr)[0]
            if self._room(host):
                self._reactor.counters["accepted"] += 1
                self._accepted(sock, host, now)
            else:
                self._reactor.count("streams_rejected", host, "too_many")
                sock.close()

    def close(self) -> None:
        """Stop listening; the port is free."""
        self.closed = True
        if self._pause is not None:
            self._pause.cancel()
        self._reactor.forget(self.socket)
        self.socket.close()
        self._drop_reserve()

    def abandon(self) -> None:
        """In a forked child: close without telling the selector, which is shared."""
        self.closed = True
        self.socket.close()
        self._drop_reserve()

    def _shed(self, error: OSError, now: float) -> None:
        self._reactor.count("descriptors_exhausted", str(error))
        if self._reserve is not None:
            self._drop_reserve()
            try:
                self.socket.accept()[0].close()
            except OSError:
                # Another thread took the descriptor first: the caller waits until we look again.
                pass
            self._keep_reserve()
        self._reactor.forget(self.socket)
        self._pause = self._reactor.timers.at(now + self._limits.accept_pause_seconds, self._resume)

    def _resume(self, _now: float) -> None:
        if self._reserve is None:
            self._keep_reserve()
        self.watch()

    def _keep_reserve(self) -> None:
        try:
            self._reserve = os.open(os.devnull, os.O_RDONLY)
        except OSError:
            # None to be had now; the next pause tries again.
            self._reserve = None

    def _drop_reserve(self) -> None:
        if self._reserve is not None:
            os.close(self._reserve)
            self._reserve = None
