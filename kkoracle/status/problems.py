"""What needs a person, and what to do about it. A pure function of one look."""

from __future__ import annotations

from collections.abc import Iterator

from exchange.display import MIB, format_bytes, format_duration
from exchange.queue.redis_clock import CLOCK_APART_S, skew_text
from exchange.store.tasks import REFUSED
from kkoracle.status.records import Problem, QueueStatus, StageProgress, Status

CODES = (
    "failing",
    "results-refused",
    "pages-failing",
    "unreadable",
    "stories-missing",
    "nothing-found",
    "stories-held",
    "no-stories",
    "pairs-rejected",
    "stopped",
    "live-stopped",
    "daemon-silent",
    "disk-low",
    "redis-full",
    "redis-away",
    "clocks-apart",
    "paused",
    "no-worker",
    "stalled",
    "pages-stalled",
)
STALLED_S = 600.0  # nothing done for so long, while there is work: it is not just slow
SILENT_S = 180.0  # the daemon says something every few seconds, but for a long first minute
FAILING_SHARE = 0.5  # share of the tasks that fail: the model or the prompt is wrong
FAILING_LEAST = 10  # of them: one bad chunk out of one says nothing
REFUSED_SHARE = 0.05  # of the tasks that ended: one result may be spoilt, not so many
FULL_SHARE = 0.70  # of Redis's memory, where the feeder stops
WORKER_LATE_S = 120.0  # a daemon runs for so long before a missing worker is anybody's fault


def find_problems(status: Status) -> tuple[Problem, ...]:
    """Everything that is wrong, the gravest first."""
    return tuple(_problems(status))


def _problems(status: Status) -> Iterator[Problem]:
    yield from _failure_problems(status)
    yield from status.losses
    live = status.live
    if live and not live.running and live.new_pairs >= max(1, live.least_pairs):
        yield Problem(
            "live-stopped",
            f"{live.new_pairs:,} new pairs wait for a morning and `kkoracle live` does not run: "
            f"`kkoracle live {status.archive}` goes on",
        )
    if not status.daemon:
        if status.work_left:
            yield Problem(
                "stopped", f"no daemon runs and work is left: {_crawl_command(status)} goes on"
            )
        return
    if status.crawl.silent_s > SILENT_S:
        yield Problem(
            "daemon-silent",
            "the daemon holds its lock and has said nothing for "
            f"{format_duration(status.crawl.silent_s)}"
            f": it hangs or the machine slept; stop it, then {_crawl_command(status)}",
        )
    yield from _machine_problems(status)
    yield from _clock_problems(status)
    yield from _task_problems(status)
    yield from _page_problems(status)


def _failure_problems(status: Status) -> Iterator[Problem]:
    failed, done = (status.counters.get(f"tasks.{state}", 0) for state in ("failed", "done"))
    most = failed >= FAILING_LEAST and failed > FAILING_SHARE * (failed + done)
    if most or (failed and not done):
        yield Problem(
            "failing",
            f"{failed:,} of {failed + done:,} tasks failed: `kkoracle failed list` shows why",
        )
    refused = status.counters.get(REFUSED, 0)
    if refused >= FAILING_LEAST and refused > REFUSED_SHARE * (failed + done):
        yield Problem(
            "results-refused",
            f"{refused:,} results in Redis were not what was asked for and are made again: a "
            "worker of another version, or a stranger with a worker's password; the daemon's log "
            "says what is wrong with them",
        )
    given_up, fetched = (status.pages.get(f"pages.{state}", 0) for state in ("failed", "done"))
    if given_up >= FAILING_LEAST and given_up > FAILING_SHARE * (given_up + fetched):
        yield Problem(
            "pages-failing",
            f"{given_up:,} of {given_up + fetched:,} pages failed: "
            f"`kkoracle archive review {status.archive}` shows why",
        )


def _machine_problems(status: Status) -> Iterator[Problem]:
    machine, queue = status.machine, status.queue
    if machine.free_mb < machine.least_mb:
        yield Problem(
            "disk-low",
            f"only {format_bytes(machine.free_mb * MIB)} of disk are free and fetching "
            f"waits below {format_bytes(machine.least_mb * MIB)}: make room",
        )
    if queue.limit_mb and queue.used_mb > FULL_SHARE * queue.limit_mb:
        yield Problem(
            "redis-full",
            f"Redis holds {format_bytes(queue.used_mb * MIB)} of "
            f"{format_bytes(queue.limit_mb * MIB)}: the "
            "daemon feeds no more until workers have made room",
        )


def _clock_problems(status: Status) -> Iterator[Problem]:
    queue = status.queue
    apart = {"this machine": queue.clock_ahead_s}
    apart |= {f"worker {worker.name}": worker.clock_ahead_s for worker in queue.workers}
    said = [f"{who}: {skew_text(by)}" for who, by in apart.items() if abs(by) > CLOCK_APART_S]
    if said:
        yield Problem(
            "clocks-apart",
            f"clocks are wrong ({'; '.join(said)}): nothing is lost, but times shown are wrong; "
            "set them (NTP)",
        )


def _task_problems(status: Status) -> Iterator[Problem]:
    stage, queue = status.stage("tasks"), status.queue
    if not stage.open:
        return
    if not queue.up:
        yield Problem("redis-away", f"Redis is {queue.redis}: workers wait, nothing is lost")
        return
    idle = _idle(stage, status)
    stalled = idle > STALLED_S
    waited = f"no chunk for {format_duration(idle)}"
    if queue.paused:
        if stalled:
            yield Problem("paused", f"{waited}: the workers are paused; `kkoracle work --resume`")
    elif not queue.workers:
        if queue.lost or stalled or status.crawl.running_s > WORKER_LATE_S:
            said = waited if stalled else "no worker"
            yield Problem(
                "no-worker", f"{said}: {_lost_worker_text(queue)}; `kkoracle work` starts one"
            )
    elif stalled and not all(worker.state == "quiet" for worker in queue.workers):
        who = ", ".join(
            f"worker {worker.name} is {worker.state} with {worker.inflight} in flight, "
            f"{worker.tokens_per_s:.0f} tokens/s"
            for worker in queue.workers
        )
        lost = f"; {_lost_worker_text(queue)}" if queue.lost else ""
        yield Problem("stalled", f"{waited}: {who}{lost}")


def _page_problems(status: Status) -> Iterator[Problem]:
    stage, crawl = status.stage("pages"), status.crawl
    idle = _idle(stage, status)
    if not stage.open or idle <= STALLED_S or not crawl.fetching:
        return
    if crawl.hold:
        why = f"fetching waits: {crawl.hold}"
    elif crawl.pause_s > 0:
        why = (
            f"the site asks us to wait {format_duration(crawl.pause_s)} more, or cannot be reached"
        )
    else:
        why = "the pages left wait for their next try"
    yield Problem("pages-stalled", f"no page for {format_duration(idle)}: {why}")


def _idle(stage: StageProgress, status: Status) -> float:
    """Seconds without anything done, as far as this daemon was there."""
    idle = status.crawl.running_s if stage.idle_s is None else stage.idle_s
    return min(idle, status.crawl.running_s)


def _lost_worker_text(queue: QueueStatus) -> str:
    """The workers that fell silent, or that there never was one."""
    if not queue.lost:
        return "no worker runs"
    name, ago = min(queue.lost.items(), key=lambda item: item[1])
    more = f" (and {len(queue.lost) - 1} more)" if len(queue.lost) > 1 else ""
    return f"worker {name} last seen {format_duration(ago)} ago{more}"


def _crawl_command(status: Status) -> str:
    """What somebody types to go on: what he typed before."""
    return f"`kkoracle {'live' if status.live else 'crawl'} {status.archive}`"
