"""What the suite leaves behind, also where it is killed: no server, no process, no open file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from exchange.lock import REDIS_ALIVE_LOCK, REDIS_GUARD_LOCK, FileLock
from exchange.queue.redis_guard import UNUSED_S
from tests.conftest import cli_environment, until

# A test that has its Redis up, and tells where, until somebody kills it.
HELD = """
import time
from pathlib import Path
from exchange.queue.redis_endpoint import redis_for
from tests.conftest import write_project

def test_that_is_killed(tmp_path):
    project = write_project(tmp_path, tmp_path)
    with redis_for(project) as redis:
        redis.connect().set("a", "1")
        Path("up").write_text(str(project.redis_dir))
        time.sleep(300)
"""


def test_a_suite_that_is_killed_leaves_no_redis_server(tmp_path: Path) -> None:
    (tmp_path / "test_held.py").write_text(HELD)
    suite = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_held.py"],
        cwd=tmp_path,
        env=cli_environment(),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        told = tmp_path / "up"
        until(lambda: told.exists() and bool(told.read_text()), 60)
        folder = Path(told.read_text())
        alive = FileLock(folder / REDIS_ALIVE_LOCK)
        assert not alive.is_free(shared=True)
    finally:
        os.killpg(suite.pid, signal.SIGKILL)
        suite.wait()
    until(lambda: alive.is_free(shared=True), UNUSED_S + 20)
    until(lambda: FileLock(folder / REDIS_GUARD_LOCK).is_free(shared=True), 20)
    assert not (folder / "redis.json").exists()
