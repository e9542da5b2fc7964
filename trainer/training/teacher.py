"""The teacher of recipe `distil`: the base itself, with the chunk in its prompt.

Prompt distillation (Kujanpaa et al. 2025, "Knowledge Injection via Prompt Distillation", arXiv
2412.14964) with the answers that the dataset has: at each token of an answer the student, which
sees no chunk, is to give what the base gives that does. Of that distribution the most probable
tokens are kept, the others as one. It never changes, so it is computed once for each row, before
the first step, and kept on disk.

A chunk is computed once for all its questions. What is computed together hangs on the rows alone,
never on what is there already, so that a run that was killed meanwhile ends with the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import orjson

from exchange.errors import Stopped, UserError
from exchange.files import write_atomic
from exchange.inference.batch_width import padded_length
from exchange.inference.chat_template import shared_length
from exchange.inference.mlx.base_and_adapter import share_weights
from exchange.inference.mlx.scoring import split_head, top_logprobs
from trainer.tokenization import TokenizedSample
from trainer.training.batches import TeacherTargets
from trainer.training.distributed import ProcessGroup
from trainer.training.row_shards import SHARD_BYTES, RowShards, tokens_key
from trainer.training.settings import TrainSettings

Array = mx.array
# Rows of which each is its answer after the prompt with the chunk; in a group, of the same chunks.
TeacherPrompts = Sequence[Sequence[TokenizedSample]]
FOLDER = "teacher"
TOGETHER = 8192  # tokens computed at once, those of a shared chunk counted for each of its rows
ROWS = 16  # rows computed at once
WORTH = 256  # tokens that a chunk computed once must save; below, rows of all chunks go together


@dataclass(frozen=True, slots=True)
class _TeacherBatch:
    """Rows that are computed together, and how many of their first tokens they have in common."""

    rows: list[TokenizedSample]
    shared: int  # tokens computed once for all of them; 0: each row for itself


class Teacher:
    """Gives the base's distribution over the answers' tokens. The GPU lock's holder fills it."""

    def __init__(
        self,
        folder: Path,
        model_sha: str,
        model: Any,
        prompts: TeacherPrompts,
        settings: TrainSettings,
    ) -> None:
        """Open what is there; a damaged shard is deleted, and its rows are missing again.

        Args:
            folder: the archive's folder for this (`FOLDER`).
            model: without an adapter; one that is attached later is no part of the teacher.
        """
        self._model = share_weights(model)
        self._model.eval()
        self._parts = split_head(self._model)
        self._mix, self.top = settings.distil_mix, settings.distil_top
        self._prompts = {row.id: row for group in prompts for row in group}
        self._batches = plan_batches(prompts)
        self._shards = RowShards(
            folder / f"{model_sha}-{self.top}", "logprobs", 2 * self.top, mx.uint32
        )
        self.damaged = self._shards.damaged

    @property
    def folder(self) -> Path:
        """Where the logits are."""
        return self._shards.folder

    @property
    def rows(self) -> int:
        """How many rows have a teacher."""
        return len(self._prompts)

    @property
    def total_bytes(self) -> int:
        """What all rows take on disk."""
        return sum(row.targets for row in self._prompts.values()) * self._shards.line_bytes

    @property
    def added_bytes(self) -> int:
        """What this process has computed, rows computed together with those asked for included."""
        return self._shards.added_bytes

    def bytes_for(self, samples: Iterable[TokenizedSample]) -> int:
        """Disk that those of these rows would take that are not yet here."""
        missing = (row for row in self._of(samples) if _key(row) not in self._shards)
        return sum(row.targets for row in missing) * self._shards.line_bytes

    def fill(
        self,
        samples: Sequence[TokenizedSample],
        progress: Callable[[int, int], None] = lambda done, total: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Compute what is missing of these rows; a kill costs at most one shard of it.

        Raises:
            UserError: the disk is full, or `stop` said so (exit code 3); what is written stays.
        """
        wanted = {row.id for row in self._of(samples) if _key(row) not in self._shards}
        chosen = [one for one in self._batches if any(row.id in wanted for row in one.rows)]
        done, total = 0, sum(len(one.rows) for one in chosen)
        for batch in chosen:
            for row, lines in zip(batch.rows, self._lines(batch), strict=True):
                if _key(row) not in self._shards:
                    self._shards.add(_key(row), lines)
            done += len(batch.rows)
            self._shards.flush(least=0 if done == total else SHARD_BYTES)
            progress(done, total)
            if stop() and done < total:
                self._shards.flush()
                raise Stopped("stopped: the same command goes on from there")

    def fill_together(
        self,
        samples: Sequence[TokenizedSample],
        group: ProcessGroup,
        progress: Callable[[int, int], None] = lambda done, total: None,
        stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """The same in several processes: the leader computes, the others get its files.

        Raises:
            UserError: see `fill`; in every process.
        """
        failed: UserError | None = None
        if group.leader:
            try:
                self.fill(samples, progress, stop)
            except UserError as error:
                failed = error
        if group.any(failed is not None):
            raise failed or Stopped("stopped with the leader")
        if group.size == 1:
            return
        held = sorted(self.folder.glob("*.safetensors")) if group.leader else []
        names = orjson.loads(group.broadcast(orjson.dumps([path.name for path in held])))
        for number, name in enumerate(names):
            data = group.broadcast(held[number].read_bytes() if group.leader else b"")
            if not group.leader:
                write_atomic(self.folder / name, data)
        self._shards.open_files()

    def targets(self, samples: Sequence[TokenizedSample]) -> TeacherTargets | None:
        """What is kept for these rows; None where none of them has a teacher.

        Raises:
            KeyError: a row was not filled.
            OSError: its shard has gone since.
        """
        if not any(sample.id in self._prompts for sample in samples):
            return None
        counts = [sample.targets for sample in samples]
        lines = np.zeros((sum(counts), 2 * self.top), np.uint32)
        share = np.zeros(sum(counts), np.float32)
        at = 0
        for sample, count in zip(samples, counts, strict=True):
            if row := self._prompts.get(sample.id):
                lines[at : at + count] = self._shards.read(_key(row))
                share[at : at + count] = self._mix
            at += count
        logprobs = lines[:, self.top :].view(np.float32)
        return TeacherTargets(
            mx.array(lines[:, : self.top].astype(np.int32)), mx.array(logprobs), mx.array(share)
        )

    def _of(self, samples: Iterable[TokenizedSample]) -> list[TokenizedSample]:
        return [self._prompts[sample.id] for sample in samples if sample.id in self._prompts]

    def _lines(self, batch: _TeacherBatch) -> list[Array]:
        """For each row (targets, 2 * top): token ids, and the bits of their log-probabilities."""
        rows = [(row.tokens, row.start) for row in batch.rows]
        found = top_logprobs(self._model, self._parts, rows, batch.shared, self.top)
        lines = [
            mx.concatenate([ids.astype(mx.uint32), kept.view(mx.uint32)], axis=1)
            for ids, kept in found
        ]
        mx.eval(lines)
        return lines


def plan_batches(prompts: TeacherPrompts) -> list[_TeacherBatch]:
    """What is computed together: the rows of a chunk after it, and the others by length."""
    found: list[_TeacherBatch] = []
    single: list[TokenizedSample] = []
    for group in prompts:
        first = group[0].tokens
        shared = min(min(shared_length(first, row.tokens), row.start - 1) for row in group)
        if shared * (len(group) - 1) < WORTH:
            single += group
            continue
        found += [_TeacherBatch(rows, shared) for rows in _bounded(group)]
    return found + [_TeacherBatch(rows, 0) for rows in _bounded(single)]


def _bounded(rows: Sequence[TokenizedSample]) -> Iterator[list[TokenizedSample]]:
    """Rows of about one length, as many as may be computed at once; the longest ones first."""
    order = sorted(rows, key=lambda row: (-row.length, row.id))
    while order:
        size = max(1, min(ROWS, TOGETHER // padded_length(order[0].length)))
        yield order[:size]
        order = order[size:]


def _key(row: TokenizedSample) -> bytes:
    return tokens_key(row.tokens, row.start)
