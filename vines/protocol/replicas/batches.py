"""Batches: the records that retire sources, at one node.

Each says of some sources what their last positions are, and whoever writes the next ones goes on
with it until it is full. Two members that do so at once, on either side of a partition, overwrite
each other. Nothing is lost by that: what a node has read it keeps (vines._core.retired), and what
it knows and finds in no batch is written again, by the first member, or after a while by whoever
knows it.

Where all members were told for how long anybody may be away, sources are forgotten that nothing
names any more: a batch of them is written to lapse after that, and each node forgets what is in no
batch any more once its own clock agrees. Who still holds something of one says it anew.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf

from vines._core.changes import Change
from vines._core.retired import read_batch, write_batch
from vines._core.table import EXPIRING, LEFT_MAX, TOMBSTONE, Table
from vines.errors import WireError
from vines.hints import Final
from vines.protocol.members.identity import Identity
from vines.protocol.members.membership import Membership

RETIRED: Final = 8
"""The family of these records; the key says who began it, and a number."""
BATCH: Final = 40
"""Sources in one batch: some 800 bytes, which are sent again with each that is added."""
BATCH_BYTES_MAX: Final = 4096
"""A larger one is not read: nobody writes it, and it would take long."""
NUMBER_BYTES: Final = 4
WRITTEN_AGAIN: Final = 256
"""Sources that are in no batch, written at once: of more the rest follows with the next look."""
BATCHES: Final = 16
"""Looked at in one turn: some hundred microseconds."""
LOOKS_PER_TERM: Final = 64
"""How often batches are looked at for what may fade, in the time that anybody may be away: what is
forgotten then is late by no more than some of these, and a look goes over all batches."""
BATCH_SECONDS_MAX: Final = 3600.0
"""For how long a batch is waited for to be full before it fades: an eighth of that time at most."""
OBJECT_SECONDS: Final = 120.0
"""In which whoever is there has looked at what it holds some times, and said what it knows."""
UNIT_SECONDS: Final = 64.0
"""In which times of sources are counted: 24 bits of it are 34 years."""
_STAMP_MAX: Final = (1 << 63) - 1

Last = tuple[int, int]
"""The last positions of a source, in the control and in the data table."""


class Batches:
    """What is said of retired sources in the control table, and when it goes."""

    def __init__(
        self,
        identity: Identity,
        members: Membership,
        control: Table,
        is_first: Callable[[], bool],
        now: float,
    ) -> None:
        self._identity = identity
        self._members = members
        self._control = control
        self._retired = control.gone
        self._is_first = is_first
        """Whether it is this member that says what is to be said by one."""
        self._open: bytes | None = None
        """The key of a batch that is not full, if one is known."""
        self._numbers: tuple[bytes, int] = b"", 0
        """The source of this node, and how many batches it began: none has the key of another, that
        may have lapsed."""
        self._unsure = False
        """Records changed: what they had said may be in none of them any more."""
        self._missed = False
        """So it was at the last look, and the first member is to mend it."""
        self._cursor: int | None = None
        """How far the look for that has come."""
        self._term = identity.profile.forget_after
        """The longest that anybody may be away; None: nobody knows."""
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
        if self._term is not None:
            self._age(now)

    @property
    def under_way(self) -> bool:
        """Whether `advance` has something."""
        return self._cursor is not None or bool(self._lost)

    def read(self, change: Change) -> list[tuple[bytes, Last]]:
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

    def note(self, change: Change, now: float) -> None:
        """This is what a batch says now, and has been read."""
        self._unsure = True
        # It may be one that the look under way has passed; or lapse before there is one here.
        self._list(change[3], self._until(now) if change[2] & EXPIRING else None)
        self._compare(change)

    def write(self, entries: list[tuple[bytes, Last]]) -> None:
        """Put these into the batch that is not full, and into others."""
        while entries:
            key, said, stamp = self._batch()
            room = BATCH - len(said)
            said.update(entries[:room])
            entries = entries[room:]
            value = write_batch(sorted(said.items()))
            self._control.put(RETIRED, key, 0, value, stamp)
            self._list(value)
            self._open = key if len(said) < BATCH else None

    def look(self, now: float) -> None:
        """Begin to look through all batches, if there is a reason to."""
        self._plan(now)
        if self._unsure and self._cursor is None:
            self._unsure = False
            self._retired.unlist()
            self._cursor = 0

    def advance(self, now: float) -> None:
        """Go on with what is under way: a turn's worth."""
        if self._cursor is not None:
            self._check(now)
        if self._lost:
            lost, self._lost = self._lost, {}
            self.write(sorted(lost.items()))

    def patience(self) -> float:
        """For how long something may stay as it is before whoever sees it acts alone."""
        if self._term is None:
            return inf
        return 2 * self._batch_seconds(self._term) + OBJECT_SECONDS

    def _list(self, value: bytes, until: int | None = None) -> None:
        """Note that a record says this; `until`: it is to lapse, and from when on to forget that
        then; 0: that is seen as all have been looked at.
        """
        try:
            self._retired.list_batch(value if len(value) <= BATCH_BYTES_MAX else b"", until)
        except WireError:
            return

    def _batch(self) -> tuple[bytes, dict[bytes, Last], int]:
        """The key of a batch that has room, what it says, and the stamp of its next version."""
        held = self._control.get(RETIRED, self._open) if self._open is not None else None
        if self._open is not None and held is not None and held[0] < _STAMP_MAX:
            key, self._open = self._open, None
            stamp, origin, flags, value = held
            said = dict(self.read((RETIRED, key, flags, value, stamp, origin)))
            if self._open is not None:
                return key, said, stamp + 1
        while self._control.get(RETIRED, key := self._next_key()) is not None:
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
        found, self._cursor = self._control.scan(RETIRED, b"", self._cursor, BATCHES)
        for change in found:
            fades = bool(change[2] & EXPIRING)
            if self._term is None or fades or not self._fade(change, now):
                self.read(change)
                self._list(change[3], 0 if fades else None)
        if self._cursor is not None:
            return
        self._ripe, self._ripening = self._ripening, {}
        get = self._control.get
        self._faded = {key: said for key, said in self._faded.items() if get(RETIRED, key)}
        if self._term is not None or self._retired.until:
            self._age(now)
        missing = self._retired.unlisted(WRITTEN_AGAIN)
        if missing and (self._missed or self._is_first()):
            self.write(missing)
            self._missed = False
        else:
            self._missed = bool(missing)
        self._unsure = self._unsure or bool(missing)

    # ------------------------------------------------------------------ forgetting

    def _plan(self, now: float) -> None:
        """Look at all batches soon, if any lapsed, or something may be forgotten."""
        self._term = self._members.forget_after()
        lapses = self._control.lapses
        if self._term is None:
            self._unsure |= self._retired.until > 0
        elif now >= self._ripe_look or lapses != self._lapses:
            self._unsure |= len(self._retired) > 0
            self._ripe_look = now + self._term / LOOKS_PER_TERM
        self._lapses = lapses

    def _waits(self, term: int) -> float:
        """How long it takes to forget: everybody is there by then, and had time to object."""
        return term + OBJECT_SECONDS

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
        patience = self.patience() if not first else 0.0
        if first and not full:
            patience = self._batch_seconds(self._term)
        if now - since < patience:
            self._ripening[key] = since
            return False
        if named:
            self._open = None if key == self._open else self._open
            self.write(named)
        left = min(int(self._waits(self._term) * 1000), LEFT_MAX)
        batch = write_batch(idle)
        if not self._control.put(RETIRED, key, EXPIRING, batch, stamp + 1, left):
            return False
        self._open = None if key == self._open else self._open
        self._faded[key] = batch
        self._list(batch, 0)
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

    def _age(self, now: float) -> None:
        """All batches were looked at: forget what is in none of them any more, and whose time is
        over by this node's own clock, too.
        """
        self._retired.age(self._clock(now), self._until(now))

    def _until(self, now: float) -> int:
        """The time of what is heard of now, once only batches say it that fade; 0: it has none."""
        if self._term is None:
            return 0
        return self._clock(now) + ceil(self._waits(self._term) / UNIT_SECONDS) + 1

    def _clock(self, now: float) -> int:
        return int((now - self._began) / UNIT_SECONDS) + 1
