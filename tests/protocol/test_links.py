"""Which of two streams survives: both ends answer alike, whatever came first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest

from vines.protocol.links.dials import OTHER, Attempt
from vines.protocol.links.links import Link, Links
from vines.protocol.wire.hello import Hello

LOW, HIGH = b"\x01" * 16, b"\x02" * 16
ATTEMPT = Attempt(1, ("127.0.0.1", 9000), None, OTHER, 0.0)


def hello(id: bytes, serial: int) -> Hello:
    return Hello(
        cluster=bytes(8),
        id=id,
        source=id,
        name="n",
        address=None,
        incarnation=1,
        observer=False,
        clock=0,
        serial=serial,
        control=bytes(32),
        data=bytes(32),
    )


class Side:
    """One node's part in the handshakes of streams 0 and 1."""

    def __init__(self, id: bytes) -> None:
        self.id = id
        self.serial = 0
        self.serials: dict[int, int] = {}
        self.theirs: dict[int, int] = {}
        self.order: list[int] = []

    def say(self, stream: int) -> None:
        self.serial += 1
        self.serials[stream] = self.serial

    def hear(self, stream: int, serial: int) -> None:
        self.theirs[stream] = serial
        self.order.append(stream)

    def survivor(self, diallers: tuple[bytes, bytes], other: bytes) -> int:
        links = Links(self.id)
        old, new = self.order
        kept = {}
        for stream in (old, new):
            kept[stream] = Link(stream, ATTEMPT if diallers[stream] == self.id else None, 0.0)
            kept[stream].serial = self.serials[stream]
            links.add(kept[stream])
        links.settle(kept[old], hello(other, self.theirs[old]))
        newer = links.newer_wins(
            kept[old], kept[new], self.serials[new], hello(other, self.theirs[new])
        )
        return new if newer else old


def histories(diallers: tuple[bytes, bytes]) -> Iterator[tuple[Side, Side]]:
    """Every order in which the six steps of two handshakes can happen."""
    steps = [(stream, step) for stream in (0, 1) for step in range(3)]
    for order in permutations(steps):
        if any(
            order.index((s, step)) > order.index((s, step + 1)) for s in (0, 1) for step in (0, 1)
        ):
            continue
        sides = {LOW: Side(LOW), HIGH: Side(HIGH)}
        for stream, step in order:
            dialler = sides[diallers[stream]]
            acceptor = sides[HIGH if diallers[stream] == LOW else LOW]
            if step == 0:
                dialler.say(stream)
            elif step == 1:
                acceptor.hear(stream, dialler.serials[stream])
                acceptor.say(stream)
            else:
                dialler.hear(stream, acceptor.serials[stream])
        yield sides[LOW], sides[HIGH]


@pytest.mark.parametrize("diallers", [(LOW, HIGH), (LOW, LOW), (HIGH, HIGH)])
def test_both_ends_keep_the_same_stream_in_every_order(diallers: tuple[bytes, bytes]) -> None:
    count = 0
    for low, high in histories(diallers):
        assert low.survivor(diallers, HIGH) == high.survivor(diallers, LOW)
        count += 1
    assert count == 20


def test_crossing_streams_leave_the_one_dialled_by_the_lower_id() -> None:
    diallers = (LOW, HIGH)
    low, high = Side(LOW), Side(HIGH)
    low.say(0), high.say(1)
    high.hear(0, 1), high.say(0)
    low.hear(1, 1), low.say(1)
    low.hear(0, 2), high.hear(1, 2)
    assert low.survivor(diallers, HIGH) == high.survivor(diallers, LOW) == 0


def test_a_stream_opened_after_the_other_was_lost_wins_for_whoever_dialled_it() -> None:
    for diallers in ((LOW, HIGH), (LOW, LOW), (HIGH, LOW)):
        sides = {LOW: Side(LOW), HIGH: Side(HIGH)}
        for stream in (0, 1):
            dialler = sides[diallers[stream]]
            acceptor = sides[HIGH if diallers[stream] == LOW else LOW]
            dialler.say(stream)
            acceptor.hear(stream, dialler.serials[stream])
            acceptor.say(stream)
            dialler.hear(stream, acceptor.serials[stream])
        assert sides[LOW].survivor(diallers, HIGH) == sides[HIGH].survivor(diallers, LOW) == 1


def test_the_older_stream_is_no_longer_the_link_once_the_newer_is_settled() -> None:
    links = Links(LOW)
    old, new = Link(1, None, 0.0), Link(2, None, 0.0)
    links.add(old), links.add(new)
    links.settle(old, hello(HIGH, 1))
    links.settle(new, hello(HIGH, 2))
    assert links.to(HIGH) is new
    assert not links.remove(old)
    assert links.to(HIGH) is new
    assert links.remove(new)
    assert len(links) == 0


def listening(id: bytes, serial: int, place: tuple[str, int] | None) -> Hello:
    return hello(id, serial).replace(address=place)


def test_who_is_linked_at_an_address_is_the_first_of_those_who_say_so() -> None:
    links, here, there = Links(LOW), ("10.0.0.1", 7000), ("10.0.0.2", 7000)
    one, two, moved = (Link(number, None, 0.0) for number in (1, 2, 3))
    for link in (one, two, moved):
        links.add(link)
    assert links.holder(here) is None
    links.settle(one, listening(HIGH, 1, here))
    links.settle(two, listening(b"m" * 16, 1, here))
    assert links.holder(here) == HIGH
    links.settle(moved, listening(HIGH, 2, there))  # in the place of the first
    links.remove(one)
    assert (links.holder(here), links.holder(there)) == (b"m" * 16, HIGH)
    links.remove(two)
    links.remove(moved)
    assert (links.holder(here), links.holder(there)) == (None, None)


def test_links_for_errands_are_counted_as_long_as_they_are_the_link_to_somebody() -> None:
    links = Links(LOW)
    errand, stays, stranger = (Link(number, None, 0.0) for number in (1, 2, 3))
    errand.errand = stranger.errand = True
    for link in (errand, stays, stranger):
        links.add(link)
    assert links.errands() == 0
    links.settle(errand, hello(HIGH, 1))
    assert links.errands() == 1
    links.settle(stays, hello(HIGH, 2))
    links.remove(errand)
    links.remove(stranger)
    assert (links.errands(), len(links)) == (0, 1)
    links.remove(stays)
    again = Link(4, None, 0.0)
    again.errand = True
    links.add(again)
    links.settle(again, hello(HIGH, 3))
    assert (links.errands(), len(links)) == (1, 1)
    links.remove(again)
    assert (links.errands(), len(links)) == (0, 0)
