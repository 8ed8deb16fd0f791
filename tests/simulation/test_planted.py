"""Known bugs, planted in the shipped core one at a time: each must be found, twice.

Once by the transcript that was written for it and once by chance; what only damaged bytes bring to
light, by those of the core's tests and by those of the protocol's.

Runs against a core built with VINES_BUILD=debug (`./run planted`).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.core import test_hostile as damages
from tests.core import test_table_deleting
from tests.protocol import test_hostile as frames
from vines._core import table
from vines.simulation import Violation, run_seed

from .transcript import DIRECTORY, play

TRANSCRIPTS = sorted(DIRECTORY.glob("*.txt"))
WITH_COLLECTING = sorted((DIRECTORY.parent / "transcripts_planted").glob("*.txt"))

CAUGHT_BY = {
    "gap_passed_before_overwriter": "rule2_cut_before_overwriter",
    "entry_not_logged_where_it_came": "rule2_entry_logged_where_it_came",
    "covered_range_skips_elsewhere": "rule3_covered_range_still_gives_what_lives_elsewhere",
    "once_across_links": "rule2_once_within_one_delta_only",
    "gap_check_skipped": "rule3_refused_range_is_pulled",
    "received_vector_merged": "rule4_a_vector_is_only_a_hint",
    "tie_not_broken": "rule1_origin_breaks_ties",
    "tombstone_dropped_at_once": "rule5_the_higher_rank_wins",
    "vector_before_records": "rule2_vector_with_its_records",
    "last_writer_inverted": "rule5_the_higher_rank_wins",
    "below_vector_merged": "rule3_collected_key_stays_away",
    "expiring_in_fingerprint": "ttl_a_lapse_is_no_write",
    "joiner_restarts_the_clock": "ttl_a_joiner_gets_what_is_left",
    "ephemeral_in_fingerprint": "ephemeral_is_no_part_of_the_state",
    "ephemeral_dropped_on_false_death": "ephemeral_is_hidden_and_shown_again",
}
"""Per planted bug the transcript that was written for it."""

FOUND_BY_CHANCE = {"compaction_raises_no_floor"}
"""Takes logs without slack, and more than a transcript would show."""
FOUND_BY_DAMAGE = {"applied_while_parsed": ["delta", "page"]}
"""Per planted bug the forms whose damage shows it."""
SLOTS_REUSED = {
    "slot_reused_with_what_was_known_of_another",
    "slot_given_back_while_it_is_an_origin",
    "source_forgotten_with_its_slot",
}
"""Schedules of tables in which sources come and go find two, a test of tables alone the other."""
CAUGHT_BY_THE_CORE = {"sketch_unkeyed", *test_table_deleting.PLANTED} | SLOTS_REUSED
"""The first needs ids that somebody crafted: tests/core/test_sketch.py has two. Of the others each
has a test of tables alone, and most a schedule of whole nodes: test_planted_deletions.py.
"""

SEEDS_MAX = 60
"""Random runs that may pass before one finds the bug."""
NOT_BY_CHANCE = {"below_vector_merged"}
"""Needs a record that was collected, which nothing but a transcript does yet."""


@pytest.fixture
def clean() -> Iterator[None]:
    """No bug before, none after."""
    table.plant(0)
    yield
    table.plant(0)


def test_the_command_a_failure_prints_shows_it_again() -> None:
    bug = "vector_before_records"
    table.plant(table.PLANTED[bug])
    with pytest.raises(Violation) as caught:
        run_seeds(SEEDS_MAX)
    message = str(caught.value)
    _, _, command = message.partition("replay: python ")
    done = subprocess.run(
        [sys.executable, *command.split(), "--plant", bug], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert message in done.stdout


def run_seeds(count: int) -> None:
    for seed in range(count):
        run_seed(seed)


pytestmark = [pytest.mark.planted, pytest.mark.usefixtures("clean")]


def test_every_planted_bug_has_its_transcript() -> None:
    elsewhere = FOUND_BY_DAMAGE.keys() | FOUND_BY_CHANCE | CAUGHT_BY_THE_CORE
    assert CAUGHT_BY.keys() | elsewhere == table.PLANTED.keys()


@pytest.mark.parametrize(
    ("bug", "form"), [(bug, form) for bug, forms in FOUND_BY_DAMAGE.items() for form in forms]
)
@pytest.mark.parametrize("damage", [damages.prefixes, damages.flips, damages.numbers])
def test_damaged_bytes_catch_the_bug(bug: str, form: str, damage: Callable[..., object]) -> None:
    damages.test_damage_is_refused_whole_or_does_what_it_says(form, damage)
    table.plant(table.PLANTED[bug])
    with pytest.raises(AssertionError):
        damages.test_damage_is_refused_whole_or_does_what_it_says(form, damage)


@pytest.mark.parametrize("bug", FOUND_BY_DAMAGE)
def test_a_frame_that_is_damaged_catches_the_bug(bug: str) -> None:
    table.plant(table.PLANTED[bug])
    with pytest.raises(AssertionError):
        frames.test_no_mutation_of_a_frame_harms_an_established_link("delta")


@pytest.mark.parametrize("path", [*TRANSCRIPTS, *WITH_COLLECTING], ids=lambda path: path.stem)
def test_transcript_is_as_written_without_a_bug(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert play(text) == text


@pytest.mark.parametrize("bug", CAUGHT_BY)
def test_transcript_catches_its_bug(bug: str) -> None:
    (path,) = (path for path in [*TRANSCRIPTS, *WITH_COLLECTING] if path.stem == CAUGHT_BY[bug])
    text = path.read_text(encoding="utf-8")
    table.plant(table.PLANTED[bug])
    assert play(text, table.PLANTED[bug]) != text


BY_CHANCE = [*(bug for bug in CAUGHT_BY if bug not in NOT_BY_CHANCE), *sorted(FOUND_BY_CHANCE)]


@pytest.mark.parametrize("bug", BY_CHANCE)
def test_random_runs_catch_the_bug(bug: str) -> None:
    table.plant(table.PLANTED[bug])
    with pytest.raises(Violation, match=r"replay: python -m vines\.simulation \d+ --nodes \d"):
        run_seeds(SEEDS_MAX)
