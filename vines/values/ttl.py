"""Times to live: seconds or a timedelta for users, whole milliseconds in the table."""

from __future__ import annotations

import math
from datetime import timedelta

from vines._core.table import LEFT_MAX
from vines.errors import InvalidTtl
from vines.hints import TypeAlias

Ttl: TypeAlias = float | timedelta
"""Seconds, or a timedelta: above 0, at most ten years of 365.25 days."""


def milliseconds(ttl: object) -> int:
    """A time to live in ms, rounded up; 0 if it is None. Raises InvalidTtl."""
    if ttl is None:
        return 0
    if isinstance(ttl, timedelta):
        ttl = ttl.total_seconds()
    if isinstance(ttl, bool) or not isinstance(ttl, int | float):
        text = f"ttl is seconds or a timedelta, not {type(ttl).__name__}; nothing changed"
        raise InvalidTtl(text)
    if not 0 < ttl <= LEFT_MAX / 1000:
        raise InvalidTtl(f"ttl is above 0 and at most ten years, not {ttl!r} s; nothing changed")
    return math.ceil(ttl * 1000)
