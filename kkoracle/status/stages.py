"""How fast each stage goes and when it ends, from the counters and what they were. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from exchange.display import DAY_S
from exchange.store.history import CounterSample, last_change
from kkoracle.status.eta import EtaRange, eta
from kkoracle.status.records import PairProgress, StageProgress

QUARTER_S, HOUR_S = 900.0, 3600.0
Counters = Mapping[str, int]
ENDED = ("pages.done", "pages.failed", "pages.left_out")
OPEN_PAGES = ("pages.waiting", "pages.leased")
CLOSED = ("tasks.done", "tasks.failed")
OPEN_TASKS = ("tasks.new", "tasks.queued")
MOST_POINTS = 400  # of the history are enough to tell an end from
LEAST_DISCOVERY = (
    0.02  # new pages per page done, below which the crawl is taken to know all of them
)


def stage_progress(
    pages: Counters,
    pages_past: Sequence[CounterSample],
    spool: Counters,
    spool_past: Sequence[CounterSample],
    now: float,
) -> tuple[StageProgress, ...]:
    """The three stages in their order."""
    fetched = _page_stage(pages, pages_past, now)
    return (
        fetched,
        _text_stage(pages, pages_past, now),
        _task_stage(spool, spool_past, fetched, pages.get("text.waiting", 0), now),
    )


def _page_stage(counters: Counters, past: Sequence[CounterSample], now: float) -> StageProgress:
    done, waiting = _sum(counters, *ENDED), _sum(counters, *OPEN_PAGES)
    finding = _discovery_rate(past)
    left, note = None, ""
    if waiting and finding >= 1:
        note = "more pages are found than fetched"
    else:
        # Every page may lead to others, they to others again: a geometric series.
        left = _time_left(past, ENDED, done + waiting, now)
        found = waiting / (1 - finding) if waiting else 0.0
        more = _time_left(past, ENDED, done + found, now)
        if left and more:
            left = (left[0], (left[1] + more[1]) / 2, more[2])
    return _make_stage("pages", past, ENDED, done, done + waiting, now, left, note)


def _discovery_rate(past: Sequence[CounterSample]) -> float:
    """New pages per page done, over the last third of what was done."""
    if len(past) < 2:
        return 0.0
    first, last = (past[at].count(*ENDED) for at in (0, -1))
    start = bisect_left(past, last - (last - first) / 3, key=lambda sample: sample.count(*ENDED))
    start = min(start, len(past) - 2)
    grown = last - past[start].count(*ENDED)
    known = [past[at].count(*ENDED, *OPEN_PAGES) for at in (start, -1)]
    found = (known[1] - known[0]) / grown if grown > 0 else 0.0
    return found if found > LEAST_DISCOVERY else 0.0


def _text_stage(counters: Counters, past: Sequence[CounterSample], now: float) -> StageProgress:
    names = tuple(name for name in counters if name.startswith("text.") and name != "text.waiting")
    done, waiting = _sum(counters, *names), counters.get("text.waiting", 0)
    left = _time_left(past, names, done + waiting, now)
    return _make_stage("text", past, names, done, done + waiting, now, left)


def _task_stage(
    counters: Counters,
    past: Sequence[CounterSample],
    fetched: StageProgress,
    unread: int,
    now: float,
) -> StageProgress:
    """Tasks that pages yet to be read will bring are counted as those of the pages so far."""
    done, waiting = _sum(counters, *CLOSED), _sum(counters, *OPEN_TASKS)
    total = done + waiting
    read = max(1, fetched.done - unread)
    expected = total * (1 + (fetched.open + unread) / read)
    left = _time_left(past, CLOSED, expected, now)
    note = fetched.note
    if fetched.note or (fetched.open and fetched.left is None):
        left = None
    elif left and fetched.left:
        left = tuple(max(pair) for pair in zip(left, fetched.left, strict=True))  # type: ignore[assignment]
    return _make_stage("tasks", past, CLOSED, done, total, now, left, note)


def pair_progress(counters: Counters, past: Sequence[CounterSample], now: float) -> PairProgress:
    """What came of the tasks, and what of those of the last day."""
    accepted, rejected = (counters.get(f"pairs.{s}", 0) for s in ("accepted", "rejected"))
    kept, dropped = (_growth(past, (f"pairs.{s}",), DAY_S, now) for s in ("accepted", "rejected"))
    reasons = {
        n.removeprefix("rejected."): c for n, c in counters.items() if n.startswith("rejected.")
    }
    return PairProgress(
        accepted,
        rejected,
        _per_hour(past, ("pairs.accepted",), QUARTER_S, now),
        _per_hour(past, ("pairs.accepted",), DAY_S, now),
        _share(accepted, rejected),
        _share(kept, dropped),
        dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
        _seen(past, now),
    )


def _make_stage(
    name: str,
    past: Sequence[CounterSample],
    names: Sequence[str],
    done: int,
    total: int,
    now: float,
    left: EtaRange | None,
    note: str = "",
) -> StageProgress:
    changed = last_change(list(past), *names)
    return StageProgress(
        name,
        done,
        total,
        hour=_per_hour(past, names, QUARTER_S, now),
        day=_per_hour(past, names, DAY_S, now),
        idle_s=None if changed is None else max(0.0, now - changed),
        left=left,
        note=note or ("" if left or done == total else "too little was done yet to tell"),
        seen_s=_seen(past, now),
    )


def _time_left(
    past: Sequence[CounterSample], names: Sequence[str], total: float, now: float
) -> EtaRange | None:
    seen = [*past[:: len(past) // MOST_POINTS + 1], *past[-1:]]
    points = [(sample.at, sample.count(*names)) for sample in seen]
    return eta(points, total, max(now, points[-1][0])) if points else None


def _growth(
    past: Sequence[CounterSample], names: Sequence[str], window: float, now: float
) -> float:
    """How much a count has grown over the last seconds; a straight line between two samples."""
    if not past:
        return 0.0
    start = now - window
    after = bisect_left(past, start, key=lambda sample: sample.at)
    if after == len(past):
        return 0.0
    first = float(past[after].count(*names))
    if after:
        before = past[after - 1]
        share = (start - before.at) / (past[after].at - before.at)
        first = before.count(*names) + share * (first - before.count(*names))
    return max(0.0, past[-1].count(*names) - first)


def _per_hour(
    past: Sequence[CounterSample], names: Sequence[str], window: float, now: float
) -> float:
    """How many an hour; of a history that is shorter than the window, over all of it."""
    if not past:
        return 0.0
    seconds = min(window, now - past[0].at)
    return _growth(past, names, window, now) / seconds * HOUR_S if seconds >= 1 else 0.0


def _seen(past: Sequence[CounterSample], now: float) -> float:
    """Seconds of the last day that the history tells of."""
    return min(DAY_S, max(0.0, now - past[0].at)) if past else 0.0


def _share(yes: float, no: float) -> float | None:
    return yes / (yes + no) if yes + no else None


def _sum(counters: Counters, *names: str) -> int:
    return sum(counters.get(name, 0) for name in names)
