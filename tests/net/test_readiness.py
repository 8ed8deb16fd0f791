"""Readiness: what epoll says when it is asked directly is what `selectors` says of the same."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator

import pytest

from vines.net import readiness
from vines.net.readiness import READ, WRITE, Readiness, Selector

KINDS = [Selector, *([readiness.Epoll] if sys.platform == "linux" else [])]


class Ear:
    """Whose socket it is."""

    closed = False
    served = 0

    def ready(self, mask: int, now: float, /) -> None:
        raise AssertionError("readiness only finds, it does not call")


@pytest.fixture(params=KINDS)
def found(request: pytest.FixtureRequest) -> Iterator[Readiness]:
    """Each kind there is on this system."""
    one: Readiness = request.param()
    yield one
    one.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    for end in (here, there):
        end.setblocking(False)
    yield here, there
    here.close()
    there.close()


Pair = tuple[socket.socket, socket.socket]


def test_what_is_wanted_and_ready_is_found(found: Readiness, pair: Pair) -> None:
    here, there = pair
    ear = Ear()
    found.watch(here, READ, ear)
    assert found.wait(0.0) == []
    there.send(b"x")
    assert found.wait(None) == [(ear, READ)]
    found.change(here, READ | WRITE, ear)
    assert found.wait(0.0) == [(ear, READ | WRITE)]
    here.recv(1)
    assert found.wait(0.0) == [(ear, WRITE)]
    found.change(here, WRITE, ear)
    there.send(b"x")
    assert found.wait(0.0) == [(ear, WRITE)]


def test_several_are_found_at_once(found: Readiness, pair: Pair) -> None:
    ears = Ear(), Ear()
    for end, other, ear in ((*pair, ears[0]), (*pair[::-1], ears[1])):
        found.watch(end, READ, ear)
        other.send(b"x")
    assert {source for source, _ in found.wait(0.0)} == set(ears)
    assert set(found.sockets()) == set(pair)


@pytest.mark.parametrize("wanted", [READ, WRITE, READ | WRITE])
def test_the_end_is_found_by_reading_and_writing_as_is_wanted(
    found: Readiness, wanted: int
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    ear = Ear()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    far.close()
    with near:
        found.watch(near, wanted, ear)
        assert found.wait(10.0) == [(ear, wanted)]
        found.forget(near)


def test_what_is_forgotten_is_found_no_more(found: Readiness, pair: Pair) -> None:
    here, there = pair
    found.forget(here)
    found.watch(here, READ, Ear())
    there.send(b"x")
    found.forget(here)
    found.forget(here)
    assert found.wait(0.0) == []
    assert found.sockets() == []


def test_a_socket_that_was_closed_first_is_forgotten_all_the_same(
    found: Readiness, pair: Pair
) -> None:
    here, there = pair
    found.watch(here, READ, Ear())
    here.close()
    found.forget(here)
    there.close()
    assert found.wait(0.0) == []


def test_another_socket_under_the_number_of_a_closed_one_is_watched(
    found: Readiness, pair: Pair
) -> None:
    here, there = pair
    found.watch(here, READ, Ear())
    number = here.fileno()
    found.forget(here)
    here.close()
    near, far = socket.socketpair()
    if near.fileno() != number:
        os.dup2(near.fileno(), number)
        near.close()
        near = socket.socket(fileno=number)
    ear = Ear()
    found.watch(near, READ, ear)
    far.send(b"x")
    assert found.wait(0.0) == [(ear, READ)]
    found.forget(near)
    near.close()
    far.close()
    del there


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_what_a_child_keeps_open_is_not_found_once_it_is_forgotten(
    found: Readiness, pair: Pair
) -> None:
    here, there = pair
    kept = os.dup(here.fileno())
    found.watch(here, READ, Ear())
    there.send(b"x")
    found.forget(here)
    here.close()
    assert found.wait(0.0) == []
    os.close(kept)
