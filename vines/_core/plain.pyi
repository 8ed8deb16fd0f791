"""The codec of plain values, those that hold no others."""

from collections.abc import Callable

def pack_plain(value: object) -> bytes | None:
    """The msgpack of None, a bool, an int of 64 bits with sign, a finite float, ASCII text or bytes
    of less than a value's largest size; None for all else, which may be a value all the same."""

def unpack_value(data: bytes, unpack: Callable[[bytes], object]) -> object:
    """The value in `data`; `unpack` is called for containers and extensions, with bytes that have
    passed the scanner. Raises WireError for what has not."""
