"""The rules of links, members and replication, as transcripts of whole nodes."""

from __future__ import annotations

from pathlib import Path

import pytest

from .scenario import DIRECTORY, play

SCENARIOS = sorted(DIRECTORY.glob("*.txt"))


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenario_is_as_written(path: Path, pytestconfig: pytest.Config) -> None:
    text = path.read_text(encoding="utf-8")
    played = play(text)
    if pytestconfig.getoption("--rewrite", default=False):
        path.write_text(played, encoding="utf-8")
    else:
        assert played == text


def test_scenarios_are_found() -> None:
    assert len(SCENARIOS) >= 10
