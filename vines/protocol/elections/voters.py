"""Voters: how a roll names them, and which members they are.

Callers make an electorate by their ids. Voters that are named by hand are known before any of them
has started, so by the names that people gave them; a name stands for the one data directory that
was opened with it, for what a voter promised must outlive its process.
"""

from __future__ import annotations

from typing import Final

NAMED: Final = b"\x00a name\x00"
"""Before a name. That an id is drawn that begins so will not happen: 1 in 2**64."""


def voter_of(voter: bytes | str) -> bytes:
    """How a roll calls a member of this id or name."""
    return voter if isinstance(voter, bytes) else NAMED + voter.encode()


def spoken(voter: bytes) -> bytes | str:
    """The id or the name by which a roll calls a voter."""
    if not is_named(voter):
        return voter
    try:
        return voter[len(NAMED) :].decode()
    except UnicodeDecodeError:
        return voter


def is_named(voter: bytes) -> bool:
    """Whether a voter is called by name, not by id."""
    return voter.startswith(NAMED)
