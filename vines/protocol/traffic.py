"""Traffic: how many frames and bytes went each way, by kind, and what was rejected."""

from __future__ import annotations

from collections import Counter, defaultdict

from vines.protocol.wire.messages import NAMES


class Traffic:
    """Counters that only rise."""

    def __init__(self) -> None:
        self._in: defaultdict[int, list[int]] = defaultdict(_zeros)
        self._out: defaultdict[int, list[int]] = defaultdict(_zeros)
        self._rejected: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def received(self, frame: bytes) -> None:
        """A frame (without its length) was taken."""
        counter = self._in[frame[0]]
        counter[0] += 1
        counter[1] += len(frame) + 4

    def written(self, frame: bytes) -> None:
        """A frame (with its length) was given to the driver."""
        counter = self._out[frame[4]]
        counter[0] += 1
        counter[1] += len(frame)

    def rejected(self, frame: bytes, reason: str) -> None:
        """A frame (without its length) was refused; counted by why, and by what it said it was."""
        self._rejected[NAMES.get(frame[0], "unknown") if frame else "empty"] += 1
        self._reasons[reason] += 1

    def statistics(self) -> dict[str, object]:
        """All counters, by kind of frame or by reason."""
        return {
            "frames_in": _column(self._in, 0),
            "bytes_in": _column(self._in, 1),
            "frames_out": _column(self._out, 0),
            "bytes_out": _column(self._out, 1),
            "frames_rejected": dict(sorted(self._reasons.items())),
            "frames_rejected_by_kind": dict(sorted(self._rejected.items())),
        }


def _zeros() -> list[int]:
    """Frames and bytes."""
    return [0, 0]


def _column(counters: dict[int, list[int]], index: int) -> dict[str, int]:
    return {NAMES[kind]: counter[index] for kind, counter in sorted(counters.items())}
