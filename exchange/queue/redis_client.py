"""Connect to Redis patiently, and turn its refusals into one line that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from exchange.errors import RedisUnfit

if TYPE_CHECKING:
    from redis import Redis

# 200 waits of at most 2 s: a worker outlives a Redis that is away for minutes.
PATIENT_RETRIES = 200
BRIEF_RETRIES = 2
ANSWER_TIMEOUT_S = (
    30.0  # no answer for so long: the connection is dead (a laptop slept, a tunnel fell)
)
CHECK_TIMEOUT_S = 3.0  # a server that does not even answer a ping by then is as good as away


def connect_redis(url: str, *, patient: bool = True, answer_s: float = ANSWER_TIMEOUT_S) -> Redis:
    """A client for `redis://`, `rediss://` or `unix://`; nothing is sent yet.

    Args:
        patient: wait out a Redis that is away for up to six minutes; otherwise fail after about
            half a second, for callers that have their own loop.
        answer_s: seconds to wait for each answer.
    """
    from redis import Redis
    from redis.backoff import ExponentialWithJitterBackoff
    from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError
    from redis.retry import Retry

    retries = PATIENT_RETRIES if patient else BRIEF_RETRIES
    try:
        return Redis.from_url(
            url,
            retry=Retry(ExponentialWithJitterBackoff(base=0.1, cap=2.0), retries),
            retry_on_error=[ConnectionError, TimeoutError, BusyLoadingError],
            health_check_interval=30,
            socket_connect_timeout=5,
            socket_timeout=answer_s,
        )
    except ValueError as error:
        raise RedisUnfit(
            f"{safe_url(url)} is no Redis URL ({error}): write redis://host:6379/0"
        ) from None


def check_redis(url: str) -> str:
    """Ping the server and return its version.

    Raises:
        UserError: it is not there, or asks for a password that was not given or is wrong.
    """
    from redis.exceptions import (
        AuthenticationError,
        NoPermissionError,
        RedisError,
        ResponseError,
    )

    client = connect_redis(url, patient=False, answer_s=CHECK_TIMEOUT_S)
    try:
        client.ping()
        try:
            return str(client.info("server")["redis_version"])
        except ResponseError:  # an ACL user may not be allowed to ask
            return "unknown"
    except NoPermissionError:
        return "unknown"
    except (AuthenticationError, ResponseError):
        raise RedisUnfit(
            f"Redis at {safe_url(url)} asks for a password, or refuses the one given: set "
            "KKORACLE_REDIS_URL=redis://:PASSWORD@host:port/0"
        ) from None
    except RedisError as error:
        raise RedisUnfit(
            f"no Redis answers at {safe_url(url)} ({type(error).__name__}): start it, correct "
            "KKORACLE_REDIS_URL, or unset it to use our own"
        ) from None
    finally:
        client.close()


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
