"""Sketch pages: what differs between two replicas, in bytes that depend on nothing else."""

from vines._core.table import Progress, Table

CELLS_MAX: int
"""The most cells a sketch has."""

def sketch_page(table: Table, cells: int, wanted: bytes = b"") -> bytes | None:
    """The first `cells` cells of the table's sketch (docs/wire.md, 'Sketch page'), and the ids of
    those of its sources whose keys, four bytes each, are `wanted`. None if the table has too few
    sources to keep a sketch. ValueError for a number of cells that cannot be, WireError for
    malformed keys."""

def read_sketch(progress: Progress, data: bytes, offset: int = 0) -> int | bytes | None:
    """Learn from a sketch what the peer holds, and that sending may begin.

    Returns of how many sources it holds something else, once the check sum of its whole vector has
    proved it. Else nothing was learned, and it returns the keys of sources that are not known here:
    ask for a page with their ids; or None: ask for more cells or in another form. WireError before
    any change."""
