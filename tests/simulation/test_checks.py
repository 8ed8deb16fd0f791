"""The checks are awake: each invariant is broken on purpose and has to be noticed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.core.forms import write_floors
from vines._core.changes import Changes
from vines._core.table import ENDED, EPHEMERAL, EXPIRING, HIDDEN, MEMBER, SHOWN, TOMBSTONE, Table
from vines.events import Flushed, Join, KeysChanged, Member
from vines.protocol.members.accusations import ACCUSATION
from vines.protocol.replicas.collecting import REPORT
from vines.protocol.replicas.leftovers import RETIRED
from vines.simulation import Simulation, Violation, checks, rest
from vines.simulation.checks import STATE, Watch
from vines.simulation.frames import NAMES
from vines.simulation.oracle import ControlOracle, Oracle, Written, lapsed
from vines.simulation.rest import check_joiner, check_lapsed, check_rest

SOURCE = b"s" * 16
OTHER = b"t" * 16
MEMBER_ID = b"m" * 16


def written(counter: int, *, key: bytes = b"k", stamp: int | None = None, **more: Any) -> Written:
    record = Written(0, key, counter if stamp is None else stamp, SOURCE, SOURCE, counter, 0, b"v")
    return record._replace(**more)


class Gone(dict[bytes, tuple[int, int]]):
    """Sources that are retired."""

    forgotten = until = 0


@dataclass
class Bare:
    """A table that says whatever the test wants."""

    held: list[Written] = field(default_factory=list)
    counters: dict[bytes, int] = field(default_factory=dict)
    floors: dict[bytes, int] = field(default_factory=dict)
    sequence: int = 0
    lapses: int = 0
    collected: int = 0
    recounting: bool = False
    gone: Gone = field(default_factory=Gone)

    def is_retired(self, source: bytes) -> bool:
        return source in self.gone

    def __len__(self) -> int:
        return len(self.held)

    def counts_in(self, source: bytes) -> bool:
        return self.counters.get(source, 0) > 0

    def fingerprint(self) -> bytes:
        return repr((self.held, self.counters, self.floors)).encode()

    def records(self) -> list[tuple[Any, ...]]:
        return sorted(tuple(record) for record in self.held)

    def vector(self) -> dict[bytes, int]:
        return dict(self.counters)

    def counted(self) -> list[tuple[bytes, int]]:
        return list(self.counters.items())

    def floor(self, source: bytes) -> int:
        return self.floors.get(source, 0)

    def covered(self, source: bytes) -> int:
        return self.counters.get(source, 0)

    def get(self, family: int, key: bytes) -> tuple[int, bytes, int, bytes] | None:
        found = (each for each in self.held if each.key_ == (family, key))
        return next(((each[2], each[3], each[6], each[7]) for each in found), None)

    def recount(self, limit: int) -> bool:
        """What it says of strays is said, not counted."""
        return limit < 0


@pytest.fixture
def oracle() -> Oracle:
    """Three writes of one source: k, other, and k again."""
    oracle = Oracle()
    for record in (written(1), written(2, key=b"other"), written(3)):
        oracle.wrote(record)
    return oracle


def watch(oracle: Oracle, table: Bare) -> Watch:
    return Watch("it", table, oracle)  # type: ignore[arg-type]


def test_what_is_true_passes(oracle: Oracle) -> None:
    table = Bare([written(1)], {SOURCE: 1})
    watching = watch(oracle, table)
    assert watching.check()
    assert not watching.check()
    table.held, table.counters = [written(3), written(2, key=b"other")], {SOURCE: 3}
    assert watching.check()
    watching.check_everything()


@pytest.mark.parametrize(
    ("held", "counter", "complaint"),
    [
        ([], 1, "holds nothing"),
        ([written(1), written(2, key=b"other")], 3, "with stamp 3, but holds b'k'"),
        ([written(3), written(2, key=b"other")], 4, "never issued"),
        ([written(1, value=b"forged")], 1, r"holds b'k' .*, but b'k'"),
        ([written(1, stamp=9)], 1, "nobody wrote that"),
        ([written(1)._replace(counter=2)], 0, r"from 73737373 2.*, but b'k'.*from 73737373 1"),
    ],
)
def test_what_is_not_true_is_noticed(
    oracle: Oracle, held: list[Written], counter: int, complaint: str
) -> None:
    with pytest.raises(Violation, match=complaint):
        watch(oracle, Bare(held, {SOURCE: counter})).check()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch, oracle: Oracle) -> tuple[Watch, Bare]:
    """A table so large that the next two steps do without a look at the whole."""
    monkeypatch.setattr(checks, "LARGE", 1)
    for counter, key in enumerate((b"three", b"four"), start=4):
        oracle.wrote(written(counter, key=key))
    held = [written(3), written(2, key=b"other")]
    table = Bare(held, {SOURCE: 3, OTHER: 0, b"u" * 16: 0})
    watching = watch(oracle, table)
    watching._glances = [9, 9]
    assert watching.check()
    assert watching._glances == [0, 0]
    return watching, table


@pytest.mark.parametrize(
    ("came", "complaint"),
    [
        ([], "holds nothing"),
        ([written(4, key=b"three", value=b"forged")], "but b'three'"),
        ([written(4, key=b"three", stamp=99)], "nobody wrote that"),
    ],
)
def test_what_came_to_be_covered_in_a_large_table_is_checked_at_once(
    large: tuple[Watch, Bare], came: list[Written], complaint: str
) -> None:
    watching, table = large
    table.held = [*table.held, *came]
    table.counters = {**table.counters, SOURCE: 4}
    with pytest.raises(Violation, match=complaint):
        watching.check()


def test_what_is_right_in_a_large_table_passes_and_what_falls_is_noticed_at_once(
    large: tuple[Watch, Bare],
) -> None:
    watching, table = large
    table.held = [*table.held, written(4, key=b"three")]
    table.counters = {**table.counters, SOURCE: 4}
    assert watching.check()
    assert watching.held[0, b"three"] == written(4, key=b"three")
    table.counters = {**table.counters, SOURCE: 3}
    with pytest.raises(Violation, match="up to 4, now 3"):
        watching.check()


@pytest.mark.parametrize("what", ["a record", "a source"])
def test_what_a_large_table_lost_is_noticed_by_the_next_look_at_the_whole(
    large: tuple[Watch, Bare], what: str
) -> None:
    watching, table = large
    if what == "a record":
        table.held = table.held[1:]
    else:
        del table.counters[OTHER]
    for _ in range(2):
        table.sequence += 1
        assert watching.check()
    table.sequence += 1
    with pytest.raises(Violation, match=r"lost b'k'|forgot"):
        watching.check()


def test_a_write_below_what_its_author_knew_of_is_noticed(oracle: Oracle) -> None:
    low = written(1, source=OTHER, origin=OTHER, stamp=2)
    oracle.wrote(low, lambda source: 1 if source == SOURCE else 0)  # of (s, 3) it did not know
    with pytest.raises(Violation, match=r"K3: .* is not above"):
        oracle.wrote(low._replace(counter=2), lambda _: 3)


def expiring(**more: Any) -> Written:
    return written(1, flags=EXPIRING, **more)


class Stated(Bare):
    """With a fingerprint whose end is that of the state."""

    state = b""

    def fingerprint(self) -> bytes:
        return bytes(STATE) + self.state


def test_a_lapse_passes_once_and_is_not_taken_back() -> None:
    oracle = Oracle()
    oracle.wrote(expiring())
    table = Stated([expiring()], {SOURCE: 1})
    watching = watch(oracle, table)
    watching.check()
    table.held, table.lapses = [lapsed(expiring())], 1
    assert watching.check()
    table.held, table.lapses = [expiring()], 2
    with pytest.raises(Violation, match="replaced b'k'"):
        watching.check()


def test_a_lapse_of_what_does_not_expire_is_noticed(oracle: Oracle) -> None:
    table = Stated([written(1)], {SOURCE: 1})
    watching = watch(oracle, table)
    watching.check()
    table.held, table.lapses = [lapsed(written(1))], 1
    with pytest.raises(Violation, match="replaced b'k'"):
        watching.check()


def test_a_lapse_that_changes_the_fingerprint_is_noticed() -> None:
    oracle = Oracle()
    oracle.wrote(expiring())
    table = Stated([expiring()], {SOURCE: 1})
    watching = watch(oracle, table)
    watching.check()
    table.held, table.lapses, table.state = [lapsed(expiring())], 1, b"another"
    with pytest.raises(Violation, match="a lapse changed the fingerprint"):
        watching.check()


def test_who_comes_late_and_holds_a_key_for_longer_is_noticed() -> None:
    simulation = Simulation(seed=1, nodes=3)
    simulation.settle()
    first = simulation.nodes[0]
    first.gossip("k", 1, ttl=60)
    simulation.run(10)
    simulation.nodes[2].restart()
    simulation.run(5)
    processes = simulation.processes
    check_joiner(processes[2], processes[:2], 5)
    late = processes[2].node.data
    late.put(0, b"k", EXPIRING, b"\x01", 1 << 62, 60_000)
    with pytest.raises(Violation, match="came late"):
        check_joiner(processes[2], processes[:2], 5)


def test_a_key_that_is_still_there_is_noticed() -> None:
    simulation = Simulation(seed=1, nodes=2)
    simulation.settle()
    simulation.nodes[0].gossip("k", 1, ttl=5)
    simulation.run(4)
    with pytest.raises(Violation, match="still shows"):
        check_lapsed(simulation)
    simulation.run(2)
    check_lapsed(simulation)
    simulation.settle()


@pytest.mark.parametrize(
    ("held", "counters", "floors", "complaint"),
    [
        ([written(1), written(2, key=b"other")], {SOURCE: 3}, {SOURCE: 1}, "replaced b'k'"),
        ([written(3)], {SOURCE: 3}, {SOURCE: 1}, "lost b'other'"),
        (None, {SOURCE: 2}, {SOURCE: 1}, "covered .* up to 3, now 2"),
        (None, {}, {SOURCE: 1}, "forgot"),
        (None, {SOURCE: 3}, {}, "the floor of .* is 0"),
        (None, {SOURCE: 3}, {SOURCE: 4}, "the floor of .* is 4"),
    ],
)
def test_what_falls_is_noticed(
    oracle: Oracle,
    held: list[Written] | None,
    counters: dict[bytes, int],
    floors: dict[bytes, int],
    complaint: str,
) -> None:
    table = Bare([written(3), written(2, key=b"other")], {SOURCE: 3}, {SOURCE: 1})
    watching = watch(oracle, table)
    watching.check()
    table.held, table.counters, table.floors = held or table.held, counters, floors
    with pytest.raises(Violation, match=complaint):
        watching.check()


def test_a_key_lost_while_another_comes_is_noticed(oracle: Oracle) -> None:
    table = Bare([written(1)], {SOURCE: 1})
    watching = watch(oracle, table)
    watching.check()
    table.held = [written(2, key=b"other")]
    with pytest.raises(Violation, match="lost b'k'"):
        watching.check()


def test_a_collected_key_may_be_gone_but_not_come_back(oracle: Oracle) -> None:
    table = Bare([written(1)], {SOURCE: 1})
    watching = watch(oracle, table)
    watching.check()
    watching.forget((0, b"k"))
    table.held = []
    watching.check_everything()
    table.held = [written(1)]
    with pytest.raises(Violation, match="which was collected"):
        watching.check()


def deletion() -> Written:
    return written(1, stamp=5, source=OTHER, origin=OTHER, flags=TOMBSTONE, value=b"")


@dataclass
class Deleted:
    """A key that is written and deleted, and three tables: who lacks the deletion, who has
    forgotten it, and the one to look at, which holds what was deleted.
    """

    oracle: Oracle = field(default_factory=Oracle)
    tables: list[Bare] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.oracle.collects = True
        self.oracle.tables = lambda: self.tables  # type: ignore[assignment, return-value]
        self.oracle.wrote(written(1), lambda _: 1)
        self.oracle.wrote(deletion(), lambda _: 1)
        self.tables += [Bare([written(1)], {SOURCE: 1}), Bare([deletion()], {SOURCE: 1, OTHER: 1})]
        forgets = watch(self.oracle, self.tables[1])
        forgets.check()
        self.tables[1].held, self.tables[1].floors = [], {OTHER: 1}
        forgets.check_everything()
        self.tables.append(Bare([written(1)], {SOURCE: 1}))
        self.watch = watch(self.oracle, self.tables[2])
        self.watch.check()


def test_a_join_takes_away_what_was_deleted_for_good_and_its_floor_covers_that() -> None:
    deleted = Deleted()
    deleted.tables[2].held = []
    deleted.tables[2].counters = {SOURCE: 1, OTHER: 1}
    deleted.tables[2].floors = {OTHER: 1}
    deleted.watch.check_everything()


def test_a_record_that_goes_because_it_was_overwritten_elsewhere_is_noticed() -> None:
    oracle = Oracle()
    oracle.collects = True
    oracle.wrote(written(1))
    oracle.wrote(written(1, stamp=5, source=OTHER, origin=OTHER))
    table = Bare([written(1)], {SOURCE: 1})
    watching = watch(oracle, table)
    watching.check()
    table.held = []
    with pytest.raises(Violation, match="lost b'k'"):
        watching.check()


def test_a_record_that_goes_though_nobody_knew_of_it_is_noticed() -> None:
    deleted = Deleted()
    deleted.tables[1].counters = {OTHER: 1}
    deleted.tables[2].held = []
    with pytest.raises(Violation, match="lost b'k'"):
        deleted.watch.check()


@pytest.mark.parametrize("counters", [{SOURCE: 1}, {SOURCE: 1, OTHER: 1}])
def test_what_is_covered_because_of_a_deletion_that_never_came_is_noticed(
    counters: dict[bytes, int],
) -> None:
    deleted = Deleted()
    late = Bare([], counters)
    with pytest.raises(Violation, match=r"covers .* but holds nothing"):
        watch(deleted.oracle, late).check()


def test_a_join_names_no_deletion_only_if_it_was_forgotten_while_the_join_was_under_way() -> None:
    oracle = Oracle()
    first, next_, after = (Bare() for _ in range(3))
    joins = watch(oracle, first)
    joins.asked()
    deleted = Deleted(oracle)
    for table in (first, next_, after):
        table.counters, table.floors = {SOURCE: 1}, {SOURCE: 1}
    late = watch(oracle, after)
    late.asked()
    with pytest.raises(Violation, match=r"covers .* but holds nothing"):
        late.check()
    assert joins.check()
    joins.check_everything()
    # Who joins that one, before it joins once more, has it from there.
    assert watch(deleted.oracle, next_).check()
    first.floors = {}
    with pytest.raises(Violation, match=r"the floor of|covers .* but holds nothing"):
        joins.check_everything()


def test_a_join_names_no_deletion_of_which_its_giver_was_told_while_it_was_under_way() -> None:
    deleted = Deleted()
    joins = watch(deleted.oracle, Bare([], {SOURCE: 1}, {SOURCE: 1}))
    joins.asked()
    giver = watch(deleted.oracle, Bare([], {SOURCE: 1, OTHER: 1}, {SOURCE: 1, OTHER: 1}))
    assert giver.check()
    assert joins.check()
    late = watch(deleted.oracle, Bare([], {SOURCE: 1}, {SOURCE: 1}))
    deleted.oracle.unnamed.clear()
    late.asked()
    with pytest.raises(Violation, match=r"covers .* but holds nothing"):
        late.check()


@pytest.mark.parametrize(
    ("until", "counters", "held", "forgotten"),
    [
        (1, {}, [], True),
        (0, {}, [], False),
        (1, {OTHER: 1}, [], False),
        (1, {}, [written(1)], False),
        (1, {}, [deletion()], False),
        (1, {}, [written(2, stamp=deletion().stamp + 1)], True),
    ],
)
def test_a_deletion_says_no_more_what_won_once_nobody_has_its_source_or_what_it_won_over(
    until: int, counters: dict[bytes, int], held: list[Written], forgotten: bool
) -> None:
    deleted = Deleted()
    late, other = Bare([], {SOURCE: 1}), Bare(held, counters)
    late.gone.until = until
    deleted.oracle.running = lambda: [("it", late), ("other", other)]  # type: ignore[list-item]
    watching = watch(deleted.oracle, late)
    if forgotten:
        watching.check()
        return
    with pytest.raises(Violation, match=r"covers .* but holds nothing"):
        watching.check()


def test_a_join_is_seen_to_begin() -> None:
    simulation = Simulation(1, nodes=2, config={"log_slack": 0, "horizon": 1})
    first, second = simulation.nodes
    for number in range(50):
        first.gossip("k", number)
    simulation.data.forgettings = 7
    second.restart()
    simulation.settle()
    assert second.process is not None
    assert simulation.counts["frame_join"]
    assert second.process.watches[1]._asked == 7


@pytest.mark.parametrize(("ephemeral", "retired"), [(False, True), (True, True), (True, False)])
def test_what_ended_elsewhere_may_be_there_if_a_clock_ends_it_or_its_owner_is_gone_for_nobody(
    ephemeral: bool, retired: bool
) -> None:
    simulation = Simulation(1, nodes=2, config={"collect_interval": 3600.0})
    simulation.nodes[0].gossip("k", 1, None if ephemeral else 3600.0, ephemeral=ephemeral)
    simulation.run(2)
    simulation.settle()
    (held,) = simulation.data.records.values()
    simulation.data.collected(lapsed(held))
    if retired:
        simulation.processes[1].node.control.gone.say(held.origin, 1, 1)
    if ephemeral and retired:
        with pytest.raises(Violation, match=r"K4: .* is back"):
            check_rest(simulation)
    else:
        check_rest(simulation)


def test_a_record_that_would_end_by_itself_and_goes_before_it_does_is_noticed() -> None:
    oracle = Oracle()
    oracle.collects = True
    oracle.wrote(expiring())
    table = Bare([expiring()], {SOURCE: 1})
    watching = watch(oracle, table)
    watching.check()
    table.held = []
    with pytest.raises(Violation, match="lost b'k'"):
        watching.check()


@pytest.mark.parametrize(
    ("family", "covered", "known", "wrong"),
    [
        (ACCUSATION, 1, False, False),
        (ACCUSATION, 0, False, True),
        (ACCUSATION, 1, True, True),
        (0, 1, False, True),
    ],
)
def test_what_is_left_of_an_accusation_may_lack_where_it_was_answered_as_it_came(
    family: int, covered: int, known: bool, wrong: bool
) -> None:
    left = written(1, key=MEMBER_ID + OTHER, family=family, flags=ENDED, value=b"")
    member = written(2, key=MEMBER_ID, family=MEMBER)
    holder = watch(ControlOracle(), Bare([left, member] if known else [left], {SOURCE: 2}))
    lacking = watch(ControlOracle(), Bare([member] if known else [], {SOURCE: covered}))
    for each in (holder, lacking):
        each.held = {record.key_: record for record in map(Written._make, each.table.records())}
    contents = [rest._content(each, set()) for each in (holder, lacking)]

    def check() -> None:
        rest._check_deletions(holder, contents[0], lacking, contents[1])

    if wrong:
        with pytest.raises(Violation, match="lacks the deletion"):
            check()
    else:
        check()


def test_deletions_that_two_hold_and_a_third_lacks_are_noticed() -> None:
    simulation = Simulation(1, nodes=3, config={"collect_interval": 3600.0})
    first, second, third = simulation.nodes
    first.gossip("k", 1)
    simulation.run(2)
    second.delete("k")
    simulation.settle()
    assert third.process is not None
    third.process.watches[1].table = Without(third.process.node.data)  # type: ignore[assignment]
    with pytest.raises(Violation, match=r"node-3\.0 data lacks the deletion"):
        rest._check_equal(simulation.processes)


class Without:
    """A table that does not tell of its deletions."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def records(self) -> list[tuple[Any, ...]]:
        return [record for record in self._table.records() if not record[6] & TOMBSTONE]


def test_what_a_deletion_knew_of_and_is_there_at_rest_is_noticed() -> None:
    simulation = Simulation(1, nodes=2, config={"collect_interval": 3600.0})
    first, second = simulation.nodes
    first.gossip("k", 1)
    simulation.run(2)
    simulation.settle()
    (held,) = simulation.data.records.values()
    late = held._replace(
        stamp=held.stamp + 1, source=OTHER, origin=OTHER, counter=1, flags=TOMBSTONE, value=b""
    )
    simulation.data.wrote(late, lambda _: held.counter)
    simulation.data.collected(late)
    check_rest(simulation)  # whoever knew has ended
    assert second["k"] == 1
    for process in simulation.processes:
        process.node.data.finish_join([bytes(write_floors([(OTHER, 1, 1)], stamp=1).data)])
    with pytest.raises(Violation, match=r"K4: .* is back"):
        check_rest(simulation)


def member(source: bytes, counter: int, stamp: int, key: bytes = b"n" * 16) -> Written:
    return Written(1, key, stamp, source, source, counter, 0, b"")


@pytest.mark.parametrize(
    ("stamp", "complaint"),
    [(9 << 2, "wrote state 0"), (9 << 2 | 2, "wrote state 2"), (9 << 2 | 1, "raised the")],
)
def test_only_the_subject_speaks_for_itself(stamp: int, complaint: str) -> None:
    oracle = ControlOracle()
    oracle.writes(b"n" * 16, SOURCE)
    oracle.writes(b"m" * 16, OTHER)
    oracle.wrote(member(SOURCE, 1, 8 << 2))
    with pytest.raises(Violation, match=complaint):
        oracle.wrote(member(OTHER, 1, stamp))


def test_a_refutation_is_counted() -> None:
    oracle = ControlOracle()
    oracle.writes(b"n" * 16, SOURCE)
    oracle.writes(b"m" * 16, OTHER)
    oracle.wrote(member(SOURCE, 1, 8 << 2))
    oracle.wrote(member(OTHER, 1, 8 << 2 | 1))
    oracle.wrote(member(SOURCE, 2, 9 << 2))
    assert oracle.refutations == 1


@pytest.mark.parametrize(
    ("fate", "ends", "complaint"),
    [
        (HIDDEN, False, r"node-2\.0 hides .*service"),
        (ENDED, False, r"node-2\.0 dropped .*service"),
        (SHOWN, True, r"node-2\.0 shows .*service"),
    ],
)
def test_an_ephemeral_key_that_does_not_follow_its_owner_is_noticed(
    fate: int, ends: bool, complaint: str
) -> None:
    simulation = pair()
    owner, other = simulation.processes
    simulation.nodes[0].gossip("service", 1, ephemeral=True)
    simulation.run(2)
    if ends:
        simulation.nodes[0].crash()
        simulation.run(30)
    other.node.data.author(owner.node.data.source, fate)
    with pytest.raises(Violation, match=complaint):
        simulation.settle()


@pytest.mark.parametrize("flags", [EPHEMERAL, EPHEMERAL | TOMBSTONE])
def test_a_key_that_is_hidden_or_shown_twice_is_noticed(flags: int) -> None:
    follower = pair().processes[0].follower
    shown = (0, b"k", EPHEMERAL, b"\x02", 7, OTHER)
    told = [shown] if flags == EPHEMERAL else [shown, (0, b"k", flags, b"", 7, OTHER)]
    for change in told:
        follower.take(KeysChanged(Changes([change])))
    with pytest.raises(Violation, match="once more"):
        follower.take(KeysChanged(Changes(told[-1:])))


def pair() -> Simulation:
    simulation = Simulation(1, nodes=2)
    simulation.settle()
    return simulation


def test_a_node_that_spins_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = pair()
    process = simulation.processes[0]
    monkeypatch.setattr(process.node, "deadline", lambda: process.now)
    with pytest.raises(Violation, match=r"node-1\.0 spins"):
        simulation.run(1.0)


def test_a_queue_beyond_its_bound_is_noticed() -> None:
    simulation = pair()
    node = simulation.processes[0].node
    (stream,) = simulation.network.streams.values()
    for pipe in stream.pipes:
        pipe.clogged = True
    (link,) = node._links.established()
    node._parts.writing.write(link, bytes(node.config.link_window + 200_000))
    with pytest.raises(Violation, match="waiting on one link"):
        simulation.run(2.0)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_queue_ends_a_frame_of_each_table_above_the_window(frames: int) -> None:
    """With the reserve of a node, one frame, and with a larger one, of which the check hears."""
    simulation = pair()
    (process, _), (stream,) = simulation.processes, simulation.network.streams.values()
    config, pusher = process.node.config, process.node._parts.pusher
    pusher._reserve = config.link_window + frames * config.frame_bytes
    for pipe in stream.pipes:
        pipe.clogged = True
    for number in range(400):
        process.host.gossip(f"k{number}", "x" * 1000)
    simulation.run(0.01)
    waiting = process.sockets.waiting()
    assert config.link_window <= waiting < config.link_window + config.frame_bytes + 1000
    for number in range(3000):
        process.node.control.put(REPORT, b"%016d" % number, 0, bytes(100), 1 + number)
    process.call(lambda: None)
    if frames == 1:
        simulation.run(0.01)
        assert process.sockets.waiting() > waiting
    else:
        with pytest.raises(Violation, match="waiting on one link"):
            simulation.run(0.01)


def test_a_flush_that_is_not_true_is_noticed() -> None:
    simulation = pair()
    first = simulation.nodes[0]
    simulation.partition(simulation.nodes[:1], simulation.nodes[1:])
    first.gossip("k", 1)
    token = first.flush(members=1)
    simulation.processes[0].node.outbox.emit(Flushed(token))
    with pytest.raises(Violation, match="was told 1 hold its writes, 0 do"):
        simulation.run(1.0)


def test_an_event_too_many_is_noticed() -> None:
    simulation = pair()
    node = simulation.processes[0].node
    other = next(each for each in node.members() if not each.local)
    node.outbox.emit(Join(other))
    with pytest.raises(Violation, match="before it was alive"):
        simulation.run(2.0)


def test_events_that_say_something_else_than_the_node_are_noticed() -> None:
    simulation = pair()
    follower = simulation.processes[0].follower
    identity, known = next(iter(follower.alive.items()))
    renamed: Member = known.replace(name="somebody else")
    follower.alive[identity] = renamed
    with pytest.raises(Violation, match=r"events say .*somebody else"):
        simulation.settle()


def test_a_key_event_for_what_is_not_held_is_noticed() -> None:
    simulation = pair()
    simulation.nodes[0].gossip("k", 1)
    change = (0, b"l", 0, b"\x02", 1 << 62, OTHER)
    simulation.processes[1].follower.take(KeysChanged(Changes([change])))
    with pytest.raises(Violation, match="something else than the table"):
        simulation.settle()


def test_a_cluster_that_is_never_quiet_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    simulation = pair()
    process = simulation.processes[0]
    advance = process.node.advance

    def restless(now: float) -> None:
        advance(now)
        for number in range(5):
            process.node.outbox.dial(10_000 + process.dials + number, ("10.9.9.9", 1))

    monkeypatch.setattr(process.node, "advance", restless)
    with pytest.raises(Violation, match=r"no rest after 10 s: .* dialled \d+ times"):
        simulation.settle(limit=10.0)


@pytest.mark.parametrize("name", rest.NOT_AT_REST)
def test_equals_that_go_on_telling_each_other_something_are_noticed(name: str) -> None:
    assert name.removeprefix("frame_") in NAMES.values()
    simulation = pair()
    simulation.run(2.0)
    process = simulation.processes[0]
    process.call(lambda: simulation.network.count(name))
    assert f"go on sending ['{name}']" in str(rest._noise(simulation))
    assert rest._noise(simulation) is None


def test_equals_that_go_on_writing_of_each_other_are_noticed() -> None:
    simulation = pair()
    simulation.run(2.0)
    assert rest._noise(simulation) is None
    simulation.nodes[0].tags(mood="restless")
    assert rest._noise(simulation) == "they go on writing about each other"


def test_two_that_hold_something_else_at_rest_are_noticed() -> None:
    simulation = pair()
    simulation.nodes[0].gossip("k", 1)
    simulation.settle()
    rest._check_equal(simulation.processes)
    watching = simulation.processes[1].watches[1]
    watching.table = WithoutOne(watching.table, b"k")  # type: ignore[assignment]
    with pytest.raises(Violation, match=r"K1: node-1.0 data and node-2.0 data hold different"):
        rest._check_equal(simulation.processes)


class WithoutOne:
    """A table that does not tell of a key."""

    def __init__(self, table: Table, key: bytes) -> None:
        self._table = table
        self._key = key

    def __getattr__(self, name: str) -> Any:
        return getattr(self._table, name)

    def records(self) -> list[tuple[Any, ...]]:
        return [record for record in self._table.records() if record[1] != self._key]


def test_a_write_that_is_not_the_highest_of_its_key_at_rest_is_noticed() -> None:
    simulation = pair()
    simulation.nodes[0].gossip("k", 1)
    simulation.settle()
    check_rest(simulation)
    (held,) = simulation.data.records.values()
    higher = held._replace(stamp=held.stamp + 1, source=OTHER, origin=OTHER, counter=1)
    simulation.data.wrote(higher)
    with pytest.raises(Violation, match=r"K3: .*not the highest write"):
        check_rest(simulation)


def test_reports_and_what_is_left_of_members_go_with_their_sources_alone() -> None:
    oracle = ControlOracle()
    oracle.writes(MEMBER_ID, SOURCE)
    report = written(1, key=MEMBER_ID)._replace(family=REPORT)
    left = written(2, key=MEMBER_ID)._replace(family=MEMBER, stamp=2, flags=EXPIRING)
    for record in (report, left):
        oracle.wrote(record)
    for gone, counters, which in (
        ({}, {SOURCE: 2}, "lost"),
        ({SOURCE: (2, 0)}, {SOURCE: 2}, None),
    ):
        table = Bare([report, lapsed(left)], {SOURCE: 2})
        watching = watch(oracle, table)
        watching.check()
        table.held, table.gone, table.counters = [lapsed(left)], Gone(gone), dict(counters)
        if which is None:
            watching.check()
        else:
            with pytest.raises(Violation, match=which):
                watching.check()
    table = Bare([lapsed(left)], {SOURCE: 2})
    oracle.retired.add(SOURCE)
    watching = watch(oracle, table)
    watching.check()
    table.held = []
    with pytest.raises(Violation, match=r"dropped .* counts"):
        watching.check()
    table.gone, table.sequence = Gone({SOURCE: (2, 0)}), 1
    watching.check()
    table.held = [lapsed(left)]
    with pytest.raises(Violation, match="again, which was collected"):
        watching.check()


@pytest.mark.parametrize("steps", [1, 2])
def test_what_is_left_of_a_member_goes_once_it_has_lapsed(
    monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Another record that lapses is no reason; it may have, itself, in a step that was passed."""
    oracle = ControlOracle()
    oracle.writes(MEMBER_ID, SOURCE)
    left = written(1, key=MEMBER_ID)._replace(family=MEMBER, stamp=2, flags=EXPIRING)
    other = expiring()._replace(counter=2)
    for record in (left, other):
        oracle.wrote(record)
    table = Bare([left, other], {SOURCE: 2}, gone=Gone({SOURCE: (2, 0)}))
    watching = watch(oracle, table)
    watching.check()
    if steps == 2:
        monkeypatch.setattr(checks, "LARGE", 2)
        table.sequence = 1
        watching.check()
    table.held, table.lapses = [lapsed(other)], 1
    if steps == 2:
        watching.check()
        assert (MEMBER, MEMBER_ID) not in watching.held
    else:
        with pytest.raises(Violation, match="lost"):
            watching.check()


@pytest.mark.parametrize(
    ("what", "gone", "comes_again"),
    [
        ("dead", True, True),
        ("dead at another position", True, False),
        ("alive", False, True),
        ("alive", True, False),
    ],
)
def test_what_is_said_anew_of_who_was_given_up_is_another_word(
    what: str, gone: bool, comes_again: bool
) -> None:
    oracle = ControlOracle()
    oracle.writes(MEMBER_ID, SOURCE)
    oracle.writes(OTHER, OTHER)
    alive = written(1, stamp=0, key=MEMBER_ID)._replace(family=MEMBER)
    dead = written(1, stamp=1, key=MEMBER_ID, source=OTHER, origin=OTHER, flags=EXPIRING)
    dead = dead._replace(family=MEMBER)
    for record in (alive, dead):
        oracle.wrote(record)
    table = Bare([lapsed(dead)], {OTHER: 1}, gone=Gone({SOURCE: (2, 0)}))
    watching = watch(oracle, table)
    watching.check()
    table.held, table.sequence = [], 1
    watching.check()
    table.gone = Gone({SOURCE: (2, 0)} if gone else {})
    said = alive if what == "alive" else lapsed(dead)
    if what.endswith("position"):
        oracle.wrote(dead._replace(counter=2))
        said = said._replace(counter=2)
    table.held, table.sequence = [said], 2
    if comes_again:
        with pytest.raises(Violation, match="again, which was collected"):
            watching.check()
    else:
        watching.check()


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize("heard", ["this", "another", "nothing"])
def test_a_word_from_another_part_of_the_cluster_may_come_again(heard: str, counted: bool) -> None:
    """Nothing else of its author came here, so nobody could know that what was left has to stay."""
    oracle = ControlOracle()
    earlier = b"e" * 16
    for source in (earlier, SOURCE):
        oracle.writes(MEMBER_ID, source)
    oracle.writes(OTHER, OTHER)
    alive = written(3, stamp=0, key=MEMBER_ID)._replace(family=MEMBER)
    before = written(1, stamp=0, key=MEMBER_ID, source=earlier, origin=earlier)
    before = before._replace(family=MEMBER)
    dead = written(1, stamp=1, key=MEMBER_ID, source=OTHER, origin=OTHER, flags=EXPIRING)
    dead = dead._replace(family=MEMBER)
    for record in (*(written(n, key=b"%d" % n) for n in (1, 2)), alive, before, dead):
        oracle.wrote(record)
    table = Bare({"this": [alive], "another": [before], "nothing": []}[heard], {OTHER: 0})
    watching = watch(oracle, table)
    watching.check()
    table.held, table.sequence, table.counters = [lapsed(dead)], 1, {OTHER: 1}
    watching.check()
    table.held, table.sequence = [], 2
    if counted:
        table.counters[SOURCE] = 1
        table.held = [written(1, key=b"1")]
        with pytest.raises(Violation, match=r"dropped .* counts"):
            watching.check()
        return
    watching.check()
    table.held, table.sequence = [alive], 3
    if heard == "another":
        with pytest.raises(Violation, match="again, which was collected"):
            watching.check()
    else:
        watching.check()


def test_what_a_large_table_dropped_and_was_not_looked_at_since_is_no_loss_of_its_peers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "LARGE", 1)
    oracle = ControlOracle()
    oracle.writes(MEMBER_ID, SOURCE)
    left = written(1, key=MEMBER_ID)._replace(family=MEMBER, stamp=2, flags=EXPIRING)
    other = written(2, key=OTHER)._replace(family=REPORT)
    for record in (left, other):
        oracle.wrote(record)
    giver = Bare([lapsed(left), other], {SOURCE: 2})
    watching = watch(oracle, giver)
    watching.check()
    giver.held, giver.gone, giver.sequence = [other], Gone({SOURCE: (2, 0)}), 1
    watching.check()
    assert (MEMBER, MEMBER_ID) in watching.held  # nobody looked

    taker = watch(oracle, Bare([other], {SOURCE: 2}))
    with pytest.raises(Violation, match="holds nothing"):
        taker.check()
    oracle.look = watching.look
    assert watch(oracle, Bare([other], {SOURCE: 2})).check()


@pytest.mark.parametrize("known", [1, 5])
def test_what_the_author_of_a_deletion_covered_is_known(known: int) -> None:
    """Whether most of what there was or least of it."""
    oracle = Oracle()
    for counter in range(1, 7):
        oracle.wrote(written(counter))
    deletion = written(1, stamp=9, flags=TOMBSTONE, source=OTHER, origin=OTHER)
    oracle.wrote(deletion, lambda _: known)
    oracle.wrote(written(7, stamp=8))
    knew = [oracle.knew(deletion.key_, deletion.rank, written(n)) for n in range(1, 7)]
    assert knew == [n <= known for n in range(1, 7)]
    assert not oracle.knew(deletion.key_, deletion.rank, written(7, stamp=8))
    assert oracle.knew(deletion.key_, deletion.rank, deletion)
    assert not oracle.knew(deletion.key_, (10, OTHER), deletion)


def test_forgotten_deletions_come_the_highest_first() -> None:
    oracle = Oracle()
    deletions = [written(n, flags=TOMBSTONE) for n in range(1, 5)]
    for deletion in deletions:
        oracle.wrote(deletion)
    key = deletions[0].key_
    assert not oracle.is_deleted(key, deletions[0].rank)
    for deletion in (deletions[2], deletions[0], deletions[3], deletions[0]):
        oracle.collected(deletion)
    assert list(oracle.deleted(key, deletions[1].rank)) == [deletions[3], deletions[2]]
    assert oracle.is_deleted(key, deletions[3].rank)
    assert not oracle.is_deleted(key, (5, SOURCE))


@pytest.mark.parametrize(
    ("counts", "known", "says_nothing"),
    [
        (True, True, set()),
        (True, False, {ACCUSATION}),
        (False, True, {MEMBER, RETIRED}),
        (False, False, {RETIRED, ACCUSATION}),
    ],
)
def test_what_lapses_is_compared_at_rest_as_long_as_it_says_something(
    counts: bool, known: bool, says_nothing: set[int]
) -> None:
    """Of who is gone while its source counts, and of whom somebody knows."""
    keys = {
        MEMBER: MEMBER_ID,
        ACCUSATION: MEMBER_ID + OTHER,
        RETIRED: OTHER,
        REPORT: OTHER,
        0: b"k",
    }
    lapsing = [
        written(counter, key=key, flags=EXPIRING)._replace(family=family)
        for counter, (family, key) in enumerate(keys.items(), start=1)
        if known or family != MEMBER
    ]
    table = Bare(lapsing, {SOURCE: 5 if counts else 0})
    found = rest._content(watch(ControlOracle(), table), set())
    assert {each.family for each in found if each.flags & TOMBSTONE} == says_nothing
    assert len(found) == len(lapsing)
