"""A simulated TCP stream: two directions of bytes in order, with a bounded kernel buffer, that may
stall or break.

What TCP promises holds here: within one stream nothing is lost in the middle, doubled or
reordered, so loss and delay of packets show as late bytes, stalled directions and broken
streams. What TCP does not promise does not hold: a broken stream has delivered some prefix of
what was written, cut anywhere, and the writer does not know which.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from vines.simulation.network import Network
    from vines.simulation.process import Process


class Piece(NamedTuple):
    """Bytes on their way, when they arrive, and whether a frame ends with them."""

    arrival: float
    data: bytes
    whole: bool


class End:
    """One end of a stream, as the process that holds it sees it."""

    __slots__ = (
        "closing",
        "incoming",
        "link",
        "losing",
        "open",
        "outgoing",
        "process",
        "stream",
        "unsent",
        "waiting",
    )

    def __init__(self, process: Process, link: int) -> None:
        self.process = process
        self.link = link
        self.open = True
        self.closing = False
        self.losing = 0
        """Deltas that the reader will lose, as if it had never read them."""
        self.unsent: deque[bytes] = deque()
        self.waiting = 0
        self.stream: Stream
        self.outgoing: Pipe
        self.incoming: Pipe

    def write(self, frame: bytes) -> None:
        """Queue a frame in the process, behind the kernel's buffer; the process's turn pumps it."""
        self.unsent.append(frame)
        self.waiting += len(frame)


class Pipe:
    """One direction of a stream: what left the source's process and has not been read by the
    target's.
    """

    __slots__ = (
        "arrivals",
        "clogged",
        "cut_after",
        "edge",
        "finished",
        "flight",
        "free",
        "last",
        "missed",
        "network",
        "reading",
        "room",
        "severed",
        "source",
        "target",
        "unacknowledged",
    )

    def __init__(self, network: Network, source: End, target: End, room: int, start: float) -> None:
        self.network = network
        self.source = source
        self.target = target
        self.flight: deque[Piece] = deque()
        self.room = room
        """Bytes the kernels still take before the source has to wait."""
        self.last = start
        """Nothing arrives before what was sent before it."""
        self.free = start
        """When the wire has carried what was given to it."""
        self.arrivals = 0
        """Arrivals asked of the timeline; an older one that comes due is no longer meant."""
        self.reading = False
        self.edge = False
        """Whether the last piece that arrived, or that will ever arrive, ended a frame."""
        self.missed = False
        self.unacknowledged = 0
        """Bytes read by the target whose acknowledgement cannot get back."""
        self.clogged = False
        self.severed = False
        self.finished = False
        self.cut_after = 0
        """Frames after which the stream is cut, 0 for never."""

    def pump(self) -> int:
        """Move what the source has waiting into the kernel; the number of bytes that left the
        process.
        """
        source = self.source
        moved = 0
        while source.unsent and self.room > 0 and not self.clogged:
            frame = source.unsent.popleft()
            piece = frame if len(frame) <= self.room else frame[: self.room]
            if len(piece) < len(frame):
                source.unsent.appendleft(frame[len(piece) :])
            moved += len(piece)
            self.room -= len(piece)
            self._carry(piece, whole=len(piece) == len(frame))
        source.waiting -= moved
        return moved

    def finish(self) -> None:
        """Nothing more will be written: the target learns it after everything that was."""
        self.finished = True
        self._carry(b"", whole=True)

    def arrive(self, number: int) -> None:
        """Give the target what has arrived by now, or wait for the network to open again."""
        if number != self.arrivals:
            return
        self.reading = False
        if self.network.blocked(self.source.process.host, self.target.process.host):
            self.network.count("stalled_direction")
            return
        now = self.network.timeline.now
        while self.flight and self.flight[0].arrival <= now:
            piece = self.flight.popleft()
            if not self.severed:
                self.edge = piece.whole
            if piece.data:
                self.target.process.deliver(self.target, piece.data)
            elif self.target.open:
                self.network.abandon(self.target)
        self._expect()

    def resume(self) -> None:
        """The network opened: what was stalled is sent again, what was read is acknowledged."""
        if self.unacknowledged:
            acknowledged, self.unacknowledged = self.unacknowledged, 0
            self.acknowledge(acknowledged)
        if self.flight and not self.reading:
            late = self.network.timeline.now + self.network.latency(self)
            self.flight = deque(
                piece._replace(arrival=max(piece.arrival, late)) for piece in self.flight
            )
            self.last = max(self.last, late)
            self._expect()

    def acknowledge(self, length: int) -> None:
        """The target's process has read bytes: the kernel has room again, once the source's
        hears of it.
        """
        if self.network.blocked(self.target.process.host, self.source.process.host):
            self.unacknowledged += length
            return
        waited = self.room <= 0
        self.room += length
        if waited and self.source.open:
            self.source.process.wake()

    def unclog(self) -> None:
        """Let the kernel take bytes again."""
        self.clogged = False
        if self.source.open:
            self.source.process.wake()

    def sever(self, keep: int, *, reset: bool = False) -> float:
        """Lose all but the first `keep` pieces in flight and everything written later; tell the
        target if a reset follows them. Returns when the last piece kept arrives.
        """
        if not self.severed:
            self.edge = self.flight[keep - 1].whole if keep else self.edge
        lost = len(self.flight) > keep
        while len(self.flight) > keep:
            self.flight.pop()
        if reset and not self.severed and not self.finished:
            self.finish()
        self.severed = True
        if lost:
            self._lose()
        return self.flight[-1].arrival if self.flight else self.network.timeline.now

    def _lose(self) -> None:
        """Count the cut once the target, which still listens, has missed something."""
        if self.target.open and not self.missed:
            self.missed = True
            self.network.count("link_cut_" + ("between_frames" if self.edge else "inside_frame"))

    def _carry(self, data: bytes, *, whole: bool) -> None:
        """Put bytes on the wire, in order behind what is there."""
        if self.severed:
            self._lose()
            return
        network = self.network
        now = network.timeline.now
        self.free = max(self.free, now) + network.transfer_time(len(data))
        self.last = max(self.last, self.free + network.latency(self))
        stalled = bool(self.flight) and not self.reading
        self.flight.append(Piece(self.last, data, whole))
        if not (self.reading or stalled):
            self._expect()
        if whole and self.cut_after:
            self.cut_after -= 1
            if not self.cut_after:
                network.cut_from(self)

    def _expect(self) -> None:
        if self.flight:
            self.arrivals += 1
            self.reading = True
            when = self.flight[0].arrival
            self.network.timeline.push(when, self.arrive, (self.arrivals,))


class Stream:
    """The two ends and the two directions between them."""

    __slots__ = ("broken", "ends", "number", "pipes")

    def __init__(self, number: int, ends: tuple[End, End], pipes: tuple[Pipe, Pipe]) -> None:
        self.number = number
        self.ends = ends
        self.pipes = pipes
        self.broken = False
        for end, outgoing, incoming in zip(ends, pipes, reversed(pipes), strict=True):
            end.stream, end.outgoing, end.incoming = self, outgoing, incoming
