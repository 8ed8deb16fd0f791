"""The option that writes transcripts anew."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    try:
        parser.addoption("--rewrite", action="store_true", help="write transcripts anew")
    except ValueError:
        pass  # the simulation's transcripts have the same option
