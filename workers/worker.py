"""The generation worker: many jobs in flight through one continuous batch.

It is a real RQ worker (the dashboard shows it and each of its jobs), but where RQ runs one job
and waits, this one keeps `width` requests decoding and a few more waiting, refills without
blocking, acknowledges each job as its result is stored, and renews every lease.

Delivery: the result is stored in Redis, then the job is acknowledged. Killed in between, the
job comes back, finds its result and is only acknowledged; so a task is generated at least once,
and stored once. A poison task cannot be told from its neighbours at first: see `poison`.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import redis.exceptions
from rq import SimpleWorker
from rq.job import Job
from rq.worker.base import WorkerStatus

from exchange import keys
from exchange.engine import Engine, Finished
from exchange.house import Recipe
from exchange.records import RecordError, Result, Task
from workers import inflight, poison
from workers.desk import Desk
from workers.inflight import InFlight
from workers.job import REFUSED, TaskJob
from workers.pulse import Pulse
from workers.upkeep import TaskQueue, open_queue

log = logging.getLogger(__name__)

AHEAD = 8  # jobs leased beyond the width, so that a free row never waits for Redis
POLL_S = 0.25  # pause when there is nothing to do at all
REPORT_S = 2.0  # between two heartbeats for people


class WrongRecipe(Exception):
    """The queue holds a task of another recipe than this worker's."""


class GenerationWorker(SimpleWorker):
    """Holds one engine; see the module's docstring for what it promises."""

    log_job_description = False
    log_result_lifespan = False

    def __init__(
        self,
        connection: Any,
        engine: Engine,
        recipe: Recipe,
        desk: Desk,
        *,
        name: str,
        width: int,
        lease_s: int = 60,
        grace_s: float = 30.0,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        self.lease_s = lease_s
        queue = open_queue(connection, lease_s)
        super().__init__(
            [queue],
            name=name,
            connection=connection,
            queue_class=TaskQueue,
            job_class=TaskJob,
            serializer=queue.serializer,
            worker_ttl=lease_s,
            maintenance_interval=max(1, lease_s // 2),
            exception_handlers=[poison.note_expired],
            disable_default_exception_handler=True,
        )
        self.engine = engine
        self.recipe = recipe
        self.desk = desk
        self.width = width
        self.grace_s = grace_s
        self._wanted = wanted
        self.done = 0
        self._held: dict[int, InFlight] = {}  # by the engine's ticket
        self._suspects: list[tuple[InFlight, Task]] = []  # leased, waiting to run alone
        self._stop_at: float | None = None
        self._next_renewal = 0.0
        self._next_report = 0.0
        self._pulse = Pulse(connection, name, width, lease_s, recipe)

    # -- what RQ would do otherwise ---------------------------------------------------------

    def get_heartbeat_ttl(self, job: Job) -> int:
        """A job's lease, whatever time limit it names."""
        return self.lease_s

    def subscribe(self) -> None:
        """No command channel: pause and stop are keys of ours, and signals."""

    def unsubscribe(self) -> None:
        """See `subscribe`."""

    def procline(self, message: str) -> None:
        """The process keeps its name: it would change with every job."""

    def request_stop(self, signum: int, frame: Any) -> None:
        """First signal: no new jobs, and time for those in flight. Second: at the next token."""
        first = self._stop_at is None
        self._stop_at = time.monotonic() + (self.grace_s if first else 0.0)

    # -- the loop -----------------------------------------------------------------------------

    def run(self, *, burst: bool = False) -> bool:
        """Work until stopped; with `burst` until the queue is empty.

        Returns:
            True when the work ran out or the daemon said stop, False when a signal ended it.

        Raises:
            WrongRecipe: the queue wants another model or prompt; everything was given back.
        """
        self.register_birth()
        self.set_state(WorkerStatus.IDLE)
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, self.request_stop)
        try:
            return self._loop(burst)
        finally:
            self._patiently(lambda: inflight.give_back(self, self._all_held()))
            self.engine.close()
            self.register_death()
            self._pulse.end()

    def _loop(self, burst: bool) -> bool:
        while True:
            self._patiently(self._housekeeping)
            if self._stop_at is not None:
                if not self._held or time.monotonic() >= self._stop_at:
                    return False
            else:
                command = self._patiently(lambda: self.connection.get(keys.CONTROL))
                if command == b"stop":
                    return True
                popped = 0 if command == b"pause" else self._patiently(self._refill)
                if not self._held and not popped:
                    if burst and self._is_drained():
                        return True
                    time.sleep(POLL_S)
                    continue
            for finished in self.engine.step():
                self._patiently(partial(self._finish, finished))

    def _housekeeping(self) -> None:
        moment = time.monotonic()
        if moment >= self._next_renewal:
            inflight.renew(self, self._all_held(), self.lease_s)
            self._next_renewal = moment + self.lease_s / 4
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()
        if moment >= self._next_report:
            if self._stop_at is None and not self._wanted():
                log.warning("the supervisor is gone: finishing what is in flight, then ending")
                self._stop_at = moment + self.grace_s
            self.set_state(WorkerStatus.BUSY if self._held else WorkerStatus.IDLE)
            self._pulse.beat(len(self._held), self.done)
            self._next_report = moment + REPORT_S

    def _refill(self) -> int:
        """Take jobs until the batch and a few ahead are full; returns how many were popped."""
        popped = 0
        if any(held.alone for held in self._held.values()):
            return 0
        while len(self._held) < self.width + AHEAD and not self._suspects:
            job = inflight.pop(self)
            if job is None:
                break
            popped += 1
            self._admit(job)
        if self._suspects and not self._held:
            held, task = self._suspects.pop(0)
            inflight.mark_alone(self, held)
            self._submit(held, task)
        return popped

    def _admit(self, job: TaskJob) -> None:
        """Decide what to do with a popped job: refuse, drop, acknowledge, run now, or run alone."""
        if job.refused:
            inflight.refuse(self, job, REFUSED)
            return
        if any(one.task_id == job.id for one in self._all_held()):
            # Our own lease had expired while we were frozen; the first run still counts.
            self.connection.lrem(self.queues[0].intermediate_queue_key, 1, job.id)
            return
        held = inflight.take(self, job)
        raw = self.connection.get(keys.task(held.archive, held.task_id))
        if self.connection.hexists(keys.result(held.archive), held.task_id):
            inflight.acknowledge(self, held, {"already": 1})
        elif raw is None:
            self.connection.incr(keys.stat("gone"))
            inflight.acknowledge(self, held, {"gone": 1})
        elif poison.is_poison(self.connection, held.task_id):
            self._fail(held, poison.REASON)
        else:
            self._start(held, raw)

    def _start(self, held: InFlight, raw: bytes) -> None:
        try:
            task = Task.from_json(raw)
        except RecordError:
            self._fail(held, "bad-input")
            return
        if task.recipe != self.recipe.id:
            self._suspects.append((held, task))  # so that it is given back with the others
            raise WrongRecipe(task.recipe)
        if poison.is_suspect(self.connection, held.task_id):
            self._suspects.append((held, task))
        else:
            self._submit(held, task)

    def _submit(self, held: InFlight, task: Task) -> None:
        try:
            ticket = self.desk.submit(self.engine, task)
        except ValueError:
            self._fail(held, "too-long")
            return
        self._held[ticket] = held

    def _finish(self, finished: Finished) -> None:
        """Store the result, then acknowledge; safe to be called again after a failure half-way."""
        held = self._held.get(finished.ticket)
        if held is None:
            return
        if self._stop_at is None and self.desk.wants_retry(finished):
            again = self.desk.retry(self.engine, finished)
            self._held[again] = self._held.pop(finished.ticket)
            return
        result, numbers = self.desk.result(finished)
        self.connection.hset(keys.result(held.archive), held.task_id, result.to_json())
        if result.completion is None:
            inflight.fail(self, held, result.failed)
        else:
            inflight.acknowledge(self, held, numbers)
        self.done += 1
        self._pulse.count(finished.tokens_out)
        self.desk.forget(finished.ticket)
        del self._held[finished.ticket]

    def _fail(self, held: InFlight, reason: str) -> None:
        result = Result(held.task_id, held.archive, failed=reason)
        self.connection.hset(keys.result(held.archive), held.task_id, result.to_json())
        inflight.fail(self, held, reason)

    # -- small things -----------------------------------------------------------------------

    def _all_held(self) -> list[InFlight]:
        return [*self._held.values(), *(held for held, _ in self._suspects)]

    def _is_drained(self) -> bool:
        queue = self.queues[0]
        waiting = queue.count + len(queue.intermediate_queue.get_job_ids())
        return not waiting and not self.connection.zcard(queue.started_job_registry.key)

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Call again until Redis has room; the client itself waits out a Redis that is away."""
        while True:
            try:
                return call()
            except redis.exceptions.OutOfMemoryError:
                log.warning("Redis is full: the result in hand waits until there is room")
                time.sleep(1.0)
