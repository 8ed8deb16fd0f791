"""Names: who is called what. People give names, and may give one more than once.

A name stands for one member: for who has had it longest of those that live, or, where none does,
for the last that had it. That two live members share one for more than a moment is told. It must
not know records or links.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from vines.events import ALIVE
from vines.hints import Final
from vines.protocol.members.profile import Sighting

SHARED_SECONDS: Final = 3.0
"""How long two live members must share a name before it is told: a restart takes less."""
SHARED_MAX: Final = 64
"""Members that are watched at once."""


class Names:
    """The names of the members of one view. `own` name, and the id that has it here, always;
    `tell` that these two live members share one, of which the second came later.
    """

    def __init__(self, own: str, id: bytes, tell: Callable[[str, bytes, bytes], None]) -> None:
        self._tell = tell
        self._holders: dict[str, bytes] = {own: id}
        self._vacant: set[str] = set()
        """Names whose holders do not live."""
        self._others: dict[str, dict[bytes, None]] = {}
        """Who else lives and is called so, in the order in which they came."""
        self._due: dict[tuple[str, bytes], float] = {}
        """When it is looked whether one is still among those others."""

    def holder(self, name: str) -> bytes | None:
        """Whom a name stands for, if anybody known has or had it."""
        return self._holders.get(name)

    def change(self, old: Sighting | None, new: Sighting, now: float) -> None:
        """A member is believed to be something else; None: it was not known."""
        if old is not None and new.profile.name != old.profile.name:
            self.forget(old)
        if new.state == ALIVE:
            self._take(new.profile.name, new.id, now)
        else:
            self._part(new.profile.name, new.id, known=True)

    def forget(self, gone: Sighting) -> None:
        """A member is known no longer, or not as that."""
        self._part(gone.profile.name, gone.id, known=False)

    def _take(self, name: str, id: bytes, now: float) -> None:
        holder = self._holders.setdefault(name, id)
        if holder == id or name in self._vacant:
            self._holders[name] = id
            self._vacant.discard(name)
            return
        self._others.setdefault(name, {})[id] = None
        if len(self._due) < SHARED_MAX:
            self._due.setdefault((name, id), now + SHARED_SECONDS)

    def _part(self, name: str, id: bytes, known: bool) -> None:
        """It lives no more, or not under this name. `known`: it had it last."""
        others = self._others.get(name, {})
        if self._holders.get(name) != id:
            others.pop(id, None)
        elif others:
            heir = next(iter(others))
            del others[heir]
            self._holders[name] = heir
        elif known:
            self._vacant.add(name)
        else:
            del self._holders[name]
            self._vacant.discard(name)
        if not others:
            self._others.pop(name, None)

    def advance(self, now: float) -> None:
        """Tell of names that two members keep sharing."""
        for watched, due in list(self._due.items()):
            if due <= now:
                del self._due[watched]
                name, other = watched
                if other in self._others.get(name, ()):
                    self._tell(name, self._holders[name], other)

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        return min(self._due.values(), default=inf)
