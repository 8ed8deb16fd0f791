"""Sources that are retired: what stays of a process that is gone, for as long as others may come
back that have not heard of it.

Of each source its id is kept, and its last positions in the control and in the data table: 32
bytes, in one array for both tables, in the order of the ids. It is looked at where a source has no
slot in a table, which is rare, so bisecting does; and there are no gaps between entries, as of this
there will be more than of anything else. What comes is put into a short array first, and merged
with the others once that is full.

Both tables of a node look here, and change what is here, only as they take what peers sent, join,
and are told what is retired: all of that is done by one thread.

The same goes from member to member in batches, each the value of one record. Nothing is ever taken
back: of two that tell of one source, the higher positions hold. So records that overwrite each
other lose nothing, as long as somebody writes anew what is in none of them: `unlisted` finds it.

A source may be forgotten, if its node is told for how long anybody may be away. Once nothing names
it in either table it waits in a record that fades, and has a time, before which it is not forgotten
here, whatever becomes of the record. The time is in bits of the positions that are free, so an
entry is as large as ever. Only `age` sets and clears it, as it goes over all of them.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy, memmove, memset

from vines._core.vector cimport id_of
from vines._core.wire cimport (
    COUNTER_LIMIT, ID_BYTES, Reader, left, read_bytes, read_varint, write_varint,
)

from vines.errors import WireError

cdef enum:
    LATEST = 512                # entries, 16 KB
    ROOM = 32                   # the most an entry takes in a batch

cdef extern from *:
    """
    #define VINES_LISTED (1ULL << 51)
    #define VINES_KEPT (1ULL << 63)
    #define VINES_LAST_TIME ((1ULL << 24) - 1)
    """
    const uint64_t LISTED "VINES_LISTED"
    const uint64_t KEPT "VINES_KEPT"
    const uint64_t LAST_TIME "VINES_LAST_TIME"


cdef size_t place_in(const Retired* entries, size_t count, const uint8_t* id) noexcept nogil:
    """Where an id is among these, or would be."""
    cdef size_t low = 0, middle
    while low < count:
        middle = (low + count) / 2
        if memcmp(entries[middle].id, id, ID_BYTES) < 0:
            low = middle + 1
        else:
            count = middle
    return low


cdef Retired* find_in(Retired* entries, size_t count, const uint8_t* id) noexcept nogil:
    cdef size_t at = place_in(entries, count, id)
    if at < count and memcmp(entries[at].id, id, ID_BYTES) == 0:
        return entries + at
    return NULL


cdef class RetiredSources:

    def __cinit__(self):
        self.latest = <Retired*>malloc(LATEST * sizeof(Retired))
        if self.latest == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.entries)
        free(self.latest)

    cdef Retired* find(self, const uint8_t* id) noexcept:
        """What is known of a source, or NULL; for as long as nothing is placed."""
        cdef Retired* entry = find_in(self.entries, self.count, id)
        return entry if entry != NULL else find_in(self.latest, self.latest_count, id)

    cdef Retired* place(self, const uint8_t* id) except NULL:
        """The same, made if need be: it says nothing yet."""
        cdef Retired* entry = self.find(id)
        cdef size_t at
        if entry != NULL:
            return entry
        if self.latest_count == LATEST:
            self.settle()
        at = place_in(self.latest, self.latest_count, id)
        entry = self.latest + at
        memmove(entry + 1, entry, (self.latest_count - at) * sizeof(Retired))
        memset(entry, 0, sizeof(Retired))
        memcpy(entry.id, id, ID_BYTES)
        self.latest_count += 1
        return entry

    cdef int settle(self) except -1:
        """Merge the latest with the others, from the end."""
        cdef size_t old = self.count, new = self.latest_count, to = old + new
        cdef void* grown = realloc(self.entries, to * sizeof(Retired))
        if grown == NULL:
            raise MemoryError
        self.entries = <Retired*>grown
        self.count = to
        self.latest_count = 0
        while new:
            to -= 1
            if old and memcmp(self.entries[old - 1].id, self.latest[new - 1].id, ID_BYTES) > 0:
                old -= 1
                self.entries[to] = self.entries[old]
            else:
                new -= 1
                self.entries[to] = self.latest[new]
        return 0

    cdef size_t memory(self) noexcept:
        return (self.count + LATEST) * sizeof(Retired)

    def __len__(self):
        return self.count + self.latest_count

    def get(self, source):
        cdef const Retired* entry = self.find(id_of(source))
        return None if entry == NULL else (last_of(entry, 0), last_of(entry, 1))

    def say(self, source, uint64_t control, uint64_t data):
        cdef const uint8_t* id = id_of(source)
        cdef Retired* entry = self.find(id)
        cdef uint64_t[2] last
        cdef unsigned which
        if control > COUNTER_LIMIT or data > COUNTER_LIMIT:
            raise ValueError("a position is below 2**48")
        last[0] = control
        last[1] = data
        if entry != NULL:
            for which in range(2):
                if last[which] > last_of(entry, which) and is_released(entry, which):
                    raise ValueError("a source left out with less than that: put it back first")
        else:
            entry = self.place(id)
        cdef bint more = False
        for which in range(2):
            if last[which] > last_of(entry, which):
                entry.words[which] += last[which] - last_of(entry, which)
                more = True
        if more:
            set_unlisted(entry)
            set_time(entry, 0)
        return more

    def unlist(self):
        cdef size_t at
        for at in range(self.count):
            set_unlisted(self.entries + at)
        for at in range(self.latest_count):
            set_unlisted(self.latest + at)

    def list_batch(self, bytes batch not None, until=None):
        cdef Reader reader
        cdef const uint8_t* id = NULL
        cdef uint64_t[2] last
        cdef Retired* entry
        cdef uint64_t time = 0 if until is None else min(until, LAST_TIME)
        last[0] = last[1] = 0
        check_batch(batch)
        open_batch(batch, &reader)
        while left(&reader):
            read_one(&reader, &id, last)
            entry = self.find(id)
            if (
                entry != NULL
                and last_of(entry, 0) == last[0] and last_of(entry, 1) == last[1]
            ):
                entry.words[0] |= LISTED
                if until is None:
                    entry.words[1] |= KEPT
                elif self.until and time_of(entry) == 0 and self.fades(entry):
                    set_time(entry, time)

    cdef bint fades(self, const Retired* entry) noexcept:
        """Whether nothing names it, and no batch says it that stays."""
        return not entry.words[1] & KEPT and self.is_idle(entry)

    def unlisted(self, size_t most):
        cdef list found = []
        cdef size_t at = 0
        cdef const Retired* entry
        while at < self.count + self.latest_count and <size_t>len(found) < most:
            entry = self.at(at)
            at += 1
            if entry.words[1] & KEPT or not last_of(entry, 0) | last_of(entry, 1):
                continue
            if not self.is_idle(entry) or not entry.words[0] & LISTED and time_of(entry) == 0:
                found.append(row_of(entry))
        return found

    def missed(self, unsigned which, size_t start, size_t limit):
        cdef size_t total = self.count + self.latest_count, at, stop
        cdef VersionVector known = self.data if which else self.control
        cdef Py_ssize_t place
        cdef const Retired* entry
        if which > 1:
            raise ValueError("of retired sources positions in two tables are known")
        start = min(start, total)
        stop = start + min(limit, total - start)
        for at in range(start, stop):
            entry = self.at(at)
            if last_of(entry, which) == 0 or is_released(entry, which) or not is_told(entry):
                continue
            place = -1 if known is None else known.find(entry.id)
            if place < 0 or known.counters[place] == 0:
                return PyBytes_FromStringAndSize(<const char*>entry.id, ID_BYTES), at
        return None, None if stop == total else stop

    cdef bint is_idle(self, const Retired* entry) noexcept:
        """Whether nothing names a source in either table: it has no slot there."""
        return (
            (is_released(entry, 0) or self.control is None or self.control.find(entry.id) < 0)
            and (is_released(entry, 1) or self.data is None or self.data.find(entry.id) < 0))

    def divide(self, bytes batch not None):
        cdef Reader reader
        cdef const uint8_t* id = NULL
        cdef uint64_t[2] last
        cdef const Retired* entry
        cdef list idle = [], named = []
        last[0] = last[1] = 0
        check_batch(batch)
        open_batch(batch, &reader)
        while left(&reader):
            read_one(&reader, &id, last)
            entry = self.find(id)
            if entry == NULL:
                idle.append((
                    PyBytes_FromStringAndSize(<const char*>id, ID_BYTES), (last[0], last[1])))
            elif self.is_idle(entry):
                idle.append(row_of(entry))
            else:
                named.append(row_of(entry))
        return idle, named

    def age(self, uint64_t clock, uint64_t until):
        cdef size_t before = self.count + self.latest_count
        cdef void* shrunk
        self.until = min(until, LAST_TIME)
        cdef size_t left_over = self.age_all(self.entries, self.count, clock)
        if left_over == 0:
            free(self.entries)
            self.entries = NULL
        elif left_over < self.count:
            shrunk = realloc(self.entries, left_over * sizeof(Retired))
            if shrunk != NULL:
                self.entries = <Retired*>shrunk
        self.count = left_over
        self.latest_count = self.age_all(self.latest, self.latest_count, clock)
        before -= self.count + self.latest_count
        self.forgotten += before
        return before

    cdef size_t fading(self, unsigned which) noexcept:
        """How many of those that a table has left out have a time, and are told of."""
        cdef size_t at, count = 0
        cdef const Retired* entry
        if self.until == 0:
            return 0
        for at in range(self.count + self.latest_count):
            entry = self.at(at)
            count += is_released(entry, which) and time_of(entry) and is_told(entry)
        return count

    cdef size_t age_all(self, Retired* entries, size_t count, uint64_t clock) noexcept:
        """The same of some of them, which move together; how many are left."""
        cdef size_t at, to = 0
        cdef uint64_t time
        cdef Retired* entry
        for at in range(count):
            entry = entries + at
            time = time_of(entry)
            if self.until == 0 or not self.fades(entry):
                if time:
                    set_time(entry, 0)
            elif entry.words[0] & LISTED:
                if time == 0:
                    set_time(entry, self.until)
            elif time and time <= clock:
                self.released[0] -= is_released(entry, 0)
                self.released[1] -= is_released(entry, 1)
                continue
            if to != at:
                entries[to] = entries[at]
            to += 1
        return to

    def items(self):
        cdef size_t at
        return sorted([row_of(self.at(at)) for at in range(self.count + self.latest_count)])

    cdef const Retired* at(self, size_t place) noexcept:
        return self.entries + place if place < self.count else self.latest + (place - self.count)


cdef tuple row_of(const Retired* entry):
    return (
        PyBytes_FromStringAndSize(<const char*>entry.id, ID_BYTES),
        (last_of(entry, 0), last_of(entry, 1)))


cdef int open_batch(bytes batch, Reader* reader) except -1:
    reader.at = <const uint8_t*>PyBytes_AS_STRING(batch)
    reader.end = reader.at + PyBytes_GET_SIZE(batch)
    return 0


cdef int read_one(Reader* reader, const uint8_t** id, uint64_t* last) noexcept nogil:
    """The next entry of a batch; -1 if it is malformed."""
    id[0] = read_bytes(reader, ID_BYTES)
    if (
        id[0] == NULL
        or read_varint(reader, &last[0], COUNTER_LIMIT) < 0
        or read_varint(reader, &last[1], COUNTER_LIMIT) < 0
        or last[0] | last[1] == 0
    ):
        return -1
    return 0


cdef int check_batch(bytes batch) except -1:
    """Prove that a batch is entries of ascending ids, and nothing else."""
    cdef Reader reader
    cdef const uint8_t* id = NULL
    cdef const uint8_t* before = NULL
    cdef uint64_t[2] last
    open_batch(batch, &reader)
    while left(&reader):
        if read_one(&reader, &id, last) < 0:
            raise WireError("a malformed batch of retired sources")
        if before != NULL and memcmp(before, id, ID_BYTES) >= 0:
            raise WireError("a batch of retired sources out of order")
        before = id
    return 0


def read_batch(bytes batch not None):
    cdef Reader reader
    cdef const uint8_t* id = NULL
    cdef uint64_t[2] last
    cdef list found = []
    check_batch(batch)
    open_batch(batch, &reader)
    while left(&reader):
        read_one(&reader, &id, last)
        found.append((
            PyBytes_FromStringAndSize(<const char*>id, ID_BYTES), (last[0], last[1])))
    return found


def write_batch(list entries not None):
    cdef bytes batch = PyBytes_FromStringAndSize(NULL, <Py_ssize_t>(ROOM * len(entries)))
    cdef uint8_t* start = <uint8_t*>PyBytes_AS_STRING(batch)
    cdef uint8_t* at = start
    for source, (control, data) in entries:
        if not (0 <= control <= COUNTER_LIMIT and 0 <= data <= COUNTER_LIMIT):
            raise ValueError("a position is at least 0 and below 2**48")
        memcpy(at, id_of(source), ID_BYTES)
        at = write_varint(at + ID_BYTES, control)
        at = write_varint(at, data)
    batch = batch[:at - start]
    check_batch(batch)
    return batch
