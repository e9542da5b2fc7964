"""Ends our Redis once nobody uses it any more, also where its users were killed.

The last user that leaves in order stops the server itself; one that is killed cannot, and the
server would stay for ever. So beside each server a small process waits for the lock that all users
share: the kernel lets go of that lock however they end. It is a script without imports of ours, so
that it costs a hundredth of a second and few megabytes:

    python -I -S redis_guard.py FOLDER GUARD-LOCK USERS-LOCK START-LOCK ALIVE-LOCK NOTES
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# Seconds without a user before the server ends: who leaves in order stops it within this time, and
# a command that is started again right after a kill finds it.
UNUSED_S = 5.0
ENDS_WITHIN_S = 20.0  # else it is killed


def start_guard(notes: Path) -> None:
    """Start the guard of a server; one that waits for it already makes this one end at once.

    Args:
        notes: where the server's address stands, in the folder that all its locks are in.
    """
    from exchange import lock  # not for the script

    locks = (
        lock.REDIS_GUARD_LOCK,
        lock.REDIS_USERS_LOCK,
        lock.REDIS_LOCK,
        lock.REDIS_ALIVE_LOCK,
    )
    script = [sys.executable, "-I", "-S", __file__, str(notes.parent), *locks, notes.name]
    subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" &', "sh", *script],  # nobody's child: it outlives us
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )


def wait_and_end(guard: str, users: str, starts: str, alive: str, notes: str) -> None:
    """Wait until nobody has used the server for some time, then end it.

    Everything is named in the working folder. Meanwhile the start lock is held, so that a user who
    comes now starts another server behind this one.
    """
    alone, used = _open(guard), _open(users)
    if not _take(alone):
        return
    while True:
        fcntl.flock(used, fcntl.LOCK_EX)
        fcntl.flock(used, fcntl.LOCK_UN)
        deadline = time.monotonic() + UNUSED_S
        while _is_alive(alive) and time.monotonic() < deadline:
            time.sleep(0.1)
        if _take(used):
            break
    fcntl.flock(_open(starts), fcntl.LOCK_EX)
    if _is_alive(alive):
        _end_server(alive)
        with contextlib.suppress(FileNotFoundError):
            Path(notes).unlink()
    os.close(alone)  # before the others: the next server needs a guard of its own


def _end_server(alive: str) -> None:
    """As SHUTDOWN does, which leaves everything on the disk; by force where that takes too long."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(Path("redis.pid").read_text()), how)
        deadline = time.monotonic() + ENDS_WITHIN_S
        while _is_alive(alive) and time.monotonic() < deadline:
            time.sleep(0.05)


def _is_alive(alive: str) -> bool:
    """Whether the server lives, which has inherited this lock."""
    descriptor = _open(alive)
    try:
        return not _take(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _open(name: str) -> int:
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _take(descriptor: int, mode: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


if __name__ == "__main__":
    os.chdir(sys.argv[1])
    wait_and_end(*sys.argv[2:])
