"""The kernel ends whoever takes the last of the memory; that is a kill like any other."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.faults.deployment import is_alive
from exchange.project import Project
from exchange.queue.redis_endpoint import redis_for
from exchange.store.spool import Spool
from tests.conftest import fill_spool, until
from workers.supervisor import KILLED

TASKS = 60
LIMIT_B = 65_536  # less than any process needs next


@contextmanager
def out_of_memory() -> Iterator[Callable[[int], None]]:
    """`run_out(pid)`: by a control group where one can be made, else by the processor's limit.

    Both end in a SIGKILL that the kernel sends; where it has neither (macOS), we send it.
    """
    group = None
    for root, limit in (
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
        ("/sys/fs/cgroup", "memory.max"),
    ):
        made = Path(root) / f"kk-test-{os.getpid()}"
        try:
            made.mkdir()
            (made / limit).write_text(str(LIMIT_B))
            group = made
            break
        except OSError:
            with contextlib.suppress(OSError):
                made.rmdir()

    def run_out(pid: int) -> None:
        if group is not None:
            (group / "cgroup.procs").write_text(str(pid))
            deadline = time.monotonic() + 5
            while is_alive(pid) and time.monotonic() < deadline:
                time.sleep(0.05)
        if is_alive(pid) and sys.platform == "linux":  # it lives on what it had
            resource.prlimit(pid, resource.RLIMIT_CPU, (0, 0))
        elif is_alive(pid):
            os.kill(pid, signal.SIGKILL)

    try:
        yield run_out
    finally:
        deadline = time.monotonic() + 5
        while group is not None and group.exists() and time.monotonic() < deadline:
            with contextlib.suppress(OSError):  # until the dead have left it
                group.rmdir()
            time.sleep(0.05)


def test_worker_and_daemon_that_run_out_of_memory_lose_and_double_nothing_and_say_so(
    make_project: Callable[..., Project], popen: Callable[..., subprocess.Popen[str]]
) -> None:
    project = make_project()
    fill_spool(project, TASKS).close()
    pretend = {"KKORACLE_WORKER_MODULE": "bench.pretend", "PRETEND_DELAY": "0.3-0.6"}

    def start(*words: str) -> subprocess.Popen[str]:
        return popen("-m", "kkoracle", *words, cwd=project.data.parent, **pretend)

    def counters() -> dict[str, int]:
        spool = Spool.read(project.archive_dir())
        try:
            return spool.counters()
        finally:
            spool.close()

    with out_of_memory() as run_out, redis_for(project):
        daemon, work = start("crawl", "--no-fetch"), start("work")
        until(lambda: counters().get("tasks.done", 0) >= 5, 90, told=counters)
        (first,) = children_of(work)
        run_out(first)
        run_out(daemon.pid)
        assert daemon.wait(60) == -signal.SIGKILL
        until(lambda: children_of(work) not in ([], [first]), 90, told=counters)
        daemon = start("crawl", "--no-fetch")
        assert daemon.wait(90) == 0
        work.terminate()
        said, _ = work.communicate(timeout=30)
    assert f"exit code -9{KILLED}" in said and "Traceback" not in said
    found = counters()
    assert found["tasks.done"] == TASKS
    assert sum(count for name, count in found.items() if name.startswith("pairs.")) == TASKS


def children_of(process: subprocess.Popen[str]) -> list[int]:
    listed = subprocess.run(
        ["pgrep", "-P", str(process.pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return [int(pid) for pid in listed.stdout.split()]
