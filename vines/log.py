"""The log: what vines says to people who run it, as the logger "vines" of the standard library.

That library is loaded with the first line to be written: it is an eighth of `import vines`, and a
process in which nothing goes wrong never needs it. Where the program sets logging up, that says
what is shown; where it does not, warnings and errors go to the standard error, as of any logger:
what a callback raised, or why a node votes no more, must not be lost for want of a configuration.
"""

from __future__ import annotations

import sys

from vines.hints import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging


class _Log:
    """Stands for the logger, and becomes it with the first use."""

    hushed = False
    """Whether the program says itself what went wrong, but for what these modules say."""
    shown: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        import logging

        real = logging.getLogger("vines")
        if self.hushed and not real.handlers:
            real.addHandler(_handler(self.shown))
        value = getattr(real, name)
        setattr(self, name, value)
        return value


logger: logging.Logger = _Log()  # type: ignore[assignment]


def hush(*but: str) -> None:
    """For a program that says itself what went wrong, as the command line does: nothing is shown,
    unless it sets logging up, `but` warnings and errors of these modules.
    """
    _Log.hushed, _Log.shown = True, but


def _handler(modules: tuple[str, ...]) -> logging.Handler:
    """Shows what these modules say, as a line of the program's own."""
    import logging

    class Shown(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.module in modules and sys.stderr is not None:
                try:
                    sys.stderr.write(f"vines: {record.getMessage()}\n")
                except OSError:
                    pass  # nobody is there to read it

    return Shown(logging.WARNING)
