"""The log: what vines says to people who run it, as the logger "vines" of the standard library.

That library is loaded with the first line to be written: it is an eighth of `import vines`, and a
process in which nothing goes wrong never needs it. As of any library, nothing is shown unless the
program sets logging up.
"""

from __future__ import annotations

from vines.hints import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import logging


class _Log:
    """Stands for the logger, and becomes it with the first use."""

    def __getattr__(self, name: str) -> Any:
        import logging

        real = logging.getLogger("vines")
        if not any(isinstance(handler, logging.NullHandler) for handler in real.handlers):
            real.addHandler(logging.NullHandler())
        value = getattr(real, name)
        setattr(self, name, value)
        return value


logger: logging.Logger = _Log()  # type: ignore[assignment]
