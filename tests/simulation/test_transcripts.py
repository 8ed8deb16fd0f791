"""The schedules that break a wrong implementation of the rules, played on the shipped core."""

from __future__ import annotations

from pathlib import Path

import pytest

from .transcript import DIRECTORY, play

TRANSCRIPTS = sorted(DIRECTORY.glob("*.txt"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript_is_as_written(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert play(text) == text
    assert "VIOLATION" not in text


@pytest.mark.parametrize("rule", range(1, 9))
def test_every_rule_has_a_transcript(rule: int) -> None:
    assert any(path.stem.startswith(f"rule{rule}_") for path in TRANSCRIPTS)


def test_a_violation_would_be_seen() -> None:
    """The checks behind the transcripts are awake: a table that forgot everything is caught."""
    text = "tables a b\n\nwrite a k v\n\ntables a\n\nwrite b x y\n\nwrite a k w\n"
    with pytest.raises(AssertionError, match="issued twice"):
        play(text)
