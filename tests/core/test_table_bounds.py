"""What a table does in one step is bounded, however many sources, records and entries it has, and
what it leaves for later comes."""

from __future__ import annotations

import random

from .kinds import CORE, A, frame, new, record, span


def source(number: int) -> bytes:
    return b"s%015d" % number


def overwritten(table: object, number: int, each: int, stamp: int) -> None:
    """A source writes some keys that all sources write."""
    made = source(number)
    rows = [record(b"k%d" % at, stamp + at, made, at + 1) for at in range(each)]
    table.apply(frame(span(made, 0, each, *enumerate(rows, 1))))  # type: ignore[attr-defined]


def test_of_many_sources_those_with_most_entries_too_many_lose_theirs_first() -> None:
    table = new(CORE, A, log_slack=20_000)
    for number in range(2000):
        overwritten(table, number, 1 + number % 3, 10 * number)
    big = source(5000)
    for start in range(0, 16_000, 1000):
        rows = [(at, record(b"big", at + 1, big, at)) for at in range(start + 1, start + 1001)]
        table.apply(frame(span(big, start, start + 1000, *rows)))
    assert table.statistics()["entries_dropped"] == 0
    for number in range(4000):
        table.write(b"own", 0, b"v", number)
        counts = table.statistics()
        assert counts["entries"] <= 2 * counts["records"] + 20_000
    assert table.floor(big) >= 4000 and table.floor(A) == 0
    for number in range(60_000):
        table.write(b"own", 0, b"v", number)
    counts = table.statistics()
    assert counts["entries"] <= 2 * counts["records"] + 20_000
    # Of those that never had many none has lost any, of the two others each has.
    assert all(table.floor(source(number)) == 0 for number in range(2000))
    assert len(table.entries(big)) < 10_000 and table.floor(A) > 40_000


def test_sources_may_come_to_have_more_entries_than_records_and_fewer_in_any_order() -> None:
    """After any of it the bound holds as soon as it is looked at, so none was lost sight of."""
    choose = random.Random(3)
    table = new(CORE, A, log_slack=500)
    counters = dict.fromkeys(map(source, range(40)), 0)
    for stamp in range(1, 30_000):
        made = source(int(choose.random() ** 3 * 40))
        counters[made] += 1
        key = b"%d" % choose.randrange(choose.choice([3, 300]))
        row = record(key, stamp, made, counters[made])
        table.apply(frame(span(made, counters[made] - 1, counters[made], (counters[made], row))))
        if choose.random() < 0.001:
            gone = choose.choice(list(counters))
            if table.retire(gone, counters[gone]) and choose.random() < 0.5:
                while table.trim(7):
                    pass
        if choose.random() < 0.01:
            table.collect(0, b"%d" % choose.randrange(300))
        counts = table.statistics()
        over = counts["entries"] - 2 * counts["records"] - 500
        assert over <= 0 or over <= 2 * counts["records"] + 2  # what was collected counts no more
    while table.trim(100):
        pass
    counts = table.statistics()
    assert counts["entries"] <= 2 * counts["records"] + 500


def test_a_step_of_trimming_looks_at_so_many_sources_and_entries_and_goes_on_behind_them() -> None:
    table, each = new(CORE, A), 4
    for number in range(300):
        overwritten(table, number, each, number * 10)
    assert table.statistics()["entries"] == 300 * each
    for number in range(300):
        table.retire(source(number), each)
    held = table.statistics()["entries"]
    assert held == 0  # short ones go at once
    table = new(CORE, A)
    for number in range(300):
        overwritten(table, number, 100, number * 100)
    for number in range(300):
        table.retire(source(number), 100)
    held, steps = table.statistics()["entries"], 0
    assert held == 300 * 36
    while table.trim(50):
        steps += 1
        assert held - 50 <= table.statistics()["entries"] <= held
        held = table.statistics()["entries"]
    assert held == 0 and steps <= (300 * 36 + 600) / 50 + 10
