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
from typing import Any

from redis.exceptions import ResponseError
from rq import SimpleWorker
from rq.job import Job
from rq.worker.base import WorkerStatus

from exchange.inference.engine import Engine, RequestOutput
from exchange.project import Recipe
from exchange.queue import keys
from exchange.records import Task
from workers.control import PAUSE
from workers.job import TaskJob
from workers.queue import leased_queue, quarantine
from workers.queue.heartbeat import HeartbeatReporter
from workers.queue.intake import JobIntake
from workers.queue.leased_queue import LeasedJob
from workers.queue.maintenance import TaskQueue, open_queue
from workers.queue.result_writer import ResultWriter, is_write_refused
from workers.request_builder import RequestBuilder

log = logging.getLogger(__name__)

AHEAD = 8  # jobs leased beyond the width, so that a free row never waits for Redis
REFILL = AHEAD // 2  # free places before Redis is asked again: one round trip for several jobs
POLL_S = 0.25  # between two looks into an empty queue
COMMAND_S = 1.0  # between two looks for `pause` or `stop`
REPORT_S = 2.0  # between two heartbeats for people
FULL_S = 1.0  # between two tries while Redis is full or cannot write its file


class GenerationWorker(SimpleWorker):
    """Holds one engine; see the module's docstring for what it promises."""

    log_job_description = False
    log_result_lifespan = False

    def __init__(
        self,
        connection: Any,
        engine: Engine,
        recipe: Recipe,
        desk: RequestBuilder,
        *,
        name: str,
        width: int,
        lease_s: int = 60,
        grace_s: float = 30.0,
        wanted: Callable[[], bool] = lambda: True,
        resting: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make it ready to run.

        Args:
            lease_s: seconds after which others may take over what a silent worker holds.
            grace_s: seconds to finish what is in flight after the first signal.
            wanted: asked every few seconds; false ends the worker as a signal does.
            resting: asked between two steps; while true no new jobs are taken.
        """
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
            exception_handlers=[quarantine.count_expired_lease],
            disable_default_exception_handler=True,
        )
        self.engine = engine
        self.recipe = recipe
        self.desk = desk
        self.width = width
        self.grace_s = grace_s
        self._wanted = wanted
        self._resting = resting
        self.done = 0
        self._outbox = ResultWriter(self)
        self._intake = JobIntake(self, self._outbox)
        self._held: dict[int, LeasedJob] = {}  # in the engine, by its ticket
        self._stop_at: float | None = None
        self._command: bytes | None = None
        self._told = WorkerStatus.IDLE  # what the dashboard shows
        self._renewed_at = float("-inf")
        self._next_renewal = self._next_report = self._next_command = self._next_pop = 0.0
        self.pulse = HeartbeatReporter(connection, name, width, lease_s, recipe)

    # -- what RQ would do otherwise ---------------------------------------------------------

    def get_heartbeat_ttl(self, job: Job) -> int:
        """A job's lease, whatever time limit it names."""
        return self.lease_s

    def _set_ip_address(self, connection: Any) -> None:
        """Nobody asks for it, and it takes the right to see every client."""
        self.ip_address = "unknown"

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
        self._tell_state(again=True)
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, self.request_stop)
        try:
            return self._loop(burst)
        finally:
            self._patiently(lambda: leased_queue.give_back(self, self._all_held()))
            self.engine.close()
            self.register_death()
            self.pulse.end()

    def _loop(self, burst: bool) -> bool:
        while True:
            self._patiently(self._housekeeping)
            if self._stop_at is not None:
                if not self._held or time.monotonic() >= self._stop_at:
                    return False
            elif self._command == b"stop":
                return True
            else:
                popped = self._patiently(self._refill)
                self._patiently(self._tell_state)
                if not self._held and not popped:
                    if burst and self._patiently(self._is_drained):
                        return True
                    time.sleep(POLL_S)
                    continue
            finished = self.engine.step()
            if finished:
                self._collect(finished)
                self._patiently(self._outbox.settle)

    def _housekeeping(self) -> None:
        if time.monotonic() >= self._next_renewal:
            self._renew()
        moment = time.monotonic()
        if moment >= self._next_command:
            self._command = self.connection.get(keys.CONTROL)
            self._next_command = moment + COMMAND_S
        if moment >= self._next_report:
            if self._stop_at is None and not self._wanted():
                log.warning("the supervisor is gone: finishing what is in flight, then ending")
                self._stop_at = moment + self.grace_s
            self._tell_state(again=True)  # a flushed Redis has forgotten it
            self.pulse.beat(len(self._held), self.done, self._mood())
            self._next_report = moment + REPORT_S

    def _renew(self) -> None:
        leased_queue.renew(self, self._all_held(), self.lease_s)
        moment = time.monotonic()
        # After a pause (Redis was away, or we were frozen or not born) the others may be as late
        # as we are: they get the time to renew before anybody takes their jobs away.
        late = moment - self._renewed_at > self.lease_s / 2
        self._renewed_at, self._next_renewal = moment, moment + self.lease_s / 4
        if self.should_run_maintenance_tasks and not late:
            self.run_maintenance_tasks()

    def _mood(self) -> str:
        if self._stop_at is not None:
            return "stopping"
        if self._command == PAUSE:
            return "paused"
        return "quiet" if self._resting() else "working"

    # -- jobs in, results out -----------------------------------------------------------------

    def _refill(self) -> int:
        """Take jobs until the batch and a few ahead are full; returns how many the queue gave."""
        if any(held.alone for held in self._held.values()):
            return 0
        given = self._lease() if not self._intake.has_suspects else 0
        for held, task in self._intake.ready():
            self._submit(held, task)
        if not self._held and (alone := self._intake.suspect()):
            self._submit(*alone)
        self._outbox.settle()
        return given

    def _lease(self) -> int:
        room = self.width + AHEAD - len(self._held) - len(self._intake.held())
        moment = time.monotonic()
        if room < REFILL or moment < self._next_pop or self._mood() != "working":
            return 0
        given = self._intake.lease(room, {one.task_id for one in self._all_held()})
        if given < room:
            self._next_pop = moment + POLL_S
        return given

    def _submit(self, held: LeasedJob, task: Task) -> None:
        try:
            self._held[self.desk.submit(self.engine, task)] = held
        except ValueError:
            self._outbox.fail(held, "too-long")

    def _collect(self, finished: list[RequestOutput]) -> None:
        """Hand what the engine has finished to the outbox, or ask once more."""
        for one in finished:
            held = self._held.pop(one.ticket, None)
            if held is None:
                continue
            if self._stop_at is None and self.desk.wants_retry(one):
                self._held[self.desk.retry(self.engine, one)] = held
                continue
            self._outbox.done(held, *self.desk.result(one), one.tokens_out)
            self.desk.forget(one.ticket)
            self.done += 1

    # -- small things -----------------------------------------------------------------------

    def _all_held(self) -> list[LeasedJob]:
        return [*self._held.values(), *self._intake.held(), *self._outbox.held()]

    def _tell_state(self, *, again: bool = False) -> None:
        state = WorkerStatus.BUSY if self._held else WorkerStatus.IDLE
        if again or state != self._told:
            self.set_state(state)
            self._told = state

    def _is_drained(self) -> bool:
        queue = self.queues[0]
        waiting = queue.count + len(queue.intermediate_queue.get_job_ids())
        return not waiting and not self.connection.zcard(queue.started_job_registry.key)

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Call again until Redis can write; the client itself waits out a Redis that is away."""
        while True:
            try:
                return call()
            except ResponseError as error:
                if not is_write_refused(error):
                    raise
                log.warning("Redis cannot take more (%s): waiting, nothing is lost", error)
                time.sleep(FULL_S)
