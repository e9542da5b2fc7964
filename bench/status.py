"""`kkoracle status` on an archive of forty days: does it answer at once, however much is stored?

A spool of a million chunks with a task each, 150,000 pairs and forty days of history, beside a
crawl of as many pages, is filled once (`--dir` keeps it). The command runs as a person runs it.

cpu_s           processor time of the command, the least of some runs
imports_s       the same of a process that only imports what the command imports
beyond_s        what the look itself takes: the first without the second
wall_s          seconds on the clock, the least of the runs
count_s         processor time of counting the same by SELECT COUNT(*): what no counter would cost
"""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import orjson

from bench.demo import working_folder
from bench.faults import fixture
from bench.processes import children_cpu_s, command_environment
from bench.registry import BenchSettings, Figures
from crawler.frontier import pages
from exchange.errors import ProgramFailed
from exchange.project import Project
from exchange.store import history
from exchange.store.db import transaction
from exchange.store.spool import Spool

SEED = 7
NOT_FOR_JUDGING = ("cpu_s", "beyond_s", "wall_s", "count_s")
CHUNKS, QUICK_CHUNKS = 1_000_000, 20_000
PAIRS_SHARE = 0.15  # of the chunks
DAYS, DAY_S = 40, 86_400
RUNS = 5
IMPORTS = (
    "import kkoracle.cli.app, kkoracle.status.read, kkoracle.status.read, kkoracle.status.console;"
    "import redis, redis.backoff, redis.retry, rich.console, rich.table, exchange.display"
)
_SERIES = "WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {})"
_RECORD = "CAST(printf('%0400d', n) AS BLOB)"  # as long as a short chunk's
ROWS = (
    f"INSERT INTO stories {_SERIES.format(':stories')} SELECT printf('%024x', n), 'page-' || n, "
    f"'1', (1996 + n % 30) || '-01-05', 'x', printf('%024x', n), {_RECORD} FROM s",
    f"INSERT INTO chunks {_SERIES.format(':chunks')} SELECT printf('c%023x', n), "
    f"printf('%024x', n / :each), n % :each, 'live', {_RECORD} FROM s",
    f"INSERT INTO tasks(id, kind, subject, recipe, year, length, state) "
    f"{_SERIES.format(':chunks')} SELECT printf('d%023x', n), 'chunk', printf('c%023x', n), "
    "'aaaaaa', 1996 + n % 30, 400, CASE WHEN n < :done THEN 'done' ELSE 'new' END FROM s",
    f"INSERT INTO pairs {_SERIES.format(':pairs')} SELECT printf('e%023x', n), "
    "printf('d%023x', n / :three), '', CASE n % 3 WHEN 2 THEN 'rejected' ELSE 'accepted' END, "
    f"CASE n % 3 WHEN 2 THEN 'ungrounded-name' ELSE '' END, {_RECORD} FROM s",
)
PAGES = (
    f"INSERT INTO pages(key, url, kind, priority, state) {_SERIES.format(':stories')} "
    "SELECT 'story/' || n, 'http://x/' || n, 'story', 1, "
    "CASE n % 3 WHEN 0 THEN 'waiting' ELSE 'done' END FROM s"
)
COUNTED = (
    "SELECT state, COUNT(*) FROM tasks GROUP BY state",
    "SELECT state, COUNT(*) FROM chunks GROUP BY state",
    "SELECT status, reason, COUNT(*) FROM pairs GROUP BY status, reason",
    "SELECT COUNT(*) FROM stories",
)


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--chunks", type=int, help=f"default: {CHUNKS:,}, quick {QUICK_CHUNKS:,}")
    parser.add_argument("--dir", type=Path, help="keep the archive here, and use it again")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Fill, look, and count."""
    count = args.chunks or (QUICK_CHUNKS if settings.quick else CHUNKS)
    with working_folder(args.dir) as folder:
        project = fixture.make_project(
            folder, model="pretend", engine="openai", width=16, lease_s=60
        )
        settings.log(f"filling {count:,} chunks")
        pairs = _fill(project, count)
        settings.log("looking")
        looks = [_taken([sys.executable, "-m", "kkoracle", "status"], folder) for _ in range(RUNS)]
        bare = [_taken([sys.executable, "-c", IMPORTS], folder)[0] for _ in range(RUNS)]
        counting = _count(project)
    cpu, imports = min(cpu for cpu, _ in looks), min(bare)
    return {
        "chunks": count,
        "pairs": pairs,
        "cpu_s": round(cpu, 3),
        "imports_s": round(imports, 3),
        "beyond_s": round(cpu - imports, 3),
        "wall_s": round(min(wall for _, wall in looks), 3),
        "count_s": round(counting, 3),
    }


def _fill(project: Project, count: int) -> int:
    """Rows as real ones, but for their texts; the counters are kept by the file's own triggers."""
    spool = Spool.open(project.archive_dir())
    if not spool.counters():
        spool.db.execute("PRAGMA synchronous=OFF")  # it can be made again
        pairs = int(PAIRS_SHARE * count)
        sizes = {
            "stories": count // fixture.CHUNKS,
            "chunks": count,
            "pairs": pairs,
            "three": 3,
            "each": fixture.CHUNKS,
            "done": pairs // 3,
        }
        with spool.transaction() as db:
            for statement in ROWS:
                db.execute(statement, sizes)
            _remember(db)
    made = sum(spool.counters().get(f"pairs.{s}", 0) for s in ("accepted", "rejected"))
    spool.close()
    _pages(project, count // fixture.CHUNKS)
    return made


def _pages(project: Project, count: int) -> None:
    db = pages.connect(project.archive_dir())
    if not pages.counters(db):
        with transaction(db):
            db.execute(PAGES, {"stories": count})
            _remember(db)
    db.close()


def _remember(db: sqlite3.Connection) -> None:
    """Forty days of samples, growing evenly to what is counted now, as thin as a daemon's."""
    counters = dict(db.execute("SELECT name, value FROM counters").fetchall())
    now = int(time.time())
    days = range(now - DAYS * DAY_S, now - 7 * DAY_S, 3600)
    week = range(now - 7 * DAY_S, now - DAY_S, 900)
    for at in (*days, *week, *range(now - DAY_S, now, history.SLOT_S)):
        share = (at - now + DAYS * DAY_S) / (DAYS * DAY_S)
        then = {name: round(share * value) for name, value in counters.items()}
        db.execute(
            "INSERT OR REPLACE INTO history VALUES (?,?,?)",
            (at // history.SLOT_S, at, orjson.dumps(then).decode()),
        )


def _taken(command: list[str], folder: Path) -> tuple[float, float]:
    """Processor and wall seconds of a command that ends with 0, 1 or 3."""
    before, started = children_cpu_s(), time.monotonic()
    ended = subprocess.run(
        command, cwd=folder, env=command_environment(), capture_output=True, check=False
    )
    wall = time.monotonic() - started
    if ended.returncode not in (0, 1, 3):
        raise ProgramFailed(f"the command failed: {ended.stderr.decode()[-300:]}")
    return children_cpu_s() - before, wall


def _count(project: Project) -> float:
    spool = Spool.read(project.archive_dir())
    before = time.process_time()
    for statement in COUNTED:
        spool.db.execute(statement).fetchall()
    spool.close()
    return time.process_time() - before
