"""What a node tells its user: small frozen objects, made once and handed on as they are.

Every event a Node can emit stands here, and what a Vine makes of KeysChanged. They carry what was
true when they were made; none of them refers to a table, a link or any other living part.
"""

from __future__ import annotations

from collections.abc import Mapping

from vines._core.changes import Changes
from vines.frozen import Frozen
from vines.hints import Any, Final, NamedTuple, TypeAlias

Address: TypeAlias = tuple[str, int]

ALIVE: Final = "alive"
DEAD: Final = "dead"
LEFT: Final = "left"


class Member(
    Frozen, kw_only=True, uncompared=("linked", "local", "suspected", "lag"), unhashed=("tags",)
):
    """One node as it is known here; from `linked` on it is our view, the rest is its own word."""

    id: bytes
    name: str
    address: Address | None
    """Where it can be dialled; None: it does not listen."""
    tags: Mapping[str, str]
    observer: bool
    state: str
    """ALIVE, DEAD (concluded by somebody: it failed) or LEFT (its own word)."""
    incarnation: int
    linked: bool = False
    """Whether a stream to it is up."""
    local: bool = False
    """Whether it is this node itself."""
    suspected: bool = False
    """Whether it is alive as far as is known, but does not answer, and has not objected yet."""
    lag: float | None = None
    """How late its loop was lately, in seconds, by its last answer; None: it was not asked yet."""


class Join(Frozen):
    """A member is alive that was not known, or was held dead or gone."""

    member: Member


class Suspect(Frozen):
    """A member that is alive does not answer somebody. It objects (Update), or it fails (Fail)."""

    member: Member


class Fail(Frozen):
    """A member does not answer and has not objected in time, or dialling it came to nothing, for
    two others if there are so many; it may come back, with a Join.
    """

    member: Member


class Leave(Frozen):
    """A member said that it leaves."""

    member: Member


class Update(Frozen):
    """A member that is alive changed its name, address, tags or observer bit, or is suspected no
    more.
    """

    member: Member


class Refused(Frozen):
    """A handshake came to nothing, nothing was exchanged. Repeats: once a minute at most."""

    address: Address | None
    """Where we dialled; None if they dialled us."""
    reason: str
    """version, cluster, clock, identity, full, or what a newer version may say."""
    text: str
    outgoing: bool
    """Whether it was us who dialled."""
    by_us: bool
    """Whether it was us who refused."""


class Conflict(Frozen):
    """Something that must be unique is not; an operator should look."""

    kind: str
    """identity (two live processes, one node id), name, source (somebody numbered writes as us),
    state (equal histories, different tables), address (others do not seem to reach this node where
    it says that it listens, or two live members say that they listen at one address), suspicion
    (one member alone held most others for failed, who are there), election (what cannot be decided
    as it was called), or storage (the data directory failed)."""
    text: str
    member: Member | None = None


class ClockSuspect(Frozen):
    """A clock is over a minute away from ours: its stamps are ordered, but do not move ours."""

    name: str
    """Of the peer the handshake or the records came from."""
    skew_seconds: float | None
    """Theirs less ours; None if it was seen on a record and not in a handshake."""


class Quota(Frozen):
    """The keys of all members come near what this node was told is enough, or fit well again."""

    level: str
    """near (nine tenths of either), reached (this node writes no more) or below (eight tenths)."""
    keys: int
    bytes: int
    """Of all keys and values."""
    keys_max: int
    bytes_max: int


class Flushed(Frozen):
    """As many members as were asked for hold everything written before this flush."""

    token: int


class Synced(Frozen):
    """For the first time everything some peer held, of both tables, is held here."""

    member: bytes


class Outcome(Frozen, unhashed=("votes",)):
    """What was decided of a topic, the same everywhere."""

    topic: str
    round: int
    election: bytes
    """The 16 bytes that name the election."""
    kind: str
    """commit, abort (no choice can win any more) or expired."""
    choice: bool | str | None
    """What won: True or a choice; None if nothing did."""
    owner: bytes | str | None
    """The id of the member that acts on a commit; its name, if the voters were named."""
    votes: Mapping[bytes | str, bool | str | None]
    """The votes that were counted, by id or name in the same way."""


class Quorum(Frozen):
    """This node, and no other, is to act on the outcome."""

    outcome: Outcome


class Settled(Frozen):
    """An election is over: everywhere, once for each topic and round."""

    outcome: Outcome


class Expired(Frozen):
    """An election is over because time ran out, as all agree; beside Settled."""

    outcome: Outcome


class Overdue(Frozen):
    """A deadline has passed and the outcome is not known here; elsewhere it may be, now or soon."""

    topic: str
    round: int


class KeysChanged(Frozen):
    """Records of the data table that one received frame made current, oldest first.

    At most one per frame, and only while `Node.watching` is set. Local writes are not in it:
    whoever wrote knows. A key may occur more than once; the last one is current as far as this
    frame goes, and (stamp, origin) orders it among frames. Families other than DATA may occur.
    """

    changes: Changes


Event: TypeAlias = (
    Join
    | Suspect
    | Fail
    | Leave
    | Update
    | Refused
    | Conflict
    | ClockSuspect
    | Quota
    | Flushed
    | Synced
    | KeysChanged
    | Quorum
    | Settled
    | Expired
    | Overdue
)


# What a Vine tells its listeners instead of KeysChanged. Those made once a change are named
# tuples: made in 0.2 us, a Frozen of as many fields in some 1.0 us.


class Gossip(NamedTuple):
    """A key has this value now."""

    key: str
    value: Any
    local: bool
    """Whether this node wrote it."""
    stamp: int
    """With `origin` its place in the conflict order: hybrid logical clock, ms << 16 | logical."""
    origin: bytes
    """The source id of the start of the node that wrote it."""


class Delete(NamedTuple):
    """A key has been deleted; the fields are those of Gossip."""

    key: str
    local: bool
    stamp: int
    origin: bytes


class Lapse(NamedTuple):
    """A key's value is there no longer by itself; the fields are those of Gossip, of the record
    that lapsed. Its time to live has run out, or it is ephemeral and its owner left, or failed as
    far as is known here: then Gossip tells if it is back.
    """

    key: str
    local: bool
    stamp: int
    origin: bytes


class Lagged(Frozen):
    """The listeners were too slow for the changes: the changes of so many keys were dropped.

    Listeners of `gossip` are told the current value of every key again. Deletes and lapses among
    what was dropped are not told: whoever keeps a copy of the keys compares it with `Vine.keys()`.
    """

    count: int
