"""The legend of every Redis key we use. Redis only buffers: all of it can be rebuilt.

rq:*                        RQ's own. One queue, `generate`; one job is one task, job id = task id.
kk:<archive>:task:<id>      string, the task's input as JSON (exchange.records.Task).
kk:<archive>:result         hash, task id -> JSON (exchange.records.Result), until collected.
kk:<archive>:recipe         string, JSON: the recipe id and what it was made of.
kk:archives                 set of the archives that ever had a recipe here.
kk:spools                   hash, archive -> the identity of the spool that it is of.
kk:inflight:<worker>        hash, task id -> `batch`, or `alone` while it is the only one running.
kk:popped                   hash, job id -> since when it was seen popped but not leased.
kk:suspect                  hash, task id -> how many leases expired while it was in flight.
kk:strike                   hash, task id -> deaths while it ran alone.
kk:hb:<worker>              hash, the worker's heartbeat: width, tokens a second, ...; expires.
kk:seen                     sorted set, worker -> when it last beat; one that ended in order is out.
kk:stat:<name>              string, counters for people: tokens, gone, deadline, refused.
kk:control                  string, `pause` or `stop`; absent means run.
"""

from __future__ import annotations

import math

from exchange.records import ARCHIVE_PATTERN, TASK_PATTERN

QUEUE = "generate"
WAITING = f"rq:queue:{QUEUE}"  # RQ's own list of the jobs that nobody has taken
FUNCTION = "workers.job.generate"  # the one function that a job may name

SUSPECT = "kk:suspect"
STRIKE = "kk:strike"
POPPED = "kk:popped"
CONTROL = "kk:control"
PAUSE = b"pause"  # what it holds while no worker takes new work
SEEN = "kk:seen"
ARCHIVES = "kk:archives"
SPOOLS = "kk:spools"
# No archive is called so: its inputs would have names that a worker may write.
RESERVED = frozenset({"inflight", "hb", "stat"})

# What stands at the names that do not depend on a worker or an archive, to be told at the start.
_REGISTRIES = ("wip", "finished", "failed", "deferred", "scheduled", "canceled")
TYPES = {
    "list": (WAITING, f"{WAITING}:intermediate"),
    "set": ("rq:queues", "rq:workers", f"rq:workers:{QUEUE}", ARCHIVES),
    "sorted set": (*(f"rq:{name}:{QUEUE}" for name in _REGISTRIES), SEEN),
    "hash": (POPPED, SUSPECT, STRIKE),
    "string": (CONTROL,),
}


def job(job_id: bytes) -> bytes:
    """RQ's own hash of a job; its class would tell, but takes long to import."""
    return b"rq:job:" + job_id


def task(archive: str, task_id: str) -> str:
    return f"kk:{archive}:task:{task_id}"


def result(archive: str) -> str:
    return f"kk:{archive}:result"


def recipe(archive: str) -> str:
    return f"kk:{archive}:recipe"


def inflight(worker: str) -> str:
    return f"kk:inflight:{worker}"


def heartbeat(worker: str) -> str:
    return f"kk:hb:{worker}"


def stat(name: str) -> str:
    return f"kk:stat:{name}"


def is_valid_job(archive: object, task_id: object) -> bool:
    """True when both are what our feeder writes; anything else is not run."""
    return (
        isinstance(archive, str)
        and isinstance(task_id, str)
        and ARCHIVE_PATTERN.fullmatch(archive) is not None
        and TASK_PATTERN.fullmatch(task_id) is not None
    )


def number(said: bytes | str | None) -> float:
    """A number out of a field that anybody may have written; 0.0 for what is none."""
    try:
        found = float(said or 0)
    except ValueError:
        return 0.0
    return found if math.isfinite(found) else 0.0


def text(said: bytes) -> str:
    """A name or id that anybody may have written."""
    return said.decode("utf-8", "replace")
