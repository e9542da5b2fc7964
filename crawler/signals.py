"""Ctrl-C and SIGTERM: the first ends in order, the second at once, as a kill would."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator

from exchange.errors import STOPPED

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Call `stop` on the first signal; end the process on the second.

    Ending at once is safe: whatever was not committed is done again at the next start. Outside
    the main thread signals are left to whoever called us.
    """
    loop = asyncio.get_running_loop()
    told = False

    def on_signal() -> None:
        nonlocal told
        if told:
            if os.isatty(2):
                os.write(2, b"\x1b[?25h")  # the live display had hidden the cursor
            os._exit(STOPPED)
        told = True
        log.warning("stopping: what is under way may finish (30 s at most; again: at once)")
        stop()

    installed = []
    with contextlib.suppress(RuntimeError, ValueError):
        for name in SIGNALS:
            loop.add_signal_handler(name, on_signal)
            installed.append(name)
    try:
        yield
    finally:
        for name in installed:
            loop.remove_signal_handler(name)
