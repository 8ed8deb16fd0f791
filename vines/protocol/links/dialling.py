"""Whom to dial, and when: lost peers first, then seeds, then others, then the dead.

While a lost peer is dialled again nobody takes its place: that is the user's rule (losses.py,
then others.py). Seeds are dialled for ever (seeds.py). Somebody held dead is dialled now and
then, so that a healed partition heals without an operator. Everything under way is bounded. It
must not know frames, tables or sockets: `due` says what to dial and who is proved gone; the node
does it and reports how each dial went.
"""

from __future__ import annotations

from math import inf

from vines.config import Config
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.links.dials import (
    CHECK,
    DIALS_MAX,
    ERRAND,
    HEAL,
    HINT,
    OTHER,
    SAME,
    SEED,
    Attempt,
    Attempts,
    Plan,
    View,
)
from vines.protocol.links.errands import Errands
from vines.protocol.links.lookout import Lookout
from vines.protocol.links.losses import Losses
from vines.protocol.links.others import Others
from vines.protocol.links.seeds import Seed, Seeds
from vines.protocol.machine import Address

if TYPE_CHECKING:
    import random

ANSWERS_MAX: Final = 256
"""Addresses of which it is remembered who answered there."""
CALM_SECONDS: Final = 0.25
"""Who has its first link dials others once no member has come for so long: where many join at once,
who is there, and how many, is known only then, and the first link brings all news until then."""
CALM_SECONDS_MAX: Final = 1.0
"""The longest that others wait for that."""
SHARE_SECONDS: Final = 0.5
"""Half of the links that are missing are dialled at once; others dial, too, and so the rest of them
is dialled only if it is still missing after so long."""
LATE_DIALS: Final = 2.0
"""A dial that took this many times the dial timeout was forgotten by the driver."""


class Dialler:
    """All dials of one node."""

    def __init__(self, config: Config, rng: random.Random, view: View, own: bytes) -> None:
        self.losses = Losses(config, rng)
        self.seeds = Seeds(config, rng)
        self.stopped = False
        self.attempts = Attempts()
        self.errands = Errands()
        self._others = Others(config, rng, own)
        self._config = config
        self._rng = rng
        self._view = view
        self._answers: dict[Address, bytes] = {}
        self.lookout = Lookout(config, rng, view, self._others)
        self._calm = -inf
        """When to dial others, if no more members come until then."""
        self._calm_at_last = -inf
        self._short = inf
        """Since when links are missing."""

    def take(self, ticket: int) -> Attempt | None:
        """The attempt of a ticket, once: its stream is up, or there is none.

        It counts as under way until `reached`, `failed` or `abandon` says how it ended.
        """
        return self.attempts.take(ticket)

    def abandon(self, attempt: Attempt, now: float) -> None:
        """The stream of a dial is not needed any more."""
        self.attempts.end(attempt)
        self.seeds.retry(attempt.address, now)
        self._others.changed(now)

    def changed(self, now: float) -> None:
        """Members or links changed: others may have to be dialled."""
        self._others.changed(now)

    def met(self, now: float) -> None:
        """Members have come."""
        if now < self._calm_at_last:
            self._calm = min(now + CALM_SECONDS, self._calm_at_last)

    def hint(self, addresses: tuple[Address, ...], now: float) -> None:
        """Somebody we dialled has no room for us and names others."""
        self._others.hint(addresses)
        self._others.changed(now)

    def lose(
        self,
        member: bytes,
        address: Address | None,
        now: float,
        *,
        lived: float,
        grace: float = 0.0,
    ) -> None:
        """A link broke that had been up for `lived` seconds; dial no sooner than after `grace`."""
        if address is not None and (
            self.seeds.is_own(address) or not self._config.reaches(address)
        ):
            address = None
        self.losses.lose(member, address, now, lived=lived, grace=grace)
        self._others.changed(now)

    def forget(self, member: bytes, now: float) -> None:
        """A member left or is held dead: dial it no more on account of a lost link."""
        self.losses.forget(member)
        self.seeds.lost(member, now)
        self._others.forget(member)
        self._others.changed(now)

    def linked(self, member: bytes, now: float) -> None:
        """A link to a member is up, whoever dialled."""
        if self._view.link_count() == 1:
            self._calm, self._calm_at_last = now + CALM_SECONDS, now + CALM_SECONDS_MAX
        self.losses.find(member)
        self._others.linked(member)
        self._others.changed(now)
        self.lookout.begin(now)

    def check(self, member: bytes, address: Address, now: float) -> Attempt | None:
        """Dial a suspect, unless it is being dialled; None if there is no need or no room."""
        if self.stopped or self.attempts.to(address) or self.attempts.room() <= 0:
            return None
        return self.attempts.begin(address, member, CHECK, now)

    def probed(self, attempt: Attempt) -> None:
        """Somebody answered a probe."""
        self.attempts.end(attempt)
        if attempt.member is not None:
            self._others.alive(attempt.member)

    def reached(self, attempt: Attempt, member: bytes, now: float) -> bool:
        """Our dial led to a link; True if that proves its member gone, for another answered."""
        self.attempts.end(attempt)
        self.seeds.answered(attempt.address, member, now)
        self._answers[attempt.address] = member
        if len(self._answers) > ANSWERS_MAX:
            del self._answers[next(iter(self._answers))]
        if attempt.member in (None, member) or attempt.purpose == HEAL:
            return False
        assert attempt.member is not None, "somebody was expected there"
        accused = self._others.failed(attempt.member, now, slow=True)
        lost = attempt.member in self.losses
        self.losses.forget(attempt.member)
        return lost or accused

    def answered(self, attempt: Attempt, now: float, *, slow: bool, better: bool) -> None:
        """Somebody there is alive and refused the stream, `better` if for a better one."""
        self.attempts.end(attempt)
        self.seeds.failed(attempt.address, slow=slow, now=now)
        self._others.changed(now)
        if attempt.member is not None and attempt.purpose != HEAL:
            self._others.rest(attempt.member, now, slow=slow)
            if better:
                self.losses.postpone(attempt.member, now)
            else:
                self.losses.forget(attempt.member)

    def failed(
        self, attempt: Attempt, now: float, *, refused: bool = False, slow: bool = False
    ) -> bool:
        """A dial came to nothing; True if that proves its member gone."""
        self.attempts.end(attempt)
        self.seeds.failed(attempt.address, slow=slow, now=now)
        self._others.changed(now)
        if attempt.member is None or attempt.purpose in (CHECK, HEAL):
            return False
        if attempt.purpose != SAME:
            return self._others.failed(attempt.member, now, slow=slow)
        gone = self.losses.fail(attempt.member, refused=refused, now=now)
        if attempt.member not in self.losses:
            self.seeds.lost(attempt.member, now)
        return gone

    def due(self, now: float) -> Plan:
        """Dials to make now, and who is gone without one."""
        plan = Plan()
        if self.stopped:
            return plan
        self._expire(plan, now)
        if len(self.losses):
            self._dial_lost(plan, now)
        for address in self.seeds.due(now, self._needless):
            if self.attempts.room() > 0:
                self.seeds.dialled(address)
                self._dial(plan, address, None, SEED, now)
        if now >= self.errands.deadline():
            self._dial_errands(plan, now)
        if now >= self._others.review:
            self._dial_others(plan, now)
        if now >= self.lookout.due:
            self._look_out(plan, now)
        return plan

    def deadline(self) -> float:
        """When `due` has something; infinity if never."""
        if self.stopped:
            return inf
        late = self._config.dial_timeout * LATE_DIALS
        expiry = self.attempts.oldest() + late
        seeds = self.seeds.deadline() if self.attempts.room() > 0 else inf
        others = min(self._others.review, self.lookout.due, self.errands.deadline())
        return min(self.losses.deadline(), seeds, others, expiry)

    def _expire(self, plan: Plan, now: float) -> None:
        for attempt in self.attempts.late(now - self._config.dial_timeout * LATE_DIALS):
            if self.failed(attempt, now) and attempt.member is not None:
                plan.gone.append(attempt.member)

    def _dial_lost(self, plan: Plan, now: float) -> None:
        for member, address in self.losses.due(now):
            if address is None or self._holder(address) not in (None, member):
                self.losses.forget(member)
                plan.gone.append(member)
            else:
                self.losses.dialled(member)
                self._dial(plan, address, member, SAME, now)

    def _needless(self, address: Address, seed: Seed) -> bool:
        """Whether a seed leads to somebody who is linked, being dialled, or one of many."""
        seed.member = self._holder(address) or seed.member
        member = seed.member
        if member is not None and (self._view.linked(member) or member in self.losses):
            return True
        if self.attempts.to(address):
            return True
        enough = self._view.wanted()
        if enough is None or self._view.link_count() < enough:
            return False
        candidates = self._view.candidates()
        there = self._view.directory().at(address)
        return seed.member in candidates or any(each in candidates for each in there)

    def _dial_others(self, plan: Plan, now: float) -> None:
        self._others.review = inf
        wanted = self._view.wanted()
        count = self.attempts.room()
        if wanted is not None:
            count = min(count, self._missing(wanted, now))
        count -= self._dial_hint(plan, now)
        if count <= 0:
            return
        if now < self._calm:
            self._others.review = min(self._others.review, self._calm)
            return
        unlinked = {
            member: address
            for member, address in self._view.candidates().items()
            if not self._view.linked(member) and member not in self.losses
        }
        for member in self._others.choose(unlinked, count, now, mesh=wanted is None):
            address = unlinked[member]
            if self._taken(address):
                if self._others.failed(member, now, slow=False):
                    plan.gone.append(member)
            elif not self.attempts.to(address):
                self._dial(plan, address, member, OTHER, now)

    def _missing(self, wanted: int, now: float) -> int:
        """How many links to dial now of those that are missing."""
        under_way = DIALS_MAX - self.attempts.room()
        missing = wanted - self._view.link_count() - len(self.losses)
        if missing <= 0:
            self._short = inf
            return 0
        self._short = min(self._short, now)
        if now >= self._short + SHARE_SECONDS:
            return missing - under_way
        self._others.review = min(self._others.review, self._short + SHARE_SECONDS)
        return missing - under_way - wanted // 2

    def _dial_errands(self, plan: Plan, now: float) -> None:
        """Dial whom something is to be told. Where all link to all that mostly happens anyway, but
        somebody who could not be reached may be left alone for long.
        """
        purpose = OTHER if self._view.wanted() is None else ERRAND
        for member, tries in self.errands.due(now):
            address = self._view.address(member)
            if address is None or self.attempts.room() <= 0 or (purpose == OTHER and not tries):
                continue
            if not self._taken(address) and not self.attempts.to(address):
                self._dial(plan, address, member, purpose, now)

    def _dial_hint(self, plan: Plan, now: float) -> bool:
        """Follow a hint, while there is no link and no other hint is being followed."""
        if self._view.link_count() or any(each.purpose == HINT for each in self.attempts):
            return False
        hint = self._others.take_hint()
        if hint is None or self.seeds.is_own(hint) or self.attempts.to(hint):
            return False
        if not self._config.reaches(hint):
            return False
        self._dial(plan, hint, None, HINT, now)
        return True

    def _look_out(self, plan: Plan, now: float) -> None:
        chosen, gone = self.lookout.look(self._may_help, self._all_taken(), now)
        plan.gone += gone
        for member, address, purpose in chosen:
            if self.attempts.room() > 0:
                self._dial(plan, address, member, purpose, now)

    def _may_help(self, member: bytes, address: Address) -> bool:
        """Whether a dial to a member that is not linked may tell anything new."""
        idle = not self.attempts.to(address) and member not in self.losses
        return idle and not self._taken(address)

    def _taken(self, address: Address) -> bool:
        """Whether a dial would reach this node itself, or somebody who is linked."""
        return self.seeds.is_own(address) or self._holder(address) is not None

    def _all_taken(self) -> list[Address]:
        """The addresses for which that is so."""
        answers = self._answers.items()
        answered = [address for address, member in answers if self._view.linked(member)]
        return list(dict.fromkeys([*self.seeds.owned(), *self._view.addresses(), *answered]))

    def _dial(
        self, plan: Plan, address: Address, member: bytes | None, purpose: str, now: float
    ) -> None:
        plan.dials.append(self.attempts.begin(address, member, purpose, now))

    def _holder(self, address: Address) -> bytes | None:
        """The linked member that a dial would reach, only to replace the link there is."""
        holder = self._view.holder(address)
        if holder is not None:
            return holder
        answered = self._answers.get(address)
        return answered if answered is not None and self._view.linked(answered) else None
