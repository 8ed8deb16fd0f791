"""`./run` says in one line what a system lacks, and takes the newest interpreter that will do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parent.parent / "run"
TOOLS = ("cat", "dirname", "find", "head", "mkdir", "sh")
VERSION = f"python3.{sys.version_info.minor}"

WITHOUT_VENV = "raise ImportError"
WITHOUT_HEADERS = """
import sysconfig

get_path = sysconfig.get_path
sysconfig.get_path = lambda name: "/nowhere" if name == "platinclude" else get_path(name)
"""

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not RUN.exists(), reason="a script for clones on Linux"
)


class System:
    """A folder with a copy of `run` and nothing on PATH but what a test puts there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.programs = root / "bin"
        self.programs.mkdir()
        shutil.copy(RUN, root)
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None
            (self.programs / tool).symlink_to(found)

    def compiler(self) -> None:
        self._program("cc", "exit 0")

    def python(self, name: str, *, shadow: dict[str, str] | None = None) -> None:
        """Install this interpreter under a name; modules in `shadow` come before its own."""
        modules = self.root / f"shadow-{name}"
        modules.mkdir()
        for module, source in (shadow or {}).items():
            (modules / f"{module}.py").write_text(source, encoding="utf-8")
        self._program(name, f'PYTHONPATH={modules} exec {sys.executable} "$@"')

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        # CC: the compiler that built this interpreter may have a name that is not on PATH here.
        environment = {"PATH": str(self.programs), "CC": "cc"}
        command = ["/bin/sh", str(self.root / "run"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)

    def missing(self) -> list[str]:
        """What it would install, and that the commands of a newcomer stop with a line about it."""
        packages = self.run("missing").stdout.split()
        if packages:
            for command in ("demo", "test"):
                stopped = self.run(command)
                assert stopped.returncode == 1
                assert stopped.stdout == ""
                (line,) = stopped.stderr.splitlines()
                assert line.endswith(f"apt install {' '.join(packages)}")
        return packages

    def _program(self, name: str, text: str) -> None:
        program = self.programs / name
        program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        program.chmod(0o755)


@pytest.fixture
def system(tmp_path: Path) -> System:
    return System(tmp_path)


def test_bare_system_lacks_everything(system: System) -> None:
    assert system.missing() == ["gcc", "libc6-dev", "python3", "python3-dev", "python3-venv"]


def test_system_with_an_old_python_is_told_of_a_newer_one(system: System) -> None:
    system.compiler()
    system._program("python3", "exit 1")
    assert system.missing() == ["python3.11", "python3.11-dev", "python3.11-venv"]


def test_complete_system_lacks_nothing(system: System) -> None:
    system.compiler()
    system.python("python3")
    assert system.missing() == []


def test_compiler_is_missed(system: System) -> None:
    system.python("python3")
    assert system.missing() == ["gcc", "libc6-dev"]


def test_venv_module_is_missed(system: System) -> None:
    system.compiler()
    system.python("python3", shadow={"ensurepip": WITHOUT_VENV})
    assert system.missing() == [f"{VERSION}-venv"]


def test_headers_are_missed(system: System) -> None:
    system.compiler()
    system.python("python3", shadow={"sitecustomize": WITHOUT_HEADERS})
    assert system.missing() == [f"{VERSION}-dev"]


def test_interpreter_that_lacks_nothing_is_taken_before_a_newer_one_that_does(
    system: System,
) -> None:
    system.compiler()
    system.python("python3.14", shadow={"ensurepip": WITHOUT_VENV})
    system.python("python3.12")
    assert system.missing() == []


def test_unknown_command_is_refused_with_the_list_of_commands(system: System) -> None:
    refused = system.run("dance")
    assert refused.returncode == 1
    assert "usage: ./run" in refused.stderr
    assert refused.stderr.endswith("vines: there is no command 'dance'\n")
