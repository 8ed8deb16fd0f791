"""An electorate: who may vote in one election, by rank, what each weighs, and what a quorum is.

It is pinned by the election's identity: members who come, go or die do not change it. Everything
an election says of a voter says its rank. Ranks are the order of a hash of the election and the
voter (rendezvous hashing: Thaler and Ravishankar, "A name-based mapping scheme for rendezvous",
1996), so that every election prefers another claimant, and nobody has to agree on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Final, TypeAlias

import cython

from vines._core import tally
from vines._core.rendezvous import ranked
from vines.hashes import blake2b
from vines.protocol.elections.facts import Facts
from vines.protocol.elections.remembering import FEW, remembered

ID_BYTES: Final = 16
VOTER_BYTES_MAX: Final = 255
VOTERS_MAX: Final = 10_000
SEARCHED_MAX: Final = 16
"""Voters up to which their ranks are looked for one by one: most elections have few."""

Roll: TypeAlias = tuple[tuple[bytes, int], ...]
"""Voters and their weights, ascending."""

FEW_IN_ORDER: Final = 7
"""Voters whose orders are one object for all elections that have the same."""
ORDERS_MAX: Final = 1024
NO_ID: Final = bytes(ID_BYTES)
"""In place of the id of an electorate that is only looked at."""

_SHAPE: Final = Struct(">QI?")
_SIZE: Final = Struct(">I")


def instance_id(
    namespace: bytes,
    topic: str,
    round: int,
    roll: Roll | Mapping[bytes, int],
    signup: bytes = b"",
    council: int = 0,
    tiebreak: bool = False,
) -> bytes:
    """The 16 bytes that name an election: equal for all who mean the same electorate by it.

    `namespace` holds the cluster's label and its epoch. What decides what a quorum is must be in
    here, council and tiebreak too: two quorums of one election have to share a member.
    """
    voters = roll if isinstance(roll, tuple) else tuple(sorted(roll.items()))
    return id_with(namespace, topic, id_ending(voters, signup, round, council, tiebreak))


def id_with(namespace: bytes, topic: str, ending: bytes) -> bytes:
    """The same of what its last part was made for."""
    text = topic.encode()
    global _last_begun  # mostly all are of one namespace
    last = _last_begun  # looked at once: the nodes of a process have a thread each
    if last[0] != namespace:
        _last_begun = last = (namespace, _begun(namespace))
    state = last[1].copy()
    state.update(b"".join((len(text).to_bytes(4, "big"), text, ending)))
    return state.digest()


def _begun(namespace: bytes) -> blake2b:
    """The hash of an id, as far as the namespace."""
    state = blake2b(digest_size=ID_BYTES, person=b"vines election")
    state.update(_SIZE.pack(len(namespace)) + namespace)
    return state


_last_begun: tuple[bytes, blake2b] = (b"", _begun(b""))


@remembered(FEW)
def id_ending(roll: Roll, signup: bytes, round: int, council: int, tiebreak: bool) -> bytes:
    """What follows the topic in an id: the same in many."""
    head = _SIZE.pack(len(signup)) + signup + _SHAPE.pack(round, council, tiebreak)
    return head + b"".join(
        bytes((len(voter),)) + voter + weight.to_bytes(8, "big") for voter, weight in sorted(roll)
    )


def bit(rank: int) -> int:
    """A rank in a set of ranks: such sets are numbers, a bit for each rank, of any length."""
    return 1 << rank


@cython.no_gc
@cython.cclass
class Electorate:
    """The voters of one election. `council`: only so many of the first ranks decide (0: all);
    everybody votes all the same. `tiebreak`: with half of the weight, the side of rank 0 decides.
    `first`: the voter of rank 0, if it is one, whatever the hash.

    Raises ValueError.
    """

    __slots__ = ("_ranks", "shared", "voters")

    def __init__(
        self,
        iid: bytes,
        roll: Roll | Mapping[bytes, int],
        *,
        council: int = 0,
        tiebreak: bool = False,
        first: bytes = b"",
    ) -> None:
        given = roll if isinstance(roll, tuple) else tuple(sorted(roll.items()))
        voters = voters_of(given, council, tiebreak)
        order = ranked(iid or NO_ID, voters.names, first)
        self._stand(order, _shared(voters, order, council, tiebreak))

    def _stand(self, order: tuple[bytes, ...], shared: Strength) -> None:
        self.voters = order
        self.shared = shared
        many = len(order) > SEARCHED_MAX
        self._ranks = {voter: rank for rank, voter in enumerate(order)} if many else None

    def __len__(self) -> int:
        return len(self.voters)

    def rank(self, voter: bytes) -> int:
        """The rank of a voter; -1 if it is none."""
        if self._ranks is not None:
            return self._ranks.get(voter, -1)
        for rank in range(len(self.voters)):
            if self.voters[rank] == voter:
                return rank
        return -1

    def is_quorum(self, strength: int) -> bool:
        """Whether ranks of this summed strength are more than half: any two such share one."""
        return strength > self.shared.half

    def is_lost_without(self, ranks: int) -> bool:
        """Whether no quorum is left without these ranks, given as bits."""
        return not self.is_quorum(sum(self.shared.strengths) - self.strength(ranks))

    def strength(self, ranks: int) -> int:
        """The summed strength of a set of ranks, given as bits."""
        total = 0
        while ranks:
            low = ranks & -ranks
            total += self.shared.strengths[low.bit_length() - 1]
            ranks ^= low
        return total


_electorates: dict[tuple[bytes, ...], Electorate] = {}
"""By the order of their voters, the latest of each."""


def among(iid: bytes, voters: Voters, first: bytes, council: int, tiebreak: bool) -> Electorate:
    """The electorate of an election by its id, of voters of whom is known what they weigh. Equal
    ones are one object, as few voters have few orders.
    """
    order = ranked(iid or NO_ID, voters.names, first)
    shared = _shared(voters, order, council, tiebreak)
    known = _electorates.get(order)
    if known is not None and known.shared is shared:
        return known
    made: Electorate = Electorate.__new__(Electorate)
    made._stand(order, shared)
    if len(order) <= FEW_IN_ORDER:
        if len(_electorates) >= ORDERS_MAX:
            _electorates.clear()
        _electorates[order] = made
    return made


def _shared(voters: Voters, order: tuple[bytes, ...], council: int, tiebreak: bool) -> Strength:
    """What the ranks count in this order."""
    if voters.equal is not None:
        return voters.equal
    return _strength(tuple([voters.weights[voter] for voter in order]), council, tiebreak)


@cython.no_gc
@cython.cclass
class Strength(Facts):
    """Of ranks with such weights; one object for all elections that have them. Ranks below
    `acceptors` decide. `strengths`: what each rank counts in a quorum: twice its weight, half a
    vote more for a tiebreak; a quorum is more than `half`.
    """

    __slots__ = ("roll", "acceptors", "strengths", "half")

    def __init__(
        self, roll: tally.Roll, acceptors: int, strengths: tuple[int, ...], half: int
    ) -> None:
        self.roll = roll
        self.acceptors = acceptors
        self.strengths = strengths
        self.half = half


@remembered(FEW)
def _strength(weights: tuple[int, ...], council: int, tiebreak: bool) -> Strength:
    if not 0 <= council <= len(weights):
        raise ValueError("a council is a part of the voters")
    roll = tally.Roll(weights)
    acceptors = council or len(weights)
    strengths = [2 * weight for weight in weights[:acceptors]]
    half = sum(strengths) // 2
    if half == 0:
        raise ValueError("those who decide weigh nothing")
    strengths[0] += tiebreak
    others = (0,) * (len(weights) - acceptors)
    return Strength(roll, acceptors, (*strengths, *others), half)


class Voters(Facts):
    """What a roll says, whatever the election. `names`: ascending. `equal`: what the ranks count,
    if all weigh the same, so that no order changes it.
    """

    __slots__ = ("names", "weights", "equal")

    def __init__(
        self, names: tuple[bytes, ...], weights: dict[bytes, int], equal: Strength | None
    ) -> None:
        self.names = names
        self.weights = weights
        self.equal = equal


@remembered(FEW)
def voters_of(roll: Roll, council: int, tiebreak: bool) -> Voters:
    """ValueError if there cannot be such a roll."""
    if not 0 < len(roll) <= VOTERS_MAX:
        raise ValueError(f"an election has 1 to {VOTERS_MAX:,} voters, not {len(roll):,}")
    if not all(0 < len(voter) <= VOTER_BYTES_MAX for voter, _ in roll):
        raise ValueError(f"a voter is named by 1 to {VOTER_BYTES_MAX} bytes")
    weights = dict(sorted(roll))
    by_rank = tuple(weights.values())
    equal = _strength(by_rank, council, tiebreak) if len(set(by_rank)) == 1 else None
    return Voters(tuple(weights), weights, equal)


@remembered(results=1024)
def one_id(voter: bytes) -> bytes:
    """Equal ids are one object: a voter is named in many elections."""
    return voter


_last_equal: tuple[frozenset[bytes], Roll] = (frozenset(), ())


def equal_roll(voters: frozenset[bytes]) -> Roll:
    """These voters with one vote each; the same ones are one object, too."""
    global _last_equal  # the same few call again and again
    last = _last_equal  # looked at once: the nodes of a process have a thread each
    if last[0] is not voters:
        _last_equal = last = (voters, _equal_roll(voters))
    return last[1]


@remembered(FEW)
def _equal_roll(voters: frozenset[bytes]) -> Roll:
    return tuple((voter, 1) for voter in sorted(voters))
