"""What a node tells of elections."""

from __future__ import annotations

from collections.abc import Mapping

from vines.frozen import Frozen


class Outcome(Frozen, kw_only=True, unhashed=("votes",)):
    """What was decided of a topic, the same everywhere."""

    topic: str
    round: int
    election: bytes
    """The 16 bytes that name the election."""
    kind: str
    """commit, abort or expired."""
    choice: str
    """What won; empty for yes, and if nothing did."""
    owner: bytes
    """The id of the member that acts on it; empty unless it is a commit."""
    votes: Mapping[bytes, int]
    """The votes counted, by voter."""


class Quorum(Frozen):
    """This node is to act on the outcome."""

    outcome: Outcome


class Settled(Frozen):
    """An election is over: everywhere, once for each topic and round."""

    outcome: Outcome


class ElectionTimeout(Frozen):
    """The deadline is over and the outcome not known here; it may be, or become so, elsewhere."""

    topic: str
    round: int
