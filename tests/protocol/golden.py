"""One frame of every type, byte for byte: what is on the wire today must still be read tomorrow."""

from __future__ import annotations

from tests.elections.defined import defined
from vines.protocol.elections.messages import (
    Accept,
    Accepted,
    Cancel,
    Decided,
    Formed,
    Nack,
    Prepare,
    Promise,
    Refusal,
    Said,
    Sign,
    Signed,
    Unknown,
    Vote,
    VoteAck,
)
from vines.protocol.wire.ballot import Ballots
from vines.protocol.wire.hello import Hello, Refuse, cluster_id
from vines.protocol.wire.messages import (
    ALIGNED,
    BEGIN,
    COMPLETE,
    CONTROL,
    DATA,
    END,
    SKETCH,
    WANT,
    Announce,
    Delta,
    Detail,
    Digest,
    Floor,
    Graft,
    Join,
    Message,
    Prune,
    Pull,
    Snapshot,
    Vector,
)
from vines.protocol.wire.probe import Ack, Probe, StreamAck, StreamProbe
from vines.protocol.wire.talk import Flush, Flushed, Ping, Pong, Shed

ID = bytes(range(16))
SOURCE = bytes(range(16, 32))
FINGERPRINT = bytes(range(32, 64))
VECTOR = bytes.fromhex("0303") + SOURCE + b"\x07"
CELL = bytes.fromhex("0000000000000000") + bytes(range(1, 13))
SKETCHED = bytes.fromhex("050100") + CELL + SOURCE
COUNTERS = bytes.fromhex("0603") + FINGERPRINT[:16] + bytes.fromhex("0007ac02")
DELTA = (
    bytes.fromhex("01")
    + bytes.fromhex("00")
    + SOURCE
    + bytes.fromhex("00010080a0abfef96203666f6f01050100020362617204a36162630000")
)
PAGE = (
    bytes.fromhex("02")
    + bytes.fromhex("0000")
    + SOURCE
    + bytes.fromhex("0282a0abfef9620362617204a36162630001010103666f6f0105")
)
FLOORS = bytes.fromhex("0403") + SOURCE + b"\x07\x03"

HELLO = Hello(
    cluster=cluster_id("test"),
    id=ID,
    source=SOURCE,
    name="alpha",
    address=("127.0.0.1", 8000),
    incarnation=1_700_000_000 << 24 | 3,
    observer=False,
    clock=1_700_000_000_000,
    serial=5,
    control=FINGERPRINT,
    data=FINGERPRINT[::-1],
)

GOLDEN: dict[str, tuple[Message, str]] = {
    "hello": (
        HELLO,
        "e7000000010076696e650101d0aa907143b0e4c18aa26964c410000102030405060708090a0b0c0d"
        "0e0fa6736f75726365c410101112131415161718191a1b1c1d1e1fa46e616d65a5616c706861a761"
        "64647265737392a93132372e302e302e31cd1f40ab696e6361726e6174696f6ecf006553f1000000"
        "03a86f62736572766572c2a5636c6f636bcf0000018bcfe56800a673657269616c05a7636f6e7472"
        "6f6cc420202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3fa4646174"
        "61c4203f3e3d3c3b3a393837363534333231302f2e2d2c2b2a29282726252423222120",
    ),
    "hello of one who does not listen": (
        HELLO.replace(address=None, observer=True),
        "da000000010076696e650101d0aa907143b0e4c18aa26964c410000102030405060708090a0b0c0d"
        "0e0fa6736f75726365c410101112131415161718191a1b1c1d1e1fa46e616d65a5616c706861a761"
        "646472657373c0ab696e6361726e6174696f6ecf006553f100000003a86f62736572766572c3a563"
        "6c6f636bcf0000018bcfe56800a673657269616c05a7636f6e74726f6cc420202122232425262728"
        "292a2b2c2d2e2f303132333435363738393a3b3c3d3e3fa464617461c4203f3e3d3c3b3a39383736"
        "3534333231302f2e2d2c2b2a29282726252423222120",
    ),
    "refuse": (
        Refuse("version"),
        "12000000020081a6726561736f6ea776657273696f6e",
    ),
    "refuse with hints": (
        Refuse("full", "no room", (("127.0.0.1", 8000), ("::1", 9))),
        "37000000020083a6726561736f6ea466756c6ca474657874a76e6f20726f6f6da568696e74739292"
        "a93132372e302e302e31cd1f4092a33a3a3109",
    ),
    "digest": (
        Digest(CONTROL, FINGERPRINT, WANT),
        "24000000030000202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f01",
    ),
    "digest of all": (
        Digest(DATA, FINGERPRINT, COMPLETE),
        "24000000030001202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f02",
    ),
    "vector": (
        Vector(DATA, WANT, VECTOR),
        "17000000040001010303101112131415161718191a1b1c1d1e1f07",
    ),
    "vector as a sketch": (
        Vector(DATA, 0, SKETCHED),
        "2b00000004000100" + SKETCHED.hex(),
    ),
    "vector without ids": (
        Vector(CONTROL, WANT, COUNTERS),
        "1a00000004000001" + COUNTERS.hex(),
    ),
    "detail": (
        Detail(DATA, SKETCH, 256, bytes(range(8))),
        "0e00000013000105000100010203040506" + "07",
    ),
    "detail of another form": (
        Detail(CONTROL, ALIGNED),
        "0600000013000006" + "0000",
    ),
    "delta": (
        Delta(DATA, DELTA),
        "320000000500010100101112131415161718191a1b1c1d1e1f00010080a0abfef96203666f6f0105"
        "0100020362617204a36162630000",
    ),
    "pull": (
        Pull(CONTROL, VECTOR),
        "160000000600000303101112131415161718191a1b1c1d1e1f07",
    ),
    "announce": (
        Announce(DATA, VECTOR),
        "160000001000010303101112131415161718191a1b1c1d1e1f07",
    ),
    "graft": (
        Graft(DATA, VECTOR),
        "160000001100010303101112131415161718191a1b1c1d1e1f07",
    ),
    "prune": (
        Prune(DATA),
        "03000000120001",
    ),
    "floor": (
        Floor(DATA),
        "03000000070001",
    ),
    "join": (
        Join(DATA),
        "0b0000000800010000000000000000",
    ),
    "join at a cursor": (
        Join(DATA, 0x0102030405060708),
        "0b0000000800010807060504030201",
    ),
    "snapshot begin": (
        Snapshot(DATA, BEGIN, 0, FLOORS),
        "200000000900010100000000000000000403101112131415161718191a1b1c1d1e1f0703",
    ),
    "snapshot page": (
        Snapshot(DATA, 0, 77, PAGE),
        "39000000090001004d00000000000000020000101112131415161718191a1b1c1d1e1f0282a0abfe"
        "f9620362617204a36162630001010103666f6f0105",
    ),
    "snapshot end": (
        Snapshot(DATA, END, 0, PAGE),
        "39000000090001020000000000000000020000101112131415161718191a1b1c1d1e1f0282a0abfe"
        "f9620362617204a36162630001010103666f6f0105",
    ),
    "flush": (
        Flush(300, SOURCE),
        "250000000a0082a5746f6b656ecd012ca6736f75726365c410101112131415161718191a1b1c1d1e1f",
    ),
    "flushed": (
        Flushed(300, 2, 1 << 40),
        "230000000b0083a5746f6b656ecd012ca7636f6e74726f6c02a464617461cf0000010000000000",
    ),
    "ping": (
        Ping(1),
        "0a0000000c000100000000000000",
    ),
    "shed": (
        Shed(False),
        "030000000f0000",
    ),
    "shed, needed": (
        Shed(True),
        "030000000f0001",
    ),
    "pong": (
        Pong(1 << 63),
        "0a0000000d000000000000000080",
    ),
    "streamprobe": (
        StreamProbe(7, Probe(bytes(range(1, 9)))),
        "0e0000001400070000000102030405060708",
    ),
    "streamack": (StreamAck(Ack(7, 2, differs=True)), "090000001500070000000200" + "01"),
}

DEFINITION = defined(
    topic="leader",
    round=3,
    roll=((b"alpha", 1), (b"beta", 2), (b"gamma", 2**32 - 1)),
    signup=b"s" * 17,
    council=2,
    tiebreak=True,
    choices=("red", "grün"),
    least=3,
    plurality=False,
    remaining_ms=30_000,
)
VALUE = bytes.fromhex("010001000000a0a1a2a3a4a5a6a70100020000000000000000000300000000ff00")
VOTES = ((0, 1, 0), (2, 3 << 32 | 1, 253), (9_999, 2**63 - 1, 254))
DIGEST = bytes(range(0xA0, 0xA8))


def ballot(said: Said) -> Ballots:
    return Ballots(((ID, 0, said),))


BALLOTS: dict[str, tuple[Ballots, str]] = {
    "vote": (
        ballot(Vote(1 << 32 | 1, 0, DIGEST, True)),
        "2d0000000e001200000000000102030405060708090a0b0c0d0e0f00000000010000000100000000"
        "01a0a1a2a3a4a5a6a7",
    ),
    "vote of one who did not call": (
        ballot(Vote(1, 254, b"", False)),
        "250000000e000a00000000000102030405060708090a0b0c0d0e0f000000000100000000000000fe00",
    ),
    "vote ack": (
        ballot(VoteAck(2**63 - 1)),
        "230000000e000800000001000102030405060708090a0b0c0d0e0f00000000ffffffffffffff7f",
    ),
    "vote ack of one who counts otherwise": (
        ballot(VoteAck(1 << 32 | 1, DIGEST)),
        "2b0000000e001000000001000102030405060708090a0b0c0d0e0f000000000100000001000000"
        "a0a1a2a3a4a5a6a7",
    ),
    "prepare": (
        ballot(Prepare(1 << 32 | 2)),
        "230000000e000800000002000102030405060708090a0b0c0d0e0f000000000200000001000000",
    ),
    "promise": (
        ballot(Promise(1 << 32 | 2)),
        "240000000e000900000003000102030405060708090a0b0c0d0e0f00000000020000000100000000",
    ),
    "promise with all": (
        ballot(Promise(1 << 32 | 2, 0, VALUE, VOTES, DIGEST, True)),
        "800000000e006500000003000102030405060708090a0b0c0d0e0f00000000020000000100000007"
        "a0a1a2a3a4a5a6a7000000000000000021000000010001000000a0a1a2a3a4a5a6a7010002000000"
        "0000000000000300000000ff0000000000010000000000000000020000000100000003000000fd0f"
        "270000ffffffffffffff7ffe",
    ),
    "accept": (
        ballot(Accept(0, VALUE, True)),
        "450000000e002a00000004000102030405060708090a0b0c0d0e0f00000000000000000000000001"
        "010001000000a0a1a2a3a4a5a6a70100020000000000000000000300000000ff00",
    ),
    "accepted": (
        ballot(Accepted(0, DIGEST)),
        "2b0000000e001000000005000102030405060708090a0b0c0d0e0f000000000000000000000000a0"
        "a1a2a3a4a5a6a7",
    ),
    "nack": (
        ballot(Nack(0, 2**63 - 1)),
        "2c0000000e001100000006000102030405060708090a0b0c0d0e0f000000000000000000000000ff"
        "ffffffffffff7f00",
    ),
    "nack for another wish": (
        ballot(Nack(1 << 32, 1 << 32, True)),
        "2c0000000e001100000006000102030405060708090a0b0c0d0e0f00000000000000000100000000"
        "0000000100000001",
    ),
    "refusal": (
        ballot(Refusal()),
        "1b0000000e000000000007000102030405060708090a0b0c0d0e0f00000000",
    ),
    "decided": (
        ballot(Decided(VALUE)),
        "3c0000000e002100000008000102030405060708090a0b0c0d0e0f00000000010001000000a0a1a2"
        "a3a4a5a6a70100020000000000000000000300000000ff00",
    ),
    "decided in a later slot": (
        Ballots(((ID, 2**32 - 1, Decided(b"v")),)),
        "1c0000000e000100000008000102030405060708090a0b0c0d0e0fffffffff76",
    ),
    "define": (
        ballot(DEFINITION),
        "bf0000000e00a400000009000102030405060708090a0b0c0d0e0f000000008aa5746f706963a66c"
        "6561646572a5726f756e6403a4726f6c6cc42905616c706861010000000000000004626574610200"
        "0000000000000567616d6d61ffffffff00000000a67369676e7570c4117373737373737373737373"
        "737373737373a7636f756e63696c02a8746965627265616bc3a763686f6963657392a3726564a567"
        "72c3bc6ea56c6561737403a9706c7572616c697479c2a972656d61696e696e67cd7530",
    ),
    "define yes or no": (
        ballot(defined("t", 0, ((b"v", 1),), b"", 0, False, (), 1, True, 0)),
        "7e0000000e006300000009000102030405060708090a0b0c0d0e0f000000008aa5746f706963a174"
        "a5726f756e6400a4726f6c6cc40a01760100000000000000a67369676e7570c400a7636f756e6369"
        "6c00a8746965627265616bc2a763686f6963657390a56c6561737401a9706c7572616c697479c3a9"
        "72656d61696e696e6700",
    ),
    "sign": (
        ballot(Sign(DEFINITION)),
        "bf0000000e00a40000000a000102030405060708090a0b0c0d0e0f000000008aa5746f706963a66c"
        "6561646572a5726f756e6403a4726f6c6cc42905616c706861010000000000000004626574610200"
        "0000000000000567616d6d61ffffffff00000000a67369676e7570c4117373737373737373737373"
        "737373737373a7636f756e63696c02a8746965627265616bc3a763686f6963657392a3726564a567"
        "72c3bc6ea56c6561737403a9706c7572616c697479c2a972656d61696e696e67cd7530",
    ),
    "signed": (
        ballot(Signed(Vote(1, 0, b"", True))),
        "250000000e000a0000000b000102030405060708090a0b0c0d0e0f0000000001000000000000000001",
    ),
    "signed before a vote": (
        ballot(Signed()),
        "1b0000000e00000000000b000102030405060708090a0b0c0d0e0f00000000",
    ),
    "formed": (
        ballot(Formed()),
        "1b0000000e00000000000c000102030405060708090a0b0c0d0e0f00000000",
    ),
    "formed by voters": (
        ballot(Formed(7)),
        "230000000e00080000000c000102030405060708090a0b0c0d0e0f000000000700000000000000",
    ),
    "cancel": (
        ballot(Cancel()),
        "1b0000000e00000000000d000102030405060708090a0b0c0d0e0f00000000",
    ),
    "unknown": (
        ballot(Unknown()),
        "1b0000000e00000000000e000102030405060708090a0b0c0d0e0f00000000",
    ),
}
"""What can be said in an election, in frames of type 14."""

SEVERAL: tuple[Ballots, str] = (
    Ballots(((ID, 0, Formed()), (ID, 0, Vote(1, 0, b"", True)), (DIGEST * 2, 0, Refusal()))),
    "570000000e00000000000c000102030405060708090a0b0c0d0e0f000000000a0000000000010203"
    "0405060708090a0b0c0d0e0f00000000010000000000000000010000000007a0a1a2a3a4a5a6a7a0"
    "a1a2a3a4a5a6a700000000",
)
"""Three of them together."""

GOLDEN |= BALLOTS
