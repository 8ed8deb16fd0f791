"""The value of a decision: the whole outcome of an election, as bytes that all agree on.

Votes were counted under some caller's criteria; the value carries what is needed to check it
against those, and the receiver's own play no part. Two values are the same if their bytes are.
"""

from __future__ import annotations

from itertools import pairwise
from struct import Struct
from typing import Final, TypeAlias

import cython

from vines._core.pieces import number4
from vines._core.tally import CHOICES_MAX, LOST, NONE, Roll, count
from vines.errors import WireError
from vines.protocol.elections.criteria import DIGEST_BYTES, LABEL_BYTES_MAX, Criteria
from vines.protocol.elections.electorate import Electorate
from vines.protocol.elections.facts import Facts
from vines.protocol.elections.remembering import FEW, SHORT_BYTES, remembered

COMMIT: Final = 1
ABORT: Final = 2
EXPIRED: Final = 3
KINDS: Final = {COMMIT: "commit", ABORT: "abort", EXPIRED: "expired"}

Versions: TypeAlias = tuple[tuple[int, int], ...]
"""(rank, sequence number) of votes, ascending."""

_HEAD: Final = Struct(f"<BBI{DIGEST_BYTES}sBBQHI")
_COMMIT: Final = COMMIT
_OWNER: Final = 2
"""Where the owner stands in it."""
_VERSION: Final = Struct("<IQ")


@cython.no_gc
@cython.cclass
class Value(Facts):
    """`owner`: the rank that acts on a commit. `votes`: a byte a rank, as they were counted.
    `versions`: the sequence numbers of those counted votes that were not a voter's first.
    """

    __slots__ = (
        *("kind", "choice", "owner", "digest", "winnable", "plurality", "least", "label"),
        *("votes", "versions"),
    )

    def __init__(
        self,
        kind: int,
        choice: int,
        owner: int,
        digest: bytes,
        winnable: int,
        plurality: bool,
        least: int,
        label: str,
        votes: bytes,
        versions: Versions = (),
    ) -> None:
        self.kind = kind
        self.choice = choice
        self.owner = owner
        self.digest = digest
        self.winnable = winnable
        self.plurality = plurality
        self.least = least
        self.label = label
        self.votes = votes
        self.versions = versions

    def encode(self) -> bytes:
        """The bytes that are agreed on."""
        label = self.label.encode()
        head = _HEAD.pack(
            *(self.kind, self.choice, self.owner, self.digest, self.winnable, self.plurality),
            *(self.least, len(label), len(self.votes)),
        )
        return b"".join((head, label, self.votes, *[_VERSION.pack(*one) for one in self.versions]))


@remembered(SHORT_BYTES, 1024)
def decode(data: bytes) -> Value:
    """The value these bytes stand for. WireError if they are none, whatever the electorate."""
    if len(data) < _HEAD.size:
        raise WireError("a decision is too short")
    head = _HEAD.unpack_from(data)
    kind, choice, owner, digest, winnable, plurality, least, label_size, votes_size = head
    start = _HEAD.size + label_size
    rest = len(data) - start - votes_size
    if kind not in KINDS or plurality > 1 or not 0 < winnable <= CHOICES_MAX:
        raise WireError("a decision of a kind not known here")
    if label_size > LABEL_BYTES_MAX or rest < 0 or rest % _VERSION.size:
        raise WireError("a decision whose sizes do not fit")
    try:
        label = data[_HEAD.size : start].decode()
    except UnicodeDecodeError:
        raise WireError("a decision whose choice is no text") from None
    versions = tuple(_VERSION.iter_unpack(data[start + votes_size :])) if rest else ()
    if any(one[0] >= other[0] for one, other in pairwise(versions)):
        raise WireError("a decision that counts a vote twice")
    votes = data[start : start + votes_size]
    shape = (winnable, plurality == 1, least, label, votes, versions)
    return Value(kind, choice, owner, digest, *shape)


def names(value: bytes, rank: int) -> bool:
    """Whether this value, in which there is no fault, has this rank act on a commit."""
    return value[0] == _COMMIT and number4(value, _OWNER) == rank


def fault(value: bytes, electorate: Electorate) -> str:
    """Why an honest claimant cannot have proposed this value here; empty if it can."""
    roll = electorate.shared.roll
    return _fault(value, roll, len(electorate.voters), roll.total)


@remembered(SHORT_BYTES, 1024)
def _fault(data: bytes, roll: Roll, voters: int, total: int) -> str:
    try:
        value = decode(data)
    except WireError as error:
        return str(error)
    if value.owner >= voters:
        return "its owner is no voter"
    if len(value.votes) != voters:
        return "it counts votes of another electorate"
    if not 0 < value.least <= total:
        return "it needs more votes than there are"
    if any(
        rank >= voters or value.votes[rank] == NONE or not sequence
        for rank, sequence in value.versions
    ):
        return "it says when votes were cast that it does not count"
    if value.kind != COMMIT and (value.choice != NONE or value.label):
        return "it names a choice that did not win"
    shape = (value.votes, value.winnable, value.least)
    try:
        counted = count(roll, *shape, plurality=value.plurality, closing=True)
    except WireError:
        return "it counts votes for what was no choice"
    if value.kind == COMMIT and counted != value.choice:
        return "its votes do not decide so"
    if value.kind == ABORT and counted != LOST:
        return "its votes do not exclude every choice"
    return ""


def commit(choice: int, owner: int, criteria: Criteria, votes: bytes, versions: Versions) -> bytes:
    """A choice won."""
    return _encode(COMMIT, choice, criteria.label(choice), owner, criteria, votes, versions)


def abort(owner: int, criteria: Criteria, votes: bytes, versions: Versions) -> bytes:
    """No choice can win any more."""
    return _encode(ABORT, NONE, "", owner, criteria, votes, versions)


def expired(owner: int, criteria: Criteria, votes: bytes, versions: Versions) -> bytes:
    """Time ran out."""
    return _encode(EXPIRED, NONE, "", owner, criteria, votes, versions)


def _encode(
    kind: int,
    choice: int,
    label: str,
    owner: int,
    criteria: Criteria,
    votes: bytes,
    versions: Versions,
) -> bytes:
    asked = (criteria.digest(), criteria.winnable(), criteria.plurality, criteria.least)
    return _encoded(votes, versions, kind, choice, label, owner, *asked)


@remembered(FEW)
def _encoded(
    votes: bytes,
    versions: Versions,
    kind: int,
    choice: int,
    label: str,
    owner: int,
    digest: bytes,
    winnable: int,
    plurality: bool,
    least: int,
) -> bytes:
    asked = (digest, winnable, plurality, least)
    return Value(kind, choice, owner, *asked, label, votes, versions).encode()
