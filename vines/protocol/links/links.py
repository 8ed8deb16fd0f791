"""Links: the streams that are up, who is at their other ends, and which of two survives.

Two nodes may dial each other at the same moment, or one may dial again before the other noticed
that a stream broke. Both ends then see two streams and must keep the same one, or they close
both. What they both know is each stream's two hello serials (every hello of one start has a
higher one). A stream whose two hellos are both later was opened by somebody who had lost the
other: it wins. Two streams whose hellos cross were opened at once: the one dialled by the lower
node id wins. It must not know what is said over a link.
"""

from __future__ import annotations

from math import inf

from vines.hints import TYPE_CHECKING
from vines.protocol.wire.hello import Hello

if TYPE_CHECKING:
    from vines.protocol.links.dials import Attempt
    from vines.protocol.machine import Address
    from vines.protocol.replicas.channel import Channel
    from vines.protocol.wire.probe import Ack


class Link:
    """One stream; a stranger until `hello` is set."""

    __slots__ = (
        "ack",
        "answer",
        "asked",
        "asking_after",
        "attempt",
        "blocked",
        "channels",
        "errand",
        "established",
        "heard",
        "held",
        "hello",
        "need_owed",
        "number",
        "ping",
        "pinged",
        "pong",
        "said",
        "serial",
        "since",
        "spare",
        "spent",
        "unsent",
        "urgent",
    )

    def __init__(self, number: int, attempt: Attempt | None, now: float) -> None:
        self.number = number
        self.attempt = attempt
        """What we dialled; None if they dialled us."""
        self.since = now
        self.heard = now
        self.established = now
        self.errand = False
        """It is up because one side has something to tell, and goes when that is over."""
        self.spare = False
        """Both ends can do without it: that it goes is no loss."""
        self.need_owed = False
        """They asked whether it may go, and are to be told that it is needed."""
        self.said = now
        """When something was told on it that no table holds."""
        self.urgent = -inf
        """When something was told on it, in either direction, that somebody waits for."""
        self.unsent = 0
        """Bytes written that the driver has not reported as sent."""
        self.blocked = False
        """Something was not written for want of room."""
        self.spent = False
        """Nothing was left to say after the last frame."""
        self.serial = 0
        """Of our hello on it; 0: none yet."""
        self.hello: Hello | None = None
        """Theirs."""
        self.channels: tuple[Channel, ...] = ()
        self.ping = False
        self.pinged: int | None = None
        """Token of the ping they owe an answer to."""
        self.pong: int | None = None
        """Token of the ping we owe an answer to."""
        self.ack: Ack | None = None
        """The answer we owe to their last probe; an earlier one is not worth an answer any more."""
        self.asked: tuple[int, bytes] | None = None
        """(token, source) of the flush question they owe an answer to."""
        self.asking_after = now
        """No flush question before this time."""
        self.answer: tuple[int, bytes] | None = None
        """(token, source) of the flush question we owe an answer to."""
        self.held: dict[bytes, tuple[int, int]] = {}
        """What they said they hold of sources of ours: (control, data)."""

    @property
    def member(self) -> bytes:
        """Who is at the other end, once established."""
        assert self.hello is not None, "a stranger has no name"
        return self.hello.id


class Links:
    """All streams by number, and the established ones by member."""

    def __init__(self, own: bytes) -> None:
        self._own = own
        self.numbers: dict[int, Link] = {}
        """All streams, strangers too, by number."""
        self._members: dict[bytes, Link] = {}
        self._places: dict[Address, dict[bytes, None]] = {}
        """Members with an established link, by where they say they listen."""
        self._errands = 0

    def __len__(self) -> int:
        """The number of established links."""
        return len(self._members)

    def get(self, number: int) -> Link | None:
        """The link of this number, if it is up."""
        return self.numbers.get(number)

    def to(self, member: bytes) -> Link | None:
        """The established link to a member."""
        return self._members.get(member)

    def everything(self) -> list[Link]:
        """All streams, strangers too, oldest first."""
        return list(self.numbers.values())

    def established(self) -> list[Link]:
        """All established links, in the order in which their members first had one."""
        return list(self._members.values())

    def holder(self, address: Address) -> bytes | None:
        """The member with an established link that says it listens there."""
        return next(iter(self._places.get(address, ())), None)

    def incoming(self, *, observers: bool) -> int:
        """How many established links were dialled by observers, or by others; without errands."""
        return sum(
            link.attempt is None
            and link.hello is not None
            and link.hello.observer is observers
            and not link.errand
            for link in self._members.values()
        )

    def errands(self) -> int:
        """How many established links are up for errands."""
        return self._errands

    def kept(self) -> int:
        """How many established links are of the graph: to no observers, and for no errands."""
        return sum(
            not link.errand and link.hello is not None and not link.hello.observer
            for link in self._members.values()
        )

    def sent_hello(self, serial: int) -> Link | None:
        """The stream on which our hello of this serial went out."""
        return next((link for link in self.numbers.values() if link.serial == serial), None)

    def add(self, link: Link) -> None:
        """A stream is up."""
        assert link.number not in self.numbers, "a driver used a link number twice"
        self.numbers[link.number] = link

    def settle(self, link: Link, hello: Hello) -> None:
        """The handshake of `link` is done, and it is the link to this member from now on. Whether
        it is up for an errand is known by now, and does not change.
        """
        old = self._members.get(hello.id)
        if old is not None:
            self._errands -= old.errand
            if old.hello is not None and old.hello.address != hello.address:
                self._vacate(old)
        link.hello = hello
        self._members[hello.id] = link
        self._errands += link.errand
        if hello.address is not None:
            self._places.setdefault(hello.address, {})[hello.id] = None

    def remove(self, link: Link) -> bool:
        """A stream is gone; True if it was the link to its member."""
        del self.numbers[link.number]
        if link.hello is None or self._members.get(link.member) is not link:
            return False
        del self._members[link.member]
        self._errands -= link.errand
        self._vacate(link)
        return True

    def _vacate(self, link: Link) -> None:
        """Its member is linked no more, or listens elsewhere."""
        address = link.hello.address if link.hello is not None else None
        if address is not None:
            there = self._places[address]
            del there[link.member]
            if not there:
                del self._places[address]

    def newer_wins(self, old: Link, new: Link, serial: int, hello: Hello) -> bool:
        """Of two streams to one start of a member, whether the new one stays.

        `serial` is that of our hello on the new one, `hello` theirs. Both ends come to the same
        answer, whatever they see first: it only depends on what both have read or written.
        """
        assert old.hello is not None, "only established links are compared"
        ours_later = serial > old.serial
        theirs_later = hello.serial > old.hello.serial
        if ours_later == theirs_later:
            return ours_later
        we_dialled = new.attempt is not None
        if we_dialled != (old.attempt is not None):
            return we_dialled == (self._own < hello.id)
        return ours_later if we_dialled else theirs_later
