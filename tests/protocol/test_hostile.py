"""Peers that send what they must not: the node refuses, nothing changes, and it goes on."""

from __future__ import annotations

import contextlib

import pytest

from vines._core.digest import aligned_pages
from vines._core.sketch import sketch_page
from vines.errors import REASONS, WireError
from vines.events import KeysChanged, Refused
from vines.protocol.machine import Close, Dial, Write
from vines.protocol.wire import fields
from vines.protocol.wire.framing import frame
from vines.protocol.wire.hello import Hello, Refuse, cluster_id
from vines.protocol.wire.messages import (
    BEGIN,
    DATA,
    END,
    NAMES,
    SKETCH,
    Delta,
    Detail,
    Digest,
    Floor,
    Join,
    Message,
    Pull,
    Snapshot,
    Vector,
    decode,
)
from vines.protocol.wire.talk import Flush, Flushed, Ping, Pong, Shed

from .golden import DELTA, FINGERPRINT, FLOORS, GOLDEN, HELLO, PAGE, SOURCE
from .pump import Host, Pump

LINK = 77


class Stranger:
    """Somebody who dials a node and writes frames by hand."""

    def __init__(self, host: Host, link: int = LINK) -> None:
        self.host = host
        self.node = host.node
        self.link = link
        self.node.connected(link, None, host.pump.now)

    def say(self, message: Message | bytes) -> list[object]:
        """Let the node receive a frame; returns its effects."""
        data = message if isinstance(message, bytes) else message.encode()[4:]
        self.node.receive(data, self.link, self.host.pump.now)
        self.node.advance(self.host.pump.now)
        return self.node.outbox.take()

    def answers(self, message: Message | bytes) -> list[Message]:
        """The frames the node writes to us after a frame of ours."""
        effects = self.say(message)
        return [decode(each.frame[4:]) for each in effects if isinstance(each, Write)]

    def hello(self, **changes: object) -> Hello:
        values = {name: getattr(HELLO, name) for name in Hello.__slots__}
        now = self.host.pump.wall()
        values |= {"clock": now, "control": bytes(32), "data": bytes(32), **changes}
        return Hello(**values)

    def shake_hands(self, **changes: object) -> None:
        self.say(self.hello(**changes))
        assert self.node.established(self.link)


def state(host: Host) -> tuple[object, ...]:
    """Everything a refused frame must leave alone."""
    node = host.node
    return (
        node.control.state_bytes(),
        node.data.state_bytes(),
        node.members(),
        node.established(LINK),
        [event for event in host.events if isinstance(event, KeysChanged)],
    )


@pytest.fixture
def host() -> Host:
    pump = Pump()
    host = pump.host(1)
    host.node.watching = True
    return host


@pytest.fixture
def peer(host: Host) -> Stranger:
    peer = Stranger(host)
    peer.shake_hands()
    return peer


GREETINGS = ("hello", "refuse")
LATER = [name for name in GOLDEN if not name.startswith(GREETINGS)]
"""Whatever can be said but greetings."""


@pytest.mark.parametrize("name", LATER)
def test_nothing_is_taken_before_the_hello(host: Host, name: str) -> None:
    stranger = Stranger(host)
    before = state(host)
    with pytest.raises(WireError):
        stranger.say(GOLDEN[name][0])
    assert state(host) == before
    assert host.node.outbox.take() == []


def test_a_refusal_by_one_who_dialled_is_refused(host: Host) -> None:
    with pytest.raises(WireError):
        Stranger(host).say(GOLDEN["refuse"][0])


@pytest.mark.parametrize("data", [b"", b"\x01", b"\x01\x00", bytes(64), b"GET / HTTP/1.1"])
def test_what_is_no_frame_of_ours_is_refused(host: Host, data: bytes) -> None:
    with pytest.raises(WireError):
        Stranger(host).say(data)


UNASKED = {
    "second hello": HELLO,
    "snapshot begin": Snapshot(1, BEGIN, 0, FLOORS),
    "snapshot page": Snapshot(1, 0, 5, PAGE),
    "snapshot end": Snapshot(1, END, 0, PAGE),
    "join": Join(1),
    "join at a cursor": Join(1, 99),
    "flushed": Flushed(1, 1, 1),
    "pong": Pong(0),
    "shed": Shed(True),
}


@pytest.mark.parametrize("name", UNASKED)
def test_what_nobody_asked_for_is_refused(host: Host, peer: Stranger, name: str) -> None:
    before = state(host)
    with pytest.raises(WireError):
        peer.say(UNASKED[name])
    assert state(host) == before
    assert host.node.stats()["frames_rejected"] == {"unexpected": 1}


def test_whatever_is_rejected_is_counted_under_one_of_few_names(host: Host, peer: Stranger) -> None:
    for kind in range(256):
        for rest in (b"", b"\x00", b"\x01", b"\x00" + bytes(9), b"\x00\x01" + bytes(40)):
            with contextlib.suppress(WireError):
                peer.say(bytes((kind,)) + rest)
            if not host.node.established(LINK):
                host.node.connected(LINK, None, host.pump.now)
                peer.shake_hands(serial=kind + 10)
    stats: dict = host.node.stats()
    assert tuple(stats["frames_rejected"]) == ("malformed", "unexpected", "unknown")
    assert set(stats["frames_rejected"]) | {"length"} == set(REASONS)
    assert set(stats["frames_rejected_by_kind"]) <= {*NAMES.values(), "unknown"}
    for counts in (stats["frames_rejected"], stats["frames_rejected_by_kind"]):
        assert sum(counts.values()) > 1000


@pytest.mark.parametrize(
    "message", [Ping(1), Flush(1, SOURCE), Shed(False)], ids=["ping", "flush", "shed"]
)
def test_a_second_question_before_the_answer_is_refused(peer: Stranger, message: Message) -> None:
    peer.node.receive(message.encode()[4:], LINK, 100.0)
    with pytest.raises(WireError, match="before the last one"):
        peer.node.receive(message.encode()[4:], LINK, 100.0)


def test_a_join_must_go_on_where_the_last_page_ended(host: Host) -> None:
    for index in range(200):
        host.node.data.write(b"key%d" % (index % 60), 0, b"\x01", host.pump.wall())
    pump = Pump()
    host = pump.host(1, log_slack=0, frame_bytes=256)
    for index in range(400):
        host.write(f"key{index % 60}")
    peer = Stranger(host)
    peer.shake_hands()
    told = peer.answers(Vector(1, 0, bytes.fromhex("0303")))
    assert Floor(1) in told
    pages = [each for each in peer.answers(Join(1)) if isinstance(each, Snapshot)]
    assert [each.marks for each in pages] == [BEGIN, 0]
    with pytest.raises(WireError, match="cursor"):
        peer.say(Join(1, pages[-1].cursor + 1))
    with pytest.raises(WireError, match="cursor"):
        peer.say(Join(1, 12345))
    assert any(isinstance(each, Snapshot) for each in peer.answers(Join(1, pages[-1].cursor)))


def mutations(data: bytes) -> list[bytes]:
    """Every prefix, every bit flip, every byte deleted, and long lengths everywhere."""
    mutants = [data[:length] for length in range(len(data))]
    for position in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            mutants.append(bytes(flipped))
        mutants.append(data[:position] + data[position + 1 :])
        forced = (bytes(4), b"\xff" * 4, b"\x00\x00\x00\x80", b"\x80\x80\x80\x80")
        mutants.extend(data[:position] + each + data[position + 4 :] for each in forced)
    return mutants


@pytest.mark.parametrize("name", GOLDEN)
def test_no_mutation_of_a_frame_harms_an_established_link(name: str) -> None:
    host = Pump().host(1)
    host.write("mine")
    peer = Stranger(host)
    peer.shake_hands()
    refused = 0
    before = state(host)
    for mutant in mutations(bytes.fromhex(GOLDEN[name][1])[4:]):
        try:
            peer.say(mutant)
        except WireError:
            refused += 1
            assert state(host) == before
        else:
            if not host.node.established(LINK):
                peer.host.node.connected(LINK, None, host.pump.now)
                peer.shake_hands(serial=refused + 10)
            host.node.outbox.take()
            before = state(host)
    assert refused
    assert host.node.data.value(b"mine") == b"\x01"


MANY = 300
"""Sources: a table keeps a sketch of so many."""


def of_many(number: int, differing: int = 0) -> Host:
    """A node that covers the first two positions of each, and five of some."""
    host = Pump().host(number)
    counters = [5 if source < differing else 2 for source in range(MANY)]
    rows = [source.to_bytes(16, "big") + bytes((c, 0)) for source, c in enumerate(counters, 1)]
    host.node.data.finish_join([b"\x04\x03\x00" + b"".join(rows)])
    return host


def digests() -> dict[str, bytes]:
    """Of a peer that differs a little: frames as a node of many sources sends them."""
    theirs = of_many(2, 4).node.data
    sketch = sketch_page(theirs, 20)
    assert sketch is not None
    return {
        "sketch": Vector(DATA, 0, sketch).encode()[4:],
        "counters": Vector(DATA, 0, aligned_pages(theirs, 1 << 16)[0]).encode()[4:],
        "question": Detail(DATA, SKETCH, 30, bytes(8)).encode()[4:],
    }


def content(host: Host) -> tuple[object, ...]:
    data = host.node.data
    return data.records(), dict(data.vector().items()), data.fingerprint(), host.node.members()


@pytest.mark.parametrize("name", ["sketch", "counters", "question"])
def test_no_mutation_of_a_digest_harms_a_node_of_many_sources(name: str) -> None:
    """What does not tell is asked for anew at most, and moves nobody's vector."""
    host = of_many(1)
    host.write("mine")
    peer = Stranger(host)
    peer.shake_hands()
    good = digests()[name]
    before, refused = content(host), 0
    for mutant in [good, *mutations(good)[::3]]:
        try:
            answers = peer.answers(mutant)
        except WireError:
            refused += 1
        else:
            sent = sum(len(each.encode()) for each in answers)
            assert sent <= 2 * MANY * 20
        assert content(host) == before
        if not host.node.established(LINK):
            host.node.connected(LINK, None, host.pump.now)
            peer.shake_hands(serial=refused + 10)
        host.node.outbox.take()
    assert refused
    assert peer.answers(digests()["question"])
    assert host.node.data.value(b"mine") == b"\x01"


@pytest.mark.parametrize("name", ["hello", "refuse", "delta"])
def test_no_mutation_of_a_first_frame_harms_the_node(name: str) -> None:
    host = Pump().host(1)
    before = host.node.data.state_bytes()
    for number, mutant in enumerate(mutations(bytes.fromhex(GOLDEN[name][1])[4:])):
        stranger = Stranger(host, link=number)
        written = 0
        try:
            effects = stranger.say(mutant)
            written = sum(len(each.frame) for each in effects if isinstance(each, Write))
        except WireError:
            pass
        if not host.node.established(number):
            assert written <= len(mutant) + 4
        host.node.disconnected(number, host.pump.now)
    assert host.node.data.state_bytes() == before


@pytest.mark.parametrize(
    ("versions", "cluster", "reason"),
    [((2, 3), "test", "version"), ((0, 0), "test", "version"), ((1, 9), "other", "cluster")],
)
def test_a_foreigner_gets_one_refusal_no_longer_than_its_hello(
    host: Host, versions: tuple[int, int], cluster: str, reason: str
) -> None:
    data = frame(1, b"vine" + bytes(versions) + cluster_id(cluster) + bytes(40))
    effects = Stranger(host).say(data[4:])
    writes = [each for each in effects if isinstance(each, Write)]
    assert [decode(each.frame[4:]).reason for each in writes] == [reason]  # type: ignore[union-attr]
    assert len(writes[0].frame) <= len(data)
    assert [each for each in effects if isinstance(each, Close)]
    assert not host.node.established(LINK)


def test_the_shortest_hello_of_a_foreigner_is_not_answered_at_all(host: Host) -> None:
    effects = Stranger(host).say(frame(1, b"vine" + bytes((9, 9)) + bytes(8))[4:])
    assert not [each for each in effects if isinstance(each, Write)]
    assert [each for each in effects if isinstance(each, Close)]


def test_refused_hellos_are_counted_by_reason(host: Host) -> None:
    day_off = host.pump.wall() + 2 * 86_400_000
    for number, changes in enumerate(
        (
            {"cluster": cluster_id("another")},
            {"cluster": cluster_id("another"), "versions": (2, 3)},
            {"cluster": cluster_id("another")},
            {"clock": day_off},
            {"id": host.node.id},
        )
    ):
        stranger = Stranger(host, 100 + number)
        stranger.say(stranger.hello(**changes))
    assert host.node.stats()["hellos_refused"] == {
        "clock": 1,
        "cluster": 2,
        "identity": 1,
        "version": 1,
    }
    assert len(host.node.members()) == 1


def test_many_refusals_of_one_kind_are_told_once(host: Host) -> None:
    told = []
    for link in range(100):
        hello = frame(1, b"vine\x01\x01" + cluster_id("other") + bytes(40))[4:]
        told += [
            each
            for each in Stranger(host, link).say(hello)
            if isinstance(getattr(each, "event", None), Refused)
        ]
        host.node.disconnected(link, host.pump.now)
    assert len(told) == 1


def test_frames_of_a_link_that_was_closed_are_ignored(host: Host, peer: Stranger) -> None:
    host.node.disconnected(LINK, host.pump.now)
    before = state(host)
    host.node.receive(Delta(1, DELTA).encode()[4:], LINK, host.pump.now)
    host.node.receive(b"", LINK, host.pump.now)
    host.node.sent(LINK, 5, host.pump.now)
    host.node.disconnected(LINK, host.pump.now)
    assert state(host) == before


def test_questions_without_reading_cost_nothing(host: Host, peer: Stranger) -> None:
    """A peer that asks for ever and never reads is owed one answer of each kind."""
    for index in range(60):
        host.write(f"key{index}", bytes([0xDA, 0x10, 0x00]) + b"x" * 4096)
    written = 0
    for turn in range(400):
        for message in (
            Digest(1, FINGERPRINT, 1),
            Vector(1, 1, bytes.fromhex("0303")),
            Pull(1, bytes.fromhex("0303")),
        ):
            for effect in peer.say(message):
                written += len(effect.frame) if isinstance(effect, Write) else 0
        if turn == 100:
            early = written
    config = host.node.config
    assert written == early <= config.link_window + 2 * config.frame_bytes


def test_a_member_that_lies_about_another_is_not_believed(host: Host, peer: Stranger) -> None:
    """That somebody is alive is only believed in its own words."""
    control = Pump().host(9).node.control
    forged = {
        "name": "forged",
        "address": ["127.0.0.1", 1],
        "tags": {},
        "versions": [1, 1],
        "observer": False,
        "source": b"another source!!",
    }
    control.put(1, b"v" * 16, 0, fields.pack(forged), 5 << 2)
    body = control.delta_for(host.node.control.vector(), 1 << 16)
    assert body is not None
    peer.say(Delta(0, body))
    assert b"v" * 16 not in [member.id for member in host.node.members()]
    assert host.node.stats()["members_ignored"] == 1


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\xc0",
        b"\x80",
        b"\xff" * 40,
        fields.pack({"name": "x"}),
        b"\xdf\xff\xff\xff\xff",
    ],
)
def test_a_malformed_member_record_is_stored_and_not_believed(
    host: Host, peer: Stranger, value: bytes
) -> None:
    control = Pump().host(9).node.control
    control.put(1, b"v" * 16, 0, value, 5 << 2)
    control.put(1, b"short", 0, value, 5 << 2)
    control.put(1, b"w" * 16, 0, value, 5 << 2 | 3)
    body = control.delta_for(host.node.control.vector(), 1 << 16)
    assert body is not None
    peer.say(Delta(0, body))
    assert host.node.control.get(1, b"v" * 16) is not None
    assert len(host.node.members()) == 2


def test_differences_met_while_writes_flow_are_no_reason_to_send_the_vector(host: Host) -> None:
    peer = Stranger(host)
    peer.shake_hands()
    peer.answers(Vector(1, 0, bytes.fromhex("0303")))
    told = []
    for turn in range(15):
        host.write(f"key{turn}")
        told += [each for each in peer.answers(Digest(1, FINGERPRINT)) if isinstance(each, Vector)]
    assert told == []
    for _ in range(3):
        told += [each for each in peer.answers(Digest(1, FINGERPRINT)) if isinstance(each, Vector)]
    assert [each.marks for each in told] == [1]


def test_more_refused_ranges_than_fit_a_pull_are_answered_by_the_vector() -> None:
    host = Pump().host(1)
    peer = Stranger(host)
    peer.shake_hands()
    peer.answers(Vector(1, 0, bytes.fromhex("0303")))
    for turn in range(3):
        ranges = b"".join(
            b"\x00" + (turn * 1000 + index).to_bytes(16, "big") + b"\x05\x00\x01"
            for index in range(1000)
        )
        peer.node.receive(Delta(1, b"\x01" + ranges).encode()[4:], LINK, host.pump.now)
    peer.node.advance(host.pump.now)
    pulled = [decode(each.frame[4:]) for each in peer.node.outbox.take() if isinstance(each, Write)]
    assert [type(each) for each in pulled] == [Vector]
    assert pulled[0].marks == 0  # type: ignore[union-attr]


def test_a_stream_closed_for_a_better_one_is_only_dialled_again_if_that_does_not_show() -> None:
    host = Pump().host(1)
    peer = Stranger(host)
    peer.shake_hands()
    peer.say(Refuse("duplicate"))
    assert not host.node.established(LINK)
    dials: list[float] = []
    start = host.pump.now
    while not dials:
        host.pump.now += 0.05
        host.node.advance(host.pump.now)
        effects = host.node.outbox.take()
        dials += [host.pump.now - start for each in effects if isinstance(each, Dial)]
    assert 1.0 <= dials[0] <= 1.1
