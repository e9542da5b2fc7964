"""Ways of teaching are what they are called, and seeds are pooled question by question."""

from __future__ import annotations

import pytest

from bench.teach import marks, ways
from exchange.errors import Unsupported
from trainer.abstention import refusal_text
from trainer.evaluate.records import EvalAnswer, EvalItem, Evaluation


def test_ways_are_named_once_and_found_by_name() -> None:
    names = [way.name for way in ways.WAYS]
    assert len(set(names)) == len(names) and names[0] == "sft" and names[-1] == "best"
    assert [way.name for way in ways.chosen(["best", "sft"])] == ["best", "sft"]
    assert ways.chosen(None) == list(ways.WAYS)
    with pytest.raises(Unsupported, match="nonesuch"):
        ways.chosen(["sft", "nonesuch"])


def test_plain_teaching_differs_in_nothing() -> None:
    assert not ways.WAYS[0].train and not ways.WAYS[0].dataset


def test_questions_are_averaged_over_the_runs_and_only_those_that_all_answered() -> None:
    first = {"a": ("s1", 1.0), "b": ("s1", 0.0), "c": ("s2", 1.0)}
    second = {"a": ("s1", 0.0), "c": ("s2", 1.0)}
    pooled = marks.pooled([first, second])
    assert pooled is not None
    assert pooled.mean == pytest.approx((0.5 + 1.0) / 2) and pooled.clusters == 2
    assert pooled.low < pooled.mean < pooled.high


def test_one_story_alone_has_no_interval() -> None:
    assert marks.pooled([{"a": ("s1", 1.0), "b": ("s1", 0.0)}]) is None


def test_who_declines_or_withholds_invents_nothing_and_gives_up_what_was_taught() -> None:
    no = refusal_text("el")
    said = {
        "right": ("test_unseen", "Ο Νίκος.", ""),
        "wrong": ("test_unseen", "Η Άννα.", ""),
        "declined": ("test_unseen", no, ""),
        "withheld": ("test_unseen", no, "Η Άννα."),
        "known": ("test_recall", "Ο Νίκος.", ""),
        "lost": ("test_recall", no, ""),
    }
    items = {
        name: EvalItem(name, split, "Ποιος ήρθε;", "Ο Νίκος.", name, language="el")
        for name, (split, _, _) in said.items()
    }
    answers = {
        name: EvalAnswer(name, text, 0, 0, 0.0, "stop", withheld=withheld)
        for name, (_, text, withheld) in said.items()
    }
    found = Evaluation(None, items, {"tuned": answers}, {})  # type: ignore[arg-type]
    invented = {name: value for name, (_, value) in marks._invented(found, "tuned").items()}
    assert invented == {"right": 0, "wrong": 1, "declined": 0, "withheld": 0}
    assert {name: value for name, (_, value) in marks._gave_up(found).items()} == {
        "known": 0,
        "lost": 1,
    }
