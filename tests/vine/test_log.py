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


def test_warnings_are_shown_where_the_program_sets_nothing_up():
    found = run("from vines.log import logger; logger.info('unseen'); logger.warning('seen')")
    assert found.stderr == "seen\n"


def test_what_a_callback_raises_is_shown_where_the_program_sets_nothing_up():
    found = run(
        "import threading; from vines import Vine\n"
        "told = threading.Event()\n"
        "def fails(value): raise ZeroDivisionError('of mine')\n"
        "with Vine() as vine:\n"
        "    vine.on('gossip', 'a', fails).on('gossip', 'b', lambda value: told.set())\n"
        "    vine.gossip('a', 1).gossip('b', 1)\n"
        "    assert told.wait(10)\n"
    )
    assert "in fails" in found.stderr
    assert "ZeroDivisionError: of mine" in found.stderr


def test_nothing_is_shown_where_the_program_says_itself_what_went_wrong():
    found = run("from vines.log import hush, logger; hush(); logger.error('unseen')")
    assert found.stderr == ""


def test_a_program_that_is_hushed_may_show_what_some_modules_say():
    found = run(
        "from vines.log import hush, logger; hush('other', 'mine')\n"
        "log = logger.warning\n"
        "exec(compile('log(\"of %s\", 1)', 'mine.py', 'exec'))\n"
        "exec(compile('log(\"unseen\")', 'yours.py', 'exec'))\n"
    )
    assert found.stderr == "vines: of 1\n"


def test_what_is_shown_is_said_by_the_program_that_sets_logging_up():
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
