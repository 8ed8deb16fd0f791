"""What a command prints: for people on a terminal, plain in a pipe, or one JSON object a line.

Keys and values come from other machines, so nothing that could steer a terminal reaches one: what
is not printable is shown as its escape. JSON has no bytes and no times: they become {"$bytes":
base64} and {"$time": ISO 8601}; keys of dicts that are int become str.
"""

from __future__ import annotations

import base64
import json
import os
import sys
import threading
from datetime import UTC, datetime
from typing import Any, Final, TextIO

BOLD: Final = "1"
DIM: Final = "2"
RED: Final = "31"
GREEN: Final = "32"
YELLOW: Final = "33"
CYAN: Final = "36"

COLUMN_GAP: Final = "  "


class Output:
    """The standard output of one command.

    Callbacks print from the thread that calls back, the command from its own; the lock keeps each
    line whole. Nothing else is shared between the two.
    """

    def __init__(self, *, as_json: bool, stream: TextIO | None = None) -> None:
        # Without a standard output (closed by the parent) there is nobody to tell anything.
        self._stream = stream or sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        self._lock = threading.Lock()
        self.as_json = as_json
        self.terminal = is_terminal(self._stream)
        """Whether somebody watches, so lines may be rewritten and must be harmless."""
        self._coloured = self.terminal and not os.environ.get("NO_COLOR")

    def line(self, text: str, /, **fields: Any) -> None:
        """One line: the text, or the fields as a JSON object."""
        self.raw((json_line(fields) if self.as_json else text) + "\n")

    def value(self, value: Any, /, **fields: Any) -> None:
        """A value alone, as the next program in a pipe wants it: text and bytes as they are."""
        if self.as_json:
            self.line("", **fields, value=value)
        elif isinstance(value, str):
            self.raw((readable(value, keep="\n\t") if self.terminal else value) + "\n")
        elif isinstance(value, bytes) and not self.terminal:
            self._bytes(value)
        else:
            self.raw(shown(value) + "\n")

    def table(self, titles: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
        """Aligned columns under titles on a terminal; fields between tabs for other programs."""
        if not self.terminal:
            self.raw("".join("\t".join(row) + "\n" for row in rows))
            return
        widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
        lines = [
            COLUMN_GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            for row in (titles, *rows)
        ]
        head, *body = (line.rstrip() for line in lines)
        self.raw("\n".join([self.paint(head, BOLD), *body]) + "\n")

    def raw(self, text: str) -> None:
        """Text as it is, at once."""
        with self._lock:
            self._stream.write(text)
            self._stream.flush()

    def paint(self, text: str, *styles: str) -> str:
        """The text in a colour, if there are colours."""
        if not self._coloured:
            return text
        return f"\x1b[{';'.join(styles)}m{text}\x1b[0m"

    def _bytes(self, value: bytes) -> None:
        with self._lock:
            self._stream.flush()
            self._stream.buffer.write(value)
            self._stream.buffer.flush()


def settle_standard_output() -> None:
    """What could not be written must not fail again when the interpreter flushes it at exit."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def complain(text: str) -> None:
    """What went wrong, in one line of the standard error."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        pass  # nobody is there to read it; the exit code remains


def is_terminal(stream: TextIO) -> bool:
    """Whether a stream leads to a terminal that can do more than print lines."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def shown(value: Any) -> str:
    """A value on one line: JSON as far as it reaches, harmless to a terminal."""
    return readable(json.dumps(_plain(value), ensure_ascii=False))


def shown_key(key: str) -> str:
    """A key on one line: as it is, or quoted if it could be taken for something else."""
    plain = key.isprintable() and key == key.strip() and '"' not in key
    return key if plain else shown(key)


def readable(text: str, *, keep: str = "") -> str:
    """The text with whatever is not printable as its escape, but for what is to be kept."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode()
        for each in text
    )


def json_line(fields: dict[str, Any]) -> str:
    """A JSON object on one line, in ASCII: it survives every encoding."""
    return json.dumps(_plain(fields))


def now_text(form: str = "%H:%M:%S") -> str:
    """The time of day here, in milliseconds."""
    now = datetime.now().astimezone()
    return f"{now.strftime(form)}.{now.microsecond // 1000:03}"


def _plain(value: Any) -> Any:
    """A value of vines as JSON can carry it."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime):
        return {"$time": value.astimezone(UTC).isoformat()}
    return value
