"""Telling: what a replica holds, said to one peer in the cheapest form that the peer can read.

The forms are the rungs of a ladder: a sketch of the vector, its counters alone where both hold one
roster, the counters with ids. Which one, and how large a sketch, follows from what lately differed
from that peer. Who cannot read what it got asks for more (Detail): for the ids of sources it does
not know, for a larger sketch, for the next form; the last one tells whatever the peer holds. It
must not know links, time, or why a vector is shown.
"""

from __future__ import annotations

from vines._core.digest import (
    Ladder,
    aligned_pages,
    difference,
    is_alone,
    read_aligned,
    vector_pages,
)
from vines._core.sketch import CELLS_MAX, read_sketch, sketch_page
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.wire.messages import ALIGNED, FULL, SKETCH, Detail

if TYPE_CHECKING:
    from vines._core.table import Progress, Table

DETAILS: Final = 3
"""Questions about one vector: ids, more cells, the next form. The last is for what always tells."""
ROSTER_BYTES: Final = 8
"""The first of a fingerprint."""


class Telling:
    """How one table's vector is told to one peer, and what the peer's own did not tell."""

    __slots__ = ("_budget", "_ladder", "_names", "_questions", "_table", "owed", "roster")

    def __init__(self, table: Table, budget: int) -> None:
        self.roster = b""
        """The peer's, as it was last seen."""
        self.owed: Detail | None = None
        """What has to be asked, its table's number still to be filled in."""
        self._table = table
        self._budget = budget
        self._ladder = Ladder()
        self._names = b""
        """Keys of the sources of which the peer holds nothing, to be named with the answer."""
        self._questions = 0

    def pages(self, *, acquainted: bool) -> list[bytes]:
        """Our vector. Whom we know nothing of most likely holds nothing: that is no case for a
        sketch, unless the rosters are equal.
        """
        names, self._names = self._names, b""
        if is_alone(self._table):
            return vector_pages(self._table, self._budget)
        same = self._same_roster()
        cells = self._ladder.cells(self._table, same) if same or acquainted else 0
        if cells:
            return self._sketch(cells, names)
        if same:
            return aligned_pages(self._table, self._budget)
        return vector_pages(self._table, self._budget)

    def again(self, detail: Detail) -> list[bytes]:
        """Our vector as the peer asked for it. WireError if the keys are malformed."""
        if detail.form == SKETCH:
            return self._sketch(detail.cells, detail.keys)
        if detail.form == ALIGNED:
            return aligned_pages(self._table, self._budget)
        return vector_pages(self._table, self._budget)

    def read(self, progress: Progress, body: bytes, offset: int) -> bool:
        """Learn a page of the peer's vector: True if it was the last, and sending may begin.

        If it did not tell, a question is owed. WireError, before anything changed, if it is
        malformed.
        """
        form = body[offset]
        if form == SKETCH:
            told = read_sketch(progress, body, offset)
            if isinstance(told, bytes):
                self._ask(Detail(0, SKETCH, _cells_of(body, offset), told))
            elif told is None:
                self._ladder.failed()
                self._ask_lower()
            else:
                self._learned(told, progress.unheard)
                return True
            return False
        if form == ALIGNED:
            last = read_aligned(progress, body, offset)
            if last is None:
                self._ask(Detail(0, FULL))
                return False
        else:
            last = progress.read_page(body, offset)
        if last:
            self._learned(difference(progress), b"")
        return last

    def _sketch(self, cells: int, keys: bytes) -> list[bytes]:
        page = sketch_page(self._table, cells, keys)
        return vector_pages(self._table, self._budget) if page is None else [page]

    def _learned(self, differing: int, names: bytes) -> None:
        self._ladder.learned(differing)
        self._names = names
        self._questions = 0
        self.owed = None

    def _ask_lower(self) -> None:
        """A sketch did not tell: a larger one may, or else the next form."""
        same = self._same_roster()
        cells = self._ladder.cells(self._table, same)
        if cells:
            self._ask(Detail(0, SKETCH, cells))
        else:
            self._ask(Detail(0, ALIGNED if same else FULL))

    def _ask(self, detail: Detail) -> None:
        self._questions += 1
        self.owed = detail if self._questions < DETAILS else Detail(0, FULL)

    def _same_roster(self) -> bool:
        return self._table.fingerprint()[:ROSTER_BYTES] == self.roster


def _cells_of(body: bytes, offset: int) -> int:
    """The cells of a sketch that was read."""
    return min(int.from_bytes(body[offset + 1 : offset + 3], "little"), CELLS_MAX)
