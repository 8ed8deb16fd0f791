"""A cluster for the commands to talk to, and a run-time directory that is nobody else's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from vines import Vine


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the settings of this shell nor the clusters of this user reach a test."""
    for name in [name for name in os.environ if name.startswith("VINES_")]:
        monkeypatch.delenv(name)
    # Commands are to flush by themselves.
    for name in ("NO_COLOR", "PYTHONUNBUFFERED"):
        monkeypatch.delenv(name, raising=False)
    place = tmp_path / "run"
    place.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(place))


@pytest.fixture
def apple() -> Iterator[Vine]:
    """A member of the commands' own cluster that others find on this host."""
    with Vine("apple", "vines") as vine:
        vine.listen(0, "127.0.0.1")
        yield vine
        vine.end()


@pytest.fixture
def nameless() -> Iterator[Vine]:
    """A member of a cluster without a name."""
    with Vine("nameless", "") as vine:
        vine.listen(0, "127.0.0.1")
        yield vine
        vine.end()
