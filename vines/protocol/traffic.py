"""Traffic: how many frames and bytes went each way, by kind, and what was rejected."""

from __future__ import annotations

from collections import Counter

from vines.hints import Final
from vines.protocol.wire.framing import LENGTH_BYTES
from vines.protocol.wire.messages import NAMES

_KINDS: Final = max(NAMES) + 1


class Count:
    """So many frames of one kind, and their bytes."""

    __slots__ = ("frames", "size")

    def __init__(self) -> None:
        self.frames = 0
        self.size = 0


class Traffic:
    """Counters that only rise."""

    __slots__ = ("_in", "_out", "_reasons", "_rejected")

    def __init__(self) -> None:
        self._in = [Count() for _ in range(_KINDS)]
        self._out = [Count() for _ in range(_KINDS)]
        """By kind of frame."""
        self._rejected: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def received(self, frame: bytes) -> None:
        """A frame (without its length) was taken."""
        count = self._in[frame[0]]
        count.frames += 1
        count.size += len(frame) + LENGTH_BYTES

    def written(self, frame: bytes) -> None:
        """A frame (with its length) was given to the driver."""
        count = self._out[frame[LENGTH_BYTES]]
        count.frames += 1
        count.size += len(frame)

    def rejected(self, frame: bytes, reason: str) -> None:
        """A frame (without its length) was refused; counted by why, and by what it said it was."""
        self._rejected[NAMES.get(frame[0], "unknown") if frame else "empty"] += 1
        self._reasons[reason] += 1

    def statistics(self) -> dict[str, object]:
        """All counters, by kind of frame or by reason."""
        return {
            "frames_in": {kind: count.frames for kind, count in _named(self._in)},
            "bytes_in": {kind: count.size for kind, count in _named(self._in)},
            "frames_out": {kind: count.frames for kind, count in _named(self._out)},
            "bytes_out": {kind: count.size for kind, count in _named(self._out)},
            "frames_rejected": dict(sorted(self._reasons.items())),
            "frames_rejected_by_kind": dict(sorted(self._rejected.items())),
        }


def _named(counts: list[Count]) -> list[tuple[str, Count]]:
    """Those kinds of which there were any."""
    return [(NAMES[kind], count) for kind, count in enumerate(counts) if count.frames]
