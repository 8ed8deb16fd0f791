"""The scanner that bytes from a peer must pass before the msgpack library may see them."""

DEPTH_MAX: int
"""Containers nested in one another, the outermost counted."""
CONTAINERS_MAX: int
"""Lists and dicts in one value."""
MESSAGE_CONTAINERS_MAX: int
"""Lists and maps in one message."""
MESSAGE_ITEMS_MAX: int
"""Items of all lists, and keys and values of all maps, in one message."""
STRING_BYTES_MAX: int
"""Bytes of one str in a message."""

def scan_value(data: bytes) -> None:
    """Check that `data` is exactly one user value: None, bool, int of 64 bits, finite float, str,
    bytes, list, dict with str or int keys, timestamp; shortest encodings, no duplicate keys, depth
    and container count bounded, no trailing bytes. Raises WireError saying what and where."""

def is_value(data: bytes) -> bool:
    """The same check as a bool."""

def scan_message(data: bytes, offset: int = 0) -> None:
    """Check that `data[offset:]` is exactly one control message: a map with str keys at every
    level, no extension types, ints below 2^63, str of at most STRING_BYTES_MAX, and otherwise the
    rules of `scan_value` with smaller bounds. Raises WireError; its positions count from `offset`.
    """

def key_work(data: bytes) -> int:
    """The words of eight bytes compared to tell the map keys of `data` apart: all that the scanner
    does beyond its one pass, and so what bounds its time. For tests."""

def outgrows(value: object, limit: int) -> bool:
    """Whether packing `value` is sure to take more than `limit` bytes or to nest deeper than
    DEPTH_MAX. Looks at no more than `limit` objects and runs no code of theirs; a value that
    contains itself outgrows every limit."""
