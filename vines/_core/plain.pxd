"""What the rest of the core may ask of the codec of plain values."""

# The value of well-formed msgpack; containers and extensions are left to `unpack`.
cdef object read_value(const unsigned char* at, size_t size, unpack)
