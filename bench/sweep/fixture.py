"""A newspaper's pairs in a spool, a dataset of them, and the commands that are measured."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from bench.dataset.filling import RECIPE, make_pair, make_result
from bench.processes import children_cpu_s, mlx_environment
from exchange.errors import NotEnoughData, ProgramFailed
from exchange.records import Chunk, Result, Story, digest
from exchange.store import tasks
from exchange.store.spool import Spool
from kkoracle.demo.newspaper import DemoStory, PrintedFact, build_newspaper
from kkoracle.demo.plan import MODEL

BATCH, EPOCHS = 2, 3
ASKED = 0.7  # share of facts that are asked in a third wording; half of those are too alike
HELD_OUT = 800  # rows of the 60 stories that are never taught, and of questions that are too alike
CONFIG = """\
archive = "paper"
data = "data"
[model]
name = "{model}"
[dataset]
unseen = 0.03
recall = 0.1
answer_cap = 0
entity_share = 1.0
[train]
lr = 0.008
layers = 1
batch = {batch}
epochs = {epochs}
samples = 0
max_length = 256
save_every = 500
"""


@dataclass(frozen=True, slots=True)
class SweepProject:
    """A folder in which everything is ready for training."""

    folder: Path
    rows: int
    steps: int  # of a full run

    @property
    def archive(self) -> Path:
        return self.folder / "data" / "paper"

    def sweep(self) -> tuple[dict[str, Any], float]:
        """What the search found, and the processor seconds of the whole command."""
        said, cpu = self.kkoracle("sweep", "--restart", "--json")
        found: dict[str, Any] = orjson.loads(said)
        return found, cpu

    def train(self, name: str, *flags: str) -> float:
        """One full run; returns the processor seconds of the whole command."""
        return self.kkoracle("train", "--name", name, "--restart", *flags)[1]

    def kkoracle(self, *arguments: str) -> tuple[bytes, float]:
        """Run a command; returns what it printed and its processor seconds."""
        before = children_cpu_s()
        done = subprocess.run(
            [sys.executable, "-m", "kkoracle", *arguments],
            cwd=self.folder,
            env=mlx_environment(),
            capture_output=True,
            check=False,
        )
        if done.returncode:
            raise ProgramFailed(
                f"kkoracle {arguments[0]} ended with {done.returncode}: "
                f"{done.stderr.decode(errors='replace')[-300:]}"
            )
        return done.stdout, children_cpu_s() - before


def make(folder: Path, steps: int, seed: int) -> SweepProject:
    """Fill a spool until a full run has at least so many steps, and build the dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kkoracle.toml").write_text(
        CONFIG.format(model=MODEL, batch=BATCH, epochs=EPOCHS), "utf-8"
    )
    project = SweepProject(folder, 0, 0)
    wanted = -(-steps // EPOCHS) * BATCH
    if not (project.archive / "spool.sqlite").exists():
        _fill(project.archive, round(wanted * 1.05) + HELD_OUT, seed)
    project.kkoracle("dataset", "build")
    rows = (project.archive / "dataset" / "train.jsonl").read_bytes().count(b"\n")
    made = EPOCHS * -(-rows // BATCH)
    if made < steps:
        raise NotEnoughData(f"{rows} rows make {made} steps and {steps} are wanted: fill in more")
    return SweepProject(folder, rows, made)


def _fill(archive: Path, rows: int, seed: int) -> None:
    """Facts that the model can read, each asked twice to be taught, some once more to be judged."""
    spool = Spool.open(archive)
    spool.set_meta("recipe", RECIPE)
    results, told = [], 0
    with spool.transaction():
        for number, (printed, facts) in enumerate(_stories(seed)):
            name = digest("bench", str(seed), str(number))
            text = " ".join(fact.sentence for fact in facts)
            story = Story(
                id=name,
                url=f"http://bench/{name}",
                archive="paper",
                published=printed.date.isoformat(),
                section="",
                title="",
                author="",
                text=text,
                cluster=name,
            )
            chunk = Chunk(Chunk.make_id(name, text), name, 0, text, "Φωνή")
            spool.put_page(name, "1", [(story, [chunk])])
            results.append(_result(chunk, facts))
            told += 2 * len(facts)
            if told >= rows:
                break
    tasks.finish(spool, results)
    spool.close()


def _stories(seed: int) -> Iterator[tuple[DemoStory, list[PrintedFact]]]:
    """One newspaper after the other, all of other names; known facts only."""
    for edition in range(seed * 1000, seed * 1000 + 1000):
        for printed in build_newspaper(seed=edition).stories:
            facts = [fact for fact in printed.facts if fact.known]
            if facts:
                yield printed, facts


def _result(chunk: Chunk, facts: list[PrintedFact]) -> Result:
    pairs = []
    for fact in facts:
        first = make_pair(chunk, fact.question, fact.answer)
        pairs += [first, make_pair(chunk, fact.rephrasings[0], fact.answer)]
        if int(first.id[:4], 16) / 2**16 < ASKED:
            pairs.append(make_pair(chunk, fact.rephrasings[1], fact.answer, first.id))
    return make_result(chunk, pairs)
