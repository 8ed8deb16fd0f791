"""Two machines with a switch between them, as network namespaces of Linux; the switch can drop all.

Only where that is permitted: what is not says why.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

HOSTS = ("10.77.0.1", "10.77.0.2")
NETWORK_NAMESPACE = 0x40000000
PATIENCE = 5.0


class Unpermitted(Exception):
    """There can be no such machines here."""


class Machines:
    """Two machines, 10.77.0.1 and 10.77.0.2. Raises Unpermitted."""

    def __init__(self) -> None:
        self._holders: list[subprocess.Popen[bytes]] = []
        if os.name != "posix" or os.geteuid() != 0:
            raise Unpermitted("network namespaces need root")
        for tool in ("ip", "unshare", "nsenter"):
            if shutil.which(tool) is None:
                raise Unpermitted(f"there is no command {tool!r}")
        try:
            self._build()
        except Unpermitted:
            self.close()
            raise

    def enter(self, machine: int) -> None:
        """Let this process go on on one of the machines."""
        with open(f"/proc/{self._holders[machine].pid}/ns/net") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), NETWORK_NAMESPACE):
                raise OSError(ctypes.get_errno(), "setns")

    def part(self) -> None:
        """From now on no packet comes from one machine to the other, and nobody is told."""
        self._inside(2, "ip", "link", "set", "port1", "nomaster")

    def heal(self) -> None:
        """From now on they do again."""
        self._inside(2, "ip", "link", "set", "port1", "master", "switch")

    def close(self) -> None:
        """Nothing is left of them."""
        for holder in self._holders:
            holder.kill()
            holder.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _build(self) -> None:
        for _ in range(3):
            self._holders.append(subprocess.Popen(["unshare", "--net", "sleep", "300"]))
        outside = Path("/proc/self/ns/net").readlink()
        until = time.monotonic() + PATIENCE
        for holder in self._holders:
            while Path(f"/proc/{holder.pid}/ns/net").readlink() == outside:
                if holder.poll() is not None or time.monotonic() > until:
                    raise Unpermitted("no network namespace was given")
        self._inside(2, "ip", "link", "add", "switch", "type", "bridge")
        self._inside(2, "ip", "link", "set", "switch", "up")
        for machine, host in enumerate(HOSTS):
            port, other = f"port{machine}", self._holders[machine].pid
            cable = ("type", "veth", "peer", "name", "cable", "netns", str(other))
            self._inside(2, "ip", "link", "add", port, *cable)
            self._inside(2, "ip", "link", "set", port, "master", "switch")
            self._inside(2, "ip", "link", "set", port, "up")
            self._inside(machine, "ip", "address", "add", f"{host}/24", "dev", "cable")
            self._inside(machine, "ip", "link", "set", "cable", "up")
            self._inside(machine, "ip", "link", "set", "lo", "up")

    def _inside(self, machine: int, *command: str) -> None:
        inside = ["nsenter", "--target", str(self._holders[machine].pid), "--net"]
        done = subprocess.run([*inside, *command], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Unpermitted(f"{' '.join(command)}: {done.stderr.strip()}")
