"""Stream frames: where one ends and the next begins, and how long one may be.

    length u32 LE (bytes that follow) | type u8 | flags u8 | payload

The first frame of a stream is the handshake and capped at 4 KiB; later ones at 2 MiB, so that one
record of 1 MiB fits. A length is judged before a byte is kept for it, and memory only grows with
bytes that came. It must not know what a frame means.
"""

from __future__ import annotations

from vines._core.pieces import framed, number4, piece
from vines.errors import LENGTH, WireError
from vines.hints import Final

FRAME_BYTES_MIN: Final = 2
HANDSHAKE_BYTES_MAX: Final = 4 * 1024
FRAME_BYTES_MAX: Final = 2 * 1024 * 1024
LENGTH_BYTES: Final = 4


class Framer:
    """Cuts one direction of one stream into frames (type, flags, payload; without the length)."""

    __slots__ = ("_buffer", "_cap", "_wanted", "partial")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._wanted = LENGTH_BYTES  # bytes in the buffer before there is anything new to see
        self._cap = HANDSHAKE_BYTES_MAX
        self.partial = False
        """Whether a frame has begun and is not complete: the driver's frame deadline runs."""

    def feed(self, data: bytes) -> list[bytes]:
        """Every frame that `data` completes, in order. WireError: close the stream.

        Frames that stood before a bad length are lost with it: who lies once is not believed.
        """
        source = data
        if not self._buffer and len(data) >= LENGTH_BYTES + FRAME_BYTES_MIN:
            # Mostly it is one frame, and whole.
            length = number4(data, 0)
            if length == len(data) - LENGTH_BYTES and length <= self._cap:
                self._cap = FRAME_BYTES_MAX
                self.partial = False
                return [piece(data, LENGTH_BYTES, len(data))]
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._wanted:
                return []
            source = bytes(self._buffer)
        frames: list[bytes] = []
        position = 0
        size = len(source)
        self._wanted = LENGTH_BYTES
        while size - position >= LENGTH_BYTES:
            start = position + LENGTH_BYTES
            length = number4(source, position)
            if not FRAME_BYTES_MIN <= length <= self._cap:
                raise WireError(f"frame length {length} is not in 2..{self._cap}", LENGTH)
            if size - start < length:
                self._wanted += length
                break
            position = start + length
            frames.append(piece(source, start, position))
            self._cap = FRAME_BYTES_MAX
        if source is not data or position < size:
            self._buffer = bytearray(source[position:])
        self.partial = position < size
        return frames


def frame(kind: int, payload: bytes) -> bytes:
    """One whole frame, length first."""
    assert 0 <= len(payload) <= FRAME_BYTES_MAX - FRAME_BYTES_MIN, "a frame of ours is too long"
    return framed(kind, b"", payload)
