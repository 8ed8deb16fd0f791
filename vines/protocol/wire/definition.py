"""What an election is, in fields: everything its id is made of, and what its caller asked for.

What is read here can be voted on (criteria.py has no fault to find) and fits a frame again, with
whatever deadline: who learns of an election must be able to pass it on. Whether it has the id that
it came under, and a roll of any weight, is for those to see who make an electorate of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeGuard

from vines._core.pieces import begins, piece
from vines._core.tally import WEIGHT_MAX
from vines.protocol.elections.criteria import criteria_of
from vines.protocol.elections.electorate import VOTERS_MAX, Roll
from vines.protocol.elections.messages import Definition, Terms, defined
from vines.protocol.elections.remembering import FEW, SHORT_BYTES, remembered
from vines.protocol.wire import fields
from vines.protocol.wire.framing import FRAME_BYTES_MAX
from vines.spelling import is_topic

NUMBER_MAX: Final = (1 << 63) - 1
"""Of rounds, of ballots, and of the sequence numbers of votes."""
ROLL_BYTES_MAX: Final = FRAME_BYTES_MAX - 128 * 1024
"""Of a packed roll. The rest of a definition is less than 128 KiB, so that each fits a frame."""
SIGNUP_BYTES_MAX: Final = 64
LEAST_MAX: Final = 1 << 48
REMAINING_MAX: Final = 1 << 53

_WEIGHT_BYTES: Final = 8

# A definition begins with its topic and round; what follows is the same in many elections.
_FIELDS: Final = 10
_MAP: Final = bytes((0x80 | _FIELDS,))
_MAP_OF_MORE: Final = bytes((0x80 | _FIELDS + 1,))
_VALUE: Final = fields.pack({"value": b""})[1:-1]
_TOPIC: Final = fields.pack({"topic": 0})[1:-1]
_BEGINNING: Final = _MAP + _TOPIC
_ROUND: Final = fields.pack({"round": 0})[1:-1]
_ROUND_MAX: Final = 0x7F
"""The last round that is one byte."""
_SHORT: Final = 0xA0
_SHORT_MAX: Final = 0x1F
"""The longest text whose length is in its first byte; _LONGER: its length is the second."""
_LONGER: Final = 0xD9
_LONG: Final = bytes((_LONGER,))
_BYTES: Final = tuple([bytes((each,)) for each in range(256)])


def pack_definition(definition: Definition, value: bytes = b"") -> bytes:
    """A definition as it travels, a map of its fields; `value`, if there is one, at its end."""
    about, terms, size = _pack_about(definition), _pack_terms(definition.terms), len(value)
    if not size:
        return b"".join((_MAP, about, terms))
    if size < 256:
        return b"".join((_MAP_OF_MORE, about, terms, _VALUE, _BYTES[size], value))
    return b"".join((_MAP_OF_MORE, about, terms, fields.pack({"value": value})[1:]))


def _pack_about(definition: Definition) -> bytes:
    topic, number = definition.topic.encode(), definition.round
    size = len(topic)
    if size > 255 or number > _ROUND_MAX:
        return fields.pack({"topic": definition.topic, "round": number})[1:]
    head = _BYTES[_SHORT | size] if size <= _SHORT_MAX else _LONG + _BYTES[size]
    return b"".join((_TOPIC, head, topic, _ROUND, _BYTES[number]))


def _pack_terms(terms: Terms) -> bytes:
    if terms.packed:
        return terms.packed
    packed = pack_roll(terms.roll)
    assert len(packed) <= ROLL_BYTES_MAX, "a roll of ours is too long"
    made = fields.pack(
        {
            "roll": packed,
            "signup": terms.signup,
            "council": terms.council,
            "tiebreak": terms.tiebreak,
            "choices": terms.choices,
            "least": terms.least,
            "plurality": terms.plurality,
            "remaining": terms.remaining_ms,
        }
    )[1:]
    if len(terms.roll) <= FEW:
        terms.packed = made
    return made


@remembered(FEW)
def pack_roll(roll: Roll) -> bytes:
    """A roll as it travels: whoever makes one sees that it is at most ROLL_BYTES_MAX long."""
    return b"".join(
        bytes((len(voter),)) + voter + weight.to_bytes(_WEIGHT_BYTES, "little")
        for voter, weight in roll
    )


def unpack_definition(data: bytes) -> Definition:
    """The definition in these bytes. WireError."""
    end, topic = _topic_of(data)
    at = end + len(_ROUND) + 1
    if not end or len(data) <= at or not begins(data, end, _ROUND) or data[at - 1] > _ROUND_MAX:
        return read_definition(fields.unpack(data))
    return defined(topic, data[at - 1], _read_terms(piece(data, at, len(data))))


def _topic_of(data: bytes) -> tuple[int, str]:
    """Where the topic ends that a definition begins with, and the topic; 0 if it does not begin as
    ours do, or is none.
    """
    start = len(_BEGINNING) + 1
    if len(data) <= start or not begins(data, 0, _BEGINNING):
        return 0, ""
    size = data[start - 1] ^ _SHORT
    if size > _SHORT_MAX:
        size = data[start] if data[start - 1] == _LONGER else 0
        if size <= _SHORT_MAX:
            return 0, ""
        start += 1
    try:
        topic = data[start : start + size].decode()
    except UnicodeDecodeError:
        return 0, ""
    return (start + size, topic) if is_topic(topic) else (0, "")


@remembered(SHORT_BYTES)
def _read_terms(rest: bytes) -> Terms:
    """What follows topic and round; equal terms are one object. WireError."""
    packed = fields.pack({"topic": "any", "round": 0})[1:]
    return read_definition(fields.unpack(_MAP + packed + rest)).terms


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


@remembered(SHORT_BYTES)
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
