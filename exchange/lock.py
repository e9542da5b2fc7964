"""File locks that die with their owner: advisory `flock`, held by an open descriptor.

Every lock of ours stands here by name, so that nobody takes it under another.
"""

from __future__ import annotations

import errno
import fcntl
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from exchange.errors import Busy
from exchange.files import write_error

# In an archive's folder.
DAEMON_LOCK = "daemon.lock"  # its holder alone writes pages.sqlite and spool.sqlite
RECHECK_LOCK = "recheck.lock"
BATCH_LOCK = "batch.lock"  # replies of a batch are being stored
DATASET_LOCK = "dataset.lock"
EVALUATION_LOCK = "evaluation.lock"
LIVE_LOCK = "live.lock"
MORNING_LOCK = "morning.lock"  # a morning, or a rollback, is under way
INDEX_LOCK = "index.lock"  # the index of the chunks is being made
# In the data folder.
GPU_LOCK = "gpu.lock"
JOURNAL_LOCK = "journal.lock"
# In the folder of our Redis.
REDIS_LOCK = "redis.lock"  # it is being started or stopped
REDIS_USERS_LOCK = "redis.users"  # shared by all who use it
REDIS_ALIVE_LOCK = "redis.alive"  # held by the server itself
REDIS_GUARD_LOCK = "redis.guard"  # held by what ends a server without users
# In the demo's folder.
DEMO_LOCK = "demo.lock"

GPU_POLL_S = 0.2
_STOP = "Ctrl-C in its terminal, or `kkoracle uninstall-service` where it is a service"
TRIES, TRY_S = 5, 0.1  # commands that only look at a lock hold it for a moment


class FileLock:
    """An exclusive or shared lock on one small file.

    The kernel releases it when the process ends, however it ends, so a lock never has to be
    cleaned up by hand. It does not work across machines or a virtual machine's boundary.
    """

    def __init__(self, path: Path, about: Callable[[FileLock], str] | None = None) -> None:
        """Nothing is opened yet.

        Args:
            about: whose it is and what to do, for whoever wanted it while another one has it.
        """
        self.path = path
        self._about = about or _held_by_another
        self._fd: int | None = None

    def acquire(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Take the lock; false when another process holds it and `wait` is not set.

        Raises:
            CannotWrite: its file cannot be made or opened.
        """
        if self._fd is None:
            self._fd = self._open(shared=shared)
        mode = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self._fd, mode if wait else mode | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        if not shared:
            with suppress(OSError):  # only messages need it, and a full disk must let go of locks
                os.ftruncate(self._fd, 0)
                os.pwrite(self._fd, str(os.getpid()).encode(), 0)
        return True

    def acquire_soon(self, *, shared: bool = False) -> bool:
        """The same, but for those who hold it for a moment to see whether they could."""
        for left in range(TRIES, 0, -1):
            if self.acquire(shared=shared):
                return True
            if left > 1:
                time.sleep(TRY_S)
        return False

    def _open(self, *, shared: bool) -> int:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            # Whoever only looks needs no more than to read, such as `status` on a read-only disk.
            if shared and error.errno in (errno.EROFS, errno.EACCES):
                with suppress(OSError):
                    return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            raise write_error(self.path, error) from None

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

    def is_free(self, *, shared: bool = False) -> bool:
        """Whether one could take it; it is not held afterwards.

        Args:
            shared: ask beside others who share it. Nothing is written into the file then.
        """
        if shared and not self.path.exists():
            return True  # and it is not made for a look
        free = self.acquire(shared=shared)
        self.release()
        return free

    @contextmanager
    def waiting(self) -> Iterator[Self]:
        """Hold the lock for a block, after whoever has it now, however long that takes."""
        self.acquire(wait=True)
        try:
            yield self
        finally:
            self.release()

    def holder(self) -> int | None:
        """The process id that last took the lock exclusively, for messages only."""
        try:
            return int(self.path.read_text())
        except (OSError, ValueError):
            return None

    def __enter__(self) -> Self:
        if not self.acquire_soon():
            raise Busy(self._about(self))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()


def _pid(lock: FileLock) -> int | str:
    return lock.holder() or "unknown"


def _held_by_another(lock: FileLock) -> str:
    return (
        f"another process (pid {_pid(lock)}) holds {lock.path.name}: stop it "
        "first, or wait until it ends"
    )


def live_lock(archive_dir: Path) -> FileLock:
    """The lock of an archive's `kkoracle live`, not taken yet."""
    return FileLock(
        archive_dir / LIVE_LOCK,
        lambda lock: (
            f"`kkoracle live` of {archive_dir.name} runs already (pid {_pid(lock)}), "
            f"and one is enough: `kkoracle live --status` says how far it is; to stop it: {_STOP}"
        ),
    )


def morning_lock(archive_dir: Path) -> FileLock:
    """The lock of a morning or a rollback of an archive, not taken yet."""
    return FileLock(
        archive_dir / MORNING_LOCK,
        lambda lock: (
            f"a morning of {archive_dir.name} is under way (`kkoracle live`, pid "
            f"{_pid(lock)}): wait until it has ended, which `kkoracle live "
            "--status` says"
        ),
    )


def daemon_lock(archive_dir: Path) -> FileLock:
    """The lock of an archive's daemon, not taken yet."""
    return FileLock(archive_dir / DAEMON_LOCK, _held_by_daemon)


def _held_by_daemon(lock: FileLock) -> str:
    archive_dir, live = lock.path.parent, live_lock(lock.path.parent)
    if not live.is_free(shared=True) and live.holder() != os.getpid():
        return (
            f"`kkoracle live` (pid {_pid(live)}) reads {archive_dir.name} and keeps "
            f"its own `kkoracle crawl` going: nothing else is needed; to stop it: {_STOP}"
        )
    return (
        f"`kkoracle crawl`, or an import, of {archive_dir.name} runs already (pid "
        f"{_pid(lock)}): wait until it ends, or stop it first: {_STOP}"
    )


def require_no_live(data: Path, instead: str, *, but: int = 0) -> None:
    """Refuse what would keep the model of this machine from a `kkoracle live` in this data folder.

    Args:
        instead: of what is refused, as a part of a sentence.
        but: the process id of one that may run.

    Raises:
        Busy: one runs.
    """
    for path in sorted(data.glob(f"*/{LIVE_LOCK}")):
        lock = FileLock(path)
        if not lock.is_free(shared=True) and (pid := lock.holder()) != but:
            raise Busy(
                f"`kkoracle live` of {path.parent.name} (pid {pid or 'unknown'}) has the model of "
                f"this machine: {instead}; to stop it: {_STOP}"
            )


@contextmanager
def hold_gpu(data: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold this machine's GPU, or its processor where there is none.

    Generate or train, not both: they would only take turns, and neither has its memory. Several
    workers may share it (though one wide batch is faster), a training run has it alone.

    Args:
        shared: others may hold it too, if they also share it.

    Raises:
        Busy: somebody else needs it alone, or we do and somebody has it.
    """
    lock = FileLock(data / GPU_LOCK)
    try:
        if not lock.acquire_soon(shared=shared):
            if not shared:
                require_no_live(data, "it trains by itself, each morning")
            raise Busy(
                f"training runs on this machine (pid {lock.holder()}): generate or train, not "
                "both; start again when it is done"
                if shared
                else "a worker is generating, a model is open in a chat or the studio, or another "
                f"run is training on this machine ({GPU_LOCK}): they would only slow each other "
                "down; stop it first, or wait until it ends"
            )
        yield
    finally:
        lock.release()


def wait_for_gpu(
    data: Path,
    say: Callable[[str], None],
    *,
    shared: bool = False,
    most_s: float = math.inf,
    meanwhile: Callable[[], None] = lambda: None,
) -> None:
    """Wait until one could hold the GPU, or for so many seconds; it is not held afterwards.

    Args:
        say: told once what is waited for, if it has to be.
        shared: beside others who share it.
        meanwhile: called a few times a second.
    """
    lock, deadline, told = FileLock(data / GPU_LOCK), time.monotonic() + most_s, False
    while not lock.is_free(shared=shared) and time.monotonic() < deadline:
        if not told:
            say(
                "waiting until whoever uses the model of this machine lets it go: a chat, the "
                "studio, a worker that was started by hand, or another training"
            )
            told = True
        meanwhile()
        time.sleep(GPU_POLL_S)
