"""The invariants of membership, M1 to M10, each under its name.

Most are judged by what nodes tell their users, at once; the rest by looking at all views now and
then, and at rest. Who had reason to think otherwise is judged leniently: while a network is cut or
a process stands still, and for a while after that, the living may be held dead. Three stand
elsewhere, where what they need is known: M3 in oracle.py, M6 in rest.py and M9 in follow.py. M8 of
datagrams is asked for in process.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vines import events
from vines._core.table import MEMBER
from vines.protocol.links.losses import ABSENT_SECONDS
from vines.protocol.members.accusations import ACCUSATION
from vines.protocol.members.identity import BOOT_BITS, UNSEEN_SECONDS
from vines.protocol.members.membership import GONE_MAX
from vines.protocol.members.probing import ROUND_INTERVALS
from vines.protocol.members.profile import RANKS, stamp_of
from vines.protocol.members.suspicion import time_to_object
from vines.protocol.wire.fields import ID_BYTES
from vines.simulation.oracle import Violation, voids
from vines.simulation.spectator import Spectator

if TYPE_CHECKING:
    from vines.config import Config
    from vines.events import Member
    from vines.simulation.cluster import Simulation
    from vines.simulation.oracle import Written
    from vines.simulation.process import Process

CALM_SECONDS = 30.0
"""After the last fault: what was believed because of it may be told and contradicted until then,
where members are probed every second or more often."""
LOOK_SECONDS = 0.5
"""Between two looks at everything."""
SLACK_SECONDS = 1.0
"""What turns, frames and their spread may add to the bound of detection."""


def detection_bound(process: Process, gone: int = 1) -> float:
    """Seconds within which a node knows of one that vanished: until the probe by its neighbour, the
    probe, and the time to object; a kernel's patience with dials may be longer than that. Who
    doubts itself, as who is left alone does, probes less often by as much. The only one that is
    left has no neighbour that runs, and finds those that are `gone` one after the other.
    """
    config, health = process.node.config, process.node._parts.detector.probing.health
    silence = max(config.dial_timeout, config.suspicion_factor * config.probe_interval)
    probes = 1.5 + gone
    return probes * config.probe_interval * health.factor + silence + SLACK_SECONDS


def rounds_bound(process: Process, others: int) -> float:
    """Seconds in which a node probes each of so many others once, whoever is its neighbour: the
    first of one round may be the last of the next. Observers are nobody's neighbours.
    """
    config, health = process.node.config, process.node._parts.detector.probing.health
    return (2 * others - 1) * ROUND_INTERVALS * config.probe_interval * health.factor


def unseen_bound(config: Config) -> float:
    """Seconds within which all know of one that did not listen and ended with all that were linked
    to it: until it has said nothing for long, two looks for that, and its time to object.
    """
    objection = time_to_object(config, 2, 0, gone=False)
    return UNSEEN_SECONDS + 2.5 * config.heal_interval + objection + SLACK_SECONDS


def broken_bound(config: Config) -> float:
    """The same where one that lives was linked to it: until the silence of the link has broken it,
    the time to come back, and that to object.
    """
    silence = max(config.keepalive_timeout, config.dial_timeout)
    objection = time_to_object(config, 2, 0, gone=True)
    return silence + ABSENT_SECONDS + objection + SLACK_SECONDS


class MembershipRules(Spectator):
    """Watches all members of a simulation. Raises Violation, whose message names the invariant."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation
        self._looked = 0.0
        self._calm_since = 0.0
        self._names: dict[bytes, str] = {}
        self._clusters: dict[bytes, str] = {}
        self._began: dict[bytes, float] = {}
        self._ended: dict[bytes, float] = {}
        self._witnesses: dict[bytes, list[Process]] = {}
        """Who was linked to one that ended and did not listen."""
        self._told: dict[str, dict[bytes, tuple[int, int]]] = {}
        """Per running process and member the (incarnation, rank of the state) that was told
        last."""
        self._met: dict[str, dict[bytes, float]] = {}
        """When a running process was last told that a member is there."""
        self._forgot: dict[str, dict[bytes, Written]] = {}
        """What was left of members when what a running process had been told of them was last
        forgotten."""
        self._gone_since: dict[str, dict[bytes, tuple[int, float, float]]] = {}
        """The last incarnation at which a running process was seen to hold a member dead, or gone;
        since when, and for how long it had stood still by then."""

    # -- what it is told

    def started(self, process: Process) -> None:
        """A process begins."""
        node = process.node
        self._names[node.id] = process.name
        self._clusters[node.id] = node.config.cluster
        self._began[node.id] = self.simulation.now
        self._ended.pop(node.id, None)
        self._witnesses.pop(node.id, None)
        if process.disk is not None and process.disk.put_back:
            self.simulation.control.recounted.add(node.id)
        self._told[process.name] = {}
        self._met[process.name] = {}
        self._forgot[process.name] = {}
        self._gone_since[process.name] = {}

    def ended(self, process: Process) -> None:
        """A process is gone."""
        member = process.node.id
        self._ended[member] = self.simulation.now
        for each in (self._told, self._met, self._forgot, self._gone_since):
            del each[process.name]
        if not process.host.listens:
            others = self.simulation.processes
            self._witnesses[member] = [other for other in others if would_miss(other, member)]

    def told(self, process: Process, event: object) -> None:
        """A node told its user something."""
        if isinstance(event, events.Join):
            self._met[process.name][event.member.id] = self.simulation.now
        match event:
            case events.Join(member) | events.Update(member) | events.Suspect(member):
                self.m2_never_back(process, member)
                self.m8_one_cluster(process, member)
            case events.Leave(member):
                self.m2_never_back(process, member)
            case events.Fail(member):
                self.m2_never_back(process, member)
                self.m4_reachable_never_dead(process, member)

    def turned(self, process: Process) -> None:
        """A turn of a process is over."""
        self.m1_itself_alive(process)
        if self.simulation.now >= self._looked + LOOK_SECONDS:
            self._look()

    def rested(self) -> None:
        """The cluster has come to rest."""
        for process in self.simulation.processes:
            self.m10_bounded(process)

    # -- the invariants

    def m1_itself_alive(self, process: Process) -> None:
        """M1: a node is alive in its own view until it leaves: what says otherwise of it in its
        table it is about to contradict.
        """
        identity = process.node._parts.identity
        held = process.node.control.get(MEMBER, identity.id)
        if held is None or identity.leaving:
            return
        stamp, origin, _, _ = held
        contradicts = identity.refutes
        if stamp & 3 and not contradicts and origin != process.node.control.source:
            raise Violation(f"M1: {process.name} lets it stand that it is {RANKS[stamp & 3]}")

    def m2_never_back(self, process: Process, member: Member) -> None:
        """M2: per member (incarnation, state) never goes back in any view, until all that was left
        of it is gone there. M7: who was held gone does not come back but by a higher incarnation,
        and who left not but by a new start.
        """
        told = self._told[process.name]
        if self._is_another(process, member.id):
            told.pop(member.id, None)
            self._gone_since[process.name].pop(member.id, None)
        rank = member.incarnation, RANKS.index(member.state)
        before = told.get(member.id, (0, 0))
        told[member.id] = rank
        if rank[1]:
            self._seen_gone(process, member)
        if before[1] and not rank[1]:
            if rank[0] <= before[0]:
                self._complain("M7", process, member, "came back without a new incarnation")
            if RANKS[before[1]] == events.LEFT and not self._began_anew(member, before[0]):
                self._complain("M7", process, member, "left, and came back without a new start")
        if rank < before:
            self._complain("M2", process, member, f"was told as {before} before, now {rank}")

    def _is_another(self, process: Process, member: bytes) -> bool:
        """Whether this is the first word of a start, on an old copy of its disk, after what was
        left of an earlier one was gone here.
        """
        watch, believed = process.watches[0], process.node._parts.linking.members.get(member)
        if believed is None or not watch.is_another(member, believed.profile.source):
            return False
        before, left = self._forgot[process.name].get(member), watch.left[member]
        self._forgot[process.name][member] = left
        return before != left

    def _began_anew(self, member: Member, left: int) -> bool:
        """Whether somebody is alive by the word of another start than that which left at an
        incarnation: a later one, by its number, unless an old copy of a disk was put back, which
        counts them anew.
        """
        starts, recounted = self.simulation.control.starts_saying, self.simulation.control.recounted
        alive = starts(member.id, stamp_of(member.incarnation, events.ALIVE))
        later = member.incarnation >> BOOT_BITS > left >> BOOT_BITS
        if not (later or member.id in recounted):
            return False
        return bool(alive) and alive.isdisjoint(starts(member.id, stamp_of(left, events.LEFT)))

    def m4_reachable_never_dead(self, process: Process, member: Member) -> None:
        """M4: a member that all can reach, and that reaches all, is never held dead."""
        now = self.simulation.now
        # The last look may be as long ago as all have stood still since.
        calm = now - self._calm_since >= self.calm_seconds and not self._is_stormy()
        runs = member.id in self._began and member.id not in self._ended
        if calm and runs and now - self._began[member.id] >= self.calm_seconds:
            self._complain("M4", process, member, "is held dead, though all reach it")

    def m5_crashed_is_dead(self, process: Process) -> None:
        """M5: a member that ended is dead in all views within the bound of detection, which begins
        as it does, or as it comes to be known.
        """
        now = self.simulation.now
        calm = max(self._calm_since + self.calm_seconds, self._began[process.node.id])
        if now <= calm:
            return
        probing = [each for each in self.simulation.processes if each.host.listens]
        gone = len(self._ended) if len(probing) == 1 else 1
        # Who does not listen is told by those that do.
        seers = [process] if process.host.listens else probing
        listened = max(detection_bound(each, gone) for each in seers)
        if not process.host.listens:
            # It probes nobody, and links that all broke without a word are noticed by silence.
            listened += broken_bound(process.node.config)
        rounds = max(rounds_bound(each, len(process.follower.alive)) for each in seers)
        for member, told in process.follower.alive.items():
            ended = self._ended.get(member)
            if ended is None:
                continue
            bound = self._hidden_bound(member, process) if member in self._witnesses else listened
            bound += rounds if told.observer else 0.0
            since = max(ended, calm, self._met[process.name].get(member, 0.0))
            if now - since > bound:
                self._complain("M5", process, told, f"ended {now - ended:.1f} s ago")

    def m8_one_cluster(self, process: Process, member: Member) -> None:
        """M8: no view has a node of another cluster, or one that never was."""
        if self._clusters.get(member.id) != process.node.config.cluster:
            self._complain("M8", process, member, "is of another cluster")

    def is_foreign(self, process: Process, sender: bytes) -> bool:
        """M8: whether somebody is of another cluster than a process, which takes nothing of it."""
        own = process.node.config.cluster
        return self._clusters.get(sender, own) != own

    def m10_bounded(self, process: Process) -> None:
        """M10: a view has the living and a bounded number of the gone, none beyond the time that
        they are remembered, which goes on while the process does, and begins anew with each life: a
        later incarnation is a word of the member's own (M3), so it lived on after it had been held
        gone. And no accusation stands beside the record that answers it. (One whose subject's
        record died with all who held it is kept: nobody knows that it was answered.)
        """
        node = process.node
        gone = [member for member in node.members() if member.state != events.ALIVE]
        if len(gone) > GONE_MAX:
            raise Violation(f"M10: {process.name} remembers {len(gone)} that are gone")
        now = self.simulation.now
        for member in gone:
            # Who was away long enough may come back with one that others have forgotten.
            known, stood_still = self._seen_gone(process, member)
            since = max(known, self._ended.get(member.id, now))
            since += process.host.stood_still - stood_still
            if now - since > node.config.dead_retention + self.calm_seconds * 2:
                self._complain("M10", process, member, "is remembered for too long")
        held = process.watches[0].held
        for (family, key), written in held.items():
            if family == ACCUSATION and voids(held.get((MEMBER, key[:ID_BYTES])), written.stamp):
                raise Violation(
                    f"M10: {process.name} keeps an accusation of"
                    f" {self._names.get(key[:ID_BYTES])} beside what answers it"
                )

    # -- what they need

    def _seen_gone(self, process: Process, member: Member) -> tuple[float, float]:
        """Since when a process is seen to hold a member gone, at this incarnation: now, if it was
        not before; and for how long it had stood still by then.
        """
        seen = self._gone_since[process.name]
        incarnation, since, stood_still = seen.get(member.id, (-1, 0.0, 0.0))
        if incarnation < member.incarnation:
            since, stood_still = self.simulation.now, process.host.stood_still
            seen[member.id] = member.incarnation, since, stood_still
        return since, stood_still

    def _hidden_bound(self, member: bytes, process: Process) -> float:
        """Within what a process knows of one that ended and did not listen."""
        config = process.node.config
        if any(witness.running for witness in self._witnesses[member]):
            bound = broken_bound(config)
        else:
            bound = unseen_bound(config)
        return bound if process.host.listens else bound + broken_bound(config)

    @property
    def calm_seconds(self) -> float:
        """As long as faults have consequences."""
        return CALM_SECONDS * max(1.0, self.simulation.nodes[0].config.probe_interval)

    def _look(self) -> None:
        stormy = self._is_stormy()
        self._looked = self.simulation.now
        if stormy:
            self._calm_since = self.simulation.now
        elif self._ended and self.simulation.now - self._calm_since > self.calm_seconds:
            for process in self.simulation.processes:
                self.m5_crashed_is_dead(process)

    def _is_stormy(self) -> bool:
        """Whether anything is wrong now, or was until this turn: without one of anybody for many
        probes, all stood still.
        """
        return self.simulation.now - self._looked > self.calm_seconds / 4 or self._is_disturbed()

    def _is_disturbed(self) -> bool:
        """Whether anything is wrong now with the network or a machine."""
        network = self.simulation.network
        conditions = network.conditions
        weather = conditions.loss or conditions.dial_failure or conditions.bandwidth
        slow = conditions.latency + conditions.jitter > 0.05 or conditions.lag > 0.05
        if weather or slow or conditions.straggling or network.slow or network.is_cut:
            return True
        if not any(can_be_met(each) for each in self.simulation.processes):
            return True  # who does not listen reaches nobody but those that can be
        return any(
            host.paused or host.datagrams_blocked or host.rate != 1.0
            for host in self.simulation.nodes
        ) or any(pipe.clogged for stream in network.streams.values() for pipe in stream.pipes)

    def _complain(self, name: str, process: Process, member: Member, what: str) -> None:
        who = self._names.get(member.id, "nobody")
        raise Violation(f"{name}: in the view of {process.name} {member.name} ({who}) {what}")


def can_be_met(process: Process) -> bool:
    """Whether a process listens, and does not only watch: for observers links are not kept."""
    return process.host.listens and not process.node.config.observer


def would_miss(process: Process, member: bytes) -> bool:
    """Whether a process has a link to a member that it takes for lost if it breaks. Whose record
    has not come when that happens, nobody can accuse: it is missed by its word.
    """
    linking = process.node._parts.linking
    link = linking.links.to(member)
    lasting = link is not None and not link.errand and not link.spare
    return lasting and linking.members.is_alive(member)
