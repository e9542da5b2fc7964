"""The command line: `app` joins the stages' commands, the rest are commands of no stage."""

from __future__ import annotations

import gc
from typing import NoReturn

from exchange import signals


def main() -> NoReturn:
    """The `kkoracle` command. A signal while it is being loaded ends it in one line."""
    signals.exit_while_loading()
    gc.disable()  # what loads stays: looking through it for garbage is a tenth of the start
    from kkoracle.cli.app import main as run

    gc.freeze()
    gc.enable()
    try:
        run()
    except KeyboardInterrupt:  # between two lines that nothing else guards
        signals.stop_at_once()
