"""Most tests here run twice: on the compiled table, and on the naive one that is its oracle."""

from __future__ import annotations

import pytest

from .kinds import CORE, NAIVE, Kind


@pytest.fixture(params=[pytest.param(CORE, id="core"), pytest.param(NAIVE, id="naive")])
def kind(request: pytest.FixtureRequest) -> Kind:
    """An implementation of Table and Progress."""
    chosen: Kind = request.param
    return chosen
