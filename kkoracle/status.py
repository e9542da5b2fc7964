"""How far is it: counters that the writers keep, and the heartbeats of the workers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

import orjson

from exchange.errors import FAILED, OK, STOPPED, UserError
from exchange.house import House
from exchange.lock import FileLock
from exchange.spool import FILE, Spool, open_tasks


@dataclass(frozen=True, slots=True)
class Status:
    """One look at one archive."""

    archive: str
    daemon: bool  # a crawl daemon holds the lock
    counters: dict[str, int]
    pages: dict[str, int]
    redis: str  # version, or why there is none
    queue: int = 0
    workers: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def open_tasks(self) -> int:
        return open_tasks(self.counters)

    @property
    def exit_code(self) -> int:
        if self.counters.get("tasks.failed"):
            done = self.counters.get("tasks.done", 0)
            if self.counters["tasks.failed"] > done:
                return FAILED  # most tasks fail: the model or the prompt is wrong
        if self.daemon or not self.open_tasks:
            return OK
        return STOPPED


def look(house: House, archive: str) -> Status:
    """Read the counters; nothing is started, nothing is written.

    Raises:
        UserError: nothing was crawled yet.
    """
    from crawler.report import read_counters

    directory = house.archive_dir(archive)
    if not (directory / FILE).exists():
        raise UserError(f"nothing of {archive} yet: `kkoracle crawl {archive}` begins")
    spool = Spool.read(directory)
    try:
        counters = spool.counters()
    finally:
        spool.close()
    lock = FileLock(directory / "daemon.lock")
    daemon = not lock.acquire()
    lock.release()
    redis, queue, workers = _ask_redis(house)
    return Status(archive, daemon, counters, read_counters(directory), redis, queue, workers)


def _ask_redis(house: House) -> tuple[str, int, dict[str, dict[str, str]]]:
    from redis.exceptions import RedisError

    from exchange import keys, redis_child, redis_client

    url = house.redis.url
    if not url:
        running = redis_child.ChildServer(house.redis_dir, house.redis.maxmemory_mb).running()
        if running is None:
            return "not running", 0, {}
        url = running[0]
    client = redis_client.connect(url, patient=False)
    try:
        version = redis_client.check(url)
        queue = int(client.llen(f"rq:queue:{keys.QUEUE}"))
        workers = {}
        for key in client.scan_iter(match=keys.heartbeat("*"), count=1000):
            facts = {k.decode(): v.decode() for k, v in client.hgetall(key).items()}
            workers[key.decode().removeprefix(keys.heartbeat(""))] = facts
        return version, queue, workers
    except (RedisError, UserError) as error:
        return f"away ({error})", 0, {}
    finally:
        client.close()


def show(status: Status, *, as_json: bool) -> None:
    """Print one screen, or one JSON object."""
    if as_json:
        print(orjson.dumps({**asdict(status), "exit_code": status.exit_code}).decode())  # noqa: T201
        return
    from rich.console import Console

    console = Console(soft_wrap=True, highlight=False)
    c = status.counters
    pages = ", ".join(
        f"{name.removeprefix('pages.')} {count:,}"
        for name, count in sorted(status.pages.items())
        if name.startswith("pages.")
    )
    failing = f" (`kkoracle archive review {status.archive}`)" * bool(
        status.pages.get("pages.failed")
    )
    rejected = sorted(
        ((n, k.removeprefix("rejected.")) for k, n in c.items() if k.startswith("rejected.")),
        reverse=True,
    )
    failed = sorted(
        ((n, k.removeprefix("failed.")) for k, n in c.items() if k.startswith("failed.")),
        reverse=True,
    )
    marked = sorted(
        ((n, k.removeprefix("marks.")) for k, n in c.items() if k.startswith("marks.")),
        reverse=True,
    )
    lines = [
        ("archive", f"{status.archive}, daemon {'running' if status.daemon else 'not running'}"),
        ("pages", (pages or "none yet") + failing),
        (
            "stories",
            f"{c.get('stories', 0):,} in {c.get('chunks.live', 0):,} chunks" + _reasons(marked),
        ),
        (
            "tasks",
            f"{c.get('tasks.done', 0):,} done, {c.get('tasks.queued', 0):,} queued, "
            f"{c.get('tasks.new', 0):,} waiting, {c.get('tasks.failed', 0):,} failed"
            + _reasons(failed),
        ),
        (
            "pairs",
            f"{c.get('pairs.accepted', 0):,} kept, {c.get('pairs.rejected', 0):,} rejected"
            + _reasons(rejected),
        ),
        ("redis", f"{status.redis}, {status.queue:,} jobs waiting"),
    ]
    for name, facts in status.workers.items():
        lines.append(
            (
                "worker",
                f"{name}: {facts.get('state')}, width {facts.get('width')}, "
                f"{facts.get('inflight')} in flight, {facts.get('done')} done, "
                f"{facts.get('tokens_per_s')} tokens/s",
            )
        )
    for name, text in lines:
        console.print(f"[bold]{name:8}[/] ", end="")
        console.print(text, markup=False)


def _reasons(ranked: list[tuple[int, str]]) -> str:
    named = ", ".join(f"{reason} {count:,}" for count, reason in ranked[:4])
    return f" ({named})" if named else ""
