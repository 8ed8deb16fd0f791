"""Binding: TCP and UDP of one number, or a clear error and nothing left open."""

from __future__ import annotations

import errno
import gc
import socket
import warnings

import pytest

from tests.net.fakes import running
from tests.net.strangers import has_ipv6, linux_only
from vines.errors import AddressInUse, InvalidAddress
from vines.net import sockets
from vines.net.interfaces import outward
from vines.net.sockets import is_loopback, is_wildcard, listening_pair, presentable


def test_port_zero_gives_one_number_for_both() -> None:
    for _ in range(20):
        stream, datagram = listening_pair("127.0.0.1", 0)
        with stream, datagram:
            assert stream.getsockname() == datagram.getsockname()
            assert stream.getsockname()[1] > 0


def test_port_zero_tries_again_when_a_number_is_free_for_tcp_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bind, failures = sockets._bind, [True, True, True]

    def fail_at_first(sock: socket.socket, sockaddr: tuple[object, ...]) -> None:
        if sock.type == socket.SOCK_DGRAM and failures:
            failures.pop()
            raise OSError(errno.EADDRINUSE, "taken for UDP")
        bind(sock, sockaddr)

    monkeypatch.setattr(sockets, "_bind", fail_at_first)
    stream, datagram = listening_pair("127.0.0.1", 0)
    with stream, datagram:
        assert stream.getsockname() == datagram.getsockname()
    assert not failures


def test_a_port_in_use_for_tcp_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(AddressInUse, match=str(port)) as caught:
            listening_pair("127.0.0.1", port)
        assert caught.value.errno == errno.EADDRINUSE


def test_a_port_in_use_for_udp_only_is_said_so_and_tcp_is_free_again() -> None:
    stream, holder = listening_pair("127.0.0.1", 0)  # of a number that is free for both
    port = holder.getsockname()[1]
    stream.close()
    with holder:
        with pytest.raises(AddressInUse):
            listening_pair("127.0.0.1", port)
        socket.create_server(("127.0.0.1", port)).close()


def test_two_loops_cannot_share_a_port_and_it_is_free_when_the_first_ends() -> None:
    with running() as one:
        host, port = one.address
        with running() as other, pytest.raises(AddressInUse):
            other.loop.listen(host, port)
        socket.create_connection(one.address).close()
    stream, datagram = listening_pair(host, port)
    stream.close()
    datagram.close()


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "does-not-exist.invalid", "", "a..b", "x" * 300, "fe80::zz"]
)
def test_a_host_that_is_not_ours_is_said_so(host: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InvalidAddress):
            listening_pair(host, 0)
        gc.collect()


@pytest.mark.parametrize("port", [-1, 65536, 1 << 40])
def test_a_port_that_is_none_is_said_so(port: int) -> None:
    with pytest.raises(InvalidAddress, match="port"):
        listening_pair("127.0.0.1", port)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_ipv6_listens_and_is_dialled() -> None:
    with running(host="::1") as one, running() as other:
        assert one.address[0] == "::1"
        other.dial(one.address)
        other.node.wait(lambda: other.node.greeted)


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 here")
def test_the_ipv6_wildcard_is_for_both_families() -> None:
    with running(host="::") as it:
        port = it.address[1]
        socket.create_connection(("127.0.0.1", port)).close()
        socket.create_connection(("::1", port)).close()
        it.wait_stat("accepted", 2)


def test_a_name_can_be_listened_on() -> None:
    stream, datagram = listening_pair("localhost", 0)
    with stream, datagram:
        assert is_loopback(stream.getsockname()[0])


def test_a_node_on_every_interface_is_told_an_address_that_can_be_dialled() -> None:
    with running(host="0.0.0.0") as it:
        assert it.address[0] == "0.0.0.0"
        told = it.node.address
        assert told is not None
        assert told[1] == it.address[1]
        assert not is_wildcard(told[0])
        socket.create_connection(told).close()


def test_the_node_is_told_what_is_advertised() -> None:
    with running() as it:
        it.loop.listen("127.0.0.1", 0, advertise=("proxy.example", 99))
        it.node.wait(lambda: it.node.address == ("proxy.example", 99))


@linux_only
def test_a_machine_on_no_network_has_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    assert outward(socket.AF_INET).count(".") == 3
    monkeypatch.setattr(socket, "if_nameindex", lambda: [(1, "lo")])
    monkeypatch.setattr("vines.net.interfaces._towards", lambda *_: None)
    assert outward(socket.AF_INET6) == "127.0.0.1"


def test_addresses_are_presented_as_they_are_dialled() -> None:
    assert presentable(("127.0.0.1", 80)) == ("127.0.0.1", 80)
    assert presentable(("::1", 80, 0, 0)) == ("::1", 80)
    assert presentable(("fe80::1", 80, 0, 3)) == ("fe80::1%3", 80)


def test_what_is_loopback_and_what_is_everywhere() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("192.0.2.1", "::", "localhost", "", "fe80::1%3")))
    assert all(map(is_wildcard, ("0.0.0.0", "::")))
    assert not any(map(is_wildcard, ("127.0.0.1", "", "*")))
