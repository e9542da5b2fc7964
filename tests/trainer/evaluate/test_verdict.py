"""The verdict and the gate, on evaluations whose truth was planted."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tests.trainer.evaluate import planted
from tests.trainer.evaluate.planted import SIX, Planted, evaluation
from trainer.evaluate.records import Evaluation, JudgeAudit
from trainer.evaluate.report import EvaluationReport, ReportOptions, comparisons, strings, verdict
from trainer.evaluate.report.build import ReportContext, build_report
from trainer.statistics import ClusteredEstimate


def reported(found: Evaluation, matters: float = 0.05) -> EvaluationReport:
    return build_report(found, ReportContext(), ReportOptions(matters=matters))


def changed(name: str, **values: object) -> list[Planted]:
    """The six systems, one of them otherwise."""
    return [replace(one, **values) if one.name == name else one for one in SIX]  # type: ignore[arg-type]


def against_base(
    found: EvaluationReport, metric: str, split: str = "test_recall", name: str = "tuned"
) -> str:
    compared = found.comparison(metric, split, "tuned", "base")
    assert compared is not None
    return compared.says


@pytest.fixture(scope="module")
def base() -> Evaluation:
    """Only the base has answered."""
    return evaluation([SIX[0]], stories=200)


def test_a_tuned_model_that_learned_is_recommended_and_claims_nothing_of_unseen_stories() -> None:
    found = reported(evaluation())
    assert found.sentence == "fine-tune" and found.verdict and found.verdict.system == "tuned"
    assert found.verdict.split == "test_recall" and found.verdict.metric == "choice"
    gain = found.comparison("choice", "test_recall", "tuned", "base")
    assert gain and gain.low > 0 and gain.adjusted is not None and gain.adjusted < 0.001
    assert against_base(found, "choice", "test_unseen") != "better"
    assert found.passed and found.few == 0


def test_retrieval_beside_the_tuned_model_is_kept_only_where_it_is_needed() -> None:
    systems = [replace(one, taught=0.57) if one.name == "tuned" else one for one in SIX]
    systems = [replace(one, taught=0.95) if one.name == "tuned+rag" else one for one in systems]
    found = reported(evaluation(systems))
    assert found.sentence == "fine-tune" and found.verdict and found.verdict.system == "tuned+rag"


def test_retrieval_is_recommended_where_it_knows_more_than_was_learned() -> None:
    systems = [replace(one, taught=0.4) if one.kind.startswith("tuned") else one for one in SIX]
    assert reported(evaluation(systems, stories=400)).sentence == "use RAG"


def test_examples_are_enough_where_nothing_dearer_can_matter() -> None:
    systems = [replace(one, taught=0.4, unseen=0.4) for one in SIX]
    assert reported(evaluation(systems, stories=900, each=4)).sentence == "use few-shot"


def test_too_few_questions_decide_nothing_and_say_how_many_are_missing() -> None:
    systems = [replace(one, taught=0.44 + 0.03 * one.kind.startswith("tuned")) for one in SIX]
    few = reported(evaluation(systems, stories=60))
    match = re.fullmatch(r"not decided: ([\d,]+) more questions needed", few.sentence)
    assert match and few.verdict and few.verdict.because
    assert int(match[1].replace(",", "")) == few.verdict.more >= 100
    assert few.few == 40  # two stories in three are asked of what was taught
    rough = reported(evaluation(systems, stories=60), matters=0.2)
    assert rough.verdict and rough.verdict.more < few.verdict.more  # less must be seen


def test_an_identical_system_is_said_to_be_no_better_and_no_worse(base: Evaluation) -> None:
    found = reported(planted.copy_of(base, "tuned", "tuned", "identical"))
    assert found.sentence == "use few-shot"
    for one in (*found.declared, *found.beside):
        assert one.gain == 0 and one.low <= 0 <= one.high
        assert one.says not in ("better", "worse")
    assert all(one.says == "same" for one in found.declared)


def test_a_system_with_one_answer_in_ten_corrupted_is_reported_worse(base: Evaluation) -> None:
    found = reported(planted.copy_of(base, "tuned", "tuned", "corrupted"))
    assert against_base(found, "choice") == "worse" and found.sentence == "use few-shot"
    assert against_base(found, "groundedness") == "worse" and not found.passed
    assert {check.metric: check.outcome for check in found.gate}["forgetting"] == "passed"


def test_a_system_that_only_shortens_is_terser_and_not_better(base: Evaluation) -> None:
    found = reported(planted.copy_of(base, "tuned", "tuned", "shortened"))
    assert against_base(found, "length") == "lower" and against_base(found, "choice") == "same"
    assert found.sentence == "use few-shot"


def test_two_systems_with_equal_chances_are_rarely_told_apart() -> None:
    equal = [Planted(name, name, 0.5, 0.5) for name in ("base", "rag", "tuned")]
    claims = [reported(evaluation(equal, seed=seed)).sentence for seed in range(15)]
    assert sum(claim in ("fine-tune", "use RAG") for claim in claims) <= 2


@pytest.mark.parametrize(
    ("change", "outcome"),
    [({"general": 0.6}, "passed"), ({"general": 0.45}, "worse"), ({"general": 0.2}, "worse")],
)
def test_the_gate_closes_on_what_was_forgotten(change: dict[str, float], outcome: str) -> None:
    found = reported(evaluation(changed("tuned", **change)))
    forgetting = next(check for check in found.gate if check.metric == "forgetting")
    assert forgetting.outcome == outcome and found.passed == (outcome == "passed")


def test_the_gate_closes_on_invention_and_on_what_it_cannot_see() -> None:
    invents = reported(evaluation(changed("tuned", grounded=0.4)))
    assert [check.outcome for check in invents.gate] == ["passed", "worse"] and not invents.passed
    few = reported(evaluation(changed("tuned", grounded=0.7), stories=12))
    assert few.gate[1].outcome == "too wide" and few.gate[1].more > 0 and not few.passed
    alone = reported(evaluation([SIX[0], SIX[2]]))
    assert {check.outcome for check in alone.gate} == {"not measured"} and not alone.passed


def test_a_judge_that_always_says_a_is_not_heard() -> None:
    audit = JudgeAudit(
        "base",
        "pairwise|v:1",
        False,
        "it prefers what stands first",
        1.0,
        [{"name": "negation", "asked": 40, "caught": 0}],
    )
    found = reported(evaluation(audit=audit))
    assert found.judged == [] and found.caught[0].share == 0.0
    assert reported(evaluation()).judged[0].share > 0.5


def test_a_system_without_likelihoods_is_shown_as_not_applicable() -> None:
    found = reported(evaluation([*SIX, Planted("far", "endpoint", 0.9, 0.9, likelihood=False)]))
    cells = {(c.metric, c.system, c.split): c for c in found.cells}
    assert cells["choice", "far", "test_recall"].mean is None
    assert cells["choice", "far", "test_recall"].missing == 240
    assert cells["facts", "far", "test_recall"].mean is not None


def test_slices_flips_calibration_and_costs_are_there() -> None:
    found = reported(evaluation())
    assert {one.name for one in found.slices} == {"section", "year"}
    assert all(one.comparison.questions >= 20 for one in found.slices)
    assert found.flips and found.flips.all_won == found.declared[0].wins
    assert len(found.flips.won) == 8 and found.flips.all_lost == found.declared[0].losses
    assert {one.system for one in found.calibration} == {one.name for one in SIX}
    for one in found.calibration:
        assert one.low <= one.error <= one.high and sum(b.count for b in one.bins) == 240
    assert {one.system: round(one.tokens_in) for one in found.answering}["rag"] == 700


@pytest.mark.parametrize(
    ("mean", "adjusted", "says"),
    [
        (0.30, 0.01, "better"),
        (0.30, 0.20, "clear-of-band"),
        (-0.30, 0.20, "clear-of-band"),
        (0.12, 0.20, "clear-of-zero"),
        (0.02, 0.20, "unclear"),
    ],
)
def test_what_is_clear_of_the_band_and_not_significant_after_holm_says_exactly_that(
    mean: float, adjusted: float, says: str
) -> None:
    gain = ClusteredEstimate(mean, 0.05, 60, 61)  # half an interval is 0.1
    assert comparisons._outcome(gain, planted.CHOICE, 0.05, adjusted) == says
    for language in strings.languages():
        assert "Holm" in strings.load(language)["text"][says] or says in ("better", "unclear")


@pytest.mark.parametrize("says", ["clear-of-band", "clear-of-zero", "unclear"])
def test_a_dearer_system_that_only_holm_holds_back_may_still_matter(says: str) -> None:
    one = replace(reported(evaluation()).declared[0], says=says, high=0.4)  # type: ignore[arg-type]
    assert verdict._could_matter(one)
    assert not verdict._could_matter(replace(one, high=0.01))
    assert not verdict._could_matter(replace(one, says="same"))


def test_what_the_base_did_not_know_is_told_beside_without_the_base() -> None:
    whole = evaluation()
    found = reported(whole).unknown
    assert found and found.split == "test_recall" and found.verdict
    knew = whole.scores["choice"]["base"]
    asked = [key for key, item in whole.items.items() if item.split == "test_recall"]
    assert (found.questions, found.asked) == (sum(not knew[key] for key in asked), len(asked))
    assert not any("base" in (one.one, one.other) for one in found.declared)
    cells = {(one.metric, one.split, one.system): one for one in found.cells}
    assert cells["choice", "test_recall", "base"].mean == 0
    tuned = [whole.scores["choice"]["tuned"][key] for key in asked if not knew[key]]
    assert found.means["tuned"] == pytest.approx(sum(tuned) / len(tuned))  # type: ignore[arg-type]
    assert ("choice", "test_unseen", "tuned") in cells


def test_searching_wins_among_what_the_base_did_not_know_where_nothing_was_learned() -> None:
    systems = [replace(one, taught=0.3) if one.kind.startswith("tuned") else one for one in SIX]
    found = reported(evaluation(systems, stories=400)).unknown
    assert found and found.verdict and found.verdict.sentence == "use RAG"


def test_without_a_base_or_with_too_few_questions_nothing_is_said_of_what_it_knew() -> None:
    assert reported(evaluation([one for one in SIX if one.kind != "base"])).unknown is None
    assert reported(evaluation(stories=9)).unknown is None
    assert reported(evaluation([SIX[0], SIX[3]])).unknown is None  # nobody to hold it against
