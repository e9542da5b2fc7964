"""A spool as the daemon leaves it, filled in bulk with the sample newspaper's facts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

from exchange.records import Chunk, Pair, Result, Story, Task, digest
from exchange.store import tasks
from exchange.store.spool import Spool
from kkoracle.demo.newspaper import DemoStory, PrintedFact, build_newspaper
from tools.completions import made_up_completion

RECIPE = "benchs"
PAIRS = 3  # a story
BATCH = 500  # stories in one transaction
TWINS = 0.1  # share of stories that are a near-duplicate of the one before
REPHRASED = 0.05  # share of pairs that are asked in other words too
LATER = "2025-01"  # the month that is added


def fill(archive: Path, count: int, seed: int) -> dict[str, str]:
    """Fill a new spool; returns story id -> planted cluster."""
    truth: dict[str, str] = {}
    draw = random.Random(seed)
    spool = Spool.open(archive)
    spool.set_meta("recipe", RECIPE)
    batch: list[tuple[Story, Sequence[PrintedFact]]] = []
    last = ""
    for number, (printed, facts) in enumerate(_stories(seed, 0, count)):
        name = digest("bench", str(seed), str(number))
        cluster = last if last and draw.random() < TWINS else name
        truth[name], last = cluster, cluster
        batch.append((_story(name, cluster, printed.date.isoformat(), facts), facts))
        if len(batch) == BATCH or number == count - 1:
            _put(spool, batch, draw)
            batch = []
    spool.close()
    return truth


def add(archive: Path, before: int, count: int, seed: int) -> dict[str, str]:
    """A tenth more: half in a later month, some of the rest tying two older clusters together.

    A tie gives every story of both clusters one new cluster id, as the crawler does. The returned
    clusters are those that were planted first; a tying story has one of its own.
    """
    truth: dict[str, str] = {}
    draw = random.Random(seed + 1)
    spool = Spool.open(archive)
    batch: list[tuple[Story, Sequence[PrintedFact]]] = []
    for number, (printed, facts) in enumerate(_stories(seed, before, count)):
        name = digest("bench", str(seed), "more", str(number))
        truth[name] = cluster = name
        date = printed.date.isoformat()
        if number % 2:
            date = f"{LATER}-{1 + number % 28:02d}"
        elif number % 10 == 0:
            tied = [digest("bench", str(seed), str(draw.randrange(before))) for _ in range(2)]
            cluster = f"tie {number}"
            with spool.transaction():
                spool.db.execute(
                    "UPDATE stories SET cluster=? WHERE cluster IN "
                    "(SELECT cluster FROM stories WHERE id IN (?, ?))",
                    (cluster, *tied),
                )
        batch.append((_story(name, cluster, date, facts), facts))
        if len(batch) == BATCH or number == count - 1:
            _put(spool, batch, draw)
            batch = []
    spool.close()
    return truth


def _stories(seed: int, skip: int, count: int) -> Iterator[tuple[DemoStory, Sequence[PrintedFact]]]:
    """Stories with three facts each; one newspaper after the other, all of other names."""
    number, edition = 0, seed * 1000
    while number < skip + count:
        edition += 1
        for printed in build_newspaper(seed=edition).stories:
            if len(printed.facts) < PAIRS:
                continue
            if skip <= number < skip + count:
                yield printed, printed.facts[:PAIRS]
            number += 1


def _story(name: str, cluster: str, date: str, facts: Sequence[PrintedFact]) -> Story:
    text = " ".join(fact.sentence for fact in facts)
    return Story(
        id=name,
        url=f"http://bench/{name}",
        archive="paper",
        published=date,
        section="Ειδήσεις",
        title="Τίτλος",
        author="",
        text=text,
        cluster=cluster,
    )


def _put(
    spool: Spool, batch: Sequence[tuple[Story, Sequence[PrintedFact]]], draw: random.Random
) -> None:
    results = []
    with spool.transaction():
        for story, facts in batch:
            chunk = Chunk(Chunk.make_id(story.id, story.text), story.id, 0, story.text, "Φωνή")
            spool.put_page(story.id, "1", [(story, [chunk])])
            results.append(_result(chunk, facts, draw))
    tasks.finish(spool, results)


def _result(chunk: Chunk, facts: Sequence[PrintedFact], draw: random.Random) -> Result:
    pairs = []
    for fact in facts:
        pair = make_pair(chunk, fact.question, fact.answer)
        pairs.append(pair)
        if draw.random() < REPHRASED:
            pairs.append(make_pair(chunk, fact.rephrasings[0], fact.answer, pair.id))
    return make_result(chunk, pairs)


def make_result(chunk: Chunk, pairs: Sequence[Pair]) -> Result:
    """The result of a chunk's task, with a completion that nobody reads."""
    completion = made_up_completion(_task_id(chunk), "raw")
    return Result(completion.task_id, "paper", "", completion, tuple(pairs))


def make_pair(chunk: Chunk, question: str, answer: str, rephrase_of: str = "") -> Pair:
    """An accepted pair about a chunk."""
    task = _task_id(chunk)
    return Pair(
        id=Pair.make_id(task, question, answer),
        task_id=task,
        chunk_ids=(chunk.id,),
        question=question,
        answer=answer,
        kind="fact",
        status="accepted",
        rephrase_of=rephrase_of,
    )


def _task_id(chunk: Chunk) -> str:
    return Task.make_id("chunk", (chunk.id,), RECIPE)
