"""Asking the loop's thread, and waiting: for what a node returns, for a flush, for members.

Whoever waits is released by the answer, by the time running out, or by the end of the vine; what
comes later is ignored. Questions and answers are the loop's thread's business, waiting is that of
whoever asks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence, Set

from vines.errors import Closed, TimedOut
from vines.events import ALIVE, Fail, Flushed, Join, Leave, Outcome, Settled
from vines.hints import Generic, TypeVar, cast
from vines.protocol.node import Node

_COUNTED = (Join, Fail, Leave)
"""Events after which another number of members may be alive."""

Result = TypeVar("Result")

Call = Callable[[Callable[[float], object]], bool]
"""Runs function(now) where the node lives, soon; False if it never will."""


class Answer(Generic[Result]):
    """One answer, given once."""

    __slots__ = ("_error", "_given", "_value")

    def __init__(self) -> None:
        self._given = threading.Event()
        self._value: Result | None = None
        self._error: BaseException | None = None

    @property
    def awaited(self) -> bool:
        """Whether it has not been given yet."""
        return not self._given.is_set()

    def give(self, value: Result) -> None:
        """Release whoever waits."""
        if self.awaited:
            self._value = value
            self._given.set()

    def fail(self, error: BaseException) -> None:
        """Release whoever waits, with an error."""
        if self.awaited:
            self._error = error
            self._given.set()

    def wait(self, timeout: float | None, late: str) -> Result:
        """The answer. Raises the error it failed with, or TimedOut, which says what is `late`."""
        if timeout is not None:
            timeout = min(timeout, threading.TIMEOUT_MAX)
        if not self._given.wait(timeout):
            self.fail(TimedOut(late))
        if self._error is not None:
            raise self._error
        return cast("Result", self._value)


class Asker:
    """Asks one node, from any thread; `call` gets to its thread."""

    def __init__(self, node: Node, call: Call) -> None:
        self._node = node
        self._call = call
        self._refusal = ""
        self._open: set[Answer[object]] = set()
        self._flushes: dict[int, Answer[None]] = {}
        self._counts: list[tuple[int, Answer[None]]] = []
        self._outcomes: dict[str, list[Answer[Outcome]]] = {}

    def ask(
        self,
        function: Callable[[float], Result],
        timeout: float | None = None,
    ) -> Result:
        """What function(now) returns or raises where the node lives. Raises TimedOut, Closed."""

        def question(now: float, answer: Answer[Result]) -> None:
            answer.give(function(now))

        return self.wait(question, timeout, "the loop did not answer in time")

    def wait(
        self,
        question: Callable[[float, Answer[Result]], None],
        timeout: float | None,
        late: str,
    ) -> Result:
        """Run question(now, answer) where the node lives, and wait until the answer is given.

        Raises what the question raises, TimedOut, and Closed, also if the vine ends meanwhile.
        """
        answer: Answer[Result] = Answer()

        def run(now: float) -> None:
            try:
                question(now, answer)
            except BaseException as error:  # it belongs to whoever asked
                answer.fail(error)

        anything = cast("Answer[object]", answer)
        self._open.add(anything)
        try:
            if self._refusal or not self._call(run):
                raise Closed(self._refusal or "this vine has ended; nothing changed")
            return answer.wait(timeout, late)
        finally:
            self._open.discard(anything)

    def flush(self, members: int, timeout: float | None) -> None:
        """Wait until so many other members hold everything written before; not at all for none."""
        tokens: list[int] = []
        if members <= 0:
            return

        def question(now: float, answer: Answer[None]) -> None:
            tokens.append(self._node.flush(members, now))
            self._flushes[tokens[0]] = answer

        def forget(_now: float) -> None:
            for token in tokens:
                if self._flushes.pop(token, None) is not None:
                    self._node.forget(token)

        late = f"fewer than {members} other members held everything after {timeout} s"
        try:
            self.wait(question, timeout, f"{late}; it is still sent")
        finally:
            self._call(forget)

    def wait_for(self, members: int, timeout: float | None) -> None:
        """Wait until so many members are alive, this one among them."""

        def question(_now: float, answer: Answer[None]) -> None:
            self._counts.append((members, answer))
            self._count()

        self.wait(question, timeout, f"fewer than {members} members were alive after {timeout} s")

    @property
    def awaits_outcomes(self) -> bool:
        """Whether anybody waits, or has waited in vain, for the outcome of an election."""
        return bool(self._outcomes)

    def wait_outcome(self, topic: str, timeout: float | None) -> Outcome:
        """Wait until the outcome of an election is known."""

        def question(_now: float, answer: Answer[Outcome]) -> None:
            known = self._node.elections().awaited(topic)
            if known is not None:
                answer.give(known)
            else:
                waiting = self._outcomes.get(topic, ())
                self._outcomes[topic] = [one for one in waiting if one.awaited] + [answer]

        return self.wait(question, timeout, f"{topic!r} was not decided after {timeout} s")

    def tell(self, events: Sequence[object], kinds: Set[type]) -> None:
        """Answer those whom an event concerns, of these types. On the loop's thread."""
        if Settled in kinds and self._outcomes:
            for event in events:
                if type(event) is Settled and event.outcome.topic in self._outcomes:
                    self._settle(event.outcome.topic)
        if Flushed in kinds:
            for event in events:
                if type(event) is Flushed:
                    answer = self._flushes.pop(event.token, None)
                    if answer is not None:
                        answer.give(None)
        if not kinds.isdisjoint(_COUNTED):
            self._count()

    def _settle(self, topic: str) -> None:
        known = self._node.elections().awaited(topic)
        if known is not None:
            for waiting in self._outcomes.pop(topic):
                waiting.give(known)

    def close(self, refusal: str) -> None:
        """Release everybody who waits, and whoever asks from now on, with Closed."""
        self._refusal = refusal
        for answer in list(self._open):
            answer.fail(Closed(refusal))

    def _count(self) -> None:
        self._counts = [(wanted, answer) for wanted, answer in self._counts if answer.awaited]
        if self._counts:
            alive = sum(member.state == ALIVE for member in self._node.members())
            for wanted, answer in self._counts:
                if wanted <= alive:
                    answer.give(None)
