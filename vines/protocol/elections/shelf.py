"""The shelf: what a node must not forget of its elections, as records for its disk.

There is one for each topic and round that it takes part in, and beside it the roll it is bound to,
written once. What is read here this program has written: the storage sees to that with checksums.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Final

from vines.errors import WireError
from vines.protocol.elections.decree import NOTHING, Record
from vines.protocol.elections.facts import Facts
from vines.protocol.elections.messages import Definition
from vines.protocol.elections.records import Key, decision_key, read_decision_key
from vines.protocol.elections.signup import UNBOUND, Enrolment
from vines.protocol.machine import Outbox
from vines.protocol.wire import fields
from vines.protocol.wire.definition import pack_definition, read_definition

_HEAD: Final = struct.Struct(">BQqQBIII")
"""Truths, one bit each; promised, accepted, attempt; sizes of bound, value and outcome; how many
were passed.
"""
_PASSED: Final = struct.Struct(">QB")


class Part(Facts):
    """This node's part in one topic and round, as it is on disk. `finished`: the callback has
    returned that acted on the outcome.
    """

    __slots__ = ("enrolment", "record", "finished")

    def __init__(
        self,
        enrolment: Enrolment = UNBOUND,
        record: Record = NOTHING,
        finished: bool = False,
    ) -> None:
        self.enrolment = enrolment
        self.record = record
        self.finished = finished

    def pack(self) -> bytes:
        """It, as a record."""
        return pack_part(self)


class Shelf:
    """The records of one cluster, whatever else is on the disk."""

    def __init__(self, namespace: bytes, outbox: Outbox) -> None:
        cluster = blake2b(namespace, digest_size=8, person=b"vines shelf").digest()
        self._parts = b"part" + cluster
        self._rolls = b"roll" + cluster
        self._outbox = outbox
        self._bound: dict[Key, bytes] = {}
        """What is there: topics and rounds, and the elections whose rolls are beside them."""

    def __contains__(self, key: Key) -> bool:
        return key in self._bound

    def put(self, key: Key, part: Part, roll: Definition | None) -> int:
        """Put a part there, and the roll it is bound to; returns the ticket."""
        before, bound = self._bound.get(key, b""), part.enrolment.bound
        if before and before != bound:
            self._outbox.persist(self._rolls + before, None)
        if bound and before != bound:
            assert roll is not None, "who is bound is bound to something"
            packed = pack_definition(roll)
            self._outbox.persist(self._rolls + bound, packed)
        self._bound[key] = bound
        return self._outbox.persist(self._parts + decision_key(key), part)

    def remove(self, key: Key) -> None:
        """Take a part away, which nothing may rest on any more."""
        bound = self._bound.pop(key, None)
        if bound is not None:
            self._outbox.persist(self._parts + decision_key(key), None)
            if bound:
                self._outbox.persist(self._rolls + bound, None)

    def find(self, records: Mapping[bytes, bytes]) -> Iterator[tuple[Key, Part, Definition | None]]:
        """What earlier starts have put there, with the rolls, by topic and round. WireError."""
        start = len(self._parts)
        mine = sorted(each for each in records if each.startswith(self._parts))
        for each in mine:
            key, part = read_decision_key(each[start:]), read_part(records[each])
            bound = part.enrolment.bound
            self._bound[key] = bound
            roll = records.get(self._rolls + bound, b"") if bound else None
            yield key, part, None if roll is None else read_definition(fields.unpack(roll))


def pack_part(part: Part) -> bytes:
    """A part as a record: numbers and sizes of a fixed form, then what is of any size."""
    enrolment, record, passed = part.enrolment, part.record, part.enrolment.passed
    truths = (
        part.finished
        | enrolment.formed << 1
        | record.foreign << 2
        | record.refused << 3
        | record.fired << 4
    )
    head = _HEAD.pack(
        *(truths, record.promised, record.accepted, enrolment.attempt),
        *(len(enrolment.bound), len(record.value), len(record.outcome), len(passed)),
    )
    rest = [_PASSED.pack(attempt, len(member)) + member for member, attempt in passed]
    return b"".join([head, enrolment.bound, record.value, record.outcome, *rest])


def read_part(data: bytes) -> Part:
    """The part that a record stands for. WireError if it stands for none."""
    try:
        truths, promised, accepted, attempt, *sizes, count = _HEAD.unpack_from(data)
        if truths >> 5:
            raise WireError("a record of an election says what is not known here")
        at, blobs = _HEAD.size, []
        for size in sizes:
            blobs.append(data[at : at + size])
            at += size
        passed = []
        for _ in range(count):
            number, size = _PASSED.unpack_from(data, at)
            at += _PASSED.size + size
            passed.append((data[at - size : at], number))
    except struct.error as error:
        raise WireError(f"a record of an election that cannot be read: {error}") from error
    if at != len(data):
        raise WireError("a record of an election that is too short or too long")
    bound, value, outcome = blobs
    enrolment = Enrolment(bound, bool(truths & 2), attempt, tuple(passed))
    foreign, refused, fired = bool(truths & 4), bool(truths & 8), bool(truths & 16)
    record = Record(promised, accepted, value, foreign, refused, outcome, fired)
    return Part(enrolment, record, bool(truths & 1))
