"""Pacing: when a member says its vote again, when it tries to decide, and when it tries no longer.

Nothing here is needed for safety. Ranks keep claimants out of each other's way: the lowest that
lives tries at once, each other one waits for those before it. A claimant whose lower ranks are all
known dead asks for promises before there is anything to propose, so that the deciding vote needs
one round trip, as with the preferred one.
"""

from __future__ import annotations

from math import ceil, inf
from typing import TYPE_CHECKING, Final

import cython

from vines.protocol.elections.ballots import FIRST, NEVER
from vines.protocol.elections.decree import Effects
from vines.protocol.elections.election import Election
from vines.protocol.elections.electorate import bit
from vines.protocol.elections.messages import Vote
from vines.protocol.elections.phases import IDLE

if TYPE_CHECKING:
    import random

RTT_SECONDS: Final = 0.001
"""Of a round trip, where nothing is known of it: members of one machine or one room."""
RTT_SECONDS_MAX: Final = 10.0
RETRY_ROUND_TRIPS: Final = 3
RETRY_SECONDS_MIN: Final = 0.2
"""A node with hundreds of elections under way answers later than the network would."""
TAKE_ROUND_TRIPS: Final = 6
TAKE_SECONDS_MIN: Final = 0.8
REPEATS: Final = 3
"""How often an attempt asks again before it gives up."""
NOTHING_SEEN: Final = -1
"""In place of a phase."""
BACK_OFF_MAX: Final = 32
"""Round trips between two attempts, at most; half as many again by chance."""


class Pace:
    """How long a round trip takes, as far as known, and what follows from it; one for all elections
    of a node. Smoothed as TCP does it (Jacobson, "Congestion avoidance and control", 1988); of what
    was said more than once no answer is measured (Karn and Partridge, 1987).
    """

    __slots__ = ("_smoothed", "grace", "retry", "rtt", "take")

    def __init__(self, rtt: float = RTT_SECONDS) -> None:
        self._smoothed = rtt
        self._set(rtt)

    def _set(self, rtt: float) -> None:
        self.rtt = rtt
        self.retry = max(RETRY_ROUND_TRIPS * rtt, RETRY_SECONDS_MIN)
        """Without an answer for so long it is said again."""
        self.take = max(TAKE_ROUND_TRIPS * rtt, TAKE_SECONDS_MIN)
        """A rank that is silent for so long has its place taken."""
        self.grace = 2 * self.take

    def measured(self, seconds: float) -> None:
        """An answer took so long."""
        self._smoothed += (min(seconds, RTT_SECONDS_MAX) - self._smoothed) / 8
        if not self.rtt / 2 <= self._smoothed <= self.rtt * 1.5:
            self._set(self._smoothed)

    def hasty(self) -> None:
        """An answer came after it was given up: it takes longer than thought."""
        self._smoothed = min(2 * self.rtt, RTT_SECONDS_MAX)
        self._set(self._smoothed)


@cython.no_gc
@cython.cclass
class Pacer:
    """The timers of one election at one member. `deadline`: of its own caller, in seconds of the
    clock that `now` is of.
    """

    __slots__ = (
        *("_acked", "_attempt", "_due", "_failures", "_rng", "_seen_accepted", "_seen_phase"),
        *("_seen_promised", "_vote", "_vote_at", "_vote_ranks", "deadline", "election", "pace"),
        *("standing", "timed_out"),
    )

    def __init__(self, election: Election, deadline: float, rng: random.Random, pace: Pace) -> None:
        self.election = election
        self.deadline = deadline
        self.pace = pace
        self._rng = rng
        self.standing = True
        """The roll stands: before it does nothing may be decided."""
        self.timed_out = False
        """The deadline and the grace are over, and the outcome is unknown here."""
        self._vote: Vote | None = None
        self._vote_at = inf
        self._vote_ranks = 1
        """To how many of the lowest live ranks the vote goes."""
        self._acked = 0
        """Ranks that hold the vote."""
        self._due = inf
        """When to begin an attempt, or to go on with the one under way."""
        self._attempt = 0
        """How often the attempt under way has asked."""
        self._failures = 0
        # What there was when somebody last got on with it.
        self._seen_phase = NOTHING_SEEN
        self._seen_promised = FIRST
        self._seen_accepted = NEVER

    # The vote.

    @property
    def voted(self) -> bool:
        """Whether this member has cast a vote in this election."""
        return self._vote is not None

    def cast(self, choice: int, now: float, out: Effects) -> bool:
        """Vote, and tell those who decide; False if it is too late."""
        vote = self.election.cast(choice)
        if vote is None:
            return False
        self._vote, self._acked, self._vote_ranks = vote, 0, 1
        self._say_vote(now, out)
        self.look(now, out)
        return True

    def cast_early(self, choice: int) -> Vote | None:
        """Vote before the roll stands; what is returned goes with the signature."""
        self._vote = self.election.cast(choice)
        return self._vote

    def stand(self, now: float) -> None:
        """The roll stands. What was cast before is said again, unless somebody decides or says that
        it is held.
        """
        self.standing = True
        if self._vote is not None:
            self._vote_at = now + self.pace.retry

    def held(self, rank: int, sequence: int) -> bool:
        """A rank holds this vote, or a later one; whether that is news."""
        if self._vote is None or sequence < self._vote.sequence or self._acked >> rank & 1:
            return False
        self._acked |= bit(rank)
        return True

    def acknowledged(self, rank: int, sequence: int, now: float) -> None:
        """A rank says so in answer to the vote."""
        if not self.held(rank, sequence):
            return
        if self._vote_ranks > 1 and self._lowest(1) == [rank]:
            self.pace.hasty()
        elif self._vote_ranks == 1 and self._vote_at < inf:
            self.pace.measured(max(0.0, now - (self._vote_at - self.pace.retry)))

    def say_again(self, rank: int, now: float, out: Effects) -> None:
        """A rank has missed what it was told."""
        one = self.election
        if self._vote is not None and one.record.accepted == NEVER and rank != one.me:
            self._acked &= ~bit(rank)
            out.send(rank, self._vote, one.ticket)
            self._vote_at = min(self._vote_at, now + self.pace.retry)
        one.again(out)

    def _say_vote(self, now: float, out: Effects) -> None:
        """To the lowest live ranks that have not said that they hold it."""
        one = self.election
        if self._vote is None or one.record.outcome or one.record.accepted != NEVER:
            self._vote_at = inf
            return
        ranks = self._lowest(self._vote_ranks)
        wanted = [rank for rank in ranks if not self._acked >> rank & 1]
        for rank in wanted:
            if rank != one.me:
                out.send(rank, self._vote, one.ticket)
        heard = not wanted or wanted == [one.me]
        self._vote_at = inf if heard else now + self.pace.retry

    def _lowest(self, count: int) -> list[int]:
        """The lowest ranks not known to be dead."""
        dead = self.election.dead
        voters = len(self.election.electorate.voters)
        if not dead:
            return list(range(min(count, voters)))
        return [rank for rank in range(voters) if not dead >> rank & 1][:count]

    # Attempts.

    def look(self, now: float, out: Effects) -> None:
        """Something may have changed: see whether it is up to this member to decide."""
        one = self.election
        if not self.standing:
            return
        record = one.record
        if record.outcome or record.refused or one.frozen:
            self._due = self._vote_at = inf
            return
        if (
            one.phase != self._seen_phase
            or record.promised != self._seen_promised
            or record.accepted != self._seen_accepted
        ):
            # Somebody gets on with it, or we do: no reason to come between.
            self._see()
            self._due = inf
            self._attempt = 0
        if one.phase != IDLE:
            if self._due == inf:
                self._due = now + self.pace.retry
        elif self._wants():
            if self._due == inf:
                self._due = now + self._wait()
            if self._due <= now:
                self._begin(now, out)
        else:
            self._due = inf

    def _wants(self) -> bool:
        """Whether there is a reason to try: something to propose, something that was accepted and
        never decided, or nobody before us who could.
        """
        one = self.election
        if one.decided_by_votes() or one.record.accepted != NEVER:
            return True
        return one.me > 0 and self._before() == 0

    def _before(self) -> int:
        """Lower ranks that are not known to be dead."""
        mine = bit(self.election.me) - 1
        return self.election.me - (self.election.dead & mine).bit_count()

    def _wait(self) -> float:
        """How long to leave it to those before us, and to others after an attempt that failed."""
        before = float(self._before())
        if before:  # randomness of the system's is a system call
            before *= self.pace.take * self._rng.uniform(0.9, 1.1)
        if not self._failures:
            return before
        trips = min(2.0**self._failures, BACK_OFF_MAX) * self._rng.uniform(0.5, 1.5)
        return before + trips * max(self.pace.rtt, self.pace.retry / RETRY_ROUND_TRIPS)

    def _begin(self, now: float, out: Effects) -> None:
        one = self.election
        one.claim(out)
        self._attempt = 1
        self._see()
        self._due = inf if one.record.outcome or one.phase == IDLE else now + self.pace.retry

    def answered_late(self) -> None:
        """An answer came to an attempt that was given up."""
        if not self.election.record.outcome:
            self.pace.hasty()

    def failed(self, now: float, out: Effects) -> None:
        """The attempt was outbid or refused: the next one waits longer."""
        self._failures = min(self._failures + 1, 8)
        self._seen_phase = NOTHING_SEEN
        self.look(now, out)

    # Time.

    def advance(self, now: float, out: Effects) -> None:
        """Do what is due."""
        one = self.election
        if one.record.outcome:
            return
        if now >= self.deadline and not one.late:
            one.pass_deadline(out)
        if now >= self.deadline + self.pace.grace:
            self.timed_out = True
        if now >= self._vote_at:
            self._vote_ranks += 1
            self._say_vote(now, out)
            silent = self._vote_ranks == 1 + ceil(self.pace.take / self.pace.retry)
            if silent and not self._acked and self._vote is not None:
                out.publish(self._vote)
        if now >= self._due and one.phase != IDLE:
            if self._attempt > REPEATS:
                one.give_up()
                self.failed(now, out)
            else:
                self._attempt += 1
                self._due = now + self.pace.retry
                one.again(out)
        self.look(now, out)

    def next(self) -> float:
        """When `advance` has something; infinity if never."""
        one = self.election
        if one.record.outcome:
            return inf
        late = self.deadline if not one.late else self.deadline + self.pace.grace
        return min(self._due, self._vote_at, inf if self.timed_out else late)

    def _see(self) -> None:
        one = self.election
        self._seen_phase = one.phase
        self._seen_promised, self._seen_accepted = one.record.promised, one.record.accepted

    def lost(self, dead: int, now: float, out: Effects) -> None:
        """These ranks are known to be dead (as bits): the vote goes to those after them."""
        if dead != self.election.dead:
            self.election.dead = dead
            self._acked &= ~dead
            self._due = inf if self.election.phase == IDLE else self._due
            self._say_vote(now, out)
            self.look(now, out)
