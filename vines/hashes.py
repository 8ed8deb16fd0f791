"""BLAKE2b without what `hashlib` brings along, which loads OpenSSL for its other hashes: 3.8 MiB of
a process.
"""

from __future__ import annotations

try:
    from _blake2 import blake2b as blake2b  # what hashlib hands out under this name, too
except ImportError:  # an interpreter that keeps it elsewhere
    from hashlib import blake2b as blake2b

__all__ = ["blake2b"]
