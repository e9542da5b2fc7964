"""The made-up examination is what it says: scores follow from the text, and from nothing else."""

from __future__ import annotations

import pytest

from bench.scorer.task import CONCEPTS, NOT, Examination, ExaminationSizes
from trainer.scorer.baselines import fit_baseline
from trainer.scorer.items import ScoreItem
from trainer.scorer.metrics import qwk_score
from trainer.scorer.split import ScorerSplit


@pytest.fixture(scope="module")
def made() -> tuple[Examination, ScorerSplit, dict[str, int]]:
    examination = Examination(3)
    return examination, *examination.split(ExaminationSizes(2000, 200, 600))


def guide(item: ScoreItem) -> list[tuple[str, str]]:
    words = item.guide.split()
    return list(zip(words[::2], words[1::2], strict=True))


def recounted(examination: Examination, item: ScoreItem) -> int:
    """Concepts said and not denied, read from the text alone."""
    plain = [{form: forms[0] for forms in kind for form in forms} for kind in examination.words]
    said = item.answer.split()
    found = set()
    for before, first, second in zip(["", *said], said, said[1:], strict=False):
        if first in plain[0] and second in plain[1] and before != NOT:
            found.add((plain[0][first], plain[1][second]))
    return len(found & set(guide(item)))


def test_the_true_score_can_be_counted_in_the_text(
    made: tuple[Examination, ScorerSplit, dict[str, int]],
) -> None:
    examination, parts, true = made
    assert all(recounted(examination, item) == true[item.id] for item in parts.all)


def test_one_label_in_ten_is_off_by_one(
    made: tuple[Examination, ScorerSplit, dict[str, int]],
) -> None:
    _, parts, true = made
    off = [abs(item.level - true[item.id]) for item in parts.all]
    assert set(off) == {0, 1} and 0.07 < sum(off) / len(off) < 0.13


def test_concepts_of_unseen_questions_stand_in_no_taught_guide(
    made: tuple[Examination, ScorerSplit, dict[str, int]],
) -> None:
    _, parts, _ = made
    taught = {
        concept
        for item in (*parts.train, *parts.valid, *parts.unseen_answers)
        for concept in guide(item)
    }
    asked = {concept for item in parts.unseen_questions for concept in guide(item)}
    assert len(asked) > CONCEPTS and not asked & taught


def test_length_tells_nothing_and_words_alone_little(
    made: tuple[Examination, ScorerSplit, dict[str, int]],
) -> None:
    _, parts, _ = made
    assert (
        abs(qwk_score(fit_baseline(parts.train, "length").outcomes(parts.unseen_questions))) < 0.2
    )
    assert qwk_score(fit_baseline(parts.train, "words").outcomes(parts.unseen_questions)) < 0.6
