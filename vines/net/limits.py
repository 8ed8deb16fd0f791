"""The bounds of the net layer that no user needs to know, each with its unit and its reason.

Those that a user may want to change stand in `vines.config.Config`: time-outs and caps on
strangers.
"""

from __future__ import annotations

from vines.frozen import Frozen


class Limits(Frozen, kw_only=True):
    """What sockets may cost. Tests make these small; nothing else has needed to touch them."""

    stagger_seconds: float = 0.25
    """The next address of a name is tried beside one that has not answered for this long (RFC 8305,
    section 5).
    """

    addresses_max: int = 16
    """Addresses of one name tried in one dial; the next dial of that name goes on behind them."""

    resolving_max: int = 4
    """Threads that may hang in the resolver at once; further names wait their turn."""

    linger_seconds: float = 2.0
    """A closed stream may take this long to hand over what was written to it before."""

    accepts_per_turn: int = 64
    """Streams accepted in one turn; the rest wait in the kernel."""

    accept_pause_seconds: float = 0.1
    """How long a listener is left alone when descriptors have run out: it would spin at half a
    million turns a second.
    """

    datagrams_per_turn: int = 64
    """Datagrams read in one turn."""

    receive_bytes: int = 256 * 1024
    """Bytes taken from one stream in one turn, by one system call."""

    turn_seconds: float = 0.005
    """Once reading has taken this long, streams not yet read wait for the next turn, where they
    come first.
    """

    pace_seconds: float = 0.0005
    """The least time between two sends that local writes alone ask for: a thread that writes
    without pause is sent in batches, and does not share the GIL with a turn of the loop for every
    key. """

    pace_factor_max: int = 4
    """That time grows with the links, each of whose ends wakes for a send and does the same: by
    half of their number, up to this. Of what others bring, and of a write now and then, nothing
    waits. """

    stall_seconds: float = 1.0
    """A turn that comes later than this means the process stood still: peers get that time on top.
    """
