"""A value as it is typed on a command line.

What parses as JSON is that value, anything else is text: `8000` is a number, `true` a truth,
`hello` text, and so is `NaN`, which is no JSON. Who means the text "8000" says so.
"""

from __future__ import annotations

import json
from typing import Any

from vines.cli.exits import USAGE, Failure

TEXT = "text"
JSON = "json"


def parse_value(text: str, form: str | None = None) -> Any:
    """The value meant; `form` (TEXT or JSON) leaves no choice. Failure if it is not that."""
    if form == TEXT:
        return text
    try:
        return json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        if form == JSON:
            raise Failure(USAGE, f"the value is not JSON: {error}") from None
    return text


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
