"""When a cluster has come to rest, and what must be true of it then.

At rest all running nodes hold the same and believe the same: that is the promise of convergence.
The checks here look at whole tables and so run once, at the end; `checks` has those of every
step.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from vines._core.retired import write_batch
from vines._core.table import EPHEMERAL, EXPIRING, MEMBER, TOMBSTONE
from vines.events import ALIVE, Member
from vines.protocol.members.accusations import ACCUSATION
from vines.protocol.replicas.batches import RETIRED
from vines.protocol.wire.fields import ID_BYTES
from vines.simulation.oracle import Violation, Written, lapsed

if TYPE_CHECKING:
    from vines.simulation.checks import Watch
    from vines.simulation.cluster import Simulation
    from vines.simulation.oracle import Key
    from vines.simulation.process import Process

STEP_SECONDS = 0.5
QUIET_SECONDS = 3.0
"""How long a cluster at rest must stay so: some comparisons of tables."""
LATE_MILLISECONDS = 1000
"""Once faults are over a record is under way for less than that."""
NOT_AT_REST = ("frame_vector", "frame_delta", "frame_pull", "frame_join", "frame_snapshot")
"""What equals have no reason to send each other."""
QUIET_DIALS_MAX = 12
"""Dials a node may still make in that time: seeds, and those held dead, now and then."""


def unrest(processes: list[Process]) -> str | None:
    """Why these processes are not at rest, or None: equal fingerprints, and all see just each
    other alive.
    """
    first = processes[0]
    for process in processes[1:]:
        for mine, theirs in zip(first.watches, process.watches, strict=True):
            if mine.table.fingerprint() != theirs.table.fingerprint():
                return f"the tables {mine.name} and {theirs.name} differ"
    for process in processes:
        if suspects := process.node.stats()["suspects"]:
            return f"{process.name} suspects {suspects}"
    for number, which in enumerate(("control", "data")):
        counts = {each.watches[number].table.statistics()["expiring"] for each in processes}
        if len(counts) > 1 and (
            number or len({_lapsing(each.watches[0]) for each in processes}) > 1
        ):
            return f"a record of the table {which} has lapsed, and not everywhere"
    alive = {process.node.id for process in processes}
    for process in processes:
        view = {member.id for member in process.node.members() if member.state == ALIVE}
        if view != alive:
            return f"{process.name} sees {len(view)} alive, {len(alive)} are"
    return None


def wait_for_rest(simulation: Simulation, limit: float) -> None:
    """M6: after faults stop, all live views and tables are equal within `limit` seconds. Raises
    Violation if not.
    """
    deadline = simulation.now + limit
    why: str | None = "it has just begun"
    while why is not None:
        if simulation.now >= deadline:
            raise Violation(f"M6: no rest after {limit:g} s: {why}")
        simulation.timeline.run(simulation.now + STEP_SECONDS)
        why = unrest(simulation.processes) or _noise(simulation)


def check_rest(simulation: Simulation) -> None:
    """Check all that must hold of a cluster at rest. Raises Violation."""
    processes = simulation.processes
    for process in processes:
        # What a node wrote of others is known only if it was looked at after every step.
        for watch in process.watches if simulation.checking else process.watches[1:]:
            watch.check_everything(alone=len(processes) == 1)
        process.follower.verify()
    check_ephemeral(simulation)
    _check_equal(processes)
    _check_acknowledged(simulation)
    if simulation.checking:
        simulation.membership.rested()


def time_left(process: Process) -> dict[Key, int]:
    """How many ms the keys have left that lapse, as this process sees it."""
    table = process.node.data
    table.tick(process.now)
    return {(family, key): left for family, key, left in table.expiring()}


def check_joiner(joiner: Process, others: list[Process], seconds: float) -> None:
    """Whoever came late, so many seconds ago, does not see a key for longer than those who gave it,
    but for what was under way, at most since then. Raises Violation.
    """
    fastest = max(process.rate for process in (joiner, *others))
    late = LATE_MILLISECONDS + fastest * seconds * 1000
    given: dict[Key, int] = {}
    for other in others:
        for key, left in time_left(other).items():
            given[key] = max(left, given.get(key, 0))
    for key, left in time_left(joiner).items():
        if left > given.get(key, 0) + late:
            raise Violation(
                f"{joiner.name} came late and holds {key[1]!r} for {left} ms more, the others for"
                f" {given.get(key, 0)}"
            )


def check_ephemeral(simulation: Simulation) -> None:
    """Check that everybody shows just those ephemeral keys whose owners are alive, which all know
    at rest, and that none of these has been dropped. Raises Violation.
    """
    alive = {process.node.data.source for process in simulation.processes}
    for process in simulation.processes:
        hidden = process.node.data.hidden()
        for written in map(Written._make, process.node.data.records()):
            was = simulation.data.records[written[:4]]
            if written.depends and (written[:2] in hidden) == (written.origin in alive):
                word = "hides" if written[:2] in hidden else "shows"
                raise Violation(f"{process.name} {word} {written}, whatever became of its owner")
            if was.depends and not (was.expires or written.depends) and written.origin in alive:
                raise Violation(f"{process.name} dropped {written}, whose owner is alive")


def check_lapsed(simulation: Simulation) -> None:
    """Check that nobody shows a key any more that had a time to live. Raises Violation."""
    for process in simulation.processes:
        for written in process.watches[1].held.values():
            if written.expires:
                raise Violation(f"{process.name} still shows {written} after its time")


def unforgotten(simulation: Simulation) -> list[str]:
    """Sources that are gone, and are remembered though nothing names them at any process, where
    that is; and records that say so, where no source is remembered any more.
    """
    known = [(process.name, process.node.control) for process in simulation.processes]
    named = {
        source
        for _, control in known
        for source, _ in control.gone.divide(write_batch(control.gone.items()))[1]
    }
    found = [
        f"{source.hex()} at {name}"
        for name, control in known
        for source, _ in control.gone.items()
        if source not in named
    ]
    for name, control in known:
        # What lies above all that is covered of its author stays, as whatever lapsed there does.
        held = (Written._make(fields) for fields in control.records())
        records = sum(
            one.family == RETIRED and one.counter <= control.covered(one.source) for one in held
        )
        if records and not any(len(each.gone) for _, each in known):
            found.append(f"{records} records of them at {name}")
    return found


def _noise(simulation: Simulation) -> str | None:
    """What nodes with equal tables and views still do in some seconds, or None: equals are
    quiet.
    """
    processes = simulation.processes
    counts = Counter(simulation.counts)
    dials = [process.dials for process in processes]
    control = processes[0].node.control.fingerprint()
    simulation.timeline.run(simulation.now + QUIET_SECONDS)
    if simulation.processes != processes:
        return "a process began or ended"
    if control != processes[0].node.control.fingerprint():
        return "they go on writing about each other"
    if loud := [name for name in NOT_AT_REST if simulation.counts[name] > counts[name]]:
        return f"they go on sending {loud}"
    for process, before in zip(processes, dials, strict=True):
        if process.dials > before + QUIET_DIALS_MAX:
            return f"{process.name} dialled {process.dials - before} times"
    return unrest(processes)


def _check_equal(processes: list[Process]) -> None:
    """Equal sorted (family, key, stamp, origin, flags, value), but for what is left of ephemeral
    records whose owner is gone, and equal views of the members.
    """
    first = processes[0]
    alive = {process.node.data.source for process in processes}
    view, contents = _view(first), [_content(watch, alive) for watch in first.watches]
    for process in processes[1:]:
        for mine, content, theirs in zip(first.watches, contents, process.watches, strict=True):
            others = _content(theirs, alive)
            if _live(content) != _live(others):
                raise Violation(f"K1: {mine.name} and {theirs.name} hold different things")
            _check_deletions(mine, content, theirs, others)
        other = _view(process)
        # Each forgets in its own time who is gone; what both say of somebody is the same.
        if any(
            view.get(member) != other.get(member)
            and ((member in view and member in other) or _lives(member, view, other))
            for member in view.keys() | other.keys()
        ):
            raise Violation(f"{process.name} sees {other}, {first.name} {view}")


def _content(watch: Watch, alive: set[bytes]) -> list[Written]:
    """What a table holds; of ephemeral records what is left if their owner is not among these, and
    of what lapses what will be left of it, if it says nothing to anybody.
    """

    def ends(one: Written) -> bool:
        return (one.flags & EPHEMERAL and one.origin not in alive) or _is_leftover(watch, one)

    found = [Written._make(fields) for fields in watch.table.records()]
    return sorted(
        (lapsed(one) if ends(one) else one)._replace(source=b"", counter=0) for one in found
    )


def _is_leftover(watch: Watch, written: Written) -> bool:
    """Whether what lapses of a control table says nothing to anybody any more. What says that a
    member or a source is gone, of a source that counts no more: two that came later, and met each
    other first, are not told of it, as no vector names that source and no fingerprint holds such a
    record; they never held that member alive, or anything of that source. And an accusation whose
    subject nobody knows: who knew that it was answered has dropped it, who took it later does not
    know.
    """
    if not written.flags & EXPIRING:
        return False
    if _is_of_nobody(written, watch):
        return True
    return written.family in (MEMBER, RETIRED) and not watch.table.counts_in(written.source)


def _is_of_nobody(written: Written, watch: Watch) -> bool:
    """Whether it is an accusation whose subject is not known here."""
    if written.family != ACCUSATION:
        return False
    return watch.table.get(MEMBER, written.key[:ID_BYTES]) is None


def _lapsing(watch: Watch) -> frozenset[Key]:
    """What of a control table has yet to lapse everywhere."""
    expiring = {(family, key) for family, key, _ in watch.table.expiring()}
    found = (Written._make(fields) for fields in watch.table.records())
    return frozenset(
        each.key_ for each in found if each.key_ in expiring and not _is_leftover(watch, each)
    )


def _live(content: list[Written]) -> list[Written]:
    """Without deletions, which each forgets in its own time."""
    return [written for written in content if not written.flags & TOMBSTONE]


def _check_deletions(
    mine: Watch, content: list[Written], theirs: Watch, others: list[Written]
) -> None:
    """A deletion is held by both, or forgotten by who lacks it or by whom that one joined; or it is
    of a source that was retired before that one came: no vector names that, and no fingerprint
    holds a deletion, so nothing tells of it. Should what it won over come from anybody, those who
    hold the deletion do not take it, fingerprints differ, and the join that follows brings it. Or
    it is of an accusation that is covered where it is lacking: it was answered as it came, by what
    is forgotten where it is held.
    """
    both = (mine, theirs, content, others), (theirs, mine, others, content)
    for lacking, holder, held, other in both:
        ranks = {written.key_: written.rank for written in held}
        for written in other:
            if not written.flags & TOMBSTONE or ranks.get(written.key_, (-1, b"")) >= written.rank:
                continue
            if lacking.oracle.is_dropped(written.key_, written.rank):
                continue  # what lapsed of members that are gone each drops in its own time
            source, counter = _position(written, lacking, mine, theirs)
            if holder.table.is_retired(source) and not lacking.table.covered(source):
                continue
            if _is_of_nobody(written, holder) and lacking.table.covered(source) >= counter:
                continue
            if not lacking.excuses(source, counter, written.key_, written.rank):
                raise Violation(f"{lacking.name} lacks the deletion {written}")


def _position(written: Written, *watches: Watch) -> tuple[bytes, int]:
    held = (watch.held.get(written.key_) for watch in watches)
    found = next(each for each in held if each is not None and each.rank == written.rank)
    return found.source, found.counter


def _view(process: Process) -> dict[bytes, Member]:
    """All members. Of who is gone for so long that its record has lapsed, state and incarnation
    alone: nothing else is told to those who were away, who may know less of it than others.
    """
    found = {}
    for member in process.node.members():
        held = process.node.control.get(MEMBER, member.id)
        if member.state != ALIVE and (held is None or held[2] & TOMBSTONE):
            member = member.replace(name="", address=None, tags={}, observer=False)
        found[member.id] = member
    return found


def _lives(member: bytes, *views: dict[bytes, Member]) -> bool:
    return any(member in view and view[member].state == ALIVE for view in views)


def _check_acknowledged(simulation: Simulation) -> None:
    """Every key is at least the highest write of every running process; and if no process ever
    ended, it is exactly the highest write of all. What an ended process wrote is lost if it
    reached nobody; whatever a running one ever held cannot be, because tables only rise.
    """
    oracle, watch = simulation.data, simulation.processes[0].watches[1]
    held = watch.held
    running = {process.node.data.source for process in simulation.processes}
    for written in oracle.records.values():
        now = held.get((written.family, written.key))
        if written.source not in running or (now is not None and now.rank >= written.rank):
            continue
        if not watch.excuses(written.source, written.counter, written.key_, written.rank):
            raise Violation(f"K3: an acknowledged write is lost: {written}; there is {now}")
        if not written.flags & TOMBSTONE and not oracle.may_miss(written):
            raise Violation(f"{written} is gone for deletions that nobody remembered")
    ended = any(host.past for host in simulation.nodes)
    for key, highest in oracle.highest.items():
        left = lapsed(highest) if highest.fades else highest
        if oracle.is_deleted(key, highest.rank):
            continue  # gone, or an older write is there by somebody who was not waited for
        if not ended and held.get(key) not in (highest, left):
            raise Violation(f"K3: {key} is {held.get(key)}, not the highest write {highest}")
    hidden = set(watch.table.hidden())
    for written in held.values():
        if written.flags & TOMBSTONE:
            continue
        for deletion in oracle.deleted(written.key_, written.rank):
            # Where all that knew of it have ended, nobody is left who could.
            known = watch.table.covered(deletion.source) >= deletion.counter
            if deletion.rank == written.rank and written.expires:
                # It ended elsewhere, by the clock there, and will end here: no fingerprint tells.
                # Where it had ended before it is not back, which is looked at after each step.
                continue
            if deletion.rank == written.rank and written.key_ in hidden:
                # It ended with its owner elsewhere, and nobody sees it here: it ends as the source
                # of that owner is retired. If it were shown again, it would be back.
                continue
            known_gone = (
                each.node.control.gone.get(written.origin) for each in simulation.processes
            )
            if deletion.rank == written.rank and not any(known_gone):
                # Who held its owner for gone has ended, and had told nobody who is there.
                continue
            if known and oracle.knew(written.key_, deletion.rank, written):
                raise Violation(f"K4: {written} is back, which {deletion} had deleted for good")
        oracle.counts["own_write_kept"] += oracle.is_deleted(written.key_, written.rank)
