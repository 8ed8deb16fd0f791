"""A sketch tells exactly what differs, or says that it cannot, whatever bytes it came as."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vines._core.digest import difference
from vines._core.sketch import CELLS_MAX, read_sketch, sketch_page
from vines._core.table import PLANTED, Progress, Table, plant
from vines.errors import WireError

from . import model_sketch as model
from .forms import COUNTER_MAX, write_floors
from .kinds import A, B, C, frame, span
from .reading import Malformed
from .world import FINGERPRINT_KEY, INDEX_KEY

FIELD = model.FIELD
IDS = [bytes([number]) * 16 for number in range(100)]

vectors = st.dictionaries(
    st.sampled_from(IDS[:12]),
    st.one_of(st.integers(0, 3), st.integers(0, 3), st.integers(0, COUNTER_MAX)),
    max_size=12,
)


def table(vector: dict[bytes, int], *, own: bytes = A, above: int = 0) -> Table:
    """A table that covers this vector."""
    made = Table(own, FINGERPRINT_KEY, INDEX_KEY, sketch_above=above)
    rows = [(source, counter, counter) for source, counter in vector.items()]
    made.finish_join([bytes(write_floors(rows, 3).data)])
    return made


def counters(made: Table) -> dict[bytes, int]:
    return {source: counter for source, counter in made.vector().items() if counter}


def held(progress: Progress, sources: object) -> dict[bytes, int]:
    """What the peer is taken to hold."""
    found = {source: progress.known_of(source) for source in sources}  # type: ignore[attr-defined]
    return {source: counter for source, counter in found.items() if counter}


def check_read(mine: Table, page: bytes) -> object:
    """Read a page as the oracle does; returns what came out."""
    known = {source for source, _ in mine.vector().items()}
    progress = Progress(mine)
    progress.assume_equal()
    before = held(progress, known)
    try:
        expected = model.read(FINGERPRINT_KEY, counters(mine), known, page)
    except Malformed:
        with pytest.raises(WireError):
            read_sketch(progress, page)
        assert held(progress, known) == before
        return WireError
    result = read_sketch(progress, page)
    if isinstance(expected, dict):
        everything = known | set(expected)
        vector = {source: counter for source, counter in expected.items() if counter}
        assert held(progress, everything) == vector
        differing = [s for s in everything if vector.get(s, 0) != before.get(s, 0)]
        assert result == len(differing) == difference(progress)
        assert progress.ready and not progress.idle()
        return result
    if isinstance(result, bytes):
        assert b"".join(sorted(chunks(result))) == expected
    else:
        assert result == expected
    assert held(progress, known) == before
    return result


def chunks(keys: bytes) -> list[bytes]:
    return [keys[at : at + 4] for at in range(0, len(keys), 4)]


@given(vectors, st.integers(1, 40), st.lists(st.sampled_from(IDS[:12]), unique=True, max_size=4))
def test_a_page_is_as_the_oracle_writes_it(
    vector: dict[bytes, int], cells: int, wanted: list[bytes]
) -> None:
    made = table(vector)
    keys = [model.key_of(FINGERPRINT_KEY, source).to_bytes(4, "little") for source in wanted]
    names = [source for source in wanted if source in vector]
    page = model.write(FINGERPRINT_KEY, counters(made), cells, names)
    assert sketch_page(made, cells, b"".join(keys)) == page


@given(vectors, vectors, st.integers(1, 40), st.booleans())
@example({}, {}, 1, False)
@example({IDS[1]: COUNTER_MAX}, {IDS[1]: 0}, 30, False)
@example({IDS[1]: 1}, {IDS[1]: 2**31}, 1, False)
@example({IDS[1]: 1}, {IDS[1]: 1 + FIELD}, 9, False)
@example({IDS[1]: 5, IDS[2]: 1}, {IDS[1]: 1}, 9, False)
def test_what_differs_is_told_exactly_or_not_at_all(
    mine: dict[bytes, int], theirs: dict[bytes, int], cells: int, named: bool
) -> None:
    here, there = table(mine), table(theirs, own=B)
    keys = [model.key_of(FINGERPRINT_KEY, source).to_bytes(4, "little") for source in theirs]
    page = sketch_page(there, cells, b"".join(keys) if named else b"")
    assert page is not None
    progress = Progress(here)
    result = read_sketch(progress, page)
    if isinstance(result, int):
        assert held(progress, {*mine, *theirs}) == counters(there)
    check_read(here, page)


def test_keys_that_are_asked_for_make_the_next_page_readable() -> None:
    here, there = table({IDS[1]: 1}), table({IDS[1]: 1, IDS[2]: 7, IDS[3]: 9}, own=B)
    progress = Progress(here)
    wanted = read_sketch(progress, sketch_page(there, 20) or b"")
    assert isinstance(wanted, bytes) and len(wanted) == 8 and not progress.ready
    assert read_sketch(progress, sketch_page(there, 20, wanted) or b"") == 2
    assert held(progress, IDS) == counters(there) and progress.ready
    assert progress.unheard == b""


def test_the_keys_of_what_the_peer_never_heard_of_are_told_beside() -> None:
    here, there = table({IDS[1]: 1, IDS[2]: 7, IDS[3]: 9}), table({IDS[1]: 2, IDS[3]: 1}, own=B)
    progress = Progress(here)
    assert read_sketch(progress, sketch_page(there, 20) or b"") == 3
    assert progress.unheard == model.key_of(FINGERPRINT_KEY, IDS[2]).to_bytes(4, "little")
    back = Progress(there)
    assert read_sketch(back, sketch_page(here, 20, progress.unheard) or b"") == 3
    assert held(back, IDS) == counters(here)


def test_two_sources_of_one_key_are_not_told_apart() -> None:
    """Keys have 32 bits: among some ten thousand sources two may share one."""
    pair = [bytes(8) + number.to_bytes(8, "big") for number in SAME_KEY]
    assert len({model.key_of(FINGERPRINT_KEY, source) for source in pair}) == 1
    mine = {IDS[1]: 1, pair[0]: 1, pair[1]: 1}
    for change, expected in (({pair[0]: 2}, None), ({pair[1]: 2}, None), ({IDS[1]: 2}, 1)):
        page = sketch_page(table(mine | change, own=B), 20)
        assert check_read(table(mine), page or b"") == expected
    # Who knows one of them takes the counter of the other for its own, and finds that it is not.
    page = sketch_page(table({IDS[1]: 1, pair[0]: 1, pair[1]: 5}, own=B), 20)
    assert read_sketch(Progress(table({IDS[1]: 1, pair[0]: 1})), page or b"") is None


SAME_KEY = (173_500, 182_459)


CRAFTED = [bytes(8) + number.to_bytes(8, "big") for number in (75_711, 144_279)]
"""Of one key where a cluster's is zero: an hour of search finds as many as one likes for any key
that is known."""


def crafted_told_apart() -> object:
    mine = {IDS[1]: 1, CRAFTED[0]: 1, CRAFTED[1]: 1}
    page = sketch_page(table(mine | {CRAFTED[0]: 2}, own=B), 20)
    return read_sketch(Progress(table(mine)), page or b"")


def test_ids_that_somebody_crafted_are_told_apart_by_who_has_another_key() -> None:
    assert len({model.key_of(bytes(16), source) for source in CRAFTED}) == 1
    assert crafted_told_apart() == 1


@pytest.mark.planted
def test_without_a_key_they_are_not() -> None:
    plant(PLANTED["sketch_unkeyed"])
    try:
        assert crafted_told_apart() is None
    finally:
        plant(0)


def test_sums_do_not_overflow_however_often_a_counter_rises() -> None:
    made = table({}, own=C)
    for number in range(1, 400):
        start = (number - 1) * (COUNTER_MAX // 400)
        made.apply(frame(span(IDS[5], start, start + COUNTER_MAX // 400)))
    assert sketch_page(made, CELLS_MAX) == model.write(FINGERPRINT_KEY, counters(made), CELLS_MAX)


def test_a_table_of_few_sources_keeps_no_sketch_and_begins_one_with_all_it_has() -> None:
    vector = {source: 3 * place + 1 for place, source in enumerate(IDS[:8])}
    page = model.write(FINGERPRINT_KEY, vector, 30)
    for above in (9, 8, 4, 1, 0):  # the table's own source is one more
        made = table(vector, own=C, above=above)
        assert sketch_page(made, 30) == (None if above == 9 else page)
        result = read_sketch(Progress(made), page)
        assert result is None if above == 9 else result == 0
    fewer = table(vector, above=100).statistics()["memory"]
    assert table(vector).statistics()["memory"] >= fewer + CELLS_MAX * 24


@pytest.mark.parametrize("cells", [0, CELLS_MAX + 1, -1, 2**40])
def test_a_number_of_cells_that_cannot_be_is_refused(cells: int) -> None:
    with pytest.raises((ValueError, OverflowError)):
        sketch_page(table({}), cells)


@pytest.mark.parametrize("keys", [b"1", b"12345", bytes(4 * 257)])
def test_malformed_keys_are_refused(keys: bytes) -> None:
    with pytest.raises(WireError):
        sketch_page(table({}), 1, keys)


def test_keys_of_nobody_name_nobody() -> None:
    made = table({IDS[1]: 1})
    assert sketch_page(made, 3, bytes(4 * 256)) == sketch_page(made, 3)


# Hostile bytes.

MINE = dict.fromkeys(IDS[:9], 2)
THEIRS = MINE | {IDS[0]: 9, IDS[1]: 0, IDS[2]: 2**31 - 5, IDS[3]: 3, IDS[50]: 4}


def golden(cells: int = 10) -> bytes:
    return model.write(FINGERPRINT_KEY, THEIRS, cells, [IDS[50], IDS[51], IDS[0]])


def test_golden_bytes() -> None:
    made = table({A: 3, B: 2**40}, own=C)
    assert (sketch_page(made, 3, bytes.fromhex(KEY_OF_A)) or b"").hex() == "".join(PAGE)
    assert model.draws(0) == PLACES_OF_0 and model.draws(FIELD - 1) == PLACES_OF_LAST
    assert check_read(table(MINE), golden(14)) == 5


KEY_OF_A = "47d9369a"
PAGE = (
    *("05", "0300", "d0ccf250085f70db"),
    *["03050000286c1b13f3891bce"] * 3,
    "10000000000000000000000000000001",
)
PLACES_OF_0 = [0, 1, 3, 27, 28, 89, 157]
PLACES_OF_LAST = [0, 1, 2, 5, 8, 14, 32, 111, 224]


def prefixes(data: bytes) -> Iterator[bytes]:
    return (data[:size] for size in range(len(data)))


def flips(data: bytes) -> Iterator[bytes]:
    for at in range(len(data)):
        for bit in range(8):
            yield data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def lengths(data: bytes) -> Iterator[bytes]:
    for cells in (0, 1, 2, 8, 9, 10, 255, 256, 257, 2**15, 2**16 - 1):
        forced = data[:1] + cells.to_bytes(2, "little") + data[3:]
        yield from (forced, forced + bytes(16 * 256), forced + bytes(16 * 300), forced + bytes(5))


def residues(data: bytes) -> Iterator[bytes]:
    for word in (0, 1, FIELD - 1, FIELD, 2**32 - 1):
        for at in range(11, 11 + 12 * 10, 4):
            yield data[:at] + word.to_bytes(4, "little") + data[at + 4 :]


@pytest.mark.parametrize("damage", [prefixes, flips, lengths, residues])
def test_damage_is_refused_or_found_out(damage: object) -> None:
    mine = table(MINE)
    for data in damage(golden()):  # type: ignore[operator]
        check_read(mine, data)


def test_noise_ends_and_tells_nothing() -> None:
    choose = random.Random(5)
    mine = table(MINE)
    for _ in range(300):
        words = [choose.choice((0, 1, choose.randrange(FIELD))) for _ in range(3 * 256)]
        body = b"".join(word.to_bytes(4, "little") for word in words)
        page = b"\x05\x00\x01" + bytes(8) + body
        assert not isinstance(read_sketch(Progress(mine), page), int)


def test_the_offset_is_where_the_page_begins() -> None:
    page = golden()
    for at in (0, 2):
        assert read_sketch(Progress(table(MINE)), b"\xff\x05"[:at] + page, at) is not WireError
    for at in (len(page), len(page) + 1, 2**62, -1):
        with pytest.raises((WireError, ValueError, OverflowError)):
            read_sketch(Progress(table(MINE)), page, at)


def test_the_same_sources_written_in_another_cluster_are_other_cells() -> None:
    page = model.write(bytes(16), MINE, 20)
    assert read_sketch(Progress(table(MINE)), page) is None


@pytest.mark.parametrize("differing", [1, 2, 5, 10, 30, 100])
def test_a_sketch_of_the_usual_size_mostly_tells(differing: int) -> None:
    choose = random.Random(differing)
    told = 0
    for _ in range(60):
        ids = [choose.randbytes(16) for _ in range(differing)]
        here, there = table(dict.fromkeys(ids, 1)), table(dict.fromkeys(ids, 2), own=B)
        page = sketch_page(there, 3 * differing // 2 + 20)
        told += read_sketch(Progress(here), page or b"") == differing
    assert told >= 56
