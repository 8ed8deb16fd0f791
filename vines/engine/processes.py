"""What forks and exits do to vines.

A thread does not survive a fork, and a descriptor that does is shared: the child's copy of a vine
that has begun to listen or to join is inert. One that has not is made anew in the child, with an
identity of its own. At exit every vine leaves, in a second at most, whatever its callbacks do: its
threads are daemons.
"""

from __future__ import annotations

import atexit
import os
import time
import weakref

from vines.hints import Protocol

EXIT_SECONDS = 1.0
"""How long an exit waits for all vines together."""


class Living(Protocol):
    """What a process must not double and must not leave behind."""

    def forked(self) -> None:
        """This is a child's copy."""

    def exiting(self, seconds: float) -> None:
        """The interpreter ends: leave, in this time at most."""


_living: weakref.WeakSet[Living] = weakref.WeakSet()
_registered = False


def remember(engine: Living) -> None:
    """Tell an engine of forks and of the exit, as long as it exists."""
    _register()
    _living.add(engine)


def forget(engine: Living) -> None:
    """It has ended by itself."""
    _living.discard(engine)


def _forked() -> None:
    for engine in list(_living):
        engine.forked()


def _exiting() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    for engine in list(_living):
        engine.exiting(max(0.0, deadline - time.monotonic()))


def _register() -> None:
    """Once, and not at import: at exit a vine must leave before its loop, imported later, ends."""
    global _registered
    if not _registered:
        _registered = True
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=_forked)
        atexit.register(_exiting)
