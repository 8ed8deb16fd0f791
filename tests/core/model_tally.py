"""An election that recounts all of its votes whenever it is asked: the oracle of
vines._core.tally."""

from __future__ import annotations

from collections.abc import Sequence

PENDING, LOST = -1, -2
REFUSE, ABSTAIN, NONE = 253, 254, 255


def weight_behind(weights: Sequence[int], votes: Sequence[int], code: int) -> int:
    return sum(weight for weight, vote in zip(weights, votes, strict=True) if vote == code)


def decide(
    weights: Sequence[int],
    votes: Sequence[int],
    choices: int,
    least: int,
    *,
    plurality: bool = False,
    closing: bool = False,
) -> int:
    """What votes decide, one a rank."""
    behind = [weight_behind(weights, votes, choice) for choice in range(choices)]
    uncast = weight_behind(weights, votes, NONE)
    winners = [choice for choice in range(choices) if behind[choice] >= least]
    heaviest = [choice for choice in range(choices) if behind[choice] == max(behind)]
    hopeful = [choice for choice in range(choices) if behind[choice] + uncast >= least]
    if not hopeful:
        return LOST
    if not plurality:
        return next((choice for choice in heaviest if choice in winners), PENDING)
    if uncast > 0 and not closing:
        return PENDING
    if len(heaviest) > 1 and max(behind) > 0:
        return LOST
    return heaviest[0] if heaviest[0] in winners else PENDING


class Tally:
    """The same observable behaviour as the compiled one, in the plainest Python there is."""

    def __init__(
        self, weights: Sequence[int], choices: int, least: int, *, plurality: bool = False
    ) -> None:
        self.rules = (tuple(weights), choices, least, plurality)
        self.weights = weights
        self.held: dict[int, tuple[int, int]] = {}

    def vote(self, rank: int, sequence: int, choice: int) -> bool:
        if sequence <= self.sequence_of(rank):
            return False
        self.held[rank] = (sequence, choice)
        return True

    def choice_of(self, rank: int) -> int:
        return self.held.get(rank, (0, NONE))[1]

    def sequence_of(self, rank: int) -> int:
        return self.held.get(rank, (0, NONE))[0]

    def votes(self) -> list[int]:
        return [self.choice_of(rank) for rank in range(len(self.weights))]

    def packed(self) -> bytes:
        return bytes(self.votes())

    def decided(self, *, closing: bool = False) -> int:
        weights, choices, least, plurality = self.rules
        return decide(weights, self.votes(), choices, least, plurality=plurality, closing=closing)

    @property
    def outcome(self) -> int:
        return self.decided()

    def closing(self) -> int:
        return self.decided(closing=True)

    def weight_of(self, choice: int) -> int:
        return weight_behind(self.weights, self.votes(), choice)

    @property
    def uncast(self) -> int:
        return self.weight_of(NONE)

    @property
    def voted(self) -> int:
        return len(self.held)

    def state(self) -> tuple[object, ...]:
        return (self.rules, self.held)
