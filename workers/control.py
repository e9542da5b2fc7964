"""Pause and resume: one key in Redis that every worker looks at, on whatever machine it runs."""

from __future__ import annotations

from datetime import datetime, time

from exchange.errors import RedisUnfit
from exchange.project import Project
from exchange.queue import keys

PAUSE = b"pause"
PAUSE_MESSAGES = {
    True: "paused: no worker takes new work; what is in flight ends. `kkoracle work --resume` "
    "goes on",
    False: "resumed: workers take new work",
}


def set_paused(project: Project, paused: bool) -> str:
    """Pause or resume all workers of this Redis; returns what to tell the operator.

    Raises:
        UserError: Redis cannot be reached or started, or does not let us.
    """
    from redis.exceptions import NoPermissionError

    from exchange.queue.redis_endpoint import redis_for

    with redis_for(project, keep_alive=False) as handle:
        redis = handle.connect()
        try:
            if paused:
                redis.set(keys.CONTROL, PAUSE)
            else:
                redis.delete(keys.CONTROL)
        except NoPermissionError:
            raise RedisUnfit(
                "a worker may not pause the others: run this on the machine whose Redis it is"
            ) from None
    return PAUSE_MESSAGES[paused]


# Quiet hours: a machine that people sleep beside takes no new work at night.


def is_quiet(hours: str, moment: time | None = None) -> bool:
    """True inside `hours`, such as "23:00-07:00" in local time; "" has no quiet hours.

    The start belongs to the quiet, the end does not. An end before the start is the next day's.
    """
    if not hours:
        return False
    start, end = (time.fromisoformat(part) for part in hours.split("-"))
    current = moment or datetime.now().time()
    if start <= end:
        return start <= current < end
    return current >= start or current < end
