"""Delivery: what is said to members in elections, packed once, and held until it may be said.

Much is said to several, so what was packed last is kept; and the last definition, which is long and
comes before what else is said to each voter. What rests on a record of this node waits until the
disk has that; in what is bounded, for who waits for an answer asks again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from vines.protocol.elections.messages import Definition, Said, Terms
from vines.protocol.machine import Outbox
from vines.protocol.wire.ballot import pack

HELD_BYTES_MAX: Final = 16 * 1024 * 1024
"""Of what waits for the disk to be said; what comes beyond that is said again if it matters."""
HELD_BYTES: Final = 256
"""Beside its own, what each of them takes."""


class Delivery:
    """What one node says. `send`: to a member, the packed ballot."""

    def __init__(self, outbox: Outbox, send: Callable[[bytes, bytes], None]) -> None:
        self._outbox = outbox
        self._send = send
        self._held = 0
        """Bytes of what waits for the disk to be said."""
        self._holding: dict[int, list[tuple[bytes, bytes]]] = {}
        """What that is, to whom it is said, by the ticket it rests on."""
        self._about = self._packed = b""
        self._said: Said | None = None
        """What was packed last."""
        self._defined = self._definition = b""
        self._terms: Terms | None = None
        """Of which election the last definition was, how it travels, and what it asks for."""

    def say(self, member: bytes, election: bytes, said: Said, after: int) -> None:
        """Send to a member, once the record of the ticket `after` is on disk (0: at once)."""
        if isinstance(said, Definition):
            packed = self._define(election, said)
        else:
            if said is not self._said or election != self._about:
                self._said, self._about = said, election
                self._packed = pack(election, 0, said)
            packed = self._packed
        if after:
            self._hold(member, packed, after)
        else:
            self._send(member, packed)

    def _define(self, election: bytes, definition: Definition) -> bytes:
        """A definition, packed: the id stands for its topic, its round and who votes."""
        if definition.terms is not self._terms or election != self._defined:
            self._terms, self._defined = definition.terms, election
            self._definition = pack(election, 0, definition)
        return self._definition

    def _hold(self, member: bytes, packed: bytes, after: int) -> None:
        size = len(packed) + HELD_BYTES
        if self._held + size > HELD_BYTES_MAX:
            return
        self._held += size
        held = self._holding.get(after)
        if held is not None:
            held.append((member, packed))
        else:
            self._holding[after] = [(member, packed)]
            self._outbox.after(after, self._let_go, after)

    def _let_go(self, ticket: int) -> None:
        """What rests on this ticket may be said now."""
        for member, packed in self._holding.pop(ticket):
            self._held -= len(packed) + HELD_BYTES
            self._send(member, packed)

    def stop(self) -> None:
        """The disk has failed: what waits for it is never said."""
        self._holding.clear()
