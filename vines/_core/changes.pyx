"""What became current, on its way to listeners: a sequence of changes without an object for each.

A `Changes` is filled while a frame is merged, or from what a table holds, and read by the thread
that calls back. It copies nothing of a frame: its rows point into the bytes, which it keeps alive.
It knows neither tables nor listeners; the classes of the events it makes are handed to it.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy

from vines._core.body cimport TOMBSTONE_FLAG, faded
from vines._core.plain cimport read_value
from vines._core.scanner cimport scan as scan_msgpack
from vines._core.utf8 cimport is_utf8
from vines._core.wire cimport ID_BYTES, KEY_MAX, STAMP_LIMIT, VALUE_MAX

cdef extern from "Python.h":
    bint PyType_IsSubtype(type kind, type base)
    object PyType_GenericAlloc(type kind, Py_ssize_t count)

cdef enum:
    CHUNK_MIN = 512             # of memory for copies, doubled up to the larger
    CHUNK_MAX = 65536

Change = tuple[int, bytes, int, bytes, int, bytes]


cdef inline void fill(object event, Py_ssize_t at, object field) noexcept:
    Py_INCREF(field)
    PyTuple_SET_ITEM(event, at, field)


cdef bint is_tuple(type kind) noexcept:
    return kind is not None and PyType_IsSubtype(kind, tuple)


cdef object make(type kind, str key, bint near, uint64_t stamp, bytes origin):
    """An instance of a named tuple without a value: what tuple.__new__ does, without the call."""
    cdef object made = PyType_GenericAlloc(kind, 4)
    fill(made, 0, key)
    fill(made, 1, near)
    fill(made, 2, stamp)
    fill(made, 3, origin)
    return made


cdef object make_valued(
    type kind, str key, object value, bint near, uint64_t stamp, bytes origin
):
    """The same of one that has a value."""
    cdef object made = PyType_GenericAlloc(kind, 5)
    fill(made, 0, key)
    fill(made, 1, value)
    fill(made, 2, near)
    fill(made, 3, stamp)
    fill(made, 4, origin)
    return made


cdef int check_key(bytes key) except -1:
    if key is None or not 0 < len(key) <= KEY_MAX:
        raise ValueError(f"a key has 1 to {KEY_MAX} bytes")
    return 0


cdef inline bint begins(const Changed* row, bytes prefix) noexcept:
    return (
        row.key_length >= <size_t>PyBytes_GET_SIZE(prefix)
        and memcmp(row.key, PyBytes_AS_STRING(prefix), <size_t>PyBytes_GET_SIZE(prefix)) == 0
    )


@cython.final
cdef class Changes:

    def __cinit__(self):
        self.owners = []

    def __init__(self, changes=()):
        for change in changes:
            self.append(change)

    def append(self, tuple change not None):
        cdef Changed row
        cdef bytes key, value, origin
        row.family, key, row.flags, value, row.stamp, origin = change
        check_key(key)
        if len(value) > VALUE_MAX or row.stamp > STAMP_LIMIT or len(origin) not in (0, ID_BYTES):
            raise ValueError("a change is of a record that a table could hold")
        row.key = <const uint8_t*>PyBytes_AS_STRING(key)
        row.key_length = <uint16_t>len(key)
        row.value = <const uint8_t*>PyBytes_AS_STRING(value)
        row.value_length = <uint32_t>len(value)
        row.origin = <const uint8_t*>PyBytes_AS_STRING(origin) if origin else NULL
        self.copy(&row)

    @staticmethod
    def written(bytes key not None, uint64_t stamp):
        cdef Changes changes = Changes.__new__(Changes)
        cdef Changed* row
        check_key(key)
        changes.own(key)
        changes.reserve()
        row = changes.add()
        row.key = <const uint8_t*>PyBytes_AS_STRING(key)
        row.key_length = <uint16_t>len(key)
        row.value = NULL
        row.value_length = 0
        row.origin = NULL
        row.stamp = stamp
        row.family = row.flags = 0
        return changes

    def __dealloc__(self):
        free(self.rows)

    # ------------------------------------------------------------------ filling it

    cdef int own(self, bytes owner) except -1:
        """Keep bytes alive that rows to come point into."""
        if not self.owners or self.owners[len(self.owners) - 1] is not owner:
            self.owners.append(owner)
            self.kept += <size_t>PyBytes_GET_SIZE(owner)
            self.room = 0
        return 0

    cdef int borrow(self, Changes other) except -1:
        """Keep alive what the rows of other changes point into: copies of rows to come, too."""
        self.owners.extend(other.owners)
        self.kept += other.kept
        self.room = 0
        return 0

    cdef int reserve(self) except -1:
        """Make sure that one more row fits."""
        cdef size_t capacity
        cdef Changed* rows
        if self.count == self.capacity:
            capacity = max(2 * self.capacity, <size_t>1)
            rows = <Changed*>realloc(self.rows, capacity * sizeof(Changed))
            if rows == NULL:
                raise MemoryError
            self.rows = rows
            self.capacity = capacity
        return 0

    cdef Changed* add(self) noexcept:
        """One more row, to be filled; room was reserved."""
        self.count += 1
        return &self.rows[self.count - 1]

    cdef const uint8_t* keep(self, const uint8_t* data, size_t size) except? NULL:
        """A copy of bytes that lives as long as these changes."""
        cdef bytes chunk
        cdef uint8_t* at
        if size > self.room:
            chunk = PyBytes_FromStringAndSize(
                NULL, max(size, min(max(self.kept, <size_t>CHUNK_MIN), <size_t>CHUNK_MAX)))
            self.own(chunk)
            self.free = <uint8_t*>PyBytes_AS_STRING(chunk)
            self.room = <size_t>PyBytes_GET_SIZE(chunk)
        at = self.free
        memcpy(at, data, size)
        self.free += size
        self.room -= size
        return at

    cdef int copy(self, const Changed* row) except -1:
        """Add a row, and copies of all that it points to."""
        cdef Changed made = row[0]
        self.reserve()
        made.key = self.keep(row.key, row.key_length)
        if row.value_length:
            made.value = self.keep(row.value, row.value_length)
        if row.origin != NULL:
            if (
                self.count and self.rows[self.count - 1].origin != NULL
                and memcmp(self.rows[self.count - 1].origin, row.origin, ID_BYTES) == 0
            ):
                made.origin = self.rows[self.count - 1].origin
            else:
                made.origin = self.keep(row.origin, ID_BYTES)
        self.add()[0] = made
        return 0

    # ------------------------------------------------------------------ reading it

    def __len__(self):
        return self.count

    def __getitem__(self, Py_ssize_t at):
        if at < 0:
            at += <Py_ssize_t>self.count
        if not 0 <= at < <Py_ssize_t>self.count:
            raise IndexError("no such change")
        cdef const Changed* row = &self.rows[at]
        return (
            row.family,
            PyBytes_FromStringAndSize(<const char*>row.key, row.key_length),
            row.flags,
            PyBytes_FromStringAndSize(<const char*>row.value, row.value_length),
            row.stamp,
            PyBytes_FromStringAndSize(
                <const char*>row.origin, 0 if row.origin == NULL else ID_BYTES),
        )

    def __iter__(self):
        cdef size_t at
        for at in range(self.count):
            yield self[at]

    cdef const Changed* row(self, Py_ssize_t at) except NULL:
        if not 0 <= at < <Py_ssize_t>self.count:
            raise IndexError("no such change")
        return &self.rows[at]

    cpdef int family(self, Py_ssize_t at) except -1:
        return self.row(at).family

    cpdef int flags(self, Py_ssize_t at) except -1:
        return self.row(at).flags

    cpdef bytes key(self, Py_ssize_t at):
        cdef const Changed* row = self.row(at)
        return PyBytes_FromStringAndSize(<const char*>row.key, row.key_length)

    cpdef bytes value(self, Py_ssize_t at):
        cdef const Changed* row = self.row(at)
        return PyBytes_FromStringAndSize(<const char*>row.value, row.value_length)

    cpdef bytes origin(self, Py_ssize_t at):
        cdef const Changed* row = self.row(at)
        return PyBytes_FromStringAndSize(
            <const char*>row.origin, 0 if row.origin == NULL else ID_BYTES)

    def holds(self, tuple families not None):
        cdef size_t at
        cdef int family
        for family in families:
            for at in range(self.count):
                if self.rows[at].family == family:
                    return True
        return False

    def __eq__(self, other):
        if not isinstance(other, (Changes, list)):
            return NotImplemented
        return list(self) == list(other)

    cpdef size_t memory(self) noexcept:
        return self.kept + self.capacity * sizeof(Changed)

    def marks(self):
        cdef list found = []
        cdef size_t at
        cdef const Changed* row
        for at in range(self.count):
            row = &self.rows[at]
            found.append((
                PyBytes_FromStringAndSize(<const char*>row.key, row.key_length),
                (row.stamp, PyBytes_FromStringAndSize(
                    <const char*>row.origin, 0 if row.origin == NULL else ID_BYTES),
                 row.flags if row.flags & TOMBSTONE_FLAG else 0),
            ))
        return found

    cpdef Changes select(self, uint8_t family, object keys, tuple prefixes):
        cdef Changes chosen
        cdef list places = []
        cdef size_t at
        cdef const Changed* row
        cdef bytes prefix
        cdef bint wanted
        if prefixes is None:
            raise TypeError("there may be no prefixes, but not None")
        for at in range(self.count):
            row = &self.rows[at]
            if row.family != family:
                continue
            wanted = False
            for prefix in prefixes:
                if begins(row, prefix):
                    wanted = True
                    break
            if not wanted and keys:
                wanted = PyBytes_FromStringAndSize(<const char*>row.key, row.key_length) in keys
            if wanted:
                places.append(at)
        if <size_t>len(places) == self.count:
            return self
        chosen = Changes.__new__(Changes)
        for at in places:
            chosen.copy(&self.rows[at])
        return chosen

    cpdef list events(self, size_t start, size_t stop, type gossip, type delete, type lapse,
                      object local, object unpack):
        cdef list found = []
        cdef size_t at
        cdef const Changed* row
        cdef const uint8_t* last = NULL
        cdef bytes origin = b""
        cdef str key
        cdef bint near = False
        if not (is_tuple(gossip) and is_tuple(delete) and is_tuple(lapse)):
            raise TypeError("events are made of subclasses of tuple")
        for at in range(start, min(stop, self.count)):
            row = &self.rows[at]
            if not is_utf8(row.key, row.key_length):
                found.append(PyBytes_FromStringAndSize(<const char*>row.key, row.key_length))
                continue
            key = PyUnicode_DecodeUTF8(<const char*>row.key, row.key_length, NULL)
            if row.origin == NULL or row.origin != last:
                origin = PyBytes_FromStringAndSize(
                    <const char*>row.origin, 0 if row.origin == NULL else ID_BYTES)
                near = origin in local
                last = row.origin
            if faded(row.flags):
                found.append(make(lapse, key, near, row.stamp, origin))
            elif row.flags & TOMBSTONE_FLAG:
                found.append(make(delete, key, near, row.stamp, origin))
            elif scan_msgpack(row.value, row.value_length, False):
                found.append(key)
            else:
                found.append(make_valued(
                    gossip, key, read_value(row.value, row.value_length, unpack), near, row.stamp,
                    origin))
        return found
