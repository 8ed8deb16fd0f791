"""What is said to members in one turn: few frames, none too long, in order."""

from __future__ import annotations

from itertools import chain

from vines.protocol.elections.messages import Decided, Vote
from vines.protocol.links.mail import BYTES_MAX, Mail
from vines.protocol.wire.ballot import ENTRIES_MAX, Ballots, pack
from vines.protocol.wire.framing import LENGTH_BYTES

from .golden import ID


class Post:
    """Frames as they were sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes]] = []
        self.mail = Mail(lambda member, frame: self.sent.append((member, frame)))

    def said(self, member: bytes) -> list[list[object]]:
        return [
            [said for _, _, said in Ballots.decode(frame[LENGTH_BYTES:]).ballots]
            for to, frame in self.sent
            if to == member
        ]


def vote(number: int) -> Vote:
    return Vote(number, 0, b"", False)


def test_a_turn_is_one_frame_to_each_member_in_order() -> None:
    post = Post()
    for number in range(1, 10):
        post.mail.add(b"ab"[number % 2 : number % 2 + 1], pack(ID, 0, vote(number)))
    assert post.sent == []
    post.mail.leave()
    assert post.said(b"a") == [[vote(number) for number in (2, 4, 6, 8)]]
    assert post.said(b"b") == [[vote(number) for number in (1, 3, 5, 7, 9)]]
    post.mail.leave()
    assert len(post.sent) == 2


def test_no_frame_holds_more_than_it_may() -> None:
    post = Post()
    for number in range(1, ENTRIES_MAX + 2):
        post.mail.add(b"a", pack(ID, 0, vote(number)))
    assert [len(frame) for frame in post.said(b"a")] == [ENTRIES_MAX]
    post.mail.leave()
    assert list(chain(*post.said(b"a"))) == [vote(number) for number in range(1, ENTRIES_MAX + 2)]


def test_what_is_long_leaves_as_soon_as_it_fills_a_frame() -> None:
    post = Post()
    values = [bytes((number,)) * (BYTES_MAX // 3) for number in range(4)]
    values.append(bytes(2 * BYTES_MAX))
    for value in values:
        post.mail.add(b"a", pack(ID, 0, Decided(value)))
    post.mail.leave()
    assert [len(frame) for frame in post.said(b"a")] == [2, 2, 1]
    assert list(chain(*post.said(b"a"))) == [Decided(value) for value in values]
