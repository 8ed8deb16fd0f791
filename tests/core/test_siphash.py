"""The hash oracle against an implementation that is nobody's here: CPython's own hash of bytes and
str."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from .siphash import siphash13

LENGTHS = (*range(1, 40), 63, 64, 65, 255, 256, 1000)
SAMPLES = [bytes((7 * i + n) & 0xFF for i in range(n)) for n in LENGTHS]
PROGRAM = """
import json, sys
samples = [bytes.fromhex(text) for text in json.load(sys.stdin)]
print(json.dumps([hash(sample) for sample in samples] + [hash("vines")]))
"""


def _hashes_of_python(seed: int) -> list[int]:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([sample.hex() for sample in SAMPLES]),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
    )
    return [int(value) & (2**64 - 1) for value in json.loads(run.stdout)]


def _secret_of_python(seed: int) -> bytes:
    """The key CPython derives from PYTHONHASHSEED (Python/bootstrap_hash.c: a linear congruential
    generator)."""
    if seed == 0:
        return bytes(16)
    state, secret = seed, bytearray()
    for _ in range(16):
        state = (state * 214013 + 2531011) & 0xFFFF_FFFF
        secret.append((state >> 16) & 0xFF)
    return bytes(secret)


@pytest.mark.skipif(sys.hash_info.algorithm != "siphash13", reason="this Python hashes otherwise")
@pytest.mark.parametrize("seed", [0, 1, 4_294_967_295])
def test_siphash_is_the_one_cpython_uses(seed: int) -> None:
    key = _secret_of_python(seed)
    ours = [siphash13(key, sample) for sample in [*SAMPLES, b"vines"]]
    assert ours == _hashes_of_python(seed)
