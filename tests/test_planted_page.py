"""docs/planted.md says of each planted bug what finds it: just that, and of all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.core import test_table_deleting, test_table_schedules
from tests.simulation import test_planted, test_planted_deletions
from vines._core.table import PLANTED

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "planted.md").read_text(encoding="utf-8")
FOUND_BY = {
    "S": set(test_planted.BY_CHANCE),
    "T": set(test_planted.CAUGHT_BY),
    "W": set(test_planted_deletions.CAUGHT_BY),
    "K": set(test_table_deleting.PLANTED),
}
"""What each letter of the page stands for."""
SCHEDULES = "schedules of tables"


def rows() -> dict[str, str]:
    """What the page says of each switch of the core."""
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 3:
            found.update(dict.fromkeys(re.findall(r"`(\w+)`", cells[1]), cells[2]))
    return found


def test_every_switch_is_on_the_page_and_nothing_else() -> None:
    assert rows().keys() == PLANTED.keys()


@pytest.mark.parametrize("bug", PLANTED)
def test_what_finds_a_bug_is_what_the_page_says(bug: str) -> None:
    said = rows()[bug]
    letters = set(re.findall(r"\b[STWKM]\b", said)) - {"M"}
    assert letters == {letter for letter, bugs in FOUND_BY.items() if bug in bugs}
    if SCHEDULES in said:
        assert bug not in test_table_schedules.ELSEWHERE_FOUND
    assert letters or SCHEDULES in said or "`tests/" in said or bug in test_planted.FOUND_BY_DAMAGE


def test_the_tests_that_it_names_are_there() -> None:
    names = re.findall(r"`(tests/[\w/]+\.py)`", PAGE)
    assert len(names) > 5
    assert [name for name in names if not (ROOT / name).exists()] == []
