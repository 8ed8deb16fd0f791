"""Digests: how two replicas find out, cheaply, whether and where they differ.

The ladder of forms has four rungs: the fingerprint, which says whether; and which says where, the
sketch (vines._core.sketch), the counters alone in the order of a roster that both share, and the
vector with ids. A rung decides what is said, never what is believed: a received digest is a hint
about what to send. """

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcmp, memcpy

from vines._core.retired cimport Retired, is_released, is_told, last_of
from vines._core.sketch cimport CELL_BYTES, CELLS
from vines._core.table cimport Progress, Table
from vines._core.vector cimport id_of
from vines._core.wire cimport (
    COUNTER_LIMIT, ID_BYTES, Reader, left, read_byte, read_bytes, read_varint, vines_read64,
    vines_write64, write_varint,
)

from vines.errors import WireError

cdef extern from "hash.h" nogil:
    uint64_t vines_multiply_residue(uint64_t a, uint64_t b)
    uint64_t vines_add_residue(uint64_t a, uint64_t b)
    void VINES_PREFETCH(const void* address)

FINGERPRINT_BYTES = 32

cdef enum:
    ALIGNED_FORMAT = 6
    ALIGNED_HEAD = 18   # form, mark, roster, check sum
    COUNTER_BYTES = 7   # the most a counter takes, and a place in the roster
    ALIGNED_ENTRY = 2   # bytes of a source in an aligned page, about, and in one with ids
    FULL_ENTRY = 18
    SLACK = 20          # cells beyond one and a half a source: 97 of 100 sketches are enough
    WEIGHT = 4          # of all that was before, against one more difference
    DIFFERENCE_FIRST = 8
    AHEAD = 8           # sources between asking for the memory of one and reading it
    VECTOR_FORMAT = 3
    FIRST = 1
    LAST = 2
    ROW = 23            # the most a source takes in a page
    VECTOR_PART = 24    # roster and vector come first in a fingerprint, the state last


def is_alone(Table table not None):
    cdef size_t slot
    if not table.retired + table.gone.released[table.which]:
        return False
    for slot in range(table.source_count):
        if slot != table.own and table.counts(slot):
            return False
    return True


cdef uint8_t* write_left_out(uint8_t* at, Table table) except NULL:
    """One source that is left out, so that nobody takes this table for new."""
    cdef size_t slot
    cdef const Retired* entry
    for slot in range(table.source_count):
        if table.sources[slot].retired:
            memcpy(at, table.known.ids + slot * ID_BYTES, ID_BYTES)
            return write_varint(at + ID_BYTES, table.known.counters[slot])
    for slot in range(<size_t>len(table.gone)):
        entry = table.gone.at(slot)
        if is_released(entry, table.which) and is_told(entry):
            memcpy(at, entry.id, ID_BYTES)
            return write_varint(at + ID_BYTES, last_of(entry, table.which))
    return at


def vector_pages(Table table not None, size_t budget):
    cdef list pages = []
    cdef size_t slot = 0, room = max(budget, <size_t>64)
    cdef bint alone = is_alone(table)
    cdef bytes page
    cdef uint8_t* start
    cdef uint8_t* at
    while True:
        page = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>room)
        start = <uint8_t*>PyBytes_AS_STRING(page)
        start[0] = VECTOR_FORMAT
        start[1] = 0 if pages else FIRST
        at = start + 2
        if alone and not pages:
            at = write_left_out(at, table)
        while slot < table.source_count and <size_t>(at - start) + ROW <= room:
            if table.counts(slot):
                memcpy(at, table.known.ids + slot * ID_BYTES, ID_BYTES)
                at = write_varint(at + ID_BYTES, table.known.counters[slot])
            slot += 1
        if slot == table.source_count:
            start[1] |= LAST
        pages.append(page[:at - start])
        if slot == table.source_count:
            return pages


def pull_page(list wanted not None):
    cdef bytes page = PyBytes_FromStringAndSize(NULL, 2 + ROW * len(wanted))
    cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(page)
    cdef uint8_t* at = start + 2
    start[0] = VECTOR_FORMAT
    start[1] = FIRST | LAST
    for source, counter in wanted:
        if not 0 <= counter <= COUNTER_LIMIT:
            raise ValueError("a counter is at least 0 and below 2**48")
        memcpy(at, id_of(source), ID_BYTES)
        at = write_varint(at + ID_BYTES, counter)
    return page[:at - start]


cdef const uint8_t* fingerprint_at(bytes data, size_t offset) except NULL:
    if offset > <size_t>PyBytes_GET_SIZE(data) or PyBytes_GET_SIZE(data) - offset < 32:
        raise WireError("a fingerprint has 32 bytes")
    return <const uint8_t*>PyBytes_AS_STRING(data) + offset


def same_vector(bytes mine not None, bytes theirs not None, size_t offset=0):
    return memcmp(fingerprint_at(mine, 0), fingerprint_at(theirs, offset), VECTOR_PART) == 0


def same_state(bytes mine not None, bytes theirs not None, size_t offset=0):
    return memcmp(
        fingerprint_at(mine, 0) + VECTOR_PART, fingerprint_at(theirs, offset) + VECTOR_PART, 8,
    ) == 0


def aligned_pages(Table table not None, size_t budget):
    cdef list pages = []
    cdef size_t at = 0, place = 0, slot, room = max(budget, <size_t>64)
    cdef uint64_t check, counter
    cdef bytes page
    cdef uint8_t* start
    cdef uint8_t* to
    table.order_roster()
    while True:
        page = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>room)
        start = <uint8_t*>PyBytes_AS_STRING(page)
        start[0] = ALIGNED_FORMAT
        start[1] = 0 if pages else FIRST
        vines_write64(start + 2, table.roster)
        to = write_varint(start + ALIGNED_HEAD, place)
        check = 0
        while at < table.source_count and <size_t>(to - start) + COUNTER_BYTES <= room:
            if at + AHEAD < table.source_count:
                VINES_PREFETCH(&table.sources[table.roster_order[at + AHEAD]].lane_one)
            slot = table.roster_order[at]
            counter = table.known.counters[slot]
            at += 1
            if not table.counts(slot):
                continue
            place += 1
            to = write_varint(to, counter)
            check = vines_add_residue(
                check, vines_multiply_residue(counter, table.sources[slot].lane_one))
        vines_write64(start + 10, check)
        if at == table.source_count:
            start[1] |= LAST
        pages.append(page[:to - start])
        if at == table.source_count:
            return pages


def read_aligned(Progress progress not None, bytes page not None, size_t offset=0):
    cdef Table table = progress.table
    cdef Reader reader
    cdef Reader body
    cdef uint8_t form = 0, mark = 0
    cdef const uint8_t* roster
    cdef const uint8_t* check
    cdef uint64_t place = 0, counter = 0, total = 0
    cdef size_t at = 0, first, slot
    if offset > <size_t>PyBytes_GET_SIZE(page):
        raise WireError("a vector page is missing")
    reader.at = <const uint8_t*>PyBytes_AS_STRING(page) + offset
    reader.end = <const uint8_t*>PyBytes_AS_STRING(page) + PyBytes_GET_SIZE(page)
    if read_byte(&reader, &form) < 0 or form != ALIGNED_FORMAT:
        raise WireError("not an aligned vector page")
    if read_byte(&reader, &mark) < 0 or mark > (FIRST | LAST):
        raise WireError("a vector page with an unknown mark")
    roster = read_bytes(&reader, 8)
    check = read_bytes(&reader, 8)
    if roster == NULL or check == NULL or read_varint(&reader, &place, COUNTER_LIMIT) < 0:
        raise WireError("an aligned vector page that is cut short")
    if (place == 0) != bool(mark & FIRST):
        raise WireError("an aligned vector page whose place does not go with its mark")
    body = reader
    while left(&body):
        if read_varint(&body, &counter, COUNTER_LIMIT) < 0 or counter == 0:
            raise WireError("an aligned vector page with a malformed counter")
    if vines_read64(roster) != table.roster:
        return None
    table.order_roster()
    at = roster_place(table, place)
    first = at
    body = reader
    while left(&body):
        at = roster_next(table, at)
        if at == table.source_count:
            return None
        if at + AHEAD < table.source_count:
            VINES_PREFETCH(&table.sources[table.roster_order[at + AHEAD]].lane_one)
        read_varint(&body, &counter, COUNTER_LIMIT)
        total = vines_add_residue(total, vines_multiply_residue(
            counter, table.sources[table.roster_order[at]].lane_one))
        at += 1
    if total != vines_read64(check) or (mark & LAST) != 0 and (
        roster_next(table, at) != table.source_count
    ):
        return None
    progress.widen()
    if mark & FIRST:
        progress.forget()
    at = first
    while left(&reader):
        at = roster_next(table, at)
        slot = table.roster_order[at]
        read_varint(&reader, &counter, COUNTER_LIMIT)
        if progress.known[slot] < counter:
            progress.known[slot] = counter
        at += 1
    if mark & LAST:
        progress.begin()
    return bool(mark & LAST)


def difference(Progress progress not None):
    cdef Table table = progress.table
    cdef size_t slot, count = 0
    progress.widen()
    for slot in range(table.source_count):
        if not table.sources[slot].retired:
            count += progress.known[slot] != table.known.counters[slot]
    for slot in range(progress.unplaced.count):
        count += (
            table.known.find(progress.unplaced.ids + slot * ID_BYTES) < 0
            and table.left_out(progress.unplaced.ids + slot * ID_BYTES) == NULL)
    return count


@cython.final
cdef class Ladder:
    cdef double mean            # of the sources that differed, lately more than long ago
    cdef double last            # so many did just now: an answer is about the same ones
    cdef unsigned stuck         # sketches in a row that did not tell

    def __cinit__(self):
        self.mean = DIFFERENCE_FIRST

    def cells(self, Table table not None, bint same_roster):
        cdef double likely = max(self.mean, self.last)
        cdef size_t wanted = CELLS if self.stuck else <size_t>(1.5 * likely) + SLACK
        cdef size_t entry = ALIGNED_ENTRY if same_roster else FULL_ENTRY
        self.last = 0
        if (
            self.stuck > 1
            or wanted > CELLS
            or table.sketch.count == 0
            or wanted * CELL_BYTES >= entry * (len(table.known) - table.retired)
        ):
            return 0
        return wanted

    def failed(self):
        self.stuck += 1

    def learned(self, size_t difference):
        self.stuck = 0
        self.last = <double>difference
        self.mean += (<double>min(difference, <size_t>CELLS) - self.mean) / WEIGHT


cdef inline size_t roster_next(Table table, size_t at) noexcept:
    """The first place from `at` on in the order of slots whose source is in the roster."""
    while at < table.source_count and not table.counts(table.roster_order[at]):
        at += 1
    return at


cdef size_t roster_place(Table table, uint64_t place) noexcept:
    """Where in the order of slots the source is that has this place in the roster."""
    cdef size_t at = 0
    while place and at < table.source_count:
        if table.counts(table.roster_order[at]):
            place -= 1
        at += 1
    return at
