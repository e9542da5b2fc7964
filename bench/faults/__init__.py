"""Random kills of everything while tasks are generated: nothing lost, nothing stored twice.

Real processes throughout: the daemon (`crawl --no-fetch`), two `kkoracle work` with their
workers, one Redis of ours. The short form's engine only takes 0.1 to 0.5 s a task; `--mlx` runs
the demo's model over the sample newspaper. `--flow` measures Redis's memory and the processor time
of the way through it instead.

lost            tasks that ended neither done nor failed with a reason
duplicated      completions, pairs or counters that count a task twice
no_pair         failures because the model wrote no pair, twice; part of `failed`
unexpected      other failures of tasks that are no planted poison, ends of processes and
                tracebacks that no kill of ours explains
rerun_share     requests to the engine beyond one a task, over the tasks (rerun_limit: kills x
                width / tasks)
recovery_p95_s  from a fault until every task that it touched is closed, waits in line, or is in
                the hands of a living worker (recovery_limit_s: 2 leases + 15 s)
kills           SIGKILLs of workers, supervisors, daemon and Redis; `faults` has also FLUSHALL,
                SIGSTOP beyond the lease of one process or of all (a machine that sleeps), clocks
                that jump up to 12 hours either way, together or apart, and a network to the second
                supervisor that swallows everything beyond the lease
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from bench import pretend
from bench.demo import working_folder
from bench.faults import chaos, fixture
from bench.faults.deployment import Deployment
from bench.registry import BenchSettings, Figures
from exchange.project import Project
from exchange.records import NO_PAIR
from exchange.store.spool import Spool
from kkoracle.demo.plan import MODEL
from workers.supervisor import MODULE_VARIABLE

SEED = 7
NOT_FOR_JUDGING = ("rerun_share", "recovery_p*_s", "recovery_max_s")
WIDTH, LEASE_S = 16, 6
TASKS, KILLS, POISON = 300, 30, 1
QUICK_TASKS, QUICK_KILLS = 60, 5
LONG_TASKS, LONG_KILLS = 10_000, 500
DELAY, LONG_DELAY = "0.1-0.5", "0.4-1.4"  # seconds a task: the last fault must still find some
SECONDS, LONG_SECONDS = 240, 5400  # give up then
SUPERVISORS = 2


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--tasks", type=int, help=f"default: {TASKS}, quick {QUICK_TASKS}")
    parser.add_argument("--kills", type=int, help=f"default: {KILLS}, quick {QUICK_KILLS}")
    parser.add_argument("--seconds", type=float, help=f"give up after; default: {SECONDS}")
    parser.add_argument(
        "--long", action="store_true", help=f"{LONG_TASKS} tasks and {LONG_KILLS} kills: an hour"
    )
    parser.add_argument("--seed", type=int, default=SEED, help=f"of the faults; default: {SEED}")
    parser.add_argument("--poison", type=int, default=POISON, help=f"default: {POISON}")
    parser.add_argument("--dir", type=Path, help="work in this folder; --flow uses its spool")
    parser.add_argument("--mlx", action="store_true", help="the demo's model instead of none")
    parser.add_argument("--flow", action="store_true", help="memory and speed, no faults")
    parser.add_argument("--chunks", type=int, help="chunks in the spool of --flow")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Run the faults, or with `--flow` the measurement of the way through Redis."""
    with working_folder(args.dir) as folder:
        if args.flow:
            from bench.faults import flow

            return flow.run(folder, args, settings)
        return _faults(folder, args, settings)


def _faults(folder: Path, args: argparse.Namespace, settings: BenchSettings) -> Figures:
    usual = (QUICK_TASKS, QUICK_KILLS) if settings.quick else (TASKS, KILLS)
    tasks, kills = (LONG_TASKS, LONG_KILLS) if args.long else usual
    tasks, kills = args.tasks or tasks, args.kills or kills
    limit_s = args.seconds or (LONG_SECONDS if args.long else SECONDS)
    project, variables = _project(folder, LONG_DELAY if args.long else DELAY, mlx=args.mlx)
    poisoned = set[str]()
    if args.mlx:
        fixture.fill_from_newspaper(project, tasks, args.seed)
    else:
        poisoned = fixture.fill(project, tasks, args.seed, poison=args.poison)
    faults = chaos.fault_order(kills, random.Random(args.seed))
    settings.log(f"seed {args.seed}: {tasks} tasks, {len(faults)} faults ({kills} kills)")
    started = time.monotonic()
    with ExitStack() as stack:
        crew = stack.enter_context(Deployment(project, SUPERVISORS, variables))
        storm = chaos.FaultInjector(crew, tasks, faults, LEASE_S, args.seed)
        seen = storm.run(limit_s, settings.log)
        seconds = time.monotonic() - started
    found = _count(project, poisoned, mlx=args.mlx)
    crashes = crew.crashes()
    for crash in [*crashes, *found["wrong_failures"]]:
        settings.log(f"unexpected: {crash}")
    asked = len((folder / "requests").read_text().splitlines())
    ordered = sorted(seen.recoveries)
    return {
        "seed": args.seed,
        "tasks": tasks,
        "done": found["done"],
        "failed": found["failed"],
        "no_pair": found["no_pair"],
        "pairs": found["pairs"],
        "poison_planted": len(poisoned),
        "kills": seen.kills,
        "faults": dict(seen.faults),
        "lost": found["lost"],
        "duplicated": found["duplicated"],
        "unexpected": len(crashes) + len(found["wrong_failures"]),
        "rerun_share": round((asked - tasks) / tasks, 3),
        "rerun_limit": round(seen.kills * WIDTH / tasks, 3),
        "recovery_p50_s": round(ordered[len(ordered) // 2], 1) if ordered else None,
        "recovery_p95_s": round(ordered[int(0.95 * (len(ordered) - 1))], 1) if ordered else None,
        "recovery_max_s": round(ordered[-1], 1) if ordered else None,
        "recovery_limit_s": 2 * LEASE_S + 15,
        "width": WIDTH,
        "lease_s": LEASE_S,
        "seconds": round(seconds, 1),
    }


def _project(folder: Path, delay: str, *, mlx: bool) -> tuple[Project, dict[str, str]]:
    variables = {MODULE_VARIABLE: "bench.pretend", pretend.LOG: str(folder / "requests")}
    (folder / "requests").touch()
    make = partial(fixture.make_project, folder, width=WIDTH, lease_s=LEASE_S)
    if mlx:
        variables[pretend.MLX] = "1"
        project = make(model=str(MODEL), engine="mlx", max_tokens=160, prompt="el/chunk-demo")
    else:
        variables[pretend.DELAY] = delay
        project = make(model="pretend", engine="openai")
    return project, variables


def _count(project: Project, poisoned: set[str], *, mlx: bool) -> dict[str, Any]:
    """What the spool holds, counted row by row and held against its counters."""
    spool = Spool.read(project.archive_dir())
    counters = spool.counters()
    states = Counter(row["state"] for row in spool.db.execute("SELECT state FROM tasks"))
    pairs = Counter(row["status"] for row in spool.db.execute("SELECT status FROM pairs"))
    twice = sum(
        abs(counters.get(f"{table}.{name}", 0) - rows[name])
        for table, rows in (("tasks", states), ("pairs", pairs))
        for name in {*rows, *(c.partition(".")[2] for c in counters if c.startswith(f"{table}."))}
    )
    if not mlx:  # the pretended engine says one pair a task
        twice += abs(sum(pairs.values()) - states["done"])
    failed = spool.db.execute("SELECT id, subject, reason FROM tasks WHERE state='failed'")
    reasons = [(row["id"], row["subject"], row["reason"]) for row in failed]
    wrong = [
        f"task {name} failed: {reason}"
        for name, subject, reason in reasons
        if not (subject in poisoned and reason == "poison") and not (mlx and reason == NO_PAIR)
    ]
    spool.close()
    return {
        "done": states["done"],
        "failed": states["failed"],
        "duplicated": twice,
        "no_pair": sum(reason == NO_PAIR for *_, reason in reasons),
        "pairs": sum(pairs.values()),
        "lost": states["new"] + states["queued"],
        "wrong_failures": wrong,
    }
