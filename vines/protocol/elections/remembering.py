"""Remembering results: the same few voters elect again and again, so equal results are one object.

What a member sends must not stay in memory by the MiB: of what is long only the last is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import cython

Function = TypeVar("Function", bound=Callable[..., Any])

FEW: Final = 64
"""Voters of whom what is found out is remembered for many elections."""
SHORT_BYTES: Final = 1024
"""Of a decision that is looked into once, however often it comes."""
LONG_MAX: Final = 2
"""Results of long arguments that are remembered: one election takes turns with few others."""


@cython.cclass
class Remembered:
    """A function that remembers its results by its arguments; none of them may be None. `few`: the
    length of the first argument up to which `results` are remembered, and above it LONG_MAX; 0: it
    has none. When one more would be too many, all are forgotten: that costs less than to know which
    was used last, and most functions have few results.
    """

    __slots__ = ("_few", "_function", "_last", "_long", "_results", "_short")

    def __init__(self, function: Callable[..., Any], few: int, results: int) -> None:
        self._function = function
        self._few = few
        self._results = results
        self._short: dict[tuple[Any, ...], Any] = {}
        self._long: dict[tuple[Any, ...], Any] = {}
        self._last: tuple[tuple[Any, ...] | None, Any] = (None, None)
        """What was asked last, and the result: to compare costs less than to hash."""

    def __call__(self, *arguments: Any) -> Any:
        """The result for these arguments, given by place."""
        last = self._last  # looked at once: the nodes of a process have a thread each
        if last[0] == arguments:
            return last[1]
        held, most = self._short, self._results
        if self._few and len(arguments[0]) > self._few:
            held, most = self._long, LONG_MAX
        found = held.get(arguments)
        if found is None:
            found = self._function(*arguments)
            if len(held) >= most:
                held.clear()
            held[arguments] = found
        if held is self._short:
            self._last = (arguments, found)
        return found

    def sizes(self) -> tuple[int, int]:
        """How many results are remembered, of short and of long arguments."""
        return len(self._short), len(self._long)


def remembered(few: int = 0, results: int = 256) -> Callable[[Function], Function]:
    """Have a function remember so many results, as Remembered says."""

    def decorate(function: Function) -> Function:
        return cast("Function", Remembered(function, few, results))

    return decorate
