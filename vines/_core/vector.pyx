"""Version vectors: what a replica knows, as one counter per source.

Decides how two vectors are merged and compared, and what a page of one looks like on the wire. It
knows nothing of records. Vectors that list the same ids in the same order are merged by one pass
over their counters, in the widest registers the processor has; others id by id through the index.

A place whose id was taken out is a hole until another id comes there: its counter is 0, and the id
that is left in it leads nowhere. The lowest hole is filled first, so that the last places come to
be holes, and can be given up.
"""

cimport cython
from cpython.bytes cimport (
    PyBytes_AS_STRING, PyBytes_Check, PyBytes_FromStringAndSize, PyBytes_GET_SIZE,
)
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

from vines._core.wire cimport (
    COUNTER_LIMIT, ID_BYTES, Reader, left, read_byte, read_bytes, read_varint, varint_size,
    write_varint,
)

from vines.errors import WireError


cdef extern from "hash.h" nogil:
    uint64_t vines_fold_id(vines_key key, const uint8_t* id)
    uint64_t vines_sip(vines_key key, const uint8_t* data, size_t count)
    void VINES_PREFETCH(const void* address)

cdef extern from "simd.h" nogil:
    ctypedef struct vines_kernels:
        const char* name
        void (*maximum)(uint64_t*, const uint64_t*, size_t) noexcept nogil
        size_t (*first_above)(const uint64_t*, const uint64_t*, size_t, size_t) noexcept nogil
    int vines_list_kernels(vines_kernels* found)

cdef vines_kernels[4] available
cdef int available_count = vines_list_kernels(available)
cdef vines_kernels kernels = available[available_count - 1]

cdef enum:
    FORMAT = 3
    FIRST = 1
    LAST = 2
    AHEAD = 8           # look-ups between asking for the memory of one and making it


cdef void maximum(uint64_t* into, const uint64_t* other, size_t count) noexcept nogil:
    kernels.maximum(into, other, count)


cdef size_t first_above(
    const uint64_t* a, const uint64_t* b, size_t start, size_t count
) noexcept nogil:
    return kernels.first_above(a, b, start, count)


def kernel():
    return (<bytes>kernels.name).decode()


def kernel_names():
    return [(<bytes>available[at].name).decode() for at in range(available_count)]


def use_kernel(str name not None):
    global kernels
    kernels = available[kernel_names().index(name)]


cdef size_t index_size(size_t capacity) noexcept nogil:
    """Of an index of so many ids, which is at most half full."""
    cdef size_t size = 8
    while size < 2 * capacity:
        size *= 2
    return size


cdef const uint8_t* id_of(object source) except NULL:
    if not PyBytes_Check(source) or PyBytes_GET_SIZE(source) != ID_BYTES:
        raise ValueError(f"a source id is {ID_BYTES} bytes, not {source!r}")
    return <const uint8_t*>PyBytes_AS_STRING(source)


@cython.final
cdef class VersionVector:

    def __cinit__(self, bytes key=bytes(16)):
        if len(key) != 16:
            raise ValueError("the key of a version vector is 16 bytes")
        self.secret = vines_load_key(<const uint8_t*>PyBytes_AS_STRING(key))
        self.order = self.secret.k0
        self.grow(4)

    def __dealloc__(self):
        free(self.ids)
        free(self.counters)
        free(self.index)
        free(self.holes)

    cdef int grow(self, size_t capacity) except -1:
        """Make room for `capacity` sources: allocate all, then swap in."""
        cdef size_t size = index_size(capacity)
        cdef uint32_t* index = <uint32_t*>malloc(size * sizeof(uint32_t))
        if index == NULL:
            raise MemoryError
        cdef void* ids = realloc(self.ids, capacity * ID_BYTES)
        if ids != NULL:
            self.ids = <uint8_t*>ids
        cdef void* counters = realloc(self.counters, capacity * sizeof(uint64_t))
        if counters != NULL:
            self.counters = <uint64_t*>counters
        if ids == NULL or counters == NULL:
            free(index)
            raise MemoryError
        self.capacity = capacity
        self.index_anew(index, size)
        return 0

    cdef void shrink(self, size_t count, size_t capacity) noexcept:
        """Give up the places from `count` on, all of which are holes, and memory for more than
        `capacity`, which is as large at least; without memory to do so it stays."""
        cdef size_t at, kept = 0, place, size = index_size(capacity)
        cdef void* less
        for at in range(self.hole_count):
            place = self.holes[at]
            if place < count:
                self.sift_up(kept, <uint32_t>place)
                kept += 1
        self.hole_count = kept
        self.count = count
        cdef uint32_t* index = <uint32_t*>malloc(size * sizeof(uint32_t))
        if index == NULL:
            return
        self.index_anew(index, size)
        self.capacity = capacity
        less = realloc(self.ids, capacity * ID_BYTES)
        if less != NULL:
            self.ids = <uint8_t*>less
        less = realloc(self.counters, capacity * sizeof(uint64_t))
        if less != NULL:
            self.counters = <uint64_t*>less
        less = realloc(self.holes, (kept + 1) * sizeof(uint32_t))
        if less != NULL:
            self.holes = <uint32_t*>less
            self.hole_capacity = kept + 1

    cdef void index_anew(self, uint32_t* index, size_t size) noexcept:
        """Put all ids that are listed into this index, in place of the one before."""
        cdef size_t place, position
        memset(index, 0, size * sizeof(uint32_t))
        for place in range(self.count):
            if not self.lists(place):
                continue
            position = vines_fold_id(self.secret, self.ids + place * ID_BYTES) & (size - 1)
            while index[position]:
                position = (position + 1) & (size - 1)
            index[position] = <uint32_t>(place + 1)
        free(self.index)
        self.index = index
        self.index_mask = size - 1

    cdef Py_ssize_t find(self, const uint8_t* id) noexcept:
        """The place of an id, or -1."""
        return self.find_from(vines_fold_id(self.secret, id) & self.index_mask, id)

    cdef Py_ssize_t find_from(self, size_t position, const uint8_t* id) noexcept:
        """The place of an id whose home in the index is `position`, or -1."""
        cdef uint32_t place
        while True:
            place = self.index[position]
            if place == 0:
                return -1
            if memcmp(self.ids + <size_t>(place - 1) * ID_BYTES, id, ID_BYTES) == 0:
                return place - 1
            position = (position + 1) & self.index_mask

    cdef Py_ssize_t find_near(self, const uint8_t* id, size_t guess) noexcept:
        """`find`, trying one place first: peers mostly list sources in one order."""
        if (
            guess < self.count and self.hole_count == 0
            and memcmp(self.ids + guess * ID_BYTES, id, ID_BYTES) == 0
        ):
            return <Py_ssize_t>guess
        return self.find(id)

    cdef bint lists(self, size_t place) noexcept:
        """Whether an id is at this place, and it is no hole."""
        return self.hole_count == 0 or (
            self.find(self.ids + place * ID_BYTES) == <Py_ssize_t>place)

    cdef int reserve_holes(self, size_t more) except -1:
        """Make sure that so many more ids can be taken out."""
        cdef size_t capacity
        cdef void* holes
        if self.hole_count + more > self.hole_capacity:
            capacity = self.hole_count + more + self.hole_capacity / 2
            holes = realloc(self.holes, capacity * sizeof(uint32_t))
            if holes == NULL:
                raise MemoryError
            self.holes = <uint32_t*>holes
            self.hole_capacity = capacity
        return 0

    cdef void take_out(self, size_t place) noexcept:
        """List the id at this place no longer; room among the holes was reserved."""
        cdef size_t position = vines_fold_id(self.secret, self.ids + place * ID_BYTES)
        cdef size_t following, home
        position &= self.index_mask
        while self.index[position] != place + 1:
            position = (position + 1) & self.index_mask
        # What was found past it moves up, as long as that brings it no further than its home.
        following = position
        while True:
            following = (following + 1) & self.index_mask
            if self.index[following] == 0:
                break
            home = vines_fold_id(
                self.secret, self.ids + <size_t>(self.index[following] - 1) * ID_BYTES)
            if ((following - home) & self.index_mask) >= ((following - position) & self.index_mask):
                self.index[position] = self.index[following]
                position = following
        self.index[position] = 0
        self.counters[place] = 0
        self.sift_up(self.hole_count, <uint32_t>place)
        self.hole_count += 1
        self.follow(self.ids + place * ID_BYTES, ID_BYTES - 1)

    cdef void sift_up(self, size_t at, uint32_t place) noexcept:
        """Put a hole into the heap of them, which has so many."""
        while at and self.holes[(at - 1) / 2] > place:
            self.holes[at] = self.holes[(at - 1) / 2]
            at = (at - 1) / 2
        self.holes[at] = place

    cdef size_t lowest_hole(self) noexcept:
        """Take the lowest hole out of the heap; there is one."""
        cdef size_t at = 0, below = 1
        cdef uint32_t lowest = self.holes[0], last
        self.hole_count -= 1
        last = self.holes[self.hole_count]
        while below < self.hole_count:
            if below + 1 < self.hole_count and self.holes[below + 1] < self.holes[below]:
                below += 1
            if self.holes[below] >= last:
                break
            self.holes[at] = self.holes[below]
            at = below
            below = 2 * at + 1
        self.holes[at] = last
        return lowest

    cdef void follow(self, const uint8_t* id, size_t length) noexcept:
        """Go on with the chain over what was listed and taken out."""
        cdef vines_key chain
        chain.k0 = self.order
        chain.k1 = self.secret.k1
        self.order = vines_sip(chain, id, length)

    cdef Py_ssize_t place(self, const uint8_t* id) except -1:
        """The place of an id, listed with counter 0 if it is new."""
        cdef Py_ssize_t found = self.find(id)
        if found >= 0:
            return found
        cdef size_t place = self.count
        if self.hole_count:
            place = self.lowest_hole()
        elif self.count == self.capacity:
            self.grow(2 * self.capacity)
        memcpy(self.ids + place * ID_BYTES, id, ID_BYTES)
        self.counters[place] = 0
        cdef size_t position = vines_fold_id(self.secret, id) & self.index_mask
        while self.index[position]:
            position = (position + 1) & self.index_mask
        self.index[position] = <uint32_t>(place + 1)
        self.follow(id, ID_BYTES)
        self.count = max(self.count, place + 1)
        return <Py_ssize_t>place

    cdef bint aligned(self, VersionVector other) noexcept:
        """Whether both list the same ids in the same order."""
        return (
            self.count == other.count
            and self.order == other.order
            and self.secret.k0 == other.secret.k0
            and self.secret.k1 == other.secret.k1
        )

    def __len__(self):
        return self.count - self.hole_count

    def __contains__(self, source):
        return PyBytes_Check(source) and len(source) == ID_BYTES and self.find(id_of(source)) >= 0

    def __iter__(self):
        return iter([source for source, _ in self.items()])

    def __eq__(self, other):
        if not isinstance(other, VersionVector):
            return NotImplemented
        return self.dominates(other) and (<VersionVector>other).dominates(self)

    __hash__ = None

    def __repr__(self):
        return f"<VersionVector of {len(self)} sources>"

    def get(self, source):
        cdef Py_ssize_t place = self.find(id_of(source))
        return 0 if place < 0 else self.counters[place]

    def raise_to(self, source, counter):
        if not 0 <= counter <= COUNTER_LIMIT:
            raise ValueError("a counter is at least 0 and below 2**48")
        cdef uint64_t value = counter
        cdef Py_ssize_t place = self.place(id_of(source))
        if self.counters[place] >= value:
            return False
        self.counters[place] = value
        return True

    def items(self):
        cdef size_t place
        return [
            (PyBytes_FromStringAndSize(<char*>(self.ids + place * ID_BYTES), ID_BYTES),
             self.counters[place])
            for place in range(self.count) if self.lists(place)
        ]

    def copy(self):
        cdef VersionVector twin = VersionVector.__new__(VersionVector)
        cdef size_t place
        twin.secret = self.secret
        if self.hole_count:
            twin.order = twin.secret.k0
            twin.grow(self.count)
            for place in range(self.count):
                if self.lists(place):
                    twin.counters[twin.place(self.ids + place * ID_BYTES)] = self.counters[place]
            return twin
        twin.order = self.order
        twin.grow(max(self.count, <size_t>4))
        memcpy(twin.ids, self.ids, self.count * ID_BYTES)
        memcpy(twin.counters, self.counters, self.count * sizeof(uint64_t))
        twin.count = self.count
        twin.grow(twin.capacity)
        return twin

    def merge(self, VersionVector other not None):
        cdef size_t place
        cdef Py_ssize_t mine
        if self.aligned(other):
            maximum(self.counters, other.counters, self.count)
            return
        for place in range(other.count):
            if not other.lists(place):
                continue
            mine = self.place(other.ids + place * ID_BYTES)
            if self.counters[mine] < other.counters[place]:
                self.counters[mine] = other.counters[place]

    def dominates(self, VersionVector other not None):
        cdef size_t place
        cdef Py_ssize_t mine
        if self.aligned(other):
            return first_above(other.counters, self.counters, 0, self.count) == self.count
        for place in range(other.count):
            if other.counters[place]:
                mine = self.find_near(other.ids + place * ID_BYTES, place)
                if mine < 0 or self.counters[mine] < other.counters[place]:
                    return False
        return True

    def compare(self, VersionVector other not None):
        cdef bint above = self.dominates(other)
        cdef bint below = other.dominates(self)
        if above:
            return "equal" if below else "after"
        return "before" if below else "concurrent"

    def have(self, VersionVector other not None):
        cdef list found = []
        cdef size_t place = 0
        cdef Py_ssize_t theirs
        cdef uint64_t counter
        cdef bint aligned = self.aligned(other)
        while place < self.count:
            if aligned:
                place = first_above(self.counters, other.counters, place, self.count)
                if place == self.count:
                    break
                counter = other.counters[place]
            else:
                theirs = other.find_near(self.ids + place * ID_BYTES, place)
                counter = 0 if theirs < 0 else other.counters[theirs]
            if self.counters[place] > counter:
                found.append((
                    PyBytes_FromStringAndSize(<char*>(self.ids + place * ID_BYTES), ID_BYTES),
                    self.counters[place],
                    counter,
                ))
            place += 1
        return found

    def need(self, VersionVector other not None):
        return [(source, mine, theirs) for source, theirs, mine in other.have(self)]

    def encode(self):
        cdef size_t size = 2, place
        for place in range(self.count):
            if self.lists(place):
                size += ID_BYTES + varint_size(self.counters[place])
        cdef bytes page = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>size)
        cdef uint8_t* at = <uint8_t*>PyBytes_AS_STRING(page)
        at[0] = FORMAT
        at[1] = FIRST | LAST
        at += 2
        for place in range(self.count):
            if not self.lists(place):
                continue
            memcpy(at, self.ids + place * ID_BYTES, ID_BYTES)
            at = write_varint(at + ID_BYTES, self.counters[place])
        return page

    cdef Located* locate(self, bytes page, size_t offset, size_t* count, uint8_t* mark) except NULL:
        """Read a whole vector page, proving that it is well-formed, and find the place of each id
        (-1: not listed). The caller frees the list."""
        cdef Reader reader
        cdef size_t found = 0, at, ahead
        open_page(page, offset, &reader, mark)
        cdef Located* rows = <Located*>malloc(
            (left(&reader) / (ID_BYTES + 1) + 1) * sizeof(Located))
        if rows == NULL:
            raise MemoryError
        while left(&reader):
            rows[found].id = read_bytes(&reader, ID_BYTES)
            if (
                rows[found].id == NULL
                or read_varint(&reader, &rows[found].counter, COUNTER_LIMIT) < 0
            ):
                free(rows)
                raise WireError("a vector page that is cut short or holds a malformed counter")
            rows[found].place = vines_fold_id(self.secret, rows[found].id) & self.index_mask
            found += 1
        for at in range(found):
            ahead = at + AHEAD
            if ahead < found:
                VINES_PREFETCH(self.index + rows[ahead].place)
            rows[at].place = self.find_from(<size_t>rows[at].place, rows[at].id)
        count[0] = found
        return rows

    def merge_page(self, bytes page not None, size_t offset=0):
        cdef size_t count = 0, at
        cdef uint8_t mark = 0
        cdef Py_ssize_t place
        cdef Located* rows = self.locate(page, offset, &count, &mark)
        try:
            for at in range(count):
                place = rows[at].place
                if place < 0:
                    place = self.place(rows[at].id)
                if self.counters[place] < rows[at].counter:
                    self.counters[place] = rows[at].counter
        finally:
            free(rows)
        return bool(mark & LAST)


cdef int open_page(bytes page, size_t offset, Reader* reader, uint8_t* mark) except -1:
    """Check the beginning of a vector page and leave `reader` at its first id."""
    cdef uint8_t form
    if offset > <size_t>PyBytes_GET_SIZE(page):
        raise WireError("a vector page is missing")
    reader.at = <const uint8_t*>PyBytes_AS_STRING(page) + offset
    reader.end = <const uint8_t*>PyBytes_AS_STRING(page) + PyBytes_GET_SIZE(page)
    if read_byte(reader, &form) < 0 or form != FORMAT:
        raise WireError("not a vector page of a form known here")
    if read_byte(reader, mark) < 0 or mark[0] > (FIRST | LAST):
        raise WireError("a vector page with an unknown mark")
    return 0
