"""Two and three nodes dialling each other at random, with streams that break anywhere.

Whatever happened before: once the weather is calm every pair keeps exactly one stream, both ends
mean the same one, and nobody dials any more.
"""

from __future__ import annotations

import random

import pytest

from .pump import End, Host, Pump


class Weather(Pump):
    """Frames are read one at a time, from a stream drawn at random; streams break at random."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.chance = random.Random(seed)
        self.held = True

    def ends(self) -> list[End]:
        return [end for host in self.hosts for end in host.ends.values()]

    def storm(self, steps: int) -> None:
        for _ in range(steps):
            self.now += self.chance.choice((0.0, 0.001, 0.02, 0.3))
            self.step()
            ends = self.ends()
            if not ends:
                continue
            end = self.chance.choice(ends)
            match self.chance.random():
                case drawn if drawn < 0.03:
                    self.cut(end)
                case drawn if drawn < 0.06:
                    self.lose(end)
                case drawn if drawn < 0.08:
                    self.redial(self.chance.choice(self.hosts))
                case _:
                    self.read(end)

    def redial(self, host: Host) -> None:
        """Somebody is told of an address once more, under another name."""
        other = self.chance.choice(self.hosts)
        assert other.address is not None
        alias = ("localhost", other.address[1])
        self.listeners[alias] = other
        host.node.join([alias], self.now)

    def calm(self, seconds: float) -> None:
        self.held = False
        self.run(seconds)


def check_pairs(pump: Pump) -> None:
    for host in pump.hosts:
        for other in pump.hosts:
            if other is host:
                continue
            mine = [end for end in host.ends.values() if end.peer.host is other and end.peer.open]
            assert len(mine) == 1, f"{host.name} has {len(mine)} streams to {other.name}"
            assert host.route(other) == mine[0].number
            assert other.route(host) == mine[0].peer.number


@pytest.mark.parametrize("seed", range(24))
def test_every_pair_ends_with_one_stream_and_nobody_dials(seed: int) -> None:
    pump = Weather(seed)
    hosts = [pump.host(number) for number in range(1, 3 + seed % 2)]
    for host in hosts:
        pump.join(host, pump.chance.choice(hosts))
    pump.join(hosts[-1], hosts[0])
    pump.storm(400)
    pump.calm(60.0)
    check_pairs(pump)
    dialled = [len(host.dials) for host in hosts]
    streams = {end.stream for end in pump.ends()}
    pump.calm(60.0)
    assert [len(host.dials) for host in hosts] == dialled
    assert {end.stream for end in pump.ends()} == streams
    assert not [error for host in hosts for error in host.errors]
    prints = {host.node.control.fingerprint() for host in hosts}
    assert len(prints) == 1
