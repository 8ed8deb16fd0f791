"""Random clusters under random faults that tell each other what differs by sketches, at any size.

A cluster has to be larger than these before a sketch is the cheaper form; here it is always the
first that is tried, so that all questions it leads to are asked, at any moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import ClassVar

import pytest

from vines._core.table import Progress, Table
from vines.protocol import start
from vines.protocol.replicas import channel
from vines.protocol.replicas.telling import Telling
from vines.protocol.wire.messages import ALIGNED, FULL, SKETCH
from vines.simulation import run_absences, run_seed

CELLS = 4
"""Enough for two or three differences: it is often too few."""


class Sketches(Telling):
    """Tells by a small sketch first; counts the forms that were read, and those that did tell."""

    __slots__ = ()
    read_forms: ClassVar[Counter[int]] = Counter()
    told_forms: ClassVar[Counter[int]] = Counter()
    asked: ClassVar[Counter[tuple[int, bool]]] = Counter()

    def pages(self, *, acquainted: bool) -> list[bytes]:
        names, self._names = self._names, b""
        return self._sketch(CELLS, names)

    def read(self, progress: Progress, body: bytes, offset: int) -> bool:
        told = super().read(progress, body, offset)
        self.read_forms[body[offset]] += 1
        self.told_forms[body[offset]] += told
        if self.owed is not None:
            self.asked[self.owed.form, bool(self.owed.keys)] += 1
        return told


@pytest.mark.parametrize(
    ("run", "seeds"),
    [(run_seed, range(12)), (run_absences, range(100, 103))],
    ids=["seeds", "absences"],
)
def test_random_clusters_keep_the_invariants_however_vectors_are_told(
    run: Callable[[int], object], seeds: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "Table", partial(Table, sketch_above=0))
    monkeypatch.setattr(channel, "Telling", Sketches)
    for forms in (Sketches.read_forms, Sketches.told_forms, Sketches.asked):
        forms.clear()  # type: ignore[attr-defined]
    for seed in seeds:
        run(seed)
    assert all(Sketches.told_forms[form] for form in (SKETCH, ALIGNED, FULL))
    assert Sketches.read_forms[SKETCH] > Sketches.told_forms[SKETCH]
    assert all(Sketches.asked[form, False] for form in (ALIGNED, FULL)), Sketches.asked
    assert Sketches.asked[SKETCH, True], "no ids were ever asked for"
