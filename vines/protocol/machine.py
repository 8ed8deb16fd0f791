"""The contract every state machine keeps, and the outbox that everything it does leaves through.

A machine takes what arrived and the time (`receive`, `advance`), says when it next wants the time
(`deadline`) and writes what it wants done into an `Outbox`. It never touches a socket, a clock, a
thread or a source of randomness that was not handed to it. The event loop is one driver of
machines, the simulator another; a program that owns its own loop is a third. Same input, same
random seed: same outbox, byte for byte.

What a driver owes a machine: it carries the effects out in the order they were written; an effect
that waits for a persist leaves only when `persisted` has been called for it; a send to a member it
has no link to is dropped, because the state that made it will make it again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeAlias

Address: TypeAlias = tuple[str, int]
"""A host (name or numeric address) and a port."""

Link: TypeAlias = int
"""A driver's number for one stream, never used twice in one process."""

MemberId: TypeAlias = bytes
"""The 16 bytes that name a node."""


class Machine(Protocol):
    """What a driver may ask of any machine."""

    def receive(self, frame: bytes, source: Link, now: float) -> None:
        """Take one whole frame; raises WireError, before anything changed, if it is not one."""

    def advance(self, now: float) -> None:
        """Do whatever is due at `now` (seconds, monotonic)."""

    def deadline(self) -> float | None:
        """The time at which `advance` must be called next, or None if only input can cause work."""


class Send(NamedTuple):
    """A frame for a member, by whatever route the driver has to it."""

    member: MemberId
    frame: bytes
    after: int = 0


class Write(NamedTuple):
    """A frame for a stream whose other end is not known yet."""

    link: Link
    frame: bytes


class Dial(NamedTuple):
    """Open a stream to an address; the driver answers with `connected` or `dial_failed` and the
    same ticket.
    """

    ticket: int
    address: Address


class Close(NamedTuple):
    """Close a stream once everything written to it before has left."""

    link: Link
    reason: str


class Persist(NamedTuple):
    """A record that must be on disk before any effect that waits for it may leave."""

    ticket: int
    record: bytes


class Emit(NamedTuple):
    """Something to tell the user."""

    event: object
    after: int = 0


Effect: TypeAlias = Send | Write | Dial | Close | Persist | Emit


class Outbox:
    """The ordered list of effects a machine wants, and the persists some of them wait for.

    Tickets of persists rise by one. An effect written with `after=ticket` is held back until
    `persisted(ticket)` is called; effects that wait for nothing, or for an earlier persist, are
    never held up by it.
    """

    __slots__ = ("_effects", "_held", "_persisted", "_ticket")

    def __init__(self) -> None:
        self._effects: list[Effect] = []
        self._held: list[Send | Emit] = []
        self._ticket = 0
        self._persisted = 0

    def __bool__(self) -> bool:
        return bool(self._effects)

    def send(self, member: MemberId, frame: bytes, *, after: int = 0) -> None:
        """Send a frame to a member once persist `after` is on disk (0: at once)."""
        self._add(Send(member, frame, after))

    def write(self, link: Link, frame: bytes) -> None:
        """Write a frame to a stream."""
        self._effects.append(Write(link, frame))

    def dial(self, ticket: int, address: Address) -> None:
        """Ask for a stream to an address."""
        self._effects.append(Dial(ticket, address))

    def close(self, link: Link, reason: str) -> None:
        """Ask for a stream to be closed, after what was written to it."""
        self._effects.append(Close(link, reason))

    def emit(self, event: object, *, after: int = 0) -> None:
        """Tell the user something once persist `after` is on disk (0: at once)."""
        self._add(Emit(event, after))

    def persist(self, record: bytes) -> int:
        """Ask for a record to be put on disk; returns the ticket that effects can wait for."""
        self._ticket += 1
        self._effects.append(Persist(self._ticket, record))
        return self._ticket

    def persisted(self, ticket: int) -> None:
        """Say that every persist up to `ticket` is on disk: what waited for it joins the effects,
        in order.
        """
        assert ticket <= self._ticket, "a driver persisted what nobody asked for"
        self._persisted = max(self._persisted, ticket)
        held, self._held = self._held, []
        for effect in held:
            self._add(effect)

    def take(self) -> list[Effect]:
        """Everything that may be carried out now, in order; the outbox is left empty but for what
        is held.
        """
        effects, self._effects = self._effects, []
        return effects

    def _add(self, effect: Send | Emit) -> None:
        if effect.after > self._persisted:
            self._held.append(effect)
        else:
            self._effects.append(effect)


Clock: TypeAlias = Callable[[], int]
"""The wall clock in milliseconds since 1970: used for stamps only, never for a timer."""
