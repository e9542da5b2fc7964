"""One look at an archive: counters, their history, the daemon's own word, Redis, the machine."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.archive_cli import scope_of
from crawler.frontier.pages import FILE as PAGES_FILE
from crawler.settings import CrawlSettings
from crawler.status import report
from crawler.status.losses import find_losses
from exchange import machine
from exchange.errors import NotFound, UserError
from exchange.lock import daemon_lock, live_lock
from exchange.project import Project
from exchange.queue import keys
from exchange.store import history
from exchange.store.history import CounterSample
from exchange.store.spool import FILE, Spool
from exchange.text.controls import one_line
from kkoracle.live.record import read_mornings
from kkoracle.live.schedule import what_begins
from kkoracle.settings import LiveSettings
from kkoracle.status import stages
from kkoracle.status.problems import find_problems
from kkoracle.status.records import (
    DaemonState,
    LiveStatus,
    MachineStatus,
    Problem,
    QueueStatus,
    Status,
    WorkerStatus,
)
from kkoracle.status.training import newest_run
from trainer.promote.versions import promoted

if TYPE_CHECKING:
    from redis import Redis


# What Redis knows: how much waits and since when, who works and how fast, who fell silent.

LOST_S = 86_400.0  # a worker that was silent for longer is nobody's concern
LONGEST_WORD = 80  # characters of a name that is shown
TIMEOUT_S = 1.0  # a Redis that needs longer is as good as away; `status` must not hang


def read_queue(project: Project) -> QueueStatus:
    """Ask the Redis of this house; one that is away is an answer too."""
    from redis.exceptions import RedisError

    from exchange.queue import redis_client

    url = redis_url(project)
    if not url:
        return QueueStatus("not running")
    client = redis_client.connect_redis(url, patient=False, answer_s=TIMEOUT_S)
    try:
        return _query_redis(client)
    except RedisError as error:
        return QueueStatus(f"away ({type(error).__name__})")
    except UserError as error:
        return QueueStatus(f"away ({error})")
    finally:
        client.close()


def redis_url(project: Project) -> str:
    """The URL of the Redis in use; "" when it would be ours and does not run."""
    from exchange.queue.redis_process import RedisProcess

    if project.redis.url:
        return project.redis.url
    server = RedisProcess(project.redis_dir, project.redis.maxmemory_mb)
    return server.address() if server.is_alive() else ""


def _query_redis(redis: Redis) -> QueueStatus:
    """Two round trips, however many jobs and workers there are."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.info("server")
        pipe.info("memory")
        pipe.llen(keys.WAITING)
        pipe.lindex(keys.WAITING, 0)
        pipe.get(keys.CONTROL)
        pipe.zrange(keys.SEEN, 0, -1, withscores=True)
        (seconds, micros), server, memory, waiting, first, control, seen = pipe.execute()
    moment = seconds + micros / 1e6
    names = {keys.text(name): at for name, at in seen if moment - at <= LOST_S}
    with redis.pipeline(transaction=False) as pipe:
        pipe.hget(keys.job(first or b""), "enqueued_at")
        for name in names:
            pipe.hgetall(keys.heartbeat(name))
        since, *beats = pipe.execute(raise_on_error=False)  # one may be another type of key
    beaten = zip(names, beats, strict=True)
    living = {name: beat for name, beat in beaten if beat and isinstance(beat, dict)}
    return QueueStatus(
        redis=str(server["redis_version"]),
        up=True,
        waiting=int(waiting),
        oldest_s=_seconds_since(since, moment) if isinstance(since, bytes) else None,
        used_mb=int(memory["used_memory"]) // 2**20,
        limit_mb=int(memory.get("maxmemory") or 0) // 2**20,
        paused=control == keys.PAUSE,
        workers=tuple(_worker(name, beat) for name, beat in sorted(living.items())),
        lost={
            one_line(n, LONGEST_WORD): max(0.0, moment - at)
            for n, at in sorted(names.items())
            if n not in living
        },
        clock_ahead_s=round(time.time() - moment),
    )


def _worker(name: str, beat: dict[bytes, bytes]) -> WorkerStatus:
    said = {keys.text(key): keys.text(value) for key, value in beat.items()}
    return WorkerStatus(
        one_line(name, LONGEST_WORD),
        one_line(said.get("state", ""), LONGEST_WORD),
        int(keys.number(said.get("width"))),
        int(keys.number(said.get("inflight"))),
        int(keys.number(said.get("done"))),
        keys.number(said.get("tokens_per_s")),
        keys.number(said.get("clock_ahead_s")),
    )


def _seconds_since(raw: bytes | None, moment: float) -> float | None:
    """Seconds since a time as RQ writes it."""
    try:
        at = datetime.strptime((raw or b"").decode(), "%Y-%m-%dT%H:%M:%S.%fZ")
    except (ValueError, UnicodeDecodeError):
        return None
    return max(0.0, moment - at.replace(tzinfo=UTC).timestamp())


STALE_S = 5.0  # what the daemon wrote before its lock was taken is of an earlier one


def read_status(project: Project, archive: str, now: float | None = None) -> Status:
    """Read where things stand; nothing is started, nothing is written.

    Args:
        now: seconds since the epoch; default: the clock's.

    Raises:
        UserError: nothing was crawled yet, or it stands for several archives.
    """
    now = time.time() if now is None else now
    directory = project.newspaper_dir(archive)
    if not any((directory / name).exists() for name in (FILE, PAGES_FILE)):
        raise NotFound(f"nothing of {archive} yet: `kkoracle crawl {archive}` begins")
    unreadable: list[Problem] = []
    # The daemon stores a page's stories first and marks it as read second; read the other way round
    # every page that is marked has its stories.
    pages, pages_past = _readable(
        lambda: (report.read_counters(directory), report.read_history(directory)), unreadable
    )
    counters, spool_past = _readable(partial(_read_spool, directory), unreadable)
    daemon, since = _read_daemon(directory, now)
    ways = stages.stage_progress(pages, pages_past, counters, spool_past, now)
    if not daemon:  # no pace of earlier says when what stands still will have ended
        ways = tuple(replace(way, left=None, note="nothing runs") for way in ways)
    found = Status(
        archive=archive,
        daemon=daemon,
        counters=counters,
        pages=pages,
        crawl=_daemon_state(directory, now, since) if daemon else DaemonState(),
        stages=ways,
        pairs=stages.pair_progress(counters, spool_past, now),
        queue=read_queue(project),
        machine=_machine_status(project, directory),
        losses=tuple(unreadable)
        or tuple(
            Problem(loss.code, loss.says)
            for loss in find_losses(
                directory, archive, partial(scope_of, project, archive), pages, counters
            )
        ),
        training=newest_run(directory, now),
        live=_live_status(directory, project.config.table("live", LiveSettings), counters),
    )
    return replace(found, problems=find_problems(found))


def _readable(
    read: Callable[[], tuple[dict[str, int], list[CounterSample]]], unreadable: list[Problem]
) -> tuple[dict[str, int], list[CounterSample]]:
    """What a file counts; nothing, and a problem more, when it cannot be read."""
    try:
        return read()
    except UserError as error:
        unreadable.append(Problem("unreadable", str(error)))
        return {}, []


def _read_spool(directory: Path) -> tuple[dict[str, int], list[CounterSample]]:
    try:
        spool = Spool.read(directory)
    except NotFound:  # it is being made this very moment, or was lost: `find_losses` says so
        return {}, []
    try:
        return spool.counters(), history.read_samples(spool.db)
    finally:
        spool.close()


def _read_daemon(directory: Path, now: float) -> tuple[bool, float]:
    """Whether a daemon holds its lock, and for how many seconds it has."""
    lock = daemon_lock(directory)
    if lock.is_free(shared=True):
        return False, 0.0
    return True, max(0.0, now - lock.path.stat().st_mtime)


def _daemon_state(directory: Path, now: float, running_s: float) -> DaemonState:
    said = report.read_heartbeat(directory)
    if said is None or now - said.at > running_s + STALE_S:
        return DaemonState(silent_s=running_s, running_s=running_s)
    return DaemonState(
        pid=said.pid,
        silent_s=max(0.0, now - said.at),
        running_s=running_s,
        rate=said.rate,
        allowed=said.allowed,
        pause_s=max(0.0, said.pause_s),
        hold=said.hold,
        fetching=said.fetching,
        next_look=said.next_look,
    )


def _live_status(
    directory: Path, settings: LiveSettings, counters: dict[str, int]
) -> LiveStatus | None:
    mornings, running = (
        read_mornings(directory),
        not live_lock(directory).is_free(shared=True),
    )
    if not mornings and not running:
        return None
    last, answers = (mornings[-1] if mornings else None), promoted(directory)
    known = int(last.about("begun").get("pairs", 0)) if last else 0
    return LiveStatus(
        running=running,
        mornings=len(mornings),
        day=last.day if last else "",
        outcome=last.outcome if last else "",
        reason=last.reason if last else "",
        answers=answers.name if answers else "",
        new_pairs=max(0, counters.get("pairs.accepted", 0) - known),
        least_pairs=settings.pairs,
        next=what_begins(settings),
    )


def _machine_status(project: Project, directory: Path) -> MachineStatus:
    taken = sum(path.stat().st_size for path in directory.glob("*.sqlite*"))
    least = project.config.table("crawl", CrawlSettings).min_free_mb
    free = shutil.disk_usage(directory).free
    return MachineStatus(taken // 10**6, free // 2**20, least, machine.usable_memory() // 10**6)
