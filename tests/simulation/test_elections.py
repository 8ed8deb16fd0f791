"""Elections of whole nodes under every fault the swarm knows: what was promised is checked by what
nodes told their users, whoever of them is still there in the end.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from dataclasses import replace
from random import Random

import pytest

from vines.events import Conflict, Outcome, Quorum, Settled
from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import Criteria
from vines.simulation.host import Host
from vines.simulation.plan import draw
from vines.simulation.swarm import Swarm

TOPICS = 6
SEEDS = 20
SOAK_SEEDS = 5_000
YES, NO, ABSTAIN = 0, 253, 254
MUST_OCCUR = ("commit", "abort", "expired", "acted", "told twice over", "callers crashed")


class Electing(Swarm):
    """A swarm whose users also call for elections and vote."""

    def __init__(self, seed: int, nodes: int | None = None) -> None:
        super().__init__(replace(draw(seed, nodes), seconds=60.0))
        self.chance = Random(seed)
        self.totals = [self.chance.randint(1, min(4, self.plan.nodes)) for _ in range(TOPICS)]
        self.next_call()

    def next_call(self) -> None:
        self.simulation.timeline.after(self.chance.expovariate(1 / 0.7), self.call)

    def call(self) -> None:
        if self.faults.over:
            return
        up = [host for host in self.simulation.nodes if host.process and not host.config.observer]
        if up:
            self.elect(self.chance.choice(up))
        self.next_call()

    def elect(self, host: Host) -> None:
        process = host.process
        assert process is not None
        number = self.chance.randrange(TOPICS)
        topic, total = f"topic {number}", self.totals[number]
        least = self.chance.choice((1, total // 2 + 1, total))
        seconds = self.chance.uniform(2, 60)
        choice = self.chance.choice((YES, YES, YES, NO, ABSTAIN))

        def act() -> None:
            elections = process.node.elections()
            elections.listen()
            elections.call(topic, Call(Criteria((), least), total, seconds), process.now)
            elections.vote(topic, choice, process.now)

        process.call(act)


def check(swarm: Electing) -> Counter[str]:
    """Hold what all nodes ever told against what was promised; returns what was seen."""
    seen: Counter[str] = Counter()
    outcomes: dict[bytes, Outcome] = {}
    acted: dict[bytes, Host] = {}
    for host in swarm.simulation.nodes:
        settled: list[Outcome] = []
        for event in host.events:
            if isinstance(event, Settled):
                outcome = event.outcome
                settled.append(outcome)
                known = outcomes.setdefault(outcome.election, outcome)
                assert outcome == known, "two outcomes of one election"
            elif isinstance(event, Quorum):
                outcome = event.outcome
                assert outcome.election not in acted, "two who act"
                assert outcome.kind == "commit"
                acted[outcome.election] = host
                ids = {one.node.id for one in (*host.past, host.process) if one is not None}
                assert outcome.owner in ids, "somebody else than the owner acts"
            elif isinstance(event, Conflict) and event.kind == "election":
                assert "members call" in event.text or "two decisions" in event.text, event.text
                seen["two decisions" if "two decisions" in event.text else "crowded"] += 1
        starts = len(host.past) + 1
        told = Counter(outcome.election for outcome in settled)
        assert all(count <= starts for count in told.values()), "told twice in one life"
        seen["told twice over"] += sum(count > 1 for count in told.values())
    for outcome in outcomes.values():
        seen[outcome.kind] += 1
        number = int(outcome.topic.split()[1])
        assert len(outcome.votes) <= swarm.totals[number]
        if outcome.kind == "commit":
            assert sum(choice is True for choice in outcome.votes.values()) >= 1
            assert outcome.owner is not None
    seen["acted"] += len(acted)
    seen["callers crashed"] += sum(len(host.past) for host in swarm.simulation.nodes)
    return seen


def run(seed: int) -> Counter[str]:
    swarm = Electing(seed)
    swarm.run()
    return check(swarm)


@pytest.mark.search
def test_no_fault_breaks_what_elections_promise() -> None:
    seen: Counter[str] = Counter()
    for seed in range(SEEDS):
        seen += run(seed)
    assert [what for what in MUST_OCCUR if not seen[what]] == []


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_no_fault_breaks_it_in_many(capsys: pytest.CaptureFixture[str]) -> None:
    seen: Counter[str] = Counter()
    by: dict[str, int] = defaultdict(int)
    for seed in range(20_000, 20_000 + SOAK_SEEDS):
        seen += run(seed)
        by["seeds"] += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{by['seeds']} seeds: {dict(seen)}\n")


@pytest.mark.search
def test_where_nobody_dies_everybody_who_stays_learns() -> None:
    """Without crashes, every topic that enough members called ends, everywhere the same."""
    for seed in range(100, 112):
        swarm = Electing(seed, 3)
        faults = ("partition_halves", "partition_any", "clog", "cut", "slow_link", "packet_loss")
        swarm.plan = replace(swarm.plan, faults=faults, observers=0)
        swarm.run()
        check(swarm)
        swarm.simulation.run(120.0)
        check(swarm)
        decided = [
            {outcome.topic for outcome in host.process.node.elections().outcomes()}
            for host in swarm.simulation.nodes
            if host.process is not None
        ]
        assert all(each == decided[0] for each in decided), f"seed {seed}"
        for number, total in enumerate(swarm.totals):
            topic = f"topic {number}"
            callers = [
                host
                for host in swarm.simulation.nodes
                if host.process is not None
                and (matter := host.process.node.elections()._matters.get((topic, 0)))
                and matter.signup.calling
            ]
            if len(callers) == total:
                assert topic in decided[0], f"seed {seed}: {topic}"
