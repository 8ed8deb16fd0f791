"""`demo`: three real processes on this machine find each other and share data, before one's eyes.

The play (acts.py) is performed by processes (player.py, started by cast.py) on a stage that checks
every claim (stage.py, checks.py) and shows it (screen.py).
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence

from vines.cli.demo.acts import ACTS, Act
from vines.cli.demo.cast import Cast
from vines.cli.demo.screen import Screen
from vines.cli.demo.stage import Missed, Stage
from vines.cli.exits import DONE, NO
from vines.cli.output import Output

TITLE = "vines demo: three processes on this machine, and no server"
SUBTITLE = "Times run from a call in one process to a callback in another, on one clock."


def demo(arguments: Namespace, output: Output) -> int:
    """Perform the play; DONE if all that it claims was seen, NO if not."""
    screen = Screen(output)
    screen.title(TITLE, SUBTITLE)
    with Cast() as cast:
        stage = Stage(cast, screen, arguments.timeout)
        perform(ACTS, stage)
        took = time.monotonic() - stage.began
    untried = [act.title for act in ACTS[len(stage.rows) :]]
    return DONE if screen.summary(stage.rows, untried, took) else NO


def perform(acts: Sequence[Act], stage: Stage) -> None:
    """Play acts in order until one fails."""
    for act in acts:
        stage.act(act.title)
        try:
            act.play(stage)
        except Missed as missed:
            stage.rows[-1].held = False
            stage.screen.missed(missed.claim, missed.why)
            return
