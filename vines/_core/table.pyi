"""The replicated table: records, who numbered them, what a peer lacks, and the bytes that say
so."""

from typing import final

from vines._core.changes import Changes
from vines._core.retired import RetiredSources
from vines._core.vector import VersionVector

DATA: int
MEMBER: int
DECISION: int
CALL: int
VOTE: int
TOMBSTONE: int
EXPIRING: int
"""Flag of a record that lapses; with TOMBSTONE, of what is left of it then."""
LEFT_MAX: int
"""The longest time to live, in ms: ten years of 365.25 days."""
EPHEMERAL: int
"""Flag of a record that lives as long as the author whose source is its origin; with TOMBSTONE, of
what is left of it then."""
HIDDEN: int
SHOWN: int
ENDED: int
"""What an author is: held dead or not known, alive, gone for good."""

@final
class Table:
    """Records (family, key) -> stamp, origin, source, counter, flags, value; merging keeps the
    higher (stamp, origin).

    `source` (16 bytes) numbers this table's own writes 1, 2, 3 ...; `fingerprint_key` (16 bytes)
    is the same on every node of a cluster; `index_key` (16 bytes) is this table's own secret.
    `log_slack`: entries kept beyond twice the records before the oldest are dropped and their
    floor rises. `horizon`: runs kept in the arrival log; a link further behind than that is served
    from the vector instead. `sketch_above`: a table of more sources than this keeps a sketch of its
    vector (vines._core.sketch); of fewer a whole vector is shorter. `segment_slots`: of the
    index, at which a part of it splits; `spare_chunks`, `slots_kept`: memory that is unused and not
    given back, of records and for sources; tests take less of these, that what is small is divided
    and cleared up like what is large.
    `retired`: what is known of retired sources, of which this table's positions are those of
    `which`, 0 or 1; by default it has one of its own."""

    def __init__(
        self,
        source: bytes,
        fingerprint_key: bytes,
        index_key: bytes,
        *,
        log_slack: int = 65536,
        horizon: int = 65536,
        sketch_above: int = 256,
        segment_slots: int = 4096,
        spare_chunks: int = 2,
        slots_kept: int = 64,
        retired: RetiredSources | None = None,
        which: int = 0,
    ) -> None: ...
    def __len__(self) -> int:
        """Records held, tombstones among them."""
    source: bytes
    gone: RetiredSources
    """What is known of retired sources. Of those that have no slot in this table any more, all that
    it knows is there."""
    counter: int
    """The number of this table's own writes."""
    clock: int
    """The highest stamp issued or taken notice of (hybrid logical clock: 48 bit ms, 16 bit
    logical)."""
    sequence: int
    """Rises with every run added to the arrival log: unchanged means there is nothing new for any
    link."""
    ahead: int
    """Records merged so far whose stamp lay above the limit given to `apply`: they were ordered,
    not believed."""
    fresh: int
    """Positions that the last delta taken covered here for the first time."""
    repeated: int
    """Positions that the last delta taken named although they were covered here."""
    overtaken: bool
    """A peer knows more of this table's own source than this table does: take a new source."""
    lapses: int
    """Records that ended here so far, because their time was over or their author gone."""
    turns: int
    """Ephemeral records that were hidden or shown again here so far."""
    def due(self) -> float:
        """When `lapse` has something to do next, in seconds of the clock told by `tick`; infinity
        if never, 0 if it waits to be done."""
    def tick(self, now: float) -> bool:
        """It is `now`, in seconds of a clock that never goes back (an earlier time than before
        changes nothing). The time left of records is counted from there, in whole ms: when they
        are written, sent and taken. What is due is not read, and sent as lapsed, from then on.
        Returns whether `lapse` has something to do. ValueError from 10**9 on."""
    def lapse(self, limit: int, changes: Changes | None = None) -> int:
        """Let at most `limit` records lapse that are due, the earliest first: each loses its value
        and is a tombstone from then on, of the same stamp, origin and position. Then do to
        ephemeral records what `author` said: the same, or hide them, or show them again, up to the
        same limit. Appends what its readers see of that to `changes` if given, with values where
        one is shown again, else as tombstones; returns how many records there were. It is no write:
        nothing of it is sent to whoever has the record."""
    def author(self, source: bytes, fate: int) -> None:
        """Who writes under this source is SHOWN, HIDDEN or ENDED from now on: `lapse` has the
        ephemeral records follow whose origin it is. Those of an author never told of are hidden,
        those of this table's own source always shown. What ended does not come back. ValueError."""
    def inherit(self, source: bytes) -> None:
        """The ephemeral records of an earlier source of this table's own are to be written anew, as
        of the one of now: until `take_over` has done so nothing that `author` says ends or hides
        those that are shown, and `due` is 0. ValueError if it is the one of now."""
    def take_over(self, limit: int, changes: Changes | None = None) -> int:
        """Write anew at most so many records of what was inherited; returns how many there were. A
        record whose stamp is at its limit ends instead. Appends them to `changes` if given."""
    def adopt(self, source: bytes) -> None:
        """Number own writes under a fresh source from now on."""
    keys_max: int
    bytes_max: int
    """What all live records of family DATA, and their keys and values, may come to before `write`
    and `write_plain` refuse what makes them more; 2**62 to begin with. What peers send is taken all
    the same."""
    refusals: int
    """Writes refused for that so far."""
    def fullness(self) -> float:
        """The larger of the two parts of those that are in use."""
    def admit(self, items: list[tuple[bytes, bytes]]) -> None:
        """Make sure that keys, each once, and values may be written, all of them. QuotaExceeded."""
    def write(
        self,
        key: bytes,
        flags: int,
        value: bytes,
        wall: int,
        remaining: int = 0,
        admitted: bool = False,
    ) -> int:
        """A local write of family DATA, stamped above the clock and what it replaces, and at or
        above `wall` (the wall clock as a stamp: ms << 16); returns the stamp. `remaining`: with the
        flag EXPIRING, ms from now on until it lapses; ValueError unless both or neither are given.
        QuotaExceeded, unless it is `admitted`."""
    def write_plain(self, key: str, value: object, now: int) -> int:
        """The same, in one step, for a key of ASCII and a value that `pack_plain` packs, `now` in
        nanoseconds since 1970; 0, and nothing happened, for what is not both."""
    def put(
        self, family: int, key: bytes, flags: int, value: bytes, stamp: int, remaining: int = 0
    ) -> bool:
        """A local write with exactly this stamp; False, and nothing happened, unless it wins over
        what is held. `remaining` as for `write`."""
    def get(self, family: int, key: bytes) -> tuple[int, bytes, int, bytes] | None:
        """(stamp, origin, flags, value) of the current record, tombstones included, or None."""
    def collect(self, family: int, key: bytes, covered: bool = False) -> bool:
        """Forget a record without a trace; False if there is none, or, with `covered`, if its
        position is not covered: it would come again. A covered position stays so, and no copy of
        the record is merged again. Only for what every replica forgets for the same reason, found
        in the table itself: those that do not would differ for ever."""
    def lapsed(self, cursor: int, limit: int) -> tuple[list[tuple[int, bytes]], int | None]:
        """(family, key) of records that have lapsed and whose positions are covered, in the next
        `limit` places of the index, and where to go on from `cursor` (0 to begin), None at the end.
        One that has lapsed before, and stays, is among them at least once."""
    def current(self, changes: Changes, start: int, stop: int) -> Changes:
        """Those of `changes[start:stop]` that the table still holds, with the content it holds. One
        without an origin is held if its stamp is; a value that lapsed or was hidden since is not,
        nor that it was hidden if it is shown again."""
    def value(self, key: bytes) -> bytes | None:
        """The live value of a key of family DATA, or None; one that is due or hidden is not
        live."""
    def well_formed(self, family: int, key: bytes) -> bool:
        """Whether the value held passed the value scanner when it arrived (always true for local
        writes)."""
    def count(self, family: int) -> int:
        """Live records of a family, hidden ones among them; those that are due count until they
        have lapsed."""
    def size(self, family: int) -> int:
        """Bytes of the keys and values of those."""
    def scan(
        self, family: int, prefix: bytes, cursor: int, limit: int
    ) -> tuple[Changes, int | None]:
        """Live records that are not hidden, from `cursor` (0 to begin), and where to go on, None at
        the end; at most about `limit`, and few or none where few match, because little more than
        16 times `limit` are looked at. Stateless: a record present all the while appears exactly
        once, one written meanwhile may or may not."""
    def apply(
        self,
        delta: bytes,
        offset: int = 0,
        progress: Progress | None = None,
        limit: int = 0,
        changes: Changes | None = None,
    ) -> list[tuple[bytes, int]]:
        """Merge an encoded delta; appends what became current to `changes` if given; returns the
        (source, counter held) of each range refused for starting above what is held: pull those.
        `progress` is the sender's. `limit` is the highest stamp that may advance the clock (0:
        none). WireError before any change."""
    def delta(self, progress: Progress, budget: int, mine: bool = False) -> bytes | None:
        """What the peer lacks, at most `budget` bytes unless one record alone is larger, and count
        it as sent; None if nothing can be sent now: all sent, not ready, or only ranges below a
        floor (see `progress.below_floor`). `mine`: only what this table's own source numbered; the
        rest is passed over, to be announced or, after `progress.resume()`, sent. One body serves
        every link that lacks the same."""
    def announce(self, progress: Progress, budget: int, mine: bool = False) -> bytes | None:
        """A vector page of the sources of which the peer is not known to hold all, at most `budget`
        bytes; it counts as holding them from now on, because it pulls what it lacks. `mine`: what
        this table's own source numbered is left out, for it is sent. None if there are none, or the
        progress is not ready."""
    def hear(self, page: bytes, offset: int, progress: Progress) -> list[tuple[bytes, int]]:
        """The peer announces that it holds these; returns the (source, counter) of those that are
        not covered here. WireError before any change."""
    def delta_for(self, vector: VersionVector, budget: int) -> bytes | None:
        """One delta for a peer whose vector is known; no state is kept."""
    def page(self, cursor: int, budget: int) -> tuple[bytes, int | None]:
        """One page of all records, for a peer below a floor, and the next cursor (None: that was
        the last)."""
    def apply_page(
        self,
        page: bytes,
        offset: int = 0,
        limit: int = 0,
        changes: Changes | None = None,
    ) -> None:
        """Merge one page of a join. WireError before any change."""
    recounting: bool
    """Strays are being counted anew, since `recount` or the end of a join, and `recount` goes on
    with it."""
    def recount(self, limit: int) -> bool:
        """Count anew, over all records, the strays that are in the state fingerprint: what is kept
        step by step is right as long as every range has an entry for each position that is some
        record's own, which nobody can check of a peer. One step of about so many records of a pass;
        returns whether there is more to do, until which the fingerprint is as it was.
        """
    def begin_join(self, floors: list[bytes]) -> None:
        """A join begins: from now on a page's record and the one held are each tested against what
        the other side covers before the higher stays. `floors` as of `finish_join`. WireError
        before any change."""
    def sweep(self, cursor: int, limit: int, changes: Changes | None = None) -> int | None:
        """After `finish_join`, or `abandon_join`: drop the live records that came with no page of
        the join and whose positions the giver covers, for they were deleted there. One step of
        about so many records from `cursor` (0 to begin); returns the next cursor, None at the end,
        before which no other join may begin. Appends what was dropped to `changes`, as deleted.
        Of this table's own records that end by themselves, that some may not have seen and that are
        stamped no higher than what was forgotten, what became of them is written anew: nobody else
        could tell that others disagree. For the same reason a merge that replaces one of them by a
        deletion writes that deletion once more."""
    def abandon_join(self) -> None:
        """The join begun will not be finished: a sweep, which is still to be done, drops
        nothing."""
    def finish_join(self, floors: list[bytes], limit: int = ...) -> None:
        """Cover the vector captured at the begin of a join whose pages have all been merged:
        vector and floors rise to it, and the floor stamp to the giver's, but not above `limit`. A
        sweep follows; what it is to drop is held for its duration, and claimed by nobody. `floors`
        are the encoded floor pages of that begin. WireError before any change."""
    def floor_pages(self, budget: int) -> list[bytes]:
        """This table's vector, floors and floor stamp, to be captured at the begin of a join
        (docs/wire.md, 'Floor page')."""
    floor_stamp: int
    """The highest stamp of a tombstone ever collected here, or where a join came from: local writes
    stamp above it."""
    strayed: bool
    """Whether a record was ever merged here that lies above what is covered of its source, and that
    is not retired: nothing is covered that it says, and it may be of one that goes on."""
    collected: int
    """Tombstones dropped for good so far."""
    tombstones: int
    """Those held, what lapsed among them."""
    def rest(self, sources: list[bytes]) -> bytes:
        """24 bytes: the first three words of the fingerprint as they were without these sources,
        each named once."""
    def collect_stable(
        self, cut: VersionVector, bound: VersionVector, clock: int, cursor: int, limit: int
    ) -> int | None:
        """Drop tombstones for good, those at or below `cut` and stamped at or below `clock`, and
        raise the floors of their sources. `cut` is a lower bound of what every replica covers;
        nothing is dropped unless this one covers `bound`, all that any of them covered when it
        covered the cut, and holds no record above its own vector. One step of about so many records
        from `cursor` (0 to begin); returns the next cursor, None at the end or if nothing may be
        dropped."""
    def trim(self, limit: int) -> bool:
        """Give back the memory of about so many log entries that are below a floor, or too many
        now that records are gone; then that of the records themselves, to the system, which moves
        those that stay closer together. Whether there is more to do."""
    def vector(self) -> VersionVector: ...
    def covered(self, source: bytes) -> int:
        """This table's counter for a source."""
    def floor(self, source: bytes) -> int: ...
    def retire(self, source: bytes, final: int) -> bool:
        """This source numbers nothing above `final` any more: once that much is covered, and no
        more, it is left out of roster, vector and sketch, and its log is dropped, what is long of
        it by `trim`, or with writes; its records stay until they are overwritten. Returns whether
        it is left out, or nothing of it is to be had. What is covered above `final` after all puts
        it back, as does a higher `final`; the own source never goes."""
    def is_retired(self, source: bytes) -> bool: ...
    def release(self, limit: int) -> bool:
        """Look at the next `limit` slots, and give back those of retired sources that no record, no
        log entry and no list names any more; True if there are more to look at. The next new source
        has the lowest such slot; where the last slots are of none, and most are, memory for them is
        given back once all were looked at. All that is asked of the source is answered as before,
        for what is kept in `gone`: 32 bytes. It has a slot again as soon as a record or a range
        names it."""
    def counted(self) -> list[tuple[bytes, int]]:
        """The roster: the sources that count, each with how much of it is covered."""
    def counted_from(self, start: int, limit: int) -> tuple[list[bytes], int | None]:
        """Those of them in `limit` places from `start` on, with those of which nothing is covered
        and something came since they were retired, if they were; and where to go on, None at the
        end."""
    def counts_in(self, source: bytes) -> bool:
        """Whether it is one of them."""
    def fingerprint(self) -> bytes:
        """32 bytes: roster 8, vector 16, state 8 (replication: 'Fingerprint'); kept
        incrementally."""
    def state_bytes(self) -> bytes:
        """A canonical encoding of everything that decides what this table does next; equal bytes,
        equal behaviour."""
    def records(self) -> list[tuple[int, bytes, int, bytes, bytes, int, int, bytes]]:
        """Sorted (family, key, stamp, origin, source, counter, flags, value) of every record; for
        tests and tools."""
    def expiring(self) -> list[tuple[int, bytes, int]]:
        """Sorted (family, key, ms left) of every record that lapses and has not; not above 0: it is
        due. For tests and tools."""
    def hidden(self) -> list[tuple[int, bytes]]:
        """Sorted (family, key) of every live record that is hidden; for tests and tools."""
    def entries(self, source: bytes) -> list[tuple[int, int, bytes]]:
        """Sorted (counter, family, key) of the log of a source; for tests and tools."""
    def statistics(self) -> dict[str, int]:
        """Counts and bytes: records, tombstones, entries, sources, memory, runs, refused, skipped,
        applied ..."""

def check_floors(page: bytes) -> None:
    """Raise WireError unless this is a floor page."""

@final
class Progress:
    """What one peer surely holds of one table, and the position in the arrival log up to which it
    was served.

    It is a hint about what to send, never knowledge of one's own. One lives and dies with one link.
    """

    def __init__(self, table: Table) -> None: ...
    ready: bool
    """Whether the peer's vector is known; until then nothing is sent."""
    below_floor: bool
    """A source the peer lacks positions of was cut above what the peer holds: it has to join."""
    doubtful: bool
    """Whether the peer is below a floor cannot be told, as some of what it is taken to hold was
    only announced to it: nothing is sent until it has said anew what it holds."""
    unheard: bytes
    """Keys, four bytes each, of the sources of which the peer holds nothing and may not know the
    ids, as the last sketch that was read said."""
    def idle(self) -> bool:
        """Whether there is nothing to send: cheap, no scan."""
    def belongs(self, source: bytes) -> None:
        """The peer writes under this source: nobody announces to it what it wrote itself."""
    def joined(self) -> None:
        """The peer was given the last page of a join: if it says again that it holds nothing, there
        was nothing. Until then whoever does so has to join."""
    def resume(self) -> None:
        """Compare every source before going on in order of arrival: what was passed over is sent
        too."""
    def assume_equal(self) -> None:
        """The peer's fingerprint equals ours: it holds what we hold."""
    def read_page(self, page: bytes, offset: int = 0) -> bool:
        """Learn one page of the peer's vector; True when it was the last and sending may begin.
        The first page forgets what was known. WireError before any change."""
    def rewind(self, page: bytes, offset: int = 0) -> None:
        """The peer refused ranges: it holds the sources of this page only up to these counters.
        WireError."""
    behind: bool
    """Whether the arrival log no longer reaches back to where this peer was served: every source
    will be compared."""
    def known_of(self, source: bytes) -> int:
        """What the peer is taken to hold of a source."""

PLANTED: dict[str, int]
"""Known bugs that tests switch on, by name; the numbers are for `plant`."""

def plant(bug: int) -> None:
    """Switch on one planted bug (0: none). LocalError unless built with VINES_BUILD=debug."""
