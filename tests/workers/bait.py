"""Functions that a hostile job names as its callbacks: each leaves a file when it is called."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

FOLDER = "BAIT_FOLDER"


def success(*_: Any) -> None:
    leave("success")


def failure(*_: Any) -> None:
    leave("failure")


def stopped(*_: Any) -> None:
    leave("stopped")


def leave(name: str) -> None:
    (Path(os.environ[FOLDER]) / f"{name}.taken").touch()


def taken(folder: Path) -> list[str]:
    """Which of them were called."""
    return sorted(path.stem for path in folder.glob("*.taken"))
