"""Elections, in the caller's thread: what is asked for is understood and checked here.

What a call means is settled before anything changes; the rest happens where the node lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from vines.config import TOPIC_BYTES_MAX, is_topic
from vines.engine.engine import Engine
from vines.errors import InvalidElection, VoteRefused
from vines.events import Outcome

SECONDS_MAX = 10 * 366 * 86_400.0
"""The longest an election may take: ten years."""

TOTAL_MAX = 10_000


class Voting:
    """Elections: votes, one decision, and one member that acts on it."""

    _engine: Engine

    def election(self, options: Mapping[str, Any] | None = None, /, **more: Any) -> Self:
        """Call for an election; a mapping and keywords both work.

        `topic`: what it is about, the same at all who call. `total`: so many callers make an
        electorate; it is gathered as soon as there are. `min`: the votes that decide, by default
        more than half. `expire`: when it is over if nothing was decided: seconds, a timedelta, a
        datetime with a time zone, or such a one as ISO text. `choices`: texts to vote for; without
        them it is on True or False. `plurality`: the most votes win, at the end or once all voted.

        Exactly one member is told `quorum`, if a choice got `min` votes; all are told `closed`.
        A topic that was decided stays so: calling it again changes nothing. Raises
        InvalidElection, Closed.
        """
        given = {**(options or {}), **more}
        unknown = given.keys() - {"topic", "total", "min", "expire", "choices", "plurality"}
        if unknown:
            raise InvalidElection(f"an election has no {', '.join(sorted(unknown))}")
        topic = check_topic(given.get("topic"))
        total = _number(given.get("total"), "total", TOTAL_MAX)
        least = _number(given.get("min", total // 2 + 1), "min", total)
        seconds = seconds_until(given.get("expire"))
        choices = check_choices(given.get("choices", ()))
        plurality = given.get("plurality", False)
        if not isinstance(plurality, bool):
            raise InvalidElection("plurality is True or False; nothing changed")
        self._engine.electing.call(topic, choices, least, plurality, total, seconds)
        return self

    def vote(self, topic: str, choice: bool | str | None) -> Self:
        """Vote: True, False, one of the choices, or None for none of them. A vote may be changed
        until a result was accepted here; True, False and None may come before the call. The first
        vote on what is decided already is not counted, and no error: the others were quicker.

        Raises VoteRefused if it is too late to change a vote, or time is up; InvalidElection for
        what is no choice; Closed.
        """
        if not (choice is None or isinstance(choice, bool | str)):
            raise InvalidElection(f"{choice!r} is nothing to vote for; nothing changed")
        if not self._engine.electing.vote(check_topic(topic), choice):
            raise VoteRefused(f"it is too late for a vote on {topic!r}; nothing changed")
        return self

    def wait(self, topic: str, timeout: float | None = None) -> Outcome:
        """The outcome of a topic, as soon as it is known here.

        Raises TimedOut after `timeout` seconds, NotListening before the first listen or join,
        InvalidElection, Closed.
        """
        return self._engine.wait_outcome(check_topic(topic), timeout)

    def outcome(self, topic: str) -> Outcome | None:
        """The outcome of a topic if it is known here."""
        return self._engine.outcome(check_topic(topic))

    def elections(self) -> list[Outcome]:
        """The outcomes known here, by topic."""
        return sorted(self._engine.outcomes(), key=lambda outcome: outcome.topic)


def check_topic(topic: Any) -> str:
    """Raises InvalidElection for what is no topic."""
    if not is_topic(topic):
        raise InvalidElection(
            f"a topic is text of 1 to {TOPIC_BYTES_MAX} bytes without control characters, not"
            f" {str(topic)[:40]!r}; nothing changed"
        )
    return str(topic)


def check_choices(choices: Any) -> tuple[str, ...]:
    """Raises InvalidElection for what cannot be voted for."""
    if isinstance(choices, str) or not isinstance(choices, Sequence):
        raise InvalidElection("choices are a list of texts; nothing changed")
    if not all(isinstance(each, str) and 0 < len(each.encode()) <= 256 for each in choices):
        raise InvalidElection("a choice is text of 1 to 256 bytes; nothing changed")
    if len(choices) == 1 or len(choices) > 253 or len(set(choices)) != len(choices):
        raise InvalidElection("there are 2 to 253 choices, or none for yes or no; nothing changed")
    return tuple(choices)


def seconds_until(expire: Any) -> float:
    """Seconds from now. Raises InvalidElection."""
    if isinstance(expire, str):
        try:
            expire = datetime.fromisoformat(expire)
        except ValueError:
            raise InvalidElection(f"{expire!r} is no time in ISO form; nothing changed") from None
    if isinstance(expire, datetime):
        if expire.tzinfo is None:
            raise InvalidElection("expire needs a time zone; nothing changed")
        expire -= datetime.now(UTC)
    if isinstance(expire, timedelta):
        expire = expire.total_seconds()
    if isinstance(expire, bool) or not isinstance(expire, int | float):
        raise InvalidElection(
            "expire is seconds, a timedelta, a datetime or ISO text; nothing changed"
        )
    if not 0 < expire <= SECONDS_MAX:
        raise InvalidElection("an election expires within ten years from now; nothing changed")
    return float(expire)


def _number(value: Any, name: str, most: int) -> int:
    if type(value) is not int or not 0 < value <= most:
        raise InvalidElection(f"{name} is a whole number from 1 to {most:,}; nothing changed")
    return value
