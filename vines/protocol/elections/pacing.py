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

from vines.protocol.elections.ballots import FIRST, NEVER, rank_of
from vines.protocol.elections.decree import Effects
from vines.protocol.elections.election import Election
from vines.protocol.elections.electorate import bit
from vines.protocol.elections.messages import Vote, VoteAck
from vines.protocol.elections.phases import HOLDING, IDLE

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
HOLDERS: Final = 2
"""Ranks that are to hold a vote, if nothing is decided at once: who claims, and the next."""
QUICKLY: Final = 2
"""How often a vote is said before the pauses grow: who lives and is silent for so long is stalled,
and must not find thousands of them.
"""
DOUBLINGS_MAX: Final = 4
"""Of those pauses."""
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
        *("_acked", "_attempt", "_due", "_failures", "_given_up", "_rng", "_seen_accepted"),
        *("_seen_phase", "_seen_promised", "_vote", "_vote_at", "_vote_ranks", "_vote_said"),
        *("deadline", "election", "pace", "standing", "timed_out"),
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
        self._vote_said = 0
        """How often it was said."""
        self._acked = 0
        """Ranks that hold the vote."""
        self._due = inf
        """When to begin an attempt, or to go on with the one under way."""
        self._attempt = 0
        """How often the attempt under way has asked."""
        self._failures = 0
        self._given_up = NEVER
        """The ballot of the last attempt that had no answer, until there is one."""
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
        self._vote, self._acked, self._vote_ranks, self._vote_said = vote, 0, 1, 0
        self.election.proceed(out)
        self._say_vote(now, out)
        self.look(now, out)
        return True

    def cast_early(self, choice: int) -> Vote | None:
        """Vote before the roll stands; what is returned goes with the signature."""
        self._vote = self.election.cast(choice)
        return self._vote

    def stand(self, now: float) -> None:
        """The roll stands. What was cast before is said again, unless somebody decides or says that
        it is held; to those after who gathered the roll at once, if that one counts otherwise.
        """
        self.standing = True
        if self._vote is None:
            return
        if self.election.differs(0):
            self._vote_ranks, self._vote_at = 0, now
        else:
            self._vote_at = now + self.pace.retry

    def held(self, rank: int, sequence: int) -> bool:
        """A rank holds this vote, or a later one; whether that is news."""
        if self._vote is None or sequence < self._vote.sequence or self._acked >> rank & 1:
            return False
        self._acked |= bit(rank)
        return True

    def acknowledged(self, rank: int, said: VoteAck, now: float, out: Effects) -> None:
        """A rank says so in answer to the vote; if it counts by other criteria, those after it hear
        of the vote, too.
        """
        if not self.held(rank, said.sequence):
            return
        if self._vote_ranks > 1 and self._lowest(1) == [rank]:
            self.pace.hasty()
        elif self._vote_ranks == 1 and self._vote_said == 1 and self._vote_at < inf:
            self.pace.measured(max(0.0, now - (self._vote_at - self.pace.retry)))
        if said.digest and not self.election.differs(rank):
            self.election.heard_criteria(rank, said.digest)
            self._say_vote(now, out)
            self.look(now, out)

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
        wanted = self._unheard()
        for rank in wanted:
            out.send(rank, self._vote, one.ticket)
        if wanted:
            self._vote_said += 1
            longer = min(max(self._vote_said - QUICKLY, 0), DOUBLINGS_MAX)
            self._vote_at = now + self.pace.retry * 2**longer
        else:
            self._vote_at = inf

    def _say_on(self, now: float, out: Effects) -> None:
        """Nothing is decided yet: say it to one more, unless enough hold it."""
        holders = (self._acked | bit(self.election.me)) & ~self.election.differing()
        if holders.bit_count() < HOLDERS or self._vote_ranks < HOLDERS:
            self._vote_ranks += 1
        self._say_vote(now, out)

    def _unheard(self) -> list[int]:
        """To whom the vote goes, as they have not said that they hold it."""
        heard = self._acked | bit(self.election.me)
        # Until the roll stands only who gathered it is sure to have signed.
        wanted = self._lowest(self._vote_ranks) if self.standing else [0]
        return [rank for rank in wanted if not heard >> rank & 1]

    def _lowest(self, count: int) -> list[int]:
        """The lowest ranks not known to be dead: so many who are no suspects and count by what was
        asked for here, and the others before and among them.
        """
        one = self.election
        dead, others = one.dead, one.suspected | one.differing()
        voters = len(one.electorate.voters)
        if not dead and not others:
            return list(range(min(count, voters)))
        found: list[int] = []
        for rank in range(voters):
            if count > 0 and not dead >> rank & 1:
                found.append(rank)
                count -= not others >> rank & 1
        return found

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
            if one.phase == IDLE and self._seen_phase > IDLE:
                self._fail()  # outbid
            self._see()
            self._due = inf
            self._attempt = 0
        if one.phase == HOLDING and not self._could_propose():
            self._due = inf  # a quorum has promised: nothing is left to ask for
        elif one.phase != IDLE:
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
        never decided, or nobody before us who could, and nobody else who has begun.
        """
        one = self.election
        if self._could_propose() or one.record.accepted != NEVER:
            return True
        if one.me == 0 or self._before() or not one.may_be_agreed():
            return False
        rival = rank_of(one.record.promised)
        return one.record.promised == FIRST or rival == one.me or bool(one.dead >> rival & 1)

    def _could_propose(self) -> bool:
        """Whether the votes known here decide, as far as others may have asked for the same; or
        the deadline has passed.
        """
        one = self.election
        return one.late or (one.decided_by_votes() and one.may_be_agreed())

    def _before(self) -> int:
        """The lower ranks (as bits) that may decide: who is known to be dead does not, nor who
        counts otherwise where more than half want what is wanted here.
        """
        one = self.election
        passed = one.dead
        if one.differing() and one.is_agreed():
            passed |= one.differing()
        return (bit(one.me) - 1) & ~passed

    def _wait(self) -> float:
        """How long to leave it to those before us, to suspects less; and to others after an attempt
        that failed.
        """
        wait = 0.0
        before = self._before()
        if before:  # randomness of the system's is a system call
            suspects = before & self.election.suspected
            wait = (before & ~suspects).bit_count() * self.pace.take
            wait += suspects.bit_count() * self.pace.retry
            wait *= self._rng.uniform(0.9, 1.1)
            if not suspects and self.election.record.accepted == NEVER:
                wait -= self.pace.retry  # before votes come here they were elsewhere for so long
        if not self._failures:
            return wait
        trips = min(2.0**self._failures, BACK_OFF_MAX) * self._rng.uniform(0.5, 1.5)
        return wait + trips * max(self.pace.rtt, self.pace.retry / RETRY_ROUND_TRIPS)

    def _begin(self, now: float, out: Effects) -> None:
        one = self.election
        one.claim(out)
        self._attempt = 1
        self._see()
        self._due = inf if one.record.outcome or one.phase == IDLE else now + self.pace.retry

    def answered_late(self, ballot: int) -> None:
        """An answer came to this ballot when it was no longer under way. If nobody had answered
        until it was given up, that was too soon; once, for what waited for a link comes in heaps.
        """
        if ballot == self._given_up and not self.election.record.outcome:
            self._given_up = NEVER
            self.pace.hasty()

    def failed(self, now: float, out: Effects) -> None:
        """The attempt was outbid or refused: the next one waits longer."""
        self._fail()
        self._seen_phase = NOTHING_SEEN
        self.look(now, out)

    def _fail(self) -> None:
        self._failures = min(self._failures + 1, 8)

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
            self._say_on(now, out)
            silent = self._vote_ranks == 1 + ceil(self.pace.take / self.pace.retry)
            if silent and not self._acked and self._vote is not None:
                out.publish(self._vote)
        if now >= self._due and one.phase != IDLE:
            if self._attempt > REPEATS:
                self._given_up = one.ballot
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

    def suspect(self, suspected: int, now: float, out: Effects) -> None:
        """These ranks may be dead (as bits): the vote goes to those after them, too, who wait less
        long for them. They themselves are told all the same, and decide if they live.
        """
        one = self.election
        if suspected != one.suspected:
            one.suspected = suspected
            self._say_vote(now, out)
            if one.phase == IDLE and self._due < inf:
                self._due = min(self._due, now + self._wait())
            self.look(now, out)
