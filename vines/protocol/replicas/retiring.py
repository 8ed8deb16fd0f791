"""Retiring: sources whose processes are gone for good leave roster, vector and digests.

A source is one start of one process, and would be listed for ever. Records of the control table
(batches) say what its last positions are; every replica that covers just these leaves it out, so
that the roster follows from the control table. One member writes these records: of the living that
listen it has the lowest id. It does so once nobody writes under the source (its member left, is
held dead and forgotten, or started anew), and all the living hold what it holds of it.

Nothing hangs on that being right: who finds its own source retired goes on under a fresh one, and
what is covered above a last position puts the source back. Ephemeral keys of a retired source have
ended: as its owner hears of that, it is never given up without writing them anew. It must not know
links or datagrams.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from math import inf

from vines._core.changes import Changes
from vines._core.table import ENDED, Table
from vines.hints import Final
from vines.protocol.members.identity import Identity
from vines.protocol.members.membership import Membership
from vines.protocol.replicas.batches import RETIRED, Batches, Last
from vines.protocol.replicas.leftovers import Leftovers
from vines.protocol.replicas.missing import Missing
from vines.protocol.replicas.telling import ROSTER_BYTES
from vines.protocol.wire.messages import TABLES

LOOK_SECONDS: Final = 30.0
"""Between two looks for sources nobody writes under: they are few, and in no hurry."""
AGAIN_SECONDS: Final = 1.0
"""Between two tries to leave out what was not covered when its record came."""
TRIED_AT_ONCE: Final = 256
"""Sources of which that is tried in one turn: a millisecond or two."""
LOOKED_AT_ONCE: Final = 1024
"""Places of sources in a table that are looked at in one turn, a millisecond or two; the next turn,
at once, goes on."""
ENTRIES: Final = 16384
"""Of the logs of what was left out, dropped in one turn."""
RETIRED_PER_LOOK: Final = 256
"""Sources written at once: of more the rest follows with the next look."""
SLOTS: Final = 8192
"""Looked at in one turn for those that can be given back: some hundred microseconds."""

NOTHING: Final = (0, 0)
"""Covered of a source of which, at most, a record came that took the place of another's."""
UNTRIED: Final = (-1, -1)
"""No sequences of two tables."""

Agreed = Callable[[], float]
"""Since when all the living cover what this node covered then."""


class Retiring:
    """Which sources of both tables are out of use, at one node."""

    def __init__(
        self,
        identity: Identity,
        members: Membership,
        tables: tuple[Table, Table],
        agreed: Agreed,
        renew: Callable[[str], None],
        leftovers: Leftovers,
        missing: Missing,
        now: float,
    ) -> None:
        self.count = 0
        """Sources that were retired from here."""
        self._identity = identity
        self._members = members
        self._tables = tables
        self._retired = tables[0].gone
        self._agreed = agreed
        self._renew = renew
        self._leftovers = leftovers
        self._batches = Batches(identity, members, tables[0], self._is_first, now)
        self._missing = missing
        self._unowned: set[bytes] = set()
        """Sources nobody writes under, as far as the look under way has come."""
        self._orphans: dict[bytes, tuple[Last, float]] = {}
        """Sources nobody writes under: how much is held of them, and since when that is so."""
        self._found: dict[bytes, tuple[Last, float]] = {}
        """The same, as far as the look under way has come."""
        self._pending: dict[bytes, Last] = {}
        """What was said to be retired, and is to be left out in both tables."""
        self._tried: dict[bytes, Last] = {}
        """What was not covered so far when that was tried."""
        self._sequences = UNTRIED
        """Of the tables, when that was last tried."""
        self._written = 0
        """Sources written in that look."""
        self._place: tuple[int, int] | None = None
        """The table and the place in it where that look goes on."""
        self._roster = b""
        """Of the control table, when that look began."""
        self._trimming = False
        """Logs of what was left out may still be there."""
        self._releasing = False
        """Slots of what was left out may still be there."""
        self._look = now + LOOK_SECONDS
        self._again = inf

    def learn(self, changes: Changes, now: float) -> None:
        """Records of the control table became current; malformed ones retire nothing."""
        found = False
        for change in changes.select(RETIRED, (), (b"",)):
            for source, last in self._batches.read(change):
                if self._hear(source, last):
                    self._pending[source] = self._last(source)
                    self._missing.named(last)
                    found = True
            self._batches.note(change, now)
        if found:
            self._missing.begin(now)
            self._leftovers.named(now)
            self._leave_out(now)
        self._leftovers.learn(changes, now)

    def joined(self, now: float) -> None:
        """Floors rose: what they cover is to be left out at once, or peers that have done so would
        seem to be below them.
        """
        self._missing.joined(now)
        self._begin()
        self._go_on(now)

    def advance(self, now: float) -> None:
        """Look for what is out of use, if it is time to."""
        if now >= self._again:
            self._again = now + AGAIN_SECONDS
            if self._sequences != self._now_at():
                if not self._pending:
                    self._pending, self._tried = self._tried, {}
                self._leave_out(now)
        if now >= self._missing.deadline():
            self._missing.advance(now)
        if now >= self._look:
            self._look = now + LOOK_SECONDS
            self._begin()
            self._releasing = True
            self._batches.look(now)
            self._leftovers.retirements = self._retired.until > 0
        if self._place is not None:
            self._go_on(now)
        if self._trimming:
            self._trimming = sum(table.trim(ENTRIES) for table in self._tables) > 0
        elif self._releasing:
            self._releasing = sum(table.release(SLOTS) for table in self._tables) > 0
        if self._batches.under_way:
            self._batches.advance(now)
        if now >= self._leftovers.deadline():
            self._leftovers.advance(now)

    def deadline(self) -> float:
        """When `advance` has something."""
        looking = self._place is not None or self._batches.under_way
        if looking or self._trimming or self._releasing:
            return 0.0
        return min(
            *(self._look, self._again),
            *(self._missing.deadline(), self._leftovers.deadline()),
        )

    def _is_first(self) -> bool:
        """Whether this node has the lowest id of the members that are alive and listen."""
        own = self._identity
        if own.leaving or own.profile.observer:
            return False
        return self._members.is_first(own.id, own.profile.address is not None)

    def _begin(self) -> None:
        """Look at all sources, from the first on."""
        self._place = 0, 0
        self._found = {}
        self._unowned = set()
        self._roster = self._roster_now()
        self._written = 0

    def _go_on(self, now: float) -> None:
        """Look at the next sources that count in either table: a turn's worth."""
        assert self._place is not None, "asked before"
        number, place = self._place
        sources, following = self._tables[number].counted_from(place, LOOKED_AT_ONCE)
        if number:
            control = self._tables[0]
            sources = [each for each in sources if not control.counts_in(each)]
        owned = self._members.sources() | {self._identity.profile.source}
        unowned = [source for source in sources if source not in owned]
        self._unowned.update(unowned)
        self._retire(unowned, now)
        self._recall(sources)
        if following is not None:
            self._place = number, following
        elif number + 1 < len(self._tables):
            self._place = number + 1, 0
        else:
            self._place = None
            self._orphans, self._found = self._found, {}
            self._leftovers.looked(self._unowned, self._roster == self._roster_now())
        if self._pending:
            self._leave_out(now)

    def _retire(self, sources: list[bytes], now: float) -> None:
        """Say of those, which nobody writes under, that they are retired, if all hold the same of
        them. Where that is nothing in a table, each does it by itself: there is nothing to say.
        """
        agreed, first = self._agreed(), self._is_first()
        found: list[tuple[bytes, Last]] = []
        for source in sources:
            last = self._held(source)
            says = first and last != NOTHING
            if not says and all(last):
                continue
            known = self._orphans.get(source)
            since = known[1] if known is not None and known[0] == last else now
            due = since <= agreed or now - since >= self._batches.patience()
            settled = since < now and due
            if settled:
                for table, covered in zip(self._tables, last, strict=True):
                    if not covered:
                        table.retire(source, 0)
            if settled and says and self._written + len(found) < RETIRED_PER_LOOK:
                found.append((source, last))
            elif says or not settled:
                self._found[source] = last, since
        self._written += len(found)
        self._say(found)
        if found:
            self._leftovers.named(now)

    def _say(self, found: list[tuple[bytes, Last]]) -> None:
        """Say that this is all of these sources, unless it has been said."""
        fresh = [source for source, last in found if self._hear(source, last)]
        self.count += len(fresh)
        self._pending.update((source, self._last(source)) for source, _ in found)
        self._batches.write([(source, self._last(source)) for source in fresh])

    def _recall(self, sources: list[bytes]) -> None:
        """Leave out what came here later than the record that retires it, whoever is believed to
        write under it: peers that have left it out would seem to be below its floor.
        """
        for source in sources:
            last = self._retired.get(source)
            if last is not None and source != self._identity.profile.source:
                self._pending[source] = last

    def _held(self, source: bytes) -> Last:
        control, data = self._tables
        return control.covered(source), data.covered(source)

    def _last(self, source: bytes) -> Last:
        last = self._retired.get(source)
        assert last is not None, "it has been said"
        return last

    def _hear(self, source: bytes, last: Last) -> bool:
        """This is all of a source, says somebody; False if that is nothing new."""
        said = self._retired.get(source)
        if said is not None:
            if last[0] <= said[0] and last[1] <= said[1]:
                return False
            for table, final in zip(self._tables, last, strict=True):
                table.retire(source, final)  # if less is left out there, that was not all
        return self._retired.say(source, *last)

    def _leave_out(self, now: float) -> None:
        """Leave out what is covered just as far as it was said: a turn's worth."""
        whole = self._roster == self._roster_now()
        for source, last in list(islice(self._pending.items(), TRIED_AT_ONCE)):
            del self._pending[source]
            if source == self._identity.profile.source:
                self._renew("this node's source was retired: it goes on under a fresh one")
            held = self._held(source)
            # All of a list: it goes from either table as soon as it can.
            done = [self._tables[each].retire(source, last[each]) for each in TABLES]
            if done[1]:
                self._tables[1].author(source, ENDED)
            whole = whole and all(done)
            # Of which nothing is here may never come, and is looked for if it does.
            begun = any(held[each] and not done[each] for each in TABLES)
            self._tried.pop(source, None)
            if begun and held[0] <= last[0] and held[1] <= last[1]:
                self._tried[source] = last
            self._trimming = True
        if whole:
            self._roster = self._roster_now()  # some went, and none came
        self._sequences = UNTRIED if self._pending else self._now_at()
        self._again = now if self._pending else now + AGAIN_SECONDS if self._tried else inf

    def _roster_now(self) -> bytes:
        """Another one as soon as a source has come."""
        return self._tables[0].fingerprint()[:ROSTER_BYTES]

    def _now_at(self) -> Last:
        control, data = self._tables
        return control.sequence, data.sequence
