"""The contract every storage keeps: what the loop's driver may ask of it.

The machines ask for records to be persisted; the driver writes all those of one turn as one batch
and lets out what waits for them when `write` has returned, never when it has raised.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from vines.errors import Closed, StorageError
from vines.hints import Protocol, TypeAlias

Batch: TypeAlias = Sequence[tuple[bytes, bytes | None]]
"""Keys and their new values, None to delete; of two with one key the later counts."""


class Storage(Protocol):
    """One node's memory. One caller at a time, of any thread, in the process that opened it."""

    @property
    def identity(self) -> bytes:
        """The 16 bytes that name the node; drawn at its first start, never changed."""

    @property
    def boot(self) -> int:
        """Which start this is, from 1: no two starts of one identity have the same."""

    @property
    def name(self) -> str:
        """The name it belongs to; empty if it was never opened with one."""

    @property
    def failed(self) -> StorageError | None:
        """What made it useless: every write raises this from then on, until the process ends."""

    def records(self) -> dict[bytes, bytes]:
        """A copy of all records, as of the last write that returned."""

    def write(self, batch: Batch) -> None:
        """Put all of a batch on disk, or raise.

        Raises StorageError if that failed (what the batch held may or may not be on disk then) and
        Closed, with nothing changed, after `close` and in a forked child.
        """

    def close(self) -> None:
        """Give the directory to whoever opens it next; harmless a second time or in a child."""


def require_pairs(batch: Batch) -> dict[bytes, bytes | None]:
    """What a batch comes to, key by key; raises TypeError, with nothing changed, if it is none."""
    for key, value in batch:
        if type(key) is not bytes or not (value is None or type(value) is bytes):
            raise TypeError("a record is a key and a value of bytes, or None to delete it")
    return dict(batch)


def require_usable(process: int, *, closed: bool) -> None:
    """Raise Closed in any other process than the one that opened it, or once it was closed."""
    if process != os.getpid():
        raise Closed(
            "this storage belongs to the parent of this process; nothing was written."
            " Open another directory here: two processes with one identity may vote twice"
        )
    if closed:
        raise Closed("this storage is closed; nothing was written")
