"""Our Redis opened to other machines: what its worker may do there, and that this is enough."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from redis import Redis
from redis.exceptions import NoPermissionError, RedisError

from exchange.errors import UsageError
from exchange.project import Project
from exchange.queue import keys, redis_access
from exchange.queue.redis_endpoint import redis_for
from exchange.queue.redis_process import RedisProcess
from exchange.store.spool import Spool, open_tasks
from tests.conftest import fill_spool, run_cli, until, worker_of, write_project
from tests.servers import free_port
from tests.workers.endpoint import Endpoint

Maker = Callable[..., Project]
Popen = Callable[..., subprocess.Popen[str]]


@contextmanager
def opened(project: Project) -> Iterator[tuple[Redis, Redis]]:
    """An open Redis, for a worker elsewhere and for its own machine."""
    server = RedisProcess(project.redis_dir, 64)
    port = free_port()
    access = server.access(lambda before: redis_access.open_to_network(before, f"127.0.0.1:{port}"))
    with redis_for(project) as handle:
        yield Redis.from_url(access.worker_url()), handle.connect()


def test_a_worker_elsewhere_may_do_nothing_but_its_work(make_project: Maker) -> None:
    task = keys.task("paper", "a" * 24)
    with opened(make_project()) as (worker, own):
        own.set("other", "secret")
        own.set(task, "the input")
        for refused in (
            ("FLUSHALL",),
            ("FLUSHDB",),
            ("CONFIG", "GET", "*"),
            ("CONFIG", "SET", "dir", "/tmp"),
            ("KEYS", "*"),
            ("SCAN", "0"),
            ("RANDOMKEY",),
            ("DBSIZE",),
            ("INFO",),
            ("SELECT", "1"),
            ("ACL", "WHOAMI"),
            ("CLIENT", "LIST"),
            ("CLIENT", "KILL", "TYPE", "normal"),
            ("EVAL", "return 1", "0"),
            ("FUNCTION", "LIST"),
            ("MODULE", "LIST"),
            ("MONITOR",),
            ("SHUTDOWN",),
            ("DEBUG", "SLEEP", "0"),
            ("SAVE",),
            ("REPLICAOF", "NO", "ONE"),
            ("MIGRATE", "127.0.0.1", "1", "k", "0", "1"),
            ("SUBSCRIBE", "rq:pubsub"),
            ("PUBLISH", "rq:pubsub:x", "1"),
            ("RENAME", "rq:queues", "kk:seen"),
            ("GET", "other"),
            ("SET", "other", "1"),
            ("DEL", "other"),
            ("HGETALL", "rq:suspended"),
            ("LRANGE", "rq:queue:default", "0", "-1"),
            ("RPUSH", "rq:queue:default", "x"),
            ("SET", task, "another"),
            ("DEL", task),
            ("SET", keys.CONTROL, "pause"),
            ("SET", keys.recipe("paper"), "{}"),
        ):
            with pytest.raises((NoPermissionError, RedisError), match=r"permission|not allowed"):
                worker.execute_command(*refused)
        assert worker.get(task) == b"the input" and own.get("other") == b"secret"
        assert worker.hset(keys.result("paper"), "a" * 24, "{}") == 1


def test_others_are_let_in_by_no_user_at_all(make_project: Maker) -> None:
    with opened(make_project()) as (worker, _):
        port = worker.connection_pool.connection_kwargs["port"]
        for user in ("", "default:@", ":guess@", f"{redis_access.WORKER}:guess@"):
            stranger = Redis.from_url(f"redis://{user}127.0.0.1:{port}/0")
            with pytest.raises(RedisError):
                stranger.ping()


def test_living_clients_outlive_opening_and_closing(make_project: Maker) -> None:
    project = make_project()
    server = RedisProcess(project.redis_dir, 64)
    with redis_for(project) as handle:
        client = handle.connect(patient=True)
        client.set("a", "1")
        address = f"127.0.0.1:{free_port()}"
        access = server.access(lambda before: redis_access.open_to_network(before, address))
        assert client.get("a") == b"1" and Redis.from_url(access.worker_url()).ping()
        server.access(redis_access.close_to_network)
        assert client.get("a") == b"1"
        with pytest.raises(RedisError):
            Redis.from_url(access.worker_url()).ping()


def test_an_address_that_cannot_be_is_told_and_leaves_redis_as_it_was(make_project: Maker) -> None:
    project = make_project()
    server = RedisProcess(project.redis_dir, 64)
    with redis_for(project) as handle, socket.socket() as taken:
        pid = handle.connect().info("server")["process_id"]
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wrong = (f"127.0.0.1:{taken.getsockname()[1]}", "192.0.2.7:7000", "host:port", "a b", "")
        for address in wrong:
            with pytest.raises(UsageError):
                server.access(
                    lambda before, there=address: redis_access.open_to_network(before, there)
                )
        assert handle.connect().info("server")["process_id"] == pid


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("192.168.1.5", "192.168.1.5", redis_access.PORT),
        ("192.168.1.5:7000", "192.168.1.5", 7000),
        ("mac.local:7000", "mac.local", 7000),
        ("[::1]:7000", "::1", 7000),
        ("::1", "::1", redis_access.PORT),
    ],
)
def test_addresses_are_read_as_people_write_them(address: str, host: str, port: int) -> None:
    assert redis_access.split_address(address) == (host, port)


def test_the_secrets_lie_where_only_their_owner_reads_and_in_no_process_list(
    make_project: Maker,
) -> None:
    project = make_project()
    with opened(project) as (worker, _):
        password = worker.connection_pool.connection_kwargs["password"]
        listed = [one.info for one in psutil.process_iter(["cmdline", "environ"])]
        assert listed and password not in str(listed)
        for path in project.redis_dir.rglob("*"):
            if path.is_file() and password.encode() in path.read_bytes():
                assert path.name == redis_access.FILE and path.stat().st_mode & 0o077 == 0


def test_the_command_prints_the_line_keeps_redis_and_closes_it(
    tmp_path: Path, make_project: Maker, popen: Popen
) -> None:
    make_project()
    address = f"127.0.0.1:{free_port()}"
    process = popen("-m", "kkoracle", "redis", "--listen", address, cwd=tmp_path)
    assert process.stdout is not None
    said = ""
    while "kkoracle work" not in said:
        said += process.stdout.readline()
    (url,) = re.findall(r"KKORACLE_REDIS_URL=(\S+) kkoracle work", said)
    assert address in url and Redis.from_url(url).ping()
    assert url in run_cli("redis", "--line", cwd=tmp_path).stdout
    pause = run_cli("work", "--pause", cwd=tmp_path, KKORACLE_REDIS_URL=url)
    assert pause.returncode == 1 and "may not pause" in pause.stderr
    foreign = run_cli("redis", cwd=tmp_path, KKORACLE_REDIS_URL=url)
    assert foreign.returncode == 2 and url not in foreign.stderr
    closed = run_cli("redis", "--close", cwd=tmp_path)
    assert closed.returncode == 0 and closed.stdout.startswith("closed")
    with pytest.raises(RedisError):
        Redis.from_url(url).ping()
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0


def done_by(project: Project) -> dict[str, int]:
    spool = Spool.read(project.archive_dir())
    try:
        return spool.counters()
    finally:
        spool.close()


def test_two_machines_on_one_redis_lose_and_double_nothing(
    tmp_path: Path, tiny_model: Path, popen: Popen
) -> None:
    """Two data folders stand for two machines; the second has only the worker's password."""
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    extra = 'engine = "openai"\n[plan]\n' + "".join(
        f"{kind} = 0\n"
        for kind in (
            "dense",
            "whois",
            "rephrase",
            "rephrase_least",
            "refusal",
            "correction",
            "replay",
        )
    )
    project, _ = (write_project(folder, tiny_model, extra) for folder in (here, there))
    fill_spool(project, 60).close()
    port = free_port()
    with Endpoint(delay=0.3) as one, Endpoint(delay=0.3) as two:
        serving = popen("-m", "kkoracle", "redis", "--listen", f"127.0.0.1:{port}", cwd=here)
        assert serving.stdout is not None
        url = ""
        while not url:
            url = "".join(re.findall(r"KKORACLE_REDIS_URL=(\S+)", serving.stdout.readline()))
        daemon = popen("-m", "kkoracle", "crawl", "--no-fetch", cwd=here)
        popen("-m", "kkoracle", "work", cwd=here, KKORACLE_WORK_URL=one.url)
        elsewhere = popen(
            "-m", "kkoracle", "work", cwd=there, KKORACLE_WORK_URL=two.url, KKORACLE_REDIS_URL=url
        )
        until(lambda: one.asked.total() > 3 and two.asked.total() > 3)
        os.kill(worker_of(elsewhere.pid), signal.SIGKILL)
        until(lambda: not open_tasks(done_by(project)))
        assert daemon.wait(30) == 0
    assert not (there / "data" / "redis").exists() and not (there / "data" / "paper").exists()
    counters = done_by(project)
    assert counters["tasks.done"] == counters["pairs.accepted"] == 60
    assert "tasks.failed" not in counters
    spool = Spool.read(project.archive_dir())
    for table in ("completions", "pairs"):
        assert spool.db.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0] == 60
    spool.close()
    assert set(one.asked) | set(two.asked) == {str(n) for n in range(60)}
