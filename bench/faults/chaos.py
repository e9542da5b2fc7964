"""Faults at random moments, and how long each leaves a task without anybody who cares for it."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field

from redis import Redis
from redis.exceptions import RedisError

from bench.faults.deployment import Deployment, wait_until_stopped
from bench.faults.fixture import ARCHIVE
from bench.registry import Log
from exchange.queue import keys
from exchange.store.spool import Spool, open_tasks

LOOK_S = 0.1
DEALT_BY = 0.8  # share of the tasks closed when the last fault is due; it may come later
GAP_S = 1.5  # faults that fall due together, as many results came in at once, come one by one
STILL_S = 15.0  # without progress for so long the next fault comes all the same
SHARES = {"worker": 12, "redis": 6, "daemon": 6, "supervisor": 6}  # of the kills
OTHERS = {"flushall": 3, "stop-worker": 1, "stop-daemon": 1}  # per 30 kills, besides them


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
        cards += drawn.sample(pool * (count // len(pool) + 1), count)
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
        self._asleep: list[tuple[float, int]] = []  # until when, process id
        self.seen = FaultReport()

    def run(self, seconds: float, log: Log) -> FaultReport:
        """Go on until the daemon says that all is done, or the time is over."""
        started = last = told = time.monotonic()
        dealt = 0
        while time.monotonic() - started < seconds:
            self._crew.mind()
            self._wake()
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
            if left and due and moment - last >= GAP_S and self._deal_one():
                dealt, last = dealt + 1, moment
            time.sleep(LOOK_S)
        self._wake(at_once=True)
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
            touched = self._touched(redis, everything=fault in ("flushall", "redis"))
            if fault == "flushall":
                redis.flushall()
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
        self._asleep.append((time.monotonic() + self._lease_s + 2, pid))

    def _wake(self, *, at_once: bool = False) -> None:
        for until, pid in list(self._asleep):
            if at_once or time.monotonic() >= until:
                self._asleep.remove((until, pid))
                try:
                    os.kill(pid, signal.SIGCONT)
                except ProcessLookupError:
                    continue

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
