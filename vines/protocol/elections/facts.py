"""Facts: named values that do not change once they are made, equal if their types and values are.

What a named tuple is, but told apart by its type, and with places of known types once compiled.
They refer to nothing that could lead back to them, so they are no work for the collector of cycles
(`cython.no_gc`, which means nothing where they are not compiled).
"""

from __future__ import annotations

from typing import Any, Final, Self

UNKNOWN: Final = -1
"""What is no hash."""


class Facts:
    """The base: a subclass names its values in `__slots__`, in the order in which it takes them."""

    __slots__ = ()

    def values(self) -> tuple[Any, ...]:
        """All values, in order."""
        return tuple([getattr(self, name) for name in _names(self)])

    def replace(self, **changes: Any) -> Self:
        """A copy with other values in some places. TypeError for a place there is not."""
        return type(self)(**{name: getattr(self, name) for name in _names(self)} | changes)

    def __eq__(self, other: object) -> bool:
        if other is self:
            return True
        return type(other) is type(self) and self.values() == other.values()

    def __hash__(self) -> int:
        return hash((type(self), self.values()))

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in _names(self)])
        return f"{type(self).__name__}({shown})"


class Known(Facts):
    """The base of those that much is remembered of: their hash is found once."""

    __slots__ = ("_hash",)

    def __init__(self) -> None:
        self._hash = UNKNOWN

    def __eq__(self, other: object) -> bool:
        return Facts.__eq__(self, other)

    def __hash__(self) -> int:
        if self._hash == UNKNOWN:
            self._hash = hash(self.values())
        return self._hash


def _names(facts: Facts) -> tuple[str, ...]:
    names: tuple[str, ...] = type(facts).__slots__
    return names
