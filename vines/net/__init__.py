"""The only I/O of this package: the loop, streams, datagrams, names, and the directory of one
machine's nodes.
"""

from __future__ import annotations
