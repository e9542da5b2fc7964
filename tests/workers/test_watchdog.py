"""An engine that hangs ends its process, and a task that takes too long ends with what it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from exchange.inference.engine import DEADLINE
from exchange.inference.runtime import STUCK_EXIT_CODE, Watchdog
from exchange.queue import keys
from exchange.store.spool import Spool
from tests.conftest import run_python
from tests.workers.stuck import MARK
from workers.supervisor import MODULE_VARIABLE


def test_a_stuck_engine_ends_the_worker_and_its_tasks_come_back(
    open_pipeline: Callable[..., object], tmp_path: Path
) -> None:
    with open_pipeline(6) as pipeline:
        mark = tmp_path / "stuck"
        supervisor = pipeline.popen(
            "-m",
            "kkoracle",
            "work",
            cwd=pipeline.folder,
            KKORACLE_WORK_ENGINE="mlx",
            KKORACLE_WORK_WATCHDOG_S="2",
            **{MARK: str(mark), MODULE_VARIABLE: "tests.workers.stuck"},
        )
        counters = pipeline.until_done()
        assert mark.exists()
        assert counters.get("tasks.done", 0) + counters.get("failed.no-pair", 0) == 6
        supervisor.terminate()
        assert supervisor.wait(30) == 3
        assert supervisor.stdout is not None
        assert "no token for 2 s" in supervisor.stdout.read()


def test_the_interpreter_runs_on_while_mlx_computes() -> None:
    """Else no thread of ours could notice that a computation never ends."""
    code = (
        "import mlx.core as mx, os, threading; from exchange.inference.runtime import Watchdog;"
        "big = mx.random.normal((2048, 2048)); mx.eval(big);"
        "watch = Watchdog(0.1);\n"
        "with watch:\n"
        "    for _ in range(2000): big = big @ big / 2048\n"
        "    mx.eval(big)\n"
    )
    ended = run_python("-c", code)
    assert ended.returncode == STUCK_EXIT_CODE, ended.stderr
    assert "engine is stuck" in ended.stderr


def test_steps_that_end_and_pauses_between_them_are_no_reason() -> None:
    watch = Watchdog(0.4)
    for _ in range(5):
        with watch:
            time.sleep(0.1)
    time.sleep(0.6)
    watch.close()


def test_tasks_beyond_their_deadline_are_counted_and_what_they_said_is_kept(
    open_pipeline: Callable[..., object],
) -> None:
    with open_pipeline(5, extra="deadline_s = 0.001\n") as pipeline:
        pipeline.popen(
            "-m",
            "workers.run",
            "--burst",
            cwd=pipeline.folder,
            KKORACLE_WORKER_REDIS=pipeline.url,
            KKORACLE_WORK_ENGINE="mlx",
        )
        pipeline.until_done()
        assert pipeline.redis.get(keys.stat(DEADLINE)) == b"5"
        spool = Spool.read(pipeline.project.archive_dir())
        ids = [row["id"] for row in spool.db.execute("SELECT id FROM tasks")]
        found = [spool.completion(task_id) for task_id in ids]
        assert [one.finish_reason for one in found if one] == [DEADLINE] * 5
        spool.close()
