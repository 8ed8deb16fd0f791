"""The codec of plain values, those that hold no others: most values, in a fifth of a packer's time.

The same bytes as the msgpack library makes, which has the rest: containers, timestamps, subclasses
of plain types, text beyond ASCII, and whatever is no value at all.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint64_t, uint8_t
from libc.string cimport memcpy

from vines._core.scanner cimport scan as scan_msgpack
from vines._core.wire cimport VALUE_MAX

from vines.errors import WireError

cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    void* PyUnicode_DATA(object text)
    Py_ssize_t PyUnicode_GET_LENGTH(object text)
    bint PyUnicode_CheckExact(object value)
    bint PyBytes_CheckExact(object value)
    bint PyLong_CheckExact(object value)
    bint PyFloat_CheckExact(object value)
    double PyFloat_AS_DOUBLE(object value)
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow)


cdef inline void write_number(uint8_t* at, uint64_t number, size_t size) noexcept:
    """A big-endian integer of `size` bytes."""
    cdef size_t place
    for place in range(size):
        at[place] = <uint8_t>(number >> (8 * (size - 1 - place)))


cdef bytes write_one(uint8_t kind, uint64_t number, size_t size):
    """A first byte, and behind it an integer of `size` bytes."""
    cdef uint8_t[9] out
    out[0] = kind
    write_number(out + 1, number, size)
    return PyBytes_FromStringAndSize(<const char*>out, 1 + size)


cdef bytes write_integer(int64_t number):
    if 0 <= number:
        if number < 0x80:
            return write_one(<uint8_t>number, 0, 0)
        if number <= 0xff:
            return write_one(0xcc, number, 1)
        if number <= 0xffff:
            return write_one(0xcd, number, 2)
        if number <= 0xffffffffLL:
            return write_one(0xce, number, 4)
        return write_one(0xcf, number, 8)
    if number >= -32:
        return write_one(<uint8_t>(256 + number), 0, 0)
    if number >= -0x80:
        return write_one(0xd0, <uint64_t>number, 1)
    if number >= -0x8000:
        return write_one(0xd1, <uint64_t>number, 2)
    if number >= -0x80000000LL:
        return write_one(0xd2, <uint64_t>number, 4)
    return write_one(0xd3, <uint64_t>number, 8)


cdef bytes write_string(const void* data, size_t size, uint8_t kind, bint text):
    """bytes, or text: `kind` is the first byte of the form whose size has one byte."""
    cdef uint8_t[5] head
    cdef size_t width
    cdef bytes out
    if text and size < 32:
        width = 0
        head[0] = <uint8_t>(0xa0 | size)
    else:
        width = 1 if size <= 0xff else 2 if size <= 0xffff else 4
        head[0] = <uint8_t>(kind + (0 if width == 1 else width / 2))
        write_number(head + 1, size, width)
    out = PyBytes_FromStringAndSize(NULL, 1 + width + size)
    memcpy(PyBytes_AS_STRING(out), head, 1 + width)
    memcpy(PyBytes_AS_STRING(out) + 1 + width, data, size)
    return out


def pack_plain(value):
    return write_value(value)


cdef object write_value(value):
    cdef int overflow = 0
    cdef long long number
    cdef double real
    cdef uint64_t bits
    cdef size_t size
    if PyBytes_CheckExact(value):
        size = <size_t>PyBytes_GET_SIZE(value)
        if size < VALUE_MAX - 5:
            return write_string(PyBytes_AS_STRING(value), size, 0xc4, False)
    elif PyUnicode_CheckExact(value):
        if PyUnicode_IS_ASCII(value):
            size = <size_t>PyUnicode_GET_LENGTH(value)
            if size < VALUE_MAX - 5:
                return write_string(PyUnicode_DATA(value), size, 0xd9, True)
    elif value is None:
        return b"\xc0"
    elif value is True:
        return b"\xc3"
    elif value is False:
        return b"\xc2"
    elif PyLong_CheckExact(value):
        number = PyLong_AsLongLongAndOverflow(value, &overflow)
        if overflow == 0:
            return write_integer(number)
    elif PyFloat_CheckExact(value):
        real = PyFloat_AS_DOUBLE(value)
        if isfinite(real):
            memcpy(&bits, &real, 8)
            return write_one(0xcb, bits, 8)
    return None


cdef object read_integer(const uint8_t* at, size_t size, bint signed):
    """A big-endian integer of 1, 2, 4 or 8 bytes."""
    cdef uint64_t number = 0
    cdef int64_t below
    cdef size_t place
    for place in range(size):
        number = number << 8 | at[place]
    if not signed:
        return number
    below = <int64_t>(number << (64 - 8 * size))
    below >>= 64 - 8 * size
    return below


cdef object read_double(const uint8_t* at):
    cdef uint64_t number = 0
    cdef size_t place
    cdef double found
    for place in range(8):
        number = number << 8 | at[place]
    memcpy(&found, &number, 8)
    return found


cdef object read_value(const uint8_t* at, size_t size, unpack):
    """The value of well-formed msgpack; containers and extensions are left to `unpack`."""
    cdef uint8_t kind = at[0]
    cdef size_t head
    if kind < 0x80:
        return kind
    if kind >= 0xe0:
        return <int64_t>kind - 256
    if 0xa0 <= kind <= 0xbf:
        return PyUnicode_DecodeUTF8(<const char*>at + 1, size - 1, NULL)
    if 0xd9 <= kind <= 0xdb:
        head = 1 + (<size_t>1 << (kind - 0xd9))
        return PyUnicode_DecodeUTF8(<const char*>at + head, size - head, NULL)
    if 0xc4 <= kind <= 0xc6:
        head = 1 + (<size_t>1 << (kind - 0xc4))
        return PyBytes_FromStringAndSize(<const char*>at + head, size - head)
    if 0xcc <= kind <= 0xcf:
        return read_integer(at + 1, size - 1, False)
    if 0xd0 <= kind <= 0xd3:
        return read_integer(at + 1, size - 1, True)
    if kind == 0xcb:
        return read_double(at + 1)
    if kind == 0xc0:
        return None
    if kind == 0xc2:
        return False
    if kind == 0xc3:
        return True
    return unpack(PyBytes_FromStringAndSize(<const char*>at, size))


def unpack_value(bytes data not None, unpack):
    cdef const uint8_t* at = <const uint8_t*>PyBytes_AS_STRING(data)
    cdef size_t size = <size_t>PyBytes_GET_SIZE(data)
    if scan_msgpack(at, size, False):
        raise WireError("no value, says the scanner")
    return read_value(at, size, unpack)
