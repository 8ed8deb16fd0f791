"""SWIM as it was before Lifeguard, and a node without what keeps Lifeguard from having to do
anything, to see what each is worth: for comparisons in a simulation.

What is switched off in a node (Dadgar, Phillips, Currey, Lifeguard, DSN-W 2018, section IV):

* local health: intervals and timeouts stay as they are configured, whatever goes unanswered;
* dynamic suspicion: every suspect has the least time to object, however many accuse it;
* telling a suspect at once: a probe does not say that its target is accused.

What is switched off for *datagrams alone*: what this node has beyond both, and they do without:

* asking over a stream, too, where datagrams get no answer;
* word on a link as a sign of life of a suspect;
* adding the time for which the process stood still to its timers;
* reading all that has come before any timer is looked at (`Process`).

No configuration has these switches: nobody who runs a cluster has a use for them.
"""

from __future__ import annotations

from math import inf, log10
from typing import TYPE_CHECKING

from vines.protocol.members.health import Health
from vines.protocol.members.suspicion import LEAST_FACTOR
from vines.protocol.wire.probe import Probe

if TYPE_CHECKING:
    from vines.protocol.node import Node


class Steady(Health):
    """A score that stays 0."""

    __slots__ = ()

    def worse(self, amount: int = 1) -> None:
        """Nothing becomes worse."""


def without_lifeguard(node: Node) -> None:
    """Make a node that has not begun detect failures by SWIM alone."""
    detector = node._parts.detector
    suspicion, digest = detector.suspicion, detector._answering.digest

    def end(member: bytes) -> float:
        members = len(node._parts.linking.members.directory.fellows) + 1
        seconds = node.config.suspicion_factor * max(LEAST_FACTOR, log10(members))
        return suspicion._suspects[member].since + seconds * node.config.probe_interval

    def word(member: bytes) -> Probe:  # noqa: ARG001
        return Probe(digest(), None)

    suspicion._end = end  # type: ignore[method-assign]
    detector.probing.health = Steady()
    detector.probing._word = detector._word = word  # type: ignore[method-assign]


def by_datagrams_alone(node: Node) -> None:
    """Make a node that has not begun believe in datagrams, and in its timers, only."""
    detector = node._parts.detector

    def stream(member: bytes, token: int, probe: Probe) -> None:
        """Nobody is asked over a stream."""

    def forgive(gap: float, now: float) -> None:
        """However long it stood still, what did not come in time is late."""

    detector.probing._stream = stream
    detector._world.heard = lambda member: -inf  # noqa: ARG005
    detector.forgive = forgive  # type: ignore[method-assign]
