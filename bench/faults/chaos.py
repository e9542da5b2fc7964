"""Faults at random moments, and how long each leaves a task without anybody who cares for it."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from redis import Redis
from redis.exceptions import RedisError

from bench.faults.clock import HOUR_S
from bench.faults.deployment import Deployment, wait_until_stopped
from bench.faults.fixture import ARCHIVE
from bench.registry import Log
from exchange.queue import keys
from exchange.store.spool import Spool, open_tasks

LOOK_S = 0.1
DEALT_BY = 0.8  # share of the tasks closed when the last fault is due; it may come later
GAP_S = 1.5  # faults that fall due together, as many results came in at once, come one by one
BEHIND, GAP_BEHIND_S = 10, 0.5  # so many late, they come faster, to strike while there is work
STILL_S = 15.0  # without progress for so long the next fault comes all the same
SHARES = {"worker": 12, "redis": 6, "daemon": 6, "supervisor": 6}  # of the kills
OTHERS = {  # per 30 kills, besides them
    "flushall": 3,
    "stop-worker": 1,
    "stop-daemon": 1,
    "clock": 4,
    "partition": 2,
    "suspend": 1,
}
EVERYBODY = ("flushall", "redis", "suspend")  # faults that touch all that Redis was to remember
FARTHEST_S = 12 * HOUR_S  # a clock is set to at most so much before or after the true time


@dataclass
class FaultReport:
    """What the faults were, and what came of them."""

    faults: Counter[str] = field(default_factory=Counter)
    recoveries: list[float] = field(default_factory=list)
    open_at_end: int = 0

    @property
    def kills(self) -> int:
        """SIGKILLs alone."""
        return sum(self.faults[kind] for kind in SHARES)


def fault_order(kills: int, drawn: random.Random) -> list[str]:
    """The faults in the order in which they come."""
    cards: list[str] = []
    others = max(1, round(kills * sum(OTHERS.values()) / 30))
    for shares, count in ((SHARES, kills), (OTHERS, others)):
        pool = [name for name, share in shares.items() for _ in range(share)]
        whole, rest = divmod(count, len(pool))
        cards += pool * whole + drawn.sample(pool, rest)
    drawn.shuffle(cards)
    return cards


class FaultInjector:
    """Deals one fault whenever some more tasks have been closed, until all is done."""

    def __init__(
        self, crew: Deployment, tasks: int, faults: list[str], lease_s: int, seed: int
    ) -> None:
        self._crew = crew
        self._faults = faults
        self._every = DEALT_BY * tasks / (len(faults) + 1)
        self._lease_s = lease_s
        self._drawn = random.Random(seed)
        self._spool = Spool.read(crew.project.archive_dir())
        self._pending: list[tuple[float, set[str]]] = []  # when it struck, who it touched
        self._later: list[tuple[float, Callable[[], None]]] = []  # what ends a fault, and when
        self.seen = FaultReport()

    def run(self, seconds: float, log: Log) -> FaultReport:
        """Go on until the daemon says that all is done, or the time is over."""
        started = last = told = time.monotonic()
        dealt = 0
        while time.monotonic() - started < seconds:
            self._crew.mind()
            self._end_faults()
            self._look()
            counters = self._spool.counters()
            left = open_tasks(counters)
            closed = sum(counters.get(f"tasks.{state}", 0) for state in ("done", "failed"))
            moment = time.monotonic()
            if moment - told > 5:
                told = moment
                log(f"{moment - started:5.0f} s: {closed} closed, {left} open, {dealt} faults")
            if not left and self._crew.daemon_done:
                break
            due = closed >= dealt * self._every or moment - last > STILL_S
            gap_s = GAP_S if closed < (dealt + BEHIND) * self._every else GAP_BEHIND_S
            if left and due and moment - last >= gap_s and self._deal_one():
                dealt, last = dealt + 1, moment
            time.sleep(LOOK_S)
        self._end_faults(at_once=True)
        self.seen.open_at_end = open_tasks(self._spool.counters())
        self.seen.recoveries += [seconds for _ in self._pending]  # never seen to recover
        return self.seen

    def _deal_one(self) -> bool:
        """The next fault whose victim is there."""
        for fault in dict.fromkeys(self._faults):
            if self._deal(fault):
                self._faults.remove(fault)
                return True
        return False

    def _deal(self, fault: str) -> bool:
        """Do it; false when there is nothing to do it to right now."""
        redis = self._crew.redis()
        if redis is None:
            return False
        try:
            touched = self._touched(redis, everything=fault in EVERYBODY)
            if fault == "flushall":
                redis.flushall()
            elif fault == "clock":
                self._set_clocks()
            elif fault == "partition":
                self._cut()
            elif fault == "suspend":
                self._crew.suspend(self._lease_s + 2)
            else:
                kind = fault.removeprefix("stop-")
                victims = self._crew.targets()[kind]
                if not victims:
                    return False
                self._strike(self._drawn.choice(victims), stop=kind != fault)
        except RedisError:
            return False
        self.seen.faults[fault] += 1
        self._pending.append((time.monotonic(), touched))
        return True

    def _strike(self, pid: int, *, stop: bool) -> None:
        if not stop:
            self._crew.kill(pid)
            return
        os.kill(pid, signal.SIGSTOP)
        wait_until_stopped(pid)
        self._end_later(partial(_continue, pid))

    def _set_clocks(self) -> None:
        """Both machines' clocks jump together, or apart."""
        ahead = self._drawn.uniform(-FARTHEST_S, FARTHEST_S)
        for clock in self._crew.clocks.values():
            clock.set_ahead(ahead)
            if self._drawn.random() < 0.5:
                ahead = self._drawn.uniform(-FARTHEST_S, FARTHEST_S)

    def _cut(self) -> None:
        self._crew.network.cut()
        self._end_later(partial(self._crew.network.heal, reset=self._drawn.random() < 0.5))

    def _end_later(self, end: Callable[[], None]) -> None:
        """Past the lease, so that others take over what the victim holds."""
        self._later.append((time.monotonic() + self._lease_s + 2, end))

    def _end_faults(self, *, at_once: bool = False) -> None:
        for due in list(self._later):
            until, end = due
            if at_once or time.monotonic() >= until:
                self._later.remove(due)
                end()

    # -- recovery ---------------------------------------------------------------------------

    def _touched(self, redis: Redis, *, everything: bool) -> set[str]:
        """Tasks in somebody's hands; with `everything` all that Redis was to remember."""
        if everything:
            rows = self._spool.db.execute("SELECT id FROM tasks WHERE state='queued'")
            return {row["id"] for row in rows}
        found = redis.keys(keys.inflight("*"))
        return {raw.decode() for key in found for raw in redis.hkeys(key)}

    def _look(self) -> None:
        """Take leave of the faults whose tasks are all cared for."""
        if not self._pending:
            return
        redis = self._crew.redis()
        if redis is None:
            return
        try:
            safe = self._safe(redis)
        except RedisError:
            return
        for fault in list(self._pending):
            struck, touched = fault
            touched -= safe
            touched -= self._closed(touched)
            if not touched:
                self._pending.remove(fault)
                self.seen.recoveries.append(time.monotonic() - struck)

    def _safe(self, redis: Redis) -> set[str]:
        """Tasks that wait in the queue, are held by a living worker, or have a result."""
        safe = {raw.decode() for raw in redis.lrange(f"rq:queue:{keys.QUEUE}", 0, -1)}
        safe |= {raw.decode() for raw in redis.hkeys(keys.result(ARCHIVE))}
        for name in self._crew.worker_pids():
            safe |= {raw.decode() for raw in redis.hkeys(keys.inflight(name))}
        return safe

    def _closed(self, ids: set[str]) -> set[str]:
        """Those that are closed in the spool, or wait there to be queued."""
        found: set[str] = set()
        ordered = sorted(ids)
        for start in range(0, len(ordered), 500):
            part = ordered[start : start + 500]
            marks = ",".join("?" * len(part))
            rows: list[sqlite3.Row] = self._spool.db.execute(
                f"SELECT id FROM tasks WHERE state<>'queued' AND id IN ({marks})", part
            ).fetchall()
            found |= {row["id"] for row in rows}
        return found


def _continue(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
