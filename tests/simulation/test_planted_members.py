"""Bugs of membership that others have made, planted one at a time: what was written for each fails.

Beside those that random runs find (test_membership_rules.py): these take a fault, a size or a place
that a random run seldom has.
"""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.protocol.pump import Pump, label
from tests.protocol.test_churn import largest
from tests.protocol.test_hostile_members import (
    test_a_digest_of_100_000_names_is_taken_and_one_is_told_in_pages as take_a_digest_in_pages,
)
from tests.protocol.test_hostile_members import (
    test_deaths_and_leaves_of_the_unknown_are_no_news_and_cost_no_dials as remember_some_gone,
)
from tests.protocol.test_probe import (
    answers,
    datagram,
)
from tests.protocol.test_probe import (
    test_a_probe_is_answered_to_its_source_with_no_more_bytes_than_it_took as answer_the_source,
)
from vines.events import ALIVE, Conflict, Member
from vines.protocol import machinery
from vines.protocol.links.admission import Admission
from vines.protocol.links.handshake import DRIFT_MS_MAX, Handshake
from vines.protocol.members import answering, membership, post
from vines.protocol.members.answering import RELAYS_MAX
from vines.protocol.members.detector import Detector
from vines.protocol.members.identity import Identity
from vines.protocol.members.post import HOSTS_MAX, Letter
from vines.protocol.node import Node
from vines.protocol.replicas.telling import Telling
from vines.protocol.wire.messages import DATA
from vines.protocol.wire.probe import Ask, Probe
from vines.simulation import Host, Simulation, Violation, process

Patch = pytest.MonkeyPatch

FLOOD = 10_000
"""Of anything: more than any cap is."""
YEAR_MILLISECONDS = 365 * 24 * 3600 * 1000


# -- what finds them


def find_one_who_vanished_after_clocks_went_back() -> None:
    """All wall clocks go back by an hour, and then a machine loses its power."""
    simulation = Simulation(3, nodes=6, watching=False)
    simulation.run(35.0)
    for host in simulation.nodes:
        host.skew -= 3600.0
    simulation.run(1.0)
    simulation.nodes[-1].crash(power=True)
    simulation.run(20.0)
    assert alive(simulation.nodes[0]) == 5


def answer_who_is_behind_a_translator() -> None:
    """A member's datagrams come from an address that is not the one it tells others."""
    simulation = Simulation(3, nodes=4, watching=False)
    simulation.run(5.0)
    one, other = simulation.processes[0], simulation.processes[1]
    member = one.node._parts.linking.members.get(other.node.id)
    assert member is not None and member.profile.address == other.host.address
    before = len(one.node.outbox._effects)
    word = Probe(bytes(8), None)
    outside = ("192.0.2.9", 4711)
    one.node._parts.detector.receive(Letter(other.node.id, outside, 7, word), one.now)
    (answer,) = one.node.outbox._effects[before:]
    assert answer.address == outside  # type: ignore[union-attr]
    answer_the_source()


def tell_many_names_in_pages() -> None:
    take_a_digest_in_pages(DATA)


def tell_both_of_one_stored_identity() -> None:
    """A disk was copied, and both machines run."""
    simulation = Simulation(3, nodes=5, durable=5, start=False, checking=False, watching=False)
    first, second = simulation.nodes[0], simulation.nodes[-1]
    assert first.disk is not None and second.disk is not None
    second.disk.identity = first.disk.identity
    for host in simulation.nodes[:-1]:
        host.start(() if host is first else (first,))
    simulation.run(5.0)
    second.disk.boot, second.disk.records = first.disk.boot, dict(first.disk.records)
    second.start(simulation.nodes[1:3])
    simulation.run(30.0)
    for host in (first, second):
        kinds = {event.kind for event in host.events if isinstance(event, Conflict)}
        assert kinds == {"identity", "storage"}, host  # told, and no voter any more
    # The later start is the member; nobody sees two, and nobody sees it come and go for ever.
    for host in simulation.nodes[1:]:
        assert alive(host) == 4
    assert named(simulation.nodes[1], second.name)


def alive(host: Host) -> int:
    return sum(member.state == ALIVE for member in host.members())


def named(host: Host, name: str) -> list[Member]:
    return [each for each in host.members() if each.name == name and each.state == ALIVE]


def keep_little_of_a_flood_of_requests() -> None:
    """One member wants others probed, without end, and none of these answers."""
    pump = Pump()
    one, two, _ = pump.cluster(3)
    resting = largest(one)
    for number in range(FLOOD):
        ask = datagram(Ask(label(3)), sender=label(2), counter=number)
        one.node.datagram(ask, two.address, pump.now)
    assert largest(one) <= resting + RELAYS_MAX
    probes = [address for address, each in answers(one) if each.kind == Probe.kind]
    assert len(probes) <= RELAYS_MAX


def keep_little_of_a_flood_from_everywhere() -> None:
    """Datagrams come, in somebody's name, from more addresses than there are members."""
    pump = Pump()
    one, *_ = pump.cluster(3)
    resting = largest(one)
    for number in range(FLOOD):
        source = (f"10.9.{number >> 8}.{number & 255}", 7000)
        one.node.datagram(datagram(Probe(bytes(8)), sender=label(2)), source, pump.now)
        answers(one)
    assert largest(one) <= resting + HOSTS_MAX


def keep_little_of_a_flood_of_the_gone() -> None:
    remember_some_gone()


def stamp_by_the_clock_whatever_came() -> None:
    """Somebody wrote with a stamp of next year: no clock follows it."""
    simulation = Simulation(3, nodes=3, watching=False)
    simulation.run(2.0)
    first, second, _ = simulation.nodes
    first.put(0, b"ahead", 0, b"\x01", first.wall_clock() + YEAR_MILLISECONDS << 16)
    simulation.run(2.0)
    second.gossip("other", 1)
    held = simulation.processes[1].node.data.get(0, b"other")
    assert held is not None and "ahead" in second
    assert (held[0] >> 16) - second.wall_clock() <= DRIFT_MS_MAX, "K6: a stamp ran away"


# -- planted bugs


def timers_run_by_the_wall_clock(monkeypatch: Patch) -> None:
    class ByTheWall(Node):
        def __init__(self, config: Any, rng: Any, clock: Any, *, now: float, memory: Any) -> None:
            self.clock, self.origin = clock, now - clock() / 1000
            super().__init__(config, rng, clock, now=now, memory=memory)

        def advance(self, now: float) -> None:
            super().advance(self.origin + self.clock() / 1000)

    monkeypatch.setattr(process, "Node", ByTheWall)


def answers_go_where_a_record_says_one_listens(monkeypatch: Patch) -> None:
    class Inner(Detector):
        def receive(self, letter: Letter, now: float) -> None:
            address = self._address(letter.sender) or ("10.0.0.1", 7000)
            super().receive(Letter(letter.sender, address, letter.token, letter.word), now)

    monkeypatch.setattr(machinery, "Detector", Inner)


def a_vector_ends_with_its_first_page(monkeypatch: Patch) -> None:
    pages, first_and_last = Telling.pages, 3

    def cut(self: Telling, *, acquainted: bool) -> list[bytes]:
        page = pages(self, acquainted=acquainted)[0]
        return [page[:1] + bytes((first_and_last,)) + page[2:]]

    monkeypatch.setattr(Telling, "pages", cut)


def nobody_minds_two_of_one_identity(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Admission, "_object_start", lambda *_: None)
    monkeypatch.setattr(Identity, "clash", lambda *_: True)
    monkeypatch.setattr(Identity, "displaced", lambda *_: None)
    monkeypatch.setattr(Identity, "_contests", lambda *_: True)
    monkeypatch.setattr(Identity, "_look_for_copies", lambda *_: None)


def the_earlier_of_one_identity_is_not_told(monkeypatch: Patch) -> None:
    monkeypatch.setattr(Identity, "_tell", lambda *_: None)


def probes_for_others_have_no_cap(monkeypatch: Patch) -> None:
    monkeypatch.setattr(answering, "RELAYS_MAX", sys.maxsize)


def addresses_have_no_cap(monkeypatch: Patch) -> None:
    monkeypatch.setattr(post, "HOSTS_MAX", sys.maxsize)


def the_gone_have_no_cap(monkeypatch: Patch) -> None:
    monkeypatch.setattr(membership, "GONE_MAX", sys.maxsize)


def clocks_follow_any_stamp(monkeypatch: Patch) -> None:
    class Credulous(Handshake):
        def stamp_limit(self) -> int:
            return 1 << 62

    monkeypatch.setattr(machinery, "Handshake", Credulous)


PLANTED = {
    "probes for others have no cap": (
        probes_for_others_have_no_cap,
        keep_little_of_a_flood_of_requests,
        rf"assert {FLOOD} <= .*largest",
    ),
    "addresses have no cap": (
        addresses_have_no_cap,
        keep_little_of_a_flood_from_everywhere,
        rf"assert {FLOOD + 2} <= .*largest",
    ),
    "the gone have no cap": (
        the_gone_have_no_cap,
        keep_little_of_a_flood_of_the_gone,
        r"assert 2002 <= \(1000 \+ 2\)",
    ),
    "clocks follow any stamp": (
        clocks_follow_any_stamp,
        stamp_by_the_clock_whatever_came,
        "K6: a stamp ran away",
    ),
    "timers run by the wall clock": (
        timers_run_by_the_wall_clock,
        find_one_who_vanished_after_clocks_went_back,
        "node-.* spins: it wants a turn at once",
    ),
    "answers go where a record says one listens": (
        answers_go_where_a_record_says_one_listens,
        answer_who_is_behind_a_translator,
        r"assert \('10\.0\.0\.2', 7000\) == \('192\.0\.2\.9', 4711\)",
    ),
    "a vector ends with its first page": (
        a_vector_ends_with_its_first_page,
        tell_many_names_in_pages,
        r"assert \{.*\} <= \{.*\}",
    ),
    "nobody minds two of one identity": (
        nobody_minds_two_of_one_identity,
        tell_both_of_one_stored_identity,
        r"assert set\(\) == \{'identity', 'storage'\}",
    ),
    "the earlier of one identity is not told": (
        the_earlier_of_one_identity_is_not_told,
        tell_both_of_one_stored_identity,
        r"assert \{'storage'\} == \{'identity', 'storage'\}",
    ),
}
"""Per bug how it is planted, what finds it, and how that fails: any other failure is none."""


@pytest.mark.parametrize("bug", PLANTED)
def test_without_the_bug_nothing_is_found(bug: str) -> None:
    _, find, _ = PLANTED[bug]
    find()


@pytest.mark.parametrize("bug", PLANTED)
def test_what_was_written_for_it_finds_the_planted_bug(bug: str, monkeypatch: Patch) -> None:
    plant, find, failure = PLANTED[bug]
    plant(monkeypatch)
    with pytest.raises((AssertionError, Violation), match=f"(?s){failure}"):
        find()
