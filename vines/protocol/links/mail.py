"""Mail: what is said to members about elections, on its way into frames.

What is for one member is kept until the turn ends, then leaves in few frames; as long as its link
has no room it waits, up to a bound. What comes beyond that, and what is for a member while it has
no link, is not said: who said it says it again if it matters.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Final

from vines.protocol.wire.ballot import ENTRIES_MAX, frame_of

FRAME_BYTES_MAX: Final = 64 * 1024
"""Of what shares a frame; a longer ballot leaves alone."""
WAITING_BYTES_MAX: Final = 1024 * 1024
"""For one member: what some thousand elections have to say that begin at once. A longer ballot is
taken all the same if it is alone.
"""


class Mail:
    """Packed ballots for members. `room`: whether a frame for a member may leave now, even if only
    because there is no link to it; `send`: it leaves.
    """

    __slots__ = ("_room", "_send", "_sizes", "_waiting")

    def __init__(self, room: Callable[[bytes], bool], send: Callable[[bytes, bytes], None]) -> None:
        self._room = room
        self._send = send
        self._waiting: dict[bytes, list[bytes]] = {}
        self._sizes: dict[bytes, int] = {}
        """Bytes that wait for each member."""

    def add(self, member: bytes, packed: bytes) -> None:
        """One packed ballot for a member."""
        waiting = self._waiting.get(member)
        size = len(packed)
        if waiting is None:
            self._waiting[member] = [packed]
            self._sizes[member] = size
        elif self._sizes[member] + size <= WAITING_BYTES_MAX:
            waiting.append(packed)
            self._sizes[member] += size

    def leave(self) -> None:
        """The turn is over: write what there is room for."""
        for member in list(self._waiting):
            waiting = self._waiting[member]
            begun = 0
            while begun < len(waiting) and self._room(member):
                count, size = _fitting(waiting, begun)
                self._send(member, frame_of(waiting[begun : begun + count]))
                self._sizes[member] -= size
                begun += count
            if begun == len(waiting):
                del self._waiting[member], self._sizes[member]
            else:
                del waiting[:begun]


def _fitting(waiting: list[bytes], begun: int) -> tuple[int, int]:
    """How many from there share a frame, and their bytes."""
    count = size = 0
    for packed in islice(waiting, begun, begun + ENTRIES_MAX):
        if count and size + len(packed) > FRAME_BYTES_MAX:
            break
        count += 1
        size += len(packed)
    return count, size
