"""What users give beside keys, values, addresses and elections: times to wait, numbers of members,
ids, mappings. What is none is refused by its name, before anything changes.
"""

from __future__ import annotations

from collections.abc import Mapping

from vines.errors import InvalidArgument, shortened
from vines.hints import Any
from vines.spelling import NODE_ID_BYTES

SECONDS_MAX = 1e9
"""Thirty years: what is more is the same, and within what every platform can wait."""


def check_timeout(timeout: object) -> float | None:
    """The seconds to wait; None: without end. Raises InvalidArgument."""
    return None if timeout is None else check_seconds(timeout, " (None: without end)")


def check_seconds(timeout: object, more: str = "") -> float:
    """The same where there is an end. Raises InvalidArgument."""
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or timeout != timeout:
        # What differs from itself is NaN.
        raise _refusal("timeout", f"a number of seconds{more}", timeout)
    return min(timeout, SECONDS_MAX)


def check_members(members: object) -> int:
    """A number of members. Raises InvalidArgument."""
    if not isinstance(members, int) or isinstance(members, bool) or members < 0:
        raise _refusal("members", "a whole number from 0 on", members)
    return members


def check_id(id: object) -> bytes:
    """The id of a member, in hex if it is a str. Raises InvalidArgument."""
    found = id
    if isinstance(id, str):
        try:
            found = bytes.fromhex(id)
        except ValueError:
            found = None
    if not isinstance(found, bytes) or len(found) != NODE_ID_BYTES:
        wanted = f"{NODE_ID_BYTES} bytes, or their {2 * NODE_ID_BYTES} hex digits"
        raise _refusal("id", wanted, id)
    return found


def check_flag(flag: object, name: str) -> bool:
    """True or False. Raises InvalidArgument."""
    if not isinstance(flag, bool):
        raise _refusal(name, "True or False", flag)
    return flag


def check_mapping(mapping: Any, name: str, of: str) -> Mapping[str, Any]:
    """A mapping. Raises InvalidArgument."""
    if not isinstance(mapping, Mapping):
        raise _refusal(name, f"a mapping of {of}", mapping)
    return mapping


def _refusal(name: str, wanted: str, given: object) -> InvalidArgument:
    return InvalidArgument(f"{name} is {wanted}, not {shortened(given)}; nothing changed")
