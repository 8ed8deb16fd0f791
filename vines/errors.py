"""Every error vines raises, under one root.

A class says whose fault it was: `LocalError` is the caller's (nothing was sent, nothing changed),
`RemoteError` is a peer's (its bytes were refused before anything changed). Each also derives from
the built-in exception a caller would expect, so code that has never heard of vines can still catch
it.
"""

from __future__ import annotations

MALFORMED = "malformed"
"""No version writes such bytes."""
UNKNOWN = "unknown"
"""A type or a mark that this version does not know."""
UNEXPECTED = "unexpected"
"""What nobody asked for, or that does not belong here and now."""
LENGTH = "length"
"""A frame that would be shorter or longer than frames are."""
REASONS = (LENGTH, MALFORMED, UNEXPECTED, UNKNOWN)
"""Why frames are rejected; datagrams, for two of these and for what post.py adds."""


_SHOWN_MAX = 80


def shortened(value: object) -> str:
    """A value as errors show it: that of a caller may be of any size."""
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[: _SHOWN_MAX - 3]}..."


class VinesError(Exception):
    """The root of all errors of this package."""


class LocalError(VinesError):
    """The caller asked for something that cannot be done; nothing changed."""


class RemoteError(VinesError):
    """A peer sent something it must not send; it was refused before anything changed."""


class WireError(RemoteError, ValueError):
    """Bytes that are not what the protocol says; refused whole, before anything changed.

    `reason`, one of REASONS, is what such bytes are counted under.
    """

    def __init__(self, text: str = "", reason: str = MALFORMED) -> None:
        super().__init__(text)
        self.reason = reason


class IllFormedValue(RemoteError, ValueError):
    """A peer stored a value under this key that is not a value of vines; overwrite or delete the
    key.
    """


class UnsupportedValue(LocalError, TypeError):
    """A value, or something inside it, that vines cannot carry; nothing changed."""


class InvalidValue(LocalError, ValueError):
    """A value of a carried type that is out of bounds: too large, too deep, not finite; nothing
    changed.
    """


class InvalidKey(LocalError, ValueError):
    """A key that is not a non-empty string of at most 1,024 bytes in UTF-8; nothing changed."""


class InvalidTtl(LocalError, ValueError):
    """A time to live that is no time above 0, or more than ten years; nothing changed."""


class QuotaExceeded(LocalError, RuntimeError):
    """A write that would let the keys of all members outgrow keys_max or bytes_max; nothing
    changed. Deleting a key, and a value no larger than the one it replaces, are always allowed.
    """


class MissingKey(LocalError, KeyError):
    """No live value under this key here and now."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class InvalidArgument(LocalError, ValueError):
    """An argument that is not what its name says: a time to wait, a number of members, an id, a
    mapping; nothing changed.
    """


class InvalidAddress(LocalError, ValueError):
    """An address that cannot be understood or may not be used; nothing changed."""


class AddressInUse(LocalError, OSError):
    """Another socket holds the port; nothing changed."""


class Insecure(LocalError, PermissionError):
    """Reaching beyond this machine was asked for without saying so; nothing changed."""


class InvalidConfig(LocalError, ValueError):
    """A setting that is out of range or contradicts another; nothing changed."""


class Closed(LocalError, RuntimeError):
    """This vine has ended, or belongs to the parent of this process; nothing changed."""


class UnknownEvent(LocalError, ValueError):
    """An event that does not exist, or a key for an event that has none; nothing changed."""


class InvalidCallback(LocalError, TypeError):
    """A callback that cannot be called with one argument or with none; nothing changed."""


class AlreadyListening(LocalError, RuntimeError):
    """This vine listens already, on one port for its life; nothing changed."""


class NotListening(LocalError, RuntimeError):
    """This needs a vine that listens or has joined; nothing changed."""


class InvalidElection(LocalError, ValueError):
    """An election, or a vote, that makes no sense as it was asked for; nothing changed."""


class VoteRefused(LocalError, RuntimeError):
    """It is too late for this vote: a result was accepted here, or time is up; nothing changed."""


class TimedOut(LocalError, TimeoutError):
    """The time given ran out first; what was asked for may still happen later."""


class StorageError(LocalError, OSError):
    """The data directory cannot be used. At its opening nothing changed; what a write had in hand
    may or may not be on disk, and until the process ends no more is written.
    """


class StorageUnusable(StorageError):
    """The data directory is no directory, cannot be written, or is not this user's alone."""


class StorageLocked(StorageError):
    """The data directory is open already, here or in another process."""


class StorageMissing(StorageError):
    """The data directory holds nothing of this name, whose votes may be forgotten: find the right
    one, or say that the name is new.
    """


class StorageForeign(StorageError):
    """The data directory belongs to another name, or its file to another program."""


class StorageNewer(StorageError):
    """The data directory was written by a newer vines: use that one."""


class StorageDamaged(StorageError):
    """The data directory is not what was written: it is not repaired, because what is missing may
    be a vote.
    """


class StorageRolledBack(StorageDamaged):
    """The data directory lost what had been written, or is an old copy: never vote with it."""


class StorageFull(StorageError):
    """The disk of the data directory is full: make room and start again."""
