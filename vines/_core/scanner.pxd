"""What the rest of the core may ask of the msgpack scanner: one call, no Python object, no GIL."""

# Why these bytes are not exactly one value (or one message): a Reason, 0 if they are.
cdef int scan(const unsigned char* data, size_t size, bint message) noexcept nogil
