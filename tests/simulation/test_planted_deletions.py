"""Bugs of deleting for good, planted in the core one at a time: whole nodes run into each.

Beside those that random runs find (test_planted.py): these take a member that was away, a clock
that is wrong or a stream that is slow, at the right moment. What was written for each bug finds it,
and finds nothing without one. tests/core/test_table_deleting.py has a test of tables alone for
each.

Two bugs are found by that one only: to collect by a cut that is older than this node's vector, and
to collect while a record lies above it. What was deleted would have to come late, out of a frame
that was written before its author knew of the deletion, and later than the reports of two rounds
that were written after it. Streams keep the order of their frames, and who reports has its data
asked for elsewhere as soon as its report: no schedule of whole nodes was found in which that was.

Runs with bugs against a core built with VINES_BUILD=debug (`./run planted`).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vines._core import table
from vines.simulation import Host, Simulation, Violation
from vines.simulation.network import Conditions

RETENTION = 10.0
CONFIG = {"dead_retention": RETENTION, "collect_interval": 1.0, "suspicion_factor": 1.0}
LONG_SECONDS = RETENTION + 20.0
"""Until nobody waits any more for who is away, and all is forgotten that was deleted since."""
YEAR_MILLISECONDS = 365 * 24 * 3600 * 1000


def filled(nodes: int = 4, **conditions: float) -> Simulation:
    """A cluster that holds some keys everywhere."""
    simulation = Simulation(5, nodes=nodes, config=CONFIG, conditions=Conditions(**conditions))
    simulation.run(3.0)
    for number in range(6):
        simulation.nodes[number % nodes].gossip(f"k{number}", number)
    simulation.run(3.0)
    return simulation


def tombstones(*hosts: Host) -> list[int]:
    return [host.process.node.data.tombstones for host in hosts if host.process is not None]


# -- what finds them


def come_back_after_deletions() -> None:
    """A member is away until what others delete is forgotten; they go on to delete when it comes
    back, and it has written meanwhile.
    """
    simulation = filled()
    *there, away = simulation.nodes
    simulation.partition(there, [away])
    simulation.run(1.0)
    there[0].delete("k0")
    there[1].gossip("k1", "newer")
    there[1].gossip("k5", "newer")
    simulation.run(1.0)
    there[2].delete("k5")
    away.gossip("mine", 1)
    away.gossip("k2", "mine")
    simulation.run(LONG_SECONDS)
    assert tombstones(*there) == [0, 0, 0]
    simulation.heal()
    for number in range(20):
        there[number % 3].gossip("busy", number)
        simulation.run(0.05)
    there[2].delete("k3")
    simulation.run(LONG_SECONDS)
    simulation.settle()
    for host in simulation.nodes:
        assert host.keys() == ["busy", "k1", "k2", "k4", "mine"]
        assert (host.get("k1"), host.get("k2")) == ("newer", "mine")
    assert tombstones(*simulation.nodes) == [0, 0, 0, 0]


def come_back_before_the_deletion_is_forgotten() -> None:
    """As long as others hold a deletion, who joins gets it."""
    simulation = filled()
    *there, away = simulation.nodes
    simulation.partition(there, [away])
    simulation.run(1.0)
    there[0].delete("k0")
    simulation.run(LONG_SECONDS)
    simulation.partition(there[:2], there[2:])
    there[1].delete("k1")
    simulation.run(1.0)
    simulation.network.open([*there[:2], away], [*there[:2], away])
    simulation.run(5.0)
    assert "k1" not in away
    simulation.settle()


def hear_of_a_lower_write_when_a_higher_one_was_deleted() -> None:
    """Two are away: one wrote a key before it was overwritten and then deleted, the other holds
    what was overwritten; what neither those who deleted it nor that one knew of is there at last.
    """
    simulation = filled()
    *there, writer, holder = simulation.nodes
    simulation.partition([*there, holder], [writer])
    writer.gossip("k0", "low")
    simulation.run(1.0)
    there[0].gossip("k0", "high")
    simulation.run(1.0)
    simulation.partition(there, [holder])
    simulation.partition([writer], [holder])
    there[1].delete("k0")
    simulation.run(LONG_SECONDS)
    assert tombstones(*there) == [0, 0]
    simulation.network.open([*there, writer], [*there, writer])
    simulation.run(10.0)
    assert there[0]["k0"] == "low"
    simulation.settle()
    assert {host.get("k0") for host in simulation.nodes} == {"low"}


def write_after_a_join() -> None:
    """A clock is ahead, and what was deleted by it is forgotten by some; who joins these writes
    above it.
    """
    simulation = filled(3)
    first, second, third = simulation.nodes
    first.skew = 30.0
    simulation.run(1.0)
    first.delete("k0")
    simulation.run(12.0)
    assert tombstones(*simulation.nodes) == [0, 1, 1]
    simulation.partition([first, third], [second])
    third.restart([first])
    simulation.run(10.0)
    third.gossip("k0", "new")
    simulation.settle()
    assert {host.get("k0") for host in simulation.nodes} == {"new"}


def delete_what_was_stamped_far_ahead() -> None:
    """A key has a stamp of next year, and so has its deletion: it stays until then."""
    simulation = filled(3)
    first, second, third = simulation.nodes
    first.put(0, b"k0", 0, b"\x01", first.wall_clock() + YEAR_MILLISECONDS << 16)
    simulation.run(1.0)
    second.delete("k0")
    simulation.run(12.0)
    third.restart([first])
    simulation.run(5.0)
    third.gossip("k0", "new")
    simulation.settle()
    assert {host.get("k0") for host in simulation.nodes} == {"new"}


def delete_one_after_the_other() -> None:
    """Deletions are under way while others are being forgotten."""
    simulation = filled(latency=0.05)
    for number in range(400):
        host = simulation.nodes[number % 4]
        host.gossip(f"k{number % 7}", number)
        simulation.nodes[(number + 1) % 4].delete(f"k{(number + 3) % 7}")
        simulation.run(0.03)
    simulation.settle()
    simulation.run(30.0)
    assert tombstones(*simulation.nodes) == [0, 0, 0, 0]


def write_while_joining() -> None:
    """Who was away writes all the while as it joins the others."""
    simulation = filled(latency=0.02)
    *there, away = simulation.nodes
    simulation.partition(there, [away])
    simulation.run(1.0)
    there[0].delete("k0")
    simulation.run(LONG_SECONDS)
    simulation.heal()
    for number in range(500):
        away.gossip(f"own/{number}", number)
        simulation.run(0.02)
    simulation.settle()
    assert len(there[0].keys()) == 5 + 500


def join_from_one_who_was_away_itself() -> None:
    """One overwrites a key, another deletes it, and only the first of two who were away knew the
    former: it joins, and then the second meets nobody else.
    """
    simulation = filled()
    first, second, third, fourth = simulation.nodes
    simulation.partition([first, second, third], [fourth])
    second.gossip("k0", "over")
    simulation.run(1.0)
    simulation.partition([first, second], [third])
    simulation.partition([third], [fourth])
    first.delete("k0")
    simulation.run(LONG_SECONDS)
    assert tombstones(first, second) == [0, 0]
    simulation.network.open([first, second, third], [first, second, third])
    simulation.run(10.0)
    assert "k0" not in third
    simulation.partition([first, second], [third])
    simulation.network.open([third, fourth], [third, fourth])
    fourth.join([third])
    simulation.run(10.0)
    assert "k0" not in fourth
    simulation.settle()


CAUGHT_BY: dict[str, Callable[[], None]] = {
    "push_below_a_floor": come_back_after_deletions,
    "join_trusts_absence_above_the_vector": write_while_joining,
    "join_by_position": come_back_after_deletions,
    "never_collected": delete_one_after_the_other,
    "join_without_tombstones": come_back_before_the_deletion_is_forgotten,
    "join_takes_the_maximum_first": hear_of_a_lower_write_when_a_higher_one_was_deleted,
    "no_floor_stamp": write_after_a_join,
    "collected_before_the_clock": delete_what_was_stamped_far_ahead,
    "collected_before_the_slowest": delete_one_after_the_other,
    "floors_not_handed_on": join_from_one_who_was_away_itself,
}


@pytest.mark.parametrize("find", dict.fromkeys(CAUGHT_BY.values()), ids=lambda find: find.__name__)
def test_without_a_bug_nothing_is_found(find: Callable[[], None]) -> None:
    find()


@pytest.mark.planted
@pytest.mark.parametrize("bug", CAUGHT_BY)
def test_whole_nodes_run_into_the_planted_bug(bug: str) -> None:
    table.plant(table.PLANTED[bug])
    try:
        with pytest.raises((AssertionError, Violation)):
            CAUGHT_BY[bug]()
    finally:
        table.plant(0)
