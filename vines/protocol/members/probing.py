"""Probing: the probes of this node, from the first question to the verdict.

Every interval one member is probed, by a datagram: two times of three the next one on the ring, so
that each is probed by somebody every 1.5 intervals, and one time any, in rounds, so that each is
probed by all. If it has not answered after the timeout, three others are asked to probe it (SWIM,
section 4.1), and it is probed over a stream at the same time, in case only datagrams are lost. At
the end of the interval it has answered, by whatever way, or it failed. Who was asked and says
nothing, not even that there is no answer, shows that the fault is nearer (Lifeguard, section IV-A).
It must not know what a failed probe means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf

from vines.config import Config
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.machine import Address
from vines.protocol.members.health import Health
from vines.protocol.members.post import Post
from vines.protocol.members.ring import Ring
from vines.protocol.members.rounds import Rounds
from vines.protocol.wire.probe import Ask, Probe

if TYPE_CHECKING:
    import random

ASKED: Final = 3
"""Members that are asked to probe for this node: SWIM's k, and as many datagrams lost in vain."""
NEXT_INTERVALS: Final = 1.5
"""Between two probes of the next on the ring."""
ROUND_INTERVALS: Final = 3.0
"""Between two probes of a round: one an interval, together."""
PROBES_MAX: Final = 32
"""Probes under way: one of the round, and those of suspects out of turn."""


class Attempt:
    """A probe under way."""

    __slots__ = ("asked", "asking_at", "end", "member", "nacks", "tokens")

    def __init__(self, member: bytes, asking_at: float, end: float) -> None:
        self.member = member
        self.asking_at = asking_at
        """When others are asked; infinity: they have been."""
        self.end = end
        self.tokens: dict[int, bytes] = {}
        """Who may answer which token."""
        self.asked = 0
        self.nacks: set[bytes] = set()


class Probing:
    """All probes of one node."""

    def __init__(
        self,
        config: Config,
        rng: random.Random,
        own: bytes,
        post: Post,
        everybody: Callable[[bool], dict[bytes, Address]],
        address: Callable[[bytes], Address | None],
        word: Callable[[bytes], Probe],
        stream: Callable[[bytes, int, Probe], None],
        failed: Callable[[bytes, float], None],
        now: float,
    ) -> None:
        self.health = Health()
        self.rounds = Rounds(rng, lambda: everybody(True))
        self.ring = Ring(own, lambda: everybody(False))
        self.active = False
        """Whether this node probes: it can be answered, for it listens."""
        self.failures = 0
        self.streamed = 0
        """Probes that were only answered on a stream."""
        self._config = config
        self._rng = rng
        self._post = post
        self._everybody = everybody
        self._address = address
        self._word = word
        self._stream = stream
        self._failed = failed
        self._next_due = now + rng.uniform(0.0, config.probe_interval * NEXT_INTERVALS)
        self._round_due = now + rng.uniform(0.0, config.probe_interval * ROUND_INTERVALS)
        self._attempts: dict[bytes, Attempt] = {}
        self._tokens: dict[int, Attempt] = {}

    def __len__(self) -> int:
        return len(self._attempts)

    def probe(self, member: bytes, now: float, *, at_once: bool = False) -> None:
        """Probe a member out of turn; `at_once` over a stream, too."""
        address = self._address(member)
        if not self.active or address is None or len(self._attempts) >= PROBES_MAX:
            return
        if member in self._attempts:
            return
        factor = self.health.factor
        attempt = Attempt(
            member,
            now + self._config.probe_timeout * factor,
            now + self._config.probe_interval * factor,
        )
        self._attempts[member] = attempt
        word = self._word(member)
        self._expect(attempt, self._post.send(address, word), member)
        if at_once:
            self._stream_to(attempt, word)

    def acked(self, sender: bytes, token: int, *, stream: bool = False) -> bool:
        """A probe was answered, by the member itself or on its behalf; False if it was not ours."""
        attempt = self._tokens.get(token)
        if attempt is None or attempt.tokens.get(token) != sender:
            return False
        self.streamed += stream
        self._end(attempt)
        self.health.better()
        return True

    def nacked(self, sender: bytes, token: int) -> None:
        """Who was asked has no answer, but it heard."""
        attempt = self._tokens.get(token)
        if attempt is not None and attempt.tokens.get(token) == sender:
            attempt.nacks.add(sender)

    def gone(self, member: bytes) -> None:
        """A member left or is held dead: what it would answer does not matter."""
        self.rounds.drop(member)
        attempt = self._attempts.get(member)
        if attempt is not None:
            self._end(attempt)

    def forgive(self, gap: float, now: float) -> None:
        """This process stood still for so long, until now: answers that came meanwhile may not be
        read yet. A probe that began since then has no more time than any other.
        """
        self._next_due += gap
        self._round_due += gap
        factor = self.health.factor
        for attempt in self._attempts.values():
            if attempt.asking_at < inf:
                latest = now + self._config.probe_timeout * factor
                attempt.asking_at = min(attempt.asking_at + gap, latest)
            attempt.end = min(attempt.end + gap, now + self._config.probe_interval * factor)

    def advance(self, now: float) -> None:
        """Begin, ask and judge what is due."""
        if not self.active:
            return
        for attempt in list(self._attempts.values()) if self._attempts else ():
            if attempt.end <= now:
                self._judge(attempt, now)
            elif attempt.asking_at <= now:
                self._ask(attempt)
        interval = self._config.probe_interval * self.health.factor
        if self._next_due <= now:
            self._next_due = now + interval * NEXT_INTERVALS
            member = self.ring.next()
            if member is not None:
                self.probe(member, now)
        if self._round_due <= now:
            self._round_due = now + interval * ROUND_INTERVALS
            member = self.rounds.next(self._may)
            if member is not None:
                self.probe(member, now)

    def deadline(self) -> float:
        """When `advance` has something; infinity if never."""
        if not self.active:
            return inf
        soonest = min(self._next_due, self._round_due)
        for attempt in self._attempts.values():
            soonest = min(soonest, attempt.asking_at, attempt.end)
        return soonest

    def others(self, member: bytes, count: int) -> Iterable[bytes]:
        """So many other members at random, who can be asked."""
        candidates = list(self._everybody(True))
        drawn = self._rng.sample(candidates, min(count + 1, len(candidates)))
        return [each for each in drawn if each != member][:count]

    def _may(self, member: bytes) -> bool:
        return member not in self._attempts and self._address(member) is not None

    def _ask(self, attempt: Attempt) -> None:
        """Have others probe a member that does not answer, and try a stream."""
        attempt.asking_at = inf
        for other in self.others(attempt.member, ASKED):
            address = self._address(other)
            if address is not None:
                attempt.asked += 1
                self._expect(attempt, self._post.send(address, Ask(attempt.member)), other)
        self._stream_to(attempt, self._word(attempt.member))

    def _stream_to(self, attempt: Attempt, word: Probe) -> None:
        token = self._post.token()
        self._expect(attempt, token, attempt.member)
        self._stream(attempt.member, token, word)

    def _judge(self, attempt: Attempt, now: float) -> None:
        """It has not answered in time."""
        self._end(attempt)
        self.failures += 1
        if attempt.asked:
            self.health.worse(attempt.asked - len(attempt.nacks))
        else:
            self.health.worse()
        self._failed(attempt.member, now)

    def _expect(self, attempt: Attempt, token: int, sender: bytes) -> None:
        attempt.tokens[token] = sender
        self._tokens[token] = attempt

    def _end(self, attempt: Attempt) -> None:
        del self._attempts[attempt.member]
        for token in attempt.tokens:
            self._tokens.pop(token, None)
