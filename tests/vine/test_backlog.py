from __future__ import annotations

import threading

import pytest

from tests.vine.helpers import DELETED, PATIENCE, Far, change, table
from vines._core.changes import Change, Changes
from vines.callbacks import backlog
from vines.callbacks.backlog import Backlog
from vines.callbacks.listeners import Listener
from vines.callbacks.telling import Teller
from vines.events import Delete


def taken(waiting: Backlog) -> list[tuple[str, int]]:
    lists, _ = waiting.take()
    return [(key.decode(), stamp) for one in lists for _, key, _, _, stamp, _ in one.changes]


def add(waiting: Backlog, *changes: Change, writes: int = -1) -> Changes:
    added = Changes(changes)
    waiting.add(added, writes)
    return added


def pile_up(waiting: Backlog, *changes: tuple[str, int]) -> None:
    """Add changes one by one, until they are merged."""
    for key, stamp in changes:
        add(waiting, change(key, "v", stamp))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backlog, "BYTES_MAX", 0)
        add(waiting)


def test_changes_leave_as_they_came_while_the_reader_keeps_up():
    waiting = Backlog()
    first = add(waiting, change("a", 1, 1), change("b", 1, 2))
    second = add(waiting, change("a", 2, 3), writes=7)
    assert waiting.waits()
    lists, dropped = waiting.take()
    assert [(one.changes, one.writes) for one in lists] == [(first, -1), (second, 7)]
    assert dropped == 0 and not waiting.waits()
    assert waiting.take() == ([], 0)


def test_a_pile_has_one_entry_a_key_in_the_order_of_the_latest_changes():
    waiting = Backlog()
    pile_up(waiting, ("a", 1), ("b", 2), ("c", 3), ("a", 4))
    assert taken(waiting) == [("b", 2), ("c", 3), ("a", 4)]


def test_a_pile_keeps_the_highest_change_whatever_order_threads_hand_over_in():
    waiting = Backlog()
    pile_up(waiting, ("a", 7), ("a", 5))
    assert taken(waiting) == [("a", 7)]


def test_equal_stamps_are_ordered_by_origin():
    waiting = Backlog()
    add(waiting, change("a", 1, 5, b"b" * 16), change("a", 2, 5, b"a" * 16))
    pile_up(waiting)
    lists, _ = waiting.take()
    assert lists[0].changes[0][5] == b"b" * 16


def test_a_pile_holds_no_values():
    waiting = Backlog()
    pile_up(waiting, ("a", 1))
    lists, _ = waiting.take()
    assert lists[0].changes[0][3] == b""


@pytest.mark.parametrize("collected", [False, True], ids=["held", "collected"])
@pytest.mark.parametrize("piled", [False, True], ids=["as it came", "piled up"])
def test_a_deletion_is_told_also_once_the_table_has_forgotten_it(collected: bool, piled: bool):
    near = table()
    far, told, teller = Far(near), [], Teller(near)
    teller.audience = teller.audience.with_one(Listener("delete", None, told.append))
    waiting = Backlog()
    waiting.add(far.write(("gone", 1), ("stays", 1), ("back", 1)))
    waiting.add(far.write(("gone", DELETED), ("back", DELETED)))
    waiting.add(far.write(("back", 2)))
    if piled:
        pile_up(waiting)
    if collected:
        everything = near.vector()
        assert near.collect_stable(everything, everything, 1 << 62, 0, 1 << 20) is None
        assert near.tombstones == 0
    batches, dropped = waiting.take()
    for batch in batches:
        teller.changes(batch.changes, batch.writes)
    assert dropped == 0
    assert [(type(event), event.key) for event in told] == [(Delete, "gone")]


def test_what_came_after_the_pile_leaves_after_it():
    waiting = Backlog()
    pile_up(waiting, ("a", 1))
    add(waiting, change("b", 1, 2))
    assert taken(waiting) == [("a", 1), ("b", 2)]


def test_only_the_oldest_are_merged_as_far_as_the_bound_asks(monkeypatch):
    waiting = Backlog()
    batches = [[change("a", "v" * 900, 2 * at), change("b", "v", 2 * at + 1)] for at in range(9)]
    size = backlog.Batch(Changes(batches[0]), -1).memory
    monkeypatch.setattr(backlog, "BYTES_MAX", 4 * size)
    for each in batches:
        add(waiting, *each)
    lists, _ = waiting.take()
    assert [(entry[1], entry[3], entry[4]) for entry in lists[0].changes] == [
        (b"a", b"", 8),
        (b"b", b"", 9),
    ]
    assert [batch.changes for batch in lists[1:]] == batches[5:]


def test_what_waits_as_it_came_is_bounded_by_its_bytes(monkeypatch):
    monkeypatch.setattr(backlog, "BYTES_MAX", 100_000)
    waiting = Backlog()
    for stamp in range(1000):
        add(waiting, change("a", "v" * 1000, stamp))
        assert sum(batch.memory for batch in waiting._arrived) <= 100_000
    lists, _ = waiting.take()
    assert len(lists) > 20


def test_beyond_the_bound_the_oldest_keys_are_dropped_and_counted():
    waiting = Backlog(keys_max=100)
    pile_up(waiting, *[(f"{number:03}", number) for number in range(1000)])
    assert len(waiting) <= 100
    lists, dropped = waiting.take()
    (kept,) = lists
    assert dropped + len(kept.changes) == 1000
    assert [entry[4] for entry in kept.changes] == list(range(dropped, 1000))
    assert waiting.take() == ([], 0)


def test_waits_while_something_was_dropped_and_nobody_was_told():
    waiting = Backlog(keys_max=0)
    pile_up(waiting, ("a", 1))
    assert waiting.waits()
    assert waiting.take() == ([], 1)


def test_adding_waits_for_nobody():
    # As it must when a signal handler adds while its own thread merges.
    waiting = Backlog()
    with waiting._lock:
        pile_up(waiting, ("a", 1))
    assert taken(waiting) == [("a", 1)]


@pytest.mark.parametrize("keys_max", [8, 1_000_000])
def test_nothing_is_lost_unseen_under_contention(keys_max: int, monkeypatch):
    monkeypatch.setattr(backlog, "BYTES_MAX", 20_000)
    waiting = Backlog(keys_max=keys_max)
    writers, each = 4, 5_000

    def write(writer: int) -> None:
        for number in range(each):
            add(waiting, change(f"{writer}/{number}", None, number))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    total = 0
    while any(thread.is_alive() for thread in threads) or waiting:
        lists, dropped = waiting.take()
        total += sum(len(batch.changes) for batch in lists) + dropped
    for thread in threads:
        thread.join(PATIENCE)
    assert total == writers * each
