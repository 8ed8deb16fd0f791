"""A node of no protocol at all: it greets, remembers what it was told, and pushes what a test hands
it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from vines.config import Config
from vines.errors import WireError
from vines.net.limits import Limits
from vines.net.loop import Loop
from vines.protocol.machine import Address, Outbox
from vines.protocol.wire.framing import frame

PATIENCE = 10.0
"""Seconds until a test gives up waiting; nothing waits that long unless it fails."""

HELLO = 1
NOTE = 2


class FakeNode:
    """Greets on every stream; the first frame it gets must be a greeting."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = config or Config()
        self.outbox = Outbox()
        self.changed = threading.Condition()
        self.links: dict[int, int | None] = {}
        self.greeted: set[int] = set()
        self.gone: list[int] = []
        self.frames: list[bytes] = []
        self.datagrams: list[tuple[bytes, Address]] = []
        self.failed: list[tuple[int, bool]] = []
        self.failures: list[str] = []
        self.sent_bytes: dict[int, int] = {}
        self.address: Address | None = None
        self.due: float | None = None
        self.pending: list[bytes] = []
        self.greeting: bytes | None = frame(HELLO, b"greetings")
        self.on_frame: Callable[[bytes, int], None] | None = None
        self.on_advance: Callable[[float], None] | None = None

    def listening(
        self, address: Address | None, now: float, *, bound: Address | None = None
    ) -> None:
        with self.changed:
            self.address = address
            self.changed.notify_all()

    def connected(self, link: int, ticket: int | None, now: float) -> None:
        with self.changed:
            self.links[link] = ticket
            self.changed.notify_all()
        if self.greeting is not None:
            self.outbox.write(link, self.greeting)

    def dial_failed(self, ticket: int, refused: bool, now: float) -> None:
        with self.changed:
            self.failed.append((ticket, refused))
            self.changed.notify_all()

    def receive(self, frame: bytes, link: int, now: float) -> None:
        if link not in self.greeted and frame[0] != HELLO:
            raise WireError("a stranger must greet first")
        if frame[0] > NOTE:
            raise WireError("an unknown type")
        with self.changed:
            self.greeted.add(link)
            self.frames.append(frame)
            self.changed.notify_all()
        if self.on_frame is not None:
            self.on_frame(frame, link)

    def datagram(self, data: bytes, source: Address, now: float) -> str:
        with self.changed:
            self.datagrams.append((data, source))
            self.changed.notify_all()
        return ""

    def established(self, link: int) -> bool:
        return link in self.greeted

    def disconnected(self, link: int, now: float) -> None:
        with self.changed:
            assert link in self.links, "told twice, or never connected"
            del self.links[link]
            self.greeted.discard(link)
            self.gone.append(link)
            self.changed.notify_all()

    def sent(self, link: int, count: int, now: float) -> None:
        assert link in self.links
        self.sent_bytes[link] = self.sent_bytes.get(link, 0) + count

    def advance(self, now: float) -> None:
        if self.on_advance is not None:
            self.on_advance(now)
        for _ in range(len(self.pending)):
            note = frame(NOTE, self.pending.pop(0))
            for link in self.greeted:
                self.outbox.write(link, note)

    def deadline(self) -> float | None:
        return self.due

    def persisted(self, ticket: int, now: float) -> None:
        with self.changed:
            self.outbox.persisted(ticket)
            self.changed.notify_all()

    def storage_failed(self, text: str) -> None:
        with self.changed:
            self.failures.append(text)
            self.changed.notify_all()

    # For tests.

    def wait(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until the condition holds; looked at whenever the node was told something."""
        with self.changed:
            assert self.changed.wait_for(condition, PATIENCE), what or "it never happened"

    def notes(self) -> list[bytes]:
        """The payloads of the notes received so far."""
        return [frame[2:] for frame in self.frames if frame[0] == NOTE]


class Running:
    """A fake node on a real loop."""

    def __init__(self, config: Config | None = None, limits: Limits | None = None) -> None:
        self.node = FakeNode(config)
        self.events: list[object] = []
        self.crash: list[BaseException] = []
        self.crashed = threading.Event()
        self.loop = Loop(self.node, tell=self._tell, crashed=self._crash, limits=limits)
        self.address: Address = ("", 0)

    def _tell(self, events: list[object]) -> None:
        with self.node.changed:
            self.events.extend(events)
            self.node.changed.notify_all()

    def _crash(self, error: BaseException) -> None:
        self.crash.append(error)
        self.crashed.set()

    def run(self, function: Callable[[float], object]) -> None:
        """Run something on the loop's thread and wait for it."""
        done = threading.Event()

        def call(now: float) -> None:
            try:
                function(now)
            finally:
                done.set()

        assert self.loop.call(call)
        assert done.wait(PATIENCE)

    def dial(self, address: Address, ticket: int = 1) -> None:
        """Have the node dial."""
        self.run(lambda now: self.node.outbox.dial(ticket, address))

    def stat(self, name: str, reason: str = "") -> float:
        """One counter or gauge; of what is counted by reason the sum, or one of them."""
        found = self.loop.stats()[name]
        if isinstance(found, dict):
            return found.get(reason, 0) if reason else sum(found.values())
        return found

    def wait_stat(self, name: str, least: float = 1, reason: str = "") -> None:
        """Wait until a counter has come so far; counters tell nobody, so they are looked at."""
        deadline = time.monotonic() + PATIENCE
        while self.stat(name, reason) < least:
            assert time.monotonic() < deadline, f"{name} is {self.stat(name, reason)}"
            self.run(lambda now: None)


@contextmanager
def running(
    config: Config | None = None, limits: Limits | None = None, host: str = "127.0.0.1"
) -> Iterator[Running]:
    """A fake node, listening on a free port of the loopback; it must end well."""
    it = Running(config, limits)
    try:
        it.address = it.loop.listen(host, 0)
        it.loop.start()
        it.node.wait(lambda: it.node.address)
        yield it
    finally:
        ended = it.loop.stop(PATIENCE)
    assert ended, "the loop would not end"
    assert not it.crash, it.crash


@contextmanager
def pair() -> Iterator[tuple[Running, Running]]:
    """Two of them, linked."""
    with running() as one, running() as other:
        one.dial(other.address)
        one.node.wait(lambda: one.node.greeted)
        other.node.wait(lambda: other.node.greeted)
        yield one, other
