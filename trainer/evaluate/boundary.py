"""Where the tuned model's knowledge ends, as rows of the next dataset: it learns to say so there.

The tuned model is asked what it was taught, greedily and then some times more by chance, and what
nobody can know: taught questions with a coined name in them. A taught question that it never gets
right, and a coined one that it answers, becomes a row whose answer is that it does not know (after
R-Tuning, Zhang et al. 2024, arXiv 2311.09677). Questions of the test splits are not looked at, and
the coined names of an evaluation are others, so nothing of a test is taught.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from exchange.errors import Stopped
from exchange.files import write_atomic
from exchange.inference.engine import GREEDY, TUNED, SamplingParams, drain
from exchange.project import DEFAULT_RUN, Project
from exchange.records import digest
from exchange.store.joined_corpus import has_corpus, open_corpus
from exchange.text.stems import stem
from trainer.abstention import refusal_text
from trainer.console import ProgressCallback
from trainer.dataset import DatasetRow, read_split
from trainer.dataset.build import FOLDER as DATASET
from trainer.dataset.mix import BOUNDARY
from trainer.evaluate.items.distractors import with_coined_name
from trainer.evaluate.metrics import MetricInput, is_right
from trainer.evaluate.metrics.wording import declines
from trainer.evaluate.rag import open_archive
from trainer.evaluate.records import EvalAnswer, EvalItem
from trainer.evaluate.systems.local import LocalWeights
from trainer.training.runs import CheckpointName
from trainer.tuned_model import find_tuned_model

TEMPERATURE = 0.7  # of the answers by chance: what is half known comes out now and then
MAX_TOKENS = 128
WIDTH = 16
KIND = "refusal"


@dataclass(frozen=True, slots=True)
class BoundaryCounts:
    """What was asked, and what became rows."""

    taught: int
    never_right: int  # of these
    coined: int
    answered: int  # of these, where no answer can be right
    path: Path


def find_boundary(
    project: Project,
    archive: str | None = None,
    *,
    run: str = DEFAULT_RUN,
    checkpoint: CheckpointName = "last",
    count: int = 500,
    samples: int = 4,
    callback: ProgressCallback | None = None,
    confirm: Callable[[str], bool] = lambda text: False,
    stop: Callable[[], bool] = lambda: False,
) -> BoundaryCounts:
    """Ask a run's model, and write `boundary.jsonl` beside the dataset, for its next build.

    Evaluates MLX: a process that called this must not fork.

    Args:
        count: taught questions that are asked, and coined ones; 0: all.
        samples: answers by chance to what the greedy one got wrong.

    Raises:
        UserError: no run, no dataset, the GPU in use, stopped (nothing is written then).
    """
    callback = callback or ProgressCallback()
    archive_dir = project.archive_dir(archive)
    language = project.language(archive)
    tuned = find_tuned_model(project, archive, run, checkpoint, confirm=confirm)
    facts = [row for row in read_split(archive_dir / DATASET, "train") if row.is_fact]
    facts = facts[: count or None]  # ids are hashes, so these come from all over the archive
    unknown = _coined(facts, archive_dir, callback)
    with LocalWeights(tuned.base, tuned.adapter, project.data, WIDTH, callback.log) as weights:
        wrong = _never_right(weights, facts, language, samples, callback, stop)
        texts = _answers(weights, unknown, GREEDY, callback, stop)
    invented = [row for row, text in zip(unknown, texts, strict=True) if not declines(text)]
    refusal = refusal_text(language)
    rows = [replace(row, answer=refusal, kind=KIND) for row in (*wrong, *invented)]
    path = archive_dir / BOUNDARY
    write_atomic(path, b"".join(row.to_line() for row in rows))
    return BoundaryCounts(len(facts), len(wrong), len(unknown), len(invented), path)


def _coined(
    facts: Sequence[DatasetRow], archive_dir: Path, callback: ProgressCallback
) -> list[DatasetRow]:
    """The facts' questions about somebody who is in no chunk; none where there is no archive."""
    if not has_corpus(archive_dir):
        return []
    with open_corpus(archive_dir) as corpus:
        search = open_archive(corpus, archive_dir, callback.on_progress)
    try:
        found = []
        for row in facts:
            name = digest("boundary", row.id)
            question = with_coined_name(
                row.question, lambda word: bool(search.documents(stem(word))), name
            )
            if question:
                found.append(replace(row, id=name, question=question, rephrase_of=""))
        return found
    finally:
        search.close()


def _never_right(
    weights: LocalWeights,
    facts: Sequence[DatasetRow],
    language: str,
    samples: int,
    callback: ProgressCallback,
    stop: Callable[[], bool],
) -> list[DatasetRow]:
    left = list(facts)
    for number in range(1 + samples):
        sampling = SamplingParams(TEMPERATURE) if number else GREEDY
        texts = _answers(weights, left, sampling, callback, stop, seed=number)
        left = [
            row for row, text in zip(left, texts, strict=True) if not _right(row, text, language)
        ]
    return left


def _right(row: DatasetRow, text: str, language: str) -> bool:
    item = EvalItem(row.id, "train", row.question, row.answer, row.cluster, language=language)
    return is_right(MetricInput(item, EvalAnswer(row.id, text, 0, 0, 0.0, "stop"))) == 1


def _answers(
    weights: LocalWeights,
    rows: Sequence[DatasetRow],
    sampling: SamplingParams,
    callback: ProgressCallback,
    stop: Callable[[], bool],
    seed: int = 0,
) -> list[str]:
    """The tuned model's answers, in order."""
    engine = weights.engine()
    texts: dict[int, str] = {}
    tickets = {
        engine.submit(row.asked(), MAX_TOKENS, seed, sampling=sampling, model=TUNED): number
        for number, row in enumerate(rows)
    }

    def on_output(number: int, text: str) -> None:
        texts[number] = text
        callback.on_progress("answers", len(texts), len(rows))

    drain(engine, tickets, lambda number, output: on_output(number, output.text), stop)
    if len(texts) < len(rows):
        raise Stopped("stopped; nothing was written: run the same command again")
    return [texts[number] for number in range(len(rows))]
