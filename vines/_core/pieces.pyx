"""Pieces: parts of bytes cut out, numbers read and written in them, for modules that are compiled.

What they do with a slice or with `struct` makes several objects of Python's a step; these make the
one that is wanted, or none. Each looks at its bounds first.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memcmp, memcpy

cdef enum:
    HEAD = 9  # of an entry, beside what it is about
    FRAME_HEAD = 6  # of a frame, its length among them
    LENGTH = 4


cdef inline int require(bytes data, Py_ssize_t at, Py_ssize_t size) except -1:
    if data is None:
        raise TypeError("bytes are wanted")
    if at < 0 or at > PyBytes_GET_SIZE(data) - size:
        raise IndexError("more bytes are wanted than there are")
    return 0


cpdef bytes piece(bytes data, Py_ssize_t start, Py_ssize_t end):
    if data is None:
        raise TypeError("bytes are wanted")
    if not 0 <= start <= end <= PyBytes_GET_SIZE(data):
        raise IndexError("more bytes are wanted than there are")
    return PyBytes_FromStringAndSize(PyBytes_AS_STRING(data) + start, end - start)


cpdef bint begins(bytes data, Py_ssize_t at, bytes wanted) except -1:
    if data is None or wanted is None:
        raise TypeError("bytes are wanted")
    cdef Py_ssize_t size = PyBytes_GET_SIZE(wanted)
    if at < 0 or at > PyBytes_GET_SIZE(data) - size:
        return False
    return memcmp(PyBytes_AS_STRING(data) + at, PyBytes_AS_STRING(wanted), size) == 0


cpdef unsigned int number4(bytes data, Py_ssize_t at) except? 0:
    require(data, at, 4)
    return <unsigned int>read(data, at, 4)


cpdef unsigned long long number8(bytes data, Py_ssize_t at) except? 0:
    require(data, at, 8)
    return read(data, at, 8)


cdef inline unsigned long long read(bytes data, Py_ssize_t at, int size):
    cdef const unsigned char* found = <const unsigned char*>PyBytes_AS_STRING(data) + at
    cdef unsigned long long number = 0
    cdef int place
    for place in range(size):
        number |= <unsigned long long>found[place] << (8 * place)
    return number


cdef inline void write4(unsigned char* at, unsigned int number) noexcept:
    cdef int place
    for place in range(4):
        at[place] = <unsigned char>(number >> (8 * place))


cpdef bytes framed(int kind, bytes head, bytes body):
    if head is None or body is None:
        raise TypeError("bytes are wanted")
    if not 0 <= kind <= 255:
        raise OverflowError("a kind is one byte")
    cdef Py_ssize_t first = PyBytes_GET_SIZE(head), size = PyBytes_GET_SIZE(body)
    if first + size > 0xFFFFFFFF - FRAME_HEAD:
        raise OverflowError("a body is too long")
    cdef bytes made = PyBytes_FromStringAndSize(NULL, FRAME_HEAD + first + size)
    cdef unsigned char* at = <unsigned char*>PyBytes_AS_STRING(made)
    write4(at, <unsigned int>(FRAME_HEAD - LENGTH + first + size))
    at[LENGTH] = <unsigned char>kind
    at[LENGTH + 1] = 0
    memcpy(at + FRAME_HEAD, PyBytes_AS_STRING(head), first)
    memcpy(at + FRAME_HEAD + first, PyBytes_AS_STRING(body), size)
    return made


cpdef bytes entry(int word, bytes about, unsigned int number, bytes body):
    if about is None or body is None:
        raise TypeError("bytes are wanted")
    if not 0 <= word <= 255:
        raise OverflowError("a word is one byte")
    cdef Py_ssize_t named = PyBytes_GET_SIZE(about), size = PyBytes_GET_SIZE(body)
    if size > 0xFFFFFFFF:
        raise OverflowError("a body is too long")
    cdef bytes made = PyBytes_FromStringAndSize(NULL, HEAD + named + size)
    cdef unsigned char* at = <unsigned char*>PyBytes_AS_STRING(made)
    write4(at, <unsigned int>size)
    at[4] = <unsigned char>word
    memcpy(at + 5, PyBytes_AS_STRING(about), named)
    write4(at + 5 + named, number)
    memcpy(at + HEAD + named, PyBytes_AS_STRING(body), size)
    return made
