"""The frame of elections: what is said about some of them, and which ones those are.

What is said to one member in one turn shares a frame, as short binary entries that are read at the
speed of `struct`; only a definition, which is long and said once, is a msgpack map. Each field is
checked for itself and against its neighbours; whether a vote, a ballot or a decision makes sense in
the election it names is for those to judge who know that election. docs/wire.md has every byte. It
must not know links, time, or what answers what.
"""

from __future__ import annotations

import struct
from typing import ClassVar, Final, TypeAlias

from vines._core.pieces import entry, number4, number8, piece
from vines._core.tally import NONE
from vines.errors import UNKNOWN, WireError
from vines.frozen import Frozen
from vines.protocol.elections.ballots import NEVER
from vines.protocol.elections.criteria import DIGEST_BYTES
from vines.protocol.elections.electorate import ID_BYTES, VOTERS_MAX
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Cancel,
    Decided,
    Definition,
    Formed,
    Nack,
    Prepare,
    Promise,
    Refusal,
    Said,
    Sign,
    Signed,
    Testimony,
    Unknown,
    Vote,
    VoteAck,
    accept_of,
    accepted_of,
    decided_of,
    sign_of,
    signed_with,
    vote_of,
)
from vines.protocol.elections.remembering import SHORT_BYTES
from vines.protocol.wire.definition import NUMBER_MAX, pack_definition, unpack_definition
from vines.protocol.wire.framing import frame as framed
from vines.protocol.wire.hello import HEAD_BYTES

SLOT_MAX: Final = (1 << 32) - 1
DECISION_BYTES_MAX: Final = 256 * 1024
"""A decision among 10,000 voters, all of whom changed their votes, is half of that."""
ENTRIES_MAX: Final = 1024
"""Of one frame: a turn must stay short. The shortest 64 KiB of what is said often are fewer."""
_ENTRIES_MAX: Final = ENTRIES_MAX

_ENTRY_BYTES: Final = 4 + 1 + ID_BYTES + 4
"""Before what is said: its length, the word, the election's id, the slot."""
_VOTE: Final = struct.Struct("<QBB")
_VOTE_BYTES: Final = _VOTE.size
_NUMBER: Final = struct.Struct("<Q")
_PROMISE: Final = struct.Struct("<QB")
_ACCEPTED_BEFORE: Final = struct.Struct("<QI")
_ACCEPT: Final = struct.Struct("<QB")
_ACCEPT_BYTES: Final = _ACCEPT.size
_ACCEPTED: Final = struct.Struct(f"<Q{DIGEST_BYTES}s")
_ACCEPTED_BYTES: Final = _ACCEPTED.size
_NACK: Final = struct.Struct("<QQB")
_TESTIMONY: Final = struct.Struct("<IQB")

_WILLING: Final = 1
_ASKED: Final = 2
_HAD_ACCEPTED: Final = 4


Ballot: TypeAlias = tuple[bytes, int, Said]
"""The election's id, the slot (for elections that decide more than once), what is said."""


class Ballots(Frozen):
    """What is said to one member, in order."""

    kind: ClassVar[int] = 14
    ballots: tuple[Ballot, ...]

    def encode(self) -> bytes:
        """The frame."""
        return frame_of([pack(*each) for each in self.ballots])

    @classmethod
    def decode(cls, frame: bytes) -> Ballots:
        """The message; WireError if the frame is not one."""
        if frame[:HEAD_BYTES] != bytes((cls.kind, 0)):
            raise WireError("not ballots")
        return cls(cls.read(frame))

    @staticmethod
    def read(frame: bytes) -> tuple[Ballot, ...]:
        """What is said in a frame that is known to be of this kind. WireError."""
        found = unpack(frame, HEAD_BYTES)
        if not found:
            raise WireError("ballots without one")
        return found


def unpack(data: bytes, at: int = 0) -> tuple[Ballot, ...]:
    """The packed ballots from a place on. WireError if it is anything else."""
    found: list[Ballot] = []
    end = len(data)
    try:
        while at < end:
            start = at + _ENTRY_BYTES
            if start > end or len(found) == _ENTRIES_MAX:
                raise WireError("a ballot that is cut short, or one too many")
            size, word, about = number4(data, at), data[at + 4], at + 5
            election, slot = piece(data, about, about + ID_BYTES), number4(data, about + ID_BYTES)
            at = start + size
            if at > end:
                raise WireError("a ballot that is cut short")
            found.append((election, slot, _read(word, piece(data, start, at))))
    except struct.error:
        raise WireError("a ballot that is not as long as it must be") from None
    return tuple(found)


def pack(election: bytes, slot: int, said: Said) -> bytes:
    """One ballot as it stands in a frame."""
    assert len(election) == ID_BYTES, "an election of ours has no id"
    return entry(_NUMBERS[type(said)], election, slot, _write(said))


def frame_of(packed: list[bytes]) -> bytes:
    """The frame of ballots that are packed already: at most ENTRIES_MAX."""
    assert 0 < len(packed) <= ENTRIES_MAX, "a frame of ours says nothing, or too much"
    return framed(Ballots.kind, b"".join(packed))


# Writing. What many elections say together is packed once.


_last_vote: tuple[Vote | None, bytes] = (None, b"")
_last_accept: tuple[Accept | None, bytes] = (None, b"")
_last_accepted: tuple[Accepted | None, bytes] = (None, b"")


def _write_vote(vote: Vote) -> bytes:
    global _last_vote
    last = _last_vote  # looked at once, as all of these
    same = last[0]
    if (
        same is None
        or same.sequence != vote.sequence
        or same.choice != vote.choice
        or same.willing != vote.willing
        or same.digest != vote.digest
    ):
        packed = _VOTE.pack(vote.sequence, vote.choice, vote.willing) + vote.digest
        _last_vote = last = (vote, packed)
    return last[1]


def _write_accept(accept: Accept) -> bytes:
    global _last_accept
    last = _last_accept
    same = last[0]
    if (
        same is None
        or same.ballot != accept.ballot
        or same.fresh != accept.fresh
        or same.value != accept.value
    ):
        packed = _ACCEPT.pack(accept.ballot, accept.fresh) + accept.value
        if len(packed) > SHORT_BYTES:
            return packed
        _last_accept = last = (accept, packed)
    return last[1]


def _write_accepted(accepted: Accepted) -> bytes:
    global _last_accepted
    last = _last_accepted
    same = last[0]
    if same is None or same.ballot != accepted.ballot or same.digest != accepted.digest:
        packed = _ACCEPTED.pack(accepted.ballot, accepted.digest)
        _last_accepted = last = (accepted, packed)
    return last[1]


def _write_sign(sign: Sign) -> bytes:
    return pack_definition(sign.definition)


def _write_signed(signed: Signed) -> bytes:
    return b"" if signed.vote is None else _write_vote(signed.vote)


def _value_of(decided: Decided) -> bytes:
    return decided.value


def _write_promise(promise: Promise) -> bytes:
    marks = promise.willing * _WILLING
    parts = [promise.digest]
    if promise.digest:
        marks |= _ASKED
    if promise.accepted != NEVER:
        marks |= _HAD_ACCEPTED
        parts += _ACCEPTED_BEFORE.pack(promise.accepted, len(promise.value)), promise.value
    parts += [_TESTIMONY.pack(*vote) for vote in promise.votes]
    return _PROMISE.pack(promise.ballot, marks) + b"".join(parts)


# Reading.


def _number(body: bytes) -> int:
    return _ballot(_eight(body))


def _eight(body: bytes) -> int:
    """The number that is all of it."""
    if len(body) != 8:
        raise WireError("a number that is not eight bytes")
    return number8(body, 0)


def _ballot(number: int) -> int:
    if number > NUMBER_MAX:
        raise WireError(f"a ballot above {NUMBER_MAX}")
    return number


def _sequence(number: int) -> int:
    if not 0 < number <= NUMBER_MAX:
        raise WireError(f"a vote whose sequence is not from 1 to {NUMBER_MAX}")
    return number


def _truth(byte: int) -> bool:
    if byte > 1:
        raise WireError("a ballot with a mark that is neither 0 nor 1")
    return byte == 1


def _decision(value: bytes) -> bytes:
    if not 0 < len(value) <= DECISION_BYTES_MAX:
        raise WireError(f"a decision that is not 1 to {DECISION_BYTES_MAX} bytes")
    return value


def _read_vote(body: bytes) -> Vote:
    size = len(body)
    if size != _VOTE_BYTES and size != _VOTE_BYTES + DIGEST_BYTES:
        raise WireError("a vote that is not as long as it must be")
    choice = body[8]
    if choice == NONE:
        raise WireError("a vote that nobody can have cast")
    sequence, digest = _sequence(number8(body, 0)), piece(body, _VOTE_BYTES, size)
    return vote_of(sequence, choice, digest, _truth(body[9]))


def _read_ack(body: bytes) -> VoteAck:
    size = len(body)
    if size != _NUMBER.size and size != _NUMBER.size + DIGEST_BYTES:
        raise WireError("an answer to a vote that is not as long as it must be")
    return VoteAck(_sequence(number8(body, 0)), piece(body, _NUMBER.size, size))


def _read_promise(body: bytes) -> Promise:
    ballot, marks = _PROMISE.unpack_from(body)
    if marks > _WILLING | _ASKED | _HAD_ACCEPTED:
        raise WireError("a promise with unknown marks", UNKNOWN)
    at = _PROMISE.size
    digest, accepted, value = b"", NEVER, b""
    if marks & _ASKED:
        digest = body[at : at + DIGEST_BYTES]
        at += DIGEST_BYTES
    if marks & _HAD_ACCEPTED:
        accepted, size = _ACCEPTED_BEFORE.unpack_from(body, at)
        at += _ACCEPTED_BEFORE.size
        value = _decision(body[at : at + size])
        at += size
        accepted = _ballot(accepted)
    if at > len(body):
        raise WireError("a promise that is cut short")
    votes = _testimony(body[at:])
    return Promise(_ballot(ballot), accepted, value, votes, digest, bool(marks & _WILLING))


def _testimony(data: bytes) -> Testimony:
    if len(data) > VOTERS_MAX * _TESTIMONY.size:
        raise WireError(f"votes of more than {VOTERS_MAX} voters")
    votes = tuple(_TESTIMONY.iter_unpack(data))
    before = -1
    for rank, sequence, choice in votes:
        if not before < rank < VOTERS_MAX:
            raise WireError(f"votes that are not one a rank, ascending, below {VOTERS_MAX}")
        if choice == NONE or not 0 < sequence <= NUMBER_MAX:
            raise WireError("votes that nobody can have cast")
        before = rank
    return votes


def _read_accept(body: bytes) -> Accept:
    if len(body) < _ACCEPT_BYTES:
        raise WireError("a proposal that is cut short")
    value = _decision(piece(body, _ACCEPT_BYTES, len(body)))
    return accept_of(_ballot(number8(body, 0)), value, _truth(body[8]))


def _read_accepted(body: bytes) -> Accepted:
    if len(body) != _ACCEPTED_BYTES:
        raise WireError("an accept that is not as long as it must be")
    return accepted_of(_ballot(number8(body, 0)), piece(body, 8, _ACCEPTED_BYTES))


def _read_nack(body: bytes) -> Nack:
    ballot, promised, conflict = _NACK.unpack(body)
    return Nack(_ballot(ballot), _ballot(promised), _truth(conflict))


def _read_signed(body: bytes) -> Signed:
    return signed_with(_read_vote(body) if body else None)


def _read_formed(body: bytes) -> Formed:
    if not body:
        return Formed()
    (sequence,) = _NUMBER.unpack(body)
    return Formed(_sequence(sequence))


_WORDS: Final = (
    *(Vote, VoteAck, Prepare, Promise, Accept, Accepted, Nack, Refusal, Decided),
    *(Definition, Sign, Signed, Formed, Cancel, Unknown),
)
"""In the order of their numbers."""
_KINDS: Final = len(_WORDS)
_NUMBERS: Final[dict[type[Said], int]] = {kind: number for number, kind in enumerate(_WORDS)}
_BARE: Final = {_NUMBERS[kind]: kind() for kind in (Refusal, Cancel, Unknown)}
"""Words with which nothing goes."""


_last_read: list[tuple[bytes, Said] | None] = [None] * len(_WORDS)
"""The last of each word: many elections go the same way together, and say the same."""


def _read(word: int, body: bytes) -> Said:
    """What is said with a word; equal words that follow each other are one object. WireError,
    struct.error.
    """
    if word >= _KINDS:
        raise WireError("a ballot that says nothing of this version", UNKNOWN)
    last = _last_read[word]  # looked at once: the nodes of a process have a thread each
    if last is not None and last[0] == body:
        return last[1]
    said = _read_new(word, body)
    if len(body) <= SHORT_BYTES and not isinstance(said, Definition | Sign):
        _last_read[word] = (body, said)
    return said


def _read_new(word: int, body: bytes) -> Said:
    if word == 0:
        return _read_vote(body)
    if word == 1:
        return _read_ack(body)
    if word == 2:
        return Prepare(_number(body))
    if word == 3:
        return _read_promise(body)
    if word == 4:
        return _read_accept(body)
    if word == 5:
        return _read_accepted(body)
    if word == 6:
        return _read_nack(body)
    if word == 8:
        return decided_of(_decision(body))
    if word == 9:
        return unpack_definition(body)
    if word == 10:
        return sign_of(unpack_definition(body))
    if word == 11:
        return _read_signed(body)
    if word == 12:
        return _read_formed(body)
    if body:
        raise WireError("a ballot that says more than its word")
    return _BARE[word]


def _write(said: Said) -> bytes:
    """What goes with the word."""
    if isinstance(said, Vote):
        return _write_vote(said)
    if isinstance(said, VoteAck):
        return _NUMBER.pack(said.sequence) + said.digest
    if isinstance(said, Prepare):
        return _NUMBER.pack(said.ballot)
    if isinstance(said, Promise):
        return _write_promise(said)
    if isinstance(said, Accept):
        return _write_accept(said)
    if isinstance(said, Accepted):
        return _write_accepted(said)
    if isinstance(said, Nack):
        return _NACK.pack(said.ballot, said.promised, said.conflict)
    if isinstance(said, Decided):
        return _value_of(said)
    if isinstance(said, Definition):
        return pack_definition(said)
    if isinstance(said, Sign):
        return _write_sign(said)
    if isinstance(said, Signed):
        return _write_signed(said)
    if isinstance(said, Formed):
        return _NUMBER.pack(said.sequence) if said.sequence else b""
    return b""
