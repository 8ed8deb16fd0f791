"""Member records as a peer may write them: of any number, id, incarnation and size.

What a frame brings is stored and passed on, as any record is; these show what of it is believed.
"""

from __future__ import annotations

import pytest

from vines._core.table import MEMBER, Table
from vines.events import ALIVE, DEAD, LEFT, Fail, Join, Leave, Update
from vines.protocol.machine import Emit
from vines.protocol.members.profile import Profile, stamp_of
from vines.protocol.wire import fields
from vines.protocol.wire.hello import INCARNATION_MAX
from vines.protocol.wire.messages import CONTROL, Delta
from vines.spelling import NAME_BYTES_MAX, TAG_BYTES_MAX, TAGS_BYTES_MAX, TAGS_MAX

from .pump import Host, Pump, label
from .test_hostile import Stranger
from .test_members import record

SOURCE = b"the author's own"
OTHERS = 200
"""A family of records that nobody reads."""
EMPTY = b"\x01"
"""A delta without a record."""


class Author:
    """Writes records under one source, and has a node read them."""

    def __init__(self, peer: Stranger, source: bytes = SOURCE) -> None:
        self.peer = peer
        self.source = source
        self.written = 0

    def say(self, member: bytes, stamp: int, value: bytes) -> None:
        """Let the node read such a record, which is the next that this author wrote."""
        self.list([(member, stamp, value)])

    def list(self, records: list[tuple[bytes, int, bytes]]) -> None:
        """Let it read all of them in one delta."""
        # A table of its own for each: one table would not write what is lower than before.
        table = Table(self.source, b"f" * 16, b"i" * 16)
        for number in range(self.written):
            table.put(OTHERS, b"%d" % number, 0, b"", 1)
        for member, stamp, value in records:
            table.put(MEMBER, member, 0, value, stamp)
        self.written += len(records)
        body = table.delta_for(self.peer.node.control.vector(), 1 << 22)
        effects = self.peer.say(Delta(CONTROL, body or EMPTY))
        self.peer.host.events += [each.event for each in effects if isinstance(each, Emit)]


def reader(**options: object) -> tuple[Host, Author]:
    host = Pump().host(1, **options)
    peer = Stranger(host)
    peer.shake_hands()
    return host, Author(peer)


def profile(**changes: object) -> Profile:
    return record(7, **{"source": SOURCE, **changes})


def packed(**changes: object) -> bytes:
    """A profile with fields that no profile of ours has."""
    return fields.pack(fields.unpack(profile().encode()) | changes)


# -- how many


@pytest.mark.parametrize("count", [0, 1, 4096, 4097])
def test_b41_of_a_list_no_more_members_are_believed_than_there_may_be(count: int) -> None:
    host, author = reader(members_max=4096)
    value = profile().encode()
    stamp = stamp_of(5, ALIVE)
    author.list([(number.to_bytes(16, "big"), stamp, value) for number in range(1, count + 1)])
    believed = min(count, 4096)
    assert len(host.node.members()) - 1 == len(host.of(Join)) == believed
    assert host.node.stats()["members_ignored"] == count - believed
    # The rest is stored, or tables would stay different for ever.
    ids = (number.to_bytes(16, "big") for number in range(1, count + 1))
    assert all(host.node.control.get(MEMBER, each) is not None for each in ids)


def test_b41_one_member_a_hundred_times_is_one() -> None:
    host, author = reader()
    for incarnation in range(1, 101):
        author.say(label(7), stamp_of(incarnation, ALIVE), profile().encode())
    (member,) = host.node.members()[1:]
    assert member.incarnation == 100
    assert len(host.of(Join)) == 1
    assert not host.of(Update)


def test_b41_a_list_of_its_reader_alone_names_nobody_new() -> None:
    host, author = reader()
    before = host.node.members()[0]
    author.say(host.node.id, stamp_of(before.incarnation, ALIVE), profile().encode())
    (own,) = host.node.members()
    assert own.name == before.name and own.state == ALIVE
    assert not host.of(Join)


# -- who


@pytest.mark.parametrize("length", [1, 15, 17, 65, 255])
def test_b43_an_id_of_another_length_is_nobodys(length: int) -> None:
    host, author = reader()
    author.say(b"k" * length, stamp_of(5, ALIVE), profile().encode())
    assert host.node.control.get(MEMBER, b"k" * length) is not None
    assert host.node.members()[1:] == []
    assert host.node.stats()["members_ignored"] == 1
    author.say(b"k" * 16, stamp_of(5, ALIVE), profile().encode())
    assert [each.id for each in host.node.members()[1:]] == [b"k" * 16]


@pytest.mark.parametrize(
    "name",
    [
        *("", "x" * (NAME_BYTES_MAX + 1), "\u20ac" * (NAME_BYTES_MAX // 3 + 1)),
        *("a\x00b", "a\nb", "\x1b[31mred", "a\x7f", "\u202egnp.exe", "\u2066a\u2069", "a\u200fb"),
        *("\u200bzero width", "a\u00adb", "\ufeff", "\U0001f600", "\ue000"),
    ],
)
def test_b43_a_name_that_could_fool_a_reader_is_not_believed(name: str) -> None:
    host, author = reader()
    author.say(label(7), stamp_of(5, ALIVE), packed(name=name))
    assert host.node.members()[1:] == []
    assert host.node.stats()["members_ignored"] == 1


@pytest.mark.parametrize(
    "name", ["x" * NAME_BYTES_MAX, "../../etc/passwd", "<script>alert(1)</script>", "n\u0435de"]
)
def test_b43_a_name_is_text_and_nothing_is_done_with_it(name: str) -> None:
    """Names that look alike are told apart by their ids; none is a path, or read as anything."""
    host, author = reader()
    author.say(label(7), stamp_of(5, ALIVE), packed(name=name))
    assert [each.name for each in host.node.members()[1:]] == [name]


# -- what it says of itself

FITS = {f"tag{number:02d}": "v" * (TAGS_BYTES_MAX // TAGS_MAX - 5) for number in range(TAGS_MAX)}
TOO_MUCH: dict[str, dict[str, str]] = {
    "a tag too many": FITS | {"one": ""},
    "a byte too many": FITS | {"tag00": FITS["tag00"] + "v"},
    "one value too long": {"a": "v" * (TAGS_BYTES_MAX + 1)},
    "a name too long": {"n" * (TAG_BYTES_MAX + 1): ""},
    "no name": {"": "value"},
    "a line": {"a": "b\nc"},
    "another direction": {"a": "\u202eb"},
}


@pytest.mark.parametrize("tags", [{}, {"a": ""}, FITS, {"n" * TAG_BYTES_MAX: "v" * 448}])
def test_b44_tags_up_to_their_bounds_are_believed(tags: dict[str, str]) -> None:
    host, author = reader()
    author.say(label(7), stamp_of(5, ALIVE), packed(tags=tags))
    (member,) = host.node.members()[1:]
    assert member.tags == tags


@pytest.mark.parametrize("what", TOO_MUCH)
def test_b44_tags_beyond_their_bounds_are_not_and_the_last_that_were_stay(what: str) -> None:
    host, author = reader()
    author.say(label(7), stamp_of(5, ALIVE), packed(tags={"role": "web"}))
    author.say(label(7), stamp_of(6, ALIVE), packed(tags=TOO_MUCH[what]))
    (member,) = host.node.members()[1:]
    assert (member.tags, member.incarnation) == ({"role": "web"}, 5)
    assert host.node.stats()["members_ignored"] == 1
    author.say(label(7), stamp_of(7, ALIVE), packed(tags={"role": "db"}))
    (member,) = host.node.members()[1:]
    assert (member.tags, member.incarnation) == ({"role": "db"}, 7)


# -- at which incarnation


@pytest.mark.parametrize("state", [ALIVE, LEFT])
@pytest.mark.parametrize(
    "incarnation", [0, 1, 999, 1000, 1001, 1000 + (1 << 16), INCARNATION_MAX - 1, INCARNATION_MAX]
)
def test_b45_its_subject_may_say_any_incarnation_and_the_highest_holds(
    incarnation: int, state: str
) -> None:
    host, author = reader()
    author.say(label(7), stamp_of(1000, ALIVE), profile().encode())
    stamp = stamp_of(incarnation, state)
    author.say(label(7), stamp, profile().encode())
    (member,) = host.node.members()[1:]
    highest = max(stamp_of(1000, ALIVE), stamp)
    assert stamp_of(member.incarnation, member.state) == highest
    assert bool(host.of(Leave)) == (member.state == LEFT)
    for late in (0, 1, 999):
        author.say(label(7), stamp_of(late, ALIVE), profile().encode())
        assert host.node.members()[1:] == [member]


@pytest.mark.parametrize("state", [ALIVE, LEFT])
@pytest.mark.parametrize("incarnation", [1000, 1001, 1 << 40, INCARNATION_MAX])
def test_b45_nobody_else_says_that_it_is_alive_or_has_left(incarnation: int, state: str) -> None:
    host, author = reader()
    author.say(label(7), stamp_of(1000, ALIVE), profile().encode())
    other = Author(author.peer, b"somebody else 16")
    other.say(label(7), stamp_of(incarnation, state), profile(tags={"forged": "yes"}).encode())
    (member,) = host.node.members()[1:]
    assert (member.state, member.incarnation, member.tags) == (ALIVE, 1000, {})
    assert not host.of(Leave) + host.of(Update)


@pytest.mark.parametrize("end", [DEAD, LEFT])
def test_b46_who_was_alive_before_its_end_is_not_back_by_that(end: str) -> None:
    host, author = reader()
    value = profile().encode()
    author.say(label(7), stamp_of(1000, ALIVE), value)
    author.say(label(7), stamp_of(1000, end), value)
    for incarnation in (0, 999, 1000):
        author.say(label(7), stamp_of(incarnation, ALIVE), value)
        assert [each.state for each in host.node.members()[1:]] == [end]
    assert len(host.of(Join)) == len(host.of(Fail) + host.of(Leave)) == 1
    author.say(label(7), stamp_of(1001, ALIVE), value)
    assert [each.state for each in host.node.members()[1:]] == [ALIVE]
    assert len(host.of(Join)) == 2
