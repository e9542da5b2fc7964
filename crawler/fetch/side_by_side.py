"""Several archives at once: a process for each, whose lines are handed on.

Each has its own folder, daemon and lock, as if it were crawled alone, and one that fails stops no
other. What they have in common they share elsewhere: the pace of a host in `hosts`, the queue
in Redis.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import IO, Any

from crawler.settings import CrawlSettings
from exchange import signals
from exchange.errors import FAILED, OK, STOPPED, ProgramFailed, Stopped, UsageError
from exchange.machine import python_module
from exchange.project import Project
from exchange.settings import ENV_PREFIX

OWN = ("profile", "base_url", "route", "language")  # settings that are one newspaper's
POLL_S = 0.2


def check_settings(settings: CrawlSettings, *, re_extract: bool) -> None:
    """Refuse what cannot be meant for several newspapers.

    Raises:
        UsageError: a setting that is one newspaper's, or a question to the operator.
    """
    for name in OWN:
        if getattr(settings, name):
            raise UsageError(
                f"[crawl] {name} is one newspaper's: for several archives let each have its "
                "profile, called NAME.toml, in this folder"
            )
    if re_extract:
        raise UsageError("--re-extract asks before it begins: one archive at a time")


def crawl_side_by_side(
    project: Project, archives: Sequence[str], settings: CrawlSettings, flags: Sequence[str]
) -> None:
    """Crawl them all until nothing is left to do in any.

    Raises:
        Stopped: by a signal; the same command goes on.
        ProgramFailed: one or more have failed, each in its own words; the others went on.
    """
    running = [(name, _start(project, name, settings, flags)) for name in archives]
    readers = [
        threading.Thread(target=_hand_on, args=(name, stream, out), daemon=True)
        for name, process in running
        for stream, out in ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
    ]
    for reader in readers:
        reader.start()

    def tell() -> None:
        for _, process in running:
            if process.poll() is None:
                process.terminate()  # the second at once, as for a crawl of one

    with signals.stop_on_signal(tell, tell):
        for _, process in running:
            while process.poll() is None:
                try:
                    process.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    continue
    for reader in readers:
        reader.join(POLL_S)
    codes = {name: process.returncode for name, process in running}
    failed = [name for name, code in codes.items() if code not in (OK, STOPPED)]
    if failed:
        raise ProgramFailed(f"{', '.join(failed)} failed, as said above", FAILED)
    if STOPPED in codes.values():
        raise Stopped("stopped, nothing is lost: the same command goes on")


def _start(
    project: Project, archive: str, settings: CrawlSettings, flags: Sequence[str]
) -> subprocess.Popen[bytes]:
    path = project.config.path
    variables: dict[str, Any] = {"DATA": project.data, "CONFIG": path.resolve() if path else ""}
    for name, value in settings.model_dump().items():
        if value is not None:
            plain = ",".join(value) if isinstance(value, tuple) else value
            variables[f"CRAWL_{name.upper()}"] = plain
    environment = {f"{ENV_PREFIX}{name}": str(value) for name, value in variables.items()}
    # A session of its own: Ctrl-C reaches us, and is passed on exactly once.
    return subprocess.Popen(
        python_module("kkoracle", "crawl", archive, *flags),
        env={**os.environ, **environment, signals.PARENT_VARIABLE: str(os.getpid())},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _hand_on(archive: str, stream: IO[bytes], out: IO[str]) -> None:
    """Every line with its archive's name, which most have already."""
    for line in stream:
        text = line.decode("utf-8", "replace")
        out.write(text if text.startswith(f"{archive}:") else f"{archive}: {text}")
        out.flush()
