"""Start: what one start of a node draws for itself, and the tables it numbers its writes in."""

from __future__ import annotations

from vines._core.retired import RetiredSources
from vines._core.table import Table
from vines.config import Config
from vines.hashes import blake2b
from vines.hints import TYPE_CHECKING, Final
from vines.protocol.wire.messages import TABLES

if TYPE_CHECKING:
    import random

KEY_BYTES: Final = 16
_NANOSECONDS_MAX: Final = (1 << 64) - 1


def fresh_source(rng: random.Random, wall_ms: int, after: bytes = bytes(16)) -> bytes:
    """A source id never used before: 64 bits of start clock in ns above `after`, 64 random ones."""
    clock = max(wall_ms * 1_000_000, int.from_bytes(after[:8], "big") + 1)
    return min(clock, _NANOSECONDS_MAX).to_bytes(8, "big") + rng.randbytes(8)


def make_tables(config: Config, rng: random.Random, wall_ms: int) -> tuple[Table, Table]:
    """The control and the data table of one start."""
    label = config.cluster.encode()
    fingerprint_key = blake2b(label, digest_size=KEY_BYTES, person=b"vines-digest").digest()
    source = fresh_source(rng, wall_ms)
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
