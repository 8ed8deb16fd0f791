"""A retired source that nothing names any more is forgotten, and how a table tells of it before."""

from __future__ import annotations

import pytest

from vines._core.digest import vector_pages
from vines._core.retired import write_batch
from vines._core.table import Progress, Table
from vines.errors import WireError

from .forms import FADING, FIRST, LAST, write_floors
from .kinds import A, B, C
from .reading import read_floors
from .test_table_released import released
from .test_table_retired import BUDGET, D, by_pages, copy, table, write

LAST_OF_A = [(A, (3, 0))]


def fading() -> Table:
    """B, which nothing of A's is left at; a record that is to lapse says that A is gone."""
    _, b = released()
    b.gone.list_batch(write_batch(LAST_OF_A), 0)
    assert b.gone.age(1, 5) == 0
    return b


def rows(made: Table) -> list[tuple[int, list[bytes]]]:
    """What its floors say of whom: the mark of each page, and its sources."""
    found = [read_floors(page) for page in made.floor_pages(BUDGET)]
    return [(mark, [source for source, _, _ in items]) for mark, items in found]


def test_of_what_is_forgotten_nothing_is_left() -> None:
    b = fading()
    before = b.fingerprint(), b.records(), b.counted()
    b.gone.unlist()
    assert b.gone.age(4, 9) == 0 and b.covered(A) == b.floor(A) == 3 and b.is_retired(A)
    assert b.gone.age(5, 9) == 1
    assert b.covered(A) == b.floor(A) == 0 and not b.is_retired(A) and b.gone.items() == []
    assert (b.fingerprint(), b.records(), b.counted()) == before
    statistics = b.statistics()
    assert statistics["retired"] == 0 and statistics["sources"] == 1
    assert dict(b.vector().items()) == {B: 3} and rows(b) == [(FIRST | LAST, [B])]
    # If it comes after all it counts as any other.
    a = table(A)
    write(a, b"four")
    copy(a, b)
    assert b.covered(A) == 1 and b.counts_in(A) and dict(b.counted()) == {A: 1, B: 3}


def test_what_a_table_names_is_not_forgotten() -> None:
    b = fading()
    c = table(C)
    c.finish_join([bytes(write_floors([(A, 2, 0)]).data)])
    write(c, b"late")
    # A record of it comes once more, above all that was covered.
    a = table(A)
    write(a, b"one", b"two", b"three", b"five")
    copy(a, b)
    b.gone.unlist()
    assert b.gone.age(9, 20) == 0 and b.gone.unlisted(9) == LAST_OF_A
    assert b.covered(A) == 4 and b.value(b"five") == b"\x01"


def test_an_earlier_source_of_its_own_under_which_nothing_was_written_goes_too() -> None:
    b = table(B)
    b.adopt(C)
    write(b, b"mine")
    b.gone.say(B, 0, 4)
    assert b.retire(B, 0) and not b.release(100) and b.statistics()["holes"] == 0
    b.gone.list_batch(write_batch([(B, (0, 4))]), 0)
    assert b.gone.age(1, 5) == 0 and not b.release(100)
    assert b.statistics()["holes"] == 1 and b.counted() == [(C, 1)]
    assert b.gone.age(1, 5) == 0 and b.statistics()["retired"] == 0
    b.gone.unlist()
    assert b.gone.age(5, 9) == 1
    before = b.fingerprint()
    write(a := table(B), b"late")
    copy(a, b)
    assert dict(b.counted()) == {B: 1, C: 1} and b.fingerprint() != before


def test_floors_tell_apart_what_is_about_to_be_forgotten() -> None:
    b = fading()
    assert rows(b) == [(FIRST, [B]), (FADING | LAST, [A])]
    b.gone.unlist()
    # In no record any more: it is kept here for as long as its time, and told to nobody.
    assert rows(b) == [(FIRST | LAST, [B])] and b.covered(A) == 3
    b.gone.list_batch(write_batch(LAST_OF_A))
    assert b.gone.age(2, 6) == 0
    assert rows(b) == [(FIRST | LAST, [B, A])]


def test_many_of_them_take_as_many_pages_as_they_need() -> None:
    b = table(B)
    gone = [(bytes([number]) * 16, number) for number in range(16, 80)]
    b.finish_join([bytes(write_floors([(s, n, n) for s, n in gone]).data)])
    for source, counter in gone:
        b.gone.say(source, counter, 0)
        assert b.retire(source, counter)
    b.release(1000)
    b.gone.list_batch(write_batch([(source, (counter, 0)) for source, counter in gone]), 0)
    b.gone.age(1, 9)
    pages = b.floor_pages(200)
    marks = [read_floors(page)[0] for page in pages]
    assert marks[0] == FIRST and set(marks[1:-1]) == {FADING} and marks[-1] == FADING | LAST
    assert all(len(page) <= 200 for page in pages)
    told = {s: n for page in pages[1:] for s, n, _ in read_floors(page)[1]}
    assert told == dict(gone)
    joined = table(C)
    joined.begin_join(pages)
    joined.finish_join(pages)
    assert dict(joined.gone.items()) == {source: (counter, 0) for source, counter in gone}
    assert joined.counted() == [] and joined.statistics()["slots"] == 1


@pytest.mark.parametrize("knows", [False, True])
def test_who_joins_takes_what_fades_for_no_source(knows: bool) -> None:
    """Whether a record told it of that before, or none does any more, where it asks."""
    b, c = fading(), table(C)
    c.gone.age(1, 7)
    if knows:
        c.gone.say(A, 3, 0)
        c.gone.list_batch(write_batch(LAST_OF_A), 0)
    c.begin_join(pages := b.floor_pages(BUDGET))
    c.finish_join(pages)
    assert c.fingerprint()[:24] == b.fingerprint()[:24] and dict(c.counted()) == {B: 3}
    assert c.covered(A) == 3 and c.is_retired(A) and c.statistics()["slots"] == 2
    # What no record says is told to nobody, and goes in its time; it is no reason to write one.
    assert c.gone.unlisted(9) == [] and len(rows(c)) == 1
    c.gone.age(2, 8)
    assert len(rows(c)) == 1 + knows
    c.gone.unlist()
    assert c.gone.age(6, 8) == 0 and c.gone.age(8, 8) == 1 and c.covered(A) == 0


def test_who_knows_less_of_what_fades_takes_the_rest_or_counts_it() -> None:
    b = fading()
    pages = b.floor_pages(BUDGET)
    heard = table(C)
    heard.gone.say(A, 2, 0)
    heard.finish_join(pages)
    assert heard.gone.items() == LAST_OF_A and heard.covered(A) == 3 and heard.is_retired(A)
    assert heard.gone.unlisted(9) == LAST_OF_A
    more = table(D)
    more.gone.say(A, 5, 0)
    more.finish_join(pages)
    assert more.covered(A) == 3 and more.counts_in(A), "the rest may come"
    has = table(D)
    copy(part := table(A), has)
    write(part, b"one")
    copy(part, has)
    has.finish_join(pages)
    assert has.covered(A) == 3 and has.counts_in(A)


def test_nobody_is_told_to_join_for_what_no_join_would_tell() -> None:
    b = fading()
    part = table(A)
    write(part, b"one")
    behind = table(C)
    copy(part, behind)
    write(behind, b"mine")
    progress = Progress(b)
    by_pages(progress, behind)
    assert b.delta(progress, BUDGET) is not None and progress.below_floor
    b.gone.unlist()
    progress = Progress(b)
    by_pages(progress, behind)
    assert b.delta(progress, BUDGET) is not None and not progress.below_floor


def test_who_alone_writes_names_none_that_others_forgot() -> None:
    b = fading()
    assert A in b"".join(vector_pages(b, BUDGET))
    b.gone.unlist()
    assert A not in b"".join(vector_pages(b, BUDGET))


def test_floors_that_fade_are_read_as_strictly_as_others() -> None:
    c = table(C)
    for mark in (8, 16, 128):
        with pytest.raises(WireError, match="unknown mark"):
            c.finish_join([bytes(write_floors([(A, 3, 3)], mark).data)])
    whole = bytes(write_floors([(A, 3, 3), (C, 9, 9)], FADING).data)
    for size in range(3, len(whole)):
        if size not in (3, 21):
            with pytest.raises(WireError):
                c.finish_join([whole[:size]])
    assert len(c.gone) == 0 and not c.overtaken
    c.finish_join([whole])
    # A node's own source is never taken for one that is gone.
    assert c.gone.items() == LAST_OF_A and c.overtaken and c.covered(C) == 0
    c.finish_join([bytes(write_floors([(D, 0, 0)], FADING).data)])
    assert c.gone.get(D) is None
