from __future__ import annotations

import logging
import subprocess
import sys

from vines.log import _Log


def run(source: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )


def test_the_logging_library_is_loaded_with_the_first_line():
    found = run(
        "import sys, vines; from vines.log import logger; print('logging' in sys.modules);"
        "logger.info('x'); print('logging' in sys.modules)"
    )
    assert found.stdout.split() == ["False", "True"]


def test_nothing_is_shown_unless_the_program_sets_logging_up():
    assert run("from vines.log import logger; logger.error('unseen')").stderr == ""
    found = run(
        "import logging; logging.basicConfig(format='%(funcName)s %(message)s')\n"
        "from vines.log import logger\n"
        "def caller(): logger.error('seen')\n"
        "caller()"
    )
    assert found.stderr == "caller seen\n"


def test_it_is_the_logger_of_the_name(caplog):
    caplog.set_level(logging.INFO, "vines")
    log = _Log()
    log.info("one %s", "line")
    log.info("another")
    assert [record.getMessage() for record in caplog.records] == ["one line", "another"]
    handlers = logging.getLogger("vines").handlers
    assert sum(isinstance(each, logging.NullHandler) for each in handlers) == 1
