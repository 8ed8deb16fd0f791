"""Electing: calls and votes of this process, handed to the loop's thread without waiting for it.

A call among so many cannot fail once its arguments are checked, nor can the first vote of what was
called so, for one of its choices and before its deadline: they are handed over, in order, and many
share a turn of the loop. Whatever can fail is asked, and raises what the node says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from vines._core.tally import ABSTAIN, REFUSE
from vines.engine.asking import Asker
from vines.errors import InvalidElection, LocalError
from vines.events import Conflict
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.node import Node

if TYPE_CHECKING:
    from vines.protocol.elections.matter import Call

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

    def call(self, topic: str, call: Call) -> None:
        """Call for an election. Raises InvalidElection."""
        if call.roll:
            self._called[topic] = None
            self._asker.ask(lambda now: self._node.elections().call(topic, call, now))
            return
        self._post(partial(self._call, topic, call))
        # Of what is called again the first call counts, as it does at the node.
        if topic not in self._called:
            until = int(time.monotonic() + call.seconds - MARGIN_SECONDS)
            last = self._last
            if last is None or last[0] is not call or last[1] != until:
                last = self._last = call, until
            self._called[topic] = last

    def _call(self, topic: str, call: Call, now: float) -> None:
        try:
            self._node.elections().call(topic, call, now)
        except LocalError as error:  # its voters were named meanwhile, or the disk has failed
            self._node.outbox.emit(Conflict("election", str(error)))

    def forget(self, topic: str) -> None:
        """Another round begins: ask whatever is done in it."""
        self._called[topic] = None

    def vote(self, topic: str, choice: bool | str | None) -> bool:
        """Vote; False if it is too late."""
        called = self._called.pop(topic, None)
        self._called[topic] = None
        if called is not None:
            call, until = called
            code = _code(choice, call.criteria.choices)
            if code is not None and time.monotonic() <= until:
                self._post(partial(self._vote, topic, code))
                return True
        return self._ask(topic, choice)

    def _vote(self, topic: str, code: int, now: float) -> None:
        try:
            self._node.elections().vote(topic, code, now)
        except LocalError:
            pass  # then the call before it has failed, and that was told

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
