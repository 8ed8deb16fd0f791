"""Stamps, counters and incarnations at their limits: what a member says with the highest there is
ends nobody's loop, and stops no write but that of the very key."""

from __future__ import annotations

import pytest

from vines._core.retired import write_batch
from vines._core.table import CALL, DECISION, EPHEMERAL, MEMBER, TOMBSTONE, VOTE
from vines.errors import LocalError
from vines.events import Conflict, KeysChanged
from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import Criteria
from vines.protocol.members.accusations import ACCUSATION
from vines.protocol.replicas.batches import BATCH, RETIRED
from vines.protocol.replicas.collecting import REPORT
from vines.protocol.replicas.joining import FLOOR_AHEAD
from vines.protocol.replicas.retiring import TRIED_AT_ONCE
from vines.protocol.wire.messages import CONTROL, DATA, END, Delta, Floor, Snapshot

from ..core.forms import Record
from ..core.kinds import frame, record, span
from .pump import Host, Pump
from .test_hostile_turns import linked
from .test_replication import equal

STAMP_MAX = (1 << 63) - 1
HIGHEST = (1 << 48) - 1, (1 << 48) - 1
"""No source can have numbered more in either table."""
BAD = b"\x7f" * 16
OTHER = b"\x7e" * 16


def tell(liar: Host, victim: Host, table: int, source: bytes, *records: Record) -> None:
    """Let one member send another records as the first ones of a source."""
    rows = [(number, each) for number, each in enumerate(records, 1)]
    body = frame(span(source, 0, len(rows), *rows))
    link = victim.route(liar)
    assert link is not None
    victim.node.receive(Delta(table, body).encode()[4:], link, victim.pump.now)


def of(host: Host) -> list[str]:
    return [event.text for event in host.of(Conflict) if event.kind == "source"]


def retirements(victim: Host, by: bytes, before: int) -> list[Record]:
    """Records that retire sources nobody knows, and then that of the victim."""
    nobody = [(b"%016d" % number, (1, 1)) for number in range(1, before)]
    batches = [nobody[at : at + BATCH] for at in range(0, len(nobody), BATCH)]
    last = victim.node.control.counter, victim.node.data.counter
    return [
        record(by + bytes(4), number, by, number, family=RETIRED, value=write_batch(batch))
        for number, batch in enumerate([*batches, [(victim.node.source, last)]], 1)
    ]


@pytest.mark.parametrize("before", [1, TRIED_AT_ONCE + 1], ids=["at once", "later"])
def test_a_key_in_this_nodes_name_that_none_can_be_written_over_ends_as_its_source_is_retired(
    before: int,
) -> None:
    pump = Pump()
    a, b, victim = pump.cluster(3)
    victim.node.watching = True
    victim.node.data.write(b"mine", EPHEMERAL, b"\x01", pump.wall())
    victim.write("plain")
    pump.run(1.0)
    old = victim.node.source
    forged = [
        record(b"forged", STAMP_MAX, BAD, 1, origin=old, flags=EPHEMERAL),
        record(b"high", STAMP_MAX - 1, BAD, 2, origin=old, flags=EPHEMERAL),
    ]
    tell(a, victim, DATA, BAD, *forged)
    tell(a, victim, CONTROL, BAD, *retirements(victim, BAD, before))
    pump.run(5.0)
    own = victim.node.source
    assert own != old and len(of(victim)) == 1
    # All parts of it say the same, and what can be is written as what it is now.
    assert victim.node.control.source == own == victim.node._parts.identity.profile.source
    assert victim.value("forged") is None and victim.value("mine") == b"\x01"
    told = [change[1] for event in victim.of(KeysChanged) for change in event.changes]
    assert b"forged" in told and b"mine" in told
    victim.write("after")
    with pytest.raises(LocalError):
        victim.write("forged")
    pump.run(5.0)
    for each in (a, b):
        assert each.value("mine") == each.value("after") == b"\x01"
        held = each.node.data.get(0, b"mine")
        assert held is not None and held[1] == own
        assert {member.name for member in each.node.members()} == {a.name, b.name, victim.name}
    assert equal(a, b, victim)


def test_of_many_keys_no_more_are_written_anew_in_a_turn_than_lapse_in_one() -> None:
    pump = Pump()
    a, b = pump.cluster(2)
    for number in range(3000):
        b.node.data.write(b"%d" % number, EPHEMERAL, b"\x01", pump.wall())
    pump.run(1.0)
    tell(a, b, CONTROL, BAD, *retirements(b, BAD, 1))
    counts = []
    while b.node.data.due() <= pump.now:
        counts.append(b.node.data.counter)
        b.node.advance(pump.now)
    assert counts == [0, 1024, 2048] and b.node.data.counter == 3000
    pump.run(120.0)
    assert len(a.node.data) == 3000 and not a.node.data.hidden() and equal(a, b)


@pytest.mark.parametrize("stamp", [STAMP_MAX, STAMP_MAX - 1, STAMP_MAX - 2, STAMP_MAX - 3])
@pytest.mark.parametrize("family", [MEMBER, ACCUSATION, RETIRED, REPORT, DECISION, CALL, VOTE])
def test_records_at_the_highest_stamps_about_a_node_end_nothing_of_it(
    family: int, stamp: int
) -> None:
    pump = Pump()
    a, b, victim = pump.cluster(3)
    me, source = victim.node.id, victim.node.source
    election = victim.node.elections()
    keys = {me, source, me + a.node.id, a.node.id + me, me + b"topic", source + me}
    mine = victim.node.control.get(MEMBER, me)
    assert mine is not None
    rows = [
        record(key, stamp, BAD, number, family=family, origin=origin, flags=flags, value=value)
        for number, (key, origin, flags, value) in enumerate(
            (
                (key, origin, flags, b"" if flags else value)
                for key in sorted(keys)
                for origin in (source, a.node.source)
                for value in (mine[3], write_batch([(source, HIGHEST)]))
                for flags in (0, TOMBSTONE)
            ),
            1,
        )
    ]
    tell(a, victim, CONTROL, BAD, *rows)
    pump.run(1.0)
    victim.node.tags({"role": "db"}, pump.now)
    election.call("topic", Call(Criteria((), 2), 2, 60.0), pump.now)
    victim.write("key")
    victim.node.data.write(b"key", TOMBSTONE, b"", pump.wall())
    tell(b, victim, CONTROL, OTHER, *retirements(victim, OTHER, 1))
    pump.run(70.0)
    victim.node.leave(pump.now)
    pump.run(5.0)
    assert (victim.node.source != source) or family == RETIRED


def test_no_stamp_of_data_or_of_a_floor_stops_the_writes_of_others_keys() -> None:
    host, peer = linked()
    node, limit = host.node, host.node._parts.handshake.stamp_limit()
    rows = [
        record(b"high %d" % stamp, stamp, BAD, number, flags=flags)
        for number, (stamp, flags) in enumerate(
            ((stamp, flags) for stamp in (STAMP_MAX, limit + 1, limit) for flags in (0, TOMBSTONE)),
            1,
        )
    ]
    peer.say(Delta(DATA, frame(span(BAD, 0, len(rows), *((n, r) for n, r in enumerate(rows, 1))))))
    peer.say(Floor(DATA))
    floors = bytes([4, 3]) + b"\xff" * 8 + b"\x7f" + OTHER + b"\x01\x01"
    peer.say(Snapshot(DATA, 1, 0, floors))
    peer.say(Snapshot(DATA, END, 0, bytes([2])))
    assert node.data.covered(OTHER) == 1, "the join is over"
    assert node.data.clock <= limit and node.data.floor_stamp <= limit + FLOOR_AHEAD
    for number in range(100):
        host.write(f"key {number}")
        assert host.value(f"key {number}") == b"\x01"
    assert node.data.clock <= limit + 200
