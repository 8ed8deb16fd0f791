"""The directory of one machine's nodes: found by label, gone with their process, whatever lies
there.
"""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.net.strangers import ROOT, in_threads, linux_only, posix_only
from vines.errors import Insecure
from vines.net.local import LocalDirectory
from vines.net.place import runtime_root

ONE = ("127.0.0.1", 8001)
OTHER = ("::1", 8002)


def entry_path(root: Path) -> Path:
    """The directory of the only label under this root."""
    (path,) = (root / "vines").iterdir()
    return path


def test_nodes_of_one_label_find_each_other_and_not_themselves(tmp_path: Path) -> None:
    one, other = LocalDirectory("shop", str(tmp_path)), LocalDirectory("shop", str(tmp_path))
    stranger = LocalDirectory("shop2", str(tmp_path))
    try:
        one.publish("aa", ONE)
        other.publish("bb", OTHER)
        stranger.publish("cc", ("127.0.0.1", 8003))
        assert one.scan() == [OTHER]
        assert other.scan() == [ONE]
        assert stranger.scan() == []
        assert one.scan() == [OTHER]
    finally:
        for directory in (one, other, stranger):
            directory.close()
    assert os.listdir(entry_path_of(tmp_path, "shop")) == []


def entry_path_of(root: Path, label: str) -> Path:
    directory = LocalDirectory(label, str(root))
    return root / "vines" / directory._label


def test_who_only_looks_publishes_nothing(tmp_path: Path) -> None:
    one, watcher = LocalDirectory("shop", str(tmp_path)), LocalDirectory("shop", str(tmp_path))
    one.publish("aa", ONE)
    assert watcher.scan() == [ONE]
    watcher.close()
    watcher.close()
    assert one.scan() == []
    one.close()
    assert LocalDirectory("shop", str(tmp_path)).scan() == []


def test_an_entry_can_be_changed(tmp_path: Path) -> None:
    one, other = LocalDirectory("shop", str(tmp_path)), LocalDirectory("shop", str(tmp_path))
    one.publish("aa", ONE)
    one.publish("aa", OTHER)
    assert other.scan() == [OTHER]
    one.close()
    assert other.scan() == []
    other.close()


def test_nodes_that_start_at_once_cannot_miss_each_other(tmp_path: Path) -> None:
    count = 16
    barrier = threading.Barrier(count)
    directories = [LocalDirectory("shop", str(tmp_path)) for _ in range(count)]
    seen: list[set[int]] = [set()] * count

    def start(index: int) -> None:
        barrier.wait()
        directories[index].publish(f"{index:02x}", ("127.0.0.1", 8000 + index))
        seen[index] = {port - 8000 for _, port in directories[index].scan()}

    in_threads(count, start)
    for one in range(count):
        for other in range(one):
            assert other in seen[one] or one in seen[other], "neither saw the other"
    for directory in directories:
        directory.close()


@posix_only
def test_the_entry_of_a_killed_process_is_stale_and_removed(tmp_path: Path) -> None:
    code = f"""
from vines.net.local import LocalDirectory
import sys
directory = LocalDirectory("shop", {str(tmp_path)!r})
directory.publish("aa", {ONE!r})
print("there", flush=True)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
        other = LocalDirectory("shop", str(tmp_path))
        assert other.scan() == [ONE]
        other.refused(ONE)
        assert other.scan() == [ONE], "its owner lives"
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert len(os.listdir(entry_path(tmp_path))) == 1
    assert other.scan() == []
    assert os.listdir(entry_path(tmp_path)) == []
    other.close()


@posix_only
def test_a_forked_child_neither_removes_the_entry_nor_keeps_it(tmp_path: Path) -> None:
    code = f"""
import os, sys, time
from vines.net.local import LocalDirectory
directory = LocalDirectory("shop", {str(tmp_path)!r})
directory.publish("aa", {ONE!r})
read, write = os.pipe()
child = os.fork()
if child == 0:
    directory.close()
    os.write(write, b"1")
    time.sleep(3600)
os.read(read, 1)
print(child, flush=True)
sys.stdin.read()
"""
    other = LocalDirectory("shop", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert other.scan() == [ONE]
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            assert other.scan() == [], "a child keeps its dead parent's entry alive"
        finally:
            os.kill(child, signal.SIGKILL)
    other.close()


@posix_only
def test_garbage_is_ignored_and_left_alone(tmp_path: Path) -> None:
    one, other = LocalDirectory("shop", str(tmp_path)), LocalDirectory("shop", str(tmp_path))
    one.publish("aa", ONE)
    place = entry_path(tmp_path)
    (place / "directory").mkdir()
    os.mkfifo(place / "pipe")
    (place / "link").symlink_to("/etc/passwd")
    (place / "dangling").symlink_to("nowhere")
    (place / "not a name").write_text("127.0.0.1 1 1")
    (place / ".hidden").write_text("127.0.0.1 1 1")
    held = []
    fcntl = pytest.importorskip("fcntl")
    for number, content in enumerate(
        [
            b"",
            b"\xff\xfe\x00",
            b"127.0.0.1",
            b"127.0.0.1 x 1",
            b"127.0.0.1 0 1",
            b"127.0.0.1 65536 1",
            b"127.0.0.1 99999999999999999999 1",
            "127.0.0.1 \uff18\uff10 1".encode(),
            b"0.0.0.0 80 1",
            b"239.0.0.1 80 1",
            b"127.0.0.1 80 1 more",
            b"127.0.0.1 80 1" + b" " * 1000,
            b"x" * 300 + b" 80 1",
        ]
    ):
        path = place / f"garbage{number}"
        path.write_bytes(content)
        held.append(path.open("rb"))
        fcntl.flock(held[-1], fcntl.LOCK_EX)
    assert other.scan() == [ONE]
    other.refused(("127.0.0.1", 1))
    assert {"directory", "pipe", "link", "dangling", "garbage0"} <= set(os.listdir(place))
    for file in held:
        file.close()
    one.close()
    other.close()


@posix_only
def test_a_directory_removed_under_us_is_made_again(tmp_path: Path) -> None:
    one, other = LocalDirectory("shop", str(tmp_path)), LocalDirectory("shop", str(tmp_path))
    one.publish("aa", ONE)
    other.publish("bb", OTHER)
    for path in entry_path(tmp_path).iterdir():
        path.unlink()
    entry_path(tmp_path).rmdir()
    (tmp_path / "vines").rmdir()
    assert one.scan() == []
    assert other.scan() == [ONE]
    assert one.scan() == [OTHER]
    one.close()
    other.close()


@posix_only
def test_only_the_user_can_look_into_it(tmp_path: Path) -> None:
    one = LocalDirectory("shop", str(tmp_path))
    previous = os.umask(0)
    try:
        one.publish("aa", ONE)
    finally:
        os.umask(previous)
    for path in (tmp_path / "vines", entry_path(tmp_path)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((entry_path(tmp_path) / "aa").stat().st_mode) == 0o600
    one.close()


@posix_only
def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vines").mkdir()
    (tmp_path / "vines").chmod(0o777)
    refuses(tmp_path, "open to other users")


@posix_only
def test_a_link_or_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "vines").symlink_to(tmp_path / "elsewhere")
    refuses(tmp_path, "link")
    (tmp_path / "vines").unlink()
    (tmp_path / "vines").write_text("")
    refuses(tmp_path, "link or a file")
    assert os.listdir(tmp_path / "elsewhere") == []


@posix_only
@pytest.mark.skipif(os.name == "posix" and os.getuid() != 0, reason="gives files away: root only")
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vines").mkdir(mode=0o700)
    os.chown(tmp_path / "vines", 12345, 12345)
    refuses(tmp_path, "12345")


def refuses(root: Path, why: str) -> None:
    """Publishing says why it will not; scanning finds nobody."""
    directory = LocalDirectory("shop", str(root))
    with pytest.raises(Insecure, match=why):
        directory.publish("aa", ONE)
    assert directory.scan() == []
    directory.close()


@linux_only
def test_the_run_time_directory_of_the_session_is_used_if_it_is_private(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, temporary = tmp_path / "session", tmp_path / "temporary"
    session.mkdir(mode=0o700)
    temporary.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(session))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    assert runtime_root() == (str(session), "vines")
    session.chmod(0o755)
    if not Path(f"/run/user/{os.getuid()}").exists():
        assert runtime_root() == (str(temporary), f"vines-{os.getuid()}")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "relative")
    assert runtime_root()[0] != "relative"


@linux_only
def test_entries_cost_one_descriptor_and_give_it_back(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        directory = LocalDirectory("shop", str(tmp_path))
        directory.publish("aa", ONE)
        directory.scan()
        directory.close()
    assert len(os.listdir("/proc/self/fd")) == before
