"""A hundred real processes: one cluster, whatever is written, killed or leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")


def run(*words: object) -> dict[str, Any]:
    """Let a process of its own, without threads, fork them all and say what came of it."""
    command = [sys.executable, "-m", "tests.vine.troop", *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_hundred_processes_are_one_cluster_whoever_dies(
    record_property: Callable[[str, object], None],
) -> None:
    found = run("scenario", 100)
    assert found["seen"] == [100] * 100
    assert found["got"] == ["value"] * 100
    assert max(found["links"]) <= 28
    assert found["alive"] == 90
    assert found["got_next"] == ["value"] * 90
    assert found["seen_then"] == [90] * 90
    assert found["seen_last"] == [89] * 89
    record_property("times", found["times"])


def test_halves_between_which_packets_are_dropped_are_one_cluster_once_they_are_not(
    record_property: Callable[[str, object], None],
) -> None:
    found = run("parted", 100)
    if "unpermitted" in found:
        pytest.skip(found["unpermitted"])
    assert found["seen"] == [100] * 100
    assert found["seen_apart"] == [50] * 100
    assert found["crossed"] == [None] * 100
    assert found["seen_together"] == [100] * 100
    assert found["got"] == [["value"] * 100] * 2
    assert found["seen_last"] == [99] * 99
    record_property("times", found["times"])


def test_what_one_writes_as_fast_as_it_can_is_in_every_table_of_ten() -> None:
    assert run("pour", 10, 50_000)["held"] == [50_000] * 10
