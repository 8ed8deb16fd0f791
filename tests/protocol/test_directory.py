"""The directory of members is what a look at each of them would find, after every change."""

from __future__ import annotations

import random

import pytest

from vines.events import ALIVE, DEAD, LEFT
from vines.protocol.members.directory import Directory
from vines.protocol.members.profile import Profile, Sighting

BEYOND = ("192.0.2.1", 9001)
ADDRESSES = [None, BEYOND, ("127.0.0.1", 9001), ("127.0.0.1", 9002), ("127.0.0.1", 9003)]


def sighting(chance: random.Random, member: bytes) -> Sighting:
    profile = Profile(
        name="a",
        address=chance.choice(ADDRESSES),
        tags={},
        versions=(1, 1),
        observer=chance.random() < 0.3,
        source=bytes(16),
    )
    return Sighting(member, 1, chance.choice((ALIVE, DEAD, LEFT)), profile)


@pytest.mark.parametrize("seed", range(20))
def test_it_is_what_a_look_at_every_member_would_find(seed: int) -> None:
    chance = random.Random(seed)
    directory, members = Directory(lambda address: address != BEYOND), dict[bytes, Sighting]()
    for _ in range(200):
        member = bytes([chance.randrange(8)]) * 16
        old = members.pop(member, None)
        new = sighting(chance, member) if chance.random() < 0.8 else None
        if new is not None:
            members[member] = new
        directory.change(old, new)
        alive = {each.id: each.profile for each in members.values() if each.state == ALIVE}
        listening = {each: profile.address for each, profile in alive.items() if profile.address}
        dialable = {each: where for each, where in listening.items() if where != BEYOND}
        assert directory.dialable == dialable
        assert directory.fellows == {
            each: address for each, address in dialable.items() if not alive[each].observer
        }
        assert set(directory.hidden) == alive.keys() - listening.keys()
        assert directory.buried == {
            each.id: each.profile.address
            for each in members.values()
            if each.state == DEAD and each.profile.address not in (None, BEYOND)
        }
        for address in filter(None, ADDRESSES):
            there = {each for each, where in listening.items() if where == address}
            assert set(directory.at(address)) == there
