"""Questions under the chunks of their answers: what the teacher is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from exchange.display import format_bytes
from exchange.errors import DiskFull, NotEnoughData
from exchange.inference import runtime
from exchange.recipes.prompts import PromptTemplate
from exchange.records import Chunk
from trainer import tokenization
from trainer.console import ProgressCallback
from trainer.dataset import DatasetRow
from trainer.tokenization import TokenizedSample
from trainer.training.open_book import passages_of
from trainer.training.row_shards import disk_refusal
from trainer.training.settings import TrainSettings
from trainer.training.teacher import FOLDER, TOGETHER, Teacher, TeacherPrompts


def make_teacher(
    parent: Path,
    model_sha: str,
    model: Any,
    tokenizer: Any,
    settings: TrainSettings,
    rows: tuple[Sequence[DatasetRow], Sequence[TokenizedSample]],
    chunks: Mapping[str, Chunk],
    template: PromptTemplate,
    *,
    callback: ProgressCallback,
    confirm: Callable[[str], bool],
) -> Teacher:
    """The teacher of the rows that have their chunk; its logits are not yet computed.

    Args:
        parent: of the folder that they are kept in.
        model: without an adapter.
        rows: those of the dataset, and those of them that are taught, in tokens.
        template: how a chunk stands before a question.
        confirm: asked, with the size in words, before much disk is taken.

    Raises:
        UserError: no row has its chunk, there is no room, or nobody agreed to take it.
    """
    prompts = teacher_prompts(model, tokenizer, *rows, chunks, template, callback)
    teacher = Teacher(parent / FOLDER, model_sha, model, prompts, settings)
    if teacher.damaged:
        callback.log(f"{teacher.damaged} damaged files of the teacher are computed anew")
    needed = teacher.bytes_for([row for group in prompts for row in group])
    refused = disk_refusal(
        parent,
        needed,
        settings.trunk_gb,
        f"Keep what the base makes of every answer with its text before it ({format_bytes(needed)} "
        f"in {teacher.folder})?",
        confirm,
    )
    if refused:
        raise DiskFull(
            f"recipe distil keeps what the base makes of every answer, and {refused}: give --yes, "
            "make room, or lower [train] distil_top"
        )
    return teacher


def teacher_prompts(
    model: Any,
    tokenizer: Any,
    rows: Sequence[DatasetRow],
    samples: Sequence[TokenizedSample],
    chunks: Mapping[str, Chunk],
    template: PromptTemplate,
    callback: ProgressCallback,
) -> TeacherPrompts:
    """Each row's answer after the prompt with its chunks; a row without them has no teacher.

    Raises:
        NotEnoughData: no row has its chunk.
    """
    taught = {sample.id: sample for sample in samples}
    longest = min(runtime.context_length(model) or TOGETHER, TOGETHER)
    progress = callback.progress("encoding")
    found: dict[tuple[str, ...], list[TokenizedSample]] = {}
    too_long = 0
    for number, row in enumerate(rows):
        if number % tokenization.REPORT_EVERY == 0:
            progress(number, len(rows))
        student = taught.get(row.id)
        passages = passages_of(row, chunks) if student else []
        if student is None or not passages:
            continue
        asked = tokenization.passage_messages(template, row.question, passages, row.system)
        turns = [*asked, *row.turns()[-1:]]
        sample = tokenization.tokenize_sample(tokenizer, row.id, turns)
        if len(sample.tokens) > longest:
            too_long += 1
        elif sample.tokens[sample.start :] == student.tokens[student.start :]:
            found.setdefault(row.chunks, []).append(sample)
    progress(len(rows), len(rows))
    if too_long:
        callback.log(
            f"{too_long} rows have no teacher: with their text they are longer than {longest} "
            "tokens"
        )
    if not found:
        raise NotEnoughData(
            "recipe distil wants the text that the pairs were made from, and no row of the dataset "
            "has it: run `kkoracle dataset build` again, or give --recipe sft"
        )
    return list(found.values())
