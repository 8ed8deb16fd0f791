"""Suspicion: who is accused by whom, and how long a suspect has to object.

The time begins at its longest and shrinks with each further, independent accuser (Lifeguard,
section IV-B):

    short = suspicion_factor * probe_interval
    least = short * max(2, log10 N)
    most  = 3 * least
    time  = most - (most - least) * log(c + 1) / log(k + 1)      after c further accusers, k = 3

Where there are not so many who could accuse, the time is the least. It is for processes that stand
still: their machine answers dials for them. So the time is short, at any N, once a dial was
refused, or once most accusers, and no fewer than three, found the machine silent. Only accusations
of the incarnation that a member has now count, and only those by members that are alive, each of
its own start. It must not know probes, links or time but what it is given.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, log, log10

from vines.config import Config
from vines.events import ALIVE
from vines.hints import Final
from vines.protocol.machine import Address
from vines.protocol.members.accusations import PROVED, SILENT, Accusation
from vines.protocol.members.identity import Identity
from vines.protocol.members.membership import Membership
from vines.spelling import is_here

FURTHER_ACCUSERS: Final = 3
"""k: after so many beside the first one nobody has to say it again."""
LEAST_FACTOR: Final = 2.0
"""A process may stand still for five seconds: memory is swapped in, disks are slow."""
MOST_FACTOR: Final = 3.0
ACCUSERS_MAX: Final = 16
"""Accusers remembered of one suspect: more than can change anything, with some not believed."""
PROVERS_MIN: Final = 2
"""Members whose dials came to nothing: one firewall between two nodes is only one."""
SILENT_MIN: Final = 3
"""Members that found a machine silent: two may sit behind one broken switch."""


def time_to_object(config: Config, members: int, further: int, *, gone: bool) -> float:
    """Seconds that a suspect of a cluster of so many has, after so many further accusers; `gone`:
    more than the process does not answer.
    """
    short = config.suspicion_factor * config.probe_interval
    if gone:
        return short
    least = short * max(LEAST_FACTOR, log10(max(members, 1)))
    wanted = min(FURTHER_ACCUSERS, members - 2)
    if wanted <= 0:
        return least
    share = log(min(further, wanted) + 1) / log(wanted + 1)
    return least * (MOST_FACTOR - (MOST_FACTOR - 1) * share)


class Suspect:
    """A member that somebody accuses, at one of its incarnations."""

    __slots__ = ("accusers", "incarnation", "since")

    def __init__(self, incarnation: int) -> None:
        self.incarnation = incarnation
        self.since = inf
        """When it became a suspect here; infinity: its record of that incarnation has not come."""
        self.accusers: dict[bytes, Accusation] = {}


class Suspicion:
    """Everybody who is accused."""

    def __init__(self, config: Config, identity: Identity, members: Membership) -> None:
        self._config = config
        self._identity = identity
        self._members = members
        self._suspects: dict[bytes, Suspect] = {}
        self._ends: dict[bytes, float] = {}
        """When the time of each suspect is over, as far as was known when it was last accused."""
        self._first: float | None = inf
        """The least of these, which every turn asks for; None: it is to be looked for."""
        self._tried: dict[bytes, None] = {}
        """Whom somebody dialled in vain."""

    @property
    def any(self) -> bool:
        """Whether anybody is accused."""
        return bool(self._suspects)

    def __len__(self) -> int:
        return sum(suspect.since < inf for suspect in self._suspects.values())

    def __contains__(self, member: bytes) -> bool:
        suspect = self._suspects.get(member)
        return suspect is not None and suspect.since < inf

    def __iter__(self) -> Iterator[bytes]:
        return (member for member, each in self._suspects.items() if each.since < inf)

    @property
    def busy(self) -> bool:
        """Whether anybody is accused: without, there is nothing to look at."""
        return bool(self._suspects)

    def incarnation(self, member: bytes) -> int | None:
        """The incarnation at which a member is suspected; None: it is not."""
        return self._suspects[member].incarnation if member in self else None

    def note(self, accusation: Accusation, now: float) -> bool:
        """Somebody is accused; True if it becomes a suspect by that."""
        known = self._members.get(accusation.subject)
        if known is None or known.state != ALIVE or accusation.incarnation < known.incarnation:
            return False
        suspect = self._suspects.get(accusation.subject)
        if suspect is None or suspect.incarnation < accusation.incarnation:
            # Of an incarnation that is not known the record may still be on its way; but a liar
            # must not end a suspicion with it.
            if suspect is not None and accusation.incarnation > known.incarnation:
                return False
            suspect = self._suspects[accusation.subject] = Suspect(accusation.incarnation)
        elif suspect.incarnation > accusation.incarnation:
            suspect = self._suspects[accusation.subject] = Suspect(accusation.incarnation)
        if accusation.accuser in suspect.accusers or len(suspect.accusers) < ACCUSERS_MAX:
            suspect.accusers[accusation.accuser] = accusation
            if accusation.evidence == PROVED:
                self._tried[accusation.subject] = None
        begun = self._begin(accusation.subject, suspect, now)
        self._reckon(accusation.subject)
        return begun

    def changed(self, member: bytes, now: float) -> tuple[bool, bool]:
        """Its record changed; whether it was, and whether it is now a suspect."""
        for subject, each in self._suspects.items():
            if member in each.accusers:
                self._reckon(subject)
        suspect = self._suspects.get(member)
        if suspect is None:
            return False, False
        was = suspect.since < inf
        known = self._members.get(member)
        if known is None or known.state != ALIVE or known.incarnation > suspect.incarnation:
            self.drop(member)
            return was, False
        began = self._begin(member, suspect, now)
        self._reckon(member)
        return was, was or began

    def drop(self, member: bytes) -> None:
        """It is no suspect any more, whoever has accused it."""
        del self._suspects[member]
        self._set_end(member, inf)
        self._tried.pop(member, None)

    def due(self, now: float) -> list[bytes]:
        """Suspects whose time to object is over."""
        if self.deadline() > now:
            return []
        ready = [member for member, end in self._ends.items() if end <= now]
        for member in ready:
            self._reckon(member)
        return [member for member in ready if self._ends[member] <= now]

    def deadline(self) -> float:
        """When the first of these is due; infinity if there is none."""
        if self._first is None:
            self._first = min(self._ends.values(), default=inf)
        return self._first

    def tried(self) -> list[bytes]:
        """The suspects that somebody dialled in vain: no other can be proved to be gone."""
        return [member for member in self._tried if member in self]

    def heard(self, member: bytes, when: float) -> bool:
        """When a suspect was last heard; True if its time begins anew, for that was later."""
        suspect = self._suspects[member]
        if when <= suspect.since:
            return False
        suspect.since = when
        self._reckon(member)
        return True

    def forgive(self, gap: float, now: float) -> None:
        """This process stood still for so long, until now: of what it has read since then no time
        is over.
        """
        for member, suspect in self._suspects.items():
            if suspect.since < inf:
                suspect.since = min(suspect.since + gap, now)
                self._reckon(member)

    def needs(self, member: bytes, evidence: int) -> bool:
        """Whether an accusation of this node's, on this evidence, would change anything."""
        suspect = self._suspects.get(member)
        if suspect is None or suspect.since == inf:
            return True
        own = suspect.accusers.get(self._identity.id)
        if own is not None:
            return evidence > own.evidence
        alike = [each for each in self._believed(suspect) if each.evidence >= evidence]
        return evidence == PROVED or len(alike) <= FURTHER_ACCUSERS

    def proved_by(self, member: bytes) -> frozenset[bytes]:
        """The accusers of a suspect whose dials came to nothing."""
        if member not in self:
            return frozenset()
        believed = self._believed(self._suspects[member])
        return frozenset(each.accuser for each in believed if each.evidence == PROVED)

    def is_proved(self, member: bytes) -> bool:
        """Whether a suspect is known to be gone: two have dialled in vain, or this node has, on its
        own machine, where no firewall says no for a process that is there, and nobody is left to
        say otherwise: who listens there now would only say that it is there.
        """
        provers = self.proved_by(member)
        if len(provers) >= PROVERS_MIN:
            return True
        own = self._identity.id
        if own not in provers:
            return False
        address = self._address(member)
        if address is not None and not self._is_here(address[0]):
            return False
        others = self._members.living() - {member}
        return all(
            own in self.proved_by(other) or self._address(other) == address for other in others
        )

    def _address(self, member: bytes) -> Address | None:
        known = self._members.get(member)
        return None if known is None else known.profile.address

    def _is_here(self, host: str) -> bool:
        """Whether a host is this node's machine, as far as its spelling says."""
        own = self._identity.profile.address
        return is_here(host) or (own is not None and host == own[0])

    def _begin(self, member: bytes, suspect: Suspect, now: float) -> bool:
        """Let the time of a suspect begin, if it is one; True if it began now."""
        known = self._members.get(member)
        if suspect.since < inf or known is None or known.incarnation != suspect.incarnation:
            return False
        if not self._believed(suspect):
            return False
        suspect.since = now
        return True

    def _reckon(self, member: bytes) -> None:
        """See anew when the time of a suspect is over."""
        self._set_end(member, self._end(member) if member in self else inf)

    def _set_end(self, member: bytes, end: float) -> None:
        """Note when the time of a suspect is over; infinity if it is none."""
        if self._first is not None and self._ends.get(member) == self._first:
            self._first = None
        if end < inf:
            self._ends[member] = end
            if self._first is not None and end < self._first:
                self._first = end
        else:
            self._ends.pop(member, None)

    def _end(self, member: bytes) -> float:
        """When the time of a suspect is over."""
        suspect = self._suspects[member]
        believed = self._believed(suspect)
        members = self._members.alive + 1
        further = max(0, len(believed) - 1)
        gone = _are_of_one_gone(believed, members)
        return suspect.since + time_to_object(self._config, members, further, gone=gone)

    def _believed(self, suspect: Suspect) -> list[Accusation]:
        """The accusations by members that are alive, in their own words, and by this node."""
        return [each for each in suspect.accusers.values() if self._is_believed(each)]

    def _is_believed(self, accusation: Accusation) -> bool:
        if accusation.accuser == self._identity.id:
            return accusation.origin == self._identity.profile.source
        accuser = self._members.get(accusation.accuser)
        return (
            accuser is not None
            and accuser.state == ALIVE
            and not accuser.profile.observer
            and accuser.profile.source == accusation.origin
        )


def _are_of_one_gone(accusations: list[Accusation], members: int) -> bool:
    """Whether these say more of a suspect than that its process does not answer."""
    silent = sum(each.evidence >= SILENT for each in accusations)
    agreed = silent >= min(SILENT_MIN, members - 1) and 2 * silent > len(accusations)
    return agreed or any(each.evidence == PROVED for each in accusations)
