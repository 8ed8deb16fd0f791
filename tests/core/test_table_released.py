"""A retired source that nothing names gives back its slot: another source has it then, and of the
retired one all is as it was."""

from __future__ import annotations

import itertools
import random

import pytest

from vines._core.digest import aligned_pages, difference, read_aligned, vector_pages
from vines._core.retired import RetiredSources
from vines._core.sketch import read_sketch, sketch_page
from vines._core.table import ENDED, EPHEMERAL, PLANTED, SHOWN, Progress, Table, plant
from vines._core.vector import VersionVector

from .kinds import CORE, A, B, C, frame, link, page, record, span
from .test_sketch import SAME_KEY
from .test_table_retired import BUDGET, D, E, by_pages, by_sketch, copy, table, write
from .world import FINGERPRINT_KEY, INDEX_KEY


def left() -> tuple[Table, Table]:
    """A, whose process is gone, and B, which has overwritten all that A wrote and retired it."""
    a, b = table(A), table(B)
    write(a, b"one", b"two", b"three")
    copy(a, b)
    write(b, b"one", b"two", b"three", value=b"\x02")
    assert b.retire(A, 3)
    return a, b


def released() -> tuple[Table, Table]:
    a, b = left()
    assert not b.release(100) and holes(b) == 1
    return a, b


def holes(made: Table) -> int:
    found = made.statistics()["holes"]
    assert isinstance(found, int)
    return found


def number(at: int) -> bytes:
    return at.to_bytes(16, "little")


def test_all_that_is_asked_of_it_is_answered_as_before() -> None:
    _, kept = left()
    _, b = released()
    for each in (kept, b):
        assert each.covered(A) == each.floor(A) == 3 and each.is_retired(A)
        assert each.entries(A) == [] and each.counted() == [(B, 3)]
        assert dict(each.vector().items()) == {A: 3, B: 3}
        assert each.retire(A, 3) and each.retire(A, 0) and not each.retire(A, 2)
        with pytest.raises(ValueError, match="cannot be taken again"):
            each.adopt(A)
    assert sorted(b.floor_pages(BUDGET)[0][3:]) == sorted(kept.floor_pages(BUDGET)[0][3:])
    assert b.fingerprint() == kept.fingerprint() and b.records() == kept.records()
    statistics = kept.statistics()
    assert (statistics["slots"], statistics["holes"], statistics["sources"]) == (2, 0, 2)
    statistics = b.statistics()
    assert (statistics["slots"], statistics["holes"], statistics["sources"]) == (2, 1, 2)
    assert statistics["retired"] == 1 and b.gone.items() == [(A, (3, 0))]


def test_the_next_source_has_its_slot_and_nothing_of_it() -> None:
    _, b = left()
    peer = link(CORE, b, (A, 3), (B, 3))
    assert b.delta(peer, BUDGET) is None
    b.release(100)
    d = table(D)
    write(d, b"new", b"newer")
    copy(d, b)
    assert b.statistics()["slots"] == 2 and holes(b) == 0
    assert (b.covered(D), b.floor(D), b.covered(A)) == (2, 0, 3)
    assert peer.known_of(D) == 0 and peer.known_of(A) == 0
    body = b.delta(peer, BUDGET)
    other = table(E)
    assert body is not None and other.apply(body) == [] and other.covered(D) == 2
    assert peer.known_of(D) == 2


def test_a_delta_written_for_all_is_not_taken_for_that_of_another_source() -> None:
    _, b = left()
    peers = [link(CORE, b, (A, 3), (B, 3)) for _ in range(2)]
    for peer in peers:
        b.delta(peer, BUDGET)
    write(b, b"four")
    assert b.delta(peers[0], BUDGET) is not None
    b.release(100)
    d = table(D)
    write(d, b"new")
    copy(d, b)
    for peer, new in zip(peers, (1, 2), strict=True):
        other = table(E)
        body = b.delta(peer, BUDGET)
        assert body is not None and len(other.apply(body)) == new - 1
        assert other.covered(D) == 1


@pytest.mark.parametrize("names", ["record", "origin", "own"])
def test_what_is_named_keeps_its_slot(names: str) -> None:
    a, b = table(A), table(B)
    write(a, b"one", b"two")
    copy(a, b)
    if names == "origin":
        b.apply(frame(span(C, 0, 1, (1, record(b"one", 1 << 40, C, 1, origin=A)))))
        write(b, b"two")
    elif names == "record":
        write(b, b"two")
    else:
        write(b, b"one", b"two")
        b.adopt(D)
        copy(b, other := table(E))
        write(other, b"one", b"two")
        copy(other, b)
        assert b.retire(B, 2)
    assert b.retire(A, 2)
    b.release(100)
    assert holes(b) == (2 if names == "own" else 0)
    assert b.get(0, b"one") == (other if names == "own" else b).get(0, b"one")
    write(b, b"one", value=b"\x03")
    b.release(100)
    assert b.value(b"one") == b"\x03" and b.is_retired(A)
    assert holes(b) == (2 if names == "own" else 1)


@pytest.mark.planted
def test_an_origin_that_gives_back_its_slot_is_found() -> None:
    plant(PLANTED["slot_given_back_while_it_is_an_origin"])
    try:
        with pytest.raises(AssertionError):
            test_what_is_named_keeps_its_slot("origin")
    finally:
        plant(0)


def test_old_records_of_it_are_not_taken_again_and_more_puts_it_back() -> None:
    a, b = released()
    old = a.delta_for(VersionVector(), BUDGET)
    write(b, b"two", value=b"\x03")
    assert old is not None and b.apply(old) == [] and b.value(b"one") == b"\x02"
    assert b.is_retired(A) and holes(b) == 0
    b.release(100)
    assert holes(b) == 1
    write(a, b"five")
    late = a.delta_for(b.vector(), BUDGET)
    assert late is not None and b.apply(late) == []
    assert not b.is_retired(A) and b.covered(A) == 4 and b.value(b"five") == b"\x01"
    assert b.retire(A, 4)
    # A range that begins above what there is of it is refused as ever.
    _, b = released()
    assert b.apply(frame(span(A, 4, 5, (5, record(b"k", 9, A, 5))))) == [(A, 3)]
    assert b.is_retired(A)


def test_a_record_of_a_join_is_passed_over_if_it_is_covered_and_else_taken() -> None:
    _, b = released()
    donor = table(D)
    donor.apply(frame(span(D, 0, 1, (1, record(b"k", 9, D, 1)))))
    for counter in (3, 4):
        made = frame(
            span(
                C,
                counter - 3,
                counter - 2,
                (counter - 2, record(b"of A", 1 << 50, A, counter, value=b"\x01")),
            )
        )
        b.apply(made)
        assert (b.value(b"of A") is not None) == (counter == 4)
        assert b.is_retired(A) and b.covered(A) == 3
        # What lies above may come: the slot is kept for it. The first one is that of C now.
        b.release(100)
        assert holes(b) == 0 and b.statistics()["slots"] == counter - 1


def test_more_was_said_of_it_than_it_was_left_out_with() -> None:
    _, b = released()
    assert not b.retire(A, 4) and not b.is_retired(A)
    assert dict(b.counted()) == {A: 3, B: 3} and b.floor(A) == 3
    twin = left()[1]
    assert not twin.retire(A, 4) and twin.fingerprint() == b.fingerprint()


@pytest.mark.parametrize("held", [0, 2, 3, 4])
@pytest.mark.parametrize("how", ["page", "sketch", "rewind"])
def test_who_says_that_it_holds_less_of_it_has_to_join(how: str, held: int) -> None:
    _, b = released()
    peer = link(CORE, b, (B, 3))
    if how == "page":
        peer.read_page(page((A, held), (B, 3)))
    elif how == "rewind":
        peer.rewind(page((A, held)))
    elif held:
        other = table(E)
        copy(b, other)
        other.apply(frame(span(A, 0, held, *((n + 1, record(b"x", 1, A, n + 1)) for n in [0]))))
        wanted = read_sketch(peer, sketch_page(other, 40) or b"")
        assert isinstance(wanted, bytes)
        assert read_sketch(peer, sketch_page(other, 40, wanted) or b"") == 1
    if how != "sketch" or held:
        assert peer.below_floor == (held < 3)
    assert difference(peer) == 0


def test_who_speaks_of_it_did_not_come_new() -> None:
    a, b = released()
    keeper = table(C)
    write(keeper, b"of C")
    copy(keeper, b)
    b.retire(C, 1)
    for items in ([], [(A, 3)]):
        peer = Progress(b)
        peer.read_page(page(*items))
        assert peer.below_floor == (not items)
    del a


def test_what_is_announced_of_it_is_no_news_unless_it_is_more() -> None:
    _, b = released()
    peer = link(CORE, b, (B, 3))
    assert b.hear(page((A, 3)), 0, peer) == [] and holes(b) == 1
    assert b.hear(page((A, 5)), 0, peer) == [(A, 5)]


def test_a_link_holds_all_of_what_comes_back_unless_it_said_otherwise() -> None:
    a, b = released()
    write(a, b"five")
    silent, told = link(CORE, b, (B, 3)), link(CORE, b, (B, 3))
    told.rewind(page((A, 2)))
    late = a.delta_for(b.vector(), BUDGET)
    assert late is not None and b.apply(late) == []
    new = link(CORE, b, (B, 3))
    for peer, known in ((silent, 3), (told, 2), (new, 0)):
        assert peer.known_of(A) == known
    body = b.delta(silent, BUDGET)
    assert body is not None and silent.known_of(A) == 4
    for peer in (told, new):
        assert b.delta(peer, BUDGET) is None and peer.below_floor
    assert b.delta_for(VersionVector(), BUDGET) is None


def test_what_is_known_of_it_is_handed_on_by_a_join_and_takes_no_slot() -> None:
    a, b = table(A), table(B)
    for at in range(40):
        theirs = table(number(at + 1))
        write(theirs, b"key", value=bytes([at]))
        copy(theirs, b)
    write(b, b"key")
    for at in range(40):
        assert b.retire(number(at + 1), 1)
    b.release(1000)
    assert holes(b) == 40
    retired = RetiredSources()
    joiner = Table(D, FINGERPRINT_KEY, INDEX_KEY, retired=retired, which=1)
    for at in range(30):
        retired.say(number(at + 1), 0, 1)
    joiner.apply_page(b.page(0, BUDGET)[0])
    joiner.finish_join(b.floor_pages(BUDGET))
    assert dict(joiner.vector().items()) == {**dict(b.vector().items()), D: 0}
    statistics = joiner.statistics()
    assert (statistics["slots"], statistics["retired"]) == (12, 30)
    assert all(joiner.is_retired(number(at + 1)) == (at < 30) for at in range(40))
    # With less or more of it, it is no source that is left out.
    retired.say(E, 0, 5)
    for said in (4, 5, 6):
        other = Table(D, FINGERPRINT_KEY, INDEX_KEY, retired=retired, which=1)
        other.finish_join([b"\x04\x03\x00" + E + bytes([said, said])])
        assert (other.covered(E), other.is_retired(E)) == (said, said == 5)
        retired = RetiredSources()
        retired.say(E, 0, 5)
    del a


def test_its_author_has_ended_while_it_has_no_slot() -> None:
    a, b = table(A), table(B)
    a.write(b"one", EPHEMERAL, b"\x01", 0)
    b.author(A, SHOWN)
    copy(a, b)
    assert b.retire(A, 1)
    b.release(100)
    assert holes(b) == 0, "its record is there"
    b.author(A, ENDED)
    b.lapse(100)
    write(b, b"one")
    b.release(100)
    assert holes(b) == 1
    a.write(b"two", EPHEMERAL, b"\x01", 0)
    late = a.delta_for(b.vector(), BUDGET)
    assert late is not None and b.apply(late) == [] and b.value(b"two") is None
    b.lapse(100)
    assert b.hidden() == [] and b.value(b"two") is None
    # And of one that has no slot it may be heard, too.
    a, b = released()
    b.author(A, SHOWN)
    a.write(b"two", EPHEMERAL, b"\x01", 0)
    late = a.delta_for(b.vector(), BUDGET)
    assert late is not None and b.apply(late) == [] and b.value(b"two") == b"\x01"


def test_slots_are_looked_at_some_at_a_time() -> None:
    b = table(B)
    for at in range(50):
        theirs = table(number(at + 1))
        write(theirs, b"key", value=bytes([at]))
        copy(theirs, b)
    write(b, b"key")
    for at in range(50):
        b.retire(number(at + 1), 1)
    found = []
    while b.release(10):
        found.append(holes(b))
    assert found == [9, 19, 29, 39, 49] and holes(b) == 50
    assert not b.release(10)


def crowd(b: Table, count: int, first: int = 0) -> list[bytes]:
    """So many sources, each of which writes what the next one overwrites."""
    sources = [number(1 + at) for at in range(first, first + count)]
    for source in sources:
        theirs = table(source)
        write(theirs, b"key")
        stamp = (b.get(0, b"key") or (0,))[0] + 1
        b.apply(frame(span(source, 0, 1, (1, record(b"key", stamp, source, 1)))))
    return sources


def leave(b: Table, *sources: bytes) -> None:
    for source in sources:
        assert b.retire(source, 1)
    while b.release(100):
        pass


def memory_of(made: Table) -> int:
    found = made.statistics()["memory"]
    assert isinstance(found, int)
    return found


def test_the_lowest_slot_is_taken_first_and_the_last_ones_are_given_up() -> None:
    b = Table(B, FINGERPRINT_KEY, INDEX_KEY, horizon=64)
    few = crowd(b, 20)
    write(b, b"key")
    before = memory_of(b)
    many = crowd(b, 5000, 20)
    write(b, b"key")
    crowded = memory_of(b)
    assert crowded > before + 5000 * 250
    last = many[-1]
    leave(b, *(source for source in many if source != last))
    # One that is there still, and came last, keeps them all.
    assert (b.statistics()["slots"], holes(b)) == (5021, 4999)
    assert memory_of(b) >= crowded - 100_000
    new = crowd(b, 10, 6000)
    write(b, b"key")
    assert (b.statistics()["slots"], holes(b)) == (5021, 4989)
    leave(b, last)
    assert (b.statistics()["slots"], holes(b)) == (31, 0)
    # Of each that is gone 32 bytes are left, and no sketch is needed any more.
    assert memory_of(b) <= before + 32 * 5500 + 64 * 300
    assert dict(b.counted()) == {B: 3} | dict.fromkeys(few + new, 1)
    assert all(b.is_retired(source) and b.covered(source) == 1 for source in many)


def test_a_link_that_knew_none_of_the_slots_that_were_given_up_goes_on() -> None:
    b = Table(B, FINGERPRINT_KEY, INDEX_KEY, slots_kept=1)
    before, told = link(CORE, b), link(CORE, b, *((number(at), 1) for at in range(1, 41)))
    gone = crowd(b, 39)
    write(b, b"key")
    leave(b, *gone)
    assert b.statistics()["slots"] == 1
    for progress in (before, told):
        other = table(E)
        body = b.delta(progress, BUDGET)
        assert body is not None and other.apply(body) == [] and other.covered(B) == b.counter
    new = crowd(b, 3, 100)
    for progress in (before, told):
        assert [progress.known_of(each) for each in new] == [0, 0, 0]


def test_places_are_given_up_however_they_are_looked_at() -> None:
    """Also where all that is retired is gone before the last slot was looked at."""
    b = table(B)
    crowd(b, 10)
    sources = crowd(b, 400, 10)
    write(b, b"key")
    for source in sources:
        assert b.retire(source, 1)
    looks = 1
    while b.release(150):
        looks += 1
    assert looks == 3 and (b.statistics()["slots"], holes(b)) == (11, 0)


@pytest.mark.parametrize("sketch_above", [0, 8, 300])
def test_links_go_on_as_slots_are_given_up_and_come_again(sketch_above: int) -> None:
    """Whoever is told of each time, or of none while many come and go, is sent what it lacks."""
    choose = random.Random(sketch_above)
    b = Table(B, FINGERPRINT_KEY, INDEX_KEY, sketch_above=sketch_above, slots_kept=1, horizon=8)
    readers = [(link(CORE, b), table(number(1 << 40 | at))) for at in range(3)]
    most, least, serial = 0, 1000, 0
    living: list[bytes] = []
    for turn in range(60):
        size = choose.choice([0, 1, 3, 70, 200])
        while len(living) > size:
            leave(b, living.pop(choose.randrange(len(living))))
        for at in range(len(living), size):
            serial += 1
            living += crowd(b, 1, serial * 300 + at)
        write(b, b"key", b"other")
        slots = b.statistics()["slots"]
        assert isinstance(slots, int) and slots - holes(b) == len(b.counted())
        most, least = max(most, slots), min(least, slots)
        for reader, (progress, theirs) in enumerate(readers):
            if turn % (1, 5, 20)[reader] == 0:
                while (body := b.delta(progress, BUDGET)) is not None:
                    assert theirs.apply(body) == []
                assert progress.known_of(B) == b.counter and theirs.covered(B) == b.counter
                assert all(theirs.covered(each) == 1 for each in living)
                assert theirs.value(b"key") == b.value(b"key")
                announced = link(CORE, b)
                b.announce(announced, BUDGET)
                for each in living:
                    assert progress.known_of(each) == 1
                read = Progress(b)
                assert read_aligned(read, aligned_pages(b, BUDGET)[0]) and difference(read) == 0
    assert most > 150 and least < 10


@pytest.mark.parametrize("sketch_above", [0, 8, 40])
def test_digests_are_those_of_a_table_that_never_knew_it(sketch_above: int) -> None:
    """Sources come, are retired and go, in any order; slots are used again and again."""
    choose = random.Random(sketch_above)
    b = Table(B, FINGERPRINT_KEY, INDEX_KEY, sketch_above=sketch_above, slots_kept=1)
    alive: dict[bytes, Table] = {}
    for at in range(400):
        if len(alive) > 20:
            source, theirs = (
                alive.popitem()
                if choose.random() < 0.5
                else (lambda s: (s, alive.pop(s)))(choose.choice(sorted(alive)))
            )
            assert b.retire(source, theirs.counter)
        source = choose.randbytes(16)
        alive[source] = theirs = table(source)
        for _ in range(choose.choice([1, 1, 3])):
            write(theirs, b"key", value=choose.randbytes(3))
            copy(b, theirs)
            copy(theirs, b)
        write(b, b"key")
        if choose.random() < 0.5:
            b.release(choose.choice([3, 100]))
        if at % 40 == 0:
            never = Table(B, FINGERPRINT_KEY, INDEX_KEY, sketch_above=sketch_above)
            for number_ in range(b.counter):
                never.put(0, bytes(4) + number_.to_bytes(4, "big"), 0, b"", 1)
            counted = {source: counter for source, counter in b.counted() if source != B}
            never.finish_join(
                [
                    b"\x04\x03\x00"
                    + b"".join(
                        source + bytes([counter, counter]) for source, counter in counted.items()
                    )
                ]
            )
            assert sorted(b.counted()) == sorted(never.counted())
            assert b.fingerprint()[:24] == never.fingerprint()[:24]
            assert aligned_pages(b, BUDGET) == aligned_pages(never, BUDGET)
            if len(alive) > 20 >= sketch_above:
                assert sketch_page(b, 40) == sketch_page(never, 40) is not None
            progress = Progress(b)
            assert read_aligned(progress, aligned_pages(never, BUDGET)[0])
            assert difference(progress) == 0
            progress = Progress(b)
            by_pages(progress, never)
            assert difference(progress) == 0 and len(vector_pages(b, BUDGET)) == 1
            if len(alive) > 20 >= sketch_above:
                by_sketch(progress, never)
                assert difference(progress) == 0
    assert holes(b) < 60 and b.statistics()["slots"] != b.statistics()["sources"]


def test_two_sources_of_one_key_in_the_sketch_come_and_go() -> None:
    """One of them is found by its key; which of them are left decides whether it tells one."""
    pair = [bytes(8) + number.to_bytes(8, "big") for number in SAME_KEY]
    third = b"\x07" * 16
    for gone, order in itertools.product((0, 1), repeat=2):
        b = table(B)
        sources = [pair[order], pair[1 - order], third]
        for at, source in enumerate(sources):
            b.apply(frame(span(source, 0, 1, (1, record(b"key", at + 1, source, 1)))))
        write(b, b"key")
        assert b.retire(sources[gone], 1)
        b.release(100)
        assert holes(b) == 1
        peer = table(B)
        counters = [(source, 1) for source in sources if source != sources[gone]]
        for source, counter in [*counters, (B, 1)]:
            if source == B:
                write(peer, b"key")
            else:
                peer.apply(frame(span(source, 0, counter)))
        stays = sources[1 - gone]
        peer.apply(frame(span(stays, 1, 3)))
        progress = Progress(b)
        assert read_sketch(progress, sketch_page(peer, 20) or b"") == 1
        assert progress.known_of(stays) == 3
        # With both there it cannot tell, and says so; whoever came back.
        b.apply(frame(span(sources[gone], 1, 2, (2, record(b"other", 9, sources[gone], 2)))))
        peer.apply(frame(span(sources[gone], 0, 2)))
        assert read_sketch(Progress(b), sketch_page(peer, 20) or b"") is None
