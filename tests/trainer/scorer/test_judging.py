"""A scorer that chose the training pairs may not judge alone, and says what it may be believed for.

What a model would say stands fixed here: the rules are about who may judge whom.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest

from exchange.errors import UserError
from exchange.store.corpus import SpoolCorpus
from exchange.store.review import Review
from tests.trainer.filling import fill
from trainer.dataset import DatasetRequest, Manifest, build_dataset
from trainer.dataset.build import FOLDER
from trainer.dataset.settings import DatasetSettings
from trainer.evaluate.records import EvalAnswer, Evaluation, EvaluationInfo, SystemInfo, as_dicts
from trainer.evaluate.records import EvalItem as Question
from trainer.scorer import folder, judge_evaluation
from trainer.scorer.calibration import LevelPrediction
from trainer.scorer.items import ScoreItem, ScoreScale
from trainer.scorer.metrics import LabelledPrediction
from trainer.scorer.scoring import Scorer, ScoreResult
from trainer.scorer.split import ScorerSplit

SCALE = ScoreScale(5, 5)
ABOUT = folder.ScorerInfo(
    "default", "m", "s", "brief", "p", True, 1.0, 0.5, 0.8, {"5": 5}, True, "f", "d", {}
)


@dataclass
class Ruler:
    """Gives an answer a point for each of its words, and is unsure of empty ones."""

    temperature: float = 1.0

    def score(self, items: list[ScoreItem], progress: object = None) -> list[ScoreResult]:
        return [
            ScoreResult(
                item.id,
                float(min(5, len(item.answer.split()))),
                5,
                0,
                5,
                0.9,
                not item.answer,
                False,
                (),
                0.0,
            )
            for item in items
        ]

    def outcomes(self, items: list[ScoreItem]) -> list[LabelledPrediction]:
        return [
            LabelledPrediction(
                item.scale,
                item.level,
                LevelPrediction(min(5, len(item.answer.split())), 0.0, 0.9, ()),
            )
            for item in items
        ]


RULER = cast(Scorer, Ruler())
NOTHING = ScorerSplit([], [], [], [])


def evaluation(dataset: str) -> Evaluation:
    systems = as_dicts([SystemInfo("base", "k", "the base", True)])
    about = EvaluationInfo(
        "paper", "default", "last", "m", "s", "", dataset, "", {}, systems, [], {}, "", "", 0.0
    )
    items = [
        Question(str(n), "test_unseen", f"Ερώτηση {n};", "μία", "c", gold="κείμενο")
        for n in range(3)
    ]
    answers = {str(n): EvalAnswer(str(n), "λέξη " * n, 1, 1, 0.1, "stop") for n in range(3)}
    return Evaluation(about, {item.id: item for item in items}, {"base": answers}, {})


def human(count: int) -> list[ScoreItem]:
    return [
        ScoreItem(str(n), f"Τι {n};", "οδηγός", "λέξη " * (n % 6), SCALE, float(n % 6))
        for n in range(count)
    ]


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    fill(tmp_path / "paper", 40)
    return tmp_path / "paper"


def test_an_unfiltered_dataset_may_be_judged_and_the_metric_says_so(archive: Path) -> None:
    build_dataset(archive, DatasetSettings(), DatasetRequest())
    found = evaluation(Manifest.read(archive / FOLDER).sha)
    trusted = judge_evaluation.check_trust(archive, found, RULER, NOTHING, [])
    assert trusted == judge_evaluation.JudgeTrust(False, 0, 0.0)
    judged = judge_evaluation.judge_evaluation(found, RULER, ABOUT, trusted, "el")
    assert judged.scores["scorer"]["base"] == {"0": None, "1": 0.2, "2": 0.4}
    metric = next(metric for metric in judged.metrics if metric.name == "scorer")
    assert "no human sample" in metric.about and ABOUT.key in metric.signature
    judged.write(archive / "evaluation")
    again = Evaluation.read(archive / "evaluation")
    assert again.scores["scorer"] == judged.scores["scorer"]


def test_who_chose_the_pairs_needs_people_beside_him(archive: Path) -> None:
    plain = build_dataset(archive, DatasetSettings(), DatasetRequest()).manifest
    review = Review.open(archive)
    review.add_scores("default:1", [("any", 1.0)])
    review.close()
    build_dataset(archive, DatasetSettings(min_score=0.5), DatasetRequest())
    sha = Manifest.read(archive / FOLDER).sha
    assert sha != plain.sha
    found = evaluation(sha)
    with pytest.raises(UserError, match="--human FILE"):
        judge_evaluation.check_trust(archive, found, RULER, NOTHING, [])
    with pytest.raises(UserError, match="30 are needed"):
        judge_evaluation.check_trust(archive, found, RULER, NOTHING, human(10))
    taught = ScorerSplit(human(12), [], [], [])
    with pytest.raises(UserError, match="28 of 40"):
        judge_evaluation.check_trust(archive, found, RULER, taught, human(40))
    trusted = judge_evaluation.check_trust(archive, found, RULER, NOTHING, human(60))
    assert trusted.filtered and trusted.human == 60 and trusted.agreement == 1.0
    assert "a scorer also filtered" in trusted.said and "60 answers" in trusted.said
    assert "QWK 1.00 (1.00 to 1.00)" in trusted.said


@pytest.mark.parametrize(
    ("count", "right", "may"), [(600, 0.9, True), (600, 0.3, False), (30, 0.4, False)]
)
def test_a_judge_must_be_shown_to_agree_with_people_and_not_by_chance(
    archive: Path, count: int, right: float, may: bool
) -> None:
    rng = random.Random(3)
    sample = [
        item if rng.random() < right else replace(item, score=float(rng.randrange(6)))
        for item in human(count)
    ]
    if may:
        trusted = judge_evaluation.check_trust(archive, evaluation("x"), RULER, NOTHING, sample)
        assert 0.4 <= trusted.low < trusted.agreement < trusted.high < 1
        return
    with pytest.raises(UserError, match=r"may not judge.*QWK 0\.\d\d \(-?\d"):
        judge_evaluation.check_trust(archive, evaluation("x"), RULER, NOTHING, sample)


def test_a_dataset_that_is_gone_counts_as_filtered(archive: Path) -> None:
    with pytest.raises(UserError, match="--human FILE"):
        judge_evaluation.check_trust(archive, evaluation("other"), RULER, NOTHING, [])


def test_the_newest_scorer_of_a_name_counts(archive: Path) -> None:
    review = Review.open(archive)
    with SpoolCorpus(archive) as corpus:
        ids = [stored.pair.id for stored in corpus.pairs() if stored.pair.status == "accepted"]
    review.add_scores("strict:9", ((pair, 0.0) for pair in ids[:3]))
    review.add_scores("mild:2", ((pair, 0.0) for pair in ids[:2]))
    review.add_scores("mild:1", ((pair, 0.0) for pair in ids[:1]))
    review.close()
    for wanted, left in (("", 1), ("mild", 1), ("mild:2", 2), ("strict", 3), ("nobody", 0)):
        manifest = build_dataset(
            archive, DatasetSettings(min_score=0.5, scorer=wanted), DatasetRequest()
        ).manifest
        assert manifest.left_out.get("low_score", 0) == left, wanted
