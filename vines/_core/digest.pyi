"""Digests: how two replicas find out, cheaply, whether and where they differ.

The ladder of forms has four rungs: the fingerprint, which says whether; and which says where, the
sketch (vines._core.sketch), the counters alone in the order of a roster that both share, and the
vector with ids."""

from typing import final

from vines._core.table import Progress, Table

FINGERPRINT_BYTES: int

def is_alone(table: Table) -> bool:
    """Whether its vector has nothing but its own source, while others are left out: then only
    `vector_pages` shows that it is not new."""

def vector_pages(table: Table, budget: int) -> list[bytes]:
    """The table's whole vector in pages of at most `budget` bytes (at least one page, even when
    empty); where `is_alone`, one source that is left out with it."""

def aligned_pages(table: Table, budget: int) -> list[bytes]:
    """The same for a peer with an equal roster: the counters alone (docs/wire.md, 'Aligned vector
    page')."""

def read_aligned(progress: Progress, page: bytes, offset: int = 0) -> bool | None:
    """Learn one aligned page of the peer's vector; True when it was the last and sending may begin;
    None, and nothing was learned, if the rosters are not equal or the page's check sum shows that
    it is about other sources. WireError before any change."""

def pull_page(wanted: list[tuple[bytes, int]]) -> bytes:
    """A page that lists just these sources and what is held of them, for a peer whose ranges were
    refused."""

def same_vector(mine: bytes, theirs: bytes, offset: int = 0) -> bool:
    """Whether the roster and vector parts of two fingerprints are equal. WireError if `theirs` is
    too short."""

def same_state(mine: bytes, theirs: bytes, offset: int = 0) -> bool:
    """Whether the state parts of two fingerprints are equal. WireError if `theirs` is too short."""

def difference(progress: Progress) -> int:
    """Of how many sources the peer is taken to hold something else than this replica."""

@final
class Ladder:
    """Which form of a digest is the cheapest for one peer, and how large a sketch has to be."""

    def cells(self, table: Table, same_roster: bool) -> int:
        """Cells of the sketch to send next; 0: a vector is cheaper, or all that is left.

        One and a half for each source that is likely to differ and some more; right after something
        was learned for each that differed then, because the answer is about the same. After a
        sketch that did not tell, as many as there are; then none until something was learned."""
    def failed(self) -> None:
        """A sketch did not tell what differs."""
    def learned(self, difference: int) -> None:
        """So many sources differed, as a sketch or a vector told."""
