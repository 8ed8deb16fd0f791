"""What may not be a data directory, and what is said about it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.net.strangers import ROOT, posix_only
from tests.storage.places import RECORDS, contents, made, refuses, reopened
from vines.errors import StorageUnusable
from vines.storage.directory import open_directory

root_only = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() != 0, reason="gives files away: root only"
)


def unshared(script: str) -> str:
    """What a shell prints that may mount what it likes, or skips if it may not."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare: nothing can be mounted for a test")
    try:
        probe = "mount -t tmpfs none /mnt"
        subprocess.run(["unshare", "-m", "sh", "-c", probe], check=True, capture_output=True)
    except subprocess.CalledProcessError:
        pytest.skip("may not mount")
    done = subprocess.run(
        ["unshare", "-m", "sh", "-ec", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@posix_only
def test_a_directory_that_is_made_is_the_user_s_alone(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        open_directory(tmp_path / "data").close()
    finally:
        os.umask(previous)
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_path_may_be_relative_and_is_settled_when_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    storage = open_directory("data/")
    monkeypatch.chdir(tmp_path / "elsewhere")
    storage.write([(b"a", b"1")])
    storage.close()
    assert reopened(tmp_path / "data")[3] == {b"a": b"1"}
    assert contents(tmp_path / "elsewhere") == {}


def test_a_path_is_text(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="text"):
        open_directory(os.fsencode(tmp_path / "data"))  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["", "a\0b", "x" * 300, "x/" * 3000])
def test_a_path_that_cannot_be_one_is_refused(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StorageUnusable, match="nothing changed: "):
        open_directory(path)
    assert contents(tmp_path) == {}


def test_a_parent_must_be_there(tmp_path: Path) -> None:
    refuses(tmp_path / "missing" / "data", StorageUnusable, "has no parent directory")
    (tmp_path / "file").write_text("")
    refuses(tmp_path / "file" / "data", StorageUnusable, "has no parent directory")
    assert os.listdir(tmp_path) == ["file"]


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("mine")
    refuses(tmp_path / "data", StorageUnusable, "is no directory")
    assert (tmp_path / "data").read_text() == "mine"


@posix_only
def test_a_link_of_this_user_is_followed(tmp_path: Path) -> None:
    first = made(tmp_path / "data")
    (tmp_path / "link").symlink_to("data")
    assert reopened(tmp_path / "link") == (first.identity, 3, "", RECORDS)
    (tmp_path / "parent").symlink_to(tmp_path)
    assert reopened(tmp_path / "parent" / "data")[1] == 4


@posix_only
def test_a_link_is_followed_once_and_for_all(tmp_path: Path) -> None:
    for name in ("data", "other"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("data")
    storage = open_directory(tmp_path / "link")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("other")
    storage.write([(b"a", b"1")])
    storage.close()
    assert contents(tmp_path / "other") == {}
    assert reopened(tmp_path / "data")[3] == {b"a": b"1"}


@posix_only
def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    refuses(tmp_path / "link", StorageUnusable, "leads nowhere")
    (tmp_path / "loop").symlink_to("loop")
    refuses(tmp_path / "loop", StorageUnusable, "leads nowhere")
    assert not (tmp_path / "nowhere").exists()


@root_only
def test_a_link_of_another_user_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "data")
    (tmp_path / "link").symlink_to("data")
    os.chown(tmp_path / "link", 12345, 12345, follow_symlinks=False)
    refuses(tmp_path / "link", StorageUnusable, "link of user 12345, who can point it elsewhere")


@root_only
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "data")
    os.chown(tmp_path / "data", 12345, 12345)
    refuses(tmp_path / "data", StorageUnusable, "belongs to user 12345")


@posix_only
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777, 0o1777])
def test_a_directory_that_others_can_write_to_is_refused(mode: int, tmp_path: Path) -> None:
    made(tmp_path / "data")
    (tmp_path / "data").chmod(mode)
    refuses(tmp_path / "data", StorageUnusable, "written by other users.* chmod go-w")
    (tmp_path / "data").chmod(0o755)
    assert reopened(tmp_path / "data")[1] == 3


@posix_only
@pytest.mark.parametrize("name", ["vines.db", "vines.db-wal", "vines.mark"])
def test_files_must_be_regular_and_have_one_name(name: str, tmp_path: Path) -> None:
    made(tmp_path / "data")
    file, aside = tmp_path / "data" / name, tmp_path / "aside"
    file.touch()
    os.link(file, aside)
    refuses(tmp_path / "data", StorageUnusable, "second name.* make copies")
    file.unlink()
    file.symlink_to(aside)
    refuses(tmp_path / "data", StorageUnusable, "no regular file")
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(StorageUnusable, match="no regular file"):
        open_directory(tmp_path / "data")
    file.unlink()
    file.mkdir()
    with pytest.raises(StorageUnusable, match="no regular file"):
        open_directory(tmp_path / "data")


@posix_only
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may write anywhere")
def test_what_may_not_be_written_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "data")
    (tmp_path / "data" / "vines.db").chmod(0o400)
    refuses(tmp_path / "data", StorageUnusable, "cannot be written")
    (tmp_path / "data" / "vines.db").chmod(0o600)
    (tmp_path / "data").chmod(0o500)
    refuses(tmp_path / "data", StorageUnusable, "cannot be written")
    with pytest.raises(StorageUnusable, match="cannot be used"):
        open_directory(tmp_path / "data" / "below")
    (tmp_path / "data").chmod(0o700)


REFUSAL = """
import sys
from pathlib import Path
from tests.storage.places import contents
from vines.errors import StorageUnusable
from vines.storage.directory import open_directory
for path in sys.argv[1:]:
    before = contents(Path(path))
    try:
        open_directory(path)
    except StorageUnusable as error:
        assert contents(Path(path)) == before
        assert "nothing changed: " in str(error)
        print(error)
"""


def test_a_read_only_file_system_is_refused(tmp_path: Path) -> None:
    made(tmp_path / "data")
    (tmp_path / "refusal.py").write_text(REFUSAL)
    said = unshared(f"""
        cd {tmp_path}
        mount --bind . .
        mount -o remount,ro,bind .
        "$PYTHON" refusal.py "$PWD/data" "$PWD/missing"
    """).splitlines()
    assert len(said) == 2
    assert "cannot be written" in said[0]
    assert "cannot be used" in said[1] and "Read-only file system" in said[1]
    assert reopened(tmp_path / "data")[1] == 3


@pytest.mark.parametrize("name", ["vines.db", "vines.mark"])
def test_a_read_only_file_is_refused(name: str, tmp_path: Path) -> None:
    made(tmp_path / "data")
    (tmp_path / "refusal.py").write_text(REFUSAL)
    said = unshared(f"""
        cd {tmp_path}
        mount --bind data/{name} data/{name}
        mount -o remount,ro,bind data/{name}
        "$PYTHON" refusal.py "$PWD/data"
    """)
    assert f"{name}' cannot be written" in said
    assert reopened(tmp_path / "data")[1] == 3


def test_what_the_system_refuses_later_is_told_as_it_says_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Permissions that no look at the names can show: those of security modules, and of flags."""

    def refused(*rest: object, **named: object) -> sqlite3.Connection:
        raise PermissionError(13, "Permission denied")

    made(tmp_path / "data")
    monkeypatch.setattr(sqlite3, "connect", refused)
    refuses(tmp_path / "data", StorageUnusable, "cannot be used .*Permission denied")
