"""Counters alone, in the order of a roster that both share; which form of a digest is chosen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vines._core.digest import Ladder, aligned_pages, difference, read_aligned
from vines._core.table import Progress, Table
from vines.errors import WireError

from .fingerprint import PRIME
from .forms import COUNTER_MAX, FIRST, LAST, varint
from .kinds import A, B, C, frame, span
from .reading import Malformed, Reading
from .siphash import siphash13
from .test_sketch import IDS, counters, flips, held, prefixes, table
from .world import FINGERPRINT_KEY

Vector = dict[bytes, int]
rosters = st.sets(st.sampled_from(IDS[:40]), max_size=40)
numbers = st.one_of(st.integers(1, 3), st.integers(1, COUNTER_MAX))


def ordered(sources: object) -> list[bytes]:
    """The order of a roster."""
    return sorted(sources, key=lambda s: (siphash13(FINGERPRINT_KEY, s), s))  # type: ignore


def roster_of(vector: Vector) -> bytes:
    total = sum(siphash13(FINGERPRINT_KEY, source) for source in vector)
    return (total % 2**64).to_bytes(8, "little")


def write(vector: Vector, place: int = 0, stop: int = 1000, mark: int = FIRST | LAST) -> bytes:
    """A page the slow and obvious way."""
    part = ordered(vector)[place:stop]
    lanes = (vector[s] * (siphash13(FINGERPRINT_KEY, s + b"\x01") % PRIME) for s in part)
    check = (sum(lanes) % PRIME).to_bytes(8, "little")
    body = b"".join(varint(vector[source]) for source in part)
    return bytes([6, mark]) + roster_of(vector) + check + varint(place) + body


def read(mine: Vector, data: bytes, offset: int = 0) -> tuple[int, int, list[int]] | None:
    """(mark, place, counters), or None if they cannot be about this roster."""
    reading = Reading(data, offset, 6)
    mark = reading.mark()
    roster, check = reading.raw(8), reading.raw(8)
    place, found = reading.bounded(0, COUNTER_MAX), []
    while reading.more():
        found.append(reading.bounded(1, COUNTER_MAX))
    if (place == 0) != bool(mark & FIRST):
        raise Malformed("place and mark")
    stop = place + len(found)
    if roster != roster_of(mine) or stop > len(mine) or (mark & LAST and stop != len(mine)):
        return None
    there = dict(zip(ordered(mine)[place:], found, strict=False))
    return (mark, place, found) if write(mine | there, place, stop, mark)[10:18] == check else None


@given(rosters, st.data(), st.integers(1, 200))
def test_pages_fit_their_budget_and_make_the_vector(
    roster: set[bytes], data: st.DataObject, budget: int
) -> None:
    mine, theirs = ({source: data.draw(numbers) for source in roster} for _ in range(2))
    # Sources come to know each other in another order, and some before their first write.
    here, there = table(mine), table({**dict.fromkeys(IDS[30:], 0), **theirs}, own=B)
    pages = aligned_pages(there, budget)
    assert all(len(page) <= max(budget, 64) for page in pages)
    places, at = [], 0
    for page in pages:
        part = read(theirs, page)
        assert part is not None and part[1] == at
        places.append(part)
        at += len(part[2])
    assert [mark & FIRST for mark, *_ in places] == [FIRST] + [0] * (len(pages) - 1)
    assert [mark & LAST for mark, *_ in places] == [0] * (len(pages) - 1) + [LAST]
    progress = Progress(here)
    assert [read_aligned(progress, page) for page in pages] == [False] * (len(pages) - 1) + [True]
    assert held(progress, IDS) == theirs and progress.ready
    assert difference(progress) == sum(mine[s] != theirs[s] for s in roster)


def test_a_roster_that_grows_stays_in_order() -> None:
    made = table({}, own=C)
    for number in range(60):
        source = IDS[number * 37 % 100]
        made.apply(frame(span(source, 0, number + 1)))
        assert b"".join(aligned_pages(made, 1 << 16)) == write(counters(made))


def test_another_roster_is_said_to_be_one_and_teaches_nothing() -> None:
    mine = dict.fromkeys(IDS[:5], 1)
    progress = Progress(table(mine))
    progress.assume_equal()
    for theirs in ({}, dict.fromkeys(IDS[:6], 1), dict.fromkeys(IDS[1:6], 1)):
        assert read_aligned(progress, write(theirs)) is None
        assert held(progress, IDS) == mine and progress.ready


MINE = {source: 200 for source in IDS[:6]}  # noqa: C420
THEIRS = {source: 2**place for place, source in enumerate(IDS[:6])} | {IDS[4]: COUNTER_MAX}


def longer(data: bytes) -> Iterator[bytes]:
    yield from (data + tail for tail in (b"\0", b"\1", b"\x80", b"\xff" * 11, bytes(100)))


def forced(data: bytes) -> Iterator[bytes]:
    for number in (0, 1, 5, 6, 7, 127, 128, 2**32, COUNTER_MAX, COUNTER_MAX + 1, 2**63, 2**64):
        for at in (18, 19):
            yield data[:at] + varint(number) + data[at + 1 :]
    yield data[:18] + b"\x80\0" + data[19:]


@pytest.mark.parametrize("damage", [prefixes, flips, longer, forced])
@pytest.mark.parametrize("page", [write(THEIRS), write(THEIRS, 2, 6, LAST), write(THEIRS, 0, 2, 1)])
def test_damage_is_refused_or_found_out(damage: object, page: bytes) -> None:
    for data in damage(page):  # type: ignore[operator]
        progress = Progress(table(MINE))
        progress.assume_equal()
        try:
            part = read(MINE, data)
        except Malformed:
            with pytest.raises(WireError):
                read_aligned(progress, data)
            assert held(progress, IDS) == MINE
            continue
        result = read_aligned(progress, data)
        assert result == (part and bool(part[0] & LAST))
        known = dict(MINE) if part is None or not part[0] & FIRST else {}
        for source, counter in zip(ordered(MINE)[part[1] :], part[2], strict=False) if part else ():
            known[source] = max(known.get(source, 0), counter)
        assert held(progress, IDS) == known


def test_golden_bytes() -> None:
    made = table({A: 3, B: 300}, own=C)
    assert aligned_pages(made, 64)[0].hex() == "".join(PAGE)
    assert write({A: 3, B: 300}).hex() == "".join(PAGE)


PAGE = ("06", "03", "4c3d2cac57a17ce8", "dcb30fb57998a601", "00", "03", "ac02")


def test_the_offset_is_where_the_page_begins() -> None:
    page = write(MINE)
    assert read_aligned(Progress(table(MINE)), b"ab" + page, 2) is True
    for at in (len(page), len(page) + 1, 2**62, -1):
        with pytest.raises((WireError, ValueError, OverflowError)):
            read_aligned(Progress(table(MINE)), page, at)


# The ladder.


def many(count: int) -> Table:
    return table({number.to_bytes(16, "big"): 1 for number in range(count)}, above=256)


def test_a_sketch_is_chosen_where_it_is_cheaper_and_sized_by_what_was_learned() -> None:
    large, small = many(3000), many(200)
    ladder = Ladder()
    assert ladder.cells(small, True) == ladder.cells(small, False) == 0
    assert ladder.cells(large, True) == ladder.cells(large, False) == 32
    for _ in range(40):
        ladder.learned(1)
    assert ladder.cells(large, True) == 21
    for _ in range(40):
        ladder.learned(100)
    assert ladder.cells(large, True) == 170
    ladder.learned(1)
    assert 20 < ladder.cells(large, True) < 170
    ladder.learned(120)
    assert ladder.cells(large, True) == 200 > ladder.cells(large, True)
    for _ in range(9):
        ladder.learned(1)
    ladder.learned(100_000)  # as a newcomer's, which is no sign of the next
    assert ladder.cells(large, True) == 0 < ladder.cells(large, True)
    for _ in range(40):
        ladder.learned(10_000)
    assert ladder.cells(large, True) == ladder.cells(large, False) == 0


def test_the_ladder_is_climbed_down_and_begun_anew() -> None:
    table_, ladder = many(3000), Ladder()
    ladder.failed()
    assert ladder.cells(table_, True) == 256
    ladder.failed()
    assert ladder.cells(table_, True) == ladder.cells(table_, False) == 0
    ladder.failed()
    assert ladder.cells(table_, False) == 0
    ladder.learned(8)
    assert ladder.cells(table_, True) == 32
    ladder.failed()
    middle = many(1000)  # 256 cells are more than its counters and less than its ids
    assert ladder.cells(middle, True) == 0 and ladder.cells(middle, False) == 256
