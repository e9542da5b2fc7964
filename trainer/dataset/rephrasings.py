"""Rephrasings of what is taught: which of them ask about it, and which are taught beside it.

None that is held out is taught, nor anything like it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from exchange.text.fold import fold
from exchange.text.similarity import (
    QuestionSignature,
    SignatureIndex,
    jaccard,
    question_signature,
)
from trainer.dataset.rows import DatasetRow
from trainer.dataset.settings import DatasetSettings
from trainer.dataset.source import DatasetSource
from trainer.dataset.split import SplitRule, hash_fraction

MAX_SIMILARITY = 0.6  # Jaccard index of the stems of a rephrasing and its source


def separate_rephrasings(rows: Iterable[DatasetRow]) -> tuple[list[DatasetRow], list[DatasetRow]]:
    """Rows that teach, and rephrasings of rows; both in the order given."""
    plain: list[DatasetRow] = []
    rephrased: list[DatasetRow] = []
    for row in rows:
        (rephrased if row.rephrase_of else plain).append(row)
    return plain, rephrased


@dataclass(slots=True)
class RephrasedRows:
    """Rephrasings of what is taught: those that ask about it, and those that are taught too."""

    valid: list[DatasetRow] = field(default_factory=list)
    test_recall: list[DatasetRow] = field(default_factory=list)
    wordings: list[DatasetRow] = field(default_factory=list)


def split_rephrasings(
    rephrased: Sequence[DatasetRow],
    train: Sequence[DatasetRow],
    line: SplitRule,
    settings: DatasetSettings,
    source: DatasetSource,
) -> RephrasedRows:
    """Where each rephrasing goes; all that are held out of one pair go the same way.

    A pair that was relabelled as a refusal still tests recall, or giving up on what is hard would
    raise the figures; but nothing is validated on it, and no further wording of it is taught.

    With `settings.wordings`, of a pair's rephrasings the oldest that can test anything is held
    out, and the others are taught, but for those that are like a question that is held out.
    """
    found = RephrasedRows()
    if line.valid and not settings.wordings:  # whole clusters are held out instead
        source.left_out["few_rephrasings"] += len(rephrased)
        return found
    left_out = source.left_out
    sources = {row.id: row for row in train}
    index = SignatureIndex()
    if rephrased:
        for row in train:
            index.add(row.id, question_signature(row.question))
    spare: list[DatasetRow] = []
    asked_about: dict[str, list[QuestionSignature]] = {}
    for row in sorted(rephrased, key=lambda row: (row.made.generated_at, row.id)):
        taught = sources.get(row.rephrase_of)
        if taught is None:
            left_out["source_not_taught"] += 1
            continue
        asked = question_signature(row.question)
        close = row.id in source.wordings or _is_close(asked, taught)
        first = taught.id not in asked_about and _held(taught, line, settings)
        if close and not settings.wordings:
            left_out["too_close_to_source"] += 1
        elif index.nearest(asked, beside=taught.id)[0]:
            left_out["asked_in_train"] += 1
        elif close or (settings.wordings and not first):
            spare.append(row)
        elif hash_fraction(taught.id, line.key) < settings.recall:
            asked_about.setdefault(taught.id, []).append(asked)
            found.test_recall.append(row)
        elif taught.kind == "refusal":
            left_out["source_refused"] += 1
        else:
            asked_about.setdefault(taught.id, []).append(asked)
            found.valid.append(row)
    for rows in (found.valid, found.test_recall):
        rows.sort(key=lambda row: row.id)
    found.wordings = _choose_wordings(spare, sources, asked_about, settings.wordings, left_out)
    return found


def _is_close(asked: QuestionSignature, taught: DatasetRow) -> bool:
    return jaccard(asked.stems, question_signature(taught.question).stems) > MAX_SIMILARITY


def _held(source: DatasetRow, line: SplitRule, settings: DatasetSettings) -> bool:
    """Whether a pair is asked about in other words; of no pair where clusters are held out."""
    return not line.valid and hash_fraction(source.id, f"held:{line.key}") < settings.held_out


def _choose_wordings(
    spare: Sequence[DatasetRow],
    sources: Mapping[str, DatasetRow],
    asked_about: Mapping[str, Sequence[QuestionSignature]],
    most: int,
    left_out: Counter[str],
) -> list[DatasetRow]:
    """Up to `most` for each source, no two alike, and none like a question that is held out.

    Of its own pair's held-out question a wording must differ as much as the source itself does.
    """
    held = SignatureIndex()
    for source_id, questions in asked_about.items():
        for number, question in enumerate(questions):
            held.add(f"{source_id}/{number}", question)
    told: defaultdict[str, list[str]] = defaultdict(list)
    chosen = []
    for row in spare:
        source, asked = sources[row.rephrase_of], question_signature(row.question)
        words = fold(row.question)
        near = held.nearest(asked)[0] or any(
            jaccard(asked.stems, own.stems) > MAX_SIMILARITY
            for own in asked_about.get(source.id, ())
        )
        if source.kind == "refusal":  # it is taught that nobody knows
            left_out["source_refused"] += 1
        elif near:
            left_out["wording_of_a_test"] += 1
        elif words in (fold(source.question), *told[source.id]):
            left_out["duplicate"] += 1
        elif len(told[source.id]) >= most:
            left_out["enough_wordings"] += 1
        else:
            told[source.id].append(words)
            # The source's own place: a person may have moved or mended it.
            chosen.append(
                replace(row, answer=source.answer, story=source.story, cluster=source.cluster)
            )
    return sorted(chosen, key=lambda row: row.id)
