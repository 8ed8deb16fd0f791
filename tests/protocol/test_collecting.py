"""Rounds: which deletions are forgotten when, by tables and reports alone; no links, no nodes."""

from __future__ import annotations

from typing import Any

import pytest

from vines._core.table import TOMBSTONE, Progress, Table
from vines.config import Config
from vines.errors import WireError
from vines.protocol.replicas import collecting
from vines.protocol.replicas.collecting import NONE, REPORT, Collecting, Report

KEY = bytes(16)
ROUNDS = collecting._ROUND_MAX
WALL = 1_000_000
INTERVAL = Config(insecure=True).collect_interval


class Member:
    """One member: its tables, and its part in the rounds."""

    def __init__(self, number: int, kind: type[Collecting] = Collecting) -> None:
        self.id = bytes([number]) * 16
        self.kind = kind
        self.others: list[Member] = []
        self.wall = WALL + 1
        self.start(number)

    def start(self, number: int, now: float = 0.0) -> None:
        """Begin anew with nothing, under another source."""
        self.source = bytes([number]) + bytes(15)
        self.control, self.data = (Table(self.source, KEY, KEY) for _ in range(2))
        self.collecting = self.kind(
            Config(insecure=True),
            self.id,
            lambda: self.wall,
            (self.control, self.data),
            lambda: [(other.id, other.source) for other in self.others],
            now,
        )

    def write(self, key: bytes, flags: int = 0) -> None:
        """A write at the wall clock."""
        self.data.write(key, flags, b"", WALL << 16)

    def hear(self, other: Member, *, data: bool = True) -> None:
        """Take all that another one holds and this one lacks."""
        tables = [(self.control, other.control)] + [(self.data, other.data)] * data
        for mine, theirs in tables:
            progress = Progress(theirs)
            progress.read_page(mine.vector().encode())
            while (body := theirs.delta(progress, 65536)) is not None:
                mine.apply(body)

    def held(self) -> list[bytes]:
        """Those held, deleted ones among them."""
        return [record[1] for record in self.data.records()]


class Group:
    """Some members on one clock."""

    def __init__(self, count: int, kind: type[Collecting] = Collecting) -> None:
        self.now = 0.0
        self.members = [Member(number, kind) for number in range(1, count + 1)]
        for member in self.members:
            member.others = [other for other in self.members if other is not member]

    def mix(self, *, data: bool = True, but: tuple[Member, ...] = ()) -> None:
        """All hear all."""
        there = [member for member in self.members if member not in but]
        for member in there:
            for other in there:
                if other is not member:
                    member.hear(other, data=data)
                    member.collecting.reported(self.now)

    def run(self, seconds: float, *, data: bool = True, but: tuple[Member, ...] = ()) -> None:
        """Let time pass, and all hear all again and again."""
        until = self.now + seconds
        while self.now < until:
            self.now += 0.25
            for member in self.members:
                if member not in but:
                    while member.collecting.due() <= self.now:
                        member.collecting.advance(self.now)
            self.mix(data=data, but=but)


def deleted(count: int = 3, kind: type[Collecting] = Collecting) -> Group:
    """Members that all hold a key, and one that deleted it."""
    group = Group(count, kind)
    group.members[0].write(b"k")
    group.mix()
    group.members[-1].write(b"k", TOMBSTONE)
    return group


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_deletion_is_forgotten_by_all_within_a_few_rounds_and_then_nothing_is_said(
    count: int,
) -> None:
    group = deleted(count)
    group.run(4 * INTERVAL)
    assert all(member.held() == [] for member in group.members)
    assert {member.data.floor_stamp >> 16 for member in group.members} == {WALL}
    said = [member.collecting.rounds for member in group.members]
    assert max(said) <= 3
    group.run(10 * INTERVAL)
    assert [member.collecting.rounds for member in group.members] == said
    group.members[0].write(b"l", TOMBSTONE)
    group.run(4 * INTERVAL)
    assert all(member.held() == [] for member in group.members)


def test_who_deletes_nothing_says_nothing() -> None:
    group = Group(3)
    group.members[0].write(b"k")
    group.run(10 * INTERVAL)
    assert [member.collecting.rounds for member in group.members] == [0, 0, 0]


def test_a_member_that_lacks_the_deletion_holds_it_everywhere() -> None:
    group = deleted()
    slow = group.members[0]
    group.mix(but=(slow,))
    group.run(6 * INTERVAL, data=False)
    assert all(member.held() == [b"k"] for member in group.members)
    group.run(4 * INTERVAL)
    assert all(member.held() == [] for member in group.members)


def test_a_member_that_is_away_holds_it_until_it_counts_no_longer() -> None:
    group = deleted()
    away, *there = group.members
    group.run(6 * INTERVAL, but=(away,))
    assert all(member.held() == [b"k"] for member in there)
    for member in there:
        member.others.remove(away)
    group.run(4 * INTERVAL, but=(away,))
    assert all(member.held() == [] for member in there)
    assert away.held() == [b"k"]
    progress = Progress(there[0].data)
    progress.read_page(away.data.vector().encode())
    assert there[0].data.delta(progress, 65536) is None and progress.below_floor


def test_a_member_that_holds_a_record_above_its_vector_holds_it_everywhere() -> None:
    group = deleted()
    far = Table(b"\x09" * 16, KEY, KEY)
    for key in (b"first", b"second"):
        far.write(key, 0, b"", WALL << 16)
    group.members[1].data.apply_page(far.page(0, 65536)[0])
    assert group.members[1].data.strayed
    group.run(6 * INTERVAL)
    assert all(b"k" in member.held() for member in group.members)


def test_a_member_that_misses_some_that_is_retired_holds_it_everywhere() -> None:
    group = deleted()
    missing = group.members[1].collecting
    missing.complete = lambda: False
    group.run(6 * INTERVAL)
    assert all(member.held() == [b"k"] for member in group.members)
    missing.complete = lambda: True
    group.run(4 * INTERVAL)
    assert all(member.held() == [] for member in group.members)


def test_members_that_cover_other_things_of_who_is_gone_wait_for_each_other() -> None:
    group = deleted()
    gone = Table(b"\x09" * 16, KEY, KEY)
    gone.write(b"old", 0, b"", WALL << 16)
    progress = Progress(gone)
    progress.read_page(group.members[0].data.vector().encode())
    group.mix()
    body = gone.delta(progress, 65536)
    assert body is not None
    group.members[0].data.apply(body)
    group.run(6 * INTERVAL, data=False)
    assert all(b"k" in member.held() for member in group.members)
    group.run(6 * INTERVAL)
    assert all(member.held() == [b"old"] for member in group.members)


def test_who_comes_while_deletions_are_being_forgotten_is_not_waited_for() -> None:
    group = deleted(2)
    first, second = group.members
    come = Member(9)
    while first.collecting._pass is None:
        group.run(0.25, but=(first,))
        group.now += 0.25
        first.collecting.advance(group.now)
        group.mix()
        assert first.collecting.waited() == [(second.id, second.source)]
    assert first.held() == [b"k"]
    first.others.append(come)
    assert first.collecting.waited() == [(second.id, second.source)]
    while first.collecting._pass is not None:
        first.collecting.advance(group.now)
    assert first.held() == []
    both = [(each.id, each.source) for each in (second, come)]
    assert first.collecting.waited() == both


def test_a_deletion_stamped_ahead_of_the_clock_waits_for_it() -> None:
    group = deleted()
    for member in group.members:
        member.wall = WALL - 60_000
    group.run(6 * INTERVAL)
    assert all(member.held() == [b"k"] for member in group.members)
    said = [member.collecting.rounds for member in group.members]
    for member in group.members:
        member.wall = WALL + 1
    group.run(collecting.AGAIN_SECONDS + INTERVAL)
    assert all(member.held() == [] for member in group.members)
    assert [member.collecting.rounds for member in group.members] == said


def test_a_member_that_begins_anew_or_writes_as_another_source_takes_part_again() -> None:
    group = deleted()
    group.run(4 * INTERVAL)
    again, other = group.members[0], group.members[1]
    again.start(20, group.now)
    other.source = b"\x21" + bytes(15)
    for table in (other.control, other.data):
        table.adopt(other.source)
    again.data.finish_join(group.members[2].data.floor_pages(65536))
    group.members[2].write(b"l", TOMBSTONE)
    other.write(b"m", TOMBSTONE)
    group.run(8 * INTERVAL)
    assert all(member.held() == [] for member in group.members)


def test_rounds_go_on_while_others_write() -> None:
    group = deleted()
    for number in range(40):
        group.members[number % 3].write(b"n%d" % number)
        group.run(1.0)
    assert all(b"k" not in member.held() and len(member.held()) == 40 for member in group.members)


class Unsure(Collecting):
    """Believes reports that confirm nothing, and counts all as confirmed."""

    def _may_collect(self, known: list[Report], digest: bytes, now: float) -> bool:
        self._cut = self._cut or dict.fromkeys((self._source, *self.sources()), 1 << 40)
        return bool(self._data.tombstones)

    def sources(self) -> list[bytes]:
        return [source for _, source in self._members()]


class Blind(Collecting):
    """Takes no notice of who counts whom, and of what is covered of those who are gone."""

    def _digest(self, reports: dict[bytes, Any]) -> bytes:
        return bytes(16)


@pytest.mark.parametrize(
    ("kind", "test"),
    [
        (Unsure, test_a_member_that_lacks_the_deletion_holds_it_everywhere),
        (Blind, test_members_that_cover_other_things_of_who_is_gone_wait_for_each_other),
    ],
)
def test_a_planted_bug_is_found(
    kind: type[Collecting], test: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "Collecting", kind)
    monkeypatch.setattr(Member.__init__, "__defaults__", (kind,))
    monkeypatch.setattr(Group.__init__, "__defaults__", (kind,))
    monkeypatch.setattr(deleted, "__defaults__", (3, kind))
    with pytest.raises(AssertionError):
        test()


GOLDEN = (
    "0700000000000000"  # round
    "0500000000000000"  # counter
    "0300000000000000"  # of the round before
    "01"  # sure
    "000102030405060708090a0b0c0d0e0f"  # digest
)
"""The value of a report as docs/wire.md has it."""


def test_golden_bytes_of_a_report() -> None:
    value = bytes.fromhex(GOLDEN)
    report = Report(7, 5, 3, True, bytes(range(16)))
    assert report.encode() == value and Report.decode(value) == report
    first = Report(1, 0, NONE, False, bytes(16))
    assert first.encode() == b"\x01" + bytes(15) + b"\xff" * 8 + bytes(17)


def test_every_bit_flip_of_a_report_is_refused_or_is_another_report() -> None:
    value = bytes.fromhex(GOLDEN)
    refused = []
    for bit in range(8 * len(value)):
        flipped = bytearray(value)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            other = Report.decode(bytes(flipped))
        except WireError:
            refused.append(bit)
        else:
            assert other.encode() == flipped and other != Report.decode(value)
    # Rounds from 2**62 on, counters from 2**48 on, or below the one before; marks but the first.
    impossible = {62, 63, *range(64 + 48, 128), *range(193, 200)}
    below = {64 + 2, *range(128 + 2, 192)}
    assert set(refused) == impossible | below


def damaged() -> list[bytes]:
    """Every prefix and every bit flip of a report."""
    value = bytes.fromhex(GOLDEN)
    flips = (value[:at] + bytes([value[at] ^ 1 << bit]) + value[at + 1 :]
             for at in range(len(value)) for bit in range(8))  # fmt: skip
    return [*(value[:length] for length in range(len(value))), *flips]


def test_damaged_reports_of_a_member_make_nobody_forget_what_another_lacks() -> None:
    group = deleted()
    slow, liar, _ = group.members
    group.mix(but=(slow,))
    for number, value in enumerate(damaged()):
        liar.control.put(REPORT, liar.id, 0, value, WALL + 1000 + number)
        group.run(0.5, data=False)
        assert all(member.held() == [b"k"] for member in group.members)


def test_a_report_is_read_as_it_was_written_and_anything_else_is_refused() -> None:
    report = Report(7, 5, 3, True, bytes(range(16)))
    value = report.encode()
    assert Report.decode(value) == report and len(value) == 41
    assert Report.decode(report._replace(previous=NONE, sure=False).encode()).previous == NONE
    for wrong in (
        *(value[:length] for length in range(len(value))),
        value + b"\x00",
        report._replace(round=0).encode(),
        report._replace(round=1 << 63).encode(),
        report._replace(counter=1 << 48, previous=1).encode(),
        report._replace(previous=6).encode(),
        value[:24] + b"\x02" + value[25:],
    ):
        with pytest.raises(WireError):
            Report.decode(wrong)


def test_a_report_that_its_subject_did_not_write_or_that_is_none_counts_as_missing() -> None:
    for forged in (b"", b"\xff" * 41):
        group = deleted()
        liar, victim = group.members[1], group.members[2]
        group.run(0.5)
        liar.control.put(REPORT, victim.id, 0, forged, (1 << 63) - 1)
        group.run(6 * INTERVAL)
        assert all(member.held() == [b"k"] for member in group.members), "nobody collects"
        liar.control.put(REPORT, liar.id, 0, forged, (1 << 63) - 1)
        group.run(INTERVAL)


# -- rounds far ahead


@pytest.mark.parametrize("number", [1000, ROUNDS // 2, ROUNDS // 2 + 9, ROUNDS - 1, ROUNDS])
def test_a_report_of_a_round_far_ahead_stops_nobody_once_its_author_is_gone(number: int) -> None:
    """Wherever the count of rounds is brought to, it goes on from there, and from its end to 1."""
    group = deleted(4)
    group.run(2 * INTERVAL)
    *others, liar = group.members
    far = Report(number, liar.data.counter, NONE, True, bytes(16)).encode()
    held = liar.control.get(REPORT, liar.id)
    assert held is not None
    liar.control.put(REPORT, liar.id, 0, far, held[0] + 1)
    group.mix()
    group.run(2 * INTERVAL, but=(liar,))
    for member in others:
        member.others = [each for each in others if each is not member]
    for name in (b"l", b"m", b"n"):
        others[1].write(name)
        group.mix(but=(liar,))
        others[2].write(name, TOMBSTONE)
        group.run(6 * INTERVAL, but=(liar,))
        assert [member.held() for member in others] == [[], [], []]


def test_rounds_are_counted_in_a_circle() -> None:
    assert collecting.after(ROUNDS) == 1 and collecting.after(1) == 2
    assert collecting.ahead(1, ROUNDS) == 1 and collecting.ahead(ROUNDS, 1) == -1
    assert collecting.ahead(7, 5) == 2 and collecting.ahead(5, 5) == 0
    first = Report(1, 5, 3, True, bytes(16))
    assert (first.counter_of(1), first.counter_of(ROUNDS), first.counter_of(2)) == (5, 3, None)
