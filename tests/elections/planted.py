"""Planted bugs: the shipped election code with one rule each taken out."""

from __future__ import annotations

from tests.elections.gathering import Pair
from tests.elections.worlds import Free, electorate
from vines.protocol.elections import value as values
from vines.protocol.elections.ballots import FIRST, NEVER, rank_of
from vines.protocol.elections.decree import Effects, Record
from vines.protocol.elections.election import Election
from vines.protocol.elections.electorate import Electorate
from vines.protocol.elections.messages import Accept, Refusal
from vines.protocol.elections.signup import SignUp, Surroundings


class OwnClock(Election):
    """That time ran out is decided by one's own clock."""

    def pass_deadline(self, out: Effects) -> None:
        super().pass_deadline(out)
        if not self.closed:
            self._learn(values.expired(0, self.criteria, self.tally.packed(), ()), out, tell=False)


class FiredForgotten(Free):
    """That the callback began is not written down."""

    def _close(self, value: bytes, fire: bool, out: Effects) -> None:
        self.record = Record(outcome=value)
        self.ticket = out.persist(self.record)
        out.decided(value, fire, self.ticket)


class FiredBeforehand(Free):
    """The callback begins before it is on disk that it does."""

    def _close(self, value: bytes, fire: bool, out: Effects) -> None:
        out.decided(value, fire, self.ticket)
        self.record = Record(outcome=value, fired=fire)
        self.ticket = out.persist(self.record)


class FirstUsedAgain(Free):
    """After a restart the first ballot is used as if nothing had been proposed there."""

    def resume(self) -> None:
        pass


class AcceptsVolatile(Free):
    """What was accepted is not written down."""

    def _accept(self, message: Accept, rank: int, out: Effects) -> None:
        accepted = {"promised": message.ballot, "accepted": message.ballot, "value": message.value}
        self.record = self.record.replace(**accepted, foreign=True)  # type: ignore[arg-type]


class Forgotten(Free):
    """A closed election is forgotten without a trace."""

    def forget(self, out: Effects) -> None:
        """Free the memory."""
        if self.closed:
            self.record = Record()
            self.ticket = out.persist(self.record)


class OutcomeVolatile(Free):
    """The acceptor's record is dropped, the outcome is only in memory."""

    def _close(self, value: bytes, fire: bool, out: Effects) -> None:
        self.record = Record(outcome=value, fired=fire)
        self.ticket = out.persist(Record(fired=fire))
        out.decided(value, fire, self.ticket)


class PromiseIgnored(Free):
    """What was promised does not keep from accepting."""

    def accept_from(self) -> int:
        return FIRST

    def _accept(self, message: Accept, rank: int, out: Effects) -> None:
        promised = max(self.record.promised, message.ballot)
        super()._accept(message, rank, out)
        self.record = self.record.replace(promised=promised)
        self.ticket = out.persist(self.record)


class AcceptedIgnored(Free):
    """Who takes over ignores what others had accepted."""

    def recovered(self) -> bytes:
        return b""


class PromisesVolatile(Free):
    """Promises are not written down."""

    def _bind(self, one: int, out: Effects) -> None:
        self.record = self.record.replace(promised=one)


class StaleAccepted(Free):
    """Answers to an older attempt are counted."""

    def _is_answer(self, one: int, phase: int) -> bool:
        return self.phase == phase and rank_of(one) == self.me


def votes_needed_for_a_quorum(weights: tuple[int, ...] = (1, 1, 1)) -> Electorate:
    """An electorate in which as many decide as votes are needed: one."""
    made = electorate(weights)
    made.shared = made.shared.replace(half=1)
    return made


class OwnRefusalReleases(SignUp):
    """Who has refused is free for another roll at once."""

    def refuse(self, out: Surroundings) -> None:
        bound = self.enrolment.bound
        super().refuse(out)
        part = self.election
        if part is not None and self.enrolment.bound == bound and part.record.refused:
            self._release(out)


class RefusedAfterForeignAccept(Pair):
    """Also who has helped somebody's value along may refuse."""

    @property
    def may_refuse(self) -> bool:
        return not self.closed


class RefusalVolatile(Pair):
    """That a member refused is not on disk."""

    def refuse(self, out: Effects) -> bool:
        if not self.may_refuse:
            return False
        self.record = self.record.replace(refused=True)
        self.refusals |= 1 << self.me
        self.give_up()
        for rank in range(len(self.electorate)):
            if rank != self.me:
                out.send(rank, Refusal(), self.ticket)
        return True


class LatestAcceptOnly(Pair):
    """Only whose value was accepted last is looked at, not whether there was another's before."""

    @property
    def may_refuse(self) -> bool:
        accepted = self.record.accepted
        return not self.closed and (accepted == NEVER or rank_of(accepted) == self.me)


class HopelessWithoutTiebreak(Pair):
    """Whether a roll can still decide is judged without the half vote of a tiebreak."""

    @property
    def hopeless(self) -> bool:
        weights = self.electorate.shared.roll.weights()
        left = sum(
            2 * weight for rank, weight in enumerate(weights) if not self.refusals >> rank & 1
        )
        return left <= self.electorate.shared.roll.total
