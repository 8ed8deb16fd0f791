"""Data directories for tests: what is in them, copies as a crash leaves them, refusals."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from vines.errors import StorageError
from vines.storage.contract import Storage
from vines.storage.directory import open_directory

PAGE = 4096
RECORDS = {b"key%d" % number: bytes([number]) * (number * 9) for number in range(24)} | {
    b"": b"",
    b"long": bytes(range(256)) * 22,
}
"""Enough for a tree of several pages, one record that takes pages of its own, and the edges."""


def contents(path: Path) -> dict[str, bytes]:
    """Every file of a directory; that of nothing is nothing."""
    return {one.name: one.read_bytes() for one in path.iterdir()} if path.is_dir() else {}


def fill(path: Path, files: dict[str, bytes]) -> None:
    """Leave exactly these files in a directory."""
    path.mkdir(mode=0o700, exist_ok=True)
    for one in path.iterdir():
        one.unlink()
    for name, content in files.items():
        (path / name).write_bytes(content)


def crashed(path: Path, copy: Path) -> Path:
    """A copy of an open directory as it would be after kill -9."""
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(mode=0o700)
    fill(copy, contents(path))
    return copy


def made(path: Path, **named: Any) -> Storage:
    """A closed directory with RECORDS in it, after two starts."""
    storage = open_directory(path, **named)
    storage.write(list(RECORDS.items()))
    storage.close()
    again = open_directory(path)
    again.write([(b"later", b"1")])
    again.write([(b"later", None)])
    again.close()
    return again


def refuses(path: Path, kind: type[StorageError], match: str, **named: Any) -> None:
    """It cannot be opened, the error says why and what to do, and nothing changed."""
    before = contents(path)
    with pytest.raises(kind, match=match) as caught:
        open_directory(path, **named)
    assert type(caught.value) is kind
    text = str(caught.value)
    assert os.path.basename(path) in text
    assert "nothing changed: " in text
    after = contents(path)
    if after.get("vines.db-wal") == b"":  # made by SQLite when it looked for one
        before.setdefault("vines.db-wal", b"")
    assert after == before


def reopened(path: Path, **named: Any) -> tuple[bytes, int, str, dict[bytes, bytes]]:
    """What a directory says at its next start; closed again."""
    storage = open_directory(path, **named)
    storage.close()
    return storage.identity, storage.boot, storage.name, storage.records()
