"""The simulated network: who reaches whom, how long bytes take, and every way a stream can go
wrong.

It carries streams between hosts by address. A direction between two hosts is open or blocked;
blocked bytes wait, as TCP's do, until the direction opens again or an end runs out of patience.
All chance comes from the one generator of the simulation, all time from its timeline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from vines.hints import TYPE_CHECKING
from vines.simulation.stream import End, Pipe, Stream

if TYPE_CHECKING:
    from vines.protocol.machine import Address
    from vines.simulation.host import Host
    from vines.simulation.process import Process
    from vines.simulation.timeline import Timeline


@dataclass(slots=True)
class Conditions:
    """What every link of a network is like while nothing in particular is wrong with it."""

    latency: float = 0.001
    """Seconds a byte is on its way, the same for everyone."""
    jitter: float = 0.0005
    """Seconds added at most, drawn for every piece: this is what reorders frames of different
    links."""
    loss: float = 0.0
    """Share of pieces that TCP has to send again, which makes them late by `retransmission`."""
    retransmission: float = 0.2
    """Seconds after which a lost piece is sent again."""
    duplication: float = 0.0
    """Share of datagrams that arrive twice; of `loss` they do not arrive at all."""
    straggling: float = 0.0
    """Share of datagrams that come up to a second late, behind later ones."""
    bandwidth: float = 0.0
    """Bytes a second in one direction of one stream, 0 for no limit."""
    buffer: int = 65536
    """Bytes the kernels of both ends take in one direction before the writer has to wait."""
    dial_failure: float = 0.0
    """Share of dials that fail though the peer is there."""
    patience: float = 8.0
    """Seconds a kernel waits for an acknowledgement before it breaks the stream, and a dial for
    an answer."""
    lag: float = 0.0002
    """Seconds at most from the moment a process could go on to the moment it does."""
    keepalive: bool = True
    """Whether kernels notice a dead peer on a stream that nobody writes to."""


class Network:
    """All hosts, all streams between them, and what is wrong with them."""

    def __init__(
        self, timeline: Timeline, rng: Random, counts: Counter[str], conditions: Conditions
    ) -> None:
        self.timeline = timeline
        self.rng = rng
        self.counts = counts
        self.conditions = conditions
        self.hosts: dict[Address, Host] = {}
        self.streams: dict[int, Stream] = {}
        self.slow: dict[tuple[int, int], float] = {}
        """Seconds added to each piece between two hosts, by their numbers."""
        self._blocked: dict[tuple[int, int], float] = {}
        self._numbers = 0
        self._arriving = self._arrive
        """Made once: a datagram is nothing else all the time."""

    def count(self, name: str) -> None:
        """Note that a fault or a rare path occurred."""
        self.counts[name] += 1

    @property
    def is_cut(self) -> bool:
        """Whether any host is cut off from any other."""
        return bool(self._blocked)

    def blocked(self, source: Host, target: Host) -> bool:
        """Whether nothing gets from one host to another."""
        return bool(self._blocked) and (source.number, target.number) in self._blocked

    def latency(self, pipe: Pipe) -> float:
        """Seconds the next piece of this direction takes; a slow pair of hosts and packet loss
        add to it.
        """
        conditions = self.conditions
        seconds = conditions.latency + conditions.jitter * self.rng.random()
        if conditions.loss and self.rng.random() < conditions.loss:
            self.count("packet_lost")
            seconds += conditions.retransmission
        if self.slow:
            pair = (pipe.source.process.host.number, pipe.target.process.host.number)
            seconds += self.slow.get(pair, 0.0)
        return seconds

    def transfer_time(self, length: int) -> float:
        """Seconds the wire is busy with so many bytes."""
        bandwidth = self.conditions.bandwidth
        return length / bandwidth if bandwidth else 0.0

    # -- datagrams

    def post(self, source: Host, address: Address, data: bytes) -> None:
        """Carry a datagram to whoever holds the address when it arrives, if it is not lost."""
        target = self.hosts.get(address)
        conditions = self.conditions
        firewall = source.datagrams_blocked or (target is not None and target.datagrams_blocked)
        if target is None or firewall or self.blocked(source, target):
            self.count("datagram_blocked")
            return
        if conditions.loss and self.rng.random() < conditions.loss:
            self.count("datagram_lost")
            return
        copies = 1
        if conditions.duplication and self.rng.random() < conditions.duplication:
            self.count("datagram_duplicated")
            copies = 2
        for _ in range(copies):
            delay = self._hop()
            if self.slow:
                delay += self.slow.get((source.number, target.number), 0.0)
            if conditions.straggling and self.rng.random() < conditions.straggling:
                self.count("datagram_late")
                delay += self.rng.random()
            when = self.timeline.now + delay
            self.timeline.push(when, self._arriving, (source, target, data))

    def _arrive(self, source: Host, target: Host, data: bytes) -> None:
        if target.process is not None and target.listens:
            target.process.arrived(data, source.address)
        else:
            self.count("datagram_unreachable")

    # -- opening streams

    def dial(self, process: Process, ticket: int, address: Address, timeout: float) -> None:
        """Try to open a stream for so long; the process hears of it, one way or the other."""
        deadline = self.timeline.now + timeout
        self.timeline.after(self._hop(), self._knock, process, ticket, address, deadline)

    def _knock(self, process: Process, ticket: int, address: Address, deadline: float) -> None:
        host = self.hosts.get(address)
        silent = host is None or not host.powered or self._cut_off(process.host, host)
        if not silent and self.rng.random() < self.conditions.dial_failure:
            self.count("dial_lost")
            silent = True
        loss = self.conditions.loss
        if not silent and loss and self.rng.random() < loss * (2.0 - loss):
            # The question or the answer did not get there: a kernel asks again a second later.
            silent = True
        if silent and self.timeline.now < deadline:
            self.timeline.after(1.0, self._knock, process, ticket, address, deadline)
        elif silent:
            self.count("dial_vanished")
            process.dial_failed(ticket, refused=False)
        elif host is None or host.process is None or not host.listens:
            self.count("dial_refused")
            self.timeline.after(self._hop(), process.dial_failed, ticket, True)
        elif process.running:
            self._open(process, ticket, host.process)

    def _open(self, dialler: Process, ticket: int, acceptor: Process) -> None:
        near, far = (
            End(dialler, dialler.sockets.new_link()),
            End(acceptor, acceptor.sockets.new_link()),
        )
        up = self.timeline.now + self._hop()
        room = self.conditions.buffer
        self._numbers += 1
        pipes = Pipe(self, near, far, room, up + self._hop()), Pipe(self, far, near, room, up)
        stream = Stream(self._numbers, (near, far), pipes)
        self.streams[stream.number] = stream
        self.timeline.at(up, dialler.connected, near, ticket)
        self.timeline.at(pipes[0].last, acceptor.connected, far, None)

    def _hop(self) -> float:
        return self.conditions.latency + self.conditions.jitter * self.rng.random()

    # -- directions

    def _cut_off(self, one: Host, other: Host) -> bool:
        return self.blocked(one, other) or self.blocked(other, one)

    def block(self, sources: Iterable[Host], targets: Iterable[Host]) -> None:
        """Let nothing through from any of these hosts to any of those."""
        targets = list(targets)
        between = self._between()
        for source in sources:
            for target in targets:
                if source is not target and not self.blocked(source, target):
                    self._blocked[source.number, target.number] = self.timeline.now
                    for end in between.get(frozenset((source.number, target.number)), ()):
                        self._watch(end)

    def open(self, sources: Iterable[Host], targets: Iterable[Host]) -> None:
        """Let everything through again from these hosts to those."""
        targets = list(targets)
        for source in sources:
            for target in targets:
                self._blocked.pop((source.number, target.number), None)
        for stream in list(self.streams.values()):
            for pipe in stream.pipes:
                if not self.blocked(pipe.source.process.host, pipe.target.process.host):
                    pipe.resume()

    def _between(self) -> dict[frozenset[int], list[End]]:
        """The ends of all streams, by the numbers of the two hosts they connect."""
        ends: dict[frozenset[int], list[End]] = {}
        for stream in self.streams.values():
            pair = frozenset(end.process.host.number for end in stream.ends)
            ends.setdefault(pair, []).extend(stream.ends)
        return ends

    def _watch(self, end: End) -> None:
        seconds = self.conditions.patience * (0.5 + self.rng.random())
        self.timeline.after(seconds, self._lose_patience, end, self.timeline.now)

    def _lose_patience(self, end: End, since: float) -> None:
        """Break a stream of which an end has waited for so long, if the way was blocked all the
        time.
        """
        here, there = end.process.host, end.outgoing.target.process.host
        blocked = [
            self._blocked[pair]
            for pair in ((here.number, there.number), (there.number, here.number))
            if pair in self._blocked
        ]
        gone = not there.powered or not end.outgoing.target.open
        if not end.open or not (gone or (blocked and min(blocked) <= since)):
            return
        if self.conditions.keepalive or end.outgoing.flight or end.outgoing.unacknowledged:
            self.count("stream_timed_out")
            self.abandon(end)
        else:
            self._watch(end)

    # -- breaking streams

    def close(self, end: End) -> None:
        """An end closes its stream after everything it wrote; what was on its way to it is lost."""
        end.outgoing.finish()
        self.abandon(end, keep=len(end.outgoing.flight))

    def abandon(self, end: End, *, keep: int | None = None, reset: bool = True) -> None:
        """One end of a stream is no more: its process is told, and the other end if a reset gets
        through to it. Of what is in flight from it the first `keep` pieces still arrive, by
        chance if not given.
        """
        end.open = False
        end.incoming.sever(0)
        outgoing = end.outgoing
        if keep is None:
            keep = self.rng.randint(0, len(outgoing.flight))
        outgoing.sever(keep, reset=reset)
        end.process.lost(end)
        if not reset and outgoing.target.open:
            self._watch(outgoing.target)
        if not any(each.open for each in end.stream.ends):
            self.streams.pop(end.stream.number, None)

    def cut(self, stream: Stream) -> None:
        """Break a stream in the middle: of what is in flight each direction delivers a prefix,
        and each end notices in its own time. What it writes until then is lost, and it cannot
        know.
        """
        if not stream.broken:
            self.count("link_cut")
            stream.broken = True
            for pipe in stream.pipes:
                self._cut_pipe(pipe, self.rng.randint(0, len(pipe.flight)))

    def cut_from(self, pipe: Pipe) -> None:
        """Break a stream right after what one direction has in flight now."""
        stream = pipe.source.stream
        if not stream.broken:
            self.count("link_cut")
            stream.broken = True
            for each in stream.pipes:
                keep = len(each.flight)
                self._cut_pipe(each, keep if each is pipe else self.rng.randint(0, keep))

    def _cut_pipe(self, pipe: Pipe, keep: int) -> None:
        last = pipe.sever(keep)
        notice = max(last, self.timeline.now) + self.rng.random() * 0.5
        self.timeline.at(notice, self._notice, pipe.target)

    def _notice(self, end: End) -> None:
        if end.open:
            self.abandon(end, reset=False)
