"""Schedules in which the elections of heapwolf/vines go wrong, replayed by whole nodes.

There, a vote goes to a random peer, which adds it to those it holds and passes all of them on.
Whoever holds enough asks the creator, who is the one that called first by a clock of whole seconds,
and the first to ask is told to act.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations, product

import pytest

from tests.elections.defined import changed, defined
from vines._core.tally import NONE
from vines.errors import WireError
from vines.events import Conflict, Expired, Outcome, Overdue, Quorum, Settled
from vines.protocol.elections import value as values
from vines.protocol.elections.ballots import FIRST, ballot
from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import Criteria
from vines.protocol.elections.decree import digest_of
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Cancel,
    Decided,
    Formed,
    Nack,
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
from vines.protocol.elections.signup import id_of
from vines.protocol.node import Node
from vines.protocol.wire.ballot import ENTRIES_MAX, Ballots, pack
from vines.protocol.wire.framing import LENGTH_BYTES
from vines.simulation import Conditions, Host, Simulation
from vines.simulation.stream import End

YES, NO = 0, 253
TOLD = (Quorum, Settled, Expired, Overdue, Conflict)


def cluster(seed: int, size: int, *, jitter: float = 0.02) -> Simulation:
    simulation = Simulation(seed, nodes=size, conditions=Conditions(jitter=jitter))
    simulation.settle()
    return simulation


def call(
    host: Host, total: int, least: int, *, seconds: float = 300.0, topic: str = "email"
) -> None:
    process = host.process

    def act() -> None:
        elections = process.node.elections()
        elections.listen()
        elections.call(topic, Call(Criteria((), least), total, seconds), process.now)

    process.call(act)


def vote(host: Host, choice: int = YES, *, topic: str = "email") -> None:
    process = host.process
    process.call(lambda: process.node.elections().vote(topic, choice, process.now))


def name(host: Host) -> bytes:
    return host.process.node.id


def told(hosts: list[Host], *kinds: type) -> list:
    return [event for host in hosts for event in host.events if isinstance(event, kinds)]


def acted(hosts: list[Host]) -> list[bytes]:
    """Who was told to act, as often as that was."""
    return [name(host) for host in hosts for _ in told([host], Quorum)]


def learned(hosts: list[Host]) -> Outcome:
    """The one outcome of which all were told, once."""
    outcomes = [[event.outcome for event in told([host], Settled)] for host in hosts]
    assert [len(each) for each in outcomes] == [1] * len(hosts)
    assert outcomes == [outcomes[0]] * len(hosts)
    return outcomes[0][0]


def one_acts(hosts: list[Host]) -> Outcome:
    """All learned of one commit, and its owner alone was told to act."""
    outcome = learned(hosts)
    assert outcome.kind == "commit"
    assert acted(hosts) == [outcome.owner]
    return outcome


def overhear(simulation: Simulation, ear: Callable[[Host, bytes, Said], int]) -> None:
    """Each word about an election that arrives somewhere is taken as often as `ear` says."""
    for host in simulation.nodes:

        def receive(
            frame: bytes, link: int, now: float, host: Host = host, node: Node = host.process.node
        ) -> None:
            if frame[0] == Ballots.kind:
                words = Ballots.decode(frame).ballots
                taken = [word for word in words for _ in range(ear(host, word[0], word[2]))]
                for at in range(0, len(taken), ENTRIES_MAX):
                    some = Ballots(tuple(taken[at : at + ENTRIES_MAX]))
                    Node.receive(node, some.encode()[LENGTH_BYTES:], link, now)
            else:
                Node.receive(node, frame, link, now)

        host.process.node.receive = receive


def end(host: Host, other: Host) -> End:
    """The host's end of its stream to another."""
    for stream in host.simulation.network.streams.values():
        for each in stream.ends:
            if each.process is host.process and each.outgoing.target.process is other.process:
                return each
    raise AssertionError(f"no stream from {host} to {other}")


def say(other: Host, host: Host, election: bytes, said: Said) -> None:
    """Have the host hear this from another, who has no reason to say it."""
    process, link = host.process, end(host, other).link
    frame = Ballots(((election, 0, said),)).encode()[LENGTH_BYTES:]
    process.call(lambda: Node.receive(process.node, frame, link, process.now))


def babble(other: Host, host: Host, payload: bytes) -> None:
    """Have the host hear what is no word at all, and close the stream, as every driver does."""
    process, stream = host.process, end(host, other)

    def hear() -> None:
        with pytest.raises(WireError):
            process.node.receive(bytes((Ballots.kind, 0)) + payload, stream.link, process.now)
        host.simulation.network.abandon(stream)

    process.call(hear)


@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("seed", range(8))
def test_of_callers_in_one_instant_one_acts(seed: int, size: int) -> None:
    """Whoever called in the same second took itself for the creator, and two or more acted. One
    does.
    """
    simulation = cluster(seed, size)
    for host in simulation.nodes:
        call(host, size, size // 2 + 1)
        vote(host)
    simulation.run(5.0)
    one_acts(simulation.nodes)


@pytest.mark.parametrize("seed", range(12))
def test_one_acts_though_the_first_caller_is_dead(seed: int) -> None:
    """All who held enough votes asked the creator; dead, it answered nobody, and nobody acted. One
    of the others does.
    """
    simulation = cluster(seed, 3)
    creator, *others = simulation.nodes
    call(creator, 3, 2)
    vote(creator)
    simulation.run(1.5)
    for host in others:
        call(host, 3, 2)
    simulation.run(1.0)
    creator.crash(power=seed % 2 == 0)
    for host in others:
        vote(host)
    simulation.run(5.0)
    one_acts(others)


@pytest.mark.parametrize(
    ("size", "kind"),
    [
        *product((2, 3), (Sign, Signed, Formed, Vote, Accept, Accepted, Decided)),
        (3, VoteAck),
    ],
)
def test_one_acts_whatever_word_is_lost(size: int, kind: type) -> None:
    """The creator closed the election before it answered; when that answer was lost, nobody ever
    acted. One does.
    """
    lost = 0
    for seed in range(4):
        words: list[Said] = []

        def lose_the_first(
            host: Host, election: bytes, said: Said, words: list[Said] = words
        ) -> int:
            if not isinstance(said, kind):
                return 1
            words.append(said)
            return len(words) > 1

        simulation = cluster(seed, size)
        overhear(simulation, lose_the_first)
        *others, last = simulation.nodes
        for host in simulation.nodes:
            call(host, size, size)
        for host in others:
            vote(host)
        simulation.run(1.0)
        vote(last)
        simulation.run(5.0)
        one_acts(simulation.nodes)
        lost += bool(words)
    assert lost


def test_a_vote_changed_on_its_way_brings_no_second_result() -> None:
    """Of two votes of one voter each peer kept the one that came last: one announced yes, another
    no. All learn of the same result, with one of the two votes in it.
    """
    kinds = set()
    for seed in range(16):
        simulation = cluster(seed, 3, jitter=0.15)
        first, second, third = simulation.nodes
        for host in simulation.nodes:
            call(host, 3, 2)
        simulation.run(2.0)
        vote(first, YES)
        vote(second, NO)
        vote(third, YES)
        simulation.run(seed * 0.02)
        vote(third, NO)
        simulation.run(10.0)
        outcome = learned(simulation.nodes)
        yes = outcome.kind == "commit"
        assert outcome.votes[name(third)] is yes
        assert acted(simulation.nodes) == [outcome.owner] * yes
        kinds.add(outcome.kind)
    assert kinds == {"commit", "abort"}


@pytest.mark.parametrize("seed", range(6))
def test_time_runs_out_though_nobody_votes(seed: int) -> None:
    """A deadline was looked at when somebody voted, and then by that peer alone. All are told, when
    it has passed.
    """
    simulation = cluster(seed, 3)
    for host in simulation.nodes:
        call(host, 3, 2, seconds=5.0)
    call(simulation.nodes[0], 2, 2, seconds=5.0, topic="alone")
    if seed % 2:
        vote(simulation.nodes[0])
    simulation.run(4.9)
    assert told(simulation.nodes, *TOLD) == []
    simulation.run(1.0)
    outcome = learned(simulation.nodes)
    assert outcome.kind == "expired"
    assert told(simulation.nodes, Expired) == [Expired(outcome)] * 3
    assert told(simulation.nodes, Overdue) == [Overdue("alone", 0)]
    assert acted(simulation.nodes) == []


@pytest.mark.parametrize("seed", range(8))
def test_calling_again_loses_no_vote(seed: int) -> None:
    """A second call emptied the election, and the others waited for a vote that was gone. It is
    counted; and once all is decided, calling again changes nothing.
    """
    simulation = cluster(seed, 2)
    first, second = simulation.nodes
    call(first, 2, 2)
    vote(first)
    simulation.run(0.5 * (seed % 2))
    call(first, 2, 2)
    call(second, 2, 2)
    simulation.run(0.02 * seed)
    call(first, 2, 2)
    vote(second)
    simulation.run(2.0)
    outcome = one_acts(simulation.nodes)
    assert outcome.votes == {name(first): True, name(second): True}
    for host in (second, first):
        call(host, 2, 2)
        vote(host, NO)
    simulation.run(5.0)
    assert one_acts(simulation.nodes) == outcome


STEPS = ((call, 0), (vote, 0), (call, 1), (vote, 1))


@pytest.mark.parametrize("seed", range(24))
def test_votes_before_calls_count_in_every_order(seed: int) -> None:
    """A vote before the call made an election without criteria, which took the place of those that
    others had called for. It is kept for the call.
    """
    simulation = cluster(seed, 2)
    for act, number in list(permutations(STEPS))[seed]:
        host = simulation.nodes[number]
        call(host, 2, 2) if act is call else vote(host)
        simulation.run(0.5)
    simulation.run(2.0)
    outcome = one_acts(simulation.nodes)
    assert outcome.votes == {name(host): True for host in simulation.nodes}


UNCALLED = defined("uncalled", 0, ((bytes(16), 1),), bytes(24), 0, False, (), 1, False, 1000)
UNHEARD_OF: tuple[Said, ...] = (
    *(Sign(UNCALLED), UNCALLED, Signed(), Formed(), Cancel(), Unknown()),
    *(Vote(1, YES, b"", True), VoteAck(1), Refusal(), Decided(b"value")),
    *(Prepare(ballot(1, 0)), Promise(ballot(1, 0)), Nack(FIRST, ballot(1, 0))),
    *(Accept(FIRST, b"value", True), Accepted(FIRST, bytes(8))),
)
NO_WORDS = (
    *(b"", b"{}", b"null", bytes(24), bytes(25), b"\xff" * 25),
    *(pack(bytes(16), 0, said)[:-1] for said in UNHEARD_OF),
    pack(bytes(16), 0, Sign(changed(UNCALLED, topic=""))),
)


@pytest.mark.parametrize("seed", range(2))
def test_words_about_nothing_and_empty_ones_end_nobody(seed: int) -> None:
    """A message about a topic that a peer had not heard of ended its process, and so did an empty
    one. They have no effect, and the election under way goes on.
    """
    simulation = cluster(seed, 3)
    first, second, third = simulation.nodes
    for host in (first, second):
        call(host, 3, 3)
        vote(host)
    vote(second, topic="uncalled")
    simulation.run(1.0)
    for host in (first, second):
        for election in (bytes(16), id_of(b"", UNCALLED)):
            for said in UNHEARD_OF:
                say(third, host, election, said)
        for payload in NO_WORDS:
            babble(third, host, payload)
            simulation.run(2.0)
    assert told(simulation.nodes, *TOLD) == []
    call(third, 3, 3)
    vote(third)
    simulation.run(2.0)
    one_acts(simulation.nodes)


@pytest.mark.parametrize("seed", range(6))
def test_answers_that_nobody_asked_for_count_for_nothing(seed: int) -> None:
    """Whoever got the creator's answer acted, asked for or not, and again with each. Answers that
    are repeated, and those of outsiders, make no majority of two in five.
    """
    elections: set[bytes] = set()
    two: list[Host] = []
    heard: set[type] = set()

    def answer(host: Host, election: bytes, said: Said) -> int:
        elections.add(election)
        if host not in two:
            return 1
        heard.add(type(said))
        answers: list[Said] = [Signed(), Vote(9, NO, b"", True), Decided(forged)]
        if isinstance(said, Prepare):
            answers.append(Promise(said.ballot))
        if isinstance(said, Accept):
            answers.append(Accepted(said.ballot, digest_of(said.value)))
        for each in two:
            for one in answers:
                say(outsider, each, election, one)
        return 3

    simulation = cluster(seed, 6)
    overhear(simulation, answer)
    *callers, outsider = simulation.nodes
    forged = values.commit(YES, 0, Criteria((), 5), bytes((NONE,)) * 5, ())
    for host in callers:
        call(host, 5, 5)
    simulation.run(1.0)
    assert len(elections) == 1
    assert callers[0].process is not None
    (matter,) = callers[0].process.node.elections()._matters.values()
    ranks = matter.signup.election.electorate
    callers.sort(key=lambda host: ranks.rank(name(host)))
    claimant, last, *others = callers
    for host in (claimant, *others):
        vote(host)
    simulation.run(1.0)
    two += [claimant, last]
    simulation.partition([*two, outsider], others)
    vote(last)
    simulation.run(5.0)
    assert Accepted in heard
    assert told(simulation.nodes, *TOLD) == []
    simulation.settle()
    simulation.run(5.0)
    one_acts(callers)


@pytest.mark.parametrize("seed", range(8))
def test_who_comes_back_is_no_second_voter(seed: int) -> None:
    """Each start of a peer was another voter: one that said yes twice outvoted one that said no.
    Who comes back has no vote here, and nothing is decided before the others have voted.
    """
    elections: list[bytes] = []

    def note(host: Host, election: bytes, said: Said) -> int:
        elections.append(election)
        return 1

    simulation = cluster(seed, 3)
    overhear(simulation, note)
    first, second, third = simulation.nodes
    for host in simulation.nodes:
        call(host, 3, 2)
    simulation.run(1.0)
    voters = {name(host) for host in simulation.nodes}
    vote(first)
    simulation.run(0.5)
    first.restart()
    simulation.run(0.1 + 0.2 * seed)
    call(first, 3, 2)
    vote(first)
    for host in (second, third):
        say(first, host, elections[-1], Vote(1, YES, b"", True))
    vote(second, NO)
    simulation.run(20.0)
    # As long as its earlier start is not known to be dead, one more calls than are wanted.
    assert told(simulation.nodes, *(each for each in TOLD if each is not Conflict)) == []
    vote(third, NO)
    simulation.run(5.0)
    outcome = learned(simulation.nodes)
    assert outcome.kind == "abort"
    assert outcome.votes.keys() <= voters


@pytest.mark.parametrize("seed", range(4))
def test_a_vote_costs_nothing_while_others_are_waited_for(seed: int) -> None:
    """One that decided nothing was passed on without a pause, over 2,000 new connections a second.
    None is opened, and nothing more is said.
    """
    simulation = cluster(seed, 5)
    dials = sum(process.dials for process in simulation.processes)
    for host in simulation.nodes:
        call(host, 5, 5)
    for host in simulation.nodes[1:]:
        vote(host)
    simulation.run(1.0)
    words = simulation.counts["frame_ballot"]
    assert 0 < words < 50
    simulation.run(60.0)
    assert simulation.counts["frame_ballot"] == words
    assert sum(process.dials for process in simulation.processes) == dials
    vote(simulation.nodes[0])
    simulation.run(1.0)
    one_acts(simulation.nodes)
