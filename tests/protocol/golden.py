"""One frame of every type, byte for byte: what is on the wire today must still be read tomorrow."""

from __future__ import annotations

from vines.protocol.wire.hello import Hello, Refuse, cluster_id
from vines.protocol.wire.messages import (
    BEGIN,
    COMPLETE,
    CONTROL,
    DATA,
    END,
    WANT,
    Delta,
    Digest,
    Floor,
    Join,
    Message,
    Pull,
    Snapshot,
    Vector,
)
from vines.protocol.wire.talk import Flush, Flushed, Ping, Pong

ID = bytes(range(16))
SOURCE = bytes(range(16, 32))
FINGERPRINT = bytes(range(32, 64))
VECTOR = bytes.fromhex("0303") + SOURCE + b"\x07"
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
    "delta": (
        Delta(DATA, DELTA),
        "320000000500010100101112131415161718191a1b1c1d1e1f00010080a0abfef96203666f6f0105"
        "0100020362617204a36162630000",
    ),
    "pull": (
        Pull(CONTROL, VECTOR),
        "160000000600000303101112131415161718191a1b1c1d1e1f07",
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
    "pong": (
        Pong(1 << 63),
        "0a0000000d000000000000000080",
    ),
}
