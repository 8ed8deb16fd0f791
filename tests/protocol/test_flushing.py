"""Flush: a writer learns when enough others hold what it wrote, and never too early."""

from __future__ import annotations

import pytest

from vines.events import Flushed
from vines.protocol.replicas.flushing import FLUSHES_MAX

from .pump import Host, Pump


def flushed(host: Host) -> list[int]:
    return [event.token for event in host.of(Flushed)]


def test_a_flush_is_told_once_the_others_hold_it() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    a.write("key")
    token = a.node.flush(2, pump.now)
    assert flushed(a) == []
    pump.settle()
    assert flushed(a) == [token]
    assert b.value("key") == c.value("key") == b"\x01"


def test_a_flush_of_nothing_new_still_asks() -> None:
    pump = Pump()
    a, _ = pump.cluster(2)
    token = a.node.flush(1, pump.now)
    pump.settle()
    assert flushed(a) == [token]


def test_a_flush_for_nobody_is_told_at_once() -> None:
    pump = Pump()
    a = pump.host(1)
    token = a.node.flush(0, pump.now)
    pump.settle()
    assert flushed(a) == [token]


def test_a_flush_waits_for_a_peer_that_does_not_read() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    b.to(a).reading = False
    for index in range(3000):
        a.node.data.write(b"key%d" % index, 0, b"x" * 400, pump.wall())
    token = a.node.flush(1, pump.now)
    pump.run(2.0)
    assert flushed(a) == []
    b.to(a).reading = True
    pump.settle()
    assert flushed(a) == [token]
    assert b.value("key2999") is not None


def test_a_flush_goes_on_with_a_new_link_and_a_new_peer() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    b.to(a).reading = False
    a.write("key")
    token = a.node.flush(1, pump.now)
    pump.settle()
    pump.cut(a.to(b))
    assert flushed(a) == []
    pump.run(1.0)
    assert flushed(a) == [token]
    token = a.node.flush(2, pump.now)
    pump.run(5.0)
    assert token not in flushed(a)
    c = pump.host(3)
    pump.join(c, a)
    pump.run(1.0)
    assert token in flushed(a)


def test_a_peer_that_left_is_not_counted_any_more() -> None:
    pump = Pump()
    a, b, c = pump.cluster(3)
    a.write("key")
    b.to(a).reading = False
    pump.settle()
    a.node.flush(2, pump.now)
    pump.settle()
    pump.kill(c)
    pump.run(1.0)
    assert flushed(a) == []


def test_an_answer_that_was_not_enough_is_asked_for_again() -> None:
    """The peer held less than this node thought that it had given: it asks until it does not."""
    pump = Pump()
    a, b = pump.cluster(2, probe_interval=100.0)  # a probe would tell of it, too
    channel = a.node._links.established()[0].channels[1]
    a.node.data.write(b"lost", 0, b"\x01", pump.wall())
    channel.progress.assume_equal()
    token = a.node.flush(1, pump.now)
    pump.run(0.4)
    assert flushed(a) == []
    assert a.count("frames_out", "flush") >= 2
    a.write("more")
    pump.settle()
    pump.run(0.2)
    assert flushed(a) == [token]
    assert b.value("lost") == b"\x01"


def test_many_flushes_share_their_questions() -> None:
    pump = Pump()
    a, _ = pump.cluster(2)
    asked = a.count("frames_out", "flush")
    tokens = []
    for index in range(100):
        a.node.data.write(b"key%d" % index, 0, b"\x01", pump.wall())
        tokens.append(a.node.flush(1, pump.now))
    pump.settle()
    assert flushed(a) == tokens
    assert a.count("frames_out", "flush") - asked <= 3


def test_flushes_are_bounded_and_can_be_forgotten() -> None:
    pump = Pump()
    a = pump.host(1)
    tokens = [a.node.flush(1, pump.now) for _ in range(FLUSHES_MAX + 10)]
    assert a.node.stats()["flushes"] == FLUSHES_MAX
    for token in tokens:
        a.node.forget(token)
    assert a.node.stats()["flushes"] == 0


@pytest.mark.parametrize("demand", [3, 5])
def test_a_flush_to_more_than_the_links_there_are_brings_more(demand: int) -> None:
    pump = Pump()
    hosts = pump.cluster(10, mesh_members=1, fanout_min=1)
    a = hosts[9]
    a.write("key")
    token = a.node.flush(demand + 1, pump.now)
    pump.run(5.0)
    assert flushed(a) == [token]
