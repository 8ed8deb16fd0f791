"""Virtual time: the order in which everything in a simulation happens, and the trace that proves
it.

Nothing here sleeps or asks the machine for the time. Actions stand in a heap by the moment they
are due and, within one moment, by the order in which they were asked for; so the same calls
always run in the same order. Every frame and every fault is put on the trace: its hash is the
fingerprint of a whole run, its tail is what a failure shows.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush
from typing import Any, NamedTuple

TAIL_LENGTH = 400
"""Lines of the trace that are kept for showing; the hash covers all of them."""
UNHASHED_MAX = 3000
"""Parts of the trace that wait to be hashed at once: hashing is dear by the call."""

_HEAD = struct.Struct("<dI")


class Line(NamedTuple):
    """One thing that happened: when, what, to whom, and the bytes of it."""

    when: float
    what: str
    who: str
    data: bytes


class Timeline:
    """The clock of a simulation (seconds since its start) and everything that is still to
    happen.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._tail: deque[tuple[float, str, str, bytes]] = deque(maxlen=TAIL_LENGTH)
        self._due: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = 0
        self._hash = blake2b(digest_size=16)
        self._unhashed: list[bytes] = []
        self._words: dict[tuple[str, str], bytes] = {}
        """What and who, as they are hashed."""

    @property
    def tail(self) -> list[Line]:
        """The last of what was recorded."""
        return [Line(*fields) for fields in self._tail]

    def at(self, when: float, action: Callable[..., object], *arguments: Any) -> None:
        """Run an action at a moment; one that has passed counts as now."""
        self.push(when, action, arguments)

    def after(self, delay: float, action: Callable[..., object], *arguments: Any) -> None:
        """Run an action `delay` seconds from now."""
        self.push(self.now + delay, action, arguments)

    def push(self, when: float, action: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """What `at` does, for who has the arguments in a tuple."""
        self._order += 1
        if when < self.now:
            when = self.now
        heappush(self._due, (when, self._order, action, arguments))

    def next(self) -> float | None:
        """The moment of the next action, or None if there is none."""
        return self._due[0][0] if self._due else None

    def run(self, until: float) -> None:
        """Run every action due up to and including `until`; the time is `until` afterwards."""
        due = self._due
        while due:
            first = due[0]
            if first[0] > until:
                break
            heappop(due)
            self.now = first[0]
            self.steps += 1
            first[2](*first[3])
        self.now = max(self.now, until)

    def record(self, what: str, who: str, data: bytes = b"") -> None:
        """Put something that happened on the trace."""
        words = self._words.get((what, who))
        if words is None:
            words = self._words[what, who] = what.encode() + b"\0" + who.encode() + b"\0"
        self._unhashed += (_HEAD.pack(self.now, len(data)), words, data)
        if len(self._unhashed) >= UNHASHED_MAX:
            self._digest()
        self._tail.append((self.now, what, who, data))

    def trace_hash(self) -> str:
        """The fingerprint of everything recorded so far: equal runs have equal ones."""
        self._digest()
        return self._hash.hexdigest()

    def _digest(self) -> None:
        self._hash.update(b"".join(self._unhashed))
        self._unhashed.clear()
