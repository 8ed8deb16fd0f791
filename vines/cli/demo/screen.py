"""What the audience of the demo sees: each claim as it comes true, and a table in the end.

On a terminal the line of a claim that is waited for counts the time; elsewhere, and in JSON, only
what is settled is printed.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import Any, Final

from vines.cli.output import BOLD, DIM, GREEN, RED, Output

TEXT_WIDTH: Final = 58
TIME_WIDTH: Final = 10
COUNT_WIDTH: Final = 8
SHOWN_SECONDS: Final = 0.3
"""A claim that is waited for is shown as such only after this, or the screen would flicker."""

ERASE: Final = "\r\x1b[K"


@dataclass(frozen=True, slots=True)
class Measured:
    """A claim was seen to be true."""

    nanoseconds: int | None = None
    """How long it took, measured by the processes concerned."""
    note: str = ""
    slowest: int | None = None
    """Of several, if there were several."""


@dataclass(slots=True)
class Row:
    """What came of one act."""

    title: str
    claims: int = 0
    measured: int = 0
    """The longest of its claims."""
    held: bool = True


class Screen:
    """Tells the audience."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._act = 0
        self._waiting = False

    def title(self, title: str, subtitle: str) -> None:
        """The name of the play, and what one has to know."""
        self._people(f"{self._output.paint(title, BOLD)}\n{self._output.paint(subtitle, DIM)}")

    def act(self, number: int, title: str) -> None:
        """An act begins."""
        self._act = number
        self._people("\n" + self._output.paint(f"{number}  {title}", BOLD))

    def fact(self, text: str) -> None:
        """What is done now; it needs no proof."""
        self._people("      " + self._output.paint(text, DIM))

    def waiting(self, text: str, seconds: float) -> None:
        """A claim has not come true yet."""
        if self._output.terminal and not self._output.as_json and seconds >= SHOWN_SECONDS:
            self._waiting = True
            line = f"  ... {text:<{TEXT_WIDTH}}{seconds:>{TIME_WIDTH - 2}.1f} s"
            # A line that wraps could not be erased.
            self._output.raw(ERASE + line[: shutil.get_terminal_size().columns - 1])

    def held(self, text: str, seen: Measured) -> None:
        """A claim has come true."""
        self._clear()
        words = f"{text}, {seen.note}" if seen.note else text
        if seen.slowest is not None:
            words += f" (slowest {duration(seen.slowest)})"
        line = self._line("ok", GREEN, words, duration(seen.nanoseconds))
        fields: dict[str, Any] = {"act": self._act, "claim": text, "held": True}
        if seen.nanoseconds is not None:
            fields["seconds"] = seen.nanoseconds / 1e9
        if seen.slowest is not None:
            fields["seconds_max"] = seen.slowest / 1e9
        self._output.line(line, **fields)

    def missed(self, text: str, why: str) -> None:
        """A claim has not come true."""
        self._clear()
        line = f"  {self._output.paint('NO', RED)}  {text}: {why}"
        self._output.line(line, act=self._act, claim=text, held=False, why=why)

    def summary(self, rows: list[Row], untried: list[str], seconds: float) -> bool:
        """All acts, also those that were not tried, and what it comes to: whether all held."""
        self._clear()
        held = all(row.held for row in rows) and not untried
        if self._output.as_json:
            acts = [{"title": row.title, "held": row.held, "claims": row.claims} for row in rows]
            acts += [{"title": title, "held": None, "claims": 0} for title in untried]
            self._output.line("", summary=acts, held=held, seconds=round(seconds, 3))
            return held
        title = f"{'Summary':<{TEXT_WIDTH - COUNT_WIDTH + 6}}{'seen':>{COUNT_WIDTH}}"
        self._people("\n" + self._output.paint(f"{title}{'measured':>{TIME_WIDTH}}", BOLD))
        for row in rows:
            mark, style = ("ok", GREEN) if row.held else ("NO", RED)
            self._row(mark, style, row.title, str(row.claims), duration(row.measured or None))
        for title in untried:
            self._row("--", DIM, title, "-", "")
        verdict = "All of it happened" if held else "Not all of it happened"
        self._people(f"\n{verdict}; this took {seconds:.1f} s.")
        return held

    def _row(self, mark: str, style: str, title: str, count: str, measured: str) -> None:
        words = f"{title:<{TEXT_WIDTH - COUNT_WIDTH}}{count:>{COUNT_WIDTH}}"
        self._people(self._line(mark, style, words, measured))

    def _line(self, mark: str, style: str, text: str, time: str) -> str:
        pad = " " * (4 - len(mark))
        line = f"{self._output.paint(mark, style)}{pad}{text:<{TEXT_WIDTH}}{time:>{TIME_WIDTH}}"
        return f"  {line}".rstrip()

    def _people(self, text: str) -> None:
        """A line that is not for programs."""
        self._clear()
        if not self._output.as_json:
            self._output.raw(text + "\n")

    def _clear(self) -> None:
        if self._waiting:
            self._waiting = False
            self._output.raw(ERASE)


def duration(nanoseconds: int | None) -> str:
    """A time with a unit that suits it; nothing for none."""
    if nanoseconds is None:
        return ""
    milliseconds = nanoseconds / 1e6
    if milliseconds < 10.0:
        return f"{milliseconds:.2f} ms"
    if milliseconds < 1000.0:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.2f} s"
