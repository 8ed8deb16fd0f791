"""Chance: what a node draws.

A node draws often, to spread what it does over time and over its peers, and rarely, to name itself
and to keep the keys of its tables to itself. The first need not be hard to guess, and the system
should not be asked for it: that gives up the GIL, and in a busy process it may take 5 ms to come
back.
"""

from __future__ import annotations

import os
from random import Random


class Chance(Random):
    """A generator seeded by the system. It repeats itself in a forked child, which needs another;
    its `randbytes` do not: what must be unique or secret is the system's.
    """

    def randbytes(self, n: int) -> bytes:
        """So many bytes that nobody has drawn before and nobody can guess."""
        return os.urandom(n)
