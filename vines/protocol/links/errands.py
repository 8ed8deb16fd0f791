"""Errands: what is to be said to members that no link leads to.

In a larger cluster most members are not linked, and still the voters of an election have to talk to
each other. Whoever has something to say dials; what it says waits for the link, for a moment. Such
a link is none of the graph: it is admitted where there is no room for another one of that, and
closed by the side that dialled when nothing was said on it for a while.
"""

from __future__ import annotations

from math import inf

from vines.hints import Final

MEMBERS_MAX: Final = 1024
FRAMES_MAX: Final = 16
"""Frames that wait for one member; of more the oldest go, as who said them says them again."""
BYTES_MAX: Final = 1 << 20
"""Of all that waits."""
HELD_SECONDS: Final = 3.0
"""How long something is worth saying: a dial, and another one."""
RETRY_SECONDS: Final = 0.5
"""Between two dials of one member."""
IDLE_SECONDS: Final = 30.0
"""Silence after which the link of an errand is closed: longer than any pause of an attempt."""


class Waiting:
    """What waits for one member."""

    __slots__ = ("due", "frames", "tries", "until")

    def __init__(self, now: float) -> None:
        self.frames: list[bytes] = []
        self.due = now
        """When to dial."""
        self.until = now
        self.tries = 0


class Errands:
    """What waits for links, by member."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, Waiting] = {}
        self._bytes = 0

    def hold(self, member: bytes, frame: bytes, now: float) -> None:
        """Keep a frame for a member until it is linked, or the time is over."""
        waiting = self._wait_for(member, now)
        if waiting is None or self._bytes + len(frame) > BYTES_MAX:
            return
        if len(waiting.frames) == FRAMES_MAX:
            self._bytes -= len(waiting.frames.pop(0))
        waiting.frames.append(frame)
        waiting.until = now + HELD_SECONDS
        self._bytes += len(frame)

    def visit(self, member: bytes, now: float) -> None:
        """Have a member dialled to which nothing is to be said but hello: that compares tables."""
        waiting = self._wait_for(member, now)
        if waiting is not None:
            waiting.until = now + HELD_SECONDS

    def _wait_for(self, member: bytes, now: float) -> Waiting | None:
        waiting = self._waiting.get(member)
        if waiting is None and len(self._waiting) < MEMBERS_MAX:
            waiting = self._waiting[member] = Waiting(now)
        return waiting

    def take(self, member: bytes) -> list[bytes]:
        """All that waits for a member: it is linked now, or gone."""
        waiting = self._waiting.pop(member, None)
        if waiting is None:
            return []
        self._bytes -= sum(map(len, waiting.frames))
        return waiting.frames

    def due(self, now: float) -> list[tuple[bytes, int]]:
        """Who is to be dialled now, each once in a while, and how often it was before; what has
        waited too long is dropped.
        """
        for member, waiting in list(self._waiting.items()):
            if waiting.until <= now:
                self.take(member)
        ready = [(member, each) for member, each in self._waiting.items() if each.due <= now]
        for _, waiting in ready:
            waiting.due = now + RETRY_SECONDS
            waiting.tries += 1
        return [(member, waiting.tries - 1) for member, waiting in ready]

    def deadline(self) -> float:
        """When `due` has something; infinity if never."""
        if not self._waiting:
            return inf
        return min((min(each.due, each.until) for each in self._waiting.values()), default=inf)
