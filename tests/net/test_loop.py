"""The loop as a driver: what a node asks for is done, and what happens is told to it as it is."""

from __future__ import annotations

import logging
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from tests.net.fakes import HELLO, NOTE, PATIENCE, FakeNode, Running, pair, running
from tests.net.strangers import posix_only
from vines.config import Config
from vines.errors import Closed
from vines.net.limits import Limits
from vines.net.loop import Loop
from vines.protocol.wire.framing import frame


def test_dialled_and_accepted_streams_carry_frames_both_ways() -> None:
    with pair() as (one, other):
        one.run(lambda now: one.node.pending.append(b"there"))
        other.node.wait(lambda: other.node.notes() == [b"there"])
        other.run(lambda now: other.node.pending.append(b"and back"))
        one.node.wait(lambda: one.node.notes() == [b"and back"])
        assert list(one.node.links.values()) == [1]
        assert list(other.node.links.values()) == [None]
        assert one.node.address == one.address


def test_a_write_of_another_thread_is_pushed_by_a_wake_up_alone() -> None:
    with pair() as (one, other):
        for number in range(200):
            note = b"%d" % number
            one.node.pending.append(note)
            one.loop.wake()
            other.node.wait(lambda note=note: note in other.node.notes(), "a lost wake-up")


def test_wake_ups_of_many_threads_are_never_lost() -> None:
    with running() as it:
        written = [0, 0, 0, 0]
        seen = [0, 0, 0, 0]
        looked = threading.Condition()

        def look(now: float) -> None:
            with looked:
                seen[:] = written
                looked.notify_all()

        it.node.on_advance = look

        def write(index: int) -> None:
            for number in range(1, 1001):
                written[index] = number
                it.loop.wake()
                with looked:
                    if number % 10 == 0:
                        assert looked.wait_for(lambda n=number: seen[index] >= n, PATIENCE)

        threads = [threading.Thread(target=write, args=(index,)) for index in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        with looked:
            assert looked.wait_for(lambda: seen == [1000] * 4, PATIENCE), "slept over a write"


def test_what_is_to_follow_a_write_follows_what_the_turn_sends_and_once() -> None:
    with pair() as (one, _):
        order: list[str] = []
        streams, waker = one.loop._driver.streams, one.loop.waker
        flush = streams.flush

        def flushed(now: float) -> bool:
            order.append("sent")
            return flush(now)

        def followed(_now: float) -> None:
            order.append("followed")
            raise ValueError("costs the loop nothing")

        def write(_now: float) -> None:
            order.clear()
            streams.flush, one.loop.follow = flushed, followed  # type: ignore[method-assign]
            waker.owing = True
            waker.wake()

        one.run(write)
        for _ in range(3):
            one.run(lambda _now: None)
        assert order[:2] == ["sent", "followed"]
        assert order.count("followed") == 1
        assert one.stat("bugs") == 1


def test_a_busy_loop_needs_no_byte_to_be_woken() -> None:
    with running() as it:
        writer = it.loop.waker._writer
        assert writer is not None
        inside, leave = threading.Event(), threading.Event()

        def linger(now: float) -> None:
            inside.set()
            assert leave.wait(PATIENCE)

        it.loop.call(linger)
        assert inside.wait(PATIENCE)
        it.loop.wake()
        assert it.loop.awake
        sent: list[bytes] = []
        it.loop.waker._send = lambda data: sent.append(data) or 1  # type: ignore[assignment]
        for _ in range(1000):
            it.loop.wake()
        assert sent == []
        it.loop.waker._send = writer.send
        leave.set()


def test_a_write_after_the_look_is_seen_without_a_byte_if_the_loop_does_not_sleep_yet() -> None:
    with running() as it:
        sent: list[bytes] = []
        send = it.loop.waker._send
        it.loop.waker._send = lambda data: sent.append(data) or send(data)  # type: ignore[assignment]
        looks: list[float] = []

        def look(now: float) -> None:
            looks.append(now)
            if len(looks) < 10:
                it.loop.wake()
            with it.node.changed:
                it.node.changed.notify_all()

        it.node.on_advance = look
        it.loop.wake()
        it.node.wait(lambda: len(looks) >= 10, "slept over a write")
        assert len(sent) <= 1


def test_an_idle_loop_sleeps() -> None:
    with pair() as (one, other):
        one.run(lambda now: None)
        before = one.stat("turns"), other.stat("turns")
        assert not threading.Event().wait(0.1)
        assert one.stat("turns") - before[0] <= 2
        assert other.stat("turns") - before[1] <= 2


def test_all_frames_of_a_turn_leave_in_one_send() -> None:
    with pair() as (one, other):
        sends: list[int] = []
        (stream,) = one.loop._driver.streams._streams.values()
        counted = _Counted(stream.socket, sends)
        stream.socket = counted  # type: ignore[assignment]
        one.run(lambda now: one.node.pending.extend(b"%d" % number for number in range(500)))
        other.node.wait(lambda: len(other.node.notes()) == 500)
        assert len(sends) == 1
        stream.socket = counted.socket


class _Counted:
    """A socket that notes what was sent in each call."""

    def __init__(self, sock: socket.socket, sends: list[int]) -> None:
        self.socket = sock
        self._sends = sends

    def send(self, data: bytes) -> int:
        self._sends.append(len(data))
        return self.socket.send(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self.socket, name)


def test_sent_tells_what_the_kernel_took_and_no_more() -> None:
    with running() as it, socket.create_connection(it.address) as peer:
        peer.sendall(frame(HELLO, b""))
        it.node.wait(lambda: it.node.greeted)
        (link,) = it.node.greeted
        note = frame(NOTE, bytes(1_000_000))
        it.run(lambda now: [it.node.outbox.write(link, note) for _ in range(16)])
        it.run(lambda now: None)
        total = 16 * len(note) + len(it.node.greeting or b"")
        took = it.node.sent_bytes[link]
        assert took < total, "no kernel buffers 16 MB: something was made up"
        received = 0
        while received < total:
            received += len(peer.recv(1 << 20))
        it.node.wait(lambda: True)
        it.wait_stat("bytes_out", total)
        it.run(lambda now: None)
        assert it.node.sent_bytes[link] == total == received


@pytest.mark.parametrize(("peers", "factor"), [(1, 1), (6, 3), (12, 4)])
def test_while_a_peer_takes_no_more_the_node_is_looked_at_once_a_pace(
    peers: int, factor: int
) -> None:
    pace = 0.02
    with running(limits=Limits(pace_seconds=pace)) as it, ExitStack() as stack:
        for _ in range(peers):
            peer = stack.enter_context(socket.create_connection(it.address))
        it.node.wait(lambda: len(it.node.links) == peers)
        peer.sendall(frame(HELLO, b""))
        it.node.wait(lambda: it.node.greeted)
        (link,) = it.node.greeted
        note = frame(NOTE, bytes(1_000_000))
        it.run(lambda now: [it.node.outbox.write(link, note) for _ in range(16)])
        it.run(lambda now: None)
        turns, began = it.stat("turns"), time.monotonic()
        while time.monotonic() - began < 10 * pace:
            it.loop.wake()
        paces = (time.monotonic() - began) / pace / factor
        assert 1 <= it.stat("turns") - turns <= paces + 2


def test_a_close_of_the_node_follows_what_was_written_before() -> None:
    with running() as it, socket.create_connection(it.address) as peer:
        peer.sendall(frame(HELLO, b""))
        it.node.wait(lambda: it.node.greeted)
        (link,) = it.node.greeted
        note = frame(NOTE, bytes(1_000_000))

        def last_words(now: float) -> None:
            for _ in range(8):
                it.node.outbox.write(link, note)
            it.node.outbox.close(link, "enough")
            # What the peer says meanwhile must not reset the stream.

        peer.sendall(frame(NOTE, b"talking all the while"))
        it.run(last_words)
        it.node.wait(lambda: it.node.gone == [link])
        received = b"".join(iter(lambda: peer.recv(1 << 20), b""))
        assert received == (it.node.greeting or b"") + 8 * note


def test_a_peer_that_does_not_take_the_last_words_is_dropped_in_the_end() -> None:
    with (
        running(limits=Limits(linger_seconds=0.05)) as it,
        socket.create_connection(it.address) as peer,
    ):
        peer.sendall(frame(HELLO, b""))
        it.node.wait(lambda: it.node.greeted)
        (link,) = it.node.greeted
        note = frame(NOTE, bytes(1_000_000))
        it.run(lambda now: [it.node.outbox.write(link, note) for _ in range(16)])
        it.run(lambda now: it.node.outbox.close(link, "enough"))
        streams = it.loop._driver.streams
        deadline = time.monotonic() + PATIENCE
        while streams._lingering:
            assert time.monotonic() < deadline
            it.run(lambda now: None)
        assert it.node.gone == [link]


def test_frames_for_streams_that_are_gone_are_dropped() -> None:
    with running() as it:
        it.run(lambda now: it.node.outbox.write(4711, b"nobody"))
        it.run(lambda now: it.node.outbox.send(b"m" * 16, b"nobody"))
        it.run(lambda now: it.node.outbox.close(4711, "nobody"))
        assert it.stat("bytes_out") == 0


def test_events_of_a_turn_are_told_in_order() -> None:
    with running() as it:
        it.run(lambda now: [it.node.outbox.emit(number) for number in range(100)])
        it.node.wait(lambda: it.events == list(range(100)))


def test_what_is_urgent_is_told_before_the_rest_of_the_turn_and_what_goes_out_leaves_together() -> (
    None
):
    with pair() as (one, _):
        order: list[object] = []
        node, streams = one.node, one.loop._driver.streams
        (link,) = node.links
        tell, flush = one.loop._driver._tell, streams.flush

        def flushed(now: float) -> bool:
            order.append(len(streams._dirty))
            return flush(now)

        def told(events: list[object]) -> None:
            order.extend(events)
            tell(events)

        def advance(_now: float) -> None:
            order.append("looked on")
            node.on_advance = None
            node.outbox.write(link, frame(NOTE, b"later"))
            node.outbox.emit("more")

        def decide(_now: float) -> None:
            order.clear()
            streams.flush, one.loop._driver._tell = flushed, told  # type: ignore[method-assign]
            node.on_advance = advance
            node.outbox.write(link, frame(NOTE, b"first"))
            node.outbox.emit("before")
            node.outbox.act("decided")

        one.run(decide)
        one.run(lambda _now: None)
        assert order[:5] == ["before", "decided", "looked on", 1, "more"]


def test_what_turns_out_to_be_urgent_at_the_end_is_told_before_anything_leaves() -> None:
    with pair() as (one, _):
        order: list[object] = []
        node, streams = one.node, one.loop._driver.streams
        (link,) = node.links
        flush = streams.flush

        def flushed(now: float) -> bool:
            order.append("sent")
            return flush(now)

        def advance(_now: float) -> None:
            node.on_advance = None
            order.clear()
            node.outbox.write(link, frame(NOTE, b"it is decided"))
            node.outbox.act("decided")

        def begin(_now: float) -> None:
            streams.flush, one.loop._driver._tell = flushed, order.extend  # type: ignore[method-assign]
            node.on_advance = advance

        one.run(begin)
        one.run(lambda _now: None)
        assert order[:2] == ["decided", "sent"]
        assert not node.outbox.urgent


def test_a_call_that_raises_is_logged_and_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with running() as it:
        with caplog.at_level(logging.ERROR, "vines"):
            it.loop.call(lambda now: 1 // 0)  # type: ignore[arg-type, return-value]
            it.run(lambda now: None)
        assert "ZeroDivisionError" in caplog.text
        assert it.stat("bugs") == 1


def test_events_that_cannot_be_told_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    node = FakeNode()
    loop = Loop(node, tell=lambda events: 1 // 0)  # type: ignore[arg-type, return-value]
    loop.start()
    done = threading.Event()
    with caplog.at_level(logging.ERROR, "vines"):
        loop.call(lambda now: node.outbox.emit("news"))
        loop.call(lambda now: done.set())
        assert done.wait(PATIENCE)
        assert loop.stop(PATIENCE)
    assert "could not be told" in caplog.text


def test_a_bug_in_the_node_ends_the_loop_visibly(caplog: pytest.LogCaptureFixture) -> None:
    it = Running()
    it.loop.listen("127.0.0.1", 0)
    it.node.on_advance = lambda now: 1 // 0  # type: ignore[assignment, return-value]
    with caplog.at_level(logging.CRITICAL, "vines"):
        it.loop.start()
        assert it.crashed.wait(PATIENCE), "it hung instead"
    assert isinstance(it.crash[0], ZeroDivisionError)
    assert "has ended" in caplog.text
    assert it.loop.dead
    assert not it.loop.call(lambda now: None)
    assert it.loop.stop(PATIENCE)
    with pytest.raises(Closed):
        it.loop.listen("127.0.0.1", 0)


def test_a_bug_that_a_frame_finds_costs_that_stream_only(caplog: pytest.LogCaptureFixture) -> None:
    with pair() as (one, other):

        def trip(received: bytes, link: int) -> None:
            if received[2:] == b"trip":
                raise RuntimeError("tripped")

        other.node.on_frame = trip
        with socket.create_connection(other.address) as peer:
            peer.sendall(frame(HELLO, b"") + frame(NOTE, b"trip"))
            with caplog.at_level(logging.ERROR, "vines"):
                other.node.wait(lambda: other.node.gone)
        assert "tripped" in caplog.text
        one.run(lambda now: one.node.pending.append(b"still here"))
        other.node.wait(lambda: b"still here" in other.node.notes())


def test_the_loop_does_what_is_due_when_it_is_due() -> None:
    with running() as it:
        advanced: list[float] = []

        def look(now: float) -> None:
            if it.node.due is not None and now >= it.node.due:
                with it.node.changed:
                    advanced.append(now - it.node.due)
                    it.node.due = None
                    it.node.changed.notify_all()

        it.node.on_advance = look

        def set_due(now: float) -> None:
            it.node.due = now + 0.03

        it.run(set_due)
        it.node.wait(lambda: advanced)
        assert advanced[0] >= 0


def test_every_runs_at_once_and_again() -> None:
    with running() as it:
        times: list[float] = []

        def tick(now: float) -> None:
            with it.node.changed:
                times.append(now)
                it.node.changed.notify_all()
            raise ValueError("a failing call is called again")

        logging.getLogger("vines").setLevel(logging.CRITICAL)
        try:
            it.loop.every(0.01, tick)
            it.node.wait(lambda: len(times) >= 3)
        finally:
            logging.getLogger("vines").setLevel(logging.NOTSET)
        assert times[1] - times[0] >= 0.01


def test_what_is_written_before_the_stop_still_leaves() -> None:
    with running() as it, socket.create_connection(it.address) as peer:
        peer.sendall(frame(HELLO, b""))
        it.node.wait(lambda: it.node.greeted)
        note = bytes(500_000)
        it.node.pending.extend([note] * 8)
        stopped: list[bool] = []
        thread = threading.Thread(target=lambda: stopped.append(it.loop.stop(PATIENCE)))
        thread.start()
        received = b"".join(iter(lambda: peer.recv(1 << 20), b""))
        thread.join(PATIENCE)
        assert stopped == [True]
        assert received == (it.node.greeting or b"") + 8 * frame(NOTE, note)


def test_stopping_is_bounded_when_the_peer_does_not_read() -> None:
    with running() as it, socket.create_connection(it.address) as peer:
        peer.sendall(frame(HELLO, b""))
        it.node.wait(lambda: it.node.greeted)
        it.node.pending.extend([bytes(1_000_000)] * 16)
        began = time.monotonic()
        assert it.loop.stop(0.3)
        assert time.monotonic() - began < 2


def test_stopping_twice_from_many_threads_and_before_the_start_is_harmless() -> None:
    it = Running()
    address = it.loop.listen("127.0.0.1", 0)
    assert it.loop.stop()
    assert it.loop.stop()
    with pytest.raises(Closed):
        it.loop.start()
    socket.create_server(address).close()
    with running() as other:
        threads = [threading.Thread(target=other.loop.stop) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert other.loop.stop()
        other.loop.wake()


def test_a_signal_handler_may_stop_a_loop_that_is_starting() -> None:
    it = Running()
    open_selector = it.loop._reactor.open

    def interrupted() -> None:
        open_selector()
        assert not it.loop.stop(), "it only asks"

    it.loop._reactor.open = interrupted  # type: ignore[method-assign]
    it.loop.start()
    assert it.loop.stop(PATIENCE)
    assert it.loop.dead
    assert not it.crash


@posix_only
def test_a_loop_that_cannot_start_says_so_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    it = Running()
    address = it.loop.listen("127.0.0.1", 0)

    def fail(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(RuntimeError):
        it.loop.start()
    assert it.loop.dead
    assert it.loop.stop()
    socket.create_server(address).close()


def test_the_loop_can_be_asked_to_stop_from_its_own_thread() -> None:
    it = Running()
    it.loop.start()
    answers: list[bool] = []
    it.loop.call(lambda now: answers.append(it.loop.stop()))
    assert it.loop.stop(PATIENCE)
    assert answers == [False]


def test_a_call_is_run_or_refused_never_forgotten() -> None:
    for _ in range(50):
        it = Running()
        it.loop.start()
        ran: list[int] = []
        promised: list[int] = []

        def ask(it: Running = it, ran: list[int] = ran, promised: list[int] = promised) -> None:
            for number in range(10_000):
                if not it.loop.call(lambda now, number=number: ran.append(number)):
                    return
                promised.append(number)

        thread = threading.Thread(target=ask)
        thread.start()
        assert it.loop.stop(PATIENCE)
        thread.join(PATIENCE)
        assert ran == promised


def test_a_stop_of_the_process_costs_nobody_a_deadline() -> None:
    clock = _Clock()
    node = FakeNode(Config(handshake_timeout=5.0))
    loop = Loop(node, tell=lambda events: None, clock=clock)
    address = loop.listen("127.0.0.1", 0)
    loop.start()
    try:
        with socket.create_connection(address) as peer:
            node.wait(lambda: node.links)
            clock.ahead = 60.0  # a minute in which this process did not run
            peer.sendall(frame(HELLO, b"")[:3])
            for _ in range(3):
                turned = threading.Event()
                loop.call(lambda now, turned=turned: turned.set())
                assert turned.wait(PATIENCE)
            assert not node.gone, "a peer was blamed for our own sleep"
            assert loop.stats()["stalls"] >= 1
            peer.sendall(frame(HELLO, b"")[3:])
            node.wait(lambda: node.greeted)
    finally:
        loop.stop(PATIENCE)


class _Clock:
    """Monotonic time that a test can move on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead
