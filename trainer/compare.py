"""Ask the model without and with its adapter the same questions, from one copy of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from exchange import gpu, models
from exchange.errors import UserError
from exchange.house import House
from trainer import chat
from trainer.comparison import ASKED, HELD_OUT, TRAINED, Comparison, Row, share, write
from trainer.dataset import Manifest, read_split
from trainer.dataset import Row as DatasetRow
from trainer.dataset.build import FOLDER
from trainer.encode import context
from trainer.runs import Checkpoint
from trainer.tuned import find
from trainer.watch import Watcher

MAX_TOKENS = 128  # an answer of the dataset is shorter; a base model that rambles is cut here
LOSS_ROWS = 8  # computed together when the references are weighed


def compare(
    house: House,
    archive: str | None = None,
    *,
    run: str = "default",
    checkpoint: Checkpoint = "last",
    count: int = 20,
    questions: Sequence[str] = (),
    max_tokens: int = MAX_TOKENS,
    watcher: Watcher | None = None,
    language_model: models.Model | None = None,
    confirm: Callable[[str], bool] = lambda text: False,
) -> Comparison:
    """Greedy answers of both, with shares; also written to the run's folder.

    Without `questions`, `count` rows of the test split and `count` of the trained ones are asked,
    whose answers are known. The last checkpoint is the default, not the best: a fact that was
    held out cannot be known, so the validation loss rises while the taught ones are learned.

    Evaluates MLX: a process that called this must not fork.

    Raises:
        UserError: no such run, no dataset, another model than the adapter's, the GPU in use.
    """
    watcher = watcher or Watcher()
    archive_dir = house.archive_dir(archive)
    manifest = Manifest.read(archive_dir / FOLDER)
    asked = _choose(archive_dir / FOLDER, manifest, count, questions)
    of = find(house, archive, run, checkpoint, language_model, confirm)
    if not questions and of.begun.dataset != manifest.sha:
        watcher.note("the dataset was built anew since this run: its questions are asked now")
    with gpu.held(house.data, shared=True):
        watcher.note(f"loading {of.name}")
        from trainer.lora import twin

        loaded = twin.load(of.base, of.adapter)
        rows, losses = _ask(loaded, asked, max_tokens, watcher)
    groups = [(g, [r for r in rows if r.group == g and r.reference]) for g in (TRAINED, HELD_OUT)]
    found = Comparison(
        of.name, run, checkpoint, manifest.sha, tuple(rows),
        tuple(share(group, chosen, *losses[group]) for group, chosen in groups if chosen),
    )  # fmt: skip
    write(found, of.run.folder)
    return found


def read_questions(path: Path) -> list[str]:
    """One question a line, empty lines left out.

    Raises:
        UserError: no such file, not UTF-8, or no question in it.
    """
    try:
        found = [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read questions from {path}: {error}") from None
    if not found:
        raise UserError(f"{path} holds no question: one a line")
    return found


def _choose(
    dataset: Path, manifest: Manifest, count: int, questions: Sequence[str]
) -> list[tuple[str, DatasetRow]]:
    """Ids are hashes, so the first rows of a split come from all over the archive."""
    if questions:
        return [(ASKED, DatasetRow("", question, "", "", "", "", "", (), manifest.system))
                for question in questions]  # fmt: skip
    return [
        *((TRAINED, row) for row in read_split(dataset, "train")[:count]),
        *((HELD_OUT, row) for row in read_split(dataset, "test_unseen")[:count]),
    ]


def _ask(
    loaded: tuple[Any, Any, Any],
    asked: list[tuple[str, DatasetRow]],
    max_tokens: int,
    watcher: Watcher,
) -> tuple[list[Row], dict[str, tuple[float, float]]]:
    """Rows with both answers, and the losses of base and tuned by group."""
    from trainer.lora.answers import answer

    base, tuned, tokenizer = loaded
    prompts = [chat.prompt_tokens(tokenizer, row.asked()) for _, row in asked]
    limit = context(base)
    for (_, row), prompt in zip(asked, prompts, strict=True):
        if limit and len(prompt) + max_tokens > limit:
            raise UserError(
                f"{len(prompt)} tokens of question and {max_tokens} of answer exceed the model's "
                f"context of {limit}: {row.question[:60]!r}"
            )
    said, losses = [], []
    for number, model in enumerate((base, tuned)):
        before = number * len(asked)
        said.append(answer(
            model, tokenizer, prompts, max_tokens,
            lambda done, _, before=before: watcher.answering(before + done, 2 * len(asked)),
        ))  # fmt: skip
        losses.append(_losses(model, tokenizer, asked))
    rows = [Row(group, row.question, row.answer, one, other)
            for (group, row), one, other in zip(asked, *said, strict=True)]  # fmt: skip
    return rows, {group: (losses[0][group], losses[1][group]) for group in losses[0]}


def _losses(model: Any, tokenizer: Any, asked: list[tuple[str, DatasetRow]]) -> dict[str, float]:
    """Nats per token of the references, by group."""
    from trainer.lora.loss import Loss, total

    loss = Loss(model)
    found = {}
    for group in sorted({group for group, row in asked if row.answer}):
        samples = [chat.sample(tokenizer, row.id, row.turns()) for name, row in asked
                   if name == group and row.answer]  # fmt: skip
        found[group] = total(loss, samples, LOSS_ROWS) / sum(s.targets for s in samples)
    return found
