"""A whole cluster in one process, on virtual time, from one seed: for our own tests and for those
of our users.

    from vines.simulation import Simulation

    simulation = Simulation(seed=7, nodes=3)
    first, second, third = simulation.nodes
    simulation.settle()
    first.gossip("colour", "red")
    simulation.run(1.0)
    assert second["colour"] == "red"

The nodes, their frames and their tables are the shipped ones; only sockets and time are
simulated. Nothing sleeps, so an hour of faults takes seconds, and the same seed always does the
same. `python -m vines.simulation 7` runs a random cluster with random faults from seed 7; that
is also how a failure found by the swarm is seen again.
"""

from __future__ import annotations

from vines.simulation.cluster import Simulation as Simulation
from vines.simulation.disk import Disk as Disk
from vines.simulation.host import Host as Host
from vines.simulation.network import Conditions as Conditions
from vines.simulation.oracle import Violation as Violation
from vines.simulation.spectator import Spectator as Spectator
from vines.simulation.swarm import Result as Result
from vines.simulation.swarm import run_absences as run_absences
from vines.simulation.swarm import run_forgetting as run_forgetting
from vines.simulation.swarm import run_seed as run_seed

__all__ = (
    *("Conditions", "Disk", "Host", "Result", "Simulation", "Spectator", "Violation"),
    *("run_absences", "run_forgetting", "run_seed"),
)
