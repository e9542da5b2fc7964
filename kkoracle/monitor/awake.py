"""Keep the machine from sleeping while there is work: the system's own tool, as a child of ours."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import subprocess
import sys
from types import TracebackType
from typing import Self

log = logging.getLogger(__name__)

REASON = "kkoracle has work left"


def inhibit_command(platform: str = sys.platform, pid: int | None = None) -> list[str]:
    """The command that holds sleep back until `pid` ends; [] where there is none."""
    pid = os.getpid() if pid is None else pid
    if platform == "darwin":
        return ["caffeinate", "-i", "-w", str(pid)]
    if platform == "linux" and shutil.which("systemd-inhibit"):
        return [
            "systemd-inhibit",
            "--what=sleep:idle",
            "--who=kkoracle",
            f"--why={REASON}",
            "--mode=block",
            "tail",
            f"--pid={pid}",
            "-f",
            "/dev/null",
        ]
    return []


class SleepInhibitor:
    """Holds sleep back when told to. It ends with this process, however that ends.

    A lid that is closed, and a battery that is empty, are not its matter.

    Args:
        wanted: false makes it do nothing at all.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._command = inhibit_command() if wanted else []
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.want(False)

    @property
    def held(self) -> bool:
        """True while sleep is held back."""
        return self._child is not None and self._child.poll() is None

    def want(self, wanted: bool) -> None:
        """Hold it back from now on, or no longer."""
        if wanted and self._command and self._child is None:
            self._begin()
        elif not wanted and self._child is not None:
            self._child.terminate()
            self._child.wait()
            self._child = None
        elif self._child is not None and self._child.poll():
            log.debug("this machine cannot be kept awake (%s)", self._command[0])
            self._child, self._command = None, []  # a container, a server without logind

    def _begin(self) -> None:
        with contextlib.suppress(OSError):
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
