"""Live-record joins: how a peer below a floor catches up, page by page, at its own pace.

The one who serves says that its log no longer reaches back far enough (Floor). The peer asks for
the beginning (Join 0), gets the floors as they are at that moment and the first page of records,
and asks for each next page. With the last page it covers what the floors said, and sends its
vector again. A node joins one table from one peer at a time; who else told it to waits and gets a
vector then, for the join has most likely brought what they would have sent.

What a join brings merges page by page, above the vector, as any record may. What is covered after
it, and what it takes away of the data table, come at its end: vector, floors and floor stamp rise
at once, then records that were deleted where it came from go in a sweep, step by step. It is in
this order that no range is sent which claims a position whose record went, and that nothing which
went comes again. So a join needs no room beside the table but its floor pages and a bit in each
record. If the peer vanishes before its last page nothing was taken away, a sweep makes the bits
ready for the next join, and the next peer is asked from the beginning: nothing is lost or wrong,
only sent twice. If it vanishes later the sweep goes on, as nothing is needed from it any more.

Floors list sources that are retired, too, however many there were. Who has read that one is, keeps
what it is told of it in a few bytes; to any other it gives a place in its table. Records of the
control table say which are: so the floors of that table are read once its records have been, and
the data table joins after the control table.
"""

from __future__ import annotations

from math import inf

from vines._core.table import check_floors
from vines.errors import UNEXPECTED, WireError
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.wire.messages import (
    BEGIN,
    CONTROL,
    DATA,
    END,
    TABLES,
    Floor,
    Join,
    Snapshot,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from vines._core.changes import Changes
    from vines._core.table import Table
    from vines.protocol.links.links import Link
    from vines.protocol.replicas.channel import Channel

STALL_SECONDS: Final = 30.0
"""A peer that answers pings but no page for so long is let go: two frame deadlines."""
PAUSE_SECONDS: Final = (0.1, 1.0)
"""Before a peer is asked for more after a second join within a while, and then twice as long each
time up to the latter: where both have retired other sources, only the other table can settle why
this node has to join once more, and is compared with each pause.
"""
FLOOR_BYTES_MAX: Final = 256 * 1024 * 1024
"""Floor pages kept during a join, each with what it takes itself: some ten million sources."""
PAGE_BYTES: Final = 128
"""What a page takes that says nothing."""
SWEEP_SLOTS: Final = 16384
"""Of the table's index, swept in one turn: one or two milliseconds."""
FLOOR_AHEAD: Final = 24 * 3600 * 1000 << 16
"""What a floor stamp may be above the stamps that move this node's clock: a day, which the clocks
of members may be apart. Whoever forgot a deletion went by its own clock; others may hold it still,
and what is written here must win over it.
"""


def serve(channel: Channel, message: Join) -> None:
    """The peer asks for a page. WireError, before anything changed, if it may not."""
    if not channel.joinable or channel.page_owed is not None:
        raise WireError("a join that nobody asked for", UNEXPECTED)
    if message.cursor not in (0, channel.page_next):
        raise WireError("a join at a cursor that was not given", UNEXPECTED)
    if message.cursor == 0:
        channel.floors_owed.extend(channel.table.floor_pages(channel.budget))
    channel.page_owed = message.cursor


class Sweep:
    """What is left of a join once its pages are here, or once it was given up."""

    __slots__ = ("complete", "cursor", "floors", "limit", "link", "table")

    def __init__(
        self, table: Table, link: Link | None, floors: list[bytes] | None = None, limit: int = 0
    ) -> None:
        self.table = table
        self.link = link
        """Where it came from; None: that is no longer there."""
        self.floors = floors
        """What is covered by it, with the highest stamp that may be below a floor; None: nothing,
        or that has been read."""
        self.limit = limit
        self.complete = link is not None
        """All its pages came."""
        self.cursor = 0


class Joins:
    """The joins of one node, one at a time for each table."""

    def __init__(self, wake: Callable[[Link], None]) -> None:
        self.count = 0
        """Joins all of whose pages came, and what is covered by them."""
        self._wake = wake
        self._current: dict[int, Link] = {}
        self._last: dict[tuple[int, int], tuple[float, float]] = {}
        """When the last join of a table on a link was over, and how long the pause after it was."""
        self._later: dict[tuple[int, int], tuple[float, Link]] = {}
        """When a link wants our vector of a table, where that is not at once."""
        self._waiting: dict[int, dict[int, Link]] = {table: {} for table in TABLES}
        self._sweeps: dict[int, Sweep] = {}
        self._floor_bytes = dict.fromkeys(TABLES, 0)
        """What the floor pages of the joins under way take."""

    def told(self, link: Link, message: Floor, now: float) -> None:
        """A peer says that we have to join."""
        if self._current.get(message.table) is not link:
            self._waiting[message.table][link.number] = link
            self._next(message.table, now)

    def receive(
        self,
        link: Link,
        message: Snapshot,
        now: float,
        limit: int,
        changes: Changes | None,
    ) -> list[Link]:
        """A part of the join; returns the links that want our vector now that it is complete.

        WireError, before anything changed, if it was not asked for or is malformed.
        """
        channel = link.channels[message.table]
        if channel.floors is None or not channel.join_asked:
            raise WireError("a snapshot that nobody asked for", UNEXPECTED)
        if message.marks == BEGIN:
            body = message.body[message.offset :]
            taken = self._floor_bytes[message.table] + PAGE_BYTES + len(body)
            if taken > FLOOR_BYTES_MAX:
                raise WireError("floors without end", UNEXPECTED)
            check_floors(body)
            channel.floors.append(body)
            self._floor_bytes[message.table] = taken
            channel.heard = now
            return []
        if not channel.floors:
            raise WireError("a snapshot without floors", UNEXPECTED)
        if message.table == DATA and not channel.joining:
            # What of the control table was collected is void wherever both records are known.
            channel.table.begin_join(channel.floors)
            channel.joining = True
        channel.table.apply_page(message.body, message.offset, limit, changes)
        channel.heard = now
        channel.join_asked = False
        if message.marks != END:
            channel.join_owed = message.cursor
            return []
        # Of the control table no stamp is a time, and none is collected.
        floors, limit = channel.floors, limit + FLOOR_AHEAD
        self._sweeps[message.table] = Sweep(channel.table, link, floors, limit)
        channel.joining = False
        del self._current[message.table]
        if message.table == CONTROL:
            return []  # what is in `changes` is read first
        return self.sweep(message.table, now, changes)

    def is_busy(self, table: int) -> bool:
        """Whether this table joins, or will."""
        begun = table in self._current or table in self._sweeps
        return begun or bool(self._waiting[table])

    @property
    def sweeping(self) -> list[int]:
        """The tables whose joins are at their end."""
        return list(self._sweeps)

    def sweep(self, table: int, now: float, changes: Changes | None) -> list[Link]:
        """Go on with the end of a join; returns the links that want our vector once it is over."""
        sweep = self._sweeps[table]
        if sweep.floors is not None:
            sweep.table.finish_join(sweep.floors, sweep.limit)
            sweep.floors = None
            self.count += 1
            if sweep.link is not None:
                sweep.link.channels[table].floors = None
        cursor = sweep.table.sweep(sweep.cursor, SWEEP_SLOTS, changes)
        if cursor is not None:
            sweep.cursor = cursor
            return []
        del self._sweeps[table]
        if table == CONTROL:
            self._next(DATA, now)
        if not sweep.complete:
            self._next(table, now)
            return []
        return self._finish(sweep.link, table, now)

    def again(self, now: float) -> list[tuple[int, Link]]:
        """The tables and links that want our vector now, some time after a join."""
        due = [which for which, (at, _) in self._later.items() if at <= now]
        return [(which[0], self._later.pop(which)[1]) for which in due]

    def due(self) -> float:
        """When `again` has something; infinity if never."""
        return min((at for at, _ in self._later.values()), default=inf)

    def gone(self, link: Link, now: float) -> None:
        """A link is no longer there: if a join hung on it, begin anew with the next."""
        for table in TABLES:
            self._waiting[table].pop(link.number, None)
            self._last.pop((table, link.number), None)
            self._later.pop((table, link.number), None)
            sweep = self._sweeps.get(table)
            if sweep is not None and sweep.link is link:
                sweep.link = None
            if self._current.get(table) is link:
                del self._current[table]
                channel = link.channels[table]
                if channel.joining:
                    channel.joining = False
                    channel.table.abandon_join()
                    self._sweeps[table] = Sweep(channel.table, None)
                self._next(table, now)
        self._next(DATA, now)

    def stalled(self, now: float) -> list[Link]:
        """The links whose joins do not come forward, each once: both tables may join on one."""
        late = now - STALL_SECONDS
        links = self._current.items()
        late_ones = [link for table, link in links if link.channels[table].heard <= late]
        return list(dict.fromkeys(late_ones))

    def deadline(self) -> float:
        """When the first of these is late; infinity if there is none under way. That a sweep goes
        on at once is for `sweeping` to say.
        """
        if not self._current:
            return inf
        heard = (link.channels[table].heard for table, link in self._current.items())
        return min(heard, default=inf) + STALL_SECONDS

    def _next(self, table: int, now: float) -> None:
        """Begin the next join of a table, if none is under way, of the control table either."""
        waiting = self._waiting[table]
        under_way = {*self._current, *self._sweeps}
        if table in under_way or CONTROL in under_way or not waiting:
            return
        link = waiting.pop(next(iter(waiting)))
        self._current[table] = link
        channel = link.channels[table]
        channel.floors = []
        self._floor_bytes[table] = 0
        channel.join_owed = 0
        channel.join_asked = False
        channel.heard = now
        self._wake(link)

    def _finish(self, link: Link | None, table: int, now: float) -> list[Link]:
        others = list(self._waiting[table].values())
        self._waiting[table].clear()
        if link is None:
            return others
        # Told again while the join was under way: that was about what has come since.
        if link in others:
            others.remove(link)
        shortest, longest = PAUSE_SECONDS
        over, pause = self._last.get((table, link.number), (-inf, 0.0))
        again = now < over + 2 * longest
        pause = min(max(shortest, 2 * pause), longest) if again else 0.0
        self._last[table, link.number] = now, pause
        if not pause:
            return [link, *others]
        # It may say once more that this node is below a floor: at once would be again and again.
        self._later[table, link.number] = now + pause, link
        return others
