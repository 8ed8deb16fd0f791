"""Announcing instead of sending: what is named, what follows, and that it is no knowledge."""

from __future__ import annotations

import random
from typing import Any

import pytest

from vines.errors import WireError

from .forms import TOMBSTONE
from .kinds import CORE, A, B, C, frame, link, new, page, record, span, state
from .reading import read_delta, read_vector
from .schedules import STEPS, Schedule

ROOM = 4096


def items(announcement: bytes | None) -> dict[bytes, int]:
    """What an announcement names."""
    assert announcement is not None
    mark, named = read_vector(announcement)
    assert mark == 3
    return dict(named)


def wrote(source: bytes, count: int) -> Any:
    """A table with so many writes of its own."""
    table = new(CORE, source)
    for number in range(count):
        table.put(0, b"%s%d" % (source[:1], number), 0, b"v", number + 1)
    return table


def test_what_is_not_known_to_be_held_is_named_once() -> None:
    table = wrote(A, 3)
    progress = link(CORE, table)
    assert items(table.announce(progress, ROOM)) == {A: 3}
    assert table.announce(progress, ROOM) is None
    table.put(0, b"more", 0, b"v", 9)
    assert items(table.announce(progress, ROOM)) == {A: 4}


def test_what_was_sent_is_not_announced_and_the_other_way_round() -> None:
    table = wrote(A, 3)
    progress = link(CORE, table)
    assert table.delta(progress, ROOM)
    assert table.announce(progress, ROOM) is None
    table.put(0, b"more", 0, b"v", 9)
    assert table.announce(progress, ROOM)
    assert table.delta(progress, ROOM) is None


def forgetful() -> Any:
    """A table that holds what B wrote at 1 and deleted at 2, and another write of B."""
    table = new(CORE, A)
    table.put(0, b"a", 0, b"v", 1)
    entry = record(b"k", 2, B, 1)
    table.apply(frame(span(B, 0, 1, (1, entry))))
    table.put(0, b"k", TOMBSTONE, b"", 3)
    table.apply(frame(span(B, 1, 2, (2, record(b"l", 4, B, 2)))))
    return table


def forget(table: Any) -> None:
    """All deletions are known to everybody who counts."""
    cut = table.vector()
    table.collect_stable(cut, cut, 1 << 40, 0, 100)
    assert table.floor(A) == 2


def test_what_was_announced_is_not_known_to_be_held_when_deletions_are_forgotten() -> None:
    table = forgetful()
    progress = link(CORE, table, (A, 1))
    assert items(table.announce(progress, ROOM)) == {A: 2, B: 2}
    forget(table)
    progress.rewind(page((B, 0)))
    # Of B's first position there is only the deletion, which is A's, and the peer may lack it.
    assert table.delta(progress, ROOM) is None
    assert progress.doubtful and not progress.below_floor
    progress.read_page(page((A, 1)))
    assert table.delta(progress, ROOM) is None
    assert progress.below_floor and not progress.doubtful


def test_who_does_hold_what_was_announced_is_sent_more_once_it_said_so() -> None:
    table = forgetful()
    progress = link(CORE, table, (A, 1))
    assert table.announce(progress, ROOM)
    forget(table)
    progress.rewind(page((B, 1)))
    assert table.delta(progress, ROOM) is None and progress.doubtful
    progress.read_page(page((A, 2), (B, 1)))
    sent = table.delta(progress, ROOM)
    assert sent is not None and [each.source for each in read_delta(sent)] == [B]


def test_what_was_forgotten_before_the_announcement_makes_no_doubt() -> None:
    table = forgetful()
    forget(table)
    progress = link(CORE, table, (A, 2))
    assert items(table.announce(progress, ROOM)) == {B: 2}
    progress.rewind(page((B, 1)))
    assert table.delta(progress, ROOM) and not progress.doubtful


def test_nothing_is_announced_below_a_floor() -> None:
    table = forgetful()
    forget(table)
    progress = link(CORE, table, (A, 1))
    assert table.announce(progress, ROOM) is None and progress.below_floor


def test_nothing_is_announced_to_one_whose_vector_has_not_come() -> None:
    table = wrote(A, 1)
    assert table.announce(CORE.progress(table), ROOM) is None


def test_nobody_is_told_of_what_it_wrote_itself() -> None:
    table = wrote(A, 1)
    progress = link(CORE, table)
    progress.belongs(B)
    table.apply(frame(span(B, 0, 1, (1, record(b"b", 1, B, 1)))))
    table.apply(frame(span(C, 0, 1, (1, record(b"c", 1, C, 1)))))
    assert items(table.announce(progress, ROOM)) == {A: 1, C: 1}


def test_what_is_sent_anyhow_is_left_out() -> None:
    table = wrote(A, 2)
    table.apply(frame(span(C, 0, 1, (1, record(b"c", 1, C, 1)))))
    progress = link(CORE, table)
    assert items(table.announce(progress, ROOM, True)) == {C: 1}
    sent = table.delta(progress, ROOM, True)
    assert [(each[0], each[2]) for each in read_delta(sent)] == [(A, 2)]
    assert table.delta(progress, ROOM) is None


def test_what_was_passed_over_is_sent_after_a_resumption() -> None:
    table = wrote(A, 1)
    table.apply(frame(span(C, 0, 1, (1, record(b"c", 1, C, 1)))))
    progress = link(CORE, table)
    assert [each[0] for each in read_delta(table.delta(progress, ROOM, True))] == [A]
    assert table.delta(progress, ROOM) is None
    progress.resume()
    assert [each[0] for each in read_delta(table.delta(progress, ROOM))] == [C]


def test_many_sources_are_announced_in_pages_and_each_once() -> None:
    table = wrote(A, 1)
    for number in range(100):
        source = number.to_bytes(16, "big")
        table.apply(frame(span(source, 0, 1, (1, record(b"%d" % number, 1, source, 1)))))
    progress = link(CORE, table)
    named: list[bytes] = []
    while (part := table.announce(progress, 256)) is not None:
        assert len(part) <= 256
        named += items(part)
    assert sorted(named) == sorted(dict(table.vector().items()))


def test_a_link_that_the_arrival_log_does_not_reach_hears_of_all_it_lacks() -> None:
    table = new(CORE, A, horizon=1)
    progress = link(CORE, table)
    for source in (B, C):
        table.apply(frame(span(source, 0, 1, (1, record(source, 1, source, 1)))))
        assert items(table.announce(progress, ROOM)) == {source: 1}
    for counter in (2, 3):
        for source in (B, C):
            more = record(source, counter, source, counter)
            table.apply(frame(span(source, counter - 1, counter, (counter, more))))
    assert items(table.announce(progress, ROOM)) == {B: 3, C: 3}


def test_what_is_heard_is_a_hint_about_the_peer_and_says_what_is_missing() -> None:
    table = wrote(A, 2)
    table.apply(frame(span(B, 0, 1, (1, record(b"b", 1, B, 1)))))
    progress = link(CORE, table)
    before = state(table)
    assert table.hear(page((A, 9), (B, 1), (C, 4)), 0, progress) == [(C, 4)]
    assert table.hear(page((B, 3)), 0, progress) == [(B, 3)]
    assert state(table) == before
    assert (progress.known_of(B), progress.known_of(C)) == (3, 4)
    assert table.announce(progress, ROOM) is None


def mutants(data: bytes) -> list[bytes]:
    """Every prefix, every bit flip, every byte left out."""
    found = [data[:length] for length in range(len(data))]
    for at in range(len(data)):
        found += [data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :] for bit in range(8)]
        found.append(data[:at] + data[at + 1 :])
    return found


def test_no_mutation_of_an_announcement_changes_the_table() -> None:
    table = wrote(A, 2)
    progress = link(CORE, table)
    before = state(table)
    refused = 0
    for mutant in mutants(page((A, 1), (B, 3), (C, 300))):
        try:
            table.hear(mutant, 0, progress)
        except WireError:
            refused += 1
        assert state(table) == before
    assert refused


def test_another_tables_progress_is_refused() -> None:
    table, other = wrote(A, 1), wrote(B, 1)
    with pytest.raises(ValueError, match="another table"):
        table.announce(link(CORE, other), ROOM)
    with pytest.raises(ValueError, match="another table"):
        table.hear(page(), 0, link(CORE, other))


def test_a_delta_says_how_much_of_it_was_new() -> None:
    table = new(CORE, A)
    three = [(number, record(b"%d" % number, number, B, number)) for number in (1, 2, 3)]
    table.apply(frame(span(B, 0, 2, *three[:2])))
    assert (table.fresh, table.repeated) == (2, 0)
    table.apply(frame(span(B, 0, 3, *three)))
    assert (table.fresh, table.repeated) == (1, 2)
    table.apply(frame(span(B, 0, 3, *three)))
    assert (table.fresh, table.repeated) == (0, 3)
    table.apply(frame(span(B, 7, 8, (8, record(b"8", 8, B, 8)))))
    assert (table.fresh, table.repeated) == (0, 0)


def test_one_body_serves_all_who_lack_the_same() -> None:
    table = wrote(A, 3)
    one, two, behind = link(CORE, table, (A, 1)), link(CORE, table, (A, 1)), link(CORE, table)
    for progress in (one, two, behind):
        table.delta(progress, ROOM)
    table.put(0, b"more", 0, b"v", 9)
    sent = table.delta(one, ROOM)
    assert table.delta(two, ROOM) is sent
    assert table.delta(behind, ROOM) is sent
    assert [progress.known_of(A) for progress in (one, two, behind)] == [4, 4, 4]
    assert table.delta(two, ROOM) is None
    assert table.statistics()["shares"] == 2


def test_a_body_does_not_serve_who_lacks_more_or_after_a_write() -> None:
    table = wrote(A, 1)
    one, two, three = (link(CORE, table) for _ in range(3))
    for progress in (one, two, three):
        table.delta(progress, ROOM)
    table.put(0, b"more", 0, b"v", 9)
    sent = table.delta(one, ROOM)
    three.rewind(page((A, 0)))
    assert read_delta(table.delta(three, ROOM))[0][1:3] == (0, 2)
    table.put(0, b"more", 0, b"w", 10)
    later = table.delta(two, ROOM)
    assert later != sent
    assert [each[1:3] for each in read_delta(later)] == [(1, 2), (2, 3)]


def test_a_body_cut_by_its_budget_is_shared_part_by_part() -> None:
    table = wrote(A, 1)
    links = [link(CORE, table) for _ in range(3)]
    for progress in links:
        table.delta(progress, ROOM)
    for number in range(50):
        table.put(0, b"key%d" % number, 0, bytes(30), 100 + number)
    rounds = 0
    while (sent := table.delta(links[0], 300)) is not None:
        assert all(table.delta(progress, 300) is sent for progress in links[1:])
        rounds += 1
    assert rounds > 5
    assert all(table.delta(progress, 300) is None for progress in links)


class Pruned(Schedule):
    """Frames, and beside them announcements, grafts, and links on which only own writes go."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, [CORE])
        self.thin: set[int] = set()

    def run_pruned(self, steps: int) -> None:
        more = {"announce": 10, "push_mine": 5, "push_all": 3}
        kinds = STEPS | more
        for name in self.choose.choices(list(kinds), list(kinds.values()), k=steps):
            getattr(self, name)()
        self.world.heal(4096)

    def push(self) -> None:
        self._thicken()
        super().push()

    def push_all(self) -> None:
        """Whatever is missing to every link of one replica, then a write: bodies are shared."""
        self._thicken()
        at, budget = self._at(), self.choose.choice([70, 200, 4096])
        for _ in range(2):
            for sender, receiver in list(self.world.links):
                while sender == at and self.world.push(sender, receiver, budget):
                    pass
            record = self._record()
            self.world.write(at, *record, 0, self._left(record[1]))

    def push_mine(self) -> None:
        pair = self._link()
        if pair is None:
            return
        way, table = self.world.links[pair], self.world.replicas[pair[0]].table
        sent = table.delta(way.progress, self.choose.choice([70, 200, 4096]), True)
        self.thin.add(id(way))
        if sent is not None:
            own = [each[0] for each in read_delta(sent)]
            for source, _, end, _ in read_delta(sent):
                way.note(source, end)
            assert set(own) <= {table.source}
            way.frames.append(sent)
            self.world.saw("own writes alone")

    def announce(self) -> None:
        pair = self._link()
        back = pair and self.world.links.get((pair[1], pair[0]))
        if not pair or not back:
            return
        table, other = (self.world.replicas[at].table for at in pair)
        progress = self.world.links[pair].progress
        said = table.announce(progress, self.choose.choice([64, 200]), self.choose.random() < 0.3)
        if said is None:
            return
        before = state(other)
        named = read_vector(said)[1]
        for source, counter in named:
            self.world.links[pair].note(source, counter)
            back.note(source, counter)
        missing = other.hear(said, 0, back.progress)
        assert state(other) == before, "an announcement is no knowledge"
        held = dict(other.vector().items())
        lacked = [each for each in named if each[1] > held.get(each[0], 0)]
        assert missing == [each for each in lacked if each[0] != other.source]
        self.world.saw("announced")
        if missing and self.choose.random() < 0.7:
            progress.rewind(page(*((source, held.get(source, 0)) for source, _ in missing)))
            self.world.saw("grafted")

    def _thicken(self) -> None:
        for each in self.world.links.values():
            if id(each) in self.thin:
                each.progress.resume()
        self.thin.clear()


def test_whatever_is_pruned_covered_means_held_and_everything_arrives() -> None:
    seen: dict[str, int] = {}
    shares = 0
    for seed in range(150):
        schedule = Pruned(seed)
        schedule.run_pruned(150)
        shares += sum(each.table.statistics()["shares"] for each in schedule.world.replicas)
        for name, count in schedule.world.seen.items():
            seen[name] = seen.get(name, 0) + count
    assert shares > 20
    assert min(seen[name] for name in ("announced", "grafted", "own writes alone")) > 100


def told(delta: bytes | None) -> list[tuple[bytes, int, object]]:
    """What a delta says of which position."""
    ranges = read_delta(delta) if delta else []
    return [(source, number, held) for source, _, _, part in ranges for number, held in part]


def test_a_shared_body_is_what_would_have_been_written_anew() -> None:
    """A twin that is told the same, and whose bodies are never shared."""
    chance = random.Random(5)
    table, twin = new(CORE, A), new(CORE, A)
    links = [(link(CORE, table), link(CORE, twin)) for _ in range(4)]
    for step in range(2000):
        if chance.random() < 0.3:
            key = b"%d" % chance.randrange(40)
            for each in (table, twin):
                each.put(0, key, 0, bytes(chance.randrange(1)) or b"v", step + 1)
        one, two = chance.choice(links)
        twin.delta(link(CORE, twin), 60)  # what another lacks: the body kept is no longer this one
        assert told(table.delta(one, ROOM)) == told(twin.delta(two, ROOM))
    assert table.statistics()["shares"] > 50
    assert twin.statistics()["shares"] == 0
