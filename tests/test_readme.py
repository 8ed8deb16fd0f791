"""The examples of README.md and of two other pages run as they stand, and print what those say.

A fenced block of Python is one program. If a block fenced as `text` follows it, that is what the
program prints. The comment `<!-- not run: reason -->` above a block leaves it out, for what no
single machine can show.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "docs/guide.md", "docs/elections.md")

BLOCK = re.compile(
    r"^(?P<left_out><!-- not run: [^\n]+ -->\n+)?"
    r"```python\n(?P<program>.*?)^```\n"
    r"(?:\n*```text\n(?P<output>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)


class Example(NamedTuple):
    """One program of a page."""

    line: int
    program: str
    output: str | None
    left_out: bool


def examples(text: str) -> list[Example]:
    return [
        Example(
            line=text.count("\n", 0, block.start("program")),
            program=block["program"],
            output=block["output"],
            left_out=block["left_out"] is not None,
        )
        for block in BLOCK.finditer(text)
    ]


RUN = [
    pytest.param(example, id=f"{page}:{example.line}")
    for page in PAGES
    for example in examples((ROOT / page).read_text(encoding="utf-8"))
    if not example.left_out
]


def test_pages_show_programs_that_are_run() -> None:
    assert len(RUN) > len(PAGES)


@pytest.mark.parametrize("example", RUN)
def test_example_runs(example: Example) -> None:
    command = [sys.executable, "-W", "error", "-c", example.program]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    if example.output is not None:
        assert result.stdout == example.output


def test_blocks_are_found_with_their_output_and_left_out_on_request() -> None:
    text = (
        "# title\n```python\nprint(1)\n```\n\n```text\n1\n```\n"
        "<!-- not run: two machines -->\n```python\nprint(2)\n```\n"
        "```console\n$ ls\n```\n```python\nprint(3)\n```\n"
    )
    assert examples(text) == [
        Example(2, "print(1)\n", "1\n", False),
        Example(10, "print(2)\n", None, True),
        Example(16, "print(3)\n", None, False),
    ]
