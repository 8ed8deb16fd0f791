"""When suspects are due is kept, and is what a look at every accusation would say."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from vines.config import Config
from vines.events import ALIVE, DEAD
from vines.protocol.members.accusations import Accusation
from vines.protocol.members.profile import Profile, Sighting
from vines.protocol.members.suspicion import Suspicion

from .pump import label

COUNT = 8


def sighting(number: int, incarnation: int, state: str) -> Sighting:
    profile = Profile(
        name=f"n{number}",
        address=("127.0.0.1", 9000 + number),
        tags={},
        versions=(1, 1),
        observer=False,
        source=label(number),
    )
    return Sighting(label(number), incarnation, state, profile)


@dataclass
class Members:
    """A view of members that changes as a test says; their number counts as always the same."""

    known: dict[bytes, Sighting] = field(default_factory=dict)
    alive: int = COUNT

    def get(self, member: bytes) -> Sighting | None:
        return self.known.get(member)

    def living(self) -> frozenset[bytes]:
        return frozenset(each.id for each in self.known.values() if each.state == ALIVE)


def step(chance: random.Random, suspicion: Suspicion, members: Members, now: float) -> None:
    number = chance.randrange(1, COUNT)
    member = label(number)
    match chance.randrange(8):
        case 0:
            incarnation = members.known[member].incarnation + chance.randrange(2)
            state = chance.choice((ALIVE, ALIVE, DEAD))
            members.known[member] = sighting(number, incarnation, state)
            suspicion.changed(member, now)
        case 1 if member in suspicion:
            suspicion.heard(member, now - chance.random())
        case 2:
            suspicion.forgive(chance.random(), now)
        case 3 if member in suspicion:
            suspicion.drop(member)
        case _:
            accuser = label(chance.randrange(0, COUNT))
            incarnation = members.known[member].incarnation + chance.choice((0, 0, 0, 1))
            proved = chance.random() < 0.3
            suspicion.note(Accusation(member, accuser, incarnation, proved, accuser), now)


@pytest.mark.parametrize("seed", range(20))
def test_they_are_what_a_look_at_every_accusation_would_say(seed: int) -> None:
    chance = random.Random(seed)
    members = Members({label(each): sighting(each, 0, ALIVE) for each in range(1, COUNT)})
    identity: Any = SimpleNamespace(id=label(0), profile=sighting(0, 0, ALIVE).profile)
    suspicion = Suspicion(Config(), identity, members)  # type: ignore[arg-type]
    seen = 0
    for turn in range(300):
        now = turn * 0.1
        step(chance, suspicion, members, now)
        ends = {member: suspicion._end(member) for member in suspicion}
        assert suspicion.deadline() == min(ends.values(), default=float("inf"))
        for later in (now, now + 5.0, now + 30.0):
            assert set(suspicion.due(later)) == {each for each, end in ends.items() if end <= later}
        assert {each for each in suspicion if suspicion.proved_by(each)} <= set(suspicion.tried())
        seen += len(ends)
    assert seen > 300
