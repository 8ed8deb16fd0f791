"""Mail: what is said to members about elections, on its way into frames.

What is for one member is kept until the turn ends, then leaves in few frames; as long as its link
has no room it waits, up to a bound. What comes beyond that, and what is for a member while it has
no link, is not said: who said it says it again if it matters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vines.protocol.wire.ballot import ENTRIES_MAX, frame_of

FRAME_BYTES_MAX: Final = 64 * 1024
"""Of what shares a frame; a longer ballot leaves alone."""
WAITING_BYTES_MAX: Final = 1024 * 1024
"""For one member: what some thousand elections have to say that begin at once. A longer ballot is
taken all the same if it is alone.
"""


class Waiting:
    """What waits for one member, and its bytes."""

    __slots__ = ("packed", "size")

    def __init__(self) -> None:
        self.packed: list[bytes] = []
        self.size = 0


class Mail:
    """Packed ballots for members. `room`: whether a frame for a member may leave now, even if only
    because there is no link to it; `send`: it leaves.
    """

    __slots__ = ("_room", "_send", "_waiting")

    def __init__(self, room: Callable[[bytes], bool], send: Callable[[bytes, bytes], None]) -> None:
        self._room = room
        self._send = send
        self._waiting: dict[bytes, Waiting] = {}

    def add(self, member: bytes, packed: bytes) -> None:
        """One packed ballot for a member."""
        waiting = self._waiting.get(member)
        if waiting is None:
            waiting = self._waiting[member] = Waiting()
        size = len(packed)
        if not waiting.size or waiting.size + size <= WAITING_BYTES_MAX:
            waiting.packed.append(packed)
            waiting.size += size

    def leave(self) -> None:
        """The turn is over: write what there is room for."""
        for member in list(self._waiting):
            waiting = self._waiting[member]
            packed = waiting.packed
            begun = 0
            while begun < len(packed) and self._room(member):
                end = _end_of_frame(packed, begun)
                leaving = packed[begun:end]
                self._send(member, frame_of(leaving))
                waiting.size -= sum(map(len, leaving))
                begun = end
            if begun == len(packed):
                del self._waiting[member]
            else:
                del packed[:begun]


def _end_of_frame(waiting: list[bytes], begun: int) -> int:
    """Up to where those that wait share a frame that begins there."""
    size, end = len(waiting[begun]), begun + 1
    while end < len(waiting) and end - begun < ENTRIES_MAX:
        size += len(waiting[end])
        if size > FRAME_BYTES_MAX:
            break
        end += 1
    return end
