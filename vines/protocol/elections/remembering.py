"""Remembering results: the same few voters elect again and again, so equal results are one object.

What a member sends must not stay in memory by the MiB: of what is long only the last is remembered.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

FEW: Final = 64
"""Voters of whom what is found out is remembered for many elections."""
SHORT_BYTES: Final = 1024
"""Of a decision that is looked into once, however often it comes."""
LONG_MAX: Final = 2
"""Results of long arguments that are remembered: one election takes turns with few others."""


def remembered(few: int, results: int = 256) -> Callable[[Function], Function]:
    """Have a function remember so many results if the length of its first argument is up to `few`,
    else LONG_MAX.
    """

    def decorate(function: Function) -> Function:
        short = lru_cache(maxsize=results)(function)
        long = lru_cache(maxsize=LONG_MAX)(function)

        def remember(first: Any, *more: Any) -> Any:
            return short(first, *more) if len(first) <= few else long(first, *more)

        remember.caches = short, long  # type: ignore[attr-defined]
        return cast("Function", remember)

    return decorate
