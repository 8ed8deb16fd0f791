"""What goes to disk of elections: records that are read again as they were, and nothing else."""

from __future__ import annotations

import pytest

from vines.errors import WireError
from vines.protocol.elections.decree import Record
from vines.protocol.elections.shelf import Part, pack_part, read_part
from vines.protocol.elections.signup import Enrolment
from vines.protocol.machine import Outbox, Persist

FULL = Part(
    Enrolment(b"b" * 16, True, 2**63 - 1, ((b"one", 1), (b"m" * 16, 2**63 - 1))),
    Record(7 << 32 | 5, 3 << 32 | 1, b"value", True, True, b"", False),
    finished=False,
)
PARTS = (
    Part(),
    FULL,
    Part(Enrolment(b"b" * 16, formed=True), Record(outcome=b"o" * 300, fired=True), finished=True),
)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_read_as_it_was_packed(part: Part) -> None:
    assert read_part(pack_part(part)) == part


@pytest.mark.parametrize("part", PARTS)
def test_what_is_cut_off_or_too_long_is_no_part(part: Part) -> None:
    packed = pack_part(part)
    for length in range(len(packed)):
        with pytest.raises(WireError):
            read_part(packed[:length])
    with pytest.raises(WireError):
        read_part(packed + b"0")


def test_what_is_not_known_is_no_part() -> None:
    with pytest.raises(WireError):
        read_part(b"\x20" + pack_part(Part())[1:])


class Counted:
    """Something to put on disk that counts how often it is packed."""

    def __init__(self) -> None:
        self.packed = 0

    def pack(self) -> bytes:
        self.packed += 1
        return b"%d" % self.packed


def test_records_of_a_turn_share_a_ticket_and_only_the_last_of_each_is_packed() -> None:
    outbox, first, last, done = Outbox(), Counted(), Counted(), []
    tickets = [outbox.persist(b"a", first), outbox.persist(b"b", None), outbox.persist(b"a", last)]
    assert tickets == [1, 1, 1]
    outbox.after(1, done.append, "first")
    assert outbox
    assert outbox.take() == [Persist(1, {b"a": b"1", b"b": None})]
    assert (first.packed, last.packed, bool(outbox)) == (0, 1, False)
    assert outbox.persist(b"a", b"2") == 2
    outbox.after(2, done.append, "second")
    outbox.persisted(1)
    assert done == ["first"]
    outbox.take()
    outbox.persisted(2)
    outbox.after(2, done.append, "at once")
    assert done == ["first", "second", "at once"]


def test_a_record_that_can_wait_is_written_with_one_that_cannot_or_never() -> None:
    outbox = Outbox()
    assert outbox.persist(b"a", b"1", can_wait=True) == 1
    assert not outbox
    assert outbox.take() == []
    assert outbox.persist(b"a", b"2", can_wait=True) == 1
    assert outbox.persist(b"b", b"3") == 1
    assert outbox
    assert outbox.take() == [Persist(1, {b"a": b"2", b"b": b"3"})]
    assert (outbox.persist(b"a", b"4", can_wait=True), bool(outbox)) == (2, False)


def test_a_record_that_can_wait_is_written_as_soon_as_something_waits_for_it() -> None:
    outbox, done = Outbox(), []
    outbox.persist(b"a", b"1")
    outbox.take()
    ticket = outbox.persist(b"b", b"2", can_wait=True)
    outbox.after(1, done.append, "no need of it")
    assert not outbox
    outbox.after(ticket, done.append, "rests on it")
    assert outbox
    assert outbox.take() == [Persist(2, {b"b": b"2"})]
    assert not outbox
    outbox.persisted(2)
    assert done == ["no need of it", "rests on it"]
