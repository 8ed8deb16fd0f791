"""Lookout: members that are not linked; the dead who may be back, and the silent who may be gone.

Now and then somebody held dead is dialled, so that a healed partition heals without an operator:
one on either side is enough, for the rest is gossip. In a larger cluster, where most are not
linked, a node that cannot probe by datagrams, because it does not listen, dials some member just to
see whether anybody answers. Some have an address that has passed to another: they are accused after
having been out of sight for long. And some cannot be dialled at all. Those linked to them notice
when they go; for all others they say now and then that they are there (identity.py), and who has
not for long, whoever was linked to it, is accused.

Who cannot probe is not told either, in an answer, that it is gone for somebody who is not linked to
it. So now and then it says hello to one of those, where hellos compare.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf

from vines.config import Config
from vines.hints import TYPE_CHECKING, TypeAlias
from vines.protocol.links.dials import ERRAND, HEAL, OTHER, PROBE, View
from vines.protocol.links.others import UNREACHED_SECONDS, Others
from vines.protocol.machine import Address
from vines.protocol.members.identity import SIGN_SECONDS, UNSEEN_SECONDS

if TYPE_CHECKING:
    import random

Choice: TypeAlias = tuple[bytes, Address, str]
"""Whom to dial, where, and what for."""


class Lookout:
    """Looks around every heal_interval, once there was a link."""

    def __init__(self, config: Config, rng: random.Random, view: View, others: Others) -> None:
        self.due = inf
        """When to look around next."""
        self.probing = True
        """Whether members are dialled to see whether they are there: not where datagrams ask."""
        self._config = config
        self._rng = rng
        self._view = view
        self._others = others
        self._unseen: dict[bytes, float] = {}
        """Since when somebody at another's address is out of sight."""
        self._signs: dict[bytes, tuple[int, float]] = {}
        """The incarnation at which who does not listen was last there, and since when."""
        self._visit = -inf
        """When to say hello to another member again."""

    def begin(self, now: float) -> None:
        """There is a link, so there are members to look out for."""
        self.due = min(self.due, now + self._config.heal_interval)

    def look(
        self,
        may_help: Callable[[bytes, Address], bool],
        taken: list[Address],
        now: float,
    ) -> tuple[list[Choice], list[bytes]]:
        """Whom to dial, and who is to be accused by now.

        `may_help` says whether a dial may tell anything, `taken` which addresses belong to this
        node or to somebody linked.
        """
        alone = self._view.link_count() == 0
        seconds = self._config.heal_interval
        if alone:
            seconds = min(seconds, self._config.seed_delay_max)
        late = max(0.0, now - self.due)
        self.due = now + seconds * self._rng.uniform(0.75, 1.25)
        chosen = self._buried(may_help)
        if not self._config.observer:
            chosen += self._probes(may_help, now)
        if self.probing and now >= self._visit:
            self._visit = now + SIGN_SECONDS
            chosen += self._visits(may_help)
        return chosen, self._silent(late, now) + self._displaced(taken, now)

    def _buried(self, may_help: Callable[[bytes, Address], bool]) -> list[Choice]:
        """One of those held dead, where nobody else is known to listen."""
        directory = self._view.directory()

        def fits(member: bytes, address: Address) -> bool:
            free = not self._view.linked(member) and not directory.at(address)
            return free and may_help(member, address)

        buried = directory.buried
        return [(each, buried[each], HEAL) for each in self._one(list(buried), buried, fits)]

    def _probes(self, may_help: Callable[[bytes, Address], bool], now: float) -> list[Choice]:
        """One of those who are not dialled for a link in turn, rather one that did not answer.

        An observer is linked to at once: all that it watched may have died, and it knows of nobody.
        """
        if self._view.wanted() is None:
            return []  # In a mesh all are dialled for a link in turn.
        everybody, others = self._view.directory().dialable, self._view.candidates()

        def fits(member: bytes, address: Address) -> bool:
            return not self._view.linked(member) and may_help(member, address)

        suspects = [each for each in self._others.suspects(now) if each in everybody]
        chosen = self._one(suspects, everybody, fits)
        if not chosen and (self.probing or len(everybody) > len(others)):
            left = [each for each in everybody if self.probing or each not in others]
            chosen = self._one(left, everybody, fits)
        return [(each, everybody[each], PROBE if each in others else OTHER) for each in chosen]

    def _visits(self, may_help: Callable[[bytes, Address], bool]) -> list[Choice]:
        """One of those who are not linked, to compare with; in a mesh all are."""
        if self._view.wanted() is None:
            return []
        everybody = self._view.directory().dialable

        def fits(member: bytes, address: Address) -> bool:
            return not self._view.linked(member) and may_help(member, address)

        chosen = self._one(list(everybody), everybody, fits)
        return [(each, everybody[each], ERRAND) for each in chosen]

    def _one(
        self,
        members: list[bytes],
        addresses: Mapping[bytes, Address],
        fits: Callable[[bytes, Address], bool],
    ) -> list[bytes]:
        """One of these at random that fits, if there is one; the list is used up."""
        while members:
            at = self._rng.randrange(len(members))
            members[at], members[-1] = members[-1], members[at]
            member = members.pop()
            if fits(member, addresses[member]):
                return [member]
        return []

    def _silent(self, late: float, now: float) -> list[bytes]:
        """Who does not listen, is not linked to this node, and has not said for as long as it takes
        that it is there. While this process stood still, `late` seconds, it heard nobody.
        """
        before, self._signs = self._signs, {}
        for member, incarnation in self._view.directory().hidden.items():
            said, since = before.get(member, (incarnation, now))
            if said != incarnation or self._view.linked(member):
                since = now
            self._signs[member] = incarnation, min(since + late, now)
        signs = self._signs.items()
        return [member for member, (_, since) in signs if now - since >= UNSEEN_SECONDS]

    def _displaced(self, taken: list[Address], now: float) -> list[bytes]:
        """Who has been out of sight for as long as it takes, with another where it listened."""
        directory, linked = self._view.directory(), self._view.linked
        away = [each for address in taken for each in directory.at(address) if not linked(each)]
        self._unseen = {member: self._unseen.get(member, now) for member in away}
        return [
            member
            for member, since in self._unseen.items()
            if now - since >= UNREACHED_SECONDS and self._others.outlasts(member, since, now)
        ]
