"""Pieces of bytes; pieces.pyi says what each does."""

cpdef bytes piece(bytes data, Py_ssize_t start, Py_ssize_t end)
cpdef bint begins(bytes data, Py_ssize_t at, bytes wanted) except -1
cpdef unsigned int number4(bytes data, Py_ssize_t at) except? 0
cpdef unsigned long long number8(bytes data, Py_ssize_t at) except? 0
cpdef bytes framed(int kind, bytes head, bytes body)
cpdef bytes entry(int word, bytes about, unsigned int number, bytes body)
