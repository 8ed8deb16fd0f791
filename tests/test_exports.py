"""What vines promises to keep: its public names, its types, its version, and a light import."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

import vines
from vines import errors

PACKAGE = Path(vines.__file__).parent
CHANGELOG = Path(__file__).parent.parent / "CHANGELOG.md"
ERRORS = [thing for _, thing in inspect.getmembers(errors, inspect.isclass)]

# Each would cost a program that imports vines time or memory, and what uses it can import it then.
NOT_AT_IMPORT = (
    *("argparse", "asyncio", "concurrent.futures", "contextlib", "ctypes", "dataclasses"),
    *("decimal", "email", "http", "inspect", "logging", "multiprocessing", "re", "sqlite3", "ssl"),
    *("tomllib", "typing", "unittest"),
    *("vines.cli", "vines.simulation"),
)


def test_public_names_are_a_sorted_tuple_without_doubles() -> None:
    assert isinstance(vines.__all__, tuple)
    assert list(vines.__all__) == sorted(set(vines.__all__))


@pytest.mark.parametrize("name", vines.__all__)
def test_public_name_exists_and_says_what_it_is(name: str) -> None:
    thing = getattr(vines, name)
    if inspect.isclass(thing) or inspect.isroutine(thing):
        assert thing.__doc__, f"{name} has no docstring"


def test_what_is_not_private_is_listed() -> None:
    public = {
        name
        for name, thing in vars(vines).items()
        if not name.startswith("_") and not inspect.ismodule(thing) and name != "annotations"
    }
    assert public <= set(vines.__all__)


def test_public_names_are_imported_in_the_form_that_type_checkers_take_for_public() -> None:
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module != "__future__":
            for alias in statement.names:
                if alias.name in vines.__all__:
                    assert alias.asname == alias.name


@pytest.mark.parametrize("error", ERRORS)
def test_error_has_one_root_and_says_whose_fault(error: type[Exception]) -> None:
    assert issubclass(error, errors.VinesError)
    assert error.__doc__
    sides = [side for side in (errors.LocalError, errors.RemoteError) if issubclass(error, side)]
    assert len(sides) == (0 if error is errors.VinesError else 1)


@pytest.mark.parametrize("error", ERRORS)
def test_error_is_public(error: type[Exception]) -> None:
    assert getattr(vines, error.__name__) is error


def test_version_is_that_of_the_distribution_and_of_the_changelog() -> None:
    try:
        version = metadata.version("pyvines")
    except metadata.PackageNotFoundError:
        pytest.skip("run from sources that are not installed")
    assert vines.__version__ == version
    newest = re.search(r"^## (\S+)", CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version


def test_package_carries_its_types() -> None:
    assert (PACKAGE / "py.typed").exists()
    compiled = [module.name for module in pkgutil.iter_modules([str(PACKAGE / "_core")])]
    assert compiled
    for name in compiled:
        assert (PACKAGE / "_core" / f"{name}.pyi").exists(), f"{name} has no stub"


@pytest.mark.parametrize(
    "name", [module.name for module in pkgutil.walk_packages([str(PACKAGE)], "vines.")]
)
def test_module_can_be_imported_and_says_what_it_decides(name: str) -> None:
    if not name.endswith("__main__"):
        assert importlib.import_module(name).__doc__


def test_import_is_light() -> None:
    program = (
        "import sys; before = set(sys.modules); import vines; print(*set(sys.modules) - before)"
    )
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "vines" in loaded
    assert [name for name in NOT_AT_IMPORT if name in loaded] == []
