"""The frame of elections: what is said about one of them, and which one that is.

One msgpack map for all that can be said. Votes and voters come by the thousand, so they are packed
into bytes: the scanner refuses lists of that length. Each field is checked for itself and against
its neighbours; whether a vote, a ballot or a decision makes sense in the election it names is for
those to judge who know that election. docs/wire.md has every byte. It must not know links, time,
or what answers what.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar, Final, TypeAlias

from vines._core.tally import NONE
from vines.errors import WireError
from vines.frozen import Frozen
from vines.protocol.elections.ballots import NEVER
from vines.protocol.elections.criteria import DIGEST_BYTES
from vines.protocol.elections.electorate import VOTERS_MAX
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Cancel,
    Decided,
    Definition,
    Formed,
    Introduction,
    Message,
    Nack,
    Prepare,
    Promise,
    Refusal,
    Sign,
    Signed,
    Testimony,
    Unknown,
    Vote,
    VoteAck,
)
from vines.protocol.wire import fields
from vines.protocol.wire.definition import NUMBER_MAX, fields_of_definition, read_definition
from vines.protocol.wire.framing import frame as framed
from vines.protocol.wire.hello import HEAD_BYTES

Said: TypeAlias = Message | Introduction

SLOT_MAX: Final = (1 << 32) - 1
DECISION_BYTES_MAX: Final = 256 * 1024
"""A decision among 10,000 voters, all of whom changed their votes, is half of that."""

_VOTE: Final = struct.Struct("<IQB")


class Ballot(Frozen):
    """Something said in an election; `slot` is for elections that decide more than once."""

    kind: ClassVar[int] = 14
    election: bytes
    slot: int
    said: Said

    def __eq__(self, other: object) -> bool:
        # Named tuples of two classes are equal if their fields are.
        same = isinstance(other, Ballot) and type(self.said) is type(other.said)
        return same and super().__eq__(other)

    __hash__ = Frozen.__hash__

    def encode(self) -> bytes:
        """The frame."""
        values = {"election": self.election, "slot": self.slot, **_fields_of(self.said)}
        return framed(self.kind, fields.pack(values))

    @classmethod
    def decode(cls, frame: bytes) -> Ballot:
        """The message; WireError if the frame is not one."""
        if frame[:HEAD_BYTES] != bytes((cls.kind, 0)):
            raise WireError("not a ballot")
        values = fields.unpack(frame, HEAD_BYTES)
        return cls(
            election=fields.octets(values, "election"),
            slot=fields.whole_number(values, "slot", SLOT_MAX),
            said=_read(fields.text(values, "said"), values),
        )


def _fields_of(said: Said) -> dict[str, object]:
    """The fields of a map that says so, beside those that say where."""
    match said:
        case Vote(sequence, choice, digest, willing):
            vote = {"said": "vote", "sequence": sequence, "choice": choice}
            return {**vote, "digest": digest, "willing": willing}
        case VoteAck(sequence):
            return {"said": "ack", "sequence": sequence}
        case Prepare(ballot):
            return {"said": "prepare", "ballot": ballot}
        case Promise():
            return _fields_of_promise(said)
        case Accept(ballot, value, fresh):
            return {"said": "accept", "ballot": ballot, "value": value, "fresh": fresh}
        case Accepted(ballot, digest):
            return {"said": "accepted", "ballot": ballot, "digest": digest}
        case Nack(ballot, promised, conflict):
            return {"said": "nack", "ballot": ballot, "promised": promised, "conflict": conflict}
        case Refusal():
            return {"said": "refusal"}
        case Decided(value):
            return {"said": "decided", "value": value}
        case Definition():
            return {"said": "define", **fields_of_definition(said)}
        case Sign(definition):
            return {"said": "sign", **fields_of_definition(definition)}
        case Signed(willing):
            return {"said": "signed", "willing": willing}
        case Formed():
            return {"said": "formed"}
        case Cancel():
            return {"said": "cancel"}
        case Unknown():
            return {"said": "unknown"}


def _fields_of_promise(promise: Promise) -> dict[str, object]:
    values: dict[str, object] = {"said": "promise", "ballot": promise.ballot}
    if promise.accepted != NEVER:
        values |= {"accepted": promise.accepted, "value": promise.value}
    values["votes"] = b"".join(_VOTE.pack(*vote) for vote in promise.votes)
    return {**values, "digest": promise.digest, "willing": promise.willing}


def _read(word: str, values: Mapping[str, Any]) -> Said:
    """What a map with this word says. WireError."""
    match word:
        case "vote":
            choice = fields.whole_number(values, "choice", NONE - 1)
            willing = fields.truth(values, "willing")
            return Vote(_sequence(values), choice, _maybe_digest(values), willing)
        case "ack":
            return VoteAck(_sequence(values))
        case "prepare":
            return Prepare(_ballot(values))
        case "promise":
            return _promise(values)
        case "accept":
            return Accept(_ballot(values), _decision(values), fields.truth(values, "fresh"))
        case "accepted":
            return Accepted(_ballot(values), fields.octets(values, "digest", DIGEST_BYTES))
        case "nack":
            conflict = fields.truth(values, "conflict")
            return Nack(_ballot(values), _ballot(values, "promised"), conflict)
        case "refusal":
            return Refusal()
        case "decided":
            return Decided(_decision(values))
        case "define":
            return read_definition(values)
        case "sign":
            return Sign(read_definition(values))
        case "signed":
            return Signed(fields.truth(values, "willing"))
        case "formed":
            return Formed()
        case "cancel":
            return Cancel()
        case "unknown":
            return Unknown()
    raise fields.wrong("said", "anything that is said in an election of this version")


def _ballot(values: Mapping[str, Any], name: str = "ballot") -> int:
    return fields.whole_number(values, name, NUMBER_MAX)


def _sequence(values: Mapping[str, Any]) -> int:
    return fields.whole_number(values, "sequence", NUMBER_MAX, least=1)


def _decision(values: Mapping[str, Any]) -> bytes:
    return fields.blob(values, "value", DECISION_BYTES_MAX, least=1)


def _maybe_digest(values: Mapping[str, Any]) -> bytes:
    """Eight bytes, or none of those who asked for nothing."""
    return b"" if values.get("digest") == b"" else fields.octets(values, "digest", DIGEST_BYTES)


def _promise(values: Mapping[str, Any]) -> Promise:
    accepted, value = NEVER, b""
    if "accepted" in values or "value" in values:
        accepted, value = _ballot(values, "accepted"), _decision(values)
    return Promise(
        ballot=_ballot(values),
        accepted=accepted,
        value=value,
        votes=_votes(values),
        digest=_maybe_digest(values),
        willing=fields.truth(values, "willing"),
    )


def _votes(values: Mapping[str, Any]) -> Testimony:
    data = fields.blob(values, "votes", VOTERS_MAX * _VOTE.size)
    if len(data) % _VOTE.size:
        raise fields.wrong("votes", f"votes of {_VOTE.size} bytes")
    votes = tuple(_VOTE.iter_unpack(data))
    ranks = [rank for rank, _, _ in votes] + [VOTERS_MAX]
    if any(rank >= later for rank, later in pairwise(ranks)):
        raise fields.wrong("votes", f"one vote a rank, ascending, below {VOTERS_MAX}")
    if any(choice == NONE or not 0 < sequence <= NUMBER_MAX for _, sequence, choice in votes):
        raise fields.wrong("votes", "votes that somebody can have cast")
    return votes
