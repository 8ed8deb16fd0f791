"""What all tests share: how Hypothesis searches, and which tests wait until they are asked for."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

# The same examples every time: a red test is red for whoever runs it next. Slow machines and
# sanitizers are no failure. A search for new examples is `--hypothesis-profile=search`.
settings.register_profile(
    "steady",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
settings.register_profile(
    "search",
    deadline=None,
    max_examples=5000,
    suppress_health_check=[HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
settings.load_profile("steady")

BUILDS_WITH_PLANTED_BUGS = ("debug", "sanitize", "trace")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="run the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what was not asked for; a planted build is asked for by the variable that makes it."""
    waiting = {}
    if not config.getoption("--soak"):
        waiting["soak"] = "takes minutes: --soak"
    if os.environ.get("VINES_BUILD") not in BUILDS_WITH_PLANTED_BUGS:
        waiting["planted"] = "needs bugs to switch on in the core: ./run planted"
    for item in items:
        for marker, reason in waiting.items():
            if item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
