"""The shelf: what a node must not forget of its elections, as records for its disk.

There is one for each topic and round that it takes part in, and beside it the roll it is bound to,
written once. What is read here this program has written: the storage sees to that with checksums.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from vines.errors import WireError
from vines.hashes import blake2b
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
_pack_head: Final = _HEAD.pack
_PASSED: Final = struct.Struct(">QB")
_last_passed: tuple[tuple[tuple[bytes, int], ...], bytes] = ((), b"")


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
        self._bound: dict[Key, tuple[bytes, bytes]] = {}
        """What is there: topics and rounds, the elections whose rolls are beside them, and the keys
        of their records.
        """

    def __contains__(self, key: Key) -> bool:
        return key in self._bound

    def has_roll(self, key: Key, election: bytes) -> bool:
        """Whether the roll of this election is beside the part in a topic and round."""
        place = self._bound.get(key)
        return place is not None and place[0] == election

    def put(self, key: Key, part: Part, roll: Definition | None, can_wait: bool = False) -> int:
        """Put a part there, and the roll it is bound to; returns the ticket. `can_wait`: as the
        outbox says, unless the roll is another one.
        """
        place, bound = self._bound.get(key), part.enrolment.bound
        if place is not None and place[0] == bound:
            return self._outbox.persist(place[1], part, can_wait=can_wait)
        before = b"" if place is None else place[0]
        if before:
            self._outbox.persist(self._rolls + before, None)
        if bound:
            assert roll is not None, "who is bound is bound to something"
            packed = pack_definition(roll)
            self._outbox.persist(self._rolls + bound, packed)
        record = self._parts + decision_key(key) if place is None else place[1]
        self._bound[key] = bound, record
        return self._outbox.persist(record, part)

    def remove(self, key: Key) -> None:
        """Take a part away, which nothing may rest on any more."""
        place = self._bound.pop(key, None)
        if place is not None:
            bound, record = place
            self._outbox.persist(record, None)
            if bound:
                self._outbox.persist(self._rolls + bound, None)

    def find(self, records: Mapping[bytes, bytes]) -> Iterator[tuple[Key, Part, Definition | None]]:
        """What earlier starts have put there, with the rolls, by topic and round. WireError."""
        start = len(self._parts)
        mine = sorted(each for each in records if each.startswith(self._parts))
        for each in mine:
            key, part = read_decision_key(each[start:]), read_part(records[each])
            bound = part.enrolment.bound
            self._bound[key] = bound, each
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
    bound, value, outcome = enrolment.bound, record.value, record.outcome
    head = _pack_head(
        truths,
        record.promised,
        record.accepted,
        enrolment.attempt,
        len(bound),
        len(value),
        len(outcome),
        len(passed),
    )
    return b"".join((head, bound, value, outcome, _pack_passed(passed)))


def _pack_passed(passed: tuple[tuple[bytes, int], ...]) -> bytes:
    global _last_passed  # in most elections the same few have gathered one roll each
    last = _last_passed  # looked at once: the nodes of a process have a thread each
    if last[0] is not passed:
        packed = [_PASSED.pack(attempt, len(member)) + member for member, attempt in passed]
        _last_passed = last = (passed, b"".join(packed))
    return last[1]


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
