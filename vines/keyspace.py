"""Reading and writing keys, in the caller's thread: what a Vine does without asking its loop.

Every call is one step on the table, so what was written can be read at once, by every thread; the
loop is only woken to send it. Whatever is wrong with a key or a value is raised before anything
changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import monotonic

from vines._core.changes import Change
from vines._core.table import DATA, EPHEMERAL, EXPIRING, TOMBSTONE
from vines.checks import check_flag, check_mapping
from vines.engine.engine import Engine
from vines.errors import IllFormedValue, MissingKey, WireError
from vines.hints import Any, Self
from vines.values.codec import pack, unpack
from vines.values.keys import decode_key, encode_key, encode_prefix
from vines.values.ttl import Ttl, milliseconds

SCAN_RECORDS = 1024
"""Records looked at in one step: other threads get their turn in between."""


class Keyspace:
    """The keys and values of a cluster, as a mapping that also replicates."""

    _engine: Engine

    def gossip(
        self, key: str, value: Any, ttl: Ttl | None = None, *, ephemeral: bool = False
    ) -> Self:
        """Set a key, here at once, and on every member soon.

        With `ttl`, in seconds or as a timedelta, the value lapses after that time, on every member
        by its own clock: there it is no longer read, to the millisecond, and `lapse` is told, once
        the vine listens or has joined. What is on its way for a while lapses later by that. Writing
        the key again, with a ttl or without, or deleting it, ends the time.

        With `ephemeral`, the key is there as long as this vine is alive: at members that hold it
        dead it is no longer read, and `lapse` is told there; if it turns out to be alive, the key
        is back, with `gossip`. When it leaves, or was started anew, the key is gone. Whoever writes
        the key later, this member or another, decides anew.

        A value is None, bool, int of 64 bits, finite float, str, bytes, list, dict with str or int
        keys, aware datetime, nested up to 8 deep, up to 1 MiB packed; it is copied. Raises
        InvalidKey, UnsupportedValue (a TypeError), InvalidValue, InvalidTtl (ValueErrors),
        InvalidArgument, QuotaExceeded (a RuntimeError) if all members hold as much as this vine was
        told is enough, Closed.
        """
        engine = self._engine
        if ttl is not None or ephemeral is not False:
            left = milliseconds(ttl)
            check_flag(ephemeral, "ephemeral")
            engine.write(encode_key(key), _flags(left, ephemeral), pack(value), left)
        elif not engine.write_plain(key, value):
            engine.write(encode_key(key), 0, pack(value))
        if not engine.waker.awake:
            engine.waker.wake()
        return self

    def update(
        self, values: Mapping[str, Any], ttl: Ttl | None = None, *, ephemeral: bool = False
    ) -> Self:
        """Set many keys, as `gossip` does. Raises what it raises, before any of them is set."""
        left = milliseconds(ttl)
        check_flag(ephemeral, "ephemeral")
        check_mapping(values, "values", "values by keys")
        packed = [(encode_key(key), pack(value)) for key, value in values.items()]
        engine = self._engine
        engine.check_open()
        flags = _flags(left, ephemeral)
        engine.table.admit(packed)
        for key, value in packed:
            engine.write(key, flags, value, left, admitted=True)
        engine.waker.wake()
        return self

    def delete(self, key: str) -> Self:
        """Delete a key everywhere, whether or not it is known here. Raises InvalidKey, Closed."""
        engine = self._engine
        engine.write(encode_key(key), TOMBSTONE, b"")
        engine.waker.wake()
        return self

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, a new copy each time, or `default` if there is none.

        Raises InvalidKey, Closed, and IllFormedValue if a peer wrote what is no value.
        """
        packed = self._packed(encode_key(key))
        return default if packed is None else _readable(key, packed)

    def keys(self, prefix: str = "") -> list[str]:
        """The keys that begin with `prefix`, sorted."""
        decoded = [decode_key(change[1]) for change in self._scan(prefix)]
        return sorted(key for key in decoded if key is not None)

    def snapshot(self, prefix: str = "") -> dict[str, Any]:
        """The keys that begin with `prefix` and their values, sorted by key.

        What cannot be read is left out; reading it alone says why.
        """
        found = {}
        for change in self._scan(prefix):
            key = decode_key(change[1])
            if key is None:
                continue
            try:
                found[key] = unpack(change[3])
            except WireError:
                continue
        return dict(sorted(found.items()))

    def __getitem__(self, key: str) -> Any:
        """The value of a key. Raises what `get` raises, and MissingKey (a KeyError)."""
        packed = self._packed(encode_key(key))
        if packed is None:
            raise MissingKey(f"there is no value under {key!r} here and now")
        return _readable(key, packed)

    def __setitem__(self, key: str, value: Any) -> None:
        """The same as `gossip`."""
        self.gossip(key, value)

    def __delitem__(self, key: str) -> None:
        """The same as `delete`, of a key that is there. Raises MissingKey (a KeyError)."""
        if key not in self:
            raise MissingKey(f"there is no value under {key!r} here and now")
        self.delete(key)

    def __contains__(self, key: object) -> bool:
        """Whether a key has a value here and now."""
        return self._packed(encode_key(key)) is not None

    def __iter__(self) -> Iterator[str]:
        """The keys of this moment, sorted."""
        return iter(self.keys())

    def _packed(self, key: bytes) -> bytes | None:
        self._engine.check_open()
        table = self._engine.table
        table.tick(monotonic())
        return table.value(key)

    def _scan(self, prefix: str) -> Iterator[Change]:
        encoded = encode_prefix(prefix)
        cursor: int | None = 0
        while cursor is not None:
            self._engine.check_open()
            self._engine.table.tick(monotonic())
            changes, cursor = self._engine.table.scan(DATA, encoded, cursor, SCAN_RECORDS)
            yield from changes


def _flags(left: int, ephemeral: bool) -> int:
    """The flags of a record with so many ms to live, or that lives as long as its author."""
    return (EXPIRING if left else 0) | (EPHEMERAL if ephemeral else 0)


def _readable(key: str, packed: bytes) -> Any:
    try:
        return unpack(packed)
    except WireError:
        raise IllFormedValue(
            f"a peer wrote what is no value under {key!r}; overwrite the key or delete it"
        ) from None
