"""Version vectors: what a replica knows, as one counter per source."""

from collections.abc import Iterator
from typing import final

@final
class VersionVector:
    """A map from 16-byte source ids to counters that only rise, kept as two aligned arrays in
    order of arrival.

    `key` (16 bytes) is the secret of the id look-up; it never leaves the process and does not
    change what is encoded."""

    def __init__(self, key: bytes = ...) -> None: ...
    def __len__(self) -> int: ...
    def __contains__(self, source: object, /) -> bool: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __iter__(self) -> Iterator[bytes]: ...
    def get(self, source: bytes) -> int:
        """The counter of a source, 0 if it is not listed."""
    def raise_to(self, source: bytes, counter: int) -> bool:
        """Raise a counter, listing the source if need be; False if it was as high already."""
    def items(self) -> list[tuple[bytes, int]]: ...
    def copy(self) -> VersionVector: ...
    def merge(self, other: VersionVector) -> None:
        """Take the element-wise maximum of both into this one."""
    def dominates(self, other: VersionVector) -> bool:
        """Whether every counter of `other` is covered here. Mattern, 1989: the partial order of
        vector time."""
    def compare(self, other: VersionVector) -> str:
        """'equal', 'before', 'after' or 'concurrent': this vector's place against `other`."""
    def need(self, other: VersionVector) -> list[tuple[bytes, int, int]]:
        """(source, mine, theirs) wherever `other` knows more: as long as the difference, never as
        the vectors."""
    def have(self, other: VersionVector) -> list[tuple[bytes, int, int]]:
        """(source, mine, theirs) wherever this one knows more."""
    def encode(self) -> bytes:
        """One vector page that is first and last (docs/wire.md, 'Vector page')."""
    def merge_page(self, page: bytes, offset: int = 0) -> bool:
        """Raise counters to those of an encoded page; True if it was the last page. WireError
        before any change."""

def kernel() -> str:
    """The name of the merge kernel chosen for this processor: 'avx512', 'avx2', 'neon' or
    'portable'."""

def kernel_names() -> list[str]:
    """The kernels that this processor has, the widest last."""

def use_kernel(name: str) -> None:
    """Merge and compare with this kernel from now on; for tests. ValueError if it is not there."""
