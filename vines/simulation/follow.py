"""What a user would know who only ever saw the events: replayed, it must be what the node itself
says.

Members are followed through Join, Update, Fail and Leave, keys through KeysChanged and the local
writes. No event may be missing, doubled or out of order with the state it tells of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vines import events
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
                for family, key, _, _, stamp, origin in changes:
                    self.wrote((family, key), (stamp, origin))

    def wrote(self, key: Key, rank: Rank) -> None:
        """Follow a local write, or a change that was told."""
        self.keys[key] = max(rank, self.keys.get(key, (-1, b"")))

    def verify(self) -> None:
        """Raise Violation unless the events add up to what the node says now."""
        others = {member.id: member for member in self.node.members() if not member.local}
        alive = {key: member for key, member in others.items() if member.state == events.ALIVE}
        if _told(self.alive) != _told(alive):
            raise Violation(
                f"M9: events say {_told(self.alive)} are alive, the node {_told(alive)}"
            )
        if self.watching:
            held = {(family, key): (stamp, origin) for family, key, stamp, origin, *_ in
                    self.node.data.records()}  # fmt: skip
            if held != self.keys:
                wrong = sorted(key for key in held.keys() | self.keys.keys()
                               if held.get(key) != self.keys.get(key))  # fmt: skip
                raise Violation(f"events told something else than the table holds of {wrong}")

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
