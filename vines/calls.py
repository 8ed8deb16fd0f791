"""Calls for elections: what is asked for, checked and understood before anything changes.

Loaded with the first call: who calls for no election has no use for what this imports.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from vines._core.tally import WEIGHT_MAX
from vines.errors import InvalidElection, shortened
from vines.hints import Any, Final
from vines.protocol.elections.call import Call
from vines.protocol.elections.criteria import criteria_of
from vines.protocol.elections.electorate import VOTERS_MAX, Electorate
from vines.protocol.elections.voters import voter_of
from vines.spelling import is_name, is_node_id

_PLAIN: Final = frozenset((int, float, bool))
"""Types of options of which the same always mean the same; a text may be a time of day."""
SAME_MAX: Final = 256
_same: dict[tuple[Any, ...], Call] = {}
"""What was understood before, by names, types and values: who calls thousands asks for the same."""

SECONDS_MAX: Final = 10 * 366 * 86_400.0
"""The longest an election may take: ten years."""


def call_of(given: Mapping[str, Any]) -> Call:
    """What is asked for by these options, whatever the topic. Raises InvalidElection."""
    global _last
    last = _last  # looked at once: another thread may call, too
    shape = (*given, *map(type, given.values()))
    if shape == last[0] and given == last[1]:
        return last[2]
    if not _PLAIN.issuperset(shape[len(given) :]):
        return _understood(given)
    asked = (*shape, *given.values())
    call = _same.get(asked)
    if call is None:
        call = _understood(given)
        if len(_same) >= SAME_MAX:
            _same.clear()
        _same[asked] = call
    _last = shape, dict(given), call
    return call


def _understood(given: Mapping[str, Any]) -> Call:
    roll = _roll(given.get("voters"))
    if roll and given.get("total") is not None:
        raise InvalidElection("an election has a total or voters, not both; nothing changed")
    if not roll and given.get("total") is None:
        raise InvalidElection("an election has a total of callers, or voters; nothing changed")
    total = 0 if roll else _number(given["total"], "total", VOTERS_MAX)
    weight = sum(each for _, each in roll) if roll else total
    if not weight:
        raise InvalidElection("the voters weigh nothing; nothing changed")
    least = _number(given.get("min", weight // 2 + 1), "min", weight)
    council = given.get("council", 0)
    council = _number(council, "council", len(roll) or total) if council != 0 else 0
    seconds = _seconds_until(given.get("expire"))
    choices = given.get("choices", ())
    if not _is_list(choices) or not all(isinstance(each, str) for each in choices):
        raise InvalidElection("choices are a list of texts; nothing changed")
    plurality, tiebreak = _truth(given, "plurality"), _truth(given, "tiebreak")
    try:
        if not roll:
            return _among(tuple(choices), least, plurality, total, seconds, council, tiebreak)
        criteria = criteria_of(tuple(choices), least, plurality)
        Electorate(b"", dict(roll), council=council, tiebreak=tiebreak)
    except ValueError as error:
        raise InvalidElection(f"{error}; nothing changed") from None
    return Call(criteria, 0, seconds, roll, council, tiebreak)


@lru_cache(maxsize=256)
def _among(
    choices: tuple[str, ...],
    least: int,
    plurality: bool,
    total: int,
    seconds: float,
    council: int,
    tiebreak: bool,
) -> Call:
    """Equal calls among so many are one object: thousands that wait cost no more than one. Raises
    ValueError.
    """
    return Call(criteria_of(choices, least, plurality), total, seconds, (), council, tiebreak)


_last: tuple[tuple[Any, ...], Mapping[str, Any], Call]
"""The last of those: names and types, names and values, the call."""
_last = ((None,), {}, _among((), 1, False, 1, 1.0, 0, False))


def _roll(voters: Any) -> tuple[tuple[bytes, int], ...]:
    """Who may vote, and with what weight, ascending. Raises InvalidElection."""
    if voters is None:
        return ()
    if isinstance(voters, str | bytes) or not isinstance(voters, Mapping | Sequence):
        raise InvalidElection(
            "voters are a list of names (str) or ids (bytes), or a mapping of those to weights;"
            " nothing changed"
        )
    for voter in voters:
        known = is_name(voter) or is_node_id(voter)
        if not known:
            raise InvalidElection(
                f"{shortened(voter)} is neither a name nor an id; nothing changed"
            )
    weights = voters if isinstance(voters, Mapping) else dict.fromkeys(voters, 1)
    if len(weights) != len(voters) or not voters:
        raise InvalidElection("voters are one or more, none named twice; nothing changed")
    for voter, weight in weights.items():
        if type(weight) is not int or not 0 <= weight <= WEIGHT_MAX:
            raise InvalidElection(
                f"the weight of {voter!r} is a whole number from 0 to {WEIGHT_MAX:,}, not"
                f" {shortened(weight)}; nothing changed"
            )
    return tuple(sorted((voter_of(voter), weight) for voter, weight in weights.items()))


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _truth(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise InvalidElection(f"{name} is True or False; nothing changed")
    return value


def _seconds_until(expire: Any) -> float:
    """Seconds from now."""
    plain = type(expire) is int or type(expire) is float
    seconds = expire if plain else _seconds_of(expire)
    if not 0 < seconds <= SECONDS_MAX:
        raise InvalidElection("expire is a time from now on, within ten years; nothing changed")
    return float(seconds)


def _seconds_of(expire: Any) -> float:
    """The same of what is no plain number, whatever time that is."""
    if isinstance(expire, str):
        try:
            expire = datetime.fromisoformat(expire)
        except ValueError:
            text = f"{shortened(expire)} is no time in ISO form; nothing changed"
            raise InvalidElection(text) from None
    if isinstance(expire, datetime):
        if expire.tzinfo is None:
            raise InvalidElection("expire needs a time zone; nothing changed")
        expire -= datetime.now(UTC)
    if isinstance(expire, timedelta):
        return expire.total_seconds()
    if isinstance(expire, bool) or not isinstance(expire, int | float):
        raise InvalidElection(
            "expire is seconds, a timedelta, a datetime or ISO text; nothing changed"
        )
    return expire


def _number(value: Any, name: str, most: int) -> int:
    if type(value) is not int or not 0 < value <= most:
        raise InvalidElection(f"{name} is a whole number from 1 to {most:,}; nothing changed")
    return value
