"""The switch that turns Lifeguard off does what it says."""

from __future__ import annotations

from vines.events import Suspect
from vines.simulation import Simulation


def scores(*, lifeguard: bool) -> list[int]:
    """The health of everybody else once three of twelve have stood still for some seconds."""
    simulation = Simulation(5, nodes=12, watching=False, checking=False, lifeguard=lifeguard)
    simulation.run(5.0)
    for host in simulation.nodes[-3:]:
        host.pause()
    simulation.run(5.0)
    return [process.node._parts.detector.probing.health.score for process in simulation.processes]


def test_without_lifeguard_nobody_doubts_itself() -> None:
    assert max(scores(lifeguard=True)) > 0
    assert max(scores(lifeguard=False)) == 0


def test_without_lifeguard_a_suspect_has_its_least_time_from_the_start() -> None:
    times = []
    for lifeguard in (True, False):
        simulation = Simulation(3, nodes=20, watching=False, checking=False, lifeguard=lifeguard)
        simulation.run(10.0)
        first = simulation.processes[0].node
        subject = simulation.processes[-1].node.id
        detector = first._parts.detector
        detector._unanswered(subject, simulation.processes[0].now)
        suspect = detector.suspicion._suspects[subject]
        times.append(detector.suspicion._end(subject) - suspect.since)
        word = detector._word(subject)
        assert (word.accused is not None) == lifeguard
    assert times[0] > 2 * times[1]


def suspected(*, lifeguard: bool, datagrams_alone: bool) -> int:
    """How often one that is well was suspected, while one of ten reads up to 8 s late."""
    simulation = Simulation(
        1, nodes=10, watching=False, checking=False, lifeguard=lifeguard,
        datagrams_alone=datagrams_alone,
    )  # fmt: skip
    simulation.run(10.0)
    simulation.nodes[-1].slowness = 8.0
    simulation.run(60.0)
    slow = simulation.nodes[-1].name
    told = [event for host in simulation.nodes for event in host.events]
    return len(
        {
            (event.member.id, event.member.incarnation)
            for event in told
            if isinstance(event, Suspect) and event.member.name != slow
        }
    )


def test_a_slow_reader_accuses_the_well_by_datagrams_alone_and_with_lifeguard_less() -> None:
    for lifeguard in (True, False):
        assert suspected(lifeguard=lifeguard, datagrams_alone=False) == 0
    less = suspected(lifeguard=True, datagrams_alone=True)
    more = suspected(lifeguard=False, datagrams_alone=True)
    assert 3 * less < more
