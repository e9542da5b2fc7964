"""Pause and resume: one key in Redis that every worker looks at, on whatever machine it runs."""

from __future__ import annotations

from exchange import keys
from exchange.errors import UserError
from exchange.house import House

PAUSE = b"pause"
SAID = {
    True: "paused: no worker takes new work; what is in flight ends. `kkoracle work --resume` "
    "goes on",
    False: "resumed: workers take new work",
}


def set_paused(house: House, paused: bool) -> str:
    """Pause or resume all workers of this Redis; returns what to tell the operator.

    Raises:
        UserError: Redis cannot be reached or started, or does not let us.
    """
    from redis.exceptions import NoPermissionError

    from exchange.redis_server import redis_for

    with redis_for(house, keep_alive=False) as handle:
        redis = handle.connect()
        try:
            if paused:
                redis.set(keys.CONTROL, PAUSE)
            else:
                redis.delete(keys.CONTROL)
        except NoPermissionError:
            raise UserError(
                "a worker may not pause the others: run this on the machine whose Redis it is"
            ) from None
    return SAID[paused]
