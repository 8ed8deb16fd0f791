"""The stage of the demo: what an act may do. It claims things, and a claim is printed once it was
seen to be true; what is not seen in time ends the play.

All there is to know came from the processes themselves, in their reports. A check looks at those
and answers with what it measured, or None if it has to wait for more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from vines.cli.demo.cast import Actor, Cast
from vines.cli.demo.screen import Measured, Row, Screen

CLAIM_SHARE: Final = 0.5
"""Part of the time for the whole demo that one claim may take."""

BLINK_SECONDS: Final = 0.1
"""Between two updates of a line that waits."""

_Result = TypeVar("_Result")


class Missed(Exception):
    """A claim did not come true in time, or somebody needed for it has died."""

    def __init__(self, claim: str, why: str) -> None:
        super().__init__(f"{claim}: {why}")
        self.claim = claim
        self.why = why


@dataclass(slots=True)
class Stage:
    """Where acts happen: the cast, the screen, and the time there is."""

    cast: Cast
    screen: Screen
    seconds: float
    """How long the whole play may take."""
    began: float = field(default_factory=time.monotonic)
    actors: dict[str, Actor] = field(default_factory=dict)
    """Who plays under a name now."""
    rows: list[Row] = field(default_factory=list)
    """What came of the acts so far."""

    def act(self, title: str) -> None:
        """Begin an act."""
        self.rows.append(Row(title))
        self.screen.act(len(self.rows), title)

    def enter(self, name: str) -> Actor:
        """Start a process, the next one under this name if there was one."""
        actor = self.actors[name] = self.cast.start(name)
        return actor

    def claim(self, text: str, check: Callable[[], Measured | None]) -> None:
        """Wait until it is seen, and say so. Raises Missed."""
        seen = self.wait(text, check)
        row = self.rows[-1]
        row.claims += 1
        row.measured = max(row.measured, seen.nanoseconds or 0)
        self.screen.held(text, seen)

    def require(self, text: str, holds: bool) -> None:
        """It is true now. Raises Missed."""
        if not holds:
            raise Missed(text, "it is not so")
        self.claim(text, Measured)

    def wait(self, text: str, check: Callable[[], _Result | None]) -> _Result:
        """Wait until a check has an answer. Raises Missed."""
        began = time.monotonic()
        until = min(self.began + self.seconds, began + self.seconds * CLAIM_SHARE)
        while (answer := check()) is None:
            for actor in self.actors.values():
                _require_alive(text, actor)
            now = time.monotonic()
            if now >= until:
                raise Missed(text, f"not seen within {now - began:.1f} s")
            if not self.cast.listen(min(BLINK_SECONDS, until - now)):
                self.screen.waiting(text, now - began)
        return answer


def _require_alive(text: str, actor: Actor) -> None:
    error = actor.first("error")
    if error is not None:
        raise Missed(text, f"{actor.name}: {error['text']}")
    if actor.first("ended") and not actor.dismissed:
        raise Missed(text, f"{actor.name} has ended unexpectedly")
