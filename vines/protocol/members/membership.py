"""Membership: which other members are alive, dead or gone, as the control table's records say.

One record is written here: that a lost peer is proved gone. Everything else is learned from
records that arrive, whoever sent them; what a record may say and who may write it is
profile.py's. The view is bounded: records beyond the bounds are stored and forwarded by the
table, but not listed here. It must not know links or dialling.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines._core.changes import Change, Changes
from vines._core.table import ENDED, EXPIRING, HIDDEN, MEMBER, SHOWN, TOMBSTONE, Table
from vines.config import Config
from vines.errors import WireError
from vines.events import ALIVE, DEAD, LEFT, Conflict, Fail, Join, Leave, Member, Update
from vines.hints import Final
from vines.protocol.machine import Address, Outbox
from vines.protocol.members.directory import Directory
from vines.protocol.members.doors import Doors
from vines.protocol.members.identity import Identity
from vines.protocol.members.names import Names
from vines.protocol.members.profile import RANKS, Sighting, milliseconds_kept, read, stamp_of

GONE_MAX: Final = 1000
"""Dead and gone members remembered at once: the latest ones."""
DOUBT_SECONDS: Final = 5.0
"""How long a linked member may take to refute: five times the pause between two refutations."""
_FATES: Final = {ALIVE: SHOWN, DEAD: HIDDEN, LEFT: ENDED}


class Membership:
    """The other members of the cluster as one node sees them."""

    def __init__(
        self,
        config: Config,
        identity: Identity,
        control: Table,
        outbox: Outbox,
        linked: Callable[[bytes], bool],
    ) -> None:
        self.alive = 0
        """Other members that are alive and no observers."""
        self.suspected: Callable[[bytes], bool] = lambda _: False
        """Whether somebody is accused to have failed: set by who knows."""
        self.lag: Callable[[bytes], float | None] = lambda _: None
        """How late a member's loop is, in seconds: set by who knows."""
        self.author: Callable[[bytes, int], None] = lambda _source, _fate: None
        """Told of the start of a member whether it is alive (SHOWN), held dead (HIDDEN) or gone by
        its own word or for a later one (ENDED): set by who cares."""
        self.ignored = 0
        """Records not believed, or of more members than there may be."""
        self._config = config
        self._identity = identity
        self._control = control
        self._outbox = outbox
        self._linked = linked
        self.directory = Directory(config.reaches)
        self._members: dict[bytes, Sighting] = {}
        self._living: set[bytes] = set()
        self._gone: dict[bytes, float] = {}
        self._doubts: dict[bytes, tuple[Sighting, float]] = {}
        self._names = Names(identity.profile.name, identity.id, self._tell_namesakes)
        self._doors = Doors(self._sharing, self._tell_neighbours)

    def get(self, member: bytes) -> Sighting | None:
        """What is believed of a member."""
        return self._members.get(member)

    def named(self, name: str) -> bytes | None:
        """Who is called so, if anybody known is; rather one that lives."""
        return self._names.holder(name)

    def writer(self, source: bytes) -> bytes | None:
        """Who writes under this source now, if anybody known does."""
        for member in self._members.values():
            if member.profile.source == source:
                return member.id
        return None

    def sources(self) -> set[bytes]:
        """Under which sources others write, as far as they are known and have not left: who is held
        dead may come back.
        """
        return {source for _, source in self.awaited()}

    def living(self) -> frozenset[bytes]:
        """The ids of others who are alive and no observers."""
        return frozenset(self._living)

    def is_first(self, own: bytes, listens: bool) -> bool:
        """Whether an id is the lowest of those who are alive and no observers; of those who listen,
        if any does: of others nobody asks, and nobody tells them, who holds the same.
        """
        listening = [each for each in self._living if self._members[each].profile.address]
        if listens or listening:
            return listens and all(own < member for member in listening)
        return all(own < member for member in self._living)

    def awaited(self) -> list[tuple[bytes, bytes]]:
        """The id and the source of every other member that is alive, or dead and not forgotten:
        whoever may come back and go on where it was.
        """
        return [
            (each.id, each.profile.source) for each in self._members.values() if each.state != LEFT
        ]

    def forget_after(self) -> int | None:
        """The longest that anybody may be away, as members say, this one among them, that have not
        left; None: not all of them were told.
        """
        longest = self._identity.profile.forget_after
        for each in self._members.values():
            term = each.profile.forget_after
            if each.state != LEFT:
                longest = None if longest is None or term is None else max(longest, term)
        return longest

    def member(self, member: bytes) -> Member:
        """A known member as its user sees it."""
        return self._member(self._members[member])

    def listed(self) -> list[Member]:
        """Everybody else, by name, those that failed or left too."""
        members = [self._member(each) for each in self._members.values()]
        return sorted(members, key=lambda member: (member.name, member.id))

    def candidates(self, *, observers: bool) -> dict[bytes, Address]:
        """Who is alive and can be dialled, observers too or not; it changes with the members."""
        return self.directory.dialable if observers else self.directory.fellows

    def learn(self, changes: Changes, now: float) -> list[Sighting]:
        """Records that became current; returns what is newly believed, for the dialler."""
        news = []
        for change in changes:
            family, key, flags, value, stamp, origin = change
            if family != MEMBER:
                continue
            if key == self._identity.id:
                self._identity.meet(stamp, origin, value, now)
                continue
            try:
                sighting = self._lapsed(change) if flags & TOMBSTONE else read(change)
            except WireError:
                self.ignored += 1
                continue
            if sighting is None:
                continue
            if self._doubtful(sighting):
                self._doubts[sighting.id] = (sighting, now + DOUBT_SECONDS)
            elif self._believe(sighting, now):
                news.append(sighting)
                if flags & TOMBSTONE and sighting.state == LEFT:
                    # The time for which that is remembered is over; who failed is dialled again.
                    self._forget(sighting.id)
        return news

    def listening(self, address: Address | None, now: float) -> None:
        """This node listens somewhere else from now on."""
        if address is not None:
            self._doors.look(address, now)

    def is_alive(self, member: bytes) -> bool:
        """Whether a member is known, and believed alive."""
        known = self._members.get(member)
        return known is not None and known.state == ALIVE

    def gone_at(self, member: bytes) -> int | None:
        """The incarnation at which a member is gone by the record held of it, as that says so or is
        void; None: it is not. What says less of that member has no effect here.
        """
        held = self._control.get(MEMBER, member)
        if held is None:
            return None
        stamp, origin, _, _ = held
        void = self._control.gone.get(origin) is not None
        return stamp >> 2 if void or stamp & 3 != RANKS.index(ALIVE) else None

    def fail(self, member: bytes, now: float) -> Sighting | None:
        """A lost member is proved gone: say so, unless it is known to be gone already."""
        believed = self._members.get(member)
        held = self._control.get(MEMBER, member)
        if believed is None or held is None or believed.state != ALIVE:
            return None
        dead = Sighting(member, believed.incarnation, DEAD, believed.profile)
        stamp = stamp_of(believed.incarnation, DEAD)
        left = milliseconds_kept(self._config)
        if not self._control.put(MEMBER, member, EXPIRING, held[3], stamp, left):
            # Somebody has said as much before, which was doubted here until now.
            doubted = self._doubts.get(member)
            if doubted is None:
                return None
            dead = doubted[0]
        self._believe(dead, now)
        return dead

    def retired(self, member: bytes, now: float) -> Sighting | None:
        """The source of a member that is held alive is retired: its record is void, and goes at
        every node by itself. It is dead, or says soon under which source it goes on.
        """
        believed = self._members.get(member)
        if believed is None or believed.state != ALIVE:
            return None
        held = self._control.get(MEMBER, member)
        void = held is not None and held[0] == stamp_of(believed.incarnation, ALIVE)
        if void and not self._control.collect(MEMBER, member, covered=True):
            return None  # it would come again
        dead = Sighting(member, believed.incarnation, DEAD, believed.profile)
        doubted = self._doubts.get(member)
        if doubted is not None:
            dead = doubted[0]
        self._believe(dead, now)
        return dead

    def lost(self, member: bytes, now: float) -> list[Sighting]:
        """The link to a member is gone: what others say of it is no longer doubted. Returns what is
        newly believed, for the dialler.
        """
        doubted = self._doubts.get(member)
        return [doubted[0]] if doubted is not None and self._believe(doubted[0], now) else []

    def forgive(self, gap: float, now: float) -> None:
        """This process stood still for so long, until now, and dialled nobody: whoever is gone is
        forgotten no sooner, for it may be back, and nobody else may know where it listens. What was
        doubted may have been refuted, in words that are not read yet.
        """
        self._gone = {each: min(since + gap, now) for each, since in self._gone.items()}
        for member, (doubted, due) in self._doubts.items():
            self._doubts[member] = doubted, min(due + gap, now + DOUBT_SECONDS)

    def advance(self, now: float) -> list[Sighting]:
        """Forget who was gone for long, and tell of names and addresses that several share.

        Returns what is newly believed, for the dialler.
        """
        while self._gone:
            oldest, since = next(iter(self._gone.items()))
            if since + self._config.dead_retention > now:
                break
            self._forget(oldest)
        self._names.advance(now)
        self._doors.advance(now)
        news = [sighting for sighting, due in self._doubts.values() if due <= now]
        return [sighting for sighting in news if self._believe(sighting, now)]

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        shared = min(self._names.deadline(), self._doors.deadline())
        if not (self._gone or self._doubts):
            return shared
        oldest = next(iter(self._gone.values()), inf) + self._config.dead_retention
        doubts = min((due for _, due in self._doubts.values()), default=inf)
        return min(oldest, doubts, shared)

    def _lapsed(self, change: Change) -> Sighting | None:
        """A record of somebody who is gone for so long that only that is left of it: news where
        less is believed of it. WireError as `read`.
        """
        _, member, _, _, stamp, origin = change
        known = self._members.get(member)
        if known is None or stamp <= stamp_of(known.incarnation, known.state):
            return None
        if stamp & 3 == RANKS.index(ALIVE):
            raise WireError("a member that is alive, and was for too long")
        if stamp & 3 == RANKS.index(LEFT) and self._may_be_later(known, stamp >> 2, origin):
            return read(change, known.profile.replace(source=origin))
        return read(change, known.profile)

    def _may_be_later(self, known: Sighting, incarnation: int, origin: bytes) -> bool:
        """Whether that may be a later start of a member, of which nothing else is left: not at an
        incarnation of the one that is known, and not if others write under this source.
        """
        others = origin == self._identity.profile.source or self.writer(origin) is not None
        return incarnation > known.incarnation and not others

    def _doubtful(self, new: Sighting) -> bool:
        """Whether it says that a member is dead to which this node is linked, or that it left, but
        not by the start to which this node is linked. Of a suspect that is believed: it had its
        time to object.
        """
        if new.state == ALIVE or not self._linked(new.id) or self.suspected(new.id):
            return False
        old = self._members.get(new.id)
        if old is None or old.state != ALIVE:
            return False
        return new.state == DEAD or new.profile.source != old.profile.source

    def _believe(self, new: Sighting, now: float) -> bool:
        """Take a sighting for the truth and tell of it; False if there is no room for it."""
        old = self._members.get(new.id)
        if old is None and len(self._members) - len(self._gone) >= self._config.members_max:
            self.ignored += 1
            return False
        self._doubts.pop(new.id, None)
        self.alive += _counts(new) - _counts(old)
        if _counts(new):
            self._living.add(new.id)
        else:
            self._living.discard(new.id)
        self._members[new.id] = new
        self.directory.change(old, new)
        self._names.change(old, new, now)
        if new.state == ALIVE and new.profile.address is not None:
            self._doors.look(new.profile.address, now)
        if new.state == ALIVE:
            self._gone.pop(new.id, None)
        elif new.id not in self._gone:
            self._gone[new.id] = now
            if len(self._gone) > GONE_MAX:
                self._forget(next(iter(self._gone)))
        else:
            # It lived again, unseen from here: the time of what says that it is gone begins anew.
            del self._gone[new.id]
            self._gone[new.id] = now
        self._tell_author(old, new)
        self._emit(old, new)
        return True

    def _tell_author(self, old: Sighting | None, new: Sighting) -> None:
        """Say what became of the starts of a member: a later one ends those before it."""
        source = new.profile.source
        if old is not None and old.profile.source != source:
            # The earlier of two processes that share an identity may win for a moment.
            earlier = old.profile.source < source
            self.author(old.profile.source, ENDED if earlier else HIDDEN)
        self.author(source, _FATES[new.state])

    def _emit(self, old: Sighting | None, new: Sighting) -> None:
        was_alive = old is not None and old.state == ALIVE
        member = self._member(new)
        if new.state == ALIVE:
            if not was_alive:
                self._outbox.emit(Join(member))
            elif old is not None and _visible(old) != _visible(new):
                self._outbox.emit(Update(member))
        elif was_alive:
            self._outbox.emit(Fail(member) if new.state == DEAD else Leave(member))

    def _member(self, sighting: Sighting) -> Member:
        alive = sighting.state == ALIVE
        return sighting.member(
            linked=self._linked(sighting.id),
            suspected=alive and self.suspected(sighting.id),
            lag=self.lag(sighting.id) if alive else None,
        )

    def _forget(self, id: bytes) -> None:
        del self._gone[id]
        gone = self._members.pop(id)
        self.directory.change(gone, None)
        self._names.forget(gone)

    def _sharing(self, address: Address) -> list[bytes]:
        """Who is alive and says that it listens there, others first."""
        sharing = list(self.directory.at(address))
        if address == self._identity.profile.address and not self._identity.leaving:
            sharing.append(self._identity.id)
        return sharing

    def _tell_neighbours(self, members: list[bytes], address: Address) -> None:
        ids = " and ".join(sorted(each.hex() for each in members[:-9:-1]))
        text = f"{len(members)} live members say that they listen at {address[0]}:{address[1]}, of"
        text += f" which a dial reaches only one: {ids}"
        self._outbox.emit(Conflict("address", text, self._member(self._members[members[0]])))

    def _tell_namesakes(self, name: str, holder: bytes, id: bytes) -> None:
        if holder != self._identity.id or not self._identity.leaving:
            text = f"two live members are called {name!r}: {holder.hex()} and {id.hex()}"
            self._outbox.emit(Conflict("name", text, self._member(self._members[id])))


def _counts(sighting: Sighting | None) -> bool:
    if sighting is None:
        return False
    return sighting.state == ALIVE and not sighting.profile.observer


def _visible(sighting: Sighting) -> tuple[object, ...]:
    profile = sighting.profile
    return profile.name, profile.address, profile.tags, profile.observer
