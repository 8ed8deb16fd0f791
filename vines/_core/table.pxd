"""A table in memory: records behind an index, one log per source, one arrival log, and three
running fingerprints."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

from vines._core.arena cimport Arena
from vines._core.body cimport Body, Item
from vines._core.bound cimport Bounds
from vines._core.changes cimport Changed, Changes
from vines._core.deadlines cimport Deadlines
from vines._core.index cimport Index, Segment
from vines._core.log cimport Log
from vines._core.record cimport vines_record
from vines._core.retired cimport Retired, RetiredSources
from vines._core.sketch cimport Sketch
from vines._core.vector cimport VersionVector, vines_key

cdef struct Source:             # beside its id and counter in the vector; first what a delta reads
    uint64_t floor              # positions at or below it are no longer in the log
    uint32_t number             # in the body being written, checked against that body's list
    Log log                     # of its positions above the floor
    uint64_t lane_one           # multipliers of its counter in the vector fingerprint
    uint64_t lane_two
    uint64_t roster             # its part of the roster fingerprint
    uint64_t highest            # own position of any record merged from here
    uint64_t strays             # sum of the positions of strays that the state does not count
    uint64_t recount            # of those that the pass under way has come by
    uint64_t lacking            # up to here records may be missing, not only log entries
    size_t live                 # records whose own position is here
    uint8_t level               # bits of the number of its log entries above that: see compact
    uint32_t higher             # slots plus 1 of its neighbours among those of one level
    uint32_t lower
    bint retired                # all is covered that will ever be: it counts in no vector
    uint32_t[2] bound           # its ephemeral records: heads of those shown and of those hidden
    uint8_t fate                # of its author (bound.pxd)
    bint turning                # some of them are in the wrong list
    bint inherited              # those shown are to be written anew
    size_t elsewhere            # records whose origin is here, and whose own position is not
    uint64_t placed             # which of all sources it is that ever had a slot; 0: there is none
    uint64_t resumed            # so much was covered as it was given a slot again, else 0
    bint ordered                # its place in the order of the roster is known
    bint leaving                # it is about to give back the slot
    bint void                   # nothing of it was covered when nothing more was to come

cdef struct Run:                # positions of one source that became covered together
    uint32_t slot
    uint64_t start              # exclusive
    uint64_t stop               # inclusive

cdef struct Part:               # what a delta says of one source
    uint32_t slot
    uint64_t start
    uint64_t reached

cdef struct Draft:              # a body being written; its writer makes sure of room first
    uint8_t* at
    size_t limit                # bytes up to which entries that repeat a record may go on
    uint64_t stamp              # of the record before
    uint32_t named              # sources named so far, and which
    uint32_t written            # records in full so far, and which
    uint32_t* names
    vines_record** records
    Source* sources
    const uint8_t* ids
    const Deadlines* deadlines
    uint64_t now                # of the table, from which on it is counted what time is left
    bint timed                  # something in it lapses: true at this time only

cdef struct Reclaiming:         # memory that is on its way back to the system
    uint8_t phase
    uint64_t cursor             # moving: the lowest hash of the next segment
    size_t slot                 # relinking: the next log, and up to where it has been done
    uint64_t counter

cdef struct Hashed:
    uint64_t hashed
    vines_record* record

cdef struct Ranked:             # a source on its way into the order of the roster
    uint64_t rank
    const uint8_t* id
    uint32_t slot

cdef extern from "Python.h":
    ctypedef struct PyObject

cdef class Table:
    cdef VersionVector known            # what this replica covers; a source's place is its slot
    cdef readonly RetiredSources gone   # at this node; some of them have no slot here any more
    cdef unsigned which                 # of its words is this table's
    cdef size_t releasing               # the next slot to look at
    cdef size_t ending                  # above all slots that have a source, as far as that saw
    cdef uint64_t placings              # times that a source was given a slot
    cdef uint32_t placed[64]            # the slots of the last ones, a ring
    cdef Source* sources
    cdef size_t source_count
    cdef size_t source_capacity
    cdef size_t slots_kept              # of those, however few have a source
    cdef uint32_t own                   # the slot of this table's own source
    cdef vines_key fingerprint_key
    cdef Index index
    cdef Arena arena                    # of records
    cdef Reclaiming reclaiming
    cdef uint64_t lanes[2]
    cdef uint64_t roster
    cdef uint64_t state
    cdef Sketch sketch                  # of the vector; empty in a table of few sources
    cdef size_t sketch_above            # so many
    cdef uint32_t* roster_order         # slots in the order of their part of the roster
    cdef size_t roster_ordered          # of so many slots
    cdef uint64_t roster_placings       # placings when that was
    cdef size_t roster_capacity
    cdef uint64_t clock_stamp
    cdef Run* runs                      # a ring
    cdef uint64_t run_first             # numbers of the oldest run kept and of the next one
    cdef uint64_t run_next
    cdef readonly uint64_t sequence     # runs added and extended so far
    cdef uint64_t run_sealed            # runs below this number were served and no longer grow
    cdef size_t run_capacity
    cdef size_t horizon
    cdef size_t log_slack
    cdef size_t logged                  # entries of all logs
    cdef size_t uncompacted             # of them, since it was looked at whether there are too many
    cdef size_t memory                  # bytes allocated for large values
    cdef readonly size_t tombstones
    cdef size_t retired                 # sources with a slot that count in no vector any more
    cdef readonly uint64_t floor_stamp
    cdef uint64_t collections           # times that records may have come to be missing
    cdef readonly uint64_t collected    # tombstones dropped for good so far
    cdef size_t untrimmed               # so many logs, from the slot on that is looked at next,
    cdef size_t trimmed                 # may have entries at or below their floors
    cdef uint32_t levels[65]            # slots plus 1 of the first source of each level
    cdef readonly bint recounting       # strays are being counted anew
    cdef uint64_t recounted             # so far: the lowest hash of the next segment
    cdef VersionVector joined           # what the giver of the join under way covers, or None
    cdef uint64_t settled               # own position that all covered when they last said so
    cdef uint64_t swept                 # own position at the begin of the sweep under way
    cdef size_t live[256]               # live records by family
    cdef uint64_t sizes[256]            # bytes of their keys and values
    cdef public uint64_t keys_max       # of family DATA, beyond which nothing new is written here
    cdef public uint64_t bytes_max
    cdef readonly uint64_t refusals
    cdef uint64_t now                   # ms on this process's monotonic clock, as told last
    cdef Deadlines deadlines            # of live records that expire
    cdef readonly uint64_t lapses
    cdef Bounds bounds                  # live records that are ephemeral
    cdef set living                     # sources of authors that are alive, known here or not
    cdef size_t turning                 # sources of which some are in the wrong list
    cdef size_t inherited               # sources of which some are to be written anew
    cdef readonly uint64_t turns        # records hidden and shown again so far
    cdef uint64_t applied               # records merged, skipped and passed over, ranges refused
    cdef uint64_t skipped
    cdef uint64_t outranked
    cdef uint64_t refused
    cdef uint64_t dropped_entries
    cdef uint64_t violations
    cdef uint64_t gaps                  # entries sent whose record lives elsewhere
    cdef uint64_t cuts                  # deltas cut by their budget
    cdef uint32_t* named                # scratch: slots named in the body being written
    cdef size_t named_capacity
    cdef vines_record** written         # scratch: records written in full in that body
    cdef size_t written_capacity
    cdef Hashed* gathered               # scratch: records of one segment in order of their hash
    cdef object shared                  # the last delta written, if it may serve another link
    cdef Part* parts                    # what of each source it holds
    cdef size_t part_count
    cdef size_t part_capacity
    cdef uint64_t shared_from           # the position in the arrival log it began and ended at
    cdef uint64_t shared_to
    cdef uint64_t shared_arrivals       # arrivals when it was written: with one more it is stale
    cdef size_t shared_budget
    cdef bint shared_mine
    cdef bint shared_timed              # it says what time is left, and is right at one time only
    cdef uint64_t shared_now
    cdef uint64_t shares                # deltas that served another link as they were
    cdef readonly uint64_t ahead
    cdef readonly bint overtaken
    cdef readonly uint64_t fresh
    cdef readonly uint64_t repeated

    cpdef bint tick(self, double now) except -1
    cpdef double due(self) noexcept
    cpdef double fullness(self) noexcept
    cpdef list apply(
        self, bytes delta, size_t offset=*, Progress progress=*, uint64_t limit=*,
        Changes changes=*)
    cpdef bytes delta(self, Progress progress, size_t budget, bint mine=*)
    cdef Py_ssize_t slot_of(self, const uint8_t* id) except -1
    cdef bytes id_at(self, size_t slot)
    cdef int widen_sketch(self) except -1
    cdef int order_roster(self) except -1
    cdef Retired* left_out(self, const uint8_t* id) noexcept
    cdef uint64_t reach(self, const uint8_t* id) noexcept
    cdef bint dominates(self, VersionVector other) noexcept
    cdef void resume(self, size_t slot, Retired* entry) noexcept
    cdef bint rests(self, const uint8_t* id, uint64_t counter) noexcept
    cdef bint lays(self, const uint8_t* id, uint64_t counter) except -1
    cdef bint is_empty(self, size_t slot) noexcept
    cdef bint is_unnamed(self, size_t slot) except? True
    cdef void empty(self, size_t slot) noexcept
    cdef void give_back(self) noexcept
    cdef bint counts(self, size_t slot) noexcept
    cdef bint is_strange(self, size_t slot) noexcept
    cdef void leave_out(self, size_t slot) noexcept
    cdef void take_in(self, size_t slot) noexcept
    cdef void advance(self, size_t slot, uint64_t counter) noexcept
    cdef void gain(self, size_t slot, uint64_t gained) noexcept

    cdef int reserve_run(self) except -1
    cdef void arrive(self, size_t slot, uint64_t start, uint64_t stop) noexcept
    cdef int reserve(self, size_t slot, uint64_t counter) except -1
    cdef void log(self, size_t slot, uint64_t counter, vines_record* record) noexcept
    cdef Py_ssize_t excess_of(self, size_t slot) noexcept
    cdef void gain_excess(self, size_t slot) noexcept
    cdef void place(self, size_t slot) noexcept
    cdef void cut_log(self, size_t slot, size_t most, uint64_t floor) noexcept
    cdef void let_go(self, vines_record* record) noexcept
    cdef bint reclaim(self, size_t most) noexcept
    cdef size_t move_some(self, Segment* segment) noexcept
    cdef bint relink_some(self, size_t most) noexcept
    cdef void raise_floor(self, size_t slot, uint64_t floor) noexcept
    cdef void lack(self, size_t slot, uint64_t counter) noexcept
    cdef bint trim_some(self, size_t most) noexcept
    cdef bint is_below(self, Progress progress) except? True
    cdef bint is_deleted(self, const vines_record* record) noexcept
    cdef void drop_stable(
        self, Segment* segment, VersionVector cut, uint64_t clock) noexcept
    cdef int sweep_segment(self, Segment* segment, uint64_t cursor, Changes changes) except -1
    cdef bint overfull(self) noexcept
    cdef void compact(self) noexcept

    cdef vines_record* held(self, uint8_t family, bytes key) noexcept
    cdef vines_record* create(
        self, uint64_t hashed, uint8_t family, const uint8_t* key, size_t key_length, size_t length,
    ) except NULL
    cdef int assign(
        self, vines_record* record, bint counted, uint64_t stamp, uint32_t origin, uint32_t source,
        uint64_t counter, uint8_t flags, const uint8_t* value, size_t length, bint ill_formed,
        uint64_t remaining,
    ) except -1
    cdef int reserve_deadline(self, uint64_t remaining) except -1
    cdef bint is_due(self, const vines_record* record) noexcept
    cdef void hasten(self, Item* item, const uint8_t* origin, vines_record* record) noexcept
    cdef int reserve_bound(self, uint8_t flags, size_t slot) except -1
    cdef void bind(self, vines_record* record) noexcept
    cdef void unbind(self, vines_record* record) noexcept
    cdef bint is_shown(self, const vines_record* record) noexcept
    cdef void settle(self, Source* source) noexcept
    cdef void end(self, vines_record* record) noexcept
    cdef int turn(self, vines_record* record, uint8_t fate, Changes changes) except -1
    cdef int write_anew(self, vines_record* record, bint gone, Changes changes) except -1
    cdef bint is_unsettled(self, const vines_record* record) noexcept
    cdef size_t turn_some(self, size_t limit, Changes changes) except? 0
    cdef uint64_t hash_content(self, const vines_record* record) noexcept
    cdef void count_in(self, vines_record* record) noexcept
    cdef void count_out(self, vines_record* record) noexcept
    cdef bint is_stray(self, const vines_record* record) noexcept
    cdef void count_stray(self, size_t slot, uint64_t counter) noexcept
    cdef void note_stray(self, const vines_record* record, uint64_t counter) noexcept
    cdef bint may_stray(self) noexcept
    cdef void begin_recount(self) noexcept
    cdef void drop(self, uint64_t hashed, vines_record* record) noexcept
    cdef void show(self, vines_record* record, Changed* row) noexcept

    cdef int write_local(
        self, uint64_t hashed, vines_record* record, uint8_t family, const uint8_t* key,
        size_t key_length, uint8_t flags, bytes value, uint64_t stamp, uint64_t remaining,
    ) except -1
    cdef int admit_growth(self, uint64_t keys, uint64_t more, uint64_t less) except -1
    cdef uint64_t write_now(
        self, const uint8_t* key, size_t length, uint8_t flags, bytes value, uint64_t wall,
        uint64_t remaining, bint admitted,
    ) except 0
    cdef Py_ssize_t named_slot(
        self, uint32_t number, const uint8_t** ids, int32_t* slots) noexcept
    cdef vines_record* merge(
        self, Item* item, const uint8_t** ids, int32_t* slots, uint64_t limit, Changes changes,
        bint deleted,
    ) except NULL
    cdef int meet(
        self, Item* item, const uint8_t** ids, int32_t* slots, uint64_t limit, Changes changes,
    ) except -1
    cdef int apply_range(
        self, Body* body, int32_t* slots, vines_record** records, Progress progress,
        uint64_t limit, Changes changes, list refused,
    ) except -1
    cdef int cover(self, size_t slot, uint64_t held, uint64_t stop) except -1

    cdef object emit(self, Progress progress, size_t budget, bint mine)
    cdef object share(self, Progress progress, size_t budget, bint mine)
    cdef int note_part(self, size_t slot, uint64_t start, uint64_t reached) except -1
    cdef int begin(
        self, Draft* draft, PyObject* out, uint8_t form, size_t budget, size_t records
    ) except -1
    cdef bint emit_range(
        self, Draft* body, PyObject** out, size_t budget, size_t slot, uint64_t stop,
        Progress progress,
    ) except? False
    cdef int make_room(self, size_t records, size_t names) except -1
    cdef uint8_t* enlarge(self, Draft* draft, PyObject** out, size_t size) except NULL
    cdef size_t gather(self, uint64_t cursor, uint64_t* after, const Changed* like) except? 0
    cdef bint splits(self, size_t at) noexcept

cdef class Progress:
    cdef Table table
    cdef uint64_t* known                # by slot of the table
    cdef size_t capacity
    cdef uint64_t placings              # of the table, up to which its slots are those it knows
    cdef VersionVector unplaced         # of sources the table does not know yet
    cdef uint64_t position              # the next run of the arrival log to serve
    cdef size_t cursor                  # the next slot to look at while scanning
    cdef uint64_t told                  # the next run of the arrival log to announce
    cdef Py_ssize_t author              # the slot under which the peer writes; -1: not known here
    cdef bytes authored
    cdef bint scanning                  # every source is compared, before the arrival log goes on
    cdef bint given                     # all of a join: what it lacks still there was not
    cdef bint lacking                   # the peer said that it holds less of a source retired here
    cdef bint barred                    # so it has to join, where deletions were forgotten first
    cdef bint heard                     # it holds something of one that has no slot here
    cdef bint supposed                  # some of what it is taken to hold was only announced to it
    cdef uint64_t compared              # collections of the table when it was compared with them
    cdef readonly bytes unheard         # keys of sources of which the peer holds nothing
    cdef readonly bint ready
    cdef readonly bint below_floor
    cdef readonly bint doubtful

    cpdef bint idle(self) noexcept
    cdef int widen(self) except -1
    cdef void scan(self) noexcept
    cdef int forget(self) except -1
    cdef void begin(self) noexcept
    cdef bint is_new(self) noexcept
    cdef void note_retired(self, size_t slot, uint64_t counter) noexcept
    cdef void start_with(self, size_t slot) noexcept
    cdef Retired* note_left_out(self, const uint8_t* id, uint64_t counter) noexcept
    cdef Py_ssize_t theirs(self) noexcept
    cdef int raise_to(self, size_t slot, uint64_t counter) except -1
    cdef int set_aside(self, const uint8_t* id, uint64_t counter, bint back) except -1
    cdef uint8_t learn(self, bytes page, size_t offset, bint back) except? 0
