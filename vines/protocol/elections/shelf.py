"""The shelf: what a node must not forget of its elections, as records for its disk.

There is one for each topic and round that it takes part in, and beside it the roll it is bound to,
written once. What is read here this program has written: the storage sees to that with checksums.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b

from vines.errors import WireError
from vines.protocol.elections.ballots import FIRST, NEVER
from vines.protocol.elections.decree import NOTHING, Record
from vines.protocol.elections.facts import Facts
from vines.protocol.elections.messages import Definition
from vines.protocol.elections.records import Key, decision_key, read_decision_key
from vines.protocol.elections.signup import UNBOUND, Enrolment
from vines.protocol.machine import Outbox
from vines.protocol.wire import fields
from vines.protocol.wire.definition import pack_definition, read_definition


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
    """A part as a record: what is as at the beginning is left out."""
    enrolment, record = part.enrolment, part.record
    passed = [[member, attempt] for member, attempt in enrolment.passed]
    now: dict[str, object] = {"passed": passed, "finished": part.finished}
    if enrolment.bound:
        now["bound"] = enrolment.bound
    if enrolment.formed:
        now["formed"] = True
    if enrolment.attempt:
        now["attempt"] = enrolment.attempt
    if record.promised != FIRST:
        now["promised"] = record.promised
    if record.accepted != NEVER:
        now["accepted"] = record.accepted
    if record.value:
        now["value"] = record.value
    if record.foreign:
        now["foreign"] = True
    if record.refused:
        now["refused"] = True
    if record.outcome:
        now["outcome"] = record.outcome
    if record.fired:
        now["fired"] = True
    return fields.pack(now)


def read_part(data: bytes) -> Part:
    """The part that a record stands for. WireError if it stands for none."""
    read = fields.unpack(data)
    try:
        passed = tuple((member, attempt) for member, attempt in read.pop("passed"))
        finished = read.pop("finished")
        enrolment = {name: read.pop(name) for name in UNBOUND.__slots__ if name in read}
        return Part(Enrolment(**enrolment, passed=passed), Record(**read), finished)
    except (KeyError, TypeError, ValueError) as error:
        raise WireError(f"a record of an election that cannot be read: {error}") from error
