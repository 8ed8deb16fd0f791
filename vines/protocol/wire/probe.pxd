cpdef object decode_word(int kind, bytes payload)
cdef object _token(bytes payload)
cdef object _check_length(bytes payload, Py_ssize_t length)
