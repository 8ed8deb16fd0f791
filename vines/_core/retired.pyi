"""Sources that are retired: what stays of a process that is gone, for as long as others may come
back that have not heard of it."""

from typing import final

_Last = tuple[int, int]

@final
class RetiredSources:
    """A map from 16-byte source ids to last positions, which only rise: 32 bytes for each. Both
    tables of a node share one, and keep there, too, of which sources they have given back the
    slot."""

    forgotten: int
    """Sources that were, so far."""
    until: int
    """What `age` was told last."""
    def __len__(self) -> int: ...
    def get(self, source: bytes) -> _Last | None: ...
    def say(self, source: bytes, control: int, data: int) -> bool:
        """These are its last positions, or were thought to be: the higher of each hold. False if
        that is nothing new. ValueError, and nothing has changed, for a source that a table has
        left out with less, and given back the slot of: `Table.retire` puts it back."""
    def items(self) -> list[tuple[bytes, _Last]]:
        """All of them, in the order of their ids."""
    def unlist(self) -> None:
        """Of none it is known any more that a batch says it."""
    def list_batch(self, batch: bytes, until: int | None = None) -> None:
        """What this batch says just as it is known here is said; `until`: by a record that is to
        lapse, and those that no other batch was seen to say, and nothing names, have that time
        from now on, unless they have an earlier one, or `age` was told that nothing has; 0: not
        yet. WireError, nothing changed."""
    def unlisted(self, most: int) -> list[tuple[bytes, _Last]]:
        """So many at most that no batch said since `unlist` was called, or that rose since, but for
        those that have a time; and of those that something names that only batches say which
        fade."""
    def missed(self, which: int, start: int, limit: int) -> tuple[bytes | None, int | None]:
        """The first of those from the place `start` on of which the table `which` covers nothing,
        and should; its place then, else where to go on after so many, None at the end. As places
        change with what is said, that may pass one over. ValueError for another table than 0 and 1.
        """
    def divide(self, batch: bytes) -> tuple[list[tuple[bytes, _Last]], list[tuple[bytes, _Last]]]:
        """Of the sources in this batch those that nothing names in either table, as they have no
        slot there, and the others. WireError."""
    def age(self, clock: int, until: int) -> int:
        """Once all batches were listed: those that nothing names, and that only batches say which
        fade, have the time `until` from now on, unless they have an earlier one. Forget those that
        no batch says any more, and whose time is not above `clock`; returns how many. What is named
        again, or said by a batch that stays, has no time any more; with `until` 0 nothing has."""

def read_batch(batch: bytes) -> list[tuple[bytes, _Last]]:
    """What a batch says. WireError if it is malformed: an id is cut short, ids do not ascend, or
    both positions of one are 0."""

def write_batch(entries: list[tuple[bytes, _Last]]) -> bytes:
    """A batch that says this (docs/wire.md, 'Retirement'). ValueError for a position or an id that
    is none, WireError unless ids ascend and each has a position."""
