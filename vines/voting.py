"""Elections, in the caller's thread: what is asked for is understood and checked here.

What a call means is settled before anything changes; the rest happens where the node lives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from vines.config import NODE_ID_BYTES, TOPIC_BYTES_MAX, is_name, is_topic
from vines.engine.engine import Engine
from vines.errors import InvalidElection, VoteRefused
from vines.events import Outcome

if TYPE_CHECKING:
    from vines.protocol.elections.matter import Call

SECONDS_MAX = 10 * 366 * 86_400.0
"""The longest an election may take: ten years."""

_OPTIONS = {"topic", "total", "voters", "min", "expire", "choices", "plurality"}
_OPTIONS |= {"council", "tiebreak"}


class Voting:
    """Elections: votes, one decision, and one member that acts on it."""

    _engine: Engine

    def election(self, options: Mapping[str, Any] | None = None, /, **more: Any) -> Self:
        """Call for an election; a mapping and keywords both work.

        `topic`: what it is about, the same at all who call. `total`: so many callers make an
        electorate; it is gathered as soon as there are. Or `voters`: who they are, a list of names
        (str) or ids (bytes), or a mapping of them to their weights, the same at all who call; a
        voter that is named has to have a data directory. `min`: the votes that decide, or their
        weight, by default more than half. `expire`: when it is over if nothing was decided:
        seconds, a timedelta, a datetime with a time zone, or such a one as ISO text. `choices`:
        texts to vote for; without them it is on True or False. `plurality`: the most votes win, at
        the end or once all voted. `council`: so many of the voters, drawn by the topic, decide
        what the votes of all come to. `tiebreak`: with an even number, half can decide if a voter
        drawn by the topic is among them.

        Exactly one member is told `quorum`, if a choice got `min` votes; all are told `closed`.
        A topic that was decided stays so: calling it again changes nothing (but see `rerun`).
        Raises InvalidElection, StorageError, Closed.
        """
        if not isinstance(options, Mapping | None):
            raise InvalidElection(
                "election(topic=..., ...) takes keywords or a mapping of them; nothing changed"
            )
        given = {**(options or {}), **more}
        unknown = ", ".join(sorted(map(str, given.keys() - _OPTIONS)))
        if unknown:
            raise InvalidElection(f"an election has no {unknown}; nothing changed")
        topic = check_topic(given.get("topic"))
        self._engine.electing.call(topic, _call_of(given))
        return self

    def rerun(self, topic: str, abandon: bool = False) -> Self:
        """Call for the next round of a topic that was decided, with the same options as before. All
        who call for it before it is decided are in the same round; each votes anew.

        `abandon`: also if the last round is undecided, as its voters may never come back. That one
        may still be decided: then both are acted on. Raises InvalidElection if the topic was not
        called here, or is undecided; StorageError, Closed.
        """
        self._engine.rerun(check_topic(topic), bool(abandon))
        return self

    def interrupted(self) -> list[Outcome]:
        """Outcomes this node began to act on before it was started again, without coming to the
        end: it is for its user to find out how far that went. Only with a data directory.
        """
        return self._engine.interrupted()

    def vote(self, topic: str, choice: bool | str | None) -> Self:
        """Vote: True, False, one of the choices, or None for none of them. A vote may be changed
        until a result was accepted here; True, False and None may come before the call. The first
        vote on what is decided already is not counted, and no error: the others were quicker.

        Raises VoteRefused if it is too late to change a vote, if time is up, or if this node is
        none of the voters; InvalidElection for what is no choice; StorageError, Closed.
        """
        if not (choice is None or isinstance(choice, bool | str)):
            raise InvalidElection(f"{choice!r} is nothing to vote for; nothing changed")
        if not self._engine.electing.vote(check_topic(topic), choice):
            raise VoteRefused(f"it is too late for a vote on {topic!r}; nothing changed")
        return self

    def wait(self, topic: str, timeout: float | None = None) -> Outcome:
        """The outcome of a topic, as soon as it is known here: of the round called last.

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


def _call_of(given: Mapping[str, Any]) -> Call:
    """What is asked for. Raises InvalidElection."""
    # Here, not above: only who calls for an election has use for what these modules import.
    from vines.protocol.elections.criteria import criteria_of
    from vines.protocol.elections.electorate import VOTERS_MAX, Electorate
    from vines.protocol.elections.matter import Call

    roll = _roll(given.get("voters"))
    if roll and given.get("total") is not None:
        raise InvalidElection("an election has a total or voters, not both; nothing changed")
    total = 0 if roll else _number(given.get("total"), "total", VOTERS_MAX)
    weight = sum(each for _, each in roll) or total
    if not weight:
        raise InvalidElection("the voters weigh nothing; nothing changed")
    least = _number(given.get("min", weight // 2 + 1), "min", weight)
    council = given.get("council", 0)
    if council != 0:
        council = _number(council, "council", len(roll) or total)
    seconds = seconds_until(given.get("expire"))
    choices = given.get("choices", ())
    if isinstance(choices, str) or not isinstance(choices, Sequence):
        raise InvalidElection("choices are a list of texts; nothing changed")
    plurality, tiebreak = (_truth(given, name) for name in ("plurality", "tiebreak"))
    try:
        criteria = criteria_of(tuple(choices), least, plurality)
        if roll:
            Electorate(b"", dict(roll), council=council, tiebreak=tiebreak)
    except (ValueError, TypeError) as error:  # what cannot be hashed is no text either
        raise InvalidElection(f"{error}; nothing changed") from None
    return Call(criteria, total, seconds, roll, council, tiebreak)


def _roll(voters: Any) -> tuple[tuple[bytes, int], ...]:
    """Who may vote, and with what weight, ascending. Raises InvalidElection."""
    from vines._core.tally import WEIGHT_MAX
    from vines.protocol.elections.voters import voter_of

    if voters is None:
        return ()
    if isinstance(voters, str | bytes) or not isinstance(voters, Mapping | Sequence):
        raise InvalidElection(
            "voters are a list of names (str) or ids (bytes), or a mapping of those to weights;"
            " nothing changed"
        )
    for voter in voters:
        known = is_name(voter) or (type(voter) is bytes and len(voter) == NODE_ID_BYTES)
        if not known:
            raise InvalidElection(f"{voter!r} is neither a name nor an id; nothing changed")
    weights = voters if isinstance(voters, Mapping) else dict.fromkeys(voters, 1)
    if len(weights) != len(voters) or not voters:
        raise InvalidElection("voters are one or more, none named twice; nothing changed")
    for voter, weight in weights.items():
        if type(weight) is not int or not 0 <= weight <= WEIGHT_MAX:
            raise InvalidElection(
                f"the weight of {voter!r} is a whole number from 0 to {WEIGHT_MAX:,}, not"
                f" {weight!r}; nothing changed"
            )
    return tuple(sorted((voter_of(voter), weight) for voter, weight in weights.items()))


def _truth(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise InvalidElection(f"{name} is True or False; nothing changed")
    return value


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
        raise InvalidElection("expire is a time from now on, within ten years; nothing changed")
    return float(expire)


def _number(value: Any, name: str, most: int) -> int:
    if type(value) is not int or not 0 < value <= most:
        raise InvalidElection(f"{name} is a whole number from 1 to {most:,}; nothing changed")
    return value
