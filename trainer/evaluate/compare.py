"""Ask the model without and with its adapter the same questions, from one copy of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count as counted
from pathlib import Path

from exchange.errors import BadFile, TooLarge
from exchange.inference import models
from exchange.inference.engine import Likelihood
from exchange.project import DEFAULT_RUN, Project
from trainer.console import ProgressCallback
from trainer.dataset import Manifest, read_split
from trainer.dataset.build import FOLDER
from trainer.dataset.split import Split
from trainer.evaluate.compare_records import (
    ASKED,
    HELD_OUT,
    TRAINED,
    BaseTunedComparison,
    ComparisonRow,
    group_scores,
    write_comparison,
)
from trainer.evaluate.inputs import find_model
from trainer.evaluate.records import EvalItem
from trainer.evaluate.systems.answer_cache import FOLDER as ANSWERS
from trainer.evaluate.systems.answer_cache import AnswerCache
from trainer.evaluate.systems.local import LocalModel, LocalWeights
from trainer.evaluate.systems.strategies import ZeroShotStrategy
from trainer.evaluate.systems.system import EvalSystem
from trainer.training.runs import CheckpointName, TrainingRun

MAX_TOKENS = 128  # an answer of the dataset is shorter; a base model that rambles is cut here
WIDTH = 16  # answers decoded together


def compare(
    project: Project,
    archive: str | None = None,
    *,
    run: str = DEFAULT_RUN,
    checkpoint: CheckpointName = "last",
    count: int = 20,
    questions: Sequence[str] = (),
    max_tokens: int = MAX_TOKENS,
    callback: ProgressCallback | None = None,
    language_model: models.ModelSettings | None = None,
    confirm: Callable[[str], bool] = lambda text: False,
) -> BaseTunedComparison:
    """Greedy answers of both, with shares; also written to the run's folder.

    Without `questions`, `count` rows of the test split and `count` of the trained ones are asked,
    whose answers are known. The last checkpoint is the default, not the best: a fact that was
    held out cannot be known, so the validation loss rises while the taught ones are learned.

    Evaluates MLX: a process that called this must not fork.

    Raises:
        UserError: no such run, no dataset, another model than the adapter's, the GPU in use.
    """
    callback = callback or ProgressCallback()
    archive_dir = project.archive_dir(archive)
    manifest = Manifest.read(archive_dir / FOLDER)
    items = _choose(archive_dir / FOLDER, manifest, count, questions)
    of = find_model(
        project,
        archive,
        run,
        checkpoint,
        tuned=True,
        language_model=language_model,
        confirm=confirm,
    )
    if not questions and of.dataset != manifest.sha:
        callback.log("the dataset was built anew since this run: its questions are asked now")
    with LocalWeights(of.folder, of.adapter, project.data, WIDTH, callback.log) as weights:
        systems = [
            EvalSystem(
                name,
                name,
                ZeroShotStrategy(),
                client,
                AnswerCache(archive_dir / ANSWERS, client.key),
                max_tokens,
            )
            for name, client in (
                ("base", LocalModel(weights, tuned=False, model_sha=of.sha, adapter_sha="")),
                (
                    "tuned",
                    LocalModel(weights, tuned=True, model_sha=of.sha, adapter_sha=of.adapter_sha),
                ),
            )
        ]
        _check_length(systems[0], items, weights.context)
        rows, losses = _answer_items(systems, items, callback)
    groups = [(g, [r for r in rows if r.group == g and r.reference]) for g in (TRAINED, HELD_OUT)]
    found = BaseTunedComparison(
        of.name,
        run,
        checkpoint,
        manifest.sha,
        tuple(rows),
        tuple(
            group_scores(group, chosen, *(one[group] for one in losses))
            for group, chosen in groups
            if chosen
        ),
    )
    write_comparison(found, TrainingRun(archive_dir, run).folder)
    return found


def read_questions(path: Path) -> list[str]:
    """One question a line, empty lines left out.

    Raises:
        UserError: no such file, not UTF-8, or no question in it.
    """
    try:
        found = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadFile(f"cannot read questions from {path}: {error}") from None
    if not found:
        raise BadFile(f"{path} holds no question: one a line")
    return found


def _choose(
    dataset: Path, manifest: Manifest, count: int, questions: Sequence[str]
) -> list[EvalItem]:
    """Ids are hashes, so the first rows of a split come from all over the archive."""
    if questions:
        return [
            EvalItem(str(number), ASKED, question, "", "", manifest.system)
            for number, question in enumerate(questions)
        ]
    splits: tuple[tuple[str, Split], ...] = ((TRAINED, "train"), (HELD_OUT, "test_unseen"))
    return [
        EvalItem(row.id, group, row.question, row.answer, row.cluster, row.system)
        for group, split in splits
        for row in read_split(dataset, split)[:count]
    ]


def _check_length(system: EvalSystem, items: Sequence[EvalItem], context: int) -> None:
    for item in items:
        if not system.client.fits(ZeroShotStrategy().build_prompt(item).prompt, system.max_tokens):
            raise TooLarge(
                f"question and {system.max_tokens} tokens of answer exceed the model's context of "
                f"{context}: {item.question[:60]!r}"
            )


def _answer_items(
    systems: Sequence[EvalSystem], items: Sequence[EvalItem], callback: ProgressCallback
) -> tuple[list[ComparisonRow], list[dict[str, float]]]:
    """Rows with both answers, and for each system its loss by group, in nats per token."""
    done = counted(1)
    said, losses = [], []
    for system in systems:
        said.append(
            system.answer(
                items,
                lambda: callback.on_progress("answering", next(done), len(systems) * len(items)),
            )
        )
        weighed = system.loglikelihood(items, lambda: None)
        losses.append(
            {
                group: _mean_loss([weighed[item.id][0] for item in items if item.split == group])
                for group in {item.split for item in items if item.reference}
            }
        )
    rows = [
        ComparisonRow(item.split, item.question, item.reference, one.text, other.text)
        for item, one, other in zip(items, *said, strict=True)
    ]
    return rows, losses


def _mean_loss(references: Sequence[Likelihood]) -> float:
    """Nats per token over all of them."""
    return -sum(one.logprob for one in references) / sum(one.tokens for one in references)
