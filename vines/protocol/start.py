"""Start: what one start of a node draws for itself, and the tables it numbers its writes in.

Of two starts of one node the later has the higher source, whatever their clocks say: with a data
directory they are counted, and that count is on disk before anybody hears of the start. Without one
each start is another node, unless its id was given to it: then only the clock orders them.
"""

from __future__ import annotations

from vines._core.retired import RetiredSources
from vines._core.table import Table
from vines.config import Config
from vines.hashes import blake2b
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.wire.messages import TABLES

if TYPE_CHECKING:
    import random

    from vines.protocol.machine import Memory

KEY_BYTES: Final = 16
_SECONDS_MAX: Final = (1 << 32) - 1
_NUMBER_MAX: Final = (1 << 64) - 1


def fresh_source(
    rng: random.Random, wall_ms: int, memory: Memory | None, after: bytes = bytes(16)
) -> bytes:
    """A source id never used before: a number of 64 bits, above that of `after` and of all earlier
    starts of this node, then 64 random ones.
    """
    number = max(_number(max(wall_ms, 0), memory), int.from_bytes(after[:8], "big") + 1)
    return min(number, _NUMBER_MAX).to_bytes(8, "big") + rng.randbytes(8)


def _number(wall_ms: int, memory: Memory | None) -> int:
    """The clock in ns; or which start this is and, for two that copies of one directory count
    alike, the clock in seconds.
    """
    if memory is None:
        return wall_ms * 1_000_000
    return memory.boot << 32 | min(wall_ms // 1000, _SECONDS_MAX)


def make_tables(
    config: Config, rng: random.Random, wall_ms: int, memory: Memory | None
) -> tuple[Table, Table]:
    """The control and the data table of one start."""
    label = config.cluster.encode()
    fingerprint_key = blake2b(label, digest_size=KEY_BYTES, person=b"vines-digest").digest()
    source = fresh_source(rng, wall_ms, memory)
    retired = RetiredSources()
    control, data = (
        Table(
            source,
            fingerprint_key,
            rng.randbytes(KEY_BYTES),
            log_slack=config.log_slack,
            horizon=config.horizon,
            retired=retired,
            which=which,
        )
        for which in TABLES
    )
    data.keys_max, data.bytes_max = config.keys_max, config.bytes_max
    return control, data
