"""Dialling: one answer for each dial, in bounded time, whatever names and addresses do."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.net.fakes import PATIENCE, Running, running
from tests.net.strangers import connect, full_listener, has_ipv6, linux_only, reset
from vines.config import Config
from vines.net import dial
from vines.net.limits import Limits
from vines.net.sockets import is_itself
from vines.protocol.machine import Address


@pytest.fixture
def it() -> Iterator[Running]:
    with running(Config(dial_timeout=0.5), Limits(stagger_seconds=0.02)) as it:
        yield it


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def names(it: Running, look_up: Callable[[str], list[Address]]) -> list[str]:
    """Have names looked up by this function; returns the list of names that were asked for."""
    asked: list[str] = []

    def stand_in(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", sockaddr)
            for sockaddr in look_up(host)
        ]

    it.loop._driver._dialler.resolver._look_up = stand_in
    return asked


def test_nobody_listening_is_told_as_a_refusal(it: Running) -> None:
    it.dial(("127.0.0.1", free_port()), ticket=7)
    it.node.wait(lambda: it.node.failed == [(7, True)])
    assert it.stat("dials_failed", "refused") == it.stat("dials_failed") == 1


def test_nobody_answering_is_told_when_time_is_up(it: Running) -> None:
    server, callers = full_listener()
    began = time.monotonic()
    it.dial(server.getsockname(), ticket=7)
    it.node.wait(lambda: it.node.failed == [(7, False)])
    assert time.monotonic() - began >= 0.5
    assert it.stat("dials") == 0
    assert it.stat("dials_failed", "silent") == it.stat("dials_failed") == 1
    for sock in (server, *callers):
        sock.close()


@pytest.mark.parametrize(
    "host", ["does-not-exist.invalid", "a..b", "x" * 70, "-", "\0", "", "300.1.1.1", "é" * 64]
)
def test_a_name_that_does_not_resolve_is_no_refusal(it: Running, host: str) -> None:
    if host == "does-not-exist.invalid":
        names(it, lambda host: [])

    it.dial((host, 8000), ticket=7)
    it.node.wait(lambda: it.node.failed == [(7, False)])
    assert it.stat("dials_failed", "unresolved") == it.stat("dials_failed") == 1


@pytest.mark.parametrize("port", [0, -1, 65536, 70000])
def test_a_port_out_of_range_is_no_refusal(it: Running, port: int) -> None:
    it.dial(("127.0.0.1", port), ticket=7)
    it.node.wait(lambda: it.node.failed == [(7, False)])


def test_a_name_is_looked_up_and_dialled(it: Running) -> None:
    with running() as other:
        it.dial(("localhost", other.address[1]))
        it.node.wait(lambda: it.node.greeted)


def test_every_address_of_a_name_is_tried(it: Running) -> None:
    with running() as other:
        closed = [("127.0.0.1", free_port()) for _ in range(3)]
        names(it, lambda host: [*closed, other.address])
        it.dial(("several.example", 1))
        it.node.wait(lambda: it.node.greeted)
        assert it.node.failed == []


def test_only_if_every_address_refuses_it_is_a_refusal(it: Running) -> None:
    closed = [("127.0.0.1", free_port()) for _ in range(3)]
    names(it, lambda host: closed)
    it.dial(("several.example", 1), ticket=7)
    it.node.wait(lambda: it.node.failed == [(7, True)])
    # Nobody says no there: a connection fails at once, for reasons of our own.
    names(it, lambda host: [*closed, ("::1", 9)])
    it.dial(("several.example", 1), ticket=8)
    it.node.wait(lambda: it.node.failed == [(7, True), (8, False)])


def test_a_name_that_leads_to_what_no_machine_has_leads_nowhere(it: Running) -> None:
    """Nowhere is this machine to the kernel; a group and everybody are very many."""
    with running() as other:
        port = other.address[1]
        nobody = [("0.0.0.0", port), ("224.0.0.1", port), ("255.255.255.255", port)]
        names(it, lambda host: nobody)
        it.dial(("nobody.example", 1), ticket=7)
        it.node.wait(lambda: it.node.failed == [(7, False)])
        assert it.stat("dials_failed", "unresolved") == 1
        names(it, lambda host: [*nobody, other.address])
        it.dial(("one.example", 1), ticket=8)
        it.node.wait(lambda: list(it.node.links.values()) == [8])
        other.node.wait(lambda: len(other.node.links) == 1)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_a_name_with_addresses_of_both_families_leads_to_either(it: Running) -> None:
    closed = free_port()
    with running(host="::1") as other:
        port = other.address[1]
        found = [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", closed)),
            (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("::1", port, 0, 0)),
        ]
        it.loop._driver._dialler.resolver._look_up = lambda host, port, **_: found
        it.dial(("both.example", 1))
        it.node.wait(lambda: it.node.greeted)


def test_a_silent_address_does_not_hold_up_the_next() -> None:
    server, callers = full_listener()
    patient = Config(dial_timeout=60.0)
    with running(patient, Limits(stagger_seconds=0.02)) as it, running() as other:
        names(it, lambda host: [server.getsockname(), other.address])
        it.dial(("several.example", 1))
        it.node.wait(lambda: it.node.greeted)
        assert it.stat("dials") == 0
    for sock in (server, *callers):
        sock.close()


def test_a_name_leads_to_all_its_nodes_in_time(it: Running) -> None:
    with ExitStack() as stack:
        others = [stack.enter_context(running()) for _ in range(3)]
        names(it, lambda host: [other.address for other in others])
        for ticket in range(3):
            it.dial(("several.example", 1), ticket)
            it.node.wait(lambda count=ticket + 1: len(it.node.links) == count)
        for other in others:
            other.node.wait(lambda other=other: other.node.links)


def test_of_several_addresses_our_own_is_passed_over(it: Running) -> None:
    with running() as other:
        names(it, lambda host: [it.address, other.address])
        it.dial(("several.example", 1))
        other.node.wait(lambda: other.node.greeted)
        it.node.wait(lambda: it.node.greeted)
        it.run(lambda now: None)
        assert sorted(it.node.links.values(), key=repr) == [1]


def test_a_single_address_that_is_our_own_is_dialled_so_that_the_node_finds_out(
    it: Running,
) -> None:
    it.dial(it.address)
    it.node.wait(lambda: sorted(it.node.links.values(), key=repr) == [1, None])


def test_a_stream_to_its_own_end_is_noticed() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(sock.getsockname())
        assert is_itself(sock)
    with running() as it, connect(it.address) as sock:
        assert not is_itself(sock)


def test_a_peer_that_resets_a_stream_just_as_it_is_connected_has_refused(
    it: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def reset_before(sock: socket.socket) -> bool:
            reset(server.accept()[0])
            return is_itself(sock)

        monkeypatch.setattr(dial, "is_itself", reset_before)
        it.dial(server.getsockname(), ticket=7)
        it.node.wait(lambda: it.node.failed == [(7, True)])
    assert it.stat("dials_failed", "refused") == 1
    assert it.stat("bugs") == it.stat("dials") == 0


def test_a_resolver_that_hangs_holds_up_nothing(it: Running) -> None:
    release = threading.Event()

    def hang(host: str) -> list[Address]:
        assert release.wait(PATIENCE)
        return []

    asked = names(it, hang)
    for ticket in range(20):
        it.dial((f"name-{ticket}.example", 1), ticket)
    with running() as other:
        it.dial(other.address, ticket=99)
        it.node.wait(lambda: 99 in it.node.links.values())
    it.node.wait(lambda: len(it.node.failed) == 20)
    assert len(asked) == 4, "a thread for every name"
    hanging = [thread for thread in threading.enumerate() if thread.name == "vines-resolve"]
    assert len(hanging) == 4
    assert all(thread.daemon for thread in hanging)
    assert it.loop.stop(PATIENCE), "the stop waits for a resolver that hangs"
    release.set()
    for thread in hanging:
        thread.join(PATIENCE)


def test_a_name_that_many_dials_want_is_looked_up_once(it: Running) -> None:
    release = threading.Event()

    with running() as other:

        def look_up(host: str) -> list[Address]:
            assert release.wait(PATIENCE)
            return [other.address]

        asked = names(it, look_up)
        for ticket in range(5):
            it.dial(("one.example", 1), ticket)
        release.set()
        it.node.wait(lambda: len(it.node.links) == 5)
        assert asked == ["one.example"]


def test_names_waiting_for_a_thread_get_their_turn(it: Running) -> None:
    with running() as other:
        names(it, lambda host: [other.address])
        for ticket in range(20):
            it.dial((f"name-{ticket}.example", 1), ticket)
        it.node.wait(lambda: len(it.node.links) == 20)


def test_a_name_is_looked_up_anew_for_each_dial(it: Running) -> None:
    """The first answer may lack whoever is there, and name somebody who is gone."""
    with running() as other:
        gone = ("127.0.0.1", free_port())
        answers = [[], [gone], [gone, other.address]]
        asked = names(it, lambda host: answers.pop(0))
        for ticket in range(2):
            it.dial(("one.example", 1), ticket)
            it.node.wait(lambda count=ticket + 1: len(it.node.failed) == count)
        it.dial(("one.example", 1), 2)
        it.node.wait(lambda: it.node.greeted)
        assert asked == ["one.example"] * 3
        assert it.node.failed == [(0, False), (1, True)]


def test_an_answer_that_is_late_is_for_the_next_dial(it: Running) -> None:
    release = threading.Event()

    with running() as other:

        def look_up(host: str) -> list[Address]:
            assert release.wait(PATIENCE)
            return [other.address]

        asked = names(it, look_up)
        it.dial(("slow.example", 1), ticket=1)
        it.node.wait(lambda: it.node.failed == [(1, False)])
        it.dial(("slow.example", 1), ticket=2)
        release.set()
        it.node.wait(lambda: list(it.node.links.values()) == [2])
        assert asked == ["slow.example"]
        other.node.wait(lambda: other.node.links)
        assert len(other.node.links) == 1, "a dial that was given up went on"


def test_a_name_that_waits_again_when_its_late_answer_comes_stops_nobody(it: Running) -> None:
    """All threads hang; who was given up is dialled again, and then all answers come at once."""
    release = threading.Event()

    with running() as other:

        def look_up(host: str) -> list[Address]:
            assert release.wait(PATIENCE)
            return [other.address]

        names(it, look_up)
        hosts = [f"name-{number}.example" for number in range(6)]
        for ticket, host in enumerate(hosts):
            it.dial((host, 1), ticket)
        it.node.wait(lambda: len(it.node.failed) == len(hosts))
        for ticket, host in enumerate(hosts):
            it.dial((host, 1), 10 + ticket)
        release.set()
        it.node.wait(lambda: sorted(it.node.links.values()) == list(range(10, 16)))  # type: ignore[type-var]
        assert it.stat("bugs") == 0


def test_of_a_thousand_addresses_each_is_tried_in_time(it: Running) -> None:
    closed = ("127.0.0.1", free_port())
    with running() as other:
        dead = [(f"127.0.{number >> 8}.{number & 255}", closed[1]) for number in range(1, 1000)]
        names(it, lambda host: [*dead, other.address])
        dials = 0
        while not it.node.greeted:
            it.dial(("many.example", 1), dials)
            dials += 1
            it.node.wait(lambda count=dials: len(it.node.failed) == count or it.node.greeted)
        assert dials == -(-1000 // Limits().addresses_max)


@linux_only
def test_a_stream_has_its_options_on_both_ends(it: Running) -> None:
    with running() as other:
        it.dial(other.address)
        it.node.wait(lambda: it.node.greeted)
        other.node.wait(lambda: other.node.greeted)
        for end in (it, other):
            (stream,) = end.loop._driver.streams._streams.values()
            option = stream.socket.getsockopt
            assert option(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert option(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert option(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 2
            assert option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
            assert option(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) == 128 * 1024
            assert not stream.socket.get_inheritable()
