"""The page docs/guide.md has every setting, every event and every public name, as they are."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import vines
from vines.callbacks.listeners import EVENTS
from vines.config import Config

GUIDE = (Path(__file__).parent.parent / "docs" / "guide.md").read_text(encoding="utf-8")


def rows(heading: str) -> list[list[str]]:
    """The cells of the table with this first line, without that line."""
    _, found, table = GUIDE.partition(heading + "\n")
    assert found, f"no table with {heading!r}"
    lines = table.split("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def test_every_setting_stands_there_with_its_default() -> None:
    table = rows("| setting | default | what it is |")
    stated = {words(name)[0]: ast.literal_eval(default.strip("`")) for name, default, _ in table}
    assert len(stated) == len(table)
    assert stated == {name: Config._defaults[name] for name in Config.fields}


def test_every_event_stands_there_with_its_class_and_fields() -> None:
    told: list[str] = []
    for names, kind, fields in rows("| event | class | fields |"):
        told += words(names)
        cls = getattr(vines, words(kind)[0])
        real = cls._fields if issubclass(cls, tuple) else cls.fields
        assert words(fields)[: len(real)] == list(real), kind
        if cls is not vines.Join:
            assert len(words(fields)) == len(real), kind
    assert sorted(told) == sorted(EVENTS)
    when = [name for cell, _ in rows("| event | when |") for name in words(cell)]
    assert sorted(when) == sorted(EVENTS)


@pytest.mark.parametrize("name", vines.__all__)
def test_every_public_name_is_explained(name: str) -> None:
    assert re.search(rf"`(vines\.)?{name}s?\b", GUIDE), f"docs/guide.md never speaks of {name}"
