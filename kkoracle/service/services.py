"""What runs as a service: the commands, in their order, with what they need around them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from exchange.errors import UsageError
from exchange.machine import python_module
from exchange.project import Project
from kkoracle.children import front_options

PASSED_VARIABLES = (
    "PATH",
    "PYTHONPATH",
    "LANG",
    "LC_ALL",
    "HF_HOME",
    "HF_HUB_OFFLINE",
    "SSL_CERT_FILE",
)
REDIS, DAEMON, WORKER, LIVE = "redis", "daemon", "worker", "live"
STOP_S = 75  # what is under way may finish: 30 s of grace, and as much again for the last writes


@dataclass(frozen=True, slots=True)
class UserService:
    """One command that is kept alive."""

    name: str  # redis, daemon, worker or live
    about: str
    command: tuple[str, ...]
    folder: Path  # it runs in there
    environment: dict[str, str]
    log: Path
    after: tuple[str, ...] = ()  # services that should be there first


def plan_services(
    project: Project,
    archive: str,
    *,
    redis: bool = True,
    daemon: bool = True,
    worker: bool = True,
    follow: bool = False,
    no_fetch: bool = False,
    live: bool = False,
) -> list[UserService]:
    """The services of one archive, in the order in which they start.

    Each of the commands starts our Redis if it is not there, so the order only saves a moment.

    Args:
        live: `kkoracle live` in place of daemon and worker, which it keeps going by itself.

    Raises:
        UsageError: nothing is left to run, the archive stands for several, or this shell knows
            settings that a service would not.
    """
    if live and (no_fetch or not (daemon and worker)):
        raise UsageError("--live is daemon and worker in one: give it alone")
    project.newspaper_dir(archive)  # refuses what stands for several
    folder, front = front_command(project)
    environment = {name: os.environ[name] for name in PASSED_VARIABLES if os.environ.get(name)}
    environment["PYTHONUNBUFFERED"] = "1"
    _refuse_secrets()
    logs = project.data / "logs"
    made: list[UserService] = []

    def add(name: str, about: str, *command: str) -> None:
        before = tuple(one.name for one in made if one.name == REDIS)
        log = logs / f"{name}.log"
        made.append(UserService(name, about, (*front, *command), folder, environment, log, before))

    if redis and not project.redis.url:
        add(REDIS, f"kkoracle: Redis of {project.data}", "redis")
    flags = ("--follow",) * follow + ("--no-fetch",) * no_fetch
    if live:
        add(LIVE, f"kkoracle: {archive}, morning after morning", "live", archive)
    elif daemon:
        add(DAEMON, f"kkoracle: the daemon of {archive}", "crawl", archive, *flags)
    if worker and not live:
        add(WORKER, "kkoracle: a generation worker", "work")
    if not made:
        raise UsageError("no service is left: keep one of redis, daemon and worker")
    return made


def front_command(project: Project) -> tuple[Path, tuple[str, ...]]:
    """The folder and the first words of any command over this project, started by another."""
    config = project.config.path
    folder = config.parent.resolve() if config else Path.cwd()
    return folder, tuple(python_module("kkoracle", *front_options(project)))


def _refuse_secrets() -> None:
    """What stands in this shell's environment is not there when the service starts."""
    ours = sorted(name for name in os.environ if name.startswith("KKORACLE_"))
    ours = [name for name in ours if name not in ("KKORACLE_BLAS", "KKORACLE_CONFIG")]
    if ours:
        raise UsageError(
            f"{', '.join(ours)} is set in this shell, and a service would not have it: write it "
            "into kkoracle.toml (readable by you alone, if it is a secret), or unset it"
        )
