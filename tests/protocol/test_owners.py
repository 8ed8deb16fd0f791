"""Owners of ephemeral keys: what a node's view of its members does to the keys that they wrote."""

from __future__ import annotations

import pytest

from vines._core.changes import Changes
from vines._core.retired import write_batch
from vines._core.table import EPHEMERAL, MEMBER, TOMBSTONE, Table
from vines.protocol.members.profile import stamp_of
from vines.protocol.replicas.batches import RETIRED
from vines.protocol.replicas.retiring import LOOK_SECONDS

from .pump import Host, Pump
from .test_members import record

EARLY, LATE = (bytes(7) + bytes([first]) + bytes(8) for first in (1, 2))
"""Two starts of one node, in the order in which they began."""


def holder(*sources: bytes) -> Host:
    """A node that holds an ephemeral key of each of these starts, and forgets no deletions."""
    host = Pump().host(1, collect_interval=1e9)
    table = Pump().host(99, port=0).node.data
    for source in sources:
        table.adopt(source)
        table.write(source, EPHEMERAL, b"\x01", 1)
    body = table.delta_for(host.node.data.vector(), 1 << 16)
    assert body is not None
    host.node.data.apply(body)
    return host


class Owner:
    """A node of which a holder learns by its records, whichever start writes them."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.tables: dict[bytes, Table] = {}

    def says(self, source: bytes, state: str = "alive", incarnation: int = 1) -> None:
        if source not in self.tables:
            self.tables[source] = Pump().host(99, port=0).node.control
            self.tables[source].adopt(source)
        control, node = self.tables[source], self.host.node
        value = record(2, source=source).encode()
        assert control.put(MEMBER, bytes(16), 0, value, stamp_of(incarnation, state))
        body, news = control.delta_for(node.control.vector(), 1 << 16), Changes()
        assert body is not None
        node.control.apply(body, 0, None, 0, news)
        node._parts.linking.learn(news, self.host.pump.now)


def seen(host: Host, source: bytes) -> str:
    """What became of the key of a start: shown, hidden or ended."""
    for _ in range(2):  # what a timer decides is done in the next turn, which it asks for
        host.node.advance(host.pump.now)
    held = host.node.data.get(0, source)
    assert held is not None
    if held[2] & TOMBSTONE:
        return "ended"
    return "hidden" if host.node.data.value(source) is None else "shown"


def test_the_key_of_a_stranger_is_hidden_until_it_is_known() -> None:
    host = holder(EARLY)
    assert seen(host, EARLY) == "hidden"
    Owner(host).says(EARLY)
    assert seen(host, EARLY) == "shown"


@pytest.mark.parametrize(("state", "then"), [("dead", "hidden"), ("left", "ended")])
def test_a_state_of_the_owner_and_what_follows(state: str, then: str) -> None:
    host = holder(EARLY)
    owner = Owner(host)
    owner.says(EARLY)
    owner.says(EARLY, state)
    assert seen(host, EARLY) == then
    owner.says(EARLY, incarnation=2)
    assert seen(host, EARLY) == ("shown" if state == "dead" else "ended")


@pytest.mark.parametrize("state", ["alive", "dead"])
def test_a_later_start_ends_what_the_earlier_one_owned_dead_or_alive(state: str) -> None:
    host = holder(EARLY, LATE)
    owner = Owner(host)
    owner.says(EARLY, state)
    owner.says(LATE, incarnation=2)
    assert (seen(host, EARLY), seen(host, LATE)) == ("ended", "shown")


def test_an_earlier_start_that_is_heard_of_later_hides_only() -> None:
    """Two processes of one identity contradict each other, and the later one keeps it."""
    host = holder(EARLY, LATE)
    owner = Owner(host)
    owner.says(LATE)
    owner.says(EARLY, incarnation=2)
    assert (seen(host, EARLY), seen(host, LATE)) == ("shown", "hidden")
    owner.says(LATE, incarnation=3)
    assert (seen(host, EARLY), seen(host, LATE)) == ("ended", "shown")


def looks(host: Host) -> None:
    """Time enough for a node to retire a source, if it may: as one that has links does."""
    for _ in range(3):
        host.pump.now += LOOK_SECONDS
        while host.node._parts.retiring.deadline() <= host.pump.now:
            host.node._parts.retiring.advance(host.pump.now)


@pytest.mark.parametrize("state", ["dead", "left"])
def test_who_is_gone_for_long_is_gone_for_good_once_its_source_is_retired(state: str) -> None:
    host = holder(EARLY)
    owner = Owner(host)
    owner.says(EARLY)
    owner.says(EARLY, state)
    then = "hidden" if state == "dead" else "ended"
    assert seen(host, EARLY) == then
    host.pump.run(host.node.config.dead_retention + 1)
    assert seen(host, EARLY) == then
    assert not host.node.data.is_retired(EARLY)
    looks(host)
    assert host.node.data.is_retired(EARLY) and seen(host, EARLY) == "ended"


def test_an_owner_that_objects_after_that_time_and_before_it_is_retired_has_its_keys() -> None:
    host = holder(EARLY)
    owner = Owner(host)
    owner.says(EARLY)
    owner.says(EARLY, "dead")
    host.pump.run(host.node.config.dead_retention + 1)
    assert seen(host, EARLY) == "hidden"
    owner.says(EARLY, incarnation=2)
    looks(host)
    assert seen(host, EARLY) == "shown"


def test_a_later_death_begins_the_time_anew() -> None:
    host = holder(EARLY)
    owner, retention = Owner(host), host.node.config.dead_retention
    owner.says(EARLY)
    owner.says(EARLY, "dead")
    host.pump.run(0.9 * retention)
    looks(host)
    assert seen(host, EARLY) == "hidden"
    owner.says(EARLY, "dead", incarnation=2)
    host.pump.run(0.9 * retention)
    looks(host)
    assert seen(host, EARLY) == "hidden"
    host.pump.run(0.2 * retention)
    assert seen(host, EARLY) == "hidden"
    looks(host)
    assert seen(host, EARLY) == "ended"


def test_a_node_whose_source_is_retired_writes_its_own_anew() -> None:
    host = Pump().host(1)
    node, before = host.node, host.node.source
    node.data.write(b"k", EPHEMERAL, b"\x01", 1)
    other, news = Pump().host(99, port=0).node.control, Changes()
    other.put(RETIRED, b"any", 0, write_batch([(before, (1, 1))]), 0)
    body = other.delta_for(node.control.vector(), 1 << 16)
    assert body is not None
    node.control.apply(body, 0, None, 0, news)
    node._parts.retiring.learn(news, host.pump.now)
    assert node.source != before
    host.node.advance(host.pump.now)
    held = node.data.get(0, b"k")
    assert held is not None and held[1:] == (node.source, EPHEMERAL, b"\x01")


def test_a_node_that_takes_a_fresh_source_writes_its_own_anew() -> None:
    host = Pump().host(1)
    before = host.node.source
    host.node.data.write(b"k", EPHEMERAL, b"\x01", 1)
    host.node._parts._renew()
    host.node.advance(host.pump.now)
    held = host.node.data.get(0, b"k")
    assert held is not None and held[1:] == (host.node.source, EPHEMERAL, b"\x01")
    assert host.node.source != before and host.node.data.value(b"k") == b"\x01"
