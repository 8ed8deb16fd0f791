"""A call: what somebody who calls for an election asks for, the same for many topics.

It knows by what votes are counted and who is to vote, as far as the caller says so. It must not
know a topic, a node, or what comes of it.
"""

from __future__ import annotations

from typing import Final

import cython

from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.messages import Terms


@cython.no_gc
@cython.cclass
class Call:
    """What a caller asks for, whatever the topic. `total`: so many callers make an electorate; 0:
    the voters are named. `seconds`: until its deadline. `roll`: the voters, if they are named, and
    their weights.
    """

    __slots__ = ("_terms", "council", "criteria", "roll", "seconds", "tiebreak", "total")

    def __init__(
        self,
        criteria: Criteria,
        total: int,
        seconds: float,
        roll: tuple[tuple[bytes, int], ...] = (),
        council: int = 0,
        tiebreak: bool = False,
    ) -> None:
        self.criteria = criteria
        self.total = total
        self.seconds = seconds
        self.roll = roll
        self.council = council
        self.tiebreak = tiebreak
        self._terms: Terms | None = None

    def terms(self) -> Terms:
        """What is asked for, as far as the caller knows: one object for all that it calls."""
        if self._terms is None:
            asked = self.criteria
            self._terms = Terms(
                *(self.roll, b"", self.council, self.tiebreak, asked.choices, asked.least),
                *(asked.plurality, int(self.seconds * 1000)),
            )
        return self._terms


NO_CALL: Final = Call(Criteria((), 1), 0, 0.0)
"""Of what was never called here."""
