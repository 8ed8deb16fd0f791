"""How other threads get the loop out of its sleep: two flags, one byte.

`awake` says that the loop will look at the node once more before it sleeps. A thread that finds it
true has nothing to do; one that finds it false sets it, and sends a byte if the loop is `asleep`.
The loop clears `awake` *before* it looks at the node, and sets `asleep` *before* it checks `awake`
for the last time, so a write that was made before the flag was read is never slept over:

* `awake` found true: the loop clears it after that, hence looks at the node after the write;
* found false, and the loop not asleep: `awake` is true now, and the check that is to come sees it;
* found false, and the loop asleep: either its check sees `awake`, or it sleeps, or will, with the
  byte in the socket. It reads bytes only between its look and its check, so a byte it takes away
  early is one whose flag the check still sees.

A thread that writes without pause thus costs the loop no byte, to be sent and taken away: each of
the two would give up the GIL.

No lock: stores and loads of one attribute are ordered by the interpreter, and a signal handler
cannot run between the store and the send, since nothing between them is a call.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

_BYTES = 4096


class Waker:
    """A flag and a pair of connected sockets. True until opened: there is nobody to wake."""

    def __init__(self) -> None:
        self.awake = True
        self.asleep = False
        """The loop waits for sockets, or is about to."""
        self.owing = False
        """Who wakes has left something that is to follow what is sent: the loop does that, too."""
        self.closed = False
        self.served = 0
        self.reader: socket.socket | None = None
        self._writer: socket.socket | None = None
        self._send: Callable[[bytes], int]

    def open(self) -> socket.socket:
        """Make the pair; returns the end to watch for reading."""
        self.reader, self._writer = socket.socketpair()
        self.reader.setblocking(False)
        self._writer.setblocking(False)
        self._send = self._writer.send
        return self.reader

    def ready(self, _mask: int, _now: float) -> None:
        """There is a byte: the loop notes when, and drains it after it has sent."""

    def wake(self) -> None:
        """Get the loop to look at the node soon; from any thread, at the cost of one check if it is
        about to.
        """
        if not self.awake:
            send = self._send
            self.awake = True
            if self.asleep:
                try:
                    send(b"\0")
                except OSError:
                    # Full: a byte is there already. Closed: the loop has ended and sleeps no more.
                    pass

    def drain(self) -> None:
        """Take all bytes away: after the look at the node, before the check of `awake`."""
        assert self.reader is not None
        try:
            self.reader.recv(_BYTES)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Close the pair; `wake` costs its check from now on and does nothing."""
        self.awake = True
        for end in (self.reader, self._writer):
            if end is not None:
                end.close()
