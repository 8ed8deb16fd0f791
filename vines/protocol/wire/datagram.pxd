cimport cython


@cython.locals(head=bytes, data=bytes)
cpdef bytes pack(
    int kind,
    bytes cluster,
    bytes sender,
    object epoch,
    object counter,
    bytes payload,
    int key_id=*,
    bytes tag=*,
)
@cython.locals(head=tuple, end=Py_ssize_t)
cpdef tuple unpack(bytes data)
