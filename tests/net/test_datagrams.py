"""Datagrams on real sockets: what arrives reaches the node, what cannot be sent is counted."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterator

import pytest

from tests.net.fakes import Running, pair, running
from tests.net.strangers import linux_only, resident_bytes
from vines.net.limits import Limits
from vines.net.resolve import numeric
from vines.net.udp import LOST_SECONDS, NAME_SECONDS, NAMES_MAX
from vines.protocol.wire.datagram import DATAGRAM_BYTES_MAX

FULL = bytes(DATAGRAM_BYTES_MAX)


@pytest.fixture
def it() -> Iterator[Running]:
    with running() as it:
        yield it


@pytest.fixture
def sender(it: Running) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind(("127.0.0.1", 0))
        sender.connect(it.address)
        sender.setblocking(False)
        yield sender


def send(it: Running, address: tuple[str, int], data: bytes = b"data") -> None:
    it.run(lambda now: it.node.outbox.send(address, data))
    it.run(lambda now: None)


class Failing:
    """A socket on which calls fail, one after the other, before they work again."""

    def __init__(self, real: socket.socket, *numbers: int) -> None:
        self.real = real
        self.numbers = list(numbers)

    def recvfrom(self, size: int) -> tuple[bytes, object]:
        self.fail()
        return self.real.recvfrom(size)

    def sendto(self, data: bytes, address: tuple[str, int]) -> int:
        self.fail()
        return self.real.sendto(data, address)

    def fail(self) -> None:
        if self.numbers:
            raise OSError(self.numbers.pop(0), "as it happens")


@pytest.mark.parametrize("data", [b"", b"x", FULL])
def test_a_datagram_reaches_the_node_with_its_source(
    it: Running, sender: socket.socket, data: bytes
) -> None:
    sender.send(data)
    it.node.wait(lambda: it.node.datagrams)
    assert it.node.datagrams == [(data, sender.getsockname())]
    assert it.stat("datagrams_in") == 1


@pytest.mark.parametrize("size", [DATAGRAM_BYTES_MAX + 1, 65_507])
def test_one_that_is_too_long_is_counted_and_dropped(
    it: Running, sender: socket.socket, size: int
) -> None:
    sender.send(bytes(size))
    it.wait_stat("datagrams_rejected", reason="oversize")
    assert not it.node.datagrams


def test_what_a_node_sends_arrives_from_where_it_listens() -> None:
    with pair() as (one, other):
        send(one, other.address, b"hello")
        other.node.wait(lambda: other.node.datagrams)
        assert other.node.datagrams == [(b"hello", one.address)]
        assert one.stat("datagrams_out") == 1


def test_a_name_is_looked_up_and_the_next_datagram_finds_its_way(it: Running) -> None:
    with running() as other:
        (listening,) = it.loop._driver._listening
        answers: list = []
        listening.datagrams._resolve = lambda address, answer: answers.append(answer)
        send(it, ("a.name", other.address[1]), b"lost")
        it.run(lambda now: answers[0](numeric(other.address), now))
        send(it, ("a.name", other.address[1]), b"found")
        other.node.wait(lambda: other.node.datagrams)
        assert other.node.datagrams == [(b"found", it.address)]
        assert len(answers) == 1


def test_a_name_that_led_nowhere_is_soon_looked_up_again_and_one_that_led_somewhere_holds(
    it: Running,
) -> None:
    (listening,) = it.loop._driver._listening
    datagrams, answers = listening.datagrams, []
    datagrams._resolve = lambda address, answer: answers.append(answer)
    name = ("a.name", 7)
    assert datagrams._target(name, 100.0) is None
    answers.pop()([], 101.0)
    assert datagrams._target(name, 101.0 + LOST_SECONDS - 0.1) is None
    assert answers == []
    assert datagrams._target(name, 101.0 + LOST_SECONDS) is None
    answers.pop()(numeric(("127.0.0.1", 7)), 103.0)
    assert datagrams._target(name, 103.0) == ("127.0.0.1", 7)
    assert datagrams._target(name, 103.0 + NAME_SECONDS) == ("127.0.0.1", 7)
    answers.pop()([], 200.0)  # nobody knows it just now: what was known still holds
    assert datagrams._target(name, 200.0) == ("127.0.0.1", 7)


def test_what_leads_nowhere_is_counted(it: Running) -> None:
    (listening,) = it.loop._driver._listening
    listening.datagrams._resolve = lambda address, answer: answer([], 0.0)
    send(it, ("no.such.name", 7))
    send(it, ("::1", 7))
    assert it.stat("datagrams_unaddressed") == 2
    assert it.stat("datagrams_out") == 0


def test_ipv4_is_spoken_on_a_socket_for_both_families() -> None:
    with running(host="::") as it, running() as other:
        send(it, other.address, b"hello")
        other.node.wait(lambda: other.node.datagrams)
        ((_, source),) = other.node.datagrams
        send(other, source, b"hello back")
        it.node.wait(lambda: it.node.datagrams)
        assert it.node.datagrams == [(b"hello back", other.address)]


def test_where_names_lead_is_remembered_of_so_many_at_most(it: Running) -> None:
    (listening,) = it.loop._driver._listening
    listening.datagrams._resolve = lambda address, answer: None
    for number in range(NAMES_MAX + 100):
        it.node.outbox.send((f"host-{number}", 7), b"x")
    it.run(lambda now: None)
    it.run(lambda now: None)
    assert len(listening.datagrams._targets) == len(listening.datagrams._until) == NAMES_MAX


ERRORS = [
    *(errno.EPERM, errno.ENETUNREACH, errno.EMSGSIZE, errno.ECONNREFUSED, errno.ENOBUFS),
    *(errno.EHOSTUNREACH, errno.EAGAIN, errno.EACCES, errno.EINVAL, errno.ENETDOWN),
]


def test_every_error_of_sending_is_counted_by_name_and_stops_nothing(it: Running) -> None:
    (listening,) = it.loop._driver._listening
    real = listening.datagrams.socket
    with running() as other:
        listening.datagrams.socket = Failing(real, *ERRORS)  # type: ignore[assignment]
        try:
            for _ in range(len(ERRORS) + 1):
                send(it, other.address, b"at last")
            other.node.wait(lambda: other.node.datagrams)
        finally:
            listening.datagrams.socket = real
        for number in ERRORS:
            assert it.stat("datagram_errors_out", errno.errorcode[number]) == 1
        assert it.stat("datagram_errors_out") == len(ERRORS)
        assert it.stat("datagrams_out") == 1


def test_every_error_of_receiving_is_counted_by_name_and_stops_nothing(
    it: Running, sender: socket.socket
) -> None:
    (listening,) = it.loop._driver._listening
    real = listening.datagrams.socket
    errors = [errno.ECONNREFUSED, errno.EPERM, errno.ENETUNREACH, errno.ENOBUFS]
    listening.datagrams.socket = Failing(real, *errors)  # type: ignore[assignment]
    try:
        sender.send(b"data")
        it.node.wait(lambda: it.node.datagrams)
    finally:
        listening.datagrams.socket = real
    assert it.stat("datagram_errors_in") == 4
    assert it.stat("datagram_errors_in", "ECONNREFUSED") == 1


def test_who_is_gone_costs_nothing_but_a_count(it: Running) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        address = gone.getsockname()
    for _ in range(3):
        send(it, address)
    errors = it.stat("datagram_errors_in") + it.stat("datagram_errors_out")
    assert it.stat("datagrams_out") + errors == 3
    assert it.loop.stats()["turns"] < 100


def test_a_burst_is_read_in_bounded_turns() -> None:
    with running(limits=Limits(datagrams_per_turn=4)) as it:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.connect(it.address)
            turns = it.stat("turns")
            it.run(lambda now: [sender.send(b"data") for _ in range(40)])
            it.wait_stat("datagrams_in", 40)
        assert it.stat("turns") - turns >= 10


@linux_only
def test_random_datagrams_leave_memory_flat(it: Running, sender: socket.socket) -> None:
    noise = random.Random(7)
    block = noise.randbytes(1 << 16)
    sender.setblocking(True)
    (listening,) = it.loop._driver._listening
    listening.datagrams._take = lambda data, source, now: ""

    def throw(count: int) -> None:
        for _ in range(count):
            start = noise.randrange(1 << 15)
            sender.send(block[start : start + noise.randrange(1300)])

    throw(1000)
    before = resident_bytes()
    throw(20_000)
    it.wait_stat("datagrams_in", 1)
    assert resident_bytes() - before < 4 << 20


def test_the_receive_buffer_is_asked_for_and_its_size_recorded(it: Running) -> None:
    assert it.stat("datagram_buffer_bytes") > 100_000
