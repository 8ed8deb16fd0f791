"""What became current in a table, on its way to listeners, without an object for each change."""

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, final

Change = tuple[int, bytes, int, bytes, int, bytes]
"""(family, key, flags, value, stamp, origin) of a record that became the current one of its key."""

@final
class Changes:
    """A sequence of Change, in one block of memory; those of a frame point into its bytes.

    Of tuples it holds copies. An empty origin stands for a write of this node whose content
    the table has. ValueError for what no table could hold."""

    def __init__(self, changes: Iterable[Change] = ()) -> None: ...
    @staticmethod
    def written(key: bytes, stamp: int) -> Changes:
        """One local write to a key of family DATA: its content is to be looked up."""
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[Change]: ...
    def __getitem__(self, at: int, /) -> Change: ...
    def family(self, at: int) -> int:
        """Parts of one, from 0, without an object for the rest. IndexError."""
    def flags(self, at: int) -> int: ...
    def key(self, at: int) -> bytes: ...
    def value(self, at: int) -> bytes: ...
    def origin(self, at: int) -> bytes: ...
    def holds(self, families: tuple[int, ...]) -> bool:
        """Whether any is of one of these families."""
    def __eq__(self, other: object, /) -> bool:
        """To Changes and lists: the same changes in the same order."""
    __hash__: None  # type: ignore[assignment]
    def append(self, change: Change) -> None:
        """Add a copy of one. ValueError, and nothing changed, for what no table could hold."""
    def memory(self) -> int:
        """Bytes kept alive: the frames, or the copies of what was in them."""
    def marks(self) -> list[tuple[bytes, tuple[int, bytes, int]]]:
        """The key of each, and (stamp, origin, flags if it tells of an end, else 0)."""
    def select(self, family: int, keys: Collection[bytes], prefixes: tuple[bytes, ...]) -> Changes:
        """Those of a family whose key is in `keys` or begins with one of `prefixes`: these very
        changes if that is all of them, else copies."""
    def events(
        self,
        start: int,
        stop: int,
        gossip: type[tuple[Any, ...]],
        delete: type[tuple[Any, ...]],
        lapse: type[tuple[Any, ...]],
        local: Collection[bytes],
        unpack: Callable[[bytes], object],
    ) -> list[Any]:
        """What `[start:stop]` mean: gossip(key, value, local, stamp, origin) of a value,
        delete(key, local, stamp, origin) of a tombstone, lapse(the same) if it is what is left of
        a record that expired; the key as bytes if it is not UTF-8, as
        str if its value is none. `local` holds the origins that are this node's; `unpack` is
        called for containers and timestamps, with well-formed bytes."""
