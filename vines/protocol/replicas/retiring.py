"""Retiring: sources whose processes are gone for good leave roster, vector and digests.

A source is one start of one process, and would be listed for ever. Records of the control table say
what its last positions are; every replica that covers just these leaves it out, so that the roster
follows from the control table. One member writes these records: of the living that listen it has
the lowest id. It does so once nobody writes under the source (its member left, is held dead and
forgotten, or started anew), and all the living hold what it holds of it.

Such a record is a batch of some sources, which whoever writes the next one goes on with until it is
full. Two of them that do so at once, on either side of a partition, overwrite each other. Nothing
is lost by that: what a node has read it keeps (vines._core.retired), and what it knows and finds in
no record is written again, by the first member, or after a while by whoever knows it.

Where all members were told for how long anybody may be away, sources are forgotten that nothing
names any more: a batch of them is written to lapse after that, and each node forgets what is in no
batch any more once its own clock agrees. Who still holds something of one says it anew.

Who reads that a source is retired, and holds nothing of it, cannot tell from fingerprints that it
lacks anything: nobody else counts that source any more, and what is left of it may be such that is
in no fingerprint, as keys that expire, or deletions. It asks others for it, and does not agree that
anything be forgotten before it has that, or nobody had it.

Nothing hangs on the first of these: who finds its own source retired goes on under a fresh one, and
what is covered above a last position puts the source back. Ephemeral keys of a retired source have
ended: as its owner hears of that, it is never given up without writing them anew. It must not know
links or datagrams.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from math import ceil, inf

from vines._core.changes import Change, Changes
from vines._core.retired import read_batch, write_batch
from vines._core.table import ENDED, EXPIRING, LEFT_MAX, TOMBSTONE, Table
from vines.errors import WireError
from vines.hints import Final
from vines.protocol.members.identity import Identity
from vines.protocol.members.membership import Membership
from vines.protocol.replicas.leftovers import RETIRED, Leftovers
from vines.protocol.replicas.telling import ROSTER_BYTES
from vines.protocol.wire.messages import TABLES

BATCH: Final = 40
"""Sources in one such record: some 800 bytes, which are sent again with each that is added."""
BATCH_BYTES_MAX: Final = 4096
"""A larger one is not read: nobody writes it, and it would take long."""
NUMBER_BYTES: Final = 4
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
MISSED: Final = 16384
"""Looked at in one turn for those of which nothing is covered: the same."""
ASKED: Final = 8
"""How often others are asked for such a source, after pauses that double up to a look's: for one or
two minutes. So long who says what nobody ever wrote keeps all from forgetting deletions.
"""
BATCHES: Final = 16
"""Looked at in one turn for what is in none of them: the same."""
LOOKS_PER_TERM: Final = 64
"""How often batches are looked at for what may fade, in the time that anybody may be away: what is
forgotten then is late by no more than some of these, and a look goes over all batches."""
BATCH_SECONDS_MAX: Final = 3600.0
"""For how long a batch is waited for to be full before it fades: an eighth of that time at most."""
UNIT_SECONDS: Final = 64.0
"""In which times of sources are counted: 24 bits of it are 34 years."""

GONE_MAX: Final = 64
"""Members remembered beyond those that are alive; of more, all that are gone are forgotten."""
NOTHING: Final = (0, 0)
"""Covered of a source of which, at most, a record came that took the place of another's."""
UNTRIED: Final = (-1, -1)
"""No sequences of two tables."""
_STAMP_MAX: Final = (1 << 63) - 1

Last = tuple[int, int]
"""The last positions of a source, in the control and in the data table."""
Agreed = Callable[[], float]
"""Since when all the living cover what this node covered then."""


class Agreement:
    """When each member last was seen to hold the same as this node, to the digest: then it covers
    what this node covers.
    """

    def __init__(
        self, identity: Identity, members: Membership, linked: Callable[[bytes], bool]
    ) -> None:
        self._identity = identity
        self._members = members
        self._linked = linked
        self._seen: dict[bytes, float] = {}
        self._tables: tuple[dict[bytes, float], ...] = tuple({} for _ in TABLES)
        """The same of either table alone."""

    def saw(self, member: bytes, now: float) -> None:
        """Its digest was ours."""
        self._seen[member] = now
        self._bound(self._seen)

    def compared(self, member: bytes, table: int, now: float) -> None:
        """Its fingerprint of a table was ours."""
        seen = self._tables[table]
        seen[member] = now
        self._bound(seen)
        both = min(each.get(member, -inf) for each in self._tables)
        if both > self._seen.get(member, -inf):
            self.saw(member, both)

    def since(self) -> float:
        """When the one of the living was seen so whose last time is the longest ago: all cover what
        was held here before. Who cannot be probed does not count: if it lacks something, it will
        join. To who does not listen itself, only those count that it is linked to: nobody else ever
        tells it, and all that comes to it comes from them.
        """
        living = list(self._members.candidates(observers=True))
        if self._identity.profile.address is None:
            living = [member for member in living if self._linked(member)]
        return min((self._seen.get(member, -inf) for member in living), default=inf)

    def _bound(self, seen: dict[bytes, float]) -> None:
        living = self._members.candidates(observers=True)
        if len(seen) > len(living) + GONE_MAX:
            for member in [each for each in seen if each not in living]:
                del seen[member]


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
        self._open: bytes | None = None
        """The key of a batch that is not full, if one is known."""
        self._unsure = False
        """Records changed: what they had said may be in none of them any more."""
        self._missed = False
        """So it was at the last look, and the first member is to mend it."""
        self._cursor: int | None = None
        """How far the look for that has come."""
        self._releasing = False
        """Slots of what was left out may still be there."""
        self.ask: Callable[[int, bytes], bool] = lambda _table, _source: False
        """Ask a peer for what it has of a source in a table; False if that is under way: set by who
        knows links."""
        self._asking = 0
        """How often others may be asked still; 0: nothing that is retired is missed here, or it is
        nowhere."""
        self._missed_at = inf
        """When to look for that, and how long to wait until the next time."""
        self._pause = AGAIN_SECONDS
        self._missed_place: tuple[int, int] | None = None
        """The table and the place where the look for it goes on."""
        self._misses = False
        """Something is missed, as far as that look has come."""
        self._complete = True
        """Nothing is missed in the data table, or nobody has it."""
        self._look = now + LOOK_SECONDS
        self._again = inf
        self._term: int | None = None
        """The longest that anybody may be away; None: nobody knows."""
        self._numbers: tuple[bytes, int] = b"", 0
        """The source of this node, and how many batches it began: none has the key of another, that
        may have lapsed."""
        self._ripe: dict[bytes, float] = {}
        """Batches that say sources which nothing names any more, and since when that is so."""
        self._ripening: dict[bytes, float] = {}
        """The same, as far as the look under way has come."""
        self._faded: dict[bytes, bytes] = {}
        """Batches that were let fade from here, and what they say."""
        self._lost: dict[bytes, Last] = {}
        """What such a batch said, and another version of it does not that won."""
        self._lapses = 0
        """Of the control table, at the last look."""
        self._ripe_look = now
        """When to look at all batches for that."""
        self._began = now
        if identity.profile.forget_after is not None:
            self._age(now, identity.profile.forget_after)

    def learn(self, changes: Changes, now: float) -> None:
        """Records of the control table became current; malformed ones retire nothing."""
        found = False
        for change in changes.select(RETIRED, (), (b"",)):
            self._unsure = True
            for source, last in self._read(change):
                if self._hear(source, last):
                    self._pending[source] = self._last(source)
                    self._complete = self._complete and not last[1]
                    found = True
            # It may be one that the look under way has passed.
            self._list(change[3], fades=bool(change[2] & EXPIRING))
            self._compare(change)
        if found:
            self._asking, self._pause = ASKED, AGAIN_SECONDS
            self._missed_at, self._missed_place = now + AGAIN_SECONDS, None
            self._leftovers.named(now)
            self._leave_out(now)
        self._leftovers.learn(changes, now)

    def joined(self, now: float) -> None:
        """Floors rose: what they cover is to be left out at once, or peers that have done so would
        seem to be below them.
        """
        if self._asking:
            self._missed_at, self._missed_place = now, None
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
        if now >= self._missed_at:
            self._missed_at, self._missed_place, self._misses = inf, (0, 0), False
        if self._missed_place is not None:
            self._find_missed(*self._missed_place, now)
        if now >= self._look:
            self._look = now + LOOK_SECONDS
            self._begin()
            self._releasing = True
            self._plan(now)
            if self._unsure and self._cursor is None:
                self._unsure = False
                self._retired.unlist()
                self._cursor = 0
        if self._place is not None:
            self._go_on(now)
        if self._trimming:
            self._trimming = sum(table.trim(ENTRIES) for table in self._tables) > 0
        elif self._releasing:
            self._releasing = sum(table.release(SLOTS) for table in self._tables) > 0
        if self._cursor is not None:
            self._check(now)
        if self._lost:
            lost, self._lost = self._lost, {}
            self._write(sorted(lost.items()))
        if now >= self._leftovers.deadline():
            self._leftovers.advance(now)

    def deadline(self) -> float:
        """When `advance` has something."""
        looking = self._place is not None or self._cursor is not None
        looking = looking or self._missed_place is not None
        if looking or self._trimming or self._releasing or self._lost:
            return 0.0
        return min(self._look, self._again, self._missed_at, self._leftovers.deadline())

    def is_complete(self) -> bool:
        """Whether in the data table something is covered here of all sources that are known to be
        retired, but for what nobody has.
        """
        return self._complete

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
            due = since <= agreed or now - since >= self._patience()
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
        self._write([(source, self._last(source)) for source in fresh])

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

    def _find_missed(self, table: int, place: int, now: float) -> None:
        """Look on for sources of which nothing is covered here: a turn's worth. Of the first one in
        either table somebody is asked; who has it has the others too, mostly, and tells this node
        to join.
        """
        source, following = self._retired.missed(table, place, MISSED)
        if source is None and following is not None:
            self._missed_place = table, following
            return
        if source is not None:
            self._misses = True
            self._asking -= self.ask(table, source)
        if table + 1 < len(self._tables):
            self._missed_place = table + 1, 0
            return
        self._missed_place = None
        self._asking = self._asking if self._misses else 0
        if self._asking > 0:
            self._complete = self._complete or source is None
            self._missed_at = now + self._pause
            self._pause = min(2 * self._pause, LOOK_SECONDS)
        else:
            self._asking, self._complete = 0, True

    # ------------------------------------------------------------------ records

    def _read(self, change: Change) -> list[tuple[bytes, Last]]:
        """What a batch says. One that has room, and does not fade, is gone on with; of several it
        is the first.
        """
        _, key, flags, value, stamp, _ = change
        try:
            found = read_batch(value) if len(value) <= BATCH_BYTES_MAX else []
        except WireError:
            return []
        if flags or not 0 < len(found) < BATCH or stamp >= _STAMP_MAX:
            self._open = None if key == self._open else self._open
        elif self._open is None or key < self._open:
            self._open = key
        return found

    def _list(self, value: bytes, *, fades: bool = False) -> None:
        """Note that a record says this; `fades`: until it lapses."""
        try:
            self._retired.list_batch(value if len(value) <= BATCH_BYTES_MAX else b"", fades)
        except WireError:
            return

    def _write(self, entries: list[tuple[bytes, Last]]) -> None:
        """Put these into the batch that is not full, and into others."""
        control = self._tables[0]
        while entries:
            key, said, stamp = self._batch()
            room = BATCH - len(said)
            said.update(entries[:room])
            entries = entries[room:]
            value = write_batch(sorted(said.items()))
            control.put(RETIRED, key, 0, value, stamp)
            self._list(value)
            self._open = key if len(said) < BATCH else None

    def _batch(self) -> tuple[bytes, dict[bytes, Last], int]:
        """The key of a batch that has room, what it says, and the stamp of its next version."""
        control = self._tables[0]
        held = control.get(RETIRED, self._open) if self._open is not None else None
        if self._open is not None and held is not None and held[0] < _STAMP_MAX:
            key, self._open = self._open, None
            stamp, origin, flags, value = held
            said = dict(self._read((RETIRED, key, flags, value, stamp, origin)))
            if self._open is not None:
                return key, said, stamp + 1
        while control.get(RETIRED, key := self._next_key()) is not None:
            pass
        return key, {}, 1

    def _next_key(self) -> bytes:
        source, number = self._numbers
        if source != self._identity.profile.source:
            source, number = self._identity.profile.source, 0
        self._numbers = source, number + 1
        return source + number.to_bytes(NUMBER_BYTES, "big")

    def _check(self, now: float) -> None:
        """Look on for what is known here and in no record, and for what may be forgotten."""
        assert self._cursor is not None, "asked before"
        found, self._cursor = self._tables[0].scan(RETIRED, b"", self._cursor, BATCHES)
        for change in found:
            fades = bool(change[2] & EXPIRING)
            if self._term is None or fades or not self._fade(change, now):
                self._read(change)
                self._list(change[3], fades=fades)
        if self._cursor is not None:
            return
        self._ripe, self._ripening = self._ripening, {}
        get = self._tables[0].get
        self._faded = {key: said for key, said in self._faded.items() if get(RETIRED, key)}
        if self._term is not None or self._retired.until:
            self._age(now, self._term)
        missing = self._retired.unlisted(RETIRED_PER_LOOK)
        if missing and (self._missed or self._is_first()):
            self._write(missing)
            self._missed = False
        else:
            self._missed = bool(missing)
        self._unsure = self._unsure or bool(missing)

    # ------------------------------------------------------------------ forgetting

    def _plan(self, now: float) -> None:
        """Look at all batches soon, if any lapsed, or something may be forgotten."""
        self._term = self._members.forget_after()
        lapses = self._tables[0].lapses
        self._leftovers.retirements = self._retired.until > 0
        if self._term is None:
            self._unsure |= self._retired.until > 0
        elif now >= self._ripe_look or lapses != self._lapses:
            self._unsure |= len(self._retired) > 0
            self._ripe_look = now + self._term / LOOKS_PER_TERM
        self._lapses = lapses

    def _patience(self) -> float:
        """For how long something may stay as it is before whoever sees it acts alone."""
        if self._term is None:
            return inf
        return 2 * self._batch_seconds(self._term) + 4 * LOOK_SECONDS

    def _waits(self, term: int) -> float:
        """How long it takes to forget: everybody is there by then, and had time to object."""
        return term + 4 * LOOK_SECONDS

    def _batch_seconds(self, term: int) -> float:
        return min(term / 8, BATCH_SECONDS_MAX)

    def _fade(self, change: Change, now: float) -> bool:
        """Of a batch, let what nothing names any more lapse once nobody can be away any more that
        has not heard of it. The others, if any, go into another batch first.
        """
        _, key, _, value, stamp, _ = change
        assert self._term is not None, "asked before"
        try:
            idle, named = self._retired.divide(value if len(value) <= BATCH_BYTES_MAX else b"")
        except WireError:
            return False
        if not idle or stamp >= _STAMP_MAX:
            return False
        since = self._ripe.get(key, now)
        first, full = self._is_first(), len(idle) >= BATCH and not named
        patience = self._patience() if not first else 0.0
        if first and not full:
            patience = self._batch_seconds(self._term)
        if now - since < patience:
            self._ripening[key] = since
            return False
        if named:
            self._open = None if key == self._open else self._open
            self._write(named)
        left = min(int(self._waits(self._term) * 1000), LEFT_MAX)
        batch = write_batch(idle)
        if not self._tables[0].put(RETIRED, key, EXPIRING, batch, stamp + 1, left):
            return False
        self._open = None if key == self._open else self._open
        self._faded[key] = batch
        self._list(batch, fades=True)
        return True

    def _compare(self, change: Change) -> None:
        """This is said in a batch now. If it was let fade from here, and another did the same who
        held an earlier version, or another one, it may lack sources: who heard of them wait for
        their time to be over, who did not would never hear of them. They are to be said anew.
        """
        _, key, flags, value, _, _ = change
        faded = self._faded.get(key, value)
        if faded == value:
            return
        del self._faded[key]
        if flags & TOMBSTONE:
            return  # it has lapsed
        try:
            said = dict(read_batch(value)) if len(value) <= BATCH_BYTES_MAX else {}
        except WireError:
            said = {}
        for source, _ in read_batch(faded):
            last = self._retired.get(source)
            if source not in said and last is not None:
                self._lost[source] = last

    def _age(self, now: float, term: int | None) -> None:
        """All batches were looked at: forget what is in none of them any more, and whose time is
        over by this node's own clock, too.
        """
        clock = int((now - self._began) / UNIT_SECONDS) + 1
        until = 0 if term is None else clock + ceil(self._waits(term) / UNIT_SECONDS) + 1
        self._retired.age(clock, until)

    # ------------------------------------------------------------------ tables

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
