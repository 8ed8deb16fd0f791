"""What is told to whom: turns changes and events into calls of listeners. No thread, no queue.

A change is told if the table still holds it; if not, a newer one is in the table, and that one is
on its way here. So whatever order threads hand changes over in, no listener ends with an old value.
Values are checked and unpacked only now, for changes that are told to somebody.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from vines._core.scanner import is_value
from vines._core.table import DATA, TOMBSTONE, Change, Table
from vines.callbacks.listeners import Audience, Listener, event_name
from vines.events import Delete, Gossip
from vines.values.codec import unpack

PAGE = 256
"""Records of a replay told at once: about a millisecond with quick callbacks."""

COMPLAINT_SECONDS = 10.0
"""At most one line a kind in this time about what peers wrote: they must not fill the log."""

_MUTABLE = frozenset({list, dict})
_new = tuple.__new__  # a third of the time of Gossip(...)

logger = logging.getLogger("vines")


class Teller:
    """Tells the listeners of `audience` about the data table. All calls come from one thread."""

    def __init__(self, table: Table) -> None:
        self.audience = Audience()
        self.stopped = False
        self.told = 0
        """Calls of listeners."""
        self.failed = 0
        """Calls that raised."""
        self.superseded = 0
        """Changes not told, because a newer one of their key was to come."""
        self.unreadable = 0
        """Changes not told, because a peer wrote a key or a value that nobody can read."""
        self._table = table
        self._sources = {table.source}
        self._complained: dict[str, float] = {}

    def event(self, event: object) -> None:
        """Tell a rare event."""
        for listener in self.audience.others.get(event_name(event), ()):
            if listener.active:
                self._call(listener, event)

    def changes(self, changes: Sequence[Change], writes: int = -1) -> None:
        """Tell those of the changes that are still news.

        Only a local write can overtake what the loop hands over. If there has been none since
        before these changes (there still are `writes`), all of them are news.
        """
        self._sources.add(self._table.source)
        audience, get, tell = self.audience, self._table.get, self._tell
        in_order = self._table.counter == writes
        for _family, key, flags, packed, stamp, origin in changes:
            if not in_order:
                record = get(DATA, key)
                # A local write is handed over with its stamp alone.
                if record is None or record[0] != stamp or (origin and record[1] != origin):
                    self.superseded += 1
                    continue
                _, origin, flags, packed = record
            if flags & TOMBSTONE:
                tell(audience.delete.of_key(key), key, stamp, origin, None)
            else:
                tell(audience.gossip.of_key(key), key, stamp, origin, packed)
            if self.stopped:
                return

    def replay(self, listener: Listener, cursor: int) -> int | None:
        """Tell a listener of `gossip` a page of what there is; where to go on, None at the end."""
        if listener.exact:
            record = self._table.get(DATA, listener.key)
            if record is not None and not record[2] & TOMBSTONE:
                self._tell((listener,), listener.key, record[0], record[1], record[3])
            return None
        changes, following = self._table.scan(DATA, listener.key, cursor, PAGE)
        for _family, key, _flags, packed, stamp, origin in changes:
            self._tell((listener,), key, stamp, origin, packed)
        return following

    def _tell(
        self,
        listeners: Sequence[Listener],
        key: bytes,
        stamp: int,
        origin: bytes,
        packed: bytes | None,
    ) -> None:
        """Tell one record to those who were not told it before; without a value it is deleted."""
        event: Gossip | Delete | None = None
        for listener in listeners:
            if not listener.active:
                continue
            if listener.seen is not None and not listener.is_news(key, (stamp, origin)):
                continue
            if event is None or type(event[1]) in _MUTABLE:  # each gets a copy of its own
                event = self._event(key, stamp, origin, packed)
                if event is None:
                    return
            self.told += 1
            try:
                listener.tell(event[1] if listener.wants_value else event)
            except BaseException:
                self._fail(listener)

    def _event(
        self, key: bytes, stamp: int, origin: bytes, packed: bytes | None
    ) -> Gossip | Delete | None:
        local = origin in self._sources
        try:
            text = key.decode()
        except UnicodeDecodeError:
            self._complain("key", key[:64])
            return None
        if packed is None:
            return Delete(text, local, stamp, origin)
        if not is_value(packed):
            self._complain("value of", text)
            return None
        return _new(Gossip, (text, unpack(packed), local, stamp, origin))

    def _call(self, listener: Listener, argument: object) -> None:
        self.told += 1
        try:
            listener.tell(argument)
        except BaseException:
            self._fail(listener)

    def _fail(self, listener: Listener) -> None:
        """A callback raised: it is foreign code, so nothing it raises may end this thread."""
        self.failed += 1
        logger.exception("a callback for %r raised: %r", listener.event, listener.callback)

    def _complain(self, what: str, key: str | bytes) -> None:
        self.unreadable += 1
        now = time.monotonic()
        if now - self._complained.get(what, -COMPLAINT_SECONDS) >= COMPLAINT_SECONDS:
            self._complained[what] = now
            logger.warning("nobody was told of an unreadable %s %r that a peer wrote", what, key)
