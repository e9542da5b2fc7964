"""Saying "I do not know": the threshold, what it refuses, and what withholding gains."""

from __future__ import annotations

import random
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from exchange.errors import UserError
from tests.trainer.evaluate.planted import SIX, Planted, evaluation
from trainer.abstention import FILE, AnswerThreshold, adapter_sha, fit_threshold, refusal_text
from trainer.evaluate.metrics.wording import declines
from trainer.evaluate.records import EvalAnswer, Evaluation, SystemInfo
from trainer.evaluate.report import PAGE, ReportOptions, print_report, write_report
from trainer.evaluate.report.selective import selective_answers, strength_table
from trainer.evaluate.systems.abstention import fit


@pytest.mark.parametrize(
    ("likelihoods", "right", "threshold"),
    [
        ([-0.1, -0.2, -0.4, -0.6], [1, 1, 0, 0], -0.3),
        ([-0.1, -0.2, -0.4, -0.6], [1, 0, 1, 0], -0.5),  # as good as the first alone, and more
        ([-0.1, -0.2, -0.4, -0.6], [0, 0, 1, 1], -0.6),
        ([-0.1, -0.2, -0.4, -0.6], [1, 1, 1, 1], -0.6),
        ([-0.1, -0.2], [0, 0], 0.0),
        ([-0.2, -0.2, -0.2, -0.5], [1, 0, 1, 0], -0.35),  # no cut between equal ones
    ],
)
def test_answers_are_given_down_to_where_they_are_more_often_wrong(
    likelihoods: list[float], right: list[int], threshold: float
) -> None:
    order = random.Random(3).sample(range(len(right)), len(right))
    found = fit_threshold([likelihoods[n] for n in order], [bool(right[n]) for n in order])
    assert found == pytest.approx(threshold)


def test_a_threshold_is_of_its_own_adapter_at_its_own_strength(tmp_path: Path) -> None:
    weights = tmp_path / "adapters.safetensors"
    weights.write_bytes(b"one")
    with pytest.raises(UserError, match="kkoracle evaluate"):
        AnswerThreshold.read(tmp_path)
    kept = AnswerThreshold(-0.3, adapter_sha(tmp_path), 1.0, "set", "valid", 40, 25, 30, 24)
    kept.write(tmp_path)
    assert AnswerThreshold.read(tmp_path) == kept
    assert kept.withholds(-0.31) and not kept.withholds(-0.3)
    with pytest.raises(UserError, match=r"--scale 1$"):
        AnswerThreshold.read(tmp_path, 0.5)
    weights.write_bytes(b"another")
    with pytest.raises(UserError, match="another adapter"):
        AnswerThreshold.read(tmp_path)
    (tmp_path / FILE).write_text('{"threshold": ')
    with pytest.raises(UserError, match="unusable"):
        AnswerThreshold.read(tmp_path)


@pytest.mark.parametrize("language", ["el", "en", "fr"])
def test_what_is_said_instead_counts_as_declining(language: str) -> None:
    assert declines(refusal_text(language))


def abstaining(*, knows: bool, seed: int = 5, withheld: float = 0.5) -> Evaluation:
    """100 stories of 3 questions, half of them right; likelihood goes with that, or with nothing.

    Below the median an answer is withheld where the rank is in the lower `withheld` of all.
    """
    rng = random.Random(seed)
    found = evaluation(stories=150, seed=seed)
    answers = {}
    asked = [item for item in found.items.values() if item.split == "test_recall"]
    for item in asked:
        right = rng.random() < 0.5
        sure = rng.random() + (0.4 if right and knows else 0.0)
        text = item.reference if right else "άλλο πράγμα εντελώς"
        answers[item.id] = EvalAnswer(item.id, text, 9, 9, 0.1, "stop", likelihood=sure - 2)
    cut = sorted(answer.likelihood or 0.0 for answer in answers.values())[
        int(withheld * len(answers))
    ]
    for name, answer in answers.items():
        if (answer.likelihood or 0.0) < cut:
            answers[name] = answer.replace(text="Δεν γνωρίζω.", withheld=answer.text)
    return replace(found, answers={**found.answers, "tuned+abstain": answers})


def test_the_surest_answers_of_a_model_that_knows_what_it_knows_are_righter() -> None:
    found = selective_answers(abstaining(knows=True), "tuned+abstain")
    assert found and found.questions == 300 and found.stories == 100
    assert found.right == pytest.approx(0.5, abs=0.08)
    every, most = found.rows[0], found.at(0.8)
    assert (every.coverage, every.gain, every.low, every.high) == (1.0, 0.0, 0.0, 0.0)
    assert most and most.answered == 240 and most.low > 0
    assert most.gain == pytest.approx(most.right - found.right)
    assert [row.right for row in found.rows] == sorted(row.right for row in found.rows)
    half = found.at(0.5)
    assert found.fitted and half and found.fitted.right == pytest.approx(half.right, abs=0.01)


def test_no_gain_is_claimed_of_a_model_whose_likelihoods_say_nothing() -> None:
    """Over 60 evaluations the interval at 80 % misses zero about as often as it may."""
    missed = 0
    for seed in range(60):
        found = selective_answers(abstaining(knows=False, seed=seed), "tuned+abstain")
        row = found.at(0.8) if found else None
        assert row
        missed += not row.low <= 0 <= row.high
    assert missed <= 8  # 5 % of 60 are 3; more than 8 has a chance under 1 %


def test_what_declines_by_itself_does_not_say_which_answers_are_withheld() -> None:
    """A model that is surest where it declines still gives the answers that it knows."""
    items = [item for item in evaluation().items.values() if item.split == "test_recall"][:60]
    texts = {0: "Δεν γνωρίζω.", 1: "", 2: "άλλο πράγμα εντελώς"}  # "": the right one
    answers = [
        EvalAnswer(item.id, texts[n % 3] or item.reference, 9, 9, 0.1, "stop")
        for n, item in enumerate(items)
    ]
    answers = [one.replace(likelihood=-0.1 - n % 3) for n, one in enumerate(answers)]
    described = AnswerThreshold(0.0, "a", 1.0, "d", "valid", 0, 0, 0, 0)
    found = fit(items, answers, described)
    assert (found.questions, found.right) == (40, 20)
    assert found.answered == found.right_answered == 20 and -2.1 < found.threshold < -1.1
    none = fit(items, [one.replace(text=texts[0]) for one in answers], described)
    assert (none.questions, none.answered) == (0, 0)


def test_a_system_that_does_not_weigh_its_answers_has_no_such_table() -> None:
    assert selective_answers(evaluation(), "tuned") is None


def test_forgetting_begins_at_the_weakest_strength_that_is_clearly_worse() -> None:
    systems = (
        Planted("base", "base", 0.30, 0.28, 0.7),
        Planted("tuned", "tuned", 0.80, 0.28, 0.2),
        Planted("tuned-0.5", "scaled", 0.60, 0.28, 0.7),
        Planted("tuned-0.75", "scaled", 0.70, 0.28, 0.3),
    )
    found = evaluation(systems)
    assert strength_table(found, "choice", 0.05) is None  # nobody asked for strengths
    asked = replace(found, about=found.about.replace(settings={"scales": [0.5, 0.75]}))
    table = strength_table(asked, "choice", 0.05)
    assert table and [row.scale for row in table.rows] == [0.5, 0.75, 1.0]
    assert [row.forgets for row in table.rows] == [False, True, True]
    assert (table.begins, table.most) == (0.75, 0.5)
    gains = [row.learned.gain for row in table.rows if row.learned]
    assert gains == sorted(gains) and gains[0] > 0.1


def test_the_page_holds_both_tables_and_the_terminal_a_line_of_each(tmp_path: Path) -> None:
    found = abstaining(knows=True)
    weak = Planted("tuned-0.5", "scaled", 0.6, 0.3)
    more = evaluation((*SIX, weak), stories=150, seed=5)
    answers = {**more.answers, "tuned+abstain": found.answers["tuned+abstain"]}
    last = SystemInfo("tuned+abstain", "k", "the tuned model", False, "tuned+abstain")
    about = more.about.replace(
        settings={"scales": [0.5]}, systems=[*more.about.systems, last.to_dict()]
    )
    folder = tmp_path / "runs" / "default" / "evaluation"
    replace(more, about=about, answers=answers).write(folder)
    report = write_report(folder, tmp_path, ReportOptions())
    page = (folder / PAGE).read_text("utf-8")
    for anchor in ("selective", "strength"):
        part = page.split(f'id="{anchor}"')[1].split("</section>")[0]
        assert part.count("<tr>") >= 3, anchor
    console = Console(file=StringIO(), width=200)
    print_report(console, report, folder)
    said = console.file.getvalue()  # type: ignore[attr-defined]
    assert "of the surest 80% of its answers" in said and "strength" in said
