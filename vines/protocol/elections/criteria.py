"""What a caller of an election asks for: the choices, and how many votes one of them needs.

Criteria are no part of an election's identity: callers who disagree about them must meet in the
same election, where the disagreement is seen. Their digest travels with votes and promises.
"""

from __future__ import annotations

from typing import Final

import cython

from vines._core.tally import CHOICES_MAX
from vines.hashes import blake2b
from vines.protocol.elections.facts import Known
from vines.protocol.elections.remembering import remembered

DIGEST_BYTES: Final = 8
LABEL_BYTES_MAX: Final = 256
"""Bytes of one choice in UTF-8."""


class Digested(Known):
    """The base of those that others know by a digest."""

    __slots__ = ("_digest",)


@cython.no_gc
@cython.cclass
class Criteria(Digested):
    """`choices`: what can be voted for; none for a vote on yes or no. `least`: the weight of votes
    that a choice needs. `plurality`: the heaviest choice wins, once all have voted or time is up.

    Raises ValueError.
    """

    __slots__ = ("choices", "least", "plurality")

    def __init__(self, choices: tuple[str, ...], least: int, plurality: bool = False) -> None:
        if len(choices) == 1 or len(choices) > CHOICES_MAX:
            raise ValueError(f"an election has 2 to {CHOICES_MAX} choices, or is on yes or no")
        if not all(_is_label(each) for each in choices):
            raise ValueError(f"a choice is a text of 1 to {LABEL_BYTES_MAX} bytes in UTF-8")
        if len(set(choices)) != len(choices):
            raise ValueError("two choices are the same")
        if least < 1:
            raise ValueError("at least one vote has to be needed")
        Known.__init__(self)
        self._digest = b""
        self.choices = choices
        self.least = least
        self.plurality = plurality

    def winnable(self) -> int:
        """How many choices can win: of yes and no only yes, and no is a refusal."""
        return len(self.choices) or 1

    def label(self, choice: int) -> str:
        """The text of a choice; empty for yes."""
        return self.choices[choice] if self.choices else ""

    def digest(self) -> bytes:
        """Eight bytes, equal for equal criteria."""
        if not self._digest:
            self._digest = _digest(self)
        return self._digest


@remembered()
def criteria_of(choices: tuple[str, ...], least: int, plurality: bool) -> Criteria:
    """Equal criteria are one object, however many elections there are. Raises ValueError."""
    return Criteria(choices, least, plurality)


def _digest(criteria: Criteria) -> bytes:
    state = blake2b(digest_size=DIGEST_BYTES, person=b"vines criteria")
    state.update(
        criteria.least.to_bytes(8, "big") + bytes((criteria.plurality, len(criteria.choices)))
    )
    for each in criteria.choices:
        label = each.encode()
        state.update(len(label).to_bytes(2, "big") + label)
    return state.digest()


def _is_label(choice: object) -> bool:
    if not isinstance(choice, str):
        return False
    try:
        return 0 < len(choice.encode()) <= LABEL_BYTES_MAX
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
