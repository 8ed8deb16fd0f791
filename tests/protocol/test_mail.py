"""What is said to members in one turn: few frames, none too long, in order."""

from __future__ import annotations

from itertools import chain

from vines.protocol.elections.messages import Decided, Vote
from vines.protocol.links.mail import FRAME_BYTES_MAX, WAITING_BYTES_MAX, Mail
from vines.protocol.wire.ballot import ENTRIES_MAX, Ballots, pack
from vines.protocol.wire.framing import LENGTH_BYTES

from .golden import ID


class Post:
    """Frames as they were sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, bytes]] = []
        self.frames = 1000
        """That links take before they are full."""
        self.mail = Mail(lambda member: self.frames > 0, self.send)

    def send(self, member: bytes, frame: bytes) -> None:
        self.frames -= 1
        self.sent.append((member, frame))

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
    post.mail.leave()
    assert [len(frame) for frame in post.said(b"a")] == [ENTRIES_MAX, 1]
    assert list(chain(*post.said(b"a"))) == [vote(number) for number in range(1, ENTRIES_MAX + 2)]


def test_what_is_long_shares_no_frame() -> None:
    post = Post()
    values = [bytes((number,)) * (FRAME_BYTES_MAX // 3) for number in range(1, 5)]
    values.append(b"v" * 2 * FRAME_BYTES_MAX)
    for value in values:
        post.mail.add(b"a", pack(ID, 0, Decided(value)))
    post.mail.leave()
    assert [len(frame) for frame in post.said(b"a")] == [2, 2, 1]
    assert list(chain(*post.said(b"a"))) == [Decided(value) for value in values]


def test_what_has_no_room_waits_for_it_up_to_a_bound() -> None:
    post = Post()
    post.frames = 0
    value = b"v" * (FRAME_BYTES_MAX // 2)
    for _ in range(100):
        post.mail.add(b"a", pack(ID, 0, Decided(value)))
        post.mail.leave()
    post.mail.add(b"b", pack(ID, 0, vote(1)))
    assert post.sent == []
    post.frames = 2
    post.mail.leave()
    assert len(post.said(b"a")) == 2
    post.frames = 1000
    post.mail.leave()
    kept = len(list(chain(*post.said(b"a"))))
    assert kept == WAITING_BYTES_MAX // len(pack(ID, 0, Decided(value)))
    assert post.said(b"b") == [[vote(1)]]
    for number in (1, 2):
        post.mail.add(b"a", pack(ID, 0, vote(number)))
    post.mail.leave()
    assert post.said(b"a")[-1] == [vote(1), vote(2)]
