"""What one look has found. Times are seconds, ago or left; shares are of 1."""

from __future__ import annotations

from dataclasses import dataclass, field

from exchange.display import DAY_S
from exchange.errors import FAILED, OK, STOPPED
from exchange.store.spool import open_tasks
from kkoracle.status.eta import EtaRange


@dataclass(frozen=True, slots=True)
class StageProgress:
    """One stage of the way: pages, text or tasks."""

    name: str
    done: int
    total: int  # what is known of by now
    hour: float = 0.0  # done an hour, over the last quarter of one
    day: float = 0.0  # done an hour, over the last day
    idle_s: float | None = None  # since something was last done; None: never, or unknown
    left: EtaRange | None = None  # None: unknown
    note: str = ""  # why it is unknown
    seen_s: float = DAY_S  # what `day` covers: a day, or the history that is shorter

    @property
    def open(self) -> int:
        return self.total - self.done


@dataclass(frozen=True, slots=True)
class PairProgress:
    """What has come of the tasks."""

    accepted: int
    rejected: int
    hour: float  # accepted an hour, over the last quarter of one
    day: float  # the same over the last day
    kept: float | None  # share accepted of all
    kept_day: float | None  # of those of the last day
    reasons: dict[str, int]  # of rejections, the commonest first
    seen_s: float = DAY_S  # what the two of the last day cover: less, where the history is shorter


@dataclass(frozen=True, slots=True)
class DaemonState:
    """What the running daemon says of itself; all zero while none runs."""

    pid: int = 0
    silent_s: float = 0.0  # since it last said anything; it does every few seconds
    running_s: float = 0.0
    rate: float = 0.0  # requests a second
    allowed: float = 0.0  # the most that the site and the settings allow; 0: unknown
    pause_s: float = 0.0  # the site's, or until it can be reached
    hold: str = ""  # why nothing new is asked for
    fetching: bool = False
    next_look: float = 0.0  # seconds since the epoch; of --follow


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One living worker, as it says itself."""

    name: str
    state: str  # working, quiet, paused or stopping
    width: int
    inflight: int
    done: int
    tokens_per_s: float
    clock_ahead_s: float = 0.0  # of its machine's clock, beyond Redis's


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """Redis and who works on it."""

    redis: str  # its version, or why there is none
    up: bool = False
    waiting: int = 0
    oldest_s: float | None = None  # how long the next job has waited
    used_mb: int = 0
    limit_mb: int = 0
    paused: bool = False
    workers: tuple[WorkerStatus, ...] = ()
    lost: dict[str, float] = field(default_factory=dict)  # workers that fell silent: seconds ago
    clock_ahead_s: float = 0.0  # of this machine's clock, beyond Redis's


@dataclass(frozen=True, slots=True)
class TrainingStatus:
    """The run that wrote last. Losses are nats per answer token."""

    run: str
    step: int
    steps: int  # expected; 0: unknown
    loss: float
    valid_loss: float | None
    silent_s: float  # since it last wrote
    finished: bool
    left: EtaRange | None = None
    known: int = 0  # facts at the last end of an epoch, of a run until learned
    facts: int = 0


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The mornings of `kkoracle live`."""

    running: bool  # it holds its lock
    mornings: int
    day: str  # on which the last one began, ISO; "" before the first one
    outcome: str  # promoted, kept, rolled back, or how far it is
    reason: str
    answers: str  # the run that answers; "" before one was promoted
    new_pairs: int  # since the last one began
    least_pairs: int  # so many begin the next one; 0: no number does
    next: str  # what the next one waits for, in words


@dataclass(frozen=True, slots=True)
class MachineStatus:
    """What is left of this machine, in megabytes."""

    disk_mb: int  # what this archive takes
    free_mb: int
    least_mb: int  # below which fetching waits
    memory_mb: int  # free for a model


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that needs a person: a code for programs, a sentence that says what to do."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """One look at one archive."""

    archive: str
    daemon: bool  # a crawl daemon holds the lock
    counters: dict[str, int]  # of the spool
    pages: dict[str, int]  # counters of the crawl
    crawl: DaemonState
    stages: tuple[StageProgress, ...]
    pairs: PairProgress
    queue: QueueStatus
    machine: MachineStatus
    training: TrainingStatus | None = None
    live: LiveStatus | None = None  # None: none runs, and no morning ever began
    losses: tuple[Problem, ...] = ()  # of stories or pages in bulk
    problems: tuple[Problem, ...] = ()

    def stage(self, name: str) -> StageProgress:
        return next(stage for stage in self.stages if stage.name == name)

    @property
    def open_tasks(self) -> int:
        return open_tasks(self.counters)

    @property
    def work_left(self) -> bool:
        """Something is to be fetched, read or generated."""
        return any(stage.open for stage in self.stages)

    @property
    def exit_code(self) -> int:
        """0 fine, 1 needs attention, 3 nothing runs and work is left."""
        codes = {problem.code for problem in self.problems}
        if codes - {"stopped"}:
            return FAILED
        return STOPPED if codes else OK
