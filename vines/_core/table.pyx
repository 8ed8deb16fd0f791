"""The replicated table: records, who numbered them, what a peer lacks, and the bytes that say so.

Decides which of two records of a key is current, which positions this replica covers, and what is
sent to whom. It must not know time, sockets or what values mean. Three structures do the work:

* an index from (family, key) to the one current record of that key;
* a log per source: ascending positions, each pointing at the *current* record of the key that was
written there, so
  that what was overwritten is never sent and no cut through a range can claim what was not;
* an arrival log of runs (source, from, to) in the order in which they became covered here: what is
new for a link is
  the runs after its position, so a write costs each link the same however large the table is.

Nothing here gives up the interpreter's lock, so each method is one step for every thread; work is
bounded by the budget or the frame the caller gives. """

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc, qsort, realloc
from libc.stdint cimport int32_t, int64_t, uint16_t, uint64_t
from libc.math cimport INFINITY
from libc.string cimport memcmp, memcpy, memset

from vines._core.arena cimport (
    arena_close, arena_close_sparse, arena_free, arena_is_loose, arena_sort, arena_waits, chunk_of,
)
from vines._core.body cimport (
    DELTA_FORMAT, ELSEWHERE, ENTRY_ROOM, EPHEMERAL_FLAG, EXPIRING_FLAG, FADING_FLAGS, FAMILY, FLAGS,
    FLOOR_FORMAT, LEFT, LEFT_LIMIT, ORIGIN, PAGE_FORMAT, RANGE_ROOM, REPEAT, TOMBSTONE_FLAG,
    check_delta, check_range, check_records, depends, expires, faded, read_entry,
    read_page_record, read_range_end, read_source,
)
from vines._core.bound cimport (
    ENDED_FATE, HIDDEN_FATE, SHOWN_FATE, UNDECIDED, bounds_add, bounds_close, bounds_memory,
    bounds_remove, bounds_reserve, bound_place, is_hidden,
)
from vines._core.changes cimport Changed, Changes
from vines._core.deadlines cimport (
    deadline_of, deadlines_add, deadlines_close, deadlines_hasten, deadlines_memory,
    deadlines_remove, deadlines_reserve, heap_place,
)
from vines._core.index cimport (
    Segment, directory_halve, hash_key, hash_record, index_close, index_find, index_insert,
    index_open, index_prefetch, index_prefetch_record, index_remove, prefetch_slot, segment_join,
    segment_of, segment_shrink,
)
from vines._core.log cimport (
    Cursor, Log, cursor_counter, cursor_holds, log_add, log_begin, log_close, log_drop_first,
    log_memory, log_remove, log_reserve, log_seek,
)
from vines._core.plain cimport write_value
from vines._core.record cimport (
    POINTER_MASK, SOURCES_MAX, fit_value, free_apart, key_of, moved_to, pointed, record_free,
    record_move, record_new, refer, size_apart, unrefer, value_of,
)
from vines._core.retired cimport (
    FATE_BITS, FATE_SHIFT, RELEASED_BIT, Retired, RetiredSources, is_released, is_told,
    last_of, set_time, set_unlisted, time_of,
)
from vines._core.scanner cimport scan as scan_msgpack
from vines._core.sketch cimport (
    FIELD, sketch_add, sketch_append, sketch_close, sketch_key, sketch_memory, sketch_remove,
    sketch_replace, sketch_reserve, sketch_shrink,
)
from vines._core.vector cimport Located, first_above, id_of, vines_load_key
from vines._core.wire cimport (
    COUNTER_LIMIT, ID_BYTES, KEY_MAX, STAMP_LIMIT, VALUE_MAX, Reader, left, read_byte, read_bytes,
    read_varint, vines_write64, write_varint, zigzag,
)

from vines.errors import LocalError, QuotaExceeded, WireError


cdef extern from "Python.h":
    bint PyUnicode_CheckExact(object value)
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    PyObject* PyBytes_FromStringAndSizeRaw "PyBytes_FromStringAndSize" (
        const char*, Py_ssize_t) except NULL
    char* PyBytes_AsStringRaw "PyBytes_AsString" (PyObject*) except NULL
    int PyBytes_ResizeRaw "_PyBytes_Resize" (PyObject**, Py_ssize_t) except -1
    void Py_DECREF_Raw "Py_DECREF" (PyObject*)
    int PyGC_Disable()
    int PyGC_Enable()

cdef extern from "hash.h" nogil:
    uint64_t vines_sip(vines_key key, const uint8_t* data, size_t count)
    uint64_t vines_residue(uint64_t x)
    uint64_t vines_multiply_residue(uint64_t a, uint64_t b)
    uint64_t vines_add_residue(uint64_t a, uint64_t b)
    uint64_t vines_sip_with_head(
        vines_key key, uint64_t head, size_t head_count, const uint8_t* data, size_t count)
    void VINES_PREFETCH(const void* address)

cdef extern from "copy.h" nogil:
    uint8_t* vines_copy(uint8_t* into, const uint8_t* source, size_t count)

cdef extern from "planted.h" nogil:
    bint vines_plantable
    bint vines_planted(int bug)
    bint vines_plant(int bug)

DATA = 0
MEMBER = 1
DECISION = 4
CALL = 5
VOTE = 6
TOMBSTONE = 1
EXPIRING = 2
EPHEMERAL = 4

PLANTED = {
    "gap_passed_before_overwriter": 1,
    "entry_not_logged_where_it_came": 2,
    "covered_range_skips_elsewhere": 3,
    "once_across_links": 4,
    "gap_check_skipped": 5,
    "received_vector_merged": 6,
    "tie_not_broken": 7,
    "tombstone_dropped_at_once": 8,
    "vector_before_records": 9,
    "last_writer_inverted": 10,
    "below_vector_merged": 11,
    "expiring_in_fingerprint": 12,
    "joiner_restarts_the_clock": 13,
    "applied_while_parsed": 14,
    "sketch_unkeyed": 40,
    "ephemeral_in_fingerprint": 15,
    "ephemeral_dropped_on_false_death": 16,
    "no_floor_stamp": 50,
    "push_below_a_floor": 51,
    "join_takes_the_maximum_first": 52,
    "join_trusts_absence_above_the_vector": 53,
    "join_without_tombstones": 54,
    "floors_not_handed_on": 55,
    "collected_before_the_slowest": 56,
    "collected_with_a_record_above": 57,
    "collected_before_the_clock": 58,
    "swept_twice_where_segments_join": 59,
    "author_without_the_last_word": 60,
    "collected_by_an_old_cut": 61,
    "compaction_raises_no_floor": 62,
    "join_by_position": 63,
    "never_collected": 64,
    "slot_reused_with_what_was_known_of_another": 65,
    "slot_given_back_while_it_is_an_origin": 66,
    "source_forgotten_with_its_slot": 67,
}

HIDDEN = HIDDEN_FATE
SHOWN = SHOWN_FATE
ENDED = ENDED_FATE

LEFT_MAX = LEFT_LIMIT

cdef enum:
    LAPSED_FLAGS = 3            # a tombstone that was not written as one
    UNCOUNTED_FLAGS = 7         # tombstones, expiring, ephemeral: no part of the state
    AHEAD = 12                  # entries between asking for a record's memory and reading it
    LEVELS = 65                 # of sources by how many more log entries they have than records
    BLOCK = 16                  # records whose memory is asked for before any is merged
    COMPACT_MAX = 1024          # log entries dropped in one step
    RECOUNT_AHEAD = 8           # slots between asking for a record's memory and reading it
    COMPACT_CALL = 4096         # in one call, once many records are gone: a millisecond at most
    TRIM_STEP = 64              # of those below a floor, with each write: they come to be no more
    MOVED = 4                   # steps that moving a record takes, a look at it being one
    FREED = 256                 # and giving a chunk back to the system
    PASSED = 16                 # records looked at by a scan for each that it may find
    BUDGET_MAX = 4194304
    NANOSECONDS = 1000000       # in a millisecond, of which a stamp counts
    LOGICAL_BITS = 16           # of a stamp, below its milliseconds
    VECTOR_FORMAT = 3
    ANNOUNCED = 23              # the most a source takes in an announcement
    PLACED = 64                 # slots given lately that are kept in a list
    RELEASED_MAX = 1024         # slots given back in one step: some hundred microseconds
    SPARSE = 4                  # slots for each in use, from which on memory of slots is given back
    UNPLACED_MAX = 65536        # sources a peer may name that are not known here, kept per link
    SECONDS_MAX = 1000000000    # of a clock: thirty years, to the microsecond in a double
    NAMES_SLACK = 8             # sources one range and one record alone can name

cdef extern from *:
    """
    #define VINES_RESIDUES ((1ULL << 61) - 1)
    #define VINES_NEVER 0xffffffffffffffffULL
    """
    const uint64_t RESIDUES "VINES_RESIDUES"    # modulus of the lanes of a fingerprint
    const uint64_t NEVER "VINES_NEVER"      # a number of collections that there never were

cdef uint64_t UNLIMITED = 1 << 62    # far from where sums of bytes wrap around
cdef enum:                      # phases of reclaiming, in their order
    IDLE
    SORTING                     # blocks that wait, by whether their chunk was closed
    MOVING                      # records out of the others
    RELINKING                   # log entries that point at what they left behind

cdef vines_record* ABSENT = <vines_record*>1    # skipped, and the key is not held


def plant(int bug):
    """Switch on one of PLANTED (0: none); only in a build made for it."""
    if not vines_plant(bug):
        raise LocalError("this build has no planted bugs: build with VINES_BUILD=debug")


cdef inline bint lives_at(
    const vines_record* record, size_t slot, uint64_t counter
) noexcept nogil:
    return record.source == slot and record.counter == counter


cdef inline uint32_t cells_key(vines_key key, const uint8_t* id) noexcept nogil:
    """The key by which a source is in its cells, unknown to who may choose the id."""
    if vines_planted(40):
        key.k0 = key.k1 = 0
    return sketch_key(key, id)


cdef inline bint next_segment(const Segment* segment, uint64_t* hashed) noexcept:
    """Move from the lowest hash of a segment to that of the next; False after the last."""
    if segment.depth == 0:
        return False
    hashed[0] = ((hashed[0] >> (64 - segment.depth)) + 1) << (64 - segment.depth)
    return hashed[0] != 0


cdef inline bint outranks(
    uint64_t stamp, const uint8_t* origin, const vines_record* held, const uint8_t* ids
) noexcept:
    """Whether (stamp, origin) is above that of the record held: the conflict order."""
    if vines_planted(10):
        return stamp < held.stamp
    if stamp != held.stamp:
        return stamp > held.stamp
    if vines_planted(7):
        return False
    return memcmp(origin, ids + <size_t>held.origin * ID_BYTES, ID_BYTES) > 0


cdef inline bint is_same(
    const Item* item, const uint8_t* origin, const vines_record* held, const uint8_t* ids
) noexcept:
    """Whether a received record is the one held, wherever each says that it lives."""
    return (
        item.stamp == held.stamp
        and memcmp(origin, ids + <size_t>held.origin * ID_BYTES, ID_BYTES) == 0
    )


cdef inline bint contradicts(
    const Item* item, const uint8_t* origin, const vines_record* held, const uint8_t* ids
) noexcept:
    """Whether equal (stamp, origin) comes with other content, which no correct author makes. What
    is left of a record that expires or is ephemeral, once it ended, is the same record."""
    if not is_same(item, origin, held, ids):
        return False
    if item.flags & held.flags & FADING_FLAGS and (item.flags | held.flags) & TOMBSTONE_FLAG:
        return (item.flags ^ held.flags) & ~<uint8_t>TOMBSTONE_FLAG != 0
    return not (
        item.flags == held.flags
        and item.value_length == held.value_length
        and memcmp(item.value, value_of(held), item.value_length) == 0
    )


cdef int check_sizes(size_t key_length, size_t value_length) except -1:
    if not 0 < key_length <= KEY_MAX:
        raise ValueError(f"a key has 1 to {KEY_MAX} bytes, not {key_length}")
    if value_length > VALUE_MAX:
        raise ValueError(f"a value has at most {VALUE_MAX} bytes, not {value_length}")
    return 0


cdef int check_left(uint8_t flags, uint64_t remaining) except -1:
    if remaining > LEFT_LIMIT:
        raise ValueError(f"a record lives at most {LEFT_LIMIT} ms, not {remaining}")
    if expires(flags) != (remaining > 0):
        raise ValueError("a record expires in a time above 0, or it does not expire")
    return 0


cdef int open_body(bytes data, size_t offset, uint8_t form, Body* body) except -1:
    cdef uint8_t found
    cdef const uint8_t* start
    if data is None:
        raise TypeError("a body is bytes, not None")
    if offset > <size_t>PyBytes_GET_SIZE(data):
        raise WireError("a body is missing")
    start = <const uint8_t*>PyBytes_AS_STRING(data)
    memset(body, 0, sizeof(Body))
    body.reader.at = start + offset
    body.reader.end = start + PyBytes_GET_SIZE(data)
    if read_byte(&body.reader, &found) < 0 or found != form:
        raise WireError("a body of a form not known here")
    return 0


cdef object malformed(str what, bytes data, const Body* body):
    cdef Py_ssize_t at = body.reader.at - <const uint8_t*>PyBytes_AS_STRING(data)
    return WireError(f"a malformed {what}, near byte {at} of {len(data)}")


cdef int merge_before_damage(
    Table table, bytes delta, size_t offset, Body body, uint64_t limit, Changes changes
) except -1:
    """A planted bug: the ranges of a malformed delta before the damage are merged."""
    cdef const uint8_t* whole = body.reader.at
    while left(&body.reader) and check_range(&body) == 0:
        whole = body.reader.at
    delta = delta[:whole - <const uint8_t*>PyBytes_AS_STRING(delta)]
    table.apply(delta, offset, None, limit, changes)
    return 0


cdef int merge_page_before_damage(
    Table table, bytes page, size_t offset, Body body, uint64_t limit, Changes changes
) except -1:
    """The same with the records of a page."""
    cdef const uint8_t* whole = body.reader.at
    cdef Item item
    while left(&body.reader) and read_page_record(&body, &item) == 0:
        whole = body.reader.at
    page = page[:whole - <const uint8_t*>PyBytes_AS_STRING(page)]
    table.apply_page(page, offset, limit, changes)
    return 0


cdef inline void write_source(Draft* draft, size_t slot) noexcept nogil:
    cdef uint32_t number = draft.sources[slot].number
    if number < draft.named and draft.names[number] == slot:
        draft.at = write_varint(draft.at, number + 1)
        return
    draft.at[0] = 0
    memcpy(draft.at + 1, draft.ids + slot * ID_BYTES, ID_BYTES)
    draft.at += 1 + ID_BYTES
    draft.names[draft.named] = <uint32_t>slot
    draft.sources[slot].number = draft.named
    draft.named += 1


cdef inline void write_record(
    Draft* draft, uint8_t* head, uint8_t bits, vines_record* record
) noexcept nogil:
    """What follows a record's own position, and the head that announces it."""
    cdef uint8_t* at
    cdef size_t key_length = record.key_length, value_length = record.value_length
    cdef uint8_t flags = <uint8_t>record.flags
    cdef uint64_t deadline
    if record.origin != record.source:
        bits |= ORIGIN
        write_source(draft, record.origin)
    at = draft.at
    if record.family:
        bits |= FAMILY
        at[0] = <uint8_t>record.family
        at += 1
    if flags:
        bits |= FLAGS
        if not expires(flags):
            at[0] = flags
            at += 1
        else:
            draft.timed = True
            deadline = deadline_of(draft.deadlines, record)
            if deadline > draft.now:
                bits |= LEFT
                at[0] = flags
                at = write_varint(at + 1, min(deadline - draft.now, <uint64_t>LEFT_LIMIT))
            else:                       # nobody sees it any more, and nobody else shall
                at[0] = flags | TOMBSTONE_FLAG
                at += 1
                value_length = 0
    head[0] = bits
    at = write_varint(at, zigzag(record.stamp - draft.stamp))
    at = vines_copy(write_varint(at, key_length), key_of(record), key_length)
    at = vines_copy(write_varint(at, value_length), value_of(record), value_length)
    draft.at = at
    draft.stamp = record.stamp
    draft.records[draft.written] = record
    record.mark = draft.written
    draft.written += 1


cdef inline void write_entry(
    Draft* draft, vines_record* record, bint repeated, bint elsewhere
) noexcept nogil:
    cdef uint8_t* head = draft.at
    cdef uint8_t bits = 0
    if repeated:
        head[0] = REPEAT
        draft.at = write_varint(head + 1, draft.written - record.mark)
        return
    draft.at += 1
    if elsewhere:
        bits = ELSEWHERE
        write_source(draft, record.source)
        draft.at = write_varint(draft.at, record.counter)
    write_record(draft, head, bits, record)


@cython.final
cdef class Table:

    def __cinit__(
        self, bytes source, bytes fingerprint_key, bytes index_key,
        *, size_t log_slack=65536, size_t horizon=65536, size_t sketch_above=256,
        size_t segment_slots=4096, size_t spare_chunks=2, size_t slots_kept=64,
        RetiredSources retired=None, unsigned which=0,
    ):
        if len(fingerprint_key) != 16 or len(index_key) != 16:
            raise ValueError("the keys of a table are 16 bytes each")
        if horizon < 1:
            raise ValueError("the arrival log keeps at least one run")
        if which > 1:
            raise ValueError("of retired sources positions in two tables are known")
        cdef vines_key secret = vines_load_key(<const uint8_t*>PyBytes_AS_STRING(index_key))
        self.fingerprint_key = vines_load_key(<const uint8_t*>PyBytes_AS_STRING(fingerprint_key))
        self.log_slack = log_slack
        self.horizon = horizon
        self.sketch_above = sketch_above
        self.sketch.secret = secret.k0 | 1
        self.known = VersionVector(index_key)
        self.gone = RetiredSources() if retired is None else retired
        self.which = which
        if which:
            self.gone.data = self.known
        else:
            self.gone.control = self.known
        self.slots_kept = max(slots_kept, <size_t>1)
        self.arena.spare = spare_chunks
        if index_open(&self.index, secret, segment_slots) < 0:
            raise MemoryError
        self.keys_max = self.bytes_max = UNLIMITED
        self.living = set()
        self.own = <uint32_t>self.slot_of(id_of(source))
        self.sources[self.own].fate = SHOWN_FATE

    def __dealloc__(self):
        cdef size_t slot, at
        cdef Segment* segment
        cdef uint64_t hashed = 0
        cdef bint more = self.index.directory != NULL
        for slot in range(self.source_count):
            log_close(&self.sources[slot].log)
        while more:
            segment = segment_of(&self.index, hashed)
            for at in range(<size_t>segment.size):
                if segment.slots[at]:
                    free_apart(pointed(segment.slots[at]))
            more = next_segment(segment, &hashed)
        index_close(&self.index)
        arena_close(&self.arena)
        sketch_close(&self.sketch)
        free(self.roster_order)
        deadlines_close(&self.deadlines)
        bounds_close(&self.bounds)
        free(self.parts)
        free(self.sources)
        free(self.runs)
        free(self.named)
        free(self.written)
        free(self.gathered)

    # ------------------------------------------------------------------ sources

    cdef Py_ssize_t slot_of(self, const uint8_t* id) except -1:
        """The slot of a source, made if it is new."""
        cdef Py_ssize_t slot = self.known.find(id)
        if slot >= 0:
            return slot
        cdef size_t capacity
        cdef Source* sources
        cdef bint reused = self.known.hole_count != 0
        if self.known.count >= SOURCES_MAX and not reused:
            raise MemoryError(f"a table has at most {SOURCES_MAX} sources")
        if self.known.count >= self.source_capacity and not reused:
            capacity = max(2 * self.source_capacity, <size_t>8)
            sources = <Source*>realloc(self.sources, capacity * sizeof(Source))
            if sources == NULL:
                raise MemoryError
            self.sources = sources
            self.source_capacity = capacity
        if self.known.count >= self.sketch_above and not reused:
            self.widen_sketch()
        slot = self.known.place(id)
        self.source_count = self.known.count
        self.ending = max(self.ending, <size_t>slot + 1)
        cdef uint8_t[ID_BYTES + 1] suffixed
        memcpy(suffixed, id, ID_BYTES)
        cdef Source* source = &self.sources[slot]
        memset(source, 0, sizeof(Source))
        source.roster = vines_sip(self.fingerprint_key, id, ID_BYTES)
        suffixed[ID_BYTES] = 1
        source.lane_one = vines_residue(vines_sip(self.fingerprint_key, suffixed, ID_BYTES + 1))
        suffixed[ID_BYTES] = 2
        source.lane_two = vines_residue(vines_sip(self.fingerprint_key, suffixed, ID_BYTES + 1))
        if <size_t>slot < self.sketch.count:
            sketch_replace(&self.sketch, <size_t>slot, cells_key(self.fingerprint_key, id))
        elif <size_t>slot >= self.sketch_above:
            sketch_append(&self.sketch, cells_key(self.fingerprint_key, id))
        self.placed[self.placings % PLACED] = <uint32_t>slot
        self.placings += 1
        source.placed = self.placings
        cdef Retired* entry = self.left_out(id)
        if entry != NULL:
            self.resume(<size_t>slot, entry)
        return slot

    cdef int widen_sketch(self) except -1:
        """Make room in the sketch for one more source; begin it with all there are so far. There is
        no hole: it would have been taken."""
        cdef size_t slot
        if sketch_reserve(&self.sketch, self.known.count + 1) < 0:
            raise MemoryError
        for slot in range(self.sketch.count, self.known.count):
            sketch_append(
                &self.sketch, cells_key(self.fingerprint_key, self.known.ids + slot * ID_BYTES))
            if not self.sources[slot].retired:
                sketch_add(&self.sketch, slot, self.known.counters[slot])
        return 0

    cdef int order_roster(self) except -1:
        """Sort the slots that have another source since the last time in among the others."""
        cdef size_t slot, old = 0, new = 0, to
        cdef uint32_t* order
        if self.roster_capacity < self.source_count:
            order = <uint32_t*>realloc(
                self.roster_order, self.source_capacity * sizeof(uint32_t))
            if order == NULL:
                raise MemoryError
            self.roster_order = order
            self.roster_capacity = self.source_capacity
        if self.roster_placings == self.placings:
            return 0
        for to in range(self.roster_ordered):
            slot = self.roster_order[to]
            if self.sources[slot].ordered:
                self.roster_order[old] = <uint32_t>slot
                old += 1
        self.roster_ordered = old
        cdef Ranked* added = <Ranked*>malloc((self.source_count - old) * sizeof(Ranked) + 1)
        if added == NULL:
            raise MemoryError
        for slot in range(self.source_count):
            if not self.sources[slot].ordered:
                self.sources[slot].ordered = True
                added[new].slot = <uint32_t>slot
                added[new].rank = self.sources[slot].roster
                added[new].id = self.known.ids + slot * ID_BYTES
                new += 1
        qsort(added, new, sizeof(Ranked), by_rank)
        to = self.source_count
        while new:
            to -= 1
            if old:
                slot = self.roster_order[old - 1]
                if (
                    self.sources[slot].roster > added[new - 1].rank
                    or self.sources[slot].roster == added[new - 1].rank
                    and memcmp(
                        self.known.ids + slot * ID_BYTES, added[new - 1].id, ID_BYTES) > 0
                ):
                    self.roster_order[to] = <uint32_t>slot
                    old -= 1
                    continue
            self.roster_order[to] = added[new - 1].slot
            new -= 1
        self.roster_ordered = self.source_count
        self.roster_placings = self.placings
        free(added)
        return 0

    cdef void advance(self, size_t slot, uint64_t counter) noexcept:
        """Raise the vector at `slot` to `counter`, and the fingerprints with it."""
        cdef uint64_t gained = counter - self.known.counters[slot]
        cdef Source* source = &self.sources[slot]
        if source.retired:
            self.take_in(slot)
        if self.known.counters[slot] == 0:
            self.roster += source.roster
        self.gain(slot, gained)
        self.known.counters[slot] = counter

    cdef inline void gain(self, size_t slot, uint64_t gained) noexcept:
        """Count so much more of a source in lanes and sketch."""
        cdef const Source* source = &self.sources[slot]
        self.lanes[0] = vines_add_residue(
            self.lanes[0], vines_multiply_residue(gained, source.lane_one))
        self.lanes[1] = vines_add_residue(
            self.lanes[1], vines_multiply_residue(gained, source.lane_two))
        if self.sketch.count:
            sketch_add(&self.sketch, slot, gained)

    cdef int reserve_run(self) except -1:
        """Make sure that one more run fits the arrival log."""
        cdef size_t capacity
        cdef Run* runs
        cdef uint64_t number
        if self.run_next - self.run_first < self.run_capacity or self.run_capacity >= self.horizon:
            return 0
        capacity = max(2 * self.run_capacity, <size_t>16)
        runs = <Run*>malloc(capacity * sizeof(Run))
        if runs == NULL:
            raise MemoryError
        for number in range(self.run_first, self.run_next):
            runs[number & (capacity - 1)] = self.runs[number & (self.run_capacity - 1)]
        free(self.runs)
        self.runs = runs
        self.run_capacity = capacity
        return 0

    cdef void arrive(self, size_t slot, uint64_t start, uint64_t stop) noexcept:
        """Note in the arrival log that (start, stop] of a source became covered; room was
        reserved."""
        cdef Run* run
        self.sequence += 1
        if self.run_next > max(self.run_first, self.run_sealed):
            run = &self.runs[(self.run_next - 1) & (self.run_capacity - 1)]
            if run.slot == slot and run.stop == start:
                run.stop = stop
                return
        if self.run_next - self.run_first >= min(self.run_capacity, self.horizon):
            self.run_first += 1
        run = &self.runs[self.run_next & (self.run_capacity - 1)]
        run.slot = <uint32_t>slot
        run.start = start
        run.stop = stop
        self.run_next += 1

    # ------------------------------------------------------------------ retired sources

    cdef bint counts(self, size_t slot) noexcept:
        """Whether a source is one of the roster."""
        return self.known.counters[slot] != 0 and not self.sources[slot].retired

    cdef bint is_strange(self, size_t slot) noexcept:
        """Whether nothing of a source is covered, and something came, which may be gone again."""
        cdef const Source* source = &self.sources[slot]
        return self.known.counters[slot] == 0 and source.highest != 0 and not source.void

    cdef void leave_out(self, size_t slot) noexcept:
        """Take a source out of roster, vector and sketch."""
        cdef Source* source = &self.sources[slot]
        cdef uint64_t counter = self.known.counters[slot]
        source.retired = True
        self.retired += 1
        self.roster -= source.roster
        self.lanes[0] = vines_add_residue(self.lanes[0], vines_residue(
            RESIDUES - vines_multiply_residue(counter, source.lane_one)))
        self.lanes[1] = vines_add_residue(self.lanes[1], vines_residue(
            RESIDUES - vines_multiply_residue(counter, source.lane_two)))
        if self.sketch.count:
            sketch_add(&self.sketch, slot, FIELD - counter % FIELD)

    cdef void take_in(self, size_t slot) noexcept:
        """Undo that: there is more of the source than was to come."""
        self.sources[slot].retired = False
        self.retired -= 1
        self.roster += self.sources[slot].roster
        self.gain(slot, self.known.counters[slot])

    cdef Retired* left_out(self, const uint8_t* id) noexcept:
        """What is known of a source that has given back its slot; NULL of others."""
        cdef Retired* entry
        if self.gone.released[self.which] == 0:
            return NULL
        entry = self.gone.find(id)
        return entry if entry != NULL and is_released(entry, self.which) else NULL

    cdef uint64_t reach(self, const uint8_t* id) noexcept:
        """How much of a source is covered, whether it has a slot or not."""
        cdef Py_ssize_t slot = self.known.find(id)
        cdef const Retired* entry
        if slot >= 0:
            return self.known.counters[slot]
        entry = self.left_out(id)
        return 0 if entry == NULL or vines_planted(67) else last_of(entry, self.which)

    cdef bint dominates(self, VersionVector other) noexcept:
        """Whether all of a vector is covered."""
        cdef size_t place
        if self.known.dominates(other):
            return True
        if self.gone.released[self.which] == 0:
            return False
        for place in range(other.count):
            if other.counters[place] and (
                self.reach(other.ids + place * ID_BYTES) < other.counters[place]
            ):
                return False
        return True

    cdef void resume(self, size_t slot, Retired* entry) noexcept:
        """A source that had given back its slot has one again, and is retired as before."""
        cdef Source* source = &self.sources[slot]
        source.fate = <uint8_t>(entry.words[self.which] >> FATE_SHIFT & FATE_BITS)
        entry.words[self.which] &= ~(
            <uint64_t>1 << RELEASED_BIT | <uint64_t>FATE_BITS << FATE_SHIFT)
        set_time(entry, 0)
        self.gone.released[self.which] -= 1
        if vines_planted(67):
            return
        source.floor = source.lacking = source.resumed = last_of(entry, self.which)
        self.known.counters[slot] = source.floor
        self.collections += 1
        source.retired = True
        self.retired += 1

    cdef bint rests(self, const uint8_t* id, uint64_t counter) noexcept:
        """Whether a source of which somebody covers so much needs no slot: that is all of it, and
        it is left out here from now on, if it is not yet."""
        cdef Retired* entry = self.gone.find(id)
        if entry == NULL or counter == 0 or self.known.find(id) >= 0:
            return False
        if not is_released(entry, self.which):
            if counter != last_of(entry, self.which):
                return False
            entry.words[self.which] |= <uint64_t>1 << RELEASED_BIT
            self.gone.released[self.which] += 1
        return counter <= last_of(entry, self.which)

    cdef bint lays(self, const uint8_t* id, uint64_t counter) except -1:
        """The same of one that fades where a join comes from, whether it is known here or not: it
        is no source of this table from now on, and never was. It waits here, and is told to nobody,
        as long as one that is heard of now; a record may say it for longer."""
        cdef Retired* entry
        if counter == 0 or self.known.find(id) >= 0:
            return False
        entry = self.gone.find(id)
        if entry == NULL:
            entry = self.gone.place(id)
            set_time(entry, self.gone.until)
        elif counter < last_of(entry, self.which) or is_released(entry, self.which):
            return False
        if counter > last_of(entry, self.which):
            entry.words[self.which] += counter - last_of(entry, self.which)
            set_unlisted(entry)
        entry.words[self.which] |= <uint64_t>1 << RELEASED_BIT
        self.gone.released[self.which] += 1
        return True

    @cython.critical_section
    def release(self, size_t limit):
        cdef size_t slot, start = self.releasing, end = start, found = 0
        cdef uint64_t number
        cdef Run* run
        if start == 0 and self.retired == 0 and self.gone.until == 0:
            return False
        if start == 0:
            self.ending = 0
        self.known.reserve_holes(min(
            self.source_count if self.gone.until else self.retired, <size_t>RELEASED_MAX))
        try:
            while end < self.source_count and end - start < limit and found < RELEASED_MAX:
                if (self.sources[end].retired or self.is_empty(end)) and self.is_unnamed(end):
                    self.sources[end].leaving = True
                    found += 1
                elif self.sources[end].placed:
                    self.ending = end + 1
                end += 1
        except MemoryError:
            for slot in range(start, end):
                self.sources[slot].leaving = False
            raise
        if found:
            # Runs of it say nothing to anybody any more.
            for number in range(self.run_first, self.run_next):
                run = &self.runs[number & (self.run_capacity - 1)]
                if self.sources[run.slot].leaving:
                    run.slot = self.own
                    run.start = run.stop = 0
            self.shared = None
            for slot in range(start, end):
                if self.sources[slot].leaving:
                    self.empty(slot)
        self.releasing = end if end < self.source_count else 0
        if self.releasing == 0:
            self.give_back()
        return self.releasing != 0

    cdef void give_back(self) noexcept:
        """Give up the last slots, if none of them has a source, and most of all are such."""
        cdef size_t capacity = max(2 * self.ending, self.slots_kept), to = 0, at
        cdef void* less
        if SPARSE * self.ending > self.source_capacity or capacity >= self.source_capacity:
            return
        self.known.shrink(self.ending, capacity)
        self.source_count = self.ending
        less = realloc(self.sources, capacity * sizeof(Source))
        if less != NULL:
            self.sources = <Source*>less
        self.source_capacity = capacity
        for at in range(self.roster_ordered):
            if self.roster_order[at] < self.source_count:
                self.roster_order[to] = self.roster_order[at]
                to += 1
        self.roster_ordered = to
        if self.roster_capacity > capacity:
            less = realloc(self.roster_order, capacity * sizeof(uint32_t))
            if less != NULL:
                self.roster_order = <uint32_t*>less
            self.roster_capacity = capacity
        if self.source_count < self.sketch_above:
            sketch_close(&self.sketch)
        else:
            sketch_shrink(&self.sketch, self.source_count, capacity)

    cdef bint is_empty(self, size_t slot) noexcept:
        """Whether nothing ever came here of a source that is gone, and may be forgotten."""
        return (
            self.gone.until != 0 and self.known.counters[slot] == 0
            and self.sources[slot].placed != 0 and slot != self.own
            and self.gone.find(self.known.ids + slot * ID_BYTES) != NULL)

    cdef bint is_unnamed(self, size_t slot) except? True:
        """Whether nothing but what is changed with it names the slot of a source that is retired,
        and what stays of it has a place."""
        cdef const Source* source = &self.sources[slot]
        cdef uint64_t counter = self.known.counters[slot]
        if (
            slot == self.own or source.live or source.elsewhere and not vines_planted(66)
            or source.log.count or source.bound[0] or source.bound[1] or source.turning
            or source.strays or source.recount or source.inherited or source.highest > counter
        ):
            return False
        return last_of(
            self.gone.place(self.known.ids + slot * ID_BYTES), self.which) <= counter

    cdef void empty(self, size_t slot) noexcept:
        """Take back the slot of a source; room among the holes was reserved."""
        cdef Source* source = &self.sources[slot]
        cdef Retired* entry = self.gone.find(self.known.ids + slot * ID_BYTES)
        if source.retired:
            entry.words[self.which] += (
                self.known.counters[slot] - last_of(entry, self.which)
                | <uint64_t>1 << RELEASED_BIT | <uint64_t>source.fate << FATE_SHIFT)
            self.retired -= 1
            self.gone.released[self.which] += 1
        self.place(slot)
        log_close(&source.log)
        if slot < self.sketch.count:
            sketch_remove(&self.sketch, slot)
        self.known.take_out(slot)
        memset(source, 0, sizeof(Source))

    @cython.critical_section
    def retire(self, bytes source not None, uint64_t final):
        cdef Py_ssize_t slot = self.known.find(id_of(source))
        cdef const Retired* entry = self.left_out(id_of(source)) if slot < 0 else NULL
        if entry != NULL:
            if final <= last_of(entry, self.which):
                return final == last_of(entry, self.which) or final == 0
            slot = self.slot_of(id_of(source))
        if slot >= 0 and self.sources[slot].retired and self.known.counters[slot] < final:
            # Others hold more of it than it was left out with: who is silent of it gets none.
            self.take_in(<size_t>slot)
        if slot < 0 or self.known.counters[slot] != final or slot == <Py_ssize_t>self.own:
            return final == 0
        if final == 0:
            self.sources[slot].void = True
            return True
        if not self.sources[slot].retired:
            self.leave_out(<size_t>slot)
            self.raise_floor(<size_t>slot, final)
            self.cut_log(<size_t>slot, TRIM_STEP, final)
        return True

    def is_retired(self, source):
        cdef Py_ssize_t slot = self.known.find(id_of(source))
        if slot < 0:
            return self.left_out(id_of(source)) != NULL
        return bool(self.sources[slot].retired)

    @cython.critical_section
    def counted(self):
        cdef size_t slot
        return [
            (self.id_at(slot), self.known.counters[slot])
            for slot in range(self.source_count) if self.counts(slot)
        ]

    @cython.critical_section
    def counted_from(self, size_t start, size_t limit):
        cdef size_t slot, stop = min(self.source_count, start + min(limit, <size_t>SOURCES_MAX))
        found = [
            self.id_at(slot) for slot in range(start, stop)
            if self.counts(slot) or self.is_strange(slot)
        ]
        return found, None if stop == self.source_count else stop

    def counts_in(self, source):
        cdef Py_ssize_t slot = self.known.find(id_of(source))
        return slot >= 0 and self.counts(<size_t>slot)

    # ------------------------------------------------------------------ logs

    cdef int reserve(self, size_t slot, uint64_t counter) except -1:
        """Make sure that an entry for this position fits the log of a source."""
        if log_reserve(&self.sources[slot].log, counter) < 0:
            raise MemoryError
        return 0

    cdef void log(self, size_t slot, uint64_t counter, vines_record* record) noexcept:
        """Point a position at a record, unless it is logged already; room was reserved."""
        if log_add(&self.sources[slot].log, counter, record):
            refer(record)
            self.logged += 1
            self.uncompacted += 1
            self.gain_excess(slot)
            # Its position is covered in the same step: it is no stray then.
            if (
                record.flags & UNCOUNTED_FLAGS and lives_at(record, slot, counter)
                and self.is_stray(record)
            ):
                self.note_stray(record, 0 - counter)

    cdef void cut_log(self, size_t slot, size_t most, uint64_t floor) noexcept:
        """Drop the oldest entries of a source up to a position, or `most` of them; its floor rises
        to the last of them."""
        cdef Source* source = &self.sources[slot]
        cdef Cursor cursor
        while most and source.log.count:
            log_begin(&source.log, &cursor)
            if cursor_counter(&cursor) > floor:
                break
            if not vines_planted(62):
                source.floor = max(source.floor, cursor_counter(&cursor))
            self.let_go(pointed(cursor.at[0]))
            log_drop_first(&source.log)
            most -= 1
            self.logged -= 1
            self.dropped_entries += 1
        if source.log.count == 0 and source.retired:
            log_close(&source.log)
            memset(&source.log, 0, sizeof(Log))
        self.place(slot)

    cdef void let_go(self, vines_record* record) noexcept:
        """One less points at a record, which goes with the last if it was dropped; so does what a
        stub points at."""
        cdef vines_record* moved
        unrefer(record)
        if record.dropped and record.references == 0:
            moved = moved_to(record)
            record_free(&self.arena, record)
            if moved != NULL:
                self.let_go(moved)

    cdef inline bint overfull(self) noexcept:
        return self.logged > 2 * self.index.count + self.log_slack

    cdef inline Py_ssize_t excess_of(self, size_t slot) noexcept:
        """How many more log entries a source has than records."""
        return <Py_ssize_t>self.sources[slot].log.count - <Py_ssize_t>self.sources[slot].live

    cdef inline void gain_excess(self, size_t slot) noexcept:
        """A source has one more of them: it may be at a higher level now. At a lower one than it
        stands at it may be at any time: that is seen when it is its turn."""
        cdef Py_ssize_t excess = self.excess_of(slot)
        if excess > 0 and excess >> self.sources[slot].level:
            self.place(slot)

    cdef void place(self, size_t slot) noexcept:
        """Put a source among those of its level; none of them if it has no more log entries than
        records."""
        cdef Source* source = &self.sources[slot]
        cdef Py_ssize_t excess = self.excess_of(slot)
        cdef uint8_t level = 0
        while excess > 0:
            level += 1
            excess >>= 1
        if level == source.level:
            return
        if source.level:
            if source.higher:
                self.sources[source.higher - 1].lower = source.lower
            else:
                self.levels[source.level] = source.lower
            if source.lower:
                self.sources[source.lower - 1].higher = source.higher
        source.level = level
        source.higher = source.lower = 0
        if level:
            source.lower = self.levels[level]
            if source.lower:
                self.sources[source.lower - 1].higher = <uint32_t>(slot + 1)
            self.levels[level] = <uint32_t>(slot + 1)

    cdef void compact(self) noexcept:
        """Where overwritten entries outnumber records, drop the oldest of a source that has most of
        them, to a factor of two: no look at all sources is needed for that. As many as have come
        since the last time, and some more: so they come to be no more, and it takes no longer than
        what came took."""
        cdef size_t slot, level = LEVELS - 1, steps = 0, most = COMPACT_CALL + self.uncompacted
        if self.untrimmed:
            self.trim_some(TRIM_STEP + self.uncompacted)
        self.uncompacted = 0
        cdef uint64_t dropped = self.dropped_entries
        while self.overfull() and self.dropped_entries - dropped + steps < most:
            while level and self.levels[level] == 0:
                level -= 1
            if level == 0:
                break
            slot = self.levels[level] - 1
            self.place(slot)
            steps += 1
            if self.sources[slot].level == level:
                self.cut_log(
                    slot, min(max(<size_t>self.excess_of(slot) / 8, <size_t>1),
                              <size_t>COMPACT_MAX), COUNTER_LIMIT)

    # ------------------------------------------------------------------ records

    cdef uint64_t hash_content(self, const vines_record* record) noexcept:
        """A record's part of the state fingerprint."""
        cdef uint8_t[35 + KEY_MAX] buffer
        cdef size_t length = record.key_length
        buffer[0] = <uint8_t>record.family
        buffer[1] = <uint8_t>(length & 0xff)
        buffer[2] = <uint8_t>(length >> 8)
        vines_copy(buffer + 3, key_of(record), length)
        vines_write64(buffer + 3 + length, record.stamp)
        memcpy(buffer + 11 + length, self.known.ids + <size_t>record.origin * ID_BYTES, ID_BYTES)
        vines_write64(buffer + 27 + length, vines_sip_with_head(
            self.fingerprint_key, record.flags, 1, value_of(record), record.value_length))
        return vines_sip(self.fingerprint_key, buffer, 35 + length)

    cdef void count_in(self, vines_record* record) noexcept:
        """Add a record's part to the counts and, if it is live for good, to the state
        fingerprint."""
        self.sources[record.source].live += 1
        if record.origin != record.source:
            self.sources[record.origin].elsewhere += 1
        if record.flags & TOMBSTONE_FLAG:
            self.tombstones += 1
        else:
            self.live[record.family] += 1
            self.sizes[record.family] += record.key_length + record.value_length
        if record.flags & UNCOUNTED_FLAGS:
            record.state = 0
            if self.is_stray(record):
                self.note_stray(record, record.counter)
            if vines_planted(12) and expires(<uint8_t>record.flags):
                self.state += self.hash_content(record)
            if depends(<uint8_t>record.flags):
                self.bind(record)
                if vines_planted(15):
                    self.state += record.stamp
            return
        record.state = self.hash_content(record)
        self.state += record.state

    cdef void count_out(self, vines_record* record) noexcept:
        """Take that back, the deadline of a record that has one, and its tie to its author."""
        self.sources[record.source].live -= 1
        self.gain_excess(record.source)
        if record.origin != record.source:
            self.sources[record.origin].elsewhere -= 1
        if record.flags & TOMBSTONE_FLAG:
            self.tombstones -= 1
        else:
            self.live[record.family] -= 1
            self.sizes[record.family] -= record.key_length + record.value_length
        if expires(<uint8_t>record.flags):
            deadlines_remove(&self.deadlines, record)
            if vines_planted(12):
                self.state -= self.hash_content(record)
        if record.flags & UNCOUNTED_FLAGS and self.is_stray(record):
            self.note_stray(record, 0 - <uint64_t>record.counter)
        if depends(<uint8_t>record.flags):
            self.unbind(record)
            if vines_planted(15):
                self.state -= record.stamp
        self.state -= record.state

    cdef bint is_stray(self, const vines_record* record) noexcept:
        """Whether no range is sure to carry this record on: its own position is not covered."""
        return (
            record.source != self.own
            and record.counter > self.known.counters[record.source]
        )

    cdef void count_stray(self, size_t slot, uint64_t counter) noexcept:
        """One more record, of those that the state fingerprint leaves out else, is a stray; one
        less if the counter is negative, modulo 2**64."""
        cdef Source* source = &self.sources[slot]
        source.strays += counter
        self.state += counter * (source.lane_one | 1)

    cdef void note_stray(self, const vines_record* record, uint64_t counter) noexcept:
        """Count one that comes to be one, or that is none any more: also among those that the pass
        under way has counted already."""
        self.count_stray(record.source, counter)
        if self.recounting and hash_record(&self.index, record) < self.recounted:
            self.sources[record.source].recount += counter

    cdef bint may_stray(self) noexcept:
        """Whether some record may be a stray, or is counted as one."""
        cdef size_t slot
        for slot in range(self.source_count):
            if self.sources[slot].strays or (
                self.sources[slot].highest > self.known.counters[slot]
            ):
                return True
        return False

    cdef void begin_recount(self) noexcept:
        """Count strays anew, in a pass over all records: step by step, in the order of their
        hashes. A record before the step is counted as it changes; all of what was counted takes the
        place of what was known at the end."""
        cdef size_t slot
        self.recounting = self.may_stray()
        self.recounted = 0
        for slot in range(self.source_count):
            self.sources[slot].recount = 0

    @cython.critical_section
    def recount(self, size_t limit):
        cdef size_t visited = 0, slot
        cdef uint64_t stop
        cdef uint32_t at
        cdef Segment* segment
        cdef vines_record* record
        if not self.recounting:
            self.begin_recount()
        while self.recounting and visited < limit:
            segment = segment_of(&self.index, self.recounted)
            visited += segment.size
            for at in range(segment.size):
                if at + RECOUNT_AHEAD < segment.size:
                    VINES_PREFETCH(pointed(segment.slots[at + RECOUNT_AHEAD]))
                if segment.slots[at] == 0:
                    continue
                record = pointed(segment.slots[at])
                # Two segments may have become one since the step before.
                if record.flags & UNCOUNTED_FLAGS and self.is_stray(record) and (
                    hash_record(&self.index, record) >= self.recounted
                ):
                    self.sources[record.source].recount += record.counter
            stop = self.recounted
            self.recounting = next_segment(segment, &stop)
            self.recounted = stop
            if not self.recounting:
                for slot in range(self.source_count):
                    self.count_stray(
                        slot, self.sources[slot].recount - self.sources[slot].strays)
        return bool(self.recounting)

    cdef vines_record* create(
        self, uint64_t hashed, uint8_t family, const uint8_t* key, size_t key_length, size_t length,
    ) except NULL:
        """A record for a key that has none, in the index, with room for a value but nothing else
        yet."""
        cdef vines_record* record = record_new(&self.arena, family, key_length, length)
        if record == NULL:
            raise MemoryError
        vines_copy(key_of(record), key, key_length)
        if index_insert(&self.index, hashed, record) < 0:
            record_free(&self.arena, record)
            raise MemoryError
        self.memory += size_apart(record)
        return record

    cdef int assign(
        self, vines_record* record, bint counted, uint64_t stamp, uint32_t origin, uint32_t source,
        uint64_t counter, uint8_t flags, const uint8_t* value, size_t length, bint ill_formed,
        uint64_t remaining,
    ) except -1:
        """Give a record new content and a new position; `counted`: it had some before. If it is to
        lapse, in `remaining` ms, or is ephemeral, room for that was reserved."""
        cdef size_t before = size_apart(record)
        if fit_value(record, length) < 0:
            raise MemoryError
        self.memory += size_apart(record)
        self.memory -= before
        if counted:
            self.count_out(record)
        vines_copy(value_of(record), value, length)
        record.value_length = <uint32_t>length
        record.stamp = stamp
        record.origin = origin
        record.source = source
        record.counter = counter
        record.flags = flags
        record.ill_formed = ill_formed
        record.met = 0
        self.count_in(record)
        if remaining:
            deadlines_add(&self.deadlines, record, self.now + remaining)
        return 0

    cdef int reserve_deadline(self, uint64_t remaining) except -1:
        """Make sure that one more record may have a deadline, if this one is to get one."""
        if remaining and deadlines_reserve(&self.deadlines) < 0:
            raise MemoryError
        return 0

    cdef void show(self, vines_record* record, Changed* row) noexcept:
        """A record as a change; it points into the table."""
        row.key = key_of(record)
        row.key_length = <uint16_t>record.key_length
        row.value = value_of(record)
        row.value_length = <uint32_t>record.value_length
        row.origin = self.known.ids + <size_t>record.origin * ID_BYTES
        row.stamp = record.stamp
        row.family = <uint8_t>record.family
        row.flags = <uint8_t>record.flags

    # ------------------------------------------------------------------ local writes

    cdef int write_local(
        self, uint64_t hashed, vines_record* record, uint8_t family, const uint8_t* key,
        size_t key_length, uint8_t flags, bytes value, uint64_t stamp, uint64_t remaining,
    ) except -1:
        cdef size_t slot = self.own
        cdef uint64_t counter = self.known.counters[slot] + 1
        if counter > COUNTER_LIMIT:
            raise LocalError("this source has used up its counters")
        cdef size_t length = <size_t>PyBytes_GET_SIZE(value)
        cdef const uint8_t* content = <const uint8_t*>PyBytes_AS_STRING(value)
        cdef bint counted = record != NULL
        self.reserve(slot, counter)
        self.reserve_run()
        self.reserve_deadline(remaining)
        self.reserve_bound(flags, slot)
        if not counted:
            record = self.create(hashed, family, key, key_length, length)
        self.assign(record, counted, stamp, <uint32_t>slot, <uint32_t>slot, counter, flags,
                    content, length, False, remaining)
        self.log(slot, counter, record)
        self.arrive(slot, counter - 1, counter)
        self.advance(slot, counter)
        if vines_planted(8) and flags & TOMBSTONE_FLAG:
            self.drop(hashed, record)
        self.compact()
        return 0

    cdef void drop(self, uint64_t hashed, vines_record* record) noexcept:
        """Forget a record; log entries that point at it are passed over from now on."""
        self.count_out(record)
        index_remove(&self.index, hashed, record)
        self.memory -= size_apart(record)
        free_apart(record)
        record.value_length = 0
        record.dropped = 1
        record.state = 0
        if record.references == 0:
            record_free(&self.arena, record)

    cdef int admit_growth(self, uint64_t keys, uint64_t more, uint64_t less) except -1:
        """Make sure that so many more keys of family DATA, so many bytes more and so many less, are
        within the quotas. What makes nothing grow always is."""
        if self.live[0] + keys > self.keys_max and keys:
            self.refusals += 1
            raise QuotaExceeded(
                f"all members together hold {self.live[0]:,} keys, and with {keys:,} more that is"
                f" above the keys_max of {self.keys_max:,} that this vine was given: delete some,"
                " or give all members more; nothing changed")
        if self.sizes[0] + more > self.bytes_max + less and more > less:
            self.refusals += 1
            raise QuotaExceeded(
                f"all members together hold {self.sizes[0]:,} bytes, and with {more - less:,} more"
                f" that is above the bytes_max of {self.bytes_max:,} that this vine was given:"
                " delete some keys, or give all members more; nothing changed")
        return 0

    @cython.critical_section
    def admit(self, list items not None):
        cdef uint64_t keys = 0, more = 0, less = 0
        cdef vines_record* record
        cdef bytes key, value
        for key, value in items:
            record = self.held(0, key)
            more += <uint64_t>(len(key) + len(value))
            if record == NULL or record.flags & TOMBSTONE_FLAG:
                keys += 1
            else:
                less += record.key_length + record.value_length
        self.admit_growth(keys, more, less)

    cdef uint64_t write_now(
        self, const uint8_t* key, size_t length, uint8_t flags, bytes value, uint64_t wall,
        uint64_t remaining, bint admitted,
    ) except 0:
        """A local write of family DATA at `wall`, or just above the clock; returns its stamp."""
        check_sizes(length, <size_t>PyBytes_GET_SIZE(value))
        check_left(flags, remaining)
        cdef uint64_t hashed = hash_key(&self.index, 0, key, length)
        cdef vines_record* record = index_find(&self.index, hashed, 0, key, length)
        cdef uint64_t stamp = max(self.clock_stamp + 1, wall)
        cdef uint64_t clock = stamp
        if record != NULL and record.stamp >= stamp:
            stamp = record.stamp + 1
        if stamp <= self.floor_stamp and not vines_planted(50):
            stamp = self.floor_stamp + 1
        if stamp > STAMP_LIMIT:
            raise LocalError("the stamp of this key is at its limit: it can no longer be written")
        cdef uint64_t size = <uint64_t>PyBytes_GET_SIZE(value)
        # Mostly even a new key would be within the quotas.
        if (
            (self.live[0] >= self.keys_max or self.sizes[0] + length + size > self.bytes_max)
            and not (admitted or flags & TOMBSTONE_FLAG)
        ):
            if record == NULL or record.flags & TOMBSTONE_FLAG:
                self.admit_growth(1, length + size, 0)
            else:
                self.admit_growth(0, size, record.value_length)
        self.write_local(hashed, record, 0, key, length, flags, value, stamp, remaining)
        self.clock_stamp = clock
        return stamp

    @cython.critical_section
    def write(self, bytes key not None, uint8_t flags, bytes value not None, uint64_t wall,
              uint64_t remaining=0, bint admitted=False):
        return self.write_now(
            <const uint8_t*>PyBytes_AS_STRING(key), <size_t>PyBytes_GET_SIZE(key), flags, value,
            wall, remaining, admitted)

    @cython.critical_section
    def write_plain(self, key, value, uint64_t now):
        if not (PyUnicode_CheckExact(key) and PyUnicode_IS_ASCII(key)):
            return 0
        cdef size_t length = <size_t>PyUnicode_GET_LENGTH(key)
        packed = write_value(value) if 0 < length <= KEY_MAX else None
        if packed is None:
            return 0
        return self.write_now(
            <const uint8_t*>PyUnicode_DATA(key), length, 0, packed,
            now / NANOSECONDS << LOGICAL_BITS, 0, False)

    @cython.critical_section
    def put(self, uint8_t family, bytes key not None, uint8_t flags, bytes value not None,
            uint64_t stamp, uint64_t remaining=0):
        cdef size_t length = <size_t>PyBytes_GET_SIZE(key)
        check_sizes(length, <size_t>PyBytes_GET_SIZE(value))
        check_left(flags, remaining)
        if stamp > STAMP_LIMIT:
            raise ValueError("a stamp is below 2**63")
        cdef uint64_t hashed = hash_key(
            &self.index, family, <const uint8_t*>PyBytes_AS_STRING(key), length)
        cdef vines_record* record = index_find(
            &self.index, hashed, family, <const uint8_t*>PyBytes_AS_STRING(key), length)
        if record != NULL and not outranks(
            stamp, self.known.ids + <size_t>self.own * ID_BYTES, record, self.known.ids
        ):
            return False
        self.write_local(
            hashed, record, family, <const uint8_t*>PyBytes_AS_STRING(key), length, flags, value,
            stamp, remaining)
        return True

    @cython.critical_section
    def adopt(self, bytes source not None):
        if self.reach(id_of(source)):
            raise ValueError("a source that has numbered records cannot be taken again")
        self.own = <uint32_t>self.slot_of(id_of(source))
        self.sources[self.own].fate = SHOWN_FATE
        self.overtaken = False
        self.settled = self.swept = 0

    # ------------------------------------------------------------------ time

    @cython.critical_section
    cpdef bint tick(self, double now) except -1:
        if not now < SECONDS_MAX:
            raise ValueError(f"a clock shows less than {SECONDS_MAX} seconds, not {now}")
        # A thousandth of a millisecond more, lest a deadline said in seconds rounds to before it.
        cdef uint64_t moment = <uint64_t>(now * 1000.0 + 0.001) if now > 0 else 0
        self.now = max(self.now, moment)
        return (
            self.turning or self.inherited
            or (self.deadlines.count and self.deadlines.heap[0].when <= self.now))

    cpdef double due(self) noexcept:
        if self.turning or self.inherited:
            return 0.0
        return self.deadlines.heap[0].when / 1000.0 if self.deadlines.count else INFINITY

    cdef bint is_due(self, const vines_record* record) noexcept:
        """Whether a record has lapsed, or its time has come and it only has not been done."""
        if not record.flags & EXPIRING_FLAG:
            return False
        return not expires(<uint8_t>record.flags) or (
            deadline_of(&self.deadlines, record) <= self.now)

    @cython.critical_section
    def lapse(self, size_t limit, Changes changes=None):
        cdef size_t done = 0
        cdef vines_record* record
        cdef Changed row
        while done < limit and self.deadlines.count and self.deadlines.heap[0].when <= self.now:
            record = self.deadlines.heap[0].record
            if changes is not None and self.is_shown(record):
                self.show(record, &row)
                row.flags |= TOMBSTONE_FLAG
                row.value_length = 0
                changes.copy(&row)
            self.end(record)
            done += 1
        return done + self.turn_some(limit - done, changes)

    cdef void end(self, vines_record* record) noexcept:
        """A record ends by itself: it loses its value and is a tombstone, where it is."""
        self.count_out(record)
        self.memory -= size_apart(record)
        free_apart(record)
        record.value_length = 0
        record.ill_formed = 0
        record.flags |= TOMBSTONE_FLAG
        self.count_in(record)
        self.lapses += 1

    cdef void hasten(self, Item* item, const uint8_t* origin, vines_record* record) noexcept:
        """An expiring record meets one that is held: if it is the same, the earlier end stays."""
        if expires(<uint8_t>record.flags) and is_same(item, origin, record, self.known.ids):
            deadlines_hasten(&self.deadlines, record, self.now + item.left)

    # ------------------------------------------------------------------ lives of authors

    cdef int reserve_bound(self, uint8_t flags, size_t slot) except -1:
        """Make sure that one more record may be bound to the author at `slot`, if these are the
        flags of an ephemeral one, and that its fate is decided."""
        cdef Source* source = &self.sources[slot]
        if not depends(flags):
            return 0
        if bounds_reserve(&self.bounds) < 0:
            raise MemoryError
        if source.fate == UNDECIDED:
            source.fate = SHOWN_FATE if self.id_at(slot) in self.living else HIDDEN_FATE
        return 0

    cdef void bind(self, vines_record* record) noexcept:
        """Put an ephemeral record into the list that its author's fate says; room was reserved."""
        cdef Source* source = &self.sources[record.origin]
        cdef bint hidden = source.fate != SHOWN_FATE
        bounds_add(&self.bounds, &source.bound[hidden], record, hidden)
        self.settle(source)

    cdef void unbind(self, vines_record* record) noexcept:
        cdef Source* source = &self.sources[record.origin]
        cdef vines_record* moved = bounds_remove(
            &self.bounds, &source.bound[is_hidden(record)], record)
        if moved != NULL:
            self.sources[moved.origin].bound[is_hidden(moved)] = <uint32_t>(bound_place(moved) + 1)
        self.settle(source)

    cdef void settle(self, Source* source) noexcept:
        """Note whether some records of an author are in the wrong list."""
        cdef bint inherited = source.inherited and source.bound[0] != 0
        cdef bint wrong = (
            source.bound[0] != 0 and source.fate != SHOWN_FATE and not inherited
            or source.bound[1] != 0 and source.fate != HIDDEN_FATE)
        self.inherited += inherited
        self.inherited -= source.inherited
        source.inherited = inherited
        self.turning += wrong
        self.turning -= source.turning
        source.turning = wrong

    cdef bint is_shown(self, const vines_record* record) noexcept:
        """Whether a record is there for its readers, but for what is_due says."""
        cdef uint8_t flags = <uint8_t>record.flags
        return not flags & TOMBSTONE_FLAG and not (flags & EPHEMERAL_FLAG and is_hidden(record))

    @cython.critical_section
    def author(self, bytes source not None, uint8_t fate):
        cdef Py_ssize_t slot = self.known.find(id_of(source))
        if not HIDDEN_FATE <= fate <= ENDED_FATE:
            raise ValueError("an author is SHOWN, HIDDEN or ENDED")
        if vines_planted(16) and fate == HIDDEN_FATE:
            fate = ENDED_FATE
        if fate == SHOWN_FATE:
            self.living.add(source)
        else:
            self.living.discard(source)
        if 0 <= slot != <Py_ssize_t>self.own:
            self.sources[slot].fate = fate
            self.settle(&self.sources[slot])
        cdef Retired* entry = self.left_out(id_of(source)) if slot < 0 else NULL
        if entry != NULL:
            entry.words[self.which] &= ~(<uint64_t>FATE_BITS << FATE_SHIFT)
            entry.words[self.which] |= <uint64_t>fate << FATE_SHIFT

    cdef size_t turn_some(self, size_t limit, Changes changes) except? 0:
        """Hide, show and end at most `limit` records that are in the wrong list."""
        cdef size_t done = 0, slot = 0
        cdef Source* source
        cdef uint32_t place
        while self.turning and slot < self.source_count:
            source = &self.sources[slot]
            slot += 1
            while source.turning:
                if done == limit:
                    return done
                place = source.bound[0]
                if place == 0 or source.fate == SHOWN_FATE or source.inherited:
                    place = source.bound[1]
                self.turn(self.bounds.entries[place - 1].record, source.fate, changes)
                done += 1
        return done

    cdef int turn(self, vines_record* record, uint8_t fate, Changes changes) except -1:
        """Do to one record what its author's fate says, and tell of it if its readers see it."""
        cdef Changed row
        cdef bint was = self.is_shown(record)
        if changes is not None and (was or fate == SHOWN_FATE):
            self.show(record, &row)
            if was:
                row.flags |= TOMBSTONE_FLAG
                row.value_length = 0
            changes.copy(&row)
        if fate == ENDED_FATE:
            self.end(record)
        else:
            self.unbind(record)
            self.bind(record)
            self.turns += 1
        return 0

    @cython.critical_section
    def inherit(self, bytes source not None):
        cdef Py_ssize_t slot = self.known.find(id_of(source))
        if slot == <Py_ssize_t>self.own:
            raise ValueError("what is this table's own need not be inherited")
        if slot >= 0 and self.sources[slot].bound[0] and not self.sources[slot].inherited:
            self.sources[slot].inherited = True
            self.inherited += 1
            self.settle(&self.sources[slot])

    @cython.critical_section
    def take_over(self, size_t limit, Changes changes=None):
        cdef size_t done = 0, slot = 0
        cdef Source* source
        while self.inherited and slot < self.source_count:
            source = &self.sources[slot]
            slot += 1
            while source.inherited:
                if done == limit:
                    return done
                self.write_anew(self.bounds.entries[source.bound[0] - 1].record, False, changes)
                done += 1
        return done

    cdef bint is_unsettled(self, const vines_record* record) noexcept:
        """Whether a record is this table's own, ends by itself, and may have been unseen by some
        while they forgot a deletion that wins over it: who hears of it then takes it up, who has
        not forgotten yet does not, and no fingerprint tells. So its author has the last word."""
        return (
            record.source == self.own and record.counter > self.settled and record.family == 0
            and (expires(<uint8_t>record.flags) or depends(<uint8_t>record.flags))
            and not self.is_due(record)
            and record.stamp < STAMP_LIMIT and self.floor_stamp < STAMP_LIMIT
            and not vines_planted(60)
        )

    cdef int write_anew(self, vines_record* record, bint gone, Changes changes) except -1:
        """Write what a record holds once more, as a later write of this table's own; or that it is
        gone. Where none can be later it ends, as it does at others with its author."""
        cdef uint64_t clock = self.clock_stamp + 1, remaining = 0
        cdef uint64_t stamp = max(clock, <uint64_t>record.stamp + 1, self.floor_stamp + 1)
        cdef uint8_t flags = <uint8_t>record.flags
        cdef bytes value
        cdef Changed row
        if stamp > STAMP_LIMIT:
            return self.turn(record, ENDED_FATE, changes)
        if gone or flags & TOMBSTONE_FLAG:
            flags = TOMBSTONE_FLAG
            value = b""
        else:
            value = PyBytes_FromStringAndSize(<const char*>value_of(record), record.value_length)
        if expires(flags):
            remaining = deadline_of(&self.deadlines, record)
            remaining = remaining - self.now if remaining > self.now else 1
        self.write_local(
            hash_record(&self.index, record), record, <uint8_t>record.family, key_of(record),
            record.key_length, flags, value, stamp, remaining)
        self.clock_stamp = clock
        if changes is not None:
            self.show(record, &row)
            changes.copy(&row)
        return 0

    # ------------------------------------------------------------------ reading

    @cython.critical_section
    def get(self, uint8_t family, bytes key not None):
        cdef vines_record* record = self.held(family, key)
        if record == NULL:
            return None
        return (
            record.stamp, self.id_at(record.origin), record.flags,
            PyBytes_FromStringAndSize(<const char*>value_of(record), record.value_length),
        )

    @cython.critical_section
    def current(self, Changes changes not None, size_t start, size_t stop):
        cdef Changes found = Changes.__new__(Changes)
        cdef Changed* row
        cdef Changed held
        cdef vines_record* record
        cdef uint64_t[BLOCK] hashed
        cdef size_t at, i, count
        cdef bint hidden
        stop = min(stop, changes.count)
        found.borrow(changes)
        for at in range(start, stop, <size_t>BLOCK):
            count = min(<size_t>BLOCK, stop - at)
            for i in range(count):
                row = &changes.rows[at + i]
                hashed[i] = hash_key(&self.index, row.family, row.key, row.key_length)
                index_prefetch(&self.index, hashed[i])
            for i in range(count):
                index_prefetch_record(&self.index, hashed[i])
            for i in range(count):
                row = &changes.rows[at + i]
                record = index_find(
                    &self.index, hashed[i], row.family, row.key, row.key_length)
                if record == NULL and (row.flags & TOMBSTONE_FLAG or row.origin == NULL):
                    # Deleted for good before anybody was told: of a local write that is all one
                    # knows.
                    held = row[0]
                    held.flags |= TOMBSTONE_FLAG
                    held.value_length = 0
                    if held.origin == NULL:
                        held.origin = self.known.ids + <size_t>self.own * ID_BYTES
                    found.copy(&held)
                    continue
                if record == NULL or record.stamp != row.stamp:
                    continue
                # That it ended, was hidden or shown again, is a change of its own, which has been
                # handed over, or will be.
                hidden = depends(<uint8_t>record.flags) and is_hidden(record)
                if faded(row.flags) != (hidden or faded(<uint8_t>record.flags)):
                    continue
                self.show(record, &held)
                if row.origin != NULL and memcmp(held.origin, row.origin, ID_BYTES) != 0:
                    continue
                if hidden:
                    held.flags |= TOMBSTONE_FLAG
                    held.value_length = 0
                elif row.origin != NULL and row.value_length:
                    # It is that record: what it holds need not be copied from the table.
                    found.reserve()
                    found.add()[0] = row[0]
                    found.rows[found.count - 1].flags = held.flags
                    continue
                found.copy(&held)
        return found

    @cython.critical_section
    def value(self, bytes key not None):
        cdef vines_record* record = self.held(0, key)
        if record == NULL or not self.is_shown(record) or self.is_due(record):
            return None
        return PyBytes_FromStringAndSize(<const char*>value_of(record), record.value_length)

    @cython.critical_section
    def well_formed(self, uint8_t family, bytes key not None):
        cdef vines_record* record = self.held(family, key)
        return record == NULL or not record.ill_formed

    cdef vines_record* held(self, uint8_t family, bytes key) noexcept:
        cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(key)
        cdef size_t length = <size_t>PyBytes_GET_SIZE(key)
        return index_find(
            &self.index, hash_key(&self.index, family, at, length), family, at, length)

    def count(self, uint8_t family):
        return self.live[family]

    def size(self, uint8_t family):
        return self.sizes[family]

    cpdef double fullness(self) noexcept:
        return max(
            <double>self.live[0] / <double>self.keys_max,
            <double>self.sizes[0] / <double>self.bytes_max)

    def __len__(self):
        return self.index.count

    @property
    def source(self):
        return PyBytes_FromStringAndSize(
            <const char*>(self.known.ids + <size_t>self.own * ID_BYTES), ID_BYTES)

    @property
    def counter(self):
        return self.known.counters[self.own]

    @property
    def clock(self):
        return self.clock_stamp

    def vector(self):
        cdef VersionVector covered = self.known.copy()
        cdef const Retired* entry
        cdef size_t at
        for at in range(<size_t>len(self.gone) if self.gone.released[self.which] else 0):
            entry = self.gone.at(at)
            if is_released(entry, self.which):
                covered.counters[covered.place(entry.id)] = last_of(entry, self.which)
        return covered

    def covered(self, source):
        return self.reach(id_of(source))

    def floor(self, source):
        cdef Py_ssize_t slot = self.known.find(id_of(source))
        # Of what has no slot all is below it.
        return self.reach(id_of(source)) if slot < 0 else self.sources[slot].floor

    def fingerprint(self):
        cdef uint8_t[32] out
        vines_write64(out, self.roster)
        vines_write64(out + 8, self.lanes[0])
        vines_write64(out + 16, self.lanes[1])
        vines_write64(out + 24, self.state)
        return PyBytes_FromStringAndSize(<const char*>out, 32)

    # ------------------------------------------------------------------ merging

    cdef Py_ssize_t named_slot(self, uint32_t number, const uint8_t** ids, int32_t* slots) noexcept:
        """The slot of a source named in a body, -1 if it is not known here (yet)."""
        if slots[number] < 0:
            slots[number] = <int32_t>self.known.find(ids[number])
        return slots[number]

    cdef vines_record* merge(
        self, Item* item, const uint8_t** ids, int32_t* slots, uint64_t limit, Changes changes,
        bint deleted,
    ) except NULL:
        """Let one received record meet the one held, which loses to any that is not covered if it
        is known to be `deleted`; returns the one then held, or ABSENT."""
        cdef vines_record* record = index_find(
            &self.index, item.hashed, item.family, item.key, item.key_length)
        cdef const uint8_t* origin = ids[item.origin]
        cdef Changed* row
        cdef Py_ssize_t source = self.named_slot(item.own_source, ids, slots)
        cdef uint64_t held
        if source >= 0:
            held = self.known.counters[source]
        else:
            held = self.reach(ids[item.own_source]) if self.gone.released[self.which] else 0
        if source == <Py_ssize_t>self.own:
            self.overtaken = self.overtaken or item.own_counter > held
            self.skipped += 1
            return ABSENT if record == NULL else record
        if item.flags & EXPIRING_FLAG and record != NULL:
            self.hasten(item, origin, record)
        if item.own_counter <= held and not vines_planted(11):
            self.skipped += 1
            return ABSENT if record == NULL else record
        if record != NULL and not (
            deleted or outranks(item.stamp, origin, record, self.known.ids)
        ):
            self.outranked += 1
            if contradicts(item, origin, record, self.known.ids):
                self.violations += 1
            return record
        if changes is not None:
            changes.reserve()
        self.reserve_deadline(item.left)
        slots[item.own_source] = <int32_t>self.slot_of(ids[item.own_source])
        slots[item.origin] = <int32_t>self.slot_of(origin)
        self.reserve_bound(item.flags, <size_t>slots[item.origin])
        if limit:
            if item.stamp > limit:
                self.ahead += 1
            elif item.stamp > self.clock_stamp:
                self.clock_stamp = item.stamp
        cdef bint counted = record != NULL, shown = counted and self.is_shown(record)
        # Others may have forgotten this deletion, and have taken up what it wins over.
        cdef bint disputed = (
            counted and item.flags & TOMBSTONE_FLAG != 0 and item.stamp < STAMP_LIMIT
            and self.is_unsettled(record)
        )
        if not counted:
            record = self.create(
                item.hashed, item.family, item.key, item.key_length, item.value_length)
        self.assign(
            record, counted, item.stamp, <uint32_t>slots[item.origin],
            <uint32_t>slots[item.own_source], item.own_counter, item.flags,
            item.value, item.value_length,
            item.family == 0 and not item.flags & TOMBSTONE_FLAG
            and scan_msgpack(item.value, item.value_length, False) != 0,
            item.left)
        self.applied += 1
        self.sources[record.source].highest = max(
            self.sources[record.source].highest, item.own_counter)
        self.sources[record.source].void = False
        # Of an ephemeral record that nobody can read it is told only what it took away.
        if changes is not None and (
            shown or not item.flags & EPHEMERAL_FLAG or self.is_shown(record)
        ):
            row = changes.add()
            row.key = item.key
            row.key_length = <uint16_t>item.key_length
            row.value = item.value
            row.value_length = item.value_length
            row.origin = origin
            row.stamp = item.stamp
            row.family = item.family
            row.flags = item.flags
            if depends(item.flags) and is_hidden(record):
                row.flags |= TOMBSTONE_FLAG
                row.value_length = 0
        if vines_planted(8) and item.flags & TOMBSTONE_FLAG:
            self.drop(item.hashed, record)
            return ABSENT
        if disputed:
            self.write_anew(record, True, changes)
        return record

    @cython.critical_section
    cpdef list apply(self, bytes delta, size_t offset=0, Progress progress=None,
                     uint64_t limit=0, Changes changes=None):
        cdef Body body
        if delta is None:
            raise TypeError("a delta is bytes")
        if progress is not None and progress.table is not self:
            raise ValueError("this progress belongs to another table")
        open_body(delta, offset, DELTA_FORMAT, &body)
        cdef Body checked = body
        if check_delta(&checked) < 0:
            if vines_planted(14):
                merge_before_damage(self, delta, offset, body, limit, changes)
            raise malformed("delta", delta, &checked)
        if changes is not None:
            changes.own(delta)
        self.fresh = 0
        self.repeated = 0
        cdef list refused = []
        cdef void* scratch = malloc(
            <size_t>checked.named * (sizeof(uint8_t*) + sizeof(int32_t))
            + <size_t>checked.written * sizeof(vines_record*) + 1)
        if scratch == NULL:
            raise MemoryError
        cdef vines_record** records = <vines_record**>scratch
        body.ids = <const uint8_t**>(records + checked.written)
        cdef int32_t* slots = <int32_t*>(body.ids + checked.named)
        memset(slots, 0xff, checked.named * sizeof(int32_t))
        memset(records, 0, checked.written * sizeof(vines_record*))
        # Nothing may run between two steps of a merge, not even a finalizer that a new tuple set
        # off: those of refused ranges.
        cdef bint collecting = PyGC_Disable()
        try:
            while left(&body.reader):
                self.apply_range(&body, slots, records, progress, limit, changes, refused)
            self.compact()
        finally:
            free(scratch)
            if collecting:
                PyGC_Enable()
        return refused

    cdef int apply_range(
        self, Body* body, int32_t* slots, vines_record** records, Progress progress,
        uint64_t limit, Changes changes, list refused,
    ) except -1:
        """Merge one range of a delta that has been proved well-formed."""
        cdef Item[BLOCK] items
        cdef Item* item
        cdef vines_record* record
        cdef uint32_t source = 0, first
        cdef uint64_t start = 0, counter, stop = 0, held
        cdef size_t slot = 0, count, i
        cdef int more = 1
        cdef bint taken
        read_source(body, &source)
        read_varint(&body.reader, &start, COUNTER_LIMIT)
        held = 0
        if self.named_slot(source, body.ids, slots) >= 0:
            held = self.known.counters[slots[source]]
        elif self.gone.released[self.which]:
            held = self.reach(body.ids[source])
        taken = start <= held or slots[source] == <int32_t>self.own or vines_planted(5)
        if taken:
            slots[source] = <int32_t>self.slot_of(body.ids[source])
            slot = <size_t>slots[source]
        counter = start
        while more:
            count = 0
            first = body.written
            while count < BLOCK:
                item = &items[count]
                more = read_entry(body, source, &counter, item)
                if not more:
                    break
                if item.back:
                    item.back = body.written - item.back + 1
                elif taken:
                    item.hashed = hash_key(&self.index, item.family, item.key, item.key_length)
                    index_prefetch(&self.index, item.hashed)
                count += 1
            if not taken:
                continue
            for i in range(count):
                if items[i].back == 0:
                    index_prefetch_record(&self.index, items[i].hashed)
            for i in range(count):
                item = &items[i]
                if item.back:
                    record = records[item.back - 1]
                    if record == NULL:
                        taken = False       # it stood in a range that was refused
                        break
                else:
                    if vines_planted(3) and item.counter <= held:
                        record = ABSENT
                    else:
                        record = self.merge(item, body.ids, slots, limit, changes, False)
                    records[first] = record
                    first += 1
                if record == ABSENT or item.counter <= held or slot == self.own:
                    continue
                if vines_planted(2) and not lives_at(record, slot, item.counter):
                    continue
                self.reserve(slot, item.counter)
                self.log(slot, item.counter, record)
            if not taken:
                stop = item.counter - 1
                self.cover(slot, held, stop)
        read_range_end(body, counter, &stop)
        if progress is not None and slots[source] >= 0:
            progress.raise_to(<size_t>slots[source], stop)
        if taken:
            self.repeated += min(max(held, start), stop) - start
            self.fresh += stop - max(held, start) if stop > held else 0
            self.cover(slot, held, stop)
        elif slots[source] != <int32_t>self.own:
            self.refused += 1
            if slots[source] >= 0:
                held = self.known.counters[slots[source]]
            refused.append((
                PyBytes_FromStringAndSize(<const char*>body.ids[source], ID_BYTES), held))
        return 0

    cdef int cover(self, size_t slot, uint64_t held, uint64_t stop) except -1:
        """Say that everything of a source up to `stop` is covered."""
        if slot == self.own:
            if stop > held:
                self.overtaken = True
        elif stop > held:
            self.reserve_run()
            self.arrive(slot, held, stop)
            self.advance(slot, stop)
        return 0

    # ------------------------------------------------------------------ sending

    @cython.critical_section
    cpdef bytes delta(self, Progress progress, size_t budget, bint mine=False):
        if progress is None:
            raise TypeError("somebody's progress is needed")
        if progress.table is not self:
            raise ValueError("this progress belongs to another table")
        if not progress.ready:
            return None
        if progress.position == self.run_next and not progress.scanning:
            return None
        if self.is_below(progress):
            return None
        if mine and not progress.scanning:
            progress.widen()
            if progress.known[self.own] >= self.known.counters[self.own]:
                # Asked whenever something came from elsewhere: no need for a draft to see that.
                progress.position = self.run_next
                self.run_sealed = max(self.run_sealed, self.run_next)
                return None
        return self.share(progress, budget, mine) or self.emit(progress, budget, mine)

    @cython.critical_section
    def delta_for(self, VersionVector vector not None, size_t budget):
        cdef Progress progress = Progress(self)
        cdef size_t slot
        cdef Py_ssize_t theirs
        cdef bint aligned = self.known.aligned(vector)
        progress.widen()
        for slot in range(self.known.count):
            if aligned:
                progress.known[slot] = vector.counters[slot]
                continue
            theirs = vector.find_near(self.known.ids + slot * ID_BYTES, slot)
            if theirs >= 0:
                progress.known[slot] = vector.counters[theirs]
        progress.scan()
        progress.ready = True
        return None if self.is_below(progress) else self.emit(progress, budget, False)

    cdef bint is_below(self, Progress progress) except? True:
        """Whether the peer may hold what was deleted, and lack what says so: then it joins instead,
        and nothing is sent to it, as a range that claims a position may leave out its record."""
        cdef size_t slot
        if vines_planted(51):
            return False
        if progress.barred and self.floor_stamp:
            progress.below_floor = True
            return True
        if progress.compared == self.collections:
            return False
        if progress.supposed:
            progress.doubtful = True
            return True
        progress.widen()
        for slot in range(self.source_count):
            # Of a source retired here no vector speaks; who says that it holds less is barred.
            if (
                progress.known[slot] < self.sources[slot].lacking
                and not self.sources[slot].retired
            ):
                progress.below_floor = True
                return True
        progress.compared = self.collections
        return False

    cdef object share(self, Progress progress, size_t budget, bint mine):
        """The delta written last, if this peer lacks exactly what it holds; else None."""
        cdef size_t at
        if (
            self.shared is None
            or progress.scanning
            or progress.position != self.shared_from
            or self.sequence != self.shared_arrivals
            or budget != self.shared_budget
            or mine != self.shared_mine
            or self.shared_timed and self.now != self.shared_now
            or vines_planted(4)
        ):
            return None
        progress.widen()
        for at in range(self.part_count):
            if progress.known[self.parts[at].slot] != self.parts[at].start:
                return None
        for at in range(self.part_count):
            progress.known[self.parts[at].slot] = self.parts[at].reached
        progress.position = self.shared_to
        self.shares += 1
        return self.shared

    cdef int note_part(self, size_t slot, uint64_t start, uint64_t reached) except -1:
        """Remember what the delta being written says of a source."""
        cdef size_t capacity
        cdef void* grown
        if self.part_count == self.part_capacity:
            capacity = 2 * self.part_capacity + 16
            grown = realloc(self.parts, capacity * sizeof(Part))
            if grown == NULL:
                raise MemoryError
            self.parts = <Part*>grown
            self.part_capacity = capacity
        self.parts[self.part_count].slot = <uint32_t>slot
        self.parts[self.part_count].start = start
        self.parts[self.part_count].reached = reached
        self.part_count += 1
        return 0

    cdef object emit(self, Progress progress, size_t budget, bint mine):
        """Write what the peer lacks, or what of it is `mine`: first, if need be, source by source;
        then in order of arrival. Kept for the next peer if it is all that came since a position."""
        cdef Draft draft
        cdef Run* run
        budget = min(budget, <size_t>BUDGET_MAX)
        cdef size_t room = max(budget, <size_t>256)
        cdef size_t slot
        cdef uint64_t known
        cdef bint all_of_it = True, shared
        cdef PyObject* out = PyBytes_FromStringAndSizeRaw(NULL, <Py_ssize_t>room)
        progress.widen()
        self.shared = None
        self.part_count = 0
        try:
            self.begin(&draft, out, DELTA_FORMAT, budget, self.logged)
            if progress.position < self.run_first and not progress.scanning:
                progress.scan()
            shared = not progress.scanning
            self.shared_from = progress.position
            while all_of_it:
                if progress.scanning:
                    slot = first_above(
                        self.known.counters, progress.known, progress.cursor, self.known.count)
                    if mine and slot < self.own:
                        progress.cursor = self.own
                        continue
                    if slot >= self.known.count or mine and slot > self.own:
                        progress.scanning = False
                        continue
                    all_of_it = self.emit_range(
                        &draft, &out, budget, slot, self.known.counters[slot], progress)
                    progress.cursor = slot + 1 if all_of_it else slot
                elif progress.position == self.run_next:
                    break
                else:
                    run = &self.runs[progress.position & (self.run_capacity - 1)]
                    if not mine or run.slot == self.own:
                        known = progress.known[run.slot]
                        if known >= run.stop:
                            shared = False      # another peer may lack it
                        else:
                            all_of_it = self.emit_range(
                                &draft, &out, budget, run.slot, run.stop, progress)
                            if progress.known[run.slot] == known:
                                shared = shared and not all_of_it       # not sent: below a floor
                            elif shared:
                                self.note_part(run.slot, known, progress.known[run.slot])
                    if all_of_it:
                        progress.position += 1
                        self.run_sealed = max(self.run_sealed, progress.position)
            if not all_of_it:
                self.cuts += 1
            room = draft.at - <uint8_t*>PyBytes_AsStringRaw(out)
            if room == 1:
                return None
            PyBytes_ResizeRaw(&out, <Py_ssize_t>room)
            if shared:
                self.shared = <object>out
                self.shared_to = progress.position
                self.shared_arrivals = self.sequence
                self.shared_budget = budget
                self.shared_mine = mine
                self.shared_timed = draft.timed
                self.shared_now = self.now
            return <object>out
        finally:
            if out != NULL:
                Py_DECREF_Raw(out)

    @cython.critical_section
    def announce(self, Progress progress not None, size_t budget, bint mine=False):
        cdef size_t slot = 0, first = 0
        cdef bint scanning
        cdef uint64_t counter
        cdef Run* run
        cdef size_t room = max(budget, <size_t>64)
        cdef bytes page = None
        cdef uint8_t* start = NULL
        cdef uint8_t* at = NULL
        if progress.table is not self:
            raise ValueError("this progress belongs to another table")
        if not progress.ready:
            return None
        # Now it is still known what the peer holds. What is announced from here on it may lack.
        if not progress.supposed and self.is_below(progress):
            return None
        progress.widen()
        while True:
            scanning = progress.told < self.run_first
            if scanning:
                slot = first_above(self.known.counters, progress.known, first, self.known.count)
                if slot >= self.known.count:
                    progress.told = self.run_next
                    break
                first = slot + 1
            elif progress.told == self.run_next:
                break
            else:
                run = &self.runs[progress.told & (self.run_capacity - 1)]
                slot = run.slot
                if progress.known[slot] >= run.stop:
                    progress.told += 1
                    continue
            counter = self.known.counters[slot]
            if mine and slot == self.own:
                progress.told += not scanning
                continue
            if self.sources[slot].retired or <Py_ssize_t>slot == progress.theirs():
                progress.known[slot] = counter
                continue
            if page is None:
                page = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>room)
                start = <uint8_t*>PyBytes_AS_STRING(page)
                start[0] = VECTOR_FORMAT
                start[1] = 3
                at = start + 2
            if <size_t>(at - start) + ANNOUNCED > room:
                break
            memcpy(at, self.known.ids + slot * ID_BYTES, ID_BYTES)
            at = write_varint(at + ID_BYTES, counter)
            progress.known[slot] = counter
            progress.supposed = True
        self.run_sealed = max(self.run_sealed, progress.told)
        return None if page is None else page[:at - start]

    @cython.critical_section
    def hear(self, bytes page not None, size_t offset, Progress progress not None):
        cdef size_t count = 0, at
        cdef uint8_t mark = 0
        cdef Py_ssize_t slot
        cdef list missing = []
        cdef const Retired* left_out
        if progress.table is not self:
            raise ValueError("this progress belongs to another table")
        cdef Located* rows = self.known.locate(page, offset, &count, &mark)
        try:
            progress.widen()
            for at in range(count):
                slot = rows[at].place
                if slot < 0:
                    left_out = self.left_out(rows[at].id)
                    if left_out != NULL and rows[at].counter <= last_of(left_out, self.which):
                        continue
                    progress.set_aside(rows[at].id, rows[at].counter, False)
                else:
                    progress.raise_to(<size_t>slot, rows[at].counter)
                    if slot == <Py_ssize_t>self.own or (
                        rows[at].counter <= self.known.counters[slot]
                    ):
                        continue
                missing.append((
                    PyBytes_FromStringAndSize(<const char*>rows[at].id, ID_BYTES),
                    rows[at].counter))
        finally:
            free(rows)
        return missing

    cdef int begin(
        self, Draft* draft, PyObject* out, uint8_t form, size_t budget, size_t records
    ) except -1:
        """Start a body of at most so many bytes and records in full."""
        self.make_room(min(budget / 6, records) + 2, budget / ID_BYTES + NAMES_SLACK)
        draft.limit = budget
        draft.at = <uint8_t*>PyBytes_AsStringRaw(out)
        draft.at[0] = form
        draft.at += 1
        draft.stamp = 0
        draft.named = 0
        draft.written = 0
        draft.names = self.named
        draft.records = self.written
        draft.sources = self.sources
        draft.ids = self.known.ids
        draft.deadlines = &self.deadlines
        draft.now = 0 if vines_planted(13) else self.now
        draft.timed = False
        return 0

    cdef bint emit_range(
        self, Draft* body, PyObject** out, size_t budget, size_t slot, uint64_t stop,
        Progress progress,
    ) except? False:
        """Write positions of one source up to `stop`; False if the budget cut it before."""
        cdef Draft draft = body[0]
        cdef Cursor cursor
        cdef uint64_t start = progress.known[slot], counter = start, reached = stop, position
        cdef uint8_t* base = <uint8_t*>PyBytes_AsStringRaw(out[0])
        cdef size_t used = draft.at - base
        cdef vines_record* record
        cdef bint begun = used > 1, repeated, elsewhere
        if self.sources[slot].retired:
            progress.known[slot] = self.known.counters[slot]    # who lacks it, says so
            return True
        if start < self.sources[slot].floor:
            progress.below_floor = True
            return True
        if begun and used + RANGE_ROOM + ENTRY_ROOM > budget:
            return False
        write_source(&draft, slot)
        draft.at = write_varint(draft.at, start)
        log_seek(&self.sources[slot].log, start, &cursor)
        while cursor_holds(&cursor):
            position = cursor_counter(&cursor)
            if position > stop:
                break
            if cursor.at + AHEAD < cursor.end:
                VINES_PREFETCH(pointed(cursor.at[AHEAD]))
                VINES_PREFETCH(<char*>pointed(cursor.at[AHEAD]) + 64)
            record = pointed(cursor.at[0])
            cursor.at += 1
            if record.dropped and moved_to(record) != NULL:
                record = moved_to(record)
            if record.dropped or vines_planted(4) and record.met:
                continue
            elsewhere = not lives_at(record, slot, position)
            if elsewhere:
                self.gaps += 1
                if vines_planted(1):
                    continue
            repeated = record.mark < draft.written and draft.records[record.mark] == record
            used = draft.at - base + ENTRY_ROOM
            if not repeated:
                used += record.key_length + record.value_length
            if used > (draft.limit if repeated else budget):
                if begun:
                    reached = counter
                    break
                # One record larger than the budget stands alone, but for what repeats it.
                draft.limit = used + budget
                body[0] = draft
                base = self.enlarge(body, out, draft.limit)
                draft = body[0]
            begun = True
            draft.at = write_varint(draft.at, position - counter)
            counter = position
            write_entry(&draft, record, repeated, elsewhere)
            if vines_planted(4):
                record.met = 1
        if reached == start:
            return False                # nothing fitted: `body` still ends before this range
        if vines_planted(9):
            reached = stop
        draft.at = write_varint(draft.at, 0)
        draft.at = write_varint(draft.at, reached - counter)
        progress.known[slot] = reached
        body[0] = draft
        return reached == stop

    cdef int make_room(self, size_t records, size_t names) except -1:
        """Let the scratch lists of a body hold this many records in full and names of sources."""
        cdef void* grown
        if records > self.written_capacity:
            records += records / 2
            grown = realloc(self.written, records * sizeof(vines_record*))
            if grown == NULL:
                raise MemoryError
            self.written = <vines_record**>grown
            self.written_capacity = records
        if names > self.named_capacity:
            names += names / 2
            grown = realloc(self.named, names * sizeof(uint32_t))
            if grown == NULL:
                raise MemoryError
            self.named = <uint32_t*>grown
            self.named_capacity = names
        return 0

    cdef uint8_t* enlarge(self, Draft* draft, PyObject** out, size_t size) except NULL:
        """Let one record that is larger than the budget stand alone."""
        cdef size_t used = draft.at - <uint8_t*>PyBytes_AsStringRaw(out[0])
        PyBytes_ResizeRaw(out, <Py_ssize_t>size)
        draft.at = <uint8_t*>PyBytes_AsStringRaw(out[0]) + used
        return <uint8_t*>PyBytes_AsStringRaw(out[0])

    # ------------------------------------------------------------------ whole tables, page by page

    cdef size_t gather(self, uint64_t cursor, uint64_t* after, const Changed* like) except? 0:
        """Collect the records of the segment at `cursor`, from that hash on and in order of it,
        into a scratch list; `after` is the lowest hash of the next segment, 0 if there is none.
        `like`: only those of its family whose key begins with its key; NULL: all."""
        cdef Segment* segment = segment_of(&self.index, cursor)
        cdef size_t found = 0, at
        cdef uint64_t hashed
        cdef vines_record* record
        cdef Hashed* places = <Hashed*>malloc((segment.used + 1) * sizeof(Hashed))
        if places == NULL:
            raise MemoryError
        for at in range(<size_t>segment.size):
            prefetch_slot(segment, at)
            if segment.slots[at]:
                record = pointed(segment.slots[at])
                # Most of a table may be none of a listener's: it is looked at, and not sorted.
                if like != NULL and (
                    record.family != like.family
                    or record.key_length < like.key_length
                    or memcmp(key_of(record), like.key, like.key_length) != 0
                ):
                    continue
                hashed = hash_record(&self.index, record)
                if hashed >= cursor:
                    places[found].hashed = hashed
                    places[found].record = record
                    found += 1
        qsort(places, found, sizeof(Hashed), by_hash)
        free(self.gathered)
        self.gathered = places
        after[0] = cursor
        if not next_segment(segment, after):
            after[0] = 0
        return found

    @cython.critical_section
    def scan(self, uint8_t family, bytes prefix not None, uint64_t cursor, size_t limit):
        cdef Changes found = Changes.__new__(Changes)
        cdef Changed row, like
        cdef size_t count, at, visited = 0
        cdef uint64_t after
        cdef vines_record* record
        if len(prefix) > KEY_MAX:
            return found, None
        like.family = family
        like.key = <const uint8_t*>PyBytes_AS_STRING(prefix)
        like.key_length = <uint16_t>len(prefix)
        while True:
            visited += <size_t>segment_of(&self.index, cursor).used
            count = self.gather(cursor, &after, &like)
            for at in range(count):
                record = self.gathered[at].record
                if self.is_shown(record) and not self.is_due(record):
                    if found.count >= limit and self.splits(at):
                        return found, self.gathered[at].hashed
                    self.show(record, &row)
                    found.copy(&row)
            if after == 0:
                return found, None
            cursor = after
            if visited >= limit * PASSED:
                return found, cursor

    cdef bint splits(self, size_t at) noexcept:
        """Whether a page may end before this record: never between two of one hash, or it would
        not move on."""
        return at == 0 or self.gathered[at].hashed != self.gathered[at - 1].hashed

    @cython.critical_section
    def page(self, uint64_t cursor, size_t budget):
        cdef Draft draft
        cdef uint64_t after
        cdef size_t count, at, need, room = max(min(budget, <size_t>BUDGET_MAX), <size_t>256)
        cdef vines_record* record
        cdef uint8_t* base
        cdef PyObject* out = PyBytes_FromStringAndSizeRaw(NULL, <Py_ssize_t>room)
        cdef object follow = None
        try:
            self.begin(&draft, out, PAGE_FORMAT, budget, self.index.count)
            while follow is None:
                count = self.gather(cursor, &after, NULL)
                for at in range(count):
                    record = self.gathered[at].record
                    if vines_planted(54) and record.flags & TOMBSTONE_FLAG:
                        continue
                    base = <uint8_t*>PyBytes_AsStringRaw(out)
                    need = draft.at - base + ENTRY_ROOM + record.key_length + record.value_length
                    if need > budget and draft.written and self.splits(at):
                        follow = self.gathered[at].hashed
                        break
                    if need > <size_t>PyBytes_GET_SIZE(<object>out):
                        base = self.enlarge(&draft, &out, need)
                    base = draft.at
                    draft.at += 1
                    write_source(&draft, record.source)
                    draft.at = write_varint(draft.at, record.counter)
                    write_record(&draft, base, 0, record)
                if after == 0:
                    break
                cursor = after
            PyBytes_ResizeRaw(&out, draft.at - <uint8_t*>PyBytes_AsStringRaw(out))
            return <object>out, follow
        finally:
            if out != NULL:
                Py_DECREF_Raw(out)

    @cython.critical_section
    def apply_page(self, bytes page not None, size_t offset=0, uint64_t limit=0,
                   Changes changes=None):
        cdef Body body
        cdef Item item
        open_body(page, offset, PAGE_FORMAT, &body)
        cdef Body checked = body
        if check_records(&checked) < 0:
            if vines_planted(14):
                merge_page_before_damage(self, page, offset, body, limit, changes)
            raise malformed("page", page, &checked)
        if changes is not None:
            changes.own(page)
        body.ids = <const uint8_t**>malloc(
            <size_t>checked.named * (sizeof(uint8_t*) + sizeof(int32_t)) + 1)
        if body.ids == NULL:
            raise MemoryError
        cdef int32_t* slots = <int32_t*>(body.ids + checked.named)
        memset(slots, 0xff, checked.named * sizeof(int32_t))
        try:
            while left(&body.reader):
                read_page_record(&body, &item)
                item.hashed = hash_key(&self.index, item.family, item.key, item.key_length)
                self.meet(&item, body.ids, slots, limit, changes)
        finally:
            free(body.ids)

    @cython.critical_section
    def floor_pages(self, size_t budget):
        cdef list pages = []
        cdef size_t slot = 0
        cdef bytes page
        cdef uint8_t* start
        cdef uint8_t* at
        cdef size_t room = max(budget, <size_t>64), count = self.source_count, fading = 0
        cdef const Retired* entry
        if self.gone.released[self.which]:
            count += <size_t>len(self.gone)
            fading = self.gone.fading(self.which)
        while True:
            page = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>room)
            start = <uint8_t*>PyBytes_AS_STRING(page)
            start[0] = FLOOR_FORMAT
            start[1] = 1 if not pages else 0
            at = write_varint(start + 2, self.floor_stamp)
            while slot < count and <size_t>(at - start) + 30 <= room:
                if slot >= self.source_count:
                    entry = self.gone.at(slot - self.source_count)
                    if is_released(entry, self.which) and time_of(entry) == 0:
                        memcpy(at, entry.id, ID_BYTES)
                        at = write_varint(at + ID_BYTES, last_of(entry, self.which))
                        at = write_varint(
                            at, 0 if vines_planted(55) else last_of(entry, self.which))
                elif self.known.counters[slot]:
                    memcpy(at, self.known.ids + slot * ID_BYTES, ID_BYTES)
                    at = write_varint(at + ID_BYTES, self.known.counters[slot])
                    at = write_varint(
                        at, 0 if vines_planted(55) else self.sources[slot].floor)
                slot += 1
            if slot == count and not fading:
                start[1] |= 2
            pages.append(page[:at - start])
            if slot == count:
                break
        slot = 0
        while fading:
            page = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>room)
            start = <uint8_t*>PyBytes_AS_STRING(page)
            start[0] = FLOOR_FORMAT
            start[1] = 4
            at = write_varint(start + 2, self.floor_stamp)
            while fading and <size_t>(at - start) + 30 <= room:
                entry = self.gone.at(slot)
                slot += 1
                if is_released(entry, self.which) and time_of(entry) and is_told(entry):
                    fading -= 1
                    memcpy(at, entry.id, ID_BYTES)
                    at = write_varint(at + ID_BYTES, last_of(entry, self.which))
                    at = write_varint(at, last_of(entry, self.which))
            if not fading:
                start[1] |= 2
            pages.append(page[:at - start])
        return pages

    @cython.critical_section
    def begin_join(self, list floors not None):
        cdef VersionVector joined = self.known.copy()       # so that places are slots
        cdef bytes page
        cdef Reader reader
        cdef const uint8_t* id
        cdef uint64_t counter = 0, floor = 0
        memset(joined.counters, 0, joined.count * sizeof(uint64_t))
        for page in floors:
            check_floors(page)
        for page in floors:
            open_floors(page, &reader)
            while left(&reader):
                id = read_bytes(&reader, ID_BYTES)
                read_varint(&reader, &counter, COUNTER_LIMIT)
                read_varint(&reader, &floor, counter)
                joined.counters[joined.place(id)] = counter
        self.joined = joined

    cdef bint is_deleted(self, const vines_record* record) noexcept:
        """Whether a record that is held and has not come with the join under way was deleted or
        overwritten: it is live, and whoever is joined covers its position."""
        cdef Py_ssize_t place
        if record.flags & TOMBSTONE_FLAG:
            return False
        if vines_planted(53):
            return True
        place = self.joined.find_near(
            self.known.ids + <size_t>record.source * ID_BYTES, record.source)
        return place >= 0 and record.counter <= self.joined.counters[place]

    cdef int meet(
        self, Item* item, const uint8_t** ids, int32_t* slots, uint64_t limit, Changes changes,
    ) except -1:
        """Let one record of a join meet the one held. Each is first tested against what the other
        side covers, whoever is higher: a record that was deleted keeps out no other."""
        cdef vines_record* record
        cdef bint deleted = False
        if self.joined is None:
            self.merge(item, ids, slots, limit, changes, False)
            return 0
        record = index_find(&self.index, item.hashed, item.family, item.key, item.key_length)
        if record != NULL and not is_same(item, ids[item.origin], record, self.known.ids):
            deleted = self.is_deleted(record) and not vines_planted(52)
        record = self.merge(item, ids, slots, limit, changes, deleted)
        if record != ABSENT and is_same(item, ids[item.origin], record, self.known.ids):
            record.met = not vines_planted(63)
        return 0

    @cython.critical_section
    def sweep(self, uint64_t cursor, size_t limit, Changes changes=None):
        cdef Segment* segment
        cdef size_t visited = 0
        if self.joined is None:
            return None
        while visited < limit:
            segment = segment_of(&self.index, cursor)
            visited += segment.size
            self.sweep_segment(segment, cursor, changes)
            segment = segment_join(&self.index, segment, cursor)
            if not next_segment(segment, &cursor):
                directory_halve(&self.index)
                self.joined = None
                return None
        return cursor

    cdef int sweep_segment(self, Segment* segment, uint64_t cursor, Changes changes) except -1:
        """Drop what was deleted where the join came from; forget what came with it: after that, as
        a record that is dropped has others move into its place, from the begin of the segment too,
        where they were looked at before. What lies below the cursor was swept with a segment that
        another pass has joined to this one since: nobody knows any more whether it came. Of what is
        unsettled, and below a stamp that was forgotten, it is said anew what has become of it."""
        cdef size_t at = 0
        cdef bint gone
        cdef uint64_t hashed
        cdef vines_record* record
        cdef Changed row
        while at < <size_t>segment.size:
            if segment.slots[at]:
                record = pointed(segment.slots[at])
                gone = not record.met and self.is_deleted(record)
                if (
                    record.counter <= self.swept and record.stamp <= self.floor_stamp
                    and self.is_unsettled(record)
                ):
                    self.write_anew(record, gone, changes)
                elif gone:
                    hashed = hash_record(&self.index, record)
                    if hashed >= cursor or vines_planted(59):
                        if changes is not None and self.is_shown(record):
                            self.show(record, &row)
                            row.flags |= TOMBSTONE_FLAG
                            row.value_length = 0
                            changes.copy(&row)
                        self.drop(hashed, record)
                        continue            # another may stand here now
            at += 1
        for at in range(<size_t>segment.size):
            if segment.slots[at]:
                pointed(segment.slots[at]).met = 0
        segment_shrink(&self.index, segment)
        return 0

    @cython.critical_section
    def abandon_join(self):
        if self.joined is not None:
            self.joined = VersionVector()
            self.swept = 0

    @cython.critical_section
    def finish_join(self, list floors not None, uint64_t limit=STAMP_LIMIT):
        cdef bytes page
        cdef Reader reader
        cdef const uint8_t* id
        cdef uint64_t counter = 0, floor = 0
        cdef size_t slot
        cdef uint8_t mark = 0
        cdef bint strayed = False
        for page in floors:
            check_floors(page)
        for page in floors:
            open_floors(page, &reader, &floor, &mark)
            self.floor_stamp = max(self.floor_stamp, min(floor, limit))
            while left(&reader):
                id = read_bytes(&reader, ID_BYTES)
                read_varint(&reader, &counter, COUNTER_LIMIT)
                read_varint(&reader, &floor, counter)
                if self.rests(id, counter) or mark & 4 and self.lays(id, counter):
                    continue
                slot = <size_t>self.slot_of(id)
                if slot == self.own:
                    self.overtaken = self.overtaken or counter > self.known.counters[slot]
                    floor = min(floor, self.known.counters[slot])
                    self.raise_floor(slot, floor)
                    self.lack(slot, floor)
                    continue
                if counter > self.known.counters[slot]:
                    self.reserve_run()
                    self.raise_floor(slot, counter)
                    self.arrive(slot, self.known.counters[slot], counter)
                    self.advance(slot, counter)
                    if counter >= self.sources[slot].highest:
                        self.count_stray(slot, 0 - self.sources[slot].strays)
                        self.sources[slot].recount = 0
                    elif self.sources[slot].strays or self.sources[slot].recount:
                        strayed = True
                else:
                    self.raise_floor(slot, floor)
                self.lack(slot, floor)
        self.swept = self.known.counters[self.own]
        if strayed:
            self.begin_recount()

    cdef void raise_floor(self, size_t slot, uint64_t floor) noexcept:
        """Positions up to this one are no longer served one by one: what was there is known by its
        record only, or was deleted. Their log entries go bit by bit."""
        if floor > self.sources[slot].floor:
            self.sources[slot].floor = floor
            if self.sources[slot].log.count:
                self.untrimmed = self.source_count

    cdef void lack(self, size_t slot, uint64_t counter) noexcept:
        """What a position up to this one said may be known no longer, though covered."""
        if counter > self.sources[slot].lacking:
            self.sources[slot].lacking = counter
            self.collections += 1

    # ------------------------------------------------------------------ collecting

    @property
    def strayed(self):
        cdef size_t slot
        for slot in range(self.source_count):
            if (
                self.sources[slot].highest > self.known.counters[slot]
                and not self.sources[slot].retired
                and not (self.sources[slot].void and self.known.counters[slot] == 0)
            ):
                return True
        return False

    @cython.critical_section
    def rest(self, list sources not None):
        cdef uint8_t[24] out
        cdef uint64_t roster = self.roster, one = self.lanes[0], two = self.lanes[1], counter
        cdef Py_ssize_t slot
        for source in sources:
            slot = self.known.find(id_of(source))
            if slot < 0 or not self.counts(<size_t>slot):
                continue
            counter = self.known.counters[slot]
            roster -= self.sources[slot].roster
            one = vines_add_residue(one, vines_multiply_residue(
                vines_residue(<uint64_t>(RESIDUES - counter)), self.sources[slot].lane_one))
            two = vines_add_residue(two, vines_multiply_residue(
                vines_residue(<uint64_t>(RESIDUES - counter)), self.sources[slot].lane_two))
        vines_write64(out, roster)
        vines_write64(out + 8, one)
        vines_write64(out + 16, two)
        return PyBytes_FromStringAndSize(<const char*>out, 24)

    @cython.critical_section
    def collect_stable(self, VersionVector cut not None, VersionVector bound not None,
                       uint64_t clock, uint64_t cursor, size_t limit):
        cdef Segment* segment
        cdef size_t visited = 0
        cdef Py_ssize_t place = cut.find_near(
            self.known.ids + <size_t>self.own * ID_BYTES, self.own)
        if place >= 0:
            self.settled = max(self.settled, cut.counters[place])
        if self.tombstones == 0:
            return None
        if vines_planted(64) or self.strayed and not vines_planted(57):
            return None
        if not self.dominates(bound) and not vines_planted(61):
            return None
        while visited < limit:
            segment = segment_of(&self.index, cursor)
            visited += segment.size
            self.drop_stable(segment, cut, clock)
            segment = segment_join(&self.index, segment, cursor)
            if not next_segment(segment, &cursor):
                directory_halve(&self.index)
                return None
        return cursor

    cdef void drop_stable(self, Segment* segment, VersionVector cut, uint64_t clock) noexcept:
        """Drop the tombstones of a segment that are at or below the cut and the clock."""
        cdef size_t at = 0
        cdef Py_ssize_t place
        cdef vines_record* record
        while at < <size_t>segment.size:
            if segment.slots[at]:
                record = pointed(segment.slots[at])
                if record.flags & TOMBSTONE_FLAG and (
                    record.stamp <= clock or vines_planted(58)
                ):
                    place = cut.find_near(
                        self.known.ids + <size_t>record.source * ID_BYTES, record.source)
                    if (
                        place >= 0 and record.counter <= cut.counters[place]
                        or self.sources[record.source].retired
                        and record.counter <= self.known.counters[record.source]
                        or vines_planted(56)
                    ):
                        self.raise_floor(record.source, record.counter)
                        self.lack(record.source, record.counter)
                        self.floor_stamp = max(self.floor_stamp, record.stamp)
                        self.collected += 1
                        self.drop(hash_record(&self.index, record), record)
                        continue        # another may stand here now
            at += 1
        segment_shrink(&self.index, segment)

    @cython.critical_section
    def trim(self, size_t limit):
        if self.trim_some(limit):
            return True
        self.compact()
        return self.overfull() or self.reclaim(limit)

    cdef bint trim_some(self, size_t most) noexcept:
        """Drop log entries at or below their floor, in so many steps at most, to look at a source
        being one; whether there may be more."""
        cdef size_t before
        while self.untrimmed and most:
            if self.trimmed >= self.source_count:
                self.trimmed = 0
            before = self.logged
            self.cut_log(self.trimmed, most, self.sources[self.trimmed].floor)
            most -= before - self.logged
            if most:
                most -= 1
                self.trimmed += 1
                self.untrimmed -= 1
        return self.untrimmed != 0

    cdef bint reclaim(self, size_t most) noexcept:
        """Give memory of records back to the system, in at most so many steps; whether there is
        more to do. Records of chunks that are mostly unused move to others. Log entries that point
        at them follow after the last one, as they cannot be found from a record."""
        cdef Reclaiming* at = &self.reclaiming
        cdef size_t done = 0
        cdef Segment* segment
        if arena_free(&self.arena, most / FREED + 1):
            return True
        if at.phase == IDLE:
            if not arena_is_loose(&self.arena):
                return False
            arena_close_sparse(&self.arena)
            memset(at, 0, sizeof(Reclaiming))
            at.phase = SORTING
        elif at.phase == SORTING:
            if not arena_sort(&self.arena, most):
                at.phase = MOVING
        elif at.phase == MOVING:
            while done < most and at.phase == MOVING:
                segment = segment_of(&self.index, at.cursor)
                done += segment.size + MOVED * self.move_some(segment)
                segment = segment_join(&self.index, segment, at.cursor)
                if not next_segment(segment, &at.cursor):
                    directory_halve(&self.index)
                    at.phase = RELINKING
        elif not self.relink_some(most):
            at.phase = IDLE
            self.arena.given_up = 0         # what moved was
        return at.phase != IDLE or arena_waits(&self.arena)

    cdef size_t move_some(self, Segment* segment) noexcept:
        """Move the records of a segment that are in chunks that were closed; how many."""
        cdef size_t at, count = 0
        cdef vines_record* record
        cdef vines_record* moved
        segment_shrink(&self.index, segment)
        for at in range(<size_t>segment.size):
            prefetch_slot(segment, at)
            record = pointed(segment.slots[at])
            if record == NULL or not chunk_of(record).closed:
                continue
            moved = record_move(&self.arena, record)
            if moved == NULL:
                continue
            count += 1
            segment.slots[at] = segment.slots[at] & ~POINTER_MASK | <uint64_t><size_t>moved
            if expires(<uint8_t>moved.flags):
                self.deadlines.heap[heap_place(moved)].record = moved
            if depends(<uint8_t>moved.flags):
                self.bounds.entries[bound_place(moved)].record = moved
        return count

    cdef bint relink_some(self, size_t most) noexcept:
        """Let log entries that point at stubs point at their records, looking at so many at most;
        whether there may be more."""
        cdef Reclaiming* done = &self.reclaiming
        cdef Cursor cursor
        cdef vines_record* record
        cdef vines_record* moved
        cdef uint64_t* entry
        while done.slot < self.source_count:
            log_seek(&self.sources[done.slot].log, done.counter, &cursor)
            while cursor_holds(&cursor):
                if most == 0:
                    return True
                most -= 1
                if cursor.at + AHEAD < cursor.end:
                    VINES_PREFETCH(<char*>pointed(cursor.at[AHEAD]))
                record = pointed(cursor.at[0])
                done.counter = cursor_counter(&cursor)
                if record.dropped and moved_to(record) != NULL:
                    moved = moved_to(record)
                    entry = <uint64_t*>cursor.at
                    entry[0] = entry[0] & ~POINTER_MASK | <uint64_t><size_t>moved
                    refer(moved)
                    self.let_go(record)
                cursor.at += 1
            done.slot += 1
            done.counter = 0
        return False

    @cython.critical_section
    def lapsed(self, uint64_t cursor, size_t limit):
        cdef list found = []
        cdef size_t at, visited = 0
        cdef Segment* segment
        cdef vines_record* record
        while visited < limit:
            segment = segment_of(&self.index, cursor)
            visited += segment.size
            for at in range(<size_t>segment.size):
                prefetch_slot(segment, at)
                if segment.slots[at]:
                    record = pointed(segment.slots[at])
                    if (
                        record.flags & LAPSED_FLAGS == LAPSED_FLAGS
                        and record.counter <= self.known.counters[record.source]
                    ):
                        found.append((
                            record.family,
                            PyBytes_FromStringAndSize(
                                <const char*>key_of(record), record.key_length)))
            if not next_segment(segment, &cursor):
                return found, None
        return found, cursor

    @cython.critical_section
    def collect(self, uint8_t family, bytes key not None, bint covered=False):
        cdef vines_record* record = self.held(family, key)
        if record == NULL or covered and record.counter > self.known.counters[record.source]:
            return False
        # Its position says nothing to anybody from now on, and would keep its memory.
        if log_remove(&self.sources[record.source].log, record.counter, record):
            unrefer(record)
            self.logged -= 1
        self.drop(hash_record(&self.index, record), record)
        return True

    # ------------------------------------------------------------------ for tests and tools

    cdef bytes id_at(self, size_t slot):
        return PyBytes_FromStringAndSize(
            <const char*>(self.known.ids + slot * ID_BYTES), ID_BYTES)

    @cython.critical_section
    def records(self):
        cdef list found = []
        cdef uint64_t cursor = 0, after
        cdef size_t at
        cdef vines_record* record
        while True:
            for at in range(self.gather(cursor, &after, NULL)):
                record = self.gathered[at].record
                found.append((
                    record.family,
                    PyBytes_FromStringAndSize(<const char*>key_of(record), record.key_length),
                    record.stamp, self.id_at(record.origin), self.id_at(record.source),
                    record.counter, record.flags,
                    PyBytes_FromStringAndSize(<const char*>value_of(record), record.value_length),
                ))
            if after == 0:
                return sorted(found)
            cursor = after

    @cython.critical_section
    def expiring(self):
        cdef size_t at
        cdef vines_record* record
        cdef list found = []
        for at in range(self.deadlines.count):
            record = self.deadlines.heap[at].record
            found.append((
                record.family,
                PyBytes_FromStringAndSize(<const char*>key_of(record), record.key_length),
                <int64_t>(self.deadlines.heap[at].when - self.now)))
        return sorted(found)

    @cython.critical_section
    def hidden(self):
        cdef size_t at
        cdef vines_record* record
        cdef list found = []
        for at in range(self.bounds.count):
            record = self.bounds.entries[at].record
            if is_hidden(record):
                found.append((
                    record.family,
                    PyBytes_FromStringAndSize(<const char*>key_of(record), record.key_length)))
        return sorted(found)

    @cython.critical_section
    def entries(self, source):
        cdef Py_ssize_t slot = self.known.find(id_of(source))
        cdef list found = []
        cdef Cursor cursor
        cdef vines_record* record
        if slot < 0:
            return found
        log_begin(&self.sources[slot].log, &cursor)
        while cursor_holds(&cursor):
            record = pointed(cursor.at[0])
            if record.dropped and moved_to(record) != NULL:
                record = moved_to(record)
            if not record.dropped and cursor_counter(&cursor) > self.sources[slot].floor:
                found.append((cursor_counter(&cursor), record.family,
                              PyBytes_FromStringAndSize(<const char*>key_of(record),
                                                        record.key_length)))
            cursor.at += 1
        return found

    def state_bytes(self):
        sources = [
            (source, counter, self.floor(source), self.entries(source))
            for source, counter in sorted(self.vector().items())
        ]
        cdef size_t slot
        fates = [
            (self.id_at(slot), self.sources[slot].fate, self.sources[slot].turning,
             self.sources[slot].inherited)
            for slot in range(self.source_count) if self.sources[slot].placed
        ]
        cdef uint64_t number
        cdef Run* run
        cdef list runs = []
        for number in range(self.run_first, self.run_next):
            run = &self.runs[number & (self.run_capacity - 1)]
            runs.append((self.id_at(run.slot), run.start, run.stop))
        return repr((
            self.source, self.clock_stamp, self.overtaken, self.records(), sources,
            runs, self.run_first, self.run_sealed, self.now, self.expiring(), self.hidden(),
            sorted(fates), sorted(self.living), self.floor_stamp,
        )).encode()

    def statistics(self):
        cdef size_t slot, logs = 0
        for slot in range(self.source_count):
            logs += log_memory(&self.sources[slot].log)
        return {
            "records": self.index.count,
            "tombstones": self.tombstones,
            "expiring": self.deadlines.count,
            "keys": self.live[0],
            "bytes": self.sizes[0],
            "writes_refused": self.refusals,
            "lapsed": self.lapses,
            "ephemeral": self.bounds.count,
            "turned": self.turns,
            "sources": self.source_count - self.known.hole_count + self.gone.released[self.which],
            "retired": self.retired + self.gone.released[self.which],
            "slots": self.source_count,
            "holes": self.known.hole_count,
            "entries": self.logged,
            "entries_dropped": self.dropped_entries,
            "collected": self.collected,
            "runs": self.run_next - self.run_first,
            "memory": self.memory + self.arena.memory + self.index.memory + logs
            + self.run_capacity * sizeof(Run) + deadlines_memory(&self.deadlines)
            + bounds_memory(&self.bounds)
            + sketch_memory(&self.sketch) + self.roster_capacity * sizeof(uint32_t)
            + self.source_capacity * (sizeof(Source) + ID_BYTES + 16)
            + self.known.hole_capacity * sizeof(uint32_t)
            + (0 if self.which else self.gone.memory()),
            "applied": self.applied,
            "skipped": self.skipped,
            "outranked": self.outranked,
            "refused": self.refused,
            "violations": self.violations,
            "ahead": self.ahead,
            "gaps_crossed": self.gaps,
            "budget_cuts": self.cuts,
            "shares": self.shares,
        }


cdef int open_floors(
    bytes page, Reader* reader, uint64_t* stamp=NULL, uint8_t* marks=NULL,
) except -1:
    cdef Body body
    cdef uint8_t mark
    cdef uint64_t read = 0
    open_body(page, 0, FLOOR_FORMAT, &body)
    if read_byte(&body.reader, &mark) < 0 or mark > 7:
        raise WireError("a floor page with an unknown mark")
    if read_varint(&body.reader, &read, STAMP_LIMIT) < 0:
        raise WireError("a floor page without a stamp")
    if stamp != NULL:
        stamp[0] = read
    if marks != NULL:
        marks[0] = mark
    reader[0] = body.reader
    return 0


def check_floors(bytes page not None):
    cdef Reader reader
    cdef uint64_t counter = 0, floor = 0
    open_floors(page, &reader)
    while left(&reader):
        if (
            read_bytes(&reader, ID_BYTES) == NULL
            or read_varint(&reader, &counter, COUNTER_LIMIT) < 0
            or read_varint(&reader, &floor, counter) < 0
        ):
            raise WireError("a malformed floor page")


cdef int by_rank(const void* a, const void* b) noexcept nogil:
    cdef uint64_t one = (<Ranked*>a).rank, two = (<Ranked*>b).rank
    if one == two:
        return memcmp((<Ranked*>a).id, (<Ranked*>b).id, ID_BYTES)
    return (one > two) - (one < two)


cdef int by_hash(const void* a, const void* b) noexcept nogil:
    cdef uint64_t one = (<Hashed*>a).hashed, two = (<Hashed*>b).hashed
    return (one > two) - (one < two)


@cython.final
cdef class Progress:

    def __cinit__(self, Table table not None):
        self.table = table
        self.unplaced = VersionVector()
        self.unheard = b""
        self.author = -1
        self.compared = NEVER

    def __dealloc__(self):
        free(self.known)

    cdef int widen(self) except -1:
        """Cover every source of the table; what the peer said of one before it was known here
        counts now."""
        cdef Table table = self.table
        cdef size_t slot
        cdef uint64_t number
        cdef uint64_t* known
        if self.placings == table.placings:
            return 0
        if self.capacity < table.source_count:
            known = <uint64_t*>realloc(self.known, table.source_capacity * sizeof(uint64_t))
            if known == NULL:
                raise MemoryError
            memset(known + self.capacity, 0,
                   (table.source_capacity - self.capacity) * sizeof(uint64_t))
            self.known = known
            self.capacity = table.source_capacity
        elif self.capacity > table.source_capacity:
            known = <uint64_t*>realloc(self.known, table.source_capacity * sizeof(uint64_t))
            if known != NULL:
                self.known = known
                self.capacity = table.source_capacity
        if table.placings - self.placings <= PLACED:
            for number in range(self.placings, table.placings):
                slot = table.placed[number % PLACED]
                if slot < table.source_count:       # else it is given up again
                    self.start_with(slot)
        else:
            for slot in range(table.source_count):
                if table.sources[slot].placed > self.placings:
                    self.start_with(slot)
        self.placings = table.placings
        self.author = -1
        return 0

    cdef void start_with(self, size_t slot) noexcept:
        """A slot has another source. What the peer holds of it is what was said before it had one;
        of a source left out, of which nobody speaks who holds all, it is all."""
        cdef Py_ssize_t place
        if vines_planted(65) and self.known[slot]:
            return
        # A link that is new was told nothing yet, and this would be no answer.
        self.known[slot] = self.table.sources[slot].resumed if self.placings else 0
        if self.unplaced.count and self.table.sources[slot].placed:
            place = self.unplaced.find(self.table.known.ids + slot * ID_BYTES)
            if place >= 0:
                self.known[slot] = self.unplaced.counters[place]

    cdef void scan(self) noexcept:
        """Compare every source before the arrival log goes on from its present end."""
        self.scanning = True
        self.cursor = 0
        self.position = self.table.run_next
        self.table.run_sealed = self.table.run_next

    cdef int raise_to(self, size_t slot, uint64_t counter) except -1:
        self.widen()
        if self.known[slot] < counter:
            self.known[slot] = counter
        return 0

    cpdef bint idle(self) noexcept:
        return not self.scanning and self.position == self.table.run_next

    @property
    def behind(self):
        """Whether the arrival log no longer reaches back to where this peer was served."""
        return self.ready and not self.scanning and self.position < self.table.run_first

    cdef Py_ssize_t theirs(self) noexcept:
        """The slot under which the peer itself writes; -1: none is known here."""
        if self.author < 0 and self.authored is not None:
            self.author = self.table.known.find(
                <const uint8_t*>PyBytes_AS_STRING(self.authored))
        return self.author

    def belongs(self, bytes source not None):
        id_of(source)
        self.authored = source
        self.author = -1

    def joined(self):
        self.given = True

    def resume(self):
        self.scan()

    def assume_equal(self):
        self.widen()
        memcpy(self.known, self.table.known.counters,
               self.table.source_count * sizeof(uint64_t))
        self.scan()
        self.scanning = False
        self.ready = True
        self.below_floor = self.supposed = self.doubtful = self.barred = False
        self.compared = NEVER

    @cython.critical_section
    def read_page(self, bytes page not None, size_t offset=0):
        cdef uint8_t mark = self.learn(page, offset, False)
        if mark & 2:
            self.begin()
        return bool(mark & 2)

    cdef bint is_new(self) noexcept:
        """Whether the peer holds nothing but its own, and there is what it gets by a join alone:
        records of retired sources, or what was forgotten of theirs, the highest stamp of it too."""
        cdef size_t slot
        cdef bint held = self.table.floor_stamp != 0
        if self.table.retired + self.table.gone.released[self.table.which] == 0 or self.heard:
            return False
        for slot in range(self.table.source_count):
            if not self.table.sources[slot].placed:
                continue
            if self.known[slot] and <Py_ssize_t>slot != self.theirs():
                return False
            held = held or self.table.sources[slot].retired and self.table.sources[slot].live != 0
        return held

    cdef void note_retired(self, size_t slot, uint64_t counter) noexcept:
        """The peer says how much it holds of a source: too little of one that is retired here, of
        which no range is ever sent, is told like any other position below a floor."""
        if self.table.sources[slot].retired and counter < self.table.known.counters[slot]:
            self.lacking = True

    cdef Retired* note_left_out(self, const uint8_t* id, uint64_t counter) noexcept:
        """The same of a source that may have given back its slot; NULL if it has not. Of one that
        is about to be forgotten no join would tell."""
        cdef Retired* entry = self.table.left_out(id)
        if entry != NULL:
            self.heard = self.heard or counter != 0
            self.lacking = self.lacking or (
                counter < last_of(entry, self.table.which) and is_told(entry))
        return entry

    cdef int forget(self) except -1:
        """The peer begins to say anew what it holds."""
        memset(self.known, 0, self.table.source_count * sizeof(uint64_t))
        self.unplaced = VersionVector()
        self.ready = False
        self.lacking = False
        self.heard = False
        return 0

    cdef void begin(self) noexcept:
        """The peer has said all that it holds: sending may begin."""
        self.scan()
        self.ready = True
        self.supposed = self.doubtful = False
        self.lacking = self.lacking or (not self.given and self.is_new())
        self.below_floor = self.barred = self.lacking
        self.lacking = False
        self.compared = NEVER

    @cython.critical_section
    def rewind(self, bytes page not None, size_t offset=0):
        self.learn(page, offset, True)
        self.scan()
        self.below_floor = self.barred = self.barred or self.lacking
        self.lacking = False
        if not self.supposed:
            self.compared = NEVER

    cdef int set_aside(self, const uint8_t* id, uint64_t counter, bint back) except -1:
        """Keep what the peer said of a source not known here, within a bound: beyond it too much
        is sent, no more."""
        cdef Py_ssize_t place = self.unplaced.find(id)
        if place < 0:
            if self.unplaced.count >= UNPLACED_MAX:
                return 0
            place = self.unplaced.place(id)
        elif back == (counter > self.unplaced.counters[place]):
            return 0
        self.unplaced.counters[place] = counter
        return 0

    cdef uint8_t learn(self, bytes page, size_t offset, bint back) except? 0:
        """Take the counters of a page for what the peer holds; sources not known here are passed
        over."""
        cdef size_t count = 0, at
        cdef uint8_t mark = 0
        cdef uint64_t counter
        cdef Py_ssize_t slot
        cdef const Retired* entry
        cdef Located* rows = self.table.known.locate(page, offset, &count, &mark)
        try:
            self.widen()
            if mark & 1 and not back:
                self.forget()
            for at in range(count):
                slot = rows[at].place
                counter = rows[at].counter
                if slot < 0:
                    entry = self.note_left_out(rows[at].id, counter)
                    if (
                        entry == NULL or counter != last_of(entry, self.table.which)
                        or self.unplaced.find(rows[at].id) >= 0
                    ):
                        self.set_aside(rows[at].id, counter, back)
                    continue
                self.note_retired(<size_t>slot, counter)
                if vines_planted(6) and not back and counter > self.table.known.counters[slot]:
                    self.table.advance(slot, counter)
                if (counter < self.known[slot]) if back else (counter > self.known[slot]):
                    self.known[slot] = counter
        finally:
            free(rows)
        return mark

    def known_of(self, source):
        cdef Py_ssize_t slot = self.table.known.find(id_of(source))
        self.widen()
        return self.unplaced.get(source) if slot < 0 else self.known[slot]
