"""Where the tuned model's knowledge ends, as rows of the next dataset: it learns to say so there.

The tuned model is asked what it was taught, greedily and then some times more by chance, and what
nobody can know: taught questions with a coined name in them. A taught question that it never gets
right, and a coined one that it answers, becomes a row whose answer is that it does not know (after
R-Tuning, Zhang et al. 2024, arXiv 2311.09677). Questions of the test splits are not looked at, and
the coined names of an evaluation are others, so nothing of a test is taught.

What it said greedily where it was wrong stands in the run's own folder, for recipe `preference`.
Answers are kept as they are given, so that a stop or a kill costs none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from exchange.errors import Stopped
from exchange.files import write_atomic
from exchange.inference.engine import GREEDY, SamplingParams
from exchange.project import DEFAULT_RUN, Project
from exchange.records import digest
from exchange.store.joined_corpus import has_corpus, open_corpus
from exchange.text.stems import stem
from trainer.abstention import adapter_sha, refusal_text
from trainer.console import ProgressCallback
from trainer.dataset import DatasetRow, read_split
from trainer.dataset.build import FOLDER as DATASET
from trainer.dataset.mix import BOUNDARY
from trainer.evaluate.items.distractors import with_coined_name
from trainer.evaluate.metrics import MetricInput, is_right
from trainer.evaluate.metrics.wording import declines
from trainer.evaluate.rag import open_archive
from trainer.evaluate.records import EvalAnswer, EvalItem
from trainer.evaluate.systems.answer_cache import FOLDER as ANSWERS
from trainer.evaluate.systems.answer_cache import AnswerCache, answer_key
from trainer.evaluate.systems.client import ModelOutput
from trainer.evaluate.systems.local import LocalModel, LocalWeights
from trainer.training.preference import Invention, write_inventions
from trainer.training.runs import CheckpointName
from trainer.tuned_model import TunedModel, find_tuned_model

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
    inventions: int  # wrong answers to both, for recipe preference


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

    In the run's folder stands `inventions.jsonl` afterwards, for a run of recipe `preference`.

    Evaluates MLX: a process that called this must not fork.

    Args:
        count: taught questions that are asked, and coined ones; 0: all.
        samples: answers by chance to what the greedy one got wrong.

    Raises:
        UserError: no run, no dataset, the GPU in use, stopped (answers are kept then).
    """
    callback = callback or ProgressCallback()
    archive_dir = project.archive_dir(archive)
    language = project.language(archive)
    tuned = find_tuned_model(project, archive, run, checkpoint, confirm=confirm)
    facts = [row for row in read_split(archive_dir / DATASET, "train") if row.is_fact]
    facts = facts[: count or None]  # ids are hashes, so these come from all over the archive
    unknown = _coined(facts, archive_dir, callback)
    with LocalWeights(tuned.base, tuned.adapter, project.data, WIDTH, callback.log) as weights:
        asked = _Questions(archive_dir, tuned, weights, callback, stop)
        said = asked.answers(facts, GREEDY)
        wrong = [
            (row, one)
            for row, one in zip(facts, said, strict=True)
            if not _right(row, one.text, language)
        ]
        never = _never_right(asked, [row for row, _ in wrong], language, samples)
        others = asked.answers(unknown, GREEDY)
    refusal = refusal_text(language)
    invented = [
        (replace(row, answer=refusal, kind=KIND), one)
        for row, one in zip(unknown, others, strict=True)
        if not declines(one.text)
    ]
    path = archive_dir / BOUNDARY
    rows = [*(replace(row, answer=refusal, kind=KIND) for row in never), *(r for r, _ in invented)]
    write_atomic(path, b"".join(row.to_line() for row in rows))
    inventions = [
        Invention(row, one.text)
        for row, one in (*wrong, *invented)
        if one.finish_reason == "stop" and not declines(one.text)  # a ramble that was cut is none
    ]
    count = write_inventions(tuned.run.folder, tuned.adapter, inventions)
    return BoundaryCounts(len(facts), len(never), len(unknown), len(invented), path, count)


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


class _Questions:
    """Asks the tuned model, what was not asked before, and keeps what it says."""

    def __init__(
        self,
        archive_dir: Path,
        tuned: TunedModel,
        weights: LocalWeights,
        callback: ProgressCallback,
        stop: Callable[[], bool],
    ) -> None:
        sha, own = tuned.config.model_sha, adapter_sha(tuned.adapter)
        self._model = LocalModel(weights, tuned=True, model_sha=sha, adapter_sha=own)
        self._store = AnswerCache(archive_dir / ANSWERS, self._model.key)
        self._callback, self._stop = callback, stop

    def answers(
        self, rows: Sequence[DatasetRow], sampling: SamplingParams, seed: int = 0
    ) -> list[ModelOutput]:
        """Its answers, in order.

        Raises:
            Stopped: what was answered is kept.
        """
        cells = [answer_key(row.asked(), MAX_TOKENS) for row in rows]
        if sampling != GREEDY:
            cells = [digest("drawn", cell, f"{sampling}", str(seed)) for cell in cells]
        missing = {
            cell: row for cell, row in zip(cells, rows, strict=True) if cell not in self._store.said
        }
        names, left = list(missing), len(missing)

        def ended(number: int, said: ModelOutput) -> None:
            nonlocal left
            left -= 1
            self._store.add_output(names[number], said)
            self._callback.on_progress("answers", len(rows) - left, len(rows))

        if missing:
            prompts = [row.asked() for row in missing.values()]
            self._model.answer(prompts, MAX_TOKENS, ended, self._stop, sampling, seed)
        if left:
            raise Stopped("stopped; what was answered is kept: the same command goes on")
        return [self._store.said[cell] for cell in cells]


def _never_right(
    asked: _Questions, rows: Sequence[DatasetRow], language: str, samples: int
) -> list[DatasetRow]:
    """Those that are not answered right by chance either."""
    left = list(rows)
    for number in range(1, 1 + samples):
        said = asked.answers(left, SamplingParams(TEMPERATURE), number)
        left = [
            row for row, one in zip(left, said, strict=True) if not _right(row, one.text, language)
        ]
    return left


def _right(row: DatasetRow, text: str, language: str) -> bool:
    item = EvalItem(row.id, "train", row.question, row.answer, row.cluster, language=language)
    return is_right(MetricInput(item, EvalAnswer(row.id, text, 0, 0, 0.0, "stop"))) == 1
