"""What a cluster promises of data, K1 to K8, each under its name, where users meet it, and
that each check notices.

K1 to K5 are looked at after every step and at rest (vines/simulation/checks.py, oracle.py, rest.py,
where their violations carry the names), K6 at every write, here and in `churning`. K2 as algebra is
in tests/core/test_table.py. K7 and K8 are what a user can count on without looking at any table.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from random import Random

import pytest

from tests.simulation.churning import HOUR, KEYS, Churn
from vines.simulation import Host, Simulation, Violation

Patch = pytest.MonkeyPatch
NODES = 4
STEPS = 120
SKEWS = (-3600.0, -1.0, 0.0, 1.0, 3600.0)


class Counting:
    """Every process counts under a key of its own; the counter is the sum of all of these."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(f"counting {seed}")
        self.simulation = Simulation(seed, nodes=NODES, durable=1)
        self.acknowledged: Counter[str] = Counter()
        """Increments, by key, that came back to whoever asked for them."""
        self.spread: dict[str, int] = {}
        """How many of these others held when the process that counted there ended."""
        self.simulation.run(2.0)

    def live(self) -> None:
        """Count through partitions, crashes and clocks that are set, then come to rest."""
        for _ in range(STEPS):
            host = self.rng.choice(self.simulation.nodes)
            match self.rng.randrange(12):
                case 0:
                    cut = self.rng.randint(1, NODES - 1)
                    self.simulation.partition(
                        self.simulation.nodes[:cut], self.simulation.nodes[cut:]
                    )
                case 1 | 2:
                    self.simulation.heal()
                case 3:
                    self._crash(host)
                case 4:
                    host.skew = self.rng.choice(SKEWS)
                case _:
                    self._increment(host)
            self.simulation.run(self.rng.choice((0.0, 0.01, 1.0)))
        self.simulation.settle()
        for host in self.simulation.nodes:
            k7_sum(self, host)

    def _increment(self, host: Host) -> None:
        key = counter_of(host)
        expected = host.get(key, 0) + 1
        host.gossip(key, expected)
        self.acknowledged[key] += 1
        k8_own(host, key, expected)

    def _crash(self, host: Host) -> None:
        key = counter_of(host)
        others = [each for each in self.simulation.nodes if each is not host]
        self.spread[key] = max(each.get(key, 0) for each in others)
        host.restart()


def counter_of(host: Host) -> str:
    assert host.process is not None
    return f"count/{host.process.name}"


def k7_sum(counting: Counting, host: Host) -> None:
    """K7: a counter is the sum of the acknowledged increments; those that a process took with it
    which ended before anybody else had them may be in it or not.
    """
    acknowledged = counting.acknowledged
    held = {key: host.get(key, 0) for key in acknowledged}
    least = sum(counting.spread.get(key, count) for key, count in acknowledged.items())
    if not least <= sum(held.values()) <= acknowledged.total():
        raise Violation(
            f"K7: {host.name} counts {sum(held.values())}, of {acknowledged.total()}"
            f" increments, {least} of them surely everywhere"
        )


def k8_own(host: Host, key: str, expected: object) -> None:
    """K8: who has written reads that at once."""
    if host.get(key) != expected:
        raise Violation(f"K8: {host.name} reads {host.get(key)} of {key}, and wrote {expected}")


@pytest.mark.parametrize("seed", range(8))
def test_k7_counters_are_the_sum_of_acknowledged_increments(seed: int) -> None:
    counting = Counting(seed)
    counting.live()
    assert counting.acknowledged.total() > STEPS // 3
    assert counting.spread


# -- planted bugs


def stamp_by_the_clock_alone(simulation: Simulation) -> None:
    """A clock that went back puts a write below what is held, and so loses it."""
    for host in simulation.nodes:
        host.__dict__["write"] = partial(_stamp_by_the_clock, host)


def _stamp_by_the_clock(host: Host, key: bytes, flags: int, value: bytes, left: int = 0) -> None:
    host.put(0, key, flags, value, host.wall_clock() << 16, left)


def live_so(seeds: range) -> None:
    for seed in seeds:
        counting = Counting(seed)
        stamp_by_the_clock_alone(counting.simulation)
        counting.live()


def test_k8_a_write_below_what_is_held_is_noticed() -> None:
    with pytest.raises(Violation, match="K8: node-"):
        live_so(range(8))


@pytest.mark.parametrize(
    ("act", "what"),
    [
        (lambda churn: churn._write_at(churn._running(), "k0"), "K8: what was written"),
        (lambda churn: churn._delete(), "K8: what was deleted"),
    ],
    ids=["write", "delete"],
)
def test_k8_it_is_noticed_in_months_of_churn(act: Callable[[Churn], None], what: str) -> None:
    churn = Churn(0)
    for number in range(KEYS):
        for host in churn.simulation.nodes:
            churn._write_at(host, f"k{number}")
    stamp_by_the_clock_alone(churn.simulation)
    for host in churn.simulation.nodes:
        host.skew = -2 * HOUR
    with pytest.raises(AssertionError, match=what):
        act(churn)


def test_k6_a_write_over_one_from_a_clock_far_ahead_moves_no_clock() -> None:
    churn = Churn(0)
    first, second = churn.simulation.nodes[:2]
    first.skew = HOUR
    churn._write_at(first, "k0")
    churn.simulation.run(10.0)
    churn._write_at(second, "k0")
    churn._write_at(second, "k1")
    assert stamp_of(second, "k1") < stamp_of(second, "k0")
    second.gossip("k0", "a stamp that nothing explains")
    with pytest.raises(AssertionError, match="K6: a stamp fell"):
        churn._stamped(second, "k0", 0)


def test_k6_a_write_that_moves_no_clock_is_noticed() -> None:
    churn = Churn(0)
    host = churn.simulation.nodes[0]
    churn._write_at(host, "k0")
    host.__dict__["write"] = lambda key, flags, value, left=0: host.put(
        0, key, flags, value, stamp_of(host, "k0") + 1, left
    )
    with pytest.raises(AssertionError, match="K6: a clock fell"):
        churn._write_at(host, "k0")


def stamp_of(host: Host, key: str) -> int:
    process = host.process
    assert process is not None
    held = process.node.data.get(0, key.encode())
    assert held is not None
    return held[0]


def test_k7_an_acknowledged_increment_that_is_lost_is_noticed(monkeypatch: Patch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "k8_own", lambda *_: None)
    with pytest.raises(Violation, match="K7: node-"):
        live_so(range(8))


def test_k7_an_increment_that_is_counted_twice_is_noticed() -> None:
    counting = Counting(0)
    counting.live()
    first = counting.simulation.nodes[0]
    first.gossip(counter_of(first), first.get(counter_of(first), 0) + NODES * STEPS)
    with pytest.raises(Violation, match="K7: node-1"):
        k7_sum(counting, first)
