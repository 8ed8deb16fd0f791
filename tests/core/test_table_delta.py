"""What a delta says, how large it is, and what a link is told: the table as the sender."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from . import strategies
from .forms import Range, write_delta
from .kinds import CORE, A, B, C, Kind, frame, frames, link, new, page, record, span
from .model import Table
from .reading import fits, read_delta
from .test_table import Put, same, written
from .world import FINGERPRINT_KEY, INDEX_KEY


@given(st.lists(strategies.deltas(), min_size=1, max_size=3), st.integers(1, 400))
def test_a_delta_is_written_as_the_oracle_writes_it(
    several: list[list[Range]], budget: int
) -> None:
    table = new(CORE, b"\x55" * 16)
    for ranges in several:
        table.apply(frame(*ranges))
    for part in frames(CORE, table, budget):
        assert bytes(write_delta(read_delta(part)).data) == part
        assert fits(part, budget)


@given(st.lists(strategies.puts, max_size=20))
def test_the_delta_of_one_writer_is_byte_for_byte_that_of_the_oracle(puts: list[Put]) -> None:
    table, oracle = new(CORE, A), Table(A, FINGERPRINT_KEY, INDEX_KEY)
    for _, *what in puts:
        assert table.put(*what) == oracle.put(*what)
    assert table.delta_for(new(CORE, B).vector(), 1 << 20) == oracle.delta_for(
        Table(B, FINGERPRINT_KEY, INDEX_KEY).vector(), 1 << 20
    )


@given(st.lists(strategies.puts, max_size=12), strategies.vectors, st.integers(1, 2000))
def test_delta_for_is_what_a_fresh_progress_would_get(
    puts: list[Put], known: dict[bytes, int], budget: int
) -> None:
    tables = written(puts)
    for part in frames(CORE, tables[1], 1 << 20) + frames(CORE, tables[2], 1 << 20):
        tables[0].apply(part)
    vector = tables[1].vector()
    for source, counter in known.items():
        vector.raise_to(source, counter)
    expected = tables[0].delta(link(CORE, tables[0], *vector.items()), budget)
    assert tables[0].delta_for(vector, budget) == expected


def test_nothing_is_sent_before_the_peers_vector_is_known(kind: Kind) -> None:
    table = new(kind, A)
    table.put(0, b"k", 0, b"v", 1)
    table.apply(frame(span(B, 0, 9), span(C, 0, 9)))
    progress = kind.progress(table)
    assert not progress.ready and table.delta(progress, 4096) is None
    assert not progress.read_page(bytes([3, 1]) + B + b"\x07")
    assert not progress.ready and table.delta(progress, 4096) is None
    assert progress.read_page(bytes([3, 2]) + C + b"\x08")
    assert progress.ready and (progress.known_of(B), progress.known_of(C)) == (7, 8)
    assert table.delta(progress, 4096) is not None and progress.known_of(A) == 1


def test_a_first_page_forgets_what_was_known(kind: Kind) -> None:
    table = new(kind, A)
    table.apply(frame(span(B, 0, 9), span(C, 0, 9)))
    progress = link(kind, table, (B, 7), (C, 8))
    progress.read_page(bytes([3, 3]) + C + b"\x02")
    assert (progress.known_of(B), progress.known_of(C)) == (0, 2)


def test_what_a_peer_said_of_a_source_unknown_here_is_remembered(kind: Kind) -> None:
    """A newcomer linked to two that hold the same must not send to one what it just got from the
    other."""
    table = new(kind, A)
    progress = link(kind, table, (B, 2))
    table.apply(frame(span(B, 0, 3, *((n, record(b"k%d" % n, 1, B, n)) for n in (1, 2, 3)))))
    assert progress.known_of(B) == 2
    assert table.delta(progress, 4096) == frame(span(B, 2, 3, (3, record(b"k3", 1, B, 3))))


def test_of_a_source_unknown_here_the_highest_counts_and_a_rewind_goes_back(kind: Kind) -> None:
    table = new(kind, A)
    progress = link(kind, table, (B, 5), (B, 7), (B, 6))
    assert progress.known_of(B) == 7
    progress.rewind(page((B, 3), (B, 2), (B, 4)))
    table.apply(frame(span(B, 0, 9)))
    assert progress.known_of(B) == 2
    progress.rewind(page((B, 8)))
    assert progress.known_of(B) == 2


def test_equal_fingerprints_mean_nothing_to_send_until_the_next_write(kind: Kind) -> None:
    table = new(kind, A)
    table.put(0, b"k", 0, b"v", 1)
    progress = kind.progress(table)
    progress.assume_equal()
    assert progress.ready and progress.known_of(A) == 1
    assert table.delta(progress, 4096) is None and progress.idle()
    table.put(0, b"l", 0, b"v", 1)
    assert not progress.idle()
    assert table.delta(progress, 4096) == frame(span(A, 1, 2, (2, record(b"l", 1, A, 2))))
    assert table.delta(progress, 4096) is None and progress.idle()


def test_what_a_peer_sent_is_not_sent_back_to_it(kind: Kind) -> None:
    one, two = new(kind, A), new(kind, B)
    one.put(0, b"k", 0, b"v", 1)
    of_one, of_two = link(kind, two), link(kind, one)
    two.apply(one.delta(of_two, 4096), 0, of_one)
    assert of_one.known_of(A) == 1
    assert two.delta(of_one, 4096) is None
    other = link(kind, two)
    assert two.delta(other, 4096) == frame(span(A, 0, 1, (1, record(b"k", 1, A, 1))))


def test_sequence_rises_with_every_run_there_is_to_send(kind: Kind) -> None:
    table = new(kind, A)
    seen = [table.sequence]
    table.put(0, b"k", 0, b"v", 1)
    seen.append(table.sequence)
    table.apply(frame(span(B, 0, 1, (1, record(b"l", 1, B, 1)))))
    seen.append(table.sequence)
    assert seen == sorted(set(seen))
    table.apply(frame(span(B, 0, 1, (1, record(b"l", 1, B, 1)))))
    assert not table.put(0, b"k", 0, b"v", 1)
    assert table.sequence == seen[-1]


@pytest.mark.parametrize("horizon", [1, 2, 16, 65536])
def test_a_link_behind_the_horizon_misses_nothing(kind: Kind, horizon: int) -> None:
    table, other = new(kind, A, horizon=horizon), new(kind, B)
    progress = link(kind, table)
    for round_ in range(40):
        for number in range(round_ % 7):
            table.put(0, b"%d" % (number * round_ % 23), 0, b"v", round_ + 1)
        table.apply(
            frame(span(C, round_, round_ + 1, (round_ + 1, record(b"c", round_, C, round_ + 1))))
        )
        if round_ % 5 == 0 and (part := table.delta(progress, 150)):
            assert other.apply(part) == []
    while part := table.delta(progress, 150):
        assert other.apply(part) == []
    assert same(table, other) and progress.idle()


def test_a_source_whose_only_run_fell_off_the_horizon_is_found_again(kind: Kind) -> None:
    table = new(kind, A, horizon=4)
    progress = link(kind, table)
    assert table.delta(progress, 4096) is None and progress.idle()
    table.apply(frame(span(C, 0, 1, (1, record(b"c", 1, C, 1)))))
    for number in range(1, 200):
        table.put(0, b"k", 0, b"v", number)
        table.apply(frame(span(B, number - 1, number, (number, record(b"b", number, B, number)))))
    while table.delta(progress, 4096):
        pass
    assert [progress.known_of(source) for source in (A, B, C)] == [199, 199, 1]
    assert progress.idle()


def test_a_frame_is_filled_as_far_as_the_budget_goes() -> None:
    table = new(CORE, A)
    for number in range(60):
        table.put(0, b"key%d" % number, 0, b"v" * 50, 1)
    sizes = [len(part) for part in frames(CORE, table, 1000)]
    assert all(700 < size <= 1000 for size in sizes[:-1]) and len(sizes) < 6


def test_a_record_larger_than_the_budget_travels_alone(kind: Kind) -> None:
    table, other = new(kind, A), new(kind, B)
    for number, size in enumerate([1, 5000, 1, 5000, 5000, 1]):
        table.put(0, b"k%d" % number, 0, b"v" * size, 1)
    parts = frames(kind, table, 100)
    for part in parts:
        assert fits(part, 100)
        assert other.apply(part) == []
    assert same(table, other)


@pytest.mark.parametrize("size", [100, 600, 5000])
def test_a_large_record_overwritten_often_travels_once(size: int) -> None:
    """Catching up costs what is held, not what was overwritten: a repeated record takes a few
    bytes, so its size must not end the delta, even where it alone is larger than the budget."""
    table, other = new(CORE, A), new(CORE, B)
    for number in range(200):
        table.put(0, b"k", 0, b"v" * size, number)
    parts = frames(CORE, table, 1000)
    assert sum(map(len, parts)) < 2 * (size + 1000)
    for part in parts:
        assert other.apply(part) == []
    assert same(table, other)


def test_who_gets_what_is_written_here_alone_is_passed_by_what_came() -> None:
    table = new(CORE, A)
    progress = link(CORE, table)
    assert table.delta(progress, 4096, True) is None
    table.put(0, b"mine", 0, b"v", 1)
    own = table.delta(progress, 4096, True)
    assert own is not None and progress.idle()
    for counter in range(1, 40):
        table.apply(frame(span(B, counter - 1, counter)))
        assert not progress.idle()
        assert table.delta(progress, 4096, True) is None and progress.idle()
    table.put(0, b"more", 0, b"v", 2)
    table.apply(frame(span(C, 0, 1)))
    other = new(CORE, B)
    other.apply(own)
    other.apply(table.delta(progress, 4096, True))
    assert dict(other.vector().items())[A] == 2 and C not in dict(other.vector().items())
    progress.resume()
    other.apply(table.delta(progress, 4096))
    assert dict(other.vector().items())[C] == 1
