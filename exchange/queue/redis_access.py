"""Who may talk to our Redis, from where, and what a worker on another machine may do there.

The data folder's own commands use the default user, whose password is made with the folder's
first Redis and lasts, so that a restarted server knows its living clients. Opened to other
machines (`kkoracle redis --listen`), the server also has the user `kk-worker`: just the commands
and keys that `kkoracle work` needs, found by running it. Whoever steals that password can spoil
results of this queue (they are checked like any input), but cannot read the disk, run code, change
the server, ask for all keys, or touch what is not ours.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, urlsplit

import orjson

from exchange import net
from exchange.errors import Busy, UsageError
from exchange.files import write_atomic
from exchange.queue.keys import QUEUE

FILE = "access.json"
WORKER = "kk-worker"
PORT = 16379  # beside 6379, which may be somebody else's Redis

# As RQ names them; one queue, so most keys are known to the letter.
_WRITES = (
    *(f"rq:{name}:{QUEUE}" for name in ("queue", "workers", "clean_registries")),
    *(
        f"rq:{name}:{QUEUE}"
        for name in ("wip", "finished", "failed", "deferred", "scheduled", "canceled", "ready")
    ),
    f"rq:queue:{QUEUE}:intermediate",
    "rq:queues",
    "rq:clean_groups",  # as `rq:ready`, from RQ 3 on
    "rq:workers",
    "rq:worker:*",
    "rq:job:*",
    "rq:results:*",
    "rq:execution:*",
    "rq:executions:*",
    "kk:*:result",
    "kk:inflight:*",
    "kk:hb:*",
    "kk:stat:*",
    "kk:seen",
    "kk:popped",
    "kk:suspect",
    "kk:strike",
)
_READS = ("rq:groups", "rq:rl-keys", "kk:*:task:*", "kk:*:recipe", "kk:archives", "kk:control")
_COMMANDS = (
    "ping",
    "hello",
    "time",
    "client|setname",
    "multi",
    "exec",
    "discard",
    "watch",
    "unwatch",
    "exists",
    "expire",
    "pttl",
    "persist",
    "del",
    "get",
    "mget",
    "set",
    "incr",
    "incrby",
    "hget",
    "hgetall",
    "hmget",
    "hset",
    "hdel",
    "hexists",
    "hincrby",
    "hincrbyfloat",
    "llen",
    "lrange",
    "lmove",
    "lrem",
    "lpush",
    "rpush",
    "sadd",
    "srem",
    "smembers",
    "zadd",
    "zrem",
    "zcard",
    "zscore",
    "zrange",
    "zrangebyscore",
    "zremrangebyscore",
    "xadd",
    "xrevrange",
)


@dataclass(frozen=True, slots=True)
class RedisAccess:
    """The secrets of one data folder's Redis, and where it listens beyond its own machine."""

    password: str
    worker_password: str = ""
    host: str = ""  # "": nowhere
    port: int = 0

    @property
    def is_open(self) -> bool:
        return bool(self.host)

    def lines(self) -> list[str]:
        """Of the server's configuration; they go to its standard input, never to a file."""
        found = [f"requirepass {self.password}"]
        if self.is_open:
            found += [
                f"bind {self.host}",
                f"port {self.port}",
                f"user {WORKER} {acl_user_rules(self.worker_password)}",
            ]
        return found

    def worker_url(self, host: str = "") -> str:
        """What KKORACLE_REDIS_URL is on another machine."""
        named = host or reachable_address(self.host)
        named = f"[{named}]" if ":" in named else named
        return f"redis://{WORKER}:{self.worker_password}@{named}:{self.port}/0"


def acl_rights() -> str:
    """What the worker may do, as Redis 7 and newer write it (older ones know no read-only keys)."""
    keys = [f"~{key}" for key in _WRITES] + [f"%R~{key}" for key in _READS]
    return " ".join([*keys, *(f"+{name}" for name in _COMMANDS)])


def acl_user_rules(password: str) -> str:
    """The worker's user, its password as SHA-256: long and random, it cannot be guessed from it."""
    return f"reset on #{sha256(password.encode()).hexdigest()} {acl_rights()}"


def load_access(directory: Path) -> RedisAccess:
    """The secrets of this folder, made on first use; call it under `redis.lock`."""
    try:
        return RedisAccess(**orjson.loads((directory / FILE).read_bytes()))
    except (OSError, ValueError, TypeError):
        access = RedisAccess(_new_password())
        save_access(directory, access)
        return access


def save_access(directory: Path, access: RedisAccess) -> None:
    """Keep them where only this user can read."""
    write_atomic(directory / FILE, orjson.dumps(asdict(access)), mode=0o600)


def open_to_network(before: RedisAccess, address: str) -> RedisAccess:
    """The same, listening on `HOST` or `HOST:PORT`; a worker's password stays what it was.

    Raises:
        UsageError: nothing can listen there.
    """
    host, port = split_address(address)
    if (host, port) != (before.host, before.port):
        _check_bindable(host, port)
    return RedisAccess(before.password, before.worker_password or _new_password(), host, port)


def close_to_network(before: RedisAccess) -> RedisAccess:
    """The same, for this machine alone. Opened again, workers need a new line."""
    return RedisAccess(before.password)


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `HOST`, `HOST:PORT`, `[IPv6]` or `[IPv6]:PORT`.

    Raises:
        UsageError: it is none of these.
    """
    host, colon, port = address.strip().rpartition(":")
    if not colon or port.endswith("]") or (host.count(":") and not host.startswith("[")):
        host, port = address.strip(), str(PORT)
    host = host.removeprefix("[").removesuffix("]")
    plain = host.isascii() and host.isprintable() and not set(host) & set(" \"'\\/@#")
    if not host or not plain or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"{address!r} is no address: write 192.168.1.5 or 192.168.1.5:{PORT}")
    return host, int(port)


def reachable_address(host: str) -> str:
    """The address to tell others, where the server listens on all of this machine's."""
    if host not in ("0.0.0.0", "::", "*"):
        return host
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; it only chooses the way out
        return str(probe.getsockname()[0])
    return socket.gethostname()


def _check_bindable(host: str, port: int) -> None:
    """Before a running server is stopped for it."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror}") from None


def _new_password() -> str:
    return secrets.token_urlsafe(24)


# How our Redis is configured, and the URL by which its own machine finds it.

SOCKET_PATH_LIMIT = 100  # bytes; the kernels allow 104 (macOS) to 108 (Linux)
LOG = "redis.log"  # in its folder
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
        f"logfile {_quote(str(directory / LOG))}",
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
        host, port = net.HOST if access.host in ALL_INTERFACES else access.host, access.port
        return f"redis://:{access.password}@{host}:{port}/0", []
    port = _free_port(before)
    lines = [f"bind {net.HOST}", f"port {port}"]
    return f"redis://:{access.password}@{net.HOST}:{port}/0", lines


def _free_port(before: str) -> int:
    """The port of the URL before, if it is free; else any."""
    with contextlib.suppress(ValueError, Busy):
        if known := urlsplit(before).port:
            net.listen(net.HOST, known).close()
            return known
    with net.listen_anywhere() as probe:
        return int(probe.getsockname()[1])


def _quote(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
