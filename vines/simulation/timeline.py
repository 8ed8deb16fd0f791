"""Virtual time: the order in which everything in a simulation happens, and the trace that proves
it.

Nothing here sleeps or asks the machine for the time. Actions stand in a heap by the moment they
are due; those of one moment run in the order in which they were asked for, so the same calls
always run in the same order. Every frame and every fault is put on the trace: its hash is the
fingerprint of a whole run, its tail is what a failure shows.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from vines._core.agenda import Agenda
from vines.hashes import blake2b

TAIL_LENGTH = 400
"""Lines of the trace that are kept for showing; the hash covers all of them."""
UNHASHED_MAX = 256
"""Lines of the trace that wait to be hashed at once: hashing is dear by the call, and lines that
are long untouched by what they push out of the processor's caches."""

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
        self._due = Agenda()
        """Of each action its number in the order of asking, itself, and its arguments."""
        self._together: list[tuple[int, Callable[..., object], tuple[Any, ...]]] = []
        """What else is due at this very moment, the next one last."""
        self._order = 0
        self._hash = blake2b(digest_size=16)
        self._tail: list[tuple[float, str, str, bytes]] = []
        """The last lines of those that are hashed."""
        self._unhashed: list[tuple[float, str, str, bytes]] = []
        self._words: dict[tuple[str, str], bytes] = {}
        """What and who, as they are hashed."""

    @property
    def tail(self) -> list[Line]:
        """The last of what was recorded."""
        return [Line(*fields) for fields in (self._tail + self._unhashed)[-TAIL_LENGTH:]]

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
        self._due.put(when, (self._order, action, arguments))

    def next(self) -> float | None:
        """The moment of the next action, or None if there is none."""
        if self._together:
            return self.now
        return self._due.next() if len(self._due) else None

    def run(self, until: float) -> None:
        """Run every action due up to and including `until`; the time is `until` afterwards."""
        due = self._due
        while True:
            if self._together:
                entry = self._together.pop()
            else:
                taken = due.take(until)
                if taken is None:
                    break
                self.now = taken[0]
                entry = taken[1]
                if due.next() <= self.now:
                    self._gather(entry)
                    continue
            self.steps += 1
            entry[1](*entry[2])
        self.now = max(self.now, until)

    def _gather(self, entry: tuple[int, Callable[..., object], tuple[Any, ...]]) -> None:
        """Put all that is due at this moment in order; what is asked for meanwhile comes after."""
        self._together.append(entry)
        while (taken := self._due.take(self.now)) is not None:
            self._together.append(taken[1])
        self._together.sort(key=_number, reverse=True)

    def record(self, what: str, who: str, data: bytes = b"") -> None:
        """Put something that happened on the trace."""
        self._unhashed.append((self.now, what, who, data))
        if len(self._unhashed) >= UNHASHED_MAX:
            self._digest()

    def trace_hash(self) -> str:
        """The fingerprint of everything recorded so far: equal runs have equal ones."""
        self._digest()
        return self._hash.hexdigest()

    def _digest(self) -> None:
        parts: list[bytes] = []
        for when, what, who, data in self._unhashed:
            words = self._words.get((what, who))
            if words is None:
                words = self._words[what, who] = what.encode() + b"\0" + who.encode() + b"\0"
            parts += (_HEAD.pack(when, len(data)), words, data)
        self._hash.update(b"".join(parts))
        self._tail = (self._tail + self._unhashed)[-TAIL_LENGTH:]
        self._unhashed = []


def _number(entry: tuple[int, Callable[..., object], tuple[Any, ...]]) -> int:
    return entry[0]
