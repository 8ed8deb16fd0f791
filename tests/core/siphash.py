"""SipHash-1-3 in plain Python: the oracle of every fingerprint.

Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, with one compression round a word
and three final rounds, which is also what CPython 3.11 and later hash `str` and `bytes` with; the
test of this module leans on that.
"""

from __future__ import annotations

from functools import lru_cache

MASK = 0xFFFF_FFFF_FFFF_FFFF


def _rotate(word: int, bits: int) -> int:
    return ((word << bits) & MASK) | (word >> (64 - bits))


def _round(a: int, b: int, c: int, d: int) -> tuple[int, int, int, int]:
    a = (a + b) & MASK
    b = _rotate(b, 13) ^ a
    a = _rotate(a, 32)
    c = (c + d) & MASK
    d = _rotate(d, 16) ^ c
    a = (a + d) & MASK
    d = _rotate(d, 21) ^ a
    c = (c + b) & MASK
    b = _rotate(b, 17) ^ c
    c = _rotate(c, 32)
    return a, b, c, d


@lru_cache(maxsize=1 << 16)
def siphash13(key: bytes, data: bytes) -> int:
    """The 64-bit SipHash-1-3 of `data` under a 16-byte key."""
    assert len(key) == 16
    low, high = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    a = low ^ 0x736F6D6570736575
    b = high ^ 0x646F72616E646F6D
    c = low ^ 0x6C7967656E657261
    d = high ^ 0x7465646279746573
    whole = len(data) - len(data) % 8
    words = [int.from_bytes(data[i : i + 8], "little") for i in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56)
    for word in words:
        d ^= word
        a, b, c, d = _round(a, b, c, d)
        a ^= word
    c ^= 0xFF
    for _ in range(3):
        a, b, c, d = _round(a, b, c, d)
    return a ^ b ^ c ^ d
