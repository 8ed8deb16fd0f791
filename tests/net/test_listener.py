"""Accepting when there is nothing left to accept with."""

from __future__ import annotations

import errno
import socket

from tests.net.fakes import running
from tests.net.strangers import linux_only, run_script


@linux_only
def test_running_out_of_descriptors_neither_spins_nor_stops_the_loop() -> None:
    done = run_script(
        """
        import resource, socket, time
        from tests.net.fakes import NOTE, frame, running
        from tests.net.strangers import greeted, is_closed

        with running() as it:
            first = greeted(it.address)
            it.node.wait(lambda: it.node.greeted)
            # Sockets of callers are made before descriptors run out: connecting takes none.
            callers = [socket.socket() for _ in range(8)]
            used = max(sock.fileno() for sock in callers) + 1
            hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
            resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
            for caller in callers:
                caller.connect(it.address)
            it.wait_stat("descriptors_exhausted")
            # The reserve lets one caller know at least; everybody else is served as before.
            callers[0].settimeout(5)
            assert any(is_closed(caller) for caller in callers[:1]), "left waiting"
            turns, began = it.stat("turns"), time.monotonic()
            seen = it.stat("descriptors_exhausted")
            it.wait_stat("descriptors_exhausted", seen + 3)
            elapsed = time.monotonic() - began
            assert elapsed > 0.15, "the listener was not left alone"
            first.sendall(frame(NOTE, b"served"))
            it.node.wait(lambda: it.node.notes() == [b"served"])
            # A dial cannot be made now, and says so.
            it.dial(("127.0.0.1", it.address[1]), ticket=7)
            it.node.wait(lambda: it.node.failed == [(7, False)])
            for caller in callers:
                caller.close()
            callers.clear()
            again = greeted(it.address)
            it.node.wait(lambda: len(it.node.greeted) == 2)
            again.close()
            first.close()
        print("survived")
        """
    )
    assert done.stdout == "survived\n", done.stderr


def test_callers_that_are_lost_before_they_are_accepted_are_counted() -> None:
    with running() as it:
        (listening,) = it.loop._driver._listening
        listener = listening.listener
        real, errors = listener.socket, [errno.ECONNABORTED, errno.EPERM]

        class Failing:
            def accept(self) -> tuple[socket.socket, object]:
                if errors:
                    raise OSError(errors.pop(), "as it happens")
                return real.accept()

        listener.socket = Failing()  # type: ignore[assignment]
        try:
            with socket.create_connection(it.address):
                it.node.wait(lambda: it.node.links)
            assert it.stat("callers_lost") == 2
        finally:
            listener.socket = real
