"""The supervisor: a crash is repaired, a crash loop ends, a stop is passed on."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

import orjson
import psutil
import pytest

from exchange import lock, signals
from exchange.errors import UserError
from tests.conftest import worker_of
from tests.workers.conftest import Pipeline
from tests.workers.endpoint import Endpoint
from workers import supervisor

Open = Callable[..., object]


def start(pipeline: Pipeline, *flags: str, **environment: str) -> subprocess.Popen[str]:
    return pipeline.popen(
        "-m",
        "kkoracle",
        "work",
        *flags,
        cwd=pipeline.folder,
        KKORACLE_WORK_ENGINE="openai",
        KKORACLE_WORK_URL=pipeline.endpoint.url,
        **environment,
    )


def test_a_killed_worker_is_started_again_and_all_is_done(open_pipeline: Open) -> None:
    with open_pipeline(30, delay=0.3) as pipeline:
        supervisor = start(pipeline)
        pipeline.until(lambda: pipeline.requests() >= 6)
        os.kill(worker_of(supervisor.pid), signal.SIGKILL)
        counters = pipeline.until_done()
        assert counters["tasks.done"] == counters["pairs.accepted"] == 30
        supervisor.terminate()
        assert supervisor.wait(30) == 3


def test_ctrl_c_ends_both_and_exits_with_3(open_pipeline: Open) -> None:
    with open_pipeline(12, delay=0.3) as pipeline:
        supervisor = start(pipeline)
        pipeline.until(lambda: pipeline.requests() >= 2)
        child = worker_of(supervisor.pid)
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(30) == 3
        pipeline.until(lambda: not psutil.pid_exists(child))


def test_a_worker_whose_supervisor_was_killed_ends_by_itself(open_pipeline: Open) -> None:
    with open_pipeline(12, delay=0.2) as pipeline:
        supervisor = start(pipeline)
        pipeline.until(lambda: pipeline.requests() >= 2)
        child = worker_of(supervisor.pid)
        supervisor.kill()
        pipeline.until(lambda: not psutil.pid_exists(child), 20)


def test_an_orphan_ends_even_when_redis_is_gone_too(open_pipeline: Open) -> None:
    with open_pipeline(12, delay=0.2) as pipeline:
        supervisor = start(pipeline)
        pipeline.until(lambda: pipeline.requests() >= 2)
        child = worker_of(supervisor.pid)
        supervisor.kill()
        pipeline.pump.stop()
        pid = int(orjson.loads((pipeline.project.redis_dir / "redis.json").read_bytes())["pid"])
        os.kill(pid, signal.SIGSTOP)  # the pipeline would start a dead one again
        try:
            pipeline.until(lambda: not psutil.pid_exists(child), 25)
        finally:
            os.kill(pid, signal.SIGCONT)


def test_burst_ends_with_0_when_nothing_is_left(open_pipeline: Open) -> None:
    with open_pipeline(8) as pipeline:
        assert start(pipeline, "--burst").wait(40) == 0
        assert pipeline.until_done()["tasks.done"] == 8


def test_a_wrong_key_is_one_line_and_no_loop(open_pipeline: Open) -> None:
    endpoint = Endpoint()
    endpoint.key = "right"
    with open_pipeline(1, endpoint=endpoint) as pipeline:
        started = time.monotonic()
        process = start(pipeline, KKORACLE_WORK_API_KEY="wrong")
        assert process.wait(30) == 1
        assert time.monotonic() - started < 15
        assert process.stdout is not None
        said = process.stdout.read()
        assert "KKORACLE_WORK_API_KEY" in said and "Traceback" not in said and "wrong" not in said


def test_while_a_run_trains_no_worker_generates(open_pipeline: Open) -> None:
    with open_pipeline(1) as pipeline:
        with lock.hold_gpu(pipeline.project.data):
            process = pipeline.popen(
                "-m", "kkoracle", "work", cwd=pipeline.folder, KKORACLE_WORK_ENGINE="mlx"
            )
            assert process.wait(30) == 1
        assert process.stdout is not None
        said = process.stdout.read()
        assert f"training runs on this machine (pid {os.getpid()})" in said
        assert "Traceback" not in said


def test_a_crash_loop_ends_and_work_done_in_between_is_no_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.01,))
    variables = {supervisor.MODULE_VARIABLE: "tests.workers.crashing"}
    lives: list[str] = []

    def did_work(worker: str) -> bool:
        lives.append(worker)
        return len(lives) == 3

    guard = supervisor.Supervisor("redis://127.0.0.1:1/0", variables, burst=False, grace_s=1)
    before = [signal.getsignal(number) for number in signals.SIGNALS]
    with pytest.raises(UserError, match=r"crashed 8 times in a row \(last exit code 70\)"):
        guard.run(did_work=did_work)
    assert [signal.getsignal(number) for number in signals.SIGNALS] == before
    assert len(lives) == len(set(lives)) == 3 + 7  # the third did something: counted anew
