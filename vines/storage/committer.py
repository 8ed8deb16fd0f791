"""Commits on a thread of their own: a disk that is slow, or stands still, holds up nobody else.

What comes while a commit is under way goes into the next one, all together: the busier the node,
the more records a sync is shared by.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from vines.errors import StorageError
from vines.hints import Protocol
from vines.log import logger
from vines.storage.contract import Storage

STOP_SECONDS = 5.0
"""How long ending waits for a commit that is under way."""


class Listening(Protocol):
    """Who is told how commits went, on the loop's thread."""

    def persisted(self, ticket: int, now: float) -> None:
        """Everything up to this ticket is on disk."""

    def storage_failed(self, text: str) -> None:
        """Nothing more will be."""


class Committer:
    """Puts records into a storage; `keep` and `commit` are called on the loop's thread."""

    def __init__(self, storage: Storage, node: Listening) -> None:
        self.post: Callable[[Callable[[float], None]], bool]
        """Runs something on the loop's thread."""
        self._storage = storage
        self._node = node
        self._changed = threading.Condition()
        self._waiting: dict[bytes, bytes | None] = {}
        self._ticket = 0
        self._kept: list[tuple[int, Mapping[bytes, bytes | None]]] = []
        self._stopped = False
        self._thread: threading.Thread | None = None

    def keep(self, ticket: int, records: Mapping[bytes, bytes | None]) -> None:
        """Put these on disk with the next commit."""
        self._kept.append((ticket, records))

    def commit(self) -> None:
        """The turn is over: have what was kept in it put on disk."""
        if not self._kept:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="vines-storage", daemon=True)
            self._thread.start()
        with self._changed:
            for ticket, records in self._kept:
                self._waiting.update(records)
                self._ticket = ticket
            self._changed.notify()
        self._kept.clear()

    def stop(self) -> None:
        """Commit what was kept before, wait for that, and close the storage."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            if self._thread.is_alive():
                logger.warning("the disk of the data directory has not answered; it stays locked")
                return
        self._storage.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._waiting or self._stopped):
                    self._changed.wait()
                if not self._waiting:
                    return
                batch, self._waiting = list(self._waiting.items()), {}
                ticket = self._ticket
            try:
                self._storage.write(batch)
            except StorageError as error:
                self._fail(str(error))
                return
            except Exception as error:
                logger.exception("a bug in vines: a commit failed")
                self._fail(f"{type(error).__name__}: {error}")
                return
            self.post(lambda now, ticket=ticket: self._node.persisted(ticket, now))  # type: ignore[misc]

    def _fail(self, text: str) -> None:
        logger.error("this node votes no more until it is started again: %s", text)
        self.post(lambda _now: self._node.storage_failed(text))
