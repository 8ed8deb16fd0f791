"""An electorate: who may vote in one election, by rank, what each weighs, and what a quorum is.

It is pinned by the election's identity: members who come, go or die do not change it. Everything
an election says of a voter says its rank. Ranks are the order of a hash of the election and the
voter (rendezvous hashing: Thaler and Ravishankar, "A name-based mapping scheme for rendezvous",
1996), so that every election prefers another claimant, and nobody has to agree on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from vines._core.tally import Roll

ID_BYTES: Final = 16
VOTER_BYTES_MAX: Final = 255
VOTERS_MAX: Final = 10_000
SEARCHED_MAX: Final = 16
"""Voters up to which their ranks are looked for one by one: most elections have few."""


def instance_id(
    namespace: bytes,
    topic: str,
    round: int,
    roll: Mapping[bytes, int],
    *,
    signup: bytes = b"",
    council: int = 0,
    tiebreak: bool = False,
) -> bytes:
    """The 16 bytes that name an election: equal for all who mean the same electorate by it.

    `namespace` holds the cluster's label and its epoch. What decides what a quorum is must be in
    here, council and tiebreak too: two quorums of one election have to share a member.
    """
    state = blake2b(digest_size=ID_BYTES, person=b"vines election")
    for part in (namespace, topic.encode(), signup):
        state.update(len(part).to_bytes(4, "big") + part)
    state.update(round.to_bytes(8, "big") + council.to_bytes(4, "big") + bytes((tiebreak,)))
    for voter, weight in sorted(roll.items()):
        state.update(bytes((len(voter),)) + voter + weight.to_bytes(8, "big"))
    return state.digest()


class Electorate:
    """The voters of one election. `council`: only so many of the first ranks decide (0: all);
    everybody votes all the same. `tiebreak`: with half of the weight, the side of rank 0 decides.

    Raises ValueError.
    """

    __slots__ = ("_half", "_ranks", "acceptors", "iid", "roll", "strengths", "total", "voters")

    def __init__(
        self, iid: bytes, roll: Mapping[bytes, int], *, council: int = 0, tiebreak: bool = False
    ) -> None:
        if not 0 < len(roll) <= VOTERS_MAX:
            raise ValueError(f"an election has 1 to {VOTERS_MAX:,} voters, not {len(roll):,}")
        if not all(0 < len(voter) <= VOTER_BYTES_MAX for voter in roll):
            raise ValueError(f"a voter is named by 1 to {VOTER_BYTES_MAX} bytes")
        if not 0 <= council <= len(roll):
            raise ValueError("a council is a part of the voters")
        self.iid = iid
        self.voters = tuple(
            sorted(
                roll, key=lambda voter: (blake2b(voter, digest_size=16, key=iid).digest(), voter)
            )
        )
        weights = [roll[voter] for voter in self.voters]
        self.roll = _weigh(tuple(weights))
        self.total = self.roll.total
        self.acceptors = council or len(weights)
        """Ranks below this one decide."""
        strengths = [2 * weight for weight in weights[: self.acceptors]]
        self._half = sum(strengths) // 2
        if self._half == 0:
            raise ValueError("those who decide weigh nothing")
        strengths[0] += tiebreak
        self.strengths = (*strengths, *(0,) * (len(weights) - self.acceptors))
        """What each rank counts in a quorum: twice its weight, half a vote more for a tiebreak."""
        many = len(self.voters) > SEARCHED_MAX
        self._ranks = {voter: rank for rank, voter in enumerate(self.voters)} if many else None

    def __len__(self) -> int:
        return len(self.voters)

    def rank(self, voter: bytes) -> int:
        """The rank of a voter; -1 if it is none."""
        if self._ranks is not None:
            return self._ranks.get(voter, -1)
        return self.voters.index(voter) if voter in self.voters else -1

    def is_quorum(self, strength: int) -> bool:
        """Whether ranks of this summed strength are more than half: any two such share one."""
        return strength > self._half

    def is_lost_without(self, ranks: int) -> bool:
        """Whether no quorum is left without these ranks, given as bits."""
        return not self.is_quorum(sum(self.strengths) - self.strength(ranks))

    def strength(self, ranks: int) -> int:
        """The summed strength of a set of ranks, given as bits."""
        total = 0
        while ranks:
            low = ranks & -ranks
            total += self.strengths[low.bit_length() - 1]
            ranks ^= low
        return total


@lru_cache(maxsize=256)
def _weigh(weights: tuple[int, ...]) -> Roll:
    """The same weights are one object, however many elections there are."""
    return Roll(weights)


@lru_cache(maxsize=256)
def equal_roll(voters: frozenset[bytes]) -> tuple[tuple[bytes, int], ...]:
    """These voters with one vote each; the same ones are one object, too."""
    return tuple((voter, 1) for voter in sorted(voters))
