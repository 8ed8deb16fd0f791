"""A directory only this user can have put things into.

Anyone may write to the system's temporary directory, and put a link or a directory of their own
where ours should be. So each step down is opened without following links, what was opened is looked
at (not what its name says now), and everything in it is reached through that descriptor.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence

from vines.errors import Insecure
from vines.hints import Any

_POSIX = hasattr(os, "getuid")
_DIRECTORY = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_ENTRY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""A link is not followed, and a pipe somebody left here is not waited for."""


def runtime_root() -> tuple[str, str]:
    """Where this user's run-time files belong: a directory that exists, and the name of ours in it.

    The run-time directory of the session (XDG base directory specification), else the one systemd
    keeps for this user, else the temporary directory.
    """
    import tempfile  # here, not above: it is most of what importing this module would cost

    if not _POSIX:
        return tempfile.gettempdir(), "vines"
    for path in (os.environ.get("XDG_RUNTIME_DIR", ""), f"/run/user/{os.getuid()}"):
        if os.path.isabs(path) and _is_private(path):
            return path, "vines"
    return tempfile.gettempdir(), f"vines-{os.getuid()}"


class Place:
    """The directory root/step/step..., each step made if it is not there, ours and closed to
    others.

    Raises Insecure if a step is somebody else's, open to others, or no directory; OSError. Where
    there are no descriptors of directories (Windows), paths are used: there the temporary directory
    is the user's own.
    """

    def __init__(self, root: str, steps: Sequence[str]) -> None:
        self._path = os.path.join(root, *steps)
        self._directory: int | None = None
        if not _POSIX:
            os.makedirs(self._path, exist_ok=True)
            return
        self._directory = os.open(root, _DIRECTORY)
        for step in steps:
            above = self._directory
            try:
                self._directory = _step_down(above, step)
            finally:
                os.close(above)

    @property
    def removed(self) -> bool:
        """Whether somebody has removed the directory: a cleaner of temporary files, or a logout."""
        if self._directory is None:
            return not os.path.isdir(self._path)
        return os.fstat(self._directory).st_nlink == 0

    def names(self) -> list[str]:
        """What is in it."""
        return os.listdir(self._path if self._directory is None else self._directory)

    def open(self, name: str, flags: int) -> int:
        """A descriptor of a file in it; one that is made is the user's alone."""
        path, where = self._at(name)
        return os.open(path, flags | _ENTRY, 0o600, **where)

    def inode(self, name: str) -> int | None:
        """The number of what has this name now."""
        path, where = self._at(name)
        try:
            return os.stat(path, follow_symlinks=False, **where).st_ino
        except OSError:
            return None

    def replace(self, source: str, target: str) -> None:
        """Rename, in one step for whoever looks."""
        if self._directory is None:
            os.replace(os.path.join(self._path, source), os.path.join(self._path, target))
        else:
            os.replace(source, target, src_dir_fd=self._directory, dst_dir_fd=self._directory)

    def remove(self, name: str) -> None:
        """Remove a file; harmless if it is gone or cannot be."""
        path, where = self._at(name)
        try:
            os.unlink(path, **where)
        except OSError:
            # Somebody else was quicker, or it is a directory somebody made: not ours to settle.
            pass

    def close(self) -> None:
        """Give the descriptor back."""
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None

    def _at(self, name: str) -> tuple[str, dict[str, Any]]:
        if self._directory is None:
            return os.path.join(self._path, name), {}
        return name, {"dir_fd": self._directory}


def _step_down(directory: int, name: str) -> int:
    try:
        os.mkdir(name, 0o700, dir_fd=directory)
    except FileExistsError:
        pass
    try:
        below = os.open(name, _DIRECTORY | _ENTRY, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise _insecure(name, "is a link or a file") from error
        raise
    status = os.fstat(below)
    if status.st_uid == os.getuid() and not status.st_mode & 0o077:
        return below
    os.close(below)
    raise _insecure(
        name,
        "is open to other users"
        if status.st_uid == os.getuid()
        else f"belongs to user {status.st_uid}",
    )


def _insecure(name: str, why: str) -> Insecure:
    return Insecure(
        f"the run-time directory {name!r} {why}, so nodes of this machine are not looked for;"
        " remove it, or set XDG_RUNTIME_DIR to a directory that is yours alone"
    )


def _is_private(path: str) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return False
    ours = status.st_uid == os.getuid() and not status.st_mode & 0o077
    return ours and stat.S_ISDIR(status.st_mode)
