"""A retired source leaves no trace in what a table says of its vector, and nothing is lost."""

from __future__ import annotations

import pytest

from vines._core.digest import (
    aligned_pages,
    difference,
    is_alone,
    read_aligned,
    same_state,
    same_vector,
    vector_pages,
)
from vines._core.sketch import read_sketch, sketch_page
from vines._core.table import DATA, TOMBSTONE, Progress, Table
from vines._core.vector import VersionVector

from .kinds import CORE, A, B, C, frame, link, page, record, span
from .world import FINGERPRINT_KEY, INDEX_KEY

D, E = b"d" * 16, b"e" * 16
BUDGET = 1 << 16
RELEASING = [False]


@pytest.fixture(params=[False, True], ids=["kept", "released"], autouse=True)
def _releasing(request: pytest.FixtureRequest) -> None:
    """All of this is so whether or not slots are given back as soon as they can be."""
    RELEASING[0] = request.param


def retire(made: Table, source: bytes, final: int) -> bool:
    done = made.retire(source, final)
    while RELEASING[0] and made.release(1):
        pass
    return done


def table(own: bytes) -> Table:
    return Table(own, FINGERPRINT_KEY, INDEX_KEY, sketch_above=0)


def write(made: Table, *keys: bytes, value: bytes = b"\x01") -> None:
    for key in keys:
        made.write(key, 0, value, 0)


def copy(made: Table, to: Table) -> None:
    """All that one table holds, and covers, in another."""
    body = made.delta_for(to.vector(), BUDGET)
    if body is not None:
        assert to.apply(body) == []


def three() -> tuple[Table, Table, Table]:
    """A, whose process is gone, and B and C, which hold all it wrote."""
    a, b, c = table(A), table(B), table(C)
    write(a, b"one", b"two", b"three")
    for to in (b, c):
        copy(a, to)
    write(b, b"four")
    copy(b, c)
    return a, b, c


def test_it_is_left_out_of_all_that_is_said_of_the_vector() -> None:
    _, b, c = three()
    write(c, b"five")
    copy(c, b)
    never = table(D)
    never.finish_join([vector_as_floors({B: 1, C: 1})])
    assert retire(b, A, 3) and b.is_retired(A)
    assert b.fingerprint()[:24] == never.fingerprint()[:24]
    assert vector_pages(b, BUDGET) == vector_pages(never, BUDGET)
    assert aligned_pages(b, BUDGET) == aligned_pages(never, BUDGET)
    assert sketch_page(b, 40) == sketch_page(never, 40)
    assert b.counted() == [(B, 1), (C, 1)] and b.statistics()["retired"] == 1
    # What it wrote is still there, and covered.
    assert same_state(b.fingerprint(), c.fingerprint()) and b.covered(A) == 3
    assert b.value(b"two") == b"\x01"
    assert not same_vector(b.fingerprint(), c.fingerprint())
    assert retire(c, A, 3) and b.fingerprint() == c.fingerprint()


def test_one_left_out_with_less_than_there_is_counts_again_until_all_is_covered() -> None:
    a, b, c = three()
    assert retire(b, A, 3)
    write(a, b"five")
    copy(a, c)
    assert retire(c, A, 4)
    assert not retire(b, A, 4) and not b.is_retired(A)
    # It says again how little it holds: below the floor of who left out more.
    assert dict(b.counted()) == {A: 3, B: 1}
    progress = link(CORE, c, *b.counted())
    assert c.delta(progress, BUDGET) is None and progress.below_floor
    copy(a, b)
    assert retire(b, A, 4) and b.is_retired(A) and b.fingerprint() == c.fingerprint()


def vector_as_floors(vector: dict[bytes, int]) -> bytes:
    return b"\x04\x03\x00" + b"".join(
        source + bytes([counter, counter]) for source, counter in vector.items()
    )


def test_not_before_all_of_it_is_covered_and_never_with_less_than_there_is() -> None:
    _, b, _ = three()
    before = b.fingerprint()
    for source, final in ((A, 4), (A, 2), (B, 1), (E, 1)):
        assert not retire(b, source, final) and not b.is_retired(source)
    assert b.fingerprint() == before
    assert retire(b, E, 0) and retire(b, A, 3) and retire(b, A, 3)
    assert b.statistics()["retired"] == 1


@pytest.mark.parametrize("sketch_above", [0, 1, 256])
def test_more_of_it_puts_it_back(sketch_above: int) -> None:
    a, _, c = three()
    b = Table(B, FINGERPRINT_KEY, INDEX_KEY, sketch_above=sketch_above)
    copy(a, b)
    assert retire(b, A, 3) and retire(c, A, 3)
    write(a, b"five")
    late = a.delta_for(c.vector(), BUDGET)
    assert late is not None
    for each in (b, c):
        assert each.apply(late) == [] and not each.is_retired(A) and each.covered(A) == 4
    write(b, b"four")
    copy(b, c)
    copy(c, b)
    assert b.fingerprint() == c.fingerprint()
    assert retire(b, A, 4) and retire(c, A, 4) and b.fingerprint() == c.fingerprint()


def test_a_sketch_begun_later_is_without_it() -> None:
    a = table(A)
    write(a, b"one")
    b, never = (Table(B, FINGERPRINT_KEY, INDEX_KEY, sketch_above=2) for _ in range(2))
    copy(a, b)
    retire(b, A, 1)
    for each in (b, never):
        each.finish_join([vector_as_floors({C: 1, D: 2, E: 3})])
    assert sketch_page(b, 40) == sketch_page(never, 40) is not None


def test_peers_that_do_not_list_it_are_sent_nothing_of_it() -> None:
    _, b, c = three()
    retire(b, A, 3)
    retire(c, A, 3)
    write(b, b"six")
    for read in (by_pages, by_sketch):
        progress = Progress(b)
        read(progress, c)
        assert progress.ready and not progress.below_floor
        body = progress_delta(b, progress)
        assert body is not None and A not in body
        assert progress_delta(b, progress) is None and not progress.below_floor
        assert difference(progress) == 0


def by_pages(progress: Progress, peer: Table) -> None:
    for said in vector_pages(peer, BUDGET):
        progress.read_page(said)


def by_aligned(progress: Progress, peer: Table) -> None:
    assert read_aligned(progress, aligned_pages(peer, BUDGET)[0])


def by_sketch(progress: Progress, peer: Table) -> None:
    assert isinstance(read_sketch(progress, sketch_page(peer, 40) or b""), int)


def progress_delta(made: Table, progress: Progress) -> bytes | None:
    return made.delta(progress, BUDGET)


def test_aligned_counters_go_on_without_it() -> None:
    _, b, c = three()
    retire(b, A, 3)
    retire(c, A, 3)
    progress = Progress(b)
    by_aligned(progress, c)
    assert progress.known_of(B) == 1 and not progress.below_floor


@pytest.mark.parametrize("read", [by_pages, by_sketch])
def test_who_holds_less_of_it_than_there_was_has_to_join(read: object) -> None:
    a, b, _ = three()
    retire(b, A, 3)
    late = table(D)
    late.apply(frame(span(A, 0, 1)))
    write(late, b"mine")
    progress = Progress(b)
    if read is by_sketch:
        late.apply(frame(span(B, 0, 1)))
        wanted = read_sketch(progress, sketch_page(late, 40) or b"")
        assert isinstance(wanted, bytes)
        assert read_sketch(progress, sketch_page(late, 40, wanted) or b"") == 2
    else:
        by_pages(progress, late)
    assert progress.below_floor
    # Who holds all of it has only not heard yet that it is retired.
    whole = table(E)
    copy(a, whole)
    write(whole, b"mine")
    progress = Progress(b)
    by_pages(progress, whole)
    assert not progress.below_floor and progress_delta(b, progress) is not None


def newcomer() -> tuple[Table, Table, Progress]:
    """B, where A is retired; D, which wrote something alone; what B knows of it: not even that it
    has to join.
    """
    _, b, _ = three()
    retire(b, A, 3)
    fresh = table(D)
    write(fresh, b"mine")
    progress = Progress(b)
    progress.belongs(D)
    copy(fresh, b)
    return b, fresh, progress


def test_who_comes_new_has_to_join_while_records_of_it_are_left() -> None:
    b, fresh, progress = newcomer()
    by_pages(progress, fresh)
    assert progress.below_floor
    floors = b.floor_pages(BUDGET)
    page, cursor = b.page(0, BUDGET)
    assert cursor is None
    fresh.apply_page(page)
    fresh.finish_join(floors)
    assert fresh.covered(A) == 3 and fresh.value(b"two") == b"\x01"
    assert retire(fresh, A, 3) and fresh.fingerprint() == b.fingerprint()
    # With the last of its records overwritten there is nothing left to join for.
    write(b, b"one", b"two", b"three")
    progress = Progress(b)
    by_pages(progress, table(E))
    assert not progress.below_floor


def test_who_comes_new_has_to_join_however_often_it_says_so_until_it_has() -> None:
    """It may say so again before it comes to the join: it waits for that of another table."""
    _, fresh, progress = newcomer()
    for _ in range(2):
        by_pages(progress, fresh)
        assert progress.below_floor
    progress.joined()
    by_pages(progress, fresh)
    assert not progress.below_floor  # there was nothing that it could take


def counters_of(body: bytes) -> dict[bytes, int]:
    said = VersionVector()
    said.merge_page(body)
    return dict(said.items())


@pytest.mark.parametrize("retired", [True, False])
def test_who_lists_nothing_but_its_own_names_one_that_is_left_out_and_is_not_new(
    retired: bool,
) -> None:
    _, b, c = three()
    assert not is_alone(b) and retire(b, A, 3) and is_alone(b)
    (body,) = vector_pages(b, 1)
    assert counters_of(body) == {A: 3, B: 1}
    if retired:
        retire(c, A, 3)
    for said in (body, page((B, 1))):
        progress = Progress(c)
        progress.belongs(B)
        progress.read_page(said)
        assert progress.below_floor == (retired and said is not body)
    write(c, b"five")
    copy(c, b)
    assert not is_alone(b) and A not in counters_of(vector_pages(b, 1)[0])


def forgotten() -> Table:
    """B, which has retired A, the author of a deletion that was forgotten; that had deleted a
    record of C.
    """
    a, b, c = table(A), table(B), table(C)
    c.write(b"k", 0, b"\x01", 100)
    copy(c, a)
    a.write(b"k", TOMBSTONE, b"", 200)
    copy(c, b)
    copy(a, b)
    write(b, b"other")
    b.collect_stable(b.vector(), b.vector(), 1 << 62, 0, 1 << 20)
    while b.trim(1):
        pass
    assert b.collected == 1 and retire(b, A, 1)
    return b


@pytest.mark.parametrize("said", [[], [(D, 1)], [(A, 0), (B, 0)], [(A, 0), (B, 1)]])
def test_who_may_lack_a_forgotten_deletion_of_it_joins_before_it_is_sent_anything(
    said: list[tuple[bytes, int]],
) -> None:
    """A range of C leaves out what was deleted. Who took it would cover that, and not know above
    what to write; if C, which was away, still has it, their join would leave nothing of the key.
    """
    b = forgotten()
    late = table(D)
    write(late, b"mine")
    copy(late, b)
    progress = Progress(b)
    progress.belongs(D)
    progress.read_page(page(*said))
    for _ in range(2):
        assert b.delta(progress, BUDGET) is None and b.announce(progress, BUDGET) is None
        assert progress.below_floor
        progress.rewind(page((C, 0)))
    late.begin_join(floors := b.floor_pages(BUDGET))
    late.apply_page(b.page(0, BUDGET)[0])
    late.finish_join(floors)
    late.sweep(0, 1 << 20)
    assert late.covered(C) == 1 and late.get(0, b"k") is None
    by_pages(progress, late)
    assert not progress.below_floor and b.delta(progress, BUDGET) is None
    assert late.write(b"k", 0, b"\x02", 50) == 201


def test_who_lacks_some_of_it_is_sent_the_rest_where_no_deletion_was_forgotten() -> None:
    """Until one is: from then on it has to join first."""
    a, b, _ = three()
    a.write(b"one", TOMBSTONE, b"", 100)
    copy(a, b)
    retire(b, A, 4)
    progress = link(CORE, b, (A, 0))
    assert progress.below_floor and b.delta(progress, BUDGET) is not None
    write(b, b"five")
    assert b.collect_stable(VersionVector(), VersionVector(), 1 << 62, 0, 1 << 20) is None
    assert b.collected == 1 and b.delta(progress, BUDGET) is None


def test_old_records_of_it_are_not_taken_again() -> None:
    a, b, _ = three()
    old = a.delta_for(table(E).vector(), BUDGET)
    retire(b, A, 3)
    b.collect(DATA, b"two")
    assert old is not None and b.apply(old) == [] and b.value(b"two") is None
    assert b.is_retired(A)


def test_nothing_of_it_is_announced() -> None:
    _, b, c = three()
    progress = Progress(b)
    by_pages(progress, table(E))
    retire(b, A, 3)
    page = b.announce(progress, BUDGET)
    assert page is not None and A not in page and B in page
    assert b.announce(progress, BUDGET) is None
    del c


def test_one_that_is_put_back_while_its_log_is_still_being_dropped_loses_nothing() -> None:
    a, b, c = table(A), table(B), table(C)
    for number in range(1000):
        write(a, b"%d" % (number % 300))
    copy(a, b)
    assert b.retire(A, 1000)
    b.trim(100)
    assert 0 < b.statistics()["entries"] < 1000
    write(a, b"more")
    copy(a, b)
    assert not b.is_retired(A) and b.entries(A) == [(1001, 0, b"more")]
    progress = link(CORE, b, (A, 500))
    assert b.delta(progress, BUDGET) is None and progress.below_floor
    while b.trim(100):
        pass
    assert b.statistics()["entries"] == 1 and b.retire(A, 1001)
    c.begin_join(b.floor_pages(BUDGET))
    c.apply_page(b.page(0, 1 << 20)[0])
    c.sweep(0, 1 << 20)
    c.finish_join(b.floor_pages(BUDGET))
    assert c.records() == b.records() == a.records()


def test_its_log_is_returned() -> None:
    a, b = table(A), table(B)
    for number in range(5000):
        a.write(b"key", 0, number.to_bytes(4, "little"), 0)
        if number % 100 == 0:
            copy(a, b)
    copy(a, b)
    before = b.statistics()
    assert b.retire(A, 5000) and b.entries(A) == []
    more, held = True, b.statistics()["entries"]
    while more:
        assert held >= b.statistics()["entries"] >= held - 100  # no turn drops them all at once
        held = b.statistics()["entries"]
        more = b.trim(100)
    after = b.statistics()
    assert after["entries"] == 0
    assert after["memory"] < before["memory"]


def test_a_deletion_above_all_there_was_of_it_is_not_forgotten() -> None:
    """It came in the place of what it deleted: it is news to others, and more may come."""
    _, b, _ = three()
    b.apply(frame(span(C, 0, 1, (1, record(b"k", 9, A, 7, flags=1, value=b"")))))
    assert retire(b, A, 3)
    for cut in (VersionVector(), b.vector()):
        assert b.collect_stable(cut, VersionVector(), 1 << 62, 0, 1 << 20) is None
        assert b.tombstones == 1 and b.floor(A) == b.covered(A) == 3
    b.apply(frame(span(A, 3, 7, (7, record(b"k", 9, A, 7, flags=1, value=b"")))))
    assert retire(b, A, 7)
    b.collect_stable(VersionVector(), VersionVector(), 1 << 62, 0, 1 << 20)
    assert b.tombstones == 0 and b.floor(A) == 7
