"""A storage without a disk: for nodes that may forget, because each start is a new identity."""

from __future__ import annotations

import os

from vines.errors import StorageError
from vines.storage.contract import Batch, require_pairs, require_usable


class MemoryStorage:
    """Keeps records as long as the process lives; always the first start of a new identity."""

    def __init__(self, *, name: str = "") -> None:
        self.identity = os.urandom(16)
        self.boot = 1
        self.name = name
        self.failed: StorageError | None = None
        self._process = os.getpid()
        self._closed = False
        self._records: dict[bytes, bytes] = {}

    def records(self) -> dict[bytes, bytes]:
        """A copy of all records."""
        return dict(self._records)

    def write(self, batch: Batch) -> None:
        """Remember a batch; raises Closed after `close` and in a forked child."""
        require_usable(self._process, closed=self._closed)
        for key, value in require_pairs(batch).items():
            if value is None:
                self._records.pop(key, None)
            else:
                self._records[key] = value

    def close(self) -> None:
        """Take no more; harmless a second time."""
        self._closed = True
