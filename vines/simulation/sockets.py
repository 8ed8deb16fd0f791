"""The streams of one process: frames cut out of what arrives, and what waits for the kernel.

What net's connections do for a real node, without sockets: bytes in, whole frames out; frames
queued behind a full kernel; a close that lets go what was written before it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from vines.protocol.wire.framing import Framer
from vines.simulation.frames import DELTA

if TYPE_CHECKING:
    from vines.simulation.network import Network
    from vines.simulation.stream import End

LINGER_SECONDS = 2.0
"""How long a closed stream may take to hand over what was written to it."""


class Sockets:
    """The ends that one process holds, by link, oldest first."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self._ends: dict[int, End] = {}
        self.busy: dict[int, End] = {}
        """Those with bytes that wait, or that close once none do."""
        self._framers: dict[int, Framer] = {}
        self._links = 0

    def new_link(self) -> int:
        """A link number never used before in this process."""
        self._links += 1
        return self._links

    def add(self, end: End) -> None:
        """A stream is up."""
        self._ends[end.link] = end
        self._framers[end.link] = Framer()

    def read(self, end: End, data: bytes) -> list[bytes]:
        """The frames that these bytes complete; none once the process closed the stream.
        WireError.
        """
        end.incoming.acknowledge(len(data))
        framer = self._framers.get(end.link)
        frames = framer.feed(data) if framer is not None and not end.closing else []
        if end.losing:
            frames = [frame for frame in frames if not self._lose(end, frame)]
        return frames

    def write(self, link: int, frame: bytes) -> bool:
        """Queue a frame; False if there is no such stream any more."""
        end = self._ends.get(link)
        if end is None or end.closing:
            return False
        end.write(frame)
        self.busy[link] = end
        return True

    def close(self, link: int) -> End | None:
        """Close a stream after what was written to it; None if that was done before."""
        end = self._ends.get(link)
        if end is None or end.closing:
            return None
        end.closing = True
        self.busy[link] = end
        self.network.timeline.after(LINGER_SECONDS, self._linger, end)
        return end

    def forget(self, end: End) -> bool:
        """A stream is gone, or going; False if that was known."""
        if not end.open:
            self._ends.pop(end.link, None)
            self.busy.pop(end.link, None)
        return self._framers.pop(end.link, None) is not None

    def pump(self, sent: Callable[[int, int], None]) -> int:
        """Give the kernel what it takes, and tell `sent` (link, bytes); the number of bytes in
        all.
        """
        moved = 0
        for end in list(self.busy.values()):
            if end.waiting and (count := end.outgoing.pump()):
                moved += count
                if not end.closing:
                    sent(end.link, count)
            if not end.waiting:
                self.busy.pop(end.link, None)
                if end.closing and end.open:
                    self.network.close(end)
        return moved

    def waiting(self) -> int:
        """The most bytes that any stream has waiting for the kernel."""
        return max((end.waiting for end in self.busy.values()), default=0)

    def abandon(self, *, reset: bool) -> None:
        """The process is gone, and all its streams with it."""
        for end in list(self._ends.values()):
            if end.open:
                self.network.abandon(end, reset=reset)
        self._ends.clear()
        self.busy.clear()
        self._framers.clear()

    def _lose(self, end: End, frame: bytes) -> bool:
        lost = end.losing > 0 and frame[0] == DELTA
        end.losing -= lost
        return lost

    def _linger(self, end: End) -> None:
        if end.open:
            self.network.abandon(end)
