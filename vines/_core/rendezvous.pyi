"""Rendezvous: the order of names under a key that all who know both find alike."""

KEY_BYTES: int

def ranked(key: bytes, names: tuple[bytes, ...], first: bytes | None = None) -> tuple[bytes, ...]:
    """The names in the order of their hashes (SipHash-1-3 under the key); of two that have the same
    the one that was given first. `first`, if it is one of them, comes before all. ValueError for a
    key that is not KEY_BYTES long, TypeError for a name that is no bytes."""
