"""`kkoracle redis`: our Redis kept running, and opened to other machines when asked to."""

from __future__ import annotations

from functools import partial

import typer

from exchange import signals
from exchange.errors import UsageError
from exchange.project import Project
from exchange.queue import keys, redis_access
from exchange.queue.announce import is_announced
from exchange.queue.reconcile import delete_inputs
from exchange.queue.redis_access import RedisAccess
from exchange.queue.redis_client import safe_url
from exchange.queue.redis_endpoint import redis_for
from exchange.queue.redis_process import RedisProcess

CONNECTION_TEXT = """\
on each other machine (same [model], [work] and [persona] in its kkoracle.toml):

  KKORACLE_REDIS_URL={url} kkoracle work

the address of an SSH tunnel's end serves as well, and is encrypted:
  ssh -NL {port}:{host}:{port} THIS-MACHINE    and then @127.0.0.1:{port} in the line above"""


def run_redis(project: Project, listen: str | None) -> None:
    """Hold our Redis until a signal.

    Raises:
        UsageError: another Redis is configured, or nothing can listen there.
        UserError: it cannot be started.
    """
    server = _own_server(project)
    access = server.access(
        partial(redis_access.open_to_network, address=listen) if listen else None
    )
    with redis_for(project) as handle:
        typer.echo(f"Redis {handle.version} runs at {safe_url(handle.url)}; Ctrl-C lets go of it")
        if access.is_open:
            typer.echo(_connection_text(access))
        signals.wait_for_signal()


def close_to_others(project: Project) -> str:
    """Close it to other machines; returns what to tell."""
    server = _own_server(project)
    if not server.access().is_open:
        return "it was not open"
    server.access(redis_access.close_to_network)
    return "closed: Redis answers this machine alone; workers elsewhere wait, then end"


def forget_archive(project: Project, archive: str) -> str:
    """Free the name of an archive whose data folder is gone for good; returns what to tell.

    Raises:
        UsageError: its daemon is alive.
    """
    with redis_for(project, keep_alive=False) as handle, handle.connect() as redis:
        if is_announced(redis, archive):
            raise UsageError(
                f"a daemon of {archive} was alive in the last minutes: end it, and wait for three"
            )
        count = delete_inputs(redis, archive, ())
        with redis.pipeline() as pipe:
            pipe.hlen(keys.result(archive))
            pipe.delete(keys.result(archive))
            pipe.srem(keys.ARCHIVES, archive)
            pipe.hdel(keys.SPOOLS, archive)
            results, *_ = pipe.execute()
    return f"{archive} is forgotten there: {count:,} tasks and {results:,} results that nobody took"


def connection_help(project: Project) -> str:
    """What other machines need, once more."""
    access = _own_server(project).access()
    if not access.is_open:
        raise UsageError("Redis is not open to other machines: `kkoracle redis --listen ADDRESS`")
    return _connection_text(access)


def _connection_text(access: RedisAccess) -> str:
    host = redis_access.reachable_address(access.host)
    return CONNECTION_TEXT.format(url=access.worker_url(), host=host, port=access.port)


def _own_server(project: Project) -> RedisProcess:
    if project.redis.url:
        raise UsageError(
            f"the Redis at {safe_url(project.redis.url)} is not ours to open or keep: unset "
            "KKORACLE_REDIS_URL (or [redis] url) first"
        )
    return RedisProcess(project.redis_dir, project.redis.maxmemory_mb)
