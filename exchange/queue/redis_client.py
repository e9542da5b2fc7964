"""Connect to Redis patiently, and turn its refusals into one line that says what to do."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from exchange.errors import RedisUnfit
from exchange.queue import keys

if TYPE_CHECKING:
    from redis import Redis
    from redis.exceptions import RedisError

# 200 waits of at most 2 s: a worker outlives a Redis that is away for minutes.
PATIENT_RETRIES = 200
BRIEF_RETRIES = 2
# No answer for so long: the connection is dead (a laptop slept, a tunnel fell). Three tries of the
# brief one are over within the half minute that a command takes at most to stop.
ANSWER_TIMEOUT_S, BRIEF_TIMEOUT_S = 30.0, 8.0
CONNECT_TIMEOUT_S = 5.0
LOADING_S, LOADING_LOOK_S = 60.0, 0.2  # a gigabyte is read in ten seconds
CHECK_TIMEOUT_S = 3.0  # a server that does not even answer a ping by then is as good as away


def connect_redis(url: str, *, patient: bool = True, answer_s: float | None = None) -> Redis:
    """A client for `redis://`, `rediss://` or `unix://`; nothing is sent yet.

    Args:
        patient: wait out a Redis that is away for up to six minutes; otherwise fail after about
            half a second, for callers that have their own loop.
        answer_s: seconds to wait for each answer; by default 30, or 8 without patience.
    """
    from redis import Redis
    from redis.backoff import ExponentialWithJitterBackoff
    from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError
    from redis.retry import Retry

    retries = PATIENT_RETRIES if patient else BRIEF_RETRIES
    if answer_s is None:
        answer_s = ANSWER_TIMEOUT_S if patient else BRIEF_TIMEOUT_S
    try:
        parts = urlsplit(url)
        if parts.scheme != "unix" and not re.fullmatch(r"/?|/\d+/?", parts.path):
            raise ValueError(f"{parts.path[1:]!r} is no number of a database")
        return Redis.from_url(
            url,
            retry=Retry(ExponentialWithJitterBackoff(base=0.1, cap=2.0), retries),
            retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
            health_check_interval=30,
            socket_connect_timeout=min(CONNECT_TIMEOUT_S, answer_s),
            socket_timeout=answer_s,
        )
    except ValueError as error:
        raise RedisUnfit(
            f"{safe_url(url)} is no Redis URL ({error}): write redis://host:6379/0"
        ) from None


def check_redis(url: str) -> str:
    """The version of a server that can hold our queue.

    What can never work is said at once, and not waited for: a wrong address or password, a
    cluster, a read-only replica, one that forgets keys, one that is too old, a key of ours that
    somebody else uses.

    Raises:
        RedisUnfit: it is not there, or cannot do what a queue needs.
    """
    version = ping_redis(url)
    client = connect_redis(url, patient=False, answer_s=CHECK_TIMEOUT_S)
    try:
        if misfit := _misfit(client):
            raise RedisUnfit(f"Redis at {safe_url(url)} {misfit}")
    finally:
        client.close()
    return version


def ping_redis(url: str) -> str:
    """The version of a server that answers, fit or not; "unknown" where we may not ask.

    One that still reads its file is waited for: it is there, and was only started a moment ago.

    Raises:
        RedisUnfit: it is not there, or does not let us in.
    """
    from redis.exceptions import NoPermissionError, RedisError

    client = connect_redis(url, patient=False, answer_s=CHECK_TIMEOUT_S)
    try:
        _wait_while_loading(client)
        client.ping()
        return str(client.info("server")["redis_version"])
    except NoPermissionError as error:
        if "select" in str(error):
            raise RedisUnfit(f"Redis at {safe_url(url)} {_database_advice(url)}") from None
        return "unknown"
    except RedisError as error:
        raise RedisUnfit(_unreachable(url, error)) from None
    except TypeError as error:  # an option after `?` that no client knows
        raise RedisUnfit(f"{safe_url(url)} has an option that is none ({error})") from None
    finally:
        client.close()


def _wait_while_loading(client: Redis) -> None:
    from redis.exceptions import BusyLoadingError

    deadline = time.monotonic() + LOADING_S
    while time.monotonic() < deadline:
        try:
            client.ping()
            return
        except BusyLoadingError:
            time.sleep(LOADING_LOOK_S)


def _unreachable(url: str, error: RedisError) -> str:
    """Why nothing came of a ping, and what to do about it."""
    from redis.exceptions import AuthenticationError, ResponseError

    where, cause = safe_url(url), error.__cause__ or error.__context__
    if isinstance(error, ResponseError) and "DB index" in str(error):
        return f"Redis at {where} {_database_advice(url)}"
    if isinstance(error, ResponseError) and "cluster" in str(error).lower():
        return f"Redis at {where} {CLUSTER}"
    if isinstance(error, ResponseError) and "MISCONF" in str(error):
        return f"Redis at {where} cannot write to its disk: make room there; nothing is lost"
    if isinstance(error, AuthenticationError | ResponseError):
        return (
            f"Redis at {where} asks for a password, or refuses the one given: set "
            "KKORACLE_REDIS_URL=redis://:PASSWORD@host:port/0"
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {where} is not trusted ({cause.verify_message}): name the file "
            "of who signed it, KKORACLE_REDIS_URL=rediss://...?ssl_ca_certs=/path/to/ca.crt"
        )
    other = "redis://" if url.startswith("rediss://") else "rediss://"
    hint = f" (over TLS? then {other})" if other == "rediss://" else f" (without TLS: {other})"
    said = type(cause if isinstance(cause, OSError) else error).__name__
    return (
        f"no Redis answers at {where} ({said}): start it, correct KKORACLE_REDIS_URL"
        f"{'' if url.startswith('unix:') else hint}, or unset it to use our own"
    )


def _database_advice(url: str) -> str:
    return (
        f"has no database {urlsplit(url).path.strip('/')} for us: write /0 at the end of the "
        "address, or raise `databases` in its redis.conf"
    )


OLDEST = (6, 2)  # LMOVE, which no kill can lose a job in
CLUSTER = (
    "is a cluster, and a queue cannot be spread over servers: use a single one (KKORACLE_REDIS_URL)"
)


def _misfit(client: Redis) -> str:
    """What a server is or holds that no queue can live with; "" for nothing.

    A worker's user may not ask the server what it is; what it may do tells the same.
    """
    from redis.exceptions import NoPermissionError, RedisError

    try:
        info = client.info()
    except NoPermissionError:
        info = {}
    except RedisError:  # away again: whoever asked waits for it
        return ""
    if info and (said := _misfit_by_info(info)):
        return said
    names = [(kind, name) for kind, names in keys.TYPES.items() for name in names]
    try:
        with client.pipeline(transaction=False) as pipe:
            pipe.exists(*(name for _, name in names))
            for kind, name in names:
                pipe.execute_command(*(part or name for part in _PROBES[kind]))
            several, *found = pipe.execute(raise_on_error=False)
    except RedisError:
        return ""
    if isinstance(several, RedisError) and (said := lasting(several)):
        return said
    for (kind, name), answer in zip(names, found, strict=True):
        if isinstance(answer, RedisError) and (said := lasting(answer)):
            return f"{said} ({name} is no {kind})" if said == FOREIGN_KEY else said
    return ""


# How a key's type is asked with no more than a worker's rights; "" stands for the key.
_PROBES = {
    "list": ("LLEN", ""),
    "sorted set": ("ZCARD", ""),
    "set": ("SMEMBERS", ""),
    "hash": ("HDEL", "", " "),  # of no such field; a replica refuses it
    "string": ("GET", ""),
}


def _misfit_by_info(info: Mapping[str, Any]) -> str:
    numbers = [int(part) for part in str(info.get("redis_version", "")).split(".")[:2]]
    if numbers and tuple(numbers) < OLDEST:
        return f"is {info['redis_version']}: it has to be {'.'.join(map(str, OLDEST))} or newer"
    if info.get("redis_mode") == "cluster":
        return CLUSTER
    if info.get("redis_mode") == "sentinel":
        return "is a sentinel, which only tells where Redis is: write the server's own address"
    if info.get("role") == "slave" and info.get("slave_read_only"):
        return f"{REPLICA} ({info.get('master_host')}:{info.get('master_port')})"
    policy = info.get("maxmemory_policy", NO_EVICTION)
    if info.get("maxmemory") and policy != NO_EVICTION:
        return (
            f"forgets keys when it is full (maxmemory-policy {policy}), and a queue is lost with "
            f"them: set `maxmemory-policy {NO_EVICTION}` there, or use one of its own"
        )
    return ""


NO_EVICTION = "noeviction"
FOREIGN_KEY = (
    "holds a key of ours that is used for something else: delete it there, or give the queue a "
    "Redis or a database of its own"
)
REPLICA = "is a read-only replica: write the address of the server that it copies"


def lasting(error: Exception) -> str:
    """What is wrong with Redis, when waiting will not help; "" when it may."""
    from redis.exceptions import (
        AskError,
        ClusterCrossSlotError,
        ClusterDownError,
        NoPermissionError,
        ReadOnlyError,
        ResponseError,
    )

    if isinstance(error, ClusterDownError | ClusterCrossSlotError | AskError):
        return CLUSTER
    if isinstance(error, ReadOnlyError):
        return REPLICA
    if isinstance(error, NoPermissionError):
        return f"does not let this user do what a queue needs ({error})"
    # A code of the protocol without a class of its own; in a pipeline it is not the first word.
    if isinstance(error, ResponseError) and "WRONGTYPE" in str(error):
        return FOREIGN_KEY
    return ""


def safe_url(url: str) -> str:
    """The address without user, password or options, fit for messages and logs."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme or '?'}://{parts.hostname or '?'}{port}{parts.path}"
