"""What a linked member may say and write about elections that nobody honest would."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.elections.defined import changed, defined
from vines._core.changes import Changes
from vines._core.table import CALL, DECISION, TOMBSTONE, VOTE
from vines._core.tally import NONE, REFUSE
from vines.errors import InvalidElection
from vines.events import Conflict, Settled
from vines.protocol.elections import callers as callers_module
from vines.protocol.elections import delivery as delivery_module
from vines.protocol.elections import electorate as electorate_module
from vines.protocol.elections import matters as matters_module
from vines.protocol.elections import value as values
from vines.protocol.elections.ballots import FIRST, JUMP_MAX, NUMBER_MAX, ballot, number_of
from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.decree import NOTHING, digest_of
from vines.protocol.elections.election import Election
from vines.protocol.elections.matter import Matter
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Cancel,
    Decided,
    Definition,
    Formed,
    Prepare,
    Promise,
    Refusal,
    Said,
    Sign,
    Signed,
    Unknown,
    Vote,
    VoteAck,
)
from vines.protocol.elections.records import (
    WITHDRAWN,
    call_key,
    call_value,
    decision_key,
    decision_stamp,
    pack_decision,
)
from vines.protocol.elections.remembering import LONG_MAX, Remembered
from vines.protocol.elections.signup import id_of
from vines.protocol.elections.voters import voter_of
from vines.protocol.wire import fields
from vines.protocol.wire.ballot import Ballots, pack
from vines.protocol.wire.definition import pack_definition, pack_roll
from vines.protocol.wire.framing import LENGTH_BYTES

from .pump import Host, Pump
from .test_elections import YES, acted, call, vote

YES_OR_NO = defined("email", 0, (), b"", 0, False, (), 1, False, 60_000)


def say(other: Host, host: Host, *words: tuple[bytes, Said]) -> None:
    """Have the host hear this from another, who has no reason to say it."""
    frame = Ballots(tuple((election, 0, said) for election, said in words)).encode()
    host.node.receive(frame[LENGTH_BYTES:], host.to(other).number, host.pump.now)
    host.node.advance(host.pump.now)


def define(definition: Definition) -> tuple[bytes, Said]:
    return id_of(b"test", definition), definition


def elect(pump: Pump, hosts: list[Host], topic: str = "email") -> None:
    """All of them still elect one who acts."""
    for host in hosts:
        call(host, len(hosts), len(hosts), topic=topic)
        vote(host, topic=topic)
    known = [host.node.elections() for host in hosts]
    pump.until(lambda: all(each.outcome(topic) for each in known), 10.0)
    assert {each.outcome(topic).kind for each in known} == {"commit"}  # type: ignore[union-attr]
    assert len(acted(hosts)) == 1


@pytest.mark.parametrize(("weights", "council"), [((0, 0), 0), ((0, 1), 1), ((1, 0), 1)])
def test_voters_of_whom_those_who_decide_weigh_nothing_are_no_voters(
    weights: tuple[int, int], council: int
) -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    ids = sorted(host.node.id for host in hosts)
    roll = tuple(zip(ids, weights, strict=True))
    named = changed(YES_OR_NO, roll=roll, council=council)
    for number in range(8):
        say(hosts[1], hosts[0], define(changed(named, topic=f"topic {number}")))
    matters = hosts[0].node.elections()._matters.values()
    assert all(matter.signup.election for matter in matters)
    assert len(matters) < 8
    elect(pump, hosts, "topic 0" if not council else "email")


def test_an_election_that_needs_more_votes_than_there_are_is_none() -> None:
    """What is proposed of it nobody may propose, not even who decides alone."""
    pump = Pump()
    hosts = pump.cluster(2)
    host, other = hosts
    needs = changed(YES_OR_NO, roll=((host.node.id, 1),), least=2, remaining_ms=0)
    say(other, host, define(needs))
    pump.run(5.0)
    assert host.node.elections()._matters == {}
    elect(pump, hosts)


@pytest.mark.parametrize("least", [2, 3])
def test_a_roll_that_needs_more_votes_than_there_are_is_not_signed(least: int) -> None:
    pump = Pump()
    host, other = pump.cluster(2)
    roll = tuple(sorted((each.node.id, 1) for each in (host, other)))
    signup = other.node.id + (9).to_bytes(8, "big")
    matters = host.node.elections()._matters
    for number in range(8):
        topic = f"topic {number}"
        key = call_key(other.node.id, (topic, 0))
        other.node.control.put(CALL, key, 0, call_value(2), 1)
        call(host, 2, 2, topic=topic)
        pump.run(0.1)
        one = changed(YES_OR_NO, topic=topic, roll=roll, signup=signup, least=least)
        if not matters[topic, 0].signup.enrolment.bound:  # then it is the other's to gather them
            election, needs = define(one)
            say(other, host, (election, Sign(needs)))
            assert (matters[topic, 0].signup.enrolment.bound == election) is (least == 2)
            return
    raise AssertionError("it was never the other's turn")


@pytest.mark.parametrize("attempt", [1 << 63, (1 << 64) - 1])
@pytest.mark.parametrize("ask", [Sign, lambda definition: definition], ids=["sign", "define"])
def test_an_attempt_of_any_number_leaves_what_is_on_disk_readable(
    ask: Callable[[Definition], Said], attempt: int
) -> None:
    pump = Pump()
    host, other = pump.cluster(2, durable=True)
    call(host, 2, 2)
    host.node.elections().leave()
    roll = tuple(sorted((each.node.id, 1) for each in (host, other)))
    signup = other.node.id + attempt.to_bytes(8, "big")
    election, definition = define(changed(YES_OR_NO, roll=roll, signup=signup))
    say(other, host, (election, ask(definition)))
    pump.run(1.0)
    elect(pump, [pump.restart(host), other])


def named(pump: Pump, hosts: list[Host], least: int = 2, topic: str = "email") -> Election:
    """All of them are named as voters; returns the part of the first."""
    ids = tuple(sorted((host.node.id, 1) for host in hosts))
    for host in hosts:
        wanted = Call(Criteria((), least), 0, 60.0, ids)
        host.node.elections().call(topic, wanted, pump.now)
        host.node.elections().listen()
    pump.run(1.0)
    part = hosts[0].node.elections()._matters[topic, 0].signup.election
    assert part is not None
    return part


def test_ballots_that_rise_to_the_last_number_break_no_link_and_no_disk() -> None:
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    host, other, third = hosts
    part = named(pump, hosts)
    rank = part.electorate.rank(other.node.id)
    numbers = [number * JUMP_MAX for number in range(1, 2**31 // JUMP_MAX)] + [NUMBER_MAX]
    for number in numbers:
        say(other, host, (bound(hosts[0]), Prepare(ballot(number, rank))))
    assert number_of(part.record.promised) == NUMBER_MAX
    for each in (host, third):
        vote(each)
    pump.run(100.0)  # far beyond the deadline: whoever can tries to decide
    assert [each.errors for each in hosts] == [[], [], []]
    assert len(acted(hosts)) <= 1
    hosts[0] = pump.restart(host)
    pump.run(2.0)
    elect(pump, hosts, "another")


def test_votes_for_elections_that_nobody_knows_go_with_their_records() -> None:
    pump = Pump()
    host, other = pump.cluster(2)
    numbers = [number.to_bytes(16, "big") for number in range(100)]
    for stamp in (1, 2, 3):
        for number in numbers:
            packed = pack(number, 0, Vote(stamp, YES, b"", True))
            other.node.control.put(VOTE, number + other.node.id, 0, packed, stamp)
        pump.run(1.0)
    strays = host.node.elections()._published.strays
    assert [len(each) for each in strays.values()] == [1] * 100
    for number in numbers:
        other.node.control.put(VOTE, number + other.node.id, TOMBSTONE, b"", WITHDRAWN)
    pump.run(1.0)
    assert strays == {}


def test_thousands_of_callers_of_one_topic_are_taken_together_and_not_kept_twice() -> None:
    """One by one each would be compared with all before it, and each set of them kept."""
    elections = Pump().host(1).node.elections()
    changes = Changes()
    for number in range(2_000):
        key = call_key(number.to_bytes(16, "big"), ("email", 0))
        changes.append((CALL, key, 0, call_value(2), 1, bytes(16)))
    before = callers_module._noted.sizes()
    elections.learn(changes, 0.0)
    assert callers_module._noted.sizes() == before
    callers = elections._callers
    everybody = frozenset(number.to_bytes(16, "big") for number in range(2_000))
    assert callers.candidates(callers.of(("email", 0)), 2, everybody) == everybody


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("durable", [True, False], ids=["named", "by id"])
def test_a_vote_in_the_table_is_only_its_voters_to_write(durable: bool, known: bool) -> None:
    pump = Pump()
    *hosts, forger = pump.cluster(4, durable=durable)
    host, other, silent = hosts
    voters: list[bytes | str] = [each.name if durable else each.node.id for each in hosts]
    roll = tuple(sorted((voter_of(voter), 1) for voter in voters))
    definition = changed(YES_OR_NO, roll=roll)
    election = id_of(b"test", definition)
    forged = pack(election, 0, Vote(1, YES, b"", True))

    def forge() -> None:
        forger.node.control.put(VOTE, election + voter_of(voters[2]), 0, forged, 1)
        pump.run(1.0)

    if not known:
        forge()
    for each in hosts:
        each.node.elections().call("email", Call(Criteria((), 3), 0, 60.0, roll), pump.now)
        each.node.elections().listen()
    pump.run(1.0)
    if known:
        forge()
    vote(host)
    vote(other)
    pump.run(5.0)
    assert acted(hosts) == []
    vote(silent)
    pump.until(lambda: len(acted(hosts)) == 1, 10.0)


def test_of_what_is_long_only_the_last_is_remembered() -> None:
    """256 rolls of 10,000 voters, or 1,024 decisions of 256 KiB, would be gigabytes."""
    pump = Pump()
    host, other = pump.cluster(2)
    named(pump, [host, other])
    caches = [
        each
        for each in (*vars(electorate_module).values(), values.decode, pack_roll)
        if isinstance(each, Remembered)
    ]
    before = [each.sizes()[0] for each in caches]
    voters = [number.to_bytes(16, "big") for number in range(1, 2_000)]
    for weight in range(1, 9):
        roll = tuple((voter, weight) for voter in voters)
        say(other, host, define(changed(YES_OR_NO, topic="long", roll=roll)))
        say(other, host, define(changed(YES_OR_NO, topic="long", roll=roll, signup=bytes(24))))
        value = values.commit(YES, 0, Criteria((), weight), bytes(2_000), ())
        say(other, host, (bound(host), Decided(value)))
    pump.run(1.0)
    after = [each.sizes()[0] for each in caches]
    assert max(now - then for now, then in zip(after, before, strict=True)) < 8
    assert 0 < max(each.sizes()[1] for each in caches) <= LONG_MAX


def long_roll(host: Host, number: int, size: int) -> Definition:
    """An election of this host and so many others, whose names are long."""
    others = [b"%d %d" % (number, each) + bytes(200) for each in range(size)]
    roll = tuple((voter, 1) for voter in sorted([host.node.id, *others]))
    return changed(YES_OR_NO, topic=f"topic {number}", roll=roll)


def test_a_roll_as_long_as_can_be_holds_nobody_up_for_long() -> None:
    """Each of its voters is told what the voters are, which is to be packed once."""
    pump = Pump()
    hosts = pump.cluster(2)
    host, other = hosts
    one = define(long_roll(host, 0, 9_000))
    before = time.process_time()
    say(other, host, one)
    assert time.process_time() - before < 8.0  # it takes one; it took 43
    assert len(host.node.elections()._matters) == 1
    elect(pump, hosts)


def test_elections_that_a_node_was_released_from_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A coordinator may sign and cancel again and again; the one that binds stays."""
    monkeypatch.setattr(matters_module, "RELEASED_MAX", 100)
    pump = Pump()
    (host,) = pump.cluster(1)
    matters = host.node.elections()
    matters.call("email", Call(Criteria((), 1), 2, 60.0, ()), pump.now)
    matter = matters._matters["email", 0]
    names = [number.to_bytes(16, "big") for number in range(1000)]
    for name in names:
        matters.bound(matter, name)
        if name != names[3]:
            matters.released(matter, name)
    assert set(matters._elections) == {names[3], *names[-100:]}
    assert all(matters._of(name) is matter for name in matters._elections)


def test_voters_of_elections_that_others_define_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matters_module, "HEARD_VOTERS_MAX", 1_000)
    pump = Pump()
    host, other = hosts = pump.cluster(2)
    matters = host.node.elections()._matters
    for number in range(20):
        say(other, host, define(long_roll(host, number, 99)))
        pump.run(0.2)
    assert len(matters) == 10
    for number in range(5):  # what is called for here as well is the caller's to keep
        roll = long_roll(host, number, 99).terms.roll
        wanted = Call(Criteria((), 1), 0, 60.0, roll)
        host.node.elections().call(f"topic {number}", wanted, pump.now)
    pump.run(2.0)
    for number in range(20, 40):
        say(other, host, define(long_roll(host, number, 99)))
    assert len(matters) == 15
    elect(pump, hosts)


def test_there_is_no_round_after_the_last_number() -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    host, other = hosts
    for each in hosts:
        call(each, 2, 2)
    last = call_key(other.node.id, ("email", (1 << 63) - 1))
    other.node.control.put(CALL, last, 0, call_value(2), 1)
    pump.run(1.0)
    with pytest.raises(InvalidElection, match="no round is left"):
        host.node.elections().rerun("email", True, pump.now)
    pump.run(1.0)
    hosts[0] = pump.restart(host)
    pump.run(1.0)
    elect(pump, hosts, "another")


def test_what_waits_for_a_disk_that_stands_still_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All is said again as long as nobody answers, which would come together in memory."""
    monkeypatch.setattr(delivery_module, "HELD_BYTES_MAX", 10_000)
    pump = Pump()
    hosts = pump.cluster(3, durable=True)
    for host in hosts[:2]:
        host.syncing = False
    topics = [f"topic {number}" for number in range(10)]
    for topic in topics:
        named(pump, hosts, topic=topic)
        for host in hosts:
            vote(host, topic=topic)
    pump.run(50.0)
    for host in hosts[:2]:
        assert 0 < len(host.node.outbox._waiting) < 100
        host.syncing = True
        pump.sync(host)
    known = [host.node.elections() for host in hosts]
    pump.until(lambda: all(len(each.outcomes()) == 10 for each in known), 60.0)
    assert len(acted(hosts)) == 10


def matter(host: Host) -> Matter:
    return host.node.elections()._matters["email", 0]


def bound(host: Host, topic: str = "email") -> bytes:
    """The id of the election that a node takes part in."""
    return host.node.elections()._matters[topic, 0].signup.enrolment.bound


def suspicions(hosts: list[Host]) -> list[str]:
    return [event.text for host in hosts for event in host.of(Conflict)]


def ranked(hosts: list[Host]) -> tuple[Election, list[Host]]:
    """The part of the first of the voters, and all of them by rank."""
    part = named(hosts[0].pump, hosts)
    by_id = {host.node.id: host for host in hosts}
    return part, [by_id[voter] for voter in part.electorate.voters]


VOTED = bytes((YES, YES, NONE))
LEAST = slice(16, 24)
"""Where a value says how many votes it needs."""
IMPOSSIBLE = {
    "an owner outside": values.commit(YES, 3, Criteria((), 2), VOTED, ()),
    "too few votes": values.commit(YES, 0, Criteria((), 3), VOTED, ()),
    "votes against": values.commit(YES, 0, Criteria((), 2), bytes((REFUSE, REFUSE, YES)), ()),
    "no votes": values.commit(YES, 0, Criteria((), 2), bytes((NONE,)) * 3, ()),
    "more voters": values.commit(YES, 0, Criteria((), 2), bytes(4), ()),
    "fewer voters": values.commit(YES, 0, Criteria((), 2), bytes(2), ()),
    "nothing needed": values.commit(YES, 0, Criteria((), 2), VOTED, ()).replace(b"\2", b"\0", 1),
    "an abort that can be won": values.abort(0, Criteria((), 2), VOTED, ()),
    "another choice": values.commit(1, 0, Criteria(("a", "b"), 2), VOTED, ()),
    "a vote for no choice": values.commit(YES, 0, Criteria((), 2), bytes((YES, YES, 9)), ()),
    "a vote that was not cast": values.commit(YES, 0, Criteria((), 2), VOTED, ((2, 5),)),
    "nothing": b"\0",
}
for name, least in (("2**63", 1 << 63), ("2**64 - 1", (1 << 64) - 1), ("2**48 + 1", (1 << 48) + 1)):
    forged = bytearray(IMPOSSIBLE["votes against"])
    forged[LEAST] = least.to_bytes(8, "little")
    IMPOSSIBLE[f"{name} needed"] = bytes(forged)


@pytest.mark.parametrize("value", IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_a_decision_that_contradicts_itself_is_believed_by_nobody(value: bytes) -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    _, (claimant, *others) = ranked(hosts)
    for host in others:
        say(claimant, host, (bound(hosts[0]), Decided(value)))
        say(claimant, host, (bound(hosts[0]), Accept(FIRST, value, True)))
        say(claimant, host, (bound(hosts[0]), Promise(ballot(9, 1), FIRST, value)))
    pump.run(1.0)
    assert all(host.of(Settled) == [] for host in hosts)
    assert all(matter(host).signup.election.record == NOTHING for host in hosts)  # type: ignore[union-attr]
    elect_named(hosts)


def elect_named(hosts: list[Host]) -> None:
    for host in hosts:
        vote(host)
    hosts[0].pump.until(lambda: all(host.of(Settled) for host in hosts), 20.0)
    assert {host.of(Settled)[0].outcome.kind for host in hosts} == {"commit"}
    assert len(acted(hosts)) == 1


def test_two_values_at_one_ballot_stop_the_member_that_sees_them() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    part, (claimant, second, third) = ranked(hosts)
    one, other = (values.commit(YES, owner, Criteria((), 2), VOTED, ()) for owner in (0, 1))
    say(claimant, second, (bound(hosts[0]), Accept(FIRST, one, True)))
    say(claimant, second, (bound(hosts[0]), Accept(FIRST, one, True)))
    pump.settle()
    assert suspicions([second]) == []
    say(claimant, second, (bound(hosts[0]), Accept(FIRST, other, True)))
    pump.settle()
    assert ["two values" in text for text in suspicions([second])] == [True]
    frozen = matter(second).signup.election
    assert frozen is not None
    assert (frozen.frozen, frozen.record.value) == (True, one)
    say(
        third,
        second,
        (bound(hosts[0]), Prepare(ballot(1, part.electorate.rank(third.node.id)))),
    )
    assert frozen.record.promised == FIRST
    for host in (claimant, third):  # the others do without it
        vote(host)
    pump.until(lambda: len(acted(hosts)) == 1, 20.0)


def test_a_ballot_is_the_vote_of_the_member_that_its_link_leads_to() -> None:
    """It names no voter, so nobody can say one for somebody else, and twice is once."""
    pump = Pump()
    *hosts, outsider = pump.cluster(4)
    part, (claimant, second, third) = ranked(hosts)
    for _ in range(3):
        say(second, claimant, (bound(hosts[0]), Vote(1, YES, b"", True)))
        say(outsider, claimant, (bound(hosts[0]), Vote(1, YES, b"", True)))
    pump.run(1.0)
    votes = matter(claimant).signup.election
    assert votes is not None
    assert votes.tally.held() == ((part.electorate.rank(second.node.id), 1, YES),)
    assert acted(hosts) == []
    vote(third)
    pump.until(lambda: len(acted(hosts)) == 1, 5.0)


@pytest.mark.parametrize("outside", [True, False], ids=["another roll", "no voter"])
def test_ballots_of_those_who_are_no_voters_change_nothing(outside: bool) -> None:
    """Also of one that has a part in an election of the same topic on another roll."""
    pump = Pump()
    *hosts, other = pump.cluster(4)
    _, ranks = ranked(hosts)
    if outside:
        ids = tuple(sorted((host.node.id, 1) for host in (other, hosts[0])))
        other.node.elections().call("email", Call(Criteria((), 2), 0, 60.0, ids), pump.now)
        pump.run(1.0)
    value = values.commit(YES, 0, Criteria((), 2), VOTED, ())
    for host in hosts:
        for one in (FIRST, ballot(1, 0), ballot(1, 3), ballot(NUMBER_MAX, 2)):
            election = bound(hosts[0])
            say(other, host, (election, Prepare(one)), (election, Accept(one, value, True)))
            say(other, host, (election, Promise(one)), (election, Refusal()))
            say(other, host, (election, Accepted(one, digest_of(value))))
    pump.run(1.0)
    assert all(matter(host).signup.election.record == NOTHING for host in ranks)  # type: ignore[union-attr]
    elect_named(hosts)


@pytest.mark.parametrize("number", [0, 1, JUMP_MAX + 2, NUMBER_MAX])
def test_promises_and_accepts_that_nobody_asked_for_decide_nothing(number: int) -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    _, (claimant, second, third) = ranked(hosts)
    value = values.commit(YES, 0, Criteria((), 2), VOTED, ())
    election = bound(hosts[0])
    for other in (second, third):
        for _ in range(2):
            say(other, claimant, (election, Promise(ballot(number, 0))))
            say(other, claimant, (election, Accepted(ballot(number, 0), digest_of(value))))
    pump.run(1.0)
    assert matter(claimant).signup.election.record == NOTHING  # type: ignore[union-attr]
    elect_named(hosts)


TOPICS = (b"", b"\0", b"a\nb", b"\x1b[2J", b"\xff\xfe", "\x85".encode(), b"t" * 257, b"t" * 1_000)


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: f"{topic[:4]!r}{len(topic)}")
def test_records_about_what_is_no_topic_are_passed_over(topic: bytes) -> None:
    pump = Pump()
    hosts = pump.cluster(2)
    host, other = hosts
    about = bytes(8) + topic
    for member in (other.node.id, host.node.id):
        other.node.control.put(CALL, member + about, 0, call_value(2), 1 << 40)
    value = values.commit(YES, 0, Criteria((), 2), bytes(2), ())
    roll = tuple(sorted((each.node.id, 1) for each in hosts))
    named = fields.unpack(pack_definition(changed(YES_OR_NO, roll=roll)))
    for text in (topic.decode("latin1"), "email"):
        packed = fields.pack({**named, "topic": text, "value": value})
        other.node.control.put(DECISION, about, 0, bytes(16) + packed, len(text))
    pump.run(1.0)
    assert host.node.elections().outcomes() == []
    elect(pump, hosts)


def test_callers_who_disagree_about_what_is_needed_are_in_one_election() -> None:
    """If more than half ask for the same that counts, at once, whoever gathers the votes; or else
    time runs out.
    """
    for seed in range(8):
        for wanted in ((2, 2, 3), (2, 3, 2), (3, 2, 2), (1, 2, 3)):
            pump = Pump(seed)
            hosts = pump.cluster(3)
            for host, least in zip(hosts, wanted, strict=True):
                call(host, 3, least, seconds=5.0)
                vote(host)
            pump.run(0.5 if 1 not in wanted else 30.0)
            (outcome,) = {event.outcome for host in hosts for event in host.of(Settled)}
            assert outcome.kind == ("expired" if 1 in wanted else "commit")
            assert len(acted(hosts)) == (outcome.kind == "commit")


def test_callers_who_disagree_about_the_choices_decide_what_most_ask_for() -> None:
    """A vote for one of some choices means nothing to who counts yes and no."""
    for seed in range(8):
        for odd in range(3):
            pump = Pump(seed)
            hosts = pump.cluster(3)
            for number, host in enumerate(hosts):
                choices = () if number == odd else ("left", "right")
                asked = Call(Criteria(choices, 2), 3, 5.0)
                host.node.elections().call("email", asked, pump.now)
                vote(host, YES if number == odd else 1)
            pump.run(0.5)
            (outcome,) = {event.outcome for host in hosts for event in host.of(Settled)}
            assert (outcome.kind, outcome.choice) == ("commit", "right")


@pytest.mark.parametrize("odd", range(3))
def test_named_voters_who_disagree_decide_what_most_ask_for(odd: int) -> None:
    for seed in range(4):
        pump = Pump(seed)
        hosts = pump.cluster(3, durable=True)
        roll = tuple(sorted((host.node.id, 1) for host in hosts))
        for number, host in enumerate(hosts):
            least = 3 if number == odd else 2
            asked = Call(Criteria((), least), 0, 5.0, roll)
            host.node.elections().listen()
            host.node.elections().call("email", asked, pump.now)
        pump.run(0.2)
        for host in hosts:
            vote(host)
        pump.run(2.0)
        (outcome,) = {event.outcome for host in hosts for event in host.of(Settled)}
        assert outcome.kind == "commit"
        assert len(acted(hosts)) == 1


def test_a_second_outcome_of_one_election_is_told_of_once_and_the_first_stays() -> None:
    pump = Pump()
    hosts = pump.cluster(3)
    election = bound(ranked(hosts)[1][0])
    elect_named(hosts)
    host, other = hosts[:2]
    known = host.node.elections()._outcomes.last("email")
    assert known is not None
    before = host.node.elections().outcome("email")
    honest = known.value
    forged = [values.commit(YES, owner, Criteria((), 2), VOTED, ()) for owner in range(3)]
    stamp = decision_stamp(election)
    for value in [each for each in forged if each != honest] + [b"junk", IMPOSSIBLE["no votes"]]:
        stamp += 1
        record = pack_decision(election, known.definition, value)
        other.node.control.put(DECISION, decision_key(("email", 0)), 0, record, stamp)
        pump.run(1.0)
    assert host.node.elections().outcome("email") == before
    assert ["two outcomes" in text for text in suspicions([host])] == [True]
    assert len(host.of(Settled)) == 1


def test_what_is_decided_is_not_cancelled_refused_or_formed_again() -> None:
    """Also where its coordinator says so, who is the one to ask before it is."""
    pump = Pump()
    hosts = pump.cluster(2)
    for host in hosts:
        call(host, 2, 2)
    pump.run(1.0)
    election = bound(hosts[0])
    definition = matter(hosts[0]).signup.bound()
    for host in hosts:
        vote(host)
    pump.until(lambda: all(host.of(Settled) for host in hosts), 5.0)
    words = (Cancel(), Refusal(), Formed(), Formed(1), Sign(definition), Signed(), Unknown())
    for host, other in (hosts, hosts[::-1]):
        before = host.node.elections().outcome("email")
        say(other, host, *((election, word) for word in words), (election, definition))
        pump.run(2.0)
        assert host.node.elections().outcome("email") == before
        assert host.node.elections()._matters == {}
        assert len(host.of(Settled)) == 1
        assert host.errors == []
    assert len(acted(hosts)) == 1


@pytest.mark.parametrize("earlier", [True, False], ids=["of an earlier roll", "of no voter"])
def test_only_a_voter_of_this_roll_can_say_that_it_holds_a_vote(earlier: bool) -> None:
    pump = Pump()
    *hosts, outsider = pump.cluster(4)
    _, (claimant, _, third) = ranked(hosts)
    before = bytes(16)
    third.node.elections().bound(matter(third), before)
    third.node.elections().bound(matter(third), bound(hosts[0]))
    pump.held = True
    vote(third)
    if earlier:
        say(claimant, third, (before, VoteAck(1)))
    else:
        say(outsider, third, (bound(hosts[0]), VoteAck(1)))
    pacer = matter(third).pacer
    assert pacer is not None
    assert pacer._acked == 0
    say(claimant, third, (bound(hosts[0]), VoteAck(1)))
    assert pacer._acked == 1


@pytest.mark.parametrize("written", [0, 1], ids=["of the round before", "of the last round"])
@pytest.mark.parametrize("value", [b"junk", IMPOSSIBLE["no votes"]], ids=["junk", "impossible"])
def test_a_record_that_takes_the_place_of_a_decision_harms_nobody(
    value: bytes, written: int
) -> None:
    pump = Pump()
    hosts = pump.cluster(2, durable=True)
    host, other = hosts
    elect(pump, hosts)
    roll = tuple(sorted((each.node.id, 1) for each in hosts))
    election, definition = define(changed(YES_OR_NO, roll=roll, round=written))
    record = pack_decision(election, definition, value)
    other.node.control.put(DECISION, decision_key(("email", written)), 0, record, WITHDRAWN - 1)
    pump.run(1.0)
    for _ in range(2):
        for each in hosts:
            each.node.elections().rerun("email", False, pump.now)
        pump.run(0.1)
        for each in hosts:
            vote(each)
        pump.run(2.0)
    assert [each.errors for each in hosts] == [[], []]
    hosts[0] = pump.restart(host)
    known = [each.node.elections().outcome("email") for each in hosts]
    assert known[0] == known[1]
    assert known[0] is not None
    assert (known[0].kind, known[0].round) == ("commit", 2)
