"""Who may import whom: reads the imports of every module and proves the arrows of the architecture.

The arrows are docs/architecture.md, 'Layers'. A part may import what its arrows lead to, directly
or through others, and nothing else of vines.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import NamedTuple

import pytest

import vines

ROOT = Path(vines.__file__).parent

ARROWS: dict[str, tuple[str, ...]] = {
    "__main__": ("cli",),
    "cli": ("__init__", "simulation"),
    "aio": ("__init__",),
    "__init__": ("vine",),
    "vine": ("checks", "engine", "keyspace", "voting"),
    "voting": ("calls", "checks", "engine"),
    "calls": ("protocol",),
    "keyspace": ("checks", "engine", "values"),
    "engine": ("addresses", "callbacks", "log", "net", "storage"),
    "callbacks": ("events", "log", "values"),
    "addresses": ("protocol",),
    "checks": ("errors", "spelling"),
    "net": ("addresses", "log", "protocol"),
    "storage": ("errors", "hashes", "log"),
    "simulation": ("protocol",),
    "protocol": ("_core", "config", "events", "hashes", "spelling", "values"),
    "values": ("_core", "hints"),
    "events": ("_core", "errors", "frozen"),
    "config": ("errors", "frozen", "spelling"),
    "spelling": ("hints",),
    "frozen": ("_core", "hints"),
    "hints": (),
    "hashes": (),
    "log": ("hints",),
    "_core": ("errors",),
    "errors": (),
}

MSGPACK_IMPORTERS = (
    *("vines.protocol.wire.fields", "vines.values.codec"),
    "vines.storage.database",  # reads what it wrote itself, and believes by a checksum
)
LOGGING_PARTS = ("log",)
PURE_PARTS = ("protocol", "errors", "events", "frozen", "hashes", "hints", "addresses", "spelling")
NOWHERE = {"pickle", "marshal", "shelve", "importlib", "runpy"}
OUTSIDE_WORLD = {
    *("asyncio", "concurrent", "multiprocessing", "queue", "threading"),
    *("select", "selectors", "signal", "socket", "ssl", "subprocess"),
    *("datetime", "random", "secrets", "time", "uuid"),
    *("io", "logging", "os", "pathlib", "sqlite3", "tempfile"),
}
C_LIBRARIES = {"cython", "cpython", "libc"}


class Import(NamedTuple):
    """One imported module, and whether only type checkers ever import it."""

    name: str
    for_types: bool


def imports_of_python(module: str, source: str, *, package: bool = False) -> Iterator[Import]:
    """Every import of a module, those inside functions too, with relative names resolved."""
    tree = ast.parse(source)
    for_types = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test).endswith("TYPE_CHECKING")
        for statement in block.body
        for node in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, id(node) in for_types)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = module.split(".")[: None if package else -1]
                parents = parents[: len(parents) - node.level + 1]
                base = ".".join([*parents, *filter(None, [base])])
            for alias in node.names:
                name = f"{base}.{alias.name}" if is_module(f"{base}.{alias.name}") else base
                yield Import(name, id(node) in for_types)


def imports_of_cython(source: str) -> Iterator[Import]:
    """Every import and cimport of a .pyx or .pxd file."""
    for line in source.splitlines():
        if found := re.match(r"\s*from\s+([\w.]+)\s+c?import\s", line):
            yield Import(found[1], False)
        elif found := re.match(r"\s*c?import\s+([\w., ]+)", line):
            for name in found[1].split(","):
                yield Import(name.split()[0], False)


def is_module(name: str) -> bool:
    """Whether a dotted name is a module of vines, rather than something inside one."""
    path = ROOT.parent.joinpath(*name.split("."))
    return path.is_dir() or any(path.parent.glob(f"{path.name}.p*"))


def part_of(module: str) -> str:
    """The part of vines that a module belongs to: the name in ARROWS."""
    return module.split(".")[1] if "." in module else "__init__"


def reachable(part: str) -> set[str]:
    """The part itself and all that its arrows lead to."""
    found = {part}
    ahead = [part]
    while ahead:
        lower = set(ARROWS[ahead.pop()]) - found
        found |= lower
        ahead.extend(lower)
    return found


def is_compiled(module: str) -> bool:
    """Whether a module has its types beside it, or what was made of it with them."""
    path = ROOT.parent.joinpath(*module.split("."))
    return any(path.with_suffix(end).exists() for end in (".pxd", *EXTENSION_SUFFIXES))


def complaints(module: str, imports: Iterator[Import]) -> list[str]:
    """What is wrong with the imports of one module."""
    part = part_of(module)
    if part not in ARROWS:
        return [f"{module}: no arrow leads to {part}; give it a place in ARROWS"]
    found = []
    for name, for_types in imports:
        root = name.partition(".")[0]
        if root == "vines":
            wrong = part_of(name) not in reachable(part)
        elif root == "cython":  # says how a module is compiled that has its types beside it
            wrong = part != "_core" and not is_compiled(module)
        elif root == "msgpack":
            wrong = module not in MSGPACK_IMPORTERS
        elif part == "_core":
            wrong = root not in C_LIBRARIES and not for_types
        elif root not in sys.stdlib_module_names:
            wrong = True
        elif part in PURE_PARTS:
            wrong = root in OUTSIDE_WORLD | NOWHERE and not for_types
        elif root == "logging":
            wrong = part not in LOGGING_PARTS
        else:
            wrong = root in NOWHERE
        if wrong:
            found.append(f"{module} must not import {name}")
    return found


def test_arrows_make_no_circle() -> None:
    for part, lower in ARROWS.items():
        assert all(part not in reachable(name) for name in lower)


def modules() -> list[Path]:
    return sorted(path for end in ("py", "pyi", "pyx", "pxd") for path in ROOT.rglob(f"*.{end}"))


def imports_of(path: Path) -> tuple[str, Iterator[Import]]:
    """The dotted name of a file's module, and what it imports."""
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    package = parts[-1] == "__init__"
    module = ".".join(parts[:-1] if package else parts)
    source = path.read_text(encoding="utf-8")
    if path.suffix in (".pyx", ".pxd"):
        return module, imports_of_cython(source)
    found = imports_of_python(module, source, package=package)
    if path.suffix == ".pyi":
        return module, (Import(name, True) for name, _ in found)
    return module, found


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_module_imports_only_what_its_arrows_lead_to(path: Path) -> None:
    assert complaints(*imports_of(path)) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("vines.errors", "from vines.config import Config"),
        ("vines._core", "import time"),
        ("vines._core", "import msgpack"),
        ("vines.config", "from vines.protocol import node"),
        ("vines.protocol.node", "import socket"),
        ("vines.protocol.node", "from time import monotonic"),
        ("vines.protocol.node", "def f():\n    import random"),
        ("vines.protocol.node", "import logging"),
        ("vines.protocol.node", "import msgpack"),
        ("vines.protocol.node", "from ..net import loop"),
        ("vines.protocol.node", "from vines.net.loop import Loop"),
        ("vines.protocol.node", "import vines"),
        ("vines.protocol.node", "import numpy"),
        ("vines.simulation.world", "from vines.net import loop"),
        ("vines.simulation.world", "from vines.vine import Vine"),
        ("vines.net.loop", "from vines.vine import Vine"),
        ("vines.net.loop", "from vines import Vine"),
        ("vines.net.loop", "import pickle"),
        ("vines.cli.demo", "import logging"),
        ("vines.net.loop", "import logging"),
        ("vines.gadgets", ""),
    ],
)
def test_forbidden_import_is_seen(module: str, source: str) -> None:
    assert complaints(module, imports_of_python(module, source))


@pytest.mark.parametrize(
    "source", ["import time", "from libc.stdlib cimport free\nfrom os import urandom", "import io"]
)
def test_forbidden_import_of_the_core_is_seen(source: str) -> None:
    assert complaints("vines._core.table", imports_of_cython(source))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "vines.protocol.node",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING: import random",
        ),
        ("vines.protocol.wire.fields", "import msgpack"),
        ("vines.net.loop", "import socket\nfrom vines.protocol import node"),
        ("vines.log", "import logging"),
        ("vines.vine", "from vines._core.table import Table"),
        ("vines.cli", "from vines import Vine"),
    ],
)
def test_allowed_import_is_not_complained_about(module: str, source: str) -> None:
    assert complaints(module, imports_of_python(module, source)) == []
