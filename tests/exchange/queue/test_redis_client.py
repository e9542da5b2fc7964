"""A Redis that can never do is named at once, in one line, by whoever is to use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from exchange.errors import RedisUnfit
from exchange.project import Project
from exchange.queue import keys, redis_access
from exchange.queue.feeder import make_queue
from exchange.queue.redis_client import check_redis, connect_redis
from tests.conftest import fill_spool, run_cli
from tests.servers import OwnServer
from tests.workers.endpoint import Endpoint

Start = Callable[..., OwnServer]
NO_PLAN = "[plan]\n" + "".join(
    f"{kind} = 0\n"
    for kind in ("dense", "whois", "rephrase", "rephrase_least", "refusal", "correction", "replay")
)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(*options, tls=..)`: a server that ends with the test."""
    with ExitStack() as stack:

        def started(*options: str, tls: bool = False) -> OwnServer:
            server = OwnServer(
                tmp_path / f"server-{len(list(tmp_path.iterdir()))}", *options, tls=tls
            )
            server.start()
            stack.callback(server.kill)
            return server

        yield started


def as_worker(server: OwnServer) -> str:
    """The address for a user that has a worker's rights and no other."""
    rules = redis_access.acl_user_rules("secret")
    if int(server.client().info("server")["redis_version"].split(".")[0]) < 7:
        rules = rules.replace("%R~", "~")  # it knows no keys that may only be read
    server.client().execute_command("ACL", "SETUSER", redis_access.WORKER, *rules.split())
    return server.url.replace("://", f"://{redis_access.WORKER}:secret@")


def cluster(start: Start) -> OwnServer:
    server = start("--cluster-enabled", "yes")
    server.client().execute_command("CLUSTER", "ADDSLOTS", *range(16384))
    return server


def replica(start: Start) -> OwnServer:
    return start("--replicaof", "127.0.0.1", str(start().port))


def evicting(start: Start) -> OwnServer:
    return start("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")


def test_a_server_that_does_is_let_through_with_its_version(start: Start) -> None:
    server = start()
    make_queue(server.client())
    server.client().config_set("maxmemory-policy", "allkeys-lru")  # forgets nothing: no limit
    assert check_redis(server.url) == server.client().info("server")["redis_version"]
    assert check_redis(as_worker(server)) == "unknown"


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (cluster, "cluster"),
        (replica, "read-only replica"),
        (evicting, "maxmemory-policy noeviction"),
    ],
)
def test_one_that_cannot_is_named_at_once_by_crawl_work_and_doctor(
    start: Start,
    make_project: Callable[..., Project],
    make: Callable[[Start], OwnServer],
    said: str,
) -> None:
    project, server = make_project('engine = "openai"\n'), make(start)
    fill_spool(project, 1).close()
    folder = project.data.parent
    for command in (("crawl", "--no-fetch"), ("work", "--burst"), ("doctor",)):
        found = run_cli(*command, cwd=folder, timeout=30, KKORACLE_REDIS_URL=server.url)
        assert found.returncode == 1
        lines = [line for line in (found.stdout + found.stderr).splitlines() if said in line]
        assert len(lines) == 1 and str(server.port) in lines[0] and "Traceback" not in found.stderr


@pytest.mark.parametrize(("make", "said"), [(cluster, "cluster"), (replica, "replica")])
def test_a_worker_that_may_not_ask_is_told_the_same(
    start: Start, make: Callable[[Start], OwnServer], said: str
) -> None:
    with pytest.raises(RedisUnfit, match=said):
        check_redis(as_worker(make(start)))


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in keys.TYPES.items() for name in names]
)
def test_a_key_that_somebody_else_uses_is_named(start: Start, kind: str, name: str) -> None:
    server = start()
    if kind == "string":
        server.client().rpush(name, "theirs")
    else:
        server.client().set(name, "theirs")
    for address in (lambda: server.url, lambda: as_worker(server)):
        with pytest.raises(RedisUnfit, match=rf"{name} is no {kind}\)"):
            check_redis(address())


def test_a_database_that_is_not_there_is_told_from_a_wrong_password(start: Start) -> None:
    server = start()
    with pytest.raises(RedisUnfit, match="no database 99"):
        check_redis(server.url[:-1] + "99")
    for wrong in ("one", "0x1", "0?db=one", "0?ssl_ca_cert=x"):
        with pytest.raises(RedisUnfit, match=r"URL|option"):
            check_redis(server.url[:-1] + wrong)
    with pytest.raises(RedisUnfit, match="no database 1"):
        check_redis(as_worker(server)[:-1] + "1")
    server.client().config_set("requirepass", "sesame")
    with pytest.raises(RedisUnfit, match="password"):
        check_redis(server.url)


def test_a_redis_over_tls_is_used_when_its_certificate_is_trusted(
    start: Start, make_project: Callable[..., Project]
) -> None:
    server = start(tls=True)
    authority = f"{server.url}?ssl_ca_certs={server.folder / 'ca.crt'}"
    with pytest.raises(RedisUnfit, match="ssl_ca_certs"):
        check_redis(server.url)
    with pytest.raises(RedisUnfit, match="rediss://"):
        check_redis(server.url.replace("rediss", "redis"))
    with pytest.raises(RedisUnfit, match="not trusted"):  # the certificate is of 127.0.0.1
        check_redis(authority.replace("127.0.0.1", "localhost"))
    project = make_project('engine = "openai"\n' + NO_PLAN)
    fill_spool(project, 5).close()
    folder = project.data.parent
    with Endpoint() as endpoint:
        environment = {"KKORACLE_REDIS_URL": authority, "KKORACLE_WORK_URL": endpoint.url}
        from tests.conftest import processes

        with processes() as popen:
            daemon = popen("-m", "kkoracle", "crawl", "--no-fetch", cwd=folder, **environment)
            worker = popen("-m", "kkoracle", "work", cwd=folder, **environment)
            assert daemon.wait(60) == 0, daemon.stdout and daemon.stdout.read()
            assert worker.poll() is None
        assert endpoint.asked.total() == 5
    with connect_redis(authority, patient=False) as client:
        assert not client.hlen(keys.result("paper")) and isinstance(client, Redis)
