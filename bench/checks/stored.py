"""A spool with as many pairs as asked for, filled as the collector fills one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench.checks.corpus import SampleReply, chunks
from bench.registry import Figures
from exchange.records import Chunk, Result, Story, Task, digest
from exchange.store import dedup, tasks
from exchange.store.db import connect, transaction
from exchange.store.spool import Spool
from tools.completions import made_up_completion
from workers.grading import grade

RECIPE = "abcdef"
BATCH = 256  # results that the collector takes home at once
CONFIG = 'data = "data"\narchive = "paper"\n'


def collect(folder: Path, pairs: int, seed: int) -> Figures:
    """Fill `folder`/data/paper; the seconds are those of storing results and of the index alone."""
    (folder / "kkoracle.toml").write_text(CONFIG, "utf-8")
    directory = folder / "data" / "paper"
    spool = Spool.open(directory)
    spool.set_meta("recipe", RECIPE)
    spent = 0.0
    told = enumerate(chunks(pairs, seed))
    while some := list(islice(told, BATCH)):
        results = list(_results(spool, some))
        started = time.process_time()
        tasks.finish(spool, results)
        spent += time.process_time() - started
    found = {"collect_cpu_s": round(spent, 1), **_index(folder / "index.sqlite", spool)}
    spool.close()
    return found


def _index(path: Path, spool: Spool) -> Figures:
    """All questions that the checks accept, through an index of their own."""
    asked = [
        (pair.id, pair.question)
        for status in ("accepted", "rejected")
        for pair, _ in spool.pairs(status)
        if pair.reason in ("", dedup.DUPLICATE)
    ]
    db = connect(path, dedup.QUESTIONS_TABLE, version=1)
    index = dedup.QuestionIndex(db, dict(asked).__getitem__)
    started = time.process_time()
    duplicates = 0
    for start in range(0, len(asked), BATCH):
        with transaction(db):
            duplicates += sum(bool(index.keep(*one)) for one in asked[start : start + BATCH])
    spent = time.process_time() - started
    db.close()
    return {"dedup_questions": len(asked), "dedup_cpu_s": round(spent, 1), "duplicates": duplicates}


def _results(spool: Spool, some: list[tuple[int, SampleReply]]) -> Iterator[Result]:
    with spool.transaction():
        for number, told in some:
            story_id = digest("paper", str(number))
            chunk = Chunk(Chunk.make_id(story_id, told.text), story_id, 0, told.text, told.header)
            story = Story(
                id=story_id,
                url=f"http://x/{number}",
                archive="paper",
                published=told.published,
                section="",
                title="",
                author="",
                text=told.text,
            )
            spool.put_page(f"page-{number}", "1", [(story, [chunk])])
            task_id = Task.make_id("chunk", (chunk.id,), RECIPE)
            done = made_up_completion(task_id, told.reply)
            task = Task(
                id=task_id,
                archive="paper",
                kind="chunk",
                chunk_ids=(chunk.id,),
                recipe=RECIPE,
                text=chunk.text,
                header=chunk.header,
            )
            yield Result.of(done, "paper", grade(task, told.reply, "stop").pairs)
