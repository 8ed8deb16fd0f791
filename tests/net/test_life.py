"""Loops and the process they live in: forks, exits, interrupts, and a thousand of them."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from tests.net.fakes import Running, running
from tests.net.strangers import (
    ROOT,
    descriptors,
    linux_only,
    posix_only,
    resident_bytes,
    run_script,
)
from vines.net import forks

LINKED = """
import sys, threading, time, os, signal
from tests.net.fakes import NOTE, Running, frame
from vines.errors import Closed

def linked():
    one, other = Running(), Running()
    one.address = one.loop.listen("127.0.0.1", 0)
    other.loop.start()
    one.loop.start()
    other.dial(one.address)
    one.node.wait(lambda: one.node.greeted)
    other.node.wait(lambda: other.node.greeted)
    return one, other

before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
one, other = linked()
"""


def script(body: str) -> str:
    """Two linked loops, left open, and what to do with them."""
    return LINKED + textwrap.dedent(body)


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        # Somebody writes all the while.
        """
        def write():
            while True:
                if len(one.node.pending) < 100:
                    one.node.pending.append(bytes(1000))
                one.loop.wake()
        threading.Thread(target=write, daemon=True).start()
        other.node.wait(lambda: len(other.node.notes()) > 100)
        """,
        # A resolver hangs.
        """
        hung = threading.Event()
        def hang(*args, **options):
            hung.set()
            time.sleep(3600)
        one.loop._driver._dialler.resolver._look_up = hang
        one.dial(("name.example", 1))
        assert hung.wait(10)
        """,
        # The loop itself hangs, in a call of ours.
        """
        hung = threading.Event()
        one.loop.call(lambda now: (hung.set(), time.sleep(3600)))
        assert hung.wait(10)
        """,
        # A bug has ended it.
        """
        import logging
        logging.getLogger("vines").addHandler(logging.NullHandler())
        one.node.on_advance = lambda now: 1 // 0
        one.loop.wake()
        assert one.crashed.wait(10)
        """,
    ],
    ids=["idle", "writing", "resolving", "hanging", "crashed"],
)
def test_a_loop_left_open_neither_hangs_the_exit_nor_spoils_it(body: str) -> None:
    done = run_script(script(body) + "\nprint('done')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_an_exit_with_an_error_is_that_error() -> None:
    done = run_script(script("sys.exit(3)"))
    assert (done.returncode, done.stderr) == (3, "")


@posix_only
def test_an_interrupt_ends_the_program_and_nothing_else() -> None:
    body = """
        print("ready", flush=True)
        while True:
            one.node.pending.append(b"busy")
            one.loop.wake()
            time.sleep(0.0001)
        """
    with subprocess.Popen(
        [sys.executable, "-c", script(body)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1
    assert errors.endswith("KeyboardInterrupt\n")


@posix_only
def test_signals_of_the_program_do_not_disturb_the_loop() -> None:
    caught: list[int] = []
    previous = signal.signal(signal.SIGALRM, lambda number, _: caught.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        with running() as it, running() as other:
            it.dial(other.address)
            it.node.wait(lambda: it.node.greeted)
            for _ in range(200):
                it.node.pending.append(bytes(10_000))
                it.loop.wake()
            other.node.wait(lambda: len(other.node.notes()) == 200)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0, 0)
        signal.signal(signal.SIGALRM, previous)
    assert caught


@linux_only
def test_a_forked_child_is_inert_and_the_parent_never_feels_it() -> None:
    done = run_script(
        script(
            """
            def sockets():
                found = []
                for fd in os.listdir("/proc/self/fd"):
                    try:
                        found.append(os.readlink(f"/proc/self/fd/{fd}"))
                    except FileNotFoundError:
                        pass  # the listing's own
                return [link for link in found if "socket" in link or "eventpoll" in link]

            def writing():
                while True:
                    one.node.pending.append(bytes(1000))
                    one.loop.wake()
                    time.sleep(0.001)

            assert len(sockets()) >= 8
            threading.Thread(target=writing, daemon=True).start()
            read, write = os.pipe()
            for _ in range(5):
                child = os.fork()
                if child == 0:
                    try:
                        assert one.loop.dead and other.loop.dead
                        assert sockets() == [], sockets()
                        assert len(os.listdir("/proc/self/fd")) == before + 2, "the pipe is left"
                        assert not one.loop.call(lambda now: None)
                        one.loop.wake()
                        for use in (one.loop.start, lambda: one.loop.listen("127.0.0.1", 0)):
                            try:
                                use()
                            except Closed:
                                pass
                            else:
                                raise AssertionError("usable")
                        assert one.loop.stop()
                        assert one.loop.stats()["dials"] == 0
                        fresh, peer = linked()
                        fresh.node.pending.append(b"a life of its own")
                        fresh.loop.wake()
                        peer.node.wait(lambda: peer.node.notes())
                        assert fresh.loop.stop(5) and peer.loop.stop(5)
                        os.write(write, b"1")
                    finally:
                        os._exit(0)
                os.waitpid(child, 0)
            assert os.read(read, 10) == b"11111"
            seen = len(other.node.notes())
            other.node.wait(lambda: len(other.node.notes()) > seen + 10)
            other.node.pending.append(b"and back")
            other.loop.wake()
            one.node.wait(lambda: one.node.notes())
            assert not one.node.gone and not other.node.gone
            # A child that lives on does not keep the parent's streams alive.
            child = os.fork()
            if child == 0:
                time.sleep(3600)
            assert one.loop.stop(5)
            other.node.wait(lambda: other.node.gone)
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            assert other.loop.stop(5)
            print("unmoved")
            """
        )
    )
    assert done.stdout == "unmoved\n", done.stderr


@linux_only
def test_a_loop_that_has_not_begun_survives_a_fork() -> None:
    done = run_script(
        """
        import os
        from tests.net.fakes import Running
        it = Running()
        child = os.fork()
        it.loop.listen("127.0.0.1", 0)
        it.loop.start()
        it.run(lambda now: None)
        assert it.loop.stop(5)
        if child:
            assert os.waitpid(child, 0)[1] == 0
            print("both")
        """
    )
    assert done.stdout == "both\n", done.stderr


@linux_only
def test_a_fork_and_exec_keeps_nothing_of_ours_open() -> None:
    with running() as it:
        it.run(lambda now: None)
        listing = subprocess.run(
            [sys.executable, "-c", "import os; print(len(os.listdir('/proc/self/fd')))"],
            capture_output=True,
            text=True,
        )
        assert int(listing.stdout) <= 4


@linux_only
def test_a_thousand_loops_leave_nothing_behind() -> None:
    with running() as peer:

        def live() -> None:
            it = Running()
            it.loop.listen("127.0.0.1", 0)
            it.loop.start()
            it.dial(peer.address)
            it.node.wait(lambda: it.node.greeted)
            assert it.loop.stop(10)

        def settled() -> tuple[int, int]:
            peer.node.wait(lambda: not peer.node.links)
            peer.run(lambda now: None)
            peer.node.frames.clear()
            peer.node.gone.clear()
            peer.node.sent_bytes.clear()
            gc.collect()
            return descriptors(), threading.active_count()

        for _ in range(200):
            live()
        before, memory = settled(), resident_bytes()
        for _ in range(1000):
            live()
        assert settled() == before
        assert resident_bytes() - memory < 4 << 20
        assert forks.count() == 1
