"""A rateless table of sets as in the textbook, to compare with: Yang, Gilad and Alizadeh,
"Practical Rateless Set Reconciliation", SIGCOMM 2024, for sets of pairs of an id and a counter.

A counter that differs is two items that differ, one on either side. A cell is the sums, by
exclusive or, of items and of their hashes, and how many there are: 24, 8 and 1 bytes.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator

ITEM_BYTES, HASH_BYTES, COUNT_BYTES = 24, 8, 1
CELL_BYTES = ITEM_BYTES + HASH_BYTES + COUNT_BYTES

Cell = list[int]


def item_of(source: bytes, counter: int) -> int:
    """A pair as one number."""
    return int.from_bytes(source + counter.to_bytes(8, "little"), "little")


def hash_of(item: int) -> int:
    """A hash of 64 bits."""
    data = item.to_bytes(ITEM_BYTES, "little")
    return int.from_bytes(hashlib.blake2b(data, digest_size=HASH_BYTES).digest(), "little")


def places(hashed: int) -> Iterator[int]:
    """The cells of an item, without end."""
    state, place = hashed | 1, 0
    while True:
        yield place
        state = state * 0xDA942042E4DD58B5 % 2**64
        drawn = (state + 1) / 2**64
        place += max(1, math.ceil((place + 1.5) * (1 / math.sqrt(drawn) - 1)))


def cells_of(items: Iterable[int], count: int) -> list[Cell]:
    """The first cells of a set."""
    cells: list[Cell] = [[0, 0, 0] for _ in range(count)]
    for item in items:
        hashed = hash_of(item)
        for place in places(hashed):
            if place >= count:
                break
            _toggle(cells[place], item, hashed, 1)
    return cells


def peel(mine: list[Cell], theirs: list[Cell]) -> dict[int, int] | None:
    """The items that one side alone has, 1 for theirs, -1 for mine; None if it takes more cells."""
    cells = [[a[0] ^ b[0], a[1] ^ b[1], b[2] - a[2]] for a, b in zip(mine, theirs, strict=True)]
    found: dict[int, int] = {}
    waiting = list(range(len(cells)))
    while waiting:
        item, hashed, count = cells[waiting.pop()]
        if count not in (1, -1) or hash_of(item) != hashed:
            continue
        found[item] = count
        for place in places(hashed):
            if place >= len(cells):
                break
            _toggle(cells[place], item, hashed, -count)
            waiting.append(place)
    return None if any(map(any, cells)) else found


def _toggle(cell: Cell, item: int, hashed: int, sign: int) -> None:
    cell[0] ^= item
    cell[1] ^= hashed
    cell[2] += sign
