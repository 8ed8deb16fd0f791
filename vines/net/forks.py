"""What a fork does to everything here that holds descriptors.

A forked child has copies of our descriptors and none of our threads: whatever is alive becomes
inert there, without a trace in the parent. (An exit needs nothing of the kind: the loop's thread is
a daemon, and who holds the loop ends it.)
"""

from __future__ import annotations

import os
import weakref

from vines.hints import Protocol


class Forked(Protocol):
    """Something that must not be doubled by a fork."""

    def forked(self) -> None:
        """Become inert: a child's copy. No lock, no log, no call that the parent would feel."""


_living: weakref.WeakValueDictionary[int, Forked] = weakref.WeakValueDictionary()


def remember(living: Forked) -> None:
    """Tell this object about forks for as long as it exists."""
    _living[id(living)] = living


def forget(living: Forked) -> None:
    """It has ended by itself."""
    _living.pop(id(living), None)


def count() -> int:
    """How many there are."""
    return len(_living)


def _forked() -> None:
    for reference in _living.valuerefs():
        living = reference()
        if living is not None:
            living.forked()
    _living.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
