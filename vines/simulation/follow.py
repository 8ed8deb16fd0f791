"""What a user would know who only ever saw the events: replayed, it must be what the node itself
says.

Members are followed through Join, Update, Fail and Leave, keys through KeysChanged and the local
writes. No event may be missing, doubled or out of order with the state it tells of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vines import events
from vines._core.table import EPHEMERAL, TOMBSTONE
from vines.simulation.oracle import Violation

if TYPE_CHECKING:
    from vines.protocol.node import Node
    from vines.simulation.oracle import Key, Rank


class Follower:
    """M9: the events of a node, replayed from its start, add up to its view: none is missed,
    doubled or out of order.
    """

    def __init__(self, node: Node, *, watching: bool) -> None:
        self.node = node
        self.alive: dict[bytes, events.Member] = {}
        self.keys: dict[Key, Rank] = {}
        self.shown: set[Key] = set()
        """Ephemeral keys that are there, as far as was told."""
        self._left_out: set[Key] = set()
        """Keys that were deleted, or are somebody's for as long as that one lives."""
        self.watching = node.watching = watching

    def take(self, event: object) -> None:
        """Follow one event."""
        match event:
            case events.Join(member):
                self._expect(member, known=False, state=events.ALIVE)
                self.alive[member.id] = member
            case events.Update(member):
                self._expect(member, known=True, state=events.ALIVE)
                self.alive[member.id] = member
            case events.Suspect(member):
                self._expect(member, known=True, state=events.ALIVE)
                self.alive[member.id] = member
            case events.Fail(member):
                self._expect(member, known=True, state=events.DEAD)
                del self.alive[member.id]
            case events.Leave(member):
                self._expect(member, known=True, state=events.LEFT)
                del self.alive[member.id]
            case events.KeysChanged(changes):
                for family, key, flags, _, stamp, origin in changes:
                    self._alternate((family, key), flags, (stamp, origin))
                    self.wrote((family, key), (stamp, origin), flags)

    def wrote(self, key: Key, rank: Rank, flags: int) -> None:
        """Follow a local write, or a change that was told."""
        if flags & (EPHEMERAL | TOMBSTONE) == EPHEMERAL:
            self.shown.add(key)
        else:
            self.shown.discard(key)
        held = self.node.data.get(*key)
        # In a join a lower record may come in the place of one that was deleted elsewhere.
        if rank < self.keys.get(key, (-1, b"")) and (held is None or held[:2] != rank):
            return
        self.keys[key] = rank
        if flags & (TOMBSTONE | EPHEMERAL):
            self._left_out.add(key)
        else:
            self._left_out.discard(key)

    def _alternate(self, key: Key, flags: int, rank: Rank) -> None:
        """Whatever is hidden was there, and what is shown again was not."""
        if flags & EPHEMERAL and self.keys.get(key) == rank:
            there = key in self.shown
            if there != bool(flags & TOMBSTONE):
                raise Violation(f"an event says of {key} once more that it is {there=}")

    def verify(self) -> None:
        """Raise Violation unless the events add up to what the node says now."""
        others = {member.id: member for member in self.node.members() if not member.local}
        alive = {key: member for key, member in others.items() if member.state == events.ALIVE}
        if _told(self.alive) != _told(alive):
            raise Violation(
                f"M9: events say {_told(self.alive)} are alive, the node {_told(alive)}"
            )
        if self.watching:
            self._verify_shown()
            held = {fields[:2]: fields[2:4] for fields in self.node.data.records()
                    if not fields[6] & (TOMBSTONE | EPHEMERAL)}  # fmt: skip
            told = {key: rank for key, rank in self.keys.items() if key not in self._left_out}
            if held != told:
                wrong = sorted(key for key in held.keys() | told.keys()
                               if held.get(key) != told.get(key))  # fmt: skip
                raise Violation(f"events told something else than the table holds of {wrong}")

    def _verify_shown(self) -> set[Key]:
        """Verify which ephemeral keys are there; returns the others, of which only that is told
        what became of those before them.
        """
        hidden = self.node.data.hidden()
        flags = {record[:2]: record[6] for record in self.node.data.records()}
        shown = {
            key
            for key, each in flags.items()
            if each & (EPHEMERAL | TOMBSTONE) == EPHEMERAL and key not in hidden
        }
        if shown != self.shown:
            wrong = sorted(shown ^ self.shown)
            raise Violation(f"events told something else than is shown of {wrong}")
        return {key for key, each in flags.items() if each & EPHEMERAL} - shown

    def _expect(self, member: events.Member, *, known: bool, state: str) -> None:
        if (member.id in self.alive) != known or member.state != state or member.local:
            was = "alive" if member.id in self.alive else "not"
            raise Violation(
                f"M9: an event says {member.name} is {member.state} now, before it was {was}"
            )


def _told(members: dict[bytes, events.Member]) -> Sequence[object]:
    """What events have to tell of members: not the incarnation, which may rise for its own sake."""
    return sorted(
        (identity, member.name, member.address, sorted(member.tags.items()), member.observer)
        for identity, member in members.items()
    )
