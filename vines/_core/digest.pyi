"""Digests: how two replicas find out, cheaply, whether and where they differ.

The ladder of forms has two rungs so far: the fingerprint, which says whether, and the full vector,
which says where."""

from vines._core.table import Table

FINGERPRINT_BYTES: int

def vector_pages(table: Table, budget: int) -> list[bytes]:
    """The table's whole vector in pages of at most `budget` bytes (at least one page, even when
    empty)."""

def pull_page(wanted: list[tuple[bytes, int]]) -> bytes:
    """A page that lists just these sources and what is held of them, for a peer whose ranges were
    refused."""

def same_vector(mine: bytes, theirs: bytes, offset: int = 0) -> bool:
    """Whether the roster and vector parts of two fingerprints are equal. WireError if `theirs` is
    too short."""

def same_state(mine: bytes, theirs: bytes, offset: int = 0) -> bool:
    """Whether the state parts of two fingerprints are equal. WireError if `theirs` is too short."""
