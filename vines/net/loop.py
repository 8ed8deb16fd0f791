"""The event loop: one background thread that drives a node over real sockets.

Each turn: sleep until something is ready, read every ready stream once, run what other threads
asked for, let the node look at what it has to do and push, carry out its outbox, send once on every
stream that has something. Only then is the wake-up socket read, so that a write of another thread
is on the wire before this one pays for another system call: each of them gives up the GIL, and with
a busy thread in the process it may take 5 ms to come back.

It must not know what a frame means. A stream that fails costs itself; a bug of ours ends the loop,
is logged, and is told to whoever holds it: a vine that has died says so, it does not hang.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from math import inf

from vines.errors import Closed
from vines.hints import TYPE_CHECKING
from vines.log import logger
from vines.net import forks
from vines.net.driver import Driver
from vines.net.lateness import Lateness
from vines.net.limits import Limits
from vines.net.reactor import READ, Reactor, Source
from vines.net.waker import Waker
from vines.protocol.machine import Address

if TYPE_CHECKING:
    from vines.net.driven import Disk, Driven


_DRAIN_SHARE = 0.8
"""Part of the time to stop that is for sending what is queued; the rest is for closing."""


class Loop:
    """One thread that owns a node's sockets. All methods are thread-safe unless they say otherwise.

    `tell` gets the events of one turn in a list, on the loop's thread, and must only hand them on.
    `crashed` is called once, on the loop's thread after everything is closed, if a bug ends the
    loop.

    Until `listen` or `start` it holds no descriptor and no thread, and survives a fork. Afterwards
    a forked child's copy is `dead`: it closes its descriptors, touches nothing of the parent's, and
    raises Closed when used.
    """

    def __init__(
        self,
        node: Driven,
        *,
        tell: Callable[[list[object]], None],
        crashed: Callable[[BaseException], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits | None = None,
        name: str = "vines",
        disk: Disk | None = None,
    ) -> None:
        self.dead = False
        """Ended, crashed, or a copy in a forked child; it never lives again."""
        self._clock = clock
        self._crashed = crashed
        self._name = name
        self._limits = limits or Limits()
        self._pace_most = self._limits.pace_seconds * self._limits.pace_factor_max
        self.waker = Waker()
        """For who wakes so often that a call counts: not while `waker.awake`."""
        self.wake = self.waker.wake
        """Make the loop look at the node soon, from any thread; one check if it is about to."""
        self.follow: Callable[[float], object] = lambda _now: None
        """Called on the loop's thread after a turn has sent, if whoever woke it left something that
        is to follow (`waker.owing`)."""
        self._sent = -inf
        self._calls: deque[Callable[[float], object]] = deque()
        self._reactor = Reactor(clock)
        self._driver = Driver(
            node, self._reactor, self._limits, tell=tell, post=self.call, disk=disk
        )
        self._node = node
        self._thread: threading.Thread | None = None
        # Held only to begin and to ask for the end, never while waiting: two threads may end a vine
        # at once, and both must find it ended. Not taken in a forked child, where it may be locked
        # for ever. It admits its holder again: a signal handler may end a vine that is beginning.
        self._lifecycle = threading.RLock()
        self._starting = False
        self._stopping = False
        self._drain_until = 0.0
        self._ended = False
        self._turns = 0
        self._cut_short = False
        self._lateness = Lateness(self._limits.stall_seconds)

    @property
    def awake(self) -> bool:
        """The loop will look at the node once more before it sleeps: no need to wake it."""
        return self.waker.awake

    def listen(self, host: str, port: int, advertise: Address | None = None) -> Address:
        """Bind TCP and UDP of one number (0: any that is free for both); returns what was bound.

        Done when it returns, before or after `start`. The node is told `advertise`, else what was
        bound, or for a wildcard the address this machine is seen by. Raises AddressInUse,
        InvalidAddress or Closed; then nothing was opened.
        """
        self._check_alive()
        forks.remember(self)
        listening = self._driver.bind(host, port, advertise)
        if not self.call(listening.begin):
            listening.close()
            self._check_alive()
        return listening.address

    def start(self) -> None:
        """Start the thread; harmless if it runs. Raises Closed."""
        self._check_alive()
        with self._lifecycle:
            self._check_alive()
            if self._thread is not None or self._starting:
                return
            self._starting = True
            forks.remember(self)
            thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            try:
                self._reactor.open()
                self._reactor.watch(self.waker.open(), READ, self.waker)
                thread.start()
            except (OSError, RuntimeError):
                self._end()
                raise
            finally:
                self._starting = False
            self._thread = thread

    def stop(self, timeout: float = 1.0) -> bool:
        """Send what is queued, close everything, join the thread; whether it has ended.

        Takes at most `timeout` seconds. Idempotent. On the loop's own thread, and in a signal
        handler that interrupts `start`, it only asks.
        """
        if self.dead and self._thread is None:
            return True
        with self._lifecycle:
            thread = self._thread
            self._drain_until = max(self._drain_until, self._clock() + timeout * _DRAIN_SHARE)
            self._stopping = True
            if self._starting:
                return False
            if thread is None and not self.dead:
                self._end()
        self.waker.wake()
        if thread is None or thread is threading.current_thread():
            return thread is None
        thread.join(timeout)
        return not thread.is_alive()

    def call(self, function: Callable[[float], object]) -> bool:
        """Run function(now) on the loop's thread before the node next advances.

        False if the loop has ended: it will never run. Before `start` it waits for that. What it
        raises is logged and goes no further.
        """
        self._calls.append(function)
        if self._ended:
            # The loop may have taken it on its way out: then it was run after all.
            try:
                self._calls.remove(function)
            except ValueError:
                return True
            return False
        self.waker.wake()
        return True

    def every(self, interval: float, function: Callable[[float], None]) -> None:
        """Run function(now) on the loop's thread, now and every `interval` seconds to the end."""

        def again(now: float) -> None:
            self._reactor.timers.at(now + interval, again)
            self._guard(function, now)

        self.call(again)

    def stats(self) -> dict[str, int | float | dict[str, int]]:
        """Counters since the start, by what was counted, and a few gauges."""
        gauges = {"turns": self._turns, "late_seconds_max": self._lateness.seconds_max}
        return {**self._reactor.stats(), **self._driver.stats(), **gauges}

    def forked(self) -> None:
        """Become inert: a child's copy, which must touch nothing that the parent uses."""
        self.dead = self._ended = True
        self._thread = None
        self._reactor.abandon()
        self._driver.abandon()
        self.waker.close()

    # The loop's thread.

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            while not self._stopping:
                self._turn()
            # What was written before the end was asked for; the byte that said so may be gone.
            self.waker.awake = True
            self._turn()
            while self._driver.streams.unsent and self._clock() < self._drain_until:
                self._turn()
        except BaseException as caught:
            error = caught
        try:
            self._end()
        except BaseException as caught:
            error = error or caught
        if error is not None:
            logger.critical("the loop of %s met a bug and has ended", self._name, exc_info=error)
            if self._crashed is not None:
                try:
                    self._crashed(error)
                except Exception:
                    pass  # what happened to the loop has been said above

    def _turn(self) -> None:
        before = self._clock()
        timeout = self._timeout(before)
        ready = self._reactor.wait(timeout)
        self.waker.asleep = False
        now = self._clock()
        if now < self._sent + self._pace_most:
            now = self._pace(ready, now)
        # Until it is cleared below nobody needs to send a byte: the node is looked at after that.
        self.waker.awake = True
        self._turns += 1
        lost = self._lateness.lost(before, timeout, now)
        if lost:
            self._reactor.count("stalls", f"{lost:.1f} s")
            self._reactor.timers.postpone(lost)
        # All of a turn happens at one time, the time it woke: what a stop in the middle of it took
        # is seen, and given back, before the next one judges anybody's deadline.
        if len(ready) == 1:
            # Mostly: nothing else waits, or did.
            source, mask = ready[0]
            source.served = self._turns
            source.ready(mask, now)
        elif ready:
            self._serve(ready, now)
        timers = self._reactor.timers
        if timers.first <= now:
            timers.run(now)
        waker = self.waker
        waker.awake = False
        calls = self._calls
        if calls:
            for _ in range(len(calls)):
                self._guard(calls.popleft(), now)
        if self._node.outbox.urgent:
            self._driver.hasten(now)
        self._node.advance(now)
        # Where a socket takes no more, each further write would ask for a look that sends nothing.
        if self._driver.carry_out(now):
            self._sent = now
        if waker.owing:
            waker.owing = False
            self._guard(self.follow, now)
        if waker.served == self._turns:
            waker.drain()

    def _pace(self, ready: list[tuple[Source, int]], now: float) -> float:
        """Wait a little where there is nothing but more to send, just after a send; returns now."""
        limits = self._limits
        links = min(len(self._driver.streams) / 2, limits.pace_factor_max)
        pause = self._sent + limits.pace_seconds * max(links, 1) - now
        asked = ready or self.waker.awake
        alone = all(source is self.waker for source, _ in ready)
        if pause > 0 and asked and alone and not self._stopping:
            time.sleep(pause)
            now = self._clock()
        return now

    def _timeout(self, now: float) -> float | None:
        """How long to sleep: not at all if a thread has written since the node last looked."""
        self.waker.asleep = True
        if self.waker.awake or self._calls or self._node.outbox:
            return 0.0
        deadline = self._node.deadline()
        timers = self._reactor.timers
        if deadline is None or timers.first < deadline:
            # One that was cancelled is no reason to wake; and none comes later than the first.
            timer = timers.next()
            if deadline is None or (timer is not None and timer < deadline):
                deadline = timer
        if self._stopping and (deadline is None or self._drain_until < deadline):
            deadline = self._drain_until
        if deadline is None:
            return None
        return deadline - now if deadline > now else 0.0

    def _serve(self, ready: list[tuple[Source, int]], now: float) -> None:
        """Let what is ready read; when time is up the rest waits, and comes first next turn."""
        if self._cut_short:
            ready.sort(key=lambda entry: entry[0].served)
            self._cut_short = False
        limit = now + self._limits.turn_seconds
        more = len(ready) > 1
        for source, mask in ready:
            if source.closed:
                continue
            source.served = self._turns
            source.ready(mask, now)
            if more and self._clock() > limit:
                self._cut_short = True
                return

    def _guard(self, function: Callable[[float], object], now: float) -> None:
        """Run what another thread asked for; its failure is not the loop's."""
        try:
            function(now)
        except Exception:
            self._reactor.counters["bugs"] += 1
            logger.exception("a call on the loop's thread failed")

    def _end(self) -> None:
        """Close everything and run what was still asked for; nothing is taken from now on."""
        self.dead = self._ended = True
        self._driver.close()
        while self._calls:
            self._guard(self._calls.popleft(), self._clock())
        self._reactor.close()
        self.waker.close()
        forks.forget(self)

    def _check_alive(self) -> None:
        if self.dead:
            raise Closed("this vine has ended, or is the copy of a forked child; nothing changed")
