"""Spectators: who watches what the nodes of a simulation do, to check what a user promises on top.

They see what a driver sees, at the moment it happens, and touch nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vines.simulation.process import Process


class Spectator:
    """Told of everything that processes do; a subclass overrides what it wants to know."""

    def started(self, process: Process) -> None:
        """A process begins; its node has done nothing yet."""

    def ended(self, process: Process) -> None:
        """A process is gone."""

    def sent(self, process: Process, frame: bytes) -> None:
        """A frame was written to a stream."""

    def told(self, process: Process, event: object) -> None:
        """A node told its user something."""

    def synced(self, process: Process, records: Mapping[bytes, bytes | None]) -> None:
        """These records are on disk now; None: that there is none."""

    def turned(self, process: Process) -> None:
        """A turn of a process is over."""
