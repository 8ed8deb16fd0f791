"""Directory: who is alive, who is held dead, and where they listen, kept with every change.

What is asked for all the time must not take a look at every member: that would be a thousand looks
by each of a thousand. The maps handed out are the directory's own and change with the members: who
wants to go through one while members change makes a list of it. It must not know why a member is
believed to be what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from vines.events import ALIVE, DEAD
from vines.protocol.machine import Address
from vines.protocol.members.profile import Sighting


class Directory:
    """The members of one view, by what can be done with them."""

    def __init__(self, reaches: Callable[[Address], bool]) -> None:
        self._reaches = reaches
        self.dialable: dict[bytes, Address] = {}
        """Who is alive and says where it listens, observers too; where this node may not send to is
        nowhere else than in `at`.
        """
        self.fellows: dict[bytes, Address] = {}
        """The same without observers."""
        self.hidden: dict[bytes, int] = {}
        """Who is alive and listens nowhere, and at which incarnation it said so."""
        self.buried: dict[bytes, Address] = {}
        """Who is held dead and said where it listened."""
        self._at: dict[Address, dict[bytes, None]] = {}

    def at(self, address: Address) -> Collection[bytes]:
        """Who is alive and says that it listens there."""
        return self._at.get(address, ())

    def change(self, old: Sighting | None, new: Sighting | None) -> None:
        """A member is believed to be something else; None: it was not known, or is no longer."""
        if old is not None:
            self._remove(old)
        if new is None:
            return
        address = new.profile.address
        if address is None:
            if new.state == ALIVE:
                self.hidden[new.id] = new.incarnation
            return
        if new.state == ALIVE:
            self._at.setdefault(address, {})[new.id] = None
        if not self._reaches(address):
            return
        if new.state == ALIVE:
            self.dialable[new.id] = address
            if not new.profile.observer:
                self.fellows[new.id] = address
        elif new.state == DEAD:
            self.buried[new.id] = address

    def _remove(self, old: Sighting) -> None:
        self.dialable.pop(old.id, None)
        self.fellows.pop(old.id, None)
        self.hidden.pop(old.id, None)
        self.buried.pop(old.id, None)
        address = old.profile.address
        if old.state == ALIVE and address is not None:
            there = self._at[address]
            del there[old.id]
            if not there:
                del self._at[address]
