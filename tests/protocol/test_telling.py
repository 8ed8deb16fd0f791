"""Vectors told in the cheapest form: what two replicas say until both know what the other lacks."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.forms import write_floors
from tests.core.kinds import frame, span
from vines._core.digest import difference, vector_pages
from vines._core.table import Progress, Table
from vines.errors import WireError
from vines.protocol.replicas.telling import DETAILS, Telling
from vines.protocol.wire.messages import ALIGNED, FULL, SKETCH, WANT, Detail, Vector, decode

from .pump import Host, Pump

IDS = [number.to_bytes(16, "big") for number in range(1, 2500)]


class Replica:
    """A table, and how it is told to one peer."""

    def __init__(self, own: bytes, vector: dict[bytes, int], *, above: int = 256) -> None:
        self.table = Table(own, bytes(16), own, sketch_above=above)
        cover(self.table, vector)
        self.progress = Progress(self.table)
        self.telling = Telling(self.table, 4096)

    def see(self, other: Replica) -> None:
        self.telling.roster = other.table.fingerprint()[:8]

    def knows(self, other: Replica) -> bool:
        ids = {source for each in (self, other) for source in dict(each.table.vector().items())}
        return all(self.progress.known_of(each) == other.table.covered(each) for each in ids)


def cover(table: Table, vector: dict[bytes, int]) -> None:
    rows = [(source, counter, counter) for source, counter in vector.items()]
    table.finish_join([bytes(write_floors(rows, 3).data)])


def told(teller: Replica, reader: Replica, *, acquainted: bool = True) -> list[tuple[int, int]]:
    """Tell until it is read; returns the form and the bytes of all that was sent for it."""
    sent = []
    pages = teller.telling.pages(acquainted=acquainted)
    for _ in range(DETAILS + 1):
        sent.append((pages[0][0], sum(map(len, pages))))
        done = [reader.telling.read(reader.progress, b"xy" + page, 2) for page in pages]
        if done[-1]:
            assert reader.telling.owed is None and reader.knows(teller)
            return sent
        question, reader.telling.owed = reader.telling.owed, None
        assert question is not None
        assert decode(question.encode()[4:]) == question
        pages = teller.telling.again(question)
    raise AssertionError(f"never read: {sent}")


def two(
    differing: int = 0, new: int = 0, *, sources: int = 2000, above: int = 256
) -> tuple[Replica, Replica]:
    base = {source: place + 1 for place, source in enumerate(IDS[:sources])}
    more = base | {source: base[source] + 3 for source in IDS[:differing]}
    more |= dict.fromkeys(IDS[sources : sources + new], 1)
    pair = Replica(b"a" * 16, base, above=above), Replica(b"b" * 16, more, above=above)
    for one, other in (pair, pair[::-1]):
        one.see(other)
    return pair


def test_a_few_differences_take_one_small_sketch_each_way() -> None:
    here, there = two(differing=5)
    assert told(here, there) == [(SKETCH, 32 * 12 + 11)]
    assert told(there, here) == [(SKETCH, 30 * 12 + 11)]


def test_a_larger_sketch_is_asked_for_before_another_form() -> None:
    here, there = two(differing=90)
    assert [form for form, _ in told(here, there)] == [SKETCH, SKETCH]
    # The answer is as large as what was learned asks for.
    assert [form for form, _ in told(there, here)] == [SKETCH]


def test_where_much_differs_counters_go_without_ids_and_then_with_them() -> None:
    here, there = two(differing=1000)
    assert [form for form, _ in told(here, there)] == [SKETCH, SKETCH, ALIGNED]
    assert [form for form, _ in told(there, here)] == [ALIGNED]
    here, there = two(differing=1000, new=1)
    assert [form for form, _ in told(here, there)] == [SKETCH, SKETCH, FULL]
    assert [form for form, _ in told(there, here)] == [FULL]


def test_ids_that_are_not_known_are_asked_for_and_named_with_the_answer() -> None:
    here, there = two(differing=2, new=3)
    assert told(there, here) == [(SKETCH, 395), (SKETCH, 395 + 3 * 16)]
    here, there = two(differing=2, new=3)
    assert [form for form, _ in told(here, there)] == [SKETCH]
    assert told(there, here) == [(SKETCH, 371 + 3 * 16)]


def test_few_sources_are_told_without_ids_where_the_rosters_are_equal() -> None:
    here, there = two(differing=2, sources=20)
    assert [form for form, _ in told(here, there)] == [ALIGNED]
    here, there = two(differing=2, new=1, sources=20)
    assert [form for form, _ in told(here, there)] == [FULL]


def test_questions_begin_anew_with_each_vector_that_was_read() -> None:
    here, there = two(differing=2, new=1)
    for _ in range(2 * DETAILS):
        assert [form for form, _ in told(there, here)] == [SKETCH, SKETCH]


def test_a_whole_vector_teaches_how_much_differs_and_leaves_no_question() -> None:
    here, there = two(differing=5)
    for _ in range(3):
        here.telling._ladder.failed()
    noise = b"\x05\x01\x00" + bytes(8) + b"\x01" * 12
    assert not here.telling.read(here.progress, noise, 0)
    assert here.telling.owed is not None
    pages = vector_pages(there.table, 4096)
    assert len(pages) > 2
    assert [here.telling.read(here.progress, page, 0) for page in pages] == [False] * (
        len(pages) - 1
    ) + [True]
    assert here.telling.owed is None
    ((form, size),) = [(page[0], len(page)) for page in here.telling.pages(acquainted=True)]
    assert form == SKETCH and size <= 40 * 12 + 11


def test_a_newcomer_is_told_everything_at_once() -> None:
    here, there = two()[0], Replica(b"c" * 16, {})
    here.see(there)
    there.see(here)
    assert [form for form, _ in told(here, there, acquainted=False)] == [FULL]


def test_a_roster_that_changed_on_the_way_is_told_with_ids() -> None:
    here, there = two(differing=2, sources=20)
    cover(there.table, {IDS[100]: 1})
    assert [form for form, _ in told(here, there)] == [ALIGNED, FULL]


def test_what_never_tells_ends_with_what_always_does() -> None:
    """However the peer answers, there is an end to asking for anything but the whole vector."""
    here, there = two(differing=1500)
    page = here.telling.again(Detail(1, SKETCH, 10))[0]
    forms = []
    for _ in range(6):
        assert not there.telling.read(there.progress, page, 0)
        assert there.telling.owed is not None
        forms.append(there.telling.owed.form)
    assert forms == [SKETCH, ALIGNED, FULL, FULL, FULL, FULL]


@settings(max_examples=60)
@given(
    st.dictionaries(st.sampled_from(IDS[:60]), st.integers(1, 2**40), max_size=60),
    st.dictionaries(st.sampled_from(IDS[:60]), st.integers(1, 2**40), max_size=60),
    st.sampled_from([0, 20, 1000]),
    st.booleans(),
)
def test_whatever_two_replicas_hold_they_learn_it(
    mine: dict[bytes, int], theirs: dict[bytes, int], above: int, acquainted: bool
) -> None:
    here, there = Replica(b"a" * 16, mine, above=above), Replica(b"b" * 16, theirs, above=above)
    for _ in range(2):
        for one, other in ((here, there), (there, here)):
            one.see(other)
        told(here, there, acquainted=acquainted)
        told(there, here)
        assert difference(here.progress) == difference(there.progress)
        cover(here.table, dict(there.table.vector().items()))


@pytest.mark.parametrize("body", [b"\x05", b"\x06", b"\x03", b"\x04\x03", b"\x00"])
def test_what_is_no_page_is_refused_and_asks_nothing(body: bytes) -> None:
    here, _ = two()
    with pytest.raises(WireError):
        here.telling.read(here.progress, body, 0)
    assert here.telling.owed is None


# On links.


class Watched(Pump):
    """A pump that keeps the vectors and questions that went by."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Vector | Detail] = []

    def on_frame(self, sender: Host, receiver: Host, stream: int, data: bytes) -> None:
        message = decode(data)
        if isinstance(message, Vector | Detail) and message.table == 1:
            self.seen.append(message)


def loaded(pump: Pump, number: int, seed: int = 1) -> Host:
    """A node that covers 1,000 sources."""
    host = pump.host(number)
    choose = random.Random(seed)
    cover(host.node.data, {choose.randbytes(16): 5 for _ in range(1000)})
    return host


def write_of(host: Host, source: bytes, above: int, count: int = 2) -> None:
    host.node.data.apply(frame(span(source, above, above + count)))


def forms(pump: Watched) -> list[tuple[str, int]]:
    return [
        ("vector", each.body[each.offset]) if isinstance(each, Vector) else ("detail", each.form)
        for each in pump.seen
    ]


def test_nodes_that_meet_with_one_roster_say_what_differs_in_a_sketch_each() -> None:
    pump = Watched()
    a, b = loaded(pump, 1), loaded(pump, 2)
    sources = sorted(dict(a.node.data.vector().items()))
    write_of(a, sources[1], 5)
    write_of(b, sources[2], 5)
    pump.join(b, a)
    pump.run(3.0)
    assert a.node.data.fingerprint() == b.node.data.fingerprint()
    assert forms(pump) == [("vector", SKETCH)] * 2
    assert sum(len(each.body) for each in pump.seen if isinstance(each, Vector)) < 900


def test_nodes_that_meet_with_other_rosters_say_all_that_they_hold() -> None:
    pump = Watched()
    a, b = loaded(pump, 1), loaded(pump, 2)
    b.write("key")
    pump.join(b, a)
    pump.run(3.0)
    assert a.node.data.fingerprint() == b.node.data.fingerprint()
    assert forms(pump) == [("vector", FULL)] * 2


def test_what_was_lost_is_found_by_sketches_and_names_the_new_source() -> None:
    pump = Watched()
    a, b = loaded(pump, 1), loaded(pump, 2)
    pump.join(b, a)
    pump.run(3.0)
    pump.seen.clear()
    sources = sorted(dict(a.node.data.vector().items()))
    write_of(a, sources[1], 5)
    write_of(a, b"new source of a.", 0)
    a.node.advance(pump.now)
    assert a.node.outbox.take()  # what was pushed never leaves
    pump.until(lambda: a.node.data.fingerprint() == b.node.data.fingerprint(), 60.0)
    assert {form for _, form in forms(pump)} == {SKETCH}
    wanted = [each.marks for each in pump.seen if isinstance(each, Vector)]
    assert WANT in wanted


def test_a_vector_that_was_told_again_is_answered_once_it_was_read() -> None:
    pump = Watched()
    a, b = loaded(pump, 1), loaded(pump, 2)
    pump.join(b, a)
    pump.run(3.0)
    pump.seen.clear()
    for source in sorted(dict(a.node.data.vector().items()))[:300]:
        write_of(a, source, 5)
    a.node.advance(pump.now)
    assert a.node.outbox.take()  # what was pushed never leaves
    pump.until(lambda: a.node.data.fingerprint() == b.node.data.fingerprint(), 60.0)
    pump.run(5.0)
    told = [(each.marks, each.body[each.offset]) for each in pump.seen if isinstance(each, Vector)]
    assert told[:2] == [(WANT, SKETCH), (WANT, ALIGNED)] and told[2][0] == 0
    for one, other in ((a, b), (b, a)):
        link = one.node._parts.linking.links.to(other.node.id)
        assert link is not None and link.channels[1].settled


def test_a_node_answers_a_question_in_the_form_it_asks_for() -> None:
    pump = Watched()
    a, b = loaded(pump, 1), loaded(pump, 2)
    pump.join(b, a)
    pump.run(3.0)
    for question, form in ((Detail(1, ALIGNED), ALIGNED), (Detail(1, FULL), FULL)):
        pump.seen.clear()
        b.node.receive(question.encode()[4:], b.route(a) or 0, pump.now)
        pump.run(0.1)
        assert forms(pump) == [("vector", form)]
    pump.seen.clear()
    b.node.receive(Detail(1, SKETCH, 7).encode()[4:], b.route(a) or 0, pump.now)
    pump.run(0.1)
    assert [len(each.body) for each in pump.seen if isinstance(each, Vector)] == [2 + 2 + 11 + 84]
