"""File locks that die with their owner: advisory `flock`, held by an open descriptor."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from exchange.errors import UserError


class FileLock:
    """An exclusive or shared lock on one small file.

    The kernel releases it when the process ends, however it ends, so a lock never has to be
    cleaned up by hand. It does not work across machines or a virtual machine's boundary.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def acquire(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Take the lock; false when another process holds it and `wait` is not set."""
        if self._fd is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self._fd, mode if wait else mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not shared:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, str(os.getpid()).encode(), 0)
        return True

    def release(self) -> None:
        """Give the lock back; harmless when it is not held."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    @property
    def descriptor(self) -> int:
        """For a child to inherit: it then holds the lock too, for as long as it lives.

        Raises:
            ValueError: the lock is not held.
        """
        if self._fd is None:
            raise ValueError(f"{self.path} is not held")
        return self._fd

    def holder(self) -> int | None:
        """The process id that last took the lock exclusively, for messages only."""
        try:
            return int(self.path.read_text())
        except (OSError, ValueError):
            return None

    def __enter__(self) -> Self:
        if not self.acquire():
            raise UserError(
                f"another process (pid {self.holder() or 'unknown'}) holds {self.path.name}: "
                "stop it first, or wait until it ends"
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()
