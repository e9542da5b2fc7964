"""Units for systemd's user manager."""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import Any

from kkoracle.service.services import STOP_S, UserService

SYSTEMD_FOLDER = Path(".config/systemd/user")  # in the home


def unit_name(archive: str, name: str) -> str:
    return f"kkoracle-{archive}-{name}.service"


def systemd_unit(service: UserService, archive: str) -> str:
    """One unit file.

    Exit code 0 (all is done) and 3 (stopped) end the service; 2 (wrong settings) ends it for a
    person to see; anything else is started again, at most once in half a minute.
    """
    after = " ".join(unit_name(archive, name) for name in service.after)
    order = f"Wants={after}\nAfter={after}\n" if after else ""
    environment = "".join(
        f"Environment={_quoted(f'{name}={value}')}\n" for name, value in service.environment.items()
    )
    return f"""[Unit]
Description={_escaped(service.about)}
{order}StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart={" ".join(_quoted(word) for word in service.command)}
WorkingDirectory={_escaped(str(service.folder))}
{environment}StandardOutput=append:{_escaped(str(service.log))}
StandardError=inherit
Restart=on-failure
RestartSec=30
RestartPreventExitStatus=2
SuccessExitStatus=3
KillMode=mixed
TimeoutStopSec={STOP_S}
UMask=0077

[Install]
WantedBy=default.target
"""


def _escaped(text: str) -> str:
    """Percent signs are systemd's own."""
    return text.replace("%", "%%")


def _quoted(word: str) -> str:
    """A word as ExecStart and Environment read it, whatever is in it."""
    inner = _escaped(word).replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")
    return f'"{inner}"'


# Property lists for launchd's user agents.

LAUNCHD_FOLDER = Path("Library/LaunchAgents")  # in the home


def launchd_label(archive: str, name: str) -> str:
    return f"kkoracle.{archive}.{name}"


def launchd_agent(service: UserService, archive: str) -> str:
    """One property list. launchd knows no order; the commands start Redis themselves.

    An exit with 0 (all is done) ends the service; anything else is started again.
    """
    values: dict[str, Any] = {
        "Label": launchd_label(archive, service.name),
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
