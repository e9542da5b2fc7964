"""`status --watch`, and what the daemon says of itself for it."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import orjson

from crawler.status.report import DaemonHeartbeat
from exchange.project import Project
from kkoracle.status import read_status
from tests.conftest import cli_environment, fill_spool, until
from tests.kkoracle.status.test_status import shown

Maker = Callable[..., Project]


def test_watch_draws_over_itself_until_ctrl_c_and_says_the_last_code(
    tmp_path: Path, make_project: Maker
) -> None:
    fill_spool(make_project(), 3).close()
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "kkoracle", "status", "--watch"],
        cwd=tmp_path,
        stdin=side,
        env=cli_environment(TERM="xterm"),
        stdout=side,
        stderr=side,
    )
    os.close(side)
    with ExitStack() as stack:
        stack.callback(os.close, main)
        stack.callback(process.kill)
        said = b""
        while said.count(b"3 waiting") < 2:
            said += os.read(main, 65536)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 3
    assert b"\x1b[?1049h" in said and "Ctrl-C ends" in said.decode()


def test_watched_without_a_terminal_each_look_is_a_line(
    tmp_path: Path, make_project: Maker, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    project = make_project()
    fill_spool(project, 3).close()
    process = popen("-m", "kkoracle", "status", "--watch", "--json", cwd=tmp_path)
    assert process.stdout is not None
    first = orjson.loads(process.stdout.readline())
    fill_spool(project, 2, first=3).close()
    second = orjson.loads(process.stdout.readline())
    assert first["counters"]["tasks.new"] == 3 and second["counters"]["tasks.new"] == 5
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 3


def test_the_daemon_says_of_itself_what_only_it_knows(
    tmp_path: Path, make_project: Maker, popen: Callable[..., subprocess.Popen[str]]
) -> None:
    project = make_project()
    fill_spool(project, 2).close()
    process = popen("-m", "kkoracle", "crawl", "--no-fetch", cwd=tmp_path)
    path = project.archive_dir() / "daemon.json"
    until(path.exists, 30, process)
    said = DaemonHeartbeat(**orjson.loads(path.read_bytes()))
    found = read_status(project, "paper")
    assert said.pid == found.crawl.pid == process.pid and found.daemon
    assert found.crawl.silent_s < 15 and not re.search("look", shown(found))
