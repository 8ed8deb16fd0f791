"""Retiring: sources whose processes are gone for good leave roster, vector and digests.

A source is one start of one process, and would be listed for ever. A record of the control table
says what its last positions are; every replica that covers just these leaves it out, so that the
roster follows from the control table. One member writes these records: of the living it has the
lowest id. It does so once nobody writes under the source (its member left, is held dead and
forgotten, or started anew), and all the living hold what it holds of it.

Nothing hangs on the first of these: who finds its own source retired goes on under a fresh one, and
what is covered above a last position puts the source back. Ephemeral keys of a retired source have
ended: as its owner hears of that, it is never given up without writing them anew. It must not know
links or datagrams.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from itertools import islice
from math import inf

from vines._core.changes import Changes
from vines._core.table import ENDED, Table
from vines.hints import Final
from vines.protocol.members.identity import Identity
from vines.protocol.members.membership import Membership
from vines.protocol.wire.fields import ID_BYTES
from vines.protocol.wire.messages import TABLES

RETIRED: Final = 8
"""The family of records that retire a source; its id is the key."""
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
"""Records written at once: of more the rest follows with the next look."""

GONE_MAX: Final = 64
"""Members remembered beyond those that are alive; of more, all that are gone are forgotten."""
UNTRIED: Final = (-1, -1)
"""No sequences of two tables."""
_LAST: Final = struct.Struct("<QQ")

Last = tuple[int, int]
"""The last positions of a source, in the control and in the data table."""
Agreed = Callable[[], float]
"""Since when all the living cover what this node covered then."""


def read_last(value: bytes) -> Last | None:
    """The last positions that a record says; None if it is malformed."""
    if len(value) != _LAST.size:
        return None
    control, data = _LAST.unpack(value)
    return control, data


class Agreement:
    """When each member last was seen to hold the same as this node, to the digest: then it covers
    what this node covers.
    """

    def __init__(self, members: Membership) -> None:
        self._members = members
        self._seen: dict[bytes, float] = {}

    def saw(self, member: bytes, now: float) -> None:
        """Its digest was ours."""
        self._seen[member] = now
        living = self._members.candidates(observers=True)
        if len(self._seen) > len(living) + GONE_MAX:
            self._seen = {each: when for each, when in self._seen.items() if each in living}

    def since(self) -> float:
        """When the one of the living was seen so whose last time is the longest ago: all cover what
        was held here before. Who cannot be probed does not count: if it lacks something, it will
        join.
        """
        living = self._members.candidates(observers=True)
        return min((self._seen.get(member, -inf) for member in living), default=inf)


class Retiring:
    """Which sources of both tables are out of use, at one node."""

    def __init__(
        self,
        identity: Identity,
        members: Membership,
        tables: tuple[Table, Table],
        agreed: Agreed,
        renew: Callable[[str], None],
        now: float,
    ) -> None:
        self.count = 0
        """Records written here."""
        self._identity = identity
        self._members = members
        self._tables = tables
        self._agreed = agreed
        self._renew = renew
        self._orphans: dict[bytes, tuple[Last, float]] = {}
        """Sources nobody writes under: how much is held of them, and since when that is so."""
        self._found: dict[bytes, tuple[Last, float]] = {}
        """The same, as far as the look under way has come."""
        self._pending: dict[bytes, Last] = {}
        """What has a record, and is to be left out in both tables."""
        self._tried: dict[bytes, Last] = {}
        """What was not covered so far when that was tried."""
        self._sequences = UNTRIED
        """Of the tables, when that was last tried."""
        self._written = 0
        """Records written in that look."""
        self._place: tuple[int, int] | None = None
        """The table and the place in it where that look goes on."""
        self._trimming = False
        """Logs of what was left out may still be there."""
        self._look = now + LOOK_SECONDS
        self._again = inf

    def learn(self, changes: Changes, now: float) -> None:
        """Records of the control table became current; malformed ones retire nothing."""
        found = False
        for change in changes.select(RETIRED, (), (b"",)):
            last = read_last(change[3])
            if last is not None and len(change[1]) == ID_BYTES:
                self._pending[change[1]] = last
                found = True
        if found:
            self._leave_out(now)

    def joined(self, now: float) -> None:
        """Floors rose: what they cover is to be left out at once, or peers that have done so would
        seem to be below them.
        """
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
        if now >= self._look:
            self._look = now + LOOK_SECONDS
            self._begin()
        if self._place is not None:
            self._go_on(now)
        if self._trimming:
            self._trimming = sum(table.trim(ENTRIES) for table in self._tables) > 0

    def deadline(self) -> float:
        """When `advance` has something."""
        if self._place is not None or self._trimming:
            return 0.0
        return min(self._look, self._again)

    def _is_first(self) -> bool:
        """Whether this node has the lowest id of the members that are alive."""
        own = self._identity
        return not (own.leaving or own.profile.observer) and self._members.is_first(own.id)

    def _begin(self) -> None:
        """Look at all sources, from the first on."""
        self._place = 0, 0
        self._found = {}
        self._written = 0

    def _go_on(self, now: float) -> None:
        """Look at the next sources that count in either table: a turn's worth."""
        assert self._place is not None, "asked before"
        number, place = self._place
        sources, following = self._tables[number].counted_from(place, LOOKED_AT_ONCE)
        if number:
            control = self._tables[0]
            sources = [each for each in sources if not control.counts_in(each)]
        if self._is_first():
            self._retire(sources, now)
        self._recall(sources)
        if following is not None:
            self._place = number, following
        elif number + 1 < len(self._tables):
            self._place = number + 1, 0
        else:
            self._place = None
            self._orphans, self._found = self._found, {}
        if self._pending:
            self._leave_out(now)

    def _retire(self, sources: list[bytes], now: float) -> None:
        """Write records of those that nobody writes under, and all hold."""
        owned = self._members.sources() | {self._identity.profile.source}
        agreed = self._agreed()
        for source in sources:
            if source in owned:
                continue
            last = self._held(source)
            known = self._orphans.get(source)
            since = known[1] if known is not None and known[0] == last else now
            if since < now and self._written < RETIRED_PER_LOOK and since <= agreed:
                self._written += self._write(source, last)
            else:
                self._found[source] = last, since

    def _recall(self, sources: list[bytes]) -> None:
        """Leave out what came here later than the record that retires it, whoever is believed to
        write under it: peers that have left it out would seem to be below its floor.
        """
        for source in sources:
            if source == self._identity.profile.source:
                continue
            held = self._tables[0].get(RETIRED, source)
            last = read_last(held[3]) if held is not None else None
            if last is not None:
                self._pending[source] = last

    def _held(self, source: bytes) -> Last:
        control, data = self._tables
        return control.covered(source), data.covered(source)

    def _write(self, source: bytes, last: Last) -> bool:
        """Say that this is all of a source, unless it has been said."""
        held = self._tables[0].get(RETIRED, source)
        if held is not None and held[0] >= sum(last):
            said = read_last(held[3])
            if said is not None:
                self._pending[source] = said
            return False
        self.count += 1
        self._tables[0].put(RETIRED, source, 0, _LAST.pack(*last), sum(last))
        self._pending[source] = last
        return True

    def _leave_out(self, now: float) -> None:
        """Leave out what is covered just as far as its record says: a turn's worth."""
        for source, last in list(islice(self._pending.items(), TRIED_AT_ONCE)):
            del self._pending[source]
            if source == self._identity.profile.source:
                self._renew("this node's source was retired: it goes on under a fresh one")
            held = self._held(source)
            # All of a list: it goes from either table as soon as it can.
            done = [self._tables[each].retire(source, last[each]) for each in TABLES]
            if done[1]:
                self._tables[1].author(source, ENDED)
            # Of which nothing is here may never come, and is looked for if it does.
            begun = any(held[each] and not done[each] for each in TABLES)
            self._tried.pop(source, None)
            if begun and held[0] <= last[0] and held[1] <= last[1]:
                self._tried[source] = last
            self._trimming = True
        self._sequences = UNTRIED if self._pending else self._now_at()
        self._again = now if self._pending else now + AGAIN_SECONDS if self._tried else inf

    def _now_at(self) -> Last:
        control, data = self._tables
        return control.sequence, data.sequence
