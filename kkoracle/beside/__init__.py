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
from exchange.house import House
from exchange.metrics import Figures
from kkoracle.beside.awake import Awake
from kkoracle.beside.settings import Operate

log = logging.getLogger(__name__)

LOOK_S = 30.0  # between two looks for what is new
BUSY = ("worker_inflight", "queue_jobs")  # figures of a worker that has something to do


@contextmanager
def companions(house: House, archive: str, figures: Figures | None = None) -> Iterator[None]:
    """Run them while the block runs.

    Args:
        figures: what a worker knows of itself. Without them it is the archive's daemon that runs,
            and what `status` sees is shown and told.

    Raises:
        UserError: metrics were asked for and cannot be served.
    """
    settings = house.config.table("operate", Operate)
    with ExitStack() as stack:
        awake = stack.enter_context(Awake(wanted=settings.keep_awake))
        if figures is not None:
            port = settings.work_port
            rounds = _beside_worker(figures, awake)
        else:
            port = settings.crawl_port
            figures, rounds = _beside_daemon(stack, house, archive, settings, awake)
        if port:
            stack.enter_context(metrics.serving(settings.metrics_host, port, figures))
        stack.enter_context(_every(LOOK_S, rounds))
        yield


def _beside_worker(figures: Figures, awake: Awake) -> Callable[[], None]:
    return lambda: awake.want(any(one.value for one in figures() if one.name in BUSY))


def _beside_daemon(
    stack: ExitStack, house: House, archive: str, settings: Operate, awake: Awake
) -> tuple[Figures, Callable[[], None]]:
    from kkoracle.beside.figures import of_status
    from kkoracle.beside.notices import Notices
    from kkoracle.status import look

    notices = Notices(settings, archive)

    def rounds() -> None:
        status = look(house, archive)
        notices.see(status)
        awake.want(status.work_left)

    stack.callback(_once, rounds)  # the end of the work is news too
    return lambda: of_status(look(house, archive)), rounds


@contextmanager
def _every(seconds: float, call: Callable[[], None]) -> Iterator[None]:
    """Call again and again in a thread of its own until the block ends."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(seconds):
            _once(call)

    thread = threading.Thread(target=loop, name="beside", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _once(call: Callable[[], None]) -> None:
    """What only looks must never stop what works."""
    try:
        call()
    except UserError as error:  # nothing is there to be looked at yet
        log.debug("%s", error)
    except Exception:
        log.exception("a look beside the work failed")
