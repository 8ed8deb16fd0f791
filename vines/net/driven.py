"""What the loop needs of the node it drives, and nothing more.

Naming it apart from `vines.protocol.node` keeps the loop honest (it can reach nothing else) and
lets its tests drive a node of twenty lines instead of the whole protocol.
"""

from __future__ import annotations

from collections.abc import Mapping

from vines.config import Config
from vines.hints import Protocol
from vines.protocol.machine import Address, Link, Outbox


class Disk(Protocol):
    """Where the records go that a node must not forget; it tells the node how that went."""

    def keep(self, ticket: int, records: Mapping[bytes, bytes | None]) -> None:
        """Put these on disk with the next commit."""

    def commit(self) -> None:
        """The turn is over: have what was kept in it put on disk, without waiting for it."""


class Driven(Protocol):
    """The driver's side of a Node; `vines.protocol.node.Node` says what each call means."""

    config: Config
    outbox: Outbox

    def listening(
        self, address: Address | None, now: float, *, bound: Address | None = None
    ) -> None:
        """Others can dial us here."""

    def connected(self, link: Link, ticket: int | None, now: float) -> None:
        """A stream is up: the answer to the Dial of this ticket, or dialled by the other end
        (None).
        """

    def dial_failed(self, ticket: int, refused: bool, now: float) -> None:
        """No stream; `refused` if every address tried answered and said no."""

    def receive(self, frame: bytes, link: Link, now: float) -> None:
        """One whole frame; WireError if it is not one, and the stream is closed."""

    def datagram(self, data: bytes, source: Address, now: float) -> str:
        """One datagram, from this address; why it was dropped, or nothing."""

    def established(self, link: Link) -> bool:
        """Whether the handshake of this link is done."""

    def disconnected(self, link: Link, now: float) -> None:
        """The stream is gone, or going: nothing more will be read from it or taken for it."""

    def sent(self, link: Link, count: int, now: float) -> None:
        """The kernel took `count` bytes of what was written to this link."""

    def advance(self, now: float) -> None:
        """Do whatever is due, and push what was written since."""

    def deadline(self) -> float | None:
        """When `advance` is wanted next; not later than now: at once, there is more to push."""

    def persisted(self, ticket: int, now: float) -> None:
        """Everything up to this ticket is on disk."""

    def storage_failed(self, text: str) -> None:
        """Nothing more will be."""
