"""The log: what vines says to people who run it, as the logger "vines" of the standard library.

That library is loaded with the first line to be written: it is an eighth of `import vines`, and a
process in which nothing goes wrong never needs it. Where the program sets logging up, that says
what is shown; where it does not, warnings and errors go to the standard error, as of any logger:
what a callback raised, or why a node votes no more, must not be lost for want of a configuration.
"""

from __future__ import annotations

from vines.hints import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging


class _Log:
    """Stands for the logger, and becomes it with the first use."""

    hushed = False
    """Whether nothing is shown unless the program sets logging up."""

    def __getattr__(self, name: str) -> Any:
        import logging

        real = logging.getLogger("vines")
        if self.hushed and not real.handlers:
            real.addHandler(logging.NullHandler())
        value = getattr(real, name)
        setattr(self, name, value)
        return value


logger: logging.Logger = _Log()  # type: ignore[assignment]


def hush() -> None:
    """For a program that says itself what went wrong, as the command line does."""
    _Log.hushed = True
