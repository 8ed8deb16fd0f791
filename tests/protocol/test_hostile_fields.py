"""Rows B13 to B25 of the bad inputs, in every message that is a map: wherever in it they stand.

The scanner has its own tests; these show that it stands in front of every map a peer can send, and
that a field of every other type is refused, before anything has changed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping

import msgpack
import pytest

from vines._core.table import MEMBER, Table
from vines._core.wire import VALUE_BYTES_MAX
from vines.errors import WireError
from vines.protocol.wire.framing import frame
from vines.protocol.wire.hello import BODY_OFFSET, Hello, Refuse
from vines.protocol.wire.messages import CONTROL, Delta, decode
from vines.protocol.wire.talk import Flush, Flushed

from .golden import HELLO, SOURCE
from .pump import Pump
from .test_hostile import LINK, Stranger, state


def big(tag: int, length: int = 0xFFFFFFFF) -> bytes:
    return struct.pack(">BI", tag, length)


NESTED = b"".join(b"\xdc" + struct.pack(">H", 1300) for _ in range(8))
FLOAT = struct.Struct(">Bd")

MALFORMED = {
    "b13 array32": big(0xDD),
    "b13 map32": big(0xDF),
    "b13 str32": big(0xDB),
    "b13 bin32": big(0xC6),
    "b13 ext32": big(0xC9),
    "b13 2 GiB": big(0xC6, 1 << 31),
    "b14 nested lengths": NESTED + bytes(1400 - len(NESTED)),
    "b15 depth 9": b"\x91" * 9 + b"\xc0",
    "b15 depth 512": b"\x91" * 512,
    "b15 depth 1023": b"\x81\xa1k" * 1023 + b"\xc0",
    "b15 depth 100000": b"\x91" * 100_000 + b"\xc0",
    "b16 empty maps": b"\xdc" + struct.pack(">H", 1397) + b"\x80" * 1397,
    "b16 a megabyte of empty maps": big(0xDD, 1 << 20) + b"\x80" * (1 << 20),
    "b17 reserved": b"\xc1",
    "b17 extension": b"\xd4\x05\x00",
    "b17 timestamp": b"\xd6\xff" + bytes(4),
    "b17 timestamp of too many ns": b"\xd7\xff" + struct.pack(">Q", 10**9 << 34),
    "b18 invalid": b"\xa2\xc3\x28",
    "b18 surrogate": b"\xa3\xed\xa0\x80",
    "b18 overlong": b"\xa2\xc0\x80",
    "b18 beyond Unicode": b"\xa4\xf4\x90\x80\x80",
    "b19 a key twice": b"\x82\xa1a\x01\xa1a\x02",
    "b19 a key in two forms": b"\x82\xa1a\x01\xd9\x01a\x02",
    "b20 a long int": b"\xcc\x01",
    "b20 a longer int": b"\xce\x00\x00\x01\x00",
    "b20 a signed int": b"\xd0\x01",
    "b20 2^63": b"\xcf\x80" + bytes(7),
    "b20 2^64 - 1": b"\xcf" + b"\xff" * 8,
    "b20 a long length": b"\xd9\x01a",
    "b21 nan": FLOAT.pack(0xCB, float("nan")),
    "b21 inf": FLOAT.pack(0xCB, float("inf")),
    "b21 -inf": FLOAT.pack(0xCB, float("-inf")),
    "b21 float32": b"\xca" + bytes(4),
    "b23 an int as a key": b"\x81\x01\x01",
    "b23 a float as a key": b"\x81" + FLOAT.pack(0xCB, 1.0) + b"\x01",
    "b23 a list as a key": b"\x81\x90\x01",
    "b23 nil as a key": b"\x81\xc0\x01",
    "b23 bytes as a key": b"\x81\xc4\x01a\x01",
}

EVERY_TYPE: tuple[object, ...] = (None, False, True, 0, -1, 1 << 62, 1.5, "", "text", b"", b"bin")
EVERY_TYPE += ([], [1, 2], {}, {"a": 1})

HEADS = {
    Hello.kind: HELLO.encode()[4 : 4 + BODY_OFFSET],
    Refuse.kind: bytes((Refuse.kind, 0)),
    Flush.kind: bytes((Flush.kind, 0)),
    Flushed.kind: bytes((Flushed.kind, 0)),
}
MESSAGES = (
    HELLO,
    Refuse("full", "no room", (("127.0.0.1", 8000),)),
    Flush(300, SOURCE),
    Flushed(300, 2, 5),
)
each_message = pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)

ALSO_FINE = {
    "address": (None,),
    "reason": ("",),
    "text": ("", "text"),
    "hints": ([], [1, 2]),  # what nobody may dial is left out
    "incarnation": (0,),
    "clock": (0,),
    "serial": (0,),
    "token": (0,),
    "control": (0,),
    "data": (0,),
}
"""What of EVERY_TYPE a field may be, beside bools for `observer` and text for names."""


def fields_of(message: object) -> dict[str, object]:
    """The fields of a message as they travel."""
    data = message.encode()[4:]  # type: ignore[attr-defined]
    fields: dict[str, object] = msgpack.unpackb(data[len(HEADS[data[0]]) :])
    return fields


def may_be(message: object, name: str, value: object) -> bool:
    if type(message) is Hello and name in ("control", "data"):
        return False
    if name == "observer":
        return type(value) is bool
    if name in ("name", "reason"):
        return value == "text" or (name == "reason" and value == "")
    if name == "incarnation" and value == 1 << 62:
        return False
    return any(type(value) is type(fine) and value == fine for fine in ALSO_FINE.get(name, ()))


def packed(fields: Mapping[str, object], **raw: bytes) -> bytes:
    """A map with these fields; those in `raw` have these bytes for a value."""
    both = {name: msgpack.packb(value) for name, value in fields.items()} | raw
    pairs = b"".join(msgpack.packb(name) + value for name, value in both.items())
    return bytes(msgpack.Packer().pack_map_header(len(both))) + pairs


def malformed(message: object) -> Iterator[tuple[str, bytes]]:
    """Frames with each of them in the place of each field, in a new one, and around it all."""
    fields = fields_of(message)
    head = HEADS[message.kind]  # type: ignore[attr-defined]
    for what, value in MALFORMED.items():
        for name in (*fields, "later"):
            yield f"{what} as {name}", head + packed(fields, **{name: value})
        yield f"{what} as the map", head + value
    whole = packed(fields)
    twice = bytes([whole[0] + 1]) + whole[1:] + packed(dict(list(fields.items())[:1]))[1:]
    yield "b19 a field twice", head + twice
    yield "b24 a byte more", head + whole + b"\x00"
    yield "b24 a map more", head + whole + whole
    many = {f"field{index}": index for index in range(10_000)}
    yield "b25 10,000 unknown fields", head + packed(fields | many)


def decodes(data: bytes) -> bool:
    """Whether it does; nothing but WireError may come of it if not."""
    try:
        decode(data)
    except WireError:
        return False
    return True


@each_message
def test_the_frame_that_is_damaged_here_decodes(message: object) -> None:
    head = HEADS[message.kind]  # type: ignore[attr-defined]
    assert decode(head + packed(fields_of(message))) == message
    assert decode(head + packed(fields_of(message), later=b"\xa5later")) == message


@each_message
def test_what_the_scanner_refuses_is_refused_in_every_field(message: object) -> None:
    for what, data in malformed(message):
        assert not decodes(data), what


@each_message
def test_a_field_of_another_type_is_refused(message: object) -> None:
    fields = fields_of(message)
    head = HEADS[message.kind]  # type: ignore[attr-defined]
    for name in fields:
        for value in EVERY_TYPE:
            data = head + packed(fields | {name: value})
            if may_be(message, name, value):
                decode(data)
            else:
                with pytest.raises(WireError, match=name):
                    decode(data)


@pytest.mark.parametrize(
    "name", ["\x00", "a\x00b", "\U0010ffff", "\U000e0041", "\ud83d", "x\u2028"]
)
def test_b18_a_name_is_printable_text(name: str) -> None:
    value = msgpack.packb(name, unicode_errors="surrogatepass")
    with pytest.raises(WireError):
        decode(HEADS[Hello.kind] + packed(fields_of(HELLO), name=value))


@each_message
def test_a_node_that_is_sent_them_changes_nothing_and_goes_on(message: object) -> None:
    host = Pump().host(1)
    host.node.watching = True
    host.write("mine")
    established = type(message) is not Hello
    for number, (_, data) in enumerate(malformed(message)):
        link = LINK + number
        stranger = Stranger(host, link)
        if established:
            stranger.shake_hands(serial=number + 1)
        before = state(host), host.node.established(link)
        with pytest.raises(WireError):
            host.node.receive(data, link, host.pump.now)
        assert (state(host), host.node.established(link)) == before
        host.node.disconnected(link, host.pump.now)
        host.node.outbox.take()
    assert host.value("mine") == b"\x01"
    Stranger(host, 1).shake_hands(serial=1 << 40)


@pytest.mark.parametrize("size", [1000, 1 << 20])
def test_the_same_bytes_as_a_first_frame_are_no_hello(size: int) -> None:
    """Whatever fits: the framer lets a stranger's first frame be 4 KiB long, the node any."""
    host = Pump().host(1)
    before = state(host)
    for number, value in enumerate(MALFORMED.values()):
        data = frame(Hello.kind, value[:size])[4:]
        with pytest.raises(WireError):
            Stranger(host, number).say(data)
        host.node.disconnected(number, host.pump.now)
    assert state(host) == before


PROFILE: dict[str, object] = {
    "name": "somebody",
    "address": ["127.0.0.1", 1],
    "tags": {},
    "versions": [1, 1],
    "observer": False,
    "source": b"the author's own",
}
FINE_IN_A_PROFILE: dict[str, tuple[object, ...]] = {
    "name": ("text",),
    "address": (None,),
    "tags": ({},),
    "versions": ([1, 2],),
    "observer": (True, False),
}


def wrong_profiles() -> Iterator[tuple[str, bytes]]:
    for what, value in MALFORMED.items():
        for name in (*PROFILE, "later"):
            yield f"{what} as {name}", packed(PROFILE, **{name: value})
        yield f"{what} as the map", value
    for name in PROFILE:
        fine = FINE_IN_A_PROFILE.get(name, ())
        for value in EVERY_TYPE:
            if not any(type(value) is type(each) and value == each for each in fine):
                yield f"{value!r} as {name}", packed(PROFILE | {name: value})


def test_a_member_record_of_such_bytes_is_stored_and_believed_by_nobody() -> None:
    host = Pump().host(1)
    peer = Stranger(host)
    peer.shake_hands()
    author = Table(b"the author's own", b"f" * 16, b"i" * 16)

    def arrives(stamp: int, value: bytes) -> None:
        author.put(MEMBER, b"v" * 16, 0, value, stamp << 2)
        body = author.delta_for(host.node.control.vector(), 1 << 21)
        assert body is not None
        peer.say(Delta(CONTROL, body))

    before = host.node.members()
    count = 0
    for count, (what, value) in enumerate(wrong_profiles(), 1):
        if len(value) <= VALUE_BYTES_MAX:
            arrives(count, value)
            held = host.node.control.get(MEMBER, b"v" * 16)
            assert held is not None and held[0] == count << 2, f"not stored: {what}"
            assert host.node.members() == before, f"believed: {what}"
    assert host.node.established(LINK)
    arrives(count + 1, packed(PROFILE))
    assert [member.name for member in host.node.members()] == ["n1", "somebody"]
