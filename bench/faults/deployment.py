"""The real processes: the daemon, the supervisors with their workers, and Redis.

Whoever was killed is started again, as launchd or systemd would. Workers are brought back by
their supervisor and Redis by any of the living, which is part of what is measured.

The last supervisor is another machine: it reaches Redis over a network that can be cut, and it has
a clock of its own. All others share one machine, its clock and the socket of their Redis.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import orjson
import psutil
from redis import Redis
from redis.exceptions import RedisError

from bench import ROOT
from bench.faults.clock import SettableClock, can_set_clocks
from bench.faults.partition import PartitionProxy
from exchange.errors import RedisUnfit
from exchange.inference import openblas
from exchange.project import Project
from exchange.queue import redis_client

DAEMON = ("crawl", "--no-fetch")
WORK = ("work",)
STOP_S = 20.0
NO_REDIS = "no Redis answers at "  # what a command says that was started during an outage
_CRASH = re.compile(r"ended unexpectedly \(exit code (-?\d+)")


class Deployment:
    """Starts everything in one folder, and ends all of it at the end of the block."""

    def __init__(self, project: Project, supervisors: int, variables: Mapping[str, str]) -> None:
        self.project = project
        self._folder = project.data.parent
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("KKORACLE_")},
            **openblas.environment(os.environ),
            "PYTHONPATH": str(ROOT),
            **variables,
        }
        self._wanted = {"daemon": DAEMON, **{f"work{n}": WORK for n in range(supervisors)}}
        self._remote = f"work{supervisors - 1}"
        self.network = PartitionProxy(self._redis_socket)
        self.clocks: dict[str, SettableClock] = {}  # of "here" and "there"
        if can_set_clocks():
            self.clocks = {name: SettableClock(self._folder, name) for name in ("here", "there")}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._killed: set[int] = set()
        self.wrong_exits: list[str] = []
        self.daemon_done = False

    def __enter__(self) -> Deployment:
        self.network.__enter__()
        self.mind()
        return self

    def __exit__(self, *_: object) -> None:
        workers = self.worker_pids()
        for process in self._running.values():
            _signal(process.pid, signal.SIGCONT)
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in (*workers.values(), self._redis_pid()):
            if pid:
                _signal(pid, signal.SIGKILL)
        self.network.__exit__()

    def mind(self) -> None:
        """Start who is not there; an end that nobody caused is noted."""
        for name, command in self._wanted.items():
            process = self._running.get(name)
            if process is not None and process.poll() is None:
                continue
            if name == self._remote and not self._notes():
                continue  # nobody can say yet where Redis is
            if process is not None and process.pid not in self._killed:
                if name == "daemon" and process.returncode == 0:
                    self.daemon_done = True
                    continue
                if not self._found_no_redis(name, process.returncode):
                    self.wrong_exits.append(f"{name} ended with {process.returncode}")
            with (self._folder / f"{name}.log").open("ab") as log:
                self._running[name] = subprocess.Popen(
                    [sys.executable, "-m", "kkoracle", *command],
                    cwd=self._folder,
                    env=self._environment_of(name),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def _environment_of(self, name: str) -> dict[str, str]:
        env = dict(self._environment)
        if name == self._remote:
            password = urlsplit(str(self._notes()["url"])).password or ""
            env["KKORACLE_REDIS_URL"] = f"redis://:{password}@127.0.0.1:{self.network.port}/0"
        if self.clocks:
            clock = self.clocks["there" if name == self._remote else "here"]
            env |= clock.environment(env.get("LD_PRELOAD", ""))
        return env

    def _found_no_redis(self, name: str, code: int) -> bool:
        """True when the other machine's command came while Redis was away, which it may say.

        A worker that it left behind may have said more since.
        """
        said = (self._folder / f"{name}.log").read_text("utf-8", "replace").splitlines()[-8:]
        return (
            name == self._remote
            and code == RedisUnfit.ends_with
            and any(NO_REDIS in line for line in said)
        )

    # -- who is there -----------------------------------------------------------------------

    def redis(self) -> Redis | None:
        """A client of our Redis, or None while it is away."""
        notes = self._notes()
        if not notes:
            return None
        client = redis_client.connect_redis(str(notes["url"]), patient=False)
        try:
            client.ping()
        except RedisError:
            return None
        return client

    def worker_pids(self) -> dict[str, int]:
        """The workers that have said that they live: name to process id."""
        client = self.redis()
        if client is None:
            return {}
        try:
            found = [raw.decode() for raw in client.keys("rq:worker:*")]
            pids = [int(client.hget(key, "pid") or 0) for key in found]
        except RedisError:
            return {}
        names = [key.removeprefix("rq:worker:") for key in found]
        return {name: pid for name, pid in zip(names, pids, strict=True) if pid and is_alive(pid)}

    def targets(self) -> dict[str, list[int]]:
        """Process ids that may be killed now, by kind."""
        redis = self._redis_pid()
        return {
            "worker": sorted(self.worker_pids().values()),
            "supervisor": [p.pid for n, p in self._running.items() if n != "daemon" and _lives(p)],
            "daemon": [p.pid for n, p in self._running.items() if n == "daemon" and _lives(p)],
            "redis": [redis] if redis and is_alive(redis) else [],
        }

    def kill(self, pid: int) -> None:
        """End a process at once; it is no fault of its own."""
        self._killed.add(pid)
        _signal(pid, signal.SIGKILL)

    def crashes(self) -> list[str]:
        """Ends of workers, and messages, that nobody caused."""
        found = list(self.wrong_exits)
        for path in sorted(self._folder.glob("*.log")):
            text = path.read_text("utf-8", "replace")
            codes = set(_CRASH.findall(text)) - {"-9"}
            found += [f"{path.name}: a worker ended with {code}" for code in sorted(codes)]
            found += [f"{path.name}: a traceback"] * text.count("Traceback (most recent")
        return found

    def _notes(self) -> dict[str, object]:
        try:
            notes: dict[str, object] = orjson.loads(
                (self.project.redis_dir / "redis.json").read_bytes()
            )
        except (OSError, ValueError):
            return {}
        return notes

    def _redis_socket(self) -> str:
        return urlsplit(str(self._notes().get("url", ""))).path

    def suspend(self, seconds: float) -> None:
        """Everything stands still for so long, as when a machine sleeps."""
        pids = [*self.worker_pids().values(), *(p.pid for p in self._running.values() if _lives(p))]
        pids += [pid for pid in (self._redis_pid(),) if pid]
        try:
            for pid in pids:
                _signal(pid, signal.SIGSTOP)
            time.sleep(seconds)
        finally:
            for pid in pids:
                _signal(pid, signal.SIGCONT)

    def _redis_pid(self) -> int | None:
        pid = self._notes().get("pid")
        return int(pid) if isinstance(pid, int) else None


def is_alive(pid: int) -> bool:
    """True for a process that runs: not gone, not a zombie, not stopped."""
    try:
        status = psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return False
    return status not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD, psutil.STATUS_STOPPED)


def wait_until_stopped(pid: int) -> None:
    """SIGSTOP takes a moment to arrive."""
    deadline = time.monotonic() + 1.0
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)


def _lives(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is None


def _signal(pid: int, signum: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signum)
