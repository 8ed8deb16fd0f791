"""What the rest of the core may ask of the codec of plain values."""

# What `pack_plain` returns.
cdef object write_value(value)

# The value of well-formed msgpack; containers and extensions are left to `unpack`.
cdef object read_value(const unsigned char* at, size_t size, unpack)
