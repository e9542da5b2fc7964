"""The command line: `app` joins the stages' commands, the rest are commands of no stage."""

from __future__ import annotations

from typing import NoReturn


def main() -> NoReturn:
    """The `kkoracle` command."""
    from kkoracle.cli.app import main as run

    run()
