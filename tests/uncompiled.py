"""Runs a module with what of vines is Python as it is written, so that bugs can be planted in what
is otherwise compiled: python -m tests.uncompiled MODULE [ARGUMENT ...].
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType


class AsWritten(MetaPathFinder):
    """Finds the sources of modules that are compiled."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        compiled = ("vines.callbacks.", "vines.protocol.", "vines.simulation.")
        if not name.startswith(compiled) or path is None:
            return None
        source = Path(path[0], name.rpartition(".")[2]).with_suffix(".py")
        return spec_from_file_location(name, source) if source.exists() else None


def stand_in() -> ModuleType:
    """In place of `cython`, which only says how to compile, where it is not installed."""
    module = ModuleType("cython")
    for name in ("cclass", "no_gc"):
        setattr(module, name, lambda kind: kind)
    return module


if __name__ == "__main__":
    if find_spec("cython") is None:
        sys.modules["cython"] = stand_in()
    sys.meta_path.insert(0, AsWritten())
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__")
