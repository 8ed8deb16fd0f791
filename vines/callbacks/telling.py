"""What is told to whom: turns changes and events into calls of listeners. No thread, no queue.

A change is told if the table still holds it; if not, a newer one is in the table, and that one is
on its way here. So whatever order threads hand changes over in, no listener ends with an old value.
Values are checked and unpacked only now, for changes that are told to somebody. What is done for
each of them stands in one function, which is compiled: telling.pxd.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from vines._core.changes import Changes
from vines._core.table import DATA, Table
from vines.callbacks.listeners import Audience, Listener, event_name
from vines.events import Delete, Expired, Gossip, Lapse, Quorum, Settled
from vines.hints import Any
from vines.log import logger
from vines.values.codec import pack, unpack, unpack_scanned

PAGE = 256
"""Records of a replay told at once: about a millisecond with quick callbacks."""

COMPLAINT_SECONDS = 10.0
"""At most one line a kind in this time about what peers wrote: they must not fill the log."""

DECISIONS = (Settled, Quorum, Expired)
"""Events that are told by their outcome."""

_MUTABLE = frozenset({list, dict})


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
        """Tell a rare event; of one that has an outcome, the outcome."""
        for listener in self.audience.others.get(event_name(event), ()):
            if listener.active:
                self.tell_one(listener, event)

    def tell_one(self, listener: Listener, event: object) -> None:
        """The same to one who listens to it; the end of an election once."""
        if isinstance(event, DECISIONS):
            outcome = event.outcome
            if listener.remember_end(outcome.election):
                self._call(listener, outcome)
        else:
            self._call(listener, event)

    def changes(
        self, changes: Changes, writes: int = -1, start: int = 0, stop: int | None = None
    ) -> None:
        """Tell those of `changes[start:stop]` that are still news.

        Only a local write can overtake what the loop hands over. If there has been none since
        before these changes (there still are `writes`), all of them are news; with -1 the table is
        asked about each.
        """
        last = len(changes)
        if stop is not None:
            last = min(stop, last)
        if self._table.counter != writes:
            current = self._table.current(changes, start, last)
            self.superseded += last - start - len(current)
            self._tell(current, 0, len(current))
        else:
            self._tell(changes, start, last)

    def replay(self, listener: Listener, cursor: int) -> int | None:
        """Tell a listener of `gossip` a page of what there is; where to go on, None at the end."""
        if listener.exact:
            record = self._table.get(DATA, listener.key)
            if record is not None and self._table.value(listener.key) is not None:
                stamp, origin, flags, packed = record
                found = Changes([(DATA, listener.key, flags, packed, stamp, origin)])
                self._tell(found, 0, 1, listener)
            return None
        found, following = self._table.scan(DATA, listener.key, cursor, PAGE)
        self._tell(found, 0, len(found), listener)
        return following

    def _tell(
        self, changes: Changes, start: int, stop: int, listener: Listener | None = None
    ) -> None:
        """Tell changes to those who were not told them before: one listener, or all."""
        self._sources.add(self._table.source)
        local = self._sources
        events = changes.events(start, stop, Gossip, Delete, Lapse, local, unpack_scanned)
        _tell_each(self, events, None if listener is None else (listener,))

    def _call(self, listener: Listener, argument: object) -> None:
        self.told += 1
        try:
            listener.tell(argument)
        except BaseException:
            self.fail(listener)

    def fail(self, listener: Listener) -> None:
        """A callback raised: it is foreign code, so nothing it raises may end this thread."""
        self.failed += 1
        logger.exception("a callback for %r raised: %r", listener.event, listener.callback)

    def complain(self, key: str | bytes) -> None:
        """Of a key that is no text, or a key whose value is none: say so, but not often."""
        self.unreadable += 1
        what, key = ("key", key[:64]) if isinstance(key, bytes) else ("value of", key)
        now = time.monotonic()
        if now - self._complained.get(what, -COMPLAINT_SECONDS) >= COMPLAINT_SECONDS:
            self._complained[what] = now
            logger.warning("nobody was told of an unreadable %s %r that a peer wrote", what, key)


def _tell_each(teller: Teller, events: Sequence[Any], only: tuple[Listener, ...] | None) -> None:
    """Tell events of keys to `only`, or to whoever listens; a key stands for what is unreadable."""
    audience = teller.audience
    gossip, delete, lapse = audience.gossip, audience.delete, audience.lapse
    told = 0
    for event in events:
        kind = type(event)
        if kind is Gossip:
            hearers = gossip
        elif kind is Delete:
            hearers = delete
        elif kind is Lapse:
            hearers = lapse
            # Who was told the value is to be told it again if it is shown again.
            for listener in gossip.of_key(event[0]):
                listener.is_news(event[0], (event.stamp, event.origin, True))
        else:
            teller.complain(event)
            continue
        if only is not None:
            listeners = only
        elif hearers.everybody:
            listeners = hearers.prefixed
        else:
            listeners = hearers.of_key(event[0])
        packed = None
        if len(listeners) > 1 and type(event[1]) in _MUTABLE:
            packed = pack(event[1])  # each gets a copy of its own
        for listener in listeners:
            if not listener.active:
                continue
            if listener.seen is not None:
                mark = (event.stamp, event.origin, kind is Lapse)
                if not listener.is_news(event[0], mark):
                    continue
            if packed is not None:
                event = event._replace(value=unpack(packed))
            told += 1
            try:
                listener.tell(event[1] if listener.wants_value else event)
            except BaseException:
                teller.fail(listener)
        if teller.stopped:
            break
    teller.told += told
