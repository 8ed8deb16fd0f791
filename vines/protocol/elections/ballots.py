"""Ballots: one number that orders all attempts to decide, and says whose attempt it is.

A ballot is (n, rank) in one integer. Of n = 0 only the ballot of rank 0 exists: everybody has
promised it from the start, which saves the preferred claimant the first of two round trips.
"""

from __future__ import annotations

from typing import Final

FIRST: Final = 0
"""The ballot of rank 0 that needs no promises."""
BEYOND_FIRST: Final = 1
"""Nobody's ballot, and above the first."""
NEVER: Final = -1
"""Stands for a ballot where there has been none."""

_RANK_BITS: Final = 32
NUMBER_MAX: Final = 2**31 - 1
JUMP_MAX: Final = 2**20
"""A number so far above what was promised is not what attempts come to: it is refused, or one bad
message could use up all numbers.
"""


def ballot(number: int, rank: int) -> int:
    """The ballot of a rank's attempt."""
    return number << _RANK_BITS | rank


def number_of(one: int) -> int:
    """The number in a ballot."""
    return one >> _RANK_BITS


def rank_of(one: int) -> int:
    """The rank whose ballot it is."""
    return one & ((1 << _RANK_BITS) - 1)


def is_ballot(one: int, rank: int, promised: int) -> bool:
    """Whether this is a ballot that `rank` may use, as far as anybody can tell who promised so."""
    number = number_of(one)
    if one < 0 or rank_of(one) != rank or (number == 0 and rank != 0):
        return False
    return number <= min(number_of(promised) + JUMP_MAX, NUMBER_MAX)
