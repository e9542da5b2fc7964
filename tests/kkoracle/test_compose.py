"""The composed layout as plain processes: its own Redis command, passwords, health, restarts."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from redis import Redis
from redis.exceptions import RedisError

from exchange.project import Project
from exchange.queue import keys, redis_access
from exchange.store.spool import Spool, open_tasks
from tests.conftest import ROOT, arguments_of, fill_spool, until
from tests.kkoracle.test_alerts import free_ports
from tests.workers.endpoint import Endpoint

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
PASSWORDS = {"REDIS_PASSWORD": "adminsecret", "WORKER_PASSWORD": "workersecret"}


def test_the_composed_workers_rights_are_those_that_the_code_gives() -> None:
    given = (ROOT / "docs" / "redis-worker.acl").read_text().strip()
    assert given == f"user {redis_access.WORKER} on {redis_access.acl_rights()}"
    mounted = SERVICES["redis"]["volumes"][-1]
    assert mounted == "./docs/redis-worker.acl:/etc/kkoracle/worker.acl:ro"


@dataclass
class Composed:
    """The Redis service of the compose file, run here."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def up(self) -> None:
        """Start its command, with the container's places and port replaced by ours."""
        shell, flag, script = SERVICES["redis"]["command"]
        for inside, outside in (
            ("$$", "$"),
            ("/tmp/redis.conf", f"{self.folder}/redis.conf"),
            ("/etc/kkoracle", str(ROOT / "docs")),
            ("worker.acl", "redis-worker.acl"),
            ('"dir /data"', f'"dir {self.folder}" "port {self.port}" "bind 127.0.0.1"'),
        ):
            assert inside in script
            script = script.replace(inside, outside)
        self.process = subprocess.Popen(
            [shell, flag, script], env={**os.environ, **PASSWORDS}, stdout=subprocess.DEVNULL
        )

    def healthy(self) -> bool:
        """Its health check, as compose runs it."""
        kind, check = SERVICES["redis"]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        asked = check.replace("$$", "$").replace("redis-cli", f"redis-cli -p {self.port}")
        return (
            subprocess.run(
                ["sh", "-c", asked],
                env={**os.environ, **PASSWORDS},
                capture_output=True,
                check=False,
            ).returncode
            == 0
        )

    def url(self, service: str) -> str:
        """What the service's KKORACLE_REDIS_URL is, seen from here."""
        url: str = SERVICES[service]["environment"]["KKORACLE_REDIS_URL"]
        for name, password in PASSWORDS.items():
            url = url.replace(f"${{{name}:?write {name} into .env}}", password)
        return url.replace("@redis:6379", f"@127.0.0.1:{self.port}")

    def down(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def composed(tmp_path: Path) -> Iterator[Composed]:
    folder = tmp_path / "redis-volume"
    folder.mkdir()
    one = Composed(folder, free_ports(1)[0])
    one.up()
    yield one
    one.down()


def test_passwords_are_asked_for_and_the_health_check_tells_up_from_down(
    composed: Composed,
) -> None:
    until(composed.healthy, 20)
    assert composed.process is not None
    listed = arguments_of(composed.process.pid)
    assert listed and "secret" not in " ".join(listed)
    for user in ("", ":guess@", ":workersecret@", "kk-worker:guess@", "kk-worker:adminsecret@"):
        with pytest.raises(RedisError):
            Redis.from_url(f"redis://{user}127.0.0.1:{composed.port}/0").ping()
    admin, worker = (Redis.from_url(composed.url(name)) for name in ("crawler", "worker"))
    assert admin.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with pytest.raises(RedisError, match="permission"):
        worker.flushall()
    composed.down()
    assert not composed.healthy()


def test_crawler_and_workers_outlive_restarts_in_any_order_and_a_native_one_joins(
    tmp_path: Path,
    make_project: Callable[..., Project],
    composed: Composed,
    popen: Callable[..., subprocess.Popen[str]],
) -> None:
    with Endpoint(delay=0.3) as endpoint:
        project = make_project(f'url = "{endpoint.url}"\n')
        fill_spool(project, 60).close()
        until(composed.healthy, 20)

        def start(service: str, **more: str) -> subprocess.Popen[str]:
            command = [*SERVICES[service]["command"], *(["--no-fetch"] * (service == "crawler"))]
            return popen(
                "-m",
                "kkoracle",
                *command,
                cwd=tmp_path,
                KKORACLE_REDIS_URL=composed.url(service),
                **more,
            )

        worker, crawler = start("worker"), start("crawler")  # the worker comes first and waits
        admin = Redis.from_url(composed.url("crawler"))
        until(lambda: endpoint.asked.total() > 3, 120)
        composed.down()
        crawler.send_signal(signal.SIGKILL)
        time.sleep(1)
        composed.up()
        until(composed.healthy, 20)
        crawler = start("crawler")
        native = start("worker")  # on the host, by the same line as in the container
        until(lambda: len(admin.keys(keys.heartbeat("*"))) == 2, 120)
        worker.kill()  # its worker ends, or its jobs come back with their leases
        until(lambda: not open_tasks(counted(project)), 180)
        assert crawler.wait(30) == 0
        refused = {entry["object"] for entry in admin.acl_log()}
        assert refused <= {"client|setinfo", "info"}, refused  # redis-py and RQ do without
        native.terminate()
        assert native.wait(30) == 3
    assert not project.redis_dir.exists()
    found = counted(project)
    assert found["tasks.done"] + found.get("tasks.failed", 0) >= 60


def counted(project: Project) -> dict[str, int]:
    spool = Spool.read(project.archive_dir())
    try:
        return spool.counters()
    finally:
        spool.close()
