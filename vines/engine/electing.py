"""Electing: calls and votes of this process, handed to the loop's thread without waiting for it.

A call among so many cannot fail once its arguments are checked, nor can the first vote of what was
called so, for one of its choices and before its deadline: they are handed over, in order, and many
share a turn of the loop. Whatever can fail is asked, and raises what the node says.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from vines._core.tally import ABSTAIN, REFUSE
from vines.engine.asking import Asker
from vines.errors import InvalidElection, LocalError
from vines.events import Conflict
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.node import Node

if TYPE_CHECKING:
    from vines.protocol.elections.call import Call

MARGIN_SECONDS: Final = 1.0
"""So close to the deadline a vote is asked: handed over, it could come too late unnoticed."""

_CODES: Final[dict[bool | str | None, int]] = {True: 0, False: REFUSE, None: ABSTAIN}


class Electing:
    """The calls and votes of one node. `post`: run it where the node lives, later; raises Closed.
    All methods may be called from any thread.
    """

    def __init__(
        self, node: Node, asker: Asker, post: Callable[[Callable[[float], object]], None]
    ) -> None:
        self._node = node
        self._asker = asker
        self._post = post
        self._called: dict[str, tuple[Call, int] | None] = {}
        """What was called here, by topic, and until which second a first vote in it is handed over;
        None: it was voted in, so that a vote is a change, and asked.
        """
        self._last: tuple[Call, int] | None = None
        """Of the last call: one object for all of one second."""
        self._wanted: deque[tuple[str, Call | int]] = deque()
        """What is handed over: calls, and votes as numbers."""
        self._posted = False
        """The node is about to take what is handed over."""

    def call(self, topic: str, call: Call) -> None:
        """Call for an election. Raises InvalidElection."""
        if call.roll:
            self._called[topic] = None
            self._asker.ask(lambda now: self._node.elections().call(topic, call, now))
            return
        self._hand_over(topic, call)
        # Of what is called again the first call counts, as it does at the node.
        if topic not in self._called:
            until = int(time.monotonic() + call.seconds - MARGIN_SECONDS)
            last = self._last
            if last is None or last[0] is not call or last[1] != until:
                last = self._last = call, until
            self._called[topic] = last

    def _hand_over(self, topic: str, wanted: Call | int) -> None:
        """In order; what comes before the node has taken it goes with it. Raises Closed."""
        self._wanted.append((topic, wanted))
        if not self._posted:
            self._ring()

    def _ring(self) -> None:
        self._posted = True
        try:
            self._post(self._take)
        except BaseException:
            self._posted = False
            raise

    def _take(self, now: float) -> None:
        # Before the first look: what is handed over after the last one posts anew.
        self._posted = False
        elections, wanted = self._node.elections(), self._wanted
        for _ in range(len(wanted)):
            topic, asked = wanted.popleft()
            try:
                if isinstance(asked, int):
                    elections.vote(topic, asked, now)
                else:
                    elections.call(topic, asked, now)
            except LocalError as error:  # its voters were named meanwhile, or the disk has failed
                if not isinstance(asked, int):  # a vote fails if the call before it has
                    self._node.outbox.emit(Conflict("election", str(error)))
            except BaseException:
                self._ring()  # for those after it
                raise

    def forget(self, topic: str) -> None:
        """Another round begins: ask whatever is done in it."""
        self._called[topic] = None

    def knows(self, topic: object) -> bool:
        """Whether it was called or voted in here, so that it is a topic."""
        return type(topic) is str and topic in self._called

    def vote(self, topic: str, choice: bool | str | None) -> bool:
        """Vote; False if it is too late."""
        called = self._called.pop(topic, None)
        self._called[topic] = None
        if called is not None:
            call, until = called
            code = _code(choice, call.criteria.choices)
            if code is not None and time.monotonic() <= until:
                self._hand_over(topic, code)
                return True
        return self._ask(topic, choice)

    def _ask(self, topic: str, choice: bool | str | None) -> bool:
        def act(now: float) -> bool:
            elections = self._node.elections()
            try:
                code = elections.code(topic, choice)
            except ValueError as error:
                text = f"{choice!r} cannot be voted for on {topic!r}: {error}; nothing changed"
                raise InvalidElection(text) from None
            return elections.vote(topic, code, now)

        return self._asker.ask(act)


def _code(choice: bool | str | None, choices: tuple[str, ...]) -> int | None:
    """A vote as a number; None for what is no choice."""
    if isinstance(choice, str):
        return choices.index(choice) if choice in choices else None
    return None if choices and choice is not None else _CODES[choice]
