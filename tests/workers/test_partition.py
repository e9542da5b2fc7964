"""A network that swallows everything, between workers, daemon and Redis."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from bench.faults.partition import PartitionProxy
from exchange.queue.pump import QueuePump
from exchange.queue.redis_client import connect_redis
from exchange.queue.redis_endpoint import redis_for
from exchange.store.spool import Spool
from tests.conftest import fill_spool, until
from tests.workers.conftest import Pipeline

Open = Callable[..., object]
TASKS = 24
BEYOND_LEASE_S = 4 + 2


def proxy_of(url: str) -> PartitionProxy:
    return PartitionProxy(lambda: urlsplit(url).path)


def through(proxy: PartitionProxy, url: str) -> str:
    return f"redis://:{urlsplit(url).password}@127.0.0.1:{proxy.port}/0"


@pytest.fixture
def pipeline(open_pipeline: Open) -> Iterator[Pipeline]:
    with open_pipeline(TASKS, delay=0.4) as found:
        yield found


@pytest.mark.parametrize("reset", [False, True])
def test_a_worker_cut_off_beyond_its_lease_doubles_nothing_and_goes_on(
    pipeline: Pipeline, reset: bool
) -> None:
    with proxy_of(pipeline.url) as network:
        near, direct = pipeline.start_worker, pipeline.url
        pipeline.url = through(network, direct)
        far = pipeline.start_worker()
        pipeline.until(lambda: pipeline.requests() >= 4)
        network.cut()
        pipeline.url = direct
        near()
        time.sleep(BEYOND_LEASE_S)
        network.heal(reset=reset)
        counters = pipeline.until_done()
        time.sleep(1)
        assert pipeline.counters() == counters
        assert counters["tasks.done"] == counters["pairs.accepted"] == TASKS
        assert sum(count - 1 for count in pipeline.endpoint.asked.values()) <= 4 + 8
        assert far.poll() is None
        far.terminate()
        assert far.stdout is not None and "Traceback" not in far.stdout.read()


@pytest.mark.parametrize("reset", [False, True])
def test_a_daemon_cut_off_from_redis_waits_and_doubles_nothing(
    pipeline: Pipeline, reset: bool, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.pump.stop()
    with proxy_of(pipeline.url) as network:
        url = through(network, pipeline.url)
        pump = QueuePump(
            pipeline.project.archive_dir(),
            "paper",
            pipeline.project.recipe(),
            lambda: connect_redis(url, patient=False, answer_s=0.5),  # so that it sends again
            reconcile_s=1,
        )
        pump.start()
        pipeline.start_worker()
        pipeline.until(lambda: pipeline.counters().get("tasks.done", 0) >= 4)
        network.cut()
        time.sleep(BEYOND_LEASE_S)
        assert pump.error is None and "Redis is away" in caplog.text
        network.heal(reset=reset)
        counters = pipeline.until_done()
        pump.stop()
        assert pump.error is None
        assert counters["tasks.done"] == counters["pairs.accepted"] == TASKS


@pytest.mark.storm
def test_ctrl_c_while_the_network_swallows_is_one_line_within_a_minute(
    make_project: Callable[..., object], popen: Callable[..., subprocess.Popen[str]]
) -> None:
    """Before, the daemon took a minute and a half, and `work` nearly four."""
    project = make_project()
    fill_spool(project, 2000).close()
    with redis_for(project) as handle, proxy_of(handle.url) as network:
        given = {
            "KKORACLE_REDIS_URL": through(network, handle.url),
            "KKORACLE_WORKER_MODULE": "bench.pretend",
            "PRETEND_DELAY": "0.1-0.2",
        }
        folder: Path = project.data.parent
        commands = [
            popen("-m", "kkoracle", *words, cwd=folder, **given)
            for words in (("crawl", "--no-fetch"), ("work",))
        ]
        spool = Spool.read(project.archive_dir())
        until(lambda: bool(spool.counters().get("tasks.done")), 60, *commands)
        network.cut()
        time.sleep(2)
        for process in commands:
            os.kill(process.pid, signal.SIGINT)
        for process in commands:
            said, _ = process.communicate(timeout=60)
            assert process.returncode == 3, said
            assert "Traceback" not in said


def test_a_thread_that_hangs_does_not_keep_a_command_from_ending(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from exchange import signals

    monkeypatch.setattr(signals, "STOP_S", 0.2)
    never = threading.Event()

    class Hanging(signals.BackgroundThread):
        def work(self) -> None:
            never.wait(20)

    thread = Hanging("hangs")
    thread.start()
    started = time.monotonic()
    thread.stop()
    assert time.monotonic() - started < 5
    never.set()
