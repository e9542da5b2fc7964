"""`status --watch`: the same screen, again and again, until Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

from kkoracle.status.records import Status
from kkoracle.status.show import screen, show

EVERY_S = 2.0


def watch(look: Callable[[], Status], *, as_json: bool = False, every_s: float = EVERY_S) -> int:
    """Look every few seconds; returns the exit code of the last look.

    On a terminal the screen is drawn over; elsewhere, and as JSON, each look is printed.

    Raises:
        UserError: nothing of the archive is there.
    """
    last = look()
    try:
        if as_json or not sys.stdout.isatty():
            while True:
                show(last, as_json=as_json)
                sys.stdout.flush()
                time.sleep(every_s)
                last = look()
    except KeyboardInterrupt:
        return last.exit_code
    return _draw(last, look, every_s)


def _draw(last: Status, look: Callable[[], Status], every_s: float) -> int:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.text import Text

    console = Console(highlight=False)
    with Live(console=console, screen=True, auto_refresh=False) as live:
        try:
            while True:
                at = time.strftime("%H:%M:%S")
                foot = Text(f"\n{at}, every {every_s:.0f} s; Ctrl-C ends", style="dim")
                live.update(Group(screen(last), foot), refresh=True)
                time.sleep(every_s)
                last = look()
        except KeyboardInterrupt:
            pass
    console.print(screen(last))  # what stays when the screen is given back
    return last.exit_code
