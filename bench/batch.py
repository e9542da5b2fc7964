"""Tasks as batch files: do a million go out and come back within bounded memory, each stored once?

A spool of numbered chunks is filled, written out by `kkoracle work --batch-out`, answered by a loop
that is no model, and taken by `kkoracle work --batch-in`; then the same replies a second time. The
commands run as a person runs them, and the memory is that of all their processes together.

requests         written, each naming a task once
out_us           processor time of a request written, in microseconds
in_us            the same of a reply judged and stored
again_us         the same of a reply whose task is closed by now
out_rss_mb       the most memory while they are written
in_rss_mb        the most memory while replies are judged and stored, all processes together
stored           tasks closed
doubled          pairs there are more than tasks: 0
mb               size of all request files
"""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from pathlib import Path

import orjson

from bench import pretend, processes
from bench.demo import working_folder
from bench.faults import fixture
from bench.registry import BenchSettings, Figures
from exchange.errors import ProgramFailed
from exchange.project import Project
from exchange.store.spool import Spool

SEED = 7
NOT_FOR_JUDGING = ("*_us", "*_mb")  # what the start of a command takes weighs too much
COUNT, QUICK_COUNT = 1_000_000, 10_000
OUT, IN = "requests", "replies"


def options(parser: argparse.ArgumentParser) -> None:
    """Add the bench's own options."""
    parser.add_argument("--count", type=int, help=f"default: {COUNT:,}, quick {QUICK_COUNT:,}")
    parser.add_argument("--dir", type=Path, help="keep all files here; must be empty")


def run(args: argparse.Namespace, settings: BenchSettings) -> Figures:
    """Fill, write, answer, take, and take again."""
    count = args.count or (QUICK_COUNT if settings.quick else COUNT)
    with working_folder(args.dir) as folder:
        settings.log(f"filling {count:,} chunks")
        project = fixture.make_project(
            folder, model="pretend", engine="openai", width=16, lease_s=60, max_tokens=64
        )
        fixture.fill(project, count, SEED)
        settings.log("writing requests")
        written = _command(folder, "--batch-out", OUT)
        asked, size = _answer(folder)
        settings.log("taking replies")
        taken = _command(folder, "--batch-in", IN)
        settings.log("taking them again")
        again = _command(folder, "--batch-in", IN)
        stored, pairs = _stored(project)
    return {
        "requests": asked,
        "out_us": round(1e6 * written.cpu_s / count, 1),
        "in_us": round(1e6 * taken.cpu_s / count, 1),
        "again_us": round(1e6 * again.cpu_s / count, 1),
        "out_rss_mb": round(written.rss_mb),
        "in_rss_mb": round(taken.rss_mb),
        "stored": stored,
        "doubled": max(0, pairs - stored),
        "mb": round(size / 1e6),
    }


def _command(folder: Path, *words: str) -> processes.ResourceUsage:
    command = [sys.executable, "-m", "kkoracle", "-q", "work", *words]
    log = folder / "log.txt"
    used = processes.run(command, folder, processes.command_environment(), log)
    if used.code:
        raise ProgramFailed(f"`work {' '.join(words)}` failed: {log.read_text()[-300:]}")
    return used


def _answer(folder: Path) -> tuple[int, int]:
    """Reply to every request; returns how many tasks were named, and the bytes of the requests."""
    named: set[int] = set()
    size = 0
    (folder / IN).mkdir()
    for source in sorted((folder / OUT).glob("*.jsonl")):
        size += source.stat().st_size
        with source.open("rb") as asked, (folder / IN / source.name).open("wb") as replies:
            for line in asked:
                request = orjson.loads(line)
                named.add(int(request["custom_id"][:16], 16))
                replies.write(_reply(request))
    return len(named), size


def _reply(request: dict[str, object]) -> bytes:
    body = request["body"]
    assert isinstance(body, dict)
    number = pretend.number_of(body["messages"][-1]["content"])
    message = {"role": "assistant", "content": pretend.REPLY.format(number=number)}
    completion = {
        "model": "pretend",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20},
    }
    response = {"status_code": 200, "request_id": "", "body": completion}
    line = {"id": "", "custom_id": request["custom_id"], "response": response, "error": None}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _stored(project: Project) -> tuple[int, int]:
    with closing(Spool.read(project.archive_dir())) as spool:
        counters = spool.counters()
        pairs = spool.db.execute("SELECT COUNT(*) FROM pairs").fetchone()[0]
    return counters.get("tasks.done", 0), pairs
