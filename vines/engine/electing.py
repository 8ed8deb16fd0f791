"""Electing: calls and votes of this process, handed to the loop's thread without waiting for it.

A call cannot fail once its arguments are checked, nor can the first vote of what was called here,
for one of its choices and before its deadline: they are handed over, in order, and many share a
turn of the loop. Whatever can fail is asked, and raises what the node says.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from vines.engine.asking import Asker
from vines.errors import InvalidElection
from vines.protocol.node import Node

MARGIN_SECONDS: Final = 1.0
"""So close to the deadline a vote is asked: handed over, it could come too late unnoticed."""

_CODES: Final[dict[bool | str | None, int]] = {True: 0, False: 253, None: 254}


class Called(NamedTuple):
    """What was called here, until it is voted in."""

    choices: tuple[str, ...]
    deadline: float


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
        self._called: dict[str, Called | None] = {}
        """By topic; None: it was voted in, so that a vote is a change, and asked."""

    def call(
        self,
        topic: str,
        choices: tuple[str, ...],
        least: int,
        plurality: bool,
        total: int,
        seconds: float,
    ) -> None:
        """Call for an election among so many callers."""
        from vines.protocol.elections.criteria import criteria_of

        criteria = criteria_of(choices, least, plurality)
        node = self._node
        self._post(lambda now: node.elections().call(topic, criteria, total, seconds, now))
        # Of what is called again the first call counts, as it does at the node.
        self._called.setdefault(topic, Called(choices, time.monotonic() + seconds))

    def vote(self, topic: str, choice: bool | str | None) -> bool:
        """Vote; False if it is too late."""
        called = self._called.pop(topic, None)
        self._called[topic] = None
        code = None if called is None else _code(choice, called.choices)
        if called is None or code is None:
            return self._ask(topic, choice)
        if time.monotonic() > called.deadline - MARGIN_SECONDS:
            return self._ask(topic, choice)
        node = self._node
        self._post(lambda now: node.elections().vote(topic, code, now))
        return True

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
