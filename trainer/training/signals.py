"""Ctrl-C and SIGTERM, turned into a wish: end after this step, so that the run can go on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stop_on_signal(told: Callable[[], None] = lambda: None) -> Iterator[Callable[[], bool]]:
    """Inside the block the first signal is only remembered, the second interrupts at once.

    Args:
        told: called at the first signal, from the handler: keep it short.
    """
    wanted = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal wanted
        if wanted:
            raise KeyboardInterrupt
        wanted = True
        told()

    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield lambda: wanted
    finally:
        for number, old in before.items():
            signal.signal(number, old)
