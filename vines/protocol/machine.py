"""The contract every state machine keeps, and the outbox that everything it does leaves through.

A machine takes what arrived and the time (`receive`, `advance`), says when it next wants the time
(`deadline`) and writes what it wants done into an `Outbox`. It never touches a socket, a clock, a
thread or a source of randomness that was not handed to it. The event loop is one driver of
machines, the simulator another; a program that owns its own loop is a third. Same input, same
random seed: same outbox, byte for byte.

What a driver owes a machine: it carries the effects out in the order they were written, and says
`persisted` when a record is on disk; what rests on one is written only then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from vines._core.slots import named
from vines.hints import Any, NamedTuple, Protocol, TypeAlias

Address: TypeAlias = tuple[str, int]
"""A host (name or numeric address) and a port."""

Link: TypeAlias = int
"""A driver's number for one stream, never used twice in one process."""

MemberId: TypeAlias = bytes
"""The 16 bytes that name a node."""


class Memory(NamedTuple):
    """What a node finds again when it is started: its records, and which start this is, from 1."""

    records: Mapping[bytes, bytes]
    boot: int


class Machine(Protocol):
    """What a driver may ask of any machine."""

    def receive(self, frame: bytes, source: Link, now: float) -> None:
        """Take one whole frame; raises WireError, before anything changed, if it is not one."""

    def advance(self, now: float) -> None:
        """Do whatever is due at `now` (seconds, monotonic)."""

    def deadline(self) -> float | None:
        """The time at which `advance` must be called next, or None if only input can cause work."""


class Write(NamedTuple):
    """A frame for a stream."""

    link: Link
    frame: bytes


class Send(NamedTuple):
    """A datagram for an address: it may be lost, come twice, or late, and nobody is told."""

    address: Address
    data: bytes


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
    """Records (None: that there is none) that must be on disk before any effect that waits for them
    may leave: all that were asked for since the last of these, of each the last.
    """

    ticket: int
    records: Mapping[bytes, bytes | None]


class Emit(NamedTuple):
    """Something to tell the user."""

    event: object


Effect: TypeAlias = Write | Send | Dial | Close | Persist | Emit


class Packable(Protocol):
    """What is packed no more often than it is put on disk: not at each of its changes."""

    def pack(self) -> bytes:
        """It, as a record."""


class Outbox:
    """The ordered list of effects a machine wants, and what it will want once records are on disk.

    Records that are asked for between two takings share a ticket; tickets rise by one. What waits
    for one is never held up by another. Those that can wait do so until another cannot, or until
    something waits for them.
    """

    __slots__ = ("_effects", "_persisted", "_pressing", "_records", "_ticket", "_waiting", "urgent")

    def __init__(self) -> None:
        self.urgent = False
        """Among the effects is one that others wait for: it may be carried out before a turn is
        over.
        """
        self._effects: list[Effect] = []
        self._records: dict[bytes, bytes | Packable | None] = {}
        """What is to be put on disk, as asked for since some of it last was."""
        self._pressing = False
        """Not all of it can wait."""
        self._waiting: dict[int, list[tuple[Callable[..., None], tuple[Any, ...]]]] = {}
        """What is to happen once a ticket's records are on disk."""
        self._ticket = 0
        """The last one that was taken."""
        self._persisted = 0

    def __bool__(self) -> bool:
        return bool(self._effects or self._pressing)

    def write(self, link: Link, frame: bytes) -> None:
        """Write a frame to a stream."""
        self._effects.append(named(Write, (link, frame)))

    def send(self, address: Address, data: bytes) -> None:
        """Send a datagram to an address."""
        self._effects.append(named(Send, (address, data)))  # it goes out all the time

    def dial(self, ticket: int, address: Address) -> None:
        """Ask for a stream to an address."""
        self._effects.append(Dial(ticket, address))

    def close(self, link: Link, reason: str) -> None:
        """Ask for a stream to be closed, after what was written to it."""
        self._effects.append(Close(link, reason))

    def emit(self, event: object) -> None:
        """Tell the user something."""
        self._effects.append(named(Emit, (event,)))  # thousands of elections may end in a turn

    def act(self, event: object) -> None:
        """Tell the user something that is to be acted on: everybody waits for that."""
        self.urgent = True
        self.emit(event)

    def persist(self, key: bytes, value: bytes | Packable | None, *, can_wait: bool = False) -> int:
        """Ask for a record to be put on disk, or taken from it; returns the ticket that effects can
        wait for. `can_wait`: until one cannot, or an effect waits for it; it may be replaced before
        it is ever written.
        """
        self._records[key] = value
        if not can_wait:
            self._pressing = True
        return self._ticket + 1

    def after(self, ticket: int, action: Callable[..., None], *arguments: object) -> None:
        """Do something once this ticket's records are on disk: now, if they are (0: it waits for
        none).
        """
        if ticket <= self._persisted:
            action(*arguments)
            return
        if ticket > self._ticket:
            self._pressing = True
        if ticket in self._waiting:
            self._waiting[ticket].append((action, arguments))
        else:
            self._waiting[ticket] = [(action, arguments)]

    def persisted(self, ticket: int) -> None:
        """All records up to `ticket` are on disk: what waited for them happens."""
        assert ticket <= self._ticket, "a driver persisted what nobody asked for"
        for each in range(self._persisted + 1, ticket + 1):
            self._persisted = each
            for action, arguments in self._waiting.pop(each, ()):
                action(*arguments)

    def give_up(self) -> None:
        """Nothing will be on disk any more: what waits for it never happens."""
        self._waiting.clear()

    def take(self) -> list[Effect]:
        """Everything that is to be carried out, in order; the outbox is left empty."""
        effects, self._effects = self._effects, []
        self.urgent = False
        if self._pressing:
            self._pressing = False
            self._ticket += 1
            records, self._records = self._records, {}
            packed = {
                key: value if value is None or isinstance(value, bytes) else value.pack()
                for key, value in records.items()
            }
            effects.append(Persist(self._ticket, packed))
        return effects


Clock: TypeAlias = Callable[[], int]
"""The wall clock in milliseconds since 1970: used for stamps only, never for a timer."""
