"""Recipe `preference`: a run's own inventions, each beside the answer that should stand there.

`kkoracle boundary` asks a run what it was taught, and what nobody can know. A wrong answer and the
right one (the row's own; where nobody can know, that it does not) are a pair, and the run that goes
on from there learns the one and finds the other less likely: ORPO (Hong, Lee and Thorne 2024,
"Monolithic Preference Optimization without Reference Model", arXiv 2403.07691). DPO (Rafailov et
al. 2023, arXiv 2305.18290) needs what the run before thought of both answers; ORPO holds one answer
against the other, so nothing is asked of a second model, and nothing kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson

from exchange.errors import BadFile, NotEnoughData, NotFound, UsageError
from exchange.files import write_atomic
from exchange.text.fold import words
from trainer import tokenization
from trainer.abstention import adapter_sha
from trainer.dataset import DatasetRow
from trainer.tokenization import TokenizedSample
from trainer.training.row_selection import (
    Continuation,
    ContinuationRequest,
    continue_from,
    replayed,
)

if TYPE_CHECKING:
    from mlx.core import array as Array

FILE = "inventions.jsonl"  # in the folder of the run that was asked
SURE = 1e-6  # at least so far from 0 is a mean log-probability: what is certain has no finite odds


@dataclass(frozen=True, slots=True)
class Invention:
    """A question with its right answer, and what a run said instead."""

    row: DatasetRow
    said: str

    @property
    def rejects(self) -> bool:
        """It says something, and not the right answer in other signs."""
        return bool(self.said.strip()) and words(self.said) != words(self.row.answer)


def write_inventions(run: Path, adapter: Path, found: Iterable[Invention]) -> int:
    """Write what a run's model invented into its folder; returns how many there are.

    Each line is a row of the dataset, what was said, and the sha of the weights that said it.
    """
    sha = adapter_sha(adapter)
    lines = [
        {**orjson.loads(one.row.to_line()), "rejected": one.said, "adapter": sha}
        for one in found
        if one.rejects
    ]
    write_atomic(run / FILE, b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return len(lines)


def choose_pairs(
    archive_dir: Path, rows: Sequence[DatasetRow], asked: ContinuationRequest, name: str
) -> Continuation:
    """What the run before invented as rows of the next, and what it was taught beside them.

    The answer of a taught row is the dataset's, as it is now. A row that the run was taught and the
    dataset has no more is left out.

    Args:
        rows: of train.
        name: of the run: another one shows other old rows.

    Raises:
        UserError: no run is named, it was not asked or has been trained since, or it invented
            nothing about these rows.
    """
    if not asked.run:
        raise UsageError("recipe preference goes on from what a run invents: give --continue RUN")
    adapter, sha, seen = continue_from(archive_dir, asked.run)
    found = _read_inventions(adapter / FILE, asked.run, sha)
    allowed = {row.id: row for row in rows if asked.without.isdisjoint((row.id, row.story))}
    stories = {row.story for row in allowed.values()}
    pairs: dict[str, Invention] = {}
    for one in found:
        row_id, coined = one.row.id, not one.row.is_fact and one.row.story in stories
        row = allowed.get(row_id, one.row if coined and row_id not in asked.without else None)
        if row and row.question == one.row.question and Invention(row, one.said).rejects:
            pairs[row_id] = Invention(row, one.said)
    if not pairs:
        raise NotEnoughData(
            f"run {asked.run!r} invented nothing about the rows of this dataset "
            f"({len(found):,} inventions in all), so there is nothing to reject"
        )
    old = [row for row in allowed.values() if row.id in seen and row.id not in pairs]
    return Continuation(
        [one.row for one in pairs.values()],
        replayed(old, len(pairs), asked.replay, name),
        seen,
        adapter,
        sha,
        {row_id: one.said for row_id, one in pairs.items()},
    )


def _read_inventions(path: Path, run: str, sha: str) -> list[Invention]:
    how = f"`kkoracle boundary --name {run}` asks it"
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        raise NotFound(f"run {run!r} has not been asked what it invents: {how}") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            raw = orjson.loads(line)
            found.append(Invention(DatasetRow.from_line(line), str(raw["rejected"])))
            asked = raw["adapter"]
        except (ValueError, KeyError, TypeError, IndexError) as error:
            raise BadFile(f"{path} line {number} is unusable ({error!r}): {how} again") from None
        if asked != sha:
            raise NotFound(f"run {run!r} was asked at another state of its adapter: {how}")
    return found


def with_rejected(
    samples: Sequence[TokenizedSample],
    rows: Sequence[DatasetRow],
    said: Mapping[str, str],
    tokenizer: Any,
    longest: int,
) -> list[TokenizedSample]:
    """Rows in tokens, those of pairs with the answer that they reject.

    Args:
        said: that answer, by row.
        longest: tokens; a rejected answer is never cut, so a longer one is not rejected.
    """
    asked = {row.id: row.asked() for row in rows if row.id in said}
    found = []
    for sample in samples:
        if sample.id in asked:
            turns = [*asked[sample.id], {"role": "assistant", "content": said[sample.id]}]
            other = tokenization.tokenize_sample(tokenizer, sample.id, turns)
            if len(other.tokens) <= longest:
                sample = replace(sample, rejected=other)
        found.append(sample)
    return found


@dataclass(frozen=True, slots=True)
class PreferencePairs:
    """Which of a batch's targets belong to pairs; the rejected ones come after all others."""

    chosen: Array  # (pairs, targets): times log-probabilities, the mean over a pair's answer
    rejected: Array  # the same over the answer that it rejects
    weights: Array  # (pairs,) how many tokens the answer has
    size: int  # targets that are not rejected

    @classmethod
    def of(cls, samples: Sequence[TokenizedSample]) -> Self | None:
        """Of these rows; None where none rejects anything."""
        import mlx.core as mx

        counts = [sample.rejected.targets for sample in samples if sample.rejected]
        if not counts:
            return None
        size = sum(sample.targets for sample in samples)
        means = np.zeros((2, len(counts), size + sum(counts)), np.float32)
        weights: list[float] = []
        first, behind = 0, size
        for sample in samples:
            if sample.rejected:
                pair, count = len(weights), sample.rejected.targets
                means[0, pair, first : first + sample.targets] = 1 / sample.targets
                means[1, pair, behind : behind + count] = 1 / count
                weights.append(float(sample.targets))
                behind += count
            first += sample.targets
        return cls(mx.array(means[0]), mx.array(means[1]), mx.array(weights), size)

    def margins(self, nats: Array) -> Array:
        """Of each pair the log of the odds ratio of its answer and the one that it rejects.

        Equations 4 to 7 of ORPO: the odds of an answer are p / (1 - p), where p is the geometric
        mean of its tokens' probabilities, and a pair loses -log sigmoid of this.

        Args:
            nats: the cross-entropy at every target.
        """
        import mlx.core as mx

        def log_odds(means: Array) -> Array:
            mean = mx.minimum(means @ -nats, -SURE)
            return mean - mx.log1p(-mx.exp(mean))

        return log_odds(self.chosen) - log_odds(self.rejected)
