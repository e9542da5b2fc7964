"""The checks against the labelled pairs: what each rule must catch, and must leave alone."""

from __future__ import annotations

import pytest

from bench.checks.labelled import LabelledVerdict, judge_all, scores
from workers.checks import CHAINS

FEWEST = 200  # labelled pairs
# Rules whose every objection among the labelled pairs is right, and that miss none of theirs.
EXACT = (
    "deictic",
    "disagreement",
    "meta-reference",
    "mixed-language",
    "no-question-mark",
    "prompt-echo",
    "pronoun-only",
    "repetition",
    "ungrounded-date",
    "ungrounded-name",
    "ungrounded-number",
)
# Rules whose pairs are all rejected, sometimes by a cheaper rule that is right as well.
CAUGHT = ("chopped", "garbled", "unanchored", "unattributed-claim", "undated-event", "wrong-sort")


@pytest.fixture(scope="module")
def judged() -> list[LabelledVerdict]:
    return judge_all()


def test_there_are_enough_of_every_sort(judged: list[LabelledVerdict]) -> None:
    assert len(judged) >= FEWEST
    assert sum(not one.wanted for one in judged) >= 100
    assert sum(one.twin for one in judged) >= 8
    for reason in (*EXACT, *CAUGHT, "duplicate", "facts-mixed"):
        assert scores(judged)[reason].wanted, reason


@pytest.mark.parametrize("reason", EXACT)
def test_a_rule_that_is_exact_stays_so(judged: list[LabelledVerdict], reason: str) -> None:
    score = scores(judged)[reason]
    assert (score.precision, score.recall) == (1.0, 1.0)


@pytest.mark.parametrize("reason", CAUGHT)
def test_what_a_rule_is_for_is_caught(judged: list[LabelledVerdict], reason: str) -> None:
    score = scores(judged)[reason]
    assert score.caught == score.wanted
    assert score.precision is not None and score.precision >= 0.8


def test_right_pairs_are_kept_and_kept_pairs_are_right(judged: list[LabelledVerdict]) -> None:
    right = [one for one in judged if not one.wanted]
    kept = [one for one in judged if not one.found]
    assert sum(not one.found for one in right) / len(right) >= 0.97
    assert sum(not one.wanted for one in kept) / len(kept) >= 0.96


def test_a_dated_twin_is_never_called_a_duplicate(judged: list[LabelledVerdict]) -> None:
    assert all(one.found != "duplicate" for one in judged if one.twin)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("Τι αποφάσισε η Σύνοδος για τους ελέγχους στα εξωτερικά σύνορα;", "undated-event"),
        ("Τι πρέπει να γίνει με τις εργοδοτικές εισφορές το 2006;", "unattributed-claim"),
        ("Τι συνέβη με τη γέφυρα «Βάρανδιν» στο Νόβι Σαντ το 1999;", "garbled"),
        ("Ποιος πρωθυπουργός επέμεινε σε κυρώσεις στη Σεβίλλη το 2002;", "ungrounded-name"),
    ],
    ids=["the Summit", "a lobby's demand", "a garbled answer", "an entity of elsewhere"],
)
def test_four_known_defects_are_caught_with_their_reason(
    judged: list[LabelledVerdict], question: str, reason: str
) -> None:
    (one,) = [one for one in judged if one.question == question]
    assert one.found == one.wanted == reason


def test_every_kind_of_task_has_a_chain_that_refuses_a_chopped_answer() -> None:
    for kind, chain in CHAINS.items():
        assert "chopped" in {check.__name__ for check in chain}, kind
