"""Votes of an election: who voted what, the weight behind each choice, and what that decides.

A vote is one code: 0 to CHOICES_MAX - 1 a choice, REFUSE a vote against (the False of a boolean
election), ABSTAIN a vote for none; NONE is the code of who has not voted. An outcome is the choice
that won, or PENDING, or LOST. All numbers are of type int, and not bool: TypeError."""

from collections.abc import Sequence
from typing import final

PENDING: int
LOST: int
REFUSE: int
ABSTAIN: int
NONE: int
CHOICES_MAX: int
VOTERS_MAX: int
WEIGHT_MAX: int
TOTAL_MAX: int

@final
class Roll:
    """The pinned electorate: the weight of each voter by rank, fixed, shared between elections.

    ValueError unless there are 1 to VOTERS_MAX weights of 0 to WEIGHT_MAX whose total is 1 to
    TOTAL_MAX."""

    def __init__(self, weights: Sequence[int]) -> None: ...
    def __len__(self) -> int: ...
    @property
    def total(self) -> int: ...
    def weight(self, rank: int) -> int:
        """IndexError for a rank outside."""
    def weights(self) -> tuple[int, ...]: ...

@final
class Tally:
    """The votes of one election between `choices` (1 to CHOICES_MAX), of which one needs a weight
    of at least `least` (1 to the total of the roll) to win. ValueError for other numbers.

    By threshold the heaviest choice that has `least` wins as soon as there is one, of several the
    first. By plurality the one heaviest choice wins once every voter with weight has voted, if it
    has `least`; if several are heaviest the election is lost. Under both rules it is lost as soon
    as what is uncast can bring no choice to `least`.

    Votes change: an outcome is of the votes as they stand, and may be another after the next."""

    def __init__(
        self, roll: Roll, choices: int, least: int, *, plurality: bool = False
    ) -> None: ...
    def vote(self, rank: int, sequence: int, choice: int) -> bool:
        """Hold this vote of a voter if its sequence number, 1 to 2**63 - 1, is above that of the
        vote held; whether it was.

        IndexError for a rank outside, ValueError for another sequence number or for NONE or a code
        this election does not have; then nothing changed. O(1), but O(choices) if it takes weight
        from the heaviest choice."""
    @property
    def outcome(self) -> int:
        """What the votes decide now. O(1)."""
    def closing(self) -> int:
        """What they decide at the deadline. O(1).

        By threshold that is `outcome`. By plurality it is lost as well if several choices are
        heaviest, and not nothing, while votes are uncast; and one choice that is heaviest and has
        `least` has won."""
    def weight_of(self, choice: int) -> int:
        """The weight behind any code of this election. ValueError for others."""
    @property
    def uncast(self) -> int:
        """The weight of those who have not voted."""
    @property
    def voted(self) -> int:
        """How many have voted, whatever their weight."""
    def choice_of(self, rank: int) -> int:
        """The code of the vote held, NONE if there is none. IndexError for a rank outside."""
    def sequence_of(self, rank: int) -> int:
        """The sequence number of the vote held, 0 if there is none. IndexError for a rank
        outside."""
    def held(self) -> tuple[tuple[int, int, int], ...]:
        """The votes held: (rank, sequence number, code), ascending."""
    def packed(self) -> bytes:
        """The code of each rank, one byte each."""
    def copy(self) -> Tally:
        """The same votes, to be changed apart; the roll is shared."""
    def state_bytes(self) -> bytes:
        """Weights, rules and votes: equal bytes if and only if all of them are equal."""
    @property
    def memory(self) -> int:
        """Bytes of this object and of what it allocated, without the roll."""

def count(
    roll: Roll,
    packed: bytes,
    choices: int,
    least: int,
    *,
    plurality: bool = False,
    closing: bool = False,
) -> int:
    """The outcome of packed votes, or what they decide at the deadline, as a Tally of them says.

    ValueError as for a Tally; WireError if there is not one byte for each voter, or one is no code
    of this election."""
