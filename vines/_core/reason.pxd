"""Why the msgpack scanner refuses bytes; scanner.pyx has a sentence for each."""

cdef enum Reason:
    WELL_FORMED = 0
    CUT_SHORT = 1           # the bytes end inside a value
    TRAILING = 2            # bytes follow the value
    LENGTH = 3              # more is declared than there are bytes left for
    RESERVED = 4            # 0xc1
    NOT_SHORTEST = 5        # a number or length in a longer form than it needs
    SINGLE_FLOAT = 6        # a float of 32 bits
    NOT_FINITE = 7          # NaN or an infinity
    NOT_UTF8 = 8            # as RFC 3629 has it: no surrogates, no overlong forms
    KEY_TYPE = 9            # a map key that is neither str nor int; in a message: not str
    DUPLICATE_KEY = 10
    DEPTH = 11              # containers nested deeper than DEPTH_MAX
    CONTAINERS = 12         # more containers, or in a message more items, than there may be
    EXTENSION = 13          # anything but a timestamp; in a message: any
    TIMESTAMP = 14          # not the shortest form, or not what a datetime can hold
    NOT_A_MAP = 15          # a message that is something else
    INTEGER = 16            # an int of a message at or above 2^63
    STRING_LENGTH = 17      # a str of a message longer than STRING_BYTES_MAX
    TOO_LARGE = 18          # 4 GiB and more
    NO_MEMORY = 19          # nothing is known of the bytes: no room to look for equal keys
