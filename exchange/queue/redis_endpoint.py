"""A Redis of our own per data directory, for people who have none.

Started under `redis.lock` by whichever command comes first, found by the others through
`redis.json`, restarted by a living daemon or supervisor when it dies, stopped by the last user
to leave, or by its guard where all users were killed. A server that we did not start is never
adopted.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from exchange import signals
from exchange.errors import RedisUnfit
from exchange.lock import REDIS_USERS_LOCK, FileLock
from exchange.project import Project
from exchange.queue import redis_client
from exchange.queue.redis_process import RedisProcess

if TYPE_CHECKING:
    from redis import Redis


class RedisEndpoint:
    """A way to the Redis in use; holds our share of it until `redis_for` ends."""

    def __init__(self, url: str, version: str) -> None:
        self.url = url
        self.version = version

    def connect(self, *, patient: bool = False, answer_s: float | None = None) -> Redis:
        """A new client; see `redis_client.connect_redis`."""
        return redis_client.connect_redis(self.url, patient=patient, answer_s=answer_s)


@contextlib.contextmanager
def redis_for(project: Project, *, keep_alive: bool = True) -> Iterator[RedisEndpoint]:
    """The Redis of this project for as long as the block runs.

    Args:
        keep_alive: restart our own server within seconds if it dies meanwhile.

    Raises:
        UserError: the configured one does not answer, or none can be started.
    """
    if project.redis.url:
        yield RedisEndpoint(project.redis.url, redis_client.check_redis(project.redis.url))
        return
    server = RedisProcess(project.redis_dir, project.redis.maxmemory_mb)
    users = FileLock(project.redis_dir / REDIS_USERS_LOCK)
    users.acquire(shared=True, wait=True)
    stop = threading.Event()
    watcher = threading.Thread(target=server.watch, args=(stop,), name="redis-watch", daemon=True)

    def leave() -> None:
        stop.set()
        if watcher.is_alive():
            watcher.join()
        users.release()
        server.stop_if_last()

    with signals.before_exit_now(leave):
        try:
            url, version = _ensure_fit(server)
            if keep_alive:
                watcher.start()
            yield RedisEndpoint(url, version)
        finally:
            with signals.stop_on_signal() as stopped:  # one that comes now must not keep it alive
                leave()
        if stopped():
            raise KeyboardInterrupt


def _ensure_fit(server: RedisProcess) -> tuple[str, str]:
    """Our server's URL and version; one that died between two looks at it is started once more."""
    try:
        url, version = server.ensure()
        redis_client.check_redis(url)
    except RedisUnfit:
        if server.is_alive():
            raise
        url, version = server.ensure()
    return url, version
