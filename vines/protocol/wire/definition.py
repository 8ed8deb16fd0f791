"""What an election is, in fields: everything its id is made of, and what its caller asked for.

What is read here can be voted on (criteria.py has no fault to find) and fits a frame again, with
whatever deadline: who learns of an election must be able to pass it on. Whether it has the id that
it came under, and a roll of any weight, is for those to see who make an electorate of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from vines._core.tally import WEIGHT_MAX
from vines.protocol.elections.criteria import criteria_of
from vines.protocol.elections.electorate import VOTERS_MAX, Roll
from vines.protocol.elections.messages import Definition, Terms
from vines.protocol.elections.remembering import FEW, remembered
from vines.protocol.wire import fields
from vines.protocol.wire.framing import FRAME_BYTES_MAX

NUMBER_MAX: Final = (1 << 63) - 1
"""Of rounds, of ballots, and of the sequence numbers of votes."""
ROLL_BYTES_MAX: Final = FRAME_BYTES_MAX - 128 * 1024
"""Of a packed roll. The rest of a definition is less than 128 KiB, so that each fits a frame."""
SIGNUP_BYTES_MAX: Final = 64
LEAST_MAX: Final = 1 << 48
REMAINING_MAX: Final = 1 << 53

_WEIGHT_BYTES: Final = 8
REMEMBERED_BYTES_MAX: Final = 1024
"""Longer rolls are not kept: what a peer sends must not stay in memory by the MiB."""


@remembered(FEW)
def pack_roll(roll: Roll) -> bytes:
    """A roll as it travels: whoever makes one sees that it is at most ROLL_BYTES_MAX long."""
    return b"".join(
        bytes((len(voter),)) + voter + weight.to_bytes(_WEIGHT_BYTES, "little")
        for voter, weight in roll
    )


def fields_of_definition(definition: Definition) -> dict[str, object]:
    """Its fields, as they are packed."""
    terms = definition.terms
    roll = pack_roll(terms.roll)
    assert len(roll) <= ROLL_BYTES_MAX, "a roll of ours is too long"
    return {
        "topic": definition.topic,
        "round": definition.round,
        "roll": roll,
        "signup": terms.signup,
        "council": terms.council,
        "tiebreak": terms.tiebreak,
        "choices": terms.choices,
        "least": terms.least,
        "plurality": terms.plurality,
        "remaining": terms.remaining_ms,
    }


def read_definition(values: Mapping[str, Any]) -> Definition:
    """The definition in these fields. WireError."""
    roll = _roll(values)
    choices = values.get("choices")
    if not _are_texts(choices):
        raise fields.wrong("choices", "a list of texts")
    least = fields.whole_number(values, "least", LEAST_MAX, least=1)
    plurality = fields.truth(values, "plurality")
    try:
        criteria = criteria_of(tuple(choices), least, plurality)
    except ValueError as error:
        raise fields.wrong("choices", f"what can be voted for: {error}") from None
    terms = Terms(
        roll,
        fields.blob(values, "signup", SIGNUP_BYTES_MAX),
        fields.whole_number(values, "council", len(roll)),
        fields.truth(values, "tiebreak"),
        criteria.choices,
        least,
        plurality,
        fields.whole_number(values, "remaining", REMAINING_MAX),
    )
    topic = fields.topic(values, "topic")
    return Definition(topic, fields.whole_number(values, "round", NUMBER_MAX), terms)


def _are_texts(choices: object) -> TypeGuard[list[str]]:
    return type(choices) is list and all(type(each) is str for each in choices)


def _roll(values: Mapping[str, Any]) -> Roll:
    data = fields.blob(values, "roll", ROLL_BYTES_MAX, least=1)
    return _read_roll(data)


@remembered(REMEMBERED_BYTES_MAX)
def _read_roll(data: bytes) -> Roll:
    roll: list[tuple[bytes, int]] = []
    position, last = 0, b""
    while position < len(data):
        start = position + 1
        end = start + data[position]
        position = end + _WEIGHT_BYTES
        voter, weight = data[start:end], int.from_bytes(data[end:position], "little")
        if position > len(data) or weight > WEIGHT_MAX:
            raise fields.wrong("roll", f"voters with weights of up to {WEIGHT_MAX}")
        if voter <= last or len(roll) == VOTERS_MAX:
            raise fields.wrong("roll", f"up to {VOTERS_MAX} voters, ascending")
        roll.append((voter, weight))
        last = voter
    return tuple(roll)
