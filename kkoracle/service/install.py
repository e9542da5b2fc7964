"""Services as launchd (macOS) and systemd (Linux) define them: write the files, tell the system.

Both are taken back by the same names.
"""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exchange.errors import ProgramFailed
from exchange.files import PRIVATE, write_atomic
from exchange.lock import daemon_lock, live_lock
from kkoracle.service.services import DAEMON, LIVE, REDIS, STOP_S, WORKER, UserService

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
        "Umask": PRIVATE,
    }
    return plistlib.dumps(values, sort_keys=False).decode()


NAMES = (REDIS, DAEMON, WORKER, LIVE)  # in the order in which they start
COMMAND_TIMEOUT_S = 60.0


def service_files(
    services: Sequence[UserService], archive: str, home: Path, platform: str = sys.platform
) -> dict[Path, str]:
    """The files and what is in them, in their order."""
    if platform == "darwin":
        return {
            service_path(archive, one.name, home, platform): launchd_agent(one, archive)
            for one in services
        }
    return {
        service_path(archive, one.name, home, platform): systemd_unit(one, archive)
        for one in services
    }


def service_path(archive: str, name: str, home: Path, platform: str = sys.platform) -> Path:
    """Where the file of a service lies."""
    if platform == "darwin":
        return home / LAUNCHD_FOLDER / f"{launchd_label(archive, name)}.plist"
    return home / SYSTEMD_FOLDER / unit_name(archive, name)


def install_services(services: Sequence[UserService], archive: str, home: Path) -> str:
    """Write the files and start the services in place of earlier ones; returns what to tell.

    Raises:
        UserError: the system does not take them; the files stay, with what to run.
    """
    # Two daemons, or a worker beside a morning, help nobody.
    live = any(service.name == LIVE for service in services)
    uninstall_services(archive, home, (DAEMON, WORKER) if live else (LIVE,))
    for service in services:
        service.log.parent.mkdir(parents=True, exist_ok=True)
    written = service_files(services, archive, home)
    for where, text in written.items():
        write_atomic(where, text, mode=0o600)
    for command in _start_commands(list(written)):
        _run_command(command, list(written))
    logs = services[0].log.parent
    return (
        f"{len(services)} services run and come back after a crash and a login; logs in {logs}"
        + _logout_note()
    )


def require_nobody(services: Sequence[UserService], archive_dir: Path, home: Path) -> None:
    """Refuse to install what a terminal runs already: the service would only end and begin anew.

    Raises:
        Busy: a daemon, or `kkoracle live`, of this archive runs, and is no service.
    """
    archive = archive_dir.name
    if any(service_path(archive, name, home).exists() for name in (DAEMON, LIVE)):
        return  # they end first
    if any(service.name in (DAEMON, LIVE) for service in services):
        for lock in (live_lock(archive_dir), daemon_lock(archive_dir)):
            if lock.path.exists():
                with lock:
                    pass


def uninstall_services(archive: str, home: Path, names: Sequence[str] = NAMES) -> list[Path]:
    """Stop the services and remove their files; returns those that were there."""
    found = [one for name in names if (one := service_path(archive, name, home)).exists()]
    for command in _stop_commands(found):
        subprocess.run(command, capture_output=True, timeout=2 * COMMAND_TIMEOUT_S, check=False)
    for one in found:
        one.unlink(missing_ok=True)
    if found and sys.platform != "darwin" and shutil.which("systemctl"):
        reload = ["systemctl", "--user", "daemon-reload"]
        subprocess.run(reload, capture_output=True, timeout=COMMAND_TIMEOUT_S, check=False)
    return found


def _start_commands(written: Sequence[Path]) -> list[list[str]]:
    if sys.platform == "darwin":
        domain = f"gui/{os.getuid()}"
        again = [["launchctl", "bootout", f"{domain}/{one.stem}"] for one in written]
        return [*again, *(["launchctl", "bootstrap", domain, str(one)] for one in written)]
    names = [one.name for one in written]
    return [
        ["systemctl", "--user", "daemon-reload"],
        ["systemctl", "--user", "enable", "--now", *names],
    ]


def _stop_commands(found: Sequence[Path]) -> list[list[str]]:
    """The last that started stops first."""
    if sys.platform == "darwin":
        domain = f"gui/{os.getuid()}"
        return [["launchctl", "bootout", f"{domain}/{one.stem}"] for one in reversed(found)]
    if not found or not shutil.which("systemctl"):
        return []
    return [["systemctl", "--user", "disable", "--now", *(one.name for one in reversed(found))]]


def _run_command(command: list[str], written: Sequence[Path]) -> None:
    said = ""
    if shutil.which(command[0]):
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=COMMAND_TIMEOUT_S, check=False
        )
        if ended.returncode == 0 or "bootout" in command:  # it was not there: all the better
            return
        said = f" ({ended.stderr.strip().splitlines()[-1]})" if ended.stderr.strip() else ""
    raise ProgramFailed(
        f"the files are written to {written[0].parent}, but `{' '.join(command)}` does not "
        f"work here{said}: run it where you are logged in"
    )


def _logout_note() -> str:
    """systemd ends a user's services at logout unless told otherwise."""
    if sys.platform == "darwin":
        return ""
    return "\nthey end when you log out, unless `loginctl enable-linger` was run once"
