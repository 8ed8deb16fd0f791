"""Sketch pages: what differs between two replicas, in bytes that depend on nothing else.

Decides what a page says, and how the page of a peer is told apart into sources and counters. What
comes out is believed only if it explains the check sum of the peer's whole vector; whoever cannot
tell says so, and the caller goes on to another form. Work is bounded by the cells of the page: as
many sources as cells, each out of as many cells as a source is ever in."""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from vines._core.sketch cimport (
    CELL_BYTES, CELLS, FIELD, WORDS, Row, Sketch, draw_row, sketch_find, sketch_key,
)
from vines._core.table cimport Progress, Source, Table
from vines._core.vector cimport vines_key
from vines._core.wire cimport (
    COUNTER_LIMIT, ID_BYTES, Reader, left, read_byte, read_bytes, vines_read64, vines_write64,
)

from vines.errors import WireError

cdef extern from "hash.h" nogil:
    uint64_t vines_sip(vines_key key, const uint8_t* data, size_t count)
    uint64_t vines_residue(uint64_t x)
    uint64_t vines_multiply_residue(uint64_t a, uint64_t b)
    uint64_t vines_add_residue(uint64_t a, uint64_t b)
    uint32_t vines_read32(const uint8_t* at)
    void vines_write32(uint8_t* at, uint32_t word)

CELLS_MAX = CELLS

cdef enum:
    FORMAT = 5
    HEAD = 11           # form, number of cells, check sum
    KEY_BYTES = 4
    NAMES_MAX = 256     # as many as cells: no more sources can be told apart
    PAIRED = 32         # of the first cells pairs are looked at, where a few differ that are stuck
    UNKNOWN = -1

cdef struct Peeled:                     # what differs, as the cells say
    size_t count
    size_t unknown                      # of those, how many are no sources of this table
    uint32_t[CELLS] keys
    uint32_t[CELLS] gaps                # theirs less mine, modulo the field
    int32_t[CELLS] slots

cdef struct Sums:
    uint32_t[3] of

cdef struct Work:
    size_t cells
    Sums[CELLS] sums                    # theirs less mine
    uint8_t[CELLS] waiting              # is on the stack
    uint8_t[CELLS] stack
    size_t height


cdef inline uint32_t less(uint32_t a, uint32_t b) noexcept nogil:
    return <uint32_t>(a - b if a >= b else a + FIELD - b)


cdef inline uint32_t times(uint32_t a, uint32_t b) noexcept nogil:
    return <uint32_t>(<uint64_t>a * b % FIELD)


cdef inline uint32_t inverse(uint32_t a) noexcept nogil:
    """Of a residue that is not 0, by Euclid; near 0, as most gaps are, it takes a step or two."""
    cdef bint negative = a > FIELD / 2
    cdef uint64_t high = FIELD, low = FIELD - a if negative else a, quotient
    cdef int64_t before = 0, now = 1, after
    while low > 1:
        quotient = high / low
        high, low = low, high - quotient * low
        after = before - <int64_t>quotient * now
        before, now = now, after
    if now < 0:
        now += FIELD
    return <uint32_t>(FIELD - <uint64_t>now if negative else <uint64_t>now)


cdef inline bint pure(const uint32_t* sums) noexcept nogil:
    """Whether sums of powers are such as one source alone makes."""
    return sums[0] != 0 and times(sums[1], sums[1]) == times(sums[0], sums[2])


cdef inline bint within(const Row* row, size_t cell) noexcept nogil:
    cdef size_t at
    for at in range(row.used):
        if row.places[at] >= cell:
            return row.places[at] == cell
    return False


cdef inline void wait(Work* work, size_t cell) noexcept nogil:
    if not work.waiting[cell]:
        work.waiting[cell] = 1
        work.stack[work.height] = <uint8_t>cell
        work.height += 1


cdef inline Py_ssize_t row_of(
    const Sketch* sketch, uint32_t key, Row* drawn, const Row** row
) noexcept nogil:
    """The row of a key, drawn if no source here has it, and its slot."""
    cdef Py_ssize_t slot = sketch_find(sketch, key)
    if slot >= 0:
        row[0] = &sketch.rows[slot]
    else:
        draw_row(key, drawn)
        row[0] = drawn
    return slot


cdef int take(
    Work* work, const Row* row, Py_ssize_t slot, uint32_t gap, Peeled* out
) noexcept nogil:
    """Note what a source differs by and take it out of all cells; -1 if that cannot be right."""
    cdef uint32_t two = times(gap, row.key), three = times(gap, row.square)
    cdef Sums* sums
    cdef size_t at
    if row.shared or out.count == work.cells:
        return -1
    for at in range(out.count):
        if out.keys[at] == row.key:
            return -1
    out.keys[out.count] = row.key
    out.gaps[out.count] = gap
    out.slots[out.count] = <int32_t>slot
    out.count += 1
    out.unknown += slot < 0
    for at in range(row.used):
        if row.places[at] >= work.cells:
            break
        sums = &work.sums[row.places[at]]
        sums.of[0] = less(sums.of[0], gap)
        sums.of[1] = less(sums.of[1], two)
        sums.of[2] = less(sums.of[2], three)
        wait(work, row.places[at])
    return 0


cdef int take_from_pair(const Sketch* sketch, Work* work, Peeled* out) noexcept nogil:
    """Find two cells whose difference is one source, and take it; 0 if there are none, 1 if it is
    taken, -1 if it cannot be right. Sources that are in both leave the difference of the two."""
    cdef size_t first, second, at, most = min(work.cells, <size_t>PAIRED)
    cdef uint32_t[3] sums
    cdef uint32_t key
    cdef Row drawn
    cdef const Row* row
    cdef Py_ssize_t slot
    cdef bint inside
    for first in range(most):
        if work.sums[first].of[0] | work.sums[first].of[1] | work.sums[first].of[2] == 0:
            continue
        for second in range(first + 1, most):
            for at in range(3):
                sums[at] = less(work.sums[first].of[at], work.sums[second].of[at])
            if not pure(sums):
                continue
            key = times(sums[1], inverse(sums[0]))
            slot = row_of(sketch, key, &drawn, &row)
            inside = within(row, first)
            if inside == within(row, second):
                continue
            if take(work, row, slot, sums[0] if inside else less(0, sums[0]), out) < 0:
                return -1
            return 1
    return 0


cdef int peel(
    const Sketch* sketch, const uint8_t* theirs, Work* work, Peeled* out
) noexcept nogil:
    """Tell apart what the cells of a peer differ by; 0 if that explains all of them, else -1."""
    cdef size_t cell, at
    cdef uint32_t key
    cdef Row drawn
    cdef const Row* row
    cdef Py_ssize_t slot
    cdef int taken
    out.count = out.unknown = work.height = 0
    for cell in range(work.cells):
        for at in range(3):
            work.sums[cell].of[at] = less(
                vines_read32(theirs + cell * CELL_BYTES + 4 * at),
                <uint32_t>(sketch.sums[cell * WORDS + at] % FIELD))
        work.waiting[cell] = 0
        wait(work, cell)
    while True:
        while work.height:
            work.height -= 1
            cell = work.stack[work.height]
            work.waiting[cell] = 0
            if not pure(work.sums[cell].of):
                continue
            key = times(work.sums[cell].of[1], inverse(work.sums[cell].of[0]))
            slot = row_of(sketch, key, &drawn, &row)
            if within(row, cell) and take(work, row, slot, work.sums[cell].of[0], out) < 0:
                return -1
        for cell in range(work.cells):
            if work.sums[cell].of[0] | work.sums[cell].of[1] | work.sums[cell].of[2]:
                break
        else:
            return 0
        taken = take_from_pair(sketch, work, out)
        if taken <= 0:
            return -1


cdef uint64_t check_sum(Table table, uint64_t roster, uint64_t one, uint64_t two) noexcept:
    """A keyed hash of the parts of a fingerprint that tell of the vector."""
    cdef uint8_t[24] parts
    vines_write64(parts, roster)
    vines_write64(parts + 8, one)
    vines_write64(parts + 16, two)
    return vines_sip(table.fingerprint_key, parts, 24)


def sketch_page(Table table not None, size_t cells, bytes wanted=b""):
    cdef size_t named = <size_t>PyBytes_GET_SIZE(wanted) / KEY_BYTES, at, word
    if not 0 < cells <= CELLS:
        raise ValueError(f"a sketch has 1 to {CELLS} cells")
    if PyBytes_GET_SIZE(wanted) % KEY_BYTES or named > NAMES_MAX:
        raise WireError(f"keys of sources are {KEY_BYTES} bytes each, {NAMES_MAX} at most")
    if table.sketch.count == 0:
        return None
    cdef bytes page = PyBytes_FromStringAndSize(
        NULL, <Py_ssize_t>(HEAD + cells * CELL_BYTES + named * ID_BYTES))
    cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(page)
    cdef uint8_t* to = start + HEAD
    cdef Py_ssize_t slot
    start[0] = FORMAT
    start[1] = <uint8_t>(cells & 0xff)
    start[2] = <uint8_t>(cells >> 8)
    vines_write64(start + 3, check_sum(table, table.roster, table.lanes[0], table.lanes[1]))
    for at in range(cells):
        for word in range(3):
            vines_write32(to, <uint32_t>(table.sketch.sums[at * WORDS + word] % FIELD))
            to += 4
    for at in range(named):
        slot = sketch_find(&table.sketch, vines_read32(
            <const uint8_t*>PyBytes_AS_STRING(wanted) + at * KEY_BYTES))
        if slot >= 0:
            memcpy(to, table.known.ids + slot * ID_BYTES, ID_BYTES)
            to += ID_BYTES
    return page if to == start + PyBytes_GET_SIZE(page) else page[:to - start]


cdef struct Page:
    size_t cells
    const uint8_t* check
    const uint8_t* sums
    const uint8_t* names
    size_t named


cdef int open_page(bytes data, size_t offset, Page* page) except -1:
    """Prove a page well-formed and say where its parts are."""
    cdef Reader reader
    cdef uint8_t form = 0, low = 0, high = 0
    cdef size_t at
    if offset > <size_t>PyBytes_GET_SIZE(data):
        raise WireError("a sketch page is missing")
    reader.at = <const uint8_t*>PyBytes_AS_STRING(data) + offset
    reader.end = <const uint8_t*>PyBytes_AS_STRING(data) + PyBytes_GET_SIZE(data)
    if read_byte(&reader, &form) < 0 or form != FORMAT:
        raise WireError("not a sketch page")
    if read_byte(&reader, &low) < 0 or read_byte(&reader, &high) < 0:
        raise WireError("a sketch page that is cut short")
    page.cells = low | <size_t>high << 8
    if not 0 < page.cells <= CELLS:
        raise WireError(f"a sketch of {page.cells} cells")
    page.check = read_bytes(&reader, 8)
    page.sums = read_bytes(&reader, page.cells * CELL_BYTES)
    if page.check == NULL or page.sums == NULL:
        raise WireError("a sketch page that is cut short")
    for at in range(3 * page.cells):
        if vines_read32(page.sums + 4 * at) >= FIELD:
            raise WireError("a sketch page with a sum outside of its field")
    page.named = left(&reader) / ID_BYTES
    if left(&reader) % ID_BYTES or page.named > NAMES_MAX:
        raise WireError("a sketch page with malformed names")
    page.names = reader.at
    return 0


cdef const uint8_t* name_of(Table table, const Page* page, uint32_t key) noexcept:
    """The id among a page's names that has this key, or NULL."""
    cdef size_t at
    for at in range(page.named):
        if sketch_key(table.fingerprint_key, page.names + at * ID_BYTES) == key:
            return page.names + at * ID_BYTES
    return NULL


cdef inline void add_signed(uint64_t* lane, bint below, uint64_t size, uint64_t factor) noexcept:
    cdef uint64_t product = vines_multiply_residue(size, factor)
    lane[0] = vines_add_residue(lane[0], vines_residue((<uint64_t>1 << 61) - 1 - product)
                                if below else product)


cdef bint explains(
    Table table, const Page* page, const Peeled* found, const uint8_t** names, uint64_t* theirs
) noexcept:
    """Whether these differences turn this table's vector into one with the check sum of the page;
    `theirs` are the counters of the peer then, `names` the ids of the sources not known here."""
    cdef uint64_t roster = table.roster, size, mine
    cdef uint64_t[2] lanes
    cdef uint8_t[ID_BYTES + 1] suffixed
    cdef Source* source
    cdef size_t at, lane
    cdef bint below
    lanes[0] = table.lanes[0]
    lanes[1] = table.lanes[1]
    for at in range(found.count):
        below = found.gaps[at] > FIELD / 2
        size = FIELD - found.gaps[at] if below else found.gaps[at]
        if found.slots[at] < 0:
            if below:
                return False
            theirs[at] = size
            roster += vines_sip(table.fingerprint_key, names[at], ID_BYTES)
            memcpy(suffixed, names[at], ID_BYTES)
            for lane in range(2):
                suffixed[ID_BYTES] = <uint8_t>(lane + 1)
                add_signed(&lanes[lane], False, size, vines_residue(
                    vines_sip(table.fingerprint_key, suffixed, ID_BYTES + 1)))
            continue
        source = &table.sources[found.slots[at]]
        mine = table.known.counters[found.slots[at]] if table.counts(found.slots[at]) else 0
        if size > (mine if below else COUNTER_LIMIT - mine):
            return False
        theirs[at] = mine - size if below else mine + size
        if mine == 0:
            roster += source.roster
        elif theirs[at] == 0:
            roster -= source.roster
        add_signed(&lanes[0], below, size, source.lane_one)
        add_signed(&lanes[1], below, size, source.lane_two)
    return check_sum(table, roster, lanes[0], lanes[1]) == vines_read64(page.check)


def read_sketch(Progress progress not None, bytes data not None, size_t offset=0):
    cdef Table table = progress.table
    cdef Page page
    cdef Work work
    cdef Peeled found
    cdef const uint8_t* names[CELLS]
    cdef uint64_t[CELLS] theirs
    cdef size_t at, lacking = 0
    cdef bytearray keys = bytearray()
    open_page(data, offset, &page)
    if table.sketch.count == 0:
        return None
    work.cells = page.cells
    if peel(&table.sketch, page.sums, &work, &found) < 0:
        return None
    for at in range(found.count if found.unknown else 0):
        names[at] = NULL
        if found.slots[at] < 0:
            names[at] = name_of(table, &page, found.keys[at])
            lacking += names[at] == NULL
    if lacking:
        for at in range(found.count):
            if found.slots[at] < 0 and names[at] == NULL:
                add_key(keys, found.keys[at])
        return bytes(keys)
    if not explains(table, &page, &found, names, theirs):
        return None
    progress.widen()
    progress.forget()
    memcpy(progress.known, table.known.counters, table.source_count * sizeof(uint64_t))
    for at in range(found.count):
        if found.slots[at] < 0:
            progress.note_left_out(names[at], theirs[at])
            progress.set_aside(names[at], theirs[at], False)
            continue
        progress.known[found.slots[at]] = theirs[at]
        progress.note_retired(found.slots[at], theirs[at])
        if theirs[at] == 0:
            add_key(keys, found.keys[at])
    progress.unheard = bytes(keys)
    progress.begin()
    return found.count


cdef int add_key(bytearray keys, uint32_t key) except -1:
    cdef uint8_t[KEY_BYTES] written
    vines_write32(written, key)
    keys += (<const char*>written)[:KEY_BYTES]
    return 0
