"""Mail: what is said to members about elections in one turn, in few frames.

What is for one member is kept until the turn ends, or until it fills a frame. A member without a
link, or whose link has no room, is not told: who said it says it again if it matters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vines.protocol.wire.ballot import ENTRIES_MAX, frame_of

BYTES_MAX: Final = 64 * 1024
"""Of what waits for one member; a longer ballot leaves alone."""


class Mail:
    """Packed ballots for members, on their way into frames. `send`: a frame to a member."""

    __slots__ = ("_packed", "_send", "_sizes")

    def __init__(self, send: Callable[[bytes, bytes], None]) -> None:
        self._send = send
        self._packed: dict[bytes, list[bytes]] = {}
        self._sizes: dict[bytes, int] = {}

    def add(self, member: bytes, packed: bytes) -> None:
        """One packed ballot for a member."""
        waiting = self._packed.get(member)
        if waiting is None:
            waiting = self._packed[member] = []
            self._sizes[member] = 0
        elif self._sizes[member] + len(packed) > BYTES_MAX or len(waiting) == ENTRIES_MAX:
            self._send(member, frame_of(waiting))
            waiting.clear()
            self._sizes[member] = 0
        waiting.append(packed)
        self._sizes[member] += len(packed)

    def leave(self) -> None:
        """The turn is over."""
        if self._packed:
            packed, self._packed = self._packed, {}
            for member, waiting in packed.items():
                self._send(member, frame_of(waiting))
