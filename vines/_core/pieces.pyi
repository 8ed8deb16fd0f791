"""Pieces: parts of bytes cut out, numbers read and written in them, for modules that are compiled.
Numbers are little-endian and unsigned. IndexError for a place that is not all there, TypeError for
what is no bytes.
"""

def piece(data: bytes, start: int, end: int) -> bytes:
    """The bytes from `start` to before `end`."""

def begins(data: bytes, at: int, wanted: bytes) -> bool:
    """Whether these bytes stand at a place; they do not if that is not all there."""

def number4(data: bytes, at: int) -> int:
    """The number in the four bytes at a place."""

def number8(data: bytes, at: int) -> int:
    """The number in the eight bytes at a place."""

def framed(kind: int, head: bytes, body: bytes) -> bytes:
    """Head and body behind how long the rest is (four bytes), a kind (one) and a zero (one).
    OverflowError for a kind that does not fit, or a body of 4 GiB."""

def entry(word: int, about: bytes, number: int, body: bytes) -> bytes:
    """The body behind its length (four bytes), a word (one), what it is about, and a number (four).
    OverflowError for a word or number that does not fit."""
