"""What runs beside a command that takes weeks: figures, notices, and a machine kept awake.

All of it only looks. `crawl` and `work` enter it by way of the house, since no stage may know the
front door.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from exchange import metrics
from exchange.errors import UserError
from exchange.metrics import MetricSource
from exchange.project import Project
from kkoracle.monitor.awake import SleepInhibitor
from kkoracle.settings import MonitorSettings

log = logging.getLogger(__name__)

INTERVAL_S = 30.0  # between two looks for what is new
BUSY_METRICS = ("worker_inflight", "queue_jobs")  # figures of a worker that has something to do


@contextmanager
def monitor_command(
    project: Project, archive: str, figures: MetricSource | None = None
) -> Iterator[None]:
    """Run them while the block runs.

    Args:
        figures: what a worker knows of itself. Without them it is the archive's daemon that runs,
            and what `status` sees is shown and told.

    Raises:
        UserError: metrics were asked for and cannot be served.
    """
    settings = project.config.table("operate", MonitorSettings)
    with ExitStack() as stack:
        awake = stack.enter_context(SleepInhibitor(wanted=settings.keep_awake))
        if figures is not None:
            port = settings.work_port
            rounds = _worker_check(figures, awake)
        else:
            port = settings.crawl_port
            figures, rounds = _daemon_check(stack, project, archive, settings, awake)
        if port:
            stack.enter_context(metrics.serve_metrics(settings.metrics_host, port, figures))
        stack.enter_context(_every(INTERVAL_S, rounds))
        yield


def _worker_check(figures: MetricSource, awake: SleepInhibitor) -> Callable[[], None]:
    return lambda: awake.want(any(one.value for one in figures() if one.name in BUSY_METRICS))


def _daemon_check(
    stack: ExitStack,
    project: Project,
    archive: str,
    settings: MonitorSettings,
    awake: SleepInhibitor,
) -> tuple[MetricSource, Callable[[], None]]:
    from kkoracle.monitor.metrics import status_metrics
    from kkoracle.monitor.notices import Notifier
    from kkoracle.status import read_status

    notices = Notifier(settings, archive)

    def rounds() -> None:
        status = read_status(project, archive)
        notices.see(status)
        awake.want(status.work_left)

    stack.callback(_run_check, rounds)  # the end of the work is news too
    return lambda: status_metrics(read_status(project, archive)), rounds


@contextmanager
def _every(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call again and again in a thread of its own until the block ends."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(seconds):
            _run_check(call)

    thread = threading.Thread(target=loop, name="beside", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _run_check(call: Callable[[], None]) -> None:
    """What only looks must never stop what works."""
    try:
        call()
    except UserError as error:  # nothing is there to be looked at yet
        log.debug("%s", error)
    except Exception:
        log.exception("a look beside the work failed")
