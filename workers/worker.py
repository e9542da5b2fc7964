"""The generation worker: many jobs in flight through one continuous batch.

It is a real RQ worker (the dashboard shows it and each of its jobs), but where RQ runs one job
and waits, this one keeps `width` requests decoding and a few more waiting, refills without
blocking, acknowledges each job as its result is stored, and renews every lease.

Delivery: the result is stored in Redis, then the job is acknowledged. Killed in between, the
job comes back, finds its result and is only acknowledged; so a task is generated at least once,
and stored once. A poison task cannot be told from its neighbours at first: see `maintenance`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from rq.worker.base import WorkerStatus

from exchange import signals
from exchange.inference.engine import Engine, RequestOutput
from exchange.queue import keys
from exchange.queue.redis_clock import skew_text
from exchange.recipes.recipe import Recipe
from exchange.records import TOO_LONG, Task
from workers.queue.heartbeat import HeartbeatReporter
from workers.queue.jobs import JobIntake, ResultWriter, retry_while_full
from workers.queue.leased_queue import LeasedJob, LeasedQueue
from workers.queue.maintenance import LeasingWorker, execute, open_queue
from workers.request_builder import RequestBuilder

log = logging.getLogger(__name__)

AHEAD = 8  # jobs leased beyond the width, so that a free row never waits for Redis
REFILL = AHEAD // 2  # free places before Redis is asked again: one round trip for several jobs
POLL_S = 0.25  # between two looks into an empty queue
COMMAND_S = 1.0  # between two looks for `pause` or `stop`
REPORT_S = 2.0  # between two heartbeats for people


class GenerationWorker(LeasingWorker):
    """Holds one engine; see the module's docstring for what it promises."""

    def __init__(
        self,
        connection: Any,
        engine: Engine,
        recipe: Recipe,
        request_builder: RequestBuilder,
        *,
        name: str,
        width: int,
        lease_s: int = 60,
        grace_s: float = 30.0,
        has_parent: Callable[[], bool] = lambda: True,
        is_quiet: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make it ready to run.

        Args:
            lease_s: seconds after which others may take over what a silent worker holds.
            grace_s: seconds to finish what is in flight after the first signal.
            has_parent: asked every few seconds; false ends the worker as a signal does.
            is_quiet: asked between two steps; while true no new jobs are taken.
        """
        queue = open_queue(connection, lease_s)
        super().__init__(connection, queue, name, lease_s)
        self.engine = engine
        self.request_builder = request_builder
        self.width = width
        self.grace_s = grace_s
        self._has_parent = has_parent
        self._is_quiet = is_quiet
        self.done = 0
        self.clock = queue.clock
        self.reporter = HeartbeatReporter(connection, self.clock, name, width, lease_s, recipe)
        self._queue = LeasedQueue(connection, queue, name, lease_s)
        self._results = ResultWriter(self._queue, self.reporter.count)
        self._intake = JobIntake(self._queue, self._results, request_builder.fits)
        self._decoding: dict[int, LeasedJob] = {}  # in the engine, by its ticket
        self._stop_at: float | None = None
        self._command: bytes | None = None
        self._shown_state = WorkerStatus.IDLE  # on the dashboard
        self._renewed_at = self._settled_at = float("-inf")
        self._told_skew = 0.0
        self._next_renewal = self._next_report = self._next_command = self._next_pop = 0.0

    def request_stop(self, signum: int = 0, frame: Any = None) -> None:
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
        self._show_state(again=True)
        with signals.stop_on_signal(self.request_stop, self.request_stop):
            try:
                return self._loop(burst)
            finally:
                retry_while_full(lambda: self._queue.give_back(self._all_leased()))
                self.engine.close()
                self.register_death()
                self.reporter.end()

    def _loop(self, burst: bool) -> bool:
        while True:
            retry_while_full(self._housekeeping)
            if self._stop_at is not None:
                if not self._decoding or time.monotonic() >= self._stop_at:
                    return False
            elif self._command == b"stop":
                return True
            else:
                popped = retry_while_full(self._refill)
                retry_while_full(self._show_state)
                if not self._decoding and not popped:
                    if burst and retry_while_full(self._queue.is_drained):
                        return True
                    time.sleep(POLL_S)
                    continue
            finished = self.engine.step()
            if finished:
                self._collect(finished)
                retry_while_full(self._results.flush)

    def _housekeeping(self) -> None:
        if time.monotonic() >= self._next_renewal:
            self._renew()
        moment = time.monotonic()
        if moment >= self._next_command:
            self._command = self.connection.get(keys.CONTROL)
            self._next_command = moment + COMMAND_S
        if moment >= self._next_report:
            if self._stop_at is None and not self._has_parent():
                log.warning("the supervisor is gone: finishing what is in flight, then ending")
                self._stop_at = moment + self.grace_s
            self._show_state(again=True)  # a flushed Redis has forgotten it
            self.reporter.beat(len(self._decoding), self.done, self._activity())
            self._next_report = moment + REPORT_S

    def _renew(self) -> None:
        """Extend our registration and all leases in one round trip, then look after the others."""
        jump = self.clock.look()
        with self.connection.pipeline() as pipe:
            self.renew_registration(pipe)
            self._queue.renew(pipe, self._all_leased())
            execute(pipe)
        moment = time.monotonic()
        # After a pause (Redis was away, or we were frozen or not born) the others may be as late
        # as we are, and after a jump of Redis's clock all leases end at the wrong time: the others
        # get the time to renew before anybody takes their jobs away.
        late = moment - self._renewed_at > self.lease_s / 2
        self._renewed_at, self._next_renewal = moment, moment + self.lease_s / 4
        if abs(jump) > self.lease_s / 4:
            log.warning("Redis's clock has jumped, or we slept: the leases are set anew")
            self._settled_at = moment + self.lease_s / 2
        self._warn_of_skew()
        if self.should_run_maintenance_tasks and not late and moment >= self._settled_at:
            self.run_maintenance_tasks()

    def _warn_of_skew(self) -> None:
        """Once for every time that this machine's clock moves away from Redis's."""
        skew = self.clock.skew()
        if abs(skew) <= self.lease_s:
            self._told_skew = 0.0
        elif abs(skew - self._told_skew) > self.lease_s:
            self._told_skew = skew
            log.warning(
                "this machine's clock is %s; leases go by Redis's, so nothing is lost, but times "
                "in logs are wrong: set the clocks (NTP)",
                skew_text(skew),
            )

    def _activity(self) -> str:
        if self._stop_at is not None:
            return "stopping"
        if self._command == keys.PAUSE:
            return "paused"
        return "quiet" if self._is_quiet() else "working"

    # -- jobs in, results out -----------------------------------------------------------------

    def _refill(self) -> int:
        """Take jobs until the batch and a few ahead are full; returns how many the queue gave."""
        if any(job.alone for job in self._decoding.values()):
            return 0
        popped = self._lease() if not self._intake.has_suspects else 0
        for job, task in self._intake.admit():
            self._submit(job, task)
        if not self._decoding and (suspect := self._intake.next_suspect()):
            self._submit(*suspect)
        self._results.flush()
        return popped

    def _lease(self) -> int:
        room = self.width + AHEAD - len(self._decoding) - len(self._intake.held())
        moment = time.monotonic()
        if room < REFILL or moment < self._next_pop or self._activity() != "working":
            return 0
        popped = self._intake.lease(room, {job.task_id for job in self._all_leased()})
        if popped < room:
            self._next_pop = moment + POLL_S
        return popped

    def _submit(self, job: LeasedJob, task: Task) -> None:
        try:
            self._decoding[self.request_builder.submit(self.engine, task)] = job
        except ValueError:
            self._results.fail(job, TOO_LONG)

    def _collect(self, finished: list[RequestOutput]) -> None:
        """Hand on what the engine has finished, or ask once more."""
        for output in finished:
            job = self._decoding.pop(output.ticket, None)
            if job is None:
                continue
            reply, tickets = self.request_builder.advance(
                self.engine, output, may_retry=self._stop_at is None
            )
            self._decoding.update(dict.fromkeys(tickets, job))
            if reply is not None:
                self._store(job, reply)

    def _store(self, job: LeasedJob, reply: RequestOutput) -> None:
        self._results.add(job, *self.request_builder.result(reply), reply.tokens_out)
        self.request_builder.forget(reply.ticket)
        self.done += 1

    def _all_leased(self) -> list[LeasedJob]:
        # A reply that is read back has several rows.
        decoding = {job.task_id: job for job in self._decoding.values()}
        return [*decoding.values(), *self._intake.held(), *self._results.held()]

    def _show_state(self, *, again: bool = False) -> None:
        state = WorkerStatus.BUSY if self._decoding else WorkerStatus.IDLE
        if again or state != self._shown_state:
            self.set_state(state)
            self._shown_state = state
