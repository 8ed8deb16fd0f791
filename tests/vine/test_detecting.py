"""Failure detection over real sockets, whatever the kernel says to datagrams."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.vine.helpers import PATIENCE, Calls
from vines.vine import Vine

QUICK = {"probe_interval": 0.1, "probe_timeout": 0.03}
PROBES = 8


class Walled:
    """A datagram socket from which nothing can be sent."""

    def __init__(self, real: socket.socket, number: int) -> None:
        self.real = real
        self.number = number

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
        raise OSError(self.number, "as it happens")

    def __getattr__(self, name: str) -> object:
        return getattr(self.real, name)


@pytest.fixture
def three() -> Iterator[list[Vine]]:
    vines = [Vine(name=name, **QUICK).listen() for name in ("a", "b", "c")]
    for vine in vines[1:]:
        vine.join(vines[0].address)
    for vine in vines:
        vine.wait_for(3, PATIENCE)
    yield vines
    for vine in vines:
        vine.end()


def wait(holds: Callable[[], bool]) -> None:
    """Look until something holds."""
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)


def node(vine: Vine, name: str) -> int:
    return int(vine.stats()["node"][name])


@pytest.mark.parametrize("name", ["EPERM", "ENETUNREACH", "EMSGSIZE", "ECONNREFUSED", "ENOBUFS"])
def test_where_no_datagram_can_be_sent_nobody_fails(three: list[Vine], name: str) -> None:
    fails = Calls()
    for vine in three:
        vine.on("fail", fails)
        (listening,) = vine._engine.loop._driver._listening
        real = listening.datagrams.socket
        listening.datagrams.socket = Walled(real, getattr(errno, name))  # type: ignore[assignment]
    for vine in three:
        wait(lambda vine=vine: node(vine, "probes_streamed") >= PROBES)
        assert vine.stats()["loop"]["datagram_errors_out"][name] >= PROBES
    assert fails.seen == []
    assert [len(vine.members()) for vine in three] == [3, 3, 3]


def test_a_port_that_is_closed_for_datagrams_alone_makes_nobody_fail(three: list[Vine]) -> None:
    """What is sent there comes back as an ICMP error."""
    fails = Calls()
    for vine in three:
        vine.on("fail", fails)
    closed = three[1]
    (listening,) = closed._engine.loop._driver._listening
    closed._engine.ask(lambda _now: listening.datagrams.close())
    for vine in (three[0], three[2]):
        wait(lambda vine=vine: node(vine, "probes_streamed") >= PROBES)
    assert fails.seen == []
    assert [len(vine.members()) for vine in three] == [3, 3, 3]
