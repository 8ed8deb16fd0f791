"""Damaged frames where they are waited for: an answer to our own dial, a part of a join, a flush.

Unasked, each of these is refused whatever it says; only in its turn is all of it read. Beside the
one who sends them a second peer is linked, which must not notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeVar

import pytest

from vines._core.table import Table
from vines._core.vector import VersionVector
from vines.config import Config
from vines.errors import WireError
from vines.events import KeysChanged
from vines.protocol.machine import Dial, Emit, Write
from vines.protocol.replicas import joining
from vines.protocol.wire.framing import FRAME_BYTES_MAX, Framer
from vines.protocol.wire.hello import Hello, Refuse
from vines.protocol.wire.messages import (
    BEGIN,
    DATA,
    END,
    Delta,
    Floor,
    Join,
    Message,
    Snapshot,
    Vector,
    decode,
)
from vines.protocol.wire.talk import Flush, Flushed, Ping, Pong

from .golden import HELLO
from .pump import Host, Pump
from .test_hostile import LINK, Stranger

BYSTANDER = LINK + 1
EMPTY = bytes.fromhex("0303")
AUTHOR = b"author of record"
NEIGHBOUR = b"the neighbour's "
Answer = TypeVar("Answer", bound=Message)


class Turn(NamedTuple):
    """A node that waits for a certain frame on LINK, and that frame, with its length."""

    host: Host
    due: bytes


def written(effects: list[object], kind: type[Answer]) -> Answer:
    """The one frame of this type among what a node does to LINK."""
    writes = [each for each in effects if isinstance(each, Write) and each.link == LINK]
    (answer,) = [each for each in (decode(one.frame[4:]) for one in writes) if type(each) is kind]
    return answer  # type: ignore[return-value]


def node() -> Host:
    """A node that holds a record, watches, and is linked to the bystander."""
    host = Pump().host(1, log_slack=0, frame_bytes=256)
    host.node.watching = True
    host.write("mine", b"\x05")
    neighbour = Stranger(host, BYSTANDER)
    neighbour.shake_hands(id=NEIGHBOUR, source=NEIGHBOUR, name="neighbour", serial=1)
    host.node.outbox.take()
    return host


def linked() -> tuple[Host, Stranger]:
    """A node and the one who will send it what is damaged, past their greetings."""
    host = node()
    peer = Stranger(host)
    peer.shake_hands()
    return host, peer


def records() -> Table:
    """What the peer has to give."""
    table = Table(AUTHOR, b"f" * 16, b"i" * 16)
    for number in range(4):
        table.put(0, b"key%d" % number, 0, b"\xa5hello", (1_700_000_000_000 << 16) + number)
    return table


def dialled(answer: Message) -> Turn:
    """The node has dialled and said hello."""
    host = node()
    host.node.join([("127.0.0.1", 1234)], host.pump.now)
    host.node.advance(host.pump.now)
    (dial,) = [each for each in host.node.outbox.take() if isinstance(each, Dial)]
    host.node.connected(LINK, dial.ticket, host.pump.now)
    written(host.node.outbox.take(), Hello)
    return Turn(host, answer.encode())


def hello() -> Turn:
    pump = Pump()
    return dialled(HELLO.replace(clock=pump.wall(), serial=2))


def refused() -> Turn:
    return dialled(Refuse("full", "no room", (("127.0.0.1", 8000), ("::1", 9))))


def delta() -> Turn:
    host, _ = linked()
    body = records().delta_for(VersionVector(), 1 << 16)
    assert body is not None
    return Turn(host, Delta(DATA, body).encode())


def floors() -> Turn:
    host, peer = linked()
    written(peer.say(Floor(DATA)), Join)
    return Turn(host, Snapshot(DATA, BEGIN, 0, records().floor_pages(1 << 16)[0]).encode())


def page() -> Turn:
    host, _ = floors_taken()
    return Turn(host, Snapshot(DATA, 0, 77, records().page(0, 1 << 16)[0]).encode())


def last_page() -> Turn:
    host, _ = floors_taken()
    return Turn(host, Snapshot(DATA, END, 0, records().page(0, 1 << 16)[0]).encode())


def floors_taken() -> tuple[Host, Stranger]:
    host, peer = linked()
    written(peer.say(Floor(DATA)), Join)
    peer.say(Snapshot(DATA, BEGIN, 0, records().floor_pages(1 << 16)[0]))
    return host, peer


def join() -> Turn:
    """The node has said that its log does not reach back far enough."""
    host, peer = linked()
    for index in range(60):
        host.write(f"key{index % 8}")
        host.node.outbox.take()
    written(peer.say(Vector(DATA, 0, EMPTY)), Floor)
    return Turn(host, Join(DATA).encode())


def vector() -> Turn:
    host, _ = linked()
    return Turn(host, Vector(DATA, 1, bytes.fromhex("0303") + AUTHOR + b"\x07").encode())


def flushed() -> Turn:
    host, peer = linked()
    peer.say(Vector(0, 0, EMPTY))
    host.node.flush(1, host.pump.now)
    asked = written(peer.say(Vector(DATA, 0, EMPTY)), Flush)
    return Turn(host, Flushed(asked.token, 0, 0).encode())


def pong() -> Turn:
    host, peer = linked()
    silent = host.pump.now + Config().keepalive_interval + 0.1
    while host.pump.now < silent:  # not all at once: that would be a node that stood still
        host.pump.now += 0.1
        host.node.advance(host.pump.now)
    return Turn(host, Pong(written(peer.node.outbox.take(), Ping).token).encode())


MAPS = (Hello.kind, Refuse.kind, Flushed.kind)
TURNS = [hello, refused, delta, floors, page, last_page, join, vector, flushed, pong]
each_turn = pytest.mark.parametrize("turn", TURNS, ids=lambda turn: turn.__name__)

NUMBERS = (0, 1, 127, 1025, (1 << 20) + 1, 2**31, 2**32 - 1, 2**48, 2**64 - 1)
"""What a varint is set to: beyond the caps of keys, of values, of counters, of stamps."""
LENGTHS = [bytes(4), b"\0\0\0\1", b"\x80\0\0\0", b"\xff" * 4, bytes(2), b"\0\1", b"\xff\xff"]
LENGTHS += [b"\0", b"\1", b"\xff"]
"""What a length of msgpack is set to: 0, 1, 2^31, 2^32 - 1, and the most its bytes can say."""
FRAMES = (0, 1, FRAME_BYTES_MAX, FRAME_BYTES_MAX + 1, 2**31, 2**32 - 1)


def varint(value: int) -> bytes:
    coded = bytearray()
    while value > 127:
        coded.append(value & 127 | 128)
        value >>= 7
    return bytes([*coded, value])


def prefixes(data: bytes) -> Iterator[bytes]:
    return (data[:length] for length in range(len(data)))


def shortened(data: bytes) -> Iterator[bytes]:
    """Every prefix again, as a whole frame of that length."""
    return ((end - 4).to_bytes(4, "little") + data[4:end] for end in range(5, len(data)))


def flips(data: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


def lengths(data: bytes) -> Iterator[bytes]:
    """The frame's length, and whatever can be a length or a number in this type of frame."""
    for length in FRAMES:
        yield length.to_bytes(4, "little") + data[4:]
    coded = LENGTHS if data[4] in MAPS else [varint(number) for number in NUMBERS]
    for place in range(6, len(data)):
        for field in coded:
            taken = len(field) if coded is LENGTHS else 1
            yield data[:place] + field + data[place + taken :]


DAMAGES = [prefixes, shortened, flips, lengths]


def untouched(host: Host) -> tuple[object, ...]:
    """Everything that a frame which was refused must leave alone."""
    node = host.node
    tables = node.control.state_bytes(), node.data.state_bytes()
    return *tables, node.members(), node.established(BYSTANDER)


def receive(host: Host, stream: bytes) -> bool:
    """Let a later frame's bytes in, as a driver does. False if they are refused, and then nothing
    has changed and nobody was told anything.
    """
    before = untouched(host)
    framer = Framer()
    framer.feed(b"\x02\0\0\0\x0c\0")  # the greetings are over: later frames may be longer
    try:
        for frame in framer.feed(stream):
            host.node.receive(frame, LINK, host.pump.now)
            before = ()  # it was taken: it may change things
        refused = False
    except WireError:
        refused = True
    effects = host.node.outbox.take()
    if refused and before:
        assert untouched(host) == before
        told = [each.event for each in effects if isinstance(each, Emit)]
        assert not [event for event in told if isinstance(event, KeysChanged)]
    return not refused


def goes_on(host: Host) -> None:
    """The stream is closed; the node comes to rest, keeps what it had, and hears the bystander."""
    host.node.disconnected(LINK, host.pump.now)
    for _ in range(20):
        host.node.advance(host.pump.now)
        deadline = host.node.deadline()
        if deadline is not None and deadline > host.pump.now:
            break
    else:
        pytest.fail("it never comes to rest")
    host.node.outbox.take()
    assert host.node.established(BYSTANDER)
    assert host.value("mine") == b"\x05"
    other = Table(NEIGHBOUR, b"f" * 16, b"i" * 16)
    other.put(0, b"from the neighbour", 0, b"\x01", 1)
    body = other.delta_for(VersionVector(), 1 << 16)
    assert body is not None
    host.node.receive(Delta(DATA, body).encode()[4:], BYSTANDER, host.pump.now)
    assert host.value("from the neighbour") == b"\x01"


@each_turn
def test_the_frame_itself_is_taken(turn: Callable[[], Turn]) -> None:
    host, due = turn()
    assert receive(host, due)
    goes_on(host)


@each_turn
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_frame_in_its_turn_costs_its_stream_and_no_more(
    turn: Callable[[], Turn], damage: Callable[[bytes], Iterator[bytes]]
) -> None:
    refused = 0
    for mutant in damage(turn().due):
        host, _ = turn()
        refused += not receive(host, mutant)
        goes_on(host)
    # A prefix of a frame is no frame yet: nobody can tell that it is damaged.
    assert bool(refused) == (damage is not prefixes)


def test_a_malformed_floor_page_is_refused_when_it_comes_and_no_record_before_it() -> None:
    good = records().floor_pages(1 << 16)[0]
    for damaged in (good[:-1], good[:1] + b"\x08" + good[2:], b"\x00", good + b"\xff"):
        host, peer = linked()
        written(peer.say(Floor(DATA)), Join)
        before = untouched(host)
        begin = Snapshot(DATA, BEGIN, 0, damaged).encode()
        with pytest.raises(WireError):
            host.node.receive(begin[4:], LINK, host.pump.now)
        assert untouched(host) == before


@pytest.mark.parametrize("sources", [0, 8])
def test_floors_without_end_are_refused_and_given_up(
    sources: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [b"%016d" % number + b"\x01\x01" for number in range(sources)]
    part = Snapshot(DATA, BEGIN, 0, b"\x04\x00\x00" + b"".join(rows))
    monkeypatch.setattr(joining, "FLOOR_BYTES_MAX", 3 * (joining.PAGE_BYTES + len(part.body)))
    host, peer = linked()
    written(peer.say(Floor(DATA)), Join)
    before = untouched(host)
    for _ in range(3):
        peer.say(part)
    with pytest.raises(WireError, match="without end"):
        peer.say(part)
    assert untouched(host) == before
    goes_on(host)
    # The next one begins to count anew.
    for message in (Floor(DATA), part, part, part):
        host.node.receive(message.encode()[4:], BYSTANDER, host.pump.now)
        host.node.advance(host.pump.now)
        host.node.outbox.take()
    with pytest.raises(WireError, match="without end"):
        host.node.receive(part.encode()[4:], BYSTANDER, host.pump.now)


@pytest.mark.parametrize("marks", [0, END])
def test_records_of_a_join_before_its_floors_are_refused(marks: int) -> None:
    host, peer = linked()
    written(peer.say(Floor(DATA)), Join)
    before = untouched(host)
    cursor = 0 if marks else 77
    with pytest.raises(WireError, match="without floors"):
        peer.say(Snapshot(DATA, marks, cursor, records().page(0, 1 << 16)[0]))
    assert untouched(host) == before
    goes_on(host)


def test_a_page_before_it_was_asked_for_is_refused() -> None:
    host, _ = floors_taken()
    first, _ = records().page(0, 1 << 16)
    host.node.receive(Snapshot(DATA, 0, 77, first).encode()[4:], LINK, host.pump.now)
    before = untouched(host)
    with pytest.raises(WireError, match="nobody asked for"):
        host.node.receive(Snapshot(DATA, 0, 78, first).encode()[4:], LINK, host.pump.now)
    assert untouched(host) == before
    goes_on(host)


@pytest.mark.parametrize("broken", [False, True])
def test_what_came_with_a_join_that_broke_off_did_not_come_with_the_next(broken: bool) -> None:
    """The second knows of the records, and that they were deleted, which it has forgotten."""
    host, _ = floors_taken()
    page, _ = records().page(0, 1 << 16)
    cursor = 77 if broken else 0
    last = Snapshot(DATA, END * (not broken), cursor, page)
    host.node.receive(last.encode()[4:], LINK, host.pump.now)
    assert host.node.data.count(0) == 5
    host.node.disconnected(LINK, host.pump.now)
    for _ in range(5):
        host.node.advance(host.pump.now)
    floors = b"\x04\x03\x00" + AUTHOR + b"\x04\x04"
    nothing, _ = Table(NEIGHBOUR, b"f" * 16, b"i" * 16).page(0, 1 << 16)
    for message in (
        Floor(DATA),
        Snapshot(DATA, BEGIN, 0, floors),
        Snapshot(DATA, END, 0, nothing),
    ):
        host.node.receive(message.encode()[4:], BYSTANDER, host.pump.now)
        for _ in range(5):
            host.node.advance(host.pump.now)
        host.node.outbox.take()
    assert host.value("mine") == b"\x05"
    assert host.node.data.count(0) == 1
    assert host.node.data.covered(AUTHOR) == 4
