"""The phases of a claimant's attempt to decide."""

from __future__ import annotations

from typing import Final

IDLE: Final = 0
PREPARING: Final = 1
"""Promises are asked for."""
HOLDING: Final = 2
"""A quorum has promised, and there is nothing to propose yet."""
PROPOSING: Final = 3
