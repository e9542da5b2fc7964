"""Systems whose truth is known go the whole way: answers, metrics, intervals."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from exchange.inference.engine import Likelihood
from tests.trainer.evaluate import planted
from trainer.evaluate.judge.audit import swapped_number
from trainer.evaluate.metrics import ALL_METRICS, measure
from trainer.evaluate.records import EvalAnswer, EvalItem, Evaluation, MetricInfo, as_dicts
from trainer.evaluate.records import SystemInfo as Recorded
from trainer.evaluate.report.comparisons import SystemComparison, compare_systems

METRICS = {measure.info.name: measure.info for measure in ALL_METRICS}
STORIES, EACH = 120, 3
WRONG = "Το συμβούλιο δεν συζήτησε ποτέ αυτό το θέμα εκείνη τη χρονιά."


def items() -> list[EvalItem]:
    return [
        EvalItem(
            f"{story}-{k}",
            "test_recall",
            f"Τι ενέκρινε το συμβούλιο για το έργο {story} {k};",
            f"Το συμβούλιο ενέκρινε έπειτα από πολλή συζήτηση {1000 + story * 7 + k} ευρώ.",
            str(story),
            gold=f"Έπειτα από πολλή συζήτηση το συμβούλιο ενέκρινε {1000 + story * 7 + k} ευρώ.",
            distractors=("α", "β", "γ"),
        )
        for story in range(STORIES)
        for k in range(EACH)
    ]


def base_says() -> dict[str, str]:
    """Right for two in three, and stories differ in how hard they are."""
    rng = random.Random(11)
    hard = [rng.gauss(0.66, 0.15) for _ in range(STORIES)]
    return {
        item.id: item.reference if rng.random() < hard[int(item.cluster)] else WRONG
        for item in items()
    }


def evaluated(tuned: dict[str, str], weights: dict[str, float] | None = None) -> Evaluation:
    said = {"base": base_says(), "tuned": tuned}
    answers = {
        name: {
            key: EvalAnswer(key, text, 9, len(text.split()), 0.1, "stop")
            for key, text in texts.items()
        }
        for name, texts in said.items()
    }
    likely = {key: -1.0 if text != WRONG else -3.0 for key, text in base_says().items()}
    weighed = {
        name: {key: [Likelihood(mine[key], 1), *[Likelihood(-2.0, 1)] * 3] for key in mine}
        for name, mine in (("base", likely), ("tuned", weights or likely))
    }
    scores, confidences = measure(items(), answers, weighed)
    about = planted.evaluation().about.replace(
        systems=as_dicts(Recorded(name, name, name, True, name) for name in said),
        metrics=as_dicts(METRICS.values()),
    )
    return Evaluation(about, {item.id: item for item in items()}, answers, scores, confidences)


def compared(found: Evaluation, name: str) -> SystemComparison:
    metric: MetricInfo = METRICS[name]
    made = compare_systems(found, metric, "test_recall", "tuned", "base")
    assert made is not None
    return made


def test_a_tenth_of_the_answers_corrupted_is_reported_worse() -> None:
    rng = random.Random(5)
    tuned = {
        key: swapped_number(text, "") or text if rng.random() < 0.1 else text
        for key, text in base_says().items()
    }
    changed = sum(tuned[key] != text for key, text in base_says().items()) / len(tuned)
    assert 0.03 < changed < 0.1
    found = evaluated(tuned)
    for name in ("facts", "numbers", "groundedness"):
        of = compared(found, name)
        assert of.says == "worse" and of.high < 0
        assert of.gain == pytest.approx(-changed, abs=0.02)


def test_answers_that_are_only_shorter_are_terser_and_not_better() -> None:
    tuned = {
        key: " ".join(text.split()[-2:]) if text != WRONG else text
        for key, text in base_says().items()
    }
    found = evaluated(tuned)
    assert compared(found, "length").says == "lower"
    for name in ("facts", "numbers", "groundedness", "choice"):
        of = compared(found, name)
        assert of.says == "same" and of.low <= 0 <= of.high


def test_an_identical_system_gives_intervals_that_contain_zero() -> None:
    found = evaluated(base_says())
    for name, metric in METRICS.items():
        if "test_recall" in metric.splits and found.scores[name]["base"]:
            of = compared(found, name)
            assert of.low <= 0 <= of.high and of.says == "same", name


def test_luck_alone_is_not_called_a_difference() -> None:
    """Two systems as good as each other, each with its own luck, over and over."""
    called = 0
    for seed in range(8):
        rng = random.Random(seed)
        tuned = {
            key: text if rng.random() < 0.66 else WRONG
            for key, text in ((item.id, item.reference) for item in items())
        }
        called += compared(evaluated(tuned), "facts").says in ("better", "worse")
    assert called <= 2  # 5 % are expected


def test_one_that_has_learned_is_reported_better_on_the_main_metric() -> None:
    weights = dict.fromkeys((item.id for item in items()), -1.0)
    of = compared(evaluated(base_says(), weights), "choice")
    assert of.says == "better" and of.low > 0
    assert compared(evaluated(base_says(), weights), "facts").says == "same"


def test_a_system_without_likelihoods_is_measured_where_it_can_be() -> None:
    found = evaluated(base_says())
    scores, _ = measure(list(found.items.values()), found.answers, {})
    assert set(scores["choice"]["base"].values()) == {None}
    bare = replace(found, scores=scores)
    assert compare_systems(bare, METRICS["choice"], "test_recall", "tuned", "base") is None
    assert compare_systems(bare, METRICS["facts"], "test_recall", "tuned", "base") is not None
