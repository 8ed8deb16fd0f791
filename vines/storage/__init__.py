"""What a node must not forget at a restart: its identity, its boot counter, and records.

A vote that was cast and forgotten can be cast twice. So a directory that may have forgotten is
refused, whatever the reason, and none is ever repaired. This is no place for user data: those live
in memory, and come back from the other nodes.
"""

from __future__ import annotations
