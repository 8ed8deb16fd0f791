"""Replication: keeping both tables of every linked peer equal to ours, and ours to theirs.

Three ways, cheapest first. *Push*: what became covered here leaves on the next turn for every link
of the tree (spreading.py) that has room, the control table before data; a link without room is
skipped, because the tables are the queue. *Pull*: a range that begins above what is held is asked
for from where it should begin. *Comparison*: every so often a random peer is shown both
fingerprints; when they keep differing though nothing is on its way, both sides send their vectors,
or join each other if those are equal. It must not know who is linked or why.
"""

from __future__ import annotations

from math import inf

from vines._core.changes import Changes
from vines._core.digest import same_state, same_vector
from vines._core.slots import filled
from vines._core.table import Table
from vines.config import Config
from vines.events import Conflict, KeysChanged, Synced
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.links.links import Link
from vines.protocol.machine import Outbox
from vines.protocol.replicas.catching import Catching
from vines.protocol.replicas.channel import Channel
from vines.protocol.replicas.joining import Joins, serve
from vines.protocol.replicas.spreading import Spreading
from vines.protocol.replicas.telling import ROSTER_BYTES
from vines.protocol.wire.messages import (
    BULK,
    COMPLETE,
    CONTROL,
    DATA,
    TABLES,
    WANT,
    Announce,
    Delta,
    Detail,
    Digest,
    Floor,
    Graft,
    Join,
    Prune,
    Pull,
    Snapshot,
    TableMessage,
    Vector,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

PATIENCE_MIN: Final = 2
"""Comparisons that differ before vectors are exchanged: one may have met writes on their way."""
PATIENCE_MAX: Final = 64
"""Where the doubling of that ends, when exchanges do not help."""
GRAFTS: Final = 2
"""Announce intervals before the first comparison: what is on its way, or announced and asked for,
is better had from the tree, which mends itself in that time. With the 1.5 s that may pass until a
probe shows a difference in a LAN, a write that was missed is there after two seconds."""
CONFIRM_SECONDS: Final = 10.0
"""Between two times that a peer that listens nowhere is told that it holds the same: what waits for
all to agree waits for half a minute anyway."""
RECOUNT_SLOTS: Final = 65536
"""Of a table's index, looked at in one turn as strays are counted anew: about a millisecond."""
LAPSES_PER_TURN: Final = 1024
"""Records that lapse in one turn, less than a millisecond; the next turn, at once, goes on."""
COMPARISONS: Final = 8
"""Comparisons after a difference was seen: as many peers at random, most of them of a larger
cluster; where the difference lasts it is seen again before they are used up."""
AGREED: Final = 2
"""Comparisons on links that find nothing, before a member is dialled that holds something else: who
differs from many mostly differs from its own peers, and there it costs no dial."""
BUSY_FACTOR: Final = 8
"""How much longer to wait while writes flow: then a difference is no news."""


class Replication:
    """Both tables on all links."""

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        tables: tuple[Table, Table],
        outbox: Outbox,
        wake: Callable[[Link], None],
        links: Callable[[], list[Link]],
        visit: Callable[[bytes], None],
        now: float,
    ) -> None:
        self.watching = False
        self.joined: Callable[[float], None] = lambda _: None
        """Told when a join is over, and floors rose with it: set by who cares."""
        self.agrees: Callable[[bytes, int, float], None] = lambda _member, _table, _now: None
        """Told of a peer that holds the same as this node in a table: set by who cares."""
        self.unlike: Callable[[bytes], None] = lambda _: None
        """Told of a peer that has read the same of the control table and holds something else: set
        by who cares.
        """
        self.joins = Joins(wake)
        self._joins = 0
        """Joins of whose end was told."""
        self.spreading = Spreading(config, rng, tables, wake)
        self.catching = Catching(DATA, wake)
        self.exchanges = 0
        """Vectors sent because comparisons kept differing."""
        self.visits = 0
        """Members without a link that were dialled because they hold something else."""
        self.pulls = 0
        """Frames that held ranges which began above what is held here."""
        self._config = config
        self._rng = rng
        self._tables = tables
        self._outbox = outbox
        self._wake = wake
        self._links = links
        self._visit = visit
        self._polling = True
        self._comparing = now + rng.uniform(0.0, config.sync_interval)
        self._compared_at = -inf
        self._differing: Link | None = None
        self._stranger: bytes | None = None
        """A member without a link that was seen to hold something else."""
        self._stranger_at = (-1, -1)
        """The tables' sequences then."""
        self._agreed = 0
        """Comparisons on links since the tables changed, or since one found a difference."""
        self._comparisons = 0
        """So many more are worth making, because somebody was seen to hold something else."""
        self._synced = False
        self._state_conflict = False

    def start(self, link: Link, now: float) -> None:
        """A handshake is done: begin both channels."""
        hello = link.hello
        assert hello is not None, "a stranger gets nothing"
        link.channels = tuple(
            Channel(number, self._tables[number], self._config.frame_bytes) for number in TABLES
        )
        self.spreading.start(link)
        for number, fingerprint in ((CONTROL, hello.control), (DATA, hello.data)):
            link.channels[number].telling.roster = fingerprint[:ROSTER_BYTES]
            if not link.channels[number].greet(fingerprint):
                self._show(link, number, WANT, now)
        self._check_synced(link)

    def stop(self, link: Link, now: float) -> None:
        """A link is gone, and all that was owed on it."""
        self.joins.gone(link, now)
        self.catching.gone(link, now)
        if link.channels:
            self.spreading.stop(link, self._links())

    def lapse(self) -> Changes:
        """Let lapse what is due, hide or show again what belongs to members that failed or came
        back, and write anew what this node wrote under an earlier source, up to a turn's bound;
        what lapsed of the control table.
        """
        data = self._tables[DATA]
        changes = Changes() if self.watching else None
        count = data.lapse(LAPSES_PER_TURN, changes)
        data.take_over(LAPSES_PER_TURN - count, changes)
        if changes:
            self._outbox.emit(KeysChanged(changes))
        gone = Changes()
        self._tables[CONTROL].lapse(LAPSES_PER_TURN, gone)
        return gone

    def receive(self, link: Link, message: TableMessage, now: float, limit: int) -> Changes | None:
        """Take a message about a table; returns what it changed if it is the control table.

        `limit` is the highest stamp of data that may move the clock. WireError, before anything
        changed, if it is malformed or out of turn.
        """
        channel = link.channels[message.table]
        channel.table.tick(now)
        control = message.table == CONTROL
        changes = Changes() if control or self.watching else None
        limit = 0 if control else limit
        match message:
            case Delta():
                self._apply(link, channel, message.body, message.offset, limit, changes, now)
            case Digest():
                self._compared(link, channel, message, now)
            case Vector():
                self._learn(link, channel, message, now)
            case Detail():
                channel.tell_again(message)
            case Pull():
                channel.progress.rewind(message.body, message.offset)
                channel.wake()
            case Announce():
                self.spreading.announced(link, message, now)
            case Graft():
                self.spreading.grafted(link, message)
            case Prune():
                self.spreading.pruned(link, message.table, self._links())
            case Floor():
                self.joins.told(link, message, now)
            case Join():
                serve(channel, message)
            case Snapshot():
                self.catching.heard(link, now)
                wanting = self.joins.receive(link, message, now, limit, changes)
                self._end_join(message.table, wanting, now)
        if control:
            return changes
        if changes:
            self._outbox.emit(KeysChanged(changes))
        return None

    def take(self, link: Link, frame: bytes, now: float, limit: int) -> None:
        """Take a frame that is a delta of data, which most are: what `receive` does with it."""
        channel = link.channels[DATA]
        channel.table.tick(now)
        changes = Changes() if self.watching else None
        self._apply(link, channel, frame, BULK, limit, changes, now)
        if changes:
            self._outbox.emit(filled(KeysChanged, (changes,)))

    def advance(self, now: float, links: list[Link]) -> None:
        """Compare, if it is time to."""
        self.catching.advance(now)
        if now >= self.joins.due():
            for table, link in self.joins.again(now):
                if table == DATA:
                    # Who retired what says the other table, and its next turn may be far.
                    self._want_digest(link, CONTROL)
                self._show(link, table, 0, now)
        for table in self.joins.sweeping:
            changes = Changes() if self.watching and table == DATA else None
            self._end_join(table, self.joins.sweep(table, now, changes), now)
            if changes:
                self._outbox.emit(KeysChanged(changes))
        for each in self._tables:
            if each.recounting:
                each.recount(RECOUNT_SLOTS)
        if now >= self._comparing:
            self._compared_at = now
            self._comparisons = max(0, self._comparisons - 1)
            again = self._polling or self._comparisons > 0
            self._comparing = now + self._config.sync_interval if again else inf
            self._compare(links)

    def deadline(self) -> float:
        """When `advance` has something, as long as there are links or a walk is under way."""
        control, data = self._tables
        if self.joins.sweeping or control.recounting or data.recounting:
            return 0.0
        return min(self._comparing, self.catching.deadline(), self.joins.due())

    def ask(self, table: int, sources: list[bytes]) -> bool:
        """Ask some peer for what it has of sources of which nothing is covered here: of one that is
        retired there it says that this node has to join. False if it joins anyway, or if nobody is
        linked.
        """
        links = [link for link in self._links() if link.channels]
        if not links or self.joins.is_busy(table):
            return False
        link = self._rng.choice(links)
        link.channels[table].pulls.update(dict.fromkeys(sources, 0))
        self._wake(link)
        return True

    def poll(self, wanted: bool, now: float) -> None:
        """Compare all the time, as one must to whom no probes tell of differences."""
        self._polling = wanted
        if wanted:
            self._comparing = min(self._comparing, now + self._config.sync_interval)

    def differ(self, now: float, link: Link | None = None, stranger: bytes | None = None) -> None:
        """Somebody was seen to hold something else: compare with that peer, if it is one, else with
        others, soon and some more.
        """
        self._comparisons = COMPARISONS
        self._differing = link or self._differing
        if stranger is not None:
            self._meet(stranger)
        grace = GRAFTS * self._config.announce_interval
        due = max(now + grace, self._compared_at + self._config.sync_interval)
        if due < self._comparing:
            self._comparing = due
            for each in self._links():
                for channel in each.channels:
                    # It counts as a first comparison: what changes until the next is on its way.
                    channel.differed = max(channel.differed, 1)
                    channel.sequence = channel.table.sequence

    def _meet(self, stranger: bytes) -> None:
        """A member without a link holds something else; remembered while nothing changes here."""
        at = self._tables[CONTROL].sequence, self._tables[DATA].sequence
        if at != self._stranger_at:
            self._agreed = 0
        self._stranger, self._stranger_at = stranger, at

    def _compare(self, links: list[Link]) -> None:
        """Show both fingerprints to a random peer with which nothing else is under way. Where peers
        on links hold the same, and others do not, one of those is dialled: the hellos compare.
        """
        stranger, self._stranger = self._stranger, None
        at = self._tables[CONTROL].sequence, self._tables[DATA].sequence
        if stranger is not None and self._agreed >= AGREED and at == self._stranger_at:
            self._agreed = 0
            self.visits += 1
            self._visit(stranger)
            return
        settled = [link for link in links if all(each.settled for each in link.channels)]
        if settled:
            self._agreed += 1
            known = self._differing in settled
            link = self._differing if known and self._differing else self._rng.choice(settled)
            self._differing = None
            for table in TABLES:
                self._want_digest(link, table)

    def _want_digest(self, link: Link, table: int) -> None:
        """Show a fingerprint, and ask for theirs."""
        channel = link.channels[table]
        channel.digest_owed = (channel.digest_owed or 0) | WANT
        self._wake(link)

    def _apply(
        self,
        link: Link,
        channel: Channel,
        body: bytes,
        offset: int,
        limit: int,
        changes: Changes | None,
        now: float,
    ) -> None:
        """Take the records of a delta, `body[offset:]`."""
        if self.catching.active is link:
            self.catching.heard(link, now)
        table = channel.table
        refused = table.apply(body, offset, channel.progress, limit, changes)
        if table.repeated > table.fresh:
            self.spreading.took(link, channel)
        if refused:
            self.pulls += 1
            channel.pull(refused)
            self._wake(link)

    def _end_join(self, table: int, wanting: list[Link], now: float) -> None:
        """Show our vector to those who want it once a join is over, if it is."""
        for link in wanting:
            self._show(link, table, 0, now)
        if self.joins.count > self._joins:
            self._joins = self.joins.count
            self.joined(now)

    def _show(self, link: Link, table: int, marks: int, now: float) -> None:
        """Send our vector; that of the data table to one peer at a time."""
        if table == DATA:
            self.catching.show(link, marks, now)
        else:
            link.channels[table].tell(marks)

    def _learn(self, link: Link, channel: Channel, message: Vector, now: float) -> None:
        """One page of the peer's vector; after the last, sending may begin."""
        if not channel.telling.read(channel.progress, message.body, message.offset):
            return
        channel.wake()
        channel.floor_told = False
        answered = channel.awaiting or not message.marks & WANT
        channel.awaiting = False
        waiting = channel.number == DATA and self.catching.waits(link)
        if not answered or waiting:
            self._show(link, channel.number, 0, now)

    def _compared(self, link: Link, channel: Channel, message: Digest, now: float) -> None:
        """The peer shows its fingerprint, or says that it has sent everything."""
        mine = channel.table.fingerprint()
        channel.telling.roster = message.fingerprint[:ROSTER_BYTES]
        alike = mine == message.fingerprint
        if channel.number == CONTROL and not alike and same_vector(mine, message.fingerprint):
            self.unlike(link.member)
        if alike:
            channel.differed, channel.patience = 0, PATIENCE_MIN
            channel.healed = channel.recounted = False
            channel.pulling = False
            channel.caught_up = True
            self.agrees(link.member, channel.number, now)
            if message.marks & WANT and now >= channel.confirmed + CONFIRM_SECONDS:
                self._confirm(link, channel, now)
        elif message.marks & COMPLETE:
            channel.caught_up = not channel.pulling and channel.floors is None
        else:
            if message.marks & WANT:
                channel.digest_owed = channel.digest_owed or 0
            self._differ(link, channel, mine, message.fingerprint, now)
        if channel.number == DATA and (message.marks & COMPLETE or alike):
            self.catching.done(link, now)
        self._check_synced(link)

    def _confirm(self, link: Link, channel: Channel, now: float) -> None:
        """The peer holds the same. If it listens nowhere, no probe tells it so."""
        if link.hello is not None and link.hello.address is None:
            channel.confirmed = now
            channel.digest_owed = channel.digest_owed or 0
            self._wake(link)

    def _differ(self, link: Link, channel: Channel, mine: bytes, theirs: bytes, now: float) -> None:
        """The tables differ: exchange vectors, unless it is for what is on its way."""
        if not channel.settled:
            return
        still = channel.sequence == channel.table.sequence and link.unsent == 0
        channel.sequence = channel.table.sequence
        channel.differed += 1
        self.differ(now, link)
        self._agreed = 0
        if channel.differed < channel.patience * (1 if still else BUSY_FACTOR):
            return
        channel.differed = 0
        channel.patience = min(channel.patience * 2, PATIENCE_MAX)
        if same_vector(mine, theirs) and not same_state(mine, theirs):
            if not channel.recounted:
                channel.recounted = True
                channel.table.recount(RECOUNT_SLOTS)
            if channel.table.recounting:
                channel.differed = channel.patience * BUSY_FACTOR  # the next one decides
                return
            channel.recounted = False
            if channel.table.fingerprint() != theirs:
                self._heal(link, channel)
            return
        self.exchanges += 1
        self._show(link, channel.number, WANT, now)

    def _heal(self, link: Link, channel: Channel) -> None:
        """Both have read the same and hold something else: what no counter can see, a join brings.

        A join that was cut leaves records above the vector; they are right, but no range has them.
        """
        if not channel.healed:
            channel.healed = channel.floor_owed = True
        elif not self._state_conflict:
            self._state_conflict = True
            text = f"{link.member.hex()} has read the same as this node and holds something else"
            self._outbox.emit(Conflict("state", text))

    def _check_synced(self, link: Link) -> None:
        if not self._synced and all(channel.caught_up for channel in link.channels):
            self._synced = True
            self._outbox.emit(Synced(link.member))
