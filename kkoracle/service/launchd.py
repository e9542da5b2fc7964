"""Property lists for launchd's user agents."""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import Any

from kkoracle.service.plan import STOP_S, Service

FOLDER = Path("Library/LaunchAgents")  # in the home


def label(archive: str, name: str) -> str:
    return f"kkoracle.{archive}.{name}"


def agent(service: Service, archive: str) -> str:
    """One property list. launchd knows no order; the commands start Redis themselves.

    An exit with 0 (all is done) ends the service; anything else is started again.
    """
    values: dict[str, Any] = {
        "Label": label(archive, service.name),
        "ProgramArguments": list(service.command),
        "WorkingDirectory": str(service.folder),
        "EnvironmentVariables": service.environment,
        "StandardOutPath": str(service.log),
        "StandardErrorPath": str(service.log),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ExitTimeOut": STOP_S,
        "ProcessType": "Interactive",  # or macOS slows the model down
        "Umask": 0o077,
    }
    return plistlib.dumps(values, sort_keys=False).decode()
