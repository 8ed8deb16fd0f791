"""Lookout: members that are not linked; the dead who may be back, and the silent who may be gone.

Now and then somebody held dead is dialled, so that a healed partition heals without an operator:
one on either side is enough, for the rest is gossip. In a larger cluster, where most are not
linked, some member that is not is dialled just to see whether anybody answers. And some cannot be
dialled at all, or their address has passed to another: those are held dead after having been out of
sight for long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from vines.config import Config
from vines.hints import TYPE_CHECKING, Final, TypeAlias
from vines.protocol.links.dials import HEAL, OTHER, PROBE, View
from vines.protocol.links.others import UNREACHED_SECONDS, Others
from vines.protocol.machine import Address

if TYPE_CHECKING:
    import random

UNSEEN_SECONDS: Final = 300.0
"""How long somebody who cannot be dialled must be out of sight to be held dead."""

Choice: TypeAlias = tuple[bytes, Address, str]
"""Whom to dial, where, and what for."""


class Lookout:
    """Looks around every heal_interval, once there was a link."""

    def __init__(self, config: Config, rng: random.Random, view: View, others: Others) -> None:
        self.due = inf
        """When to look around next."""
        self._config = config
        self._rng = rng
        self._view = view
        self._others = others
        self._unseen: dict[bytes, float] = {}

    def begin(self, now: float) -> None:
        """There is a link, so there are members to look out for."""
        self.due = min(self.due, now + self._config.heal_interval)

    def look(
        self,
        may_help: Callable[[bytes, Address], bool],
        taken: Callable[[Address], bool],
        now: float,
    ) -> tuple[list[Choice], list[bytes]]:
        """Whom to dial, and who is to be held dead by now.

        `may_help` says whether a dial may tell anything, `taken` whether an address belongs to this
        node or to somebody linked.
        """
        alone = self._view.link_count() == 0
        seconds = self._config.heal_interval
        if alone:
            seconds = min(seconds, self._config.seed_delay_max)
        self.due = now + seconds * self._rng.uniform(0.75, 1.25)
        unlinked = self._view.unlinked()
        sought = set(unlinked.values())
        buried = {
            member: address
            for member, address in self._view.buried().items()
            if not self._view.linked(member) and may_help(member, address) and address not in sought
        }
        chosen = [(each, buried[each], HEAL) for each in self._some(list(buried))]
        if not self._config.observer:
            chosen += self._probes(unlinked, may_help, now)
        least = {}
        for member, address in unlinked.items():
            if address is None:
                least[member] = UNSEEN_SECONDS
            elif taken(address):
                least[member] = UNREACHED_SECONDS
        return chosen, self._out_of_sight(least, now)

    def _probes(
        self,
        unlinked: Mapping[bytes, Address | None],
        may_help: Callable[[bytes, Address], bool],
        now: float,
    ) -> list[Choice]:
        """One of those who are not dialled for a link in turn, rather one that did not answer.

        An observer is linked to at once: all that it watched may have died, and it knows of nobody.
        """
        others = self._view.candidates()
        mesh = self._view.wanted() is None
        passed_over = {
            member: address
            for member, address in unlinked.items()
            if address is not None and not (mesh and member in others) and may_help(member, address)
        }
        suspects = self._others.suspects(list(passed_over), now)
        chosen = self._some(suspects or list(passed_over))
        return [(each, passed_over[each], PROBE if each in others else OTHER) for each in chosen]

    def _some(self, members: list[bytes]) -> list[bytes]:
        """One of them at random, if there is one."""
        return [self._rng.choice(members)] if members else []

    def _out_of_sight(self, least: dict[bytes, float], now: float) -> list[bytes]:
        """Who has been out of sight for as long as it takes; `least` has how long that is."""
        self._unseen = {member: self._unseen.get(member, now) for member in least}
        return [
            member
            for member, since in self._unseen.items()
            if now - since >= least[member] and self._others.outlasts(member, since, now)
        ]
