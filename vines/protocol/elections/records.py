"""The records of elections in the control table: who calls for one, and what was decided."""

from __future__ import annotations

from typing import Final, TypeAlias

from vines._core.pieces import begins, piece
from vines.errors import WireError
from vines.protocol.elections.electorate import ID_BYTES
from vines.protocol.elections.messages import Definition
from vines.protocol.wire import fields
from vines.protocol.wire.ballot import DECISION_BYTES_MAX
from vines.protocol.wire.definition import NUMBER_MAX, pack_definition, read_definition

Key: TypeAlias = tuple[str, int]
"""A topic and a round."""

WITHDRAWN: Final = 1 << 62
"""The stamp of a decision that nobody needs any more."""

_LATEST: Final = WITHDRAWN - 1
_ROUND_BYTES: Final = 8
_FIRST: Final = bytes(_ROUND_BYTES)
_TOTAL_BYTES: Final = 4


def call_key(member: bytes, key: Key) -> bytes:
    """Of the record that a member calls for this."""
    return member + decision_key(key)


def read_call(key: bytes, value: bytes) -> tuple[bytes, Key, int]:
    """Who calls, for what, among how many. WireError."""
    about = _read_about(key, ID_BYTES)
    return piece(key, 0, ID_BYTES), about, _number(value, 0, min(len(value), _TOTAL_BYTES))


def call_value(total: int) -> bytes:
    """Of a call among so many."""
    return total.to_bytes(_TOTAL_BYTES, "big")


def decision_key(key: Key) -> bytes:
    """Of the record that this was decided."""
    topic, number = key
    return (number.to_bytes(_ROUND_BYTES, "big") if number else _FIRST) + topic.encode()


def read_decision_key(key: bytes) -> Key:
    """What a decision is about. WireError."""
    return _read_about(key, 0)


def _read_about(key: bytes, at: int) -> Key:
    """The topic and round from a place on. WireError."""
    start = at + _ROUND_BYTES
    if len(key) <= start:
        raise WireError("a record that is about no topic and round")
    number = 0 if begins(key, at, _FIRST) else _number(key, at, start)
    if number > NUMBER_MAX:
        raise WireError("a record that is about no topic and round")
    try:
        return key[start:].decode(), number
    except UnicodeDecodeError:
        raise WireError("a record whose topic is no text") from None


def _number(data: bytes, start: int, end: int) -> int:
    """The big-endian number in these bytes."""
    number = 0
    for at in range(start, end):
        number = number << 8 | data[at]
    return number


def pack_decision(election: bytes, definition: Definition, value: bytes) -> bytes:
    """What was decided, and by whom; the election's id comes first, for those who know it."""
    return election + pack_definition(definition, value)


def read_decision(record: bytes) -> tuple[bytes, Definition, bytes]:
    """The election's id, its definition and the value. WireError."""
    read = fields.unpack(record, ID_BYTES)
    value = fields.blob(read, "value", DECISION_BYTES_MAX, least=1)
    return record[:ID_BYTES], read_definition(read), value


def decision_stamp(election: bytes) -> int:
    """Of a decision: should two elections decide one round, the one with the lower id stays."""
    return _LATEST - _number(election, 0, 7)
