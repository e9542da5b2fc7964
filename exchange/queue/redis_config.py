"""How our Redis is configured, and the URL by which its own machine finds it."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from urllib.parse import quote, urlsplit

from exchange.queue.redis_access import RedisAccess

SOCKET_PATH_LIMIT = 100  # bytes; the kernels allow 104 (macOS) to 108 (Linux)
LOOPBACK = "127.0.0.1"
ALL_INTERFACES = ("0.0.0.0", "*")


def make_config(
    directory: Path, access: RedisAccess, maxmemory_mb: int, before: str
) -> tuple[str, list[str]]:
    """The URL for this machine, and the lines of the configuration.

    A Unix socket in the data folder; where that has too long a path, a port of loopback.

    Args:
        before: the URL it had last; living clients still know its port.
    """
    url, lines = _address(directory, access, before)
    return url, [
        *lines,
        *access.lines(),
        f"dir {_quote(str(directory))}",
        f"logfile {_quote(str(directory / 'redis.log'))}",
        f"pidfile {_quote(str(directory / 'redis.pid'))}",
        "appendonly yes",
        "appendfsync everysec",
        'save ""',
        f"maxmemory {maxmemory_mb}mb",
        "maxmemory-policy noeviction",
    ]


def _address(directory: Path, access: RedisAccess, before: str) -> tuple[str, list[str]]:
    path = directory / "redis.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_LIMIT:
        path.unlink(missing_ok=True)
        lines = [f"unixsocket {_quote(str(path))}", "unixsocketperm 700"]
        url = f"unix://:{access.password}@{quote(str(path))}"
        return url, lines if access.is_open else [*lines, "port 0"]
    if access.is_open:
        host, port = LOOPBACK if access.host in ALL_INTERFACES else access.host, access.port
        return f"redis://:{access.password}@{host}:{port}/0", []
    port = _free_port(before)
    lines = [f"bind {LOOPBACK}", f"port {port}"]
    return f"redis://:{access.password}@{LOOPBACK}:{port}/0", lines


def _free_port(before: str) -> int:
    """The port of the URL before, if it is free; else any."""
    with contextlib.suppress(ValueError, OSError), socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((LOOPBACK, urlsplit(before).port or 0))
        return int(probe.getsockname()[1])
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _quote(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
