"""`kkoracle redis`: our Redis kept running, and opened to other machines when asked to."""

from __future__ import annotations

import signal
import threading
from functools import partial

import typer

from exchange import redis_access
from exchange.errors import UsageError
from exchange.house import House
from exchange.redis_access import Access
from exchange.redis_child import ChildServer
from exchange.redis_client import safe
from exchange.redis_server import redis_for

LINE = """\
on each other machine (same [model], [work] and [persona] in its kkoracle.toml):

  KKORACLE_REDIS_URL={url} kkoracle work

the address of an SSH tunnel's end serves as well, and is encrypted:
  ssh -NL {port}:{host}:{port} THIS-MACHINE    and then @127.0.0.1:{port} in the line above"""


def keep_running(house: House, listen: str | None) -> None:
    """Hold our Redis until a signal.

    Raises:
        UsageError: another Redis is configured, or nothing can listen there.
        UserError: it cannot be started.
    """
    server = _ours(house)
    access = server.access(partial(redis_access.opened, address=listen) if listen else None)
    with redis_for(house) as handle:
        typer.echo(f"Redis {handle.version} runs at {safe(handle.url)}; Ctrl-C lets go of it")
        if access.open:
            typer.echo(_said(access))
        _until_signal()


def shut(house: House) -> str:
    """Close it to other machines; returns what to tell."""
    server = _ours(house)
    if not server.access().open:
        return "it was not open"
    server.access(redis_access.closed)
    return "closed: Redis answers this machine alone; workers elsewhere wait, then end"


def tell_line(house: House) -> str:
    """What other machines need, once more."""
    access = _ours(house).access()
    if not access.open:
        raise UsageError("Redis is not open to other machines: `kkoracle redis --listen ADDRESS`")
    return _said(access)


def _said(access: Access) -> str:
    host = redis_access.reachable(access.host)
    return LINE.format(url=access.worker_url(), host=host, port=access.port)


def _ours(house: House) -> ChildServer:
    if house.redis.url:
        raise UsageError(
            f"the Redis at {safe(house.redis.url)} is not ours to open or keep: unset "
            "KKORACLE_REDIS_URL (or [redis] url) first"
        )
    return ChildServer(house.redis_dir, house.redis.maxmemory_mb)


def _until_signal() -> None:
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    ended.wait()
