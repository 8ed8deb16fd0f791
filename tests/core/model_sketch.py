"""Sketch pages the slow and obvious way, from docs/wire.md: the oracle of vines._core.sketch."""

from __future__ import annotations

import math
from collections.abc import Iterator

from .fingerprint import fingerprint
from .forms import COUNTER_MAX
from .reading import Malformed
from .siphash import siphash13

FIELD = 2**32 - 5
CELLS, PLACES, NAMES, PAIRED = 256, 22, 256, 32
Vector = dict[bytes, int]
Cell = list[int]


def key_of(key: bytes, source: bytes) -> int:
    return siphash13(key, source + b"\x03") % FIELD


def draws(key: int) -> list[int]:
    """The cells of a source, from its key alone."""
    places, state = [0], key
    while len(places) < PLACES:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        mixed = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB % 2**64
        drawn = ((mixed ^ mixed >> 31) >> 32) + 1
        least = (places[-1] + 1) * (places[-1] + 2) * 2**32
        cell = max(places[-1], math.isqrt(least // drawn) - 3)
        while (cell + 1) * (cell + 2) * drawn <= least:
            cell += 1
        if cell >= CELLS:
            break
        places.append(cell)
    return places


def sums(key: bytes, vector: Vector, cells: int) -> list[Cell]:
    made = [[0, 0, 0] for _ in range(cells)]
    for source, counter in vector.items():
        k = key_of(key, source)
        for place in draws(k):
            if place < cells:
                for power in range(3):
                    made[place][power] = (made[place][power] + counter * k**power) % FIELD
    return made


def check(key: bytes, vector: Vector) -> bytes:
    return siphash13(key, fingerprint(key, vector, [])[:24]).to_bytes(8, "little")


def write(key: bytes, vector: Vector, cells: int, names: list[bytes] | None = None) -> bytes:
    parts = [word.to_bytes(4, "little") for cell in sums(key, vector, cells) for word in cell]
    head = b"\x05" + cells.to_bytes(2, "little") + check(key, vector)
    return b"".join([head, *parts, *(names or [])])


def parse(data: bytes) -> tuple[bytes, list[Cell], list[bytes]]:
    cells = int.from_bytes(data[1:3], "little")
    names = data[11 + 12 * cells :]
    words = [int.from_bytes(data[at : at + 4], "little") for at in range(11, 11 + 12 * cells, 4)]
    if len(data) < 11 + 12 * cells or data[:1] != b"\x05" or not 0 < cells <= CELLS:
        raise Malformed("head")
    if len(names) % 16 or len(names) > 16 * NAMES or any(word >= FIELD for word in words):
        raise Malformed("body")
    triples = [words[at : at + 3] for at in range(0, len(words), 3)]
    return data[3:11], triples, [names[at : at + 16] for at in range(0, len(names), 16)]


def read(key: bytes, mine: Vector, known: set[bytes], data: bytes) -> Vector | bytes | None:
    """The peer's vector, or the keys whose ids are wanted, or None. `known`: ids heard of here."""
    claimed, theirs, names = parse(data)
    here = {key_of(key, source): source for source in known}
    found = peel(theirs, sums(key, mine, len(theirs)))
    named = {key_of(key, name): name for name in reversed(names)} | here
    several = len(here) < len(known)
    if found is None or (several and any(_shared(key, known, k) for k in found)):
        return None
    wanted = [k for k in found if k not in named]
    if wanted:
        return b"".join(sorted(k.to_bytes(4, "little") for k in wanted))
    result = dict(mine)
    for k, gap in found.items():
        source = named[k]
        result[source] = result.get(source, 0) + (gap - FIELD if gap > FIELD // 2 else gap)
    if not all(0 <= counter <= COUNTER_MAX for counter in result.values()):
        return None
    return result if check(key, result) == claimed else None


def _shared(key: bytes, known: set[bytes], k: int) -> bool:
    return sum(key_of(key, source) == k for source in known) > 1


def peel(theirs: list[Cell], mine: list[Cell]) -> dict[int, int] | None:
    """Gap by key, if that explains all cells."""
    left = [
        [(a - b) % FIELD for a, b in zip(*pair, strict=True)]
        for pair in zip(theirs, mine, strict=True)
    ]
    found: dict[int, int] = {}
    while any(map(any, left)):
        one = next(_candidates(left), None)
        if one is None or one[0] in found:
            return None
        k, gap = one
        found[k] = gap
        for place in draws(k):
            if place < len(left):
                for power in range(3):
                    left[place][power] = (left[place][power] - gap * k**power) % FIELD
    return found


def _candidates(left: list[Cell]) -> Iterator[tuple[int, int]]:
    """What a cell, or else the difference of two of the first cells, says alone."""
    for place, cell in enumerate(left):
        k = _pure(cell)
        if k is not None and place in draws(k):
            yield k, cell[0]
    for first in range(min(len(left), PAIRED)):
        for second in range(first + 1, min(len(left), PAIRED)):
            if any(left[first]):
                cell = [(a - b) % FIELD for a, b in zip(left[first], left[second], strict=True)]
                k = _pure(cell)
                if k is not None and (first in draws(k)) != (second in draws(k)):
                    yield k, cell[0] if first in draws(k) else -cell[0] % FIELD


def _pure(cell: Cell) -> int | None:
    if cell[0] == 0 or cell[1] ** 2 % FIELD != cell[0] * cell[2] % FIELD:
        return None
    return cell[1] * pow(cell[0], -1, FIELD) % FIELD
